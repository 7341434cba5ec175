"""The one gate for tables, names, outcomes and texts, and values in messages."""

from __future__ import annotations

import reprlib
from collections.abc import Collection, Hashable, Iterable, Mapping
from typing import TypeAlias

import networkx as nx
import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._base.scalar_checks import is_integer
from .._base.types import Outcomes, Unchecked

SUM_TOLERANCE = 1e-6
_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 200
_SHORT.maxlist = _SHORT.maxtuple = _SHORT.maxdict = 20

#: Numbers, and one table per node: axes are the parents in the graph's order and, last, the node.
Floats: TypeAlias = NDArray[np.float64]
Tables: TypeAlias = dict[Hashable, Floats]
#: An outcome of a node, by number or name.
Outcome: TypeAlias = int | str


def check_tables(graph: nx.DiGraph, cpts: Mapping[Hashable, ArrayLike]) -> Tables:
    """Return the tables as read-only float64 arrays in node order.

    Parameters
    ----------
    graph : networkx.DiGraph
        A DAG; a node attribute ``size`` must agree with the node's table.
    cpts : mapping
        Node to table, with axes (*parents in ``list(graph.predecessors(node))`` order, node).

    Returns
    -------
    dict
        Rows whose sums are off by more than rounding (but less than 1e-6, as in float32) are
        normalised.

    Raises
    ------
    ValueError
        If tables are missing or too many, have a wrong shape, hold an entry that is negative or
        not finite, or do not sum to 1; the message names the node and the entry.
    """
    if not isinstance(cpts, Mapping):
        raise ValueError(f"cpts must be a mapping from node to table; got {type(cpts).__name__}.")
    missing = [node for node in graph if node not in cpts]
    unknown = [node for node in cpts if node not in graph]
    if missing or unknown:
        raise ValueError(
            "cpts must have one table per node of the graph; "
            + (f"tables are missing for {missing}" if missing else f"there are no nodes {unknown}")
            + "."
        )
    tables = {node: _numeric(node, cpts[node]) for node in graph}
    sizes = {node: table.shape[-1] for node, table in tables.items()}
    for node, table in tables.items():
        _check_shape(graph, node, table.shape, sizes)
        tables[node] = _check_probabilities(graph, node, table)
        tables[node].setflags(write=False)
    return tables


def check_numbers(owner: str, values: ArrayLike) -> Floats:
    """Return numbers as a new float64 array.

    Parameters
    ----------
    owner : str
        What they are, for messages.
    values : array-like
        Real numbers.

    Returns
    -------
    ndarray
        The numbers.

    Raises
    ------
    ValueError
        If they are no rectangular array of real numbers, or a tensor that NumPy cannot read.
    """
    try:
        source = np.asarray(values) if hasattr(values, "__array__") else values
        if isinstance(source, np.ndarray) and source.dtype.kind == "c":
            raise TypeError("it holds complex numbers")
        return np.array(source, dtype=np.float64)
    except RuntimeError as error:  # a tensor that requires gradients, among others
        raise ValueError(
            f"{owner} cannot be read as an array: {error} Tables are plain numbers, from which "
            "no gradient flows back; pass a tensor as tensor.detach().cpu()."
        ) from error
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"{owner} is no rectangular array of numbers: {error}") from error


def _numeric(node: Hashable, table: ArrayLike) -> Floats:
    """Return a float64 copy with at least one axis."""
    array = check_numbers(f"The table of node {node!r}", table)
    if array.ndim == 0 or array.size == 0:
        raise ValueError(f"The table of node {node!r} is empty; got shape {array.shape}.")
    return array


def _check_shape(
    graph: nx.DiGraph, node: Hashable, shape: tuple[int, ...], sizes: dict[Hashable, int]
) -> None:
    """Check a table's shape against the sizes of the node and its parents."""
    parents = list(graph.predecessors(node))
    expected = (*(sizes[parent] for parent in parents), sizes[node])
    if shape != expected:
        raise ValueError(
            f"The table of node {node!r} must have axes (*parents, node) = {(*parents, node)}, "
            f"here of shape {expected}; got shape {shape}."
        )
    size = graph.nodes[node].get("size", sizes[node])
    if size != sizes[node]:
        raise ValueError(
            f"Node {node!r} has the attribute size={shown(size)}, but its table has {sizes[node]} "
            "outcomes."
        )


def _check_probabilities(graph: nx.DiGraph, node: Hashable, table: Floats) -> Floats:
    """Check that a table holds distributions along its last axis."""
    bad = np.argwhere(~(np.isfinite(table) & (table >= 0)))
    if len(bad):
        entry = tuple(int(index) for index in bad[0])
        raise ValueError(
            f"The table of node {node!r} must hold probabilities; its entry {entry} is "
            f"{table[entry]}."
        )
    sums = table.sum(axis=-1)
    bad = np.argwhere(np.abs(sums - 1.0) > SUM_TOLERANCE)
    if len(bad):
        entry = tuple(int(index) for index in bad[0])
        given = dict(zip(graph.predecessors(node), entry, strict=True))
        raise ValueError(
            f"The table of node {node!r} must sum to 1 along its last axis; it sums to "
            f"{sums[entry]}" + (f" where the parents are {given}." if given else ".")
        )
    off = np.abs(sums - 1.0) > 1e-12  # leave exact tables bitwise alone
    return np.where(off[..., None], table / sums[..., None], table)


def check_states(
    graph: nx.DiGraph, sizes: Mapping[Hashable, int]
) -> dict[Hashable, tuple[str, ...]]:
    """Return the names of outcomes, for the nodes that have the attribute ``states``.

    Parameters
    ----------
    graph : networkx.DiGraph
        The graph.
    sizes : mapping
        Node to number of outcomes.

    Returns
    -------
    dict
        Node to names.

    Raises
    ------
    ValueError
        If a node has a wrong number of names, names that are no strings, or two the same.
    """
    states = {}
    for node, data in graph.nodes(data=True):
        if data.get("states") is None:
            continue
        names = data["states"]
        if (
            isinstance(names, (str, Mapping))
            or not isinstance(names, Collection)
            or not all(isinstance(name, str) for name in names)
            or len(set(names)) != len(names)
            or len(names) != sizes[node]
        ):
            raise ValueError(
                f"The attribute states of node {node!r} must be {sizes[node]} different strings; "
                f"got {shown(names)}."
            )
        states[node] = tuple(names)
    return states


def check_names(nodes: Collection[Hashable], names: Iterable[Hashable]) -> list[Hashable]:
    """Return a list of distinct nodes.

    Parameters
    ----------
    nodes : list or mapping of hashable
        The nodes that there are.
    names : iterable of hashable
        Some of them.
    what : str, default="names"
        What to call them in messages.

    Returns
    -------
    list of hashable
        The names.

    Raises
    ------
    ValueError
        If they are a bare string, or a name is unknown or occurs twice.
    """
    if isinstance(names, str) or not isinstance(names, Iterable):
        raise ValueError(f"names must be a list of nodes; write [{names!r}].")
    names = list(names)
    known = nodes if isinstance(nodes, Mapping) else set(nodes)
    seen: set[Hashable] = set()
    for name in names:
        try:
            is_known = name in known
        except TypeError:  # a tuple that holds a list
            is_known = False
        if not is_known:
            raise ValueError(f"There is no node {shown(name)}; the nodes here are {list(nodes)}.")
        if name in seen:
            raise ValueError(f"names hold the node {name!r} twice.")
        seen.add(name)
    return names


def check_outcomes(graph: nx.DiGraph, outcomes: Outcomes, what: str) -> dict[Hashable, int]:
    """Return the outcomes of some nodes as numbers.

    Parameters
    ----------
    graph : networkx.DiGraph
        The network's graph; nodes have ``size``, and ``states`` where outcomes have names.
    outcomes : mapping
        Node to number or name of an outcome.
    what : str
        The method's name, for messages.

    Returns
    -------
    dict
        Node to int.

    Raises
    ------
    ValueError
        If it is no mapping, or a node or an outcome does not exist.
    """
    if not isinstance(outcomes, Mapping):
        raise ValueError(f"{what} needs a mapping {{node: outcome}}; got {outcomes!r}.")
    check_names(list(graph), outcomes)
    return {node: _outcome(graph, node, outcome) for node, outcome in outcomes.items()}


def _outcome(graph: nx.DiGraph, node: Hashable, outcome: Outcome) -> int:
    """Return an outcome's number."""
    size, states = graph.nodes[node]["size"], graph.nodes[node].get("states", ())
    if isinstance(outcome, str) and outcome in states:
        return states.index(outcome)
    if is_integer(outcome) and 0 <= outcome < size:
        return int(outcome)
    named = f" or one of {states}" if states else ""
    raise ValueError(
        f"Node {node!r} has no outcome {outcome!r}; give a whole number from 0 to {size - 1}"
        f"{named}."
    )


def check_samples(graph: nx.DiGraph, samples: ArrayLike) -> NDArray[np.intp]:
    """Return samples of all nodes as integers.

    Parameters
    ----------
    graph : networkx.DiGraph
        The network's graph; nodes have ``size``, and ``states`` where outcomes have names.
    samples : array-like of shape (n_samples, n_nodes)
        Numbers or names of outcomes.

    Returns
    -------
    ndarray of shape (n_samples, n_nodes)
        Outcomes by number.

    Raises
    ------
    ValueError
        If the shape is wrong, or an outcome does not exist.
    """
    array, nodes = np.asarray(samples), list(graph)
    if array.ndim != 2 or array.shape[1] != len(nodes):
        raise ValueError(
            f"outcomes must have shape (n_samples, {len(nodes)}), one column per node "
            f"{nodes}; got shape {array.shape}."
        )
    if array.dtype.kind in "OU" and nx.get_node_attributes(graph, "states"):
        columns = np.asarray(samples, dtype=object).T  # NumPy makes texts of numbers beside names
        named = zip(nodes, columns, strict=True)
        return np.array(
            [[_outcome(graph, node, value) for value in values] for node, values in named]
        ).T
    sizes = [graph.nodes[node]["size"] for node in nodes]
    if array.dtype.kind not in "iufb":
        raise ValueError(f"outcomes must be whole numbers; got dtype {array.dtype}.")
    bad = np.argwhere(~((array >= 0) & (array < np.asarray(sizes)) & (array == np.trunc(array))))
    if len(bad):
        row, column = (int(index) for index in bad[0])
        raise ValueError(
            f"Node {nodes[column]!r} has no outcome {array[row, column]} (row {row}); it must be a "
            f"whole number from 0 to {sizes[column] - 1}."
        )
    return array.astype(np.intp)


def check_text(text: Unchecked, method: str) -> str:
    """Return a text.

    Parameters
    ----------
    text : str
        The text of a file.
    method : str
        Who reads it, for messages.

    Returns
    -------
    str
        The text.

    Raises
    ------
    TypeError
        If it is anything else.
    """
    if not isinstance(text, str):
        raise TypeError(
            f"{method} needs the text of a file, a str; got {type(text).__name__}. For a file, "
            "pass open(path).read()."
        )
    return text


def shown(value: Unchecked) -> str:
    """Write a value for a message, however long or deeply nested it is.

    Parameters
    ----------
    value : object
        Anything.

    Returns
    -------
    str
        Its representation, shortened.
    """
    return _SHORT.repr(value)
