"""Nodes and outcomes of two labellings, matched to each other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.optimize import linear_sum_assignment


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


#: Numbers of outcomes that agree with most that are known, and what they gain, by place and column.
Renumbered = dict[tuple[int, bytes], tuple[np.ndarray, float]]


def align_nodes(
    outcomes: np.ndarray, counts: Sequence[np.ndarray], seen: Renumbered | None = None
) -> tuple[np.ndarray, np.ndarray, int]:
    """Swap nodes of one size and renumber outcomes so that most known outcomes agree.

    What is not known keeps its place and number where it can.

    Parameters
    ----------
    outcomes : ndarray of shape (n_clusters, n_nodes)
        Outcomes of the cell that each cluster lies on.
    counts : sequence of ndarray of shape (n_clusters, size)
        From :func:`known_counts`.
    seen : dict, default=None
        What calls with the same counts share: many arrangements have few columns.

    Returns
    -------
    outcomes : ndarray of shape (n_clusters, n_nodes)
        The new outcomes.
    order : ndarray of shape (n_nodes,)
        The node that comes to each place.
    agreement : int
        Number of known outcomes that agree.
    """
    sizes = [table.shape[1] for table in counts]
    n_nodes, step = len(sizes), 0.4 / (sum(sizes) + len(sizes))  # all steps add up to below 1
    gains = np.full((n_nodes, n_nodes), -1e9)  # (place, node)
    numbers, seen = {}, {} if seen is None else seen
    for place, node in np.ndindex(n_nodes, n_nodes):
        if sizes[place] != sizes[node]:
            continue
        column, size = outcomes[:, node], sizes[node]
        key = place, column.tobytes()
        if key not in seen:
            gain = np.eye(size)[:, column] @ counts[place] + step * np.eye(size)  # (old, new)
            old, new = linear_sum_assignment(gain, maximize=True)
            seen[key] = new, gain[old, new].sum()
        numbers[place, node], gains[place, node] = seen[key]
    order = linear_sum_assignment(gains + step * np.eye(n_nodes), maximize=True)[1]
    columns = [numbers[place, node][outcomes[:, node]] for place, node in enumerate(order)]
    agreement = sum(int(gains[place, node]) for place, node in enumerate(order))
    return np.stack(columns, axis=1), order, agreement


def tolerated_share(best: float, n_known: int) -> float:
    """Return the share of agreeing outcomes that is two standard errors below the best one.

    Some known outcomes, or some samples' clusters, are wrong: a single one must not decide.
    """
    smoothed = (best * n_known + 1) / (n_known + 2)  # a share of 1 has an error, too
    return best - 2.0 * np.sqrt(smoothed * (1.0 - smoothed) / n_known)
