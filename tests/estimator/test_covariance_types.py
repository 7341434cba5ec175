"""Every word of the table of covariance types is handled wherever a type matters."""

import copy
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from quick_fits import quick
from some_slow import each_once, some_slow

from skcausalpima import CausalPIMA, Mixture
from skcausalpima._state.fitted import full_covariances
from skcausalpima.functional import COVARIANCE_TYPES

pytestmark = pytest.mark.short_fits

SIZES, LATENT_DIM = (2, 2), 3
#: As scikit-learn has them.
SHAPES = {"full": (4, 3, 3), "tied": (3, 3), "diag": (4, 3), "spherical": (4,)}


def fitted(word, **parameters):
    rng = np.random.default_rng(0)
    centres = np.repeat(np.eye(4, 5) * 6.0, 15, axis=0)
    X = rng.normal(size=(60, 5)) + centres
    model = quick(SIZES, latent_dim=LATENT_DIM, mixture=word, max_iter=2, **parameters)
    return model.fit(X), X


@pytest.mark.parametrize(
    ("word", "init"), each_once(list(COVARIANCE_TYPES), ["paper", "linear", "arranged"])
)
def test_a_fit_has_covariances_of_the_shape_in_the_table(word, init):
    model, X = fitted(word, init=init)
    n_components = len(model.cluster_means_)
    covariances, kind = model.cluster_covariances_, COVARIANCE_TYPES[word]
    assert covariances.shape == kind.shape(n_components, LATENT_DIM) == SHAPES[word]
    assert np.isfinite(model.score(X))
    whole = full_covariances(covariances, word, n_components, LATENT_DIM)
    assert whole.shape == (n_components, LATENT_DIM, LATENT_DIM)
    assert np.linalg.eigvalsh(whole).min() > 0.0
    held = model._fitted.numbers["prior.covariances"]
    assert held.ndim == (3 if kind.is_full else 2)
    whole_held = held if kind.is_full else held[:, :, None] * np.eye(LATENT_DIM)
    cells = np.ravel_multi_index(model.cluster_states_.T, SIZES)
    assert_allclose(whole, whole_held[cells])
    if not kind.is_full:
        assert_array_equal(whole, whole * np.eye(LATENT_DIM))


@pytest.mark.slow
@pytest.mark.parametrize("word", some_slow(COVARIANCE_TYPES, ["tied"]))
def test_what_is_fitted_is_saved_drawn_and_continued(word, tmp_path):
    model, X = fitted(word, warm_start=True, init="paper")
    model.save(tmp_path / "model")
    loaded = CausalPIMA.load(tmp_path / "model")
    assert_array_equal(loaded.cluster_covariances_, model.cluster_covariances_)
    assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))
    drawn, labels = model.sample(10)
    assert (drawn.shape, labels.shape) == ((10, 5), (10,))
    assert np.isfinite(drawn).all()
    assert loaded.fit(X).cluster_covariances_.shape == model.cluster_covariances_.shape


def test_the_words_are_those_that_the_class_documents():
    words = ", ".join(f'"{word}"' for word in COVARIANCE_TYPES)
    assert CausalPIMA.__doc__.split("mixture : {")[1].split("}")[0] == words
    assert Mixture.__doc__.split("covariance_type : {")[1].split("}")[0] == words


def test_the_words_are_those_that_the_object_takes():
    (constraint,) = Mixture._parameter_constraints["covariance_type"]
    assert constraint.options == set(COVARIANCE_TYPES)


@pytest.fixture(scope="module")
def of_whole_matrices():
    return fitted("full", init="paper")[0]


@pytest.mark.parametrize("word", ["lowrank", "", None, ["full"]])
def test_saving_an_unknown_type_says_which_there_are(of_whole_matrices, word, tmp_path):
    model = copy.copy(of_whole_matrices)
    model._fitted = replace(model._fitted, covariance_type=word)
    with pytest.raises(ValueError, match="covariance_type is not what a fit of this size leaves"):
        model.save(tmp_path / "model")
