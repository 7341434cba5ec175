import pickle

import joblib
import numpy as np
import pandas as pd
import pytest
import sklearn
from gate import Gate
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.image import PatchExtractor
from sklearn.feature_selection import SelectKBest, f_regression
from sklearn.impute import SimpleImputer
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, OneHotEncoder, StandardScaler
from sklearn.utils import get_tags

from skcausalpima import ModalityTransformer, MultimodalData

N = 30


@pytest.fixture
def arrays():
    rng = np.random.default_rng(0)
    arrays = {
        "image": rng.normal(2.0, 3.0, size=(N, 4, 3)),
        "curve": rng.normal(size=(N, 5)) * np.arange(1, 6),
        "age": rng.integers(90, size=(N, 1)),
    }
    for array in arrays.values():
        array.flags.writeable = False
    return arrays


def flat(array):
    return array.reshape(len(array), -1)


class Recorder(TransformerMixin, BaseEstimator):
    """Add 1; keep what came and which methods were called."""

    def __init__(self, columns=None):
        self.columns = columns

    def fit(self, X, y=None, weight=None):
        self.seen_, self.y_, self.weight_ = X, y, weight
        return self

    def transform(self, X):
        return X[:, : self.columns] + 1


class Duck:
    """A transformer that has neither tags nor fit_transform."""

    def get_params(self, deep=True):
        return {}

    def fit(self, X, y):
        self.width_ = X.shape[1]
        return self

    def transform(self, X):
        assert X.shape[1] == self.width_
        return 2 * X


# --- values: the same transformers by hand --------------------------------------------------


def test_each_modality_is_transformed_on_its_own(arrays):
    curve = make_pipeline(StandardScaler(), PCA(2))
    prep = ModalityTransformer({"curve": curve, "image": StandardScaler()})
    result = prep.fit_transform(arrays)
    assert isinstance(result, MultimodalData)
    assert result.names == ("image", "curve", "age")  # the order of X
    image = StandardScaler().fit_transform(flat(arrays["image"]))
    assert_array_equal(result["image"], image.reshape(N, 4, 3))
    assert_array_equal(result["curve"], clone(curve).fit_transform(arrays["curve"]))
    assert result["age"] is arrays["age"]
    # fitted on the first half, applied to the second
    prep.fit(MultimodalData(arrays)[:15])
    image = StandardScaler().fit(flat(arrays["image"][:15])).transform(flat(arrays["image"][15:]))
    later = prep.transform(MultimodalData(arrays)[15:])
    assert_array_equal(later["image"], image.reshape(15, 4, 3))
    by_hand = clone(curve).fit(arrays["curve"][:15]).transform(arrays["curve"][15:])
    assert_allclose(later["curve"], by_hand, rtol=1e-12)


def test_forms_of_input_give_the_same(arrays):
    prep = ModalityTransformer({"modality0": StandardScaler(), "modality1": PCA(2)})
    values = list(arrays.values())
    expected = prep.fit_transform(values)
    assert expected.names == ("modality0", "modality1", "modality2")
    named = dict(zip(expected.names, values, strict=True))
    for X in (tuple(values), named, MultimodalData(values)):
        assert clone(prep).fit_transform(X) == expected
        assert clone(prep).fit(X).transform(values) == prep.transform(values)
    backwards = {name: named[name] for name in reversed(expected.names)}
    assert prep.transform(backwards) == prep.transform(values)
    assert prep.transform(MultimodalData(backwards)) == prep.transform(values)


def test_dtype_is_the_transformers(arrays):
    X = {"a": arrays["image"].astype(np.float32), "b": arrays["age"].astype(np.uint8)}
    prep = ModalityTransformer({"a": StandardScaler()})
    assert prep.fit_transform(X).dtypes == (np.float32, np.uint8)


def test_remainder(arrays):
    scaled = ModalityTransformer({"age": "passthrough"}, remainder=StandardScaler())
    result = scaled.fit_transform(arrays)
    for name in ("image", "curve"):  # each has a scaler of its own
        by_hand = StandardScaler().fit_transform(flat(arrays[name]))
        assert_array_equal(flat(result[name]), by_hand)
    assert result["age"] is arrays["age"]
    assert list(scaled.transformers_) == ["image", "curve", "age"]
    assert scaled.transformers_["image"] is not scaled.transformers_["curve"]
    dropping = ModalityTransformer({"image": "drop", "curve": StandardScaler()}, remainder="drop")
    result = dropping.fit_transform(arrays)
    assert result.names == ("curve",)
    assert dropping.transform(arrays) == result
    assert dropping.transformers_["image"] == dropping.transformers_["age"] == "drop"


def test_what_was_given_stays_as_it_is(arrays):
    scaler = StandardScaler()
    given = {"image": scaler}
    prep = ModalityTransformer(given, remainder=scaler).fit(arrays)
    assert prep.transformers is given
    assert given == {"image": scaler}
    assert not hasattr(scaler, "mean_")
    assert prep.named_transformers_.image is prep.transformers_["image"]
    assert_allclose(prep.named_transformers_.image.mean_, flat(arrays["image"]).mean(axis=0))
    assert prep.n_features_in_ == 18
    assert prep.n_modalities_in_ == 3
    assert list(prep.modality_names_in_) == list(arrays)
    assert prep.modality_shapes_in_ == [(4, 3), (5,), (1,)]


def test_y_is_passed_on(arrays):
    column = arrays["curve"][:, 3]
    y = column + 0.01 * np.arange(len(column))  # a score of infinity is not what this asks about
    prep = ModalityTransformer({"curve": SelectKBest(f_regression, k=1)}, remainder="drop")
    assert_array_equal(prep.fit_transform(arrays, y)["curve"], column[:, None])
    assert_array_equal(prep.fit(arrays, y).transform(arrays)["curve"], column[:, None])
    assert_array_equal(
        ModalityTransformer({"curve": Duck()}).fit_transform(arrays, y)["curve"],
        2 * arrays["curve"],
    )


def test_sparse_results_and_frames_become_arrays(arrays):
    site = np.array([["a"], ["b"], ["c"]] * 10)
    framed = StandardScaler().set_output(transform="pandas")
    prep = ModalityTransformer({"site": OneHotEncoder(), "curve": framed})
    result = prep.fit_transform({"site": site, "curve": arrays["curve"]})
    assert_array_equal(result["site"], np.tile(np.eye(3), (10, 1)))
    assert type(result["curve"]) is np.ndarray
    assert_array_equal(result["curve"], StandardScaler().fit_transform(arrays["curve"]))
    assert prep.get_feature_names_out()[:3].tolist() == ["site__x0_a", "site__x0_b", "site__x0_c"]


def test_words_are_encoded_by_the_recipe():
    table = pd.DataFrame({"a": np.arange(20.0), "material": list("sgsgs") * 4})
    parts = {"words": table[["material"]], "numbers": table[["a"]]}
    prep = ModalityTransformer({"words": OneHotEncoder(), "numbers": StandardScaler()})
    X = prep.fit_transform(parts)
    names = Gate().fit(X).modality_feature_names_in_
    assert names["words"].tolist() == ["material_g", "material_s"]
    assert names["numbers"].tolist() == ["a"]
    assert prep.get_feature_names_out().tolist()[0] == "words__material_g"
    assert prep.modality_feature_names_in_["words"].tolist() == ["material"]
    back = prep.inverse_transform(X)
    assert back["words"].ravel().tolist() == table["material"].tolist()
    with pytest.raises(ValueError, match="other columns"):
        prep.transform({**parts, "words": parts["words"].rename(columns={"material": "b"})})


# --- shapes ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("transformer", "shape"),
    [
        (StandardScaler(), (4, 3)),
        (make_pipeline("passthrough", MinMaxScaler(), StandardScaler()), (4, 3)),
        (make_pipeline("passthrough"), (4, 3)),
        (SelectKBest(f_regression, k="all"), (4, 3)),  # all columns, by the same names
        (Recorder(), (4, 3)),  # it has no names for its columns
        (Duck(), (4, 3)),
        (FunctionTransformer(np.sqrt, validate=True), (4, 3)),
        (Recorder(columns=11), (11,)),
        (PCA(), (12,)),  # as many columns as before, but others
        (make_pipeline(StandardScaler(), PCA()), (12,)),
        (FeatureUnion([("a", StandardScaler())]), (12,)),  # a__x0 is another name
        (FunctionTransformer(), (4, 3)),
        (FunctionTransformer(flat), (12,)),  # flattened on purpose
        (make_pipeline(FunctionTransformer(flat), StandardScaler()), (12,)),
    ],
)
def test_tables_with_the_same_columns_become_images_again(arrays, transformer, shape):
    image = np.abs(arrays["image"])
    prep = ModalityTransformer({"image": transformer})
    result = prep.fit_transform({"image": image}, arrays["curve"][:, 0])["image"]
    assert result.shape == (N, *shape)
    given = flat(image) if getattr(transformer, "validate", True) else image
    if not isinstance(transformer, Pipeline):
        by_hand = clone(transformer, safe=False).fit(given, arrays["curve"][:, 0]).transform(given)
        assert_allclose(flat(result), flat(np.asarray(by_hand)), atol=1e-12)
    assert_allclose(prep.transform({"image": image})["image"], result, atol=1e-12)


def test_function_transformers_get_images(arrays):
    mirror = FunctionTransformer(lambda images: images[:, ::-1])
    crop = make_pipeline("passthrough", mirror, FunctionTransformer(lambda x: x[:, 1:3, 1:]))
    prep = ModalityTransformer({"image": crop})
    cropped = arrays["image"][:, ::-1][:, 1:3, 1:]
    assert_array_equal(prep.fit_transform(arrays)["image"], cropped)
    assert_array_equal(prep.transform(arrays)["image"], cropped)
    both = make_pipeline(prep, ModalityTransformer({"image": StandardScaler()}))
    by_hand = StandardScaler().fit_transform(flat(cropped)).reshape(N, 2, 2)
    assert_array_equal(both.fit_transform(arrays)["image"], by_hand)


def test_the_tag_of_arrays_with_three_axes_is_respected(arrays):
    class Mirror(Recorder):
        def transform(self, X):
            return X[:, ::-1]

        def __sklearn_tags__(self):
            tags = super().__sklearn_tags__()
            tags.input_tags.three_d_array = True
            return tags

    prep = ModalityTransformer({"image": Mirror()}).fit(arrays)
    assert_array_equal(prep.transform(arrays)["image"], arrays["image"][:, ::-1])


# --- missing modalities ---------------------------------------------------------------------


@pytest.fixture
def gaps(arrays):
    image, curve = arrays["image"].copy(), arrays["curve"].copy()
    image[[0, 3]] = np.nan
    curve[5:9] = np.nan
    return {"image": image, "curve": curve}


def test_missing_samples_stay_missing_and_are_not_seen(arrays, gaps):
    prep = ModalityTransformer({"image": StandardScaler(), "curve": PCA(2)})
    result = prep.fit_transform(gaps)
    seen = np.delete(arrays["curve"], np.s_[5:9], axis=0)
    assert_array_equal(np.delete(result["curve"], np.s_[5:9], axis=0), PCA(2).fit_transform(seen))
    assert np.isnan(result["curve"][5:9]).all()
    seen = np.delete(arrays["image"], [0, 3], axis=0)
    by_hand = StandardScaler().fit_transform(flat(seen)).reshape(-1, 4, 3)
    assert_array_equal(np.delete(result["image"], [0, 3], axis=0), by_hand)
    assert np.isnan(result["image"][[0, 3]]).all()
    assert_allclose(prep.transform(gaps).to_flat(), result.to_flat(), rtol=1e-12)
    back = prep.inverse_transform(result)
    assert_allclose(back["image"], gaps["image"], rtol=1e-12)
    assert_array_equal(np.isnan(back["curve"]), np.isnan(gaps["curve"]))


def test_missing_in_all_samples(gaps):
    prep = ModalityTransformer({"image": StandardScaler(), "curve": PCA(2)}).fit(gaps)
    result = prep.transform([gaps["image"], None])
    assert result["curve"] is None
    assert result.shape == (N, 2)
    assert prep.inverse_transform(result)["curve"] is None
    rows = MultimodalData(gaps)[5:9]
    assert rows["curve"].shape == (4, 5)
    result = prep.transform(rows)["curve"]
    assert_array_equal(result, np.full((4, 2), np.nan))
    assert prep.inverse_transform(prep.transform(rows))["curve"].shape == (4, 5)


def test_y_and_metadata_are_cut_to_the_observed_samples(gaps):
    y = list(range(N))
    with sklearn.config_context(enable_metadata_routing=True):
        recorder = Recorder().set_fit_request(weight=True)
        prep = ModalityTransformer({"curve": recorder}).fit(gaps, y, weight=np.arange(N) / 2)
    kept = np.delete(np.arange(N), np.s_[5:9])
    assert_array_equal(prep.transformers_["curve"].y_, kept)
    assert_array_equal(prep.transformers_["curve"].weight_, kept / 2)
    assert_array_equal(prep.transformers_["curve"].seen_, gaps["curve"][kept])


def test_whole_numbers_make_room_for_nan(gaps):
    to_sign = FunctionTransformer(lambda x: (x > 0).astype(np.int8))
    result = ModalityTransformer({"curve": to_sign}).fit_transform(gaps)["curve"]
    assert result.dtype == np.float32
    assert_array_equal(result[:5], gaps["curve"][:5] > 0)
    words = FunctionTransformer(lambda x: x.astype(str))
    with pytest.raises(TypeError, match="has no NaN for the samples that miss it"):
        ModalityTransformer({"curve": words}).fit(gaps)


def test_single_missing_values_are_the_imputers(arrays, gaps):
    gaps["curve"][0, 1] = np.nan
    result = ModalityTransformer({"curve": SimpleImputer()}).fit_transform(gaps)["curve"]
    seen = np.delete(arrays["curve"], np.s_[5:9], axis=0)
    assert_allclose(result[0, 1], seen[1:, 1].mean())
    assert np.isnan(result[5:9]).all()


# --- the way back ---------------------------------------------------------------------------


def test_inverse_transform(arrays):
    parts = {"image": make_pipeline(StandardScaler(), PCA()), "curve": MinMaxScaler()}
    prep = ModalityTransformer(parts, remainder="drop").fit(arrays)
    result = prep.transform(arrays)
    back = prep.inverse_transform(result)
    assert back.names == ("image", "curve")  # what is dropped is gone
    assert_allclose(back["image"], arrays["image"], atol=1e-12)
    assert_allclose(back["curve"], arrays["curve"], atol=1e-12)
    assert prep.inverse_transform(list(result.arrays)) == back
    assert prep.inverse_transform(dict(zip(result.names, result.arrays, strict=True))) == back
    assert prep.inverse_transform(result[:, ["curve", "image"]]) == back


def test_inverse_transform_of_one_modality_takes_its_array(arrays):
    image = arrays["image"]
    prep = ModalityTransformer({"image": StandardScaler()}).fit({"image": image})
    back = prep.inverse_transform(prep.transform({"image": image})["image"])
    assert_allclose(back["image"], image, rtol=1e-12)


def test_inverse_transform_is_there_only_where_all_parts_have_one(arrays):
    prep = ModalityTransformer({"curve": SelectKBest()}, remainder=Duck())
    assert not hasattr(prep, "inverse_transform")
    with pytest.raises(AttributeError, match="no attribute 'inverse_transform'") as caught:
        prep.inverse_transform(arrays)
    assert "transformer of 'remainder', <" in str(caught.value.__cause__)
    prep = ModalityTransformer({"curve": SelectKBest(f_regression, k=2), "image": Recorder()})
    assert not hasattr(prep, "inverse_transform")
    with pytest.raises(AttributeError, match="no attribute 'inverse_transform'") as caught:
        prep.fit(arrays, np.arange(N)).inverse_transform(arrays)
    assert "transformer of 'image', Recorder(), has none" in str(caught.value.__cause__)
    assert hasattr(ModalityTransformer({}), "inverse_transform")
    with pytest.raises(NotFittedError):
        ModalityTransformer({}).inverse_transform(arrays)


def test_an_inverse_that_leads_elsewhere_is_an_error(arrays):
    crop = FunctionTransformer(lambda images: images[:, 1:])
    prep = ModalityTransformer({"image": crop}).fit(arrays)
    with pytest.raises(
        ValueError, match=r"shape \(3, 3\) from inverse_transform, expected \(4, 3\)"
    ):
        prep.inverse_transform(prep.transform(arrays))


# --- parameters -----------------------------------------------------------------------------


def test_nested_parameters(arrays):
    scaler, given = StandardScaler(), {}
    given.update(curve=scaler, image=make_pipeline(PCA(2)))
    prep = ModalityTransformer(given, remainder=MinMaxScaler())
    params = prep.get_params()
    assert params["curve"] is scaler
    assert params["curve__with_mean"] is True
    assert params["image__pca__n_components"] == 2
    assert params["remainder__feature_range"] == (0, 1)
    assert set(prep.get_params(deep=False)) == {"transformers", "remainder"}
    prep.set_params(image__pca__n_components=1, curve__with_std=False, remainder="drop")
    assert prep.fit_transform(arrays).modality_shapes == [(1,), (5,)]
    assert scaler.with_std is False
    prep.set_params(curve=PCA(3), curve__n_components=4)  # in this order
    assert prep.fit_transform(arrays)["curve"].shape == (N, 4)
    assert given["curve"] is scaler  # the user's dict is not written to
    prep.set_params(transformers={"age": StandardScaler()}, age__with_mean=False)
    assert prep.transformers["age"].with_mean is False
    with pytest.raises(ValueError, match="Invalid parameter 'sound'"):
        prep.set_params(sound=PCA())
    assert (
        ModalityTransformer(None).set_params(transformers={}, remainder="drop").transformers == {}
    )
    assert ModalityTransformer(None).set_params(remainder="drop").remainder == "drop"
    copy = clone(prep)
    assert copy.transformers["age"] is not prep.transformers["age"]
    assert copy.get_params()["age__with_mean"] is False


def test_is_drawn_with_its_parts(arrays):
    prep = ModalityTransformer({"image": make_pipeline(PCA(2))}, remainder=MinMaxScaler())
    assert all(word in prep._repr_html_() for word in ("image", "PCA", "MinMaxScaler"))
    assert all(word in prep.fit(arrays)._repr_html_() for word in ("curve", "age", "PCA"))


def test_tags():
    tags = get_tags(ModalityTransformer({}))
    assert tags.input_tags.allow_nan
    assert not tags.input_tags.two_d_array


def test_names_of_the_flat_columns(arrays):
    prep = ModalityTransformer({"image": PCA(2), "curve": FunctionTransformer(lambda x: x[:, :3])})
    names = prep.fit(arrays).get_feature_names_out()
    assert names.tolist() == [
        *("image__pca0", "image__pca1"),
        *("curve__x0", "curve__x1", "curve__x2", "age__x0"),
    ]
    assert len(names) == prep.transform(arrays).to_flat().shape[1]
    names = ModalityTransformer({"image": StandardScaler()}).fit(arrays).get_feature_names_out()
    assert names[:12].tolist() == [f"image__x{k}" for k in range(12)]


# --- errors ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parameters", "change", "error", "match"),
    [
        ({"transformers": [("image", PCA())]}, {}, TypeError, "expected a dict from names"),
        ({"transformers": {"sound": PCA()}}, {}, ValueError, r"\['sound'\], but X has \['image'"),
        ({"transformers": {"image": PCA}}, {}, TypeError, "of 'image' is .* expected an instance"),
        ({"transformers": {"image": "pca"}}, {}, TypeError, "'passthrough' or 'drop'"),
        ({"transformers": {"image": None}}, {}, TypeError, "'image' is None: expected"),
        ({"transformers": {}, "remainder": "keep"}, {}, TypeError, "'remainder' is 'keep'"),
        ({"transformers": {}, "remainder": "drop"}, {}, ValueError, "all modalities are dropped"),
        (
            {"transformers": {"a__b": PCA()}},
            {"a__b": np.ones((N, 2))},
            ValueError,
            "not contain __",
        ),
        (
            {"transformers": {"remainder": PCA()}},
            {"remainder": np.ones((N, 2))},
            ValueError,
            r"conflict with constructor arguments: \['remainder'\]",
        ),
        ({"transformers": {}}, {"curve": None}, ValueError, "in fit every modality is needed"),
        (
            {"transformers": {"curve": PCA()}},
            {"curve": np.full((N, 5), np.nan)},
            ValueError,
            r"'curve' is missing in all samples",
        ),
        (
            {"transformers": {"image": PatchExtractor(patch_size=(2, 2))}},
            {},
            ValueError,
            "'image', PatchExtractor.*, returned 180 samples for 30",
        ),
        ({"transformers": {"curve": PCA(9)}}, {}, ValueError, "n_components=9 must be between"),
    ],
)
def test_bad_arguments_leave_nothing_behind(arrays, parameters, change, error, match):
    prep = ModalityTransformer(**parameters)
    before = set(vars(prep))
    for method in (prep.fit, prep.fit_transform):
        with pytest.raises(error, match=match):
            method(arrays | change)
    assert set(vars(prep)) == before
    with pytest.raises(NotFittedError):
        prep.transform(arrays)


def test_a_failed_fit_leaves_the_earlier_one(arrays):
    prep = ModalityTransformer({"image": StandardScaler(), "curve": PCA(2)}).fit(arrays)
    expected = prep.transform(arrays)
    with pytest.raises(ValueError, match="n_components=2 must be between"):
        prep.fit({"image": arrays["image"], "curve": arrays["age"]})
    assert prep.transform(arrays) == expected


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda X: X["curve"], r"X is a ndarray of shape \(30, 5\), so one array"),
        (lambda X: X["curve"].tolist(), "X is a list, so one array"),
        (lambda X: [X["image"]], "list of one modality, but .*None for one that is missing"),
        (
            lambda X: list(X.values())[:2],
            "list of 2 modalities, but ModalityTransformer was fitted",
        ),
        (lambda X: X | {"sound": X["curve"]}, "pass all of these names and no other"),
    ],
)
def test_bad_input_to_transform(arrays, change, match):
    prep = ModalityTransformer({"curve": StandardScaler()}).fit(arrays)
    with pytest.raises(ValueError, match=match):
        prep.transform(change(arrays))


def test_bad_input_to_inverse_transform(arrays):
    prep = ModalityTransformer({"curve": PCA(2)}).fit(arrays)
    with pytest.raises(ValueError, match=r"returns 3 modalities \(image: \(4, 3\), curve: \(2,\)"):
        prep.inverse_transform(arrays)
    with pytest.raises(ValueError, match="list of 2 modalities, but ModalityTransformer returns"):
        prep.inverse_transform([arrays["image"], arrays["curve"]])
    with pytest.raises(ValueError, match="so one array"):
        prep.inverse_transform(arrays["curve"])


def test_lengths_of_y_and_changing_shapes(arrays):
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        ModalityTransformer({}).fit(arrays, np.zeros(3))
    fickle = FunctionTransformer(lambda x: x[:, : len(x) // 10])
    prep = ModalityTransformer({"curve": fickle}).fit(arrays)
    with pytest.raises(ValueError, match=r"shape \(1,\) from transform, expected \(3,\) as in fit"):
        prep.transform(MultimodalData(arrays)[:10])


def test_errors_of_parts_say_whose_they_are(arrays):
    mixed = make_pipeline(FunctionTransformer(np.abs), StandardScaler())
    with pytest.raises(ValueError, match="dim 3") as caught:
        ModalityTransformer({"image": mixed}).fit(arrays)
    (note,) = caught.value.__notes__
    assert "modality 'image'" in note
    assert "second ModalityTransformer" in note
    prep = ModalityTransformer({"curve": StandardScaler()})
    with pytest.raises(ValueError, match="infinity") as caught:
        prep.fit(arrays | {"curve": np.full((N, 5), np.inf)})
    assert "modality 'curve'" in caught.value.__notes__[0]
    assert "second" not in caught.value.__notes__[0]


# --- scikit-learn's tools -------------------------------------------------------------------


@pytest.fixture
def model(brief):
    prep = ModalityTransformer({"image": StandardScaler(), "curve": PCA(2)}, remainder="drop")
    return Pipeline([("prep", prep), ("pima", brief())])


def test_pipeline_is_the_estimator_on_what_was_prepared(brief, model, arrays):
    model.fit(arrays)
    prepared = clone(model["prep"]).fit_transform(arrays)
    alone = brief().fit(prepared)
    assert_array_equal(model["pima"].labels_, alone.labels_)
    # PCA.transform differs from PCA.fit_transform in the last digit
    assert_allclose(model.transform(arrays), alone.transform(prepared), rtol=1e-9)
    assert_allclose(model.score(arrays), alone.score(prepared), rtol=1e-9)
    assert model.n_features_in_ == 18
    assert list(model.get_feature_names_out()) == list(alone.get_feature_names_out())
    absent = {"image": arrays["image"], "curve": None, "age": None}
    assert_array_equal(
        model.predict(absent), alone.predict({"image": prepared["image"], "curve": None})
    )


def test_pipeline_leads_back_to_the_units_of_the_data(model, arrays):
    model.fit(arrays)
    back = model.inverse_transform(model.transform(arrays))
    image, curve = model["pima"].inverse_transform(model.transform(arrays)).values()
    prep = model["prep"].transformers_
    assert_array_equal(flat(back["image"]), prep["image"].inverse_transform(flat(image)))
    assert_array_equal(back["curve"], prep["curve"].inverse_transform(curve))
    assert back["image"].shape == arrays["image"].shape


def test_pipeline_of_one_modality_leads_back(brief, arrays):
    X = {"image": arrays["image"]}
    model = make_pipeline(ModalityTransformer({"image": StandardScaler()}), brief((2,))).fit(X)
    assert model.inverse_transform(model.transform(X))["image"].shape == (N, 4, 3)


@pytest.mark.parametrize("config", ["pipeline", "global"])
def test_set_output_reaches_the_estimator(model, arrays, config):
    expected = clone(model).fit_transform(arrays)
    if config == "pipeline":
        model.set_output(transform="pandas")
    with sklearn.config_context(transform_output="pandas" if config == "global" else "default"):
        table = model.fit_transform(arrays)
        assert isinstance(model["prep"].transform(arrays), MultimodalData)
        crop = ModalityTransformer({"image": FunctionTransformer(lambda x: x[:, 1:])})
        assert crop.fit_transform(arrays)["image"].shape == (N, 3, 3)
    assert isinstance(table, pd.DataFrame)
    assert_array_equal(table, expected)
    with pytest.raises(ValueError, match="transform is 'numpy': expected 'default'"):
        model["prep"].set_output(transform="numpy")
    with pytest.raises(ValueError, match="array"):
        model["prep"].set_output(transform=np.ones(2))


@pytest.mark.slow
def test_memory_and_pickles(model, arrays, tmp_path):
    X = MultimodalData(arrays)
    cached = clone(model).set_params(memory=joblib.Memory(tmp_path / "cache", verbose=0))
    expected = model.fit(X).transform(X)
    for _ in range(2):
        assert_array_equal(cached.fit(X).transform(X), expected)
    again = pickle.loads(pickle.dumps(model))
    assert_array_equal(again.transform(X), expected)
    joblib.dump(model, tmp_path / "model.joblib")
    joblib.dump(X, tmp_path / "X.joblib")
    mapped = joblib.load(tmp_path / "X.joblib", mmap_mode="r")
    again = joblib.load(tmp_path / "model.joblib", mmap_mode="r")
    assert_array_equal(again.transform(mapped), expected)
    assert_array_equal(clone(model).fit(mapped).transform(mapped), expected)


def test_metadata_routing(model, arrays):
    expected = model.fit(arrays).transform(arrays)
    weight = np.arange(1.0, N + 1)
    with sklearn.config_context(enable_metadata_routing=True):
        assert_array_equal(clone(model).fit(arrays).transform(arrays), expected)
        model.set_params(prep__image=StandardScaler().set_fit_request(sample_weight=True))
        model["pima"].set_fit_request(sample_weight=False)
        model.fit(arrays, sample_weight=weight)
        remainder = ModalityTransformer(
            {"age": "drop"}, remainder=StandardScaler().set_fit_request(sample_weight=True)
        )
        remainder.fit_transform(arrays, sample_weight=weight)
        with pytest.raises(TypeError, match="unexpected argument"):
            ModalityTransformer({"image": "drop"}).fit(arrays, sample_weight=weight)
    by_hand = np.average(flat(arrays["image"]), axis=0, weights=weight)
    assert_allclose(model["prep"].transformers_["image"].mean_, by_hand)
    assert_allclose(remainder.transformers_["image"].mean_, by_hand)
    with pytest.raises(ValueError, match="only supported if enable_metadata_routing=True"):
        remainder.fit(arrays, sample_weight=weight)


def test_another_estimator_may_follow(arrays):
    X = MultimodalData(arrays)
    y = arrays["curve"][:, 0]
    columns = FunctionTransformer(MultimodalData.to_flat)
    model = make_pipeline(ModalityTransformer({}, remainder=StandardScaler()), columns, PCA(2))
    by_hand = PCA(2).fit_transform(StandardScaler().fit_transform(X.to_flat()))
    assert_allclose(model.fit_transform(X, y), by_hand, atol=1e-12)


def test_a_transformer_with_names_that_are_no_strings_can_be_shown():
    model = ModalityTransformer({1: "passthrough"})
    assert "passthrough" in model._repr_html_()
    with pytest.raises(ValueError, match=r"names the modalities \[1\]"):
        model.fit([np.ones((2, 1))] * 2)
