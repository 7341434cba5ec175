"""Results whose figures are a table: how they are printed, in a notebook, and as a frame."""

from __future__ import annotations

import html
from abc import abstractmethod
from collections.abc import Sequence
from types import ModuleType
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

if TYPE_CHECKING:
    import pandas as pd

#: Rows of a table that are printed; a frame has all (arbitrary).
MOST_ROWS = 24

#: A table of pandas, which is optional.
Frame: TypeAlias = "pd.DataFrame"


def pandas_for(what: str) -> ModuleType:
    """Return pandas, which ``what`` needs, or say how to install it."""
    try:
        import pandas as pd
    except ImportError as error:
        raise ImportError(f"{what} needs pandas; install it with `pip install pandas`.") from error
    return pd


class TableText(NamedTuple):
    """A table in words: what it is, the names of its columns, its rows, and what it leaves open."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()


class ShownTable:
    """A record that is shown as a table."""

    @abstractmethod
    def _as_table(self) -> TableText:
        """Return the figures in words."""

    def __str__(self) -> str:
        title, head, rows, notes = self._shown()
        columns = [
            [name.rjust(max(map(len, column))) for name in column]
            for column in zip(head, *rows, strict=True)
        ]
        lines = ["  " + "  ".join(row) for row in zip(*columns, strict=True)]
        return "\n".join([title, *lines, *notes])

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        """Return the table for a notebook; names are escaped."""
        title, head, rows, notes = self._shown()
        lines = [_row("th", head), *(_row("td", row) for row in rows)]
        texts = "".join(f"<p>{html.escape(note)}</p>" for note in notes)
        return f"<b>{html.escape(title)}</b><table>{''.join(lines)}</table>{texts}"

    def _shown(self) -> TableText:
        """Return as many rows as are shown."""
        table = self._as_table()
        n_more = len(table.rows) - MOST_ROWS
        more = [f"and {n_more} rows more, which to_frame() has"] if n_more > 0 else []
        return table._replace(rows=table.rows[:MOST_ROWS], notes=[*more, *table.notes])


def _row(cell: str, names: Sequence[str]) -> str:
    """Write a row of a table."""
    return f"<tr>{''.join(f'<{cell}>{html.escape(name)}</{cell}>' for name in names)}</tr>"
