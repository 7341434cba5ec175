"""Default fits of data that nobody has chosen, beside the best of twelve plain recipes.

Each seed draws everything: the grid, how many samples, one to three modalities (tables of 4 to 300
columns, linear or bent, with five laws of noise, in raw units or not; curves; images), which nodes
each shows, how far outcomes are apart. Printed are the adjusted Rand index of the cells, the worst
node, that of the recipe that is best in hindsight, and whether the report calls the fit fine.

    python benchmarks/families.py --seeds 0-59 --out families.csv
    python benchmarks/families.py --summarize families.csv

Run with OMP_NUM_THREADS=1.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np
from node_rows import append_lines, parse_seeds
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.metrics import adjusted_rand_score
from sklearn.mixture import GaussianMixture

from skcausalpima import CausalPIMA
from skcausalpima.metrics import node_recovery

GRIDS = ((2,), (3,), (4,), (2, 2), (2, 3), (2, 2, 2), (3, 3))
SAMPLES, COLUMNS, DISTANCES = (80, 150, 300, 600, 1500), (4, 8, 15, 40, 120, 300), (4, 5, 6, 8)
KINDS = ("linear", "warped", "quadratic", "exponential", "curve", "image")
LAWS = ("normal", "heavy", "uniform", "unlike", "correlated")
SIDE, LENGTH, LOW = 20, 60, 0.05
FIELDS = (
    "seed",
    "grid",
    "samples",
    "modalities",
    "cells",
    "node",
    "best",
    "recipe",
    "fine",
    "told",
)


class Family(NamedTuple):
    """What one seed has drawn."""

    sizes: tuple[int, ...]
    factors: np.ndarray
    arrays: list[np.ndarray]
    kinds: list[str]


def outcomes(rng: np.random.RandomState, sizes: tuple[int, ...], n: int) -> np.ndarray:
    """Return outcomes, of unlike shares or not, of nodes that depend on the one before or not."""
    columns, concentration = [], rng.choice([2.0, 20.0])
    for size in sizes:
        shares = np.maximum(rng.dirichlet(np.full(size, concentration)), 0.1)
        column = rng.choice(size, size=n, p=shares / shares.sum())
        if columns and rng.rand() < 0.5:
            column = np.where(rng.rand(n) < 0.5, columns[-1] % size, column)
        columns.append(column)
    return np.stack(columns, axis=1)


def noise(rng: np.random.RandomState, law: str, n: int, p: int) -> np.ndarray:
    """Return noise of about variance one."""
    plain = rng.normal(size=(n, p))
    if law == "heavy":
        return rng.standard_t(5, size=(n, p)) / np.sqrt(5 / 3)
    if law == "uniform":
        return rng.uniform(-np.sqrt(3), np.sqrt(3), size=(n, p))
    if law == "unlike":
        return plain * np.exp(0.5 * rng.normal(size=p))
    axis = rng.normal(size=p) / np.sqrt(p)
    return plain + 0.5 * (plain @ axis)[:, None] * axis if law == "correlated" else plain


def table(
    rng: np.random.RandomState, factors: np.ndarray, sizes: tuple[int, ...], kind: str
) -> tuple[np.ndarray, str]:
    """Return a table whose effects add up before it is bent, and what it is."""
    n, p, law = len(factors), int(rng.choice(COLUMNS)), str(rng.choice(LAWS))
    x, distance = noise(rng, law, n, p), rng.choice(DISTANCES)
    for size, column in zip(sizes, factors.T, strict=True):
        effects = rng.normal(size=(size, p))
        pairs = itertools.combinations(effects, 2)
        x += distance * (effects / min(np.linalg.norm(a - b) for a, b in pairs))[column]
    if kind == "warped":
        x = 3.0 * np.tanh((x - x.mean()) / (2.0 * x.std()))
    elif kind == "quadratic":
        x = x + 0.1 * x**2
    elif kind == "exponential":
        x = np.exp(0.7 * (x - x.mean()) / x.std())
    is_raw = rng.rand() < 0.4
    if is_raw:
        x = x * np.exp(2.0 * rng.normal(size=p)) + 10.0 * rng.normal(size=p)
    return x, f"{kind} {p} {law}{' raw' if is_raw else ''}"


def curves(rng: np.random.RandomState, factors: np.ndarray) -> np.ndarray:
    """Return curves with a peak for each node, which moves it or makes it higher."""
    t, x = np.linspace(0.0, 1.0, LENGTH), 0.1 * rng.normal(size=(len(factors), LENGTH))
    for k, column in enumerate(factors.T):
        position, height = (
            np.full(len(column), (k + 1) / (factors.shape[1] + 1)),
            np.ones(len(column)),
        )
        if rng.rand() < 0.5:
            position += 0.06 * (column - column.mean()) + 0.01 * rng.normal(size=len(column))
        else:
            height += column + 0.15 * rng.normal(size=len(column))
        x += height[:, None] * np.exp(-0.5 * ((t - position[:, None]) / 0.05) ** 2)
    return x


def images(rng: np.random.RandomState, factors: np.ndarray, sizes: tuple[int, ...]) -> np.ndarray:
    """Return images with a disc for each node, which moves it or makes it larger."""
    n, (rows, columns) = len(factors), np.mgrid[:SIDE, :SIDE]
    x = 0.2 * rng.normal(size=(n, SIDE, SIDE))
    for k, (size, outcome) in enumerate(zip(sizes, factors.T, strict=True)):
        radius, height, drawn = np.full(n, 2.0), np.full(n, SIDE / 2.0), rng.normal(size=n)
        if rng.rand() < 0.5:
            radius = 1.5 + 1.2 * outcome + 0.15 * drawn
        else:
            height = SIDE * (outcome + 0.5) / size + 0.4 * drawn
        across = columns - (k + 0.5) / len(sizes) * SIDE
        away = np.hypot(across, rows - height[:, None, None]) - radius[:, None, None]
        x += 1.0 / (1.0 + np.exp(2.0 * away))
    return x


def family(seed: int) -> Family:
    """Draw data of which together all nodes are shown."""
    rng = np.random.RandomState(seed)
    sizes = GRIDS[rng.randint(len(GRIDS))]
    factors = outcomes(rng, sizes, max(int(rng.choice(SAMPLES)), 12 * int(np.prod(sizes))))
    arrays, kinds, n_modalities = [], [], rng.randint(1, 4)
    hides = rng.rand() < 0.4
    for m in range(n_modalities):
        shown = [k for k in range(len(sizes)) if m == 0 or not hides or rng.rand() < 0.6]
        shown = shown or [rng.randint(len(sizes))]
        part, of, kind = factors[:, shown], tuple(sizes[k] for k in shown), str(rng.choice(KINDS))
        if kind == "curve":
            x = curves(rng, part)
        elif kind == "image":
            x = images(rng, part, of)
        else:
            x, kind = table(rng, part, of, kind)
        arrays.append(x)
        kinds.append(f"{kind} of {''.join(map(str, shown))}")
    return Family(sizes, factors, arrays, kinds)


def recipes(arrays: list[np.ndarray], n_cells: int, seed: int) -> dict[str, np.ndarray]:
    """Return labels of k-means and of mixtures on scores of standardised and balanced columns."""
    flat = [array.reshape(len(array), -1) for array in arrays]
    flat = [x - x.mean(axis=0) for x in flat]
    views = {
        "standardised": [x / np.maximum(x.std(axis=0), 1e-9) / np.sqrt(x.shape[1]) for x in flat],
        "balanced": [x / np.sqrt(x.var(axis=0).sum()) for x in flat],
    }
    found = {}
    for (name, parts), n_scores in itertools.product(views.items(), (4, 8)):
        x = np.hstack(parts)
        scores = PCA(min(n_scores, *x.shape), random_state=0).fit_transform(x)
        scores /= scores[:, 0].std()
        where = f"{name}, {n_scores} scores"
        found[f"k-means, {where}"] = KMeans(n_cells, n_init=10, random_state=seed).fit_predict(
            scores
        )
        for shape in ("tied", "full"):
            mixture = GaussianMixture(n_cells, covariance_type=shape, n_init=3, random_state=seed)
            found[f"{shape}, {where}"] = mixture.set_params(reg_covar=1e-4).fit_predict(scores)
    return found


def measured(seed: int) -> dict[str, object]:
    """Fit once; return a line."""
    data = family(seed)
    cells = np.ravel_multi_index(data.factors.T, data.sizes)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        est = CausalPIMA(data.sizes, random_state=seed)
        est.fit(data.arrays if len(data.arrays) > 1 else data.arrays[0])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        plain = recipes(data.arrays, int(np.prod(data.sizes)), seed)
    scores = {name: adjusted_rand_score(cells, labels) for name, labels in plain.items()}
    best = max(scores, key=lambda name: scores[name])
    node = ""
    if len(data.sizes) > 1:
        node = f"{node_recovery(data.factors, est.node_labels_).accuracies.min():.3f}"
    return {
        **{"seed": seed, "grid": data.sizes, "samples": len(cells)},
        **{"modalities": "; ".join(data.kinds), "node": node, "recipe": best},
        "cells": f"{adjusted_rand_score(cells, est.labels_):.3f}",
        "best": f"{scores[best]:.3f}",
        "fine": int(est.report().verdict != "alarmed" and not caught),
        "told": " ".join(sorted({warning.category.__name__ for warning in caught})),
    }


def summarize(path: Path) -> None:
    """Print means, and the fits that are clearly below the best recipe."""
    with path.open(newline="") as file:
        lines = list(csv.DictReader(file))
    ours, best = (np.array([float(line[of]) for line in lines]) for of in ("cells", "best"))
    fine = np.array([line["fine"] == "1" for line in lines])
    low = ours < best - LOW
    print(
        f"{len(lines)} fits: mean {ours.mean():.3f}, of the best recipe of each {best.mean():.3f}"
    )
    print(f"better by {LOW}: {(ours > best + LOW).sum()}, lower: {low.sum()}")
    print(f"called fine: {fine.sum()}, of these lower: {(fine & low).sum()}")
    for line, is_low in zip(lines, low, strict=True):
        if is_low:
            print(*line.values(), sep=" | ")


def main() -> None:
    """Run what a file lacks, or print what it holds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=parse_seeds, default="0-59")
    parser.add_argument("--out", type=Path, default=Path("families.csv"))
    parser.add_argument("--summarize", type=Path, metavar="CSV")
    arguments = parser.parse_args()
    if arguments.summarize:
        summarize(arguments.summarize)
        return
    held = arguments.out.read_text() if arguments.out.exists() else ""
    for seed in arguments.seeds:
        if f"\n{seed}," not in held:
            append_lines(arguments.out, FIELDS, [measured(seed)])


if __name__ == "__main__":
    main()
