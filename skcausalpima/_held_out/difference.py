"""One paired difference with its standard error, and one rule for what is better."""

from __future__ import annotations

from typing import NamedTuple, Self

import numpy as np

from .units import Units

#: What is better is so by this many standard errors, on rows held out: of no difference at all
#: some 2.3 % seem better.
ERRORS = 2.0


class PairedDifference(NamedTuple):
    """The mean of a difference over rows, with the standard error over independent units.

    Parameters
    ----------
    mean : float
        Mean over rows.
    error : float
        Its standard error; infinite of fewer than two units, which tell none.
    n_units : int
        Number of units.

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima._held_out.difference import PairedDifference
    >>> from skcausalpima._held_out.units import Units
    >>> rows = np.repeat([-1.0, 0.5, 1.0, 2.0], 25)
    >>> PairedDifference.of(rows, Units(100)).is_better
    True
    >>> PairedDifference.of(rows, Units.of(np.repeat(range(4), 25))).is_better  # four units
    False
    """

    mean: float
    error: float
    n_units: int

    @classmethod
    def of(cls, differences: np.ndarray, units: Units) -> Self:
        r"""Return the mean of differences of rows.

        The error is that of a ratio of sums over units u of :math:`n_u` rows [1]_,

        .. math:: \frac{1}{n} \sqrt{\frac{G}{G - 1}
            \sum_u \Big( \sum_{i \in u} (d_i - \bar d) \Big)^2}, \quad n = \sum_{u=1}^G n_u.

        .. [1] W. G. Cochran, "Sampling Techniques", Wiley, 3rd edition 1977, Section 9A.
        """
        mean, n_units = float(differences.mean()), units.n
        if n_units < 2:
            return cls(mean, np.inf, n_units)
        squares = np.square(units.sums(differences - mean)).sum() * n_units / (n_units - 1)
        return cls(mean, float(np.sqrt(squares) / len(differences)), n_units)

    @property
    def is_better(self) -> bool:
        """Whether the difference is above zero by two errors."""
        return self.mean > ERRORS * self.error

    @property
    def is_worse(self) -> bool:
        """Whether the difference is below zero by two errors."""
        return -self.mean > ERRORS * self.error
