"""One call of ``fit``, from what the user passes to the attributes, followed and interruptible."""

from __future__ import annotations

import functools
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import ParamSpec, TypeVar
from weakref import WeakKeyDictionary

from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, clone
from sklearn.utils import check_random_state

from .._base.progress_lines import ProgressLines
from .._base.scikit_learn import fit_context
from .._base.types import Groups, KnownNodes, Samples, Unchecked, Values
from .._base.warn import warn_caller
from .._data.groups import GROUPS_ENTRY, take_groups
from .._data.kept_groups import FitGroups, groups_of
from .._data.other_units import warn_of_other_units
from .._data.ranks import Ranks
from .._data.recipes import check_target
from .._data.samples import FitSamples
from .._data.table_labels import check_rows_beside
from .._data.validation import Modalities, read_further, read_modalities
from .._held_out.fits import is_one_of_many
from .._initialization.begin import begin
from .._initialization.linear_parts import linear_modalities, noiseless
from .._initialization.low_rank import filled_data
from .._initialization.noise_of_clusters import with_noise_of_clusters
from .._model.process_group import process_group
from .._model.scaled_samples import fit_data
from .._model.settings import LastFit
from .._model.setup import Setup, as_built, set_up, with_total
from .._model.spec import ModelSpec
from .._model.stated import Parameters
from .._model.surroundings import precision_of
from .._model.tensors import TensorData
from .._state.fitted import FittedState, fitted_attributes
from .._state.training import BegunFit, BegunRun
from .._structure.digraphs import node_graph
from .._training.observer import Interruption
from ..callback import CALLBACKS
from ..exceptions import InterruptionWarning
from .arrivals import DECAY, beside_those_of_before, learn
from .attributes import fitted_state
from .callbacks import FitTasks, Watch, planned_epochs
from .checkpoint import check_same_fit, check_unchanged, fit_fingerprint
from .data_parallel import as_on_all_ranks, begun_by_all, check_alone, told_of_fit
from .interrupts import interruptible
from .restarts import best_run
from .run import Run, run_further

P = ParamSpec("P")
R = TypeVar("R")

#: How long fits took: of the estimators of this process, no part of what they are.
_seconds: WeakKeyDictionary[BaseEstimator, float] = WeakKeyDictionary()

#: What is said where the interrupt has not shortened what is kept.
COMPLETE = (
    "The fit was interrupted, but what it keeps is complete: its training had ended, or the best "
    "of the runs (n_init) that had come to their end is kept."
)


@dataclass(frozen=True)
class FitCall:
    """What ``fit`` was given."""

    X: Samples
    y: Unchecked
    sample_weight: ArrayLike | None
    known_nodes: KnownNodes = None
    interventions: KnownNodes = None
    groups: Groups = None

    @property
    def known(self) -> tuple[KnownNodes, KnownNodes, ArrayLike | None]:
        """What is known of each sample, as :func:`set_up` takes it."""
        return self.known_nodes, self.interventions, self.sample_weight


@dataclass(frozen=True, kw_only=True)
class Following:
    """Who follows a fit."""

    interruption: Interruption
    tasks: FitTasks | None
    ranks: Ranks  # who fits together

    def says(self, setup: Setup, what: str) -> None:
        """Print what the fit does before there are epochs to count."""
        if self.ranks.rank == 0:
            lines = ProgressLines(setup.training.verbose, "[CausalPIMA]")
            lines.show(what, 1, 1)
            lines.close()

    def watch(
        self,
        setup: Setup,
        n_runs: int,
        attributes: Callable[[Run], Values],
        begun: Callable[[], BegunFit] | None = None,
    ) -> Watch:
        """Return how the runs of the fit are followed, which begin now.

        ``begun`` makes what a checkpoint keeps of it; None where it is continued.
        """
        is_continued, tasks = begun is None, []
        if self.tasks is not None:
            n_epochs = sum(planned_epochs(setup, is_continued).values())
            tasks = self.tasks.begin(n_runs, n_epochs, attributes, begun or _no_checkpoint)
        return Watch(
            setup=setup,
            n_runs=n_runs,
            interruption=self.interruption,
            tasks=tasks,
            is_continued=is_continued,
            is_first=self.ranks.rank == 0,
        )


def fitting(fit: Callable[P, R]) -> Callable[P, R]:
    """Return a method that fits as scikit-learn's do, if parameters are right on all ranks."""
    checked: Callable[P, R] = fit_context(prefer_skip_nested_validation=True)(fit)
    return begun_by_all(checked, lambda asked: process_group(asked))


@contextmanager
def followed(
    estimator: BaseEstimator, call: FitCall, distributed: bool | str
) -> Iterator[Following]:
    """Let callbacks and interrupts reach a fit, and callbacks see that it has ended.

    ``distributed`` says whether it is one of all ranks, see :func:`process_group`.
    """
    metadata: Values | None = (
        None if call.sample_weight is None else {"sample_weight": call.sample_weight}
    )
    begin = time.monotonic()
    with interruptible() as interruption:
        tasks, ranks = None, process_group(distributed)
        interruption.may_wait = not ranks.are_several  # they would end at different batches
        with ranks.joined():
            with ranks.together():
                if CALLBACKS in vars(estimator):
                    tasks = FitTasks(estimator, call.X, call.y, metadata)
            yield Following(interruption=interruption, tasks=tasks, ranks=ranks)
        if tasks is not None:
            tasks.end()
        if interruption.requested:
            _tell(interruption, COMPLETE)
    _seconds[estimator] = time.monotonic() - begin


def seconds_of_fit(estimator: BaseEstimator) -> float | None:
    """Return how long the last fit of an estimator took; None where that is not known."""
    return _seconds.get(estimator)


def fit_anew(
    estimator: BaseEstimator,
    params: Parameters,
    call: FitCall,
    following: Following,
    stopped: BegunFit | None = None,
) -> FittedState:
    """Return what a fit leaves; ``estimator`` gets the attributes that describe X.

    It may go on with one that was stopped.
    """
    before, ranks = set(vars(estimator)), following.ranks
    with ranks.together():
        if call.interventions is not None:
            check_alone(ranks, "interventions")
        if params.contexts:
            check_alone(ranks, "contexts")
        if call.groups is not None:
            check_alone(ranks, "groups")
        check_target(call.y)
        order = () if stopped is None else stopped.spec.modality_names
        X, labels = take_groups(call.X, call.groups)
        setattr(estimator, GROUPS_ENTRY, call.groups if isinstance(call.groups, str) else None)
        given = read_modalities(estimator, X, reset=True, order=order)
        given = _grouped(given, labels)
    ranks.agree(lambda: told_of_fit(params, given))
    read = {name: value for name, value in vars(estimator).items() if name not in before}
    of_all = replace(given, ranks=ranks)
    if not is_one_of_many.get():  # of folds the whole was looked at
        of_all.check_joined()
    setup, samples = set_up(params, of_all, *call.known)
    # a model function is asked for the samples of one rank, and may fail there
    if any(expert is not None and expert.per == "sample" for expert in setup.spec.experts):
        check_alone(ranks, "an expert per sample")
    with precision_of(setup.device):
        data = filled_data(setup, samples)
        rng = check_random_state(params.random_state)
        seeds = ranks.first([rng.randint(2**31 - 1) for _ in range(1 + params.n_init)])
        known_by = functools.cache(partial(fit_fingerprint, setup, samples, data))
        if stopped is not None:
            check_same_fit(stopped, known_by(), setup.spec.modality_names)
            seeds = stopped.seeds
        following.says(setup, "looking for clusters")
        start = begin(setup, samples, data, seeds[0])
        data, initial = start.data, start.initial
        setup = with_total(start.setup, params.mixture.shrinkage, samples.core_total)
        if not data.is_streamed:  # predicted noise is asked of all rows at once
            setup = with_noise_of_clusters(setup, initial, seeds[0])
        linear, exact = linear_modalities(setup.spec, initial), noiseless(setup.spec, initial)
        spec = replace(setup.spec, linear_modalities=linear, noiseless=exact)
        setup = replace(setup, spec=spec)
        of_run = partial(_attributes, read, setup, samples, data, given, None)
        run = None if stopped is None else stopped.run
        begun = partial(_begun, seeds, setup.spec, known_by, run, ranks)
        watch = following.watch(setup, params.n_init, of_run, begun)
        following.interruption.is_postponed = True  # to the end: from now on there is much to keep
        best = best_run(setup, data, initial, seeds[1:], watch, params.n_jobs, run)
        _warn_if_stopped(best, following.interruption)
        if following.tasks is not None and not best.stopped:
            following.tasks.is_complete = True
        return as_on_all_ranks(ranks, fitted_state(best, setup, samples, data, given))


def fit_further(
    estimator: BaseEstimator,
    before: FittedState,
    params: Parameters,
    call: FitCall,
    following: Following,
) -> FittedState:
    """Return what a fit leaves that goes on from where the last one stood."""
    check_target(call.y)
    assert before.training is not None, "there is where to go on from"
    setup, samples, given = set_up_further(estimator, before, params, call)
    statement = "warm_start=True continues the last fit"
    settings, else_ = before.training.settings, "set warm_start=False to start afresh"
    check_unchanged(setup, before.spec, settings, statement, else_)
    with precision_of(setup.device):
        data = fit_data(samples, setup)
        of_run = partial(_attributes, {}, setup, samples, data, given, before)
        watch = following.watch(setup, 1, of_run)
        following.interruption.is_postponed = True
        best = run_further(setup, samples, data, before, watch.observer(1))
        _warn_if_stopped(best, following.interruption)
        return fitted_state(best, setup, samples, data, given, before)


def fit_arrivals(
    estimator: BaseEstimator,
    before: FittedState,
    params: Parameters,
    call: FitCall,
    following: Following,
) -> FittedState:
    """Return what is left of a fitted model that has learned from further samples."""
    check_target(call.y)
    training = clone(params.training).set_params(outliers="keep")  # of few that come at a time
    params = replace(params, training=training)
    earlier = before.arrivals.n_rows, before.arrivals.n_without_values
    setup, samples, given = set_up_further(estimator, before, params, call, earlier)
    warn_of_other_units(before.scaler, given)
    samples = beside_those_of_before(samples, before.arrivals)
    statement, else_ = "partial_fit trains the fitted model further", "use fit to start afresh"
    check_unchanged(setup, before.spec, before.arrivals.settings, statement, else_)
    n_samples = DECAY * float(before.arrivals.counts.sum()) + float(samples.total)
    setup = with_total(setup, params.mixture.shrinkage, n_samples)
    n_calls = before.arrivals.n_calls + 1
    seeds = check_random_state(params.random_state).randint(2**31 - 1, size=n_calls)
    setup = replace(setup, resumable=True)  # there is no end that it could come to too early
    with precision_of(setup.device):
        data = fit_data(samples, setup)
        observer = following.watch(setup, 1, lambda run: {}).observer(1)
        run, arrivals = learn(setup, samples, data, before, int(seeds[-1]), observer)
        if run.stopped:
            message = (
                f"A callback stopped partial_fit in {run.stopped}: it has learned only in part."
            )
            _tell(following.interruption, message)
        return fitted_state(run, setup, samples, data, given, before, arrivals)


def _begun(
    seeds: list[int],
    spec: ModelSpec,
    known_by: Callable[[], str],
    run: BegunRun | None,
    ranks: Ranks,
) -> BegunFit:
    """Return what a checkpoint keeps of a fit, which goes on from ``run`` if that had begun."""
    if len(seeds) > 2 or ranks.are_several:
        what = "those of a process group" if ranks.are_several else f"n_init={len(seeds) - 1} runs"
        raise ValueError(
            f"A Checkpoint follows one run in one process, and not {what}: leave the callback out, "
            "or fit runs of other random_state one by one, each with a checkpoint of its own."
        )
    return BegunFit(seeds=seeds, data=known_by(), spec=spec, run=run)


def _no_checkpoint() -> BegunFit:
    """Raise: what is continued depends on more than a checkpoint keeps."""
    raise ValueError(
        "A Checkpoint follows a fit from its start, and not one that goes on with a fitted "
        "estimator (warm_start, partial_fit): leave the callback out, and save the estimator "
        "before and after."
    )


def set_up_further(
    estimator: BaseEstimator,
    before: FittedState,
    params: Parameters,
    call: FitCall,
    earlier: tuple[int, int] = (0, 0),
) -> tuple[Setup, FitSamples, Modalities]:
    """Resolve parameters for data that a fitted model goes on with.

    So many rows were seen ``earlier``, of which so many had no value.
    """
    X, labels = take_groups(call.X, call.groups, getattr(estimator, GROUPS_ENTRY))
    params, given = as_built(params, before.spec), read_further(estimator, X)
    given = _grouped(given, labels, before.groups)
    given.check_joined(*earlier)
    kept = LastFit(
        scaler=before.scaler,
        dag=node_graph(estimator.dag_),
        contexts=before.contexts,
        spec=before.spec,
    )
    setup, samples = set_up(params, given, *call.known, kept)
    return setup, samples, given


def _grouped(given: Modalities, labels: Unchecked, kept: FitGroups | None = None) -> Modalities:
    """Return samples that know which of them belong together."""
    check_rows_beside(labels, "groups", given.form.rows)
    return replace(given, groups=groups_of(labels, given, kept))


def _attributes(
    read: Values,
    setup: Setup,
    samples: FitSamples,
    data: TensorData,
    given: Modalities,
    before: FittedState | None,
    stopped: Run,
) -> Values:
    """Return the attributes of a fit that is looked at while it goes on, without its warnings."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        state = fitted_state(stopped, setup, samples, data, given, before)
        return read | fitted_attributes(state)


def _warn_if_stopped(best: Run, interruption: Interruption) -> None:
    """Tell that a fit is not what it would have been."""
    if not best.stopped and not interruption.requested:
        return
    message = COMPLETE
    if best.stopped:
        who = "The fit was interrupted" if interruption.requested else "A callback stopped the fit"
        message = (
            f"{who} in {best.stopped}, or right after it. The estimator is fitted: it has the "
            "parameters of then and the graph that fits them, and what was to come is left out. "
            "With warm_start=True the next fit goes on from there."
        )
    _tell(interruption, message)


def _tell(interruption: Interruption, message: str) -> None:
    if not interruption.is_told:
        interruption.is_told = True
        warn_caller(f"[interrupted] {message}", InterruptionWarning)
