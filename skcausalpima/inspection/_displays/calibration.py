"""A picture of how often probabilities of nodes are right."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator

from ..._base.types import KnownNodes, Samples, Seed, Unchecked
from .._calibration import CalibrationCurve, calibration_curves, curve_of
from .display import Axes, Display, Drawn, SomeAxes, is_axes, letters_across
from .labels import shortened
from .styles import UNKNOWN, Look, group_style

PANEL = 3.2  # inches
MOST_COLUMNS = 4
FONT = 8.0
HIGHEST = 0.9  # start of the axes
ROOM = 0.04  # beside the points
LINE = 0.18  # inches of the legend
NAME_LETTERS, NUMBERS = 8, 24  # letters in a line of it


@dataclass(eq=False, repr=False)
class CalibrationDisplay(Display):
    """How often the most probable outcome is right, by how probable it is said to be.

    A panel for the cells and for each node, a line for what is seen of the samples: all, or one
    modality alone. Points on the diagonal are right as often as they say; below it the model is
    too sure, above it not sure enough. Bars are Wilson's intervals at 95 %.

    It is recommended to use :meth:`from_estimator` or :meth:`from_predictions`.

    Parameters
    ----------
    curves : mapping of (str, str) to CalibrationCurve
        By what is asked and what is seen, from :func:`calibration_curves`. Some of them are a
        picture of these.

    Attributes
    ----------
    axes_ : ndarray of matplotlib axes of shape (n_panels,)
        The panels, in the order of ``curves``.
    figure_ : matplotlib figure
        The figure.
    lines_ : dict of (str, str) to matplotlib artist
        The line of each curve.

    See Also
    --------
    calibration_curves : The numbers.
    sklearn.calibration.CalibrationDisplay : The same for classifiers of two classes.

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima.inspection import CalibrationCurve, CalibrationDisplay
    >>> curve = CalibrationCurve(
    ...     prob_pred=np.array([0.6, 0.9]), prob_true=np.array([0.6, 0.8]),
    ...     counts=np.array([50.0, 50.0]))
    >>> display = CalibrationDisplay({("N1", "all"): curve, ("N1", "image"): curve}).plot()
    >>> [text.get_text() for text in display.axes_[0].get_legend().texts]
    ['all: said 0.75, right 0.70', 'image: said 0.75, right 0.70']
    """

    curves: Mapping[tuple[str, str], CalibrationCurve]

    @classmethod
    def from_estimator(
        cls,
        est: BaseEstimator,
        X: Samples | None = None,
        known_nodes: KnownNodes = None,
        *,
        sample_weight: ArrayLike | None = None,
        n_bins: int = 5,
        random_state: Seed = None,
        ax: SomeAxes = None,
    ) -> Self:
        """Draw how sure a fitted estimator is of nodes, and how often it is right.

        Without X and ``known_nodes`` it is asked about 1000 samples that it draws itself. This
        checks the approximation of the posterior, not whether the model is right.

        Parameters
        ----------
        est : CausalPIMA
            A fitted estimator.
        X : sequence, mapping, MultimodalData, array-like or DataFrame, default=None
            Samples, best such as the fit has not seen. None draws some.
        known_nodes : array-like of shape (n_samples, n_nodes), DataFrame or mapping, default=None
            True outcomes of X, as in ``fit``; -1, NaN or None where unknown.
        sample_weight : array-like of shape (n_samples,), default=None
            For how many samples each one counts.
        n_bins : int, default=5
            Number of bins, of equal mass.
        random_state : int, RandomState instance or None, default=None
            Source of the draws.
        ax : matplotlib axes, or array-like of as many as there are panels, default=None
            Where to draw, see :meth:`plot`.

        Returns
        -------
        CalibrationDisplay
            Drawn.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        TypeError
            If ``est`` is no CausalPIMA, such as a pipeline that holds one.
        ValueError
            As :func:`calibration_curves`.
        ImportError
            If matplotlib is not installed.

        See Also
        --------
        calibration_curves : The numbers alone, of as many draws as you like.

        Examples
        --------
        >>> import matplotlib.pyplot as plt
        >>> import numpy as np
        >>> from skcausalpima import CausalPIMA
        >>> from skcausalpima.inspection import CalibrationDisplay
        >>> noise = np.random.default_rng(0).normal(size=(40, 2))
        >>> X = np.tile([[0.0, 1.0], [8.0, 9.0]], (20, 1)) + noise
        >>> model = CausalPIMA(2, max_iter=2, random_state=0).fit(X)
        >>> display = CalibrationDisplay.from_estimator(model, X, {"N1": [0, 1] * 20})
        >>> print(f"{display.curves['N1', 'all'].accuracy:.2f}")
        1.00
        >>> plt.close()
        """
        curves = calibration_curves(
            est,
            X,
            known_nodes,
            sample_weight=sample_weight,
            n_bins=n_bins,
            random_state=random_state,
        )
        return cls(curves).plot(ax)

    @classmethod
    def from_predictions(
        cls,
        y_true: ArrayLike,
        y_prob: ArrayLike,
        *,
        sample_weight: ArrayLike | None = None,
        n_bins: int = 5,
        ax: SomeAxes = None,
    ) -> Self:
        """Draw how sure any probabilities are, and how often they are right.

        Parameters
        ----------
        y_true : array-like of int of shape (n_samples,)
            True outcomes, columns of ``y_prob``; -1 where unknown.
        y_prob : array-like of shape (n_samples, n_outcomes) or (n_samples,)
            Probabilities; of one axis those of the outcome 1 of two.
        sample_weight : array-like of shape (n_samples,), default=None
            For how many samples each one counts.
        n_bins : int, default=5
            Number of bins, of equal mass.
        ax : matplotlib axes, default=None
            Where to draw, see :meth:`plot`.

        Returns
        -------
        CalibrationDisplay
            Drawn; its curve is that of ("outcome", "all").

        Raises
        ------
        ValueError
            If these are no probabilities, or no such outcomes.
        ImportError
            If matplotlib is not installed.

        Examples
        --------
        >>> import matplotlib.pyplot as plt
        >>> from skcausalpima.inspection import CalibrationDisplay
        >>> display = CalibrationDisplay.from_predictions([0, 1, 1, 0], [0.1, 0.9, 0.8, 0.6])
        >>> curve = display.curves["outcome", "all"]
        >>> print(f"said {curve.confidence:.2f}, right {curve.accuracy:.2f}")
        said 0.80, right 0.75
        >>> plt.close()
        """
        curve = curve_of(y_true, y_prob, sample_weight, n_bins)
        return cls({("outcome", "all"): curve}).plot(ax)

    def plot(self, ax: SomeAxes = None, **kwargs: Unchecked) -> Self:
        """Draw.

        Parameters
        ----------
        ax : matplotlib axes, or array-like of as many as there are panels, default=None
            Where to draw. One is divided, if there are several panels; None makes a figure.
        **kwargs : dict
            For ``errorbar`` of matplotlib.

        Returns
        -------
        CalibrationDisplay
            Itself.

        Raises
        ------
        ValueError
            If there are no curves.
        ImportError
            If matplotlib is not installed.

        Examples
        --------
        >>> import matplotlib.pyplot as plt
        >>> import numpy as np
        >>> from skcausalpima.inspection import CalibrationCurve, CalibrationDisplay
        >>> half = np.array([0.5])
        >>> curve = CalibrationCurve(prob_pred=half, prob_true=half, counts=np.array([9.0]))
        >>> display = CalibrationDisplay({("N1", "all"): curve, ("N2", "all"): curve}).plot()
        >>> [axes.get_title() for axes in display.axes_]
        ['N1', 'N2']
        >>> plt.close()
        """
        if not self.curves:
            raise ValueError("curves is empty: pass at least one, as calibration_curves returns.")
        panels = list(dict.fromkeys(asked for asked, _ in self.curves))
        observed = list(dict.fromkeys(view for _, view in self.curves))
        n_columns = min(len(panels), MOST_COLUMNS if ax is None or is_axes(ax) else len(panels))
        shape = -(-len(panels) // n_columns), n_columns
        size = PANEL * shape[1], (PANEL + 0.2 + LINE * len(observed)) * shape[0]
        axes = self._several_axes(ax, shape, size).ravel()
        for unused in axes[len(panels) :]:
            unused.set_axis_off()
        self.axes_ = axes[: len(panels)]
        self.lines_ = {}
        for (asked, view), curve in self.curves.items():
            panel, group = self.axes_[panels.index(asked)], observed.index(view)
            self.lines_[asked, view] = _plot_curve(panel, curve, view, group, kwargs)
        low = min(
            min(drawn.prob_pred.min(), drawn.prob_true.min()) for drawn in self.curves.values()
        )
        for panel, name in zip(self.axes_, panels, strict=True):
            _finish(panel, name, min(np.floor(10 * low) / 10, HIGHEST))
        return self


def _plot_curve(ax: Axes, curve: CalibrationCurve, view: str, group: int, kwargs: Look) -> Drawn:
    """Draw a curve with its intervals."""
    style = group_style(group)
    n_letters = max(letters_across(ax, FONT) - NUMBERS, NAME_LETTERS)
    numbers = f"said {curve.confidence:.2f}, right {curve.accuracy:.2f}"
    look: Look = {"color": style.colour, "marker": style.marker, "linestyle": style.line}
    look |= {"label": f"{shortened(view, n_letters)}: {numbers}"}
    look |= {"linewidth": 1, "markersize": 4, "capsize": 2} | kwargs
    bars = np.abs(curve.interval.T - curve.prob_true)
    return ax.errorbar(curve.prob_pred, curve.prob_true, bars, **look)


def _finish(ax: Axes, name: str, low: float) -> None:
    """Draw the diagonal, and name what is shown."""
    ax.set_title(shortened(name, letters_across(ax, FONT + 2)), fontsize=FONT + 2)
    ax.axline((1, 1), slope=1, color=UNKNOWN, linewidth=1, zorder=0.5)
    room = ROOM * (1 - low)
    ax.set(xlim=(low - room, 1 + room), ylim=(low - room, 1 + room))
    ax.set_xlabel("probability of the likeliest outcome", fontsize=FONT)
    ax.set_ylabel("share that is right", fontsize=FONT)
    ax.tick_params(labelsize=FONT)
    ax.legend(fontsize=FONT, frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.18))
