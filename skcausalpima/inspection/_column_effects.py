"""Least squares of columns on probabilities of cells: contrasts, robust errors, p-values."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import stats

from .._held_out.units import Units

#: Share of a column of probabilities that one unit may hold alone (leverage), so that squared
#: residuals stay finite (arbitrary).
MOST_LEVERAGE = 0.99

#: Cells of fewer units than this are left out of the regression: nothing is known of their means
#: (arbitrary).
LEAST_MASS = 2.0


class Estimates(NamedTuple):
    """Of each contrast and column, (n_contrasts, n_columns).

    Parameters
    ----------
    effect, error : ndarray
        In units of the columns, with HC3 standard errors.
    p_value : ndarray
        Two-sided; NaN of columns that never vary.
    n_free : int
        Degrees of freedom.
    """

    effect: np.ndarray
    error: np.ndarray
    p_value: np.ndarray
    n_free: int


def estimate(
    shares: np.ndarray, values: np.ndarray, contrasts: np.ndarray, units: Units | None = None
) -> Estimates:
    r"""Return contrasts of the means of cells, from probabilities that do not know the columns.

    Where columns are independent given the cell, :math:`E[x_j \mid \text{rest}] = \sum_c r_c
    \mu_{cj}` with :math:`r_c = q(c \mid \text{rest})`, so that least squares has the means without
    bias: :math:`b = (R'R)^{-1} R'x_j`. Errors are HC3 [1]_, :math:`V = (R'R)^{-1} R'
    \mathrm{diag}(e^2 / (1 - h)^2)\, R\, (R'R)^{-1}`. The p-value is the larger of this one and that
    of plain least squares on normal scores, which outliers and skew do not move.

    Rows of one unit u are held out together: the errors are :math:`(I - H_{uu})^{-1} e_u`, added up
    along :math:`R_u` before they are squared (CR3 [2]_), of normal scores, too.

    Parameters
    ----------
    shares : ndarray of shape (n_samples, n_cells)
        Probabilities of cells.
    values : ndarray of shape (n_samples, n_columns)
        Without gaps.
    contrasts : ndarray of shape (n_contrasts, n_cells)
        Weights of the means; cells that count for none may be empty.
    units : Units, default=None
        What samples belong to; None for each a unit of its own.

    Returns
    -------
    Estimates
        Of all pairs.

    References
    ----------
    .. [1] J. G. MacKinnon and H. White, "Some heteroskedasticity-consistent covariance matrix
       estimators with improved finite sample properties", Journal of Econometrics 29, 1985.
    .. [2] R. M. Bell and D. F. McCaffrey, "Bias reduction in standard errors for linear regression
       with multi-stage samples", Survey Methodology 28, 2002.

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima.inspection._column_effects import estimate
    >>> x = np.array([[0.0], [1.0], [2.0], [10.0], [11.0], [12.0]])
    >>> found = estimate(np.eye(2)[[0, 0, 0, 1, 1, 1]], x, np.array([[-1.0, 1.0]]))
    >>> found.effect.round(2), found.error.round(2)
    (array([[10.]]), array([[1.]]))
    """
    units = Units(len(shares)) if units is None else units
    kept = (shares * units.weights()[:, None]).sum(axis=0) >= LEAST_MASS
    design, weights = shares[:, kept], contrasts[:, kept]
    inverse = np.linalg.pinv(design.T @ design, hermitian=True)
    n_free = max(units.n - np.linalg.matrix_rank(design), 1)
    hat = design @ inverse
    along = weights @ hat.T  # (contrast, sample): effects are along @ values

    residuals = values - design @ (hat.T @ values)
    error = _robust(along, residuals, design, hat, units)
    effect = along @ values
    scores = stats.norm.ppf((stats.rankdata(values, axis=0) - 0.5) / len(values))
    of_scores = scores - design @ (hat.T @ scores)
    if units.are_rows:
        variance = np.square(of_scores).sum(axis=0) / n_free
        error_of_scores = np.sqrt(np.square(along).sum(axis=1)[:, None] * variance)
    else:
        error_of_scores = _robust(along, of_scores, design, hat, units)
    varies = np.ptp(values, axis=0) > 0
    with np.errstate(divide="ignore", invalid="ignore"):
        largest = np.minimum(np.abs(effect / error), np.abs(along @ scores / error_of_scores))
    p_value = 2.0 * stats.t.sf(largest, n_free)
    return Estimates(effect, error, np.where(varies, p_value, np.nan), n_free)


def _robust(
    along: np.ndarray, residuals: np.ndarray, design: np.ndarray, hat: np.ndarray, units: Units
) -> np.ndarray:
    """Return errors of contrasts, (n_contrasts, n_columns), from what other units leave of each."""
    if units.are_rows:
        leverage = np.minimum((hat * design).sum(axis=1), MOST_LEVERAGE)
        return np.sqrt(np.square(along) @ np.square(residuals / (1.0 - leverage)[:, None]))
    squares = np.zeros((len(along), residuals.shape[1]))
    for unit in range(units.n):
        rows = units.rows_of(np.array([unit]))
        leverages, axes = np.linalg.eigh(hat[rows] @ design[rows].T)
        left = axes.T @ residuals[rows] / (1.0 - np.minimum(leverages, MOST_LEVERAGE))[:, None]
        squares += np.square(along[:, rows] @ axes @ left)
    return np.sqrt(squares)


def against_others(shares: np.ndarray, enough: np.ndarray) -> np.ndarray:
    """Return contrasts of each outcome of a node with its others, the other nodes averaged.

    Other nodes have the same distribution in all of them, over those of their outcomes that are
    seen with enough samples beside each outcome that has enough anywhere.

    Parameters
    ----------
    shares : ndarray of shape (n_outcomes, n_others)
        Joint probabilities of the node and of the other nodes' combinations.
    enough : ndarray of bool of shape (n_outcomes, n_others)
        Whether that cell has enough samples.

    Returns
    -------
    ndarray of shape (n_outcomes, n_outcomes, n_others)
        Weights of cells; NaN of an outcome that cannot be compared.

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima.inspection._column_effects import against_others
    >>> joint = np.array([[0.1, 0.4], [0.3, 0.2]])
    >>> against_others(joint, joint > 0)[1]
    array([[-0.4, -0.6],
           [ 0.4,  0.6]])
    """
    n_outcomes = len(shares)
    contrasts = np.full((n_outcomes, *shares.shape), np.nan)
    there = np.flatnonzero(enough.any(axis=1))
    both = enough[there].all(axis=0)
    if len(there) < 2 or not both.any():
        return contrasts
    others = np.where(both, shares.sum(axis=0), 0.0)
    others /= others.sum()
    weights = shares[there].sum(axis=1)
    for k, outcome in enumerate(there):
        of_outcomes = np.zeros(n_outcomes)
        rest = np.delete(np.arange(len(there)), k)
        of_outcomes[there[rest]] = -weights[rest] / weights[rest].sum()
        of_outcomes[outcome] = 1.0
        contrasts[outcome] = of_outcomes[:, None] * others
    return contrasts
