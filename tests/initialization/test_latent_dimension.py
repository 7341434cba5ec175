"""Tests of the dimension that tables of some columns need."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose
from scipy.stats import multivariate_normal
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.metrics import adjusted_rand_score
from some_slow import some_slow

from skcausalpima import CausalPIMA
from skcausalpima._clustering.contest import Contest
from skcausalpima._clustering.latent_classes import TableColumns
from skcausalpima._held_out.held_out import HeldOut
from skcausalpima._held_out.units import Units
from skcausalpima._initialization import latent_space
from skcausalpima._initialization.latent_space import (
    _are_told_better,
    evidence_of_clusters,
    in_all_scores,
    with_room_for_classes,
)
from skcausalpima._initialization.principal_components import PrincipalScores
from skcausalpima._model.tensors import TensorData
from skcausalpima.model_selection._folds import start_folds
from skcausalpima.modules import Batch

N_SAMPLES, N_COLUMNS = 300, 10


def correlated(seed, strength=1.5, distance=6.0, n_columns=N_COLUMNS, n_samples=N_SAMPLES):
    """Draw three clusters whose columns vary together within them."""
    rng, shape = np.random.RandomState(seed), (n_samples, n_columns)
    mixing = (
        np.eye(n_columns) + strength * rng.normal(size=(n_columns, n_columns)) / shape[1] ** 0.5
    )
    labels, means = rng.randint(3, size=n_samples), rng.normal(size=(3, n_columns))
    apart = min(np.linalg.norm(means[i] - means[j]) for i, j in ((0, 1), (0, 2), (1, 2)))
    x = rng.normal(size=shape) @ mixing + distance * (means / apart)[labels]
    return x - x.mean(axis=0), labels


def scores_of(x, n_scores=20, columns=None):
    """Return the principal scores of all columns."""
    left, singular, _ = np.linalg.svd(x - x.mean(axis=0), full_matrices=False)
    scaled, whitened = (left * singular)[:, :n_scores], left[:, :n_scores] * len(x) ** 0.5
    return PrincipalScores(whitened=whitened, scaled=scaled, placed=scaled, columns=columns)


def found_in_all(x, observed=None, shape=None, width=N_COLUMNS // 2, **spec):
    """Return all scores of two tables, the first of this width, if they are taken."""
    arrays = np.split(x, [width], axis=1)
    shape = arrays[0].shape[1:] if shape is None else shape
    of_two = {"shapes": (shape, arrays[1].shape[1:]), "layouts": (None, None)}
    of_two |= {"views": (None, None), "experts": [None, None], "node_sizes": (3,), "latent_dim": 3}
    data = TensorData(Batch(tuple(map(torch.as_tensor, arrays)), observed), torch.float64)
    modalities = SimpleNamespace(
        shapes=of_two["shapes"],
        arrays=arrays,
        observed=np.ones((2, len(x)), dtype=bool),
        elements=None,
        ranks=SimpleNamespace(first=lambda value: value),
    )
    spec = SimpleNamespace(**(of_two | spec))
    return in_all_scores(spec, modalities, data, scores_of(x), seed=0)


def asked(x, *args, **spec):
    """Return the dimension that is asked for: three are planned."""
    scores = found_in_all(x, *args, **spec)
    return spec.get("latent_dim", 3) if scores is None else scores.scaled.shape[1]


@pytest.mark.parametrize("seed", some_slow(range(3), [1]))
def test_columns_that_vary_together_have_a_dimension_each(seed):
    assert asked(correlated(seed)[0]) == N_COLUMNS


@pytest.mark.parametrize("seed", some_slow(range(3), [1]))
def test_clusters_are_sought_where_they_show(seed):
    """All scores are canonical variates: those of scikit-learn, up to signs and units."""
    x, labels = correlated(seed)
    scores = found_in_all(x)
    scaled = scores.scaled
    dimension = scaled.shape[1]
    means = np.array([scaled[labels == k].mean(axis=0) for k in range(3)])
    within = scaled - means[labels]
    assert_allclose(within.T @ within / len(x), np.eye(dimension), atol=0.05)  # of those found
    expected = LinearDiscriminantAnalysis().fit_transform(x, labels)
    correlations = np.corrcoef(scaled[:, :2].T, expected.T)[:2, 2:]
    assert_allclose(
        np.linalg.svd(correlations)[1], 1.0, atol=0.01
    )  # two that are like may be turned
    trial = Contest(node_sizes=(3,), known=None, seed=0).ask(scores)
    assert {candidate.source for candidate in trial.candidates} > {"k-means"}
    assert max(adjusted_rand_score(labels, each.labels) for each in trial.candidates) > 0.95


def test_units_of_clusters_are_those_of_what_varies_within_them():
    x, labels = correlated(0)
    rows = np.arange(0, N_SAMPLES, 2)
    found = scores_of(x).in_units_of_clusters(rows, labels[rows])
    means = np.array([found.scaled[rows][labels[rows] == k].mean(axis=0) for k in range(3)])
    within = found.scaled[rows] - means[labels[rows]]
    assert_allclose(within.T @ within / len(rows), np.eye(N_COLUMNS), atol=1e-10)
    total = found.scaled[rows].T @ found.scaled[rows]
    assert_allclose(total, np.diag(total.diagonal()), atol=1e-8 * total.max())
    assert (np.diff(total.diagonal()) < 1e-8 * total.max()).all()
    assert_allclose(found.whitened.std(axis=0), 1.0)
    assert_allclose(np.abs(np.corrcoef(found.scaled[:, 0], found.placed[:, 0])), 1.0)


def test_units_of_clusters_know_no_units_and_no_origin_and_what_varies_nowhere_is_left_out():
    """Two directions do not vary within clusters, but for rounding."""
    x, labels = correlated(0)
    rows = np.arange(0, N_SAMPLES, 2)
    flat = np.outer(labels, [1.0, 0.0]) + np.outer(labels == 1, [0.0, 2.0])
    x = np.column_stack([x, flat - flat.mean(axis=0)])
    before = replace(scores_of(x), scaled=x, whitened=x)
    found = before.in_units_of_clusters(rows, labels[rows])
    assert found.scaled.shape == (N_SAMPLES, N_COLUMNS)
    assert_allclose(found.scaled.mean(axis=0), 0.0, atol=1e-9)
    products, turn = found.scaled @ found.scaled.T, np.linalg.qr(x[:12])[0]
    for moved in (1e-3 * x, 1e3 * x, x + 10.0, x @ turn):
        again = replace(before, scaled=moved).in_units_of_clusters(rows, labels[rows])
        assert_allclose(again.scaled @ again.scaled.T, products, atol=1e-5 * products.max())
        assert_allclose(np.abs(again.scaled[:, :2]), np.abs(found.scaled[:, :2]), atol=1e-4)


@pytest.mark.slow
def test_all_scores_of_some_columns_and_the_first_of_many():
    x, _ = correlated(0, n_columns=30, n_samples=600)
    assert found_in_all(x).scaled.shape == (600, 30)
    many, labels = correlated(0, n_columns=45, n_samples=600, strength=0.0, distance=0.0)
    many[:, :3] *= 4.0
    many[:, 3:6] += 6.0 * np.eye(3)[labels]
    assert found_in_all(many).scaled.shape == (600, 20)
    assert asked(np.hstack([many, many[:, 25:]])) == 3


@pytest.mark.parametrize("seed", some_slow(range(3), [1]))
def test_where_first_scores_show_clusters_the_plan_stays(seed):
    assert asked(correlated(seed, strength=0.0, distance=8.0)[0]) == 3
    assert asked(np.random.RandomState(seed).normal(size=(N_SAMPLES, N_COLUMNS))) == 3


@pytest.mark.parametrize(
    "other",
    [
        {"layouts": (None, (("gaussian", 1),))},
        {"views": ("edges", None)},
        {"experts": [None, object()]},
        {"shape": (5, 1)},
        {"shape": (60,)},
        {"node_sizes": (3, 5, 5)},
        {"latent_dim": 11},
    ],
)
def test_only_tables_of_numbers_are_asked(other):
    assert asked(correlated(0)[0], **other) == other.get("latent_dim", 3)


@pytest.mark.slow
def test_curves_are_not_asked():
    """What neighbours have in common is much, and no noise."""
    rng = np.random.RandomState(0)
    labels, t = rng.randint(2, size=N_SAMPLES), np.linspace(0.0, 1.0, 16)
    x = np.empty((N_SAMPLES, 20))
    x[:, :4] = 0.1 * rng.normal(size=(N_SAMPLES, 4)) + labels[:, None]
    bends = rng.normal(size=(N_SAMPLES, 6)) @ np.cos(np.pi * np.outer(np.arange(6), t))
    x[:, 4:] = 0.3 * bends + 0.1 * rng.normal(size=(N_SAMPLES, 16))
    shuffled = np.concatenate([x[:, :4], x[:, 4 + rng.permutation(16)]], axis=1)
    assert asked(shuffled, width=4, node_sizes=(2,)) == 20
    assert asked(x, width=4, node_sizes=(2,)) == 3


def test_samples_must_be_many_and_whole():
    x, _ = correlated(0)
    assert asked(x[: 10 * N_COLUMNS - 1]) == 3
    observed = torch.ones(2, N_SAMPLES, dtype=torch.bool)
    assert asked(x, observed) == N_COLUMNS
    observed[1, 10 * N_COLUMNS - 1 :] = False
    assert asked(x, observed) == 3
    observed[0, : 10 * N_COLUMNS - 1] = False
    assert asked(x, observed) == 3  # none is whole


def test_levels_are_no_clusters():
    """Clusters of zeros and ones, or of what rounding leaves of a sum, would beat all others."""
    x, _ = correlated(0)
    x[:, 3] = x[:, 3] > 0
    assert asked(x) == 3
    rounded, _ = correlated(0)
    rounded[:, 0] = np.round(rounded[:, 1:].sum(axis=1), 1) - rounded[:, 1:].sum(axis=1).round(2)
    rounded[:, 0] = rounded[:, 0].round(2)
    assert asked(rounded) == 3


@pytest.mark.parametrize("seed", some_slow(range(3), [1]))
def test_tails_are_no_clusters(seed):
    """They are more probable than one Gaussian, in all scores most of all."""
    assert asked(np.exp(np.random.RandomState(seed).normal(size=(500, N_COLUMNS)))) == 3


def test_evidence_is_that_of_densities_less_parameters():
    """Two clusters that are apart: the mixture's maximum is known to what overlaps."""
    rng = np.random.RandomState(0)
    labels = np.repeat([0, 1], [60, 140])
    x = rng.normal(size=(200, 2)) + np.outer(labels, [20.0, 0.0])
    means = np.array([x[labels == k].mean(axis=0) for k in (0, 1)])
    within = (x - means[labels]).T @ (x - means[labels]) / 200
    one = multivariate_normal(x.mean(axis=0), np.cov(x.T, bias=True)).logpdf(x).sum()
    two = np.log([0.3, 0.7])[labels].sum()
    two += sum(
        multivariate_normal(m, within).logpdf(x[labels == k]).sum() for k, m in enumerate(means)
    )
    expected = two - one - 1.5 * np.log(200)
    found, clusters = evidence_of_clusters(x, 2, seed=0)
    assert_allclose(found, expected, atol=0.5)
    assert adjusted_rand_score(labels, clusters) == 1.0


@pytest.mark.filterwarnings("error")
def test_evidence_knows_no_units_and_no_clusters_of_noise():
    """A column that never varies costs its parameters, one for each cluster but the first."""
    x, _ = correlated(0, n_columns=3)
    first, labels = evidence_of_clusters(x, 3, seed=0)
    for scale in (1e-9, 1e9):
        other, again = evidence_of_clusters(scale * x, 3, seed=0)
        assert_allclose(other, first, rtol=1e-6)
        assert adjusted_rand_score(labels, again) == 1.0
    wider = evidence_of_clusters(np.column_stack([x, np.zeros(len(x))]), 3, seed=0)[0]
    assert_allclose(first - wider, np.log(N_SAMPLES), atol=0.01)
    uniform = np.random.RandomState(0).uniform(size=(300, 4))  # of which EM is not done in time
    assert evidence_of_clusters(uniform, 8, seed=0)[0] < 0


@pytest.mark.parametrize(
    ("of_first", "of_all", "expected"),
    [
        (0.0, 5.0, False),
        (0.0, 5.1, True),
        (1000.0, 1104.0, False),  # a tenth more, and 5 nats
        (1000.0, 1106.0, True),
        (-1000.0, -996.0, False),
        (-1000.0, -994.0, True),
    ],
)
def test_all_scores_must_speak_clearly_more_for_clusters(monkeypatch, of_first, of_all, expected):
    x, labels = correlated(0, strength=0.0, distance=20.0)
    told = {3: (of_first, labels), N_COLUMNS: (of_all, labels)}
    monkeypatch.setattr(
        latent_space, "evidence_of_clusters", lambda scores, *of: told[scores.shape[1]]
    )
    assert (asked(x) > 3) is expected


def looked_at(monkeypatch, x, **spec):
    """Return the scores whose clusters are compared, the first and all; None if none are."""
    looked = [None]
    monkeypatch.setattr(latent_space, "_hidden_clusters", lambda *of: looked.append(of[:2]))
    asked(x, **spec)
    return looked[-1]


def test_what_is_asked_ends_where_it_is_said_to(monkeypatch):
    """All rows of few, and at most as many clusters, columns and scores as have room."""
    x = np.random.RandomState(0).normal(size=(900, 65))
    first, points = looked_at(monkeypatch, x[:100, :10])  # ten rows for each score
    assert first.shape == (100, 3)
    assert_allclose(first, scores_of(x[:100, :10]).scaled[:, :3])
    assert points.shape == (100, 10)
    assert looked_at(monkeypatch, x[:, :10], latent_dim=9) is not None
    assert looked_at(monkeypatch, x[:, :10], node_sizes=(64,)) is not None
    assert looked_at(monkeypatch, x[:, :10], node_sizes=(65,)) is None
    assert looked_at(monkeypatch, x[:, :64])[1].shape[1] == 20
    assert looked_at(monkeypatch, x) is None
    assert looked_at(monkeypatch, x[:, :40])[1].shape[1] == 40
    assert looked_at(monkeypatch, x[:, :41])[1].shape[1] == 20


@pytest.mark.parametrize(("n_wrong", "expected"), [(0, False), (2, False), (8, True)])
def test_classes_are_told_better_where_discriminants_of_more_samples_are_right(n_wrong, expected):
    """By one of a hundred samples, and the other way round never."""
    labels = np.arange(400) % 2
    points = labels + 0.1 * np.random.RandomState(0).uniform(-1.0, 1.0, size=400)
    worse = points.copy()
    worse[:n_wrong] = 1.0 - points[:n_wrong]
    assert _are_told_better(points[:, None], worse[:, None], labels) is expected
    assert not _are_told_better(worse[:, None], points[:, None], labels)
    assert not _are_told_better(points[:, None], worse[:, None], np.zeros(400))


def of_classes(x, together=True):
    """Return the dimension of a table of these numbers and a word, for which three are planned."""
    word = np.eye(2)[np.arange(len(x)) % 2]
    columns = TableColumns(indicators=word, first=np.array([0]), numbers=x, together=together)
    data = TensorData(Batch((torch.as_tensor(np.hstack([x, word[:, :1]])),), None), torch.float64)
    room = with_room_for_classes(3, data, scores_of(x, columns=columns), 3, seed=0)
    return 3 if room is None else room[1]


@pytest.mark.parametrize("seed", some_slow(range(3), [1]))
def test_beside_words_there_is_a_dimension_more_for_each_number_where_scores_hide_classes(seed):
    hidden, _ = correlated(seed)
    assert of_classes(hidden) == N_COLUMNS + 1  # and no more than there are scores
    assert of_classes(hidden, together=False) == 3
    assert with_room_for_classes(3, None, scores_of(hidden), 3, seed=0) is None  # of no words
    shown, _ = correlated(seed, strength=0.0, distance=12.0)
    assert of_classes(shown) == 3


@pytest.mark.long
def test_fewer_rows_than_classes():
    z = np.random.RandomState(0).normal(size=(25, 1))
    frame = pd.DataFrame(
        {
            "a": z[:, 0],
            "b": 0.1 * np.arange(25) % 0.7 + z[:, 0],
            "word": ["x", "y", "z", "x", "y"] * 5,
        }
    )
    est = CausalPIMA(30, max_iter=1, random_state=0).fit(frame, sample_weight=np.full(25, 2.0))
    assert est.labels_.max() < 30


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, *(pytest.param(k, marks=pytest.mark.long) for k in (1, 2))])
@pytest.mark.short_fits
def test_fits_find_classes_beside_words(seed):
    x, labels = correlated(seed)
    word = np.random.RandomState(seed).choice(["yes", "no"], size=len(x))
    frame = pd.DataFrame(x).rename(columns=str).assign(word=word)
    est = CausalPIMA(3, random_state=seed).fit(frame)
    assert adjusted_rand_score(labels, est.labels_) > 0.9


@pytest.mark.slow
@pytest.mark.parametrize(
    ("seed", "n_columns"),
    [
        (0, N_COLUMNS),
        *(pytest.param(s, n, marks=pytest.mark.long) for s, n in [(1, N_COLUMNS), (2, 40)]),
    ],
)
def test_fits_find_clusters_that_first_scores_do_not_show(seed, n_columns):
    x, labels = correlated(seed, n_columns=n_columns, n_samples=30 * n_columns)
    est = CausalPIMA(3, random_state=seed).fit(x)
    assert est.latent_dim_ == n_columns
    assert adjusted_rand_score(labels, est.labels_) > 0.95


@pytest.mark.slow
def test_folds_begin_where_clusters_show():
    x, labels = correlated(0)
    estimator = CausalPIMA(3, random_state=0)
    split = np.arange(200), np.arange(200, N_SAMPLES)
    (fold,) = start_folds(estimator, x, HeldOut.splits(Units(N_SAMPLES), [split]).parts)
    assert adjusted_rand_score(labels, fold.cells[:, 0]) > 0.95
