r"""Latent classes of columns, by EM: in a class, columns are independent, or numbers vary together.

:math:`p(x) = \sum_c w_c \prod_j p_{jc}(x_j)`: of a discrete column j each class c has a table of
probabilities, of a number a Gaussian, whose variance all classes share. What is missing of a sample
drops out of its product. Numbers none of which is missing may have one Gaussian together, whose
covariance matrix all classes share: that is the location model [1]_.

.. [1] W. J. Krzanowski, "The location model for mixtures of categorical and continuous variables",
   Journal of Classification 10, 1993.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy import sparse
from sklearn.utils import check_random_state

from .._base.budgets import FEW_ROWS
from .clusters import Clustering, describe, seen_rows
from .margins import LEAST_EIGENVALUE, MAX_FILLED, SAMPLES_PER_NUMBER
from .over_fitted import normalized

_MAX_ITER = 200
_TOL = 1e-5  # rise of the mean log-likelihood, in nats, below which EM ends
_START = 0.7  # share of one sample in what a class begins with, beside all samples
_SAME = 1e-6  # numbers that differ by less, in their standard deviations, are the same
_MAX_NUMBERS, _MAX_CLASSES = 40, 64  # of these, at most
_N_STARTS = 5  # that tell whether they do


@dataclass(frozen=True, kw_only=True, eq=False)
class TableColumns:
    """Discrete columns as one indicator for each outcome, and numbers.

    Parameters
    ----------
    indicators : ndarray or csr_array of shape (n_samples, n_outcomes)
        1 where a sample has an outcome; 0 in all of a column where it is missing. Sparse where some
        column has many outcomes: iterations cost no more than the outcomes that there are.
    first : ndarray of int of shape (n_discrete,)
        The first outcome of each discrete column.
    numbers : ndarray of shape (n_samples, n_numbers)
        NaN where they are missing.
    filled : ndarray of shape (n_samples, n_numbers), default=None
        Numbers with something likely in the place of what is missing.
    together : bool, default=False
        Whether numbers, none of which is missing, vary together in a class.
    """

    indicators: np.ndarray | sparse.csr_array
    first: np.ndarray
    numbers: np.ndarray
    filled: np.ndarray | None = None
    together: bool = False

    def take(self, rows: np.ndarray) -> TableColumns:
        """Return some of the samples, without what was filled in."""
        indicators, numbers = self.indicators[rows], self.numbers[rows]
        return replace(self, indicators=indicators, numbers=numbers, filled=None)

    def tables(self, sums: np.ndarray) -> np.ndarray:
        """Return sums of indicators, (n_outcomes, n_classes), as probabilities in columns."""
        totals = np.add.reduceat(sums, self.first, axis=0)
        sizes = np.diff(np.append(self.first, len(sums)))
        return sums / np.repeat(totals, sizes, axis=0)

    @cached_property
    def statistics(self) -> np.ndarray | sparse.csr_array:
        """What log-densities are linear in: indicators, numbers, and which of these are there."""
        parts = [self.indicators, np.nan_to_num(self.numbers), ~np.isnan(self.numbers)]
        if isinstance(self.indicators, np.ndarray):
            return np.hstack(parts)
        return sparse.hstack([sparse.csr_array(part) for part in parts], format="csr")

    def coefficients(self, sums: np.ndarray, scatter: np.ndarray) -> np.ndarray:
        """Return those of the statistics, (n_statistics, n_classes), but for what no class changes.

        ``sums``, of this shape, are those of the classes, ``scatter`` that of numbers in them:
        variances, or, where they vary together, their covariance matrix.
        """
        of_outcomes, totals, counts = self._parts(sums)
        means = totals / counts
        slopes = np.linalg.solve(scatter, means) if self.together else means / scatter[:, None]
        return np.concatenate([np.log(self.tables(of_outcomes)), slopes, -0.5 * slopes * means])

    def scatter(self, sums: np.ndarray, products: np.ndarray) -> np.ndarray:
        """Return that of numbers in classes; ``products`` are sums of squares, or of products."""
        _, totals, counts = self._parts(sums)
        if not self.together:
            within = products - (np.square(totals) / counts).sum(axis=1)
            return np.maximum(within / counts.sum(axis=1), self.least_variances)
        within = (products - (totals / counts) @ totals.T) / counts.sum(axis=1)[:, None]
        np.fill_diagonal(within, np.maximum(within.diagonal(), self.least_variances))
        return within

    def in_all_classes(self, scatter: np.ndarray) -> np.ndarray:
        """Return the part of the log-densities that is the same in all classes."""
        if self.together:
            squares = (self.numbers @ np.linalg.inv(scatter) * self.numbers).sum(axis=1)
            return -0.5 * (squares + np.linalg.slogdet(2.0 * np.pi * scatter)[1])
        present = ~np.isnan(self.numbers)
        return -0.5 * (self.squares @ (1.0 / scatter) + present @ np.log(2.0 * np.pi * scatter))

    @cached_property
    def squares(self) -> np.ndarray:
        """Squares of the numbers, 0 where they are missing."""
        return np.square(np.nan_to_num(self.numbers))

    def _parts(self, sums: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return sums of indicators, sums of numbers, and how many numbers there are."""
        n_outcomes = self.indicators.shape[1]
        totals, counts = np.split(sums[n_outcomes:], 2)
        return sums[:n_outcomes], totals, counts

    @property
    def may_vary_together(self) -> bool:
        """Whether there are some numbers, few are missing, and samples are many for them."""
        n_samples, n_numbers = self.numbers.shape
        are_some = 1 < n_numbers <= min(_MAX_NUMBERS, n_samples // SAMPLES_PER_NUMBER)
        return are_some and bool(np.isnan(self.numbers).mean() <= MAX_FILLED)

    @cached_property
    def least_variances(self) -> np.ndarray:
        """Variances of numbers within a step: of those that come in steps no more is known."""
        variances = np.zeros(self.numbers.shape[1])
        for k, column in enumerate(self.numbers.T):
            steps = np.diff(np.unique(column[~np.isnan(column)]))
            variances[k] = np.square(steps[steps > _SAME].min(initial=np.inf)) / 12.0
        return np.where(np.isfinite(variances), variances, 1.0)


def latent_classes(
    columns: TableColumns,
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
    columns : TableColumns
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
    rows = seen_rows(len(points), rows, rng)
    fits = _likeliest(columns, n_classes, n_starts, rng, rows)
    source = f"latent classes of {len(columns.first) + columns.numbers.shape[1]} columns"
    return [describe(shares, points, source) for shares, _ in fits]


def settled(columns: TableColumns, n_classes: int, seed: int) -> TableColumns:
    """Return columns whose numbers vary together if classes are more probable so, by BIC."""
    if not columns.may_vary_together or n_classes > _MAX_CLASSES:
        return columns
    filled = columns.numbers if columns.filled is None else columns.filled
    complete = replace(columns, numbers=filled, filled=None)
    numbers = _standardised(complete).numbers
    correlations = numbers.T @ numbers / len(numbers)
    correlations += np.diag(correlations.diagonal() == 0)
    if np.linalg.eigvalsh(correlations)[0] < LEAST_EIGENVALUE:
        return columns  # together they have no density
    rows = np.sort(np.random.RandomState(seed).permutation(len(numbers))[:FEW_ROWS])
    joint = replace(complete, together=True)
    apart, together = (
        _likeliest(candidate, n_classes, _N_STARTS, np.random.RandomState(seed), rows)[0][1]
        for candidate in (complete, joint)
    )
    return joint if together > apart else columns


def _likeliest(
    columns: TableColumns,
    n_classes: int,
    n_starts: int,
    rng: np.random.RandomState,
    rows: np.ndarray,
) -> list[tuple[np.ndarray, float]]:
    """Return responsibilities and evidence from several starts, the likeliest first."""
    whole = _standardised(columns)
    part = whole if len(rows) == len(whole.numbers) else whole.take(rows)
    fits = [_fitted(whole, part, n_classes, rng) for _ in range(n_starts)]
    return sorted(fits, key=lambda fit: -fit[1])


def _standardised(columns: TableColumns) -> TableColumns:
    """Return the columns with numbers of mean 0 and variance 1."""
    present = ~np.isnan(columns.numbers)
    totals = np.maximum(present.sum(axis=0), 1)
    centred = columns.numbers - np.where(present, columns.numbers, 0.0).sum(axis=0) / totals
    spread = np.sqrt(np.where(present, np.square(centred), 0.0).sum(axis=0) / totals)
    return replace(columns, numbers=centred / np.where(spread > 0, spread, 1.0))


def _fitted(
    whole: TableColumns, part: TableColumns, n_classes: int, rng: np.random.RandomState
) -> tuple[np.ndarray, float]:
    """Fit classes to some samples; return all samples' responsibilities, and the evidence.

    Each class begins at a sample. The evidence is the mean log-likelihood; covariances of numbers
    that vary together cost half the logarithm of the number of samples each (BIC).
    """
    n_samples, n_numbers = part.numbers.shape
    margins = part.tables(part.indicators.sum(axis=0)[:, None] + 1.0)
    mean = np.zeros((n_numbers, 1))
    another = np.concatenate([margins, mean, mean + 1.0])  # one sample more, which is like all
    rows = rng.choice(n_samples, min(n_classes, n_samples), replace=False)
    begun = part.statistics[rows].T
    begun = begun if isinstance(begun, np.ndarray) else begun.toarray()
    sums = _START * begun + (1.0 - _START) * another
    weights: np.ndarray = np.full(len(rows), 1.0 / len(rows))
    scatter: np.ndarray = np.eye(n_numbers) if part.together else np.ones(n_numbers)
    if part.together:
        products = part.numbers.T @ part.numbers * (1.0 + len(rows) / n_samples)
    else:
        products = part.squares.sum(axis=0) + len(rows)
    n_more = part.together * n_numbers * (n_numbers - 1) / 2
    before = -np.inf
    for _ in range(_MAX_ITER):
        coefficients = part.coefficients(sums, scatter)
        logs = (part.statistics @ coefficients + np.log(weights)).T
        shares, evidence = normalized(logs)
        likelihood = float((evidence + part.in_all_classes(scatter)).mean())
        if likelihood - before < _TOL:
            break
        before = likelihood
        weights = np.maximum(shares.mean(axis=1), np.finfo(float).tiny)
        sums = (shares @ part.statistics).T + another
        scatter = part.scatter(sums, products)
    if part is not whole:
        shares, _ = normalized((whole.statistics @ coefficients + np.log(weights)).T)
    return shares.T, likelihood - 0.5 * n_more * np.log(n_samples) / n_samples
