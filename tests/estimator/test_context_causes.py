"""Contexts that were set from outside: a first tier of the graph, which orients arrows."""

import functools

import numpy as np
import pytest
from scipy.stats import beta
from sklearn.base import clone

from skcausalpima import CausalPIMA, Context
from skcausalpima._structure.constraints import EdgeConstraints
from skcausalpima._structure.search import search_dag
from skcausalpima.graph import CategoricalDAG
from skcausalpima.inspection import InterventionDisplay, edge_confidence, table_intervals

CAUSE = Context("dose", role="cause")


def dosed(seed=0, n=900):
    """Return samples in which the dose acts on a, and a on b, and the outcomes of these."""
    rng = np.random.default_rng(seed)
    dose = rng.integers(3, size=n)
    a = (rng.random(n) < np.array([0.1, 0.5, 0.9])[dose]).astype(int)
    b = (rng.random(n) < np.array([0.15, 0.75])[a]).astype(int)
    x = rng.normal(size=(n, 5)) + 7.0 * a[:, None] * [1, 0, 0, 0, 0]
    x = x + 7.0 * b[:, None] * [0, 1, 0, 0, 0] + 3.0 * dose[:, None] * [0, 0, 1, 0.5, 0]
    named = np.stack([a, b], axis=1)
    named[40:] = -1
    return {"x": x, "dose": np.array(["none", "low", "high"])[dose]}, named, dose


@pytest.fixture(scope="module")
def case(taught):
    X, named, dose = dosed()
    est = taught({"a": 2, "b": 2}, contexts=CAUSE).fit(X, known_nodes=named)
    return est, X, dose


def test_an_arrow_is_compelled_that_nodes_alone_leave_open(case):
    est, *_ = case
    assert list(est.dag_) == ["a", "b", "dose"]
    assert set(est.dag_.edges) == {("dose", "a"), ("a", "b")}
    assert est.dag_.edges["a", "b"]["compelled"]
    assert est.dag_.edges["dose", "a"]["compelled"]


@pytest.mark.long
def test_nodes_alone_leave_it_open(quick, case):
    X = case[1]
    measured = quick({"a": 2, "b": 2}, contexts="dose")
    measured.fit(X, known_nodes=dosed()[1])
    assert not any(measured.dag_.edges[edge]["compelled"] for edge in measured.dag_.edges)


def test_tables_have_the_labels_of_causes_as_an_axis(case):
    est, X, _dose = case
    assert list(est.dag_.predecessors("a")) == ["dose"]
    assert est.cpts_["a"].shape == (3, 2)
    assert est.cpts_["b"].shape == (2, 2)
    labels = est.contexts_["dose"].tolist()
    truth = {"none": 0.1, "low": 0.5, "high": 0.9}
    np.testing.assert_allclose(est.cpts_["a"][:, 1], [truth[of] for of in labels], atol=0.07)
    shares = [(X["dose"] == label).mean() for label in labels]
    np.testing.assert_allclose(est.cpts_["dose"], shares, atol=1e-6)


def test_the_joint_is_the_product_of_tables_over_the_shares_of_causes(case):
    est, *_ = case
    joint = np.einsum("e,ea,ab->ab", est.cpts_["dose"], est.cpts_["a"], est.cpts_["b"])
    np.testing.assert_allclose(est.joint_, joint, atol=1e-12)
    np.testing.assert_allclose(est.weights_, joint[tuple(est.cluster_states_.T)], atol=1e-12)
    graph = est.to_graph()
    np.testing.assert_allclose(graph.marginal(["a", "b"]), joint, atol=1e-12)


def test_weights_of_a_label_are_the_product_of_tables_given_it(case):
    est, *_ = case
    for k, label in enumerate(est.contexts_["dose"].tolist()):
        given = est.to_graph().condition({"dose": k}).marginal(["a", "b"])
        found = est.weights_of(dose=label)
        np.testing.assert_allclose(found, given[tuple(est.cluster_states_.T)], atol=1e-6)


def test_draws_after_interventions_keep_causes(case):
    est, *_ = case
    drawn, nodes = est.intervene({"b": 1}, 600, context={"dose": "high"})
    assert set(drawn["dose"]) == {"high"}
    assert nodes.shape == (600, 2)
    assert nodes[:, 0].mean() == pytest.approx(0.9, abs=0.06)
    free, nodes = est.intervene({"b": 1}, 900)
    shares = {of: nodes[free["dose"] == of, 0].mean() for of in ("none", "high")}
    assert shares["none"] < 0.2 < 0.8 < shares["high"]


def test_the_summary_names_the_cause_that_settles_an_arrow(case):
    est, *_ = case
    lines = est.to_graph().summary().splitlines()
    assert len(lines) == 2
    assert all("by dose" in line for line in lines)


def test_counterfactuals_are_under_the_own_dose(case):
    est, X, _ = case
    changed, nodes = est.counterfactual(X, {"a": 1})
    assert (nodes[:, 0] == 1).all()
    np.testing.assert_array_equal(changed["dose"], X["dose"])


def test_predictions_of_training_samples_are_their_labels(case):
    est, X, _ = case
    np.testing.assert_array_equal(est.predict(X), est.labels_)
    assert "dose (cause)" in str(est.report(detail="full"))


@pytest.mark.long
def test_two_roles_in_one_fit(quick):
    X, named, _ = dosed()
    site = np.random.default_rng(1).integers(2, size=len(named))
    contexts = ["site", CAUSE]
    est = quick({"a": 2, "b": 2}, contexts=contexts)
    est.fit(X | {"site": site}, known_nodes=named)
    assert set(est.cpts_) == {"a", "b", "dose"}
    assert est.dag_.edges["a", "b"]["compelled"]
    assert list(est.to_graph().nodes) == ["a", "b", "dose"]
    shares = functools.partial(est.weights_of, dose="high")
    np.testing.assert_allclose(shares(site=0), shares(site=1), atol=0.1)
    joint = np.einsum("e,ea,ab->ab", est.cpts_["dose"], est.cpts_["a"], est.cpts_["b"])
    np.testing.assert_allclose(est.joint_, joint, atol=1e-12)


def test_what_a_cause_cannot_be_is_told(case):
    est, X, _ = case
    with pytest.raises(ValueError, match="has role='cause' and mix=False"):
        CausalPIMA(2, contexts=Context("dose", role="cause", mix=False)).fit(X)
    with pytest.raises(ValueError, match="its edges are searched"):
        CausalPIMA({"a": 2, "b": 2}, contexts=CAUSE, structure=est.to_graph().graph).fit(X)


@pytest.mark.slow
def test_a_cause_of_nothing_has_no_edges(quick):
    X, _, _ = dosed(n=300)
    other = np.random.default_rng(5).integers(2, size=300)
    contexts = Context("other", role="cause")
    est = quick(contexts=contexts).fit({"x": X["x"], "other": other})
    assert est.dag_.degree("other") == 0
    np.testing.assert_allclose(est.joint_.sum(), 1.0)
    np.testing.assert_allclose(est.weights_of(other=0), est.weights_of(other=1), atol=1e-6)


def test_a_new_label_of_a_cause_has_a_row_in_its_tables(case, tmp_path):
    est, X, _ = case
    new, _, dose = dosed(seed=3, n=300)
    table = new["x"][dose == 2] + [0.0, 0.0, 4.0, -3.0, 0.0]  # a is mostly 1
    more = {"x": table, "dose": np.full(len(table), "more")}
    later = est.adapt(more)
    nodes = later.predict_nodes(more)
    assert later.cpts_["a"].shape == (4, 2)
    np.testing.assert_allclose(
        later.cpts_["a"][3], np.bincount(nodes[:, 0]) / len(table), atol=0.01
    )
    np.testing.assert_array_equal(later.cpts_["a"][:3], est.cpts_["a"])
    np.testing.assert_array_equal(later.cpts_["b"], est.cpts_["b"])
    shares = np.append([(X["dose"] == of).sum() for of in est.contexts_["dose"]], len(table))
    np.testing.assert_allclose(later.cpts_["dose"], shares / shares.sum(), atol=1e-3)
    joint = np.einsum("e,ea,ab->ab", later.cpts_["dose"], later.cpts_["a"], later.cpts_["b"])
    np.testing.assert_allclose(later.joint_, joint, atol=1e-12)
    given = later.to_graph().condition({"dose": 3}).marginal(["a", "b"])
    found = later.weights_of(dose="more")
    np.testing.assert_allclose(found, given[tuple(later.cluster_states_.T)], atol=1e-6)
    np.testing.assert_array_equal(later.predict_proba(X), est.predict_proba(X))
    assert set(later.intervene({"b": 1}, 20, context={"dose": "more"})[0]["dose"]) == {"more"}
    later.save(tmp_path / "model")
    np.testing.assert_array_equal(CausalPIMA.load(tmp_path / "model").joint_, later.joint_)


def test_intervals_of_tables_are_those_of_counts_given_the_cause(case):
    """Clusters are clear: counts of outcomes by dose are all that the posterior is made of."""
    est, X, _ = case
    found = table_intervals(est, X, n_draws=2000, random_state=0)
    assert list(found.low) == ["a", "b", "dose"]
    codes = np.searchsorted(est.contexts_["dose"], X["dose"])
    for label in range(3):
        a = est.predict_nodes(X)[codes == label, 0]
        exact = beta(a.sum() + 0.5, len(a) - a.sum() + 0.5)
        np.testing.assert_allclose(found.low["a"][label, 1], exact.ppf(0.05), atol=0.01)
        np.testing.assert_allclose(found.high["a"][label, 1], exact.ppf(0.95), atol=0.01)
    outcomes = found.intervene({"a": 1})
    np.testing.assert_allclose(outcomes.high["a"], [0.0, 1.0], atol=1e-12)
    np.testing.assert_allclose(outcomes.low["dose"], found.low["dose"])


def test_groups_beside_a_cause(case):
    """Groups by chance: their shares are those of all, and tables keep the labels as an axis."""
    est, X, _ = case
    group = np.random.default_rng(0).integers(2, size=len(X["dose"]))
    found = table_intervals(est, X, by=group, n_draws=50, random_state=0).by
    assert list(found.p_value) == ["a", "b"]
    assert found.low["a"].shape == (2, 3, 2)
    assert found.cell_share.shape == (2, 2, 2)
    np.testing.assert_allclose(found.cell_share.mean(axis=0), est.joint_, atol=0.03)
    assert min(found.p_value.values()) > 0.001


def test_intervals_by_refits_refuse_causes(case):
    est, X = case[:2]
    with pytest.raises(ValueError, match="role='cause': leave refit at None"):
        table_intervals(est, X, refit="mixture")


def test_edges_are_as_sure_as_in_bootstrapped_counts(case):
    """The networks stay, and clusters are clear: graphs are those of the counts by dose."""
    est, X, _ = case
    known = {"known_nodes": dosed()[1]}
    found = edge_confidence(est, X, n_bootstraps=3, refit="mixture", params=known, random_state=0)
    assert found.node_names == ("a", "b")
    assert CategoricalDAG(found.dag, est.cpts_).nodes == ["a", "b", "dose"]
    codes, nodes = np.searchsorted(est.contexts_["dose"], X["dose"]), est.predict_nodes(X)
    seeds = np.random.RandomState(0).randint(2**31 - 1, size=3)
    for seed, edges in zip(seeds, found.edges, strict=True):
        drawn = np.random.RandomState(seed).multinomial(len(codes), np.full(900, 1 / 900))
        counts = np.zeros((3, 2, 2))
        np.add.at(counts, (codes, *nodes.T), drawn)
        forbidden = np.zeros((3, 3), dtype=bool)
        forbidden[:, 0] = True
        constraints = EdgeConstraints(np.zeros_like(forbidden), forbidden)
        expected = search_dag(counts, constraints).adjacency[1:, 1:]
        np.testing.assert_array_equal(edges, expected)


@pytest.mark.long
def test_whole_refits_know_causes(case):
    est, X, _ = case
    quick = clone(est).set_params(max_iter=2).fit(X, known_nodes=dosed()[1])
    found = edge_confidence(quick, X, n_bootstraps=2, params={"known_nodes": dosed()[1]})
    assert found.compelled[0, 1] == 1.0


def test_pictures_of_interventions_have_causes(case):
    pytest.importorskip("matplotlib")
    est, *_ = case
    shown = InterventionDisplay.from_estimator(est, {"a": 1}, n_draws=4)
    expected = est.to_graph().do({"a": 1}).marginal(["b"])
    np.testing.assert_allclose(shown.distributions["set"]["b"], expected)
    np.testing.assert_allclose(shown.distributions["set"]["dose"], est.cpts_["dose"])
    assert all(title[0] == "1" for title in shown.titles["set"])
