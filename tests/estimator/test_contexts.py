"""Fits of samples of several instruments, sites or days."""

import pickle
from functools import partial

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from some_slow import some_slow

from skcausalpima import CausalPIMA, Context, MultimodalData
from skcausalpima.exceptions import ContextWarning
from skcausalpima.metrics import node_recovery

SHARES = np.array([[0.8, 0.6], [0.2, 0.4]])  # of outcome 1 of each node, by instrument


def two_instruments(seed=0, n=600, move=8.0):
    """Return samples, outcomes of both nodes, instruments, and the offset of the second one."""
    rng = np.random.default_rng(seed)
    instrument = rng.integers(2, size=n)
    nodes = (rng.random((n, 2)) < SHARES[instrument]).astype(int)
    table = rng.normal(size=(n, 6))
    table[:, 0] += 5.0 * nodes[:, 0]
    table[:, 1] += 6.0 * nodes[:, 1]
    offset = move * np.array([0.5, -0.5, 0.7, 0.0, 0.0, 0.1])
    table += instrument[:, None] * offset
    image = rng.normal(size=(n, 3, 3)) + 2.0 * nodes[:, 0, None, None]
    X = {"table": table, "image": image, "instrument": np.array(["A", "B"])[instrument]}
    return X, nodes, instrument, offset


@pytest.fixture(scope="module")
def soon(quick):
    """Make what ``quick`` makes, with a random start, for what does not depend on its clusters."""
    return partial(quick, init="paper", max_iter=1)


@pytest.fixture(scope="module")
def case(taught):
    X, nodes, instrument, offset = two_instruments()
    est = taught(contexts="instrument", max_iter=2).fit(X)
    return est, X, nodes, instrument, offset


def test_offset_and_mix_are_told_apart(case):
    est, _, nodes, _, offset = case
    assert node_recovery(nodes, est.node_labels_).accuracies.min() > 0.98
    found = est.offsets_["table"]["instrument"]
    np.testing.assert_allclose(found[1] - found[0], offset, atol=0.35)
    assert est.offsets_["image"]["instrument"].shape == (2, 3, 3)
    assert np.abs(est.offsets_["image"]["instrument"]).max() < 0.3


def test_offsets_have_the_mean_zero(case):
    est, _, _, instrument, _ = case
    for by_context in est.offsets_.values():
        mean = by_context["instrument"][instrument].mean(axis=0)
        np.testing.assert_allclose(mean, 0.0, atol=1e-8)


def test_contexts_are_no_modalities(case):
    est, X, *_ = case
    assert est.contexts_["instrument"].tolist() == ["A", "B"]
    assert est.n_features_in_ == 15
    assert est.modality_names_in_.tolist() == ["table", "image"]
    assert list(est.reconstruct(X)) == ["table", "image"]


def test_predictions_of_training_samples_are_their_labels(case):
    est, X, *_ = case
    np.testing.assert_array_equal(est.predict(X), est.labels_)
    np.testing.assert_array_equal(est.predict(MultimodalData(X)), est.labels_)
    assert est.score(X) == pytest.approx(est.lower_bound_, rel=1e-6)


def test_reconstructions_are_in_the_units_of_the_instrument(case):
    est, X, _, instrument, offset = case
    mean = est.reconstruct(X)["table"]
    moved = mean[instrument == 1, 2].mean() - mean[instrument == 0, 2].mean()
    assert moved == pytest.approx(offset[2], abs=0.3)
    error = np.square(mean - X["table"]).mean()
    assert error < 1.1


def test_what_is_missing_is_imputed_in_the_units_of_the_instrument(case):
    est, X, _, instrument, _ = case
    table = X["table"].copy()
    table[:100] = np.nan
    filled = est.impute(X | {"table": table})["table"]
    np.testing.assert_array_equal(filled[100:], X["table"][100:])
    error = filled[:100, 2] - X["table"][:100, 2]
    assert abs(error[instrument[:100] == 1].mean()) < 0.6


def test_a_label_that_is_not_known_is_averaged_over(case):
    """The bound of the sample is at most the logarithm of the sum over labels."""
    est, X, *_ = case
    few = {name: of[:50] for name, of in X.items()}
    found = est.score_samples(few | {"instrument": [None] * 50})
    each = [est.score_samples(few | {"instrument": [label] * 50}) for label in "AB"]
    shares = np.array([(X["instrument"] == label).mean() for label in "AB"])
    np.testing.assert_allclose(found, np.logaddexp(*(each + np.log(shares)[:, None])), rtol=1e-6)
    told = [est.predict_proba(few | {"instrument": [label] * 50}) for label in "AB"]
    log_joint = np.array(each) + np.log(shares)[:, None]
    weights = np.exp(log_joint - found)
    expected = np.einsum("en,enc->nc", weights, told)
    unknown = est.predict_proba(few | {"instrument": [None] * 50})
    np.testing.assert_allclose(unknown, expected, atol=1e-6)
    mixed = [None, *few["instrument"][1:]]
    some = est.predict_proba(few | {"instrument": mixed})
    np.testing.assert_allclose(some[0], unknown[0], atol=1e-6)
    np.testing.assert_allclose(some[1:], est.predict_proba(few)[1:], atol=1e-6)


def test_further_answers_take_the_likeliest_label(case):
    est, X, *_ = case
    few = {name: of[:20] for name, of in X.items()}
    unknown = few | {"instrument": None}
    np.testing.assert_allclose(est.reconstruct(unknown)["table"], est.reconstruct(few)["table"])
    np.testing.assert_allclose(est.tail_probability(unknown), est.tail_probability(few))


def test_an_unknown_label_is_an_error_that_names_adapt(case):
    est, X, *_ = case
    with pytest.raises(ValueError, match=r"label 'C' of the context 'instrument'.*adapt"):
        est.predict(X | {"instrument": ["C"] * 600})


def test_pickles_and_files_know_contexts(case, tmp_path):
    est, X, *_ = case
    est.save(tmp_path / "model")
    for other in (pickle.loads(pickle.dumps(est)), CausalPIMA.load(tmp_path / "model")):
        np.testing.assert_array_equal(other.predict_proba(X), est.predict_proba(X))
        assert other.contexts_["instrument"].tolist() == ["A", "B"]


def test_files_know_days(quick, tmp_path):
    days = pd.date_range("2026-01-30", periods=2)
    frame = pd.DataFrame(np.arange(160.0).reshape(80, 2)).rename(columns=str)
    frame["day"] = days[np.arange(80) // 4 % 2]
    quick(2, contexts="day").fit(frame).save(tmp_path / "model")
    est = CausalPIMA.load(tmp_path / "model")
    assert est.contexts_["day"].tolist() == days.to_pydatetime().tolist()
    assert est.predict(frame).shape == (80,)


def test_a_column_of_a_frame_is_a_context(quick):
    X, nodes, *_ = two_instruments(n=200)
    frame = pd.DataFrame(X["table"], columns=list("abcdef")).assign(site=X["instrument"])
    est = quick(contexts=Context("site")).fit(frame)
    assert node_recovery(nodes, est.node_labels_).accuracies.min() > 0.98
    assert est.feature_names_in_.tolist() == list("abcdef")
    np.testing.assert_array_equal(est.predict(frame), est.labels_)


@pytest.mark.long
def test_two_contexts_add_up(quick):
    rng = np.random.default_rng(0)
    X, nodes, *_ = two_instruments()
    day = rng.integers(3, size=600)
    moves = 6.0 * rng.normal(size=(3, 6))
    X = X | {"table": X["table"] + moves[day], "day": day}
    est = quick(contexts=["instrument", "day"]).fit(X)
    assert node_recovery(nodes, est.node_labels_).accuracies.min() > 0.98
    found = est.offsets_["table"]["day"]
    np.testing.assert_allclose(found - found[0], moves - moves[0], atol=0.6)


@pytest.mark.long
def test_one_mix_may_be_stated(soon):
    X, _nodes, *_ = two_instruments()
    context = Context("instrument", mix=False)
    est = soon(contexts=context).fit(X)
    assert "prior.mix_logs" not in est._fitted.numbers
    assert est.predict(X | {"instrument": None}).shape == (600,)


@pytest.mark.slow
def test_modalities_that_are_not_shifted_stay(soon):
    X, *_ = two_instruments(n=100)
    context = Context("instrument", shift=["table"])
    est = soon(contexts=context).fit(X)
    assert list(est.offsets_) == ["table"]


@pytest.mark.long
def test_a_label_of_two_samples_keeps_little_of_its_own(quick):
    X, nodes, *_ = two_instruments(n=200)
    labels = X["instrument"].astype(object)
    labels[:2] = "C"
    est = quick(contexts="instrument").fit(X | {"instrument": labels})
    assert node_recovery(nodes, est.node_labels_).accuracies.min() > 0.98


@pytest.mark.parametrize(
    ("params", "told"),
    [
        ({"contexts": "site"}, "contexts names 'site', but X has the entries"),
        ({"contexts": ["instrument", "instrument"]}, "contexts names 'instrument' twice"),
        ({"node_sizes": {"instrument": 2}}, "'instrument' is a context and a node"),
        ({"structure": "gradient"}, "structure='gradient'.*: use structure='refined'"),
        ({"posterior": "mean_field"}, "posterior='mean_field'.*leave posterior as it is"),
        ({"contexts": Context("instrument", shift=["curve"])}, "names 'curve', but the modalities"),
        ({"contexts": Context("instrument", role="effect")}, "contexts__role"),
        ({"node_sizes": (2,) * 12}, "1 contexts and 12 nodes are 13"),
    ],
)
def test_what_contexts_cannot_be_is_told(params, told):
    X, *_ = two_instruments(n=60)
    est = CausalPIMA(**{"contexts": "instrument", "max_iter": 1} | params)
    with pytest.raises(ValueError, match=told):
        est.fit(X)


def test_entries_of_contexts_are_names_or_contexts():
    X, *_ = two_instruments(n=60)
    with pytest.raises(TypeError, match="contexts holds 3: expected names of entries of X"):
        CausalPIMA(contexts=["instrument", 3]).fit(X)


def test_interventions_are_refused_where_mixes_differ(case):
    est, X, *_ = case
    with pytest.raises(ValueError, match="contexts do not go with interventions, unless"):
        clone(est).fit(X, interventions=["N1"] * 600)


@pytest.mark.slow
def test_interventions_direct_arrows_beside_offsets_of_labels(quick):
    """Two sites see one mix; at one of them a was set in most samples."""
    rng = np.random.default_rng(0)
    site = rng.integers(2, size=600)
    is_set = rng.random(600) < np.array([0.2, 0.7])[site]
    a = (rng.random(600) < np.where(is_set, 0.5, 0.2)).astype(int)
    b = (rng.random(600) < np.array([0.2, 0.8])[a]).astype(int)
    x = rng.normal(size=(600, 5)) + 6.0 * np.stack([a, b], axis=1) @ np.eye(2, 5)
    X = {"x": x + 4.0 * site[:, None] * [1, 0, 1, 0, 0], "site": site}
    was_set = np.where(is_set[:, None] & [True, False], np.stack([a, b], axis=1), -1)
    est = quick({"a": 2, "b": 2}, contexts=Context("site", mix=False), max_iter=5)
    est.fit(X, interventions=was_set)
    assert node_recovery(np.stack([a, b], axis=1), est.node_labels_).accuracies.min() > 0.98
    moved = np.diff(est.offsets_["x"]["site"], axis=0)[0]
    np.testing.assert_allclose(moved, [4, 0, 4, 0, 0], atol=0.4)
    assert est.dag_.edges["a", "b"]["compelled"]
    np.testing.assert_allclose(est.cpts_["a"][1], a[~is_set].mean(), atol=0.03)


def test_a_label_of_weight_zero_alone_is_told():
    X, *_ = two_instruments(n=60)
    weights = (X["instrument"] == "A").astype(float)
    told = "no sample of positive weight has the label 'B' of the context 'instrument'"
    with pytest.raises(ValueError, match=told):
        CausalPIMA(contexts="instrument").fit(X, sample_weight=weights)


def test_the_graph_has_contexts_apart(case):
    est, *_ = case
    assert list(est.dag_) == ["N1", "N2", "instrument"]
    assert est.dag_.nodes["instrument"]["kind"] == "context"
    assert est.dag_.nodes["instrument"]["role"] == "measured"
    assert est.dag_.nodes["instrument"]["states"] == ("A", "B")
    assert not any(est.dag_.edges[edge]["compelled"] for edge in est.dag_.edges)
    assert set(est.dag_.edges) & {("N1", "instrument"), ("N2", "instrument")}
    assert list(est.to_graph().graph) == ["N1", "N2"]
    np.testing.assert_allclose(est.to_graph().joint(), est.joint_, atol=1e-12)


def test_weights_of_a_label_are_its_mix(soon, case):
    est, _, nodes, instrument, _ = case
    for code, label in enumerate("AB"):
        weights = est.weights_of(instrument=label)
        assert weights.sum() == pytest.approx(1.0)
        found = [weights @ (est.cluster_states_[:, node] == 1) for node in (0, 1)]
        truth = nodes[instrument == code].mean(axis=0)
        order = node_recovery(nodes, est.node_labels_).permutation
        for factor, node in enumerate(order):
            errors = [found[node] - truth[factor], 1 - found[node] - truth[factor]]
            assert np.abs(errors).min() < 0.05
    with pytest.raises(ValueError, match="'site' is no context"):
        est.weights_of(site="A")
    rng = np.random.default_rng(0)
    plain = soon(2).fit(rng.normal(size=(9, 2)))
    with pytest.raises(ValueError, match="no context of the fit: it has none"):
        plain.weights_of(site="A")
    with pytest.raises(ValueError, match="no context of the fit: it has none"):
        plain.sample(context={"site": "A"})


def test_labels_that_are_stated_have_the_names_of_contexts(case):
    est, X, *_ = case
    few = {name: of[:3] for name, of in X.items()}
    for asked in (
        lambda: est.reconstruct(few, context="A"),
        lambda: est.sample(2, context=["A"]),
        lambda: est.harmonize(few, to="A"),
    ):
        with pytest.raises(TypeError, match=r"expected a mapping such as \{'instrument': 'A'\}"):
            asked()


def test_draws_are_samples_with_labels(case):
    est, X, *_ = case
    drawn, labels = est.sample(600)
    assert (est.predict(drawn) == labels).mean() > 0.98
    share = (X["instrument"] == "B").mean()
    assert (drawn["instrument"] == "B").mean() == pytest.approx(share, abs=0.06)
    means = [est.sample(400, context={"instrument": of})[0]["table"][:, 2].mean() for of in "AB"]
    assert means[1] - means[0] == pytest.approx(8.0 * 0.7, abs=0.5)
    set_to, nodes = est.intervene({"N1": 1}, 200, context={"instrument": "B"})
    assert set(set_to["instrument"]) == {"B"}
    assert (nodes[:, 0] == 1).all()
    assert (est.predict_nodes(set_to)[:, 0] == 1).mean() > 0.97


def test_counterfactuals_are_of_the_same_instrument(case):
    est, X, *_ = case
    changed, nodes = est.counterfactual(X, {"N1": 0})
    assert list(changed) == ["table", "image", "instrument"]
    assert (est.predict_nodes(changed) == nodes).mean() > 0.98


def test_the_report_tells_of_contexts(case):
    est, X, *_ = case
    report = est.report(detail="full")
    assert report.contexts["instrument"].labels == ["A", "B"]
    assert report.doubts == ()
    text = str(report)
    assert "instrument (measured)" in text
    assert "least overlap of cells" in text
    table = X["table"] - est.offsets_["table"]["instrument"][(X["instrument"] == "B").astype(int)]
    size = np.sqrt(np.square(est.offsets_["table"]["instrument"]).mean())
    spread = np.sqrt(table.var(axis=0).mean())  # this table is scaled as a whole
    assert report.contexts["instrument"].moves["table"] == pytest.approx(size / spread, rel=1e-6)
    assert report.calibration


@pytest.mark.slow
def test_a_context_without_common_cells_is_warned_of(quick):
    X, nodes, *_ = two_instruments(n=200, move=0.0)
    labels = np.array(["A", "B"])[nodes[:, 1]]
    with pytest.warns(ContextWarning, match=r"\[contexts-confounded\]"):
        est = quick(contexts="instrument").fit(X | {"instrument": labels})
    assert "contexts-confounded" in {one.code for one in est.report().alarms}


def test_harmonized_samples_are_those_of_one_instrument(case):
    est, X, _, instrument, offset = case
    moved = est.harmonize(X, to={"instrument": "A"})
    assert set(moved["instrument"]) == {"A"}
    np.testing.assert_allclose(moved["table"][instrument == 0], X["table"][instrument == 0])
    found = (X["table"] - moved["table"])[instrument == 1]
    np.testing.assert_allclose(found, np.broadcast_to(offset, found.shape), atol=0.35)
    back = est.harmonize(moved, to={"instrument": "B"})
    np.testing.assert_allclose(back["table"][instrument == 1], X["table"][instrument == 1])


@pytest.mark.parametrize("form", some_slow(["container", "levels", "frame"], []))
def test_harmonized_samples_have_the_form_of_x(soon, form):
    X, *_ = two_instruments(n=100)
    frame = pd.DataFrame(X["table"], columns=list("abcdef"))
    frame.loc[3, "a"] = np.nan
    given = {
        "container": MultimodalData({"table": frame, "site": X["instrument"]}),
        "levels": pd.concat({"table": frame, "site": pd.DataFrame({"": X["instrument"]})}, axis=1),
        "frame": frame.assign(site=X["instrument"]),
    }[form]
    est = soon(contexts="site").fit(given)
    moved = est.harmonize(given, to={"site": "A"})
    assert type(moved) is type(given)
    np.testing.assert_array_equal(est.predict(moved)[: len(moved)].shape, (100,))
    table = moved["table"] if form != "frame" else moved[list("abcdef")]
    assert np.isnan(np.asarray(table)[3, 0])


def test_reconstructions_of_another_instrument(case):
    est, X, _, instrument, offset = case
    own, other = est.reconstruct(X), est.reconstruct(X, context={"instrument": "B"})
    np.testing.assert_allclose(own["table"][instrument == 1], other["table"][instrument == 1])
    found = (other["table"] - own["table"])[instrument == 0]
    np.testing.assert_allclose(found, np.broadcast_to(offset, found.shape), atol=0.35)


@pytest.mark.long
def test_pictures_are_of_nodes(case):
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    from skcausalpima.inspection import GraphDisplay, LatentDisplay

    est, X, *_ = case
    assert "instrument" in GraphDisplay.from_estimator(est).texts_
    LatentDisplay.from_estimator(est, X)
    est.plot_summary(X)
    matplotlib.pyplot.close("all")
