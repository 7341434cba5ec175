"""Twelve whole reports, to be read: do lines contradict each other, or mislead?

    python benchmarks/reports.py --out reports.txt

Tables of 1, 2 and 8 columns, counts, rings, noise, few samples, gaps, mixed columns, instruments,
four assays, and wide tables of kinds; each fitted with default settings. The truth stands above
each report. The same file runs at earlier commits. Run with OMP_NUM_THREADS=1; two minutes.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from skcausalpima import CausalPIMA


def drawn(rng: np.random.Generator, n: int, width: int, sizes: tuple[int, ...]) -> tuple:
    """Draw a table to which nodes add effects, and the nodes."""
    nodes = np.column_stack([rng.integers(size, size=n) for size in sizes])
    effects = [4.0 * rng.normal(size=(size, width)) for size in sizes]
    parts = [effect[outcomes] for effect, outcomes in zip(effects, nodes.T, strict=True)]
    return sum(parts) + rng.normal(size=(n, width)), nodes


def cases(seed: int) -> Iterator[tuple[str, Callable[[], CausalPIMA]]]:
    """Yield what is true, and what fits."""
    rng = np.random.default_rng(seed)

    def fits(sizes: int | tuple[int, ...], X: object, **fit: object) -> Callable[[], CausalPIMA]:
        contexts = fit.pop("contexts", None)
        return lambda: CausalPIMA(sizes, contexts=contexts, random_state=seed).fit(X, **fit)

    one = np.r_[rng.normal(0, 1, 100), rng.normal(6, 1, 60)][:, None]
    yield "one column, two kinds six sd apart", fits(2, one)
    two = rng.normal(size=(240, 2)) + 5 * np.eye(3)[rng.integers(3, size=240)][:, :2]
    yield "two columns, three kinds", fits(3, two)
    yield "eight columns, 2 x 3 factors that add up", fits((2, 3), drawn(rng, 400, 8, (2, 3))[0])
    rates = np.array([[2, 9, 1, 4], [8, 2, 5, 1]])[rng.integers(2, size=300)]
    yield "counts of four columns, two kinds, not stated as counts", fits(2, rng.poisson(rates))
    angle = rng.uniform(0, 2 * np.pi, 300)
    ring = np.column_stack([5 * np.cos(angle), 5 * np.sin(angle)]) + 0.4 * rng.normal(size=(300, 2))
    yield "a ring, which has no kinds, asked for 3", fits(3, ring)
    yield "noise: no kinds, six columns", fits((2, 2), rng.normal(size=(200, 6)))
    yield "few samples: 40 of 2 x 2 factors", fits((2, 2), drawn(rng, 40, 6, (2, 2))[0])
    gaps, _ = drawn(rng, 300, 6, (2, 2))
    gaps[rng.random(gaps.shape) < 0.15] = np.nan
    yield "15 % of values missing at random, 2 x 2 factors", fits((2, 2), gaps)
    numbers, nodes = drawn(rng, 300, 4, (2, 2))
    frame = pd.DataFrame(numbers, columns=["height", "weight", "ph", "dose"])
    frame["colour"] = np.array(["red", "blue", "green"])[
        np.where(rng.random(300) < 0.85, nodes[:, 0], 2)
    ]
    frame["smokes"] = rng.random(300) < np.where(nodes[:, 1] == 1, 0.8, 0.2)
    yield "numbers, a word and a boolean, 2 x 2 factors", fits((2, 2), frame)
    table, _ = drawn(rng, 300, 6, (2, 2))
    site = np.array(["A", "B"])[rng.integers(2, size=300)]
    table[site == "B"] += 2.0
    measured = {"table": table, "site": site}
    yield "two instruments that shift six columns, 2 x 2", fits((2, 2), measured, contexts="site")
    nodes = rng.integers(2, size=(250, 3))
    assays = [
        nodes[:, [k]] * 3.0 * rng.normal(size=(1, 5)) + rng.normal(size=(250, 5)) for k in range(3)
    ]
    yield (
        "four assays, three binary factors, the fourth assay is noise",
        fits((2, 2, 2), [*assays, rng.normal(size=(250, 5))]),
    )
    wide = rng.normal(size=(120, 400))
    wide[:, :20] += 3.0 * rng.normal(size=(3, 20))[rng.integers(3, size=120)]
    yield "400 columns of 120 rows, three kinds in 20 of them", fits(3, wide)


def main() -> None:
    """Print reports, and write them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    parts = []
    for number, (truth, fit) in enumerate(cases(arguments.seed), 1):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            report = str(fit().report())
        n_lines = len(report.splitlines())
        head = f"{number}. TRUTH: {truth} ({len(caught)} warnings, {n_lines} lines)"
        parts.append(f"{head}\n\n{report}\n")
        print(parts[-1], flush=True)
        if arguments.out:
            arguments.out.write_text("\n".join(parts))


if __name__ == "__main__":
    main()
