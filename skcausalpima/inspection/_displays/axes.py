"""Where a picture is drawn: on the user's axes, in a part of them, or in a figure of its own."""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

POINTS_PER_INCH = 72
LETTER_WIDTH = 0.6  # of the height of a font, on average


def plotting(caller: str) -> ModuleType:
    """Import ``matplotlib.pyplot``.

    Parameters
    ----------
    caller : str
        What needs it, for the error: "LatentDisplay.plot".

    Raises
    ------
    ImportError
        If matplotlib is not installed; it names the extra that brings it.
    """
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(
            f"{caller} needs matplotlib, which is not installed: "
            "pip install 'skcausalpima[plot]' brings it."
        ) from error
    return plt


def one_axes(ax: Axes | None, caller: str, size: tuple[float, float] = (6.4, 4.8)) -> Axes:
    """Return axes to draw on: those given, or a new figure's.

    Parameters
    ----------
    ax : matplotlib axes or None
        None makes a figure (``layout="constrained"``).
    caller : str
        Who draws, for the errors.
    size : (width, height), default=(6.4, 4.8)
        Size of a new figure in inches.
    """
    plt = plotting(caller)
    if ax is None:
        return plt.subplots(figsize=size, layout="constrained")[1]
    _check_axes(ax, caller)
    return ax


def several_axes(
    ax: Any, caller: str, shape: tuple[int, int], size: tuple[float, float], **ratios: Any
) -> np.ndarray:
    """Return a table of axes to draw on.

    Parameters
    ----------
    ax : matplotlib axes, array-like of axes or None
        Axes are divided: they themselves become invisible (as in
        :class:`sklearn.inspection.PartialDependenceDisplay`). An array of as many axes as are
        needed, such as ``axes_`` of a display, is drawn on. None makes a figure.
    caller : str
        Who draws, for the errors.
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
    plt = plotting(caller)
    if ax is None:
        figure = plt.figure(figsize=size, layout="constrained")
        grid = figure.add_gridspec(*shape, **ratios)
    elif isinstance(ax, plt.Axes):
        figure, grid = ax.figure, _grid_in(ax, caller, shape, ratios)
    else:
        return _given_axes(ax, caller, shape)
    return np.array([[figure.add_subplot(place) for place in row] for row in _rows(grid)])


def is_one_or_none(ax: Any) -> bool:
    """Say whether there are no axes or single ones, in which there is room for more."""
    return ax is None or hasattr(ax, "get_subplotspec")


def captioned_axes(
    ax: Any, caller: str, shape: tuple[int, int], size: tuple[float, float]
) -> tuple[Axes | None, np.ndarray]:
    """Return axes above all others for a caption (their title), and a table of axes.

    Arguments are those of :func:`several_axes`. There are no axes for a caption where an array of
    axes was given.
    """
    if not is_one_or_none(ax):
        return None, several_axes(ax, caller, shape, size)
    caption, rest = several_axes(ax, caller, (2, 1), size, height_ratios=[1e-3, 1])[:, 0]
    caption.set_axis_off()
    return caption, several_axes(rest, caller, shape, size)


def width_in_inches(ax: Axes) -> float:
    """Return how wide axes are now."""
    return ax.get_window_extent().width / figure_of(ax).dpi


def letters_that_fit(inches: float, font_size: float) -> int:
    """Return how many letters of a font fit into a width."""
    return max(1, int(inches * POINTS_PER_INCH / (LETTER_WIDTH * font_size)))


def size_that_fits(inches: float, n_letters: int) -> float:
    """Return the size of a font of which so many letters fit into a width."""
    return inches * POINTS_PER_INCH / (LETTER_WIDTH * max(1, n_letters))


def figure_of(ax: Axes) -> Figure | SubFigure:
    """Return the figure that axes are in."""
    return ax.figure


def _check_axes(ax: Any, caller: str) -> None:
    if not hasattr(ax, "get_subplotspec"):
        raise TypeError(
            f"ax of {caller} is to be matplotlib axes (plt.subplots()[1]) or None, "
            f"got {type(ax).__name__}."
        )


def _grid_in(ax: Axes, caller: str, shape: tuple[int, int], ratios: dict[str, Any]) -> Any:
    """Divide axes."""
    from matplotlib.gridspec import GridSpecFromSubplotSpec

    if not ax.axison:
        raise ValueError(
            f"{caller} has already divided this ax, or something else has: pass ax=display.axes_ "
            "to draw on the same axes again."
        )
    ax.set_axis_off()
    place = ax.get_subplotspec()
    if place is not None:
        return GridSpecFromSubplotSpec(*shape, subplot_spec=place, **ratios)
    box = ax.get_position()
    ratios |= {"left": box.x0, "right": box.x1, "bottom": box.y0, "top": box.y1}
    return figure_of(ax).add_gridspec(*shape, **ratios)


def _rows(grid: Any) -> list[list[Any]]:
    """Return the places of a grid, row by row."""
    n_rows, n_columns = grid.get_geometry()
    return [[grid[i, j] for j in range(n_columns)] for i in range(n_rows)]


def _given_axes(axes: Any, caller: str, shape: tuple[int, int]) -> np.ndarray:
    """Return the user's axes in the shape that is needed."""
    axes = np.asarray(axes, dtype=object)
    for ax in axes.ravel():
        _check_axes(ax, caller)
    if axes.size != shape[0] * shape[1]:
        raise ValueError(
            f"{caller} draws on {shape[0]} x {shape[1]} axes, got {axes.size}: pass as many, or "
            "one ax that is divided."
        )
    return axes.reshape(shape)
