r"""Over-fitted Gaussian mixtures by EM, and the merging of their components that overlap.

A log-density is linear in the products of a point's coordinates, and so are the sums of the M step.
With these products at hand, an iteration is two matrix products and an exponential: more than ten
times as fast as :class:`sklearn.mixture.GaussianMixture`, of which these are the same iterates.
"""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass

import numpy as np
from sklearn.cluster import kmeans_plusplus

from .margins import ISOLATED_LIFT, LEAST_CLUSTER, SPLIT_LIFT

REG_COVAR = 1e-3  # of the unit variances of the scaled points
_MAX_ITER = 100
_TOL = 1e-3  # rise of the mean log-density, in nats, below which EM ends
_BLOCK_ROWS = 8192  # points whose products are held at a time


@dataclass(frozen=True, kw_only=True)
class Mixture:
    """A mixture as a linear map of products of coordinates.

    Parameters
    ----------
    coefficients : ndarray of shape (n_components, n_products)
        From the products of a point to the logarithms of its density under each component, times
        the component's weight.
    """

    coefficients: np.ndarray

    def responsibilities(self, points: np.ndarray) -> np.ndarray:
        """Return the probabilities of the components, (n_points, n_components)."""
        probabilities = np.empty((len(points), len(self.coefficients)))
        for start in range(0, len(points), _BLOCK_ROWS):
            block = slice(start, start + _BLOCK_ROWS)
            probabilities[block] = normalized(self.coefficients @ products(points[block]))[0].T
        return probabilities


def fit_mixture(rows: np.ndarray, n_components: int, seed: int) -> Mixture:
    """Fit a mixture that begins with a narrow component at each of the points of k-means++.

    Parameters
    ----------
    rows : ndarray of shape (n_rows, n_features)
        Points of about unit variance around the origin.
    n_components : int
        At most the number of rows.
    seed : int
        Of the points that it begins at.

    Returns
    -------
    Mixture
        After at most 100 iterations: that it has not converged to the last digit is no matter.

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima._clustering.over_fitted import fit_mixture
    >>> rows = np.repeat([[-1.0], [1.0]], 20, axis=0)
    >>> bool(fit_mixture(rows, 2, seed=0).responsibilities(rows).max(axis=1).min() > 0.99)
    True
    """
    n_features = rows.shape[1]
    means, _ = kmeans_plusplus(rows, n_components, random_state=np.random.RandomState(seed))
    covariances = np.broadcast_to(REG_COVAR * np.eye(n_features), (n_components, *[n_features] * 2))
    weights = np.full(n_components, 1.0 / n_components)
    return _fitted(weights, means, covariances, products(rows))


def mixture_of_labels(rows: np.ndarray, labels: np.ndarray) -> Mixture:
    """Fit a mixture that begins with a component for each cluster.

    Parameters
    ----------
    rows : ndarray of shape (n_rows, n_features)
        Points of about unit variance around the origin.
    labels : ndarray of int of shape (n_rows,)
        Their clusters, numbered from 0; none is empty.

    Returns
    -------
    Mixture
        After at most 100 iterations, as of :func:`fit_mixture`.

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima._clustering.over_fitted import mixture_of_labels
    >>> rows = np.array([[-1.1], [-0.9], [0.9], [1.1]])
    >>> mixture_of_labels(rows, np.array([0, 0, 1, 1])).responsibilities(rows).round(2)
    array([[1., 0.],
           [1., 0.],
           [0., 1.],
           [0., 1.]])
    """
    moments = products(rows)
    responsibilities = np.eye(labels.max() + 1)[labels].T
    return _fitted(*m_step(responsibilities, moments, rows.shape[1]), moments)


def _fitted(
    weights: np.ndarray, means: np.ndarray, covariances: np.ndarray, moments: np.ndarray
) -> Mixture:
    """Iterate EM from a first mixture, given the products of the rows."""
    n_features = means.shape[1]
    coefficients, bound = log_densities_of(weights, means, covariances), -math.inf
    for _ in range(_MAX_ITER):
        responsibilities, log_densities = normalized(coefficients @ moments)
        coefficients = log_densities_of(*m_step(responsibilities, moments, n_features))
        previous, bound = bound, log_densities.mean()
        if abs(bound - previous) < _TOL:
            break
    return Mixture(coefficients=coefficients)


def products(points: np.ndarray) -> np.ndarray:
    """Return products of two coordinates, the coordinates, and ones, (n_products, n_points)."""
    first, second = np.triu_indices(points.shape[1])
    columns = points.T
    return np.concatenate([columns[first] * columns[second], columns, np.ones((1, len(points)))])


def normalized(logs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return responsibilities (n_components, n_points) and the logarithms of the densities.

    ``logs`` has the logarithms of weighted densities; its memory is used.
    """
    largest = logs.max(axis=0)
    np.exp(logs - largest, out=logs)
    totals = logs.sum(axis=0)
    logs /= totals
    return logs, np.log(totals) + largest


def m_step(
    responsibilities: np.ndarray, moments: np.ndarray, n_features: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return weights, means and covariances."""
    first, second = np.triu_indices(n_features)
    sums = responsibilities @ moments.T
    counts = sums[:, -1] + 10 * np.finfo(float).eps
    seconds, means = np.split(sums[:, :-1] / counts[:, None], [len(first)], axis=1)
    covariances = np.empty((len(means), n_features, n_features))
    covariances[:, first, second] = seconds - means[:, first] * means[:, second]
    covariances[:, second, first] = covariances[:, first, second]
    return counts / counts.sum(), means, covariances + REG_COVAR * np.eye(n_features)


def log_densities_of(weights: np.ndarray, means: np.ndarray, covariances: np.ndarray) -> np.ndarray:
    """Return the map from products to logarithms of weighted densities."""
    first, second = np.triu_indices(means.shape[1])
    precisions = np.linalg.inv(covariances)
    linear = np.einsum("kij,kj->ki", precisions, means)
    constants = (means * linear).sum(axis=1) + np.linalg.slogdet(covariances)[1]
    constants += means.shape[1] * math.log(2.0 * math.pi)
    squares = precisions[:, first, second] * np.where(first == second, -0.5, -1.0)
    return np.column_stack([squares, linear, np.log(weights) - 0.5 * constants])


def merge_components(
    responsibilities: np.ndarray, n_clusters: int, min_isolated: int = 1
) -> np.ndarray:
    r"""Merge the components that overlap most until n_clusters are left, or fewer that stand apart.

    The overlap of i and j is the *lift* of belonging to both,
    :math:`n \sum_d \gamma_{di} \gamma_{dj} / (N_i N_j)`: 1 for components that ignore each other,
    0 for separated ones. A merged pair's lift to a third is the average over its samples. The
    pieces of one curved cluster overlap like links of a chain, whereas the distance of their means
    (or a Fisher ratio) says that the ends of the chain are apart. Components with less than a
    hundredth of the samples, or a quarter of the mean share if that is smaller, are merged first,
    unless they overlap no other. Merging goes on
    below ``n_clusters`` where this joins only pieces of clusters and ends in clusters that do not
    overlap: then some of the cells have no samples.

    Parameters
    ----------
    responsibilities : ndarray of shape (n_samples, n_components)
        Of the over-fitted mixture.
    n_clusters : int
        At most the number of components.

    min_isolated : int, default=1
        Number of samples that a smaller cluster needs to stay because it overlaps no other.

    Returns
    -------
    ndarray of shape (n_components,)
        The cluster of each component, numbered from 0 in the order of first appearance.

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima._clustering.clusters import merge_components
    >>> chain = np.array([[0.9, 0.1, 0], [0.5, 0.5, 0], [0.1, 0.9, 0], [0, 0, 1]])
    >>> merge_components(chain, 2)
    array([0, 0, 1])
    """
    merging = _Merging(responsibilities, smallest_share(n_clusters), min_isolated)
    merging.down_to(n_clusters)
    return merging.clusters()


def merged_to_all(
    responsibilities: np.ndarray, max_clusters: int, min_isolated: int = 1
) -> dict[int, np.ndarray]:
    """Return what :func:`merge_components` does for 2 clusters to ``max_clusters``, by number.

    All of them are on one way down. There may be no more than 25, whose smallest share is one.
    """
    merging, by_number = _Merging(responsibilities, smallest_share(max_clusters), min_isolated), {}
    for n_clusters in range(max_clusters, 1, -1):
        merging.down_to(n_clusters)
        by_number[n_clusters] = merging.clusters()
    return by_number


class _Merging:
    """Components on their way to fewer and fewer clusters."""

    def __init__(self, responsibilities: np.ndarray, min_share: float, min_isolated: int) -> None:
        self.n_samples, n_components = responsibilities.shape
        self.min_count, self.min_isolated = min_share * self.n_samples, min_isolated
        self.counts = responsibilities.sum(axis=0)
        self.joint = responsibilities.T @ responsibilities
        self.members = np.arange(n_components)  # the cluster of each component
        self.alive = np.arange(n_components)  # the clusters that there are

    def down_to(self, n_clusters: int) -> None:
        """Merge until so many clusters are left, small ones first."""
        while len(self.alive) > n_clusters:
            lift = self._lift()
            small = self.counts[self.alive] < self.min_count
            small &= (lift.max(axis=1) >= ISOLATED_LIFT) | (
                self.counts[self.alive] < self.min_isolated
            )
            if small.any():
                lift[~small] = -np.inf
            self._merge(lift)

    def clusters(self) -> np.ndarray:
        """Return the cluster of each component.

        Where to merge on joins only pieces of clusters, and ends in clusters that do not overlap,
        these are returned.
        """
        rest, merged = copy.deepcopy(self), self.members
        while len(rest.alive) > 1:
            lift = rest._lift()
            largest = lift.max()
            if len(rest.alive) < len(self.alive) and largest < ISOLATED_LIFT:
                merged = rest.members.copy()
            if largest < SPLIT_LIFT:
                break
            rest._merge(lift)
        _, first, numbered = np.unique(merged, return_index=True, return_inverse=True)
        return np.argsort(np.argsort(first))[numbered]

    def _lift(self) -> np.ndarray:
        alive = self.alive
        return lift_of(self.joint[np.ix_(alive, alive)], self.counts[alive], self.n_samples)

    def _merge(self, lift: np.ndarray) -> None:
        """Merge the two clusters of the largest lift."""
        keep, drop = self.alive[list(np.unravel_index(lift.argmax(), lift.shape))]
        self.joint[keep] += self.joint[drop]
        self.joint[:, keep] += self.joint[:, drop]
        self.counts[keep] += self.counts[drop]
        self.members[self.members == drop] = keep
        self.alive = self.alive[self.alive != drop]


def lift_of(joint: np.ndarray, counts: np.ndarray, n_samples: int) -> np.ndarray:
    """Return co-membership relative to chance, -inf on the diagonal."""
    safe = np.maximum(counts, 1e-12)
    lift = joint * n_samples / (safe[:, None] * safe)
    np.fill_diagonal(lift, -np.inf)
    return lift


def smallest_share(n_clusters: int) -> float:
    """Return the share of the samples below which a cluster is doubtful: 1 %, less if many."""
    return min(LEAST_CLUSTER, 0.25 / n_clusters)
