"""Background knowledge about the graph, as two boolean matrices."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import NamedTuple, TypeAlias, cast

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from .digraphs import cycle_path

#: Groups of nodes, the earliest first; a node is a group of one.
Tiers: TypeAlias = Iterable[Hashable | Iterable[Hashable]]


class EdgeConstraints(NamedTuple):
    """Knowledge about edges, indexed ``[i, j]`` for i -> j.

    Parameters
    ----------
    required : ndarray of bool of shape (n_nodes, n_nodes)
        Edges that every graph must have.
    forbidden : ndarray of bool of shape (n_nodes, n_nodes)
        Edges that no graph may have; its diagonal is True.
    """

    required: NDArray[np.bool_]
    forbidden: NDArray[np.bool_]

    @classmethod
    def none(cls, n_nodes: int) -> EdgeConstraints:
        """Return those that every graph meets."""
        nothing = np.zeros((n_nodes, n_nodes), dtype=bool)
        return cls(nothing, nothing)


def edge_constraints(
    names: Sequence[Hashable],
    *,
    required_edges: Iterable[tuple[Hashable, Hashable]] | None = None,
    forbidden_edges: Iterable[tuple[Hashable, Hashable]] | None = None,
    tiers: Tiers | None = None,
) -> EdgeConstraints:
    """Turn knowledge in the user's words into matrices, and check that it can be met.

    Parameters
    ----------
    names : sequence of hashable
        The nodes, in the order of the matrices.
    required_edges, forbidden_edges : iterable of pairs of names, optional
        Directed edges (parent, child). Forbid both directions to forbid an adjacency.
    tiers : iterable, optional
        Groups of nodes, earliest first: no edge may lead from a later group to an earlier one.
        Edges within a group are free. An element that is itself a node is a group of one, so
        that ``tiers=["N2", "N1", "N3"]`` is a fixed order. Nodes in no group are free.

    Returns
    -------
    EdgeConstraints
        At least one DAG meets them.

    Raises
    ------
    ValueError
        If a node is unknown or stands in two tiers, or if no DAG meets the constraints; the
        message names the nodes.

    Examples
    --------
    >>> from skcausalpima._structure.constraints import edge_constraints
    >>> edge_constraints(["a", "b"], tiers=["b", "a"]).forbidden
    array([[ True,  True],
           [False,  True]])
    """
    names = list(names)
    required = _edge_matrix(names, required_edges, "knowledge__required")
    forbidden = _edge_matrix(names, forbidden_edges, "knowledge__forbidden")
    earlier: list[int] = []
    for tier in tiers if tiers is not None else ():
        members = _tier_members(names, tier, earlier)
        forbidden[np.ix_(members, earlier)] = True
        earlier += members
    np.fill_diagonal(forbidden, True)
    for i, j in np.argwhere(required & forbidden):
        if i == j:
            raise ValueError(f"The required edge {names[i]!r} -> {names[i]!r} is a loop.")
        raise ValueError(
            f"The edge {names[i]!r} -> {names[j]!r} is both required and forbidden (by a "
            "forbidden edge or by the tiers); drop one of the two."
        )
    graph = nx.from_numpy_array(required, create_using=nx.DiGraph)
    if not nx.is_directed_acyclic_graph(graph):
        path = cycle_path(nx.relabel_nodes(graph, dict(enumerate(names))))
        raise ValueError(f"The required edges form the cycle {path}; leave one of them out.")
    return EdgeConstraints(required, forbidden)


def _edge_matrix(
    names: list[Hashable], edges: Iterable[tuple[Hashable, Hashable]] | None, what: str
) -> NDArray[np.bool_]:
    """Mark the given edges in an (n_nodes, n_nodes) matrix."""
    matrix = np.zeros((len(names), len(names)), dtype=bool)
    for edge in edges if edges is not None else ():
        if isinstance(edge, str) or not isinstance(edge, Iterable) or len(edge) != 2:
            raise ValueError(f"{what} must be pairs (parent, child); got {edge!r}.")
        parent, child = (_index(names, node, what) for node in edge)
        matrix[parent, child] = True
    return matrix


def _index(names: list[Hashable], node: Hashable, what: str) -> int:
    """Return a node's number, or say that there is no such node."""
    if not isinstance(node, Hashable) or node not in names:
        raise ValueError(f"{what} names the unknown node {node!r}; the nodes are {names}.")
    return names.index(node)


def _tier_members(
    names: list[Hashable], tier: Hashable | Iterable[Hashable], earlier: list[int]
) -> list[int]:
    """Return the numbers of one tier's nodes."""
    is_node = isinstance(tier, str) or (isinstance(tier, Hashable) and tier in names)
    if not (is_node or isinstance(tier, Iterable)):
        raise ValueError(f"knowledge__tiers must hold nodes or groups of nodes; got {tier!r}.")
    nodes = cast(Iterable[Hashable], [tier] if is_node else tier)
    members = [_index(names, node, "knowledge__tiers") for node in nodes]
    for position, node in enumerate(members):
        if node in earlier or node in members[:position]:
            raise ValueError(
                f"knowledge__tiers has the node {names[node]!r} twice; name each node once."
            )
    return members
