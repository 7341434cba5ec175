"""In which forms data may come: each is what it says it is, and results come back as data came."""

import inspect
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
from torch.utils.data import DataLoader, TensorDataset

from skcausalpima import CausalPIMA, ModalityTransformer, MultimodalData

ROWS = [f"s{row}" for row in range(72)]


@pytest.fixture(scope="module")
def frames(pair):
    """The same as tables, whose rows and columns have names."""
    images = pd.DataFrame(pair[0].reshape(72, 6), columns=list("uvwxyz"), index=ROWS)
    return {"image": images, "curve": pd.DataFrame(pair[1], columns=list("abcd"), index=ROWS)}


@pytest.fixture(scope="module")
def on_frames(quick, frames):
    return quick().fit(frames)


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


def test_two_levels_come_back(quick, levels, on_frames):
    model = quick().fit(levels)
    assert_array_equal(model.labels_, on_frames.labels_)
    for back in answers(model, levels):
        assert back.columns.equals(levels.columns)
    assert_frame_equal(model.impute(levels), levels, check_names=False)


def test_a_container_comes_back_with_its_columns(on_frames, frames):
    X = MultimodalData(frames)
    model = clone(on_frames).fit(X)
    for back in answers(model, X):
        assert isinstance(back, MultimodalData)
        assert back.names == X.names
        assert_array_equal(model.predict(back[:, ["curve", "image"]]), model.predict(back))
    with pytest.raises(ValueError, match="'curve' has its columns in another order"):
        model.predict({**frames, "curve": frames["curve"].iloc[:, ::-1]})


def test_one_table_comes_back(quick, frames):
    table = frames["curve"]
    model = quick().fit(table)
    for back in answers(model, table):
        assert back.columns.tolist() == list("abcd")
    assert_frame_equal(model.impute(table), table)
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        assert isinstance(model.reconstruct(table.to_numpy()), np.ndarray)


def test_a_flat_table_comes_back(quick, levels):
    flat = levels.droplevel(0, axis=1)
    model = quick(modality_shapes=[(6,), (4,)]).fit(flat)
    for back in answers(model, flat):
        assert back.columns.equals(flat.columns)


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


def test_wavelengths_stay_numbers(quick, pair):
    table = pd.DataFrame(pair[1], columns=[400.0, 401.5, 403.0, 404.5])
    assert quick().fit(table).sample(2)[0].columns.tolist() == table.columns.tolist()


def test_columns_of_one_number(quick, pair):
    """Vectors, lists of numbers and Series are one column, and come back as what they were."""
    vector = pair[1][:, 0]
    expected = quick().fit([pair[0], vector[:, None]])
    for form in (vector, vector.tolist(), torch.tensor(vector), pd.Series(vector, ROWS, name="v")):
        model = quick().fit({"image": pair[0], "speed": form})
        assert_array_equal(model.labels_, expected.labels_)
        back = model.impute({"image": pair[0], "speed": form})["speed"]
        assert_array_equal(back, vector)
        assert isinstance(back, pd.Series) == isinstance(form, pd.Series)
    assert back.name == "v"
    assert list(back.index) == ROWS
    alone = quick().fit(pd.Series(vector, name="v"))
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


def test_data_arrays_come_back(quick, pair, tmp_path):
    xarray = pytest.importorskip("xarray")
    image = xarray.DataArray(pair[0], dims=("n", "y", "x"), coords={"n": ROWS})
    curve = xarray.DataArray(
        pair[1], dims=("n", "time"), coords={"n": ROWS, "time": [0.0, 0.5, 1.0, 1.5]}
    )
    data = xarray.Dataset({"image": image, "curve": curve})
    model = quick().fit(data)
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


@pytest.mark.parametrize("kind", [sparse.csr_matrix, sparse.coo_array, sparse.dok_array])
def test_sparse_modalities_are_made_dense(quick, pair, fitted, kind):
    model = quick().fit([pair[0], kind(pair[1])])
    assert_array_equal(model.labels_, fitted.labels_)


def test_a_container_is_a_mapping(pair):
    X = MultimodalData({"image": pair[0], "curve": pair[1]})
    assert list(X.keys()) == ["image", "curve"]
    assert dict(X)["curve"] is X["curve"]
    assert [name for name, array in X.items() if array.ndim == 3] == ["image"]
    assert next(iter(X.values())) is X["image"]
    assert "image" in X
    assert "sound" not in X


def test_one_node_by_its_size(quick, pair):
    model, expected = quick(4).fit(pair), quick((4,)).fit(pair)
    assert_array_equal(model.labels_, expected.labels_)
    assert model.node_sizes == 4


def test_weights_by_name(quick, pair):
    named = {"image": pair[0], "curve": pair[1]}
    model = quick(modality_weights={"curve": 2.0, "image": 1.0}).fit(named)
    assert model.lower_bound_ == quick(modality_weights=(1.0, 2.0)).fit(named).lower_bound_


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


@pytest.mark.parametrize("shape", [(3, 16, 16), (1, 16, 16)])
def test_channels_that_come_first(quick, shape):
    X = np.random.default_rng(0).normal(size=(8, *shape))
    with pytest.warns(UserWarning, match=r"np.moveaxis\(array, 1, -1\)"):
        quick((2,), encoders="conv", max_iter=1).fit(X)


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
        (other_library("somewhere", "Thing"), "X is a Thing, which is no array for NumPy"),
        ({"a": other_library("mudata", "MuData")}, r"modality 'a' is a MuData"),
        (TENSORS, r"X is a TensorDataset.*list\(X.tensors\)"),
        (DataLoader(TENSORS), r"X is a DataLoader.*X.dataset"),
        ((row for row in np.zeros((5, 2))), r"X is a generator.*np.stack\(list\(X\)\)"),
        ({}.items(), r"dict\(X\)"),
        ({}.keys(), "the mapping itself"),
        ("data.npy", r"X is 'data.npy'.*np.load"),
        ({1.0, 2.0}, "X is a set"),
        (STRUCTURED, r"fields, \('image', 'speed'\).*X.dtype.names"),
        ({"a": {"b": np.zeros((5, 2))}}, "modality 'a' is a mapping"),
        ([{"a": 1.0}] * 5, r"list of 5 mappings.*pandas.DataFrame\(X\)"),
        (WORDS, r"X holds text \('s'\) in column 'material'.*OneHotEncoder"),
        (WORDS.astype({"material": "category"}), "column 'material'.*OneHotEncoder"),
        ({"t": WORDS}, r"modality 't' holds text .* column 'material'.*OneHotEncoder"),
        (WORDS.assign(material=pd.Timestamp("2026-01-01")), "dates in column 'material'"),
        (pd.DataFrame({"image": list(np.zeros((5, 2)))}), "arrays in column 'image'.*from_frame"),
    ],
)
def test_what_is_no_array_is_named(quick, X, match):
    with pytest.raises(TypeError, match=f"(?s){match}"):
        quick((2,)).fit(X)


@pytest.mark.parametrize(
    ("X", "match"),
    [
        (list(np.zeros((9, 4, 4))), r"list of 9 arrays of shape \(4, 4\).*np.stack\(X\)"),
        (
            [np.zeros((4 + k, 4)) for k in range(9)],
            "modality4: 8, .... If these are.*resize or pad",
        ),
        ([[1.0, 2.0], [3.0]], "differ in shape.*resize or pad"),
    ],
)
def test_samples_in_place_of_modalities(quick, X, match):
    with pytest.raises(ValueError, match=match):
        quick((2,)).fit(X)


def test_images_of_several_sizes(quick):
    with pytest.raises(TypeError, match=r"holds arrays in column 0.*resize or pad"):
        quick((2,)).fit(RAGGED)


def test_one_sample_without_its_axis(fitted, quick, pair):
    for X in ([array[0] for array in pair], {"modality0": pair[0][0], "modality1": pair[1][0]}):
        with pytest.raises(ValueError, match=r"X is one sample.*array\[None\] of each"):
            fitted.predict(X)
    with pytest.raises(ValueError, match=r"X is one sample.*X\[None\]"):
        quick((2,), max_iter=1).fit(pair[0]).predict(pair[0][0])


def test_words_are_encoded_by_the_recipe(quick):
    table = pd.concat([WORDS] * 4, ignore_index=True)
    parts = {"words": table[["material"]], "numbers": table.drop(columns=["material"])}
    prepare = ModalityTransformer({"words": OneHotEncoder(), "numbers": StandardScaler()})
    X = prepare.fit_transform(parts)
    model = quick((2,), max_iter=1).fit(X)
    names = model.modality_feature_names_in_
    assert names["words"].tolist() == ["material_g", "material_s"]
    assert names["numbers"].tolist() == ["a"]
    assert prepare.get_feature_names_out().tolist()[0] == "words__material_g"
    assert prepare.modality_feature_names_in_["words"].tolist() == ["material"]
    back = prepare.inverse_transform(X)
    assert back["words"].ravel().tolist() == table["material"].tolist()
    with pytest.raises(ValueError, match="other columns"):
        prepare.transform({**parts, "words": parts["words"].rename(columns={"material": "b"})})


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
init = Initialization(n_mixture_init=1, pretraining_epochs=1)
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
