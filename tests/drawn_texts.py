"""What texts a figure shows, whether they can be read, and how much of the page is covered."""

from itertools import combinations

import matplotlib as mpl
import numpy as np

mpl.use("Agg")

from matplotlib.text import Text

TOLERANCE = 1.0  # pixels


def drawn_texts(figure):
    """Lay a figure out as ``savefig`` does, and return its texts with their boxes in pixels.

    It does so once, and draws twice.
    """
    found, draw = [], Text.draw
    figure.draw_without_rendering()
    layout = figure.get_layout_engine()
    figure.set_layout_engine("none")

    def noted(self, renderer, *args, **kwargs):
        draw(self, renderer, *args, **kwargs)
        if self.get_visible() and self.get_text().strip():
            found.append((self.get_text(), Text.get_window_extent(self, renderer)))

    Text.draw = noted
    try:
        figure.draw_without_rendering()
    finally:
        Text.draw = draw
        figure.set_layout_engine(layout)
    return found


def _overlapping(texts):
    return [
        (a, b)
        for (a, box_a), (b, box_b) in combinations(texts, 2)
        if min(box_a.x1, box_b.x1) - max(box_a.x0, box_b.x0) > TOLERANCE
        and min(box_a.y1, box_b.y1) - max(box_a.y0, box_b.y0) > TOLERANCE
    ]


def _cut(figure, texts):
    width, height = figure.canvas.get_width_height()
    return [
        text
        for text, box in texts
        if min(box.x0, box.y0) < -TOLERANCE
        or box.x1 > width + TOLERANCE
        or box.y1 > height + TOLERANCE
    ]


def overlapping_texts(figure):
    """Return the pairs of shown texts whose boxes overlap."""
    return _overlapping(drawn_texts(figure))


def cut_texts(figure):
    """Return the shown texts that reach beyond the figure."""
    return _cut(figure, drawn_texts(figure))


def assert_readable(figure):
    """Assert that no text of a figure covers another one or leaves the figure."""
    texts = drawn_texts(figure)
    assert _overlapping(texts) == []
    assert _cut(figure, texts) == []


def covered_share(figure):
    """Return the share of a page that is inside of axes or inked, by squares of 0.2 inches.

    Of axes that have no ground, as those of a graph, only the ink counts.
    """
    figure.set_dpi(50)
    figure.canvas.draw()
    pixels = np.asarray(figure.canvas.buffer_rgba())[..., :3]
    ink = (pixels != pixels[0, 0]).any(axis=-1)
    for ax in figure.axes:
        if ax.axison and ax.patch.get_visible():
            x0, y0, x1, y1 = np.round(ax.get_window_extent().extents).astype(int)
            ink[max(len(ink) - y1, 0) : len(ink) - y0, max(x0, 0) : x1] = True
    n_rows, n_columns = (n // 10 for n in ink.shape)
    squares = ink[: 10 * n_rows, : 10 * n_columns].reshape(n_rows, 10, n_columns, 10)
    return float(squares.any(axis=(1, 3)).mean())
