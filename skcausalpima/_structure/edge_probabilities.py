"""Posterior probabilities of edges, averaged exactly over all DAGs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from math import comb, prod

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq
from scipy.special import logsumexp

from .constraints import EdgeConstraints
from .scores import FamilyScores, over_subsets

MAX_PROBABILITY_NODES = 10

#: Share of the pairs of nodes that an edge joins, beforehand.
PRIOR_DENSITY = 0.55

#: "auto" averages over as many equivalent sample sizes, from one sample to four a cell.
N_SAMPLE_SIZES, MOST_PER_CELL = 7, 4.0


def edge_probabilities(
    counts: ArrayLike,
    constraints: EdgeConstraints | None = None,
    *,
    equivalent_sample_size: float | str = "auto",
    edge_cost: float = 0.0,
    node_counts: Sequence[ArrayLike] | None = None,
) -> NDArray[np.float64]:
    r"""Return the posterior probability of every directed edge.

    A graph's weight is its marginal likelihood (BDeu, see `FamilyScores`), and :math:`e^{-c}` for
    each of its edges, where c makes `PRIOR_DENSITY` the share of joined pairs over all DAGs.
    Graphs of one equivalence class so weigh the same. "auto" averages over the equivalent sample
    size as well: how unequal the entries of tables are is not known, and a single size is
    overconfident on tables of another kind. The sizes are equally likely beforehand and weigh
    what they make of the counts.

    The average is exact, not a sum over orders, which would count a graph once per order
    that it agrees with: with :math:`A_v(U)` the summed weights of v's parent sets within U, the
    total weight of the DAGs over S is, by inclusion and exclusion over their sinks T (Tian and
    He 2009, Computing posterior probabilities of structural features in Bayesian networks, UAI),

    .. math:: Z(S) = \sum_{\emptyset \ne T \subseteq S} (-1)^{|T| + 1} Z(S \setminus T)
        \prod_{v \in T} A_v(S \setminus T),

    and an edge's probability is the ratio of two such totals. Every product is the weight of
    some of the DAGs over S, so none exceeds the sum and cancellation is harmless.

    Parameters
    ----------
    counts : array-like of shape (C_1, ..., C_L)
        Expected counts of the cells; at most `MAX_PROBABILITY_NODES` nodes (the work grows as 3
        to the number of nodes).
    constraints : EdgeConstraints, optional
        Edges that every or no graph has.
    equivalent_sample_size : "auto" or float, default="auto"
        Prior samples of BDeu; "auto" averages over seven sizes, in equal ratios from one sample
        to four for each cell.
    edge_cost : float, default=0.0
        Nats that every edge costs besides.
    node_counts : sequence of array-like of shape (C_1, ..., C_L), optional
        Per node the counts of the samples in which it was not intervened on.

    Returns
    -------
    ndarray of shape (n_nodes, n_nodes)
        ``[i, j]`` is the probability of i -> j; that of the adjacency i - j is the sum of
        ``[i, j]`` and ``[j, i]``.

    Examples
    --------
    >>> from skcausalpima._structure.edge_probabilities import edge_probabilities
    >>> edge_probabilities([[40.0, 10.0], [10.0, 40.0]]).round(3)
    array([[0. , 0.5],
           [0.5, 0. ]])
    """
    counts = np.asarray(counts, dtype=np.float64)
    n_nodes = counts.ndim
    constraints = constraints or EdgeConstraints.none(n_nodes)
    sizes, cost = prior_of_graphs(counts.shape, equivalent_sample_size, edge_cost)
    scores = [FamilyScores(counts, "bdeu", size, cost, node_counts) for size in sizes]
    totals = [_log_weights(score, constraints) for score in scores]
    log_weights = logsumexp(totals, axis=0)
    shares = np.exp(np.minimum(log_weights[:-1] - log_weights[-1], 0.0))
    probabilities = np.zeros((n_nodes, n_nodes))
    probabilities[~np.eye(n_nodes, dtype=bool)] = shares
    return probabilities


def prior_of_graphs(
    node_sizes: Sequence[int], equivalent_sample_size: float | str, edge_cost: float
) -> tuple[NDArray[np.float64], float]:
    """Return the equivalent sample sizes that are averaged over, and what an edge costs in all.

    Parameters are as in `edge_probabilities`.
    """
    if isinstance(equivalent_sample_size, str):
        most = max(MOST_PER_CELL * prod(node_sizes), 1.0)
        sizes = np.geomspace(1.0, most, N_SAMPLE_SIZES)
    else:
        sizes = np.array([equivalent_sample_size])
    return sizes, edge_cost + _density_cost(len(node_sizes))


@cache
def _density_cost(n_nodes: int) -> float:
    """Return the cost of an edge at which `PRIOR_DENSITY` of the pairs are joined."""
    if n_nodes < 2:
        return 0.0
    numbers = np.array(_dags_by_edges(n_nodes), dtype=np.float64)
    n_edges = np.arange(len(numbers))

    def surplus(cost: float) -> float:
        weights = numbers * np.exp(-cost * n_edges)
        return float(weights @ n_edges / weights.sum() / n_edges[-1] - PRIOR_DENSITY)

    return float(brentq(surplus, -1.0, 5.0))


@cache
def _dags_by_edges(n_nodes: int) -> list[int]:
    """Return how many DAGs of labelled nodes have 0, 1, .. edges, counted by their sinks."""
    if n_nodes == 0:
        return [1]
    numbers = [0] * (comb(n_nodes, 2) + 1)
    for k in range(1, n_nodes + 1):  # k sinks at least, which the others may point at
        sign, n_arrows = (-1) ** (k + 1) * comb(n_nodes, k), k * (n_nodes - k)
        for inner, number in enumerate(_dags_by_edges(n_nodes - k)):
            for arrows in range(n_arrows + 1):
                numbers[inner + arrows] += sign * number * comb(n_arrows, arrows)
    return numbers


def _log_weights(scores: FamilyScores, constraints: EdgeConstraints) -> NDArray[np.float64]:
    """Return the total log weights of the DAGs with each edge u -> v, by u and v, and of all."""
    n_nodes = scores.n_nodes
    family = scores.all_families(constraints)
    # Restrict, one edge u -> v at a time, the parent sets of v to those that hold u.
    edges = [(u, v) for u in range(n_nodes) for v in range(n_nodes) if u != v]
    masks = np.arange(1 << n_nodes)
    log_sums = np.repeat(over_subsets(family, np.logaddexp)[:, :, None], len(edges) + 1, axis=2)
    for index, (u, v) in enumerate(edges):
        with_edge = np.where(masks >> u & 1, family[v], -np.inf)
        log_sums[v, :, index] = over_subsets(with_edge[None], np.logaddexp)[0]
    return _log_total_weight(log_sums)


def _log_total_weight(log_sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return log Z of all nodes.

    ``log_sums[v, U, k]`` is log A_v(U) of problem k; there are as many results as problems.
    """
    n_nodes, n_sets, n_problems = log_sums.shape
    masks = np.arange(n_sets)
    log_total = np.full((n_sets, n_problems), -np.inf)
    log_total[0] = 0.0
    for nodes in range(1, n_sets):
        inner = masks[:nodes][(masks[:nodes] & ~nodes) == 0]  # the sets without their sinks T
        terms = log_total[inner]  # (n_subsets, n_problems)
        sign = np.full(len(inner), -1.0)
        for v in range(n_nodes):
            if nodes >> v & 1:
                is_sink = (inner >> v & 1) == 0
                terms[is_sink] += log_sums[v, inner[is_sink]]
                sign[is_sink] *= -1.0
        log_total[nodes] = _log_signed_sum(terms, sign)
    return log_total[-1]


def _log_signed_sum(terms: NDArray[np.float64], sign: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return log(sum(sign * exp(terms))) over the first axis, -inf where all terms vanish."""
    largest = terms.max(axis=0)
    shift = np.where(np.isneginf(largest), 0.0, largest)
    total = sign @ np.exp(terms - shift)
    # The true sum is at least its largest term; one of them vanishes only if both do.
    return shift + np.log(total, out=np.full_like(total, -np.inf), where=total > 0)
