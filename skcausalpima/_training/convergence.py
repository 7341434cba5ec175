"""How a fit came to its end: what early stopping and the report on convergence go by."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .loop import Progress


@dataclass(frozen=True, kw_only=True)
class Convergence:
    """What was seen of training.

    Parameters
    ----------
    n_steps : int
        Gradient steps.
    spread : float
        Interquartile range of the objective over the samples in the last epoch, in nats.
    rise : float
        By how much the objective rose per epoch at last, relative to the spread; NaN in a fit of
        too few epochs to tell.
    fall : float
        How far the objective ended below its best epoch, relative to the spread.
    label_changes : float
        Share of the samples whose component changed per epoch, at last; NaN as above.
    """

    n_steps: int
    spread: float
    rise: float
    fall: float
    label_changes: float


def convergence(progress: Progress, n_epochs: int) -> Convergence:
    """Return what was seen of training; means of so many epochs at the end are looked at."""
    objectives = [terms["objective"] for terms in progress.history]
    rise, fall = rise_and_fall(objectives, n_epochs)
    unit, changes = progress.spread or 1.0, progress.label_changes[-n_epochs:]
    return Convergence(
        n_steps=progress.n_steps,
        spread=progress.spread,
        rise=rise / unit,
        fall=fall / unit,
        label_changes=math.nan if math.isnan(rise) else float(np.mean(changes)),
    )


def rise_and_fall(objectives: Sequence[float], n_epochs: int) -> tuple[float, float]:
    """Return by how much the objective rose per epoch at last, and how far it is below its best.

    Parameters
    ----------
    objectives : sequence of float
        After every epoch.
    n_epochs : int
        The means of the last so many epochs, and of as many before, are compared.

    Returns
    -------
    rise, fall : float
        The first is NaN where there are too few epochs.

    Examples
    --------
    >>> from skcausalpima._training.convergence import rise_and_fall
    >>> rise_and_fall([0.0, 1.0, 2.0, 3.0, 4.0, 5.0], 2)
    (1.0, 0.0)
    >>> rise_and_fall([0.0, 9.0, 2.0], 2)
    (nan, 7.0)
    """
    seen: np.ndarray = np.asarray(objectives, dtype=np.float64)
    rise = math.nan
    if len(seen) >= 2 * n_epochs:
        before, after = seen[-2 * n_epochs : -n_epochs], seen[-n_epochs:]
        rise = float(after.mean() - before.mean()) / n_epochs
    finite = seen[np.isfinite(seen)]
    return rise, float(finite.max() - finite[-1]) if len(finite) else 0.0
