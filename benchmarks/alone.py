"""One modality alone: what it says of each node, beside the shares of the node's outcomes.

    python benchmarks/alone.py --seeds 0-4 --families 3000-3099 --out alone.csv
    python benchmarks/alone.py --summarize alone.csv

``tables`` and ``wide`` are two tables (6 and 20 columns) that show a binary node each, at four sd;
``bent`` are curves whose phase is shifted. So one of the two knows nothing of a node. Of the three
tables of ``others`` (12 columns, 4.5 sd) all but one are there. ``families`` are those of
``families.py`` with several nodes, of which modalities show some: two thirds train. Asked are new
samples that have one modality alone; nodes of the fit are matched to the true ones on the training
samples (those that agree less than .9 are left out). Printed are means by kind, number of samples
and whether the modality knows the node: said, right, and the log loss beside that of the node's
shares. Run with OMP_NUM_THREADS=1.
"""

from __future__ import annotations

import argparse
import csv
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import families
import node_rows
import numpy as np
from scipy.optimize import linear_sum_assignment

from skcausalpima import CausalPIMA

SAMPLES, N_NEW = (80, 300, 1000), 1000
KEYS = ("kind", "samples", "knows")
FIELDS = (*KEYS, "seed", "modality", "node", "said", "right", "loss", "loss_of_shares")


class Drawn(NamedTuple):
    """Modalities, the outcomes of nodes, their numbers, and which nodes a modality shows.

    Asked of each is a sample that has it alone, or one that has all others.
    """

    arrays: list[np.ndarray]
    factors: np.ndarray
    sizes: tuple[int, ...]
    shown: list[set[int]]
    asks_others: bool = False


def tables(n: int, seed: int, width: int, n_tables: int = 2, apart: float = 4.0) -> Drawn:
    """Return tables that show a node each."""
    rng, nodes = np.random.default_rng(seed), range(n_tables)
    factors = rng.integers(2, size=(n, n_tables))
    step = apart / np.sqrt(width)
    arrays = [step * factors[:, [k]] + rng.normal(size=(n, width)) for k in nodes]
    return Drawn(arrays, factors, (2,) * n_tables, [{k} for k in nodes], n_tables > 2)


def bent(n: int, seed: int) -> Drawn:
    """Return two sets of ten points of a sine, the phase of which shows a node each."""
    rng, t = np.random.default_rng(seed), np.linspace(0.0, 1.0, 10)
    factors, arrays = rng.integers(2, size=(n, 2)), []
    for k in (0, 1):
        phase = 0.45 * factors[:, [k]] + 0.12 * rng.normal(size=(n, 1))
        height = 1.0 + 0.3 * rng.normal(size=(n, 1))
        arrays.append(height * np.sin(2 * np.pi * (t + phase)) + 0.3 * rng.normal(size=(n, 10)))
    return Drawn(arrays, factors, (2, 2), [{0}, {1}])


def of_family(seed: int) -> Drawn | None:
    """Return a family, if some modality shows some of its nodes only."""
    made = families.family(seed)
    factors = made.factors if made.factors.ndim == 2 else made.factors[:, None]
    shown = [set(map(int, kind.rsplit("of ", 1)[1])) for kind in made.kinds]
    is_asked = len(shown) > 1 and any(len(of) < len(made.sizes) for of in shown)
    return Drawn(made.arrays, factors, made.sizes, shown) if is_asked else None


def matched(labels: np.ndarray, factors: np.ndarray, n_outcomes: int):
    """Return which factor a node is, the outcome of each of its own, and how far they agree."""
    best = (0, np.arange(n_outcomes), 0.0)
    for j in range(factors.shape[1]):
        if factors[:, j].max() >= n_outcomes:
            continue
        counts = np.zeros((n_outcomes, n_outcomes))
        np.add.at(counts, (factors[:, j], labels), 1)
        own = linear_sum_assignment(-counts)[1]
        agreement = counts[np.arange(n_outcomes), own].sum() / len(labels)
        best = max(best, (j, own, agreement), key=lambda of: of[2])
    return best


def measured(kind: str, drawn: Drawn, n: int, seed: int) -> Iterator[dict[str, object]]:
    """Yield a line for each modality and node."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = CausalPIMA(drawn.sizes, random_state=seed).fit([x[:n] for x in drawn.arrays])
    for k, (node, size) in enumerate(zip(model.dag_, drawn.sizes, strict=True)):
        labels = model.node_labels_[:, k]
        factor, own, agreement = matched(labels, drawn.factors[:n], size)
        if agreement < 0.9:
            continue
        truth = own[drawn.factors[n:, factor]]
        shares = np.bincount(labels, minlength=size) / n
        for m in range(len(drawn.arrays)):
            others = drawn.asks_others
            alone = [x[n:] if (of == m) != others else None for of, x in enumerate(drawn.arrays)]
            said = model.predict_nodes(alone, probabilities=True)[node]
            told = np.maximum(said[np.arange(len(truth)), truth], 1e-12)
            figures = {
                "said": said.max(axis=1).mean(),
                "right": (said.argmax(axis=1) == truth).mean(),
                "loss": -np.log(told).mean(),
                "loss_of_shares": -np.log(np.maximum(shares[truth], 1e-12)).mean(),
            }
            keys = {"kind": kind, "samples": n, "knows": int((factor in drawn.shown[m]) != others)}
            keys |= {"seed": seed, "modality": m, "node": k}
            yield keys | {name: f"{value:.4f}" for name, value in figures.items()}


def summarize(path: Path) -> None:
    """Print means over seeds, nodes and modalities; families by hundreds of samples."""
    lines = list(csv.DictReader(path.open(newline="")))
    for line in lines:
        if line["kind"] == "family":
            line["samples"] = "up to 100" if int(line["samples"]) <= 100 else "more"
    print(f"| {' | '.join((*KEYS, 'pairs', *FIELDS[6:]))} |")
    print("|" + "---|" * 8)
    for key in sorted({tuple(line[name] for name in KEYS) for line in lines}):
        group = [line for line in lines if tuple(line[name] for name in KEYS) == key]
        means = [f"{np.mean([float(line[name]) for line in group]):.3f}" for name in FIELDS[6:]]
        print(f"| {' | '.join(key)} | {len(group)} | {' | '.join(means)} |")


def main() -> None:
    """Measure what is asked for, or print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=node_rows.parse_seeds, default="0-4")
    parser.add_argument("--families", type=node_rows.parse_seeds, default="3000-3099")
    parser.add_argument("--out", type=Path, default=Path("alone.csv"))
    parser.add_argument("--summarize", type=Path)
    arguments = parser.parse_args()
    if arguments.summarize:
        summarize(arguments.summarize)
        return
    for seed in arguments.seeds:
        for n in SAMPLES:
            made = {
                "tables": tables(n + N_NEW, seed, 6),
                "wide": tables(n + N_NEW, seed, 20),
                "bent": bent(n + N_NEW, seed),
                "others": tables(n + N_NEW, seed, 12, 3, 4.5),
            }
            for kind, drawn in made.items():
                lines = list(measured(kind, drawn, n, seed))
                node_rows.append_lines(arguments.out, FIELDS, lines)
    for seed in arguments.families:
        drawn = of_family(seed)
        if drawn is not None:
            lines = list(measured("family", drawn, len(drawn.factors) * 2 // 3, seed))
            node_rows.append_lines(arguments.out, FIELDS, lines)


if __name__ == "__main__":
    main()
