"""Methods of `CategoricalDAG` that say what data can and cannot tell about its edges."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING

import networkx as nx
import numpy as np
from numpy.typing import NDArray
from scipy.special import xlogy

from .._structure import equivalence as _equivalence
from .._structure.digraphs import check_graph, copy_graph
from ._families import family_joints
from ._validation import check_names

if TYPE_CHECKING:
    from ._categorical_dag import CategoricalDAG


def adjacency(self: CategoricalDAG) -> NDArray[np.bool_]:
    """Matrix of shape (n_nodes, n_nodes), True where i -> j, in the order of `nodes`."""
    return _matrix(self.graph, self.nodes)


def _matrix(graph: nx.DiGraph, nodes: list[Hashable]) -> NDArray[np.bool_]:
    """Return a boolean adjacency matrix."""
    return nx.to_numpy_array(graph, nodelist=nodes, weight=None, dtype=np.int8).astype(bool)


def cpdag(self: CategoricalDAG) -> nx.DiGraph:
    """Return the graph that stands for the Markov equivalence class (CPDAG, essential graph).

    Returns
    -------
    networkx.DiGraph
        Same nodes. A compelled edge, which points one way in all equivalent DAGs, is there once
        and has the attribute ``compelled=True``; a reversible one is there in both directions,
        each with ``compelled=False``.

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima.graph import CategoricalDAG
    >>> dag = CategoricalDAG.from_arrays([[0, 1], [0, 0]], [[0.5, 0.5], [[1, 0], [0, 1]]])
    >>> list(dag.cpdag().edges(data="compelled"))
    [('N1', 'N2', False), ('N2', 'N1', False)]
    """
    pdag = _equivalence.cpdag(self.adjacency)
    graph = copy_graph(self.graph, cut=self.nodes)
    for i, j in np.argwhere(pdag):
        graph.add_edge(self.nodes[i], self.nodes[j], compelled=bool(not pdag[j, i]))
    return graph


def v_structures(self: CategoricalDAG) -> list[tuple[Hashable, Hashable, Hashable]]:
    """Return the unshielded colliders.

    Returns
    -------
    list of tuple
        (parent, child, other parent) for every child of two parents that are not adjacent;
        parents in the order of `nodes`.

    Examples
    --------
    >>> from skcausalpima.graph import CategoricalDAG
    >>> xor = [[[1, 0], [0, 1]], [[0, 1], [1, 0]]]
    >>> CategoricalDAG.from_arrays(
    ...     [[0, 0, 1], [0, 0, 1], [0, 0, 0]], [[0.5, 0.5], [0.5, 0.5], xor]).v_structures()
    [('N1', 'N3', 'N2')]
    """
    triples = _equivalence.v_structures(self.adjacency)
    return [tuple(self.nodes[index] for index in triple) for triple in triples]


def compelled_edges(self: CategoricalDAG) -> list[tuple[Hashable, Hashable]]:
    """Return the edges that point the same way in all Markov equivalent DAGs.

    Returns
    -------
    list of tuple
        (parent, child), ordered by the parent's and then the child's place in `nodes`.
    """
    return _edges(self, compelled=True)


def reversible_edges(self: CategoricalDAG) -> list[tuple[Hashable, Hashable]]:
    """Return the edges that point the other way in some Markov equivalent DAG.

    Returns
    -------
    list of tuple
        (parent, child) as in this DAG, ordered by the parent's and then the child's place in
        `nodes`.
    """
    return _edges(self, compelled=False)


def _edges(self: CategoricalDAG, compelled: bool) -> list[tuple[Hashable, Hashable]]:
    """Return the edges of one of the two kinds."""
    adjacency = self.adjacency
    pdag = _equivalence.cpdag(adjacency)
    chosen = adjacency & (~pdag.T if compelled else pdag.T)
    return [(self.nodes[i], self.nodes[j]) for i, j in np.argwhere(chosen)]


def markov_equivalent(self: CategoricalDAG, other: CategoricalDAG | nx.DiGraph) -> bool:
    """Tell whether another DAG makes the same independence statements.

    Parameters
    ----------
    other : CategoricalDAG or networkx.DiGraph
        A DAG over the same nodes, in any order.

    Returns
    -------
    bool
        True if the two have the same skeleton and v-structures; then no observational data
        can tell them apart.

    Raises
    ------
    ValueError
        If the nodes differ or ``other`` has a cycle.
    """
    graph = other if isinstance(other, nx.Graph) else getattr(other, "graph", other)
    graph = check_graph(graph)
    if set(graph) != set(self.nodes):
        raise ValueError(
            "Only graphs over the same nodes can be equivalent; these nodes occur in one of the "
            f"two: {sorted(set(graph) ^ set(self.nodes), key=str)}."
        )
    return _equivalence.markov_equivalent(self.adjacency, _matrix(graph, self.nodes))


def edge_strength(self: CategoricalDAG, parent: Hashable, child: Hashable) -> float:
    r"""Return how much a parent tells about its child beyond the other parents.

    The conditional mutual information :math:`I(\mathrm{parent}; \mathrm{child} |
    \mathrm{other\ parents})` in this network.

    Parameters
    ----------
    parent, child : hashable
        The ends of an edge.

    Returns
    -------
    float
        In nats; not negative.

    Raises
    ------
    ValueError
        If there is no such edge.

    Examples
    --------
    >>> from skcausalpima.graph import CategoricalDAG
    >>> dag = CategoricalDAG.from_arrays([[0, 1], [0, 0]], [[0.5, 0.5], [[1, 0], [0, 1]]])
    >>> round(dag.edge_strength("N1", "N2"), 4)
    0.6931
    """
    check_names(self.nodes, [parent, child])
    if not self.graph.has_edge(parent, child):
        raise ValueError(f"There is no edge {parent!r} -> {child!r}.")
    others = [node for node in self.graph.predecessors(child) if node != parent]
    return _strength(self.marginal([parent, child, *others]))


def _strength(joint: NDArray[np.float64]) -> float:
    """Return the information between the first two axes, given the others."""
    rest = joint.sum(axis=(0, 1), keepdims=True)
    expected = joint.sum(axis=0, keepdims=True) * joint.sum(axis=1, keepdims=True)
    # Zero times anything is zero here: a cell of no mass contributes nothing.
    ratio = np.divide(joint * rest, expected, out=np.ones_like(joint), where=joint > 0)
    return max(float(xlogy(joint, ratio).sum()), 0.0)


def summary(self: CategoricalDAG) -> str:
    """Describe every edge in one line.

    Returns
    -------
    str
        Per edge: the edge attribute ``weight`` (if any); ``compelled`` (all equivalent DAGs
        agree on the direction), ``known`` (they do not, but the edge attribute ``compelled`` says
        that knowledge or interventions settle it) or ``reversible``; the strength
        (`edge_strength`, in nats); the edge attribute ``confidence`` (if any).

    Examples
    --------
    >>> from skcausalpima.graph import CategoricalDAG
    >>> dag = CategoricalDAG.from_arrays(
    ...     [[0, 1], [0, 0]], [[0.5, 0.5], [[1, 0], [0, 1]]], weights=[[0, 0.9], [0, 0]])
    >>> print(dag.summary())
    N1 -> N2  weight 0.90  reversible  strength 0.6931 nats
    """
    adjacency = self.adjacency
    pdag = _equivalence.cpdag(adjacency)
    joints = family_joints(self)
    lines = []
    for i, j in np.argwhere(adjacency):
        edge = (self.nodes[i], self.nodes[j])
        axis = list(self.graph.predecessors(edge[1])).index(edge[0])
        joint = np.moveaxis(joints[edge[1]], (axis, -1), (0, 1))
        attributes = self.graph.edges[edge]
        known = "known" if attributes.get("compelled") else "reversible"
        parts = [f"{edge[0]} -> {edge[1]}"]
        if attributes.get("weight") is not None:
            parts.append(f"weight {attributes['weight']:.2f}")
        parts.append(known if pdag[j, i] else "compelled")
        parts.append(f"strength {_strength(joint):.4f} nats")
        if attributes.get("confidence") is not None:
            parts.append(f"confidence {attributes['confidence']:.2f}")
        lines.append(parts)
    if not lines:
        return "No edges: the nodes are independent."
    names = max(len(parts[0]) for parts in lines)
    return "\n".join("  ".join([parts[0].ljust(names), *parts[1:]]) for parts in lines)
