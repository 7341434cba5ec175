"""Exact sums over products of tables, without ever building the full grid if avoidable."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from heapq import heapify, heappop, heappush

import numpy as np

from ._validation import Floats

MAX_CELLS = 2**27  # one gibibyte of float64


@dataclass(frozen=True)
class Factor:
    """A table over some nodes.

    Parameters
    ----------
    nodes : tuple of hashable
        One node per axis.
    array : ndarray
        Not negative.
    """

    nodes: tuple[Hashable, ...]
    array: Floats


def eliminate(factors: Sequence[Factor], keep: Sequence[Hashable]) -> tuple[Floats, int]:
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
    shape = _sizes(factors)
    check_cells(shape[node] for node in keep)
    factors = [_without_constants(factor) for factor in factors]
    sizes = _sizes(factors)
    axes = [node for node in keep if node in sizes]
    pool = dict(enumerate(factors))  # in the order in which they were made
    holders: dict[Hashable, set[int]] = {node: set() for node in sizes}
    for key, factor in pool.items():
        _register(holders, key, factor)
    exponent = 0
    for key, node in enumerate(_greedy_order(factors, sizes, axes), start=len(factors)):
        keys = sorted(holders[node])
        involved = [pool.pop(key) for key in keys]
        scope = dict.fromkeys(n for factor in involved for n in factor.nodes)
        for other in scope:
            holders[other].difference_update(keys)
        pool[key], shift = _contract(involved, [n for n in scope if n != node], sizes)
        _register(holders, key, pool[key])
        exponent += shift
    result, shift = _contract(list(pool.values()), axes, sizes)
    return result.array.reshape([shape[node] for node in keep]), exponent + shift


def _sizes(factors: Sequence[Factor]) -> dict[Hashable, int]:
    """Return the sizes of all nodes that occur, in the order in which they do."""
    return {
        n: k for factor in factors for n, k in zip(factor.nodes, factor.array.shape, strict=True)
    }


def _without_constants(factor: Factor) -> Factor:
    """Leave out nodes of one outcome: einsum has no labels for hundreds of them."""
    if 1 not in factor.array.shape:
        return factor
    nodes = [n for n, k in zip(factor.nodes, factor.array.shape, strict=True) if k > 1]
    return Factor(tuple(nodes), factor.array.squeeze())


def _register(holders: dict[Hashable, set[int]], key: int, factor: Factor) -> None:
    """Note which nodes a factor holds."""
    for node in factor.nodes:
        holders[node].add(key)


def _greedy_order(
    factors: Sequence[Factor], sizes: dict[Hashable, int], keep: Sequence[Hashable]
) -> Iterator[Hashable]:
    """Yield the nodes not kept, always one whose product table is smallest (the first such).

    Two nodes are near each other if they share a factor. Summing a node out makes all that are
    near it near each other, so that the tables themselves are not looked at.
    """
    near: dict[Hashable, set[Hashable]] = {node: set() for node in sizes}
    for factor in factors:
        for node in factor.nodes:
            near[node].update(factor.nodes)
    kept = set(keep)
    cells = {node: math.prod(sizes[n] for n in near[node]) for node in sizes}
    position = {node: i for i, node in enumerate(sizes) if node not in kept}
    heap = [(cells[node], position[node], node) for node in position]
    heapify(heap)
    while heap:
        n_cells, _, node = heappop(heap)
        if node not in near or n_cells != cells[node]:
            continue  # it is done, or has been put back with another number
        yield node
        clique = near.pop(node)
        for other in clique - {node}:
            added = clique - near[other]
            near[other] |= added
            near[other].discard(node)
            cells[other] = cells[other] // sizes[node] * math.prod(sizes[n] for n in added)
            if other in position:
                heappush(heap, (cells[other], position[other], other))


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
        check_cells(sizes[node] for node in union)
        target = keep if index == len(rest) - 1 else union
        first, shift = _scale(_einsum([first, factor], target))
        exponent += shift
    return first, exponent


def _einsum(factors: list[Factor], keep: list[Hashable]) -> Factor:
    """Multiply one or two factors and sum over the nodes not kept."""
    label = {node: i for i, node in enumerate(dict.fromkeys(n for f in factors for n in f.nodes))}
    operands: list[np.ndarray | list[int]] = []  # arrays and lists of numbers of axes, by turns
    for factor in factors:
        operands += [factor.array, [label[node] for node in factor.nodes]]
    array = np.einsum(*operands, [label[node] for node in keep])
    return Factor(tuple(keep), np.asarray(array))


def _scale(factor: Factor) -> tuple[Factor, int]:
    """Bring the largest entry between a half and one."""
    _, exponent = np.frexp(factor.array.max())
    return Factor(factor.nodes, np.ldexp(factor.array, -exponent)), int(exponent)


def check_cells(sizes: Iterable[int]) -> None:
    """Refuse a table that would not fit into memory.

    Parameters
    ----------
    sizes : iterable of int
        Its axes' lengths.

    Raises
    ------
    ValueError
        If it has more than 2**27 cells.
    """
    n_cells = math.prod(sizes)
    if n_cells > MAX_CELLS:
        raise ValueError(
            f"This needs a table of {Decimal(n_cells):.3g} cells; at most "
            f"{Decimal(MAX_CELLS):.3g} are allowed. Ask for the marginal of fewer nodes."
        )
