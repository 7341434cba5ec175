"""A table of numbers in [0, 1] as a picture: a colour and a number in each cell."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .display import POINTS_PER_INCH, Axes, Display, figure_of, inches, letters_that_fit
from .labels import shortened, wrapped
from .styles import COLOUR_MAP, Look

FONT = 8.0
LINE = 1.3  # of the height of a font
ROW_LETTERS, COLUMN_LETTERS, COLUMN_LINES = 24, 12, 3
FEWEST_LETTERS = 5  # beside each other; where fewer fit, names of columns stand upright
NUMBER_SIZE = 0.22, 0.6  # of the font, in widths and heights of a cell, for four letters
LETTER = 0.6 * FONT / POINTS_PER_INCH  # inches
COLOUR_BAR = 0.7  # inches
DARK_BELOW = 0.6  # on these colours letters are white


@dataclass(frozen=True, kw_only=True)
class HeatMap:
    """A table of numbers in [0, 1] with names.

    Parameters
    ----------
    values : ndarray of shape (n_rows, n_columns)
        The numbers; NaN where there is none.
    rows, columns : sequence of str
        Names of rows and columns.
    texts : sequence of sequence of str
        What is written into the cells, of one or several lines.
    meaning : str
        What the numbers are, beside the colour bar.
    """

    values: np.ndarray
    rows: Sequence[str]
    columns: Sequence[str]
    texts: Sequence[Sequence[str]]
    meaning: str

    def figure_size(self) -> tuple[float, float]:
        """Return the size in inches of a figure in which names and numbers can be read."""
        n_rows, n_columns = self.values.shape
        letters = min(max(map(len, self.columns)), COLUMN_LETTERS)
        cell = max(0.55, 1.2 * letters * LETTER)
        names = min(max(map(len, self.rows)), ROW_LETTERS) * LETTER
        lines = max(text.count("\n") + 1 for row in self.texts for text in row)
        height = n_rows * (0.16 + 0.18 * lines) + 1.1
        return float(np.clip(n_columns * cell + names + 1.4, 3.6, 18)), min(max(height, 2.0), 14.0)

    def draw(self, ax: Axes, kwargs: dict[str, Any]) -> Any:
        """Draw it, with names, numbers and a colour bar; return the image."""
        usual: Look = {"cmap": COLOUR_MAP, "vmin": 0, "vmax": 1, "aspect": "auto"}
        image = ax.imshow(self.values, **(usual | kwargs))
        self._name(ax)
        self._write_numbers(ax)
        bar = figure_of(ax).colorbar(image, ax=ax, shrink=0.9)
        bar.ax.tick_params(labelsize=FONT - 1)
        bar.set_label(self.meaning, fontsize=FONT)
        return image

    def _name(self, ax: Axes) -> None:
        """Name as many rows and columns as there is room for."""
        (n_rows, n_columns), line = self.values.shape, FONT * LINE / POINTS_PER_INCH
        width, height = inches(ax)
        room = min(ROW_LETTERS, letters_that_fit(0.4 * width, FONT))
        longest = min(max(map(len, self.rows)), room) * LETTER
        # Names and a colour bar are still to come, and take their part of the axes.
        width = max(0.95 * width - longest - COLOUR_BAR, 0.2 * width) / n_columns
        height *= 0.8 / n_rows
        n_letters = letters_that_fit(width, FONT)
        upright = n_letters < min(FEWEST_LETTERS, max(map(len, self.columns)))
        step = math.ceil(line / width) if upright else 1
        names = [
            shortened(name, ROW_LETTERS // 2) if upright else wrapped(name, n_letters, COLUMN_LINES)
            for name in self.columns[::step]
        ]
        ax.set_xticks(np.arange(n_columns)[::step], names, rotation=90 if upright else 0)
        step = math.ceil(line / height)
        n_lines = min(max(1, int(height / line)), 2)
        names = [wrapped(name, max(room, 6), n_lines) for name in self.rows[::step]]
        ax.set_yticks(np.arange(n_rows)[::step], names)
        ax.tick_params(labelsize=FONT, length=2)

    def _write_numbers(self, ax: Axes) -> None:
        """Write into each cell, in letters that fit it."""
        from .scaled_text import ScaledText

        for (i, j), value in np.ndenumerate(self.values):
            lines = self.texts[i][j].split("\n")
            size = NUMBER_SIZE[0] * 5 / max(4, *map(len, lines)), NUMBER_SIZE[1] / len(lines)
            colour = "white" if value < DARK_BELOW else "black"
            ax.add_artist(ScaledText(j, i, self.texts[i][j], size, 9.0, color=colour))


class HeatMapDisplay(Display):
    """A Display that is one heat map."""

    def _draw(self, picture: HeatMap, ax: Axes | None, kwargs: dict[str, Any]) -> None:
        """Draw it on given axes, or in a figure of its size."""
        self.image_ = picture.draw(self._one_axes(ax, picture.figure_size()), kwargs)
