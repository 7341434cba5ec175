"""When training ends: the bound has stopped rising."""

from __future__ import annotations

import copy
import math

import numpy as np
from torch import Tensor

from ..modules import MultimodalVAE


class Stopper:
    """Early stopping: has the objective stopped rising?"""

    def __init__(self, tol: float, n_iter_no_change: int) -> None:
        self.tol, self.n_iter_no_change = tol, n_iter_no_change
        self.best, self.waited = -math.inf, 0
        self.best_state: dict[str, Tensor] | None = None
        self.best_temperature: float | None = None

    @property
    def converged(self) -> bool:
        """Whether training is to end."""
        return self.tol > 0 and self.waited >= self.n_iter_no_change

    def stop(self, objective: float, model: MultimodalVAE | None) -> bool:
        """Take note of one epoch; with a model, keep its state where it is the best so far."""
        self.waited = 0 if objective > self.best + self.tol else self.waited + 1
        if model is not None and objective > self.best:
            self.best_state = copy.deepcopy(model.state_dict())
            self.best_temperature = model.prior.temperature
        self.best = max(self.best, objective)
        return self.converged

    def restore(self, model: MultimodalVAE) -> None:
        """Go back to the best state, if states were kept."""
        if self.best_state is not None and self.best_temperature is not None:
            model.load_state_dict(self.best_state)
            model.prior.temperature = self.best_temperature


def held_out_first(
    n_samples: int, fraction: float, rng: np.random.RandomState
) -> np.ndarray | None:
    """Return a random order of the samples, the first of which are set aside; None if none are."""
    n_held_out = int(np.ceil(fraction * n_samples))
    if n_held_out == 0:
        return None
    if n_held_out >= n_samples:
        raise ValueError(
            f"validation_fraction={fraction} of {n_samples} samples leaves none to train on."
        )
    return rng.permutation(n_samples)
