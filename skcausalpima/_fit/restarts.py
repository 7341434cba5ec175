"""Several runs from different seeds, one after another or in parallel; the best is kept."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import torch
from joblib import Parallel, delayed
from sklearn.exceptions import ConvergenceWarning

from .._initialization.start import StartSample
from .._model.setup import Setup
from .._model.tensors import TrainingData
from .._warnings import warn_caller
from ..exceptions import DivergenceError
from .orphans import ending_with
from .run import Run, run


class SentOnce:
    """Data for several calls of one function in workers, written for them once.

    joblib maps each array object into the workers' memory; a tensor has another one each time.
    """

    def __init__(self, data: TrainingData) -> None:
        self.data = data
        self._reduced: tuple | None = None

    def __reduce__(self) -> tuple:
        """Pickle the data, every time as the same array objects."""
        if self._reduced is None:
            self._reduced = _received, self.data.__reduce__()
        return self._reduced


class Caller(NamedTuple):
    """The process that called ``fit``, and what workers must take over from it."""

    process: int
    default_dtype: torch.dtype


def _received(rebuild: Callable, arguments: tuple) -> SentOnce:
    """Undo the pickling."""
    return SentOnce(rebuild(*arguments))


def best_run(
    setup: Setup,
    data: TrainingData,
    start: StartSample,
    seeds: Sequence[int],
    n_jobs: int | None = None,
) -> Run:
    """Run once per seed, through joblib; return the run with the best objective.

    Of several runs those that diverge are left out, with a warning.

    What is drawn depends on the seeds alone, not on who runs where. Workers map the data into
    their memory as copy-on-write: PyTorch has no read-only tensors, and none is written into.
    """
    if len(seeds) == 1:
        return run(setup, data, start, seeds[0], "start 1")
    sent, caller = SentOnce(data), Caller(os.getpid(), torch.get_default_dtype())
    begin = replace(start, data=sent if start.data is data else SentOnce(start.data))
    calls = (
        delayed(_run_one)(caller, setup, sent, begin, seed, f"start {number + 1}")
        for number, seed in enumerate(seeds)
    )
    runs = []
    done = Parallel(n_jobs=n_jobs, mmap_mode="c")(calls)
    for number, (outcome, caught) in enumerate(done):
        for warning in caught:
            warn_caller(warning)
        if isinstance(outcome, Run):
            runs.append(outcome)
            continue
        told = f"n_init: start {number + 1} of {len(seeds)} is left out. {outcome}"
        warn_caller(told, ConvergenceWarning)
    if not runs:
        raise DivergenceError(f"All {len(seeds)} starts (n_init) diverged. The last: {outcome}")
    return max(runs, key=lambda found: found.objective)  # the first of equals


def _run_one(
    caller: Caller, setup: Setup, sent: SentOnce, begin: StartSample, *arguments: Any
) -> tuple[Run | DivergenceError, list[Warning]]:
    """Run once; in a worker, catch the warnings, which would not reach the user from there.

    ``begin`` has its data as `SentOnce`, too. A run that diverges returns its error.
    """
    start = replace(begin, data=begin.data.data)
    if os.getpid() == caller.process:
        return _run_or_error(setup, sent.data, start, *arguments), []
    own_dtype = torch.get_default_dtype()
    try:
        torch.set_default_dtype(caller.default_dtype)  # that modules and start values are made in
        with ending_with(caller.process), warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            outcome = _run_or_error(setup, sent.data, start, *arguments)
    finally:
        torch.set_default_dtype(own_dtype)
    return outcome, [warning.message for warning in caught]


def _run_or_error(*arguments: Any) -> Run | DivergenceError:
    """Run once; return the error of a run that diverges, without the memory that it refers to."""
    try:
        return run(*arguments)
    except DivergenceError as error:
        return DivergenceError(str(error))
