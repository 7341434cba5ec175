"""Cells by the linear case, those by a contest of clusterings, and which of them are taken."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from sklearn.metrics import adjusted_rand_score

from .._clustering.candidates import CandidateReport, choose_candidate
from .._clustering.clusters import Clustering, Rule, describe
from .._held_out.held_out import HeldOut
from .._held_out.units import Units
from .._start.linear import Budget, Maximum, linear_maximum
from .._start.linear.shapes import placed
from ._principal_scores import BLOCK_ROWS, PrincipalAxes

#: Cells and columns that the linear case is found for, as it takes minutes of more, and rows of
#: each cell that it needs to be a rival (arbitrary).
MOST_CELLS, MOST_COLUMNS, ROWS_PER_CELL = 32, 128, 8

#: [adjusted Rand index] Cells that agree so far are the same, and nothing is left to decide
#: (arbitrary).
SAME = 0.98

#: Skewness and excess kurtosis within kinds, of the median column, and the share of rows that
#: repeat a value of it, up to which kinds are believed. Evidence: of 28 real tables, two seeds, the
#: adjusted Rand index rises by .036 in the mean (all taken: falls by .002), by .031-.036 with a
#: skewness of .6 to .8; bent moons have a kurtosis of -1, columns of few values repeat .95.
MOST_SKEWNESS, MOST_KURTOSIS, MOST_TIES = 0.65, 0.5, 0.9

#: Rows of a kind whose moments count (arbitrary).
LEAST_ROWS = 10

#: Of halves, which need not be looked at as closely (arbitrary).
FEW = Budget(n_starts=2, n_long=50, tol=1e-4)


class Cells(Protocol):
    """To which cells rows belong."""

    def responsibilities(self, X: np.ndarray) -> np.ndarray:
        """Return probabilities of cells, (n_rows, n_cells)."""


def is_small(n_cells: int, n_columns: int) -> bool:
    """Return whether the linear case is found."""
    return n_cells <= MOST_CELLS and n_columns <= MOST_COLUMNS


@dataclass(frozen=True, kw_only=True)
class ContestCells:
    """Cells of principal scores by a rule; ``cells`` is that of each cluster."""

    axes: PrincipalAxes
    rule: Rule
    cells: np.ndarray
    n_cells: int

    def responsibilities(self, X: np.ndarray) -> np.ndarray:
        """Return probabilities of cells, (n_rows, n_cells)."""
        scores = self.axes.scores(X)
        return self.rule.responsibilities(scores) @ np.eye(self.n_cells)[self.cells]


@dataclass(frozen=True, kw_only=True)
class LinearCells:
    """Cells of the linear case; ``cells`` is that of each kind."""

    maximum: Maximum
    cells: np.ndarray
    n_cells: int

    def responsibilities(self, X: np.ndarray) -> np.ndarray:
        """Return probabilities of cells, (n_rows, n_cells)."""
        return self.maximum.predict_proba(X) @ np.eye(self.n_cells)[self.cells]


def labels_of(cells: Cells, X: np.ndarray) -> np.ndarray:
    """Return the likeliest cell of each row, some rows at a time."""
    parts = [X[start : start + BLOCK_ROWS] for start in range(0, len(X), BLOCK_ROWS)]
    return np.concatenate([cells.responsibilities(part).argmax(axis=1) for part in parts])


@dataclass(frozen=True, kw_only=True)
class LinearFound:
    """What the linear case says of rows.

    Parameters
    ----------
    cells : LinearCells
        The kinds, laid on the grid.
    scaled, placed : ndarray of shape (n_rows, n_features)
        Latent points, and where effects of nodes add up.
    report : CandidateReport
        How kinds were laid on the grid, of which there is one candidate.
    agreement : float
        Mean adjusted Rand index of what halves of the rows show with what all show.
    """

    cells: LinearCells
    scaled: np.ndarray
    placed: np.ndarray
    report: CandidateReport
    agreement: float


def laid(maximum: Maximum, X: np.ndarray, sizes: tuple[int, ...], seed: int) -> LinearFound:
    """Lay the kinds of a linear maximum of X on the grid, and find them again in halves."""
    points, shares = maximum.points(X), maximum.predict_proba(X)
    found: Clustering = describe(shares, points, "mixture of the linear case")
    where = placed(maximum.model, points, found.labels)
    _, report = choose_candidate([found], where, sizes, random_state=0)
    cells = LinearCells(
        maximum=maximum, cells=report.arrangements[0].cells, n_cells=math.prod(sizes)
    )
    agreement = found_again(maximum, X, seed)
    return LinearFound(cells=cells, scaled=points, placed=where, report=report, agreement=agreement)


def found_again(maximum: Maximum, X: np.ndarray, seed: int) -> float:
    """Return the mean adjusted Rand index of kinds with those that halves of the rows show."""
    n_kinds, indices = len(maximum.model.weights), []
    for part in HeldOut.folds(Units.of(None, len(X)), 2, seed).parts:
        half = linear_maximum(X[part.rows], n_kinds, seed=seed, budget=FEW, like=maximum)
        again = half.predict_proba(X).argmax(axis=1)
        indices.append(adjusted_rand_score(maximum.labels, again))
    return float(np.mean(indices))


def are_believed(maximum: Maximum, X: np.ndarray, labels: np.ndarray) -> bool:
    """Return whether kinds of a maximum are taken in the place of the cells of a contest.

    They are where they are other ones, and rows within kinds look as the model draws them:
    continuous, neither skewed nor with heavy tails nor bent. Otherwise kinds may be what the shape
    of one cell asks for. Neither a gain in nats nor what halves find again says it as well: both
    take half of a bent cell for a cell.

    Parameters
    ----------
    maximum : Maximum
        The kinds.
    X : ndarray of shape (n_rows, n_columns)
        Whole rows.
    labels : ndarray of int of shape (n_rows,)
        Cells of the contest.
    """
    n_kinds = len(maximum.model.weights)
    if len(X) < ROWS_PER_CELL * n_kinds or adjusted_rand_score(labels, maximum.labels) >= SAME:
        return False
    ties = [1.0 - len(np.unique(column)) / len(column) for column in X.T]
    if np.median(ties) > MOST_TIES:
        return False
    kinds = [X[maximum.labels == kind] for kind in range(n_kinds)]
    kinds = [rows for rows in kinds if len(rows) > LEAST_ROWS]
    if not kinds:
        return False
    figures = np.array([_skewness_and_kurtosis(rows) for rows in kinds])
    skewness, kurtosis = np.average(figures, axis=0, weights=[len(rows) for rows in kinds])
    return bool(skewness <= MOST_SKEWNESS and abs(kurtosis) <= MOST_KURTOSIS)


def _skewness_and_kurtosis(rows: np.ndarray) -> tuple[float, float]:
    """Return the median over columns of the size of the skewness, and of the excess kurtosis."""
    left = rows - rows.mean(axis=0)
    spread = left.std(axis=0)
    varies = spread > 1e-9 * (np.abs(rows).max() or 1.0)
    if not varies.any():
        return 0.0, 0.0
    unit = left[:, varies] / spread[varies]
    skewness = np.abs((unit**3).mean(axis=0))
    return float(np.median(skewness)), float(np.median((unit**4).mean(axis=0) - 3.0))


def how_many(X: np.ndarray, seed: int, most: int = 20) -> tuple[Maximum, dict[int, float]]:
    """Return the maximum of the number of kinds with the best score, and the scores by number.

    One kind is a candidate. Numbers rise until two in a row are no better.
    """
    best, scores = linear_maximum(X, 1, seed=seed), dict[int, float]()
    scores[1] = best.score
    for n_kinds in range(2, min(most, len(X) // 2) + 1):
        found = linear_maximum(X, n_kinds, seed=seed)
        scores[n_kinds] = found.score
        if found.score > best.score:
            best = found
        elif n_kinds - len(best.model.weights) >= 2:
            break
    return best, scores
