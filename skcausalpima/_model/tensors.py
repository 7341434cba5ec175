"""Scaled samples in memory, and the ways to walk through them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from .._data.known_nodes import allowed_cells
from .._data.samples import FitSamples
from .._data.scaling import ModalityScaler
from .._data.validation import Modalities
from ..modules import Batch
from .setup import Setup

#: Rows of one block in passes that need no gradient.
BLOCK_ROWS = 512


class TrainingData(NamedTuple):
    """Scaled samples in memory, on the device of the model.

    Parameters
    ----------
    arrays : tuple of Tensor
        Per modality a tensor of shape (n_samples, width).
    observed : Tensor of shape (n_modalities, n_samples) or None
        True where a sample has the modality; None where nothing is missing.
    dtype : torch.dtype
        The dtype to compute in; batches are cast to it.
    allowed : Tensor of shape (n_components, n_samples), default=None
        True where a sample may belong to a cell; None where nothing is known.
    regimes : Tensor of shape (1, n_samples), default=None
        Which nodes were set from outside in each sample, by number; None for none anywhere.
    weights : Tensor of shape (1, n_samples), default=None
        For how many samples each row counts, in ``dtype``; None for one.
    """

    arrays: tuple[Tensor, ...]
    observed: Tensor | None
    dtype: torch.dtype
    allowed: Tensor | None = None
    regimes: Tensor | None = None
    weights: Tensor | None = None

    def __reduce__(self) -> tuple:
        """Pickle as NumPy arrays, which joblib memory-maps for its workers."""
        fields = [_converted(field, lambda tensor: tensor.cpu().numpy()) for field in self]
        return _from_arrays, (str(self.device), fields)

    @property
    def n_samples(self) -> int:
        """Number of samples."""
        return self.arrays[0].shape[0]

    @property
    def total(self) -> float:
        """Number of samples that the rows count for."""
        return self.n_samples if self.weights is None else self.weights.double().sum().item()

    @property
    def device(self) -> torch.device:
        """Where the data lies."""
        return self.arrays[0].device

    @property
    def n_observed(self) -> Tensor:
        """Number of samples that have each modality, by weight, of shape (n_modalities,)."""
        if self.observed is None:
            kind = torch.int64 if self.weights is None else torch.float32
            total = torch.full((len(self.arrays),), self.total, dtype=kind, device=self.device)
            return total.double()
        observed = self.observed.double()
        if self.weights is not None:
            observed = observed * self.weights.double()
        return observed.sum(dim=1)

    @property
    def n_elements(self) -> Tensor:
        """Number of observed elements of each modality, of shape (n_modalities,)."""
        widths = torch.tensor([array.shape[1] for array in self.arrays], device=self.device)
        return widths * self.n_observed

    def rows(self, rows: Tensor | slice) -> Batch:
        """Return some samples as a batch."""
        arrays = tuple(array[rows].to(self.dtype) for array in self.arrays)
        return Batch(arrays, *self._tables(rows))

    def subset(self, rows: Tensor | slice) -> TrainingData:
        """Return some samples as data of their own."""
        observed, *tables = self._tables(rows)
        arrays = tuple(array[rows] for array in self.arrays)
        return TrainingData(arrays, observed, self.dtype, *tables)

    def _tables(self, rows: Tensor | slice) -> list[Tensor | None]:
        tables = (self.observed, self.allowed, self.regimes, self.weights)
        return [None if table is None else table[:, rows] for table in tables]

    def blocks(self) -> Iterator[Batch]:
        """Return the samples in order, block by block."""
        for start in range(0, self.n_samples, BLOCK_ROWS):
            yield self.rows(slice(start, start + BLOCK_ROWS))

    def shuffled(self, batch_size: int, generator: torch.Generator) -> Iterator[Batch]:
        """Return the samples in random order, batch by batch."""
        order = torch.randperm(self.n_samples, generator=generator).to(self.device)
        batches = list(order.split(batch_size))
        if len(batches) > 1 and len(batches[-1]) == 1 < batch_size:
            batches[-2:] = [torch.cat(batches[-2:])]  # batch normalization needs two samples
        for rows in batches:
            yield self.rows(rows)

    def mean(self, values: Tensor, batch: Batch) -> Tensor:
        """Return the mean of a batch's values, of shape (n_rows,), by weight.

        The divisor is the mean weight of all rows, not of the batch: an unimportant row must not
        count in full because it meets its like.
        """
        mean = batch.weighted(values).mean()
        return mean if self.weights is None else mean / self.weights.mean()

    def normal(self, n_rows: int, latent_dim: int, generator: torch.Generator) -> Tensor:
        """Draw standard normal noise; the draws do not depend on the device."""
        noise = torch.randn(n_rows, latent_dim, generator=generator, dtype=self.dtype)
        return noise.to(self.device)


def _converted(field: Any, convert: Callable) -> Any:
    """Convert the arrays of a field; anything else stays as it is."""
    if isinstance(field, tuple):
        return tuple(convert(array) for array in field)
    return convert(field) if isinstance(field, (Tensor, np.ndarray)) else field


def _from_arrays(device: str, fields: Sequence) -> TrainingData:
    """Undo the pickling. Arrays must be writable: torch has no read-only tensors."""
    to_tensor = partial(torch.as_tensor, device=device)
    return TrainingData(*(_converted(field, to_tensor) for field in fields))


def scaled_data(
    modalities: Modalities, scaler: ModalityScaler, device: torch.device, dtype: torch.dtype
) -> TrainingData:
    """Scale samples and put them on a device."""
    arrays = tuple(torch.from_numpy(array).to(device) for array in scaler.transform(modalities))
    observed = None
    if not modalities.observed.all():
        observed = torch.from_numpy(modalities.observed.copy()).to(device)
    return TrainingData(arrays, observed, dtype)


def fit_data(samples: FitSamples, setup: Setup) -> TrainingData:
    """Scale the samples of a fit, and add what is known of them and what they count for."""
    device, knowledge = setup.device, samples.knowledge
    data = scaled_data(samples.modalities, setup.scaler, device, setup.spec.torch_dtype)
    if knowledge.known_nodes is not None:
        allowed = allowed_cells(knowledge.known_nodes, setup.spec.node_sizes)
        data = data._replace(allowed=torch.from_numpy(allowed).to(device))
    if knowledge.regime_index is not None:
        index = torch.from_numpy(knowledge.regime_index)[None]
        data = data._replace(regimes=index.to(device))
    if samples.weights is not None:
        weights = torch.from_numpy(samples.weights)[None]
        data = data._replace(weights=weights.to(device, data.dtype))
    return data
