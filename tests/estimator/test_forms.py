"""Results come back as data came, which tests/data asks the gate; names of parameters."""

import copy
import inspect

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from pandas.testing import assert_frame_equal
from sklearn.base import clone

from skcausalpima import CausalPIMA
from skcausalpima.cluster import GridClustering
from skcausalpima.inspection import associate_nodes, edge_confidence, table_intervals

ROWS = [f"s{row}" for row in range(72)]


@pytest.fixture(scope="module")
def frames(pair):
    """The same as tables, whose rows and columns have names."""
    images = pd.DataFrame(pair[0].reshape(72, 6), columns=list("uvwxyz"), index=ROWS)
    return {"image": images, "curve": pd.DataFrame(pair[1], columns=list("abcd"), index=ROWS)}


@pytest.fixture(scope="module")
def on_frames(brief, frames):
    return brief().fit(frames)


# What comes back -------------------------------------------------------------------------------


def answers(model, X):
    """What methods return that return data, each of as many samples as X."""
    return [
        model.inverse_transform(model.transform(X)),
        model.sample(72)[0],
        model.intervene({"N1": 1}, 72)[0],
        model.reconstruct(X),
        model.reconstruct(X, return_std=True)[1],
        model.impute(X),
        model.counterfactual(X, {"N1": 1})[0],
    ]


def test_tables_by_name_come_back(on_frames, frames):
    for k, back in enumerate(answers(on_frames, frames)):
        assert list(back) == ["image", "curve"]
        for name, table in back.items():
            assert table.columns.equals(frames[name].columns)
            assert (list(table.index) == ROWS) == (k > 2)  # those of which X says the rows
    assert_frame_equal(on_frames.impute(frames)["curve"], frames["curve"])
    one = on_frames.reconstruct(frames, "curve")
    assert_frame_equal(one, on_frames.reconstruct(frames)["curve"])


def test_columns_of_two_levels_come_back_in_their_order(brief, frames, tmp_path):
    """Those of modalities may take turns; a file knows it, and the names of the levels."""
    levels = pd.concat(frames, axis=1).rename_axis(columns=["modality", "element"])
    X = levels.iloc[:, np.random.default_rng(0).permutation(10)]
    model = brief().fit(X)
    model.save(tmp_path / "model")
    for fit in (model, CausalPIMA.load(tmp_path / "model")):
        for back in answers(fit, X):
            assert back.columns.equals(X.columns)
            assert back.columns.names == X.columns.names
        assert_frame_equal(fit.impute(X), X)


def test_forms_survive_files(on_frames, frames, tmp_path):
    on_frames.save(tmp_path / "model")
    loaded = CausalPIMA.load(tmp_path / "model")
    names = loaded.modality_feature_names_in_
    assert {name: list(columns) for name, columns in names.items()} == {
        "image": list("uvwxyz"),
        "curve": list("abcd"),
    }
    assert_frame_equal(loaded.sample(3)[0]["curve"], on_frames.sample(3)[0]["curve"])
    assert_frame_equal(loaded.impute(frames)["image"], frames["image"])


def test_data_arrays_come_back(brief, pair, tmp_path):
    xarray = pytest.importorskip("xarray")
    image = xarray.DataArray(pair[0], dims=("n", "y", "x"), coords={"n": ROWS})
    curve = xarray.DataArray(pair[1], dims=("n", "time"), coords={"time": [0.0, 0.5, 1.0, 1.5]})
    data = xarray.Dataset({"image": image, "curve": curve})
    model = brief().fit(data)
    assert model.impute(data).equals(data)
    model.save(tmp_path / "model")
    drawn = CausalPIMA.load(tmp_path / "model").sample(3)[0]
    assert drawn.equals(model.sample(3)[0])
    assert drawn["curve"].coords["time"].equals(curve.coords["time"])


def test_points_of_several_frames_have_their_rows(on_frames, frames):
    model = clone(on_frames).set_output(transform="pandas")
    for points in (model.fit_transform(frames), model.transform({**frames, "curve": None})):
        assert list(points.index) == ROWS
        assert list(points) == ["causalpima0", "causalpima1"]
    assert type(model.set_output(transform="default").transform(frames)) is np.ndarray


METHODS = ["predict", "transform", "score", "score_samples", "fit", "partial_fit"]


@pytest.mark.parametrize("method", METHODS)
def test_every_method_asks_for_the_columns_of_fit(brief, on_frames, frames, method):
    """What else is said of columns and rows is asked of the gate."""
    model = brief(warm_start=True).fit(frames) if "fit" in method else on_frames
    with pytest.raises(ValueError, match="'curve' has its columns in another order than in fit"):
        getattr(model, method)({**frames, "curve": frames["curve"].iloc[:, ::-1]})


def test_every_method_asks_for_the_rows_of_what_is_known(brief, frames):
    known = pd.DataFrame({"N1": np.repeat([0, 1], 36)}, index=ROWS)
    shuffled = known.sample(frac=1, random_state=0)
    est = brief().fit(frames, known_nodes=known)
    for ask in (
        lambda: brief().fit(frames, known_nodes=shuffled),
        lambda: brief().fit(frames, interventions={"N1": shuffled["N1"]}),
        lambda: associate_nodes(est, frames, shuffled),
        lambda: edge_confidence(est, frames, params={"known_nodes": shuffled}),
        lambda: table_intervals(est, frames, params={"known_nodes": shuffled}),
    ):
        with pytest.raises(ValueError, match=r"has the rows of X in another order"):
            ask()
    arrays = {name: frame.to_numpy() for name, frame in frames.items()}
    assert_array_equal(brief().fit(arrays, known_nodes=known).labels_, est.labels_)


# Numbers of nodes, and names of parameters -------------------------------------------------------


def test_one_node_by_its_size(brief, pair):
    model, expected = brief(4).fit(pair), brief((4,)).fit(pair)
    assert_array_equal(model.labels_, expected.labels_)
    assert model.node_sizes == 4


def test_weights_by_name(brief, pair):
    named = {"image": pair[0], "curve": pair[1]}
    model = brief(modality_weights={"curve": 2.0, "image": 1.0}).fit(named)
    assert model.lower_bound_ == brief(modality_weights=(1.0, 2.0)).fit(named).lower_bound_


@pytest.mark.parametrize("name", ["n_clusters", "n_components"])
def test_names_of_other_estimators(name):
    with pytest.raises(TypeError, match=f"no parameter {name}: use node_sizes=5"):
        CausalPIMA(**{name: 5})
    with pytest.raises(ValueError, match=f"no parameter {name}: use node_sizes=5"):
        CausalPIMA().set_params(**{name: 5})

    class Clusters(CausalPIMA):
        def __init__(self, n_clusters=2):
            super().__init__(n_clusters)
            self.n_clusters = n_clusters

    assert Clusters(n_clusters=5).node_sizes == 5


@pytest.mark.parametrize("text", ["2x3", "2 x 3", "(2, 3)", "2*3", "2×3", "[2,3]"])
def test_a_grid_is_no_text(text, pair):
    for model in (CausalPIMA(text), GridClustering(text)):
        with pytest.raises(ValueError, match=r"write node_sizes=\(2, 3\), the number of outcomes"):
            model.fit(pair[0].reshape(len(pair[0]), -1))
    with pytest.raises(ValueError, match="node_sizes=4,"):
        CausalPIMA("4").fit(pair)
    with pytest.raises(ValueError, match="Got 'two by three'"):
        CausalPIMA("two by three").fit(pair)


@pytest.mark.parametrize(
    ("args", "kwargs", "written"),
    [
        ((), {"image": 0, "curve": 1}, r"fit\({'image': image, 'curve': curve}\)"),
        ((0,), {"curve": 1}, r"fit\(\[X, curve\]\)"),
        ((), {"X": 0, "scale": None, "views": None}, r"CausalPIMA\(scale=.., views=..\)"),
        ((0,), {"epochs": 9}, "fit has no argument epochs.*did you mean max_iter"),
        ((0,), {"batch_size": 9}, r"training=Training\(batch_size=..\)"),
        ((0,), {"sample_weights": 1}, "did you mean sample_weight?"),
    ],
)
def test_what_fit_takes_by_name(args, kwargs, written):
    with pytest.raises(TypeError, match=written):
        CausalPIMA().fit(*args, **kwargs)


def test_modalities_by_name_in_other_methods(fitted):
    for name in ("predict", "transform", "score", "report", "fit_predict", "partial_fit"):
        with pytest.raises(TypeError, match=rf"write {name}\({{'image': image}}\)"):
            getattr(fitted, name)(image=0)


OTHER_WORDS = {
    "lr": r"pass training=Training\(learning_rate=..\)",
    "Learning_Rate": r"pass training=Training\(learning_rate=..\)",
    "learnin_rate": r"pass training=Training\(learning_rate=..\)",
    "epochs": "did you mean max_iter",
    "n_epochs": "did you mean max_iter",
    "max_epochs": "did you mean max_iter",
    "node_size": "did you mean node_sizes",
    "n_nodes": "did you mean node_sizes",
    "num_clusters": "use node_sizes=1 for one node",
    "k": "use node_sizes=1 for one node",
    "iters": "did you mean max_iter",
    "seed": "did you mean random_state",
    "batch": r"pass training=Training\(batch_size=..\)",
    "hidden_sizes": "did you mean hidden_layer_sizes",
    "weights": "did you mean modality_weights",
    "n_latent": "did you mean latent_dim",
    "latent_dimension": "did you mean latent_dim",
    "patience": r"pass training=Training\(n_iter_no_change=..\)",
    "n_starts": "did you mean n_init",
    "gpu": "did you mean device",
    "graph": "did you mean structure",
    "encoder": "did you mean encoders",
    "edge_penalty": r"pass structure=ScoreSearch\(edge_penalty=..\)",
    "pretraining_epoch": r"pass init=Initialization\(pretraining_epochs=..\)",
    "structure_score": r"pass structure=ScoreSearch\(score=..\)",
    "tiers": r"pass knowledge=BackgroundKnowledge\(tiers=..\)",
    "known_nodes": "fit takes it, beside X",
    "sample_weight": "fit takes it, beside X",
    "sample_weights": "fit takes it, beside X",
    "modality_names": "names of modalities come with X",
    "callbacks": "set_callbacks",
    # what went
    "node_names": r"node_sizes=\{'lattice': 2, 'state': 2\}",
    "modality_shapes": r"pass MultimodalData.from_flat\(X, shapes\)",
    "responsibilities": "use posterior='mean_field' in place of 'sample'",
    "prior_expert": r"pass posterior=MeanField\(prior_expert=..\)",
    "covariance_type": r"pass mixture=Mixture\(covariance_type=..\)",
    "covariance_shrinkage": r"pass mixture=Mixture\(shrinkage=..\)",
    "reg_covar": r"pass mixture=Mixture\(reg_covar=..\)",
    "batch_size": r"pass training=Training\(batch_size=..\)",
    "max_grad_norm": r"pass training=Training\(max_grad_norm=..\)",
    "tol": r"pass training=Training\(tol=..\)",
    "n_iter_no_change": r"pass training=Training\(n_iter_no_change=..\)",
    "validation_fraction": r"pass training=Training\(validation_fraction=..\)",
}


@pytest.mark.parametrize("name", OTHER_WORDS)
def test_words_of_other_libraries(name):
    told = f"CausalPIMA has no parameter {name}: .*{OTHER_WORDS[name]}"
    for make in (CausalPIMA, CausalPIMA.published):
        with pytest.raises(TypeError, match=told):
            make((2, 2), **{name: 1})
    with pytest.raises(ValueError, match=told):
        CausalPIMA().set_params(**{name: 1})


def test_words_that_resemble_nothing():
    told = r"CausalPIMA has no parameter zzz\. It has .*latent_dim.*warm_start"
    for make in (CausalPIMA, CausalPIMA.published):
        with pytest.raises(TypeError, match=told):
            make(zzz=1)
    with pytest.raises(ValueError, match=r"Invalid parameter 'zzz' for .* Valid parameters are"):
        CausalPIMA().set_params(zzz=1)


def test_all_unknown_words_are_named():
    with pytest.raises(TypeError, match=r"(?s)lr: .*learning_rate.*epochs: .*max_iter"):
        CausalPIMA(2, lr=1e-3, epochs=10)


def test_parts_in_the_constructor():
    told = r"structure__score: .*pass structure=ScoreSearch\(score=..\)"
    with pytest.raises(TypeError, match=told):
        CausalPIMA(structure__score="bdeu")


def test_a_grid_that_is_no_tuple():
    with pytest.raises(TypeError, match=r"CausalPIMA takes one .*CausalPIMA\(\(2, 3\)\)"):
        CausalPIMA(2, 3)


def test_a_subclass_with_names_of_its_own():
    class Renamed(CausalPIMA):
        def __init__(self, dim=None, **others):
            super().__init__(latent_dim=dim, **others)
            self.dim = dim

    assert Renamed(dim=2, max_iter=3).latent_dim == 2


def test_what_the_constructor_says_of_itself():
    parameters = inspect.signature(CausalPIMA).parameters
    assert list(parameters)[:3] == ["node_sizes", "latent_dim", "experts"]
    assert all(of.kind is not of.VAR_KEYWORD for of in parameters.values())
    assert list(parameters) == list(inspect.signature(CausalPIMA.__init__).parameters)[1:]
    model = CausalPIMA((2, 3), max_iter=7)
    assert copy.deepcopy(model).get_params() == model.get_params()


@pytest.mark.parametrize("shape", [(3, 16, 16), (1, 16, 16)])
def test_channels_that_come_first(brief, shape):
    X = np.random.default_rng(0).normal(size=(8, *shape))
    with pytest.warns(UserWarning, match=r"np.moveaxis\(array, 1, -1\)"):
        brief((2,), encoders="conv", max_iter=1).fit(X)
