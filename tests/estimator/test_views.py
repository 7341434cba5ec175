"""Fits with derived views: what they find, and that all methods go with them."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skcausalpima import (
    CausalPIMA,
    Initialization,
    MissingValues,
    MultimodalData,
    ScoreSearch,
    datasets,
)
from skcausalpima.metrics import node_recovery


@pytest.fixture(scope="module")
def spectra():
    return datasets.make_spectra(100, random_state=3)


@pytest.fixture(scope="module")
def modalities(spectra):
    images = datasets.make_sprites(100, random_state=0).images
    return MultimodalData({"image": images, "curve": spectra.curves})


def estimator(max_iter, **parameters):
    """An estimator whose networks are of full size, and that fits in a moment.

    Views are stated: how it is decided about them is seen elsewhere.
    """
    return CausalPIMA(
        (2, 2),
        views={"image": "power_spectrum", "curve": "scale_space"},
        max_iter=max_iter,
        init=Initialization(pretraining_epochs=2),
        structure=ScoreSearch(polishing_epochs=1),
        missing_values=MissingValues(subset_epochs=1),
        random_state=0,
    ).set_params(**parameters)


@pytest.fixture(scope="module")
def model(modalities):
    return estimator(3).fit(modalities)


@pytest.mark.slow
def test_both_modalities_have_views(model):
    assert model._fitted.spec.views == ("power_spectrum", "scale_space")


@pytest.mark.long
def test_peaks_that_move_are_nodes():
    spectra = datasets.make_spectra(1500, random_state=103)
    model = CausalPIMA((2, 2, 2), max_iter=10, random_state=0).fit(spectra.curves)
    assert node_recovery(spectra.factors, model.node_labels_).accuracies.min() > 0.9
    model.set_params(views=None).fit(spectra.curves)
    assert node_recovery(spectra.factors, model.node_labels_).accuracies.min() < 0.9


def test_score_does_not_count_views(model, modalities):
    """The decoders of views could say anything."""
    other = pickle.loads(pickle.dumps(model))
    names = [
        name for name in other._fitted.numbers if name.startswith("views.") and "decoder" in name
    ]
    assert names
    numbers = {
        name: np.zeros_like(array) if name in names else array
        for name, array in other._fitted.numbers.items()
    }
    other._fitted = replace(other._fitted, numbers=numbers)
    assert_array_equal(other.score_samples(modalities), model.score_samples(modalities))
    assert_array_equal(other.predict_proba(modalities), model.predict_proba(modalities))


def test_files_hold_views(model, modalities, tmp_path):
    model.save(tmp_path / "model.npz")
    loaded = CausalPIMA.load(tmp_path / "model.npz")
    assert_array_equal(loaded.predict_proba(modalities), model.predict_proba(modalities))


@pytest.mark.long
def test_a_fit_that_goes_on_keeps_its_views(modalities):
    """Bit by bit, and also with data that would be no curves."""
    model = estimator(1, warm_start=True, training__tol=0).fit(modalities)
    model.set_params(max_iter=2).fit(modalities)
    once = estimator(3, training__tol=0).fit(modalities)
    assert_array_equal(once.transform(modalities), model.transform(modalities))
    noise = np.random.default_rng(0).normal(size=(100, 200)).astype(np.float32)
    model.fit(MultimodalData({"image": modalities["image"], "curve": noise}))
    assert model._fitted.spec.views == ("power_spectrum", "scale_space")


@pytest.mark.long
def test_incomplete_samples_have_the_views_of_what_is_there(modalities):
    holed = {"image": modalities["image"].astype(float), "curve": modalities["curve"].astype(float)}
    holed["image"][:25] = np.nan
    holed["curve"][25:40] = np.nan
    holed["image"][50:60, :3] = np.nan  # single pixels
    model = estimator(2).fit(holed)
    assert np.isfinite(model.transform(holed)).all()
    assert np.isfinite(model.score_samples(holed)).all()
    garbage = {name: array.copy() for name, array in holed.items()}
    garbage["image"][:25], garbage["curve"][25:40] = 1e3, -1e3
    mask = np.ones((100, 2), dtype=bool)
    mask[:25, 0] = mask[25:40, 1] = False
    masked = MultimodalData(garbage, observed=mask)
    again = estimator(2).fit(masked)
    assert_array_equal(again.predict_proba(masked), model.predict_proba(holed))


@pytest.mark.long
def test_several_starts_have_the_same_views(modalities):
    one = estimator(1, n_init=2).fit(modalities)
    assert one._fitted.spec.views == ("power_spectrum", "scale_space")
