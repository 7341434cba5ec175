"""Row and column labels of DataFrames: the same rows together, the columns of ``fit``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, cast

import numpy as np

from .._base.types import Unchecked

if TYPE_CHECKING:
    import pandas as pd

Columns = tuple[str, ...] | None
"""Names of the elements of a sample; None where nothing names them but their numbers."""


def numbered_columns(width: int) -> tuple[str, ...]:
    """Return the names of columns that have none."""
    return tuple(map(str, range(width)))


def check_same_rows(rows: Iterable[pd.Index | None], names: Sequence[str]) -> None:
    """Check that all DataFrames among the modalities have the same index."""
    pairs = zip(names, rows, strict=True)
    indexes = {name: index for name, index in pairs if index is not None}
    first = next(iter(indexes), "")
    for name, index in indexes.items():
        remedy = (
            "Align them with frame.loc[other.index] (or reindex, whose rows of NaN are missing), "
            "or use frame.reset_index(drop=True) on each if they go together as they are."
        )
        _check_index(index, indexes[first], f"modality {name!r}", repr(first), remedy)


def check_rows_beside(given: Unchecked, what: str, rows: pd.Index | None) -> None:
    """Check that what is known of samples has their index, where both have one.

    Parameters
    ----------
    given : object
        A table, or columns by name, some of which may be Series.
    what : str
        What to call it.
    rows : Index or None
        That of X.
    """
    for part in given.values() if isinstance(given, Mapping) else [given]:
        if rows is not None and hasattr(part, "iloc"):
            remedy = f"Align it with {what}.loc[X.index], or pass arrays if rows go together."
            _check_index(cast("pd.DataFrame", part).index, rows, what, "X", remedy)


def _check_index(index: pd.Index, expected: pd.Index, what: str, other: str, remedy: str) -> None:
    """Raise where a table has other rows than another, or the same in another order."""
    if index.equals(expected):
        return
    strange = index.difference(expected, sort=False)
    if len(strange):
        difference = f"other rows than {other}, such as {strange[0]!r}"
    else:
        difference = f"the rows of {other} in another order"
    raise ValueError(f"{what} has {difference}: a sample is one row of each. {remedy}")


def common_columns(columns: Sequence[Columns], name: str) -> Columns:
    """Return the columns that the parts of a modality share; None are any."""
    different = list(dict.fromkeys(names for names in columns if names is not None))
    if len(different) > 1:
        raise ValueError(
            f"modality {name!r} has other columns, or columns in another order, in some parts: "
            f"{list(different[0])[:5]} and {list(different[1])[:5]}."
        )
    return different[0] if different else None


def named_columns(names: Sequence[str], columns: Sequence[Columns]) -> dict[str, np.ndarray | None]:
    """Return the names of the columns by modality, None where nothing names them."""
    pairs = zip(names, columns, strict=True)
    return {n: None if labels is None else np.array(labels, dtype=object) for n, labels in pairs}


def columns_of(named: Mapping[str, np.ndarray | None]) -> tuple[Columns, ...]:
    """Undo :func:`named_columns`."""
    return tuple(None if names is None else tuple(names) for names in named.values())
