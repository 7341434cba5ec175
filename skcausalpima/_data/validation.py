"""The one input gate: whatever the user passes becomes named, checked arrays, and back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import validate_data

from .._typing import Samples
from .arrays import (
    compute_dtype,
    flat_rows,
    stored,
)
from .cell_contents import refuse_contents
from .foreign import describe
from .form import Decoded, Form, Table, check_axes, container_of
from .missing_values import (
    allows_gaps,
    check_elements,
    check_observed,
    find_missing,
    without_missing,
)
from .multimodal_data import MultimodalData
from .on_disk import Kept, OnDisk, on_disk
from .one_array import as_one_array, validated
from .ranks import ALONE, Ranks
from .several import BARE_LIST_ADVICE, is_several, read_several, refuse_one_sample
from .table_labels import check_columns, column_names, columns_of, named_columns


@dataclass(frozen=True)
class Modalities:
    """Checked modalities of the same samples.

    Parameters
    ----------
    arrays : tuple of (ndarray of shape (n_samples, *shape), OnDisk, or None)
        Finite float32 or float64 arrays in C order; read-only, since they may be the caller's own
        memory. Missing samples and elements are 0. None where a modality is missing in all samples.
    observed : ndarray of shape (n_modalities, n_samples), dtype bool
        False where a sample's modality is missing.
    names : tuple of str
        Names of the modalities.
    shapes : tuple of tuple of int
        Shape of one sample of each modality.
    dtype : dtype
        The dtype to compute in: that of the floating modalities.
    n_samples : int
        The number of samples.
    form : Form
        How they came; results go back in the same form.
    elements : tuple of (ndarray of shape (n_samples, width), dtype bool, or None), default=None
        True where an element is observed, of modalities that have samples which are observed in
        part; None for all others, and instead of the tuple where no modality has.
    ranks : Ranks, default=ALONE
        Who has further samples.
    """

    arrays: tuple[Kept | None, ...]
    observed: np.ndarray
    names: tuple[str, ...]
    shapes: tuple[tuple[int, ...], ...]
    dtype: np.dtype
    n_samples: int
    form: Form
    elements: tuple[np.ndarray | None, ...] | None = None
    ranks: Ranks = ALONE

    @property
    def widths(self) -> tuple[int, ...]:
        """The number of elements of one sample of each modality."""
        return tuple(int(np.prod(shape)) for shape in self.shapes)

    def missing_elements(self, k: int) -> np.ndarray:
        """Return which elements of a modality are missing, of shape (n_samples, *shape)."""
        seen = None if self.elements is None else self.elements[k]
        if seen is None:
            seen = np.broadcast_to(self.observed[k][:, None], (self.n_samples, self.widths[k]))
        return ~seen.reshape(self.n_samples, *self.shapes[k])

    def take(self, rows: np.ndarray | slice) -> Modalities:
        """Return the samples with the given numbers, as often as they are given."""
        arrays = tuple(of if of is None else of[rows] for of in self.arrays)
        elements = tuple(of if of is None else of[rows] for of in self.elements or ())
        observed = self.observed[:, rows]
        taken = replace(self, arrays=arrays, observed=observed, n_samples=observed.shape[1])
        return replace(taken, elements=elements or None)

    def blocks(self, n_rows: int) -> Iterator[Modalities]:
        """Return the samples in order, so many at a time; they share memory."""
        for start in range(0, self.n_samples, n_rows):
            yield self.take(slice(start, start + n_rows))


def read_modalities(estimator: BaseEstimator, X: Samples, *, reset: bool) -> Modalities:
    """Check the input of an estimator's method.

    Parameters
    ----------
    estimator : BaseEstimator
        With ``reset`` it gets ``n_features_in_``, ``n_modalities_in_``, ``modality_names_in_``,
        ``modality_shapes_in_``, ``modality_feature_names_in_`` and, for a DataFrame,
        ``feature_names_in_``; else X is checked against them.
    X : sequence, mapping, MultimodalData, array-like or DataFrame
        See the estimator.
    reset : bool
        True in ``fit``, False in all other methods.

    Returns
    -------
    Modalities
        Never written into the caller's memory.
    """
    if not reset:
        refuse_one_sample(X, estimator.modality_names_in_, estimator.modality_shapes_in_)
    if several := is_several(X):
        check_axes(X)
        names = None if reset else list(estimator.modality_names_in_)
        data = read_several(X, names, None if reset else _fitted_on(estimator))
        container = container_of(X)
    else:
        data, container = _read_array(estimator, X, reset)
    form = Form.of(X, data, container)
    if reset:
        _check_fit(data)
    else:
        form = form.completed(fitted_form(estimator), data.arrays)
        bare = BARE_LIST_ADVICE if container == "several" else ""
        check_samples(data, estimator.modality_shapes_in_, _fitted_on(estimator), bare)
        # scikit-learn has warned where one table has names and the other has not.
        fitted = columns_of(estimator.modality_feature_names_in_)
        check_columns(data._columns, fitted, data.names, data.modality_shapes, warn=several)
    modalities = _checked(estimator, data, form, reset)
    if reset:
        _remember(estimator, modalities, form)
        _remember_columns(estimator, data, several)
    return modalities


def read_further(estimator: BaseEstimator, X: Samples) -> Modalities:
    """Check data on which a fitted estimator is to be trained further.

    Parameters
    ----------
    estimator, X
        A fitted estimator, and samples in any form that it takes.

    Returns
    -------
    Modalities
        What ``fit`` needs: two samples, each with a modality, and each modality in some sample.
    """
    modalities = read_modalities(estimator, X, reset=False)
    _check_n_samples(modalities.n_samples)
    check_observed(modalities.observed, modalities.names, goes_on=True)
    return modalities


def fitted_form(estimator: BaseEstimator) -> Form:
    """Return the form in which a fitted estimator got its samples."""
    names = tuple(estimator.modality_names_in_)
    tables = [Table.from_dict(plain) for plain in getattr(estimator, "_modality_tables", ())]
    tables = tables or [Table()] * len(names)  # of an older file
    columns = columns_of(estimator.modality_feature_names_in_)
    return Form(estimator._input_form, names, tuple(tables), columns)


def write_modalities(estimator: BaseEstimator, arrays: Sequence[np.ndarray]) -> Decoded:
    """Return modalities in the form in which the estimator got its input in ``fit``.

    Parameters
    ----------
    estimator : BaseEstimator
        A fitted estimator.
    arrays : sequence of ndarray of shape (n_samples, *shape)
        One array per modality.

    Returns
    -------
    list, dict, MultimodalData, ndarray, DataFrame or Dataset
        See :class:`Form`.
    """
    return fitted_form(estimator).write(arrays)


def _read_array(estimator: BaseEstimator, X: Samples, reset: bool) -> tuple[MultimodalData, str]:
    """Return the modality that one array is, and the form of it."""
    names = None if reset else list(estimator.modality_names_in_)
    X = on_disk(X, "X") or as_one_array(X)
    columns, ndim = column_names(X), getattr(X, "ndim", 0)
    if names is not None and len(names) > 1:
        raise ValueError(
            f"X is one array ({describe(X)}), but {_fitted_on(estimator)}: pass a list with one "
            "array per modality, a mapping, or a MultimodalData. MultimodalData.from_flat(X, "
            "shapes, names) cuts a flat array into modalities."
        )
    if isinstance(X, OnDisk):
        return _read_on_disk(estimator, X, reset), "single"
    if ndim > 2:
        data = MultimodalData([X], names)
        if not reset:
            check_samples(data, estimator.modality_shapes_in_, _fitted_on(estimator))
        validated(estimator, X, reset, allows_gaps(estimator))
        return data, "single"
    table = validated(estimator, X, reset, allows_gaps(estimator))
    return MultimodalData([table], names)._with_columns([columns]), "single"


def _read_on_disk(estimator: BaseEstimator, X: OnDisk, reset: bool) -> MultimodalData:
    """Return the one modality that X is."""
    validate_data(estimator, flat_rows(X), reset=reset, skip_check_array=True)
    return MultimodalData([X], None if reset else list(estimator.modality_names_in_))


def _check_fit(data: MultimodalData) -> None:
    """Check what a fit needs: two samples, and elements in every modality."""
    _check_n_samples(len(data))
    for name, shape in zip(data.names, data.modality_shapes, strict=True):
        if shape is None:
            raise ValueError(
                f"modality {name!r} is None: in fit every modality is needed (for some samples at "
                "least; the others are NaN). Leave it out, or pass it."
            )
        if 0 in shape:
            raise ValueError(
                f"modality {name!r} has samples of shape {shape}, so no elements: leave it out."
            )


def _check_n_samples(n: int) -> None:
    """Check that there are two samples."""
    if n < 2:
        raise ValueError(
            f"Found {n} sample(s), n_samples={n}, while a minimum of 2 is required to fit."
        )


def check_samples(
    data: MultimodalData, shapes: Sequence[tuple[int, ...]], expected: str, advice: str = ""
) -> None:
    """Check that there are samples, and that they have the shapes which ``expected`` speaks of."""
    if len(data) < 1:
        raise ValueError("Found 0 samples while a minimum of 1 is required.")
    for name, shape, fitted in zip(data.names, data.modality_shapes, shapes, strict=True):
        if shape is not None and shape != tuple(fitted):
            raise ValueError(
                f"modality {name!r} has samples of shape {shape}, but {expected}: expected an "
                f"array of shape (n_samples, {', '.join(map(str, fitted))}). {advice}".rstrip()
            )


def _checked(estimator: BaseEstimator, data: MultimodalData, form: Form, reset: bool) -> Modalities:
    """Convert all arrays and find the missing samples."""
    observed = np.zeros((data.shape[1], len(data)), dtype=bool)
    elements: list[np.ndarray | None] = [None] * data.shape[1]
    gaps = allows_gaps(estimator)
    arrays: list[Kept | None] = []
    for k, (name, array) in enumerate(zip(data.names, data.arrays, strict=True)):
        if array is not None:
            of = data._columns[k]
            if array.dtype.kind not in "buifc":
                refuse_contents(array, f"modality {name!r}", of, form.place(k) if reset else None)
            clean = stored(array, name)
            looked_at = clean if array.dtype.kind == "f" else array  # whole numbers are finite
            missing, elements[k] = find_missing(looked_at, name, data._stated(k), gaps, of)
            clean = without_missing(clean, missing, elements[k])
            observed[k] = ~missing
            array = clean
        arrays.append(array)
    if reset:
        check_observed(observed, data.names)
        check_elements(elements, data.names, [shape or () for shape in data.modality_shapes])
    shapes = data.modality_shapes if reset else estimator.modality_shapes_in_
    return Modalities(
        tuple(arrays),
        observed,
        data.names,
        tuple(tuple(shape) for shape in shapes if shape is not None),
        compute_dtype(data.arrays, arrays),
        len(data),
        form,
        None if all(seen is None for seen in elements) else tuple(elements),
    )


def _remember(estimator: BaseEstimator, data: Modalities, form: Form) -> None:
    """Set the attributes that describe the input of ``fit``."""
    estimator.n_features_in_ = sum(data.widths)
    estimator.n_modalities_in_ = len(data.names)
    estimator.modality_names_in_ = np.array(data.names, dtype=object)
    estimator.modality_shapes_in_ = list(data.shapes)
    estimator._input_form = form.container
    estimator._modality_tables = [table.as_dict() for table in form.tables]


def _remember_columns(estimator: BaseEstimator, data: MultimodalData, several: bool) -> None:
    """Set the names of the columns of the DataFrames that ``fit`` was given."""
    estimator.modality_feature_names_in_ = named_columns(data.names, data._columns)
    if not several:  # scikit-learn has set them
        return
    if hasattr(estimator, "feature_names_in_"):  # from an earlier fit
        del estimator.feature_names_in_
    if len(data.names) == 1 and data._columns[0] is not None:
        estimator.feature_names_in_ = np.array(data._columns[0], dtype=object)


def _fitted_on(estimator: BaseEstimator) -> str:
    """Say what the estimator was fitted on."""
    listed = list_modalities(estimator.modality_names_in_, estimator.modality_shapes_in_)
    return f"{type(estimator).__name__} was fitted on {listed}"


def list_modalities(names: Sequence[str], shapes: Sequence[tuple[int, ...]]) -> str:
    """List modalities with their shapes."""
    listed = ", ".join(f"{name}: {shape}" for name, shape in zip(names, shapes, strict=True))
    noun = "modality" if len(names) == 1 else "modalities"
    return f"{len(names)} {noun} ({listed})"
