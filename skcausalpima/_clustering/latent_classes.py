r"""Latent classes of discrete columns, by EM: in a class, columns are independent.

:math:`p(x) = \sum_c w_c \prod_j p_{jc}(x_j)`, with a table of probabilities for each column j and
class c. What is missing of a sample drops out of its product.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp, softmax
from sklearn.utils import check_random_state

from .clusters import Clustering, describe

_MAX_ITER = 200
_TOL = 1e-6  # rise of the mean log-likelihood, in nats, below which EM ends
_START = 0.7  # share of one sample in the tables that a class begins with, beside all samples


@dataclass(frozen=True, kw_only=True, eq=False)
class Outcomes:
    """Discrete columns as one indicator for each outcome.

    Parameters
    ----------
    indicators : ndarray of shape (n_samples, n_outcomes)
        1 where a sample has an outcome; 0 in all of a column where it is missing.
    first : ndarray of int of shape (n_columns,)
        The first outcome of each column.
    """

    indicators: np.ndarray
    first: np.ndarray

    def tables(self, sums: np.ndarray) -> np.ndarray:
        """Return sums of indicators, (n_outcomes, n_classes), as probabilities in columns."""
        totals = np.add.reduceat(sums, self.first, axis=0)
        sizes = np.diff(np.append(self.first, len(sums)))
        return sums / np.repeat(totals, sizes, axis=0)


def latent_classes(
    outcomes: Outcomes,
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
    outcomes : Outcomes
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
    part = outcomes.indicators if rows is None else outcomes.indicators[rows]
    found = [_fitted(outcomes, part, n_classes, rng) for _ in range(n_starts)]
    found.sort(key=lambda fit: -fit[1])
    source = f"latent classes of {len(outcomes.first)} columns"
    merged = np.arange(n_classes)
    return [describe(shares, points, merged, source) for shares, _ in found]


def _fitted(
    outcomes: Outcomes, indicators: np.ndarray, n_classes: int, rng: np.random.RandomState
) -> tuple[np.ndarray, float]:
    """Fit classes to some samples; return all samples' responsibilities, and the likelihood."""
    margins = outcomes.tables(indicators.sum(axis=0)[:, None] + 1.0)
    rows = rng.choice(len(indicators), min(n_classes, len(indicators)), replace=False)
    tables = _START * indicators[rows].T + (1.0 - _START) * margins
    tables, weights = outcomes.tables(tables), np.full(len(rows), 1.0 / len(rows))
    before = -np.inf
    for _ in range(_MAX_ITER):
        logs = indicators @ np.log(tables) + np.log(weights)
        evidence = logsumexp(logs, axis=1)
        shares = np.exp(logs - evidence[:, None])
        if evidence.mean() - before < _TOL:
            break
        before = evidence.mean()
        weights = np.maximum(shares.mean(axis=0), np.finfo(float).tiny)
        tables = outcomes.tables(indicators.T @ shares + margins)  # as if one sample more
    if indicators is not outcomes.indicators:
        logs = outcomes.indicators @ np.log(tables) + np.log(weights)
        shares = softmax(logs, axis=1)
    return shares, float(evidence.mean())
