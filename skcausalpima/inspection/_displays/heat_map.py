"""Tables of numbers in [0, 1] as pictures, a colour and a number in each cell.

They are conditional probabilities, associations of nodes with columns, and shares of refits.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator

from ..._names import cut
from ..._structure.graph_picture import Edge
from ..._typing import Samples, Seed, Unchecked
from ...graph import CategoricalDAG
from .._associations import Metadata, NodeAssociations, associate_nodes
from .._edge_confidence import EdgeConfidence
from .display import POINTS_PER_INCH, Axes, Display, inches, letters_across, letters_that_fit
from .labels import listed, outcomes_of, shortened, wrapped
from .styles import COLOUR_MAP, COLOURS, Look, ink

OUTCOME_LETTERS = 12  # of several parents
LABEL_FONT = 9
FONT = 8.0
LINE = 1.3  # of the height of a font
ROW_LETTERS, COLUMN_LETTERS, COLUMN_LINES = 24, 12, 3
FEWEST_LETTERS = 5  # beside each other; where fewer fit, names of columns stand upright
NUMBER_SIZE = 0.22, 0.6  # of the font, in widths and heights of a cell, for four letters
LETTER = 0.6 * FONT / POINTS_PER_INCH  # inches
COLOUR_BAR = 0.7  # inches
DARK_BELOW = 0.6  # on these colours letters are white
BARS_WIDTH = 2.4  # inches
FRAME = "#D55E00"
MEASURES = {
    "cramers_v": "Cramér's V",
    "nmi": "normalized mutual information",
    "eta_squared": "eta squared",
}


@dataclass(frozen=True, kw_only=True)
class HeatMap:
    """A table of numbers in [0, 1] with names.

    Parameters
    ----------
    values : ndarray of shape (n_rows, n_columns)
        The numbers; NaN where there is none.
    rows, columns : sequence of str
        Names of rows and columns.
    texts : sequence of sequence of str
        What is written into the cells, of one or several lines.
    meaning : str
        What the numbers are, beside the colour bar.
    """

    values: np.ndarray
    rows: Sequence[str]
    columns: Sequence[str]
    texts: Sequence[Sequence[str]]
    meaning: str

    def figure_size(self) -> tuple[float, float]:
        """Return the size in inches of a figure in which names and numbers can be read."""
        n_rows, n_columns = self.values.shape
        letters = min(max(map(len, self.columns)), COLUMN_LETTERS)
        cell = max(0.55, 1.2 * letters * LETTER)
        names = min(max(map(len, self.rows)), ROW_LETTERS) * LETTER
        lines = max(text.count("\n") + 1 for row in self.texts for text in row)
        height = n_rows * (0.16 + 0.18 * lines) + 1.1
        return float(np.clip(n_columns * cell + names + 1.4, 3.6, 18)), min(max(height, 2.0), 14.0)

    def draw(self, ax: Axes, kwargs: Look) -> Any:
        """Draw it, with names, numbers and a colour bar; return the image."""
        from .scaled_text import ScaledText

        usual: Look = {"cmap": COLOUR_MAP, "vmin": 0, "vmax": 1, "aspect": "auto"}
        image = ax.imshow(self.values, **(usual | kwargs))
        self._name(ax)
        for (i, j), value in np.ndenumerate(self.values):  # numbers in letters that fit their cell
            lines = self.texts[i][j].split("\n")
            size = NUMBER_SIZE[0] * 5 / max(4, *map(len, lines)), NUMBER_SIZE[1] / len(lines)
            colour = "white" if value < DARK_BELOW else "black"
            ax.add_artist(ScaledText(j, i, self.texts[i][j], size, 9.0, color=colour))
        bar = ax.figure.colorbar(image, ax=ax, shrink=0.9)
        bar.ax.tick_params(labelsize=FONT - 1)
        bar.set_label(self.meaning, fontsize=FONT)
        return image

    def _name(self, ax: Axes) -> None:
        """Name as many rows and columns as there is room for."""
        (n_rows, n_columns), line = self.values.shape, FONT * LINE / POINTS_PER_INCH
        width, height = inches(ax)
        room = min(ROW_LETTERS, letters_that_fit(0.4 * width, FONT))
        longest = min(max(map(len, self.rows)), room) * LETTER
        # Names and a colour bar are still to come, and take their part of the axes.
        width = max(0.95 * width - longest - COLOUR_BAR, 0.2 * width) / n_columns
        height *= 0.8 / n_rows
        n_letters = letters_that_fit(width, FONT)
        upright = n_letters < min(FEWEST_LETTERS, max(map(len, self.columns)))
        step = math.ceil(line / width) if upright else 1
        names = [
            shortened(name, ROW_LETTERS // 2) if upright else wrapped(name, n_letters, COLUMN_LINES)
            for name in self.columns[::step]
        ]
        ax.set_xticks(np.arange(n_columns)[::step], names, rotation=90 if upright else 0)
        step = math.ceil(line / height)
        n_lines = min(max(1, int(height / line)), 2)
        names = [wrapped(name, max(room, 6), n_lines) for name in self.rows[::step]]
        ax.set_yticks(np.arange(n_rows)[::step], names)
        ax.tick_params(labelsize=FONT, length=2)


class HeatMapDisplay(Display):
    """A Display that is one heat map."""

    def _draw(self, picture: HeatMap, ax: Axes | None, kwargs: Look) -> None:
        """Draw it on given axes, or in a figure of its size."""
        self.image_ = picture.draw(self._one_axes(ax, picture.figure_size()), kwargs)


@dataclass(eq=False, repr=False)
class TableDisplay(HeatMapDisplay):
    """The conditional probability table of a node: a row for each combination of its parents.

    Parameters
    ----------
    table : array-like of shape (\\*parent sizes, node size)
        The probabilities; the last axis sums to 1.
    node : hashable
        The node.
    parents : sequence of hashable, default=()
        Its parents, in the order of the table's axes.
    states : mapping of hashable to sequence of str, default=None
        Names of the outcomes of nodes; those of others are numbers.

    Attributes
    ----------
    ax_ : matplotlib axes
        The axes.
    figure_ : matplotlib figure
        The figure.
    image_ : matplotlib image
        The colours.

    See Also
    --------
    GraphDisplay : The graph that the tables belong to.
    skcausalpima.graph.CategoricalDAG.table : The table as a DataFrame.

    Examples
    --------
    >>> from skcausalpima.inspection import TableDisplay
    >>> display = TableDisplay([[0.9, 0.1], [0.2, 0.8]], "wet", ["rain"]).plot()
    >>> display.ax_.get_xlabel(), display.ax_.get_ylabel()
    ('wet', 'rain')
    """

    table: ArrayLike
    node: Hashable
    parents: Sequence[Hashable] = ()
    _: KW_ONLY
    states: Mapping[Hashable, Sequence[str]] | None = None

    @classmethod
    def from_estimator(
        cls, est: BaseEstimator, node: Hashable, *, ax: Axes | None = None, **kwargs: Unchecked
    ) -> Self:
        """Draw a table of a fitted estimator.

        Parameters
        ----------
        est : CausalPIMA
            A fitted estimator.
        node : str
            The node.
        ax : matplotlib axes, default=None
            Where to draw; None makes a figure.
        **kwargs : dict
            See :meth:`plot`.

        Returns
        -------
        TableDisplay
            Drawn.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        TypeError
            If ``est`` is none, such as a pipeline or a search that holds one.
        ValueError
            If there is no such node.
        ImportError
            If matplotlib is not installed.

        See Also
        --------
        from_graph : Draw a table of a network.

        Examples
        --------
        >>> import matplotlib.pyplot as plt
        >>> import numpy as np
        >>> from skcausalpima import CausalPIMA
        >>> from skcausalpima.inspection import TableDisplay
        >>> noise = np.random.default_rng(0).normal(size=(40, 2))
        >>> X = np.tile([[0.0, 1.0], [8.0, 9.0]], (20, 1)) + noise
        >>> model = CausalPIMA(2, max_iter=2, random_state=0).fit(X)
        >>> display = TableDisplay.from_estimator(model, "N1")
        >>> [text.get_text() for text in display.ax_.texts]
        ['0.50', '0.50']
        >>> plt.close()
        """
        cls._check_estimator(est)
        return cls.from_graph(est.to_graph(), node, ax=ax, **kwargs)

    @classmethod
    def from_graph(
        cls, dag: CategoricalDAG, node: Hashable, *, ax: Axes | None = None, **kwargs: Unchecked
    ) -> Self:
        """Draw a table of a network.

        Parameters
        ----------
        dag : CategoricalDAG
            The network.
        node : hashable
            The node.
        ax : matplotlib axes, default=None
            Where to draw; None makes a figure.
        **kwargs : dict
            See :meth:`plot`.

        Returns
        -------
        TableDisplay
            Drawn.

        Raises
        ------
        ValueError
            If there is no such node.
        ImportError
            If matplotlib is not installed.

        See Also
        --------
        from_estimator : Draw a table of a fit.

        Examples
        --------
        >>> import matplotlib.pyplot as plt
        >>> from skcausalpima.graph import CategoricalDAG
        >>> from skcausalpima.inspection import TableDisplay
        >>> tables = [[0.5, 0.5], [[0.9, 0.1], [0.2, 0.8]]]
        >>> names = ["heat", "crack"]
        >>> dag = CategoricalDAG.from_arrays([[0, 1], [0, 0]], tables, names)
        >>> display = TableDisplay.from_graph(dag, "crack")
        >>> [text.get_text() for text in display.ax_.texts]
        ['0.90', '0.10', '0.20', '0.80']
        >>> plt.close()
        """
        if node not in dag.nodes:
            raise ValueError(f"There is no node {node!r}: the nodes are {dag.nodes}.")
        parents = list(dag.graph.predecessors(node))
        return cls(dag.cpts[node], node, parents, states=dag.states).plot(ax, **kwargs)

    def plot(self, ax: Axes | None = None, **kwargs: Unchecked) -> Self:
        """Draw.

        Parameters
        ----------
        ax : matplotlib axes, default=None
            Where to draw; None makes a figure of the size that the table needs. Numbers that
            would be too small to be read are left out.
        **kwargs : dict
            For ``imshow`` of matplotlib.

        Returns
        -------
        TableDisplay
            Itself.

        Raises
        ------
        ValueError
            If the table has not one axis per parent and one of the node.
        ImportError
            If matplotlib is not installed.

        Examples
        --------
        >>> import matplotlib.pyplot as plt
        >>> from skcausalpima.inspection import TableDisplay
        >>> states = {"wet": ["dry", "wet"]}
        >>> table = [[0.9, 0.1], [0.2, 0.8]]
        >>> display = TableDisplay(table, "wet", ["rain"], states=states)
        >>> [text.get_text() for text in display.plot().ax_.get_xticklabels()]
        ['dry', 'wet']
        >>> plt.close()
        """
        table, parents = np.asarray(self.table, dtype=np.float64), list(self.parents)
        if table.ndim != len(parents) + 1:
            raise ValueError(
                f"table of shape {table.shape} must have one axis for each of the parents "
                f"{parents}, and one of {self.node!r}."
            )
        probabilities = table.reshape(-1, table.shape[-1])
        picture = HeatMap(
            values=probabilities,
            rows=self._rows(table.shape[:-1]),
            columns=outcomes_of(self.states, self.node, table.shape[-1]),
            texts=[[f"{value:.2f}" for value in row] for row in probabilities],
            meaning="probability",
        )
        self._draw(picture, ax, kwargs)
        n_letters = int(0.7 * letters_across(self.ax_, LABEL_FONT))
        self.ax_.set_xlabel(shortened(self.node, n_letters), fontsize=LABEL_FONT)
        n_letters = letters_that_fit(0.6 * inches(self.ax_)[1], LABEL_FONT)
        self.ax_.set_ylabel(listed(parents, max(n_letters, 10), 3), fontsize=LABEL_FONT)
        return self

    def _rows(self, sizes: tuple[int, ...]) -> list[str]:
        """Return a name for each combination of the parents' outcomes."""
        pairs = zip(self.parents, sizes, strict=True)
        names = [outcomes_of(self.states, *pair) for pair in pairs]
        if len(sizes) == 1:
            return names[0]
        short = [[cut(name, OUTCOME_LETTERS) for name in of_node] for of_node in names]
        return list(map(", ".join, itertools.product(*short)))


@dataclass(eq=False, repr=False)
class AssociationDisplay(HeatMapDisplay):
    """How nodes and columns of metadata depend on each other: a row per node.

    In each cell stand the statistic, from 0 for independence to 1, and its p-value.

    It is recommended to use :meth:`from_estimator` or :meth:`from_associations`.

    Parameters
    ----------
    statistic : array-like of shape (n_nodes, n_columns)
        The measure; NaN where there is none.
    node_names : sequence of str
        The nodes.
    column_names : sequence of hashable
        The columns.
    p_value : array-like of shape (n_nodes, n_columns), default=None
        The p-values.
    measure : str, default="association"
        What the statistic is.

    Attributes
    ----------
    ax_ : matplotlib axes
        The axes.
    figure_ : matplotlib figure
        The figure.
    image_ : matplotlib image
        The colours.

    See Also
    --------
    associate_nodes : The numbers.

    Examples
    --------
    >>> from skcausalpima.inspection import AssociationDisplay
    >>> display = AssociationDisplay([[0.9, 0.1]], ["N1"], ["batch", "lab"]).plot()
    >>> [text.get_text() for text in display.ax_.get_xticklabels()]
    ['batch', 'lab']
    """

    statistic: ArrayLike
    node_names: Sequence[str]
    column_names: Sequence[Hashable]
    _: KW_ONLY
    p_value: ArrayLike | None = None
    measure: str = "association"

    @classmethod
    def from_estimator(
        cls,
        est: BaseEstimator,
        X: Samples,
        metadata: Metadata,
        *,
        measure: str = "cramers_v",
        n_permutations: int = 999,
        random_state: Seed = None,
        ax: Axes | None = None,
    ) -> Self:
        """Draw how the nodes of a fitted estimator depend on known columns.

        Parameters
        ----------
        est : CausalPIMA
            A fitted estimator.
        X : sequence, mapping, MultimodalData, array-like or DataFrame
            Samples.
        metadata : DataFrame, mapping or array-like of shape (n_samples, n_columns)
            Columns of categories or numbers, see :func:`associate_nodes`.
        measure : {"cramers_v", "nmi"}, default="cramers_v"
            The statistic of categories.
        n_permutations : int, default=999
            Number of permutations.
        random_state : int, RandomState instance or None, default=None
            Source of the permutations.
        ax : matplotlib axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        AssociationDisplay
            Drawn.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        ValueError
            As :func:`associate_nodes`.
        ImportError
            If matplotlib is not installed.

        See Also
        --------
        from_associations : Draw what was found before.

        Examples
        --------
        >>> import matplotlib.pyplot as plt
        >>> import numpy as np
        >>> from skcausalpima import CausalPIMA
        >>> from skcausalpima.inspection import AssociationDisplay
        >>> noise = np.random.default_rng(0).normal(size=(40, 2))
        >>> X = np.tile([[0.0, 1.0], [8.0, 9.0]], (20, 1)) + noise
        >>> model = CausalPIMA(2, max_iter=2, random_state=0).fit(X)
        >>> known = {"batch": ["a", "b"] * 20}
        >>> display = AssociationDisplay.from_estimator(model, X, known, random_state=0)
        >>> display.statistic, display.p_value
        (array([[1.]]), array([[0.001]]))
        >>> plt.close()
        """
        found = associate_nodes(
            est,
            X,
            metadata,
            measure=measure,
            n_permutations=n_permutations,
            random_state=random_state,
        )
        return cls.from_associations(found, ax=ax)

    @classmethod
    def from_associations(
        cls, associations: NodeAssociations, *, measure: str | None = None, ax: Axes | None = None
    ) -> Self:
        """Draw what :func:`associate_nodes` found.

        Parameters
        ----------
        associations : NodeAssociations
            The numbers.
        measure : str, default=None
            What they are, for the colour bar; None takes the names of the measures.
        ax : matplotlib axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        AssociationDisplay
            Drawn.

        Raises
        ------
        ImportError
            If matplotlib is not installed.

        See Also
        --------
        associate_nodes : Find the numbers.

        Examples
        --------
        >>> import matplotlib.pyplot as plt
        >>> import numpy as np
        >>> from skcausalpima.inspection import AssociationDisplay, NodeAssociations
        >>> found = NodeAssociations(
        ...     statistic=np.array([[0.95, 0.1]]), p_value=np.array([[0.001, 0.4]]),
        ...     expected=np.array([[0.1, 0.1]]), n_samples=np.array([60, 58]),
        ...     node_names=("N1",), column_names=("batch", "lab"), measures=("cramers_v",) * 2)
        >>> display = AssociationDisplay.from_associations(found)
        >>> print(display.ax_.texts[0].get_text())
        0.95
        p 0.001
        >>> plt.close()
        """
        display = cls(
            associations.statistic,
            associations.node_names,
            associations.column_names,
            p_value=associations.p_value,
            measure=measure
            or ", ".join(MEASURES[of] for of in dict.fromkeys(associations.measures)),
        )
        return display.plot(ax)

    def plot(self, ax: Axes | None = None, **kwargs: Unchecked) -> Self:
        """Draw.

        Parameters
        ----------
        ax : matplotlib axes, default=None
            Where to draw; None makes a figure of the size that the table needs. Numbers that
            would be too small to be read are left out.
        **kwargs : dict
            For ``imshow`` of matplotlib.

        Returns
        -------
        AssociationDisplay
            Itself.

        Raises
        ------
        ValueError
            If there is not one name per row and column.
        ImportError
            If matplotlib is not installed.

        Examples
        --------
        >>> import matplotlib.pyplot as plt
        >>> from skcausalpima.inspection import AssociationDisplay
        >>> display = AssociationDisplay([[0.9, 0.1]], ["N1"], ["batch", "lab"])
        >>> [text.get_text() for text in display.plot(cmap="Greys").ax_.texts]
        ['0.90', '0.10']
        >>> plt.close()
        """
        numbers = [self.statistic] if self.p_value is None else [self.statistic, self.p_value]
        arrays = [np.asarray(array, dtype=np.float64) for array in numbers]
        shape = len(self.node_names), len(self.column_names)
        if any(array.shape != shape for array in arrays):
            raise ValueError(
                f"statistic and p_value must have shape {shape}, a row per node and a column per "
                f"column of metadata; got {' and '.join(str(array.shape) for array in arrays)}."
            )
        cells = np.stack(arrays, axis=-1)
        picture = HeatMap(
            values=arrays[0],
            rows=list(map(str, self.node_names)),
            columns=list(map(str, self.column_names)),
            texts=[[_written(*cell) for cell in row] for row in cells],
            meaning=self.measure,
        )
        self._draw(picture, ax, kwargs)
        return self


def _written(statistic: float, *p_value: float) -> str:
    """Write a statistic, and its p-value if there is one."""
    if np.isnan(statistic):
        return "–"
    return "\n".join([f"{statistic:.2f}", *(f"p {p:.3f}" for p in p_value)])


@dataclass(eq=False, repr=False)
class EdgeConfidenceDisplay(Display):
    """How often refits find the arrows between nodes, and the nodes themselves, again.

    To the left the share of the refits that have each arrow, from the node of the row to that of
    the column; the arrows of the fit are framed. To the right how well each node is found again:
    the adjusted Rand index in the mean over the refits (bar), and in the worst one (dot).

    It is recommended to use :meth:`from_confidence`.

    Parameters
    ----------
    edge : array-like of shape (n_nodes, n_nodes)
        Share of the refits that have the arrow i -> j.
    node_names : sequence of str
        The nodes.
    node_stability, worst_node_stability : array-like of shape (n_nodes,), default=None
        Adjusted Rand indices; without the first there is no right part.
    edges : collection of (str, str), default=()
        The arrows that are framed.

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

    @classmethod
    def from_confidence(
        cls, confidence: EdgeConfidence, *, ax: Any = None, **kwargs: Unchecked
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
        display = cls(
            confidence.edge,
            confidence.node_names,
            node_stability=confidence.node_stability,
            worst_node_stability=confidence.worst_node_stability,
            edges=list(confidence.dag.edges),
        )
        return display.plot(ax, **kwargs)

    def plot(self, ax: Any = None, **kwargs: Unchecked) -> Self:
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
            If ``edge`` has not a row and a column per node, or an edge is of no node.
        ImportError
            If matplotlib is not installed.

        Examples
        --------
        >>> import matplotlib.pyplot as plt
        >>> from skcausalpima.inspection import EdgeConfidenceDisplay
        >>> display = EdgeConfidenceDisplay(
        ...     [[0, 0.9], [0.1, 0]], ["N1", "N2"], edges=[("N1", "N2")])
        >>> display.plot().axes_[0].get_xlabel()
        'to (framed: arrows of the fit)'
        >>> plt.close()
        """
        names, shares = list(self.node_names), np.array(self.edge, dtype=np.float64)
        if shares.shape != (len(names), len(names)):
            raise ValueError(
                f"edge must have a row and a column for each of the {len(names)} nodes, got shape "
                f"{shares.shape}."
            )
        np.fill_diagonal(shares, np.nan)
        labels = list(map(str, names))
        texts = [["" if np.isnan(share) else f"{share:.2f}" for share in row] for row in shares]
        picture = HeatMap(
            values=shares, rows=labels, columns=labels, texts=texts, meaning="share of refits"
        )
        width, height = picture.figure_size()
        ratios = [width] if self.node_stability is None else [width, BARS_WIDTH]
        size = (sum(ratios), max(height + 0.3, 2.6))
        axes = self._several_axes(ax, (1, len(ratios)), size, width_ratios=ratios)
        self.axes_ = axes.ravel()
        self.image_ = picture.draw(self.axes_[0], kwargs)
        framed = " (framed: arrows of the fit)" if self.edges else ""
        self.axes_[0].set_ylabel("from", fontsize=FONT)
        self.axes_[0].set_xlabel(f"to{framed}", fontsize=FONT)
        self._frame_edges(self.axes_[0], names)
        titles = ["share of refits with the arrow", "nodes found again"]
        for panel, title in zip(self.axes_, titles, strict=False):
            n_letters = max(letters_across(panel, FONT + 1), 12)
            panel.set_title(wrapped(title, n_letters, 3), fontsize=FONT + 1)
        if self.node_stability is not None:
            self._plot_stability(self.axes_[1], self.node_stability)
        return self

    def _frame_edges(self, ax: Axes, names: list[str]) -> None:
        """Draw a frame around the cells of arrows."""
        from matplotlib.patches import Rectangle

        for parent, child in self.edges:
            if parent not in names or child not in names:
                raise ValueError(f"edges holds {(parent, child)!r}, but the nodes are {names}.")
            corner = names.index(child) - 0.47, names.index(parent) - 0.46
            for colour, width in (("white", 4.5), (FRAME, 2.0)):  # seen on dark and bright cells
                ax.add_patch(Rectangle(corner, 0.94, 0.92, fill=False, ec=colour, lw=width))

    def _plot_stability(self, ax: Axes, node_stability: ArrayLike) -> None:
        """Draw how well nodes are found again."""
        stability = np.asarray(node_stability, dtype=np.float64)
        places = np.arange(len(stability))
        ax.barh(places, stability, color=COLOURS[3], edgecolor="0.2", label="mean")
        if self.worst_node_stability is not None:
            worst = np.asarray(self.worst_node_stability, dtype=np.float64)
            ax.plot(worst, places, "o", color=ink(), markersize=5, label="worst refit")
        low = min(0.0, float(np.nanmin(stability)))
        ax.set(xlim=(low, 1.05), ylim=(len(stability) - 0.5, -0.5), yticks=[])
        ax.tick_params(labelsize=FONT)
        lines, n_letters = ["adjusted Rand index"], max(letters_across(ax, FONT - 1), 12)
        if self.worst_node_stability is not None:
            lines.append("bar: mean, dot: worst refit")
        label = "\n".join(wrapped(line, n_letters, 3) for line in lines)
        ax.set_xlabel(label, fontsize=FONT)
