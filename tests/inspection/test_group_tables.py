"""Tables by group: against Beta quantiles, permutation tests, and what must not matter."""

import networkx as nx
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import beta, chi2_contingency, kstest, norm
from sklearn.base import BaseEstimator

from skcausalpima._base.grid import NodeGrid
from skcausalpima.graph import CategoricalDAG
from skcausalpima.inspection import GroupTables, table_intervals

CHAIN = nx.DiGraph([("a", "b")])
nx.set_node_attributes(CHAIN, 2, "size")
TABLES = {"a": np.array([0.6, 0.4]), "b": np.array([[0.8, 0.2], [0.3, 0.7]])}


class Known(BaseEstimator):
    """A fit of a -> b whose X are the likelihoods of the cells."""

    to_graph = None
    dag_, cpts_ = CHAIN, TABLES
    joint_ = CategoricalDAG(CHAIN, TABLES).joint()
    cluster_states_ = NodeGrid((2, 2)).outcomes()

    def fit(self, X=None):
        return self

    def __sklearn_is_fitted__(self):
        return True

    def predict_proba(self, X):
        probabilities = X * self.joint_.ravel()
        return probabilities / probabilities.sum(axis=1, keepdims=True)

    def predict_nodes(self, X):
        return self.cluster_states_[self.predict_proba(X).argmax(axis=1)]


def drawn(seed, n=300, a=(0.4, 0.4), b=((0.2, 0.7), (0.2, 0.7)), distance=8.0):
    """Draw groups, outcomes by tables of each group, and the likelihoods of their cells."""
    rng = np.random.default_rng(seed)
    group = rng.integers(2, size=n)
    first = (rng.random(n) < np.array(a)[group]).astype(int)
    second = (rng.random(n) < np.array(b)[group, first]).astype(int)
    outcomes = np.stack([first, second], axis=1)
    x = distance * outcomes + rng.normal(size=(n, 2))
    densities = norm.pdf(x[:, :, None], distance * np.arange(2))
    return group, outcomes, np.einsum("na,nb->nab", *np.swapaxes(densities, 0, 1)).reshape(n, 4)


def by_group(X, group, n_draws=5, **more):
    return table_intervals(Known(), X, by=group, n_draws=n_draws, random_state=0, **more).by


def test_certain_samples_give_beta_quantiles_in_each_group():
    group, outcomes, X = drawn(0)
    found = by_group(X, group, n_draws=1000)
    assert_array_equal(found.n_samples, [(group == label).sum() for label in found.labels])
    for k, label in enumerate(found.labels):
        a, b = outcomes[group == label].T
        posterior = beta((a == 1).sum() + 0.5, (a == 0).sum() + 0.5)
        assert_allclose(found.share_low["a"][k, 1], posterior.ppf(0.05), atol=0.02)
        assert_allclose(found.high["a"][k, 1], posterior.ppf(0.95), atol=0.02)
        assert_allclose(found.share["a"][k, 1], posterior.mean(), atol=0.01)
        given = beta((b[a == 1] == 1).sum() + 0.5, (b[a == 1] == 0).sum() + 0.5)
        assert_allclose(found.low["b"][k, 1, 1], given.ppf(0.05), atol=0.02)
        assert_allclose(found.cell_share[k, 1, 1], posterior.mean() * given.mean(), atol=0.01)
    assert_allclose(found.cell_share.sum(axis=(1, 2)), 1.0)
    assert_allclose(found.share["b"], found.cell_share.sum(axis=1))


def test_the_first_table_has_the_p_value_of_a_permutation_test():
    """Labels are certain, and a has no parents: SciPy's test of a 2 x 2 table."""
    for seed in range(3):
        group, outcomes, X = drawn(seed, 80, a=(0.3, 0.5))
        counts = np.zeros((2, 2), dtype=int)
        np.add.at(counts, (group, outcomes[:, 0]), 1)
        exact = chi2_contingency(counts, correction=False, lambda_="log-likelihood").pvalue
        assert abs(by_group(X, group).p_value["a"] - exact) < 0.1


def test_the_mechanism_that_changed_is_named():
    """Only a's table differs; b's shares differ, too, but not its table. And the other way."""
    group, _, X = drawn(1, 600, a=(0.25, 0.65), distance=3.0)
    found = by_group(X, group, n_draws=100)
    assert found.p_value["a"] == 0.001
    assert found.p_value["b"] > 0.05
    assert found.any_p_value < 0.01
    apart = found.share_low["b"].max(axis=0) > found.share_high["b"].min(axis=0)
    assert apart.all()
    group, _, X = drawn(1, 600, b=((0.2, 0.4), (0.2, 0.9)), distance=3.0)
    found = by_group(X, group)
    assert found.p_value["b"] < 0.01 < 0.05 < found.p_value["a"]


@pytest.mark.slow
@pytest.mark.parametrize(("n", "distance"), [(300, 8.0), (300, 2.0), (50, 2.0)])
def test_p_values_are_uniform_where_nothing_differs(n, distance):
    """Also of b where a differs. 120 data sets; each assertion fails by chance in .001."""
    p_values = []
    for seed in range(120):
        for a in ((0.4, 0.4), (0.3, 0.5)):
            group, _, X = drawn(seed, n, a=a, distance=distance)
            found = by_group(X, group)
            p_values.append(found.p_value["b"])
            p_values += [found.p_value["a"], found.any_p_value] if a[0] == a[1] else []
    for question in np.reshape(p_values, (120, 4)).T:
        assert kstest(question, "uniform").pvalue > 0.001 / 4


def test_samples_between_two_clusters_widen_the_intervals_of_their_group():
    group, _, clear = drawn(2)
    _, _, vague = drawn(2, distance=1.5)
    widths = [
        found.share_high["a"] - found.share_low["a"]
        for found in (by_group(X, group, 300) for X in (clear, vague))
    ]
    assert (widths[1] > 1.2 * widths[0]).all()


def test_samples_without_a_group_count_for_none_and_names_do_not_matter():
    group, _, X = drawn(3)
    words = np.array(["x", "y"], dtype=object)[group]
    words[::7] = None
    kept = np.array([word is not None for word in words])
    some, others = by_group(X, words, 500), by_group(X[kept], group[kept], 500)
    assert [str(label) in "xy" for label in some.labels] == [True, True]
    assert_array_equal(some.n_samples, others.n_samples)
    assert_allclose(some.share["a"], others.share["a"], atol=0.01)
    assert abs(some.p_value["b"] - others.p_value["b"]) < 0.1


def test_all_samples_have_the_intervals_that_they_have_without_groups():
    group, _, X = drawn(4)
    plain = table_intervals(Known(), X, n_draws=20, random_state=0)
    both = table_intervals(Known(), X, by=group, n_draws=20, random_state=0)
    assert plain.by is None
    assert_array_equal(plain.draws["b"], both.draws["b"])


def test_a_node_that_was_set_in_all_samples_cannot_differ():
    group, outcomes, X = drawn(5, b=((0.1, 0.4), (0.5, 0.9)))
    was_set = np.full_like(outcomes, -1)
    was_set[:, 1] = outcomes[:, 1]
    found = by_group(X, group, params={"interventions": was_set})
    assert found.p_value["b"] == 1.0
    assert found.p_value["a"] > 0.001


def test_weights_are_repeated_rows():
    group, _, X = drawn(6, 100)
    weight = 1 + np.arange(100) % 2
    weighted = by_group(X, group, 500, params={"sample_weight": weight})
    repeated = by_group(np.repeat(X, weight, axis=0), np.repeat(group, weight), 500)
    assert_allclose(weighted.share["b"], repeated.share["b"], atol=0.02)


def test_a_group_of_two_samples_is_not_tested():
    group, _, X = drawn(7)
    words = np.array(["many", "others"])[group]
    words = np.where(np.arange(300) < 2, "two", words)
    found = by_group(X, words, 50)
    assert found.labels[0] == "two"
    assert found.notes == ("Group 'two' has 2 samples, too few to be tested.",)
    assert 0 < found.p_value["a"] <= 1
    assert (found.share_high["a"] - found.share_low["a"])[0, 0] > 0.5
    two = by_group(X, np.where(np.arange(300) < 2, "two", "many"), 2)
    assert np.isnan([*two.p_value.values(), two.any_p_value]).all()
    assert two.notes[-1] == "No two groups are left to be tested."


def test_groups_that_are_a_node_are_told():
    _, outcomes, X = drawn(8)
    assert "The groups are the outcomes of b:" in by_group(X, outcomes[:, 1], 2).notes[0]


def test_what_is_shown():
    group, _, X = drawn(9, 60)
    found = by_group(X, np.array(["<one>", "two"])[group], 20)
    assert isinstance(found, GroupTables)
    frame = found.to_frame()
    assert frame.index.names == ["node", "outcome", "group"]
    assert frame.loc[("b", "1", "two"), "low"] == found.share_low["b"][found.labels.index("two"), 1]
    assert frame.loc[("b", "1", "two"), "p_value"] == found.p_value["b"]
    lines = str(found).splitlines()
    assert lines[0] == "Shares of outcomes by group, intervals of 90%"
    assert len(lines) == 1 + 1 + 4 + 1
    assert f"p {found.any_p_value:.3f}" in lines[-1]
    page = found._repr_html_()
    assert "&lt;one&gt;" in page
    assert "<one>" not in page


def test_groups_of_a_series_and_of_a_masked_array():
    group, _, X = drawn(10, 60)
    series = by_group(X, pd.Series(group, index=np.arange(60) + 7))
    masked = by_group(X, np.ma.masked_array(group, np.arange(60) < 5))
    assert set(series.labels) == {0, 1}
    assert masked.n_samples.sum() == 55


@pytest.mark.parametrize(
    ("by", "message"),
    [
        ("a", "by='a' is a node of the fit.*expected the group of each sample"),
        ("site", r"by='site' is one word: expected .* of shape \(60,\)"),
        (np.zeros(60, int), r"by has 1 group\(s\): expected two or more"),
        ([None] * 60, r"by has 0 group\(s\)"),
        (np.arange(59) % 2, r"by must have shape \(60,\)"),
        (np.linspace(0, 1, 60), "at most 64 groups. associate_nodes compares nodes with numbers"),
        (np.datetime64("2020-01-01") + np.arange(60) % 2, "by holds dates or times"),
    ],
)
def test_errors_say_what_groups_are(by, message):
    with pytest.raises(ValueError, match=message):
        by_group(drawn(0, 60)[2], by)


def test_refits_know_no_groups():
    with pytest.raises(ValueError, match="by compares groups by the fit's own cells: leave refit"):
        by_group(drawn(0, 60)[2], np.arange(60) % 2, refit="mixture")
