"""Fields of a state whose declaration is the check: their type, and of arrays dtype and axes."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field, fields, is_dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, get_args, get_origin, get_type_hints

import numpy as np
from torch import nn

from .._base.reports.cells import CellValuesReport
from .._base.types import Unchecked
from ..modules import ExpertDecoder

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

#: Lengths of axes by name; an axis without an entry may be of any length.
Sizes: TypeAlias = Mapping[str, int]

#: Types of what may be code, or the place of some: what it must be, the model says.
OF_CODE = (nn.Module, Callable, ExpertDecoder, Any)


def declared(check: Callable[[Any, Sizes], bool], **options: Any) -> Any:
    """Return a dataclass's field whose value must pass a check, where it is not None."""
    return field(metadata={"check": check}, **options)


def array(dtype: str, *axes: str, below: str | None = None, **options: Any) -> Any:
    """Declare an array of finite numbers; whole ones may have to be below the length of an axis."""

    def check(value: np.ndarray, sizes: Sizes) -> bool:
        if not is_array(value, dtype, axes, sizes):
            return False
        if below is not None:
            return bool(((value >= 0) & (value < sizes[below])).all())
        return bool(np.isfinite(value).all())

    return declared(check, **options)


def is_array(value: np.ndarray, dtype: str, axes: Sequence[str], sizes: Sizes) -> bool:
    """Return True for an array of this dtype along these axes."""
    if value.dtype != dtype or value.ndim != len(axes):
        return False
    return all(n == sizes.get(axis, n) for n, axis in zip(value.shape, axes, strict=True))


def conforms(value: Any, hint: Unchecked) -> bool:
    """Return True for a value of the type that an annotation says."""
    kind, parts = get_origin(hint) or hint, get_args(hint)
    if kind is np.ndarray:
        return isinstance(value, np.ndarray)
    if kind is dict:
        pairs = value.items() if type(value) is dict else [(None, None)]
        return all(conforms(k, parts[0]) and conforms(v, parts[1]) for k, v in pairs)
    if kind in (list, tuple, Sequence):
        if type(value) not in ((list, tuple) if kind is Sequence else (kind,)):
            return False
        is_fixed = kind is tuple and Ellipsis not in parts
        hints = parts if is_fixed else [parts[0]] * len(value)
        return len(value) == len(hints) and all(map(conforms, value, hints))
    if parts:
        return any(conforms(value, part) for part in parts)
    return kind in OF_CODE or type(value) is kind


def are_tables(value: list[np.ndarray], sizes: Sizes) -> bool:
    """Return True for one table per node, which broadcast over causes and the grid."""
    n_axes = max((t.ndim for t in value), default=0)
    return len(value) == sizes["node"] <= n_axes and all(
        is_array(t, "float64", ("",) * n_axes, {}) and bool(np.isfinite(t).all()) for t in value
    )


def are_references(value: list[np.ndarray], sizes: Sizes) -> bool:
    """Return True for one row of numbers per modality, and one for all of several."""
    return len(value) == sizes["modality"] + (sizes["modality"] > 1) and all(
        is_array(row, "float64", ("",), {}) and bool(np.isfinite(row).all()) for row in value
    )


def are_values(value: CellValuesReport, sizes: Sizes) -> bool:
    """Return True for a row of numbers per component, in each table of what cells hold."""
    tables = [*value.counts.values(), *value.means.values()]
    return (
        is_array(value.n_samples, "float64", ("component",), sizes)
        and len(value.counts) == sizes["modality"]
        and all(is_array(table, "float64", ("component", ""), sizes) for table in tables)
    )


_hints = functools.cache(get_type_hints)


def check_fields(state: DataclassInstance, sizes: Sizes, prefix: str = "") -> None:
    """Raise where a field is not what it was declared to be.

    Raises
    ------
    ValueError
        Names the field.
    """
    hints = _hints(state.__class__)
    for one in fields(state):
        value, check = getattr(state, one.name), one.metadata.get("check")
        if not conforms(value, hints[one.name]) or (
            check is not None and value is not None and not check(value, sizes)
        ):
            raise ValueError(
                f"{prefix}{one.name} is not what a fit of this size leaves: {value!s:.99}"
            )
        if is_dataclass(value) and not isinstance(value, type):
            check_fields(value, sizes, f"{prefix}{one.name}.")
