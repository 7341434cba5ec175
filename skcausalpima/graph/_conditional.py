"""Distributions of some nodes: given what others were seen to be, and with their parents."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping

import networkx as nx
import numpy as np

from .._base.types import Outcomes
from ._elimination import Factor, check_cells, eliminate
from ._validation import Floats, Tables, check_names, check_outcomes


class ConditionalDistribution:
    """The distribution of the remaining nodes, given the outcomes of others.

    What `CategoricalDAG.condition` returns. It is no Bayesian network on the same graph in
    general (conditioning on a common effect makes its causes depend on each other), hence a
    class of its own with the same `joint` and `marginal`.

    Parameters
    ----------
    graph : networkx.DiGraph
        The network's graph, whose nodes have ``size`` and may have ``states``.
    tables : mapping
        Node to table.
    evidence : mapping
        Node to outcome.

    Attributes
    ----------
    nodes : list
        The nodes that are not in the evidence, in the network's order.
    sizes : tuple of int
        Their numbers of outcomes.
    evidence : dict
        Node to outcome, as numbers.
    log_probability : float
        Log of the evidence's probability, in nats.

    Raises
    ------
    ValueError
        If a node or an outcome does not exist, no node is left, or the evidence has probability
        zero.

    Examples
    --------
    >>> import networkx as nx
    >>> from skcausalpima.graph import CategoricalDAG
    >>> dag = CategoricalDAG(nx.DiGraph([("a", "b")]), {"a": [0.5, 0.5], "b": [[1, 0], [0.5, 0.5]]})
    >>> dag.condition({"b": 1}).marginal(["a"])
    array([0., 1.])
    """

    def __init__(self, graph: nx.DiGraph, tables: Tables, evidence: Outcomes) -> None:
        self._graph, self._tables = graph, tables
        self.evidence = check_outcomes(graph, evidence, "condition")
        self.nodes = [node for node in graph if node not in self.evidence]
        self.sizes = tuple(graph.nodes[node]["size"] for node in self.nodes)
        if not self.nodes:
            raise ValueError(
                "condition fixes every node, so that none is left to have a distribution; use "
                "log_prob for the probability of one outcome of all nodes."
            )
        total, exponent = query(graph, tables, [], self.evidence)
        if total <= 0:
            raise ValueError(
                f"condition on an event of probability zero: {self.evidence} cannot happen in this "
                "network."
            )
        self.log_probability = math.log(total) + exponent * math.log(2.0)

    def __repr__(self) -> str:
        return f"ConditionalDistribution(nodes={self.nodes}, evidence={self.evidence})"

    def joint(self) -> Floats:
        """Return the joint distribution of the remaining nodes.

        Returns
        -------
        ndarray
            Axes in the order of `nodes`; sums to 1.

        Raises
        ------
        ValueError
            If it would have more than 2**27 cells.

        See Also
        --------
        marginal : Of some nodes.

        Examples
        --------
        >>> import networkx as nx
        >>> from skcausalpima.graph import CategoricalDAG
        >>> often = [[0.9, 0.1], [0.2, 0.8]]
        >>> tables = {"heat": [0.5, 0.5], "crack": often, "leak": often}
        >>> graph = nx.DiGraph([("heat", "crack"), ("crack", "leak")])
        >>> dag = CategoricalDAG(graph, tables)
        >>> dag.condition({"leak": 1}).joint().round(3)  # axes: heat, crack
        array([[0.108, 0.096],
               [0.024, 0.771]])
        """
        return self.marginal(self.nodes)

    def marginal(self, names: Iterable[Hashable]) -> Floats:
        """Return the joint distribution of some of the remaining nodes.

        Parameters
        ----------
        names : list of nodes
            None of them in the evidence.

        Returns
        -------
        ndarray
            Axes in the order of ``names``; sums to 1.

        Raises
        ------
        ValueError
            If a name is unknown, in the evidence, or occurs twice.

        See Also
        --------
        joint : Of all remaining nodes.

        Examples
        --------
        >>> import networkx as nx
        >>> from skcausalpima.graph import CategoricalDAG
        >>> often = [[0.9, 0.1], [0.2, 0.8]]
        >>> tables = {"heat": [0.5, 0.5], "crack": often, "leak": often}
        >>> graph = nx.DiGraph([("heat", "crack"), ("crack", "leak")])
        >>> dag = CategoricalDAG(graph, tables)
        >>> seen = dag.condition({"leak": 1})
        >>> seen.marginal(["heat"]).round(2)
        array([0.2, 0.8])
        >>> round(seen.log_probability, 2)
        -0.88
        """
        array, _ = query(self._graph, self._tables, check_names(self.nodes, names), self.evidence)
        return array / array.sum()


def query(
    graph: nx.DiGraph, tables: Tables, names: list[Hashable], evidence: Mapping[Hashable, int]
) -> tuple[Floats, int]:
    """Return the probability of evidence together with every outcome of some nodes.

    Nodes that are no ancestors of either are left out: they sum to 1.

    Parameters
    ----------
    graph : networkx.DiGraph
        The network's graph, whose nodes have ``size``.
    tables : mapping
        Node to table.
    names : list of hashable
        Nodes of the result's axes.
    evidence : mapping
        Other nodes, to outcomes.

    Returns
    -------
    array : ndarray
        Scaled.
    exponent : int
        The probabilities are ``array * 2.0**exponent``.

    Raises
    ------
    ValueError
        If a table of more than 2**27 cells would be needed.
    """
    sizes = dict(graph.nodes(data="size"))
    check_cells(sizes[node] for node in names)
    relevant = {*names, *evidence}
    waiting = list(relevant)
    while waiting:
        new = set(graph.predecessors(waiting.pop())) - relevant
        relevant |= new
        waiting += new
    factors = []
    for child in graph:
        if child in relevant:
            family = (*graph.predecessors(child), child)
            index = tuple(evidence.get(node, slice(None)) for node in family)
            scope = tuple(node for node in family if node not in evidence)
            factors.append(Factor(scope, np.asarray(tables[child][index])))
    return eliminate(factors, names)


def family_joints(graph: nx.DiGraph, tables: Tables) -> Tables:
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
    >>> from skcausalpima.graph._conditional import family_joints
    >>> dag = CategoricalDAG.from_arrays([[0, 1], [0, 0]], [[0.5, 0.5], [[1, 0], [0, 1]]])
    >>> family_joints(dag.graph, dag.cpts)["N2"]
    array([[0.5, 0. ],
           [0. , 0.5]])
    """
    joints: Tables = {}
    families = {node: (*graph.predecessors(node), node) for node in graph}
    for node in nx.topological_sort(graph):
        *parents, _ = families[node]
        nearby = (*parents, *graph.successors(parents[0])) if parents else ()
        holders = (n for n in nearby if n in joints and set(parents).issubset(families[n]))
        source = next(holders, None)
        if source is None:
            array, exponent = query(graph, tables, parents, {})
            prior = np.ldexp(array, exponent)
        else:
            kept = [member for member in families[source] if member in parents]
            others = tuple(k for k, n in enumerate(families[source]) if n not in parents)
            axes = [kept.index(parent) for parent in parents]
            prior = joints[source].sum(axis=others).transpose(axes)
        joints[node] = prior[..., None] * tables[node]
    return joints
