"""Printed lattices: a picture of the structure, and how it bends under load."""

from __future__ import annotations

import numpy as np
from sklearn.utils import Bunch

from .._base.types import Seed
from ._factors import Graph, draw_factors

_GRAPH: Graph = {
    "lattice": ((), [0.5, 0.5]),
    "profile": (("lattice",), [[0.65, 0.35], [0.3, 0.7]]),
}
# Behind the lattice is the thickness of its struts or walls relative to the usual one, behind the
# profile how far the response has gone from sound (0) to degraded (1).
_CENTRES = {"lattice": (1.0, 1.0), "profile": (0.0, 1.0)}
_SCALES = {"lattice": 0.06, "profile": 0.08}

_PARAMETER_NAMES = ["slope1", "slope2", "knot1"]
# Per lattice: parameters of a sound sample, and what full degradation changes. MPa, MPa, strain.
_SOUND = np.array([[100.0, 20.0, 0.08], [80.0, 12.0, 0.10]])
_DEGRADED = np.array([[-28.0, -6.0, 0.03], [-32.0, -6.0, 0.05]])
_SPREAD = np.array([0.015, 0.03])  # of the load that a sample bears, relative
_NOISE = np.array([0.08, 0.16])  # of a point of the curve, MPa

_SIZE = 32
_CELLS = 3.0  # unit cells across an image


def make_lattices(n_samples: int = 91, *, random_state: Seed = None) -> Bunch:
    r"""Make images and stress-strain curves of lattices of two geometries.

    After Section 4.2 of the paper, whose data (91 printed lattices [1]_) is not public: geometry,
    curves and probabilities here are our own. A lattice is an octet truss or a gyroid, and its
    response to compression is sound or degraded, which happens more often to gyroids. The stress
    has two regimes: it rises with ``slope1`` up to the strain ``knot1``, and with
    ``slope2`` beyond it. Degradation changes the curve of gyroids much and that of octets little,
    and octets scatter less, so that octet curves vary less than gyroid curves. The image shows
    the geometry alone, the curve both factors.

    Parameters
    ----------
    n_samples : int, default=91
        Number of lattices.
    random_state : int, RandomState instance or None, default=None
        Seed of the generator.

    Returns
    -------
    sklearn.utils.Bunch
        With these fields:

        images : ndarray of shape (n_samples, 32, 32)
            Projected geometry in [0, 1], float32: how much material is behind each pixel.
        curves : ndarray of shape (n_samples, 100)
            Stress in MPa, float32.
        curve_points : ndarray of shape (100,)
            Strain, from 0 to 0.3.
        factors : ndarray of shape (n_samples, 2)
            Lattice (0 octet, 1 gyroid) and profile (0 sound, 1 degraded).
        factor_names : list of str
            Names of the columns of ``factors``.
        factor_values : ndarray of shape (n_samples, 2)
            Relative thickness of struts or walls, and degree of degradation.
        curve_parameters : ndarray of shape (n_samples, 3)
            Parameters of the curve that each sample follows, but for noise.
        curve_parameter_names : list of str
            Names of the columns of ``curve_parameters``.
        target : ndarray of shape (n_samples,)
            Number of the cell of the grid of both factors, in C order.
        dag : networkx.DiGraph
            The generating graph, lattice -> profile; nodes have an attribute ``size``.
        cpts : dict of str to ndarray
            Table of each node: one axis per parent, and the node's own axis last.

    Raises
    ------
    ValueError
        ``n_samples`` is below 1.

    References
    ----------
    .. [1] A. P. Garland et al., "Deep convolutional neural networks as a rapid screening tool for
       complex additively manufactured structures", Additive Manufacturing 35, 2020.

    Examples
    --------
    >>> from skcausalpima.datasets import make_lattices
    >>> lattices = make_lattices(random_state=0)
    >>> lattices.images.shape, lattices.curves.shape
    ((91, 32, 32), (91, 100))
    >>> lattices.factor_names, list(lattices.dag.edges)
    (['lattice', 'profile'], [('lattice', 'profile')])
    """
    bunch, random_state = draw_factors(n_samples, _GRAPH, _CENTRES, _SCALES, random_state)
    lattice = bunch.factors[:, 0]
    thickness, degradation = bunch.factor_values.T
    load = np.exp(_SPREAD[lattice] * random_state.normal(size=n_samples))
    parameters = _SOUND[lattice] + degradation[:, None] * _DEGRADED[lattice]
    parameters[:, :2] *= load[:, None]
    strain = np.linspace(0.0, 0.3, 100)
    noise = _NOISE[lattice, None] * random_state.normal(size=(n_samples, len(strain)))
    bunch.update(
        images=_render(lattice, thickness, random_state),
        curves=(_stress(strain, parameters) + noise).astype(np.float32),
        curve_points=strain,
        curve_parameters=parameters,
        curve_parameter_names=list(_PARAMETER_NAMES),
    )
    return Bunch(**bunch)


def _stress(strain: np.ndarray, parameters: np.ndarray) -> np.ndarray:
    """Return one curve of two straight pieces per row of parameters."""
    before, after, knot = parameters.T[:, :, None]
    return before * np.minimum(strain, knot) + after * np.maximum(strain - knot, 0.0)


def _render(
    lattice: np.ndarray, thickness: np.ndarray, random_state: np.random.RandomState
) -> np.ndarray:
    """Draw every lattice at a place of its own, with the camera's noise."""
    images = np.empty((len(lattice), _SIZE, _SIZE), dtype=np.float32)
    shifts = random_state.uniform(-0.03, 0.03, size=(len(lattice), 2))  # unit cells
    light = random_state.uniform(0.85, 1.0, size=len(lattice))
    grid = (np.arange(_SIZE) + 0.5) / _SIZE * _CELLS
    for k, gyroid in enumerate(lattice):
        across, down = grid + shifts[k, 0], (grid + shifts[k, 1])[:, None]
        images[k] = light[k] * (_gyroid if gyroid else _octet)(across, down, thickness[k])
    images += random_state.normal(scale=0.03, size=images.shape)
    return images.clip(0.0, 1.0)


def _octet(across: np.ndarray, down: np.ndarray, thickness: float) -> np.ndarray:
    """Return the projection of struts along the axes and the diagonals of the unit cells."""
    shades = []
    for coordinate, stretch, depth in (
        (across + 0.0 * down, 1.0, 0.5),
        (down + 0.0 * across, 1.0, 0.5),
        (across + down, np.sqrt(2.0), 0.7),
        (across - down, np.sqrt(2.0), 0.7),
    ):
        distance = np.abs(coordinate - np.round(coordinate)) / stretch
        shades.append(depth * np.clip((0.09 * thickness - distance) * 16.0 + 0.5, 0.0, 1.0))
    return np.minimum(np.sum(shades, axis=0), 1.0)


def _gyroid(across: np.ndarray, down: np.ndarray, thickness: float) -> np.ndarray:
    """Return the part of each line of sight that lies in the wall of a gyroid.

    The projection is cut out around one of its mirror lines, a quarter of a cell from the origin.
    """
    x, y = (2.0 * np.pi * (axis[..., None] + 0.25) for axis in (across, down))
    z = 2.0 * np.pi * np.arange(24) / 24
    level = np.sin(x) * np.cos(y) + np.sin(y) * np.cos(z) + np.sin(z) * np.cos(x)
    return np.clip((0.45 * thickness - np.abs(level)) * 4.0 + 0.5, 0.0, 1.0).mean(axis=-1)
