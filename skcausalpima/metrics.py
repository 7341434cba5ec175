"""Agreement of clusters, nodes and graphs with known ones."""

from __future__ import annotations

from collections.abc import Hashable
from typing import NamedTuple

import networkx as nx
import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import linear_sum_assignment
from sklearn.metrics.cluster import contingency_matrix
from sklearn.utils import check_array, check_consistent_length, column_or_1d

from ._base.reports.shown_table import Frame, ShownTable, TableText, pandas_for
from ._base.scalar_checks import is_missing

__all__ = ["NodeRecovery", "matched_accuracy", "node_recovery", "structural_hamming_distance"]


def matched_accuracy(y_true: ArrayLike, y_pred: ArrayLike) -> float:
    """Return the accuracy of a clustering under the best one-to-one match of labels.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        True labels.
    y_pred : array-like of shape (n_samples,)
        Predicted labels, in any numbering. Labels in excess of the true ones match nothing.

    Returns
    -------
    float
        Share of the samples whose labels match, in [0, 1].

    Raises
    ------
    ValueError
        The labels differ in number or are not one-dimensional, or there are none, or one is missing
        (None, NaN).

    Examples
    --------
    >>> from skcausalpima.metrics import matched_accuracy
    >>> matched_accuracy([0, 0, 1, 1], ["b", "b", "a", "b"])
    0.75
    """
    y_true, y_pred = _numbered(y_true, "y_true"), _numbered(y_pred, "y_pred")
    check_consistent_length(y_true, y_pred)
    if y_true.size == 0:
        raise ValueError("Expected at least one label, got none.")
    counts = contingency_matrix(y_true, y_pred)
    rows, columns = linear_sum_assignment(counts, maximize=True)
    return float(counts[rows, columns].sum() / counts.sum())


def _numbered(labels: ArrayLike, name: str) -> np.ndarray:
    """Return labels of any kind as numbers; none may be missing."""
    try:
        column = column_or_1d(labels)
    except (RuntimeError, TypeError, ValueError) as error:
        raise ValueError(f"{name} must hold one label per sample: {error}") from error
    if column.dtype != object and (column == column).all():
        return np.unique(column, return_inverse=True)[1]
    numbers: dict[Hashable, int] = {}
    for position, label in enumerate(column):
        if is_missing(label):
            raise ValueError(
                f"{name}[{position}] is {label!r}: a label must not be missing; leave such samples "
                "out of both."
            )
        if not isinstance(label, Hashable):
            raise TypeError(f"{name}[{position}] is {label!r}: a label must be hashable.")
        numbers.setdefault(label, len(numbers))
    return np.array([numbers[label] for label in column], dtype=np.int64)


class _Recovery(NamedTuple):
    """The fields of a :class:`NodeRecovery`."""

    accuracies: np.ndarray
    permutation: np.ndarray


class NodeRecovery(ShownTable, _Recovery):
    """Which node stands for which factor, and how well.

    Parameters
    ----------
    accuracies : ndarray of shape (n_factors,)
        Matched accuracy of each factor by its node.
    permutation : ndarray of shape (n_factors,)
        Column of the node that stands for each factor.

    Examples
    --------
    >>> from skcausalpima.metrics import node_recovery
    >>> found = node_recovery([[0, 0], [0, 1], [1, 0]], [[1, 5], [0, 5], [1, 3]])
    >>> found.permutation
    array([1, 0])
    """

    def to_frame(self) -> Frame:
        """Return one row per factor.

        Returns
        -------
        pandas.DataFrame
            Rows are labelled by ``factor``, its column; columns are ``node``, that of its node, and
            ``accuracy``.

        Raises
        ------
        ImportError
            If pandas is not installed.

        Examples
        --------
        >>> from skcausalpima.metrics import node_recovery
        >>> node_recovery([[0, 0], [0, 1], [1, 0]], [[1, 5], [0, 5], [1, 3]]).to_frame()
                node  accuracy
        factor
        0          1       1.0
        1          0       1.0
        """
        pd = pandas_for("to_frame")
        columns = {"node": self.permutation, "accuracy": self.accuracies}
        return pd.DataFrame(columns, index=pd.RangeIndex(len(self.permutation), name="factor"))

    def _as_table(self) -> TableText:
        """Write a row for each factor."""
        pairs = enumerate(zip(self.permutation, self.accuracies, strict=True))
        rows = [[str(j), str(node), f"{accuracy:.3f}"] for j, (node, accuracy) in pairs]
        return TableText("Which node stands for which factor", ("factor", "node", "accuracy"), rows)


def node_recovery(factors: ArrayLike, nodes: ArrayLike) -> NodeRecovery:
    """Match nodes with factors, and their outcomes, one to one.

    The permutation of the nodes is the one with the largest sum of matched accuracies. Even
    a node of noise matches a balanced binary factor with an accuracy of 0.5.

    Parameters
    ----------
    factors : array-like of shape (n_samples, n_factors)
        True outcomes, one column per factor.
    nodes : array-like of shape (n_samples, n_factors)
        Predicted outcomes, one column per node, in any order and numbering.

    Returns
    -------
    NodeRecovery
        Accuracy and node of each factor.

    Raises
    ------
    ValueError
        The shapes differ or are not two-dimensional, or an outcome is missing.

    Examples
    --------
    >>> from skcausalpima.metrics import node_recovery
    >>> factors = [[0, 0], [0, 1], [1, 0], [1, 1]]
    >>> nodes = [[0, 1], [1, 1], [0, 0], [0, 0]]
    >>> node_recovery(factors, nodes)
    Which node stands for which factor
      factor  node  accuracy
           0     1     1.000
           1     0     0.750
    """
    factors, nodes = _outcomes(factors, "factors"), _outcomes(nodes, "nodes")
    if factors.shape != nodes.shape:
        raise ValueError(
            f"Expected one node per factor for the same samples, got factors of shape "
            f"{factors.shape} and nodes of shape {nodes.shape}."
        )
    accuracies = np.array([[matched_accuracy(f, n) for n in nodes.T] for f in factors.T])
    rows, permutation = linear_sum_assignment(accuracies, maximize=True)
    return NodeRecovery(accuracies[rows, permutation], permutation)


def _outcomes(outcomes: ArrayLike, name: str) -> np.ndarray:
    """Return a table of outcomes of any kind; none may be missing."""
    try:
        table = check_array(outcomes, dtype=None, ensure_all_finite=False)
    except (RuntimeError, TypeError, ValueError) as error:
        raise ValueError(f"{name} must have shape (n_samples, n_factors): {error}") from error
    return np.stack([_numbered(column, name) for column in table.T], axis=1)


def structural_hamming_distance(dag_a: nx.DiGraph, dag_b: nx.DiGraph) -> int:
    """Count the pairs of nodes that two graphs join differently.

    A missing, an extra and a reversed edge count 1 each. The graphs may also be mixed, such as
    the CPDAG of an equivalence class, when an undirected edge is written as one directed edge
    either way; a directed edge in place of an undirected one then counts 1.

    Parameters
    ----------
    dag_a : networkx.DiGraph
        A graph.
    dag_b : networkx.DiGraph
        A graph of the same nodes.

    Returns
    -------
    int
        Number of pairs, from 0 to L (L - 1) / 2 for L nodes.

    Raises
    ------
    ValueError
        The graphs have different nodes.
    TypeError
        One of them is no networkx.DiGraph.

    Examples
    --------
    >>> import networkx as nx
    >>> from skcausalpima.metrics import structural_hamming_distance
    >>> collider = nx.DiGraph([("a", "b"), ("c", "b")])
    >>> structural_hamming_distance(collider, nx.DiGraph([("a", "b"), ("b", "c")]))
    1
    """
    for name, dag in {"dag_a": dag_a, "dag_b": dag_b}.items():
        if not isinstance(dag, nx.DiGraph) or dag.is_multigraph():
            raise TypeError(f"{name} must be a networkx.DiGraph, got {dag!r:.100}.")
    if set(dag_a) != set(dag_b):
        only = sorted(map(str, set(dag_a) ^ set(dag_b)))
        raise ValueError(f"Expected two graphs of the same nodes, but only one of them has {only}.")
    different = set(dag_a.edges) ^ set(dag_b.edges)
    return len({frozenset(edge) for edge in different})
