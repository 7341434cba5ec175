"""Tables whose noise differs between cells: accuracy and honesty beside the exact posterior.

    python benchmarks/unlike_noise.py --seeds 0-4 --out unlike_noise.csv
    python benchmarks/unlike_noise.py --summarize unlike_noise.csv

Two tables of six columns show a binary node each, its outcomes six standard deviations apart. The
noise of a table is low where its node is 0 and high where it is 1: *both* tables, *one* of them
(the other has 1), or each *column* of both has its own order of the two; 1 and 1 is equal noise.
Methods are default fits (``auto``), ``learned`` (one variance for each table, the default before)
and ``exact``, the true posterior. Printed are, of 2000 new samples, whole and with half of their
elements missing: the adjusted Rand index of cells (whole), what is said of the likeliest cell less
how often that is right, and the log loss; how many fits predict noise; seconds. ``--missing`` is
the share of training elements that are missing. Run with OMP_NUM_THREADS=1.
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
from scipy.special import softmax
from sklearn.metrics import adjusted_rand_score

from skcausalpima import CausalPIMA

N_COLUMNS, SEPARATION, N_NEW = 6, 6.0, 2000
SAMPLES, NOISE, KINDS = (
    (80, 200, 1000, 4000),
    ((1.0, 1.0), (0.8, 1.2), (0.5, 1.6)),
    (
        "both",
        "one",
        "column",
    ),
)
FIELDS = (
    *("samples", "noise", "kind", "seed", "method", "ari", "gap", "loss"),
    *("gap_half", "loss_half", "predicted", "seconds"),
)


def deviations(noise: tuple[float, float], kind: str) -> np.ndarray:
    """Return standard deviations of shape (table, outcome, column)."""
    found = np.ones((2, 2, N_COLUMNS))
    found[: 1 if kind == "one" else 2] = np.array(noise)[:, None]
    if kind == "column":
        found[:, :, ::2] = found[:, ::-1, ::2]
    return found


def drawn(n: int, spread: np.ndarray, seed: int) -> tuple[list[np.ndarray], np.ndarray]:
    """Return two tables, and their cells."""
    rng = np.random.default_rng(seed)
    factors = rng.integers(2, size=(n, 2))
    step = SEPARATION / np.sqrt(N_COLUMNS)
    tables = [
        step * factors[:, [k]] + spread[k, factors[:, k]] * rng.normal(size=(n, N_COLUMNS))
        for k in (0, 1)
    ]
    return tables, factors @ [2, 1]


def posterior(tables: list[np.ndarray], spread: np.ndarray) -> np.ndarray:
    """Return the true probabilities of the four cells; elements that are NaN say nothing."""
    logs = []
    for outcomes in itertools.product((0, 1), repeat=2):
        total = np.zeros(len(tables[0]))
        for k, outcome in enumerate(outcomes):
            own = spread[k, outcome]
            off = (tables[k] - SEPARATION / np.sqrt(N_COLUMNS) * outcome) / own
            total += np.nansum(-0.5 * np.square(off) - np.where(np.isnan(off), 0, np.log(own)), 1)
        logs.append(total)
    return softmax(np.stack(logs, axis=1), axis=1)


def figures(probabilities: np.ndarray, cells: np.ndarray) -> tuple[float, float, float]:
    """Return the adjusted Rand index, said less right, and the log loss."""
    found = probabilities.argmax(axis=1)
    said, right = probabilities.max(axis=1).mean(), (found == cells).mean()
    own = np.maximum(probabilities[np.arange(len(cells)), cells], 1e-12)
    return adjusted_rand_score(cells, found), said - right, -np.log(own).mean()


def measured(
    n: int, noise: tuple[float, float], kind: str, seed: int, missing: float
) -> list[dict[str, object]]:
    """Return a line for each method."""
    spread = deviations(noise, kind)
    tables, cells = drawn(n, spread, seed)
    new, truth = drawn(N_NEW, spread, 10_000 + seed)
    rng = np.random.default_rng(seed)
    half = [np.where(rng.random(x.shape) < 0.5, np.nan, x) for x in new]
    tables = [np.where(rng.random(x.shape) < missing, np.nan, x) for x in tables]
    lines = []
    for method in ("auto", "learned", "exact"):
        start, predicted = time.process_time(), 0
        if method == "exact":
            answers = [posterior(of, spread) for of in (new, half)]
        else:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                model = CausalPIMA((2, 2), decoder_variance=method, random_state=seed).fit(tables)
            predicted = len(model.choices_.predicted)
            counts = np.zeros((4, 4))
            np.add.at(counts, (model.labels_, cells), 1)
            order = linear_sum_assignment(-counts.T)[1]
            answers = [model.predict_proba(of)[:, order] for of in (new, half)]
        seconds = time.process_time() - start
        whole, part = (figures(of, truth) for of in answers)
        values = (*whole, *part[1:], predicted, seconds)
        named = zip(FIELDS[5:], (f"{value:.4f}" for value in values), strict=True)
        keys = {"samples": n, "noise": f"{noise[0]}-{noise[1]}", "kind": kind, "seed": seed}
        lines.append(keys | {"method": method} | dict(named))
    return lines


def summarize(path: Path) -> None:
    """Print means over seeds."""
    rows = list(csv.DictReader(path.open(newline="")))
    print(
        "| samples | noise | kind | method | ARI | said-right | loss "
        "| half: said-right | loss | predicted | s |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    for key in dict.fromkeys(tuple(row[of] for of in FIELDS[:3]) for row in rows):
        for method in ("auto", "learned", "exact"):
            own = [
                row
                for row in rows
                if tuple(row[of] for of in (*FIELDS[:3], "method")) == (*key, method)
            ]
            means = [np.mean([float(row[of]) for row in own]) for of in FIELDS[5:]]
            print(f"| {' | '.join(key)} | {method} | {' | '.join(f'{of:.3f}' for of in means)} |")


def main() -> None:
    """Measure what is asked for, or print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=node_rows.parse_seeds, default="0-4")
    parser.add_argument("--samples", type=int, nargs="+", default=list(SAMPLES))
    parser.add_argument("--missing", type=float, default=0.0)
    parser.add_argument("--out", type=Path, default=Path("unlike_noise.csv"))
    parser.add_argument("--summarize", type=Path)
    arguments = parser.parse_args()
    if arguments.summarize:
        summarize(arguments.summarize)
        return
    settings = [(n, noise, kind) for n in arguments.samples for noise in NOISE for kind in KINDS]
    for n, noise, kind in settings:
        if noise == NOISE[0] and kind != KINDS[0]:
            continue  # equal noise is the same in all kinds
        for seed in arguments.seeds:
            lines = measured(n, noise, kind, seed, arguments.missing)
            node_rows.append_lines(arguments.out, FIELDS, lines)


if __name__ == "__main__":
    main()
