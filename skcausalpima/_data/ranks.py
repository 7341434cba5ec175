"""Processes that fit one model together, each of them (a rank) on rows of its own."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

import numpy as np

Value = TypeVar("Value")


class Ranks:
    """What a rank asks of all ranks; here there is one, which has all rows.

    All ranks ask the same questions in the same order, and get the same answers, bit by bit.

    Attributes
    ----------
    rank, n_ranks : int
        Which one it is, from 0, and of how many.
    common : torch.Generator or None
        Draws the same on all ranks, for what they draw together; None where each draws for itself.
    call : int
        Which time it is that this process asks the others to begin with it.
    """

    rank, n_ranks, call = 0, 1, 0
    common: Any = None

    @property
    def are_several(self) -> bool:
        """Whether rows are spread over several processes."""
        return self.n_ranks > 1

    def of_all(self, value: Value) -> list[Value]:
        """Return what each rank has."""
        return [value]

    def total(self, value: Value) -> Value:
        """Return the sum over ranks of a tensor, in new memory if there are several."""
        return value

    def sum(self, value: np.ndarray) -> np.ndarray:
        """Return the same of an array, in double precision if there are several."""
        if not self.are_several:
            return value
        return functools.reduce(np.add, self.of_all(np.asarray(value, dtype=np.float64)))

    def largest(self, value: float) -> float:
        """Return the largest of the numbers that ranks have."""
        return max(self.of_all(value))

    def positions(self, n_rows: int) -> np.ndarray:
        """Return the numbers of the rows here among those of all ranks, of which each has some.

        Ranks have them in turn: the first row of each comes first, then the second, and so on.
        """
        numbers = self.of_all(n_rows)
        order, first = _in_turn(numbers), sum(numbers[: self.rank])
        return np.argsort(order)[first : first + n_rows]

    def first(self, value: Value) -> Value:
        """Return what the first rank has."""
        return self.of_all(value)[0]

    def gathered(self, rows: np.ndarray) -> np.ndarray:
        """Return the rows of all ranks, in turn: see :meth:`positions`."""
        if not self.are_several:
            return rows
        parts = self.of_all(rows)
        return np.concatenate(parts)[_in_turn([*map(len, parts)])]

    def mean(self, values: np.ndarray, weights: np.ndarray | None = None) -> float:
        """Return the mean over the rows of all ranks, by weight."""
        weights = np.ones(len(values)) if weights is None else weights.astype(np.float64)
        above, below = self.sum(np.array([weights @ values, weights.sum()])).tolist()
        return above / below

    def agree(self, make_texts: Callable[[], Mapping[str, str]]) -> None:
        """Raise on all ranks where they do not say the same of what each of them has.

        ``make_texts`` returns texts by what they are about; it is not called where there is
        one rank.
        """
        if not self.are_several:
            return
        first, *others = self.of_all(dict(make_texts()))
        for rank, other in enumerate(others, 1):
            differing = [name for name in {**first, **other} if first.get(name) != other.get(name)]
            if differing:
                name = differing[0]
                here, there = _around_difference(str(first.get(name)), str(other.get(name)))
                raise ValueError(
                    "All ranks of the process group must fit the same model, but they differ in "
                    f"{name}: rank 0 has {here}, and rank {rank} has {there}."
                )

    @contextmanager
    def joined(self) -> Iterator[None]:
        """Tell the others at once where this rank leaves a block, in which all fit, by an error."""
        yield

    @contextmanager
    def together(self) -> Iterator[None]:
        """Let an error in a block, which asks nothing of others, end the fit on all ranks."""
        try:
            yield
        except Exception as error:
            with suppress(RuntimeError):  # what this rank has to say is the cause
                self._told(f"{type(error).__name__}: {error}")
            raise
        calls, texts = zip(*self._told(""), strict=True)
        for rank, text in enumerate(texts):
            if text:
                raise ValueError(f"Rank {rank} of the process group cannot begin its fit. {text}")
        if len({*calls}) > 1:
            raise ValueError(
                "Ranks of the process group have begun different fits: an earlier one has ended "
                "on some of them before the others knew. Call fit again, on all ranks."
            )

    def _told(self, text: str) -> list[tuple[int, str]]:
        """Return what each rank says of its beginning; from now on all count calls alike."""
        reports = self.of_all((self.call, text))
        self.count_from(max(call for call, _ in reports))
        return reports

    def count_from(self, call: int) -> None:
        """Let the next call have the next number."""


def _around_difference(one: str, other: str, most: int = 200) -> list[str]:
    """Return two texts, or of long ones what is around the place where they begin to differ."""
    if max(len(one), len(other)) <= most:
        return [one, other]
    pairs = enumerate(zip(one, other, strict=False))
    position = next((k for k, (a, b) in pairs if a != b), min(len(one), len(other)))
    start = max(0, position - most // 2)
    return [f"..{text[start : start + most]}.." for text in (one, other)]


def _in_turn(numbers: Sequence[int]) -> np.ndarray:
    """Return the order in which rows of ranks, one rank after another, take turns."""
    ranks = np.repeat(np.arange(len(numbers)), numbers)
    rows = np.concatenate([np.arange(number) for number in numbers])
    return np.lexsort((ranks, rows))


#: One process, as nearly always.
ALONE = Ranks()
