"""The base of all pictures: on the user's axes, in a part of them, or in a figure of their own."""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType
from typing import TYPE_CHECKING, TypeAlias, TypeGuard

import numpy as np

from ..._base.types import Unchecked, Values
from .._fitted_estimator import check_estimator, refuse

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.container import Container
    from matplotlib.gridspec import GridSpecBase

    #: What matplotlib has drawn.
    Drawn: TypeAlias = Artist | Container
    #: Where users have a picture drawn: on axes, on several of them, or in a figure of its own.
    SomeAxes: TypeAlias = Axes | Sequence[Axes] | np.ndarray | None
else:  # matplotlib is optional, and not imported before something is drawn
    Axes = GridSpecBase = Drawn = SomeAxes = object

POINTS_PER_INCH = 72
LETTER_WIDTH = 0.6  # of the height of a font, on average
#: Width and height in inches.
Size: TypeAlias = tuple[float, float]
SIZE = (6.4, 4.8)
PAGE = (11.7, 8.3)  # inches, A4; figures of our own are no larger, upright or across


class Display:
    """A picture: a dataclass of what is drawn, which ``plot`` draws, and then of where."""

    def __repr__(self) -> str:
        """Say whether it is drawn, in the place of an address."""
        is_drawn = hasattr(self, "figure_")
        return f"<{type(self).__name__}, {'drawn' if is_drawn else 'which plot() draws'}>"

    @classmethod
    def _check_estimator(cls, est: Unchecked) -> None:
        """Check that it is a fitted estimator, for ``from_estimator``."""
        check_estimator(est, f"{cls.__name__}.from_estimator")

    @classmethod
    def _check_kind(cls, value: Unchecked, kind: type | tuple[type, ...], needed: str) -> None:
        """Check what another constructor takes, such as ``"from_graph needs a CategoricalDAG"``."""
        if not isinstance(value, kind):
            refuse(value, f"{cls.__name__}.{needed}")

    @classmethod
    def _pyplot(cls) -> ModuleType:
        """Import ``matplotlib.pyplot``, or name the extra that brings it."""
        try:
            import matplotlib.pyplot as plt
        except ImportError as error:
            raise ImportError(
                f"{cls.__name__}.plot needs matplotlib, which is not installed: "
                "pip install 'skcausalpima[plot]' brings it."
            ) from error
        return plt

    def _one_axes(self, ax: Axes | None, size: Size = SIZE) -> Axes:
        """Keep and return the axes to draw on, those given or those of a new figure."""
        plt = self._pyplot()
        if ax is None:
            ax = plt.subplots(figsize=on_page(*size), layout="constrained")[1]
        self.ax_: Axes = ax
        self._check_axes(self.ax_)
        self.figure_ = self.ax_.figure
        return self.ax_

    def _several_axes(
        self, ax: SomeAxes, shape: tuple[int, int], size: Size, **ratios: Unchecked
    ) -> np.ndarray:
        """Return what :meth:`_axes_table` does, and keep the figure."""
        axes = self._axes_table(ax, shape, size, **ratios)
        self.figure_ = axes[0, 0].figure
        return axes

    @classmethod
    def _axes_table(
        cls, ax: SomeAxes, shape: tuple[int, int], size: Size, **ratios: Unchecked
    ) -> np.ndarray:
        """Return a table of axes to draw on.

        Parameters
        ----------
        ax : matplotlib axes, array-like of axes or None
            Axes are divided: they themselves become invisible (as in
            :class:`sklearn.inspection.PartialDependenceDisplay`). An array of as many axes as are
            needed, such as ``axes_`` of a display, is drawn on. None makes a figure.
        shape : (n_rows, n_columns)
            How many.
        size : (width, height)
            Size of a new figure in inches.
        **ratios : dict
            ``width_ratios``, ``height_ratios``, ``wspace``, ``hspace``.

        Returns
        -------
        ndarray of axes of shape (n_rows, n_columns)
        """
        plt = cls._pyplot()
        if ax is None:
            figure = plt.figure(figsize=on_page(*size), layout="constrained")
            grid = figure.add_gridspec(*shape, **ratios)
        elif isinstance(ax, plt.Axes):
            figure, grid = ax.figure, cls._grid_in(ax, shape, ratios)
        else:
            return cls._given_axes(ax, shape)
        specs = [[grid[i, j] for j in range(shape[1])] for i in range(shape[0])]
        return np.array([[figure.add_subplot(spec) for spec in row] for row in specs])

    def _captioned_axes(self, ax: SomeAxes, shape: tuple[int, int], size: Size) -> Axes | None:
        """Keep a table of axes; return those of a caption above, if there is room for one."""
        caption, panels = None, ax
        if ax is None or is_axes(ax):
            above = self._several_axes(ax, (2, 1), size, height_ratios=[1e-3, 1])
            caption, panels = above[:, 0]
            caption.set_axis_off()
        self._keep(self._several_axes(panels, shape, size), ax)
        return caption

    def _keep(self, axes: np.ndarray, ax: SomeAxes) -> None:
        """Keep a table of axes, and those that were divided for it."""
        self.axes_, self.bounding_ax_ = axes, ax if is_axes(ax) else None

    @classmethod
    def _check_axes(cls, ax: Unchecked) -> None:
        if not is_axes(ax):
            raise TypeError(
                f"ax of {cls.__name__}.plot is to be matplotlib axes (plt.subplots()[1]) or None, "
                f"got {type(ax).__name__}."
            )

    @classmethod
    def _grid_in(cls, ax: Axes, shape: tuple[int, int], ratios: Values) -> GridSpecBase:
        """Divide axes."""
        if not ax.axison:
            raise ValueError(
                f"{cls.__name__}.plot has already divided this ax, or something else has: pass "
                "ax=display.axes_ to draw on the same axes again."
            )
        ax.set_axis_off()
        spec = ax.get_subplotspec()
        if spec is not None:
            return spec.subgridspec(*shape, **ratios)
        box = ax.get_position()
        ratios |= {"left": box.x0, "right": box.x1, "bottom": box.y0, "top": box.y1}
        return ax.figure.add_gridspec(*shape, **ratios)

    @classmethod
    def _given_axes(cls, axes: SomeAxes, shape: tuple[int, int]) -> np.ndarray:
        """Return the user's axes in the shape that is needed."""
        axes = np.asarray(axes, dtype=object)
        for ax in axes.ravel():
            cls._check_axes(ax)
        if axes.size != shape[0] * shape[1]:
            raise ValueError(
                f"{cls.__name__}.plot draws on {shape[0]} x {shape[1]} axes, got {axes.size}: pass "
                "as many, or one ax that is divided."
            )
        return axes.reshape(shape)


def is_axes(ax: Unchecked) -> TypeGuard[Axes]:
    """Return True for single axes, in which there is room for more."""
    return hasattr(ax, "get_subplotspec")


def on_page(width: float, height: float) -> Size:
    """Return a size for which a page has room, upright or across."""
    longest, shortest = PAGE
    most = (longest, shortest) if width > height else (shortest, longest)
    return min(width, most[0]), min(height, most[1])


def inches(ax: Axes) -> tuple[float, float]:
    """Return how wide and how high axes are now."""
    box, dpi = ax.get_window_extent(), ax.figure.dpi
    return box.width / dpi, box.height / dpi


def letters_that_fit(width: float, font_size: float) -> int:
    """Return how many letters of a font fit into a width in inches."""
    return max(1, int(width * POINTS_PER_INCH / (LETTER_WIDTH * font_size)))


def letters_across(ax: Axes, font_size: float) -> int:
    """Return how many letters of a font fit across axes."""
    return letters_that_fit(inches(ax)[0], font_size)


def font_that_fits(width: float, n_letters: int) -> float:
    """Return the size of a font of which so many letters fit into a width in inches."""
    return width * POINTS_PER_INCH / (LETTER_WIDTH * n_letters)


def check_word(value: Unchecked, name: str, words: Sequence[str]) -> str:
    """Check that a parameter is one of some words."""
    if not isinstance(value, str) or value not in words:
        listed = ", ".join(map(repr, words))
        raise ValueError(f"{name} is one of {listed}, got {value!r:.100}.")
    return value
