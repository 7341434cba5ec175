"""Scaled samples as arrays: what is sent to other processes, and gathered from ranks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import cast

import numpy as np
import torch
from torch import Tensor

from .._data.ranks import ALONE, Ranks
from ..modules import Batch
from .scaled_rows import ScaledRows
from .tensors import TensorData, Tensors


@dataclass(frozen=True, kw_only=True)
class DataArrays:
    """Samples as NumPy arrays, writable: torch has no read-only tensors.

    joblib maps them into the memory of its workers.

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
    ranks : Ranks, default=ALONE
        Who has further samples.
    """

    arrays: tuple[np.ndarray | ScaledRows, ...]
    observed: np.ndarray | None
    allowed: np.ndarray | None
    regime_index: np.ndarray | None
    weights: np.ndarray | None
    elements: tuple[np.ndarray | None, ...] | None
    dtype: torch.dtype
    device: str
    ranks: Ranks = ALONE

    @classmethod
    def of(cls, data: TensorData) -> DataArrays:
        """Return samples as arrays."""
        return cls(
            arrays=tuple(
                of if isinstance(of, ScaledRows) else of.cpu().numpy() for of in data.tables
            ),
            observed=_as_array(data.observed),
            allowed=_as_array(data.allowed),
            regime_index=_as_array(data.regime_index),
            weights=_as_array(data.weights),
            elements=data.element_masks(),
            dtype=data.dtype,
            device=str(data.device),
            ranks=data.ranks,
        )

    def to_tensors(self) -> TensorData:
        """Undo :meth:`of`."""
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
            elements=as_tensors(self.elements, device),
        )
        return TensorData(samples, self.dtype, self.ranks)

    def gathered(self) -> DataArrays:
        """Return the samples of all ranks, as those of one that is alone; none are on disk."""
        ranks = self.ranks

        def columns(table: np.ndarray | None) -> np.ndarray | None:
            return None if table is None else ranks.gathered(table.T).T

        return replace(
            self,
            arrays=tuple(ranks.gathered(np.asarray(of)) for of in self.arrays),
            observed=columns(self.observed),
            allowed=columns(self.allowed),
            regime_index=columns(self.regime_index),
            weights=columns(self.weights),
            elements=self.elements
            and tuple(None if of is None else ranks.gathered(of) for of in self.elements),
            ranks=ALONE,
        )


def _as_array(table: Tensor | None) -> np.ndarray | None:
    return None if table is None else table.cpu().numpy()


def _as_tensor(table: np.ndarray | None, device: str | torch.device) -> Tensor | None:
    return None if table is None else torch.as_tensor(table, device=device)


def as_tensors(
    tables: tuple[np.ndarray | None, ...] | None, device: str | torch.device
) -> tuple[Tensor | None, ...] | None:
    """Return arrays as tensors on a device, or None, some of which may be None."""
    return None if tables is None else tuple(_as_tensor(table, device) for table in tables)
