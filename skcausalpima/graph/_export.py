"""Methods of `CategoricalDAG` that write and read other formats."""

from __future__ import annotations

import json
from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

import networkx as nx

from ._document import FORMAT, VERSION, check_type, from_document, to_document
from ._identification import compelled_edges
from ._texts import check_text, parse_json, shown
from ._validation import check_names

if TYPE_CHECKING:
    import pandas as pd

    from ._categorical_dag import CategoricalDAG


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
    return json.dumps(to_document(self), indent=1, allow_nan=False)


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
    TypeError
        If ``text`` is no str.
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
    return from_document(cls, parse_json("The text", check_text(text, "from_json")))


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
    document = to_document(self)
    graph = nx.DiGraph()
    for node in document["nodes"]:
        fields = {key: json.dumps(node[key]) for key in ("states", "parents", "table")}
        data = {"size": node["size"], **fields, **node["attributes"]}
        graph.add_nodes_from([(node["name"], data)])
    for edge in document["edges"]:
        graph.add_edges_from([(edge["parent"], edge["child"], edge["attributes"])])
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
    TypeError
        If ``text`` is no str.
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
    check_text(text, "from_graphml")
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
    return from_document(cls, document)


def _json_field(name: str, key: str, text: Any) -> Any:
    """Decode one field of a GraphML node."""
    if text is None:
        raise ValueError(f"Node {shown(name)} has no field {key!r}.")
    check_type(f"Field {key!r} of node {shown(name)}", text, str)
    return parse_json(f"Field {key!r} of node {shown(name)}", text)


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
