"""Clusterings that are found again in other samples: how far those of parts of them agree."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from sklearn.cluster import KMeans

from .._held_out.matching import rand_indices
from .._held_out.units import Units
from .clusters import max_components
from .margins import COMPONENTS_PER_CLUSTER, ROWS_OF_ISOLATED
from .over_fitted import fit_mixture, merged_to_all

#: Parts that clusters are found in, and how much of the samples each of them has.
N_PARTS, PART = 3, 0.8

#: Components of a mixture at most, and runs of k-means of which the best one counts.
MAX_COMPONENTS, N_RUNS = 96, 3

#: Numbers of leading scores that mixtures are fitted to.
DIMENSIONS = (1, 2, 3, 4, 5, 6, 8, 10, 12)


class Agreed(NamedTuple):
    """Clusters that parts of the samples agree on so far.

    Parameters
    ----------
    agreement : float
        Mean adjusted Rand index of the clusterings that were found in two parts.
    labels : ndarray of shape (n_samples,)
        The clustering that the others agree with most.
    """

    agreement: float
    labels: np.ndarray


def agreed_mixtures(
    scores: np.ndarray, max_clusters: int, rng: np.random.RandomState, units: Units
) -> dict[tuple[int, int], Agreed]:
    """Merge mixtures of the first scores to all numbers of clusters, in several parts.

    Parameters
    ----------
    scores : ndarray of shape (n_samples, n_scores)
        Principal scores by falling variance; columns of zeros come last.
    max_clusters : int
        Largest number of clusters.
    rng : RandomState
        For parts and starts.
    units : Units
        What samples belong to; parts keep them together.

    Returns
    -------
    dict of (int, int) to Agreed
        By number of scores, and number of clusters. What too few samples could tell is left out,
        and so is what ends in fewer clusters.

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima._clustering.found_again import agreed_mixtures
    >>> from skcausalpima._held_out.units import Units
    >>> rng = np.random.RandomState(0)
    >>> points = np.repeat([[0.0, 0.0], [9.0, 0.0], [0.0, 9.0]], 50, axis=0)
    >>> points += rng.normal(size=points.shape)
    >>> agreed_mixtures(points, 4, rng, Units(150))[2, 3].agreement
    1.0
    """
    parts, agreements = [units.some(rng, PART) for _ in range(N_PARTS)], {}
    for n_dims in (number for number in DIMENSIONS if number <= scores.shape[1]):
        points = scores[:, :n_dims] - scores[:, :n_dims].mean(axis=0)
        deviations = points.std(axis=0)
        room = max_components(min(map(len, parts)), n_dims)
        if room < 4 or deviations[-1] <= 1e-9 * deviations[0]:
            break
        points /= deviations
        n_components = min(room, COMPONENTS_PER_CLUSTER * max_clusters, MAX_COMPONENTS)
        mixtures = [
            fit_mixture(points[part], n_components, rng.randint(2**31 - 1)) for part in parts
        ]
        responsibilities = [mixture.responsibilities(points) for mixture in mixtures]
        most = min(max_clusters, room // 2)
        merged = [
            merged_to_all(shares, most, ROWS_OF_ISOLATED * n_dims) for shares in responsibilities
        ]
        for n_clusters in range(2, most + 1):
            pairs = zip(responsibilities, merged, strict=True)
            labels = [_labels(shares, clusters[n_clusters]) for shares, clusters in pairs]
            if all(len(np.unique(numbers)) == n_clusters for numbers in labels):
                agreements[n_dims, n_clusters] = _agreed(labels)
    return agreements


def agreed_kmeans(
    scores: np.ndarray, max_clusters: int, rng: np.random.RandomState, units: Units
) -> dict[int, Agreed]:
    """Return what k-means of all scores finds in several parts, by number of clusters."""
    parts = [units.some(rng, PART) for _ in range(N_PARTS)]
    n_distinct = min(len(np.unique(scores[part].round(9), axis=0)) for part in parts)
    agreements = {}
    for n_clusters in range(2, min(max_clusters, n_distinct - 1) + 1):
        runs = [
            KMeans(n_clusters, n_init=N_RUNS, random_state=rng).fit(scores[part]) for part in parts
        ]
        agreements[n_clusters] = _agreed([run.predict(scores) for run in runs])
    return agreements


def _labels(responsibilities: np.ndarray, merged: np.ndarray) -> np.ndarray:
    """Return the likeliest clusters of samples, given those of components."""
    return (responsibilities @ np.eye(merged.max() + 1)[merged]).argmax(axis=1)


def _agreed(labels: Sequence[np.ndarray]) -> Agreed:
    """Compare clusterings of the same samples."""
    with_others = (rand_indices(labels).sum(axis=1) - 1.0) / (len(labels) - 1)
    return Agreed(float(with_others.mean()), labels[with_others.argmax()])
