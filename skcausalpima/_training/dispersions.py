"""Dispersions of counts: a step of Newton's after each epoch, at draws of some samples."""

from __future__ import annotations

import torch

from .._model.tensors import TensorData
from ..modules import ColumnDecoder, MultimodalVAE

#: Samples that dispersions are learned from.
N_ROWS = 2048


@torch.no_grad()
def update_dispersions(model: MultimodalVAE, data: TensorData) -> None:
    """Let the dispersions of counts follow what decoders say of their means now.

    Parameters
    ----------
    model : MultimodalVAE
        Dispersions of its decoders are changed in place, if they have some.
    data : TensorData
        Samples, of which some that lie evenly spaced are asked, always at the same draws.
    """
    dispersed = {
        m: decoder
        for m, decoder in enumerate(model.decoders)
        if isinstance(decoder, ColumnDecoder) and decoder.has_dispersions
    }
    if not dispersed:
        return
    model.eval()
    rows = data.evenly_spaced(N_ROWS)
    batch = data.subset(rows).loaded().rows(slice(None))
    noise = data.normal(len(rows), model.n_draws, torch.Generator().manual_seed(0))
    z = model.assign(batch, noise, model.log_weights(batch.regime_index)).z
    for m, decoder in dispersed.items():
        weights = batch.weighted(torch.ones_like(z[:, 0]))
        if batch.observed is not None:
            weights = weights * batch.observed[m]
        decoder.update_dispersions(batch.arrays[m], z, weights, batch.elements.get(m))
