"""Forms of interventions, and what comes of contradictions."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal

from skcausalpima._data.known_nodes import add_known, check_interventions
from skcausalpima._data.samples import read_knowledge

NAMES = ["a", "b", "c"]
NODES = dict(zip(NAMES, (2, 3, 2), strict=True))


def regimes_of(given, n_samples, nodes=NODES):
    return check_interventions(given, n_samples, nodes)[0]


@pytest.mark.parametrize(
    "given",
    [
        ["b", None, "a", None, "b"],
        ["b", -1, "a", None, "b"],
        ["b", -1, "a", -1, "b"],  # which NumPy reads as names
        [1, None, 0, -1, "b"],
        [1, -1, 0, -1, 1],
        np.array([1, -1, 0, -1, 1], dtype=np.int8),
        np.array(["b", None, "a", None, "b"]),
        pd.Series(["b", None, "a", None, "b"], dtype=object),
        pd.Series([1, -1, 0, -1, 1]),
        (np.int64(1), None, np.str_("a"), None, "b"),
        pd.Series(["b", np.nan, "a", pd.NA, "b"]),
        [1.0, np.nan, 0.0, -1.0, 1.0],  # as pandas reads numbers beside empty cells
    ],
    ids=range(12),
)
def test_forms_of_nodes_that_were_set(given):
    found = regimes_of(given, 5)
    assert found.outcomes is None
    assert [found.regimes[number] for number in found.numbers] == [(1,), (), (0,), (), (1,)]
    assert len(found.regimes) == 3


def _by_name(given):
    return pd.DataFrame(given, columns=NAMES)[["c", "a", "b"]]


def _with_nothing(given):
    return np.where(given < 0, np.nan, given)


@pytest.mark.parametrize(
    "make",
    [np.ndarray.tolist, np.asarray, pd.DataFrame, np.int8, _by_name, np.float32, _with_nothing],
)
def test_forms_of_outcomes_that_were_set(make):
    given = np.array([[-1, -1, -1], [1, -1, -1], [-1, 2, 0], [0, -1, -1], [-1, -1, -1]])
    found = regimes_of(make(given), 5)
    assert_array_equal(found.outcomes, given)
    assert found.outcomes.dtype == np.int64
    assert [found.regimes[number] for number in found.numbers] == [(), (0,), (1, 2), (0,), ()]
    assert len(found.regimes) == 3


def test_no_interventions():
    for given in (None, [None] * 4, [-1] * 4, np.full((4, 3), -1)):
        assert regimes_of(given, 4) is None


def test_one_column_per_node_of_a_single_node():
    found = regimes_of([[0], [-1]], 2, {"a": 2})
    assert_array_equal(found.outcomes, [[0], [-1]])
    assert regimes_of(["a", None], 2, {"a": 2}).outcomes is None


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([0, 1], r"shape \(4,\), the node .* or \(4, 3\), what .* got shape \(2,\)"),
        (np.zeros((4, 2), dtype=int), r"or \(4, 3\).* got shape \(4, 2\)"),
        ("a", r"expected a NumPy array"),
        (["a", "x", None, None], r"unknown node 'x'; the nodes are \['a', 'b', 'c'\], numbered"),
        ([0, 3, -1, -1], "unknown node 3; .*None, NaN or -1 stands for none"),
        ([0, -2, -1, -1], "unknown node -2;"),
        ([0.5, 1.0, -1.0, -1.0], r"unknown node 0\.5"),
        ([True, False, False, True], "unknown node True"),
        (np.array([True, False, False, True]), "unknown node True"),
        (np.full((4, 3), 0.5), "interventions of the node 'a' must be whole numbers or labels"),
        (np.full((4, 3), False), "'a' must be whole numbers or labels.* got False in sample 0"),
        (np.full((4, 3), [-1, 3, -1]), "interventions of the node 'b' must lie between 0 and 2"),
        (np.full((4, 3), [-2, 0, 0]), "'a' must lie between 0 and 1.*, got -2"),
        ({"a": [-1, 10**30, 0, 1]}, r"'a' must lie between 0 and 1.*, got 10{30}\."),
        (np.full((4, 3), 255, dtype=np.uint8), "'a' must lie between 0 and 1.*, got 255"),
        ({"a": [0, 0, 0, 0], "x": [0, 0, 0, 0]}, r"interventions has \['x'\], but the nodes are"),
        ({"a": [0, 0]}, "interventions of the node 'a' has 2 entries, but X has 4 samples"),
    ],
)
def test_interventions_that_cannot_be(given, message):
    with pytest.raises((TypeError, ValueError), match=message):
        regimes_of(given, 4)


def test_labels_are_outcomes_by_the_names_that_known_nodes_gives():
    named = [("brass", "steel"), None, None]
    found, labels = check_interventions({"a": ["steel", None, "brass"]}, 3, NODES, named)
    assert_array_equal(found.outcomes[:, 0], [1, -1, 0])
    assert labels == named
    with pytest.raises(
        ValueError,
        match=r"interventions of the node 'a' has the labels \['tin'\].* \['brass', 'steel'\]",
    ):
        check_interventions({"a": ["steel", None, "tin"]}, 3, NODES, named)


def test_labels_of_interventions_and_of_known_nodes_are_the_same_names():
    known, was_set = {"a": ["steel", "brass", None]}, {"a": [None, None, "steel"]}
    found = read_knowledge(known, was_set, 3, NODES)
    assert_array_equal(found.known_nodes[:, 0], [1, 0, 1])
    assert found.outcome_names == [("brass", "steel"), None, None]
    alone = read_knowledge(None, {"a": ["steel", "brass", None]}, 3, NODES)
    assert alone.outcome_names == found.outcome_names
    with pytest.raises(ValueError, match="for the node 'a', but known_nodes has numbers"):
        read_knowledge({"a": [0, 1, -1]}, was_set, 3, NODES)


def test_known_outcomes_and_interventions_are_joined():
    known = np.array([[0, -1, -1], [-1, -1, -1], [-1, 1, 0]])
    outcomes = np.array([[0, -1, 1], [-1, -1, -1], [1, -1, -1]])
    interventions = regimes_of(outcomes, 3)
    assert_array_equal(
        add_known(known, interventions, NAMES), [[0, -1, 1], [-1, -1, -1], [1, 1, 0]]
    )
    assert_array_equal(add_known(None, interventions, NAMES), outcomes)
    assert_array_equal(add_known(known, None, NAMES), known)
    which = regimes_of(["a", None, None], 3)
    assert_array_equal(add_known(known, which, NAMES), known)
    with pytest.warns(UserWarning, match=r"interventions set \['a'\], but nothing says"):
        assert add_known(None, which, NAMES) is None


def test_known_outcomes_that_contradict_interventions():
    known = np.array([[-1, -1, -1], [-1, 2, -1]])
    interventions = regimes_of([[-1, -1, -1], [-1, 0, -1]], 2)
    with pytest.raises(ValueError, match="'b' is 2 in sample 1, but interventions sets it to 0"):
        add_known(known, interventions, NAMES)
