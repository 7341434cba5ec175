"""NumPy's default error state, and the decorator by which public methods run in a context."""

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
