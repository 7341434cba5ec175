"""Placing clusters on a grid: the misfit of main effects, and the search of large grids."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from .._base.grid import NodeGrid

_N_RESTARTS = 200
_N_POLISHED = 5  # optima of a grid with empty cells that swaps then improve


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Centred means and the grid they are to be laid on."""

    means: np.ndarray  # (n_clusters, n_features), centred and of unit total variation
    sizes: tuple[int, ...]
    outcomes: np.ndarray  # (n_cells, n_nodes): outcomes of each cell
    design: np.ndarray  # (n_cells, n_effects): base and treatment-coded effects
    known: list[np.ndarray] | None  # per node (n_clusters, size): samples of known outcome
    bonus: np.ndarray  # (n_clusters, n_cells): known outcomes that agree, above any misfit

    @property
    def is_full(self) -> bool:
        """Whether every cell gets a cluster (then main effects are orthogonal)."""
        return len(self.means) == len(self.design)

    @property
    def tolerance(self) -> float:
        """Rounding error of misfits and bonuses: smaller improvements are none."""
        return 1e-12 * (1.0 - self.bonus.min(initial=0.0))


def make_problem(
    means: np.ndarray, sizes: tuple[int, ...], known: list[np.ndarray] | None = None
) -> Problem:
    """Centre and scale the means; code the grid."""
    outcomes = NodeGrid(sizes).outcomes()
    design = _design(outcomes)
    largest = np.abs(means).max(initial=0.0)
    centred = means - means.mean(axis=0) if len(means) else means
    norm = np.linalg.norm(centred)
    # identical means are rounding noise once centred
    centred = centred / norm if norm > 1e-12 * largest else np.zeros_like(centred)
    agreeing = np.zeros((len(means), len(outcomes)))
    for node, table in enumerate(known or []):
        agreeing += table[:, outcomes[:, node]]
    agreeing -= agreeing.max(axis=1, keepdims=True)  # small numbers keep the misfit's digits
    return Problem(
        means=centred,
        sizes=sizes,
        outcomes=outcomes,
        design=design,
        known=known,
        bonus=10.0 * agreeing,
    )


def _design(outcomes: np.ndarray) -> np.ndarray:
    """Return base and treatment-coded effects of cells, (n_cells, n_effects)."""
    effects = [(column[:, None] == np.arange(1, column.max() + 1)) for column in outcomes.T]
    return np.concatenate([np.ones((len(outcomes), 1)), *effects], axis=1)


def lie_where_effects_put_them(
    means: np.ndarray, outcomes: np.ndarray, is_known: np.ndarray, is_seen: np.ndarray
) -> np.ndarray:
    """Return which clusters lie where effects of outcomes, which add up, put them.

    A cluster does if it is nearer to that place than any other that holds samples is, by half. It
    does not if effects of its outcomes are not known.

    Parameters
    ----------
    means : ndarray of shape (n_clusters, n_features)
        Where clusters are.
    outcomes : ndarray of shape (n_clusters, n_nodes)
        Their cells.
    is_known, is_seen : ndarray of bool of shape (n_clusters,)
        Which ones effects are learned from, and which hold samples.

    Returns
    -------
    ndarray of bool of shape (n_clusters,)
        Clusters without samples are nowhere.

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima._clustering.placements import lie_where_effects_put_them
    >>> means = np.array([[0.0, 0.0], [0.0, 4.0], [3.0, 0.0], [3.1, 3.9]])
    >>> corners, known = np.array([[0, 0], [0, 1], [1, 0], [1, 1]]), [True, True, True, False]
    >>> lie_where_effects_put_them(means, corners, np.array(known), np.ones(4, bool))[3]
    np.True_
    """
    design = _design(outcomes)
    from_known = design @ np.linalg.pinv(design[is_known])
    is_determined = np.abs(from_known @ design[is_known] - design).max(axis=1) < 1e-9
    distances = cdist(from_known @ means[is_known], means)
    to_own_place = distances.diagonal().copy()
    distances[:, ~is_seen] = np.inf
    np.fill_diagonal(distances, np.inf)
    return is_seen & is_determined & (to_own_place < distances.min(axis=1) / 2)


def misfits_of(states: np.ndarray, problem: Problem) -> np.ndarray:
    r"""Return :math:`\mathrm{tr}((I - H) M M^T)` for each placing (n, n_clusters) of clusters."""
    gram = problem.means @ problem.means.T
    explained = projectors(states, problem).reshape(len(states), -1) @ gram.ravel()
    return np.maximum(np.trace(gram) - explained, 0.0)


def projectors(states: np.ndarray, problem: Problem) -> np.ndarray:
    """Return H, (n, n_clusters, n_clusters), of each placing: what effects fit centred means to."""
    if problem.is_full:
        return kernel_of(problem)[states[:, :, None], states[:, None, :]]
    designs = problem.design[states]  # (n, n_clusters, n_effects)
    transposed = np.swapaxes(designs, 1, 2)
    return designs @ np.linalg.pinv(transposed @ designs, hermitian=True) @ transposed


def _objectives(states: np.ndarray, problem: Problem) -> np.ndarray:
    """Return misfits less the bonus of known outcomes."""
    bonus = problem.bonus[np.arange(states.shape[1]), states]  # (n, n_clusters)
    return misfits_of(states, problem) - bonus.sum(axis=1)


def kernel_of(problem: Problem) -> np.ndarray:
    """Return the projector on main effects of a full grid, for centred means."""
    sizes, outcomes = problem.sizes, problem.outcomes
    same = outcomes[:, None, :] == outcomes[None, :, :]  # (n_cells, n_cells, n_nodes)
    return (same * np.array(sizes)).sum(axis=2) / len(outcomes)


def search(problem: Problem, rng: np.random.RandomState) -> tuple[np.ndarray, np.ndarray]:
    """Descend from many starts; return the optima and the best one's neighbours."""
    n_clusters, n_cells = len(problem.means), len(problem.design)
    optima = np.stack(
        [_descend(rng.permutation(n_cells)[:n_clusters], problem) for _ in range(_N_RESTARTS)]
    )
    optima = np.unique(optima, axis=0)
    if not problem.is_full:
        best_few = _objectives(optima, problem).argsort()[:_N_POLISHED]
        optima = np.stack([*optima, *(_polish(optima[index], problem) for index in best_few)])
    best = optima[_objectives(optima, problem).argmin()]
    states = np.concatenate([optima, neighbours(best, n_cells)])
    return states, misfits_of(states, problem)


def least_rise(cells: np.ndarray, problem: Problem) -> float:
    """Return how little the misfit rises by a swap of two clusters, the effects as they are."""
    if len(cells) < 2:
        return np.inf
    effects = np.linalg.pinv(problem.design[cells]) @ problem.means
    predicted = (problem.design @ effects)[cells]
    cost = np.square(predicted).sum(axis=1) - 2 * problem.means @ predicted.T
    current = np.diag(cost)
    rise = cost + cost.T - current[:, None] - current
    np.fill_diagonal(rise, np.inf)
    return max(float(rise.min()), 0.0)


def _descend(cells: np.ndarray, problem: Problem) -> np.ndarray:
    """Fit effects and place all clusters anew by turns, then swap pairs; each lowers the misfit."""
    while True:
        effects = np.linalg.pinv(problem.design[cells]) @ problem.means
        predicted = problem.design @ effects  # (n_cells, n_features)
        cost = np.square(predicted).sum(axis=1) - 2 * problem.means @ predicted.T - problem.bonus
        _, new = linear_sum_assignment(cost)
        rows = np.arange(len(new))
        if cost[rows, cells].sum() - cost[rows, new].sum() < problem.tolerance:
            break
        cells = new
    return _swap_descent(cells, problem) if problem.is_full else cells


def _swap_descent(cells: np.ndarray, problem: Problem) -> np.ndarray:
    """Apply the best swap of two clusters until none lowers the misfit of a full grid."""
    cells, kernel = cells.copy(), kernel_of(problem)
    gram = problem.means @ problem.means.T
    diagonal = np.diag(gram)
    distances = diagonal[:, None] + diagonal - 2 * gram
    while True:
        placed = kernel[np.ix_(cells, cells)]
        product = gram @ placed
        current = np.diag(product)
        gain = product + product.T - current[:, None] - current
        gain -= (placed - placed[0, 0]) * distances
        bonus = problem.bonus[:, cells]
        gain += bonus + bonus.T - np.diag(bonus)[:, None] - np.diag(bonus)
        first, second = np.unravel_index(gain.argmax(), gain.shape)
        if gain[first, second] <= problem.tolerance:
            return cells
        cells[[first, second]] = cells[[second, first]]


def neighbours(cells: np.ndarray, n_cells: int) -> np.ndarray:
    """Return all placings one swap of two clusters, or one move to a free cell, away."""
    n_clusters = len(cells)
    free = np.setdiff1d(np.arange(n_cells), cells)
    first, second = np.triu_indices(n_clusters, 1)
    swapped = np.repeat(cells[None], len(first), axis=0)
    rows = np.arange(len(first))
    swapped[rows, first], swapped[rows, second] = cells[second], cells[first]
    moved = np.repeat(cells[None], n_clusters * len(free), axis=0)
    moved[np.arange(len(moved)), np.repeat(np.arange(n_clusters), len(free))] = np.tile(
        free, n_clusters
    )
    return np.concatenate([swapped, moved])


def _polish(cells: np.ndarray, problem: Problem) -> np.ndarray:
    """Take the best neighbour, by the misfit of occupied cells, while that helps."""
    misfit = _objectives(cells[None], problem)[0]
    while True:
        around = neighbours(cells, len(problem.design))
        misfits = _objectives(around, problem)
        if misfits.min() >= misfit - problem.tolerance:
            return cells
        cells, misfit = around[misfits.argmin()], misfits.min()
