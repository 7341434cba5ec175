"""In which forms data may come: each is what it says it is, and results come back as data came."""

import copy
import inspect
import pickle
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_array_equal
from pandas.testing import assert_frame_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from some_slow import some_slow
from torch.utils.data import DataLoader, TensorDataset

from skcausalpima import CausalPIMA, ModalityTransformer, MultimodalData

ROWS = [f"s{row}" for row in range(72)]


@pytest.fixture(scope="module")
def frames(pair):
    """The same as tables, whose rows and columns have names."""
    images = pd.DataFrame(pair[0].reshape(72, 6), columns=list("uvwxyz"), index=ROWS)
    return {"image": images, "curve": pd.DataFrame(pair[1], columns=list("abcd"), index=ROWS)}


@pytest.fixture(scope="module")
def on_frames(brief, frames):
    return brief().fit(frames)


@pytest.fixture(scope="module")
def levels(frames):
    return pd.concat(frames, axis=1)


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


def test_two_levels_come_back(brief, levels, on_frames):
    model = brief().fit(levels)
    assert_array_equal(model.labels_, on_frames.labels_)
    for back in answers(model, levels):
        assert back.columns.equals(levels.columns)
    assert_frame_equal(model.impute(levels), levels)


@pytest.mark.parametrize(
    "names", [["modality", "element"], pytest.param([None, None], marks=pytest.mark.slow)]
)
def test_names_of_two_levels_come_back(quick, levels, names, tmp_path):
    X = levels.rename_axis(columns=names)
    model = quick().fit(X)
    model.save(tmp_path / "model")
    assert_frame_equal(model.impute(X), X)
    for fit in (model, CausalPIMA.load(tmp_path / "model")):
        assert list(fit.sample(2)[0].columns.names) == names


def test_columns_of_two_levels_come_back_in_their_order(brief, levels, tmp_path):
    """Those of modalities may take turns in ``fit``, and in another way in a later call."""
    X = levels.iloc[:, np.random.default_rng(0).permutation(10)]
    of_curve, of_image = (list(X.columns[X.columns.get_loc(k)]) for k in ("curve", "image"))
    other = X[[c for pair in zip(of_curve, of_image, strict=False) for c in pair] + of_image[4:]]
    model = brief().fit(X)
    model.save(tmp_path / "model")
    for fit in (model, CausalPIMA.load(tmp_path / "model")):
        for back in answers(fit, X):
            assert back.columns.tolist() == X.columns.tolist()
        for form in (X, other):
            assert_frame_equal(fit.impute(form), form)
        assert fit.sample(2)[0].columns.tolist() == X.columns.tolist()


def test_a_container_comes_back_with_its_columns(on_frames, frames):
    X = MultimodalData(frames)
    model = clone(on_frames).fit(X)
    for back in answers(model, X):
        assert isinstance(back, MultimodalData)
        assert back.names == X.names
        assert_array_equal(model.predict(back[:, ["curve", "image"]]), model.predict(back))
    with pytest.raises(ValueError, match="'curve' has its columns in another order"):
        model.predict({**frames, "curve": frames["curve"].iloc[:, ::-1]})


def test_one_table_comes_back(brief, frames):
    table = frames["curve"]
    model = brief().fit(table)
    for back in answers(model, table):
        assert back.columns.tolist() == list("abcd")
    assert_frame_equal(model.impute(table), table)
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        assert isinstance(model.reconstruct(table.to_numpy()), np.ndarray)


def test_a_flat_table_comes_back(brief, levels):
    flat = levels.droplevel(0, axis=1)
    data = MultimodalData.from_flat(flat, [(6,), (4,)])
    model = brief().fit(data)
    for back in answers(model, data):
        assert np.concatenate([*back._columns]).tolist() == flat.columns.tolist()
    with pytest.raises(
        ValueError, match=r"fitted on 2 .*from_flat\(X, shapes, names\) cuts a flat"
    ):
        model.predict(flat)


def test_the_form_is_that_of_what_the_method_was_given(fitted, pair, frames):
    named = {"modality0": pair[0], "modality1": pair[1]}
    assert isinstance(fitted.impute(pair), list)
    assert isinstance(fitted.impute(named), dict)
    assert isinstance(fitted.impute(MultimodalData(named)), MultimodalData)
    with pytest.warns(UserWarning, match="names of columns"):
        back = fitted.impute([pair[0], frames["curve"]])
    assert_frame_equal(back[1], frames["curve"])


def test_a_missing_modality_comes_back_as_in_fit(on_frames, frames):
    back = on_frames.impute({"image": frames["image"], "curve": None})
    assert back["curve"].columns.tolist() == list("abcd")
    assert list(back["curve"].index) == ROWS


def test_wavelengths_stay_numbers(brief, pair):
    table = pd.DataFrame(pair[1], columns=[400.0, 401.5, 403.0, 404.5])
    assert brief().fit(table).sample(2)[0].columns.tolist() == table.columns.tolist()


@pytest.mark.slow
def test_columns_of_one_number(brief, pair):
    """Vectors, lists of numbers and Series are one column, and come back as what they were."""
    vector = pair[1][:, 0]
    expected = brief().fit([pair[0], vector[:, None]])
    for form in (vector, vector.tolist(), torch.tensor(vector), pd.Series(vector, ROWS, name="v")):
        model = brief().fit({"image": pair[0], "speed": form})
        assert_array_equal(model.labels_, expected.labels_)
        back = model.impute({"image": pair[0], "speed": form})["speed"]
        assert_array_equal(back, vector)
        assert isinstance(back, pd.Series) == isinstance(form, pd.Series)
    assert back.name == "v"
    assert list(back.index) == ROWS
    alone = brief().fit(pd.Series(vector, name="v"))
    assert alone.feature_names_in_.tolist() == ["v"]
    assert isinstance(alone.sample(2)[0], pd.Series)


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


def test_names_of_columns_of_arrays(fitted):
    assert fitted.modality_feature_names_in_ == {"modality0": None, "modality1": None}


def test_data_arrays_come_back(brief, pair, tmp_path):
    xarray = pytest.importorskip("xarray")
    image = xarray.DataArray(pair[0], dims=("n", "y", "x"), coords={"n": ROWS})
    curve = xarray.DataArray(
        pair[1], dims=("n", "time"), coords={"n": ROWS, "time": [0.0, 0.5, 1.0, 1.5]}
    )
    data = xarray.Dataset({"image": image, "curve": curve})
    model = brief().fit(data)
    assert model.impute(data).equals(data)
    model.save(tmp_path / "model")
    drawn = CausalPIMA.load(tmp_path / "model").sample(3)[0]
    assert drawn.equals(model.sample(3)[0])
    assert drawn["curve"].coords["time"].equals(curve.coords["time"])
    for X, match in [
        ([image, curve.transpose()], r"begins with the axis 'time'.*transpose\('n', ...\)"),
        ([image, curve.assign_coords(n=ROWS[::-1])], "other labels along 'n'"),
        ([image.transpose("n", "x", "y"), curve], r"axes .*transpose\('n', 'y', 'x'\)"),
        ([image, curve.assign_coords(time=[1.0, 2.0, 3.0, 4.0])], "labels along 'time' than in"),
    ]:
        with pytest.raises(ValueError, match=match):
            model.predict(X)


# Sparse arrays, mappings, numbers of nodes -----------------------------------------------------


@pytest.mark.parametrize(
    "kind", some_slow([sparse.csr_matrix, sparse.coo_array, sparse.dok_array], [sparse.coo_array])
)
def test_sparse_modalities_are_made_dense(brief, pair, fitted, kind):
    """What ``fit`` is given becomes the same arrays as what ``predict`` is given."""
    X = [pair[0], kind(pair[1])]
    assert_array_equal(fitted.predict_proba(X), fitted.predict_proba(pair))
    assert_array_equal(brief().fit(X).labels_, brief().fit(pair).labels_)


def test_a_container_is_a_mapping(pair):
    X = MultimodalData({"image": pair[0], "curve": pair[1]})
    assert list(X.keys()) == ["image", "curve"]
    assert dict(X)["curve"] is X["curve"]
    assert [name for name, array in X.items() if array.ndim == 3] == ["image"]
    assert next(iter(X.values())) is X["image"]
    assert "image" in X
    assert "sound" not in X


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


def test_what_the_constructor_says_of_itself(tmp_path):
    parameters = inspect.signature(CausalPIMA).parameters
    assert list(parameters)[:3] == ["node_sizes", "latent_dim", "experts"]
    assert all(of.kind is not of.VAR_KEYWORD for of in parameters.values())
    assert set(parameters) == set(CausalPIMA().get_params(deep=False))
    model = CausalPIMA((2, 3), max_iter=7)
    for copied in (clone(model), pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        assert copied.get_params() == model.get_params()


@pytest.mark.parametrize("shape", [(3, 16, 16), (1, 16, 16)])
def test_channels_that_come_first(brief, shape):
    X = np.random.default_rng(0).normal(size=(8, *shape))
    with pytest.warns(UserWarning, match=r"np.moveaxis\(array, 1, -1\)"):
        brief((2,), encoders="conv", max_iter=1).fit(X)


# What is no array ------------------------------------------------------------------------------


def other_library(module, name):
    """Return an object of a library that is not there; whoever asks for its entries never ends."""
    members = {"__len__": lambda self: 9, "__getitem__": lambda self, key: key}
    return type(name, (), {"__module__": module, **members})()


TENSORS = TensorDataset(torch.zeros(5, 2), torch.zeros(5, 3))
WORDS = pd.DataFrame({"a": np.arange(5.0), "material": list("sgsgs")})
STRUCTURED = np.zeros(5, dtype=[("image", float, (2, 2)), ("speed", float)])
RAGGED = np.empty(5, dtype=object)
RAGGED[:] = [np.zeros((2, 2 + k)) for k in range(5)]


@pytest.mark.parametrize(
    ("X", "match"),
    [
        (other_library("mudata._core.mudata", "MuData"), r"X is a MuData.*part.to_df\(\)"),
        (other_library("anndata._core.anndata", "AnnData"), r"X is a AnnData.*X.to_df\(\)"),
        (other_library("zarr.core.group", "Group"), r"X is a Group.*X\[name\] for"),
        (other_library("pyarrow.lib", "Table"), r"X is a Table.*X.to_pandas\(\)"),
        (other_library("polars.lazyframe.frame", "LazyFrame"), r"X is a LazyFrame.*X.collect\(\)"),
        (
            other_library("somewhere", "Thing"),
            "X is a Thing: expected .*a mapping from names to arrays.*a torch tensor.*one array",
        ),
        ({"a": other_library("mudata", "MuData")}, r"modality 'a' is a MuData"),
        (TENSORS, r"X is a TensorDataset.*list\(X.tensors\)"),
        (DataLoader(TENSORS), r"X is a DataLoader.*X.dataset"),
        ((row for row in np.zeros((5, 2))), r"X is a generator.*np.stack\(list\(X\)\)"),
        ({}.items(), r"dict\(X\)"),
        ({}.keys(), "the mapping itself"),
        ("data.npy", r"X is 'data.npy'.*np.load"),
        ({1.0, 2.0}, "X is a set"),
        (STRUCTURED, r"fields, \('image', 'speed'\).*X.dtype.names"),
        ({"a": {"b": np.zeros((5, 2))}}, "modality 'a' is a dict.*one array"),
        ([{"a": 1.0}] * 5, r"list of 5 mappings.*pandas.DataFrame\(X\)"),
        (WORDS.to_numpy(), r"X holds text \('s'\) in column 1.*OneHotEncoder"),
        ({"t": WORDS.to_numpy()}, r"modality 't' holds text .* column 1.*OneHotEncoder"),
        (WORDS.assign(material=pd.Timestamp("2026-01-01")), "dates in column 'material'"),
        (pd.DataFrame({"image": list(np.zeros((5, 2)))}), "arrays in column 'image'.*from_frame"),
    ],
)
def test_what_is_no_array_is_named(brief, X, match):
    with pytest.raises(TypeError, match=f"(?s){match}"):
        brief((2,)).fit(X)


@pytest.mark.parametrize(
    ("X", "match"),
    [
        (list(np.zeros((9, 4, 4))), r"list of 9 arrays of shape \(4, 4\).*np.stack\(X\)"),
        (
            [np.zeros((4 + k, 4)) for k in range(9)],
            "modality4: 8, .... If these are.*resize or pad",
        ),
        ([np.zeros((4, 4 + k)) for k in range(9)], "list of 9 arrays of 4 rows.*resize or pad"),
        ([np.zeros((4 + k, 4)).tolist() for k in range(9)], "differ in shape.*resize or pad"),
        (
            {"image": [np.zeros((4 + k, 4)) for k in range(9)]},
            r"'image' is a list whose entries differ in shape, such as \(4, 4\) and \(5, 4\)"
            ".*resize or pad",
        ),
        ({"a": [[1.0, 2.0], [3.0]]}, r"'a' .* differ in shape.*\(2,\) and \(1,\).*resize or pad"),
        ([[1.0, 2.0], [3.0]], "differ in shape.*resize or pad"),
    ],
)
def test_samples_in_place_of_modalities(brief, X, match):
    with pytest.raises(ValueError, match=match):
        brief((2,)).fit(X)


def test_images_of_several_sizes(brief):
    for X in (RAGGED, {"image": RAGGED}, [RAGGED, np.ones((5, 2))]):
        told = r"arrays of several shapes, such as \(2, 2\) and \(2, 3\).*resize or pad.*np.stack"
        with pytest.raises(TypeError, match=told):
            brief((2,)).fit(X)


def test_images_of_one_size_in_an_array_of_objects(brief):
    images = np.empty(9, dtype=object)
    images[:] = list(np.random.default_rng(0).normal(size=(9, 4, 4)))
    for X in (images, {"image": images}):
        with pytest.raises(TypeError, match=r"arrays of shape \(4, 4\).*np.stack\(list\(array\)\)"):
            brief((2,)).fit(X)
    assert brief((2,), max_iter=1).fit(np.stack(list(images))).labels_.shape == (9,)


@pytest.mark.parametrize(
    "X",
    [
        [np.zeros((9, 2)), np.zeros((7, 3))],
        {"modality0": np.zeros((9, 2)), "modality1": pd.DataFrame(np.zeros((7, 3)))},
    ],
)
def test_unequal_numbers_of_samples(brief, X):
    told = "got modality0: 9, modality1: 7.*same samples in the same order.*row of NaN"
    for read in (brief((2,)).fit, MultimodalData):
        with pytest.raises(ValueError, match=told):
            read(X)


def test_one_sample_without_its_axis(fitted, brief, pair):
    for X in ([array[0] for array in pair], {"modality0": pair[0][0], "modality1": pair[1][0]}):
        with pytest.raises(ValueError, match=r"X is one sample.*array\[None\] of each"):
            fitted.predict(X)
    with pytest.raises(ValueError, match=r"X is one sample.*X\[None\]"):
        brief((2,), max_iter=1).fit(pair[0]).predict(pair[0][0])


def test_words_are_encoded_by_the_recipe(brief):
    table = pd.concat([WORDS] * 4, ignore_index=True)
    parts = {"words": table[["material"]], "numbers": table.drop(columns=["material"])}
    prepare = ModalityTransformer({"words": OneHotEncoder(), "numbers": StandardScaler()})
    X = prepare.fit_transform(parts)
    model = brief((2,), max_iter=1).fit(X)
    names = model.modality_feature_names_in_
    assert names["words"].tolist() == ["material_g", "material_s"]
    assert names["numbers"].tolist() == ["a"]
    assert prepare.get_feature_names_out().tolist()[0] == "words__material_g"
    assert prepare.modality_feature_names_in_["words"].tolist() == ["material"]
    back = prepare.inverse_transform(X)
    assert back["words"].ravel().tolist() == table["material"].tolist()
    with pytest.raises(ValueError, match="other columns"):
        prepare.transform({**parts, "words": parts["words"].rename(columns={"material": "b"})})


MIXED = pd.DataFrame(
    {
        "x": np.linspace(0.0, 1.0, 24),
        "site": ["north", "south"] * 12,
        "kind": pd.Categorical(["p", "q", "r", "s"] * 6),
        "mass": [*map(float, range(0, 46, 2)), "n/a"],
        "day": pd.date_range("2026-01-01", periods=24),
        "width": np.arange(24) % 5 + 0.5,
    }
)
TEXTS = MIXED[["x", "site", "kind", "width"]]


def run_advice(X, error):
    """Run the lines of code that an error ends with, and return what they make of X."""
    lines = str(error.value).splitlines()[1:]
    assert lines
    names = {"X": X}
    exec("\n".join(line.removeprefix("    ") for line in lines), names)
    return names["X"]


def several_levels(frame):
    curve = pd.DataFrame(np.random.default_rng(0).normal(size=(24, 3)), columns=list("abc"))
    return pd.concat({"table": frame, "curve": curve}, axis=1)


CURVES = np.random.default_rng(0).normal(size=(24, 3))
REFUSED = {
    "text, dates and gaps": MIXED,
    "dates": MIXED[["x", "day"]],
    "gaps": MIXED[["x", "mass"]],
    "array of objects": TEXTS.to_numpy(),
    "array of texts": np.array([["1", "a"], ["2", "b"]] * 12),
    "lists": TEXTS.to_numpy().tolist(),
    "mapping, all": {"table": MIXED, "curve": CURVES},
    "mapping, dates": {"table": MIXED[["x", "day"]], "curve": CURVES},
    "mapping of arrays": {"table": TEXTS.to_numpy(), "curve": CURVES},
    "container, all": MultimodalData({"table": MIXED, "curve": CURVES}),
}


@pytest.mark.parametrize("form", some_slow(REFUSED, list(REFUSED)[::4]))
def test_the_advice_on_texts_works_word_for_word(random_start, form):
    X = REFUSED[form]
    with pytest.raises(TypeError, match="where numbers are expected") as error:
        random_start((2,)).fit(X)
    fitted = random_start((2,)).fit(run_advice(X, error))
    assert fitted.labels_.shape == (24,)


ACCEPTED = {
    "frame": TEXTS,
    "only texts": TEXTS[["site", "kind"]],
    "numbered columns": TEXTS.set_axis(range(4), axis=1),
    "mapping": {"table": TEXTS, "curve": CURVES},
    "mapping of a column": {"table": TEXTS["site"], "curve": CURVES},
    "mapping, numbered": {"table": TEXTS.set_axis(range(4), axis=1), "curve": CURVES},
    "list": [CURVES, TEXTS],
    "container": MultimodalData({"table": TEXTS, "curve": CURVES}),
    "two levels": several_levels(TEXTS),
}


@pytest.mark.parametrize("form", some_slow(ACCEPTED, list(ACCEPTED)[::3]))
def test_frames_with_texts_are_read(random_start, form):
    fitted = random_start((2,)).fit(ACCEPTED[form])
    assert "categorical" in str(fitted.likelihoods_)
    assert fitted.predict(ACCEPTED[form]).shape == (24,)


def test_the_advice_on_texts_names_all_columns(brief):
    with pytest.raises(TypeError) as error:
        brief((2,)).fit(MIXED)
    first = str(error.value).splitlines()[0]
    assert "text ('n/a') among the numbers in column 'mass'" in first
    assert "dates in column 'day'" in first
    X = run_advice(MIXED, error)
    assert_frame_equal(X[list(TEXTS)], TEXTS)
    assert X["mass"].isna().tolist() == [False] * 23 + [True]
    assert X["day"][1] == 86400.0


def test_the_advice_on_texts_keeps_the_other_modalities(brief):
    X = {"table": TEXTS.to_numpy(), "curve": CURVES}
    with pytest.raises(TypeError, match="modality 'table' holds text") as error:
        brief((2,)).fit(X)
    made = run_advice(X, error)
    assert made.names == ("table", "curve", "table words")
    assert_array_equal(made["curve"], CURVES)
    assert made["table"].shape == (24, 2)


@pytest.mark.slow
def test_without_optional_packages():
    code = """
import sys
absent = {"pandas", "polars", "xarray", "matplotlib", "tqdm"}
class Hiding:
    def __init__(self, finder):
        self.finder = finder
    def __getattr__(self, name):
        return getattr(self.finder, name)
    def find_spec(self, name, *where):
        hidden = name.partition(".")[0] in absent
        return None if hidden else self.finder.find_spec(name, *where)
sys.meta_path[:] = map(Hiding, sys.meta_path)
import numpy as np
from skcausalpima import CausalPIMA, Initialization
group = np.repeat([0, 1], 20)
X = {"a": np.random.default_rng(0).normal(size=(40, 3)) + 6 * group[:, None], "b": group * 6.0}
init = Initialization(pretraining_epochs=1)
model = CausalPIMA(2, init=init, max_iter=1, random_state=0).fit(X)
print(sorted(model.impute({**X, "b": None})), model.sample(2)[0]["b"].shape)
try:
    model.to_graph().table("N1")
except ImportError as error:
    print("pandas" in str(error))
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=False
    )
    assert done.stdout.splitlines() == ["['a', 'b'] (2,)", "True"], done.stderr


def test_the_class_shows_the_parameters_of_its_constructor():
    shown = list(inspect.signature(CausalPIMA).parameters)
    assert shown == list(inspect.signature(CausalPIMA.__init__).parameters)[1:]
