"""Encoders: from one modality to a Gaussian in the latent space."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import TypeVar, cast

import torch
from torch import Tensor, nn

from .._base.pytorch import Dropout, NormBase
from ._batch import Batch

#: Log-variances that networks predict are kept within this distance of zero: exp never overflows.
MAX_ABS_LOG_VAR = 15.0

Layer = TypeVar("Layer", bound=nn.Module)


def layer_sizes(width: int, hidden_layer_sizes: Sequence[int]) -> list[int]:
    """Narrow hidden layers to the width of the modality (but not below 16).

    Parameters
    ----------
    width : int
        Number of elements of the modality.
    hidden_layer_sizes : sequence of int
        Wanted sizes.

    Returns
    -------
    list of int
        Sizes to use.

    Examples
    --------
    >>> from skcausalpima.modules._encoders import layer_sizes
    >>> layer_sizes(20, (128, 64, 32, 16))
    [20, 20, 20, 16]
    """
    return [min(size, max(width, 16)) for size in hidden_layer_sizes]


def unset(kind: type[Layer], *sizes: int, **options: int | tuple[int, ...]) -> Layer:
    """Return a layer whose values are not set, in float32 whatever PyTorch's default dtype."""
    layer = kind(*sizes, device="meta", dtype=torch.float32, **options)
    for name, parameter in list(layer.named_parameters()):  # to_empty imports much of PyTorch
        values = torch.empty(parameter.shape, dtype=torch.float32)
        layer.register_parameter(name, nn.Parameter(values))
    return layer


def zeroed(layer: Layer) -> Layer:
    """Set all values of a layer to zero, and return it."""
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    return layer


def with_linear(output: Tensor, path: nn.Linear | None, x: Tensor) -> Tensor:
    """Add the linear path of an encoder, if it has one, to the means that its network returns."""
    if path is None:
        return output
    linear = path(x)
    return output + nn.functional.pad(linear, (0, linear.shape[1]))


def drawn(layer: Layer, fan_in: int, generator: torch.Generator | None) -> Layer:
    """Draw weights and biases as PyTorch does, but from the generator alone.

    With None they stay as they are, to be loaded.
    """
    if generator is None:
        return layer
    bound = 1.0 / math.sqrt(fan_in)
    nn.init.uniform_(cast(Tensor, layer.weight), -bound, bound, generator=generator)
    nn.init.uniform_(cast(Tensor, layer.bias), -bound, bound, generator=generator)
    return layer


def multilayer_perceptron(sizes: Sequence[int], generator: torch.Generator | None) -> nn.Sequential:
    r"""Build linear layers with ReLU between them.

    Weights and biases are uniform on :math:`\pm 1 / \sqrt{\mathrm{fan\_in}}`, PyTorch's own
    start, but drawn from ``generator`` alone: the global random state is left untouched.

    Parameters
    ----------
    sizes : sequence of int
        Width of the input, of the hidden layers and of the output.
    generator : torch.Generator or None
        Source of the start values; with None they are not set, to be loaded.

    Returns
    -------
    torch.nn.Sequential
        The network, float32 on the CPU.

    Examples
    --------
    >>> import torch
    >>> from skcausalpima.modules._encoders import multilayer_perceptron
    >>> len(multilayer_perceptron([4, 3, 2], torch.Generator()))
    3
    """
    layers: list[nn.Module] = []
    for fan_in, fan_out in itertools.pairwise(sizes):
        layer = unset(nn.Linear, fan_in, fan_out)
        layers += [drawn(layer, fan_in, generator), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def last_linear(network: nn.Sequential) -> nn.Linear:
    """Return the last layer of a :func:`multilayer_perceptron`."""
    return cast(nn.Linear, network[-1])


class MLPEncoder(nn.Module):
    """Encode a modality by a linear map plus a multilayer perceptron.

    Parameters
    ----------
    shape : sequence of int
        Shape of one sample.
    latent_dim : int
        Dimension of the latent space.
    hidden_layer_sizes : sequence of int
        Sizes of the hidden layers (Appendix B.1), narrowed by :func:`layer_sizes`.
    generator : torch.Generator or None
        Source of the start values; with None they are not set, to be loaded.
    linear : bool, default=True
        Whether the mean has the linear path. It starts at zero.
    narrowed : bool, default=True
        Whether hidden layers are narrowed to the width of the modality.

    Examples
    --------
    >>> import torch
    >>> from skcausalpima.modules import MLPEncoder
    >>> encoder = MLPEncoder((5, 5), 2, (8,), torch.Generator())
    >>> encoder(torch.zeros(3, 5, 5)).shape
    torch.Size([3, 4])
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
        width, latent_dim = math.prod(map(int, shape)), int(latent_dim)
        sizes = layer_sizes(width, hidden_layer_sizes) if narrowed else hidden_layer_sizes
        self.network = multilayer_perceptron([width, *sizes, 2 * latent_dim], generator)
        self.linear = zeroed(unset(nn.Linear, width, latent_dim, bias=False)) if linear else None

    @torch.no_grad()
    def initialize_linear(
        self, weight: Tensor, bias: Tensor, log_var: Tensor, nonlinear: float = 0.1
    ) -> None:
        """Become a linear encoder with a small nonlinear part.

        Parameters
        ----------
        weight : Tensor of shape (latent_dim, width)
            The linear map.
        bias : Tensor of shape (latent_dim,)
            Offset of the mean.
        log_var : Tensor of shape (latent_dim,)
            Log-variance for all samples.
        nonlinear : float, default=0.1
            Part of the network's output that stays.

        Examples
        --------
        >>> import torch
        >>> from skcausalpima.modules import MLPEncoder
        >>> encoder = MLPEncoder((3,), 1, (8,), torch.Generator().manual_seed(0))
        >>> offset, log_var = torch.tensor([2.0]), torch.tensor([-6.0])
        >>> encoder.initialize_linear(torch.ones(1, 3), offset, log_var)
        >>> mean, log_variance = encoder(torch.ones(1, 3)).detach()[0]  # 3 + 2, and -6
        >>> bool(abs(mean - 5) < 0.2), bool(abs(log_variance + 6) < 0.2)
        (True, True)
        """
        last = last_linear(self.network)
        last.weight.mul_(nonlinear)
        last.bias.copy_(torch.cat([bias, log_var]))
        if self.linear is not None:
            self.linear.weight.copy_(weight)

    def forward(self, x: Tensor) -> Tensor:
        """Return mean and log-variance of the posterior, side by side.

        Parameters
        ----------
        x : Tensor of shape (n_samples, ...)
            One modality.

        Returns
        -------
        Tensor of shape (n_samples, 2 * latent_dim)
            Means, then log-variances.

        Examples
        --------
        >>> import torch
        >>> from skcausalpima.modules import MLPEncoder
        >>> encoder = MLPEncoder((3,), 1, (8,), torch.Generator().manual_seed(0))
        >>> mean, log_variance = encoder(torch.zeros(5, 3)).chunk(2, dim=1)
        >>> mean.shape, log_variance.shape
        (torch.Size([5, 1]), torch.Size([5, 1]))
        """
        x = x.flatten(1)
        return with_linear(self.network(x), self.linear, x)


#: Modules of PyTorch that compute something else in training than after it.
OF_TWO_MODES = (
    NormBase,
    Dropout,
    nn.RNNBase,
    nn.MultiheadAttention,
    nn.Transformer,
    nn.TransformerEncoderLayer,
    nn.TransformerDecoderLayer,
    nn.RReLU,
)


def is_same_in_training(network: nn.Module) -> bool:
    """Return whether a network is known to compute the same in training as after it.

    Of modules that are neither PyTorch's nor this package's, nothing is known, nor of those with
    hooks or with a ``forward`` of their own, as automatic mixed precision gives them in training.

    Examples
    --------
    >>> from torch import nn
    >>> from skcausalpima.modules._encoders import is_same_in_training
    >>> is_same_in_training(nn.Linear(2, 2)), is_same_in_training(nn.Dropout())
    (True, False)
    """
    package = __name__.partition(".")[0]
    homes = ("torch.nn.modules.", f"{package}.")
    return all(
        type(module).__module__.startswith(homes)
        and not isinstance(module, OF_TWO_MODES)
        and "forward" not in vars(module)
        and not (module._forward_hooks or module._forward_pre_hooks)
        for module in network.modules()
    )


def encode_observed(encoder: nn.Module, x: Tensor, observed: Tensor | None, width: int) -> Tensor:
    r"""Encode one modality; in training its observed rows alone.

    Missing rows hold zeros, which must not enter the statistics of batch normalization. A single
    row has no statistics: running averages take their place.

    Parameters
    ----------
    encoder : torch.nn.Module
        Of the modality.
    x : Tensor of shape (n_samples, \*shape)
        The modality.
    observed : Tensor of bool of shape (n_samples,) or None
        Which samples have it; None for all.
    width : int
        Number of elements that the encoder returns per sample.

    Returns
    -------
    Tensor of shape (n_samples, width)
        In training zero where the modality is missing.

    Examples
    --------
    >>> import torch
    >>> from skcausalpima.modules._encoders import encode_observed
    >>> encoder = torch.nn.BatchNorm1d(1, affine=False, eps=1e-12)
    >>> x, observed = torch.tensor([[3.0], [0.0], [5.0]]), torch.tensor([True, False, True])
    >>> encode_observed(encoder, x, observed, 1).flatten()
    tensor([-1.,  0.,  1.])
    """
    if observed is None or not encoder.training or observed.all():
        return encoder(x)
    rows = observed.nonzero()[:, 0]
    if not len(rows):
        return x.new_zeros(len(x), width)
    if len(rows) > 1:
        outputs = encoder(x[rows])
    else:
        outputs = encoder.eval()(x[rows])
        encoder.train()
    return outputs.new_zeros(len(x), width).index_copy(0, rows, outputs)


def encode_each(
    encoders: nn.ModuleList, batch: Batch, shapes: Sequence[tuple[int, ...]], latent_dim: int
) -> tuple[Tensor, Tensor]:
    r"""Return the Gaussian that each encoder makes of its modality.

    Parameters
    ----------
    encoders : torch.nn.ModuleList
        One per modality.
    batch : Batch
        Samples.
    shapes : sequence of tuple of int
        Shape of one sample of each modality.
    latent_dim : int
        Dimension of the latent space.

    Returns
    -------
    means, log_vars : Tensor of shape (n_modalities, n_samples, latent_dim)
        The log-variances are kept where their exponentials are finite.
    """
    nothing: list[Tensor | None] = [None] * len(shapes)
    rows = nothing if batch.observed is None else batch.observed
    parts = zip(encoders, batch.arrays, shapes, rows, strict=True)
    outputs = [
        encode_observed(encoder, array.unflatten(1, shape), row, 2 * latent_dim)
        for encoder, array, shape, row in parts
    ]
    return means_and_log_vars(outputs)


def means_and_log_vars(outputs: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Take apart what encoders return.

    Parameters
    ----------
    outputs : sequence of Tensor of shape (n_samples, 2 * latent_dim)
        One per encoder.

    Returns
    -------
    means, log_vars : Tensor of shape (n_encoders, n_samples, latent_dim)
        The log-variances are kept where their exponentials are finite.
    """
    means, log_vars = torch.stack(list(outputs)).chunk(2, dim=-1)
    return means, log_vars.clamp(-MAX_ABS_LOG_VAR, MAX_ABS_LOG_VAR)
