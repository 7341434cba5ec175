import pickle

import joblib
import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.linear_model import Ridge
from sklearn.model_selection import GroupKFold, KFold, StratifiedKFold, train_test_split
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import _safe_indexing, check_consistent_length, indexable, resample, shuffle
from sklearn.utils.validation import _num_samples

from skcausalpima._data.multimodal_data import MultimodalData


@pytest.fixture
def arrays():
    rng = np.random.default_rng(0)
    return [rng.normal(size=(12, 3, 2)), rng.normal(size=(12, 4)).astype(np.float32)]


@pytest.fixture
def data(arrays):
    return MultimodalData(arrays, names=["image", "curve"])


def test_is_seen_as_samples_times_modalities(data, arrays):
    assert data.shape == (12, 2)
    assert data.ndim == 2
    assert len(data) == _num_samples(data) == 12
    assert data.names == ("image", "curve")
    assert data.arrays[0] is arrays[0]  # nothing is copied
    assert data["curve"] is arrays[1]
    assert data.modality_shapes == [(3, 2), (4,)]
    assert data.dtypes == (np.float64, np.float32)
    assert not hasattr(data, "iloc")


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (3, [3]),
        (-1, [11]),
        (np.int64(2), [2]),
        (slice(2, 9, 3), [2, 5, 8]),
        ([5, 0, 5], [5, 0, 5]),
        (np.array([-1, 1]), [11, 1]),
        (np.arange(12) % 2 == 0, [0, 2, 4, 6, 8, 10]),
        ([True] + [False] * 11, [0]),
        ([], []),
    ],
)
def test_rows(data, arrays, rows, expected):
    for chosen in (data[rows], data[rows, ...], _safe_indexing(data, rows)):
        assert isinstance(chosen, MultimodalData)
        assert chosen.names == data.names
        assert chosen.shape == (len(expected), 2)
        for part, array in zip(chosen.arrays, arrays, strict=True):
            assert_array_equal(part, array[expected])


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (1, ["curve"]),
        (-2, ["image"]),
        ("curve", ["curve"]),
        ([1, 0], ["curve", "image"]),
        (["curve", "image"], ["curve", "image"]),
        (np.array(["image"]), ["image"]),
        (slice(1, None), ["curve"]),
        ([False, True], ["curve"]),
    ],
)
def test_columns(data, columns, expected):
    chosen = data[:, columns]
    assert chosen.names == tuple(expected)
    assert all(chosen[name] is not None and len(chosen[name]) == 12 for name in expected)
    assert_array_equal(data[[3, 1], columns][expected[0]], data[expected[0]][[3, 1]])
    if not isinstance(columns, str) and np.asarray(columns).dtype.kind != "U":
        assert _safe_indexing(data, columns, axis=1) == chosen


def test_slices_are_views(data, arrays):
    for part, array in zip(data[2:7].arrays, arrays, strict=True):
        assert np.shares_memory(part, array)
    assert np.shares_memory(data[4]["image"], arrays[0])
    assert np.shares_memory(data[:, ["curve"]]["curve"], arrays[1])
    flat = data.to_flat()
    for part in MultimodalData.from_flat(flat, data.modality_shapes).arrays:
        assert np.shares_memory(part, flat)


def test_iteration_gives_samples_and_ends(data):
    assert MultimodalData.concatenate(list(data)) == data


@pytest.mark.parametrize(
    ("key", "error", "match"),
    [
        (12, IndexError, "no sample 12, only 12 samples"),
        (1.5, IndexError, "samples are chosen by"),
        (["image"], IndexError, "samples are chosen by"),
        (None, IndexError, "samples are chosen by"),
        (True, IndexError, "samples are chosen by"),
        ([True, False], IndexError, "boolean"),
        ("sound", KeyError, "no modality 'sound'"),
        ((slice(None), 2), IndexError, "no modality 2, only 2"),
        ((slice(None), "sound"), KeyError, "no modality 'sound'"),
        ((slice(None), [True]), IndexError, "mask of modalities must have length 2"),
        ((slice(None), 0.5), IndexError, "by its name or position"),
        ((slice(None), []), ValueError, "no modality"),
        ([[1], [1, 2]], IndexError, "samples are"),
        ((slice(None), [[1], 2]), IndexError, "modalities are"),
        ((0, 0, 0), IndexError, r"at most two indices, X\[rows, columns\], got 3"),
    ],
)
def test_bad_keys(data, key, error, match):
    with pytest.raises(error, match=match):
        data[key]


def test_is_never_one_array_silently(data):
    with pytest.raises(TypeError, match="to_flat"):
        np.asarray(data)
    with pytest.raises(TypeError, match="to_flat"):
        Ridge().fit(data, np.zeros(12))


def test_mapping_tensor_frame_and_list_are_read(arrays):
    frame = pd.DataFrame({"a": [1, 2], "b": pd.array([0.5, None], dtype="Float64")})
    data = MultimodalData(
        {
            "tensor": torch.ones(2, 3, requires_grad=True),
            "frame": frame,
            "list": [[1, 2], [3, 4]],
            "absent": None,
        }
    )
    assert data.names == ("tensor", "frame", "list", "absent")
    assert_array_equal(data["tensor"], np.ones((2, 3)))
    assert_array_equal(data["frame"], [[1, 0.5], [2, np.nan]])
    assert_array_equal(data["list"], [[1, 2], [3, 4]])
    assert data["absent"] is None
    assert data[:1]["absent"] is None
    assert data.modality_shapes[3] is None


def test_is_a_mapping(data):
    assert list(data.keys()) == ["image", "curve"]
    assert dict(data)["curve"] is data["curve"]
    assert [name for name, array in data.items() if array.ndim == 3] == ["image"]
    assert next(iter(data.values())) is data["image"]
    assert "image" in data
    assert "sound" not in data


def test_default_names(arrays):
    assert MultimodalData(tuple(arrays)).names == ("modality0", "modality1")


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        (([],), ValueError, "no modality"),
        (({},), ValueError, "no modality"),
        (([None, None],), ValueError, "no modality"),
        (([np.ones((3, 2)), 5.0],), ValueError, r"'modality1' has shape \(\)"),
        (([sparse.csr_array((10**6, 10**4))],), ValueError, "sparse.*74.5 GiB"),
        ((sparse.dok_array((3, 3)),), TypeError, "expected a sequence with one array"),
        ((np.ones((3, 2)),), TypeError, "sequence with one array per modality"),
        (("text",), TypeError, "arrays is 'text': expected a sequence with one array per modality"),
        (([np.ones((3, 2))], ["a", "b"]), ValueError, "expected 1 names"),
        (([np.ones((3, 2))] * 2, ["a", "a"]), ValueError, "unique"),
        ((MultimodalData,), TypeError, "arrays is the class"),
        (([np.ones((3, 2))], 5), TypeError, "names is a int"),
        (([np.ones((3, 2))] * 2, "ab"), TypeError, "sequence with one name"),
        (([np.ones((3, 2))], [0]), TypeError, "must be strings, got 0"),
        (({"a": np.ones((3, 2))}, ["a"]), TypeError, "names is given twice"),
        (([np.ma.masked_greater(np.ones((3, 2)), 0)],), TypeError, "masked array: fill it"),
    ],
)
def test_bad_arguments(arguments, error, match):
    with pytest.raises(error, match=match):
        MultimodalData(*arguments)


def test_equality(data, arrays):
    assert data == MultimodalData(arrays, ["image", "curve"])
    assert data != MultimodalData(arrays, ["image", "line"])
    assert data != data[:, ["curve", "image"]]
    assert data != data[:5]
    assert data != MultimodalData([arrays[0] + 1, arrays[1]], data.names)
    assert data != arrays
    gaps = MultimodalData([np.full((2, 3), np.nan), None, np.array([["a"], ["b"]])])
    assert gaps == pickle.loads(pickle.dumps(gaps))
    assert gaps != MultimodalData([np.full((2, 3), np.nan), np.ones((2, 1)), gaps.arrays[2]])


def test_repr_says_what_is_missing(arrays):
    image, curve = arrays
    image[[1, 4]] = np.nan
    image[0, 0, 0] = np.nan  # a partial NaN is not a missing modality
    data = MultimodalData({"image": image, "curve": curve, "<b>": None})
    assert repr(data) == (
        "MultimodalData(12 samples, image: (3, 2) float64, 2 missing, curve: (4,) float32, "
        "<b>: missing)"
    )
    assert repr(data[0]).startswith("MultimodalData(1 sample, ")
    assert "<b>" not in data._repr_html_()
    assert "&lt;b&gt;" in data._repr_html_()
    for text in ("12 samples", "(3, 2) float64, 2 missing", "(4,) float32", "missing"):
        assert text in data._repr_html_()
    assert "1 sample<" in data[0]._repr_html_()


def test_flat_and_back(data, arrays):
    flat = data.to_flat()
    assert_array_equal(flat, np.hstack([arrays[0].reshape(12, 6), arrays[1]]))
    back = MultimodalData.from_flat(flat, data.modality_shapes, data.names)
    assert back == data
    assert np.shares_memory(back["image"], flat)
    assert MultimodalData.from_flat(flat, [6, 4]).modality_shapes == [(6,), (4,)]


@pytest.mark.parametrize(
    ("shapes", "error", "match"),
    [
        ([(3, 2), (5,)], ValueError, "add up to 11 columns"),
        ([], ValueError, "is empty"),
        ([(3, 0)], ValueError, "positive integers"),
        ([(3, 2.0)], ValueError, "positive integers"),
        ([()], ValueError, "one shape per modality"),
        (["ab"], ValueError, "one shape per modality"),
        (np.ones((2, 1, 1), int), ValueError, "shapes holds"),
        (10, TypeError, "shapes is 10.*one shape per modality"),
        ("10", TypeError, "one shape per modality"),
    ],
)
def test_from_flat_bad_shapes(data, shapes, error, match):
    with pytest.raises(error, match=match):
        MultimodalData.from_flat(data.to_flat(), shapes)


def test_to_flat_errors(arrays):
    with pytest.raises(ValueError, match="'modality1' is None"):
        MultimodalData([arrays[0], None]).to_flat()
    with pytest.raises(TypeError, match="only numbers"):
        MultimodalData([np.array([["a"], ["b"]]), np.ones((2, 2))]).to_flat()


def test_from_frame_with_array_cells(arrays):
    image, curve = arrays
    frame = pd.DataFrame({"image": list(image), "curve": list(curve), "age": np.arange(12.0)})
    data = MultimodalData.from_frame(frame)
    assert data.names == ("image", "curve", "age")
    assert_array_equal(data["image"], image)
    assert data["curve"].dtype == np.float32
    assert_array_equal(data["age"][:, 0], np.arange(12.0))
    frame.at[3, "image"] = None
    gap = MultimodalData.from_frame(frame)["image"]
    assert np.isnan(gap[3]).all()
    assert_array_equal(np.delete(gap, 3, axis=0), np.delete(image, 3, axis=0))
    frame.at[5, "image"] = np.ones(3)
    with pytest.raises(ValueError, match="arrays of one shape"):
        MultimodalData.from_frame(frame)


def test_from_frame_knows_all_empty_cells():
    empty = [None, np.nan, pd.NA, pd.NaT]
    frame = pd.DataFrame(
        {
            "image": pd.Series([*empty, np.ones((2, 2))], dtype=object),
            "count": pd.array([1, None, 3, 4, 5], dtype="Int64"),
            "word": list("abcde"),
            "absent": [None, *empty],
        }
    )
    data = MultimodalData.from_frame(frame)
    assert_array_equal(data["image"][4], np.ones((2, 2)))
    assert np.isnan(data["image"][:4]).all()
    assert_array_equal(data["count"], [[1], [np.nan], [3], [4], [5]])
    assert_array_equal(data["word"], frame[["word"]])
    assert data["absent"] is None


@pytest.mark.parametrize(
    ("frame", "error", "match"),
    [
        ([1, 2], TypeError, "frame is a list: expected a pandas DataFrame"),
        (pd.DataFrame({"a": []}), ValueError, "'a' has no cells"),
        (pd.DataFrame({"a": [None]}), ValueError, "no modality"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), ValueError, "unique"),
        (pd.DataFrame([[1, 2]]), TypeError, "must be strings, got 0"),
        (
            pd.DataFrame({"a": ["x", None]}),
            TypeError,
            "'a' has .* and float32, which cannot be put",
        ),
        (pd.DataFrame({"a": [[1, 2], ["x", "y"]]}), TypeError, "'a' .* cannot be put together"),
        (
            pd.DataFrame([[1]], columns=pd.MultiIndex.from_tuples([("a", "b", "c")])),
            ValueError,
            "frame has 3 levels of columns: expected one or two",
        ),
    ],
)
def test_bad_frames(frame, error, match):
    with pytest.raises(error, match=match):
        MultimodalData.from_frame(frame)


def test_from_frame_with_two_levels():
    columns = pd.MultiIndex.from_tuples([("b", "x"), ("a", "x"), ("b", "y")])
    data = MultimodalData.from_frame(
        pd.DataFrame([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], columns=columns)
    )
    assert data.names == ("b", "a")
    assert_array_equal(data["b"], [[1, 3], [4, 6]])
    assert_array_equal(data["a"], [[2], [5]])


def test_concatenate(data, arrays):
    assert MultimodalData.concatenate([data[:5], data[5:, ["curve", "image"]]]) == data
    gap = MultimodalData([arrays[0][:2], None], data.names)
    joined = MultimodalData.concatenate([gap, data])
    assert joined.shape == (14, 2)
    assert joined["curve"].dtype == np.float32
    assert np.isnan(joined["curve"][:2]).all()
    assert MultimodalData.concatenate([gap, gap])["curve"] is None
    with pytest.raises(ValueError, match="parts is empty"):
        MultimodalData.concatenate([])
    with pytest.raises(ValueError, match=r"must have the modalities \['image', 'curve'\]"):
        MultimodalData.concatenate([data, data[:, "image"]])
    with pytest.raises(ValueError, match="'curve' must have one shape"):
        MultimodalData.concatenate(
            [data, MultimodalData([arrays[0], np.ones((12, 5))], data.names)]
        )


def test_concatenate_never_makes_words_of_numbers(data):
    words = MultimodalData([np.full((3, 3, 2), "a"), np.ones((3, 4))], data.names)
    assert MultimodalData.concatenate([words, words])["image"].shape == (6, 3, 2)
    with pytest.raises(
        TypeError, match="'image' has float64 and <U1, which cannot be put together"
    ):
        MultimodalData.concatenate([data, words])
    absent = MultimodalData({"image": None, "curve": np.ones((3, 4))})
    with pytest.raises(TypeError, match="'image' has <U1 and float32, which cannot be put"):
        MultimodalData.concatenate([words, absent])
    with pytest.raises(TypeError, match=r"holds a ndarray .* expected a sequence of Multimodal"):
        MultimodalData.concatenate([data, data["image"]])


def test_pickle_and_memory_map(data, tmp_path):
    assert pickle.loads(pickle.dumps(data)) == data
    joblib.dump(data, tmp_path / "X.joblib")
    mapped = joblib.load(tmp_path / "X.joblib", mmap_mode="r")
    assert mapped == data
    assert isinstance(mapped.arrays[0], np.memmap)
    assert np.shares_memory(mapped[:4].arrays[0], mapped.arrays[0])
    assert joblib.hash(mapped[:4]["image"]) == joblib.hash(data[:4]["image"])


def test_splitters_choose_the_same_samples_as_of_a_flat_array(data):
    flat, y, groups = data.to_flat(), np.arange(12) % 2, np.arange(12) // 3
    for pieces, flat_pieces in (
        (train_test_split(data, random_state=0), train_test_split(flat, random_state=0)),
        ([shuffle(data, random_state=1)], [shuffle(flat, random_state=1)]),
        (
            [resample(data, random_state=1, stratify=y)],
            [resample(flat, random_state=1, stratify=y)],
        ),
    ):
        for piece, flat_piece in zip(pieces, flat_pieces, strict=True):
            assert_array_equal(piece.to_flat(), flat_piece)
    for splitter in (KFold(3), StratifiedKFold(3), GroupKFold(3)):
        given = groups if isinstance(splitter, GroupKFold) else None
        pairs = zip(splitter.split(data, y, given), splitter.split(flat, y, given), strict=True)
        for (rows, _), (flat_rows, _) in pairs:
            assert_array_equal(_safe_indexing(data, rows).to_flat(), flat[flat_rows])
    check_consistent_length(data, y)
    assert indexable(data, y)[0] is data


def test_clone_of_an_estimator_that_holds_one(data):
    assert clone(FunctionTransformer(kw_args={"data": data})).kw_args["data"] == data


@pytest.mark.parametrize("parts", [[5], 5, None, [None], ["x"]])
def test_parts_that_are_no_containers(parts):
    with pytest.raises(TypeError, match="parts"):
        MultimodalData.concatenate(parts)
