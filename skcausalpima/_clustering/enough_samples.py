"""Are there enough samples? Whether draws of a fit, as many as it had samples, show its cells."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from .._base.reports.cells import FoundAgainReport
from .margins import DRAWS_OF_FIT, FOUND_AGAIN, MISSED_DRAWS, MOST_TIMES

#: Times as many samples of which it is asked whether they would be enough: arbitrary.
TIMES = (1.5, 2.0, 3.0)

#: Draws of these, of which as many may be missed as of the fit: arbitrary, the number is a guess in
#: any case.
FURTHER_DRAWS = 5

#: Returns how far the node of a draw agrees that does so least, from a number of samples, and a
#: seed.
AgreementOfDraw = Callable[[int, int], float]


def ask_draws(agreement_of_draw: AgreementOfDraw, n_samples: int) -> FoundAgainReport:
    """Return whether draws of so many samples are found again, and how many would be.

    Parameters
    ----------
    agreement_of_draw : callable
        Draws as many samples as it is told, by the seed that it is told, and looks for their cells.
        Returns the adjusted Rand index of the node that agrees least with what was drawn.
    n_samples : int
        Number of samples of the fit.

    Returns
    -------
    FoundAgainReport
        What is told of it.

    Examples
    --------
    >>> from skcausalpima._clustering.enough_samples import ask_draws
    >>> again = ask_draws(lambda n_samples, seed: 1 - 10 / n_samples, 40)
    >>> again.found, again.agreement, again.enough_samples
    (False, array([0.75, 0.75]), 60)
    """
    agreement = _agreement(agreement_of_draw, n_samples, DRAWS_OF_FIT)
    is_found = _is_found(agreement)
    enough = n_samples if is_found else _enough(agreement_of_draw, n_samples)
    return FoundAgainReport(
        found=is_found, agreement=agreement, n_samples=n_samples, enough_samples=enough
    )


def _agreement(agreement_of_draw: AgreementOfDraw, n_samples: int, n_draws: int) -> np.ndarray:
    """Return how far draws agree, up to the one that makes too many that were not found again."""
    indices: list[float] = []
    for seed in range(n_draws):
        indices.append(agreement_of_draw(n_samples, seed))
        if not _is_found(np.array(indices)):
            break
    return np.array(indices)


def _is_found(agreement: np.ndarray) -> bool:
    """Return whether no more draws are missed than may be."""
    return int((agreement < FOUND_AGAIN).sum()) <= MISSED_DRAWS


def _enough(agreement_of_draw: AgreementOfDraw, n_samples: int) -> int | None:
    """Return about how many samples are found again; most that never are show it at once."""

    def are_enough(number: int) -> bool:
        return _is_found(_agreement(agreement_of_draw, number, FURTHER_DRAWS))

    most = math.ceil(MOST_TIMES * n_samples)
    if not are_enough(most):
        return None
    return next(filter(are_enough, (math.ceil(times * n_samples) for times in TIMES)), most)
