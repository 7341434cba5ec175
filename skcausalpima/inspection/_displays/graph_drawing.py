"""How matplotlib draws a graph: boxes, edges, and numbers beside them."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from typing import Self

import networkx as nx
import numpy as np

from ..._structure.graph_picture import PADDING, Edge, GraphPicture, strokes, width_of_line
from .display import POINTS_PER_INCH, Axes, Drawn, Size, inches
from .labels import plain
from .styles import COLOURS, Look, ground, ink

# Lengths are in points as long as the picture need not shrink; looked at, else arbitrary.
NAME_SHAPES = ((15, 3, False), (11, 4, False), (8, 6, True))  # letters and lines, and compact ones
FONT, SMALL_FONT = 10.0, 8.0
MARGIN = 4.0
LEAST_SIZE = (3.0, 1.6)  # of a figure of its own, in inches
BELOW = 0.4  # inches, for the line that says what edges mean
WIDTHS = (1.0, 5.0)  # of lines of strength 0 and 1
DASHES = (8.0, 5.0)  # of lines, and the gaps between them, however wide the line
READABLE = 0.75  # of the font; names that have this are not cut more
COMPELLED, REVERSIBLE, PALE = COLOURS[0], "#707070", "#c0c0c0"


class GraphDrawing(GraphPicture):
    """A picture of a graph, in points, that matplotlib draws."""

    @classmethod
    def that_fits(cls, graph: nx.DiGraph, room: Size) -> Self:
        """Lay out a graph in a room in inches: with short names where long ones would be small."""
        drawings = []
        for n_letters, n_lines, is_compact in NAME_SHAPES:
            drawings.append(cls.of(graph, FONT, n_letters, n_lines, is_compact))
            if drawings[-1].scale_in(room) >= READABLE:
                return drawings[-1]
        return max(drawings, key=lambda drawing: drawing.scale_in(room))

    @property
    def size(self) -> np.ndarray:
        """Width and height with a margin."""
        return np.array(self.layout.size) + 2 * MARGIN

    def figure_size(self) -> Size:
        """Return the size in inches of a figure that has room for it and for a line below it."""
        width, height = np.maximum(self.size / POINTS_PER_INCH + (0.1, BELOW), LEAST_SIZE).tolist()
        return width, height

    def scale_in(self, room: Size) -> float:
        """Return how many points a unit is in a room in inches: one, where there is enough."""
        return float(min(1.0, (np.array(room) * POINTS_PER_INCH / self.size).min()))

    def points_per_unit(self, ax: Axes) -> float:
        """Return how many points a unit is on axes."""
        return self.scale_in(inches(ax))

    def set_limits(self, ax: Axes) -> None:
        """Put the middle of the picture into that of the axes, which lose their frame."""
        half = np.array(inches(ax)) * POINTS_PER_INCH / self.points_per_unit(ax) / 2
        (left, top), (right, bottom) = (np.array(self.layout.size) / 2 + s * half for s in (-1, 1))
        ax.set(xlim=(left, right), ylim=(bottom, top), xticks=[], yticks=[])
        ax.spines[:].set_visible(False)
        ax.patch.set_visible(False)

    def draw_edge(self, ax: Axes, edge: Edge, strength: float | None, is_compelled: bool) -> Drawn:
        """Draw an edge, and return its patch."""
        from matplotlib.patches import FancyArrowPatch
        from matplotlib.path import Path

        codes = {"M": Path.MOVETO, "L": Path.LINETO, "C": Path.CURVE4}
        pen = list(strokes(self.layout.routes[edge]))
        path = Path(
            np.concatenate([points for _, points in pen]),
            [codes[letter] for letter, points in pen for _ in points],
        )
        width = width_of_line(strength, *WIDTHS, unknown=0.3) * self.points_per_unit(ax)
        colour = PALE if self.is_pale else COMPELLED if is_compelled else REVERSIBLE
        style, head = "-|>" if is_compelled else "-", 5.0 + 3.0 * width
        look: Look = {"color": colour, "lw": width, "capstyle": "butt", "zorder": 1}
        if edge in self.dashed:
            look["ls"] = 0, tuple(length / width for length in DASHES)
        arrow = FancyArrowPatch(path=path, arrowstyle=style, mutation_scale=head, **look)
        return ax.add_artist(arrow)

    def draw_node(self, ax: Axes, node: Hashable) -> Drawn:
        """Draw a node's box, and return its text."""
        from matplotlib.patches import FancyBboxPatch

        from .scaled_text import ScaledText

        (x, y), (width, height) = self.layout.centres[node], self.boxes[node]
        corner = x - width / 2, y - height / 2
        shape = f"round,pad=0,rounding_size={PADDING * FONT}"
        look: Look = {"fc": "0.95" if ink() == "black" else "0.15", "zorder": 2}
        look |= {"ec": PALE if self.is_pale else "0.3"}
        if node in self.contexts:
            shape, look = "square,pad=0", look | {"fc": ground(), "ls": "--"}
        ax.add_patch(FancyBboxPatch(corner, width, height, shape, **look))
        text = ScaledText(x, y, plain(self.texts[node]), (FONT, FONT), zorder=3)
        if self.is_pale:
            text.set_color("0.5")
        return ax.add_artist(text)

    def write_values(self, ax: Axes, values: Mapping[Edge, float]) -> None:
        """Write a number beside each edge, where that covers no box, number or other edge.

        Where there is no such place it is written on the edge, and nowhere on top of others.
        """
        from .scaled_text import ScaledText

        taken = [(*self.layout.centres[node], *box) for node, box in self.boxes.items()]
        lines = np.concatenate([_points_on(route) for route in self.layout.routes.values()])
        behind = {"facecolor": ground(), "edgecolor": "none", "pad": 0.5}
        for edge, route in self.layout.routes.items():
            text = f"{values[edge]:.2f}"
            size = 0.65 * SMALL_FONT * len(text), 1.2 * SMALL_FONT
            line = width_of_line(values[edge], *WIDTHS, unknown=0.3)
            beside = [(*spot, *size) for spot in _spots_beside(route, size, line)]
            spots = [spot for spot in beside if not _holds(spot, lines).any()]
            spots += [(*spot, *size) for spot, _ in _points_along(route)]
            free = (spot for spot in spots if not any(_overlap(spot, other) for other in taken))
            if spot := next(free, None):
                taken.append(spot)
                font, box = (SMALL_FONT, SMALL_FONT), None if spot in beside else behind
                ax.add_artist(ScaledText(*spot[:2], text, font, zorder=2.5, bbox=box))


def _points_along(
    route: np.ndarray, shares: tuple[float, ...] = (0.5, 0.4, 0.6, 0.3, 0.7)
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield points on the curved parts of a route, and the directions across it there."""
    for share in shares:
        rest = 1 - share
        weights = np.array([rest**3, 3 * share * rest**2, 3 * share**2 * rest, share**3])
        slopes = np.array(
            [-(rest**2), rest**2 - 2 * share * rest, 2 * share * rest - share**2, share**2]
        )
        start = route[1]
        for letter, points in strokes(route):
            if letter == "C":
                controls = np.vstack([start, points])
                dx, dy = slopes @ controls
                yield weights @ controls, np.array([-dy, dx]) / np.hypot(dx, dy)
            start = points[-1]


def _points_on(route: np.ndarray) -> np.ndarray:
    """Return points all along a route."""
    curved = [point for point, _ in _points_along(route, tuple(np.linspace(0, 1, 41)))]
    shares = np.linspace(0, 1, 21)[:, None]
    straight = [a + shares * (b - a) for a, b in zip(route[:-1:2], route[1::2], strict=True)]
    return np.concatenate([curved, *straight])


def _spots_beside(
    route: np.ndarray, size: tuple[float, float], line: float
) -> Iterator[tuple[float, float]]:
    """Yield where the middle of a box stands beside a route, above it before below it."""
    for point, across in _points_along(route):
        upwards = across if across[1] < 0 else -across
        for way in (upwards, -upwards):
            distance = np.abs(way) @ size / 2 + line / 2 + 1.0
            x, y = point + distance * way
            yield float(x), float(y)


def _holds(box: tuple[float, ...], points: np.ndarray) -> np.ndarray:
    """Return which points are within a box (middle, width, height)."""
    inside = np.abs(points - box[:2]) < np.array(box[2:]) / 2
    return np.logical_and(inside[:, 0], inside[:, 1])


def _overlap(first: tuple[float, ...], second: tuple[float, ...]) -> bool:
    """Return True for two boxes (middle, width, height) that overlap."""
    apart = np.abs(np.subtract(first[:2], second[:2]))
    return bool((apart < np.add(first[2:], second[2:]) / 2 + 1.0).all())
