"""CategoricalDAG: a Bayesian network of categorical nodes."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any

import networkx as nx
import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_random_state

from .._structure.digraphs import check_graph, copy_graph
from . import _bif, _export, _identification, _renaming
from ._conditional import ConditionalDistribution, query
from ._validation import (
    check_names,
    check_numbers,
    check_outcomes,
    check_samples,
    check_states,
    check_tables,
)


class CategoricalDAG:
    r"""A Bayesian network: conditional tables on a directed acyclic graph.

    :math:`p(N_1, \dots, N_L) = \prod_\ell p(N_\ell | Pa(N_\ell))` (Eq. 5). All results are exact;
    sums are by variable elimination, so the full grid is built only by `joint`. Graph and
    tables are read-only.

    `do` answers "what if" *under the assumption that the graph is causal*. Data alone identify
    it at best up to Markov equivalence: see `cpdag`.

    Parameters
    ----------
    graph : networkx.DiGraph
        The DAG. Node attributes ``size`` (checked against the table) and ``states`` (names of
        the outcomes, strings) are optional, other attributes of nodes and edges are kept.
    cpts : mapping
        Node to array-like: axes are the parents in ``list(graph.predecessors(node))`` order and,
        last, the node, along which the table sums to 1.

    Attributes
    ----------
    graph : networkx.DiGraph
        A frozen copy, with the node attribute ``size``.
    cpts : dict
        Node to read-only float64 array.
    nodes : list
        The nodes in ``list(graph)`` order.
    sizes : tuple of int
        Their numbers of outcomes.
    states : dict
        Node to tuple of str, for the nodes whose outcomes have names.

    Raises
    ------
    ValueError
        If the graph has a cycle, or a table is missing, has a wrong shape, a negative entry or a
        row that does not sum to 1.

    Examples
    --------
    >>> import networkx as nx
    >>> from skcausalpima.graph import CategoricalDAG
    >>> graph = nx.DiGraph([("rain", "wet")])
    >>> dag = CategoricalDAG(graph, {"rain": [0.75, 0.25], "wet": [[1.0, 0.0], [0.5, 0.5]]})
    >>> dag.marginal(["wet"])
    array([0.875, 0.125])
    >>> dag.condition({"wet": 1}).marginal(["rain"])
    array([0., 1.])
    >>> dag.do({"wet": 1}).marginal(["rain"])
    array([0.75, 0.25])
    """

    def __init__(self, graph: nx.DiGraph, cpts: Mapping[Hashable, ArrayLike]) -> None:
        graph = check_graph(graph)
        self.cpts = check_tables(graph, cpts)
        self.nodes = list(graph)
        self.sizes = tuple(self.cpts[node].shape[-1] for node in self.nodes)
        sizes = dict(zip(self.nodes, self.sizes, strict=True))
        nx.set_node_attributes(graph, sizes, "size")
        self.states = check_states(graph, sizes)
        nx.set_node_attributes(graph, self.states, "states")
        self.graph = nx.freeze(graph)

    def __repr__(self) -> str:
        sizes = ", ".join(f"{n!r}: {size}" for n, size in zip(self.nodes, self.sizes, strict=True))
        return f"CategoricalDAG(sizes={{{sizes}}}, edges={list(self.graph.edges)})"

    @classmethod
    def from_arrays(
        cls,
        adjacency: ArrayLike,
        tables: Sequence[ArrayLike],
        names: Sequence[Hashable] | None = None,
        weights: ArrayLike | None = None,
    ) -> CategoricalDAG:
        """Build a network from matrices.

        Parameters
        ----------
        adjacency : array-like of bool of shape (n_nodes, n_nodes)
            True where i -> j.
        tables : sequence of array-like
            One per node: axes are its parents in ascending order and, last, the node.
        names : sequence of hashable, optional
            Names of the nodes; N1, N2, ... by default.
        weights : array-like of shape (n_nodes, n_nodes), optional
            Becomes the edge attribute ``weight``.

        Returns
        -------
        CategoricalDAG
            Nodes in the given order.

        Raises
        ------
        ValueError
            If shapes do not agree, names repeat, or `CategoricalDAG` refuses the result.

        Examples
        --------
        >>> from skcausalpima.graph import CategoricalDAG
        >>> CategoricalDAG.from_arrays([[0, 1], [0, 0]], [[0.5, 0.5], [[1, 0], [0, 1]]])
        CategoricalDAG(sizes={'N1': 2, 'N2': 2}, edges=[('N1', 'N2')])
        """
        adjacency = np.asarray(adjacency)
        if adjacency.ndim != 2 or adjacency.shape != (len(tables), len(tables)):
            raise ValueError(
                f"adjacency must have shape {(len(tables), len(tables))}, one row and column per "
                f"table; got {adjacency.shape}."
            )
        if not np.isin(adjacency, (0, 1)).all():
            raise ValueError("adjacency must hold booleans; threshold edge weights first.")
        names = list(names) if names is not None else [f"N{i + 1}" for i in range(len(tables))]
        if len(names) != len(tables) or len(set(names)) != len(names):
            raise ValueError(f"names must be {len(tables)} different names; got {names}.")
        if weights is not None:
            weights = check_numbers("weights", weights)
            if weights.shape != adjacency.shape:
                raise ValueError(
                    f"weights must have the adjacency's shape {adjacency.shape}; got "
                    f"{weights.shape}."
                )
        graph = nx.DiGraph()
        graph.add_nodes_from(names)
        for i, j in np.argwhere(adjacency):  # ascending i, so parents are in ascending order
            attributes = {} if weights is None else {"weight": float(weights[i, j])}
            graph.add_edge(names[i], names[j], **attributes)
        return cls(graph, dict(zip(names, tables, strict=True)))

    def joint(self) -> NDArray[np.float64]:
        """Return the joint distribution of all nodes.

        Returns
        -------
        ndarray of shape (C_1, ..., C_L)
            Axes in the order of `nodes`; sums to 1.

        Raises
        ------
        ValueError
            If it would have more than 2**27 cells.
        """
        return self.marginal(self.nodes)

    def marginal(self, names: Iterable[Hashable]) -> NDArray[np.float64]:
        """Return the joint distribution of some nodes.

        Parameters
        ----------
        names : list of nodes
            Which ones.

        Returns
        -------
        ndarray
            Axes in the order of ``names``; sums to 1.

        Raises
        ------
        ValueError
            If a name is unknown or occurs twice, or a table of more than 2**27 cells would be
            needed on the way.
        """
        array, exponent = query(self, check_names(self.nodes, names), {})
        return np.ldexp(array, exponent)

    def condition(self, evidence: Mapping[Hashable, int | str]) -> ConditionalDistribution:
        """Return the distribution of the other nodes, given what some were *seen* to be.

        Parameters
        ----------
        evidence : mapping
            Node to outcome: a number, or a name where the node has ``states``.

        Returns
        -------
        ConditionalDistribution
            Has `joint` and `marginal` over the nodes that are not in the evidence.

        Raises
        ------
        ValueError
            If a node or an outcome does not exist, the evidence covers all nodes, or its
            probability is zero.
        """
        return ConditionalDistribution(self, evidence)

    def do(self, interventions: Mapping[Hashable, int | str]) -> CategoricalDAG:
        """Return the network after some nodes were *set* from outside (Pearl's do-operator).

        The edges into those nodes are cut and their tables become point masses; all other
        tables stay. What was known about directions (the edge attribute ``compelled``) is
        dropped, for the equivalence class is another one.

        Parameters
        ----------
        interventions : mapping
            Node to outcome: a number, or a name where the node has ``states``.

        Returns
        -------
        CategoricalDAG
            Over the same nodes.

        Raises
        ------
        ValueError
            If a node or an outcome does not exist, or every node is set.
        """
        sizes = dict(zip(self.nodes, self.sizes, strict=True))
        outcomes = check_outcomes(sizes, self.states, interventions, "do")
        if len(outcomes) == len(self.nodes):
            raise ValueError(
                f"do sets every node ({self.nodes}); leave at least one to have a distribution."
            )
        graph = copy_graph(self.graph, cut=outcomes)
        for _, _, attributes in graph.edges(data=True):
            attributes.pop("compelled", None)
        cpts = dict(self.cpts)
        for node, outcome in outcomes.items():
            cpts[node] = np.eye(sizes[node])[outcome]
        return CategoricalDAG(graph, cpts)

    def sample(
        self, n_samples: int = 1, random_state: int | np.random.RandomState | None = None
    ) -> NDArray[np.int64]:
        """Draw independent samples, parents before children.

        Parameters
        ----------
        n_samples : int, default=1
            How many.
        random_state : int, RandomState instance or None, default=None
            Source of randomness.

        Returns
        -------
        ndarray of int of shape (n_samples, n_nodes)
            Columns in the order of `nodes`.
        """
        rng = check_random_state(random_state)
        samples = np.zeros((n_samples, len(self.nodes)), dtype=np.int64)
        column = {node: index for index, node in enumerate(self.nodes)}
        for node in nx.topological_sort(self.graph):
            parents = tuple(samples[:, column[p]] for p in self.graph.predecessors(node))
            cumulative = np.cumsum(self.cpts[node], axis=-1)
            cumulative /= cumulative[..., -1:]  # exactly 1, so that no draw falls outside
            rows = np.broadcast_to(cumulative[parents], (n_samples, cumulative.shape[-1]))
            samples[:, column[node]] = (rng.random_sample((n_samples, 1)) >= rows).sum(axis=1)
        return samples

    def log_prob(self, outcomes: ArrayLike) -> NDArray[np.float64]:
        """Return the log-probability of outcomes of all nodes.

        Parameters
        ----------
        outcomes : array-like of int of shape (n_samples, n_nodes)
            Columns in the order of `nodes`.

        Returns
        -------
        ndarray of shape (n_samples,)
            In nats; ``-inf`` for what cannot happen.

        Raises
        ------
        ValueError
            If the shape is wrong or an entry is no outcome of its node.
        """
        samples = check_samples(self.nodes, self.sizes, outcomes)
        column = {node: index for index, node in enumerate(self.nodes)}
        total = np.zeros(len(samples))
        with np.errstate(divide="ignore"):  # log(0) is -inf, as it should be
            for node, table in self.cpts.items():
                family = (*self.graph.predecessors(node), node)
                total += np.log(table[tuple(samples[:, column[member]] for member in family)])
        return total

    def ancestors(self, node: Hashable) -> set[Hashable]:
        """Return the nodes from which a directed path leads to a node.

        Parameters
        ----------
        node : hashable
            A node.

        Returns
        -------
        set
            Without the node itself.

        Raises
        ------
        ValueError
            If there is no such node.
        """
        return nx.ancestors(self.graph, *check_names(self.nodes, [node]))

    def d_separated(self, x: Any, y: Any, given: Any = ()) -> bool:
        """Tell whether the graph makes nodes independent, given others.

        Parameters
        ----------
        x, y, given : node or collection of nodes
            Three sets that do not overlap.

        Returns
        -------
        bool
            True if every distribution on this graph has x independent of y given the rest.

        Raises
        ------
        ValueError
            If a node is unknown or the sets overlap.
        """
        sets = [
            set(check_names(self.nodes, [nodes] if nodes in self.nodes else nodes))
            for nodes in (x, y, given)
        ]
        if len(set().union(*sets)) != sum(map(len, sets)):
            raise ValueError(f"x, y and given must not overlap; got {x!r}, {y!r} and {given!r}.")
        # networkx < 3.3 has it under its old name only.
        is_d_separator = getattr(nx, "is_d_separator", None) or nx.d_separated
        return is_d_separator(self.graph, *sets)

    adjacency = property(_identification.adjacency)
    cpdag = _identification.cpdag
    v_structures = _identification.v_structures
    compelled_edges = _identification.compelled_edges
    reversible_edges = _identification.reversible_edges
    markov_equivalent = _identification.markov_equivalent
    edge_strength = _identification.edge_strength
    summary = _identification.summary

    rename_nodes = _renaming.rename_nodes

    table = _export.table
    to_json = _export.to_json
    from_json = classmethod(_export.from_json)
    to_graphml = _export.to_graphml
    from_graphml = classmethod(_export.from_graphml)
    to_dot = _export.to_dot
    to_pgmpy = _export.to_pgmpy
    to_bif = _bif.to_bif
    from_bif = classmethod(_bif.from_bif)
