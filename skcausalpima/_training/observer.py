"""The one door between training and all who follow it, or end it: lines, callbacks, interrupts."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Protocol

from .._base.progress_lines import ProgressLines, duration
from .._base.types import Unchecked
from .._data.scaling import ModalityScaler
from .._model.tensors import TensorData
from ..callback import EpochRecord

#: Makes the run as it would be if it ended now.
Snapshot = Callable[[], Unchecked]
#: Makes what the run can go on from.
Standing = Callable[[], Unchecked]


class Listener(Protocol):
    """Who follows a run."""

    def epoch_begins(self, phase: str) -> None:
        """Take note that an epoch begins."""

    def epoch_ended(
        self, record: EpochRecord, snapshot: Snapshot | None, standing: Standing | None
    ) -> bool:
        """Take note of an epoch; say whether the run is to end."""

    def taught(self, n_done: int, n_epochs: int, seconds_left: float) -> None:
        """Take note of an epoch of teaching, after training."""

    def close(self, is_complete: bool) -> None:
        """Take note that there is nothing more to come, since the run is complete or has failed."""


class Observer:
    """Is told by training where it stands, tells all listeners, and knows whether to end.

    Training calls :meth:`begin` for each phase, :meth:`epoch_begins` and :meth:`epoch_ended` for
    each epoch, :meth:`taught` for each epoch of teaching, which makes no record, and asks
    :attr:`stopped` after every batch. A run is a ``with`` block of it.

    Parameters
    ----------
    listeners : sequence of Listener, default=()
        Who follows the run.
    interruption : Interruption, default=None
        Of the fit; None for one that is never interrupted.
    plan : mapping of str to int, default=None
        How many epochs are planned, by phase, those of teaching included.
    scaler : ModalityScaler, default=None
        Units of the data; None where data are not scaled.
    run, n_runs : int, default=1
        Which run of how many it is, from 1.
    """

    def __init__(
        self,
        listeners: Sequence[Listener] = (),
        interruption: Interruption | None = None,
        plan: Mapping[str, int] | None = None,
        scaler: ModalityScaler | None = None,
        run: int = 1,
        n_runs: int = 1,
    ) -> None:
        self.listeners, self.scaler = listeners, scaler
        self.interruption = interruption or Interruption()
        self.plan = dict(plan or {})
        self.run, self.n_runs = run, n_runs
        self.is_told_to_stop = False
        self.phase, self.n_before, self.epoch, self.step = "", 0, 0, 0
        self.first = 0
        self.snapshot: Snapshot | None = None
        self.standing: Standing | None = None
        self.histories: dict[str, list[dict[str, float]]] = {}
        self.shifts: dict[str, float] = {}
        self.start = self.phase_start = time.monotonic()

    @property
    def stopped(self) -> bool:
        """Whether the run is to end after this batch."""
        return self.is_told_to_stop or self.interruption.requested

    @property
    def where(self) -> str:
        """Where the run is, in words."""
        return f"epoch {self.epoch} of {self.phase}"

    def begin(
        self,
        phase: str,
        n_epochs: int,
        names: Sequence[str],
        data: TensorData,
        held_out: TensorData | None = None,
        n_before: int = 0,
        n_done: int = 0,
    ) -> None:
        """Begin a phase on these samples; ``names`` are the modalities'.

        ``n_before`` is the number of epochs that earlier fits made, which counts on, and ``n_done``
        that of the epochs of this phase that were made before the fit was stopped.
        """
        self.phase, self.n_before, self.phase_start = phase, n_before, time.monotonic()
        self.epoch = self.first = n_before + n_done
        self.step += self.epoch
        self.plan[phase] = n_epochs
        if self.scaler is None:
            return
        self.shifts = unit_shifts(self.scaler, names, data)
        if held_out is not None:
            judged = unit_shifts(self.scaler, names, held_out)["lower_bound"]
            self.shifts |= {"objective": judged, "held_out_bound": judged}

    def epoch_begins(self) -> None:
        """Say that the next epoch begins."""
        for listener in self.listeners:
            listener.epoch_begins(self.phase)

    def in_units(self, terms: Mapping[str, float]) -> dict[str, float]:
        """Return terms of the bound of scaled data in the data's units."""
        return {name: value + self.shifts.get(name, 0.0) for name, value in terms.items()}

    def epoch_ended(self, terms: dict[str, float], data: TensorData) -> None:
        """Tell the terms of the bound, in the data's units; they are kept by phase.

        All processes that have samples end where one is told to.
        """
        self.histories.setdefault(self.phase, []).append(terms)
        self.epoch, self.step = self.epoch + 1, self.step + 1
        if self.listeners:
            # an epoch that was cut short is none of a fit that nothing stops
            standing = None if self.stopped else self.standing
            record = self._record(terms)
            stops = [
                listener.epoch_ended(record, self.snapshot, standing) for listener in self.listeners
            ]
            self.is_told_to_stop |= any(stops)
        self.is_told_to_stop = data.anywhere(self.is_told_to_stop)

    def taught(self, n_done: int, n_epochs: int, seconds: float) -> None:
        """Tell that so many epochs of teaching are done, in so many seconds."""
        for listener in self.listeners:
            listener.taught(n_done, n_epochs, (n_epochs - n_done) * seconds / n_done)

    def _record(self, terms: dict[str, float]) -> EpochRecord:
        now, n_done = time.monotonic(), self.epoch - self.n_before
        pace = (now - self.phase_start) / (self.epoch - self.first)
        phases = list(self.plan)
        planned = sum(self.plan[phase] for phase in phases[phases.index(self.phase) :])
        return EpochRecord(
            phase=self.phase,
            epoch=self.epoch,
            n_epochs=self.n_before + self.plan[self.phase],
            step=self.step,
            lower_bound=terms.get("lower_bound"),
            objective=terms["objective"],
            terms=dict(terms),
            run=self.run,
            n_runs=self.n_runs,
            seconds=now - self.start,
            seconds_left=(planned - n_done) * pace,
        )

    def __enter__(self) -> Observer:
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: Unchecked) -> None:
        self.snapshot = self.standing = None
        for listener in self.listeners:
            listener.close(kind is None)


class Screen:
    """Prints where a run stands.

    Parameters
    ----------
    verbose : int
        See :class:`~skcausalpima._base.progress_lines.ProgressLines`.
    label : str
        Names the run, if it needs a name.
    """

    def __init__(self, verbose: int, label: str) -> None:
        self.label = f"{label}, " if label else ""
        self.lines = ProgressLines(verbose, "[CausalPIMA]")

    def epoch_begins(self, phase: str) -> None:
        """Do nothing."""

    def epoch_ended(
        self, record: EpochRecord, snapshot: Snapshot | None, standing: Standing | None
    ) -> bool:
        """Print the bound, or what comes before there is one; never end the run."""
        name, value = "bound", record.lower_bound
        if value is None:
            name, value = "objective", record.objective
        self.lines.show(
            f"{self.label}{record.phase}, epoch {record.epoch} of {record.n_epochs}: "
            f"{name} {value:.4f} nats, {duration(record.seconds_left)} left",
            record.epoch,
            record.n_epochs,
        )
        return False

    def taught(self, n_done: int, n_epochs: int, seconds_left: float) -> None:
        """Print how far teaching is."""
        where = f"{self.label}teaching, epoch {n_done} of {n_epochs}"
        self.lines.show(f"{where}: {duration(seconds_left)} left", n_done, n_epochs)

    def close(self, is_complete: bool) -> None:
        """Leave the line that is rewritten."""
        self.lines.close()


def unit_shifts(scaler: ModalityScaler, names: Sequence[str], data: TensorData) -> dict[str, float]:
    """Return what is to be added to terms of the bound of scaled samples, by their names.

    A density of scaled data is one of the data times a factor, that of the scales; the terms are
    means over the samples, by weight.
    """
    observed = data.samples.present.cpu().numpy()
    weights = None if data.weights is None else data.weights[0].cpu().numpy()
    masks = data.element_masks()
    shifts = {}
    for m, name in enumerate(names):
        elements = {0: masks[m]} if m in masks else {}
        jacobian = scaler.take([m]).log_jacobian(observed[m : m + 1], elements)
        shifts[f"reconstruction_{name}"] = data.mean_of(jacobian, weights)
    total = sum(shifts.values())
    return shifts | {"lower_bound": total, "objective": total}


class Interruption:
    """An interrupt (Ctrl-C), as all runs of a fit see it.

    Where there is nothing to keep yet, the first interrupt is a KeyboardInterrupt. Where it is
    *postponed*, it makes a request, and what goes on comes to its end. The second is always a
    KeyboardInterrupt, and so is the first one where none ``may_wait``.

    Parameters
    ----------
    file : str, default=None
        Runs in other processes go on while this file is there.
    """

    def __init__(self, file: str | None = None) -> None:
        self.file = file
        self.requested = self.insists = False
        self.is_postponed = self.is_told = False
        self.may_wait = True

    def interrupt(self) -> None:
        """Take an interrupt; called in the main thread, between two of its instructions."""
        self.insists = self.requested or not self.may_wait
        self.requested = True
        self.remove_file()
        if self.insists or not self.is_postponed:
            raise KeyboardInterrupt

    @contextmanager
    def postponed(self, is_postponed: bool = True) -> Iterator[None]:
        """Postpone the first interrupt in a block, or, within such a block, do not.

        Nothing changes in other threads than the main one, which alone gets interrupts.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before, self.is_postponed = self.is_postponed, is_postponed
        try:
            yield
        finally:
            self.is_postponed = before

    def check(self) -> None:
        """End a run that has nothing to keep, in a thread that gets no interrupts itself."""
        if self.requested:
            raise KeyboardInterrupt

    def remove_file(self) -> None:
        """Let runs in other processes end."""
        if self.file is not None:
            with suppress(FileNotFoundError):
                os.unlink(self.file)
