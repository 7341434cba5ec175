"""Text that grows and shrinks with the axes; import it where something is drawn.

It needs matplotlib, which is optional.
"""

from __future__ import annotations

import numpy as np
from matplotlib.backend_bases import RendererBase
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from ..._base.types import Unchecked, Values

LEAST = 3.0  # points; smaller texts are not drawn


class ScaledText(Text):
    """A text whose font size is a length in the data, so that it keeps fitting its box.

    It is not drawn where it would be too small to be read.

    Parameters
    ----------
    x, y : float
        Its place in the units of the data.
    text : str
        What it says.
    size : (float, float)
        Font size as a length along the x and along the y axis; the smaller one counts.
    largest : float, default=inf
        Largest font size in points.
    **kwargs : dict
        Parameters of matplotlib's ``Text``; by default it is centred.
    """

    def __init__(
        self,
        x: float,
        y: float,
        text: str,
        size: tuple[float, float],
        largest: float = np.inf,
        **kwargs: Unchecked,
    ) -> None:
        look: Values = {"ha": "center", "va": "center"} | kwargs
        super().__init__(x, y, text, **look)
        self._size_in_data, self._largest = size, largest

    def draw(self, renderer: RendererBase) -> None:
        """Draw it in the size that fits the axes now."""
        if self._fit() >= LEAST:
            super().draw(renderer)

    def get_window_extent(
        self, renderer: RendererBase | None = None, dpi: float | None = None
    ) -> Bbox:
        """Return its box in pixels."""
        self._fit()
        return super().get_window_extent(renderer, dpi)

    def _fit(self) -> float:
        """Set the font size, and return it."""
        if self.axes is None:
            return float(self.get_fontsize())
        corners = self.axes.transData.transform([(0.0, 0.0), self._size_in_data])
        pixels = np.abs(corners[1] - corners[0]).min()
        size = min(max(pixels * 72 / self.axes.figure.dpi, 0.1), self._largest)
        if abs(size - self.get_fontsize()) > 1e-6:
            self.set_fontsize(size)
        return size
