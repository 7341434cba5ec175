"""The display of the effects of single nodes on the data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from functools import partial
from typing import Any, Self, TypeAlias

import numpy as np
from sklearn.base import BaseEstimator

from ..._base.types import Abscissa, Unchecked
from ..._structure.digraphs import node_graph
from .._fitted_estimator import cell_order, outcome_names
from .._node_effects import NodeEffects
from .column_panels import ColumnsDisplay, Part
from .display import Axes, SomeAxes, check_word, is_axes, letters_across
from .effect_lines import (
    EffectLines,
    bars_of_outcomes,
    draw_interval,
    draw_stars,
    effects_of_nodes,
    shown_effects,
)
from .labels import named_nodes, plain, shortened, wrapped
from .painter import (
    HEADER_SIZE,
    TITLE_SIZE,
    SamplePainter,
    as_image,
    name_row,
    room_for_bars,
)
from .shown_modality import decoded_components, likelihoods_of_values, shown_modality
from .styles import GroupStyle, Look, group_style

PANELS_IN_A_ROW = 3
COLOUR_BAR, BAR_WIDTH = 1.0, 0.15  # inches, with its numbers and without
PANEL = (3.2, 2.2)  # inches, of curves and tables
ROW_NAME_LETTERS = 16
LEGEND_LETTERS = 12
ROWS_OF_LEGEND = 8

#: Name, names of the outcomes, and what they look like.
Node: TypeAlias = tuple[str, tuple[str, ...], np.ndarray]


@dataclass(eq=False, repr=False)
class NodeEffectDisplay(ColumnsDisplay):
    """How each node changes the data: what its outcomes look like, the other nodes averaged out.

    Of images there is a row per node, and a panel per outcome; of curves and tables a panel per
    node, in which its outcomes are compared.

    Tables of words, booleans or ordered categories have a panel for each column, in which the
    outcomes of all nodes are compared: probabilities of levels are stacked bars, and counts and
    numbers bars. Where there is no room for all, those columns are drawn that differ most.

    It is recommended to use :meth:`from_estimator`.

    Parameters
    ----------
    effects : sequence of ndarray of shape (n_outcomes, \\*shape)
        One array per node.
    node_names : sequence of str
        Their names.
    outcome_names : sequence of sequences of str, default=None
        Names of the outcomes of each node; None numbers them.
    kind : {"difference", "mean"}, default="difference"
        Whether the effects are differences, so that 0 is in the middle of the scale.
    x : ndarray of shape (width,), or (str, ndarray), default=None
        Abscissa. What has one is drawn as a curve.
    columns : sequence of str, default=None
        Names of the elements, of tables.
    value_name : str, default=""
        What the values are.
    parts : sequence of (str, str, sequence of str), default=None
        Of a table of several kinds of columns: name, likelihood and names of levels (none of
        numbers) of each column. It has a panel, with a bar for each outcome. The values of an
        outcome are one column's behind the other's: probabilities of its levels, or a number.
    lines : sequence of (ndarray, ndarray, ndarray), default=None
        Of each node ends of intervals, and where effects were discovered, which have stars. Not
        with ``parts``; images have no intervals.

    Attributes
    ----------
    axes_ : ndarray of axes of shape (n_rows, n_columns)
        The panels.
    bounding_ax_ : matplotlib axes or None
        The axes that were divided, if some were.
    figure_ : matplotlib figure
        The figure.
    artists_ : list of lists
        What was drawn of each node, by its outcomes; with ``parts``, of each column the bars of its
        levels.

    See Also
    --------
    PrototypeDisplay : One picture for each combination of outcomes.

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima.inspection import NodeEffectDisplay
    >>> curves = np.linspace(0, 1, 30) * np.array([-1, 1])[:, None]
    >>> display = NodeEffectDisplay([curves], ["slope"]).plot()
    >>> display.axes_[0, 0].get_title()
    'slope'
    """

    effects: Sequence[np.ndarray]
    node_names: Sequence[str]
    _: KW_ONLY
    outcome_names: Sequence[Sequence[str]] | None = None
    kind: str = "difference"
    x: Abscissa | None = None
    columns: Sequence[str] | None = None
    value_name: str = ""
    parts: Sequence[Part] | None = None
    lines: Sequence[EffectLines] | None = None

    @classmethod
    def from_estimator(
        cls,
        est: BaseEstimator,
        *,
        kind: str = "difference",
        modality: str | int | None = None,
        x: Abscissa | None = None,
        ax: Axes | None = None,
        **kwargs: Unchecked,
    ) -> Self:
        r"""Draw the effects of the nodes of a fitted estimator.

        The picture of the outcome k of a node is the mean of what decodes from the components with
        this outcome. They are weighted by the distribution of the *other* nodes, which is the same
        for all k: :math:`\sum_r p(r) f(k, r)`, as in partial dependence. What a node changes
        because others go with it does not count for it.

        Parameters
        ----------
        est : CausalPIMA
            A fitted estimator.
        kind : {"difference", "mean"}, default="difference"
            Whether to show these means, or their differences from the mean of all data,
            :math:`\sum_{k, r} p(k, r) f(k, r)`.
        modality : str or int, default=None
            Name or number of the modality; None takes the first.
        x : array-like of shape (width,), or (str, array-like), default=None
            Abscissa of curves, and its name. None takes that of the fit, if it has one.
        ax : matplotlib axes, default=None
            See :meth:`plot`.
        **kwargs : dict
            See :meth:`plot`.

        Returns
        -------
        NodeEffectDisplay
            Drawn. Columns of a table that are scaled each on its own are shown in standard
            deviations. In tables of several kinds, probabilities of levels and expected counts are
            no differences, but means, whatever ``kind`` is.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        TypeError
            If ``est`` is none, such as a pipeline or a search that holds one.
        ValueError
            If ``kind``, ``modality`` or ``x`` is not as described.
        ImportError
            If matplotlib is not installed.

        Examples
        --------
        >>> import numpy as np
        >>> from skcausalpima import CausalPIMA
        >>> from skcausalpima.inspection import NodeEffectDisplay
        >>> rng = np.random.default_rng(0)
        >>> group = np.repeat([0, 1, 2, 3], 50)
        >>> images = rng.normal(size=(200, 4, 4)) + 6 * (group // 2)[:, None, None]
        >>> curves = rng.normal(size=(200, 10)) + 6 * (group % 2)[:, None]
        >>> model = CausalPIMA((2, 2), max_iter=5, random_state=0).fit([images, curves])
        >>> display = NodeEffectDisplay.from_estimator(model, modality=0)
        >>> display.axes_.shape
        (2, 2)
        """
        cls._check_estimator(est)
        check_word(kind, "kind", ("difference", "mean"))
        shown = shown_modality(est, modality, x)
        cells = decoded_components(est, shown)[cell_order(est)]
        effects, parts = effects_of_nodes(cells, est.joint_, kind), shown.parts
        if shown.parts is not None and kind == "difference":
            means = effects_of_nodes(cells, est.joint_, "mean")
            are_numbers = likelihoods_of_values(shown.parts) == "gaussian"
            pairs = zip(effects, means, strict=True)
            effects = [np.where(are_numbers, effect, mean) for effect, mean in pairs]
            parts = tuple(part._replace(centre=0.0) for part in shown.parts)
        display = cls(
            effects,
            list(node_graph(est.dag_)),
            outcome_names=outcome_names(est),
            kind=kind,
            x=shown.x,
            columns=shown.columns,
            value_name=shown.unit_of_groups,
            parts=parts,
        )
        return display.plot(ax=ax, **kwargs)

    @classmethod
    def from_effects(
        cls,
        effects: NodeEffects,
        *,
        modality: str | None = None,
        x: Abscissa | None = None,
        ax: Axes | None = None,
        **kwargs: Unchecked,
    ) -> Self:
        """Draw what was tested: effects with intervals, and stars only where they were discovered.

        Columns of unlike units have an axis each: 1 is the number that stands behind their names.

        Parameters
        ----------
        effects : NodeEffects
            From :func:`node_effects`. Nodes that were not tested are left out.
        modality : str, default=None
            Name of the modality; None takes the first.
        x : array-like of shape (width,), or (str, array-like), default=None
            Abscissa of curves; None takes that of the effects, if they have one.
        ax : matplotlib axes, default=None
            See :meth:`plot`.
        **kwargs : dict
            See :meth:`plot`.

        Returns
        -------
        NodeEffectDisplay
            Drawn, each outcome beside the node's others.

        Raises
        ------
        TypeError
            If ``effects`` is something else.
        ValueError
            If ``modality`` is none of these, or no node was tested.

        Examples
        --------
        >>> import numpy as np
        >>> from skcausalpima import CausalPIMA
        >>> from skcausalpima.inspection import NodeEffectDisplay, node_effects
        >>> nodes = np.random.default_rng(0).integers(2, size=(200, 1))
        >>> X = np.random.default_rng(1).normal(size=(200, 6)) + 5 * nodes
        >>> est = CausalPIMA(2, max_iter=2, random_state=0).fit(X[:100])
        >>> effects = node_effects(est, X[100:], seen=False)
        >>> NodeEffectDisplay.from_effects(effects).axes_.shape
        (1, 1)
        """
        cls._check_kind(effects, NodeEffects, "from_effects needs what node_effects returns")
        return cls(**shown_effects(effects, modality, x)).plot(ax=ax, **kwargs)

    def plot(self, ax: Axes | np.ndarray | None = None, **kwargs: Unchecked) -> Self:
        """Draw.

        Parameters
        ----------
        ax : matplotlib axes or ndarray of axes, default=None
            Axes are divided into panels. An array of panels, such as ``axes_``, is drawn on. None
            makes a figure.
        **kwargs : dict
            For ``imshow`` or ``plot`` of matplotlib.

        Returns
        -------
        NodeEffectDisplay
            Itself.

        Raises
        ------
        ImportError
            If matplotlib is not installed.

        Examples
        --------
        >>> import matplotlib.pyplot as plt
        >>> import numpy as np
        >>> from skcausalpima.inspection import NodeEffectDisplay
        >>> x = np.linspace(0, 1, 30)
        >>> display = NodeEffectDisplay(
        ...     [np.array([-x, x])], ["heat"], outcome_names=[["cold", "hot"]], x=x)
        >>> display.plot().axes_[0, 0].get_legend_handles_labels()[1]
        ['cold', 'hot']
        >>> plt.close()
        """
        effects = [np.asarray(effect) for effect in self.effects]
        check_word(self.kind, "kind", ("difference", "mean"))
        sizes = [len(effect) for effect in effects]
        names = named_nodes(self.node_names, sizes, self.outcome_names)
        if self.parts is not None:
            self._draw_columns(
                ax, self.parts, np.concatenate(effects), bars_of_outcomes(names), "", kwargs
            )
            return self
        centred = self.kind == "difference"
        shape = _shape(len(effects))
        most_bars, room = room_for_bars(ax, shape, 2)
        painter = SamplePainter.of(
            effects,
            x=self.x,
            columns=self.columns,
            centred=centred,
            most_bars=most_bars,
            room=room,
        )
        nodes = list(zip(names.nodes, names.outcomes, effects, strict=True))
        draw = self._draw_images if painter.kind == "image" else self._draw_comparisons
        draw(ax, painter, nodes, kwargs)
        return self

    def _style(self, outcome: int, n_outcomes: int) -> GroupStyle:
        """Return how one of the outcomes of a node is drawn."""
        return group_style(outcome)

    def _meaning(self) -> str:
        """Return what the values are, differences and stars included."""
        if self.kind == "mean":
            return self.value_name
        unit = self.value_name.removesuffix(" from the mean")
        meaning = f"difference ({unit})" if unit else "difference from the mean"
        return meaning if self.lines is None else f"{meaning}, star: discovered"

    def _draw_images(
        self, ax: SomeAxes, painter: SamplePainter, nodes: list[Node], kwargs: Look
    ) -> None:
        """Draw a row of images for each node."""
        shape = len(nodes), max(len(images) for *_, images in nodes)
        width, height = painter.size_of_figure(shape, 1)
        beside, size = ax, (width + COLOUR_BAR, height)
        has_bar = as_image(nodes[0][2][0]).ndim == 2 and (ax is None or is_axes(ax))
        if has_bar:
            ratios = {"width_ratios": [width, BAR_WIDTH]}
            beside, bar = self._several_axes(ax, (1, 2), size, **ratios)[0]
        self._keep(self._several_axes(beside, shape, size), ax)
        n_letters = letters_across(self.axes_[0, 0], TITLE_SIZE)
        self.artists_: list[Any] = []
        for row, (node, outcomes, images) in zip(self.axes_, nodes, strict=True):
            for panel in row[len(images) :]:
                panel.set_axis_off()
            self.artists_.append(list(map(partial(painter.draw, **kwargs), row, images)))
            draw_stars(row, self.lines, len(self.artists_) - 1)
            for panel, outcome in zip(row, outcomes, strict=False):
                panel.set_title(shortened(outcome, n_letters), fontsize=HEADER_SIZE, pad=2)
                painter.finish(panel, is_left=panel is self.axes_[-1, 0])
            name_row(row[0], wrapped(node, ROW_NAME_LETTERS, 2), TITLE_SIZE)
        if has_bar:
            self.figure_.colorbar(self.artists_[0][0], cax=bar)
            bar.tick_params(labelsize=TITLE_SIZE)
            bar.set_ylabel(plain(self._meaning()), fontsize=HEADER_SIZE)

    def _draw_comparisons(
        self, ax: SomeAxes, painter: SamplePainter, nodes: list[Node], kwargs: Look
    ) -> None:
        """Draw a panel for each node, in which its outcomes are compared."""
        shape = _shape(len(nodes))
        n_columns, height = shape[1], max(PANEL[1], painter.height_of_bars())
        size = PANEL[0] * shape[1] + 0.5 + painter.width_of_names(), height * shape[0] + 0.3
        self._keep(self._several_axes(ax, shape, size), ax)
        n_letters = letters_across(self.axes_[0, 0], HEADER_SIZE)
        draw = painter.draw if painter.kind == "curve" else painter.draw_dots
        self.artists_ = []
        for unused in self.axes_.flat[len(nodes) :]:
            unused.set_axis_off()
        for number, (node, outcomes, samples) in enumerate(nodes):
            panel, looks = self.axes_.flat[number], []
            for k, (sample, outcome) in enumerate(zip(samples, outcomes, strict=True)):
                look = {"label": shortened(outcome, LEGEND_LETTERS)} | kwargs
                looks.append(draw(panel, sample, self._style(k, len(samples)), **look))
                draw_interval(panel, painter, self.lines, (number, k))
            self.artists_.append(looks)
            is_bottom = number + n_columns >= len(nodes)
            painter.finish(panel, is_left=number % n_columns == 0, is_bottom=is_bottom)
            panel.set_title(wrapped(node, n_letters, 2), fontsize=HEADER_SIZE)
            n_in_legend = -(-len(samples) // ROWS_OF_LEGEND)
            panel.legend(fontsize=TITLE_SIZE, ncols=n_in_legend, labelspacing=0.3)
            if is_bottom and painter.kind == "bars":
                panel.set_xlabel(plain(painter.described(self._meaning())), fontsize=HEADER_SIZE)
        if painter.kind == "curve":
            self.axes_[0, 0].set_ylabel(plain(self._meaning()), fontsize=HEADER_SIZE)


def _shape(n_nodes: int) -> tuple[int, int]:
    """Return rows and columns of panels of nodes."""
    n_columns = min(PANELS_IN_A_ROW, n_nodes)
    return -(-n_nodes // n_columns), n_columns
