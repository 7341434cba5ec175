"""Batches of the data."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from random_models import (
    make_data,
    seed,
)


def test_batches():
    data = make_data(missing=True)
    batches = list(data.shuffled(40, seed()))
    assert [len(batch.arrays[0]) for batch in batches] == [40, 40, 10]
    rows = torch.cat([batch.arrays[1] for batch in batches])
    assert_allclose(np.sort(rows, axis=0), np.sort(data.arrays[1], axis=0))
    assert batches[0].observed.shape == (2, 40)


@pytest.mark.parametrize(
    ("n_samples", "batch_size", "sizes"),
    [(90, 89, [90]), (5, 2, [2, 3]), (6, 4, [4, 2]), (2, 1, [1, 1]), (1, 4, [1])],
)
def test_no_sample_is_left_over_alone(n_samples, batch_size, sizes):
    """Batch normalization cannot train on one sample."""
    data = make_data().subset(slice(n_samples))
    batches = data.shuffled(batch_size, seed())
    assert [len(batch.arrays[0]) for batch in batches] == sizes
