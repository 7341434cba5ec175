"""``goodness_of_fit``: how often it alarms where nothing is wrong, and what it finds where it is.

Run with OMP_NUM_THREADS=1.

    python benchmarks/goodness_of_fit.py --cases right wrong --fits 20 --seed 1 --out fit.jsonl
    python benchmarks/goodness_of_fit.py --cases nodes --fits 1 --out nodes.jsonl
    python benchmarks/goodness_of_fit.py --summarize fit.jsonl nodes.jsonl

The first appends a line for each case and seed, and skips what the file holds already. Samples are
as many new ones as trained; with ``--seen`` those that trained, by clones of halves. Rows of
``nodes.py`` are fitted to a half of their samples (2000 at most), and asked of the other; those of
real data need the folder that SKCAUSALPIMA_DATA names.
"""

from __future__ import annotations

import argparse
import json
import time
import traceback
import warnings
from collections import defaultdict
from pathlib import Path

import numpy as np
from goodness_of_fit_cases import Case, cases
from node_rows import rows

from skcausalpima import CausalPIMA
from skcausalpima.inspection import GoodnessOfFit, goodness_of_fit

MOST_ROWS = 2000


def asked(est: CausalPIMA, X, seen: bool, n_replicates: int, metadata=None) -> GoodnessOfFit:
    """Return what is found."""
    options = {"metadata": metadata, "seen": seen, "n_replicates": n_replicates}
    return goodness_of_fit(est, X, **options)


def of_case(name: str, case: Case, seed: int, seen: bool, n_replicates: int) -> dict:
    """Fit a case, and ask."""
    n = case.n_samples[seed % len(case.n_samples)]
    rng = np.random.default_rng([seed, sum(map(ord, name))])
    X, metadata = case.draw(n, rng)
    new, of_new = case.draw(n, rng)
    start = time.perf_counter()
    est = CausalPIMA(case.sizes, random_state=seed, **case.parameters).fit(X)
    seconds, start = time.perf_counter() - start, time.perf_counter()
    about = (X, True, n_replicates, metadata) if seen else (new, False, n_replicates, of_new)
    return record(asked(est, *about), n, seconds, time.perf_counter() - start)


def of_row(name: str, seed: int, n_replicates: int) -> dict:
    """Fit a half of a row of ``nodes.py``, and ask about the other."""
    row = rows()[name]
    data = row.load(seed)
    order = np.random.RandomState(seed).permutation(len(data.factors))[:MOST_ROWS]
    halves = [[array[rows] for array in data.arrays] for rows in (order[::2], order[1::2])]
    fitted, other = (half if len(half) > 1 else half[0] for half in halves)
    start = time.perf_counter()
    est = CausalPIMA(row.sizes, random_state=seed, **row.parameters).fit(fitted)
    seconds, start = time.perf_counter() - start, time.perf_counter()
    found = asked(est, other, False, n_replicates)
    return record(found, len(order) // 2, seconds, time.perf_counter() - start)


def record(found: GoodnessOfFit, n: int, fit: float, test: float) -> dict:
    """Return the figures of what is found."""
    lines = {
        line.name: {
            "p": line.p_value,
            "size": line.size,
            "where": line.where,
            "speaks": line.speaks,
        }
        for line in found.lines
    }
    lines["any"] = {"p": found.p_value, "where": found.worst and found.worst.name}
    return {"n": n, "fit": fit, "test": test, "lines": lines}


def read(paths: list[Path]) -> list[dict]:
    """Return all lines of files."""
    return [json.loads(line) for path in paths if path.exists() for line in path.open()]


def summarize(lines: list[dict]) -> None:
    """Print shares of p <= .05 by case and line, and pooled over right models.

    A line is told where all together are below .05, and its size matters.
    """
    known, by_case, pooled = cases(), defaultdict(list), defaultdict(list)
    for line in lines:
        by_case[line["case"]].append(line)
    for name, of_case in by_case.items():
        parts, target = [], known[name].line if name in known else None
        for word in dict.fromkeys(word for line in of_case for word in line["lines"]):
            entries = [line["lines"][word] for line in of_case if word in line["lines"]]
            low = [entry["p"] <= 0.05 for entry in entries]
            if target == "":
                pooled[word.split(":")[0]] += low
                if word == "any":
                    pooled["a line that is told"] += [
                        entry["where"] is not None for entry in entries
                    ]
            sizes = [entry["size"] for entry in entries if "size" in entry]
            size = f" (size {np.median(sizes):.2f})" if sizes and target != "" else ""
            speaks = [entry["speaks"] for entry in entries if "speaks" in entry]
            size += f" speaks {np.mean(speaks):.2f}" if speaks else ""
            mark = "*" if target and word == target else ""
            parts.append(f"{mark}{word} {np.mean(low):.2f}{size}")
        print(f"{name} ({len(of_case)}): {'; '.join(parts)}")
    for word, low in pooled.items():
        print(f"right models, {word}: {np.mean(low):.3f} of {len(low)}")


def main() -> None:
    """Run what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", nargs="+", default=["right"], help="right, wrong, nodes, names")
    parser.add_argument("--fits", type=int, default=2, help="of each case")
    parser.add_argument("--seed", type=int, default=0, help="the first")
    parser.add_argument("--replicates", type=int, default=199)
    parser.add_argument("--seen", action="store_true")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--summarize", type=Path, nargs="+")
    options = parser.parse_args()
    if options.summarize:
        summarize(read(options.summarize))
        return
    known, asked_for = cases(), set(options.cases)
    kinds = {name: "wrong" if case.line else "right" for name, case in known.items()}
    names = [name for name, kind in kinds.items() if {name, kind} & asked_for]
    names += [name for name in rows() if {name, "nodes"} & asked_for]
    lines = read([options.out] if options.out else [])
    done = {(line["case"], line["seed"]) for line in lines}
    for seed in range(options.seed, options.seed + options.fits):
        for name in names:
            if (name, seed) in done:
                continue
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    if name in known:
                        found = of_case(name, known[name], seed, options.seen, options.replicates)
                    else:
                        found = of_row(name, seed, options.replicates)
            except ValueError:
                traceback.print_exc()
                continue
            line = {"case": name, "seed": seed, **found}
            lines.append(line)
            print(json.dumps(line), flush=True)
            if options.out:
                with options.out.open("a") as file:
                    file.write(json.dumps(line) + "\n")
    summarize(lines)


if __name__ == "__main__":
    main()
