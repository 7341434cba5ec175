"""What the model asks of every decoder: the flags say what the answers are."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from torch import nn

from skcausalpima.modules import (
    CausalPrior,
    ClusterDecoder,
    ClusterExpert,
    ConvDecoder,
    ExpertDecoder,
    MLPDecoder,
    MLPEncoder,
    PaperConvDecoder,
    SampleExpert,
    StructuredVAE,
    VarianceDecoder,
    line,
)

N_CELLS, WIDTH, LATENT = 3, 5, 2
X = np.linspace(0.0, 1.0, WIDTH)


def seed(number=0):
    return torch.Generator().manual_seed(number)


class Pair(nn.Module):
    """A user's network of means and log-variances."""

    def __init__(self):
        super().__init__()
        self.mean, self.log_variance = nn.Linear(LATENT, WIDTH), nn.Linear(LATENT, WIDTH)

    def forward(self, z):
        return self.mean(z), self.log_variance(z)


def mlp():
    return MLPDecoder((WIDTH,), LATENT, (8,), seed())


MAKERS = {
    "mlp": mlp,
    "conv": lambda: ConvDecoder((WIDTH,), LATENT, seed()),
    "conv_paper": lambda: PaperConvDecoder((WIDTH,), LATENT, seed()),
    "user": lambda: nn.Linear(LATENT, WIDTH),
    "per cluster": lambda: ClusterDecoder(mlp(), N_CELLS),
    "variances": lambda: VarianceDecoder(mlp()),
    "user's variances": lambda: VarianceDecoder(Pair()),
    "cluster expert": lambda: ClusterExpert(
        ExpertDecoder(line, X, scatter=True), (WIDTH,), (N_CELLS,), ["N1"]
    ),
    "sample expert": lambda: SampleExpert(
        ExpertDecoder(line, X, per="sample"), (WIDTH,), LATENT, seed()
    ),
}


def model_of(network):
    """A model of one modality, all its parameters random."""
    encoder = MLPEncoder((WIDTH,), LATENT, (8,), seed())
    model = StructuredVAE([encoder], [network], CausalPrior((N_CELLS,), LATENT), [(WIDTH,)], None)
    generator = seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=0.5, generator=generator)
        for decoder in model.decoders:
            if hasattr(decoder, "log_variances"):
                decoder.log_variances.normal_(generator=generator)
    return model.double().eval()


@pytest.fixture(params=MAKERS.values(), ids=MAKERS)
def model(request):
    return model_of(request.param())


def points(n_samples=7):
    return torch.randn(n_samples, LATENT, generator=seed(2)).double()


@torch.no_grad()
def test_flags_say_what_a_likelihood_depends_on(model):
    [decoder], z = model.decoders, points()
    x = torch.randn(7, WIDTH, generator=seed(3)).double()
    found = decoder.likelihood(x, z)
    assert decoder.has_likelihood == (found is not None)
    if found is not None:
        assert found.log_likelihoods.shape == (N_CELLS if decoder.depends_on_cluster else 1, 7)
        same = torch.equal(decoder.likelihood(x, z + 1.0).log_likelihoods, found.log_likelihoods)
        assert same != decoder.depends_on_latent


@torch.no_grad()
def test_flags_say_what_a_mean_depends_on(model):
    [decoder], z = model.decoders, points()
    one, two = (decoder.decode(z, torch.full((7,), c)) for c in (0, 1))
    assert one.shape == (7, WIDTH)
    assert torch.equal(one, two) != decoder.depends_on_cluster
    moved = decoder.decode(z + 1.0, torch.zeros(7, dtype=torch.int64))
    assert torch.equal(moved, one) != decoder.depends_on_latent


@torch.no_grad()
def test_draws_have_the_moments_that_the_likelihood_says(model):
    """Within five standard errors: the mean log-density of draws is the entropy's opposite."""
    n_draws, cell = 20_000, 1
    z, components = points(1).expand(n_draws, -1), torch.full((n_draws,), cell)
    generator = seed(4)

    def normal(*shape):
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    [decoder] = model.decoders
    [draws] = model.draw(z, components, normal)
    errors = draws - decoder.decode(z, components)
    standard_errors = errors.std(dim=0) / np.sqrt(n_draws)
    assert (errors.mean(dim=0).abs() < 5 * standard_errors).all()
    own = decoder.likelihood(draws, z)
    if own is None:
        logs = torch.distributions.Normal(0.0, model.log_variances.mul(0.5).exp()).log_prob(errors)
        logs = logs.sum(dim=1)
    else:
        logs = own.log_likelihoods[cell if decoder.depends_on_cluster else 0]
    covariance = np.cov(errors.numpy().T)
    entropy = 0.5 * np.linalg.slogdet(2 * np.pi * np.e * covariance)[1]
    # A Gaussian's log-density varies by half the width; that of the entropy by as much.
    assert_allclose(-logs.mean(), entropy, atol=5 * np.sqrt(WIDTH / n_draws))


def test_networks_of_the_users_are_wrapped_and_handed_back():
    network = nn.Linear(LATENT, WIDTH)
    [decoder] = model_of(network).decoders
    assert decoder.unwrapped is network
    assert torch.equal(decoder(points()), network(points()))
    before = network.weight.clone()
    decoder.initialize_linear(torch.ones(WIDTH, LATENT), torch.ones(WIDTH))
    decoder.set_variances(torch.ones(N_CELLS), torch.ones(N_CELLS, dtype=torch.bool))
    assert torch.equal(network.weight, before)


def test_a_network_can_be_taken_for_one_of_pairs():
    model = model_of(Pair())
    network = model.decoders[0].unwrapped
    assert not model.decoders[0].predicts_variances
    model.predict_variances(0)
    assert model.decoders[0].predicts_variances
    assert model.decoders[0].network is network


def test_names_are_those_of_users_that_state_none_until_they_are_given():
    model = model_of(MAKERS["cluster expert"]())
    assert model.names == ("modality0",)
    model.name_modalities(["curves"])
    [(m, expert)] = model.experts
    assert (m, expert.modality, model.names) == (0, "curves", ("curves",))
    assert model_of(mlp()).experts == []


def test_only_known_variances_are_set():
    decoder = ClusterDecoder(mlp(), N_CELLS)
    decoder.set_variances(torch.tensor([4.0, 9.0, 16.0]), torch.tensor([True, False, True]))
    assert_allclose(decoder.log_variances.exp(), [4.0, 1.0, 16.0], rtol=1e-6)
