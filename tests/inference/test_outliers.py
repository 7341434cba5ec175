"""Tail probabilities: how unlike the reference samples others are."""

import numpy as np
import pytest
import torch
from linear_models import LinearMixture
from numpy.testing import assert_allclose, assert_array_equal
from random_models import make_data, own_model
from scipy.stats import norm
from some_slow import some_slow

from skcausalpima._inference import evidence
from skcausalpima._inference.evidence import (
    likelihood_terms,
    moved_reference,
    positions_of,
    reference_rows,
    sorted_terms,
    tail_probabilities,
)
from skcausalpima._inference.posterior import bounds, sample_posterior
from skcausalpima._model.tensors import TensorData
from skcausalpima.modules import Batch, SubsetEncoders


def as_data(arrays, observed=None):
    if observed is not None:
        arrays = [array * seen[:, None] for array, seen in zip(arrays, observed, strict=True)]
        observed = torch.as_tensor(observed)
    return TensorData(Batch(tuple(map(torch.as_tensor, arrays)), observed), torch.float64)


def test_terms_are_likelihoods_where_each_modality_alone_points_to():
    """Component by Bayes' rule, latent point by conditioning a Gaussian, density by SciPy."""
    mixture = LinearMixture()
    model, encoders = mixture.model()
    _, x = mixture.sample(30)
    terms = likelihood_terms(model, as_data(x), encoders)
    assert terms.shape == (30, 4)
    for m in range(3):
        components = mixture.probabilities(x, [m]).argmax(axis=0)
        for row, c in enumerate(components):
            mean, spread = mixture.means[c], mixture.covariances[c]
            noise = mixture.noise[m] ** 2 * np.eye(mixture.widths[m])
            gain = spread @ mixture.maps[m].T
            gain = gain @ np.linalg.inv(mixture.maps[m] @ gain + noise)
            z = mean + gain @ (x[m][row] - mixture.maps[m] @ mean - mixture.offsets[m])
            decoded = mixture.maps[m] @ z + mixture.offsets[m]
            expected = norm.logpdf(x[m][row], decoded, mixture.noise[m]).sum()
            assert_allclose(terms[row, m], expected, atol=1e-9)
    assert_array_equal(terms[:, 3], bounds(model, as_data(x), encoders))


def test_terms_of_what_is_missing_are_nan_and_the_others_stay():
    mixture = LinearMixture()
    model, encoders = mixture.model()
    _, x = mixture.sample(4)
    observed = np.array([[1, 1, 0, 0], [1, 0, 1, 0], [1, 1, 0, 0]], dtype=bool)
    whole = likelihood_terms(model, as_data(x), encoders)
    terms = likelihood_terms(model, as_data(x, observed), encoders)
    seen = np.concatenate([observed, observed.all(axis=0)[None]]).T
    assert_array_equal(np.isnan(terms), ~seen)
    assert_allclose(terms[seen], whole[seen], atol=1e-10)


@pytest.mark.parametrize("taught", some_slow([False, True], [True]))
@torch.no_grad()
def test_decoders_with_likelihoods_of_their_own_are_asked_for_them(taught):
    model, data = own_model(), make_data()
    encoders = SubsetEncoders(model).eval() if taught else None
    terms = likelihood_terms(model, data, encoders)
    for m in range(2):
        observed = torch.zeros(2, 90, dtype=torch.bool)
        observed[m] = True
        alone = TensorData(Batch(data.arrays, observed), torch.float64)
        found = sample_posterior(model, alone, encoders)
        own = model.decoders[m].likelihood(data.arrays[m], found.centres).log_likelihoods
        cells = found.cells.argmax(dim=1) if m == 0 else torch.zeros(90, dtype=torch.int64)
        assert_allclose(terms[:, m], own[cells, torch.arange(90)], atol=1e-12)


def test_a_single_modality_has_its_bound_alone():
    rng = np.random.default_rng(0)
    model = own_model()
    model.decoders = model.decoders[:1]
    model.encoders, model.shapes, model.widths = model.encoders[:1], model.shapes[:1], [6]
    data = as_data([rng.normal(size=(20, 6))])
    terms = likelihood_terms(model, data, SubsetEncoders(model).eval())
    assert_array_equal(terms[:, 0], bounds(model, data, None))


def test_numbers_that_are_not_finite_are_the_smallest():
    mixture = LinearMixture()
    model, encoders = mixture.model()
    _, x = mixture.sample(5)
    x[0][3] = 1e200
    terms = likelihood_terms(model, as_data(x), encoders)
    assert terms[3, 0] == terms[3, 3] == -np.inf
    probability = tail_probabilities(terms, [np.arange(99.0) - 500] * 4)
    assert_allclose(probability[3], 4 / 100)


def test_tail_probability_is_the_smallest_share_times_their_number():
    reference = [np.arange(9.0), np.arange(4.0), np.array([])]
    terms = np.array(
        [
            [4.0, 1.5, np.nan],  # shares (1 + 5) / 10 and (1 + 2) / 5
            [-1.0, 9.0, np.nan],  # 1 / 10 and 1
            [np.nan, -1.0, np.nan],  # 1 / 5
            [-1.0, 9.0, -5.0],  # the last has nothing to be compared with
            [np.nan, np.nan, np.nan],
        ]
    )
    assert_allclose(tail_probabilities(terms, reference), [1.0, 0.2, 0.2, 0.2, 1.0])


@pytest.mark.parametrize("n_terms", [1, 3])
@pytest.mark.parametrize("level", [0.05, 0.2])
def test_samples_like_the_reference_are_seldom_below_a_level(n_terms, level):
    """At most that part of them, however the terms depend on each other."""
    rng = np.random.default_rng(0)
    draws = rng.normal(size=(400, 160, n_terms)) + rng.normal(size=(400, 160, 1))
    below = [
        tail_probabilities(sample[150:], sorted_terms(sample[:150])) <= level for sample in draws
    ]
    assert 0.3 * level < np.mean(below) < level + 0.01


def test_positions_of_reference_samples_are_those_of_any_rounding():
    """Also of values that are as close to each other; all others are counted as they are."""
    rng = np.random.default_rng(0)
    values = -np.sort(rng.exponential(100.0, size=300))[::-1]
    values[50:53] = values[50] + np.array([0.0, 1.0, 60.0]) * 1e-16 * abs(values[0])
    shift = rng.choice([-1e-16, 0.0, 1e-16], size=(20, 300)) * 8.0 * abs(values[0])
    shift[:, 50:53] = 0.0
    expected = (1.0 + np.searchsorted(values, values, side="right")) / 301.0
    expected[50:53] = expected[52]
    for moved in values + shift:
        assert_array_equal(tail_probabilities(moved[:, None], [values], 2.2e-16), expected)
    fresh = -rng.exponential(100.0, size=300)[:, None]
    exact = tail_probabilities(fresh, [values])
    assert_array_equal(tail_probabilities(fresh, [values], 2.2e-16), exact)


def test_noise_in_place_of_a_modality_is_seen_and_others_are_left_alone():
    mixture = LinearMixture()
    model, encoders = mixture.model()
    _, x = mixture.sample(3000)
    reference = sorted_terms(likelihood_terms(model, as_data([a[:1000] for a in x]), encoders))
    fresh = [a[1000:] for a in x]
    alarms = (
        tail_probabilities(likelihood_terms(model, as_data(fresh), encoders), reference) <= 0.05
    )
    assert 0.02 < alarms.mean() < 0.06
    noise = 10 * np.random.default_rng(1).normal(size=fresh[0].shape)
    noisy = likelihood_terms(model, as_data([noise, *fresh[1:]]), encoders)
    assert (tail_probabilities(noisy, reference) <= 0.05).mean() > 0.95


def test_reference_rows_are_all_of_few_and_evenly_spaced_of_many(monkeypatch):
    assert_array_equal(reference_rows(7), np.arange(7))
    monkeypatch.setattr(evidence, "MAX_REFERENCE", 10)
    assert_array_equal(reference_rows(10), np.arange(10))
    assert_array_equal(reference_rows(40), np.arange(2, 40, 4))


def test_reference_rows_go_by_weight(monkeypatch):
    """A row of weight 3 is three rows."""
    monkeypatch.setattr(evidence, "MAX_REFERENCE", 6)
    weights = np.array([1, 3, 1, 1, 5, 1])
    copies = np.repeat(np.arange(6), weights)
    assert_array_equal(reference_rows(6, weights), copies[reference_rows(12)])


def test_a_reference_is_moved_by_position():
    """That of one normal distribution becomes that of another, whatever the numbers of values."""
    narrow, wide = norm(0, 1), norm(-1, 2)
    moves = wide.ppf(positions_of(300)) - narrow.ppf(positions_of(300))
    (found,) = moved_reference([narrow.ppf(positions_of(101))], [moves])
    assert_allclose(found, wide.ppf(positions_of(101)), atol=0.01)
    assert moved_reference([np.zeros(0)], [moves])[0].shape == (0,)
