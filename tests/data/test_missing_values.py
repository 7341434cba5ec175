"""Which samples the model is learned from, and where numbers are infinite or too large."""

import numpy as np
import pandas as pd
import pytest
import torch
from gate import Gate, read
from numpy.testing import assert_array_equal

from skcausalpima import MissingValues, MultimodalData
from skcausalpima._data.missing_values import check_joined, complete_enough


def with_counts(*counts, n_modalities=4):
    """Samples that have so many modalities each, in turns."""
    observed = np.zeros((n_modalities, len(counts)), dtype=bool)
    for n, count in enumerate(counts):
        observed[(np.arange(count) + n) % n_modalities, n] = True
    return observed


def test_all_where_all_are_complete():
    assert complete_enough(with_counts(4, 4, 4)) is None


def test_the_complete_ones_from_a_fifth_on():
    assert_array_equal(complete_enough(with_counts(3, 4, 3, 3, 3)), [1])
    assert complete_enough(with_counts(3, 4, 3, 3, 3, 3)) is None


def test_more_incomplete_ones_until_they_are_a_fifth():
    counts = [4, 3, 1, 3, 1, 2, 1, 1, 1, 1, 1, 1, 1, 1, 2]
    assert_array_equal(complete_enough(with_counts(*counts)), [0, 1, 3])
    assert_array_equal(complete_enough(with_counts(*counts, 1)), [0, 1, 3, 5, 14])


def test_every_modality_that_is_ever_observed_is_among_them():
    observed = np.ones((3, 10), dtype=bool)
    observed[2] = False
    assert complete_enough(observed) is None
    observed[2, 4], observed[:2, 4] = True, False  # one sample alone has the third
    assert complete_enough(observed) is None


@pytest.mark.parametrize("seed", range(20))
def test_the_rule(seed):
    rng = np.random.default_rng(seed)
    observed = rng.uniform(size=(4, 30)) < rng.uniform(0.2, 1.0)
    rows = complete_enough(observed)
    if rows is None:
        return
    counts, others = observed.sum(axis=0), np.setdiff1d(np.arange(30), rows)
    assert len(rows) >= 6
    assert counts[rows].min() > counts[others].max()
    assert_array_equal(observed[:, rows].any(axis=1), observed.any(axis=1))
    fewer = rows[counts[rows] > counts[rows].min()]
    covers = np.array_equal(observed[:, fewer].any(axis=1), observed.any(axis=1))
    assert len(fewer) < 6 or not covers


@pytest.mark.parametrize("observed", [np.ones((2, 1)), np.zeros((2, 3)), np.eye(2)])
def test_small_ones(observed):
    assert complete_enough(observed.astype(bool)) is None


# Infinity, and numbers beyond those of a float --------------------------------------------------


def with_infinity(shape, *indices):
    array = np.ones(shape)
    for index in indices:
        array[index] = -np.inf
    return array


IMAGES, CURVES = np.ones((9, 3, 2)), np.ones((9, 4))
IMAGE, CURVE = with_infinity(IMAGES.shape, (7, 1, 0)), with_infinity(CURVES.shape, (5, 2))
FRAME = pd.DataFrame(CURVE, columns=list("abcd"))
SEVERAL = with_infinity(CURVES.shape, (5, 2), (5, 3), 8)


@pytest.mark.parametrize("missing_values", ["marginalize", "error"])
@pytest.mark.parametrize(
    ("X", "told"),
    [
        ([IMAGES, CURVE], "modality 'modality1' .*sample 5, column 2"),
        ([IMAGES, CURVE.tolist()], "'modality1' .*sample 5, column 2"),
        (CURVE.tolist(), "X .*sample 5, column 2"),
        ({"image": IMAGES, "curve": CURVE.tolist()}, "modality 'curve' .*sample 5, column 2"),
        ({"i": IMAGES, "t": FRAME}, "modality 't' .*sample 5, column 'c'"),
        (MultimodalData([IMAGE, CURVES]), r"modality 'modality0' .*sample 7, element \[1, 0\]"),
        (CURVE, "X .*sample 5, column 2"),
        (FRAME, "X .*sample 5, column 'c'"),
        (IMAGE, r"X .*sample 7, element \[1, 0\]"),
        (torch.tensor(IMAGE), r"sample 7, element \[1, 0\]"),
        (SEVERAL, r"sample 5, column 2 \(and 1 more\)"),
        ([IMAGES, SEVERAL], r"sample 5, column 2 \(and 1 more\)"),
    ],
)
def test_infinity_is_located(X, told, missing_values):
    with pytest.raises(ValueError, match=f"{told}: expected finite numbers.*NaN"):
        read(X, missing_values=missing_values)


BEYOND = [[10**400, 1.0, 2.0], [1.0, 2.0, 10**400], [0.0, 1.0, 2.0]]
OBJECTS = np.array(BEYOND, dtype=object)


@pytest.mark.parametrize(
    ("X", "what"),
    [
        (BEYOND, "X"),
        (OBJECTS, "X"),
        (pd.DataFrame(BEYOND), "X"),
        ([BEYOND, np.ones((3, 1))], "modality 'modality0'"),
        ([np.ones((3, 1)), OBJECTS], "modality 'modality1'"),
        ({"a": pd.DataFrame(BEYOND), "b": np.ones((3, 1))}, "modality 'a'"),
        (MultimodalData([BEYOND, np.ones((3, 1))]), "modality 'modality0'"),
    ],
)
def test_numbers_that_no_float_holds(X, what):
    with pytest.raises(ValueError, match=f"{what}.*number beyond those of a float.*larger units"):
        read(X)


# What a fit needs -------------------------------------------------------------------------------


def gappy(*indices):
    image = np.ones((9, 3, 2))
    for index in indices:
        image[index] = np.nan
    return [image, np.ones((9, 4))]


@pytest.mark.parametrize(
    ("indices", "told"),
    [
        ([np.s_[:, 2, 1]], r"element \[2, 1\] of modality 'modality0' is missing in all samples"),
        (
            [np.s_[:, 2, 1], np.s_[:, 1, 0]],
            r"element \[1, 0\] .* \(and 1 more\) is missing in all",
        ),
    ],
)
def test_an_element_that_no_sample_has(indices, told):
    with pytest.raises(ValueError, match=told):
        read(gappy(*indices))


@pytest.mark.parametrize("refusing", ["error", MissingValues("error")])
def test_gaps_may_be_refused(refusing):
    gate, partly = Gate(missing_values=refusing), gappy((1, 2, 1))
    said = r"'modality0' contains NaN in 1 of 6 elements of sample 1, but missing_values is 'error'"
    for reads in (gate.fit, gate.fit(gappy()).read):
        with pytest.raises(ValueError, match=said):
            reads(partly)
    with pytest.raises(ValueError, match="contains NaN"):
        gate.fit(partly[0].reshape(9, 6))


def test_up_to_a_tenth_of_the_rows_may_lack_all_values():
    observed = np.ones((2, 20), dtype=bool)
    observed[:, [3, 17]] = False
    check_joined(observed, 20, 2)
    with pytest.raises(ValueError, match=r"row\(s\) 3, 17: 2 of 19 .* a tenth may"):
        check_joined(observed, 19, 2)
    with pytest.raises(ValueError, match=r"6 of 59 rows seen so far .* a join that failed"):
        check_joined(observed, 59, 6, earlier=True)
