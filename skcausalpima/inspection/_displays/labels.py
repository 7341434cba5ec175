"""Names that fit into pictures, and labels of points that do not cover each other.

Names are data as they are; what :func:`plain`, :func:`shortened`, :func:`wrapped` and
:func:`listed` return is drawn: matplotlib does not take it for mathematics.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from ..._base.names import broken, cut, filled, printable
from .display import POINTS_PER_INCH, Axes
from .styles import Look, ground

if TYPE_CHECKING:
    from matplotlib.text import Annotation

N_RINGS, N_ANGLES = 24, 24  # of places around a point
GAP = 2.0  # pixels between labels
RINGS_PER_POINT = 1.0  # so much farther a label stands rather than below one more point, arbitrary
MARKER = 3.0  # pixels from the middle of a point to its rim
ENOUGH_POINTS = 1500  # of which places are asked whether they cover them
BELOW = 0.9  # the order of drawing: points are drawn later
MAX_HEADER_LINES, OUTCOME_LETTERS = 3, 8


def plain(name: object) -> str:
    """Return a name that matplotlib does not take for mathematics.

    Examples
    --------
    >>> from skcausalpima.inspection._displays.labels import plain
    >>> print(plain("cost ($)"))
    cost (\\$)
    """
    return str(name).replace("$", r"\$")


def shortened(name: object, n_letters: int) -> str:
    """Return a name cut for drawing."""
    return plain(cut(name, n_letters))


def wrapped(name: object, n_letters: int, n_lines: int = 2) -> str:
    """Return a name broken into lines for drawing."""
    return plain(broken(name, n_letters, n_lines))


def listed(names: Sequence[object], n_letters: int, n_lines: int = 3) -> str:
    """Write names one behind the other, the long ones shortened alike until they fit.

    Examples
    --------
    >>> from skcausalpima.inspection._displays.labels import listed
    >>> print(listed(["hue", "temperature_of_the_print_bed", "radius"], 24, 2))
    hue, temperatu…rint_bed,
    radius
    """
    texts = list(map(printable, names))
    for longest in range(min(max(map(len, texts), default=1), n_letters - 1), 0, -1):
        words = ", \0".join(cut(name, longest) for name in texts).split("\0")
        lines = filled(words, n_letters)
        if len(lines) <= n_lines:
            return plain("\n".join(line.rstrip() for line in lines))
    return shortened(", ".join(texts), n_letters)


def told_apart(names: Sequence[str], n_letters: int) -> list[str]:
    """Cut names; where that makes two of them alike, take off first how all of them begin and end.

    Examples
    --------
    >>> from skcausalpima.inspection._displays.labels import told_apart
    >>> told_apart(["room 1 of the house", "room 22 of the house"], 9)
    ['…1…', '…22…']
    """
    short = [cut(name, n_letters) for name in names]
    if len(set(short)) == len(set(names)):
        return short
    n_first = _n_shared(names)
    n_last = _n_shared([name[n_first:][::-1] for name in names])
    return [
        "…" * (n_first > 0)
        + cut(name[n_first : len(name) - n_last], n_letters - 2)
        + "…" * (n_last > 0)
        for name in names
    ]


def _n_shared(names: Sequence[str]) -> int:
    """Return how many letters all names begin with."""
    alike = [len(set(letters)) == 1 for letters in zip(*names, strict=False)]
    return [*alike, False].index(False)


def cell_names(
    outcomes: ArrayLike, names: Sequence[Sequence[str]], n_letters: int = OUTCOME_LETTERS
) -> list[str]:
    """Write the outcomes of each cell: "010", or with commas where one takes several letters.

    Parameters
    ----------
    outcomes : ndarray of int of shape (n_cells, n_nodes)
        Outcomes.
    names : sequence of sequences of str
        Names of the outcomes of each node.
    n_letters : int, default=8
        Longest name of an outcome.

    Examples
    --------
    >>> from skcausalpima.inspection._displays.labels import cell_names
    >>> cell_names([[0, 1], [1, 0]], ["01", ("steel", "brass")])
    ['0,brass', '1,steel']
    """
    parts = [
        [cut(of_node[k], n_letters) for of_node, k in zip(names, row, strict=True)]
        for row in np.asarray(outcomes).tolist()
    ]
    is_short = all(len(part) == 1 for row in parts for part in row)
    return [("" if is_short else ",").join(row) for row in parts]


@dataclass(frozen=True)
class NodeNames:
    """Names of nodes and of their outcomes.

    Parameters
    ----------
    nodes : tuple of str
        Names of the nodes.
    outcomes : tuple of tuple of str
        Names of the outcomes of each.
    """

    nodes: tuple[str, ...]
    outcomes: tuple[tuple[str, ...], ...]

    def take(self, nodes: slice) -> NodeNames:
        """Return the names of some of the nodes."""
        return NodeNames(self.nodes[nodes], self.outcomes[nodes])

    def headers(self, outcomes: np.ndarray, n_letters: int) -> tuple[list[str], bool]:
        """Return one header per row of outcomes, and whether it names the nodes.

        It is a line "node = outcome" for each node if these fit into ``n_letters``, else the
        outcomes alone. Headers can be drawn.
        """
        named = list(zip(self.nodes, self.outcomes, strict=True))
        lines = [
            [f"{node} = {names[k]}" for (node, names), k in zip(named, row, strict=True)]
            for row in np.asarray(outcomes).tolist()
        ]
        longest = max((len(line) for row in lines for line in row), default=0)
        if longest <= n_letters and len(self.nodes) <= MAX_HEADER_LINES:
            return [plain("\n".join(row)) for row in lines], True
        room = max(OUTCOME_LETTERS, (n_letters + 1) // len(self.nodes) - 1)
        cells = cell_names(outcomes, self.outcomes, room)
        return [shortened(name, n_letters) for name in cells], False


def named_nodes(
    names: Sequence[str], sizes: Sequence[int], outcomes: Sequence[Sequence[str]] | None = None
) -> NodeNames:
    """Return names of nodes; outcomes without names are numbers."""
    if len(names) != len(sizes) or (outcomes is not None and len(outcomes) != len(sizes)):
        raise ValueError(
            f"there are {len(sizes)} nodes: give a name for each in node_names, got {list(names)}, "
            "and the names of its outcomes in outcome_names, or None."
        )
    stated = [range(size) for size in sizes] if outcomes is None else outcomes
    for name, size, named in zip(names, sizes, stated, strict=True):
        if len(named) != size:
            raise ValueError(
                f"outcome_names has {len(named)} names for the {size} outcomes of node {name!r}: "
                "give one for each."
            )
    return NodeNames(
        tuple(map(printable, names)), tuple(tuple(map(printable, named)) for named in stated)
    )


def outcomes_of(
    states: Mapping[Hashable, Sequence[str]] | None, node: Hashable, size: int
) -> list[str]:
    """Return the names of a node's outcomes, numbers where it has none."""
    return list(map(printable, (states or {}).get(node, range(size))))


def label_points(
    ax: Axes,
    points: np.ndarray,
    labels: Sequence[str],
    font_size: float,
    beside: np.ndarray | None = None,
) -> list[Annotation]:
    """Write a label at each point, or beside it with a line to it where something else is.

    It covers no other label and as few as can be of the points in ``beside``, of shape
    (n_points, 2), which are above it. The figure is laid out first: labels are placed for its
    present size.
    """
    figure = ax.figure
    frame = {"boxstyle": "round,pad=0.15", "fc": ground(), "alpha": 0.85, "lw": 0}
    arrow = {"arrowstyle": "-", "lw": 0.6, "shrinkA": 0, "shrinkB": 0}
    look: Look = {"ha": "center", "va": "center", "fontsize": font_size, "weight": "bold"}
    look |= {"textcoords": "offset points", "bbox": frame, "arrowprops": arrow, "zorder": BELOW}
    written = []
    for point, label in zip(points, labels, strict=True):
        text = ax.annotate(label, tuple(point), (0, 0), **look)
        text.set_in_layout(False)
        written.append(text)
    page = figure.canvas.figure
    if (engine := page.get_layout_engine()) is not None:
        engine.execute(page)
    area, taken = np.array(ax.get_window_extent().extents), np.empty((0, 4))
    markers = np.empty((0, 2)) if beside is None else ax.transData.transform(beside)
    markers = markers[:: max(1, len(markers) // ENOUGH_POINTS)]
    for text in written:
        box = np.array(text.get_window_extent().extents)
        shift, moved = _free_box(box, taken, area, markers)
        text.set_position(tuple(shift * POINTS_PER_INCH / figure.dpi))
        taken = np.vstack([taken, moved])
    return written


def _free_box(
    box: np.ndarray, taken: np.ndarray, area: np.ndarray, markers: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return by how much a box moves to be free and within an area, and the moved box.

    Boxes are (left, bottom, right, top). Nearer ones are preferred, and those with few of the
    middles of ``markers`` in them. Where there is no free one, the box stays.
    """
    angles = np.linspace(0, 2 * np.pi, N_ANGLES, endpoint=False)
    step = (box[3] - box[1]) / 2 + GAP
    rings = np.outer(np.arange(1, N_RINGS + 1) * step, np.ones(N_ANGLES))
    ring = np.stack([1.5 * np.cos(angles), np.sin(angles)], axis=1)
    shifts = np.vstack([np.zeros((1, 2)), (rings[:, :, None] * ring).reshape(-1, 2)])
    moved = box + np.tile(shifts, 2)
    inside = (moved[:, :2] >= area[:2]).all(axis=1) & (moved[:, 2:] <= area[2:]).all(axis=1)
    apart_x = (moved[:, None, 0] > taken[:, 2] + GAP) | (moved[:, None, 2] + GAP < taken[:, 0])
    apart_y = (moved[:, None, 1] > taken[:, 3] + GAP) | (moved[:, None, 3] + GAP < taken[:, 1])
    free = np.flatnonzero(inside & (apart_x | apart_y).all(axis=1))
    if len(free) == 0:
        return shifts[0], moved[0]
    above = (markers > moved[free, None, :2] - MARKER) & (markers < moved[free, None, 2:] + MARKER)
    n_covered = np.minimum(above.all(axis=2).sum(axis=1), N_RINGS / RINGS_PER_POINT)
    best = free[(n_covered * RINGS_PER_POINT + (free + N_ANGLES - 1) // N_ANGLES).argmin()]
    return shifts[best], moved[best]
