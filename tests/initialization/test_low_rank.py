"""Missing elements before there is a model."""

import numpy as np
import torch
from numpy.testing import assert_array_equal

from skcausalpima._initialization.low_rank import filled_by_low_rank
from skcausalpima._model.tensors import TensorData
from skcausalpima.modules import Batch


def test_a_matrix_of_low_rank_is_found_again():
    rng = np.random.default_rng(0)
    whole = rng.normal(size=(200, 2)) @ rng.normal(size=(2, 10)) + rng.normal(size=10)
    seen = rng.random(whole.shape) > 0.1
    seen[:20, :4] = False  # these samples lack the modality
    given = np.where(seen, whole, 0.0)
    rows = np.ones((2, 200), dtype=bool)
    rows[0, :20] = False
    arrays = (torch.tensor(given[:, :4]), torch.tensor(given[:, 4:]))
    masks = {0: torch.tensor(seen[:, :4]), 1: torch.tensor(seen[:, 4:])}
    data = TensorData(Batch(arrays, torch.tensor(rows), elements=masks), torch.float64)
    filled = filled_by_low_rank(data, 2)
    found = torch.cat(filled.arrays, dim=1).numpy()
    assert_array_equal(found[seen], whole[seen])
    assert_array_equal(found[:20, :4], 0.0)
    gaps = ~seen
    gaps[:20] = False
    of_means = np.abs(whole - whole.mean(axis=0))[gaps].mean()
    assert np.abs(found - whole)[gaps].mean() < 0.1 * of_means
    assert_array_equal(torch.cat(data.arrays, dim=1).numpy(), given)


def test_where_nothing_is_missing_nothing_happens():
    data = TensorData(Batch((torch.ones(3, 2),), None), torch.float32)
    assert filled_by_low_rank(data, 2) is data
