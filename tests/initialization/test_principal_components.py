"""The linear start against probabilistic PCA."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from sklearn.decomposition import PCA
from small_models import small_spec
from torch import nn

from skcausalpima._initialization import principal_components as _principal_components
from skcausalpima._initialization.principal_components import initialize_networks, principal_scores
from skcausalpima._model.build import build_model
from skcausalpima._model.tensors import TensorData
from skcausalpima._training.block_update import encode_all
from skcausalpima.modules import Batch


def make_data(*arrays, observed=None):
    observed = None if observed is None else torch.as_tensor(observed)
    return TensorData(Batch(tuple(map(torch.as_tensor, arrays)), observed), torch.float64)


def make_model(data, latent_dim, prior_expert=True):
    shapes = tuple((array.shape[1],) for array in data.arrays)
    options = {"node_sizes": (2,), "latent_dim": latent_dim, "prior_expert": prior_expert}
    return build_model(small_spec(shapes, **options), torch.Generator().manual_seed(0))


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


@pytest.mark.parametrize("n_copies", [1, 2])
@pytest.mark.parametrize("prior_expert", [True, False])
def test_encoder_is_the_exact_posterior(x, prior_expert, n_copies):
    """Also with one modality seen twice, whose information adds up."""
    data = make_data(*[x] * n_copies)
    model = make_model(data, 3, prior_expert)
    scores = principal_scores(data, 3, seed=0).whitened
    initialize_networks(model, data, scores)
    posterior = encode_all(without_networks(model), data)
    centred = x - x.mean(axis=0)
    maps = np.linalg.lstsq(scores, centred, rcond=None)[0]  # (latent, width)
    variance = np.mean((centred - scores @ maps) ** 2)
    precision = n_copies * maps @ maps.T / variance + np.eye(3)
    expected = n_copies * centred @ maps.T / variance @ np.linalg.inv(precision)
    assert_allclose(posterior.mean, expected, atol=1e-10)
    assert_allclose(posterior.log_var.exp(), np.tile(1 / np.diag(precision), (200, 1)), rtol=1e-8)
    assert_allclose(model.log_variances.exp(), [variance] * n_copies)


@pytest.mark.parametrize("latent_dim", [1, 3])
def test_decoders_are_the_reconstruction_of_pca(x, latent_dim):
    blocks = x[:, :3] / np.sqrt(3), x[:, 3:] / np.sqrt(4)
    pca = PCA(latent_dim).fit(np.hstack(blocks))
    expected = pca.inverse_transform(pca.transform(np.hstack(blocks)))
    expected = [expected[:, :3] * np.sqrt(3), expected[:, 3:] * np.sqrt(4)]
    data = make_data(x[:, :3], x[:, 3:])
    model = make_model(data, latent_dim)
    scores = principal_scores(data, latent_dim, seed=0).whitened
    initialize_networks(model, data, scores)
    decoded = model.decode(torch.as_tensor(scores))
    for m, array in enumerate(decoded):
        assert_allclose(array.detach(), expected[m], atol=1e-9)
        error = np.mean((expected[m] - data.arrays[m].numpy()) ** 2)
        assert_allclose(model.log_variances[m].exp(), error)


def test_directions_that_are_not_there_are_zero(x):
    x = x[:, :2]
    data = make_data(x)
    model = make_model(data, 5)
    scores = principal_scores(data, 5, seed=0)
    assert (scores.whitened[:, 2:] == 0).all()
    initialize_networks(model, data, scores.whitened)
    assert_allclose(model.encoders[0].linear.weight[2:].detach(), 0.0, atol=1e-12)
    assert_allclose(model.decoders[0].linear.weight[:, 2:].detach(), 0.0, atol=1e-12)
    posterior = encode_all(without_networks(model), data)
    assert_allclose(posterior.log_var[:, 2:].exp(), 1.0, atol=2e-3)


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
    monkeypatch.setattr(_principal_components, "MAX_ROWS", 50)
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
    monkeypatch.setattr(_principal_components, "MAX_ROWS", 20)
    observed = np.ones((2, 200), dtype=bool)
    observed[1] = np.arange(200) == 123
    data = make_data(x, x[:, :2] * observed[1][:, None], observed=observed)
    model = make_model(data, 3)
    initialize_networks(model, data, principal_scores(data, 3, seed=0).whitened)
    assert torch.isfinite(model.log_variances).all()


def test_nothing_varies():
    data = make_data(np.zeros((20, 3)))
    scores = principal_scores(data, 2, seed=0)
    assert (scores.whitened == 0).all()
    model = make_model(data, 2)
    initialize_networks(model, data, scores.whitened)
    posterior = encode_all(model, data)
    assert torch.isfinite(torch.stack(tuple(posterior))).all()


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
