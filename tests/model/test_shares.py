"""Shares of many samples: how many, which, and in which order."""

from dataclasses import replace

import torch
from numpy.testing import assert_allclose
from random_models import make_data, seed

from skcausalpima._model import shares
from skcausalpima._model.shares import share_of
from skcausalpima.modules import Batch


def test_a_share_has_so_many_samples_in_order():
    data = make_data()  # 90 samples
    assert all(share_of(data, n_rows, seed()) is data for n_rows in (None, 90, 200))
    numbered = replace(data, samples=Batch((torch.arange(90.0)[:, None],), None))
    for n_rows in (1, 7, 40, 89):
        rows = share_of(numbered, n_rows, seed()).arrays[0][:, 0]
        assert len(rows) == n_rows
        assert (rows.diff() > 0).all()


def test_every_sample_is_as_likely_in_a_share():
    numbered = replace(make_data(), samples=Batch((torch.arange(90.0)[:, None],), None))
    generator, counts = seed(), torch.zeros(90)
    for _ in range(3000):
        counts[share_of(numbered, 40, generator).arrays[0][:, 0].long()] += 1
    # of a binomial count, four standard deviations
    assert_allclose(counts / 3000, 40 / 90, atol=4 * (40 / 90 * 50 / 90 / 3000) ** 0.5)


def test_shares_of_samples_on_disk_are_runs_of_neighbours(on_file, monkeypatch):
    monkeypatch.setattr(shares, "RUNS_OF_SHARE", 4)
    numbers = replace(
        on_file, samples=replace(on_file.samples, regime_index=torch.arange(61)[None])
    )
    for n_rows in (4, 12, 13, 60):
        rows = share_of(numbers, n_rows, seed()).regime_index[0]
        length = n_rows // 4
        assert len(rows) == len(rows.unique()) == n_rows // length * length
        assert (rows.reshape(-1, length).diff(dim=1) == 1).all()
        assert (rows[::length] % length == 0).all()


def test_shares_of_samples_on_disk_are_read_as_they_are_asked_for(on_file):
    expected = share_of(on_file.loaded(), 10, seed()).arrays[0]  # of runs of one
    share = share_of(on_file, 10, seed())
    assert share.is_streamed
    assert torch.equal(torch.cat([block.arrays[0] for block in share.blocks()]), expected)
