"""Results: how they are printed, shown in a notebook, and become a frame."""

from __future__ import annotations

import html
import textwrap
from abc import abstractmethod
from collections.abc import Sequence
from types import ModuleType
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from ..names import printable

if TYPE_CHECKING:
    import pandas as pd

#: Rows of a table that are printed, and letters of a line of text; a frame has all (arbitrary).
MOST_ROWS, LINE_LETTERS = 24, 80

#: A table of pandas, which is optional.
Frame: TypeAlias = "pd.DataFrame"


def pandas_for(what: str) -> ModuleType:
    """Return pandas, which ``what`` needs, or say how to install it."""
    try:
        import pandas as pd
    except ImportError as error:
        raise ImportError(
            f"{what} needs pandas; install it with `pip install 'skcausalpima[pandas]'`."
        ) from error
    return pd


class TableText(NamedTuple):
    """A table in words: what it is, the names of its columns, its rows, and what it leaves open."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()


class ShownTable:
    """A result that has three forms: a short text, a table of a notebook, and a frame.

    Whatever users are handed by a public function is one, or has the three methods of its own.
    """

    @abstractmethod
    def _as_table(self) -> TableText:
        """Return the figures in words."""

    @abstractmethod
    def to_frame(self) -> Frame:
        """Return all figures as a table of pandas."""

    def __str__(self) -> str:
        title, head, rows, notes = self._shown()
        lines = list(zip(*map(_aligned, zip(head, *rows, strict=True)), strict=True))
        table = ["  " + "  ".join(line).rstrip() for line in lines] if rows else []
        sentences = [textwrap.fill(note, LINE_LETTERS) for note in notes]
        return "\n".join([*([title] if title else []), *table, *sentences])

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        """Return the table for a notebook; names are escaped."""
        title, head, rows, notes = self._shown()
        texts = "".join(tag("p", note) for note in notes)
        return f"{tag('b', title) if title else ''}{html_table(head, rows)}{texts}"

    def _shown(self) -> TableText:
        """Return as many rows as are shown."""
        title, head, rows, notes = self._as_table()
        rows, head = [list(map(printable, row)) for row in rows], list(map(printable, head))
        n_more = len(rows) - MOST_ROWS
        more = (
            [f"and {n_more} row{'s' if n_more > 1 else ''} more, which to_frame() has"]
            if n_more > 0
            else []
        )
        return TableText(printable(title), head, rows[:MOST_ROWS], [*more, *map(printable, notes)])


def html_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Write a table that scrolls by itself where a page is narrow; none where there are no rows."""
    if not rows:
        return ""
    lines = [f"<tr>{''.join(tag('th', name) for name in head)}</tr>"] if head else []
    lines += [f"<tr>{''.join(tag('td', entry) for entry in row)}</tr>" for row in rows]
    return f'<div style="overflow-x: auto"><table>{"".join(lines)}</table></div>'


def tag(name: str, text: str) -> str:
    """Write an element whose text is no markup, and runs in its own direction."""
    return f'<{name} dir="auto">{html.escape(printable(text))}</{name}>'


def _aligned(column: Sequence[str]) -> list[str]:
    """Return a name and entries that are as wide as each other: numbers end, words begin alike."""
    width, name, entries = max(map(len, column)), column[0], column[1:]
    are_numbers = all(entry[:1] in "+-.0123456789" for entry in entries)
    return [entry.rjust(width) if are_numbers else entry.ljust(width) for entry in (name, *entries)]
