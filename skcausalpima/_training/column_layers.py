"""The last layers of decoders of columns: generalised linear models of what the hidden layer says.

Gradient steps come to them last of all. Posteriors and components do not change.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from scipy.optimize import minimize
from torch import Tensor

from .._model.tensors import TensorData
from ..modules import ColumnDecoder, MultimodalVAE, as_decoder
from .decoder_updates import at_least_some
from .filling import filled

#: Samples that the trained layer counts for.
PRIOR_SAMPLES = 32

#: Samples that are looked at, draws of each (one draw would be learned by heart), and steps.
COLUMN_ROWS, N_DRAWS, MOST_STEPS = 2048, 8, 30


@torch.no_grad()
def fit_column_layers(model: MultimodalVAE, data: TensorData, generator: torch.Generator) -> bool:
    r"""Set the last layer of every decoder of columns to its optimum at draws of z.

    With what the layer sees, :math:`h`, and the trained coefficients :math:`W_0`, it maximises

    .. math:: \sum_n w_n \log p(x_n | W h_n) - \frac{k}{2} \sum_j \overline{h_j^2}
              \lVert W_j - W_{0j} \rVert^2

    by L-BFGS: the trained layer counts for k samples.

    Parameters
    ----------
    model : MultimodalVAE
        Its decoders are changed in place.
    data : TensorData
        Samples that train, of which some that lie evenly spaced are asked.
    generator : torch.Generator
        Source of the draws.

    Returns
    -------
    bool
        Whether there are such decoders.
    """
    networks = {
        m: network
        for m, decoder in enumerate(model.decoders)
        if isinstance(decoder, ColumnDecoder)
        and (network := as_decoder(decoder.network)).last_layer is not None
    }
    if not networks:
        return False
    model.eval()
    data = filled(model, data).subset(data.evenly_spaced(COLUMN_ROWS))
    parts: dict[int, list[_Columns]] = {m: [] for m in networks}
    for block in [block for _ in range(N_DRAWS) for block in data.blocks()]:
        noise = data.normal(len(block.arrays[0]), model.n_draws, generator)
        z = model.assign(block, noise, model.log_weights(block.regime_index)).z
        for m, network in networks.items():
            x = block.arrays[m].double()
            weights = block.weighted(block.present[m].to(x)) / N_DRAWS
            inputs, seen = network.last_inputs(z).double(), block.elements.get(m)
            parts[m].append(_Columns(inputs=inputs, x=x, weights=weights, seen=seen))
    for m, network in networks.items():
        decoder, trained = cast(ColumnDecoder, model.decoders[m]), cast(Tensor, network.last_layer)
        found = _likeliest(decoder, _Columns.joined(parts[m]), trained.double())
        network.set_last_layer(found if bool(found.isfinite().all()) else trained)
    return True


@dataclass(frozen=True, kw_only=True)
class _Columns:
    """What a last layer sees at draws of z, and the table there, scaled; one row for each draw."""

    inputs: Tensor
    x: Tensor
    weights: Tensor
    seen: Tensor | None

    @classmethod
    def joined(cls, parts: Sequence[_Columns]) -> _Columns:
        """Return the rows of all parts."""
        seen = [of.seen for of in parts if of.seen is not None]
        return cls(
            inputs=torch.cat([of.inputs for of in parts]),
            x=torch.cat([of.x for of in parts]),
            weights=torch.cat([of.weights for of in parts]),
            seen=torch.cat(seen) if seen else None,
        )


def _likeliest(decoder: ColumnDecoder, columns: _Columns, trained: Tensor) -> Tensor:
    """Return the coefficients at which columns are most probable, drawn to the trained ones."""
    total = columns.weights.sum()
    prior = PRIOR_SAMPLES * at_least_some(columns.weights @ columns.inputs.square()) / total

    @torch.enable_grad()
    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        layer = torch.as_tensor(flat).to(trained).reshape(trained.shape).requires_grad_()
        drawn = 0.5 * (prior * (layer - trained).square()).sum()
        told = decoder.likelihood_at(columns.inputs @ layer.T, columns.x, columns.seen)
        value = (drawn - told.log_likelihoods[0] @ columns.weights) / total
        value.backward()
        return value.item(), cast(Tensor, layer.grad).cpu().double().numpy().ravel()

    start = trained.cpu().double().numpy().ravel()
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": MOST_STEPS}).x
    return torch.as_tensor(found).to(trained).reshape(trained.shape)
