"""Alarms and notes of fits to few samples: how often, where a fit is right, and where it is wrong?

    python benchmarks/few_samples.py --half judging --seeds 0-4 --out few.csv
    python benchmarks/few_samples.py --summarize few.csv

Each case of ``few_samples_cases.py`` is fitted in 40 to 300 samples with default settings. What is
right is judged as in ``verdict.py``, by the nodes where they are supported as factors, else by the
cells; also with .9 in place of .95, since few samples have few labels. *asked* are fits of few
samples, of which it was looked at whether draws of the fit are found again. Printed are right fits
of right grids that are alarmed, wrong ones among those called fine, with Wilson intervals, and for
each code its rate on right and on wrong fits. Run with OMP_NUM_THREADS=1; four minutes for each
seed of both halves on an idle core.
"""

from __future__ import annotations

import argparse
import csv
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import node_rows
from few_samples_cases import FIRST_SEED, HALVES, FewCase
from verdict import grid_of, rightness, wilson

from skcausalpima import CausalPIMA
from skcausalpima._judge.alarms import CODES
from skcausalpima._judge.figures import unseparated

SOME_ERRORS = 0.9
FIELDS = (
    *("half", "case", "kind", "seed", "n_samples", "grid", "figure", "right", "nearly"),
    *("verdict", "asked", "codes", "seconds"),
)


def measured(case: FewCase, n_samples: int, seed: int) -> dict[str, object]:
    """Fit a case, and judge it."""
    data, start = case.load(seed, n_samples), time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        est = CausalPIMA(case.sizes, random_state=seed)
        est.fit(list(data.arrays) if len(data.arrays) > 1 else data.arrays[0])
    grid, report = grid_of(case, data), est.report()
    is_factors = not unseparated(report)
    figure, right = rightness(data, est.node_labels_, grid, is_factors)
    by_accuracy = grid == "other" or (grid == "right" and is_factors and len(case.sizes) > 1)
    return {
        "grid": grid,
        "figure": f"{figure:.3f}",
        "right": int(right),
        "nearly": int(figure >= SOME_ERRORS if by_accuracy else right),
        "verdict": report.verdict,
        "asked": int(est.found_again_ is not None),
        "codes": " ".join(one.code for one in report.alarms),
        "seconds": f"{time.process_time() - start:.2f}",
    }


def summarize(paths: Sequence[Path]) -> None:
    """Print what became of fits, by number of samples, and by code."""
    rows = [row for path in paths for row in csv.DictReader(path.open(newline=""))]
    halves = {half: [row for row in rows if row["half"] == half] for half in HALVES}
    for half, own in {**halves, "both": rows}.items():
        print(f"\n{half}: {len(own)} fits\n")
        print("| fits | all | alarmed of right ones | wrong of fine ones | with .9 |")
        print("|---|---|---|---|---|")
        numbers = sorted({row["n_samples"] for row in own}, key=int)
        kinds: dict[str, Callable[[dict], bool]] = {
            "all": lambda row: True,
            "asked": lambda row: row["asked"] == "1",
        }
        kinds |= {f"n = {n}": lambda row, n=n: row["n_samples"] == n for n in numbers}
        for name, is_of in kinds.items():
            some = [row for row in own if is_of(row)]
            right = [row for row in some if row["right"] == "1" and row["grid"] == "right"]
            fine = [row for row in some if row["verdict"] != "alarmed"]
            alarmed = sum(row["verdict"] == "alarmed" for row in right)
            wrong = [sum(row[by] == "0" for row in fine) for by in ("right", "nearly")]
            cells = [wilson(alarmed, len(right)), *(wilson(n, len(fine)) for n in wrong)]
            print(f"| {name} | {len(some)} | {' | '.join(cells)} |")
    print_codes(rows)


def print_codes(rows: Sequence[dict]) -> None:
    """Print the rate of each code on right and on wrong fits."""
    right, wrong = ([row for row in rows if row["right"] == r] for r in "10")
    print(f"\n| code | severity | {len(right)} right | {len(wrong)} wrong |\n|---|---|---|---|")
    for code, (_, category) in CODES.items():
        rates = [sum(code in row["codes"].split() for row in of) / len(of) for of in (right, wrong)]
        if any(rates):
            severity = "note" if category is None else "alarm"
            print(f"| {code} | {severity} | {rates[0]:.3f} | {rates[1]:.3f} |")


def main() -> None:
    """Fit one half, or print what was fitted."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--half", choices=HALVES, default="judging")
    parser.add_argument("--seeds", type=node_rows.parse_seeds, default="0-4", help="of each case")
    parser.add_argument("--cases", nargs="+", default=[""], help="parts of names")
    parser.add_argument("--out", type=Path, default=Path("few_samples.csv"))
    parser.add_argument("--summarize", nargs="+", type=Path, metavar="CSV")
    arguments = parser.parse_args()
    if arguments.summarize:
        summarize(arguments.summarize)
        return
    cases = HALVES[arguments.half]().items()
    chosen = {name: case for name, case in cases if any(part in name for part in arguments.cases)}
    for seed in arguments.seeds:
        for name, case in chosen.items():
            for number in case.numbers:
                found = measured(case, number, FIRST_SEED[arguments.half] + seed)
                row = {"half": arguments.half, "case": name, "kind": case.kind, "seed": seed}
                row |= {"n_samples": number} | found
                node_rows.append_lines(arguments.out, FIELDS, [row])


if __name__ == "__main__":
    main()
