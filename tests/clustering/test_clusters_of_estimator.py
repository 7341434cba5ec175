import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClusterMixin
from sklearn.cluster import DBSCAN, KMeans
from sklearn.datasets import make_moons
from sklearn.metrics import adjusted_rand_score
from sklearn.mixture import GaussianMixture
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skcausalpima._clustering.clusters_of_estimator import clusters_of_estimator


class Stated(ClusterMixin, BaseEstimator):
    """Labels that somebody has stated."""

    def __init__(self, labels=None):
        self.labels = labels

    def fit(self, X, y=None):
        self.labels_, self.X_ = np.asarray(self.labels), X
        return self


class Agreed(Stated):
    agreement_ = 0.9


@pytest.fixture
def rng():
    return np.random.RandomState(0)


@pytest.fixture
def four():
    """Four groups of points, in two of four columns; two columns of zeros."""
    group = np.repeat(np.arange(4), 25)
    points = np.random.default_rng(0).normal(size=(100, 4)) + 9.0 * np.eye(4)[group]
    return np.hstack([points, np.zeros((100, 2))]), group


@pytest.mark.parametrize(
    "clusterer", [KMeans(4, n_init=3), GaussianMixture(4), KMeans(9), make_pipeline(KMeans(4))]
)
def test_clusters_are_found_and_merged_to_as_many_as_there_are_cells(clusterer, four, rng):
    points, group = four
    clusters, agreement = clusters_of_estimator(clusterer, points, (2, 2), rng)
    assert adjusted_rand_score(group, clusters.labels) == 1.0
    assert clusters.occupancy.tolist() == [0.25] * 4
    assert np.isnan(agreement)


def test_pieces_of_bent_clusters_are_merged(rng):
    """Means of the pieces are no nearer to those of their own cluster."""
    X, moons = make_moons(600, noise=0.05, random_state=0)
    clusters, _ = clusters_of_estimator(KMeans(12, n_init=3), X, (2,), rng)
    assert adjusted_rand_score(moons, clusters.labels) == 1.0


def test_an_estimator_that_says_how_far_others_agree_is_heard(four, rng):
    points, group = four
    assert clusters_of_estimator(Agreed(group), points, (2, 2), rng)[1] == 0.9


def test_labels_may_be_words(four, rng):
    points, group = four
    clusters, _ = clusters_of_estimator(Stated(np.array(list("dbca"))[group]), points, (4,), rng)
    assert adjusted_rand_score(group, clusters.labels) == 1.0


def test_noise_belongs_to_the_nearest_mean(four, rng):
    points, group = four
    stated = np.where(np.arange(100) % 5 == 0, -1, group)
    clusters, _ = clusters_of_estimator(Stated(stated), points, (2, 2), rng)
    assert adjusted_rand_score(group, clusters.labels) == 1.0


def test_it_is_cloned_and_sees_no_columns_of_zeros(four, rng):
    points, group = four
    clusterer = KMeans(4)
    clusters_of_estimator(clusterer, points, (2, 2), rng)
    assert not hasattr(clusterer, "labels_")
    assert clusterer.random_state is None
    widths = []

    class Seeing(Stated):
        def fit(self, X, y=None):
            widths.append(X.shape)
            return super().fit(X)

    clusters_of_estimator(Seeing(group), points, (2, 2), rng)
    assert widths == [(100, 4)]


def test_random_states_are_seeded_unless_they_are_stated():
    points, seeds = np.random.default_rng(0).normal(size=(60, 3)), []

    class Seeing(KMeans):
        def fit(self, X, y=None, sample_weight=None):
            seeds.append(self.random_state)
            return super().fit(X)

    for clusterer in (
        Seeing(4),
        make_pipeline(StandardScaler(), Seeing(4)),
        Seeing(4, random_state=7),
    ):
        for seed in (0, 0, 1):
            clusters_of_estimator(clusterer, points, (2, 2), np.random.RandomState(seed))
    assert seeds[0] == seeds[1] == seeds[3]
    assert seeds[0] not in (None, seeds[2])
    assert seeds[6:] == [7, 7, 7]


@pytest.mark.parametrize(
    ("clusterer", "sizes", "told"),
    [
        (KMeans(3), (2, 2), r"init=KMeans\(..\) has found 3 clusters for 4 cells of .*at least as"),
        (DBSCAN(eps=1e-6), (2,), r"init=DBSCAN\(..\) has found 1 clusters for 2 cells"),
        (Stated([0, 1, 2]), (3,), r"returned labels of shape \(3,\) for 100 samples: expected a"),
        (KMeans(256), (2,) * 8, "more than 128 cells, and there are 256: use init='arranged'"),
    ],
)
def test_what_does_not_make_a_start_is_refused(clusterer, sizes, told, four, rng):
    with pytest.raises(ValueError, match=told):
        clusters_of_estimator(clusterer, four[0], sizes, rng)
