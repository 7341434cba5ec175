"""Posterior probabilities of edges, averaged exactly over all DAGs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .constraints import check_constraints
from .scores import FamilyScores

MAX_PROBABILITY_NODES = 10


def edge_probabilities(
    counts: ArrayLike,
    *,
    score: str = "bic",
    equivalent_sample_size: float = 1.0,
    edge_cost: float = 0.0,
    node_counts: Sequence[ArrayLike] | None = None,
    required: ArrayLike | None = None,
    forbidden: ArrayLike | None = None,
) -> NDArray[np.float64]:
    r"""Return the posterior probability of every directed edge.

    All DAGs that meet the constraints are equally likely beforehand, and a graph's weight is the
    exponential of its score (BDeu: its marginal likelihood; BIC: a large-sample approximation of
    it). The average is exact, not a sum over orders, which would count a graph once per order
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
        Expected counts of the cells; at most 10 nodes.
    score : {"bic", "bdeu"}, default="bic"
        See `FamilyScores`.
    equivalent_sample_size : float, default=1.0
        Prior samples of BDeu.
    edge_cost : float, default=0.0
        Nats that every edge costs; graphs with fewer edges are more likely beforehand.
    node_counts : sequence of array-like of shape (C_1, ..., C_L), optional
        Per node the counts of the samples in which it was not intervened on.
    required, forbidden : array-like of bool of shape (n_nodes, n_nodes), optional
        Edges that every or no graph has, ``[i, j]`` for i -> j.

    Returns
    -------
    ndarray of shape (n_nodes, n_nodes)
        ``[i, j]`` is the probability of i -> j; that of the adjacency i - j is the sum of
        ``[i, j]`` and ``[j, i]``.

    Raises
    ------
    ValueError
        If there are more than `MAX_PROBABILITY_NODES` nodes (the work grows as 3 to the number
        of nodes), or counts, options or constraints are invalid.

    Examples
    --------
    >>> from skcausalpima._structure.edge_probabilities import edge_probabilities
    >>> edge_probabilities([[40.0, 10.0], [10.0, 40.0]]).round(3)
    array([[0. , 0.5],
           [0.5, 0. ]])
    """
    scores = FamilyScores(counts, score, equivalent_sample_size, edge_cost, node_counts)
    n_nodes = scores.n_nodes
    if n_nodes > MAX_PROBABILITY_NODES:
        raise ValueError(
            f"Edge probabilities are computed exactly, for at most {MAX_PROBABILITY_NODES} nodes; "
            f"got {n_nodes}. Use bootstrap samples to judge the edges of larger graphs."
        )
    names = [f"N{i + 1}" for i in range(n_nodes)]
    family = scores.all_families(check_constraints(required, forbidden, names))
    # Restrict, one edge u -> v at a time, the parent sets of v to those that hold u.
    edges = [(u, v) for u in range(n_nodes) for v in range(n_nodes) if u != v]
    masks = np.arange(1 << n_nodes)
    log_sums = np.repeat(_log_subset_sums(family)[:, :, None], len(edges) + 1, axis=2)
    for index, (u, v) in enumerate(edges):
        with_edge = np.where(masks >> u & 1, family[v], -np.inf)
        log_sums[v, :, index] = _log_subset_sums(with_edge[None])[0]
    log_totals = _log_total_weight(log_sums)
    probabilities = np.zeros((n_nodes, n_nodes))
    for (u, v), log_total in zip(edges, log_totals[:-1], strict=True):
        probabilities[u, v] = min(np.exp(log_total - log_totals[-1]), 1.0)
    return probabilities


def _log_subset_sums(log_values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return for every set the log of the sum of exponentials over its subsets."""
    sums = log_values.copy()  # (n_rows, 2 ** n_nodes)
    half = 1
    while half < sums.shape[1]:
        pairs = sums.reshape(len(sums), -1, 2, half)
        np.logaddexp(pairs[:, :, 1], pairs[:, :, 0], out=pairs[:, :, 1])
        half *= 2
    return sums


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
