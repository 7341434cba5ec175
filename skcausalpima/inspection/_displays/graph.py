"""The graph of the nodes, drawn with matplotlib."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import KW_ONLY, dataclass

import networkx as nx
import numpy as np
from sklearn.base import BaseEstimator

from ..._structure.digraphs import (
    ADJACENT,
    check_graph,
    contexts_of,
    doubtful_edges,
    is_by_chance,
    node_graph,
    sure_arrows,
)
from ..._structure.graph_picture import Edge
from ...graph import CategoricalDAG
from .._edge_report import EdgeConfidence
from .._fitted_estimator import refuse
from .._matched_refits import arrows
from .display import PAGE, POINTS_PER_INCH, Axes, Display, Size, inches, letters_across
from .graph_drawing import BELOW, SMALL_FONT, GraphDrawing
from .labels import wrapped


@dataclass(eq=False, repr=False)
class GraphDisplay(Display):
    """A picture of a graph of nodes, from left to right.

    Compelled edges, which all graphs of the equivalence class share, are arrows, unless they are
    weak: below 0.8. Weak and reversible ones are plain lines: their direction is not known, and
    their number is that of both directions together. The stronger an edge, the wider its line.
    Edges at nodes that are not told to be factors (``arrangement_.told``) are dashed. All is grey
    where a fit placed nodes by chance. Contexts have dashed boxes with corners.

    Parameters
    ----------
    graph : networkx.DiGraph
        A DAG. Nodes may have the attribute ``size``, their number of outcomes.
    compelled : collection of (hashable, hashable), default=None
        The edges that are arrows; None takes those that the graph alone compels, and those with
        the attribute ``compelled``, where neither strength nor ``weight`` is below 0.8.
    strengths : mapping of (hashable, hashable) to float, default=None
        A number in [0, 1] for each edge; None draws all of them alike.
    meaning : str, default="weight"
        What the numbers are.
    adjacent : mapping of (hashable, hashable) to float, default=None
        A number in [0, 1] for each edge that is a line, in place of its strength: how surely its
        ends are joined, either way. None draws the strength of one direction.

    Attributes
    ----------
    ax_ : matplotlib axes
        The axes that it is drawn on.
    figure_ : matplotlib figure
        Their figure.
    texts_ : dict
        Node to matplotlib text.
    lines_ : dict
        Edge to matplotlib patch.

    See Also
    --------
    EdgeConfidenceDisplay : How often refits find the edges.
    skcausalpima.graph.CategoricalDAG.summary : The edges in words.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> import networkx as nx
    >>> from skcausalpima.inspection import GraphDisplay
    >>> graph = nx.DiGraph([("hue", "shift"), ("radius", "shift")])
    >>> display = GraphDisplay.from_graph(graph)
    >>> sorted(display.texts_), display.ax_.get_xlabel()
    (['hue', 'radius', 'shift'], 'arrow: compelled')
    >>> plt.close()
    """

    graph: nx.DiGraph
    _: KW_ONLY
    compelled: Collection[Edge] | None = None
    strengths: Mapping[Edge, float] | None = None
    meaning: str = "weight"
    adjacent: Mapping[Edge, float] | None = None

    @classmethod
    def from_estimator(
        cls, est: BaseEstimator, *, confidence: EdgeConfidence | None = None, ax: Axes | None = None
    ) -> GraphDisplay:
        """Draw the graph of a fitted estimator.

        Parameters
        ----------
        est : CausalPIMA
            A fitted estimator.
        confidence : EdgeConfidence, default=None
            What :func:`edge_confidence` found of it; the widths are then the confidence of the
            edges in place of their weight: how many refits compel an arrow, or join the ends of a
            line.
        ax : matplotlib axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        GraphDisplay
            The picture.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        TypeError
            If ``est`` is none, such as a pipeline or a search that holds one.
        ValueError
            If the confidence is that of another graph.
        ImportError
            If matplotlib is not installed.

        See Also
        --------
        from_graph : Draw a graph of your own.

        Examples
        --------
        >>> import matplotlib.pyplot as plt
        >>> import networkx as nx
        >>> import numpy as np
        >>> from skcausalpima import CausalPIMA
        >>> from skcausalpima.inspection import GraphDisplay
        >>> noise = np.random.default_rng(0).normal(size=(60, 2))
        >>> X = np.tile([[0, 0], [0, 8], [8, 8]], (20, 1)) + noise
        >>> graph = nx.DiGraph([("heat", "crack")])
        >>> sizes = {"heat": 2, "crack": 2}
        >>> model = CausalPIMA(sizes, structure=graph, max_iter=2, random_state=0)
        >>> display = GraphDisplay.from_estimator(model.fit(X))
        >>> sorted(display.texts_), list(display.lines_)
        (['crack', 'heat'], [('heat', 'crack')])
        >>> display.ax_.get_xlabel().startswith("arrow: compelled, width: weight")
        True
        >>> plt.close()
        """
        cls._check_estimator(est)
        if confidence is None:
            return cls.from_graph(est.dag_, ax=ax)
        if not hasattr(confidence, "dag"):
            needed = "from_estimator needs what edge_confidence returns as confidence"
            refuse(confidence, f"{cls.__name__}.{needed}")
        dag, fitted = confidence.dag, node_graph(est.dag_)
        if list(dag) != list(fitted) or set(dag.edges) != set(fitted.edges):
            raise ValueError(
                f"confidence is of a graph with the edges {list(dag.edges)} of "
                f"{list(dag)}, but est has {list(fitted.edges)} of {list(fitted)}: pass "
                "edge_confidence(est, X) of this fit."
            )
        strengths, nodes = nx.get_edge_attributes(dag, "confidence"), list(dag)
        settled = {  # of others the confidence is that of being joined
            (nodes[i], nodes[j]): float(confidence.adjacency[i, j])
            for i, j in np.argwhere(arrows(dag)[1])
        }
        numbers = {"strengths": strengths, "adjacent": strengths | settled}
        return cls(dag, **numbers, meaning="confidence").plot(ax)

    @classmethod
    def from_graph(
        cls, graph: CategoricalDAG | nx.DiGraph, *, ax: Axes | None = None
    ) -> GraphDisplay:
        """Draw a network or a graph.

        Parameters
        ----------
        graph : CategoricalDAG or networkx.DiGraph
            A DAG; edges may have the attributes ``weight``, ``adjacent`` and ``compelled``.
        ax : matplotlib axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        GraphDisplay
            The picture.

        Raises
        ------
        ValueError
            If the graph has a cycle or no nodes.
        TypeError
            If it is no graph.
        ImportError
            If matplotlib is not installed.

        See Also
        --------
        from_estimator : Draw the graph of a fit.

        Examples
        --------
        >>> import matplotlib.pyplot as plt
        >>> import networkx as nx
        >>> from skcausalpima.inspection import GraphDisplay
        >>> graph = nx.DiGraph([("heat", "crack", {"weight": 0.8})])
        >>> GraphDisplay.from_graph(graph).ax_.get_xlabel()
        'line: reversible, width: weight'
        >>> plt.close()
        """
        needed = "from_graph needs a CategoricalDAG or a networkx.DiGraph as graph"
        cls._check_kind(graph, (CategoricalDAG, nx.Graph), needed)
        return cls._of_graph(graph).plot(ax)

    @classmethod
    def _of_graph(cls, graph: CategoricalDAG | nx.DiGraph) -> GraphDisplay:
        """Return what :meth:`from_graph` draws."""
        dag = graph.graph if isinstance(graph, CategoricalDAG) else graph
        edges = check_graph(dag).edges
        weights, adjacent = (
            {edge[:2]: edge[2] for edge in edges(data=name) if edge[2] is not None}
            for name in ("weight", ADJACENT)
        )
        are_known, are_sums = (len(numbers) == len(edges) for numbers in (weights, adjacent))
        strengths = weights if are_known else None
        return cls(dag, strengths=strengths, adjacent=adjacent if are_sums else None)

    def plot(self, ax: Axes | None = None, *, values: bool = True) -> GraphDisplay:
        """Draw the graph.

        Parameters
        ----------
        ax : matplotlib axes, default=None
            Where to draw; None makes a figure of the size that the graph needs. On axes that are
            too small for it all letters shrink.
        values : bool, default=True
            Whether to write the strength of each edge beside it, where there is room.

        Returns
        -------
        GraphDisplay
            The picture itself.

        Raises
        ------
        ValueError
            If the graph has a cycle or no nodes, or an edge has no strength.
        ImportError
            If matplotlib is not installed.

        Examples
        --------
        >>> import matplotlib.pyplot as plt
        >>> import networkx as nx
        >>> from skcausalpima.inspection import GraphDisplay
        >>> edge = ("heat", "crack")
        >>> graph = nx.DiGraph([edge])
        >>> display = GraphDisplay(graph, compelled=[edge], strengths={edge: 0.9})
        >>> display.plot().ax_.get_xlabel()
        'arrow: compelled, width: weight'
        >>> plt.close()
        """
        self._pyplot()
        graph = check_graph(self.graph)
        compelled = self._compelled(graph)
        strengths = self._checked_strengths(graph, compelled)
        drawing = GraphDrawing.that_fits(graph, PAGE if ax is None else inches(ax))
        panel = self._one_axes(ax, drawing.figure_size())
        drawing.set_limits(panel)
        self._describe(graph, compelled)
        self.lines_ = {
            edge: drawing.draw_edge(panel, edge, strengths.get(edge), edge in compelled)
            for edge in graph.edges
        }
        self.texts_ = {node: drawing.draw_node(panel, node) for node in graph}
        if values and strengths:
            drawing.write_values(panel, strengths)
        return self

    def _wanted(self, room: Size) -> tuple[float, float]:
        """Return how large letters are in a room in inches, as a share, and the height it takes."""
        drawing = GraphDrawing.that_fits(check_graph(self.graph), room)
        scale = drawing.scale_in(room)
        return scale, float(scale * drawing.size[1] / POINTS_PER_INCH + BELOW)

    def _checked_strengths(self, graph: nx.DiGraph, compelled: set[Edge]) -> dict[Edge, float]:
        """Return the number of each arrow and of each line; nothing where there are none."""
        if not self.strengths:
            return {}
        of_lines = self.strengths if self.adjacent is None else self.adjacent
        known = {
            edge: float((self.strengths if edge in compelled else of_lines).get(edge, np.nan))
            for edge in graph.edges
        }
        lacking = [edge for edge, strength in known.items() if not np.isfinite(strength)]
        if lacking:
            raise ValueError(
                f"strengths, or adjacent of lines, lacks the edges {lacking}: give one number per "
                "edge."
            )
        return known

    def _compelled(self, graph: nx.DiGraph) -> set[Edge]:
        """Return the edges that are arrows."""
        if self.compelled is None:
            nodes = list(graph)
            settled = {(nodes[i], nodes[j]) for i, j in np.argwhere(arrows(graph)[1])}
            if self.strengths:
                nx.set_edge_attributes(graph, dict(self.strengths), "strength")
            return {*sure_arrows(graph, sure_arrows(graph, settled), "strength")}
        unknown = [edge for edge in self.compelled if not graph.has_edge(*edge)]
        if unknown:
            raise ValueError(
                f"compelled holds {unknown}, but the edges are {list(graph.edges)}: leave these "
                "out, or add them to the graph."
            )
        return set(self.compelled)

    def _describe(self, graph: nx.DiGraph, compelled: set[Edge]) -> None:
        """Say below the picture what its lines mean."""
        n_edges = graph.number_of_edges()
        parts = ["arrow: compelled"] if compelled else []
        if n_edges > len(compelled):
            settled = int(arrows(graph)[1].sum())
            parts += [
                "line: reversible or weak" if settled > len(compelled) else "line: reversible"
            ]
        parts += [f"width: {self._meanings(n_edges, compelled)}"] if self.strengths else []
        text = ", ".join(parts) if n_edges else "no edges"
        text += ", dashed line: of nodes not told to be factors" if doubtful_edges(graph) else ""
        text += ", dashed box: context" if contexts_of(graph) else ""
        if is_by_chance(graph):
            text = f"nodes placed by chance; {text}"
        label = wrapped(text, max(letters_across(self.ax_, SMALL_FONT), 18), 3)
        self.ax_.set_xlabel(label, fontsize=SMALL_FONT, color="0.5")

    def _meanings(self, n_edges: int, compelled: set[Edge]) -> str:
        """Say what the numbers of arrows are, and those of lines."""
        if self.adjacent is None or n_edges == len(compelled):
            return self.meaning
        is_alone = not compelled and self.meaning == type(self).meaning
        return ADJACENT if is_alone else f"{self.meaning} (lines: {ADJACENT})"
