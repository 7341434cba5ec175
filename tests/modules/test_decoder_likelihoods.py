"""Decoders with a likelihood of their own: per cluster behind one trunk, or with variances."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from scipy import stats
from torch import nn

from skcausalpima.functional import entropy, expected_log_density, gaussian_log_likelihood, rsample
from skcausalpima.modules import (
    Batch,
    CausalPrior,
    ClusterDecoder,
    ConvDecoder,
    MeanFieldVAE,
    MLPDecoder,
    MLPEncoder,
    StructuredVAE,
    VarianceDecoder,
)

N_CELLS = 6
SHAPES = [(3, 2), (4,)]
WEIGHTS = torch.tensor([2.0, 0.5], dtype=torch.float64)


def seed(number=0):
    return torch.Generator().manual_seed(number)


def mlp(shape=(3, 2), **options):
    return MLPDecoder(shape, 2, (8,), seed(), **options).double()


def conv(shape=(5, 3, 2), **options):
    return ConvDecoder(shape, 2, seed(), **options).double()


def scrambled(decoder, number=1):
    """Give every parameter a random value, and every component its own variance."""
    for parameter in decoder.parameters():
        nn.init.normal_(parameter, std=0.2, generator=seed(number))
    if isinstance(decoder, ClusterDecoder):
        decoder.log_variances.copy_(torch.linspace(-1.0, 1.0, len(decoder.log_variances)))
    return decoder


def points(n_samples=7):
    return torch.as_tensor(np.random.default_rng(1).normal(size=(n_samples, 2)))


def observations(width, n_samples=7):
    return torch.as_tensor(np.random.default_rng(2).normal(size=(n_samples, width)))


def own_network(decoder, c):
    """The network of one component, put together from the parts of all."""
    single = mlp() if isinstance(decoder.network, MLPDecoder) else conv()
    state = {}
    for name, value in decoder.network.state_dict().items():
        shape = single.state_dict()[name].shape
        axis = int(name.startswith("convolutions") and value.ndim > 2)
        part = value if value.shape == shape else value.narrow(axis, c * shape[axis], shape[axis])
        state[name] = part
    single.load_state_dict(state)
    return single


@pytest.mark.parametrize("make", [mlp, conv])
def test_each_component_has_a_network_of_its_own(make):
    decoder, z = scrambled(ClusterDecoder(make(), N_CELLS).double()), points()
    single = [own_network(decoder, c) for c in range(N_CELLS)]
    means = torch.stack([network(z) for network in single], dim=1)
    assert_allclose(decoder(z).detach(), means.detach(), rtol=1e-10, atol=1e-12)
    x = observations(means[0, 0].numel())
    deviations = decoder.log_variances.mul(0.5).exp()
    expected = stats.norm.logpdf(
        x.numpy()[:, None], means.flatten(2).detach(), deviations[:, None]
    ).sum(axis=2)
    found = decoder.likelihood(x, z)
    assert_allclose(found.log_likelihoods.detach(), expected.T)
    errors = (x[:, None] - means.flatten(2)).square().sum(dim=2).T
    assert_allclose(found.squared_errors.detach(), errors.detach())
    components = torch.tensor([3, 0, 5, 5, 1, 2, 4])
    assert_allclose(
        decoder.decode(z, components).detach(),
        means.flatten(2)[range(7), components].detach(),
        atol=1e-12,
    )
    found = decoder.deviations(z, components, torch.tensor(9.0))
    assert_allclose(found[:, 0], deviations[components])


@pytest.mark.parametrize("linear", [True, False])
@pytest.mark.parametrize("make", [mlp, conv])
def test_all_components_start_as_the_given_network(make, linear):
    plain = scrambled(make(linear=linear))
    before = {name: value.clone() for name, value in plain.state_dict().items()}
    means = ClusterDecoder(plain, 3)(points())
    for c in range(3):
        assert_allclose(means[:, c].detach(), plain(points()).detach(), rtol=1e-12, atol=1e-12)
    for name, value in plain.state_dict().items():
        assert torch.equal(value, before[name])


def test_points_are_decoded_in_blocks():
    decoder = scrambled(ClusterDecoder(mlp(), N_CELLS).double())
    z, components = points(1200), torch.arange(1200) % N_CELLS
    expected = decoder(z).flatten(2)[range(1200), components]
    assert_allclose(decoder.decode(z, components).detach(), expected.detach(), atol=1e-12)


@pytest.mark.parametrize("make", [mlp, conv])
def test_variances_are_a_second_output(make):
    plain = scrambled(make())
    decoder = VarianceDecoder(make())
    components, other = torch.zeros(7, dtype=torch.int64), torch.tensor(9.0)
    assert_allclose(decoder.deviations(points(), components, other).detach(), 1.0)
    decoder.network.load_state_dict(plain.state_dict(), strict=False)
    assert_allclose(decoder(points()).detach(), plain(points()).detach())
    scrambled(decoder)
    mean, log_variance = decoder.moments(points())
    assert log_variance.std(dim=0).min() > 0.01  # it depends on z
    x = observations(mean.shape[1])
    expected = stats.norm.logpdf(x, mean.detach(), log_variance.mul(0.5).exp().detach())
    found = decoder.likelihood(x, points())
    assert_allclose(found.log_likelihoods.detach(), expected.sum(axis=1)[None])
    assert_allclose(found.squared_errors[0].detach(), (x - mean).square().sum(dim=1).detach())


@pytest.mark.parametrize("make", [mlp, conv])
def test_variances_start_at_the_residuals(make):
    decoder = VarianceDecoder(make())
    width = decoder(points())[0].numel()
    weight, bias = observations(2, width), torch.zeros(width).double()
    residuals = torch.linspace(-2.0, 1.0, width).double()
    decoder.initialize_linear(weight, bias, residuals)
    mean, log_variance = decoder.moments(points())
    assert_allclose(mean.detach(), points() @ weight.T)
    start = residuals if make is mlp else residuals.exp().mean().log().expand(width)
    assert_allclose(log_variance.detach(), start.expand(7, width))


@pytest.mark.parametrize("size", [1e4, -1e4])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_extreme_log_variances_stay_finite(size, dtype):
    class Extreme(nn.Module):
        def forward(self, z):
            return z, torch.full_like(z, size)

    x = torch.full((7, 2), 1e3, dtype=dtype)
    decoder, z = VarianceDecoder(Extreme()), points().to(dtype)
    assert torch.isfinite(decoder.likelihood(x, z).log_likelihoods).all()
    deviations = decoder.deviations(z, torch.zeros(7, dtype=torch.int64), torch.tensor(0.0))
    assert torch.isfinite(deviations).all()


@pytest.mark.parametrize("kind", ["cluster", "variance"])
@pytest.mark.parametrize("make", [mlp, conv])
def test_gradients_are_finite_differences(make, kind):
    decoder = ClusterDecoder(make(), 3) if kind == "cluster" else VarianceDecoder(make())
    decoder = scrambled(decoder.double())
    width = decoder(points())[0].numel() // (3 if kind == "cluster" else 1)
    x, z = observations(width), points().requires_grad_()
    last = list(decoder.parameters())[-1]
    assert torch.autograd.gradcheck(
        lambda z, _: decoder.likelihood(x, z).log_likelihoods, (z, last)
    )


def make_model(decoders, weights=WEIGHTS, family=StructuredVAE):
    prior = CausalPrior((2, 3), 2)
    for parameter in [*prior.parameters(), prior.means]:
        nn.init.normal_(parameter, generator=seed())
    encoders = [MLPEncoder(shape, 2, (8,), seed(3)) for shape in SHAPES]
    model = family(encoders, decoders, prior, SHAPES, weights)
    model.log_variances.copy_(torch.tensor([0.4, -0.3]))
    return model.double()


def draws(model):
    """Standard normal draws, as many of a sample as the model needs."""
    return torch.as_tensor(np.random.default_rng(4).normal(size=(7, model.n_draws)))


@pytest.fixture(params=[False, True], ids=["observed", "missing"])
def batch(request):
    arrays = (observations(6), observations(4))
    observed = torch.ones(2, 7, dtype=torch.bool)
    if not request.param:
        return Batch(arrays, None)
    observed[0, :2] = observed[1, 4:] = False
    return Batch(arrays, observed)


def test_bound_is_that_of_all_means_at_once(batch):
    """The published one, against an explicit array of shape (component, sample, element)."""
    decoders = [scrambled(ClusterDecoder(mlp(), N_CELLS)), VarianceDecoder(mlp((4,)))]
    model = make_model(decoders, family=MeanFieldVAE)
    scrambled(decoders[1], 5)
    posterior, prior = model.encode(batch), model.prior
    z = rsample(posterior, points())
    seen = torch.ones(2, 7) if batch.observed is None else batch.observed
    means, (mean, log_variance) = decoders[0](z).flatten(2), decoders[1].moments(z)
    log_variances = decoders[0].log_variances[:, None, None]
    images = gaussian_log_likelihood(batch.arrays[0], means.movedim(1, 0), log_variances)
    curves = gaussian_log_likelihood(batch.arrays[1], mean, log_variance)
    evidence = WEIGHTS[0] * seen[0] * images + WEIGHTS[1] * seen[1] * curves
    density = expected_log_density(posterior, prior.means, prior.covariances)
    at_z = torch.distributions.MultivariateNormal(prior.means[:, None], prior.covariances[:, None])
    logs = prior.log_weights()[:, None] + evidence
    gamma = (logs + at_z.log_prob(z)).softmax(dim=0)
    mixture = (gamma * (logs + density - gamma.log())).sum(dim=0)
    expected = mixture + entropy(posterior.log_var)
    assert_allclose(model.elbo(batch, points()).values.detach(), expected.detach(), rtol=1e-10)


@pytest.mark.parametrize("weights", [WEIGHTS, None], ids=["stated", "balanced"])
@pytest.mark.parametrize(
    ("family", "kind"),
    [(MeanFieldVAE, "cluster"), (MeanFieldVAE, "variance"), (StructuredVAE, "variance")],
)
def test_special_cases_train_like_the_plain_decoder(batch, weights, family, kind):
    """Equal heads, or a constant variance: the same bound but for a constant, the same steps."""
    plain = make_model([scrambled(mlp()), scrambled(mlp((4,)))], weights, family)
    own = ClusterDecoder(plain.decoders[0], N_CELLS)
    if kind == "variance":
        own = VarianceDecoder(mlp())
        own.network.load_state_dict(plain.decoders[0].state_dict(), strict=False)
        own.network.initialize_variances(plain.log_variances[0].expand(6))
    else:
        own.log_variances.fill_(plain.log_variances[0])
    other = make_model([own, scrambled(mlp((4,)))], weights, family)
    bounds = [model.elbo(batch, draws(plain)).values for model in (plain, other)]
    if weights is not None:
        assert_allclose(bounds[1].detach(), bounds[0].detach(), rtol=1e-12)
    seen = torch.ones(7) if batch.observed is None else batch.observed[0].double()
    gap = (bounds[1] - bounds[0]).detach()
    constant = gap[seen > 0].mean()
    assert_allclose(gap, constant * seen, atol=1e-12)
    gradients = [
        torch.autograd.grad(bound.sum(), list(model.encoders.parameters()))
        for bound, model in zip(bounds, (plain, other), strict=True)
    ]
    for one, two in zip(*gradients, strict=True):
        assert_allclose(two, one, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("family", [MeanFieldVAE, StructuredVAE])
def test_pretraining_sees_predicted_variances(batch, family):
    plain = make_model([scrambled(mlp()), scrambled(mlp((4,)))], family=family)
    own = VarianceDecoder(mlp())
    own.network.load_state_dict(plain.decoders[0].state_dict(), strict=False)
    own.network.initialize_variances(plain.log_variances[0].expand(6))
    other = make_model([own, scrambled(mlp((4,)))], family=family)
    noise = draws(plain)
    values = [m.unit_elbo(batch, noise).values.detach() for m in (plain, other)]
    assert_allclose(values[1], values[0])


def test_decoding_without_components_takes_the_most_probable(batch):
    decoders = [scrambled(ClusterDecoder(mlp(), N_CELLS)), scrambled(mlp((4,)))]
    model = make_model(decoders)
    prior = torch.distributions.MultivariateNormal(model.prior.means, model.prior.covariances)
    at = prior.log_prob(points()[:, None]) + model.prior.log_weights()
    components = at.argmax(dim=1)
    assert len(components.unique()) > 1
    for one, two in zip(model.decode(points()), model.decode(points(), components), strict=True):
        assert torch.equal(one, two)


def test_missing_samples_say_nothing(batch):
    decoders = [scrambled(ClusterDecoder(mlp(), N_CELLS)), VarianceDecoder(mlp((4,)))]
    own = make_model(decoders).own_likelihoods(batch, points())
    for m, likelihood in own.items():
        unseen = torch.zeros(7, dtype=bool) if batch.observed is None else ~batch.observed[m]
        for part in likelihood:
            assert torch.equal((part == 0).all(dim=0), unseen)
