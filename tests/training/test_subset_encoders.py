"""What a complete sample says, taught to its parts."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from random_models import make_data, make_model, own_model
from scipy import stats
from small_models import small_settings
from torch import nn

from skcausalpima._inference.posterior import sample_posterior
from skcausalpima._model.tensors import TensorData
from skcausalpima._training import subset_encoders
from skcausalpima._training.observer import Observer
from skcausalpima._training.subset_encoders import (
    COMPONENT_WEIGHT,
    WIDENING,
    divergences,
    lesson,
    random_subsets,
)
from skcausalpima.modules import Batch, SubsetEncoders

SETTINGS = small_settings().gradient


def teach(*lesson):
    """Teach without anybody who follows."""
    return subset_encoders.teach(*lesson, Observer())


def seed(number=0):
    return torch.Generator().manual_seed(number)


def scrambled(model, number):
    """Return encoders of subsets with random values."""
    pupil = SubsetEncoders(model).eval()
    with torch.no_grad():
        for parameter in pupil.parameters():
            parameter.normal_(std=0.4, generator=seed(number))
    return pupil


def parts_of(data, number=0):
    batch = data.rows(slice(None))
    return replace(batch, observed=random_subsets(batch, seed(number)))


def exponents_of(pupil, parts):
    """The geometric mean over what is observed, sample by sample."""
    logs = pupil.log_exponents
    return torch.stack([logs[seen].mean().exp() for seen in parts.observed.T])


@pytest.mark.parametrize("make", [make_model, own_model])
@torch.no_grad()
def test_it_is_the_divergence_but_for_what_no_pupil_changes(make):
    """KL(q(c, z | x) || q(c, z | x_S)) by drawing from the teacher, of two pupils."""
    model, data = make(), make_data().subset(slice(0, 6))
    model.eval()
    parts, taught = parts_of(data), lesson(model, data)
    logs, means = model.prior.log_weights(), model.prior.means
    n_draws, rng = 20_000, np.random.default_rng(0)
    noise = torch.as_tensor(rng.normal(size=(n_draws, 1, 2)))
    z = taught.posterior.mean + taught.posterior.log_var.mul(0.5).exp() * noise
    differences, terms = [], []
    for number in (1, 2):
        pupil = scrambled(model, number)
        potential = pupil(parts)
        scale = potential.log_var.mul(0.5).exp()
        of_points = stats.norm.logpdf(z, potential.mean, scale).sum(axis=2)  # log l_S
        variances = torch.diag_embed(potential.log_var.exp())
        overlap = torch.stack(
            [
                torch.tensor(
                    [
                        stats.multivariate_normal.logpdf(
                            potential.mean[n], means[c], model.prior.covariances[c] + variances[n]
                        )
                        for n in range(6)
                    ]
                )
                for c in range(4)
            ]
        )
        said = torch.zeros(4, 6).double()
        for m, evidence in taught.evidence.items():
            said += evidence * parts.observed[m]
        joint = logs[:, None] + exponents_of(pupil, parts) * overlap + said
        # log q(z | c, x_S) = log N(z; m_c, S_c) l_S(z) / Z_c: what pupils differ in
        alone = -(taught.probabilities * joint.log_softmax(dim=0)).sum(dim=0)
        log_z = (taught.probabilities * overlap).sum(dim=0)
        both = alone + log_z - torch.as_tensor(of_points)
        terms.append(both + COMPONENT_WEIGHT * alone)
        differences.append(divergences(model, pupil, parts, taught, logs))
    drawn = terms[0] - terms[1]
    error = drawn.std(dim=0) / np.sqrt(n_draws)
    expected = drawn.mean(dim=0) + 0.0
    # The weighted part leaves out the evidence of the data, which is no pupil's.
    found = differences[0] - differences[1]
    assert (torch.abs(found - expected) < 5 * error + 1e-9).all()


@torch.no_grad()
def test_the_lesson_is_the_posterior_of_whole_samples():
    model, data = own_model(), make_data()
    taught, batch = lesson(model, data), data.rows(slice(None))
    posterior = model.encode(batch)
    assert_array_equal(taught.posterior.mean, posterior.mean)
    own = model.own_likelihoods(batch, posterior.mean, [0])
    gamma = model.log_responsibilities(posterior, evidence=own[0].log_likelihoods).exp()
    assert_allclose(taught.probabilities, gamma, atol=1e-12)
    assert list(taught.evidence) == [0]
    assert_allclose(taught.evidence[0], own[0].log_likelihoods)
    rows = torch.tensor([5, 2])
    assert_array_equal(taught.rows(rows).probabilities, taught.probabilities[:, rows])
    assert_array_equal(taught.rows(rows).evidence[0], taught.evidence[0][:, rows])


def many(n_modalities, observed=None, n_samples=6000):
    arrays = tuple(torch.zeros(n_samples, 1) for _ in range(n_modalities))
    return Batch(arrays, observed)


@pytest.mark.parametrize("n_modalities", [2, 3, 5])
def test_subsets_of_all_sizes_are_alike_likely(n_modalities):
    chosen = random_subsets(many(n_modalities), seed())
    sizes = np.bincount(chosen.sum(dim=0), minlength=n_modalities + 1)
    assert sizes[0] == sizes[n_modalities] == 0
    assert_allclose(sizes[1:-1] / 6000, 1 / (n_modalities - 1), atol=0.03)
    assert_allclose(chosen.double().mean(dim=1), 0.5, atol=0.03)


def test_only_what_is_there_is_chosen():
    observed = torch.rand(4, 6000, generator=seed(1)) < 0.5
    observed[:, :50] = False
    observed[0, 50:100], observed[1:, 50:100] = True, False
    chosen = random_subsets(many(4, observed), seed())
    assert not (chosen & ~observed).any()
    assert_array_equal(chosen.any(dim=0), observed.any(dim=0))
    assert_array_equal(chosen[:, 50:100], observed[:, 50:100])
    assert chosen.sum(dim=0).max() == 3


def mean_loss(model, data, pupil):
    taught, parts = lesson(model, data), parts_of(data, 9)
    with torch.no_grad():
        return divergences(model, pupil, parts, taught, model.prior.log_weights()).mean().item()


def agreement(model, data, encoders):
    whole = sample_posterior(model, data).cells.argmax(dim=1)
    seen = torch.tensor([[True], [False]]).expand(2, data.n_samples)
    images = TensorData(replace(data.samples, observed=seen), data.dtype)
    return (sample_posterior(model, images, encoders).cells.argmax(dim=1) == whole).double().mean()


def test_teaching_reduces_the_loss_and_raises_agreement():
    model, data = make_model().eval(), make_data()
    before = SubsetEncoders(model).eval()
    after = teach(model, data, SETTINGS, 60, seed())
    assert not after.training
    assert not any(p.requires_grad for p in after.parameters())
    assert mean_loss(model, data, after) < mean_loss(model, data, before) - 0.3
    assert agreement(model, data, after) >= agreement(model, data, before)


def test_nothing_else_changes_and_it_is_the_same_twice():
    model, data = make_model(), make_data(missing=True)
    values = {name: value.clone() for name, value in model.state_dict().items()}
    before = torch.get_rng_state()
    one, two = (teach(model, data, SETTINGS, 3, seed(4)) for _ in range(2))
    for name, value in model.state_dict().items():
        assert_array_equal(value, values[name])
    assert torch.equal(torch.get_rng_state(), before)
    for first, second in zip(one.parameters(), two.parameters(), strict=True):
        assert_array_equal(first, second)
    other = teach(model, data, SETTINGS, 3, seed(5))
    assert any((a != b).any() for a, b in zip(one.parameters(), other.parameters(), strict=True))


def test_what_stands_in_absent_blocks_is_not_read():
    model, data = make_model(), make_data(missing=True)
    arrays = tuple(
        torch.where(seen[:, None], array, torch.full_like(array, 50.0))
        for array, seen in zip(data.arrays, data.observed, strict=True)
    )
    garbage = TensorData(replace(data.samples, arrays=arrays), data.dtype)
    one, two = (teach(model, d, SETTINGS, 2, seed()) for d in (data, garbage))
    for first, second in zip(one.parameters(), two.parameters(), strict=True):
        assert_array_equal(first, second)


def with_encoder(encoder):
    model = make_model()
    model.encoders[0] = nn.Sequential(nn.Flatten(), encoder).double()
    return model


@pytest.mark.parametrize("n_samples", [1, 2, 3, 90])
def test_encoders_that_are_frozen(n_samples):
    """A batch may hold nothing but samples of which a frozen encoder sees the part."""
    model = with_encoder(nn.Linear(6, 4).requires_grad_(False))
    kept = model.encoders[0][1].weight.clone()
    for number in range(5):
        encoders = teach(model, make_data().subset(slice(0, n_samples)), SETTINGS, 3, seed(number))
        assert_array_equal(encoders.encoders[0][1].weight, kept)


def test_all_encoders_are_frozen():
    model = make_model()
    model.encoders.requires_grad_(False)
    encoders = teach(model, make_data(), SETTINGS, 3, seed())
    assert not encoders.widening.any()
    networks = encoders.encoders.parameters()
    for one, other in zip(networks, model.encoders.parameters(), strict=True):
        assert_array_equal(one, other)


def test_potentials_begin_wide():
    settings = replace(SETTINGS, learning_rate=1e-12)
    encoders = teach(make_model(), make_data(), settings, 1, seed())
    assert_allclose(encoders.widening.detach(), WIDENING, atol=1e-6)
    assert encoders.widening.shape == (2, 2)


def test_exponents_make_probabilities_as_sure_as_they_are_right():
    """Of a pupil whose potentials stay as they are: the best exponent is found."""
    model, data = make_model().eval(), make_data()
    model.encoders.requires_grad_(False)
    model.encoders[0].requires_grad_(True)
    settings = replace(SETTINGS, learning_rate=1e-2)
    encoders = teach(model, data, settings, 20, seed())
    assert encoders.log_exponents.shape == (2,)
    assert encoders.log_exponents.abs().min() > 0.01
    found = mean_loss(model, data, encoders)
    with torch.no_grad():
        for change in (-0.5, 0.5):
            other = copy.deepcopy(encoders)
            other.log_exponents += change
            assert mean_loss(model, data, other) > found


def test_batch_normalization_and_dropout():
    inner = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Dropout(0.2), nn.Linear(8, 4))
    model = with_encoder(inner)
    for n_samples in (2, 3, 90):
        encoders = teach(model, make_data().subset(slice(0, n_samples)), SETTINGS, 3, seed())
        assert not any(module.training for module in encoders.modules())
        assert all(torch.isfinite(value).all() for value in encoders.state_dict().values())
    norm = encoders.encoders[0][1][1]
    assert norm.num_batches_tracked > 0
    assert model.encoders[0][1][1].num_batches_tracked == 0


def test_encoders_that_diverge_are_left_out():
    model, data = make_model(), make_data()
    with torch.no_grad():
        model.encoders[1].linear.weight.fill_(torch.nan)
    assert teach(model, data, SETTINGS, 1, seed()) is None


def test_weights_count():
    model, data = make_model(), make_data().subset(slice(0, 20))
    weights = torch.ones(1, 20).double()
    weighted = TensorData(replace(data.samples, weights=weights), data.dtype)
    one, two = (teach(model, d, SETTINGS, 2, seed()) for d in (data, weighted))
    for first, second in zip(one.parameters(), two.parameters(), strict=True):
        assert_allclose(first, second, rtol=1e-9)
    weights[:, :10] = 0.0
    three = teach(model, weighted, SETTINGS, 2, seed())
    assert any((a != b).any() for a, b in zip(one.parameters(), three.parameters(), strict=True))
