"""Means, standard deviations and extremes of columns, and the units that follow from them."""

from __future__ import annotations

import numpy as np

from .arrays import value_blocks
from .on_disk import Kept, OnDisk
from .ranks import Ranks
from .units import MAX_DEVIATION


def moments(
    flat: Kept, weights: np.ndarray, ranks: Ranks
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return weighted mean and standard deviation of each column, in float64 and two passes.

    The third is the largest distance of a value that counts from the mean. They are those of the
    rows of all ranks. The standard deviation of a column that varies by no more than rounding is 0.
    """
    width = flat.shape[1]
    total = ranks.sum(weights.sum())
    if total <= 0:
        return np.zeros(width), np.zeros(width), np.zeros(width)
    sums, _, largest = _sums(flat, weights, ranks, np.zeros(width), np.ones(width))
    mean, unknown = sums / total, np.full(width, np.inf)
    if not np.isfinite(mean).all():
        return mean, unknown, unknown
    # A power of two: dividing by it is exact, and squares neither overflow nor underflow.
    unit = np.ldexp(1.0, np.frexp(largest)[1] - 1)
    first, second, farthest = _sums(flat, weights, ranks, mean, unit)
    if not np.isfinite(second).all():
        return mean, unknown, unknown
    shift = first / total  # what rounding left in the mean
    variance = np.maximum(second / total - shift**2, 0.0)
    mean = mean + shift * unit
    n_rows = int(ranks.sum(np.array(len(flat))))
    variance[variance <= (_rounding(flat, n_rows) * np.abs(mean) / unit) ** 2] = 0.0
    return mean, np.sqrt(variance) * unit, farthest * unit


def _sums(
    flat: Kept, weights: np.ndarray, ranks: Ranks, centre: np.ndarray, unit: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return weighted sums of (x - centre) / unit, of its squares, and the largest size of it.

    They may be infinite, which the caller checks.
    """
    first, second, largest = np.zeros((3, flat.shape[1]))
    with np.errstate(over="ignore", invalid="ignore"):
        for rows, values in value_blocks(flat):
            centred = (values - centre) / unit
            first += weights[rows] @ centred
            second += weights[rows] @ np.square(centred)
            counted = np.abs(centred[weights[rows] > 0])
            largest = np.maximum(largest, counted.max(axis=0, initial=0.0))
    return ranks.sum(first), ranks.sum(second), np.max(ranks.of_all(largest), axis=0)


def moments_of_observed(
    flat: Kept, weights: np.ndarray, elements: np.ndarray | None, ranks: Ranks
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the same where elements are missing: each column by its observed elements."""
    if not ranks.largest(elements is not None) or isinstance(flat, OnDisk):
        return moments(flat, weights, ranks)
    if elements is None:  # here; other ranks have gaps
        elements = np.ones(flat.shape, dtype=bool)
    columns = zip(flat.T, elements.T, strict=True)
    parts = [moments(column[:, None], weights * seen, ranks) for column, seen in columns]
    means, spreads, farthest = map(np.concatenate, zip(*parts, strict=True))
    return means, spreads, farthest


def _rounding(flat: Kept, n_rows: int) -> float:
    """Return the standard deviation, relative to the mean, that rounding alone can cause.

    In the data, a few units in the last place; in the two passes, n * eps for the mean, of which
    the second pass corrects all but a share n * eps in the variance. (scikit-learn's
    _is_constant_feature does not correct, and has n * eps.)
    """
    eps = np.finfo(np.float64).eps
    return max(4.0 * np.finfo(flat.dtype).eps, 100.0 * eps, (n_rows * eps) ** 1.5)


def unit_of(spread: np.ndarray, farthest: np.ndarray, word: str) -> np.ndarray | float:
    """Return the divisor from standard deviations and largest ones; 1 where nothing varies."""
    if word == "feature":
        return np.where(spread > 0, np.maximum(spread, farthest / MAX_DEVIATION), 1.0)
    largest = spread.max()
    if largest == 0 or not np.isfinite(largest):
        return 1.0 if largest == 0 else float(largest)
    return float(largest * np.sqrt(np.mean(np.square(spread / largest))))
