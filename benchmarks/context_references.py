"""What stands beside a fit with contexts: data of two nodes, Bayes' rule, EM, ComBat's formulas.

It uses NumPy alone, so that every commit runs it.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import logsumexp

SORTS = ("copies", "shapes", "skewed", "bent", "discs")
CELLS = np.array(list(itertools.product((0, 1), (0, 1))))


class Case(NamedTuple):
    """Tables of two binary nodes, 4 and 6 standard deviations apart, in some contexts."""

    offset: float = 0.0  # of each context but the first, in standard deviations
    mix: tuple[float, float] = (0.5, 0.5)  # of the second outcome of the first node, by context
    n_labels: int = 2
    widths: tuple[int, ...] = (12,)
    n_samples: int = 600
    distances: tuple[float, float] = (4.0, 6.0)

    @property
    def name(self) -> str:
        """A name for files."""
        first, second = (f"{100 - 100 * p:.0f}/{100 * p:.0f}" for p in self.mix)
        parts = [f"offset {self.offset:g}", f"{first} beside {second}", f"{self.n_labels} labels"]
        return ", ".join([*parts, f"{len(self.widths)} modalities"])


class Truth:
    """Where cells and contexts lie, and how often they occur."""

    def __init__(self, case: Case, seed: int) -> None:
        rng = np.random.default_rng([seed, 1])
        self.case, width = case, sum(case.widths)
        axes = np.linalg.qr(rng.normal(size=(width, 3)))[0].T
        self.means = CELLS @ (np.array(case.distances)[:, None] * axes[:2])
        self.unknown = (2.0 * CELLS.mean(axis=0) @ axes[:2] - axes[2]) * case.distances[1]
        directions = rng.normal(size=(case.n_labels, width))
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        self.offsets = case.offset * directions
        self.offsets[0] = 0.0
        # in turn, but a context that lacks an outcome is the only one
        alone = case.mix[0] in (0.0, 1.0)
        second = np.minimum(np.arange(case.n_labels), 1) if alone else np.arange(case.n_labels) % 2
        share = np.array(case.mix)[second]
        self.weights = np.stack([0.5 * np.where(CELLS[:, 0], p, 1.0 - p) for p in share])

    def draw(
        self, label: np.ndarray, rng: np.random.Generator, unknown: float = 0.0
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return samples (n, width) and cells of these contexts; -1 is a kind not seen before."""
        cumulative = self.weights.cumsum(axis=1)[label, :-1]
        cell = (rng.uniform(size=(len(label), 1)) > cumulative).sum(axis=1)
        strange = rng.uniform(size=len(label)) < unknown
        means = np.where(strange[:, None], self.unknown, self.means[cell])
        x = means + self.offsets[label] + rng.normal(size=means.shape)
        return x, np.where(strange, -1, cell)

    def probabilities(self, x: np.ndarray, label: np.ndarray) -> np.ndarray:
        """Return those of the cells by Bayes' rule, which knows all."""
        return _posterior(x - self.offsets[label], self.means, self.weights[label], 1.0)[0]

    def modalities(self, x: np.ndarray) -> dict[str, np.ndarray]:
        """Return the tables by name."""
        parts = np.split(x, np.cumsum(self.case.widths)[:-1], axis=1)
        return {f"table {k + 1}": part for k, part in enumerate(parts)}


def moved_clusters(
    sort: str, nodes: np.ndarray, label: np.ndarray, offset: float, rng: np.random.Generator
) -> np.ndarray:
    """Return a table of two nodes, of 6 to 20 columns, where the second label has an offset.

    ``copies`` are alike but for their place, ``shapes`` have a covariance each, ``skewed`` noise is
    lognormal, and in ``bent`` tables the effects of nodes do not add up.
    """
    width = int(rng.integers(6, 21))
    axes = np.linalg.qr(rng.normal(size=(width, 4)))[0].T
    noise = rng.normal(size=(len(nodes), width))
    cell = nodes @ [2, 1]
    if sort == "shapes":
        turned = np.eye(width) + 0.6 * rng.normal(size=(4, width, width)) / np.sqrt(width)
        noise = np.einsum("nij,nj->ni", turned[cell], noise)
    elif sort == "skewed":
        noise = (np.exp(0.5 * noise) - np.exp(0.125)) / np.sqrt(np.exp(0.5) - np.exp(0.25))
    effects = nodes @ (np.array([5.0, 6.0])[:, None] * axes[:2])
    if sort == "bent":
        effects = effects + 3.0 * nodes.prod(axis=1)[:, None] * axes[2]
    direction = rng.normal(size=width)
    return effects + noise + label[:, None] * offset * direction / np.linalg.norm(direction)


def _posterior(
    x: np.ndarray, means: np.ndarray, weights: np.ndarray, variance: float | np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return probabilities of the cells, and log densities but for a constant."""
    squares = np.stack([(np.square(x - mean) / variance).sum(axis=1) for mean in means], axis=1)
    with np.errstate(divide="ignore"):
        logs = np.log(weights) - 0.5 * squares
    total = logsumexp(logs, axis=1, keepdims=True)
    return np.exp(logs - total), total[:, 0]


def nodes_of(probabilities: np.ndarray) -> np.ndarray:
    """Return the likelier outcome of each of the two nodes."""
    return (probabilities @ CELLS > 0.5).astype(int)


def em_with_offsets(
    x: np.ndarray, label: np.ndarray, cell: np.ndarray, n_cells: int = 4
) -> np.ndarray:
    """Return probabilities of the cells by EM that starts from the true cells.

    A mean for each cell, an offset and weights for each label, one variance.
    """
    gamma, one_hot = np.eye(n_cells)[cell], np.eye(label.max() + 1)[label]
    offsets = np.zeros((one_hot.shape[1], x.shape[1]))
    for _ in range(300):
        counts = one_hot.T @ gamma  # (label, cell)
        sums = np.einsum("ne,nc,nd->ecd", one_hot, gamma, x, optimize=True)
        for _ in range(50):  # means and offsets, in turn
            free = (sums - counts[:, :, None] * offsets[:, None]).sum(axis=0)
            means = free / np.maximum(counts.sum(axis=0), 1e-9)[:, None]
            free = (sums - counts[:, :, None] * means).sum(axis=1)
            offsets = free / np.maximum(counts.sum(axis=1), 1e-9)[:, None]
            offsets -= offsets[0]
        weights = (counts + 1e-6) / (counts + 1e-6).sum(axis=1, keepdims=True)
        shifted = x - offsets[label]
        squares = np.stack([np.square(shifted - mean).sum(axis=1) for mean in means], axis=1)
        variance = (gamma * squares).sum() / x.size
        before, (gamma, _) = gamma, _posterior(shifted, means, weights[label], variance)
        if np.abs(gamma - before).max() < 1e-4:
            break
    return gamma


def em_of_new_context(
    x: np.ndarray, means: np.ndarray, spread: float = 2.0
) -> tuple[np.ndarray, np.ndarray, float]:
    """Return offset, weights and share of unknown kinds of samples of a new context.

    Cells and the noise of variance one are given. EM starts from the difference of means, from no
    offset, and with each cell at the median of the samples; the likeliest end counts. Unknown kinds
    are taken for samples of the cells with so many times the noise.
    """
    width = x.shape[1]
    starts = [np.zeros(width), x.mean(axis=0) - means.mean(axis=0)]
    starts += [np.median(x, axis=0) - mean for mean in means]
    best = (-np.inf, starts[0], np.full(len(means), 0.25), 0.0)
    for offset in starts:
        weights, share = np.full(len(means), 1.0 / len(means)), 0.05
        for _ in range(200):
            gamma, logs = _posterior(x - offset, means, weights, 1.0)
            wide = _posterior(x - offset, means, weights, spread**2)[1] - width * np.log(spread)
            known = np.log1p(-share) + logs
            density = np.logaddexp(known, np.log(share) + wide)
            belongs = np.exp(known - density)[:, None]
            gamma = gamma * belongs
            offset = (gamma[:, :, None] * (x[:, None] - means)).sum(axis=(0, 1)) / gamma.sum()
            weights = (gamma.sum(axis=0) + 1e-3) / (gamma.sum() + 1e-3 * len(means))
            share = np.clip(1.0 - belongs.mean(), 1e-6, 0.9)
        best = max(best, (density.sum(), offset, weights, share), key=lambda found: found[0])
    return best[1:]


def centred(x: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Return samples (n, ...) whose mean is the same in all contexts."""
    moved = x.astype(np.float64)
    for one in np.unique(label):
        moved[label == one] -= moved[label == one].mean(axis=0)
    return (moved + x.mean(axis=0)).astype(x.dtype)


def combat(x: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Return samples after ComBat (Johnson, Li and Rabinovic 2007, Biostatistics), no covariates.

    Per element: location and scale of each context, shrunk by the parametric empirical Bayes.
    Elements that do not vary stay as they are.
    """
    flat = x.reshape(len(x), -1).astype(np.float64)
    labels = np.unique(label)
    residuals = flat.copy()
    for one in labels:
        residuals[label == one] -= flat[label == one].mean(axis=0)
    spread = np.sqrt(np.square(residuals).mean(axis=0))
    varies = spread > 1e-8 * spread.max()
    mean, spread = flat.mean(axis=0)[varies], spread[varies]
    z = (flat[:, varies] - mean) / spread
    for one in labels:
        rows = label == one
        gamma, delta = _shrunk(z[rows])
        z[rows] = (z[rows] - gamma) / np.sqrt(delta)
    flat[:, varies] = z * spread + mean
    return flat.reshape(x.shape).astype(x.dtype)


def _shrunk(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return location and variance of each element in one context."""
    n, location, variance = len(z), z.mean(axis=0), z.var(axis=0, ddof=1)
    centre, tau = location.mean(), location.var(ddof=1)
    m, s = variance.mean(), variance.var(ddof=1)
    shape, rate = (2.0 * s + m**2) / s, (m * s + m**3) / s
    gamma, delta = location, variance
    for _ in range(100):
        before = gamma, delta
        gamma = (n * tau * location + delta * centre) / (n * tau + delta)
        squares = np.square(z).sum(axis=0) - 2.0 * gamma * z.sum(axis=0) + n * gamma**2
        delta = (0.5 * squares + rate) / (n / 2.0 + shape - 1.0)
        if max(np.abs(gamma - before[0]).max(), np.abs(delta / before[1] - 1.0).max()) < 1e-4:
            break
    return gamma, delta


def random_network(
    rng: np.random.Generator, n_nodes: int, n_labels: int, least: float = 0.02
) -> tuple[np.ndarray, np.ndarray]:
    """Draw a DAG of a context, which comes first, and binary nodes; return edges and joint.

    Nodes stand in a random order, each edge between them is there with probability .5 (one at
    least), the context acts on one of them. Tables are uniform, but each edge carries so many nats
    given the other parents, and no cell of a context is rarer than 2 %.
    """
    sizes = (n_labels, *(2,) * n_nodes)
    while True:
        edges = np.zeros((n_nodes + 1, n_nodes + 1), dtype=bool)
        positions = rng.permutation(n_nodes)
        edges[1:, 1:] = (positions[:, None] < positions) & (rng.random((n_nodes, n_nodes)) < 0.5)
        edges[0, 1 + rng.integers(n_nodes)] = True
        if not edges[1:, 1:].any():
            continue
        joint = np.full(sizes, 1.0 / n_labels)
        for node in range(1, n_nodes + 1):
            family = [*np.flatnonzero(edges[:, node]), node]
            table = rng.dirichlet(np.ones(2), size=tuple(sizes[parent] for parent in family[:-1]))
            shape = [size if k in family else 1 for k, size in enumerate(sizes)]
            joint = joint * table.transpose(np.argsort(family)).reshape(shape)
        strong = all(_strength(joint, edges, i, j) >= least for i, j in np.argwhere(edges))
        if strong and joint.min() * n_labels >= 0.02:
            return edges, joint


def _strength(joint: np.ndarray, edges: np.ndarray, parent: int, child: int) -> float:
    """Return what an edge tells about the child, given its other parents, in nats."""
    others = set(np.flatnonzero(edges[:, child])) - {parent}
    keep = sorted({parent, child} | others)
    table = joint.sum(axis=tuple(set(range(joint.ndim)) - set(keep)))
    i, j = keep.index(parent), keep.index(child)
    rest = table.sum(axis=(i, j), keepdims=True)
    product = table.sum(axis=i, keepdims=True) * table.sum(axis=j, keepdims=True) / rest
    return float((table * np.log(table / product)).sum())


def verdict(edges: np.ndarray, arrows: Sequence[tuple[int, int]]) -> dict[str, int]:
    """Count adjacencies of nodes (the context is number 0): arrows right, wrong, not told.

    ``arrows`` are those that are settled.
    """
    right = sum(bool(edges[i, j]) for i, j in arrows if i > 0 and j > 0)
    wrong = sum(not edges[i, j] for i, j in arrows if i > 0 and j > 0)
    total = int(edges[1:, 1:].sum())
    return {"right": right, "wrong": wrong, "total": total}
