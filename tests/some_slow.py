"""Parameters of which the default suite takes a few."""

from collections.abc import Collection, Iterable
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
