"""Where cells are drawn, which ones, and what stands beside their rows and columns."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..._base.grid import NodeGrid
from ..._base.scalar_checks import is_integer
from .display import Axes, Size, inches, is_axes, letters_across, letters_that_fit
from .labels import NodeNames
from .painter import HEADER_SIZE, name_row
from .styles import Look

#: Columns per row that are aimed at, and inches of names of rows (looked at, else arbitrary).
WIDE, ROW_HEADER_INCHES = 1.3, 1.0
#: The least width and height in inches of a panel, and most rows and columns of a figure
#: (arbitrary).
LEAST = {"image": (0.75, 0.8), "curve": (0.9, 0.8), "bars": (1.0, 1.25)}
MOST = {"image": (8, 8), "curve": (8, 5), "bars": (5, 5)}

#: So many images stand in one line where they are larger there, and so many cells are drawn in any
#: room (arbitrary).
IN_A_LINE, FEW = 8, 6


def asked_cells(cells: Any, sizes: Sequence[int], names: Sequence[Sequence[str]]) -> list[int]:
    """Return the numbers, in C order, of cells that are asked for by their outcomes.

    Examples
    --------
    >>> from skcausalpima.inspection._displays.cell_table import asked_cells
    >>> asked_cells([(0, 1), ("b", 0)], (2, 2), ["ab", "01"])
    [1, 2]
    """
    numbers = []
    for cell in [] if isinstance(cells, str) else cells:
        row = [cell] if isinstance(cell, str) or np.ndim(cell) == 0 else list(cell)
        pairs = zip(row, names, strict=False)
        row = [[*of].index(k) if isinstance(k, str) and k in of else k for k, of in pairs]
        known = len(row) == len(sizes) and all(
            is_integer(k) and 0 <= k < size for k, size in zip(row, sizes, strict=True)
        )
        if not known:
            raise ValueError(
                f"cells has {cell!r:.100}, which is no cell: give an outcome of each of the "
                f"{len(sizes)} nodes, which have {tuple(sizes)} outcomes."
            )
        numbers.append(int(np.ravel_multi_index(row, tuple(sizes))))
    if not numbers:
        raise ValueError(
            "cells names no cell: pass rows of outcomes such as [(0, 1), (1, 1)], or None for the "
            f"largest, got {cells!r:.100}."
        )
    return numbers


def table_for(
    sizes: tuple[int, ...], n_cells: int, kind: str, ax: Axes | np.ndarray | None
) -> CellTable:
    """Return where ``n_cells`` of a grid are drawn: on its axes, or in lines, as many as fit."""
    if ax is not None and not is_axes(ax):
        given = np.atleast_2d(np.asarray(ax, dtype=object))
        is_whole = n_cells == math.prod(sizes) and given.size >= n_cells
        return CellTable(sizes, None if is_whole else given.shape)
    return table_in(sizes, n_cells, kind, inches(ax) if is_axes(ax) else None)


def table_in(sizes: tuple[int, ...], n_cells: int, kind: str, room: Size | None) -> CellTable:
    """Return where cells are drawn in a room in inches; None is a figure of our own."""
    table, most, is_whole = CellTable(sizes), MOST[kind], n_cells == math.prod(sizes)
    if room is not None:
        lengths = zip(room, LEAST[kind], strict=True)
        n_columns, n_rows = (max(1, int(length / least)) for length, least in lengths)
        most = n_rows, n_columns
        if (
            kind == "image"
            and n_cells <= IN_A_LINE
            and _side(room, (1, n_cells)) > _side(room, table.shape)
        ):
            return CellTable(sizes, (1, n_cells))
    fits = table.shape[0] <= most[0] and table.shape[1] <= most[1]
    if is_whole and (fits or n_cells <= FEW):
        return table
    lines = lines_of(n_cells) if n_cells <= math.prod(most) else most
    n_columns = min(lines[1], most[1])
    return CellTable(sizes, (min(-(-n_cells // n_columns), most[0]), n_columns))


@dataclass(frozen=True)
class CellTable:
    """Where the cells of a grid are drawn: the first nodes are rows, the others columns.

    Parameters
    ----------
    sizes : tuple of int
        Numbers of outcomes of the nodes.
    lines : (int, int), default=None
        Rows and columns that some of the cells fill like words, where there is no room for all.

    Examples
    --------
    >>> from skcausalpima.inspection._displays.prototypes import CellTable
    >>> CellTable((2, 2, 2, 2, 2, 2)).shape, CellTable((3, 2)).shape, CellTable((10,)).shape
    ((8, 8), (3, 2), (2, 5))
    """

    sizes: tuple[int, ...]
    lines: tuple[int, int] | None = None

    @property
    def n_row_nodes(self) -> int:
        """How many nodes are rows; 0 where cells fill lines, as the outcomes of a single node."""
        if len(self.sizes) == 1 or self.lines is not None:
            return 0
        return min(range(1, len(self.sizes)), key=self._distance)

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of rows and columns."""
        if self.lines is not None:
            return self.lines
        if len(self.sizes) == 1:
            return lines_of(self.sizes[0])
        return math.prod(self.sizes[: self.n_row_nodes]), math.prod(self.sizes[self.n_row_nodes :])

    def position(self, cell: int) -> tuple[int, int]:
        """Return row and column of a cell, by its number in C order."""
        return divmod(cell, self.shape[1])

    def _distance(self, n_row_nodes: int) -> float:
        """Return how far a table is from the shape that is aimed at."""
        rows, columns = math.prod(self.sizes[:n_row_nodes]), math.prod(self.sizes[n_row_nodes:])
        return abs(math.log(columns / rows / WIDE))


def lines_of(n_cells: int) -> tuple[int, int]:
    """Return rows and columns that cells fill like words."""
    if n_cells <= 5:
        return 1, n_cells
    root, wide = math.ceil(math.sqrt(n_cells)), math.sqrt(WIDE * n_cells)
    fits = [(c * math.ceil(n_cells / c) - n_cells, abs(c - wide), c) for c in range(root, 11)]
    n_columns = min(fits)[2] if fits else root
    return math.ceil(n_cells / n_columns), n_columns


def write_headers(
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
    look: Look = {"xycoords": "axes fraction", "textcoords": "offset points"}
    look |= {"ha": "center", "va": "bottom"}
    for ax, header in zip(axes[0], of_columns, strict=True):
        ax.annotate(header, (0.5, 1.0), (0, height), fontsize=HEADER_SIZE, **look)
    parts = {} if rows_named else {"rows:": rows.nodes}
    return parts if columns_named else parts | {"columns:": columns.nodes}


def _side(room: Size, shape: tuple[int, int]) -> float:
    """Return the side of square panels in a room."""
    return min(room[0] / shape[1], room[1] / shape[0])
