"""Parameters of which the default suite takes a few, the slow tests every third of the others."""

import itertools
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import pytest


def some_slow(values: Iterable[Any], fast: Collection[Any]) -> list[Any]:
    """Return the values of a parameter, slow or long those that are not among the fast ones.

    Parameters
    ----------
    values : iterable
        The values, or, of several parameters, tuples of them, as a list.
    fast : collection
        Which of them the default suite takes.
    """
    values = list(values)
    unknown = [value for value in fast if value not in values]
    assert not unknown, f"{unknown} are no values of this parameter"
    return _marked(values, [value in fast for value in values])


def each_once(*values: Sequence[Any]) -> list[Any]:
    """Return the product of some parameters' values, fast those that have each value once.

    These are as many as the parameter of most values has: the first values of all, the second ones,
    and so on, where those of the others begin again.
    """
    fast = {tuple(k % len(of_one) for of_one in values) for k in range(max(len(v) for v in values))}
    indices = list(itertools.product(*(range(len(of_one)) for of_one in values)))
    return _marked(list(itertools.product(*values)), [index in fast for index in indices])


def _marked(values: Sequence[Any], are_fast: Sequence[bool]) -> list[Any]:
    """Return the values, of those that are not fast in turn one slow and two long."""
    marks = itertools.cycle([pytest.mark.slow, pytest.mark.long, pytest.mark.long])
    return [
        pytest.param(
            *(value if isinstance(value, tuple) else (value,)), marks=[] if is_fast else next(marks)
        )
        for value, is_fast in zip(values, are_fast, strict=True)
    ]
