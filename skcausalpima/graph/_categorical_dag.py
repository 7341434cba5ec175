"""CategoricalDAG: a Bayesian network of categorical nodes."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import networkx as nx
import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import xlogy
from sklearn.utils import check_random_state

from .._base.types import Outcomes
from .._structure import equivalence as _equivalence
from .._structure.digraphs import (
    check_graph,
    copy_graph,
    doubtful_edges,
    is_by_chance,
    number_at_edge,
    sure_arrows,
)
from . import _bif, _formats
from ._conditional import ConditionalDistribution, family_joints, query
from ._svg import to_svg
from ._validation import (
    Floats,
    check_names,
    check_numbers,
    check_outcomes,
    check_samples,
    check_states,
    check_tables,
)

if TYPE_CHECKING:
    import pandas as pd

#: A node, or several.
Nodes: TypeAlias = Hashable | Collection[Hashable]


class CategoricalDAG:
    r"""A Bayesian network: conditional tables on a directed acyclic graph.

    :math:`p(N_1, \dots, N_L) = \prod_\ell p(N_\ell | Pa(N_\ell))` (Eq. 5). All results are exact;
    sums are by variable elimination, so the full grid is built only by `joint`. Graph and
    tables are read-only.

    `do` answers "what if" *under the assumption that the graph is causal*. Data alone identify
    it at best up to Markov equivalence: see `cpdag`.

    A notebook draws the graph: compelled and known edges are arrows, reversible ones, and those of
    a ``weight`` below 0.8, plain lines.

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

    def _repr_svg_(self) -> str:
        """Return a picture of the graph for a notebook."""
        return to_svg(self.graph, self._arrows())

    def _repr_html_(self) -> str:
        """Return the picture for notebooks that prefer HTML."""
        return f'<div style="overflow-x: auto">{self._repr_svg_()}</div>'

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

    def joint(self) -> Floats:
        """Return the joint distribution of all nodes.

        Returns
        -------
        ndarray of shape (C_1, ..., C_L)
            Axes in the order of `nodes`; sums to 1.

        Raises
        ------
        ValueError
            If it would have more than 2**27 cells.

        See Also
        --------
        marginal : Of some nodes, without the full table.

        Examples
        --------
        >>> import networkx as nx
        >>> from skcausalpima.graph import CategoricalDAG
        >>> tables = {"heat": [0.5, 0.5], "crack": [[0.9, 0.1], [0.2, 0.8]]}
        >>> dag = CategoricalDAG(nx.DiGraph([("heat", "crack")]), tables)
        >>> dag.joint().round(2)
        array([[0.45, 0.05],
               [0.1 , 0.4 ]])
        """
        return self.marginal(self.nodes)

    def marginal(self, names: Iterable[Hashable]) -> Floats:
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

        See Also
        --------
        joint : Of all nodes.
        condition : Given what other nodes were seen to be.

        Examples
        --------
        >>> import networkx as nx
        >>> from skcausalpima.graph import CategoricalDAG
        >>> tables = {"heat": [0.5, 0.5], "crack": [[0.9, 0.1], [0.2, 0.8]]}
        >>> dag = CategoricalDAG(nx.DiGraph([("heat", "crack")]), tables)
        >>> dag.marginal(["crack"])
        array([0.55, 0.45])
        """
        array, exponent = query(self.graph, self.cpts, check_names(self.nodes, names), {})
        return np.ldexp(array, exponent)

    def condition(self, evidence: Outcomes) -> ConditionalDistribution:
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

        See Also
        --------
        do : Where nodes are set, not seen.

        Examples
        --------
        >>> import networkx as nx
        >>> from skcausalpima.graph import CategoricalDAG
        >>> tables = {"heat": [0.5, 0.5], "crack": [[0.9, 0.1], [0.2, 0.8]]}
        >>> dag = CategoricalDAG(nx.DiGraph([("heat", "crack")]), tables)
        >>> dag.condition({"crack": 1}).marginal(["heat"]).round(2)
        array([0.11, 0.89])
        """
        return ConditionalDistribution(self.graph, self.cpts, evidence)

    def do(self, interventions: Outcomes) -> CategoricalDAG:
        """Return the network after some nodes were intervened on (Pearl's do-operator).

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

        See Also
        --------
        condition : Where nodes are seen, not set.
        intervene : Draw outcomes after nodes were set.
        counterfactual : What given samples would have been.

        Examples
        --------
        >>> import networkx as nx
        >>> from skcausalpima.graph import CategoricalDAG
        >>> tables = {"heat": [0.5, 0.5], "crack": [[0.9, 0.1], [0.2, 0.8]]}
        >>> dag = CategoricalDAG(nx.DiGraph([("heat", "crack")]), tables)
        >>> dag.do({"crack": 1}).marginal(["heat"])  # mending cools nothing
        array([0.5, 0.5])
        """
        outcomes = check_outcomes(self.graph, interventions, "do")
        if len(outcomes) == len(self.nodes):
            raise ValueError(
                f"do sets every node ({self.nodes}); leave at least one to have a distribution."
            )
        graph = copy_graph(self.graph, cut=outcomes)
        for _, _, attributes in graph.edges(data=True):
            attributes.pop("compelled", None)
        cpts = dict(self.cpts)
        for node, outcome in outcomes.items():
            cpts[node] = np.eye(cpts[node].shape[-1])[outcome]
        return CategoricalDAG(graph, cpts)

    def intervene(
        self,
        interventions: Outcomes,
        n_samples: int = 1,
        random_state: int | np.random.RandomState | None = None,
    ) -> NDArray[np.int64]:
        """Draw the outcomes of all nodes after some of them, or all, were intervened on.

        Parameters
        ----------
        interventions : mapping
            Node to outcome: a number, or a name where the node has ``states``.
        n_samples : int, default=1
            How many.
        random_state : int, RandomState instance or None, default=None
            Source of randomness.

        Returns
        -------
        ndarray of int of shape (n_samples, n_nodes)
            Columns in the order of `nodes`.

        Raises
        ------
        ValueError
            If a node or an outcome does not exist.

        See Also
        --------
        do : The network that this draws from.
        counterfactual : Other outcomes of the same samples.

        Examples
        --------
        >>> from skcausalpima.graph import CategoricalDAG
        >>> dag = CategoricalDAG.from_arrays([[0, 1], [0, 0]], [[0.5, 0.5], [[1, 0], [0, 1]]])
        >>> dag.intervene({"N1": 1}, n_samples=2)
        array([[1, 1],
               [1, 1]])
        """
        outcomes = check_outcomes(self.graph, interventions, "intervene")
        if len(outcomes) < len(self.nodes):
            return self.do(outcomes).sample(n_samples, random_state)
        # One cell of the grid: no distribution for `do`, but something that can be decoded.
        return np.tile(np.array([outcomes[node] for node in self.nodes]), (n_samples, 1))

    def counterfactual(
        self,
        factual: ArrayLike,
        interventions: Outcomes,
        random_state: int | np.random.RandomState | None = None,
    ) -> NDArray[np.int64]:
        r"""Draw what the outcomes would have been, had some nodes been set, all else equal.

        The mechanism of every node is taken to be a Gumbel-max one (Oberst and Sontag, 2019): its
        outcome is :math:`\arg\max_i (\log p_i + g_i)`. Here p is the row of its table that the
        parents choose, and the Gumbel noise g belongs to the sample. The noise is drawn given that
        it led to the factual outcomes, and then meets the rows that the new outcomes of the parents
        choose. A node keeps its outcome where its row stays the same; non-descendants always do.

        Parameters
        ----------
        factual : array-like of shape (n_samples, n_nodes)
            What was: numbers, or names where nodes have ``states``. Columns in the order of
            `nodes`.
        interventions : mapping
            Node to outcome: a number, or a name where the node has ``states``.
        random_state : int, RandomState instance or None, default=None
            Source of randomness. The same number of draws is used up by every sample, whatever is
            set: the first rows stay the same if more rows follow, and different interventions with
            one seed meet the same noise.

        Returns
        -------
        ndarray of int of shape (n_samples, n_nodes)
            What would have been.

        Raises
        ------
        ValueError
            If a node or an outcome does not exist, or a sample's factual outcomes cannot happen.

        See Also
        --------
        intervene : New samples, in place of given ones.

        Examples
        --------
        >>> from skcausalpima.graph import CategoricalDAG
        >>> dag = CategoricalDAG.from_arrays([[0, 1], [0, 0]], [[0.5, 0.5], [[1, 0], [0, 1]]])
        >>> dag.counterfactual([[0, 0], [1, 1]], {"N1": 1})
        array([[1, 1],
               [1, 1]])
        """
        samples = check_samples(self.graph, factual)
        outcomes = check_outcomes(self.graph, interventions, "counterfactual")
        impossible = np.flatnonzero(np.isneginf(self.log_prob(samples)))
        if len(impossible):
            by_node = dict(zip(self.nodes, samples[impossible[0]].tolist(), strict=True))
            raise ValueError(
                f"Sample {impossible[0]} has outcomes of probability zero, {by_node}: what cannot "
                "have happened has no counterfactual."
            )
        rng = check_random_state(random_state)
        noise = rng.standard_exponential((*samples.shape, 1 + max(self.sizes)))
        log_noise = np.log(np.maximum(noise, np.finfo(noise.dtype).tiny))
        result = samples.astype(np.int64)
        column = {node: index for index, node in enumerate(self.nodes)}
        for node in nx.topological_sort(self.graph):
            k = column[node]
            if node in outcomes:
                result[:, k] = outcomes[node]
                continue
            parents = [column[parent] for parent in self.graph.predecessors(node)]
            old, new = (self.cpts[node][tuple(x[:, parents].T)] for x in (samples, result))
            if parents:  # the rows of a root cannot change
                own_noise = log_noise[:, k, : 1 + self.sizes[k]]
                result[:, k] = _same_noise(old, new, samples[:, k], own_noise)
        return result

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

        See Also
        --------
        intervene : Draw after some nodes were set.

        Examples
        --------
        >>> import networkx as nx
        >>> from skcausalpima.graph import CategoricalDAG
        >>> tables = {"heat": [0.5, 0.5], "crack": [[0.9, 0.1], [0.2, 0.8]]}
        >>> dag = CategoricalDAG(nx.DiGraph([("heat", "crack")]), tables)
        >>> dag.sample(6, random_state=0)
        array([[1, 1],
               [1, 1],
               [1, 1],
               [1, 1],
               [0, 0],
               [1, 1]])
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

    def log_prob(self, outcomes: ArrayLike) -> Floats:
        """Return the log-probability of outcomes of all nodes.

        Parameters
        ----------
        outcomes : array-like of shape (n_samples, n_nodes)
            Numbers, or names where nodes have ``states``. Columns in the order of `nodes`.

        Returns
        -------
        ndarray of shape (n_samples,)
            In nats; ``-inf`` for what cannot happen.

        Raises
        ------
        ValueError
            If the shape is wrong or an entry is no outcome of its node.

        Examples
        --------
        >>> import networkx as nx
        >>> from skcausalpima.graph import CategoricalDAG
        >>> tables = {"heat": [0.5, 0.5], "crack": [[0.9, 0.1], [0.2, 0.8]]}
        >>> dag = CategoricalDAG(nx.DiGraph([("heat", "crack")]), tables)
        >>> dag.log_prob([[0, 0], [0, 1]]).round(2)
        array([-0.8, -3. ])
        """
        samples = check_samples(self.graph, outcomes)
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

        See Also
        --------
        d_separated : Whether nodes depend on each other.

        Examples
        --------
        >>> import networkx as nx
        >>> from skcausalpima.graph import CategoricalDAG
        >>> often = [[0.9, 0.1], [0.2, 0.8]]
        >>> tables = {"heat": [0.5, 0.5], "crack": often, "leak": often}
        >>> graph = nx.DiGraph([("heat", "crack"), ("crack", "leak")])
        >>> dag = CategoricalDAG(graph, tables)
        >>> sorted(dag.ancestors("leak"))
        ['crack', 'heat']
        """
        return nx.ancestors(self.graph, *check_names(self.nodes, [node]))

    def d_separated(self, x: Nodes, y: Nodes, given: Nodes = ()) -> bool:
        """Return whether the graph makes nodes independent, given others.

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

        See Also
        --------
        edge_strength : How much the two ends of an edge depend on each other.

        Examples
        --------
        >>> import networkx as nx
        >>> from skcausalpima.graph import CategoricalDAG
        >>> often = [[0.9, 0.1], [0.2, 0.8]]
        >>> tables = {"heat": [0.5, 0.5], "crack": often, "leak": often}
        >>> graph = nx.DiGraph([("heat", "crack"), ("crack", "leak")])
        >>> dag = CategoricalDAG(graph, tables)
        >>> dag.d_separated("heat", "leak")
        False
        >>> dag.d_separated("heat", "leak", given="crack")
        True
        """

        def is_one(nodes: Nodes) -> bool:
            return isinstance(nodes, str) or not isinstance(nodes, Iterable) or nodes in self.nodes

        sets = [
            set(check_names(self.nodes, cast(Iterable, [nodes] if is_one(nodes) else nodes)))
            for nodes in (x, y, given)
        ]
        if len(set().union(*sets)) != sum(map(len, sets)):
            raise ValueError(f"x, y and given must not overlap; got {x!r}, {y!r} and {given!r}.")
        # networkx < 3.3 has it under its old name only.
        is_d_separator = getattr(nx, "is_d_separator", None) or nx.d_separated
        return is_d_separator(self.graph, *sets)

    @property
    def adjacency(self) -> NDArray[np.bool_]:
        """Matrix of shape (n_nodes, n_nodes), True where i -> j, in the order of `nodes`.

        Examples
        --------
        >>> import networkx as nx
        >>> from skcausalpima.graph import CategoricalDAG
        >>> often = [[0.9, 0.1], [0.2, 0.8]]
        >>> tables = {"heat": [0.5, 0.5], "crack": often, "leak": often}
        >>> graph = nx.DiGraph([("heat", "crack"), ("crack", "leak")])
        >>> dag = CategoricalDAG(graph, tables)
        >>> dag.adjacency.astype(int)
        array([[0, 1, 0],
               [0, 0, 1],
               [0, 0, 0]])
        """
        return _adjacency_matrix(self.graph, self.nodes)

    def cpdag(self) -> nx.DiGraph:
        """Return the graph that stands for the Markov equivalence class (CPDAG, essential graph).

        Returns
        -------
        networkx.DiGraph
            Same nodes. A compelled edge, which points one way in all equivalent DAGs, is there once
            and has the attribute ``compelled=True``; a reversible one is there in both directions,
            each with ``compelled=False``.

        See Also
        --------
        compelled_edges, reversible_edges : Its two kinds of edges.
        markov_equivalent : Whether two graphs are of one class.

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

    def v_structures(self) -> list[tuple[Hashable, Hashable, Hashable]]:
        """Return the unshielded colliders.

        Returns
        -------
        list of tuple
            (parent, child, other parent) for every child of two parents that are not adjacent;
            parents in the order of `nodes`.

        See Also
        --------
        compelled_edges : The edges that these settle, and others.

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

    def compelled_edges(self) -> list[tuple[Hashable, Hashable]]:
        """Return the edges that point the same way in all Markov equivalent DAGs.

        Returns
        -------
        list of tuple
            (parent, child), ordered by the parent's and then the child's place in `nodes`.

        See Also
        --------
        reversible_edges : The others.
        cpdag : Both in one graph.

        Examples
        --------
        >>> import networkx as nx
        >>> from skcausalpima.graph import CategoricalDAG
        >>> edges = [("heat", "crack"), ("load", "crack"), ("batch", "heat")]
        >>> coin, noisy = [0.5, 0.5], [[0.9, 0.1], [0.2, 0.8]]
        >>> tables = {"batch": coin, "heat": noisy, "load": coin}
        >>> dag = CategoricalDAG(nx.DiGraph(edges), {**tables, "crack": [noisy, noisy]})
        >>> dag.compelled_edges()  # crack has two causes that are not adjacent
        [('heat', 'crack'), ('load', 'crack')]
        """
        return self._edges(compelled=True)

    def reversible_edges(self) -> list[tuple[Hashable, Hashable]]:
        """Return the edges that point the other way in some Markov equivalent DAG.

        Returns
        -------
        list of tuple
            (parent, child) as in this DAG, ordered by the parent's and then the child's place in
            `nodes`.

        See Also
        --------
        compelled_edges : The others.
        cpdag : Both in one graph.

        Examples
        --------
        >>> import networkx as nx
        >>> from skcausalpima.graph import CategoricalDAG
        >>> edges = [("heat", "crack"), ("load", "crack"), ("batch", "heat")]
        >>> coin, noisy = [0.5, 0.5], [[0.9, 0.1], [0.2, 0.8]]
        >>> tables = {"batch": coin, "heat": noisy, "load": coin}
        >>> dag = CategoricalDAG(nx.DiGraph(edges), {**tables, "crack": [noisy, noisy]})
        >>> dag.reversible_edges()  # batch <- heat would fit the data as well
        [('batch', 'heat')]
        """
        return self._edges(compelled=False)

    def _pdag(self) -> np.ndarray:
        """Return the equivalence class; where nodes were placed by chance, all is reversible."""
        adjacency = self.adjacency
        return (
            adjacency | adjacency.T if is_by_chance(self.graph) else _equivalence.cpdag(adjacency)
        )

    def _arrows(self) -> frozenset[tuple[Hashable, Hashable]]:
        """Return the edges whose direction is shown: compelled or known, and likely."""
        known = (edge[:2] for edge in self.graph.edges(data="compelled") if edge[2])
        return sure_arrows(self.graph, {*self.compelled_edges(), *known})

    def _edges(self, compelled: bool) -> list[tuple[Hashable, Hashable]]:
        """Return the edges of one of the two kinds."""
        adjacency, pdag = self.adjacency, self._pdag()
        chosen = adjacency & (~pdag.T if compelled else pdag.T)
        return [(self.nodes[i], self.nodes[j]) for i, j in np.argwhere(chosen)]

    def markov_equivalent(self, other: CategoricalDAG | nx.DiGraph) -> bool:
        """Return whether another DAG makes the same independence statements.

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

        See Also
        --------
        cpdag : The graph that all of a class share.

        Examples
        --------
        >>> import networkx as nx
        >>> from skcausalpima.graph import CategoricalDAG
        >>> often = [[0.9, 0.1], [0.2, 0.8]]
        >>> tables = {"heat": [0.5, 0.5], "crack": often, "leak": often}
        >>> graph = nx.DiGraph([("heat", "crack"), ("crack", "leak")])
        >>> dag = CategoricalDAG(graph, tables)
        >>> dag.markov_equivalent(nx.DiGraph([("leak", "crack"), ("crack", "heat")]))
        True
        >>> dag.markov_equivalent(nx.DiGraph([("heat", "crack"), ("leak", "crack")]))
        False
        """
        graph = other if isinstance(other, nx.Graph) else getattr(other, "graph", other)
        graph = check_graph(graph)
        if set(graph) != set(self.nodes):
            raise ValueError(
                "Only graphs over the same nodes can be equivalent; these nodes occur in one of "
                f"the two: {sorted(set(graph) ^ set(self.nodes), key=str)}."
            )
        return _equivalence.markov_equivalent(self.adjacency, _adjacency_matrix(graph, self.nodes))

    def edge_strength(self, parent: Hashable, child: Hashable) -> float:
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

        See Also
        --------
        summary : That of all edges.

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

    def summary(self) -> str:
        """Describe every edge in one line.

        Returns
        -------
        str
            Per edge: ``->`` where its direction is compelled or known and its weight not below 0.8,
            else ``--``; the edge attribute ``weight`` (if any), of ``--`` in place of it
            ``adjacent`` (if any), the sum of both directions; ``compelled`` (all equivalent DAGs
            agree on the direction), ``known`` (they do not, but the edge attribute ``compelled``
            says that knowledge or interventions settle it; ``by site`` if the context site does,
            which was set from outside), both with ``weak`` where the weight is below 0.8, or
            ``reversible``; the strength (`edge_strength`, in nats);
            the edge attribute ``confidence`` (if any); ``not told`` where an end has the attribute
            ``told``, and it is False: no factor, as far as the means of a fit's cells say.

        See Also
        --------
        edge_strength : The strength of one edge.
        skcausalpima.inspection.GraphDisplay : The edges in a picture.

        Examples
        --------
        >>> from skcausalpima.graph import CategoricalDAG
        >>> dag = CategoricalDAG.from_arrays(
        ...     [[0, 1], [0, 0]], [[0.5, 0.5], [[1, 0], [0, 1]]], weights=[[0, 0.9], [0, 0]])
        >>> print(dag.summary())
        N1 -- N2  weight 0.90  reversible  strength 0.6931 nats
        """
        adjacency, pdag = self.adjacency, self._pdag()
        joints, settled = family_joints(self.graph, self.cpts), self._settled_by_contexts()
        doubtful, arrows = doubtful_edges(self.graph), self._arrows()
        lines = []
        for i, j in np.argwhere(adjacency):
            edge = (self.nodes[i], self.nodes[j])
            axis = list(self.graph.predecessors(edge[1])).index(edge[0])
            joint = np.moveaxis(joints[edge[1]], (axis, -1), (0, 1))
            attributes = self.graph.edges[edge]
            reason = settled.get((i, j), "known") if attributes.get("compelled") else "reversible"
            parts = [f"{edge[0]} {'->' if edge in arrows else '--'} {edge[1]}"]
            word, number = number_at_edge(attributes, edge in arrows)
            parts += [] if number is None else [f"{word} {number:.2f}"]
            settled_by = reason if pdag[j, i] else "compelled"
            is_weak = settled_by != "reversible" and edge not in arrows
            parts.append(f"{settled_by}, weak" if is_weak else settled_by)
            parts.append(f"strength {_strength(joint):.4f} nats")
            if attributes.get("confidence") is not None:
                parts.append(f"confidence {attributes['confidence']:.2f}")
            parts += ["not told"] if edge in doubtful else []
            lines.append(parts)
        if not lines:
            return "No edges: the nodes are independent."
        names = max(len(parts[0]) for parts in lines)
        return "\n".join("  ".join([parts[0].ljust(names), *parts[1:]]) for parts in lines)

    def _settled_by_contexts(self) -> dict[tuple[int, int], str]:
        """Return which edges, by numbers of nodes, a context that was set from outside directs."""
        adjacency, settled = self.adjacency, dict[tuple[int, int], str]()
        for k, (name, role) in enumerate(self.graph.nodes(data="role")):
            if role == "cause":
                required, into = np.zeros_like(adjacency), np.zeros_like(adjacency)
                required[k], into[:, k] = adjacency[k], True
                pdag = _equivalence.cpdag(adjacency, required, into)
                for i, j in np.argwhere(pdag & ~pdag.T).tolist():
                    settled.setdefault((i, j), f"by {name}")
        return settled

    def rename_nodes(self, mapping: Mapping[Hashable, Hashable]) -> CategoricalDAG:
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
                raise ValueError(
                    f"Node {old!r} cannot be called {new!r}; give a string, for example."
                )
        names = {node: mapping.get(node, node) for node in self.nodes}
        owners: dict[Hashable, Hashable] = {}
        for node, name in names.items():
            if name in owners:
                raise ValueError(
                    f"Nodes {owners[name]!r} and {node!r} would both be called {name!r}."
                )
            owners[name] = node
        graph = copy_graph(self.graph, names=names)
        return type(self)(graph, {names[node]: table for node, table in self.cpts.items()})

    def table(self, node: Hashable) -> pd.DataFrame:
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

        See Also
        --------
        skcausalpima.inspection.TableDisplay : The table in a picture.

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
        return _formats.labelled_table(self.graph, self.cpts, node)

    def to_json(self) -> str:
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

        See Also
        --------
        from_json : Read it again.

        Examples
        --------
        >>> from skcausalpima.graph import CategoricalDAG
        >>> print(CategoricalDAG.from_arrays([[0]], [[0.25, 0.75]]).to_json())
        {
         "format": "skcausalpima.CategoricalDAG",
         "version": 1,
         "nodes": [
          {
           "name": "N1",
           "size": 2,
           "states": null,
           "parents": [],
           "table": [
            0.25,
            0.75
           ],
           "attributes": {}
          }
         ],
         "edges": []
        }
        """
        return _formats.to_json(self.graph, self.cpts)

    @classmethod
    def from_json(cls, text: str) -> CategoricalDAG:
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

        See Also
        --------
        to_json : Write it.

        Examples
        --------
        >>> from skcausalpima.graph import CategoricalDAG
        >>> dag = CategoricalDAG.from_arrays([[0, 1], [0, 0]], [[0.5, 0.5], [[1, 0], [0, 1]]])
        >>> CategoricalDAG.from_json(dag.to_json())
        CategoricalDAG(sizes={'N1': 2, 'N2': 2}, edges=[('N1', 'N2')])
        """
        return cls(*_formats.from_json(text))

    def to_graphml(self) -> str:
        """Write the graph (not the tables) as GraphML, for programs that draw graphs.

        Returns
        -------
        str
            Nodes carry ``size`` and, joined by commas, ``states``; other attributes of nodes and
            edges, such as the ``weight`` of an edge, stand beside them.

        Raises
        ------
        ValueError
            If a node's name is no string or an attribute cannot be written.

        See Also
        --------
        to_json : Writes the tables, too.

        Examples
        --------
        >>> import networkx as nx
        >>> from skcausalpima.graph import CategoricalDAG
        >>> tables = {"heat": [0.5, 0.5], "crack": [[0.9, 0.1], [0.2, 0.8]]}
        >>> dag = CategoricalDAG(nx.DiGraph([("heat", "crack")]), tables)
        >>> nx.parse_graphml(dag.to_graphml()).nodes["crack"]
        {'size': 2}
        """
        return _formats.to_graphml(self.graph, self.cpts)

    def to_dot(self) -> str:
        """Write the graph (not the tables) in Graphviz's DOT language.

        Returns
        -------
        str
            Reversible edges, and those of a ``weight`` below 0.8, are dashed and have no head;
            edges are labelled with ``weight`` or ``adjacent``, as :meth:`summary` is.

        Examples
        --------
        >>> from skcausalpima.graph import CategoricalDAG
        >>> dag = CategoricalDAG.from_arrays([[0, 1], [0, 0]], [[0.5, 0.5], [[1, 0], [0, 1]]])
        >>> print(dag.to_dot())
        digraph {
          "N1";
          "N2";
          "N1" -> "N2" [style=dashed, dir=none];
        }
        """
        return _formats.to_dot(self.graph, self._arrows())

    def to_pgmpy(self) -> Any:
        """Convert to pgmpy's ``DiscreteBayesianNetwork``.

        Returns
        -------
        pgmpy.models.DiscreteBayesianNetwork
            Names of outcomes are kept; outcomes without names are numbers.

        Raises
        ------
        ImportError
            If pgmpy is not installed.

        See Also
        --------
        to_bif : A file that pgmpy and many others read.

        Examples
        --------
        >>> import networkx as nx
        >>> from skcausalpima.graph import CategoricalDAG
        >>> tables = {"heat": [0.5, 0.5], "crack": [[0.9, 0.1], [0.2, 0.8]]}
        >>> dag = CategoricalDAG(nx.DiGraph([("heat", "crack")]), tables)
        >>> dag.to_pgmpy().get_cpds("crack").get_values()  # doctest: +SKIP
        array([[0.9, 0.2],
               [0.1, 0.8]])
        """
        return _formats.to_pgmpy(self.graph, self.cpts)

    def to_bif(self) -> str:
        """Write the network in the Bayesian interchange format.

        Returns
        -------
        str
            Outcomes without names are called 0, 1, ...; attributes are not written.

        Raises
        ------
        ValueError
            If a name of a node or an outcome is not one word of the format (no blanks, commas,
            semicolons, bars, brackets or quotes).

        See Also
        --------
        from_bif : Read it again.

        Examples
        --------
        >>> from skcausalpima.graph import CategoricalDAG
        >>> print(CategoricalDAG.from_arrays([[0]], [[0.25, 0.75]]).to_bif())
        network unknown {
        }
        variable N1 {
          type discrete [ 2 ] { 0, 1 };
        }
        probability ( N1 ) {
          table 0.25, 0.75;
        }
        <BLANKLINE>
        """
        return _bif.to_bif(self.graph, self.cpts)

    @classmethod
    def from_bif(cls, text: str) -> CategoricalDAG:
        """Read a network in the Bayesian interchange format.

        Parameters
        ----------
        text : str
            The file's text. Comments and ``property`` entries are skipped; tables may be given by
            ``table``, by rows, or by rows and a ``default``.

        Returns
        -------
        CategoricalDAG
            The names of outcomes are in ``states``.

        Raises
        ------
        TypeError
            If ``text`` is no str.
        ValueError
            If a word is unknown or missing, or a table is incomplete or wrong; the message names
            the line, or the node and the entry. No table is made before its numbers have been
            counted; ``default`` may fill 2**22 cells.

        See Also
        --------
        to_bif : Write it.

        Examples
        --------
        >>> from skcausalpima.graph import CategoricalDAG
        >>> dag = CategoricalDAG.from_arrays([[0, 1], [0, 0]], [[0.5, 0.5], [[1, 0], [0, 1]]])
        >>> CategoricalDAG.from_bif(dag.to_bif()).states
        {'N1': ('0', '1'), 'N2': ('0', '1')}
        """
        return cls(*_bif.from_bif(text))


def _adjacency_matrix(graph: nx.DiGraph, nodes: list[Hashable]) -> NDArray[np.bool_]:
    """Return a boolean adjacency matrix."""
    return nx.to_numpy_array(graph, nodelist=nodes, weight=None, dtype=np.int8).astype(bool)


def _strength(joint: Floats) -> float:
    """Return the information between the first two axes, given the others."""
    rest = joint.sum(axis=(0, 1), keepdims=True)
    expected = joint.sum(axis=0, keepdims=True) * joint.sum(axis=1, keepdims=True)
    # Zero times anything is zero here: a cell of no mass contributes nothing.
    ratio = np.divide(joint * rest, expected, out=np.ones_like(joint), where=joint > 0)
    return max(float(xlogy(joint, ratio).sum()), 0.0)


def _same_noise(
    old_rows: Floats, new_rows: Floats, factual: NDArray[np.intp], log_noise: Floats
) -> NDArray[np.intp]:
    r"""Return what the Gumbel noise behind the factual outcomes makes of new rows.

    With :math:`E_i = \exp(-g_i)`, exponential of rate 1, the largest :math:`\log p_i + g_i` is
    the smallest :math:`E_i / p_i`: the first of competing arrivals. Top down, the winner arrives
    at an exponential time T of rate 1, whichever it is, and each loser after another
    :math:`E'_i / p_i`. So :math:`E_i = p_i T` for the winner and :math:`p_i T + E'_i` for the
    others, also where :math:`p_i = 0`. Columns of ``log_noise`` are log T and log E'.
    """
    winner = factual[:, None] == np.arange(old_rows.shape[1])
    with np.errstate(divide="ignore"):  # log(0) is -inf, as it should be
        log_old, log_new = np.log(old_rows), np.log(new_rows)
    arrival = log_old + log_noise[:, :1]
    log_e = np.where(winner, arrival, np.logaddexp(arrival, log_noise[:, 1:]))
    unchanged = (old_rows == new_rows).all(axis=1)  # exactly, beyond rounding
    return np.where(unchanged, factual, (log_new - log_e).argmax(axis=1))
