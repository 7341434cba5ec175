"""Which samples the model is learned from."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skcausalpima._data.missing_values import complete_enough


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
