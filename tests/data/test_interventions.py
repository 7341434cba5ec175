"""Forms of interventions, and what comes of contradictions."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal

from skcausalpima._data.interventions import add_known, check_interventions

NAMES = ["a", "b", "c"]
SIZES = (2, 3, 2)


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
    ],
    ids=range(10),
)
def test_forms_of_nodes_that_were_set(given):
    found = check_interventions(given, 5, SIZES, NAMES)
    assert found.outcomes is None
    assert [found.regimes[number] for number in found.numbers] == [(1,), (), (0,), (), (1,)]
    assert len(found.regimes) == 3


@pytest.mark.parametrize("make", [np.ndarray.tolist, np.asarray, pd.DataFrame, np.int8])
def test_forms_of_outcomes_that_were_set(make):
    given = np.array([[-1, -1, -1], [1, -1, -1], [-1, 2, 0], [0, -1, -1], [-1, -1, -1]])
    found = check_interventions(make(given), 5, SIZES, NAMES)
    assert_array_equal(found.outcomes, given)
    assert found.outcomes.dtype == np.int64
    assert [found.regimes[number] for number in found.numbers] == [(), (0,), (1, 2), (0,), ()]
    assert len(found.regimes) == 3


def test_no_interventions():
    for given in (None, [None] * 4, [-1] * 4, np.full((4, 3), -1)):
        assert check_interventions(given, 4, SIZES, NAMES) is None


def test_one_column_per_node_of_a_single_node():
    found = check_interventions([[0], [-1]], 2, (2,), ["a"])
    assert_array_equal(found.outcomes, [[0], [-1]])
    assert check_interventions(["a", None], 2, (2,), ["a"]).outcomes is None


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([0, 1], r"shape \(4,\), the node .* or \(4, 3\), what .* got shape \(2,\)"),
        (np.zeros((4, 2), dtype=int), r"or \(4, 3\).* got shape \(4, 2\)"),
        ("a", r"expected arrays"),
        (["a", "x", None, None], r"unknown node 'x'; the nodes are \['a', 'b', 'c'\], numbered"),
        ([0, 3, -1, -1], "unknown node 3; .*None or -1 stands for none"),
        ([0, -2, -1, -1], "unknown node -2;"),
        ([0.0, 1.0, -1.0, -1.0], r"unknown node 0\.0"),
        (["a", np.nan, None, None], "unknown node nan"),
        ([True, False, False, True], "unknown node True"),
        (np.array([True, False, False, True]), "unknown node True"),
        (np.full((4, 3), -1.0), "must hold integers.* got dtype float64"),
        (np.full((4, 3), False), "must hold integers.* got dtype bool"),
        (np.full((4, 3), [-1, 3, -1]), "sets the node 'b' to 3, but its outcomes are 0 to 2"),
        (np.full((4, 3), [-2, 0, 0]), "sets the node 'a' to -2, but its outcomes are 0 to 1"),
        (np.full((4, 3), 255, dtype=np.uint8), "sets the node 'a' to 255"),
    ],
)
def test_interventions_that_cannot_be(given, message):
    with pytest.raises((TypeError, ValueError), match=message):
        check_interventions(given, 4, SIZES, NAMES)


def test_known_outcomes_and_interventions_are_joined():
    known = np.array([[0, -1, -1], [-1, -1, -1], [-1, 1, 0]])
    outcomes = np.array([[0, -1, 1], [-1, -1, -1], [1, -1, -1]])
    interventions = check_interventions(outcomes, 3, SIZES, NAMES)
    assert_array_equal(
        add_known(known, interventions, NAMES), [[0, -1, 1], [-1, -1, -1], [1, 1, 0]]
    )
    assert_array_equal(add_known(None, interventions, NAMES), outcomes)
    assert_array_equal(add_known(known, None, NAMES), known)
    which = check_interventions(["a", None, None], 3, SIZES, NAMES)
    assert_array_equal(add_known(known, which, NAMES), known)
    with pytest.warns(UserWarning, match=r"interventions set \['a'\], but nothing says"):
        assert add_known(None, which, NAMES) is None


def test_known_outcomes_that_contradict_interventions():
    known = np.array([[-1, -1, -1], [-1, 2, -1]])
    interventions = check_interventions([[-1, -1, -1], [-1, 0, -1]], 2, SIZES, NAMES)
    with pytest.raises(ValueError, match="'b' is 2 in sample 1, but interventions sets it to 0"):
        add_known(known, interventions, NAMES)
