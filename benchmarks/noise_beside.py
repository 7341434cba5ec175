"""A table whose noise differs between cells, beside an image, a curve or words.

    python benchmarks/noise_beside.py --seeds 0-4 --out noise_beside.csv
    python benchmarks/noise_beside.py --summarize noise_beside.csv

The other modality shows one binary node, the table (six columns) another one, its outcomes six
standard deviations apart; the noise of the table is .5 where its node is 0 and 1.6 where it is 1,
or 1 in both. Methods are default fits (``auto``), ``learned`` (one variance for each modality) and
a diagonal mixture of the table alone. Printed are, of 2000 new samples, the adjusted Rand index of
both nodes, the log loss of the table's node (whole, and with half of the table's elements missing),
and how many fits predict noise. Run with OMP_NUM_THREADS=1.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import warnings
from pathlib import Path

import node_rows
import numpy as np
import pandas as pd
from sklearn.metrics import adjusted_rand_score
from sklearn.mixture import GaussianMixture

from skcausalpima import CausalPIMA

STEP, N_NEW = 6.0 / np.sqrt(6.0), 2000
KEYS = ("other", "samples", "noise", "method")
FIELDS = (*KEYS, "seed", "node_of_other", "node_of_table", "loss", "loss_half", "predicted")


def shown(kind: str, node: np.ndarray, rng: np.random.Generator):
    """Return what shows the first node."""
    n = len(node)
    if kind == "words":
        return pd.DataFrame({"word": np.where(node, "yes", "no")})
    if kind == "curve":
        t, shift = np.linspace(0.0, 1.0, 40), 0.03 * rng.normal(size=(n, 1))
        return np.sin(2 * np.pi * (t + 0.2 * node[:, None] + shift)) + 0.2 * rng.normal(
            size=(n, 40)
        )
    axis = np.linspace(-1.0, 1.0, 12)
    left = 0.15 * rng.normal(size=(n, 1, 1)) + np.where(node, 0.4, -0.4)[:, None, None]
    below = 0.2 * rng.normal(size=(n, 1, 1))
    bright = np.exp(-10.0 * ((axis - left) ** 2 + (axis[:, None] - below) ** 2))
    return bright + 0.1 * rng.normal(size=(n, 12, 12))


def drawn(kind: str, n: int, noise: tuple[float, float], seed: int):
    """Return the other modality, a table, and both nodes."""
    rng = np.random.default_rng(seed)
    nodes = rng.integers(2, size=(n, 2))
    spread = np.array(noise)[nodes[:, 1]][:, None]
    table = STEP * nodes[:, [1]] + spread * rng.normal(size=(n, 6))
    return shown(kind, nodes[:, 0], rng), table, nodes


def as_given(kind: str, other, table: np.ndarray):
    """Return both as a fit takes them: frames beside words."""
    return {"other": other, "table": pd.DataFrame(table) if kind == "words" else table}


def measured(kind: str, n: int, noise: tuple[float, float], seed: int) -> list[dict[str, object]]:
    """Return a line for each method."""
    (other, table, nodes), lines = drawn(kind, n, noise, seed), []
    new_other, new_table, truth = drawn(kind, N_NEW, noise, 10_000 + seed)
    hidden = np.random.default_rng(seed).random(new_table.shape) < 0.5
    half = np.where(hidden, np.nan, new_table)
    keys = {"other": kind, "samples": n, "noise": f"{noise[0]}-{noise[1]}", "seed": seed}
    for method in ("auto", "learned"):
        model = CausalPIMA((2, 2), decoder_variance=method, random_state=seed)
        model.fit(as_given(kind, other, table))
        found = model.predict_nodes(as_given(kind, new_other, new_table))
        reached = [max(adjusted_rand_score(t, f) for f in found.T) for t in truth.T]
        own = [adjusted_rand_score(nodes[:, 1], labels) for labels in model.node_labels_.T]
        k, losses = int(np.argmax(own)), []
        is_same = (model.node_labels_[:, k] == nodes[:, 1]).mean() > 0.5
        outcome = truth[:, 1] if is_same else 1 - truth[:, 1]
        for asked in (new_table, half):
            said = model.predict_nodes(as_given(kind, new_other, asked), probabilities=True)
            told = said[list(model.dag_)[k]][np.arange(N_NEW), outcome]
            losses.append(-np.log(np.maximum(told, 1e-12)).mean())
        figures = (*reached, *losses, len(model.choices_.predicted))
        named = zip(FIELDS[5:], (f"{figure:.4f}" for figure in figures), strict=True)
        lines.append(keys | {"method": method} | dict(named))
    mixture = GaussianMixture(2, covariance_type="diag", n_init=3, random_state=seed).fit(table)
    of_table = adjusted_rand_score(truth[:, 1], mixture.predict(new_table))
    lines.append(keys | {"method": "mixture", "node_of_table": f"{of_table:.4f}"})
    return lines


def summarize(path: Path) -> None:
    """Print means over seeds."""
    rows = list(csv.DictReader(path.open(newline="")))
    print(f"| {' | '.join((*KEYS, *FIELDS[5:]))} |")
    print("|" + "---|" * 9)
    for key in dict.fromkeys(tuple(row[name] for name in KEYS) for row in rows):
        group = [row for row in rows if tuple(row[name] for name in KEYS) == key]
        figures = [[float(row[name]) for row in group if row[name]] for name in FIELDS[5:]]
        means = [f"{np.mean(of):.3f}" if of else "" for of in figures]
        print(f"| {' | '.join(key)} | {' | '.join(means)} |")


def main() -> None:
    """Measure what is asked for, or print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=node_rows.parse_seeds, default="0-4")
    parser.add_argument("--samples", type=int, nargs="+", default=[300, 1000])
    parser.add_argument("--out", type=Path, default=Path("noise_beside.csv"))
    parser.add_argument("--summarize", type=Path)
    arguments = parser.parse_args()
    if arguments.summarize:
        summarize(arguments.summarize)
        return
    warnings.simplefilter("ignore")
    noises = ((1.0, 1.0), (0.5, 1.6))
    for kind, n, noise in itertools.product(("image", "curve", "words"), arguments.samples, noises):
        for seed in arguments.seeds:
            lines = measured(kind, n, noise, seed)
            node_rows.append_lines(arguments.out, FIELDS, lines)


if __name__ == "__main__":
    main()
