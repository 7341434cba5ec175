"""Processes that fit one model together, each of them (a rank) on rows of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TypeVar

import numpy as np

Value = TypeVar("Value")


class Ranks:
    """What a rank asks of all ranks; here there is one, which has all rows.

    All ranks ask the same questions in the same order, and get the same answers.

    Attributes
    ----------
    rank, n_ranks : int
        Which one it is, from 0, and of how many.
    """

    rank, n_ranks = 0, 1

    @property
    def are_several(self) -> bool:
        """Whether rows are spread over several processes."""
        return self.n_ranks > 1

    def total(self, value: Value) -> Value:
        """Return the sum over ranks of a tensor of one shape, in new memory where there are some.

        Sums of the same numbers are equal bit by bit on all ranks.
        """
        return value

    def sum(self, value: np.ndarray) -> np.ndarray:
        """Return the same of an array, in double precision where there are several ranks."""
        return value

    def largest(self, value: float) -> float:
        """Return the largest of the numbers that ranks have."""
        return value

    def gathered(self, rows: np.ndarray) -> np.ndarray:
        """Return the rows of all ranks, one rank after another."""
        return rows

    def before(self, number: int) -> int:
        """Return the sum of the numbers that lower ranks have."""
        return 0

    def first(self, value: Value) -> Value:
        """Return what the first rank has."""
        return value

    def mean(self, values: np.ndarray, weights: np.ndarray | None = None) -> float:
        """Return the mean over the rows of all ranks, by weight."""
        if not self.are_several:
            return float(np.average(values, weights=weights))
        weights = np.ones(len(values)) if weights is None else weights.astype(np.float64)
        above, below = self.sum(np.array([weights @ values, weights.sum()])).tolist()
        return above / below

    def agree(self, told: Callable[[], Mapping[str, str]]) -> None:
        """Raise on all ranks where they do not say the same of what each of them has.

        ``told`` returns texts by what they are about; it is not asked where there is one rank.
        """

    @contextmanager
    def together(self) -> Iterator[None]:
        """Let an error in a block, which asks nothing of others, end the fit on all ranks."""
        yield


#: One process, as nearly always.
ALONE = Ranks()
