"""Do few samples say that they are few? Fits that are called fine and are wrong, before and after.

    python benchmarks/few_samples.py --half judging --seeds 0-4 --out few.csv
    python benchmarks/few_samples.py --summarize few.csv

Each case of ``few_samples_cases.py`` is fitted in 40 to 300 samples with default settings, twice:
without the question whether draws of the fit are found again (*before*), and with it (*after*).
The words are those of ``verdict.py``, and what is right is judged by the first fit, as there; also
with .9 in place of .95, since few samples have few labels. Printed, by number of samples: wrong
fits among those called fine, right ones of right grids that are called fine, what the question
takes, and for each alarm of before how many right and wrong fits it is raised for whose draws were
found again, or not. Run with OMP_NUM_THREADS=1; about ten minutes for each half.
"""

from __future__ import annotations

import argparse
import csv
import time
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import node_rows
from few_samples_cases import FIRST_SEED, HALVES, FewCase
from verdict import grid_of, rightness, wilson

from skcausalpima import CausalPIMA
from skcausalpima._fit import few_samples

SOME_ERRORS = 0.9
FIELDS = (
    *("half", "case", "kind", "seed", "n_samples", "grid", "figure", "right", "nearly"),
    *("before", "after", "found", "least", "enough", "advice", "seconds", "more_seconds"),
)


@contextmanager
def unasked() -> Iterator[None]:
    """Make fits that do not ask whether samples are enough."""
    limit, few_samples.FEW_SAMPLES = few_samples.FEW_SAMPLES, 0
    try:
        yield
    finally:
        few_samples.FEW_SAMPLES = limit


def fitted(case: FewCase, arrays: Sequence, seed: int) -> tuple[CausalPIMA, str, float]:
    """Fit; return the estimator, the word of its report, and the seconds of the fit."""
    start = time.process_time()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        est = CausalPIMA(case.sizes, random_state=seed)
        est.fit(list(arrays) if len(arrays) > 1 else arrays[0])
    seconds = time.process_time() - start
    return est, "alarmed" if caught else est.report().verdict, seconds


def measured(case: FewCase, n_samples: int, seed: int) -> dict[str, object]:
    """Fit a case twice, and judge it."""
    data = case.load(seed, n_samples)
    asked, after, all_seconds = fitted(case, data.arrays, seed)
    again = asked.found_again_
    est, before, seconds = asked, after, all_seconds
    if again is not None:
        with unasked():
            est, before, seconds = fitted(case, data.arrays, seed)
    grid, report = grid_of(case, data), est.report()
    is_told = not report._untold
    figure, right = rightness(data, est.node_labels_, grid, is_told)
    by_accuracy = grid == "other" or (grid == "right" and is_told and len(case.sizes) > 1)
    return {
        "grid": grid,
        "figure": f"{figure:.3f}",
        "right": int(right),
        "nearly": int(figure >= SOME_ERRORS if by_accuracy else right),
        "before": before,
        "after": after,
        "found": "" if again is None else int(again.found),
        "least": "" if again is None else f"{again.agreement.min():.2f}",
        "enough": "" if again is None else again.enough_samples or "",
        "advice": " | ".join(" ".join(sentence.split()[:5]) for sentence in report.advice),
        "seconds": f"{seconds:.2f}",
        "more_seconds": f"{all_seconds - seconds:.2f}",
    }


def summarize(paths: Sequence[Path]) -> None:
    """Print what became of fits, by number of samples and by kind."""
    rows = [row for path in paths for row in csv.DictReader(path.open(newline=""))]
    for half in dict.fromkeys(row["half"] for row in rows):
        of_half = [row for row in rows if row["half"] == half]
        print(f"\n{half}: {len(of_half)} fits")
        for right in ("right", "nearly"):
            print_by_number(of_half, right)
        print(
            "\n| kind | fits | wrong, called fine: before | after | right | fine: before | after |"
        )
        print("|---|---|---|---|---|---|---|")
        for kind in dict.fromkeys(row["kind"] for row in of_half):
            few = [row for row in of_half if row["kind"] == kind and row["found"]]
            figures = [len(few), *counts(few, "0"), sum(row["right"] == "1" for row in few)]
            print(f"| {kind} | {' | '.join(map(str, [*figures, *counts(few, '1')]))} |")
        print_alarms([row for row in of_half if row["found"]])


def counts(rows: Sequence[dict], right: str) -> list[int]:
    """Count fits that are right, or not, and called fine before, and after."""
    own = [row for row in rows if row["right"] == right]
    return [sum(row[when] != "alarmed" for row in own) for when in ("before", "after")]


def print_by_number(rows: Sequence[dict], right: str) -> None:
    """Print both shares before and after, and seconds, by number of samples."""
    print(f"\n{right}\n")
    print(
        "| samples | fits | wrong among fine: before | after | fine among right: before | after |"
    )
    print("|---|---|---|---|---|---|")
    for number in sorted({int(row["n_samples"]) for row in rows}):
        own = [row for row in rows if int(row["n_samples"]) == number]
        words = [str(number), str(len(own))]
        for when in ("before", "after"):
            fine = [row for row in own if row[when] != "alarmed"]
            words.append(wilson(sum(row[right] == "0" for row in fine), len(fine)))
        of_grid = [row for row in own if row[right] == "1" and row["grid"] == "right"]
        for when in ("before", "after"):
            words.append(wilson(sum(row[when] != "alarmed" for row in of_grid), len(of_grid)))
        print(f"| {' | '.join(words)} |")
    few = [float(row["more_seconds"]) for row in rows if row["found"]]
    if few:
        print(f"\nseconds more: mean {sum(few) / len(few):.2f}, most {max(few):.2f}")


def print_alarms(rows: Sequence[dict]) -> None:
    """Print for each alarm of before how many fits have it, by what became of them."""
    table: Counter[tuple[str, str, str]] = Counter()
    for row in rows:
        alarms = row["advice"].split(" | ") if row["before"] == "alarmed" else ["no alarm"]
        for alarm in alarms:
            table["".join(c for c in alarm if not c.isdigit()), row["right"], row["found"]] += 1
    print("\n| alarm of before | right, found | right, not | wrong, found | wrong, not |")
    print("|---|---|---|---|---|")
    for alarm in sorted({key[0] for key in table}):
        figures = [table[alarm, right, found] for right in "10" for found in "10"]
        print(f"| {alarm} | {' | '.join(map(str, figures))} |")


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
