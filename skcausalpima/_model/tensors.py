"""Scaled samples, and the ways to walk through them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias, cast

import numpy as np
import torch
from torch import Tensor

from .._data.completeness import complete_enough
from .._data.known_nodes import allowed_cells
from .._data.on_disk import OnDisk
from .._data.samples import FitSamples
from .._data.scaling import ModalityScaler
from .._data.validation import Modalities
from ..modules import Batch
from .scaled_rows import ScaledRows, fits
from .setup import Setup

#: Rows of one block in passes that need no gradient.
BLOCK_ROWS = 512

#: What arrays of a batch are, and, from the outside, those on disk.
Tensors: TypeAlias = tuple[Tensor, ...]

#: Samples on disk are read, and mixed, so many bytes at a time.
BUFFER_BYTES = 2**25


@dataclass(frozen=True)
class TensorData:
    """Scaled samples, on the device of the model.

    Parameters
    ----------
    samples : Batch
        All samples; the weights are in ``dtype``, the arrays may be in another, or
        :class:`ScaledRows`: not on the device. Batches and blocks are tensors on the device,
        wherever the samples are.
    dtype : torch.dtype
        The dtype to compute in; batches are cast to it.
    """

    samples: Batch
    dtype: torch.dtype

    @property
    def arrays(self) -> tuple[Tensor, ...]:
        """Per modality a tensor of shape (n_samples, width)."""
        return self.samples.arrays

    @property
    def tables(self) -> tuple[Tensor | ScaledRows, ...]:
        """The same, where it matters that they may be elsewhere."""
        return self.arrays

    @property
    def observed(self) -> Tensor | None:
        """True where a sample has the modality, of shape (n_modalities, n_samples)."""
        return self.samples.observed

    @property
    def allowed(self) -> Tensor | None:
        """True where a sample may belong to a cell, of shape (n_components, n_samples)."""
        return self.samples.allowed

    @property
    def regime_index(self) -> Tensor | None:
        """Number of each sample's set of nodes intervened on, of shape (1, n_samples)."""
        return self.samples.regime_index

    @property
    def weights(self) -> Tensor | None:
        """For how many samples each row counts, of shape (1, n_samples); None for one."""
        return self.samples.weights

    @property
    def elements(self) -> tuple[Tensor | None, ...] | None:
        """Per modality where elements are observed, see `Batch`."""
        return self.samples.elements

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
        numbers = widths * self.n_observed
        for m, seen in enumerate(self.elements or ()):
            if seen is not None:
                numbers[m] = self.samples.weighted(seen.sum(dim=1).double()).sum()
        return numbers

    @property
    def mean_shares(self) -> Tensor | None:
        """Share of the elements that are observed, of shape (n_modalities, 1); None for all."""
        if self.elements is not None:
            widths = torch.tensor([array.shape[1] for array in self.arrays], device=self.device)
            return (self.n_elements / (widths * self.total))[:, None]
        return None if self.observed is None else (self.n_observed / self.total)[:, None]

    @property
    def is_streamed(self) -> bool:
        """Whether some modality comes to the device as it is needed."""
        return any(isinstance(of, ScaledRows) and of.is_streamed for of in self.tables)

    def observed_values(self, m: int) -> Tensor:
        """Return a modality's array, missing elements as zeros."""
        seen = None if self.elements is None else self.elements[m]
        return self.arrays[m] if seen is None else self.arrays[m] * seen

    def element_masks(self) -> tuple[np.ndarray | None, ...] | None:
        """Return the masks of elements as NumPy arrays."""
        return None if self.elements is None else tuple(map(_as_array, self.elements))

    def rows(self, rows: Tensor | slice) -> Batch:
        """Return some samples as a batch."""
        batch = self.samples.take(rows)
        return replace(batch, arrays=tuple(array.to(self.dtype) for array in batch.arrays))

    def subset(self, rows: Tensor | slice) -> TensorData:
        """Return some samples as data of their own."""
        return TensorData(self.samples.take(rows), self.dtype)

    def core(self) -> tuple[TensorData, TensorData | None]:
        """Return the samples that the model is learned from, and the others if there are any."""
        rows = None if self.observed is None else complete_enough(self.observed.cpu().numpy())
        if rows is None:
            return self, None
        is_core = torch.zeros(self.n_samples, dtype=torch.bool, device=self.device)
        is_core[torch.as_tensor(rows, device=self.device)] = True
        core = self.subset(is_core.nonzero()[:, 0])
        if core.observed is not None and core.observed.all():
            core = TensorData(replace(core.samples, observed=None), self.dtype)
        return core, self.subset((~is_core).nonzero()[:, 0])

    def unweighted(self) -> TensorData:
        """Return the same samples, each counting for one."""
        return TensorData(replace(self.samples, weights=None), self.dtype)

    def to_arrays(self) -> DataArrays:
        """Return the same as NumPy arrays, which joblib maps into the memory of its workers."""
        return DataArrays(
            arrays=tuple(
                of if isinstance(of, ScaledRows) else of.cpu().numpy() for of in self.tables
            ),
            observed=_as_array(self.observed),
            allowed=_as_array(self.allowed),
            regime_index=_as_array(self.regime_index),
            weights=_as_array(self.weights),
            elements=self.element_masks(),
            dtype=self.dtype,
            device=str(self.device),
        )

    def blocks(self) -> Iterator[Batch]:
        """Return the samples in order, block by block."""
        for _, part in self.parts():
            for start in range(0, part.n_samples, BLOCK_ROWS):
                yield part.rows(slice(start, start + BLOCK_ROWS))

    def shuffled(self, batch_size: int, generator: torch.Generator) -> Iterator[Batch]:
        """Return the samples in random order, batch by batch.

        Those on disk are read some runs of neighbours at a time, in random order, and mixed.
        """
        for _, batch in self.numbered(batch_size, generator):
            yield batch

    def numbered(
        self, batch_size: int, generator: torch.Generator
    ) -> Iterator[tuple[Tensor, Batch]]:
        """Return the same batches, each with the numbers of its samples."""
        for numbers, part in self.parts(generator):
            for rows in part._shuffled_rows(batch_size, generator):
                yield rows if numbers is None else numbers[rows], part.rows(rows)

    def loaded(self) -> TensorData:
        """Return the same samples in memory, as tensors."""
        return self._with([of.tensor() if isinstance(of, ScaledRows) else of for of in self.tables])

    def parts(
        self, generator: torch.Generator | None = None
    ) -> Iterator[tuple[Tensor | None, TensorData]]:
        """Return the samples in memory, and their numbers; None for all at once.

        With a generator the samples on disk come in random runs, else in order.
        """
        if not self.is_streamed:
            yield None, self
            return
        files = [of for of in self.tables if isinstance(of, ScaledRows)]
        size = max(of.rows_at_once for of in files)
        runs = list(torch.arange(self.n_samples).split(size))
        if len(runs) > 1 and len(runs[-1]) == 1:
            runs[-2:] = [torch.cat(runs[-2:])]  # batch normalization needs two samples
        order = torch.arange(len(runs))
        if generator is not None:
            order = torch.randperm(len(runs), generator=generator)
        n_runs = max(1, BUFFER_BYTES // (size * sum(of.row_bytes for of in files)))
        for numbers in order.split(n_runs):
            rows = torch.cat([runs[k] for k in numbers.sort().values]).to(self.device)
            part = self.subset(rows)
            read = [of.read() if isinstance(of, ScaledRows) else of for of in part.tables]
            yield rows, part._with(read)

    def _with(self, tables: Sequence[Tensor | ScaledRows]) -> TensorData:
        """Return the same samples with these tables."""
        return replace(self, samples=replace(self.samples, arrays=cast(Tensors, tuple(tables))))

    def _shuffled_rows(self, batch_size: int, generator: torch.Generator) -> list[Tensor]:
        """Return the numbers of the samples in random order, batch by batch."""
        order = torch.randperm(self.n_samples, generator=generator).to(self.device)
        batches = list(order.split(batch_size))
        if len(batches) > 1 and len(batches[-1]) == 1 < batch_size:
            batches[-2:] = [torch.cat(batches[-2:])]  # batch normalization needs two samples
        return batches

    def mean(self, values: Tensor, batch: Batch) -> Tensor:
        """Return the mean of a batch's values, of shape (n_rows,), by weight.

        The divisor is the mean weight of all rows, not of the batch: an unimportant row must not
        count in full because it meets its like.
        """
        mean = batch.weighted(values).mean()
        return mean if self.weights is None else mean / self.weights.mean()

    def normal_like(self, points: Tensor, generator: torch.Generator) -> Tensor:
        """Draw standard normal noise for each latent point."""
        return self.normal(len(points), points.shape[1], generator)

    def normal(self, n_rows: int, latent_dim: int, generator: torch.Generator) -> Tensor:
        """Draw standard normal noise; the draws do not depend on the device."""
        noise = torch.randn(n_rows, latent_dim, generator=generator, dtype=self.dtype)
        return noise.to(self.device)


@dataclass(frozen=True, kw_only=True)
class DataArrays:
    """The same as NumPy arrays, writable: torch has no read-only tensors.

    Parameters
    ----------
    arrays : tuple of (ndarray or ScaledRows)
        One per modality.
    observed, allowed, regime_index, weights : ndarray or None
        Other fields of a batch.
    elements : tuple of (ndarray or None) or None
        Another.
    dtype : torch.dtype
        The dtype to compute in.
    device : str
        Where the data are to lie.
    """

    arrays: tuple[np.ndarray | ScaledRows, ...]
    observed: np.ndarray | None
    allowed: np.ndarray | None
    regime_index: np.ndarray | None
    weights: np.ndarray | None
    elements: tuple[np.ndarray | None, ...] | None
    dtype: torch.dtype
    device: str

    def to_tensors(self) -> TensorData:
        """Undo :meth:`TensorData.to_arrays`."""
        device = self.device
        arrays = tuple(
            of if isinstance(of, ScaledRows) else torch.as_tensor(of, device=device)
            for of in self.arrays
        )
        samples = Batch(
            arrays=cast(Tensors, arrays),
            observed=_as_tensor(self.observed, device),
            allowed=_as_tensor(self.allowed, device),
            regime_index=_as_tensor(self.regime_index, device),
            weights=_as_tensor(self.weights, device),
            elements=_as_tensors(self.elements, device),
        )
        return TensorData(samples, self.dtype)


def _as_array(table: Tensor | None) -> np.ndarray | None:
    return None if table is None else table.cpu().numpy()


def _as_tensor(table: np.ndarray | None, device: str | torch.device) -> Tensor | None:
    return None if table is None else torch.as_tensor(table, device=device)


def _as_tensors(
    tables: tuple[np.ndarray | None, ...] | None, device: str | torch.device
) -> tuple[Tensor | None, ...] | None:
    return None if tables is None else tuple(_as_tensor(table, device) for table in tables)


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
    elements = _as_tensors(modalities.elements, device)
    return TensorData(Batch(cast(Tensors, arrays), observed, elements=elements), dtype)


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
    return TensorData(known, data.dtype)
