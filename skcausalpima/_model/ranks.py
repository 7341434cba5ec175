"""The ranks of a process group of PyTorch, and scaled samples that are spread over them."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, MutableMapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, ClassVar, TypeVar, cast
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor, distributed, nn

from .._compat.pytorch import BatchNorm, timeout_of
from .._data.ranks import ALONE, Ranks
from .._data.samples import NodeKnowledge
from .._warnings import warn_caller
from ..modules import Batch
from .tensors import TensorData

Value = TypeVar("Value")

REMEDY = (
    "Call torch.distributed.init_process_group() before fit, in every process, and give each its "
    "own rows."
)


#: How many fits processes of a group have begun, or were to begin.
_calls: MutableMapping[Any, int] = WeakKeyDictionary()


class ProcessGroup(Ranks):
    """The ranks of the default process group.

    What waits for a rank that has died ends with the group's time-out, or sooner. With Gloo each
    fit has a group of its own, made when it is first needed: a rank that raises an error takes its
    part of it down, which the others notice at once, and the default group goes on.
    """

    def __init__(self) -> None:
        self.rank, self.n_ranks = distributed.get_rank(), distributed.get_world_size()
        # NCCL reduces on GPUs alone; all other backends take tensors where they are.
        self.on_gpus = distributed.get_backend() == "nccl"
        self._own: distributed.ProcessGroup | None = None
        self.call = _calls.get(distributed.group.WORLD, 0) + 1
        self.count_from(self.call)

    def count_from(self, call: int) -> None:
        """Let the next call in this process group have the next number."""
        _calls[distributed.group.WORLD] = call

    @property
    def group(self) -> distributed.ProcessGroup | None:
        """The group of this fit, None for the default one; it is made by all ranks together."""
        can_end = hasattr(distributed.ProcessGroup, "abort")  # PyTorch 2.7
        if self._own is None and can_end and distributed.get_backend() == "gloo":
            self._own = distributed.new_group(timeout=timeout_of(distributed.group.WORLD))
        return self._own

    @contextmanager
    def joined(self) -> Iterator[None]:
        """Tell the others at once where this rank leaves a block, in which all fit, by an error."""
        try:
            yield
        except BaseException:
            if self._own is not None:
                self._own.abort()
            raise
        finally:
            own, self._own = self._own, None
            if own is not None:
                distributed.destroy_process_group(own)

    def of_all(self, value: Value) -> list[Value]:
        """Return what each rank has."""
        found: list[Value] = [value] * self.n_ranks
        with _answered():
            distributed.all_gather_object(found, value, group=self.group)
        return found

    def first(self, value: Value) -> Value:
        """Return what the first rank has."""
        box: list[Value] = [value]
        with _answered():
            distributed.broadcast_object_list(box, src=0, group=self.group)
        return box[0]

    def total(self, value: Value) -> Value:
        """Return the sum over ranks of a tensor of one shape, in new memory."""
        tensor = cast(Tensor, value)
        there = torch.device("cuda", torch.cuda.current_device()) if self.on_gpus else tensor.device
        found = tensor.detach().to(there, copy=True).contiguous()
        with _answered():
            distributed.all_reduce(found, group=self.group)
        return cast(Value, found.to(tensor.device))


@contextmanager
def _answered() -> Iterator[None]:
    """Say in words that another rank does not answer."""
    try:
        yield
    except RuntimeError as error:
        raise RuntimeError(
            "Another rank of the process group does not answer: it has ended, has raised an error, "
            "or took longer than the group's time-out. This estimator stays as it was before fit; "
            f"start all ranks anew. PyTorch says: {error}"
        ) from error


def process_group(asked: bool | str) -> Ranks:
    """Return the ranks that fit together.

    Parameters
    ----------
    asked : bool or "auto"
        ``"auto"`` takes the process group if there is one of several ranks, True must find one that
        is initialised, False takes none.

    Returns
    -------
    Ranks
        ``ALONE`` where this process has all rows.

    Raises
    ------
    ValueError
        If a group is asked for, and none is initialised.

    Examples
    --------
    >>> from skcausalpima._model.ranks import process_group
    >>> process_group("auto").n_ranks
    1
    """
    if asked is False:
        return ALONE
    if distributed.is_available() and distributed.is_initialized():
        return ProcessGroup() if distributed.get_world_size() > 1 else ALONE
    if asked is True:
        raise ValueError(
            f"distributed=True asks for a process group, but none is initialised. {REMEDY}"
        )
    if distributed.is_available() and distributed.is_torchelastic_launched():
        n_started = int(os.environ.get("WORLD_SIZE", "1"))
        if n_started > 1:
            warn_caller(
                f"torchrun has started {n_started} processes, but no process group is initialised: "
                f"each of them fits a model of its own. {REMEDY}"
            )
    return ALONE


@dataclass(frozen=True)
class DistributedData(TensorData):
    """The samples of one rank. All ranks ask theirs the same questions, in the same order.

    Parameters
    ----------
    ranks : Ranks
        Who has further samples.
    """

    ranks: Ranks
    is_distributed: ClassVar[bool] = True

    @classmethod
    def of(cls, data: TensorData, ranks: Ranks, n_cells: int) -> DistributedData:
        """Return data that have what those of any rank have; where it was missing, nothing is."""
        samples, n_modalities = data.samples, len(data.arrays)
        found = cls(samples, data.dtype, ranks)

        def table(of: Tensor | None, n_rows: int, dtype: torch.dtype) -> Tensor | None:
            if not found.anywhere(of is not None) or of is not None:
                return of
            return torch.ones(n_rows, data.n_samples, dtype=dtype, device=data.device)

        observed = table(samples.observed, n_modalities, torch.bool)
        elements = {}
        for m in range(n_modalities):
            if found.anywhere(m in data.elements):
                elements[m] = torch.from_numpy(data.seen(m)).to(data.device)
        samples = replace(
            samples,
            observed=observed,
            allowed=table(samples.allowed, n_cells, torch.bool),
            weights=table(samples.weights, 1, data.dtype),
            elements=elements,
        )
        return replace(found, samples=samples)

    def total_of(self, sums: Any) -> Any:
        """Return the sum over ranks of an array, a tensor, or each of a record of tensors."""
        if isinstance(sums, Tensor):
            return self.ranks.total(sums)
        if isinstance(sums, np.ndarray):
            return self.ranks.sum(sums)
        return replace(sums, **{name: self.ranks.total(of) for name, of in vars(sums).items()})

    def rows_of_all(self, rows: Any) -> Any:
        """Return what all ranks have of the rows of an array or a tensor, in turn."""
        if isinstance(rows, np.ndarray):
            return self.ranks.gathered(rows)
        return torch.from_numpy(self.ranks.gathered(rows.cpu().numpy())).to(rows.device)

    def mean_of(self, values: np.ndarray, weights: np.ndarray | None = None) -> float:
        """Return the mean over the samples of all ranks, by weight."""
        return self.ranks.mean(values, weights)

    def anywhere(self, is_so: bool) -> bool:
        """Return whether it is so on any rank."""
        return bool(self.ranks.largest(is_so))

    @torch.no_grad()
    def average_gradients(self, groups: Sequence[Sequence[nn.Parameter]], n_rows: int) -> None:
        """Make gradients of the mean loss over the rows here those of the mean over the batch.

        It is what ``torch.nn.parallel.DistributedDataParallel`` does, by rows: ranks need not have
        as many of them, and may have none. A parameter without a gradient on any rank gets none.
        """
        parameters = [parameter for group in groups for parameter in group]
        grads = [parameter.grad for parameter in parameters]
        parts = [
            (torch.zeros_like(parameter) if grad is None else grad).flatten()
            for parameter, grad in zip(parameters, grads, strict=True)
        ]
        has_gradient = [float(grad is not None) for grad in grads]
        numbers = torch.tensor([*has_gradient, 1.0]).to(parts[0])
        flat = self.ranks.total(torch.cat([*parts, numbers]).mul_(n_rows))
        is_somewhere, n_of_all = flat[-len(numbers) : -1], flat[-1].clamp_min(1.0).clone()
        if not all(has_gradient):  # else no device is waited for
            has_gradient = is_somewhere.tolist()
        flat.div_(n_of_all)
        ends = flat.split([*map(nn.Parameter.numel, parameters), len(numbers)])
        for parameter, part, has_one in zip(parameters, ends[:-1], has_gradient, strict=True):
            if has_one:
                parameter.grad = part.view_as(parameter)

    @torch.no_grad()
    def adopt(self, model: nn.Module) -> None:
        """Give a model the numbers that it has on the first rank.

        Raises
        ------
        ValueError
            If a module would go by the rows of each rank.
        """
        if any(isinstance(part, BatchNorm) for part in model.modules()):
            raise ValueError(
                "encoders and decoders with batch normalization cannot be used by a process group: "
                "it would go by the rows of each rank. Use torch.nn.GroupNorm or "
                "torch.nn.LayerNorm."
            )
        tensors = model.state_dict()
        found = self.ranks.first({name: tensor.cpu().numpy() for name, tensor in tensors.items()})
        for name, tensor in tensors.items():
            tensor.copy_(torch.from_numpy(found[name]))

    def own_draws(self, generator: torch.Generator, seed: int) -> np.random.RandomState:
        """Let each rank draw for its own samples; gradient steps go on with one stream of all."""
        self.ranks.common = torch.Generator()
        self.ranks.common.set_state(generator.get_state())
        own = np.random.RandomState([seed, self.ranks.rank])
        generator.manual_seed(own.randint(2**31 - 1))
        return own

    def of_all(self, knowledge: NodeKnowledge) -> tuple[TensorData, NodeKnowledge, np.ndarray]:
        """Return the samples of all ranks, in memory, what is known of them, and which are here."""
        places = self.ranks.places(self.n_samples)
        knowledge = knowledge.gathered(self.ranks, self.n_samples)
        gathered = self.samples.mapped(self.rows_of_all, lambda of: self.rows_of_all(of.T).T)
        return TensorData(gathered, self.dtype), knowledge, places

    def _here(self, numbers: np.ndarray) -> np.ndarray:
        """Return the numbers here of those samples that are here."""
        return np.flatnonzero(np.isin(self.ranks.places(self.n_samples), numbers))

    def numbered(
        self, batch_size: int, generator: torch.Generator
    ) -> Iterator[tuple[Tensor, Batch]]:
        """Return what there is here of batches, which are spread over ranks by their samples.

        All ranks have as many batches: where one has no samples left, its batch is empty.
        """
        batch_size = max(1, math.ceil(batch_size * self.n_samples / self.n_of_all))
        runs = self._runs(generator)
        sizes = [self.n_samples] if runs is None else list(map(len, runs))
        n_here = sum(_n_batches(size, batch_size) for size in sizes)
        n_empty = int(self.ranks.largest(n_here)) - n_here
        yield from self._batches(runs, batch_size, generator)
        none = torch.arange(0, device=self.device)
        for _ in range(n_empty):
            yield none, self.subset(none).loaded().rows(slice(None))

    def drawn(
        self, batch_size: int, latent_dim: int, generator: torch.Generator
    ) -> Iterator[tuple[Tensor, Batch, Tensor]]:
        """Return what there is here of batches, and noise for it.

        Ranks whose samples are in memory draw the batches that one process with all of them would,
        in the order of :meth:`Ranks.places`, and each has what is its own of a batch, or nothing.
        """
        if self.ranks.common is None or self.anywhere(self.is_streamed):
            yield from super().drawn(batch_size, latent_dim, generator)
            return
        n_of_all, common = self.n_of_all, self.ranks.common
        own = torch.full((n_of_all,), -1, device=self.device)
        places = torch.as_tensor(self.ranks.places(self.n_samples), device=self.device)
        own[places] = torch.arange(self.n_samples, device=self.device)
        for rows in self._shuffled_rows(n_of_all, batch_size, common):
            noise = self.normal(len(rows), latent_dim, common)
            is_here = own[rows] >= 0
            numbers = own[rows[is_here]]
            yield numbers, self.rows(numbers), noise[is_here]

    def _mean_weight(self, weights: Tensor) -> float:
        """Return the mean weight of all rows; ranks are asked once."""
        kept = vars(self)
        if "_kept_mean" not in kept:  # no cached_property: in Python 3.11 it holds a lock meanwhile
            kept["_kept_mean"] = self.total / self.n_of_all
        return kept["_kept_mean"]


def _n_batches(n_samples: int, batch_size: int) -> int:
    """Return how many batches samples are shuffled into, see :meth:`TensorData.numbered`."""
    full, rest = divmod(n_samples, batch_size)
    joined = rest == 1 < batch_size and full > 0
    return max(1, full + (rest > 0) - joined)
