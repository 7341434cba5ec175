"""How sharp potentials are: averages over the samples that have a modality."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from linear_models import LinearMixture
from numpy.testing import assert_allclose, assert_array_equal
from random_models import block_update, make_data, make_model, own_model
from rank_threads import on_ranks

from skcausalpima._model.tensors import TensorData
from skcausalpima._training import potentials
from skcausalpima._training.block_update import variance_floors
from skcausalpima._training.potentials import all_potentials, at_likely_points, mean_information
from skcausalpima.modules import Batch, fisher_information


@pytest.mark.parametrize("has_cells", [False, True])
def test_of_a_linear_decoder_it_is_exact(has_cells):
    """W'W / s2, whatever the model holds for it."""
    mixture = LinearMixture()
    model, _ = mixture.model()
    _, x = mixture.sample(20)
    data = TensorData(Batch(tuple(map(torch.as_tensor, x)), None), torch.float64)
    model.set_information(torch.eye(2).double().repeat(3, 1, 1))
    found = mean_information(model, data, has_cells)
    expected = np.stack([mixture.information(m) for m in range(3)])
    assert_allclose(found, expected, rtol=1e-8, atol=1e-9)


@torch.no_grad()
def test_points_are_those_of_the_most_probable_component():
    """By Bayes' rule, and by conditioning Gaussians; steps are their deviations."""
    mixture = LinearMixture()
    model, _ = mixture.model()
    _, x = mixture.sample(20)
    batch = Batch(tuple(map(torch.as_tensor, x)), None)
    found = at_likely_points(model, batch)
    components = mixture.probabilities(x, [0, 1, 2]).argmax(axis=0)
    assert_array_equal(found.components, components)
    information = sum(mixture.information(m) for m in range(3))
    linear = sum(
        (x[m] - mixture.offsets[m]) @ mixture.maps[m] / s**2 for m, s in enumerate(mixture.noise)
    )
    for n, c in enumerate(components):
        prior = np.linalg.inv(mixture.covariances[c])
        inside = np.linalg.inv(prior + information)
        assert_allclose(
            found.points[n], inside @ (prior @ mixture.means[c] + linear[n]), rtol=1e-4, atol=1e-5
        )
        assert_allclose(found.steps[n], np.sqrt(np.diag(inside)), rtol=1e-4)
    unit = at_likely_points(model, batch, has_cells=False)
    inside = np.linalg.inv(np.eye(2) + information)
    assert_allclose(unit.points, linear @ inside, rtol=1e-4, atol=1e-5)
    assert_allclose(unit.steps, np.tile(np.sqrt(np.diag(inside)), (20, 1)), rtol=1e-4)


@torch.no_grad()
def test_samples_count_by_weight_where_they_have_the_modality():
    model, data = make_model(linear=False).eval(), make_data(missing=True)
    weights = torch.as_tensor(np.random.default_rng(1).uniform(0.5, 3.0, (1, 90)))
    data = replace(data, samples=replace(data.samples, weights=weights))
    found = mean_information(model, data)
    around = at_likely_points(model, data.rows(slice(None)))
    for m, decoder in enumerate(model.decoders):
        each = fisher_information(decoder, around, model.log_variances[m])
        assert each.std(dim=0).max() > 1e-3  # it is not the same everywhere
        counts = weights[0] * data.observed[m]
        expected = (counts[:, None, None] * each).sum(dim=0) / counts.sum()
        assert_allclose(found[m], expected, rtol=1e-10)


def test_modalities_without_samples_keep_theirs():
    model, data = make_model().eval(), make_data(missing=True)
    data.observed[0] = False
    before = 3.0 * model.information
    model.set_information(before)
    found = mean_information(model, data)
    assert_allclose(found[0], before[0])
    assert not np.allclose(found[1], before[1])


def test_decoders_that_do_not_look_at_latent_points_know_nothing_of_them():
    model, data = own_model(), make_data()
    model.decoders[0].depends_on_latent = False
    found = mean_information(model, data)
    assert_array_equal(found[0], torch.zeros(2, 2))
    assert found[1].diagonal().min() > 0


def test_some_of_many_samples_are_asked_also_on_ranks(monkeypatch):
    monkeypatch.setattr(potentials, "N_ROWS", 10)
    model, data = make_model(linear=False).eval(), make_data()
    rows = torch.as_tensor(np.linspace(0, 89, 10).astype(int))
    expected = mean_information(model, data.subset(rows))
    assert_allclose(mean_information(model, data), expected, rtol=1e-10)

    def of_one(ranks):
        part = data.subset(slice(ranks.rank, None, ranks.n_ranks))
        return mean_information(model, TensorData(part.samples, part.dtype, ranks))

    for found in on_ranks(of_one, 3):
        assert_allclose(found, expected, rtol=1e-10)


@torch.no_grad()
def test_updates_leave_potentials_as_sharp_as_decoders_are():
    model, data = make_model(), make_data(missing=True)
    block_update(variance_floors(data))(model, data)
    block_update(variance_floors(data)).set_information(model, data)
    assert_allclose(model.information, mean_information(model, data), rtol=0.2)
    for m, decoder in enumerate(model.decoders):  # of the new variances
        around = at_likely_points(model, data.rows(slice(None)))
        each = fisher_information(decoder, around, model.log_variances[m])
        assert_allclose(
            model.information[m], each[data.observed[m]].mean(dim=0), rtol=0.2, atol=0.05
        )


@torch.no_grad()
@pytest.mark.parametrize("missing", [False, True])
def test_potentials_of_all_samples_are_those_of_blocks(monkeypatch, missing):
    model, data = make_model().eval(), make_data(missing)
    monkeypatch.setattr("skcausalpima._model.tensors.BLOCK_ROWS", 13)
    found, points = all_potentials(model, data)
    batch = data.rows(slice(None))
    whole = model.posterior(batch).potential
    assert found.is_shared != missing
    assert_allclose(found.linear, whole.linear, atol=1e-10)
    assert_allclose(found.precision, whole.precision, atol=1e-10)
    assert_allclose(points, model.unit_points(batch, torch.zeros(90, 3).double()), atol=1e-5)


@pytest.mark.parametrize("has_many_words", [True, False])
def test_locations_by_many_words_make_no_potential_sharper(monkeypatch, has_many_words):
    data = make_data()
    model = make_model()
    model.set_information(1e-3 * model.information)  # far wider than locations scatter
    before = model.information.clone()
    monkeypatch.setattr(model.decoders[0], "has_many_words", has_many_words, raising=False)
    settings = block_update(torch.ones(2)).mixture
    monkeypatch.setattr(potentials, "LEAST_ROWS", 1)
    assert potentials.sharpen_potentials(model, data, settings) is not has_many_words
    assert torch.equal(model.information, before) is has_many_words
