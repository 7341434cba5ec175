"""Nodes that are factors since somebody knows their outcomes, and the data confirm these."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from .._base.grid import NodeGrid
from .._data.samples import FitSamples
from .._inference.fitted_model import FittedModel
from .._inference.posterior import cells_of_samples
from .._model.tensors import TensorData

#: Samples with known outcomes that are looked at: shares are exact to .03.
MAX_KNOWN = 1000


def known_factors(fitted: FittedModel, samples: FitSamples, data: TensorData) -> np.ndarray:
    """Return of which nodes the data confirm the outcomes that are known of some samples.

    Without what is known, the model says the known outcome more often than it would by saying the
    commonest one always, by two standard errors of that share: labels that somebody made up name no
    factor, nor do two of them. Samples are those of all ranks.
    """
    sizes, known = fitted.model.prior.node_sizes, samples.knowledge.known_nodes
    counts = np.zeros((len(sizes), 1 + max(sizes)))  # right, and of each outcome
    rows = np.flatnonzero((known >= 0).any(axis=1)) if known is not None else np.zeros(0, int)
    rows = rows[np.unique(np.linspace(0, len(rows) - 1, min(len(rows), MAX_KNOWN)).astype(int))]
    if known is not None and len(rows):
        free = replace(data, samples=replace(data.samples, allowed=None))
        free = free.subset(torch.as_tensor(rows, device=data.device))
        cells = cells_of_samples(fitted.model, free, fitted.encoders)
        predicted = NodeGrid(tuple(sizes)).outcomes(cells.argmax(dim=1).cpu().numpy())
        counts[:, 0] = (predicted == known[rows]).sum(axis=0)
        for outcome in range(max(sizes)):
            counts[:, 1 + outcome] = (known[rows] == outcome).sum(axis=0)
    right, *outcomes = data.total_of(counts).T
    n_known = np.maximum(np.sum(outcomes, axis=0), 1.0)
    commonest = np.max(outcomes, axis=0) / n_known
    error = np.sqrt(commonest * (1.0 - commonest) / n_known)
    return (commonest > 0.0) & (commonest < 1.0) & (right / n_known >= commonest + 2.0 * error)
