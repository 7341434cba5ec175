"""The picture of a graph, whoever draws it: boxes with texts, and the edges between them."""

from __future__ import annotations

import unicodedata
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Self

import networkx as nx

from .._names import broken
from .digraphs import contexts_of, is_by_chance
from .layered_layout import LayeredLayout, layered_layout

# In sizes of the font.
LETTER = 0.62  # width of a letter of a sans-serif font, rather too wide
LINE = 1.3
PADDING = 0.65
GAPS = (5.0, 2.0)  # between boxes


@dataclass(frozen=True, kw_only=True)
class GraphPicture:
    """Boxes with texts, and the edges between them.

    Parameters
    ----------
    texts : dict of hashable to str
        What stands in the box of each node, in lines.
    boxes : dict of hashable to tuple of float
        Its width and height.
    layout : LayeredLayout
        The places of boxes and edges.
    is_pale : bool
        Whether all is pale, since nodes were placed by chance.
    contexts : frozenset of hashable
        Nodes that are contexts, whose boxes look different.
    """

    texts: dict[Hashable, str]
    boxes: dict[Hashable, tuple[float, float]]
    layout: LayeredLayout
    is_pale: bool
    contexts: frozenset[Hashable]

    @classmethod
    def of(cls, graph: nx.DiGraph, font: float, n_letters: int, n_lines: int) -> Self:
        """Lay out a graph with names in a font, in so many lines of so many letters."""
        texts, contexts = {}, contexts_of(graph)
        for node, size in graph.nodes(data="size"):
            texts[node] = broken(printable(node), n_letters, n_lines)
            values = "labels" if node in contexts else "outcomes"
            texts[node] += "" if size is None else f"\n({size} {values})"
        boxes = {node: _box(text.split("\n"), font) for node, text in texts.items()}
        layout = layered_layout(graph, boxes, (GAPS[0] * font, GAPS[1] * font))
        return cls(
            texts=texts,
            boxes=boxes,
            layout=layout,
            is_pale=is_by_chance(graph),
            contexts=contexts,
        )


def width_of_line(weight: float | None, thin: float, thick: float, unknown: float) -> float:
    """Return the width of an edge of a weight in [0, 1], between those of 0 and 1."""
    share = unknown if weight is None else min(max(weight, 0.0), 1.0)
    return thin + (thick - thin) * share


def printable(name: Hashable) -> str:
    """Return a name without control characters, which XML does not allow."""
    return "".join(letter if letter.isprintable() else " " for letter in str(name))


def _box(lines: list[str], font: float) -> tuple[float, float]:
    """Return width and height of a node's box."""
    width = LETTER * max(map(_width, lines)) + 2 * PADDING
    return width * font, (LINE * len(lines) + PADDING) * font


def _width(text: str) -> float:
    """Return about how wide a text is, in letters."""
    wide = sum(
        letter in "MWmw@%" or unicodedata.east_asian_width(letter) in "WF" for letter in text
    )
    return len(text) + 0.7 * wide + 0.2 * sum(map(str.isupper, text))
