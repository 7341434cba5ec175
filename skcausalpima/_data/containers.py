"""The forms of samples: a table of what holds several modalities, and results in the same form."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from numbers import Number
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from sklearn.base import BaseEstimator

from .._base.scikit_learn import get_output_config
from .._base.types import Samples, Unchecked, Values
from .adapters import Table, accepted, adapter_of, column_levels
from .cell_contents import Address
from .contexts import ContextLabels
from .multimodal_data import MultimodalData
from .on_disk import Kept
from .recipes import describe, is_mapping, is_of
from .table_labels import Columns

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from .column_dtypes import Frame

#: Results in the form in which samples came: arrays or tables, in a list, by name, or one alone.
Decoded: TypeAlias = Any


@dataclass(frozen=True, kw_only=True)
class Container:
    """What holds the modalities of the same samples.

    Parameters
    ----------
    words : str
        What a user calls it.
    recognize : callable of a value, returning bool
        Asked in the order of the table.
    read : callable of a value
        Returns the modalities by name.
    note : callable of a value and the name of a modality, default=None
        Returns labels of the modality's :class:`Table` that ``write`` needs.
    write : callable of a dict and the Form, default=None
        Makes one of modalities by name, each of which is as it came. By default the dict itself.
    entries : callable of a value, returning a list of str, default=None
        Names of its modalities, and of labels of contexts beside them; None where it has no names.
    without : callable of a value and a list of names
        Returns it without these entries.
    beside : callable of what ``write`` made and a dict
        Returns it with labels of contexts by name.
    """

    words: str
    recognize: Callable[[Unchecked], bool]
    read: Callable[[Any], Values] = dict
    note: Callable[[Any, str], dict[str, np.ndarray]] = lambda value, name: {}
    write: Callable[[Values, Form], Decoded] = lambda named, form: named
    entries: Callable[[Any], list[str] | None] = lambda value: None
    without: Callable[[Any, Sequence[str]], Any] = lambda value, names: value
    beside: Callable[[Any, dict[str, np.ndarray]], Decoded] = lambda made, labels: made


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
    """

    container: str
    names: tuple[str, ...]
    tables: tuple[Table, ...]
    columns: tuple[Columns, ...]

    @property
    def rows(self) -> pd.Index | None:
        """Names of the samples, a pandas.Index, or None."""
        return next((table.rows for table in self.tables if table.rows is not None), None)

    def completed(self, fitted: Form, arrays: Sequence[Kept | None]) -> Form:
        """Return the form with what ``fit`` knew of modalities that are missing here."""
        rows, given = self.rows, zip(self.tables, fitted.tables, arrays, strict=True)
        tables = tuple(
            replace(before, rows=rows)
            if array is None
            else replace(table, coding=before.coding, axes=table.axes or before.axes)
            for table, before, array in given
        )
        return replace(self, tables=tables)

    def write(
        self,
        arrays: Sequence[np.ndarray],
        contexts: ContextLabels | None = None,
        what: str = "values",
    ) -> Decoded:
        """Return modalities of as many samples in this form, with labels that they have.

        ``what`` is as in :meth:`Table.write`.
        """
        pieces = [self.write_one(k, array, what) for k, array in enumerate(arrays)]
        container, form = CONTAINERS[self.container], self
        if what != "values":
            pairs = zip(self.tables, self.columns, strict=True)
            columns = tuple(names if table.coding is None else None for table, names in pairs)
            form = replace(self, columns=columns)
        made = container.write(dict(zip(self.names, pieces, strict=True)), form)
        labels = {} if contexts is None else contexts.entries()
        return container.beside(made, labels) if labels else made

    def write_one(self, k: int, array: np.ndarray, what: str = "values") -> Decoded:
        """Return one modality in this form."""
        return replace(self.tables[k], rows=self.rows).write(array, what)

    def write_found(
        self, moments: Sequence[Sequence[np.ndarray]], only: int | None, probabilities: bool
    ) -> tuple[Decoded, Decoded]:
        """Return means and standard deviations, of all modalities or of one alone."""
        means, deviations = moments
        what = "probabilities" if probabilities else "values"
        if only is not None:
            one = self.write_one(only, means[0], what)
            return one, self.write_one(only, deviations[0], "elements")
        return self.write(means, what=what), self.write(deviations, what="elements")

    def transformed(self, table: np.ndarray, estimator: BaseEstimator) -> np.ndarray:
        """Return a table with the names of the samples where a DataFrame is to be made of it.

        scikit-learn, which makes it (``set_output``), knows the names in one frame alone.
        """
        if self.rows is None or get_output_config("transform", estimator)["dense"] != "pandas":
            return table
        named: pd.DataFrame = importlib.import_module("pandas").DataFrame(table, index=self.rows)
        return named

    def address(self, k: int) -> Address:
        """Return where a modality stands in what came."""
        return Address(
            container=self.container,
            name=None if self.container == "single" else self.names[k],
            names=self.names,
            kind=self.tables[k].kind,
            columns=self.columns[k] if self.container == "container" else None,
        )


def container_of(X: Samples) -> str:
    """Return which of ``CONTAINERS`` X is.

    A list is one array, as scikit-learn takes it, unless an element has two axes, is a Series or
    None. A DataFrame with two levels of columns holds modalities.

    Raises
    ------
    TypeError
        Lists the forms that there are, if X has none of these.
    ValueError
        If X is empty, a number or None.
    """
    name = next(name for name, container in CONTAINERS.items() if container.recognize(X))
    if name == "single":
        several = [container.words for container in CONTAINERS.values()]
        adapter_of(X, "X", f"{', '.join(several[-2::-1])}, {several[-1]}: {accepted()}")
    if X is None or isinstance(X, (Number, np.generic)):
        raise ValueError(
            f"X is {X!r}. Expected 2D array, one row per sample, or one array per modality."
        )
    if isinstance(X, (list, tuple)) and len(X) == 0:
        raise ValueError("X is an empty list: pass one array per modality, or one array.")
    if isinstance(X, (list, tuple)) and isinstance(X[0], Mapping):
        raise TypeError(
            f"X is a list of {len(X)} mappings, one per sample: pass pandas.DataFrame(X) for a "
            "table, or one array per modality."
        )
    return name


def without_contexts(X: Samples, names: Sequence[str]) -> tuple[Samples, Values]:
    """Return X without its contexts, and their entries by name.

    Raises
    ------
    ValueError
        If X has no names, not all of these, or nothing besides.
    """
    if not names:
        return X, {}
    given: Any = X
    container = CONTAINERS[container_of(X)]
    known = container.entries(X)
    if known is None:
        raise ValueError(
            f"contexts={list(names)} are entries of X by name, but X is {describe(X)}, whose parts "
            "have no names: pass a mapping such as {'image': images, 'instrument': labels}, a "
            "MultimodalData, a DataFrame or an xarray Dataset."
        )
    for name in names:
        if name not in known:
            raise ValueError(
                f"contexts names {name!r}, but X has the entries {known}: pass the label of each "
                "sample under that name (after fit, None for one that is not known)."
            )
    if set(known) <= set(names):
        raise ValueError(f"X has nothing besides the contexts {list(names)}: pass modalities, too.")
    return container.without(X, names), {name: given[name] for name in names}


def is_modality(element: Unchecked) -> bool:
    """Return True if an element of a list is no row of numbers."""
    ndim = getattr(element, "ndim", None)
    return element is None or hasattr(element, "iloc") or (isinstance(ndim, int) and ndim >= 2)


# The table ----------------------------------------------------------------------------------------


def _write_levels(named: Values, form: Form) -> pd.DataFrame:
    """Return a DataFrame with two levels of columns, in the order in which they came."""
    labels = [table.labels for table in form.tables]
    joined = importlib.import_module("pandas").concat(named, axis=1)
    positions = np.concatenate([table_labels["places"] for table_labels in labels])
    if len(positions) == joined.shape[1]:  # else there are more than the columns that came
        joined = joined.iloc[:, positions.argsort()]
    joined.columns.names = labels[0].get("levels", [None, None])
    return joined


def _first_levels(X: pd.DataFrame) -> list[str]:
    """Return the names of the columns of a frame, of two levels the first ones."""
    return list(dict.fromkeys(name[0] if isinstance(name, tuple) else name for name in X.columns))


def _without_columns(X: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Return a frame without the columns of these names, or of these first levels."""
    first = (name[0] if isinstance(name, tuple) else name for name in X.columns)
    return X[[name for name, level in zip(X.columns, first, strict=True) if level not in names]]


def _with_columns(frame: Frame, labels: dict[str, np.ndarray]) -> Frame:
    """Return a frame with further columns."""
    if is_of("polars")(frame):
        series = importlib.import_module("polars").Series
        return frame.with_columns(
            [series(name, column.tolist()) for name, column in labels.items()]
        )
    rest = ("",) * (frame.columns.nlevels - 1)
    for name, values in labels.items():
        frame[(name, *rest) if rest else name] = values
    return frame


def _with_variables(data: xr.Dataset, labels: dict[str, np.ndarray]) -> xr.Dataset:
    """Return a Dataset with further variables along its first axis."""
    axis = next(iter(data.values())).dims[0]
    return data.assign({name: (axis, values) for name, values in labels.items()})


def _with_modalities(data: MultimodalData, labels: dict[str, np.ndarray]) -> MultimodalData:
    """Return data with further entries, which have no columns."""
    none = [None] * len(labels)
    columns, dtypes = [*data._columns, *none], [*data._frame_dtypes, *none]
    axes = [*data._axes, *[()] * len(labels)]
    made = MultimodalData(dict(data.items()) | labels)._with_columns(columns, dtypes, axes)
    return made._with_index(data.index)


CONTAINERS = {
    "levels": Container(
        words="a DataFrame with two levels of columns (modality, element)",
        recognize=lambda X: column_levels(X) == 2,
        read=lambda X: {name: X[name] for name in _first_levels(X)},
        note=lambda X, name: {
            "places": np.flatnonzero(X.columns.get_level_values(0) == name),
            "levels": np.array(X.columns.names, dtype=object),
        },
        write=_write_levels,
        entries=_first_levels,
        without=_without_columns,
        beside=_with_columns,
    ),
    "container": Container(
        words="a MultimodalData",
        recognize=lambda X: isinstance(X, MultimodalData),
        write=lambda named, form: (
            MultimodalData(named)
            ._with_columns(
                form.columns,
                [None if table.coding is None else table.coding.dtypes for table in form.tables],
                [table.axes for table in form.tables],
            )
            ._with_index(form.rows)
        ),
        entries=lambda X: list(X.names),
        without=lambda X, names: X[:, [name for name in X.names if name not in names]],
        beside=_with_modalities,
    ),
    "dataset": Container(
        words="an xarray Dataset",
        recognize=is_of("xarray", "Dataset"),
        write=lambda named, form: importlib.import_module("xarray").Dataset(named),
        entries=lambda X: [*X, *X.coords],
        without=lambda X, names: X.drop_vars(list(names)),
        beside=_with_variables,
    ),
    "mapping": Container(
        words="a mapping from names to arrays",
        recognize=is_mapping,
        entries=list,
        without=lambda X, names: {name: X[name] for name in X if name not in names},
        beside=lambda made, labels: made | labels,
    ),
    "several": Container(
        words="a list with one array per modality",
        recognize=lambda X: isinstance(X, (list, tuple)) and any(map(is_modality, X)),
        read=lambda X: {f"modality{k}": part for k, part in enumerate(X)},
        write=lambda named, form: list(named.values()),
    ),
    "single": Container(
        words="or one array",
        recognize=lambda X: True,
        read=lambda X: {"X": X},
        write=lambda named, form: next(iter(named.values())),
        entries=lambda X: _first_levels(X) if hasattr(X, "columns") else None,
        without=_without_columns,
        beside=_with_columns,
    ),
}
