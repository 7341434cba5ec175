"""Methods of `CategoricalDAG` that write and read other formats."""

from __future__ import annotations

import json
from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

import networkx as nx
import numpy as np

from ._identification import compelled_edges
from ._validation import check_names

if TYPE_CHECKING:
    import pandas as pd

    from ._categorical_dag import CategoricalDAG

FORMAT = "skcausalpima.CategoricalDAG"
VERSION = 1
NODE_FIELDS = ("name", "size", "states", "parents", "table", "attributes")
EDGE_FIELDS = ("parent", "child", "attributes")


def to_json(self: CategoricalDAG) -> str:
    """Write the network as JSON.

    Returns
    -------
    str
        Tables keep every bit. Attributes of nodes and edges are kept where they are strings,
        numbers or booleans.

    Raises
    ------
    ValueError
        If a node's name is no string or an attribute cannot be written.
    """
    return json.dumps(_to_document(self), indent=1, allow_nan=False)


def from_json(cls: type[CategoricalDAG], text: str) -> CategoricalDAG:
    """Read a network that `to_json` wrote.

    Parameters
    ----------
    text : str
        The file's text.

    Returns
    -------
    CategoricalDAG
        Equal to the one written.

    Raises
    ------
    ValueError
        If the text is no JSON, or fields are unknown, missing or wrong; the message names the
        entry.

    Examples
    --------
    >>> from skcausalpima.graph import CategoricalDAG
    >>> dag = CategoricalDAG.from_arrays([[0, 1], [0, 0]], [[0.5, 0.5], [[1, 0], [0, 1]]])
    >>> CategoricalDAG.from_json(dag.to_json())
    CategoricalDAG(sizes={'N1': 2, 'N2': 2}, edges=[('N1', 'N2')])
    """
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"The text is no valid JSON: {error}") from error
    return _from_document(cls, document)


def to_graphml(self: CategoricalDAG) -> str:
    """Write the network as GraphML.

    Returns
    -------
    str
        Nodes carry ``size`` and, as JSON, ``states``, ``parents`` (the order of the table's axes)
        and ``table``; other attributes of nodes and edges stand beside them.

    Raises
    ------
    ValueError
        If a node's name is no string or an attribute cannot be written.
    """
    document = _to_document(self)
    graph = nx.DiGraph()
    for node in document["nodes"]:
        fields = {key: json.dumps(node[key]) for key in ("states", "parents", "table")}
        graph.add_node(node["name"], size=node["size"], **fields, **node["attributes"])
    for edge in document["edges"]:
        graph.add_edge(edge["parent"], edge["child"], **edge["attributes"])
    return "\n".join(nx.generate_graphml(graph))


def from_graphml(cls: type[CategoricalDAG], text: str) -> CategoricalDAG:
    """Read a network that `to_graphml` wrote.

    Parameters
    ----------
    text : str
        The file's text.

    Returns
    -------
    CategoricalDAG
        Equal to the one written.

    Raises
    ------
    ValueError
        If the text is no GraphML of a directed graph, or a node's fields are missing or wrong;
        the message names the node.

    Examples
    --------
    >>> from skcausalpima.graph import CategoricalDAG
    >>> dag = CategoricalDAG.from_arrays([[0, 1], [0, 0]], [[0.5, 0.5], [[1, 0], [0, 1]]])
    >>> CategoricalDAG.from_graphml(dag.to_graphml())
    CategoricalDAG(sizes={'N1': 2, 'N2': 2}, edges=[('N1', 'N2')])
    """
    try:
        graph = nx.parse_graphml(text)
    except Exception as error:  # whatever the XML parser or networkx stumble over
        raise ValueError(f"The text is no valid GraphML: {error}") from error
    if not isinstance(graph, nx.DiGraph) or graph.is_multigraph():
        raise ValueError("The GraphML holds no simple directed graph (edgedefault='directed').")
    nodes = []
    for name, data in graph.nodes(data=True):
        fields = {"size": data.pop("size", None)}
        for key in ("states", "parents", "table"):
            fields[key] = _json_field(name, key, data.pop(key, None))
        nodes.append({"name": name, **fields, "attributes": data})
    edges = [{"parent": u, "child": v, "attributes": d} for u, v, d in graph.edges(data=True)]
    document = {"format": FORMAT, "version": VERSION, "nodes": nodes, "edges": edges}
    return _from_document(cls, document)


def _json_field(name: str, key: str, text: Any) -> Any:
    """Decode one field of a GraphML node."""
    if text is None:
        raise ValueError(f"Node {name!r} has no field {key!r}.")
    try:
        return json.loads(text)
    except (TypeError, json.JSONDecodeError) as error:
        raise ValueError(f"Field {key!r} of node {name!r} is damaged: {error}") from error


def _to_document(dag: CategoricalDAG) -> dict[str, Any]:
    """Return the network as lists, dicts, strings and numbers."""
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
                f"The attribute {key!r} of {owner} cannot be written: attributes are strings, "
                f"finite numbers or booleans, under a name not in {NODE_FIELDS}; got {value!r}."
            )
        attributes[key] = value
    return attributes


def _is_scalar(value: Any) -> bool:
    """Tell whether a value can be written as an attribute."""
    return isinstance(value, (str, int)) or (isinstance(value, float) and np.isfinite(value))


def _from_document(cls: type[CategoricalDAG], document: Any) -> CategoricalDAG:
    """Build the network from what `_to_document` returned."""
    _check_fields("The file", document, ("format", "version", "nodes", "edges"))
    if document["format"] != FORMAT or document["version"] != VERSION:
        raise ValueError(
            f"The file has format {document['format']!r}, version {document['version']!r}; this "
            f"release reads {FORMAT!r}, version {VERSION}."
        )
    graph = nx.DiGraph()
    tables = {}
    for position, node in enumerate(_list("nodes", document["nodes"])):
        _check_fields(f"Node number {position}", node, NODE_FIELDS)
        name = node["name"]
        if not isinstance(name, str) or name in graph:
            raise ValueError(f"Node number {position} has the name {name!r}; expected a new one.")
        attributes = _scalars(f"node {name!r}", _dict(f"node {name!r}", node["attributes"]))
        states = {} if node["states"] is None else {"states": node["states"]}
        graph.add_node(name, size=node["size"], **states, **attributes)
        tables[name] = node["table"]
    for node in document["nodes"]:
        parents = _list(f"parents of node {node['name']!r}", node["parents"])
        graph.add_edges_from((p, node["name"]) for p in check_names(list(tables), parents))
    edges = _list("edges", document["edges"])
    for position, edge in enumerate(edges):
        _check_fields(f"Edge number {position}", edge, EDGE_FIELDS)
        ends = (edge["parent"], edge["child"])
        owner = f"Edge number {position}, {ends[0]!r} -> {ends[1]!r},"
        if ends not in list(graph.edges):
            raise ValueError(f"{owner} is not among the parents that the nodes list.")
        graph.edges[ends].update(_scalars(owner, _dict(owner, edge["attributes"])))
    if len(edges) != graph.number_of_edges():
        raise ValueError(
            f"The file lists {len(edges)} edges, but the nodes' parents make "
            f"{graph.number_of_edges()}."
        )
    return cls(graph, tables)


def _check_fields(owner: str, value: Any, fields: tuple[str, ...]) -> None:
    """Check that a dict has exactly the given keys."""
    value = _dict(owner, value)
    unknown = [key for key in value if key not in fields]
    missing = [key for key in fields if key not in value]
    if unknown:
        raise ValueError(f"{owner} has unknown fields {unknown}; the known ones are {fields}.")
    if missing:
        name = f" ({value['name']!r})" if "name" in value else ""
        raise ValueError(f"{owner}{name} lacks the fields {missing}.")


def _dict(owner: str, value: Any) -> dict[str, Any]:
    """Return the value if it is a dict."""
    if not isinstance(value, dict):
        raise ValueError(f"{owner} must be an object with fields; got {value!r}.")
    return value


def _list(owner: str, value: Any) -> list[Any]:
    """Return the value if it is a list."""
    if not isinstance(value, list):
        raise ValueError(f"{owner} must be a list; got {value!r}.")
    return value


def to_dot(self: CategoricalDAG) -> str:
    """Write the graph (not the tables) in Graphviz's DOT language.

    Returns
    -------
    str
        Reversible edges are dashed; edges are labelled with their ``weight``, if they have one.

    Examples
    --------
    >>> from skcausalpima.graph import CategoricalDAG
    >>> dag = CategoricalDAG.from_arrays([[0, 1], [0, 0]], [[0.5, 0.5], [[1, 0], [0, 1]]])
    >>> print(dag.to_dot())
    digraph {
      "N1";
      "N2";
      "N1" -> "N2" [style=dashed];
    }
    """
    compelled = set(compelled_edges(self))
    lines = [f"  {_quote(node)};" for node in self.nodes]
    for u, v, weight in self.graph.edges(data="weight"):
        style = [] if (u, v) in compelled else ["style=dashed"]
        label = [] if weight is None else [f'label="{weight:.2f}"']
        options = ", ".join([*style, *label])
        edge = f"{_quote(u)} -> {_quote(v)}"
        lines.append(f"  {edge} [{options}];" if options else f"  {edge};")
    return "\n".join(["digraph {", *lines, "}"])


def _quote(name: Hashable) -> str:
    """Quote a name for DOT."""
    escaped = str(name).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def to_pgmpy(self: CategoricalDAG) -> Any:
    """Convert to pgmpy's ``DiscreteBayesianNetwork``.

    Returns
    -------
    pgmpy.models.DiscreteBayesianNetwork
        Names of outcomes are kept; outcomes without names are numbers.

    Raises
    ------
    ImportError
        If pgmpy is not installed.
    """
    try:
        from pgmpy.factors.discrete import TabularCPD
        from pgmpy.models import DiscreteBayesianNetwork
    except ImportError as error:
        raise ImportError("to_pgmpy needs pgmpy; install it with `pip install pgmpy`.") from error
    model = DiscreteBayesianNetwork()
    model.add_nodes_from(self.nodes)
    model.add_edges_from(self.graph.edges)
    sizes = dict(zip(self.nodes, self.sizes, strict=True))
    for node, table in self.cpts.items():
        parents = list(self.graph.predecessors(node))
        names = {member: _outcome_names(self, member) for member in (node, *parents)}
        card = [sizes[parent] for parent in parents]
        values = table.reshape(-1, sizes[node]).T
        model.add_cpds(TabularCPD(node, sizes[node], values, parents, card, state_names=names))
    return model


def table(self: CategoricalDAG, node: Hashable) -> pd.DataFrame:
    """Return a node's table with labelled axes.

    Parameters
    ----------
    node : hashable
        A node.

    Returns
    -------
    pandas.DataFrame
        One column per outcome, one row per combination of the parents' outcomes (a row without
        a label where there are no parents). Labels are ``states``, or numbers.

    Raises
    ------
    ValueError
        If there is no such node.
    ImportError
        If pandas is not installed.

    Examples
    --------
    >>> from skcausalpima.graph import CategoricalDAG
    >>> dag = CategoricalDAG.from_arrays([[0, 1], [0, 0]], [[0.5, 0.5], [[1, 0], [0, 1]]])
    >>> dag.table("N2")
    N2    0    1
    N1
    0   1.0  0.0
    1   0.0  1.0
    """
    try:
        import pandas as pd
    except ImportError as error:
        raise ImportError("table needs pandas; install it with `pip install pandas`.") from error
    check_names(self.nodes, [node])
    parents = list(self.graph.predecessors(node))
    columns = pd.Index(_outcome_names(self, node), name=node)
    if not parents:
        rows = pd.Index([""])
    elif len(parents) == 1:
        rows = pd.Index(_outcome_names(self, parents[0]), name=parents[0])
    else:
        labels = [_outcome_names(self, parent) for parent in parents]
        rows = pd.MultiIndex.from_product(labels, names=parents)
    return pd.DataFrame(self.cpts[node].reshape(len(rows), -1), index=rows, columns=columns)


def _outcome_names(dag: CategoricalDAG, node: Hashable) -> list[Any]:
    """Return the names of a node's outcomes, or their numbers."""
    size = dag.cpts[node].shape[-1]
    return list(dag.states.get(node, range(size)))
