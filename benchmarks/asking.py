"""What fits say of modalities, of what to measure next, and of groups: is it true?

Run with OMP_NUM_THREADS=1.

    python benchmarks/asking.py --tables links gain groups --fits 50 --seed 0 --out asking.md

*links*: two or three nodes, each shown by one or two of three tables of six columns, outcomes 2.5
to 4 standard deviations apart in each of two columns; 400 samples. Is ``alone`` of
``modality_evidence`` at least .3 where a table shows a node, and nowhere else? ``said`` is compared
with how often a table alone is right of further samples.

*gain*: what ``information_gain`` expects of a modality beside by how much the entropy falls once it
is measured, of further samples; and the share of right outcomes after one measurement, by what it
chooses, by the best of all fixed orders (chosen in hindsight, with these very samples), and by
chance. *Planted*: four kinds; the table that all samples have tells pairs, of two others each tells
the kinds within one pair. *Tables* are those of *links*, *quarters* those of scikit-learn's digits;
samples have one modality to begin with, by chance.

*groups*: networks of three binary nodes as in ``intervals.py``, 400 samples, each node in four
columns of its own; eight data sets per seed with known clusters and graph, and fits. Groups are
drawn by chance and by the outcome of a node without parents, once and twice. Which of the intervals
at 90 % of shares and tables hold the truth, and which p-values are below .05, .1 and .5 where a
node's true table, along the graph that was found, does not differ and where it does; beside them
the likelihood ratio test of hard labels.
"""

from __future__ import annotations

import argparse
import itertools
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import networkx as nx
import numpy as np
from graph import row, table
from intervals import KINDS, KnownClusters, draw, hits, tables_of
from scipy.special import xlogy
from scipy.stats import chi2, norm
from sklearn.datasets import load_digits

from skcausalpima import CausalPIMA
from skcausalpima._held_out.matching import align_nodes, outcome_indicators
from skcausalpima.inspection import information_gain, table_intervals
from skcausalpima.metrics import node_recovery

RIGHT = 0.95  # least accuracy of each node


def fit(sizes: Sequence[int], X, seed: int) -> CausalPIMA:
    """Fit with default settings; what it says of itself is not asked here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return CausalPIMA(tuple(sizes), random_state=seed).fit(X)


def only(X: Sequence[np.ndarray], kept: np.ndarray) -> list[np.ndarray]:
    """Return samples with the modalities that are kept, (n_samples, n_modalities)."""
    return [np.where(kept[:, [m]], x, np.nan) for m, x in enumerate(X)]


# --- data ------------------------------------------------------------------------------------


def linked_tables(seed: int, n_samples: int):
    """Return tables, outcomes, and which table shows which node."""
    rng = np.random.default_rng([seed, 55])
    sizes = [(2, 2), (2, 3), (2, 2, 2)][seed % 3]
    links = np.zeros((3, len(sizes)), dtype=bool)
    for node in range(len(sizes)):
        links[rng.choice(3, rng.integers(1, 3), replace=False), node] = True
    first = rng.choice(sizes[0], n_samples, p=rng.dirichlet([20] * sizes[0]))
    outcomes = [first]
    for size in sizes[1:]:
        rows = rng.dirichlet([8] * size, size=sizes[0])
        outcomes.append((rng.random(n_samples)[:, None] > rows.cumsum(axis=1)[first]).sum(axis=1))
    X = [rng.normal(size=(n_samples, 6)) for _ in range(3)]
    for m, node in zip(*np.nonzero(links), strict=True):
        columns = rng.choice(6, 2, replace=False)
        steps = rng.uniform(2.5, 4.0) * rng.choice([-1, 1], 2)
        places = rng.permuted(np.tile(np.arange(sizes[node]), (2, 1)), axis=1)
        X[m][:, columns] += steps * places[:, outcomes[node]].T
    return sizes, X, np.stack(outcomes, axis=1), links


def planted(seed: int, n_samples: int):
    """Return three tables of four kinds: pairs, and kinds within the one and the other pair."""
    rng = np.random.default_rng([seed, 56])
    kind = rng.integers(4, size=n_samples)
    signals = [kind // 2, (kind == 1) * 1.0, (kind == 3) * 1.0]
    X = [rng.normal(size=(n_samples, 4)) + 3.0 * signal[:, None] for signal in signals]
    return (4,), X, kind[:, None]


def quarters(seed: int, n_samples: int):
    """Return the quarters of images of digits."""
    digits = load_digits()
    rows = np.random.default_rng([seed, 57]).choice(len(digits.target), n_samples, replace=False)
    images = digits.images[rows] / 16.0
    X = [
        images[:, i : i + 4, j : j + 4].reshape(n_samples, 16)
        for i, j in np.ndindex(8, 8)
        if i % 4 == 0 and j % 4 == 0
    ]
    return (10,), X, digits.target[rows][:, None]


# --- links -----------------------------------------------------------------------------------


def links(seeds: Sequence[int]) -> list[str]:
    """Compare what modalities show with what they were made to show."""
    n_right = n_linked = 0
    shown, hidden, errors = [], [], []
    for seed in seeds:
        sizes, X, outcomes, linked = linked_tables(seed, 1400)
        est = fit(sizes, [x[:400] for x in X], seed)
        accuracies, nodes = node_recovery(outcomes[:400], est.node_labels_)
        if accuracies.min() < RIGHT:
            continue
        new = [x[400:] for x in X]
        evidence = est.modality_evidence(new)
        alone = evidence.alone[:, nodes]
        n_right += 1
        n_linked += bool(np.array_equal(alone >= 0.3, linked))
        shown += alone[linked].tolist()
        hidden += alone[~linked].tolist()
        for m in range(3):
            kept = np.zeros((1000, 3), dtype=bool)
            kept[:, m] = True
            answers = est.predict_nodes(only(new, kept))
            for factor, node in enumerate(nodes):
                is_right = agreement(est, outcomes, answers, factor, node)
                errors.append(evidence.said[m, node] - is_right)
        print(f"links: seed {seed}, {n_linked} of {n_right}", flush=True)
    cells = [
        f"{n_linked} of {n_right}",
        f"{np.min(shown):.2f}, {np.median(shown):.2f}",
        f"{np.median(hidden):.2f}, {np.max(hidden):.2f}",
        f"{np.mean(errors):.3f}",
        f"{np.quantile(np.abs(errors), 0.95):.3f}, {np.abs(errors).max():.3f}",
    ]
    heads = ["links right", "alone where shown: least, median", "where not: median, largest"]
    heads += ["said - right: mean", "|said - right|: 95 %, largest"]
    return table(f"of {len(seeds)} fits, nodes right", heads, [row("tables", *cells)])


def agreement(
    est: CausalPIMA, outcomes: np.ndarray, answers: np.ndarray, factor: int, node: int
) -> float:
    """Return how often answers of further samples are right, outcomes matched in the fit's own."""
    n_fitted = len(est.node_labels_)
    counts = np.zeros((int(outcomes[:, factor].max()) + 1, est.joint_.shape[node]))
    np.add.at(counts, (outcomes[:n_fitted, factor], est.node_labels_[:, node]), 1)
    return float((counts.argmax(axis=0)[answers[:, node]] == outcomes[n_fitted:, factor]).mean())


# --- what to measure next --------------------------------------------------------------------


def entropies(est: CausalPIMA, X) -> np.ndarray:
    """Return the entropies of nodes, (n_samples, n_nodes)."""
    tables = est.predict_nodes(X, probabilities=True).values()
    return np.stack([-xlogy(t, t).sum(axis=1) for t in map(np.float64, tables)], axis=1)


def one_loop(make: Callable, seed: int, first: int | None) -> tuple[np.ndarray, list[float]]:
    """Fit, choose, measure: expected and realised gains, and what is right after each way."""
    n_train, n_new = (1200, 400) if make is quarters else (600, 400)
    sizes, X, outcomes, *_ = make(seed, n_train + n_new)
    est, new = fit(sizes, [x[:n_train] for x in X], seed), [x[n_train:] for x in X]
    rng, n_modalities = np.random.default_rng([seed, 58]), len(X)
    given = rng.integers(n_modalities, size=n_new) if first is None else np.full(n_new, first)
    kept = np.eye(n_modalities, dtype=bool)[given]
    before = entropies(est, only(new, kept))
    gain = information_gain(est, only(new, kept), random_state=seed)
    pairs, after = [], np.zeros((n_modalities, n_new))  # is it right if this is measured?
    matched = node_recovery(outcomes[:n_train], est.node_labels_).permutation
    for m in range(n_modalities):
        measured = kept.copy()
        measured[:, m] = True
        answers = est.predict_nodes(only(new, measured))
        for factor, node in enumerate(matched):
            counts = np.zeros((int(outcomes[:, factor].max()) + 1, sizes[factor]))
            np.add.at(counts, (outcomes[:n_train, factor], est.node_labels_[:, node]), 1)
            guesses = counts.argmax(axis=0)[answers[:, node]]
            after[m] += (guesses == outcomes[n_train:, factor]) / len(matched)
        lacking = ~kept[:, m]
        if lacking.any():
            realised = before - entropies(est, only(new, measured))
            pairs.append([gain.gain[lacking, m].mean(axis=0), realised[lacking].mean(axis=0)])
    rows = np.arange(n_new)
    chosen = after[gain.best, rows].mean()
    fixed = [
        after[np.where(given == order[0], order[1], order[0]), rows].mean()
        for order in itertools.permutations(range(n_modalities), 2)
    ]
    chance = (after.T[~kept]).mean()
    return np.concatenate(pairs, axis=1), [chosen, max(fixed), float(chance)]


def gain(seeds: Sequence[int]) -> list[str]:
    """Compare expected with realised gains, and choices with fixed orders."""
    rows = []
    cases = {
        "planted": (planted, 0),
        "tables": (linked_tables, None),
        "quarters": (quarters, None),
    }
    for name, (make, first) in cases.items():
        some = seeds if make is not quarters else seeds[: max(1, len(seeds) // 4)]
        started, pairs, scores = time.process_time(), [], []
        for seed in some:
            found, score = one_loop(make, seed, first)
            pairs.append(found)
            scores.append(score)
        expected, realised = np.concatenate(pairs, axis=1)
        error, means = expected - realised, np.mean(scores, axis=0)
        margin = np.subtract(*np.transpose(scores)[:2])
        most = np.quantile(np.abs(error), [0.95, 1.0])
        cells = [
            f"{error.mean():+.3f}, {most[0]:.3f}, {most[1]:.3f}",
            *(f"{mean:.3f}" for mean in means),
            f"{margin.mean():+.3f}, {margin.min():+.3f}",
        ]
        rows.append(row(f"{name}, {len(some)} fits", *cells))
        print(rows[-1], f"{time.process_time() - started:.0f} s", flush=True)
    heads = ["expected - realised (nats): mean, 95 %, largest", "right: chosen", "best order"]
    return table("measured next", [*heads, "chance", "chosen - best order: mean, least"], rows)


# --- groups ----------------------------------------------------------------------------------


def label_test(labels: np.ndarray, codes: np.ndarray, node: int, parents: Sequence[int]) -> float:
    """Return the p-value of the likelihood ratio of hard labels, row by row of a table."""
    statistic = n_free = 0.0
    for combination in np.unique(labels[:, parents], axis=0):
        rows = (labels[:, parents] == combination).all(axis=1)
        counts = np.zeros((2, 2))
        np.add.at(counts, (codes[rows], labels[rows, node]), 1)
        counts = counts[counts.sum(axis=1) > 0][:, counts.sum(axis=0) > 0]
        sums = counts, counts.sum(axis=1), counts.sum(axis=0), counts.sum()
        parts = [xlogy(part, part).sum() for part in sums]
        statistic += 2 * (parts[0] - parts[1] - parts[2] + parts[3])
        n_free += (counts.shape[0] - 1) * (counts.shape[1] - 1)
    return float(chi2.sf(statistic, n_free)) if n_free else 1.0


def in_terms_of(est: CausalPIMA, outcomes: np.ndarray, joints: np.ndarray):
    """Return true joints (group, a, b, c) with nodes and outcomes as the fit's, and agreement."""
    indicators = outcome_indicators(est.node_labels_, est.joint_.shape)
    aligned, order, _ = align_nodes(outcomes, indicators)
    joints = np.transpose(joints, [0, *(1 + np.asarray(order))])
    for k, old in enumerate(order):
        if (aligned[:, k] != outcomes[:, old]).mean() > 0.5:  # its two outcomes are swapped
            joints = np.flip(joints, axis=1 + k)
    return joints, (aligned == est.node_labels_).mean(axis=0).min()


def compared_groups(est, X, truth, outcomes: np.ndarray, seed: int, n_turns: int = 2):
    """Draw groups by chance and by a root; return hits of shares and tables, and p-values.

    A fit's nodes are matched with the true ones, those of known clusters are these.
    """
    rng, held = np.random.default_rng([seed, 59]), ([], [])
    p_values = {False: [], True: []}
    roots = [k for k, node in enumerate(truth.nodes) if truth.graph.in_degree(node) == 0]
    names = list(est.dag_)
    for turn, shift in itertools.product(range(n_turns), (0.0, 0.15)):
        of_root = np.array([0.5 - shift, 0.5 + shift])
        codes = (rng.random(len(outcomes)) < of_root[outcomes[:, roots[0]]]).astype(int)
        by_root = of_root.reshape([2 if k == roots[0] else 1 for k in range(3)])
        joints = np.stack([truth.joint() * (1 - by_root), truth.joint() * by_root])
        joints = joints / joints.sum(axis=(1, 2, 3), keepdims=True)
        if isinstance(est, CausalPIMA):
            joints = in_terms_of(est, outcomes, joints)[0]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of fits that may be wrong
            found = table_intervals(est, X, by=codes, n_draws=400, random_state=turn).by
        places = [found.labels.index(k) for k in (0, 1)]
        tables = [tables_of(joint, est.dag_) for joint in joints]
        for k, place in enumerate(places):
            shares = {
                name: joints[k].sum(axis=tuple(a for a in range(3) if a != axis))
                for axis, name in enumerate(names)
            }
            ends = (
                (found.share_low, found.share_high, shares),
                (found.low, found.high, tables[k]),
            )
            for kept, (low, high, right) in zip(held, ends, strict=True):
                kept += hits(*({n: part[n][place] for n in names} for part in (low, high)), right)
        for axis, name in enumerate(names):
            parents = [names.index(parent) for parent in est.dag_.predecessors(name)]
            differs = not np.allclose(tables[0][name], tables[1][name], atol=1e-9)
            hard = label_test(est.predict_nodes(X), codes, axis, parents)
            p_values[differs].append([found.p_value[name], hard])
    return held, p_values


def groups(seeds: Sequence[int]) -> list[str]:
    """Cover shares and tables of groups, and count small p-values."""
    rows = []
    for noise in (0.3, 0.7, 1.0):
        results = []
        for seed in range(8 * seeds[0], 8 * (seeds[-1] + 1)):
            truth, outcomes, X, values = draw(KINDS[seed % len(KINDS)], seed, 400, noise, 0.03)
            nx.set_node_attributes(truth.graph, 2, "size")
            est = KnownClusters(truth.graph, values, truth.sizes)
            results.append(compared_groups(est, X, truth, outcomes, seed, n_turns=1))
        rows.append(row(f"known, {2 / noise:.1f} sd: {len(results)} data sets", *told(results)))
        print(rows[-1], flush=True)
    for noise in (0.3, 0.5):
        kept: dict[str, list] = {"all": [], "nodes right": []}
        for seed in seeds:
            truth, outcomes, X, _ = draw(KINDS[seed % len(KINDS)], seed, 400, noise, 0.03)
            est = fit((2, 2, 2), X, seed)
            accuracy = in_terms_of(est, outcomes, truth.joint()[None])[1]
            result = compared_groups(est, X, truth, outcomes, seed)
            kept["all"].append(result)
            if accuracy >= norm.cdf(1 / noise) - 0.02:
                kept["nodes right"].append(result)
        for name, results in kept.items():
            if results:
                rows.append(row(f"{2 / noise:.1f} sd, {name}: {len(results)} fits", *told(results)))
                print(rows[-1], flush=True)
    heads = ["shares covered", "tables covered", "p below .05, .1, .5 where nothing differs"]
    heads += ["the same by hard labels", "p below .05 where it differs", "by hard labels"]
    return table("groups", heads, rows)


def told(results: Sequence[tuple]) -> list[str]:
    """Write shares of hits and of small p-values."""
    cells = [f"{np.mean([h for r in results for h in r[0][k]]):.3f}" for k in (0, 1)]
    for differs in (False, True):
        p = np.array([pair for r in results for pair in r[1][differs]]).reshape(-1, 2)
        levels = (0.05, 0.1, 0.5) if not differs else (0.05,)
        cells += [", ".join(f"{(p[:, k] < q).mean():.3f}" for q in levels) for k in (0, 1)]
    return cells


TABLES = {"links": links, "gain": gain, "groups": groups}


def main() -> None:
    """Make the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tables", nargs="+", choices=TABLES, default=list(TABLES))
    parser.add_argument("--fits", type=int, default=50, help="of each sort")
    parser.add_argument("--seed", type=int, default=0, help="the first")
    parser.add_argument("--out", type=Path, default=Path("asking.md"))
    arguments = parser.parse_args()
    seeds, lines = list(range(arguments.seed, arguments.seed + arguments.fits)), []
    for name in arguments.tables:
        lines += TABLES[name](seeds)
        arguments.out.write_text("\n".join(lines))


if __name__ == "__main__":
    main()
