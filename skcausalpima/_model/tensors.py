"""Scaled samples, and the ways to walk through them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias, cast

import numpy as np
import torch
from torch import Tensor, nn

from .._data.missing_values import complete_enough
from .._data.ranks import ALONE, Ranks
from .._data.sample_weight import weighted_mean
from .._data.samples import NodeKnowledge
from ..modules import Batch
from .process_group import adopt, average_gradients
from .scaled_rows import ScaledRows

#: Rows of one block in passes that need no gradient.
BLOCK_ROWS = 512

#: What arrays of a batch are, and, from the outside, those on disk.
Tensors: TypeAlias = tuple[Tensor, ...]

#: Batches, each with the numbers of its samples.
Numbered: TypeAlias = Iterator[tuple[Tensor, Batch]]

#: Samples on disk are read, and mixed, so many bytes at a time.
BUFFER_BYTES = 2**25


@dataclass(frozen=True)
class TensorData:
    """Scaled samples, on the device of the model.

    Whoever sums over samples asks them for the sum over all (:meth:`total_of`), and so on. Where
    there are several ranks they ask their samples the same questions, in the same order.

    Parameters
    ----------
    samples : Batch
        All samples; the weights are in ``dtype``, the arrays may be in another, or
        :class:`ScaledRows`: not on the device. Batches and blocks are tensors on the device,
        wherever the samples are.
    dtype : torch.dtype
        The dtype to compute in; batches are cast to it.
    ranks : Ranks, default=ALONE
        Who has further samples.
    """

    samples: Batch
    dtype: torch.dtype
    ranks: Ranks = ALONE

    @property
    def is_distributed(self) -> bool:
        """Whether other processes have further samples."""
        return self.ranks.are_several

    def total_of(self, sums: Any) -> Any:
        """Return sums over all samples, from arrays, tensors or records of those over these."""
        if not self.is_distributed or isinstance(sums, np.ndarray):
            return self.ranks.sum(sums)
        if isinstance(sums, Tensor):
            return self.ranks.total(sums)
        return replace(sums, **{name: self.ranks.total(part) for name, part in vars(sums).items()})

    def rows_of_all(self, rows: Any) -> Any:
        """Return the rows of all samples, in turn, an array or a tensor, from those of these."""
        if not self.is_distributed or isinstance(rows, np.ndarray):
            return self.ranks.gathered(rows)
        return torch.from_numpy(self.ranks.gathered(rows.cpu().numpy())).to(rows.device)

    def mean_of(self, values: np.ndarray, weights: np.ndarray | None = None) -> float:
        """Return the mean over all samples of values of these, by weight."""
        mean = self.ranks.mean if self.is_distributed else weighted_mean
        return mean(values, weights)

    def anywhere(self, is_so: bool) -> bool:
        """Return whether it is so in any process that has samples."""
        return bool(self.ranks.largest(is_so))

    def average_gradients(self, groups: Sequence[Sequence[nn.Parameter]], n_rows: int) -> None:
        """Make gradients of the mean loss over so many rows those of the mean over the batch."""
        if self.is_distributed:
            average_gradients(self.ranks, groups, n_rows)

    def adopt(self, model: nn.Module) -> None:
        """Let the model have the same numbers in all processes that have samples."""
        if self.is_distributed:
            adopt(self.ranks, model)

    def own_draws(self, generator: torch.Generator, seed: int) -> np.random.RandomState | None:
        """Let a generator draw for these samples; return another, None where all are here.

        Gradient steps of several ranks go on with one stream of all.
        """
        if not self.is_distributed:
            return None
        self.ranks.common = torch.Generator()
        self.ranks.common.set_state(generator.get_state())
        rng = np.random.RandomState([seed, self.ranks.rank])
        generator.manual_seed(rng.randint(2**31 - 1))
        return rng

    def of_all(
        self, knowledge: NodeKnowledge
    ) -> tuple[TensorData, NodeKnowledge, np.ndarray | None]:
        """Return all samples, what is known of them, and which are these; None for all."""
        if not self.is_distributed:
            return self, knowledge, None
        positions = self.ranks.positions(self.n_samples)
        knowledge = knowledge.gathered(self.ranks, self.n_samples)
        gathered = self.samples.mapped(self.rows_of_all, lambda table: self.rows_of_all(table.T).T)
        return TensorData(gathered, self.dtype), knowledge, positions

    def evenly_spaced(self, most: int) -> Tensor:
        """Return the numbers of these samples that are asked, where at most so many of all are."""
        n_of_all = self.n_of_all
        wanted = np.linspace(0, n_of_all - 1, min(most, n_of_all)).astype(int)
        if self.is_distributed:
            wanted = np.flatnonzero(np.isin(self.ranks.positions(self.n_samples), wanted))
        return torch.as_tensor(wanted, device=self.device)

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
    def elements(self) -> dict[int, Tensor]:
        """Where elements are observed, by modality, see `Batch`."""
        return self.samples.elements

    @property
    def n_samples(self) -> int:
        """Number of samples here."""
        return self.arrays[0].shape[0]

    @property
    def n_of_all(self) -> int:
        """Number of all samples."""
        return int(self.total_of(np.array(self.n_samples)))

    @property
    def total(self) -> float:
        """Number of samples that the rows count for."""
        here = self.n_samples if self.weights is None else self.weights.double().sum().item()
        return self.total_of(np.array(here)).item()

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
        return self.total_of(observed.sum(dim=1))

    @property
    def n_elements(self) -> Tensor:
        """Number of observed elements of each modality, of shape (n_modalities,)."""
        widths = torch.tensor([array.shape[1] for array in self.arrays], device=self.device)
        numbers = widths * self.n_observed
        for m, mask in self.elements.items():
            here = self.samples.weighted(mask.sum(dim=1).double()).sum()
            numbers[m] = self.total_of(here)
        return numbers

    @property
    def mean_shares(self) -> Tensor | None:
        """Share of the elements that are observed, of shape (n_modalities, 1); None for all."""
        if self.elements:
            widths = torch.tensor([array.shape[1] for array in self.arrays], device=self.device)
            return (self.n_elements / (widths * self.total))[:, None]
        return None if self.observed is None else (self.n_observed / self.total)[:, None]

    @property
    def is_streamed(self) -> bool:
        """Whether some modality comes to the device as it is needed."""
        return any(isinstance(table, ScaledRows) and table.is_streamed for table in self.tables)

    def observed_values(self, m: int) -> Tensor:
        """Return a modality's array, missing elements as zeros."""
        return self.arrays[m] * self.elements[m] if m in self.elements else self.arrays[m]

    def seen(self, m: int) -> np.ndarray:
        """Return which elements of a modality are observed, of shape (n_samples, width)."""
        mask = np.ones((self.n_samples, self.arrays[m].shape[1]), dtype=bool)
        if self.observed is not None:
            mask &= self.observed[m].cpu().numpy()[:, None]
        return mask & self.elements[m].cpu().numpy() if m in self.elements else mask

    def element_masks(self) -> dict[int, np.ndarray]:
        """Return the masks of elements as NumPy arrays."""
        return {m: mask.cpu().numpy() for m, mask in self.elements.items()}

    def rows(self, rows: Tensor | slice) -> Batch:
        """Return some samples as a batch."""
        batch = self.samples.take(rows)
        return replace(batch, arrays=tuple(array.to(self.dtype) for array in batch.arrays))

    def subset(self, rows: Tensor | slice) -> TensorData:
        """Return some samples as data of their own."""
        return replace(self, samples=self.samples.take(rows))

    def core(self) -> tuple[TensorData, TensorData | None]:
        """Return the samples that the model is learned from, and the others if there are any."""
        if self.observed is None:
            return self, None
        rows = complete_enough(self.observed.cpu().numpy(), self.total_of)
        if rows is None:
            return self, None
        is_core = torch.zeros(self.n_samples, dtype=torch.bool, device=self.device)
        is_core[torch.as_tensor(rows, device=self.device)] = True
        core = self.subset(is_core.nonzero()[:, 0])
        if not self.anywhere(core.observed is not None and not bool(core.observed.all())):
            core = replace(core, samples=replace(core.samples, observed=None))
        return core, self.subset((~is_core).nonzero()[:, 0])

    def unweighted(self) -> TensorData:
        """Return the same samples, each counting for one."""
        return replace(self, samples=replace(self.samples, weights=None))

    def blocks(self, n_rows: int | None = None) -> Iterator[Batch]:
        """Return the samples in order, block by block; None for the usual number of rows."""
        n_rows = n_rows or BLOCK_ROWS
        for _, part in self.parts():
            for start in range(0, max(1, part.n_samples), n_rows):  # there may be none
                yield part.rows(slice(start, start + n_rows))

    def numbered(self, batch_size: int, generator: torch.Generator) -> Numbered:
        """Return the samples in random order, batch by batch, each with their numbers.

        Those on disk are read some runs of neighbours at a time, in random order, and mixed. Each
        rank has its part of a batch, as large as its part of the samples, and all have as many
        batches: where one has no samples left, its batch is empty.
        """
        runs, n_empty = self._runs(generator), 0
        if self.is_distributed:
            batch_size = max(1, math.ceil(batch_size * self.n_samples / self.n_of_all))
            sizes = [self.n_samples] if runs is None else list(map(len, runs))
            n_here = sum(_n_batches(size, batch_size) for size in sizes)
            n_empty = int(self.ranks.largest(n_here)) - n_here
        yield from self._batches(runs, batch_size, generator)
        none = torch.arange(0, device=self.device)
        for _ in range(n_empty):
            yield none, self.subset(none).loaded().rows(slice(None))

    def _batches(
        self, runs: list[Tensor] | None, batch_size: int, generator: torch.Generator
    ) -> Numbered:
        """Return the samples batch by batch, in random order within runs."""
        for numbers, part in self._read(runs):
            for rows in part._shuffled_rows(part.n_samples, batch_size, generator):
                yield rows if numbers is None else numbers[rows], part.rows(rows)

    def drawn(
        self, batch_size: int, latent_dim: int, generator: torch.Generator
    ) -> Iterator[tuple[Tensor, Batch, Tensor]]:
        """Return batches with the numbers of their samples, and standard normal noise for each.

        Ranks whose samples are in memory draw the batches that one process with all of them would,
        in the order of :meth:`Ranks.positions`; each has what is its own of a batch, or nothing.
        """
        if self.ranks.common is None or self.anywhere(self.is_streamed):
            for numbers, batch in self.numbered(batch_size, generator):
                yield numbers, batch, self.normal(len(numbers), latent_dim, generator)
            return
        n_of_all, common = self.n_of_all, self.ranks.common
        local_numbers = torch.full((n_of_all,), -1, device=self.device)
        positions = torch.as_tensor(self.ranks.positions(self.n_samples), device=self.device)
        local_numbers[positions] = torch.arange(self.n_samples, device=self.device)
        for rows in self._shuffled_rows(n_of_all, batch_size, common):
            noise = self.normal(len(rows), latent_dim, common)
            is_here = local_numbers[rows] >= 0
            numbers = local_numbers[rows[is_here]]
            yield numbers, self.rows(numbers), noise[is_here]

    def loaded(self) -> TensorData:
        """Return the same samples in memory, as tensors."""
        return self._with(
            [table.tensor() if isinstance(table, ScaledRows) else table for table in self.tables]
        )

    def parts(self) -> Iterator[tuple[Tensor | None, TensorData]]:
        """Return the samples in memory, in order, and their numbers; None for all at once."""
        return self._read(self._runs(None))

    def _runs(self, generator: torch.Generator | None) -> list[Tensor] | None:
        """Return the numbers of samples that are read together; None for all that are in memory."""
        if not self.is_streamed:
            return None
        files = [file for file in self.tables if isinstance(file, ScaledRows)]
        size = max(file.rows_at_once for file in files)
        runs = list(torch.arange(self.n_samples).split(size))
        if len(runs) > 1 and len(runs[-1]) == 1:
            runs[-2:] = [torch.cat(runs[-2:])]  # batch normalization needs two samples
        order = torch.arange(len(runs))
        if generator is not None:
            order = torch.randperm(len(runs), generator=generator)
        n_runs = max(1, BUFFER_BYTES // (size * sum(file.row_bytes for file in files)))
        return [
            torch.cat([runs[k] for k in numbers.sort().values]).to(self.device)
            for numbers in order.split(n_runs)
        ]

    def _read(self, runs: list[Tensor] | None) -> Iterator[tuple[Tensor | None, TensorData]]:
        """Return the samples in memory, and their numbers; None for all at once."""
        if runs is None:
            yield None, self
        for rows in runs or ():
            part = self.subset(rows)
            read = [
                table.read() if isinstance(table, ScaledRows) else table for table in part.tables
            ]
            yield rows, part._with(read)

    def _with(self, tables: Sequence[Tensor | ScaledRows]) -> TensorData:
        """Return the same samples with these tables."""
        return replace(self, samples=replace(self.samples, arrays=cast(Tensors, tuple(tables))))

    def _shuffled_rows(
        self, n_samples: int, batch_size: int, generator: torch.Generator
    ) -> list[Tensor]:
        """Return the numbers of so many samples in random order, batch by batch."""
        order = torch.randperm(n_samples, generator=generator).to(self.device)
        batches = list(order.split(batch_size))
        if len(batches) > 1 and len(batches[-1]) == 1 < batch_size:
            batches[-2:] = [torch.cat(batches[-2:])]  # batch normalization needs two samples
        return batches

    def mean(self, values: Tensor, batch: Batch) -> Tensor:
        """Return the mean of a batch's values, of shape (n_rows,), by weight.

        The divisor is the mean weight of all rows, not of the batch: an unimportant row must not
        count in full because it meets its like.
        """
        mean = batch.weighted(values).mean() if len(values) else values.sum()
        return mean if self.weights is None else mean / self._mean_weight(self.weights)

    def _mean_weight(self, weights: Tensor) -> Tensor | float:
        """Return the mean weight of all rows; ranks are asked once."""
        if not self.is_distributed:
            return weights.mean()
        kept = vars(self)
        if "_kept_mean" not in kept:  # no cached_property: in Python 3.11 it holds a lock meanwhile
            kept["_kept_mean"] = self.total / self.n_of_all
        return kept["_kept_mean"]

    def normal(self, n_rows: int, latent_dim: int, generator: torch.Generator) -> Tensor:
        """Draw standard normal noise; the draws do not depend on the device."""
        noise = torch.randn(n_rows, latent_dim, generator=generator, dtype=self.dtype)
        return noise.to(self.device)


def _n_batches(n_samples: int, batch_size: int) -> int:
    """Return how many batches samples are shuffled into, see :meth:`TensorData.numbered`."""
    full, rest = divmod(n_samples, batch_size)
    joined = rest == 1 < batch_size and full > 0
    return max(1, full + (rest > 0) - joined)
