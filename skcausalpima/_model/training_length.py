"""How long to train: epochs from a budget of gradient steps, and what stops them early."""

from __future__ import annotations

import math
from dataclasses import dataclass

#: Gradient steps are so many times the number of samples to this power.
FACTOR, POWER = 2.0, 0.75

#: Learning rate of these steps, relative to that which is asked for.
RATE_FACTOR = 2.0

#: Fewest and most epochs: the closed-form updates come once in each.
MIN_EPOCHS, MAX_EPOCHS = 10, 300

#: Samples beyond which so few steps do, and the last layers of decoders are fitted at the end.
MANY, STEPS_OF_MANY = 2000, 320

#: Epochs of pre-training, and where there are that many samples.
PRETRAINING_EPOCHS, PRETRAINING_OF_MANY = 10, 3

#: Epochs where no start is held, whatever the data.
FREE_EPOCHS = 50

#: Least rise of the bound, in nats and relative to its spread between samples.
TOLERANCE = 1e-3


@dataclass(frozen=True, kw_only=True)
class Budget:
    """For how long a model is trained.

    Parameters
    ----------
    n_epochs : int
        At most.
    is_planned : bool
        Whether the number of samples said so. Then the learning rate falls to zero in the end.
    is_short : bool, default=False
        Whether there are so many samples that few epochs do.
    """

    n_epochs: int
    is_planned: bool
    is_short: bool = False

    @property
    def rate_factor(self) -> float:
        """Learning rate of the networks, relative to that which is asked for."""
        return RATE_FACTOR if self.is_planned else 1.0

    def pretraining_epochs(self, asked: int | str) -> int:
        """Return the epochs before there are clusters; those that are asked for, or "auto"."""
        if asked != "auto":
            return int(asked)
        return PRETRAINING_OF_MANY if self.is_short else PRETRAINING_EPOCHS


def budget(
    max_iter: int | str,
    n_samples: int,
    batch_size: int,
    is_free: bool = False,
) -> Budget:
    r"""Return for how long a model is trained.

    ``"auto"`` makes about :math:`2 n^{3/4}` gradient steps. Few samples need more epochs than many
    for as many steps, and many samples bear more steps than few, whose noise is learned by then.
    More than 2000 make 320 steps: components stand still after these, and what decoders still lack
    is mostly in their last layers, which have a closed form. There are 10 epochs at least.

    Parameters
    ----------
    max_iter : int or "auto"
        A number is taken as it is.
    n_samples : int
        Rows that train.
    batch_size : int
        Rows of one step.
    is_free : bool, default=False
        Whether no start may be held, as with one node: components that are free drift the longer
        they are trained, and need the updates of so many epochs.

    Returns
    -------
    Budget
        From 10 to 300 epochs if their number is not given.

    Examples
    --------
    >>> from skcausalpima._model.training_length import budget
    >>> [budget("auto", n, 128).n_epochs for n in (40, 300, 1000, 3000, 4096, 10**6)]
    [32, 49, 45, 14, 10, 10]
    >>> budget(7, 300, 128), budget("auto", 300, 128, is_free=True).n_epochs
    (Budget(n_epochs=7, is_planned=False, is_short=False), 50)
    """
    if max_iter != "auto":
        return Budget(n_epochs=int(max_iter), is_planned=False)
    if is_free:
        return Budget(n_epochs=FREE_EPOCHS, is_planned=False)
    is_short = n_samples > MANY
    n_steps = STEPS_OF_MANY if is_short else FACTOR * n_samples**POWER
    n_epochs = math.ceil(n_steps / math.ceil(n_samples / batch_size))
    n_epochs = min(max(n_epochs, MIN_EPOCHS), MAX_EPOCHS)
    return Budget(n_epochs=n_epochs, is_planned=True, is_short=is_short)


def resolve_tol(tol: float | str, is_paper: bool) -> tuple[float, bool]:
    """Return the least rise of the bound, and whether it is relative to the bound's spread.

    Parameters
    ----------
    tol : float or "auto"
        A number is in nats.
    is_paper : bool
        Whether training begins as in the paper: then ``"auto"`` is in nats, too.

    Returns
    -------
    tol : float
        Of one epoch.
    is_relative : bool
        Whether it is to be multiplied by the interquartile range of the bound between samples.

    Examples
    --------
    >>> from skcausalpima._model.training_length import resolve_tol
    >>> resolve_tol("auto", False), resolve_tol("auto", True), resolve_tol(0.5, False)
    ((0.001, True), (0.001, False), (0.5, False))
    """
    return (TOLERANCE, not is_paper) if tol == "auto" else (float(tol), False)
