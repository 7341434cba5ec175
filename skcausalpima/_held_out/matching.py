"""Nodes and cells of one labelling in the terms of another, and how far the two agree."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment


class Matched(NamedTuple):
    """A fit in the terms of a reference.

    Parameters
    ----------
    outcomes : ndarray of shape (n_cells, n_nodes)
        Outcomes of the reference's nodes that each cell of the fit stands for.
    order : ndarray of int of shape (n_nodes,)
        The fit's node that comes to each place.
    agreement : ndarray of shape (n_nodes,)
        Adjusted Rand index of each node with that of the reference.
    """

    outcomes: np.ndarray
    order: np.ndarray
    agreement: np.ndarray


def match(
    states: np.ndarray, labels: np.ndarray, reference: np.ndarray, node_sizes: Sequence[int]
) -> Matched:
    """Match the nodes of a fit, and their outcomes, with those of a reference.

    Parameters
    ----------
    states : ndarray of shape (n_cells, n_nodes)
        Outcomes of the fit's own nodes in each of its cells.
    labels : ndarray of int of shape (n_samples,)
        The fit's cell of each sample.
    reference : ndarray of shape (n_samples, n_nodes)
        Outcomes of the same samples.
    node_sizes : sequence of int
        Number of outcomes of each node; only nodes of one size are matched.

    Returns
    -------
    Matched
        Most outcomes agree.

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima._held_out.matching import match
    >>> nodes = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    >>> match(1 - nodes[:, ::-1], np.arange(4), nodes, (2, 2))
    Matched(outcomes=array([[0, 0],
           [0, 1],
           [1, 0],
           [1, 1]]), order=array([1, 0]), agreement=array([1., 1.]))
    """
    counts = known_counts(reference, labels, len(states), node_sizes)
    outcomes, order, _ = align_nodes(states, counts)
    return Matched(outcomes, order, node_agreements(outcomes[labels], reference, node_sizes))


def node_agreements(first: np.ndarray, second: np.ndarray, node_sizes: Sequence[int]) -> np.ndarray:
    """Return the adjusted Rand index of each node of two matched labellings, (n_nodes,).

    A node that is constant in one of them has 0, where 0 / 0 would praise it with 1.
    """
    both = zip(first.T, second.T, node_sizes, strict=True)
    tables = [
        np.bincount(one * size + other, minlength=size * size).reshape(size, size)
        for one, other, size in both
    ]
    n_seen = [min(map(np.count_nonzero, (t.sum(axis=0), t.sum(axis=1)))) for t in tables]
    pairs = zip(tables, n_seen, strict=True)
    return np.array([adjusted_rand_index(table) if seen > 1 else 0.0 for table, seen in pairs])


def known_counts(
    known: np.ndarray, labels: np.ndarray, n_clusters: int, node_sizes: Sequence[int]
) -> list[np.ndarray]:
    """Count the samples of each cluster that are known to have each outcome.

    Parameters
    ----------
    known : ndarray of shape (n_samples, n_nodes)
        Outcomes, -1 where unknown.
    labels : ndarray of shape (n_samples,)
        Cluster of each sample.
    n_clusters : int
        Number of clusters.
    node_sizes : sequence of int
        Number of outcomes of each node.

    Returns
    -------
    list of ndarray of shape (n_clusters, size)
        One table per node.
    """
    tables = []
    for column, size in zip(known.T, node_sizes, strict=True):
        table = np.zeros((n_clusters, size), dtype=np.int64)
        np.add.at(table, (labels[column >= 0], column[column >= 0]), 1)
        tables.append(table)
    return tables


def outcome_indicators(nodes: np.ndarray, node_sizes: Sequence[int]) -> list[np.ndarray]:
    """Return outcomes as the counts of :func:`align_nodes`, each sample a cluster of its own.

    Parameters
    ----------
    nodes : ndarray of shape (n_samples, n_nodes)
        Outcomes.
    node_sizes : sequence of int
        Number of outcomes of each node.

    Returns
    -------
    list of ndarray of shape (n_samples, size)
        One table of zeros and ones per node.
    """
    return [np.eye(size)[column] for column, size in zip(nodes.T, node_sizes, strict=True)]


def align_nodes(
    outcomes: np.ndarray, counts: Sequence[np.ndarray]
) -> tuple[np.ndarray, np.ndarray, int]:
    """Swap nodes of one size and renumber outcomes so that most known outcomes agree.

    What is not known keeps its position and number where it can.

    Parameters
    ----------
    outcomes : ndarray of shape (n_clusters, n_nodes)
        Outcomes of the cell that each cluster lies on.
    counts : sequence of ndarray of shape (n_clusters, size)
        From :func:`known_counts`.

    Returns
    -------
    outcomes : ndarray of shape (n_clusters, n_nodes)
        The new outcomes.
    order : ndarray of shape (n_nodes,)
        The node that comes to each position.
    agreement : int
        Number of known outcomes that agree.
    """
    sizes = [table.shape[1] for table in counts]
    n_nodes, step = len(sizes), 0.4 / (sum(sizes) + len(sizes))  # all steps add up to below 1
    gains = np.full((n_nodes, n_nodes), -1e9)  # (position, node)
    numbers = {}
    for position, node in np.ndindex(n_nodes, n_nodes):
        if sizes[position] != sizes[node]:
            continue
        column, size = outcomes[:, node], sizes[node]
        gain = np.eye(size)[:, column] @ counts[position] + step * np.eye(size)  # (old, new)
        old, new = linear_sum_assignment(gain, maximize=True)
        numbers[position, node], gains[position, node] = new, gain[old, new].sum()
    order = linear_sum_assignment(gains + step * np.eye(n_nodes), maximize=True)[1]
    columns = [numbers[position, node][outcomes[:, node]] for position, node in enumerate(order)]
    agreement = sum(int(gains[position, node]) for position, node in enumerate(order))
    return np.stack(columns, axis=1), order, agreement


def agreement_by_node(
    first: np.ndarray, second: np.ndarray, node_sizes: Sequence[int]
) -> np.ndarray:
    """Return how far two labellings of the same samples agree on each node.

    Parameters
    ----------
    first, second : ndarray of shape (n_samples, n_nodes)
        Outcomes of the nodes.
    node_sizes : sequence of int
        Number of outcomes of each node.

    Returns
    -------
    ndarray of shape (n_nodes,)
        Adjusted Rand indices, the nodes in the order of the first labelling; those of one size are
        matched.

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima._held_out.matching import agreement_by_node
    >>> nodes = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    >>> agreement_by_node(nodes, 1 - nodes[:, ::-1], (2, 2))
    array([1., 1.])
    """
    marks = [
        np.concatenate(outcome_indicators(labels, node_sizes), axis=1) for labels in (first, second)
    ]
    return agreement_of_matched_nodes(marks[0].T @ marks[1], node_sizes)


def agreement_of_matched_nodes(joint: np.ndarray, node_sizes: Sequence[int]) -> np.ndarray:
    """Return the indices of matched nodes from counts of outcomes, (sum of sizes, the same)."""
    sizes = np.asarray(node_sizes)
    ends = np.cumsum(sizes)
    blocks = [slice(end - size, end) for end, size in zip(ends, sizes, strict=True)]
    indices = np.full((len(sizes), len(sizes)), -2.0)
    for i, j in zip(*np.nonzero(sizes[:, None] == sizes), strict=True):
        indices[i, j] = adjusted_rand_index(joint[blocks[i], blocks[j]])
    return indices[linear_sum_assignment(indices, maximize=True)]


def rand_indices(labels: Sequence[np.ndarray]) -> np.ndarray:
    """Return the adjusted Rand index of each pair of labellings, (n_runs, n_runs).

    All at once, to the last bit as ``sklearn.metrics.adjusted_rand_score``, which checks its
    arguments for longer than it computes. Of as many rows as a start sees nothing overflows.
    """
    both = np.array([[_alike(first, second) for second in labels] for first in labels])
    alone, n_rows = np.diag(both), len(labels[0])
    first, second = alone[:, None] - both, alone - both  # alike in one of the two only
    neither, both = n_rows**2 - first - second - both, both - n_rows
    agreeing = 2.0 * (both * neither - first * second)
    possible = (both + first) * (first + neither) + (both + second) * (second + neither)
    return np.divide(agreeing, possible, out=np.ones_like(agreeing), where=(first + second) > 0)


def _alike(first: np.ndarray, second: np.ndarray) -> int:
    """Return how many ordered pairs of rows have equal labels in both labellings."""
    counts = np.unique(first * (second.max() + 1) + second, return_counts=True)[1]
    return np.square(counts).sum()


def adjusted_rand_index(table: np.ndarray) -> float:
    """Return the adjusted Rand index of two labellings from their table of counts.

    Parameters
    ----------
    table : ndarray of shape (n_first, n_second)
        How many samples have each pair of labels.

    Returns
    -------
    float
        1 for equal partitions, around 0 for independent ones.
    """

    def pairs(numbers: np.ndarray) -> float:
        return float((numbers * (numbers - 1) / 2).sum())

    both, first, second = pairs(table), pairs(table.sum(axis=1)), pairs(table.sum(axis=0))
    expected = first * second / max(pairs(table.sum()[None]), 1.0)
    largest = (first + second) / 2
    return 1.0 if largest <= expected else (both - expected) / (largest - expected)
