"""Whether refits of the mixture alone say what refits of all that a fit does say.

Run with OMP_NUM_THREADS=1.

    python benchmarks/refits.py --seeds 0-59 --out refits.csv
    python benchmarks/refits.py --summarize refits.csv
    python benchmarks/refits.py --times discs digits mfeat table --seeds 0-2

Each seed draws a network of three or four binary nodes, 300 or 2000 samples of curves of which each
node moves a part by ``distance`` standard deviations of the noise, and fits them: 16 seeds have all
of these once. Whole refits, and refits of the mixture, learn from the same ``--n`` bootstrap
samples. Written is, for each of these, what both say of each adjacency and arrow (found or not)
and of each node (adjusted Rand index with the fit's). The summary has the root mean square
difference of shares, with the sampling variance of the paired differences subtracted, how much
surer the mixture is in the mean (of ``|2 share - 1|``), the mean difference of the nodes'
stability, and that of the typical refit. It is by nodes, samples and clearness (5 standard
deviations or more), and by how far the starts of the fit agree with each other.

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
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import node_rows
import numpy as np
import torch
from edges import random_network
from node_rows import append_lines, parse_seeds

from skcausalpima import CausalPIMA
from skcausalpima._base.grid import NodeGrid
from skcausalpima._fit.mixture_refits import mixture_refits
from skcausalpima._structure.equivalence import canonical_member
from skcausalpima.datasets import make_circles_images
from skcausalpima.inspection import edge_confidence, table_intervals
from skcausalpima.inspection._matched_refits import match_refit

DISTANCES = (3.5, 4.0, 5.0, 6.0)
CLEAR = 5.0
LEAST_CELL = 0.015
FIELDS = [
    "seed",
    "nodes",
    "samples",
    "distance",
    "agreement",
    "refit",
    "kind",
    "place",
    "mixture",
    "all",
]


def network(seed: int) -> tuple[tuple[int, ...], float, np.ndarray]:
    """Return node sizes, how far outcomes lie apart, and samples."""
    rng = np.random.default_rng(seed)
    n_nodes, n_samples = 3 + seed % 2, (300, 2000)[seed // 2 % 2]
    distance, density = DISTANCES[seed // 4 % len(DISTANCES)], (0.3, 0.7)[seed % 2]
    sizes, joint = (2,) * n_nodes, np.zeros(1)
    while joint.min() < LEAST_CELL:
        _, joint = random_network(rng, sizes, density, 3.0)
    cells = rng.choice(joint.size, size=n_samples, p=joint.ravel())
    factors = np.stack(np.unravel_index(cells, sizes), axis=1)
    noise = rng.normal(size=(n_samples, 3 * n_nodes))
    return sizes, distance, distance / np.sqrt(3) * np.repeat(factors, 3, axis=1) + noise


def rows(seed: int, n_refits: int) -> Iterator[tuple[object, ...]]:
    """Yield what both kinds of refits say of one network."""
    sizes, distance, X = network(seed)
    est = CausalPIMA(sizes, scale="modality", random_state=seed).fit(X)
    whole = edge_confidence(est, X, random_state=seed, refit="all", n_bootstraps=n_refits)
    of_network = seed, len(sizes), len(X), distance, est.arrangement_.agreement
    of_whole = zip(whole.edges, whole.rand_indices, strict=True)
    pairs = zip(of_mixture(est, X, seed, n_refits), of_whole, strict=True)
    for refit, found in enumerate(pairs):
        for said in zip(*(_said(*of) for of in found), strict=True):
            (kind, place, mixture), (_, _, all_) = said
            yield *of_network, refit, kind, place, mixture, all_


def of_mixture(
    est: CausalPIMA, X: np.ndarray, seed: int, n_refits: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield edges and indices of refits of the mixture, to the samples that whole refits draw."""
    kept, outcomes, counts = mixture_refits(est, X), NodeGrid(est.joint_.shape).outcomes(), []
    for own in np.random.RandomState(seed).randint(2**31 - 1, size=n_refits):
        rng = np.random.RandomState(own)
        rng.randint(2**31 - 1)  # the refit's seed
        counts.append(np.bincount(rng.randint(len(X), size=len(X)), minlength=len(X)))
    with torch.no_grad():
        drawn = torch.from_numpy(np.stack(counts)).double()
        for own, mixture in zip(drawn, kept._mixtures(drawn), strict=True):
            cells, graph, _ = kept._replicate(own, np.random.RandomState(seed), mixture, True)
            edges = graph.adjacency, graph.compelled
            found = match_refit(edges, outcomes[cells], outcomes[kept.cells], est.joint_.shape)
            yield canonical_member(found.edges, required=found.compelled), found.rand_indices


def _said(edges: np.ndarray, indices: np.ndarray) -> Iterator[tuple[str, str, float]]:
    """Yield what a refit says of adjacencies, arrows and nodes."""
    for i, j in itertools.combinations(range(len(indices)), 2):
        yield "adjacency", f"{i}{j}", float(edges[i, j] or edges[j, i])
    for i, j in itertools.permutations(range(len(indices)), 2):
        yield "arrow", f"{i}{j}", float(edges[i, j])
    for node, index in enumerate(indices):
        yield "node", str(node), index


def summarize(path: Path) -> None:
    """Print the differences by kind of network, and by the agreement of starts."""
    with path.open() as file:
        lines = list(csv.DictReader(file))
    groups = {"all": lines}
    for line in lines:
        clear = "clear" if float(line["distance"]) >= CLEAR else "noisy"
        name = f"{line['nodes']} nodes, {line['samples']}, {clear}"
        groups.setdefault(name, []).append(line)
    for low, high in itertools.pairwise((0.0, 0.9, 0.95, 1.01)):
        name = f"agreement {low}-{min(high, 1.0)}"
        groups[name] = [line for line in lines if low <= float(line["agreement"]) < high]
    print("| networks | | adjacencies: rms | surer | arrows: rms | surer | nodes | typical |")
    print("|---" * 8 + "|")
    for name, chosen in groups.items():
        if not chosen:
            continue
        figures = [name, f"{len({line['seed'] for line in chosen})}"]
        for kind in ("adjacency", "arrow"):
            figures += _compared(_by_place(chosen, kind))
        nodes = _by_place(chosen, "node")
        differences = [np.subtract(*np.transpose(of)) for of in nodes]
        figures.append(f"{np.mean([of.mean() for of in differences]):+.3f}")
        figures.append(f"{np.mean([np.median(of) for of in differences]):+.3f}")
        print(f"| {' | '.join(figures)} |")


def _by_place(lines: list[dict], kind: str) -> list[list[tuple[float, float]]]:
    """Return what refits say of each adjacency, arrow or node of each network."""
    found = defaultdict(list)
    for line in lines:
        if line["kind"] == kind:
            pair = float(line["mixture"]), float(line["all"])
            found[line["seed"], line["place"]].append(pair)
    return list(found.values())


def _compared(places: list[list[tuple[float, float]]]) -> tuple[str, str]:
    """Return how far shares differ, and how much surer those of the mixture are."""
    squares, surer = [], []
    for pairs in places:
        mixture, whole = np.transpose(pairs)
        differences = mixture - whole
        squares.append(differences.mean() ** 2 - differences.var(ddof=1) / len(differences))
        surer.append(np.subtract(*(abs(2 * of.mean() - 1) for of in (mixture, whole))))
    return f"{np.sqrt(max(0.0, np.mean(squares))):.3f}", f"{np.mean(surer):+.3f}"


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
    parser.add_argument("--n", type=int, default=10, help="whole refits of each network")
    parser.add_argument("--out", type=Path, default=Path("refits.csv"))
    parser.add_argument("--summarize", type=Path)
    parser.add_argument("--times", nargs="+", choices=TIMED)
    options = parser.parse_args()
    if options.summarize:
        summarize(options.summarize)
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
