"""Which candidates the start speaks for."""

import math

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.mixture import GaussianMixture

from skcausalpima import BackgroundKnowledge, CausalPIMA
from skcausalpima._base.scikit_learn import num_samples
from skcausalpima._data.validation import as_container
from skcausalpima._held_out.units import Units
from skcausalpima.model_selection._proposals import ScoredGrid, products, proposed


def proposals(estimator, X, n_training, groups=None):
    X = as_container(X)
    return proposed(estimator, X, n_training, Units.of(groups, num_samples(X)))


def cube(n_samples, rng):
    """Return samples of three binary factors, one modality, and factors."""
    factors = rng.integers(2, size=(n_samples, 3))
    effects = 8 * np.linalg.qr(rng.normal(size=(6, 3)))[0].T
    return rng.normal(size=(n_samples, 6)) + factors @ effects, factors


def test_products():
    assert products(7) == []
    assert products(24) == [(2, 2, 2, 3), (2, 2, 6), (2, 3, 4), (2, 12), (3, 8), (4, 6)]
    assert all(math.prod(sizes) == 36 for sizes in products(36))


def test_grids_that_fit_come_before_finer_ones_that_do_not():
    good, vague, poor = (ScoredGrid((2, 2, 2), *of) for of in [(1.0, 2), (0.8, 2), (1.0, 1.1)])
    assert good.score > max(vague.score, poor.score)
    assert good.score > ScoredGrid((2, 4), 1.0, 9.0).score


@pytest.mark.long
def test_kinds_without_structure_and_grids():
    rng = np.random.default_rng(0)
    kinds = rng.normal(size=(100, 8)) + 9 * np.eye(8)[rng.integers(5, size=100)]
    assert (5,) in proposals(CausalPIMA(random_state=0), kinds, 80)
    X, _ = cube(300, rng)
    found = proposals(CausalPIMA(random_state=0), X, 240)
    assert {(2, 2, 2), (8,)} <= set(found)  # a grid, and as many kinds
    assert len(found) <= 8
    assert found == sorted(found, key=lambda sizes: (math.prod(sizes), len(sizes)))


@pytest.mark.long
def test_columns_are_in_units_of_their_noise_where_fits_have_them_so():
    """One noise for all of ten columns, two of which show a node each, hides these."""
    rng = np.random.default_rng(0)
    columns = rng.normal(size=(300, 10))
    columns[:, :2] += 9.0 * rng.integers(2, size=(300, 2))
    columns = (columns - columns.mean(axis=0)) / columns.std(axis=0)
    assert (2, 2) not in proposals(CausalPIMA(scale="modality", random_state=0), columns, 240)
    assert (2, 2) in proposals(CausalPIMA(random_state=0), columns, 240)


def test_the_smallest_node_stands_for_noise():
    noise = np.random.default_rng(0).normal(size=(300, 10))
    assert proposals(CausalPIMA(random_state=0), noise, 240) == [(2,)]


@pytest.mark.slow
def test_what_is_stated_holds():
    X, _ = cube(120, np.random.default_rng(1))
    found = proposals(CausalPIMA({"a": 2, "b": 2}, random_state=0), X, 96)
    assert {len(sizes) for sizes in found} == {2}
    edges = BackgroundKnowledge(required=[("N1", "N2")])
    assert min(map(len, proposals(CausalPIMA(knowledge=edges, random_state=0), X, 96))) == 2
    assert proposals(CausalPIMA({"a": 2}, random_state=0), X, 3) in ([(2,)], [(2,), (3,)])


def test_what_nothing_can_be_proposed_for_is_told():
    X, _ = cube(60, np.random.default_rng(1))
    edges = BackgroundKnowledge(required=[("N1", "elsewhere")])
    with pytest.raises(ValueError, match=r"other parameters: pass candidates\. .*elsewhere"):
        proposals(CausalPIMA(knowledge=edges, random_state=0), X, 48)
    with pytest.raises(TypeError, match="pass some for GaussianMixture"):
        proposals(GaussianMixture(), X, 48)
    with pytest.raises(ValueError, match="'max_iter' parameter"):
        proposals(CausalPIMA(max_iter=-1), X, 48)


@pytest.mark.long
def test_the_same_seed_proposes_the_same_and_the_estimator_stays_as_it_was():
    X, _ = cube(100, np.random.default_rng(2))
    model = CausalPIMA(random_state=np.random.RandomState(0))
    state = model.random_state.get_state()[1].copy()
    first = proposals(model, X, 80)
    assert_array_equal(model.random_state.get_state()[1], state)
    with np.errstate(all="raise"):
        assert proposals(model, X, 80) == first
    assert not hasattr(model, "n_features_in_")


@pytest.mark.parametrize("n_samples", [2, 4, 20])
def test_few_samples_and_constants_have_an_answer(n_samples):
    for X in (np.random.default_rng(0).normal(size=(n_samples, 3)), np.ones((n_samples, 3))):
        found = proposals(CausalPIMA(random_state=0), X, n_samples)
        assert found
        assert max(math.prod(sizes) for sizes in found) <= n_samples


def test_repeats_speak_for_no_more_kinds_than_their_groups():
    """Rows of a group lie together: parts that split groups agree on these."""
    rng = np.random.default_rng(0)
    group = np.repeat(np.arange(20), 5)
    X = 4 * rng.normal(size=(20, 4))[group] + 0.3 * rng.normal(size=(100, 4))
    of_rows, of_groups = (
        {math.prod(sizes) for sizes in proposals(CausalPIMA(random_state=0), X, n, groups)}
        for n, groups in [(80, None), (16, group)]
    )
    assert max(of_groups) < max(of_rows)
