"""How the boxes and edges of a graph are drawn with matplotlib."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import networkx as nx
import numpy as np

from ..._structure.digraphs import is_by_chance
from ..._structure.layered_layout import Edge, LayeredLayout, layered_layout, strokes
from .axes import POINTS_PER_INCH, figure_of
from .labels import wrapped
from .styles import COLOURS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Lengths are in points as long as the picture need not shrink.
FONT, SMALL_FONT = 10.0, 8.0
PADDING = 7.0
GAPS = (56.0, 24.0)
MARGIN = 4.0
LEAST_SIZE, LARGEST_SIZE = (3.0, 1.6), (18.0, 12.0)  # of a figure of its own, in inches
WIDTHS = (1.0, 5.0)  # of lines of strength 0 and 1
UNKNOWN_STRENGTH = 0.3
COMPELLED, REVERSIBLE, PALE = COLOURS[0], "#707070", "#c0c0c0"


@dataclass(frozen=True, kw_only=True)
class GraphDrawing:
    """The texts of a graph's nodes, the boxes around them, and where all is.

    Parameters
    ----------
    texts : dict of hashable to str
        What stands in the box of each node.
    boxes : dict of hashable to tuple of float
        Its width and height.
    layout : LayeredLayout
        The places of boxes and edges.
    is_pale : bool, default=False
        Whether all is grey, since nodes were placed by chance.
    """

    texts: dict[Hashable, str]
    boxes: dict[Hashable, tuple[float, float]]
    layout: LayeredLayout
    is_pale: bool = False

    @classmethod
    def of(cls, graph: nx.DiGraph, n_letters: int, n_lines: int) -> GraphDrawing:
        """Lay out a graph with names in lines of so many letters."""
        texts = {
            node: _text(node, data.get("size"), n_letters, n_lines)
            for node, data in graph.nodes(data=True)
        }
        boxes = {node: _box(text) for node, text in texts.items()}
        layout = layered_layout(graph, boxes, GAPS)
        return cls(texts=texts, boxes=boxes, layout=layout, is_pale=is_by_chance(graph))

    @property
    def size(self) -> np.ndarray:
        """Width and height with a margin."""
        return np.array(self.layout.size) + 2 * MARGIN

    def figure_size(self) -> tuple[float, float]:
        """Return the size in inches of a figure that has room for it and for a line below it."""
        inches = self.size / POINTS_PER_INCH + (0.1, 0.4)
        shrunk = inches * min(1.0, (np.array(LARGEST_SIZE) / inches).min())
        width, height = np.maximum(shrunk, LEAST_SIZE)
        return float(width), float(height)

    def points_per_unit(self, ax: Axes) -> float:
        """Return how many points a unit is on axes: one, where there is room."""
        return float(min(1.0, (_points(ax) / self.size).min()))

    def set_limits(self, ax: Axes) -> None:
        """Put the middle of the picture into that of the axes, which lose their frame."""
        width, height = _points(ax) / self.points_per_unit(ax) / 2
        x, y = np.array(self.layout.size) / 2
        ax.set(xlim=(x - width, x + width), ylim=(y + height, y - height), xticks=[], yticks=[])
        ax.spines[:].set_visible(False)
        ax.patch.set_visible(False)

    def draw_edge(self, ax: Axes, edge: Edge, strength: float | None, is_compelled: bool) -> Any:
        """Draw an edge, and return its patch."""
        from matplotlib.patches import FancyArrowPatch
        from matplotlib.path import Path

        codes = {"M": Path.MOVETO, "L": Path.LINETO, "C": Path.CURVE4}
        pen = list(strokes(self.layout.routes[edge]))
        path = Path(
            np.concatenate([points for _, points in pen]),
            [codes[letter] for letter, points in pen for _ in points],
        )
        share = UNKNOWN_STRENGTH if strength is None else min(max(strength, 0.0), 1.0)
        width = (WIDTHS[0] + (WIDTHS[1] - WIDTHS[0]) * share) * self.points_per_unit(ax)
        line = FancyArrowPatch(
            path=path,
            arrowstyle="-|>" if is_compelled else "-",
            mutation_scale=5.0 + 3.0 * width,
            linewidth=width,
            color=PALE if self.is_pale else COMPELLED if is_compelled else REVERSIBLE,
            capstyle="butt",
            zorder=1,
        )
        return ax.add_artist(line)

    def draw_node(self, ax: Axes, node: Hashable) -> Any:
        """Draw a node's box, and return its text."""
        from matplotlib.patches import FancyBboxPatch

        from .scaled_text import ScaledText

        (x, y), (width, height) = self.layout.centres[node], self.boxes[node]
        corner = x - width / 2, y - height / 2
        frame = PALE if self.is_pale else "0.3"
        style = f"round,pad=0,rounding_size={PADDING}"
        ax.add_patch(
            FancyBboxPatch(
                corner, width, height, style, facecolor="0.95", edgecolor=frame, zorder=2
            )
        )
        style_of_text: dict[str, Any] = {"ha": "center", "va": "center", "zorder": 3}
        if self.is_pale:
            style_of_text["color"] = "0.5"
        text = ScaledText(x, y, self.texts[node], (FONT, FONT), **style_of_text)
        return ax.add_artist(text)

    def write_values(self, ax: Axes, values: Mapping[Edge, float]) -> None:
        """Write a number on each edge, where that covers neither a box nor another number."""
        from .scaled_text import ScaledText

        taken = [(*self.layout.centres[node], *box) for node, box in self.boxes.items()]
        white = {"facecolor": "white", "edgecolor": "none", "pad": 0.5}
        style: dict[str, Any] = {"ha": "center", "va": "center", "zorder": 2.5, "bbox": white}
        for edge, route in self.layout.routes.items():
            text = f"{values[edge]:.2f}"
            size = 0.65 * SMALL_FONT * len(text), 1.2 * SMALL_FONT
            for x, y in _places_along(route):
                if not any(_overlap((x, y, *size), other) for other in taken):
                    taken.append((x, y, *size))
                    ax.add_artist(ScaledText(x, y, text, (SMALL_FONT, SMALL_FONT), **style))
                    break


def _points(ax: Axes) -> np.ndarray:
    """Return width and height of axes in points."""
    box = ax.get_window_extent()
    return np.array([box.width, box.height]) * POINTS_PER_INCH / figure_of(ax).dpi


def _text(node: Hashable, size: int | None, n_letters: int, n_lines: int) -> str:
    """Return what stands in a node's box."""
    name = "".join(letter if letter.isprintable() else " " for letter in str(node))
    name = wrapped(name, n_letters, n_lines)
    return name if size is None else f"{name}\n({size} outcomes)"


def _box(text: str) -> tuple[float, float]:
    """Return width and height of the box around a text."""
    from matplotlib.textpath import TextPath

    lines = text.split("\n")
    paths = [
        TextPath((0, 0), line.replace("$", r"\$"), size=FONT) for line in lines if line.strip()
    ]
    width = max((path.get_extents().width for path in paths), default=FONT)
    return width + 2 * PADDING, 1.25 * FONT * len(lines) + PADDING


def _places_along(route: np.ndarray) -> Iterator[tuple[float, float]]:
    """Yield places on the curved parts of a route, the middles first."""
    for share in (0.5, 0.4, 0.6, 0.3, 0.7):
        rest = 1 - share
        weights = np.array([rest**3, 3 * share * rest**2, 3 * share**2 * rest, share**3])
        start = route[1]
        for letter, points in strokes(route):
            if letter == "C":
                x, y = weights @ np.vstack([start, points])
                yield float(x), float(y)
            start = points[-1]


def _overlap(first: tuple[float, ...], second: tuple[float, ...]) -> bool:
    """Tell whether two boxes (middle, width, height) overlap."""
    apart = np.abs(np.subtract(first[:2], second[:2]))
    return bool((apart < np.add(first[2:], second[2:]) / 2 + 1.0).all())
