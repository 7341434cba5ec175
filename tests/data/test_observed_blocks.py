"""Missing blocks that a mask marks: nobody looks at what stands there."""

import pickle

import numpy as np
import pandas as pd
import pytest
from gate import read
from numpy.testing import assert_array_equal
from same_fits import assert_same_fits
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from some_slow import some_slow

from skcausalpima import ModalityTransformer, MultimodalData

NAMES = ["image", "curve"]
N = 24


@pytest.fixture
def mask():
    mask = np.ones((N, 2), dtype=bool)
    mask[[1, 3, 8, 20], 0] = False
    mask[[0, 4, 9, 23], 1] = False
    return mask


@pytest.fixture
def arrays():
    rng = np.random.default_rng(0)
    shift = 5.0 * np.repeat([0, 1], N // 2)
    return [rng.normal(size=(N, 3, 2)) + shift[:, None, None], rng.normal(size=(N, 4))]


def holding(arrays, mask, value):
    """Return arrays that hold something else where samples are missing."""
    arrays = [array.copy() for array in arrays]
    for array, seen in zip(arrays, mask.T, strict=True):
        array[~seen] = value
    return arrays


@pytest.fixture
def data(arrays, mask):
    return MultimodalData(holding(arrays, mask, np.inf), NAMES, observed=mask)


@pytest.fixture
def with_nan(arrays, mask):
    return MultimodalData(holding(arrays, mask, np.nan), NAMES)


def test_the_mask_may_have_several_forms(arrays, mask):
    for form in (
        mask.tolist(),
        mask.astype(int),
        pd.DataFrame(mask, columns=NAMES),
        {"curve": mask[:, 1], "image": mask[:, 0].astype(np.uint8)},
    ):
        assert_array_equal(MultimodalData(arrays, NAMES, observed=form).observed, mask)
    partly = MultimodalData(arrays, NAMES, observed={"curve": mask[:, 1]})
    assert_array_equal(partly.observed, np.stack([np.ones(N, dtype=bool), mask[:, 1]], axis=1))


def test_nothing_is_copied_and_the_mask_is_the_containers_own(arrays, mask):
    data = MultimodalData(arrays, NAMES, observed=mask)
    assert all(map(np.shares_memory, data.arrays, arrays))
    assert all(map(np.shares_memory, data[2:9].arrays, arrays))
    before = mask.copy()
    mask[:] = True
    assert_array_equal(data.observed, before)


def test_mask_and_nan_are_combined(arrays, mask):
    arrays[1][5:7] = np.nan
    mask = mask.copy()
    data = MultimodalData([arrays[0], arrays[1], None], observed=np.c_[mask, np.ones(N, bool)])
    mask[5:7, 1] = False
    assert_array_equal(data.observed, np.c_[mask, np.zeros(N, bool)])
    assert_array_equal(
        MultimodalData(arrays).observed[:, 1], np.r_[[True] * 5, [False] * 2, [True] * 17]
    )


def test_it_goes_through_all_that_the_container_does(data, mask, with_nan):
    rows = [3, 3, 0, -1]
    assert_array_equal(data[rows].observed, mask[rows])
    assert_array_equal(data[3].observed, mask[[3]])
    assert_array_equal(data[mask[:, 0]].observed, mask[mask[:, 0]])
    assert_array_equal(data[:, ["curve"]].observed, mask[:, [1]])
    assert_array_equal(data[4:, [1, 0]].observed, mask[4:, ::-1])
    assert_array_equal(pickle.loads(pickle.dumps(data)).observed, mask)
    assert_array_equal(data.to_flat(), with_nan.to_flat())
    assert repr(data) == repr(with_nan)
    assert "4 missing" in repr(data)
    other = MultimodalData(data[:2].arrays, NAMES)[:, ["curve", "image"]]
    both = MultimodalData.concatenate([data, other])
    assert_array_equal(both.observed, np.r_[mask, np.ones((2, 2), bool)])
    gap = MultimodalData([np.ones((2, 3, 2)), None], NAMES)
    assert_array_equal(MultimodalData.concatenate([data, gap]).observed[-2:], [[1, 0]] * 2)
    train, test = train_test_split(data, random_state=0)
    split = train_test_split(np.arange(N), random_state=0)
    assert_array_equal(train.observed, mask[split[0]])
    assert_array_equal(test.observed, mask[split[1]])


def test_whole_numbers_become_nan_in_a_flat_array():
    data = MultimodalData([np.arange(6).reshape(3, 2)], observed=[[1], [0], [1]])
    assert_array_equal(data.to_flat(), [[0, 1], [np.nan, np.nan], [4, 5]])


def test_containers_are_equal_where_what_is_observed_is(arrays, mask, data, with_nan):
    assert data == MultimodalData(holding(arrays, mask, 3.0), NAMES, observed=mask)
    assert data == with_nan
    assert data != MultimodalData(arrays, NAMES)
    changed = [arrays[0], arrays[1] + 1]
    assert data != MultimodalData(changed, NAMES, observed=mask)


@pytest.mark.parametrize("value", [np.inf, 1e300, np.nan])
def test_transformers_see_what_is_observed(arrays, mask, with_nan, value):
    data = MultimodalData(holding(arrays, mask, value), NAMES, observed=mask)
    steps = {"image": StandardScaler(), "curve": PCA(2)}
    prep, same = ModalityTransformer(steps), ModalityTransformer(steps)
    got = prep.fit_transform(data)
    assert got == same.fit_transform(with_nan)
    assert prep.transform(data) == same.transform(with_nan)
    assert_array_equal(got.observed, mask)
    assert_array_equal(prep.inverse_transform(got).observed, mask)
    passed = ModalityTransformer({"curve": PCA(2)}).fit(data)
    assert_array_equal(passed.transform(data).observed, mask)
    assert_array_equal(passed.transform(data[~mask[:, 1]]).observed, mask[~mask[:, 1]])


def test_whole_numbers_that_all_are_missing_are_transformed():
    X = {"count": np.arange(8).reshape(4, 2), "other": np.arange(4.0)[:, None]}
    prep = ModalityTransformer({"count": StandardScaler()}).fit(X)
    rows = MultimodalData(X, observed={"count": np.zeros(4, int)})
    assert np.isnan(prep.transform(rows)["count"]).all()


@pytest.mark.parametrize("value", some_slow([np.inf, -1e300, 7.0], []))
def test_fits_and_predictions_are_the_same_bit_by_bit(quick, arrays, mask, with_nan, value):
    data = MultimodalData(holding(arrays, mask, value), NAMES, observed=mask)
    expected, got = quick().fit(with_nan), quick().fit(data)
    assert_same_fits(got, expected, with_nan)
    assert_array_equal(got.predict_proba(data), expected.predict_proba(with_nan))
    assert_array_equal(got.score_samples(data), expected.score_samples(with_nan))
    assert_array_equal(got.transform(data[:5]), expected.transform(with_nan[:5]))


@pytest.mark.parametrize(
    ("observed", "error", "match"),
    [
        (np.ones((N, 3), bool), ValueError, r"observed has shape \(24, 3\): expected .*\(24, 2\)"),
        (np.ones(N, bool), ValueError, r"observed has shape \(24,\)"),
        (np.ones((2, N), bool), ValueError, r"observed has shape \(2, 24\)"),
        (np.ones((N, 2)), TypeError, "observed has dtype float64: expected booleans"),
        (np.full((N, 2), 2), TypeError, "observed has dtype int64: expected booleans"),
        (np.full((N, 2), "yes"), TypeError, "observed has dtype <U3"),
        (True, ValueError, r"observed has shape \(\)"),
        ({"image": np.ones((N, 1), bool)}, ValueError, r"observed\['image'\] has shape \(24, 1\)"),
        ({"image": np.ones(N)}, TypeError, r"observed\['image'\] has dtype float64"),
        ({"imgae": np.ones(N, bool)}, ValueError, r"observed names .*\['imgae'\], but there are"),
    ],
)
def test_masks_that_are_none(arrays, observed, error, match):
    with pytest.raises(error, match=match):
        MultimodalData(arrays, NAMES, observed=observed)


def test_what_a_fit_needs(arrays, mask):
    never = MultimodalData(arrays, NAMES, observed={"curve": np.zeros(N, bool)})
    with pytest.raises(ValueError, match="'curve' is missing in all samples"):
        read(never)
    with pytest.raises(ValueError, match="'curve' is missing in all samples"):
        ModalityTransformer({"curve": PCA(2)}).fit(never)
    mask[3:6] = False
    with pytest.raises(ValueError, match=r"in 3 sample\(s\), row\(s\) 3, 4, 5: 3 of 24"):
        read(MultimodalData(arrays, NAMES, observed=mask)).check_joined()
    arrays[0][2] = np.inf
    with pytest.raises(ValueError, match="'image' contains infinity in sample 2"):
        read(MultimodalData(arrays, NAMES, observed={"image": mask[:, 0]}))
    with pytest.raises(ValueError, match="a minimum of 2 is required"):
        read(MultimodalData(arrays, NAMES, observed=np.ones((N, 2), bool))[0])


def test_a_sample_without_anything(quick, arrays):
    nothing = MultimodalData(arrays, NAMES, observed=np.zeros((N, 2), bool))[:2]
    model = quick().fit(arrays)
    named = MultimodalData(nothing.arrays, observed=nothing.observed)
    probabilities = model.predict_proba(named)
    assert_array_equal(probabilities[0], probabilities[1])
    assert np.isfinite(probabilities).all()
    model = quick(posterior__prior_expert=False, posterior="mean_field").fit(arrays)
    with pytest.raises(ValueError, match="Sample 0 has no observed modality"):
        model.predict(named)
