"""The ranks of a process group of PyTorch: data-parallel fits over processes and machines."""

from __future__ import annotations

import os
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any, TypeVar, cast
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, distributed

from .._compat.pytorch import timeout_of
from .._data.ranks import ALONE, Ranks
from .._warnings import warn_caller

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
