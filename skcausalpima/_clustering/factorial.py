"""A mixture whose components are the cells of a grid, on which effects of the nodes add up."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .._base.grid import NodeGrid
from .._held_out.matching import outcome_indicators
from .margins import LEAST_COUNT

#: An iteration that raises the mean log-likelihood by less is the last one.
TOL = 1e-4

_PSEUDO_COUNT = 0.5  # samples that each cell has beside its own
_WRONGLY_KNOWN = 0.01  # how probable it is that a known outcome is another one
_LEAST_ITER = 3


@dataclass(frozen=True, kw_only=True)
class FactorialFit:
    """Where the mixture is after some iterations.

    Parameters
    ----------
    responsibilities : ndarray of shape (n_samples, n_cells)
        Of the cells.
    effects : ndarray of shape (n_outcomes, n_features)
        What each outcome of each node adds, nodes one after the other.
    covariance : ndarray of shape (n_features, n_features)
        Of every cell.
    counts : ndarray of shape (n_cells,)
        Sums of responsibilities.
    bound : float
        Mean log-likelihood of a sample, in nats.
    """

    responsibilities: np.ndarray
    effects: np.ndarray
    covariance: np.ndarray
    counts: np.ndarray
    bound: float


class FactorialMixture:
    """Gaussians of one covariance on a grid: a mean is a sum of effects, a weight is free.

    Thousands of cells have no more parameters than there are outcomes, so that few samples a cell
    tell all of them, once the nodes are roughly known.

    Parameters
    ----------
    points : ndarray of shape (n_samples, n_features)
        Samples.
    node_sizes : tuple of int
        Number of outcomes of each node.
    known : ndarray of shape (n_samples, n_nodes), default=None
        Known outcomes, -1 where unknown; they make others improbable.

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima._clustering.factorial import FactorialMixture
    >>> rng = np.random.default_rng(0)
    >>> nodes = rng.integers(2, size=(200, 2))
    >>> mixture = FactorialMixture(6.0 * nodes + rng.normal(size=(200, 2)), (2, 2))
    >>> roughly = np.where(rng.random((200, 2)) < 0.8, nodes, 1 - nodes)
    >>> found = mixture.nodes(mixture.fit(roughly, 20))
    >>> float((found == nodes).mean()) > 0.99
    True
    """

    def __init__(
        self, points: np.ndarray, node_sizes: tuple[int, ...], known: np.ndarray | None = None
    ) -> None:
        self.points, self.sizes, self.known = points, tuple(node_sizes), known
        self.outcomes = NodeGrid(self.sizes).outcomes()
        self.coding = np.concatenate(outcome_indicators(self.outcomes, self.sizes), axis=1)
        ends = np.cumsum(self.sizes)
        self.blocks = [slice(e - size, e) for e, size in zip(ends, self.sizes, strict=True)]
        self._scatter = points.T @ points
        self._least = 1e-9 * np.trace(self._scatter) / points.size * np.eye(points.shape[1])
        self._told = np.zeros((len(points), 0))
        if known is not None:
            marks = [
                np.where((k >= 0)[:, None], np.eye(s)[k], 1.0)
                for k, s in zip(known.T, self.sizes, strict=True)
            ]
            self._told = math.log(_WRONGLY_KNOWN) * (1.0 - np.concatenate(marks, axis=1))

    def fit(self, nodes: np.ndarray, max_iter: int) -> FactorialFit:
        """Iterate from outcomes of the nodes, (n_samples, n_nodes)."""
        marks = np.concatenate(outcome_indicators(nodes, self.sizes), axis=1)
        effects, covariance = self._updated(marks.T @ marks, marks.T @ self.points)
        counts = np.bincount(NodeGrid(self.sizes).cells(nodes), minlength=len(self.coding))
        return self._iterate(effects, covariance, counts, max_iter)

    def refit(self, fit: FactorialFit, max_iter: int) -> FactorialFit:
        """Go on from a fit to these or to other samples."""
        share = len(self.points) / fit.counts.sum()
        return self._iterate(fit.effects, fit.covariance, share * fit.counts, max_iter)

    def assigned(self, fit: FactorialFit) -> np.ndarray:
        """Return responsibilities, (n_samples, n_cells), under a fit to these or other samples.

        Cells that hold less than ``LEAST_COUNT`` samples are empty.
        """
        counts = np.where(fit.counts >= LEAST_COUNT, fit.counts, -_PSEUDO_COUNT)
        with np.errstate(divide="ignore"):  # log of 0
            return self._assigned(fit.effects, fit.covariance, counts)[0]

    def nodes(self, fit: FactorialFit) -> np.ndarray:
        """Return the outcomes in the most probable cell, (n_samples, n_nodes)."""
        return self.outcomes[fit.responsibilities.argmax(axis=1)]

    def doubts(self, fit: FactorialFit) -> np.ndarray:
        """Return how improbable the likeliest outcome of each node is, in the mean over samples."""
        margins = fit.responsibilities @ self.coding
        return 1.0 - np.array([margins[:, block].max(axis=1).mean() for block in self.blocks])

    def _iterate(
        self, effects: np.ndarray, covariance: np.ndarray, counts: np.ndarray, max_iter: int
    ) -> FactorialFit:
        bound = -math.inf
        for step in range(max_iter):
            gamma, evidence = self._assigned(effects, covariance, counts)
            counts = gamma.sum(axis=0)
            normal = self.coding.T @ (counts[:, None] * self.coding)
            moments = self.coding.T @ (gamma.T @ self.points)
            effects, covariance = self._updated(normal, moments)
            previous, bound = bound, evidence
            if step >= _LEAST_ITER and bound - previous < TOL:
                break
        return FactorialFit(
            responsibilities=gamma,
            effects=effects,
            covariance=covariance,
            counts=counts,
            bound=bound,
        )

    def _updated(self, normal: np.ndarray, moments: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return effects by least squares, and the covariance of what they leave."""
        effects = np.linalg.solve(normal + 1e-6 * np.eye(len(normal)), moments)
        cross = effects.T @ moments
        rest = self._scatter - cross - cross.T + effects.T @ normal @ effects
        return effects, rest / len(self.points) + self._least

    def _assigned(
        self, effects: np.ndarray, covariance: np.ndarray, counts: np.ndarray
    ) -> tuple[np.ndarray, float]:
        """Return responsibilities and the mean log-likelihood."""
        n_samples, n_cells = len(self.points), len(self.coding)
        root = np.linalg.cholesky(covariance)
        points = np.linalg.solve(root, self.points.T).T
        means = self.coding @ np.linalg.solve(root, effects.T).T
        shares = (counts + _PSEUDO_COUNT) / (n_samples + _PSEUDO_COUNT * n_cells)
        constants = np.log(shares) - 0.5 * np.square(means).sum(axis=1)
        indicators = self.coding[:, : self._told.shape[1]]
        logs = (
            np.column_stack([points, np.ones(n_samples), self._told])
            @ np.column_stack([means, constants, indicators]).T
        )
        largest = logs.max(axis=1, keepdims=True)
        logs -= largest
        np.exp(logs, out=logs)
        totals = logs.sum(axis=1, keepdims=True)
        logs /= totals
        evidence = (np.log(totals) + largest).mean() - 0.5 * np.square(points).sum() / n_samples
        return logs, float(evidence - np.log(np.diag(root)).sum())


def exchanged(mixture: FactorialMixture, fit: FactorialFit, out: Sequence[int]) -> np.ndarray:
    """Return what samples show of some nodes alone, along so many directions as these may have.

    The effects of the others are taken away. Directions are those that vary most beside noise.
    """
    nodes, rest = mixture.nodes(fit), mixture.points.copy()
    for node, block in enumerate(mixture.blocks):
        if node not in out:
            rest -= fit.effects[block][nodes[:, node]]
    rest -= rest.mean(axis=0)
    root = np.linalg.cholesky(fit.covariance)
    rest = np.linalg.solve(root, rest.T).T
    _, vectors = np.linalg.eigh(rest.T @ rest)
    n_directions = sum(mixture.sizes[node] - 1 for node in out)
    return rest @ vectors[:, ::-1][:, :n_directions]
