"""How single nodes change the data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator

from ..._typing import Unchecked
from .._asked_estimator import check_estimator
from .asked import (
    cell_order,
    check_word,
    decoded_components,
    outcome_names,
    shown_modality,
)
from .axes import is_one_or_none, letters_that_fit, several_axes, width_in_inches
from .labels import shortened, wrapped
from .painter import SamplePainter, as_image
from .panels import HEADER_SIZE, TITLE_SIZE, NodeNames, named_nodes
from .styles import group_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CALLER = "NodeEffectDisplay.plot"
PANELS_IN_A_ROW = 3
COLOUR_BAR, BAR_WIDTH = 1.0, 0.15  # inches, with its numbers and without
PANEL = (3.2, 2.2)  # inches, of curves and tables
ROW_NAME_LETTERS = 16
LEGEND_LETTERS = 12
ROWS_OF_LEGEND = 8


class NodeEffectDisplay:
    """How each node changes the data: what its outcomes look like, the other nodes averaged out.

    Of images there is a row per node, and a panel per outcome; of curves and tables a panel per
    node, in which its outcomes are compared.

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
    x : ndarray of shape (width,), default=None
        Abscissa. What has one is drawn as a curve.
    columns : sequence of str, default=None
        Names of the elements, of tables.
    value_name : str, default=""
        What the values are.

    Attributes
    ----------
    axes_ : ndarray of axes of shape (n_rows, n_columns)
        The panels.
    bounding_ax_ : matplotlib axes or None
        The axes that were divided, if some were.
    figure_ : matplotlib figure
        The figure.
    artists_ : list of lists
        What was drawn of each node, by its outcomes.

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

    def __init__(
        self,
        effects: Sequence[np.ndarray],
        node_names: Sequence[str],
        *,
        outcome_names: Sequence[Sequence[str]] | None = None,
        kind: str = "difference",
        x: np.ndarray | None = None,
        columns: Sequence[str] | None = None,
        value_name: str = "",
    ) -> None:
        self.effects = effects
        self.node_names = node_names
        self.outcome_names = outcome_names
        self.kind = kind
        self.x = x
        self.columns = columns
        self.value_name = value_name

    @classmethod
    def from_estimator(
        cls,
        est: BaseEstimator,
        *,
        kind: str = "difference",
        modality: str | int | None = None,
        x: ArrayLike | None = None,
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
        x : array-like of shape (width,), default=None
            Abscissa of curves. None takes that of an expert, else numbers.
        ax : matplotlib axes, default=None
            See :meth:`plot`.
        **kwargs : dict
            See :meth:`plot`.

        Returns
        -------
        NodeEffectDisplay
            Drawn. Columns of a table that are scaled each on its own are shown in standard
            deviations.

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
        check_estimator(est, "NodeEffectDisplay.from_estimator")
        check_word(kind, "kind", ("difference", "mean"))
        shown, order = shown_modality(est, modality, x), cell_order(est)
        cells = decoded_components(est, shown)[order]
        display = cls(
            effects_of_nodes(cells, est.joint_, kind),
            list(est.dag_),
            outcome_names=outcome_names(est),
            kind=kind,
            x=shown.x,
            columns=shown.columns,
            value_name=shown.unit,
        )
        return display.plot(ax=ax, **kwargs)

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
        painter = SamplePainter.of(
            effects,
            x=self.x,
            columns=self.columns,
            centred=self.kind == "difference",
            value_name=self.value_name,
        )
        sizes = [len(effect) for effect in effects]
        names = named_nodes(self.node_names, sizes, self.outcome_names)
        draw = _draw_images if painter.kind == "image" else _draw_comparisons
        self.axes_, self.artists_ = draw(ax, painter, effects, names, kwargs)
        self.bounding_ax_ = ax if hasattr(ax, "get_subplotspec") else None
        self.figure_ = self.axes_[0, 0].figure
        return self


def effects_of_nodes(cells: np.ndarray, joint: np.ndarray, kind: str) -> list[np.ndarray]:
    """Return, of each node, the mean of the cells with each outcome, the others held.

    Parameters
    ----------
    cells : ndarray of shape (n_cells, \\*shape)
        What is averaged, the cells in C order.
    joint : ndarray of shape node_sizes
        Distribution of the nodes.
    kind : {"difference", "mean"}
        Whether the mean of everything is subtracted.

    Returns
    -------
    list of ndarray of shape (n_outcomes, \\*shape)
        One for each node.
    """
    table = cells.reshape(*joint.shape, *cells.shape[1:])
    overall = np.tensordot(joint, table, joint.ndim) if kind == "difference" else 0.0
    found = []
    for node in range(joint.ndim):
        others = joint.sum(axis=node)
        rows = np.moveaxis(table, node, 0)
        found.append(np.stack([np.tensordot(others, row, others.ndim) for row in rows]) - overall)
    return found


def _draw_images(
    ax: Any,
    painter: SamplePainter,
    effects: Sequence[np.ndarray],
    names: NodeNames,
    kwargs: dict[str, Any],
) -> tuple[np.ndarray, list[list[Any]]]:
    """Draw a row of images for each node."""
    shape = len(effects), max(map(len, effects))
    width, height = painter.size_of_figure(shape, 1)
    beside, size = ax, (width + COLOUR_BAR, height)
    has_bar = as_image(effects[0][0]).ndim == 2 and is_one_or_none(ax)
    if has_bar:
        ratios = {"width_ratios": [width, BAR_WIDTH]}
        beside, bar = several_axes(ax, CALLER, (1, 2), size, **ratios)[0]
    axes = several_axes(beside, CALLER, shape, size)
    n_letters = letters_that_fit(width_in_inches(axes[0, 0]), TITLE_SIZE)
    artists: list[list[Any]] = []
    for row, effect, node, outcomes in zip(axes, effects, names.nodes, names.outcomes, strict=True):
        artists.append([])
        for panel in row[len(effect) :]:
            panel.set_axis_off()
        for panel, image, outcome in zip(row, effect, outcomes, strict=False):
            artists[-1].append(painter.draw(panel, image, **kwargs))
            panel.set_title(shortened(outcome, n_letters), fontsize=HEADER_SIZE, pad=2)
            painter.finish(panel)
        label = wrapped(node, ROW_NAME_LETTERS, 2)
        row[0].set_ylabel(label, rotation=0, ha="right", va="center", fontsize=TITLE_SIZE)
    if has_bar:
        bar.figure.colorbar(artists[0][0], cax=bar)
        bar.tick_params(labelsize=TITLE_SIZE)
        bar.set_ylabel(_value_name(painter), fontsize=HEADER_SIZE)
    return axes, artists


def _draw_comparisons(
    ax: Any,
    painter: SamplePainter,
    effects: Sequence[np.ndarray],
    names: NodeNames,
    kwargs: dict[str, Any],
) -> tuple[np.ndarray, list[list[Any]]]:
    """Draw a panel for each node, in which its outcomes are compared."""
    n_columns = min(PANELS_IN_A_ROW, len(effects))
    shape = -(-len(effects) // n_columns), n_columns
    size = (PANEL[0] * shape[1] + 0.5, max(PANEL[1], painter.height_of_bars()) * shape[0] + 0.3)
    axes = several_axes(ax, CALLER, shape, size)
    n_letters = letters_that_fit(width_in_inches(axes[0, 0]), HEADER_SIZE)
    artists: list[list[Any]] = [[] for _ in effects]
    for number, panel in enumerate(axes.flat):
        if number >= len(effects):
            panel.set_axis_off()
            continue
        for k, (sample, outcome) in enumerate(
            zip(effects[number], names.outcomes[number], strict=True)
        ):
            look = {"label": shortened(outcome, LEGEND_LETTERS)} | kwargs
            draw = painter.draw if painter.kind == "curve" else painter.draw_dots
            artists[number].append(draw(panel, sample, group_style(k), **look))
        is_bottom = number + n_columns >= len(effects)
        painter.finish(panel, is_left=number % n_columns == 0, is_bottom=is_bottom)
        panel.set_title(wrapped(names.nodes[number], n_letters, 2), fontsize=HEADER_SIZE)
        n_in_legend = -(-len(effects[number]) // ROWS_OF_LEGEND)
        panel.legend(fontsize=TITLE_SIZE, ncols=n_in_legend, labelspacing=0.3)
        if is_bottom and painter.kind == "bars":
            panel.set_xlabel(_value_name(painter), fontsize=HEADER_SIZE)
    if painter.kind == "curve":
        axes[0, 0].set_ylabel(_value_name(painter), fontsize=HEADER_SIZE)
    return axes, artists


def _value_name(painter: SamplePainter) -> str:
    """Say what the values are."""
    if not painter.centred:
        return painter.value_name
    unit = painter.value_name.removesuffix(" from the mean")
    return f"difference ({unit})" if unit else "difference from the mean"
