"""Fits of more than 128 cells: nodes that mean something, or a fit that says that they do not."""

import math

import matplotlib.pyplot as plt
import numpy as np
import pytest
from made_reports import changed

from skcausalpima import CausalPIMA
from skcausalpima._clustering import many_cells
from skcausalpima._inference.posterior import Answer
from skcausalpima.exceptions import ArrangementWarning, InstabilityWarning
from skcausalpima.inspection import GraphDisplay
from skcausalpima.metrics import node_recovery

BRIEF = {"max_iter": 2, "hidden_layer_sizes": (8,), "random_state": 0}


def table(sizes, n_samples, distance=6.0, seed=0):
    """A table on which effects of nodes add up; each node follows the one before it at times."""
    rng = np.random.default_rng(seed)
    nodes = np.stack([rng.integers(size, size=n_samples) for size in sizes], axis=1)
    for node in range(1, len(sizes)):
        rows = rng.random(n_samples) < 0.3
        nodes[rows, node] = nodes[rows, node - 1] % sizes[node]
    columns = rng.normal(size=(n_samples, 36))
    for node, size in enumerate(sizes):
        columns += (rng.normal(size=(size, 36)) * distance / math.sqrt(72))[nodes[:, node]]
    return columns, nodes


@pytest.fixture(scope="module")
def found():
    X, nodes = table((2,) * 8, 1500)
    return CausalPIMA((2,) * 8, **BRIEF).fit(X), nodes


@pytest.fixture(scope="module")
def by_chance():
    """A fit of a grid with more cells than are searched, here no more than 128."""
    X, _ = table((2,) * 8, 300)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(many_cells, "MAX_SEARCHED", 128)
        with pytest.warns(ArrangementWarning, match=r"\[nodes-by-chance\]"):
            est = CausalPIMA((2,) * 8, **BRIEF).fit(X)
    return est, X


def test_nodes_of_many_cells_are_found_without_a_warning(found):
    est, nodes = found
    assert node_recovery(nodes, est.node_labels_).accuracies.mean() > 0.97
    assert est.arrangement_.found
    assert est.arrangement_.certainty > 0.97
    assert not est.stability_.unstable
    assert est.stability_.with_starts == pytest.approx(est.arrangement_.agreement)
    assert "placed by chance" not in str(est.report(detail="full"))


def test_nodes_that_training_has_changed_are_alarmed():
    """Of discs that overlap one had two nodes, another none, and no warning came."""

    def codes(moved, certainty=0.99):
        five, gap = np.ones(5), {"nodes": np.zeros(5), "cut": np.zeros(5, bool)}
        nodes = {"node_agreement": five, "told": five > 0, "certainty": certainty}
        more = {"node_names": tuple("abcde"), "node_sizes": (3,) * 5, "gaps": gap}
        report = changed(arrangement=nodes, convergence={"moved": moved}, **more)
        return [one.code for one in report.alarms]

    assert codes(0.17) == ["nodes-moved"]
    assert codes(0.05) == codes(math.nan) == []
    assert codes(0.17, certainty=None) == []  # few cells: their clusters are found first


def test_a_bound_of_many_components_is_the_one_of_one_after_the_other(found, monkeypatch):
    est, X = found[0], table((2,) * 8, 60)[0]
    together = est.score_samples(X)
    monkeypatch.setattr(Answer, "in_all_components", Answer.in_components)
    np.testing.assert_allclose(est.score_samples(X), together, rtol=1e-12)


@pytest.mark.slow
def test_nodes_that_are_not_sought_are_told_of(by_chance):
    est, _ = by_chance
    arrangement = est.arrangement_
    assert arrangement.found is False
    assert arrangement.agreement == 0.0
    assert (arrangement.node_agreement == 0).all()
    assert not any(compelled for *_, compelled in est.dag_.edges(data="compelled"))
    assert est.to_graph().compelled_edges() == []
    assert set(est.to_graph().reversible_edges()) == set(est.dag_.edges)
    assert "opacity" in est.to_graph()._repr_svg_()
    report = est.report(detail="full")
    assert "[nodes-by-chance] Nodes are placed by chance" in report.advice[0]
    assert "placed by chance                  N1, N2" in str(report)


@pytest.mark.slow
def test_the_graph_of_nodes_by_chance_is_grey(by_chance):
    display = GraphDisplay.from_estimator(by_chance[0])
    assert display.ax_.get_xlabel().startswith("nodes placed by chance")
    assert {text.get_color() for text in display.texts_.values()} == {"0.5"}
    plt.close()


@pytest.mark.slow
def test_nodes_by_chance_stay_so_in_files_and_in_fits_that_go_on(by_chance, tmp_path):
    est, X = by_chance
    est.save(tmp_path / "fit.safetensors")
    loaded = CausalPIMA.load(tmp_path / "fit.safetensors")
    assert loaded.arrangement_.found is False
    assert loaded.to_graph().compelled_edges() == []
    loaded.partial_fit(X[:200])
    assert not any(compelled for *_, compelled in loaded.dag_.edges(data="compelled"))
    assert loaded.dag_.graph == est.dag_.graph


@pytest.mark.long
def test_samples_without_nodes_give_a_warning():
    X = np.random.default_rng(0).normal(size=(400, 12))
    with (
        pytest.warns(InstabilityWarning, match="other starts"),
        pytest.warns(ArrangementWarning, match=r"\[nodes-by-chance\].* not found"),
    ):
        est = CausalPIMA((2,) * 8, **BRIEF).fit(X)
    assert not est.arrangement_.found


@pytest.mark.long
def test_outcomes_that_overlap_give_another_warning():
    X, _ = table((2,) * 8, 1200, distance=3.5)
    with pytest.warns(ArrangementWarning, match=r"\[labels-overlap\]"):
        est = CausalPIMA((2,) * 8, **BRIEF).fit(X)
    assert est.arrangement_.found
    assert 0.9 < est.arrangement_.certainty < 0.97
    assert "certainty of outcomes, by the fit" in str(est.report(detail="full"))


@pytest.mark.long
def test_other_starts_place_nodes_by_chance_without_a_word():
    X, _ = table((2,) * 8, 300)
    est = CausalPIMA((2,) * 8, init="linear", **BRIEF).fit(X)
    assert est.arrangement_ is None
    assert "placed_by_chance" not in est.dag_.graph
