"""Starts whose clusters an estimator finds."""

import copy
import math
import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.cluster import HDBSCAN, KMeans
from sklearn.metrics import adjusted_rand_score
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GridSearchCV

from skcausalpima import CausalPIMA, Initialization
from skcausalpima.callback import Checkpoint
from skcausalpima.cluster import GridClustering
from skcausalpima.metrics import node_recovery

pytestmark = pytest.mark.short_fits

NODES = np.stack(np.divmod(np.repeat(np.arange(4), 18), 2), axis=1)  # of ``pair``


@pytest.fixture(scope="module")
def by_kmeans(pair):
    from quick_fits import quick

    return quick(init=KMeans(4)).fit(pair)


@pytest.mark.parametrize(
    "clusterer",
    [GridClustering(), GaussianMixture(4), KMeans(9, n_init=3), HDBSCAN(min_samples=2, copy=True)],
)
def test_any_clusterer_makes_a_start(clusterer, quick, pair):
    model = quick(init=clusterer).fit(pair)
    assert node_recovery(NODES, model.node_labels_).accuracies.min() == 1.0
    assert model.arrangement_.misfit < 0.1
    assert not hasattr(model.init, "labels_")


def test_a_clusterer_is_short_for_an_initialization(by_kmeans, quick, pair):
    whole = quick(init=Initialization(clusterer=KMeans(4))).fit(pair)
    assert whole.lower_bound_ == by_kmeans.lower_bound_
    assert whole.init.clusterer.random_state is None


def test_how_far_others_agree_is_known_of_some(by_kmeans, quick, pair):
    assert math.isnan(by_kmeans.arrangement_.agreement)
    assert "labels that the starts share" not in str(by_kmeans.report(detail="full"))
    grid = quick(init=GridClustering()).fit(pair)
    assert grid.arrangement_.agreement > 0.95
    assert "labels that the starts share" in str(grid.report(detail="full"))


def test_one_node_has_no_arrangement(quick, pair):
    model = quick(4, init=KMeans(4)).fit(pair)
    assert model.arrangement_ is None
    assert adjusted_rand_score(np.repeat(np.arange(4), 18), model.labels_) > 0.9


def test_names_clones_and_searches(quick, pair):
    model = quick(init=KMeans(4))
    assert "init=KMeans(n_clusters=4)" in repr(model)
    assert model.get_params()["init__n_clusters"] == 4
    assert clone(model).get_params()["init__n_clusters"] == 4
    assert model.set_params(init__n_clusters=5).init.n_clusters == 5
    model.set_params(init="arranged", init__clusterer=KMeans(4))
    model.set_params(init__clusterer__n_init=2)
    assert repr(model.init) == "Initialization(clusterer=KMeans(n_clusters=4, n_init=2))"
    search = GridSearchCV(quick(init=KMeans(4)), {"init__n_clusters": [4, 6]}, cv=2)
    assert search.fit(pair[0]).best_params_["init__n_clusters"] in (4, 6)


def test_a_fit_goes_on_whatever_its_clusters_were_found_by(quick, pair):
    model = quick(init=KMeans(4), warm_start=True).fit(pair)
    other = copy.deepcopy(model).set_params(init=KMeans(5))
    assert model.fit(pair).n_iter_ == 6
    assert other.fit(pair).lower_bound_ == model.lower_bound_


def test_pickles_keep_the_clusterer(by_kmeans, pair):
    again = pickle.loads(pickle.dumps(by_kmeans))
    assert again.init.n_clusters == 4
    assert np.array_equal(again.predict(pair), by_kmeans.labels_)


def test_files_keep_a_grid_clustering_and_say_what_to_do_about_others(
    by_kmeans, quick, pair, tmp_path
):
    model = quick(init=GridClustering((2, 2), random_state=3)).fit(pair)
    model.save(tmp_path / "grid")
    again = CausalPIMA.load(tmp_path / "grid")
    assert repr(again.init) == "GridClustering(random_state=3)"
    assert np.array_equal(again.predict(pair), model.labels_)
    with pytest.raises(
        TypeError, match=r"init holds KMeans.* set_params\(init='arranged'\) before"
    ):
        by_kmeans.save(tmp_path / "kmeans")
    pickle.loads(pickle.dumps(by_kmeans)).set_params(init="arranged").save(tmp_path / "kmeans")
    assert np.array_equal(CausalPIMA.load(tmp_path / "kmeans").predict(pair), by_kmeans.labels_)


def test_a_checkpoint_has_no_place_for_others(quick, pair, tmp_path):
    model = quick(init=KMeans(4)).set_callbacks(Checkpoint(tmp_path / "fit"))
    with pytest.raises(TypeError, match="init holds KMeans"):
        model.fit(pair)


@pytest.mark.parametrize(
    ("init", "told"),
    [
        (KMeans(3), r"init=KMeans\(..\) has found 3 clusters for 4 cells"),
        (KMeans, "'init' parameter of CausalPIMA must be .* an estimator with fit_predict"),
        (Initialization("linear", clusterer=KMeans(4)), "init__method='linear' makes clusters of"),
        (Initialization(clusterer=KMeans), "'init__clusterer' parameter of CausalPIMA must be"),
        (KMeans(-1), "'n_clusters' parameter of KMeans must be"),
    ],
)
def test_what_makes_no_start_is_refused(init, told, quick, pair):
    with pytest.raises(ValueError, match=told):
        quick(init=init).fit(pair)
