"""Effects of nodes, their intervals, and stars where they were discovered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..._base.types import Abscissa, Values
from .display import Axes, check_word
from .labels import NodeNames
from .painter import SamplePainter
from .styles import Look, group_style, ink

if TYPE_CHECKING:
    from .._node_effects import NodeEffects

STAR = 5  # size in points, arbitrary
GAP = 0.5  # between nodes, in bars
UNLIKE = 10.0  # lengths of intervals, of columns on one axis (arbitrary)
BESIDE = 0.12  # of a bar between the intervals of outcomes


class EffectLines(NamedTuple):
    """What is known of the effects of a node's outcomes.

    Parameters
    ----------
    low, high : ndarray of shape (n_outcomes, \\*shape)
        Ends of intervals; NaN where nothing is known.
    discovered : ndarray of bool of shape (n_outcomes, \\*shape)
        Where there are stars.
    """

    low: np.ndarray
    high: np.ndarray
    discovered: np.ndarray


def draw_interval(
    ax: Axes,
    painter: SamplePainter,
    lines: Sequence[EffectLines] | None,
    outcome: tuple[int, int],
) -> None:
    """Draw intervals and stars beside the effect of an outcome on a curve or a table, if known.

    ``outcome`` has the numbers of the node and of the outcome.
    """
    if lines is None:
        return
    node, k = outcome
    low, high, is_found = (np.ravel(part[k]) for part in lines[node])
    colour = group_style(k).colour
    star: Look = {"color": colour, "marker": "*", "ms": STAR, "mew": 0, "linestyle": "none"}
    if painter.kind == "curve":
        ax.fill_between(painter.x, low, high, color=colour, alpha=0.2, lw=0)
        ax.plot(painter.x[is_found], high[is_found], **star)
        return
    rows, positions = painter.rows, np.arange(len(painter.rows)) + BESIDE * k
    ax.hlines(positions, low[rows], high[rows], color=colour, lw=1.5)
    shown = is_found[rows]
    ax.plot(high[rows][shown], positions[shown], **star)


def draw_stars(panels: Sequence[Axes], lines: Sequence[EffectLines] | None, node: int) -> None:
    """Draw stars on images of the effects of a node, where some channel has one, if known."""
    if lines is None:
        return
    for panel, is_found in zip(panels, lines[node].discovered, strict=False):
        places = np.argwhere(is_found.any(axis=tuple(range(2, is_found.ndim))))
        star: Look = {"color": ink(), "marker": "*", "ms": STAR / 2, "mew": 0}
        panel.plot(places[:, 1], places[:, 0], linestyle="none", **star)


def shown_effects(effects: NodeEffects, modality: str | None, x: Abscissa | None) -> Values:
    """Return what a Display is made of: the effects on a modality, of nodes that were tested."""
    name = next(iter(effects.shapes)) if modality is None else modality
    check_word(name, "modality", tuple(effects.shapes))
    nodes = [node for node in effects.outcomes if node not in effects.untested]
    if not nodes:
        raise ValueError(f"Nothing was tested: {' '.join(effects.untested.values())}")
    here = np.array([owner == name for owner, _ in effects.columns])
    shape = effects.shapes[name]

    def of_nodes(tables: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        return [tables[node][:, here].reshape(-1, *shape) for node in nodes]

    effect, low, high = map(of_nodes, (effects.effect, effects.low, effects.high))
    names = [column for owner, column in effects.columns if owner == name]
    x = effects.axes.get(name) if x is None else x
    has_names = len(shape) == 1 and x is None and not names[0].isdecimal()
    value_name = "from the other outcomes"
    if has_names and (largest := _largest_of_unlike(low, high)) is not None:
        effect, low, high = ([table / largest for table in part] for part in (effect, low, high))
        ends = [np.format_float_positional(end, 3, fractional=False, trim="-") for end in largest]
        names = [f"{column} ({end})" for column, end in zip(names, ends, strict=True)]
        value_name = "1: number in brackets"
    return {
        "effects": effect,
        "node_names": nodes,
        "outcome_names": [effects.outcomes[node] for node in nodes],
        "x": x,
        "columns": names if has_names else None,
        "value_name": value_name,
        "lines": list(map(EffectLines, low, high, of_nodes(effects.discovered))),
    }


def _largest_of_unlike(low: Sequence[np.ndarray], high: Sequence[np.ndarray]) -> np.ndarray | None:
    """Return the largest end of intervals of each column, if columns have unlike units."""
    ends = np.abs(np.concatenate([*low, *high]))
    known = np.isfinite(ends).any(axis=0)
    largest = np.where(known, np.nanmax(np.where(known, ends, 0.0), axis=0), 1.0)
    widths = np.concatenate(high)[:, known] - np.concatenate(low)[:, known]
    widths = np.nanmedian(widths, axis=0)
    widths = widths[widths > 0]
    are_alike = not len(widths) or widths.max() <= UNLIKE * widths.min()
    return None if are_alike else np.where(largest > 0, largest, 1.0)


def effects_of_nodes(cells: np.ndarray, joint: np.ndarray, kind: str) -> list[np.ndarray]:
    """Return, of each node, the mean of the cells with each outcome, the others held.

    Parameters
    ----------
    cells : ndarray of shape (n_cells, \\*shape)
        What is averaged, the cells in C order.
    joint : ndarray of shape node_sizes
        Distribution of the nodes.
    kind : {"difference", "mean"}
        Whether the mean of everything is subtracted.

    Returns
    -------
    list of ndarray of shape (n_outcomes, \\*shape)
        One for each node.
    """
    table = cells.reshape(*joint.shape, *cells.shape[1:])
    overall = np.tensordot(joint, table, joint.ndim) if kind == "difference" else 0.0
    effects = []
    for node in range(joint.ndim):
        others = joint.sum(axis=node)
        rows = np.moveaxis(table, node, 0)
        effects.append(np.stack([np.tensordot(others, row, others.ndim) for row in rows]) - overall)
    return effects


def bars_of_outcomes(names: NodeNames) -> list[tuple[str, float]]:
    """Return name and position of a bar for each outcome; between nodes there is a gap."""
    bars, position = [], 0.0
    for node, outcomes in zip(names.nodes, names.outcomes, strict=True):
        bars += [(f"{node} = {outcome}", position + k) for k, outcome in enumerate(outcomes)]
        position += len(outcomes) + GAP
    return bars
