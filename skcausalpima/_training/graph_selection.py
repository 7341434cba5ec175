"""From expected counts of the cells to a graph and its tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from .._structure.edge_probabilities import MAX_PROBABILITY_NODES, edge_probabilities
from .._structure.equivalence import cpdag
from .._structure.search import search_dag
from .._structure.settings import PRIOR_COUNT, GraphSettings, search_options
from ..functional import tables_from_counts
from ..modules import CausalPrior


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
    options = search_options(total, [grid.numpy() for grid in grids], settings)
    found = search_dag(total, random_state=rng, **options)
    if total.ndim > MAX_PROBABILITY_NODES:
        return found.adjacency, None
    return found.adjacency, edge_probabilities(total, **options)


def told_apart(prior: CausalPrior) -> np.ndarray:
    """Return the pairs of nodes of which interventions set one and not the other."""
    n_nodes = len(prior.node_sizes)
    apart = np.zeros((n_nodes, n_nodes), dtype=bool)
    for nodes in prior.regimes:
        is_set = np.isin(np.arange(n_nodes), nodes)
        apart |= is_set[:, None] != is_set
    return apart
