"""Latent classes: a fixed point of EM, classes that are there, numbers, and what is missing."""

import numpy as np
import pytest
from scipy.special import logsumexp
from scipy.stats import norm
from sklearn.metrics import adjusted_rand_score

from skcausalpima._clustering.candidates import find_candidates
from skcausalpima._clustering.latent_classes import IndependentColumns, latent_classes


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
    return IndependentColumns(indicators=indicators, first=first, numbers=numbers), classes


def with_gaps(columns, seed=1, rate=0.2):
    """Return columns that lack a fifth, and all of the first sample."""
    rng, indicators = np.random.default_rng(seed), columns.indicators.copy()
    for first in columns.first:
        indicators[rng.random(len(indicators)) < rate, first : first + 3] = 0.0
    numbers = np.where(rng.random(columns.numbers.shape) < rate, np.nan, columns.numbers)
    indicators[0], numbers[0] = 0.0, np.nan
    return IndependentColumns(indicators=indicators, first=columns.first, numbers=numbers)


def test_classes_that_are_there_are_found():
    columns, classes = drawn()
    found = latent_classes(columns, columns.indicators, 3, random_state=0, n_starts=5)
    assert adjusted_rand_score(classes, found[0].labels) > 0.9


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
    columns = IndependentColumns(
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
    columns = IndependentColumns(
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
    found = find_candidates(points, sizes, random_state=0, columns=columns, rows=rows)
    own = [of for of in found if of.source == "latent classes of 10 columns"]
    assert own
    assert all(of.responsibilities.shape == (400, np.prod(sizes)) for of in own)
