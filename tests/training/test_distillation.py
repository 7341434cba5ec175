"""What a complete sample says, taught to its parts."""

import copy
import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch
from linear_models import LinearMixture
from numpy.testing import assert_allclose, assert_array_equal
from random_models import make_data, make_model, own_model
from small_models import small_settings
from some_slow import some_slow
from torch import nn

from skcausalpima._inference.posterior import sample_posterior
from skcausalpima._model.tensors import TensorData
from skcausalpima._training import distillation
from skcausalpima._training.distillation import (
    COMPONENT_WEIGHT,
    divergences,
    random_subsets,
    targets_of,
)
from skcausalpima._training.observer import Observer
from skcausalpima.modules import Batch, ClusterDecoder, SubsetEncoders

SETTINGS = small_settings()


def distil(*arguments):
    """Teach without anybody who follows."""
    return distillation.distil(*arguments, Observer())


def seed(number=0):
    return torch.Generator().manual_seed(number)


def scrambled(model, number):
    """Return encoders of subsets with random values."""
    student = SubsetEncoders(model).eval()
    with torch.no_grad():
        for parameter in student.parameters():
            parameter.normal_(std=0.4, generator=seed(number))
    return student


def parts_of(data, number=0):
    batch = data.rows(slice(None))
    return replace(batch, observed=random_subsets(batch, seed(number)))


def exponents_of(student, parts):
    """The geometric mean over what is observed, sample by sample."""
    logs = student.log_exponents.clamp_max(0.0)  # no part is surer than its own likelihood
    return torch.stack([logs[seen].mean().exp() for seen in parts.observed.T])


def drawn_from_teacher(model, data, taught, n_draws):
    """Return components and latent points of whole samples, (n_draws, n_samples[, 2])."""
    posterior, generator = model.posterior(data.rows(slice(None))), seed(8)
    components = torch.multinomial(taught.probabilities.T, n_draws, True, generator=generator).T
    noise = torch.randn(n_draws, data.n_samples, 2, generator=generator, dtype=torch.float64)
    points = [posterior.points(c, of) for c, of in zip(components, noise, strict=True)]
    return components, torch.stack(points)


def log_overlaps(model, potential):
    """Return log Z of every component, of h and Lambda as they stand, by matrices."""
    means, covariances = model.prior.means, model.prior.covariances
    inverses, eye = torch.linalg.inv(covariances), torch.eye(2)
    rows = []
    for mean, spread, inverse in zip(means, covariances, inverses, strict=True):
        inside = torch.linalg.inv(inverse + potential.precision)
        natural = inverse @ mean + potential.linear
        value = torch.einsum("ni,nij,nj->n", natural, inside, natural) - mean @ inverse @ mean
        rows.append(0.5 * (value - torch.logdet(eye + spread @ potential.precision)))
    return torch.stack(rows)


@pytest.mark.parametrize("make", some_slow([make_model, own_model], [own_model]))
@torch.no_grad()
def test_it_is_the_divergence_but_for_what_no_student_changes(make):
    """KL(q(c, z | x) || q(c, z | x_S)) by drawing from the teacher, of two students."""
    model, data = make(), make_data().subset(slice(0, 6))
    model.eval()
    parts, taught, n_draws = parts_of(data), targets_of(model, data), 20_000
    logs = model.prior.log_weights()
    components, z = drawn_from_teacher(model, data, taught, n_draws)
    differences, terms = [], []
    for number in (1, 2):
        student = scrambled(model, number)
        potential = student.potential(parts)
        overlap = log_overlaps(model, potential)
        moved = torch.einsum("nij,knj->kni", potential.precision, z)
        of_points = (z * (potential.linear - 0.5 * moved)).sum(dim=2)  # log l_S
        said = torch.zeros(4, 6).double()
        for m, evidence in taught.evidence.items():
            said += evidence * parts.observed[m]
        joint = logs[:, None] + exponents_of(student, parts) * overlap + said
        # log q(z | c, x_S) = log N(z; m_c, S_c) l_S(z) / Z_c: what students differ in
        alone = -(taught.probabilities * joint.log_softmax(dim=0)).sum(dim=0)
        both = alone + overlap.gather(0, components) - of_points
        terms.append(both + COMPONENT_WEIGHT * alone)
        differences.append(divergences(student, parts, taught))
    drawn = terms[0] - terms[1]
    error = drawn.std(dim=0) / np.sqrt(n_draws)
    found = differences[0] - differences[1]
    assert (torch.abs(found - drawn.mean(dim=0)) < 5 * error + 1e-9).all()


@torch.no_grad()
def test_targets_are_the_posterior_of_whole_samples():
    model, data = own_model(), make_data()
    taught, batch = targets_of(model, data), data.rows(slice(None))
    posterior, zeros = model.posterior(batch), torch.zeros(90, 2).double()
    potential = model.potential_of(batch, 0)
    told, beyond = torch.empty(4, 90).double(), torch.empty(4, 90).double()
    for c in range(4):  # at the mean of the latent point in the component
        z = posterior.points(torch.full((90,), c), zeros)
        told[c] = model.own_likelihoods(batch, z, [0])[0].log_likelihoods[c]
        beyond[c] = told[c] - potential.at(z)
    gamma = (model.prior.log_weights()[:, None] + posterior.log_normalizers() + beyond).softmax(0)
    assert_allclose(taught.probabilities, gamma, atol=1e-12)
    assert_allclose(taught.mean, posterior.mean(gamma), atol=1e-10)
    assert_allclose(taught.second, posterior.second_moments(gamma), atol=1e-10)
    assert list(taught.evidence) == [0]
    assert_allclose(taught.evidence[0], beyond)
    rows = torch.tensor([5, 2])
    assert_array_equal(taught.rows(rows).probabilities, taught.probabilities[:, rows])
    assert_array_equal(taught.rows(rows).mean, taught.mean[rows])
    assert_array_equal(taught.rows(rows).second, taught.second[rows])
    assert_array_equal(taught.rows(rows).evidence[0], taught.evidence[0][:, rows])


@pytest.mark.parametrize("per_cluster", some_slow([False, True], []))
@torch.no_grad()
def test_exact_potentials_are_the_best_student(per_cluster):
    """Of a linear model, on average over samples: others are further from the teacher.

    Also where a decoder has one network for each component, all the same: no evidence beyond its
    potential.
    """
    mixture = LinearMixture()
    model, exact = mixture.model()
    if per_cluster:
        model.decoders[1] = ClusterDecoder(model.decoders[1], 4).double().eval()
        model.decoders[1].log_variances.fill_(model.log_variances[1])
    _, x = mixture.sample(10_000)
    data = TensorData(Batch(tuple(map(torch.as_tensor, x)), None), torch.float64)
    taught, parts = targets_of(model, data), parts_of(data)
    best = divergences(exact, parts, taught)
    for name in ("widening", "log_exponents"):
        for change in (-0.4, 0.4):
            other = copy.deepcopy(exact)
            getattr(other, name).add_(change)
            gap = divergences(other, parts, taught) - best
            if name == "log_exponents" and change > 0:  # none is above 1
                assert not gap.any()
                continue
            assert gap.mean() > 5 * gap.std() / np.sqrt(10_000)


@pytest.mark.usefixtures("no_outliers")
@torch.no_grad()
def test_students_of_decoders_per_cluster_are_as_sure_as_their_answers():
    """Equal heads: Bayes' rule, as of the plain decoder. What a modality says counts once."""
    mixture = LinearMixture()
    model, exact = mixture.model()
    model.decoders[1] = ClusterDecoder(model.decoders[1], 4).double().eval()
    model.decoders[1].log_variances.fill_(model.log_variances[1])
    _, x = mixture.sample(30)
    data = TensorData(Batch(tuple(map(torch.as_tensor, x)), None), torch.float64)
    seen = torch.tensor([False, True, False])[:, None].expand(3, 30)
    parts, taught = replace(data.rows(slice(None)), observed=seen), targets_of(model, data)
    overlap, rows = log_overlaps(model, exact.potential(parts)), []
    for c in range(4):  # what it costs if the teacher is sure of one component
        sure = torch.zeros(4, 30).double()
        sure[c] = 1.0
        cost = divergences(exact, parts, replace(taught, probabilities=sure))
        rows.append((overlap[c] - cost) / (1.0 + COMPONENT_WEIGHT))
    assert_allclose(torch.stack(rows).softmax(dim=0), mixture.probabilities(x, [1]), atol=1e-9)


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


def data_of(x):
    return TensorData(Batch(tuple(map(torch.as_tensor, x)), None), torch.float64)


def mean_loss(model, data, student):
    taught, parts = targets_of(model, data), parts_of(data, 9)
    with torch.no_grad():
        return divergences(student, parts, taught).mean().item()


@torch.no_grad()
def test_of_each_modality_the_better_encoders_are_kept():
    """One is exact in the first modality, the other one in the others."""
    mixture = LinearMixture()
    model, exact = mixture.model()
    data = data_of(mixture.sample(60)[1])
    one, other = (scrambled(model, number) for number in (1, 2))
    for student in (one, other):
        student.log_exponents.copy_(exact.log_exponents)
    one.take(exact, 0)
    for m in (1, 2):
        other.take(exact, m)
    for first, second in ((one, other), (other, one), (exact, one)):
        kept = copy.deepcopy(first)
        distillation._keep_better(kept, second, data, targets_of(model, data))
        assert_same_values(kept, exact)


@pytest.mark.parametrize(
    ("is_stopped", "is_further"), [(False, False), (True, False), (False, True)]
)
def test_slopes_are_shrunk_once_and_exponents_set_unless_it_is_stopped(
    monkeypatch, is_stopped, is_further
):
    """Encoders that are taught further have had it, and what comes later is little."""
    asked = []
    for name in ("shrink_slopes", "_calibrate"):
        monkeypatch.setattr(distillation, name, lambda *_, name=name: asked.append(name))
    model, data, observer = make_model(), make_data(), Observer()
    observer.is_told_to_stop = is_stopped
    before = SubsetEncoders(model) if is_further else None
    distillation.distil(model, data, SETTINGS, 1, seed(), observer, before=before)
    assert asked == ([] if is_stopped else ["shrink_slopes", "_calibrate"][is_further:])


@pytest.mark.parametrize(("n", "n_held"), [(9, 9), (10, 2), (11, 3), (1500, 300), (2000, 300)])
def test_a_fifth_of_the_samples_is_held_back_and_not_too_many(n, n_held):
    data = data_of([np.zeros((n, 1))])
    rows, others = distillation._calibration_rows(data, seed(1))
    assert len(rows) == n_held
    expected = np.arange(n) if n >= 10 else np.repeat(np.arange(n), 2)  # few do for both
    assert_array_equal(np.sort(torch.cat([rows, others])), expected)
    again = distillation._calibration_rows(data, seed(1))[0]
    assert_array_equal(again, rows)
    if n >= 10:
        assert (rows.diff() > 0).all()
        assert rows[-1] > n_held  # from everywhere


@pytest.mark.long
def test_teaching_leads_to_the_exact_potentials():
    """Of a linear model, from encoders in the middle of nowhere; and to Bayes' rule."""
    mixture = LinearMixture()
    model, exact = mixture.model()
    _, x = mixture.sample(400)
    data = TensorData(Batch(tuple(map(torch.as_tensor, x)), None), torch.float64)
    before = scrambled(model, 3)
    start = mean_loss(model, data, before)
    known = copy.deepcopy(before).requires_grad_(True)
    after = distillation.distil(model, data, SETTINGS, 60, seed(), Observer(), before=known)
    assert not after.training
    assert not any(p.requires_grad for p in after.parameters())
    best = mean_loss(model, data, exact)
    assert mean_loss(model, data, after) - best < 0.05 * (start - best)
    seen = torch.tensor([True, False, False])[:, None].expand(3, 400)
    images = TensorData(replace(data.samples, observed=seen), data.dtype)
    cells = [sample_posterior(model, images, of).cells.numpy() for of in (before, after)]
    errors = [np.abs(of - mixture.probabilities(x, [0]).T).mean() for of in cells]
    assert errors[1] < 0.2 * errors[0]


@pytest.mark.slow
def test_nothing_else_changes_and_it_is_the_same_twice():
    model, data = make_model(), make_data(missing=True)
    values = {name: value.clone() for name, value in model.state_dict().items()}
    before = torch.get_rng_state()
    one, two = (distil(model, data, SETTINGS, 3, seed(4)) for _ in range(2))
    for name, value in model.state_dict().items():
        assert_array_equal(value, values[name])
    assert torch.equal(torch.get_rng_state(), before)
    for first, second in zip(one.parameters(), two.parameters(), strict=True):
        assert_array_equal(first, second)
    other = distil(model, data, SETTINGS, 3, seed(5))
    assert any((a != b).any() for a, b in zip(one.parameters(), other.parameters(), strict=True))


def test_what_stands_in_absent_blocks_is_not_read():
    model, data = make_model(), make_data(missing=True)
    arrays = tuple(
        torch.where(seen[:, None], array, torch.full_like(array, 50.0))
        for array, seen in zip(data.arrays, data.observed, strict=True)
    )
    garbage = TensorData(replace(data.samples, arrays=arrays), data.dtype)
    one, two = (distil(model, d, SETTINGS, 2, seed()) for d in (data, garbage))
    for first, second in zip(one.parameters(), two.parameters(), strict=True):
        assert_array_equal(first, second)


def with_encoder(encoder):
    model = make_model()
    model.encoders[0] = nn.Sequential(nn.Flatten(), encoder).double()
    return model


@pytest.mark.parametrize("n_samples", some_slow([1, 2, 3, 90], [1]))
def test_encoders_that_are_frozen(n_samples):
    """A batch may hold nothing but samples of which a frozen encoder sees the part."""
    model = with_encoder(nn.Linear(6, 4).requires_grad_(False))
    kept = model.encoders[0][1].weight.clone()
    for number in range(3):
        encoders = distil(model, make_data().subset(slice(0, n_samples)), SETTINGS, 3, seed(number))
        assert_array_equal(encoders.encoders[0][1].weight, kept)


def test_all_encoders_are_frozen():
    mixture = LinearMixture()
    model = mixture.model()[0]
    with torch.no_grad():
        model.encoders[1][1].weight[:2].mul_(3.0)  # as if the others had outvoted it
    model.encoders.requires_grad_(False)
    data = data_of(mixture.sample(400)[1])
    encoders = distil(model, data, SETTINGS, 3, seed())
    networks = encoders.encoders.parameters()
    for one, other in zip(networks, model.encoders.parameters(), strict=True):
        assert_array_equal(one, other)
    assert mean_loss(model, data, encoders) < mean_loss(model, data, SubsetEncoders(model).eval())


@pytest.mark.slow
@pytest.mark.parametrize("rate", some_slow([0.0, 30.0], [30.0]))
def test_teaching_that_leads_away_is_not_kept(rate, monkeypatch):
    """By each modality alone, on samples that are held back; from the exact potentials."""
    monkeypatch.setattr(distillation, "CALIBRATION_STEPS", 0)
    mixture = LinearMixture()
    model, exact = mixture.model()
    data = data_of(mixture.sample(400)[1])
    settings = small_settings(learning_rate=rate)
    start = distil(model, data, small_settings(learning_rate=0.0), 3, seed(3))
    found = distil(model, data, settings, 3, seed(3))
    assert_same_values(found, start)
    assert mean_loss(model, data, found) < mean_loss(model, data, exact) + 0.5


def assert_same_values(one, other):
    pairs = zip(one.state_dict().items(), other.state_dict().items(), strict=True)
    for (name, value), (other_name, other_value) in pairs:
        assert name == other_name
        assert_array_equal(value, other_value)


@pytest.mark.slow
def test_exponents_are_set_on_samples_that_were_held_back(monkeypatch):
    """Of a student whose networks stay as they are the best ones are found, of these samples."""
    monkeypatch.setattr(distillation, "CALIBRATION_STEPS", 200)
    # what is noise alone is shrunk to nothing, of which no exponent is best
    monkeypatch.setattr(distillation, "shrink_slopes", lambda *_: None)
    model, data = make_model().eval(), make_data()
    settings = small_settings(learning_rate=1e-12)
    encoders = distil(model, data, settings, 1, seed(3))
    assert encoders.log_exponents.any()
    rows, others = distillation._calibration_rows(data, seed(3))
    assert len(rows) == 18
    assert_array_equal(torch.cat([rows, others]).sort().values, torch.arange(90))
    batch, taught = data.subset(rows).rows(slice(None)), targets_of(model, data).rows(rows)

    def loss(student):
        alone = torch.eye(2, dtype=torch.bool)
        parts = [replace(batch, observed=alone[:, m : m + 1].expand(2, 18)) for m in range(2)]
        return sum(divergences(student, of, taught).mean().item() for of in parts)

    with torch.no_grad():
        found = loss(encoders)
        for m, change in itertools.product(range(2), (-0.5, 0.5)):
            other = copy.deepcopy(encoders)
            other.log_exponents[m] += change
            is_above = other.log_exponents[m] > 0  # 1 is the largest
            assert loss(other) >= found if is_above else loss(other) > found


def test_networks_do_not_see_the_samples_that_are_held_back(monkeypatch):
    monkeypatch.setattr(distillation, "CALIBRATION_STEPS", 0)
    monkeypatch.setattr(distillation, "_keep_better", lambda *_: None)
    model, data = make_model(), make_data()
    rows, _ = distillation._calibration_rows(data, seed(3))
    arrays = tuple(array.index_fill(0, rows, 50.0) for array in data.arrays)
    other = TensorData(replace(data.samples, arrays=arrays), data.dtype)
    one, two = (distil(model, of, SETTINGS, 2, seed(3)) for of in (data, other))
    pairs = zip(one.encoders.parameters(), two.encoders.parameters(), strict=True)
    assert all(map(torch.equal, *zip(*pairs, strict=True)))


@pytest.mark.slow
def test_batch_normalization_and_dropout():
    torch.manual_seed(0)  # what is taught is not always kept, and modules draw from this generator
    inner = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Dropout(0.2), nn.Linear(8, 4))
    model = with_encoder(inner)
    for n_samples in (2, 3, 90):
        encoders = distil(model, make_data().subset(slice(0, n_samples)), SETTINGS, 3, seed())
        assert not any(module.training for module in encoders.modules())
        assert all(torch.isfinite(value).all() for value in encoders.state_dict().values())
    norm = encoders.encoders[0][1][1]
    assert norm.num_batches_tracked > 0
    assert model.encoders[0][1][1].num_batches_tracked == 0


def test_encoders_that_diverge_are_left_out():
    model, data = make_model(), make_data()
    with torch.no_grad():
        model.encoders[1].linear.weight.fill_(torch.nan)
    assert distil(model, data, SETTINGS, 1, seed()) is None


@pytest.mark.slow
def test_weights_count():
    model, data = make_model(), make_data().subset(slice(0, 20))
    weights = torch.ones(1, 20).double()
    weighted = TensorData(replace(data.samples, weights=weights), data.dtype)
    one, two = (distil(model, d, SETTINGS, 2, seed()) for d in (data, weighted))
    for first, second in zip(one.parameters(), two.parameters(), strict=True):
        assert_allclose(first, second, rtol=1e-9)
    weights[:, :10] = 0.0
    three = distil(model, weighted, SETTINGS, 2, seed())
    assert any((a != b).any() for a, b in zip(one.parameters(), three.parameters(), strict=True))
