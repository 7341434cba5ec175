"""Random networks and the published ones."""

import json
import os
from pathlib import Path

import networkx as nx
import numpy as np
import pytest

from skcausalpima.graph import CategoricalDAG


def make_dag(seed, n_nodes=5, max_size=3, edge_probability=0.5, states=False):
    """A random network whose predecessors are in no special order."""
    rng = np.random.default_rng(seed)
    names = [f"n{i}" for i in range(n_nodes)]
    sizes = dict(zip(names, rng.integers(2, max_size + 1, n_nodes).tolist(), strict=True))
    positions = rng.permutation(n_nodes)
    pairs = [(i, j) for i in range(n_nodes) for j in range(n_nodes) if positions[i] < positions[j]]
    graph = nx.DiGraph()
    graph.add_nodes_from(names)
    for k in rng.permutation(len(pairs)):
        if rng.random() < edge_probability:
            graph.add_edge(*(names[i] for i in pairs[k]))
    if states:
        for name, size in sizes.items():
            graph.nodes[name]["states"] = [f"s{k}<{name}/" for k in range(size)]
    cpts = {}
    for name in names:
        parents = [sizes[parent] for parent in graph.predecessors(name)]
        cpts[name] = rng.dirichlet(np.ones(sizes[name]), size=parents)
    return CategoricalDAG(graph, cpts)


def brute_force_joint(dag, skip=()):
    """The product of the tables, cell by cell; ``skip`` leaves some tables out."""
    joint = np.ones(dag.sizes)
    for cell in np.ndindex(*dag.sizes):
        outcome = dict(zip(dag.nodes, cell, strict=True))
        for node in dag.nodes:
            if node not in skip:
                family = [*dag.graph.predecessors(node), node]
                joint[cell] *= dag.cpts[node][tuple(outcome[member] for member in family)]
    return joint


@pytest.fixture
def random_dag():
    return make_dag


@pytest.fixture
def brute_force():
    return brute_force_joint


@pytest.fixture
def sprinkler():
    """Cloudy -> sprinkler, rain -> wet: one reversible pair, one v-structure."""
    graph = nx.DiGraph([("c", "s"), ("c", "r"), ("s", "w"), ("r", "w")])
    tables = {
        "c": [0.5, 0.5],
        "s": [[0.5, 0.5], [0.9, 0.1]],
        "r": [[0.8, 0.2], [0.2, 0.8]],
        "w": [[[1.0, 0.0], [0.1, 0.9]], [[0.1, 0.9], [0.01, 0.99]]],
    }
    return CategoricalDAG(graph, tables)


@pytest.fixture(scope="session")
def published():
    """Load one of the published networks; tables have axes (*parents, node)."""
    networks = np.load(Path(os.environ["SKCAUSALPIMA_DATA"]) / "bn_networks.npz")
    meta = json.loads(str(networks["meta_json"]))

    def load(name):
        graph = nx.DiGraph()
        for node in meta[name]["nodes"]:
            graph.add_node(node, states=meta[name]["states"][node])
        for node, parents in meta[name]["parents"].items():
            graph.add_edges_from((parent, node) for parent in parents)
        tables = {node: networks[f"{name}__cpt__{node}"] for node in graph}
        return CategoricalDAG(graph, tables)

    return load
