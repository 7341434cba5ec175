"""A picture of the graph of the nodes."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

import networkx as nx
import numpy as np
from sklearn.base import BaseEstimator

from ..._structure.digraphs import check_graph, is_by_chance
from ..._structure.layered_layout import Edge
from ...graph import CategoricalDAG
from .._asked_estimator import check_estimator
from .._edge_confidence import EdgeConfidence, arrows
from .axes import figure_of, letters_that_fit, one_axes, plotting, width_in_inches
from .graph_drawing import SMALL_FONT, GraphDrawing
from .labels import wrapped

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NAME_SHAPES = ((15, 3), (11, 4))  # letters and lines; on given axes, what fits best


class GraphDisplay:
    """A picture of a graph of nodes, from left to right.

    Compelled edges, which all graphs of the equivalence class share, are arrows. Reversible ones
    are plain lines: their direction is not known. The stronger an edge, the wider its line.
    All is grey where a fit placed nodes by chance.

    Parameters
    ----------
    graph : networkx.DiGraph
        A DAG. Nodes may have the attribute ``size``, their number of outcomes.
    compelled : collection of (hashable, hashable), default=None
        The edges that are arrows; None takes those that the graph alone compels, and those with
        the attribute ``compelled``.
    strengths : mapping of (hashable, hashable) to float, default=None
        A number in [0, 1] for each edge; None draws all of them alike.
    meaning : str, default="weight"
        What the numbers are.

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

    def __init__(
        self,
        graph: nx.DiGraph,
        *,
        compelled: Collection[Edge] | None = None,
        strengths: Mapping[Edge, float] | None = None,
        meaning: str = "weight",
    ) -> None:
        self.graph = graph
        self.compelled = compelled
        self.strengths = strengths
        self.meaning = meaning

    @classmethod
    def from_estimator(
        cls,
        est: BaseEstimator,
        *,
        confidence: EdgeConfidence | None = None,
        ax: Axes | None = None,
    ) -> GraphDisplay:
        """Draw the graph of a fitted estimator.

        Parameters
        ----------
        est : CausalPIMA
            A fitted estimator.
        confidence : EdgeConfidence, default=None
            What :func:`edge_confidence` found of it; the widths are then the confidence of the
            edges in place of their weight.
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
        >>> sorted(display.texts_), list(display.lines_), display.ax_.get_xlabel()
        (['crack', 'heat'], [('heat', 'crack')], 'arrow: compelled, width: weight')
        >>> plt.close()
        """
        check_estimator(est, "GraphDisplay.from_estimator")
        if confidence is None:
            return cls.from_graph(est.dag_, ax=ax)
        found = confidence.dag
        if list(found) != list(est.dag_) or set(found.edges) != set(est.dag_.edges):
            raise ValueError(
                f"confidence is of a graph with the edges {list(found.edges)} of "
                f"{list(found)}, but est has {list(est.dag_.edges)} of {list(est.dag_)}: pass "
                "edge_confidence(est, X) of this fit."
            )
        strengths = nx.get_edge_attributes(found, "confidence")
        return cls(found, strengths=strengths, meaning="confidence").plot(ax)

    @classmethod
    def from_graph(
        cls, graph: CategoricalDAG | nx.DiGraph, *, ax: Axes | None = None
    ) -> GraphDisplay:
        """Draw a network or a graph.

        Parameters
        ----------
        graph : CategoricalDAG or networkx.DiGraph
            A DAG; edges may have the attributes ``weight`` and ``compelled``.
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
        found = graph.graph if isinstance(graph, CategoricalDAG) else graph
        weights = {edge[:2]: edge[2] for edge in check_graph(found).edges(data="weight")}
        is_known = all(weight is not None for weight in weights.values())
        return cls(found, strengths=weights if is_known else None).plot(ax)

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
        plotting("GraphDisplay.plot")
        graph = check_graph(self.graph)
        strengths, compelled = self._checked_strengths(graph), self._compelled(graph)
        drawings = [GraphDrawing.of(graph, *shape) for shape in NAME_SHAPES]
        self.ax_ = one_axes(ax, "GraphDisplay.plot", drawings[0].figure_size())
        self.figure_ = figure_of(self.ax_)
        choice = drawings if ax is not None else drawings[:1]
        drawing = max(choice, key=lambda one: one.points_per_unit(self.ax_))
        drawing.set_limits(self.ax_)
        self._describe(graph, compelled)
        self.lines_ = {
            edge: drawing.draw_edge(self.ax_, edge, strengths.get(edge), edge in compelled)
            for edge in graph.edges
        }
        self.texts_ = {node: drawing.draw_node(self.ax_, node) for node in graph}
        if values and strengths:
            drawing.write_values(self.ax_, strengths)
        return self

    def _checked_strengths(self, graph: nx.DiGraph) -> dict[Edge, float]:
        """Return the strength of each edge; nothing where there are none."""
        if not self.strengths:
            return {}
        known = {edge: float(self.strengths.get(edge, np.nan)) for edge in graph.edges}
        lacking = [edge for edge, strength in known.items() if not np.isfinite(strength)]
        if lacking:
            raise ValueError(f"strengths lacks the edges {lacking}: give one number per edge.")
        return known

    def _compelled(self, graph: nx.DiGraph) -> set[Edge]:
        """Return the edges that are arrows."""
        if self.compelled is None:
            nodes = list(graph)
            return {(nodes[i], nodes[j]) for i, j in np.argwhere(arrows(graph)[1])}
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
        parts += ["line: reversible"] if n_edges > len(compelled) else []
        parts += [f"width: {self.meaning}"] if self.strengths and n_edges else []
        text = ", ".join(parts) if n_edges else "no edges"
        if is_by_chance(graph):
            text = f"nodes placed by chance; {text}"
        n_letters = letters_that_fit(width_in_inches(self.ax_), SMALL_FONT)
        label = wrapped(text, max(n_letters, 18), 3)
        self.ax_.set_xlabel(label, fontsize=SMALL_FONT, color="0.3")
