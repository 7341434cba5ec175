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
    sums, largest = np.zeros(width), np.zeros(width)
    with np.errstate(over="ignore", invalid="ignore"):  # the caller checks
        for rows, values in value_blocks(flat):
            block = values.astype(np.float64)
            sums += weights[rows] @ block
            largest = np.maximum(largest, np.abs(block).max(axis=0, initial=0.0))
    sums, largest = ranks.sum(sums), np.max(ranks.of_all(largest), axis=0)
    mean = sums / total
    if not np.isfinite(mean).all():
        return mean, np.full(width, np.inf), np.full(width, np.inf)
    # A power of two: dividing by it is exact, and squares neither overflow nor underflow.
    unit = np.ldexp(1.0, np.frexp(largest)[1] - 1)
    first, second, farthest = np.zeros(width), np.zeros(width), np.zeros(width)
    with np.errstate(over="ignore", invalid="ignore"):  # the caller checks
        for rows, values in value_blocks(flat):
            centred = (values - mean) / unit
            counted = np.abs(centred[weights[rows] > 0])
            farthest = np.maximum(farthest, counted.max(axis=0, initial=0.0))
            first += weights[rows] @ centred
            second += weights[rows] @ np.square(centred)
    first, second = ranks.sum(first), ranks.sum(second)
    if not np.isfinite(second).all():
        return mean, np.full(width, np.inf), np.full(width, np.inf)
    shift = first / total  # what rounding left in the mean
    variance = np.maximum(second / total - shift**2, 0.0)
    mean = mean + shift * unit
    n_rows = int(ranks.sum(np.array(len(flat))))
    variance[variance <= (_rounding(flat, n_rows) * np.abs(mean) / unit) ** 2] = 0.0
    farthest = np.max(ranks.of_all(farthest), axis=0)
    return mean, np.sqrt(variance) * unit, farthest * unit


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
