"""Latent classes: an EM written out, classes that are there, and what is missing."""

import numpy as np
import pytest
from scipy.special import logsumexp
from sklearn.metrics import adjusted_rand_score

from skcausalpima._clustering.candidates import find_candidates
from skcausalpima._clustering.latent_classes import Outcomes, latent_classes


def drawn(seed=0, n=400, n_columns=10, n_outcomes=3):
    """Return outcomes of three classes, and the classes."""
    rng = np.random.default_rng(seed)
    classes = rng.integers(3, size=n)
    tables = rng.dirichlet(0.5 * np.ones(n_outcomes), size=(3, n_columns))
    cells = np.array([[rng.choice(n_outcomes, p=of) for of in tables[c]] for c in classes])
    indicators = np.concatenate([np.eye(n_outcomes)[column] for column in cells.T], axis=1)
    return Outcomes(indicators=indicators, first=n_outcomes * np.arange(n_columns)), classes


def test_classes_that_are_there_are_found():
    outcomes, classes = drawn()
    found = latent_classes(outcomes, outcomes.indicators, 3, random_state=0, n_starts=5)
    assert adjusted_rand_score(classes, found[0].labels) > 0.9


def test_responsibilities_are_those_of_their_own_tables():
    outcomes, _ = drawn()
    (found,) = latent_classes(outcomes, outcomes.indicators, 3, random_state=1)
    margins = outcomes.tables(outcomes.indicators.sum(axis=0)[:, None] + 1.0)
    tables = outcomes.tables(outcomes.indicators.T @ found.responsibilities + margins)
    np.testing.assert_allclose(np.add.reduceat(tables, outcomes.first, axis=0), 1.0)
    logs = np.zeros_like(found.responsibilities)
    for first in outcomes.first:
        cells = outcomes.indicators[:, first : first + 3].argmax(axis=1)
        logs += np.log(tables[first + cells])
    logs += np.log(found.responsibilities.mean(axis=0))
    shares = np.exp(logs - logsumexp(logs, axis=1, keepdims=True))
    np.testing.assert_allclose(shares, found.responsibilities, atol=0.01)  # EM has ended


def test_what_is_missing_drops_out():
    outcomes, classes = drawn(n=600)
    rng, gaps = np.random.default_rng(1), outcomes.indicators.copy()
    for first in outcomes.first:
        gaps[rng.random(len(gaps)) < 0.2, first : first + 3] = 0.0
    gaps[0] = 0.0
    part = Outcomes(indicators=gaps, first=outcomes.first)
    found = latent_classes(part, gaps, 3, random_state=0, n_starts=5)[0]
    assert adjusted_rand_score(classes, found.labels) > 0.75
    np.testing.assert_allclose(
        found.responsibilities[0], found.responsibilities.mean(axis=0), atol=0.01
    )


@pytest.mark.parametrize("sizes", [(3,), (2, 2)])
def test_they_are_among_the_candidates(sizes):
    outcomes, _ = drawn()
    rows, points = np.arange(300), outcomes.indicators - outcomes.indicators.mean(axis=0)
    found = find_candidates(points, sizes, random_state=0, outcomes=outcomes, rows=rows)
    own = [of for of in found if of.source == "latent classes of 10 columns"]
    assert own
    assert all(of.responsibilities.shape == (400, np.prod(sizes)) for of in own)
