"""Grids of 129 to 1024 cells: node accuracies of default fits, their warnings and their seconds.

Tables have 36 columns, which each outcome moves by its own effects: two outcomes of one node are
some standard deviations of the noise apart in the mean. Images show several objects, each in its
own place, whose size or position is a node; they may overlap, so that one hides another. Nodes
depend on each other, and outcomes have unlike shares.

    python benchmarks/many_cells.py --seeds 0-2 --out many_cells.csv
    python benchmarks/many_cells.py --summarize many_cells.csv

Run with OMP_NUM_THREADS=1. Rules were chosen on seeds from 100 on.
"""

from __future__ import annotations

import argparse
import csv
import functools
import math
import time
import warnings
from collections import defaultdict
from collections.abc import Callable, Sequence

import node_rows
import numpy as np
from node_rows import Data

from skcausalpima import CausalPIMA
from skcausalpima.metrics import node_recovery

N_COLUMNS = 36
GRIDS = {"3^5": (3,) * 5, "2^9": (2,) * 9, "3x4x5x6": (3, 4, 5, 6), "2^10": (2,) * 10}
SIDE, NOISE, JITTER = 8, 0.15, 0.1  # of an object's tile; in units of the brightest pixel
NEAR = 5  # pixels from one tile to the next where objects overlap
FIELDS = ("row", "seed", "mean", "worst", "warned", "found", "seconds")
RIGHT = 0.97


def dependent_nodes(
    sizes: Sequence[int], n_samples: int, rng: np.random.RandomState, dependence: float = 0.3
) -> np.ndarray:
    """Return outcomes of nodes that follow one earlier node each in a share of the samples."""
    nodes = np.zeros((n_samples, len(sizes)), dtype=int)
    for node, size in enumerate(sizes):
        shares = 0.5 * rng.dirichlet(np.full(size, 6.0)) + 0.5 / size
        nodes[:, node] = rng.choice(size, n_samples, p=shares)
        if node:
            parent = rng.randint(node)
            answer = rng.permutation(np.arange(max(size, sizes[parent])) % size)
            follows = rng.random_sample(n_samples) < dependence
            nodes[follows, node] = answer[nodes[follows, parent]]
    return nodes


def table(sizes: Sequence[int], per_cell: int, distance: float, seed: int) -> Data:
    """Return a table on whose columns effects of nodes add up."""
    rng = np.random.RandomState(seed)
    nodes = dependent_nodes(sizes, per_cell * math.prod(sizes), rng)
    columns = rng.normal(size=(len(nodes), N_COLUMNS))
    for size, outcomes in zip(sizes, nodes.T, strict=True):
        effects = rng.normal(size=(size, N_COLUMNS))
        columns += distance / math.sqrt(2 * N_COLUMNS) * effects[outcomes]
    return Data([columns], nodes)


def objects(sizes: Sequence[int], per_cell: int, kind: str, seed: int, step: int = SIDE) -> Data:
    """Return images of discs in tiles, or bars that stand somewhere in theirs.

    Of objects that overlap the brighter one is seen.
    """
    rng = np.random.RandomState(seed)
    nodes = dependent_nodes(sizes, per_cell * math.prod(sizes), rng)
    across = math.ceil(math.sqrt(len(sizes)))
    width = (across - 1) * step + SIDE
    noise, images = (
        NOISE * rng.normal(size=(len(nodes), width, width)),
        np.zeros((len(nodes), width, width)),
    )
    positions = np.arange(SIDE) - (SIDE - 1) / 2
    for node, (size, outcomes) in enumerate(zip(sizes, nodes.T, strict=True)):
        levels = (outcomes + 1) / size
        light = 1 + JITTER * rng.normal(size=len(nodes))
        shift = JITTER * rng.normal(size=(2, len(nodes)))
        if kind == "bars":  # where a bar is
            shift[0] += (levels - (size + 1) / 2 / size) * (SIDE - 2)
        else:  # how large a disc is
            light = light * (0.4 + 0.6 * levels)
        x, y = (positions[None] - of[:, None] for of in shift)
        if kind == "bars":
            drawn = np.exp(-0.5 * np.square(x / 0.8))[:, :, None] * np.ones((1, 1, SIDE))
        else:
            radius = np.sqrt(np.square(x)[:, :, None] + np.square(y)[:, None])
            drawn = 1 / (1 + np.exp(3 * (radius - (1.0 + 2.0 * levels)[:, None, None])))
        row, column = (step * position for position in divmod(node, across))
        tile = images[:, row : row + SIDE, column : column + SIDE]
        np.maximum(tile, light[:, None, None] * drawn, out=tile)
    return Data([images + noise], nodes)


def rows() -> dict[str, tuple[tuple[int, ...], Callable[[int], Data]]]:
    """Return sizes and data of the rows by name."""
    found: dict[str, tuple[tuple[int, ...], Callable[[int], Data]]] = {}
    for name, sizes in GRIDS.items():
        for per_cell in (12, 40):
            for distance in (5.0, 6.0):
                load = functools.partial(table, sizes, per_cell, distance)
                found[f"table {name}, {per_cell}, {distance:.0f} sd"] = sizes, load
    for name, kind, sizes in (("five", "discs", (3,) * 5), ("nine", "bars", (2,) * 9)):
        load = functools.partial(objects, sizes, 12, kind)
        found[f"{name} {kind}, 12"] = sizes, load
        near = functools.partial(load, step=NEAR)
        found[f"{name} {kind} that overlap, 12"] = sizes, near
    return found


def measured(name: str, sizes: tuple[int, ...], load: Callable[[int], Data], seed: int) -> dict:
    """Fit once; return a line of the table."""
    data, start = load(seed), time.perf_counter()
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        est = CausalPIMA(sizes, random_state=seed).fit(data.arrays[0])
    accuracies = node_recovery(data.factors, est.node_labels_).accuracies
    return {
        "row": name,
        "seed": seed,
        "mean": f"{accuracies.mean():.4f}",
        "worst": f"{accuracies.min():.4f}",
        "warned": " ".join(sorted({warning.category.__name__ for warning in told})),
        "found": getattr(est.arrangement_, "found", ""),
        "seconds": f"{time.perf_counter() - start:.0f}",
    }


def summarize(path: str) -> None:
    """Print means and minima of each row, and how often warnings were right."""
    lines = defaultdict(list)
    with open(path, newline="") as file:
        for line in csv.DictReader(file):
            lines[line["row"]].append(line)
    print("| data | fits | nodes, mean | worst node | warned | wrong, not warned | seconds |")
    print("|---" * 7 + "|")
    for name, of in lines.items():
        means = np.array([float(line["mean"]) for line in of])
        worst = min(float(line["worst"]) for line in of)
        warned = np.array([bool(line["warned"]) for line in of])
        seconds = np.mean([float(line["seconds"]) for line in of])
        missed = int(((means < RIGHT) & ~warned).sum())
        figures = [f"{means.mean():.3f}", f"{worst:.3f}", f"{warned.sum()}", f"{missed}"]
        print("| " + " | ".join([name, f"{len(of)}", *figures, f"{seconds:.0f}"]) + " |")


def main() -> None:
    """Run the rows, or print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=node_rows.parse_seeds, default=[0, 1, 2])
    parser.add_argument("--rows", nargs="+", default=[""], help="parts of names")
    parser.add_argument("--out", default="many_cells.csv")
    parser.add_argument("--summarize", metavar="CSV", help="print a table of what was measured")
    options = parser.parse_args()
    if options.summarize:
        summarize(options.summarize)
        return
    with open(options.out, "a", newline="") as file:
        writer = csv.DictWriter(file, FIELDS)
        if not file.tell():
            writer.writeheader()
        for name, (sizes, load) in rows().items():
            for seed in options.seeds if any(part in name for part in options.rows) else ():
                writer.writerow(measured(name, sizes, load, seed))
                file.flush()


if __name__ == "__main__":
    main()
