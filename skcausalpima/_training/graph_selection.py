"""From expected counts of the cells to a graph and its tables."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from .._state.fitted import HardGraph
from .._structure.constraints import EdgeConstraints
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
    if prior.mixes.causes:
        return _with_causes(prior, counts, settings, rng, averages)
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
    graph = replace(graph, tables=[table.cpu().numpy() for table in tables])
    if prior.cause_adjacency is not None:
        prior.set_mixes(counts)
        cause_tables = prior.mixes.cause_tables(counts, prior.cause_adjacency)
        graph = replace(graph, cause_tables=[table.cpu().numpy() for table in cause_tables])
    return graph


def _with_causes(
    prior: CausalPrior,
    counts: Tensor,
    settings: GraphSettings,
    rng: np.random.RandomState,
    averages: bool,
) -> HardGraph:
    """Select a DAG of the nodes and the contexts that are causes, which have no parents."""
    total, n_causes = prior.mixes.cause_counts(counts).cpu().numpy(), len(prior.mixes.causes)
    none = np.zeros((total.ndim, total.ndim), dtype=bool)
    required, forbidden = none.copy(), none.copy()
    required[n_causes:, n_causes:], forbidden[n_causes:, n_causes:] = settings.constraints
    forbidden[:, :n_causes] = True  # labels were set from outside, of each context
    extended = replace(settings, constraints=EdgeConstraints(required, forbidden))
    grids = [total] * total.ndim
    adjacency = search_graph(total, grids, extended, rng).adjacency
    weights, probabilities = adjacency.astype(float), None
    if averages and total.ndim <= MAX_PROBABILITY_NODES:
        weights = average_graphs(total, grids, extended)
        probabilities = weights[n_causes:, n_causes:]
    of_causes, of_nodes = adjacency[:n_causes, n_causes:], adjacency[n_causes:, n_causes:]
    known = required.copy()
    known[:n_causes] |= adjacency[:n_causes]
    directed = cpdag(adjacency, known, forbidden)
    compelled = (directed & ~directed.T)[n_causes:, n_causes:]
    on_device = torch.as_tensor(np.ascontiguousarray(of_nodes), device=counts.device)
    tables = prior.family_tables(counts, on_device)
    prior.fix_graph(on_device, tables)
    prior.cause_adjacency = torch.as_tensor(adjacency, device=counts.device)
    prior.set_mixes(counts)
    cause_tables = prior.mixes.cause_tables(counts, prior.cause_adjacency)
    return HardGraph(
        adjacency=np.ascontiguousarray(of_nodes),
        compelled=np.ascontiguousarray(compelled),
        edge_weights=np.ascontiguousarray(weights[n_causes:, n_causes:]),
        probabilities=None if probabilities is None else np.ascontiguousarray(probabilities),
        node_scores=prior.scores.cpu().double().numpy().copy(),
        tables=[table.cpu().numpy() for table in tables],
        cause_edges=np.ascontiguousarray(of_causes),
        cause_weights=np.ascontiguousarray(weights[:n_causes, n_causes:]),
        cause_tables=[table.cpu().numpy() for table in cause_tables],
    )


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
