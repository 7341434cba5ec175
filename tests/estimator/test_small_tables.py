"""Small tables: too few samples, columns that tell nothing, and clusters of the usual kinds."""

import itertools

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from sklearn.datasets import load_iris
from sklearn.metrics import adjusted_rand_score
from sklearn.preprocessing import StandardScaler
from some_slow import some_slow

from skcausalpima import CausalPIMA
from skcausalpima.exceptions import InstabilityWarning
from skcausalpima.metrics import node_recovery

RNG = np.random.default_rng(0)
TABLE = RNG.normal(size=(40, 5)) + 4.0 * (np.arange(40) // 20)[:, None]


@pytest.mark.parametrize("init", ["arranged", "linear", "paper"])
@pytest.mark.parametrize(("node_sizes", "n_cells"), [((5,), 5), ((2, 2), 4)])
def test_fewer_samples_than_cells(quick, init, node_sizes, n_cells):
    with pytest.raises(ValueError, match=rf"X has 3 samples, but .* make {n_cells} cells: fit at"):
        quick(node_sizes, init=init).fit(TABLE[:3])


def test_weights_count_as_samples(quick):
    assert len(quick((5,)).fit(TABLE[:3], sample_weight=[2, 2, 2]).labels_) == 3
    weights = np.where(np.arange(40) < 3, 1.0, 0.0)
    with pytest.raises(ValueError, match="X has 3 samples"):
        quick((5,)).fit(TABLE, sample_weight=weights)


@pytest.mark.parametrize("node_sizes", [pytest.param((5,), marks=pytest.mark.slow), (2, 2)])
@pytest.mark.filterwarnings("ignore:The arrangement")
def test_as_many_samples_as_cells(quick, node_sizes):
    n_cells = int(np.prod(node_sizes))
    model = quick(node_sizes).fit(TABLE[:n_cells])
    assert np.isfinite(model.lower_bound_)


@pytest.mark.parametrize("node_sizes", [pytest.param((3,), marks=pytest.mark.slow), (2, 2)])
def test_all_samples_alike_share_one_cell(quick, node_sizes):
    with pytest.warns(InstabilityWarning, match=r"\[one-cell\] .* one of [34] cells"):
        model = quick(node_sizes).fit(np.ones((40, 5)))
    assert_array_equal(model.labels_, 0)
    assert len(model.separation_.empty) == np.prod(node_sizes) - 1
    assert np.isfinite(model.score_samples(np.ones((3, 5)))).all()


@pytest.mark.parametrize("scale", some_slow(["modality", "feature"], ["feature"]))
def test_what_is_constant_tells_nothing(quick, scale):
    constant = np.full((40, 3), 2.0)
    model = quick((2,), scale=scale).fit([TABLE, constant])
    assert adjusted_rand_score(np.arange(40) // 20, model.labels_) == 1.0
    X = np.column_stack([TABLE, constant])
    assert adjusted_rand_score(np.arange(40) // 20, quick((2,), scale=scale).fit_predict(X)) == 1.0


@pytest.mark.parametrize(
    "shape",
    [
        (40, 1, 1),
        pytest.param((40, 200), marks=pytest.mark.slow),
        pytest.param((40, 2), marks=pytest.mark.long),
        pytest.param((1000, 4), marks=pytest.mark.long),
    ],
)
def test_narrow_and_wide_tables(quick, shape):
    X = np.random.default_rng(0).normal(size=shape)
    model = quick((3,)).fit(X)
    assert np.isfinite(model.lower_bound_)
    assert model.transform(X).shape == (len(X), model.latent_dim_)


@pytest.mark.slow
def test_known_outcomes_number_the_clusters(quick):
    known = np.where(np.arange(40) % 10 == 0, 1 - np.arange(40) // 20, -1)
    model = quick((2,)).fit(TABLE, known_nodes=known[:, None])
    assert_array_equal(model.node_labels_[:, 0], 1 - np.arange(40) // 20)


@pytest.mark.slow
def test_iris():
    """K-means has 0.62, a mixture 0.90; two latent dimensions had 0.75."""
    data = load_iris()
    X = StandardScaler().fit_transform(data.data)
    labels = CausalPIMA((3,), max_iter=20, random_state=0).fit_predict(X)
    assert adjusted_rand_score(data.target, labels) > 0.88


@pytest.mark.parametrize(
    ("shape", "kind"),
    some_slow(itertools.product([(1, 1), (1, 1, 3), (2,)], [None, "conv"]), [((2,), None)]),
    ids=str,
)
def test_the_smallest_images_and_curves(quick, kind, shape):
    X = np.ones(shape) * TABLE[:, 0].reshape(-1, *[1] * len(shape)) + 0.1
    model = quick((2,), encoders=kind, decoders=kind).fit([X, TABLE])
    assert model.inverse_transform(model.cluster_means_)[0].shape == (2, *shape)
    assert np.isfinite(model.score_samples([X, TABLE])).all()


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.long)])
def test_repeated_samples_bear_no_further_components(quick, seed):
    # 400 rows of which 200 are distinct: mixtures of as many components as 400 would bear found
    # other cells at every start
    rng = np.random.default_rng(seed)
    first = rng.integers(2, size=200)
    nodes = np.stack([first, np.where(rng.random(200) < 0.8, first, 1 - first)], axis=1)
    a, b = (8.0 / np.sqrt(3.0) * nodes[:, [k, k, k]] for k in (0, 1))
    noise = rng.normal(size=(200, 6))
    weights = np.random.default_rng(1 + seed).integers(1, 4, size=200)
    est = quick().fit([a + noise[:, :3], b + noise[:, 3:]], sample_weight=weights)
    assert node_recovery(nodes, est.node_labels_).accuracies.min() > 0.95


@pytest.mark.long
def test_classes_of_words_begin_where_they_are_likeliest(quick):
    rng = np.random.default_rng(105)
    classes = rng.integers(3, size=100)
    words = {}
    for k in range(8):
        shares = rng.dirichlet(np.full(6, 0.4), size=3)
        words[f"w{k}"] = np.array(list("abcdef"))[[rng.choice(6, p=shares[c]) for c in classes]]
    model = quick((3,), max_iter=5).fit(pd.DataFrame(words))
    assert adjusted_rand_score(classes, model.labels_) > 0.85  # from Gaussian scores .60
