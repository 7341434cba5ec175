"""Is a fit that the report calls fine right, and is a right one called fine?

    python benchmarks/verdict.py --half judging --seeds 0-4 --out verdict.csv
    python benchmarks/verdict.py --summarize verdict.csv

Each case of ``verdict_cases.py`` is fitted with default settings, data and fit by one seed. A
report has one of three words, *told*, *not told* and *alarmed*; *fine* are the first two. *Right*,
if told: of the grid that the data have, a mean node accuracy of .95 (one node: adjusted Rand index
.85); of another grid, every node has two outcomes above 1 % and is a function of the true cells in
.95 of the samples; of kinds, never. If not told, the cells count, as one node: adjusted Rand index
.85, or of another grid a function of the true ones. Where there are no clusters, never. Printed are
the shares of wrong fits among those told, and among those called fine, and of alarmed ones among
right fits of right grids, with Wilson intervals, and a line per kind. Real data need the folder
that SKCAUSALPIMA_DATA names. Run with OMP_NUM_THREADS=1; about ten minutes for each half.
"""

from __future__ import annotations

import argparse
import csv
import time
import warnings
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import node_rows
import numpy as np
from sklearn.metrics import adjusted_rand_score
from sklearn.metrics.cluster import contingency_matrix
from verdict_cases import FIRST_SEED, HALVES, KINDS, Case, Drawn

from skcausalpima import CausalPIMA
from skcausalpima.metrics import node_recovery

ACCURATE, SAME_CLUSTERS, SOME = 0.95, 0.85, 0.01
FIELDS = (
    *("half", "case", "kind", "seed", "grid", "word", "figure", "right", "fine", "warned"),
    "advice",
    "seconds",
)


def grid_of(case: Case, data: Drawn) -> str:
    """Return whether the grid that is asked for is that of the data."""
    if data.factors is None:
        return "none"
    if case.kind == KINDS:
        return "kinds"
    own = sorted(len(np.unique(column)) for column in data.factors.T)
    return "right" if own == sorted(case.sizes) else "other"


def rightness(data: Drawn, nodes: np.ndarray, grid: str, is_told: bool) -> tuple[float, bool]:
    """Return a figure of merit, and whether a fit is right."""
    if grid == "none" or (grid == "kinds" and is_told):
        return 0.0, False
    if not is_told:
        nodes = np.unique(nodes, axis=0, return_inverse=True)[1].reshape(-1, 1)
    if grid == "kinds" or (grid == "right" and not is_told):
        cells = np.unique(data.factors, axis=0, return_inverse=True)[1].ravel()
        figure = adjusted_rand_score(cells, nodes[:, 0])
        return figure, figure >= SAME_CLUSTERS
    if grid == "right" and nodes.shape[1] == 1:
        figure = adjusted_rand_score(data.factors[:, 0], nodes[:, 0])
        return figure, figure >= SAME_CLUSTERS
    if grid == "right":
        figure = node_recovery(data.factors, nodes).accuracies.mean()
        return figure, figure >= ACCURATE
    cells = np.unique(data.factors, axis=0, return_inverse=True)[1].ravel()
    figures = []
    for column in nodes.T:
        has_two = (np.unique(column, return_counts=True)[1] > SOME * len(column)).sum() >= 2
        counts = contingency_matrix(cells, column)
        figures.append(counts.max(axis=1).sum() / len(column) * has_two)
    return min(figures), min(figures) >= ACCURATE


def judged(case: Case, seed: int) -> dict[str, object]:
    """Fit a case and judge it."""
    data = case.load(seed)
    arrays = [np.asarray(array) for array in data.arrays]
    start = time.process_time()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        est = CausalPIMA(case.sizes, random_state=seed)
        est.fit(arrays if len(arrays) > 1 else arrays[0])
    grid = grid_of(case, data)
    report = est.report()
    word = report.verdict
    # an alarmed fit is asked for what it was before there were three words
    figure, right = rightness(data, est.node_labels_, grid, word != "not told")
    return {
        "grid": grid,
        "word": word,
        "figure": f"{figure:.3f}",
        "right": int(right),
        "fine": int(word != "alarmed"),
        "warned": " ".join(sorted({warning.category.__name__ for warning in caught})),
        "advice": " ".join(one.code for one in report.alarms),
        "seconds": f"{time.process_time() - start:.1f}",
    }


def wilson(n_some: int, n_all: int) -> str:
    """Return a share with its Wilson interval (95 %)."""
    if n_all == 0:
        return "none"
    z, p = 1.96, n_some / n_all
    middle = (p + z**2 / (2 * n_all)) / (1 + z**2 / n_all)
    half = z * np.sqrt(p * (1 - p) / n_all + z**2 / (4 * n_all**2)) / (1 + z**2 / n_all)
    return f"{n_some} of {n_all}, {p:.2f} ({max(0, middle - half):.2f}-{middle + half:.2f})"


def summarize(paths: Sequence[Path]) -> None:
    """Print both shares, and a line per kind."""
    rows = [row for path in paths for row in csv.DictReader(path.open(newline=""))]
    for half in dict.fromkeys(row["half"] for row in rows):
        own = [row for row in rows if row["half"] == half]
        fine = [row for row in own if row["fine"] == "1"]
        right = [row for row in own if row["right"] == "1" and row["grid"] == "right"]
        told = [row for row in own if row["word"] == "told"]
        wrong_told, wrong_fine = (sum(row["right"] == "0" for row in of) for of in (told, fine))
        alarmed = sum(row["fine"] == "0" for row in right)
        print(f"\n{half}: {len(own)} fits")
        print(f"wrong among those told: {wilson(wrong_told, len(told))}")
        print(f"wrong among those called fine: {wilson(wrong_fine, len(fine))}")
        print(f"alarmed among right ones of right grids: {wilson(alarmed, len(right))}")
        print("\n| kind | fits | told | right | of these alarmed | wrong | of these fine |")
        print("|---|---|---|---|---|---|---|")
        for kind in dict.fromkeys(row["kind"] for row in own):
            counts = Counter((row["right"], row["fine"]) for row in own if row["kind"] == kind)
            n_right, n_wrong = (counts[w, "0"] + counts[w, "1"] for w in "10")
            n_told = sum(row["kind"] == kind for row in told)
            figures = (n_told, n_right, counts["1", "0"], n_wrong, counts["0", "1"])
            figures = (sum(counts.values()), *figures)
            print(f"| {kind} | {' | '.join(map(str, figures))} |")


def main() -> None:
    """Fit one half, or print what was fitted."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--half", choices=HALVES, default="judging")
    parser.add_argument("--seeds", type=node_rows.parse_seeds, default="0-4", help="of each case")
    parser.add_argument("--cases", nargs="+", help="some cases by name; by default all")
    parser.add_argument("--out", type=Path, default=Path("verdict.csv"))
    parser.add_argument("--summarize", nargs="+", type=Path, metavar="CSV")
    arguments = parser.parse_args()
    if arguments.summarize:
        summarize(arguments.summarize)
        return
    cases = HALVES[arguments.half]()
    for name in arguments.cases or cases:
        for seed in arguments.seeds:
            found = judged(cases[name], FIRST_SEED[arguments.half] + seed)
            row = {"half": arguments.half, "case": name, "kind": cases[name].kind, "seed": seed}
            node_rows.append_lines(arguments.out, FIELDS, [row | found])


if __name__ == "__main__":
    main()
