"""What is missing in a modality: whole samples, and single elements of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sklearn.base import BaseEstimator

from .arrays import Rows, flat_rows, missing_rows, value_blocks
from .on_disk import Kept, OnDisk, refuse_on_disk


def allows_gaps(estimator: BaseEstimator) -> bool:
    """Say whether single elements of a modality may be missing: ``missing_values`` says it."""
    stated = getattr(estimator, "missing_values", "error")
    elements = getattr(stated, "elements", stated)
    return isinstance(elements, str) and elements == "marginalize"


def find_missing(
    array: Kept, name: str, stated: np.ndarray | None = None, gaps: bool = False
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
            _raise_broken(values[wrong[0]], name, rows.start + int(wrong[0]))
        refuse_on_disk(array, "is NaN in a part of its elements")
        if elements is None:
            elements = np.ones(flat.shape, dtype=bool)
        elements[rows.start + broken] = finite[broken]
    if elements is not None:
        elements[missing] = False
    return missing, elements


def _raise_broken(sample: np.ndarray, name: str, row: int) -> None:
    """Say which elements of a sample are not finite."""
    if np.isinf(sample).any():
        raise ValueError(
            f"modality {name!r} contains infinity in sample {row}: expected finite numbers (or "
            "NaN in all elements of a sample whose modality is missing)."
        )
    raise ValueError(
        f"modality {name!r} contains NaN in {np.isnan(sample).sum()} of {sample.size} elements "
        f"of sample {row}, but missing_values is 'error': a missing modality is NaN in all "
        "elements; fill in single values, set the whole sample of this modality to NaN, or use "
        "missing_values='marginalize'."
    )


def without_missing(array: Rows, missing: np.ndarray, elements: np.ndarray | None = None) -> Rows:
    """Return a read-only array whose missing samples and elements are 0."""
    if isinstance(array, OnDisk):
        return array.checked(missing)
    if missing.any() or elements is not None:
        array = array.copy()
        array[missing] = 0.0
    if elements is not None:
        flat_rows(array)[~elements] = 0.0
    array = array.view()
    array.flags.writeable = False
    return array


def check_elements(
    elements: Sequence[np.ndarray | None],
    names: Sequence[str],
    shapes: Sequence[tuple[int, ...]],
    where: str = "all samples",
) -> None:
    """Check that a fit sees every element of every modality in some sample."""
    for name, seen, shape in zip(names, elements, shapes, strict=True):
        if seen is None:
            continue
        never = np.flatnonzero(~seen.any(axis=0))
        if len(never):
            place = tuple(map(int, np.unravel_index(never[0], shape)))
            more = f" (and {len(never) - 1} more)" if len(never) > 1 else ""
            raise ValueError(
                f"element {list(place)} of modality {name!r}{more} is missing in {where}: leave it "
                "out of fit, or pass samples that have it."
            )


def check_observed(observed: np.ndarray, names: Sequence[str], goes_on: bool = False) -> None:
    """Check that a fit, or one that goes on, sees something of every modality and every sample."""
    for name, present in zip(names, observed, strict=True):
        if not present.any():
            remedy = "leave it out of fit, or pass samples that have it."
            if goes_on:
                remedy = (
                    "a model that learns further would unlearn what it shows. Keep these samples "
                    "until others come that have it, and pass them together."
                )
            raise ValueError(f"modality {name!r} is missing in all samples: {remedy}")
    empty = np.flatnonzero(~observed.any(axis=0))
    if empty.size > 0:
        listed = ", ".join(map(str, empty[:5])) + (", ..." if empty.size > 5 else "")
        raise ValueError(
            f"no modality is observed in {empty.size} sample(s), row(s) {listed}: every sample "
            "needs at least one modality in fit; drop these rows."
        )
