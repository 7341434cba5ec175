"""Short runs from other seeds: whether they find the cells of a run, or agree on other ones."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import numpy as np
import torch

from .._clustering.margins import AGREEING, LEAST_OF_STARTS, ODD_RUN
from .._held_out.fits import is_one_of_many
from .._held_out.matching import rand_indices
from .._inference.reports import StartAgreement
from .._initialization.initial_sample import InitialSample
from .._initialization.initialize import initialize_run
from .._model.setup import Setup
from .._model.tensors import TensorData
from .._training.filling import viewed
from .._training.loop import epochs, settle
from .._training.observer import Interruption, Observer
from ..exceptions import DivergenceError
from ..modules import ExpertError
from .run import Run, run
from .stability import present_labels

#: Short runs: how many, and their epochs of pre-training, and of training.
N_RUNS, N_EPOCHS = 2, 3
#: Beyond so many samples or cells, other starts alone decide.
MAX_SAMPLES, MAX_CELLS = 20_000, 128


def with_short_runs(
    trained: Run,
    setup: Setup,
    data: TensorData,
    initial: InitialSample,
    seed: int,
    interruption: Interruption,
) -> Run:
    """Return a run with the median agreement of its cells and those of short runs, by pairs.

    Other starts are looked at in a trained latent space. They raise an alarm too often; whole fits
    from other seeds would know. Runs of a few epochs say nearly the same, for a third of the time,
    and are made after an alarm alone. They draw nothing from the generators of the run. One that
    diverges, or is interrupted, leaves the alarm as it is.

    Wrong cells of a grid differ from each other, right ones agree. Where short runs agree with each
    other, and clearly less with the run, its start was the exception: a whole run from the seed of
    one of them takes its place, if they agree with that one clearly more. The median stays that of
    the first run: what it warns of, the data have not lost.
    """
    starts, n_samples = trained.seen, initial.data.n_samples
    if starts is None or starts.with_fit is None or starts.with_fit >= LEAST_OF_STARTS:
        return trained
    is_large = n_samples > MAX_SAMPLES or math.prod(setup.spec.node_sizes) > MAX_CELLS
    if trained.stopped or interruption.requested or is_large or is_one_of_many.get():
        return trained
    seeds = np.random.SeedSequence(seed).generate_state(N_RUNS).tolist()
    free = replace(initial, trial=None)  # clusterings of their own
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            short = [_labels_of_short_run(setup, free, other, interruption) for other in seeds]
        agreement = rand_indices([starts.labels, *short])
        # each process of a group would decide for itself, and might decide otherwise
        may_replace = len(setup.spec.node_sizes) > 1 and not data.is_distributed
        if may_replace and _is_odd(agreement, short):
            observer = Observer(interruption=interruption, scaler=setup.scaler)
            again = run(setup, data, free, seeds[0], observer)
            instead = cast(StartAgreement, again.seen)
            now = rand_indices([instead.labels, *short])
            if not again.stopped and _oddness(agreement) - _oddness(now) > ODD_RUN:
                trained, starts = again, replace(instead, replaced=True)
    except (DivergenceError, ExpertError):
        return trained
    except KeyboardInterrupt:
        if interruption.insists or not interruption.requested:
            raise
        return trained
    median = np.median(agreement[np.triu_indices(1 + N_RUNS, 1)])
    return replace(trained, seen=replace(starts, short_runs=float(median)))


def _is_odd(agreement: np.ndarray, short: Sequence[np.ndarray]) -> bool:
    """Return whether short runs agree with each other, and clearly less with the run before them.

    Those that have but one cell say nothing.
    """
    has_cells = all(len(np.unique(labels)) > 1 for labels in short)
    agree = bool(agreement[1:, 1:].min() >= AGREEING)
    return has_cells and agree and _oddness(agreement) > ODD_RUN


def _oddness(agreement: np.ndarray) -> float:
    """Return how much more the others agree with each other than any of them with the first."""
    return float(agreement[1:, 1:].min() - agreement[0, 1:].max())


def _labels_of_short_run(
    setup: Setup, initial: InitialSample, seed: int, interruption: Interruption
) -> np.ndarray:
    """Return the cells of some samples after a short run from a seed."""
    training = setup.training
    n_epochs = min(N_EPOCHS, training.schedule.pretraining_epochs)
    training = replace(
        training,
        steps=replace(training.steps, tol=0.0, validation_fraction=0.0),
        schedule=replace(training.schedule, pretraining_epochs=n_epochs),
        temperatures=training.temperatures[:N_EPOCHS],
    )
    setup = replace(setup, training=training)
    initial = replace(initial, rows=None, positions=None)
    observer = Observer(interruption=interruption)
    with torch.enable_grad(), setup.seeded(seed):
        state = initialize_run(setup, initial.data, initial, seed, observer)
        model = state.model
        data = viewed(model, initial.data)
        epochs(state.progress, data, state.update)
        settle(model, data, state.update)
    interruption.check()
    return present_labels(model, initial)
