"""scikit-learn's callbacks, where it has them (version 1.9), as listeners of a run."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, cast

from sklearn.base import BaseEstimator

from .._state.begun import BegunFit, BegunRun
from .._state.file import save_checkpoint
from .._training.observer import Snapshot, Standing
from .._typing import Unchecked, Values
from .._warnings import warn_caller
from ..callback import EpochRecord
from .run import Run

try:
    from sklearn.callback import CallbackSupportMixin
except ImportError:  # scikit-learn below 1.9

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Nothing: there are no callbacks."""


if TYPE_CHECKING:
    from sklearn.callback import CallbackContext


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
        self.estimator, self.given = estimator, {"X": X, "y": y, "metadata": metadata}
        self.root = estimator._init_callback_context(max_subtasks=None)
        self.ended: Callable[[], BegunFit] | None = None

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
        self.root.checkpoint = partial(_save, self.estimator, begun)
        self.root.call_on_fit_task_begin(estimator=self.estimator, **self.given)
        self.root.checkpoint = None
        tasks = [self.root]
        if n_runs > 1:
            tasks = [
                self.root.subcontext(task_name="start", max_subtasks=n_epochs)
                for _ in range(n_runs)
            ]
        return [
            TaskListener(
                estimator=self.estimator,
                task=task,
                is_own=n_runs > 1,
                given=self.given,
                attributes=attributes,
                begun=begun if n_runs == 1 else None,
            )
            for task in tasks
        ]

    def end(self) -> None:
        """End the fit: the estimator is fitted."""
        if self.ended is not None:
            self.root.checkpoint = partial(_save_if_possible, self.estimator, self.ended)
        self.root.call_on_fit_task_end(
            estimator=self.estimator, reconstruction_attributes={}, **self.given
        )


@dataclass(kw_only=True)
class TaskListener:
    """Tells callbacks of the epochs of a run; it goes along to workers."""

    estimator: BaseEstimator
    task: CallbackContext  # of the run
    is_own: bool  # whether the run is a task below that of the fit
    given: Values
    attributes: Callable[[Run], Values]
    begun: Callable[[], BegunFit] | None  # the fit without its run; None of several runs
    epoch: CallbackContext | None = None

    def epoch_begins(self, phase: str) -> None:
        """Begin the task of the epoch, and of the run before the first one."""
        if self.is_own and self.epoch is None:
            self.task.call_on_fit_task_begin(estimator=self.estimator, **self.given)
        self.epoch = self.task.subcontext(task_name=f"{phase} epoch")
        self.epoch.call_on_fit_task_begin(estimator=self.estimator, **self.given)

    def epoch_ended(
        self, record: EpochRecord, snapshot: Snapshot | None, standing: Standing | None
    ) -> bool:
        """End the task of the epoch; say whether a callback wants the run to end."""
        task = self.epoch
        assert task is not None, "an epoch begins before it ends"
        task.record, begun = record, self.begun
        if begun is not None and standing is not None:
            task.checkpoint = partial(
                _save_if_possible,
                self.estimator,
                lambda: replace(begun(), run=cast(BegunRun, standing())),
            )
        fitted = None if snapshot is None else lambda: self.attributes(cast(Run, snapshot()))
        return task.call_on_fit_task_end(
            estimator=self.estimator, reconstruction_attributes=fitted, **self.given
        )

    def close(self, is_complete: bool) -> None:
        """End the task of the run, if it has not failed."""
        if self.is_own and is_complete and self.epoch is not None:
            self.task.call_on_fit_task_end(estimator=self.estimator, **self.given)


def _save(
    estimator: BaseEstimator, begun: Callable[[], BegunFit], path: str | os.PathLike, every: int
) -> None:
    """Write a checkpoint."""
    save_checkpoint(estimator, path, replace(begun(), every=every))


def _save_if_possible(
    estimator: BaseEstimator, begun: Callable[[], BegunFit], path: str | os.PathLike, every: int
) -> None:
    """Write a checkpoint; on a full disk the last one stays, and the fit goes on."""
    try:
        _save(estimator, begun, path, every)
    except OSError as error:
        warn_caller(f"No checkpoint was written, and the last one stays: {error}.", RuntimeWarning)
