"""Associations of nodes with known properties."""

import copy
import datetime
import itertools
import sys

import numpy as np
import pandas as pd
import pytest
import torch
from nodes_by_hand import as_dag, global_state, random_nodes
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats
from scipy.stats.contingency import association, crosstab
from sklearn.base import BaseEstimator
from sklearn.metrics import normalized_mutual_info_score
from sklearn.metrics.cluster import contingency_matrix

from skcausalpima import MultimodalData
from skcausalpima.inspection import associate_nodes
from skcausalpima.inspection._permutation_tests import numbers_test, table_test

DAYS = [
    np.arange(72).astype("datetime64[ns]"),
    np.arange(72).astype("timedelta64[D]"),
    pd.Series(pd.date_range("2020", periods=72, tz="UTC")),
    pd.period_range("2020", periods=72, freq="D"),
    [None, datetime.date(2020, 1, 1)] * 36,
]


class Given(BaseEstimator):
    """A fitted estimator whose nodes are the columns of X."""

    to_graph = None

    def fit(self, X):
        self.dag_ = as_dag([], X.shape[1])
        return self

    def predict_nodes(self, X):
        return X


def associate(nodes, metadata, **parameters):
    return associate_nodes(
        Given().fit(nodes), nodes, metadata, **({"random_state": 0} | parameters)
    )


def planted(seed, n_samples=200, noise=0.5):
    """Return nodes, and columns that repeat them but for a share of the samples."""
    rng = np.random.default_rng(seed)
    nodes = random_nodes(rng, n_samples, (2, 3))
    other = random_nodes(rng, n_samples, (2, 3))
    return nodes, np.where(rng.random(nodes.shape) < noise, other, nodes)


def scipys_v(first, second):
    return association(crosstab(first, second).count, method="cramer")


def test_statistics_are_scipys_and_scikit_learns():
    nodes, metadata = planted(0)
    v = associate(nodes, metadata, n_permutations=1).statistic
    nmi = associate(nodes, metadata, n_permutations=1, measure="nmi").statistic
    for i, j in np.ndindex(2, 2):
        pair = nodes[:, i], metadata[:, j]
        assert_allclose(v[i, j], scipys_v(*pair))
        assert_allclose(nmi[i, j], normalized_mutual_info_score(*pair), atol=1e-12)


@pytest.mark.parametrize("measure", ["cramers_v", "nmi"])
@pytest.mark.parametrize("seed", [0, *(pytest.param(k, marks=pytest.mark.slow) for k in (1, 2, 3))])
def test_p_values_are_those_of_all_permutations(measure, seed):
    """Within 5 standard errors of 20 000 draws."""
    rng = np.random.default_rng(seed)
    node = rng.integers(2, size=6)
    column = np.where(rng.random(6) < 0.4, node, rng.integers(3, size=6))
    node[:2], column[:3] = [0, 1], [0, 1, 2]
    statistic = scipys_v if measure == "cramers_v" else normalized_mutual_info_score
    observed = statistic(node, column)
    orders = sorted(set(itertools.permutations(column)))  # each is as frequent as any other
    values = np.array([statistic(node, np.array(order)) for order in orders])
    exact = (values >= observed - 1e-9).mean()
    found, p_value, expected = table_test(contingency_matrix(node, column), measure, 20_000, seed)
    assert_allclose(found, observed, atol=1e-12)
    assert abs(p_value - exact) < 5 * np.sqrt(exact * (1 - exact) / 20_000) + 1e-4
    assert abs(expected - values.mean()) < 5 * values.std() / np.sqrt(20_000)


@pytest.mark.slow
@pytest.mark.parametrize("measure", ["cramers_v", "nmi"])
def test_p_values_are_uniform_without_association(measure):
    """A false alarm with probability 1 in 1000, had the seeds not been fixed."""
    rng = np.random.default_rng(1)
    nodes, columns = rng.integers(3, size=(500, 1)), rng.integers(5, size=(500, 400))
    p_values = associate(nodes, columns, n_permutations=199, measure=measure).p_value.ravel()
    spread = p_values - rng.random(400) / 200  # over the steps of 1 / 200
    assert stats.kstest(spread, "uniform").pvalue > 1e-3


@pytest.mark.slow
@pytest.mark.parametrize("measure", ["cramers_v", "nmi"])
def test_power(measure):
    """Half of the entries are those of the node: seen in each of 20 data sets of 100 samples."""
    for seed in range(20):
        found = associate(*planted(seed, 100), n_permutations=199, measure=measure)
        assert_allclose(np.diag(found.p_value), 1 / 200)
        assert (np.diag(found.statistic) > 2 * np.diag(found.expected)).all()


def numbers_of(nodes, rng):
    """Return a column that depends on the first node, with ties and entries that are missing."""
    column = np.round(nodes[:, 0] + rng.normal(size=len(nodes)), 1)
    column[:7] = np.nan
    return column


def test_numbers_have_kruskals_and_wallis_statistic():
    rng = np.random.default_rng(0)
    nodes = random_nodes(rng, 200, (2, 3))
    column = numbers_of(nodes, rng)
    found = associate(nodes, {"age": column, "lab": nodes[:, 0]})
    assert found.measures == ("eta_squared", "cramers_v")
    assert_array_equal(found.n_samples, [193, 200])
    for k, node in enumerate(nodes.T):
        groups = [column[(node == of) & ~np.isnan(column)] for of in np.unique(node)]
        assert_allclose(found.statistic[k, 0], stats.kruskal(*groups).statistic / 192)
        assert_allclose(found.expected[k, 0], (len(groups) - 1) / 192, rtol=0.2)
    assert_array_equal(found.p_value[0], [0.001, 0.001])


def test_p_values_of_numbers_are_those_of_all_permutations():
    """Within 5 standard errors of 20 000 draws; SciPy's chi-squared p-value is another one."""
    node, column = np.array([0, 0, 0, 1, 1, 2]), np.array([0.1, 0.2, 0.2, 0.2, 0.4, 0.3])
    values = [
        stats.kruskal(*(np.array(p)[node == k] for k in range(3))).statistic / 5
        for p in itertools.permutations(column)
    ]
    found, p_value, expected = numbers_test(node, column, 20_000, 0)
    exact = (np.array(values) >= found - 1e-9).mean()
    assert abs(p_value - exact) < 5 * np.sqrt(exact * (1 - exact) / 20_000) + 1e-4
    assert abs(expected - np.mean(values)) < 5 * np.std(values) / np.sqrt(20_000)


def test_p_values_of_numbers_do_not_depend_on_scale_order_and_names():
    rng = np.random.default_rng(1)
    nodes = random_nodes(rng, 90, (2, 3))
    column, rows = numbers_of(nodes, rng), rng.permutation(90)
    found = associate(nodes, {"age": column})
    for others, numbers in [(nodes[rows], column[rows]), (2 - nodes, column), (nodes, column**3)]:
        other = associate(others, {"age": numbers})
        assert_allclose(other.statistic, found.statistic)
        assert_array_equal(other.p_value, found.p_value)


def test_many_integers_are_numbers_and_few_are_categories():
    nodes = random_nodes(np.random.default_rng(2), 200, (2,))
    columns = {"age": np.arange(200) % 65, "lab": np.arange(200) % 64, "whole": np.full(200, 1.0)}
    found = associate(nodes, pd.DataFrame(columns), n_permutations=9)
    assert found.measures == ("eta_squared", "cramers_v", "cramers_v")
    assert np.isnan(associate(nodes, {"age": np.full(200, 0.5)}).statistic).all()


def test_expected_is_what_chance_gives():
    """For 2 x K tables the mean of the square of V is (K - 1) / (n - 1)."""
    rng = np.random.default_rng(2)
    nodes, column = rng.integers(2, size=(400, 1)), rng.integers(20, size=(400, 1))
    assert_allclose(associate(nodes, column).expected, np.sqrt(19 / 399), rtol=0.05)


def test_names_order_and_company_do_not_matter():
    nodes, metadata = planted(3, noise=0.9)
    found = associate(nodes, metadata)
    rows = np.random.default_rng(0).permutation(len(nodes))
    columns = {"a": np.array(["no", "yes"])[metadata[:, 0]], "b": 7 - metadata[:, 1]}
    others = [
        associate(nodes[rows], metadata[rows]),
        associate(np.stack([1 - nodes[:, 0], (nodes[:, 1] + 1) % 3], axis=1), columns),
    ]
    for other in others:
        assert_allclose(other.statistic, found.statistic)
        assert_array_equal(other.p_value, found.p_value)
    swapped = associate(nodes[:, ::-1], metadata[:, ::-1])
    assert_array_equal(swapped.p_value, found.p_value[::-1, ::-1])
    assert_array_equal(associate(nodes, metadata[:, 1:]).p_value, found.p_value[:, 1:])
    assert 0.001 < found.p_value.min() < found.p_value.max() < 1.0


def test_large_tables_are_drawn_in_parts(monkeypatch):
    nodes, metadata = planted(4)
    table = contingency_matrix(nodes[:, 0], metadata[:, 1])
    whole = table_test(table, "cramers_v", 50, 0)
    monkeypatch.setattr("skcausalpima.inspection._permutation_tests.MAX_DRAWN", 20)
    assert_allclose(table_test(table, "cramers_v", 50, 0), whole)


def test_forms_of_metadata_agree():
    nodes, metadata = planted(5, 60)
    missing = np.zeros(metadata.shape, dtype=bool)
    missing[:9, 0], missing[5:20, 1] = True, True
    words = np.where(missing, None, np.array(["x", "y", "z"], dtype=object)[metadata])
    numbers = np.where(missing, np.nan, metadata)
    frame, word_frame = (pd.DataFrame(v, columns=["a", "b"]) for v in (numbers, words))
    forms = [
        words,
        words.tolist(),
        np.where(missing, np.nan, words),
        np.where(missing, np.nan, words).tolist(),
        numbers,
        np.ma.array(metadata, mask=missing),
        frame,
        frame.astype("Int64"),
        word_frame,
        word_frame.astype("category"),
        {"a": np.where(missing, np.nan, words)[:, 0].tolist(), "b": frame["b"]},
        {"a": np.ma.array(metadata[:, 0], mask=missing[:, 0]), "b": frame["b"]},
    ]
    columns = [(column, ~gaps) for column, gaps in zip(metadata.T, missing.T, strict=True)]
    expected = [
        [scipys_v(node[kept], column[kept]) for column, kept in columns] for node in nodes.T
    ]
    for form in forms:
        found = associate(nodes, form, n_permutations=9)
        assert_allclose(found.statistic, expected)
        assert_array_equal(found.n_samples, [51, 45])
        assert found.column_names in {("a", "b"), ("x0", "x1")}


def test_one_outcome_says_nothing():
    nodes, metadata = planted(6)
    nodes = np.column_stack([nodes, np.zeros(200, dtype=int)])
    found = associate(nodes, {"one": [7] * 200, "none": [None] * 200, "two": metadata[:, 0]})
    undefined = np.ones((3, 3), dtype=bool)
    undefined[:2, 2] = False
    assert_array_equal(np.isnan(found.statistic), undefined)
    assert_array_equal(np.isnan(found.expected), undefined)
    assert_array_equal(found.p_value[undefined], 1.0)
    assert_array_equal(found.n_samples, [200, 0, 200])


def test_the_frame_has_a_row_per_pair():
    found = associate(*planted(7))
    frame = found.to_frame()
    assert frame.shape == (4, 5)
    for i, j in np.ndindex(2, 2):
        row = frame.loc[(f"N{i + 1}", f"x{j}")]
        for name in ("statistic", "p_value", "expected"):
            assert row[name] == getattr(found, name)[i, j]
        assert row["n_samples"] == 200
        assert row["measure"] == "cramers_v"


def test_pandas_is_optional(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    nodes, metadata = planted(8)
    found = associate(nodes, {"a": metadata[:, 0]})
    with pytest.raises(ImportError, match="to_frame needs pandas"):
        found.to_frame()


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        (np.zeros((71, 2)), r"Column 'x0' of metadata must have shape \(72,\).* got \(71,\)"),
        ({"a": np.zeros((72, 2))}, r"Column 'a' of metadata must have shape \(72,\)"),
        ({"a": "text"}, r"Column 'a' of metadata must have shape \(72,\)"),
        ({"age": [0.5, "old"] * 36}, r"'age' .* words and the number 0.5: .*pandas.to_numeric"),
        ({"age": [None, np.inf] * 36}, "'age' of metadata holds inf: expected finite numbers"),
        *[({"day": days}, r"'day' .* dates or times \(.*\.dt\.days") for days in DAYS],
        (np.zeros(72), r"array of shape \(n_samples, n_columns\), got shape \(72,\)"),
        (None, r"array of shape \(n_samples, n_columns\), got shape \(\)"),
        ({}, "metadata has no columns"),
        (pd.DataFrame(np.zeros((72, 2)), columns=["a", "a"]), r"different names, got \['a', 'a'\]"),
        ({"a": torch.ones(72).bfloat16()}, "'a' of metadata has dtype torch.bfloat16"),
        ({"a": [[1]] * 71 + [[1, 2]]}, "'a' of metadata must hold categories"),
        (torch.ones(72, 1).bfloat16(), "metadata has dtype torch.bfloat16"),
        (MultimodalData([np.ones((72, 1))]), "metadata cannot be read"),
        ({"a": [10**400, *range(71)]}, "'a' of metadata holds a number beyond those of a float"),
    ],
)
def test_wrong_metadata(fitted, pair, metadata, message):
    with pytest.raises((TypeError, ValueError), match=message):
        associate_nodes(fitted, pair, metadata)


def test_integers_beyond_floats_are_categories():
    nodes, columns = planted(0)
    code = np.array([-(10**5000), 3, 10**400], dtype=object)
    first, second = (associate(nodes, {"a": a}) for a in (columns[:, 1], code[columns[:, 1]]))
    assert_array_equal(first.statistic, second.statistic)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"measure": "correlation"}, "'measure' parameter of associate_nodes must be a str among"),
        *(({"n_permutations": n}, "'n_permutations' par") for n in (True, 1.0, 2**64, 10**400)),
        ({"n_permutations": 0}, r"'n_permutations' parameter .* in the range \[1, "),
        ({"random_state": -1}, "'random_state' parameter"),
    ],
)
def test_wrong_options(fitted, pair, parameters, message):
    with pytest.raises(ValueError, match=message):
        associate_nodes(fitted, pair, np.zeros((72, 1)), **parameters)


def test_nodes_of_a_fit(fitted, pair):
    before, state = copy.deepcopy(pair), global_state()
    found = associate_nodes(fitted, pair, fitted.predict_nodes(pair), random_state=0)
    assert_allclose(np.diag(found.statistic), 1.0)
    assert found.node_names == tuple(fitted.dag_)
    assert_array_equal(global_state(), state)
    for array, copied in zip(pair, before, strict=True):
        assert_array_equal(array, copied)
