"""Nodes of embeddings by ``GridClustering`` and by plain clusterings, and how long that takes.

    python benchmarks/grid_clustering.py --seeds 0-4
    python benchmarks/grid_clustering.py --fresh

Each seed draws its own data. Embeddings are tables as they are, twenty principal scores of the rows
of ``node_rows.py`` (all modalities, balanced), or real tables, each column divided by its standard
deviation, nine tenths of which are drawn for each seed. Plain are k-means (ten starts) and a
mixture of full covariances (five starts) of as many clusters as there are cells, in all scores and
in as many as there are main effects, laid on the grid by the same arrangement. Printed are mean
node accuracy and, after a slash, the least over seeds; *best* is the plain one that is best in
hindsight, row by row (none beyond 128 cells, which are not laid on a grid in minutes); then seconds
of one fit. Of a single node the accuracy is that of matched clusters. ``told`` is the share of
nodes that are told to be factors, ``warned`` that of fits that warn.

With ``--fresh`` printed are the seconds of the import and of a first fit of 1000 x 20 numbers on
(2, 2) in fresh processes, after scikit-learn's own import, and of that. Run with OMP_NUM_THREADS=1;
some rows need the folder that SKCAUSALPIMA_DATA names.
"""

from __future__ import annotations

import argparse
import math
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from typing import NamedTuple

import node_rows
import nodes
import numpy as np
from node_rows import Data, Row
from sklearn import datasets as real
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.mixture import GaussianMixture

from skcausalpima.cluster import GridClustering
from skcausalpima.metrics import node_recovery

N_SCORES = 20
PLAIN = ("k-means", "k-means, few", "mixture", "mixture, few")
IMAGES = (
    *("circles, v-structure", "striped circles", "sized circles", "grey bars", "rectangles"),
    *("pendulum", "spectra", "sprites without shapes", "sprites", "lattices", "heavy overlap"),
    *("mnist 0/1 and curve", "nutrimouse", "mnist5k and line", "digits and line"),
)
FRESH = """
import sys, time
begin = time.perf_counter()
import numpy, sklearn.cluster, sklearn.decomposition
of_sklearn = time.perf_counter()
from skcausalpima.cluster import GridClustering
imported = time.perf_counter()
rng = numpy.random.RandomState(int(sys.argv[1]))
nodes = rng.randint(2, size=(1000, 2))
X = rng.normal(size=(1000, 20)) + nodes @ (4.0 * rng.normal(size=(2, 20)))
ready = time.perf_counter()
GridClustering((2, 2), random_state=0).fit(X)
fitted = time.perf_counter()
print(of_sklearn - begin, imported - of_sklearn, fitted - ready, "torch" in sys.modules)
"""


class Case(NamedTuple):
    """One line of the table."""

    load: Callable[[int], tuple[np.ndarray, np.ndarray]]
    sizes: tuple[int, ...]


def table(sizes: tuple[int, ...], n: int, p: int, law: str, seed: int) -> tuple:
    """Draw a table on which effects of nodes add up: columns of noise, unequal cells, bends."""
    rng = np.random.RandomState(seed)
    shares = [rng.dirichlet(np.full(size, 4.0 if law == "unequal" else 1e4)) for size in sizes]
    factors = np.column_stack(
        [
            rng.choice(size, size=n, p=0.2 / size + 0.8 * of)
            for size, of in zip(sizes, shares, strict=True)
        ]
    )
    X = rng.standard_t(4, size=(n, p)) if law == "heavy" else rng.normal(size=(n, p))
    for size, outcomes in zip(sizes, factors.T, strict=True):
        effects = rng.normal(size=(size, p))
        effects /= np.linalg.norm(effects[0] - effects[1])
        X += (6.0 * effects)[outcomes]
    return (np.tanh(X / X.std()) if law == "bent" else X), factors


def of_row(row: Row, seed: int) -> tuple:
    """Return principal scores of the modalities of a row."""
    data = row.load(seed)
    return nodes.principal_scores(data, row, N_SCORES, seed), data.factors


def of_real(load: Callable, seed: int) -> tuple:
    """Return nine tenths of a real table of one node, its columns in their standard deviations."""
    X, target = load(return_X_y=True)
    rows = np.random.RandomState(seed).permutation(len(X))[: 9 * len(X) // 10]
    return (X / np.maximum(X.std(axis=0), 1e-12))[rows], target[rows, None]


def cases() -> dict[str, Case]:
    """Return the cases by name."""
    found, rows = {}, node_rows.rows()
    for law in ("plain", "unequal", "heavy", "bent"):
        for sizes, n, p in (((2, 2), 200, 24), ((3, 2), 400, 64), ((2, 2, 2), 500, 300)):
            name = f"table {law}, {' x '.join(map(str, sizes))}, {n} x {p}"
            args = (sizes, n, p, law)
            found[name] = Case(lambda seed, args=args: table(*args, seed), sizes)
    for sizes in ((2, 2, 2, 2), (3, 3, 3), (3,) * 5):
        args = (sizes, 2000, 64, "plain")
        name = f"table plain, {' x '.join(map(str, sizes))}, 2000 x 64"
        found[name] = Case(lambda seed, args=args: table(*args, seed), sizes)
    for name in IMAGES:
        row = rows[name]
        found[name] = Case(lambda seed, row=row: of_row(row, seed), row.sizes)
    for load, n_classes in ((real.load_iris, 3), (real.load_wine, 3), (real.load_breast_cancer, 2)):
        name = load.__name__.removeprefix("load_")
        found[name] = Case(lambda seed, load=load: of_real(load, seed), (n_classes,))
    sizes = (2,) * 7  # takes minutes
    found["128 cells, 2000 x 64"] = Case(lambda seed: table(sizes, 2000, 64, "plain", seed), sizes)
    return found


def plain_labels(method: str, scores: np.ndarray, sizes: tuple[int, ...], seed: int) -> np.ndarray:
    """Return the clusters of a plain method, numbered from 0."""
    n_cells, kind, few = math.prod(sizes), *method.partition(", ")[::2]
    scores = scores[:, : max(2, sum(size - 1 for size in sizes))] if few else scores
    if kind == "k-means":
        return KMeans(n_cells, n_init=10, random_state=seed).fit_predict(scores)
    scores = scores / scores[:, 0].std()  # reg_covar is absolute
    mixture = GaussianMixture(n_cells, n_init=5, reg_covar=1e-4, random_state=seed)
    return np.unique(mixture.fit_predict(scores), return_inverse=True)[1]


def outcome(method: str, X: np.ndarray, case: Case, seed: int) -> tuple:
    """Return the nodes of a method, seconds, and what ``GridClustering`` says of them."""
    begin = time.perf_counter()
    if method == "grid":
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            grid = GridClustering(case.sizes, random_state=seed).fit(X)
        told = np.nan
        if grid.arrangement_ is not None and grid.arrangement_.told is not None:
            told = float(grid.arrangement_.told.mean())
        return grid.node_labels_, time.perf_counter() - begin, told, bool(caught)
    scores = PCA(min(N_SCORES, *X.shape), random_state=seed).fit_transform(X)
    labels = plain_labels(method, scores, case.sizes, seed)
    data, row = Data([X], np.empty((len(X), 1))), Row(lambda seed: None, case.sizes, None, None)
    laid = nodes.lay_on_grid(labels, data, row, seed)[0]
    return laid, time.perf_counter() - begin, np.nan, False


def line_of(case: Case, seeds: list[int]) -> list[str]:
    """Return the figures of a case in words."""
    accuracies, seconds, told, warned = [], [], [], []
    methods = ("grid", *(PLAIN if math.prod(case.sizes) <= 128 else ()))
    for seed in seeds:
        X, factors = case.load(seed)
        done = [outcome(method, X, case, seed) for method in methods]
        accuracies.append([node_recovery(factors, of[0]).accuracies.mean() for of in done])
        seconds.append([of[1] for of in done])
        told.append(done[0][2])
        warned.append(done[0][3])
    of_methods, times = np.array(accuracies).T, np.median(seconds, axis=0)
    words = [f"{of.mean():.3f} / {of.min():.3f}" for of in of_methods]
    means, best_words = ["-"] * len(PLAIN), "-"
    if len(methods) > 1:
        best = 1 + int(of_methods[1:].mean(axis=1).argmax())
        means = [f"{of.mean():.3f}" for of in of_methods[1:]]
        best_words = f"{words[best]} ({methods[best]})"
    shares = [f"{np.mean(told):.2f}", f"{np.mean(warned):.2f}"]
    return [words[0], best_words, *means, f"{times[0]:.2f}", *shares]


def fresh(n_times: int = 5) -> None:
    """Print seconds of fresh processes: medians, and whether any has loaded torch."""
    runs = [
        subprocess.run(
            [sys.executable, "-c", FRESH, str(seed)], capture_output=True, text=True, check=True
        ).stdout.split()
        for seed in range(n_times)
    ]
    medians = np.median(np.array([run[:3] for run in runs], dtype=float), axis=0)
    for what, value in zip(("scikit-learn", "import", "first fit"), medians, strict=True):
        print(f"{what}: {value:.2f} s")
    print(f"torch was loaded: {any(run[3] == 'True' for run in runs)}")


def main() -> None:
    """Run the cases and print them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=node_rows.parse_seeds, default=list(range(5)))
    parser.add_argument("--rows", nargs="+", default=[""], help="parts of names")
    parser.add_argument("--fresh", action="store_true")
    options = parser.parse_args()
    if options.fresh:
        fresh()
        return
    warnings.simplefilter("ignore")
    names = ["data", "grid", "best plain", *PLAIN, "seconds", "told", "warned"]
    print("| " + " | ".join(names) + " |\n|" + "---|" * len(names))
    for name, case in cases().items():
        if any(part in name for part in options.rows):
            print("| " + " | ".join([name, *line_of(case, options.seeds)]) + " |", flush=True)


if __name__ == "__main__":
    main()
