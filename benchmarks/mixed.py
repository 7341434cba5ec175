"""Tables as they are: words, yes and no, ordered answers and counts, default fits beside recipes.

Each seed has its own fit, and its own data where they are generated. Run with OMP_NUM_THREADS=1.

    python benchmarks/mixed.py --seeds 0-4 --mlbench mlbench --out mixed.csv
    python benchmarks/mixed.py --parts tables --methods ours --rows votes DNA --mlbench mlbench
    python benchmarks/mixed.py --summarize mixed.csv

Real tables come with packages that this benchmark does not install; it says which, and what the
folder of ``--mlbench`` is, where one is missing. Lines are appended as they come; those that the
file holds are skipped. A method that fails is named and leaves no line. The parts:

- ``tables``: real tables with known classes (``mixed_tables.py``): the adjusted Rand index;
- ``cells``: a generated table of 30 columns, 2000 rows and eight cells (``mixed_cases.py``), and
  tables of one kind of column: how often nodes are right, the adjusted Rand index of cells;
- ``small``: 400 rows of six columns of which one has a rare category without news, two nodes: how
  often these are right, and whether a fit warns;
- ``counts``: 200 columns of negative binomial counts at depths from 500 to 5000: the same;
- ``draws``: 20 000 samples of a fit: total variation of each column of words from the law that the
  training rows are from, Kolmogorov distance of numbers and counts: means, and the largest;
- ``impute``: a tenth of the entries is missing, in training and in 8000 new rows: how often words
  are right there, the calibration error of their probabilities (15 bins; about .01 where they are
  those of the law), their log loss; root mean squares of numbers' errors, in units of their noise;
- ``grids``: mean held-out scores of grids of one to four binary nodes, how far the right one, of
  three, is behind the best, and whether it is that;
- ``cost``: processor time of a fit to the generated table, over that to 30 columns of numbers.

Methods are ``ours``, the recipes of ``mixed_tables.py``, ``bayes`` (the law), ``log1p`` (a default
fit to logarithms of counts at the median depth), ``rows`` (the training rows as if they were
draws), ``mode`` and ``forest`` (a random forest per column, trained twice through).
"""

from __future__ import annotations

import argparse
import csv
import itertools
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import mixed_cases
import mixed_tables
import numpy as np
import pandas as pd
from missing_rows import calibration_error, log_loss
from mixed_cases import CountsLaw, TableLaw
from node_rows import append_lines, parse_seeds
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.metrics import adjusted_rand_score

from skcausalpima import CausalPIMA
from skcausalpima.metrics import node_recovery

FIELDS = ("part", "row", "method", "seed", "figure", "value")
N_SAMPLES, N_HELD_OUT, N_ASKED, N_DRAWS = 2000, 1000, 8000, 20_000
GRIDS = ((2,), (2, 2), (2, 2, 2), (2, 2, 2, 2))
MISSING_RATE, N_PASSES = 0.1, 2
LAWS = {
    "mixed": mixed_cases.MIXED,
    **{kind: {kind: mixed_cases.N_ALONE} for kind in mixed_cases.MIXED},
}
Figures = Mapping[str, float]
#: Probabilities of the values of columns, in the order of the law, and expected numbers.
Answers = tuple[dict[str, np.ndarray], dict[str, np.ndarray]]


# --- our fits: what has to change with the estimator's words ----------------------------------


def fitted(frame: pd.DataFrame, sizes: tuple[int, ...], seed: int, **parameters) -> CausalPIMA:
    """Return a default fit to a table as it is."""
    return CausalPIMA(node_sizes=sizes, random_state=seed, **parameters).fit(frame)


def fitted_counts(counts: pd.DataFrame, sizes: tuple[int, ...], seed: int) -> CausalPIMA:
    """Return a default fit to counts that are called counts."""
    return fitted(counts, sizes, seed, likelihoods="negative_binomial")


def our_answers(est: CausalPIMA, frame: pd.DataFrame, law: TableLaw) -> Answers:
    """Return what a fit fills in."""
    told = est.impute(frame, probabilities=True)
    answers = {}
    for name, column in law.levels().items():
        if column.kind == "yes or no":
            yes = told[f"{name}=True"].to_numpy()
            answers[name] = np.column_stack([1.0 - yes, yes])
        else:
            answers[name] = told[[f"{name}={value}" for value in column.values]].to_numpy()
    return answers, {name: told[name].to_numpy() for name in law.means(frame)}


def at_median_depth(counts: pd.DataFrame) -> np.ndarray:
    """Return logarithms of counts as if all rows had the median depth."""
    depths = counts.sum(axis=1)
    return np.log1p(counts.div(depths, axis=0) * depths.median()).to_numpy()


# --- parts -----------------------------------------------------------------------------------


def run_tables(row: str, method: str, seed: int, mlbench: Path | None) -> Figures:
    """Return the adjusted Rand index on a real table."""
    table = mixed_tables.loaded(row, mlbench)
    if method == "ours":
        whole = table.frame.dropna(how="all")  # votes has a row of nothing
        labels = fitted(whole, (table.n_classes,), seed).predict(table.frame)
    else:
        labels = mixed_tables.RECIPES[method](table.frame, table.n_classes, seed)
    return {"ari": adjusted_rand_score(table.classes, labels)}


def recovered(truth: np.ndarray, cells: np.ndarray, nodes: np.ndarray | None = None) -> Figures:
    """Return the adjusted Rand index of cells, and the accuracy of nodes if there are some."""
    found = {"ari": adjusted_rand_score(truth @ (4, 2, 1), cells)}
    if nodes is not None:
        accuracies = node_recovery(truth, nodes).accuracies
        found |= {"nodes": accuracies.mean(), "worst node": accuracies.min()}
    return found


def run_cells(row: str, method: str, seed: int) -> Figures:
    """Return what is found of the cells of a generated table."""
    law = TableLaw(LAWS[row], seed)
    frame, truth = law.sample(N_SAMPLES, seed)
    if method in mixed_tables.RECIPES:
        return recovered(truth, mixed_tables.RECIPES[method](frame, 8, seed))
    if method == "bayes":
        nodes = law.nodes(frame)
        return recovered(truth, nodes @ (4, 2, 1), nodes)
    est = fitted(frame, mixed_cases.NODE_SIZES, seed)
    return recovered(truth, est.labels_, est.node_labels_)


def run_small(row: str, method: str, seed: int) -> Figures:
    """Return what is found of the nodes of a small table."""
    frame, truth = mixed_cases.small_table(seed)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        est = fitted(frame, (2, 2), seed, likelihoods={"flowers": "poisson"})
    accuracies = node_recovery(truth, est.node_labels_).accuracies
    found = {"nodes": accuracies.mean(), "worst node": accuracies.min()}
    return found | {"warned": float(bool(told))}


def run_counts(row: str, method: str, seed: int) -> Figures:
    """Return what is found of the cells of counts."""
    law, sizes = CountsLaw(seed), mixed_cases.NODE_SIZES
    counts, truth, depths = law.sample(N_SAMPLES, seed)
    if method == "bayes":
        nodes = law.nodes(counts, depths)
        return recovered(truth, nodes @ (4, 2, 1), nodes)
    if method in mixed_tables.RECIPES:
        logs = pd.DataFrame(at_median_depth(counts))
        return recovered(truth, mixed_tables.RECIPES[method](logs, 8, seed))
    if method == "log1p":
        est = fitted(at_median_depth(counts), sizes, seed)
    else:
        est = fitted_counts(counts, sizes, seed)
    return recovered(truth, est.labels_, est.node_labels_)


def run_draws(row: str, method: str, seed: int) -> Figures:
    """Return how far draws are from the law, by kind of column."""
    if row == "counts":
        law = CountsLaw(seed)
        frame, fit = law.sample(N_SAMPLES, seed)[0], fitted_counts
    else:
        law = TableLaw(LAWS[row], seed)
        frame, fit = law.sample(N_SAMPLES, seed)[0], fitted
    if method == "ours":
        frame, _ = fit(frame, mixed_cases.NODE_SIZES, seed).sample(N_DRAWS)
    by_kind: dict[str, list[float]] = {}
    for name, distance in law.distances(frame).items():
        by_kind.setdefault(name.rsplit(" ", 1)[0], []).append(distance)
    means = {f"{kind}, mean": float(np.mean(found)) for kind, found in by_kind.items()}
    return means | {f"{kind}, largest": max(found) for kind, found in by_kind.items()}


def run_grids(row: str, method: str, seed: int) -> Figures:
    """Return mean held-out scores of grids, or of the law."""
    law = CountsLaw(seed) if row == "counts" else TableLaw(LAWS[row], seed)
    whole, _, *depths = law.sample(N_SAMPLES + N_HELD_OUT, seed)
    train, held_out = whole[:N_SAMPLES], whole[N_SAMPLES:].reset_index(drop=True)
    if method == "bayes":
        return {"score": law.score(held_out, *(each[N_SAMPLES:] for each in depths))}
    fit = fitted_counts if row == "counts" else fitted
    scores = [float(fit(train, sizes, seed).score(held_out)) for sizes in GRIDS]
    behind = max(scores) - scores[GRIDS.index(mixed_cases.NODE_SIZES)]
    found = {
        f"score, {' x '.join(map(str, sizes))}": score
        for sizes, score in zip(GRIDS, scores, strict=True)
    }
    return found | {"behind": behind, "right": float(behind == 0.0)}


def run_cost(row: str, method: str, seed: int) -> Figures:
    """Return processor times of a fit to mixed columns and of one to as many numbers."""
    seconds = []
    for kinds in (mixed_cases.MIXED, {"number": mixed_cases.N_ALONE}):
        frame, _ = TableLaw(kinds, seed).sample(N_SAMPLES, seed)
        start = time.process_time()
        fitted(frame, mixed_cases.NODE_SIZES, seed)
        seconds.append(time.process_time() - start)
    return {"seconds": seconds[0], "ratio": seconds[0] / seconds[1]}


# --- what is missing -------------------------------------------------------------------------


def run_impute(row: str, method: str, seed: int) -> Figures:
    """Return how well missing entries of new rows are filled in."""
    law = TableLaw(LAWS[row], seed)
    whole, _ = law.sample(N_SAMPLES + N_ASKED, seed)
    frame, gone = mixed_cases.with_gaps(whole, MISSING_RATE, seed)
    if method == "bayes":
        answers, numbers = law.answers(frame), law.means(frame)
    elif method == "ours":
        est = fitted(frame[:N_SAMPLES], mixed_cases.NODE_SIZES, seed)
        answers, numbers = our_answers(est, frame, law)
    else:
        answers, numbers = (mode if method == "mode" else forest)(frame, law, seed)
    gone[:N_SAMPLES] = False
    missing = dict(zip(frame, gone.T, strict=True))
    found = {}
    if answers:
        told = [answers[name][missing[name]] for name in answers]
        widest = max(each.shape[1] for each in told)
        told = np.vstack([np.pad(each, ((0, 0), (0, widest - each.shape[1]))) for each in told])
        codes = [law.columns[name].codes(whole[name])[missing[name]] for name in answers]
        truth = np.concatenate(codes)
        found["accuracy"] = float((told.argmax(axis=1) == truth).mean())
        found["calibration error"] = calibration_error(told, truth)
        found["log loss"] = log_loss(told, truth)
    if numbers:
        errors = [
            (numbers[name] - whole[name])[missing[name]] / law.columns[name].unit
            for name in numbers
        ]
        found["rms"] = float(np.sqrt(np.square(np.concatenate(errors)).mean()))
    return found


def mode(frame: pd.DataFrame, law: TableLaw, seed: int) -> Answers:
    """Return shares of values, and means, of the rows that train."""
    train, answers = frame[:N_SAMPLES], {}
    for name, column in law.levels().items():
        codes = column.codes(train[name])
        counts = np.bincount(codes[codes >= 0], minlength=len(column.values))
        answers[name] = np.tile(counts / counts.sum(), (len(frame), 1))
    return answers, {name: np.full(len(frame), train[name].mean()) for name in law.means(train)}


def forest(frame: pd.DataFrame, law: TableLaw, seed: int) -> Answers:
    """Return what a random forest per column says, trained on the other columns as filled in."""
    answers, numbers = mode(frame, law, seed)
    codes = {name: column.codes(frame[name]) for name, column in law.levels().items()}
    for _, name in itertools.product(range(N_PASSES), frame):
        others = [_with_known(codes[n], answers[n]) for n in answers if n != name]
        others += [
            np.where(frame[n].isna(), numbers[n], frame[n])[:, None] for n in numbers if n != name
        ]
        columns = np.hstack(others)
        train = np.flatnonzero(frame[name].notna()[:N_SAMPLES])
        if name in numbers:
            model = RandomForestRegressor(max_features=1 / 3, random_state=seed)
            numbers[name] = model.fit(columns[train], frame[name][train]).predict(columns)
        else:
            model = RandomForestClassifier(random_state=seed)
            model.fit(columns[train], codes[name][train])
            answers[name] = np.zeros_like(answers[name])
            answers[name][:, model.classes_] = model.predict_proba(columns)
    return answers, numbers


def _with_known(codes: np.ndarray, answers: np.ndarray) -> np.ndarray:
    """Return indicators of known values, and of the most probable ones of the others."""
    return np.eye(answers.shape[1])[np.where(codes < 0, answers.argmax(axis=1), codes)]


# --- running ---------------------------------------------------------------------------------

RECIPES = tuple(mixed_tables.RECIPES)
PARTS: Mapping[str, tuple[Callable[..., Figures], tuple[str, ...], tuple[str, ...]]] = {
    "tables": (run_tables, mixed_tables.NAMES, (*RECIPES, "ours")),
    "cells": (run_cells, tuple(LAWS), (*RECIPES, "bayes", "ours")),
    "small": (run_small, ("small",), ("ours",)),
    "counts": (run_counts, ("counts",), ("k-means", "mixture, PCA-6", "log1p", "bayes", "ours")),
    "draws": (run_draws, (*LAWS, "counts"), ("rows", "ours")),
    "impute": (run_impute, ("mixed", "word"), ("mode", "forest", "bayes", "ours")),
    "grids": (run_grids, (*LAWS, "counts"), ("bayes", "ours")),
    "cost": (run_cost, ("mixed",), ("ours",)),
}


def asked(arguments: argparse.Namespace) -> Iterator[tuple[str, str, str, int]]:
    """Yield part, row, method and seed of what is asked for."""
    for seed, part in itertools.product(arguments.seeds, arguments.parts):
        _, rows, methods = PARTS[part]
        for row, method in itertools.product(rows, methods):
            wanted = arguments.methods is None or method in arguments.methods
            if wanted and any(piece in row for piece in arguments.rows):
                yield part, row, method, seed


def run(arguments: argparse.Namespace) -> None:
    """Run what a file lacks."""
    done = set()
    if arguments.out.exists():
        with arguments.out.open(newline="") as file:
            done = {tuple(line[key] for key in FIELDS[:4]) for line in csv.DictReader(file)}
    for part, row, method, seed in asked(arguments):
        if (part, row, method, str(seed)) in done:
            continue
        further = (arguments.mlbench,) if part == "tables" else ()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                figures = PARTS[part][0](row, method, seed, *further)
        except ImportError as error:
            raise SystemExit(mixed_tables.NEEDED.format(error)) from error
        except Exception as error:  # the other methods are still of interest
            print(f"{part}, {row}, {method}, seed {seed}: {error!r:.300}", file=sys.stderr)
            continue
        known = dict(zip(FIELDS, (part, row, method, seed), strict=False))
        lines = [known | {"figure": key, "value": round(v, 5)} for key, v in figures.items()]
        append_lines(arguments.out, FIELDS, lines)


def summarize(path: Path) -> None:
    """Print a markdown table for each part: mean and minimum over seeds, a column per method."""
    frame = pd.read_csv(path)
    for part in [part for part in PARTS if part in set(frame["part"])]:
        lines = frame[frame["part"] == part]
        methods = [method for method in PARTS[part][2] if method in set(lines["method"])]
        found = lines.groupby(["row", "figure", "method"], sort=False)["value"]
        mean, least = found.mean().unstack(), found.min().unstack()
        print(
            f"\n| {part} | figure | "
            + " | ".join(methods)
            + " |\n"
            + "|---" * (2 + len(methods))
            + "|"
        )
        for key in mean.index:
            cells = [
                ""
                if np.isnan(mean.at[key, m])
                else f"{mean.at[key, m]:.3f} / {least.at[key, m]:.3f}"
                for m in methods
            ]
            print("| " + " | ".join([*key, *cells]) + " |")
        if part == "tables":
            whole = mean[methods].dropna()
            means = [f"{value:.3f}" for value in whole.mean()]
            print("| " + " | ".join([f"mean of {len(whole)}", "ari", *means]) + " |")


def main() -> None:
    """Run parts, or print what was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parts", nargs="+", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--rows", nargs="+", default=[""], help="parts of the names of rows")
    parser.add_argument("--methods", nargs="+", help="these alone")
    parser.add_argument("--seeds", type=parse_seeds, default="0-4")
    parser.add_argument("--mlbench", type=Path, help="folder with the tables of r-cran-mlbench")
    parser.add_argument("--out", type=Path, default=Path("mixed.csv"))
    parser.add_argument("--summarize", type=Path)
    arguments = parser.parse_args()
    if arguments.summarize:
        summarize(arguments.summarize)
    else:
        run(arguments)


if __name__ == "__main__":
    main()
