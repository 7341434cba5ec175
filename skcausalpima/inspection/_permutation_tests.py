"""Measures of association of outcomes with categories or numbers, and their permutation tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from scipy.special import entr
from scipy.stats import random_table, rankdata
from sklearn.metrics.cluster import contingency_matrix

from .._held_out.units import Units

#: Entries of the tables that are drawn at a time.
MAX_DRAWN = 2**22
#: Statistics that differ by less are equal: tables that mirror each other may round differently.
ROUNDING = 1e-9

#: A statistic, its p-value, and its mean over the permutations.
Tested: TypeAlias = tuple[float, float, float]
NOTHING: Tested = np.nan, 1.0, np.nan


def table_test(table: np.ndarray, measure: str, n_permutations: int, seed: int) -> Tested:
    """Return the statistic of a table of counts, its p-value, and its mean over permutations."""
    if min(table.shape) < 2:
        return NOTHING
    observed = MEASURES[measure](table[None])[0]
    # Sorted, so that renaming outcomes draws the same tables.
    distribution = random_table(*(np.sort(table.sum(axis=axis)) for axis in (1, 0)))
    rng = np.random.RandomState(seed)
    n_batches = min(n_permutations, -(-n_permutations * table.size // MAX_DRAWN))
    drawn = [
        MEASURES[measure](distribution.rvs(size=len(batch), random_state=rng))
        for batch in np.array_split(np.arange(n_permutations), n_batches)
    ]
    return _compared(observed, np.concatenate(drawn))


def exchange_test(
    outcomes: np.ndarray,
    column: np.ndarray,
    measure: str,
    n_permutations: int,
    seed: int,
    units: Units,
) -> Tested:
    """Return the statistic of a node and a column, compared with exchanged groups of samples.

    Each group gets the values of another one, see :meth:`Units.exchanged`. ``column`` has numbers,
    or codes of categories.
    """
    is_number = column.dtype.kind == "f"
    statistic = _eta_squared if is_number else _of_table(measure)
    column = rankdata(column) if is_number else np.unique(column, return_inverse=True)[1]
    if len(np.unique(outcomes)) < 2 or np.ptp(column) == 0:
        return NOTHING
    rng, observed = np.random.RandomState(seed), statistic(outcomes, column)
    drawn = [statistic(outcomes, column[units.exchanged(rng)]) for _ in range(n_permutations)]
    return _compared(observed, np.array(drawn))


def _of_table(measure: str) -> Callable[[np.ndarray, np.ndarray], float]:
    """Return a function of outcomes and categories."""

    def statistic(outcomes: np.ndarray, column: np.ndarray) -> float:
        table = contingency_matrix(outcomes, column)  # exchanged groups may leave one category
        return float(MEASURES[measure](table[None])[0]) if min(table.shape) > 1 else 0.0

    return statistic


def _eta_squared(outcomes: np.ndarray, ranks: np.ndarray) -> float:
    """Return the part of the variance of ranks that lies between outcomes."""
    centred = ranks - ranks.mean()
    sums = np.bincount(outcomes, centred)
    sizes = np.maximum(np.bincount(outcomes), 1)
    total = np.square(centred).sum()
    return float((np.square(sums) / sizes).sum() / total) if total > 0 else 0.0


def numbers_test(
    outcomes: np.ndarray, numbers: np.ndarray, n_permutations: int, seed: int
) -> Tested:
    """Return eta squared of the ranks of numbers, its p-value, and its mean over permutations.

    Parameters
    ----------
    outcomes : ndarray of int of shape (n_samples,)
        Of a node.
    numbers : ndarray of shape (n_samples,)
        Not missing.
    n_permutations : int
        Number of permutations.
    seed : int
        Of their source.
    """
    groups, sizes = np.unique(outcomes, return_inverse=True, return_counts=True)[1:]
    midranks = rankdata(numbers) - (len(numbers) + 1) / 2
    total = np.square(midranks).sum()
    if len(sizes) < 2 or total == 0:
        return NOTHING
    observed = (np.square(np.bincount(groups, midranks)) / sizes).sum() / total
    # Sorted, so that the order of samples and the names of outcomes do not matter.
    midranks, sizes = np.sort(midranks), np.sort(sizes)
    starts, rng = np.cumsum(sizes) - sizes, np.random.RandomState(seed)
    sums = np.array(
        [np.add.reduceat(rng.permutation(midranks), starts) for _ in range(n_permutations)]
    )
    return _compared(observed, (np.square(sums) / sizes).sum(axis=1) / total)


def _compared(observed: float, drawn: np.ndarray) -> Tested:
    """Return a statistic, its p-value, and its mean over the permutations."""
    n_larger = (drawn >= observed - ROUNDING).sum()
    return observed, (1 + n_larger) / (1 + len(drawn)), drawn.mean()


def _cramers_v(tables: np.ndarray) -> np.ndarray:
    """Return Cramér's V of tables of shape (n_tables, n_rows, n_columns)."""
    n_samples = tables[0].sum()
    rows, columns = tables.sum(axis=2, keepdims=True), tables.sum(axis=1, keepdims=True)
    expected = rows * columns / n_samples
    chi2 = ((tables - expected) ** 2 / expected).sum(axis=(1, 2))
    return np.sqrt(chi2 / (n_samples * (min(tables.shape[1:]) - 1)))


def _normalized_mutual_information(tables: np.ndarray) -> np.ndarray:
    """Return the mutual information divided by the mean entropy of rows and columns."""
    joint = tables / tables[0].sum()
    entropies = [entr(joint.sum(axis=axis)).sum(axis=1) for axis in (1, 2)]
    mutual = sum(entropies) - entr(joint).sum(axis=(1, 2))
    return np.maximum(mutual, 0.0) / (sum(entropies) / 2)


MEASURES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "cramers_v": _cramers_v,
    "nmi": _normalized_mutual_information,
}
