"""Equivalence classes against enumeration of all 543 DAGs of four nodes."""

from collections import defaultdict
from itertools import product

import networkx as nx
import numpy as np
import pytest
from nodes_by_hand import all_dags

from skcausalpima._structure.equivalence import (
    canonical_member,
    cpdag,
    markov_equivalent,
    meek_closure,
    v_structures,
)


def independences(adjacency):
    """All d-separations between two nodes: what equivalence means."""
    graph = nx.from_numpy_array(adjacency, create_using=nx.DiGraph)
    separated = getattr(nx, "is_d_separator", None) or nx.d_separated
    n_nodes = len(adjacency)
    found = []
    for i, j in product(range(n_nodes), repeat=2):
        rest = [k for k in range(n_nodes) if k not in (i, j)]
        for given in product((False, True), repeat=len(rest) if i < j else 0):
            known = {k for k, taken in zip(rest, given, strict=False) if taken}
            found.append(i < j and separated(graph, {i}, {j}, known))
    return tuple(found)


@pytest.fixture(scope="module")
def classes():
    """The DAGs of four nodes, grouped by their independence statements."""
    groups = defaultdict(list)
    for adjacency in all_dags(4):
        groups[independences(adjacency)].append(adjacency)
    return list(groups.values())


def test_numbers_of_dags_and_classes(classes):
    assert sum(map(len, classes)) == 543
    assert len(classes) == 185  # Gillispie and Perlman (2001)


def test_members_share_cpdag_and_canonical_member(classes):
    patterns = set()
    for members in classes:
        found = {cpdag(member).tobytes() for member in members}
        chosen = {canonical_member(member).tobytes() for member in members}
        assert len(found) == len(chosen) == 1
        assert chosen <= {member.tobytes() for member in members}
        patterns |= found
    assert len(patterns) == len(classes)


def test_compelled_edges_are_those_that_all_members_share(classes):
    for members in classes:
        np.testing.assert_array_equal(cpdag(members[0]), np.any(members, axis=0))


def test_markov_equivalent_agrees_with_independences(classes):
    sample = [(index, member) for index, members in enumerate(classes) for member in members[:2]]
    for (i, first), (j, second) in product(sample[::3], sample):
        assert markov_equivalent(first, second) == (i == j)


def test_knowledge_cuts_the_class_down(classes):
    rng = np.random.default_rng(0)
    for members in classes * 8:
        required, forbidden = (rng.random((4, 4)) < 0.15 for _ in range(2))
        fitting = [m for m in members if (m >= required).all() and not (m & forbidden).any()]
        if fitting:
            expected = np.any(fitting, axis=0)
            np.testing.assert_array_equal(cpdag(fitting[0], required, forbidden), expected)
            chosen = {canonical_member(m, required, forbidden).tobytes() for m in fitting}
            assert len(chosen) == 1
            assert chosen <= {m.tobytes() for m in fitting}


def test_canonical_member_points_from_lower_to_higher_numbers():
    chain = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]], dtype=bool)  # 2 -> 1 -> 0
    np.testing.assert_array_equal(canonical_member(chain), chain.T)


def test_v_structures_are_unshielded():
    collider = np.array([[0, 0, 1], [0, 0, 1], [0, 0, 0]], dtype=bool)
    assert v_structures(collider) == [(0, 2, 1)]
    collider[0, 1] = True
    assert v_structures(collider) == []


def test_meek_closure_leaves_its_argument_alone():
    pdag = np.array([[0, 1, 0], [0, 0, 1], [0, 1, 0]], dtype=bool)
    before = pdag.copy()
    meek_closure(pdag)
    np.testing.assert_array_equal(pdag, before)
