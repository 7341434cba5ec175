"""Joint distributions of every node with its parents, which is what all edges together need."""

from __future__ import annotations

from collections.abc import Hashable, Mapping

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from ._conditional import query


def family_joints(
    graph: nx.DiGraph, tables: Mapping[Hashable, NDArray[np.float64]]
) -> dict[Hashable, NDArray[np.float64]]:
    """Return the joint distribution of each node and its parents.

    Parents come first. Where the parents of a node stand together in a family before it, as in
    chains and trees, their distribution is a sum over that family; elsewhere it is a query.

    Parameters
    ----------
    graph : networkx.DiGraph
        The network's graph, whose nodes have ``size``.
    tables : mapping
        Node to table.

    Returns
    -------
    dict
        Node to array, with the axes of its table.

    Raises
    ------
    ValueError
        If a table of more than 2**27 cells would be needed.

    Examples
    --------
    >>> from skcausalpima.graph import CategoricalDAG
    >>> from skcausalpima.graph._families import family_joints
    >>> dag = CategoricalDAG.from_arrays([[0, 1], [0, 0]], [[0.5, 0.5], [[1, 0], [0, 1]]])
    >>> family_joints(dag.graph, dag.cpts)["N2"]
    array([[0.5, 0. ],
           [0. , 0.5]])
    """
    joints: dict[Hashable, NDArray[np.float64]] = {}
    families = {node: (*graph.predecessors(node), node) for node in graph}
    for node in nx.topological_sort(graph):
        *parents, _ = families[node]
        source = _family_with(graph, families, joints, parents)
        if source is None:
            array, exponent = query(graph, tables, parents, {})
            prior = np.ldexp(array, exponent)
        else:
            prior = _summed(joints[source], families[source], parents)
        joints[node] = prior[..., None] * tables[node]
    return joints


def _family_with(
    graph: nx.DiGraph,
    families: dict[Hashable, tuple[Hashable, ...]],
    joints: dict[Hashable, NDArray[np.float64]],
    parents: list[Hashable],
) -> Hashable | None:
    """Return a node whose family is known and holds all the parents, if there is one."""
    if not parents:
        return None
    for node in (*parents, *graph.successors(parents[0])):
        if node in joints and set(parents).issubset(families[node]):
            return node
    return None


def _summed(
    joint: NDArray[np.float64], family: tuple[Hashable, ...], names: list[Hashable]
) -> NDArray[np.float64]:
    """Sum a family's distribution over all but some of it."""
    kept = [node for node in family if node in names]
    array = joint.sum(axis=tuple(i for i, node in enumerate(family) if node not in names))
    return array.transpose([kept.index(name) for name in names])
