"""What measuring a missing modality would say of nodes: draws given a sample, asked again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import cast

import numpy as np
import torch
from scipy.special import entr
from torch import Tensor

from .._base.grid import NodeGrid
from .._data.validation import Modalities
from .._model.tensors import TensorData
from ..functional import rsample
from ..modules import Batch, MeanFieldVAE, MultimodalVAE, StructuredVAE, SubsetEncoders
from .fitted_model import FittedModel
from .posterior import answer, answers_of, blocks_of, posterior_draws

#: Samples, each with one drawn modality, that are asked at a time (arbitrary).
DRAWN_ROWS = 4096


def node_entropies(fitted: FittedModel, modalities: Modalities) -> np.ndarray:
    """Return the entropies of the nodes of samples in nats, of shape (n_samples, n_nodes)."""
    cells = fitted.probabilities(modalities).astype(np.float64)
    sizes = NodeGrid(fitted.model.prior.node_sizes).sizes
    pairs = zip(sizes, fitted.outcomes.T, strict=True)
    parts = [entr(cells @ np.eye(size)[outcomes]).sum(axis=1) for size, outcomes in pairs]
    return np.stack(parts, axis=1)


def expected_entropies(
    fitted: FittedModel, modalities: Modalities, n_draws: int, rng: np.random.RandomState
) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    r"""Ask samples with a missing modality drawn: what is the entropy of nodes then?

    The cell is drawn from :math:`q(c | x_S)`, one draw in each of ``n_draws`` equal parts of its
    distribution, the latent point from :math:`q(z | c, x_S)`, and the modality from its decoder.

    Parameters
    ----------
    fitted : FittedModel
        The model.
    modalities : Modalities
        Samples, all labels known.
    n_draws : int
        Number of draws per sample.
    rng : RandomState
        Source of the draws.

    Yields
    ------
    m : int
        A modality.
    rows : ndarray of int of shape (n_rows,)
        Samples that lack it.
    entropies : ndarray of shape (n_rows, n_draws, n_nodes)
        In nats, with the drawn modality.
    """
    lacking = np.flatnonzero(~modalities.observed.all(axis=0))
    for start in range(0, len(lacking), max(1, DRAWN_ROWS // n_draws)):
        rows = lacking[start : start + max(1, DRAWN_ROWS // n_draws)]
        block = modalities.take(rows)
        drawn = _drawn(fitted, block, n_draws, rng)
        for m, observed in enumerate(block.observed):
            which = np.flatnonzero(~observed)
            if len(which):
                drawn_rows = (n_draws * which[:, None] + np.arange(n_draws)).ravel()
                part = _with(block.take(np.repeat(which, n_draws)), m, drawn[m][drawn_rows])
                entropies = node_entropies(fitted, part)
                yield m, rows[which], entropies.reshape(len(which), n_draws, -1)


def _with(modalities: Modalities, m: int, array: np.ndarray) -> Modalities:
    """Return samples of which one modality is measured."""
    arrays, observed = list(modalities.arrays), modalities.observed.copy()
    arrays[m] = array.reshape(-1, *modalities.shapes[m]).astype(modalities.dtype)
    observed[m] = True
    masks = tuple(None if k == m else mask for k, mask in enumerate(modalities.elements or ()))
    elements = None if all(mask is None for mask in masks) else masks
    return replace(modalities, arrays=tuple(arrays), observed=observed, elements=elements)


def _drawn(
    fitted: FittedModel, modalities: Modalities, n_draws: int, rng: np.random.RandomState
) -> list[np.ndarray]:
    """Draw all modalities given samples, in the user's units, draws of a sample together."""
    data = fitted.asked(modalities)
    points, cells = _points(fitted.model, data, fitted.encoders, n_draws, rng)
    arrays = fitted.drawn_at(points.flatten(0, 1).cpu().numpy(), cells.flatten().cpu().numpy(), rng)
    codes = np.repeat(modalities.codes, n_draws, axis=1)
    return fitted.contexts.added(arrays, modalities.names, codes)


@torch.no_grad()
def _points(
    model: MultimodalVAE,
    data: TensorData,
    encoders: SubsetEncoders | None,
    n_draws: int,
    rng: np.random.RandomState,
) -> list[Tensor]:
    """Draw latent points, (n_samples, n_draws, latent_dim), and cells, (n_samples, n_draws)."""
    shared = posterior_draws(model)

    def ask(block: Batch, used: SubsetEncoders | None) -> list[Tensor]:
        n_rows = len(block.arrays[0])
        noise = torch.as_tensor(rng.standard_normal((n_draws, n_rows, shared.shape[1]))).to(shared)
        if isinstance(model, MeanFieldVAE):
            posterior, log_gamma = model.answer(block, shared)
            cells = _stratified(log_gamma, n_draws, rng)
            points = [rsample(posterior, part) for part in noise]
        else:
            answered = answer(cast(StructuredVAE, model), block, shared, used)
            cells = _stratified(answered.log_gamma, n_draws, rng)
            pairs = zip(cells.T, noise, strict=True)
            points = [answered.posterior.points(*pair).to(shared) for pair in pairs]
        return [torch.stack(points, dim=1), cells]

    return answers_of(blocks_of(model, data), encoders, ask)


def _stratified(log_gamma: Tensor, n_draws: int, rng: np.random.RandomState) -> Tensor:
    """Draw components, (n_samples, n_draws), by log-probabilities (n_components, n_samples)."""
    steps = log_gamma.double().exp().cumsum(dim=0)
    strata = (np.arange(n_draws) + rng.random_sample((log_gamma.shape[1], n_draws))) / n_draws
    levels = torch.as_tensor(strata).to(steps) * steps[-1][:, None]
    return torch.searchsorted(steps.T.contiguous(), levels, right=True).clamp_max(len(steps) - 1)
