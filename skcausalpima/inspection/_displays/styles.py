"""Colours, hatches and markers that tell groups apart for every eye, on light and dark grounds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from ..._base.types import Values

#: Keywords of matplotlib.
Look: TypeAlias = Values
#: Dashes of a line: a name, or offset and lengths in points.
Dashes: TypeAlias = str | tuple[int, tuple[float, ...]]

# Okabe and Ito, "Color universal design", 2008: dark and light in turn, so that neighbours differ
# in greyscale, too.
BLACK = "#000000"
COLOURS = (
    "#0072B2",  # blue
    "#E69F00",  # orange
    BLACK,
    "#56B4E9",  # sky blue
    "#D55E00",  # vermilion
    "#CC79A7",  # reddish purple
    "#009E73",  # bluish green
    "#F0E442",  # yellow
)
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
LINES: tuple[Dashes, ...] = (
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
N_STYLES = len(COLOURS) * len(MARKERS)  # more groups look alike in turn
#: The lightness of this one grows with the value.
COLOUR_MAP = "cividis"
UNKNOWN = "#999999"  # what belongs to no group


def ground() -> str:
    """Return the colour that pictures are drawn on."""
    import matplotlib as mpl

    return mpl.rcParams["axes.facecolor"]


def ink() -> str:
    """Return black, or white on a dark ground, as ``plt.style.use("dark_background")`` has."""
    from matplotlib.colors import to_rgb

    return "black" if sum(to_rgb(ground())) > 1.5 else "white"


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
    line: Dashes
    hatch: str


def group_style(number: int) -> GroupStyle:
    """Return the style of a group by its number.

    Up to 64 groups have pairs of colour and shape of their own, the first eight also a colour
    and a shape of their own. After that they repeat. Black is white on a dark ground.
    """
    n = len(COLOURS)
    colour_number, shift = number % n, number // n % n
    colour, shape = COLOURS[colour_number], (colour_number + shift) % n
    colour = ink() if colour == BLACK else colour
    return GroupStyle(colour, MARKERS[shape], LINES[shape], HATCHES[shape])
