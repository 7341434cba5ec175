"""How well samples are understood of which something is missing, beside plain rivals, over seeds.

Each seed draws its own data, masks and fit. Run with OMP_NUM_THREADS=1; rows of real data need the
folder that SKCAUSALPIMA_DATA names.

    python benchmarks/missing.py --seeds 0-4 --rows digits mfeat --out runs.csv
    python benchmarks/missing.py --tables agreement calibration --out runs.csv
    python benchmarks/missing.py --summarize runs.csv --beside runs_of_another_commit.csv

Lines are appended when a task (a table's row of one seed) ends, and tasks that the file holds are
skipped: several processes may write to one file, each with other seeds or rows. It uses what the
package makes public, so that it runs on other commits, too (PYTHONPATH). The tables:

- ``agreement``: ``predict`` of held-out samples from one modality with ``predict`` from all;
- ``calibration``: ``predict_proba`` of held-out samples from one modality;
- ``incomplete``: fits of data in which each modality of each sample may be missing;
- ``elements``: a fit of data in which single elements are missing;
- ``curves``: held-out curves from images alone.

30 % of the samples are held out: the last of ``RandomState(seed).permutation(n_samples)``; of
lattices, 91 new ones. Masks are drawn by ``RandomState(10_000 + seed)``.
"""

from __future__ import annotations

import argparse
import csv
import functools
import io
import math
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import missing_rows as of
import numpy as np
from missing_rows import Case, Split, cases
from node_rows import parse_seeds
from sklearn.neighbors import KNeighborsRegressor

from skcausalpima import CausalPIMA
from skcausalpima.metrics import matched_accuracy, node_recovery

FIELDS = ("table", "row", "seed", "part", "figure", "value", "note")
RATES = (0.0, 0.25, 0.5)
Tasks = dict[tuple[str, str, int], list[dict]]  # lines by table, row and seed
ERRORS = ("calibration error", "log loss", "RMSE", "seconds")  # the largest is the worst


class Figure(NamedTuple):
    """One number; ``part`` is what it is about besides the row."""

    part: str
    name: str
    value: float
    note: str = ""


class Task(NamedTuple):
    """What is run at once: the row of a table for one seed."""

    table: str
    row: str
    seed: int
    run: Callable[[], Iterator[Figure]]


# --- fits ------------------------------------------------------------------------------------


def fitted(case: Case, arrays: Sequence[np.ndarray], seed: int) -> CausalPIMA:
    """Fit with default settings but for the nodes and what the row states."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        est = CausalPIMA(case.row.sizes, random_state=seed, **case.row.parameters)
        return est.fit(list(arrays))


def fitted_or_error(case: Case, arrays: Sequence[np.ndarray], seed: int) -> CausalPIMA | Exception:
    """Fit, or return why that is not possible."""
    try:
        return fitted(case, arrays, seed)
    except Exception as error:
        traceback.print_exc()
        return error


@functools.lru_cache(maxsize=1)
def complete_fit(name: str, seed: int) -> tuple[Case, Split, CausalPIMA]:
    """Fit the samples that are not held out, nothing missing."""
    case = cases()[name]
    parts = case.parts(seed)
    return case, parts, fitted(case, parts.train.arrays, seed)


# --- tables ----------------------------------------------------------------------------------


def agreement(name: str, seed: int) -> Iterator[Figure]:
    """Compare the answer from one modality with the complete one."""
    case, parts, est = complete_fit(name, seed)
    truth = of.cells(parts.held_out.factors, case.row.sizes)
    complete = est.predict(list(parts.held_out.arrays))
    sums: dict[str, float] = {}
    for position, modality in enumerate(case.modalities):
        answer = est.predict(of.alone(parts.held_out.arrays, position))
        train, new = of.one_modality(case, parts, position)
        figures = {
            "agreement": (answer == complete).mean(),
            "kNN agreement": (of.neighbours(train, est.labels_, new) == complete).mean(),
            "accuracy": matched_accuracy(truth, answer),
            "complete accuracy": matched_accuracy(truth, complete),
            "cells occupied": len(np.unique(est.labels_)),
            "k-means accuracy": matched_accuracy(
                truth, of.k_means(case, seed).fit(train).predict(new)
            ),
        }
        sums = {key: sums.get(key, 0.0) + value for key, value in figures.items()}
        if modality == "line":
            best = of.nearest_slope(parts.held_out.arrays[position])
            figures["nearest slope, accuracy"] = (best == truth).mean()
        yield from (Figure(modality, key, value) for key, value in figures.items())
    yield from (Figure("mean", key, total / len(case.modalities)) for key, total in sums.items())


def calibration(name: str, seed: int) -> Iterator[Figure]:
    """Ask whether probabilities from one modality are shares of the right answers."""
    case, parts, est = complete_fit(name, seed)
    truth, held_truth = (of.cells(part.factors, case.row.sizes) for part in parts)
    classes = of.class_of_component(truth, est.labels_, math.prod(case.row.sizes))
    whole = list(parts.held_out.arrays)
    inputs = {
        modality: of.alone(whole, position) for position, modality in enumerate(case.modalities)
    }
    for part, X in {**inputs, "all": whole}.items():
        of_components = est.predict_proba(X)
        probabilities = np.empty_like(of_components)
        probabilities[:, classes] = of_components
        right = probabilities.argmax(axis=1) == held_truth
        yield Figure(part, "calibration error", of.calibration_error(probabilities, held_truth))
        yield Figure(part, "log loss", of.log_loss(probabilities, held_truth))
        yield Figure(part, "accuracy", right.mean())
        yield Figure(part, "mean top probability", probabilities.max(axis=1).mean())


def accuracies(
    part: str, case: Case, truth: np.ndarray, nodes: np.ndarray | Exception
) -> Iterator[Figure]:
    """Return the accuracy of nodes and of cells, or why there is none."""
    if isinstance(nodes, Exception):
        yield Figure("", f"{part}: nodes", math.nan, in_words(nodes))
        return
    yield Figure("", f"{part}: nodes", of.node_accuracy(truth, nodes))
    yield Figure("", f"{part}: cells", of.cell_accuracy(truth, nodes, case.row.sizes))


def incomplete(name: str, rate: float, seed: int) -> Iterator[Figure]:
    """Fit data in which each modality of each sample is missing with some probability."""
    case = cases()[name]
    data = case.row.load(seed)
    truth = data.factors
    observed = of.observed_blocks((len(truth), len(data.arrays)), rate, seed)
    complete = observed.all(axis=1)
    X = of.without_blocks(data.arrays, observed)
    start = time.perf_counter()
    est = fitted_or_error(case, X, seed)
    seconds = time.perf_counter() - start
    failed = isinstance(est, Exception)
    yield Figure("", "complete rows", complete.mean())
    yield from accuracies("all", case, truth, est if failed else est.node_labels_)
    if truth.shape[1] > 1 and not failed:
        for k, accuracy in enumerate(node_recovery(truth, est.node_labels_).accuracies, 1):
            yield Figure("", f"all: factor {k}", accuracy)
    best = of.best_node_accuracy(truth, observed, case.shows) if case.shows else math.nan
    yield Figure("", "best possible: nodes", best)
    clusters = of.imputed_k_means(case, X, seed)
    of_k_means = matched_accuracy(of.cells(truth, case.row.sizes), clusters)
    yield Figure("", "mean imputation and k-means: cells", of_k_means)
    yield Figure("", "seconds", seconds)
    if rate:
        nodes = est if failed else est.node_labels_[complete]
        yield from accuracies("complete", case, truth[complete], nodes)
        alone = fitted_or_error(case, [array[complete] for array in X], seed)
        nodes = alone if isinstance(alone, Exception) else alone.node_labels_
        yield from accuracies("complete, fitted alone", case, truth[complete], nodes)


def elements(name: str, seed: int, rate: float = 0.1) -> Iterator[Figure]:
    """Fit data in which single elements are missing, and the same data as they were."""
    case = cases()[name]
    data = case.row.load(seed)
    whole = fitted_or_error(case, data.arrays, seed)
    holed = fitted_or_error(case, of.without_elements(data.arrays, rate, seed), seed)
    for part, est in {"nothing missing": whole, f"{rate:.0%} missing": holed}.items():
        nodes = est if isinstance(est, Exception) else est.node_labels_
        yield from accuracies(part, case, data.factors, nodes)


def curves(name: str, seed: int) -> Iterator[Figure]:
    """Reconstruct held-out curves from images alone, with a band."""
    case, parts, est = complete_fit(name, seed)
    (_, curves), (images, truth) = parts.train.arrays, parts.held_out.arrays
    train_images, new_images = of.one_modality(case, parts, 0)

    def error(means: np.ndarray) -> float:
        return float(np.sqrt(np.mean((truth - means) ** 2)))

    if hasattr(est, "reconstruct"):
        mean, std = est.reconstruct(
            [images, None],
            modality=est.modality_names_in_[1],
            return_std=True,
            include_noise=True,
        )
        inside = np.abs(truth - mean) <= of.HALF_WIDTH * std
        yield Figure("", "RMSE", error(mean))
        yield Figure("", "90 % band covers", inside.mean())
    else:
        yield Figure("", "RMSE", math.nan, "not available")
        yield Figure("", "90 % band covers", math.nan, "not available")
    near = KNeighborsRegressor(5).fit(train_images, curves).predict(new_images)
    yield Figure("", "kNN regression: RMSE", error(near))
    means = of.mean_curves(curves, *of.best_image_clusters(case, parts, seed))
    yield Figure("", "best clustering of images: RMSE", error(means))
    for what, factors in {"true factors in the image": case.shows[0], "true cells": None}.items():
        columns = list(range(len(case.row.sizes))) if factors is None else factors
        sizes = [case.row.sizes[column] for column in columns]
        labels = (of.cells(part.factors[:, columns], sizes) for part in parts)
        yield Figure("", f"{what}: RMSE", error(of.mean_curves(curves, *labels)))


def tasks(names: Sequence[str], seeds: Sequence[int], tables: Sequence[str]) -> Iterator[Task]:
    """List what there is to run; tables that share a fit follow each other."""
    of_complete_fits = {
        "agreement": ("digits and line", "mfeat", "mnist5k and line", "circles and curve"),
        "calibration": ("digits and line", "circles and curve"),
        "curves": ("lattices", "circles and curve"),
    }
    run = {"agreement": agreement, "calibration": calibration, "curves": curves}
    for name in names:
        for seed in seeds:
            for table, its_names in of_complete_fits.items():
                if table in tables and name in its_names:
                    yield Task(table, name, seed, functools.partial(run[table], name, seed))
            if "elements" in tables and name == "digits and line":
                yield Task("elements", name, seed, functools.partial(elements, name, seed))
            if "incomplete" not in tables or name == "mnist5k and line":
                continue
            for rate in RATES:
                part = functools.partial(incomplete, name, rate, seed)
                yield Task("incomplete", f"{name}, {rate:.0%} missing", seed, part)


TABLES = ("agreement", "calibration", "incomplete", "elements", "curves")


# --- files -----------------------------------------------------------------------------------


def in_words(error: Exception) -> str:
    """Return an error as one line."""
    return " ".join(f"{type(error).__name__}: {error}".split())


def figures_of(task: Task) -> list[Figure]:
    """Run a task; an error is a figure of its own."""
    try:
        return list(task.run())
    except Exception as error:
        traceback.print_exc()
        return [Figure("", "error", math.nan, in_words(error))]


def append_figures(path: Path, task: Task, figures: Sequence[Figure]) -> None:
    """Append the figures of a task at once, after a header if the file is new."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    if not path.exists():
        writer.writerow(FIELDS)
    for part, name, value, note in figures:
        writer.writerow([*task[:3], part, name, f"{value:.5f}", note])
    with path.open("a", newline="") as file:
        file.write(text.getvalue())


def read_lines(paths: Sequence[Path]) -> Tasks:
    """Return the figures of each task, of repeated ones the last.

    A line that was cut off, and the header in the middle of a file, say nothing.
    """
    found: dict[tuple[str, str, int], dict] = {}
    for path in paths:
        with path.open(newline="") as file:
            lines = [line for line in csv.DictReader(file) if line["note"] not in (None, "note")]
        for line in lines:
            figures = found.setdefault((line["table"], line["row"], int(line["seed"])), {})
            figures.pop(("", "error"), None)
            figures[line["part"], line["figure"]] = {**line, "value": float(line["value"])}
    return {key: list(figures.values()) for key, figures in found.items()}


def run_tasks(chosen: Sequence[Task], out: Path) -> None:
    """Run what a file does not hold yet."""
    for task in chosen:
        held = read_lines([out]) if out.exists() else {}
        if any(line["figure"] != "error" for line in held.get(task[:3], [])):
            continue
        figures = figures_of(task)
        append_figures(out, task, figures)
        words = [f"{part} {name}={value:.3f}{note}".strip() for part, name, value, note in figures]
        print(*task[:3], *words, sep="; ", flush=True)


# --- summary ---------------------------------------------------------------------------------


def cell(lines: Sequence[Mapping]) -> str:
    """Write the mean and the worst over seeds, and what went wrong."""
    values = [line["value"] for line in lines if not math.isnan(line["value"])]
    worst = max if any(word in lines[0]["figure"] for word in ERRORS) else min
    text = f"{np.mean(values):.3f} / {worst(values):.3f}" if values else ""
    notes = sorted({line["note"].split(":")[0] for line in lines if line["note"]})
    if notes:
        text += f" {', '.join(notes)} in {sum(bool(line['note']) for line in lines)}"
    return text.strip()


def table_cells(table: str, tasks: Tasks, chosen: Tasks) -> dict[tuple[str, str], dict[str, str]]:
    """Return the cells of a table by row and part, then by figure, of the chosen rows and seeds."""
    gathered: dict[tuple[str, str], dict[str, list]] = {}
    for key, lines in tasks.items():
        for line in lines if key[0] == table and key in chosen else []:
            of_row = gathered.setdefault((key[1], line["part"]), {})
            of_row.setdefault(line["figure"], []).append(line)
    return {
        key: {name: cell(lines) for name, lines in figures.items()}
        for key, figures in gathered.items()
    }


def markdown(table: str, these: Tasks, beside: Tasks) -> list[str]:
    """Return the lines of one table, figures of another commit and the same seeds in brackets."""
    found, others = table_cells(table, these, these), table_cells(table, beside, these)
    names = list(dict.fromkeys(name for figures in found.values() for name in figures))
    if not names:
        return []
    lines = [
        f"**{table}**",
        "",
        "| row | " + " | ".join(names) + " |",
        "|---" * (len(names) + 1) + "|",
    ]
    for key, figures in found.items():
        texts = []
        for name in names:
            other = others.get(key, {}).get(name)
            texts.append(figures.get(name, "") + (f" [{other}]" if other else ""))
        lines.append(f"| {': '.join(filter(None, key))} | " + " | ".join(texts) + " |")
    return [*lines, ""]


def summarise(paths: Sequence[Path], beside: Sequence[Path]) -> None:
    """Print all tables."""
    these, others = read_lines(paths), read_lines(beside)
    seeds = sorted({seed for _, _, seed in these})
    print(f"Mean / worst over seeds {', '.join(map(str, seeds))}.\n")
    for table in TABLES:
        for line in markdown(table, these, others):
            print(line)


def main() -> None:
    """Run tables, or print their summary."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", nargs="+", default=[""], help="names of rows, or parts of them")
    parser.add_argument("--seeds", type=parse_seeds, default="0-4", help="such as 0-4 or 1,4,7")
    parser.add_argument("--tables", nargs="+", choices=TABLES, default=TABLES)
    parser.add_argument("--out", type=Path, default=Path("missing_runs.csv"))
    parser.add_argument("--summarize", nargs="+", type=Path, metavar="CSV")
    parser.add_argument("--beside", nargs="+", type=Path, metavar="CSV", default=[])
    arguments = parser.parse_args()
    if arguments.summarize:
        summarise(arguments.summarize, arguments.beside)
        return
    names = [name for name in cases() if any(part in name for part in arguments.rows)]
    if not names:
        parser.error(f"no row has {arguments.rows} in its name; there are {list(cases())}")
    run_tasks(list(tasks(names, arguments.seeds, arguments.tables)), arguments.out)


if __name__ == "__main__":
    main()
