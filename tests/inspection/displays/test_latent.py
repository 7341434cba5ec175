"""Samples and clusters in the latent space."""

from copy import deepcopy
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from drawn_texts import assert_readable
from some_slow import some_slow

from skcausalpima.inspection import LatentDisplay
from skcausalpima.inspection._displays.latent import projection_of


def by_hand(n_clusters, n_axes=2, **changes):
    rng = np.random.default_rng(0)
    means = rng.normal(size=(n_clusters, n_axes)) * 4
    labels = np.arange(3 * n_clusters) % n_clusters
    points = means[labels] + rng.normal(size=(len(labels), n_axes))
    covariances = np.broadcast_to(np.eye(n_axes), (n_clusters, n_axes, n_axes))
    return LatentDisplay(points, labels, means, covariances, **changes)


@pytest.mark.parametrize(
    ("n_clusters", "n_axes"),
    some_slow([(1, 1), (2, 2), (64, 2), (100, 1)], [(1, 1), (2, 2)]),
)
def test_clusters_have_points_ellipses_and_names(n_clusters, n_axes, long_names):
    names = [f"{k:06b}" for k in range(n_clusters)]
    display = by_hand(n_clusters, n_axes, cluster_names=names, node_names=long_names).plot()
    assert len(display.points_) == min(n_clusters, 64)  # colours and shapes that differ
    assert len(display.ellipses_) == n_clusters  # by hand, all that were stated
    assert len(display.labels_) == (min(n_clusters, 20) if n_axes == 2 else 0)
    assert_readable(display.figure_)


def test_clusters_that_coincide_have_names_beside_each_other():
    points = np.zeros((20, 2))
    display = LatentDisplay(points, np.arange(20), points).plot()
    assert_readable(display.figure_)
    assert len({label.get_position() for label in display.labels_}) == 20


def test_an_ellipse_is_two_standard_deviations_of_its_cluster():
    covariance = np.array([[[4.0, 1.0], [1.0, 2.0]]])
    points = np.random.default_rng(0).multivariate_normal([1, 2], covariance[0], size=5000)
    (ellipse,) = (
        LatentDisplay(points, np.zeros(5000, int), np.array([[1.0, 2.0]]), covariance)
        .plot()
        .ellipses_
    )
    inside = ellipse.contains_points(ellipse.axes.transData.transform(points))
    assert inside.mean() == pytest.approx(1 - np.exp(-2), abs=0.02)


@pytest.mark.parametrize(
    "c",
    [
        [f"category of 30 letters, no. {k:02d}" for k in range(24)],
        pytest.param(np.arange(24) % 2 == 0, marks=pytest.mark.slow),
        pytest.param(np.arange(24) % 3, marks=pytest.mark.slow),
        np.r_[np.nan, np.arange(23.0)],
        pytest.param([None, "a", "b", "c"] * 6, marks=pytest.mark.slow),
        np.arange(24) * 1000.5,
    ],
    ids=["strings", "booleans", "integers", "gaps", "unknown", "numbers"],
)
def test_points_are_coloured_by_categories_or_numbers(c):
    display = by_hand(8, c=c, c_name="what_they_are_called_in_the_list").plot()
    assert sum(len(points.get_offsets()) for points in display.points_) == 24
    assert (display.ax_.get_legend() is None) == (np.asarray(c).dtype.kind == "f")
    assert_readable(display.figure_)


@pytest.mark.slow
def test_many_integers_are_numbers():
    display = by_hand(30, c=np.arange(90)).plot()
    assert len(display.points_) == 1
    assert len(by_hand(30, c=np.arange(90) % 64).plot().points_) == 64


@pytest.mark.parametrize("projection", ["lda", "pca", [1, 0]], ids=str)
def test_a_fit(shown_fit, shown_data, projection):
    display = LatentDisplay.from_estimator(shown_fit, shown_data, projection=projection)
    assert [label.get_text() for label in display.labels_] == [
        "".join(map(str, states)) for states in shown_fit.cluster_states_
    ]
    assert len(display.ellipses_) == 4
    assert_readable(display.figure_)
    if projection == (0, 1):
        latent = shown_fit.transform(shown_data)
        np.testing.assert_allclose(display.points, latent[:, :2])


def test_a_fit_coloured_by_a_node_or_column(shown_fit, shown_data, random_start):
    display = LatentDisplay.from_estimator(
        shown_fit, shown_data, c="hue", ellipses=False, s=5, ax=plt.subplots()[1]
    )
    np.testing.assert_array_equal(display.c, shown_fit.predict_nodes(shown_data)[:, 1])
    assert display.ellipses_ == []
    assert display.ax_.get_legend().get_title().get_text() == "hue"
    X = pd.DataFrame(np.random.default_rng(0).normal(size=(40, 3)) + 9, columns=["a", "b", "c"])
    est = random_start((2,), latent_dim=1).fit(X)
    display = LatentDisplay.from_estimator(est, X, c="b")
    np.testing.assert_array_equal(display.c, X["b"])
    assert display.points.shape == (40, 1)


def test_empty_components_are_left_out(fitted, pair):
    est = deepcopy(fitted)
    est.separation_ = replace(est.separation_, empty=np.array([2]))
    display = LatentDisplay.from_estimator(est, pair)
    assert len(display.ellipses_) == len(display.labels_) == 3


def test_discriminants_separate_what_the_largest_variance_hides():
    means = np.array([[0.0, -1.0, 0.0], [0.0, 1.0, 0.0]])
    covariances = np.broadcast_to(np.diag([100.0, 0.01, 1.0]), (2, 3, 3))
    directions, _ = projection_of("lda", np.zeros((4, 3)), np.ones(2), means, covariances)
    gap = np.abs(np.diff(means @ directions, axis=0))[0]
    np.testing.assert_allclose(gap, [20, 0], atol=1e-3)
    found = directions.T @ covariances[0] @ directions
    np.testing.assert_allclose(found, np.eye(2), atol=1e-4)
    assert np.abs(directions[:, 1]).argmax() == 0  # the larger variance of the other two
