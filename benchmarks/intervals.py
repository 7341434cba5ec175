"""How often intervals of tables, and of what interventions do, hold the truth.

Run with OMP_NUM_THREADS=1.

    python benchmarks/intervals.py --seeds 0-199 --fits 0-49 --out intervals.md
    python benchmarks/intervals.py --seeds "" --fits "" --refit 0-19 --out refits.md

Each seed draws a network of three binary nodes and samples whose every node shows in a modality of
its own; ``noise`` says how far its two outcomes overlap. Every figure is the share of intervals at
90 % that hold the truth, for the tables of ``cpts_`` and for the outcomes of all other nodes where
one is set. *Clusters known*: the densities of the clusters, and the graph, are the true ones, and
the tables are fitted by EM. *Fits*: :class:`CausalPIMA`, default settings, every cell with at
least 3 % of the samples; the truth is the true distribution read along the graph that was found,
with nodes and outcomes matched.

Methods: ``posterior`` is :func:`table_intervals`; ``rows`` takes means of responsibilities over
bootstrap samples of rows, ``labels`` the Dirichlet posterior of the counts of hard labels.

``--refit`` has :func:`table_intervals` beside itself with ``refit="mixture"``, of fits to 300
samples whose nodes show in three columns of one table each, outcomes 4, 5 or 6 standard deviations
apart. Nodes are right there whose outcomes are right as often as they can be, less .02.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Sequence
from pathlib import Path

import networkx as nx
import numpy as np
from graph import CLASSES, random_network, row, table
from scipy.stats import norm
from sklearn.base import BaseEstimator

from skcausalpima import CausalPIMA
from skcausalpima._base.grid import NodeGrid
from skcausalpima._held_out.matching import align_nodes, outcome_indicators
from skcausalpima.graph import CategoricalDAG
from skcausalpima.inspection import TableIntervals, table_intervals

METHODS = ("posterior", "labels", "rows")
WAYS = ("posterior", "refits")
DISTANCES = (4.0, 5.0, 6.0)  # of the outcomes of a node, in standard deviations
LEVEL = 0.9
RIGHT = 0.97  # least share of samples whose outcome of each node is the true one
KINDS = ("v-structure", "chain", "one edge", "independent")


# --- models ----------------------------------------------------------------------------------


class KnownClusters(BaseEstimator):
    """What :func:`table_intervals` asks of an estimator, with true densities and a given graph."""

    def __init__(self, graph: nx.DiGraph, likelihoods: np.ndarray, sizes: tuple[int, ...]) -> None:
        self.likelihoods, self.dag_, self.joint_ = likelihoods, graph, np.full(sizes, 1.0)
        self.cluster_states_ = NodeGrid(sizes).outcomes()
        self.joint_ /= self.joint_.sum()
        for _ in range(200):
            self.cpts_ = tables_of(self.predict_proba(None).mean(axis=0).reshape(sizes), graph)
            self.joint_ = CategoricalDAG(graph, self.cpts_).joint()

    @property
    def weights_(self) -> np.ndarray:
        """The joint in the order of the components."""
        return self.joint_.ravel()

    def fit(self, X: None) -> KnownClusters:
        """Nothing is left to fit."""
        return self

    def predict_proba(self, X: None) -> np.ndarray:
        """Return the probabilities of the cells; the samples are its own."""
        found = self.likelihoods * self.joint_.ravel()
        return found / found.sum(axis=1, keepdims=True)

    def predict_nodes(self, X: None) -> np.ndarray:
        """Return the likeliest outcomes."""
        return self.cluster_states_[self.predict_proba(X).argmax(axis=1)]

    def __sklearn_is_fitted__(self) -> bool:
        return True


def tables_of(joint: np.ndarray, graph: nx.DiGraph) -> dict[str, np.ndarray]:
    """Return the tables of a graph that a joint distribution has."""
    names, tables = list(graph), {}
    for node in names:
        axes = [*(names.index(parent) for parent in graph.predecessors(node)), names.index(node)]
        others = tuple(k for k in range(joint.ndim) if k not in axes)
        family = np.transpose(joint.sum(axis=others), np.argsort(np.argsort(axes)))
        tables[node] = family / family.sum(axis=-1, keepdims=True)
    return tables


# --- intervals -------------------------------------------------------------------------------


def intervals(method: str, est, X, seed: int, n_draws: int = 400) -> TableIntervals:
    """Return the intervals of one method."""
    if method in WAYS:
        refit = "mixture" if method == "refits" else None
        options = {"level": LEVEL, "n_draws": n_draws, "random_state": seed}
        return table_intervals(est, X, refit=refit, **options)
    rng, sizes, cells = np.random.RandomState(seed), est.joint_.shape, est.cluster_states_
    places = NodeGrid(sizes).cells(cells)
    found = est.predict_proba(X)
    draws = []
    for _ in range(n_draws):
        grid = np.zeros(found.shape[1])
        if method == "rows":
            grid[places] = found[rng.randint(len(found), size=len(found))].sum(axis=0) + 1e-9
            draws.append(tables_of(grid.reshape(sizes), est.dag_))
            continue
        grid[places] = np.bincount(found.argmax(axis=1), minlength=len(places))
        counts = family_counts(grid.reshape(sizes), est.dag_)
        gammas = {node: rng.standard_gamma(count + 0.5) for node, count in counts.items()}
        draws.append({node: g / g.sum(axis=-1, keepdims=True) for node, g in gammas.items()})
    names = tuple(est.dag_)
    stacked = {node: np.stack([draw[node] for draw in draws]) for node in names}
    ends = {
        n: np.quantile(d, [0.5 - LEVEL / 2, 0.5 + LEVEL / 2], axis=0) for n, d in stacked.items()
    }
    return TableIntervals(
        low={node: low for node, (low, _) in ends.items()},
        high={node: high for node, (_, high) in ends.items()},
        level=LEVEL,
        node_names=names,
        dag=est.dag_,
        draws=stacked,
    )


def family_counts(grid: np.ndarray, graph: nx.DiGraph) -> dict[str, np.ndarray]:
    """Return the counts that each table is made from."""
    names, counts = list(graph), {}
    for node in names:
        axes = [*(names.index(parent) for parent in graph.predecessors(node)), names.index(node)]
        others = tuple(k for k in range(grid.ndim) if k not in axes)
        counts[node] = np.transpose(grid.sum(axis=others), np.argsort(np.argsort(axes)))
    return counts


def hits(low: dict, high: dict, truth: dict) -> list[bool]:
    """Say of each free probability whether its interval holds it; of two outcomes one is free."""
    found = []
    for node, values in truth.items():
        inside = (low[node] <= values) & (values <= high[node])
        found += inside[..., :-1].ravel().tolist()
    return found


def coverage(
    est,
    X,
    truth: CategoricalDAG,
    along: CategoricalDAG,
    seed: int,
    methods: Sequence[str] = METHODS,
) -> dict:
    """Return, by method, which intervals of tables and of interventions hold the truth.

    ``along`` has the true distribution on the graph of ``est``.
    """
    found = {}
    for method in methods:
        held = intervals(method, est, X, seed)
        effects = []
        for node in held.node_names:
            changed = held.intervene({node: 1})
            others = [name for name in held.node_names if name != node]
            right = truth.do({node: 1})
            effects += hits(changed.low, changed.high, {n: right.marginal([n]) for n in others})
        found[method] = (hits(held.low, held.high, along.cpts), effects)
    return found


# --- data ------------------------------------------------------------------------------------


def draw(kind: str, seed: int, n_samples: int, noise: float, least_cell: float = 0.0):
    """Return a network, outcomes, features, and the likelihoods of the cells."""
    rng = np.random.RandomState(seed)
    truth = random_network("abc", CLASSES[kind], rng, least_share=0.1)
    while truth.joint().min() < least_cell:
        truth = random_network("abc", CLASSES[kind], rng, least_share=0.1)
    outcomes = truth.sample(n_samples, rng)
    centres = [rng.normal(size=(2, 4)) for _ in truth.nodes]
    centres = [c * 2.0 / np.linalg.norm(c[0] - c[1]) for c in centres]  # two units apart
    X = [
        c[column] + noise * rng.normal(size=(n_samples, 4))
        for c, column in zip(centres, outcomes.T, strict=True)
    ]
    logs = [
        -0.5 * np.square((x[:, None] - c) / noise).sum(axis=2)
        for x, c in zip(X, centres, strict=True)
    ]
    likelihoods = np.ones((n_samples, 8))
    for node, log in enumerate(logs):
        factor = np.exp(log - log.max(axis=1, keepdims=True))
        likelihoods *= factor[:, NodeGrid(truth.sizes).outcomes()[:, node]]
    return truth, outcomes, X, likelihoods


def in_terms_of(
    est: CausalPIMA, truth: CategoricalDAG, outcomes: np.ndarray
) -> tuple[np.ndarray, float]:
    """Return the true joint with nodes and outcomes as the estimator has them, and agreement."""
    indicators = outcome_indicators(est.node_labels_, est.joint_.shape)
    aligned, order, _ = align_nodes(outcomes, indicators)
    joint = np.transpose(truth.joint(), order)
    for k, old in enumerate(order):
        if (aligned[:, k] != outcomes[:, old]).mean() > 0.5:  # its two outcomes are swapped
            joint = np.flip(joint, axis=k)
    return joint, (aligned == est.node_labels_).mean(axis=0).min()


# --- tables ----------------------------------------------------------------------------------


def share(found: Sequence[bool]) -> str:
    """Write the share of hits."""
    return f"{np.mean(found):.3f}"


def summarize(name: str, results: Sequence[dict]) -> str:
    """Write the line of one kind of data."""
    cells = [
        share(np.concatenate([result[method][part] for result in results]))
        for method in results[0]
        for part in (0, 1)
    ]
    return row(name, *cells)


def columns(methods: Sequence[str] = METHODS) -> list[str]:
    """Return the heads of the columns."""
    return [f"{method}: {part}" for method in methods for part in ("tables", "interventions")]


def known_clusters(seeds: Sequence[int]) -> list[str]:
    """Cover with true densities and graphs."""
    rows = []
    for n_samples in (60, 300):
        for noise in (0.3, 1.0):
            results = []
            for seed in seeds:
                kind = KINDS[seed % len(KINDS)]
                truth, _, X, likelihoods = draw(kind, seed, n_samples, noise)
                est = KnownClusters(truth.graph, likelihoods, truth.sizes)
                results.append(coverage(est, X, truth, truth, seed))
            rows.append(summarize(f"n = {n_samples}, noise {noise}", results))
            print(rows[-1], flush=True)
    return table("clusters known", columns(), rows)


def fitted(seeds: Sequence[int]) -> list[str]:
    """Cover with fits: all of them, and those whose nodes are the true ones."""
    rows = []
    for noise in (0.3, 0.5):
        results, is_right = [], []
        for seed in seeds:
            kind = KINDS[seed % len(KINDS)]
            truth, outcomes, X, _ = draw(kind, seed, 400, noise, least_cell=0.03)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                est = CausalPIMA((2, 2, 2), random_state=seed).fit(X)
            joint, accuracy = in_terms_of(est, truth, outcomes)
            along = CategoricalDAG(est.dag_, tables_of(joint, est.dag_))
            results.append(coverage(est, X, along, along, seed))
            is_right.append(accuracy >= RIGHT)
        right = [result for result, good in zip(results, is_right, strict=True) if good]
        rows.append(summarize(f"n = 400, noise {noise}, all {len(results)} fits", results))
        if right:
            rows.append(summarize(f"the {len(right)} whose nodes are right", right))
        print("\n".join(rows[-2:]), flush=True)
    return table("fits", columns(), rows)


def refitted(seeds: Sequence[int]) -> list[str]:
    """Cover with fits to one table, with refits and without."""
    rows = []
    for distance in DISTANCES:
        results, right = [], []
        for seed in seeds:
            kind = KINDS[seed % len(KINDS)]
            truth, outcomes, X, _ = draw(kind, seed, 300, 2 / distance, least_cell=0.03)
            X = np.hstack(X)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                est = CausalPIMA((2, 2, 2), scale="modality", random_state=seed).fit(X)
            joint, accuracy = in_terms_of(est, truth, outcomes)
            along = CategoricalDAG(est.dag_, tables_of(joint, est.dag_))
            results.append(coverage(est, X, along, along, seed, WAYS))
            right += results[-1:] if accuracy >= norm.cdf(distance / 2) - 0.02 else []
        for name, chosen in (("all", results), ("nodes right:", right)):
            if chosen:
                n = sum(len(part) for result in chosen for part in result["refits"])
                told = f"{distance} sd, {name} {len(chosen)} fits, {n} intervals"
                rows.append(summarize(told, chosen))
                print(rows[-1], flush=True)
    return table("refits of the mixture", columns(WAYS), rows)


def parse_range(text: str) -> range:
    """Read first and last."""
    first, last = map(int, text.split("-"))
    return range(first, last + 1)


def main() -> None:
    """Make the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", default="0-199", help="of known clusters: first and last, or ''")
    parser.add_argument("--fits", default="0-49", help="of fits: first and last, or ''")
    parser.add_argument("--refit", default="", help="of fits that are refitted: first and last")
    parser.add_argument("--out", type=Path, default=Path("intervals.md"))
    arguments = parser.parse_args()
    parts = {
        known_clusters: arguments.seeds,
        fitted: arguments.fits,
        refitted: arguments.refit,
    }
    lines = [line for part, text in parts.items() if text for line in part(parse_range(text))]
    arguments.out.write_text("\n".join(lines))


if __name__ == "__main__":
    main()
