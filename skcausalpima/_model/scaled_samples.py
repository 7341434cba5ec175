"""Samples as training sees them: scaled, on the device; and as arrays, for other processes."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeAlias, cast

import numpy as np
import torch
from torch import Tensor

from .._data.known_nodes import allowed_cells
from .._data.on_disk import OnDisk
from .._data.ranks import ALONE, Ranks
from .._data.samples import FitSamples
from .._data.scaling import ModalityScaler
from .._data.validation import Modalities
from .._typing import Values
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
    n_bytes = sum(of.nbytes for of in tables if isinstance(of, Tensor))
    resident = modalities.elements is not None or fits(n_bytes, device)
    arrays = tuple(
        of
        if isinstance(of, ScaledRows)
        else (of.to(device) if resident else ScaledRows.in_memory(of, device))
        for of in tables
    )
    observed = None
    if not modalities.observed.all():
        observed = torch.from_numpy(modalities.observed.copy()).to(device)
    elements = as_tensors(modalities.elements, device)
    samples = Batch(cast(Tensors, arrays), observed, elements=elements)
    return TensorData(samples, dtype, modalities.ranks)


def fit_data(samples: FitSamples, setup: Setup) -> TensorData:
    """Scale the samples of a fit, and add what is known of them and what they count for."""
    device, knowledge = setup.device, samples.knowledge
    data = scaled_data(samples.modalities, setup.scaler, device, setup.spec.torch_dtype)
    allowed = index = weights = None
    if knowledge.known_nodes is not None:
        cells = allowed_cells(knowledge.known_nodes, setup.spec.node_sizes)
        allowed = torch.from_numpy(cells).to(device)
    if knowledge.regime_index is not None:
        index = torch.from_numpy(knowledge.regime_index)[None].to(device)
    if samples.weights is not None:
        weights = torch.from_numpy(samples.weights)[None].to(device, data.dtype)
    known = replace(data.samples, allowed=allowed, regime_index=index, weights=weights)
    return _as_on_all_ranks(replace(data, samples=known), math.prod(setup.spec.node_sizes))


def _as_on_all_ranks(data: TensorData, n_cells: int) -> TensorData:
    """Return data that have what those of any rank have; where it is missing nothing is special."""
    ranks, samples, device = data.ranks, data.samples, data.device
    if not ranks.are_several:
        return data

    def table(of: Tensor | None, n_rows: int, dtype: torch.dtype) -> Tensor | None:
        somewhere = ranks.largest(of is not None)
        if of is not None or not somewhere:
            return of
        return torch.ones(n_rows, data.n_samples, dtype=dtype, device=device)

    observed = table(samples.observed, len(data.arrays), torch.bool)
    present = torch.ones(len(data.arrays), data.n_samples, dtype=torch.bool, device=device)
    elements = []
    for m, seen in enumerate(samples.elements or (None,) * len(data.arrays)):
        somewhere = ranks.largest(seen is not None)
        if seen is None and somewhere:
            rows = present if observed is None else observed
            seen = rows[m][:, None].expand(-1, data.arrays[m].shape[1]).clone()
        elements.append(seen)
    has_elements = any(seen is not None for seen in elements)
    samples = replace(
        samples,
        observed=observed,
        allowed=table(samples.allowed, n_cells, torch.bool),
        weights=table(samples.weights, 1, data.dtype),
        elements=tuple(elements) if has_elements else None,
    )
    return replace(data, samples=samples)


#: Fields of a batch by row, and by column; the others are computed from these.
OF_ROWS, OF_COLUMNS = ("arrays", "elements"), ("observed", "allowed", "regime_index", "weights")

#: One table of a batch, or one for each modality, some of which may be missing.
Tables: TypeAlias = np.ndarray | Tensor | ScaledRows | tuple | None


@dataclass(frozen=True, kw_only=True)
class DataArrays:
    """Samples as NumPy arrays, writable: torch has no read-only tensors.

    joblib maps them into the memory of its workers.

    Parameters
    ----------
    fields : dict of str to (ndarray, tuple or None)
        Of a batch, by name. What is on disk stays there.
    dtype : torch.dtype
        The dtype to compute in.
    device : str
        Where the data are to lie.
    ranks : Ranks, default=ALONE
        Who has further samples.
    """

    fields: dict[str, Tables]
    dtype: torch.dtype
    device: str
    ranks: Ranks = ALONE

    @classmethod
    def of(cls, data: TensorData) -> DataArrays:
        """Return samples as arrays."""
        names = (*OF_ROWS, *OF_COLUMNS)
        return cls(
            fields={n: _each(lambda of: of.cpu().numpy(), getattr(data.samples, n)) for n in names},
            dtype=data.dtype,
            device=str(data.device),
            ranks=data.ranks,
        )

    def to_tensors(self) -> TensorData:
        """Undo :meth:`of`."""
        fields: Values = {name: as_tensors(of, self.device) for name, of in self.fields.items()}
        return TensorData(Batch(**fields), self.dtype, self.ranks)

    def gathered(self) -> DataArrays:
        """Return the samples of all ranks, as those of one that is alone; none are on disk."""
        gathered = self.ranks.gathered
        rows = {name: _each(gathered, self.fields[name]) for name in OF_ROWS}
        columns = {n: _each(lambda of: gathered(of.T).T, self.fields[n]) for n in OF_COLUMNS}
        return replace(self, fields=rows | columns, ranks=ALONE)


def as_tensors(table: Tables, device: str | torch.device) -> Any:
    """Return arrays as tensors on a device."""
    return _each(lambda of: torch.as_tensor(of, device=device), table)


def _each(change: Callable[[Any], Any], table: Tables) -> Any:
    """Return what tables become; one that is missing, or on disk, stays as it is."""
    if isinstance(table, tuple):
        return tuple(_each(change, of) for of in table)
    return table if table is None or isinstance(table, ScaledRows) else change(table)
