"""The base of all records: how one is shown."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from ..arithmetic import same_arrays
from ..types import Unchecked

#: Letters of a line that shows a field, and entries of an array that are shown one by one.
LINE_LETTERS, MOST_ENTRIES = 96, 8


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Report:
    """A record of figures, shown with a line for each."""

    def __eq__(self, other: object) -> bool:
        """Return whether another record has the same figures; NaN is the same as NaN."""
        if type(other) is not type(self):
            return NotImplemented
        names = [field.name for field in fields(self)]
        return all(_are_same(getattr(self, name), getattr(other, name)) for name in names)

    __hash__ = None  # type: ignore[assignment]  # arrays have none

    def __repr__(self) -> str:
        """Show the figures, long ones shortened."""
        lines = [
            f"    {field.name}={_shown(getattr(self, field.name))},\n" for field in fields(self)
        ]
        return f"{type(self).__name__}(\n{''.join(lines)})"


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
