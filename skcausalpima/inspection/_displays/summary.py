"""The four pictures of a fit that matter, on one page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from sklearn.base import BaseEstimator

from ..._base.types import Abscissae, Samples
from ..._data.selection_keys import asked_modalities
from .cell_table import table_in
from .column_panels import LINE
from .display import Axes, Display, SomeAxes, inches, is_axes
from .graph import GraphDisplay
from .latent import LatentDisplay
from .painter import MARGINS, height_for_bars
from .prototypes import PrototypeDisplay
from .shown_modality import abscissae, shown_modality
from .training import TrainingDisplay

# Looked at from 4 to 4096 cells (benchmarks/pictures.py), else arbitrary.
WIDTH, HIGHEST = 8.3, 11.2  # inches: letters can be read where the page is as wide as a column
TOP, LEFT = 3.9, 0.52  # height of the latent space, and its share of the width
GRAPH = (0.9, 1.6)  # heights of a graph beside it
SMALL = 0.65  # a graph that would shrink to less has a row of its own
LOWEST, TALLEST = 1.5, 7.0  # of a row of cells
HEIGHT_OF_PARTS = 3.2  # of a row of panels of columns
FEW_BARS = 8  # of a table have room (arbitrary)
INSIDE = 0.65  # of a height is that of axes before a figure is laid out
MOST_MODALITIES = 12  # in which cells are shown
IN_A_ROW = {1: 1, 2: 2, 3: 2, 4: 2}  # of few modalities; of more 3


@dataclass(eq=False, repr=False)
class SummaryDisplay(Display):
    """A fit on one page: latent space, cells, graph and training.

    It is recommended to use :meth:`CausalPIMA.plot_summary
    <skcausalpima.CausalPIMA.plot_summary>`.

    Parameters
    ----------
    latent : LatentDisplay
        The samples in the latent space.
    prototypes : PrototypeDisplay
        What the cells look like.
    graph : GraphDisplay
        The graph.
    training : TrainingDisplay
        How the fit was trained.
    further : sequence of PrototypeDisplay, default=()
        What the cells look like in other modalities.

    Attributes
    ----------
    axes_ : ndarray of axes of shape (2, 2)
        The parts of the page, in the order of the parameters: to the left above the latent space,
        beside it graph and training (a wide graph is below), and at the bottom the cells. Those
        that are divided further are invisible; the panels in them are attributes of the single
        displays.
    figure_ : matplotlib figure
        The figure.

    See Also
    --------
    skcausalpima.CausalPIMA.report : A fit in words.

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima import CausalPIMA
    >>> X = np.repeat([[0.0, 1.0], [8.0, 9.0]], 30, axis=0)
    >>> X = X + np.random.default_rng(0).normal(size=X.shape)
    >>> model = CausalPIMA(2, max_iter=2, random_state=0).fit(X)
    >>> from skcausalpima.inspection import SummaryDisplay
    >>> SummaryDisplay.from_estimator(model, X).axes_.shape
    (2, 2)
    """

    latent: LatentDisplay
    prototypes: PrototypeDisplay
    graph: GraphDisplay
    training: TrainingDisplay
    further: Sequence[PrototypeDisplay] = ()

    @classmethod
    def from_estimator(
        cls,
        est: BaseEstimator,
        X: Samples,
        *,
        modality: str | int | None = None,
        x: Abscissae = None,
        ax: Axes | None = None,
    ) -> Self:
        """Draw the summary of a fitted estimator.

        Parameters
        ----------
        est : CausalPIMA
            A fitted estimator.
        X : sequence, mapping, MultimodalData, array-like or DataFrame
            Samples, in the form of the training data.
        modality : str or int, default=None
            Name or number of the modality in which the cells are shown; None takes all (of more
            than twelve the first twelve): what a node does may show in one of them alone.
        x : array-like, (str, array-like), or mapping of str to these, default=None
            Abscissa of curves, and its name; by name of the modality where several are drawn. None
            takes those of the fit, if it has some.
        ax : matplotlib axes, default=None
            See :meth:`plot`.

        Returns
        -------
        SummaryDisplay
            Drawn.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        TypeError
            If ``est`` is none, such as a pipeline or a search that holds one.
        ValueError
            If X, ``modality`` or ``x`` does not match the training data.
        ImportError
            If matplotlib is not installed.

        See Also
        --------
        skcausalpima.CausalPIMA.plot_summary : The same, as a method.

        Examples
        --------
        >>> import matplotlib.pyplot as plt
        >>> import numpy as np
        >>> from skcausalpima import CausalPIMA
        >>> from skcausalpima.inspection import SummaryDisplay
        >>> noise = np.random.default_rng(0).normal(size=(40, 2))
        >>> X = np.tile([[0.0, 1.0], [8.0, 9.0]], (20, 1)) + noise
        >>> model = CausalPIMA(2, max_iter=2, random_state=0).fit(X)
        >>> display = SummaryDisplay.from_estimator(model, X)
        >>> [label.get_text() for label in display.latent.labels_]
        ['0', '1']
        >>> print(display.prototypes.axes_.ravel()[1].get_title())
        N1 = 1
        50 %
        >>> plt.close()
        """
        cls._check_estimator(est)
        names = [str(name) for name in est.modality_names_in_]
        chosen = [names[m] for m in asked_modalities(modality, names)[:MOST_MODALITIES]]
        along = abscissae(x, chosen)
        shown = [shown_modality(est, name, along.get(name)) for name in chosen]
        prototypes, *further = (PrototypeDisplay._of_modality(est, one) for one in shown)
        display = cls(
            LatentDisplay._of_estimator(est, X),
            prototypes,
            GraphDisplay._of_graph(est.dag_),
            TrainingDisplay._of_estimator(est),
            further,
        )
        return display.plot(ax)

    def plot(self, ax: Axes | None = None) -> Self:
        """Draw.

        Parameters
        ----------
        ax : matplotlib axes or ndarray of axes of shape (2, 2), default=None
            Axes are divided; an array such as ``axes_`` is drawn on. None makes a figure.

        Returns
        -------
        SummaryDisplay
            Itself.

        Raises
        ------
        ImportError
            If matplotlib is not installed.

        Examples
        --------
        >>> import matplotlib.pyplot as plt
        >>> import networkx as nx
        >>> import numpy as np
        >>> from skcausalpima import inspection
        >>> means = np.array([[0.0, 1.0], [8.0, 9.0]])
        >>> display = inspection.SummaryDisplay(  # of numbers of your own
        ...     inspection.LatentDisplay(means, [0, 1], means),
        ...     inspection.PrototypeDisplay(means, (2,), ["hue"]),
        ...     inspection.GraphDisplay(nx.DiGraph([("hue", "size")])),
        ...     inspection.TrainingDisplay({"lower_bound": [-9.0, -7.0]}))
        >>> [ax.get_title() for ax in display.plot().prototypes.axes_.ravel()]
        ['hue = 0', 'hue = 1']
        >>> plt.close()
        """
        prototypes = [self.prototypes, *self.further]
        self.axes_ = self._parts(ax, prototypes)
        latent, cells, graph, training = self.axes_.ravel()
        self.figure_ = latent.figure
        for display, panel in zip(prototypes, self._rows_in(cells, prototypes), strict=True):
            display.plot(ax=panel)
        self.graph.plot(ax=graph)
        self.training.plot(ax=training)
        self.latent.plot(ax=latent)  # last: labels need the layout
        return self

    def _parts(self, ax: SomeAxes, prototypes: Sequence[PrototypeDisplay]) -> np.ndarray:
        """Return the axes of latent space, cells, graph and training."""
        if ax is not None and not is_axes(ax):
            return self._axes_table(ax, (2, 2), (WIDTH, HIGHEST))
        width = inches(ax)[0] if is_axes(ax) else WIDTH
        of_cells = sum(height for height, _ in _rows(prototypes, width))
        beside, alone = (
            self.graph._wanted(((1 - LEFT) * width, GRAPH[1])),
            self.graph._wanted((width, TOP)),
        )
        is_beside = beside[0] >= min(SMALL, alone[0])
        heights = [TOP, 0.0 if is_beside else alone[1], of_cells]
        heights[2] = min(heights[2], HIGHEST - sum(heights[:2]))
        kept = [height for height in heights if height]
        rows = self._axes_table(ax, (len(kept), 1), (WIDTH, sum(kept)), height_ratios=kept)[:, 0]
        ratios = [LEFT, 1 - LEFT]
        latent, right = self._axes_table(rows[0], (1, 2), (WIDTH, TOP), width_ratios=ratios)[0]
        if not is_beside:
            return np.array([[latent, rows[2]], [rows[1], right]])
        height = float(np.clip(beside[1], *GRAPH))
        ratios = [height, TOP - height]
        graph, training = self._axes_table(right, (2, 1), (WIDTH, TOP), height_ratios=ratios)[:, 0]
        return np.array([[latent, rows[1]], [graph, training]])

    @classmethod
    def _rows_in(cls, ax: Axes, prototypes: Sequence[PrototypeDisplay]) -> list[Axes]:
        """Divide axes into those of the modalities."""
        if len(prototypes) == 1:
            return [ax]
        heights, rows = zip(*_rows(prototypes, inches(ax)[0]), strict=True)
        size = (WIDTH, HIGHEST)
        axes = cls._axes_table(ax, (len(rows), 1), size, height_ratios=heights)[:, 0]
        panels: list[Axes] = []
        for row, displays in zip(axes, rows, strict=True):
            ratios = [_wanted_width(display) for display in displays]
            panels += cls._axes_table(row, (1, len(ratios)), size, width_ratios=ratios)[0].tolist()
        return panels


def _rows(
    prototypes: Sequence[PrototypeDisplay], width: float
) -> list[tuple[float, Sequence[PrototypeDisplay]]]:
    """Return height in inches and modalities of each row of these."""
    n = IN_A_ROW.get(len(prototypes), 3)
    rows = [prototypes[k : k + n] for k in range(0, len(prototypes), n)]
    return [
        (max(LOWEST, *(_wanted_height(one, width / len(row)) for one in row)), row) for row in rows
    ]


def _wanted_height(cells: PrototypeDisplay, width: float) -> float:
    """Return the height in inches at which all cells can be seen in a width."""
    if cells.parts is not None:
        return HEIGHT_OF_PARTS * (2 if len(cells.parts) > 2 and width > TALLEST else 1)
    kind, n_elements = cells._kind(), math.prod(np.shape(cells.prototypes)[1:])
    room = (width, TALLEST if kind != "image" else width / 2)
    n_rows, n_columns = table_in(tuple(cells.node_sizes), cells._n_asked(), kind, room).shape
    panel = 1.0 if kind == "curve" else min(width / n_columns, 2.2 if n_rows == 1 else 1.3)
    height = n_rows * (max(panel, 0.8) + 2 * LINE) + MARGINS
    if kind == "bars":
        height = height_for_bars(min(n_elements, FEW_BARS), n_rows, 2) / INSIDE
    return min(height, TALLEST)


def _wanted_width(cells: PrototypeDisplay) -> float:
    """Return the share of a row of such pictures that one wants: images are square."""
    return 0.75 if cells.parts is None and cells._kind() == "image" else 1.0
