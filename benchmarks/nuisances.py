"""Nodes beside nuisances that vary more: default fits, and what plain recipes find.

    python benchmarks/nuisances.py --seeds 0-4 --out nuisances.csv
    python benchmarks/nuisances.py --summarize nuisances.csv

*Columns*: 80, two binary nodes 5.2 standard deviations of the noise apart in four columns each, 20
others that share three Gaussian factors. *Shared noise*: two tables of ten columns with both nodes,
and two factors that all columns share. *Background*: curves of 100 points, two nodes that move or
raise a narrow peak, on a smooth background that varies most. *No nuisance*: the columns without
factors. *Unclustered*: the columns without nodes, where a fit should be alarmed. Printed are means
over seeds of the adjusted Rand index of the cells: of default fits, of a mixture of as many
principal scores as there are effects and factors, of the same mixture of two independent components
of least kurtosis of 20 principal scores, of k-means of all columns; how many fits took independent
components; and how many are called fine, as in ``verdict.py``. Run with OMP_NUM_THREADS=1.
"""

from __future__ import annotations

import argparse
import csv
import time
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from node_rows import append_lines, parse_seeds
from scipy.stats import kurtosis
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA, FastICA
from sklearn.metrics import adjusted_rand_score
from sklearn.mixture import GaussianMixture

from skcausalpima import CausalPIMA

SIZES, N_FACTORS, N_SCORES = (2, 2), 3, 20
KINDS = ("columns", "shared noise", "background", "no nuisance", "unclustered")
N_SAMPLES = (300, 600, 1000)
RECIPES = ("fit", "principal", "independent", "k-means")
FIELDS = ("kind", "n_samples", "seed", *RECIPES, "components", "fine", "seconds")


def columns(
    rng: np.random.RandomState, nodes: np.ndarray, strength: float, distance: float = 5.2
) -> list[np.ndarray]:
    """Draw 80 columns, of which 20 share three factors."""
    x = rng.normal(size=(len(nodes), 80))
    for node in (0, 1):
        x[:, 4 * node : 4 * node + 4] += distance / 2.0 * nodes[:, [node]]
    factors = rng.normal(size=(len(nodes), N_FACTORS))
    x[:, -20:] += strength * factors @ rng.normal(size=(N_FACTORS, 20))
    return [x]


def shared_noise(rng: np.random.RandomState, nodes: np.ndarray) -> list[np.ndarray]:
    """Draw two tables whose noise has two factors in common."""
    factors, tables = rng.normal(size=(len(nodes), 2)), []
    for _ in range(2):
        effects, loadings = rng.normal(size=(2, 10)), rng.normal(size=(2, 10))
        effects *= 4.0 / np.linalg.norm(effects, axis=1, keepdims=True)
        tables.append(nodes @ effects + factors @ loadings + rng.normal(size=(len(nodes), 10)))
    return tables


def background(rng: np.random.RandomState, nodes: np.ndarray) -> list[np.ndarray]:
    """Draw spectra: a peak that a node raises, one that another raises, and a smooth background."""
    t = np.linspace(0.0, 1.0, 100)
    shapes = np.array([np.ones(100), t, np.square(t)]) - 0.3
    peaks = np.exp(-0.5 * np.square((t - np.array([[0.3], [0.7]])) / 0.02))
    x = 3.0 * rng.normal(size=(len(nodes), N_FACTORS)) @ shapes + 2.0 * nodes @ peaks
    return [x + 0.5 * rng.normal(size=x.shape)]


def drawn(kind: str, n_samples: int, seed: int) -> tuple[list[np.ndarray], np.ndarray]:
    """Return modalities, and the nodes of their samples."""
    rng = np.random.RandomState(seed)
    nodes = rng.randint(2, size=(n_samples, 2))
    if kind == "shared noise":
        return shared_noise(rng, nodes), nodes
    if kind == "background":
        return background(rng, nodes), nodes
    strength = 0.0 if kind == "no nuisance" else 1.5
    return columns(rng, nodes, strength, 0.0 if kind == "unclustered" else 5.2), nodes


def recipes(x: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """Return the labels of plain recipes."""
    mixture = GaussianMixture(4, covariance_type="tied", n_init=5, random_state=seed)
    scores = PCA(N_SCORES, whiten=True, random_state=seed).fit_transform(x)
    sources = FastICA(whiten=False, random_state=seed, max_iter=500).fit_transform(scores)
    first = sources[:, np.argsort(kurtosis(sources))[:2]]
    return {
        "principal": mixture.fit_predict(scores[:, : 2 + N_FACTORS]),
        "independent": mixture.fit_predict(first),
        "k-means": KMeans(4, n_init=5, random_state=seed).fit_predict(x),
    }


def measured(kind: str, n_samples: int, seed: int) -> dict[str, object]:
    """Return the figures of one draw."""
    arrays, nodes = drawn(kind, n_samples, seed)
    cells = nodes @ [2, 1]
    X = arrays if len(arrays) > 1 else arrays[0]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        started = time.perf_counter()
        est = CausalPIMA(SIZES, random_state=seed).fit(X)
        seconds = time.perf_counter() - started
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        labels = {"fit": est.labels_} | recipes(np.hstack(arrays), seed)
    indices = {name: adjusted_rand_score(cells, of) for name, of in labels.items()}
    return {
        "kind": kind,
        "n_samples": n_samples,
        "seed": seed,
        **{name: f"{index:.3f}" for name, index in indices.items()},
        "components": getattr(est.choices_, "components", "principal"),
        "fine": int(not caught and est.report().verdict != "alarmed"),
        "seconds": f"{seconds:.2f}",
    }


def summarize(paths: Sequence[Path]) -> None:
    """Print means over seeds."""
    lines = [line for path in paths for line in csv.DictReader(path.open())]
    print(f"{'':24}" + "".join(f"{name:>13}" for name in RECIPES) + "  independent  fine  of")
    for kind in KINDS:
        for n_samples in N_SAMPLES:
            some = [
                line
                for line in lines
                if line["kind"] == kind and int(line["n_samples"]) == n_samples
            ]
            if some:
                means = [np.mean([float(line[name]) for line in some]) for name in RECIPES]
                taken = sum(line["components"] == "independent" for line in some)
                fine = sum(int(line["fine"]) for line in some)
                words = "".join(f"{mean:13.2f}" for mean in means)
                print(f"{kind:18}{n_samples:6}{words}{taken:13}{fine:6}{len(some):4}")


def main() -> None:
    """Measure or summarize."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=parse_seeds, default=list(range(5)))
    parser.add_argument("--kinds", nargs="+", default=KINDS, choices=KINDS)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--summarize", type=Path, nargs="+")
    arguments = parser.parse_args()
    if arguments.summarize:
        return summarize(arguments.summarize)
    for kind in arguments.kinds:
        for n_samples in N_SAMPLES:
            for seed in arguments.seeds:
                line = measured(kind, n_samples, seed)
                print(*line.values(), flush=True)
                if arguments.out:
                    append_lines(arguments.out, FIELDS, [line])
    return None


if __name__ == "__main__":
    main()
