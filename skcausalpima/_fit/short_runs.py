"""Two short runs from other seeds, where other starts do not end in the cells of a run."""

from __future__ import annotations

import math
import warnings
from dataclasses import replace

import numpy as np
import torch

from .._inference.reports import LEAST_OF_STARTS
from .._initialization.initialize import InitialSample, initialize_run
from .._model.setup import Setup
from .._parameter_objects import changed
from .._repeated_fits import is_one_of_many
from .._training.filling import viewed
from .._training.loop import epochs, settle
from .._training.observer import Interruption, Observer
from ..exceptions import DivergenceError
from .run import Run
from .stability import present_labels, rand_indices

N_RUNS = 2
N_EPOCHS = 3  # of pre-training, and of training
MAX_SAMPLES, MAX_CELLS = 20_000, 128  # beyond, other starts alone decide


def with_short_runs(
    found: Run, setup: Setup, initial: InitialSample, seed: int, interruption: Interruption
) -> Run:
    """Return a run with the median agreement of its cells and those of short runs, by pairs.

    Other starts are looked at in a trained latent space. They raise an alarm too often; whole fits
    from other seeds would know. Runs of a few epochs say nearly the same, for a third of the time,
    and are made after an alarm alone. They draw nothing from the generators of the run. One that
    diverges, or is interrupted, leaves the alarm as it is.
    """
    seen, n_samples = found.seen, initial.data.n_samples
    if seen is None or seen.with_fit is None or seen.with_fit >= LEAST_OF_STARTS:
        return found
    is_large = n_samples > MAX_SAMPLES or math.prod(setup.spec.node_sizes) > MAX_CELLS
    if found.stopped or interruption.requested or is_large or is_one_of_many.get():
        return found
    seeds = np.random.SeedSequence(seed).generate_state(N_RUNS).tolist()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            short = [_labels(setup, initial, other, interruption) for other in seeds]
    except DivergenceError:
        return found
    except KeyboardInterrupt:
        if interruption.insists or not interruption.requested:
            raise
        return found
    pairs = np.triu_indices(1 + N_RUNS, 1)
    median = np.median(rand_indices([seen.labels, *short])[pairs])
    return replace(found, seen=replace(seen, short_runs=float(median)))


def _labels(
    setup: Setup, initial: InitialSample, seed: int, interruption: Interruption
) -> np.ndarray:
    """Return the cells of some samples after a short run from a seed."""
    training = setup.training
    n_epochs = min(N_EPOCHS, training.schedule.pretraining_epochs)
    training = replace(
        training,
        steps=changed(training.steps, tol=0.0, validation_fraction=0.0),
        schedule=replace(training.schedule, pretraining_epochs=n_epochs),
        temperatures=training.temperatures[:N_EPOCHS],
    )
    setup = replace(setup, training=training)
    initial = replace(initial, rows=None, places=None, candidates=())
    observer = Observer(interruption=interruption)
    with torch.enable_grad(), setup.seeded(seed):
        state = initialize_run(setup, initial.data, initial, seed, observer)
        model = state.model
        data = viewed(model, initial.data)
        epochs(state.progress, data, state.update, state.generator)
        settle(model, data, state.update, state.generator)
    interruption.check()
    return present_labels(model, initial)
