"""Fits of few samples ask draws of theirs whether these show the cells again."""

import warnings
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.cluster import KMeans

from skcausalpima import CausalPIMA
from skcausalpima._fit import few_samples
from skcausalpima._held_out.fits import is_one_of_many
from skcausalpima.exceptions import InstabilityWarning
from skcausalpima.inspection import table_intervals


@pytest.fixture(autouse=True)
def asked(few_repetitions, monkeypatch):
    """Ask as users' fits do, which other tests do not."""
    address = "_fit.few_samples.FEW_SAMPLES"
    monkeypatch.setattr(f"skcausalpima.{address}", few_repetitions[address])


def table(n_samples, distance, seed=0):
    """Return a table of two binary factors, and these."""
    rng = np.random.default_rng(seed)
    nodes = rng.integers(2, size=(n_samples, 2))
    x = rng.normal(size=(n_samples, 6))
    x[:, :2] += distance * nodes
    return x, nodes


def fitted(X, sizes=(2, 2), /, fit=None, **parameters):
    """Return a short fit."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InstabilityWarning)
        return CausalPIMA(sizes, max_iter=5, random_state=0, **parameters).fit(X, **fit or {})


@pytest.fixture(scope="module")
def clear():
    return table(80, 6.0)


def test_clear_cells_are_found_again(clear):
    again = fitted(clear[0]).found_again_
    assert again.found
    assert again.n_samples == again.enough_samples == 80
    assert len(again.agreement) == 10


def test_cells_of_noise_are_not_and_a_warning_says_so():
    X = np.random.default_rng(0).normal(size=(40, 6))
    told = pytest.warns(InstabilityWarning, match=r"\[no-clusters\]")
    with told as warned:
        est = CausalPIMA((2, 2), max_iter=5, random_state=0).fit(X)
    assert len(warned) == 1  # that other starts differ is no news
    assert not est.found_again_.found
    assert est.report().verdict == "alarmed"
    assert "No clusters" in est.report().advice[0]
    assert "samples that would do" in str(est.report(detail="full"))
    with pytest.warns(InstabilityWarning, match="so are these intervals"):
        table_intervals(est, X, n_draws=10, random_state=0)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_cells_that_lie_apart_are_found_again_and_others_are_not(seed):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        apart, together = (
            CausalPIMA((2, 2), random_state=seed).fit(table(100, distance, seed)[0])
            for distance in (6.0, 1.5)
        )
    assert apart.found_again_.found
    assert not together.found_again_.found


def independent_samples(x, weights=None, core=None):
    """Return which rows are no copies of others, and the weight of each."""
    _, digests = np.unique(x, axis=0, return_inverse=True)
    modalities = SimpleNamespace(arrays=[x])
    samples = SimpleNamespace(modalities=modalities, weights=weights, rows=None)
    core = np.arange(len(x)) if core is None else core
    return few_samples._independent_samples(samples, digests.ravel(), core)


def test_copies_share_the_mean_of_their_weights_in_any_order():
    """But where so few rows are possible that equal ones come by chance."""
    rng = np.random.default_rng(0)
    whole, numbers = rng.normal(size=(30, 3)), rng.permutation(np.repeat(np.arange(30), 3))
    weights = rng.uniform(0.5, 2.0, 90)
    x, core = whole[numbers], np.flatnonzero(rng.random(90) < 0.8)
    rows, found = independent_samples(x, weights, core)
    assert set(rows) <= {*core}
    assert_array_equal(np.unique(numbers[rows], return_counts=True)[1], 1)
    assert {*numbers[rows]} == {*numbers[core]}
    means = [weights[core][numbers[core] == number].mean() for number in numbers[rows]]
    assert_allclose(found, means)
    assert_allclose(independent_samples(x)[1], 1.0)
    bits = rng.integers(2, size=(40, 10)).astype(float)  # 1024 rows are possible, for 40 x 40
    bits[1] = bits[0]
    assert_array_equal(independent_samples(bits)[0], np.arange(40))
    weights = np.arange(40) % 2.0
    rows, found = independent_samples(bits, weights)
    assert_array_equal(rows, np.arange(1, 40, 2))
    assert_array_equal(found, 1.0)
    few = bits[:30]  # for 30 x 30
    assert len(independent_samples(few)[0]) == len(np.unique(few, axis=0)) < 30


def test_rows_that_repeat_count_once(clear):
    X = np.repeat(clear[0][:40], 3, axis=0)
    once, thrice = (fitted(x).found_again_ for x in (clear[0][:40], X))
    assert once.n_samples == thrice.n_samples == 40


def test_unlike_weights_count_for_fewer_samples(clear):
    weights = np.r_[np.full(40, 9.0), np.ones(40)]
    again = fitted(clear[0], fit={"sample_weight": weights}).found_again_
    assert again.n_samples == round(weights.sum() ** 2 / np.square(weights).sum()) < 60


def test_what_samples_lack_and_what_is_known_of_them_goes_with_the_draws(clear):
    X, nodes = clear
    parts = [X[:, :3].copy(), X[:, [1, 3, 4, 5]].copy()]
    parts[1][:8] = np.nan
    parts[0][10:14, 1] = np.nan
    known = np.where(np.arange(80)[:, None] < 10, nodes, -1)
    again = fitted(parts, fit={"known_nodes": known}).found_again_
    assert again is not None
    assert again.n_samples <= 80


def test_draws_do_not_change_the_fit(clear, monkeypatch):
    with_question = fitted(clear[0])
    monkeypatch.setattr(few_samples, "FEW_SAMPLES", 0)
    without = fitted(clear[0])
    assert without.found_again_ is None
    np.testing.assert_array_equal(with_question.cluster_means_, without.cluster_means_)


def test_many_samples_and_other_starts_are_not_asked(clear):
    many = table(300, 6.0)[0]
    assert fitted(many).found_again_ is None
    assert fitted(clear[0], init="paper").found_again_ is None
    token = is_one_of_many.set(True)
    try:
        assert fitted(clear[0]).found_again_ is None
    finally:
        is_one_of_many.reset(token)


def test_what_cannot_be_drawn_is_not_asked(clear, monkeypatch):
    def not_finite(*args):
        return [np.full((80, 6), np.nan)]

    monkeypatch.setattr(few_samples, "drawn_data", not_finite)
    assert fitted(clear[0]).found_again_ is None


def test_it_is_saved_and_kept(clear, tmp_path):
    est = fitted(clear[0], warm_start=True)
    est.save(tmp_path / "model")
    again = CausalPIMA.load(tmp_path / "model").found_again_
    np.testing.assert_array_equal(again.agreement, est.found_again_.agreement)
    assert est.fit(clear[0]).found_again_ is est.found_again_


def test_equal_rows_of_few_values_are_no_copies():
    """Of six columns of zeros and ones 62 rows are possible that differ."""
    rng = np.random.default_rng(1)
    nodes = rng.integers(2, size=(400, 2))
    x = np.repeat(nodes, 3, axis=1)
    x = np.where(rng.random(x.shape) < 0.05, 1 - x, x).astype(float)
    assert fitted(x).found_again_ is None
    assert fitted(x[:200]).found_again_.n_samples == 200


def test_copies_of_one_row_count_once(clear):
    copies = np.vstack([clear[0], np.repeat(clear[0][:1], 20, axis=0)])
    assert fitted(copies).found_again_.n_samples == 80


def test_clusters_that_another_estimator_finds_are_not_sought_in_draws(clear):
    assert fitted(clear[0], init=KMeans(4)).found_again_ is None


@pytest.mark.short_fits
@pytest.mark.slow
def test_weights_that_leave_hardly_a_sample_find_nothing(clear):
    weights = np.ones(80)
    weights[0] = 1e6
    again = fitted(clear[0], fit={"sample_weight": weights}).found_again_
    assert again is None or not again.found
