"""What a model says about samples, whole or not, and its bound, by drawing and integration."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch
from linear_models import LinearMixture
from numpy.testing import assert_allclose, assert_array_equal
from random_models import intervene, make_data, make_model
from scipy import special, stats
from some_slow import each_once, some_slow

from skcausalpima._inference import posterior
from skcausalpima._inference.posterior import (
    answer,
    bounds,
    likely,
    sample_posterior,
    score_draws,
    structured_bounds,
)
from skcausalpima._model.tensors import TensorData
from skcausalpima._training.filling import filled
from skcausalpima.modules import Batch, ExpertDecoder, SubsetEncoders, line

POINTS = np.linspace(-1.0, 1.0, 4)
KINDS = {
    "plain": {},
    "variances": {"covariance_type": "diag"},
    "expert per cluster": {"experts": [None, ExpertDecoder(line, POINTS)]},
    "expert per sample": {"experts": [None, ExpertDecoder(line, POINTS, per="sample")]},
    "networks per cluster": {"decoders": ["cluster_mlp", "cluster_mlp"]},
    "predicted variances": {"predict_variances": (True, True)},
    "of each": {"experts": [None, ExpertDecoder(line, POINTS)], "decoders": ["cluster_mlp", None]},
}

#: Those that a model is made of soonest.
FEW = ["plain", "expert per cluster", "predicted variances"]


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
    roots = torch.randn(2, 2, 2, generator=generator, dtype=torch.float64)
    model.set_information(roots @ roots.mT + 0.1 * torch.eye(2))
    encoders = SubsetEncoders(model).eval()
    encoders.log_exponents.copy_(torch.tensor([-0.4, -0.3]))
    encoders.widening.copy_(torch.tensor([[0.2, -0.1], [0.5, 0.3]]))
    return model.eval(), encoders


def incomplete_data():
    """Samples of which the first half lacks the images, the other the curves."""
    data = make_data().subset(slice(0, 8))
    observed = torch.tensor([[False] * 4 + [True] * 4, [True] * 4 + [False] * 4])
    arrays = [a * seen[:, None] for a, seen in zip(data.arrays, observed, strict=True)]
    return TensorData(replace(data.samples, arrays=tuple(arrays), observed=observed), data.dtype)


def asked(which, encoders):
    """Return data and the encoders that are asked of them."""
    return (
        (incomplete_data(), encoders) if which == "parts" else (make_data().subset(slice(8)), None)
    )


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
    draws = torch.tensor(score_draws(2, n_pairs))
    return batch, answer(model, batch, draws, encoders), draws


def whole_covariances(model):
    covariances = model.prior.covariances
    return (torch.diag_embed(covariances) if covariances.ndim == 2 else covariances).numpy()


def conditionals(model, found):
    """log Z without constants, means and covariances, from the potentials: (component, sample)."""
    linear, precision = (part.numpy() for part in found.posterior.potential)
    precision = np.broadcast_to(precision, (len(linear), 2, 2))
    logs, means = np.empty((4, len(linear))), np.empty((4, len(linear), 2))
    covariances = np.empty((4, len(linear), 2, 2))
    for c, (mean, spread) in enumerate(
        zip(model.prior.means.numpy(), whole_covariances(model), strict=True)
    ):
        inverse = np.linalg.inv(spread)
        for n in range(len(linear)):
            covariances[c, n] = np.linalg.inv(inverse + precision[n])
            natural = inverse @ mean + linear[n]
            means[c, n] = covariances[c, n] @ natural
            logs[c, n] = 0.5 * (natural @ means[c, n] - mean @ inverse @ mean)
            logs[c, n] -= 0.5 * np.linalg.slogdet(np.eye(2) + spread @ precision[n])[1]
    return logs, means, covariances


@pytest.mark.usefixtures("no_outliers")
@pytest.mark.parametrize(("kind", "which"), each_once(list(KINDS), ["whole", "parts"]))
@torch.no_grad()
def test_probabilities_of_components(kind, which):
    """A_c Z_c^t L_c, with L_c by drawing from q(z | c), beyond the modality's own potential."""
    model, encoders = random_model(kind)
    data, used = asked(which, encoders)
    batch, found, _ = found_of(model, used, data, 60)
    assert_allclose(found.log_gamma.exp().sum(dim=0), 1.0)
    logs, means, covariances = conditionals(model, found)
    log_weights = model.prior.log_weights().numpy()[:, None]
    joint = found.log_joint.numpy() - log_weights - logs
    assert_allclose(joint, np.broadcast_to(joint[0], joint.shape), atol=1e-9)  # constants
    exponents = np.exp(np.repeat([-0.3, -0.4], 4)) if which == "parts" else 1.0
    expected, rng = log_weights + exponents * logs, np.random.default_rng(3)
    clusters = [m for m, decoder in enumerate(model.decoders) if decoder.depends_on_cluster]
    own_potentials = {m: (used or model).potential_of(batch, m) for m in clusters}
    rows = range(1, 8, 2)  # of either half
    for c in range(4):
        for n in rows if clusters else ():
            z = torch.as_tensor(rng.multivariate_normal(means[c, n], covariances[c, n], 8000))
            own = model.own_likelihoods(batch.take(torch.full((8000,), n)), z, clusters)
            for m in clusters:
                said = own[m].log_likelihoods[c]
                if model.decoders[m].depends_on_latent:
                    linear, precision = own_potentials[m]
                    matrix = precision if precision.ndim == 2 else precision[n]
                    said = said - (z * (linear[n] - 0.5 * z @ matrix)).sum(dim=1)
                expected[c, n] += said.mean().item()
    tolerance = 0.05 if clusters else 1e-9
    checked = rows if clusters else range(8)
    assert_allclose(
        found.log_gamma.exp()[:, checked],
        special.softmax(expected, axis=0)[:, checked],
        atol=tolerance,
    )


@pytest.mark.parametrize(
    ("kind", "which"),
    some_slow(
        itertools.product(KINDS, ["parts", "whole"]),
        [("plain", "parts"), ("expert per cluster", "whole"), ("predicted variances", "parts")],
    ),
)
@torch.no_grad()
def test_the_bound_is_what_drawing_says(kind, which):
    """E_q [log p(x_S, z, c) - log q(z, c)] over draws of c and z from the posterior."""
    model, encoders = random_model(kind)
    data, used = asked(which, encoders)
    batch, found, draws = found_of(model, used, data, 60)
    value = structured_bounds(model, batch, found, draws)
    gamma, n_draws = likely(found.log_gamma), 4000
    _, means, covariances = conditionals(model, found)
    rng = np.random.default_rng(5)
    for n in range(1, 8, 2):  # of either half
        rows = torch.full((n_draws,), n)
        components = rng.choice(4, size=n_draws, p=gamma[:, n].numpy())
        roots = np.linalg.cholesky(covariances[:, n])[components]
        z = means[components, n] + (roots @ rng.normal(size=(n_draws, 2, 1)))[:, :, 0]
        said = log_likelihoods(model, batch.take(rows), torch.as_tensor(z))
        said = said[components if len(said) > 1 else 0, range(n_draws)].numpy().copy()
        for c in range(4):
            here = components == c
            if not here.any():
                continue
            prior = stats.multivariate_normal(model.prior.means[c], whole_covariances(model)[c])
            posterior = stats.multivariate_normal(means[c, n], covariances[c, n])
            said[here] += model.prior.log_weights()[c].item() + prior.logpdf(z[here])
            said[here] -= np.log(gamma[c, n].item()) + posterior.logpdf(z[here])
        error = said.std() / np.sqrt(n_draws)
        assert abs(value[n].item() - said.mean()) < 5 * error + 1e-6


@torch.no_grad()
def test_the_smallest_models():
    """One latent dimension and two components: the bound by a loop over these and draws."""
    decoders = {"decoders": ["cluster_mlp", None], "predict_variances": (False, True)}
    model = make_model(latent_dim=1, node_sizes=(2,), **decoders).eval()
    for number, parameter in enumerate(model.decoders.parameters()):
        parameter.normal_(std=0.5, generator=torch.Generator().manual_seed(number))
    batch, draws = (
        make_data().subset(slice(0, 8)).rows(slice(None)),
        torch.tensor(score_draws(1, 3)),
    )
    found = answer(model, batch, draws)
    expected = torch.zeros(8).double()
    for c, (q, log_joint) in enumerate(zip(likely(found.log_gamma), found.log_joint, strict=True)):
        components = torch.full((8,), c)
        mean = found.posterior.centres(components)
        deviation = found.posterior.covariances(components)[:, :, 0].sqrt()
        for draw in draws:
            own = model.own_likelihoods(batch, mean + draw * deviation)
            said = sum(of.log_likelihoods.expand(2, 8)[c] for of in own.values())
            expected += q * said / len(draws)
        potentials = found.posterior.expected_log_potentials(components)
        expected += q * (log_joint - potentials) - torch.xlogy(q, q)
    assert_allclose(structured_bounds(model, batch, found, draws), expected, rtol=1e-6)


@pytest.mark.parametrize(("kind", "which"), each_once(list(KINDS), ["whole", "parts"]))
@torch.no_grad()
def test_the_bound_is_below_the_log_likelihood(kind, which):
    """log p(x_S) on a fine grid of latent points."""
    model, encoders = random_model(kind)
    data, used = asked(which, encoders)
    batch, value = data.rows(slice(None)), bounds(model, data, used)
    axis = torch.linspace(-9.0, 9.0, 121, dtype=torch.float64)
    grid, area = torch.cartesian_prod(axis, axis), (axis[1] - axis[0]).square().log()
    log_prior = model.prior.log_weights()[:, None] + torch.stack(
        [
            torch.as_tensor(stats.multivariate_normal.logpdf(grid, mean, covariance))
            for mean, covariance in zip(model.prior.means, whole_covariances(model), strict=True)
        ]
    )
    for n in range(8):
        said = log_likelihoods(model, batch.take(torch.full((len(grid),), n)), grid)
        exact = torch.logsumexp((said + log_prior).flatten(), dim=0) + area
        assert value[n] < exact + 1e-3


# Linear models, of which all is known ---------------------------------------------------------


def linear_data(x, observed):
    seen = torch.zeros(3, len(x[0]), dtype=torch.bool)
    seen[observed] = True
    arrays = tuple(
        torch.as_tensor(array) * row[:, None] for array, row in zip(x, seen, strict=True)
    )
    complete = len(observed) == 3
    return TensorData(Batch(arrays, None if complete else seen), torch.float64)


@pytest.mark.usefixtures("no_outliers")
@pytest.mark.parametrize("observed", [[0, 1, 2], [0], [1, 2], []], ids=str)
def test_of_a_linear_model_answers_are_exact(observed):
    """Bayes' rule, conditional expectations, and the bound is the log-likelihood."""
    mixture = LinearMixture()
    model, encoders = mixture.model()
    _, x = mixture.sample(30)
    data = linear_data(x, observed)
    found, values = sample_posterior(model, data, encoders), bounds(model, data, encoders)
    if observed:
        log_joint = mixture.log_joint(x, observed)
    else:
        log_joint = np.broadcast_to(np.log(mixture.weights)[:, None], (4, 30))
    tolerance = {"rtol": 1e-5, "atol": 2e-5}
    assert_allclose(found.cells, special.softmax(log_joint, axis=0).T, **tolerance)
    linear, precision = np.zeros((30, 2)), np.zeros((2, 2))
    for m in observed:
        linear += (x[m] - mixture.offsets[m]) @ mixture.maps[m] / mixture.noise[m] ** 2
        precision += mixture.information(m)
    means = []
    for mean, spread in zip(mixture.means, mixture.covariances, strict=True):
        inverse = np.linalg.inv(spread)
        means.append((inverse @ mean + linear) @ np.linalg.inv(inverse + precision))
    expected = np.einsum("cn,cnj->nj", special.softmax(log_joint, axis=0), means)
    assert_allclose(found.means, expected, **tolerance)
    centres = np.stack(means)[log_joint.argmax(axis=0), range(30)]
    assert_allclose(found.centres, centres, **tolerance)
    # Components that are left out lower the bound, by less than their probability or so.
    assert_allclose(values, special.logsumexp(log_joint, axis=0), atol=3e-4)


@pytest.mark.usefixtures("no_outliers")
@pytest.mark.parametrize("share", some_slow([0.8, 0.3, 0.1], [0.3]))
def test_of_a_linear_model_answers_about_elements_are_exact(share):
    """Whatever elements there are: densities of just these, sample by sample."""
    mixture, rng = LinearMixture(), np.random.default_rng(7)
    model, encoders = mixture.model()
    _, x = mixture.sample(30)
    seen = [rng.random(array.shape) < share for array in x]
    seen[0][:, 0] = True
    observed = torch.as_tensor(np.stack([of.any(axis=1) for of in seen]))
    arrays = tuple(torch.as_tensor(np.where(s, a, 0.0)) for s, a in zip(seen, x, strict=True))
    batch = Batch(arrays, observed, elements=dict(enumerate(map(torch.as_tensor, seen))))
    data = filled(model, TensorData(batch, torch.float64))
    joint, moments = np.empty((4, 30)), mixture.moments([0, 1, 2])
    together, shown = np.concatenate(x, axis=1), np.concatenate(seen, axis=1)
    for c, (mean, covariance) in enumerate(moments):
        for n, row in enumerate(shown):
            part = stats.multivariate_normal(mean[row], covariance[np.ix_(row, row)])
            joint[c, n] = np.log(mixture.weights[c]) + part.logpdf(together[n, row])
    for used in (encoders, None):
        found, values = sample_posterior(model, data, used), bounds(model, data, used)
        assert_allclose(found.cells, special.softmax(joint, axis=0).T, rtol=1e-5, atol=1e-6)
        assert_allclose(values, special.logsumexp(joint, axis=0), atol=3e-4)


# Whatever the model ---------------------------------------------------------------------------


@torch.no_grad()
def test_a_sample_with_nothing_has_the_prior():
    """Of a sample of which nothing is observed: q is the prior."""
    model, encoders = random_model("plain")
    data = incomplete_data()
    nothing = torch.zeros(2, 8, dtype=torch.bool)
    unseen = TensorData(replace(data.samples, observed=nothing), data.dtype)
    for used in (encoders, None):
        assert_allclose(bounds(model, unseen, used), 0.0, atol=1e-5)
        found = sample_posterior(model, unseen, used)
        assert_allclose(found.cells, model.prior.log_weights().exp().expand(8, 4), rtol=1e-5)
        mean = model.prior.log_weights().exp() @ model.prior.means
        assert_allclose(found.means, mean.expand(8, 2), atol=1e-5)


@pytest.mark.parametrize("which", ["parts", "whole"])
@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_means_and_centres(kind, which):
    model, encoders = random_model(kind)
    data, used = asked(which, encoders)
    _, found, _ = found_of(model, used, data)
    gamma = found.log_gamma.exp().numpy()
    _, means, _ = conditionals(model, found)
    assert_allclose(found.mean, np.einsum("cn,cnj->nj", gamma, means), rtol=1e-9, atol=1e-12)
    expected = means[gamma.argmax(axis=0), range(8)]
    assert_allclose(found.centre, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("kind", some_slow(KINDS, FEW))
@torch.no_grad()
def test_complete_samples_have_the_posterior_of_the_model(kind):
    """Encoders of incomplete ones change nothing of theirs."""
    model, encoders = random_model(kind)
    data = make_data(missing=True)
    whole = data.observed.all(dim=0)
    with_, without_ = (sample_posterior(model, data, e) for e in (encoders, None))
    for one, other in zip(with_, without_, strict=True):
        assert_allclose(one[whole], other[whole], rtol=1e-5, atol=1e-5)
        assert not np.allclose(one[~whole], other[~whole], atol=1e-3)
    values = [bounds(model, data, e) for e in (encoders, None)]
    assert_allclose(values[0][whole], values[1][whole], rtol=1e-5)
    complete = make_data()
    for one, other in zip(
        sample_posterior(model, complete, encoders), sample_posterior(model, complete), strict=True
    ):
        assert_array_equal(one, other)


@pytest.mark.parametrize(
    "kind",
    [pytest.param(k, marks=pytest.mark.slow if k == "plain" else pytest.mark.long) for k in KINDS],
)
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


@pytest.mark.usefixtures("no_outliers")
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


def test_negligible_components_are_left_out(monkeypatch):
    log_gamma = torch.tensor([[0.5], [0.4999], [1e-4], [4e-5]]).log()
    assert_allclose(likely(log_gamma).sum(dim=0), 1.0)
    assert_array_equal(likely(log_gamma)[:, 0] > 0, [True, True, True, False])
    monkeypatch.setattr(posterior, "NEGLIGIBLE", 0.9)
    assert_allclose(likely(log_gamma)[:, 0], np.array([0.5, 0.4999, 0.0, 0.0]) / 0.9999, rtol=1e-6)


@pytest.mark.parametrize("which", ["parts", "whole"])
@torch.no_grad()
def test_points_have_the_moments_of_their_component(which):
    model, encoders = random_model("plain")
    data, used = asked(which, encoders)
    _, found, draws = found_of(model, used, data)
    _, means, covariances = conditionals(model, found)
    total = torch.zeros(8).double()
    for inside in found.in_components():
        c, total = inside.components[0], total.index_add(0, inside.rows, inside.probabilities)
        assert (inside.components == c).all()
        points = torch.stack([inside.points(draw) for draw in draws]).numpy()
        assert_allclose(points.mean(axis=0), means[c, inside.rows], atol=1e-9)
        for k, n in enumerate(inside.rows):
            assert_allclose(np.cov(points[:, k].T, bias=True), covariances[c, n], atol=1e-9)
    assert_allclose(total, 1.0)


@pytest.mark.parametrize("which", ["parts", "whole"])
@pytest.mark.parametrize("kind", ["plain", "of each"])
@torch.no_grad()
def test_many_components_are_looked_at_together(monkeypatch, kind, which):
    """Some pairs of sample and component at a time: each that is not negligible, once."""
    model, encoders = random_model(kind)
    data, used = asked(which, encoders)
    batch, found, draws = found_of(model, used, data)
    expected = structured_bounds(model, batch, found, draws)
    monkeypatch.setattr(posterior, "MAX_PAIRS", 5)
    assert_allclose(structured_bounds(model, batch, found, draws), expected, rtol=1e-10)
    shares, centres = torch.zeros(4, 8).double(), conditionals(model, found)[1]
    for inside in found.in_all_components():
        assert len(inside.rows) == len(inside.posterior) <= 5
        shares[inside.components, inside.rows] += inside.probabilities
        places = inside.points(torch.zeros(1, 2).double())
        assert_allclose(places, centres[inside.components, inside.rows], atol=1e-9)
    assert_array_equal(shares, likely(found.log_gamma))
