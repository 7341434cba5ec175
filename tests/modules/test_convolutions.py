"""Convolutional networks: any size, channels last, batches that do not matter."""

import itertools

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from some_slow import some_slow

from skcausalpima import CausalPIMA, Initialization
from skcausalpima.modules import ConvDecoder, ConvEncoder, PaperConvDecoder, PaperConvEncoder
from skcausalpima.modules._convolutions import spatial_shape

PAIRS = {"small": (ConvEncoder, ConvDecoder), "paper": (PaperConvEncoder, PaperConvDecoder)}
SHAPES = [(1,), (2,), (7,), (100,), (1, 1), (5, 8), (9, 6), (4, 7, 3), (3, 1, 2)]


def generator():
    return torch.Generator().manual_seed(0)


@pytest.mark.parametrize("kind", PAIRS)
@pytest.mark.parametrize("linear", [True, False])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_networks_fit_any_size(shape, linear, kind):
    encoder, decoder = (make(shape, 3, generator(), linear) for make in PAIRS[kind])
    x = torch.randn(4, *shape, generator=generator())
    output = encoder.eval()(x)
    assert output.shape == (4, 6)
    decoded = decoder(output[:, :3])
    assert decoded.shape == (4, *shape)
    decoded.square().sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in decoder.parameters())


def test_channels_come_last():
    """Moving an image by a pixel along an axis moves what a convolution sees along that axis."""
    assert spatial_shape((6, 8, 3)) == ((6, 8), 3)
    encoder = ConvEncoder((8, 8, 3), 2, generator(), linear=False).eval()
    image = torch.zeros(1, 8, 8, 3)
    image[0, 4, 2, 1] = 1.0
    seen = encoder.convolutions[0](image.movedim(-1, 1))
    expected = torch.nn.functional.conv2d(
        image[..., 1][:, None],
        encoder.convolutions[0].weight[:, 1:2],
        encoder.convolutions[0].bias,
        stride=2,
        padding=1,
    )
    assert_allclose(seen.detach(), expected.detach(), atol=1e-6)
    with pytest.raises(ValueError, match="'conv' needs curves"):
        spatial_shape((2, 3, 4, 5))


def layers_of(network):
    """Inputs, outputs, kernel and stride of the convolutions along the first axis."""
    kinds = torch.nn.Conv2d | torch.nn.ConvTranspose2d
    layers = [layer for layer in network.convolutions if isinstance(layer, kinds)]
    return [(n.in_channels, n.out_channels, n.kernel_size[0], n.stride[0]) for n in layers]


def test_networks_of_the_paper_are_those_of_appendix_b2():
    """But for the stride of 2, see the docstring."""
    encoder = PaperConvEncoder((28, 28), 2, generator())
    assert layers_of(encoder) == [(1, 32, 3, 2), (32, 64, 3, 2)]
    kinds = [torch.nn.Conv2d, torch.nn.ELU, torch.nn.BatchNorm2d] * 2
    assert [type(layer) for layer in encoder.convolutions] == kinds
    decoder = PaperConvDecoder((28, 28), 2, generator())
    assert decoder.start_shape == (32, 7, 7)
    assert layers_of(decoder) == [(32, 64, 3, 2), (64, 32, 3, 2), (32, 1, 3, 1)]


@pytest.mark.parametrize("size", [27, 28])
def test_every_pixel_is_decoded_from_the_point_below_it(size):
    """Layers that double the resolution keep objects where they are, at the edges, too."""
    decoder = ConvDecoder((size,), 2, generator(), linear=False)
    coarse = torch.zeros(7, *decoder.start_shape)
    coarse[torch.arange(7), 0, torch.arange(7)] = 1.0
    changes = decoder.convolutions(coarse) - decoder.convolutions(torch.zeros_like(coarse))
    weights = changes[:, 0].detach().abs()
    assert (weights.sum(dim=0) > 0).all()
    centres = (weights * torch.arange(size)).sum(dim=1) / weights.sum(dim=1)
    assert (centres.diff() > 0).all()
    assert_allclose(centres[1:-1], 4 * torch.arange(1, 6) + 1.5, atol=2.0)


def test_global_random_state_is_left_alone():
    torch.manual_seed(3)
    before = torch.random.get_rng_state()
    ConvEncoder((9, 9), 2, generator())
    ConvDecoder((9, 9), 2, generator())
    assert torch.equal(torch.random.get_rng_state(), before)


def test_a_linear_start_is_linear():
    rng = np.random.default_rng(0)
    weight, bias = (torch.as_tensor(rng.normal(size=shape)).float() for shape in ((30, 2), (30,)))
    decoder = ConvDecoder((5, 6), 2, generator())
    decoder.initialize_linear(weight, bias)
    z = torch.randn(7, 2, generator=generator())
    assert_allclose(decoder(z).flatten(1).detach(), z @ weight.T + bias, atol=1e-5)


def factory(shape, latent_dim):
    return torch.nn.Sequential(
        torch.nn.Flatten(), torch.nn.Linear(int(np.prod(shape)), 2 * latent_dim)
    )


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    group = np.repeat([0, 1], 25)
    images = rng.normal(size=(50, 6, 5, 2)) + 2.0 * group[:, None, None, None]
    return [images, rng.normal(size=(50, 9)) + 2.0 * group[:, None]]


NETWORKS = [
    {"encoders": "conv", "decoders": "conv"},
    {"encoders": "conv_paper", "decoders": "conv_paper"},
    {"encoders": ["conv", factory], "decoders": [None, "mlp"]},
]


@pytest.mark.parametrize(
    ("networks", "init"),
    some_slow(itertools.product(NETWORKS, ["paper", "arranged"]), []),
)
@pytest.mark.short_fits
def test_rows_of_a_batch_do_not_depend_on_each_other(data, networks, init):
    """Batch normalization included: single rows, subsets and the whole agree."""
    init = Initialization(init, pretraining_epochs=1)
    est = CausalPIMA((2,), max_iter=1, init=init, random_state=0, **networks)
    est.fit(data)
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    whole = est.transform(data)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert_allclose(est.transform([array[:1] for array in data]), whole[:1], atol=1e-10)
    assert_allclose(est.transform([array[::-3] for array in data]), whole[::-3], atol=1e-10)
    assert_allclose(est.score_samples(data)[:3], est.score_samples([a[:3] for a in data]))
    again = CausalPIMA(**est.get_params(deep=False)).fit(data)
    assert_array_equal(again.transform(data), whole)


def test_words_are_the_defaults_by_another_name(brief, data):
    one = brief((2,)).fit(data)
    other = brief((2,), encoders="mlp", decoders=["mlp", None]).fit(data)
    assert_array_equal(one.transform(data), other.transform(data))
