"""Whether probabilities are those of being right, beside EM that starts from the true cells.

Each seed draws its own data and its own fit. Run with OMP_NUM_THREADS=1.

    python benchmarks/honesty.py --tables cells missing --seeds 0-4 --out honesty.csv
    python benchmarks/honesty.py --summarize honesty.csv --beside honesty_of_another_commit.csv

It uses what the package makes public, so that it runs on other commits, too (PYTHONPATH). Lines are
appended as they come, and those that the file holds are skipped. The tables:

- ``cells``: new samples of tables whose factors are some standard deviations apart, whole;
- ``missing``: the same of which a modality alone, or a share of the elements, is there;
- ``collapse``: training samples in the right cell, beside GaussianMixture, and who was warned;
- ``unlike``: modalities of unlike width and noise;
- ``bands``: how much of the data 90 % bands hold.

Said is the mean of the largest probability, right the share of samples in that cell (cells matched
to the true ones on the training samples). The calibration error has 15 bins of equal mass.
The reference is EM of the right family (a mean per cell, a noise variance per modality, what is
missing drops out), which starts from the true cells of the same training samples.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import time
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from node_rows import append_lines, parse_seeds
from scipy.optimize import linear_sum_assignment
from scipy.special import logsumexp
from sklearn.metrics import adjusted_rand_score
from sklearn.mixture import GaussianMixture

from skcausalpima import CausalPIMA

FIELDS = ("table", "row", "what", "seed", "said", "right", "error", "log_loss")
REFERENCE = ("ref_said", "ref_right", "ref_error", "ref_log_loss", "same_cells")
REST = ("true_right", "warned", "seconds")
N_NEW, N_BINS = 5000, 15


class Case(NamedTuple):
    """Tables with binary factors, or one with many outcomes, all of whose effects add up."""

    distance: float  # between outcomes of a factor, in standard deviations of the noise
    n_samples: int = 600
    widths: tuple[int, ...] = (4, 4)
    sizes: tuple[int, ...] = (2, 2)
    noises: tuple[float, ...] = ()
    known: float = 0.0  # share of the outcomes that is known in training

    @property
    def name(self) -> str:
        """A name for files."""
        parts = [f"{self.distance:g} sd", f"n={self.n_samples}", "x".join(map(str, self.widths))]
        parts += ["cells " + "x".join(map(str, self.sizes))]
        parts += ["noises " + " ".join(f"{s:g}" for s in self.noises)] if self.noises else []
        return ", ".join([*parts, *(["known"] if self.known else [])])


class Truth:
    """Where cells lie, and what a sample says of them."""

    def __init__(self, case: Case, seed: int) -> None:
        rng = np.random.default_rng([seed, 1])
        self.case, width = case, sum(case.widths)
        self.cells = np.array(list(itertools.product(*map(range, case.sizes))))
        n_effects = sum(size - 1 for size in case.sizes)
        axes = np.linalg.qr(rng.normal(size=(width, n_effects)))[0].T
        design = []
        for size, outcomes in zip(case.sizes, self.cells.T, strict=True):
            # outcomes of a factor are as far from each other: the corners of a simplex
            corners = np.eye(size) @ _simplex(size)
            design.append(corners[outcomes])
        self.noise = np.repeat(case.noises or [1.0] * len(case.widths), case.widths)
        self.means = case.distance * (np.hstack(design) @ axes) * self.noise

    def draw(self, n: int, rng: np.random.Generator) -> tuple[list[np.ndarray], np.ndarray]:
        """Return modalities and the numbers of the cells."""
        label = rng.integers(len(self.cells), size=n)
        x = self.means[label] + self.noise * rng.normal(size=(n, len(self.noise)))
        return np.split(x, np.cumsum(self.case.widths)[:-1], axis=1), label


def _simplex(size: int) -> np.ndarray:
    """Return corners that are a distance of 1 apart, (size, size - 1)."""
    centred = np.eye(size) - 1.0 / size
    values, vectors = np.linalg.eigh(centred)
    return vectors[:, values > 0.5] / np.sqrt(2.0)


class Mixture:
    """A mean per cell, a noise variance per modality; elements that are NaN drop out."""

    def __init__(self, x: Sequence[np.ndarray], label: np.ndarray, n_cells: int) -> None:
        self.owner = np.repeat(np.arange(len(x)), [part.shape[1] for part in x])
        flat = np.hstack(x)
        seen, flat = np.isfinite(flat), np.nan_to_num(flat)
        gamma = np.eye(n_cells)[label]
        for _ in range(200):
            counts = gamma.T @ seen
            self.means = (gamma.T @ flat) / np.maximum(counts, 1e-9)
            errors = np.stack([seen * np.square(flat - mean) for mean in self.means], axis=1)
            sums = np.einsum("nc,ncd->d", gamma, errors)
            totals = seen.sum(axis=0)
            self.variances = np.array(
                [sums[self.owner == m].sum() / totals[self.owner == m].sum() for m in range(len(x))]
            )
            self.log_weights = np.log(gamma.mean(axis=0) + 1e-12)
            before, gamma = gamma, self.probabilities(x)
            if np.abs(gamma - before).max() < 1e-4:
                break

    def probabilities(self, x: Sequence[np.ndarray]) -> np.ndarray:
        """Return those of the cells, of shape (n_samples, n_cells)."""
        flat, scale = np.hstack(x), self.variances[self.owner]
        seen, flat = np.isfinite(flat), np.nan_to_num(flat)
        logs = [-0.5 * (seen * np.square(flat - mean) / scale).sum(axis=1) for mean in self.means]
        logs = np.stack(logs, axis=1) + self.log_weights
        return np.exp(logs - logsumexp(logs, axis=1, keepdims=True))


def true_probabilities(truth: Truth, x: Sequence[np.ndarray]) -> np.ndarray:
    """Return what the generator itself says."""
    flat = np.hstack(x)
    seen, flat = np.isfinite(flat), np.nan_to_num(flat)
    logs = [
        -0.5 * (seen * np.square((flat - mean) / truth.noise)).sum(axis=1) for mean in truth.means
    ]
    return np.exp(np.stack(logs, axis=1) - logsumexp(logs, axis=0)[:, None])


def matched(label: np.ndarray, found: np.ndarray, n_cells: int) -> np.ndarray:
    """Return the true cell of each component, matched on training samples."""
    table = np.zeros((n_cells, n_cells))
    np.add.at(table, (found, label), 1)
    return linear_sum_assignment(-table)[1]


def honesty(probabilities: np.ndarray, label: np.ndarray, n_bins: int = N_BINS) -> dict[str, float]:
    """Return what was said and what is right, of probabilities of the true cells."""
    largest, chosen = probabilities.max(axis=1), probabilities.argmax(axis=1)
    right = chosen == label
    order = np.argsort(largest, kind="stable")
    bins = np.array_split(order, n_bins)
    gaps = [len(part) * abs(largest[part].mean() - right[part].mean()) for part in bins]
    return {
        "said": largest.mean(),
        "right": right.mean(),
        "error": sum(gaps) / len(label),
        "log_loss": -np.log(probabilities[np.arange(len(label)), label].clip(1e-12)).mean(),
    }


def masked(x: Sequence[np.ndarray], what: str, rng: np.random.Generator) -> list[np.ndarray]:
    """Return samples of which something is missing."""
    x = [part.copy() for part in x]
    if what == "first alone":
        for part in x[1:]:
            part[:] = np.nan
    elif what.endswith("%"):
        share = float(what[:-1]) / 100
        for part in x:
            part[rng.uniform(size=part.shape) < share] = np.nan
    return x


def fitted(case: Case, x: Sequence[np.ndarray], label: np.ndarray, truth: Truth, seed: int):
    """Return a default fit, whether it warned, and its seconds."""
    est = CausalPIMA(case.sizes, random_state=seed)
    options = {}
    if case.known:
        known = truth.cells[label].astype(float)
        rng = np.random.default_rng([seed, 2])
        known[rng.uniform(size=len(known)) >= case.known] = np.nan
        options["known_nodes"] = known
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        start = time.perf_counter()
        est.fit(x if len(x) > 1 else x[0], **options)
        seconds = time.perf_counter() - start
    return est, len(caught) > 0, seconds


def run_case(table: str, case: Case, parts_asked: Sequence[str], seed: int) -> Iterator[dict]:
    """Fit once; return a line for everything that is asked of new samples."""
    truth = Truth(case, seed)
    x, label = truth.draw(case.n_samples, np.random.default_rng([seed, 3]))
    est, warned, seconds = fitted(case, x, label, truth, seed)
    reference = Mixture(x, label, len(truth.cells))
    n_cells = len(truth.cells)
    place = matched(label, est.labels_, n_cells)
    same = adjusted_rand_score(est.labels_, reference.probabilities(x).argmax(axis=1))
    for what in parts_asked:
        rng = np.random.default_rng([seed, 4])
        new, target = truth.draw(N_NEW, rng)
        new = masked(new, what, rng)
        probabilities = np.zeros((N_NEW, n_cells))
        probabilities[:, place] = est.predict_proba(new if len(new) > 1 else new[0])
        line = honesty(probabilities, target)
        line |= {f"ref_{k}": v for k, v in honesty(reference.probabilities(new), target).items()}
        truly = (true_probabilities(truth, new).argmax(axis=1) == target).mean()
        yield {
            **{"table": table, "row": case.name, "what": what, "seed": seed},
            **{k: round(float(v), 4) for k, v in line.items()},
            **{"same_cells": round(same, 3), "true_right": round(float(truly), 4)},
            **{"warned": int(warned), "seconds": round(seconds, 2)},
        }


def run_collapse(case: Case, seed: int) -> Iterator[dict]:
    """Compare the cells of a fit with those of GaussianMixture on standardised columns."""
    truth = Truth(case, seed)
    x, label = truth.draw(case.n_samples, np.random.default_rng([seed, 3]))
    est, warned, seconds = fitted(case, x, label, truth, seed)
    flat = np.hstack(x)
    flat = (flat - flat.mean(axis=0)) / flat.std(axis=0)
    n_cells = len(truth.cells)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        plain = GaussianMixture(n_cells, n_init=5, random_state=seed).fit_predict(flat)
    ours, theirs = (
        float((matched(label, found, n_cells)[found] == label).mean())
        for found in (est.labels_, plain)
    )
    yield {
        **{"table": "collapse", "row": case.name, "what": "training", "seed": seed},
        **{"said": float(est.predict_proba(x if len(x) > 1 else x[0]).max(axis=1).mean())},
        **{"right": round(ours, 4), "ref_right": round(theirs, 4)},
        **{"warned": int(warned), "seconds": round(seconds, 2)},
    }


def run_bands(case: Case, parts_asked: Sequence[str], seed: int) -> Iterator[dict]:
    """Return how much of what is hidden 90 % bands hold."""
    truth = Truth(case, seed)
    x, label = truth.draw(case.n_samples, np.random.default_rng([seed, 3]))
    est, warned, seconds = fitted(case, x, label, truth, seed)
    for what in parts_asked:
        rng = np.random.default_rng([seed, 4])
        new, _ = truth.draw(2000, rng)
        given = masked(new, what, rng)
        mean, std = est.reconstruct(given, return_std=True, include_noise=True)
        inside, total = 0, 0
        for truly, part, centre, spread in zip(new, given, mean, std, strict=True):
            hidden = ~np.isfinite(part) if what != "whole" else np.ones_like(truly, dtype=bool)
            inside += (np.abs(truly - centre) < 1.6449 * spread)[hidden].sum()
            total += hidden.sum()
        yield {
            **{"table": "bands", "row": case.name, "what": what, "seed": seed},
            **{"said": 0.9, "right": round(inside / total, 4), "warned": int(warned)},
            **{"seconds": round(seconds, 2)},
        }


WIDE = (40, 40)
TABLES: dict[str, list[tuple[Case, tuple[str, ...]]]] = {
    "cells": [
        *((Case(d, n), ("whole",)) for d in (3, 4, 5, 6, 8) for n in (300, 3000)),
        *((Case(d, 600, known=0.2), ("whole",)) for d in (1.5, 2, 3, 4, 5)),
        *((Case(4, 600, widths), ("whole",)) for widths in ((8,), (4, 4, 4, 4))),
        *((Case(5, 1500, (10, 10), sizes), ("whole",)) for sizes in ((2,), (2, 2, 2), (4, 3, 2))),
    ],
    "missing": [
        (Case(6, 600, WIDE), ("whole", "first alone", "20%", "50%", "80%", "95%")),
        (Case(6, 3000, WIDE), ("whole", "first alone", "20%", "50%", "80%", "95%")),
        (Case(4, 600, (10, 10)), ("whole", "first alone", "50%", "80%", "95%")),
        (Case(8, 600, (10, 10), (2, 3)), ("whole", "first alone", "50%", "80%", "95%")),
        (Case(6, 600, (8, 8, 8, 8)), ("whole", "first alone", "50%", "80%", "95%")),
    ],
    "collapse": [
        (Case(d, n, widths), ())
        for d in (2, 3, 4, 5)
        for n in (300, 2000)
        for widths in ((4,), (40,), (2, 2), (20, 20), (4, 4, 4, 4))
    ],
    "unlike": [
        (Case(5, 600, (784, 100)), ("whole", "first alone")),
        (Case(5, 600, (100, 100), noises=(1.0, 10.0)), ("whole", "first alone")),
        (Case(5, 600, (300, 20)), ("whole", "first alone")),
        (Case(5, 2000, (300, 20), noises=(1.0, 10.0)), ("whole", "first alone")),
        *((Case(4, n, (200, 200)), ("whole",)) for n in (300, 1000, 4000)),
    ],
    "bands": [
        (Case(d, n, (10, 10)), ("whole", "first alone", "20%", "80%"))
        for d in (4, 8)
        for n in (300, 3000)
    ],
}


def run(tables: Sequence[str], seeds: Sequence[int], out: Path) -> None:
    """Run what a file lacks."""
    done = set()
    if out.exists():
        with out.open(newline="") as file:
            done = {(line["table"], line["row"], line["seed"]) for line in csv.DictReader(file)}
    for seed, table in itertools.product(seeds, tables):
        for case, parts_asked in TABLES[table]:
            if (table, case.name, str(seed)) in done:
                continue
            if table == "collapse":
                lines = list(run_collapse(case, seed))
            elif table == "bands":
                lines = list(run_bands(case, parts_asked, seed))
            else:
                lines = list(run_case(table, case, parts_asked, seed))
            append_lines(out, (*FIELDS, *REFERENCE, *REST), lines)


def summarize(path: Path, beside: Path | None) -> None:
    """Print means over seeds as a markdown table."""
    import pandas as pd

    frames = [pd.read_csv(file) for file in (path, beside) if file is not None]
    keys = ["table", "row", "what"]
    means = [frame.groupby(keys, sort=False).mean(numeric_only=True) for frame in frames]
    shown = ["said", "right", "error", "log_loss"]
    columns = {name: means[0][name] for name in (*shown, *REFERENCE, *REST)}
    for name in shown if beside else ():
        columns[f"{name} (beside)"] = means[1][name].reindex(means[0].index)
    table = pd.DataFrame(columns).drop(columns="seed", errors="ignore").round(3).reset_index()
    print("| " + " | ".join(table.columns) + " |\n" + "|---" * len(table.columns) + "|")
    for line in table.itertuples(index=False):
        print("| " + " | ".join("" if value != value else str(value) for value in line) + " |")


def main() -> None:
    """Run tables, or print them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tables", nargs="+", choices=TABLES, default=list(TABLES))
    parser.add_argument("--seeds", type=parse_seeds, default="0-4")
    parser.add_argument("--out", type=Path, default=Path("honesty.csv"))
    parser.add_argument("--summarize", type=Path)
    parser.add_argument("--beside", type=Path)
    arguments = parser.parse_args()
    if arguments.summarize:
        summarize(arguments.summarize, arguments.beside)
    else:
        run(arguments.tables, arguments.seeds, arguments.out)


if __name__ == "__main__":
    main()
