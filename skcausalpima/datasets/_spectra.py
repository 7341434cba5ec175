"""Spectra: two narrow peaks on a sloping background."""

from __future__ import annotations

import numpy as np
from sklearn.utils import Bunch

from .._base.types import Seed
from ._drawing import check_noise
from ._factors import binary_graphs, draw_factors, named_graph

_N_POINTS = 200
# Places and widths (standard deviations of the peaks) in units of the whole spectrum.
_CENTRES = {
    "first_place": (0.2, 0.35),
    "first_width": (0.015, 0.03),
    "second_place": (0.65, 0.8),
}
_SCALES = {"first_place": 0.01, "first_width": 0.002, "second_place": 0.01}
_SECOND_WIDTH = 0.02
_GRAPHS = binary_graphs(*_CENTRES)


def make_spectra(
    n_samples: int = 3000,
    *,
    graph: str = "v-structure",
    noise: float = 0.03,
    random_state: Seed = None,
) -> Bunch:
    """Make spectra of two narrow peaks, one of which moves and widens while the other moves.

    Both peaks are Gaussian curves of height 1, apart from each other, and the outcomes of a
    place are so far apart that the peaks there hardly overlap. They stand on a background of
    random slope and offset, which is no factor.

    Parameters
    ----------
    n_samples : int, default=3000
        Number of spectra.
    graph : {"v-structure", "chain", "complete", "independent"}, default="v-structure"
        How the factors depend on each other: first place -> second place <- first width, first
        place -> first width -> second place, first place -> first width with both -> second
        place, or not at all.
    noise : float, default=0.03
        Standard deviation of the noise of every point.
    random_state : int, RandomState instance or None, default=None
        Seed of the generator.

    Returns
    -------
    sklearn.utils.Bunch
        With these fields:

        curves : ndarray of shape (n_samples, 200)
            Intensities, float32: between 0.25 and 2.25, but for noise.
        curve_points : ndarray of shape (200,)
            Where the spectra are sampled, from 0 to 1.
        factors : ndarray of shape (n_samples, 3)
            Outcomes of first_place (0 left), first_width (0 narrow) and second_place (0 left).
        factor_names : list of str
            Names of the columns of ``factors``.
        factor_values : ndarray of shape (n_samples, 3)
            Where the first peak is (standard deviation 0.01 around 0.2 and 0.35), its width as
            the standard deviation of a Gaussian (0.002 around 0.015 and 0.03), and where the
            second peak is (0.01 around 0.65 and 0.8).
        backgrounds : ndarray of shape (n_samples, 2)
            Slope of the background, uniform from -0.5 to 0.5, and its level in the middle of the
            spectrum, uniform from 0.5 to 1.
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
        An argument is out of range or no known graph.

    Examples
    --------
    >>> from skcausalpima.datasets import make_spectra
    >>> spectra = make_spectra(100, random_state=0)
    >>> spectra.curves.shape, spectra.factor_names
    ((100, 200), ['first_place', 'first_width', 'second_place'])
    >>> list(spectra.dag.edges)
    [('first_place', 'second_place'), ('first_width', 'second_place')]
    """
    tables = named_graph(_GRAPHS, graph)
    noise = check_noise(noise)
    bunch, random_state = draw_factors(n_samples, tables, _CENTRES, _SCALES, random_state)
    points = np.linspace(0.0, 1.0, _N_POINTS)
    backgrounds = random_state.uniform((-0.5, 0.5), (0.5, 1.0), size=(n_samples, 2))
    slope, level = backgrounds.T[:, :, None]
    place, width, other_place = bunch.factor_values.T[:, :, None]
    curves = level + slope * (points - 0.5)
    curves += _peak(points, place, width) + _peak(points, other_place, _SECOND_WIDTH)
    curves += random_state.normal(scale=noise, size=curves.shape)
    bunch.update(curves=curves.astype(np.float32), curve_points=points, backgrounds=backgrounds)
    return bunch


def _peak(points: np.ndarray, place: np.ndarray, width: float | np.ndarray) -> np.ndarray:
    """Return Gaussian curves of height 1."""
    return np.exp(-0.5 * ((points - place) / width) ** 2)
