"""Encoders and decoders."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from torch import nn

from skcausalpima.modules import MLPDecoder, MLPEncoder
from skcausalpima.modules._encoders import layer_sizes, multilayer_perceptron


def seed(number=0):
    return torch.Generator().manual_seed(number)


@pytest.mark.parametrize(
    ("width", "sizes"), [(1000, [128, 64, 32, 16]), (40, [40, 40, 32, 16]), (1, [16] * 4)]
)
def test_layers_are_no_wider_than_the_modality(width, sizes):
    assert layer_sizes(width, (128, 64, 32, 16)) == sizes
    encoder = MLPEncoder((width,), 2, (128, 64, 32, 16), seed())
    decoder = MLPDecoder((width,), 2, (128, 64, 32, 16), seed())
    widths = [layer.out_features for layer in encoder.network if isinstance(layer, nn.Linear)]
    assert widths == [*sizes, 4]
    widths = [layer.out_features for layer in decoder.network if isinstance(layer, nn.Linear)]
    assert widths == [*sizes[::-1], width]


@pytest.mark.parametrize("linear", [True, False])
@pytest.mark.parametrize("hidden", [(), (8,), (128, 64)])
def test_shapes(linear, hidden):
    x, z = torch.ones(5, 3, 2), torch.ones(5, 2)
    assert MLPEncoder((3, 2), 2, hidden, seed(), linear)(x).shape == (5, 4)
    assert MLPDecoder((3, 2), 2, hidden, seed(), linear)(z).shape == (5, 3, 2)


@pytest.mark.parametrize("make", [MLPEncoder, MLPDecoder])
def test_start_values_come_from_the_generator_alone(make):
    before = torch.get_rng_state()
    one, other = make((4,), 2, (8,), seed(1)), make((4,), 2, (8,), seed(1))
    different = make((4,), 2, (8,), seed(2))
    assert torch.equal(torch.get_rng_state(), before)
    for name, tensor in one.state_dict().items():
        assert torch.equal(tensor, other.state_dict()[name])
        assert torch.isfinite(tensor).all()
    assert not torch.equal(one.network[0].weight, different.network[0].weight)


def test_start_values_have_pytorchs_distribution():
    layer = multilayer_perceptron([100, 400], seed())[0]
    assert layer.weight.abs().max() <= 0.1
    assert_allclose(layer.weight.var().item(), 0.01 / 3, rtol=0.05)


def test_decoder_starts_linear():
    rng = np.random.default_rng(0)
    weight, bias, z = (torch.as_tensor(rng.normal(size=s)) for s in [(6, 2), (6,), (5, 2)])
    decoder = MLPDecoder((3, 2), 2, (8,), seed()).double()
    decoder.initialize_linear(weight, bias)
    assert_allclose(decoder(z).detach(), (z @ weight.T + bias).unflatten(1, (3, 2)))


def test_encoder_starts_nearly_linear():
    rng = np.random.default_rng(0)
    sizes = [(2, 6), (2,), (2,), (5, 3, 2)]
    weight, bias, log_var, x = (torch.as_tensor(rng.normal(size=s)) for s in sizes)
    encoder = MLPEncoder((3, 2), 2, (8,), seed()).double()
    network = MLPEncoder((3, 2), 2, (8,), seed()).double().network
    network[-1].bias.data.zero_()
    encoder.initialize_linear(weight, bias, log_var)
    mean, log_vars = encoder(x).detach().chunk(2, dim=1)
    small = 0.1 * network(x.flatten(1)).detach()
    assert_allclose(mean, x.flatten(1) @ weight.T + bias + small[:, :2])
    assert_allclose(log_vars, log_var + small[:, 2:])
