"""What chance leaves at most of means of random orientation, however they are laid on a grid."""

from __future__ import annotations

import math

import numpy as np
from scipy.special import gammaln

N_POWERS = 60  # of which the best one counts


def log_chance(left: float, shares: np.ndarray, n_projected: int, n_directions: int) -> float:
    r"""Bound the chance that a projector leaves so little of directions of random orientation.

    Let U have r orthonormal columns of random orientation in n directions, and Q project on q of
    them. Then :math:`\det U^T Q U` is a product of independent Beta variables with the parameters
    (q - i) / 2, i from 0 to r - 1, and (n - q) / 2. If :math:`\sum_i w_i (U^T Q U)_{ii} \le d`, the
    determinant is at most :math:`\prod_i (U^T Q U)_{ii} \le (d / r)^r / \prod_i w_i` (Hadamard, and
    the means of numbers). So by Markov's inequality, for every power h that has a moment,

    .. math:: \log P \le h \log \frac{(d / r)^r}{\prod w} + \log E \det(U^T Q U)^{-h}.

    Parameters
    ----------
    left : float
        d: part of the sum of squares that the projector has.
    shares : ndarray of shape (n_shares,)
        w: parts of the directions, falling; the first r count, for the best r.
    n_projected : int
        q: directions of the projector.
    n_directions : int
        n: all of them.

    Returns
    -------
    float
        Logarithm of the bound; 0 where it says nothing.

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima._clustering.chance_bounds import log_chance
    >>> float(log_chance(0.1, np.full(4, 0.25), 50, 60)) < -100
    True
    >>> float(log_chance(1.0, np.full(4, 0.25), 50, 60))
    0.0
    """
    best, left = 0.0, max(left, np.finfo(float).tiny)
    for r in range(1, 1 + min(len(shares), n_projected - 1)):
        log_det = r * math.log(left / r) - np.log(shares[:r]).sum()
        if not log_det < 0.0:
            continue
        first = (n_projected - np.arange(r)) / 2  # of the Beta variables
        other = (n_directions - n_projected) / 2
        powers = np.linspace(0.0, first[-1], N_POWERS + 2)[1:-1, None]
        moments = gammaln(first - powers) + gammaln(first + other)
        moments -= gammaln(first) + gammaln(first + other - powers)
        best = min(best, float((powers[:, 0] * log_det + moments.sum(axis=1)).min()))
    return best
