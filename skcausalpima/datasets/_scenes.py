"""Images of a pendulum with its shadow, and of rectangles."""

from __future__ import annotations

import numpy as np
from sklearn.utils import Bunch

from .._base.types import Seed
from ._drawing import coverage, photograph
from ._factors import Graph, binary_graphs, draw_factors, named_graph

# The pendulum's image, in pixels: across from the middle, heights from the lower edge.
_PENDULUM_SIZE = 32
_GROUND, _PIVOT, _LIGHT = 4.0, 21.0, 28.5  # heights
_ROD, _BOB, _LAMP = 10.0, 2.0, 1.75  # length of the rod, radii of the bob and of the lamp
_PENDULUM_CENTRES = {"angle": (-30.0, 0.0, 30.0), "light": (-6.0, 0.0, 6.0)}
_PENDULUM_SCALES = {"angle": 4.0, "light": 0.8}
_THIRDS = [0.35, 0.35, 0.3]
_PENDULUM_GRAPHS: dict[str, Graph] = {
    "chain": {
        "angle": ((), _THIRDS),
        "light": (("angle",), [[0.55, 0.25, 0.2], [0.2, 0.6, 0.2], [0.2, 0.25, 0.55]]),
    },
    "independent": {"angle": ((), _THIRDS), "light": ((), _THIRDS)},
}

_RECTANGLE_SIZE = 28
_RECTANGLE_CENTRES = {"intensity": (0.45, 0.8), "width": (7.0, 12.0), "height": (7.0, 12.0)}
_RECTANGLE_SCALES = {"intensity": 0.05, "width": 0.8, "height": 0.8}
_RECTANGLE_GRAPHS = binary_graphs("intensity", "width", "height")
_PLACE_SCALE = 1.0  # pixels


def make_pendulum(
    n_samples: int = 3000, *, graph: str = "chain", noise: float = 0.02, random_state: Seed = None
) -> Bunch:
    r"""Make grey images of a pendulum, a light, and the shadow that follows from both.

    A bob hangs from a pivot on a rod, to the left, straight down or to the right; a light stands
    above it to the left, in the middle or to the right. Light travels straight: the shadow on
    the level ground lies between the points where the two tangents from the light to the bob
    meet the ground. With the light at :math:`x_l`, at the height :math:`h` above the ground, and
    the centre of the bob at the distance :math:`d` from it, seen from there at the angle
    :math:`\alpha` to the vertical, a bob of radius :math:`r` has a shadow from
    :math:`x_l + h \tan(\alpha - \beta)` to :math:`x_l + h \tan(\alpha + \beta)`, where
    :math:`\sin \beta = r / d`. A bob on the far side thus has a shadow farther out, and a
    longer one. Only the bob throws a shadow. The graph is angle -> light; none of the 9 cells is
    less likely than 6 %.

    Parameters
    ----------
    n_samples : int, default=3000
        Number of images.
    graph : {"chain", "independent"}, default="chain"
        How the factors depend on each other: angle -> light, or not at all.
    noise : float, default=0.02
        Standard deviation of the noise of every pixel.
    random_state : int, RandomState instance or None, default=None
        Seed of the generator.

    Returns
    -------
    sklearn.utils.Bunch
        The fields of :func:`make_sprites`, with images of shape (n_samples, 32, 32) and the
        factors angle (0 left, 1 straight down, 2 right) and light (0 left, 1 middle, 2 right).
        ``factor_values`` are degrees, with standard deviation 4 around -30, 0 and 30, and pixels
        from the middle, with 0.8 around -6, 0 and 6. And one more field:

        shadows : ndarray of shape (n_samples, 2)
            Where the shadow begins and where it ends, in pixels to the right of the middle. The
            image ends at 16, and 3 % of the shadows beyond it.

    Raises
    ------
    ValueError
        An argument is out of range or no known graph.

    Examples
    --------
    >>> from skcausalpima.datasets import make_pendulum
    >>> pendulum = make_pendulum(100, random_state=0)
    >>> pendulum.images.shape, pendulum.factor_names
    ((100, 32, 32), ['angle', 'light'])
    >>> pendulum.cpts["light"].shape
    (3, 3)
    """
    tables = named_graph(_PENDULUM_GRAPHS, graph)
    bunch, random_state = draw_factors(
        n_samples, tables, _PENDULUM_CENTRES, _PENDULUM_SCALES, random_state
    )
    angles, light = np.deg2rad(bunch.factor_values[:, 0]), bunch.factor_values[:, 1]
    bunch.shadows = _shadows(angles, light)
    bunch.images = photograph(_render_pendulum(angles, light, bunch.shadows), noise, random_state)
    return bunch


def make_rectangles(
    n_samples: int = 3000,
    *,
    graph: str = "v-structure",
    noise: float = 0.02,
    random_state: Seed = None,
) -> Bunch:
    """Make grey images of rectangles of two intensities, widths and heights.

    The place varies, and is no factor: it has a Gaussian distribution with a standard deviation
    of 1 pixel in each direction.

    Parameters
    ----------
    n_samples : int, default=3000
        Number of images.
    graph : {"v-structure", "chain", "complete", "independent"}, default="v-structure"
        How the factors depend on each other: intensity -> height <- width, intensity -> width ->
        height, intensity -> width with both -> height, or not at all.
    noise : float, default=0.02
        Standard deviation of the noise of every pixel.
    random_state : int, RandomState instance or None, default=None
        Seed of the generator.

    Returns
    -------
    sklearn.utils.Bunch
        The fields of :func:`make_sprites`, with images of shape (n_samples, 28, 28) and the
        factors intensity (0 dark), width (0 narrow) and height (0 low). ``factor_values`` are
        grey levels, with standard deviation 0.05 around 0.45 and 0.8, and pixels, with 0.8
        around 7 and 12. And one more field:

        places : ndarray of shape (n_samples, 2)
            Column and row of the centre, in pixels to the right of the middle and below it.

    Raises
    ------
    ValueError
        An argument is out of range or no known graph.

    Examples
    --------
    >>> from skcausalpima.datasets import make_rectangles
    >>> rectangles = make_rectangles(100, random_state=0)
    >>> rectangles.images.shape, rectangles.factor_names
    ((100, 28, 28), ['intensity', 'width', 'height'])
    >>> rectangles.places.shape
    (100, 2)
    """
    tables = named_graph(_RECTANGLE_GRAPHS, graph)
    bunch, random_state = draw_factors(
        n_samples, tables, _RECTANGLE_CENTRES, _RECTANGLE_SCALES, random_state
    )
    bunch.places = random_state.normal(scale=_PLACE_SCALE, size=(n_samples, 2))
    intensity, width, height = bunch.factor_values.T[:, :, None, None]
    column, row = bunch.places.T[:, :, None, None]
    middle = _middle(_RECTANGLE_SIZE)
    scene = (
        intensity
        * coverage(np.abs(middle - column), width / 2.0)
        * coverage(np.abs(middle[:, None] - row), height / 2.0)
    )
    bunch.images = photograph(scene, noise, random_state)
    return bunch


def _middle(size: int) -> np.ndarray:
    """Return how far the centres of pixels are from the middle of the image."""
    return np.arange(size) - (size - 1) / 2.0


def _bob(angles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the place across and the height of the bob."""
    return _ROD * np.sin(angles), _PIVOT - _ROD * np.cos(angles)


def _shadows(angles: np.ndarray, light: np.ndarray) -> np.ndarray:
    """Return where the tangents from the light to the bob meet the ground: (sample, end)."""
    across, height = _bob(angles)
    towards = np.arctan2(across - light, _LIGHT - height)
    spread = np.arcsin(_BOB / np.hypot(across - light, _LIGHT - height))
    ends = np.tan([towards - spread, towards + spread])
    return light[:, None] + (_LIGHT - _GROUND) * ends.T


def _render_pendulum(angles: np.ndarray, light: np.ndarray, shadows: np.ndarray) -> np.ndarray:
    """Draw the ground with the shadow, the rod, the bob and the lamp: the brightest is seen."""
    across = _middle(_PENDULUM_SIZE)
    height = _PENDULUM_SIZE - 0.5 - np.arange(_PENDULUM_SIZE)[:, None]
    begin, end = shadows.T[:, :, None, None]
    shadow = coverage(np.abs(across - (begin + end) / 2.0), (end - begin) / 2.0)
    scene = (height < _GROUND) * (0.5 - 0.4 * shadow)
    angles, light = angles[:, None, None], light[:, None, None]
    bob_across, bob_height = _bob(angles)
    along = across * np.sin(angles) + (_PIVOT - height) * np.cos(angles)
    aside = across * np.cos(angles) - (_PIVOT - height) * np.sin(angles)
    rod = coverage(np.abs(aside), 0.5) * coverage(np.abs(along - _ROD / 2.0), _ROD / 2.0)
    bob = coverage(np.hypot(across - bob_across, height - bob_height), _BOB)
    lamp = coverage(np.hypot(across - light, height - _LIGHT), _LAMP)
    return np.maximum.reduce([scene, 0.4 * rod, 0.7 * bob, 0.9 * lamp])
