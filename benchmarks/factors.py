"""Are kinds told from factors? Default fits of kinds, of grids that are there, and random nodes.

    python benchmarks/factors.py kinds --half judging --numbers 0-599 --out kinds.csv
    python benchmarks/factors.py grids --seeds 0-9 --out grids.csv
    python benchmarks/factors.py means --out means.csv
    python benchmarks/factors.py nodes --out nodes.csv
    python benchmarks/factors.py cost
    python benchmarks/factors.py --summarize kinds.csv grids.csv means.csv nodes.csv

``kinds`` are fits of kinds of a sort, cells, samples and shares drawn at random, asked for a grid;
``choosing`` and ``judging`` have other seeds, and rules were chosen on the former. ``grids`` are
fits of data with factors: sums, cells of few samples, idle nodes, and the generators of the
package. ``means`` asks the test alone, of true cells, with 20 columns of noise and without.
``nodes`` gives true cells a node more, whose outcomes are drawn at random: its p-values are to be
no smaller than uniform ones. ``cost`` is the time of the test over that of a default fit. *Told*:
all nodes; *fine*: no warning, and no advice but that nodes are not told. Run with
OMP_NUM_THREADS=1; 600 kinds take about a quarter of an hour on one core.
"""

from __future__ import annotations

import argparse
import csv
import math
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from factors_cases import GRIDS, GRIDS_AFTER_ALL, IMAGES, MEANS, OTHERS, SUMS, Drawn, kinds, sums
from node_rows import append_lines, parse_seeds
from sklearn.metrics import adjusted_rand_score
from verdict import wilson

from skcausalpima import CausalPIMA
from skcausalpima._clustering import factors_or_kinds
from skcausalpima._clustering.arrangement import arrange
from skcausalpima._clustering.factors_or_kinds import additivity

FIRST_SEED = {"choosing": 1000, "judging": 50_000}
N_MEANS, N_RANDOM = 100, 400
FIELDS = ("part", "case", "seed", "grid", "samples", "told", "fine", "cells", "p", "node_p")
Row = dict[str, object]


def fitted(part: str, case: str, seed: int, data: Drawn) -> Row:
    """Fit with default settings, and say what is told."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        est = CausalPIMA(data.sizes, random_state=seed).fit(data.X)
    found = est.arrangement_
    asked = found.p_value is not None
    return {
        "part": part,
        "case": case,
        "seed": seed,
        "grid": data.sizes,
        "samples": len(data.cells),
        "told": "".join(str(int(of)) for of in found.told) if asked else "-",
        "fine": int(not caught and est.report().verdict != "alarmed"),
        "cells": f"{adjusted_rand_score(data.cells, est.labels_):.3f}",
        "p": f"{found.p_value:.3f}" if asked else "-",
        "node_p": " ".join(f"{of:.3f}" for of in found.node_p_values) if asked else "-",
    }


def of_kinds(half: str, numbers: list[int]) -> Iterator[Row]:
    """Fit kinds; sorts take turns, and those whose means are sums at last are apart."""
    sorts = [*MEANS, *GRIDS_AFTER_ALL]
    for number in numbers:
        sort, seed = sorts[number % len(sorts)], FIRST_SEED[half] + number
        part = "grids after all" if sort in GRIDS_AFTER_ALL else f"kinds, {half}"
        yield fitted(part, sort, seed, kinds(sort, seed))


def of_grids(seeds: list[int], cases: list[str] | None) -> Iterator[Row]:
    """Fit grids that are there."""
    parts = {"sums": SUMS, "others": OTHERS, "images": IMAGES}
    for part, draws in parts.items():
        for case, draw in draws.items():
            for seed in seeds if cases is None or case in cases else ():
                yield fitted(part, case, seed, draw(FIRST_SEED["judging"] + seed))


def asked(part: str, case: str, seed: int, means: np.ndarray, sizes: tuple[int, ...]) -> Row:
    """Ask the test alone: 500 samples around means, laid on the grid as well as they go."""
    rng = np.random.default_rng([seed, 1])
    labels = rng.permutation(np.arange(500) % len(means))
    points = means[labels] + rng.normal(size=(500, means.shape[1]))
    observed = np.array([points[labels == k].mean(axis=0) for k in range(len(means))])
    cells = arrange(observed, np.bincount(labels), sizes, random_state=0).cells
    found = additivity(points, cells[labels], sizes)
    return {
        "part": part,
        "case": case,
        "seed": seed,
        "grid": sizes,
        "samples": 500,
        "told": "".join(str(int(of)) for of in found.told),
        "fine": 1,
        "cells": 1.0,
        "p": f"{found.p_value:.3f}",
        "node_p": " ".join(f"{of:.3f}" for of in found.node_p_values),
    }


def of_means(numbers: list[int]) -> Iterator[Row]:
    """Ask the test of true cells."""
    grids = {(2, 2): 4, (2, 3): 6, (2, 2, 2): 8, (3, 3): 9, (2, 2, 3): 12}
    for (sizes, n_cells), n_noise in ((grid, n) for grid in grids.items() for n in (0, 20)):
        for sort, draw in (MEANS | GRIDS_AFTER_ALL | {"sums": None}).items():
            for number in numbers if "table" not in sort and "of 22" not in sort else ():
                rng = np.random.default_rng([number, n_cells, sum(map(ord, sort))])
                means = _sums(rng, sizes) if draw is None else draw(rng, n_cells)
                far = np.linalg.norm(means[:, None] - means, axis=2) + np.diag([np.inf] * n_cells)
                means = np.pad(means * 5 / np.median(far.min(axis=1)), ((0, 0), (0, n_noise)))
                yield asked(f"means, {n_noise} columns of noise", sort, number, means, sizes)


def _sums(rng: np.random.Generator, sizes: tuple[int, ...]) -> np.ndarray:
    """Draw sums of effects of about one length."""
    outcomes = np.unravel_index(np.arange(math.prod(sizes)), sizes)
    effects = [rng.normal(size=(size, 12)) for size in sizes]
    return np.sum([of[column] for of, column in zip(effects, outcomes, strict=True)], axis=0)


def of_nodes(numbers: list[int]) -> Iterator[Row]:
    """Ask of true cells, and of a node that has nothing to do with the data."""
    for sizes in ((2,), (3,), (2, 2)):
        for number in numbers:
            data = sums(number, sizes, asked=(*sizes, 2))
            rng = np.random.default_rng([number, 9, 9])
            nodes = np.column_stack([data.factors, rng.integers(2, size=len(data.factors))])
            labels = np.ravel_multi_index(nodes.T, data.sizes)
            found = additivity(data.X, labels, data.sizes)
            yield {
                "part": "a random node",
                "case": f"{sizes} and one more",
                "seed": number,
                "grid": data.sizes,
                "samples": len(labels),
                "told": str(int(found.told[-1])),
                "fine": 1,
                "cells": 1.0,
                "p": f"{found.p_value:.3f}",
                "node_p": f"{found.node_p_values[-1]:.3f}",
            }


def print_cost(n_samples: int = 1000) -> None:
    """Print the time of the test over that of a default fit."""
    spent: list[float] = []

    def timed(*of: object) -> object:
        start = time.perf_counter()
        found = additivity(*of)
        spent.append(time.perf_counter() - start)
        return found

    from skcausalpima._fit import stability

    stability.additivity = timed
    print("| grid | test / s | fit / s | share |\n|---|---|---|---|")
    for sizes in ((2, 2), (2, 3), (2, 2, 2), (3, 3), (2, 2, 3), (2, 2, 2, 2), (3, 3, 3)):
        data, ratios = sums(0, sizes, n_samples, width=16), []
        for seed in range(3):
            start = time.perf_counter()
            CausalPIMA(sizes, random_state=seed).fit(data.X)
            ratios.append((spent[-1], time.perf_counter() - start))
        test, whole = np.median(ratios, axis=0)
        print(f"| {sizes} | {test:.3f} | {whole:.2f} | {100 * test / whole:.1f} % |", flush=True)


def summarize(paths: list[Path]) -> None:
    """Print a line per case, and each part together."""
    rows = [row for path in paths for row in csv.DictReader(path.open(newline=""))]
    for part in dict.fromkeys(row["part"] for row in rows):
        own = [row for row in rows if row["part"] == part]
        print(f"\n### {part}\n\n| case | fits | told | nodes told | fine | told and fine | cells |")
        print("|---|---|---|---|---|---|---|")
        for case in [*dict.fromkeys(row["case"] for row in own), "all"]:
            here = [row for row in own if case in (row["case"], "all")]
            told = np.array(["0" not in row["told"] and row["told"] != "-" for row in here])
            nodes = np.mean([np.mean([of == "1" for of in row["told"]]) for row in here])
            fine = np.array([row["fine"] == "1" for row in here])
            cells = np.mean([float(row["cells"]) for row in here])
            figures = f"{told.mean():.2f} | {nodes:.2f} | {fine.mean():.2f} | "
            print(f"| {case} | {len(here)} | {figures}{(told & fine).mean():.2f} | {cells:.2f} |")
        told = sum("0" not in row["told"] and row["told"] != "-" for row in own)
        print(f"\ntold: {wilson(told, len(own))}")
        if part == "a random node":
            p_values = np.array([float(row["node_p"]) for row in own])
            shares = ", ".join(f"{(p_values <= of).mean():.3f} at {of}" for of in (0.05, 0.2, 0.5))
            print(f"p-values of the random node: {shares}")
    print(f"\n{factors_or_kinds.__name__}; grids by cells: {GRIDS}")


def main() -> None:
    """Run a part, or print what was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("part", nargs="?", choices=("kinds", "grids", "means", "nodes", "cost"))
    parser.add_argument("--half", choices=tuple(FIRST_SEED), default="judging")
    parser.add_argument("--numbers", type=parse_seeds, help="of draws, as 0-599")
    parser.add_argument("--seeds", type=parse_seeds, default="0-9", help="of each grid")
    parser.add_argument("--cases", nargs="+", help="some grids by name; by default all")
    parser.add_argument("--out", type=Path, default=Path("factors.csv"))
    parser.add_argument("--summarize", nargs="+", type=Path, metavar="CSV")
    arguments = parser.parse_args()
    if arguments.summarize:
        summarize(arguments.summarize)
    elif arguments.part == "cost":
        print_cost()
    elif arguments.part is not None:
        rows = {
            "kinds": lambda: of_kinds(arguments.half, arguments.numbers or list(range(600))),
            "grids": lambda: of_grids(arguments.seeds, arguments.cases),
            "means": lambda: of_means(arguments.numbers or list(range(N_MEANS))),
            "nodes": lambda: of_nodes(arguments.numbers or list(range(N_RANDOM))),
        }
        for row in rows[arguments.part]():
            append_lines(arguments.out, FIELDS, [row])


if __name__ == "__main__":
    main()
