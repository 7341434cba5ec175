"""How fits go with the length of training, beside the default: accuracy and held-out bound.

A fifth of each set is held out. One fit per seed is trained further and further (``warm_start``, no
early stopping, a constant learning rate), and asked after so many gradient steps; the default is a
fit of its own. Each seed has a split and a fit of its own. Means over seeds are given with their
standard errors, and how far the default is from the best length of each seed's row.

Run with OMP_NUM_THREADS=1. ``--rows digits`` runs the rows whose name contains a word; mnist5k and
mfeat need the folder that SKCAUSALPIMA_DATA names.
"""

from __future__ import annotations

import argparse
import functools
import math
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from node_rows import Data, digits, generated, mfeat, noisy, parse_seeds, stored, zeros_and_ones
from sklearn.datasets import load_iris

from skcausalpima import CausalPIMA, MissingValues, MultimodalData, Training, datasets
from skcausalpima.metrics import matched_accuracy

STEPS = (50, 100, 200, 400, 800, 1600, 3200, 5000)
BATCH = 128


class Row(NamedTuple):
    """A data set, the sizes of its nodes, and what else its fits are given."""

    load: Callable[[int], Data]
    sizes: tuple[int, ...]
    parameters: Mapping[str, object] = {}


class Figures(NamedTuple):
    """What is asked of a fit."""

    accuracy: float
    held_out: float
    seconds: float


def iris(seed: int) -> Data:
    """Return Fisher's flowers."""
    bunch = load_iris()
    return Data([bunch.data.astype(float)], bunch.target[:, None])


def two_digits(seed: int, n_samples: int = 300) -> Data:
    """Return images of threes and fives, each with a line that tells little."""
    rng = np.random.RandomState(seed)
    chosen = rng.permutation(np.flatnonzero(np.isin(stored("mnist5k")["digit"], (3, 5))))
    rows = chosen[:n_samples]
    is_five = (stored("mnist5k")["digit"][rows] == 5).astype(int)
    lines = noisy(0.5 * is_five[:, None] * np.linspace(0.0, 1.0, 20), rng)
    return Data([stored("mnist5k")["images"][rows].astype(np.float32), lines], is_five[:, None])


def rows() -> dict[str, Row]:
    """Return the rows by name."""
    few = functools.partial(generated, make=datasets.make_circles_images, n_samples=1000)
    return {
        "iris (150)": Row(iris, (3,), {"scale": "feature"}),
        "two digits (300)": Row(two_digits, (2,)),
        "mnist 0/1 and sine (1000)": Row(zeros_and_ones, (2, 2)),
        "discs (1000)": Row(few, (2, 2, 2)),
        "digits and line (1797)": Row(digits, (10,)),
        "mfeat (2000)": Row(mfeat, (10,), {"scale": "feature"}),
        "discs (4096)": Row(
            functools.partial(generated, make=datasets.make_circles_images), (2, 2, 2)
        ),
    }


def figures(est: CausalPIMA, train: MultimodalData, held_out: MultimodalData, cells) -> Figures:
    """Fit, and return the accuracy of the cells, the bound of held-out samples, and the time."""
    start = time.perf_counter()
    est.fit(train)
    seconds = time.perf_counter() - start
    return Figures(matched_accuracy(cells, est.labels_), est.score(held_out), seconds)


def run(row: Row, seed: int, lengths: Sequence[int]) -> dict[int | str, Figures]:
    """Return the figures of one seed by the number of steps, and those of the default."""
    data = row.load(seed)
    order = np.random.RandomState(seed).permutation(len(data.factors))
    n_held_out = len(order) // 5
    whole = MultimodalData(data.arrays)
    train, held_out = whole[order[n_held_out:]], whole[order[:n_held_out]]
    cells = np.unique(data.factors, axis=0, return_inverse=True)[1].ravel()[order[n_held_out:]]
    steps_per_epoch = math.ceil(len(cells) / BATCH)
    plain = {"random_state": seed, **row.parameters}
    found: dict[int | str, Figures] = {}
    long = CausalPIMA(
        row.sizes,
        warm_start=True,
        training=Training(tol=0),
        missing_values=MissingValues(subset_epochs=0),
        **plain,
    )
    n_epochs = 0
    for n_steps in lengths:
        more = max(1, round(n_steps / steps_per_epoch)) - n_epochs
        if more > 0:
            found[n_steps] = figures(long.set_params(max_iter=more), train, held_out, cells)
            n_epochs += more
    default = CausalPIMA(row.sizes, **plain)
    found["default"] = figures(default, train, held_out, cells)
    return found


def mean_and_error(values: Sequence[float]) -> tuple[float, float]:
    """Return a mean over seeds and its standard error."""
    error = np.std(values, ddof=1) / math.sqrt(len(values)) if len(values) > 1 else math.nan
    return float(np.mean(values)), float(error)


def lines_of(name: str, found: Sequence[Mapping[int | str, Figures]]) -> list[str]:
    """Return the lines of a set: accuracy and held-out bound by length."""
    lengths = [key for key in found[0] if key != "default"]
    lines = []
    for field, digits_after in (("accuracy", 3), ("held_out", 1)):
        table = {key: [getattr(of[key], field) for of in found] for key in found[0]}
        means = {key: np.mean(values) for key, values in table.items()}
        best = max(lengths, key=means.__getitem__)
        error = mean_and_error(table[best])[1]
        behind = means[best] - means["default"]
        far = f"{behind / error:.1f}" if error > 0 else "no"  # where no seed differs from another
        cells = [f"{means[key]:.{digits_after}f}" if key in means else "" for key in lengths]
        lines.append(
            f"| {name} | {field} | {' | '.join(cells)} | {means['default']:.{digits_after}f} | "
            f"{error:.{digits_after}f} | {'yes' if behind <= error else far} |"
        )
    return lines


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=parse_seeds, default="0-4", help="such as 0-4 or 1,4,7")
    parser.add_argument("--rows", default="", help="a part of the names of the rows to run")
    parser.add_argument("--most-steps", type=int, default=STEPS[-1])
    arguments = parser.parse_args()
    lengths = [n_steps for n_steps in STEPS if n_steps <= arguments.most_steps]
    chosen = {name: row for name, row in rows().items() if arguments.rows in name}
    if not chosen:
        parser.error(f"no row has {arguments.rows!r} in its name; there are {list(rows())}")
    head = ["data", "figure", *map(str, lengths), "default", "SE of the best", "within"]
    print(f"| {' | '.join(head)} |\n{'|---' * len(head)}|", flush=True)
    for name, row in chosen.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = [run(row, seed, lengths) for seed in arguments.seeds]
        print("\n".join(lines_of(name, found)), flush=True)


if __name__ == "__main__":
    main()
