"""Samples as training sees them: scaled, on the device; and as arrays, for other processes."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import torch
from torch import Tensor

from .._data.known_nodes import allowed_cells
from .._data.on_disk import OnDisk
from .._data.ranks import Ranks
from .._data.samples import FitSamples
from .._data.scaling import ModalityScaler
from .._data.validation import Modalities
from ..modules import Batch
from .scaled_rows import ScaledRows, fits
from .setup import Setup
from .tensors import TensorData, Tensors


def scaled_data(
    modalities: Modalities, scaler: ModalityScaler, device: torch.device, dtype: torch.dtype
) -> TensorData:
    """Scale samples and put them on a device; missing elements are 0.

    What is on disk stays there, and what does not fit on the device stays in memory; gaps are
    filled on the device alone.
    """
    tables = [
        ScaledRows.of(array, scaler.centre[k], scaler.factor[k], device)
        if isinstance(array, OnDisk)
        else torch.from_numpy(scaler.transform_one(modalities, k))
        for k, array in enumerate(modalities.arrays)
    ]
    n_bytes = sum(table.nbytes for table in tables if isinstance(table, Tensor))
    resident = modalities.elements is not None or fits(n_bytes, device)
    arrays = tuple(
        table
        if isinstance(table, ScaledRows)
        else (table.to(device) if resident else ScaledRows.in_memory(table, device))
        for table in tables
    )
    observed = None
    if not modalities.observed.all():
        observed = torch.from_numpy(modalities.observed.copy()).to(device)
    masks = enumerate(modalities.elements or ())
    elements = {m: torch.from_numpy(mask).to(device) for m, mask in masks if mask is not None}
    samples = Batch(cast(Tensors, arrays), observed, elements=elements)
    return TensorData(samples, dtype)


def fit_data(samples: FitSamples, setup: Setup) -> TensorData:
    """Scale the samples of a fit, and add what is known of them and what they count for."""
    device, knowledge = setup.device, samples.knowledge
    data = scaled_data(samples.modalities, setup.scaler, device, setup.spec.torch_dtype)
    allowed = index = weights = units = None
    if knowledge.known_nodes is not None:
        cells = allowed_cells(knowledge.known_nodes, setup.spec.node_sizes)
        allowed = torch.from_numpy(cells).to(device)
    if knowledge.regime_index is not None:
        index = torch.from_numpy(knowledge.regime_index)[None].to(device)
    if samples.weights is not None:
        weights = torch.from_numpy(samples.weights)[None].to(device, data.dtype)
    if samples.modalities.groups is not None:
        units = torch.from_numpy(samples.modalities.groups)[None].to(device)
    known = replace(data.samples, allowed=allowed, regime_index=index, weights=weights, units=units)
    data, ranks = replace(data, samples=known), samples.modalities.ranks
    n_cells = math.prod(setup.spec.node_sizes)
    return _of_ranks(data, ranks, n_cells) if ranks.are_several else data


def _of_ranks(data: TensorData, ranks: Ranks, n_cells: int) -> TensorData:
    """Return data that have what those of any rank have; where it was missing, nothing is."""
    samples, n_modalities = data.samples, len(data.arrays)
    joined = replace(data, ranks=ranks)

    def table(values: Tensor | None, n_rows: int, dtype: torch.dtype) -> Tensor | None:
        if not joined.anywhere(values is not None) or values is not None:
            return values
        return torch.ones(n_rows, data.n_samples, dtype=dtype, device=data.device)

    observed = table(samples.observed, n_modalities, torch.bool)
    elements = {}
    for m in range(n_modalities):
        if joined.anywhere(m in data.elements):
            elements[m] = torch.from_numpy(data.seen(m)).to(data.device)
    samples = replace(
        samples,
        observed=observed,
        allowed=table(samples.allowed, n_cells, torch.bool),
        weights=table(samples.weights, 1, data.dtype),
        elements=elements,
    )
    return replace(joined, samples=samples)


def as_arrays(data: TensorData) -> TensorData:
    """Return samples with NumPy arrays in the places of tensors; what is on disk stays there.

    joblib maps them into the memory of its workers. They are writable: torch has no others.
    """
    return _changed(data, lambda tensor: tensor.cpu().numpy())


def from_arrays(data: TensorData, device: torch.device) -> TensorData:
    """Undo :func:`as_arrays`."""
    return _changed(data, lambda array: torch.as_tensor(array, device=device))


def _changed(data: TensorData, change: Callable[[Any], Any]) -> TensorData:
    """Return samples of which tables in memory are changed."""

    def changed(table: Any) -> Any:
        return table if isinstance(table, ScaledRows) else change(table)

    return replace(data, samples=data.samples.mapped(changed, changed))
