"""One picture per cell of the grid."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator

from ..._base.grid import NodeGrid
from ..._base.types import Abscissa, Samples, Unchecked
from ..._structure.digraphs import node_graph
from .._fitted_estimator import cell_order, outcome_names
from .cell_contents import contents_of_cells, titles_of_cells
from .cell_table import CellTable, asked_cells, table_for, write_headers
from .column_panels import CAPTION_SIZE, LINE, ColumnsDisplay, Part
from .display import (
    Axes,
    check_word,
    font_that_fits,
    inches,
    is_axes,
    letters_across,
    letters_that_fit,
)
from .labels import NodeNames, cell_names, listed, named_nodes, plain, shortened, wrapped
from .painter import HOLLOW, TITLE_SIZE, SamplePainter, drawn_as, few_of, make_hollow, room_for_bars
from .shown_modality import ShownModality, shown_modality
from .styles import Look

MIN_TITLE_SIZE = 5
LARGEST_BARS = 24  # cells with a bar in each panel of a table of several kinds, at most
BARS_SHARE = 0.25  # of a height that is given, for these: two rows of panels and titles fit
PANEL = 1.3  # inches, least width of a panel in a figure of its own


@dataclass(eq=False, repr=False)
class PrototypeDisplay(ColumnsDisplay):
    """What each cell looks like: one picture per cell, on the grid's own axes.

    The outcomes of the first nodes are rows, those of the others columns; where there is no room
    for all cells, the largest fill lines like words. An image, a curve, or bars are drawn, by the
    shape of the modality: up to 16 elements in a row, and those of a table whose columns have
    names, are bars (where there is no room for the names of all, and of more than 30, those that
    differ most between cells, the strongest first), more without names are a curve. Images with
    other than one or three channels have them side by side; of volumes the middle slice is drawn.

    Tables of words, booleans or ordered categories have a panel for each column instead, in which
    the cells are compared: probabilities of levels are stacked bars, and counts and numbers bars.
    Those of numbers begin at the mean, and are as long as they are in standard deviations; ticks
    are in the unit of the column. Where there is no room for all, those columns are drawn in which
    cells differ most, the strongest first.

    It is recommended to use :meth:`from_estimator`.

    Parameters
    ----------
    prototypes : ndarray of shape (n_cells, \\*shape)
        What is drawn, the cells in C order of their outcomes; NaN in cells that have nothing.
    node_sizes : sequence of int
        Numbers of outcomes of the nodes.
    node_names : sequence of str
        Their names.
    outcome_names : sequence of sequences of str, default=None
        Names of the outcomes of each node; None numbers them.
    titles : sequence of str, default=None
        A title for each cell, of one or several lines.
    x : ndarray of shape (width,), or (str, ndarray), default=None
        Abscissa. What has one is drawn as a curve.
    columns : sequence of str, default=None
        Names of the elements, of tables.
    value_name : str, default=""
        What is drawn: the modality, if it is one of several, and the unit of its values, if that is
        not its own.
    weights : array-like of shape (n_cells,), default=None
        How large cells are; None takes them to be alike.
    cells : sequence of int, default=None
        Which cells to draw; None takes all, or the largest.
    parts : sequence of tuple, default=None
        Of a table of several kinds of columns: name, likelihood and names of levels (none of
        numbers) of each column, and optionally mean and standard deviation of numbers. It has a
        panel, with a bar for each cell. The values of a cell are one column's behind the other's:
        probabilities of its levels, or a number.
    n_values : ndarray of shape (n_cells, n_elements), default=None
        How many values bars rest on (with ``parts`` one number per column); those on fewer than
        five are hollow, and the caption says so.

    Attributes
    ----------
    axes_ : ndarray of axes of shape (n_rows, n_columns)
        The panels.
    bounding_ax_ : matplotlib axes or None
        The axes that were divided, if some were.
    figure_ : matplotlib figure
        The figure.
    cells_ : list of int
        The cells that are drawn, in the order of their panels.
    artists_ : list
        What was drawn of each of them, None where there is nothing; with ``parts``, of each column
        the bars of its levels.

    See Also
    --------
    NodeEffectDisplay : How single nodes change the data.

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima.inspection import PrototypeDisplay
    >>> images = np.arange(4 * 36).reshape(4, 6, 6)
    >>> display = PrototypeDisplay(images, (2, 2), ["hue", "place"]).plot()
    >>> display.axes_.shape
    (2, 2)
    """

    prototypes: np.ndarray
    node_sizes: Sequence[int]
    node_names: Sequence[str]
    _: KW_ONLY
    outcome_names: Sequence[Sequence[str]] | None = None
    titles: Sequence[str] | None = None
    x: Abscissa | None = None
    columns: Sequence[str] | None = None
    value_name: str = ""
    weights: ArrayLike | None = None
    cells: Sequence[int] | None = None
    parts: Sequence[Part] | None = None
    n_values: np.ndarray | None = None

    @classmethod
    def from_estimator(
        cls,
        est: BaseEstimator,
        X: Samples | None = None,
        *,
        kind: str = "mean",
        modality: str | int | None = None,
        x: Abscissa | None = None,
        cells: ArrayLike | None = None,
        ax: Axes | None = None,
        **kwargs: Unchecked,
    ) -> Self:
        """Draw the cells of a fitted estimator.

        Parameters
        ----------
        est : CausalPIMA
            A fitted estimator.
        X : sequence, mapping, MultimodalData, array-like or DataFrame, default=None
            Samples, for ``kind="nearest"``.
        kind : {"mean", "decoded", "nearest"}, default="mean"
            What decodes from the mean of each component, or the sample nearest to this mean in the
            latent space. With "mean" bars are means of observed values, but those of counts decode.
        modality : str or int, default=None
            Name or number of the modality; None takes the first.
        x : array-like of shape (width,), or (str, array-like), default=None
            Abscissa of curves, and its name. None takes that of the fit, if it has one.
        cells : array-like of shape (n_asked, n_nodes), default=None
            The cells to draw, a row of outcomes (numbers or names) for each, such as
            ``[(0, 1), (1, 1)]``. None takes all, or the largest that there is room for.
        ax : matplotlib axes, default=None
            See :meth:`plot`.
        **kwargs : dict
            See :meth:`plot`.

        Returns
        -------
        PrototypeDisplay
            Drawn. The titles are the parameters of an expert, or else the share of training
            samples. Columns of a table that are scaled each on its own are shown in standard
            deviations from their means, counts as they are expected at the mean depth.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        TypeError
            If ``est`` is none, such as a pipeline or a search that holds one.
        ValueError
            If X, ``kind``, ``modality``, ``x`` or ``cells`` is not as described.
        ImportError
            If matplotlib is not installed.

        Examples
        --------
        >>> import numpy as np
        >>> from skcausalpima import CausalPIMA
        >>> from skcausalpima.inspection import PrototypeDisplay
        >>> rng = np.random.default_rng(0)
        >>> group = np.repeat([0, 1, 2, 3], 50)
        >>> images = rng.normal(size=(200, 4, 4)) + 6 * (group // 2)[:, None, None]
        >>> curves = rng.normal(size=(200, 10)) + 6 * (group % 2)[:, None]
        >>> model = CausalPIMA((2, 2), max_iter=5, random_state=0).fit([images, curves])
        >>> display = PrototypeDisplay.from_estimator(model, modality=1, x=np.linspace(0, 1, 10))
        >>> display.axes_[0, 0].get_title()
        '25 %'
        """
        cls._check_estimator(est)
        check_word(kind, "kind", ("mean", "decoded", "nearest"))
        display = cls._of_modality(est, shown_modality(est, modality, x), kind, X)
        if cells is not None:
            display.cells = asked_cells(cells, est.joint_.shape, outcome_names(est))
        return display.plot(ax=ax, **kwargs)

    @classmethod
    def _of_modality(
        cls, est: BaseEstimator, shown: ShownModality, kind: str = "mean", X: Samples | None = None
    ) -> Self:
        """Return what is drawn of a modality."""
        order, titles = cell_order(est), np.array(titles_of_cells(est, shown), dtype=object)
        prototypes, counts = contents_of_cells(est, shown, kind, X)
        which = shown.name if len(est.modality_names_in_) > 1 else ""
        return cls(
            prototypes[order],
            est.joint_.shape,
            list(node_graph(est.dag_)),
            outcome_names=outcome_names(est),
            titles=titles[order].tolist(),
            x=shown.x,
            columns=shown.columns,
            value_name=": ".join(part for part in (which, shown.unit_of_groups) if part),
            weights=est.separation_.occupancy[order],
            parts=shown.parts,
            n_values=None if counts is None else counts[order],
        )

    def plot(self, ax: Axes | np.ndarray | None = None, **kwargs: Unchecked) -> Self:
        """Draw.

        Parameters
        ----------
        ax : matplotlib axes or ndarray of axes, default=None
            Axes are divided into one panel per cell. An array of panels, such as ``axes_``, is
            drawn on. None makes a figure.
        **kwargs : dict
            For ``imshow``, ``plot`` or ``barh`` of matplotlib.

        Returns
        -------
        PrototypeDisplay
            Itself.

        Raises
        ------
        ImportError
            If matplotlib is not installed.

        Examples
        --------
        >>> import matplotlib.pyplot as plt
        >>> import numpy as np
        >>> from skcausalpima.inspection import PrototypeDisplay
        >>> images = np.arange(2 * 36).reshape(2, 6, 6)
        >>> display = PrototypeDisplay(images, (2,), ["hue"], titles=["40 %", "60 %"])
        >>> print(display.plot(cmap="Greys").axes_.ravel()[1].get_title())
        hue = 1
        60 %
        >>> plt.close()
        """
        arrays, sizes = np.asarray(self.prototypes), tuple(map(int, self.node_sizes))
        if len(arrays) != math.prod(sizes):
            raise ValueError(
                f"prototypes has {len(arrays)} rows, but the grid of node_sizes={sizes} has "
                f"{math.prod(sizes)} cells: pass one row per cell."
            )
        titles = [""] * len(arrays) if self.titles is None else self.titles
        names = named_nodes(self.node_names, self.node_sizes, self.outcome_names)
        if self.parts is not None:
            self._plot_parts(ax, self.parts, names, titles, kwargs)
            return self
        table = table_for(sizes, self._n_asked(), self._kind(), ax)
        self.cells_ = cells = self._largest(math.prod(table.shape))
        n_title_lines = max(titles[cell].count("\n") + 1 for cell in cells)
        if not table.n_row_nodes:
            panel = inches(ax)[0] / table.shape[1] if is_axes(ax) else PANEL
            headers, _ = names.headers(
                NodeGrid(sizes).outcomes(np.array(cells)), letters_that_fit(panel, TITLE_SIZE)
            )
            n_title_lines += headers[0].count("\n") + 1
        most_bars, names_room = room_for_bars(ax, table.shape, n_title_lines)
        painter = SamplePainter.of(
            [arrays[cells]], x=self.x, columns=self.columns, most_bars=most_bars, room=names_room
        )
        size = painter.size_of_figure(table.shape, n_title_lines)
        caption, n_columns = self._captioned_axes(ax, table.shape, size), table.shape[1]
        self.artists_: list[Any] = []
        self._few = self._are_few(cells, len(painter.columns))[:, painter.rows]
        for unused in self.axes_.flat[len(cells) :]:
            unused.set_axis_off()
        for place, cell in enumerate(cells):
            panel, is_drawn = self.axes_.flat[place], np.isfinite(arrays[cell]).any()
            self.artists_.append(painter.draw(panel, arrays[cell], **kwargs) if is_drawn else None)
            if self._few[place].any() and is_drawn:
                make_hollow(self.artists_[-1], self._few[place])
            is_bottom = place + n_columns >= len(cells)
            painter.finish(panel, is_left=place % n_columns == 0, is_bottom=is_bottom)
        unnamed = self._name_cells(table, names, titles)
        self._describe(caption, unnamed, painter)
        return self

    def _kind(self) -> str:
        """Return what cells are drawn as."""
        return drawn_as(np.shape(self.prototypes)[1:], self.x, self.columns)

    def _are_few(self, cells: Sequence[int], n_bars: int) -> np.ndarray:
        """Return which bars of cells rest on few values, (n_cells, n_bars)."""
        if self.n_values is None or (self.parts is None and self._kind() != "bars"):
            return np.zeros((len(cells), n_bars), dtype=bool)
        return few_of(self.n_values, (len(self.prototypes), n_bars))[list(cells)]

    def _n_asked(self) -> int:
        """Return how many cells are to be drawn if there is room."""
        return len(self.prototypes) if self.cells is None else len(self.cells)

    def _largest(self, most: int) -> list[int]:
        """Return the cells that are asked for, or so many of the largest, in C order."""
        if self.cells is not None:
            return list(self.cells)[:most]
        weights = np.ones(len(self.prototypes)) if self.weights is None else self.weights
        return np.sort(np.argsort(-np.asarray(weights), kind="stable")[:most]).tolist()

    def _left_out(self) -> str:
        """Say which of all cells are drawn, where some are not."""
        n_all, n_shown = len(self.prototypes), len(self.cells_)
        which = "" if self.cells is not None or self.weights is None else ": the largest"
        return "" if n_shown == n_all else f"{n_shown} of {n_all} cells{which}"

    def _plot_parts(
        self,
        ax: Axes | np.ndarray | None,
        parts: Sequence[Part],
        names: NodeNames,
        titles: Sequence[str],
        kwargs: Look,
    ) -> None:
        """Draw a panel for each column, in which cells are compared."""
        room = int(BARS_SHARE * inches(ax)[1] / LINE) if is_axes(ax) else LARGEST_BARS
        self.cells_ = cells = self._largest(max(2, min(room, LARGEST_BARS)))
        of_cells = cell_names(
            NodeGrid(tuple(map(int, self.node_sizes))).outcomes(np.array(cells)), names.outcomes
        )
        lines = [f"{n}  {titles[k]}".strip() for n, k in zip(of_cells, cells, strict=True)]
        bars = [(line, float(position)) for position, line in enumerate(lines)]
        which, is_one_of_several, _ = self.value_name.rpartition(": ")
        what = f"outcomes of {', '.join(names.nodes)}"
        what = f"{which}, {what}" if is_one_of_several else what
        what = "; ".join(filter(None, (what, self._left_out())))
        shown, above = self._draw_columns(
            ax, parts, np.asarray(self.prototypes)[cells], bars, what, kwargs
        )
        self._make_hollow(self._are_few(cells, len(parts))[:, shown], above)

    def _name_cells(
        self, table: CellTable, names: NodeNames, titles: Sequence[str]
    ) -> dict[str, tuple[str, ...]]:
        """Write outcomes beside rows and columns, and a title over each cell.

        Return which nodes these are if they do not say.
        """
        cells = self.cells_
        titles = [titles[cell] for cell in cells]
        longest = max((len(line) for title in titles for line in title.splitlines()), default=1)
        fitting = font_that_fits(inches(self.axes_[0, 0])[0], longest)
        size = float(np.clip(fitting, MIN_TITLE_SIZE, TITLE_SIZE))
        n_letters = letters_across(self.axes_[0, 0], size)
        lines = ["\n".join(shortened(t, n_letters) for t in title.splitlines()) for title in titles]
        if table.n_row_nodes == 0:
            headers, is_named = names.headers(
                NodeGrid(table.sizes).outcomes(np.array(cells)), n_letters
            )
            lines = [f"{h}\n{line}".strip() for h, line in zip(headers, lines, strict=True)]
            unnamed = {} if is_named else {"outcomes of": names.nodes}
        else:
            n_lines = max(line.count("\n") + bool(line) for line in lines[: table.shape[1]])
            unnamed = write_headers(self.axes_, table, names, n_lines * size * 1.25 + 4)
        for place, line in enumerate(lines):
            self.axes_.flat[place].set_title(line, fontsize=size, pad=2)
        return unnamed

    def _describe(
        self, caption: Axes | None, unnamed: Mapping[str, Sequence[str]], painter: SamplePainter
    ) -> None:
        """Say above the panels what they show; below the first where there is nothing above."""
        hollow = HOLLOW * bool(self._few.any())
        lines = [e for e in (self.value_name, painter.note, self._left_out(), hollow) if e]
        if caption is None:
            text = "\n".join(line for line in (painter.along, *lines) if line)
            self.axes_[-1, 0].set_xlabel(plain(text), fontsize=8, loc="left")
            return
        n_letters = letters_across(caption, CAPTION_SIZE)
        texts = [wrapped("; ".join(lines), n_letters)] if lines else []
        for what, nodes in unnamed.items():
            texts.append(f"{what} {listed(nodes, n_letters - len(what) - 1, 2)}")
        caption.set_title("\n".join(texts), fontsize=CAPTION_SIZE)
