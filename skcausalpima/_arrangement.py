"""From clusters to the cells of a grid of nodes: the smallest main-effects misfit."""

from __future__ import annotations

import itertools
import math
from typing import NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment
from sklearn.utils import check_random_state

# Grids with at most this many distinct arrangements are searched exhaustively: (2, 2, 2) has 840,
# (3, 3) has 5040, (2, 5) has 15120.
_MAX_EXHAUSTIVE = 20_000
_N_RESTARTS = 200
_N_POLISHED = 5  # optima of a grid with empty cells that swaps then improve
_TIE_TOLERANCE = 1e-9  # of the total variation: misfits closer than this are equal


class Arrangement(NamedTuple):
    """Clusters on the cells of a grid.

    Parameters
    ----------
    cells : ndarray of shape (n_clusters,)
        Flat index (C order) of each cluster's cell.
    misfit : float
        Part of the variation of the means, in [0, 1], that main effects leave unexplained.
    second_misfit : float
        The same for the best distinct arrangement; inf if there is none. Where the search is not
        exhaustive, that of the best one met.
    gap : float
        ``second_misfit / misfit``; 1 where both are zero, inf where only the first is.
    ties : int
        Number of distinct arrangements whose misfit equals the smallest.
    node_shares : ndarray of shape (n_nodes,)
        Part of the variation of the means that is lost when a node's effects are left out.
    exhaustive : bool
        Whether every distinct arrangement was tried.
    """

    cells: np.ndarray
    misfit: float
    second_misfit: float
    gap: float
    ties: int
    node_shares: np.ndarray
    exhaustive: bool


class _Problem(NamedTuple):
    """Centred means and the grid they are to be laid on."""

    means: np.ndarray  # (n_clusters, n_features), centred and of unit total variation
    sizes: tuple[int, ...]
    outcomes: np.ndarray  # (n_cells, n_nodes): outcomes of each cell
    design: np.ndarray  # (n_cells, n_effects): base and treatment-coded effects

    @property
    def is_full(self) -> bool:
        """Whether every cell gets a cluster (then main effects are orthogonal)."""
        return len(self.means) == len(self.design)


def arrange(
    means: np.ndarray,
    counts: np.ndarray,
    node_sizes: tuple[int, ...],
    *,
    random_state: int | np.random.RandomState | None = None,
) -> Arrangement:
    r"""Assign clusters to grid cells so that node effects add up best.

    The arrangement minimises :math:`\sum_k \|m_k - b - \sum_l e_{l, o_l(k)}\|^2` over base b,
    effects e and the placing of clusters on cells, :math:`o_l(k)` being the outcome of node l in
    the cell of cluster k. Clusters weigh the same whatever their size: that an effect is the same
    in every context is a statement on cells, and the joint of the nodes must not sway it. Clusters
    without samples are left out of the sum and take the cells that remain.

    Arrangements that differ only by relabelling a node's outcomes or by swapping nodes of one size
    are one and the same. Reported is the one with nodes of equal size by falling share and with the
    outcomes of each node by falling number of samples (ties: by falling size of effect), which
    does not depend on the order of the clusters.

    Parameters
    ----------
    means : ndarray of shape (n_clusters, n_features)
        Means of the clusters in data space; no more than there are cells.
    counts : ndarray of shape (n_clusters,)
        Numbers of samples (or sums of responsibilities).
    node_sizes : tuple of int
        Number of outcomes of each node.
    random_state : int, RandomState or None, default=None
        Used by the search of grids too large to enumerate.

    Returns
    -------
    Arrangement
        Cells and how sure they are.

    Raises
    ------
    ValueError
        If there are more clusters than cells.

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima._arrangement import arrange
    >>> corners = np.array([[0.0, 1.0], [3.0, 0.0], [3.0, 1.0], [0.0, 0.0]])
    >>> arrange(corners, np.array([4, 2, 1, 8]), (2, 2)).cells
    array([1, 2, 3, 0])
    """
    means, counts = np.asarray(means, dtype=float), np.asarray(counts, dtype=float)
    sizes = tuple(int(size) for size in node_sizes)
    n_cells = math.prod(sizes)
    if len(means) > n_cells:
        raise ValueError(
            f"Expected at most {n_cells} clusters for node_sizes={sizes}, got {len(means)}; merge "
            "clusters or enlarge the grid."
        )
    seen = np.flatnonzero(counts > 0)
    problem = _make_problem(means[seen], sizes)
    rng = check_random_state(random_state)
    exhaustive = _n_distinct(len(seen), sizes) <= _MAX_EXHAUSTIVE
    if exhaustive:
        placed, misfits = _enumerate(problem)
    else:
        placed, misfits = _search(problem, rng)
    best, second, ties = _rank(placed, misfits, problem)
    seen_cells, shares = _canonical(best, counts[seen], problem)
    smallest = float(np.clip(misfits.min(initial=1.0), 0.0, 1.0)) if len(seen) else 0.0
    return Arrangement(
        _fill(seen_cells, seen, len(means), n_cells),
        smallest,
        second,
        _ratio(second, smallest),
        ties,
        shares,
        exhaustive,
    )


def _make_problem(means: np.ndarray, sizes: tuple[int, ...]) -> _Problem:
    """Centre and scale the means; code the grid."""
    outcomes = np.stack(np.unravel_index(np.arange(math.prod(sizes)), sizes), axis=1)
    effects = [
        (outcomes[:, [node]] == np.arange(1, size)).astype(float) for node, size in enumerate(sizes)
    ]
    design = np.concatenate([np.ones((len(outcomes), 1)), *effects], axis=1)
    largest = np.abs(means).max(initial=0.0)
    centred = means - means.mean(axis=0) if len(means) else means
    norm = np.linalg.norm(centred)
    # identical means are rounding noise once centred
    centred = centred / norm if norm > 1e-12 * largest else np.zeros_like(centred)
    return _Problem(centred, sizes, outcomes, design)


def _n_distinct(n_clusters: int, sizes: tuple[int, ...]) -> float:
    """Count arrangements up to relabelling of outcomes and swaps of nodes (exact on full grids)."""
    n_cells = math.prod(sizes)
    placings = math.perm(n_cells, n_clusters)
    relabellings = math.prod(math.factorial(size) for size in sizes)
    swaps = math.prod(math.factorial(sizes.count(size)) for size in set(sizes))
    return placings / (relabellings * swaps)


def _enumerate(problem: _Problem) -> tuple[np.ndarray, np.ndarray]:
    """Return all distinct arrangements (n, n_clusters) as cells, and their misfits.

    Cluster after cluster takes a free cell. An arrangement is written once only: outcomes of a
    node are numbered as they first appear, and columns of nodes of equal size are in
    lexicographic order.
    """
    sizes, outcomes = np.array(problem.sizes), problem.outcomes
    n_cells = len(outcomes)
    states = np.empty((1, 0), dtype=np.int64)
    highest = np.full((1, len(sizes)), -1)  # largest outcome so far
    for _ in range(len(problem.means)):
        parent, cell = np.divmod(np.arange(len(states) * n_cells), n_cells)
        is_new = (outcomes[cell] <= highest[parent] + 1).all(axis=1)
        is_new &= (states[parent] != cell[:, None]).all(axis=1)
        parent, cell = parent[is_new], cell[is_new]
        states = np.concatenate([states[parent], cell[:, None]], axis=1)
        highest = np.maximum(highest[parent], outcomes[cell])
        ordered = _nodes_in_order(outcomes[states], problem.sizes)
        states, highest = states[ordered], highest[ordered]
    return states, _misfits(states, problem)


def _nodes_in_order(labels: np.ndarray, sizes: tuple[int, ...]) -> np.ndarray:
    """Tell whether columns of equal-sized nodes are lexicographically sorted, per state."""
    in_order = np.ones(len(labels), dtype=bool)
    for size in set(sizes):
        nodes = [node for node, other in enumerate(sizes) if other == size]
        for left, right in itertools.pairwise(nodes):
            difference = np.sign(labels[:, :, right] - labels[:, :, left])
            rows = np.arange(len(labels))
            first = difference[rows, (difference != 0).argmax(axis=1)]
            in_order &= first >= 0
    return in_order


def _misfits(states: np.ndarray, problem: _Problem) -> np.ndarray:
    r"""Return :math:`\mathrm{tr}((I - H) M M^T)` for each placing (n, n_clusters) of clusters."""
    gram = problem.means @ problem.means.T
    if problem.is_full:
        kernel = _kernel(problem)
        explained = np.array([np.vdot(kernel[np.ix_(state, state)], gram) for state in states])
        return np.maximum(np.trace(gram) - explained, 0.0)
    designs = problem.design[states]  # (n, n_clusters, n_effects)
    normal = np.swapaxes(designs, 1, 2) @ designs
    moments = np.swapaxes(designs, 1, 2) @ gram @ designs
    explained = np.einsum("sij,sji->s", np.linalg.pinv(normal, hermitian=True), moments)
    return np.maximum(np.trace(gram) - explained, 0.0)


def _kernel(problem: _Problem) -> np.ndarray:
    """Return the projector on main effects of a full grid, for centred means."""
    sizes, outcomes = problem.sizes, problem.outcomes
    same = outcomes[:, None, :] == outcomes[None, :, :]  # (n_cells, n_cells, n_nodes)
    return (same * np.array(sizes)).sum(axis=2) / len(outcomes)


def _search(problem: _Problem, rng: np.random.RandomState) -> tuple[np.ndarray, np.ndarray]:
    """Descend from many starts; return the optima and the best one's neighbours."""
    n_clusters, n_cells = len(problem.means), len(problem.design)
    optima = np.stack(
        [_descend(rng.permutation(n_cells)[:n_clusters], problem) for _ in range(_N_RESTARTS)]
    )
    optima = np.unique(optima, axis=0)
    if not problem.is_full:
        best_few = _misfits(optima, problem).argsort()[:_N_POLISHED]
        optima = np.stack([*optima, *(_polish(optima[index], problem) for index in best_few)])
    best = optima[_misfits(optima, problem).argmin()]
    states = np.concatenate([optima, _neighbours(best, n_cells)])
    return states, _misfits(states, problem)


def _descend(cells: np.ndarray, problem: _Problem) -> np.ndarray:
    """Fit effects and place all clusters anew by turns, then swap pairs; each lowers the misfit."""
    while True:
        effects = np.linalg.pinv(problem.design[cells]) @ problem.means
        predicted = problem.design @ effects  # (n_cells, n_features)
        cost = np.square(predicted).sum(axis=1) - 2 * problem.means @ predicted.T
        _, new = linear_sum_assignment(cost)
        if cost[np.arange(len(new)), cells].sum() - cost[np.arange(len(new)), new].sum() < 1e-12:
            break
        cells = new
    return _swap_descent(cells, problem) if problem.is_full else cells


def _swap_descent(cells: np.ndarray, problem: _Problem) -> np.ndarray:
    """Apply the best swap of two clusters until none lowers the misfit of a full grid."""
    cells, kernel = cells.copy(), _kernel(problem)
    gram = problem.means @ problem.means.T
    diagonal = np.diag(gram)
    distances = diagonal[:, None] + diagonal - 2 * gram
    while True:
        placed = kernel[np.ix_(cells, cells)]
        product = gram @ placed
        own = np.diag(product)
        gain = product + product.T - own[:, None] - own
        gain -= (placed - placed[0, 0]) * distances
        first, second = np.unravel_index(gain.argmax(), gain.shape)
        if gain[first, second] <= 1e-12:
            return cells
        cells[[first, second]] = cells[[second, first]]


def _neighbours(cells: np.ndarray, n_cells: int) -> np.ndarray:
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


def _polish(cells: np.ndarray, problem: _Problem) -> np.ndarray:
    """Take the best neighbour, by the misfit of occupied cells, while that helps."""
    misfit = _misfits(cells[None], problem)[0]
    while True:
        neighbours = _neighbours(cells, len(problem.design))
        misfits = _misfits(neighbours, problem)
        if misfits.min() >= misfit - 1e-12:
            return cells
        cells, misfit = neighbours[misfits.argmin()], misfits.min()


def _rank(
    placed: np.ndarray, misfits: np.ndarray, problem: _Problem
) -> tuple[np.ndarray, float, int]:
    """Return the best placing, the misfit of the best distinct one, and the number of ties."""
    order = np.argsort(misfits, kind="stable")
    best = placed[order[0]]
    keys = {_key(best, problem)}
    second, ties = np.inf, 0
    for index in order[1:]:
        is_tie = misfits[index] <= misfits[order[0]] + _TIE_TOLERANCE
        if np.isfinite(second) and not is_tie:
            break
        key = _key(placed[index], problem)
        if key in keys:
            continue
        keys.add(key)
        second, ties = min(second, float(misfits[index])), ties + int(is_tie)
    return best, second, ties


def _key(cells: np.ndarray, problem: _Problem) -> tuple:
    """Name an arrangement: the partition of the clusters by each node, nodes in fixed order."""
    columns = []
    for node, size in enumerate(problem.sizes):
        labels = problem.outcomes[cells, node]
        first = {label: rank for rank, label in enumerate(dict.fromkeys(labels.tolist()))}
        columns.append((size, tuple(first[label] for label in labels.tolist())))
    return tuple(sorted(columns))


def _ratio(second: float, smallest: float) -> float:
    """Divide misfits; two that are zero to rounding tie."""
    if not np.isfinite(second):
        return np.inf
    if smallest <= _TIE_TOLERANCE:
        return 1.0 if second <= _TIE_TOLERANCE else np.inf
    return second / smallest


def _canonical(
    cells: np.ndarray, counts: np.ndarray, problem: _Problem
) -> tuple[np.ndarray, np.ndarray]:
    """Order outcomes by samples and equal-sized nodes by share; return cells and shares."""
    labels = problem.outcomes[cells].copy()
    for node, size in enumerate(problem.sizes):
        weight = np.bincount(labels[:, node], weights=counts, minlength=size)
        n_clusters = np.bincount(labels[:, node], minlength=size)
        total = np.zeros((size, problem.means.shape[1]))
        np.add.at(total, labels[:, node], problem.means)
        effect = np.linalg.norm(total, axis=1) / np.maximum(n_clusters, 1)
        order = np.lexsort((-effect.round(9), -weight))
        labels[:, node] = np.argsort(order)[labels[:, node]]
    shares = _shares(cells, problem)
    sizes = np.array(problem.sizes)
    order = np.arange(len(sizes))
    for size in set(problem.sizes):
        nodes = np.flatnonzero(sizes == size)
        order[nodes] = nodes[np.argsort(-shares[nodes], kind="stable")]
    return np.ravel_multi_index(tuple(labels[:, order].T), problem.sizes), shares[order]


def _shares(cells: np.ndarray, problem: _Problem) -> np.ndarray:
    """Return the rise of the misfit when one node's effects are left out, per node."""
    owner = np.repeat(np.arange(-1, len(problem.sizes)), [1, *(np.array(problem.sizes) - 1)])

    def explained(design: np.ndarray) -> float:
        basis, values, _ = np.linalg.svd(design, full_matrices=False)
        basis = basis[:, values > 1e-9 * values.max(initial=0.0)]
        return float(np.square(basis.T @ problem.means).sum())

    design = problem.design[cells]
    full = explained(design)
    return np.array([full - explained(design[:, owner != n]) for n in range(len(problem.sizes))])


def _fill(seen_cells: np.ndarray, seen: np.ndarray, n_clusters: int, n_cells: int) -> np.ndarray:
    """Put clusters without samples on the cells that remain, in order."""
    cells = np.empty(n_clusters, dtype=np.int64)
    cells[seen] = seen_cells
    unseen = np.setdiff1d(np.arange(n_clusters), seen)
    cells[unseen] = np.setdiff1d(np.arange(n_cells), seen_cells)[: len(unseen)]
    return cells
