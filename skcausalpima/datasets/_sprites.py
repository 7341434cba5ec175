"""Images of small objects of three shapes, in one of four places."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sklearn.utils import Bunch

from .._base.scalar_checks import check_number
from .._base.types import Seed
from ._drawing import coverage, photograph
from ._factors import EVEN, LINK, Graph, draw_factors, named_graph

_SHAPES = ("square", "disc", "cross")
_SIZE = 32
_LEVEL = 0.9  # of a sprite: its noise stays below 1
# Behind a shape is no continuous value. Lengths are pixels.
_CENTRES = {"shape": (0.0, 1.0, 2.0), "column": (-5.0, 5.0), "row": (-5.0, 5.0)}
_SCALES = {"shape": 0.0, "size": 0.3, "column": 0.7, "row": 0.7}
# Beyond these a sprite has no shape, or leaves the image.
_LEAST, _MOST = 2.0, 8.0

_GRAPHS: dict[str, Graph] = {
    "chain": {
        "shape": ((), [0.36, 0.34, 0.3]),
        "size": (("shape",), [[0.72, 0.28], [0.5, 0.5], [0.28, 0.72]]),
        "column": (("size",), LINK),
        "row": ((), [0.52, 0.48]),
    },
    "independent": {
        "shape": ((), [0.36, 0.34, 0.3]),
        "size": ((), EVEN),
        "column": ((), EVEN),
        "row": ((), [0.52, 0.48]),
    },
}


def make_sprites(
    n_samples: int = 4096,
    *,
    graph: str = "chain",
    shape: str | None = None,
    half_widths: Sequence[float] = (4.0, 6.0),
    noise: float = 0.02,
    random_state: Seed = None,
) -> Bunch:
    """Make grey images of sprites: three shapes, two sizes, two columns and two rows.

    A square, a disc or a cross, small or big, lies in one of the four corners of the image.
    The places hardly overlap, so what a shape, a size or a place adds to the pixels depends on
    the others. The arms of a cross are a third as wide as it is. The graph is shape -> size ->
    column, and the row does not depend on them: 24 cells, none less likely than 1.2 %.

    Parameters
    ----------
    n_samples : int, default=4096
        Number of images.
    graph : {"chain", "independent"}, default="chain"
        How the factors depend on each other: shape -> size -> column, or not at all.
    shape : {"square", "disc", "cross"} or None, default=None
        The one shape of all sprites, in place of the factor shape: 8 cells are left. If None,
        all three shapes occur.
    half_widths : pair of float, default=(4.0, 6.0)
        Half the width of small and of big sprites, in pixels from 2 to 8. The standard deviation
        within a size is 0.3. (4.25, 5.75) are closer, 5 standard deviations apart, (3.5, 6.5)
        wider.
    noise : float, default=0.02
        Standard deviation of the noise of every pixel.
    random_state : int, RandomState instance or None, default=None
        Seed of the generator.

    Returns
    -------
    sklearn.utils.Bunch
        With these fields:

        images : ndarray of shape (n_samples, 32, 32)
            Grey levels in [0, 1], float32. Sprites have 0.9.
        factors : ndarray of shape (n_samples, 4)
            Outcomes of shape (0 square, 1 disc, 2 cross), size (0 small), column (0 left) and
            row (0 top). With ``shape``, the last three.
        factor_names : list of str
            Names of the columns of ``factors``.
        factor_values : ndarray of shape (n_samples, 4)
            The values that were drawn: number of the shape, half the width, and how many pixels
            to the right of the middle and below it.
        target : ndarray of shape (n_samples,)
            Number of the cell of the grid of all factors, in C order.
        dag : networkx.DiGraph
            The generating graph; nodes have an attribute ``size``.
        cpts : dict of str to ndarray
            Table of each node: one axis per parent, in the order of ``dag.predecessors``, and
            the node's own axis last.

    Raises
    ------
    ValueError
        An argument is out of range, or no known graph or shape.

    Examples
    --------
    >>> from skcausalpima.datasets import make_sprites
    >>> sprites = make_sprites(100, random_state=0)
    >>> sprites.images.shape, sprites.factor_names
    ((100, 32, 32), ['shape', 'size', 'column', 'row'])
    >>> list(sprites.dag.edges)
    [('shape', 'size'), ('size', 'column')]
    >>> make_sprites(100, shape="disc", random_state=0).factors.shape
    (100, 3)
    """
    tables = named_graph(_GRAPHS, graph)
    centres = {**_CENTRES, "size": _check_half_widths(half_widths)}
    if shape is not None:
        if not isinstance(shape, str) or shape not in _SHAPES:
            raise ValueError(f"shape must be one of {list(_SHAPES)} or None, got {shape!r}.")
        roots: Graph = {"size": ((), EVEN)}
        tables = {**roots, **{name: tables[name] for name in ("column", "row")}}
    bunch, random_state = draw_factors(n_samples, tables, centres, _SCALES, random_state)
    kinds = bunch.factors[:, 0]
    if shape is not None:
        kinds = np.full(n_samples, _SHAPES.index(shape))
    size, column, row = bunch.factor_values.T[-3:, :, None, None]
    scene = _LEVEL * _render(kinds, size, column, row)
    bunch.images = photograph(scene, noise, random_state)
    return bunch


def _check_half_widths(half_widths: Sequence[float]) -> tuple[float, float]:
    """Return half the widths of small and of big sprites."""
    expected = f"expected two numbers from {_LEAST} to {_MOST}, the smaller one first"
    try:
        small, big = half_widths
    except (TypeError, ValueError):
        raise ValueError(f"half_widths is {half_widths!r}: {expected}.") from None
    small, big = (check_number(width, "half_widths", _LEAST, _MOST) for width in (small, big))
    if small >= big:
        raise ValueError(f"half_widths is {half_widths!r}: {expected}.")
    return small, big


def _render(
    kinds: np.ndarray, half_width: np.ndarray, column: np.ndarray, row: np.ndarray
) -> np.ndarray:
    """Return the share of each pixel that the sprite covers."""
    middle = np.arange(_SIZE) - (_SIZE - 1) / 2.0
    across, down = np.abs(middle - column), np.abs(middle[:, None] - row)
    arm = half_width / 3.0
    wide, high = coverage(across, half_width), coverage(down, half_width)
    square = wide * high
    disc = coverage(np.hypot(across, down), half_width)
    thin, low = coverage(across, arm), coverage(down, arm)
    cross = wide * low + thin * high - thin * low
    return np.choose(kinds[:, None, None], [square, disc, cross])
