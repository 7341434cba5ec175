"""A picture of a graph as SVG, for notebooks; it needs neither matplotlib nor Graphviz."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Collection, Hashable

import networkx as nx
import numpy as np

from .._structure.digraphs import is_by_chance
from .._structure.layered_layout import Edge, LayeredLayout, layered_layout, strokes

FONT = 13.0  # pixels
LETTER = 0.62 * FONT  # width of a letter of a sans-serif font, rather too wide
LINE = 1.3 * FONT
LONGEST_LINE = 16  # letters
MAX_LINES = 4
PADDING = 8.0
MARGIN = 6.0
HEAD = 10.0  # length of an arrow's head
EDGE_WIDTHS = 1.0, 4.0  # of weight 0 and 1
COLOURS = {"box": "#f2f2f2", "frame": "#4d4d4d", "text": "#1a1a1a", "sizes": "#4d4d4d"}
COMPELLED, REVERSIBLE = "#0b5394", "#6b6b6b"
PALE = 0.4  # opacity where nodes were placed by chance


def to_svg(graph: nx.DiGraph, solid: Collection[Edge]) -> str:
    """Draw a graph from left to right; edges that are not ``solid`` have no head.

    Parameters
    ----------
    graph : networkx.DiGraph
        The graph; nodes have the attribute ``size``, edges may have ``weight``.
    solid : collection of (hashable, hashable)
        The compelled edges.

    Returns
    -------
    str
        One ``<svg>`` element. Names are escaped.
    """
    lines = {node: _lines(node, graph.nodes[node]["size"]) for node in graph}
    boxes = {node: _box(texts) for node, texts in lines.items()}
    layout = layered_layout(graph, boxes)
    width, height = (round(length + 2 * MARGIN) for length in layout.size)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="{-MARGIN:g} {-MARGIN:g} {width} {height}" role="img" '
        f'font-family="sans-serif" font-size="{FONT:g}">',
        f'<rect x="{-MARGIN:g}" y="{-MARGIN:g}" width="{width}" height="{height}" fill="white"/>',
        f"<title>{_described(graph, solid)}</title>",
    ]
    pale = is_by_chance(graph)
    parts += [f'<g opacity="{PALE}">'] if pale else []
    for edge, route in layout.routes.items():
        parts += _edge(route, graph.edges[edge].get("weight"), edge in solid)
    for node, texts in lines.items():
        parts += _node(layout, node, boxes[node], texts)
    return "".join([*parts, "</g></svg>" if pale else "</svg>"])


def _lines(node: Hashable, size: int) -> list[str]:
    """Return the lines of a name, and how many outcomes the node has."""
    lines = [""]
    for word in re.findall(r"[^ _-]{1,16}[ _-]?|[ _-]", _printable(node)):
        if len(lines[-1] + word.rstrip()) > LONGEST_LINE:
            lines.append("")
        lines[-1] += word
    if len(lines) > MAX_LINES:
        lines = [*lines[: MAX_LINES - 1], "…"]
    return [*lines, f"{size} outcomes"]


def _printable(name: Hashable) -> str:
    """Return a name without control characters, which XML does not allow."""
    return "".join(letter if letter.isprintable() else " " for letter in str(name))


def _width(text: str) -> float:
    """Return about how wide a text is."""
    wide = sum(
        letter in "MWmw@%" or unicodedata.east_asian_width(letter) in "WF" for letter in text
    )
    capital = sum(letter.isupper() for letter in text)
    return LETTER * (len(text) + 0.7 * wide + 0.2 * capital)


def _box(texts: list[str]) -> tuple[float, float]:
    """Return width and height of a node's box."""
    width = max(_width(text) for text in texts)
    return width + 2 * PADDING, LINE * len(texts) + PADDING


def _described(graph: nx.DiGraph, solid: Collection[Edge]) -> str:
    """Return the graph in words, escaped."""
    edges = [f"{u} -> {v}" if (u, v) in solid else f"{u} - {v}" for u, v in graph.edges]
    text = f"Graph of {', '.join(map(str, graph))}. Edges: {', '.join(edges) or 'none'}."
    text += " Nodes were placed by chance." if is_by_chance(graph) else ""
    return html.escape(_printable(text))


def _edge(route: np.ndarray, weight: float | None, is_compelled: bool) -> list[str]:
    """Draw an edge: in turn straight and curved, with a head if it is compelled."""
    thin, thick = EDGE_WIDTHS
    width = (thin + thick) / 2 if weight is None else thin + (thick - thin) * min(weight, 1.0)
    colour = COMPELLED if is_compelled else REVERSIBLE
    tip, route = route[-1], route.copy()
    if is_compelled:
        route[-2:, 0] = np.minimum(route[-2:, 0], tip[0] - HEAD)
    path = [f"{letter} {' '.join(map(_point, points))}" for letter, points in strokes(route)]
    parts = [
        f'<path d="{" ".join(path)}" fill="none" stroke="{colour}" stroke-width="{width:.1f}"/>'
    ]
    if is_compelled:
        half = HEAD / 2 + width / 2
        corners = [tip, (tip[0] - HEAD, tip[1] - half), (tip[0] - HEAD, tip[1] + half)]
        points = " ".join(map(_point, corners))
        parts.append(f'<polygon points="{points}" fill="{colour}"/>')
    return parts


def _point(xy: np.ndarray | tuple[float, float]) -> str:
    """Write a point."""
    return f"{xy[0]:.1f},{xy[1]:.1f}"


def _node(
    layout: LayeredLayout, node: Hashable, box: tuple[float, float], texts: list[str]
) -> list[str]:
    """Draw a node's box and its lines of text."""
    (x, y), (width, height) = layout.centres[node], box
    parts = [
        f'<rect x="{x - width / 2:.1f}" y="{y - height / 2:.1f}" width="{width:.1f}" '
        f'height="{height:.1f}" rx="6" fill="{COLOURS["box"]}" stroke="{COLOURS["frame"]}"/>'
    ]
    for number, text in enumerate(texts):
        baseline = y + (number - len(texts) / 2 + 0.75) * LINE
        colour = COLOURS["sizes" if number == len(texts) - 1 else "text"]
        parts.append(
            f'<text x="{x:.1f}" y="{baseline:.1f}" text-anchor="middle" fill="{colour}">'
            f"{html.escape(text)}</text>"
        )
    return parts
