"""Columns of a table with a panel each, in which groups of samples are compared: stacked bars."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Any

import numpy as np

from .display import POINTS_PER_INCH, Axes, Display, Look, inches, letters_across
from .labels import plain, shortened, told_apart, wrapped
from .panels import CAPTION_SIZE, HEADER_SIZE, TITLE_SIZE
from .shown_modality import ShownColumn
from .styles import COLOUR_MAP, COLOURS, group_style

PANEL, LEGEND = (1.9, 0.65), 1.1  # inches, without a title; legends beside them
LINE = 1.35 * TITLE_SIZE / POINTS_PER_INCH
LONGEST = 4.0  # inches
TIGHT = 0.75  # of the size of a panel, in axes that are given
MOST = 5, 6  # columns and rows of panels
MOST_LEVELS = 12  # of categories; the rarer ones are drawn as one
LEGEND_LETTERS, GROUP_LETTERS = 14, 16
OTHERS = "#999999"


class ColumnsDisplay(Display):
    """A Display that has a panel for each column of a table of several kinds."""

    def _draw_columns(
        self,
        ax: Any,
        parts: Sequence[tuple[str, str, Sequence[str]]],
        values: np.ndarray,
        groups: Sequence[tuple[str, float]],
        caption: str,
        kwargs: dict[str, Any],
    ) -> None:
        """Draw as many columns as can be read: those in which the groups differ most.

        Parameters
        ----------
        ax : matplotlib axes, array of axes or None
            See ``plot``.
        parts : sequence of (str, str, sequence of str)
            Name, likelihood and levels of each column.
        values : ndarray of shape (n_groups, n_values)
            Probabilities of levels, and numbers, of one column behind the other.
        groups : sequence of (str, float)
            Name and place of each bar, from above.
        caption : str
            What the groups are.
        kwargs : dict
            For ``barh`` of matplotlib.
        """
        columns = [ShownColumn(*part) for part in parts]
        ends = list(accumulate((max(1, len(part.levels)) for part in columns), initial=0))
        if values.ndim != 2 or values.shape[1] != ends[-1]:
            raise ValueError(
                f"parts have {ends[-1]} levels and numbers, but samples are of shape "
                f"{values.shape[1:]}: give a probability for each level, and one other number."
            )
        tables = [values[:, start:end] for start, end in pairwise(ends)]
        rows = max(groups[-1][1] + 1, *(min(len(part.levels), MOST_LEVELS) + 1 for part in columns))
        height = min(max(PANEL[1], rows * LINE), LONGEST) + 2 * HEADER_SIZE / POINTS_PER_INCH
        width = PANEL[0] + (LEGEND if any(part.levels for part in columns) else 0.0)
        shown = _most_different(columns, tables, _room(ax, width, height))
        n_rows, n_columns = _shape(len(shown), _room(ax, width, height)[0])
        size = width * n_columns + 1.0, height * n_rows + 0.6
        above = self._captioned_axes(ax, (n_rows, n_columns), size)
        for unused in self.axes_.flat[len(shown) :]:
            unused.set_axis_off()
        numbers = [tables[k] for k in shown if columns[k].likelihood == "gaussian"]
        reach = 1.05 * max((np.nanmax(np.abs(of), initial=0.0) for of in numbers), default=1.0)
        self.artists_: list[Any] = []
        for panel, k in zip(self.axes_.flat, shown, strict=False):
            places = np.array([place for _, place in groups])
            self.artists_.append(_draw(panel, columns[k], tables[k], places, reach or 1.0, kwargs))
            _name_groups(panel, groups if panel in self.axes_[:, 0] else [], places)
        if above is not None:
            n_letters = letters_across(above, CAPTION_SIZE)
            few = f"{len(shown)} of {len(columns)} columns, those that differ most"
            lines = [caption] + [few] * (len(shown) < len(columns))
            above.set_title(
                "\n".join(wrapped(of, n_letters) for of in lines), fontsize=CAPTION_SIZE
            )


def _room(ax: Any, width: float, height: float) -> tuple[int, int]:
    """Return how many columns and rows of panels there is room for."""
    if ax is None:
        return MOST
    if not hasattr(ax, "get_subplotspec"):
        n_columns = np.atleast_2d(np.asarray(ax, dtype=object)).shape[-1]
        return n_columns, max(np.size(ax) // n_columns, 1)
    across, down = inches(ax)
    return max(1, int(across / (TIGHT * width))), max(1, int(down / (TIGHT * height)))


def _shape(n_panels: int, most_columns: int) -> tuple[int, int]:
    """Return rows and columns of panels."""
    n_columns = min(most_columns, n_panels)
    return math.ceil(n_panels / n_columns), n_columns


def _most_different(
    columns: Sequence[ShownColumn], tables: Sequence[np.ndarray], room: tuple[int, int]
) -> list[int]:
    """Return the numbers of as many columns as there is room for, in their order."""
    differences = []
    for part, values in zip(columns, tables, strict=True):
        known = values[np.isfinite(values).all(axis=1)]
        spread = float(np.ptp(known, axis=0).max()) if len(known) else 0.0
        if part.levels:
            differences.append(spread)
        elif part.likelihood == "gaussian":
            differences.append(spread / (1.0 + spread))
        else:
            differences.append(spread / max(float(known.max(initial=0.0)), 1e-9))
    order = np.argsort(-np.array(differences), kind="stable")
    return sorted(order[: math.prod(room)].tolist())


def _draw(
    ax: Axes,
    part: ShownColumn,
    values: np.ndarray,
    places: np.ndarray,
    reach: float,
    kwargs: dict[str, Any],
) -> list[Any]:
    """Draw the bars of all groups; return those of each level."""
    edge: Look = {"edgecolor": "0.4", "linewidth": 0.5, "height": 0.8}
    n_letters = letters_across(ax, HEADER_SIZE)
    names, drawn = [part.name], []
    if not part.levels:
        is_number = part.likelihood == "gaussian"
        names.append("sd from the mean" if is_number else "count")
        drawn.append(ax.barh(places, values[:, 0], **(edge | {"color": COLOURS[3]} | kwargs)))
        ax.axvline(0, color="0.4", lw=0.5)
        if is_number:
            ax.set_xlim(-reach, reach)
    else:
        levels, values, looks = _stacked(part, values)
        left = np.zeros(len(values))
        for level, shares, look in zip(levels, values.T, looks, strict=True):
            label = plain(level)
            drawn.append(ax.barh(places, shares, left=left, label=label, **(edge | look | kwargs)))
            left = left + np.nan_to_num(shares)
        ax.set_xlim(0, 1)
        beside: Look = {"loc": "upper left", "bbox_to_anchor": (1.0, 1.04), "frameon": False}
        ax.legend(fontsize=TITLE_SIZE - 1, handlelength=1.0, labelspacing=0.15, **beside)
    lines = [wrapped(names[0], n_letters, 1), *names[1:]]
    ax.set_title("\n".join(lines), fontsize=HEADER_SIZE, pad=2)
    ax.tick_params(labelsize=TITLE_SIZE, length=2, pad=1.5)
    ax.locator_params(axis="x", nbins=3)
    return drawn


def _stacked(
    part: ShownColumn, values: np.ndarray
) -> tuple[list[str], np.ndarray, list[dict[str, Any]]]:
    """Return names, probabilities and looks of levels; rare ones of many are one."""
    levels, n = told_apart(part.levels, LEGEND_LETTERS), len(part.levels)
    if part.likelihood == "ordinal":
        import matplotlib as mpl

        colours = mpl.colormaps[COLOUR_MAP](np.linspace(0, 1, n))
        named = np.unique(np.linspace(0, n - 1, min(n, MOST_LEVELS)).round().astype(int))
        names = [level if k in named else "_" for k, level in enumerate(levels)]
        return names, values, [{"color": colour} for colour in colours]
    kept = np.arange(n)
    if n > MOST_LEVELS:
        common = np.argsort(-np.nan_to_num(values).sum(axis=0), kind="stable")
        kept = np.sort(common[: MOST_LEVELS - 1])
    rest = np.delete(values, kept, axis=1)
    looks = [_look(k) for k in range(len(kept))]
    if not rest.size:
        return levels, values, looks
    names = [*(levels[k] for k in kept), f"{rest.shape[1]} others"]
    table = np.column_stack([values[:, kept], rest.sum(axis=1)])
    return names, table, [*looks, {"color": OTHERS}]


def _look(number: int) -> dict[str, Any]:
    """Return colour and, where colours come again, pattern of a level."""
    style = group_style(number)
    return {"color": style.colour, "hatch": style.hatch if number >= len(COLOURS) else ""}


def _name_groups(ax: Axes, groups: Sequence[tuple[str, float]], places: np.ndarray) -> None:
    """Write as many names of groups as there is room for."""
    ax.set_ylim(places[-1] + 0.6, places[0] - 0.6)  # the first above
    step = max(1, math.ceil((places[-1] + 1) * LINE / (0.8 * inches(ax)[1])))
    names = [shortened(name, GROUP_LETTERS) for name, _ in groups[::step]]
    ax.set_yticks(places[::step] if names else [], names)
