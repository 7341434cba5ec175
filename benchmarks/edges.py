"""Whether probabilities of edges are right as often as they say, on tables and on fits.

    python benchmarks/edges.py counts --seed 0 --n 1000
    python benchmarks/edges.py fits --seeds 0-59 --out edges.csv
    python benchmarks/edges.py fits --summarize edges.csv

``counts`` draws graphs (a random order, each edge with .3 or with .7), tables (entries Dirichlet
.3, .5, 1 or 3) and samples, and compares what ``edge_probabilities_`` would be with the truth: no
fit is needed. ``fits`` draws 1000 samples of four binary nodes besides (Dirichlet 3, each cell 1 %
or more), each of which moves its own column of twelve by five standard deviations, and asks the
fitted model. Bins are fifths of what is said. An adjacency is an edge in either direction. Run with
OMP_NUM_THREADS=1.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from node_rows import parse_seeds

from skcausalpima import CausalPIMA
from skcausalpima._structure.edge_probabilities import edge_probabilities
from skcausalpima.metrics import node_recovery

CONCENTRATIONS, DENSITIES, N_SAMPLES = (0.3, 0.5, 1.0, 3.0), (0.3, 0.7), (200, 1000)
GRIDS = ((2, 2, 2), (2, 2, 2, 2), (3, 2, 3, 2))
LEAST_CELL, DISTANCE = 0.01, 5.0  # of fits: probability of each cell; standard deviations
BINS = np.linspace(0.0, 1.0, 6)


def random_network(
    rng: np.random.Generator, sizes: Sequence[int], density: float, concentration: float
) -> tuple[np.ndarray, np.ndarray]:
    """Draw a DAG and tables; return the edges and the joint probabilities of the cells."""
    n_nodes = len(sizes)
    positions = rng.permutation(n_nodes)
    edges = (positions[:, None] < positions) & (rng.random((n_nodes, n_nodes)) < density)
    joint = np.ones(sizes)
    for node, size in enumerate(sizes):
        family = [*np.flatnonzero(edges[:, node]), node]
        rows = tuple(sizes[parent] for parent in family[:-1])
        table = rng.dirichlet(np.full(size, concentration), size=rows)
        shape = [size if n in family else 1 for n, size in enumerate(sizes)]
        joint = joint * table.transpose(np.argsort(family)).reshape(shape)
    return edges, joint / joint.sum()


def pairs(said: np.ndarray, edges: np.ndarray) -> Iterator[tuple[str, float, bool]]:
    """Yield what is said of adjacencies and arrows, and whether they are there."""
    for i, j in zip(*np.triu_indices(len(edges), 1), strict=True):
        yield "adjacency", said[i, j] + said[j, i], bool(edges[i, j] or edges[j, i])
        yield "arrow", said[i, j], bool(edges[i, j])
        yield "arrow", said[j, i], bool(edges[j, i])


def counts_rows(seed: int, n_networks: int) -> Iterator[tuple[str, str, float, bool]]:
    """Yield what is said of tables of counts, by family of tables."""
    rng = np.random.default_rng(seed)
    for concentration in CONCENTRATIONS:
        for n_samples, sizes, density in itertools.product(N_SAMPLES, GRIDS, DENSITIES):
            for _ in range(n_networks):
                edges, joint = random_network(rng, sizes, density, concentration)
                counts = rng.multinomial(n_samples, joint.ravel()).reshape(sizes)
                family = f"Dirichlet {concentration}, {n_samples} counts"
                for kind, said, true in pairs(edge_probabilities(counts), edges):
                    yield family, kind, said, true


def fits_rows(seed: int, n_samples: int = 1000) -> Iterator[tuple[str, str, float, bool]]:
    """Yield what true counts say and what the model does, by whether its nodes are the factors."""
    rng = np.random.default_rng(seed)
    sizes = (2,) * 4
    joint = np.zeros(sizes)
    while joint.min() < LEAST_CELL:
        edges, joint = random_network(rng, sizes, DENSITIES[seed % 2], CONCENTRATIONS[-1])
    cells = rng.choice(joint.size, size=n_samples, p=joint.ravel())
    factors = np.stack(np.unravel_index(cells, sizes), axis=1)
    X = DISTANCE * factors @ np.eye(4, 12) + rng.normal(size=(n_samples, 12))
    counts = np.bincount(cells, minlength=joint.size).reshape(sizes)
    for kind, said, true in pairs(edge_probabilities(counts), edges):
        yield "true counts", kind, said, true
    est = CausalPIMA(sizes, random_state=seed).fit(X)
    recovery = node_recovery(factors, est.node_labels_)
    found = est.edge_probabilities_[np.ix_(recovery.permutation, recovery.permutation)]
    right = "nodes right" if recovery.accuracies.min() > 0.9 else "nodes wrong"
    for kind, said, true in pairs(found, edges):
        yield right, kind, said, true


def summarise(rows: Sequence[tuple[str, str, float, bool]]) -> None:
    """Print, for each bin, what is said, what is true, and how many there are."""
    for family, kind in dict.fromkeys(row[:2] for row in rows):
        said, true = np.array([row[2:] for row in rows if row[:2] == (family, kind)], float).T
        parts = []
        for low, high in itertools.pairwise(BINS):
            chosen = (said >= low) & ((said < high) | (high == 1))
            if chosen.any():
                share, n = true[chosen].mean(), chosen.sum()
                error = np.sqrt(share * (1 - share) / n)
                parts.append(f"{said[chosen].mean():.2f} is {share:.2f} +- {error:.2f} ({n})")
        print(f"{family:32s} {kind:10s} " + ", ".join(parts))


def main() -> None:
    """Run a table, or print what was run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("table", choices=("counts", "fits"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--n", type=int, default=100, help="networks of each kind")
    parser.add_argument("--seeds", type=parse_seeds, default=list(range(60)))
    parser.add_argument("--out", type=Path, default=Path("edges.csv"))
    parser.add_argument("--summarize", type=Path)
    options = parser.parse_args()
    if options.summarize:
        with options.summarize.open() as file:
            rows = [(r[1], r[2], float(r[3]), bool(int(r[4]))) for r in csv.reader(file)]
        summarise(rows)
    elif options.table == "counts":
        summarise(list(counts_rows(options.seed, options.n)))
    else:
        warnings.simplefilter("ignore")
        for seed in options.seeds:
            rows = [(seed, *row[:3], int(row[3])) for row in fits_rows(seed)]
            with options.out.open("a", newline="") as file:
                csv.writer(file).writerows(rows)


if __name__ == "__main__":
    main()
