"""Exact sums over products of tables, without ever building the full grid if avoidable."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

MAX_CELLS = 2**27  # one gibibyte of float64


class Factor(NamedTuple):
    """A table over some nodes.

    Parameters
    ----------
    nodes : tuple of hashable
        One node per axis.
    array : ndarray
        Not negative.
    """

    nodes: tuple[Hashable, ...]
    array: NDArray[np.float64]


def eliminate(
    factors: Sequence[Factor], keep: Sequence[Hashable]
) -> tuple[NDArray[np.float64], int]:
    """Sum the product of factors over all nodes but some (variable elimination).

    Nodes are summed out in greedy order, the one whose product table is smallest first.
    Intermediate results are scaled by powers of two, which is exact, so that the probability of
    a long list of evidence does not underflow.

    Parameters
    ----------
    factors : sequence of Factor
        Each node in ``keep`` must occur in one of them.
    keep : sequence of hashable
        Nodes to keep, in the order of the result's axes.

    Returns
    -------
    array : ndarray
        Axes in the order of ``keep``, scaled.
    exponent : int
        The sum is ``array * 2.0**exponent``.

    Raises
    ------
    ValueError
        If a table of more than 2**27 cells would be needed.

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima.graph._elimination import Factor, eliminate
    >>> prior = Factor(("a",), np.array([0.25, 0.75]))
    >>> table = Factor(("a", "b"), np.array([[1.0, 0.0], [0.0, 1.0]]))
    >>> array, exponent = eliminate([prior, table], ["b"])
    >>> array * 2.0**exponent
    array([0.25, 0.75])
    """
    sizes = {node: n for factor in factors for node, n in zip(*_named_shape(factor), strict=True)}
    factors = list(factors)
    kept = set(keep)
    _check_cells(math.prod(sizes[node] for node in keep))
    remaining = [node for node in sizes if node not in kept]
    exponent = 0
    while remaining:
        scopes = {node: _scope(factors, node) for node in remaining}
        node = min(remaining, key=lambda node: math.prod(sizes[n] for n in scopes[node]))
        remaining.remove(node)
        involved = [factor for factor in factors if node in factor.nodes]
        factors = [factor for factor in factors if node not in factor.nodes]
        product, shift = _contract(involved, [n for n in scopes[node] if n != node], sizes)
        factors.append(product)
        exponent += shift
    result, shift = _contract(factors, list(keep), sizes)
    return result.array, exponent + shift


def _named_shape(factor: Factor) -> tuple[tuple[Hashable, ...], tuple[int, ...]]:
    """Return a factor's nodes and their sizes."""
    return factor.nodes, factor.array.shape


def _scope(factors: Sequence[Factor], node: Hashable) -> list[Hashable]:
    """Return all nodes that share a factor with a node, itself included."""
    return list(
        dict.fromkeys(n for factor in factors if node in factor.nodes for n in factor.nodes)
    )


def _contract(
    factors: Sequence[Factor], keep: list[Hashable], sizes: dict[Hashable, int]
) -> tuple[Factor, int]:
    """Multiply factors, smallest first, and sum over the nodes not kept."""
    if not factors:
        return Factor((), np.ones(())), 0
    first, *rest = sorted(factors, key=lambda factor: factor.array.size)
    if not rest:
        return _scale(_einsum([first], keep))
    exponent = 0
    for index, factor in enumerate(rest):
        union = list(dict.fromkeys([*first.nodes, *factor.nodes]))
        _check_cells(math.prod(sizes[node] for node in union))
        target = keep if index == len(rest) - 1 else union
        first, shift = _scale(_einsum([first, factor], target))
        exponent += shift
    return first, exponent


def _einsum(factors: list[Factor], keep: list[Hashable]) -> Factor:
    """Multiply one or two factors and sum over the nodes not kept."""
    label = {node: i for i, node in enumerate(dict.fromkeys(n for f in factors for n in f.nodes))}
    operands: list[object] = []
    for factor in factors:
        operands += [factor.array, [label[node] for node in factor.nodes]]
    array = np.einsum(*operands, [label[node] for node in keep])
    return Factor(tuple(keep), np.asarray(array))


def _scale(factor: Factor) -> tuple[Factor, int]:
    """Bring the largest entry between a half and one."""
    _, exponent = np.frexp(factor.array.max())
    return Factor(factor.nodes, np.ldexp(factor.array, -exponent)), int(exponent)


def _check_cells(n_cells: int) -> None:
    """Refuse a table that would not fit into memory."""
    if n_cells > MAX_CELLS:
        raise ValueError(
            f"This needs a table of {n_cells:.3g} cells; at most {MAX_CELLS:.3g} are allowed. Ask "
            "for the marginal of fewer nodes."
        )
