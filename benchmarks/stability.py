"""Does a fit know whether another seed would find the same cells?

    OMP_NUM_THREADS=1 python benchmarks/stability.py --set choosing --out stability.csv
    python benchmarks/stability.py --summarize stability.csv

Each case of ``stability_cases.py`` is fitted with default settings by five values of
``random_state``. The truth is the median adjusted Rand index over all pairs of these fits: below .8
the case is unstable. The sign is ``stability_.unstable`` of each single fit, with which it has to
agree. The first call appends a line per case and skips what the file holds already; the second
prints the table and the rates. Cases whose truth lies within .05 of the line count, and are also
told apart. Real data need the folder that SKCAUSALPIMA_DATA names. About 10 minutes on one core.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import os
import time
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from node_rows import append_lines
from sklearn.metrics import adjusted_rand_score
from stability_cases import SETS, Case

from skcausalpima import CausalPIMA

N_FITS = 5
LINE = 0.8  # below it seeds do not agree
CLOSE = 0.05
BASE = {"choosing": 100, "judging": 200}  # seeds of the data
FIELDS = ("case", "n", "cells", "filled", "truth", "signs", "flags", "seconds")


def run(case: Case, seed: int) -> dict[str, object]:
    """Fit one case and compare."""
    X = list(case.load(seed))
    X = X if len(X) > 1 else X[0]
    start, fits = time.perf_counter(), []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for number in range(N_FITS):
            fits.append(CausalPIMA(case.sizes, random_state=1000 * seed + number).fit(X))
    labels = [est.labels_ for est in fits]
    indices = [adjusted_rand_score(*pair) for pair in itertools.combinations(labels, 2)]
    return {
        "n": len(labels[0]),
        "cells": len(fits[0].weights_),
        "filled": " ".join(str(len(np.unique(found))) for found in labels),
        "truth": f"{np.median(indices):.3f}",
        "signs": " ".join(written(est.stability_.agreement) for est in fits),
        "flags": sum(est.stability_.unstable for est in fits),
        "seconds": f"{(time.perf_counter() - start) / N_FITS:.1f}",
    }


def written(agreement: float | None) -> str:
    """Write the sign of a fit; a dash where all samples lie in one cell."""
    return "-" if agreement is None else f"{agreement:.3f}"


def read(path: Path) -> list[dict[str, str]]:
    """Return the lines of the file."""
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def rate(rows: Sequence[dict[str, str]]) -> str:
    """Write how many fits are flagged."""
    if not rows:
        return "none"
    n_fits = sum(int(row["flags"]) for row in rows)
    return f"{n_fits} of {N_FITS * len(rows)} fits, {n_fits / (N_FITS * len(rows)):.0%}"


def summarize(rows: Sequence[dict[str, str]]) -> list[str]:
    """Return the table and the rates."""
    lines = [f"{'case':32s} {'n':>4s} {'cells':>5s} filled in each      truth  signs"]
    for row in sorted(rows, key=lambda row: float(row["truth"])):
        mark = "~" if abs(float(row["truth"]) - LINE) < CLOSE else " "
        lines.append(
            f"{row['case']:32s} {row['n']:>4s} {row['cells']:>5s} {row['filled']:18s} "
            f"{row['truth']:>5s}{mark} {row['signs']}  flagged {row['flags']}"
        )
    unstable = [row for row in rows if float(row["truth"]) < LINE]
    stable = [row for row in rows if float(row["truth"]) >= LINE]
    near = [row for row in rows if abs(float(row["truth"]) - LINE) < CLOSE]
    clear = [row for row in rows if row not in near]
    return [
        *lines,
        f"unstable, flagged: {rate(unstable)}",
        f"stable, flagged: {rate(stable)}",
        f"without those near the line ({len(near)}), unstable, flagged: "
        f"{rate([row for row in unstable if row in clear])}",
        f"without those near the line, stable, flagged: "
        f"{rate([row for row in stable if row in clear])}",
    ]


def main() -> None:
    """Run the cases, or print what they gave."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--set", choices=SETS, default="choosing")
    parser.add_argument("--cases", nargs="+", default=[""], help="parts of names")
    parser.add_argument("--base", type=int, help="seed of the first case's data")
    parser.add_argument("--out", type=Path, default=Path("stability.csv"))
    parser.add_argument("--summarize", nargs="+", type=Path)
    arguments = parser.parse_args()
    if arguments.summarize:
        rows = [row for path in arguments.summarize for row in read(path)]
        print("\n".join(summarize(rows)))
        return
    base = BASE[arguments.set] if arguments.base is None else arguments.base
    for number, (name, case) in enumerate(SETS[arguments.set]().items()):
        is_asked = any(part in name for part in arguments.cases)
        if not is_asked or name in {row["case"] for row in read(arguments.out)}:
            continue
        if case.stored and "SKCAUSALPIMA_DATA" not in os.environ:
            continue
        row = {"case": name} | run(case, base + number)
        append_lines(arguments.out, FIELDS, [row])
        print(row, flush=True)


if __name__ == "__main__":
    main()
