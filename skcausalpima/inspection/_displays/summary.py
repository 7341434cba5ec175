"""The four pictures of a fit that matter, on one page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from sklearn.base import BaseEstimator

from ..._base.types import Abscissae, Samples
from ..._data.selection_keys import asked_modalities
from .display import Axes, Display
from .graph import GraphDisplay
from .latent import LatentDisplay
from .prototypes import PrototypeDisplay
from .shown_modality import abscissae
from .training import TrainingDisplay

SIZE = (13.0, 10.5)  # inches
RATIOS = {"width_ratios": [1.0, 1.2], "height_ratios": [1.3, 1.0]}
MOST_MODALITIES = 3  # in which cells are shown below each other


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
        The quarters of the page, in the order of the parameters. Those that are divided further are
        invisible; the panels in them are attributes of the single displays.
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
            Name or number of the modality in which the cells are shown; None takes the first three:
            what a node does may show in one of them alone.
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
        chosen = asked_modalities(modality, names)[:MOST_MODALITIES]
        shown = [names[m] for m in chosen]
        along, axes = abscissae(x, shown), cls._axes_table(ax, (2, 2), SIZE, **RATIOS)
        prototypes, *further = (
            PrototypeDisplay.from_estimator(est, modality=name, x=along.get(name), ax=panel)
            for name, panel in zip(shown, cls._below(axes[0, 1], len(shown)), strict=True)
        )
        graph = GraphDisplay.from_estimator(est, ax=axes[1, 0])
        training = TrainingDisplay.from_estimator(est, ax=axes[1, 1])
        latent = LatentDisplay.from_estimator(est, X, ax=axes[0, 0])  # last: labels need the layout
        display = cls(latent, prototypes, graph, training, further)
        display.axes_, display.figure_ = axes, axes[0, 0].figure
        return display

    def plot(self, ax: Axes | None = None) -> Self:
        """Draw.

        Parameters
        ----------
        ax : matplotlib axes, default=None
            Axes are divided. None makes a figure.

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
        self.axes_ = axes = self._several_axes(ax, (2, 2), SIZE, **RATIOS)
        prototypes = [self.prototypes, *self.further]
        for display, panel in zip(
            prototypes, self._below(axes[0, 1], len(prototypes)), strict=True
        ):
            display.plot(ax=panel)
        self.graph.plot(ax=axes[1, 0])
        self.training.plot(ax=axes[1, 1])
        self.latent.plot(ax=axes[0, 0])
        return self

    @classmethod
    def _below(cls, ax: Axes, number: int) -> np.ndarray:
        """Return so many axes below each other, those that are given if it is one."""
        if number == 1:
            return np.array([ax])
        return cls._axes_table(ax, (number, 1), SIZE)[:, 0]
