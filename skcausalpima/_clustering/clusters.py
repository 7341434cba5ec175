"""Finding the cells' clusters: an over-fitted mixture, overlapping components merged."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from sklearn.cluster import KMeans
from sklearn.utils import check_random_state

from .over_fitted import fit_mixture

_MAX_ROWS = 4096  # rows that a mixture is fitted to
COMPONENTS_PER_CLUSTER = 6  # a curved cluster is a chain of Gaussians
_ROWS_PER_PARAMETER = 4  # at least this many rows per component and latent dimension
_MIN_SHARE = 0.01  # a smaller cluster is merged before any other
ROWS_OF_ISOLATED = 3  # per dimension: fewer rows lie in a plane, and overlap nothing by that
ISOLATED_LIFT = 0.02  # clusters of a smaller lift do not overlap
_SPLIT_LIFT = 0.2  # pieces of one cluster overlap at least as much


@dataclass(frozen=True, kw_only=True)
class Place:
    """How sure the nodes of a grid are, where they were found before its clusters were.

    Each cluster lies in the cell of its number.

    Parameters
    ----------
    found : bool
        Whether nodes are to be trusted.
    node_agreement : ndarray of shape (n_nodes,)
        Adjusted Rand index of each node with that of another start.
    certainty : float
        How probable the likeliest outcome of a node is, in the mean.
    """

    found: bool
    node_agreement: np.ndarray
    certainty: float


@dataclass(frozen=True, kw_only=True)
class Clustering:
    """One way to cut the samples into clusters.

    Parameters
    ----------
    responsibilities : ndarray of shape (n_samples, n_clusters)
        Probabilities of the clusters; rows sum to 1.
    labels : ndarray of shape (n_samples,)
        The likeliest cluster.
    means : ndarray of shape (n_clusters, n_features)
        Means in the space in which the clusters were found.
    occupancy : ndarray of shape (n_clusters,)
        Shares of the samples.
    separation : float
        Smallest Fisher ratio of two clusters along their discriminant,
        :math:`(m_1 - m_2)^T (S_1 + S_2)^{-1} (m_1 - m_2)`; inf for one cluster.
    overlap : float
        Largest lift of two clusters (see :func:`merge_components`); 0 for one cluster.
    merged : ndarray of shape (n_components,)
        The cluster that each component of the over-fitted mixture went to.
    source : str
        How it was found.
    place : Place, default=None
        Known where clusters lie on a grid already; None where that is still to be sought.
    """

    responsibilities: np.ndarray
    labels: np.ndarray
    means: np.ndarray
    occupancy: np.ndarray
    separation: float
    overlap: float
    merged: np.ndarray
    source: str
    place: Place | None = None


def find_clusters(
    latents: np.ndarray,
    n_clusters: int,
    *,
    random_state: int | np.random.RandomState | None = None,
    n_starts: int = 1,
    rows: np.ndarray | None = None,
) -> list[Clustering]:
    """Fit an over-fitted full-covariance mixture and merge its components.

    Parameters
    ----------
    latents : ndarray of shape (n_samples, n_features)
        Points; each column is scaled to unit variance first.
    n_clusters : int
        Number of clusters to merge to; fewer come back where there are fewer distinct points, or
        where fewer do not overlap at all while so many would split one of them.
    random_state : int, RandomState or None, default=None
        Seed of all starts.
    n_starts : int, default=1
        Number of mixtures.
    rows : ndarray of int of shape (n_rows,), default=None
        Those that clusters are found in; what they are of all samples is returned.

    Returns
    -------
    list of Clustering
        One per start.

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima._clustering.clusters import find_clusters
    >>> rng = np.random.default_rng(0)
    >>> points = np.repeat([[0.0, 0.0], [9.0, 0.0], [0.0, 9.0]], 50, axis=0)
    >>> points += rng.normal(size=points.shape)
    >>> clustering = find_clusters(points, 3, random_state=0)[0]
    >>> clustering.occupancy.round(2)
    array([0.33, 0.33, 0.33])
    """
    rng = check_random_state(random_state)
    latents = np.asarray(latents, dtype=float)
    scaled = _standardised(latents)
    part = scaled if rows is None else scaled[rows]
    if len(part) > _MAX_ROWS:
        part = part[rng.choice(len(part), _MAX_ROWS, replace=False)]
    n_distinct = len(np.unique(part, axis=0))
    n_clusters = min(n_clusters, n_distinct)
    room = max_components(n_distinct, part.shape[1])
    n_components = max(n_clusters, min(COMPONENTS_PER_CLUSTER * n_clusters, room, n_distinct))
    source = f"mixture of {n_components} in {part.shape[1]} dimensions"
    clusterings = []
    for _ in range(n_starts):
        seed = rng.randint(2**31 - 1)
        components = _component_responsibilities(part, scaled, n_components, seed)
        min_isolated = ROWS_OF_ISOLATED * part.shape[1]
        merged = merge_components(components, n_clusters, min_isolated=min_isolated)
        responsibilities = components @ np.eye(merged.max() + 1)[merged]
        clusterings.append(describe(responsibilities, latents, merged, source))
    return clusterings


def kmeans_clusterings(
    points: np.ndarray,
    n_clusters: int,
    *,
    random_state: int | np.random.RandomState | None = None,
    n_starts: int = 1,
    rows: np.ndarray | None = None,
) -> list[Clustering]:
    """Return k-means clusterings, each the best of five; fewer clusters where points repeat.

    They are found in ``rows``, those of all points are returned.
    """
    rng = check_random_state(random_state)
    clusterings = []
    for _ in range(n_starts):
        seed = rng.randint(2**31 - 1)
        labels = kmeans_labels(points, n_clusters, seed, n_init=5, rows=rows)
        n_found = labels.max() + 1
        responsibilities = np.eye(n_found)[labels]
        clusterings.append(describe(responsibilities, points, np.arange(n_found), "k-means"))
    return clusterings


def kmeans_labels(
    points: np.ndarray,
    n_clusters: int,
    seed: int,
    n_init: int = 1,
    rows: np.ndarray | None = None,
) -> np.ndarray:
    """Cluster points by k-means from k-means++ starts; fewer clusters where points repeat."""
    part = points if rows is None else points[rows]
    scale = np.abs(part).max(initial=0.0)  # rounding does not tell equal points apart
    rounded = np.round(part / scale, 9) if scale > 0 else part
    n_clusters = min(n_clusters, len(np.unique(rounded, axis=0)))
    kmeans = KMeans(n_clusters, n_init=n_init, random_state=seed)
    return kmeans.fit_predict(points) if rows is None else kmeans.fit(part).predict(points)


def merge_components(
    responsibilities: np.ndarray,
    n_clusters: int,
    min_share: float | None = None,
    min_isolated: int = 1,
) -> np.ndarray:
    r"""Merge the components that overlap most until n_clusters are left, or fewer that stand apart.

    The overlap of i and j is the *lift* of belonging to both,
    :math:`n \sum_d \gamma_{di} \gamma_{dj} / (N_i N_j)`: 1 for components that ignore each other,
    0 for separated ones. A merged pair's lift to a third is the average over its samples. The
    pieces of one curved cluster overlap like links of a chain, whereas the distance of their means
    (or a Fisher ratio) says that the ends of the chain are apart. Components with less than
    ``min_share`` of the samples are merged first, unless they overlap no other. Merging goes on
    below ``n_clusters`` where this joins only pieces of clusters and ends in clusters that do not
    overlap: then some of the cells have no samples.

    Parameters
    ----------
    responsibilities : ndarray of shape (n_samples, n_components)
        Of the over-fitted mixture.
    n_clusters : int
        At most the number of components.
    min_share : float, default=None
        By default the smaller of 0.01 and a quarter of the mean share.
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
    if min_share is None:
        min_share = smallest_share(n_clusters)
    merging = _Merging(responsibilities, min_share, min_isolated)
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
        return _lift(self.joint[np.ix_(alive, alive)], self.counts[alive], self.n_samples)

    def _merge(self, lift: np.ndarray) -> None:
        """Merge the two clusters of the largest lift."""
        keep, drop = self.alive[list(np.unravel_index(lift.argmax(), lift.shape))]
        self.joint[keep] += self.joint[drop]
        self.joint[:, keep] += self.joint[:, drop]
        self.counts[keep] += self.counts[drop]
        self.members[self.members == drop] = keep
        self.alive = self.alive[self.alive != drop]


def _standardised(points: np.ndarray) -> np.ndarray:
    """Centre the columns and give them unit variance; constant ones become zero."""
    centred = points - points.mean(axis=0)
    scale = centred.std(axis=0)
    is_constant = scale <= 1e-12 * np.abs(points).max(axis=0, initial=0.0)
    return centred / np.where(is_constant, np.inf, scale)


def _component_responsibilities(
    rows: np.ndarray, points: np.ndarray, n_components: int, seed: int
) -> np.ndarray:
    """Fit the mixture to rows; return the responsibilities of all points."""
    if n_components == 1:
        return np.ones((len(points), 1))
    return fit_mixture(rows, n_components, seed).responsibilities(points)


def describe(
    responsibilities: np.ndarray, points: np.ndarray, merged: np.ndarray, source: str
) -> Clustering:
    """Measure a clustering."""
    counts = responsibilities.sum(axis=0)
    safe = np.maximum(counts, 1e-12)
    means = responsibilities.T @ points / safe[:, None]
    lift = _lift(responsibilities.T @ responsibilities, counts, len(points))
    return Clustering(
        responsibilities=responsibilities,
        labels=responsibilities.argmax(axis=1),
        means=means,
        occupancy=counts / len(points),
        separation=_separation(responsibilities / safe, _standardised(points)),
        overlap=float(lift.max(initial=0.0)),
        merged=merged,
        source=source,
    )


def _lift(joint: np.ndarray, counts: np.ndarray, n_samples: int) -> np.ndarray:
    """Return co-membership relative to chance, -inf on the diagonal."""
    safe = np.maximum(counts, 1e-12)
    lift = joint * n_samples / (safe[:, None] * safe)
    np.fill_diagonal(lift, -np.inf)
    return lift


def _separation(shares: np.ndarray, points: np.ndarray) -> float:
    """Return the smallest Fisher ratio of two clusters; shares sum to 1 over samples."""
    means = shares.T @ points
    covariances = np.empty((*means.shape, means.shape[1]))
    for covariance, share, mean in zip(covariances, shares.T, means, strict=True):
        centred = points - mean
        covariance[:] = (share[:, None] * centred).T @ centred + 1e-9 * np.eye(len(mean))
    smallest = (ratios.min() for _, ratios in fisher_ratios(means, covariances))
    return float(min(smallest, default=np.inf))


def fisher_ratios(
    means: np.ndarray, covariances: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    r"""Yield the Fisher ratios of all pairs along their discriminants, cluster by cluster.

    They are :math:`(m_1 - m_2)^T (S_1 + S_2)^{-1} (m_1 - m_2)`. No more matrices are held at a time
    than there are clusters.

    Parameters
    ----------
    means : ndarray of shape (n_clusters, n_features)
        Means.
    covariances : ndarray of shape (n_clusters, n_features, n_features)
        Covariances.

    Yields
    ------
    others, ratios : ndarray of shape (n_others,)
        For the first cluster, the second and so on: the clusters after it, and its ratios to them.
    """
    numbers = np.arange(len(means))
    for k in numbers[:-1]:
        differences = means[k] - means[k + 1 :]
        solved = np.linalg.solve(covariances[k] + covariances[k + 1 :], differences[..., None])
        yield numbers[k + 1 :], np.einsum("pi,pi->p", differences, solved[..., 0])


def max_components(n_samples: int, n_features: int) -> int:
    """Return how many full-covariance components so many samples bear."""
    return min(n_samples, _MAX_ROWS) // (_ROWS_PER_PARAMETER * n_features)


def smallest_share(n_clusters: int) -> float:
    """Return the share of the samples below which a cluster is doubtful: 1 %, less if many."""
    return min(_MIN_SHARE, 0.25 / n_clusters)
