"""Fits of columns that are no numbers: bounds, draws, gaps, and what they find."""

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats
from scipy.special import logsumexp
from sklearn.metrics import adjusted_rand_score

from skcausalpima._data.validation import read_modalities
from skcausalpima._inference.kept_models import model_of

N = 150
WORDS = ["bernoulli", "categorical", "ordinal", "poisson", "negative_binomial"]


def table(word, seed=0):
    """Return columns of one kind, of two groups, and the groups."""
    rng = np.random.default_rng(seed)
    group = np.arange(N) % 2
    if word == "bernoulli":
        cells = rng.random((N, 8)) < np.where(group, 0.85, 0.15)[:, None]
    elif word in ("categorical", "ordinal"):
        levels = np.minimum(rng.poisson(0.4 + 1.6 * group[:, None], size=(N, 8)), 2)
        names, is_ordered = list("abc"), word == "ordinal"
        columns = [pd.Categorical.from_codes(of, names, ordered=is_ordered) for of in levels.T]
        return pd.DataFrame(dict(enumerate(columns))).rename(columns=str), group
    else:
        means = 2.0 + 6.0 * (group[:, None] ^ np.arange(8) % 2)
        noise = rng.gamma(4.0, 0.25, size=(N, 8)) if word == "negative_binomial" else 1.0
        cells = rng.poisson(means * noise * rng.uniform(0.5, 2.0, size=(N, 1)))
    return pd.DataFrame(cells, columns=[f"c{k}" for k in range(8)]), group


@pytest.fixture(scope="module")
def fits(quick):
    found = {}
    for word in WORDS:
        frame, group = table(word)
        model = quick((2,), likelihoods=word, latent_dim=1).fit(frame)
        found[word] = model, frame, group
    return found


@pytest.mark.parametrize("word", WORDS)
def test_groups_are_found(fits, word):
    model, _, group = fits[word]
    assert adjusted_rand_score(group, model.labels_) > 0.75


@pytest.mark.parametrize("word", WORDS)
def test_scores_are_bounds_of_log_likelihoods(fits, word):
    model, frame, _ = fits[word]
    read, fitted = read_modalities(model, frame, reset=False), model_of(model)
    data, prior = fitted.scaled(read), fitted.model.prior
    points = np.linspace(-8.0, 8.0, 1601)
    means, variances = prior.means.numpy()[:, 0], prior.covariances.numpy().reshape(2)
    densities = stats.norm.logpdf(points[:, None], means, np.sqrt(variances))
    densities = logsumexp(densities + prior.log_weights().detach().numpy(), axis=1)
    decoder, exact = fitted.model.decoders[0], []
    for row in data.arrays[0][:20]:
        z = torch.as_tensor(points)[:, None].to(row)
        said = decoder.likelihood(row.expand(len(points), -1), z).log_likelihoods[0]
        exact.append(
            logsumexp(said.detach().double().numpy() + densities) + np.log(points[1] - points[0])
        )
    scores = model.score_samples(frame)[:20]
    assert (scores <= np.array(exact) + 1e-3).all()
    assert np.mean(exact - scores) < 0.5


@pytest.mark.parametrize("word", WORDS)
def test_samples_have_the_margins_of_the_data(fits, word):
    model, frame, _ = fits[word]
    drawn, _ = model.sample(2000)
    for name in frame:
        if word in ("poisson", "negative_binomial"):
            assert stats.ks_2samp(drawn[name], frame[name]).statistic < 0.2
        else:
            shares = [of[name].value_counts(normalize=True) for of in (frame, drawn)]
            assert shares[0].sub(shares[1], fill_value=0.0).abs().sum() < 0.3


def test_counts_come_back_at_the_depth_of_their_row(fits):
    model, frame, _ = fits["poisson"]
    doubled = model.reconstruct(10 * frame)
    ratio = doubled.sum(axis=1) / model.reconstruct(frame).sum(axis=1)
    assert ratio.between(8.0, 12.0).all()


@pytest.mark.long
def test_a_column_of_numbers_has_the_units_of_the_data(quick):
    rng = np.random.default_rng(0)
    group = np.arange(N) % 2
    frame = pd.DataFrame({"a": 1000.0 + 5.0 * group + rng.normal(size=N), "b": group > 0})
    for k in range(3):
        frame[f"c{k}"] = 0.01 * (4.0 * group + rng.normal(size=N))
    model = quick((2,), max_iter=6).fit(frame)
    other = frame.assign(a=0.001 * frame["a"])
    same = quick((2,), max_iter=6).fit(other)
    assert model.score(frame) == pytest.approx(same.score(other) + np.log(0.001), abs=1e-3)
    found = model.reconstruct(frame)
    assert (found["a"] - frame["a"]).std() < 2.0
    assert (found["b"] == frame["b"]).all()


@pytest.mark.slow
def test_what_is_missing_says_nothing(quick):
    frame, group = table("categorical")
    frame = frame.astype(object)
    rng = np.random.default_rng(1)
    gaps = frame.mask(rng.random(frame.shape) < 0.2)
    model = quick((2,), max_iter=6, missing_values="marginalize").fit(gaps)
    assert adjusted_rand_score(group, model.labels_) > 0.7
    filled = model.impute(gaps)
    right = (filled == frame)[gaps.isna()].to_numpy(dtype=float)
    modes = (frame == frame.mode().iloc[0])[gaps.isna()].to_numpy(dtype=float)
    assert np.nansum(right) > np.nansum(modes)
    nothing = gaps[:1].assign(**dict.fromkeys(gaps, None))
    assert model.predict_proba(nothing)[0] == pytest.approx(model.weights_, abs=1e-6)
