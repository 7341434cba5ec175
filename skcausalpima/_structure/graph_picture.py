"""The picture of a DAG, whoever draws it: boxes with texts in layers, and edges to the right."""

from __future__ import annotations

import unicodedata
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from typing import Self, TypeAlias

import networkx as nx
import numpy as np
from sklearn.isotonic import isotonic_regression

from .._base.names import broken, printable
from .digraphs import contexts_of, doubtful_edges, is_by_chance

Edge: TypeAlias = tuple[Hashable, Hashable]

SWEEPS = 8  # through the layers, to have few crossings; and again, to have straight edges
LANE = 12.0  # height that an edge has to itself where it passes a layer
LEAD = 12.0  # of an edge, straight, before the first box of a layer and behind the last
PORTS = 0.7  # part of the side of a box at which edges begin and end
# In sizes of the font.
LETTER = 0.62  # width of a letter of a sans-serif font, rather too wide
LINE = 1.3
PADDING = 0.65
GAPS, COMPACT_GAPS = (5.0, 2.0), (3.0, 1.0)  # between boxes (arbitrary)


@dataclass(frozen=True)
class Passing:
    """Where an edge passes a layer between its ends."""

    edge: Edge
    layer: int


#: What is placed in a layer: a node, or an edge that passes.
Item: TypeAlias = Hashable | Passing


@dataclass(frozen=True, kw_only=True)
class LayeredLayout:
    """A drawing of a DAG: x to the right, y downwards, both from 0.

    Parameters
    ----------
    size : tuple of float
        Width and height.
    centres : dict of hashable to tuple of float
        Where the middle of each node's box is.
    routes : dict of (hashable, hashable) to ndarray of shape (n_points, 2)
        Of each edge, from the right side of the parent to the left side of the child: points
        between which it runs in turn straight, past the boxes of a layer, and curved, across a
        gap. It begins and ends straight.
    """

    size: tuple[float, float]
    centres: dict[Hashable, tuple[float, float]]
    routes: dict[Edge, np.ndarray]


def layered_layout(
    graph: nx.DiGraph,
    boxes: Mapping[Hashable, tuple[float, float]],
    gaps: tuple[float, float] = (60.0, 24.0),
) -> LayeredLayout:
    """Lay out a DAG so that edges run to the right and boxes do not overlap.

    Layers by longest paths, few crossings by barycentres, and edges that are as straight as the
    boxes leave them room to be (K. Sugiyama, S. Tagawa and M. Toda, "Methods for visual
    understanding of hierarchical system structures", 1981).

    Parameters
    ----------
    graph : networkx.DiGraph
        An acyclic graph with at least one node.
    boxes : mapping of hashable to tuple of float
        Width and height of each node's box.
    gaps : tuple of float, default=(60.0, 24.0)
        Least distance between the boxes of two layers, above 24, and within a layer.

    Returns
    -------
    LayeredLayout
        Positions in the unit of the boxes.

    Examples
    --------
    >>> import networkx as nx
    >>> from skcausalpima._structure.graph_picture import layered_layout
    >>> found = layered_layout(nx.DiGraph([("a", "b")]), {"a": (40, 20), "b": (40, 20)})
    >>> found.size, found.centres["a"]
    ((140.0, 20.0), (20.0, 10.0))
    >>> found.routes["a", "b"]
    array([[ 40.,  10.],
           [ 52.,  10.],
           [ 88.,  10.],
           [100.,  10.]])
    """
    links, layers = _with_passing_edges(graph, _layers(graph))
    layers = _few_crossings(links, layers)
    rooms = {item: boxes[item][1] + gaps[1] if item in boxes else LANE for item in links}
    positions = _straightened(links, layers, rooms)
    taken = {item: boxes[item][1] if item in boxes else LANE for item in links}
    top = min(positions[item] - taken[item] / 2 for item in links)
    positions = {item: y - top for item, y in positions.items()}
    widths = [max((boxes[i][0] for i in layer if i in boxes), default=0.0) for layer in layers]
    lefts = np.concatenate([[0.0], np.cumsum(np.array(widths[:-1]) + gaps[0])])
    ends = zip(lefts.tolist(), widths, strict=True)
    columns = [(left - LEAD, left + width + LEAD) for left, width in ends]
    column_of = {i: column for column, layer in zip(columns, layers, strict=True) for i in layer}
    centres = {node: (float(np.mean(column_of[node])), positions[node]) for node in graph}
    lanes: dict[Edge, list[tuple[float, float]]] = {edge: [] for edge in graph.edges}
    for layer in layers:
        for item in layer:
            if isinstance(item, Passing):
                lanes[item.edge] += [(x, positions[item]) for x in column_of[item]]
    bottom = max(positions[item] + taken[item] / 2 for item in links)
    return LayeredLayout(
        size=(columns[-1][1] - LEAD, float(bottom)),
        centres=centres,
        routes=_routes(graph, boxes, centres, column_of, lanes),
    )


def strokes(route: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """Yield how a pen draws a route, in the letters of SVG's paths.

    Parameters
    ----------
    route : ndarray of shape (n_points, 2)
        One of :class:`LayeredLayout`.

    Yields
    ------
    letter : {"M", "L", "C"}
        Move, line, or cubic Bezier curve.
    points : ndarray of shape (1, 2) or (3, 2)
        Where to, and of a curve the two control points before.
    """
    yield "M", route[:1]
    yield "L", route[1:2]
    for start, end, after in zip(route[1:-1:2], route[2::2], route[3::2], strict=True):
        middle = (start[0] + end[0]) / 2
        yield "C", np.array([(middle, start[1]), (middle, end[1]), end])
        yield "L", after[None]


def _layers(graph: nx.DiGraph) -> dict[Hashable, int]:
    """Return the layer of each node; nodes without edges are spread over the layers."""
    number = {}
    for layer, nodes in enumerate(nx.topological_generations(graph)):
        number.update(dict.fromkeys(nodes, layer))
    alone = [node for node in graph if graph.degree(node) == 0]
    for node in graph:
        if graph.in_degree(node) == 0 and graph.out_degree(node) > 0:
            number[node] = min(number[child] for child in graph.successors(node)) - 1
    n_layers = max(max(number.values()) + 1, int(np.ceil(np.sqrt(len(alone)))))
    number.update({node: position % n_layers for position, node in enumerate(alone)})
    return number


def _with_passing_edges(
    graph: nx.DiGraph, number: Mapping[Hashable, int]
) -> tuple[nx.DiGraph, list[list[Item]]]:
    """Cut edges into links between neighbouring layers; return links and the items of layers."""
    links = nx.DiGraph()
    layers: list[list[Item]] = [[] for _ in range(max(number.values()) + 1)]
    for node in graph:
        links.add_node(node)
        layers[number[node]].append(node)
    for parent, child in graph.edges:
        between = range(number[parent] + 1, number[child])
        passing = [Passing((parent, child), layer) for layer in between]
        nx.add_path(links, [parent, *passing, child])
        for layer, item in zip(between, passing, strict=True):
            layers[layer].append(item)
    return links, layers


def _few_crossings(links: nx.DiGraph, layers: list[list[Item]]) -> list[list[Item]]:
    """Order the items of each layer by the mean position of what they are linked with."""
    best, fewest = layers, _n_crossings(links, layers)
    for sweep in range(SWEEPS):
        rightwards = sweep % 2 == 0
        neighbours = links.predecessors if rightwards else links.successors
        layers = [list(layer) for layer in layers]
        positions: dict[Item, float] = {}
        for layer in layers if rightwards else reversed(layers):
            means = {}
            for position, item in enumerate(layer):
                linked = [positions[other] for other in neighbours(item)]
                means[item] = float(np.mean(linked)) if linked else position / max(len(layer), 1)
            layer.sort(key=means.__getitem__)
            positions.update({item: position / len(layer) for position, item in enumerate(layer)})
        n_crossings = _n_crossings(links, layers)
        if n_crossings < fewest:
            best, fewest = layers, n_crossings
    return best


def _n_crossings(links: nx.DiGraph, layers: list[list[Item]]) -> int:
    """Count the pairs of links that cross."""
    positions = {item: number for layer in layers for number, item in enumerate(layer)}
    total = 0
    for layer in layers:
        ends = [[positions[i], positions[other]] for i in layer for other in links.successors(i)]
        if ends:
            first, second = np.array(ends).T
            crossed = (first[:, None] < first) & (second[:, None] > second)
            total += int(crossed.sum())
    return total


def _straightened(
    links: nx.DiGraph, layers: list[list[Item]], rooms: Mapping[Item, float]
) -> dict[Item, float]:
    """Return y of each item: near the mean of what it is linked with, in the layer's order."""
    positions: dict[Item, float] = {}
    offsets = []
    for layer in layers:
        room = np.array([rooms[item] for item in layer])
        offsets.append(np.concatenate([[0.0], np.cumsum((room[:-1] + room[1:]) / 2)]))
        positions.update(zip(layer, offsets[-1] - offsets[-1][-1] / 2, strict=True))
    for sweep in range(2 * SWEEPS):
        order = range(len(layers)) if sweep % 2 == 0 else reversed(range(len(layers)))
        for number in order:
            layer = layers[number]
            wanted = np.array([_wanted(links, positions, item) for item in layer])
            free = isotonic_regression(wanted - offsets[number])
            positions.update(zip(layer, (free + offsets[number]).tolist(), strict=True))
    return positions


def _wanted(links: nx.DiGraph, positions: Mapping[Item, float], item: Item) -> float:
    """Return the mean position of what an item is linked with; its own, where that is nothing."""
    linked = [
        positions[other] for neighbours in (links.pred, links.succ) for other in neighbours[item]
    ]
    return float(np.mean(linked)) if linked else positions[item]


def _routes(
    graph: nx.DiGraph,
    boxes: Mapping[Hashable, tuple[float, float]],
    centres: Mapping[Hashable, tuple[float, float]],
    columns: Mapping[Hashable, tuple[float, float]],
    lanes: Mapping[Edge, list[tuple[float, float]]],
) -> dict[Edge, np.ndarray]:
    """Return the points of each edge.

    ``columns`` has the left and right end of each node's layer, ``lanes`` the points at which each
    edge enters and leaves the layers in between.
    """
    ports: dict[tuple[Edge, Hashable], tuple[float, float]] = {}
    for node in graph:
        for edges, step, sign in ((graph.out_edges(node), 0, 1), (graph.in_edges(node), -1, -1)):
            ahead = {e: lanes[e][step] if lanes[e] else centres[e[0 if step else 1]] for e in edges}
            for number, edge in enumerate(sorted(ahead, key=lambda e: ahead[e][1])):
                share = PORTS * ((number + 0.5) / len(ahead) - 0.5)
                x, y = centres[node]
                ports[edge, node] = (x + sign * boxes[node][0] / 2, y + share * boxes[node][1])
    routes = {}
    for parent, child in graph.edges:
        start, end = ports[(parent, child), parent], ports[(parent, child), child]
        way = [start, (columns[parent][1], start[1]), *lanes[parent, child]]
        routes[parent, child] = np.array([*way, (columns[child][0], end[1]), end])
    return routes


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
    dashed : frozenset of (hashable, hashable)
        Edges at nodes that are not told to be factors.
    """

    texts: dict[Hashable, str]
    boxes: dict[Hashable, tuple[float, float]]
    layout: LayeredLayout
    is_pale: bool
    contexts: frozenset[Hashable]
    dashed: frozenset[Edge]

    @classmethod
    def of(
        cls,
        graph: nx.DiGraph,
        font: float,
        n_letters: int,
        n_lines: int,
        is_compact: bool = False,
    ) -> Self:
        """Lay out a graph with names in a font, in so many lines of so many letters.

        A compact one has narrow gaps, and does not say how many outcomes there are.
        """
        texts, contexts = {}, contexts_of(graph)
        for node, size in graph.nodes(data="size"):
            texts[node] = broken(printable(node), n_letters, n_lines)
            values = "labels" if node in contexts else "outcomes"
            texts[node] += "" if size is None or is_compact else f"\n({size} {values})"
        boxes = {node: _box(text.split("\n"), font) for node, text in texts.items()}
        gaps = COMPACT_GAPS if is_compact else GAPS
        layout = layered_layout(graph, boxes, (gaps[0] * font, gaps[1] * font))
        return cls(
            texts=texts,
            boxes=boxes,
            layout=layout,
            is_pale=is_by_chance(graph),
            contexts=contexts,
            dashed=doubtful_edges(graph),
        )


def width_of_line(weight: float | None, thin: float, thick: float, unknown: float) -> float:
    """Return the width of an edge of a weight in [0, 1], between those of 0 and 1."""
    share = unknown if weight is None else min(max(weight, 0.0), 1.0)
    return thin + (thick - thin) * share


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
