"""Lines of the report on a fit, as wide as a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from .._base.names import cut

WIDTH, LABEL_WIDTH = 79, 34  # columns of a terminal
MOST_LINES = 25  # of a report, unless alarms are more
COLUMN_WIDTH = 12  # of the outcomes of a node


def column(names: Sequence[str]) -> list[str]:
    """Shorten names so that they fit into a column, and let them end below each other."""
    short = [cut(name, COLUMN_WIDTH) for name in names]
    return [name.rjust(max(map(len, short))) for name in short]


def line_as_text(label: str, value: str) -> str:
    """Write a label and a value below each other where they are long."""
    start, indent = f"  {label}".ljust(LABEL_WIDTH + 2), " " * (LABEL_WIDTH + 2)
    if not start.endswith(" "):
        return f"{wrapped(start, '', '  ')}\n{wrapped(value, indent, indent)}"
    return start + wrapped(value, indent, indent).removeprefix(indent)


def wrapped(text: str, first: str, others: str) -> str:
    """Break a text into lines."""
    return textwrap.fill(text, WIDTH, initial_indent=first, subsequent_indent=others)
