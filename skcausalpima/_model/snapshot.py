"""Methods read one fit: the whole of it, though another thread may fit the estimator anew."""

from __future__ import annotations

import copy
import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar

Class = TypeVar("Class", bound=type)

#: The public methods that change the estimator.
CHANGING = ("fit", "fit_predict", "partial_fit", "set_params")


def reading_one_fit(cls: Class) -> Class:
    """Let public methods of a class read the attributes of the moment in which they are called.

    What an estimator is asked takes several of them, and ``fit`` exchanges all in one step. Those
    of ``CHANGING`` stay as they are, and so do inherited ones.
    """
    for name, member in list(vars(cls).items()):
        if inspect.isfunction(member) and not name.startswith("_") and name not in CHANGING:
            setattr(cls, name, _on_snapshot(member))
    return cls


def _on_snapshot(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def read(self: Any, *args: Any, **kwargs: Any) -> Any:
        return method(copy.copy(self), *args, **kwargs)

    return read
