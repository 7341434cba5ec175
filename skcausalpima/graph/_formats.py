"""Networks in other formats: JSON, GraphML, DOT, pgmpy, and tables with labels.

A network is a graph, whose nodes have ``size`` and, where outcomes have names, ``states``, and one
table per node. What reads a format returns these two, unchecked.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Hashable
from typing import TYPE_CHECKING, Any, TypeAlias

import networkx as nx
import numpy as np

from .._base.reports.shown_table import pandas_for
from .._structure.digraphs import number_at_edge
from ._validation import Tables, check_names, check_text, shown

if TYPE_CHECKING:
    import pandas as pd

#: What JSON holds: lists, dicts, strings, numbers, booleans and None.
Json: TypeAlias = Any
FORMAT = "skcausalpima.CategoricalDAG"
VERSION = 1
NODE_FIELDS = ("name", "size", "states", "parents", "table", "attributes")
EDGE_FIELDS = ("parent", "child", "attributes")


def _document(graph: nx.DiGraph, tables: Tables) -> dict[str, Json]:
    """Return a network as lists, dicts, strings and numbers."""
    nodes = []
    for node, data in graph.nodes(data=True):
        if not isinstance(node, str):
            raise ValueError(f"Files hold names that are strings; node {node!r} has none.")
        attributes = _scalars(f"node {node!r}", data, skip=("size", "states"))
        nodes.append(
            {
                "name": node,
                "size": data["size"],
                "states": data.get("states"),
                "parents": list(graph.predecessors(node)),
                "table": tables[node].tolist(),
                "attributes": attributes,
            }
        )
    edges = [
        {"parent": u, "child": v, "attributes": _scalars(f"edge {u!r} -> {v!r}", data)}
        for u, v, data in graph.edges(data=True)
    ]
    return {"format": FORMAT, "version": VERSION, "nodes": nodes, "edges": edges}


def _scalars(owner: str, data: dict[str, Json], skip: tuple[str, ...] = ()) -> dict[str, Json]:
    """Return the attributes as plain Python scalars."""
    attributes = {}
    for key, value in data.items():
        if key in skip:
            continue
        value = value.item() if isinstance(value, np.generic) else value
        is_scalar = isinstance(value, (str, int)) or (
            isinstance(value, float) and np.isfinite(value)
        )
        if not isinstance(key, str) or key in NODE_FIELDS or not is_scalar:
            raise ValueError(
                f"The attribute {shown(key)} of {owner} cannot be written: attributes are strings, "
                f"finite numbers or booleans, under a name not in {NODE_FIELDS}; got "
                f"{shown(value)}."
            )
        attributes[key] = value
    return attributes


def from_json(text: str) -> tuple[nx.DiGraph, dict[Hashable, Json]]:
    """Read what `to_json` wrote."""
    try:
        document = json.loads(check_text(text, "from_json"))
    except RecursionError as error:
        raise ValueError("The text is damaged, no valid JSON: it is nested too deeply.") from error
    except ValueError as error:  # no JSON, or whole numbers of thousands of digits
        raise ValueError(f"The text is damaged, no valid JSON: {error}") from error
    _check_fields("The file", document, ("format", "version", "nodes", "edges"))
    if document["format"] != FORMAT or document["version"] != VERSION:
        raise ValueError(
            f"The file has format {shown(document['format'])}, version "
            f"{shown(document['version'])}; this release reads {FORMAT!r}, version {VERSION}."
        )
    graph = nx.DiGraph()
    tables: dict[Hashable, Json] = {}
    for position, node in enumerate(_check_type("nodes", document["nodes"], list)):
        _add_node(graph, tables, position, node)
    for node in document["nodes"]:
        parents = _check_type(f"parents of node {shown(node['name'])}", node["parents"], list)
        graph.add_edges_from((p, node["name"]) for p in check_names(tables, parents))
    edges = _check_type("edges", document["edges"], list)
    decorated: set[tuple[str, str]] = set()
    for position, edge in enumerate(edges):
        _decorate_edge(graph, decorated, position, edge)
    if len(edges) != graph.number_of_edges():
        raise ValueError(
            f"The file lists {len(edges)} edges, but the nodes' parents make "
            f"{graph.number_of_edges()}."
        )
    return graph, tables


def _add_node(graph: nx.DiGraph, tables: dict[Hashable, Json], position: int, node: Json) -> None:
    """Add one node of a document and its table."""
    _check_fields(f"Node number {position}", node, NODE_FIELDS)
    name = node["name"]
    if not isinstance(name, str) or name in graph:
        raise ValueError(f"Node number {position} has the name {shown(name)}; expected a new one.")
    owner = f"node {shown(name)}"
    data = {"size": node["size"]}
    if node["states"] is not None:
        data["states"] = node["states"]
    data.update(_scalars(owner, _check_type(owner, node["attributes"], dict)))
    graph.add_nodes_from([(name, data)])
    tables[name] = node["table"]


def _decorate_edge(
    graph: nx.DiGraph, decorated: set[tuple[str, str]], position: int, edge: Json
) -> None:
    """Give one edge its attributes; it must be there, and not have got them before."""
    _check_fields(f"Edge number {position}", edge, EDGE_FIELDS)
    u, v = edge["parent"], edge["child"]
    owner = f"Edge number {position}, {shown(u)} -> {shown(v)},"
    if not (isinstance(u, str) and isinstance(v, str) and graph.has_edge(u, v)):
        raise ValueError(f"{owner} is not among the parents that the nodes list.")
    if (u, v) in decorated:
        raise ValueError(f"{owner} is listed twice.")
    decorated.add((u, v))
    graph.edges[u, v].update(_scalars(owner, _check_type(owner, edge["attributes"], dict)))


def _check_fields(owner: str, value: Json, fields: tuple[str, ...]) -> None:
    """Check that a dict has exactly the given keys."""
    value = _check_type(owner, value, dict)
    unknown = [key for key in value if key not in fields]
    missing = [key for key in fields if key not in value]
    if unknown:
        raise ValueError(
            f"{owner} has unknown fields {shown(unknown)}; the known ones are {fields}."
        )
    if missing:
        name = f" ({shown(value['name'])})" if "name" in value else ""
        raise ValueError(f"{owner}{name} lacks the fields {missing}.")


def _check_type(owner: str, value: Json, kind: type) -> Json:
    """Return a value of a file if it has the right type: dict, list or str."""
    if not isinstance(value, kind):
        words: dict[type, str] = {dict: "an object with fields", list: "a list", str: "a string"}
        raise ValueError(f"{owner} must be {words[kind]}; got {shown(value)}.")
    return value


def to_json(graph: nx.DiGraph, tables: Tables) -> str:
    """Write a network as JSON."""
    return json.dumps(_document(graph, tables), indent=1, allow_nan=False)


def to_graphml(graph: nx.DiGraph, tables: Tables) -> str:
    """Write the graph of a network as GraphML, which has no lists."""
    document = _document(graph, tables)
    written = nx.DiGraph()
    for node in document["nodes"]:
        states = {} if node["states"] is None else {"states": ", ".join(node["states"])}
        data = {"size": node["size"], **states, **node["attributes"]}
        written.add_nodes_from([(node["name"], data)])
    for edge in document["edges"]:
        written.add_edges_from([(edge["parent"], edge["child"], edge["attributes"])])
    return "\n".join(nx.generate_graphml(written))


def to_dot(graph: nx.DiGraph, solid: Collection[tuple[Hashable, Hashable]]) -> str:
    """Write a graph in Graphviz's DOT language; edges that are not ``solid`` are dashed lines."""
    lines = [f"  {_quote(node)};" for node in graph]
    for u, v, attributes in graph.edges(data=True):
        style = [] if (u, v) in solid else ["style=dashed", "dir=none"]
        word, number = number_at_edge(attributes, (u, v) in solid)
        label = [] if number is None else [f'label="{word} {number:.2f}"']
        options = ", ".join([*style, *label])
        edge = f"{_quote(u)} -> {_quote(v)}"
        lines.append(f"  {edge} [{options}];" if options else f"  {edge};")
    return "\n".join(["digraph {", *lines, "}"])


def _quote(name: Hashable) -> str:
    """Quote a name for DOT."""
    escaped = str(name).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def to_pgmpy(graph: nx.DiGraph, tables: Tables) -> Any:
    """Convert to pgmpy's ``DiscreteBayesianNetwork``."""
    try:
        from pgmpy.factors.discrete import TabularCPD
        from pgmpy.models import DiscreteBayesianNetwork
    except ImportError as error:
        raise ImportError("to_pgmpy needs pgmpy; install it with `pip install pgmpy`.") from error
    model = DiscreteBayesianNetwork()
    model.add_nodes_from(graph)
    model.add_edges_from(graph.edges)
    sizes = dict(graph.nodes(data="size"))
    for node, table in tables.items():
        parents = list(graph.predecessors(node))
        names = {member: _outcome_names(graph, member) for member in (node, *parents)}
        card = [sizes[parent] for parent in parents]
        values = table.reshape(-1, sizes[node]).T
        model.add_cpds(TabularCPD(node, sizes[node], values, parents, card, state_names=names))
    return model


def labelled_table(graph: nx.DiGraph, tables: Tables, node: Hashable) -> pd.DataFrame:
    """Return a node's table with labelled axes."""
    pd = pandas_for("table")
    check_names(list(graph), [node])
    parents = list(graph.predecessors(node))
    columns = pd.Index(_outcome_names(graph, node), name=node)
    if not parents:
        rows = pd.Index([""])
    elif len(parents) == 1:
        rows = pd.Index(_outcome_names(graph, parents[0]), name=parents[0])
    else:
        labels = [_outcome_names(graph, parent) for parent in parents]
        rows = pd.MultiIndex.from_product(labels, names=parents)
    return pd.DataFrame(tables[node].reshape(len(rows), -1), index=rows, columns=columns)


def _outcome_names(graph: nx.DiGraph, node: Hashable) -> list[str | int]:
    """Return the names of a node's outcomes, or their numbers."""
    data = graph.nodes[node]
    return list(data.get("states", range(data["size"])))
