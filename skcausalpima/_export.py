"""What a run leaves behind, in the form in which the estimator shows it."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import networkx as nx
import numpy as np

from ._arrangement import NEAR_TIE
from ._clusters import fisher_ratios
from ._covariances import full_covariances, sklearn_covariances
from ._expert_table import cluster_tables
from ._graph_learning import HardGraph
from ._inference import posterior_and_cells
from ._runs import Run
from ._setup import Setup
from ._start_selection import StartReport
from ._training_data import TrainingData
from ._warnings import warn_caller
from .exceptions import ArrangementWarning
from .modules import MultimodalVAE


def number_components(
    probabilities: np.ndarray, node_sizes: Sequence[int]
) -> tuple[np.ndarray, np.ndarray]:
    """Number the cells so that those that hold samples come first.

    Parameters
    ----------
    probabilities : ndarray of shape (n_samples, n_cells)
        Of the cells in C order.
    node_sizes : sequence of int
        Shape of the grid.

    Returns
    -------
    labels : ndarray of shape (n_samples,)
        Component of each sample, contiguous from 0.
    states : ndarray of shape (n_components, n_nodes)
        Outcomes of the nodes in each component.
    """
    cells = probabilities.argmax(axis=1)
    occupied = np.unique(cells)
    empty = np.setdiff1d(np.arange(math.prod(node_sizes)), occupied)
    states = np.unravel_index(np.concatenate([occupied, empty]), tuple(node_sizes))
    return np.searchsorted(occupied, cells), np.stack(states, axis=1)


def cluster_attributes(
    model: MultimodalVAE, best: Run, setup: Setup, data: TrainingData, covariance_type: str
) -> dict[str, Any]:
    """Return the attributes of a fit that describe the components, the nodes and their graph.

    ``labels_`` and ``node_labels_`` are those of the rows that were trained on.
    """
    probabilities = posterior_and_cells(model, data)[1].cpu().numpy()
    labels, states = number_components(probabilities, setup.node_sizes)
    names = list(setup.node_names)
    tables = cluster_tables(model, data, probabilities, states, names, setup.names)
    cells = np.ravel_multi_index(states.T, setup.node_sizes)
    means = best.state["prior.means"][cells]
    covariances = sklearn_covariances(best.state["prior.covariances"][cells], covariance_type)
    full = full_covariances(covariances, covariance_type, *means.shape)
    dag, cpts, joint = graph_and_tables(best.graph, names)
    return {
        "latent_dim_": setup.latent_dim,
        "labels_": labels,
        "node_labels_": states[labels],
        "cluster_states_": states,
        "expert_params_": tables,
        "cluster_means_": means,
        "cluster_covariances_": covariances,
        "edge_weights_": best.graph.edge_weights,
        "edge_probabilities_": best.graph.probabilities,
        "node_scores_": best.graph.node_scores,
        "dag_": dag,
        "cpts_": cpts,
        "joint_": joint,
        "weights_": joint.ravel()[cells],
        "separation_": separation_report(means, full, labels, setup.weights),
    }


def graph_and_tables(
    graph: HardGraph, names: Sequence[str]
) -> tuple[nx.DiGraph, dict[str, np.ndarray], np.ndarray]:
    """Return the graph, its tables and their product, the joint of the nodes."""
    joint = functools.reduce(np.multiply, graph.tables)
    dag = nx.DiGraph()
    for name, size in zip(names, joint.shape, strict=True):
        dag.add_node(name, size=size)
    for parent, child in np.argwhere(graph.adjacency):
        weight = float(graph.edge_weights[parent, child])
        compelled = bool(graph.compelled[parent, child])
        dag.add_edge(names[parent], names[child], weight=weight, compelled=compelled)
    tables = {
        name: _compact_table(table, node, graph.adjacency[:, node])
        for node, (name, table) in enumerate(zip(names, graph.tables, strict=True))
    }
    return dag, tables, joint


def _compact_table(table: np.ndarray, node: int, is_parent: np.ndarray) -> np.ndarray:
    """Drop the axes of nodes that are no parents and put the node's own axis last."""
    others = tuple(axis for axis in range(table.ndim) if axis != node and not is_parent[axis])
    axis = int(is_parent[:node].sum())
    return np.moveaxis(table.squeeze(others), axis, -1)


def arrangement_report(start: StartReport | None) -> SimpleNamespace | None:
    """Report how clusters were laid on the grid; warn where it was nearly a tie."""
    if start is None:
        return None
    chosen = start.arrangements[start.chosen]
    if chosen.ties or chosen.gap < NEAR_TIE:
        warn_caller(
            f"The arrangement of clusters on the grid is a near tie: the next best one fits "
            f"only {chosen.gap:.3f} times worse, so that nodes may have been mixed up. See "
            "arrangement_; other node_sizes may suit the data better.",
            ArrangementWarning,
        )
    return SimpleNamespace(
        misfit=chosen.misfit,
        gap=chosen.gap,
        ties=chosen.ties,
        node_shares=chosen.node_shares,
        agreement=float(start.agreement[start.chosen]),
        smallest_share=float(start.smallest_share[start.chosen]),
    )


def separation_report(
    means: np.ndarray,
    covariances: np.ndarray,
    labels: np.ndarray,
    weights: np.ndarray | None = None,
) -> SimpleNamespace:
    """Report how well the components are separated and filled.

    ``weights`` say for how many samples each label counts.

    Where the Fisher ratio of two components is below 1, their means are closer than their common
    standard deviation: they have merged.
    """
    counts = np.bincount(labels, weights, len(means))
    occupancy = counts / counts.sum()
    means, covariances = means.astype(np.float64), covariances.astype(np.float64)
    smallest, merged = np.inf, [np.empty((0, 2), dtype=np.intp)]
    for first, (others, ratios) in enumerate(fisher_ratios(means, covariances)):
        filled = (occupancy[first] > 0) & (occupancy[others] > 0)
        smallest = ratios[filled].min(initial=smallest)
        others = others[filled & (ratios < 1.0)]
        merged.append(np.stack([np.full_like(others, first), others], axis=1))
    return SimpleNamespace(
        smallest=float(smallest),
        occupancy=occupancy,
        empty=np.flatnonzero(occupancy == 0),
        merged=np.concatenate(merged),
    )
