"""The metrics against brute force over all matches."""

import itertools

import networkx as nx
import numpy as np
import pandas as pd
import pytest

from skcausalpima.metrics import matched_accuracy, node_recovery, structural_hamming_distance


def best_accuracy_by_hand(y_true, y_pred):
    """Try every one-to-one renaming of the predicted labels."""
    true_names, names = sorted(set(y_true)), sorted(set(y_pred))
    pool = true_names + [None] * len(names)  # a label may stay without a partner
    best = 0.0
    for partners in set(itertools.permutations(pool, len(names))):
        renamed = dict(zip(names, partners, strict=True))
        best = max(best, np.mean([renamed[p] == t for t, p in zip(y_true, y_pred, strict=True)]))
    return best


@pytest.mark.parametrize(("n_true", "n_pred"), [(2, 2), (3, 3), (3, 2), (2, 4), (1, 3), (4, 1)])
def test_matched_accuracy_is_the_best_of_all_renamings(n_true, n_pred):
    rng = np.random.default_rng(n_true * 10 + n_pred)
    for _ in range(5):
        y_true, y_pred = rng.integers(n_true, size=12), rng.integers(n_pred, size=12)
        assert matched_accuracy(y_true, y_pred) == pytest.approx(
            best_accuracy_by_hand(y_true.tolist(), y_pred.tolist())
        )


def test_matched_accuracy_ignores_numbering_and_is_one_for_the_same_partition():
    rng = np.random.default_rng(0)
    y = rng.integers(10, size=200)
    assert matched_accuracy(y, rng.permutation(10)[y]) == 1.0
    assert matched_accuracy(y, y.astype(str)) == 1.0
    assert matched_accuracy(y, np.zeros(200)) == np.bincount(y).max() / 200


@pytest.mark.parametrize("sizes", [(2, 2), (2, 2, 2), (2, 3), (3, 2, 4)])
def test_node_recovery_is_the_best_of_all_permutations(sizes):
    rng = np.random.default_rng(len(sizes))
    factors = np.column_stack([rng.integers(size, size=60) for size in sizes])
    order = rng.permutation(len(sizes))
    nodes = factors[:, order].copy()
    noise = rng.uniform(size=nodes.shape) < 0.5
    nodes[noise] = rng.integers(2, size=noise.sum())
    recovery = node_recovery(factors, nodes)
    sums = [
        sum(matched_accuracy(factors[:, i], nodes[:, j]) for i, j in enumerate(permutation))
        for permutation in itertools.permutations(range(len(sizes)))
    ]
    assert recovery.accuracies.sum() == pytest.approx(max(sums))
    for factor, (accuracy, node) in enumerate(zip(*recovery, strict=True)):
        assert accuracy == matched_accuracy(factors[:, factor], nodes[:, node])


def test_node_recovery_undoes_a_permutation_of_nodes_and_outcomes():
    rng = np.random.default_rng(1)
    factors = np.column_stack([rng.integers(size, size=100) for size in (2, 3, 4)])
    nodes = np.column_stack([(factors[:, 2] + 1) % 4, 1 - factors[:, 0], 2 - factors[:, 1]])
    recovery = node_recovery(factors, nodes)
    np.testing.assert_array_equal(recovery.accuracies, 1.0)
    np.testing.assert_array_equal(recovery.permutation, [1, 2, 0])


def all_three_node_graphs():
    pairs = list(itertools.combinations("abc", 2))
    for states in itertools.product(range(4), repeat=3):  # none, ->, <-, undirected
        graph = nx.DiGraph()
        graph.add_nodes_from("abc")
        for (u, v), state in zip(pairs, states, strict=True):
            graph.add_edges_from([(u, v)] * (state & 1) + [(v, u)] * (state >> 1))
        yield states, graph


def test_structural_hamming_distance_counts_the_pairs_that_differ():
    for states_a, a in all_three_node_graphs():
        for states_b, b in all_three_node_graphs():
            expected = sum(x != y for x, y in zip(states_a, states_b, strict=True))
            assert structural_hamming_distance(a, b) == expected


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: matched_accuracy([0, 1], [0]), "inconsistent numbers of samples"),
        (lambda: matched_accuracy([], []), "at least one label"),
        (lambda: matched_accuracy([[0, 1]], [[0, 1]]), "1d array"),
        (lambda: node_recovery([[0, 1]], [[0]]), r"\(1, 2\) and nodes of shape \(1, 1\)"),
        (lambda: node_recovery([0, 1], [0, 1]), "Expected 2D array"),
        (
            lambda: structural_hamming_distance(nx.DiGraph([(1, 2)]), nx.DiGraph([(1, 3)])),
            r"same nodes.*\['2', '3'\]",
        ),
    ],
)
def test_bad_arguments(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize(
    ("true", "predicted", "match"),
    [
        ([None, None], ["a", "b"], r"y_true\[0\] is None"),
        (["a", "b"], ["a", None], r"y_pred\[1\] is None"),
        ([0.0, np.nan], [0, 1], r"y_true\[1\] is .*nan"),
        (np.array(["NaT", "2020"], "datetime64[Y]"), [0, 1], r"y_true\[0\]"),
        (pd.Series(["a", pd.NA], dtype=object), [0, 1], r"y_true\[1\]"),
        ([0, 1], None, "y_pred"),
        (5, [0, 1], "y_true"),
        ([[0, 1], [1]], [0, 1], "y_true"),
        ([{}, {}], [0, 1], "y_true"),
    ],
)
def test_labels_that_are_missing_or_none(true, predicted, match):
    with pytest.raises((TypeError, ValueError), match=match):
        matched_accuracy(true, predicted)


def test_labels_of_mixed_types_are_labels():
    assert matched_accuracy(np.array([0, "a", "a"], dtype=object), [1, 0, 0]) == 1.0


@pytest.mark.parametrize(
    ("factors", "nodes", "match"),
    [
        ([[0, 1], [1, 0]], [[0, None], [1, 0]], "nodes"),
        ([[0, 1], [1, np.nan]], [[0, 1], [1, 0]], "factors"),
        (None, [[0]], "factors"),
    ],
)
def test_outcomes_that_are_missing(factors, nodes, match):
    with pytest.raises((TypeError, ValueError), match=match):
        node_recovery(factors, nodes)


@pytest.mark.parametrize("other", [None, 5, "ab", nx.Graph([("a", "b")]), nx.MultiDiGraph()])
def test_graphs_that_are_none(other):
    dag = nx.DiGraph([("a", "b")])
    with pytest.raises(TypeError, match="dag_b"):
        structural_hamming_distance(dag, other)
    with pytest.raises(TypeError, match="dag_a"):
        structural_hamming_distance(other, dag)
