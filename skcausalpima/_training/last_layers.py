"""The last layers of decoders in closed form, once the rest of the model is trained.

What a multilayer perceptron decodes is linear in its last hidden layer (and in the latent point,
where there is a linear path). So the layer that minimises the squared errors is a linear
regression, which gradient steps come to last of all. Posteriors and components do not change.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .._model.tensors import TensorData
from ..modules import MultimodalVAE

#: The trained layer counts for this part of the samples: what they do not show stays as it is.
PRIOR_SHARE = 1e-3


@torch.no_grad()
def fit_last_layers(model: MultimodalVAE, data: TensorData, generator: torch.Generator) -> None:
    """Set the last layer of every decoder that has one to its optimum at draws of z.

    Decoders of modalities that are observed in part stay as they are: what fills their gaps is the
    model's own.

    Parameters
    ----------
    model : MultimodalVAE
        Its decoders are changed in place.
    data : TensorData
        Samples that train.
    generator : torch.Generator
        Source of the draws.
    """
    model.eval()
    gaps = data.elements or (None,) * len(data.arrays)
    layers = {
        m: layer
        for m, decoder in enumerate(model.decoders)
        if gaps[m] is None and (layer := decoder.last_layer) is not None
    }
    products = {m: torch.zeros_like(layer.T, dtype=torch.float64) for m, layer in layers.items()}
    squares = {m: sums.new_zeros(len(sums), len(sums)) for m, sums in products.items()}
    for block in data.blocks() if layers else ():
        noise = data.normal(len(block.arrays[0]), model.n_draws, generator)
        z = model.assign(block, noise, model.log_weights(block.regime_index)).z
        for m in layers:
            inputs = model.decoders[m].last_inputs(z).double()
            counted = inputs.T if block.observed is None else inputs.T * block.observed[m]
            counted = block.weighted(counted)
            squares[m] += counted @ inputs
            products[m] += counted @ block.arrays[m].double()
    for m, layer in layers.items():
        squares[m], products[m] = data.ranks.total(squares[m]), data.ranks.total(products[m])
        model.decoders[m].set_last_layer(_regression(squares[m], products[m], layer))


def _regression(squares: Tensor, products: Tensor, trained: Tensor) -> Tensor:
    """Return the coefficients of a regression, drawn to the trained ones, (width, n_inputs)."""
    diagonal = squares.diagonal()
    prior = torch.diag(PRIOR_SHARE * diagonal + torch.finfo(diagonal.dtype).tiny)
    return torch.linalg.solve(squares + prior, products + prior @ trained.double().T).T
