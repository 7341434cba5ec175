"""What counts as a fault: a value that is not finite, an error that is not documented."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import is_dataclass
from typing import Any, NamedTuple

import networkx as nx
import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted

from skcausalpima import CausalPIMA

#: What every public callable may raise, with a message.
DOCUMENTED = (ValueError, TypeError, FileNotFoundError, ImportError)
#: How messages of Python and NumPy begin, where ours would say what was expected: counted for
#: information, as "blunt".
BLUNT = re.compile(
    r"'\w+' object|object of type|unhashable|unsupported operand|bad operand|'.+' not supported"
    r"|could not|The truth value|setting an array|must be real|int\(\)|float\(\)|cannot unpack"
)
FITTED_NUMBERS = (
    *("lower_bound_", "weights_", "joint_", "cpts_", "cluster_means_", "cluster_covariances_"),
    *("edge_weights_", "edge_probabilities_", "node_scores_", "history_", "labels_"),
)


class SilentError(Exception):
    """A result that is wrong without a word."""


class Case(NamedTuple):
    """One attack: a text to make it again, what to do, and what it may raise besides."""

    label: str
    run: Callable[[], Any]
    allowed: tuple[type[BaseException], ...] = ()


def judged(case: Case) -> tuple[str, str]:
    """Run a case; return its outcome and a text about it."""
    try:
        case.run()
    except SilentError as fault:
        return "silent", str(fault)
    except (*DOCUMENTED, *case.allowed) as error:
        if not str(error).strip() and not isinstance(error, case.allowed):
            return "undocumented", f"{type(error).__name__} without a message"
        blunt = type(error) in (ValueError, TypeError) and BLUNT.match(str(error))
        return ("blunt" if blunt else "error"), " ".join(
            f"{type(error).__name__}: {error}".split()
        )[:300]
    except BaseException as error:
        return "undocumented", " ".join(f"{type(error).__name__}: {error}".split())[:300]
    return "result", ""


def not_finite(value: Any, where: str = "result") -> str | None:
    """Return where a value holds a number that is not finite, if anywhere."""
    if isinstance(value, CausalPIMA):
        return _unsound(value)
    if isinstance(value, (float, np.floating, np.ndarray)) or torch.is_tensor(value):
        return where if _has_bad_number(value) else None
    if is_dataclass(value) and not isinstance(value, type):
        value = vars(value)
    if hasattr(value, "arrays"):
        value = list(value.arrays)
    if hasattr(value, "iloc"):
        value = np.asarray(value)
        return not_finite(value, where)
    if isinstance(value, Mapping):
        parts = list(value.items())
    elif isinstance(value, (list, tuple)):
        parts = list(enumerate(value))
    else:
        return None
    found = (not_finite(part, f"{where}[{key!r}]") for key, part in parts)
    return next((where for where in found if where), None)


def _has_bad_number(value: Any) -> bool:
    if torch.is_tensor(value):
        value = value.detach()
        return value.is_floating_point() and not value.is_meta and not bool(value.isfinite().all())
    array = np.asarray(value)
    return array.dtype.kind in "fc" and not bool(np.isfinite(array).all())


def _unsound(model: CausalPIMA) -> str | None:
    """Return which attribute of a fitted estimator is not finite, if any."""
    check_is_fitted(model)
    parts = {name: getattr(model, name) for name in FITTED_NUMBERS}
    parts["numbers"] = model._fitted.numbers
    return not_finite({k: v for k, v in parts.items() if v is not None}, "attributes")


def require_finite(value: Any) -> Any:
    """Raise `SilentError` where a value is not finite."""
    where = not_finite(value)
    if where is not None:
        raise SilentError(f"{where} is not finite")
    return value


def same(first: Any, second: Any) -> bool:
    """Say whether two values hold the same bits."""
    if first is second:
        return True
    if isinstance(first, np.ndarray) and isinstance(second, np.ndarray):
        numbers = first.dtype.kind in "fc" and second.dtype.kind in "fc"
        return first.dtype == second.dtype and np.array_equal(first, second, equal_nan=numbers)
    if type(first) is not type(second):
        return False
    if isinstance(first, Mapping):
        return list(first) == list(second) and all(same(first[k], second[k]) for k in first)
    if isinstance(first, (list, tuple)):
        return len(first) == len(second) and all(map(same, first, second))
    if isinstance(first, np.random.RandomState):
        return same(first.get_state(legacy=False), second.get_state(legacy=False))
    if isinstance(first, nx.Graph):
        return nx.utils.graphs_equal(first, second)
    if hasattr(first, "__dict__"):
        return same(vars(first), vars(second))
    return bool(first == second or first != first)


def fitted_part(model: CausalPIMA) -> dict[str, Any]:
    """Return the attributes of an estimator that fits set."""
    return {k: v for k, v in vars(model).items() if k not in model.get_params(deep=False)}
