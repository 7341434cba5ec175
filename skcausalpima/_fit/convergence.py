"""How training ended: the report, and warnings of too early an end or of a wrong one."""

from __future__ import annotations

import math

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from .._base.reports.training import ConvergenceReport
from .._base.warn import warn_caller
from .._clustering.margins import CHANGING, FALLEN, RISING
from .._model.setup import Setup
from .run import Run


def convergence_report(best: Run, setup: Setup, bound: float) -> ConvergenceReport:
    """Report how training ended, at which bound; warn of too early an end, or of a wrong one."""
    convergence = best.convergence
    rule, is_stated = setup.training.steps, setup.training.schedule.is_stated
    is_long = len(best.history) > rule.n_iter_no_change  # others ask for no judgement
    was_free = not (best.converged or best.stopped or setup.resumable)
    may_stop = rule.tol != 0 and was_free
    ended = "converged" if best.converged else "interrupted" if best.stopped else "max_iter"
    if is_long and convergence.fall > FALLEN and _has_turned(best, rule.n_iter_no_change):
        ended = "fallen"
        _warn_of_fall(best)
    elif may_stop and (
        convergence.label_changes > CHANGING or (convergence.rise > RISING and is_stated)
    ):
        ended = "too early"
        _warn_of_end(best, is_stated)
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


def _warn_of_end(best: Run, is_stated: bool) -> None:
    """Tell that the bound still rises, or that labels still change."""
    convergence, n_epochs = best.convergence, len(best.history)
    remedy = f"max_iter={2 * n_epochs}"
    if is_stated:
        remedy = f'max_iter="auto", or a larger one such as {2 * n_epochs}'
    warn_caller(
        f"Training ended at max_iter={n_epochs} epochs, but the bound still rises by "
        f"{convergence.rise * convergence.spread:.3g} nats per epoch, and "
        f"{convergence.label_changes:.1%} of the labels change in each. Use {remedy}, or "
        "warm_start=True to train further.",
        ConvergenceWarning,
    )


def _warn_of_fall(best: Run) -> None:
    """Tell that the bound was better before."""
    objectives = [terms["objective"] for terms in best.history]
    last, top = objectives[-1], max(objectives)
    where = objectives.index(top) + 1
    if best.held_out is None:
        sentence = (
            "the bound fell. Use a smaller training__learning_rate, clip gradients with "
            f"training__max_grad_norm, or end with max_iter={where}"
        )
    else:
        sentence = (
            f"the bound of held-out samples fell, and the state of epoch {where} is kept. Use "
            f"max_iter={where} to train on all samples for as long"
        )
    warn_caller(
        f"In training {sentence}: it was {top:.6g} nats per sample in epoch {where}, and "
        f"{last:.6g} in the last, {len(objectives)}.",
        ConvergenceWarning,
    )
