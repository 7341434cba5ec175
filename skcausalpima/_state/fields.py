"""Fields of a state whose declaration is the check: kind, dtype and axes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field, fields, is_dataclass
from types import SimpleNamespace
from typing import Any, TypeAlias, TypeGuard

import numpy as np

from .._typing import Unchecked

#: Lengths of axes by name; an axis without an entry may be of any length.
Sizes: TypeAlias = Mapping[str, int]
Check: TypeAlias = Callable[[Unchecked, Sizes], bool]


def declared(check: Check, *, optional: bool = False, **options: Any) -> Any:
    """Return a dataclass's field that must pass a check, or may be None."""
    either = (lambda value, sizes: value is None or check(value, sizes)) if optional else check
    return field(metadata={"check": either}, **options)


def array(dtype: str, *axes: str, optional: bool = False) -> Any:
    """Declare an array of finite numbers."""
    return declared(
        lambda value, sizes: (
            is_array(value, dtype, axes, sizes)
            and (value.dtype.kind != "f" or bool(np.isfinite(value).all()))
        ),
        optional=optional,
    )


def a(*kinds: type, optional: bool = False, **options: Any) -> Any:
    """Declare a value of one of these types; a dataclass is checked field by field, too."""
    return declared(lambda value, sizes: type(value) in kinds, optional=optional, **options)


def one_of(*values: str) -> Any:
    """Declare one of some words."""
    return declared(lambda value, sizes: type(value) is str and value in values)


def has(*names: str, optional: bool = False) -> Any:
    """Declare a mapping or a namespace of these entries, and no others."""

    def check(value: Unchecked, sizes: Sizes) -> bool:
        entries = vars(value) if isinstance(value, SimpleNamespace) else value
        return type(entries) is dict and set(entries) == set(names)

    return declared(check, optional=optional)


def named_arrays(*, optional: bool = False) -> Any:
    """Declare arrays by name; the model says which they must be."""
    return declared(lambda value, sizes: are_numbers(value), optional=optional)


def is_array(
    value: Unchecked, dtype: str, axes: tuple[str, ...], sizes: Sizes
) -> TypeGuard[np.ndarray]:
    """Return True for an array of this dtype along these axes."""
    if not isinstance(value, np.ndarray) or value.dtype != dtype or value.ndim != len(axes):
        return False
    return all(n == sizes.get(axis, n) for n, axis in zip(value.shape, axes, strict=True))


def is_row(value: Unchecked, dtype: str) -> TypeGuard[np.ndarray]:
    """Return True for an array of this dtype along one axis of any length."""
    return is_array(value, dtype, ("",), {})


def are_numbers(value: Unchecked) -> TypeGuard[dict[str, np.ndarray]]:
    """Return True for arrays by name."""
    if type(value) is not dict:
        return False
    return all(type(n) is str and isinstance(of, np.ndarray) for n, of in value.items())


def check_fields(state: Any, sizes: Sizes, of: str = "") -> None:
    """Raise where a field is not what it was declared to be.

    Raises
    ------
    ValueError
        Names the field.
    """
    for one in fields(state):
        value = getattr(state, one.name)
        if not one.metadata["check"](value, sizes):
            raise ValueError(f"{of}{one.name} is not what a fit of this size leaves: {value!s:.99}")
        if is_dataclass(value) and "check" in fields(value)[0].metadata:
            check_fields(value, sizes, f"{of}{one.name}.")
