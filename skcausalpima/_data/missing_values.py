"""Missing values of a modality: whole samples, and single elements."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from sklearn.base import BaseEstimator

from .._base.arithmetic import same_arrays
from .._base.types import Unchecked
from .adapters import as_array
from .arrays import Rows, flat_rows, missing_rows, value_blocks
from .on_disk import Kept, OnDisk, refuse_on_disk
from .table_labels import Columns

#: Smallest share of the samples that the model is learned from.
SMALLEST_SHARE = 0.2

#: Largest share of rows without any value: more come of a join that failed (arbitrary).
LARGEST_WITHOUT_VALUES = 0.1


def allows_gaps(estimator: BaseEstimator) -> bool:
    """Return whether single elements of a modality may be missing: ``missing_values`` says it."""
    stated = getattr(estimator, "missing_values", "error")
    elements = getattr(stated, "elements", stated)
    return isinstance(elements, str) and elements == "marginalize"


def find_missing(
    array: Kept,
    name: str,
    stated: np.ndarray | None = None,
    gaps: bool = False,
    columns: Columns = None,
) -> tuple[np.ndarray, np.ndarray | None]:
    """Find what is missing; infinity is an error, and so is NaN in a part of a sample.

    Parameters
    ----------
    array : ndarray of shape (n_samples, ...)
        The modality.
    name : str
        Its name, for messages.
    stated : ndarray of shape (n_samples,), dtype bool, default=None
        Samples where it is False are missing, whatever they hold.
    gaps : bool, default=False
        Whether samples may be NaN in a part of their elements.
    columns : sequence of str, default=None
        Names of the columns, for messages; numbers by default.

    Returns
    -------
    missing : ndarray of shape (n_samples,), dtype bool
        True where all elements of a sample are missing.
    elements : ndarray of shape (n_samples, width), dtype bool, or None
        True where an element is observed; None where no sample is observed in part.
    """
    flat, missing = flat_rows(array), missing_rows(array)
    elements = None
    if stated is not None:
        missing |= ~stated
    if array.dtype.kind != "f":
        return missing, None
    for rows, values in value_blocks(flat):
        finite = np.isfinite(values)
        if finite.all():
            continue
        broken = np.flatnonzero(~finite.all(axis=1) & ~missing[rows])
        if broken.size == 0:
            continue
        wrong = broken[np.isinf(values[broken]).any(axis=1)] if gaps else broken
        if wrong.size > 0:
            sample, row = values[wrong[:1]], rows.start + int(wrong[0])
            whole = sample.reshape(1, *array.shape[1:])
            refuse_infinity(whole, f"modality {name!r}", gaps, columns, row)
            raise ValueError(
                f"modality {name!r} contains NaN in {np.isnan(sample).sum()} of {sample.size} "
                f"elements of sample {row}, but missing_values is 'error': a missing modality is "
                "NaN in all elements; fill in single values, set the whole sample of this modality "
                "to NaN, or use missing_values='marginalize'."
            )
        refuse_on_disk(array, "is NaN in a part of its elements")
        if elements is None:
            elements = np.ones(flat.shape, dtype=bool)
        elements[rows.start + broken] = finite[broken]
    if elements is not None:
        elements[missing] = False
    return missing, elements


def refuse_infinity(
    given: Unchecked, what: str, gaps: bool = False, columns: Sequence | None = None, begin: int = 0
) -> None:
    """Raise where an array-like of numbers contains infinity, and say where; rows have numbers."""
    array = as_array(given, what)
    if array.dtype.kind not in ("f", "O") or array.ndim < 2:
        return
    try:
        flat = flat_rows(array).astype(np.float64, copy=False)
    except (TypeError, ValueError):  # no numbers, of which others tell
        return
    rows = np.flatnonzero(np.isinf(flat).any(axis=1))
    if not len(rows):
        return
    elements = np.flatnonzero(np.isinf(flat[rows[0]]))
    first, more = int(elements[0]), f" (and {len(elements) - 1} more)" if len(elements) > 1 else ""
    where = f"column {first}" if columns is None else f"column {columns[first]!r}"
    if array.ndim > 2:
        where = f"element {list(map(int, np.unravel_index(first, array.shape[1:])))}"
    remedy = (
        "or NaN where a value is not known, as by np.where(np.isinf(array), np.nan, array)"
        if gaps
        else "or NaN in all elements of a sample whose modality is missing"
    )
    raise ValueError(
        f"{what} contains infinity in sample {begin + int(rows[0])}, {where}{more}: expected "
        f"finite numbers, {remedy}."
    )


def without_missing(array: Rows, missing: np.ndarray, elements: np.ndarray | None = None) -> Rows:
    """Return a read-only array whose missing samples and elements are 0."""
    if isinstance(array, OnDisk):
        return replace(array, missing=missing)
    if missing.any() or elements is not None:
        array = array.copy()
        array[missing] = 0.0
    if elements is not None:
        flat_rows(array)[~elements] = 0.0
    array = array.view()
    array.flags.writeable = False
    return array


def needs_values(estimator: BaseEstimator) -> bool:
    """Return whether nothing can be said of samples without any value: there is no prior expert."""
    return not getattr(getattr(estimator, "posterior", None), "prior_expert", True)


def rows_without_values(observed: np.ndarray) -> np.ndarray:
    """Return the numbers of the samples that have no modality."""
    return np.flatnonzero(~observed.any(axis=0))


def check_observed(
    observed: np.ndarray, names: Sequence[str], every_sample: bool, goes_on: bool = False
) -> None:
    """Check that a fit, or one that goes on, sees something of every modality.

    ``every_sample`` says whether each sample needs a value, too.
    """
    for name, present in zip(names, observed, strict=True):
        if not present.any():
            remedy = "leave it out of fit, or pass samples that have it."
            if goes_on:
                remedy = (
                    "a model that learns further would unlearn what it shows. Keep these samples "
                    "until others come that have it, and pass them together."
                )
            raise ValueError(f"modality {name!r} is missing in all samples: {remedy}")
    empty = rows_without_values(observed)
    if every_sample and len(empty):
        raise ValueError(
            f"{_nothing_in(empty)}: every sample needs at least one modality in fit; drop these "
            "rows."
        )


def check_joined(observed: np.ndarray, n_rows: int, n_without: int, earlier: bool = False) -> None:
    """Check that no more rows lack all values than are left where files were joined.

    Parameters
    ----------
    observed : ndarray of bool of shape (n_modalities, n_samples)
        True where a sample has the modality.
    n_rows, n_without : int
        How many rows were seen, and how many of these are without any value: of all ranks, and of
        earlier calls.
    earlier : bool, default=False
        Whether there are such calls.
    """
    if n_without > LARGEST_WITHOUT_VALUES * n_rows:
        seen = " seen so far" if earlier else ""
        raise ValueError(
            f"{_nothing_in(rows_without_values(observed))}: {n_without} of {n_rows} rows{seen} "
            "have no value at all, while up to a tenth may; these are not trained on. More come of "
            "a join that failed: are the modalities in the same order, under the same index? Else "
            "drop these rows."
        )


def _nothing_in(rows: np.ndarray) -> str:
    """Say that samples have no modality, and which ones."""
    listed = ", ".join(map(str, rows[:5])) + (", ..." if len(rows) > 5 else "") or "of other ranks"
    return f"no modality is observed in {len(rows)} sample(s), row(s) {listed}"


def check_observed_blocks(
    observed: Unchecked, names: Sequence[str], n_samples: int
) -> np.ndarray | None:
    """Return a mask of blocks as the user states it.

    Parameters
    ----------
    observed : array-like, mapping or None
        Of shape (n_samples, n_modalities), or by name of shape (n_samples,); booleans, or
        integers 0 and 1. Modalities that a mapping does not name are observed.
    names : sequence of str
        The modalities.
    n_samples : int
        The number of samples.

    Returns
    -------
    ndarray of shape (n_samples, n_modalities), dtype bool, or None
        Memory of its own.

    Raises
    ------
    TypeError
        If the mask holds something else.
    ValueError
        If it has another shape, or names a modality that there is not.
    """
    if observed is None:
        return None
    if not isinstance(observed, Mapping):
        return _flags(observed, (n_samples, len(names)), "observed", "(n_samples, n_modalities)")
    unknown = [name for name in observed if name not in names]
    if unknown:
        raise ValueError(
            f"observed names the modalities {unknown}, but there are {list(names)}: name only "
            "those."
        )
    mask = np.ones((n_samples, len(names)), dtype=bool)
    for name, column in observed.items():
        what = f"observed[{name!r}]"
        mask[:, names.index(name)] = _flags(column, (n_samples,), what, "(n_samples,)")
    return mask


def _flags(given: Unchecked, shape: tuple[int, ...], what: str, meaning: str) -> np.ndarray:
    """Return booleans of a shape."""
    array = as_array(given, what)
    if array.dtype.kind not in "biu" or not ((array == 0) | (array == 1)).all():
        raise TypeError(
            f"{what} has dtype {array.dtype}: expected booleans, or integers 0 and 1, that say "
            "where a sample has the modality."
        )
    if array.shape != shape:
        raise ValueError(
            f"{what} has shape {array.shape}: expected {meaning}, {shape}, True where a sample has "
            "the modality."
        )
    return np.array(array, dtype=bool)


def observed_rows(array: Kept | None, stated: np.ndarray | None, n: int) -> np.ndarray:
    """Return which samples have a modality: they are not NaN, and no mask says that they lack it.

    Parameters
    ----------
    array : ndarray of shape (n_samples, ...) or None
        The modality; None where no sample has it.
    stated : ndarray of shape (n_samples,), dtype bool, or None
        What a mask says.
    n : int
        The number of samples.

    Returns
    -------
    ndarray of shape (n_samples,), dtype bool
        True where a sample has it.
    """
    if array is None:
        return np.zeros(n, dtype=bool)
    present = ~missing_rows(array)
    return present if stated is None else present & stated


def with_nan(array: Kept, stated: np.ndarray | None) -> np.ndarray:
    """Return an array with NaN where a mask says that samples lack the modality, flattened."""
    flat = np.asarray(flat_rows(array))
    if stated is None or stated.all():
        return flat
    filled = flat.astype(np.result_type(flat.dtype, np.float32))
    filled[~stated] = np.nan
    return filled


def same_values(first: Kept | None, second: Kept | None, present: np.ndarray) -> bool:
    """Return whether two arrays are equal in the samples that have the modality."""
    if first is None or second is None:
        return first is second
    if first.shape != second.shape:
        return False
    if not present.all():
        first, second = first[present], second[present]
    return same_arrays(np.asarray(first), np.asarray(second))


def complete_enough(
    observed: np.ndarray, total_of: Callable[[np.ndarray], np.ndarray] = np.asarray
) -> np.ndarray | None:
    """Return the samples that the model is learned from; the others learn from the model.

    These are the samples with the most modalities: the complete ones if they are at least a fifth
    of all, else also those that lack one, and so on until they are a fifth.

    Parameters
    ----------
    observed : ndarray of bool of shape (n_modalities, n_samples)
        True where a sample has the modality.
    total_of : callable, default=numpy.asarray
        Returns numbers of all samples, from those of these samples.

    Returns
    -------
    ndarray of int of shape (n_chosen,) or None
        In rising order; None for all.

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima._data.missing_values import complete_enough
    >>> complete_enough(np.array([[True, True, False], [True, True, True]]))
    array([0, 1])
    >>> complete_enough(np.ones((2, 3), dtype=bool))
    """
    counts = observed.sum(axis=0)
    n_all, *n_with = total_of(np.array([observed.shape[1], *observed.sum(axis=1)])).tolist()
    for level in range(len(observed), -1, -1):
        rows = np.flatnonzero(counts >= level)
        n_rows, *n_left = total_of(np.array([len(rows), *observed[:, rows].sum(axis=1)])).tolist()
        covered = all(left > 0 for left, n in zip(n_left, n_with, strict=True) if n > 0)
        if covered and n_rows >= SMALLEST_SHARE * n_all:
            break
    return None if n_rows == n_all else rows
