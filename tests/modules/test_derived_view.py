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


def make_model(**changes):
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(0)
    spec = small_spec(((16, 16), (5,)), views=("power_spectrum", None), **changes)
    model = build_model(spec, generator)
    for name in ("slope", "offset", "mean", "components"):
        buffer = getattr(model.views["0"], name)
        buffer.copy_(torch.randn(buffer.shape, generator=generator))
    return model


@pytest.fixture
def model():
    return make_model()


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(1)
    arrays = (torch.randn(6, 256, generator=generator), torch.randn(6, 5, generator=generator))
    return Batch(tuple(array.double() for array in arrays), None)


def without_views(model):
    views, model.views = model.views, type(model.views)()
    return views


def test_a_view_is_one_more_expert_of_the_published_posterior(batch):
    model = make_model(sampled_responsibilities=True)
    view = model.views["0"]
    mean, log_var = view.encoder(view(batch.arrays[0])).chunk(2, dim=-1)
    with_view = model.encode(batch)
    without_views(model)
    without = model.encode(batch)
    precision = without.log_var.neg().exp() + log_var.neg().exp()
    expected = (without.mean * without.log_var.neg().exp() + mean * log_var.neg().exp()) / precision
    assert torch.allclose(with_view.mean, expected)
    assert torch.allclose(with_view.log_var, -precision.log())


@pytest.mark.parametrize("sees_image", [True, False])
def test_a_view_helps_to_locate_and_adds_no_precision(model, batch, sees_image):
    """What a modality says twice is one piece of evidence; it is one more expert of the mean."""
    observed = torch.ones(2, 6, dtype=torch.bool)
    observed[0, 2:] = sees_image
    batch = Batch(batch.arrays, None if sees_image else observed)
    model.set_information(
        torch.tensor([[[2.0, 0.5], [0.5, 1.0]], [[0.3, 0.0], [0.0, 0.7]]]).double()
    )
    view = model.views["0"]
    outputs = [
        model.encoders[0](batch.arrays[0].unflatten(1, (16, 16))),
        model.encoders[1](batch.arrays[1]),
        view.encoder(view(batch.arrays[0])),
    ]
    means, log_vars = torch.stack(outputs).chunk(2, dim=-1)
    weights = log_vars.neg().exp() * observed[[0, 1, 0]][:, :, None]
    mean = (weights * means).sum(dim=0) / weights.sum(dim=0)
    found = model.posterior(batch).potential
    precisions = torch.einsum("mn,mij->nij", observed.double(), model.information)
    assert torch.allclose(found.precision.expand(6, -1, -1), precisions)
    linear = (precisions @ mean[:, :, None])[:, :, 0]
    assert torch.allclose(found.linear, linear)
    without_views(model)
    alone = model.posterior(batch).potential
    assert torch.equal(alone.precision, found.precision)
    assert not torch.allclose(alone.linear[:2], found.linear[:2])
    assert torch.allclose(alone.linear[2:], found.linear[2:]) != sees_image


@pytest.mark.parametrize("sampled", [False, True])
def test_a_view_trains_but_does_not_count(batch, sampled):
    """The training bound falls by the weighted error of the view, the likelihoods do not."""
    model = make_model(sampled_responsibilities=sampled)
    noise = torch.zeros(6, model.n_draws, dtype=torch.float64)
    view = model.views["0"]
    full = model.elbo(batch, noise)
    log_weights = model.log_weights(None)
    z = model.assign(batch, noise, log_weights).z
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
    assert torch.equal(
        model.posterior(batch).potential.linear, model.posterior(computed).potential.linear
    )


def test_a_view_is_missing_with_its_modality(model, batch):
    observed = torch.tensor([[True] * 3 + [False] * 3, [True] * 6])
    hidden = [array.clone() for array in batch.arrays]
    hidden[0][3:] = 1e3
    given = Batch(batch.arrays, observed)
    other = Batch(tuple(hidden), observed)
    assert torch.equal(
        model.posterior(given).potential.linear, model.posterior(other).potential.linear
    )
    noise = torch.zeros(6, model.n_draws, dtype=torch.float64)
    assert torch.equal(model.elbo(given, noise).values, model.elbo(other, noise).values)


def test_what_is_linear_in_a_curve_is_a_matrix():
    view = DerivedView("scale_space", (30,), 2, (8,), torch.Generator())
    view.components.copy_(torch.randn(view.components.shape))
    x = torch.randn(4, 30)
    assert torch.allclose(view(2 * x), 2 * view(x), atol=1e-5)
