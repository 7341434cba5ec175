"""A picture of a graph as SVG, for notebooks; it needs neither matplotlib nor Graphviz."""

from __future__ import annotations

import html
from collections.abc import Collection

import networkx as nx
import numpy as np

from .._base.names import printable
from .._structure.digraphs import doubtful_edges, is_by_chance, number_at_edge
from .._structure.graph_picture import LINE, Edge, GraphPicture, strokes, width_of_line

FONT = 13.0  # pixels
LONGEST_LINE, MAX_LINES = 16, 4  # letters of names, and lines
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
        The graph; nodes have the attribute ``size``, edges may have ``weight`` and
        ``adjacent``, by which lines and arrows are wide.
    solid : collection of (hashable, hashable)
        The compelled edges.

    Returns
    -------
    str
        One ``<svg>`` element. Names are escaped.
    """
    picture = GraphPicture.of(graph, FONT, LONGEST_LINE, MAX_LINES)
    width, height = (round(length + 2 * MARGIN) for length in picture.layout.size)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="{-MARGIN:g} {-MARGIN:g} {width} {height}" role="img" '
        f'font-family="sans-serif" font-size="{FONT:g}">',
        f'<rect x="{-MARGIN:g}" y="{-MARGIN:g}" width="{width}" height="{height}" fill="white"/>',
        f"<title>{_described(graph, solid)}</title>",
    ]
    parts += [f'<g opacity="{PALE}">'] if picture.is_pale else []
    for edge, route in picture.layout.routes.items():
        _, weight = number_at_edge(graph.edges[edge], edge in solid)
        parts += _edge(route, weight, edge in solid, edge in picture.dashed)
    for node, text in picture.texts.items():
        frame = picture.layout.centres[node], picture.boxes[node]
        parts += _node(*frame, text.split("\n"), node in picture.contexts)
    return "".join([*parts, "</g></svg>" if picture.is_pale else "</svg>"])


def _described(graph: nx.DiGraph, solid: Collection[Edge]) -> str:
    """Return the graph in words, escaped."""
    edges = [f"{u} -> {v}" if (u, v) in solid else f"{u} - {v}" for u, v in graph.edges]
    text = f"Graph of {', '.join(map(str, graph))}. Edges: {', '.join(edges) or 'none'}."
    text += " Nodes were placed by chance." if is_by_chance(graph) else ""
    text += " Dashed: of nodes that are not told to be factors." if doubtful_edges(graph) else ""
    return html.escape(printable(text))


def _edge(
    route: np.ndarray, weight: float | None, is_compelled: bool, is_dashed: bool
) -> list[str]:
    """Draw an edge: in turn straight and curved, with a head if it is compelled."""
    width = width_of_line(weight, *EDGE_WIDTHS, unknown=0.5)
    colour = COMPELLED if is_compelled else REVERSIBLE
    tip, route = route[-1], route.copy()
    if is_compelled:
        route[-2:, 0] = np.minimum(route[-2:, 0], tip[0] - HEAD)
    path = [f"{letter} {' '.join(map(_point, points))}" for letter, points in strokes(route)]
    dashes = ' stroke-dasharray="6 4"' if is_dashed else ""
    parts = [
        f'<path d="{" ".join(path)}" fill="none" stroke="{colour}" stroke-width="{width:.1f}"'
        f"{dashes}/>"
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
    centre: tuple[float, float], box: tuple[float, float], lines: list[str], is_context: bool
) -> list[str]:
    """Draw a node's box and its lines of text, the last of which is the number of outcomes."""
    (x, y), (width, height) = centre, box
    look = f'rx="6" fill="{COLOURS["box"]}"'
    if is_context:
        look = 'stroke-dasharray="4" fill="white"'
    parts = [
        f'<rect x="{x - width / 2:.1f}" y="{y - height / 2:.1f}" width="{width:.1f}" '
        f'height="{height:.1f}" {look} stroke="{COLOURS["frame"]}"/>'
    ]
    for number, text in enumerate(lines):
        baseline = y + (number - len(lines) / 2 + 0.75) * LINE * FONT
        colour = COLOURS["sizes" if number == len(lines) - 1 else "text"]
        parts.append(
            f'<text x="{x:.1f}" y="{baseline:.1f}" text-anchor="middle" fill="{colour}">'
            f"{html.escape(text)}</text>"
        )
    return parts
