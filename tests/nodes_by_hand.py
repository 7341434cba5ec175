"""Nodes and graphs by hand, without a fit."""

from functools import cache
from itertools import combinations, permutations, product

import networkx as nx
import numpy as np

SIZES = (2, 3, 2, 3, 2)


def random_nodes(rng, n_samples=300, sizes=SIZES):
    return np.stack([rng.integers(size, size=n_samples) for size in sizes], axis=1)


def outcomes_of(sizes):
    """Outcomes of all cells of a grid, in C order."""
    return np.array(list(product(*map(range, sizes))))


def additive_means(rng, sizes, noise, n_features=10):
    """Means of all cells at sums of effects, with Gaussian noise relative to their spread."""
    pairs = zip(sizes, outcomes_of(sizes).T, strict=True)
    means = sum(rng.normal(size=(size, n_features))[outcome] for size, outcome in pairs)
    return means + noise * means.std() * rng.normal(size=means.shape)


def regression_misfit(means, cells, sizes):
    """The part of the variation that one-hot columns leave over in a regression."""
    labels = outcomes_of(sizes)[np.asarray(cells)]
    design = np.concatenate([np.eye(size)[labels[:, n]] for n, size in enumerate(sizes)], axis=1)
    centred = means - means.mean(axis=0)
    left = centred - design @ np.linalg.lstsq(design, centred, rcond=None)[0]
    return np.square(left).sum() / np.square(centred).sum()


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
