"""Draws of a graph's tables from their posterior, of a fit and of refits of its mixture (Gibbs)."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial, reduce
from typing import TypeAlias

import networkx as nx
import numpy as np
from sklearn.base import BaseEstimator

from .._base.grid import NodeGrid
from .._base.types import Samples, Values
from .._base.warn import warn_caller
from .._data.known_nodes import allowed_cells, outcome_names
from .._data.sample_weight import check_weights
from .._data.samples import read_knowledge
from .._data.several import check_rows_with
from .._fit.mixture_refits import MixtureRefits
from .._held_out.fits import completed_in_parts
from .._held_out.units import Units
from .._inference.kept_models import model_of, samples_of
from .._structure.digraphs import node_graph
from ..exceptions import InterruptionWarning
from ..graph import CategoricalDAG
from ._matched_refits import announced_refits

#: The tables of all nodes, draw by draw.
Draws: TypeAlias = list[Sequence[np.ndarray]]

#: Counts that each entry of a table has beforehand (Jeffreys).
PRIOR = 0.5

#: Draws that are thrown away, before the labels have forgotten where they began.
N_WARM_UP = 50

#: Those of a refit, which begins at its own best tables.
N_WARM_UP_OF_REFIT = 10

#: Refits at most, among which the draws are divided.
N_REFITS = 200

#: EM steps at most, by how much probabilities move in the last, and what empty rows have (all
#: arbitrary).
MOST_STEPS, MOVED, LEAST_COUNT = 500, 1e-5, 1e-9

#: A sample whose likeliest cell has less than this to fear keeps that cell.
CERTAIN = 1e-6


def parents_of(dag: nx.DiGraph) -> list[list[int]]:
    """Return the numbers of each node's parents, in the order of the axes of its table."""
    names = list(dag)
    return [[names.index(parent) for parent in dag.predecessors(node)] for node in names]


def joints(
    tables: Sequence[np.ndarray],
    parents: Sequence[Sequence[int]],
    sizes: tuple[int, ...],
    left_out: Sequence[int] = (),
) -> np.ndarray:
    """Multiply tables along the graph, (draw, \\*sizes); each has an axis of draws in front."""
    joint = np.ones((max(len(table) for table in tables), *sizes))
    for node, (table, axes) in enumerate(zip(tables, parents, strict=True)):
        family = [*axes, node]
        shape = [size if n in family else 1 for n, size in enumerate(sizes)]
        in_order = np.transpose(table, [0, *(1 + np.argsort(family))])
        if node not in left_out:
            joint *= in_order.reshape(len(table), *shape)
    return joint


@dataclass(frozen=True, kw_only=True)
class Grid:
    """Nodes, their parents, and which of them were set together."""

    sizes: tuple[int, ...]
    parents: list[list[int]]
    regimes: list[tuple[int, ...]]

    def priors_of(self, numbers: np.ndarray, tables: Sequence[np.ndarray]) -> np.ndarray:
        """Return the probability of each cell, up to a factor, in regimes of these numbers.

        The shape is (n_cells, len(numbers)), or (n_cells, 1) if there is one regime. The table of a
        node that was set is left out.
        """
        single = [table[None] for table in tables]
        priors = [joints(single, self.parents, self.sizes, was_set) for was_set in self.regimes]
        columns = np.stack([prior.ravel() for prior in priors], axis=1)
        return columns if len(priors) == 1 else columns[:, numbers]

    def family_counts(self, counts: np.ndarray, node: int) -> np.ndarray:
        """Return the counts of a node's table from those of the cells, (regime, cell).

        Samples in which the node was set say nothing of its table.
        """
        free = [k for k, was_set in enumerate(self.regimes) if node not in was_set]
        grid = counts[free].sum(axis=0).reshape(self.sizes)
        axes = [*self.parents[node], node]
        others = tuple(n for n in range(grid.ndim) if n not in axes)
        return np.transpose(grid.sum(axis=others), np.argsort(np.argsort(axes)))

    def drawn(self, counts: np.ndarray, rng: np.random.RandomState) -> list[np.ndarray]:
        """Draw the tables given the counts of the cells, (regime, cell): Dirichlet."""
        tables = []
        for node in range(len(self.sizes)):
            drawn = rng.standard_gamma(self.family_counts(counts, node) + PRIOR)
            tables.append(drawn / drawn.sum(axis=-1, keepdims=True))
        return tables


def counted(
    rows: np.ndarray, columns: np.ndarray, weights: np.ndarray, shape: tuple[int, ...]
) -> np.ndarray:
    """Return the sums of weights by rows and columns, of such a shape."""
    numbers = rows * shape[1] + columns
    return np.bincount(numbers, weights, minlength=shape[0] * shape[1]).reshape(shape)


@dataclass(frozen=True)
class Evidence:
    """What the samples say of their cells, whatever the tables are.

    Parameters
    ----------
    likelihoods : ndarray of shape (n_cells, n_uncertain)
        Of samples whose cell is not certain, up to a factor of each.
    weights : ndarray of shape (n_uncertain,)
        For how many samples each of them counts.
    numbers : ndarray of int of shape (n_uncertain,)
        Their regimes.
    certain : ndarray of shape (n_regimes, n_cells)
        Weights of the other samples.
    grid : Grid
        The graph by which they are put into cells.
    """

    likelihoods: np.ndarray
    weights: np.ndarray
    numbers: np.ndarray
    certain: np.ndarray
    grid: Grid

    @classmethod
    def of(
        cls,
        likelihoods: np.ndarray,
        weights: np.ndarray,
        numbers: np.ndarray,
        grid: Grid,
        tables: Sequence[np.ndarray],
    ) -> Evidence:
        """Set samples whose cell is certain, by tables near those to be drawn, apart.

        ``likelihoods`` has the shape (n_samples, n_cells).
        """
        likelihoods = np.ascontiguousarray(likelihoods.T)  # what is done cell by cell is fast
        posteriors = likelihoods * grid.priors_of(numbers, tables)
        is_open = posteriors.max(axis=0) < (1 - CERTAIN) * posteriors.sum(axis=0)
        rows, shape = numbers[~is_open], (len(grid.regimes), len(likelihoods))
        certain = counted(rows, posteriors[:, ~is_open].argmax(axis=0), weights[~is_open], shape)
        kept = likelihoods[:, is_open], weights[is_open], numbers[is_open]
        return cls(*kept, certain, grid)

    def likeliest(self, tables: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Return the tables under which samples are likeliest, by EM that begins at others."""
        for _ in range(MOST_STEPS):
            joint = self.likelihoods * self.grid.priors_of(self.numbers, tables)
            weights = joint * (self.weights / joint.sum(axis=0))
            which = self.numbers == np.arange(len(self.certain))[:, None]
            counts = self.certain + which.astype(float) @ weights.T
            nodes, before = range(len(self.grid.sizes)), tables
            families = [self.grid.family_counts(counts, node) + LEAST_COUNT for node in nodes]
            tables = [family / family.sum(axis=-1, keepdims=True) for family in families]
            if all(
                np.abs(new - old).max() < MOVED for new, old in zip(tables, before, strict=True)
            ):
                break
        return list(tables)

    def draws(
        self,
        tables: Sequence[np.ndarray],
        n_draws: int,
        rng: np.random.RandomState,
        n_warm_up: int = N_WARM_UP,
        asked: Grid | None = None,
    ) -> Draws:
        """Draw cells and tables by turns; return the tables of all nodes, draw by draw.

        ``tables`` are where it begins. ``asked`` is the graph whose tables are returned, by
        default that by which cells are drawn.
        """
        drawn: Draws = []
        n_open = len(self.numbers)
        for turn in range(-n_warm_up if n_open else 0, n_draws):
            counts = self.certain
            if n_open:
                sums = self.likelihoods * self.grid.priors_of(self.numbers, tables)
                for below, above in itertools.pairwise(sums):
                    above += below
                levels, cells = rng.uniform(size=n_open) * sums[-1], np.zeros(n_open, dtype=int)
                for limit in sums[:-1]:
                    cells += limit <= levels
                counts = counts + counted(self.numbers, cells, self.weights, counts.shape)
            tables = self.grid.drawn(counts, rng)
            if turn >= 0:
                drawn.append(tables if asked is None else asked.drawn(counts, rng))
        return drawn


@dataclass(frozen=True, kw_only=True)
class Likelihoods:
    """What samples say of their cells, and the graph and tables by which the fit answers.

    Parameters
    ----------
    values : ndarray of shape (n_samples, n_cells)
        Of the cells of the grid, up to a factor of each sample; contexts that are causes are
        further axes of the grid, of which a sample's labels are known.
    weights : ndarray of shape (n_samples,)
        For how many samples each counts.
    numbers : ndarray of int of shape (n_samples,)
        Their regimes.
    grid : Grid
        The graph.
    tables : list of ndarray
        The fit's, of all nodes and causes.
    units : Units
        What samples belong to.
    """

    values: np.ndarray
    weights: np.ndarray
    numbers: np.ndarray
    grid: Grid
    tables: list[np.ndarray]
    units: Units

    def evidence(self) -> Evidence:
        """Set samples apart whose cell is certain."""
        return Evidence.of(self.values, self.weights, self.numbers, self.grid, self.tables)

    def take(self, rows: np.ndarray) -> Likelihoods:
        """Return some of the samples."""
        parts = self.values[rows], self.weights[rows], self.numbers[rows]
        units = self.units.take(np.arange(len(self.weights))[rows])
        return replace(self, values=parts[0], weights=parts[1], numbers=parts[2], units=units)

    def by_group(self, codes: np.ndarray, n_groups: int) -> Likelihoods:
        """Return the same with the group, one more axis, as the first parent of every node.

        ``codes`` of shape (n_samples,) are the numbers of the groups.
        """
        counts = np.bincount(codes, self.weights, n_groups)
        group, sizes = len(self.grid.sizes), (*self.grid.sizes, n_groups)
        parents = [[group, *axes] for axes in self.grid.parents] + [[]]
        values = self.values[:, :, None] * np.eye(n_groups)[codes][:, None]
        repeated = [np.broadcast_to(table, (n_groups, *table.shape)) for table in self.tables]
        return replace(
            self,
            values=values.reshape(len(values), -1),
            grid=replace(self.grid, sizes=sizes, parents=parents),
            tables=[*repeated, counts / counts.sum()],
        )


def likelihoods_of_fit(est: BaseEstimator, X: Samples, params: Values, units: Units) -> Likelihoods:
    """Take the fit's tables out of the probabilities of samples' cells."""
    dag = node_graph(est.dag_)
    sizes = est.joint_.shape
    graph = CategoricalDAG(node_graph(est.dag_, with_causes=True), est.cpts_)
    probabilities = np.asarray(est.predict_proba(X), dtype=np.float64)
    n_samples = len(probabilities)
    stated = params.get("known_nodes"), params.get("interventions")
    check_rows_with(X, known_nodes=stated[0], interventions=stated[1])
    nodes = dict(zip(dag, sizes, strict=True))
    knowledge = read_knowledge(*stated, n_samples, nodes, outcome_names(dag))
    likelihoods = np.zeros_like(probabilities)
    cells = NodeGrid(sizes).cells(est.cluster_states_)
    labels, priors = np.ones((n_samples, 1)), graph.joint().reshape(1, -1)[:, cells]
    if hasattr(est, "contexts_"):
        model, modalities = model_of(est), samples_of(est, X)
        codes = model.labelled(modalities).codes
        priors = model.weights_of(codes)  # those by which it answers
        if causes := graph.sizes[len(sizes) :]:
            rows = np.ravel_multi_index(tuple(codes[model.contexts.is_cause]), causes)
            labels = np.eye(math.prod(causes))[rows]
    likelihoods[:, cells] = probabilities / np.maximum(priors, np.finfo(float).tiny)
    if knowledge.known_nodes is not None:
        allowed = allowed_cells(knowledge.known_nodes, sizes).T
        fits = (likelihoods * allowed).any(axis=1, keepdims=True)
        likelihoods = np.where(fits, likelihoods, 1.0) * allowed
    given = params.get("sample_weight")
    weights = np.ones(n_samples) if given is None else check_weights(given, n_samples)
    likelihoods = (likelihoods[:, :, None] * labels[:, None]).reshape(n_samples, -1)
    numbers = knowledge.regime_index
    if numbers is None:
        numbers = np.zeros(n_samples, dtype=np.int64)
    grid = Grid(sizes=graph.sizes, parents=parents_of(graph.graph), regimes=knowledge.regimes)
    tables = [est.cpts_[name] for name in graph.nodes]
    return Likelihoods(
        values=likelihoods,
        weights=units.weights(weights),
        numbers=numbers,
        grid=grid,
        tables=tables,
        units=units,
    )


def draws_of_refits(
    est: BaseEstimator,
    kept: MixtureRefits,
    n_draws: int,
    rng: np.random.RandomState,
    n_jobs: int | None,
    verbose: int | None,
) -> Draws:
    """Draw tables from each of many refits of the mixture, in parts of these."""
    if est._fitted.spec.causes:
        raise ValueError(
            "refit='mixture' does not know tables that depend on contexts with role='cause': leave "
            "refit at None, or use edge_confidence(refit='mixture') for the graph."
        )
    parents = parents_of(node_graph(est.dag_))
    grid = Grid(sizes=est.joint_.shape, parents=parents, regimes=kept.regimes)
    n_refits = min(N_REFITS, n_draws)
    seeds = rng.randint(2**31 - 1, size=n_refits).tolist()
    n_each = -(-n_draws // n_refits)
    call = partial(_draw_of_refits, kept, grid, n_each)
    lines = announced_refits(est, n_refits, False, n_jobs, verbose, "table_intervals")
    refits, interrupted = completed_in_parts(call, seeds, kept.at_once, n_jobs, lines)
    if interrupted:
        warn_caller(
            f"Interrupted: the intervals are from {len(refits)} of {n_refits} refits.",
            InterruptionWarning,
        )
    return [tables for drawn in refits.values() for tables in drawn][:n_draws]


def _draw_of_refits(
    kept: MixtureRefits, asked: Grid, n_draws: int, seeds: Sequence[int]
) -> list[Draws]:
    """Draw tables from some refits: cells by the graph of each, then the tables that are asked."""
    draws = []
    replicates = kept.replicates(seeds, arranges=False)
    for seed, (_, graph, likelihoods) in zip(seeds, replicates, strict=True):
        parents = [np.flatnonzero(column).tolist() for column in graph.adjacency.T]
        grid = replace(asked, parents=parents)
        joint = reduce(np.multiply, graph.tables).reshape(1, -1).repeat(len(asked.regimes), axis=0)
        families = [grid.family_counts(joint, node) for node in range(len(parents))]
        tables = [family / family.sum(axis=-1, keepdims=True) for family in families]
        evidence = Evidence.of(likelihoods, kept.weights, kept.regime_index, grid, tables)
        rng = np.random.RandomState([seed, 1])
        draws.append(evidence.draws(tables, n_draws, rng, N_WARM_UP_OF_REFIT, asked))
    return draws
