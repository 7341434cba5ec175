"""What stands in for missing elements, and what they count for."""

from dataclasses import replace

import torch
from small_models import small_spec
from torch.testing import assert_close

from skcausalpima._model.build import build_model
from skcausalpima._model.data_arrays import DataArrays
from skcausalpima._model.tensors import TensorData
from skcausalpima._training.block_update import variance_floors
from skcausalpima._training.filling import filled
from skcausalpima.modules import Batch

SHAPES = ((3, 2), (4,))


def example():
    generator = torch.Generator().manual_seed(0)
    model = build_model(small_spec(SHAPES, hidden_layer_sizes=(8,)), generator)
    arrays = tuple(
        torch.randn(9, width, generator=generator, dtype=torch.float64) for width in (6, 4)
    )
    seen = torch.ones(9, 4, dtype=torch.bool)
    seen[2, 1] = seen[5, 0] = seen[5, 3] = False
    return model, TensorData(Batch(arrays, None, elements=(None, seen)), torch.float64)


def test_gaps_alone_are_filled_and_what_stood_there_does_not_matter():
    model, data = example()
    seen = data.elements[1]
    result = filled(model, data)
    assert result.arrays[0] is data.arrays[0]
    assert_close(result.arrays[1][seen], data.arrays[1][seen], rtol=0, atol=0)
    other = (data.arrays[0], torch.where(seen, data.arrays[1], 77.0))
    again = filled(model, replace(data, samples=replace(data.samples, arrays=other)))
    assert_close(again.arrays[1], result.arrays[1], rtol=0, atol=0)
    for part in model.decoders:
        for parameter in part.parameters():
            parameter.data.zero_()
    assert_close(filled(model, data).arrays[1][~seen], torch.zeros(3, dtype=torch.float64))


def test_without_gaps_data_and_model_stay_as_they_are():
    model, data = example()
    model.train()
    complete = replace(data, samples=replace(data.samples, elements=None))
    assert filled(model, complete) is complete
    assert model.training
    rows = data.subset(torch.tensor([0, 1]))  # no gap among these
    assert filled(model, rows) is rows


def test_elements_are_counted():
    _, data = example()
    assert data.n_elements.tolist() == [54, 33]
    weights = torch.arange(1.0, 10.0, dtype=torch.float64)[None]
    observed = torch.ones(2, 9, dtype=torch.bool)
    observed[0, 8] = False
    batch = replace(data.samples, weights=weights, observed=observed)
    weighted = TensorData(batch, torch.float64)
    assert weighted.n_elements.tolist() == [6 * 36, 4 * 45 - 3 - 2 * 6]
    assert_close(weighted.mean_shares.flatten(), weighted.n_elements / torch.tensor([270, 180]))
    floors = variance_floors(data, relative=1.0)
    squares = (data.arrays[1] * data.elements[1]).square().sum() / 33
    assert_close(floors[1], squares)
    arrays = DataArrays.of(weighted).to_tensors()
    assert all(map(torch.equal, arrays.elements[1:], weighted.elements[1:]))
