"""NaN in the gradient of one parameter, in one step: an error, or a fit that is finite."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from unittest.mock import patch

import numpy as np
from attack.calls import pair
from attack.fits import KINDS, made, reference
from attack.verdicts import Case, require_finite
from sklearn.exceptions import ConvergenceWarning

from skcausalpima import CausalPIMA
from skcausalpima._training.gradients import Adam

VALUES = (float("nan"), float("inf"), 1e30)


class Poison:
    """Count the steps of optimizers; put a value into one gradient at one of them."""

    def __init__(self, step: int | None = None, share: float = 0.0, value: float = 0.0) -> None:
        self.step, self.share, self.value = step, share, value
        self.n_steps = 0

    def __call__(self, optimizer: Adam) -> None:
        if self.n_steps == self.step:
            groups = optimizer.groups
            gradients = [p.grad for group in groups for p in group if p.grad is not None]
            gradient = gradients[int(self.share * len(gradients))]
            gradient.view(-1)[int(self.share * 997) % gradient.numel()] = self.value
        self.n_steps += 1

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Be asked before each step."""
        step = Adam.step

        def asked_first(optimizer: Adam) -> None:
            self(optimizer)
            step(optimizer)

        with patch.object(Adam, "step", asked_first):
            yield


def _disturbed(kind: str, further: bool, poison: Poison) -> CausalPIMA:
    """Fit, or train a fit further, with a poison."""
    model = copy.deepcopy(reference(kind, 1, True)) if further else made(kind)
    with poison.applied():
        return model.fit(pair())


@cache
def _n_steps(kind: str, further: bool) -> int:
    count = Poison()
    _disturbed(kind, further, count)
    return count.n_steps


def case(rng: np.random.Generator) -> Case:
    """Draw a fit, a step (often the last one) and a gradient."""
    kind = list(KINDS)[rng.integers(len(KINDS))]
    further = bool(rng.random() < 0.3)
    n_steps = _n_steps(kind, further)
    step = n_steps - 1 if rng.random() < 0.3 else int(rng.integers(n_steps))
    share, value = float(rng.random()), VALUES[rng.integers(len(VALUES))]

    def run() -> None:
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            model = _disturbed(kind, further, Poison(step, share, value))
        if any(issubclass(w.category, ConvergenceWarning) for w in told):
            # The best held-out state is kept; the epoch that diverged stands in the history.
            model.history_ = {name: values[:-1] for name, values in model.history_.items()}
        require_finite(model)
        require_finite([model.score_samples(pair()), model.transform(pair()), model.sample(2)])

    label = f"{kind}{', continued' if further else ''}: {value} in a gradient of step {step}"
    return Case(f"{label} of {n_steps}, place {share:.3f}", run)
