"""How many values components have of each column, and their means."""

from __future__ import annotations

import numpy as np

from .._base.reports.cells import CellValuesReport
from .._data.arrays import flat_rows, value_blocks
from .._data.on_disk import Kept, OnDisk
from .._data.samples import FitSamples
from .._model.tensors import TensorData
from .._state.fitted import FittedState
from .arrivals import DECAY


def cell_values(
    samples: FitSamples,
    data: TensorData,
    probabilities: np.ndarray,
    before: FittedState | None = None,
) -> CellValuesReport:
    """Count what components have of samples that were trained on.

    Parameters
    ----------
    samples : FitSamples
        In the units of the data, without the offsets of contexts.
    data : TensorData
        The same, scaled.
    probabilities : ndarray of shape (n_samples, n_components)
        Of the components, in their order.
    before : FittedState or None
        What samples of earlier calls have left, which count less.
    """
    modalities, shares = samples.modalities, probabilities.astype(np.float64)
    if samples.weights is not None:
        shares *= samples.weights[:, None]
    n_samples = data.total_of(shares.sum(axis=0))
    unit = np.where(n_samples > 0, n_samples, 1.0)  # means of any magnitude are finite
    counts, means = dict[str, np.ndarray](), dict[str, np.ndarray]()
    for m, name in enumerate(modalities.names):
        array, present = modalities.arrays[m], modalities.observed[m][:, None]
        seen = data.elements[m].cpu().numpy() if m in data.elements else present
        counts[name] = data.total_of(_sums(shares, seen))
        is_elsewhere = data.anywhere(isinstance(array, OnDisk))
        if len(modalities.shapes[m]) == 1 and not is_elsewhere:
            held = (
                np.zeros((len(seen), modalities.widths[m])) if array is None else flat_rows(array)
            )
            sums = data.total_of(_sums(shares / unit, held))
            share = np.broadcast_to(counts[name] / unit[:, None], sums.shape)
            means[name] = np.divide(sums, share, out=np.full(sums.shape, np.nan), where=share > 0)
    found = CellValuesReport(n_samples=n_samples, counts=counts, means=means)
    return found if before is None else _joined(before.cell_values, found)


def _sums(shares: np.ndarray, table: Kept) -> np.ndarray:
    """Return the sums of rows by the shares that components have of these."""
    sums = np.zeros((shares.shape[1], table.shape[1]))
    for rows, values in value_blocks(table):
        sums += shares[rows].T @ values.astype(np.float64)
    return sums


def _joined(before: CellValuesReport, new: CellValuesReport) -> CellValuesReport:
    """Return what components have of both, where what was before counts less."""
    old = {name: DECAY * table for name, table in before.counts.items()}
    counts, means = {name: old[name] + table for name, table in new.counts.items()}, {}
    for name in set(before.means) & set(new.means):
        first, second = before.means[name], new.means[name]
        share = new.counts[name] / np.maximum(counts[name], np.finfo(np.float64).tiny)
        both = first + (second - first) * share
        means[name] = np.where(np.isnan(first), second, np.where(np.isnan(second), first, both))
    return CellValuesReport(
        n_samples=DECAY * before.n_samples + new.n_samples, counts=counts, means=means
    )
