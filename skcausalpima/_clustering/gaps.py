"""Gaps between cells: the density half-way between neighbouring clusters."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.spatial.distance import cdist
from scipy.stats import poisson

from .._base.reports.cells import GapsReport
from .margins import FALSE_ALARMS, HALF_AS_DENSE, LEAST_OF_GAP, NO_GAP

_N_NEIGHBOURS = 5  # so many samples of another cell say how far it is from a sample
_N_FOLDS = 5  # of the samples, each projected on the discriminant of the others
_THIRD = 1 / 6  # half of a third of the way from one mean to the other
_N_POINTS = 50  # on a curve, between which it is straight


def find_gaps(
    points: np.ndarray,
    labels: np.ndarray,
    outcomes: np.ndarray,
    groups: np.ndarray | None = None,
) -> GapsReport:
    r"""Measure the density of samples half-way between neighbouring cells.

    Two cells are projected on their discriminant :math:`S^{-1} (m_2 - m_1)`, found on other
    samples than those that are projected. Of the three thirds around the one mean, the middle and
    the other mean, the middle one has about a fifth as many samples as the others where Gaussians
    are five standard deviations apart, and 0.4 at four. It has as many where a uniform cluster was
    cut in two, and more where a Gaussian was. Both cells count alike, however many samples they
    have.

    A line or ring that was cut in pieces bends. So lengths are those along a parabola, which both
    cells lie around; and as the ends are still far from it, the same is measured of the half of
    each cell that is nearest to the other, and the larger of the two ratios counts for a node. Few
    samples are in the middle by chance, too: there is no gap where the ratio is 0.8 and so many
    samples were improbable (0.1, over both parts, and over all pairs of nearest cells) if it were
    0.5.

    Parameters
    ----------
    points : ndarray of shape (n_samples, n_features)
        Where clusters were sought: principal scores.
    labels : ndarray of int of shape (n_samples,)
        Cell of each sample.
    outcomes : ndarray of int of shape (n_cells, n_nodes)
        Outcomes of the nodes in each cell.
    groups : ndarray of int of shape (n_samples,), default=None
        Which samples belong together: they are found on, or projected, together, and count for one.

    Returns
    -------
    GapsReport
        1 is no gap at all.

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima._clustering.gaps import find_gaps
    >>> points = np.random.default_rng(0).normal(size=(400, 2))
    >>> half = (points[:, 0] > 0).astype(int)
    >>> grid = np.array([[0], [1]])
    >>> cut = find_gaps(points, half, grid)
    >>> apart = find_gaps(points + 5 * half[:, None], half, grid)
    >>> cut.cut, cut.pairs
    (array([ True]), array([[0, 1]]))
    >>> apart.cut, apart.pairs.shape
    (array([False]), (0, 2))
    """
    cells, labels = np.unique(labels, return_inverse=True)
    neighbourhood, states = _Neighbourhood(points, labels, groups), outcomes[cells]
    nodes, cut = np.full(states.shape[1], math.nan), np.zeros(states.shape[1], dtype=bool)
    for node in range(states.shape[1]):
        others = np.delete(states, node, axis=1)
        differ = (others[:, None] == others[None]).all(axis=2)
        pairs = neighbourhood.nearest(np.where(differ, neighbourhood.closeness, np.inf))
        of_parts = [
            neighbourhood.densities(pairs, *limits).sum() for limits in ((1.0, 0.5), (0.5, 1.0))
        ]
        nodes[node] = max(float(density.ratio) for density in of_parts)
        cut[node] = any(density.no_gap(len(of_parts)) for density in of_parts)
    pairs = neighbourhood.nearest(neighbourhood.closeness)
    no_gap = neighbourhood.densities(pairs, 1.0, 1.0).no_gap(len(pairs))
    return GapsReport(nodes=nodes, cut=cut, pairs=cells[pairs[no_gap]])


class _Densities(NamedTuple):
    """How many samples are in the middle of pairs of cells, and around the less dense mean.

    They are counted as if both cells had as many as the smaller one has.
    """

    middle: np.ndarray
    ends: np.ndarray

    def sum(self) -> _Densities:
        """Return the numbers of all pairs together."""
        return _Densities(self.middle.sum(), self.ends.sum())

    @property
    def ratio(self) -> np.ndarray:
        """Density in the middle relative to that around the mean; NaN where nothing is known."""
        known = np.where(self.middle + self.ends > 0, 1.0, np.nan)
        return known * (self.middle + 0.5) / (self.ends + 0.5)

    def no_gap(self, n_tests: int) -> np.ndarray:
        """Tell where there is no gap, and not by chance."""
        by_chance = poisson.sf(self.middle - 0.5, HALF_AS_DENSE * np.maximum(self.ends, 0.5))
        return (self.ratio >= NO_GAP) & (by_chance < FALSE_ALARMS / max(n_tests, 1))


class _Neighbourhood:
    """Samples in units of the scatter within their cells, and how near the other cells are."""

    def __init__(
        self, points: np.ndarray, labels: np.ndarray, groups: np.ndarray | None = None
    ) -> None:
        self.groups = np.arange(len(points)) if groups is None else groups
        n_cells = labels.max() + 1
        self.members = [np.flatnonzero(labels == cell) for cell in range(n_cells)]
        means = np.array([points[rows].mean(axis=0) for rows in self.members])
        within = points - means[labels]
        scatter = within.T @ within / max(len(points) - len(means), 1)
        variances, axes = np.linalg.eigh(scatter)
        floor = 1e-6 * max(variances.mean(), 1e-6 * points.var(axis=0).mean()) or 1.0
        self.points = points @ axes / np.sqrt(np.maximum(variances, 0.0) + floor)
        distances = cdist(self.points, self.points)
        self.far = np.full((len(points), n_cells), np.inf)  # of each sample from each other cell
        for cell, rows in enumerate(self.members):
            n_near = min(_N_NEIGHBOURS, len(rows))
            nearest = np.partition(distances[:, rows], n_near - 1, axis=1)[:, :n_near]
            self.far[:, cell] = nearest.mean(axis=1)
            self.far[rows, cell] = np.inf
        halves = [np.sort(self.far[rows], axis=0) for rows in self.members]
        closeness = np.stack([half[: math.ceil(len(half) / 2)].mean(axis=0) for half in halves])
        self.closeness = np.minimum(closeness, closeness.T)
        # nearest cells, and those nearest by some node, are often the same pairs
        self._shares: dict[tuple[int, int, float], tuple[float, float]] = {}

    def nearest(self, closeness: np.ndarray) -> np.ndarray:
        """Return each cell with the one that is nearest to it, each pair once, (n_pairs, 2)."""
        cells = np.flatnonzero(np.isfinite(closeness).any(axis=1))
        pairs = np.stack([cells, closeness[cells].argmin(axis=1)], axis=1)
        return np.unique(np.sort(pairs, axis=1), axis=0)

    def densities(self, pairs: np.ndarray, part: float, least: float) -> _Densities:
        """Return the densities of pairs of cells, or of their parts that face each other.

        Where there are fewer than ``least`` samples for each feature, nothing is known.
        """
        densities, n_needed = [], max(LEAST_OF_GAP, least * self.points.shape[1])
        for first, second in pairs.tolist():
            rows = self._facing(first, second, part), self._facing(second, first, part)
            groups = [np.unique(self.groups[r], return_inverse=True)[1] for r in rows]
            n_least = min(int(numbers.max()) + 1 for numbers in groups)
            pair, shares = (first, second, part), (0.0, 0.0)
            if n_least >= n_needed:
                if pair not in self._shares:
                    positions = _projected([self.points[r] for r in rows], groups)
                    self._shares[pair] = _middle_and_ends(positions)
                shares = self._shares[pair]
            densities.append(2 * n_least * np.array(shares))
        return _Densities(*np.reshape(densities, (-1, 2)).T)

    def _facing(self, cell: int, other: int, part: float) -> np.ndarray:
        """Return the numbers of the part of a cell's samples that is nearest to another."""
        rows = self.members[cell]
        n_rows = max(min(len(rows), LEAST_OF_GAP), math.ceil(part * len(rows)))
        order = np.argsort(self.far[rows, other], kind="stable")[:n_rows]
        return rows[np.sort(order)]


def _projected(cells: Sequence[np.ndarray], groups: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Return where samples lie on the way between the means of two cells (0 and 1).

    Each fold of groups is projected on the discriminant of the others, and measured along their
    curve.
    """
    folds, rng = [], np.random.RandomState(0)
    for numbers in groups:
        n = int(numbers.max()) + 1
        folds.append((rng.permutation(n) % min(_N_FOLDS, n))[numbers])
    positions = [np.empty(len(cell)) for cell in cells]
    for k in range(_N_FOLDS):
        train = [cell[fold != k] for cell, fold in zip(cells, folds, strict=True)]
        axis = _discriminant(train, [cell.mean(axis=0) for cell in train])
        curve = _Curve(np.concatenate(train), axis)
        start, end = (curve.lengths(cell).mean() for cell in train)
        for cell, fold, position in zip(cells, folds, positions, strict=True):
            position[fold == k] = (curve.lengths(cell[fold == k]) - start) / (end - start or 1.0)
    return positions


class _Curve:
    """The parabola above an axis that points lie around, and lengths along it.

    Chance bends a fitted curve, too, most of all at its ends and in many dimensions. The squares of
    its slopes are less by what chance adds, and no slope is below half of that of a straight line.
    """

    def __init__(self, points: np.ndarray, axis: np.ndarray) -> None:
        heights = points @ axis
        self.axis, self.middle, self.scale = axis, heights.mean(), heights.std() or 1.0
        heights = self._scaled(points)
        design = np.vander(heights, 3)
        inverse = np.linalg.pinv(design.T @ design)
        effects = inverse @ design.T @ points
        noise = np.square(points - design @ effects).sum() / max(len(points) - 3, 1)
        self.grid = np.linspace(heights.min(), heights.max(), _N_POINTS)
        derivative = np.column_stack([2 * self.grid, np.ones(_N_POINTS), np.zeros(_N_POINTS)])
        by_chance = noise * ((derivative @ inverse) * derivative).sum(axis=1)
        squared = np.square(derivative @ effects).sum(axis=1) - by_chance
        straight = heights @ points / len(points)
        speed = np.sqrt(np.maximum(squared, straight @ straight / 4))
        steps = (speed[1:] + speed[:-1]) / 2 * np.diff(self.grid)
        self.ways = np.concatenate([[0.0], np.cumsum(steps)])

    def _scaled(self, points: np.ndarray) -> np.ndarray:
        return (points @ self.axis - self.middle) / self.scale

    def lengths(self, points: np.ndarray) -> np.ndarray:
        """Return how far along the curve points are."""
        return np.interp(self._scaled(points), self.grid, self.ways)


def _discriminant(groups: Sequence[np.ndarray], means: Sequence[np.ndarray]) -> np.ndarray:
    """Return Fisher's discriminant, its scatter shrunk to that of a ball."""
    within = np.concatenate([group - mean for group, mean in zip(groups, means, strict=True)])
    n_features = within.shape[1]
    scatter = within.T @ within / max(len(within) - 2, 1)
    difference = means[1] - means[0]
    size = max(np.trace(scatter), 1e-9 * difference @ difference) / n_features or 1.0
    shrinkage = min(1.0, 2 * n_features / len(within))
    ball = (shrinkage + 1e-9) * size * np.eye(n_features)
    return np.linalg.solve((1 - shrinkage) * scatter + ball, difference)


def _middle_and_ends(positions: Sequence[np.ndarray]) -> tuple[float, float]:
    """Return the share of samples in the middle third, and the lesser one around the means."""

    def share(middle: float) -> float:
        return float(
            np.mean([(np.abs(position - middle) < _THIRD).mean() for position in positions])
        )

    return share(0.5), min(share(0.0), share(1.0))
