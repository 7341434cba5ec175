"""Parameters of which the default suite takes a few."""

import itertools
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import pytest


def some_slow(values: Iterable[Any], fast: Collection[Any]) -> list[Any]:
    """Return the values of a parameter, slow those that are not among the fast ones.

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
    return [value if value in fast else _slow(value) for value in values]


def _slow(value: Any) -> Any:
    parts = value if isinstance(value, tuple) else (value,)
    return pytest.param(*parts, marks=pytest.mark.slow)


def each_once(*values: Sequence[Any]) -> list[Any]:
    """Return the product of some parameters' values, slow but for combinations that have each once.

    These are as many as the parameter of most values has: the first values of all, the second ones,
    and so on, where those of the others begin again.
    """
    fast = {tuple(k % len(of_one) for of_one in values) for k in range(max(len(v) for v in values))}
    places = itertools.product(*(range(len(of_one)) for of_one in values))
    return [
        pytest.param(
            *(of_one[k] for of_one, k in zip(values, place, strict=True)),
            marks=[] if place in fast else [pytest.mark.slow],
        )
        for place in places
    ]
