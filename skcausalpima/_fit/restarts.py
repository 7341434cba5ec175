"""Runs from several seeds, of which the best is kept."""

from __future__ import annotations

import math
import os
import platform
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from joblib import Parallel, delayed
from sklearn.exceptions import ConvergenceWarning

from .._base.types import Values
from .._base.warn import warn_caller
from .._held_out.matching import rand_indices
from .._initialization.initial_sample import InitialSample
from .._model.scaled_samples import as_arrays, from_arrays
from .._model.setup import Setup
from .._model.surroundings import precision_of
from .._model.tensors import TensorData
from .._state.training import BegunRun
from .._training.ending import divergence
from .._training.observer import Observer
from ..exceptions import DivergenceError
from .callbacks import Watch
from .interrupts import telling_workers, working_for
from .run import Run, run
from .short_runs import with_short_runs


@dataclass(frozen=True, kw_only=True)
class Shared:
    """What all runs share; joblib maps each array object, made once, into the workers' memory.

    Parameters
    ----------
    setup : Setup
        What parameters and data determine.
    data, initial_data : TensorData
        What is trained on, and what clusters are first found on, as arrays.
    of_start : dict
        What else there is of the latter: fields of :class:`InitialSample`.
    watch : Watch
        How all runs are followed.
    process : int
        The process that called ``fit``.
    machine : str
        Where it runs: workers of joblib's other backends may be elsewhere.
    default_dtype : torch.dtype
        What workers must take over from it.
    """

    setup: Setup
    data: TensorData
    initial_data: TensorData
    of_start: Values
    watch: Watch
    process: int
    machine: str
    default_dtype: torch.dtype


def best_run(
    setup: Setup,
    data: TensorData,
    initial: InitialSample,
    seeds: Sequence[int],
    watch: Watch,
    n_jobs: int | None = None,
    begun: BegunRun | None = None,
) -> Run:
    """Run once per seed, through joblib; return the run with the best objective.

    One run may go on from where it was stopped, ``begun``.
    Of several runs those that diverge are left out, with a warning. After an interrupt it is the
    best of those that came to their end, or else of those that were cut short in their training.

    What is drawn depends on the seeds alone, not on who runs where. Workers map the data into
    their memory as copy-on-write: PyTorch has no read-only tensors, and none is written into.
    """
    if len(seeds) == 1:
        only = run(setup, data, initial, seeds[0], watch.observer(1), begun)
        return with_short_runs(only, setup, data, initial, seeds[0], watch.interruption)
    arrays = as_arrays(data)
    of_start = {n: v for n, v in vars(initial).items() if n not in ("data", "trial")}
    shared = Shared(
        setup=setup,
        data=arrays,
        initial_data=arrays if initial.data is data else as_arrays(initial.data),
        of_start=of_start,
        watch=watch,
        process=os.getpid(),
        machine=platform.node(),
        default_dtype=torch.get_default_dtype(),
    )
    runs = []
    for number, outcome in enumerate(_outcomes(shared, seeds, n_jobs)):
        if isinstance(outcome, Run) and math.isnan(outcome.objective):
            outcome = divergence("the objective is not a number", "the final model")
        if isinstance(outcome, Run):
            runs.append(outcome)
        elif outcome is not None:
            message = f"n_init: start {number + 1} of {len(seeds)} is left out. {outcome}"
            warn_caller(message, ConvergenceWarning)
    if watch.interruption.requested and not runs:
        raise KeyboardInterrupt
    if not runs:
        raise DivergenceError(f"All {len(seeds)} starts (n_init) diverged. The last: {outcome}")
    complete = [start for start in runs if not start.stopped] or runs
    best = max(complete, key=lambda start: start.objective)  # the first of equals
    labels = [start.seen.labels for start in complete if start.seen is not None]
    return replace(best, rand_indices=rand_indices(labels))


def _outcomes(
    shared: Shared, seeds: Sequence[int], n_jobs: int | None
) -> list[Run | DivergenceError | None]:
    """Return what the runs end with; pass their warnings on."""
    calls = (delayed(_run_one)(shared, seed, number) for number, seed in enumerate(seeds, 1))
    with telling_workers(shared.watch.interruption):
        try:
            # Workers would not be in the process group of ranks.
            backend = "sequential" if shared.data.is_distributed else None
            done = list(Parallel(n_jobs=n_jobs, mmap_mode="c", backend=backend)(calls))
        except Exception as error:
            if shared.watch.interruption.requested:  # workers that had not begun end of it, too
                raise KeyboardInterrupt from error
            raise
    for _, caught in done:
        for warning in caught:
            warn_caller(warning)
    return [outcome for outcome, _ in done]


def _run_one(
    shared: Shared, seed: int, number: int
) -> tuple[Run | DivergenceError | None, list[Warning | str]]:
    """Run once; in a worker, catch the warnings, which would not reach the user from there.

    A run that diverges returns its error, one that an interrupt ends before its training None.
    """
    watch, is_near = shared.watch, platform.node() == shared.machine
    if is_near and os.getpid() == shared.process:
        return _run_or_error(shared, seed, watch.observer(number)), []
    file = watch.interruption.file if is_near else None  # elsewhere nobody sees it go
    own_dtype = torch.get_default_dtype()
    try:
        torch.set_default_dtype(shared.default_dtype)  # that modules and initial values are made in
        with (
            working_for(shared.process, file) as interruption,
            warnings.catch_warnings(record=True) as caught,
        ):
            warnings.simplefilter("always")
            watch = replace(watch, interruption=interruption)
            outcome = _run_or_error(shared, seed, watch.observer(number))
    finally:
        torch.set_default_dtype(own_dtype)
    return outcome, [warning.message for warning in caught]


def _run_or_error(shared: Shared, seed: int, observer: Observer) -> Run | DivergenceError | None:
    """Run once; return the error of a run that diverges, without the memory that it refers to."""
    interruption = observer.interruption
    if interruption.requested:
        return None
    try:
        with precision_of(shared.setup.device):
            tables = shared.data, shared.initial_data
            data, initial_data = (from_arrays(table, shared.setup.device) for table in tables)
            initial = InitialSample(data=initial_data, **shared.of_start)
            return run(shared.setup, data, initial, seed, observer)
    except DivergenceError as error:
        return DivergenceError(str(error))
    except KeyboardInterrupt:
        if interruption.insists or not interruption.requested:
            raise
        return None
