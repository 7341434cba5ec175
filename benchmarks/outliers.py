"""Samples with far more noise than the others: nodes, honesty and bands beside the exact posterior.

    python benchmarks/outliers.py --seeds 0-4 --out outliers.csv
    python benchmarks/outliers.py --summarize outliers.csv

Two tables of six columns show a binary node each, its outcomes six standard deviations apart. A
share of the samples, of training and new ones alike, has some times the noise: in *both* tables, or
in *one* of the two, drawn for each. Methods are default fits, ``without`` (a default fit to the
training samples that are none: what can be had by leaving out), and ``exact``: the posterior that
knows share and factor. Printed are, of 2000 new samples, whole and with half of their elements
missing: the agreement of nodes (whole), what is said of the likeliest cell less how often that is
right, the log loss, and in which share of those of which more than .95 is said it is right (half);
how much of the second table a 90 % band holds, from the first; samples set aside, and how many of
these are outliers; seconds. Run with OMP_NUM_THREADS=1.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import time
import warnings
from pathlib import Path

import node_rows
import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.special import logsumexp, softmax
from sklearn.metrics import adjusted_rand_score

from skcausalpima import CausalPIMA

N_COLUMNS, SEPARATION, N_NEW = 6, 6.0, 2000
STEP = SEPARATION / np.sqrt(N_COLUMNS)
SAMPLES, SHARES, FACTORS, KINDS = (300, 1000), (0.0, 0.01, 0.02, 0.05), (3, 12, 20), ("both", "one")
KEYS = ("samples", "share", "factor", "kind")
FIELDS = (
    *(*KEYS, "seed", "method"),
    *("nodes", "gap", "loss", "gap_half", "loss_half", "sure_right", "band"),
    *("aside", "aside_right", "seconds"),
)


def drawn(n: int, share: float, factor: float, kind: str, seed: int):
    """Return two tables, the outcomes of their nodes, and whose noise is larger, by table."""
    rng = np.random.default_rng(seed)
    factors = rng.integers(2, size=(n, 2))
    outlying = np.repeat(rng.random((n, 1)) < share, 2, axis=1)
    if kind == "one":
        outlying[np.arange(n), rng.integers(2, size=n)] = False
    tables = [
        STEP * factors[:, [k]]
        + np.where(outlying[:, [k]], factor, 1.0) * rng.normal(size=(n, N_COLUMNS))
        for k in (0, 1)
    ]
    return tables, factors, outlying


def posterior(tables: list[np.ndarray], share: float, factor: float, kind: str) -> np.ndarray:
    """Return the probabilities of the four cells by the generator; NaN says nothing."""
    patterns = [(0, 0), (1, 1)] if kind == "both" else [(0, 0), (0, 1), (1, 0)]
    weight_of_others = share / (len(patterns) - 1)
    logs = []
    for outcomes in itertools.product((0, 1), repeat=2):
        by_pattern = []
        for pattern in patterns:
            total = np.log(weight_of_others if any(pattern) else 1.0 - share) if share else 0.0
            for table, outcome, is_outlying in zip(tables, outcomes, pattern, strict=True):
                spread = factor if is_outlying else 1.0
                off = (table - STEP * outcome) / spread
                nats = -0.5 * np.square(off) - np.where(np.isnan(off), 0.0, np.log(spread))
                total = total + np.nansum(nats, axis=1)
            by_pattern.append(total)
            if not share:
                break
        logs.append(logsumexp(by_pattern, axis=0))
    return softmax(np.stack(logs, axis=1), axis=1)


def honesty(probabilities: np.ndarray, cells: np.ndarray) -> tuple[float, float, float]:
    """Return said less right, the log loss, and how often what is said above .95 is right."""
    is_right = probabilities.argmax(axis=1) == cells
    said = probabilities.max(axis=1)
    of_truth = np.maximum(probabilities[np.arange(len(cells)), cells], 1e-12)
    sure = said > 0.95
    return said.mean() - is_right.mean(), -np.log(of_truth).mean(), is_right[sure].mean()


def measured(n: int, share: float, factor: float, kind: str, seed: int) -> list[dict[str, object]]:
    """Return a line for each method."""
    tables, factors, outlying = drawn(n, share, factor, kind, seed)
    new, truth, _ = drawn(N_NEW, share, factor, kind, 10_000 + seed)
    rng = np.random.default_rng(seed)
    half = [np.where(rng.random(table.shape) < 0.5, np.nan, table) for table in new]
    cells, new_cells = factors @ [2, 1], truth @ [2, 1]
    lines = []
    for method in ("auto", "without", "exact"):
        start, band, aside, aside_right = time.process_time(), np.nan, 0, 0
        if method == "exact":
            answers = [posterior(asked, share, factor, kind) for asked in (new, half)]
        else:
            kept = np.full(n, True) if method == "auto" else ~outlying.any(axis=1)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                model = CausalPIMA((2, 2), random_state=seed)
                model.fit([table[kept] for table in tables])
            counts = np.zeros((4, 4))
            np.add.at(counts, (model.labels_, cells[kept]), 1)
            order = linear_sum_assignment(-counts.T)[1]
            answers = [model.predict_proba(asked)[:, order] for asked in (new, half)]
            found = getattr(model.separation_, "set_aside", np.zeros(0, int))
            aside, aside_right = len(found), int(outlying.any(axis=1)[kept][found].sum())
            mean, std = model.reconstruct([new[0], None], 1, return_std=True, include_noise=True)
            band = (np.abs(new[1] - mean) <= 1.645 * std).mean()
        seconds = time.process_time() - start
        guess = answers[0].argmax(axis=1)
        agreement = np.mean(
            [
                adjusted_rand_score(truth[:, k], np.array(list(np.ndindex(2, 2)))[guess, k])
                for k in (0, 1)
            ]
        )
        gap, loss, _ = honesty(answers[0], new_cells)
        gap_half, loss_half, sure = honesty(answers[1], new_cells)
        values = (
            agreement,
            gap,
            loss,
            gap_half,
            loss_half,
            sure,
            band,
            aside,
            aside_right,
            seconds,
        )
        named = zip(FIELDS[6:], (f"{value:.4f}" for value in values), strict=True)
        keys = dict(zip(KEYS, (n, share, factor, kind), strict=True)) | {"seed": seed}
        lines.append(keys | {"method": method} | dict(named))
    return lines


def summarize(path: Path) -> None:
    """Print means over seeds."""
    rows = list(csv.DictReader(path.open(newline="")))
    print(f"| {' | '.join((*KEYS, 'method', *FIELDS[6:]))} |")
    print("|" + "---|" * (len(FIELDS) - 1))
    for key in dict.fromkeys(tuple(row[name] for name in (*KEYS, "method")) for row in rows):
        group = [row for row in rows if tuple(row[name] for name in (*KEYS, "method")) == key]
        means = [np.mean([float(row[name]) for row in group]) for name in FIELDS[6:]]
        print(f"| {' | '.join(key)} | {' | '.join(f'{mean:.3f}' for mean in means)} |")


def main() -> None:
    """Measure what is asked for, or print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=node_rows.parse_seeds, default="0-4")
    parser.add_argument("--samples", type=int, nargs="+", default=list(SAMPLES))
    parser.add_argument("--shares", type=float, nargs="+", default=list(SHARES))
    parser.add_argument("--factors", type=int, nargs="+", default=list(FACTORS))
    parser.add_argument("--kinds", nargs="+", default=list(KINDS))
    parser.add_argument("--out", type=Path, default=Path("outliers.csv"))
    parser.add_argument("--summarize", type=Path)
    arguments = parser.parse_args()
    if arguments.summarize:
        summarize(arguments.summarize)
        return
    chosen = (arguments.samples, arguments.shares, arguments.factors, arguments.kinds)
    for n, share, factor, kind in itertools.product(*chosen):
        if not share and (factor, kind) != (arguments.factors[0], arguments.kinds[0]):
            continue  # no outliers are the same in all kinds
        for seed in arguments.seeds:
            lines = measured(n, share, factor, kind, seed)
            node_rows.append_lines(arguments.out, FIELDS, lines)


if __name__ == "__main__":
    main()
