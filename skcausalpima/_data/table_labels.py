"""What names the rows and columns of DataFrames: the same rows together, the columns of ``fit``."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, cast

import numpy as np

from .._typing import Unchecked
from .._warnings import warn_caller

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


def split_columns(columns: Columns, shapes: Sequence[tuple[int, ...]]) -> list[Columns]:
    """Cut the names of a flat table's columns into those of its modalities."""
    if columns is None:
        return [None] * len(shapes)
    ends = np.cumsum([math.prod(shape) for shape in shapes]).tolist()
    return [columns[start:end] for start, end in zip([0, *ends], ends, strict=False)]


def check_columns(
    columns: Sequence[Columns],
    fitted: Sequence[Sequence[str] | None],
    names: Sequence[str],
    shapes: Sequence[tuple[int, ...] | None],
    *,
    warn: bool = True,
) -> None:
    """Check that columns are those of ``fit``, in their order.

    Parameters
    ----------
    columns, fitted : sequence of (tuple of str or None)
        Names of the columns of each modality, now and in ``fit``.
    names : sequence of str
        Names of the modalities.
    shapes : sequence of (tuple of int or None)
        Shape of a sample of each, as in ``fit``; None where it is missing.
    warn : bool, default=True
        Whether to warn where only one of the two has names.
    """
    for name, now, before, shape in zip(names, columns, fitted, shapes, strict=True):
        if shape is None:
            continue
        numbers = numbered_columns(math.prod(shape))
        one, other = now or numbers, tuple(before or numbers)
        if one == other:
            continue
        if sorted(one) == sorted(other):
            place = next(k for k in range(len(one)) if one[k] != other[k])
            ordered = f"model.modality_feature_names_in_[{name!r}]"
            ordered = ordered if before else f"list(range({len(other)}))"
            raise ValueError(
                f"modality {name!r} has its columns in another order than in fit: column {place} "
                f"is {one[place]!r}, but was {other[place]!r}. Put them in order: "
                f"frame[{ordered}]."
            )
        if now and before:
            raise ValueError(
                f"modality {name!r} has other columns than in fit: it has the columns "
                f"{_listed(one, other)} that fit has not seen, and lacks {_listed(other, one)}."
            )
        if warn:
            has, had = ("names", "none") if now else ("no names", "some")
            warn_caller(
                f"modality {name!r} has {has} of columns, but in fit it had {had}: that they are "
                "the same columns in the same order cannot be checked.",
            )


def _listed(some: Sequence[str], others: Sequence[str]) -> list[str]:
    """Return the first names that are not among the others."""
    return sorted(set(some) - set(others))[:5]


def common_columns(columns: Sequence[Columns], name: str) -> Columns:
    """Return the columns that the parts of a modality share; None are any."""
    found = list(dict.fromkeys(names for names in columns if names is not None))
    if len(found) > 1:
        raise ValueError(
            f"modality {name!r} has other columns, or columns in another order, in some parts: "
            f"{list(found[0])[:5]} and {list(found[1])[:5]}."
        )
    return found[0] if found else None


def named_columns(names: Sequence[str], columns: Sequence[Columns]) -> dict[str, np.ndarray | None]:
    """Return the names of the columns by modality, None where nothing names them."""
    pairs = zip(names, columns, strict=True)
    return {n: None if of is None else np.array(of, dtype=object) for n, of in pairs}


def columns_of(named: Mapping[str, np.ndarray | None]) -> tuple[Columns, ...]:
    """Undo :func:`named_columns`."""
    return tuple(None if names is None else tuple(names) for names in named.values())
