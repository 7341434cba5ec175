"""Finding the cells' clusters: mixtures that are over-fitted and merged, plain ones, k-means."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Protocol, TypeAlias

import numpy as np
from sklearn.cluster import KMeans
from sklearn.metrics import pairwise_distances_argmin

from .._base.budgets import MIXTURE_ROWS
from .margins import COMPONENTS_PER_CLUSTER, ROWS_OF_ISOLATED, ROWS_PER_DIMENSION
from .over_fitted import Mixture, fit_mixture, lift_of, merge_components, mixture_of_labels


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


class Rule(Protocol):
    """To which clusters points belong, those that clusters were found in and further ones."""

    def responsibilities(self, scores: np.ndarray) -> np.ndarray:
        """Return probabilities of the clusters, (n_points, n_clusters).

        Scores have at least as many columns as clusters were found in, the same ones first.
        """


@dataclass(frozen=True, kw_only=True)
class NearestCentre:
    """Each point belongs to the cluster of the nearest centre, (n_clusters, n_features)."""

    centres: np.ndarray

    def responsibilities(self, scores: np.ndarray) -> np.ndarray:
        """Return ones and zeros."""
        points = scores[:, : self.centres.shape[1]]
        return np.eye(len(self.centres))[pairwise_distances_argmin(points, self.centres)]


@dataclass(frozen=True, kw_only=True)
class MergedMixture:
    """Clusters are groups of components of a mixture of standardised points.

    Parameters
    ----------
    centre, unit : ndarray of shape (n_features,)
        What is taken from points, and what they are divided by.
    mixture : Mixture or None
        None for a single component.
    members : ndarray of int of shape (n_components,)
        The cluster of each component.
    """

    centre: np.ndarray
    unit: np.ndarray
    mixture: Mixture | None
    members: np.ndarray

    def responsibilities(self, scores: np.ndarray) -> np.ndarray:
        """Return sums of the probabilities of the components."""
        components = np.ones((len(scores), 1))
        if self.mixture is not None:
            points = (scores[:, : len(self.centre)] - self.centre) / self.unit
            components = self.mixture.responsibilities(points)
        return components @ np.eye(self.members.max() + 1)[self.members]


@dataclass(frozen=True, kw_only=True)
class Clustering:
    """One way to cut the samples into clusters.

    Parameters
    ----------
    responsibilities : ndarray of shape (n_samples, n_clusters)
        Probabilities of the clusters; rows sum to 1.
    labels : ndarray of shape (n_samples,)
        The likeliest cluster.
    occupancy : ndarray of shape (n_clusters,)
        Shares of the samples.
    separation : float
        Smallest Fisher ratio of two clusters along their discriminant,
        :math:`(m_1 - m_2)^T (S_1 + S_2)^{-1} (m_1 - m_2)`; inf for one cluster.
    overlap : float
        Largest lift of two clusters (see :func:`merge_components`); 0 for one cluster.

    source : str
        How it was found.
    place : Place, default=None
        Known where clusters lie on a grid already; None where that is still to be sought.
    rule : Rule, default=None
        To which clusters further points belong; None where that is not known.
    """

    responsibilities: np.ndarray
    labels: np.ndarray
    occupancy: np.ndarray
    separation: float
    overlap: float
    source: str
    place: Place | None = None
    rule: Rule | None = None


#: One start of one family, which is not made before it is asked.
Proposal: TypeAlias = Callable[[], Clustering]


@dataclass(frozen=True)
class Finder:
    """Clusters of points, found in some of them: what is proposed has its seed already.

    Parameters
    ----------
    rng : RandomState
        For all starts.
    rows : ndarray of int of shape (n_rows,), default=None
        Those that clusters are found in; what they are of all samples is returned.

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima._clustering.clusters import Finder
    >>> rng = np.random.RandomState(0)
    >>> points = np.repeat([[0.0, 0.0], [9.0, 0.0], [0.0, 9.0]], 50, axis=0)
    >>> points += rng.normal(size=points.shape)
    >>> (propose,) = Finder(rng).mixtures(points, 3)
    >>> propose().occupancy.round(2)
    array([0.33, 0.33, 0.33])
    >>> Finder(rng).plain(points, 3)().occupancy.round(2)
    array([0.33, 0.33, 0.33])
    """

    rng: np.random.RandomState
    rows: np.ndarray | None = None

    def mixtures(self, latents: np.ndarray, n_clusters: int, n_starts: int = 1) -> list[Proposal]:
        """Propose over-fitted full-covariance mixtures whose components are merged.

        Each column is scaled to unit variance first. Fewer clusters come back where there are fewer
        distinct points, or where fewer do not overlap at all while so many would split one of them.
        """
        latents = np.asarray(latents, dtype=float)
        centre, unit = centre_and_unit(latents)
        scaled = (latents - centre) / unit
        part = scaled[seen_rows(len(scaled), self.rows, self.rng)]
        n_distinct = len(np.unique(part, axis=0))
        n_clusters = min(n_clusters, n_distinct)
        room = max_components(n_distinct, part.shape[1])
        n_components = max(n_clusters, min(COMPONENTS_PER_CLUSTER * n_clusters, room, n_distinct))
        source = f"mixture of {n_components} in {part.shape[1]} dimensions"

        def start(seed: int) -> Clustering:
            components, mixture = np.ones((len(scaled), 1)), None
            if n_components > 1:
                mixture = fit_mixture(part, n_components, seed)
                components = mixture.responsibilities(scaled)
            min_isolated = ROWS_OF_ISOLATED * part.shape[1]
            merged = merge_components(components, n_clusters, min_isolated=min_isolated)
            responsibilities = components @ np.eye(merged.max() + 1)[merged]
            rule = MergedMixture(centre=centre, unit=unit, mixture=mixture, members=merged)
            return describe(responsibilities, latents, source, rule)

        return [partial(start, self.rng.randint(2**31 - 1)) for _ in range(n_starts)]

    def kmeans(self, points: np.ndarray, n_clusters: int, n_starts: int = 1) -> list[Proposal]:
        """Propose runs of k-means, each the best of five; fewer clusters where points repeat."""

        def start(seed: int) -> Clustering:
            kmeans, labels = fit_kmeans(points, n_clusters, seed, n_init=5, rows=self.rows)
            rule = NearestCentre(centres=kmeans.cluster_centers_)
            return describe(np.eye(labels.max() + 1)[labels], points, "k-means", rule)

        return [partial(start, self.rng.randint(2**31 - 1)) for _ in range(n_starts)]

    def plain(self, points: np.ndarray, n_clusters: int) -> Proposal:
        """Propose a mixture of one Gaussian per cluster, which begins as k-means.

        It asks for fewer samples than an over-fitted one, but has no curved clusters. Points are of
        their own scale for k-means; fewer clusters come back where points repeat.
        """
        rows, seed = seen_rows(len(points), self.rows, self.rng), self.rng.randint(2**31 - 1)

        def start() -> Clustering:
            centre, unit = centre_and_unit(points)
            scaled = (points - centre) / unit
            labels = kmeans_labels(points, n_clusters, seed, n_init=5, rows=rows)
            mixture = mixture_of_labels(scaled[rows], labels[rows])
            responsibilities = mixture.responsibilities(scaled)
            n_found, n_dims = responsibilities.shape[1], points.shape[1]
            source = f"mixture of {n_found} in {n_dims} dimensions, from k-means"
            members = np.arange(n_found)
            rule = MergedMixture(centre=centre, unit=unit, mixture=mixture, members=members)
            return describe(responsibilities, points, source, rule)

        return start


def kmeans_labels(
    points: np.ndarray, n_clusters: int, seed: int, n_init: int = 1, rows: np.ndarray | None = None
) -> np.ndarray:
    """Cluster points by k-means from k-means++ starts; fewer clusters where points repeat."""
    return fit_kmeans(points, n_clusters, seed, n_init, rows)[1]


def fit_kmeans(
    points: np.ndarray, n_clusters: int, seed: int, n_init: int, rows: np.ndarray | None
) -> tuple[KMeans, np.ndarray]:
    """Return k-means of points, or of some of them, and the cluster of each point."""
    part = points if rows is None else points[rows]
    scale = np.abs(part).max(initial=0.0)  # rounding does not tell equal points apart
    rounded = np.round(part / scale, 9) if scale > 0 else part
    n_clusters = min(n_clusters, len(np.unique(rounded, axis=0)))
    kmeans = KMeans(n_clusters, n_init=n_init, random_state=seed)
    kmeans.fit(part)
    return kmeans, kmeans.labels_ if rows is None else kmeans.predict(points)


def seen_rows(n_samples: int, rows: np.ndarray | None, rng: np.random.RandomState) -> np.ndarray:
    """Return the rows that a mixture is fitted to: those that are given, or some of them."""
    rows = np.arange(n_samples) if rows is None else rows
    return (
        rows
        if len(rows) <= MIXTURE_ROWS
        else rows[rng.choice(len(rows), MIXTURE_ROWS, replace=False)]
    )


def centre_and_unit(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return what centres columns, and what gives them unit variance; constant ones become zero."""
    centre = points.mean(axis=0)
    scale = (points - centre).std(axis=0)
    is_constant = scale <= 1e-12 * np.abs(points).max(axis=0, initial=0.0)
    return centre, np.where(is_constant, np.inf, scale)


def describe(
    responsibilities: np.ndarray, points: np.ndarray, source: str, rule: Rule | None = None
) -> Clustering:
    """Measure a clustering."""
    counts = responsibilities.sum(axis=0)
    safe = np.maximum(counts, 1e-12)
    lift = lift_of(responsibilities.T @ responsibilities, counts, len(points))
    centre, unit = centre_and_unit(points)
    return Clustering(
        responsibilities=responsibilities,
        labels=responsibilities.argmax(axis=1),
        occupancy=counts / len(points),
        separation=_separation(responsibilities / safe, (points - centre) / unit),
        overlap=float(lift.max(initial=0.0)),
        source=source,
        rule=rule,
    )


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
    return min(n_samples, MIXTURE_ROWS) // (ROWS_PER_DIMENSION * n_features)
