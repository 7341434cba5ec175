"""``tail_probability``: samples unlike those of the training, whole ones and incomplete ones."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from some_slow import some_slow

from skcausalpima import CausalPIMA, MissingValues


def draw(n, seed):
    """Return images and narrow curves of three groups, which both show."""
    rng = np.random.default_rng(seed)
    group = np.tile(np.arange(3), n)
    images = 0.5 * rng.normal(size=(3 * n, 5, 4)) + np.array([0.0, 4.0, 8.0])[group, None, None]
    pattern = np.array([[0.0, 9.0], [9.0, 0.0], [9.0, 9.0]])[group]
    return [images, pattern + 0.5 * rng.normal(size=(3 * n, 2))]


@pytest.fixture(scope="module")
def three_groups(quick):
    taught = MissingValues(subset_epochs=5)
    return quick((3,), max_iter=5, training__batch_size=30, missing_values=taught).fit(
        draw(100, seed=0)
    )


@pytest.fixture(scope="module")
def fresh():
    return draw(100, seed=1)


def noise_like(array):
    return np.random.default_rng(2).normal(array.mean(), array.std(), array.shape)


@pytest.mark.slow
def test_a_modality_of_noise_is_seen(three_groups, fresh):
    """Also the narrow one beside the wide one."""
    images, curves = fresh
    for X in ([noise_like(images), curves], [images, noise_like(curves)]):
        assert (three_groups.tail_probability(X) <= 0.05).mean() > 0.9
    for X in ([noise_like(images), None], [None, noise_like(curves)]):
        assert (three_groups.tail_probability(X) <= 0.05).mean() > 0.9


def test_samples_like_those_of_the_training_are_left_alone(three_groups):
    images, curves = draw(200, seed=1)
    half = [images[:300], curves[:300]]
    for X in ([images, curves], [images, None], [None, curves]):
        assert (three_groups.tail_probability(X) <= 0.05).mean() < 0.12
        rest = [None if array is None else array[300:] for array in X]
        assert (three_groups.tail_probability(rest, half) <= 0.05).mean() < 0.1


def test_it_is_a_probability_and_its_order_is_that_of_the_bound(quick, pair):
    """Of a single modality there is nothing else to compare."""
    model = quick((2,)).fit(pair[1])
    found, scores = model.tail_probability(pair[1]), model.score_samples(pair[1])
    assert found.dtype == np.float64
    assert_array_equal(np.diff(found[scores.argsort()]) >= 0, True)
    # The i-th smallest of 72 has i as small ones, itself included, and stands for one itself.
    assert_allclose(np.sort(found), np.arange(2, 74) / 73)


def test_one_row_and_nothing_observed(three_groups, fresh):
    images, curves = fresh
    one = three_groups.tail_probability([images[:1], curves[:1]])
    assert_allclose(one, three_groups.tail_probability(fresh)[:1])
    nothing = [np.full((1, 5, 4), np.nan), np.full((1, 2), np.nan)]
    assert three_groups.tail_probability(nothing) == [1.0]


@pytest.mark.parametrize("dtype", some_slow([np.float64, np.float32], []))
def test_the_company_of_training_samples_makes_no_difference(three_groups, dtype):
    """It decides how sums are rounded, and each of them is compared with itself, too."""
    X = [array.astype(dtype) for array in draw(100, seed=0)]
    model = three_groups if dtype == np.float64 else clone(three_groups).fit(X)
    whole = model.tail_probability(X)
    for size in (1, 7, 64):
        for start in range(0, 300, size)[:20]:
            part = slice(start, start + size)
            found = model.tail_probability([array[part] for array in X])
            assert_array_equal(found, whole[part])


def test_values_far_off_are_the_least_probable(three_groups, fresh):
    images = fresh[0][:3].copy()
    images[1] = 1e200
    found = three_groups.tail_probability([images, fresh[1][:3]])
    assert found[1] == 3 / 301
    assert found[[0, 2]].min() > 3 / 301


@pytest.mark.slow
def test_without_encoders_of_subsets(quick, fresh):
    model = quick((3,), missing_values=MissingValues(subset_epochs=0)).fit(draw(40, seed=0))
    found = model.tail_probability([fresh[0], None])
    assert ((found > 0) & (found <= 1)).all()


def test_samples_that_were_set_aside_are_the_reference(quick):
    X = draw(40, seed=0)
    model = quick((3,), training__validation_fraction=0.25).fit(X)
    assert [len(terms) for terms in model._fitted.tail_reference] == [30, 30, 30]
    assert model.tail_probability(X).min() >= 3 / 31


@pytest.mark.slow
def test_training_samples_that_lack_modalities_count_for_what_they_have(quick):
    X = draw(40, seed=0)
    X[0][:10], X[1][10:30] = np.nan, np.nan
    model = quick((3,)).fit(X)
    assert [len(terms) for terms in model._fitted.tail_reference] == [110, 100, 90]


@pytest.mark.long
def test_weights_count_as_so_many_samples(quick):
    X = draw(20, seed=0)
    weights = np.tile([1, 2], 30)
    copies = [np.repeat(array, weights, axis=0) for array in X]
    weighted = quick((3,)).fit(X, sample_weight=weights)
    repeated = quick((3,)).fit(copies)
    assert_array_equal(weighted.tail_probability(X), repeated.tail_probability(X))


def test_a_loaded_model_has_its_reference(three_groups, fresh, tmp_path):
    three_groups.save(tmp_path / "groups")
    loaded = CausalPIMA.load(tmp_path / "groups")
    assert_array_equal(loaded.tail_probability(fresh), three_groups.tail_probability(fresh))


def test_a_reference_of_other_shapes(three_groups, fresh):
    with pytest.raises(ValueError, match="'modality1' has samples of shape"):
        three_groups.tail_probability(fresh, [fresh[0], fresh[0]])
