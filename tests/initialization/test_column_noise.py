"""Tables whose columns have unlike noise: each in units of its own, where one would merge cells."""

from functools import partial

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.metrics import adjusted_rand_score
from some_slow import each_once, some_slow

from skcausalpima import CausalPIMA
from skcausalpima._initialization import rivals
from skcausalpima._initialization.column_noise import LEAST_SPREAD, unlike_spreads, unlike_units

pytestmark = pytest.mark.usefixtures("all_repetitions")


def table(rng, n_samples=400, n_columns=8, distance=6.0):
    """Return a standardised table, two of whose columns show two nodes, and the cells."""
    outcomes = rng.randint(2, size=(n_samples, 2))
    columns = rng.normal(size=(n_samples, n_columns))
    columns[:, :2] += distance * outcomes
    columns = (columns - columns.mean(axis=0)) / columns.std(axis=0)
    return columns, outcomes @ [2, 1]


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.long)])
def test_columns_without_news_do_not_hide_the_others(quick, seed):
    X, cells = table(np.random.RandomState(seed))
    soon = partial(quick, random_state=seed, max_iter=1, structure="gradient")
    est = soon().fit(X)
    assert est.choices_.scale == {"modality0": "noise"}
    assert adjusted_rand_score(cells, est.labels_) > 0.95
    one = soon(scale="modality", latent_dim=est.latent_dim_).fit(X)
    assert adjusted_rand_score(cells, one.labels_) < 0.8


def test_spreads_are_those_within_true_clusters():
    X, cells = table(np.random.RandomState(3), n_samples=1500, distance=8.0)
    residuals = X.copy()
    for cell in range(4):
        residuals[cells == cell] -= X[cells == cell].mean(axis=0)
    expected = residuals.std(axis=0)
    [found] = unlike_spreads([X], [np.ones(X.shape)], 4, seed=0)
    assert_allclose(found, expected / np.sqrt(np.mean(expected**2)), rtol=0.02)


@pytest.mark.slow
def test_tables_are_seen_together(quick):
    rng = np.random.RandomState(10)
    X, cells = table(rng, n_samples=500, n_columns=14, distance=7.0)
    tables = [X[:, [0, *range(2, 8)]], X[:, [1, *range(8, 14)]]]
    est = quick(max_iter=10).fit(tables)
    assert set(est.choices_.scale.values()) == {"noise"}
    assert adjusted_rand_score(cells, est.labels_) > 0.95


def test_missing_elements_do_not_count():
    rng = np.random.RandomState(4)
    X, _ = table(rng, n_samples=1500, distance=8.0)
    seen = (rng.uniform(size=X.shape) > 0.1).astype(float)
    filled = np.where(seen > 0, X, np.where(X > 0, 0.5, -0.5))  # about where the others are
    [whole] = unlike_spreads([X], [np.ones(X.shape)], 4, seed=0)
    [part] = unlike_spreads([filled], [seen], 4, seed=0)
    assert_allclose(part, whole, rtol=0.1)


def test_one_noise_stays_where_it_is_enough():
    rng = np.random.RandomState(5)
    like = 5.0 * rng.randint(2, size=(400, 1)) + rng.normal(size=(400, 6))
    for values in (like - like.mean(axis=0), np.zeros((400, 6)), like[:15], like[:0]):
        assert unlike_spreads([values], [np.ones(values.shape)], 2, seed=0) is None


@pytest.mark.parametrize(
    ("shape", "n_clusters"), each_once(["normal", "uniform", "standard_t"], [2, 3, 4])
)
def test_pieces_of_one_cluster_have_no_say(shape, n_clusters):
    for seed in range(5):
        rng = np.random.RandomState(seed)
        draw = {"normal": rng.normal, "uniform": rng.uniform}.get(shape)
        values = rng.standard_t(4, size=(300, 5)) if draw is None else draw(size=(300, 5))
        values = (values - values.mean(axis=0)) / values.std(axis=0)
        assert unlike_spreads([values], [np.ones(values.shape)], n_clusters, seed) is None


def test_a_column_that_is_a_node_has_a_least_spread():
    X, cells = table(np.random.RandomState(6))
    X[:, 0] = np.where(cells >= 2, 1.0, -1.0)
    [found] = unlike_spreads([X], [np.ones(X.shape)], 4, seed=0)
    assert found[0] == LEAST_SPREAD
    assert np.isfinite(found).all()


@pytest.mark.long
def test_scores_and_outputs_stay_in_the_units_of_the_data():
    X, _ = table(np.random.RandomState(7))
    params = {"node_sizes": (2, 2), "random_state": 0, "max_iter": 20}
    first = CausalPIMA(**params).fit(X)
    assert first.choices_.scale == {"modality0": "noise"}
    other = CausalPIMA(**params).fit(10.0 * X + 3.0)
    assert_allclose(
        first.score(X) - X.shape[1] * np.log(10.0), other.score(10.0 * X + 3.0), atol=0.05
    )
    assert_allclose(first.reconstruct(X).mean(axis=0), X.mean(axis=0), atol=0.1)


@pytest.mark.parametrize(
    "params",
    some_slow(
        [{"scale": "modality"}, {"scale": "feature"}, {"decoder_variance": 0.1}, {"init": "paper"}],
        [],
    ),
)
def test_what_is_stated_stays(quick, params):
    X, _ = table(np.random.RandomState(8), n_samples=200)
    est = quick(max_iter=1, structure="gradient", **params).fit(X)
    assert est.choices_.scale["modality0"] != "noise"


@pytest.mark.long
def test_a_fit_that_goes_on_keeps_its_units():
    X, _ = table(np.random.RandomState(9))
    est = CausalPIMA(node_sizes=(2, 2), random_state=0, max_iter=10, warm_start=True).fit(X)
    before = est.transform(X)
    est.set_params(max_iter=1).fit(X)
    assert est.choices_.scale == {"modality0": "noise"}
    assert_allclose(est.transform(X), before, atol=0.5)
    est.partial_fit(X[:50])
    assert est.choices_.scale == {"modality0": "noise"}


def skewed_table(seed):
    """Return exponentials of a table of two nodes, which vary unlike, though not by powers of ten.

    Neither the rule for raw units fires (``scale="auto"``), nor do clusters tell the noise.
    """
    rng = np.random.RandomState(seed)
    outcomes = rng.randint(2, size=(600, 2))
    effects = rng.normal(size=(2, 12))
    effects *= 5.0 / np.linalg.norm(effects, axis=1)[:, None]
    X = outcomes @ effects + rng.normal(size=(600, 12))
    return np.exp(0.9 * (X - X.mean()) / X.std()), outcomes @ [2, 1]


@pytest.mark.parametrize("seed", [1, *(pytest.param(s, marks=pytest.mark.long) for s in (5, 7))])
def test_columns_that_vary_unlike_are_standardised_where_clusterings_agree(
    quick, monkeypatch, seed
):
    X, cells = skewed_table(seed)
    soon = partial(quick, random_state=seed, max_iter=1, structure="gradient")
    est = soon().fit(X)
    assert est.choices_.scale == {"modality0": "feature"}
    assert adjusted_rand_score(cells, est.labels_) > 0.85
    monkeypatch.setattr(rivals, "unlike_units", lambda *of: None)
    one = soon(latent_dim=2).fit(X)  # with more room clusters may be found all the same
    assert one.choices_.scale == {"modality0": "modality"}
    assert adjusted_rand_score(cells, one.labels_) < 0.5


def test_units_are_standard_deviations():
    rng = np.random.RandomState(0)
    X = rng.normal(size=(500, 5)) * [1.0, 2.0, 0.5, 3.0, 0.0]
    X -= X.mean(axis=0)
    seen = rng.uniform(size=X.shape) > 0.2
    [found] = unlike_units([np.where(seen, X, 7.0)], [seen.astype(float)])
    expected = [np.sqrt(np.mean(X[of, k] ** 2)) for k, of in enumerate(seen.T)]
    assert_allclose(found, np.where(np.arange(5) < 4, expected, 1.0))
    alike = X[:, :1] + rng.normal(size=(500, 4))
    assert unlike_units([alike], [np.ones(alike.shape)]) is None
    rare = np.zeros((1000, 2))
    rare[0, 0], rare[:, 1] = 1.0, 3.0 * (-1.0) ** np.arange(1000)
    assert unlike_units([rare], [np.ones(rare.shape)])[0][0] == 1.0 / 20.0
