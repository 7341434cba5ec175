"""What to measure next: against Monte Carlo by the fit's own samples, and closed forms."""

import sys

import numpy as np
import pandas as pd
import pytest
import torch
from linear_models import LinearMixture
from nodes_by_hand import global_state
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import entr
from sklearn.pipeline import make_pipeline

from skcausalpima._inference.information import _points, _stratified
from skcausalpima._model.tensors import TensorData
from skcausalpima.inspection import information_gain
from skcausalpima.modules import Batch, ExpertDecoder, line


def lacking(arrays, *missing):
    """Return samples without the modalities of these numbers."""
    return [np.full_like(a, np.nan) if m in missing else a for m, a in enumerate(arrays)]


def entropies(est, X):
    tables = est.predict_nodes(X, probabilities=True).values()
    return np.stack([entr(table).sum(axis=1) for table in tables], axis=1)


def test_the_modality_that_shows_a_node_takes_its_entropy_away(fitted_and_taught, pair):
    some = [array[::9] for array in pair]
    shown_by = fitted_and_taught.modality_evidence(pair).shows.argmax(axis=0)
    for m in (0, 1):
        X = lacking(some, m)
        found = information_gain(fitted_and_taught, X, random_state=0)
        assert_allclose(found.entropy, entropies(fitted_and_taught, X), atol=1e-6)
        assert_array_equal(found.best, m)
        assert np.isnan(found.gain[:, 1 - m]).all()
        own, other = (np.flatnonzero(shown_by == k)[0] for k in (m, 1 - m))
        assert (found.gain[:, m, own] > 0.6 * found.entropy[:, own]).all()
        assert (np.abs(found.gain[:, m, other]) < 0.15).all()


def test_of_samples_with_nothing_it_is_the_mutual_information(fitted_and_taught, pair):
    """By samples that the fit draws: entropy of the weights less the mean of what is left."""
    nothing = lacking([array[:40] for array in pair], 0, 1)
    found = information_gain(fitted_and_taught, nothing, n_draws=32, random_state=0)
    drawn, _ = fitted_and_taught.sample(1500)
    for m in (0, 1):
        left = entropies(fitted_and_taught, lacking(drawn, 1 - m)).mean(axis=0)
        expected = found.entropy[0] - left
        assert_allclose(found.gain[:, m].mean(axis=0), expected, atol=0.04)
    errors = found.gain_se[:, 1]
    scatter = found.gain[:, 1].std(axis=0)
    assert (scatter < 1.5 * errors.mean(axis=0) + 1e-3).all()  # draws in strata scatter less


@pytest.mark.usefixtures("no_outliers")
def test_points_are_drawn_from_their_distribution_given_the_sample():
    """Conditioning Gaussians says mean and variance of what decodes from them."""
    mixture = LinearMixture()
    model, encoders = mixture.model()
    _, x = mixture.sample(3)
    observed = torch.tensor([[1, 1, 1], [0, 0, 0], [0, 1, 0]], dtype=torch.bool)
    arrays = [torch.as_tensor(a) * kept[:, None] for a, kept in zip(x, observed, strict=True)]
    data = TensorData(Batch(tuple(arrays), observed), torch.float64)
    rng = np.random.RandomState(0)
    points, cells = _points(model, data, encoders, 2000, rng)
    assert points.shape == (3, 2000, 2)
    for sample, known in enumerate([[0], [0, 2], [0]]):
        given = [array[[sample]] for array in x]
        mean, variance = mixture.expected(given, known, 1)
        decoded = points[sample].numpy() @ mixture.maps[1].T + mixture.offsets[1]
        assert_allclose(decoded.mean(axis=0), mean[0], atol=4.5 * np.sqrt(variance.max() / 2000))
        assert_allclose(decoded.var(axis=0), variance[0], rtol=0.25)
        shares = np.bincount(cells[sample], minlength=4) / 2000
        assert_allclose(shares, mixture.probabilities(given, known)[:, 0], atol=2e-3)


def test_cells_are_drawn_one_in_each_part_of_their_distribution():
    log_gamma = torch.tensor([[0.25, 1.0], [0.5, 0.0], [0.25, 0.0]]).log()
    cells = _stratified(log_gamma, 8, np.random.RandomState(0))
    assert_array_equal(cells, [[0, 0, 1, 1, 1, 1, 2, 2], [0] * 8])


def test_complete_samples_among_others_have_nothing_to_gain(fitted_and_taught, pair):
    X = [array[:6].copy() for array in pair]
    X[0][2:] = np.nan
    found = information_gain(fitted_and_taught, X, nodes="N2", n_draws=2, random_state=0)
    assert_array_equal(found.best, [-1, -1, 0, 0, 0, 0])
    assert np.isnan(found.gain[:2]).all()
    assert found.node_names == ("N2",)
    assert found.gain.shape == (6, 2, 1)
    frame = found.to_frame()
    assert frame.index.tolist() == [(sample, "modality0") for sample in range(2, 6)]
    assert_array_equal(frame["N2"], found.gain[2:, 0, 0])
    assert "modality0        4" in str(found)
    assert found._repr_html_().count("<tr>") == 2


def test_a_seed_is_all_that_draws_depend_on(fitted_and_taught, pair):
    X, before = lacking([array[:3] for array in pair], 1), global_state()
    first, again, other = (
        information_gain(fitted_and_taught, X, n_draws=3, random_state=seed) for seed in (0, 0, 1)
    )
    assert_array_equal(global_state(), before)
    assert_array_equal(first.gain, again.gain)
    assert (first.gain[:, 1] != other.gain[:, 1]).any()
    one = information_gain(fitted_and_taught, X, n_draws=1, random_state=0)
    assert np.isnan(one.gain_se).all()


def test_blocks_of_samples_are_put_together(fitted_and_taught, pair, monkeypatch):
    X = lacking([array[:7] for array in pair], 1)
    whole = information_gain(fitted_and_taught, X, n_draws=64, random_state=0)
    monkeypatch.setattr("skcausalpima._inference.information.DRAWN_ROWS", 130)  # two samples
    parts = information_gain(fitted_and_taught, X, n_draws=64, random_state=0)
    assert_allclose(parts.gain, whole.gain, atol=0.1)


def test_contexts_counts_words_and_single_elements(taught):
    """Offsets of the label are in what is drawn; columns of any kind can be drawn and asked."""
    rng = np.random.default_rng(0)
    kind, site = rng.integers(2, size=80), rng.integers(2, size=80)
    frame = pd.DataFrame({"x": rng.normal(size=80) + 4 * kind, "w": np.array(["u", "v"])[kind]})
    table = rng.normal(size=(80, 3)) + 5 * kind[:, None] + 100 * site[:, None]
    table[::5, 0] = np.nan
    X = {"frame": frame, "table": table, "site": np.array(["p", "q"])[site]}
    est = taught((2,), contexts=["site"]).fit(X)
    asked = {"frame": frame[:8], "table": np.full((8, 3), np.nan), "site": X["site"][:8]}
    found = information_gain(est, asked, n_draws=4, random_state=0)
    assert np.isfinite(found.gain[:, 1]).all()
    asked = {"frame": None, "table": table[:8], "site": [None, *X["site"][1:8]]}
    assert np.isfinite(information_gain(est, asked, n_draws=4).gain[:, 0]).all()


def test_experts_and_the_published_posterior(taught, brief):
    rng = np.random.default_rng(0)
    kind = np.repeat([0, 1], 20)
    lines = (1 + kind)[:, None] * np.linspace(0, 2, 6) + 0.1 * rng.normal(size=(40, 6))
    table = rng.normal(size=(40, 3)) + 4 * kind[:, None]
    expert = ExpertDecoder(line, np.linspace(0, 2, 6))
    of_experts = taught((2,), experts=[None, expert], scale=["feature", "modality"])
    for est in (of_experts, brief((2,))):
        est.fit([table, lines])
        found = information_gain(est, lacking([table[:5], lines[:5]], 1), n_draws=3)
        assert np.isfinite(found.gain[:, 1]).all()


def test_one_modality_says_what_it_says(quick, pair):
    est = quick((2,)).fit(pair[1])
    found = information_gain(est, np.full((2, 4), np.nan), random_state=0)
    assert_array_equal(found.best, [0, 0])
    assert (found.gain > 0.5).all()


def test_errors_say_what_is_wrong(fitted_and_taught, pair):
    X = lacking(pair, 1)
    with pytest.raises(
        ValueError, match=r"No sample of X lacks a modality.*pass samples with None"
    ):
        information_gain(fitted_and_taught, pair)
    with pytest.raises(
        ValueError, match=r"no node 'N9': expected some of the nodes \['N1', 'N2'\]"
    ):
        information_gain(fitted_and_taught, X, nodes=["N1", "N9"])
    with pytest.raises(ValueError, match="nodes is empty: expected some of"):
        information_gain(fitted_and_taught, X, nodes=[])
    with pytest.raises(ValueError, match="'n_draws' parameter of information_gain"):
        information_gain(fitted_and_taught, X, n_draws=0)
    with pytest.raises(TypeError, match=r"pass its last step, est\[-1\]"):
        information_gain(make_pipeline(fitted_and_taught), X)


def test_a_frame_needs_pandas(fitted_and_taught, pair, monkeypatch):
    found = information_gain(fitted_and_taught, lacking(pair, 1), n_draws=1, random_state=0)
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match="to_frame needs pandas; install it"):
        found.to_frame()
