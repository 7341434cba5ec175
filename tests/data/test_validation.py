from collections import UserDict
from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch
from gate import Gate
from numpy.testing import assert_array_equal
from scipy import sparse

from skcausalpima import CausalPIMA, MultimodalData
from skcausalpima._data.validation import fitted_form, read_modalities

Strict = partial(Gate, missing_values="error")


@pytest.fixture
def image():
    return np.random.default_rng(0).normal(size=(12, 3, 2))


@pytest.fixture
def curve():
    return np.random.default_rng(1).normal(size=(12, 4)).astype(np.float32)


def read(X):
    return Strict().fit(X).modalities_


# Every form of input ---------------------------------------------------------------------------


def forms(image, curve):
    """Return name and X of every form of the same two modalities."""
    flat = np.hstack([image.reshape(12, 6), curve])
    frame = pd.DataFrame(flat, columns=list("abcdefghij"))
    return {
        "list": [image, curve],
        "tuple": (image, curve),
        "mapping": {"modality0": image, "modality1": curve},
        "container": MultimodalData([image, curve]),
        "flat": MultimodalData.from_flat(flat, [(3, 2), (4,)]),
        "flat frame": MultimodalData.from_flat(frame, [(3, 2), (4,)]),
        "flat list": MultimodalData.from_flat(flat.tolist(), [(3, 2), 4]),
        "tensors": [torch.tensor(image, requires_grad=True), torch.tensor(curve)],
        "frame in a list": [image, pd.DataFrame(curve)],
        "lists in a mapping": {"modality0": image.tolist(), "modality1": curve.tolist()},
    }


@pytest.mark.parametrize("form", forms(np.ones((12, 3, 2)), np.ones((12, 4))))
def test_forms_are_the_same_data(image, curve, form):
    X = forms(image, curve)[form]
    estimator = Strict()
    data = read_modalities(estimator, X, reset=True)
    again = read_modalities(estimator, X, reset=False)
    for got in (data, again):
        assert got.n_samples == 12
        assert got.names == ("modality0", "modality1")
        assert got.shapes == ((3, 2), (4,))
        assert got.widths == (6, 4)
        assert got.dtype == np.float64
        assert got.observed.dtype == bool
        assert got.observed.shape == (2, 12)
        assert got.observed.all()
        assert_array_equal(got.arrays[0], image)
        assert_array_equal(got.arrays[1], curve)
    assert estimator.n_features_in_ == 10
    assert estimator.n_modalities_in_ == 2
    assert estimator.modality_names_in_.tolist() == ["modality0", "modality1"]
    assert estimator.modality_shapes_in_ == [(3, 2), (4,)]
    assert not hasattr(estimator, "feature_names_in_")
    for written in (fitted_form(estimator).write(data.arrays), again.form.write(data.arrays)):
        kind = {"mapping": dict, "lists in a mapping": dict}
        assert isinstance(
            written, type(X) if isinstance(X, MultimodalData) else kind.get(form, list)
        )
        parts = written if isinstance(written, list) else list(written.values())
        assert isinstance(parts[1], pd.DataFrame) == (form == "frame in a list")
        assert_array_equal(parts[1], curve)


@pytest.mark.parametrize(
    ("X", "shape"),
    [
        (np.arange(24.0).reshape(6, 4), (4,)),
        (np.arange(24).reshape(6, 2, 2), (2, 2)),
        (np.arange(24).reshape(6, 2, 2).tolist(), (2, 2)),
        (list(np.arange(24.0).reshape(6, 4)), (4,)),
        (np.arange(24.0).reshape(6, 4).tolist(), (4,)),
        (np.arange(24.0).reshape(6, 4).astype(object), (4,)),
        (torch.arange(24.0).reshape(6, 2, 2), (2, 2)),
        (torch.arange(24.0).reshape(6, 4).requires_grad_(), (4,)),
        (pd.DataFrame(np.arange(24.0).reshape(6, 4), columns=list("abcd")), (4,)),
        (MultimodalData([np.arange(24).reshape(6, 2, 2)]), (2, 2)),
        ({"modality0": np.arange(24).reshape(6, 2, 2)}, (2, 2)),
    ],
)
def test_one_modality(X, shape):
    estimator = Strict()
    data = read_modalities(estimator, X, reset=True)
    assert_array_equal(data.arrays[0], np.arange(24).reshape(6, *shape))
    assert data.shapes == (shape,)
    assert estimator.n_features_in_ == 4
    assert estimator.n_modalities_in_ == 1
    written = fitted_form(estimator).write(data.arrays)
    if isinstance(X, pd.DataFrame):
        pd.testing.assert_frame_equal(written, X)
    elif isinstance(X, (dict, MultimodalData)):
        assert isinstance(written, type(X))
        assert written["modality0"] is data.arrays[0]
    else:
        assert written is data.arrays[0]
    assert hasattr(estimator, "feature_names_in_") == isinstance(X, pd.DataFrame)
    assert_array_equal(read_modalities(estimator, X, reset=False).arrays[0], data.arrays[0])


def test_names_are_matched_in_any_order(image, curve):
    estimator = Strict().fit({"image": image, "curve": curve})
    for X in (
        {"curve": curve, "image": image},
        MultimodalData([curve, image], names=["curve", "image"]),
        [image, curve],
    ):
        data = estimator.read(X)
        assert data.names == ("image", "curve")
        assert_array_equal(data.arrays[0], image)
        assert_array_equal(data.arrays[1], curve)


def test_second_fit_forgets_feature_names(image, curve):
    estimator = Strict().fit(pd.DataFrame(curve, columns=list("abcd")))
    assert estimator.feature_names_in_.tolist() == list("abcd")
    estimator.fit([image, curve])
    assert not hasattr(estimator, "feature_names_in_")


def test_feature_names_are_checked(curve):
    frame = pd.DataFrame(curve, columns=list("abcd"))
    estimator = Strict().fit(frame)
    with pytest.raises(ValueError, match="feature names should match"):
        estimator.read(frame[list("dcba")])


# Missing modalities ----------------------------------------------------------------------------


def test_missing_samples(image, curve):
    image[[2, 5]] = np.nan
    curve[7] = np.nan
    before = image.copy()
    flat = np.hstack([image.reshape(12, 6), curve])
    for X in ([image, curve], MultimodalData.from_flat(flat, [(3, 2), (4,)])):
        data = read(X)
        expected = np.ones((2, 12), dtype=bool)
        expected[0, [2, 5]] = expected[1, 7] = False
        assert_array_equal(data.observed, expected)
        assert_array_equal(data.arrays[0], np.nan_to_num(image))
        assert_array_equal(data.arrays[1], np.nan_to_num(curve))
    assert_array_equal(image, before)


@pytest.mark.parametrize("container", [list, MultimodalData, dict])
def test_none_at_predict(image, curve, container):
    names = ["modality0", "modality1"]
    estimator = Strict().fit([image, curve])
    pair = [image, None]
    data = estimator.read(
        dict(zip(names, pair, strict=True)) if container is dict else container(pair)
    )
    assert data.arrays[1] is None
    assert data.shapes == ((3, 2), (4,))
    assert_array_equal(data.observed, [[True] * 12, [False] * 12])


def test_all_missing_at_predict_but_not_in_fit(image, curve):
    estimator = Strict().fit([image, curve])
    image[[1, 4]] = curve[[1, 4]] = np.nan
    assert_array_equal(np.flatnonzero(~estimator.read([image, curve]).observed.any(axis=0)), [1, 4])
    with pytest.raises(
        ValueError, match=r"no modality is observed in 2 sample\(s\), row\(s\) 1, 4: 2 of 12 rows"
    ):
        read([image, curve]).check_joined()
    read([image, curve]).check_joined(8, 0)  # a tenth of all that were seen
    with pytest.raises(ValueError, match="3 of 20 rows seen so far have no value at all"):
        read([image, curve]).check_joined(8, 1)
    gaps = np.full((9, 2), np.nan)
    gaps[8] = 1.0
    with pytest.raises(ValueError, match=r"8 sample\(s\), row\(s\) 0, 1, 2, 3, 4, \.\.\.:"):
        read([gaps, gaps]).check_joined()


# Number formats --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (bool, np.float32),
        (np.uint8, np.float32),
        (np.int16, np.float32),
        (np.float16, np.float32),
        (np.float32, np.float32),
        (">f4", np.float32),
        (np.int32, np.float64),
        (np.int64, np.float64),
        (np.uint64, np.float64),
        (">f8", np.float64),
        (np.longdouble, np.float64),
    ],
)
@pytest.mark.parametrize("layout", ["list", "one"])
def test_storage_dtypes(given, kept, layout):
    values = np.arange(12).reshape(3, 2, 2) % 2
    array = values.astype(given)
    data = read([array, array] if layout == "list" else array)
    assert data.arrays[0].dtype == kept
    assert data.arrays[0].dtype.isnative
    assert data.dtype == kept
    assert_array_equal(data.arrays[0], values)


@pytest.mark.parametrize(
    ("dtypes", "expected"),
    [
        ((np.float32, np.int64), np.float32),
        ((np.uint8, np.float16), np.float32),
        ((np.float64, np.float32), np.float64),
        ((np.uint8, np.uint8), np.float32),
        ((np.uint8, np.int64), np.float64),
    ],
)
def test_compute_dtype_is_that_of_the_floating_modalities(dtypes, expected):
    assert read([np.ones((3, 2), dtype=dtype) for dtype in dtypes]).dtype == expected


@pytest.mark.parametrize("later", [np.float32, np.float64, np.int64, np.uint8])
@pytest.mark.parametrize("fitted", [np.float32, np.float64])
def test_any_dtype_is_read_after_a_fit(fitted, later):
    values = np.arange(12).reshape(3, 2, 2)
    data = Strict().fit(values.astype(fitted)).read(values.astype(later))
    assert_array_equal(data.arrays[0], values)


def make_layout(image, layout, folder):
    if layout == "negative strides":
        return image[::-1, :, ::-1]
    if layout == "fortran":
        return np.asfortranarray(image)
    if layout == "big-endian":
        return image.astype(">f8")
    if layout == "read-only":
        image.flags.writeable = False
        return image
    mapped = np.memmap(folder / "image", mode="w+", shape=image.shape, dtype=image.dtype)
    mapped[:] = image
    mapped.flush()
    return np.memmap(folder / "image", mode="r", shape=image.shape, dtype=image.dtype)


@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize(
    "layout", ["negative strides", "fortran", "big-endian", "read-only", "memory map"]
)
def test_layouts(image, curve, layout, missing, tmp_path):
    if missing:
        image[3] = np.nan
    X = make_layout(image, layout, tmp_path)
    before = np.array(X)
    data = read([X, curve])
    got = data.arrays[0]
    assert type(got) is np.ndarray
    assert got.flags.c_contiguous
    assert got.dtype == np.dtype(np.float64)
    assert not got.flags.writeable  # it may be the caller's memory
    assert_array_equal(got, np.nan_to_num(before))
    assert_array_equal(X, before)
    if layout in ("read-only", "memory map") and not missing:
        assert np.shares_memory(got, X)


def test_duplicate_rows_and_extreme_values(curve):
    X = [np.repeat(curve[:1] * np.float32(1e20), 5, axis=0), np.full((5, 2), 1e-20)]
    data = read(X)
    for got, given in zip(data.arrays, X, strict=True):
        assert_array_equal(got, given)
    assert data.observed.all()


# Bad input -------------------------------------------------------------------------------------

ONES = np.ones((5, 2))
WITH_NAN = np.ones((5, 2, 3))
WITH_NAN[3, 1, 2] = np.nan
WITH_INF = np.ones((5, 2, 3))
WITH_INF[2, 0, 0] = -np.inf
HUGE_NAN = np.full((5, 2), np.nan)
HUGE_NAN[0] = np.inf


@pytest.mark.parametrize(
    ("X", "error", "match"),
    [
        ([], ValueError, "empty list"),
        ((), ValueError, "empty list"),
        ({}, ValueError, "no modality"),
        ([None], ValueError, "list of one modality"),
        ([None, None], ValueError, "no modality"),
        ([ONES], ValueError, r"list of one modality \(a ndarray of shape \(5, 2\)\).*GridSearchCV"),
        ([ONES], ValueError, r"wrap the modalities in MultimodalData\(\[\.\.\.\]\)"),
        ((ONES,), ValueError, "list of one modality"),
        ([ONES, None], ValueError, "'modality1' is None: in fit every modality is needed"),
        ([ONES, np.float64(5)], ValueError, r"'modality1' has shape \(\): expected"),
        ({"a": ONES, "b": 3.0}, ValueError, r"'b' has shape \(\): expected"),
        ({"a": ONES, 3: ONES}, TypeError, "must be strings, got 3"),
        ([ONES, WITH_NAN], ValueError, "'modality1' contains NaN in 1 of 6 elements of sample 3"),
        ([ONES, HUGE_NAN], ValueError, "'modality1' contains infinity in sample 0"),
        ([ONES, ONES * np.nan], ValueError, r"'modality1' is missing in all samples"),
        ([ONES, ONES * 1j], ValueError, "Complex data not supported: modality 'modality1'"),
        ([ONES, ONES.astype(object)], TypeError, "'modality1' has dtype object, expected numbers"),
        ([ONES, ONES.astype(str)], TypeError, "'modality1' has dtype <U32, expected numbers"),
        ([ONES, ONES.astype("M8[s]")], TypeError, "'modality1' holds dates in the columns 0, 1"),
        ([ONES, sparse.csr_array((10**6, 10**4))], ValueError, "'modality1' is sparse.*74.5 GiB"),
        ({"a": ONES, "b": sparse.dok_array((10**6, 10**4))}, ValueError, "'b' is sparse.*4 GiB"),
        ([ONES, np.ma.masked_equal(ONES, 1)], TypeError, "masked array"),
        ([ONES[:1], ONES[:1]], ValueError, r"1 sample\(s\), n_samples=1, while a minimum of 2"),
        ([ONES[:0], ONES[:0]], ValueError, r"0 sample\(s\)"),
        ([ONES, np.ones((5, 3, 0))], ValueError, r"'modality1' has samples of shape \(3, 0\)"),
        (MultimodalData([np.ones((5, 0))]), ValueError, "no elements"),
        (MultimodalData([HUGE_NAN[1:]]), ValueError, "missing"),
        # one array: scikit-learn's own words
        (sparse.csr_array((10**6, 10**4)), TypeError, "X is a sparse.*74.5 GiB.*TruncatedSVD"),
        (sparse.dok_array((5, 2)), TypeError, r"X is a sparse.*X.toarray\(\)"),
        (np.ones(5), ValueError, "Reshape your data"),
        ([1.0, 2.0], ValueError, "Reshape your data"),
        (torch.ones(5), ValueError, "Reshape your data"),
        (np.float64(5), ValueError, "X is .*5.0.*Expected 2D array"),
        (None, ValueError, "X is None.*Expected 2D array"),
        (ONES * 1j, ValueError, "Complex data not supported"),
        (WITH_NAN[:, 1], ValueError, "contains NaN"),
        (WITH_NAN, ValueError, "contains NaN"),
        (WITH_NAN * 1j, ValueError, "Complex data not supported"),
        (ONES.astype(str), ValueError, "Convert your data to numeric"),
        (ONES.astype("M8[s]"), TypeError, "'modality0' holds dates in the columns 0, 1"),
        (np.array([[{}, 1], [1, 1]], dtype=object), TypeError, "must be a string or a real number"),
        (ONES[:1], ValueError, r"1 sample\(s\)"),
        (np.ones((1, 2, 2)), ValueError, r"1 sample\(s\)"),
        (np.ones((0, 2, 2)), ValueError, r"0 sample\(s\)"),
        (np.ones((5, 0)), ValueError, r"0 feature\(s\)"),
        (np.ones((5, 0, 3)), ValueError, r"0 feature\(s\)"),
        ([np.ones(3), np.ones(4)], ValueError, r"differ in shape.*np\.reshape"),
        (np.ma.masked_equal(ONES, 1), TypeError, "masked array"),
    ],
)
def test_bad_input_in_fit(X, error, match):
    with pytest.raises(error, match=f"(?s){match}"):
        read(X)


def test_partial_nan_and_inf_in_a_flat_array():
    X = np.ones((4, 5))
    X[:, 3:] = [[1, 1], [np.nan, np.nan], [1, np.nan], [1, 1]]
    with pytest.raises(ValueError, match="'modality1' contains NaN in 1 of 2 elements of sample 2"):
        read(MultimodalData.from_flat(X, [3, 2]))
    X[2] = np.inf
    with pytest.raises(ValueError, match="contains infinity"):
        read(MultimodalData.from_flat(X, [3, 2]))
    with pytest.raises(ValueError, match="contains NaN"):  # one modality: as scikit-learn
        read(np.full((4, 5), np.nan))


@pytest.mark.parametrize("write", [np.asarray, pd.DataFrame, lambda X: X[:, :, None]])
def test_infinities_of_both_signs_are_one_error_without_a_warning(write):
    X = np.ones((9, 2))
    X[3:5] = [[np.inf], [-np.inf]]
    for dtype in (np.float64, np.float32):
        with pytest.raises(ValueError, match="infinity"):
            read(write(X.astype(dtype)))
        with pytest.raises(ValueError, match="infinity"):
            Gate().fit(np.ones((9, 2))).read(X.astype(dtype))


def test_numbers_that_single_precision_cannot_add_up_are_numbers():
    X = np.repeat(np.array([[3e38, 3e38, -3e38, -3e38]], dtype=np.float32), 20, axis=0).T
    assert_array_equal(read(X).arrays[0], X)


@pytest.mark.parametrize(
    ("X", "match"),
    [
        ([ONES, ONES, ONES], r"list of 3 modalities, but Gate was fitted on 2 modalities \(image"),
        ([ONES], "list of one modality"),
        ({"image": ONES}, r"has the modalities \['image'\], but Gate was fitted on 2"),
        ({"image": ONES, "sound": ONES}, r"modalities \['image', 'sound'\], but Gate was fitted"),
        (MultimodalData([ONES, ONES]), r"modalities \['modality0', 'modality1'\], but Gate"),
        (
            [np.ones((5, 2, 3)), ONES],
            r"'image' has samples of shape \(2, 3\), .* \(n_samples, 3, 2\)",
        ),
        ({"curve": np.ones((5, 3)), "image": None}, r"'curve' has samples of shape \(3,\)"),
        (np.ones((5, 10)), r"one array \(a ndarray of shape \(5, 10\)\), but Gate was fitted on 2"),
        (np.ones((5, 3, 2)), "one array .* but Gate was fitted on 2"),
        (pd.DataFrame(ONES), "one array .* but Gate was fitted on 2"),
        ([None, None], "no modality"),
        ([np.ones((0, 3, 2)), np.ones((0, 4))], "0 samples"),
        ([WITH_NAN.reshape(5, 3, 2), None], "'image' contains NaN in 1 of 6 elements of sample 3"),
        ({"curve": None, "image": WITH_INF.reshape(5, 3, 2)}, "infinity in sample 2"),
    ],
)
def test_bad_input_at_predict(image, curve, X, match):
    estimator = Strict().fit({"image": image, "curve": curve})
    state = {key: value for key, value in vars(estimator).items() if key.endswith("in_")}
    with pytest.raises(ValueError, match=match):
        estimator.read(X)
    assert all(vars(estimator)[key] is value for key, value in state.items())


@pytest.mark.parametrize(
    ("X", "match"),
    [
        (np.ones((5, 7)), "X has 7 features, but Gate is expecting 6 features as input"),
        (np.ones((5, 6)), r"'modality0' has samples of shape \(6,\), .* \(n_samples, 3, 2\)"),
        (np.ones((5, 2, 3)), r"'modality0' has samples of shape \(2, 3\)"),
        (np.ones((0, 3, 2)), "0 samples"),
        ([ONES, ONES], r"list of 2 modalities, but Gate was fitted on 1 modality"),
        ([np.ones((5, 3, 2))], "list of one modality"),
    ],
)
def test_bad_input_at_predict_of_one_modality(image, X, match):
    estimator = Strict().fit(image)
    with pytest.raises(ValueError, match=match):
        estimator.read(X)


def test_one_sample_at_predict(image, curve):
    assert Strict().fit([image, curve]).read([image[:1], curve[:1]]).n_samples == 1


def test_a_flat_array_at_predict_says_how_it_is_cut():
    estimator = Strict().fit(MultimodalData.from_flat(np.ones((4, 5)), [3, 2]))
    for X in (np.ones((4, 5)), np.ones((4, 5, 1))):
        with pytest.raises(
            ValueError, match=r"X is one array .*MultimodalData.from_flat\(X, shapes"
        ):
            estimator.read(X)


# scikit-learn's tools --------------------------------------------------------------------------


def test_other_mappings_of_data_arrays_are_checked_as_dicts_are():
    xarray = pytest.importorskip("xarray")
    curve = xarray.DataArray(np.random.default_rng(0).normal(size=(4, 4)), dims=("n", "time"))
    X = UserDict(curve=curve, other=curve.transpose())
    with pytest.raises(ValueError, match="'other' begins with the axis 'time'"):
        read(X)


def test_columns_of_one_name_are_told_of():
    """scikit-learn 1.9 refuses them in words of a library that the user has not called."""
    frame = pd.DataFrame(np.arange(12.0).reshape(4, 3), columns=["x", "x", "y"])
    for X in (frame, frame.assign(word=["a", "b"] * 2)):
        with pytest.raises(ValueError, match="several columns called 'x': give each a name"):
            read_modalities(CausalPIMA(2), X, reset=True)
    both = read_modalities(CausalPIMA(2), {"a": frame, "b": frame.to_numpy()}, reset=True)
    assert_array_equal(*both.arrays)  # modalities have names, not their columns
