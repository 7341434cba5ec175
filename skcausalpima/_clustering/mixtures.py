r"""Clusters of a single node: mixtures in several subspaces, and the one to begin with.

Each candidate is a density of *all* principal scores: a mixture of the first d of them, times one
Gaussian for the others. So mixtures in different subspaces, and of different shapes, can be
compared by one criterion, the integrated complete likelihood [1]_. Covariances are regularised by
a weak prior, as in [2]_: clusters of few samples do not collapse.

References
----------
.. [1] C. Biernacki, G. Celeux and G. Govaert, "Assessing a mixture model for clustering with the
   integrated completed likelihood", IEEE TPAMI, 2000.
.. [2] C. Fraley and A. E. Raftery, "Bayesian regularization for normal mixture estimation and
   model-based clustering", Journal of Classification, 2007.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.utils import check_random_state

from .clusters import kmeans_labels, smallest_share

#: Numbers of principal scores in which clusters are looked for.
N_DIMS = (2, 3, 4, 6, 9, 12, 20)

#: Shapes of the clusters' covariances; those of "ball" are equal.
SHAPES = ("full", "tied", "diag", "ball")

_MAX_ROWS = 2000  # rows that mixtures are compared on
_CLIP = 3.5  # robust standard deviations beyond which scores are outliers
_FLOOR = 1e-2  # smallest variance within clusters, of the variance of a score
_SHORT_ITER = 10  # from every start; the best one goes on
_MAX_ITER = 60
_TOL = 1e-4  # nats per sample
_CONTRADICTED = 0.5  # candidates that agree less with others than this part of the best one


@dataclass(frozen=True, kw_only=True)
class MixtureCandidate:
    """A mixture of some principal scores.

    Parameters
    ----------
    responsibilities : ndarray of shape (n_samples, n_clusters)
        Probabilities of the clusters.
    labels : ndarray of shape (n_samples,)
        The likeliest cluster.
    criterion : float
        The integrated complete likelihood of all scores, in nats, up to a constant: larger is
        better.
    n_dims : int
        How many scores cluster.
    shape : str
        Of the covariances.
    """

    responsibilities: np.ndarray
    labels: np.ndarray
    criterion: float
    n_dims: int
    shape: str


@dataclass(frozen=True, kw_only=True)
class _Scores:
    """Principal scores without outliers and without columns of zeros."""

    scaled: np.ndarray  # the first has unit variance
    deviations: np.ndarray

    def points(self, n_dims: int, shape: str) -> np.ndarray:
        """Return the points that are clustered: of unit variances where shape allows for them."""
        points = self.scaled[:, :n_dims]
        return points if shape == "ball" else points / self.deviations[:n_dims]

    def log_volume(self, n_dims: int, shape: str) -> float:
        """Return what one sample's density of the points lacks to that of the scaled scores."""
        return 0.0 if shape == "ball" else -float(np.log(self.deviations[:n_dims]).sum())

    def log_rest(self, n_dims: int) -> float:
        """Return the mean log-density of the other scores under one Gaussian."""
        variances = np.square(self.deviations[n_dims:])
        return -0.5 * float((np.log(2 * np.pi * variances) + 1.0).sum())


@dataclass(frozen=True, kw_only=True)
class _Mixture:
    """Parameters of a mixture.

    ``factors`` are those of the precisions: (n_clusters, d, d) for "full", (d, d) for "tied",
    (n_clusters, d) for "diag" and () for "ball".
    """

    shape: str
    log_weights: np.ndarray
    means: np.ndarray
    factors: np.ndarray

    def log_joint(self, points: np.ndarray) -> np.ndarray:
        """Return the log of weight times density, of shape (n_samples, n_clusters)."""
        n_dims = points.shape[1]
        if self.shape == "full":
            parts = [
                _squares(points @ factor, (mean @ factor)[None])[:, 0]
                for mean, factor in zip(self.means, self.factors, strict=True)
            ]
            squares = np.stack(parts, axis=1)
            log_volume = np.log(np.diagonal(self.factors, axis1=1, axis2=2)).sum(axis=1)
        elif self.shape == "tied":
            squares = _squares(points @ self.factors, self.means @ self.factors)
            log_volume = np.log(np.diagonal(self.factors)).sum()
        elif self.shape == "diag":
            precisions = np.square(self.factors)
            squares = np.square(points) @ precisions.T - 2 * points @ (self.means * precisions).T
            squares += (np.square(self.means) * precisions).sum(axis=1)
            log_volume = np.log(self.factors).sum(axis=1)
        else:
            squares = _squares(points, self.means) * np.square(self.factors)
            log_volume = n_dims * np.log(self.factors)
        return self.log_weights + log_volume - 0.5 * (squares + n_dims * np.log(2 * np.pi))


def mixture_candidates(
    scores: np.ndarray, n_clusters: int, *, random_state: int | np.random.RandomState | None = None
) -> list[MixtureCandidate]:
    """Return mixtures of the first principal scores, of several numbers of them and shapes.

    Each is the best of several starts from k-means, as in [1]_: of the scaled and of the whitened
    scores, so that neither a cluster in a direction of little variance nor one in the first
    directions is missed.

    Parameters
    ----------
    scores : ndarray of shape (n_samples, n_features)
        Principal scores by falling variance, with their standard deviations.
    n_clusters : int
        Number of clusters; fewer are found where there are fewer distinct points.
    random_state : int, RandomState or None, default=None
        Seed of all starts.

    Returns
    -------
    list of MixtureCandidate
        For :func:`choose_mixture`.

    References
    ----------
    .. [1] C. Biernacki, G. Celeux and G. Govaert, "Choosing starting values for the EM algorithm",
       CSDA, 2003.

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima._clustering.mixtures import choose_mixture, mixture_candidates
    >>> rng = np.random.default_rng(0)
    >>> points = np.repeat([[0.0, 0.0], [9.0, 0.0], [0.0, 9.0]], 50, axis=0)
    >>> candidates = mixture_candidates(points + rng.normal(size=(150, 2)), 3, random_state=0)
    >>> np.bincount(choose_mixture(candidates).labels)
    array([50, 50, 50])
    """
    rng = check_random_state(random_state)
    found = _without_outliers(scores[:, : max(N_DIMS)])
    n_samples, n_features = found.scaled.shape
    if n_features == 0 or n_clusters == 1:
        ones = np.eye(n_clusters)[np.zeros(n_samples, dtype=int)]
        return [_candidate(ones, 0.0, n_features, "ball")]
    n_rows = max(_MAX_ROWS, 20 * n_clusters)
    rows = np.arange(n_samples)
    if n_samples > n_rows:
        rows = np.sort(rng.choice(n_samples, n_rows, replace=False))
    common = [_kmeans(found.scaled[rows], n_clusters, rng, n_init) for n_init in (10, 1)]
    candidates = []
    for n_dims in sorted({min(n_dims, n_features) for n_dims in N_DIMS}):
        whitened = found.points(n_dims, "full")[rows]
        starts = [*common, _kmeans(found.scaled[rows, :n_dims], n_clusters, rng, 3)]
        starts.append(_kmeans(whitened, n_clusters, rng, 3))
        for shape in SHAPES:
            if shape == "full" and len(rows) < n_clusters * (n_dims + 1):
                continue
            candidates.append(_best_mixture(found, rows, starts, n_dims, shape))
    return candidates


def choose_mixture(candidates: Sequence[MixtureCandidate]) -> MixtureCandidate:
    """Return the candidate of the largest criterion, among those that others do not contradict.

    Where values are discrete, or tails heavy, a mixture may fit what no other finds. So candidates
    whose mean adjusted Rand index with the others is below half of the largest one are not
    considered, nor those with clusters that hold less than a percent of the samples, unless all
    have such.
    """
    agreement = _mean_rand_index([candidate.labels for candidate in candidates])
    n_clusters = candidates[0].responsibilities.shape[1]
    shares = np.array(
        [np.bincount(c.labels, minlength=n_clusters).min() / len(c.labels) for c in candidates]
    )
    is_filled = shares >= smallest_share(n_clusters)
    eligible = is_filled if is_filled.any() else np.ones(len(candidates), dtype=bool)
    eligible = eligible & (agreement >= _CONTRADICTED * agreement[eligible].max())
    criteria = np.array([candidate.criterion for candidate in candidates])
    return candidates[int(np.where(eligible, criteria, -np.inf).argmax())]


def is_contradicted(labels: np.ndarray, candidates: Sequence[MixtureCandidate]) -> bool:
    """Tell whether candidates agree with labels less than with half of the best one of them."""
    agreement = _mean_rand_index([labels, *(candidate.labels for candidate in candidates)])
    return bool(agreement[0] < _CONTRADICTED * agreement[1:].max())


def _without_outliers(scores: np.ndarray) -> _Scores:
    """Pull in what lies far out, and leave out scores without variance."""
    scores = np.asarray(scores, dtype=float)
    deviations = scores.std(axis=0)
    scores = scores[:, deviations > 1e-6 * deviations.max(initial=1e-300)]
    if not scores.shape[1]:
        return _Scores(scaled=scores, deviations=np.empty(0))
    middle = np.median(scores, axis=0)
    spread = _CLIP * 1.4826 * np.median(np.abs(scores - middle), axis=0)
    spread = np.where(spread > 0, spread, np.inf)
    scores = np.clip(scores, middle - spread, middle + spread)
    scores -= scores.mean(axis=0)
    deviations = scores.std(axis=0)
    return _Scores(scaled=scores / deviations[0], deviations=deviations / deviations[0])


def _kmeans(
    points: np.ndarray, n_clusters: int, rng: np.random.RandomState, n_init: int
) -> np.ndarray:
    """Return k-means clusters as responsibilities."""
    return np.eye(n_clusters)[kmeans_labels(points, n_clusters, rng.randint(2**31 - 1), n_init)]


def _best_mixture(
    scores: _Scores, rows: np.ndarray, starts: Sequence[np.ndarray], n_dims: int, shape: str
) -> MixtureCandidate:
    """Fit a mixture to the rows from all starts; describe the best by all samples."""
    points = scores.points(n_dims, shape)
    part = points[rows]
    short = [_iterate(part, start, shape, _SHORT_ITER) for start in starts]
    gamma = max(short, key=lambda fit: fit[0])[2]
    log_likelihood, mixture, gamma = _iterate(part, gamma, shape, _MAX_ITER)
    n_rows, n_clusters = gamma.shape
    density = log_likelihood + scores.log_volume(n_dims, shape) + scores.log_rest(n_dims)
    n_parameters = _n_parameters(shape, n_clusters, n_dims)
    n_parameters += 2 * (scores.scaled.shape[1] - n_dims)
    entropy = -float(np.sum(gamma * np.log(np.maximum(gamma, 1e-300))))
    criterion = n_rows * density - entropy - 0.5 * n_parameters * np.log(n_rows)
    if len(points) > n_rows:
        gamma = _expectation(points, mixture)[1]
    return _candidate(gamma, criterion, n_dims, shape)


def _candidate(gamma: np.ndarray, criterion: float, n_dims: int, shape: str) -> MixtureCandidate:
    """Return a candidate with its labels."""
    return MixtureCandidate(
        responsibilities=gamma,
        labels=gamma.argmax(axis=1),
        criterion=criterion,
        n_dims=n_dims,
        shape=shape,
    )


def _n_parameters(shape: str, n_clusters: int, n_dims: int) -> int:
    """Count the free parameters of a mixture."""
    of_matrix = n_dims * (n_dims + 1) // 2
    of_shape = {
        "full": n_clusters * of_matrix,
        "tied": of_matrix,
        "diag": n_clusters * n_dims,
        "ball": 1,
    }
    return n_clusters - 1 + n_clusters * n_dims + of_shape[shape]


def _iterate(
    points: np.ndarray, gamma: np.ndarray, shape: str, max_iter: int
) -> tuple[float, _Mixture, np.ndarray]:
    """Iterate both steps until the mean log-likelihood hardly rises."""
    best = -np.inf
    for _ in range(max_iter):
        mixture = _maximisation(points, gamma, shape)
        log_likelihood, gamma = _expectation(points, mixture)
        if log_likelihood - best < _TOL:
            break
        best = log_likelihood
    return log_likelihood, mixture, gamma


def _expectation(points: np.ndarray, mixture: _Mixture) -> tuple[float, np.ndarray]:
    """Return the mean log-likelihood, and responsibilities."""
    log_joint = mixture.log_joint(points)
    largest = log_joint.max(axis=1, keepdims=True)
    gamma = np.exp(log_joint - largest)
    total = gamma.sum(axis=1, keepdims=True)
    return float((largest + np.log(total)).mean()), gamma / total


def _maximisation(points: np.ndarray, gamma: np.ndarray, shape: str) -> _Mixture:
    """Return the parameters that fit best; the pooled scatter counts for d + 2 samples."""
    n_samples, n_dims = points.shape
    counts = gamma.sum(axis=0) + 1e-9
    means = gamma.T @ points / counts[:, None]
    prior = n_dims + 2
    if shape in ("full", "tied"):
        scatters = _scatters(points, gamma, counts, means)
        pooled, floor = scatters.sum(axis=0) / n_samples, _FLOOR * np.eye(n_dims)
        covariances = (scatters + prior * pooled) / (counts + prior)[:, None, None] + floor
        chosen = covariances if shape == "full" else pooled + floor
        factors = np.swapaxes(np.linalg.inv(np.linalg.cholesky(chosen)), -1, -2)
    else:
        squares = gamma.T @ np.square(points) - counts[:, None] * np.square(means)
        squares = np.maximum(squares, 0.0)
        pooled = squares.sum(axis=0) / n_samples
        variances = (squares + prior * pooled) / (counts + prior)[:, None] + _FLOOR
        factors = 1.0 / np.sqrt(variances if shape == "diag" else pooled.mean() + _FLOOR / n_dims)
    return _Mixture(
        shape=shape,
        log_weights=np.log(counts / counts.sum()),
        means=means,
        factors=np.asarray(factors),
    )


def _scatters(
    points: np.ndarray, gamma: np.ndarray, counts: np.ndarray, means: np.ndarray
) -> np.ndarray:
    """Return the scatter matrix of each cluster around its mean."""
    scatters = np.empty((len(means), points.shape[1], points.shape[1]))
    for scatter, share, count, mean in zip(scatters, gamma.T, counts, means, strict=True):
        scatter[:] = (points * share[:, None]).T @ points - count * np.outer(mean, mean)
    return scatters


def _squares(points: np.ndarray, means: np.ndarray) -> np.ndarray:
    """Return squared distances, of shape (n_samples, n_means)."""
    squares = np.square(points).sum(axis=1)[:, None] - 2 * points @ means.T
    return np.maximum(squares + np.square(means).sum(axis=1), 0.0)


def _mean_rand_index(labels: Sequence[np.ndarray]) -> np.ndarray:
    """Return each labelling's mean adjusted Rand index with the others; 1 for a single one."""
    index = np.eye(len(labels))
    for i in range(len(labels)):
        for j in range(i):
            index[i, j] = index[j, i] = _rand_index(labels[i], labels[j])
    return (index.sum(axis=1) - 1) / (len(labels) - 1) if len(labels) > 1 else np.ones(1)


def _rand_index(first: np.ndarray, second: np.ndarray) -> float:
    """Return the adjusted Rand index; 1 for two labellings of one cluster."""
    n_second = int(second.max()) + 1
    table = np.bincount(first * n_second + second).astype(float)
    together, n_pairs = _pairs(table), len(first) * (len(first) - 1) / 2
    apart = _pairs(np.bincount(first)), _pairs(np.bincount(second))
    expected, largest = apart[0] * apart[1] / max(n_pairs, 1.0), sum(apart) / 2
    return 1.0 if largest == expected else float((together - expected) / (largest - expected))


def _pairs(counts: np.ndarray) -> float:
    """Return how many pairs lie in the same cluster."""
    return float((counts * (counts - 1.0)).sum() / 2)
