"""Every form of input, number format and awkward data set, through the estimator."""

import itertools

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from some_slow import some_slow

from skcausalpima import MultimodalData

SHAPES = [(3, 2), (4,)]


def flattened(pair):
    return np.hstack([array.reshape(len(array), -1) for array in pair])


@pytest.mark.parametrize("form", ["mapping", "flat"])
def test_forms_give_the_same_bits(brief, pair, form):
    """Forms that the gate reads alike are fitted and answered alike."""
    flat = MultimodalData.from_flat(flattened(pair), SHAPES)
    X = flat if form == "flat" else {"image": pair[0], "curve": pair[1]}
    model, plain = brief().fit(X), brief().fit(pair)
    assert_array_equal(model.labels_, plain.labels_)
    assert_array_equal(model.transform(X), plain.transform(pair))
    assert_array_equal(model.score_samples(X), plain.score_samples(pair))
    assert model.lower_bound_ == plain.lower_bound_
    decoded = model.inverse_transform(model.transform(X))
    assert type(decoded) is type(X)
    expected = plain.inverse_transform(plain.transform(pair))
    for array, other in zip(decoded.values(), expected, strict=True):
        assert_array_equal(array, other)


def results(model, X, incomplete):
    """Return what all methods return that return data."""
    return [
        model.inverse_transform(model.transform(X)),
        model.sample(2)[0],
        model.intervene({"N1": 1}, 2)[0],
        model.counterfactual(X, {"N1": 1})[0],
        model.reconstruct(X),
        model.impute(X),
        model.impute(incomplete),
    ]


@pytest.mark.parametrize("shape", [(72, 6), (72, 3, 2)])
def test_one_modality_comes_back_as_one_array(brief, pair, shape):
    X = pair[0].reshape(shape)
    for back in results(brief().fit(X), X, X):
        assert back.shape[1:] == shape[1:]


# Dtypes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_outputs_have_the_dtype_of_the_data(brief, pair, dtype):
    X = [array.astype(dtype) for array in pair]
    model = brief().fit(X)
    for method in ("transform", "predict_proba", "score_samples"):
        assert getattr(model, method)(X).dtype == dtype
    for back in results(model, X, [X[0], None]):
        assert {array.dtype for array in back} == {np.dtype(dtype)}
    assert isinstance(model.score(X), float)
    assert model.weights_.dtype == model.joint_.dtype == np.float64


def test_float32_agrees_with_float64(quick, pair, fitted):
    X = [array.astype(np.float32) for array in pair]
    assert_allclose(quick().fit(X).lower_bound_, fitted.lower_bound_, atol=0.1)


def test_any_dtype_at_predict(brief, pair):
    pair = [np.abs(array).round() for array in pair]
    model = brief().fit([array.astype(np.float32) for array in pair])
    for dtype in (np.float64, np.uint8):
        X = [array.astype(dtype) for array in pair]
        assert_array_equal(model.predict(X), model.labels_)
        assert_allclose(model.score(X), model.lower_bound_, rtol=1e-5)


def test_uint8_images_with_floating_curves(brief, pair):
    """The curves decide the dtype, also where they are missing at predict."""
    images = np.clip(pair[0] * 20 + 60, 0, 255).astype(np.uint8)
    before = images.copy()
    model = brief().fit([images, pair[1]])
    assert model.transform([images, pair[1]]).dtype == np.float64
    assert model.transform([images, None]).shape == (72, 2)
    assert_array_equal(model.predict([images.astype(float), pair[1]]), model.labels_)
    assert_array_equal(images, before)


def test_read_only_memory_maps_stay_as_they_are(brief, pair, tmp_path):
    X = []
    for k, array in enumerate(pair):
        np.save(tmp_path / f"{k}.npy", array)
        X.append(np.load(tmp_path / f"{k}.npy", mmap_mode="r"))
    before = [np.array(array) for array in X]
    model = brief(scale=None).fit(X)
    model.score_samples(X)
    for array, original in zip(X, before, strict=True):
        assert_array_equal(array, original)
    assert_array_equal(model.predict(before), model.labels_)


# Missing modalities ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def gappy(pair):
    """A fifth of the images and a fifth of the curves is missing."""
    images, curves = (array.copy() for array in pair)
    images[::5] = np.nan
    curves[1::5] = np.nan
    return [images, curves]


@pytest.mark.parametrize("validation_fraction", some_slow([0.0, 0.3], [0.3]))
def test_missing_samples(brief, gappy, validation_fraction):
    estimator = brief(training__validation_fraction=validation_fraction)
    model = clone(estimator).fit(gappy)
    assert_array_equal(model.predict(gappy), model.labels_)
    assert np.isfinite(model.score_samples(gappy)).all()
    flat = estimator.fit(MultimodalData.from_flat(flattened(gappy), SHAPES))
    assert_array_equal(flat.labels_, model.labels_)


def test_missing_modalities_do_not_count(fitted_and_taught, pair):
    """None, NaN, and whatever lies in the other samples: all the same."""
    fitted = fitted_and_taught
    absent = fitted.score_samples([pair[0], None])
    nan = fitted.score_samples([pair[0], np.full((72, 4), np.nan)])
    assert_array_equal(absent, nan)
    half = pair[1].copy()
    half[30:] = np.nan
    mixed = fitted.score_samples([pair[0], half])
    assert_allclose(mixed[30:], absent[30:], atol=1e-9)
    assert_allclose(mixed[:30], fitted.score_samples(pair)[:30], atol=1e-9)
    assert_array_equal(
        fitted.transform([pair[0], None]),
        fitted.transform({"modality1": None, "modality0": pair[0]}),
    )


@pytest.mark.parametrize("seed", some_slow(range(4), []))
def test_modality_that_training_samples_lack(taught, pair, seed):
    """All samples that have the images may be held out."""
    images = np.full_like(pair[0], np.nan)
    images[:2] = pair[0][:2]
    model = taught(training__validation_fraction=0.6, random_state=seed).fit([images, pair[1]])
    assert np.isfinite(model.score_samples([images, pair[1]])).all()


# Awkward data ----------------------------------------------------------------------------------


def assert_finite_everywhere(model, X):
    assert np.isfinite(model.lower_bound_)
    for method in ("transform", "predict_proba", "score_samples"):
        assert np.isfinite(getattr(model, method)(X)).all()
    decoded = model.inverse_transform(model.transform(X))
    for array in [*decoded, *model.sample(3)[0], model.cluster_means_, model.weights_]:
        assert np.isfinite(array).all()
    assert_array_equal(model.predict(X), model.labels_)


DTYPES = [np.float32, np.float64]
TINY, HUGE, BOTH = (1e-20, 1e-20), (1e20, 1e20), (1e-20, 1e20)


@pytest.mark.parametrize(
    ("scale", "factors", "dtype"),
    some_slow(
        itertools.product(["modality", "feature"], [TINY, HUGE, BOTH], DTYPES),
        [("feature", BOTH, np.float64)],
    ),
)
def test_any_unit(quick, pair, fitted, dtype, factors, scale):
    X = [(array * f).astype(dtype) for array, f in zip(pair, factors, strict=True)]
    model = quick(scale=scale).fit(X)
    assert_finite_everywhere(model, X)
    if scale == "modality":
        assert_array_equal(model.labels_, fitted.labels_)
        shift = 6 * np.log(factors[0]) + 4 * np.log(factors[1])
        assert_allclose(model.lower_bound_ + shift, fitted.lower_bound_, atol=0.1)


@pytest.mark.slow
@pytest.mark.parametrize("scale", some_slow(["modality", "feature", None], ["feature"]))
def test_constant_elements(quick, pair, scale):
    curves = np.full((72, 4), 7.0)
    curves[:, 0] = pair[1][:, 0]
    X = [pair[0], curves]
    assert_finite_everywhere(quick(scale=scale).fit(X), X)


@pytest.mark.parametrize(
    ("scale", "dtype"),
    some_slow(itertools.product(["modality", "feature", None], DTYPES), []),
)
def test_constant_modalities(quick, pair, dtype, scale):
    X = [pair[0].astype(dtype), np.full((72, 3), 0.1, dtype=dtype)]
    assert_finite_everywhere(model := quick(scale=scale).fit(X), X)
    assert_allclose(model.inverse_transform(np.zeros((1, 2)))[1], 0.1, atol=0.05)
    X = [np.ones((72, 2), dtype=dtype), np.zeros((72, 3), dtype=dtype)]
    assert_finite_everywhere(quick(scale=scale).fit(X), X)


COVARIANCES = ["full", "tied", "diag", "spherical"]
ROWS = [[0] * 30 + [40] * 30, [0, 71] * 4, [0, 20, 71] * 4, [5] * 10]


@pytest.mark.parametrize(
    ("rows", "covariance_type"),
    some_slow(itertools.product(ROWS, COVARIANCES), [*zip(ROWS, COVARIANCES, strict=True)][1:2]),
)
def test_few_distinct_samples(quick, pair, rows, covariance_type):
    X = [array[rows] for array in pair]
    model = quick((2, 2, 2), mixture=covariance_type, mixture__shrinkage=0.0).fit(X)
    assert_finite_everywhere(model, X)
    n_found = len(np.unique(model.labels_))
    assert min(2, len(set(rows))) <= n_found <= len(set(rows))


@pytest.mark.slow
@pytest.mark.parametrize(
    "node_sizes",
    [
        pytest.param((2,) * 5, marks=pytest.mark.long),
        (2, 2, 2),
        pytest.param((7,), marks=pytest.mark.long),
        (3, 2),
    ],
)
def test_grids(quick, pair, node_sizes):
    model = quick(node_sizes).fit(pair)
    assert_finite_everywhere(model, pair)
    assert model.joint_.shape == tuple(node_sizes)


@pytest.mark.parametrize("node_sizes", [np.array([2, 2]), (np.int8(3),)])
def test_sizes_may_be_numpys(brief, pair, node_sizes):
    assert brief(node_sizes).fit(pair).joint_.shape == tuple(node_sizes)


@pytest.mark.slow
def test_more_rows_than_one_block(brief, pair):
    X = [np.tile(array, (40, *[1] * (array.ndim - 1))) for array in pair]
    model = brief(training__batch_size=600).fit(X)
    assert_finite_everywhere(model, X)


# scikit-learn's tools; searches are in test_sklearn_tools --------------------------------------


def test_pipeline_on_flat_data(brief, pair):
    flat = flattened(pair)
    cut = FunctionTransformer(MultimodalData.from_flat, kw_args={"shapes": SHAPES})
    pipeline = make_pipeline(StandardScaler(), cut, brief()).fit(flat)
    assert pipeline.predict(flat).shape == (72,)
    assert pipeline[-1].modality_shapes_in_ == SHAPES
    assert_allclose(pipeline.score(flat), pipeline[-1].lower_bound_)
    assert pipeline[-1].get_feature_names_out().tolist() == ["causalpima0", "causalpima1"]
