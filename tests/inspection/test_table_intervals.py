"""Intervals of tables and of interventions: against Beta quantiles, by hand, by coverage."""

import networkx as nx
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import beta
from sklearn.base import BaseEstimator

from skcausalpima._base.grid import NodeGrid
from skcausalpima.inspection import table_intervals

CHAIN = nx.DiGraph([("a", "b")])
COUNTS = np.array([[30, 10], [5, 55]])
OUTCOMES = np.repeat(NodeGrid((2, 2)).outcomes(), COUNTS.ravel(), axis=0)


class Known(BaseEstimator):
    """A fit whose X are the likelihoods of the cells."""

    to_graph = None

    def __init__(self, graph=CHAIN, joint=None):
        self.graph = graph
        self.joint = joint

    def fit(self, X=None):
        self.dag_, self.joint_ = self.graph, np.asarray(self.joint, float)
        self.cluster_states_ = NodeGrid(self.joint_.shape).outcomes()[::-1]  # in another order
        self.weights_ = self.joint_.ravel()[::-1]
        names, self.cpts_ = list(self.dag_), {}
        for k, node in enumerate(names):
            axes = [*(names.index(p) for p in self.dag_.predecessors(node)), k]
            others = tuple(n for n in range(self.joint_.ndim) if n not in axes)
            family = np.transpose(self.joint_.sum(axis=others), np.argsort(np.argsort(axes)))
            self.cpts_[node] = family / family.sum(axis=-1, keepdims=True)
        return self

    def predict_proba(self, X):
        found = X * self.weights_
        return found / found.sum(axis=1, keepdims=True)

    def predict_nodes(self, X):
        return self.cluster_states_[self.predict_proba(X).argmax(axis=1)]


@pytest.fixture
def est():
    return Known(joint=COUNTS / COUNTS.sum()).fit()


def certain(outcomes):
    """Return likelihoods that leave no doubt, in the order of the fit's components."""
    cells = NodeGrid((2, 2)).cells(outcomes)
    return (cells[:, None] == np.arange(4)[::-1]).astype(float)


def test_certain_samples_give_beta_quantiles(est):
    found = table_intervals(est, certain(OUTCOMES), n_draws=20_000, random_state=0)
    ends = [0.05, 0.95]
    a, b = beta(40.5, 60.5).ppf(ends), beta([30.5, 5.5], [10.5, 55.5])
    assert_allclose([found.low["a"][0], found.high["a"][0]], a, atol=0.004)
    assert_allclose([found.low["b"][:, 0], found.high["b"][:, 0]], b.ppf(np.c_[ends]), atol=0.004)
    assert found.node_names == ("a", "b")
    assert found.level == 0.9
    for node, shape in (("a", (2,)), ("b", (2, 2))):
        assert found.draws[node].shape == (20_000, *shape)
        assert_allclose(found.draws[node].sum(axis=-1), 1)


def test_intervals_of_interventions_are_those_of_rows_and_of_margins(est):
    found = table_intervals(est, certain(OUTCOMES), n_draws=500, random_state=0)
    after = found.intervene({"a": 1})
    assert_allclose(after.low["b"], found.low["b"][1])
    assert_allclose(after.high["b"], found.high["b"][1])
    assert_allclose(after.low["a"], [0, 1])
    assert_allclose(found.intervene({"b": 0}).high["a"], found.high["a"])  # no effect on a cause
    margin = np.einsum("da,dab->db", found.draws["a"], found.draws["b"])
    assert_allclose(found.intervene({}).low["b"], np.quantile(margin, 0.05, axis=0))
    with pytest.raises(ValueError, match="nothing"):
        found.intervene({"nothing": 1})


def test_a_wider_level_has_wider_intervals(est):
    narrow, wide = (
        table_intervals(est, certain(OUTCOMES), level=level, random_state=0)
        for level in (0.5, 0.99)
    )
    assert (wide.low["b"] < narrow.low["b"]).all()
    assert (wide.high["b"] > narrow.high["b"]).all()


def test_samples_in_doubt_widen_the_intervals(est):
    clear = table_intervals(est, certain(OUTCOMES), random_state=0)
    X = certain(OUTCOMES) + 0.3
    doubtful = table_intervals(est, X, random_state=0)
    widths = [found.high["a"] - found.low["a"] for found in (clear, doubtful)]
    assert (widths[1] > 1.3 * widths[0]).all()


def test_weights_are_repeated_rows(est):
    X = certain(OUTCOMES)
    weight = np.arange(len(X)) % 3
    weighted = table_intervals(est, X, params={"sample_weight": weight}, random_state=0)
    repeated = table_intervals(est, np.repeat(X, weight, axis=0), random_state=0)
    assert_array_equal(weighted.low["b"], repeated.low["b"])


def test_known_outcomes_leave_no_doubt(est):
    unknown = np.ones((len(OUTCOMES), 4))
    found = table_intervals(est, unknown, params={"known_nodes": OUTCOMES}, random_state=0)
    clear = table_intervals(est, certain(OUTCOMES), random_state=0)
    assert_array_equal(found.low["b"], clear.low["b"])


@pytest.mark.long
def test_a_node_that_was_set_says_nothing_of_its_table(est):
    was_set = np.full_like(OUTCOMES, -1)
    was_set[::2, 1] = OUTCOMES[::2, 1]
    X = certain(OUTCOMES)
    found = table_intervals(est, X, params={"interventions": was_set}, random_state=0)
    others = table_intervals(est, X[1::2], n_draws=20_000, random_state=0)
    half = table_intervals(
        est, X, params={"interventions": was_set}, n_draws=20_000, random_state=0
    )
    assert_allclose(half.low["b"], others.low["b"], atol=0.01)  # its table: of the other half
    everything = table_intervals(est, X, n_draws=20_000, random_state=0)
    assert_allclose(half.low["a"], everything.low["a"], atol=0.01)
    assert found.draws["b"].shape == (1000, 2, 2)


def test_three_nodes_in_any_order():
    graph = nx.DiGraph()
    graph.add_nodes_from("abc")
    graph.add_edges_from([("c", "b"), ("a", "b")])  # parents of b: c, a
    sizes = (2, 3, 2)
    rng = np.random.default_rng(0)
    joint = rng.dirichlet(np.ones(12)).reshape(sizes)
    est = Known(graph=graph, joint=joint).fit()
    counts = rng.multinomial(100_000, joint.ravel())
    X = np.eye(12)[np.repeat(np.arange(12), counts)][:, ::-1]
    found = table_intervals(est, X, n_draws=200, random_state=0)
    assert found.low["b"].shape == (2, 2, 3)
    for node in "abc":
        assert_allclose(found.draws[node].mean(axis=0), est.cpts_[node], atol=0.02)


@pytest.mark.slow
def test_the_same_seed_gives_the_same_intervals(fitted, pair):
    first, again, other = (table_intervals(fitted, pair, random_state=s) for s in (0, 0, 1))
    assert_array_equal(first.draws["N1"], again.draws["N1"])
    assert (first.draws["N1"] != other.draws["N1"]).any()
    for node, table in fitted.cpts_.items():
        assert first.low[node].shape == table.shape


def test_errors_say_what_is_wrong(fitted, pair):
    with pytest.raises(ValueError, match=r"params has \['weights'\], but fit takes sample_weight"):
        table_intervals(fitted, pair, params={"weights": np.ones(72)})
    with pytest.raises(ValueError, match="level"):
        table_intervals(fitted, pair, level=1.0)
