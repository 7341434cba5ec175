"""Text that grows and shrinks with the axes; import it where something is drawn.

It needs matplotlib, which is optional.
"""

from __future__ import annotations

from typing import Any

from matplotlib.text import Text
from matplotlib.transforms import Bbox


class ScaledText(Text):
    """A text whose font size is a length in the data, so that it keeps fitting its box.

    Where the two axes have different scales, the smaller one counts.

    Parameters
    ----------
    x, y : float
        Its place in the units of the data.
    text : str
        What it says; never parsed as mathematics.
    size : float
        Font size in the units of the data.
    **kwargs : dict
        Parameters of matplotlib's ``Text``.
    """

    def __init__(self, x: float, y: float, text: str, size: float, **kwargs: Any) -> None:
        super().__init__(x, y, text, parse_math=False, **kwargs)
        self._size_in_data = size

    def draw(self, renderer: Any) -> None:
        """Draw it in the size that fits the axes now."""
        self._fit()
        super().draw(renderer)

    def get_window_extent(self, renderer: Any = None, dpi: float | None = None) -> Bbox:
        """Return its box in pixels."""
        self._fit()
        return super().get_window_extent(renderer, dpi)

    def _fit(self) -> None:
        if self.axes is None:
            return
        corners = self.axes.transData.transform([(0.0, 0.0), (self._size_in_data,) * 2])
        pixels = abs(corners[1] - corners[0]).min()
        size = pixels * 72 / self.axes.figure.dpi
        if abs(size - self.get_fontsize()) > 1e-6:
            self.set_fontsize(max(size, 0.1))
