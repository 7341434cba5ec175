"""Columns of a table with a panel each, in which groups of samples are compared: stacked bars."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Any, TypeAlias

import numpy as np

from .display import (
    PAGE,
    POINTS_PER_INCH,
    Axes,
    Display,
    Drawn,
    SomeAxes,
    inches,
    is_axes,
    letters_across,
)
from .labels import plain, shortened, told_apart, wrapped
from .painter import HEADER_SIZE, HOLLOW, TITLE_SIZE, make_hollow
from .shown_modality import ShownColumn
from .styles import COLOUR_MAP, COLOURS, UNKNOWN, Look, group_style

CAPTION_SIZE = 9
PANEL, LEGEND = (1.9, 0.65), 1.1  # inches, without a title; legends beside them
LINE = 1.35 * TITLE_SIZE / POINTS_PER_INCH
LONGEST, THICKEST = 8.0, 0.35  # inches: a panel, and a bar
FILLED = 0.8  # of the height of its line, a name
TIGHT = 0.75  # of the size of a panel, in axes that are given
MARGINS, MOST = (1.0, 0.6), 30  # inches beside panels, and panels, of a figure
MOST_LEVELS = 12  # of categories; the rarer ones are drawn as one
LEGEND_LETTERS, GROUP_LETTERS = 14, 16
#: What the bars of columns without levels are; those of numbers have their own unit.
UNITS = {"poisson": "count", "negative_binomial": "count"}

#: A column: name, likelihood, levels, and optionally mean and standard deviation of numbers.
Part: TypeAlias = (
    tuple[str, str, Sequence[str]] | tuple[str, str, Sequence[str], float, float] | ShownColumn
)


class ColumnsDisplay(Display):
    """A Display that has a panel for each column of a table of several kinds."""

    def _draw_columns(
        self,
        ax: SomeAxes,
        parts: Sequence[Part],
        values: np.ndarray,
        groups: Sequence[tuple[str, float]],
        caption: str,
        kwargs: Look,
    ) -> tuple[list[int], Axes | None]:
        """Draw as many columns as can be read: those in which the groups differ most.

        Parameters
        ----------
        ax : matplotlib axes, array of axes or None
            See ``plot``.
        parts : sequence of tuple
            Name, likelihood and levels of each column, mean and standard deviation of numbers.
        values : ndarray of shape (n_groups, n_values)
            Probabilities of levels, and numbers, of one column behind the other.
        groups : sequence of (str, float)
            Name and position of each bar, from above.
        caption : str
            What the groups are.
        kwargs : dict
            For ``barh`` of matplotlib.

        Returns
        -------
        shown : list of int
            The columns, in the order of ``artists_``.
        above : matplotlib axes or None
            Those of the caption.
        """
        columns = [ShownColumn(*part) for part in parts]
        ends = list(accumulate((max(1, len(part.levels)) for part in columns), initial=0))
        if values.ndim != 2 or values.shape[1] != ends[-1]:
            raise ValueError(
                f"parts have {ends[-1]} levels and numbers, but samples are of shape "
                f"{values.shape[1:]}: give a probability for each level, and one other number."
            )
        tables = [values[:, start:end] for start, end in pairwise(ends)]
        differences = np.array([_difference(*pair) for pair in zip(columns, tables, strict=True)])
        order = np.argsort(-differences, kind="stable").tolist()
        for n_shown in range(len(columns), 0, -1):  # as many as there is room for
            shown = order[:n_shown] if n_shown < len(columns) else sorted(order)
            width, height = _panel([columns[k] for k in shown], groups[-1][1] + 1)
            most_columns, room = _room(ax, width, height)
            if n_shown <= room:
                break
        n_columns = min(most_columns, len(shown))
        n_rows = math.ceil(len(shown) / n_columns)
        size = width * n_columns + MARGINS[0], height * n_rows + MARGINS[1]
        above = self._captioned_axes(ax, (n_rows, n_columns), size)
        for unused in self.axes_.flat[len(shown) :]:
            unused.set_axis_off()
        numbers = [tables[k] for k in shown if columns[k].likelihood == "gaussian"]
        reach = 1.05 * max(
            (np.nanmax(np.abs(table), initial=0.0) for table in numbers), default=1.0
        )
        self.artists_: list[Any] = []
        for panel, k in zip(self.axes_.flat, shown, strict=False):
            middles = np.array([position for _, position in groups])
            self.artists_.append(_draw(panel, columns[k], tables[k], middles, reach or 1.0, kwargs))
            _name_groups(panel, groups if panel in self.axes_[:, 0] else [], middles)
        if above is not None:
            n_letters = letters_across(above, CAPTION_SIZE)
            few = f"{len(shown)} of {len(columns)} columns, those that differ most"
            lines = [caption] + [few] * (len(shown) < len(columns))
            above.set_title(
                "\n".join(wrapped(line, n_letters) for line in lines), fontsize=CAPTION_SIZE
            )
        return shown, above

    def _make_hollow(self, are_few: np.ndarray, above: Axes | None) -> None:
        """Make bars hollow that rest on few values, (n_groups, n_columns), and say so above."""
        for levels, of_column in zip(self.artists_, are_few.T, strict=True):
            for drawn in levels:
                make_hollow(drawn, of_column)
        if above is not None and are_few.any():
            above.set_title(f"{above.get_title()}\n{HOLLOW}", fontsize=CAPTION_SIZE)


def _panel(parts: Sequence[ShownColumn], n_bars: float) -> tuple[float, float]:
    """Return how wide and how high panels of some columns are, with their legends."""
    rows = max(n_bars, *(min(len(part.levels), MOST_LEVELS) + 1 for part in parts))
    height = min(max(PANEL[1], rows * LINE / FILLED), LONGEST) + 4 * HEADER_SIZE / POINTS_PER_INCH
    return PANEL[0] + LEGEND * any(len(part.levels) > 1 for part in parts), height


def _room(ax: SomeAxes, width: float, height: float) -> tuple[int, int]:
    """Return how many columns of panels there is room for, and how many panels."""
    if ax is None:
        across, down = (
            max(1, int((PAGE[1] - MARGINS[0]) / width)),
            int((PAGE[0] - MARGINS[1]) / height),
        )
        return across, min(across * max(1, down), MOST)
    if is_axes(ax):
        across, down = (
            max(1, int(length / (TIGHT * extent)))
            for length, extent in zip(inches(ax), (width, height), strict=True)
        )
        return across, across * down
    table = np.asarray(ax, dtype=object)
    return np.atleast_2d(table).shape[-1], table.size


def _difference(part: ShownColumn, values: np.ndarray) -> float:
    """Return by how much groups differ in a column, between 0 and 1."""
    known = values[np.isfinite(values).all(axis=1)]
    spread = float(np.ptp(known, axis=0).max()) if len(known) else 0.0
    if part.levels:
        return spread
    scale = 1.0 + spread if part.likelihood == "gaussian" else known.max(initial=1e-9)
    return spread / float(scale)


def _draw(
    ax: Axes, part: ShownColumn, values: np.ndarray, middles: np.ndarray, reach: float, kwargs: Look
) -> list[Drawn]:
    """Draw the bars of all groups; return those of each level."""
    edge: Look = {"edgecolor": "0.4", "linewidth": 0.5, "height": 0.8}
    n_levels, left = len(part.levels), np.zeros(len(values))
    drawn: list[Drawn] = []
    for level, shares, look in _stacked(part, values):
        bars: Look = {"left": left, "label": plain(level)}
        drawn.append(ax.barh(middles, shares, **(bars | edge | look | kwargs)))
        left = left + np.nan_to_num(shares)
    if n_levels:
        ax.set_xlim(0, 1)
    else:
        ax.axvline(0, color="0.4", lw=0.5)
    if part.likelihood == "gaussian":
        ax.set_xlim(-reach, reach)
    if n_levels > 1:
        beside: Look = {"loc": "upper left", "bbox_to_anchor": (1.0, 1.04), "frameon": False}
        ax.legend(fontsize=TITLE_SIZE - 1, handlelength=1.0, labelspacing=0.15, **beside)
    n_letters = letters_across(ax, HEADER_SIZE)
    unit = f"probability of {part.levels[0]}" if n_levels == 1 else UNITS.get(part.likelihood, "")
    lines = [wrapped(part.name, n_letters, 1), *([shortened(unit, n_letters)] if unit else [])]
    ax.set_title("\n".join(lines), fontsize=HEADER_SIZE, pad=2)
    ax.tick_params(labelsize=TITLE_SIZE, length=2, pad=1.5)
    ax.locator_params(axis="x", nbins=3)
    if part.likelihood == "gaussian":
        _tick_in_own_unit(ax, part, reach)
    return drawn


def _tick_in_own_unit(ax: Axes, part: ShownColumn, reach: float) -> None:
    """Label an axis of standard deviations from a mean in the unit of the numbers."""
    from matplotlib.ticker import MaxNLocator

    ends = part.centre + part.factor * reach * np.array([-1, 1])
    ticks = MaxNLocator(3).tick_values(*ends)
    ticks = ticks[(ticks >= ends[0]) & (ticks <= ends[1])]
    ticks[np.abs(ticks) < 1e-9 * np.abs(ends).max()] = 0.0
    sizes = np.log10(np.maximum([np.abs(ends).max(), np.ptp(ends)], 1e-300))
    n_digits = max(6, int(sizes[0] - sizes[1]) + 4)  # so many as tell neighbours apart
    ax.set_xticks((ticks - part.centre) / part.factor, [f"{tick:.{n_digits}g}" for tick in ticks])


def _stacked(part: ShownColumn, values: np.ndarray) -> list[tuple[str, np.ndarray, Look]]:
    """Return name, values and look of bars; of many levels the rare ones are one."""
    names, n = told_apart(part.levels, LEGEND_LETTERS), len(part.levels)
    if n == 0:
        return [("", values[:, 0], {"color": COLOURS[3]})]
    if part.likelihood == "ordinal":
        import matplotlib as mpl

        colours = mpl.colormaps[COLOUR_MAP](np.linspace(0, 1, n))
        named = np.linspace(0, n - 1, min(n, MOST_LEVELS)).round()
        names = [name if k in named else "_" for k, name in enumerate(names)]
        return [(names[k], values[:, k], {"color": colours[k]}) for k in range(n)]
    kept = np.arange(n)
    if n > MOST_LEVELS:
        common = np.argsort(-np.nan_to_num(values).sum(axis=0), kind="stable")
        kept = np.sort(common[: MOST_LEVELS - 1])
    stacked = [(names[k], values[:, k], _look(position)) for position, k in enumerate(kept)]
    if len(kept) < n:
        rest = np.delete(values, kept, axis=1).sum(axis=1)
        stacked.append((f"{n - len(kept)} others", rest, {"color": UNKNOWN}))
    return stacked


def _look(number: int) -> Look:
    """Return colour and, where colours come again, pattern of a level."""
    style = group_style(number)
    return {"color": style.colour, "hatch": style.hatch if number >= len(COLOURS) else ""}


def _name_groups(ax: Axes, groups: Sequence[tuple[str, float]], middles: np.ndarray) -> None:
    """Write as many names of groups as there is room for; the first one is above."""
    height = inches(ax)[1]
    room = 0.6 + max(0.0, height / THICKEST - middles[-1] - 1.2) / 2
    ax.set_ylim(middles[-1] + room, middles[0] - room)
    step = max(1, math.ceil((middles[-1] + 1) * FILLED * LINE / height))
    names = [shortened(name, GROUP_LETTERS) for name, _ in groups[::step]]
    ax.set_yticks(middles[::step] if names else [], names)
