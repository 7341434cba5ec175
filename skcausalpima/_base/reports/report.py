"""The base of all records: how one is shown."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from ..arithmetic import same_arrays
from ..types import Unchecked
from .shown_table import Frame, ShownTable, TableText, pandas_for

#: Letters of a line that shows a field, and entries of an array that are shown one by one.
LINE_LETTERS, MOST_ENTRIES = 96, 8


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Report(ShownTable):
    """A record of figures, shown with a line for each."""

    def to_frame(self) -> Frame:
        """Return the figures, one row for each.

        Returns
        -------
        pandas.DataFrame
            Rows are labelled by ``figure``, the name of the attribute; the column is ``value``, in
            which arrays and lists stay what they are.

        Raises
        ------
        ImportError
            If pandas is not installed.

        Examples
        --------
        >>> from skcausalpima.inspection import GapsReport
        >>> none = np.zeros((0, 2), dtype=int)
        >>> GapsReport(nodes=np.array([0.1]), cut=np.array([False]), pairs=none).to_frame()
                  value
        figure
        nodes     [0.1]
        cut     [False]
        pairs        []
        """
        pd = pandas_for("to_frame")
        names = [field.name for field in fields(self)]
        values = pd.Series([getattr(self, name) for name in names], dtype=object)
        return values.set_axis(pd.Index(names, name="figure")).to_frame("value")

    def _as_table(self) -> TableText:
        """Write a figure in each row."""
        rows = [(field.name, _shown(getattr(self, field.name))) for field in fields(self)]
        return TableText(type(self).__name__, (), rows)

    def __eq__(self, other: object) -> bool:
        """Return whether another record has the same figures; NaN is the same as NaN."""
        if type(other) is not type(self):
            return NotImplemented
        names = [field.name for field in fields(self)]
        return all(_are_same(getattr(self, name), getattr(other, name)) for name in names)

    __hash__ = None  # type: ignore[assignment]  # arrays have none

    def __repr__(self) -> str:
        """Show the figures, long ones shortened."""
        title, _, rows, _ = self._as_table()
        lines = [f"    {name}={value},\n" for name, value in rows]
        return f"{title}(\n{''.join(lines)})"

    def __str__(self) -> str:
        return repr(self)


def _are_same(one: Unchecked, other: Unchecked) -> bool:
    """Return whether two figures are the same, arrays in all their entries."""
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        return same_arrays(one, other)
    if isinstance(one, float) and isinstance(other, float):
        return one == other or (np.isnan(one) and np.isnan(other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_are_same(one[k], other[k]) for k in one)
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        return len(one) == len(other) and all(map(_are_same, one, other))
    return bool(one == other)


def _shown(value: Unchecked) -> str:
    """Return a value in few letters: long arrays by their shape, records by their number."""
    if isinstance(value, np.ndarray) and value.size > MOST_ENTRIES:
        return f"<{value.dtype} of shape {value.shape}>"
    if isinstance(value, list) and value and isinstance(value[0], Report):
        return f"<{len(value)} of {type(value[0]).__name__}>"
    with np.printoptions(precision=4):
        text = " ".join(repr(value).split())
    return text if len(text) <= LINE_LETTERS else f"{text[: LINE_LETTERS - 3]}..."
