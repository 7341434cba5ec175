"""The opening of a fit: what is missing is filled in, what is left open is decided, there is room.

What follows begins with a :class:`Start`: fits, and the folds and proposals of node sizes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from .._clustering.margins import BETTER_WEIGHTS
from .._data.samples import FitSamples
from .._grid import n_effects
from .._model.scaled_samples import fit_data
from .._model.setup import Setup
from .._model.tensors import TensorData
from .column_noise import unlike_spreads, unlike_units, variances
from .initial_sample import InitialSample, filled_by_low_rank, initial_sample, tried
from .latent_space import with_room_for_clusters


@dataclass(frozen=True, kw_only=True)
class Start:
    """Where a fit begins.

    Parameters
    ----------
    setup : Setup
        Nothing in it is left open.
    data : TensorData
        All samples, in the units that were decided.
    initial : InitialSample
        Those that clusters are found on, and what was found already.
    """

    setup: Setup
    data: TensorData
    initial: InitialSample


def begin(setup: Setup, samples: FitSamples, data: TensorData, seed: int) -> Start:
    """Return where a fit begins, in units and a latent space that suit its clusters.

    Parameters
    ----------
    setup : Setup
        With what is left open.
    samples : FitSamples
        Whose clusters are found.
    data : TensorData
        From :func:`filled_data`.
    seed : int
        Of clusterings.

    Returns
    -------
    Start
        The same on all ranks.
    """
    start = settle(setup, samples, data, seed)
    if not (setup.left_open.dimension and setup.training.initialization.method == "arranged"):
        return start
    settled = start.setup
    dimension, initial = with_room_for_clusters(
        settled.spec, samples.modalities, start.initial, seed
    )
    settled = replace(settled, spec=replace(settled.spec, latent_dim=dimension))
    return replace(start, setup=settled, initial=initial)


def filled_data(setup: Setup, samples: FitSamples) -> TensorData:
    """Return samples in the units of a setup; missing elements are those of a low-rank matrix."""
    spec = setup.spec
    rank = n_effects(spec.node_sizes) if setup.left_open.dimension else spec.latent_dim
    return filled_by_low_rank(fit_data(samples, setup), rank)


def settle(setup: Setup, samples: FitSamples, data: TensorData, seed: int) -> Start:
    """Decide what is left open: sides, and the units of columns.

    These are in units of their own where these make clusterings agree with each other clearly more:
    units of their noise, or, of columns that vary unlike, of all variation.
    """
    decided, initial = initial_sample(setup, samples, data, seed)
    start = Start(setup=decided, data=data, initial=initial)
    numbers = setup.left_open.columns
    if not numbers:
        return start
    tables = [initial.data.arrays[m].double().cpu().numpy() for m in numbers]
    seen = [initial.data.seen(m) for m in numbers]
    units = {
        "noise": unlike_spreads(tables, seen, math.prod(setup.spec.node_sizes), seed),
        "feature": unlike_units(tables, seen),
    }
    unlike = {word: spreads for word, spreads in units.items() if spreads is not None}
    needed = tried(decided.spec, initial, seed).agreement + BETTER_WEIGHTS if unlike else np.inf
    for word, spreads in unlike.items() if needed < 1.0 else ():
        scaler = setup.scaler
        for m, spread, values, mask in zip(numbers, spreads, tables, seen, strict=True):
            scaler = scaler.with_units(m, spread, variances(values, mask), word)
        other = replace(setup, scaler=scaler, scale=list(scaler.words))
        other_data = filled_data(other, samples)
        other, other_initial = initial_sample(other, samples, other_data, seed)
        if tried(other.spec, other_initial, seed).agreement > needed:
            return Start(setup=other, data=other_data, initial=other_initial)
    return start
