"""A picture of which node sizes data support."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from ..._clustering.margins import MIN_STABILITY
from .._fitted_estimator import refuse
from .display import POINTS_PER_INCH, Axes, Display, SomeAxes, inches, letters_across
from .labels import shortened, wrapped
from .styles import COLOURS, Look, ground, ink

FONT = 8.0
NAME_LETTERS = 16


@dataclass(eq=False, repr=False)
class NodeSizesDisplay(Display):
    """Which node sizes data support: the bound of held-out samples, and what is found again.

    To the left the mean bound over the folds, with its standard deviation, of what was fitted; a
    line joins the sizes of a single node, which have an order. To
    the right the stability of the cells; candidates that are not supported, or not fitted since a
    larger one is, are hatched. Small cells may have less
    than the limit that is drawn: ``failed`` in the results says which are not found again.

    It is recommended to use :meth:`from_selection`.

    Parameters
    ----------
    node_sizes : sequence of tuple of int
        The candidates.
    mean_bound : array-like of shape (n_candidates,)
        Their bound, in nats per sample.
    stability : array-like of shape (n_candidates,)
        How well the worst cell is found again, from 0 to 1.
    std_bound : array-like of shape (n_candidates,), default=None
        Standard deviation of the bound over the folds.
    supported : array-like of bool of shape (n_candidates,), default=None
        Which candidates the data support; None takes those that are stable.
    best : tuple of int, default=None
        The candidate that was chosen.

    Attributes
    ----------
    axes_ : ndarray of matplotlib axes of shape (2,)
        Those of the bound and of the stability.
    figure_ : matplotlib figure
        The figure.

    See Also
    --------
    skcausalpima.model_selection.select_node_sizes : The numbers.

    Examples
    --------
    >>> from skcausalpima.inspection import NodeSizesDisplay
    >>> display = NodeSizesDisplay([(2,), (3,), (4,)], [-9, -7, -6.5], [1, 0.98, 0.5], best=(3,))
    >>> display.plot().axes_[0].get_title()
    'held-out bound'
    """

    node_sizes: Sequence[tuple[int, ...]]
    mean_bound: ArrayLike
    stability: ArrayLike
    _: KW_ONLY
    std_bound: ArrayLike | None = None
    supported: ArrayLike | None = None
    best: tuple[int, ...] | None = None

    @classmethod
    def from_selection(cls, selection: Any, *, ax: SomeAxes = None) -> Self:
        """Draw what :func:`~skcausalpima.model_selection.select_node_sizes` found.

        Parameters
        ----------
        selection : NodeSizeSelection
            What it returned.
        ax : matplotlib axes, or array-like of two of them, default=None
            Where to draw, see :meth:`plot`.

        Returns
        -------
        NodeSizesDisplay
            Drawn.

        Raises
        ------
        TypeError
            If it is something else.
        ImportError
            If matplotlib is not installed.

        See Also
        --------
        skcausalpima.model_selection.select_node_sizes : Find the numbers.

        Examples
        --------
        >>> import matplotlib.pyplot as plt
        >>> from skcausalpima.inspection import NodeSizesDisplay
        >>> from skcausalpima.model_selection import NodeSizeSelection
        >>> results = {
        ...     "node_sizes": [(2,), (3,)], "mean_bound": [-9, -7], "std_bound": [0.5, 0.4],
        ...     "stability": [1, 0.98], "supported": [True, True]}
        >>> selection = NodeSizeSelection((3,), None, results)
        >>> display = NodeSizesDisplay.from_selection(selection)
        >>> display.axes_[0].get_legend().texts[0].get_text()
        'chosen: 3'
        >>> plt.close()
        """
        if not hasattr(selection, "results"):
            refuse(selection, f"{cls.__name__}.from_selection needs what select_node_sizes returns")
        results = selection.results
        display = cls(
            results["node_sizes"],
            results["mean_bound"],
            results["stability"],
            std_bound=results["std_bound"],
            supported=results["supported"],
            best=selection.best_node_sizes,
        )
        return display.plot(ax)

    def plot(self, ax: SomeAxes = None) -> Self:
        """Draw.

        Parameters
        ----------
        ax : matplotlib axes, or array-like of two of them, default=None
            Where to draw. One is divided in two; None makes a figure.

        Returns
        -------
        NodeSizesDisplay
            Itself.

        Raises
        ------
        ValueError
            If there is not one number per candidate, or ``best`` is none of them.
        ImportError
            If matplotlib is not installed.

        Examples
        --------
        >>> import matplotlib.pyplot as plt
        >>> from skcausalpima.inspection import NodeSizesDisplay
        >>> display = NodeSizesDisplay([(2,), (3,), (4,)], [-9, -7, -6.5], [1, 0.98, 0.5])
        >>> [bar.get_hatch() for bar in display.plot().axes_[1].patches]  # not supported
        [None, None, '///']
        >>> plt.close()
        """
        sizes = [tuple(np.atleast_1d(candidate).tolist()) for candidate in self.node_sizes]
        self._check(sizes)
        width = min(max(0.5 * len(sizes) + 1.0, 3.4), 8.0)
        self.axes_ = self._several_axes(ax, (1, 2), (2 * width, 3.4)).ravel()
        self._plot_bound(self.axes_[0], sizes)
        self._plot_stability(self.axes_[1])
        for panel in self.axes_:
            _name_candidates(panel, sizes)
        asked = (
            f"dashed: {MIN_STABILITY}, less for grids and small cells; hatched: not supported, or "
            "not fitted"
        )
        note = wrapped(asked, letters_across(self.axes_[1], FONT), 3)
        self.axes_[1].set_xlabel(f"{self.axes_[1].get_xlabel()}\n{note}")
        return self

    def _check(self, sizes: list[tuple[int, ...]]) -> None:
        """Check that numbers and candidates go together."""
        for name in ("mean_bound", "stability", "std_bound", "supported"):
            values = getattr(self, name)
            if values is not None and np.shape(values) != (len(sizes),):
                raise ValueError(
                    f"{name} must have one number for each of the {len(sizes)} candidates, got "
                    f"shape {np.shape(values)}."
                )
        if self.best is not None and tuple(self.best) not in sizes:
            raise ValueError(f"best is {self.best}, which is none of the candidates {sizes}.")

    def _plot_bound(self, ax: Axes, sizes: list[tuple[int, ...]]) -> None:
        """Draw the bound of held-out samples."""
        positions, bound = np.arange(len(sizes)), np.asarray(self.mean_bound, dtype=np.float64)
        in_a_row = all(len(candidate) == 1 for candidate in sizes) and sizes == sorted(sizes)
        style: Look = {"fmt": "o-" if in_a_row else "o", "capsize": 3, "lw": 1, "ms": 4}
        ax.errorbar(positions, bound, self.std_bound, color=COLOURS[0], **style)
        if self.best is not None:
            k = sizes.index(tuple(self.best))
            label = f"chosen: {_name(sizes[k])}"
            ax.plot(k, bound[k], "s", color=ink(), label=label, ms=12, mfc="none", mew=1.5)
            ax.legend(fontsize=FONT, loc="best")
        ax.set_title("held-out bound", fontsize=FONT + 2)
        ax.set_ylabel("nats per sample", fontsize=FONT)

    def _plot_stability(self, ax: Axes) -> None:
        """Draw how well cells are found again."""
        stability = np.asarray(self.stability, dtype=np.float64)
        is_stable = stability >= MIN_STABILITY
        supported = is_stable if self.supported is None else np.asarray(self.supported, bool)
        bars = ax.bar(np.arange(len(stability)), stability, color=COLOURS[0], edgecolor="0.2")
        for bar in np.array(list(bars), dtype=object)[~supported]:
            bar.set(facecolor=ground(), hatch="///")
        ax.axhline(MIN_STABILITY, color=ink(), linestyle="--", linewidth=1)
        ax.set_title("are the cells found again?", fontsize=FONT + 2)
        ax.set_ylabel("smallest Jaccard similarity", fontsize=FONT)
        ax.set(ylim=(0, 1.05))


def _name(sizes: tuple[int, ...]) -> str:
    """Write node sizes."""
    return " x ".join(map(str, sizes))


def _name_candidates(ax: Axes, sizes: list[tuple[int, ...]]) -> None:
    """Name as many candidates below the axes as there is room for."""
    names = [shortened(_name(candidate), NAME_LETTERS) for candidate in sizes]
    room = 0.8 * inches(ax)[0] * POINTS_PER_INCH / len(sizes)
    upright = max(map(len, names)) * 0.65 * FONT > room
    step = max(1, int(np.ceil(1.3 * FONT / room)))
    ax.set_xticks(np.arange(len(sizes))[::step], names[::step], rotation=90 if upright else 0)
    ax.tick_params(labelsize=FONT)
    single = all(len(candidate) == 1 for candidate in sizes)
    ax.set_xlabel("outcomes of the node" if single else "node sizes", fontsize=FONT)
