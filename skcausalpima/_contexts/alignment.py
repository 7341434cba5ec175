"""A mixture whose components all contexts share, with weights and an offset of each label, by EM.

Where a label has both another mix of clusters and an offset, its mean tells neither. What tells is
that the clusters of one label, moved as a whole, lie on those of the others. The likelihood has
optima where they lie wrongly, so that several offsets are tried: none, the difference of the means,
and those that lay a cluster of one label on a cluster of another.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from .._clustering.clusters import kmeans_labels
from .._clustering.over_fitted import log_densities_of, m_step, normalized, products
from .points import MAX_SETTINGS_LAID, Points, spread_of

#: Iterations of each start, of the best ones, and to look at how a cluster lies on another.
SHORT_ITER, MAX_ITER, FEW_ITER = 15, 200, 3

#: Starts that are iterated to their ends, and mixtures that each offset begins with.
N_KEPT, N_MIXTURES = 3, 2

#: Offsets that lay one cluster on another, rows that they are judged by, and those that go on.
MAX_LAID, LAID_ROWS, LAID_KEPT = 200, 400, 5

#: Settings on which all others are laid in turn: fewer where there are many.
N_REFERENCES = 3

#: Nats by which an offset must be likelier than none. As much is chance: priors of weights cost
#: where no cluster is shared. Arbitrary.
DOUBT = 20.0

#: An offset does as well as another if its log-likelihood is smaller by so many nats at most, and
#: by so many for each sample that it moves. Evidence: laid on their copies, labels that lack an
#: outcome lose 7 at most, whatever their samples, and .13 a sample where noise is skewed; those
#: whose effects do not add up lose .1 to .35 (``lacking`` of benchmarks/contexts.py, seeds 100-129,
#: where .1 keeps silent of none of 20 wrong fits, .05 of one).
AS_WELL, AS_WELL_EACH = 5.0, 0.1

#: The same, where shapes of clusters tell them apart. Evidence: unlike shapes lose .3 nats a sample
#: and more from 600 samples on, those that skewed noise makes .21 at most where they are wrong.
AS_WELL_BY_SHAPE = 0.25

#: Labels of which clusters, or cells, overlap by less share none: nothing tells an offset from
#: another mix.
LEAST_OVERLAP = 0.1

#: Labels of fewer points are not asked for other offsets.
LEAST_ROWS = 20

#: Rise of the mean log-density, in nats, below which EM ends.
TOL = 1e-5


@dataclass(frozen=True, kw_only=True)
class Alignment:
    """A mixture of shifted points.

    Parameters
    ----------
    means, covariances : ndarray of shape (n_components, n_features[, n_features])
        Of the components.
    log_weights : ndarray of shape (n_mixes, n_components)
        Logarithms of their weights.
    offsets : ndarray of shape (n_labels, n_features)
        Of the labels of all contexts.
    known_weights : ndarray of shape (n_components,), default=None
        Where components are known, and stay as they are: what weights are expected to be.
    is_alike : bool, default=False
        Whether all components have the same covariance.
    objective : float, default=-inf
        Mean log-density of the points, and of offsets and weights under their priors.
    lead : float, default=inf
        Nats by which offsets are likelier than none, beyond what they must be to be found; inf
        where labels share clusters without offsets, too.
    """

    means: np.ndarray
    covariances: np.ndarray
    log_weights: np.ndarray
    offsets: np.ndarray
    known_weights: np.ndarray | None = None
    is_alike: bool = False
    objective: float = -np.inf
    lead: float = np.inf

    def shifted(self, points: Points) -> np.ndarray:
        """Return the points without their offsets."""
        return points.values - (points.labels @ self.offsets)[points.settings]

    def responsibilities(self, points: Points) -> tuple[np.ndarray, np.ndarray]:
        """Return probabilities of the components, (n_components, n_samples), and log-densities."""
        even = np.ones(len(self.means))
        logs = log_densities_of(even, self.means, self.covariances) @ products(self.shifted(points))
        return normalized(logs + self.log_weights[points.mixes[points.settings]].T)

    def as_known(self, log_weights: np.ndarray) -> Alignment:
        """Return these components, which stay as they are, with these weights, for one label."""
        weights = np.exp(log_weights[0])
        none = np.zeros_like(self.offsets[:1])
        return replace(self, log_weights=log_weights, offsets=none, known_weights=weights)

    def is_far_from(self, offsets: np.ndarray) -> bool:
        """Return True if one, or two from each other, have moved by two deviations of a cluster."""
        moves = np.pad(self.offsets - offsets, ((0, 1), (0, 0)))  # the last is none
        distances = np.square(moves[:, None] - moves).sum(axis=-1)
        variances = np.diagonal(self.covariances, axis1=1, axis2=2).mean(axis=1)
        return bool(distances.max() > 4.0 * np.median(variances))  # one may be wide

    def iterated(self, points: Points, n_iter: int) -> Alignment:
        """Iterate expectation maximization, so often at most."""
        best, current, total = replace(self, objective=-np.inf), self, points.weights.sum()
        for _ in range(n_iter):
            gamma, log_densities = current.responsibilities(points)
            objective = (points.weights @ log_densities + current._log_prior(points.spread)) / total
            if objective - best.objective < TOL:
                break
            best = replace(current, objective=objective)
            current = best._updated(points, gamma * points.weights)
        return best

    def _log_prior(self, spread: float) -> float:
        """Return the log-density of offsets and weights, but for a constant."""
        expected = self.known_weights
        if expected is None:
            expected = np.exp(self.log_weights).mean(axis=0)
        of_weights = len(expected) * (self.log_weights @ expected).sum()
        return float(of_weights - 0.5 * np.square(self.offsets / spread).sum())

    def _updated(self, points: Points, gamma: np.ndarray) -> Alignment:
        """Return the M step, given responsibilities times weights: offsets first, then the rest."""
        counts = points.summed(gamma.T)  # (setting, component)
        of_mixes = np.zeros_like(self.log_weights)
        np.add.at(of_mixes, points.mixes, counts)
        expected, n_components = self.known_weights, len(gamma)
        if expected is None:
            expected = counts.sum(axis=0) / counts.sum()
        # as if one sample for each component had been seen before
        of_mixes = of_mixes + n_components * expected + np.finfo(float).tiny
        log_weights = np.log(of_mixes / of_mixes.sum(axis=1, keepdims=True))
        offsets = self._updated_offsets(points, gamma, counts)
        updated = replace(self, offsets=offsets, log_weights=log_weights)
        if self.known_weights is not None:
            return updated
        means, covariances = components_of(gamma, updated.shifted(points))
        if self.is_alike:
            covariances[:] = np.tensordot(gamma.sum(axis=1) / gamma.sum(), covariances, axes=1)
        return replace(updated, means=means, covariances=covariances)

    def _updated_offsets(self, points: Points, gamma: np.ndarray, counts: np.ndarray) -> np.ndarray:
        """Return the generalized least squares of all labels, given the components."""
        free = np.flatnonzero(points.is_free)
        if not len(free):
            return self.offsets
        precisions = np.linalg.inv(self.covariances)[:, free]
        sums = np.stack([gamma[:, rows] @ points.values[rows] for rows in points.rows])
        residuals = sums - counts[:, :, None] * self.means
        right = np.einsum("kfj,skj->sf", precisions, residuals)
        left = np.einsum("sk,kfg->sfg", counts, precisions[:, :, free])
        n_labels, design = len(self.offsets), points.labels
        normal = np.einsum("sa,sb,sfg->afbg", design, design, left)
        normal = normal.reshape(n_labels * len(free), -1)
        normal = normal + np.eye(len(normal)) / points.spread**2
        offsets = np.zeros_like(self.offsets)
        offsets[:, free] = np.linalg.solve(normal, (design.T @ right).ravel()).reshape(n_labels, -1)
        return offsets


def components_of(gamma: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return means and covariances of clusters, those of few points near to the pooled one."""
    n_features = values.shape[1]
    shares, means, covariances = m_step(gamma, products(values), n_features)
    counts, prior = shares * gamma.sum(), n_features + 2
    pooled = np.tensordot(shares, covariances, axes=1)
    kept = (counts / (counts + prior))[:, None, None]
    return means, kept * covariances + (1.0 - kept) * pooled


def start(points: Points, offsets: np.ndarray, n_components: int, seed: int) -> Alignment:
    """Return the mixture of clusters that points without these offsets have."""
    n_mixes = points.mixes.max() + 1
    values = points.values - (points.labels @ offsets)[points.settings]
    labels = kmeans_labels(values, n_components, seed, N_MIXTURES)
    gamma = np.eye(labels.max() + 1)[labels].T * points.weights
    means, covariances = components_of(gamma, values)
    log_weights = np.full((n_mixes, len(gamma)), -np.log(len(gamma)))
    return Alignment(means=means, covariances=covariances, log_weights=log_weights, offsets=offsets)


def rivals(points: Points, mixture: Alignment) -> list[int]:
    """Return the labels, of a single context, of which another offset does as well.

    Clusters that are copies of each other may be laid on each other, where a label lacks some; no
    offset may do as well where labels share none. Components are given one covariance first, since
    those of copies differ by chance, and where clusters are no Gaussians; then their own, which
    must tell them apart clearly.
    """
    if not points.can_be_laid:
        return []
    counts, labels = points.summed(points.weights), range(len(points.labels))
    gamma = mixture.responsibilities(points)[0] * points.weights
    shares = points.summed(gamma.T) / counts[:, None]
    with_others = overlaps_of(shares) * (1.0 - np.eye(len(shares)))
    shares_none = (with_others.max(axis=1) < LEAST_OVERLAP) | (mixture.lead < DOUBT)
    if shares_none.any():
        return [s for s in labels if shares_none[s] and s != counts.argmax()]
    alike = replace(mixture, is_alike=True)._updated(points, gamma).iterated(points, MAX_ITER)
    doubtful = [s for s in labels if _has_rival(points, alike, s, AS_WELL_EACH)]
    return [s for s in doubtful if _has_rival(points, mixture, s, AS_WELL_BY_SHAPE)]


def _has_rival(points: Points, mixture: Alignment, setting: int, each: float) -> bool:
    """Return whether one label laid elsewhere is less likely by so many nats a sample at most."""
    other, counts = _otherwise(points, mixture, setting), points.summed(points.weights)
    moved = other.offsets - mixture.offsets
    moved = moved[setting] - np.delete(moved, setting, axis=0).mean(axis=0)
    lead = (mixture.objective - other.objective) * counts.sum()
    as_well = does_as_well(lead, counts[setting], each)
    return as_well and mixture.is_far_from(mixture.offsets + moved)


def does_as_well(lead: float, n_samples: float, each: float = AS_WELL_EACH) -> bool:
    """Return whether an offset does as well as one that is so many nats likelier, for samples."""
    return bool(lead < AS_WELL + each * n_samples)


def overlaps_of(shares: np.ndarray) -> np.ndarray:
    """Return what each two rows of shares have in common, from 0 to 1, (n_rows, n_rows).

    It is the sum of the smaller of two shares.
    """
    return np.minimum(shares[:, None], shares).sum(axis=2)


def _otherwise(points: Points, mixture: Alignment, setting: int) -> Alignment:
    """Return the mixture with one label laid elsewhere, on what all have; itself if nowhere."""
    part, offset = points.of_setting(setting), mixture.offsets[setting]
    if len(part.values) < LEAST_ROWS:
        return mixture  # so few are shrunk
    known = mixture.as_known(np.log(np.exp(mixture.log_weights).mean(axis=0))[None])
    rng = np.random.RandomState(setting)
    ends = [end for end in laid_ends(part, known, rng) if end.is_far_from(offset)]
    if not ends:
        return mixture
    offsets = mixture.offsets.copy()
    offsets[setting] = ends[0].offsets[0]
    return replace(mixture, offsets=offsets).iterated(points, MAX_ITER)


def laid_ends(points: Points, mixture: Alignment, rng: np.random.RandomState) -> list[Alignment]:
    """Return where likely ways to lay points on a known mixture end, the best first."""
    n_components = min(len(mixture.means), max(1, len(points.values) // 5))
    labels = kmeans_labels(points.values, n_components, rng.randint(2**31 - 1))
    gamma = np.eye(labels.max() + 1)[labels].T
    centres = gamma @ points.values / gamma.sum(axis=1, keepdims=True)
    tried = (centres[:, None] - mixture.means).reshape(-1, centres.shape[1])
    tried = tried[rng.permutation(len(tried))[:MAX_LAID]]
    middle = points.values.mean(axis=0) - np.exp(mixture.log_weights[0]) @ mixture.means
    tried = np.concatenate([np.zeros_like(tried[:1]), middle[None], tried]) * points.is_free
    points = replace(points, spread=spread_of(middle))
    few = points.some(LAID_ROWS, rng)
    begun = [replace(mixture, offsets=offset[None]).iterated(few, FEW_ITER) for offset in tried]
    best = _distinct(begun)[:LAID_KEPT]
    return _distinct([one.iterated(points, MAX_ITER) for one in best])


def _distinct(ends: list[Alignment]) -> list[Alignment]:
    """Return those whose offsets are not near to those of a likelier one, the best first."""
    best: list[Alignment] = []
    for one in sorted(ends, key=_badness):
        if all(one.is_far_from(other.offsets) for other in best):
            best.append(one)
    return best


def align(points: Points, n_components: int) -> Alignment:
    """Return the likeliest mixture of shifted points; that without offsets if it does as well.

    The others are as many parameters more as the Bayesian information criterion counts. Small
    offsets that are left out here least squares find given the clusters.
    """
    rng = np.random.RandomState(0)
    design, n_features = points.labels, points.values.shape[1]
    zeros = np.zeros((design.shape[1], n_features))
    still = replace(points, is_free=np.zeros(n_features, dtype=bool))
    without = _likeliest(still, [zeros], n_components, rng)
    if not points.is_free.any():
        return without
    best = _likeliest(points, _tried_offsets(points, n_components, rng), n_components, rng)
    for s in range(len(points.labels)) if points.can_be_laid else ():  # laid elsewhere, one by one
        best = min(best, _otherwise(points, best, s), key=_badness)
    n_free = (np.linalg.matrix_rank(design) - 1) * points.is_free.sum()
    total = points.weights.sum()
    gain = (best.objective - without.objective) * total
    lead = gain - 0.5 * n_free * np.log(total) - DOUBT
    if lead <= 0.0:
        return without
    shares = np.exp(without.log_weights)
    shares_none = overlaps_of(shares).min() < LEAST_OVERLAP
    return replace(best, lead=lead if shares_none else np.inf)


def _likeliest(
    points: Points, tried: Sequence[np.ndarray], n_components: int, rng: np.random.RandomState
) -> Alignment:
    """Return the best mixture that begins with one of some offsets."""
    seeds = rng.randint(2**31 - 1, size=N_MIXTURES)
    begun = [start(points, offsets, n_components, seed) for offsets in tried for seed in seeds]
    begun = [one.iterated(points, SHORT_ITER) for one in begun]
    best = sorted(begun, key=_badness)[:N_KEPT]
    return min((one.iterated(points, MAX_ITER) for one in best), key=_badness)


def _badness(one: Alignment) -> float:
    """Return what sorts mixtures, the likeliest first."""
    return -one.objective


def _tried_offsets(
    points: Points, n_components: int, rng: np.random.RandomState
) -> list[np.ndarray]:
    """Return offsets of labels: none, the means', and those that lay all settings on one in turn.

    Clusters of that one are looked for twice, as rare ones are found among more. What is likeliest
    of one setting need not be so of all.
    """
    design, n_features = points.labels, points.values.shape[1]
    counts = points.summed(points.weights)

    def of_labels(offsets: np.ndarray) -> np.ndarray:
        """Return what the labels of settings add up to their offsets, of mean zero.

        Their prior tells offsets apart that differ in what all have in common.
        """
        normal = (design.T * counts) @ design + 1e-3 * np.eye(design.shape[1])
        return np.linalg.solve(normal, (design.T * counts) @ (offsets - offsets.mean(axis=0)))

    means = points.summed(points.values * points.weights[:, None]) / counts[:, None]
    middle = of_labels(means * points.is_free)
    tried = [np.zeros_like(middle), middle]
    n_references = max(1, min(N_REFERENCES, MAX_SETTINGS_LAID // len(counts)))
    references = np.argsort(-counts, kind="stable")[:n_references]
    parts = [points.of_setting(s).some(LAID_ROWS, rng) for s in range(len(counts))]
    for s, n in itertools.product(references, (n_components, 2 * n_components)):
        mixture = start(parts[s], np.zeros((1, n_features)), n, rng.randint(2**31 - 1))
        mixture = mixture.iterated(parts[s], MAX_ITER)
        moved = replace(mixture, means=mixture.means + mixture.offsets)
        known = moved.as_known(mixture.log_weights)
        ends = [[known] if t == s else laid_ends(part, known, rng) for t, part in enumerate(parts)]
        for position in range(max(map(len, ends))):
            laid = np.stack(
                [part_ends[min(position, len(part_ends) - 1)].offsets[0] for part_ends in ends]
            )
            one = replace(known, offsets=of_labels(laid))
            if all(map(one.is_far_from, tried)):
                tried.append(one.offsets)
    return tried
