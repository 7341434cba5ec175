"""The graph of the nodes, drawn with matplotlib."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterator, Mapping
from dataclasses import KW_ONLY, dataclass

import networkx as nx
import numpy as np
from sklearn.base import BaseEstimator

from ..._structure.digraphs import (
    check_graph,
    contexts_of,
    doubtful_edges,
    is_by_chance,
    node_graph,
    sure_arrows,
)
from ..._structure.graph_picture import PADDING, Edge, GraphPicture, strokes, width_of_line
from ...graph import CategoricalDAG
from .._edge_report import EdgeConfidence
from .._matched_refits import arrows
from .display import POINTS_PER_INCH, Axes, Display, Drawn, inches, letters_across
from .labels import plain, wrapped
from .styles import COLOURS, Look, ground, ink

# Lengths are in points as long as the picture need not shrink.
NAME_SHAPES = ((15, 3), (11, 4))  # letters and lines; on given axes, what fits best
FONT, SMALL_FONT = 10.0, 8.0
MARGIN = 4.0
LEAST_SIZE, LARGEST_SIZE = (3.0, 1.6), (18.0, 12.0)  # of a figure of its own, in inches
WIDTHS = (1.0, 5.0)  # of lines of strength 0 and 1
COMPELLED, REVERSIBLE, PALE = COLOURS[0], "#707070", "#c0c0c0"


@dataclass(eq=False, repr=False)
class GraphDisplay(Display):
    """A picture of a graph of nodes, from left to right.

    Compelled edges, which all graphs of the equivalence class share, are arrows, unless they are
    weak: below 0.8. Weak and reversible ones are plain lines: their direction is not known. The
    stronger an edge, the wider its line. Edges at nodes that are not told to be factors
    (``arrangement_.told``) are dashed. All is grey where a fit placed nodes by chance. Contexts
    have dashed boxes with corners.

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
        >>> sorted(display.texts_), list(display.lines_)
        (['crack', 'heat'], [('heat', 'crack')])
        >>> display.ax_.get_xlabel().startswith("arrow: compelled, width: weight")
        True
        >>> plt.close()
        """
        cls._check_estimator(est)
        if confidence is None:
            return cls.from_graph(est.dag_, ax=ax)
        dag, fitted = confidence.dag, node_graph(est.dag_)
        if list(dag) != list(fitted) or set(dag.edges) != set(fitted.edges):
            raise ValueError(
                f"confidence is of a graph with the edges {list(dag.edges)} of "
                f"{list(dag)}, but est has {list(fitted.edges)} of {list(fitted)}: pass "
                "edge_confidence(est, X) of this fit."
            )
        strengths = nx.get_edge_attributes(dag, "confidence")
        return cls(dag, strengths=strengths, meaning="confidence").plot(ax)

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
        dag = graph.graph if isinstance(graph, CategoricalDAG) else graph
        weights = {edge[:2]: edge[2] for edge in check_graph(dag).edges(data="weight")}
        is_known = all(weight is not None for weight in weights.values())
        return cls(dag, strengths=weights if is_known else None).plot(ax)

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
        strengths, compelled = self._checked_strengths(graph), self._compelled(graph)
        drawings = [_Drawing.of(graph, FONT, *shape) for shape in NAME_SHAPES]
        panel = self._one_axes(ax, drawings[0].figure_size())
        choice = drawings[:1] if ax is None else drawings
        drawing = max(choice, key=lambda one: one.points_per_unit(panel))
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
        parts += [f"width: {self.meaning}"] if self.strengths and n_edges else []
        text = ", ".join(parts) if n_edges else "no edges"
        text += ", dashed line: of nodes not told to be factors" if doubtful_edges(graph) else ""
        text += ", dashed box: context" if contexts_of(graph) else ""
        if is_by_chance(graph):
            text = f"nodes placed by chance; {text}"
        label = wrapped(text, max(letters_across(self.ax_, SMALL_FONT), 18), 3)
        self.ax_.set_xlabel(label, fontsize=SMALL_FONT, color="0.5")


class _Drawing(GraphPicture):
    """A picture of a graph, in points, that matplotlib draws."""

    @property
    def size(self) -> np.ndarray:
        """Width and height with a margin."""
        return np.array(self.layout.size) + 2 * MARGIN

    def figure_size(self) -> tuple[float, float]:
        """Return the size in inches of a figure that has room for it and for a line below it."""
        needed = self.size / POINTS_PER_INCH + (0.1, 0.4)
        shrunk = needed * min(1.0, (np.array(LARGEST_SIZE) / needed).min())
        width, height = np.maximum(shrunk, LEAST_SIZE).tolist()
        return width, height

    def points_per_unit(self, ax: Axes) -> float:
        """Return how many points a unit is on axes: one, where there is room."""
        return float(min(1.0, (np.array(inches(ax)) * POINTS_PER_INCH / self.size).min()))

    def set_limits(self, ax: Axes) -> None:
        """Put the middle of the picture into that of the axes, which lose their frame."""
        half = np.array(inches(ax)) * POINTS_PER_INCH / self.points_per_unit(ax) / 2
        (left, top), (right, bottom) = (np.array(self.layout.size) / 2 + s * half for s in (-1, 1))
        ax.set(xlim=(left, right), ylim=(bottom, top), xticks=[], yticks=[])
        ax.spines[:].set_visible(False)
        ax.patch.set_visible(False)

    def draw_edge(self, ax: Axes, edge: Edge, strength: float | None, is_compelled: bool) -> Drawn:
        """Draw an edge, and return its patch."""
        from matplotlib.patches import FancyArrowPatch
        from matplotlib.path import Path

        codes = {"M": Path.MOVETO, "L": Path.LINETO, "C": Path.CURVE4}
        pen = list(strokes(self.layout.routes[edge]))
        path = Path(
            np.concatenate([points for _, points in pen]),
            [codes[letter] for letter, points in pen for _ in points],
        )
        width = width_of_line(strength, *WIDTHS, unknown=0.3) * self.points_per_unit(ax)
        colour = PALE if self.is_pale else COMPELLED if is_compelled else REVERSIBLE
        style, head = "-|>" if is_compelled else "-", 5.0 + 3.0 * width
        look: Look = {"color": colour, "lw": width, "capstyle": "butt", "zorder": 1}
        look |= {"ls": (0, (4, 2))} if edge in self.dashed else {}
        arrow = FancyArrowPatch(path=path, arrowstyle=style, mutation_scale=head, **look)
        return ax.add_artist(arrow)

    def draw_node(self, ax: Axes, node: Hashable) -> Drawn:
        """Draw a node's box, and return its text."""
        from matplotlib.patches import FancyBboxPatch

        from .scaled_text import ScaledText

        (x, y), (width, height) = self.layout.centres[node], self.boxes[node]
        corner = x - width / 2, y - height / 2
        shape = f"round,pad=0,rounding_size={PADDING * FONT}"
        look: Look = {"fc": "0.95" if ink() == "black" else "0.15", "zorder": 2}
        look |= {"ec": PALE if self.is_pale else "0.3"}
        if node in self.contexts:
            shape, look = "square,pad=0", look | {"fc": ground(), "ls": "--"}
        ax.add_patch(FancyBboxPatch(corner, width, height, shape, **look))
        text = ScaledText(x, y, plain(self.texts[node]), (FONT, FONT), zorder=3)
        if self.is_pale:
            text.set_color("0.5")
        return ax.add_artist(text)

    def write_values(self, ax: Axes, values: Mapping[Edge, float]) -> None:
        """Write a number on each edge, where that covers neither a box nor another number."""
        from .scaled_text import ScaledText

        taken = [(*self.layout.centres[node], *box) for node, box in self.boxes.items()]
        behind = {"facecolor": ground(), "edgecolor": "none", "pad": 0.5}
        for edge, route in self.layout.routes.items():
            text = f"{values[edge]:.2f}"
            size = 0.65 * SMALL_FONT * len(text), 1.2 * SMALL_FONT
            spots = [(*spot, *size) for spot in _points_along(route)]
            free = (spot for spot in spots if not any(_overlap(spot, other) for other in taken))
            if spot := next(free, None):
                taken.append(spot)
                font = SMALL_FONT, SMALL_FONT
                ax.add_artist(ScaledText(*spot[:2], text, font, zorder=2.5, bbox=behind))


def _points_along(route: np.ndarray) -> Iterator[tuple[float, float]]:
    """Yield points on the curved parts of a route, the middles first."""
    for share in (0.5, 0.4, 0.6, 0.3, 0.7):
        rest = 1 - share
        weights = np.array([rest**3, 3 * share * rest**2, 3 * share**2 * rest, share**3])
        start = route[1]
        for letter, points in strokes(route):
            if letter == "C":
                x, y = (weights @ np.vstack([start, points])).tolist()
                yield x, y
            start = points[-1]


def _overlap(first: tuple[float, ...], second: tuple[float, ...]) -> bool:
    """Return True for two boxes (middle, width, height) that overlap."""
    apart = np.abs(np.subtract(first[:2], second[:2]))
    return bool((apart < np.add(first[2:], second[2:]) / 2 + 1.0).all())
