"""When training ends: the bound has stopped rising."""

from __future__ import annotations

import copy
import math

import numpy as np
from torch import Tensor

from .._data.ranks import ALONE, Ranks
from ..modules import MultimodalVAE


class Stopper:
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
        self.tol, self.n_iter_no_change, self.is_relative = tol, n_iter_no_change, is_relative
        self.best, self.waited = -math.inf, 0
        self.best_state: dict[str, Tensor] | None = None
        self.best_temperature: float | None = None

    @property
    def converged(self) -> bool:
        """Whether training is to end."""
        return self.tol > 0 and self.waited >= self.n_iter_no_change

    def stop(self, objective: float, model: MultimodalVAE | None, spread: float = 1.0) -> bool:
        """Take note of one epoch; with a model, keep its state where it is the best so far."""
        least = self.tol * spread if self.is_relative else self.tol
        self.waited = 0 if objective > self.best + least else self.waited + 1
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


def held_out_first(
    n_samples: int, fraction: float, rng: np.random.RandomState, ranks: Ranks = ALONE
) -> np.ndarray | None:
    """Return a random order of the samples, the first of which are set aside; None if none are.

    Each of the ranks sets this part of its samples aside.
    """
    if fraction == 0:
        return None
    n_held_out = int(np.ceil(fraction * n_samples))
    if not ranks.largest(n_held_out < n_samples):
        raise ValueError(
            f"training__validation_fraction={fraction} of {n_samples} samples leaves none to "
            "train on."
        )
    return rng.permutation(n_samples)
