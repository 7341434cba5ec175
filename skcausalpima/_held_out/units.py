"""Independent units: rows, and the groups of rows that belong together."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np


@dataclass(frozen=True, eq=False)
class Units:
    """Rows by the independent units that they belong to.

    Parameters
    ----------
    n_rows : int
        Number of rows.
    codes : ndarray of int of shape (n_rows,), default=None
        Number of each row's group, from 0 without gaps; None where each row is a unit of its own.

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima._held_out.units import Units
    >>> units = Units.of(np.array([7, 7, 3, 3, 3]))
    >>> units.n, units.sizes, units.weights()
    (2, array([3, 2]), array([0.5       , 0.5       , 0.33333333, 0.33333333, 0.33333333]))
    >>> units.bootstrap(np.random.RandomState(0))[0]  # group 0, then group 1: all of their rows
    array([2, 3, 4, 0, 1])
    """

    n_rows: int
    codes: np.ndarray | None = None

    @classmethod
    def of(cls, groups: np.ndarray | None, n_rows: int | None = None) -> Self:
        """Return the units of some rows, by the numbers of their groups, if they have any."""
        if groups is None:
            assert n_rows is not None, "rows without groups are counted"
            return cls(n_rows)
        units, codes = np.unique(groups, return_inverse=True)
        n_rows = len(codes)
        return cls(n_rows, None if len(units) == n_rows else codes)  # groups of one row are rows

    @property
    def are_rows(self) -> bool:
        """Whether each row is a unit of its own."""
        return self.codes is None

    @property
    def fit_params(self) -> dict[str, np.ndarray]:
        """What ``fit`` is given beside these rows."""
        return {} if self.codes is None else {"groups": self.codes}

    @cached_property
    def numbers(self) -> np.ndarray:
        """Number of each row's unit, (n_rows,)."""
        return np.arange(self.n_rows) if self.codes is None else self.codes

    @cached_property
    def sizes(self) -> np.ndarray:
        """Number of rows of each unit, (n_units,)."""
        return np.bincount(self.numbers, minlength=0)

    @property
    def n(self) -> int:
        """Number of units."""
        return self.n_rows if self.codes is None else len(self.sizes)

    def weights(self, weights: np.ndarray | None = None) -> np.ndarray:
        """Return for how many samples each row counts, (n_rows,): those of a group for one.

        ``weights`` of shape (n_rows,) say so of rows, and which share of its group each is; all
        count alike by default.
        """
        rows = np.ones(self.n_rows) if weights is None else weights
        if self.codes is None:
            return rows
        totals = self.sums(rows)[self.codes]
        return np.divide(rows, totals, out=np.zeros_like(rows), where=totals > 0)

    @cached_property
    def _order(self) -> np.ndarray:
        """Rows by unit, in their order within each."""
        return np.argsort(self.numbers, kind="stable")

    @cached_property
    def firsts(self) -> np.ndarray:
        """The first row of each unit, (n_units,)."""
        return self._order[np.cumsum(self.sizes) - self.sizes]

    def rows_of(self, units: np.ndarray) -> np.ndarray:
        """Return the rows of some units, unit after unit, as often as they are given."""
        if self.codes is None:
            return units
        starts = np.cumsum(self.sizes) - self.sizes
        sizes = self.sizes[units]
        within = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        return self._order[np.repeat(starts[units], sizes) + within]

    def take(self, rows: np.ndarray) -> Units:
        """Return the units of some of the rows."""
        return Units.of(None if self.codes is None else self.codes[rows], len(rows))

    def sums(self, values: np.ndarray) -> np.ndarray:
        """Return the sums of rows by unit, (n_units, ..)."""
        if self.codes is None:
            return values
        return np.add.reduceat(values[self._order], np.cumsum(self.sizes) - self.sizes, axis=0)

    def means(self, values: np.ndarray) -> np.ndarray:
        """Return the means of rows by unit, (n_units, ..)."""
        sizes = self.sizes.reshape(-1, *(1,) * (values.ndim - 1))
        return values if self.codes is None else self.sums(values) / sizes

    def intraclass(self, values: np.ndarray) -> np.ndarray:
        r"""Return the share of the variance of each column that lies between units, (n_columns,).

        By the variances between (b) and within (w) units of :math:`n_0` rows on average,
        :math:`(b - w) / (b + (n_0 - 1) w)` [1]_, in [0, 1]; 1 where all units are single rows.

        .. [1] R. A. Fisher, "Statistical Methods for Research Workers", 1925, Section 39.
        """
        n_free = self.n_rows - self.n
        if n_free == 0 or self.n < 2:
            return np.ones(values.shape[1])
        means = self.means(values)
        within = np.square(values - means[self.numbers]).sum(axis=0) / n_free
        about_mean = np.square(means - values.mean(axis=0))
        between = (self.sizes[:, None] * about_mean).sum(axis=0) / (self.n - 1)
        n_0 = (self.n_rows - np.square(self.sizes).sum() / self.n_rows) / (self.n - 1)
        scale = between + (n_0 - 1.0) * within
        shares = np.divide(between - within, scale, out=np.zeros_like(scale), where=scale > 0)
        return np.clip(shares, 0.0, 1.0)

    # Draws: of single rows they are those that NumPy makes of numbers of rows ----------------

    def bootstrap(self, rng: np.random.RandomState) -> tuple[np.ndarray, Units]:
        """Draw as many units with replacement: their rows, and each draw as a unit of its own."""
        drawn = rng.randint(self.n, size=self.n)
        if self.codes is None:
            return drawn, Units(self.n)
        return self.rows_of(drawn), Units.of(np.repeat(np.arange(self.n), self.sizes[drawn]))

    def some(self, rng: np.random.RandomState, share: float) -> np.ndarray:
        """Draw a share of the units without replacement, at least one: their rows."""
        return self.rows_of(rng.permutation(self.n)[: max(1, int(share * self.n))])

    def counts(self, rng: np.random.RandomState, weights: np.ndarray) -> np.ndarray:
        """Draw as many units with replacement, by their weight: how often each row is drawn.

        ``weights`` of shape (n_rows,) are those that :meth:`weights` returns.
        """
        of_units = self.sums(weights)
        return rng.multinomial(self.n, of_units / of_units.sum())[self.numbers]

    def dealt(
        self, rng: np.random.RandomState, n_parts: int, strata: np.ndarray | None = None
    ) -> np.ndarray:
        """Deal units out in random order, each to the part that has fewest rows so far, (n_rows,).

        ``strata`` of shape (n_strata, n_rows) are labels that all parts are to have, as far as
        there are units.
        """
        order = rng.permutation(self.n)
        if strata is not None and len(strata):
            order = order[np.lexsort(strata[:, self.firsts[order]])]
        if self.codes is None or np.ptp(self.sizes) == 0:
            parts = np.empty(self.n, dtype=np.int64)
            parts[order] = np.arange(self.n) % n_parts
            return parts[self.numbers]
        parts, filled = np.empty(self.n, dtype=np.int64), np.zeros(n_parts)
        for unit in order:
            parts[unit] = filled.argmin()
            filled[parts[unit]] += self.sizes[unit]
        return parts[self.numbers]

    def exchanged(self, rng: np.random.RandomState) -> np.ndarray:
        """Exchange units: the row whose value each row gets, (n_rows,).

        A group gets the values of another one in random order, again from the first where that has
        fewer. Where all have as many rows, every value comes once.
        """
        other = rng.permutation(self.n)
        if self.codes is None:
            return other
        starts, sizes = np.cumsum(self.sizes) - self.sizes, self.sizes
        ties = rng.random_sample(self.n_rows)
        shuffled = np.lexsort([ties, self.numbers])  # by unit, in random order within each
        within = np.empty(self.n_rows, dtype=np.int64)
        within[self._order] = np.arange(self.n_rows) - np.repeat(starts, sizes)
        donors = other[self.numbers]
        return shuffled[starts[donors] + within % sizes[donors]]

    def drawn_alike(self, rng: np.random.RandomState, values: np.ndarray) -> np.ndarray:
        """Draw standard normal columns whose rows are as alike within units as those of values."""
        if (self.sizes == 1).all():
            return rng.normal(size=values.shape)
        alike = self.intraclass(values)
        of_units = rng.normal(size=(self.n, values.shape[1]))[self.numbers]
        return np.sqrt(alike) * of_units + np.sqrt(1.0 - alike) * rng.normal(size=values.shape)

    def one_of_each(self, rng: np.random.RandomState) -> np.ndarray:
        """Draw one row of each unit, in rising order; all of them where rows are units."""
        if self.codes is None:
            return np.arange(self.n_rows)
        order = rng.permutation(self.n_rows)
        return np.sort(order[np.unique(self.codes[order], return_index=True)[1]])
