"""The forms that one array may have: a table of adapters, and the error for everything else.

A form is known by what it has, or by the package and the name of its type: pandas, polars, xarray,
h5py and zarr are imported only to write what came as theirs.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Number
from types import EllipsisType
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse
from sklearn.utils import check_array

from .._base.arithmetic import adding_anything, working_in
from .._base.types import Unchecked, Values
from .arrays import (
    beyond_floats,
    dense,
    flat_rows,
    refuse_ragged,
    refuse_sparse,
    table_cells,
    without_gradients,
    without_mask,
)
from .column_dtypes import (
    Dtypes,
    array_of,
    cells_of,
    declared,
    has_words,
    pandas_column,
    polars_column,
)
from .column_kinds import ColumnTable
from .element_axes import (
    ElementAxes,
    axes_of_data_array,
    axes_of_frame,
    axes_of_plain,
    plain_axes,
)
from .recipes import RECIPES, describe, is_of
from .table_labels import Columns, numbered_columns

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import xarray as xr

    from .column_dtypes import Frame


@dataclass(frozen=True, kw_only=True)
class Adapter:
    """One form of an array.

    Parameters
    ----------
    words : str
        What a user calls it.
    recognize : callable of a value, returning bool
        Asked in the order of the table.
    read : callable of a value and of what to call it in messages
        Returns what NumPy takes for an array.
    note : callable of a value, returning a dict, default=None
        The fields of :class:`Table` that ``write`` needs.
    write : callable of an array and a Table, default=None
        Returns what came. With None the array itself is returned.
    """

    words: str
    recognize: Callable[[Unchecked], bool]
    read: Callable[[Any, str], Any] = lambda value, what: value
    note: Callable[[Any], Values] = lambda value: {}
    write: Callable[[np.ndarray, Table], Any] | None = None


@dataclass(frozen=True, eq=False)
class Table:
    """What one modality was, beside its numbers.

    Parameters
    ----------
    kind : str, default="array"
        Which of ``ADAPTERS`` writes it.
    dims : tuple of str, default=()
        Names of the axes of a DataArray, that of the samples first.
    labels : dict of str to ndarray, default={}
        What stands along the axes, by name; along the "columns" of a frame, and their "places"
        among those of a frame of two "levels", which may have names, too.
    rows : pandas.Index, default=None
        Names of the samples.
    dtypes : tuple of Declared, default=None
        What a frame says of its columns; None where all are numbers.
    coding : ColumnTable, default=None
        How its columns became the elements of a fit; None where all are Gaussian.
    axes : tuple of (ElementAxis or None), default=()
        Where the elements of a sample lie, along each of its axes, if something says so.
    """

    kind: str = "array"
    dims: tuple[str, ...] = ()
    labels: Mapping[str, np.ndarray] = field(default_factory=dict)
    rows: pd.Index | None = None
    dtypes: Dtypes = None
    coding: ColumnTable | None = None
    axes: ElementAxes = ()

    @classmethod
    def of(cls, value: Unchecked) -> Table:
        """Return what a modality is."""
        writers = (
            (kind, candidate)
            for kind, candidate in ADAPTERS.items()
            if candidate.write and candidate.recognize(value)
        )
        kind, adapter = next(writers, ("array", ADAPTERS["array"]))
        return cls(kind, **adapter.note(value))

    @classmethod
    def from_dict(cls, plain: Values) -> Table:
        """Undo :meth:`as_dict`."""
        coding = ColumnTable.from_dict(plain["coding"]) if "coding" in plain else None
        axes = axes_of_plain(plain.get("axes", ()))
        return cls(plain["kind"], tuple(plain["dims"]), plain["labels"], coding=coding, axes=axes)

    def as_dict(self) -> Values:
        """Return it as plain data, without what stands along the samples."""
        axes = {name: labels for name, labels in self.labels.items() if name not in self.dims[:1]}
        plain = {name: _plain_labels(labels) for name, labels in axes.items()}
        labels = {name: entries for name, entries in plain.items() if entries is not None}
        coding = {} if self.coding is None else {"coding": self.coding.as_dict()}
        further = coding | ({"axes": plain_axes(self.axes)} if self.axes else {})
        return {"kind": self.kind, "dims": list(self.dims), "labels": labels, **further}

    @property
    def columns(self) -> Columns:
        """Names of its columns; None where there are none, or only numbers."""
        names = self.labels.get("columns")
        if names is None or (self.kind == "series" and names[0] is None):
            return None
        texts = tuple(map(str, names))
        return None if texts == numbered_columns(len(texts)) else texts

    def write(self, array: np.ndarray, what: str = "values") -> Unchecked:
        """Return an array of shape (n_samples, ...) as what the modality was.

        Where its columns were coded, that is their values, or else ("elements", "probabilities") a
        table of numbers.
        """
        coding, write = self.coding, ADAPTERS[self.kind].write
        if coding is not None and what != "values":
            names = coding.element_names
            if what == "probabilities":
                array, names = coding.probabilities(array)
            if self.kind not in WRITE_COLUMNS:
                return array
            kind = "frame" if self.kind == "series" else self.kind
            labels = {"columns": np.array(names, dtype=object)}
            return Table(kind, labels=labels, rows=self.rows).write(array)
        if coding is not None:
            columns = coding.decode(array)
            if self.kind in WRITE_COLUMNS:
                return WRITE_COLUMNS[self.kind](columns, self)
            array = array_of(columns, [column.dtype for column in coding.columns], coding.shape)
        return array if write is None else write(array, self)


def as_modality(value: Unchecked, name: str) -> np.ndarray:
    """Return a modality as an ndarray of at least two axes, without a copy where possible.

    Numbers along one axis are one column; a sparse array becomes a dense one.
    """
    what = f"modality {name!r}"
    array = as_array(dense(value, what) if sparse.issparse(value) else value, what)
    if array.ndim == 0:
        raise ValueError(
            f"{what} has shape (): expected (n_samples, ...), an array whose first axis counts "
            "the samples."
        )
    return array[:, None] if array.ndim == 1 else array


def as_array(value: Unchecked, what: str) -> np.ndarray:
    """Return an array-like as an ndarray, without a copy where possible; errors say ``what``."""
    plain = adapter_of(value, what).read(value, what)
    try:
        return np.asarray(plain)
    except OverflowError as error:
        raise ValueError(beyond_floats(what, error)) from error
    except (TypeError, ValueError, RuntimeError) as error:
        refuse_ragged(value, what)
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(f"{what} cannot be read as a NumPy array of numbers: {error}") from error


@working_in(adding_anything)
def as_points(array: ArrayLike, what: str, n_dims: int) -> np.ndarray:
    """Return latent points, (n_points, n_dims), as a table of floats; errors say ``what``."""
    array = as_array(array, what)
    try:
        points: np.ndarray = check_array(array, dtype=[np.float64, np.float32], input_name=what)
    except (OverflowError, TypeError, ValueError) as error:
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(f"{what} must be a table of finite numbers: {error}") from error
    if points.shape[1] != n_dims:
        expected = f"but the latent space has {n_dims} dimensions"
        raise ValueError(f"{what} has {points.shape[1]} columns, {expected}.")
    return points


def adapter_of(value: Unchecked, what: str, expected: str = "") -> Adapter:
    """Return the adapter of a value.

    Parameters
    ----------
    value : object
        Whatever a user passed.
    what : str
        What to call it in messages.
    expected : str, default=""
        What may stand there, for the message; an array by default.

    Raises
    ------
    TypeError
        If there is none. Lists the forms that there are, with a recipe that makes one of them of
        what the value is.
    ValueError
        If it is a DataFrame with several levels of columns.
    """
    recipe = next((recipe for matches, recipe in RECIPES if matches(value)), "")
    adapter = next(
        (candidate for candidate in ADAPTERS.values() if candidate.recognize(value)), None
    )
    if recipe or adapter is None:
        raise TypeError(
            f"{what} is {describe(value)}: expected {expected or accepted()}. Pass "
            f"{recipe or 'all of it, read into one array per modality'}."
        )
    if (levels := column_levels(value)) > 1:
        raise ValueError(
            f"{what} is a DataFrame with {levels} levels of columns: expected one here. As X, "
            "two levels (modality, element) are its modalities; MultimodalData.from_frame(frame) "
            "reads them anywhere."
        )
    return adapter


def accepted() -> str:
    """List the forms of an array."""
    return ", ".join(adapter.words for adapter in reversed(ADAPTERS.values()))


def column_levels(value: Unchecked) -> int:
    """Return the number of levels that the columns of a DataFrame have; 1 for anything else."""
    levels = getattr(getattr(value, "columns", None), "nlevels", 1)
    return levels if isinstance(levels, int) else 1


def _plain_labels(labels: np.ndarray) -> np.ndarray | None:
    """Return labels that a file can hold: numbers or text; None for others."""
    if labels.dtype.kind in "biuf":
        return labels
    texts = labels.tolist()
    is_text = all(isinstance(text, str) for text in texts)
    return np.array(texts, dtype=object) if is_text else None


# The table ----------------------------------------------------------------------------------------


def _is_array(value: Unchecked) -> bool:
    """Return True if NumPy reads a value without asking it for one entry after the other."""
    known = (Number, Sequence, type(None), EllipsisType)
    protocols = ("__array__", "__array_interface__", "__dlpack__")
    return isinstance(value, known) or any(hasattr(value, name) for name in protocols)


def _is_vector(value: Unchecked) -> bool:
    """Return True if an array-like has one axis."""
    if isinstance(value, (list, tuple)):
        first = value[0] if len(value) else ()
        return not isinstance(first, (list, tuple)) and getattr(first, "ndim", 0) == 0
    return (_is_array(value) or sparse.issparse(value)) and getattr(value, "ndim", None) == 1


def _write_frame(array: np.ndarray, table: Table) -> pd.DataFrame:
    pandas = importlib.import_module("pandas")
    return pandas.DataFrame(flat_rows(array), table.rows, table.labels.get("columns"))


def _note_frame(frame: Frame) -> Values:
    is_series = not hasattr(frame, "columns")
    names = np.array([frame.name], object) if is_series else np.asarray(frame.columns)
    rows = getattr(frame, "index", None)  # polars has none
    labels, axes = {"columns": names}, axes_of_frame(frame)
    return {"labels": labels, "rows": rows, "dtypes": declared(frame), "axes": axes}


def _note_axes(array: xr.DataArray) -> Values:
    dims = tuple(map(str, array.dims))
    labels = {d: array[d].values for d in dims if d in array.coords}
    return {"dims": dims, "labels": labels, "axes": axes_of_data_array(array)}


def _write_data_array(array: np.ndarray, table: Table) -> xr.DataArray:
    xarray = importlib.import_module("xarray")
    return xarray.DataArray(array, dims=table.dims, coords=dict(table.labels))


def _write_polars(array: np.ndarray, table: Table) -> pl.DataFrame:
    columns = table.labels.get("columns")
    schema = None if columns is None else columns.tolist()
    return importlib.import_module("polars").DataFrame(array, schema=schema)


def _write_pandas_columns(columns: Sequence[np.ndarray], table: Table) -> pd.DataFrame:
    pandas, coding = importlib.import_module("pandas"), cast("ColumnTable", table.coding)
    pairs = zip(columns, coding.columns, strict=True)
    back = [pandas_column(values, column.dtype_back, table.rows) for values, column in pairs]
    frame = pandas.concat(back, axis=1)
    names = table.labels.get("columns")
    frame.columns = [column.name for column in coding.columns] if names is None else names
    return frame


def _write_polars_columns(columns: Sequence[np.ndarray], table: Table) -> pl.DataFrame:
    pairs = zip(columns, cast("ColumnTable", table.coding).columns, strict=True)
    back = [polars_column(column.name, values, column.dtype_back) for values, column in pairs]
    return importlib.import_module("polars").DataFrame(back)


#: What makes frames of columns that are not all numbers.
WRITE_COLUMNS: dict[str, Callable[[Sequence[np.ndarray], Table], Frame]] = {
    "frame": _write_pandas_columns,
    "series": lambda columns, table: _write_pandas_columns(columns, table).iloc[:, 0],
    "polars": _write_polars_columns,
}


def _read_frame(frame: Frame, what: str) -> np.ndarray:
    """Return a frame as an array: of objects, where a column has words."""
    return cells_of(frame) if has_words(declared(frame)) else table_cells(frame, what)


ADAPTERS = {
    "sparse": Adapter(words="a SciPy sparse array", recognize=sparse.issparse, read=refuse_sparse),
    "tensor": Adapter(
        words="a torch tensor",
        recognize=lambda value: hasattr(value, "detach"),
        read=without_gradients,
    ),
    "xarray": Adapter(
        words="an xarray DataArray",
        recognize=is_of("xarray", "DataArray"),
        note=_note_axes,
        write=_write_data_array,
    ),
    "polars": Adapter(
        words="a polars DataFrame",
        recognize=is_of("polars", "DataFrame"),
        read=lambda frame, what: cells_of(frame) if has_words(declared(frame)) else frame,
        note=_note_frame,
        write=_write_polars,
    ),
    "frame": Adapter(
        words="a pandas DataFrame",
        recognize=lambda value: hasattr(value, "iloc") and hasattr(value, "columns"),
        read=_read_frame,
        note=_note_frame,
        write=_write_frame,
    ),
    "series": Adapter(
        words="a Series",
        recognize=lambda value: hasattr(value, "iloc"),
        note=_note_frame,
        write=lambda array, table: _write_frame(array, table).iloc[:, 0],
    ),
    "vector": Adapter(
        words="numbers along one axis",
        recognize=_is_vector,
        read=without_mask,
        write=lambda array, table: array[:, 0],
    ),
    "array": Adapter(
        words="a NumPy array, a list of samples, a memory map, a dataset of h5py or zarr",
        recognize=_is_array,
        read=without_mask,
    ),
}
