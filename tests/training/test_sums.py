"""What gradient steps see of the samples is what a pass over them would find."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from random_models import NAMES, block_update, intervene, make_data, make_model, own_model, seed
from small_models import small_settings
from torch import nn

from skcausalpima._training import loop
from skcausalpima._training.acceleration import step_precision
from skcausalpima._training.block_update import data_pass, variance_floors
from skcausalpima._training.early_stopping import Stopper
from skcausalpima._training.observer import Observer
from skcausalpima._training.sums import EpochSums
from skcausalpima.functional import update_mixture

TERMS = ("density", "weight", "assignment_entropy", "posterior_entropy")


def seen_by_steps(model, data, batch_size=7):
    """Meet all samples in shuffled batches; the model stays as it is."""
    generator = seed(3)
    with model.frozen():
        seen = EpochSums(model, data)
        for numbers, batch in data.numbered(batch_size, generator):
            noise = data.normal(len(numbers), model.prior.means.shape[1], generator)
            seen.add(numbers, model.elbo(batch, noise))
    seen.end()
    return seen


def assert_same_sums(found, passed):
    for name in ("counts", "first", "second", "origin"):
        one, other = (getattr(result.statistics, name) for result in (found, passed))
        assert_allclose(one, other, atol=1e-9)
    assert_allclose(found.counts, passed.counts, atol=1e-9)
    np.testing.assert_array_equal(found.labels, passed.labels)
    for key in TERMS:
        assert_allclose(found.terms[key], passed.terms[key], atol=1e-10)


@pytest.mark.parametrize("block_rows", [1, 20, 512])
@pytest.mark.parametrize("covariance_type", ["full", "diag"])
def test_sums_of_an_epoch_are_those_of_a_pass(monkeypatch, covariance_type, block_rows):
    monkeypatch.setattr("skcausalpima._training.sums.BLOCK_ROWS", block_rows)
    model, data = make_model(covariance_type).eval(), make_data(missing=True)
    seen = seen_by_steps(model, data)
    assert_same_sums(seen.result(NAMES), data_pass(model, data, seed(), NAMES))


@pytest.mark.parametrize("known", [False, True])
def test_they_know_what_was_set_and_how_much_samples_count(known):
    model = make_model().eval()
    data = intervene(make_data(), model, known)
    weights = torch.from_numpy(np.random.default_rng(4).uniform(0.5, 3.0, (1, data.n_samples)))
    data = replace(data, samples=replace(data.samples, weights=weights))
    seen = seen_by_steps(model, data)
    assert_same_sums(seen.result(NAMES), data_pass(model, data, seed(), NAMES))


def test_errors_and_bounds_are_those_of_the_samples():
    model, data = make_model().eval(), make_data()
    weights = torch.from_numpy(np.random.default_rng(4).uniform(0.5, 3.0, (1, data.n_samples)))
    data = replace(data, samples=replace(data.samples, weights=weights))
    seen, generator = EpochSums(model, data), seed(3)
    errors, bounds = torch.zeros(2, dtype=torch.float64), []
    for numbers, batch in data.numbered(8, generator):
        bound = model.elbo(batch, torch.zeros(len(numbers), 2, dtype=torch.float64))
        seen.add(numbers, bound)
        errors += (bound.squared_errors * weights[0, numbers]).sum(dim=1)
        bounds += bound.values.tolist()
    seen.end()
    assert_allclose(seen.squared_errors, errors.detach(), rtol=1e-12)
    assert torch.cat(seen.bounds).tolist() == bounds


class Users(nn.Sequential):
    """Nobody knows what it does."""


def flat(*modules, kind=nn.Sequential):
    return kind(nn.Flatten(), nn.Linear(6, 4), *modules)


@pytest.mark.parametrize(
    "make",
    [
        lambda: make_model(sampled_responsibilities=True),
        own_model,
        lambda: make_model(encoders=[flat(nn.Dropout(0.5)), None]),
        lambda: make_model(encoders=[flat(nn.BatchNorm1d(4)), None]),
        lambda: make_model(encoders=[flat(kind=Users), None]),
    ],
    ids=["draws", "own likelihoods", "dropout", "batch normalization", "a class of the user's"],
)
def test_what_steps_do_not_see_needs_a_pass(make):
    model, data = make(), make_data()
    assert EpochSums(model, data).result(NAMES) is None
    seen = encoded(model)
    train_one_epoch(model, data)
    assert seen == {True: data.n_samples, False: data.n_samples}


def test_automatic_mixed_precision_needs_a_pass():
    """While networks compute in fewer digits, steps do not see what they are."""
    model, data = make_model(), make_data()
    with step_precision(model.networks, small_settings(autocast=True).gradient):
        assert EpochSums(model, data).result(NAMES) is None
    assert model.steps_assign


@pytest.mark.parametrize("modules", [(), (nn.LayerNorm(4), nn.GELU())])
def test_networks_of_known_modules_need_none(modules):
    assert make_model(encoders=[flat(*modules), None]).steps_assign
    assert not make_model(encoders=["conv", None]).steps_assign  # normalizes batches


def train_one_epoch(model, data, n_updates=1):
    settings = small_settings(n_updates=n_updates, temperatures=np.ones(1))
    progress = loop.Progress(model, settings.gradient, Stopper(0.0, 10), Observer())
    update = block_update(variance_floors(data))
    loop.train(model, data, None, progress, settings, update, seed())
    return progress


def encoded(model):
    """Count the samples that the first encoder sees, in training and out of it."""
    seen = {True: 0, False: 0}

    def count(network, inputs, output):
        seen[network.training] += len(output)

    model.encoders[0].register_forward_hook(count)
    return seen


@pytest.mark.parametrize(("n_updates", "n_passes"), [(1, 0), (3, 2)])
def test_no_sample_is_encoded_twice_in_an_epoch(n_updates, n_passes):
    model, data = make_model(), make_data()
    seen = encoded(model)
    train_one_epoch(model, data, n_updates)
    assert seen == {True: data.n_samples, False: n_passes * data.n_samples}
    assert not model.training


def test_the_mixture_of_an_epoch_follows_from_what_its_steps_saw(monkeypatch):
    kept = []

    class Noted(EpochSums):
        def result(self, names):
            kept.append(super().result(names))
            return kept[-1]

    monkeypatch.setattr(loop, "EpochSums", Noted)
    model, data = make_model(), make_data()
    train_one_epoch(model, data)
    first, settings = kept[0], small_settings().mixture
    before = make_model().prior
    expected = update_mixture(
        first.statistics,
        before.means,
        before.covariances,
        settings.covariance_type,
        settings.reg_covar,
        settings.shrinkage,
    )
    assert_allclose(model.prior.means, expected.means)
    assert_allclose(model.prior.covariances, expected.covariances)
