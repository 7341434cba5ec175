"""From expected counts of the cells to a graph and its tables."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from .._state.fitted import HardGraph
from .._structure.edge_probabilities import MAX_PROBABILITY_NODES
from .._structure.equivalence import cpdag
from .._structure.settings import GraphSettings, average_graphs, search_graph
from ..modules import CausalPrior


@torch.no_grad()
def select_graph(
    prior: CausalPrior,
    counts: Tensor,
    settings: GraphSettings,
    rng: np.random.RandomState,
    averages: bool = True,
) -> HardGraph:
    """Select a DAG, refit its tables in closed form and fix both in the prior.

    ``counts`` has shape (n_regimes, n_components). ``averages`` says whether edges get
    probabilities.
    """
    trained_scores = prior.node_scores().cpu().double().numpy().copy()  # to be overwritten by ranks
    probabilities = None
    if settings.structure == "gradient":
        edges = prior.edges().double()
        adjacency = ((edges >= settings.edge_threshold) & (edges > 0)).cpu().numpy()
        weights = edges.cpu().numpy()
    elif settings.structure == "fixed":
        adjacency = settings.constraints.required
        weights = adjacency.astype(float)
    else:
        adjacency, probabilities = _search(prior, counts, settings, rng, averages)
        weights = adjacency.astype(float) if probabilities is None else probabilities
    compelled, tables = _fix(prior, counts, settings, adjacency)
    is_trained = settings.structure == "gradient"
    scores = trained_scores if is_trained else prior.scores.cpu().double().numpy().copy()
    return HardGraph(
        adjacency=adjacency,
        compelled=compelled,
        edge_weights=weights,
        probabilities=probabilities,
        node_scores=scores,
        tables=tables,
    )


@torch.no_grad()
def refit_tables(prior: CausalPrior, counts: Tensor, graph: HardGraph) -> HardGraph:
    """Refit the tables of a fixed graph once more."""
    tables = prior.family_tables(counts, torch.as_tensor(graph.adjacency, device=counts.device))
    prior.set_tables(tables)
    return replace(graph, tables=[table.cpu().numpy() for table in tables])


def _fix(
    prior: CausalPrior, counts: Tensor, settings: GraphSettings, adjacency: np.ndarray
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Put a selected graph into the prior; return its compelled edges and its tables."""
    required, forbidden = settings.constraints
    known = required
    if settings.structure != "gradient":  # which compares no directions
        known = required | (adjacency & told_apart(prior))
    directed = cpdag(adjacency, known, forbidden)
    on_device = torch.as_tensor(adjacency, device=counts.device)
    tables = prior.family_tables(counts, on_device)
    prior.fix_graph(on_device, tables)
    return directed & ~directed.T, [table.cpu().numpy() for table in tables]


def _search(
    prior: CausalPrior,
    counts: Tensor,
    settings: GraphSettings,
    rng: np.random.RandomState,
    averages: bool,
) -> tuple[np.ndarray, np.ndarray | None]:
    """Return the best-scoring DAG and, for few nodes, the probabilities of all edges."""
    total = counts.sum(dim=0).reshape(prior.node_sizes).cpu().numpy()
    grids = [grid.numpy() for grid in prior.node_counts(counts.cpu())]
    found = search_graph(total, grids, settings, rng)
    if total.ndim > MAX_PROBABILITY_NODES or not averages:
        return found.adjacency, None
    return found.adjacency, average_graphs(total, grids, settings)


def told_apart(prior: CausalPrior) -> np.ndarray:
    """Return the pairs of nodes of which interventions set one and not the other."""
    n_nodes = len(prior.node_sizes)
    apart = np.zeros((n_nodes, n_nodes), dtype=bool)
    for nodes in prior.regimes:
        is_set = np.isin(np.arange(n_nodes), nodes)
        apart |= is_set[:, None] != is_set
    return apart
