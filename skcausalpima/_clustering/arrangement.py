"""From clusters to the cells of a grid of nodes: the smallest main-effects misfit."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.utils import check_random_state

from .._base.grid import NodeGrid
from .._held_out.matching import align_nodes, known_counts
from .clusters import Place
from .matching import TIE_TOLERANCE, known_agreements, near_ties, node_agreement, tolerated_share
from .placements import Problem, least_rise, make_problem, misfits_of, neighbours, search

# Grids with at most this many distinct arrangements are searched exhaustively: (2, 2, 2) has 840,
# (3, 3) has 5040, (2, 5) has 15120.
MAX_EXHAUSTIVE = 20_000


@dataclass(frozen=True, kw_only=True)
class Arrangement:
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
        Number of other distinct arrangements whose misfit equals the smallest.
    node_shares : ndarray of shape (n_nodes,)
        Part of the variation of the means that is lost when a node's effects are left out.
    node_agreement : ndarray of shape (n_nodes,)
        Smallest adjusted Rand index of each node's labels with those of an arrangement that fits
        nearly as well; 1 if there is none.
    exhaustive : bool
        Whether every distinct arrangement was tried.
    found : bool, default=True
        Whether it is one: of many cells it may not be found, and nodes are placed by chance.
    certainty : float, default=None
        How probable the likeliest outcome of a node is, in the mean; known of many cells.
    """

    cells: np.ndarray
    misfit: float
    second_misfit: float
    gap: float
    ties: int
    node_shares: np.ndarray
    node_agreement: np.ndarray
    exhaustive: bool
    found: bool = True
    certainty: float | None = None


def arrange(
    means: np.ndarray,
    counts: np.ndarray,
    node_sizes: tuple[int, ...],
    *,
    known: Sequence[np.ndarray] | None = None,
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

    Where outcomes are known, nodes and outcomes are placed and numbered so that most of them
    agree, and arrangements that agree with clearly fewer of them than the best one (by two
    standard errors of its share) are not considered.

    Parameters
    ----------
    means : ndarray of shape (n_clusters, n_features)
        Means of the clusters in data space; no more than there are cells.
    counts : ndarray of shape (n_clusters,)
        Numbers of samples (or sums of responsibilities).
    node_sizes : tuple of int
        Number of outcomes of each node.
    known : sequence of ndarray of shape (n_clusters, size), default=None
        Per node the number of samples of each cluster that are known to have each outcome.
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
    >>> from skcausalpima._clustering.arrangement import arrange
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
    nonempty = np.flatnonzero(counts > 0)
    tables = None if known is None else [table[nonempty] for table in known]
    problem = make_problem(means[nonempty], sizes, tables)
    rng = check_random_state(random_state)
    exhaustive = n_distinct(len(nonempty), sizes) <= MAX_EXHAUSTIVE
    if exhaustive:
        placed = distinct(len(problem.means), sizes)
        misfits = misfits_of(placed, problem)
    else:
        placed, misfits = search(problem, rng)
    if tables is not None:
        n_known = max(1, sum(table.sum() for table in tables))
        share = known_agreements(problem.outcomes[placed], tables) / n_known
        agree = share >= tolerated_share(share.max(), n_known)
        placed, misfits = placed[agree], misfits[agree]
    best, second, ties = _best_placing(placed, misfits, problem)
    cells, shares = _canonical(best, counts[nonempty], problem)
    outcomes, rivals = problem.outcomes[cells], near_ties(placed, misfits)
    smallest = float(misfits.min(initial=1.0))
    return Arrangement(
        cells=_fill(cells, nonempty, len(means), n_cells),
        misfit=smallest,
        second_misfit=second,
        gap=_ratio(second, smallest),
        ties=ties,
        node_shares=shares,
        node_agreement=node_agreement(outcomes, rivals, counts[nonempty], sizes),
        exhaustive=exhaustive,
    )


def arrange_again(means: np.ndarray, counts: np.ndarray, node_sizes: tuple[int, ...]) -> np.ndarray:
    """Return the cells of clusters that lie on the cells of their numbers, and have new means.

    Of a grid that is too large to enumerate, they stay, or two of them change places. Where a
    cluster has no samples, all stay.
    """
    present = np.arange(len(means))
    if not counts.all():
        return present
    if n_distinct(len(means), node_sizes) <= MAX_EXHAUSTIVE:
        return arrange(means, counts, node_sizes).cells
    placed = np.concatenate([present[None], neighbours(present, len(means))])
    return placed[misfits_of(placed, make_problem(means, node_sizes)).argmin()]


def arrange_labels(
    labels: np.ndarray,
    data: np.ndarray,
    sizes: tuple[int, ...],
    known: np.ndarray | None,
    rng: np.random.RandomState,
    place: Place | None = None,
    n_clusters: int | None = None,
) -> Arrangement:
    """Arrange clusters by the means of their samples.

    ``labels`` are their numbers, from 0, (n_samples,), of which the last ones may not occur;
    ``known`` outcomes are -1 where unknown,
    (n_samples, n_nodes). Clusters that have a ``place`` lie in the cells of their numbers already:
    their rivals are all swaps of two clusters, with the effects as they are.
    """
    if place is not None:
        n_clusters = math.prod(sizes)
    elif n_clusters is None:
        n_clusters = int(labels.max()) + 1
    means, counts = means_of_labels(labels, data, n_clusters)
    tables = None if known is None else known_counts(known, labels, n_clusters, sizes)
    if place is None:
        return arrange(means, counts, sizes, known=tables, random_state=rng)
    nonempty = np.flatnonzero(counts > 0)
    tables = None if tables is None else [table[nonempty] for table in tables]
    problem = make_problem(means[nonempty], sizes, tables)
    misfit = float(misfits_of(nonempty[None], problem)[0])
    second = misfit + least_rise(nonempty, problem)
    cells, shares = _canonical(nonempty, counts[nonempty], problem)
    return Arrangement(
        cells=_fill(cells, nonempty, len(means), n_clusters),
        misfit=misfit,
        second_misfit=second,
        gap=_ratio(second, misfit),
        ties=0,
        node_shares=shares,
        node_agreement=place.node_agreement,
        exhaustive=False,
        found=place.found,
        certainty=place.certainty,
    )


def means_of_labels(
    labels: np.ndarray, data: np.ndarray, n_clusters: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean of each cluster's samples, and how many there are."""
    counts = np.bincount(labels, minlength=n_clusters)
    members = csr_matrix((np.ones(len(labels)), (labels, np.arange(len(labels)))))
    members.resize(n_clusters, len(data))
    return members @ data / np.maximum(counts, 1)[:, None], counts


def misfit_of_cells(means: np.ndarray, counts: np.ndarray, sizes: tuple[int, ...]) -> float:
    """Return the misfit of clusters that lie on the cells of the same numbers."""
    nonempty = np.flatnonzero(counts > 0)
    return float(misfits_of(nonempty[None], make_problem(means[nonempty], sizes))[0])


def n_distinct(n_clusters: int, sizes: tuple[int, ...]) -> int:
    """Count arrangements up to relabelling of outcomes and swaps of nodes (exact on full grids)."""
    n_cells = math.prod(sizes)
    placings = math.perm(n_cells, n_clusters)
    relabellings = math.prod(math.factorial(size) for size in sizes)
    swaps = math.prod(math.factorial(sizes.count(size)) for size in set(sizes))
    return placings // (relabellings * swaps)


@lru_cache(maxsize=4)
def distinct(n_clusters: int, sizes: tuple[int, ...]) -> np.ndarray:
    """Return all distinct arrangements (n, n_clusters) as cells; they are not to be written into.

    Cluster after cluster takes a free cell. An arrangement is written once only: outcomes of a
    node are numbered as they first appear, and columns of nodes of equal size are in
    lexicographic order.
    """
    outcomes = NodeGrid(sizes).outcomes()
    n_cells = len(outcomes)
    states = np.empty((1, 0), dtype=np.int64)
    highest = np.full((1, len(sizes)), -1)  # largest outcome so far
    for _ in range(n_clusters):
        parent, cell = np.divmod(np.arange(len(states) * n_cells), n_cells)
        is_new = (outcomes[cell] <= highest[parent] + 1).all(axis=1)
        is_new &= (states[parent] != cell[:, None]).all(axis=1)
        parent, cell = parent[is_new], cell[is_new]
        states = np.concatenate([states[parent], cell[:, None]], axis=1)
        highest = np.maximum(highest[parent], outcomes[cell])
        ordered = _nodes_in_order(outcomes[states], sizes)
        states, highest = states[ordered], highest[ordered]
    states.flags.writeable = False
    return states


def _nodes_in_order(labels: np.ndarray, sizes: tuple[int, ...]) -> np.ndarray:
    """Return whether columns of equal-sized nodes are lexicographically sorted, per state."""
    in_order = np.ones(len(labels), dtype=bool)
    for size in set(sizes):
        nodes = [node for node, other in enumerate(sizes) if other == size]
        for left, right in itertools.pairwise(nodes):
            difference = np.sign(labels[:, :, right] - labels[:, :, left])
            rows = np.arange(len(labels))
            first = difference[rows, (difference != 0).argmax(axis=1)]
            in_order &= first >= 0
    return in_order


def _best_placing(
    placed: np.ndarray, misfits: np.ndarray, problem: Problem
) -> tuple[np.ndarray, float, int]:
    """Return the best placing, the misfit of the best distinct one, and the number of ties."""
    order = np.argsort(misfits, kind="stable")
    best = placed[order[0]]
    keys = {_key(best, problem)}
    second, ties = np.inf, 0
    for index in order[1:]:
        is_tie = misfits[index] <= misfits[order[0]] + TIE_TOLERANCE
        if np.isfinite(second) and not is_tie:
            break
        key = _key(placed[index], problem)
        if key in keys:
            continue
        keys.add(key)
        second, ties = min(second, float(misfits[index])), ties + int(is_tie)
    return best, second, ties


def _key(cells: np.ndarray, problem: Problem) -> tuple:
    """Name an arrangement: the partition of the clusters by each node, nodes in fixed order."""
    columns = []
    for node, size in enumerate(problem.sizes):
        labels = problem.outcomes[cells, node]
        first = {label: number for number, label in enumerate(dict.fromkeys(labels.tolist()))}
        columns.append((size, tuple(first[label] for label in labels.tolist())))
    return tuple(sorted(columns))


def _ratio(second: float, smallest: float) -> float:
    """Divide misfits; two that are zero to rounding tie."""
    if not np.isfinite(second):
        return np.inf
    if smallest <= TIE_TOLERANCE:
        return 1.0 if second <= TIE_TOLERANCE else np.inf
    return second / smallest


def _canonical(
    cells: np.ndarray, counts: np.ndarray, problem: Problem
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
    labels, shares = labels[:, order], shares[order]
    if problem.known is not None:
        labels, order, _ = align_nodes(labels, problem.known)
        shares = shares[order]
    return NodeGrid(problem.sizes).cells(labels), shares


def _shares(cells: np.ndarray, problem: Problem) -> np.ndarray:
    """Return the rise of the misfit when one node's effects are left out, per node."""
    owner = np.repeat(np.arange(-1, len(problem.sizes)), [1, *(np.array(problem.sizes) - 1)])

    def explained(design: np.ndarray) -> float:
        basis, values, _ = np.linalg.svd(design, full_matrices=False)
        basis = basis[:, values > 1e-9 * values.max(initial=0.0)]
        return float(np.square(basis.T @ problem.means).sum())

    design = problem.design[cells]
    full = explained(design)
    return np.array([full - explained(design[:, owner != n]) for n in range(len(problem.sizes))])


def _fill(placed: np.ndarray, nonempty: np.ndarray, n_clusters: int, n_cells: int) -> np.ndarray:
    """Put clusters without samples on the cells that remain, in order."""
    cells = np.empty(n_clusters, dtype=np.int64)
    cells[nonempty] = placed
    empty = np.setdiff1d(np.arange(n_clusters), nonempty)
    cells[empty] = np.setdiff1d(np.arange(n_cells), placed)[: len(empty)]
    return cells
