"""Nodes and graphs by hand, without a fit."""

import networkx as nx
import numpy as np

SIZES = (2, 3, 2, 3, 2)


def random_nodes(rng, n_samples=300, sizes=SIZES):
    return np.stack([rng.integers(size, size=n_samples) for size in sizes], axis=1)


def as_dag(edges, n_nodes):
    dag = nx.DiGraph()
    dag.add_nodes_from(f"N{k + 1}" for k in range(n_nodes))
    dag.add_edges_from((f"N{i + 1}", f"N{j + 1}") for i, j in edges)
    return dag


def global_state():
    return np.random.get_state()[1].copy()  # noqa: NPY002
