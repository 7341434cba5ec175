"""What is known of nodes in some samples: outcomes, what they allow, and interventions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from numbers import Real
from typing import Any, TypeAlias

import networkx as nx
import numpy as np

from .._base.scalar_checks import is_integer, is_missing
from .._base.types import Unchecked, Values
from .._base.warn import warn_caller
from .adapters import adapter_of, as_array
from .arrays import without_gradients

#: Names of the outcomes of each node, None where they are numbers.
OutcomeNames: TypeAlias = Sequence[tuple[str, ...] | None]

EXPECTED = "whole numbers or labels, and -1, NaN or None where it is unknown"


def labels_by_node(
    nodes: Sequence[str], named: OutcomeNames | None
) -> dict[str, tuple[str, ...] | None]:
    """Return the labels of the outcomes of each node by its name; of none where nobody named any.

    Examples
    --------
    >>> from skcausalpima._data.known_nodes import labels_by_node
    >>> labels_by_node(["a", "b"], [("low", "high"), None]), labels_by_node(["a"], ())
    ({'a': ('low', 'high'), 'b': None}, {'a': None})
    """
    return dict(zip(nodes, named or [None] * len(nodes), strict=True))


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
        position, what = list(nodes).index(node), f"{argument} of the node {node!r}"
        if len(column) != n_samples:
            raise ValueError(f"{what} has {len(column)} entries, but X has {n_samples} samples.")
        size = nodes[node]
        numbers, labels[position] = _numbered(column, size, what, labels[position])
        wrong = (numbers < -1) | (numbers >= size)
        if wrong.any():
            raise ValueError(
                f"{what} must lie between 0 and {size - 1}, because it has {size} outcomes in "
                f"node_sizes, or be -1 where it is unknown, got {numbers[wrong][0]}."
            )
        outcomes[:, position] = numbers
    return (outcomes if (outcomes >= 0).any() else None), labels


def outcome_names(graph: nx.DiGraph) -> list[tuple[str, ...] | None]:
    """Return the labels of the outcomes of each node of a graph."""
    return [attributes.get("states") for attributes in graph.nodes.values()]


def _columns(given: Unchecked, argument: str, n_samples: int, names: Sequence[str]) -> Values:
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
    """Return whether outcomes come in columns that have names."""
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
    column: Any, size: int, what: str, named: tuple[str, ...] | None
) -> tuple[np.ndarray, tuple[str, ...] | None]:
    """Return one node's outcomes as numbers, -1 where unknown, and their labels."""
    categories = getattr(getattr(column, "cat", column), "categories", None)
    ordered = None if categories is None else [str(label) for label in categories]
    values = np.asarray(column, dtype=object)
    if getattr(column, "dtype", None) is not None and column.dtype.kind in "iu":
        return column, named
    unknown = (is_missing(value) or (is_integer(value) and value == -1) for value in values)
    present = ~np.fromiter(unknown, dtype=bool, count=len(values))
    numbers = np.full(len(values), -1, dtype=object)  # of any size, until they are checked
    if all(isinstance(value, str) for value in values[present]):
        labels = _labels(values[present], size, what, named or ordered) if present.any() else named
        numbers[present] = [labels.index(str(value)) for value in values[present]] if labels else []
        return numbers, labels
    for row, value in zip(np.flatnonzero(present), values[present], strict=True):
        is_number = isinstance(value, Real) and not isinstance(value, bool)
        if not (is_number and float(value).is_integer()):
            raise ValueError(f"{what} must be {EXPECTED}, got {value!r} in sample {row}.")
        numbers[row] = int(value)
    return numbers, named


def _labels(
    values: Iterable[str], size: int, what: str, named: Sequence[str] | None
) -> tuple[str, ...]:
    """Return the names of all outcomes of a node."""
    names = sorted({str(value) for value in values})
    labels = list(names if named is None else named)
    strange = [label for label in names if label not in labels]
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


@dataclass(frozen=True, kw_only=True)
class Interventions:
    """Which nodes were intervened on in which samples.

    Parameters
    ----------
    regimes : list of tuple of int
        The different sets of nodes.
    numbers : ndarray of shape (n_samples,)
        Each sample's regime.
    outcomes : ndarray of shape (n_samples, n_nodes) or None
        What nodes were set to, -1 where they were not; None where that is unknown.
    """

    regimes: list[tuple[int, ...]]
    numbers: np.ndarray
    outcomes: np.ndarray | None

    def take(self, rows: np.ndarray) -> Interventions:
        """Return those of the samples with the given numbers, for the same regimes."""
        outcomes = None if self.outcomes is None else self.outcomes[rows]
        return replace(self, numbers=self.numbers[rows], outcomes=outcomes)

    def without_unused(self) -> Interventions | None:
        """Leave out regimes that have no samples; None where no node was set in any."""
        used, numbers = np.unique(self.numbers, return_inverse=True)
        regimes = [self.regimes[number] for number in used]
        return None if regimes == [()] else replace(self, regimes=regimes, numbers=numbers)

    @property
    def is_set(self) -> np.ndarray:
        """Which nodes were set in each sample, of shape (n_samples, last set node + 1)."""
        width = 1 + max(max(nodes, default=0) for nodes in self.regimes)
        sets = [np.isin(np.arange(width), nodes) for nodes in self.regimes]
        return np.array(sets)[self.numbers]


def check_interventions(
    interventions: Unchecked,
    n_samples: int,
    nodes: Mapping[str, int],
    named: OutcomeNames | None = None,
) -> tuple[Interventions | None, list[tuple[str, ...] | None]]:
    """Return the regimes that interventions stand for, and the labels that outcomes have.

    Parameters
    ----------
    interventions : array-like, DataFrame, mapping or None
        Of shape (n_samples,): the node that was set, by name or number, None, NaN or -1 for none.
        Else what nodes were set to, in the forms of ``known_nodes``.
    n_samples : int
        Number of training samples.
    nodes : mapping of str to int
        Number of outcomes of each node, by name.
    named : sequence of (tuple of str or None), default=None
        Labels that outcomes have already, one entry per node.

    Returns
    -------
    interventions : Interventions or None
        None where there are none.
    labels : list of (tuple of str or None)
        Names of the outcomes of each node.
    """
    outcomes, labels = None, list(named or [None] * len(nodes))
    if interventions is None:
        return None, labels
    shape = None if is_by_name(interventions) else _shape(interventions)
    if shape == (n_samples,):
        is_set = _targets(interventions, list(nodes))[:, None] == np.arange(len(nodes))
    else:
        if shape not in (None, (n_samples, len(nodes))):
            raise ValueError(
                f"interventions must have shape ({n_samples},), the node that was set in each "
                f"sample, or ({n_samples}, {len(nodes)}), what each node was set to, got shape "
                f"{shape}."
            )
        outcomes, labels = read_outcomes(interventions, "interventions", n_samples, nodes, labels)
        is_set = np.zeros((n_samples, 1), dtype=bool) if outcomes is None else outcomes >= 0
    if not is_set.any():
        return None, labels
    rows, numbers = np.unique(is_set, axis=0, return_inverse=True)
    regimes = [tuple(np.flatnonzero(row).tolist()) for row in rows]
    checked = Interventions(regimes=regimes, numbers=numbers.reshape(-1), outcomes=outcomes)
    return checked, labels


def _shape(interventions: Unchecked) -> tuple[int, ...]:
    """Return the shape of interventions without names of columns."""
    given = as_array(interventions, "interventions")
    if given.dtype.kind in "mM":
        raise TypeError(f"interventions must hold names or numbers of nodes, got {given.dtype}.")
    return given.shape


def _targets(interventions: Unchecked, names: Sequence[str]) -> np.ndarray:
    """Return the number of the node that was set in each sample, -1 for none."""
    plain = without_gradients(interventions, "interventions")
    entries = np.asarray(plain, dtype=object)  # among names NumPy would turn -1 into a name, too
    return np.array([_target(entry, names) for entry in entries.tolist()])


def _target(entry: Unchecked, names: Sequence[str]) -> int:
    """Return the number of a node that was set, -1 for none."""
    if is_missing(entry):
        return -1
    if isinstance(entry, float) and entry.is_integer():  # beside NaN all numbers are floats
        entry = int(entry)
    if isinstance(entry, str) and entry in names:
        return list(names).index(entry)
    if is_integer(entry) and -1 <= entry < len(names):  # a mask is a mistake
        return int(entry)
    raise ValueError(
        f"interventions names the unknown node {entry!r}; the nodes are {list(names)}, numbered "
        "from 0, and None, NaN or -1 stands for none. What nodes were set to is one column per "
        "node."
    )


def add_known(
    known: np.ndarray | None, interventions: Interventions | None, names: Sequence[str]
) -> np.ndarray | None:
    """Add what nodes were set to to the known outcomes; they must not contradict each other."""
    if interventions is None:
        return known
    if interventions.outcomes is None:
        _warn_of_unnamed(known, interventions, names)
        return known
    if known is None:
        return interventions.outcomes
    outcomes = interventions.outcomes
    clash = np.argwhere((known >= 0) & (outcomes >= 0) & (known != outcomes))
    if len(clash):
        sample, node = clash[0]
        raise ValueError(
            f"known_nodes says that {names[node]!r} is {known[sample, node]} in sample {sample}, "
            f"but interventions sets it to {outcomes[sample, node]}."
        )
    return np.maximum(known, outcomes)


def _warn_of_unnamed(
    known: np.ndarray | None, interventions: Interventions, names: Sequence[str]
) -> None:
    """Warn where nothing says which node it is that was set."""
    were_set = {node for nodes in interventions.regimes for node in nodes}
    unnamed = sorted(names[n] for n in were_set if known is None or not (known[:, n] >= 0).any())
    if unnamed and len(names) > 1:
        warn_caller(
            f"interventions set {unnamed}, but nothing says which of the nodes found these are: "
            "it is left to chance. Say it by a few known_nodes, or give the outcomes that nodes "
            "were set to, one column per node."
        )
