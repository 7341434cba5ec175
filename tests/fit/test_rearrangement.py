"""Clusters that were laid on the grid wrongly when training began, and mended before it ended."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skcausalpima._clustering import candidates, contest
from skcausalpima._clustering.arrangement import arrange_labels, means_of_labels, misfit_of_cells
from skcausalpima._fit.stability import _better
from skcausalpima.metrics import node_recovery

GROUP = np.repeat(np.arange(4), 18)
FACTORS = np.stack([GROUP // 2, GROUP % 2], axis=1)


def corners(labels):
    """Return points around the corners of a rectangle, in the order of their numbers."""
    rng = np.random.default_rng(0)
    places = np.array([[0.0, 0.0], [0.0, 1.0], [3.0, 0.0], [3.0, 1.0]])
    return places[labels] + 0.01 * rng.normal(size=(len(labels), 2))


def test_the_misfit_of_where_clusters_lie_is_that_of_the_best_arrangement_there():
    points = corners(GROUP)
    means, counts = means_of_labels(GROUP, points, 4)
    np.testing.assert_allclose(means, [points[k == GROUP].mean(axis=0) for k in range(4)])
    assert_array_equal(counts, 18)
    best = arrange_labels(GROUP, points, (2, 2), None, np.random.RandomState(0))
    lying = np.argsort(best.cells)
    assert misfit_of_cells(means[lying], counts, (2, 2)) == pytest.approx(best.misfit)
    assert misfit_of_cells(means[[0, 1, 3, 2]], counts, (2, 2)) > 0.05


def test_only_a_clearly_better_arrangement_counts():
    assert _better(corners(GROUP), GROUP, (2, 2)) is None
    crossed = np.array([0, 1, 3, 2])[GROUP]
    found = _better(corners(GROUP), crossed, (2, 2))
    labels = found.cells[crossed]
    assert_array_equal(node_recovery(FACTORS, np.stack([labels // 2, labels % 2], 1))[0], 1.0)
    assert _better(np.zeros((72, 2)), GROUP, (2, 2)) is None  # all fit alike


@pytest.fixture
def crossed_start(monkeypatch):
    """Let fits begin with two clusters on each other's cells, and other samples than in the end."""

    def choose(*args, **kwargs):
        chosen, report = candidates.choose_candidate(*args, **kwargs)
        cells = report.arrangements[report.chosen].cells
        cells[np.isin(cells, [1, 3])] = 4 - cells[np.isin(cells, [1, 3])]
        chosen.responsibilities[:4] = chosen.responsibilities[-4:]  # 4 of 72 in a wrong cluster
        return chosen, report

    monkeypatch.setattr(contest, "choose_candidate", choose)


def test_a_fit_that_begins_wrong_ends_right(quick, pair, fitted, crossed_start):
    est = quick().fit(pair)
    assert node_recovery(FACTORS, est.predict_nodes(pair))[0].min() > 0.95
    assert est.arrangement_.misfit == pytest.approx(fitted.arrangement_.misfit, abs=0.01)
    assert 0.05 <= est.convergence_.moved < 0.1
    assert [*est.dag_.edges] == [*fitted.dag_.edges]
    assert est.lower_bound_ == pytest.approx(fitted.lower_bound_, abs=0.5)


@pytest.mark.slow
def test_a_fit_that_goes_on_ends_right_too(quick, pair, crossed_start):
    est = quick(warm_start=True, max_iter=2).fit(pair)
    assert node_recovery(FACTORS, est.predict_nodes(pair))[0].min() > 0.95
    est.set_params(max_iter=1).fit(pair)
    whole = quick().fit(pair)
    assert_array_equal(est.labels_, whole.labels_)
    assert_array_equal(est.cluster_means_, whole.cluster_means_)


def test_where_edges_are_trained_clusters_stay(quick, pair, crossed_start):
    est = quick(structure="gradient").fit(pair)
    assert node_recovery(FACTORS, est.predict_nodes(pair))[0].min() < 0.8
    assert 0.05 <= est.convergence_.moved < 0.1


def test_known_nodes_tie_clusters_to_cells(quick, pair, crossed_start):
    known = np.full((72, 2), -1)
    known[::5] = FACTORS[::5]
    est = quick().fit(pair, known_nodes=known)
    assert_array_equal(est.predict_nodes(pair)[::5], FACTORS[::5])
