"""How a fit is followed while it goes on, and how an interrupt finds it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .._data.ranks import ALONE, Ranks
from .._data.scaling import ModalityScaler
from .._model.setup import Setup
from .._training.observer import Interruption, Listener, Observer, Screen
from .callbacks import TaskListener


@dataclass(frozen=True, kw_only=True)
class Watch:
    """How the runs of a fit are followed; it goes along to workers.

    Parameters
    ----------
    verbose : int
        What is printed.
    plan : mapping of str to int
        Epochs of each phase of a run, at most.
    scaler : ModalityScaler
        Units of the data.
    n_runs : int
        How many runs there are.
    interruption : Interruption
        Of the fit.
    tasks : sequence of TaskListener
        One for each run, or none.
    is_continued : bool, default=False
        Whether the run is continued.
    ranks : Ranks, default=ALONE
        Who fits together. The first one alone prints.
    """

    verbose: int
    plan: Mapping[str, int]
    scaler: ModalityScaler
    n_runs: int
    interruption: Interruption
    tasks: Sequence[TaskListener] = ()
    is_continued: bool = False
    ranks: Ranks = ALONE

    def observer(self, number: int) -> Observer:
        """Return the observer of a run, by its number from 1."""
        label = f"start {number} of {self.n_runs}" if self.n_runs > 1 else ""
        listeners: list[Listener] = list(self.tasks[number - 1 : number])
        if self.verbose and self.ranks.rank == 0:
            listeners.append(Screen(self.verbose, "continued" if self.is_continued else label))
        return Observer(
            listeners=listeners,
            interruption=self.interruption,
            plan=self.plan,
            scaler=self.scaler,
            run=number,
            n_runs=self.n_runs,
            ranks=self.ranks,
        )


def planned_epochs(setup: Setup, is_continued: bool = False) -> dict[str, int]:
    """Return how many epochs each phase of a run has at most."""
    schedule = setup.training.schedule
    plan = {} if is_continued else {"pre-training": schedule.pretraining_epochs}
    plan["training"] = schedule.n_epochs
    if setup.graph.structure == "refined":
        plan["polishing"] = schedule.polishing_epochs
    return plan
