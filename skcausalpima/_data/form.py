"""The form in which samples came: results go back in the same one.

pandas, polars and xarray are imported only where what came is theirs: their types are known by the
package that they are in.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias, cast

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils._set_output import _get_output_config

from .._typing import Unchecked, Values
from .arrays import flat_rows
from .foreign import column_levels
from .multimodal_data import MultimodalData
from .on_disk import Kept
from .recipes import Place
from .table_labels import Columns

#: Results in the form in which samples came: arrays or tables, in a list, by name, or one alone.
Decoded: TypeAlias = Any

#: What holds the modalities. "several" is a list, "levels" a DataFrame with two of them.
CONTAINERS = ("several", "mapping", "container", "levels", "dataset", "single")

#: What a modality may be, and the package that makes it.
KINDS = {
    "array": "numpy",
    "vector": "numpy",
    "frame": "pandas",
    "series": "pandas",
    "polars": "polars",
    "xarray": "xarray",
}


@dataclass(frozen=True, eq=False)
class Table:
    """What one modality was, beside its numbers.

    Parameters
    ----------
    kind : str, default="array"
        One of ``KINDS``.
    dims : tuple of str, default=()
        Names of the axes of a DataArray, that of the samples first.
    labels : dict of str to ndarray, default={}
        What stands along the axes, by name; along the "columns" of a frame, and their "places"
        among those of a frame of two levels.
    """

    kind: str = "array"
    dims: tuple[str, ...] = ()
    labels: Mapping[str, np.ndarray] = field(default_factory=dict)

    @classmethod
    def of(cls, value: Unchecked) -> Table:
        """Return what a modality is."""
        given: Any = value
        package = type(value).__module__.partition(".")[0]
        if package == "xarray":
            dims = tuple(map(str, given.dims))
            return cls("xarray", dims, {d: given[d].values for d in dims if d in given.coords})
        if package == "polars":
            return cls("polars", labels={"columns": np.array(given.columns, dtype=object)})
        if not hasattr(value, "iloc"):
            return cls("vector" if _is_flat(value) else "array")
        if hasattr(value, "columns"):
            return cls("frame", labels={"columns": np.asarray(given.columns)})
        return cls("series", labels={"columns": np.array([given.name], dtype=object)})

    @classmethod
    def from_dict(cls, plain: Values) -> Table:
        """Undo :meth:`as_dict`."""
        return cls(plain["kind"], tuple(plain["dims"]), plain["labels"])

    def as_dict(self) -> Values:
        """Return it as plain data, without what stands along the samples."""
        axes = {name: labels for name, labels in self.labels.items() if name not in self.dims[:1]}
        plain = {name: _plain_labels(labels) for name, labels in axes.items()}
        return {
            "kind": self.kind,
            "dims": list(self.dims),
            "labels": {name: labels for name, labels in plain.items() if labels is not None},
        }

    def write(self, array: np.ndarray, rows: Unchecked = None) -> Unchecked:
        """Return an array of shape (n_samples, ...) as what the modality was."""
        if KINDS[self.kind] == "numpy":
            return array[:, 0] if self.kind == "vector" else array
        library: Any = importlib.import_module(KINDS[self.kind])
        if self.kind == "xarray":
            return library.DataArray(array, dims=self.dims, coords=dict(self.labels))
        columns = self.labels.get("columns")
        if self.kind == "polars":
            return library.DataFrame(array, schema=None if columns is None else columns.tolist())
        table = library.DataFrame(flat_rows(array), columns=columns, index=rows)
        return table.iloc[:, 0] if self.kind == "series" else table


@dataclass(frozen=True, eq=False)
class Form:
    """The form in which samples came.

    Parameters
    ----------
    container : str
        One of ``CONTAINERS``.
    names : tuple of str
        Names of the modalities.
    tables : tuple of Table
        What each of them was.
    columns : tuple of (tuple of str or None)
        Names of their columns, which a container keeps.
    rows : pandas.Index, default=None
        Names of the samples.
    """

    container: str
    names: tuple[str, ...]
    tables: tuple[Table, ...]
    columns: tuple[Columns, ...]
    rows: Unchecked = None

    @classmethod
    def of(cls, X: Unchecked, data: MultimodalData, container: str) -> Form:
        """Return the form of X, which has been read as ``data``."""
        parts: list = [X]
        if container == "container" or type(X).__module__.startswith("numpy."):  # files of arrays
            parts = list(data.arrays)
        elif container != "single":
            parts = modality_parts(X, data.names)
        indexes = [part.index for part in parts if hasattr(part, "iloc")]
        rows = indexes[0] if indexes else None
        tables = list(map(Table.of, parts))
        if container == "levels":
            frame: Any = X
            first = frame.columns.get_level_values(0)
            places = [{"places": np.flatnonzero(first == name)} for name in data.names]
            pairs = zip(tables, places, strict=True)
            tables = [replace(of, labels={**of.labels, **at}) for of, at in pairs]
        return cls(container, data.names, tuple(tables), data._columns, rows)

    def completed(self, fitted: Form, arrays: Sequence[Kept | None]) -> Form:
        """Return the form with what ``fit`` knew of modalities that are missing here.

        Raises
        ------
        ValueError
            If the axes of DataArrays are not those of ``fit``.
        """
        given = zip(self.tables, fitted.tables, arrays, strict=True)
        tables = tuple(of if array is not None else before for of, before, array in given)
        check_axes_of_fit(self.names, tables, fitted.tables)
        return replace(self, tables=tables)

    def write(self, arrays: Sequence[np.ndarray]) -> Decoded:
        """Return modalities of as many samples in this form."""
        pieces = [self.write_one(k, array) for k, array in enumerate(arrays)]
        if self.container in ("several", "single"):
            return pieces if self.container == "several" else pieces[0]
        named: dict[str, Any] = dict(zip(self.names, pieces, strict=True))
        if self.container == "container":
            return MultimodalData(named)._with_columns(self.columns)
        if self.container == "levels":
            places = np.concatenate([table.labels["places"] for table in self.tables])
            joined: Any = importlib.import_module("pandas").concat(named, axis=1)
            return joined.iloc[:, places.argsort()]
        is_dataset = self.container == "dataset"
        return importlib.import_module("xarray").Dataset(named) if is_dataset else named

    def transformed(self, table: np.ndarray, estimator: BaseEstimator) -> np.ndarray:
        """Return a table with the names of the samples where a DataFrame is to be made of it.

        scikit-learn, which makes it (``set_output``), knows the names in one frame alone.
        """
        if self.rows is None or _get_output_config("transform", estimator)["dense"] != "pandas":
            return table
        named: Any = importlib.import_module("pandas").DataFrame(table, index=self.rows)
        return named

    def place(self, k: int) -> Place:
        """Return where a modality stands in what came."""
        return Place(
            container=self.container,
            name=None if self.container == "single" else self.names[k],
            names=self.names,
            kind=self.tables[k].kind,
            columns=self.columns[k] if self.container == "container" else None,
        )

    def write_one(self, k: int, array: np.ndarray) -> Decoded:
        """Return one modality in this form."""
        return self.tables[k].write(array, self.rows)


def container_of(X: Unchecked) -> str:
    """Return what holds several modalities."""
    if isinstance(X, MultimodalData):
        return "container"
    if column_levels(X) == 2:
        return "levels"
    if isinstance(X, (list, tuple)):
        return "several"
    return "dataset" if type(X).__module__.startswith("xarray.") else "mapping"


def modality_parts(X: Any, names: Sequence[str]) -> list:
    """Return the modalities as they came, in the order of their names."""
    return list(X) if isinstance(X, (list, tuple)) else [X[name] for name in names]


def check_axes(X: Unchecked) -> None:
    """Check that all DataArrays begin with the same axis, that of the samples.

    Raises
    ------
    ValueError
        Says how to move the axis.
    """
    parts: dict[str, Any] = {}
    if isinstance(X, (list, tuple)):
        parts = {f"modality{k}": part for k, part in enumerate(X)}
    elif isinstance(X, dict) or container_of(X) == "dataset":
        parts = dict(cast("Mapping[str, Any]", X))
    named = [(name, Table.of(part)) for name, part in parts.items() if hasattr(part, "coords")]
    for name, other in named[1:]:
        first = named[0][1]
        if first.dims[0] != other.dims[0]:
            common = [dim for dim in first.dims if dim in other.dims]
            to_first = f"X.transpose({common[0]!r}, ...)" if common else "X.transpose(..)"
            raise ValueError(
                f"modality {name!r} begins with the axis {other.dims[0]!r}, but {named[0][0]!r} "
                f"with {first.dims[0]!r}: the first axis counts the samples. Use {to_first}."
            )
        if _differ(first, other, first.dims[0]):
            raise ValueError(
                f"modality {name!r} has other labels along {first.dims[0]!r} than "
                f"{named[0][0]!r}: a sample is one entry of each. Align them with xarray.align."
            )


def check_axes_of_fit(
    names: Sequence[str], tables: Sequence[Table], fitted: Sequence[Table]
) -> None:
    """Check that the axes of DataArrays are those of ``fit``, in their order.

    Raises
    ------
    ValueError
        Names the axis.
    """
    for name, now, before in zip(names, tables, fitted, strict=True):
        if now.kind != "xarray" or before.kind != "xarray":
            continue
        if now.dims[1:] != before.dims[1:]:
            wanted = ", ".join(map(repr, (now.dims[0], *before.dims[1:])))
            raise ValueError(
                f"modality {name!r} has the axes {now.dims}, but in fit it had {before.dims}: use "
                f"X.transpose({wanted})."
            )
        for dim in now.dims[1:]:
            if _differ(now, before, dim):
                raise ValueError(
                    f"modality {name!r} has other labels along {dim!r} than in fit: use "
                    f"X.sel or X.interp to take those of fit."
                )


def _differ(one: Table, other: Table, dim: str) -> bool:
    """Say whether two DataArrays have different labels along an axis."""
    if dim not in one.labels or dim not in other.labels:
        return False
    return not np.array_equal(one.labels[dim], other.labels[dim])


def _is_flat(value: Unchecked) -> bool:
    """Say whether an array-like has one axis."""
    if isinstance(value, (list, tuple)):
        return len(value) > 0 and np.ndim(value[0]) == 0
    return getattr(value, "ndim", None) == 1


def _plain_labels(labels: np.ndarray) -> np.ndarray | None:
    """Return labels that a file can hold: numbers or text; None for others."""
    if labels.dtype.kind in "biuf":
        return labels
    texts = labels.tolist()
    if all(isinstance(text, str) for text in texts):
        return np.array(texts, dtype=object)
    return None
