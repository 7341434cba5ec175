"""Images of discs and bars, and digits with curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.special import expit
from sklearn.datasets import load_digits
from sklearn.utils import Bunch, check_random_state

from .._base.scalar_checks import check_count, check_number
from .._base.types import Seed
from ._drawing import MOST_NOISE, coverage, photograph
from ._factors import EVEN, ROOT, Graph, binary_graphs, draw_factors, named_graph

# The gap between neighbouring outcomes in standard deviations of the value at overlap 1: a
# threshold halfway errs for Phi(-2.75) = 0.3 % of the samples.
_GAP = 5.5

# The continuous value behind each outcome. Hue and stripe are log-odds of a colour mix, the
# others pixels of a 28 x 28 image.
_CIRCLE_CENTRES = {"hue": (-1.4, 1.4), "radius": (3.5, 6.0), "shift": (-4.0, 4.0)}
_STRIPED_CENTRES = {"hue": (-1.4, 1.4), "radius": (4.5, 8.0), "shift": (-3, 3), "stripe": (-2, 2)}
_SIZED_CENTRES = {"hue": (-1.4, 1.4), "radius": (4.0, 5.5, 7.0)}
_BAR_CENTRES = {"brightness": (0.4, 0.85), "thickness": (4.0, 8.0), "place": (-4.0, 4.0)}
_BAR_SCALES = {"brightness": 0.05, "thickness": 0.6, "place": 1.1}

_WEAK_LINK = [[0.66, 0.34], [0.34, 0.66]]
_CIRCLE_GRAPHS = binary_graphs("hue", "radius", "shift")
_STRIPED_GRAPH: Graph = {
    "hue": ((), EVEN),
    "radius": (("hue",), _WEAK_LINK),
    "shift": (("hue",), _WEAK_LINK),
    "stripe": (("shift",), _WEAK_LINK),
}
_SIZED_GRAPH: Graph = {"hue": ((), ROOT), "radius": (("hue",), [[0.5, 0.3, 0.2], [0.2, 0.3, 0.5]])}
_BAR_GRAPH = binary_graphs("brightness", "thickness", "place")["v-structure"]


def make_circles_images(
    n_samples: int = 4096,
    *,
    graph: str = "v-structure",
    overlap: float = 1.0,
    curves: bool = False,
    image_size: int = 28,
    random_state: Seed = None,
) -> Bunch:
    """Make images of coloured discs of two hues, two radii and two places.

    The data set of Section 4.1 of the paper. A disc is blue or red, small or big, and lies to
    the left or to the right; each of these is a mixture of two Gaussians that overlap. The
    paper prints its probabilities only in a picture: the tables and spreads here are our own
    choice. Every edge carries at least 0.05 nats given the other parents, and no cell is less
    likely than 4 %.

    Parameters
    ----------
    n_samples : int, default=4096
        Number of images.
    graph : {"v-structure", "chain", "complete", "independent"}, default="v-structure"
        How the factors depend on each other: hue -> shift <- radius, hue -> radius -> shift,
        hue -> radius with both -> shift, or not at all.
    overlap : float, default=1.0
        Factor on the standard deviation of the values within an outcome. At 1 the best
        threshold on the true value tells 99.7 % of the samples of a factor apart.
    curves : bool, default=False
        Whether to add a second modality: a noisy line at 20 points, whose slope depends on the
        radius and whose intercept depends on the shift.
    image_size : int, default=28
        Height and width; lengths scale with it.
    random_state : int, RandomState instance or None, default=None
        Seed of the generator.

    Returns
    -------
    sklearn.utils.Bunch
        With these fields:

        images : ndarray of shape (n_samples, image_size, image_size, 3)
            Colours in [0, 1], float32.
        factors : ndarray of shape (n_samples, 3)
            Outcomes of hue (0 blue, 1 red), radius (0 small) and shift (0 left).
        factor_names : list of str
            Names of the columns of ``factors``.
        factor_values : ndarray of shape (n_samples, 3)
            The continuous values that were drawn: log-odds of red, and lengths in pixels of a
            28 x 28 image.
        target : ndarray of shape (n_samples,)
            Number of the cell of the grid of all factors, in C order.
        dag : networkx.DiGraph
            The generating graph; nodes have an attribute ``size``.
        cpts : dict of str to ndarray
            Table of each node: one axis per parent, in the order of ``dag.predecessors``, and
            the node's own axis last.
        curves, curve_points : ndarray of shape (n_samples, 20) and (20,)
            Only with ``curves=True``: the lines, float32, and where they are sampled.

    Raises
    ------
    ValueError
        An argument is out of range or no known graph.

    Examples
    --------
    >>> from skcausalpima.datasets import make_circles_images
    >>> circles = make_circles_images(100, random_state=0)
    >>> circles.images.shape, circles.factor_names
    ((100, 28, 28, 3), ['hue', 'radius', 'shift'])
    >>> list(circles.dag.edges)
    [('hue', 'shift'), ('radius', 'shift')]
    >>> circles.cpts["shift"].shape
    (2, 2, 2)
    """
    tables = named_graph(_CIRCLE_GRAPHS, graph)
    check_count(image_size, "image_size")
    if not isinstance(curves, (bool, np.bool_)):
        raise TypeError(f"curves must be True or False, got {curves!r}.")
    scales = _overlapping(_CIRCLE_CENTRES, overlap)
    bunch, random_state = draw_factors(n_samples, tables, _CIRCLE_CENTRES, scales, random_state)
    bunch.images = _render_discs(bunch, image_size)
    if curves:
        slopes, intercepts = 1.0 + 2.0 * bunch.factors[:, 1], -1.0 + 2.0 * bunch.factors[:, 2]
        bunch.curve_points = np.linspace(0.0, 1.0, 20)
        bunch.curves = _noisy_lines(slopes, intercepts, bunch.curve_points, 0.25, random_state)
    return bunch


def make_striped_circles(
    n_samples: int = 4096, *, overlap: float = 1.0, random_state: Seed = None
) -> Bunch:
    """Make images of discs with four binary factors: hue, radius, shift and stripe.

    A level stripe across the disc is faint or strong, the rest is as in
    :func:`make_circles_images`, with bigger discs. The graph is a tree, radius <- hue ->
    shift -> stripe; none of the 16 cells is less likely than 1.9 %.

    Parameters
    ----------
    n_samples : int, default=4096
        Number of images.
    overlap : float, default=1.0
        Factor on the standard deviation of the values within an outcome.
    random_state : int, RandomState instance or None, default=None
        Seed of the generator.

    Returns
    -------
    sklearn.utils.Bunch
        The fields of :func:`make_circles_images`, with four factors.

    Raises
    ------
    ValueError
        An argument is out of range.

    Examples
    --------
    >>> from skcausalpima.datasets import make_striped_circles
    >>> circles = make_striped_circles(100, random_state=0)
    >>> circles.factors.shape
    (100, 4)
    """
    scales = _overlapping(_STRIPED_CENTRES, overlap)
    bunch, _ = draw_factors(n_samples, _STRIPED_GRAPH, _STRIPED_CENTRES, scales, random_state)
    bunch.images = _render_discs(bunch, 28)
    return bunch


def make_sized_circles(
    n_samples: int = 4096, *, overlap: float = 1.0, random_state: Seed = None
) -> Bunch:
    """Make images of centred discs with factors of unequal sizes: two hues, three radii.

    The graph is hue -> radius.

    Parameters
    ----------
    n_samples : int, default=4096
        Number of images.
    overlap : float, default=1.0
        Factor on the standard deviation of the values within an outcome.
    random_state : int, RandomState instance or None, default=None
        Seed of the generator.

    Returns
    -------
    sklearn.utils.Bunch
        The fields of :func:`make_circles_images`, with the factors hue and radius.

    Raises
    ------
    ValueError
        An argument is out of range.

    Examples
    --------
    >>> from skcausalpima.datasets import make_sized_circles
    >>> circles = make_sized_circles(100, random_state=0)
    >>> [circles.dag.nodes[name]["size"] for name in circles.factor_names]
    [2, 3]
    """
    scales = _overlapping(_SIZED_CENTRES, overlap)
    bunch, _ = draw_factors(n_samples, _SIZED_GRAPH, _SIZED_CENTRES, scales, random_state)
    bunch.images = _render_discs(bunch, 28)
    return bunch


def make_grey_bars(n_samples: int = 3000, *, random_state: Seed = None) -> Bunch:
    """Make images of one upright grey bar of two brightnesses, thicknesses and places.

    Harder than circles: brightness (0.4 or 0.85, standard deviation 0.05) and thickness
    (4 or 8 pixels, 0.6) multiply, the place (4 pixels to either side, 1.1) spreads widely, and
    every pixel has noise (0.02). The graph is brightness -> place <- thickness.

    Parameters
    ----------
    n_samples : int, default=3000
        Number of images.
    random_state : int, RandomState instance or None, default=None
        Seed of the generator.

    Returns
    -------
    sklearn.utils.Bunch
        The fields of :func:`make_circles_images`, with images of shape (n_samples, 24, 24).

    Raises
    ------
    ValueError
        An argument is out of range.

    Examples
    --------
    >>> from skcausalpima.datasets import make_grey_bars
    >>> bars = make_grey_bars(100, random_state=0)
    >>> bars.images.shape, bars.factor_names
    ((100, 24, 24), ['brightness', 'thickness', 'place'])
    """
    bunch, random_state = draw_factors(
        n_samples, _BAR_GRAPH, _BAR_CENTRES, _BAR_SCALES, random_state
    )
    brightness, thickness, place = bunch.factor_values.T[:, :, None]
    across = np.arange(24) - 11.5
    profile = brightness * coverage(np.abs(across - place), thickness / 2.0)  # (sample, column)
    scene = profile[:, None, :] * (np.abs(across) < 9.0)[:, None]
    bunch.images = photograph(scene, 0.02, random_state)
    return bunch


def load_digits_with_curves(
    noise_variance: float = 0.5, *, n_points: int = 20, random_state: Seed = None
) -> Bunch:
    """Load scikit-learn's digit images, each with a noisy line whose slope is the digit.

    The experiment of the PIMA family (an image and a line per digit), on real images that ship
    with scikit-learn: neither modality alone tells all digits apart.

    Parameters
    ----------
    noise_variance : float, default=0.5
        Variance of the Gaussian noise on every point of a curve.
    n_points : int, default=20
        Number of points of a curve, evenly spaced on [0, 1].
    random_state : int, RandomState instance or None, default=None
        Seed of the noise.

    Returns
    -------
    sklearn.utils.Bunch
        With these fields:

        images : ndarray of shape (1797, 8, 8)
            Grey levels from 0 to 16, float32.
        curves : ndarray of shape (1797, n_points)
            ``target * curve_points`` plus noise, float32.
        curve_points : ndarray of shape (n_points,)
            Where the curves are sampled.
        target : ndarray of shape (1797,)
            The digits.

    Raises
    ------
    ValueError
        An argument is out of range.

    Examples
    --------
    >>> from skcausalpima.datasets import load_digits_with_curves
    >>> digits = load_digits_with_curves(random_state=0)
    >>> digits.images.shape, digits.curves.shape
    ((1797, 8, 8), (1797, 20))
    """
    noise_variance = check_number(noise_variance, "noise_variance", 0.0, MOST_NOISE)
    check_count(n_points, "n_points")
    digits = load_digits()
    points = np.linspace(0.0, 1.0, n_points)
    rng = check_random_state(random_state)
    curves = _noisy_lines(digits.target, np.zeros(1), points, noise_variance, rng)
    images = digits.images.astype(np.float32)
    return Bunch(images=images, curves=curves, curve_points=points, target=digits.target)


def _overlapping(centres: Mapping[str, Sequence[float]], overlap: float) -> dict[str, float]:
    """Return the standard deviations that put neighbouring outcomes _GAP / overlap apart."""
    overlap = check_number(overlap, "overlap", 0.0, MOST_NOISE)
    return {name: (means[1] - means[0]) / _GAP * overlap for name, means in centres.items()}


def _render_discs(bunch: Bunch, image_size: int) -> np.ndarray:
    """Draw the discs with soft edges: the share of a pixel that the disc covers is its colour."""
    values = dict(zip(bunch.factor_names, bunch.factor_values.T[:, :, None, None], strict=True))
    pixel = 28.0 / image_size
    across = (np.arange(image_size) - (image_size - 1) / 2.0) * pixel
    down = across[:, None]
    shift = values.get("shift", np.zeros_like(values["hue"]))
    distance = np.hypot(across - shift, down)  # (sample, row, column)
    disc = coverage(distance, values["radius"], pixel)
    images = np.zeros((*distance.shape, 3), dtype=np.float32)
    images[..., 0] = disc * expit(values["hue"])
    images[..., 2] = disc * expit(-values["hue"])
    if "stripe" in values:
        images[..., 1] = disc * coverage(np.abs(down), 2.0, pixel) * expit(values["stripe"])
    return images


def _noisy_lines(
    slopes: np.ndarray,
    intercepts: np.ndarray,
    points: np.ndarray,
    noise_variance: float,
    random_state: np.random.RandomState,
) -> np.ndarray:
    """Sample one line per slope and intercept at the points, with Gaussian noise."""
    lines = slopes[:, None] * points + intercepts[:, None]
    noise = random_state.normal(scale=np.sqrt(noise_variance), size=lines.shape)
    return (lines + noise).astype(np.float32)
