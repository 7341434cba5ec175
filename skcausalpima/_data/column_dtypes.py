"""What frames say of their columns: words, booleans or numbers, and columns of these dtypes again.

A dtype is remembered by its name, so that a file can hold it; pandas, polars and pyarrow are
imported only to write what came as theirs.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from .._base.types import Unchecked
from .recipes import is_of

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

    #: A table of either library, or a column of one.
    Frame: TypeAlias = pd.DataFrame | pd.Series | pl.DataFrame


#: A value of a category, as a file can hold it.
Level: TypeAlias = str | int | float | bool

_is_polars = is_of("polars", "DataFrame")
_is_arrow, _is_string = is_of("pandas", "ArrowDtype"), is_of("pandas", "StringDtype")


@dataclass(frozen=True)
class ColumnDtype:
    """The dtype of a column.

    Parameters
    ----------
    name : str
        What makes the dtype again; NumPy's name for those of arrays.
    categories : tuple of (str, int, float or bool), default=None
        All that a categorical dtype declares, in order; None for others. Those of other types,
        such as intervals, are their texts.
    is_ordered : bool, default=False
        Whether their order means something.
    """

    name: str
    categories: tuple[Level, ...] | None = None
    is_ordered: bool = False

    def as_list(self) -> list:
        """Return it as plain data."""
        categories = None if self.categories is None else list(self.categories)
        return [self.name, categories, self.is_ordered]

    @classmethod
    def from_list(cls, name: str, categories: list[Level] | None, is_ordered: bool) -> ColumnDtype:
        """Undo :meth:`as_list`; raise a ValueError where it is no such data."""
        kept = None if categories is None else tuple(categories)
        if type(name) is not str or type(is_ordered) is not bool or not are_levels(kept or ()):
            raise ValueError(f"it has a column of the dtype {name!r:.50}")
        return cls(name, kept, is_ordered)

    @property
    def whole_name(self) -> str | None:
        """NumPy's name of a dtype of whole numbers; None for all others."""
        match = re.fullmatch(r"(?:arrow:)?(u?int\d+)", self.name.lower())
        return None if match is None else match.group(1)

    @property
    def states_order(self) -> bool:
        """Whether the order of its categories is the user's, not that of their spelling."""
        return self.is_ordered or self.name == "Enum"

    @property
    def is_float(self) -> bool:
        """Whether it is one of floats."""
        return re.fullmatch(r"(arrow:)?(float\d*|double)", self.name.lower()) is not None


@dataclass(frozen=True)
class Declared:
    """What a frame says of a column: its dtype, and the likelihood that goes with it."""

    dtype: ColumnDtype
    word: str


#: What a frame says of each of its columns; None where all of them are numbers.
Dtypes: TypeAlias = tuple[Declared, ...] | None


def plain_level(value: Unchecked) -> Level:
    """Return a value of a category as plain Python; as text, if it is of another type."""
    value = value.item() if isinstance(value, np.generic) else value
    return value if isinstance(value, (str, int, float, bool)) else str(value)


def are_levels(values: Iterable[Unchecked]) -> bool:
    """Return whether values are what a file can hold."""
    return all(type(value) in (str, int, float, bool) for value in values)


def declared(frame: Unchecked) -> Dtypes:
    """Return what a frame, or a Series, says of its columns; None where it is none, too.

    Examples
    --------
    >>> import pandas as pd
    >>> from skcausalpima._data.column_dtypes import declared
    >>> frame = pd.DataFrame({"kind": ["a", "b"], "size": [1.0, 2.0]})
    >>> [of.word for of in declared(frame)]
    ['categorical', 'gaussian']
    """
    table: Any = frame
    if _is_polars(table):
        dtypes = [_of_polars(dtype) for dtype in table.dtypes]
    elif not hasattr(table, "iloc") or getattr(getattr(table, "columns", None), "nlevels", 1) > 1:
        return None
    elif hasattr(table, "columns"):
        if all(isinstance(dtype, np.dtype) and dtype.kind in "iuf" for dtype in table.dtypes):
            return None
        dtypes = [_of_pandas(table.iloc[:, k], dtype) for k, dtype in enumerate(table.dtypes)]
    else:
        dtypes = [_of_pandas(table, table.dtype)]
    return None if all(dtype.word == "gaussian" for dtype in dtypes) else tuple(dtypes)


def has_words(dtypes: Dtypes) -> bool:
    """Return whether a frame has cells that are no numbers, so that an array holds objects."""
    return any(dtype.word in ("categorical", "ordinal") for dtype in dtypes or ())


def cells_of(frame: Frame) -> np.ndarray:
    """Return a frame of any columns as an array of objects."""
    if _is_polars(frame):
        cells = np.empty(frame.shape, dtype=object)
        for k, name in enumerate(frame.columns):
            cells[:, k] = frame[name].to_list()
        return cells
    return np.asarray(frame, dtype=object)


def common_dtypes(dtypes: Iterable[Dtypes], name: str) -> Dtypes:
    """Return what the parts of a modality say of its columns."""
    different = list(dict.fromkeys(dtypes))
    if len(different) > 1:
        raise ValueError(
            f"modality {name!r} has columns of other dtypes, or other categories, in some parts: "
            "give them the same first, as by frame.astype(other.dtypes)."
        )
    return different[0] if different else None


def _of_pandas(column: pd.Series, dtype: Any) -> Declared:
    """Return what a Series says of itself."""
    kind, name = getattr(dtype, "kind", "O"), str(dtype)
    if hasattr(dtype, "categories") and hasattr(dtype, "ordered"):
        categories = tuple(map(plain_level, dtype.categories))
        word = "ordinal" if dtype.ordered else "categorical"
        return Declared(ColumnDtype("category", categories, bool(dtype.ordered)), word)
    word = "bernoulli" if kind == "b" else "gaussian"
    if _is_arrow(dtype):
        name = "arrow:" + name.removesuffix("[pyarrow]")
        is_text = "string" in name or name.startswith("arrow:dictionary")
        word = "categorical" if is_text else word
    elif _is_string(dtype):
        name = name if name == "str" else f"string[{dtype.storage}]"
        word = "categorical"
    elif kind == "O" and isinstance(dtype, np.dtype):
        held = importlib.import_module("pandas").api.types.infer_dtype(column, skipna=True)
        word = {"string": "categorical", "boolean": "bernoulli"}.get(held, "gaussian")
    return Declared(ColumnDtype(name), word)


def _of_polars(dtype: Any) -> Declared:
    """Return what a polars dtype says of its column."""
    name = str(dtype).partition("(")[0]
    if name == "Enum":
        return Declared(ColumnDtype(name, tuple(dtype.categories.to_list())), "categorical")
    words = {"Boolean": "bernoulli", "String": "categorical", "Categorical": "categorical"}
    return Declared(ColumnDtype(name), words.get(name, "gaussian"))


def pandas_column(
    values: np.ndarray, dtype: ColumnDtype | None, rows: pd.Index | None
) -> pd.Series:
    """Return values as a Series of a dtype; None leaves them as they are."""
    pandas = importlib.import_module("pandas")
    if dtype is None:
        return pandas.Series(values, index=rows)
    if dtype.categories is not None:
        values = pandas.Categorical(values, list(dtype.categories), dtype.is_ordered)
    series = pandas.Series(values, index=rows, dtype=getattr(values, "dtype", None))
    if dtype.categories is not None:
        return series
    if dtype.name.startswith("arrow:"):
        return series.astype(pandas.ArrowDtype(_arrow_type(dtype.name.removeprefix("arrow:"))))
    has_no_gaps = re.fullmatch(r"u?int\d+|bool", dtype.name) is not None
    return series if has_no_gaps and series.isna().any() else series.astype(dtype.name)


def _arrow_type(alias: str) -> pa.DataType:
    """Return the type of Arrow that a name stands for; dictionaries are those of strings."""
    arrow = importlib.import_module("pyarrow")
    if alias.startswith("dictionary"):
        return arrow.dictionary(arrow.int32(), arrow.string())
    return arrow.type_for_alias(alias)


def has_gaps(values: np.ndarray) -> bool:
    """Return whether values (n,) that were decoded are missing in part."""
    return bool((values != values).any() or (values == np.array(None)).any())


def polars_column(name: str, values: np.ndarray, dtype: ColumnDtype | None) -> pl.Series:
    """Return values as a column of a polars frame; without a dtype they are as they are."""
    polars = importlib.import_module("polars")
    if dtype is None:
        return polars.Series(name, values)
    kind = getattr(polars, dtype.name)
    kind = kind(list(dtype.categories)) if dtype.categories is not None else kind
    return polars.Series(name, values.tolist(), dtype=kind)


def array_of(
    columns: Sequence[np.ndarray], dtypes: Sequence[ColumnDtype], shape: tuple[int, ...]
) -> np.ndarray:
    """Return columns as one array of samples of a shape: of objects, if they are not all numbers.

    They have the dtype that all of them had as one array.
    """
    are_numbers = all(column.dtype.kind in "buif" for column in columns)
    dtype = np.result_type(*columns) if are_numbers else np.dtype(object)
    stacked = np.stack([column.astype(dtype) for column in columns], axis=1)
    names = {column_dtype.name for column_dtype in dtypes}
    is_one = len(names) == 1 and re.fullmatch(r"(u?int|float|str)\d+|bool", name := names.pop())
    if is_one and (name.startswith("float") or not any(map(has_gaps, columns))):
        stacked = stacked.astype(str if name.startswith("str") else name)
    return stacked.reshape(len(stacked), *shape)
