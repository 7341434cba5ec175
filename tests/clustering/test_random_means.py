"""Means of random orientation, and many sets of means laid on a grid at once."""

import itertools
import math

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skcausalpima._clustering.arrangement import arrange
from skcausalpima._clustering.placements import make_problem, misfits_of
from skcausalpima._clustering.random_means import lay, random_means


def test_draws_have_the_principal_variances_of_the_means_and_no_preferred_direction():
    means = np.random.RandomState(0).normal(size=(6, 3)) * [5.0, 2.0, 1.0]
    drawn = random_means(means, 400, np.random.RandomState(1))
    expected = np.linalg.svd(means - means.mean(axis=0), compute_uv=False)
    assert_allclose(np.linalg.svd(drawn, compute_uv=False), np.tile(expected, (400, 1)))
    assert_allclose(drawn.sum(axis=1), 0, atol=1e-9)
    # of the first direction every cluster has the same share, within six standard errors
    shares = np.square(drawn[:, :, 0] / expected[0])
    assert_allclose(shares.mean(axis=0), 1 / 6, atol=6 * shares.std() / 20)


def test_fewer_clusters_than_features_have_one_direction_less_than_clusters():
    means = np.random.RandomState(0).normal(size=(4, 9))
    assert random_means(means, 2, np.random.RandomState(0)).shape == (2, 4, 3)


@pytest.mark.parametrize(
    ("sizes", "n_clusters"), [((2, 2), 4), ((2, 3), 6), ((2, 2, 2), 8), ((2, 3), 5), ((2, 2), 3)]
)
def test_small_grids_are_laid_as_arrange_lays_each(monkeypatch, sizes, n_clusters):
    monkeypatch.setattr(
        "skcausalpima._clustering.random_means.BLOCK_ELEMENTS", 100
    )  # of a few arrangements
    rng = np.random.RandomState(0)
    drawn = random_means(rng.normal(size=(n_clusters, 4)), 20, rng)
    cells, explained = lay(drawn, sizes, rng)
    for means, placed, part in zip(drawn, cells, explained, strict=True):
        total = np.square(means).sum()
        found = arrange(means, np.ones(n_clusters), sizes)
        assert_allclose(1 - part / total, found.misfit, atol=1e-12)
        problem = make_problem(means, sizes)
        assert_allclose(misfits_of(placed[None], problem), found.misfit, atol=1e-12)


@pytest.mark.parametrize("sizes", [(2, 2, 3), (3, 4), (2, 2, 2, 2)])
def test_large_grids_end_where_no_swap_helps(sizes):
    rng = np.random.RandomState(0)
    n_cells = math.prod(sizes)
    drawn = random_means(rng.normal(size=(n_cells, 5)), 6, rng)
    cells, explained = lay(drawn, sizes, rng)
    for means, placed, part in zip(drawn, cells, explained, strict=True):
        assert_array_equal(np.sort(placed), np.arange(n_cells))
        problem = make_problem(means, sizes)
        misfit = misfits_of(placed[None], problem)[0]
        assert_allclose(1 - part / np.square(means).sum(), misfit, atol=1e-12)
        others = []
        for first, second in itertools.combinations(range(n_cells), 2):
            other = placed.copy()
            other[[first, second]] = other[[second, first]]
            others.append(other)
        assert misfits_of(np.array(others), problem).min() > misfit - 1e-9


def test_sums_are_found_on_a_large_grid():
    """Most are, and what a search by swaps does not find it misses by little."""
    outcomes, rng = np.array(list(np.ndindex(2, 2, 3))), np.random.RandomState(0)
    means = outcomes @ rng.normal(size=(50, 3, 6))
    means -= means.mean(axis=1, keepdims=True)
    _, explained = lay(means[:, rng.permutation(12)], (2, 2, 3), rng)
    shares = explained / np.square(means).sum(axis=(1, 2))
    assert (shares > 1.0 - 1e-9).mean() > 0.7
    assert shares.min() > 0.85


def test_large_grids_with_empty_cells_are_refused():
    with pytest.raises(ValueError, match="Expected 12 clusters, as many as cells, got 11"):
        lay(np.random.RandomState(0).normal(size=(2, 11, 3)), (2, 2, 3), np.random.RandomState(0))
