"""How groups look apart: for every eye, and without colours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

#: Keywords of matplotlib.
Look: TypeAlias = dict[str, Any]

# Okabe and Ito, "Color universal design", 2008: dark and light in turn, so that neighbours differ
# in greyscale, too.
COLOURS = (
    "#0072B2",  # blue
    "#E69F00",  # orange
    "#000000",  # black
    "#56B4E9",  # sky blue
    "#D55E00",  # vermilion
    "#CC79A7",  # reddish purple
    "#009E73",  # bluish green
    "#F0E442",  # yellow
)
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
LINES: tuple[Any, ...] = (
    "-",
    "--",
    ":",
    "-.",
    (0, (1, 3)),
    (0, (6, 1, 1, 1, 1, 1)),
    (0, (10, 3)),
    (0, (5, 1)),
)
HATCHES = ("", "///", "...", "xxx", "\\\\\\", "++", "oo", "--")
#: The lightness of this one grows with the value.
COLOUR_MAP = "cividis"
UNKNOWN = "#999999"  # what belongs to no group


@dataclass(frozen=True)
class GroupStyle:
    """How one group is drawn.

    Parameters
    ----------
    colour : str
        Colour of points, lines and bars.
    marker : str
        Shape of points.
    line : str or tuple
        Dashes of lines (``linestyle``).
    hatch : str
        Pattern of bars.
    """

    colour: str
    marker: str
    line: Any
    hatch: str


def group_style(number: int) -> GroupStyle:
    """Return the style of a group by its number.

    Up to 64 groups have pairs of colour and shape of their own, the first eight also a colour
    and a shape of their own. After that they repeat.
    """
    n = len(COLOURS)
    colour, shift = number % n, number // n % n
    shape = (colour + shift) % n
    return GroupStyle(COLOURS[colour], MARKERS[shape], LINES[shape], HATCHES[shape])
