"""How the graph is learned: settings, the user's knowledge, and which node is called what."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import networkx as nx
import numpy as np
from scipy.special import xlogy

from .constraints import EdgeConstraints, Tiers, edge_constraints
from .digraphs import cycle_path
from .edge_probabilities import MAX_PROBABILITY_NODES, edge_probabilities
from .search import StructureResult, search_dag

#: Samples spread over the grid as a prior on the final tables, and for BDeu where "auto" is stated.
PRIOR_COUNT = 1.0
#: Ways to name the nodes that are compared with what was stated about edges.
MAX_NAMINGS = 720


def graph_settings(
    names: Sequence[str],
    structure: str | nx.DiGraph,
    constraints: EdgeConstraints,
    *,
    tiers: Tiers | None = None,
    **settings: Any,
) -> GraphSettings:
    """Return how the graph is to be learned; contradictions are errors.

    Parameters
    ----------
    names : sequence of str
        Names of the nodes.
    structure : {"refined", "gradient"} or DiGraph
        How it is learned, or the graph itself.
    constraints : EdgeConstraints
        Required and forbidden edges in the order of ``names``, those of ``tiers`` included.
    tiers : sequence, default=None
        Groups of nodes, earlier ones first.
    **settings : object
        The other fields of :class:`GraphSettings`.

    Returns
    -------
    GraphSettings
        Knowledge as matrices in the order of ``names``.
    """
    if isinstance(structure, nx.DiGraph):
        constraints = _fixed_graph(structure, names, constraints)
        structure, precedence = "fixed", constraints.required
    else:
        precedence = _precedence(names, tiers, constraints.required)
    return GraphSettings(
        structure=structure, constraints=constraints, precedence=precedence, **settings
    )


def _fixed_graph(
    graph: nx.DiGraph, names: Sequence[str], constraints: EdgeConstraints
) -> EdgeConstraints:
    """Return constraints that only one graph meets."""
    if set(graph) != set(names):
        raise ValueError(
            f"structure is a graph over the nodes {list(graph)}, but the nodes are {list(names)}; "
            "name them in node_sizes, as in node_sizes={'lattice': 2, 'state': 2}."
        )
    if not nx.is_directed_acyclic_graph(graph):
        raise ValueError(f"structure must be acyclic, but it has the cycle {cycle_path(graph)}.")
    adjacency = nx.to_numpy_array(graph, nodelist=list(names), weight=None) > 0
    for what, wrong in (
        ("lacks the required", constraints.required & ~adjacency),
        ("has the forbidden", constraints.forbidden & adjacency),
    ):
        for parent, child in np.argwhere(wrong):
            raise ValueError(f"structure {what} edge {names[parent]!r} -> {names[child]!r}.")
    return EdgeConstraints(adjacency, ~adjacency)


def _precedence(names: Sequence[str], tiers: Tiers | None, required: np.ndarray) -> np.ndarray:
    """Return which nodes come before which in every order that training considers."""
    earlier = edge_constraints(names, tiers=tiers).forbidden.T & ~np.eye(len(names), dtype=bool)
    both = required | earlier
    graph = nx.from_numpy_array(both, create_using=nx.DiGraph)
    # Required edges may lead back from a later tier by way of a node that is in none.
    return both if nx.is_directed_acyclic_graph(graph) else required


@dataclass(frozen=True, kw_only=True)
class GraphSettings:
    """How the graph is learned, and what is known about it.

    Parameters
    ----------
    structure : {"gradient", "refined", "fixed"}
        Threshold of the relaxed edges, score-based search, or a given graph.
    constraints : EdgeConstraints
        Required and forbidden edges; of a fixed graph all its edges and no others.
    precedence : ndarray of bool of shape (n_nodes, n_nodes)
        True where a node comes before another in every order.
    score : {"bic", "bdeu"}, default="bic"
        Of the search.
    equivalent_sample_size : "auto" or float, default="auto"
        Of BDeu, in the search and in the probabilities of edges.
    edge_penalty : float, default=0.0
        Nats per sample that an edge costs.
    edge_threshold : float, default=0.5
        Least weight of an edge, for "gradient".
    """

    structure: str
    constraints: EdgeConstraints
    precedence: np.ndarray
    score: str = "bic"
    equivalent_sample_size: float | str = "auto"
    edge_penalty: float = 0.0
    edge_threshold: float = 0.5

    @property
    def states_edges(self) -> bool:
        """Whether anything is known about edges."""
        required, forbidden = self.constraints
        return bool(required.any() or forbidden.sum() > len(forbidden) or self.precedence.any())


def search_graph(
    counts: np.ndarray,
    grids: Sequence[np.ndarray],
    settings: GraphSettings,
    rng: np.random.RandomState | None = None,
) -> StructureResult:
    """Return the graph that scores best.

    ``grids`` are, per node, the counts of the samples in which it was not set.
    """
    size = settings.equivalent_sample_size
    return search_dag(
        counts,
        settings.constraints,
        rng,
        score=settings.score,
        equivalent_sample_size=PRIOR_COUNT if isinstance(size, str) else size,
        edge_cost=settings.edge_penalty * counts.sum(),
        node_counts=grids,
    )


def average_graphs(
    counts: np.ndarray, grids: Sequence[np.ndarray], settings: GraphSettings
) -> np.ndarray:
    """Return the probabilities of all edges."""
    return edge_probabilities(
        counts,
        settings.constraints,
        equivalent_sample_size=settings.equivalent_sample_size,
        edge_cost=settings.edge_penalty * counts.sum(),
        node_counts=grids,
    )


def name_nodes(
    counts: np.ndarray, grids: Sequence[np.ndarray], settings: GraphSettings, is_named: np.ndarray
) -> np.ndarray:
    """Return which node should take each place so that what was stated about edges fits best.

    Which of the nodes of one size is called N1 is otherwise arbitrary; once edges are required,
    forbidden or ordered by name, it is not.

    Parameters
    ----------
    counts : ndarray of shape (C_1, ..., C_L)
        Counts of the cells.
    grids : sequence of ndarray of shape (C_1, ..., C_L)
        Per place those of the samples in which its node was not set.
    settings : GraphSettings
        Knowledge about edges.
    is_named : ndarray of bool of shape (n_nodes,)
        Nodes that must keep their place.

    Returns
    -------
    ndarray of shape (n_nodes,)
        The node that comes to each place; itself, where nothing was stated or where there are
        more than :data:`MAX_NAMINGS` ways.
    """
    sizes, identity = np.array(counts.shape), np.arange(counts.ndim)
    groups = [np.flatnonzero((sizes == size) & ~is_named) for size in sorted(set(counts.shape))]
    n_ways = math.prod(math.factorial(len(group)) for group in groups)
    if not settings.states_edges or counts.ndim > MAX_PROBABILITY_NODES or n_ways > MAX_NAMINGS:
        return identity
    best_score, best = -math.inf, identity
    for orders in itertools.product(*(itertools.permutations(group) for group in groups)):
        order = identity.copy()
        for group, permuted in zip(groups, orders, strict=True):
            order[group] = permuted
        renamed = [grid.transpose(order) for grid in grids]
        score = search_graph(counts.transpose(order), renamed, settings).score
        score += sum(
            _marginal_fit((counts - grid).sum(axis=tuple(identity[identity != order[position]])))
            for position, grid in enumerate(grids)
        )  # how nodes were set: else the node that is hardest to guess would be called a set one
        if score > best_score + 1e-9 * abs(score):  # the first of equals: places are kept
            best_score, best = score, order
    return best


def _marginal_fit(counts: np.ndarray) -> float:
    """Return the log-likelihood of outcomes at their own frequencies."""
    counts = counts.clip(0.0)  # a difference of sums may be rounded to less
    return float(xlogy(counts, counts / max(counts.sum(), 1e-300)).sum())
