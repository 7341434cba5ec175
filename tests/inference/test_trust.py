"""Samples that are like those which were set aside: their modalities say less."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from skcausalpima import CausalPIMA
from skcausalpima._inference.evidence import shortfalls, trusted
from skcausalpima._inference.kept_models import model_of, samples_of
from skcausalpima._inference.posterior import sample_posterior
from skcausalpima.functional import OwnPosterior, Potential

STEP, N_COLUMNS = 6.0 / np.sqrt(6.0), 6


def tables(n: int, seed: int, factor: float = 12.0) -> tuple[list, np.ndarray, np.ndarray]:
    """Return two tables of a binary node each, the nodes, and who has far more noise, by table."""
    rng = np.random.default_rng(seed)
    nodes, far = rng.integers(2, size=(n, 2)), rng.random((n, 2)) < 0.02
    noise = np.where(far, factor, 1.0)
    made = [STEP * nodes[:, [k]] + noise[:, [k]] * rng.normal(size=(n, N_COLUMNS)) for k in (0, 1)]
    return made, nodes, far


@pytest.fixture(scope="module")
def fit() -> CausalPIMA:
    return CausalPIMA((2, 2), random_state=0).fit(tables(300, 0)[0])


def test_noise_of_samples_is_known(fit: CausalPIMA) -> None:
    """Of twelve times the noise 1 / trust is 144, but for what five or six elements make of it."""
    new, _, far = tables(2000, 1)
    model = model_of(fit)
    trust = model.asked(samples_of(fit, new)).samples.trust.T.numpy()
    assert ((trust < 1.0) == far).mean() > 0.998
    assert_allclose(np.median(1.0 / trust[far & (trust < 1.0)]), 144.0, rtol=0.25)


def test_what_is_said_is_right(fit: CausalPIMA) -> None:
    """Samples of twelve times the noise in one table know its node as often as they say."""
    new, nodes, far = tables(20_000, 2)
    said = fit.predict_nodes(new, probabilities=True)
    truth, names = tables(300, 0)[1], list(fit.dag_)
    for k in (0, 1):  # the table, and the node that it shows
        equal = (fit.node_labels_ == truth[:, [k]]).mean(axis=0)
        node = np.abs(equal - 0.5).argmax()
        right, name = nodes[:, k] if equal[node] > 0.5 else 1 - nodes[:, k], names[node]
        largest, guess = said[name].max(axis=1), said[name].argmax(axis=1)
        alone = far[:, k] & ~far[:, 1 - k]
        assert abs(largest[alone].mean() - (guess == right)[alone].mean()) < 0.12
        assert largest[alone].mean() < 0.8 < largest[~far[:, k]].mean()


@pytest.mark.short_fits
@torch.no_grad()
def test_a_potential_is_raised_to_a_power() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 6)) + 9.0 * (np.arange(200) % 2)[:, None]
    x[7] *= -12.0
    est = CausalPIMA(2, max_iter=2, random_state=0).fit(x)
    model, data = model_of(est).model, model_of(est).scaled(samples_of(est, x))
    batch = next(data.blocks())
    trust = torch.rand(1, 200, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    found = model.posterior(replace(batch, trust=trust))
    precision = trust[0, :, None, None] * model.information[0]
    linear = (precision @ model.location(batch)[:, :, None])[:, :, 0]
    prior = model.prior
    expected = OwnPosterior(prior.means, prior.covariances, Potential(linear, precision))
    assert_allclose(found.log_normalizers(), expected.log_normalizers(), rtol=1e-10)


@torch.no_grad()
def test_a_modality_without_trust_says_nothing(fit: CausalPIMA) -> None:
    model = model_of(fit)
    batch = next(model.scaled(samples_of(fit, tables(50, 3)[0])).blocks())
    trust = torch.ones(2, 50, dtype=torch.float64)
    trust[1] = 0.0
    lacking = replace(batch, observed=torch.tensor([[True], [False]]).expand(2, 50))
    for found, expected in zip(
        model.encoders.potential(replace(batch, trust=trust)),
        model.encoders.potential(lacking),
        strict=True,
    ):
        assert_allclose(found, expected, atol=1e-12)


def test_each_sample_for_itself(fit: CausalPIMA) -> None:
    (first, second), *_ = tables(300, 0)
    probabilities = fit.predict_proba([first, second])
    assert_array_equal(fit.labels_, probabilities.argmax(axis=1))
    rows = np.r_[fit.separation_.set_aside, 0:5]
    one_by_one = [fit.predict_proba([first[[row]], second[[row]]])[0] for row in rows]
    assert_allclose(one_by_one, probabilities[rows], atol=1e-9)


def test_they_stay_improbable(fit: CausalPIMA) -> None:
    """Trust is about what a sample says of its cell, not about how usual it is."""
    data, _, far = tables(300, 0)
    assert (fit.tail_probability(data)[far.any(axis=1)] < 0.02).all()
    assert fit.score_samples(data)[far.any(axis=1)].max() < fit.score_samples(data)[0] - 20.0


def test_fits_that_set_nothing_aside_trust_all(fit: CausalPIMA) -> None:
    x, _, _ = tables(300, 4, factor=1.0)
    est = CausalPIMA((2, 2), max_iter=2, random_state=0).fit(x)
    assert model_of(est).reference is None
    assert model_of(est).asked(samples_of(est, tables(20, 1)[0])).samples.trust is None


def test_elements_that_are_missing(fit: CausalPIMA) -> None:
    """The rest of a sample is known to be noise, too, and half of it is raised alike."""
    new, _, far = tables(4000, 5)
    rng = np.random.default_rng(5)
    half = [np.where(rng.random(of.shape) < 0.5, np.nan, of) for of in new]
    trust = model_of(fit).asked(samples_of(fit, half)).samples.trust.T.numpy()
    n_seen = np.stack([np.isfinite(of).sum(axis=1) for of in half], axis=1)
    assert ((trust < 1.0) == far)[n_seen > 2].mean() > 0.995
    assert (trust[~far] < 1.0).mean() < 0.005
    assert np.isfinite(fit.predict_proba(half)).all()


def test_shortfalls_of_few() -> None:
    assert_array_equal(shortfalls(np.array([-1e9]), np.zeros(10)), [0.0])
    assert_array_equal(shortfalls(np.array([-np.inf, np.nan]), np.arange(30.0)), [np.inf, 0.0])


def test_trust_of_what_is_beyond_all_measure(fit: CausalPIMA) -> None:
    far = [np.full((1, 6), 1e100), np.zeros((1, 6))]
    model = model_of(fit)
    data = trusted(model.model, model.scaled(samples_of(fit, far)), model.encoders, model.reference)
    assert torch.isfinite(sample_posterior(model.model, data, model.encoders).cells).all()


def test_rare_kinds_of_a_sparse_table_are_trusted() -> None:
    """Most of its log-likelihoods are alike: those of two kinds of a tenth are far below these."""
    rng = np.random.default_rng(0)
    kind = rng.choice(3, size=600, p=[0.8, 0.1, 0.1])
    first = 4.0 * kind[:, None] + rng.normal(size=(600, 5))
    step = np.array([0.0, 1.5, -1.5])[kind][:, None]
    second = np.where(kind[:, None] > 0, step + 0.7 * rng.normal(size=(600, 5)), 0.0)
    first[[7, 9]] = [[200.0], [-200.0]]
    est = CausalPIMA(3, max_iter=5, random_state=0).fit([first, second])
    assert_array_equal(est.separation_.set_aside, [7, 9])
    trust = model_of(est).asked(samples_of(est, [first, second])).samples.trust
    assert (trust[1] < 1.0).double().mean() < 0.02


def test_arrivals_are_asked_as_the_fit_was() -> None:
    (first, second), *_ = tables(300, 0)
    est = CausalPIMA((2, 2), max_iter=5, random_state=0).fit([first, second])
    est.partial_fit(tables(100, 9, factor=1.0)[0])
    assert len(est.separation_.set_aside) == 0
    assert model_of(est).reference is not None
