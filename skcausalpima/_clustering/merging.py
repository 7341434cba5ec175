"""The merging of components that overlap, to as many clusters as there are cells, or fewer."""

from __future__ import annotations

import copy

import numpy as np

_MIN_SHARE = 0.01  # a smaller cluster is merged before any other
ISOLATED_LIFT = 0.02  # clusters of a smaller lift do not overlap
_SPLIT_LIFT = 0.2  # pieces of one cluster overlap at least as much


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
    merging, found = _Merging(responsibilities, smallest_share(max_clusters), min_isolated), {}
    for n_clusters in range(max_clusters, 1, -1):
        merging.down_to(n_clusters)
        found[n_clusters] = merging.clusters()
    return found


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
            if largest < _SPLIT_LIFT:
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
    return min(_MIN_SHARE, 0.25 / n_clusters)
