"""What a fit begins with where parameters leave it to the data."""

import functools
import warnings

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from some_slow import some_slow

from skcausalpima import CausalPIMA, Initialization, MissingValues, ScoreSearch
from skcausalpima._initialization.principal_components import noise_variances, principal_scores
from skcausalpima._model.tensors import TensorData
from skcausalpima.datasets import make_grey_bars, make_lattices
from skcausalpima.metrics import node_recovery
from skcausalpima.modules import Batch

SHORT = {
    "max_iter": 1,
    "init": Initialization(pretraining_epochs=2),
    "hidden_layer_sizes": (8,),
    "missing_values": MissingValues(subset_epochs=0),
    "structure": ScoreSearch(polishing_epochs=1),
}


def unlike(seed, distances=(5.0, 5.0), widths=(300, 20), factors=(0, 0), n=800):
    """Two kinds per modality, so many standard deviations apart, and continuous factors."""
    rng = np.random.default_rng(seed)
    kinds = rng.integers(2, size=(n, len(widths)))
    arrays = []
    for m, (width, distance, n_factors) in enumerate(zip(widths, distances, factors, strict=True)):
        axes = np.linalg.qr(rng.normal(size=(width, 1 + n_factors)))[0]
        x = rng.normal(size=(n, width)) + distance * kinds[:, [m]] * axes[:, 0]
        arrays.append(x + 3.0 * rng.normal(size=(n, n_factors)) @ axes[:, 1:].T)
    return arrays, kinds


@functools.cache
def chosen(seed):
    """Return data, kinds, and a fit that has chosen its sides; leave it as it is."""
    arrays, kinds = unlike(seed)
    return arrays, kinds, fitted(arrays)


def data_of(arrays):
    return TensorData(Batch(tuple(arrays), None), torch.float64)


def fitted(X, sizes=(2, 2), **parameters):
    with warnings.catch_warnings(action="ignore"):
        return CausalPIMA(sizes, random_state=0, **SHORT | parameters).fit(X)


# Which side is taken ---------------------------------------------------------------------------


@pytest.mark.long
@pytest.mark.parametrize("seed", range(3))
def test_a_narrow_modality_does_not_outvote_the_signal_of_a_wide_one(seed):
    arrays, kinds, est = chosen(seed)
    assert est.choices_.modality_weights == "elements"
    assert node_recovery(kinds, est.node_labels_).accuracies.min() > 0.95
    balanced = fitted(arrays, modality_weights="balanced")
    assert node_recovery(kinds, balanced.node_labels_).accuracies.min() < 0.8


@pytest.mark.slow
@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(seed, marks=pytest.mark.long) for seed in (1, 2))]
)
def test_factors_of_a_wide_modality_do_not_outvote_a_narrow_one(seed):
    arrays, kinds = unlike(seed, distances=(20.0, 5.0), factors=(2, 0))
    est = fitted(arrays)
    assert [side.modality_weights for side in est.choices_.tried if side.is_taken] == ["balanced"]
    assert node_recovery(kinds, est.node_labels_).accuracies.min() > 0.95


@pytest.mark.slow
def test_views_are_taken_where_they_help():
    bars = make_grey_bars(1500, random_state=0)
    est = fitted(bars.images, (2, 2, 2))
    without, with_view = est.choices_.tried
    assert est.choices_.views == with_view.views == {"modality0": "power_spectrum"}
    assert without.views == {"modality0": None}
    assert with_view.agreement > without.agreement
    assert est._fitted.spec.views == ("power_spectrum",)


@pytest.mark.slow
def test_ties_take_no_views():
    """Rows of noise on clear clusters: all clusterings are right."""
    rng = np.random.default_rng(0)
    kinds = rng.integers(2, size=(600, 2))
    images = rng.normal(size=(600, 16, 16))
    images[:, :, :8] += 3.0 * kinds[:, 0, None, None]
    images[:, :8] += 3.0 * kinds[:, 1, None, None]
    est = fitted(images)
    assert est.choices_.tried == []  # nothing could agree more
    assert est.choices_.views == {"modality0": None}


@pytest.mark.slow
def test_known_outcomes_decide_before_agreement():
    arrays, kinds = unlike(0)
    known = np.where(np.random.default_rng(0).random((800, 1)) < 0.3, kinds, -1)
    est = CausalPIMA((2, 2), random_state=0, **SHORT)
    with warnings.catch_warnings(action="ignore"):
        est.fit(arrays, known_nodes=known)
    assert est.choices_.modality_weights == "elements"


# What is left to the data, and what is not -------------------------------------------------


STATED = [
    {"modality_weights": "balanced"},
    {"modality_weights": "elements"},
    {"modality_weights": [1.0, 2.0]},
    {"modality_weights": "balanced", "views": [None, None]},
    {"init": Initialization("linear", pretraining_epochs=2)},
]


@pytest.mark.parametrize("parameters", some_slow(STATED, STATED[2:3]), ids=str)
def test_what_is_stated_is_not_tried(parameters):
    arrays, _ = unlike(0, widths=(30, 5), n=200)
    est = fitted(arrays, **parameters)
    stated = parameters.get("modality_weights", "balanced")
    if isinstance(stated, list):
        stated = dict(zip(["modality0", "modality1"], stated, strict=True))
    assert est.choices_.modality_weights == stated
    for entry in est.choices_.tried:  # units and components are left open
        assert entry.modality_weights == stated
        assert list(entry.views.values()) == [None, None]


@pytest.mark.slow
def test_stated_views_stay_while_weights_are_open():
    lattices = make_lattices(random_state=0)
    noisy = lattices.curves + 2.0 * lattices.curves.std() * np.random.default_rng(0).normal(
        size=lattices.curves.shape
    )
    est = fitted([lattices.images, noisy], views=["power_spectrum", None])
    assert list(est.choices_.views.values()) == ["power_spectrum", None]
    for entry in est.choices_.tried:
        assert list(entry.views.values()) == ["power_spectrum", None]
        assert entry.modality_weights in ("balanced", "elements")


@pytest.mark.parametrize("distance", [5.0, 20.0])
def test_tables_of_numbers_are_trained_by_their_elements(distance):
    """Where balanced ones show clusters that nothing is to add to, too."""
    arrays, _ = unlike(0, widths=(8, 4), n=200, distances=(distance, distance))
    est = fitted(arrays)
    assert est.choices_.modality_weights == "elements"
    assert "elements" in [entry.modality_weights for entry in est.choices_.tried]


def test_images_of_numbers_are_trained_as_clusters_were_found():
    arrays, _ = unlike(0, widths=(8, 4), n=200)
    est = fitted([arrays[0].reshape(200, 2, 4), arrays[1]])  # an image
    (taken,) = [side.modality_weights for side in est.choices_.tried if side.is_taken]
    assert est.choices_.modality_weights == taken


@pytest.mark.slow
def test_unlike_tables_of_the_same_nodes_are_told_as_well_as_they_can_be():
    """Balanced, the second table counts twice: .009 and .019 fewer are right than can be."""
    lost = []
    for seed in (102, 103, 104):
        rng = np.random.default_rng(seed)
        effects = np.linalg.qr(rng.normal(size=(12, 2)))[0].T * [[4.0], [6.0]]
        kinds = rng.integers(2, size=(1000, 2))
        x = kinds @ effects + rng.normal(size=(1000, 12))
        best = (x @ effects.T > 0.5 * np.square(effects).sum(axis=1)).astype(int)
        est = CausalPIMA((2, 2), random_state=0).fit([x[:, :8], x[:, 8:]])
        right = node_recovery(kinds, est.node_labels_).accuracies.mean()
        lost.append((best == kinds).mean() - right)
    assert np.mean(lost) < 0.005


def test_one_modality_without_a_view_is_not_tried():
    X = np.random.default_rng(0).normal(size=(60, 4)) + np.repeat([[0.0], [9.0]], 30, axis=0)
    assert fitted(X, (2,)).choices_.tried == []


def test_the_published_algorithm_decides_nothing():
    arrays, _ = unlike(0, widths=(30, 5), n=200)
    est = CausalPIMA.published((2, 2), max_iter=2, random_state=0)
    with warnings.catch_warnings(action="ignore"):
        est.fit(arrays)
    assert est.choices_.tried == []
    assert est.choices_.modality_weights == "elements"
    assert est.choices_.scale == {"modality0": "modality", "modality1": "modality"}


@pytest.mark.slow
def test_a_fit_that_goes_on_keeps_what_was_decided():
    arrays, _ = unlike(0)
    est = fitted(arrays, warm_start=True)
    before = est.choices_
    assert before.modality_weights == "elements"
    with warnings.catch_warnings(action="ignore"):
        est.set_params(max_iter=3).fit(arrays)
        assert est.choices_ is before
        est.partial_fit([array[:50] for array in arrays])
    assert est.choices_ is before
    assert est._fitted.spec.modality_weights == (1.0, 1.0)


@pytest.mark.long
def test_runs_of_several_starts_share_the_decision():
    arrays, _ = unlike(0, n=300)
    one, several = fitted(arrays), fitted(arrays, n_init=2)
    assert one.choices_ == several.choices_


@pytest.mark.slow
def test_what_was_decided_can_be_stated():
    """The same parameters, stated, are the same model; its clusters are found by more runs."""
    arrays, kinds, est = chosen(0)
    choices = est.choices_
    stated = fitted(
        arrays, scale=choices.scale, modality_weights=choices.modality_weights, views=choices.views
    )
    assert stated.choices_.tried == []
    assert node_recovery(kinds, stated.node_labels_).accuracies.min() > 0.95


@pytest.mark.slow
def test_samples_that_lack_a_modality():
    arrays, kinds = unlike(0)
    holed = [array.copy() for array in arrays]
    rng = np.random.default_rng(0)
    missing = rng.random(len(kinds)) < 0.2
    holed[1][missing] = np.nan
    est = fitted(holed)
    assert est.choices_.modality_weights == "elements"


# Scores, and noise -------------------------------------------------------------------------


def test_noise_is_that_of_probabilistic_pca():
    rng = np.random.default_rng(0)
    z = rng.normal(size=(2000, 3))
    deviations, widths = (0.5, 2.0, 5.0), (40, 15, 200)
    arrays = [
        torch.as_tensor(
            z @ rng.normal(size=(3, width)) + deviation * rng.normal(size=(2000, width))
        )
        for deviation, width in zip(deviations, widths, strict=True)
    ]
    found = noise_variances(data_of(arrays), 3, seed=0)
    assert_allclose(np.sqrt(found), deviations, rtol=0.1)


def test_noise_of_what_does_not_vary_is_positive():
    arrays = [torch.zeros(5, 3, dtype=torch.float64), torch.ones(5, 1, dtype=torch.float64)]
    assert (noise_variances(data_of(arrays), 6, seed=0) > 0).all()


def test_scores_of_weighted_modalities_are_those_of_scaled_ones():
    rng = np.random.default_rng(0)
    arrays = [torch.as_tensor(rng.normal(size=(50, width))) for width in (4, 9)]
    noise = np.array([0.5, 3.0])
    found = principal_scores(data_of(arrays), 5, 0, weights=(1.0, 2.0), noise=noise)
    scaled = np.concatenate(
        [arrays[0].numpy() / np.sqrt(0.5), arrays[1].numpy() / np.sqrt(3.0 / 2.0)], axis=1
    )
    centred = scaled - scaled.mean(axis=0)
    expected = np.linalg.svd(centred, full_matrices=False)[1][:5]
    lengths = np.linalg.norm(found.scaled, axis=0)
    assert_allclose(lengths / lengths[0], expected / expected[0])
