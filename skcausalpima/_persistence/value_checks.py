"""Checks of single values, small enough to be put together to a table of what a file may hold."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any, TypeAlias, TypeGuard

import numpy as np

from .._typing import Unchecked

#: A value that a file holds, to be handed on to what checks it.
Loaded: TypeAlias = Any
#: Says whether a value is what it must be, given what is known: shapes of axes, and the rest.
Check = Callable[[Unchecked, Mapping], bool]

#: How far rounding may move a probability, or a sum of probabilities.
SLACK = 1e-8
#: Numbers in the state of a Mersenne twister.
TWISTER = 624


def is_a(*kinds: type) -> Check:
    """Return a check of the type."""
    return lambda value, known: type(value) in kinds


def is_ndarray(value: Unchecked, known: Mapping) -> bool:
    """Say whether it is an array, a memory-mapped one included."""
    return isinstance(value, np.ndarray)


def is_one_of(*values: Unchecked) -> Check:
    """Return a check whether it is one of these."""
    return lambda value, known: type(value) in map(type, values) and value in values


def is_size(name: str) -> Check:
    """Return a check whether it is one of the sizes."""
    return lambda value, known: type(value) is int and (value,) == known[name]


def is_number(low: float = -math.inf, high: float = math.inf) -> Check:
    """Return a check whether it is a float within bounds, these included; NaN is in none."""
    return lambda value, known: isinstance(value, float) and low <= value <= high


def is_count(value: Unchecked, known: Mapping) -> bool:
    """Say whether it is an integer from 0."""
    return type(value) is int and value >= 0


def is_array(dtype: str, *axes: str, low: float = -math.inf, high: float = math.inf) -> Check:
    """Return a check of dtype ("model": what it computes in), shape and range of finite numbers."""

    def check(value: Unchecked, known: Mapping) -> bool:
        shape = tuple(size for axis in axes for size in known[axis])
        if not is_finite(value, *known.get(dtype, (dtype,))) or value.shape != shape:
            return False
        return bool(((value >= low) & (value <= high)).all())

    return check


def is_finite(value: Unchecked, dtype: str = "float64") -> TypeGuard[np.ndarray]:
    """Say whether it is an array of this dtype without NaN and infinity."""
    if not isinstance(value, np.ndarray) or value.dtype != dtype:
        return False
    return bool(np.isfinite(value).all())


def is_distribution(value: Unchecked, axis: int | None = None) -> bool:
    """Say whether it is probabilities that sum to 1, along an axis or in all."""
    if not is_finite(value) or value.ndim == 0 or not (value >= 0).all():
        return False
    return bool((np.abs(value.sum(axis=axis) - 1.0) <= SLACK).all())


def is_rising(value: Unchecked, known: Mapping) -> bool:
    """Say whether it is a row of finite numbers, none smaller than the one before."""
    return is_finite(value) and value.ndim == 1 and bool((np.diff(value) >= 0).all())


def is_tuple_of(*kinds: type) -> Check:
    """Return a check of the types of entries."""
    return lambda value, known: type(value) is tuple and all(type(v) in kinds for v in value)


def is_list_of(check: Check) -> Check:
    """Return a check of the entries."""
    return lambda value, known: type(value) is list and all(check(v, known) for v in value)


def are_sizes(value: Unchecked, known: Mapping) -> bool:
    """Say whether it is a tuple of positive integers."""
    return type(value) is tuple and all(type(size) is int and size > 0 for size in value)


def are_names(axis: str) -> Check:
    """Return a check whether it is an array of strings, one per entry of an axis."""

    def check(value: Unchecked, known: Mapping) -> bool:
        if not isinstance(value, np.ndarray) or value.dtype != object:
            return False
        return value.shape == known[axis] and all(isinstance(v, str) for v in value)

    return check


def either(*checks: Check) -> Check:
    """Return what holds where one of the checks holds."""
    return lambda value, known: any(check(value, known) for check in checks)


def has(optional: frozenset[str] = frozenset(), /, **checks: Check) -> Check:
    """Return a check of a mapping or namespace that has these entries and no others."""

    def check(value: Unchecked, known: Mapping) -> bool:
        entries = vars(value) if type(value) is SimpleNamespace else value
        if type(entries) is not dict or not set(checks) - optional <= set(entries) <= set(checks):
            return False
        return all(checks[name](entry, known) for name, entry in entries.items())

    return check


def has_outcome_names(node: Mapping) -> bool:
    """Say whether a node's outcomes have different names, if they have any."""
    names = node.get("states")
    if names is None:
        return "states" not in node
    right = type(names) is tuple and all(type(name) is str for name in names)
    return right and len(set(names)) == len(names) == node.get("size")


def is_permutation(value: Unchecked, known: Mapping) -> bool:
    """Say whether it has each of the numbers from 0 once."""
    if not isinstance(value, np.ndarray) or value.dtype != "int64" or value.ndim != 1:
        return False
    return np.array_equal(np.sort(value), np.arange(len(value)))


def is_alike(value: Unchecked, other: np.ndarray) -> TypeGuard[np.ndarray]:
    """Say whether it is an array of the same dtype and shape."""
    if not isinstance(value, np.ndarray) or value.dtype != other.dtype:
        return False
    return value.shape == other.shape


def are_alike(value: Unchecked, others: Mapping[str, np.ndarray]) -> bool:
    """Say whether it is arrays of the same names, dtypes and shapes."""
    if type(value) is not dict or set(value) != set(others):
        return False
    return all(is_alike(array, others[name]) for name, array in value.items())


def are_covariances(array: np.ndarray) -> bool:
    """Say whether all are positive variances (2-D), or symmetric and positive definite (3-D)."""
    if array.ndim < 3:
        return bool((array > 0).all())
    asymmetry = np.abs(array - array.swapaxes(1, 2)).max(initial=0.0)
    if asymmetry > np.sqrt(np.finfo(array.dtype).eps) * np.abs(array).max(initial=0.0):
        return False
    try:
        np.linalg.cholesky(array)  # in the dtype in which the model does it
    except np.linalg.LinAlgError:
        return False
    return True


def is_twister(key: Unchecked, pos: Unchecked, has_gauss: Unchecked, gauss: Unchecked) -> bool:
    """Say whether this is a state of NumPy's generator, which itself would read beyond its key."""
    return (
        is_finite(key, "uint32")
        and key.shape == (TWISTER,)
        and bool(key.any())  # all zero, it would draw nothing but zeros
        and type(pos) is int
        and 0 <= pos <= TWISTER
        and type(has_gauss) is int
        and has_gauss in (0, 1)
        and type(gauss) is float
        and math.isfinite(gauss)
    )
