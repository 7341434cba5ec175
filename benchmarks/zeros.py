"""Is a node one value of one column? Spikes, tables in which others show it, and plain tables.

    python benchmarks/zeros.py --seeds 1000-1009 --plain FOLDER   # CSV files of R's data sets

*spikes*: independent columns of which some have a value that is repeated; N1 is whether a column
has it (adjusted Rand index .8 or more). *shown*: a number that is 0 in one kind, beside others that
show the kinds. *plain*: the tables of ``groups.py``. How many fits have ``one-value``, and how many
``zeros-and-ones``? Run with OMP_NUM_THREADS=1; five minutes.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Iterator
from pathlib import Path

import node_rows
import numpy as np
from graph import row, table
from groups import plain_tables
from sklearn.metrics import adjusted_rand_score

from skcausalpima import CausalPIMA


def spikes(seed: int) -> Iterator[tuple[str, np.ndarray]]:
    """Yield tables with spikes, of several laws."""
    rng = np.random.default_rng(seed)
    for n, width, share, value, law in (
        *((100, 5, 0.3, 0.0, "normal"), (400, 10, 0.5, 0.0, "lognormal")),
        *((800, 4, 0.2, -9.0, "uniform"), (250, 15, 0.4, 99.0, "t5"), (200, 6, 0.4, 0.0, "normal")),
    ):
        drawn = {
            "normal": lambda shape: 3.0 + rng.normal(size=shape),
            "lognormal": lambda shape: 2.0 + rng.lognormal(0.0, 0.5, size=shape),
            "uniform": lambda shape: rng.uniform(0.0, 8.0, size=shape),
            "t5": lambda shape: rng.standard_t(5, size=shape),
        }[law]((n, width))
        n_spiked = int(rng.integers(1, width + 1))
        is_value = (rng.random((n, width)) < share) & (np.arange(width) < n_spiked)
        yield f"{n} x {width}, {share} are {value:g}, {law}", np.where(is_value, value, drawn)


def shown(seed: int) -> Iterator[tuple[str, np.ndarray]]:
    """Yield tables in which a zero goes with kinds that other columns show, too."""
    rng = np.random.default_rng([seed, 1])
    for n, distance in ((120, 2.5), (300, 4.0)):
        kind = rng.integers(2, size=n)
        others = rng.normal(size=(n, 5)) + distance * kind[:, None] * (np.arange(5) < 2)
        zero = np.where(kind == 0, 0.0, 4.0 + rng.normal(size=n))
        yield f"{n} rows, {distance} sd", np.column_stack([others, zero])


def counted(tables: Iterator[tuple[str, np.ndarray]], seed: int, counts: np.ndarray) -> None:
    """Fit tables, and count what is said."""
    for _, X in tables:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            est = CausalPIMA(2, max_iter=20, random_state=seed).fit(X)
        values = np.asarray(X, dtype=float)
        modes = (max(np.unique(c, return_counts=True)[1]) for c in values.T)
        commonest = [np.unique(c)[np.unique(c, return_counts=True)[1].argmax()] for c in values.T]
        is_one = any(
            number > 1 and adjusted_rand_score(c == value, est.labels_) >= 0.8
            for c, value, number in zip(values.T, commonest, modes, strict=True)
        )
        codes = {one.code for one in est.report().alarms}
        counts += 1, is_one, "one-value" in codes, "zeros-and-ones" in codes


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=node_rows.parse_seeds, default="1000-1009")
    parser.add_argument("--plain", type=Path, help="folder with CSV files of R's data sets")
    arguments = parser.parse_args()
    lines = []
    for name, make in (("spikes", spikes), ("shown", shown)):
        counts = np.zeros(4, int)
        for seed in arguments.seeds:
            counted(make(seed), seed, counts)
        lines.append(row(name, *map(str, counts)))
    counts = np.zeros(4, int)
    counted(plain_tables(arguments.plain), 0, counts)
    lines.append(row("plain", *map(str, counts)))
    head = ["fits", "N1 agrees with a value", "one-value", "zeros-and-ones"]
    print("\n".join(table("data", head, lines)))


if __name__ == "__main__":
    main()
