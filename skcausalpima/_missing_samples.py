"""Samples that miss a modality: found by their NaN, stored as zeros."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ._modality_arrays import flat_rows, missing_rows, row_blocks


def missing_samples(array: np.ndarray, name: str) -> np.ndarray:
    """Return which samples are NaN in all elements; any other NaN or infinity is an error."""
    flat, missing = flat_rows(array), missing_rows(array)
    for rows in row_blocks(*flat.shape):
        finite = np.isfinite(flat[rows])
        if finite.all():
            continue
        broken = np.flatnonzero(~finite.all(axis=1) & ~missing[rows])
        if broken.size > 0:
            row = rows.start + int(broken[0])
            _raise_broken(flat[row], name, row)
    return missing


def _raise_broken(sample: np.ndarray, name: str, row: int) -> None:
    """Say which elements of a sample are not finite."""
    if np.isinf(sample).any():
        raise ValueError(
            f"modality {name!r} contains infinity in sample {row}: expected finite numbers (or "
            "NaN in all elements of a sample whose modality is missing)."
        )
    raise ValueError(
        f"modality {name!r} contains NaN in {np.isnan(sample).sum()} of {sample.size} elements "
        f"of sample {row}: a missing modality is NaN in all elements; fill in single values, or "
        "set the whole sample of this modality to NaN."
    )


def without_missing(array: np.ndarray, missing: np.ndarray) -> np.ndarray:
    """Return a read-only array whose missing samples are 0."""
    if missing.any():
        array = array.copy()
        array[missing] = 0.0
    array = array.view()
    array.flags.writeable = False
    return array


def check_observed(observed: np.ndarray, names: Sequence[str]) -> None:
    """Check that a fit sees something of every modality and of every sample."""
    for name, present in zip(names, observed, strict=True):
        if not present.any():
            raise ValueError(
                f"modality {name!r} is missing (NaN) in all samples: leave it out of fit."
            )
    empty = np.flatnonzero(~observed.any(axis=0))
    if empty.size > 0:
        listed = ", ".join(map(str, empty[:5])) + (", ..." if empty.size > 5 else "")
        raise ValueError(
            f"no modality is observed in {empty.size} sample(s), row(s) {listed}: every sample "
            "needs at least one modality in fit; drop these rows."
        )
