"""Markov equivalence of DAGs as operations on boolean adjacency matrices.

``adjacency[i, j]`` means i -> j. In a partially directed graph an undirected edge i - j is
``pdag[i, j] and pdag[j, i]``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

BoolArray = NDArray[np.bool_]


def v_structures(adjacency: BoolArray) -> list[tuple[int, int, int]]:
    """Return the unshielded colliders i -> k <- j, with i < j and i, j not adjacent.

    Parameters
    ----------
    adjacency : ndarray of bool of shape (n_nodes, n_nodes)
        A DAG.

    Returns
    -------
    list of tuple of int
        The triples (i, k, j), in ascending order of (k, i, j).

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima._structure.equivalence import v_structures
    >>> v_structures(np.array([[0, 0, 1], [0, 0, 1], [0, 0, 0]], dtype=bool))
    [(0, 2, 1)]
    """
    adjacent = adjacency | adjacency.T
    triples = []
    for child in range(len(adjacency)):
        parents = np.flatnonzero(adjacency[:, child])
        for first, i in enumerate(parents):
            triples += [(int(i), child, int(j)) for j in parents[first + 1 :] if not adjacent[i, j]]
    return triples


def meek_closure(pdag: BoolArray) -> BoolArray:
    """Orient every undirected edge whose direction follows from the directed ones.

    Applies the four orientation rules of Meek (1995, Causal inference and causal explanation
    with background knowledge, UAI) until nothing changes. They are complete: each edge that is
    left undirected points one way in some member of the class and the other way in another.

    Parameters
    ----------
    pdag : ndarray of bool of shape (n_nodes, n_nodes)
        Skeleton, v-structures and any known directions.

    Returns
    -------
    ndarray of bool of shape (n_nodes, n_nodes)
        The maximally oriented graph.

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima._structure.equivalence import meek_closure
    >>> meek_closure(np.array([[0, 1, 0], [0, 0, 1], [0, 1, 0]], dtype=bool)).astype(int)
    array([[0, 1, 0],
           [0, 0, 1],
           [0, 0, 0]])
    """
    pdag = pdag.copy()
    free = [(int(a), int(b)) for a, b in np.argwhere(pdag & pdag.T)]
    changed = np.ones(len(pdag), dtype=bool)  # a rule looks no further than near its edge's start
    while free and changed.any():
        before, changed = changed, np.zeros_like(changed)
        for a, b in free:
            if (before[a] or changed[a]) and pdag[b, a] and pdag[a, b] and _follows(pdag, a, b):
                pdag[b, a] = False
                changed |= pdag[a] | pdag[:, a] | pdag[b] | pdag[:, b]
        free = [(a, b) for a, b in free if pdag[a, b] and pdag[b, a]]
    return pdag


def _follows(pdag: BoolArray, a: int, b: int) -> bool:
    """Return whether a - b must be a -> b by one of Meek's rules."""
    from_a, to_a = pdag[a], pdag[:, a]  # rows and columns: whole matrices would take long
    from_b, to_b = pdag[b], pdag[:, b]
    into_b, apart_from_b = to_b > from_b, ~(to_b | from_b)
    if ((to_a > from_a) & apart_from_b).any():  # c -> a - b: else a new v-structure
        return True
    if ((from_a > to_a) & into_b).any():  # a -> c -> b: else a cycle
        return True
    beside_a = from_a & to_a
    if not into_b.any():
        return False
    middle = np.flatnonzero(beside_a & into_b)  # a - c -> b <- d - a, c and d apart
    if any(not (pdag[c, d] or pdag[d, c]) for c in middle for d in middle if c != d):
        return True
    ends = np.flatnonzero(beside_a & apart_from_b)  # a - c -> d -> b, c and b apart
    last = np.flatnonzero((from_a | to_a) & into_b)
    return bool((pdag[np.ix_(ends, last)] & ~pdag[np.ix_(last, ends)].T).any())


def cpdag(
    adjacency: BoolArray, required: BoolArray | None = None, forbidden: BoolArray | None = None
) -> BoolArray:
    """Return the graph of a Markov equivalence class, optionally cut down by knowledge.

    Two DAGs are equivalent if and only if they have the same skeleton and v-structures (Verma
    and Pearl 1990). An edge is compelled if it has one direction in all members that respect
    the knowledge, and reversible (undirected here) otherwise.

    Parameters
    ----------
    adjacency : ndarray of bool of shape (n_nodes, n_nodes)
        A DAG that respects the knowledge.
    required : ndarray of bool of shape (n_nodes, n_nodes), optional
        Directed edges that are known to be there.
    forbidden : ndarray of bool of shape (n_nodes, n_nodes), optional
        Directed edges that are known not to be there.

    Returns
    -------
    ndarray of bool of shape (n_nodes, n_nodes)
        True both ways where an edge is reversible.

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima._structure.equivalence import cpdag
    >>> cpdag(np.array([[0, 1, 0], [0, 0, 1], [0, 0, 0]], dtype=bool)).astype(int)
    array([[0, 1, 0],
           [1, 0, 1],
           [0, 1, 0]])
    """
    pdag = adjacency | adjacency.T
    for i, k, j in v_structures(adjacency):
        pdag[k, i] = pdag[k, j] = False
    known = np.zeros_like(pdag)
    if required is not None:
        known |= required
    if forbidden is not None:
        known |= forbidden.T
    pdag &= ~(known & adjacency).T
    return meek_closure(pdag)


def canonical_member(
    adjacency: BoolArray, required: BoolArray | None = None, forbidden: BoolArray | None = None
) -> BoolArray:
    """Return the one member of a DAG's equivalence class that stands for all of it.

    Reversible edges (i, j), i < j, are taken in ascending order; each that is still free is
    pointed i -> j and what follows from it is oriented. The result depends on the class and the
    knowledge only, not on the member that was passed.

    Parameters
    ----------
    adjacency : ndarray of bool of shape (n_nodes, n_nodes)
        A DAG that respects the knowledge.
    required : ndarray of bool of shape (n_nodes, n_nodes), optional
        Directed edges that are known to be there.
    forbidden : ndarray of bool of shape (n_nodes, n_nodes), optional
        Directed edges that are known not to be there.

    Returns
    -------
    ndarray of bool of shape (n_nodes, n_nodes)
        A DAG.

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima._structure.equivalence import canonical_member
    >>> canonical_member(np.array([[0, 0], [1, 0]], dtype=bool)).astype(int)
    array([[0, 1],
           [0, 0]])
    """
    pdag = cpdag(adjacency, required, forbidden)
    while (free := np.argwhere(np.triu(pdag & pdag.T))).size:
        i, j = free[0]
        pdag[j, i] = False
        pdag = meek_closure(pdag)
    return pdag


def markov_equivalent(first: BoolArray, second: BoolArray) -> bool:
    """Return whether two DAGs have the same skeleton and v-structures.

    Parameters
    ----------
    first, second : ndarray of bool of shape (n_nodes, n_nodes)
        DAGs over the same nodes.

    Returns
    -------
    bool
        Whether no observational data can tell them apart.

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima._structure.equivalence import markov_equivalent
    >>> edge = np.array([[0, 1], [0, 0]], dtype=bool)
    >>> markov_equivalent(edge, edge.T)
    True
    """
    same_skeleton = np.array_equal(first | first.T, second | second.T)
    return same_skeleton and v_structures(first) == v_structures(second)
