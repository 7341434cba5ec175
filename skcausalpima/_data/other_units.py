"""Samples that arrive in other units than those of the fit."""

from __future__ import annotations

import numpy as np

from .._base.warn import warn_caller
from .scaling import ModalityScaler
from .validation import Modalities

#: No ordinary batch lies so many standard deviations of the fit from its means. In 720 fits to 1000
#: rows (normal, heavy-tailed, skewed, counts, in one or many units) the farthest of batches of 50
#: further rows, one cell, one row, the first and last rows of sorted ones, or a kind that has one
#: row of 1000, was at 32. The nearest that was multiplied by 1000 was at 95, unless half were 0.
FARTHEST = 50.0

_ROWS = 1024  # at a time (arbitrary)


def distance_of_half(scaler: ModalityScaler, samples: Modalities, m: int) -> float:
    """Return how many standard deviations of a fit half of the rows are from its means, or more.

    A row is as far as the root of the mean square of the elements that it has.
    """
    found = [np.zeros(0)]
    for block in samples.blocks(_ROWS):
        scaled = scaler.transform_one(block, m).astype(np.float64)
        n_elements = (~block.missing_elements(m)).reshape(scaled.shape).sum(axis=1)
        with np.errstate(over="ignore"):  # then they are far
            squares = np.square(scaled).sum(axis=1)
        found.append(np.sqrt(squares / np.maximum(n_elements, 1))[block.observed[m]])
    distances = np.concatenate(found)
    return float(np.median(distances)) if len(distances) else 0.0


def warn_of_other_units(scaler: ModalityScaler, samples: Modalities) -> None:
    """Warn where modalities that are scaled are farther away than any ordinary samples."""
    for m, name in enumerate(samples.names):
        far = distance_of_half(scaler, samples, m) if scaler.words[m] is not None else 0.0
        if far > FARTHEST:
            warn_caller(
                f"Half of these samples are {far:.2g} standard deviations or more from the mean of "
                f"modality {name!r} in the first call, whose units stay: are these in other ones? "
                "What is learned from them cannot be taken back: save the estimator before "
                "partial_fit, and multiply these samples to the units of the first call."
            )
