"""From expected counts of the cells to a graph and its tables."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from scipy.special import xlogy
from torch import Tensor

from ._equivalence import cpdag
from ._structure import (
    MAX_PROBABILITY_NODES,
    EdgeConstraints,
    edge_probabilities,
    search_dag,
)
from .functional import tables_from_counts
from .modules import CausalPrior

#: Samples spread over the grid as a prior on the final tables (BDeu's equivalent sample size).
PRIOR_COUNT = 1.0

#: Ways to name the nodes that are compared with what was stated about edges.
MAX_NAMINGS = 720


class GraphSettings(NamedTuple):
    """How the graph is learned, and what is known about it.

    Parameters
    ----------
    structure : {"gradient", "refined", "fixed"}
        Threshold of the relaxed edges, score-based search, or a given graph.
    constraints : EdgeConstraints
        Required and forbidden edges; of a fixed graph all its edges and no others.
    precedence : ndarray of bool of shape (n_nodes, n_nodes)
        True where a node comes before another in every order.
    score : {"bic", "bdeu"}
        Of the search.
    edge_penalty : float
        Nats per sample that an edge costs.
    edge_threshold : float
        Least weight of an edge, for "gradient".
    """

    structure: str
    constraints: EdgeConstraints
    precedence: np.ndarray
    score: str
    edge_penalty: float
    edge_threshold: float

    @property
    def states_edges(self) -> bool:
        """Whether anything is known about edges."""
        required, forbidden = self.constraints
        return bool(required.any() or forbidden.sum() > len(forbidden) or self.precedence.any())


class HardGraph(NamedTuple):
    """The graph at the end of training."""

    adjacency: np.ndarray  # bool (node, node)
    compelled: np.ndarray  # bool (node, node), the edges whose direction is identified
    edge_weights: np.ndarray  # (node, node)
    probabilities: np.ndarray | None  # (node, node), of the edges, over all graphs
    node_scores: np.ndarray  # (node,)
    tables: list[np.ndarray]  # per node, broadcasting over the grid


def node_counts(
    counts: Tensor, node_sizes: Sequence[int], regimes: Sequence[tuple[int, ...]]
) -> list[Tensor]:
    """Return for every node the counts, over the grid, of the samples in which it was not set.

    ``counts`` has shape (n_regimes, n_components); ``regimes`` says which nodes were set in each.
    """
    grids = []
    for node in range(len(node_sizes)):
        free = torch.tensor([node not in nodes for nodes in regimes], device=counts.device)
        grids.append(counts[free].sum(dim=0).reshape(tuple(node_sizes)))
    return grids


def family_tables(prior: CausalPrior, counts: Tensor, adjacency: Tensor) -> list[Tensor]:
    """Return the tables of a DAG in closed form, smoothed by the prior count.

    ``counts`` has shape (n_regimes, n_components); a node's table is learned where it was not set.
    """
    pseudo_count = PRIOR_COUNT / counts.shape[1]
    return [
        tables_from_counts(grid.double() + pseudo_count, adjacency)[node]
        for node, grid in enumerate(node_counts(counts, prior.node_sizes, prior.regimes))
    ]


def name_nodes(
    counts: np.ndarray,
    grids: Sequence[np.ndarray],
    settings: GraphSettings,
    is_named: np.ndarray,
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
        score = search_dag(counts.transpose(order), **_options(counts, renamed, settings)).score
        score += sum(
            _marginal_fit((counts - grid).sum(axis=tuple(identity[identity != order[place]])))
            for place, grid in enumerate(grids)
        )  # how nodes were set: else the node that is hardest to guess would be called a set one
        if score > best_score + 1e-9 * abs(score):  # the first of equals: places are kept
            best_score, best = score, order
    return best


def _marginal_fit(counts: np.ndarray) -> float:
    """Return the log-likelihood of outcomes at their own frequencies."""
    counts = counts.clip(0.0)  # a difference of sums may be rounded to less
    return float(xlogy(counts, counts / max(counts.sum(), 1e-300)).sum())


@torch.no_grad()
def settle_graph(
    prior: CausalPrior, counts: Tensor, settings: GraphSettings, rng: np.random.RandomState
) -> HardGraph:
    """Decide on a DAG, refit its tables in closed form and fix both in the prior.

    ``counts`` has shape (n_regimes, n_components).
    """
    trained_scores = prior.node_scores().double().cpu().numpy().copy()  # to be overwritten by ranks
    probabilities = None
    if settings.structure == "gradient":
        edges = prior.edges().double()
        adjacency = ((edges >= settings.edge_threshold) & (edges > 0)).cpu().numpy()
        weights = edges.cpu().numpy()
    elif settings.structure == "fixed":
        adjacency = settings.constraints.required
        weights = adjacency.astype(float)
    else:
        adjacency, probabilities = _search(prior, counts, settings, rng)
        weights = adjacency.astype(float) if probabilities is None else probabilities
    compelled, tables = _fix(prior, counts, settings, adjacency)
    is_trained = settings.structure == "gradient"
    scores = trained_scores if is_trained else prior.scores.double().cpu().numpy().copy()
    return HardGraph(adjacency, compelled, weights, probabilities, scores, tables)


@torch.no_grad()
def refit_tables(prior: CausalPrior, counts: Tensor, graph: HardGraph) -> HardGraph:
    """Refit the tables of a settled graph once more."""
    tables = family_tables(prior, counts, torch.as_tensor(graph.adjacency, device=counts.device))
    prior.set_tables(tables)
    return graph._replace(tables=[table.cpu().numpy() for table in tables])


def _fix(
    prior: CausalPrior, counts: Tensor, settings: GraphSettings, adjacency: np.ndarray
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Put a decided graph into the prior; return its compelled edges and its tables."""
    required, forbidden = settings.constraints
    known = required
    if settings.structure != "gradient":  # which compares no directions
        known = required | (adjacency & told_apart(prior))
    directed = cpdag(adjacency, known, forbidden)
    on_device = torch.as_tensor(adjacency, device=counts.device)
    tables = family_tables(prior, counts, on_device)
    prior.fix_graph(on_device, tables)
    return directed & ~directed.T, [table.cpu().numpy() for table in tables]


def _search(
    prior: CausalPrior, counts: Tensor, settings: GraphSettings, rng: np.random.RandomState
) -> tuple[np.ndarray, np.ndarray | None]:
    """Return the best-scoring DAG and, for few nodes, the probabilities of all edges."""
    total = counts.sum(dim=0).reshape(prior.node_sizes).cpu().numpy()
    grids = node_counts(counts.cpu(), prior.node_sizes, prior.regimes)
    options = _options(total, [grid.numpy() for grid in grids], settings)
    found = search_dag(total, random_state=rng, **options)
    if total.ndim > MAX_PROBABILITY_NODES:
        return found.adjacency, None
    return found.adjacency, edge_probabilities(total, **options)


def _options(
    counts: np.ndarray, grids: Sequence[np.ndarray], settings: GraphSettings
) -> dict[str, Any]:
    """Return what searches and averages of graphs have in common."""
    return {
        "node_counts": grids,
        "score": settings.score,
        "equivalent_sample_size": PRIOR_COUNT,
        "edge_cost": settings.edge_penalty * counts.sum(),
        "required": settings.constraints.required,
        "forbidden": settings.constraints.forbidden,
    }


def told_apart(prior: CausalPrior) -> np.ndarray:
    """Return the pairs of nodes of which interventions set one and not the other."""
    n_nodes = len(prior.node_sizes)
    apart = np.zeros((n_nodes, n_nodes), dtype=bool)
    for nodes in prior.regimes:
        is_set = np.isin(np.arange(n_nodes), nodes)
        apart |= is_set[:, None] != is_set
    return apart
