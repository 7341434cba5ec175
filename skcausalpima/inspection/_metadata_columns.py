"""Columns of metadata: categories, or numbers."""

from __future__ import annotations

import datetime
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from numbers import Real
from typing import TYPE_CHECKING, TypeAlias, cast

import numpy as np
from numpy.typing import ArrayLike

from .._base.scalar_checks import is_missing
from .._data.adapters import adapter_of
from .._data.arrays import beyond_floats, without_gradients
from .._data.recipes import is_mapping

if TYPE_CHECKING:
    import pandas as pd

#: Columns: a DataFrame, a mapping, or a table.
Metadata: TypeAlias = Mapping[Hashable, ArrayLike] | ArrayLike
#: More different integers are numbers, as in pictures.
MAX_CATEGORIES = 64
#: Dates and times, and what else has them.
TIMES = (datetime.date, datetime.time, datetime.timedelta, np.datetime64, np.timedelta64)
OF_TIMES = ("isoformat", "total_seconds", "asfreq")


def named_columns(metadata: Metadata) -> tuple[list[Hashable], list[ArrayLike]]:
    """Return names and columns of a mapping, a DataFrame or an array."""
    if not is_mapping(metadata):
        adapter_of(metadata, "metadata")
    if isinstance(metadata, Mapping):
        names, columns = list(metadata), list(metadata.values())
    elif hasattr(metadata, "columns"):
        frame = cast("pd.DataFrame", metadata)
        names = list(frame.columns)
        if len(set(names)) < len(names):
            raise ValueError(f"The columns of metadata must have different names, got {names}.")
        columns = [frame[name] for name in names]
    else:
        # Objects, since NumPy would turn a NaN between strings into a string.
        array = metadata if isinstance(metadata, np.ndarray) else _objects(metadata, "metadata")
        if array.ndim != 2:
            raise ValueError(
                "metadata must be a DataFrame, a mapping from names to columns, or an array of "
                f"shape (n_samples, n_columns), got shape {array.shape}; reshape(-1, 1) makes a "
                "column."
            )
        names, columns = [f"x{k}" for k in range(array.shape[1])], list(array.T)
    if not names:
        raise ValueError("metadata has no columns.")
    return names, columns


def _objects(values: ArrayLike, what: str) -> np.ndarray:
    """Return values as an array of objects."""
    try:
        return np.array(without_gradients(values, what), dtype=object)
    except (TypeError, ValueError) as error:
        raise TypeError(f"{what} cannot be read as an array: {error}") from error


def read_metadata(metadata: Metadata, n_samples: int) -> dict[Hashable, np.ndarray]:
    """Return what :func:`read_column` does of every column."""
    pairs = zip(*named_columns(metadata), strict=True)
    return {name: read_column(_called(name), column, n_samples) for name, column in pairs}


def read_column(what: str, column: ArrayLike, n_samples: int) -> np.ndarray:
    """Return numbers, NaN where missing, or integers for categories, -1 where missing.

    Categories are numbered in the order in which they first come; ``what`` is the column's name in
    messages.
    """
    values, known = _checked(what, column, n_samples)
    present = values[known].tolist()
    numbers = {value: code for code, value in enumerate(dict.fromkeys(present))}
    if not _are_numbers(what, numbers):
        codes = np.full(n_samples, -1)
        codes[known] = [numbers[value] for value in present]
        return codes
    return _as_floats(what, values, known)


def read_groups(
    by: ArrayLike, n_samples: int, names: Sequence[str]
) -> tuple[np.ndarray, tuple[Hashable, ...]]:
    """Return the number of each sample's group, -1 where it has none, and the groups.

    Raises
    ------
    ValueError
        If there are no two groups, or nearly as many as samples, or labels are numbers.
    """
    if isinstance(by, str):
        what = "a node of the fit, whose tables are compared" if by in names else "one word"
        raise ValueError(
            f"by={by!r} is {what}: expected the group of each sample, an array of shape "
            f"({n_samples},), that is known by other means than this fit."
        )
    codes = read_column("by", by, n_samples)
    n_groups = len(np.unique(codes[codes >= 0]))
    if codes.dtype.kind == "f" or n_groups > MAX_CATEGORIES:
        raise ValueError(
            f"by holds {n_groups} different numbers or words: expected at most {MAX_CATEGORIES} "
            "groups. associate_nodes compares nodes with numbers; numpy.digitize makes groups."
        )
    if n_groups < 2:
        raise ValueError(f"by has {n_groups} group(s): expected two or more to be compared.")
    values = np.asarray(by).tolist()
    return codes, tuple(values[np.flatnonzero(codes == k)[0]] for k in range(n_groups))


def columns_of_numbers(metadata: Metadata, n_samples: int) -> dict[Hashable, np.ndarray]:
    """Return columns of metadata, all of which must hold numbers; NaN where they are missing."""
    columns = {}
    for name, column in zip(*named_columns(metadata), strict=True):
        values, known = _checked(_called(name), column, n_samples)
        words = [value for value in values[known].tolist() if not isinstance(value, Real)]
        if words:
            raise TypeError(
                f"{_called(name)} must hold numbers, got {words[0]!r:.50}. associate_nodes "
                "compares nodes with categories; pandas.to_numeric(column) reads numbers that "
                "are texts."
            )
        columns[name] = _as_floats(_called(name), values, known)
        _refuse_infinite(_called(name), columns[name])
    return columns


def _called(name: Hashable) -> str:
    """Return what a column is called in messages."""
    return f"Column {name!r} of metadata"


def _checked(what: str, column: ArrayLike, n_samples: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the entries of a column as objects, and which are not missing."""
    if isinstance(column, np.ma.MaskedArray):
        column = np.where(np.ma.getmaskarray(column), np.array(None), column.data)
    values = _objects(column, what)
    if values.shape != (n_samples,):
        raise ValueError(
            f"{what} must have shape ({n_samples},), one entry per sample of X, got {values.shape}."
        )
    known = np.array([not is_missing(value) for value in values], dtype=bool)
    present = values[known].tolist()
    _refuse_dates(what, getattr(getattr(column, "dtype", None), "kind", "O"), present)
    for value in present:
        if not isinstance(value, Hashable):
            raise TypeError(f"{what} must hold categories or numbers, got {value!r:.100}.")
    return values, known


def _as_floats(what: str, values: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Return numbers, NaN where they are not known."""
    floats = np.full(len(values), np.nan)
    try:
        floats[known] = values[known].astype(np.float64)
    except OverflowError as error:
        raise ValueError(beyond_floats(what, error)) from error
    return floats


def _refuse_dates(what: str, kind: str, values: Sequence) -> None:
    """Raise where a column, of this kind of dtype, holds times."""
    odd = (v for v in values if isinstance(v, TIMES) or any(hasattr(v, name) for name in OF_TIMES))
    first_date = next(odd, None)
    if kind in "mM" or first_date is not None:
        raise ValueError(
            f"{what} holds dates or times ({values[0] if first_date is None else first_date}): "
            "pass a number instead, such as the days since the first, "
            "(column - column.min()).dt.days, or column.dt.total_seconds() of durations, or a "
            "category, such as column.dt.month."
        )


def _are_numbers(what: str, values: Collection) -> bool:
    """Return whether the different values of a column are numbers, not names of categories."""
    if not all(
        isinstance(value, Real) and not isinstance(value, (bool, np.bool_)) for value in values
    ):
        odd = [v for v in values if isinstance(v, Real) and v % 1 != 0]
        if odd:
            raise ValueError(
                f"{what} must hold categories or numbers, got words and the number {odd[0]}: make "
                "numbers of all, as by pandas.to_numeric(column, errors='coerce'), or texts, as by "
                "column.astype(str)."
            )
        return False
    _refuse_infinite(what, values)
    return len(values) > MAX_CATEGORIES or any(value % 1 != 0 for value in values)


def _refuse_infinite(what: str, values: Iterable) -> None:
    """Raise where a number of a column is infinite."""
    if infinite := [value for value in values if value in (np.inf, -np.inf)]:
        raise ValueError(
            f"{what} holds {infinite[0]}: expected finite numbers, and NaN where one is missing."
        )
