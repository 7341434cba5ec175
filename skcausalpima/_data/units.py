"""Units of columns, one for images and curves, one each in most tables, and their moments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias, cast

import numpy as np

from .arrays import flat_rows, value_blocks
from .element_axes import names_of_elements
from .on_disk import Kept, OnDisk
from .ranks import Ranks
from .validation import Modalities

#: Fewest points of a curve.
MIN_LENGTH = 16

#: Largest share of the variance of a curve's points that may be news beside their neighbours.
MAX_NEWS = 0.5

#: Columns of one unit, where they are few, have standard deviations within this factor.
MAX_RANGE = 10.0

#: No element of a modality that is scaled column by column is farther from its mean: a column in
#: which nearly all values are equal would be blown up by its own standard deviation.
MAX_DEVIATION = 20.0

#: Counts have so large a share of zeros, and a largest value so many times their mean, zeros aside.
ZEROS, TAIL = 0.2, 3.0

#: Where so many columns have the same largest value, it is the end of a scale, and none are counts.
SHARED = 3

_ROWS = 1000  # that tell a curve from a table

#: Means, standard deviations and largest distances from the mean, of columns.
Moments: TypeAlias = tuple[np.ndarray, np.ndarray, np.ndarray]


def is_curve(modalities: Modalities, m: int) -> bool:
    """Return True where neighbouring columns resemble each other, unlike those of a table.

    One less the mean correlation of neighbours, relative to the same of all pairs of columns, is
    near 1 where the order of the columns means nothing.
    """
    shape = modalities.shapes[m]
    if len(shape) != 1 or shape[0] < MIN_LENGTH:
        return False
    values = _some_rows(modalities, m)[0]
    values = values - values.mean(axis=0)
    deviations = values.std(axis=0)
    values = values[:, deviations > 0] / deviations[deviations > 0]
    if values.shape[1] < MIN_LENGTH:
        return False
    neighbours = (values[:, 1:] * values[:, :-1]).mean()
    all_pairs = np.square(values.mean(axis=1)).mean()
    return bool(1.0 - neighbours < MAX_NEWS * (1.0 - all_pairs))


def _some_rows(modalities: Modalities, m: int) -> tuple[np.ndarray, np.ndarray]:
    """Return some rows of a modality, from everywhere, flat and in float64, and what is there."""
    array = flat_rows(cast(Kept, modalities.arrays[m]))
    rows = np.flatnonzero(modalities.observed[m])
    some = np.unique(np.linspace(0, len(rows) - 1, min(len(rows), _ROWS)).astype(int))
    elements = None if modalities.elements is None else modalities.elements[m]
    values = np.nan_to_num(np.asarray(array[rows[some]]).astype(np.float64))
    return values, np.ones_like(values, bool) if elements is None else elements[rows[some]]


def count_columns(modalities: Modalities, m: int) -> list[str]:
    """Return the columns of a table that look like counts: integers, many zeros, a long tail.

    Parameters
    ----------
    modalities : Modalities
        The data.
    m : int
        Number of the modality.

    Returns
    -------
    list of str
        Names of the columns, or their numbers where they have none.
    """
    if len(modalities.shapes[m]) != 1:
        return []
    values, observed = _some_rows(modalities, m)
    n_positive, largest = (values > 0).sum(axis=0), values.max(axis=0)
    mean = values.sum(axis=0) / np.maximum(n_positive, 1)
    has_zeros = observed.sum(axis=0) - n_positive >= ZEROS * observed.sum(axis=0)
    are_counts = _are_whole(values) & has_zeros & (largest >= TAIL * mean)
    if (largest == largest.max()).sum() >= SHARED:  # the end of a scale, as of pixels and grades
        return []
    numbers, flat = np.flatnonzero(are_counts & (largest > 1)), modalities.arrays[m]
    if isinstance(flat, np.ndarray):  # all rows; those on disk are not read for this
        numbers = numbers[_are_whole(flat[:, numbers])]
    return column_labels(modalities, m, numbers)


def _are_whole(values: np.ndarray) -> np.ndarray:
    """Return which columns hold whole numbers from 0 on alone; what is missing is 0."""
    return np.asarray((values == np.round(values)).all(axis=0) & (values >= 0).all(axis=0))


def column_labels(modalities: Modalities, m: int, numbers: np.ndarray) -> list[str]:
    """Return where columns lie, or else their names, or their numbers where they have none."""
    names = column_names(modalities, m)
    return [str(k) if names is None else str(names[k]) for k in numbers.tolist()]


def column_names(modalities: Modalities, m: int) -> Sequence[str] | None:
    """Return where columns lie, or else their names; None where they have neither."""
    form, coding = modalities.form, modalities.form.tables[m].coding
    columns = form.columns[m] if m < len(form.columns) else None
    named = columns if coding is None else coding.element_names
    return names_of_elements(form.tables[m].axes, modalities.shapes[m], named)


def is_table(modalities: Modalities, m: int) -> bool:
    """Return True where samples have one axis and are no curves; the first rank decides."""
    return len(modalities.shapes[m]) == 1 and not modalities.ranks.first(is_curve(modalities, m))


def effective_columns(spread: np.ndarray) -> tuple[float, int]:
    r"""Return how many columns the variance of a table is spread over, and how many vary at all.

    The first is :math:`(\sum_j v_j)^2 / \sum_j v_j^2` of the variances :math:`v_j`: as many as
    there are where all are alike, 1 where one column has all the variance.

    Parameters
    ----------
    spread : ndarray of shape (n_columns,)
        Standard deviations.

    Returns
    -------
    effective : float
        Between 1 and the number of columns that vary; 0 where none does.
    n_varying : int
        How many vary.

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima._data.units import effective_columns
    >>> effective_columns(np.array([2.0, 2.0, 0.0]))
    (2.0, 2)
    """
    largest = float(spread.max(initial=0.0))
    if largest == 0 or not np.isfinite(largest):
        return 0.0, 0
    variances = np.square(spread / largest)
    return float(variances.sum() ** 2 / np.square(variances).sum()), int((spread > 0).sum())


def has_unlike_units(spread: np.ndarray) -> bool:
    """Return True where the columns of a table are of unlike units.

    A few of them have nearly all of its variance: the effective number of columns is below the
    root of their number, on a logarithmic scale nearer to one column than to all. Or, of fewer
    columns than a curve has points, one varies more than ``MAX_RANGE`` times as much as another,
    which would be lost in the noise of the first.
    """
    effective, n_varying = effective_columns(spread)
    if 1 < n_varying < MIN_LENGTH and spread.max() > MAX_RANGE * spread[spread > 0].min():
        return True
    return effective < np.sqrt(n_varying)


def moments(flat: Kept, weights: np.ndarray, ranks: Ranks) -> Moments:
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
) -> Moments:
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


def moments_of_observed(modalities: Modalities, k: int, weights: np.ndarray) -> Moments:
    """Return the same of a modality: each column by its observed elements."""
    flat, ranks = flat_rows(cast(Kept, modalities.arrays[k])), modalities.ranks
    elements = None if modalities.elements is None else modalities.elements[k]
    weights = weights * modalities.observed[k]
    if not ranks.largest(elements is not None) or isinstance(flat, OnDisk):
        return moments(flat, weights, ranks)
    if elements is None:  # here; other ranks have gaps
        elements = np.ones(flat.shape, dtype=bool)
    columns = zip(flat.T, elements.T, strict=True)
    parts = [moments(column[:, None], weights * mask, ranks) for column, mask in columns]
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
