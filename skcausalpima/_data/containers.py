"""The forms of samples: a table of what holds several modalities, and results in the same form."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from numbers import Number
from typing import Any, TypeAlias

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils._set_output import _get_output_config

from .._typing import Samples, Unchecked
from .adapters import Table, accepted, adapter_of, column_levels
from .cell_contents import Place
from .contexts import ContextLabels, with_contexts
from .multimodal_data import MultimodalData
from .named_axes import check_axes, check_axes_of_fit
from .on_disk import Kept
from .recipes import describe, is_mapping, is_of
from .table_labels import Columns, check_rows_beside

#: Results in the form in which samples came: arrays or tables, in a list, by name, or one alone.
Decoded: TypeAlias = Any

BARE_LIST_ADVICE = (
    "GridSearchCV and other tools that split by sample take a list of modalities for a list of "
    "samples: wrap the modalities in MultimodalData([...]) there."
)

#: So many arrays of one shape in a bare list are samples rather than modalities.
MANY_ALIKE = 8


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
    """

    words: str
    recognize: Callable[[Any], bool]
    read: Callable[[Any], dict[str, Any]] = dict
    note: Callable[[Any, str], dict[str, np.ndarray]] = lambda value, name: {}
    write: Callable[[dict[str, Any], Form], Decoded] = lambda named, form: named


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
    def rows(self) -> Any:
        """Names of the samples, a pandas.Index, or None."""
        return next((table.rows for table in self.tables if table.rows is not None), None)

    def completed(self, fitted: Form, arrays: Sequence[Kept | None]) -> Form:
        """Return the form with what ``fit`` knew of modalities that are missing here.

        Raises
        ------
        ValueError
            If the axes of DataArrays are not those of ``fit``.
        """
        rows, given = self.rows, zip(self.tables, fitted.tables, arrays, strict=True)
        tables = tuple(
            replace(before, rows=rows) if array is None else replace(of, coding=before.coding)
            for of, before, array in given
        )
        check_axes_of_fit(self.names, tables, fitted.tables)
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
        named, form = dict(zip(self.names, pieces, strict=True)), self
        if what != "values":
            pairs = zip(self.tables, self.columns, strict=True)
            columns = tuple(names if of.coding is None else None for of, names in pairs)
            form = replace(self, columns=columns)
        return with_contexts(CONTAINERS[self.container].write(named, form), contexts)

    def write_one(self, k: int, array: np.ndarray, what: str = "values") -> Decoded:
        """Return one modality in this form."""
        return replace(self.tables[k], rows=self.rows).write(array, what)

    def write_found(
        self, found: Sequence[Sequence[np.ndarray]], only: int | None, probabilities: bool
    ) -> tuple[Decoded, Decoded]:
        """Return means and standard deviations, of all modalities or of one alone."""
        means, deviations = found
        what = "probabilities" if probabilities else "values"
        if only is not None:
            one = self.write_one(only, means[0], what)
            return one, self.write_one(only, deviations[0], "elements")
        return self.write(means, what=what), self.write(deviations, what="elements")

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
    name = next(name for name, of in CONTAINERS.items() if of.recognize(X))
    if name == "single":
        several = [of.words for of in CONTAINERS.values()]
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


@dataclass(frozen=True)
class Expected:
    """Modalities that samples must have.

    Parameters
    ----------
    names : sequence of str
        In their order.
    shapes : sequence of tuple of int
        Shape of one sample of each.
    who : str
        Who expects them, for messages.
    """

    names: Sequence[str]
    shapes: Sequence[tuple[int, ...]]
    who: str

    def __str__(self) -> str:
        listed = zip(self.names, self.shapes, strict=True)
        noun = "modality" if len(self.names) == 1 else "modalities"
        shapes = ", ".join(f"{name}: {tuple(shape)}" for name, shape in listed)
        return f"{self.who} {len(self.names)} {noun} ({shapes})"


def read_several(
    X: Any, container: str, expected: Expected | None = None
) -> tuple[MultimodalData, list[Table]]:
    """Return several modalities, and what each of them was.

    Parameters
    ----------
    X : sequence, mapping, MultimodalData, DataFrame or Dataset
        The modalities.
    container : str
        Which of ``CONTAINERS`` it is.
    expected : Expected, default=None
        What it must have. A list has it by position, all others by name.

    Raises
    ------
    ValueError
        If a list seems to be no list of modalities, if names or the axes of DataArrays do not
        agree, or if each array has the shape of one sample.
    """
    if container == "several":
        _check_list(X, expected)
    given = CONTAINERS[container].read(X)
    names = list(given)
    if expected is not None:
        names = list(expected.names)
        if container == "several":
            given = dict(zip(names, X, strict=True))
        if set(given) != set(names):
            raise ValueError(
                f"X has the modalities {list(given)}, but {expected}: pass all of "
                "these names and no other (None for a modality that is missing)."
            )
        refuse_one_sample([given[name] for name in names], expected, "array[None] of each")
    note = CONTAINERS[container].note
    tables = [Table.of(given[name]) for name in names]
    check_axes(names, tables)
    if isinstance(X, MultimodalData):
        data = X if expected is None else X[:, names]
    else:
        data = MultimodalData([given[name] for name in names], names)
    triples = zip(names, tables, data._frame_dtypes, strict=True)
    return data, [
        replace(of, labels={**of.labels, **note(X, name)}, dtypes=dtypes)
        for name, of, dtypes in triples
    ]


def check_rows_with(X: Samples, **given: Unchecked) -> None:
    """Check that tables, by what they are called, have the index of samples in any form."""
    parts = CONTAINERS[container_of(X)].read(X).values()
    rows = (rows for part in parts if (rows := Table.of(part).rows) is not None)
    first = next(rows, None)
    for what, table in given.items():
        check_rows_beside(table, what, first)


def refuse_one_sample(parts: Sequence[Any], expected: Expected, remedy: str) -> None:
    """Raise where every array has the shape of a single sample, so that it lacks the first axis."""
    pairs = zip(parts, expected.shapes, strict=True)
    present = [(getattr(part, "shape", ()), tuple(of)) for part, of in pairs if part is not None]
    if present and all(shape == of for shape, of in present):
        raise ValueError(f"X is one sample, without the axis that counts samples: pass {remedy}.")


def _is_modality(element: Unchecked) -> bool:
    """Return True if an element of a list is no row of numbers."""
    ndim = getattr(element, "ndim", None)
    is_series = hasattr(element, "iloc")
    return element is None or is_series or (isinstance(ndim, int) and ndim >= 2)


def _check_list(X: Sequence, expected: Expected | None) -> None:
    """Raise where a bare list is no list of modalities, or not of those that are expected."""
    n_expected = len(X) if expected is None else len(expected.names)
    if len(X) == n_expected == 1:
        raise ValueError(
            f"X is a list of one modality ({describe(X[0])}): if there is one modality, pass the "
            f"array itself. {BARE_LIST_ADVICE}"
        )
    _refuse_samples(X, is_fit=expected is None)
    if n_expected != len(X):
        given = "one modality" if len(X) == 1 else f"{len(X)} modalities"
        raise ValueError(
            f"X is a list of {given}, but {expected}: pass one array per "
            f"modality in that order (None for one that is missing). {BARE_LIST_ADVICE}"
        )


def _refuse_samples(X: Sequence, is_fit: bool) -> None:
    """Raise where the many arrays of a bare list are samples rather than modalities.

    They have one shape, or, in ``fit``, as many rows each, but fewer than there are arrays.
    """
    if len(X) < MANY_ALIKE or not all(map(_is_modality, X)):
        return
    shapes = {np.shape(element) for element in X if getattr(element, "ndim", 0) > 1}
    rows = {shape[0] for shape in shapes}
    if len(shapes) == 1:
        alike, remedy = f"shape {shapes.pop()}", ""
    elif len(rows) == 1 and max(rows) <= len(X) and is_fit:
        alike = f"{rows.pop()} rows"
        remedy = "such as images of several sizes, resize or pad them to one shape and "
    else:
        return
    raise ValueError(
        f"X is a list of {len(X)} arrays of {alike}: if these are samples of one modality, {remedy}"
        "pass np.stack(X); if they are modalities, MultimodalData(X)."
    )


# The table ----------------------------------------------------------------------------------------


def _write_levels(named: dict[str, Any], form: Form) -> Any:
    """Return a DataFrame with two levels of columns, in the order in which they came."""
    labels = [table.labels for table in form.tables]
    joined = importlib.import_module("pandas").concat(named, axis=1)
    places = np.concatenate([of["places"] for of in labels])
    if len(places) == joined.shape[1]:  # else there are more than the columns that came
        joined = joined.iloc[:, places.argsort()]
    joined.columns.names = labels[0].get("levels", [None, None])
    return joined


CONTAINERS = {
    "levels": Container(
        words="a DataFrame with two levels of columns (modality, element)",
        recognize=lambda X: column_levels(X) == 2,
        read=lambda X: {name: X[name] for name in dict.fromkeys(X.columns.get_level_values(0))},
        note=lambda X, name: {
            "places": np.flatnonzero(X.columns.get_level_values(0) == name),
            "levels": np.array(X.columns.names, dtype=object),
        },
        write=_write_levels,
    ),
    "container": Container(
        words="a MultimodalData",
        recognize=lambda X: isinstance(X, MultimodalData),
        write=lambda named, form: MultimodalData(named)._with_columns(
            form.columns,
            [None if of.coding is None else of.coding.dtypes for of in form.tables],
        ),
    ),
    "dataset": Container(
        words="an xarray Dataset",
        recognize=is_of("xarray", "Dataset"),
        write=lambda named, form: importlib.import_module("xarray").Dataset(named),
    ),
    "mapping": Container(
        words="a mapping from names to arrays",
        recognize=is_mapping,
    ),
    "several": Container(
        words="a list with one array per modality",
        recognize=lambda X: isinstance(X, (list, tuple)) and any(map(_is_modality, X)),
        read=lambda X: {f"modality{k}": part for k, part in enumerate(X)},
        write=lambda named, form: list(named.values()),
    ),
    "single": Container(
        words="or one array",
        recognize=lambda X: True,
        read=lambda X: {"X": X},
        write=lambda named, form: next(iter(named.values())),
    ),
}
