"""Latent classes: a fixed point of EM, classes that are there, numbers, and what is missing."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse
from scipy.special import logsumexp
from scipy.stats import multivariate_normal, norm
from sklearn.metrics import adjusted_rand_score
from sklearn.mixture import GaussianMixture
from some_slow import some_slow

from skcausalpima._clustering.candidates import propose_candidates
from skcausalpima._clustering.latent_classes import TableColumns, latent_classes, settled


def drawn(seed=0, n=400, n_columns=10, n_outcomes=3, n_numbers=0):
    """Return columns of three classes, and the classes."""
    rng = np.random.default_rng(seed)
    classes = rng.integers(3, size=n)
    tables = rng.dirichlet(0.5 * np.ones(n_outcomes), size=(3, n_columns))
    cells = np.array([[rng.choice(n_outcomes, p=of) for of in tables[c]] for c in classes])
    indicators = np.concatenate([np.eye(n_outcomes)[column] for column in cells.T], axis=1)
    means = rng.normal(scale=2.0, size=(3, n_numbers))
    numbers = 10.0 ** np.arange(n_numbers) * (means[classes] + rng.normal(size=(n, n_numbers)))
    first = n_outcomes * np.arange(n_columns)
    return TableColumns(indicators=indicators, first=first, numbers=numbers), classes


def with_gaps(columns, seed=1, rate=0.2):
    """Return columns that lack a fifth, and all of the first sample."""
    rng, indicators = np.random.default_rng(seed), columns.indicators.copy()
    for first in columns.first:
        indicators[rng.random(len(indicators)) < rate, first : first + 3] = 0.0
    numbers = np.where(rng.random(columns.numbers.shape) < rate, np.nan, columns.numbers)
    indicators[0], numbers[0] = 0.0, np.nan
    return TableColumns(indicators=indicators, first=columns.first, numbers=numbers)


def test_classes_that_are_there_are_found():
    columns, classes = drawn()
    found = latent_classes(columns, columns.indicators, 3, random_state=0, n_starts=5)
    assert adjusted_rand_score(classes, found[0].labels) > 0.9


@pytest.mark.parametrize("n_numbers", [0, 2])
def test_sparse_indicators_say_what_dense_ones_do(n_numbers):
    dense = with_gaps(drawn(n_numbers=n_numbers)[0])
    few = replace(dense, indicators=sparse.csr_array(dense.indicators))
    rows = np.arange(0, 400, 2)
    for some in (None, rows):
        options = {"random_state": 0, "n_starts": 2, "rows": some}
        for ours, theirs in zip(
            latent_classes(few, dense.indicators, 3, **options),
            latent_classes(dense, dense.indicators, 3, **options),
            strict=True,
        ):
            np.testing.assert_allclose(ours.responsibilities, theirs.responsibilities, atol=1e-9)


@pytest.mark.parametrize("n_numbers", [0, 2])
def test_responsibilities_are_those_of_their_own_densities(n_numbers):
    columns, _ = drawn(n_numbers=n_numbers)
    columns = with_gaps(columns)
    (found,) = latent_classes(columns, columns.indicators, 3, random_state=1)
    gamma = found.responsibilities
    margins = columns.tables(columns.indicators.sum(axis=0)[:, None] + 1.0)
    tables = columns.tables(columns.indicators.T @ gamma + margins)
    np.testing.assert_allclose(np.add.reduceat(tables, columns.first, axis=0), 1.0)
    logs = columns.indicators @ np.log(tables) + np.log(gamma.mean(axis=0))
    for column in columns.numbers.T:
        seen = ~np.isnan(column)
        values = (column[seen] - column[seen].mean()) / column[seen].std()
        counts = gamma[seen].sum(axis=0) + 1.0  # each class has one sample more, at 0
        means = gamma[seen].T @ values / counts
        squares = (gamma[seen] * np.square(values[:, None] - means)).sum()
        variance = (squares + np.sum(1.0 + np.square(means))) / counts.sum()
        logs[seen] += norm.logpdf(values[:, None], means, np.sqrt(variance))
    shares = np.exp(logs - logsumexp(logs, axis=1, keepdims=True))
    np.testing.assert_allclose(shares, gamma, atol=0.01)  # EM has ended
    np.testing.assert_allclose(gamma[0], gamma.mean(axis=0), atol=0.01)


def test_what_is_missing_drops_out():
    columns, classes = drawn(n=600)
    part = with_gaps(columns)
    found = latent_classes(part, part.indicators, 3, random_state=0, n_starts=5)[0]
    assert adjusted_rand_score(classes, found.labels) > 0.75


def test_a_rare_category_without_news_makes_no_class():
    rng = np.random.default_rng(0)
    classes = rng.integers(2, size=300)
    rare = rng.random(300) < 0.1
    columns = TableColumns(
        indicators=np.column_stack([rare, ~rare]).astype(float),
        first=np.array([0]),
        numbers=4.0 * classes[:, None] + rng.normal(size=(300, 1)),
    )
    found = latent_classes(columns, columns.numbers, 2, random_state=0, n_starts=5)[0]
    assert adjusted_rand_score(classes, found.labels) > 0.85


def test_a_number_of_few_values_weighs_no_more_than_a_word_would():
    # Without a least width the densities of both values would be as high as one likes.
    rng = np.random.default_rng(0)
    classes, values = rng.integers(2, size=400), rng.integers(2, size=400)
    columns = TableColumns(
        indicators=np.concatenate(
            [np.eye(2)[np.where(rng.random(400) < 0.95, classes, 1 - classes)] for _ in range(4)], 1
        ),
        first=2 * np.arange(4),
        numbers=values[:, None].astype(float),
    )
    np.testing.assert_allclose(columns.least_variances, 1.0 / 12.0)
    found = latent_classes(columns, columns.indicators, 2, random_state=0, n_starts=5)[0]
    assert adjusted_rand_score(classes, found.labels) > 0.9


@pytest.mark.parametrize("sizes", [(3,), (2, 2)])
def test_they_are_among_the_candidates(sizes):
    columns, _ = drawn()
    rows, points = np.arange(300), columns.indicators - columns.indicators.mean(axis=0)
    found = propose_candidates(points, sizes, random_state=0, columns=columns, rows=rows).all()
    own = [of for of in found if of.source == "latent classes of 10 columns"]
    assert own
    assert all(of.responsibilities.shape == (400, np.prod(sizes)) for of in own)


# --- numbers that vary together ----------------------------------------------------------------


def correlated(seed=0, n=400, n_numbers=5, strength=2.0):
    """Return two classes whose numbers vary together, beside a word without news."""
    rng = np.random.default_rng(seed)
    classes, word = rng.integers(2, size=n), rng.integers(2, size=n)
    mixing = np.eye(n_numbers) + strength * rng.normal(size=(n_numbers, n_numbers))
    effect = rng.normal(size=n_numbers)
    numbers = rng.normal(size=(n, n_numbers)) @ mixing
    numbers += 8.0 * effect / np.linalg.norm(np.linalg.solve(mixing.T, effect)) * classes[:, None]
    return TableColumns(indicators=np.eye(2)[word], first=np.array([0]), numbers=numbers), classes


@pytest.mark.parametrize("seed", some_slow(range(3), [1]))
def test_numbers_that_vary_together_are_a_mixture_with_one_covariance_matrix(seed):
    columns, classes = correlated(seed)
    found = settled(columns, 2, seed=0)
    assert found.together
    best = latent_classes(found, columns.numbers, 2, random_state=0, n_starts=10)[0]
    x = columns.numbers / columns.numbers.std(axis=0)
    gamma = best.responsibilities
    begun = {"means_init": gamma.T @ x / gamma.sum(axis=0)[:, None], "weights_init": gamma.mean(0)}
    expected = GaussianMixture(2, covariance_type="tied", **begun).fit_predict(x)
    assert adjusted_rand_score(expected, best.labels) == 1.0
    assert adjusted_rand_score(classes, best.labels) > 0.98


def test_responsibilities_are_those_of_a_gaussian_of_all_numbers():
    columns = replace(correlated(n=150)[0], together=True)
    (found,) = latent_classes(columns, columns.numbers, 2, random_state=0)
    gamma, x = found.responsibilities, columns.numbers
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    counts = gamma.sum(axis=0) + 1.0  # each class has one sample more, at 0
    means = gamma.T @ x / counts[:, None]
    products = x.T @ x * (1.0 + 2.0 / 150)
    covariance = (products - means.T @ (counts[:, None] * means)) / counts.sum()
    margins = columns.tables(columns.indicators.sum(axis=0)[:, None] + 1.0)
    tables = columns.tables(columns.indicators.T @ gamma + margins)
    logs = columns.indicators @ np.log(tables) + np.log(gamma.mean(axis=0))
    logs += np.stack([multivariate_normal(mean, covariance).logpdf(x) for mean in means], axis=1)
    shares = np.exp(logs - logsumexp(logs, axis=1, keepdims=True))
    np.testing.assert_allclose(shares, gamma, atol=0.01)  # EM has ended


@pytest.mark.parametrize("seed", range(3))
def test_numbers_are_independent_unless_classes_are_more_probable_otherwise(seed):
    columns, _ = drawn(seed, n_numbers=4)
    assert settled(columns, 3, seed=0) is columns


def test_sums_of_other_columns_have_no_density():
    columns, _ = correlated()
    summed = columns.numbers[:, :2].sum(axis=1, keepdims=True)
    for more, together in ((np.ones((400, 1)), True), (summed, False)):
        wider = replace(columns, numbers=np.hstack([columns.numbers, more]))
        assert settled(wider, 2, seed=0).together is together


def test_numbers_do_not_vary_together_where_samples_are_few_or_much_is_missing():
    columns, _ = correlated()
    assert settled(columns.take(np.arange(49)), 2, seed=0).together is False
    assert settled(columns.take(np.arange(50)), 2, seed=0).together is True
    for rate, together in ((0.05, True), (0.2, False)):
        gaps = np.random.default_rng(1).random(columns.numbers.shape) < rate
        part = replace(
            columns, numbers=np.where(gaps, np.nan, columns.numbers), filled=columns.numbers
        )
        found = settled(part, 2, seed=0)
        assert found.together is together
        np.testing.assert_array_equal(found.numbers, (columns if together else part).numbers)
