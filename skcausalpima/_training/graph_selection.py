"""From expected counts of the cells to a graph and its tables."""

from __future__ import annotations

from collections.abc import Sequence
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
    n_causes, device = len(prior.mixes.causes), counts.device
    settings, probabilities = _with_causes(settings, n_causes), None
    scores = prior.node_scores().cpu().double().numpy().copy()  # to be overwritten by ranks
    if settings.structure == "gradient":
        edges = prior.edges().double()
        adjacency = ((edges >= settings.edge_threshold) & (edges > 0)).cpu().numpy()
        weights = edges.cpu().numpy()
    elif settings.structure == "fixed":
        adjacency = settings.constraints.required
        weights = adjacency.astype(float)
    else:
        if n_causes:
            total = prior.mixes.cause_counts(counts).cpu().numpy()
            grids = [total] * total.ndim
        else:
            total = counts.sum(dim=0).reshape(prior.node_sizes).cpu().numpy()
            grids = [grid.numpy() for grid in prior.node_counts(counts.cpu())]
        adjacency = search_graph(total, grids, settings, rng).adjacency
        if averages and total.ndim <= MAX_PROBABILITY_NODES:
            probabilities = average_graphs(total, grids, settings)
        weights = adjacency.astype(float) if probabilities is None else probabilities
    required, forbidden = settings.constraints
    known = required
    if settings.structure != "gradient":  # which compares no directions
        known = required | (adjacency & told_apart(prior))
    directed = cpdag(adjacency, known, forbidden)
    compelled = directed & ~directed.T
    edge_weights = np.ascontiguousarray(weights[n_causes:, n_causes:])
    between_nodes = np.ascontiguousarray(adjacency[n_causes:, n_causes:])
    on_device = torch.as_tensor(between_nodes, device=device)
    tables = prior.family_tables(counts, on_device)
    prior.fix_graph(on_device, tables)
    if settings.structure != "gradient":
        scores = prior.scores.cpu().double().numpy().copy()
    if n_causes:
        prior.cause_adjacency = torch.as_tensor(adjacency, device=device)
    return HardGraph(
        adjacency=between_nodes,
        compelled=np.ascontiguousarray(compelled[n_causes:, n_causes:]),
        edge_weights=edge_weights,
        probabilities=None if probabilities is None else edge_weights,
        node_scores=scores,
        tables=_over_causes(prior, counts, tables),
        cause_edges=np.ascontiguousarray(adjacency[:n_causes, n_causes:]),
        cause_weights=np.ascontiguousarray(weights[:n_causes, n_causes:]),
    )


@torch.no_grad()
def refit_tables(prior: CausalPrior, counts: Tensor, graph: HardGraph) -> HardGraph:
    """Refit the tables of a fixed graph once more."""
    tables = prior.family_tables(counts, torch.as_tensor(graph.adjacency, device=counts.device))
    prior.set_tables(tables)
    return replace(graph, tables=_over_causes(prior, counts, tables))


def _over_causes(prior: CausalPrior, counts: Tensor, tables: Sequence[Tensor]) -> list[np.ndarray]:
    """Return tables; those that have causes for parents are refitted, and with them the mixes."""
    if prior.cause_adjacency is not None:
        prior.set_mixes(counts)
        tables = prior.mixes.cause_tables(counts, prior.cause_adjacency)
    return [table.cpu().numpy() for table in tables]


def _with_causes(settings: GraphSettings, n_causes: int) -> GraphSettings:
    """Return settings of a graph that begins with contexts that are causes: none has parents."""
    required, forbidden = (
        np.pad(edges, ((n_causes, 0), (n_causes, 0))) for edges in settings.constraints
    )
    forbidden[:, :n_causes] = True  # labels were set from outside, of each context
    return replace(settings, constraints=EdgeConstraints(required, forbidden))


def told_apart(prior: CausalPrior) -> np.ndarray:
    """Return the pairs of nodes of which interventions set one and not the other.

    Contexts that are causes come first, and are apart from all nodes.
    """
    n_causes, n_nodes = len(prior.mixes.causes), len(prior.node_sizes)
    apart = np.zeros((n_nodes, n_nodes), dtype=bool)
    for nodes in prior.regimes:
        is_set = np.isin(np.arange(n_nodes), nodes)
        apart |= is_set[:, None] != is_set
    apart = np.pad(apart, ((n_causes, 0), (n_causes, 0)))
    apart[:n_causes, n_causes:] = True
    return apart
