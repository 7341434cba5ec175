"""One modality that is not on the device: its numbers are read, moved and scaled batch by batch."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import cast

import joblib
import numpy as np
import torch
from torch import Tensor

from .._data.arrays import flat_rows
from .._data.on_disk import OnDisk

#: What PyTorch can do little with is read as this.
READ_AS = {
    "bool": np.uint8,
    "uint16": np.int32,
    "uint32": np.int64,
    "uint64": np.float64,
    "longdouble": np.float64,
    "float128": np.float64,
}


#: Share of the free memory of a device that data may take: batches and activations need some, too.
DATA_SHARE = 0.5

#: Rows in the computer's memory are sent to a device in random runs of so many.
RUN_ROWS = 64


def fits(n_bytes: int, device: torch.device) -> bool:
    """Return whether data can stay on a device while a model is trained on them there."""
    if device.type != "cuda":
        return True
    return n_bytes <= DATA_SHARE * torch.cuda.mem_get_info(device)[0]


def sent(table: Tensor, device: torch.device) -> Tensor:
    """Return a table on a device; nothing waits until it is there."""
    if device.type != "cuda":
        return table.to(device)
    return table.pin_memory().to(device, non_blocking=True)


@dataclass(frozen=True, kw_only=True, eq=False)
class ScaledRows:
    """A table of numbers as they are in a file or in memory, and the map that scales them.

    It has what :class:`TensorData` asks of tensors; rows are chosen without reading.

    Parameters
    ----------
    values : OnDisk or Tensor
        Of shape (n_samples, width). A tensor need not be on the device.
    missing : Tensor of bool of shape (n_samples,)
        Rows that are zeros when they are scaled.
    centre, factor : Tensor of shape (width,) or (1,)
        As those of a scaler, in double precision.
    stored : torch.dtype
        What scaled numbers are rounded to, as those of data in memory are.
    """

    values: OnDisk | Tensor
    missing: Tensor
    centre: Tensor
    factor: Tensor
    stored: torch.dtype

    @classmethod
    def of(
        cls, array: OnDisk, centre: np.ndarray, factor: np.ndarray | float, device: torch.device
    ) -> ScaledRows:
        """Return samples on disk; centres and factors are those of a scaler."""
        values, centre, factor = flat_rows(array).raw(), centre.ravel(), np.ravel(factor)
        missing = np.zeros(len(array), dtype=bool) if array.missing is None else array.missing
        return cls(
            values=values.astype(READ_AS.get(values.dtype.name, values.dtype)),
            missing=torch.as_tensor(missing, device=device),
            centre=torch.as_tensor(centre, device=device),
            factor=torch.as_tensor(factor, device=device),
            stored=getattr(torch, array.dtype.name),
        )

    @classmethod
    def in_memory(cls, scaled: Tensor, device: torch.device) -> ScaledRows:
        """Return samples, scaled already, that do not fit into the memory of a device."""
        return cls(
            values=scaled,
            missing=torch.zeros(len(scaled), dtype=torch.bool, device=device),
            centre=torch.zeros(1, dtype=scaled.dtype, device=device),
            factor=torch.ones(1, dtype=scaled.dtype, device=device),
            stored=scaled.dtype,
        )

    @property
    def shape(self) -> tuple[int, ...]:
        """``(n_samples, width)``."""
        return tuple(self.values.shape)

    @property
    def device(self) -> torch.device:
        """Where batches are made."""
        return self.centre.device

    @property
    def is_streamed(self) -> bool:
        """Whether the numbers are still to be read, or moved."""
        return isinstance(self.values, OnDisk) or self.values.device != self.device

    @property
    def rows_at_once(self) -> int:
        """How many rows are best read together."""
        return self.values.rows_at_once if isinstance(self.values, OnDisk) else RUN_ROWS

    @property
    def row_bytes(self) -> int:
        """How many bytes a row takes when it is read."""
        return math.prod(self.shape[1:]) * self.values.dtype.itemsize

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice) -> ScaledRows:
        return replace(self, values=self.values[rows], missing=self.missing[rows])

    def index_select(self, dim: int, rows: Tensor) -> ScaledRows:
        """Return rows by their numbers."""
        values, missing = self.values, self.missing[rows]
        if isinstance(values, OnDisk):
            return replace(self, values=values[rows.cpu().numpy()], missing=missing)
        return replace(
            self, values=values.index_select(dim, rows.to(values.device)), missing=missing
        )

    def split(self, n_rows: int) -> Iterator[Tensor]:
        """Return the rows in order, scaled, so many at a time."""
        return (self[start : start + n_rows].tensor() for start in range(0, len(self), n_rows))

    def read(self) -> ScaledRows:
        """Return the same rows on the device, as they are in the file."""
        if not self.is_streamed:
            return self
        values = self.values
        values = torch.from_numpy(np.asarray(values)) if isinstance(values, OnDisk) else values
        return replace(self, values=sent(values, self.device))

    def hashes(self) -> list[str]:
        """Return a hash of each block of the numbers in the file."""
        values = self.values
        blocks = (
            values.blocks() if isinstance(values, OnDisk) else [(slice(None), values.cpu().numpy())]
        )
        return [joblib.hash(block) for _, block in blocks]

    def tensor(self) -> Tensor:
        """Return the rows scaled, to the last bit as data in memory are."""
        values = torch.sub(cast(Tensor, self.read().values), self.centre)
        values = values.div_(self.factor).to(self.stored)
        return values.masked_fill_(self.missing[:, None], 0.0) if self.missing.any() else values

    def to(self, dtype: torch.dtype) -> Tensor:
        """Return the rows scaled."""
        return self.tensor().to(dtype)
