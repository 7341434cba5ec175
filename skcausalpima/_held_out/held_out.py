"""Rows in parts, and a fit for each part."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple, Self, TypeVar

import numpy as np
from sklearn.model_selection import BaseCrossValidator, GroupKFold, KFold

from .._base.progress_lines import ProgressLines
from .._base.types import Seed
from .fits import Completed, completed
from .units import Units

R = TypeVar("R")

#: Seeds are numbers below this, as NumPy's and PyTorch's generators take them.
N_SEEDS = 2**31 - 1


class Part(NamedTuple):
    """Rows that a fit sees, and those that are held out.

    Parameters
    ----------
    rows : ndarray of int
        Of the fit; a bootstrap sample has some several times.
    held : ndarray of int
        The others.
    units : Units
        Those of ``rows``.
    seed : int
        Of the fit.
    """

    rows: np.ndarray
    held: np.ndarray
    units: Units
    seed: int


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Parts of some rows; groups of rows stay together.

    Parameters
    ----------
    units : Units
        All rows.
    parts : tuple of Part
        By the plan.

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima._held_out.held_out import HeldOut
    >>> from skcausalpima._held_out.units import Units
    >>> units = Units.of(np.repeat(range(4), 2))
    >>> halves = HeldOut.folds(units, 2, seed=0)
    >>> [part.held for part in halves.parts]
    [array([2, 3, 4, 5]), array([0, 1, 6, 7])]
    >>> halves.fits(lambda part: part.units.n)
    Completed(results={0: 2, 1: 2}, interrupted=False)
    """

    units: Units
    parts: tuple[Part, ...]

    @classmethod
    def folds(cls, units: Units, n_folds: int, seed: int, strata: np.ndarray | None = None) -> Self:
        """Deal units out: each part sees all folds but one, and holds that one out.

        Of two folds these are halves. ``strata`` are as those of :meth:`Units.dealt`.
        """
        rng = np.random.RandomState(seed)
        fold_of = units.dealt(rng, n_folds, strata)
        seeds = rng.randint(N_SEEDS, size=n_folds).tolist()
        splits = (
            (np.flatnonzero(fold_of != k), np.flatnonzero(fold_of == k)) for k in range(n_folds)
        )
        return cls(units, _parts(units, splits, seeds))

    @classmethod
    def splits(
        cls, units: Units, splits: Iterable[tuple[np.ndarray, np.ndarray]], seed: int = 0
    ) -> Self:
        """Take rows of fits, and rows held out, as they are given."""
        pairs = list(splits)
        return cls(units, _parts(units, pairs, [seed] * len(pairs)))

    @classmethod
    def bootstrap(cls, units: Units, seeds: Iterable[int]) -> Self:
        """Draw units with replacement, a part for each seed; those not drawn are held out."""
        parts = []
        for seed in seeds:
            rng = np.random.RandomState(seed)
            of_fit = rng.randint(N_SEEDS)
            rows, of_rows = units.bootstrap(rng)
            held = np.setdiff1d(np.arange(units.n_rows), rows)
            parts.append(Part(rows, held, of_rows, of_fit))
        return cls(units, tuple(parts))

    def fits(
        self,
        fit: Callable[[Part], R],
        n_jobs: int | None = None,
        lines: ProgressLines | None = None,
        things: str = "fits",
    ) -> Completed:
        """Return what a function makes of each part, by its number; see :func:`completed`."""
        calls = [partial(fit, part) for part in self.parts]
        silent = ProgressLines(0, "")
        return completed(calls, n_jobs, silent if lines is None else lines, things=things)


def folds_of(units: Units, n_folds: int, seed: Seed) -> BaseCrossValidator:
    """Return scikit-learn's splitter into random folds that keep units together."""
    kind = KFold if units.are_rows else GroupKFold
    return kind(n_folds, shuffle=True, random_state=seed)


def _parts(
    units: Units, splits: Iterable[tuple[np.ndarray, np.ndarray]], seeds: Iterable[int]
) -> tuple[Part, ...]:
    pairs = zip(splits, seeds, strict=True)
    return tuple(Part(rows, held, units.take(rows), seed) for (rows, held), seed in pairs)
