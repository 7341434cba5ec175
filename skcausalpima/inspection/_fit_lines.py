r"""Statistics of what a fit leaves, line by line, for data and replicates alike.

A line has some statistics, each of a column, a pair of columns, a cell or an axis. Standardised
over data and replicates they are :math:`U_j`, and the line is asked by :math:`T = \max_j |U_j|`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
from sklearn.utils.extmath import randomized_svd

from ._residuals import Residuals, centred_in_groups

#: Columns from which on a modality is seen along its leading directions, and how many these are.
#: Arbitrary: all pairs of 64 columns are 2016 correlations.
MOST_COLUMNS, N_DIRECTIONS = 64, 8
#: Axes along which heaps are looked for, and fewest samples of a cell that is asked alone
#: (arbitrary).
N_AXES, LEAST_OF_CELL = 3, 30
#: Variance of a column in a cell, of that in all: what is constant there has a hundredth of the
#: spread (arbitrary), as pixels at the edge have.
LEAST_VARIANCE = 1e-4
#: A part that is cut off has at least this share of the samples: less are outliers (arbitrary).
LEAST_SHARE = 0.05

TAILS, TOGETHER, BETWEEN, CELLS, HEAPS, METADATA = (
    *("tails", "together", "between", "cells", "heaps", "metadata: "),
)


class Statistics(NamedTuple):
    """The statistics of one line.

    Parameters
    ----------
    values : ndarray of shape (n_statistics,)
        What is compared with replicates.
    where : list of str
        What each is of.
    sizes : ndarray of shape (n_statistics,), default=None
        How large what each is of is, where the statistic does not say it.
    """

    values: np.ndarray
    where: list[str]
    sizes: np.ndarray | None = None


class Asked(NamedTuple):
    """How residuals are asked.

    Parameters
    ----------
    modalities : sequence of str
        Names of the modalities.
    columns : sequence of (sequence of str)
        Names of the columns of each.
    cells : sequence of str
        Names of the cells.
    parts : ndarray of int of shape (n_samples,)
        Which fit asked each sample: cells of each are centred for themselves.
    enough : ndarray of int of shape (n_enough,)
        Cells with enough samples.
    metadata : mapping of str to ndarray of shape (n_samples, n_indicators)
        Numbers, or indicators of categories; NaN where missing.
    """

    modalities: Sequence[str]
    columns: Sequence[Sequence[str]]
    cells: Sequence[str]
    parts: np.ndarray
    enough: np.ndarray
    metadata: Mapping[str, np.ndarray]


def statistics(left: Residuals, asked: Asked) -> dict[str, Statistics]:
    """Return the statistics of every line."""
    keys = asked.parts * len(asked.cells) + left.labels
    groups = np.unique(keys, return_inverse=True)[1]
    columns: list[np.ndarray] = []  # of each modality
    by_column: list[np.ndarray] = []
    parts: list[np.ndarray] = []  # of its deviation that each of by_column makes up
    of_cells: list[np.ndarray] = []
    names: list[list[str]] = []
    every: list[str] = []
    for m, of_modality in enumerate(asked.columns):
        present = left.seen[m]
        counts = np.maximum(present.sum(axis=0), 1)
        centred = centred_in_groups(left.own[m], present, groups)
        within = centred_in_groups(left.of_cells[m], present, groups)
        columns.append(_scaled(centred, counts))
        if _is_wide(present):
            scores, part = _directions(centred)
            wide, spread = _directions(within)
            of_cells.append(wide * (spread / max(spread[0], 1e-300)))
        else:
            scores, part = columns[-1], np.ones(len(of_modality))
            of_cells.append(_scaled(within, counts))
        by_column.append(scores)
        parts.append(part)
        directions = [f"direction {k + 1}" for k in range(by_column[-1].shape[1])]
        prefix = f"{asked.modalities[m]}: " if len(asked.modalities) > 1 else ""
        names.append([prefix + name for name in (directions if _is_wide(present) else of_modality)])
        every.append(f"{prefix}all columns")
    lines = {
        TAILS: _joined(map(_tails, columns, left.seen, names, every)),
        TOGETHER: _joined(map(_together, by_column, left.seen, names)),
        BETWEEN: _joined(
            _between(by_column[a] * parts[a], by_column[b] * parts[b], names[a], names[b])
            for a, b in combinations(range(len(by_column)), 2)
        ),
        CELLS: _joined(
            _cells(*of_modality, left.labels, asked)
            for of_modality in zip(columns, left.seen, names, every, strict=True)
        ),
        HEAPS: _heaps(np.hstack(of_cells), left.labels, asked),
    }
    both = np.hstack([*by_column, *of_cells]), [name for part in names for name in part] * 2
    for name, values in asked.metadata.items():
        lines[METADATA + name] = _with_metadata(*both, values, groups)
    return {name: line for name, line in lines.items() if len(line.values)}


def _joined(parts: Iterator[Statistics]) -> Statistics:
    """Return statistics of several modalities, or pairs of these, one after another."""
    values, where = [np.zeros(0)], list[str]()
    for part in parts:
        values.append(part.values)
        where += part.where
    return Statistics(np.concatenate(values), where)


def _scaled(values: np.ndarray, counts: np.ndarray | float) -> np.ndarray:
    """Return columns of variance 1; those that do not vary are 0."""
    spread = np.sqrt(np.einsum("ij,ij->j", values, values) / counts)
    return values / np.where(spread > 0, spread, 1.0)


def _is_wide(present: np.ndarray) -> bool:
    """Return whether a modality is seen along its leading directions alone."""
    return present.shape[1] > MOST_COLUMNS


def _directions(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return scores of leading directions, of variance 1, and parts of the deviation they are."""
    n_directions = min(N_DIRECTIONS, len(values))
    scores, spread, _ = randomized_svd(values, n_directions, n_iter=2, random_state=0)
    return scores * np.sqrt(len(values)), spread / max(np.linalg.norm(values), 1e-300)


def _tails(
    columns: np.ndarray, present: np.ndarray, names: Sequence[str], every: str
) -> Statistics:
    """Return kurtoses of columns, and their mean; of wide modalities the mean alone."""
    squares = columns**2  # fourth powers take five times as long
    kurtosis = (squares * squares).sum(axis=0) / np.maximum(present.sum(axis=0), 1)
    return _and_all(kurtosis, present, [*names, every])


def _and_all(values: np.ndarray, present: np.ndarray, names: Sequence[str]) -> Statistics:
    """Return what each column has, and the mean; of wide modalities the mean alone.

    Their networks are not exact along single directions, which says little of a whole modality:
    so four of seven right fits of curves were alarmed.
    """
    values, first = np.append(values, values.mean()), -1 if _is_wide(present) else 0
    return Statistics(values[first:], list(names[first:]))


def _together(scores: np.ndarray, present: np.ndarray, names: Sequence[str]) -> Statistics:
    """Return correlations within a modality; directions of wide ones have none."""
    if _is_wide(present):
        return Statistics(np.zeros(0), [])
    first, second = np.triu_indices(scores.shape[1], 1)
    both = len(scores) if present.all() else np.maximum(present.T.astype(float) @ present, 1.0)
    matrix = scores.T @ scores / both
    where = [
        f"{names[a]} with {names[b]}" for a, b in zip(first.tolist(), second.tolist(), strict=True)
    ]
    return Statistics(matrix[first, second], where)


def _between(
    one: np.ndarray, other: np.ndarray, names: Sequence[str], others: Sequence[str]
) -> Statistics:
    """Return correlations of two modalities, which have no sign where they are of directions.

    Of a direction it is the root mean square of those of all columns: decoders of few samples err
    along one, which correlates by up to .5 and says nothing of the modality (``curves beside a
    table`` in ``benchmarks/goodness_of_fit.py``).
    """
    matrix = np.abs(one.T @ other / len(one))
    return Statistics(matrix.ravel(), [f"{a} with {b}" for a in names for b in others])


def _cells(
    columns: np.ndarray,
    present: np.ndarray,
    names: Sequence[str],
    every: str,
    labels: np.ndarray,
    asked: Asked,
) -> Statistics:
    """Return logarithms of the spread in each cell, of each column and of all."""
    parts, squares = [], columns**2
    for cell in asked.enough.tolist():
        rows = labels == cell
        means = squares[rows].sum(axis=0) / np.maximum(present[rows].sum(axis=0), 1)
        part = _and_all(means, present, [*names, every])
        where = [f"{name} in {asked.cells[cell]}" for name in part.where]
        parts.append(Statistics(0.5 * np.log(np.maximum(part.values, LEAST_VARIANCE)), where))
    return _joined(iter(parts))


def _heaps(scores: np.ndarray, labels: np.ndarray, asked: Asked) -> Statistics:
    """Return how well one cut explains the leading axes, of all cells and of each."""
    cuts, sizes = _cuts(scores, N_AXES)
    where = [f"axis {k + 1}" for k in range(N_AXES)]
    for cell in asked.enough.tolist():
        of_cell = scores[labels == cell]
        cut, size = _cuts(of_cell - of_cell.mean(axis=0), 1) if len(of_cell) > 2 else ([0.0], [0.0])
        cuts, sizes = np.append(cuts, cut), np.append(sizes, size)
        where.append(f"first axis of {asked.cells[cell]}")
    return Statistics(cuts, where, sizes)


def _cuts(scores: np.ndarray, n_axes: int) -> tuple[np.ndarray, np.ndarray]:
    """Return what share of leading axes one cut explains, and their shares of the variance."""
    values, vectors = np.linalg.eigh(scores.T @ scores)
    order = np.argsort(-values)[:n_axes]
    places, n = np.sort(scores @ vectors[:, order], axis=0), len(scores)
    counts, sums = np.arange(1, n)[:, None], places.cumsum(axis=0)[:-1]
    between = sums**2 * (n / (counts * (n - counts)))
    least = max(1, int(LEAST_SHARE * n))
    cut = between[least - 1 : n - least].max(axis=0) / np.maximum(values[order], 1e-300)
    lacking = n_axes - len(order)
    return np.pad(cut, (0, lacking)), np.pad(
        values[order] / max(values.sum(), 1e-300), (0, lacking)
    )


def _with_metadata(
    scores: np.ndarray, names: Sequence[str], values: np.ndarray, groups: np.ndarray
) -> Statistics:
    """Return correlations of columns with metadata within cells."""
    present = ~np.isnan(values)
    known = _scaled(centred_in_groups(np.where(present, values, 0.0), present, groups), len(values))
    return Statistics((known.T @ scores / len(scores)).ravel(), list(names) * values.shape[1])
