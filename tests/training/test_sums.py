"""What gradient steps see of the samples is what a pass over them would find."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from random_models import (
    NAMES,
    REGIMES,
    block_update,
    intervene,
    make_data,
    make_model,
    own_model,
    seed,
)
from rank_threads import on_ranks
from scipy import stats
from small_models import small_settings, small_spec
from torch import nn

from skcausalpima._data.on_disk import OnDisk, PlainFile
from skcausalpima._model.build import build_model
from skcausalpima._model.scaled_rows import ScaledRows
from skcausalpima._model.tensors import TensorData
from skcausalpima._training import loop
from skcausalpima._training.block_update import BlockUpdate, data_pass, variance_floors
from skcausalpima._training.gradients import in_bfloat16
from skcausalpima._training.observer import Observer
from skcausalpima._training.sums import EpochSums, regime_counts
from skcausalpima.functional import update_mixture
from skcausalpima.modules import Batch, MeanFieldVAE, StructuredVAE

TERMS = ("evidence", "potential")


def seen_by_steps(model, data, batch_size=7):
    """Meet all samples in shuffled batches; the model stays as it is."""
    generator = seed(3)
    with model.frozen():
        seen = EpochSums(model, data)
        for numbers, batch in data.numbered(batch_size, generator):
            noise = data.normal(len(numbers), model.n_draws, generator)
            seen.add(numbers, model.elbo(batch, noise))
    seen.end()
    return seen


def weighted_data():
    data = make_data(missing=True)
    weights = torch.from_numpy(np.random.default_rng(4).uniform(0.5, 3.0, (1, data.n_samples)))
    return replace(data, samples=replace(data.samples, weights=weights))


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
    assert_same_sums(seen.result(), data_pass(model, data, seed()))


@pytest.mark.parametrize("ask", [seen_by_steps, None], ids=["steps", "pass"])
@pytest.mark.parametrize("covariance_type", ["full", "diag"])
@torch.no_grad()
def test_they_are_moments_of_samples(covariance_type, ask):
    """By weight, of the latent points in each component, one sample after another."""
    model, data = make_model(covariance_type).eval(), intervene(weighted_data(), make_model(), True)
    model.prior.set_interventions(REGIMES)
    asked = ask(model, data).result() if ask else data_pass(model, data, seed())
    posterior = model.posterior(data.rows(slice(None)))
    log_weights = model.prior.regime_log_weights()[data.regime_index[0]].T
    said = posterior.evidence(log_weights, data.allowed)
    gamma, statistics = said.log_gamma.exp() * data.weights, asked.statistics
    counts = np.zeros((3, 4))
    for c in range(4):
        components = torch.full((90,), c)
        moved = posterior.centres(components) - statistics.origin
        second = moved[:, :, None] * moved[:, None] + posterior.covariances(components)
        second = torch.tensordot(gamma[c], second, dims=1)
        if covariance_type == "diag":
            second = second.diag()
        assert_allclose(statistics.counts[c], gamma[c].sum())
        assert_allclose(statistics.first[c], gamma[c] @ moved, atol=1e-9)
        assert_allclose(statistics.second[c], second, atol=1e-9)
        np.add.at(counts[:, c], data.regime_index[0].numpy(), gamma[c].numpy())
    assert_allclose(asked.counts, counts, atol=1e-9)
    np.testing.assert_array_equal(asked.labels, gamma.argmax(dim=0))
    value, weights = said.value @ data.weights[0], data.weights.sum()
    assert asked.terms["evidence"] == pytest.approx((value / weights).item())
    potential = -said.log_potential @ data.weights[0] / weights
    assert asked.terms["potential"] == pytest.approx(potential.item())


@pytest.mark.parametrize("known", [False, True])
def test_they_know_what_was_set_and_how_much_samples_count(known):
    model = make_model().eval()
    data = intervene(make_data(), model, known)
    weights = torch.from_numpy(np.random.default_rng(4).uniform(0.5, 3.0, (1, data.n_samples)))
    data = replace(data, samples=replace(data.samples, weights=weights))
    seen = seen_by_steps(model, data)
    assert_same_sums(seen.result(), data_pass(model, data, seed()))


def test_they_are_asked_as_often_as_one_likes():
    model, data = make_model().eval(), make_data()
    seen = seen_by_steps(model, data)
    assert seen.result().terms == seen.result().terms


def test_they_are_those_of_missing_elements_and_single_precision():
    model, data = make_model(dtype="float32").eval(), make_data()
    masks = [torch.rand(array.shape, generator=seed(5)) > 0.2 for array in data.arrays]
    arrays = [(array * seen).float() for array, seen in zip(data.arrays, masks, strict=True)]
    samples = replace(data.samples, arrays=tuple(arrays), elements=dict(enumerate(masks)))
    data = replace(data, samples=samples, dtype=torch.float32)
    found, passed = (
        seen_by_steps(model, data).result(),
        data_pass(model, data, seed()),
    )
    assert_allclose(found.statistics.second, passed.statistics.second, rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(found.labels, passed.labels)
    for key in TERMS:
        assert_allclose(found.terms[key], passed.terms[key], atol=1e-5)


@pytest.mark.parametrize("parts", [(slice(0, 60), slice(60, 90)), (slice(0, 90), slice(90, 90))])
def test_ranks_add_up_what_they_saw_also_one_without_rows(parts):
    model, data = make_model().eval(), make_data(missing=True)

    def on_rank(ranks):
        part = data.subset(parts[ranks.rank])
        part = TensorData(part.samples, part.dtype, ranks)
        return seen_by_steps(copy.deepcopy(model), part).result()

    found, passed = on_ranks(on_rank), data_pass(model, data, seed())
    for result in found:
        assert_allclose(result.statistics.second, passed.statistics.second, atol=1e-9)
        assert_allclose([result.terms[key] for key in TERMS], [passed.terms[key] for key in TERMS])
    labels = np.concatenate([result.labels for result in found])
    np.testing.assert_array_equal(labels, passed.labels)


def test_samples_on_disk_are_counted_by_their_numbers(tmp_path, monkeypatch):
    monkeypatch.setattr("skcausalpima._model.tensors.BUFFER_BYTES", 12 * 3)
    monkeypatch.setattr("skcausalpima._data.on_disk.BLOCK_BYTES", 4 * 3)
    values = np.random.default_rng(0).integers(0, 9, size=(61, 3)).astype(np.uint8)
    values.tofile(tmp_path / "x")
    file = PlainFile(path=str(tmp_path / "x"), offset=0, shape=(61, 3), dtype=values.dtype)
    rows = ScaledRows.of(
        OnDisk.of(file, "x").astype(np.float32), np.zeros(3), 1.0, torch.device("cpu")
    )
    on_file = TensorData(Batch((rows,), None), torch.float64)
    assert on_file.is_streamed
    in_memory = TensorData(Batch((torch.from_numpy(values),), None), torch.float64)
    model = build_model(small_spec(((3,),)), seed(1)).eval()
    with torch.no_grad():
        model.prior.means.normal_(generator=seed(2))
    seen = seen_by_steps(model, on_file)
    assert_same_sums(seen.result(), data_pass(model, in_memory, seed()))


@pytest.mark.parametrize("size", [0, 1, 3])
def test_batches_do_not_pile_up(monkeypatch, size):
    """Without samples neither. Nor do samples that wait keep what gradients needed."""
    monkeypatch.setattr("skcausalpima._training.sums.BLOCK_ROWS", 6)
    model, data = make_model(), make_data().subset(slice(0, size))
    numbers, noise = torch.arange(size), torch.zeros(size, 3, dtype=torch.float64)
    waiting = []
    with model.frozen():
        seen = EpochSums(model, data)
        for _ in range(14):
            seen.add(numbers, model.elbo(data.rows(numbers), noise))
            waiting.append(len(seen._waiting))
            assert not any(bound.values.requires_grad for _, bound in seen._waiting)
    cycle = 6 // max(1, size)
    assert waiting == [k % cycle for k in range(1, 15)]


@torch.no_grad()
def test_terms_are_means_of_log_likelihoods_and_the_objective_that_of_bounds():
    model, data = make_model(modality_weights=(1.0, 3.0)).eval(), weighted_data()
    model.log_variances.copy_(torch.tensor([0.3, -0.8]))
    seen, generator = EpochSums(model, data), seed(3)
    weights, observed = data.weights[0].numpy(), data.observed.numpy()
    expected, deviations = np.zeros(2), model.log_variances.mul(0.5).exp().numpy()
    with model.frozen():
        for numbers, batch in data.numbered(8, generator):
            bound = model.elbo(batch, torch.zeros(len(numbers), 3, dtype=torch.float64))
            seen.add(numbers, bound)
            for m, errors in enumerate(bound.squared_errors.sqrt().numpy()):
                width = len(batch.arrays[m][0])  # all of the error in one element
                logs = stats.norm.logpdf(errors, scale=deviations[m])
                logs += (width - 1) * stats.norm.logpdf(0.0, scale=deviations[m])
                expected[m] += (weights * observed[m])[numbers] @ logs
    seen.end()
    terms = seen.result().terms
    found = [terms[f"reconstruction_{name}"] for name in NAMES]
    assert_allclose(found, expected / weights.sum())
    assert terms["lower_bound"] == pytest.approx(sum(found) + sum(terms[key] for key in TERMS))
    assert terms["objective"] == pytest.approx(seen.mean_bound)
    bounds = torch.cat(seen.bounds).numpy()
    order = torch.cat([numbers for numbers, _ in data.numbered(8, seed(3))])
    assert seen.mean_bound == pytest.approx(np.average(bounds, weights=weights[order]))


@torch.no_grad()
def test_decoders_with_likelihoods_of_their_own_count_by_these(monkeypatch):
    monkeypatch.setattr("skcausalpima._model.tensors.BLOCK_ROWS", 40)
    model, data = own_model(modality_weights=(1.0, 3.0)), weighted_data()
    passed, weights = data_pass(model, data, seed(3)), data.weights[0]
    expected, generator = torch.zeros(2).double(), seed(3)
    for rows in (slice(0, 40), slice(40, 80), slice(80, 90)):
        batch = data.rows(rows)
        noise = data.normal(len(batch.arrays[0]), model.n_draws, generator)
        found = model.assign(batch, noise, model.prior.log_weights())
        for m, of in found.likelihoods.items():
            mean = (found.log_gamma.exp() * of.log_likelihoods).sum(dim=0)
            expected[m] += weights[rows] @ mean / weights.sum()
    reconstruction = [passed.terms[f"reconstruction_{name}"] for name in NAMES]
    assert_allclose(reconstruction, expected)
    counted = torch.tensor([model.likelihood_weight(m) for m in range(2)]).double()
    surplus = passed.terms["objective"] - passed.terms["lower_bound"]
    assert surplus == pytest.approx(((counted - 1.0) @ expected).item())


def test_ranks_add_up_likelihoods_of_their_own(monkeypatch):
    monkeypatch.setattr(TensorData, "normal", lambda _, n, d, __: torch.zeros(n, d).double())
    data = weighted_data()

    def on_rank(ranks):
        part = data.subset([slice(0, 60), slice(60, 90)][ranks.rank])
        return data_pass(own_model(), TensorData(part.samples, part.dtype, ranks), seed())

    expected = data_pass(own_model(), data, seed())
    for found in on_ranks(on_rank):
        assert found.terms == pytest.approx(expected.terms)
        assert_allclose(found.squared_errors, expected.squared_errors)
        for m in range(2):
            assert_allclose(found.experts.errors[m], expected.experts.errors[m])


def test_counts_of_regimes_are_sums_over_their_samples():
    gamma = torch.rand(4, 9, generator=seed())
    index = torch.tensor([[2, 0, 0, 2, 3, 2, 0, 3, 3]])
    expected = np.zeros((5, 4))
    for n, regime in enumerate(index[0]):
        expected[regime] += gamma[:, n].numpy()
    assert_allclose(regime_counts(gamma, index, 5), expected, rtol=1e-6)
    assert_allclose(regime_counts(gamma, None, 1), expected.sum(axis=0)[None], rtol=1e-6)


def test_errors_and_bounds_are_those_of_the_samples():
    model, data = make_model().eval(), make_data()
    weights = torch.from_numpy(np.random.default_rng(4).uniform(0.5, 3.0, (1, data.n_samples)))
    data = replace(data, samples=replace(data.samples, weights=weights))
    seen, generator = EpochSums(model, data), seed(3)
    errors, bounds = torch.zeros(2, dtype=torch.float64), []
    for numbers, batch in data.numbered(8, generator):
        bound = model.elbo(batch, torch.zeros(len(numbers), 3, dtype=torch.float64))
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


def normed():
    network = flat()
    nn.utils.parametrizations.spectral_norm(network[1])
    return network


def hooked():
    network = flat()
    network.register_forward_hook(lambda module, inputs, output: output + module.training)
    return network


@pytest.mark.parametrize(
    "make",
    [
        lambda: make_model(sampled_responsibilities=True),
        own_model,
        lambda: make_model(encoders=[flat(nn.Dropout(0.5)), None]),
        lambda: make_model(encoders=[flat(nn.BatchNorm1d(4)), None]),
        lambda: make_model(encoders=[flat(kind=Users), None]),
        lambda: make_model(encoders=[hooked(), None]),
        lambda: make_model(encoders=[normed(), None]),
    ],
    ids=["draws", "likelihoods", "dropout", "batches", "classes", "hooks", "parametrizations"],
)
def test_what_steps_do_not_see_needs_a_pass(encoded, make):
    model, data = make(), make_data()
    assert EpochSums(model, data).result() is None
    train_one_epoch(model, data)
    assert encoded == {True: data.n_samples, False: data.n_samples}


def test_automatic_mixed_precision_needs_a_pass():
    """While networks compute in fewer digits, steps do not see what they are."""
    model, data = make_model(), make_data()
    with in_bfloat16(model.networks):
        assert EpochSums(model, data).result() is None
    assert model.steps_suffice


@pytest.mark.parametrize("modules", [(), (nn.LayerNorm(4), nn.GELU())])
def test_networks_of_known_modules_need_none(modules):
    assert make_model(encoders=[flat(*modules), None]).steps_suffice
    assert make_model(encoders=["conv", None]).steps_suffice
    assert not make_model(encoders=["conv_paper", None]).steps_suffice  # normalizes batches


def train_one_epoch(model, data):
    settings = small_settings(temperatures=np.ones(1))
    phase = loop.Phase(model, settings, Observer(), settings.temperatures)
    update = block_update(variance_floors(data))
    loop.epochs(phase, data, update)
    return phase


@pytest.fixture
def encoded(monkeypatch):
    """Numbers of samples whose posteriors models find, in training and out of it.

    How sharp potentials are is no question of single samples, and asked of some.
    """
    seen = {True: 0, False: 0}

    def count(family, name):
        encode = getattr(family, name)

        def counted(model, batch, *options, **named):
            seen[model.training] += len(batch.arrays[0])
            return encode(model, batch, *options, **named)

        monkeypatch.setattr(family, name, counted)

    count(MeanFieldVAE, "encode")
    count(StructuredVAE, "posterior")
    monkeypatch.setattr(BlockUpdate, "set_information", lambda *_, **__: None)
    return seen


def test_no_sample_is_encoded_twice_in_an_epoch(encoded):
    model, data = make_model(), make_data()
    train_one_epoch(model, data)
    assert encoded == {True: data.n_samples, False: 0}
    assert not model.training


def test_the_mixture_of_an_epoch_follows_from_what_its_steps_saw(monkeypatch):
    kept = []

    class Noted(EpochSums):
        def result(self):
            kept.append(super().result())
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
