"""The cells of the grid of nodes on paper: rows and columns, and what is written beside them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..._grid import NodeGrid
from .display import (
    LETTER_WIDTH,
    POINTS_PER_INCH,
    Axes,
    Look,
    inches,
    letters_across,
    letters_that_fit,
)
from .labels import cell_names, listed, plain, shortened

WIDE = 1.3  # columns per row that are aimed at
HEADER_SIZE = 8
TITLE_SIZE, MIN_TITLE_SIZE = 7, 5
MAX_HEADER_LINES = 3
CAPTION_SIZE = 9
ROW_HEADER_INCHES = 1.0
OUTCOME_LETTERS = 8


@dataclass(frozen=True)
class CellTable:
    """Where the cells of a grid are drawn: the first nodes are rows, the others columns.

    Parameters
    ----------
    sizes : tuple of int
        Numbers of outcomes of the nodes.

    Examples
    --------
    >>> from skcausalpima.inspection._displays.panels import CellTable
    >>> CellTable((2, 2, 2, 2, 2, 2)).shape, CellTable((3, 2)).shape, CellTable((10,)).shape
    ((8, 8), (3, 2), (2, 5))
    """

    sizes: tuple[int, ...]

    @property
    def n_row_nodes(self) -> int:
        """How many nodes are rows; 0 for a single node, whose outcomes fill lines like words."""
        if len(self.sizes) == 1:
            return 0
        return min(range(1, len(self.sizes)), key=self._distance)

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of rows and columns."""
        if len(self.sizes) == 1:
            return _lines_of(self.sizes[0])
        return math.prod(self.sizes[: self.n_row_nodes]), math.prod(self.sizes[self.n_row_nodes :])

    def place(self, cell: int) -> tuple[int, int]:
        """Return row and column of a cell, by its number in C order."""
        return divmod(cell, self.shape[1])

    def _distance(self, n_row_nodes: int) -> float:
        """Return how far a table is from the shape that is aimed at."""
        rows, columns = math.prod(self.sizes[:n_row_nodes]), math.prod(self.sizes[n_row_nodes:])
        return abs(math.log(columns / rows / WIDE))


def _lines_of(n_cells: int) -> tuple[int, int]:
    """Return rows and columns for the outcomes of one node."""
    if n_cells <= 5:
        return 1, n_cells
    root, wide = math.ceil(math.sqrt(n_cells)), math.sqrt(WIDE * n_cells)
    fits = [(c * math.ceil(n_cells / c) - n_cells, abs(c - wide), c) for c in range(root, 11)]
    n_columns = min(fits)[2] if fits else root
    return math.ceil(n_cells / n_columns), n_columns


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

    def of_cells(self, outcomes: np.ndarray, n_letters: int = OUTCOME_LETTERS) -> list[str]:
        """Return a short name for each row of outcomes, of so many letters per outcome."""
        return cell_names(outcomes, self.outcomes, n_letters)

    def take(self, nodes: slice) -> NodeNames:
        """Return the names of some of the nodes."""
        return NodeNames(self.nodes[nodes], self.outcomes[nodes])

    def headers(self, outcomes: np.ndarray, n_letters: int) -> tuple[list[str], bool]:
        """Return one header per row of outcomes, and whether it names the nodes.

        It is a line "node = outcome" for each node if these fit into ``n_letters``, else the
        outcomes alone. Headers can be drawn.
        """
        lines = [
            [
                f"{node} = {names[k]}"
                for node, names, k in zip(self.nodes, self.outcomes, row, strict=True)
            ]
            for row in np.asarray(outcomes).tolist()
        ]
        longest = max((len(line) for row in lines for line in row), default=0)
        if longest <= n_letters and len(self.nodes) <= MAX_HEADER_LINES:
            return [plain("\n".join(row)) for row in lines], True
        room = max(OUTCOME_LETTERS, (n_letters + 1) // len(self.nodes) - 1)
        return [shortened(name, n_letters) for name in self.of_cells(outcomes, room)], False


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
    return NodeNames(tuple(map(str, names)), tuple(tuple(map(str, named)) for named in stated))


def name_row(ax: Axes, name: str, size: float) -> None:
    """Write a name to the left of a row of panels."""
    ax.set_ylabel(name, rotation=0, ha="right", va="center", fontsize=size)


def name_cells(
    axes: np.ndarray,
    table: CellTable,
    names: NodeNames,
    titles: Sequence[str],
    caption: Axes | None,
) -> None:
    """Write outcomes beside rows and columns, a title over each cell, and what is what above."""
    longest = max((len(line) for title in titles for line in title.splitlines()), default=1)
    fitting = inches(axes[0, 0])[0] * POINTS_PER_INCH / (LETTER_WIDTH * longest)
    size = float(np.clip(fitting, MIN_TITLE_SIZE, TITLE_SIZE))
    n_letters = letters_across(axes[0, 0], size)
    lines = ["\n".join(shortened(t, n_letters) for t in title.splitlines()) for title in titles]
    if table.n_row_nodes == 0:
        headers, is_named = names.headers(NodeGrid(table.sizes).outcomes(), n_letters)
        lines = [f"{h}\n{line}".strip() for h, line in zip(headers, lines, strict=True)]
        unnamed = {} if is_named else {"outcomes of": names.nodes}
    else:
        n_lines = max(line.count("\n") + bool(line) for line in lines[: table.shape[1]])
        unnamed = _write_headers(axes, table, names, n_lines * size * 1.25 + 4)
    for cell, line in enumerate(lines):
        axes[table.place(cell)].set_title(line, fontsize=size, pad=2)
    if caption is not None and unnamed:
        n_letters, texts = letters_across(caption, CAPTION_SIZE), []
        for what, nodes in unnamed.items():
            texts.append(f"{what} {listed(nodes, n_letters - len(what) - 1, 2)}")
        caption.set_title("\n".join(texts), fontsize=CAPTION_SIZE)


def _write_headers(
    axes: np.ndarray, table: CellTable, names: NodeNames, height: float
) -> dict[str, tuple[str, ...]]:
    """Write the outcomes of rows and columns; return which nodes these are if they do not say.

    Those of columns stand so many points above the axes.
    """
    split, outcomes = table.n_row_nodes, NodeGrid(table.sizes).outcomes()
    rows, columns = names.take(slice(None, split)), names.take(slice(split, None))
    row_letters = letters_that_fit(ROW_HEADER_INCHES, HEADER_SIZE)
    of_rows, rows_named = rows.headers(outcomes[:: table.shape[1], :split], row_letters)
    column_letters = letters_across(axes[0, 0], HEADER_SIZE)
    of_columns, columns_named = columns.headers(outcomes[: table.shape[1], split:], column_letters)
    for ax, header in zip(axes[:, 0], of_rows, strict=True):
        name_row(ax, header, HEADER_SIZE)
    place: Look = {"xycoords": "axes fraction", "textcoords": "offset points"}
    place |= {"ha": "center", "va": "bottom"}
    for ax, header in zip(axes[0], of_columns, strict=True):
        ax.annotate(header, (0.5, 1.0), (0, height), fontsize=HEADER_SIZE, **place)
    parts = {} if rows_named else {"rows:": rows.nodes}
    return parts if columns_named else parts | {"columns:": columns.nodes}
