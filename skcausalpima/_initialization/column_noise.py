"""Columns of tables in units of their own: of their noise, or of all that varies.

A modality has one noise variance, but columns of a table have many: all variance of one that says
nothing of the clusters is within them, little of one that tells them apart. In units of the spread
within clusters one number is right for all columns. Clusters are those of a mixture with diagonal
covariances, which sees each column by its own noise.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np
from scipy.special import softmax
from sklearn.cluster import KMeans
from sklearn.mixture import GaussianMixture

from .._base.budgets import SOME_ROWS
from .._clustering.margins import (
    ALIKE_COLUMNS,
    MERGED_BY_ONE_NOISE,
    SAMPLES_PER_NUMBER,
    SPREAD_OF_HALVES,
    SURE_BY_NOISE,
)
from .._data.units import MAX_DEVIATION, effective_columns

#: How often halves of a column are sought (arbitrary).
N_ROUNDS = 10

#: Smallest spread of a column within clusters, relative to the root mean square of all.
LEAST_SPREAD = 0.1

#: Starts of the mixture (arbitrary).
N_STARTS = 3


def unlike_spreads(
    tables: Sequence[np.ndarray], masks: Sequence[np.ndarray], n_clusters: int, seed: int
) -> list[np.ndarray] | None:
    """Return how far columns spread within clusters, if one noise per table would merge these.

    Parameters
    ----------
    tables : sequence of ndarray of shape (n_samples, n_columns)
        Tables of the same samples, centred.
    masks : sequence of ndarray of shape (n_samples, n_columns)
        Where elements are observed, not filled.
    n_clusters : int
        Number of clusters.
    seed : int
        Seed of the mixture.

    Returns
    -------
    list of ndarray of shape (n_columns,), or None
        Standard deviations within clusters, relative to the root mean square over those columns of
        the table that vary, and at least ``LEAST_SPREAD``; 1 of columns that do not vary. None
        where one noise per table is enough, clusters do not lie apart, or samples are few.

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima._initialization.column_noise import unlike_spreads
    >>> rng = np.random.RandomState(0)
    >>> values = rng.normal(size=(300, 6))
    >>> values[:, 0] += 9.0 * rng.randint(2, size=300)
    >>> values = (values - values.mean(axis=0)) / values.std(axis=0)
    >>> [spread] = unlike_spreads([values], [np.ones((300, 6))], 2, seed=0)
    >>> spread.round(1)
    array([0.2, 1.1, 1.1, 1.1, 1.1, 1.1])
    """
    values, present = np.concatenate(tables, axis=1), np.concatenate(masks, axis=1)
    rows = np.flatnonzero(np.all([mask.any(axis=1) for mask in masks], axis=0))
    if len(rows) < SAMPLES_PER_NUMBER * n_clusters:
        return None
    rows = rows[np.unique(np.linspace(0, len(rows) - 1, SOME_ROWS).astype(int))]
    values, present = values[rows], present[rows]
    if len(np.unique(values, axis=0)) < SAMPLES_PER_NUMBER * n_clusters:
        return None
    numbers, deviations = np.maximum(present.sum(axis=0), 1.0), np.sqrt(variances(values, present))
    varies = deviations > 0
    clusters = _clusters(values / np.where(varies, deviations, 1.0), n_clusters, seed)
    members = np.eye(clusters.max() + 1)[clusters].T
    means = (members @ (values * present)) / np.maximum(members @ present, 1.0)
    errors = (np.square(values - means[clusters]) * present).sum(axis=0)
    within = errors / np.maximum(numbers - len(members), 1.0)
    starts = np.cumsum([table.shape[1] for table in tables])[:-1]
    spreads, levels = [], []
    for table_noise, some in zip(np.split(within, starts), np.split(varies, starts), strict=True):
        level = table_noise[some].mean() if some.any() else 0.0
        if level == 0.0:
            return None
        spreads.append(np.where(some, np.maximum(np.sqrt(table_noise / level), LEAST_SPREAD), 1.0))
        levels.append(np.full(len(table_noise), level))
    one = np.concatenate(levels)
    of_columns = one * np.square(np.concatenate(spreads))
    by_one, by_own = (_certainty(values, means, clusters, noise) for noise in (one, of_columns))
    return spreads if by_own > max(SURE_BY_NOISE, by_one + MERGED_BY_ONE_NOISE) else None


def unlike_units(
    tables: Sequence[np.ndarray], masks: Sequence[np.ndarray]
) -> list[np.ndarray] | None:
    """Return the standard deviations of columns, if those of one table are unlike.

    Parameters
    ----------
    tables, masks : sequence of ndarray of shape (n_samples, n_columns)
        As above.

    Returns
    -------
    list of ndarray of shape (n_columns,), or None
        At least a twentieth of the largest value; 1 of columns that do not vary. None where in
        each table the effective number of columns is ``ALIKE_COLUMNS`` of all that vary, or more.

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima._initialization.column_noise import unlike_units
    >>> values = np.array([[1.0, 4.0, 0.0], [-1.0, -4.0, 0.0]])
    >>> unlike_units([values], [np.ones((2, 3))])
    [array([1., 4., 1.])]
    >>> unlike_units([values[:, [0, 0]]], [np.ones((2, 2))]) is None
    True
    """
    units, are_alike = [], True
    for values, mask in zip(tables, masks, strict=True):
        spread = np.sqrt(variances(values, mask))
        effective, n_varying = effective_columns(spread)
        are_alike &= effective >= ALIKE_COLUMNS * n_varying
        unit = np.maximum(spread, np.abs(values * mask).max(axis=0) / MAX_DEVIATION)
        units.append(np.where(spread > 0, unit, 1.0))
    return None if are_alike else units


def variances(values: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Return the variances of centred columns, of what is observed, of shape (n_columns,)."""
    return np.square(values * mask).sum(axis=0) / np.maximum(mask.sum(axis=0), 1.0)


def _clusters(values: np.ndarray, n_clusters: int, seed: int) -> np.ndarray:
    """Return the clusters of samples, numbered without gaps.

    One start is from k-means on those columns that fall into halves by themselves, which many
    columns without news would hide.
    """
    mixture = functools.partial(
        GaussianMixture,
        n_clusters,
        covariance_type="diag",
        max_iter=1000,  # with tol=1e-3 nats it ends long before
        reg_covar=1e-3,
        random_state=seed,
    )
    fits = [mixture(n_init=N_STARTS).fit(values)]
    spread = _spread_within_halves(values)
    if (spread < SPREAD_OF_HALVES).any():
        apart = values[:, spread < SPREAD_OF_HALVES] / spread[spread < SPREAD_OF_HALVES]
        if len(np.unique(apart, axis=0)) > n_clusters:
            kmeans = KMeans(n_clusters, n_init=N_STARTS, random_state=seed).fit(apart)
            means = np.array([values[kmeans.labels_ == k].mean(axis=0) for k in range(n_clusters)])
            fits.append(mixture(means_init=means).fit(values))
    best = max(fits, key=lambda fit: fit.lower_bound_)
    return np.unique(best.predict(values), return_inverse=True)[1]


def _spread_within_halves(values: np.ndarray) -> np.ndarray:
    """Return the standard deviation of each column within its two halves, by k-means."""
    halves = values > 0.0
    for _ in range(N_ROUNDS):
        shares = np.clip(halves.mean(axis=0), 1e-9, 1.0 - 1e-9)
        upper = (values * halves).mean(axis=0) / shares
        lower = (values * ~halves).mean(axis=0) / (1.0 - shares)
        halves = values > (upper + lower) / 2.0
    variances = np.square(values - np.where(halves, upper, lower)).mean(axis=0)
    return np.sqrt(np.maximum(variances, LEAST_SPREAD**2))


def _certainty(
    values: np.ndarray, means: np.ndarray, clusters: np.ndarray, variances: np.ndarray
) -> float:
    """Return how probable samples' clusters are, in the mean, where columns have such a noise."""
    distances = np.square(means) @ (1.0 / variances) - 2.0 * (values / variances) @ means.T
    log_shares = np.log(np.bincount(clusters) / len(clusters))
    probabilities = softmax(log_shares - 0.5 * distances, axis=1)
    return float(probabilities[np.arange(len(clusters)), clusters].mean())
