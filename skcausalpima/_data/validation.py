"""The one input gate: whatever the user passes becomes named, checked arrays, and back."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from sklearn.base import BaseEstimator

from .._base.types import Samples, Values
from .adapters import Table
from .arrays import compute_dtype, stored
from .cell_contents import refuse_contents
from .column_kinds import ColumnTable
from .containers import CONTAINERS, Form, container_of, without_contexts
from .contexts import ContextLabels, context_names, read_contexts
from .element_axes import check_axes_fit, check_like_fit, stated_axes
from .groups import GROUPS_ENTRY, take_groups
from .missing_values import (
    allows_gaps,
    check_joined,
    check_observed,
    find_missing,
    needs_values,
    rows_without_values,
    without_missing,
)
from .multimodal_data import MultimodalData
from .on_disk import Kept
from .ranks import ALONE, Ranks
from .several import (
    Expected,
    check_axes_of_fit,
    check_columns,
    check_none_is_missing,
    check_samples,
    read_array,
    read_several,
)
from .stated_likelihoods import check_kept_likelihoods, coded_array, coded_form, is_plain
from .table_labels import columns_of, named_columns


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
    contexts : ContextLabels
        Labels of the samples, of no contexts where there are none.
    groups : ndarray of int of shape (n_samples,), default=None
        Number of the group that each sample belongs to; None where all stand alone.
    """

    arrays: tuple[Kept | None, ...]
    observed: np.ndarray
    names: tuple[str, ...]
    shapes: tuple[tuple[int, ...], ...]
    dtype: np.dtype
    n_samples: int
    form: Form
    contexts: ContextLabels
    elements: tuple[np.ndarray | None, ...] | None = None
    ranks: Ranks = ALONE
    groups: np.ndarray | None = None

    @property
    def widths(self) -> tuple[int, ...]:
        """The number of elements of one sample of each modality."""
        return tuple(int(np.prod(shape)) for shape in self.shapes)

    @property
    def columns(self) -> tuple[ColumnTable | None, ...]:
        """How the columns of each modality became elements; None of one where all are Gaussian."""
        return tuple(table.coding for table in self.form.tables)

    @property
    def codes(self) -> np.ndarray:
        """Numbers of the labels of samples, (n_contexts, n_samples)."""
        return self.contexts.codes

    def with_codes(self, codes: np.ndarray) -> Modalities:
        """Return the samples with other labels of their contexts."""
        return replace(self, contexts=replace(self.contexts, codes=codes))

    def missing_elements(self, k: int) -> np.ndarray:
        """Return which elements of a modality are missing, of shape (n_samples, *shape)."""
        elements = None if self.elements is None else self.elements[k]
        if elements is None:
            elements = np.broadcast_to(self.observed[k][:, None], (self.n_samples, self.widths[k]))
        return ~elements.reshape(self.n_samples, *self.shapes[k])

    @property
    def without_values(self) -> np.ndarray:
        """Rows that have no modality."""
        return rows_without_values(self.observed)

    def check_joined(self, n_before: int = 0, n_without_before: int = 0) -> None:
        """Check that rows without any value are few among all of a fit, and so many of before."""
        here = np.array([self.n_samples, len(self.without_values)])
        n_rows, n_without = self.ranks.sum(here).astype(int).tolist()
        n_rows, n_without = n_rows + n_before, n_without + n_without_before
        check_joined(self.observed, n_rows, n_without, earlier=n_before > 0)

    def check_elements(self, where: str = "all samples") -> None:
        """Check that a fit sees every element of every modality in some sample."""
        for name, mask, shape in zip(self.names, self.elements or (), self.shapes, strict=False):
            never = np.flatnonzero([] if mask is None else ~mask.any(axis=0))
            if len(never):
                index = list(map(int, np.unravel_index(never[0], shape)))
                more = f" (and {len(never) - 1} more)" if len(never) > 1 else ""
                raise ValueError(
                    f"element {index} of modality {name!r}{more} is missing in {where}: leave it "
                    "out of fit, or pass samples that have it."
                )

    def take(self, rows: np.ndarray | slice) -> Modalities:
        """Return the samples with the given numbers, as often as they are given."""
        arrays = tuple(array if array is None else array[rows] for array in self.arrays)
        elements = tuple(mask if mask is None else mask[rows] for mask in self.elements or ())
        observed = self.observed[:, rows]
        return replace(
            self,
            arrays=arrays,
            observed=observed,
            n_samples=observed.shape[1],
            elements=elements or None,
            contexts=self.contexts.take(rows),
            groups=None if self.groups is None else self.groups[rows],
        )

    def blocks(self, n_rows: int) -> Iterator[Modalities]:
        """Return the samples in order, so many at a time; they share memory."""
        for start in range(0, self.n_samples, n_rows):
            yield self.take(slice(start, start + n_rows))


def read_modalities(
    estimator: BaseEstimator,
    X: Samples,
    *,
    reset: bool,
    learns: bool = False,
    order: Sequence[str] = (),
) -> Modalities:
    """Check the input of an estimator's method.

    Parameters
    ----------
    estimator : BaseEstimator
        With ``reset`` it gets ``n_features_in_``, ``n_modalities_in_``, ``modality_names_in_``,
        ``modality_shapes_in_``, ``modality_feature_names_in_``, ``modality_axes_in_``,
        ``likelihoods_`` and, for a DataFrame, ``feature_names_in_``; else X is checked against
        them.
    X : sequence, mapping, MultimodalData, array-like or DataFrame
        See the estimator.
    reset : bool
        True in ``fit``, False in all other methods.
    learns : bool, default=False
        Whether contexts may have labels that ``fit`` has not seen.
    order : sequence of str, default=()
        With ``reset``: names of several modalities in the order in which they are read.

    Returns
    -------
    Modalities
        Never written into the caller's memory.
    """
    expected = None if reset else Expected.by(estimator)
    known = None if reset else getattr(estimator, "contexts_", {})
    stated = context_names(getattr(estimator, "contexts", None)) if known is None else list(known)
    X, taken = without_contexts(_without_groups(estimator, X, reset), stated)
    container, words = container_of(X), getattr(estimator, "likelihoods", "auto")
    several, fitted = container != "single", None if reset else fitted_form(estimator)
    if several:
        data, tables = read_several(X, container, expected, order)
    else:
        tables = [Table.of(X)]
        kinds = tables[0].dtypes if fitted is None else fitted.tables[0].coding
        is_coded = kinds is not None or (reset and not is_plain(words))
        data = read_array(estimator, X, expected, is_coded)
    form = Form(container, data.names, tuple(tables), data._columns)
    if expected is None or fitted is None:
        _check_fit(data)
        form = coded_form(words, data, form)
    else:
        form = form.completed(fitted, data.arrays)
        check_axes_of_fit(form.names, form.tables, fitted.tables)
        check_samples(data, expected, is_list=container == "several")
        # scikit-learn has warned where one table has names and the other has not.
        check_columns(data, fitted.columns, warn=several)
        both = ([table.axes for table in one.tables] for one in (form, fitted))
        check_like_fit(form.names, *both)
    contexts = read_contexts(taken, len(data), known, learns)
    modalities = _checked(estimator, data, form, contexts, reset)
    if reset:
        check_observed(modalities.observed, modalities.names, needs_values(estimator))
        modalities.check_elements()
        if taken:
            estimator.contexts_ = contexts.labels
        _remember(estimator, modalities, several)
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
        What ``fit`` needs: two samples that have a modality, and each modality in some sample.
    """
    check_kept_likelihoods(getattr(estimator, "likelihoods", "auto"), fitted_form(estimator))
    modalities = read_modalities(estimator, X, reset=False)
    _check_n_samples(modalities.n_samples - len(modalities.without_values))
    every_sample = needs_values(estimator)
    check_observed(modalities.observed, modalities.names, every_sample, goes_on=True)
    return modalities


def as_container(X: Samples, fitted: BaseEstimator | None = None) -> Samples:
    """Return several modalities as what can be split by sample, in the order of a fit."""
    X = _without_groups(fitted, X)
    modalities, taken = without_contexts(X, list(getattr(fitted, "contexts_", ())))
    container = container_of(modalities)
    if container == "single":
        return X
    data = read_several(modalities, container, None if fitted is None else Expected.by(fitted))[0]
    if fitted is None or not taken:
        return data
    labels = read_contexts(taken, len(data), fitted.contexts_).entries()
    return CONTAINERS["container"].beside(data, labels)


def _without_groups(fitted: BaseEstimator | None, X: Samples, reset: bool = False) -> Samples:
    """Return X without the entry that said in ``fit`` which samples belong together."""
    return X if reset else take_groups(X, None, getattr(fitted, GROUPS_ENTRY, None))[0]


def fitted_form(estimator: BaseEstimator) -> Form:
    """Return the form in which a fitted estimator got its samples."""
    return form_of(tuple(estimator.modality_names_in_), vars(estimator))


def form_of(names: tuple[str, ...], attributes: Values) -> Form:
    """Return the form of samples from what an estimator keeps of it."""
    columns = columns_of(attributes["modality_feature_names_in_"])
    tables = tuple(map(Table.from_dict, attributes["_modality_tables"]))
    return Form(attributes["_input_form"], names, tables, columns)


def _check_fit(data: MultimodalData) -> None:
    """Check what a fit needs: two samples, and elements in every modality."""
    _check_n_samples(len(data))
    check_none_is_missing(data)
    for name, shape in zip(data.names, data.modality_shapes, strict=True):
        if shape is not None and 0 in shape:
            raise ValueError(
                f"modality {name!r} has samples of shape {shape}, so no elements: leave it out."
            )


def _check_n_samples(n: int) -> None:
    """Check that there are two samples."""
    if n < 2:
        raise ValueError(
            f"Found {n} sample(s), n_samples={n}, while a minimum of 2 is required to fit."
        )


def _checked(
    estimator: BaseEstimator, data: MultimodalData, form: Form, contexts: ContextLabels, reset: bool
) -> Modalities:
    """Convert all arrays and find the missing samples."""
    observed = np.zeros((data.shape[1], len(data)), dtype=bool)
    elements: list[np.ndarray | None] = [None] * data.shape[1]
    gaps = allows_gaps(estimator)
    arrays: list[Kept | None] = []
    lenient = getattr(getattr(estimator, "missing_values", None), "unknown", "error") == "missing"
    for k, name in enumerate(data.names):
        coding = form.tables[k].coding
        array = coded_array(data, k, form, lenient and not reset)
        if array is not None:
            columns = data._columns[k] if coding is None else coding.element_names
            if array.dtype.kind not in "buifc":
                refuse_contents(
                    array, f"modality {name!r}", columns, form.address(k) if reset else None
                )
            clean = stored(array, name)
            looked_at = clean if array.dtype.kind == "f" else array  # whole numbers are finite
            missing, elements[k] = find_missing(looked_at, name, data._stated(k), gaps, columns)
            array, observed[k] = without_missing(clean, missing, elements[k]), ~missing
        arrays.append(array)
    is_wide = any(
        table.coding is not None and table.coding.has_many_levels for table in form.tables
    )
    given = data.modality_shapes if reset else estimator.modality_shapes_in_
    shapes = [
        tuple(shape or ()) if table.coding is None else table.coding.element_shape
        for shape, table in zip(given, form.tables, strict=True)
    ]
    return Modalities(
        tuple(arrays),
        observed,
        data.names,
        tuple(shapes),
        np.dtype(np.float32) if is_wide else compute_dtype(data.arrays, arrays),
        len(data),
        form,
        contexts,
        None if all(mask is None for mask in elements) else tuple(elements),
    )


def input_attributes(form: Form, shapes: Sequence[tuple[int, ...]]) -> Values:
    """Return the attributes that describe what a fit was given.

    Parameters
    ----------
    form : Form
        How it came.
    shapes : sequence of tuple of int
        Shape of the elements of one sample of each modality.
    """
    given, words, axes = [], [], []
    for table, columns, shape in zip(form.tables, form.columns, shapes, strict=True):
        coding, plain = table.coding, dict.fromkeys(columns or (), "gaussian")
        given.append(shape if coding is None else coding.shape)
        words.append((plain or "gaussian") if coding is None else coding.words)
        check_axes_fit(table.axes, given[-1])
        axes.append(stated_axes(table.axes))
    return {
        "n_features_in_": sum(map(math.prod, given)),
        "n_modalities_in_": len(form.names),
        "modality_names_in_": np.array(form.names, dtype=object),
        "modality_shapes_in_": given,
        "modality_axes_in_": dict(zip(form.names, axes, strict=True)),
        "likelihoods_": dict(zip(form.names, words, strict=True)),
    }


def _remember(estimator: BaseEstimator, modalities: Modalities, several: bool) -> None:
    """Set the attributes that describe the input of ``fit``."""
    form, attributes = modalities.form, vars(estimator)
    attributes |= input_attributes(form, modalities.shapes)
    attributes |= {
        "_input_form": form.container,
        "_modality_tables": [table.as_dict() for table in form.tables],
        "modality_feature_names_in_": named_columns(form.names, form.columns),
    }
    if several:  # else scikit-learn has set them
        attributes.pop("feature_names_in_", None)  # from an earlier fit
        if len(form.names) == 1 and form.columns[0] is not None:
            estimator.feature_names_in_ = np.array(form.columns[0], dtype=object)
