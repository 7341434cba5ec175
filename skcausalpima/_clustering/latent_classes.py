r"""Latent classes of columns, by EM: in a class, columns are independent of each other.

:math:`p(x) = \sum_c w_c \prod_j p_{jc}(x_j)`: of a discrete column j each class c has a table of
probabilities, of a number a Gaussian, whose variance all classes share. What is missing of a sample
drops out of its product.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy.special import logsumexp, softmax
from sklearn.utils import check_random_state

from .clusters import Clustering, describe, seen_rows

_MAX_ITER = 200
_TOL = 1e-5  # rise of the mean log-likelihood, in nats, below which EM ends
_START = 0.7  # share of one sample in what a class begins with, beside all samples
_SAME = 1e-6  # numbers that differ by less, in their standard deviations, are the same


@dataclass(frozen=True, kw_only=True, eq=False)
class IndependentColumns:
    """Discrete columns as one indicator for each outcome, and numbers.

    Parameters
    ----------
    indicators : ndarray of shape (n_samples, n_outcomes)
        1 where a sample has an outcome; 0 in all of a column where it is missing.
    first : ndarray of int of shape (n_discrete,)
        The first outcome of each discrete column.
    numbers : ndarray of shape (n_samples, n_numbers)
        NaN where they are missing.
    """

    indicators: np.ndarray
    first: np.ndarray
    numbers: np.ndarray

    def take(self, rows: np.ndarray) -> IndependentColumns:
        """Return some of the samples."""
        taken, numbers = self.indicators[rows], self.numbers[rows]
        return IndependentColumns(indicators=taken, first=self.first, numbers=numbers)

    def tables(self, sums: np.ndarray) -> np.ndarray:
        """Return sums of indicators, (n_outcomes, n_classes), as probabilities in columns."""
        totals = np.add.reduceat(sums, self.first, axis=0)
        sizes = np.diff(np.append(self.first, len(sums)))
        return sums / np.repeat(totals, sizes, axis=0)

    @cached_property
    def statistics(self) -> np.ndarray:
        """What log-densities are linear in: indicators, numbers, and which of these are there."""
        return np.hstack([self.indicators, np.nan_to_num(self.numbers), ~np.isnan(self.numbers)])

    def coefficients(self, sums: np.ndarray, variances: np.ndarray) -> np.ndarray:
        """Return those of the statistics, (n_statistics, n_classes), but for what no class changes.

        ``sums``, of this shape, are those of the classes, ``variances`` (n_numbers,) of numbers.
        """
        of_outcomes, totals, counts = self._parts(sums)
        means = totals / counts
        slopes = means / variances[:, None]
        return np.concatenate([np.log(self.tables(of_outcomes)), slopes, -0.5 * slopes * means])

    def variances(self, sums: np.ndarray, squares: np.ndarray) -> np.ndarray:
        """Return variances of numbers in classes; ``squares`` (n_numbers,) are sums of theirs."""
        _, totals, counts = self._parts(sums)
        within = squares - (np.square(totals) / counts).sum(axis=1)
        return np.maximum(within / counts.sum(axis=1), self.least_variances)

    def _parts(self, sums: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return sums of indicators, sums of numbers, and how many numbers there are."""
        n_outcomes = self.indicators.shape[1]
        totals, counts = np.split(sums[n_outcomes:], 2)
        return sums[:n_outcomes], totals, counts

    @cached_property
    def least_variances(self) -> np.ndarray:
        """Variances of numbers within a step: of those that come in steps no more is known."""
        found = np.zeros(self.numbers.shape[1])
        for k, column in enumerate(self.numbers.T):
            steps = np.diff(np.unique(column[~np.isnan(column)]))
            found[k] = np.square(steps[steps > _SAME].min(initial=np.inf)) / 12.0
        return np.where(np.isfinite(found), found, 1.0)


def latent_classes(
    columns: IndependentColumns,
    points: np.ndarray,
    n_classes: int,
    *,
    random_state: int | np.random.RandomState | None = None,
    n_starts: int = 1,
    rows: np.ndarray | None = None,
) -> list[Clustering]:
    """Return clusterings by latent classes, the likeliest first.

    Parameters
    ----------
    columns : IndependentColumns
        Of the samples.
    points : ndarray of shape (n_samples, n_features)
        Where distances of clusters are measured.
    n_classes : int
        Number of classes; no more than there are samples.
    random_state : int, RandomState or None, default=None
        Seed of all starts, each of which begins at as many samples.
    n_starts : int, default=1
        Number of clusterings.
    rows : ndarray of int of shape (n_rows,), default=None
        Those that classes are found in; what they are of all samples is returned.

    Returns
    -------
    list of Clustering
        One per start.
    """
    rng = check_random_state(random_state)
    whole, rows = _standardised(columns), seen_rows(len(points), rows, rng)
    part = whole if len(rows) == len(points) else whole.take(rows)
    found = [_fitted(whole, part, n_classes, rng) for _ in range(n_starts)]
    found.sort(key=lambda fit: -fit[1])
    source = f"latent classes of {len(columns.first) + columns.numbers.shape[1]} columns"
    return [describe(shares, points, source) for shares, _ in found]


def _standardised(columns: IndependentColumns) -> IndependentColumns:
    """Return the columns with numbers of mean 0 and variance 1."""
    seen = ~np.isnan(columns.numbers)
    totals = np.maximum(seen.sum(axis=0), 1)
    centred = columns.numbers - np.where(seen, columns.numbers, 0.0).sum(axis=0) / totals
    spread = np.sqrt(np.where(seen, np.square(centred), 0.0).sum(axis=0) / totals)
    return replace(columns, numbers=centred / np.where(spread > 0, spread, 1.0))


def _fitted(
    whole: IndependentColumns, part: IndependentColumns, n_classes: int, rng: np.random.RandomState
) -> tuple[np.ndarray, float]:
    """Fit classes to some samples; return all samples' responsibilities, and the likelihood."""
    seen = ~np.isnan(part.numbers)
    squares = np.where(seen, np.square(part.numbers), 0.0)
    margins = part.tables(part.indicators.sum(axis=0)[:, None] + 1.0)
    mean = np.zeros((seen.shape[1], 1))
    another = np.concatenate([margins, mean, mean + 1.0])  # one sample more, which is like all
    rows = rng.choice(len(seen), min(n_classes, len(seen)), replace=False)
    sums = _START * part.statistics[rows].T + (1.0 - _START) * another
    weights, variances = np.full(len(rows), 1.0 / len(rows)), np.ones(seen.shape[1])
    before = -np.inf
    for _ in range(_MAX_ITER):
        coefficients = part.coefficients(sums, variances)
        in_all = 0.5 * (squares @ (1.0 / variances) + seen @ np.log(2.0 * np.pi * variances))
        logs = part.statistics @ coefficients + np.log(weights)
        evidence = logsumexp(logs, axis=1)
        shares = np.exp(logs - evidence[:, None])
        likelihood = float((evidence - in_all).mean())
        if likelihood - before < _TOL:
            break
        before = likelihood
        weights = np.maximum(shares.mean(axis=0), np.finfo(float).tiny)
        sums = part.statistics.T @ shares + another
        variances = part.variances(sums, squares.sum(axis=0) + len(rows))
    if part is not whole:
        shares = softmax(whole.statistics @ coefficients + np.log(weights), axis=1)
    return shares, likelihood
