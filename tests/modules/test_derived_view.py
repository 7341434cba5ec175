"""Derived views: what they show, and that they are no part of the bound."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from small_models import small_spec

from skcausalpima._model.build import build_model
from skcausalpima.modules import Batch, DerivedView
from skcausalpima.modules._derived_view import VIEW_WEIGHT, log_power_spectrum, spatial_axes


def test_axes_of_an_image_are_its_longest():
    assert spatial_axes((28, 28, 3)) == (0, 1)
    assert spatial_axes((3, 28, 32)) == (1, 2)
    assert spatial_axes((17, 16)) == (0, 1)


@pytest.mark.parametrize("shape", [(9, 12), (9, 12, 2), (2, 9, 12)])
def test_power_spectrum_is_that_of_numpy(shape):
    images = np.random.default_rng(0).normal(size=(3, *shape))
    found = log_power_spectrum(torch.as_tensor(images)).numpy()
    axes = tuple(1 + axis for axis in spatial_axes(shape))
    magnitudes = np.abs(np.fft.rfft2(images, axes=axes))
    down = np.minimum(np.arange(9), 9 - np.arange(9)) < 0.375 * 9
    magnitudes = np.compress(down, magnitudes, axis=axes[0])
    magnitudes = np.take(magnitudes, range(int(np.ceil(0.375 * 12))), axis=axes[1])
    assert_allclose(found, np.log1p(magnitudes).reshape(3, -1), atol=1e-12)


def test_power_spectrum_does_not_know_the_place():
    image = torch.zeros(1, 16, 16)
    image[0, 2:6, 3:5] = 1.0
    moved = image.roll((5, 7), dims=(1, 2))
    assert_allclose(log_power_spectrum(image), log_power_spectrum(moved), atol=1e-5)


@pytest.fixture
def model():
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(0)
    spec = small_spec(((16, 16), (5,)), views=("power_spectrum", None))
    model = build_model(spec, generator)
    for name in ("slope", "offset", "mean", "components"):
        buffer = getattr(model.views["0"], name)
        buffer.copy_(torch.randn(buffer.shape, generator=generator))
    return model


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(1)
    arrays = (torch.randn(6, 256, generator=generator), torch.randn(6, 5, generator=generator))
    return Batch(tuple(array.double() for array in arrays), None)


def test_a_view_is_one_more_expert_of_the_posterior(model, batch):
    view = model.views["0"]
    mean, log_var = view.encoder(view(batch.arrays[0])).chunk(2, dim=-1)
    with_view = model.encode(batch)
    views, model.views = model.views, type(model.views)()
    without = model.encode(batch)
    model.views = views
    precision = without.log_var.neg().exp() + log_var.neg().exp()
    expected = (without.mean * without.log_var.neg().exp() + mean * log_var.neg().exp()) / precision
    assert torch.allclose(with_view.mean, expected)
    assert torch.allclose(with_view.log_var, -precision.log())


def test_a_view_trains_but_does_not_count(model, batch):
    """The training bound falls by the weighted error of the view, the likelihoods do not."""
    noise = torch.zeros(6, 2, dtype=torch.float64)
    view = model.views["0"]
    full = model.elbo(batch, noise)
    z = model.encode(batch).mean
    errors = (view.decoder(z) - view(batch.arrays[0])).square().sum(dim=1)
    weight = VIEW_WEIGHT * 256 * model.error_weights()[0]
    likelihood = model.training_log_likelihood(full.squared_errors)
    before = full.values + 0.5 * weight * errors
    with torch.no_grad():
        view.decoder.network[-1].bias += 1.0
    errors = (view.decoder(z) - view(batch.arrays[0])).square().sum(dim=1)
    assert torch.allclose(model.elbo(batch, noise).values, before - 0.5 * weight * errors)
    assert torch.equal(model.training_log_likelihood(full.squared_errors), likelihood)


def test_views_at_hand_are_those_computed(model, batch):
    computed = model.views.computed(batch)
    assert torch.equal(computed.views[0], model.views["0"](batch.arrays[0]))
    assert model.views.computed(computed) is computed
    assert torch.equal(computed.take(slice(2, 4)).views[0], computed.views[0][2:4])
    assert torch.equal(model.encode(batch).mean, model.encode(computed).mean)


def test_a_view_is_missing_with_its_modality(model, batch):
    observed = torch.tensor([[True] * 3 + [False] * 3, [True] * 6])
    hidden = [array.clone() for array in batch.arrays]
    hidden[0][3:] = 1e3
    given = Batch(batch.arrays, observed)
    other = Batch(tuple(hidden), observed)
    assert torch.equal(model.encode(given).mean, model.encode(other).mean)
    noise = torch.zeros(6, 2, dtype=torch.float64)
    assert torch.equal(model.elbo(given, noise).values, model.elbo(other, noise).values)


def test_what_is_linear_in_a_curve_is_a_matrix():
    view = DerivedView("scale_space", (30,), 2, (8,), torch.Generator())
    view.components.copy_(torch.randn(view.components.shape))
    x = torch.randn(4, 30)
    assert torch.allclose(view(2 * x), 2 * view(x), atol=1e-5)
