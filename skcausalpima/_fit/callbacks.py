"""Observers of a fit: scikit-learn's callbacks (from version 1.9 on), checkpoints, the screen."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, cast

from sklearn.base import BaseEstimator

from .._base.types import Unchecked, Values
from .._base.warn import warn_caller
from .._model.setup import Setup
from .._state.stored import save_checkpoint
from .._state.training import BegunFit, BegunRun
from .._training.observer import Interruption, Listener, Observer, Screen, Snapshot, Standing
from ..callback import EpochRecord
from .run import Run

try:
    from sklearn.callback import CallbackSupportMixin
except ImportError:  # scikit-learn below 1.9

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Nothing: there are no callbacks."""


if TYPE_CHECKING:
    from sklearn.callback import CallbackContext


class Checkpoints:
    """Writes where a fit stands, for callbacks that ask.

    Parameters
    ----------
    estimator : CausalPIMA
        With the parameters of the fit.
    begun : callable
        Returns what is kept of the fit before its run goes on.
    """

    def __init__(self, estimator: BaseEstimator, begun: Callable[[], BegunFit]) -> None:
        self.estimator, self.begun = estimator, begun
        self.last: BegunFit | None = None

    def write_first(self, path: str | os.PathLike, every: int) -> None:
        """Write that the fit has begun."""
        self._write(self.begun(), path, every)

    def write_next(self, standing: Standing, path: str | os.PathLike, every: int) -> None:
        """Write where its run stands."""
        run = cast(BegunRun, standing())
        self._write_if_possible(replace(self.begun(), run=run), path, every)

    def write_end(self, path: str | os.PathLike, every: int) -> None:
        """Write that the fit has come to its end; what it would go on from stays."""
        if self.last is not None:
            self._write_if_possible(replace(self.last, has_ended=True), path, every)

    def _write_if_possible(self, state: BegunFit, path: str | os.PathLike, every: int) -> None:
        """On a full disk the last checkpoint stays, and the fit goes on."""
        try:
            self._write(state, path, every)
        except OSError as error:
            message = f"No checkpoint was written, and the last one stays: {error}."
            warn_caller(message, RuntimeWarning)

    def _write(self, state: BegunFit, path: str | os.PathLike, every: int) -> None:
        self.last = replace(state, every=every)
        save_checkpoint(self.estimator, path, self.last)


class FitTasks:
    """The task of one fit, and of its runs, in the tree of tasks that callbacks see.

    Parameters
    ----------
    estimator : CausalPIMA
        With the methods of scikit-learn's mixin.
    X, y : object
        What ``fit`` was given.
    metadata : dict or None
        Sample weights, if there are any.
    """

    def __init__(
        self, estimator: BaseEstimator, X: Unchecked, y: Unchecked, metadata: Values | None
    ) -> None:
        self.estimator = estimator
        self.told = {"estimator": estimator, "X": X, "y": y, "metadata": metadata}
        self.root = estimator._init_callback_context(max_subtasks=None)
        self.checkpoints: Checkpoints | None = None
        self.is_complete = False  # nothing has stopped the fit before its end

    def begin(
        self,
        n_runs: int,
        n_epochs: int,
        attributes: Callable[[Run], Values],
        begun: Callable[[], BegunFit],
    ) -> list[TaskListener]:
        """Begin the fit; return a listener for each run.

        ``attributes`` makes those of the estimator from a run as it would be if it ended now, and
        ``begun`` makes what a checkpoint keeps of the fit before that.
        """
        self.root.max_subtasks = n_runs if n_runs > 1 else n_epochs
        self.checkpoints = Checkpoints(self.estimator, begun)
        self.root.checkpoint = self.checkpoints.write_first
        self.root.call_on_fit_task_begin(**self.told)
        self.root.checkpoint = None  # which goes along to workers
        tasks = [self.root]
        if n_runs > 1:
            options = {"task_name": "start", "max_subtasks": n_epochs}
            tasks = [self.root.subcontext(**options) for _ in range(n_runs)]
        return [
            TaskListener(
                task=task,
                is_own=n_runs > 1,
                told=self.told,
                attributes=attributes,
                checkpoints=self.checkpoints if n_runs == 1 else None,
            )
            for task in tasks
        ]

    def end(self) -> None:
        """End the fit: the estimator is fitted."""
        if self.is_complete and self.checkpoints is not None:
            self.root.checkpoint = self.checkpoints.write_end
        self.root.call_on_fit_task_end(reconstruction_attributes={}, **self.told)


@dataclass(kw_only=True)
class TaskListener:
    """Tells callbacks of the epochs of a run; it goes along to workers."""

    task: CallbackContext  # of the run
    is_own: bool  # whether the run is a task below that of the fit
    told: Values  # the estimator, and what ``fit`` was given
    attributes: Callable[[Run], Values]
    checkpoints: Checkpoints | None  # None of several runs
    epoch: CallbackContext | None = None

    def epoch_begins(self, phase: str) -> None:
        """Begin the task of the epoch, and of the run before the first one."""
        if self.is_own and self.epoch is None:
            self.task.call_on_fit_task_begin(**self.told)
        self.epoch = self.task.subcontext(task_name=f"{phase} epoch")
        self.epoch.call_on_fit_task_begin(**self.told)

    def epoch_ended(
        self, record: EpochRecord, snapshot: Snapshot | None, standing: Standing | None
    ) -> bool:
        """End the task of the epoch; say whether a callback wants the run to end."""
        task = self.epoch
        assert task is not None, "an epoch begins before it ends"
        task.record = record
        if self.checkpoints is not None and standing is not None:
            task.checkpoint = partial(self.checkpoints.write_next, standing)
        fitted = None if snapshot is None else lambda: self.attributes(cast(Run, snapshot()))
        return task.call_on_fit_task_end(reconstruction_attributes=fitted, **self.told)

    def taught(self, n_done: int, n_epochs: int, seconds_left: float) -> None:
        """Do nothing: callbacks follow epochs of training."""

    def close(self, is_complete: bool) -> None:
        """End the task of the run, if it has not failed."""
        if self.is_own and is_complete and self.epoch is not None:
            self.task.call_on_fit_task_end(**self.told)


@dataclass(frozen=True, kw_only=True)
class Watch:
    """How the runs of a fit are followed; it goes along to workers.

    Parameters
    ----------
    setup : Setup
        What is planned, what is printed, and units of the data.
    n_runs : int
        How many runs there are.
    interruption : Interruption
        Of the fit.
    tasks : sequence of TaskListener
        One for each run, or none.
    is_continued : bool
        Whether the run is continued.
    is_first : bool
        Whether this process, of those that fit together, is the one that prints.
    """

    setup: Setup
    n_runs: int
    interruption: Interruption
    tasks: Sequence[TaskListener]
    is_continued: bool
    is_first: bool

    def observer(self, number: int) -> Observer:
        """Return the observer of a run, by its number from 1."""
        verbose, label = self.setup.training.verbose, "continued" if self.is_continued else ""
        if self.n_runs > 1:
            label = f"start {number} of {self.n_runs}"
        listeners: list[Listener] = list(self.tasks[number - 1 : number])
        if verbose and self.is_first:
            listeners.append(Screen(verbose, label))
        return Observer(
            listeners=listeners,
            interruption=self.interruption,
            plan=planned_epochs(self.setup, self.is_continued),
            scaler=self.setup.scaler,
            run=number,
            n_runs=self.n_runs,
        )


def planned_epochs(setup: Setup, is_continued: bool) -> dict[str, int]:
    """Return how many epochs each phase of a run has at most."""
    schedule = setup.training.schedule
    plan = {} if is_continued else {"pre-training": schedule.pretraining_epochs}
    plan["training"] = schedule.n_epochs
    if setup.graph.structure == "refined":
        plan["polishing"] = schedule.n_polished(schedule.n_epochs)
    return plan
