"""Tables of numbers in [0, 1] as pictures, a colour and a number in each cell."""

from __future__ import annotations

import itertools
import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator

from ..._base.names import cut
from ..._base.types import Unchecked
from ...graph import CategoricalDAG
from .display import POINTS_PER_INCH, Axes, Display, Drawn, inches, letters_across, letters_that_fit
from .labels import listed, outcomes_of, plain, shortened, wrapped
from .styles import COLOUR_MAP, Look

OUTCOME_LETTERS = 12  # of several parents
LABEL_FONT = 9
FONT = 8.0
LINE = 1.3  # of the height of a font
ROW_LETTERS, COLUMN_LETTERS, COLUMN_LINES = 40, 12, 4
UPRIGHT_LETTERS = 12
FEWEST_LETTERS = 5  # beside each other; where fewer fit, names of columns stand upright
NUMBER_SIZE = 0.22, 0.6  # of the font, in widths and heights of a cell, for four letters
LETTER = 0.6 * FONT / POINTS_PER_INCH  # inches
COLOUR_BAR = 0.7  # inches
DARK_BELOW = 0.6  # on these colours letters are white


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

    def draw(self, ax: Axes, kwargs: Look) -> Drawn:
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
        bar.set_label(plain(self.meaning), fontsize=FONT)
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
            shortened(name, UPRIGHT_LETTERS) if upright else wrapped(name, n_letters, COLUMN_LINES)
            for name in self.columns[::step]
        ]
        ax.set_xticks(np.arange(n_columns)[::step], names, rotation=90 if upright else 0)
        step = math.ceil(line / height)
        n_lines = min(max(1, int(height / line)), 2)
        names = [wrapped(name, max(room, 6), n_lines) for name in self.rows[::step]]
        ax.set_yticks(np.arange(n_rows)[::step], names)
        ax.tick_params(labelsize=FONT, length=2)


@dataclass(eq=False, repr=False)
class TableDisplay(Display):
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
        TypeError
            If ``dag`` is no CategoricalDAG.
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
        cls._check_kind(dag, CategoricalDAG, "from_graph needs a CategoricalDAG as dag")
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
        self.image_ = picture.draw(self._one_axes(ax, picture.figure_size()), kwargs)
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
