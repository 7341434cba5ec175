"""Samples that nothing else is like: farther from their neighbours than kinds are wide.

A few samples with far more noise than the others draw principal scores and clusters to themselves
and widen the noise of all. They are known before anything is learned, by their nearest neighbours:
a rare kind, however far off, has samples that are like each other; what has none is set aside.
"""

from __future__ import annotations

import numpy as np
from sklearn.neighbors import NearestNeighbors

from .on_disk import OnDisk
from .units import is_table
from .validation import Modalities

#: Samples whose distances to all others are looked at (arbitrary).
N_REFERENCE = 500

#: A sample is alone from so many times the width of a kind on. In the modalities of the benchmarks
#: whose noise has no heavy tails the largest distance is 2.3 widths; of samples that have eight
#: times the noise of six columns .9 to 1 are farther off, of those that have three times .1.
FAR = 3.0

#: From so many widths on samples are in the tail of a kind. Where these are more than half as many
#: as those alone, all are the tail of one distribution: heavy tails (of powers, of exponentials of
#: Gaussians) have as many, or more, and without those alone eight of 39 such families of
#: ``benchmarks/families.py`` were worse by .02 to 1.0. Of twelve times the noise there are none.
TAIL, MOST_IN_TAIL = 1.5, 0.5

#: Which of the nearest samples is to be so far off: kinds of three samples and more stay.
KTH = 2

#: Fewer samples have no side on which they lie.
LEAST_OF_KIND = 3

#: Samples of a cell, on average and at least, for the width of a kind to be told (arbitrary).
LEAST_OF_CELL = 10

#: Farther off is as far: squares of more have no place in single precision (arbitrary).
MOST_UNITS = 1e12

#: Share of the samples beyond which they are no outliers, but what the data are like (arbitrary).
LARGEST_SHARE = 0.1


def outlying_rows(
    modalities: Modalities, rows: np.ndarray, counts: np.ndarray, n_cells: int
) -> np.ndarray:
    r"""Return the samples that are alone in some modality.

    The width of a kind is the distance within which half of a cell lies on average,
    :math:`s = \operatorname{median}_i d_i(n / 2C)` for n samples and C cells, with :math:`d_i(k)`
    the distance to the k-th nearest sample. A sample is alone if :math:`d_i(2) > 3 s`, unless more
    than half as many lie at 1.5 to 3 s (a tail), or all that are alone lie on one side (a kind).
    Columns of tables have units of their own, and what is missing counts as the rest of its sample
    does.

    Parameters
    ----------
    modalities : Modalities
        The data. What is on disk, and columns of words and other kinds, are not asked.
    rows : ndarray of int of shape (n_rows,)
        Those of the samples that are trained on, each of which differs from the others.
    counts : ndarray of shape (n_rows,)
        For how many samples each counts.
    n_cells : int
        How many kinds of samples there may be.

    Returns
    -------
    ndarray of int of shape (n_outlying,)
        Some of the rows; none where they are more than a tenth of the samples, where samples are
        of several contexts, whose kinds differ, or where ranks have further ones.
    """
    none, is_alone = rows[:0], np.zeros(len(rows), dtype=bool)
    if modalities.contexts.labels or modalities.ranks.are_several:
        return none
    for m, array in enumerate(modalities.arrays):
        if array is None or isinstance(array, OnDisk) or modalities.columns[m] is not None:
            continue
        present = np.flatnonzero(modalities.observed[m, rows])
        if len(present) < LEAST_OF_CELL * n_cells:
            continue
        values = np.asarray(array)[rows[present]].reshape(len(present), -1)
        elements = None if modalities.elements is None else modalities.elements[m]
        if elements is not None:
            values = np.where(elements[rows[present]], values, np.nan)
            values = values[:, elements[rows[present]].any(axis=0)]
        values = in_units_of_deviation(values, is_table(modalities, m))
        is_alone[present[alone(values, n_cells, counts[present])]] = True
    if counts[is_alone].sum() > LARGEST_SHARE * counts.sum():
        return none
    return rows[is_alone] if _show_everything(modalities, rows[~is_alone]) else none


def alone(values: np.ndarray, n_cells: int, counts: np.ndarray | None = None) -> np.ndarray:
    """Return the numbers of the samples that no other ones are near to.

    Parameters
    ----------
    values : ndarray of shape (n_samples, n_columns)
        Different samples; NaN where an element is missing.
    n_cells : int
        How many kinds of samples there may be.
    counts : ndarray of shape (n_samples,), default=None
        For how many samples each counts; None for one.

    Returns
    -------
    ndarray of int of shape (n_alone,)
        In rising order.

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima._data.outliers import alone
    >>> x = np.random.default_rng(0).normal(size=(300, 6)) + 9.0 * (np.arange(300) % 2)[:, None]
    >>> x[[7, 9]] *= -12.0
    >>> x[[100, 102, 104]] += 50.0
    >>> alone(x, 2)
    array([7, 9])
    """
    order = np.random.RandomState(0).permutation(len(values))
    reference, others = order[:N_REFERENCE], order[N_REFERENCE:]
    half_of_cell = len(reference) // (2 * n_cells)
    if 2 * half_of_cell < LEAST_OF_CELL:
        return order[:0]
    distances = _neighbours(values, half_of_cell, reference).kneighbors()[0]
    # samples that share no column are at no distance: as far off as can be
    width, near = np.median(np.nan_to_num(distances[:, -1], nan=np.inf)), np.empty(len(values))
    near[reference] = distances[:, KTH - 1]
    if len(others):
        nearest = _neighbours(values, KTH, reference)
        near[others] = nearest.kneighbors(values[others])[0][:, -1]
    suspects = np.flatnonzero(near > FAR * width)
    if width == 0.0 or not 0 < len(suspects) <= LARGEST_SHARE * len(values):
        return order[:0]
    # all samples tell, not the reference alone; each is the nearest to itself
    distances, rows = _neighbours(values, KTH + 1).kneighbors(values[suspects])
    weights = np.ones(len(values)) if counts is None else counts
    n_near = np.where(distances <= FAR * width, weights[rows], 0.0).sum(axis=1)
    suspects = suspects[n_near <= KTH]
    n_in_tail = ((near > TAIL * width) & (near <= FAR * width)).sum()
    if n_in_tail > MOST_IN_TAIL * len(suspects) or _is_kind(values, reference, suspects):
        return order[:0]
    return suspects


def _neighbours(
    values: np.ndarray, k: int, among: np.ndarray | slice = slice(None)
) -> NearestNeighbors:
    """Return who finds so many nearest ones among some rows, for any row, by what both have."""
    metric = "nan_euclidean" if np.isnan(values).any() else "euclidean"
    return NearestNeighbors(n_neighbors=k, metric=metric, algorithm="brute").fit(values[among])


def _is_kind(values: np.ndarray, reference: np.ndarray, suspects: np.ndarray) -> bool:
    """Return whether samples lie on one side of the others: a kind of more spread, not noise.

    Steps from the nearest of the others have directions, whose squared cosines are 1 / d in the
    mean where d columns are noise, and 1 along a line: beyond the middle of these it is a kind.
    """
    others = np.setdiff1d(reference, suspects)
    if len(suspects) < LEAST_OF_KIND or not len(others):
        return False
    nearest = _neighbours(values, 1, others).kneighbors(values[suspects])[1][:, 0]
    steps = np.nan_to_num(values[suspects] - values[others[nearest]])
    steps /= np.maximum(np.linalg.norm(steps, axis=1, keepdims=True), np.finfo(steps.dtype).tiny)
    n = len(suspects)
    aligned = (np.square(steps @ steps.T).sum() - n) / (n * (n - 1))
    return bool(aligned > 0.5 * (1.0 + 1.0 / values.shape[1]))


def in_units_of_deviation(values: np.ndarray, by_column: bool = True) -> np.ndarray:
    """Return columns in units of mean absolute deviation; NaN is missing.

    That of each column from its median, or that of all together from their means, which is quicker
    and as good for distances; what is more units off than squares hold is cut.
    """
    centre = np.nanmedian if by_column else np.nanmean
    with np.errstate(over="ignore", invalid="ignore"):  # numbers that a fit refuses
        off = values - centre(values, axis=0)
        deviation = np.nanmean(np.abs(off), axis=0 if by_column else None, dtype=np.float64)
        unit = np.where((deviation > 0.0) & np.isfinite(deviation), deviation, 1.0)
        return np.clip(off / unit.astype(off.dtype), -MOST_UNITS, MOST_UNITS)


def _show_everything(modalities: Modalities, rows: np.ndarray) -> bool:
    """Return whether each modality, and each of its elements, is observed in some of the rows."""
    masks = [mask[rows] for mask in modalities.elements or () if mask is not None]
    return all(mask.any(axis=0).all() for mask in (modalities.observed.T[rows], *masks))
