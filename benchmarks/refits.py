"""Whether refits of the mixture alone say what refits of all that a fit does say.

Run with OMP_NUM_THREADS=1.

    python benchmarks/refits.py --seeds 0-59 --out refits.csv
    python benchmarks/refits.py --summarize refits.csv
    python benchmarks/refits.py --times discs digits mfeat table --seeds 0-2

Each seed draws a network of three or four binary nodes, 300 or 2000 samples of curves of which each
node moves a part by ``distance`` standard deviations of the noise, and fits them. Written are, for
each adjacency, arrow and node, the share (or stability) by 200 refits of the mixture and by
``--n`` whole refits, and the seconds of the fit and of both. The summary has the root mean square
difference of shares, with the sampling variance of both subtracted, how much surer the mixture is
in the mean (of ``|2 share - 1|``), and the mean difference of the nodes' stability, by distance and
by how certain of its outcomes the fit says it is.

``--times`` prints the processor time of a fit, and that of 200 refits for edges and for intervals
beside it: 1000 discs, digits with lines, mfeat (of the folder that SKCAUSALPIMA_DATA names), and a
table of 20 000 rows.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import node_rows
import numpy as np
from edges import random_network
from node_rows import append_lines, parse_seeds

from skcausalpima import CausalPIMA
from skcausalpima.datasets import make_circles_images
from skcausalpima.inspection import EdgeConfidence, edge_confidence, table_intervals

DISTANCES = (3.5, 4.0, 5.0, 6.0)
LEAST_CELL = 0.015
FIELDS = [
    "seed",
    "nodes",
    "samples",
    "distance",
    "certainty",
    "kind",
    "mixture",
    "all",
    "fit_s",
    "mixture_s",
    "all_s",
]


def rows(seed: int, n_refits: int) -> Iterator[tuple[object, ...]]:
    """Yield what both kinds of refits say of one network."""
    rng = np.random.default_rng(seed)
    n_nodes, n_samples = 3 + seed % 2, (300, 2000)[seed // 2 % 2]
    distance, density = DISTANCES[seed // 4 % len(DISTANCES)], (0.3, 0.7)[seed % 2]
    sizes, joint = (2,) * n_nodes, np.zeros(1)
    while joint.min() < LEAST_CELL:
        _, joint = random_network(rng, sizes, density, 3.0)
    cells = rng.choice(joint.size, size=n_samples, p=joint.ravel())
    factors = np.stack(np.unravel_index(cells, sizes), axis=1)
    noise = rng.normal(size=(n_samples, 3 * n_nodes))
    X = distance / np.sqrt(3) * np.repeat(factors, 3, axis=1) + noise
    seconds, found = [], []
    start = time.perf_counter()
    est = CausalPIMA(sizes, scale="modality", random_state=seed).fit(X)
    for settings in ({"refit": "mixture"}, {"refit": "all", "n_bootstraps": n_refits}):
        seconds.append(time.perf_counter() - start)
        start = time.perf_counter()
        found.append(edge_confidence(est, X, random_state=seed, **settings))
    seconds.append(time.perf_counter() - start)
    certainty = float(np.min(est.separation_.certainty))
    for kind, *pair in _pairs(*found):
        yield seed, n_nodes, n_samples, distance, certainty, kind, *pair, *seconds


def _pairs(mixture: EdgeConfidence, whole: EdgeConfidence) -> Iterator[tuple[str, float, float]]:
    """Yield the shares of adjacencies and arrows, and the stabilities of nodes."""
    n_nodes = len(mixture.node_names)
    for i, j in itertools.combinations(range(n_nodes), 2):
        yield "adjacency", mixture.adjacency[i, j], whole.adjacency[i, j]
    for i, j in itertools.permutations(range(n_nodes), 2):
        yield "arrow", mixture.edge[i, j], whole.edge[i, j]
    for node in range(n_nodes):
        yield "stability", mixture.node_stability[node], whole.node_stability[node]


def summarize(path: Path, n_refits: int) -> None:
    """Print the differences by distance, and by certainty."""
    with path.open() as file:
        lines = list(csv.DictReader(file))
    by_distance = [(f"{d} sd", [r for r in lines if float(r["distance"]) == d]) for d in DISTANCES]
    ends = (0.0, 0.95, 0.98, 0.99, 1.01)
    by_certainty = [
        (
            f"certainty {low}-{min(high, 1.0)}",
            [r for r in lines if low <= float(r["certainty"]) < high],
        )
        for low, high in itertools.pairwise(ends)
    ]
    for name, chosen in [*by_distance, *by_certainty]:
        if not chosen:
            continue
        parts = [f"{name:20s} {len({r['seed'] for r in chosen}):3d} networks"]
        for kind in ("adjacency", "arrow"):
            pairs = [(float(r["mixture"]), float(r["all"])) for r in chosen if r["kind"] == kind]
            first, second = np.array(pairs).T
            noise = first * (1 - first) / 200 + second * (1 - second) / (n_refits - 1)
            rms = np.sqrt(max(0.0, np.mean((first - second) ** 2 - noise)))
            surer = np.mean(np.abs(2 * first - 1) - np.abs(2 * second - 1))
            parts.append(f"{kind}: rms {rms:.3f} surer {surer:+.3f}")
        pairs = [(float(r["mixture"]), float(r["all"])) for r in chosen if r["kind"] == "stability"]
        parts.append(f"stability {np.mean(np.subtract(*np.array(pairs).T)):+.3f}")
        ratios = [float(r["mixture_s"]) / float(r["fit_s"]) for r in chosen]
        parts.append(f"200 refits take {np.median(ratios):.2f} fits")
        print(", ".join(parts))


def table(seed: int) -> np.ndarray:
    """Return 20 000 rows, in which each of three dependent nodes moves three columns by 5 sd."""
    rng = np.random.default_rng(seed)
    nodes = [rng.integers(2, size=20_000)]
    for share in (0.7, 0.65):
        nodes.append(np.where(rng.random(20_000) < share, nodes[-1], 1 - nodes[-1]))
    shown = np.repeat(np.stack(nodes, axis=1), 3, axis=1)
    return 5 / np.sqrt(3) * shown + rng.normal(size=shown.shape)


#: By name: node sizes, data and settings.
TIMED: dict[str, Callable[[int], tuple]] = {
    "discs": lambda seed: (
        (2, 2, 2),
        make_circles_images(1000, random_state=seed).images,
        {},
    ),
    "digits": lambda seed: ((10,), node_rows.digits(seed).arrays, {}),
    "mfeat": lambda seed: (
        (10,),
        node_rows.mfeat(seed).arrays,
        {"scale": "feature", "modality_weights": "balanced"},
    ),
    "table": lambda seed: ((2, 2, 2), table(seed), {}),
}


def time_all(name: str, seed: int) -> None:
    """Print how long a fit takes, and how many times as long refits take."""
    sizes, X, settings = TIMED[name](seed)
    seconds = []
    est = CausalPIMA(sizes, random_state=seed, **settings)
    for call in (
        lambda: est.fit(X),
        lambda: edge_confidence(est, X, refit="mixture", random_state=seed),
        lambda: table_intervals(est, X, refit="mixture", random_state=seed),
    ):
        start = time.process_time()
        call()
        seconds.append(time.process_time() - start)
    fit, edges, intervals = seconds
    ratios = f"edges {edges / fit:.2f}, intervals {intervals / fit:.2f}"
    print(f"{name}, seed {seed}: a fit takes {fit:.1f} s, {ratios} of it", flush=True)


def main() -> None:
    """Run some seeds, or print what was run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=parse_seeds, default=list(range(60)))
    parser.add_argument("--n", type=int, default=20, help="whole refits of each network")
    parser.add_argument("--out", type=Path, default=Path("refits.csv"))
    parser.add_argument("--summarize", type=Path)
    parser.add_argument("--times", nargs="+", choices=TIMED)
    options = parser.parse_args()
    if options.summarize:
        summarize(options.summarize, options.n)
        return
    warnings.simplefilter("ignore")
    if options.times:
        for seed, name in itertools.product(options.seeds, options.times):
            time_all(name, seed)
        return
    for seed in options.seeds:
        lines = [dict(zip(FIELDS, row, strict=True)) for row in rows(seed, options.n)]
        append_lines(options.out, FIELDS, lines)


if __name__ == "__main__":
    main()
