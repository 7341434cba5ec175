"""A picture of how often refits find edges and nodes again."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike

from ..._base.types import Unchecked
from ..._structure.digraphs import sure_arrows
from ..._structure.graph_picture import Edge
from .._edge_report import EdgeConfidence
from .display import Axes, Display, SomeAxes, letters_across
from .heat_map import FONT, HeatMap
from .labels import wrapped
from .styles import COLOURS, ink

BARS_WIDTH = 2.4  # inches
FRAME = "#D55E00"


@dataclass(eq=False, repr=False)
class EdgeConfidenceDisplay(Display):
    """How often refits join nodes, settle directions between them, and find the nodes again.

    To the left, in colours and numbers, the share of the refits that join two nodes, by an arrow of
    either direction: that of a reversible edge is a convention. Where refits *compel* a direction,
    from the node of the row to that of the column, their share stands below, behind an arrow. Edges
    of the fit are framed, in both directions where the fit compels none. To the right how well each
    node is found again: the adjusted Rand index in the mean over the refits (bar), and in the worst
    one (dot).

    It is recommended to use :meth:`from_confidence`.

    Parameters
    ----------
    edge : array-like of shape (n_nodes, n_nodes)
        Share of the refits that have the arrow i -> j; i and j are joined in the sum of both.
    node_names : sequence of str
        The nodes.
    node_stability, worst_node_stability : array-like of shape (n_nodes,), default=None
        Adjusted Rand indices; without the first there is no right part.
    edges : collection of (str, str), default=()
        The edges of the fit, which are framed.
    compelled : array-like of shape (n_nodes, n_nodes), default=None
        Share of the refits that compel i -> j; None for no arrows.
    arrows : collection of (str, str), default=()
        Which of the ``edges`` the fit compels, with a weight of 0.8 or more.

    Attributes
    ----------
    axes_ : ndarray of matplotlib axes of shape (2,) or (1,)
        The two parts.
    figure_ : matplotlib figure
        The figure.
    image_ : matplotlib image
        The colours of the left part.

    See Also
    --------
    edge_confidence : The numbers.
    GraphDisplay : The graph, with widths by the confidence of its edges.

    Examples
    --------
    >>> from skcausalpima.inspection import EdgeConfidenceDisplay
    >>> display = EdgeConfidenceDisplay(
    ...     [[0, 0.9], [0.1, 0]], ["N1", "N2"], node_stability=[0.99, 0.95]).plot()
    >>> len(display.axes_)
    2
    """

    edge: ArrayLike
    node_names: Sequence[str]
    _: KW_ONLY
    node_stability: ArrayLike | None = None
    worst_node_stability: ArrayLike | None = None
    edges: Collection[Edge] = ()
    compelled: ArrayLike | None = None
    arrows: Collection[Edge] = ()

    @classmethod
    def from_confidence(
        cls, confidence: EdgeConfidence, *, ax: SomeAxes = None, **kwargs: Unchecked
    ) -> Self:
        """Draw what :func:`edge_confidence` found.

        Parameters
        ----------
        confidence : EdgeConfidence
            The shares.
        ax : matplotlib axes, or array-like of two of them, default=None
            Where to draw, see :meth:`plot`.
        **kwargs : dict
            See :meth:`plot`.

        Returns
        -------
        EdgeConfidenceDisplay
            Drawn.

        Raises
        ------
        TypeError
            If it is something else.
        ImportError
            If matplotlib is not installed.

        See Also
        --------
        edge_confidence : Find the shares.

        Examples
        --------
        >>> import matplotlib.pyplot as plt
        >>> import numpy as np
        >>> from skcausalpima import CausalPIMA
        >>> from skcausalpima.inspection import EdgeConfidenceDisplay, edge_confidence
        >>> noise = np.random.default_rng(0).normal(size=(40, 2))
        >>> X = np.tile([[0.0, 1.0], [8.0, 9.0]], (20, 1)) + noise
        >>> model = CausalPIMA(2, max_iter=2, random_state=0).fit(X)
        >>> found = edge_confidence(model, X, n_bootstraps=2, random_state=0)
        >>> display = EdgeConfidenceDisplay.from_confidence(found)
        >>> [float(bar.get_width()) for bar in display.axes_[1].patches]  # of N1
        [1.0]
        >>> plt.close()
        """
        needed = "from_confidence needs what edge_confidence returns"
        cls._check_kind(confidence, EdgeConfidence, needed)
        settled = [edge[:2] for edge in confidence.dag.edges(data="compelled") if edge[2]]
        display = cls(
            confidence.edge,
            confidence.node_names,
            node_stability=confidence.node_stability,
            worst_node_stability=confidence.worst_node_stability,
            edges=list(confidence.dag.edges),
            compelled=confidence.compelled,
            arrows=sure_arrows(confidence.dag, settled),
        )
        return display.plot(ax, **kwargs)

    def plot(self, ax: SomeAxes = None, **kwargs: Unchecked) -> Self:
        """Draw.

        Parameters
        ----------
        ax : matplotlib axes, or array-like of as many as there are parts, default=None
            Where to draw. One is divided; None makes a figure.
        **kwargs : dict
            For ``imshow`` of matplotlib.

        Returns
        -------
        EdgeConfidenceDisplay
            Itself.

        Raises
        ------
        ValueError
            If a table has not a row and a column per node, or an edge is of no node.
        ImportError
            If matplotlib is not installed.

        Examples
        --------
        >>> import matplotlib.pyplot as plt
        >>> from skcausalpima.inspection import EdgeConfidenceDisplay
        >>> display = EdgeConfidenceDisplay(
        ...     [[0, 0.9], [0.1, 0]], ["N1", "N2"], edges=[("N1", "N2")])
        >>> display.plot().axes_[0].get_xlabel()
        'to (framed: edges of the fit)'
        >>> plt.close()
        """
        names = list(self.node_names)
        shares = self._table("edge", names)
        shares = shares + shares.T
        np.fill_diagonal(shares, np.nan)
        settled = np.zeros_like(shares)
        if self.compelled is not None:
            settled = self._table("compelled", names)
        labels = list(map(str, names))
        pairs = [zip(*rows, strict=True) for rows in zip(shares, settled, strict=True)]
        texts = [[_written(share, arrow) for share, arrow in row] for row in pairs]
        picture = HeatMap(
            values=shares, rows=labels, columns=labels, texts=texts, meaning="share of refits"
        )
        width, height = picture.figure_size()
        ratios = [width] if self.node_stability is None else [width, BARS_WIDTH]
        size = (sum(ratios), max(height + 0.3, 2.6))
        axes = self._several_axes(ax, (1, len(ratios)), size, width_ratios=ratios)
        self.axes_ = axes.ravel()
        self.image_ = picture.draw(self.axes_[0], kwargs)
        framed = " (framed: edges of the fit)" if self.edges else ""
        self.axes_[0].set_ylabel("from", fontsize=FONT)
        self.axes_[0].set_xlabel(f"to{framed}", fontsize=FONT)
        self._frame_edges(self.axes_[0], names)
        titles = ["joined in refits, \N{RIGHTWARDS ARROW} compelled", "nodes found again"]
        for panel, title in zip(self.axes_, titles, strict=False):
            n_letters = max(letters_across(panel, FONT + 1), 12)
            panel.set_title(wrapped(title, n_letters, 3), fontsize=FONT + 1)
        if self.node_stability is not None:
            self._plot_stability(self.axes_[1], self.node_stability)
        return self

    def _table(self, name: str, names: list[str]) -> np.ndarray:
        """Return the numbers between nodes that have a name."""
        table = np.array(getattr(self, name), dtype=np.float64)
        if table.shape != (len(names), len(names)):
            raise ValueError(
                f"{name} must have a row and a column for each of the {len(names)} nodes, got "
                f"shape {table.shape}."
            )
        return table

    def _frame_edges(self, ax: Axes, names: list[str]) -> None:
        """Draw a frame around the cells of edges, one each way where none is compelled."""
        from matplotlib.patches import Rectangle

        for parent, child in self.edges:
            if parent not in names or child not in names:
                raise ValueError(f"edges holds {(parent, child)!r}, but the nodes are {names}.")
            ways = [(parent, child)]
            if self.compelled is not None and (parent, child) not in self.arrows:
                ways.append((child, parent))
            for start, end in ways:
                corner = names.index(end) - 0.47, names.index(start) - 0.46
                for colour, width in (("white", 4.5), (FRAME, 2.0)):  # on dark and bright cells
                    ax.add_patch(Rectangle(corner, 0.94, 0.92, fill=False, ec=colour, lw=width))

    def _plot_stability(self, ax: Axes, node_stability: ArrayLike) -> None:
        """Draw how well nodes are found again."""
        stability = np.asarray(node_stability, dtype=np.float64)
        positions = np.arange(len(stability))
        ax.barh(positions, stability, color=COLOURS[3], edgecolor="0.2", label="mean")
        if self.worst_node_stability is not None:
            worst = np.asarray(self.worst_node_stability, dtype=np.float64)
            ax.plot(worst, positions, "o", color=ink(), markersize=5, label="worst refit")
        low = min(0.0, float(np.nanmin(stability)))
        ax.set(xlim=(low, 1.05), ylim=(len(stability) - 0.5, -0.5), yticks=[])
        ax.tick_params(labelsize=FONT)
        lines, n_letters = ["adjusted Rand index"], max(letters_across(ax, FONT - 1), 12)
        if self.worst_node_stability is not None:
            lines.append("bar: mean, dot: worst refit")
        label = "\n".join(wrapped(line, n_letters, 3) for line in lines)
        ax.set_xlabel(label, fontsize=FONT)


def _written(share: float, compelled: float) -> str:
    """Write how often two nodes are joined, and below how often by a compelled arrow."""
    if np.isnan(share):
        return ""
    arrow = f"\n\N{RIGHTWARDS ARROW} {compelled:.2f}" if compelled >= 0.005 else ""
    return f"{share:.2f}{arrow}"
