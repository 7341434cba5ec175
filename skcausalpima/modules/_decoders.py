"""Decoders: from the latent space to the mean of one modality."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ._encoders import layer_sizes, multilayer_perceptron


class MLPDecoder(nn.Module):
    """Decode a modality by a linear map plus a multilayer perceptron.

    Parameters
    ----------
    shape : sequence of int
        Shape of one sample.
    latent_dim : int
        Dimension of the latent space.
    hidden_layer_sizes : sequence of int
        Sizes of the encoder's hidden layers; the decoder has them in reverse.
    generator : torch.Generator
        Source of the start values.
    linear : bool, default=True
        Whether the linear path exists. It starts at zero.

    Examples
    --------
    >>> import torch
    >>> from skcausalpima.modules import MLPDecoder
    >>> decoder = MLPDecoder((5, 5), 2, (8,), torch.Generator())
    >>> decoder(torch.zeros(3, 2)).shape
    torch.Size([3, 5, 5])
    """

    def __init__(
        self,
        shape: Sequence[int],
        latent_dim: int,
        hidden_layer_sizes: Sequence[int],
        generator: torch.Generator,
        linear: bool = True,
    ) -> None:
        super().__init__()
        self.shape = tuple(shape)
        width = math.prod(shape)
        sizes = layer_sizes(width, hidden_layer_sizes)[::-1]
        self.network = multilayer_perceptron([latent_dim, *sizes, width], generator)
        self.linear = None
        if linear:
            self.linear = nn.utils.skip_init(nn.Linear, latent_dim, width, bias=False)
            nn.init.zeros_(self.linear.weight)

    @torch.no_grad()
    def start_linear(self, weight: Tensor, bias: Tensor) -> None:
        """Start as a linear decoder; the network begins with no say.

        Parameters
        ----------
        weight : Tensor of shape (width, latent_dim)
            The linear map.
        bias : Tensor of shape (width,)
            Offset.
        """
        last = self.network[-1]
        nn.init.zeros_(last.weight)
        last.bias.copy_(bias)
        self.linear.weight.copy_(weight)

    def forward(self, z: Tensor) -> Tensor:
        """Return the decoded means.

        Parameters
        ----------
        z : Tensor of shape (n_samples, latent_dim)
            Points of the latent space.

        Returns
        -------
        Tensor of shape (n_samples, *shape)
            Means of the modality.
        """
        output = self.network(z)
        if self.linear is not None:
            output = output + self.linear(z)
        return output.unflatten(1, self.shape)
