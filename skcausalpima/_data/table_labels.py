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
        _check_index(index, indexes[first], f"modality {name!r}", repr(first))


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
            _check_index(cast("pd.DataFrame", part).index, rows, what, "X")


def is_numbered(index: pd.Index) -> bool:
    """Return whether an index counts the rows from 0, as that of a frame without names does."""
    counted = isinstance(getattr(index, "start", None), int)  # a RangeIndex
    return counted and index.equals(type(index)(len(index)))


def refuse_repeated(index: pd.Index, what: str) -> None:
    """Raise where a sample stands more than once in an index."""
    repeated = index[index.duplicated()].unique()
    if len(repeated):
        more = f" (and {len(repeated) - 1} more)" if len(repeated) > 1 else ""
        raise ValueError(
            f"the sample {repeated.tolist()[0]!r}{more} stands more than once in {what}: a sample "
            "is one row of each. Keep one row of it, as by frame[~frame.index.duplicated()], or "
            "the mean, by frame.groupby(level=0).mean()."
        )


def _check_index(index: pd.Index, expected: pd.Index, what: str, other: str) -> None:
    """Raise where a table has other rows than another, or the same in another order."""
    if index.equals(expected):
        return
    refuse_repeated(index, what)
    refuse_repeated(expected, other)
    strange = index.difference(expected, sort=False).tolist()
    lacking = expected.difference(index, sort=False).tolist()
    difference = f"has the rows of {other} in another order"
    if strange:
        difference = f"has other rows than {other}, such as {strange[0]!r}"
    elif lacking:
        difference = f"lacks rows of {other}, such as {lacking[0]!r}"
    if n := abs(len(index) - len(expected)):
        word = "longer" if len(index) > len(expected) else "shorter"
        difference += f", and is {word} by {n} row{'s' if n > 1 else ''}"
    if other != "X":
        remedy = _remedy(index, expected, bool(strange or lacking))
    else:
        call = "reindex(X.index)" if lacking else "loc[X.index]"
        remedy = f"Align it with {what}.{call}, or pass arrays if rows go together."
    raise ValueError(f"{what} {difference}: a sample is one row of each. {remedy}")


def _remedy(index: pd.Index, expected: pd.Index, is_unlike: bool) -> str:
    """Say what to do about two modalities whose indexes differ."""
    as_they_are = (
        ", or frame.reset_index(drop=True) on each if rows go together as they are"
        if len(index) == len(expected)
        else ""
    )
    if not is_unlike:
        return f"Use frame.loc[other.index], or MultimodalData.align(frames){as_they_are}."
    names = "Their rows have numbers, not names: use frame.set_index(column) first. "
    return (
        f"{names if is_numbered(index) and is_numbered(expected) else ''}"
        "MultimodalData.align(frames, how='inner') takes the samples that all have, and "
        f"how='outer' all samples, with rows of NaN{as_they_are}."
    )


def common_index(indexes: Sequence[pd.Index | None]) -> pd.Index | None:
    """Return the names of samples that stand one after another; None where some have none."""
    first, *others = indexes
    named = [index for index in others if index is not None]
    return None if first is None or len(named) < len(others) else first.append(named)


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
