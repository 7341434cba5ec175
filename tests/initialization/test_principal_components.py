"""The linear start against probabilistic PCA."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from sklearn.decomposition import PCA
from small_models import small_spec
from torch import nn

from skcausalpima._initialization.derived_views import ViewStart
from skcausalpima._initialization.principal_components import (
    FLOOR,
    initialize_networks,
    noise_variances,
    principal_scores,
)
from skcausalpima._model.build import build_model
from skcausalpima._model.tensors import TensorData
from skcausalpima._training.potentials import mean_information
from skcausalpima.modules import Batch


def make_data(*arrays, observed=None):
    observed = None if observed is None else torch.as_tensor(observed)
    return TensorData(Batch(tuple(map(torch.as_tensor, arrays)), observed), torch.float64)


def make_model(data, latent_dim, **changes):
    shapes = tuple((array.shape[1],) for array in data.arrays)
    options = {"node_sizes": (2,), "latent_dim": latent_dim} | changes
    return build_model(small_spec(shapes, **options), torch.Generator().manual_seed(0))


def encoded(model, data):
    """Return the published posterior of all samples."""
    with torch.no_grad():
        return model.eval().encode(data.rows(slice(None)))


def without_networks(model):
    """Silence the nonlinear part of the encoders, which starts small but not at zero."""
    with torch.no_grad():
        for encoder in model.encoders:
            encoder.network[-1].weight.zero_()
    return model


@pytest.fixture
def x():
    rng = np.random.default_rng(0)
    latents = rng.normal(size=(200, 3)) * [3.0, 2.0, 1.0]
    return latents @ rng.normal(size=(3, 7)) + 0.5 * rng.normal(size=(200, 7)) + 4.0


def test_scores_are_principal_components(x):
    scores = principal_scores(make_data(x), 3, seed=0)
    expected = PCA(3).fit_transform(x) / np.sqrt(7)
    signs = np.sign((expected * scores.scaled).sum(axis=0))
    assert_allclose(scores.scaled * signs, expected, atol=1e-10)
    assert_allclose(np.cov(scores.whitened.T, bias=True), np.eye(3), atol=1e-10)


def test_modalities_count_alike(x):
    """A modality and its columns ten times over have the same principal components."""
    narrow, wide = x[:, :3], x[:, 3:]
    one = principal_scores(make_data(narrow, wide), 3, seed=0).scaled
    other = principal_scores(make_data(narrow, np.tile(wide, 10)), 3, seed=0).scaled
    assert_allclose(np.abs(other), np.abs(one), atol=1e-9)


def test_wide_data_by_random_projections():
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(120, 2)) * [20.0, 10.0]) @ rng.normal(size=(2, 150))
    x += rng.normal(size=x.shape)
    scores = principal_scores(make_data(x), 2, seed=0).scaled
    expected = PCA(2, svd_solver="full").fit_transform(x) / np.sqrt(150)
    assert_allclose(np.abs(scores), np.abs(expected), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("weights", [None, (1.0, 3.0)])
def test_blocks_vary_by_one_in_the_mean(x, weights):
    """Of standardised columns, whatever their number, units of noise and weights."""
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    noise = None if weights is None else np.array([0.2, 5.0])
    data = make_data(x[:, :2], x[:, 2:])
    scaled = principal_scores(data, 7, seed=0, weights=weights, noise=noise).scaled
    assert scaled.var(axis=0).sum() == pytest.approx(2.0)


def test_short_directions_are_there_and_those_of_rounding_are_not():
    """Also in other units; of the direction that is missing the score is zero."""
    x = np.random.default_rng(0).normal(size=(60, 4)) * [1.0, 1e-3, 1e-5, 1e-10]
    for scale in (1e-6, 1.0, 1e6):
        scores = principal_scores(make_data(scale * x), 4, seed=0)
        assert_allclose(scores.whitened.std(axis=0), [1.0, 1.0, 1.0, 0.0], atol=1e-6)
        expected = scale * PCA(3).fit_transform(x) / 2.0
        assert_allclose(np.abs(scores.scaled[:, :3]), np.abs(expected), rtol=1e-5)


@pytest.mark.parametrize("is_weighted", [False, True])
def test_views_stand_beside_modalities_and_count_as_these_do(x, is_weighted):
    """PCA of both, the view by the weight of its modality; copies place and are no scores."""
    rng = np.random.default_rng(1)
    seen, copy = rng.normal(size=(200, 3)), rng.normal(size=(200, 5))
    seen, copy = seen - seen.mean(axis=0), copy - copy.mean(axis=0)
    fields = dict.fromkeys(("slope", "offset", "mean", "components"), np.zeros(1))
    views = {1: ViewStart(**fields, scores=seen, placing=copy)}
    widths, noise, weights = np.array([3, 4]), np.array([0.5, 2.0]), np.array([1.0, 5.0])
    units, asked = np.sqrt(widths), {}
    if is_weighted:
        units = np.sqrt(noise / weights)
        units *= np.sqrt(np.mean(widths / units**2))
        asked = {"noise": noise, "weights": weights}
    scores = principal_scores(make_data(x[:, :3], x[:, 3:]), 4, seed=0, views=views, **asked)
    factor = np.sqrt(widths[1]) / units[1]
    stacked = np.hstack([x[:, :3] / units[0], x[:, 3:] / units[1], factor * seen])
    expected = PCA(4, svd_solver="full").fit_transform(stacked)
    assert_allclose(np.abs(scores.scaled), np.abs(expected), atol=1e-9)
    assert_allclose(scores.placed, np.hstack([scores.scaled, factor * copy]))


def some_missing(x, n_missing=60):
    """Return two modalities of samples that lack one of them now and then, in some units."""
    observed = np.ones((2, len(x)), dtype=bool)
    observed[0, :n_missing] = observed[1, n_missing : 2 * n_missing] = False

    def in_units(scale, filler=0.0):
        blocks = zip((x[:, :3], x[:, 3:]), observed, strict=True)
        return make_data(
            *[np.where(there[:, None], scale * b, filler) for b, there in blocks], observed=observed
        )

    return in_units


def test_scores_and_noise_of_samples_that_lack_modalities_have_the_unit_of_the_data(x):
    """And the origin has no say, nor what stands where samples lack something."""
    in_units = some_missing(x)
    first = principal_scores(in_units(1.0), 3, seed=0).scaled
    noise = noise_variances(in_units(1.0), 3, seed=0)
    for scale, filler in ((1e3, 0.0), (1e-3, 0.0), (1.0, -77.0)):
        data = in_units(scale, filler)
        other = principal_scores(data, 3, seed=0).scaled
        other = other * np.sign((other * first).sum(axis=0))
        assert_allclose(other, scale * first, atol=1e-6 * scale * np.abs(first).max())
        assert_allclose(noise_variances(data, 3, seed=0), scale**2 * noise)
    moved = principal_scores(some_missing(x + 50.0)(1.0), 3, seed=0).scaled
    assert_allclose(np.abs(moved), np.abs(first), atol=1e-6 * np.abs(first).max())


def test_a_modality_that_no_sample_has_says_nothing(x):
    """Some rows of many may be such, and draws of a fit."""
    observed = np.tile([[True], [False]], len(x))
    both = principal_scores(make_data(x, np.zeros((len(x), 3)), observed=observed), 3, seed=0)
    alone = principal_scores(make_data(x), 3, seed=0)
    assert_allclose(np.abs(both.whitened), np.abs(alone.whitened), atol=1e-5)


def test_scores_of_samples_that_lack_modalities_are_near_to_those_of_whole_ones(x):
    whole = principal_scores(make_data(x[:, :3], x[:, 3:]), 3, seed=0)
    parts = principal_scores(some_missing(x, 20)(1.0), 3, seed=0)
    for name in ("scaled", "whitened"):
        one, other = getattr(whole, name)[40:], getattr(parts, name)[40:]
        assert (np.abs(np.corrcoef(one.T, other.T)[:3, 3:].diagonal()) > 0.97).all()
    assert_allclose(parts.whitened.std(axis=0), 1.0)


def test_where_components_say_all_noise_has_a_least_part_of_what_varies(x):
    """Where there is nothing to say, the unit is that of the data."""
    data = make_data(x[:, :1], np.hstack([3.0 * x[:, :1], -x[:, :1]]), np.ones((200, 2)))
    spread = [np.var(x[:, 0]), 5.0 * np.var(x[:, 0]), 1.0]
    assert_allclose(noise_variances(data, 1, seed=0), FLOOR * np.array(spread))
    assert_allclose(noise_variances(make_data(x), 0, seed=0), [np.var(x, axis=0).mean()])
    one_row = noise_variances(make_data(x[:1], x[:1]), 3, seed=0)
    assert_allclose(one_row, FLOOR)


@pytest.mark.parametrize("n_copies", [1, 2])
@pytest.mark.parametrize("prior_expert", [True, False])
def test_encoder_is_the_exact_published_posterior(x, prior_expert, n_copies):
    """Also with one modality seen twice, whose information adds up."""
    data = make_data(*[x] * n_copies)
    model = make_model(data, 3, prior_expert=prior_expert, sampled_responsibilities=True)
    scores = principal_scores(data, 3, seed=0).whitened
    initialize_networks(model, data, scores)
    posterior = encoded(without_networks(model), data)
    centred = x - x.mean(axis=0)
    maps = np.linalg.lstsq(scores, centred, rcond=None)[0]  # (latent, width)
    variance = np.mean((centred - scores @ maps) ** 2)
    precision = n_copies * maps @ maps.T / variance + np.eye(3)
    expected = n_copies * centred @ maps.T / variance @ np.linalg.inv(precision)
    assert_allclose(posterior.mean, expected, atol=1e-10)
    assert_allclose(posterior.log_var.exp(), np.tile(1 / np.diag(precision), (200, 1)), rtol=1e-8)
    assert_allclose(model.log_variances.exp(), [variance] * n_copies)


@pytest.mark.parametrize("n_copies", [1, 2])
@torch.no_grad()
def test_encoders_say_where_the_likelihood_of_a_linear_decoder_lies(x, n_copies):
    """The least squares solution of x = W z + b; also with one modality seen twice.

    With N(0, I) the mean is that of probabilistic PCA, and the potential W' (x - b) / s^2 exactly.
    """
    data = make_data(*[x] * n_copies)
    model = make_model(data, 3)
    scores = principal_scores(data, 3, seed=0).whitened
    initialize_networks(model, data, scores)
    without_networks(model).eval()
    maps = np.linalg.lstsq(scores, x - x.mean(axis=0), rcond=None)[0]  # (latent, width)
    expected = np.linalg.lstsq(maps.T, (x - x.mean(axis=0)).T, rcond=None)[0].T
    variance = np.mean((x - x.mean(axis=0) - scores @ maps) ** 2)
    information = maps @ maps.T / variance
    model.set_information(torch.as_tensor(np.tile(information, (n_copies, 1, 1))))
    potential = model.posterior(data.rows(slice(None))).potential
    linear = n_copies * (x - x.mean(axis=0)) @ maps.T / variance
    assert_allclose(potential.linear, linear, rtol=1e-6, atol=1e-6)
    located = torch.linalg.solve(potential.precision, potential.linear.T).T
    assert_allclose(located, expected, rtol=1e-6, atol=1e-6)
    unit = model.posterior(data.rows(slice(None)), has_cells=False)
    mean = np.linalg.solve(n_copies * information + np.eye(3), linear.T).T
    assert_allclose(unit.mean(torch.ones(1, 200)), mean, rtol=1e-6, atol=1e-6)
    widths = model.encoders[0](data.arrays[0])[:, 3:]
    precision = np.diag(maps @ maps.T) / variance
    assert_allclose(widths, np.tile(-np.log(precision), (200, 1)), rtol=1e-5)
    found = mean_information(model, data, has_cells=False)
    assert_allclose(found, np.tile(information, (n_copies, 1, 1)), rtol=1e-3, atol=1e-2)


@torch.no_grad()
def test_modalities_that_say_little_count_for_little(x):
    """One tells of some directions of z, the other of others: experts are weighted by precision.

    In no direction the location is further away than the better of the two by itself.
    """
    rng = np.random.default_rng(2)
    noisy = x[:, :2] + 20.0 * rng.normal(size=(200, 2))
    data = make_data(x, noisy)
    model = make_model(data, 3)
    scores = principal_scores(data, 3, seed=0).whitened
    initialize_networks(model, data, scores)
    without_networks(model).eval()
    outputs = [e(a) for e, a in zip(model.encoders, data.arrays, strict=True)]
    locations, log_vars = torch.stack(outputs).chunk(2, dim=-1)
    weights = log_vars.neg().exp()
    expected = (weights * locations).sum(dim=0) / weights.sum(dim=0)
    potential = model.posterior(data.rows(slice(None)), has_cells=False).potential
    mean = torch.linalg.solve(potential.precision, potential.linear.T).T
    assert_allclose(mean, expected, rtol=1e-6, atol=1e-6)
    assert weights[:, 0].argmax(dim=0).tolist() == [1, 1, 0]
    errors = [np.square(of.numpy() - scores).mean(axis=0) for of in (mean, *locations)]
    assert (errors[0] < np.minimum(errors[1], errors[2])).all()
    assert errors[0].mean() < 0.2 * min(errors[1].mean(), errors[2].mean())


@pytest.mark.parametrize("sampled", [False, True])
@pytest.mark.parametrize("latent_dim", [1, 3])
def test_decoders_are_the_reconstruction_of_pca(x, latent_dim, sampled):
    blocks = x[:, :3] / np.sqrt(3), x[:, 3:] / np.sqrt(4)
    pca = PCA(latent_dim).fit(np.hstack(blocks))
    expected = pca.inverse_transform(pca.transform(np.hstack(blocks)))
    expected = [expected[:, :3] * np.sqrt(3), expected[:, 3:] * np.sqrt(4)]
    data = make_data(x[:, :3], x[:, 3:])
    model = make_model(data, latent_dim, sampled_responsibilities=sampled)
    scores = principal_scores(data, latent_dim, seed=0).whitened
    initialize_networks(model, data, scores)
    decoded = model.decode(torch.as_tensor(scores))
    for m, array in enumerate(decoded):
        assert_allclose(array.detach(), expected[m], atol=1e-9)
        error = np.mean((expected[m] - data.arrays[m].numpy()) ** 2)
        assert_allclose(model.log_variances[m].exp(), error)


def test_where_scores_say_all_variances_are_a_least_part_of_what_varies(x):
    """Of whole modalities, and of each column where these have variances of their own."""
    data = make_data(x[:, :2], np.ones((200, 2)))
    model = make_model(data, 3)
    initialize_networks(model, data, principal_scores(data, 3, seed=0).whitened)
    spread = np.array([np.var(x[:, :2], axis=0).mean(), 1.0])
    assert_allclose(model.log_variances.exp(), FLOOR * spread)


def test_directions_that_are_not_there_are_zero(x):
    x = x[:, :2]
    data = make_data(x)
    model = make_model(data, 5, sampled_responsibilities=True)
    scores = principal_scores(data, 5, seed=0)
    assert (scores.whitened[:, 2:] == 0).all()
    initialize_networks(model, data, scores.whitened)
    assert_allclose(model.encoders[0].linear.weight[2:].detach(), 0.0, atol=1e-12)
    assert_allclose(model.decoders[0].linear.weight[:, 2:].detach(), 0.0, atol=1e-12)
    posterior = encoded(without_networks(model), data)
    assert_allclose(posterior.log_var[:, 2:].exp(), 1.0, atol=2e-3)


@torch.no_grad()
def test_nothing_is_said_of_directions_that_are_not_there(x):
    """Encoders lie at zero there, wide, and the decoder knows nothing of them."""
    data = make_data(x[:, :2])
    model = make_model(data, 5)
    initialize_networks(model, data, principal_scores(data, 5, seed=0).whitened)
    without_networks(model).eval()
    outputs = model.encoders[0](data.arrays[0])
    assert_allclose(outputs[:, 2:5], 0.0, atol=1e-9)
    assert (outputs[:, 7:] > outputs[:, 5:7].max() + 3.0).all()
    information = mean_information(model, data, has_cells=False)[0]
    assert_allclose(information[2:], 0.0, atol=1e-2 * float(information.max()))
    model.set_information(information[None])
    gamma = torch.ones(1, 200)
    unit = model.posterior(data.rows(slice(None)), has_cells=False)
    assert_allclose(unit.mean(gamma)[:, 2:], 0.0, atol=0.05)
    assert torch.isfinite(unit.mean(gamma)).all()


def test_missing_samples_do_not_count(x):
    observed = np.ones((2, 200), dtype=bool)
    observed[0, 150:] = False
    other = np.random.default_rng(1).normal(size=(200, 2)) + 3.0
    fits = []
    for filler in (0.0, 1e6):
        filled = np.where(observed[0][:, None], x, filler)
        data = make_data(filled, other, observed=observed)
        model = make_model(data, 3)
        scores = principal_scores(data, 3, seed=0).whitened
        initialize_networks(model, data, scores)
        fits.append(model.decode(torch.as_tensor(scores))[0].detach())
    assert_allclose(fits[0], fits[1])


def test_many_rows_are_sampled_everywhere(x, monkeypatch):
    """Sorted data: the first rows alone would not tell."""
    monkeypatch.setattr("skcausalpima._initialization.principal_components.ROWS_OF_SVD", 50)
    x = x[np.argsort(x[:, 0])]
    x[100:] += 30.0 * np.eye(7)[1]
    data = make_data(x)
    model = make_model(data, 3)
    scores = principal_scores(data, 3, seed=0).whitened
    initialize_networks(model, data, scores)
    decoded = model.decode(torch.as_tensor(scores))[0].detach().numpy()
    pca = PCA(3).fit(x)
    expected = pca.inverse_transform(pca.transform(x))
    assert np.mean((decoded - x) ** 2) < 2.0 * np.mean((expected - x) ** 2)


def test_rare_modality_among_many_rows(x, monkeypatch):
    monkeypatch.setattr("skcausalpima._initialization.principal_components.ROWS_OF_SVD", 20)
    observed = np.ones((2, 200), dtype=bool)
    observed[1] = np.arange(200) == 123
    data = make_data(x, x[:, :2] * observed[1][:, None], observed=observed)
    model = make_model(data, 3)
    initialize_networks(model, data, principal_scores(data, 3, seed=0).whitened)
    assert torch.isfinite(model.log_variances).all()


@pytest.mark.parametrize("sampled", [False, True])
@torch.no_grad()
def test_nothing_varies(sampled):
    data = make_data(np.zeros((20, 3)))
    scores = principal_scores(data, 2, seed=0)
    assert (scores.whitened == 0).all()
    model = make_model(data, 2, sampled_responsibilities=sampled).eval()
    initialize_networks(model, data, scores.whitened)
    batch, gamma = data.rows(slice(None)), torch.full((2, 20), 0.5)
    mean = model.encode(batch).mean if sampled else model.posterior(batch).mean(gamma)
    assert torch.isfinite(mean).all()
    if not sampled:
        assert torch.isfinite(mean_information(model, data)).all()


class OwnEncoder(nn.Linear):
    """A module of the user's, with a method of its own that is called as one of ours is."""

    def initialize_linear(self, *arguments):
        raise AssertionError("an encoder of the user's is to be left as it is")


def test_encoders_of_the_users_are_left_as_they_are(x):
    data = make_data(x)
    own = OwnEncoder(7, 6, dtype=torch.float64)
    model = build_model(
        small_spec(((7,),), node_sizes=(2,), latent_dim=3, encoders=[own]), torch.Generator()
    )
    initialize_networks(model, data, principal_scores(data, 3, seed=0).whitened)
    assert torch.equal(model.encoders[0].weight, own.weight)
    assert model.decoders[0].linear.weight.abs().sum() > 0  # that is ours
