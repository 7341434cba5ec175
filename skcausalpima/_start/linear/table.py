"""A table in the units of its columns, whose rows are grouped by what they lack."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

#: [variance of a column] Smallest noise: a column that others explain in full is no point mass.
#: Evidence: the yardstick's; 1e-4 and 1e-2 change no labels of ten tables.
FLOOR = 1e-3


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows in units of columns.

    Parameters
    ----------
    filled : ndarray of shape (n_rows, n_columns)
        Values; 0 where one is missing.
    masks : ndarray of bool of shape (n_patterns, n_columns)
        What rows of a pattern have.
    which : ndarray of int of shape (n_rows,)
        The pattern of each row.
    """

    filled: np.ndarray
    masks: np.ndarray
    which: np.ndarray

    @property
    def is_whole(self) -> bool:
        """Whether no value is missing."""
        return len(self.masks) == 1 and bool(self.masks.all())

    @property
    def observed(self) -> np.ndarray:
        """What rows have, (n_rows, n_columns)."""
        return self.masks[self.which]

    def n_values(self) -> np.ndarray:
        """Return how many values each column has, (n_columns,)."""
        counts: np.ndarray = np.bincount(self.which, minlength=len(self.masks)) @ self.masks
        return counts

    def take(self, rows: np.ndarray) -> Table:
        """Return some of the rows."""
        kept, which = np.unique(self.which[rows], return_inverse=True)
        return Table(filled=self.filled[rows], masks=self.masks[kept], which=which)


@dataclass(frozen=True, kw_only=True)
class Units:
    """The units of columns.

    Parameters
    ----------
    largest, centre, spread : ndarray of shape (n_columns,)
        Values are divided by the largest one, whose squares are finite; the centre is taken from
        them; what is left is divided by the spread.
    least : ndarray of shape (n_columns,)
        Smallest noise variance: that of rounding, step ** 2 / 12, or ``FLOOR``.
    """

    largest: np.ndarray
    centre: np.ndarray
    spread: np.ndarray
    least: np.ndarray

    @classmethod
    def of(cls, X: np.ndarray) -> Units:
        """Find the units of an array of shape (n_rows, n_columns), NaN where a value is missing."""
        observed = ~np.isnan(X)
        counts = np.maximum(observed.sum(axis=0), 1)
        largest = np.where(observed, np.abs(X), 0.0).max(axis=0, initial=0.0)
        largest = np.where(largest > 0.0, largest, 1.0)
        scaled = np.where(observed, X / largest, 0.0)
        centre = scaled.sum(axis=0) / counts
        left = np.where(observed, scaled - centre, 0.0)
        spread = np.sqrt(np.square(left).sum(axis=0) / counts)
        spread = np.where(spread > 1e-12, spread, 1.0)
        steps = [_step(column[there]) for column, there in zip(scaled.T, observed.T, strict=True)]
        least = np.maximum(np.square(steps / spread) / 12.0, FLOOR)
        return cls(largest=largest, centre=centre, spread=spread, least=np.minimum(least, 0.5))

    def table(self, X: np.ndarray) -> Table:
        """Return rows in these units."""
        observed = ~np.isnan(X)
        filled = np.where(observed, (X / self.largest - self.centre) / self.spread, 0.0)
        if observed.all():
            which = np.zeros(len(X), dtype=np.int64)
            return Table(filled=filled, masks=np.ones((1, X.shape[1]), dtype=bool), which=which)
        packed = np.packbits(observed, axis=1)
        _, first, which = np.unique(packed, axis=0, return_index=True, return_inverse=True)
        return Table(filled=filled, masks=observed[first], which=which.ravel())

    def log_volumes(self, table: Table) -> np.ndarray:
        """Return what log-densities lose in the units of the data, (n_rows,)."""
        logs = np.log(self.largest) + np.log(self.spread)
        volumes: np.ndarray = (table.masks @ logs)[table.which]
        return volumes

    def values(self, filled: np.ndarray) -> np.ndarray:
        """Return values in the units of the data."""
        return (filled * self.spread + self.centre) * self.largest


def _step(column: np.ndarray) -> float:
    """Return the smallest difference of two values of a column; 0 of a constant one."""
    differences = np.diff(np.unique(column))
    differences = differences[differences > 1e-12]  # what is left of rounding errors
    return float(differences.min()) if len(differences) else 0.0
