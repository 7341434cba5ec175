"""Decoders: from the latent space to the mean of one modality."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ._decoder_protocol import Decoder
from ._encoders import last_linear, layer_sizes, multilayer_perceptron, unset, zeroed


def repeated(layer: nn.Linear, n_copies: int) -> nn.Linear:
    """Return a layer whose outputs are those of the given one, several times over."""
    n_outputs, has_bias = n_copies * layer.out_features, layer.bias is not None
    result = unset(nn.Linear, layer.in_features, n_outputs, bias=has_bias)
    result.to(layer.weight)
    result.weight.copy_(layer.weight.repeat(n_copies, 1))
    if has_bias:
        result.bias.copy_(layer.bias.repeat(n_copies))
    return result


class MLPDecoder(Decoder):
    """Decode a modality by a linear map plus a multilayer perceptron.

    Parameters
    ----------
    shape : sequence of int
        Shape of one sample.
    latent_dim : int
        Dimension of the latent space.
    hidden_layer_sizes : sequence of int
        Sizes of the encoder's hidden layers; the decoder has them in reverse.
    generator : torch.Generator or None
        Source of the start values; with None they are not set, to be loaded.
    linear : bool, default=True
        Whether the linear path exists. It starts at zero.
    narrowed : bool, default=True
        Whether hidden layers are narrowed to the width of the modality.

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
        generator: torch.Generator | None,
        linear: bool = True,
        narrowed: bool = True,
    ) -> None:
        super().__init__()
        self.shape: tuple[int, ...] = tuple(map(int, shape))
        width = math.prod(self.shape)
        narrow = layer_sizes(width, hidden_layer_sizes) if narrowed else hidden_layer_sizes
        sizes = narrow[::-1]
        self.network = multilayer_perceptron([latent_dim, *sizes, width], generator)
        self.linear = zeroed(unset(nn.Linear, latent_dim, width, bias=False)) if linear else None
        self.log_variance: nn.Linear | None = None

    @torch.no_grad()
    def initialize_linear(
        self, weight: Tensor, bias: Tensor, log_variances: Tensor | None = None
    ) -> None:
        """Become a linear decoder, to which the network adds nothing yet.

        Parameters
        ----------
        weight : Tensor of shape (width, latent_dim)
            The linear map.
        bias : Tensor of shape (width,)
            Offset.
        log_variances : Tensor of shape (width,), default=None
            Where the second output starts, if there is one.

        Examples
        --------
        >>> import torch
        >>> from skcausalpima.modules import MLPDecoder
        >>> decoder = MLPDecoder((3,), 1, (8,), torch.Generator().manual_seed(0))
        >>> weight = torch.tensor([[1.0], [2.0], [3.0]])
        >>> decoder.initialize_linear(weight, torch.ones(3))
        >>> decoder(torch.tensor([[10.0]])).detach()
        tensor([[11., 21., 31.]])
        """
        last = last_linear(self.network)
        nn.init.zeros_(last.weight)
        last.bias.copy_(bias)
        if self.linear is not None:
            self.linear.weight.copy_(weight)
        if log_variances is not None:
            self.initialize_variances(log_variances)

    def add_variances(self) -> None:
        """Give the network a second output, log-variances, which start at zero.

        Examples
        --------
        >>> import torch
        >>> from skcausalpima.modules import MLPDecoder
        >>> decoder = MLPDecoder((3,), 1, (8,), torch.Generator().manual_seed(0))
        >>> decoder.add_variances()
        >>> means, log_variances = decoder(torch.zeros(1, 1))
        >>> log_variances.detach()
        tensor([[0., 0., 0.]])
        """
        last = last_linear(self.network)
        layer = zeroed(unset(nn.Linear, last.in_features, last.out_features))
        self.log_variance = layer.to(last.weight)

    @torch.no_grad()
    def initialize_variances(self, log_variances: Tensor) -> None:
        """Start with log-variances that do not depend on z.

        Parameters
        ----------
        log_variances : Tensor of shape (width,)
            One per element.

        Examples
        --------
        >>> import torch
        >>> from skcausalpima.modules import MLPDecoder
        >>> decoder = MLPDecoder((3,), 1, (8,), torch.Generator().manual_seed(0))
        >>> decoder.add_variances()
        >>> decoder.initialize_variances(torch.tensor([-1.0, -2.0, -3.0]))
        >>> decoder(torch.tensor([[10.0]]))[1].detach()
        tensor([[-1., -2., -3.]])
        """
        if self.log_variance is not None:
            self.log_variance.bias.copy_(log_variances)

    @torch.no_grad()
    def repeat(self, n_copies: int) -> None:
        """Give the last layer and the linear path so many copies, behind one trunk.

        Parameters
        ----------
        n_copies : int
            Length of the axis that outputs have from now on before their shape.

        Examples
        --------
        >>> import torch
        >>> from skcausalpima.modules import MLPDecoder
        >>> decoder = MLPDecoder((3,), 1, (8,), torch.Generator().manual_seed(0))
        >>> decoder.repeat(2)  # one for each of two components
        >>> first, second = decoder(torch.ones(1, 1)).unbind(dim=1)
        >>> bool(torch.allclose(first, second)), first.shape
        (True, torch.Size([1, 3]))
        """
        self.shape = (n_copies, *self.shape)
        self.network[-1] = repeated(last_linear(self.network), n_copies)
        if self.linear is not None:
            self.linear = repeated(self.linear, n_copies)

    @property
    def last_layer(self) -> Tensor | None:
        """Coefficients of the last hidden layer, the linear path and 1, side by side.

        Examples
        --------
        >>> import torch
        >>> from skcausalpima.modules import MLPDecoder
        >>> decoder = MLPDecoder((3,), 1, (8,), torch.Generator().manual_seed(0))
        >>> decoder.last_layer.shape  # 3 elements; 8 hidden units, latent point, and 1
        torch.Size([3, 10])
        """
        last = last_linear(self.network)
        if self.log_variance is not None or not last.weight.requires_grad:
            return None
        paths = [] if self.linear is None else [self.linear.weight]
        return torch.cat([last.weight, *paths, last.bias[:, None]], dim=1)

    def last_inputs(self, z: Tensor) -> Tensor:
        """Return the last hidden layer, the latent points where there is a linear path, and 1.

        Parameters
        ----------
        z : Tensor of shape (n_samples, latent_dim)
            Points of the latent space.

        Returns
        -------
        Tensor of shape (n_samples, n_inputs)
            What is decoded is linear in these.

        Examples
        --------
        >>> import torch
        >>> from skcausalpima.modules import MLPDecoder
        >>> decoder = MLPDecoder((3,), 1, (8,), torch.Generator().manual_seed(0))
        >>> z = torch.tensor([[10.0]])
        >>> torch.allclose(decoder.last_inputs(z) @ decoder.last_layer.T, decoder(z))
        True
        """
        paths = [] if self.linear is None else [z]
        return torch.cat([self.network[:-1](z), *paths, torch.ones_like(z[:, :1])], dim=1)

    def set_last_layer(self, coefficients: Tensor) -> None:
        """Set the coefficients that :attr:`last_layer` returns.

        Parameters
        ----------
        coefficients : Tensor of shape (width, n_inputs)
            Of what :meth:`last_inputs` returns.

        Examples
        --------
        >>> import torch
        >>> from skcausalpima.modules import MLPDecoder
        >>> decoder = MLPDecoder((3,), 1, (8,), torch.Generator().manual_seed(0))
        >>> coefficients = torch.zeros(3, 10)
        >>> coefficients[:, -1] = torch.tensor([1.0, 2.0, 3.0])  # the offset alone
        >>> with torch.no_grad():
        ...     decoder.set_last_layer(coefficients)
        >>> decoder(torch.tensor([[10.0]])).detach()
        tensor([[1., 2., 3.]])
        """
        last = last_linear(self.network)
        last.weight.copy_(coefficients[:, : last.in_features])
        if self.linear is not None:
            self.linear.weight.copy_(coefficients[:, last.in_features : -1])
        last.bias.copy_(coefficients[:, -1])

    def forward(self, z: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """Return the decoded means.

        Parameters
        ----------
        z : Tensor of shape (n_samples, latent_dim)
            Points of the latent space.

        Returns
        -------
        Tensor of shape (n_samples, ...)
            Means of the modality; a pair, these and log-variances, after
            :meth:`add_variances`.

        Examples
        --------
        >>> import torch
        >>> from skcausalpima.modules import MLPDecoder
        >>> decoder = MLPDecoder((3,), 1, (8,), torch.Generator().manual_seed(0))
        >>> decoder(torch.zeros(5, 1)).shape
        torch.Size([5, 3])
        """
        if self.log_variance is None:
            output = self.network(z)
        else:
            hidden = self.network[:-1](z)
            output = self.network[-1](hidden)
        if self.linear is not None:
            output += self.linear(z)
        output = output.unflatten(1, self.shape)
        if self.log_variance is None:
            return output
        return output, self.log_variance(hidden).unflatten(1, self.shape)
