"""Outcomes of nodes in some samples, by number or label, and what they allow."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import count
from numbers import Real
from typing import Any, TypeAlias

import numpy as np

from .._scalar_checks import is_integer, is_missing
from .._typing import Unchecked
from .adapters import adapter_of, as_array
from .arrays import without_gradients

#: Names of the outcomes of each node, None where they are numbers.
OutcomeNames: TypeAlias = Sequence[tuple[str, ...] | None]

EXPECTED = "whole numbers or labels, and -1, NaN or None where it is unknown"


def read_outcomes(
    given: Unchecked,
    argument: str,
    n_samples: int,
    nodes: Mapping[str, int],
    named: OutcomeNames | None = None,
) -> tuple[np.ndarray | None, list[tuple[str, ...] | None]]:
    """Return outcomes of nodes as numbers, and the labels that outcomes have.

    Parameters
    ----------
    given : array-like of shape (n_samples, n_nodes), DataFrame, mapping or None
        Outcomes, by number or label; -1, NaN or None where unknown. The columns of a DataFrame and
        the entries of a mapping are nodes by name, those that it lacks are unknown.
    argument : str
        What it is called, for messages.
    n_samples : int
        Number of training samples.
    nodes : mapping of str to int
        Number of outcomes of each node, by name.
    named : sequence of (tuple of str or None), default=None
        Labels that outcomes have already, one entry per node.

    Returns
    -------
    outcomes : ndarray of shape (n_samples, n_nodes) or None
        Outcomes, -1 where unknown; None where nothing is known.
    labels : list of (tuple of str or None)
        Names of the outcomes of each node. Text is numbered in sorted order, categories in theirs.

    Raises
    ------
    ValueError
        If shapes do not agree, there is no such node, or something is no outcome of it.
    """
    labels = list(named or [None] * len(nodes))
    if given is None:
        return None, labels
    outcomes = np.full((n_samples, len(nodes)), -1, dtype=np.int64)
    for node, column in _columns(given, argument, n_samples, list(nodes)).items():
        place, what = list(nodes).index(node), f"{argument} of the node {node!r}"
        if len(column) != n_samples:
            raise ValueError(f"{what} has {len(column)} entries, but X has {n_samples} samples.")
        numbers, labels[place] = _numbered(column, nodes[node], what, labels[place])
        _check_range(numbers, what, nodes[node])
        outcomes[:, place] = numbers
    return (outcomes if (outcomes >= 0).any() else None), labels


def outcome_names(graph: Any) -> list[tuple[str, ...] | None]:
    """Return the labels of the outcomes of each node of a graph."""
    return [attributes.get("states") for attributes in graph.nodes.values()]


def _columns(
    given: Unchecked, argument: str, n_samples: int, names: Sequence[str]
) -> dict[str, Any]:
    """Return what is known of each node, by name."""
    if is_by_name(given):
        table: Any = given
        columns = list(table.columns if hasattr(table, "columns") else table)
        unknown = [name for name in columns if name not in names]
        if unknown and (isinstance(table, Mapping) or len(unknown) < len(columns)):
            raise ValueError(f"{argument} has {unknown}, but the nodes are {list(names)}.")
        if not unknown:
            return {n: _as_column(table[n], f"{argument}[{n!r}]", argument) for n in columns}
    array = _as_outcomes(given, argument)
    expected = (n_samples, len(names))
    if array.shape != expected:
        raise ValueError(
            f"{argument} must have shape (n_samples, n_nodes) = {expected}, one column per entry "
            f"of node_sizes, got shape {array.shape}. A DataFrame or a mapping of columns by name "
            "may have fewer."
        )
    return dict(zip(names, array.T, strict=True))


def is_by_name(given: Unchecked) -> bool:
    """Say whether outcomes come in columns that have names."""
    return isinstance(given, Mapping) or hasattr(given, "columns")


def _as_column(column: Any, what: str, argument: str) -> Any:
    """Return one node's outcomes, as a Series of categories or an array of one axis."""
    if hasattr(column, "cat") or hasattr(column, "categories"):
        return column
    array = _as_outcomes(column, argument)
    if array.ndim != 1:
        raise ValueError(f"{what} has shape {array.shape}: expected one entry per sample.")
    return array


def _as_outcomes(values: Unchecked, argument: str) -> np.ndarray:
    """Return outcomes as an array, in which labels and numbers stay what they are."""
    adapter_of(values, argument)
    values = without_gradients(values, argument)
    if hasattr(values, "dtype") or hasattr(values, "columns") or hasattr(values, "iloc"):
        kind = getattr(getattr(values, "dtype", None), "kind", "O")
        return np.asarray(values, dtype=object) if kind == "O" else as_array(values, argument)
    array = as_array(values, argument)
    return array if array.dtype.kind in "iuf" else np.array(values, dtype=object)


def _numbered(
    column: Any, size: int, what: str, known: tuple[str, ...] | None
) -> tuple[np.ndarray, tuple[str, ...] | None]:
    """Return one node's outcomes as numbers, -1 where unknown, and their labels."""
    categories = getattr(getattr(column, "cat", column), "categories", None)
    ordered = None if categories is None else [str(label) for label in categories]
    values = np.asarray(column, dtype=object)
    if getattr(column, "dtype", None) is not None and column.dtype.kind in "iu":
        return column, known
    seen = np.array([not _is_unknown(value) for value in values], dtype=bool)
    numbers = np.full(len(values), -1, dtype=object)  # of any size, until they are checked
    if all(isinstance(value, str) for value in values[seen]):
        labels = _labels(values[seen], size, what, known or ordered) if seen.any() else known
        numbers[seen] = [labels.index(str(value)) for value in values[seen]] if labels else []
        return numbers, labels
    for row, value in zip(np.flatnonzero(seen), values[seen], strict=True):
        is_number = isinstance(value, Real) and not isinstance(value, bool)
        if not (is_number and float(value).is_integer()):
            raise ValueError(f"{what} must be {EXPECTED}, got {value!r} in sample {row}.")
        numbers[row] = int(value)
    return numbers, known


def _is_unknown(value: Unchecked) -> bool:
    """Say whether an entry stands for nothing known."""
    return is_missing(value) or (is_integer(value) and value == -1)


def _labels(
    values: Iterable[str], size: int, what: str, known: Sequence[str] | None
) -> tuple[str, ...]:
    """Return the names of all outcomes of a node."""
    found = sorted({str(value) for value in values})
    labels = list(found if known is None else known)
    strange = [label for label in found if label not in labels]
    if strange:
        raise ValueError(
            f"{what} has the labels {strange[:5]}, but its outcomes are {labels}. Categories of a "
            "categorical column in known_nodes name all of them."
        )
    if len(labels) > size:
        raise ValueError(
            f"{what} has {len(labels)} labels, {labels[:5]}, but its number of outcomes in "
            f"node_sizes is {size}: make it {len(labels)}, or use fewer labels."
        )
    unnamed = (f"outcome {k}" for k in count(len(labels)) if f"outcome {k}" not in labels)
    return tuple(labels + [next(unnamed) for _ in range(size - len(labels))])


def _check_range(numbers: np.ndarray, what: str, size: int) -> None:
    """Check that outcomes exist."""
    wrong = (numbers < -1) | (numbers >= size)
    if wrong.any():
        raise ValueError(
            f"{what} must lie between 0 and {size - 1}, because it has {size} outcomes in "
            f"node_sizes, or be -1 where it is unknown, got {numbers[wrong][0]}."
        )


def allowed_cells(known: np.ndarray, node_sizes: Sequence[int]) -> np.ndarray:
    """Return which cells, in C order, are consistent with what is known of each sample.

    Parameters
    ----------
    known : ndarray of shape (n_samples, n_nodes)
        Outcomes, -1 where unknown.
    node_sizes : sequence of int
        Number of outcomes of each node.

    Returns
    -------
    ndarray of shape (n_cells, n_samples)
        Booleans; at least one per sample is true.

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima._data.known_nodes import allowed_cells
    >>> allowed_cells(np.array([[0, -1], [1, 0]]), (2, 2)).T.astype(int)
    array([[1, 1, 0, 0],
           [0, 0, 1, 0]])
    """
    allowed = np.ones((*node_sizes, len(known)), dtype=bool)
    for node, size in enumerate(node_sizes):
        fits = (known[:, node] < 0) | (known[:, node] == np.arange(size)[:, None])
        others = [axis for axis in range(len(node_sizes)) if axis != node]
        allowed &= np.expand_dims(fits, others)
    return allowed.reshape(-1, len(known))
