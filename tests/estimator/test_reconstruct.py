"""``reconstruct`` and ``impute``: any subset of the modalities, and back in the data's units."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skcausalpima import MissingValues
from skcausalpima.modules import ExpertDecoder, line


@pytest.fixture(scope="module")
def named(quick, pair):
    return quick().fit({"image": pair[0], "curve": pair[1]})


def holes(pair):
    """Return the pair without the first ten images and another ten curves."""
    images, curves = (array.copy() for array in pair)
    images[:10], curves[20:30] = np.nan, np.nan
    return [images, curves]


def test_one_modality_from_the_other(named, pair):
    """Images tell of one factor, curves of the other: what an image says is a mean over it."""
    mean, std = named.reconstruct([pair[0], None], "curve", return_std=True)
    _, noisy = named.reconstruct([pair[0], None], 1, return_std=True, include_noise=True)
    assert mean.shape == std.shape == (72, 4)
    assert mean.dtype == std.dtype == pair[1].dtype
    assert np.isfinite(mean).all()
    assert (std > 0).all()
    variance = (
        np.exp(named._fitted.numbers["log_variances"][1]) * named._fitted.scaler.factor[1] ** 2
    )
    assert_allclose(np.square(noisy) - np.square(std), variance, rtol=1e-6)


def test_all_modalities(named, pair):
    means, stds = named.reconstruct(pair, return_std=True)
    assert [array.shape for array in means] == [(72, 3, 2), (72, 4)]
    assert [array.shape for array in stds] == [(72, 3, 2), (72, 4)]
    assert_array_equal(named.reconstruct(pair)[1], means[1])
    assert_array_equal(named.reconstruct({"curve": pair[1], "image": pair[0]}, 0), means[0])
    # One linear map would decode the mean of the posterior; the networks are nearly linear.
    decoded = named.inverse_transform(named.transform(pair))["image"]
    assert np.abs(means[0] - decoded).mean() < 0.2 * decoded.std()


def test_impute_fills_only_what_is_missing(named, pair):
    given = holes(pair)
    filled = named.impute(given)
    assert_array_equal(filled[0][10:], given[0][10:])
    assert_array_equal(filled[1][:20], given[1][:20])
    assert_array_equal(filled[0][:10], named.reconstruct(given, "image")[:10])
    assert_array_equal(filled[1][20:30], named.reconstruct(given, "curve")[20:30])
    assert not np.shares_memory(filled[0], given[0])
    assert np.isnan(given[0][:10]).all()
    assert filled[0].flags.writeable


def test_impute_makes_an_array_of_none(named, pair):
    images, curves = named.impute([None, pair[1][:3]])
    assert images.shape == (3, 3, 2)
    assert_array_equal(images, named.reconstruct([None, pair[1][:3]], "image"))
    assert_array_equal(curves, pair[1][:3])


def test_complete_samples_are_returned_as_they_are(named, pair):
    for array, given in zip(named.impute(pair), pair, strict=True):
        assert_array_equal(array, given)
        assert not np.shares_memory(array, given)


def test_one_row(named, pair):
    image = named.reconstruct([None, pair[1][:1]], "image")
    assert_allclose(image, named.reconstruct([None, pair[1]], "image")[:1])
    assert named.impute([None, pair[1][:1]])[0].shape == (1, 3, 2)


def test_nothing_observed_is_the_mean_of_the_model(named, pair):
    """The prior: components by their weights, each with its mean curve."""
    nothing = [np.full((2, 3, 2), np.nan), np.full((2, 4), np.nan)]
    filled = named.impute(nothing)
    drawn = list(named.sample(4000)[0].values())
    for array, draws, given in zip(filled, drawn, pair, strict=True):
        assert_allclose(array[0], draws.mean(axis=0), atol=0.15 * given.std())


def test_without_encoders_of_subsets_those_of_all_samples_answer(fitted, pair):
    assert fitted.missing_values.subset_epochs == 0
    mean, std = fitted.reconstruct([pair[0], None], 1, return_std=True)
    assert np.isfinite(mean).all()
    assert (std > 0).all()


@pytest.mark.long
def test_an_expert_per_cluster_is_averaged(quick):
    """A modality that says nothing leaves all curves, each with its component's weight."""
    rng = np.random.default_rng(0)
    x, slope = np.linspace(0, 1, 20), np.repeat([1.0, 5.0], 60)
    curves = slope[:, None] * x + rng.normal(size=(120, 20)) / 10
    noise = rng.normal(size=(120, 3))
    experts, lessons = [None, ExpertDecoder(line, x)], MissingValues(subset_epochs=60)
    model = quick((2,), experts=experts, missing_values=lessons, training__batch_size=10)
    model.fit([noise, curves])
    mean, std = model.reconstruct([noise[:5], None], 1, return_std=True)
    assert_allclose(mean[0, -1], 3.0, atol=1.2)
    assert std[0, -1] > 0.8
    assert model.reconstruct([noise, curves], 1, True)[1].max() < 0.5


@pytest.mark.parametrize(
    ("modality", "error", "match"),
    [
        ("sound", ValueError, r"no modality 'sound'.*\['image', 'curve'\].*below 2"),
        (2, ValueError, "no modality 2: expected one of the names"),
        ([0, 1], TypeError, r"modality is \[0, 1\]: expected one of the names"),
        (1.0, TypeError, "modality is 1.0"),
    ],
)
def test_a_modality_that_there_is_not(named, pair, modality, error, match):
    with pytest.raises(error, match=match):
        named.reconstruct(pair, modality)


def test_values_far_off_name_their_sample(named, pair):
    curves = pair[1].copy()
    curves[:] = np.nan
    images = pair[0].copy()
    images[7] = 1e306
    with pytest.raises(ValueError, match="Sample 7 is so far from the training data"):
        named.impute([images, curves])
