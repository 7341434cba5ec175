"""How well graphs are found: from true labels, from features, and with interventions.

Run with OMP_NUM_THREADS=1. Published networks need the folder that SKCAUSALPIMA_DATA names.

    python benchmarks/graph.py --seeds 0-9 --out doc/benchmark_graph.md

Every figure is the number of seeds in which the Markov equivalence class (CPDAG) is the true one,
or the mean structural Hamming distance between classes. ``search`` is the score-based search (BIC)
that ``structure="refined"`` makes, ``gradient`` the paper's relaxed graph, thresholded at 0.5. All
associations are worth at least 0.05 nats given the other parents. Tables are drawn uniformly, so
that an outcome may have next to no samples; in the last class each has at least a tenth.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import networkx as nx
import numpy as np
import torch
from nodes import class_distance, named_graph

from skcausalpima import CausalPIMA
from skcausalpima._structure.search import search_dag
from skcausalpima.graph import CategoricalDAG
from skcausalpima.modules import CausalPrior

N_SAMPLES = 4096
LEAST_STRENGTH = 0.05  # nats
CLASSES = {
    "v-structure": [("a", "c"), ("b", "c")],
    "chain": [("a", "b"), ("b", "c")],
    "fork": [("a", "b"), ("a", "c")],
    "one edge": [("a", "b")],
    "independent": [],
    "independent, common outcomes": [],
}


# --- data ------------------------------------------------------------------------------------


def random_network(
    nodes: str, edges: Sequence, rng: np.random.RandomState, least_share: float = 0.0
) -> CategoricalDAG:
    """Draw a network of binary nodes whose every edge is strong enough to be seen."""
    graph = nx.DiGraph()
    graph.add_nodes_from(nodes)
    graph.add_edges_from(edges)
    while True:
        shapes = {node: (2,) * graph.in_degree(node) for node in nodes}
        dag = CategoricalDAG(graph, {k: rng.dirichlet([1, 1], size=s) for k, s in shapes.items()})
        strong = all(dag.edge_strength(*edge) >= LEAST_STRENGTH for edge in edges)
        if strong and all(dag.marginal([node]).min() >= least_share for node in nodes):
            return dag


def visible_features(
    outcomes: np.ndarray, rng: np.random.RandomState, width: int = 10, noise: float = 0.3
) -> list[np.ndarray]:
    """Show every node in a modality of its own: one-hot, through a random linear map, and noise."""
    return [
        np.eye(2)[column] @ rng.normal(size=(2, width))
        + noise * rng.normal(size=(len(column), width))
        for column in outcomes.T
    ]


# --- graphs ----------------------------------------------------------------------------------


def with_tables(adjacency: np.ndarray, truth: CategoricalDAG) -> CategoricalDAG:
    """Return a network on a found graph; its tables do not matter."""
    sizes = np.array(truth.sizes)
    tables = [
        np.full((*sizes[adjacency[:, node]], size), 1.0 / size) for node, size in enumerate(sizes)
    ]
    return CategoricalDAG.from_arrays(adjacency, tables, truth.nodes)


def by_search(counts: np.ndarray, seed: int) -> np.ndarray:
    """Return the best-scoring graph."""
    return search_dag(counts).adjacency


def by_gradient(counts: np.ndarray, seed: int, n_steps: int = 2000) -> np.ndarray:
    """Return the paper's graph: gradient ascent of the likelihood of the true labels."""
    prior = CausalPrior(counts.shape, latent_dim=2)
    cells = torch.as_tensor(counts, dtype=torch.float32).flatten()
    prior.initialize_tables(cells)
    torch.nn.init.uniform_(prior.scores, generator=torch.Generator().manual_seed(seed))
    optimizer = torch.optim.Adam(prior.parameters(), lr=1e-2)
    for _ in range(n_steps):
        optimizer.zero_grad()
        (-(cells / cells.sum()) @ prior.log_weights()).backward()
        optimizer.step()
    return (prior.edges() >= 0.5).numpy(force=True)


# --- tables ----------------------------------------------------------------------------------


def from_true_labels(seeds: Sequence[int]) -> list[str]:
    """Compare search and gradient on the true labels of small networks."""
    rows = []
    for name, edges in CLASSES.items():
        right = {by_search: 0, by_gradient: 0}
        for seed in seeds:
            rng = np.random.RandomState(seed)
            truth = random_network("abc", edges, rng, 0.1 if "common" in name else 0.0)
            counts = rng.multinomial(N_SAMPLES, truth.joint().ravel()).reshape(truth.sizes)
            for method in right:
                found = with_tables(method(counts, seed), truth)
                right[method] += class_distance(found, truth) == 0
        rows.append(row(name, *(f"{count} of {len(seeds)}" for count in right.values())))
    return table("true labels, n = 4096: class right", ("search", "gradient"), rows)


def published_networks(seeds: Sequence[int]) -> list[str]:
    """Learn published networks from true labels, n = 20 000."""
    if "SKCAUSALPIMA_DATA" not in os.environ:
        return []
    stored = np.load(Path(os.environ["SKCAUSALPIMA_DATA"]) / "bn_networks.npz")
    rows = []
    for name, methods in (("earthquake", (by_search, by_gradient)), ("asia", (by_search,))):
        joint, adjacency = stored[f"{name}__joint"], stored[f"{name}__adj"].astype(bool)
        sizes = np.array(joint.shape)
        tables = [
            np.full((*sizes[a], size), 1 / size) for a, size in zip(adjacency.T, sizes, strict=True)
        ]
        truth, distances = CategoricalDAG.from_arrays(adjacency, tables), []
        for method in methods:
            counts = [
                np.random.RandomState(s).multinomial(20_000, joint.ravel() / joint.sum())
                for s in seeds
            ]
            found = [
                with_tables(method(c.reshape(sizes), s), truth)
                for c, s in zip(counts, seeds, strict=True)
            ]
            distances.append(np.mean([class_distance(graph, truth) for graph in found]))
        rows.append(row(name, *(f"{distance:.1f}" for distance in distances)))
    return table("true labels, n = 20 000: mean distance", ("search", "gradient"), rows)


def from_features(seeds: Sequence[int]) -> list[str]:
    """Fit features that show every node."""
    rows = []
    for name, edges in CLASSES.items():
        right = 0
        for seed in seeds:
            rng = np.random.RandomState(seed)
            truth = random_network("abc", edges, rng, 0.1 if "common" in name else 0.0)
            outcomes = truth.sample(N_SAMPLES, rng)
            X = visible_features(outcomes, rng)
            est = CausalPIMA(truth.sizes, random_state=seed).fit(X)
            found = named_graph(est, outcomes, truth)
            right += class_distance(found, truth) == 0
            print(name, seed, right, flush=True)
        rows.append(row(name, f"{right} of {len(seeds)}"))
    return table("features, n = 4096: class right", ("refined",), rows)


def from_interventions(seeds: Sequence[int]) -> list[str]:
    """Orient one edge by setting its child, or its parent, in a quarter of the samples."""
    rows = []
    for name, node in (("the child is set", 1), ("the parent is set", 0)):
        right = 0
        for seed in seeds:
            rng = np.random.RandomState(seed)
            edge = [("a", "b"), ("b", "a")][rng.randint(2)]
            truth = random_network("ab", [edge], rng)
            position = truth.nodes.index(edge[node])
            outcomes, set_to = truth.sample(N_SAMPLES, rng), np.full((N_SAMPLES, 2), -1)
            is_set = rng.uniform(size=N_SAMPLES) < 0.25
            for outcome in (0, 1):
                chosen = is_set & (rng.uniform(size=N_SAMPLES) < 0.5)
                outcomes[chosen] = truth.do({edge[node]: outcome}).sample(chosen.sum(), rng)
                set_to[chosen, position] = outcome
            est = CausalPIMA(dict.fromkeys(truth.nodes, 2), random_state=seed)
            est.fit(visible_features(outcomes, rng), interventions=set_to)
            right += list(est.dag_.edges(data="compelled")) == [(*edge, True)]
            print(name, seed, right, flush=True)
        rows.append(row(name, f"{right} of {len(seeds)}"))
    return table("one edge, a quarter of the samples: direction found", ("refined",), rows)


def row(*cells: str) -> str:
    """Write one line of a table."""
    return "| " + " | ".join(cells) + " |"


def table(title: str, columns: Sequence[str], rows: Sequence[str]) -> list[str]:
    """Write a table."""
    return [row(title, *columns), "|---" * (len(columns) + 1) + "|", *rows, ""]


TABLES: dict[str, Callable[[Sequence[int]], list[str]]] = {
    "labels": from_true_labels,
    "published": published_networks,
    "features": from_features,
    "interventions": from_interventions,
}


def main() -> None:
    """Make the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", default="0-9", help="first and last, such as 0-9")
    parser.add_argument("--tables", nargs="+", choices=TABLES, default=list(TABLES))
    parser.add_argument("--out", type=Path, default=Path("benchmark_graph.md"))
    arguments = parser.parse_args()
    first, last = map(int, arguments.seeds.split("-"))
    lines = [f"Seeds {first} to {last}.", ""]
    for name in arguments.tables:
        lines += TABLES[name](range(first, last + 1))
        print("\n".join(lines), flush=True)
    arguments.out.write_text("\n".join(lines))


if __name__ == "__main__":
    main()
