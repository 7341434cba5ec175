"""Which arrangements and labellings agree with what is known, and with each other."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from scipy.optimize import linear_sum_assignment

from .._base.grid import NodeGrid
from .._held_out.matching import (
    adjusted_rand_index,
    agreement_of_matched_nodes,
    align_nodes,
    outcome_indicators,
)
from .margins import NEAR_TIE

#: Differences of misfits, which are parts of the variation, that are none.
TIE_TOLERANCE = 1e-9


_MAX_RIVALS = 100  # the best ones, of grids on which many arrangements fit alike


def known_agreements(outcomes: np.ndarray, counts: Sequence[np.ndarray]) -> np.ndarray:
    """Return the agreement by :func:`align_nodes` of many arrangements, which have few columns.

    Parameters
    ----------
    outcomes : ndarray of shape (n_arrangements, n_clusters, n_nodes)
        Outcomes of the cell that each cluster lies on.
    counts : sequence of ndarray of shape (n_clusters, size)
        From :func:`known_counts`.

    Returns
    -------
    ndarray of shape (n_arrangements,)
        Numbers of known outcomes that agree.
    """
    sizes, n_nodes = [table.shape[1] for table in counts], len(counts)
    gains = np.full((len(outcomes), n_nodes, n_nodes), -1e9)  # (arrangement, position, node)
    for node, size in enumerate(sizes):
        columns, which = np.unique(outcomes[:, :, node], axis=0, return_inverse=True)
        for position in np.flatnonzero(np.equal(sizes, size)).tolist():
            tables = [np.eye(size)[:, column] @ counts[position] for column in columns]
            gains[:, position, node] = np.array(list(map(_most, tables)))[which.ravel()]
    if len(set(sizes)) == n_nodes:
        return gains.trace(axis1=1, axis2=2)
    return np.array(list(map(_most, gains)))


def _most(gains: np.ndarray) -> float:
    """Return the largest sum of gains, one of each row and column."""
    return float(gains[linear_sum_assignment(gains, maximize=True)].sum())


def tolerated_share(best: float, n_known: int) -> float:
    """Return the share of agreeing outcomes that is two standard errors below the best one.

    Some known outcomes, or some samples' clusters, are wrong: a single one must not decide.
    """
    smoothed = (best * n_known + 1) / (n_known + 2)  # a share of 1 has an error, too
    return best - 2.0 * np.sqrt(smoothed * (1.0 - smoothed) / n_known)


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


def agreements(labellings: Sequence[np.ndarray], node_sizes: Sequence[int]) -> np.ndarray:
    """Return how far each labelling of the same samples agrees with each other.

    Parameters
    ----------
    labellings : sequence of ndarray of shape (n_samples, n_nodes)
        Outcomes of the nodes.
    node_sizes : sequence of int
        Number of outcomes of each node.

    Returns
    -------
    ndarray of shape (n_labellings, n_labellings)
        Adjusted Rand indices, means over nodes (those of one size matched); 1 on the diagonal.

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima._clustering.matching import agreements
    >>> nodes = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    >>> agreements([nodes, 1 - nodes[:, ::-1]], (2, 2))
    array([[1., 1.],
           [1., 1.]])
    """
    marks = [
        np.concatenate(outcome_indicators(labels, node_sizes), axis=1) for labels in labellings
    ]
    matrix = np.eye(len(marks))
    for first, second in itertools.combinations(range(len(marks)), 2):
        mean = agreement_of_matched_nodes(marks[first].T @ marks[second], node_sizes).mean()
        matrix[first, second] = matrix[second, first] = mean
    return matrix


def largest_agreement(matrix: np.ndarray) -> tuple[float, float]:
    """Return how far the labelling agrees that the others agree with most, and the error of that.

    Parameters
    ----------
    matrix : ndarray of shape (n_labellings, n_labellings)
        From :func:`agreements`.

    Returns
    -------
    agreement : float
        Mean over the other labellings; 1 for a single one.
    error : float
        Standard error, by the jackknife over labellings: of 200 differences between views of other
        noise, and equal nodes, the ratio to their errors had a standard deviation of 1.14. NaN of
        less than three.

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima._clustering.matching import largest_agreement
    >>> matrix = np.array([[1.0, 0.9, 0.4], [0.9, 1.0, 0.4], [0.4, 0.4, 1.0]])
    >>> agreement, error = largest_agreement(matrix)
    >>> round(agreement, 2), round(error, 2)
    (0.65, 0.33)
    """
    n_labellings = len(matrix)
    if n_labellings == 1:
        return 1.0, np.nan
    sums = matrix.sum(axis=1) - 1.0
    agreement = float(sums.max() / (n_labellings - 1))
    if n_labellings == 2:
        return agreement, np.nan
    rest = (sums[:, None] - matrix) / (n_labellings - 2)  # (labelling, the one that is left out)
    np.fill_diagonal(rest, -np.inf)
    without = rest.max(axis=0)
    spread = np.square(without - without.mean()).sum()
    return agreement, float(np.sqrt(spread * (n_labellings - 1) / n_labellings))
