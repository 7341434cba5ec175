"""One run of the algorithm: initialize, train, select the graph, polish."""

from __future__ import annotations

import copy
import functools
import math
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import cast

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning

from .._base.warn import warn_caller
from .._clustering.candidates import CandidateReport
from .._clustering.many_cells import has_many_cells
from .._data.samples import FitSamples
from .._inference.posterior import cells_of_samples
from .._inference.reports import StartAgreement
from .._initialization.initial_sample import InitialSample, initial_sample
from .._initialization.initialize import RunState, initialize_run
from .._model.build import export_state
from .._model.setup import Setup
from .._model.shares import share_of
from .._model.tensors import TensorData
from .._state.fitted import FittedState, HardGraph
from .._state.training import BegunRun, Numbers, TrainingState
from .._training.block_update import PassResult, data_pass
from .._training.decoder_updates import fit_last_layers
from .._training.distillation import distil, distillation_epochs
from .._training.ending import (
    ADVICE,
    Convergence,
    check_finite,
    check_model,
    n_held_out,
    told_divergence,
)
from .._training.filling import filled, viewed
from .._training.graph_selection import refit_tables, select_graph
from .._training.holding import hold
from .._training.loop import Phase, Polishing, epochs, settle
from .._training.observer import Observer
from .._training.sums import regime_counts
from ..modules import MultimodalVAE, StructuredVAE, SubsetEncoders
from .checkpoint import (
    begun_run,
    begun_state,
    data_fingerprint,
    run_state,
    terms_by_epoch,
    training_state,
)
from .stability import (
    agreement_of_many_cells,
    present_cells,
    rearranged,
    share_moved,
    start_agreement,
)


@dataclass(frozen=True, kw_only=True)
class Run:
    """What was learned, as NumPy arrays: it may come from another process."""

    state: Numbers  # of the model
    graph: HardGraph
    history: list[dict[str, float]]
    converged: bool
    objective: float  # the (weighted) bound per sample after the last step
    convergence: Convergence  # what was seen of training
    predict_variances: tuple[bool, ...]  # whose decoders have variances of their own
    stopped: str  # the epoch in which it was stopped, in words; empty if it was not
    # of the phases besides training
    phase_history: dict[str, list[dict[str, float]]] = field(default_factory=dict)
    candidates: CandidateReport | None = None  # what was seen of the clusterings
    moved: float = math.nan  # share of the samples that did not end where they started, if known
    checkpoint: TrainingState | None = None  # where training stood, for warm_start
    subset_state: Numbers | None = None  # of the encoders of incomplete samples
    held_out: np.ndarray | None = None  # rows of the core that did not train; None if all did
    seen: StartAgreement | None = None  # None where a run was continued
    rand_indices: np.ndarray | None = None  # (run, run): of the labels of all runs, if several


def run(
    setup: Setup,
    data: TensorData,
    initial: InitialSample,
    seed: int,
    observer: Observer,
    begun: BegunRun | None = None,
) -> Run:
    """Run the whole algorithm once, or from where it was stopped; ``observer`` follows it.

    An interrupt before training ends it with a KeyboardInterrupt. From then on there is something
    to keep: if interrupts are postponed, what goes on is cut short, and the end is made of that.
    """
    with torch.enable_grad(), setup.seeded(seed):  # if the caller has none
        (core, others), sizes = data.core(), setup.spec.node_sizes
        _plan_distillation(setup, core, others, observer)
        with observer:
            with observer.interruption.postponed(False):
                if begun is None:
                    state = initialize_run(setup, core, initial, seed, observer)
                else:
                    state = begun_state(setup, core, begun, initial.knowledge, observer)
            trained = _train_and_select_graph(setup, core, others, state, lambda: initial)
            if setup.training.initialization.method == "arranged" and has_many_cells(sizes):
                agreement = agreement_of_many_cells(state.model, initial, state.candidates)
            else:
                mixture = setup.training.mixture
                agreement = start_agreement(state.model, initial, state.rivals, mixture)
        return replace(trained, seen=agreement)


def run_further(
    setup: Setup, samples: FitSamples, data: TensorData, before: FittedState, observer: Observer
) -> Run:
    """Train a run further from where it stood, then select its graph again (``warm_start``)."""
    stored, knowledge = cast(TrainingState, before.training), samples.knowledge
    with torch.enable_grad(), setup.seeded(0):
        core, others = data.core()
        _plan_distillation(setup, core, others, observer)
        with observer:
            with observer.interruption.postponed(False):
                state = run_state(setup, core, stored, before.spec, knowledge, observer)
                state.progress.history = terms_by_epoch(before.history)

            def initial() -> InitialSample:
                return initial_sample(setup, samples, data, 0)

            return _train_and_select_graph(setup, core, others, state, initial)


def _train_and_select_graph(
    setup: Setup,
    core: TensorData,
    others: TensorData | None,
    state: RunState,
    initial: Callable[[], InitialSample],
) -> Run:
    """Train, keep where training stands if the fit may be continued, then select the graph."""
    model, progress, core = state.model, state.progress, viewed(state.model, core)
    fraction = setup.training.steps.validation_fraction
    held = hold(core, state.start, len(model.prior.means))
    training, held_out = _parts(held, core, state.order, fraction)
    samples = RunSamples(core=core, others=others, training=training, initial=initial)
    fingerprint = functools.cache(lambda: data_fingerprint(core, fraction))

    def standing() -> BegunRun:
        return begun_run(state, training_state(setup, state, fingerprint()))

    observer = progress.observer
    if not core.is_distributed:  # it would need all processes at once
        observer.snapshot = lambda: end_of_copy(setup, state, samples)
    observer.standing = standing
    epochs(progress, training, state.update, held_out)
    observer.standing, checkpoint = None, None
    if progress.diverged:
        lost = (
            " The fit cannot be continued: the next fit starts afresh." if setup.resumable else ""
        )
        warn_caller(
            f"Training diverged in epoch {len(progress.history)}, its last one. The state of the "
            f"best held-out bound is kept. {lost}{ADVICE}",
            ConvergenceWarning,
        )
    elif setup.resumable:
        checkpoint = standing().training
    return replace(end_of_run(setup, state, samples), checkpoint=checkpoint)


@dataclass(frozen=True, kw_only=True)
class RunSamples:
    """The samples of a run, by what they are for."""

    core: TensorData  # that the model is learned from
    others: TensorData | None  # that count for the graph alone
    training: TensorData  # those of the core that are not held out
    initial: Callable[[], InitialSample]  # returns those that clusters were found on


def end_of_run(setup: Setup, state: RunState, samples: RunSamples) -> Run:
    """Select the graph of a trained model, polish it, and distil; what is stopped does without."""
    model, progress, core, others = state.model, state.progress, samples.core, samples.others
    progress.stopper.restore(model)
    progress.stopper.best_state = None
    with _told_selection(core, state):
        n_rows = setup.training.schedule.n_settled
        settle(model, share_of(samples.training, n_rows, state.update.generator), state.update)
        state = rearranged(setup, core, samples.initial, state)
    graph, end = _select_graph_and_polish(setup, core, state, samples.training)
    is_incomplete = _is_incomplete(core, others)
    encoders = _distil(setup, state, samples.training, is_incomplete)
    if others is not None:  # they count for the graph and its tables
        prior, others = model.prior, filled(model, others, encoders)
        gamma = others.samples.weighted(cells_of_samples(model, others, encoders).T)
        of_others = regime_counts(gamma, others.regime_index, len(prior.regimes))
        total = end.counts + others.total_of(of_others)
        if setup.graph.structure == "refined":
            graph = select_graph(prior, total, setup.graph, state.rng)
        else:
            graph = refit_tables(prior, total, graph)
    fraction = setup.training.steps.validation_fraction
    return replace(
        what_was_learned(setup, model, progress, graph, end),
        phase_history={k: v for k, v in progress.observer.histories.items() if k != "training"},
        candidates=state.candidates,
        moved=_moved(core, state),
        subset_state=None if encoders is None else export_state(encoders),
        held_out=None
        if state.order is None
        else state.order[: n_held_out(core, state.order, fraction)],
    )


def what_was_learned(
    setup: Setup, model: MultimodalVAE, progress: Phase, graph: HardGraph, end: PassResult
) -> Run:
    """Return what every training leaves, with nothing of a start, nor of incomplete samples."""
    return Run(
        state=export_state(model),
        graph=graph,
        history=progress.history,
        converged=progress.stopper.converged,
        objective=end.terms["objective"],
        convergence=progress.convergence(),
        predict_variances=tuple(decoder.predicts_variances for decoder in model.decoders),
        stopped=progress.observer.where if progress.observer.stopped else "",
    )


def end_of_copy(setup: Setup, state: RunState, samples: RunSamples) -> Run:
    """Return what the run would be if it were stopped here; it goes on as if nobody had asked."""
    progress = copy.copy(state.progress)
    progress.observer = Observer()
    progress.observer.histories = dict(state.progress.observer.histories)
    progress.observer.is_told_to_stop = True
    progress.history, progress.stopper = list(progress.history), copy.copy(progress.stopper)
    generator = torch.Generator()
    generator.set_state(state.update.generator.get_state())
    copied = replace(
        state,
        model=copy.deepcopy(state.model),
        update=replace(state.update, generator=generator),
        rng=copy.deepcopy(state.rng),
        progress=progress,
    )
    return end_of_run(setup, copied, samples)


def _moved(core: TensorData, state: RunState) -> float:
    """Return the share of the samples that did not end where they began; NaN if unknown."""
    if state.start is None:
        return math.nan
    return share_moved(present_cells(state.model, state.start, core), state.start)


def _distil(
    setup: Setup, state: RunState, data: TensorData, is_incomplete: bool
) -> SubsetEncoders | None:
    """Return encoders for samples that lack modalities; None where they are not asked for."""
    asked = setup.training.missing_values.subset_epochs
    if asked == 0 or not isinstance(state.model, StructuredVAE):
        return None
    trained = len(state.progress.history)  # of all parts of a fit that is continued
    n_rows, n_epochs = _distillation_plan(setup, data, trained, is_incomplete)
    generator, observer = state.update.generator, state.progress.observer
    data = filled(state.model, share_of(data, n_rows, generator))
    encoders = distil(state.model, data, setup.training, n_epochs, generator, observer)
    if encoders is None:
        warn_caller(
            "The encoders of samples that lack modalities diverged, and are left out: those of "
            f"whole samples, which know nothing of parts, take their place. {ADVICE}",
            ConvergenceWarning,
        )
    return encoders


def _distillation_plan(
    setup: Setup, data: TensorData, n_trained: int, is_incomplete: bool
) -> tuple[int | None, int]:
    """Return of how many samples, None for all, and for how many epochs of these encoders learn.

    Where epochs of training see a share, distillation sees as many samples as so many shares have.
    """
    training, n_of_all = setup.training, data.n_of_all
    asked, n_rows = training.missing_values.subset_epochs, training.schedule.n_rows or n_of_all
    steps_per_epoch = math.ceil(min(n_rows, n_of_all) / training.steps.batch_size)
    n_epochs = distillation_epochs(asked, steps_per_epoch, n_trained, is_incomplete)
    if n_rows >= n_of_all:
        return None, n_epochs
    n_seen = min(n_epochs * n_rows, n_of_all)
    return n_seen, math.ceil(n_epochs * n_rows / n_seen)


def _is_incomplete(core: TensorData, others: TensorData | None) -> bool:
    """Return whether samples lack modalities or elements."""
    return others is not None or core.observed is not None


def _plan_distillation(
    setup: Setup, core: TensorData, others: TensorData | None, observer: Observer
) -> None:
    """Count the epochs of teaching that follow training: all that a fit of several modalities has.

    A modality alone has nothing to be taught, nor has the published algorithm.
    """
    asked = setup.training.missing_values.subset_epochs
    if asked and len(setup.spec.shapes) > 1 and not setup.spec.sampled_responsibilities:
        n_trained = setup.training.schedule.n_epochs
        is_incomplete = _is_incomplete(core, others)
        observer.plan["teaching"] = _distillation_plan(setup, core, n_trained, is_incomplete)[1]


def _select_graph_and_polish(
    setup: Setup, data: TensorData, state: RunState, training: TensorData
) -> tuple[HardGraph, PassResult]:
    """Select and fix the graph, polish; return the graph and a pass with the final model."""
    model, generator = state.model, state.update.generator
    data = filled(model, data)
    schedule = setup.training.schedule
    some = share_of(training, schedule.n_settled, generator)
    with _told_selection(data, state):
        check_model(model)
        end = data_pass(model, data, generator)
        graph = select_graph(model.prior, end.counts, setup.graph, state.rng)
    refines, progress = setup.graph.structure == "refined", state.progress
    if refines and not progress.observer.stopped:
        update = replace(state.update, adjacency=torch.from_numpy(graph.adjacency))
        phase = Polishing(model, setup.training, progress.observer, len(progress.history))
        phase.follow(None if progress.diverged else progress.optimizer)
        epochs(phase, training, update)
        with told_divergence(model, "polishing", weights=training.weights):
            settle(model, some, update)
        data = filled(model, data)
    if schedule.fits_last_layers:
        if not progress.observer.stopped:
            fit_last_layers(model, training, generator)
        settle(model, training, state.update, progress.share_of_samples)
    with told_divergence(model, "the final model", weights=data.weights):
        if refines:
            end = data_pass(model, data, generator)
            graph = refit_tables(model.prior, end.counts, graph)
        end = data_pass(model, data, generator)
        check_model(model)
        ends = [end.terms["objective"], end.terms["lower_bound"]]
        check_finite(torch.tensor(ends, dtype=torch.float64), "bounds")
    return graph, end


def _told_selection(data: TensorData, state: RunState) -> AbstractContextManager[None]:
    """Tell of numbers that are not finite that they are of the selection of the graph."""
    phase = f"the selection of the graph after epoch {len(state.progress.history)}"
    return told_divergence(state.model, phase, weights=data.weights)


def _parts(
    held: TensorData, core: TensorData, order: np.ndarray | None, fraction: float
) -> tuple[TensorData, TensorData | None]:
    """Set some samples aside for early stopping, free whether or not they are held in training."""
    if order is None:
        return held, None
    rows, n_first = torch.as_tensor(order, device=core.device), n_held_out(core, order, fraction)
    first, others = rows[:n_first], rows[n_first:]
    if core.is_streamed:  # in the order of the file
        first, others = first.sort().values, others.sort().values
    return held.subset(others), core.subset(first)
