"""The structured posterior and its bound, against exact likelihoods, grids, drawing and algebra."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from linear_models import LinearMixture
from numpy.testing import assert_allclose, assert_array_equal
from scipy import special, stats
from some_slow import some_slow
from torch import nn

from skcausalpima.modules import (
    Batch,
    CausalPrior,
    ClusterDecoder,
    ClusterExpert,
    ExpertDecoder,
    Gap,
    MLPDecoder,
    MLPEncoder,
    StructuredVAE,
    VarianceDecoder,
    line,
)
from skcausalpima.modules._structured import drawn_components

SHAPES = [(3, 2), (4,)]
WEIGHTS = torch.tensor([2.0, 0.5], dtype=torch.float64)
N_CELLS = 6

#: Posteriors are told a least precision of 1e-8 besides.
TOLERANCE = {"rtol": 1e-6, "atol": 1e-6}


def seed(number=0):
    return torch.Generator().manual_seed(number)


def random_precisions(rng, *shape):
    roots = rng.normal(size=(*shape, 2, 2))
    return torch.as_tensor(roots @ roots.swapaxes(-1, -2) + 0.1 * np.eye(2))


def make_model(decoders=None, weights=WEIGHTS):
    """A model in the middle of nowhere: every parameter random, potentials too."""
    generator = seed()
    prior = CausalPrior((2, 3), 2)
    for parameter in [*prior.parameters(), prior.means]:
        nn.init.normal_(parameter, generator=generator)
    roots = torch.randn(N_CELLS, 2, 2, generator=generator)
    prior.covariances.copy_(roots @ roots.mT + 0.5 * torch.eye(2))
    encoders = [MLPEncoder(shape, 2, (8,), generator) for shape in SHAPES]
    if decoders is None:
        decoders = [MLPDecoder(shape, 2, (8,), generator) for shape in SHAPES]
    model = StructuredVAE(encoders, decoders, prior, SHAPES, weights)
    model.log_variances.copy_(torch.tensor([0.4, -0.3]))
    model = model.double()
    model.set_information(random_precisions(np.random.default_rng(5), 2))
    return model


@pytest.fixture(params=[False, True], ids=["observed", "missing"])
def batch(request):
    rng = np.random.default_rng(0)
    arrays = tuple(torch.as_tensor(rng.normal(size=(7, width))) for width in (6, 4))
    observed = torch.ones(2, 7, dtype=torch.bool)
    if not request.param:
        return Batch(arrays, None)
    observed[0, :2] = observed[1, 4:] = False
    observed[:, 6] = False
    return Batch(arrays, observed)


@pytest.fixture
def noise():
    return torch.as_tensor(np.random.default_rng(1).normal(size=(7, 3)))


def seen_of(batch):
    seen = torch.ones(2, 7) if batch.observed is None else batch.observed
    return seen.double()


@torch.no_grad()
def potentials_by_hand(model, batch):
    """Return h and Lambda of every sample: they lie at the mean of all experts."""
    outputs = [
        encoder(array.unflatten(1, shape))
        for encoder, array, shape in zip(model.encoders, batch.arrays, SHAPES, strict=True)
    ]
    locations, log_vars = torch.stack(outputs).chunk(2, dim=-1)
    seen = seen_of(batch)
    weights = log_vars.neg().exp() * seen[:, :, None]
    total = weights.sum(dim=0)
    mean = (weights * locations).sum(dim=0) / torch.where(total > 0, total, 1.0)
    precision = torch.einsum("mn,mij->nij", seen, model.information)
    linear = (precision @ mean[:, :, None])[:, :, 0]
    return linear.numpy(), precision.numpy()


@torch.no_grad()
def posterior_by_hand(model, batch):
    """Return log Z without constants, means and covariances, of every component and sample."""
    linear, precision = potentials_by_hand(model, batch)
    logs, means = np.empty((N_CELLS, 7)), np.empty((N_CELLS, 7, 2))
    covariances = np.empty((N_CELLS, 7, 2, 2))
    for c in range(N_CELLS):
        mean, spread = (of[c].numpy() for of in (model.prior.means, model.prior.covariances))
        inverse = np.linalg.inv(spread)
        for n in range(7):
            inside = np.linalg.inv(inverse + precision[n])
            natural = inverse @ mean + linear[n]
            means[c, n], covariances[c, n] = inside @ natural, inside
            logs[c, n] = 0.5 * natural @ inside @ natural - 0.5 * mean @ inverse @ mean
            logs[c, n] -= 0.5 * np.linalg.slogdet(np.eye(2) + spread @ precision[n])[1]
    return logs, means, covariances


@torch.no_grad()
def expected_log_potentials(model, batch, means, covariances):
    linear, precision = potentials_by_hand(model, batch)
    second = covariances + means[..., :, None] * means[..., None, :]
    return (linear * means).sum(axis=-1) - 0.5 * (precision * second).sum(axis=(-2, -1))


@torch.no_grad()
def reconstructions(model, batch, z, weights=WEIGHTS):
    """Return log p(x | z) of plain decoders by SciPy, times weights."""
    total, seen = np.zeros(len(z)), seen_of(batch).numpy()
    for m, decoder in enumerate(model.decoders):
        if decoder.has_likelihood:
            continue
        scale = model.log_variances[m].mul(0.5).exp()
        terms = stats.norm.logpdf(batch.arrays[m], decoder(z).flatten(1), scale).sum(axis=1)
        total += weights[m].item() * seen[m] * terms
    return total


# Potentials and posteriors --------------------------------------------------------------------


@torch.no_grad()
def test_potentials_are_of_all_experts_and_modalities_of_their_own(batch):
    model = make_model()
    found = model.posterior(batch).potential
    linear, precision = potentials_by_hand(model, batch)
    assert found.is_shared == (batch.observed is None)
    assert_allclose(found.linear, linear, **TOLERANCE)
    assert_allclose(found.precision.expand(7, -1, -1), precision, **TOLERANCE)
    for m in range(2):
        alone = model.potential_of(batch, m)
        output = model.encoders[m](batch.arrays[m].unflatten(1, SHAPES[m]))
        information, seen = model.information[m], seen_of(batch)[m]
        expected = seen[:, None] * (output[:, :2] @ information)
        assert_allclose(alone.linear, expected, rtol=1e-9, atol=1e-12)
        assert_allclose(
            alone.precision.expand(7, -1, -1), seen[:, None, None] * information, rtol=1e-9
        )


@torch.no_grad()
def test_with_the_unit_gaussian_the_mean_is_drawn_to_zero(batch):
    """From the mean of all experts, in each direction by itself, as far as decoders are blunt."""
    model = make_model()
    pairs = zip(model.encoders, batch.arrays, SHAPES, strict=True)
    outputs = [encoder(array.unflatten(1, shape)).numpy() for encoder, array, shape in pairs]
    locations, seen = np.zeros((7, 2)), seen_of(batch).numpy()
    for n, j in np.ndindex(7, 2):
        experts = [(of[n, j], np.exp(-of[n, 2 + j])) for m, of in enumerate(outputs) if seen[m, n]]
        if experts:
            at, weights = zip(*experts, strict=True)
            locations[n, j] = np.average(at, weights=weights)
    for factor in (1.0, 10.0):
        model.set_information(factor * model.information)
        posterior = model.posterior(batch, has_cells=False)
        information = np.einsum("mn,mij->nij", seen, model.information)
        inside = np.linalg.inv(np.eye(2) + information)
        expected = np.einsum("nij,njk,nk->ni", inside, information, locations)
        assert_allclose(posterior.mean(torch.ones(1, 7)), expected, **TOLERANCE)
        covariances = posterior.covariances(torch.zeros(7, dtype=torch.int64))
        assert_allclose(covariances, inside, **TOLERANCE)


@torch.no_grad()
def test_posteriors_are_products_of_potentials_and_components(batch):
    model = make_model()
    posterior = model.posterior(batch)
    logs, means, covariances = posterior_by_hand(model, batch)
    gamma = special.softmax(logs + model.prior.log_weights().numpy()[:, None], axis=0)
    found = posterior.evidence(model.prior.log_weights())
    assert_allclose(found.log_gamma.exp(), gamma, **TOLERANCE)
    mean = np.einsum("cn,cnj->nj", gamma, means)
    assert_allclose(posterior.mean(torch.as_tensor(gamma)), mean, **TOLERANCE)
    second = covariances + means[..., :, None] * means[..., None, :]
    expected = np.einsum("cn,cnij->nij", gamma, second)
    assert_allclose(posterior.second_moments(torch.as_tensor(gamma)), expected, **TOLERANCE)


@torch.no_grad()
def test_samples_are_the_same_beside_incomplete_ones(noise):
    """One precision for all of a batch, or each its own: within the least precision."""
    model, rng = make_model(), np.random.default_rng(0)
    arrays = tuple(torch.as_tensor(rng.normal(size=(7, width))) for width in (6, 4))
    observed = torch.ones(2, 7, dtype=torch.bool)
    observed[0, 6] = False
    alone, beside = Batch(arrays, None), Batch(arrays, observed)
    one, other = (model.posterior(of).rows(torch.arange(6)) for of in (alone, beside))
    log_weights = model.prior.log_weights()
    pairs = zip(one.evidence(log_weights), other.evidence(log_weights), strict=True)
    for of_one, of_other in pairs:
        assert_allclose(of_one, of_other, rtol=1e-8, atol=1e-8)
    bounds = [model.elbo(of, noise).values[:6] for of in (alone, beside)]
    assert_allclose(*bounds, rtol=1e-8, atol=1e-8)


@torch.no_grad()
def test_a_sample_with_nothing_has_the_prior():
    model = make_model()
    arrays = tuple(torch.full((7, width), 3.0).double() for width in (6, 4))
    batch = Batch(arrays, torch.zeros(2, 7, dtype=torch.bool))
    posterior = model.posterior(batch)
    weights = model.prior.log_weights().exp()
    found = posterior.evidence(weights.log())
    assert_allclose(found.log_gamma.exp(), weights[:, None].expand(N_CELLS, 7), rtol=1e-6)
    assert_allclose(found.surplus, 0.0, atol=1e-12)  # no divergence from the prior
    assert_allclose(found.value, found.log_potential, rtol=1e-12)
    expected = weights @ model.prior.means
    assert_allclose(posterior.mean(found.log_gamma.exp()), expected.expand(7, 2), rtol=1e-6)
    bound = model.elbo(batch, torch.zeros(7, 3).double()).values
    assert_allclose(bound, 0.0, atol=1e-12)


def test_information_is_stored_by_its_roots():
    model, rng = make_model(), np.random.default_rng(2)
    information = random_precisions(rng, 2)
    information[1] = torch.tensor([[4.0, 2.0], [2.0, 1.0 - 1e-12]])  # of rounding, not semidefinite
    model.set_information(information)
    assert_allclose(model.information, information, atol=1e-10)
    roots = model.information_roots
    assert_array_equal(roots.tril(-1), torch.zeros_like(roots))
    model.set_information(torch.zeros(2, 2, 2).double())
    assert_array_equal(model.information, torch.zeros(2, 2, 2))


def test_components_are_drawn_by_their_probabilities():
    """Within five standard errors; those of probability zero never."""
    gamma = torch.tensor([0.0, 0.5, 0.2, 0.0, 0.3, 0.0]).double()
    noise = torch.randn(50_000, generator=seed())
    log_gamma = gamma.log()[:, None].expand(6, 50_000)
    counts = torch.bincount(drawn_components(log_gamma, noise), minlength=6).double()
    errors = 5 * (gamma * (1 - gamma) / 50_000).sqrt()
    assert ((counts / 50_000 - gamma).abs() <= errors).all()


# Elements -------------------------------------------------------------------------------------


def with_gaps(batch):
    rng, partial = np.random.default_rng(3), torch.tensor([0, 1, 0, 1, 0, 0, 1]).bool()
    points = [torch.as_tensor(rng.normal(size=(7, 2))) for _ in range(2)]
    beyond = torch.as_tensor(rng.normal(size=(7, 6)))
    gap = Gap(partial, random_precisions(rng, 7), *points, beyond)
    return replace(batch, gaps={0: gap}), gap


@pytest.mark.parametrize("training", [False, True])
@torch.no_grad()
def test_modalities_in_part_have_the_potential_of_what_is_left(batch, training):
    """In training encoders learn: they move it as far as they are off."""
    model = make_model().train(training)
    gappy, gap = with_gaps(batch)
    found, seen = model.posterior(gappy).potential, seen_of(batch)
    encoded = [
        encoder(array.unflatten(1, shape)).chunk(2, dim=-1)
        for encoder, array, shape in zip(model.encoders, batch.arrays, SHAPES, strict=True)
    ]
    whole = seen * torch.stack([~gap.partial, torch.ones(7)])
    for n in range(7):
        linear, precision = torch.zeros(2).double(), torch.zeros(2, 2).double()
        weights = [whole[m, n] * encoded[m][1][n].neg().exp() for m in range(2)]
        if whole[:, n].any():
            total = sum(weights[m] * encoded[m][0][n] for m in range(2))
            precision = torch.tensordot(whole[:, n], model.information, dims=1)
            linear = precision @ (total / sum(weights))
        if gap.partial[n] and seen[0, n]:
            said = gap.linear[n]
            if training:
                said = said + gap.known[n] @ (encoded[0][0][n] - gap.location[n])
            linear, precision = linear + said, precision + gap.known[n]
        assert_allclose(found.linear[n], linear, rtol=1e-9, atol=1e-12)
        assert_allclose(found.precision[n], precision, **TOLERANCE)
    assert_allclose(model.posterior(gappy).beyond, (gap.partial * seen[0]) * gap.beyond.T)


@pytest.mark.parametrize("training", [False, True])
@torch.no_grad()
def test_potentials_of_elements_of_a_linear_model_are_exact(training):
    """W_o' R^-1 (x_o - b_o), whatever was filled in at some latent point, and however seen."""
    mixture, rng = LinearMixture(), np.random.default_rng(4)
    model, _ = mixture.model()
    model.train(training)
    _, x = mixture.sample(6)
    seen, z = rng.random((6, 6)) < 0.5, rng.normal(size=(6, 2))
    slope, variance = mixture.maps[0], mixture.noise[0] ** 2
    filled = np.where(seen, x[0], z @ slope.T + mixture.offsets[0])
    known = np.stack([slope[row].T @ slope[row] for row in seen]) / variance
    lost = np.stack([slope[~row].T @ slope[~row] for row in seen]) / variance
    centred = np.where(seen, x[0] - mixture.offsets[0], 0.0)
    linear = centred @ slope / variance
    said = linear + (lost @ z[..., None])[..., 0]
    location = np.linalg.solve(known + lost, said[..., None])[..., 0]
    beyond = np.zeros((6, 1))
    gap = Gap(torch.ones(6).bool(), *map(torch.as_tensor, (known, linear, location, beyond)))
    arrays = tuple(map(torch.as_tensor, (filled, *x[1:])))
    found = model.posterior(Batch(arrays, None, gaps={0: gap})).potential
    rest = sum(
        (x[m] - mixture.offsets[m]) @ mixture.maps[m] / mixture.noise[m] ** 2 for m in (1, 2)
    )
    assert_allclose(found.linear, linear + rest, rtol=1e-8, atol=1e-9)
    information = mixture.information(1) + mixture.information(2)
    assert_allclose(found.precision, known + information, rtol=1e-8)


# The bound ------------------------------------------------------------------------------------


@pytest.mark.parametrize("known", [False, True])
def test_bound_is_the_sum_of_its_terms(batch, noise, known):
    """At given draws: E log p at one point, log Z and E log l in closed form."""
    model = make_model()
    allowed = (torch.arange(N_CELLS)[:, None] + torch.arange(7)) % 3 < 2 if known else None
    logs, means, covariances = posterior_by_hand(model, batch)
    joint = logs + model.prior.log_weights().detach().numpy()[:, None]
    if known:
        joint[~allowed.numpy()] = -np.inf
    value = special.logsumexp(joint, axis=0)
    gamma = np.exp(joint - value)
    levels = stats.norm.cdf(noise[:, 2].numpy())
    components = (gamma.cumsum(axis=0) < levels).sum(axis=0)
    roots = np.linalg.cholesky(covariances[components, range(7)])
    z = means[components, range(7)] + (roots @ noise[:, :2, None].numpy())[:, :, 0]
    potentials = expected_log_potentials(model, batch, means, covariances)
    expected = reconstructions(model, batch, torch.as_tensor(z))
    expected += value - (gamma * potentials).sum(axis=0)
    found = model.elbo(replace(batch, allowed=allowed), noise)
    assert_allclose(found.values.detach(), expected, **TOLERANCE)
    errors = [
        seen * (array - decoder(torch.as_tensor(z)).flatten(1).detach()).square().sum(dim=1)
        for seen, array, decoder in zip(seen_of(batch), batch.arrays, model.decoders, strict=True)
    ]
    assert_allclose(found.squared_errors.detach(), torch.stack(errors), **TOLERANCE)
    again = found.posterior.evidence(model.prior.log_weights().detach(), allowed)
    assert_allclose(again.log_gamma.exp(), gamma, **TOLERANCE)
    assert not again.log_potential.requires_grad


def test_a_frozen_model_gives_the_same_bounds(batch, noise):
    model = make_model()
    expected = model.elbo(batch, noise).values
    with model.frozen():
        assert torch.equal(model.elbo(batch, noise).values, expected)
        model.log_variances.fill_(2.0)  # not seen inside
        if batch.observed is None:
            model.set_information(2.0 * model.information)
            model.prior.means.zero_()
        assert torch.equal(model.elbo(batch, noise).values, expected)
    assert not torch.allclose(model.elbo(batch, noise).values, expected)


@torch.no_grad()
def test_unit_bound_has_the_divergence_from_the_unit_gaussian(batch, noise):
    model = make_model()
    linear, precision = map(torch.as_tensor, potentials_by_hand(model, batch))
    covariance = torch.linalg.inv(precision + torch.eye(2))
    mean = (covariance @ linear[:, :, None])[:, :, 0]
    unit = torch.distributions.MultivariateNormal(torch.zeros(2).double(), torch.eye(2).double())
    posterior = torch.distributions.MultivariateNormal(mean, covariance)
    divergence = torch.distributions.kl_divergence(posterior, unit)
    z = mean + (torch.linalg.cholesky(covariance) @ noise[:, :2, None])[:, :, 0]
    assert_allclose(model.unit_points(batch, noise), z, **TOLERANCE)
    expected = reconstructions(model, batch, z)
    found = model.unit_elbo(batch, noise).values
    assert_allclose(found, torch.as_tensor(expected) - divergence, **TOLERANCE)


def repeated(x, observed, times):
    """Return every sample many times, and which of the modalities it has."""
    arrays = tuple(torch.as_tensor(array).repeat_interleave(times, dim=0) for array in x)
    seen = torch.zeros(len(x), len(arrays[0]), dtype=torch.bool)
    seen[observed] = True
    return Batch(arrays, None if len(observed) == len(x) else seen)


@pytest.mark.parametrize("observed", some_slow([[0, 1, 2], [0, 2], [0], [1]], [[0, 2]]), ids=str)
@torch.no_grad()
def test_of_a_linear_decoder_it_is_the_log_likelihood(observed):
    """In expectation over the draws, within five standard errors; these are seeded."""
    mixture, n_draws = LinearMixture(), 20_000
    model, _ = mixture.model()
    _, x = mixture.sample(4)
    noise = torch.randn(4 * n_draws, 3, generator=seed(), dtype=torch.float64)
    found = model.elbo(repeated(x, observed, n_draws), noise).values.unflatten(0, (4, -1))
    exact = special.logsumexp(mixture.log_joint(x, observed), axis=0)
    error = found.std(dim=1).numpy() / np.sqrt(n_draws)
    assert (np.abs(found.mean(dim=1).numpy() - exact) < 5 * error + 1e-5).all()
    assert error.max() < 0.02


@torch.no_grad()
def test_with_other_potentials_it_is_lower():
    """Twice or half as sharp as the decoders are; the exact one is the best."""
    mixture, n_draws = LinearMixture(), 20_000
    model, _ = mixture.model()
    _, x = mixture.sample(4)
    noise = torch.randn(4 * n_draws, 3, generator=seed(), dtype=torch.float64)
    exact, information = (
        special.logsumexp(mixture.log_joint(x, [0, 1, 2]), axis=0),
        model.information,
    )
    for factor in (0.5, 2.0):
        model.set_information(factor * information)
        found = model.elbo(repeated(x, [0, 1, 2], n_draws), noise).values.unflatten(0, (4, -1))
        error = found.std(dim=1).numpy() / np.sqrt(n_draws)
        assert (found.mean(dim=1).numpy() < exact - 5 * error).all()


@torch.no_grad()
def test_the_bound_is_below_the_log_likelihood(batch):
    """Of networks, whatever the potentials: log p(x) on a fine grid of latent points."""
    model, n_draws = make_model(weights=torch.ones(2).double()), 4000
    axis = torch.linspace(-9.0, 9.0, 241, dtype=torch.float64)
    grid, area = torch.cartesian_prod(axis, axis), (axis[1] - axis[0]).square().log().item()
    prior = model.prior
    logs = special.logsumexp(
        [
            weight.item() + stats.multivariate_normal.logpdf(grid, mean, covariance)
            for weight, mean, covariance in zip(
                prior.log_weights(), prior.means, prior.covariances, strict=True
            )
        ],
        axis=0,
    )
    ones = torch.ones(2)
    noise = torch.randn(n_draws, 3, generator=seed(), dtype=torch.float64)
    for n in range(7):
        many = batch.take(torch.full((len(grid),), n))
        said = np.zeros(len(grid))
        for m, decoder in enumerate(model.decoders):
            scale = model.log_variances[m].mul(0.5).exp()
            terms = stats.norm.logpdf(many.arrays[m], decoder(grid).flatten(1), scale).sum(axis=1)
            said += ones[m].item() * seen_of(batch)[m, n].item() * terms
        exact = special.logsumexp(said + logs) + area
        found = model.elbo(batch.take(torch.full((n_draws,), n)), noise).values
        assert found.mean() < exact + 5 * found.std() / np.sqrt(n_draws) + 1e-3


# Gradients ------------------------------------------------------------------------------------


def test_the_gradient_of_weights_is_that_of_the_log_likelihood():
    """Of a linear decoder without any draws: log p(x) by finite differences."""
    mixture = LinearMixture()
    model, _ = mixture.model()
    _, x = mixture.sample(5)
    log_weights = torch.as_tensor(np.log(mixture.weights)).requires_grad_()
    model.prior.log_weights = lambda noise=None: log_weights
    bound = model.elbo(repeated(x, [0, 1, 2], 1), torch.zeros(5, 3).double()).values.sum()
    (gradient,) = torch.autograd.grad(bound, log_weights)
    base, step = np.log(mixture.weights), 1e-6
    for c in range(4):
        values = []
        for sign in (1.0, -1.0):
            mixture.weights = np.exp(base + sign * step * np.eye(4)[c])
            values.append(special.logsumexp(mixture.log_joint(x, [0, 1, 2]), axis=0).sum())
        assert_allclose(gradient[c], (values[0] - values[1]) / (2 * step), rtol=1e-5, atol=1e-6)


def test_gradients_of_networks_are_those_of_the_log_likelihood_on_average():
    """Of a linear decoder; encoders, which are exact, have none. Within five standard errors."""
    mixture, n_draws, n_parts = LinearMixture(), 1000, 40
    model, _ = mixture.model()
    _, x = mixture.sample(3)
    batch, generator = repeated(x, [0, 1, 2], n_draws), seed()
    offsets = [decoder.network[-1].bias for decoder in model.decoders]
    encoders = [layer for encoder in model.encoders for layer in encoder[1].parameters()]
    found = []
    for _ in range(n_parts):
        noise = torch.randn(3 * n_draws, 3, generator=generator, dtype=torch.float64)
        bound = model.elbo(batch, noise).values.sum() / n_draws
        parts = torch.autograd.grad(bound, [*offsets, *encoders])
        found.append(torch.cat([part.flatten() for part in parts]))
    found = torch.stack(found)
    mean, error = found.mean(dim=0).numpy(), found.std(dim=0).numpy() / np.sqrt(n_parts)
    expected, step = [], 1e-5
    for m in range(3):
        for d in range(mixture.widths[m]):
            values = []
            for sign in (1.0, -1.0):
                mixture.offsets[m][d] += sign * step
                values.append(special.logsumexp(mixture.log_joint(x, [0, 1, 2]), axis=0).sum())
                mixture.offsets[m][d] -= sign * step
            expected.append((values[0] - values[1]) / (2 * step))
    expected = np.concatenate([expected, np.zeros(len(mean) - len(expected))])
    assert (np.abs(mean - expected) < 5 * error + 1e-4).all()
    assert error.max() < 0.3


@pytest.mark.parametrize("name", ["scores", "metric_logits", "table_logits"])
def test_graph_gradients_are_finite_differences_of_the_evidence(batch, noise, name):
    """The graph enters the bound through log Z; responsibilities are constants elsewhere."""
    model = make_model()
    parameter = getattr(model.prior, name)
    model.elbo(batch, noise).values.sum().backward()
    gradient, step = parameter.grad.flatten(), 1e-6
    logs = torch.as_tensor(posterior_by_hand(model, batch)[0])
    flat = parameter.data.view(-1)
    for k in range(len(flat)):
        values = []
        for sign in (1.0, -1.0):
            flat[k] += sign * step
            joint = logs + model.prior.log_weights().detach()[:, None]
            values.append(joint.logsumexp(dim=0).sum().item())
            flat[k] -= sign * step
        assert_allclose(gradient[k], (values[0] - values[1]) / (2 * step), atol=1e-6)


def test_missing_blocks_have_no_gradient(noise):
    """Whatever lies in them, nothing depends on it."""
    arrays = tuple(torch.ones(7, width, dtype=torch.float64).requires_grad_() for width in (6, 4))
    observed = torch.ones(2, 7, dtype=torch.bool)
    observed[0, :3] = False
    make_model().elbo(Batch(arrays, observed), noise).values.sum().backward()
    assert (arrays[0].grad[:3] == 0).all()
    assert (arrays[0].grad[3:] != 0).all()
    assert torch.isfinite(arrays[1].grad).all()


def test_extreme_log_variances_are_kept_finite(batch, noise):
    model = make_model()
    with torch.no_grad():
        model.encoders[0].network[-1].bias.copy_(torch.tensor([0.0, 0.0, 1e4, -1e4]))
    bound = model.elbo(batch, noise).values
    bound.sum().backward()
    assert torch.isfinite(bound).all()
    assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)


@torch.no_grad()
def test_modalities_of_no_information_leave_the_others():
    """A precision of zero, as of a decoder that does not look at z: the same as not having it."""
    model = make_model()
    information = model.information
    information[1] = 0.0
    model.set_information(information)
    rng = np.random.default_rng(0)
    arrays = tuple(torch.as_tensor(rng.normal(size=(7, width))) for width in (6, 4))
    for m, encoder in enumerate(model.encoders):  # so that locations are the first one's
        encoder.network[-1].weight[2:] = 0.0
        encoder.network[-1].bias[2:] = -10.0 if m == 0 else 14.0
    first = torch.tensor([[True] * 7, [False] * 7])
    both, alone = model.posterior(Batch(arrays, None)), model.posterior(Batch(arrays, first))
    one, other = (of.evidence(model.prior.log_weights()).log_gamma for of in (both, alone))
    assert_allclose(one, other, atol=1e-6)


# Decoders with likelihoods of their own -------------------------------------------------------


def scrambled(decoder, number=1):
    for parameter in decoder.parameters():
        nn.init.normal_(parameter, std=0.3, generator=seed(number))
    return decoder


def own_decoders():
    """Networks per cluster for the first modality, predicted variances for the other."""
    clusters = scrambled(ClusterDecoder(MLPDecoder((3, 2), 2, (8,), seed()), N_CELLS))
    clusters.log_variances.copy_(torch.linspace(-1.0, 1.0, N_CELLS))
    return [clusters, scrambled(VarianceDecoder(MLPDecoder((4,), 2, (8,), seed())), 3)]


@torch.no_grad()
def test_bound_with_likelihoods_of_their_own_is_the_sum_of_its_terms(batch, noise):
    """A draw in each component says what decoders per cluster do beyond their potential."""
    model = make_model(own_decoders())
    logs, means, covariances = posterior_by_hand(model, batch)
    clusters, variances = model.decoders
    seen = seen_of(batch).numpy()
    linear = model.potential_of(batch, 0).linear.numpy()
    information = model.information[0].numpy()
    points = means + (np.linalg.cholesky(covariances) @ noise[:, :2, None].numpy())[..., 0]
    told, potentials = np.zeros((N_CELLS, 7)), np.zeros((N_CELLS, 7))
    for c in range(N_CELLS):
        z, cells = torch.as_tensor(points[c]), torch.full((7,), c)
        scale = clusters.log_variances[c].mul(0.5).exp()
        terms = stats.norm.logpdf(batch.arrays[0], clusters.decode(z, cells), scale)
        told[c] = seen[0] * terms.sum(axis=1)
        squares = np.einsum("ni,ij,nj->n", points[c], information, points[c])
        potentials[c] = (linear * points[c]).sum(axis=1) - 0.5 * seen[0] * squares
    joint = model.prior.log_weights().numpy()[:, None] + logs + WEIGHTS[0].item() * told
    joint -= potentials
    value = special.logsumexp(joint, axis=0)
    gamma = np.exp(joint - value)
    components = (gamma.cumsum(axis=0) < stats.norm.cdf(noise[:, 2].numpy())).sum(axis=0)
    z = torch.as_tensor(points[components, range(7)])
    mean, log_variance = variances.moments(z)
    terms = stats.norm.logpdf(batch.arrays[1], mean, log_variance.mul(0.5).exp()).sum(axis=1)
    everything = expected_log_potentials(model, batch, means, covariances)
    expected = value + WEIGHTS[1].item() * seen[1] * terms
    expected += (gamma * (potentials - everything)).sum(axis=0)
    assert_allclose(model.elbo(batch, noise).values, expected, **TOLERANCE)
    said = model.component_evidence(batch, model.posterior(batch), noise[:, :2])
    assert_allclose(said.total, told - potentials, **TOLERANCE)
    assert_allclose(said.log_potentials, potentials, **TOLERANCE)


@torch.no_grad()
def test_what_exact_clusters_say_beyond_their_potential_is_alike():
    """Equal linear heads: gamma is that of the plain decoder, the bound the log-likelihood."""
    mixture, n_draws = LinearMixture(), 20_000
    model, _ = mixture.model()
    plain = model.decoders[1]
    model.decoders[1] = ClusterDecoder(plain, 4).double().eval()
    model.decoders[1].log_variances.fill_(model.log_variances[1])
    _, x = mixture.sample(4)
    noise = torch.randn(4 * n_draws, 3, generator=seed(), dtype=torch.float64)
    batch = repeated(x, [0, 1, 2], n_draws)
    posterior = model.posterior(batch)
    said = model.component_evidence(batch, posterior, noise[:, :2])
    # log p - log l is the same number at all points and in all components
    spread = said.total - said.total[:1]
    assert_allclose(spread, 0.0, atol=1e-6)
    found = model.elbo(batch, noise).values.unflatten(0, (4, -1))
    exact = special.logsumexp(mixture.log_joint(x, [0, 1, 2]), axis=0)
    error = found.std(dim=1).numpy() / np.sqrt(n_draws)
    assert (np.abs(found.mean(dim=1).numpy() - exact) < 5 * error + 1e-5).all()


@torch.no_grad()
def test_experts_of_components_count_once():
    """What does not look at z has no potential: Bayes' rule, and the exact log-likelihood."""
    mixture, rng, n_draws = LinearMixture(), np.random.default_rng(5), 20_000
    model, _ = mixture.model()
    expert = ClusterExpert(ExpertDecoder(line, [0.0, 1.0, 2.0]), (3,), (2, 2), ["A", "B"]).double()
    expert.set_units(0.0, 1.0)
    for parameter in expert.parameters():
        parameter.copy_(torch.as_tensor(rng.normal(size=parameter.shape)))
    expert.log_variances.copy_(torch.as_tensor(rng.normal(size=4)))
    model.decoders[2] = expert
    information = model.information
    information[2] = 0.0
    model.set_information(information)
    _, x = mixture.sample(4)
    # locations are those of the two others: the third encoder's experts are as wide as can be
    layer = model.encoders[2][1]
    layer.weight.zero_()
    layer.bias.copy_(torch.tensor([0.0, 0.0, 1e3, 1e3]))
    scale = expert.log_variances.mul(0.5).exp().numpy()[:, None, None]
    told = stats.norm.logpdf(x[2], expert.means().numpy()[:, None], scale).sum(axis=2)
    joint = mixture.log_joint(x, [0, 1]) + told
    batch = repeated(x, [0, 1, 2], n_draws)
    noise = torch.randn(4 * n_draws, 3, generator=seed(), dtype=torch.float64)
    posterior = model.posterior(batch)
    said = model.component_evidence(batch, posterior, noise[:, :2])
    assert_allclose(said.total.unflatten(1, (4, -1))[:, :, 0], told, rtol=1e-9)
    log_weights = model.log_weights(None)[:, None]
    gamma = posterior.evidence(log_weights + said.total).log_gamma.exp()
    assert_allclose(gamma.unflatten(1, (4, -1))[:, :, 0], special.softmax(joint, axis=0), atol=1e-6)
    found = model.elbo(batch, noise).values.unflatten(0, (4, -1))
    error = found.std(dim=1).numpy() / np.sqrt(n_draws)
    exact = special.logsumexp(joint, axis=0)
    assert (np.abs(found.mean(dim=1).numpy() - exact) < 5 * error + 1e-4).all()


@torch.no_grad()
def test_a_pass_sees_the_terms_of_the_bound(batch, noise):
    """Assignments: unweighted gammas, and terms that with the reconstructions are the bound."""
    model = make_model(own_decoders(), weights=torch.ones(2).double())
    found = model.assign(batch, noise, model.prior.log_weights())
    told = (found.log_gamma.exp() * found.likelihoods[0].log_likelihoods).sum(dim=0)
    told = told + found.likelihoods[1].log_likelihoods[0]
    bound = model.elbo(batch, noise).values
    assert_allclose(found.terms.sum(dim=0) + told, bound, rtol=1e-9, atol=1e-12)
    assert dict(zip(model.terms, found.terms, strict=True)).keys() == {"evidence", "potential"}
