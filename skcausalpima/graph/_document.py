"""The document of a network that JSON and GraphML hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import networkx as nx
import numpy as np

from ._texts import shown
from ._validation import check_names

if TYPE_CHECKING:
    from ._categorical_dag import CategoricalDAG

FORMAT = "skcausalpima.CategoricalDAG"
VERSION = 1
NODE_FIELDS = ("name", "size", "states", "parents", "table", "attributes")
EDGE_FIELDS = ("parent", "child", "attributes")


def to_document(dag: CategoricalDAG) -> dict[str, Any]:
    """Return the network as lists, dicts, strings and numbers.

    Parameters
    ----------
    dag : CategoricalDAG
        The network.

    Returns
    -------
    dict
        The document.

    Raises
    ------
    ValueError
        If a node's name is no string or an attribute cannot be written.
    """
    nodes = []
    for node, size in zip(dag.nodes, dag.sizes, strict=True):
        if not isinstance(node, str):
            raise ValueError(f"Files hold names that are strings; node {node!r} has none.")
        attributes = _scalars(f"node {node!r}", dag.graph.nodes[node], skip=("size", "states"))
        nodes.append(
            {
                "name": node,
                "size": size,
                "states": dag.states.get(node),
                "parents": list(dag.graph.predecessors(node)),
                "table": dag.cpts[node].tolist(),
                "attributes": attributes,
            }
        )
    edges = [
        {"parent": u, "child": v, "attributes": _scalars(f"edge {u!r} -> {v!r}", data)}
        for u, v, data in dag.graph.edges(data=True)
    ]
    return {"format": FORMAT, "version": VERSION, "nodes": nodes, "edges": edges}


def _scalars(owner: str, data: dict[str, Any], skip: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return the attributes as plain Python scalars."""
    attributes = {}
    for key, value in data.items():
        if key in skip:
            continue
        value = value.item() if isinstance(value, np.generic) else value
        if not isinstance(key, str) or key in NODE_FIELDS or not _is_scalar(value):
            raise ValueError(
                f"The attribute {shown(key)} of {owner} cannot be written: attributes are strings, "
                f"finite numbers or booleans, under a name not in {NODE_FIELDS}; got "
                f"{shown(value)}."
            )
        attributes[key] = value
    return attributes


def _is_scalar(value: Any) -> bool:
    """Tell whether a value can be written as an attribute."""
    return isinstance(value, (str, int)) or (isinstance(value, float) and np.isfinite(value))


def from_document(cls: type[CategoricalDAG], document: Any) -> CategoricalDAG:
    """Build the network from what `_to_document` returned."""
    _check_fields("The file", document, ("format", "version", "nodes", "edges"))
    if document["format"] != FORMAT or document["version"] != VERSION:
        raise ValueError(
            f"The file has format {shown(document['format'])}, version "
            f"{shown(document['version'])}; this release reads {FORMAT!r}, version {VERSION}."
        )
    graph = nx.DiGraph()
    tables: dict[str, Any] = {}
    for position, node in enumerate(check_type("nodes", document["nodes"], list)):
        _add_node(graph, tables, position, node)
    for node in document["nodes"]:
        parents = check_type(f"parents of node {shown(node['name'])}", node["parents"], list)
        graph.add_edges_from((p, node["name"]) for p in check_names(tables, parents))
    edges = check_type("edges", document["edges"], list)
    seen: set[tuple[str, str]] = set()
    for position, edge in enumerate(edges):
        _decorate_edge(graph, seen, position, edge)
    if len(edges) != graph.number_of_edges():
        raise ValueError(
            f"The file lists {len(edges)} edges, but the nodes' parents make "
            f"{graph.number_of_edges()}."
        )
    return cls(graph, tables)


def _add_node(graph: nx.DiGraph, tables: dict[str, Any], position: int, node: Any) -> None:
    """Add one node of a document and its table."""
    _check_fields(f"Node number {position}", node, NODE_FIELDS)
    name = node["name"]
    if not isinstance(name, str) or name in graph:
        raise ValueError(f"Node number {position} has the name {shown(name)}; expected a new one.")
    owner = f"node {shown(name)}"
    data = {"size": node["size"]}
    if node["states"] is not None:
        data["states"] = node["states"]
    data.update(_scalars(owner, check_type(owner, node["attributes"], dict)))
    graph.add_nodes_from([(name, data)])
    tables[name] = node["table"]


def _decorate_edge(graph: nx.DiGraph, seen: set[tuple[str, str]], position: int, edge: Any) -> None:
    """Give one edge its attributes; it must be there, and not have got them before."""
    _check_fields(f"Edge number {position}", edge, EDGE_FIELDS)
    u, v = edge["parent"], edge["child"]
    owner = f"Edge number {position}, {shown(u)} -> {shown(v)},"
    if not (isinstance(u, str) and isinstance(v, str) and graph.has_edge(u, v)):
        raise ValueError(f"{owner} is not among the parents that the nodes list.")
    if (u, v) in seen:
        raise ValueError(f"{owner} is listed twice.")
    seen.add((u, v))
    graph.edges[u, v].update(_scalars(owner, check_type(owner, edge["attributes"], dict)))


def _check_fields(owner: str, value: Any, fields: tuple[str, ...]) -> None:
    """Check that a dict has exactly the given keys."""
    value = check_type(owner, value, dict)
    unknown = [key for key in value if key not in fields]
    missing = [key for key in fields if key not in value]
    if unknown:
        raise ValueError(
            f"{owner} has unknown fields {shown(unknown)}; the known ones are {fields}."
        )
    if missing:
        name = f" ({shown(value['name'])})" if "name" in value else ""
        raise ValueError(f"{owner}{name} lacks the fields {missing}.")


def check_type(owner: str, value: Any, kind: type) -> Any:
    """Return a value if it has the right type.

    Parameters
    ----------
    owner : str
        What it is, for messages.
    value : object
        The value.
    kind : {dict, list, str}
        What it must be.

    Returns
    -------
    object
        The value.

    Raises
    ------
    ValueError
        If it is of another type.
    """
    if not isinstance(value, kind):
        expected = {dict: "an object with fields", list: "a list", str: "a string"}[kind]
        raise ValueError(f"{owner} must be {expected}; got {shown(value)}.")
    return value
