"""Whether a fit came to its end, told to the user."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from .._model.setup import Setup
from .._warnings import warn_caller
from .run import Run

#: A bound that rises by more per epoch at last, relative to its spread between samples, has not
#: come to its end.
RISING = 0.05

#: Labels of which more change per epoch at last have not come to rest.
CHANGING = 0.05

#: A bound that ends further below its best, relative to its spread, has turned, if its mean over
#: some epochs does: that of few samples goes up and down with the draws of their latent points.
FALLEN = 1.0


def convergence_report(best: Run, setup: Setup) -> SimpleNamespace:
    """Report how training ended; warn where it ended too early, or went wrong."""
    seen = best.convergence
    rule, is_stated = setup.training.steps, setup.training.schedule.is_stated
    is_long = len(best.history) > rule.n_iter_no_change  # others ask for no judgement
    was_free = not (best.converged or best.stopped or setup.resumable)
    may_stop = rule.tol != 0 and was_free
    ended = "converged" if best.converged else "interrupted" if best.stopped else "max_iter"
    if is_long and seen.fall > FALLEN and _has_turned(best, rule.n_iter_no_change):
        ended = "fallen"
        _warn_of_fall(best)
    elif may_stop and (seen.label_changes > CHANGING or (seen.rise > RISING and is_stated)):
        ended = "too early"
        _warn_of_end(best, is_stated)
    return SimpleNamespace(
        ended=ended,
        n_steps=seen.n_steps,
        spread=seen.spread,
        rise=_known(seen.rise),
        fall=seen.fall,
        label_changes=_known(seen.label_changes),
        moved=_known(best.moved),
    )


def _has_turned(best: Run, n_epochs: int) -> bool:
    """Say whether the mean of the bound over so many epochs ends far below its best, too."""
    objectives = [terms["objective"] for terms in best.history]
    means = np.convolve(objectives, np.full(n_epochs, 1.0 / n_epochs), mode="valid")
    return bool(means.max() - means[-1] > FALLEN * (best.convergence.spread or 1.0))


def _known(value: float) -> float | None:
    """Return a number, and None for NaN."""
    return None if math.isnan(value) else value


def _warn_of_end(best: Run, is_stated: bool) -> None:
    """Tell that the bound still rises, or that labels still change."""
    seen, n_epochs = best.convergence, len(best.history)
    remedy = f"max_iter={2 * n_epochs}"
    if is_stated:
        remedy = f'max_iter="auto", or a larger one such as {2 * n_epochs}'
    warn_caller(
        f"Training ended at max_iter={n_epochs} epochs, but the bound still rises by "
        f"{seen.rise * seen.spread:.3g} nats per epoch, and {seen.label_changes:.1%} of the labels "
        f"change in each. Use {remedy}, or warm_start=True to train further.",
        ConvergenceWarning,
    )


def _warn_of_fall(best: Run) -> None:
    """Tell that the bound was better before."""
    objectives = [terms["objective"] for terms in best.history]
    last, top = objectives[-1], max(objectives)
    where = objectives.index(top) + 1
    if best.held_out is None:
        told = (
            "the bound fell. Use a smaller training__learning_rate, clip gradients with "
            f"training__max_grad_norm, or end with max_iter={where}"
        )
    else:
        told = (
            f"the bound of held-out samples fell, and the state of epoch {where} is kept. Use "
            f"max_iter={where} to train on all samples for as long"
        )
    warn_caller(
        f"In training {told}: it was {top:.6g} nats per sample in epoch {where}, and {last:.6g} in "
        f"the last, {len(objectives)}.",
        ConvergenceWarning,
    )
