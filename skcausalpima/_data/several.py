"""One array or several modalities as X, read and checked against those that are expected."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import validate_data

from .._base.arithmetic import adding_anything, working_in
from .._base.types import Samples, Unchecked
from .._base.warn import warn_caller
from .adapters import Table, as_array, as_modality
from .arrays import beyond_floats, flat_rows
from .cell_contents import Address, refuse_contents
from .containers import CONTAINERS, container_of, is_modality
from .missing_values import allows_gaps, refuse_infinity
from .multimodal_data import MultimodalData
from .on_disk import on_disk
from .recipes import describe
from .table_labels import check_rows_beside, numbered_columns

BARE_LIST_ADVICE = (
    "GridSearchCV and other tools that split by sample take a list of modalities for a list of "
    "samples: wrap the modalities in MultimodalData([...]) there."
)

#: So many arrays of one shape in a bare list are samples rather than modalities.
MANY_ALIKE = 8


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

    @classmethod
    def by(cls, estimator: BaseEstimator) -> Expected:
        """Return those that an estimator was fitted on."""
        who = f"{type(estimator).__name__} was fitted on"
        return cls(list(estimator.modality_names_in_), estimator.modality_shapes_in_, who)

    def __str__(self) -> str:
        listed = zip(self.names, self.shapes, strict=True)
        noun = "modality" if len(self.names) == 1 else "modalities"
        shapes = ", ".join(f"{name}: {tuple(shape)}" for name, shape in listed)
        return f"{self.who} {len(self.names)} {noun} ({shapes})"


def read_several(
    X: Any, container: str, expected: Expected | None = None, order: Sequence[str] = ()
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
    order : sequence of str, default=()
        Names in the order in which they are read, if they are those of X.

    Raises
    ------
    ValueError
        If a list seems to be no list of modalities, if names or the axes of DataArrays do not
        agree, or if each array has the shape of one sample.
    """
    if container == "several":
        _check_list(X, expected)
    given = CONTAINERS[container].read(X)
    names, note = list(given), CONTAINERS[container].note
    names = list(order) if set(order) == set(names) else names
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
    parts = [given[name] for name in names]
    tables = list(map(Table.of, parts))
    check_axes(names, tables)
    data = X[:, names] if isinstance(X, MultimodalData) else MultimodalData(parts, names)
    further = zip(names, tables, data._frame_dtypes, data._axes, strict=True)
    return data, [
        replace(
            table,
            labels={**table.labels, **note(X, name)},
            rows=data.index,
            dtypes=dtypes,
            axes=axes,
        )
        for name, table, dtypes, axes in further
    ]


def check_columns(
    data: MultimodalData, fitted: Sequence[Sequence[str] | None], *, warn: bool = True
) -> None:
    """Check that columns are those of ``fit``, in their order.

    Parameters
    ----------
    data : MultimodalData
        The modalities of fit.
    fitted : sequence of (tuple of str or None)
        Names of the columns of each modality in ``fit``.
    warn : bool, default=True
        Whether to warn where only one of the two has names.
    """
    shapes = data.modality_shapes
    for name, now, before, shape in zip(data.names, data._columns, fitted, shapes, strict=True):
        if shape is None:
            continue
        numbers = numbered_columns(math.prod(shape))
        one, other = now or numbers, tuple(before or numbers)
        if one == other:
            continue
        if sorted(one) == sorted(other):
            first = next(k for k in range(len(one)) if one[k] != other[k])
            ordered = f"model.modality_feature_names_in_[{name!r}]"
            ordered = ordered if before else f"list(range({len(other)}))"
            raise ValueError(
                f"modality {name!r} has its columns in another order than in fit: column {first} "
                f"is {one[first]!r}, but was {other[first]!r}. Put them in order: "
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
                "the same columns in the same order cannot be checked."
            )


def _listed(some: Sequence[str], others: Sequence[str]) -> list[str]:
    """Return the first names that are not among the others."""
    return sorted(set(some) - set(others))[:5]


def check_none_is_missing(data: MultimodalData) -> None:
    """Check that each modality is there, as a fit needs it."""
    for name, array in data.items():
        if array is None:
            raise ValueError(
                f"modality {name!r} is None: in fit every modality is needed (for some samples at "
                "least; the others are NaN). Leave it out, or pass it."
            )


def check_rows_with(X: Samples, **given: Unchecked) -> None:
    """Check that tables, by what they are called, have the index of samples in any form."""
    if isinstance(X, MultimodalData):
        first = X.index
    else:
        parts = CONTAINERS[container_of(X)].read(X).values()
        first = next((rows for part in parts if (rows := Table.of(part).rows) is not None), None)
    for what, table in given.items():
        check_rows_beside(table, what, first)


def refuse_one_sample(parts: Sequence[Unchecked], expected: Expected, remedy: str) -> None:
    """Raise where every array has the shape of a single sample, so that it lacks the first axis."""
    pairs = zip(parts, expected.shapes, strict=True)
    present = [
        (getattr(part, "shape", ()), tuple(shape)) for part, shape in pairs if part is not None
    ]
    if present and all(shape == needed for shape, needed in present):
        raise ValueError(f"X is one sample, without the axis that counts samples: pass {remedy}.")


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
    if len(X) < MANY_ALIKE or not all(map(is_modality, X)):
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


def check_axes(names: Sequence[str], tables: Sequence[Table]) -> None:
    """Check that all DataArrays begin with the same axis, that of the samples."""
    named = [(name, table) for name, table in zip(names, tables, strict=True) if table.dims]
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
    """Check that the axes of DataArrays are those of ``fit``, in their order."""
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
    """Return True if two DataArrays have different labels along an axis."""
    if dim not in one.labels or dim not in other.labels:
        return False
    return not np.array_equal(one.labels[dim], other.labels[dim])


def read_array(
    estimator: BaseEstimator, X: Any, expected: Expected | None, is_coded: bool
) -> MultimodalData:
    """Return the modality that one array is, which scikit-learn checks with its own messages.

    Parameters
    ----------
    estimator : BaseEstimator
        In ``fit`` it gets ``feature_names_in_`` of a DataFrame.
    X : array-like or DataFrame
        The array.
    expected : Expected or None
        What it must be; None in ``fit``.
    is_coded : bool
        Whether columns are, or may be, no numbers, which scikit-learn does not take.
    """
    names = None if expected is None else expected.names
    if expected is not None:
        if len(expected.names) > 1:
            raise ValueError(
                f"X is one array ({describe(X)}), but {expected}: pass a list with one array per "
                "modality, a mapping, or a MultimodalData. MultimodalData.from_flat(X, shapes, "
                "names) cuts a flat array into modalities."
            )
        # scikit-learn has words for a row of a table, and this could be one.
        if len(expected.shapes[0]) > 1 and expected.shapes[0][0] != 1:
            refuse_one_sample([X], expected, "X[None]")
    if (kept := on_disk(X, "X")) is not None:
        validate_data(estimator, flat_rows(kept), reset=names is None, skip_check_array=True)
        return MultimodalData([kept], names)
    table = Table.of(X)
    X = X.to_frame() if table.kind == "series" else X
    if is_coded:
        with advised(estimator, X, names is None):
            rows = X if hasattr(X, "columns") else flat_rows(as_modality(X, "X"))
            validate_data(estimator, rows, reset=names is None, skip_check_array=True)
        return MultimodalData([X], names)
    if not hasattr(X, "columns") and (not isinstance(X, np.ndarray) or np.ma.is_masked(X)):
        X = as_array(X, "X")
    if getattr(X, "ndim", 0) <= 2:
        checked = _validated(estimator, X, X, names is None)
        return MultimodalData([checked], names)._with_columns([table.columns])
    data = MultimodalData([X], names)
    if expected is not None:
        check_samples(data, expected)
    _validated(estimator, X, flat_rows(as_array(X, "X")), names is None)
    return data


@working_in(adding_anything)
def _validated(estimator: BaseEstimator, X: Samples, table: Samples, reset: bool) -> np.ndarray:
    """Return a table as scikit-learn checks it: of numbers, or objects that are looked at later."""
    gaps = allows_gaps(estimator)
    with advised(estimator, X, reset):
        try:
            return validate_data(
                estimator,
                table,
                reset=reset,
                dtype="numeric",
                ensure_min_samples=2 if reset else 1,
                ensure_all_finite="allow-nan" if gaps else True,
            )
        except OverflowError as error:
            raise ValueError(beyond_floats("X", error)) from error
        except (TypeError, ValueError):
            refuse_contents(X, "X", address=Address(kind=Table.of(X).kind) if reset else None)
            refuse_infinity(X, "X", gaps, list(getattr(X, "columns", ())) or None)
            raise


@contextmanager
def advised(estimator: BaseEstimator, X: Samples, reset: bool) -> Iterator[None]:
    """Refuse columns of one name; say how to take those of ``fit``, where they are all there."""
    columns = list(getattr(X, "columns", ()))
    if repeated := [name for name, n in Counter(columns).items() if n > 1]:
        raise ValueError(
            f"X has several columns called {repeated[0]!r}: give each a name of its own, for "
            "instance X.columns = [f'{name} {k}' for k, name in enumerate(X.columns)]."
        )
    try:
        yield
    except ValueError as error:
        fitted = list(getattr(estimator, "feature_names_in_", ()))
        if not reset and fitted and columns != fitted and set(fitted) <= set(columns):
            raise ValueError(
                f"{str(error).rstrip()}\nTake the columns of fit, in their order: "
                "X[model.feature_names_in_]."
            ) from error
        raise


def check_samples(data: MultimodalData, expected: Expected | None, is_list: bool = False) -> None:
    """Check that there are samples, and that they have the shapes that are expected, if any."""
    if len(data) < 1:
        raise ValueError("Found 0 samples while a minimum of 1 is required.")
    if expected is None:
        return
    for name, shape, fitted in zip(data.names, data.modality_shapes, expected.shapes, strict=True):
        if shape is not None and shape != tuple(fitted):
            raise ValueError(
                f"modality {name!r} has samples of shape {shape}, but {expected}: expected an "
                f"array of shape (n_samples, {', '.join(map(str, fitted))})."
                f"{' ' + BARE_LIST_ADVICE if is_list else ''}"
            )
