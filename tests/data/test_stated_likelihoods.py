"""What is asked about columns that are no measurements."""

import warnings

import numpy as np
import pytest

from skcausalpima import CausalPIMA
from skcausalpima._data.validation import read_modalities

pd = pytest.importorskip("pandas")
N = 240


def asked(frame):
    """Return what a fit asks about the columns of a frame."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        read_modalities(CausalPIMA(), frame, reset=True)
    return [str(warning.message) for warning in caught]


def frame_with(**columns):
    rng = np.random.default_rng(0)
    return pd.DataFrame({"mass": rng.normal(size=N), **columns})


def test_a_column_of_hundreds_of_words_is_asked_about():
    """A batch number took 129 s where 43 do, without a word."""
    rng = np.random.default_rng(0)
    many = [f"b{k}" for k in rng.permutation(np.arange(N) % 101)]
    (told,) = asked(frame_with(batch=many))
    assert "'batch' has 101 words" in told
    assert "contexts=[..]" in told
    assert asked(frame_with(batch=[f"b{k % 100}" for k in range(N)])) == []


@pytest.mark.parametrize("words", [None, "kind"])
def test_numbers_that_count_the_rows_are_asked_about(words):
    others = {} if words is None else {words: np.where(np.arange(N) % 3, "a", "b")}
    numbers = np.random.default_rng(0).permutation(N) + 1000
    (told,) = asked(frame_with(number=numbers, **others))
    assert "'number' numbers the rows" in told
    some = numbers.astype(float)
    some[7] = np.nan
    assert len(asked(frame_with(number=some, **others))) == 1
    assert asked(frame_with(number=2 * numbers, **others)) == []
    assert asked(frame_with(number=numbers + 0.5 * (numbers == 1001), **others)) == []
    assert asked(frame_with(number=numbers[::-1] % 200, **others)) == []


def test_an_array_has_no_columns_to_ask_about():
    assert asked(np.arange(2.0 * N).reshape(N, 2)) == []
