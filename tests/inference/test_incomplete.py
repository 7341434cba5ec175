"""The posterior of samples that lack modalities, and its bound, against drawing and integration."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from random_models import intervene, make_data, make_model
from scipy import stats

from skcausalpima._inference.incomplete import incomplete_bounds, incomplete_posterior
from skcausalpima._inference.posterior import bounds, sample_posterior, score_draws
from skcausalpima._model.tensors import TensorData
from skcausalpima.modules import ExpertDecoder, SubsetEncoders, line

POINTS = np.linspace(-1.0, 1.0, 4)
KINDS = {
    "plain": {},
    "variances": {"covariance_type": "diag"},
    "expert per cluster": {"experts": [None, ExpertDecoder(line, POINTS)]},
    "expert per sample": {"experts": [None, ExpertDecoder(line, POINTS, per="sample")]},
    "networks per cluster": {"decoders": ["cluster_mlp", "cluster_mlp"]},
    "predicted variances": {"predict_variances": (True, True)},
    "of each": {
        "experts": [None, ExpertDecoder(line, POINTS)],
        "decoders": ["cluster_mlp", None],
    },
}


@torch.no_grad()
def random_model(kind):
    model = make_model(**KINDS[kind])
    generator = torch.Generator().manual_seed(4)
    for parameter in [*model.decoders.parameters(), *model.encoders.parameters()]:
        parameter.normal_(std=0.3, generator=generator)
    roots = torch.randn(4, 2, 2, generator=generator, dtype=torch.float64)
    if model.prior.covariances.ndim == 3:
        model.prior.covariances.copy_(roots @ roots.mT + 0.3 * torch.eye(2))
    for _, expert in model.experts:
        expert.set_units(0.0, 1.0)
    encoders = SubsetEncoders(model).eval()
    encoders.log_exponents.copy_(torch.tensor([0.4, -0.3]))
    return model.eval(), encoders


def incomplete_data():
    """Samples of which the first half lacks the images, the other the curves."""
    data = make_data().subset(slice(0, 8))
    observed = torch.tensor([[False] * 4 + [True] * 4, [True] * 4 + [False] * 4])
    arrays = [a * seen[:, None] for a, seen in zip(data.arrays, observed, strict=True)]
    return TensorData(replace(data.samples, arrays=tuple(arrays), observed=observed), data.dtype)


@torch.no_grad()
def log_likelihoods(model, batch, z):
    """log p(x_S | z, c) of one point per sample, of shape (n_components, n_samples)."""
    plain = model.log_likelihoods(model.squared_errors(batch, z), batch.observed).sum(dim=0)
    own = model.own_likelihoods(batch, z)
    return plain + sum((part.log_likelihoods for part in own.values()), torch.zeros(4, 1))


@torch.no_grad()
def test_plain_likelihoods_are_those_of_scipy():
    """What the other tests rely on."""
    model, _ = random_model("plain")
    batch = incomplete_data().rows(slice(None))
    z = torch.as_tensor(np.random.default_rng(0).normal(size=(8, 2)))
    expected = torch.zeros(8).double()
    for m, decoder in enumerate(model.decoders):
        scale = model.log_variances[m].mul(0.5).exp()
        terms = stats.norm.logpdf(batch.arrays[m], decoder(z).flatten(1), scale).sum(axis=1)
        expected += torch.as_tensor(terms) * batch.observed[m]
    assert_allclose(log_likelihoods(model, batch, z), expected.expand(4, 8), rtol=1e-6)


@torch.no_grad()
def found_of(model, encoders, data, n_pairs=8):
    batch = data.rows(slice(None))
    draws = torch.as_tensor(score_draws(2, n_pairs))
    return batch, incomplete_posterior(model, encoders, batch, draws), draws


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_probabilities_of_components(kind):
    """A_c Z_c^t L_c, with L_c by drawing from q(z | c)."""
    model, encoders = random_model(kind)
    batch, found, _ = found_of(model, encoders, incomplete_data(), 300)
    assert_allclose(found.log_gamma.exp().sum(dim=0), 1.0)
    asked = [m for m, decoder in enumerate(model.decoders) if decoder.depends_on_cluster]
    means, covariances = model.prior.means, model.prior.covariances
    if covariances.ndim == 2:
        covariances = torch.diag_embed(covariances)
    variances = torch.diag_embed(found.potential.log_var.exp())
    logs = torch.zeros(4, 8).double()
    rng = np.random.default_rng(3)
    for c in range(4):
        for n in range(8):
            noisy = covariances[c] + variances[n]
            overlap = stats.multivariate_normal.logpdf(found.potential.mean[n], means[c], noisy)
            log_weight = model.prior.log_weights()[c]
            logs[c, n] = log_weight + np.exp(-0.3 if n < 4 else 0.4) * overlap
            assert_allclose(found.log_joint[c, n], log_weight + overlap)
            if asked:
                precision = torch.linalg.inv(covariances[c]) + torch.linalg.inv(variances[n])
                covariance = torch.linalg.inv(precision)
                pull = found.potential.mean[n] / variances[n].diagonal()
                mean = covariance @ (torch.linalg.solve(covariances[c], means[c]) + pull)
                z = torch.as_tensor(rng.multivariate_normal(mean.numpy(), covariance.numpy(), 8000))
                own = model.own_likelihoods(batch.take(torch.full((8000,), n)), z, asked)
                logs[c, n] += sum(part.log_likelihoods[c].mean() for part in own.values())
    tolerance = 0.05 if asked else 1e-9
    assert_allclose(found.log_gamma.exp(), logs.softmax(dim=0), atol=tolerance)


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_the_bound_is_what_drawing_says(kind):
    """E_q [log p(x_S, z, c) - log q(z, c)] over draws of c and z from the posterior."""
    model, encoders = random_model(kind)
    batch, found, draws = found_of(model, encoders, incomplete_data(), 100)
    value = incomplete_bounds(model, batch, found, draws)
    gamma, n_draws = found.likely(), 4000
    covariances = model.prior.covariances
    if covariances.ndim == 2:
        covariances = torch.diag_embed(covariances)
    rng = np.random.default_rng(5)
    for n in range(8):
        rows = torch.full((n_draws,), n)
        components = rng.choice(4, size=n_draws, p=gamma[:, n].numpy())
        factors, means = found.conditionals.factors[n], found.conditionals.means[n]
        noise = torch.as_tensor(rng.normal(size=(n_draws, 2)))
        z = means[components] + (factors[components] @ noise[..., None])[..., 0]
        said = log_likelihoods(model, batch.take(rows), z)
        said = said[components if len(said) > 1 else 0, range(n_draws)].numpy().copy()
        for c in range(4):
            here = components == c
            if not here.any():
                continue
            prior = stats.multivariate_normal(model.prior.means[c], covariances[c])
            posterior = stats.multivariate_normal(means[c], factors[c] @ factors[c].T)
            said[here] += model.prior.log_weights()[c].item() + prior.logpdf(z[here])
            said[here] -= np.log(gamma[c, n].item()) + posterior.logpdf(z[here])
        error = said.std() / np.sqrt(n_draws)
        assert abs(value[n].item() - said.mean()) < 5 * error + 1e-6


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_the_bound_is_below_the_log_likelihood(kind):
    """log p(x_S) on a fine grid of latent points."""
    model, encoders = random_model(kind)
    data = incomplete_data()
    batch = data.rows(slice(None))
    value = bounds(model, data, encoders)
    axis = torch.linspace(-9.0, 9.0, 121, dtype=torch.float64)
    grid, area = torch.cartesian_prod(axis, axis), (axis[1] - axis[0]).square().log()
    covariances = model.prior.covariances
    if covariances.ndim == 2:
        covariances = torch.diag_embed(covariances)
    log_prior = (
        torch.stack(
            [
                torch.as_tensor(
                    stats.multivariate_normal.logpdf(grid, model.prior.means[c], covariances[c])
                )
                for c in range(4)
            ]
        )
        + model.prior.log_weights()[:, None]
    )
    for n in range(8):
        said = log_likelihoods(model, batch.take(torch.full((len(grid),), n)), grid)
        exact = torch.logsumexp((said + log_prior).flatten(), dim=0) + area
        assert value[n] < exact + 1e-3


@torch.no_grad()
def test_a_sample_with_nothing_has_the_prior():
    """Of a sample of which nothing is observed: q is the prior."""
    model, encoders = random_model("plain")
    data = incomplete_data()
    nothing = torch.zeros(2, 8, dtype=torch.bool)
    unseen = TensorData(replace(data.samples, observed=nothing), data.dtype)
    assert_allclose(bounds(model, unseen, encoders), 0.0, atol=1e-5)
    found = sample_posterior(model, unseen, encoders)
    assert_allclose(found.cells, model.prior.log_weights().exp().expand(8, 4), rtol=1e-5)
    mean = model.prior.log_weights().exp() @ model.prior.means
    assert_allclose(found.means, mean.expand(8, 2), atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_means_and_places(kind):
    model, encoders = random_model(kind)
    _, found, _ = found_of(model, encoders, incomplete_data())
    gamma, means = found.log_gamma.exp(), found.conditionals.means
    for n in range(8):
        assert_allclose(found.mean[n], gamma[:, n] @ means[n])
        assert_array_equal(found.place[n], means[n, gamma[:, n].argmax()])


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_complete_samples_have_the_posterior_of_before(kind):
    model, encoders = random_model(kind)
    data = make_data(missing=True)
    whole = data.observed.all(dim=0)
    with_, without_ = (sample_posterior(model, data, e) for e in (encoders, None))
    for one, other in zip(with_, without_, strict=True):
        assert_allclose(one[whole], other[whole], rtol=1e-9, atol=1e-12)
        assert not np.allclose(one[~whole], other[~whole], atol=1e-3)
    values = [bounds(model, data, e) for e in (encoders, None)]
    assert_allclose(values[0][whole], values[1][whole], rtol=1e-9)
    complete = make_data()
    for one, other in zip(
        sample_posterior(model, complete, encoders), sample_posterior(model, complete), strict=True
    ):
        assert_array_equal(one, other)


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_order_and_blocks_do_not_matter(kind, monkeypatch):
    model, encoders = random_model(kind)
    data = make_data(missing=True)
    order = torch.as_tensor(np.random.default_rng(0).permutation(90))
    shuffled = data.subset(order)
    whole, values = sample_posterior(model, data, encoders), bounds(model, data, encoders)
    for one, other in zip(sample_posterior(model, shuffled, encoders), whole, strict=True):
        assert_allclose(one, other[order], rtol=1e-7, atol=1e-9)
    assert_allclose(bounds(model, shuffled, encoders), values[order], rtol=1e-9)
    monkeypatch.setattr("skcausalpima._model.tensors.BLOCK_ROWS", 7)
    for one, other in zip(sample_posterior(model, data, encoders), whole, strict=True):
        assert_allclose(one, other, rtol=1e-7, atol=1e-9)
    assert_allclose(bounds(model, data, encoders), values, rtol=1e-9)


@pytest.mark.parametrize("known", [True, False])
@torch.no_grad()
def test_what_is_known_of_nodes(known):
    model, encoders = random_model("plain")
    plain = sample_posterior(model, make_data(missing=True), encoders).cells
    data = intervene(make_data(missing=True), model, known)
    found = sample_posterior(model, data, encoders).cells
    odds = model.prior.regime_log_weights()[data.regime_index[0]]
    if odds.shape != found.shape:
        odds = model.log_weights(data.regime_index).T
    expected = plain.log() - model.prior.log_weights() + odds
    if known:
        expected = expected.masked_fill(~data.allowed.T, -torch.inf)
        assert (found[~data.allowed.T] == 0).all()
    assert_allclose(found, expected.softmax(dim=1), atol=1e-9)
    bare = TensorData(replace(data.samples, allowed=None, regime_index=None), data.dtype)
    assert_array_equal(bounds(model, data, encoders), bounds(model, bare, encoders))


def test_negligible_components_are_left_out():
    model, encoders = random_model("plain")
    with torch.no_grad():
        _, found, _ = found_of(model, encoders, incomplete_data())
    sharp = replace(found, log_gamma=torch.tensor([[0.5], [0.4999], [1e-4], [4e-5]]).log())
    assert_allclose(sharp.likely().sum(dim=0), 1.0)
    assert_array_equal(sharp.likely()[:, 0] > 0, [True, True, True, False])


@torch.no_grad()
def test_points_have_the_moments_of_their_component():
    model, encoders = random_model("plain")
    _, found, draws = found_of(model, encoders, incomplete_data())
    points = torch.stack([found.points(2, slice(None), draw) for draw in draws])
    assert_allclose(points.mean(dim=0), found.conditionals.means[:, 2], atol=1e-10)
    assert_allclose(points.var(dim=0, correction=0), found.conditionals.variances[:, 2], rtol=1e-9)
