"""One sample of one modality as a picture: an image, a curve or bars, by its shape."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..._base.names import cut
from ..._base.reports.cells import FEW_VALUES
from ..._base.types import Abscissa, Unchecked
from ..._data.element_axes import ElementAxes
from ..._data.stated_axes import drawn_axes
from .display import (
    LETTER_WIDTH,
    PAGE,
    POINTS_PER_INCH,
    Axes,
    Drawn,
    SomeAxes,
    inches,
    is_axes,
    letters_across,
    letters_that_fit,
)
from .labels import plain, shortened, wrapped
from .styles import COLOUR_MAP, COLOURS, GroupStyle, Look, ink

MAX_BARS = 16  # more elements in a row are a curve, unless they have names:
MAX_NAMED_BARS = 30  # of more of these, so many are drawn
TICK_SIZE = TITLE_SIZE = 7
HEADER_SIZE = 8
TICKS_PER_INCH = 2.5
LINE_HEIGHT = 1.3  # of the height of a font
FEW_PANELS = 8  # so many may be larger
AXIS_LETTERS, LEAST_LETTERS = 40, 16  # of the name of an abscissa, and in a line (arbitrary)
END_LETTERS, LEAST_LINES = 12, 3  # of where an image begins and ends, and of the image (arbitrary)
HOLLOW = f"hollow: fewer than {FEW_VALUES} values"
LABEL_SHARE = 0.45  # of the width of a panel that names of columns may take, or
NAMES, OWN_NAMES = 0.8, 2.4  # inches, in axes that are given and in a figure of our own
MARGINS = 0.6  # inches above and below a table of panels
FILLED, GROWN = 0.95, 1.2  # of the height of a panel, by names; and when the figure is laid out


@dataclass(frozen=True)
class SamplePainter:
    """How samples of one modality are drawn, on the same scale in all panels.

    Parameters
    ----------
    kind : {"image", "curve", "bars"}
        What is drawn.
    limits : (float, float)
        Range of the values.
    x : ndarray of shape (width,)
        Abscissa of curves.
    axes : tuple of (ElementAxis or None)
        That of curves, or those of images; () where nothing says where elements lie.
    columns : tuple of str
        Names of the elements, of bars.
    rows : ndarray of int of shape (n_bars,)
        Which elements are drawn as bars: of many with names those that differ most between the
        samples, the strongest first.
    centred : bool
        Whether the values are differences: 0 is in the middle of the scale.
    room : float
        Inches that names of bars may take.
    """

    kind: str
    limits: tuple[float, float]
    x: np.ndarray
    columns: tuple[str, ...]
    rows: np.ndarray
    axes: ElementAxes = ()
    centred: bool = False
    room: float = NAMES

    @classmethod
    def of(
        cls,
        arrays: Sequence[np.ndarray],
        *,
        x: Abscissa | None = None,
        columns: Sequence[str] | None = None,
        centred: bool = False,
        most_bars: int = MAX_NAMED_BARS,
        room: float = NAMES,
    ) -> SamplePainter:
        """Choose for samples, arrays of shape (n_samples, \\*shape)."""
        shape = np.asarray(arrays[0]).shape[1:]
        axes = drawn_axes(x, shape)
        along = axes[0] if len(axes) == 1 else None
        kind = drawn_as(shape, x, columns)
        width = math.prod(shape)
        if columns is not None and len(columns) != width:
            raise ValueError(
                f"columns are the names of the {width} elements of a sample, got {len(columns)}."
            )
        names = tuple(map(str, range(width) if columns is None else columns))
        abscissa = np.arange(width) if along is None else along.values
        rows = np.arange(width)
        if kind == "bars" and width > min(most_bars, MAX_NAMED_BARS):
            rows = _strongest(arrays)[: min(most_bars, MAX_NAMED_BARS)]
            arrays = [np.asarray(array).reshape(len(array), -1)[:, rows] for array in arrays]
        limits = _limits(arrays, kind, centred)
        return cls(kind, limits, abscissa, names, rows, axes, centred, room)

    @property
    def note(self) -> str:
        """What is to be said of bars that are left out; nothing where all are there."""
        n_all, n_shown = len(self.columns), len(self.rows)
        return f"{n_shown} of {n_all} columns: those that differ most" if n_shown < n_all else ""

    @property
    def along(self) -> str:
        """What the abscissa of curves is; nothing where it has no name."""
        axis = self.axes[0] if self.kind == "curve" and self.axes else None
        return "" if axis is None else cut(axis.name, AXIS_LETTERS)

    def described(self, value_name: str) -> str:
        """Return what the abscissa and values are, and what is left out, in lines."""
        return "\n".join(line for line in (self.along, value_name, self.note) if line)

    def draw(
        self, ax: Axes, sample: np.ndarray, style: GroupStyle | None = None, /, **kwargs: Unchecked
    ) -> Drawn:
        """Draw a sample; return the artist.

        ``style`` is that of a group, of curves. ``kwargs`` go to ``imshow``, ``plot`` or ``barh``.
        """
        if self.kind == "image":
            return self._draw_image(ax, as_image(sample), kwargs)
        if self.kind == "curve":
            line: Look = {"color": COLOURS[0], "linewidth": 1.2}
            line |= {} if style is None else {"color": style.colour, "linestyle": style.line}
            return ax.plot(self.x, np.ravel(sample), **(line | kwargs))[0]
        look: Look = {"color": COLOURS[3], "edgecolor": ink(), "linewidth": 0.5} | kwargs
        ax.axvline(0, color=ink(), lw=0.5)
        return ax.barh(np.arange(len(self.rows)), np.ravel(sample)[self.rows], **look)

    def draw_expected(self, ax: Axes, sample: np.ndarray, std: np.ndarray | None) -> None:
        """Draw, beside an observed curve or bars, what is expected, with 2 standard deviations."""
        values = np.ravel(sample)
        spread = None if std is None else 2 * np.ravel(std)
        look: Look = {"color": COLOURS[0], "label": "expected"}
        if self.kind == "bars":
            positions, spread = (
                np.arange(len(self.rows)),
                None if spread is None else spread[self.rows],
            )
            values = values[self.rows]
            ax.errorbar(values, positions, xerr=spread, fmt="D", ms=4, lw=1.2, mec="white", **look)
            return
        if spread is not None:
            band: Look = {"color": COLOURS[1], "alpha": 0.4, "lw": 0, "label": "± 2 sd"}
            ax.fill_between(self.x, values - spread, values + spread, **band)
        ax.plot(self.x, values, lw=1.5, **look)

    def draw_observed(self, ax: Axes, sample: np.ndarray, label: str) -> None:
        """Draw, beside what is expected, a curve or bars as they were observed."""
        values = np.ravel(sample)
        look: Look = {"color": ink(), "linestyle": "none", "label": label}
        if self.kind == "curve":
            ax.plot(self.x, values, marker=".", ms=2.5, **look)
        else:
            positions = np.arange(len(self.rows))
            ax.plot(values[self.rows], positions, marker="|", ms=9, mew=1.5, **look)

    def draw_dots(
        self, ax: Axes, sample: np.ndarray, style: GroupStyle, **kwargs: Unchecked
    ) -> Drawn:
        """Draw one of several tables that are compared: dots in place of bars."""
        look: Look = {"color": style.colour, "marker": style.marker, "linestyle": "none"}
        look |= {"ms": 6, "mec": "0.2", "mew": 0.4} | kwargs
        ax.axvline(0, color=ink(), lw=0.5)
        return ax.plot(np.ravel(sample)[self.rows], np.arange(len(self.rows)), **look)[0]

    def finish(self, ax: Axes, *, is_left: bool = True, is_bottom: bool = True) -> None:
        """Set limits and ticks; those that neighbours share are written once."""
        from matplotlib.ticker import MaxNLocator

        ax.tick_params(labelsize=TICK_SIZE, length=2, pad=1.5)
        if self.kind == "image":
            ax.set(xticks=[], yticks=[])
            if is_left and is_bottom:
                self._name_ends(ax)
            return
        margin = 0.05 * (self.limits[1] - self.limits[0])
        span = (self.limits[0] - margin, self.limits[1] + margin)
        if self.kind == "curve":
            ax.set_ylim(span)
            ax.margins(x=0.02)
            if len(self.x) and self.x[0] > self.x[-1]:
                ax.xaxis.set_inverted(True)
            if self.along and is_left and is_bottom:
                n_letters = max(letters_across(ax, TITLE_SIZE), LEAST_LETTERS)
                ax.set_xlabel(wrapped(self.along, n_letters), fontsize=TITLE_SIZE, loc="left")
        else:
            ax.set_xlim(span)
            ax.set_ylim(len(self.rows) - 0.5, -0.5)  # the first above
            self._name_bars(ax, is_left)
        n_intervals = int(np.clip(inches(ax)[0] * TICKS_PER_INCH, 1, 3))
        ax.xaxis.set_major_locator(MaxNLocator(n_intervals))
        if self.kind == "curve":
            ax.yaxis.set_major_locator(MaxNLocator(3))
        ax.tick_params(labelleft=is_left, labelbottom=is_bottom)

    def size_of_figure(self, shape: tuple[int, int], n_title_lines: int) -> tuple[float, float]:
        """Return width and height in inches for a table of panels."""
        (n_rows, n_columns), few = shape, math.prod(shape) <= FEW_PANELS
        if self.kind == "image":
            width = height = 1.6 if few else 1.2
        else:
            width, height = 1.5, 1.1 if self.kind == "curve" else self.height_of_bars()
        titles = n_title_lines * TICK_SIZE * LINE_HEIGHT / POINTS_PER_INCH
        return n_columns * width + max(1.2, self.width_of_names() + 0.4), n_rows * (
            height + titles
        ) + 0.6

    def width_of_names(self) -> float:
        """Return the width in inches that names of bars take, at most what they may take."""
        if self.kind != "bars":
            return 0.0
        longest = max(len(self.columns[row]) for row in self.rows)
        return min(longest * LETTER_WIDTH * TICK_SIZE / POINTS_PER_INCH, self.room)

    def height_of_bars(self) -> float:
        """Return the height in inches at which all names of bars can be read, at most 5.3."""
        if self.kind != "bars":
            return 0.0
        height = len(self.rows) * TICK_SIZE * LINE_HEIGHT / POINTS_PER_INCH
        return min(max(0.8, 1.25 * height), 5.3)

    def _draw_image(self, ax: Axes, image: np.ndarray, kwargs: Look) -> Drawn:
        """Draw an image on the common scale."""
        low, high = self.limits
        usual: Look = {"cmap": COLOUR_MAP if self.centred else "gray", "vmin": low, "vmax": high}
        if image.ndim == 3:
            usual = {"aspect": "equal"}
            if self.centred or low < 0 or high > 1:
                image = (image - low) / (high - low)
            image = np.clip(image, 0, 1)
        return ax.imshow(image, **(usual | kwargs))

    def _name_ends(self, ax: Axes) -> None:
        """Write where the first and the last row and column of an image lie, if there is room."""
        if len(self.axes) < 2 or not ax.images:
            return
        shape, (width, height) = ax.images[-1].get_size(), inches(ax)
        scale = min(height / shape[0], width / shape[1])  # pixels are squares
        room = letters_that_fit(scale * shape[1], TICK_SIZE)
        is_high = scale * shape[0] * POINTS_PER_INCH > LEAST_LINES * TICK_SIZE * LINE_HEIGHT
        for axis, side, n in zip(self.axes, (ax.yaxis, ax.xaxis), shape, strict=False):
            if axis is None or len(axis.values) != n or n < 2:
                continue
            ends = [cut(axis.positions[k], END_LETTERS) for k in (0, -1)]
            if is_high and (side is ax.yaxis or len("".join(ends)) < room):
                side.set_ticks([0, n - 1], list(map(plain, ends)))
        for label, place in zip(ax.get_xticklabels(), ("left", "right"), strict=False):
            label.set(ha=place)

    def _name_bars(self, ax: Axes, is_left: bool) -> None:
        """Write as many names as there is room for."""
        width, height = inches(ax)
        columns = [self.columns[row] for row in self.rows]
        step = math.ceil(len(columns) / bars_that_fit(GROWN * height))
        n_letters = letters_that_fit(max(LABEL_SHARE * width, self.room), TICK_SIZE)
        names = [shortened(name, n_letters) if is_left else "" for name in columns[::step]]
        ax.set_yticks(np.arange(len(columns))[::step], names)


def bars_that_fit(height: float) -> int:
    """Return how many bars have room for their names in a height in inches."""
    return max(1, int(FILLED * height * POINTS_PER_INCH / (TICK_SIZE * LINE_HEIGHT)))


def room_for_bars(ax: SomeAxes, shape: tuple[int, int], n_title_lines: int) -> tuple[int, float]:
    """Return how many names fit beside each of a table of panels, and their inches."""
    n_rows, n_columns = shape
    width, height = inches(ax) if is_axes(ax) else (np.inf, PAGE[1])
    titles = n_title_lines * TICK_SIZE * LINE_HEIGHT / POINTS_PER_INCH
    room = min(0.3 * width, OWN_NAMES)
    most_bars = bars_that_fit((height - MARGINS) / n_rows - titles)
    return most_bars, max(min(room, width - 0.7 * n_columns), 0.5)


def height_for_bars(n_bars: int, n_rows: int, n_title_lines: int) -> float:
    """Return the height in inches of axes in which so many names fit beside each panel."""
    lines = n_bars / FILLED + n_title_lines
    return n_rows * lines * TICK_SIZE * LINE_HEIGHT / POINTS_PER_INCH + MARGINS


def kind_of(shape: Sequence[int], x: Unchecked = None, columns: Sequence[str] | None = None) -> str:
    """Return what samples of a shape are drawn as.

    Examples
    --------
    >>> from skcausalpima.inspection._displays.painter import kind_of
    >>> kind_of((28, 28)), kind_of((100,)), kind_of((5,)), kind_of((5,), x=[0, 1, 2, 3, 4])
    ('image', 'curve', 'bars', 'curve')
    >>> kind_of((100,), columns=[f"gene {k}" for k in range(100)])
    'bars'
    """
    if x is not None:
        return "curve"
    long_axes = [n for n in shape if n > 1]
    if len(long_axes) >= 2 and len(shape) >= 2:
        return "image"
    return "bars" if columns is not None or math.prod(shape) <= MAX_BARS else "curve"


def drawn_as(shape: tuple[int, ...], x: Abscissa | None, columns: Sequence[str] | None) -> str:
    """Return what samples of a shape are drawn as, whose elements lie where users say."""
    axes = drawn_axes(x, shape)
    return kind_of(shape, axes[0] if len(axes) == 1 else None, columns)


def few_of(n_values: ArrayLike, shape: tuple[int, int]) -> np.ndarray:
    """Return which bars rest on few values, of shape (n_cells, n_bars)."""
    counts = np.asarray(n_values, dtype=np.float64)
    if counts.shape != shape:
        raise ValueError(
            f"n_values has shape {counts.shape}: expected {shape}, a row per cell and a number for "
            "each bar."
        )
    return np.round(counts) < FEW_VALUES


def make_hollow(bars: Any, are_few: np.ndarray) -> None:
    """Leave nothing of bars but their edges where they rest on few values, (n_bars,)."""
    for bar, is_few in zip(bars, are_few, strict=True):
        if is_few:
            bar.set(edgecolor=bar.get_facecolor(), facecolor="none", linewidth=1.2)


def as_image(sample: np.ndarray) -> np.ndarray:
    """Return a grey (height, width) or RGB (height, width, 3) image of a sample.

    Other numbers of channels are laid side by side; of volumes the middle slices are taken.
    """
    image = np.asarray(sample, dtype=float)
    while image.ndim > 3:
        image = image[len(image) // 2]
    if image.ndim == 2 or image.shape[-1] == 3:
        return image
    return np.concatenate(list(np.moveaxis(image, -1, 0)), axis=1)


def _strongest(arrays: Sequence[np.ndarray]) -> np.ndarray:
    """Return the numbers of the elements, from the one that differs most between samples on."""
    parts = [np.asarray(array, dtype=float).reshape(len(array), -1) for array in arrays]
    values = np.concatenate(parts)
    highest = np.where(np.isnan(values), -np.inf, values).max(axis=0)
    lowest = np.where(np.isnan(values), np.inf, values).min(axis=0)
    return np.argsort(lowest - highest, kind="stable")


def _limits(arrays: Sequence[np.ndarray], kind: str, centred: bool) -> tuple[float, float]:
    """Return the range of values that all panels share."""
    values = np.concatenate([np.ravel(np.asarray(array, dtype=float)) for array in arrays])
    values = values[np.isfinite(values)]
    low, high = (values.min(), values.max()) if len(values) else (0.0, 1.0)
    if centred:
        high = max(abs(low), abs(high))
        low = -high
    elif kind == "bars":
        low, high = min(low, 0.0), max(high, 0.0)
    return (low - 0.5, high + 0.5) if low == high else (float(low), float(high))


def name_row(ax: Axes, name: str, size: float) -> None:
    """Write a name to the left of a row of panels."""
    ax.set_ylabel(name, rotation=0, ha="right", va="center", fontsize=size)
