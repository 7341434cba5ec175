"""Method of `CategoricalDAG` that gives nodes other names."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING

from .._structure.digraphs import copy_graph
from ._validation import check_names

if TYPE_CHECKING:
    from ._categorical_dag import CategoricalDAG


def rename_nodes(self: CategoricalDAG, mapping: Mapping[Hashable, Hashable]) -> CategoricalDAG:
    """Return the same network with other names of nodes.

    Parameters
    ----------
    mapping : mapping
        Old name to new name. Nodes that are not in it keep theirs; two nodes may swap names.

    Returns
    -------
    CategoricalDAG
        Nodes, the axes of their tables and all attributes as they were.

    Raises
    ------
    ValueError
        If it is no mapping, there is no such node, a new name is None or not hashable, or two
        nodes would have the same name.

    Examples
    --------
    >>> from skcausalpima.graph import CategoricalDAG
    >>> dag = CategoricalDAG.from_arrays([[0, 1], [0, 0]], [[0.5, 0.5], [[1, 0], [0, 1]]])
    >>> dag.rename_nodes({"N1": "hue"})
    CategoricalDAG(sizes={'hue': 2, 'N2': 2}, edges=[('hue', 'N2')])
    """
    if not isinstance(mapping, Mapping):
        raise ValueError(f"rename_nodes needs a mapping {{old: new}}; got {mapping!r}.")
    check_names(self.nodes, mapping)
    for old, new in mapping.items():
        if new is None or not isinstance(new, Hashable):
            raise ValueError(f"Node {old!r} cannot be called {new!r}; give a string, for example.")
    names = {node: mapping.get(node, node) for node in self.nodes}
    owners: dict[Hashable, Hashable] = {}
    for node, name in names.items():
        if name in owners:
            raise ValueError(f"Nodes {owners[name]!r} and {node!r} would both be called {name!r}.")
        owners[name] = node
    graph = copy_graph(self.graph, names=names)
    return type(self)(graph, {names[node]: table for node, table in self.cpts.items()})
