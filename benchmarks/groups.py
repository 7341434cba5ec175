"""Rows that belong together: is what is said of them right, with ``groups`` and without?

Run with OMP_NUM_THREADS=1; two hours on one core, most of them for *rates*.

    python benchmarks/groups.py --tables effects rates one_kind --out groups.md
    python benchmarks/groups.py --tables repeats --plain FOLDER   # CSV files of R's data sets

Specimens have a few rows each. Kinds, and all else that is the same in the rows of a specimen, are
drawn per specimen; rows scatter around it. *groups* and *rows* are the same fits with and without
``groups``, *alone* as many rows as there are specimens, one of each.

*effects*: 60 specimens of 5 rows, two kinds in four columns, six columns that have nothing to do
with it. Of ten data sets, how many of 60 unrelated columns does ``node_effects`` call discoveries,
and of 40 real ones?

*rates*: how often a p-value is below .05 where nothing is there: of ``associate_nodes`` with a
number and a word of specimens, and of ``goodness_of_fit``; how often ``edge_confidence`` gives .95
to two nodes that are independent; and how many intervals at 90 % of ``table_intervals`` hold the
true share. Two-sided ranges are those of so many data sets at the nominal rate (binomial, 95 %).

*one_kind*: 60 specimens of 5 rows of one kind. How many of 20 reports say "No clusters", and how
many verdicts are not "alarmed"?

*repeats*: what ``report()`` says of rows that nobody has grouped: 28 plain tables (fixed before the
first run: five of scikit-learn, 23 of R without repeated measurements), 200 of independent rows,
and repeats of several kinds.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from graph import row, table
from scipy.stats import binom
from sklearn import datasets as of_sklearn

from skcausalpima import CausalPIMA
from skcausalpima._data.validation import read_modalities
from skcausalpima._judge.repeats import repeats_of
from skcausalpima.inspection import (
    associate_nodes,
    edge_confidence,
    goodness_of_fit,
    node_effects,
    table_intervals,
)

#: Of R, as files <name>.csv; the first 1000 rows, columns of numbers, rows without gaps.
OF_R = [
    "mtcars",
    "quakes",
    "swiss",
    "trees",
    "attitude",
    "USArrests",
    "Boston",
    "birthwt",
    "Cars93",
    "cats",
    "crabs",
    "fgl",
    "biopsy",
    "Pima.tr",
    "Pima.te",  # codespell:ignore te
    "mammals",
    "hills",
    "cpus",
    "UScrime",
    "Melanoma",
    "diamonds",
    "Housing",
    "Caschool",
]
OF_SKLEARN = ["iris", "wine", "breast_cancer", "diabetes", "linnerud"]


def specimens(
    seed: int, n: int, k: int, n_nodes: int, p: int = 10, share: float = 0.5
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw rows, the specimen of each, and the outcomes of specimens; 4 columns show a node."""
    rng = np.random.default_rng(seed)
    nodes = (rng.random((n, n_nodes)) < share).astype(int)
    centre = rng.normal(size=(n, p))
    for j in range(n_nodes):
        centre[:, 4 * j : 4 * j + 4] += 5.0 * nodes[:, [j]]
    group = np.repeat(np.arange(n), k)
    return centre[group] + 0.5 * rng.normal(size=(n * k, p)), group, nodes


def three_ways(
    X: np.ndarray, group: np.ndarray
) -> Iterator[tuple[str, np.ndarray, dict, np.ndarray]]:
    """Yield rows without and with groups, and one row of each specimen."""
    first = np.unique(group, return_index=True)[1]
    every = np.arange(len(X))
    yield "rows", X, {}, every
    yield "groups", X, {"groups": group}, every
    yield "alone", X[first], {}, first


def effects(n_seeds: int) -> str:
    """Count discoveries of ``node_effects``."""
    found = {way: np.zeros(2, int) for way in ("rows", "groups", "alone")}
    tested = dict.fromkeys(found, 0)
    for seed in range(n_seeds):
        X, group, _ = specimens(seed, 60, 5, 1)
        for way, rows, known, _ in three_ways(X, group):
            est = CausalPIMA(2, random_state=seed).fit(rows, **known)
            said = node_effects(est, rows).discovered["N1"]
            said = np.asarray(said).any(axis=0)
            found[way] += said[:4].sum(), said[4:].sum()
            tested[way] += 1
    lines = [
        row(way, f"{of[0]} of {4 * n}", f"{of[1]} of {6 * n}")
        for (way, of), n in zip(found.items(), tested.values(), strict=True)
    ]
    return "\n".join(table("node_effects", ["real columns", "unrelated columns"], lines))


def rates(n_seeds: int) -> str:
    """Measure error rates and coverage."""
    errors: dict[str, dict[str, list[float]]] = {}

    def note(what: str, way: str, value: bool | float) -> None:
        errors.setdefault(what, {}).setdefault(way, []).append(float(value))

    for seed in range(n_seeds):
        X, group, _ = specimens(seed, 60, 5, 1)
        rng = np.random.default_rng([seed, 1])
        number, word = rng.normal(size=60)[group], rng.integers(3, size=60)[group].astype(str)
        for way, rows, known, which in three_ways(X, group):
            est = CausalPIMA(2, random_state=seed).fit(rows, **known)
            about = {"number": number[which], "word": word[which]}
            p = associate_nodes(est, rows, about, random_state=seed, n_permutations=199).p_value[0]
            note("associate_nodes, a number: p < .05", way, p[0] < 0.05)
            note("associate_nodes, a word: p < .05", way, p[1] < 0.05)
            if seed < n_seeds // 2:
                fit = goodness_of_fit(est, rows, n_replicates=99)
                note("goodness_of_fit: p < .05", way, fit.p_value < 0.05)
        X, group, nodes = specimens(seed, 60, 5, 2, share=0.4)
        for way, rows, known, which in three_ways(X, group):
            est = CausalPIMA((2, 2), random_state=seed).fit(rows, **known)
            agreed = edge_confidence(est, rows, random_state=seed)
            note("edge_confidence of no edge: .95", way, agreed.adjacency[0, 1] >= 0.95)
            found = est.predict_nodes(rows)
            said = table_intervals(est, rows, level=0.9, random_state=seed)
            low, high = said.intervene({}).low, said.intervene({}).high
            for j, name in enumerate(said.node_names):
                alike = [np.corrcoef(found[:, j], true)[0, 1] for true in nodes[group[which]].T]
                truth = 0.6 if max(alike, key=abs) > 0 else 0.4  # of outcome 0
                note("table_intervals: 90 % hold", way, low[name][0] <= truth <= high[name][0])
        sofar = {
            what: {way: f"{np.mean(values):.3f}" for way, values in ways.items()}
            for what, ways in errors.items()
        }
        print(f"after {seed + 1} data sets: {sofar}", file=sys.stderr, flush=True)
    lines = []
    for what, by_way in errors.items():
        n = len(by_way["rows"])
        nominal = 0.9 if "hold" in what else 0.05
        low, high = binom.ppf([0.025, 0.975], n, nominal) / n
        cells = [f"{np.mean(by_way[way]):.2f}" for way in ("rows", "groups", "alone")]
        lines.append(row(f"{what} ({low:.2f} to {high:.2f}, n = {n})", *cells))
    return "\n".join(table("rate", ["rows", "groups", "alone"], lines))


def one_kind(n_seeds: int) -> str:
    """Count what is said of repeats of one kind."""
    lines = []
    for sizes in (2, (2, 2), 4):
        counts = {"rows": np.zeros(2, int), "groups": np.zeros(2, int)}
        for seed in range(n_seeds):
            X, group, _ = specimens(1000 + seed, 60, 5, 0)
            for way, rows, known, _ in list(three_ways(X, group))[:2]:
                report = CausalPIMA(sizes, random_state=seed).fit(rows, **known).report()
                counts[way] += report.verdict != "alarmed", "No clusters" in str(report)
        for way, (fine, none) in counts.items():
            lines.append(row(f"{sizes}, {way}", f"{fine} of {n_seeds}", f"{none} of {n_seeds}"))
    return "\n".join(table("one kind", ["not alarmed", '"No clusters"'], lines))


def plain_tables(folder: Path | None) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield the plain tables that are there."""
    for name in OF_SKLEARN:
        yield name, pd.DataFrame(getattr(of_sklearn, f"load_{name}")().data)
    for name in OF_R if folder is not None else ():
        frame = pd.read_csv(next(folder.rglob(f"{name}.csv")))
        frame = frame.loc[:, ~frame.columns.str.startswith("Unnamed")].select_dtypes("number")
        frame = frame.dropna()[:1000]
        yield name, frame.loc[:, frame.nunique() > 1]


def independent(seed: int) -> np.ndarray:
    """Draw rows that have nothing to do with each other, sorted in one of five draws."""
    rng = np.random.default_rng(seed)
    n, p = int(np.exp(rng.uniform(np.log(40), np.log(1500)))), int(rng.integers(1, 13))
    X = rng.normal(size=(n, p)) if seed % 2 else rng.standard_t(3, size=(n, p))
    X = X + 4.0 * rng.integers(3, size=(n, 1)) * (seed % 3 == 0)
    return X[X[:, 0].argsort()] if seed % 5 == 0 else X


def repeated(seed: int) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield repeats of several kinds."""
    rng = np.random.default_rng(seed)
    for n, k, p, scatter in ((60, 5, 10, 0.3), (60, 5, 10, 1.0), (100, 2, 6, 0.5), (40, 8, 4, 0.3)):
        X = np.repeat(rng.normal(size=(n, p)), k, axis=0)
        X += scatter * rng.normal(size=X.shape)
        name = f"{n} x {k}, {p} columns, scatter {scatter}"
        yield f"{name}, in blocks", pd.DataFrame(X)
        order = rng.permutation(len(X))
        yield f"{name}, shuffled", pd.DataFrame(X[order])
        named = pd.DataFrame(X[order]).rename(columns=str)
        yield f"{name}, shuffled, named", named.assign(unit=[f"u{u}" for u in (order // k)])
    sizes = rng.integers(2, 9, size=60)
    X = np.repeat(rng.normal(size=(60, 10)), sizes, axis=0)
    yield "60 of 2 to 8 rows, scatter 0.2", pd.DataFrame(X + 0.2 * rng.normal(size=X.shape))


def said_of(X: pd.DataFrame | np.ndarray) -> str:
    """Return what is said of rows."""
    try:
        found = repeats_of(read_modalities(CausalPIMA(), X, reset=True))
    except ValueError as error:
        return f"refused: {error}".split(".")[0]
    return "-" if found is None else f"{found[0]} units, {found[1]}"


def repeats(n_seeds: int, folder: Path | None) -> str:
    """List what looks like repeats."""
    plain = {name: said_of(frame) for name, frame in plain_tables(folder)}
    told = {name: said for name, said in plain.items() if said != "-"}
    drawn = [said_of(independent(seed)) for seed in range(20 * n_seeds)]
    lines = [
        row(f"{len(plain)} plain tables", f"{len(told)} told: {told or 'none'}"),
        row(f"{len(drawn)} of independent rows", f"{sum(said != '-' for said in drawn)} told"),
    ]
    found: dict[str, list[str]] = {}
    for seed in range(n_seeds):
        for name, frame in repeated(seed):
            found.setdefault(name, []).append(said_of(frame))
    for name, said in found.items():
        n_told = sum(one != "-" for one in said)
        lines.append(row(name, f"{n_told} of {len(said)} told; {said[0]}"))
    return "\n".join(table("rows", ["said"], lines))


def main(arguments: list[str]) -> None:
    """Print tables, and write them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    tables: dict[str, Callable[..., str]] = {
        "effects": effects,
        "rates": rates,
        "one_kind": one_kind,
        "repeats": repeats,
    }
    parser.add_argument("--tables", nargs="+", choices=list(tables), default=list(tables))
    parser.add_argument("--seeds", type=int, help="data sets, instead of 10, 100, 20 and 10")
    parser.add_argument("--plain", type=Path, help="folder with CSV files of R's data sets")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args(arguments)
    warnings.simplefilter("ignore")
    usual = {"effects": 10, "rates": 100, "one_kind": 20, "repeats": 10}
    parts = []
    for name in options.tables:
        more = (options.plain,) if name == "repeats" else ()
        parts.append(tables[name](options.seeds or usual[name], *more))
        print(parts[-1], flush=True)
        if options.out:
            options.out.write_text("\n\n".join(parts) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
