"""The ranks of a process group of PyTorch, and models and gradients that they share."""

from __future__ import annotations

import os
from collections.abc import Iterator, MutableMapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar, cast
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, distributed, nn

from .._base.pytorch import BatchNorm, timeout_of
from .._base.warn import warn_caller
from .._data.ranks import ALONE, Ranks

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
            group, self._own = self._own, None
            if group is not None:
                distributed.destroy_process_group(group)

    def of_all(self, value: Value) -> list[Value]:
        """Return what each rank has."""
        values: list[Value] = [value] * self.n_ranks
        with _answered():
            distributed.all_gather_object(values, value, group=self.group)
        return values

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
        sums = tensor.detach().to(there, copy=True).contiguous()
        with _answered():
            distributed.all_reduce(sums, group=self.group)
        return cast(Value, sums.to(tensor.device))


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
    >>> from skcausalpima._model.process_group import process_group
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


@torch.no_grad()
def average_gradients(ranks: Ranks, groups: Sequence[Sequence[nn.Parameter]], n_rows: int) -> None:
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
    flat = ranks.total(torch.cat([*parts, numbers]).mul_(n_rows))
    is_somewhere, n_of_all = flat[-len(numbers) : -1], flat[-1].clamp_min(1.0).clone()
    if not all(has_gradient):  # else no device is waited for
        has_gradient = is_somewhere.tolist()
    flat.div_(n_of_all)
    ends = flat.split([*map(nn.Parameter.numel, parameters), len(numbers)])
    for parameter, part, has_one in zip(parameters, ends[:-1], has_gradient, strict=True):
        if has_one:
            parameter.grad = part.view_as(parameter)


@torch.no_grad()
def adopt(ranks: Ranks, model: nn.Module) -> None:
    """Give a model the numbers that it has on the first of several ranks.

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
    arrays = ranks.first({name: tensor.cpu().numpy() for name, tensor in tensors.items()})
    for name, tensor in tensors.items():
        tensor.copy_(torch.from_numpy(arrays[name]))
