"""Nodes that are one value of one column, and columns that hold zeros and ones alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .._data.arrays import flat_rows
from .._data.column_kinds import slices_of
from .._data.on_disk import OnDisk
from .._data.units import column_labels
from .._data.validation import Modalities
from .._held_out.matching import rand_indices

#: [adjusted Rand index; share of the variance of a column] A node is one value of one column if its
#: outcomes agree so far with whether the column has that value, and if no other column varies with
#: it by so much. Evidence: 119 of 120 fits to independent columns with a value that is repeated
#: (0, -1.5, 7 or 9, in .2 to .6 of 100 to 1000 rows); 0 of 60 fits to tables in which other columns
#: show the node, too; of 168 fits to 28 plain tables those of one (birthwt, 0/1 columns).
AGREE, SHOWN = 0.8, 0.1

#: Rows, and columns of a modality, that are looked at (arbitrary).
MOST_ROWS, MOST_COLUMNS = 2000, 2000


def one_values(
    modalities: Modalities, outcomes: np.ndarray, names: Sequence[str]
) -> dict[str, str]:
    """Return in words, by node, the value of a column that alone gives its outcomes.

    Words, booleans, counts and images are stated or shown otherwise, and not looked at.

    Parameters
    ----------
    modalities : Modalities
        Samples; nothing is looked for in data on disk.
    outcomes : ndarray of int of shape (n_samples, n_nodes)
        Of the nodes.
    names : sequence of str
        The nodes.
    """
    if modalities.ranks.are_several or any(_is_elsewhere(array) for array in modalities.arrays):
        return {}
    rows = np.arange(min(modalities.n_samples, MOST_ROWS))
    some, outcomes = modalities.take(rows), outcomes[rows]
    tables = [_filled(some, m) for m in range(len(some.arrays))]
    gaps = [flat_rows(some.missing_elements(m)) for m in range(len(some.arrays))]
    found = {}
    for node, labels in zip(names, outcomes.T, strict=True):
        if len(np.unique(labels)) == 1:
            continue
        shown = [_explained(table, labels) for table in tables]
        for m, table in enumerate(tables):
            for column in _numbers(some, m):
                value, is_value = _commonest(table[:, column], ~gaps[m][:, column])
                if rand_indices([is_value.astype(int), labels])[0, 1] < AGREE:
                    continue
                others = [np.delete(s, column) if k == m else s for k, s in enumerate(shown)]
                if np.concatenate(others).max(initial=0.0) < SHOWN:
                    (label,) = column_labels(some, m, np.array([column]))
                    of = f" of {some.names[m]!r}" if len(tables) > 1 else ""
                    found[node] = f"whether column {label!r}{of} is {value:g}"
    return found


def zeros_and_ones(modalities: Modalities, m: int) -> list[str]:
    """Return the columns of a table that hold 0 and 1 alone, but for blocks of one-hot columns."""
    if _is_elsewhere(modalities.arrays[m]):
        return []
    table = _filled(modalities, m)
    columns = [j for j in _numbers(modalities, m) if set(np.unique(table[:, j])) == {0.0, 1.0}]
    kept: list[int] = []
    while columns:
        if size := _one_hot(table, columns):
            del columns[:size]
        else:
            kept.append(columns.pop(0))
    return column_labels(modalities, m, np.array(kept, dtype=int))


def _one_hot(table: np.ndarray, columns: Sequence[int]) -> int:
    """Return how many of the first columns have one 1 in each row together; 0 where none have."""
    total = np.zeros(len(table))
    for size, column in enumerate(columns, 1):
        total += table[:, column]
        if (total == 1.0).all():
            return size
        if (total > 1.0).any():  # further ones only add
            break
    return 0


def _is_elsewhere(array: np.ndarray | OnDisk | None) -> bool:
    return array is None or isinstance(array, OnDisk)


def _numbers(modalities: Modalities, m: int) -> list[int]:
    """Return the elements of a table that are measurements."""
    coding = modalities.columns[m]
    if len(modalities.shapes[m]) != 1 or modalities.widths[m] > MOST_COLUMNS:
        return []
    if coding is None:
        return list(range(modalities.widths[m]))
    pairs = zip(coding.columns, slices_of(coding.layout), strict=False)
    return [part.start for column, part in pairs if column.word == "gaussian"]


def _filled(modalities: Modalities, m: int) -> np.ndarray:
    """Return the elements of samples; what is missing is the mean."""
    table = np.array(flat_rows(np.asarray(modalities.arrays[m], dtype=np.float64)))
    missing = flat_rows(modalities.missing_elements(m))
    if missing.any():
        counts = np.maximum((~missing).sum(axis=0), 1)
        means = np.where(missing, 0.0, table).sum(axis=0) / counts
        table = np.where(missing, means, table)
    return table


def _commonest(column: np.ndarray, is_there: np.ndarray) -> tuple[float, np.ndarray]:
    """Return the commonest value of what is there of a column, and which rows have it."""
    values, counts = np.unique(column[is_there], return_counts=True)
    if not len(values):
        return np.nan, is_there
    commonest = float(values[counts.argmax()])
    return commonest, is_there & (column == commonest)


def _explained(table: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return which share of the variance of each column lies between labels."""
    largest = np.abs(table).max(axis=0)
    scaled = table / np.where(largest > 0, largest, 1.0)  # whose squares are finite
    centred = scaled - scaled.mean(axis=0)
    one_hot = np.eye(labels.max() + 1)[labels]
    sums, counts = one_hot.T @ centred, np.maximum(one_hot.sum(axis=0), 1.0)
    between = (np.square(sums) / counts[:, None]).sum(axis=0)
    total = np.square(centred).sum(axis=0)
    return np.divide(between, total, out=np.zeros_like(total), where=total > 0)
