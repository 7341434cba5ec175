"""Clusters that parts of the samples agree on."""

import numpy as np
import pytest

from skcausalpima._clustering.found_again import agreed_kmeans, agreed_mixtures
from skcausalpima._held_out.units import Units


@pytest.fixture(scope="module")
def five():
    """Five clusters in three dimensions, and a column of nothing."""
    rng = np.random.default_rng(0)
    kinds = np.arange(250) % 5
    points = rng.normal(size=(250, 3)) + 8 * np.vstack([np.eye(3), -np.eye(3)])[kinds]
    return np.column_stack([points, np.zeros(250)]), kinds


def test_as_many_clusters_as_there_are_are_agreed_on(five):
    points, kinds = five
    found = agreed_mixtures(points, 8, np.random.RandomState(0), Units(len(points)))
    assert {n_dims for n_dims, _ in found} == {1, 2, 3}  # of the fourth there is nothing
    assert found[3, 5].agreement > 0.97
    assert found[3, 5].agreement > found[3, 3].agreement
    assert (3, 7) not in found  # isolated clusters are not cut to have so many
    pairs = np.unique(np.column_stack([found[3, 5].labels, kinds]), axis=0)
    assert len(pairs) == 5  # the clusters are the kinds
    means = agreed_kmeans(points, 8, np.random.RandomState(0), Units(len(points)))
    assert means[5].agreement > 0.97 > means[7].agreement


def test_noise_is_not_agreed_on():
    noise = np.random.default_rng(0).uniform(size=(400, 6))
    found = agreed_mixtures(noise, 6, np.random.RandomState(0), Units(len(noise)))
    assert max(of.agreement for (n_dims, _), of in found.items() if n_dims >= 3) < 0.6


@pytest.mark.parametrize("points", [np.ones((30, 3)), np.zeros((3, 2)), np.eye(2)[[0, 1] * 9]])
def test_what_cannot_be_clustered_is_left_out(points):
    for found in (
        agreed_mixtures(points, 4, np.random.RandomState(0), Units(len(points))),
        agreed_kmeans(points, 4, np.random.RandomState(0), Units(len(points))),
    ):
        assert all(of.labels.max() < 2 for of in found.values())
