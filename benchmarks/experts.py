"""Expert decoders over seeds: lattices, digits with a line, oscillators, and what the refit gains.

Run with OMP_NUM_THREADS=1; rows of real data need the folder that SKCAUSALPIMA_DATA names.

    python benchmarks/experts.py --seeds 0-9 --rows lattices --out runs.csv
    python benchmarks/experts.py --summarize runs.csv

Each line of the file is one fit. ``figure`` is what the row's target is about: the accuracy of the
node that matches the lattice, of the clusters of digits, or the smallest rank correlation of the
oscillators' parameters. ``held_out`` is the same of samples that did not train, ``parameter_error``
the largest error of a parameter in an occupied cluster (relative for lattices, absolute for
slopes).
"""

from __future__ import annotations

import argparse
import csv
import functools
import math
import os
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from node_rows import flipped, parse_seeds, standardised
from scipy.stats import spearmanr

from skcausalpima import CausalPIMA, ScoreSearch
from skcausalpima.datasets import load_digits_with_curves, make_lattices
from skcausalpima.metrics import matched_accuracy
from skcausalpima.modules import ExpertDecoder, line, piecewise_linear

FIELDS = ("row", "seed", "figure", "held_out", "parameter_error", "warned", "seconds")


def fit(est: CausalPIMA, X) -> tuple[CausalPIMA, dict]:
    """Fit, and note seconds and warnings."""
    start = time.perf_counter()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        est.fit(X)
    names = sorted({warning.category.__name__ for warning in caught})
    return est, {"seconds": time.perf_counter() - start, "warned": "; ".join(names)}


def lattices(seed: int, scatter: bool = True, **parameters) -> dict:
    """Fit lattices after the paper's preparation: 81 % train, 10 % are held out."""
    data = make_lattices(random_state=seed)
    order = np.random.RandomState(seed).permutation(91)
    train, test = order[:74], order[82:]
    images, curves = standardised(data.images), data.curves
    function = piecewise_linear(2, intercept=False)
    expert = ExpertDecoder(function, data.curve_points, scatter=scatter)
    est = CausalPIMA((2, 2), experts=[None, expert], random_state=seed, **parameters)
    X = [flipped(images[train]), np.tile(curves[train], (4, 1))]
    est, report = fit(est, X)
    lattice = np.tile(data.factors[train, 0], 4)
    nodes, held_nodes = est.node_labels_, est.predict_nodes([images[test], curves[test]])
    right = [(nodes[:, k] == (lattice ^ turn)).mean() for k in (0, 1) for turn in (0, 1)]
    node, turn = divmod(int(np.argmax(right)), 2)
    held = (held_nodes[:, node] == (data.factors[test, 0] ^ turn)).mean()
    return {
        "figure": max(right),
        "held_out": held,
        "parameter_error": lattice_error(est, data, train),
    } | report


def lattice_error(est: CausalPIMA, data, train: np.ndarray) -> float:
    """Return the largest relative error of a parameter in any occupied cluster."""
    truth, table = np.tile(data.curve_parameters[train], (4, 1)), est.expert_params_["modality1"]
    errors = [
        abs(table[name][c] / truth[est.labels_ == c, k].mean() - 1.0)
        for c in np.unique(est.labels_)
        for k, name in enumerate(data.curve_parameter_names)
    ]
    return max(errors)


@functools.cache
def stored(name: str) -> dict[str, np.ndarray]:
    """Return the arrays of a file of the data folder."""
    with np.load(Path(os.environ["SKCAUSALPIMA_DATA"]) / f"{name}.npz") as file:
        return dict(file)


def digits(seed: int, variance: float, refit: bool = True, **parameters) -> dict:
    """Fit mnist5k with lines whose slope is the digit, a line per cluster."""
    images, digit = stored("mnist5k")["images"].astype(np.float32), stored("mnist5k")["digit"]
    return digits_with_lines(seed, images, digit.astype(int), variance, refit, **parameters)


def small_digits(seed: int, refit: bool, **parameters) -> dict:
    """Fit scikit-learn's digits likewise."""
    data = load_digits_with_curves(random_state=seed)
    return digits_with_lines(seed, data.images, data.target, 0.5, refit, **parameters)


def digits_with_lines(seed, images, digit, variance, refit=True, **parameters) -> dict:
    x, rng = np.linspace(0.0, 1.0, 20), np.random.RandomState(seed)
    noise = rng.normal(scale=math.sqrt(variance), size=(len(digit), 20))
    curves = (digit[:, None] * x + noise).astype(np.float32)
    expert = ExpertDecoder(line, x, refit=refit)
    est = CausalPIMA((10,), experts=[None, expert], random_state=seed, **parameters)
    est, report = fit(est, [images, curves])
    slopes = np.sort(est.expert_params_["modality1"]["slope"])
    accuracy, error = matched_accuracy(digit, est.labels_), np.abs(slopes - np.arange(10)).max()
    return {"figure": accuracy, "held_out": math.nan, "parameter_error": error} | report


def oscillation(x, amplitude, damping, frequency):
    """Return a damped oscillation."""
    return amplitude * torch.exp(-damping * x) * torch.cos(frequency * x)


def oscillators(seed: int) -> dict:
    """Fit damped oscillators, each with its own three parameters, 60 points."""
    rng, x = np.random.RandomState(seed), np.linspace(0.0, 1.0, 60)
    low, high = np.array([1.0, 0.5, 6.0]), np.array([3.0, 3.0, 14.0])
    truth = rng.uniform(low, high, size=(1250, 3))
    a, d, f = truth.T[:, :, None]
    curves = a * np.exp(-d * x) * np.cos(f * x) + rng.normal(scale=0.1, size=(1250, 60))
    bounds = {"amplitude": (0, 10), "damping": (0, 10), "frequency": (2, 30)}
    expert = ExpertDecoder(oscillation, x, [1, 1, 10], bounds, per="sample")
    est = CausalPIMA((2,), latent_dim=3, experts=[expert], random_state=seed)
    est, report = fit(est, curves[:1000])
    figures = []
    for rows in (slice(1000), slice(1000, None)):
        table = est.predict_expert_params(curves[rows])["modality0"]
        correlations = [spearmanr(table[n], truth[rows, k]).statistic for k, n in enumerate(bounds)]
        figures.append(min(correlations))
    return {"figure": figures[0], "held_out": figures[1], "parameter_error": math.nan} | report


def rows() -> dict[str, Callable[[int], dict]]:
    """Return what is fitted, by name."""
    few = {"max_iter": 10, "structure": ScoreSearch(polishing_epochs=0)}
    random = {"init": "paper"}
    return {
        "lattices": lattices,
        "lattices, no scatter": functools.partial(lattices, scatter=False),
        "mnist5k, variance 0.5": functools.partial(digits, variance=0.5),
        "mnist5k, variance 0.01": functools.partial(digits, variance=0.01),
        "oscillators": oscillators,
        "digits, refit": functools.partial(small_digits, refit=True),
        "digits, gradient steps": functools.partial(small_digits, refit=False),
        "digits, refit, random start": functools.partial(small_digits, refit=True, **random),
        "digits, gradient steps, random start": functools.partial(
            small_digits, refit=False, **random
        ),
        "digits, refit, 10 epochs": functools.partial(small_digits, refit=True, **few),
        "digits, gradient steps, 10 epochs": functools.partial(small_digits, refit=False, **few),
    }


def run(names: list[str], seeds: list[int], out: Path) -> None:
    """Run what the file does not hold yet, and append it line by line."""
    done = set()
    if out.exists():
        with out.open(newline="") as file:
            done = {(line["row"], int(line["seed"])) for line in csv.DictReader(file)}
    for name in names:
        for seed in seeds:
            if (name, seed) in done:
                continue
            result = {"row": name, "seed": seed} | rows()[name](seed)
            new = not out.exists()
            with out.open("a", newline="") as file:
                writer = csv.DictWriter(file, FIELDS, lineterminator="\n")
                if new:
                    writer.writeheader()
                writer.writerow(
                    {k: f"{v:.4f}" if isinstance(v, float) else v for k, v in result.items()}
                )
            print(result, flush=True)


def summarise(path: Path) -> None:
    """Print mean, smallest and largest figures of each row."""
    with path.open(newline="") as file:
        lines = list(csv.DictReader(file))
    for name in rows():
        chosen = [line for line in lines if line["row"] == name]
        if not chosen:
            continue
        figure, held, error, seconds = (
            np.array([float(line[field]) for line in chosen])
            for field in ("figure", "held_out", "parameter_error", "seconds")
        )
        print(
            f"{name:34s} n={len(chosen):2d}  figure {figure.mean():.4f} / {figure.min():.4f}  "
            f"held out {held.mean():.3f} / {held.min():.3f}  error {error.max():.3f}  "
            f">= 0.947: {(figure >= 0.947).sum()}, held out {(held >= 0.947).sum()}  "
            f"{seconds.mean():.0f} s"
        )


def main() -> None:
    """Run rows, or print their summary."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", nargs="+", default=list(rows()), choices=list(rows()))
    parser.add_argument("--seeds", type=parse_seeds, default="0-9", help="such as 0-9 or 1,4,7")
    parser.add_argument("--out", type=Path, default=Path("experts_runs.csv"))
    parser.add_argument("--summarize", type=Path, metavar="CSV")
    arguments = parser.parse_args()
    if arguments.summarize:
        summarise(arguments.summarize)
    else:
        run(arguments.rows, arguments.seeds, arguments.out)


if __name__ == "__main__":
    main()
