"""Labels of ``known_nodes`` are the outcomes' names in all that is shown and asked."""

import copy

import numpy as np
import pytest
from drawn_texts import assert_readable, drawn_texts
from numpy.testing import assert_array_equal
from sklearn.cluster import KMeans
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from some_slow import some_slow

from skcausalpima import CausalPIMA
from skcausalpima.inspection import (
    AssociationDisplay,
    CalibrationDisplay,
    FitReport,
    GraphDisplay,
    InterventionDisplay,
    LatentDisplay,
    NodeEffectDisplay,
    PrototypeDisplay,
    ReconstructionDisplay,
    SummaryDisplay,
    TableDisplay,
    TrainingDisplay,
    associate_nodes,
    edge_confidence,
    table_intervals,
)
from skcausalpima.modules import ExpertDecoder, line

LONG = "steel_that_was_quenched_in_oil"
MATERIALS, HEATS = np.array(["brass", LONG]), np.array(["cast", "forged"])
ABSCISSA = np.linspace(0, 1, 8)


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    group = np.repeat(np.arange(4), 20)
    images = rng.normal(scale=0.1, size=(80, 5, 4)) + (group // 2)[:, None, None]
    curves = (1 + group % 2)[:, None] * ABSCISSA + rng.normal(scale=0.05, size=(80, 8))
    return {"image": images, "curve": curves}, group // 2, group % 2


@pytest.fixture(scope="module")
def named(data, quick):
    X, material, heat = data
    told = np.where(np.arange(80) % 4 == 0, MATERIALS[material], None)
    was_set = np.where(np.arange(80) % 10 == 5, HEATS[heat], None)
    experts = {"image": None, "curve": ExpertDecoder(line, ABSCISSA)}
    est = quick({"material": 2, "heat": 2}, experts=experts)
    return est.fit(X, known_nodes={"material": told}, interventions={"heat": was_set})


SHOWN = {
    "latent": lambda est, X: LatentDisplay.from_estimator(est, X),
    "prototypes": lambda est, X: PrototypeDisplay.from_estimator(est, X),
    "effects": lambda est, X: NodeEffectDisplay.from_estimator(est, modality="curve"),
    "table": lambda est, X: TableDisplay.from_estimator(est, "material"),
    "intervention": lambda est, X: InterventionDisplay.from_estimator(
        est, {"material": LONG}, n_draws=3
    ),
    "summary": lambda est, X: est.plot_summary(X),
}


@pytest.mark.parametrize("name", some_slow(SHOWN, SHOWN.keys() - {"summary"}))
def test_pictures_have_the_names(named, data, name):
    figure = SHOWN[name](named, data[0]).figure_
    assert_readable(figure)
    texts = " ".join(text for text, _ in drawn_texts(figure))
    assert "ste" in texts
    assert "forged" in texts or name == "table"


def test_dollars_are_marked_once(named, data):
    est = copy.copy(named)
    est.dag_ = named.dag_.copy()
    est.dag_.nodes["heat"]["states"] = ("$c", "$f")
    labels = [label.get_text() for label in LatentDisplay.from_estimator(est, data[0]).labels_]
    assert set(labels) == {
        rf"{material},\${heat}" for material in ("brass", "stee…oil") for heat in "cf"
    }


def test_tables_and_the_report_have_the_names(named, data):
    assert named.node_labels_.dtype.kind == "i"
    tables = named.expert_params_["curve"], named.predict_expert_params(data[0])["curve"]
    for table in tables:
        assert table["heat"].dtype.kind == "i"
        assert set(table.to_frame()["heat"]) == {"cast", "forged"}
        assert "forged" in str(table)
    assert list(named.to_graph().table("heat").columns) == ["cast", "forged"]
    report = named.report()
    assert report.outcome_names == (("brass", LONG), ("cast", "forged"))
    assert max(map(len, str(report).splitlines())) <= 80
    for text in (str(report), report._repr_html_()):
        assert "forged" in text


def test_outcomes_can_be_asked_for_by_name(named, data):
    network, X = named.to_graph(), data[0]
    outcomes = [["brass", "forged"], [LONG, 0]]
    assert_array_equal(network.log_prob(outcomes), network.log_prob([[0, 1], [1, 0]]))
    assert_array_equal(network.counterfactual(outcomes, {"material": LONG})[:, 0], [1, 1])
    assert_array_equal(named.intervene({"heat": "forged"}, 2)[1][:, 1], [1, 1])
    rows = {name: array[:2] for name, array in X.items()}
    assert_array_equal(named.counterfactual(rows, {"heat": "cast"})[1][:, 1], [0, 0])
    with pytest.raises(ValueError, match=r"'heat' has no outcome 'tin'.*'cast', 'forged'"):
        network.log_prob([["brass", "tin"]])
    with pytest.raises(ValueError, match="There is no node 'forged'"):
        network.d_separated("forged", "heat")


@pytest.mark.slow
def test_refits_know_the_names(named, data):
    X, material, heat = data
    told = {"material": MATERIALS[material]}
    was_set = {"heat": np.where(np.arange(80) < 9, HEATS[heat], None)}  # most resamples lack some
    params = {"known_nodes": told, "interventions": was_set}
    found = edge_confidence(named, X, n_bootstraps=2, params=params, random_state=0)
    assert len(found.edges) == 2
    intervals = table_intervals(named, X, n_draws=2, params=params, random_state=0)
    assert intervals.intervene({"heat": "cast"}).low["heat"][0] == 1.0


ASKING = {
    "LatentDisplay": lambda est, X: LatentDisplay.from_estimator(est, X),
    "PrototypeDisplay": lambda est, X: PrototypeDisplay.from_estimator(est),
    "NodeEffectDisplay": lambda est, X: NodeEffectDisplay.from_estimator(est),
    "TableDisplay": lambda est, X: TableDisplay.from_estimator(est, "heat"),
    "GraphDisplay": lambda est, X: GraphDisplay.from_estimator(est),
    "TrainingDisplay": lambda est, X: TrainingDisplay.from_estimator(est),
    "InterventionDisplay": lambda est, X: InterventionDisplay.from_estimator(est, {"heat": 1}),
    "ReconstructionDisplay": lambda est, X: ReconstructionDisplay.from_estimator(est, X),
    "SummaryDisplay": lambda est, X: SummaryDisplay.from_estimator(est, X),
    "associate_nodes": lambda est, X: AssociationDisplay.from_estimator(est, X, {}),
    "FitReport": lambda est, X: FitReport.of(est),
    "calibration_curves": lambda est, X: CalibrationDisplay.from_estimator(est),
    "edge_confidence": edge_confidence,
    "table_intervals": table_intervals,
}


@pytest.mark.parametrize("name", ASKING)
def test_other_estimators_are_refused_with_what_to_pass(named, data, name):
    X = data[0]
    with pytest.raises(TypeError, match=rf"^{name}.* needs a fitted CausalPIMA as est, got KMeans"):
        ASKING[name](KMeans(2).fit(np.eye(4)), X)
    pipeline = make_pipeline("passthrough", named)
    with pytest.raises(TypeError, match=r"got Pipeline: pass its last step, est\[-1\]"):
        ASKING[name](pipeline, X)
    search = GridSearchCV(pipeline, {"causalpima__max_iter": [1]})
    with pytest.raises(TypeError, match=r"got GridSearchCV: fit it, and pass est\.best_"):
        ASKING[name](search, X)
    with pytest.raises(NotFittedError):
        ASKING[name](CausalPIMA(), X)


def test_a_class_and_a_fitted_search_are_refused(named, data):
    search = GridSearchCV(named, {"max_iter": [1]})
    search.best_estimator_ = named
    with pytest.raises(TypeError, match=r"got GridSearchCV: pass est.best_estimator_"):
        associate_nodes(search, data[0], {"a": np.zeros(80)})
    with pytest.raises(TypeError, match="got the class CausalPIMA"):
        GraphDisplay.from_estimator(CausalPIMA)
    with pytest.raises(TypeError, match="got the class KMeans"):
        GraphDisplay.from_estimator(KMeans)
