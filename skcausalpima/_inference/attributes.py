"""What a run leaves behind, in the form in which the estimator shows it."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import networkx as nx
import numpy as np

from .._grid import NodeGrid
from .._training.graph_selection import HardGraph


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
    grid = NodeGrid(tuple(node_sizes))
    empty = np.setdiff1d(np.arange(grid.n_cells), occupied)
    states = grid.outcomes(np.concatenate([occupied, empty]))
    return np.searchsorted(occupied, cells), states


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


def sklearn_covariances(covariances: np.ndarray, covariance_type: str) -> np.ndarray:
    """Return one covariance per component in scikit-learn's shape for the type."""
    if covariance_type == "tied":
        return covariances[0]
    if covariance_type == "spherical":
        return covariances[:, 0]
    return covariances


def full_covariances(
    covariances: np.ndarray, covariance_type: str, n_components: int, latent_dim: int
) -> np.ndarray:
    """Return whole matrices (n_components, latent_dim, latent_dim) from scikit-learn's shape."""
    if covariance_type == "full":
        return covariances
    if covariance_type == "tied":
        return np.broadcast_to(covariances, (n_components, latent_dim, latent_dim))
    if covariance_type == "spherical":
        covariances = np.broadcast_to(covariances[:, None], (n_components, latent_dim))
    return covariances[:, :, None] * np.eye(latent_dim)
