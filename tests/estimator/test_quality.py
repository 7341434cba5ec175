"""Whole fits on data whose truth is known; ``benchmarks/`` has the tables over many seeds."""

import os
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import average_precision_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skcausalpima import CausalPIMA, ModalityTransformer
from skcausalpima.datasets import (
    load_digits_with_curves,
    make_circles_images,
    make_grey_bars,
    make_pendulum,
)
from skcausalpima.metrics import matched_accuracy, node_recovery


def fitted_to(bunch, node_sizes=(2, 2, 2), **parameters):
    """Fit; return the estimator and its network, named after the factors that its nodes match."""
    est = CausalPIMA(node_sizes, random_state=0, **parameters).fit(bunch.images)
    recovery = node_recovery(bunch.factors, est.node_labels_)
    names = dict(zip(np.array(est.dag_)[recovery.permutation], bunch.factor_names, strict=True))
    return est, est.to_graph().rename_nodes(names), recovery.accuracies


@pytest.mark.parametrize(
    ("graph", "latent_dim"),
    [
        pytest.param("v-structure", None, marks=pytest.mark.slow),
        pytest.param("chain", 2, marks=pytest.mark.long),
    ],
)
def test_circles(graph, latent_dim):
    """Factors are on their nodes when training ends, and the equivalence class is right.

    In two dimensions eight clusters must share a plane, and differ in shape: one common shape
    lost a node in training (down to 0.92 over five seeds, where this has 0.99).
    """
    circles = make_circles_images(2500, graph=graph, random_state=700)
    _, network, accuracies = fitted_to(circles, latent_dim=latent_dim)
    assert accuracies.min() > 0.98
    assert network.markov_equivalent(circles.dag)
    assert (len(network.compelled_edges()) == 2) == (graph == "v-structure")
    assert "compelled" in network.summary() or graph == "chain"


@pytest.mark.long
def test_grey_bars():
    """Three factors that do not add up in the image."""
    bars = make_grey_bars(random_state=700)
    _, _, accuracies = fitted_to(bars)
    assert accuracies.mean() > 0.95


@pytest.mark.long
def test_digits():
    digits = load_digits_with_curves(noise_variance=0.5, random_state=700)
    est = CausalPIMA((10,), random_state=0).fit([digits.images, digits.curves])
    assert matched_accuracy(digits.target, est.labels_) > 0.98


@pytest.mark.long
def test_digits_with_wrong_and_broken_modalities():
    """5 % of the curves are another digit's; then each modality is noise in new samples.

    Seeds 100 to 102 had an average precision of 0.90 to 0.97, all of the noise flagged, and 0.05 to
    0.07 of the new samples that are right.
    """
    digits = load_digits_with_curves(noise_variance=0.5, random_state=700)
    rng = np.random.default_rng(0)
    order = rng.permutation(len(digits.target))  # the images are in the order of the writers
    images, curves, target = digits.images[order], digits.curves[order], digits.target[order]
    mispaired = np.arange(len(curves)) < 60
    curves[:60] = [rng.choice(digits.curves[digits.target != digit]) for digit in target[:60]]
    est = CausalPIMA((10,), random_state=0).fit([images[:1200], curves[:1200]])
    conflict = est.modality_evidence([images[:1200], curves[:1200]]).conflict[:, 0]
    assert average_precision_score(mispaired[:1200], conflict) > 0.85
    new = [images[1200:], curves[1200:]]
    assert (est.tail_probability(new) <= 0.05).mean() < 0.1
    for broken, array in enumerate(new):
        noise = rng.normal(array.mean(), array.std(), array.shape)
        X = [noise if m == broken else right for m, right in enumerate(new)]
        assert (est.tail_probability(X) <= 0.05).mean() > 0.95


@pytest.mark.data
@pytest.mark.long
def test_six_views_of_digits_standardised_in_a_pipeline():
    """Seeds 0 to 4 had 0.9615 to 0.967."""
    with np.load(Path(os.environ["SKCAUSALPIMA_DATA"]) / "mfeat.npz") as file:
        views = dict(file)
    digit = views.pop("y")
    prep = ModalityTransformer({}, remainder=StandardScaler())
    model = make_pipeline(prep, CausalPIMA((10,), modality_weights="balanced", random_state=0))
    assert matched_accuracy(digit, model.fit_predict(views)) > 0.955


@pytest.mark.parametrize(
    "seed", [pytest.param(700, marks=pytest.mark.slow), pytest.param(701, marks=pytest.mark.long)]
)
def test_few_images_whose_views_mislead_kmeans(seed):
    """With derived views alone, k-means led to nodes of which one was .89 and .83 right."""
    pendulums = make_pendulum(200, random_state=seed)
    est = CausalPIMA((3, 3), random_state=0).fit(pendulums.images)
    assert node_recovery(pendulums.factors, est.node_labels_).accuracies.mean() > 0.96
