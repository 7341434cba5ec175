"""Node sizes as users state them, checked: which grid they make, and whether samples fill it."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from numbers import Integral
from typing import Any

from .._base.scalar_checks import MAX_COUNT, is_integer

#: [cells] The largest grid (arbitrary).
MAX_COMPONENTS = 4096


def check_node_sizes(node_sizes: int | Sequence[int] | Mapping[str, int]) -> tuple[int, ...]:
    """Return the node sizes as plain integers; their grid must not be too large."""
    given: Any = [node_sizes] if isinstance(node_sizes, Integral) else node_sizes
    sizes: dict[Hashable, int] = dict(given if isinstance(given, Mapping) else enumerate(given))
    if not sizes:
        raise ValueError("node_sizes is empty; it must have at least one node, such as (2, 2).")
    for node, size in sizes.items():
        if not is_integer(size):
            raise TypeError(
                f"node_sizes must hold integers, but node_sizes[{node!r}] is {size!r} of type "
                f"{type(size).__name__}."
            )
        if size < 2:
            raise ValueError(
                f"node_sizes[{node!r}] is {size}, but a node needs at least 2 outcomes."
            )
        if size > MAX_COUNT:
            raise ValueError(f"node_sizes[{node!r}] is beyond {MAX_COUNT}: use a smaller node.")
    checked = tuple(map(int, sizes.values()))
    if math.prod(checked) > MAX_COMPONENTS:
        raise ValueError(
            f"node_sizes make a grid of {' x '.join(map(str, checked))} = {math.prod(checked)} "
            f"components, more than {MAX_COMPONENTS}: use fewer or smaller nodes."
        )
    return checked


def check_enough_samples(node_sizes: Sequence[int], n_samples: float) -> None:
    """Refuse fewer samples than cells, as GaussianMixture refuses fewer than components."""
    n_cells = math.prod(node_sizes)
    if n_samples < n_cells:
        raise ValueError(
            f"X has {n_samples:g} samples, but node_sizes={tuple(node_sizes)} make {n_cells} "
            "cells: fit at least as many samples as cells, or use fewer or smaller nodes."
        )


def check_node_names(names: Sequence[str] | None, n_nodes: int) -> list[str]:
    """Return the names of the nodes, from the keys of ``node_sizes``; N1, N2, .. by default."""
    if names is None:
        return [f"N{node + 1}" for node in range(n_nodes)]
    if not all(isinstance(name, str) for name in names):
        raise TypeError(f"node_sizes must name the nodes by strings, got {list(names)}.")
    if len(names) != n_nodes:
        raise ValueError(
            f"node_sizes names {len(names)} nodes, {list(names)}, but {n_nodes} sizes are asked "
            "for: use a tuple in place of the mapping, or as many sizes as names."
        )
    return [str(name) for name in names]  # NumPy's strings are strings, too
