"""Contexts beside all else that fits may have."""

import warnings
from functools import partial

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from some_slow import some_slow

from skcausalpima import CausalPIMA, Context, ModalityTransformer, MultimodalData
from skcausalpima._base.grid import NodeGrid
from skcausalpima._held_out.units import Units
from skcausalpima.callback import Checkpoint, OnEpoch
from skcausalpima.inspection import calibration_curves, edge_confidence, table_intervals
from skcausalpima.inspection._table_draws import likelihoods_of_fit
from skcausalpima.metrics import node_recovery
from skcausalpima.model_selection import select_node_sizes
from skcausalpima.modules import ExpertDecoder, line


@pytest.fixture(scope="module")
def soon(quick):
    """Make what ``quick`` makes, with a random start, for what does not depend on its clusters."""
    return partial(quick, init="paper", max_iter=1)


@pytest.fixture(scope="module")
def moved(soon):
    """A fit to samples of two instruments, and these; leave all as they are."""
    X, _ = samples(100)
    return soon(contexts="site").fit(X), X


def samples(n=300, seed=0, move=6.0):
    """Return two modalities of two instruments with unlike mixes, and the outcomes of two nodes."""
    rng = np.random.default_rng(seed)
    site = rng.integers(2, size=n)
    nodes = (rng.random((n, 2)) < np.array([[0.8, 0.4], [0.2, 0.6]])[site]).astype(int)
    x = rng.normal(size=(n, 5)) + 6.0 * np.pad(nodes, ((0, 0), (0, 3)))
    y = rng.normal(size=(n, 8)) + 4.0 * nodes[:, :1]
    x += move * site[:, None] * np.array([0.6, -0.3, 0.7, 0.0, 0.0])
    return {"x": x, "y": y, "site": np.array(["A", "B"])[site]}, nodes


@pytest.mark.long
def test_incomplete_samples_and_missing_elements():
    X, nodes = samples(600)
    rng = np.random.default_rng(1)
    x, y = X["x"].copy(), X["y"].copy()
    y[rng.random(600) < 0.3] = np.nan
    x[rng.random(x.shape) < 0.1] = np.nan
    est = CausalPIMA((2, 2), contexts="site", random_state=0).fit(X | {"x": x, "y": y})
    found = est.offsets_["x"]["site"]
    move = 6.0 * np.array([0.6, -0.3, 0.7, 0.0, 0.0])
    np.testing.assert_allclose(found[1] - found[0], move, atol=0.5)
    assert node_recovery(nodes, est.node_labels_).accuracies.min() > 0.93
    gap, offsets = np.isnan(x), (X["site"] == "B")[:, None] * move
    error = np.abs(est.impute(X | {"x": x, "y": y})["x"] - X["x"])[gap].mean()
    same = {"x": x - offsets, "y": y}
    filled = CausalPIMA((2, 2), random_state=0).fit(same).impute(same)["x"] + offsets
    assert error < 1.05 * np.abs(filled - X["x"])[gap].mean()
    moved = est.harmonize(X | {"x": x, "y": y}, to={"site": "A"})
    np.testing.assert_array_equal(np.isnan(moved["x"]), gap)


@pytest.mark.long
def test_a_modality_may_be_missing_at_predict(taught):
    X, _ = samples()
    est = taught(contexts="site", max_iter=4).fit(X)
    found = est.predict_nodes(X | {"y": None})
    assert (found == est.node_labels_).mean() > 0.97


@pytest.mark.slow
def test_a_continued_fit_is_the_long_one(soon):
    X, _ = samples(100)
    long = soon(contexts="site", max_iter=2).fit(X)
    parts = soon(contexts="site", warm_start=True)
    with warnings.catch_warnings(action="ignore"):
        parts.fit(X).fit(X)
    np.testing.assert_array_equal(parts.predict(X), long.predict(X))
    np.testing.assert_allclose(parts.offsets_["x"]["site"], long.offsets_["x"]["site"])
    with pytest.raises(ValueError, match="a fit that goes on keeps its contexts"):
        parts.set_params(contexts=Context("site", mix=False)).fit(X)


@pytest.mark.slow
def test_samples_that_arrive_are_seen_without_the_offsets_of_the_fit(soon):
    """Where cells are as frequent in all contexts, the rest is a fit of samples without offsets."""
    X, _ = samples()
    first, rest = (
        {name: of[rows] for name, of in X.items()} for rows in np.split(range(300), [200])
    )
    known = soon(contexts=Context("site", mix=False)).fit(first)
    plain = soon()

    def without_offsets(part):
        codes = (part["site"] == "B").astype(int)
        return {name: part[name] - known.offsets_[name]["site"][codes] for name in "xy"}

    plain.fit(without_offsets(first))
    before = known.offsets_["x"]["site"].copy()
    known.partial_fit(rest)
    plain.partial_fit(without_offsets(rest))
    np.testing.assert_array_equal(known.offsets_["x"]["site"], before)
    found, expected = known.predict_proba(X), plain.predict_proba(without_offsets(X))
    np.testing.assert_allclose(found, expected, atol=1e-6)
    with pytest.raises(ValueError, match=r"label 'C'.*adapt"):
        known.partial_fit(rest | {"site": ["C"] * 100})


@pytest.mark.long
@pytest.mark.parametrize("role", ["measured", "cause"])
def test_mixes_of_labels_go_by_the_samples_of_before_and_those_that_arrive(quick, role):
    X, _ = samples()
    first, rest = (
        {name: of[rows] for name, of in X.items()} for rows in np.split(range(300), [200])
    )
    est = quick(contexts=Context("site", role=role)).fit(first)
    counts = est._fitted.contexts.cells
    est.partial_fit(rest)
    codes = (rest["site"] == "B").astype(int)
    cells = NodeGrid((2, 2)).cells(est.predict_nodes(rest))
    added = np.zeros((2, 4))
    np.add.at(added, (codes, cells), 1.0)
    np.testing.assert_allclose(est._fitted.contexts.cells, 0.9 * counts + added, atol=0.5)
    assert est.score(rest) > est.score(rest | {"site": np.where(codes == 1, "A", "B")})


@pytest.mark.long
def test_a_fit_goes_on_from_a_checkpoint(soon, tmp_path):
    X, _ = samples(100)
    stop = OnEpoch(lambda record: record.phase == "training" and record.epoch == 1)
    est = soon(contexts="site", max_iter=2)
    whole = clone(est).fit(X)
    with warnings.catch_warnings(action="ignore"):
        est.set_callbacks(Checkpoint(tmp_path / "begun"), stop).fit(X)
    resumed = CausalPIMA.resume(tmp_path / "begun", X)
    np.testing.assert_array_equal(resumed.predict_proba(X), whole.predict_proba(X))


@pytest.mark.long
def test_several_starts_in_processes(quick):
    X, _ = samples()
    one = quick(contexts="site", n_init=2).fit(X)
    other = quick(contexts="site", n_init=2, n_jobs=2).fit(X)
    np.testing.assert_allclose(one.predict_proba(X), other.predict_proba(X), atol=1e-8)


@pytest.mark.long
def test_weights_are_repeated_rows(soon):
    X, _ = samples(100)
    weights = np.random.default_rng(2).integers(1, 3, size=100)
    rows = np.repeat(np.arange(100), weights)
    twice = {name: of[rows] for name, of in X.items()}
    one = soon(contexts="site").fit(X, sample_weight=weights)
    other = soon(contexts="site").fit(twice)
    np.testing.assert_array_equal(one.predict_proba(X), other.predict_proba(X))


def test_equal_rows_of_two_instruments_are_two_rows(soon):
    X, _ = samples(50)
    twice = {name: np.concatenate([of, of]) for name, of in X.items()}
    twice["site"] = np.repeat(["A", "B"], 50)
    est = soon(contexts="site").fit(twice)
    assert len(est.labels_) == 100


@pytest.mark.slow
def test_an_expert_is_not_shifted(soon):
    rng = np.random.default_rng(0)
    X, nodes = samples(100)
    t = np.linspace(0.0, 1.0, 8)
    curve = rng.normal(0.0, 0.1, size=(100, 8)) + (1.0 + 2.0 * nodes[:, :1]) * t
    X = {"x": X["x"], "curve": curve, "site": X["site"]}
    expert = ExpertDecoder(line, t)
    est = soon(contexts="site", experts={"curve": expert}).fit(X)
    assert list(est.offsets_) == ["x"]
    shifted = Context("site", shift=["curve"])
    with pytest.raises(ValueError, match="names 'curve', which has an expert"):
        CausalPIMA((2, 2), contexts=shifted, experts={"curve": expert}).fit(X)


@pytest.mark.long
def test_a_site_may_lack_a_modality(taught):
    X, nodes = samples(600, seed=100)
    y = X["y"].copy()
    y[X["site"] == "B"] = np.nan
    est = taught(contexts="site", max_iter=1).fit(X | {"y": y})
    assert node_recovery(nodes, est.node_labels_).accuracies.min() > 0.97
    found = np.diff(est.offsets_["x"]["site"], axis=0)[0]
    np.testing.assert_allclose(found, [3.6, -1.8, 4.2, 0.0, 0.0], atol=0.4)


@pytest.mark.long
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_an_offset_of_5000_standard_deviations(quick, dtype):
    X, nodes = samples(move=5000.0)
    single = X | {"x": X["x"].astype(dtype)}
    est = quick(contexts="site", max_iter=1).fit(single)
    assert node_recovery(nodes, est.node_labels_).accuracies.min() > 0.97
    found = np.diff(est.offsets_["x"]["site"], axis=0)[0]
    np.testing.assert_allclose(found, [3000.0, -1500.0, 3500.0, 0.0, 0.0], atol=0.5)


@pytest.mark.long
@pytest.mark.parametrize("covariance", ["diag", "tied", "spherical"])
def test_all_kinds_of_mixtures_of_single_precision(soon, covariance):
    """The data are left as they are."""
    X, _ = samples(100)
    single = {n: of.astype(np.float32) if n != "site" else of for n, of in X.items()}
    before = {name: of.copy() for name, of in single.items()}
    est = soon(contexts="site", mixture=covariance).fit(single)
    np.testing.assert_array_equal(est.predict(single), est.labels_)
    assert est.transform(single).dtype == np.float32
    assert est.reconstruct(single)["x"].dtype == np.float32
    est.harmonize(single, to={"site": "A"})
    for name, of in before.items():
        np.testing.assert_array_equal(single[name], of)


@pytest.mark.long
def test_searches_know_contexts_by_nested_names(soon):
    X, _ = samples(100)
    est = soon(contexts="site")
    search = GridSearchCV(est, {"contexts__mix": [True, False]}, cv=2)
    assert search.fit(MultimodalData(X)).best_params_["contexts__mix"] in (True, False)


@pytest.mark.long
def test_pipelines_pass_contexts_through(soon):
    X, _ = samples(100)
    steps = ModalityTransformer({"x": StandardScaler()}), soon(contexts="site")
    pipeline = make_pipeline(*steps).fit(MultimodalData(X))
    assert pipeline.predict(MultimodalData(X)).shape == (100,)


@pytest.mark.parametrize("refit", some_slow(["mixture", "all"], []))
def test_how_sure_edges_are(moved, refit):
    est, X = moved
    found = edge_confidence(est, X, n_bootstraps=2, refit=refit, random_state=0)
    assert list(found.dag) == ["N1", "N2"]
    assert found.edge.shape == (2, 2)


def test_what_samples_say_of_cells_is_without_the_weights_of_their_label(moved):
    """By the weights under each label that the fit itself states."""
    est, X = moved
    values = likelihoods_of_fit(est, X, {}, Units(len(est.labels_))).values[
        :, NodeGrid((2, 2)).cells(est.cluster_states_)
    ]
    for label in est.contexts_["site"]:
        rows = np.asarray(X["site"]) == label
        expected = est.predict_proba(X)[rows] / est.weights_of(site=label)
        ratios = values[rows] / expected
        np.testing.assert_allclose(ratios, ratios[:, :1].repeat(4, axis=1), rtol=1e-4)


@pytest.mark.long
def test_intervals_of_tables_and_calibration(quick):
    X, nodes = samples(150)
    est = quick(contexts="site").fit(X)
    found = table_intervals(est, X, n_draws=50, random_state=0)
    assert (found.low["N1"] <= est.cpts_["N1"]).all()
    assert (est.cpts_["N1"] <= found.high["N1"]).all()
    assert calibration_curves(est, X, nodes)


@pytest.mark.long
def test_the_choice_of_node_sizes(quick):
    X, _ = samples()
    est = quick(contexts="site")
    found = select_node_sizes(est, MultimodalData(X), [(2, 2), (2,)])
    assert found is not None
