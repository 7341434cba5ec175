"""Early stopping, states that training may go back to, and convergence figures."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from .._model.tensors import TensorData
from ..modules import MultimodalVAE


class KeptState:
    """A state of a model to go back to: the last good one, or the best so far."""

    def __init__(self) -> None:
        self.best_state: dict[str, Tensor] | None = None
        self.best_temperature: float | None = None

    def keep(self, model: MultimodalVAE) -> None:
        """Keep the state of now."""
        self.best_state = copy.deepcopy(model.state_dict())
        self.best_temperature = model.prior.temperature

    def restore(self, model: MultimodalVAE) -> None:
        """Go back to the kept state, if there is one."""
        if self.best_state is not None and self.best_temperature is not None:
            model.load_state_dict(self.best_state)
            model.prior.temperature = self.best_temperature


class Stopper(KeptState):
    """Early stopping: has the objective stopped rising?

    Parameters
    ----------
    tol : float
        Least rise of an epoch; 0 never stops.
    n_iter_no_change : int
        Epochs without such a rise after which training ends.
    is_relative : bool, default=False
        Whether ``tol`` is relative to the spread of the objective between samples: more elements
        raise both alike.
    """

    def __init__(self, tol: float, n_iter_no_change: int, is_relative: bool = False) -> None:
        super().__init__()
        self.tol, self.n_iter_no_change, self.is_relative = tol, n_iter_no_change, is_relative
        self.best, self.waited = -math.inf, 0

    @property
    def converged(self) -> bool:
        """Whether training is to end."""
        return self.tol > 0 and self.waited >= self.n_iter_no_change

    def stop(self, objective: float, model: MultimodalVAE | None, spread: float = 1.0) -> bool:
        """Take note of one epoch; with a model, keep its state where it is the best so far."""
        least = self.tol * spread if self.is_relative else self.tol
        self.waited = 0 if objective > self.best + least else self.waited + 1
        if model is not None and objective > self.best:
            self.keep(model)
        self.best = max(self.best, objective)
        return self.converged


def interquartile_range(values: Tensor) -> float:
    """Return by how much the third quartile lies above the first.

    Examples
    --------
    >>> import torch
    >>> from skcausalpima._training.early_stopping import interquartile_range
    >>> interquartile_range(torch.tensor([0.0, 1.0, 2.0, 3.0, 1e9]))
    2.0
    """
    ordered, last = values.sort().values, len(values) - 1
    return float(ordered[round(0.75 * last)] - ordered[round(0.25 * last)])


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
    >>> from skcausalpima._training.early_stopping import rise_and_fall
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


def held_out_first(
    data: TensorData, fraction: float, rng: np.random.RandomState
) -> np.ndarray | None:
    """Return a random order of the samples, the first of which are set aside; None if none are."""
    if fraction == 0:
        return None
    n_samples = data.n_samples
    if not data.anywhere(int(np.ceil(fraction * n_samples)) < n_samples):
        raise ValueError(
            f"training__validation_fraction={fraction} of {n_samples} samples leaves none to "
            "train on."
        )
    return rng.permutation(n_samples)
