"""Samples that tests of several files walk through."""

import numpy as np
import pytest
import torch

from skcausalpima._data import on_disk
from skcausalpima._data.on_disk import OnDisk, PlainFile
from skcausalpima._model import tensors
from skcausalpima._model.scaled_rows import ScaledRows
from skcausalpima._model.tensors import TensorData
from skcausalpima.modules import Batch


@pytest.fixture
def on_file(tmp_path, monkeypatch):
    """Data of 61 samples on disk, read four at a time and mixed in buffers of twelve."""
    monkeypatch.setattr(on_disk, "BLOCK_BYTES", 4 * 3)
    monkeypatch.setattr(tensors, "BUFFER_BYTES", 12 * 3)
    np.arange(61 * 3, dtype=np.uint8).reshape(61, 3).tofile(tmp_path / "x")
    dtype = np.dtype(np.uint8)
    file = PlainFile(path=str(tmp_path / "x"), offset=0, shape=(61, 3), dtype=dtype)
    array = OnDisk.of(file, "x").astype(np.float32)
    table = ScaledRows.of(array, np.array([1.0, 2.0, 3.0]), 2.0, torch.device("cpu"))
    return TensorData(Batch((table,), None), torch.float32)
