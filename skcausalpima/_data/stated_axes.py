"""Axes as users state them: with the data, or for one picture."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import cast

import numpy as np

from .._base.types import Unchecked
from .element_axes import ElementAxes, ElementAxis, is_named
from .recipes import describe
from .selection_keys import did_you_mean


def read_axes(
    axes: Unchecked, names: Sequence[str], shapes: Sequence[tuple[int, ...] | None]
) -> dict[str, ElementAxes]:
    """Read the axes that are stated of modalities of these names and shapes.

    Raises
    ------
    TypeError
        If it is no mapping, or an axis no numbers.
    ValueError
        If it names another modality, or an axis does not fit one.
    """
    if not isinstance(axes, Mapping):
        raise TypeError(
            f"axes is {describe(axes)}: expected a mapping from names of modalities to a name and "
            "numbers, such as {'raman': ('shift / cm-1', shift)}."
        )
    read, known = {}, dict(zip(names, shapes, strict=True))
    for name, given in axes.items():
        if name not in known:
            raise ValueError(
                f"axes names the modality {name!r}, but there are {list(names)}: name only those."
                f"{did_you_mean(name, names)}"
            )
        shape = known[name]
        if shape is None:
            raise ValueError(
                f"axes names the modality {name!r}, which is None, so nothing says what lies along "
                "them: leave it out."
            )
        what = f"the axis of modality {name!r}"
        read[name] = axes_of_sample(given, shape, what)
        for axis in filter(None, read[name]):
            axis.check_order(what)
    return read


def axes_of_sample(given: Unchecked, shape: tuple[int, ...], what: str) -> ElementAxes:
    """Read the axes of a sample of some shape: one alone, or, of several, a list of them.

    Raises
    ------
    TypeError
        If one is no numbers.
    ValueError
        If there are not as many as a sample has, or they are not as long.
    """
    if len(shape) == 1:
        return (ElementAxis.of(given, shape[0], what),)
    if not is_several(given, shape):
        raise ValueError(
            f"{what} is stated as if there were one, but its samples have the shape {shape}: pass "
            f"a list of {len(shape)} entries, each a name and numbers, numbers, or None."
        )
    return tuple(
        None if one is None else ElementAxis.of(one, length, f"{what} (entry {k})")
        for k, (one, length) in enumerate(zip(cast("Sequence", given), shape, strict=True))
    )


def drawn_axes(x: Unchecked, shape: tuple[int, ...], what: str = "x") -> ElementAxes:
    """Return the axes of a picture: one of all elements in a row, or those of an image.

    Raises
    ------
    TypeError
        If one is no numbers.
    ValueError
        If it is not as long.
    """
    if x is None:
        return ()
    if not is_several(x, shape):
        return (ElementAxis.of(x, math.prod(shape), what),)
    axes = axes_of_sample(x, shape, what)
    long = [axis for axis, n in zip(axes, shape, strict=True) if n > 1]
    axes = axes if len(long) > 1 else tuple(long)
    return axes if any(axis is not None for axis in axes) else ()


def is_several(given: Unchecked, shape: tuple[int, ...]) -> bool:
    """Return whether an entry for each axis of a sample is stated."""
    is_list = isinstance(given, (list, tuple)) and len(given) == len(shape) > 1
    return is_list and all(
        one is None or is_named(one) or np.ndim(one) == 1 for one in cast("Sequence", given)
    )
