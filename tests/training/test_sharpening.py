"""Potentials are no wider than locations scatter within components."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from linear_models import LinearMixture
from numpy.testing import assert_allclose, assert_array_equal
from random_models import own_model
from rank_threads import on_ranks
from scipy.linalg import eigh
from small_models import small_spec

from skcausalpima._model.build import build_model
from skcausalpima._model.settings import MixtureSettings
from skcausalpima._model.tensors import TensorData
from skcausalpima._training import potentials
from skcausalpima._training.potentials import sharpen_potentials
from skcausalpima.modules import Batch, ExpertDecoder, line

SETTINGS = MixtureSettings(covariance_type="full", reg_covar=1e-6, shrinkage=0.0)
SHARES = torch.tensor([0.5, 0.3, 0.2]).double()[:, None, None]  # of the modalities


@torch.no_grad()
def one_cluster(n_samples=400):
    """Return a model whose components are alike, samples, and where these lie."""
    mixture = LinearMixture()
    model, _ = mixture.model()
    model.eval()
    model.prior.means.fill_(0.0)  # locations have one mean
    model.prior.covariances.copy_(torch.eye(2).expand_as(model.prior.covariances))
    _, x = mixture.sample(n_samples)
    data = TensorData(Batch(tuple(map(torch.as_tensor, x)), None), torch.float64)
    return model, data, model.location(data.rows(slice(None))).numpy()


@pytest.mark.parametrize("blind", [0, 1])
def test_potentials_are_no_wider_than_locations_scatter(blind):
    """As SciPy says; along the other axis they stay, and modalities keep their shares."""
    model, data, locations = one_cluster()
    values, axes = eigh(np.cov(locations.T))
    precisions = np.array([10.0, 10.0]) / values  # narrow enough
    precisions[blind] = 0.2 / values[blind]
    model.set_information(SHARES * torch.as_tensor((axes * precisions) @ axes.T))
    assert sharpen_potentials(model, data, SETTINGS)
    found = model.information
    assert_allclose(found, SHARES * found.sum(dim=0), rtol=1e-4, atol=1e-5)
    precisions[blind] = 1.0 / (1.0 - potentials.LEAST_SPREAD) / values[blind]
    assert_allclose(found.sum(dim=0), (axes * precisions) @ axes.T, rtol=0.02, atol=1e-3)


def test_components_and_potentials_have_the_scatter_of_locations_together():
    """As the mixture of locations that plain EM would come to."""
    model, data, locations = one_cluster()
    model.set_information(SHARES * torch.eye(2).double() / 100.0)
    for _ in range(5):
        sharpen_potentials(model, data, SETTINGS)
    inside = model.prior.covariances + torch.linalg.inv(model.information.sum(dim=0))
    for covariance in inside:
        assert_allclose(covariance, np.cov(locations.T), rtol=0.05, atol=0.02)


def test_narrow_potentials_stay_bit_by_bit():
    model, data, locations = one_cluster()
    model.set_information(torch.as_tensor(np.linalg.inv(np.cov(locations.T))).repeat(3, 1, 1))
    before = copy.deepcopy(model.state_dict())
    assert not sharpen_potentials(model, data, SETTINGS)
    for name, value in model.state_dict().items():
        assert_array_equal(value, before[name])


def test_locations_on_a_line_say_nothing_of_what_lies_beside_it():
    model, data, _ = one_cluster()
    moves = torch.randn(400, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    arrays = tuple(of[:1] + moves * (of[1:2] - of[:1]) for of in data.arrays)
    line = TensorData(Batch(arrays, None), torch.float64)
    model.set_information(SHARES * torch.eye(2).double() / 100.0)
    before = model.information
    assert not sharpen_potentials(model, line, SETTINGS)
    assert_array_equal(model.information, before)


def test_a_component_that_is_flat_has_covariances_of_single_precision():
    """One cluster on a line: what is left beside it is below the precision of numbers."""
    model, data, _ = one_cluster()
    along = torch.arange(400.0, dtype=torch.float64)[:, None]
    is_flat = along < 150
    line = [of[:1] + along * (of[1:2] - of[:1]) for of in data.arrays]
    arrays = [torch.where(is_flat, a, b) for a, b in zip(line, data.arrays, strict=True)]
    data = TensorData(Batch(tuple(arrays), None), torch.float64)
    locations = model.location(data.rows(slice(None)))
    scatter = torch.cov(locations[:150].T)
    model.prior.means[0] = locations[:150].mean(dim=0)
    model.prior.covariances[0] = scatter + 1e-9 * scatter.trace() * torch.eye(2)
    model.set_information(SHARES * torch.eye(2).double() / 100.0)
    assert sharpen_potentials(model, data, SETTINGS)
    covariances = model.prior.covariances.float()
    assert (torch.linalg.cholesky_ex(covariances).info == 0).all()
    assert torch.linalg.cond(covariances.double()).max() < 1.2 / potentials.LEAST_VARIANCE


def test_few_samples_say_nothing_of_how_wide_potentials_are():
    model, _, _ = one_cluster()
    least = (potentials.LEAST_ROWS + 1) * len(model.prior.means) + 1
    for n_samples in (least - 2, least):
        model, data, _ = one_cluster(n_samples)
        model.set_information(model.information / 100.0)
        assert sharpen_potentials(model, data, SETTINGS) == (n_samples == least)


def test_decoders_of_components_keep_theirs():
    model = own_model()
    model.set_information(model.information / 1e6)
    assert not sharpen_potentials(model, None, SETTINGS)


def test_experts_keep_theirs():
    """A formula that is flat within clusters tells no more than its slopes say."""
    experts = [None, ExpertDecoder(line, np.arange(4.0), per="sample")]
    spec = small_spec(((3,), (4,)), experts=experts)
    model = build_model(spec, torch.Generator().manual_seed(0))
    model.set_information(model.information / 1e6)
    assert not sharpen_potentials(model, None, SETTINGS)


def test_whole_samples_count_by_weight_also_on_ranks():
    model, data, _ = one_cluster()
    model.set_information(model.information / 100.0)
    weights = torch.as_tensor(np.random.default_rng(1).integers(1, 3, (1, 400))).double()
    rows = np.repeat(np.arange(400), weights[0].long())
    expected = sharpened(model, data.subset(torch.as_tensor(rows)))
    data = replace(data, samples=replace(data.samples, weights=weights))
    for found, wanted in zip(sharpened(model, data), expected, strict=True):
        assert_allclose(found, wanted, rtol=1e-6, atol=1e-9)
    observed = torch.ones(3, 500, dtype=torch.bool)
    observed[1, 400:] = False  # these count for nothing
    arrays = tuple(torch.cat([array, 9.0 + array[:100]]) for array in data.arrays)
    weights = torch.cat([weights, weights[:, :100]], dim=1)
    data = TensorData(Batch(arrays, observed, weights=weights), torch.float64)

    def of_one(ranks):
        part = data.subset(slice(ranks.rank, None, ranks.n_ranks))
        return sharpened(model, TensorData(part.samples, part.dtype, ranks))

    for several in [sharpened(model, data), *on_ranks(of_one, 2)]:
        for found, wanted in zip(several, expected, strict=True):
            assert_allclose(found, wanted, rtol=1e-6, atol=1e-9)


def sharpened(model, data):
    """Return the precisions and the mixture of a copy that was made sharper."""
    model = copy.deepcopy(model)
    assert sharpen_potentials(model, data, SETTINGS)
    return model.information, model.prior.means, model.prior.covariances
