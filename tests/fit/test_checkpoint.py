"""What a checkpoint knows the data by."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from skcausalpima._fit.checkpoint import data_fingerprint
from skcausalpima._model.tensors import TensorData
from skcausalpima.modules import Batch

ARRAYS = (torch.arange(6.0).reshape(3, 2), torch.ones(3, 4))
OBSERVED = torch.tensor([[True, True, True], [True, False, True]])
ALLOWED = torch.ones(2, 3, dtype=torch.bool)
REGIMES = torch.tensor([[0, 1, 0]])
WEIGHTS = torch.tensor([[1.0, 2.0, 1.0]])
SAMPLES = Batch(ARRAYS, OBSERVED, ALLOWED, REGIMES, WEIGHTS)
DATA = TensorData(SAMPLES, torch.float32)


def test_the_fingerprint_does_not_depend_on_classes_and_their_addresses():
    elsewhere = SimpleNamespace(samples=SimpleNamespace(units=None), **vars(SAMPLES))
    assert data_fingerprint(elsewhere, 0.2) == data_fingerprint(DATA, 0.2)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("arrays", (ARRAYS[0] + 1, ARRAYS[1])),
        ("arrays", ARRAYS[::-1]),
        ("observed", None),
        ("allowed", ~ALLOWED),
        ("regime_index", 1 - REGIMES),
        ("weights", None),
        ("elements", {1: ARRAYS[1] > 0}),
        ("units", torch.arange(len(ARRAYS[0]))[None]),
    ],
)
def test_every_array_counts(field, value):
    changed = TensorData(replace(SAMPLES, **{field: value}), torch.float32)
    assert data_fingerprint(changed, 0.2) != data_fingerprint(DATA, 0.2)


def test_the_held_out_fraction_counts():
    assert data_fingerprint(DATA, 0.2) != data_fingerprint(DATA, 0.3)
