"""Lengths in pictures: inches, and how many letters fit."""

from __future__ import annotations

from .display import Axes

POINTS_PER_INCH = 72
LETTER_WIDTH = 0.6  # of the height of a font, on average


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
