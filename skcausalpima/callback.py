"""Callbacks of a fit: a record of every epoch, and checkpoints.

Callbacks are those of :mod:`sklearn.callback`, which scikit-learn has from version 1.9 on.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from ._base.reports.report import Report
from ._base.scalar_checks import check_count, check_path
from ._base.types import Unchecked

__all__ = ["Checkpoint", "EpochRecord", "OnEpoch"]

#: What the estimator keeps of its callbacks.
CALLBACKS = "_skl_callbacks"


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class EpochRecord(Report):
    """What is known after an epoch of a fit.

    All that is in nats is per sample and in the data's units, as ``score`` and ``history_`` are.

    Parameters
    ----------
    phase : {"pre-training", "training", "polishing"}
        What the epoch was of.
    epoch : int
        Its number, from 1 in each phase.
    n_epochs : int
        How many the phase has at most.
    step : int
        How many epochs of this run have ended, of whatever phase.
    lower_bound : float or None
        The bound, in nats; None in pre-training, which has no clusters yet.
    objective : float
        What is maximised, in nats: the bound with the weights of training; of held-out samples
        where there are any.
    terms : mapping of str to float
        All terms of the bound, by the names of ``history_``; a copy.
    run : int
        Which of the ``n_init`` runs it is, from 1.
    n_runs : int
        How many there are.
    seconds : float
        Since the run began.
    seconds_left : float
        For the planned epochs of the run that are left, those of teaching included, at the pace of
        this phase. Training may stop early, and what comes between phases is not counted.

    Examples
    --------
    >>> from skcausalpima.callback import EpochRecord
    >>> record = EpochRecord(phase="training", epoch=3, n_epochs=49, step=13, lower_bound=-1.5,
    ...                      objective=-2.0, terms={}, run=1, n_runs=1, seconds=2.0,
    ...                      seconds_left=30.0)
    >>> record.lower_bound
    -1.5
    """

    phase: str
    epoch: int
    n_epochs: int
    step: int
    lower_bound: float | None
    objective: float
    terms: Mapping[str, float]
    run: int
    n_runs: int
    seconds: float
    seconds_left: float


class _Callback:
    """The methods of :class:`sklearn.callback.FitCallback`, which do nothing."""

    def setup(self, estimator: Unchecked, context: Unchecked) -> None:
        """Do nothing: part of the protocol.

        Parameters
        ----------
        estimator : estimator
            The estimator that is fitted.
        context : sklearn.callback.CallbackContext
            The task.

        See Also
        --------
        teardown : Called after the fit.

        Examples
        --------
        >>> from skcausalpima.callback import OnEpoch
        >>> class Log(OnEpoch):
        ...     def setup(self, estimator, context):
        ...         self.bounds = []
        >>> log = Log(lambda record: log.bounds.append(record.lower_bound))
        >>> log.setup(None, None)  # scikit-learn calls it before a fit
        >>> log.bounds
        []
        """

    def teardown(self, estimator: Unchecked, context: Unchecked) -> None:
        """Do nothing: part of the protocol.

        Parameters
        ----------
        estimator : estimator
            The estimator that is fitted.
        context : sklearn.callback.CallbackContext
            The task.

        See Also
        --------
        setup : Called before the fit.

        Examples
        --------
        >>> from skcausalpima.callback import OnEpoch
        >>> class Log(OnEpoch):
        ...     def teardown(self, estimator, context):
        ...         print("the fit has ended")
        >>> log = Log(lambda record: None)
        >>> log.teardown(None, None)  # scikit-learn calls it after a fit
        the fit has ended
        """

    def on_fit_task_begin(self, estimator: Unchecked, context: Unchecked) -> None:
        """Do nothing: part of the protocol.

        Parameters
        ----------
        estimator : estimator
            The estimator that is fitted.
        context : sklearn.callback.CallbackContext
            The task.

        See Also
        --------
        on_fit_task_end : Called at its end.

        Examples
        --------
        >>> from types import SimpleNamespace
        >>> from skcausalpima.callback import OnEpoch
        >>> class Log(OnEpoch):
        ...     def on_fit_task_begin(self, estimator, context, **data):
        ...         print("begins:", context.task_name)
        >>> log = Log(lambda record: None)
        >>> log.on_fit_task_begin(None, SimpleNamespace(task_name="training epoch"))
        begins: training epoch
        """


class OnEpoch(_Callback):
    """A callback that hands the record of every epoch to a function, which may stop the run.

    A callback of your own with the methods of :class:`sklearn.callback.FitCallback` finds the
    same record in ``context.record`` when the task of an epoch ends.

    Parameters
    ----------
    function : callable
        Called with an :class:`EpochRecord` after every epoch. If it returns True the run ends
        there, as after an interrupt: with a fitted estimator and an
        :class:`~skcausalpima.exceptions.InterruptionWarning`. What it returns in pre-training
        holds once clusters have been found: one batch of training is made. What it raises comes
        through, and the estimator stays as it was before ``fit``.

    Notes
    -----
    Where runs have workers (``n_init`` with ``n_jobs``, searches), the function is called there, in
    another process: it must be picklable, and what it changes here is not seen there.

    Examples
    --------
    >>> from skcausalpima.callback import OnEpoch
    >>> callback = OnEpoch(lambda record: record.epoch == 3)
    >>> hasattr(callback, "on_fit_task_end")  # for CausalPIMA().set_callbacks(callback)
    True
    """

    def __init__(self, function: Callable[[EpochRecord], Unchecked]) -> None:
        if not callable(function):
            raise TypeError(
                f"function must be callable with an EpochRecord, got {function!r:.100}."
            )
        self.function = function

    def on_fit_task_end(self, estimator: Unchecked, context: Unchecked) -> bool:
        """Call the function if the task is an epoch.

        Parameters
        ----------
        estimator : estimator
            The estimator that is fitted.
        context : sklearn.callback.CallbackContext
            The task.

        Returns
        -------
        bool
            Whether the run is to end.

        See Also
        --------
        on_fit_task_begin : Called at its beginning.

        Examples
        --------
        >>> from types import SimpleNamespace
        >>> from skcausalpima.callback import EpochRecord, OnEpoch
        >>> record = EpochRecord(phase="training", epoch=3, n_epochs=49, step=13, lower_bound=-1.5,
        ...                      objective=-2.0, terms={}, run=1, n_runs=1, seconds=2.0,
        ...                      seconds_left=30.0)
        >>> callback = OnEpoch(lambda record: record.lower_bound > -2)
        >>> callback.on_fit_task_end(None, SimpleNamespace(record=record))
        True
        """
        record = getattr(context, "record", None)
        if not isinstance(record, EpochRecord):
            return False
        answer = self.function(record)
        return isinstance(answer, (bool, np.bool_)) and bool(answer)


class Checkpoint(_Callback):
    """A callback that writes where a fit stands to a file, from which another process goes on.

    :meth:`CausalPIMA.resume` does, and its fit is the one that nothing stopped, bit by bit, on the
    same machine with the same libraries.

    Parameters
    ----------
    path : str or os.PathLike
        The file, as :meth:`CausalPIMA.save` takes it. It is replaced as a whole: whoever reads
        it finds the last checkpoint that was complete. Of two fits that write to one file the last
        checkpoint of either is there.
    every : int, default=1
        There is a checkpoint after so many epochs of training, after the last one that is planned,
        and before the first one. What comes before training, and after it, is made again.

    Raises
    ------
    TypeError
        If ``every`` is no integer.
    ValueError
        If ``every`` is not positive. ``fit`` raises it where it has several runs (``n_init``) or
        ranks, or goes on with a fitted estimator (``warm_start``, ``partial_fit``).

    Notes
    -----
    It holds the model, what the optimizer keeps of it, the states of generators, the parameters
    and the history, but neither data nor code. If the first one cannot be written, ``fit`` raises
    the OSError. Later, as on a full disk, a RuntimeWarning tells, the last one stays, and the fit
    goes on. A fit that an interrupt or another callback has stopped can be resumed, and then comes
    to its end. So can one that was not stopped, should its estimator be lost: a warning tells.

    Examples
    --------
    >>> import os, tempfile
    >>> from skcausalpima.callback import Checkpoint
    >>> callback = Checkpoint(os.path.join(tempfile.gettempdir(), "two groups"), every=5)
    >>> callback.every  # for CausalPIMA().set_callbacks(callback)
    5
    """

    def __init__(self, path: str | os.PathLike, *, every: int = 1) -> None:
        self.path, self.every = os.path.abspath(check_path(path)), check_count(every, "every")

    def on_fit_task_begin(self, estimator: Unchecked, context: Unchecked) -> None:
        """Write the first checkpoint, if the task is the fit.

        Parameters
        ----------
        estimator : estimator
            The estimator that is fitted.
        context : sklearn.callback.CallbackContext
            The task.

        See Also
        --------
        on_fit_task_end : Writes the others.

        Examples
        --------
        >>> from types import SimpleNamespace
        >>> from skcausalpima.callback import Checkpoint
        >>> fit = SimpleNamespace(checkpoint=lambda path, every: print("writes", every))
        >>> Checkpoint("fit", every=2).on_fit_task_begin(None, fit)
        writes 2
        """
        write = getattr(context, "checkpoint", None)
        if write is not None:
            write(self.path, self.every)

    def on_fit_task_end(self, estimator: Unchecked, context: Unchecked) -> None:
        """Write a checkpoint, if the task is an epoch of training whose turn it is, or the fit.

        Parameters
        ----------
        estimator : estimator
            The estimator that is fitted.
        context : sklearn.callback.CallbackContext
            The task.

        See Also
        --------
        on_fit_task_begin : Writes the first one.

        Examples
        --------
        >>> from types import SimpleNamespace
        >>> from skcausalpima.callback import Checkpoint
        >>> fit = SimpleNamespace(checkpoint=lambda path, every: print("writes", every))
        >>> Checkpoint("fit", every=2).on_fit_task_end(None, fit)
        writes 2
        """
        record = getattr(context, "record", None)
        if record is None or record.epoch % self.every == 0 or record.epoch == record.n_epochs:
            self.on_fit_task_begin(estimator, context)
