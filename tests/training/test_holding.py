"""Samples that keep their component while the model is trained."""

import torch
from random_models import make_data

from skcausalpima._training.holding import hold, starting_cells


def start_of(cells, confidence=0.95, agreement=0.99, rows=None):
    gamma = torch.full((4, len(cells)), (1 - confidence) / 3, dtype=torch.float64)
    gamma[cells, torch.arange(len(cells))] = confidence
    return starting_cells(gamma, rows, agreement)


def test_clear_samples_may_only_lie_in_their_cell():
    data = make_data()
    cells = torch.arange(data.n_samples) % 4
    start = start_of(cells)
    allowed = hold(data, start, 4).allowed
    assert torch.equal(allowed, torch.nn.functional.one_hot(cells, 4).T.bool())
    assert data.allowed is None


def test_samples_are_free_where_candidates_or_clusters_are_not_sure():
    data = make_data()
    cells = torch.arange(data.n_samples) % 4
    for start in (start_of(cells, confidence=0.85), start_of(cells, agreement=0.94), None):
        assert hold(data, start, 4) is data


def test_only_rows_that_clusters_were_found_on_are_held():
    data, rows = make_data(), torch.tensor([3, 1])
    start = start_of(torch.tensor([2, 0]), rows=rows)
    allowed = hold(data, start, 4).allowed
    assert allowed[:, 3].tolist() == [False, False, True, False]
    assert allowed[:, 1].tolist() == [True, False, False, False]
    others = [k for k in range(data.n_samples) if k not in (1, 3)]
    assert allowed[:, others].all()
    assert start.of(data).n_samples == 2


def test_what_is_known_goes_before():
    data = make_data()
    known = hold(data, start_of(torch.zeros(data.n_samples, dtype=torch.int64)), 4)
    start = start_of(torch.ones(data.n_samples, dtype=torch.int64))
    assert torch.equal(hold(known, start, 4).allowed, known.allowed)
