"""How training ended."""

from __future__ import annotations

import math

import numpy as np

from .._base.reports.training import ConvergenceReport
from .._clustering.margins import CHANGING, FALLEN, RISING
from .._model.setup import Setup
from .run import Run


def convergence_report(best: Run, setup: Setup, bound: float) -> ConvergenceReport:
    """Report how training ended, at which bound."""
    convergence = best.convergence
    rule, is_stated = setup.training.steps, setup.training.schedule.is_stated
    is_long = len(best.history) > rule.n_iter_no_change  # others ask for no judgement
    was_free = not (best.converged or best.stopped or setup.resumable)
    may_stop = rule.tol != 0 and was_free
    ended = "converged" if best.converged else "interrupted" if best.stopped else "max_iter"
    if is_long and convergence.fall > FALLEN and _has_turned(best, rule.n_iter_no_change):
        ended = "fallen"
    elif may_stop and (
        convergence.label_changes > CHANGING or (convergence.rise > RISING and is_stated)
    ):
        ended = "too early"
    figures = {"ended": ended} | vars(convergence) | {"moved": best.moved, "bound": bound}
    unknown = (
        key for key, figure in figures.items() if isinstance(figure, float) and math.isnan(figure)
    )
    return ConvergenceReport(**(figures | dict.fromkeys(unknown)))


def _has_turned(best: Run, n_epochs: int) -> bool:
    """Return whether the mean of the bound over so many epochs ends far below its best, too."""
    objectives = [terms["objective"] for terms in best.history]
    means = np.convolve(objectives, np.full(n_epochs, 1.0 / n_epochs), mode="valid")
    return bool(means.max() - means[-1] > FALLEN * (best.convergence.spread or 1.0))
