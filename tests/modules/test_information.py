"""What observations say of the latent point: against algebra, differentiation and drawing."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from torch import nn
from torch.autograd.functional import jacobian

from skcausalpima.modules import (
    Around,
    ClusterDecoder,
    ConvDecoder,
    MLPDecoder,
    VarianceDecoder,
    fisher_information,
    masked_potential,
)
from skcausalpima.modules._decoder_protocol import as_decoder

WIDTH, LATENT, N = 6, 3, 5
LOG_VARIANCE = torch.tensor(-0.7).double()
SLOPE, OFFSET = (
    torch.as_tensor(np.random.default_rng(1).normal(size=shape))
    for shape in ((WIDTH, LATENT), (WIDTH,))
)


def seed(number=0):
    return torch.Generator().manual_seed(number)


def around(step=None):
    """Points with steps of unlike lengths, or of one small one."""
    rng = np.random.default_rng(0)
    steps = rng.uniform(0.2, 1.5, size=(N, LATENT)) if step is None else np.full((N, LATENT), step)
    points = torch.as_tensor(rng.normal(size=(N, LATENT)))
    return Around(points, torch.as_tensor(steps), torch.arange(N) % 2)


def mlp(**options):
    decoder = MLPDecoder((WIDTH,), LATENT, (8,), seed(), **options).double()
    for parameter in decoder.parameters():
        nn.init.normal_(parameter, std=0.7, generator=seed(2))
    return decoder


def linear_mlp():
    decoder = mlp()
    for parameter in decoder.parameters():
        nn.init.zeros_(parameter)
    decoder.initialize_linear(SLOPE, OFFSET)
    return decoder


def linear_of_the_users():
    network = nn.Linear(LATENT, WIDTH).double()
    with torch.no_grad():
        network.weight.copy_(SLOPE)
        network.bias.copy_(OFFSET)
    return as_decoder(network)


class Pair(nn.Module):
    """Means and log-variances, both linear."""

    def __init__(self):
        super().__init__()
        self.slope = torch.as_tensor(np.random.default_rng(3).normal(size=(WIDTH, LATENT)) * 0.4)

    def forward(self, z):
        return z @ SLOPE.T + OFFSET, z @ self.slope.T


@pytest.mark.parametrize("make", [linear_mlp, linear_of_the_users])
def test_of_a_linear_decoder_it_is_an_algebraic_product(make):
    """W'W / s2, wherever and with whatever steps."""
    found = fisher_information(make(), around(), LOG_VARIANCE)
    expected = SLOPE.T @ SLOPE / LOG_VARIANCE.exp()
    assert_allclose(found, expected.expand(N, -1, -1), rtol=1e-9)


def test_of_predicted_variances_it_has_what_these_tell():
    """Of linear means and log-variances: W' R(z)^-1 W + V'V / 2."""
    decoder, where = VarianceDecoder(Pair()), around()
    found = fisher_information(decoder, where, LOG_VARIANCE)
    slope = decoder.network.slope
    for n, z in enumerate(where.points):
        precision = torch.exp(-slope @ z)
        expected = SLOPE.T @ (precision[:, None] * SLOPE) + 0.5 * slope.T @ slope
        assert_allclose(found[n], expected, rtol=1e-9)


def test_it_is_the_covariance_of_the_score():
    """Within five standard errors, over observations that the decoder draws; they are seeded."""
    decoder, where = VarianceDecoder(Pair()), around(1e-4)
    found = fisher_information(decoder, where, LOG_VARIANCE)
    z = where.points[:1].expand(40_000, -1).clone().requires_grad_()
    components, generator = torch.zeros(len(z), dtype=torch.int64), seed(5)
    with torch.no_grad():
        x = decoder.draw(
            z, components, LOG_VARIANCE, lambda *s: torch.randn(s, generator=generator).double()
        )
    (score,) = torch.autograd.grad(decoder.likelihood(x, z).log_likelihoods.sum(), z)
    products = score[:, :, None] * score[:, None, :]
    error = products.std(dim=0) / np.sqrt(len(z))
    assert ((products.mean(dim=0) - found[0]).abs() < 5 * error).all()


@pytest.mark.parametrize(
    "make",
    [
        mlp,
        lambda: mlp(linear=False),
        lambda: as_decoder(nn.Sequential(mlp(), nn.Tanh())),
        lambda: ConvDecoder((4, 3), LATENT, seed()).double(),
        lambda: ClusterDecoder(mlp(), 2).double(),
    ],
    ids=["mlp", "no linear path", "user", "conv", "per cluster"],
)
def test_short_steps_give_derivatives(make):
    decoder, where = make().eval(), around(1e-4)
    if isinstance(decoder, ClusterDecoder):
        for parameter in decoder.parameters():
            nn.init.normal_(parameter, std=0.5, generator=seed(7))
        decoder.log_variances.copy_(torch.tensor([0.3, -1.0]))
    found = fisher_information(decoder, where, LOG_VARIANCE)
    for n in range(N):
        cell = where.components[n : n + 1]
        slope = jacobian(lambda z: decoder.decode(z[None], cell)[0], where.points[n])  # noqa: B023
        variance = LOG_VARIANCE.exp()
        if isinstance(decoder, ClusterDecoder):
            variance = decoder.log_variances[cell[0]].exp()
        assert_allclose(found[n], slope.T @ slope / variance, rtol=1e-5, atol=1e-7)


def test_long_steps_give_slopes_between_points():
    """Of a step function, what it does on the whole."""

    class Step(nn.Module):
        def forward(self, z):
            return 3.0 * (z[:, :1] > 0).to(z)

    points = torch.tensor([[0.1, 0.0, 0.0], [5.0, 0.0, 0.0]]).double()
    steps, cells = torch.full((2, LATENT), 0.5).double(), torch.zeros(2, dtype=torch.int64)
    found = fisher_information(as_decoder(Step()), Around(points, steps, cells), torch.tensor(0.0))
    expected = torch.zeros(2, LATENT, LATENT)
    expected[0, 0, 0] = 3.0**2  # it rises by 3 over a distance of 1
    assert_allclose(found, expected)


@pytest.mark.parametrize("make", [linear_mlp, linear_of_the_users])
def test_what_is_left_of_a_linear_modality_is_known_exactly(make):
    """W_o' R^-1 (x_o - b_o) and W_o' R^-1 W_o, wherever it is linearised."""
    rng, where = np.random.default_rng(6), around()
    x, seen = rng.normal(size=(N, WIDTH)), rng.random((N, WIDTH)) < 0.5
    seen[0], seen[1] = False, True
    given = torch.as_tensor(np.where(seen, x, 1e3))
    found = masked_potential(make(), where, LOG_VARIANCE, given, torch.as_tensor(seen))
    variance, offset = LOG_VARIANCE.exp().item(), OFFSET.numpy()
    for n in range(N):
        shown, hidden = SLOPE.numpy()[seen[n]], SLOPE.numpy()[~seen[n]]
        linear = shown.T @ (x[n] - offset)[seen[n]] / variance
        assert_allclose(found[0][n], linear, rtol=1e-8, atol=1e-9)
        assert_allclose(found[1][n], shown.T @ shown / variance, rtol=1e-8, atol=1e-9)
        assert_allclose(found[2][n], hidden.T @ hidden / variance, rtol=1e-8, atol=1e-9)
    assert_array_equal(found[0][0], torch.zeros(LATENT))
    assert_array_equal(found[1][0], torch.zeros(LATENT, LATENT))


def test_what_is_left_of_a_modality_is_linearised():
    """It says of points nearby what the likelihood of the observed elements says, up to a constant.

    Where it is linearised, its gradient is the likelihood's.
    """
    decoder, where, rng = mlp(), around(1e-4), np.random.default_rng(6)
    x = torch.as_tensor(rng.normal(size=(N, WIDTH)))
    seen = torch.as_tensor(rng.random((N, WIDTH)) < 0.5)
    linear, known, lost = masked_potential(decoder, where, LOG_VARIANCE, x, seen)
    z = where.points.clone().requires_grad_()
    errors = torch.where(seen, x - decoder(z), 0.0).square().sum()
    (gradient,) = torch.autograd.grad(-0.5 * errors / LOG_VARIANCE.exp(), z)
    at = linear - (known @ where.points[:, :, None])[:, :, 0]
    assert_allclose(at, gradient, rtol=1e-5, atol=1e-6)
    whole = fisher_information(decoder, where, LOG_VARIANCE)
    assert_allclose(known + lost, whole, rtol=1e-6, atol=1e-8)
