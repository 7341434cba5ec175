"""Arrangements that fit nearly as well as the best one: how far nodes differ under them."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from scipy.optimize import linear_sum_assignment

from .._grid import NodeGrid
from .matching import align_nodes, outcome_indicators

#: Arrangements whose misfit is below this times the smallest are near ties.
NEAR_TIE = 1.05

#: A cluster is highly stable from this mean Jaccard similarity on (Hennig, 2007). His 0.75 for
#: stable ones is for bootstrap samples, which share less than the training sets of five folds do.
MIN_STABILITY = 0.85

#: Differences of misfits, which are parts of the variation, that are none.
TIE_TOLERANCE = 1e-9

#: Nodes whose labels agree so far (adjusted Rand index) are the same.
AGREEING = 0.9

_MAX_RIVALS = 100  # the best ones, of grids on which many arrangements fit alike


def near_ties(placed: np.ndarray, misfits: np.ndarray) -> np.ndarray:
    """Return the arrangements that nearly tie with the best one, by rising misfit.

    Parameters
    ----------
    placed : ndarray of shape (n, n_clusters)
        Cells.
    misfits : ndarray of shape (n,)
        Their misfits.

    Returns
    -------
    ndarray of shape (n_rivals, n_clusters)
        The best one included.
    """
    if not len(misfits):
        return placed
    limit = NEAR_TIE * misfits.min() + TIE_TOLERANCE
    order = np.argsort(misfits, kind="stable")[: 1 + _MAX_RIVALS]
    return placed[order[misfits[order] <= limit]]


def node_agreement(
    outcomes: np.ndarray, rivals: np.ndarray, counts: np.ndarray, node_sizes: Sequence[int]
) -> np.ndarray:
    """Return how far node labels stay the same under arrangements that nearly tie.

    Parameters
    ----------
    outcomes : ndarray of shape (n_clusters, n_nodes)
        Of the best arrangement.
    rivals : ndarray of shape (n_rivals, n_clusters)
        Cells of the others.
    counts : ndarray of shape (n_clusters,)
        Numbers of samples.
    node_sizes : sequence of int
        Number of outcomes of each node.

    Returns
    -------
    ndarray of shape (n_nodes,)
        The smallest adjusted Rand index of each node's labels with those of a rival, nodes of
        one size matched; 1 where there are no rivals.
    """
    grid = NodeGrid(tuple(node_sizes))
    columns = list(zip(outcomes.T, node_sizes, strict=True))
    tables = [counts[:, None] * np.eye(size)[column] for column, size in columns]
    smallest = np.ones(len(node_sizes))
    for cells in rivals:
        aligned = align_nodes(grid.outcomes(cells), tables)[0]
        for node, (table, size) in enumerate(zip(tables, node_sizes, strict=True)):
            joint = np.eye(size)[:, aligned[:, node]] @ table
            smallest[node] = min(smallest[node], adjusted_rand_index(joint))
    return smallest


def agreement_with_others(
    labellings: Sequence[np.ndarray], node_sizes: Sequence[int]
) -> np.ndarray:
    """Return how far each labelling of the same samples agrees with the others, in the mean.

    Parameters
    ----------
    labellings : sequence of ndarray of shape (n_samples, n_nodes)
        Outcomes of the nodes.
    node_sizes : sequence of int
        Number of outcomes of each node.

    Returns
    -------
    ndarray of shape (n_labellings,)
        Adjusted Rand indices, means over nodes (those of one size matched) and over the others;
        1 for a single labelling.

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima._clustering.rivals import agreement_with_others
    >>> nodes = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    >>> agreement_with_others([nodes, 1 - nodes[:, ::-1]], (2, 2))
    array([1., 1.])
    """
    sizes = np.asarray(node_sizes)
    if len(labellings) == 1:
        return np.ones(1)
    ends = np.cumsum(sizes)
    blocks = [slice(end - size, end) for end, size in zip(ends, sizes, strict=True)]
    marks = [np.concatenate(outcome_indicators(of, node_sizes), axis=1) for of in labellings]
    total = np.zeros(len(marks))
    for pair in itertools.combinations(range(len(marks)), 2):
        joint = marks[pair[0]].T @ marks[pair[1]]
        indices = np.full((len(sizes), len(sizes)), -2.0)
        for i, j in zip(*np.nonzero(sizes[:, None] == sizes), strict=True):
            indices[i, j] = adjusted_rand_index(joint[blocks[i], blocks[j]])
        total[list(pair)] += indices[linear_sum_assignment(indices, maximize=True)].mean()
    return total / (len(marks) - 1)


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
