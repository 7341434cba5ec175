"""Batches of the data."""

import pickle

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from random_models import make_data, seed

from skcausalpima._model.scaled_samples import as_arrays, from_arrays


def test_batches():
    data = make_data(missing=True)
    batches = [batch for _, batch in data.numbered(40, seed())]
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
    batches = data.numbered(batch_size, seed())
    assert [len(batch.arrays[0]) for _, batch in batches] == sizes


def test_samples_on_disk_come_in_order_and_scaled(on_file):
    blocks = [block.arrays[0] for block in on_file.blocks()]
    expected = (torch.arange(61.0 * 3).reshape(61, 3) - torch.tensor([1.0, 2.0, 3.0])) / 2
    assert torch.equal(torch.cat(blocks), expected)
    assert torch.equal(on_file.loaded().arrays[0], expected)
    assert torch.equal(on_file.subset(torch.tensor([9, 2])).loaded().arrays[0], expected[[9, 2]])
    assert all(len(part.arrays[0]) <= 13 for _, part in on_file.parts())
    assert {part.tables[0].values.dtype for _, part in on_file.parts()} == {torch.uint8}


def test_samples_on_disk_are_mixed(on_file):
    """Each comes once; batches are of runs from all over the file, and none is of one sample."""
    batches = list(on_file.numbered(5, seed()))
    rows = torch.cat([rows for rows, _ in batches])
    assert rows.sort().values.tolist() == list(range(61))
    for numbers, batch in batches:
        assert torch.equal(batch.arrays[0], on_file.rows(numbers).arrays[0])
        assert len(numbers) > 1
    assert rows[:12].max() - rows[:12].min() > 12
    assert (rows[1:13].diff() == 1).float().mean() < 0.5
    again = torch.cat([rows for rows, _ in on_file.numbered(5, seed())])
    assert torch.equal(rows, again)


def test_samples_on_disk_go_to_workers_by_name(on_file):
    sent = pickle.dumps(as_arrays(on_file))
    received = from_arrays(pickle.loads(sent), on_file.device)
    assert received.is_streamed
    assert torch.equal(received.loaded().arrays[0], on_file.loaded().arrays[0])
