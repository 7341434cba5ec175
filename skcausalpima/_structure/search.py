"""The best-scoring DAG: exact for few nodes, hill climbing for more."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_random_state

from .constraints import EdgeConstraints
from .equivalence import BoolArray, canonical_member
from .scores import FamilyScores, bit_mask, over_subsets

#: Time and memory of the exact search grow as ``n_nodes * 2 ** n_nodes``, plus one pass over all
#: marginals of the grid: 0.1 s for 12 binary nodes, 3 s for 16.
MAX_EXACT_NODES = 12
N_RESTARTS = 50  # of hill climbing


class StructureResult(NamedTuple):
    """What a search found.

    Parameters
    ----------
    adjacency : ndarray of bool of shape (n_nodes, n_nodes)
        True where i -> j; acyclic.
    score : float
        The graph's score in nats.
    """

    adjacency: BoolArray
    score: float


def search_dag(
    counts: ArrayLike,
    constraints: EdgeConstraints | None = None,
    random_state: int | np.random.RandomState | None = None,
    **scoring: Any,
) -> StructureResult:
    """Search the DAG that scores best on expected counts.

    Up to `MAX_EXACT_NODES` nodes the search is exact, by dynamic programming over subsets
    (Silander and Myllymaki 2006, A simple approach for finding the globally optimal Bayesian
    network structure, UAI). Beyond, it climbs by adding, removing and reversing single edges,
    and starts again, in turn, from random changes of the best graph so far and from the best
    climb within a random order; the optimum is likely but not certain.

    Equivalent graphs score the same, so the data cannot choose between them. Of the best class
    the member is returned whose reversible edges point from lower to higher node numbers where
    they are free to (taken in ascending order, see `canonical_member`); it meets the
    constraints. Should graphs of different classes tie as well, the one with the
    lexicographically smallest order of nodes, then the fewest parents, is taken.

    Parameters
    ----------
    counts : array-like of shape (C_1, ..., C_L)
        Expected counts of the cells.
    constraints : EdgeConstraints, optional
        Edges that must or must not be there.
    random_state : int, RandomState instance or None, default=None
        Seeds the restarts; the exact search is deterministic.
    **scoring : object
        Parameters of `FamilyScores`. With ``node_counts`` an edge between nodes whose counts
        differ keeps the direction that scores best.

    Returns
    -------
    StructureResult
        Graph and score.

    Examples
    --------
    >>> from skcausalpima._structure.search import search_dag
    >>> search_dag([[40.0, 10.0], [10.0, 40.0]]).adjacency
    array([[False,  True],
           [False, False]])
    """
    scores = FamilyScores(counts, **scoring)
    constraints = constraints or EdgeConstraints.none(scores.n_nodes)
    if scores.n_nodes <= MAX_EXACT_NODES:
        adjacency = _exact_search(scores, constraints)
    else:
        adjacency = _hill_climb(scores, constraints, check_random_state(random_state))
    known = constraints.required | (adjacency & scores.told_apart)
    adjacency = canonical_member(adjacency, known, constraints.forbidden)
    return StructureResult(adjacency, scores.graph(adjacency))


def _exact_search(scores: FamilyScores, constraints: EdgeConstraints) -> BoolArray:
    """Return a best DAG, by dynamic programming over the sets of nodes ordered so far."""
    family = scores.all_families(constraints)  # (n_nodes, 2 ** n_nodes)
    n_nodes = scores.n_nodes
    best = over_subsets(family, np.maximum)  # the score of the best parents among candidates
    full = (1 << n_nodes) - 1
    rest = np.full(full + 1, -np.inf)  # best score of all nodes outside of a set, given the set
    rest[full] = 0.0
    bits = 1 << np.arange(n_nodes)
    for ordered in range(full - 1, -1, -1):
        outside = np.flatnonzero((ordered & bits) == 0)
        rest[ordered] = (best[outside, ordered] + rest[ordered | bits[outside]]).max()

    tolerance = 1e-12 * max(1e3, abs(rest[0]))  # well above rounding, far below any real gap
    adjacency = np.zeros((n_nodes, n_nodes), dtype=bool)
    ordered = 0
    while ordered != full:
        outside = np.flatnonzero((ordered & bits) == 0)
        values = best[outside, ordered] + rest[ordered | bits[outside]]
        node = outside[np.argmax(values >= rest[ordered] - tolerance)]  # the first of those tied
        masks = np.flatnonzero(family[node] >= best[node, ordered] - tolerance)
        enough = masks[(masks & ~ordered) == 0].tolist()
        parents = min(enough, key=lambda mask: (mask.bit_count(), mask))
        adjacency[:, node] = (parents & bits) != 0
        ordered |= int(bits[node])
    return adjacency


def _hill_climb(
    scores: FamilyScores, constraints: EdgeConstraints, rng: np.random.RandomState
) -> BoolArray:
    """Return the best of several climbs."""
    best = _climb(constraints.required.copy(), scores, constraints)
    best_score = scores.graph(best)
    for restart in range(N_RESTARTS):
        if restart % 2:
            positions = rng.permutation(scores.n_nodes)
            ordered = constraints.forbidden | (positions[:, None] >= positions)
            within = EdgeConstraints(constraints.required, ordered)
            start = _climb(constraints.required.copy(), scores, within)
        else:
            start = best
            for _ in range(rng.randint(1, 2 * scores.n_nodes)):
                if moves := _moves(start, constraints):
                    start = _apply(start, moves[rng.randint(len(moves))])
        climbed = _climb(start, scores, constraints)
        score = scores.graph(climbed)
        if score > best_score + 1e-12 * abs(best_score):
            best, best_score = climbed, score
    return best


def _climb(adjacency: BoolArray, scores: FamilyScores, constraints: EdgeConstraints) -> BoolArray:
    """Make the best single change until none improves the score."""
    tolerance = 1e-12 * max(1e3, abs(scores.graph(adjacency)))
    while moves := _moves(adjacency, constraints):
        gains = [_gain(adjacency, move, scores) for move in moves]
        if max(gains) <= tolerance:
            break
        adjacency = _apply(adjacency, moves[int(np.argmax(gains))])
    return adjacency


def _moves(adjacency: BoolArray, constraints: EdgeConstraints) -> list[tuple[str, int, int]]:
    """List the changes of one edge that leave the graph acyclic and within the constraints."""
    required, forbidden = constraints
    leads_to = _leads_to(adjacency)
    moves = []
    for i, j in np.argwhere(~np.eye(len(adjacency), dtype=bool)):
        if adjacency[i, j] and not required[i, j]:
            moves.append(("remove", i, j))
            others = adjacency[i].copy()
            others[j] = False
            if not forbidden[j, i] and not (others & leads_to[:, j]).any():
                moves.append(("reverse", i, j))
        elif not adjacency[i, j] and not forbidden[i, j] and not leads_to[j, i]:
            moves.append(("add", i, j))
    return moves


def _leads_to(adjacency: BoolArray) -> BoolArray:
    """Tell for every pair whether a directed path leads from the first to the second."""
    paths = adjacency.copy()
    for node in range(len(paths)):
        paths |= np.outer(paths[:, node], paths[node])
    return paths


def _gain(adjacency: BoolArray, move: tuple[str, int, int], scores: FamilyScores) -> float:
    """Return by how much a move raises the score."""
    kind, i, j = (move[0], int(move[1]), int(move[2]))
    parents = bit_mask(adjacency[:, j])
    gain = scores.family(j, parents ^ 1 << i) - scores.family(j, parents)
    if kind == "reverse":
        parents = bit_mask(adjacency[:, i])
        gain += scores.family(i, parents | 1 << j) - scores.family(i, parents)
    return gain


def _apply(adjacency: BoolArray, move: tuple[str, int, int]) -> BoolArray:
    """Return the graph after a move."""
    kind, i, j = move
    changed = adjacency.copy()
    changed[i, j] = kind == "add"
    changed[j, i] |= kind == "reverse"
    return changed
