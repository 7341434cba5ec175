"""How long to train: epochs from a budget of gradient steps, and what stops them early."""

from __future__ import annotations

import math

#: Gradient steps, relative to the root of the number of samples.
STEPS_PER_ROOT = 25.0

#: Fewest and most epochs: the closed-form updates come once in each.
MIN_EPOCHS, MAX_EPOCHS = 10, 300

#: Epochs of the paper's start, whatever the data.
PAPER_EPOCHS = 50

#: Least rise of the bound, in nats and relative to its spread between samples.
TOLERANCE = 1e-3


def resolve_max_iter(max_iter: int | str, n_samples: int, batch_size: int, is_paper: bool) -> int:
    r"""Return the largest number of training epochs.

    ``"auto"`` makes about :math:`25 \sqrt n` gradient steps. Few samples need more epochs than many
    for as many steps, and many samples bear more steps than few, whose noise is learned by then.

    Parameters
    ----------
    max_iter : int or "auto"
        A number is returned as it is.
    n_samples : int
        Rows that train.
    batch_size : int
        Rows of one step.
    is_paper : bool
        Whether training begins as in the paper, which states no such rule.

    Returns
    -------
    int
        From 10 to 300 if it is not given.

    Examples
    --------
    >>> from skcausalpima._model.training_length import resolve_max_iter
    >>> [resolve_max_iter("auto", n, 128, False) for n in (40, 300, 1000, 4096, 10**6)]
    [159, 145, 99, 50, 10]
    >>> resolve_max_iter(7, 300, 128, False), resolve_max_iter("auto", 300, 128, True)
    (7, 50)
    """
    if max_iter != "auto":
        return int(max_iter)
    if is_paper:
        return PAPER_EPOCHS
    steps_per_epoch = math.ceil(n_samples / batch_size)
    n_epochs = math.ceil(STEPS_PER_ROOT * math.sqrt(n_samples) / steps_per_epoch)
    return min(max(n_epochs, MIN_EPOCHS), MAX_EPOCHS)


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
