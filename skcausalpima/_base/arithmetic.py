"""NumPy's default error state, arrays that are equal, and a decorator that runs in a context."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import ParamSpec, TypeVar, cast

import numpy as np

#: A function or a class.
Item = TypeVar("Item", bound=Callable)
P = ParamSpec("P")
R = TypeVar("R")


def usual_arithmetic() -> np.errstate:
    """Return a context in which NumPy handles under- and overflow as it does by default.

    Probabilities underflow, which is right; under ``numpy.seterr(all="raise")`` it is an error.
    """
    return np.errstate(divide="warn", over="warn", under="ignore", invalid="warn")


def adding_anything() -> np.errstate:
    """Return a context for scikit-learn's checks, which first add up all numbers, inf to -inf."""
    return np.errstate(over="ignore", invalid="ignore")


def working_in(surroundings: Callable[[], AbstractContextManager]) -> Callable[[Item], Item]:
    """Return a decorator: a function, or the public methods of a class, work in a context.

    Methods that a class inherits are left as they are.
    """

    def decorate(item: Item) -> Item:
        if not inspect.isclass(item):
            return cast(Item, _enclosed(item, surroundings))
        for name, member in list(vars(item).items()):
            if name.startswith("_"):
                continue
            if inspect.isfunction(member):
                setattr(item, name, _enclosed(member, surroundings))
            elif isinstance(member, classmethod):
                setattr(item, name, classmethod(_enclosed(member.__func__, surroundings)))
        return item

    return decorate


def _enclosed(
    function: Callable[P, R], surroundings: Callable[[], AbstractContextManager]
) -> Callable[P, R]:
    @functools.wraps(function)
    def inside(*args: P.args, **kwargs: P.kwargs) -> R:
        with surroundings():
            return function(*args, **kwargs)

    return inside


def same_arrays(first: np.ndarray, second: np.ndarray) -> bool:
    """Return whether two arrays are equal in all entries; NaN is the same as NaN.

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima._base.arithmetic import same_arrays
    >>> same_arrays(np.array([1.0, np.nan]), np.array([1.0, np.nan]))
    True
    """
    are_floats = first.dtype.kind in "fc" and second.dtype.kind in "fc"
    return np.array_equal(first, second, equal_nan=are_floats)
