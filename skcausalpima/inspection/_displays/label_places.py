"""Labels of points that do not cover each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from .axes import POINTS_PER_INCH, figure_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.text import Annotation
    from matplotlib.transforms import BboxBase

N_RINGS, N_ANGLES = 24, 24
GAP = 2.0  # pixels between labels


def label_points(
    ax: Axes, points: np.ndarray, labels: Sequence[str], font_size: float
) -> list[Annotation]:
    """Write a label at each point, or beside it with a line to it where another one is.

    The figure is laid out first: labels are placed for its present size.
    """
    figure = figure_of(ax)
    box = {"boxstyle": "round,pad=0.15", "fc": "white", "alpha": 0.85, "lw": 0}
    arrow = {"arrowstyle": "-", "lw": 0.6, "shrinkA": 0, "shrinkB": 0}
    written = []
    for point, label in zip(points, labels, strict=True):
        text = ax.annotate(
            label,
            tuple(point),
            (0, 0),
            textcoords="offset points",
            ha="center",
            va="center",
            fontsize=font_size,
            weight="bold",
            bbox=box,
            arrowprops=arrow,
        )
        text.set_in_layout(False)
        written.append(text)
    figure.canvas.figure.draw_without_rendering()
    area, taken = ax.get_window_extent(), np.empty((0, 4))
    for text in written:
        extent = text.get_window_extent()
        shift, place = _free_place(_corners(extent), taken, _corners(area))
        text.set_position(tuple(shift * POINTS_PER_INCH / figure.dpi))
        taken = np.vstack([taken, place])
    return written


def _corners(extent: BboxBase) -> np.ndarray:
    return np.array([extent.x0, extent.y0, extent.x1, extent.y1])


def _free_place(
    box: np.ndarray, taken: np.ndarray, area: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return by how much a box moves to be free and within an area, and the moved box.

    Boxes are (left, bottom, right, top). Nearer places are preferred. Where there is no free one,
    the box stays.
    """
    angles = np.linspace(0, 2 * np.pi, N_ANGLES, endpoint=False)
    step = (box[3] - box[1]) / 2 + GAP
    rings = np.outer(np.arange(1, N_RINGS + 1) * step, np.ones(N_ANGLES))
    ring = np.stack([1.5 * np.cos(angles), np.sin(angles)], axis=1)
    shifts = np.vstack([np.zeros((1, 2)), (rings[:, :, None] * ring).reshape(-1, 2)])
    moved = box + np.tile(shifts, 2)
    inside = (moved[:, :2] >= area[:2]).all(axis=1) & (moved[:, 2:] <= area[2:]).all(axis=1)
    apart_x = (moved[:, None, 0] > taken[:, 2] + GAP) | (moved[:, None, 2] + GAP < taken[:, 0])
    apart_y = (moved[:, None, 1] > taken[:, 3] + GAP) | (moved[:, None, 3] + GAP < taken[:, 1])
    free = np.flatnonzero(inside & (apart_x | apart_y).all(axis=1))
    best = free[0] if len(free) else 0
    return shifts[best], moved[best]
