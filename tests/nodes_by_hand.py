"""Nodes and graphs by hand, without a fit."""

from functools import cache
from itertools import combinations, permutations

import networkx as nx
import numpy as np

SIZES = (2, 3, 2, 3, 2)


def random_nodes(rng, n_samples=300, sizes=SIZES):
    return np.stack([rng.integers(size, size=n_samples) for size in sizes], axis=1)


@cache
def all_dags(n_nodes):
    """All DAGs as one array (n_dags, n_nodes, n_nodes): 25, 543, 29 281 of 3, 4, 5 nodes."""
    pairs = list(combinations(range(n_nodes), 2))
    chosen = np.arange(2 ** len(pairs))[:, None] >> np.arange(len(pairs)) & 1
    upper = np.zeros((len(chosen), n_nodes, n_nodes), dtype=bool)
    upper[:, [i for i, _ in pairs], [j for _, j in pairs]] = chosen
    dags = [upper[:, order][:, :, order] for order in map(list, permutations(range(n_nodes)))]
    return np.unique(np.concatenate(dags).reshape(-1, n_nodes**2), axis=0).reshape(
        -1, n_nodes, n_nodes
    )


def as_dag(edges, n_nodes):
    dag = nx.DiGraph()
    dag.add_nodes_from(f"N{k + 1}" for k in range(n_nodes))
    dag.add_edges_from((f"N{i + 1}", f"N{j + 1}") for i, j in edges)
    return dag


def global_state():
    return np.random.get_state()[1].copy()  # noqa: NPY002
