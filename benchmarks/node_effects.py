"""Which columns differ between the outcomes of nodes: false discoveries, power, intervals.

For each sort of data so many fits; each is asked twice, about its own samples (``seen=True``,
clones of two halves) and about as many that are new to it. Beside these stand a t-test between
the fit's own labels, and the same least squares with the true cells. Columns of the table:

- *tested*: share of nodes that were tested (false discoveries and power are of these);
- *any*: share of fits with any discovery (of noise all are false);
- *false*: share of discoveries that are false; *power*: share of true effects that are discovered;
- *truth*: the power of the same test where cells are known, *t-test*: false ones of that on labels;
- *ratio*: effects, as parts of the true ones; *within*: share of 95 % intervals that hold these.

::

    python benchmarks/node_effects.py               # 40 fits of each sort, hours of one core
    python benchmarks/node_effects.py --fits 3      # a few minutes for each ten fits
    python benchmarks/node_effects.py --keep r.jsonl         # goes on where it ended

A fit that is in the file of ``--keep`` is not made again.
"""

from __future__ import annotations

import argparse
import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import adjusted_rand_score

from skcausalpima import CausalPIMA
from skcausalpima.inspection import NodeEffects, node_effects
from skcausalpima.inspection._column_effects import against_others, estimate

WIDTH, LEVEL, SAME_NODE = 24, 0.05, 0.3


class Sort(NamedTuple):
    """What is drawn: node sizes, their joint, means of cells by column, and noise."""

    sizes: tuple[int, ...]
    joint: np.ndarray
    means: np.ndarray  # (*sizes, width)
    noise: Callable[[np.random.Generator, int, int], np.ndarray]
    shape: tuple[int, ...] = (WIDTH,)
    mixed: bool = False
    n_samples: int = 300

    def draw(self, rng: np.random.Generator) -> tuple[object, np.ndarray]:
        """Return samples and their nodes."""
        cells = rng.choice(self.joint.size, size=self.n_samples, p=self.joint.ravel())
        nodes = np.stack(np.unravel_index(cells, self.sizes), axis=1)
        width = int(np.prod(self.shape))
        table = self.means.reshape(-1, width)[cells] + self.noise(rng, self.n_samples, width)
        if self.mixed:
            frame = pd.DataFrame({f"x{j}": table[:, j] for j in range(width)})
            for j in range(0, width, 3):
                frame[f"x{j}"] = np.array(["a", "b", "c"])[np.digitize(table[:, j], [-0.5, 0.5])]
            for j in range(1, width, 3):
                frame[f"x{j}"] = table[:, j] > 0
            return frame, nodes
        return table.reshape(-1, *self.shape), nodes


def normal(rng: np.random.Generator, n: int, width: int) -> np.ndarray:
    """Return normal noise."""
    return rng.normal(size=(n, width))


def skewed(rng: np.random.Generator, n: int, width: int) -> np.ndarray:
    """Return skewed noise, of deviation 1."""
    return rng.exponential(size=(n, width)) - 1.0


def heavy(rng: np.random.Generator, n: int, width: int) -> np.ndarray:
    """Return noise of heavy tails, of deviation 1."""
    return rng.standard_t(4, size=(n, width)) / np.sqrt(2.0)


def correlated(rng: np.random.Generator, n: int, width: int) -> np.ndarray:
    """Return noise of which all columns are correlated by .3."""
    return np.sqrt(0.7) * rng.normal(size=(n, width)) + np.sqrt(0.3) * rng.normal(size=(n, 1))


def smooth(rng: np.random.Generator, n: int, width: int) -> np.ndarray:
    """Return noise of square images whose neighbours are correlated by .5."""
    side = round(np.sqrt(width))
    wide = rng.normal(size=(n, side + 1, side + 1))
    noise = wide[:, 1:, 1:] + wide[:, :-1, 1:] + wide[:, 1:, :-1] + wide[:, :-1, :-1]
    return noise.reshape(n, width) / 2.0


def one_node(size: int, effect: float, width: int = WIDTH, n_active: int = 6) -> np.ndarray:
    """Return means of cells of one node; outcomes but the first have own columns."""
    means = np.zeros((size, width))
    for k in range(1, size):
        means[k, (k - 1) * n_active : k * n_active] = effect
    return means


def several(n_nodes: int, effect: float) -> np.ndarray:
    """Return means of binary nodes with columns of their own, five each."""
    means = np.zeros((*(2,) * n_nodes, WIDTH))
    for node in range(n_nodes):
        np.moveaxis(means, node, 0)[1, ..., 5 * node : 5 * node + 5] = effect
    return means


def chain(n_nodes: int) -> np.ndarray:
    """Return the joint of binary nodes, each of which is as the one before by .7."""
    joint = np.full(2, 0.5)
    for _ in range(n_nodes - 1):
        joint = joint[..., None] * np.array([[0.7, 0.3], [0.3, 0.7]])
    return joint


def weak_beside_strong() -> np.ndarray:
    """Return means of two cells: three columns of 2 sd, three of .6, and none."""
    means = np.zeros((2, WIDTH))
    means[1, :3], means[1, 3:6] = 2.0, 0.6
    return means


def patch(effect: float) -> np.ndarray:
    """Return means of two cells of images of 8 x 8: a bright square."""
    means = np.zeros((2, 8, 8))
    means[1, 1:5, 2:6] = effect
    return means.reshape(2, 64)


def bump(effect: float) -> np.ndarray:
    """Return means of two cells of curves of 40 points: one has a bump."""
    points = np.arange(40)
    shape = np.exp(-0.5 * np.square((points - 14) / 3.0))
    return np.stack([np.zeros(40), effect * np.where(shape > 0.05, shape, 0.0)])


HALF = np.full(2, 0.5)
NOTHING = np.zeros((2, WIDTH))
SORTS = {
    "noise: normal": Sort((2,), HALF, NOTHING, normal),
    "noise: skewed": Sort((2,), HALF, NOTHING, skewed),
    "noise: t4": Sort((2,), HALF, NOTHING, heavy),
    "noise: correlated": Sort((2,), HALF, NOTHING, correlated),
    "noise: mixed columns": Sort((2,), HALF, np.zeros((2, 12)), normal, (12,), True),
    "noise: images": Sort((2,), HALF, np.zeros((2, 64)), smooth, (8, 8)),
    "2 cells, 1 sd": Sort((2,), HALF, one_node(2, 1.0), normal),
    "2 cells, 1.5 sd": Sort((2,), HALF, one_node(2, 1.5), normal),
    "2 cells, 2 sd": Sort((2,), HALF, one_node(2, 2.0), normal),
    "2 cells, 2 sd, correlated": Sort((2,), HALF, one_node(2, 2.0), correlated),
    "3 cells, 2 sd": Sort((3,), np.full(3, 1 / 3), one_node(3, 2.0), normal),
    "2 x 2, 2 sd": Sort((2, 2), chain(2), several(2, 2.0), normal, n_samples=400),
    "2 x 2 x 2, 2 sd": Sort((2, 2, 2), chain(3), several(3, 2.0), normal, n_samples=800),
    "weak beside strong": Sort((2,), HALF, weak_beside_strong(), normal),
    "images, 1.5 sd": Sort((2,), HALF, patch(1.5), smooth, (8, 8)),
    "curves, 2 sd": Sort((2,), HALF, bump(2.0), normal, (40,)),
}


class Lines(NamedTuple):
    """What was found of lines whose truth is known, one entry each."""

    true: np.ndarray
    effect: np.ndarray
    low: np.ndarray
    high: np.ndarray
    discovered: np.ndarray


def true_effects(sort: Sort, labels: np.ndarray, nodes: np.ndarray) -> list[np.ndarray | None]:
    """Return the true effects of each node's outcomes as a fit has them; None of other nodes."""
    n_nodes, width = len(sort.sizes), int(np.prod(sort.shape))
    scores = np.array(
        [
            [adjusted_rand_score(labels[:, i], nodes[:, j]) for j in range(n_nodes)]
            for i in range(n_nodes)
        ]
    )
    same_size = np.equal.outer(sort.sizes, sort.sizes)
    _, truth = linear_sum_assignment(np.where(same_size, scores, -9.0), maximize=True)
    effects: list[np.ndarray | None] = []
    for node, true_node in enumerate(truth):
        if scores[node, true_node] < SAME_NODE:
            effects.append(None)
            continue
        size = sort.sizes[node]
        table = np.zeros((size, size))
        np.add.at(table, (labels[:, node], nodes[:, true_node]), 1)
        _, outcomes = linear_sum_assignment(table, maximize=True)
        joint = np.moveaxis(sort.joint, true_node, 0).reshape(size, -1)
        means = np.moveaxis(sort.means.reshape(*sort.sizes, width), true_node, 0)
        contrasts = against_others(joint, joint > 0).reshape(size, -1)
        effects.append((contrasts @ means.reshape(-1, width))[outcomes])
    return effects


def lines_of(found: NodeEffects, truths: list[np.ndarray | None], sort: Sort) -> Lines:
    """Return the tested lines of a result; where no node is matched, of columns of noise."""
    pieces = []
    never = sort.means.reshape(-1, int(np.prod(sort.shape))).std(axis=0) == 0
    for name, truth in zip(found.effect, truths, strict=True):
        first = int(len(found.effect[name]) == 2)
        for k in range(first, len(found.effect[name])):
            tested = np.isfinite(found.effect[name][k])
            if sort.mixed:  # all is noise
                true = np.zeros(len(tested))
            else:
                true = np.where(never, 0.0, np.nan) if truth is None else truth[k]
            tables = (found.effect, found.low, found.high, found.discovered)
            parts = [true, *(table[name][k] for table in tables)]
            pieces.append([part[tested & ~np.isnan(true)] for part in parts])
    return Lines(*(np.concatenate(part) for part in zip(*pieces, strict=True)))


def of_true_cells(sort: Sort, table: np.ndarray, nodes: np.ndarray) -> float:
    """Return the power of the same least squares where cells are known."""
    cells = np.ravel_multi_index(tuple(nodes.T), sort.sizes)
    shares = np.eye(sort.joint.size)[cells]
    means, p_values, true = sort.means.reshape(sort.joint.size, -1), [], []
    for node, size in enumerate(sort.sizes):
        joint = np.moveaxis(sort.joint, node, 0).reshape(size, -1)
        own = against_others(joint, joint > 0).reshape(size, *joint.shape)[int(size == 2) :]
        others = np.delete(sort.sizes, node)
        weights = np.moveaxis(own.reshape(len(own), size, *others), 1, node + 1)
        weights = weights.reshape(len(own), -1)
        p_values.append(estimate(shares, table.reshape(len(table), -1), weights).p_value.ravel())
        true.append((weights @ means).ravel())
    found = stats.false_discovery_control(np.concatenate(p_values)) <= LEVEL
    truth = np.abs(np.concatenate(true)) > 1e-9
    return float(found[truth].mean()) if truth.any() else np.nan


def t_test(sort: Sort, est: CausalPIMA, X: object, truths: list[np.ndarray | None]) -> list[int]:
    """Return false and all discoveries of a t-test between labels of the fit, own samples."""
    table = np.asarray(X).reshape(len(np.asarray(X)), -1).astype(float)
    p_values, true = [], []
    never = sort.means.reshape(-1, table.shape[1]).std(axis=0) == 0
    for node, size in enumerate(sort.sizes):
        for k in range(int(size == 2), size):
            is_k = est.node_labels_[:, node] == k
            if min(is_k.sum(), (~is_k).sum()) < 2:
                continue
            p_values.append(stats.ttest_ind(table[is_k], table[~is_k], equal_var=False).pvalue)
            true.append(np.where(never, 0.0, 1.0) if truths[node] is None else truths[node][k])
    if not p_values:
        return [0, 0]
    found = stats.false_discovery_control(np.nan_to_num(np.ravel(p_values), nan=1.0)) <= LEVEL
    return [int((found & (np.abs(np.ravel(true)) < 1e-9)).sum()), int(found.sum())]


def measured(sort: Sort, seed: int) -> list[dict[str, object]]:
    """Make one fit, and ask it about its own samples and about new ones."""
    rng = np.random.default_rng(seed)
    (X, nodes), (X_new, nodes_new) = sort.draw(rng), sort.draw(rng)
    est = CausalPIMA(sort.sizes, random_state=seed).fit(X)
    truths = true_effects(sort, est.node_labels_, nodes)
    rows: list[dict[str, object]] = []
    for seen, asked, of_asked in ((True, X, nodes), (False, X_new, nodes_new)):
        found = node_effects(est, asked, seen=seen)
        lines = lines_of(found, truths, sort)
        is_true = np.abs(lines.true) > 1e-9
        row: dict[str, object] = {
            "seen": seen,
            "tested": [name not in found.untested for name in found.outcomes],
            "why": list(found.untested.values()),
            "discovered": int(lines.discovered.sum()),
            "false": int((lines.discovered & ~is_true).sum()),
            "true": int(is_true.sum()),
            "found": int((lines.discovered & is_true).sum()),
            "ratios": (lines.effect[is_true] / lines.true[is_true]).round(4).tolist(),
            "within": int(((lines.low <= lines.true) & (lines.true <= lines.high)).sum()),
            "lines": len(lines.true),
        }
        if not sort.mixed:
            row["truth"] = of_true_cells(sort, np.asarray(asked), of_asked)
            row["t_test"] = t_test(sort, est, X, truths)
        rows.append(row)
    return rows


def summary(rows: list[dict]) -> str:
    """Return a line of the table, of fits of one sort."""

    def share(part: float, whole: float) -> str:
        return f"{part / whole:.3f}" if whole else "-"

    n = len(rows)
    tested = [one for row in rows for one in row["tested"]]
    ratios = [ratio for row in rows for ratio in row["ratios"]]
    truth = [
        row["truth"] for row in rows if row["tested"] and np.isfinite(row.get("truth", np.nan))
    ]
    t_tests = np.array([row.get("t_test", [0, 0]) for row in rows]).sum(axis=0)
    per_fit = [row["false"] / row["discovered"] for row in rows if row["discovered"]]
    cells = [
        str(n),
        share(sum(tested), len(tested)),
        share(sum(row["discovered"] > 0 for row in rows), n),
        f"{sum(per_fit) / n:.3f}",
        share(sum(row["found"] for row in rows), sum(row["true"] for row in rows)),
        f"{np.mean(truth):.3f}" if truth else "-",
        share(t_tests[0], t_tests[1]),
        f"{np.mean(ratios):.3f}" if ratios else "-",
        share(sum(row["within"] for row in rows), sum(row["lines"] for row in rows)),
    ]
    return "".join(f"{cell:>8}" for cell in cells)


def main() -> None:
    """Print the table, sort by sort."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--fits", type=int, default=40, help="of each sort")
    parser.add_argument("--seed", type=int, default=0, help="of the first fit")
    parser.add_argument("--sorts", nargs="*", default=list(SORTS), help="beginnings of names")
    parser.add_argument("--keep", type=Path, help="file of what was measured")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    kept = {}
    if given.keep and given.keep.exists():
        for line in given.keep.read_text().splitlines():
            entry = json.loads(line)
            kept[entry["sort"], entry["seed"]] = entry["rows"]
    names = ("fits", "tested", "any", "false", "power", "truth", "t-test", "ratio", "within")
    chosen = [name for name in SORTS if any(name.startswith(word) for word in given.sorts)]
    for seed in range(given.seed, given.seed + given.fits):  # fits of each sort in turn
        for name in chosen:
            if (name, seed) not in kept:
                kept[name, seed] = rows = measured(SORTS[name], seed)
                if given.keep:
                    with given.keep.open("a") as file:
                        file.write(json.dumps({"sort": name, "seed": seed, "rows": rows}) + "\n")
    for position, title in enumerate(("its own samples, by halves", "new samples")):
        print(f"\n{title:<28}" + "".join(f"{word:>8}" for word in names))
        for name in chosen:
            seeds = range(given.seed, given.seed + given.fits)
            rows = [kept[name, seed][position] for seed in seeds]
            print(f"{name:<28}{summary(rows)}", flush=True)


if __name__ == "__main__":
    main()
