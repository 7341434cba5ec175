"""What texts a figure shows, and whether they can be read."""

from itertools import combinations

import matplotlib as mpl

mpl.use("Agg")

from matplotlib.text import Text

TOLERANCE = 1.0  # pixels


def drawn_texts(figure):
    """Draw a figure, and return the texts that it shows with their boxes in pixels."""
    found, draw = [], Text.draw

    def noted(self, renderer, *args, **kwargs):
        draw(self, renderer, *args, **kwargs)
        if self.get_visible() and self.get_text().strip():
            found.append((self.get_text(), Text.get_window_extent(self, renderer)))

    figure.canvas.draw()  # lays the figure out
    Text.draw = noted
    try:
        figure.canvas.draw()
    finally:
        Text.draw = draw
    return found


def overlapping_texts(figure):
    """Return the pairs of shown texts whose boxes overlap."""
    return [
        (a, b)
        for (a, box_a), (b, box_b) in combinations(drawn_texts(figure), 2)
        if min(box_a.x1, box_b.x1) - max(box_a.x0, box_b.x0) > TOLERANCE
        and min(box_a.y1, box_b.y1) - max(box_a.y0, box_b.y0) > TOLERANCE
    ]


def cut_texts(figure):
    """Return the shown texts that reach beyond the figure."""
    width, height = figure.canvas.get_width_height()
    return [
        text
        for text, box in drawn_texts(figure)
        if min(box.x0, box.y0) < -TOLERANCE
        or box.x1 > width + TOLERANCE
        or box.y1 > height + TOLERANCE
    ]


def assert_readable(figure):
    """Assert that no text of a figure covers another one or leaves the figure."""
    assert overlapping_texts(figure) == []
    assert cut_texts(figure) == []
