"""What is found in the data of ranks is what is in all of their rows."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from rank_threads import on_ranks
from sklearn.base import BaseEstimator

from skcausalpima._data.missing_values import complete_enough
from skcausalpima._data.ranks import ALONE
from skcausalpima._data.samples import read_samples
from skcausalpima._data.scaling import ModalityScaler
from skcausalpima._data.validation import read_modalities

PARTS = [slice(0, 30), slice(30, 33)]


class Marginalizing(BaseEstimator):
    missing_values = "marginalize"


def modalities(ranks, arrays):
    rows = slice(None) if ranks is ALONE else PARTS[ranks.rank]
    found = read_modalities(Marginalizing(), [array[rows] for array in arrays], reset=True)
    return replace(found, ranks=ranks)


@pytest.fixture
def arrays():
    rng = np.random.default_rng(0)
    wide, narrow = 1e3 + rng.normal(size=(33, 4)), rng.normal(size=(33, 2)) * [1e-5, 3.0]
    narrow[4] = np.nan
    wide[5, 2] = np.nan
    wide[:, 1] = 7.0
    return [wide, narrow]


@pytest.mark.filterwarnings("ignore:The column 1 of modality")
@pytest.mark.parametrize("scale", ["auto", "modality", "feature"])
def test_scales_are_those_of_all_rows(arrays, scale):
    weights = np.linspace(1, 2, 33)

    def scaler(ranks):
        rows = slice(None) if ranks is ALONE else PARTS[ranks.rank]
        return ModalityScaler.fit(modalities(ranks, arrays), scale, weights[rows])

    expected = scaler(ALONE)
    first, second = on_ranks(scaler)
    for k in range(2):
        assert_allclose(first.centre[k], expected.centre[k], rtol=1e-13)
        assert_allclose(first.factor[k], expected.factor[k], rtol=1e-13)
        assert_array_equal(first.centre[k], second.centre[k])
        assert_array_equal(first.factor[k], second.factor[k])


def test_numbers_that_nothing_scales_are_looked_at_together(arrays):
    arrays[0][32] = 1e9
    first, second = on_ranks(lambda ranks: ModalityScaler.fit(modalities(ranks, arrays), None))
    assert "values of up to 1e+09" in str(first)
    assert str(first) == str(second)


def test_which_samples_are_complete_enough_is_asked_of_all_rows():
    observed = np.ones((2, 33), dtype=bool)
    observed[1, 3:] = False  # 3 of 33 are complete: too few, but not for the first rank alone
    assert complete_enough(observed) is None
    assert_array_equal(complete_enough(observed[:, :15]), range(3))
    parts = [observed[:, :15], observed[:, 15:]]
    assert on_ranks(lambda ranks: complete_enough(parts[ranks.rank], ranks.sum)) == [None, None]
    observed[1, :10] = True
    found = on_ranks(lambda ranks: complete_enough(parts[ranks.rank], ranks.sum))
    assert [rows.tolist() for rows in found] == [list(range(10)), []]


def test_rows_without_values_are_counted_over_all_ranks(arrays):
    """They may be more than a tenth of a rank's rows; where they are too many all ranks say so."""
    for array in arrays:
        array[:3] = np.nan
    on_ranks(lambda ranks: modalities(ranks, arrays).check_joined())
    for array in arrays:
        array[3] = np.nan

    def told(ranks):
        with pytest.raises(ValueError, match="4 of 33 rows have no value") as error:
            modalities(ranks, arrays).check_joined()
        return str(error.value)[:40]

    here, there = (f"no modality is observed in {n} sample(s)" for n in (4, 0))
    assert [text[: len(here)] for text in on_ranks(told)] == [here, there]


def test_numbers_of_samples_are_those_of_all_rows(arrays):
    def numbers(ranks):
        rows = slice(None) if ranks is ALONE else PARTS[ranks.rank]
        samples = read_samples(modalities(ranks, arrays), None, None, np.full(33, 1.5)[rows], {})
        return samples.n_rows, samples.total, samples.n_core_rows, samples.core_total

    assert on_ranks(numbers) == [numbers(ALONE)] * 2 == [(66, 49.5, 64, 48.0)] * 2


def test_one_process_answers_itself():
    value = np.ones(2)
    assert ALONE.sum(value) is ALONE.total(value) is ALONE.first(value) is value
    assert (ALONE.largest(3), ALONE.of_all(3), ALONE.positions(3).tolist()) == (3, [3], [0, 1, 2])
    ALONE.agree(lambda: 1 / 0)
    with pytest.raises(KeyError), ALONE.together():
        raise KeyError
