import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import multivariate_normal
from sklearn.base import BaseEstimator
from sklearn.preprocessing import StandardScaler

import skcausalpima._data.arrays as modality_arrays
from skcausalpima import CausalPIMA
from skcausalpima._data.scaling import ModalityScaler, resolve_scale
from skcausalpima._data.units import MAX_DEVIATION
from skcausalpima._data.validation import read_modalities


def read(arrays, estimator=None):
    if estimator is None:
        return read_modalities(BaseEstimator(), arrays, reset=True)
    return read_modalities(estimator, arrays, reset=False)


@pytest.fixture
def arrays():
    rng = np.random.default_rng(0)
    image = 3.0 + rng.normal(size=(50, 4, 3)) * rng.uniform(0.1, 5.0, size=(4, 3))
    curve = -7.0 + 2.0 * rng.normal(size=(50, 5))
    return [image, curve]


@pytest.fixture(params=[None, 7], ids=["one block", "blocks of one row"])
def _blocks(request, monkeypatch):
    if request.param is not None:
        monkeypatch.setattr(modality_arrays, "BLOCK_ELEMENTS", request.param)


@pytest.mark.usefixtures("_blocks")
def test_feature_is_standard_scaler(arrays):
    data = read(arrays)
    scaled = ModalityScaler.fit(data, "feature").transform(data)
    for got, array in zip(scaled, arrays, strict=True):
        assert_allclose(got, StandardScaler().fit_transform(array.reshape(50, -1)), atol=1e-12)


@pytest.mark.usefixtures("_blocks")
def test_modality_has_mean_variance_one_and_keeps_ratios(arrays):
    data = read(arrays)
    scaler = ModalityScaler.fit(data, "modality")
    for k, scaled in enumerate(scaler.transform(data)):
        assert_allclose(scaled.mean(axis=0), 0.0, atol=1e-12)
        assert_allclose(scaled.var(axis=0).mean(), 1.0)
        assert np.ndim(scaler.factor[k]) == 0
        flat = arrays[k].reshape(50, -1)
        assert_allclose(scaled.std(axis=0) * scaler.factor[k], flat.std(axis=0))


def test_none_changes_nothing_but_copies(arrays):
    data = read(arrays)
    scaler = ModalityScaler.fit(data, None)
    for scaled, array in zip(scaler.transform(data), arrays, strict=True):
        assert_array_equal(scaled, array.reshape(50, -1))
        assert not np.shares_memory(scaled, array)
    assert_array_equal(scaler.log_jacobian(data.observed), np.zeros(50))


def test_one_word_per_modality(arrays):
    data = read({"image": arrays[0], "curve": arrays[1]})
    by_order = ModalityScaler.fit(data, ["feature", None])
    by_name = ModalityScaler.fit(data, {"curve": None, "image": "feature"})
    for scaler in (by_order, by_name):
        assert_allclose(scaler.factor[0], arrays[0].std(axis=0))
        assert scaler.factor[1] == 1.0
        assert_array_equal(scaler.centre[1], np.zeros(5))


@pytest.mark.usefixtures("_blocks")
@pytest.mark.parametrize("scale", ["modality", "feature", None])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_inverse(arrays, scale, dtype):
    arrays = [array.astype(dtype) for array in arrays]
    data = read(arrays)
    scaler = ModalityScaler.fit(data, scale)
    scaled = scaler.transform(data)
    assert all(part.dtype == dtype and part.flags.writeable for part in scaled)
    stacked = [np.stack([part, part])[:, :4] for part in scaled]
    for back, array in zip(scaler.inverse_transform(stacked), arrays, strict=True):
        assert back.dtype == dtype
        assert back.shape == (2, 4, *array.shape[1:])
        assert_allclose(back[1], array[:4], rtol=20 * np.finfo(dtype).eps)


@pytest.mark.parametrize("scale", ["modality", "feature"])
def test_log_jacobian_turns_scaled_densities_into_those_in_user_units(arrays, scale):
    arrays[1][:3] = np.nan
    data = read(arrays)
    scaler = ModalityScaler.fit(data, scale)
    total = scaler.log_jacobian(data.observed)
    for k, scaled in enumerate(scaler.transform(data)):
        width = scaled.shape[1]
        factor = np.broadcast_to(scaler.factor[k], data.shapes[k]).ravel()
        in_units = multivariate_normal(scaler.centre[k].ravel(), np.diag(factor**2))
        in_scaled = multivariate_normal(np.zeros(width))
        seen = data.observed[k]
        flat = data.arrays[k].reshape(50, -1)
        total[seen] += in_scaled.logpdf(scaled[seen]) - in_units.logpdf(flat[seen])
    assert_allclose(total, 0.0, atol=1e-10)


@pytest.mark.usefixtures("_blocks")
@pytest.mark.parametrize("scale", ["modality", "feature"])
def test_missing_samples_do_not_count_and_stay_zero(arrays, scale):
    gaps = [arrays[0], arrays[1].copy()]
    gaps[1][10:20] = np.nan
    data = read(gaps)
    scaler = ModalityScaler.fit(data, scale)
    rest = ModalityScaler.fit(read([a[np.r_[:10, 20:50]] for a in arrays]), scale)
    assert_allclose(scaler.centre[1], rest.centre[1], rtol=1e-13)
    assert_allclose(scaler.factor[1], rest.factor[1], rtol=1e-13)
    assert_array_equal(scaler.transform(data)[1][10:20], np.zeros((10, 5)))


def test_absent_modality_is_zero(arrays):
    estimator = BaseEstimator()
    data = read_modalities(estimator, arrays, reset=True)
    scaler = ModalityScaler.fit(data, "modality")
    absent = scaler.transform(read([arrays[0], None], estimator))[1]
    assert absent.dtype == np.float64
    assert_array_equal(absent, np.zeros((50, 5)))


@pytest.mark.parametrize("scale", ["modality", "feature"])
def test_integer_weights_are_repetitions_and_zero_drops(arrays, scale):
    weights = np.random.default_rng(1).integers(0, 4, size=50).astype(float)
    arrays[0][weights == 0] = 1e3  # does not count
    rows = np.repeat(np.arange(50), weights.astype(int))
    weighted = ModalityScaler.fit(read(arrays), scale, weights)
    repeated = ModalityScaler.fit(read([array[rows] for array in arrays]), scale)
    for k in range(2):
        assert_allclose(weighted.centre[k], repeated.centre[k], rtol=1e-12)
        assert_allclose(weighted.factor[k], repeated.factor[k], rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("scale", ["modality", "feature"])
@pytest.mark.parametrize("size", [1e-20, 1e20, 1e-30])
def test_scale_of_the_values_does_not_matter(arrays, dtype, scale, size):
    plain = read([array.astype(dtype) for array in arrays])
    sized = read([(array * size).astype(dtype) for array in arrays])
    expected = ModalityScaler.fit(plain, scale).transform(plain)
    scaler = ModalityScaler.fit(sized, scale)
    for got, want in zip(scaler.transform(sized), expected, strict=True):
        assert_allclose(got, want, atol=50 * np.finfo(dtype).eps)
    back = scaler.inverse_transform(scaler.transform(sized))
    assert_allclose(back[0] / size, plain.arrays[0], rtol=1e-4 if dtype == np.float32 else 1e-9)


@pytest.mark.parametrize("size", [1e-200, 1e200])
def test_squares_beyond_float64(arrays, size):
    plain, sized = read(arrays), read([array * size for array in arrays])
    for scale in ("modality", "feature"):
        expected = ModalityScaler.fit(plain, scale).transform(plain)
        for got, want in zip(
            ModalityScaler.fit(sized, scale).transform(sized), expected, strict=True
        ):
            assert_allclose(got, want, atol=1e-12)


def test_too_large_for_float64():
    with pytest.raises(ValueError, match="'modality0' are too large for float64"):
        ModalityScaler.fit(read(np.full((4, 2), 1.5e308)), "modality")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("value", [0.0, 0.1, -1e6 / 3, 1e20, 1e-20])
def test_constant_features_have_factor_one(dtype, value):
    x = np.full((1001, 3), value, dtype=dtype)
    x[:, 1] = np.arange(1001)
    constant = read(x[:, [0, 2]])
    for scale in ("modality", "feature"):
        scaler = ModalityScaler.fit(constant, scale)
        assert_array_equal(scaler.factor[0], np.ones_like(scaler.factor[0]))
        bound = 4 * np.finfo(np.float64).eps * abs(value)
        assert_allclose(scaler.transform(constant)[0], 0.0, atol=bound)
    data = read(x)
    factor = ModalityScaler.fit(data, "feature").factor[0]
    assert_array_equal(factor[[0, 2]], [1.0, 1.0])
    assert_allclose(factor[1], np.arange(1001).std())
    assert_allclose(
        ModalityScaler.fit(data, "modality").factor[0], np.arange(1001).std() / np.sqrt(3)
    )


def test_rounding_noise_is_constant_but_small_variation_is_not():
    rng = np.random.default_rng(0)
    x = 1e10 + 1e-3 * rng.normal(size=(100_000, 2))  # rounds to multiples of 2e-6
    x[:, 0] = 1e10 * (1 + np.finfo(float).eps * rng.integers(-2, 3, size=100_000))
    factor = ModalityScaler.fit(read(x), "feature").factor[0]
    assert factor[0] == 1.0
    assert_allclose(factor[1], x[:, 1].astype(np.longdouble).std(), rtol=1e-6)


def test_mean_far_from_zero_is_exact_in_float32():
    x = (1e4 + np.arange(20_000).reshape(10_000, 2) % 7).astype(np.float32)
    data = read(x)
    scaled = ModalityScaler.fit(data, "feature").transform(data)[0]
    assert_allclose(scaled, StandardScaler().fit_transform(x.astype(float)), atol=1e-6)


def test_input_is_not_written_and_result_is_plain(arrays):
    for array in arrays:
        array.flags.writeable = False
    before = [array.copy() for array in arrays]
    data = read(arrays)
    scaler = pickle.loads(pickle.dumps(ModalityScaler.fit(data, "feature")))
    scaler.transform(data)[0][:] = 5.0
    assert_array_equal(arrays[0], before[0])
    assert {type(part) for part in (*scaler.centre, *scaler.factor)} == {np.ndarray}


@pytest.mark.parametrize(
    ("scale", "error", "match"),
    [
        ("sample", ValueError, "must be one of .* got 'sample'"),
        (["modality"], ValueError, "one entry per modality, 2, got 1"),
        (["modality", 3], ValueError, "got 3"),
        ({"images": None}, ValueError, r"names the modalities \['images'\], but X has .*'curve'\]"),
        (3, TypeError, "must be one of"),
    ],
)
def test_bad_scale(scale, error, match):
    with pytest.raises(error, match=match):
        resolve_scale(scale, ["image", "curve"])


def test_rare_words_stay_near_numbers():
    """3000 words were more than fifty standard deviations of a number away, and numbers three."""
    pd = pytest.importorskip("pandas")
    rng, words = np.random.default_rng(0), np.arange(4000) % 800
    frame = pd.DataFrame({"x": rng.normal(size=4000), "word": [f"w{k}" for k in words]})
    with pytest.warns(UserWarning, match="'word' has 800 words"):
        data = read_modalities(CausalPIMA(), frame, reset=True)
    (scaled,) = ModalityScaler.fit(data, "auto").transform(data)
    assert scaled.dtype == data.dtype == np.float32
    assert np.abs(scaled[:, 1:]).max() <= MAX_DEVIATION
    assert_allclose(scaled[:, 0].std(), 1.0, rtol=1e-5)
    back = ModalityScaler.fit(data, "auto").inverse_transform([scaled])[0]
    assert_array_equal(np.round(back[:, 1:]), data.arrays[0][:, 1:])
