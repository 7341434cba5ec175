"""What data look like along the axes within a cell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, replace
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator

from ..._base.types import Abscissa, Samples, Unchecked
from ..._inference.kept_models import model_of
from .._within_cell_axes import STEPS, axis_names, within_cell_axes
from .column_panels import Part
from .display import Axes, Display
from .node_effects import NodeEffectDisplay
from .shown_modality import shown_modality
from .styles import COLOUR_MAP, GroupStyle, group_style

BRIGHTEST = 0.9  # of the colour map: lines on white (arbitrary)


class _Steps(NodeEffectDisplay):
    """Outcomes that have an order: colours from dark to bright."""

    def _style(self, outcome: int, n_outcomes: int) -> GroupStyle:
        """Return how one of the steps is drawn."""
        import matplotlib as mpl
        from matplotlib.colors import to_hex

        share = BRIGHTEST * outcome / max(n_outcomes - 1, 1)
        colour = to_hex(mpl.colormaps[COLOUR_MAP](share))
        return replace(group_style(outcome), colour=colour)


@dataclass(eq=False, repr=False)
class AxisDisplay(Display):
    """What samples of one cell look like from one end of each axis to the other.

    Of images there is a row per axis; of curves and tables a panel per axis, in which steps along
    it are compared. Tables of words, booleans or ordered categories have a panel for each column.

    It is recommended to use :meth:`from_estimator`.

    Parameters
    ----------
    traversals : sequence of ndarray of shape (n_steps, \\*shape)
        What steps along each axis decode to.
    axis_names : sequence of str
        Names of the axes.
    step_names : sequence of str
        Names of the steps.
    x : ndarray of shape (width,), or (str, ndarray), default=None
        Abscissa. What has one is drawn as a curve.
    columns : sequence of str, default=None
        Names of the elements, of tables.
    value_name : str, default=""
        What the values are.
    parts : sequence of (str, str, sequence of str), default=None
        Of a table of several kinds of columns, as :class:`NodeEffectDisplay` has them.

    Attributes
    ----------
    axes_ : ndarray of axes of shape (n_rows, n_columns)
        The panels.
    bounding_ax_ : matplotlib axes or None
        The axes that were divided, if some were.
    figure_ : matplotlib figure
        The figure.
    artists_ : list of lists
        What was drawn of each axis, by its steps; with ``parts``, of each column.

    See Also
    --------
    within_cell_axes : The axes in figures, and known numbers along them.

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima.inspection import AxisDisplay
    >>> curves = np.linspace(0, 1, 30) * np.array([-1, 0, 1])[:, None]
    >>> display = AxisDisplay([curves], ["heat"], ["5 %", "50 %", "95 %"]).plot()
    >>> display.axes_[0, 0].get_title()
    'heat'
    """

    traversals: Sequence[np.ndarray]
    axis_names: Sequence[str]
    step_names: Sequence[str]
    _: KW_ONLY
    x: Abscissa | None = None
    columns: Sequence[str] | None = None
    value_name: str = ""
    parts: Sequence[Part] | None = None

    @classmethod
    def from_estimator(
        cls,
        est: BaseEstimator,
        X: Samples,
        *,
        component: int | None = None,
        modality: str | int | None = None,
        x: Abscissa | None = None,
        ax: Axes | None = None,
        **kwargs: Unchecked,
    ) -> Self:
        """Draw the three leading axes within a cell of a fitted estimator.

        Parameters
        ----------
        est : CausalPIMA
            A fitted estimator.
        X : sequence, mapping, MultimodalData, array-like or DataFrame
            Samples, in the form of the training data.
        component : int, default=None
            Whose cell; None takes that with most samples.
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
        AxisDisplay
            Drawn. Steps are named by the share of the cell's samples that lie below. Columns of a
            table that are scaled each on its own are shown in standard deviations.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        TypeError
            If ``est`` is none, such as a pipeline or a search that holds one.
        ValueError
            If X, ``component``, ``modality`` or ``x`` is not as described, or there are no axes.
        ImportError
            If matplotlib is not installed.

        Examples
        --------
        >>> import numpy as np
        >>> from skcausalpima import CausalPIMA
        >>> from skcausalpima.inspection import AxisDisplay
        >>> rng = np.random.default_rng(0)
        >>> kind, heat = np.repeat([0, 1], 60), rng.uniform(-2, 2, size=120)
        >>> X = np.stack([9.0 * kind, 4 * heat, 3 * heat], axis=1) + rng.normal(size=(120, 3))
        >>> model = CausalPIMA(2, max_iter=5, random_state=0).fit(X)
        >>> AxisDisplay.from_estimator(model, X).axes_[0, 0].get_title().split(" (")[0]
        'axis 1'
        """
        cls._check_estimator(est)
        shown, asked = shown_modality(est, modality, x), within_cell_axes(est, X)
        counts = np.bincount(asked.components, minlength=len(est.cluster_means_))
        component = int(counts.argmax()) if component is None else component
        if not 0 <= component < len(counts) or counts[component] == 0:
            raise ValueError(
                f"component is the number of one that holds samples of X, got {component}: these "
                f"are {np.flatnonzero(counts).tolist()}."
            )
        paths = asked.paths[component]
        points = paths.reshape(-1, paths.shape[-1])
        decoded = model_of(est).decode(points, np.full(len(points), component))[shown.number]
        drawn = shown.of_groups(decoded)
        shares = zip(axis_names(len(paths)), asked.shares, strict=True)
        display = cls(
            np.split(drawn, len(paths)),
            [f"{name} ({100 * share:.0f} %)" for name, share in shares],
            [f"{100 * step:g} %" for step in STEPS],
            x=shown.x,
            columns=shown.columns,
            value_name=shown.unit_of_groups,
            parts=shown.parts,
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
        AxisDisplay
            Itself.

        Raises
        ------
        ImportError
            If matplotlib is not installed.

        Examples
        --------
        >>> import matplotlib.pyplot as plt
        >>> import numpy as np
        >>> from skcausalpima.inspection import AxisDisplay
        >>> images = np.arange(3 * 36).reshape(3, 6, 6)
        >>> AxisDisplay([images], ["heat"], ["low", "mean", "high"]).plot().axes_.shape
        (1, 3)
        >>> plt.close()
        """
        drawn = _Steps(
            self.traversals,
            self.axis_names,
            outcome_names=[self.step_names] * len(self.traversals),
            kind="mean",
            x=self.x,
            columns=self.columns,
            value_name=self.value_name,
            parts=self.parts,
        ).plot(ax=ax, **kwargs)
        self.axes_, self.bounding_ax_ = drawn.axes_, drawn.bounding_ax_
        self.figure_ = drawn.figure_
        self.artists_: list[Any] = drawn.artists_
        return self
