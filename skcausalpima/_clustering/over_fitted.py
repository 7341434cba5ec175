"""Gaussian mixtures with whole covariance matrices by EM, of many small components or of few.

A log-density is linear in the products of a point's coordinates, and so are the sums of the M step.
With these products at hand, an iteration is two matrix products and an exponential: more than ten
times as fast as :class:`sklearn.mixture.GaussianMixture`, of which these are the same iterates.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from sklearn.cluster import kmeans_plusplus

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
        found = np.empty((len(points), len(self.coefficients)))
        for start in range(0, len(points), _BLOCK_ROWS):
            block = slice(start, start + _BLOCK_ROWS)
            found[block] = normalized(self.coefficients @ products(points[block]))[0].T
        return found


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
