"""Which modalities have columns of unlike units, and which columns are counts."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import datasets

from skcausalpima._data.scaling import ModalityScaler
from skcausalpima._data.units import (
    MAX_DEVIATION,
    count_columns,
    effective_columns,
    has_unlike_units,
    is_curve,
)
from skcausalpima._data.validation import read_modalities
from skcausalpima.datasets import make_lattices, make_spectra


class Estimator:
    """What reads X."""

    missing_values = "marginalize"

    def __sklearn_tags__(self):
        from skcausalpima import CausalPIMA

        return CausalPIMA(2).__sklearn_tags__()


def read(X):
    return read_modalities(Estimator(), X, reset=True)


def words(X, scale="auto", **options):
    return ModalityScaler.fit(read(X), scale, **options).words


@pytest.mark.parametrize("n", [1, 2, 7])
def test_effective_columns_are_as_many_as_have_equal_variances(n):
    spread = np.concatenate([np.full(n, 1e-200), np.zeros(3)])
    assert effective_columns(spread) == (pytest.approx(n), n)
    assert not has_unlike_units(spread)


def test_effective_columns_are_the_participation_ratio():
    spread = np.random.default_rng(0).uniform(size=9)
    variances = spread**2
    expected = variances.sum() ** 2 / (variances**2).sum()
    assert effective_columns(spread) == (pytest.approx(expected), 9)
    assert effective_columns(1e300 * spread)[0] == pytest.approx(expected)
    assert effective_columns(np.zeros(4)) == (0.0, 0)


@pytest.mark.parametrize(
    ("load", "word"),
    [
        (datasets.load_wine, "feature"),
        (datasets.load_breast_cancer, "feature"),
        (datasets.load_digits, "modality"),  # 64 pixels
    ],
)
def test_real_tables(load, word):
    columns = load().data
    assert words(columns) == (word,)
    standardised = (columns - columns.mean(axis=0)) / np.maximum(columns.std(axis=0), 1e-9)
    assert words(standardised) == ("modality",)


def test_one_small_column_of_a_few_has_a_unit_of_its_own():
    """It would be lost in the noise of the others, if these were divided by one number."""
    X = np.random.default_rng(0).normal(size=(80, 9))
    assert words(X * [1, 1, 1, 1, 1, 1, 1, 1, 0.2]) == ("modality",)
    assert words(X * [1, 1, 1, 1, 1, 1, 1, 1, 0.01]) == ("feature",)
    wide = np.random.default_rng(0).normal(size=(80, 40))
    assert words(wide * np.where(np.arange(40) == 3, 0.01, 1.0)) == ("modality",)


def test_images_curves_and_their_flat_copies_have_one_unit():
    lattices, spectra = make_lattices(random_state=0), make_spectra(100, random_state=0)
    ramp = np.logspace(-3, 3, spectra.curves.shape[1])  # unlike variances, yet a curve
    images = lattices.images * np.logspace(-3, 3, lattices.images.shape[2])
    assert words([images, lattices.curves]) == ("modality", "modality")
    assert words(spectra.curves * ramp) == ("modality",)


def test_a_table_with_an_expert_has_one_unit():
    X = np.random.default_rng(0).normal(size=(50, 5)) * [1, 1, 1, 1, 1e4]
    assert words(X) == ("feature",)
    assert words(X, with_experts={0}) == ("modality",)


def test_a_frame_and_its_array_are_scaled_alike():
    frame = datasets.load_wine(as_frame=True).data
    one, other = (ModalityScaler.fit(read(X), "auto") for X in (frame, frame.to_numpy()))
    assert one.words == other.words == ("feature",)
    assert_array_equal(one.factor[0], other.factor[0])


def test_order_of_columns_and_rows_means_nothing():
    X = datasets.load_wine().data
    rng = np.random.default_rng(0)
    mixed = X[rng.permutation(len(X))][:, rng.permutation(X.shape[1])]
    assert words(X) == words(mixed)


def test_a_word_of_the_users_overrides():
    rng = np.random.default_rng(0)
    X = {"a": rng.normal(size=(30, 3)) * [1, 1, 99], "b": rng.normal(size=(30, 3)) * [1, 1, 99]}
    assert words(X, "feature") == ("feature", "feature")
    assert words(X, {"b": None}) == ("feature", None)
    with pytest.warns(UserWarning, match=r"The column 2 of modality 'b' has 100% of its variance"):
        assert words(X, {"b": "modality"}) == ("feature", "modality")
    with pytest.raises(ValueError, match=r"names the modalities \['c'\]"):
        words(X, {"c": "modality"})


def test_columns_of_a_frame_are_warned_about_by_name():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(60, 9)), columns=list("abcdefghi"))
    frame["d"] *= 1e3
    frame["h"] *= 1e3
    with pytest.warns(UserWarning, match=r"The columns [dh], [dh] of modality .* have 100%"):
        words(frame, "modality")


@pytest.mark.parametrize("n", [100, 10_000])
def test_nearly_constant_columns_are_not_blown_up(n):
    X = np.random.default_rng(0).normal(size=(n, 4)) * [1, 1, 1, 1e4]
    X[:, 1] = 3.0
    X[:, 2] = 0.0
    X[n // 2, 2] = 1.0  # one of many
    data = read(X)
    scaled = ModalityScaler.fit(data, "auto").transform(data)[0]
    assert_allclose(scaled[:, 1], 0.0)
    assert np.abs(scaled).max() <= MAX_DEVIATION * (1 + 1e-6)
    assert_allclose(scaled[:, [0, 3]].std(axis=0), 1.0, rtol=1e-6)


@pytest.mark.parametrize("factor", [1e200, 1e-200])
def test_columns_of_very_unlike_sizes(factor):
    X = np.random.default_rng(0).normal(size=(60, 4)) * [1, factor, 1, 1]
    data = read(X)
    scaler = ModalityScaler.fit(data, "auto")
    assert scaler.words == ("feature",)
    assert_allclose(scaler.transform(data)[0].std(axis=0), 1.0)


def test_gaps_and_weights_do_not_sway_the_decision():
    X = datasets.load_wine().data.copy()
    X[np.random.default_rng(0).random(X.shape) < 0.3] = np.nan
    assert words(X) == ("feature",)
    data = read(X)
    weights = np.where(np.arange(len(X)) < 5, 0.0, 1.0)
    assert ModalityScaler.fit(data, "auto", weights).words == ("feature",)


def test_a_row_that_does_not_count_is_no_outlier():
    X = np.random.default_rng(0).normal(size=(50, 4)) * [1, 1, 1, 1e3]
    X[7] = 1e6
    weights = np.ones(50)
    weights[7] = 0.0
    factor = ModalityScaler.fit(read(X), "auto", weights).factor[0]
    rest = ModalityScaler.fit(read(np.delete(X, 7, axis=0)), "auto").factor[0]
    assert_allclose(factor, rest)


def test_one_column_and_one_row_too_few():
    rng = np.random.default_rng(0)
    assert words(rng.normal(size=(20, 1))) == ("modality",)
    assert words(np.ones((20, 3))) == ("modality",)


# Curves and counts ------------------------------------------------------------------------------


def test_curves_are_told_from_tables():
    spectra = read(make_spectra(100, random_state=0).curves)
    assert is_curve(spectra, 0)
    shuffled = spectra.arrays[0][:, np.random.default_rng(0).permutation(spectra.widths[0])]
    assert not is_curve(read(shuffled), 0)
    assert not is_curve(read(datasets.load_wine().data), 0)


def test_counts_are_named():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "length": rng.normal(size=200),
            "reads": rng.negative_binomial(0.5, 0.05, size=200),
            "yes": rng.integers(2, size=200),
            "grade": rng.integers(5, size=200),
            "eggs": rng.negative_binomial(1, 0.3, size=200),
        }
    )
    assert count_columns(read(frame), 0) == ["reads", "eggs"]
    assert count_columns(read(frame.to_numpy()), 0) == ["1", "4"]
    assert count_columns(read(datasets.load_digits().data), 0) == []
    assert count_columns(read(make_lattices(random_state=0).images), 0) == []


@pytest.mark.parametrize("odd", [-1.0, 0.5])
def test_counts_are_counts_in_all_rows(odd):
    """Some rows tell what looks like counts; a fit refuses these if another row is none."""
    rows = np.random.default_rng(0).negative_binomial(0.5, 0.05, size=(2500, 2)).astype(float)
    rows[1, 0] = odd
    assert count_columns(read(rows), 0) == ["1"]


def test_what_is_missing_is_no_count_of_zero():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "income": rng.lognormal(8.0, 1.0, size=200).round(),
            "eggs": rng.negative_binomial(1, 0.3, size=200),
        }
    ).astype("Int64")
    frame = frame.mask(rng.random(frame.shape) < 0.3).assign(height=rng.normal(size=200))
    assert count_columns(read(frame), 0) == ["eggs"]
