"""Clusters that an estimator of the user's finds, as many as there are cells."""

from __future__ import annotations

import math
import warnings

import numpy as np
from scipy.spatial.distance import cdist
from sklearn import config_context
from sklearn.base import clone

from .._base.grid import n_effects
from .._base.types import Clusterer, Unchecked
from ..exceptions import ArrangementWarning, InstabilityWarning
from .arrangement import means_of_labels
from .clusters import Clustering, describe
from .margins import FEW_CELLS
from .over_fitted import Mixture, log_densities_of, m_step, merge_components, products


def clusters_of_estimator(
    clusterer: Clusterer,
    scores: np.ndarray,
    node_sizes: tuple[int, ...],
    rng: np.random.RandomState,
) -> tuple[Clustering, float]:
    """Return the clusters of samples that an estimator finds.

    It is cloned, and fitted to principal scores. Where it has parameters ``random_state`` of None,
    these are seeded. What it calls noise (-1) belongs to the cluster of the nearest mean. More
    clusters than there are cells are merged as the components of an over-fitted mixture are, by
    how far Gaussians of their means and covariances overlap.

    Parameters
    ----------
    clusterer : estimator
        Has ``fit_predict``.
    scores : ndarray of shape (n_samples, n_scores)
        Principal scores by falling variance; columns of zeros are left out.
    node_sizes : tuple of int
        Number of outcomes of each node.
    rng : RandomState
        For seeds.

    Returns
    -------
    clustering : Clustering
        No more clusters than there are cells.
    agreement : float
        How far other clusterings agree with it: the estimator's ``agreement_``, NaN if it has none.

    Raises
    ------
    ValueError
        If it finds fewer clusters than there are cells, or no label for each sample, or clusters
        are not laid on grids of so many cells.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.cluster import KMeans
    >>> from skcausalpima._clustering.clusters_of_estimator import clusters_of_estimator
    >>> scores, rng = np.array([[0.0], [0.1], [5.0], [5.1]]), np.random.RandomState(0)
    >>> clusters_of_estimator(KMeans(2), scores, (2,), rng)[0].occupancy
    array([0.5, 0.5])
    """
    name, n_cells = type(clusterer).__name__, math.prod(node_sizes)
    if len(node_sizes) > 1 and n_cells > FEW_CELLS:
        raise ValueError(
            f"init={name}(..) finds clusters before they are laid on the grid, which takes too "
            f"long for more than {FEW_CELLS} cells, and there are {n_cells}: use init='arranged', "
            "which finds the nodes of such grids first, or fewer or smaller nodes."
        )
    points = scores[:, scores.any(axis=0)] if scores.any() else scores[:, :1]
    estimator = _seeded(clone(clusterer), rng)
    with warnings.catch_warnings(), config_context(skip_parameter_validation=False):
        for category in (ArrangementWarning, InstabilityWarning):  # of which the fit itself tells
            warnings.simplefilter("ignore", category)
        labels = _numbered(estimator.fit_predict(points), points, name)
    n_clusters = int(labels.max()) + 1
    if n_clusters < n_cells:
        raise ValueError(
            f"init={name}(..) has found {n_clusters} clusters for {n_cells} cells of "
            f"node_sizes={node_sizes}: let it find at least as many (more are merged), or use "
            "fewer or smaller nodes."
        )
    if n_clusters > n_cells:
        labels = _merged(labels, points[:, : 2 * n_effects(node_sizes)], n_cells)
    one_hot = np.eye(int(labels.max()) + 1)[labels]
    clustering = describe(one_hot, points, f"{name} with {n_clusters} clusters")
    return clustering, float(getattr(estimator, "agreement_", math.nan))


def _seeded(estimator: Clusterer, rng: np.random.RandomState) -> Clusterer:
    """Return an estimator whose random states are seeded where nobody has stated them."""
    unset = sorted(
        name
        for name, value in estimator.get_params().items()
        if name.split("__")[-1] == "random_state" and value is None
    )
    return estimator.set_params(**{name: int(rng.randint(2**31 - 1)) for name in unset})


def _numbered(raw: Unchecked, points: np.ndarray, name: str) -> np.ndarray:
    """Return the cluster of each sample, numbered from 0; noise goes to the nearest mean."""
    raw = np.asarray(raw)
    if raw.shape != (len(points),):
        raise ValueError(
            f"fit_predict of init={name}(..) has returned labels of shape {raw.shape} for "
            f"{len(points)} samples: expected a label for each sample."
        )
    is_noise = raw == -1 if raw.dtype.kind in "iuf" else np.zeros(len(points), dtype=bool)
    if is_noise.all():
        return np.zeros(len(points), dtype=np.int64)
    labels = np.zeros(len(points), dtype=np.int64)
    labels[~is_noise] = np.unique(raw[~is_noise], return_inverse=True)[1]
    if is_noise.any():
        means, _ = means_of_labels(labels[~is_noise], points[~is_noise], int(labels.max()) + 1)
        labels[is_noise] = cdist(points[is_noise], means).argmin(axis=1)
    return labels


def _merged(labels: np.ndarray, points: np.ndarray, n_cells: int) -> np.ndarray:
    """Return the labels of no more than so many clusters, each of one or several that overlap."""
    scaled = (points - points.mean(axis=0)) / np.where(
        points.std(axis=0) > 0, points.std(axis=0), 1
    )
    one_hot = np.eye(int(labels.max()) + 1)[labels].T
    weights, means, covariances = m_step(one_hot, products(scaled), scaled.shape[1])
    mixture = Mixture(coefficients=log_densities_of(weights, means, covariances))
    return merge_components(mixture.responsibilities(scaled), n_cells)[labels]
