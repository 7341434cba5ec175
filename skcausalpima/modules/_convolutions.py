"""Convolutional encoders and decoders, for curves and images of any size."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import ClassVar, cast

import torch
from torch import Tensor, nn

from ._decoder_protocol import Decoder
from ._decoders import repeated
from ._encoders import drawn, unset, with_linear, zeroed

#: Numbers by number of spatial axes: one of curves, two of images.
ByAxes = Mapping[int, tuple[int, ...]]
Transposed = nn.ConvTranspose1d | nn.ConvTranspose2d
_CONVOLUTION = {1: nn.Conv1d, 2: nn.Conv2d}
_TRANSPOSED: dict[int, type[Transposed]] = {1: nn.ConvTranspose1d, 2: nn.ConvTranspose2d}
_NORMALIZATION = {1: nn.BatchNorm1d, 2: nn.BatchNorm2d}


def spatial_shape(shape: Sequence[int]) -> tuple[tuple[int, ...], int]:
    """Split the shape of a sample into its spatial axes and its number of channels.

    Channels come last, scikit-learn's habit: one axis is a curve, two a grey image, three an image
    of shape (height, width, channels).

    Parameters
    ----------
    shape : sequence of int
        Shape of one sample.

    Returns
    -------
    spatial : tuple of int
        One or two numbers.
    n_channels : int
        1 where the shape has no axis for it.

    Raises
    ------
    ValueError
        If there are more than three axes.

    Examples
    --------
    >>> from skcausalpima.modules._convolutions import spatial_shape
    >>> spatial_shape((100,)), spatial_shape((28, 28)), spatial_shape((28, 28, 3))
    (((100,), 1), ((28, 28), 1), ((28, 28), 3))
    """
    shape = tuple(shape)
    if not 1 <= len(shape) <= 3:
        raise ValueError(
            f"'conv' needs curves (width,) or images (height, width) or (height, width, channels), "
            f"got samples of shape {shape}."
        )
    return (shape[:2], shape[2]) if len(shape) == 3 else (shape, 1)


class ConvEncoder(nn.Module):
    r"""Encode curves or images by two convolutions and a linear layer.

    Kernels of size 3 and exponential linear units; each convolution halves the resolution. With
    ``linear``, a linear map of the input is added to the mean, which the warm start needs. Nothing
    is normalized: what a sample is encoded as depends on it alone, in training, too, so that its
    steps see what a pass over the data would.

    Parameters
    ----------
    shape : sequence of int
        Shape of one sample, see :func:`spatial_shape`.
    latent_dim : int
        Dimension of the latent space.
    generator : torch.Generator or None
        Source of the start values; with None they are not set, to be loaded.
    linear : bool, default=True
        Whether the mean has the linear path. It starts at zero.

    Examples
    --------
    >>> import torch
    >>> from skcausalpima.modules import ConvEncoder
    >>> encoder = ConvEncoder((5, 7, 3), 2, torch.Generator()).eval()
    >>> encoder(torch.zeros(3, 5, 7, 3)).shape
    torch.Size([3, 4])
    """

    #: Channels of the two layers. Evidence: benchmarks/convolutions.py.
    channels: ClassVar[ByAxes] = {1: (8, 16), 2: (16, 16)}
    #: Whether each layer is followed by batch normalization.
    normalized: ClassVar[bool] = False

    def __init__(
        self,
        shape: Sequence[int],
        latent_dim: int,
        generator: torch.Generator | None,
        linear: bool = True,
    ) -> None:
        super().__init__()
        shape, latent_dim = tuple(map(int, shape)), int(latent_dim)
        self.spatial, channels = spatial_shape(shape)
        self.n_channels, n_axes = channels, len(self.spatial)
        sizes, layers = self.spatial, list[nn.Module]()
        for out in self.channels[n_axes]:
            layer = unset(_CONVOLUTION[n_axes], channels, out, kernel_size=3, stride=2, padding=1)
            fan_in = channels * 3**n_axes
            layers += [drawn(layer, fan_in, generator), nn.ELU()]
            if self.normalized:
                layers.append(_NORMALIZATION[n_axes](out, dtype=torch.float32))
            channels, sizes = out, tuple(math.ceil(size / 2) for size in sizes)
        self.convolutions = nn.Sequential(*layers)
        width = channels * math.prod(sizes)
        self.last = unset(nn.Linear, width, 2 * latent_dim)
        drawn(self.last, width, generator)
        path = (math.prod(shape), latent_dim)
        self.linear = zeroed(unset(nn.Linear, *path, bias=False)) if linear else None

    @torch.no_grad()
    def initialize_linear(self, weight: Tensor, bias: Tensor, log_var: Tensor) -> None:
        """Become a linear encoder with a small nonlinear part.

        Parameters
        ----------
        weight : Tensor of shape (latent_dim, width)
            The linear map.
        bias : Tensor of shape (latent_dim,)
            Offset of the mean.
        log_var : Tensor of shape (latent_dim,)
            Log-variance for all samples.

        Examples
        --------
        >>> import torch
        >>> from skcausalpima.modules import ConvEncoder
        >>> encoder = ConvEncoder((8,), 1, torch.Generator().manual_seed(0)).eval()
        >>> offset, log_var = torch.tensor([2.0]), torch.tensor([-6.0])
        >>> encoder.initialize_linear(torch.ones(1, 8), offset, log_var)
        >>> mean, log_variance = encoder(torch.ones(1, 8)).detach()[0]  # 8 + 2, and -6
        >>> bool(abs(mean - 10) < 0.2), bool(abs(log_variance + 6) < 0.2)
        (True, True)
        """
        if self.linear is None:
            return
        self.last.weight.mul_(0.1)
        self.last.bias.copy_(torch.cat([bias, log_var]))
        self.linear.weight.copy_(weight)

    def forward(self, x: Tensor) -> Tensor:
        r"""Return mean and log-variance of the posterior, side by side.

        Parameters
        ----------
        x : Tensor of shape (n_samples, \*shape)
            One modality, channels last.

        Returns
        -------
        Tensor of shape (n_samples, 2 * latent_dim)
            Means, then log-variances.

        Examples
        --------
        >>> import torch
        >>> from skcausalpima.modules import ConvEncoder
        >>> encoder = ConvEncoder((8,), 1, torch.Generator().manual_seed(0)).eval()
        >>> mean, log_variance = encoder(torch.zeros(5, 8)).chunk(2, dim=1)
        >>> mean.shape, log_variance.shape
        (torch.Size([5, 1]), torch.Size([5, 1]))
        """
        channels_last = x.reshape(len(x), *self.spatial, self.n_channels)
        output = self.last(self.convolutions(channels_last.movedim(-1, 1)).flatten(1))
        return with_linear(output, self.linear, x.flatten(1))


def _one_like(layer: Transposed, n_outputs: int) -> Transposed:
    """Return a layer with another number of outputs, its values not set."""
    options = ("kernel_size", "stride", "padding", "output_padding")
    given = {name: getattr(layer, name) for name in options}
    return unset(type(layer), layer.in_channels, n_outputs, **given).to(layer.weight)


class ConvDecoder(Decoder):
    r"""Decode curves or images by a linear layer and two transposed convolutions.

    Kernels of size 4 and rectified linear units, from a quarter of the resolution, which each layer
    doubles, cut to the shape: none works on many channels of the whole resolution, where nearly all
    time would go. With ``linear``, a linear map of the latent point is added.

    Parameters
    ----------
    shape : sequence of int
        Shape of one sample, see :func:`spatial_shape`.
    latent_dim : int
        Dimension of the latent space.
    generator : torch.Generator or None
        Source of the start values; with None they are not set, to be loaded.
    linear : bool, default=True
        Whether the linear path exists. It starts at zero.

    Examples
    --------
    >>> import torch
    >>> from skcausalpima.modules import ConvDecoder
    >>> decoder = ConvDecoder((5, 7, 3), 2, torch.Generator())
    >>> decoder(torch.zeros(4, 2)).shape
    torch.Size([4, 5, 7, 3])
    """

    #: Channels that it starts from, and those of all layers but the last, whose are the sample's.
    #: Evidence: benchmarks/convolutions.py.
    channels: ClassVar[ByAxes] = {1: (16, 8), 2: (32, 16)}
    #: Size of the kernels, and by how much each layer multiplies the resolution.
    kernel_size: ClassVar[int] = 4
    strides: ClassVar[tuple[int, ...]] = (2, 2)

    def __init__(
        self,
        shape: Sequence[int],
        latent_dim: int,
        generator: torch.Generator | None,
        linear: bool = True,
    ) -> None:
        super().__init__()
        self.shape: tuple[int, ...] = tuple(map(int, shape))
        spatial, n_channels = spatial_shape(self.shape)
        n_axes, self.n_channels = len(spatial), n_channels
        factors = (math.prod(self.strides[k:]) for k in range(len(self.strides) + 1))
        sizes = [tuple(math.ceil(size / by) for size in spatial) for by in factors]
        channels = [*self.channels[n_axes], n_channels]
        self.start_shape = (channels[0], *sizes[0])
        self.first = unset(nn.Linear, latent_dim, math.prod(self.start_shape))
        drawn(self.first, latent_dim, generator)
        layers: list[nn.Module] = []
        for k, stride in enumerate(self.strides):
            pairs = zip(sizes[k], sizes[k + 1], strict=True)
            excess = [(old - 1) * stride + self.kernel_size - new for old, new in pairs]
            padding = tuple(math.ceil(of_axis / 2) for of_axis in excess)  # on both sides
            layer = unset(
                _TRANSPOSED[n_axes],
                *channels[k : k + 2],
                kernel_size=self.kernel_size,
                stride=stride,
                padding=padding,
                output_padding=tuple(of_axis % 2 for of_axis in excess),
            )
            layers += [
                drawn(layer, channels[k + 1] * self.kernel_size**n_axes, generator),
                nn.ReLU(),
            ]
        self.convolutions = nn.Sequential(*layers[:-1])
        self.linear = (
            zeroed(unset(nn.Linear, latent_dim, math.prod(self.shape))) if linear else None
        )
        self.log_variance: Transposed | None = None

    @torch.no_grad()
    def initialize_linear(
        self, weight: Tensor, bias: Tensor, log_variances: Tensor | None = None
    ) -> None:
        """Become a linear decoder, to which the convolutions add nothing yet.

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
        >>> from skcausalpima.modules import ConvDecoder
        >>> decoder = ConvDecoder((4,), 1, torch.Generator().manual_seed(0))
        >>> weight = torch.tensor([[1.0], [2.0], [3.0], [4.0]])
        >>> decoder.initialize_linear(weight, torch.ones(4))
        >>> decoder(torch.tensor([[10.0]])).detach()
        tensor([[11., 21., 31., 41.]])
        """
        if log_variances is not None:
            self.initialize_variances(log_variances)
        if self.linear is None:
            return
        zeroed(self._last)
        self.linear.weight.copy_(weight)
        self.linear.bias.copy_(bias)

    @property
    def _last(self) -> Transposed:
        return cast(Transposed, self.convolutions[-1])

    def add_variances(self) -> None:
        """Give the network a second output, log-variances, which start at zero.

        Examples
        --------
        >>> import torch
        >>> from skcausalpima.modules import ConvDecoder
        >>> decoder = ConvDecoder((4,), 1, torch.Generator().manual_seed(0))
        >>> decoder.add_variances()
        >>> means, log_variances = decoder(torch.zeros(1, 1))
        >>> log_variances.detach()
        tensor([[0., 0., 0., 0.]])
        """
        self.log_variance = zeroed(_one_like(self._last, self.n_channels))

    @torch.no_grad()
    def initialize_variances(self, log_variances: Tensor) -> None:
        """Start with a log-variance that depends on nothing: the mean variance of all elements.

        Parameters
        ----------
        log_variances : Tensor of shape (width,)
            One per element.

        Examples
        --------
        >>> import torch
        >>> from skcausalpima.modules import ConvDecoder
        >>> decoder = ConvDecoder((4,), 1, torch.Generator().manual_seed(0))
        >>> decoder.add_variances()
        >>> decoder.initialize_variances(torch.tensor([0.1, 0.1, 0.3, 0.3]).log())
        >>> decoder(torch.tensor([[10.0]]))[1].exp().detach()  # their mean
        tensor([[0.2000, 0.2000, 0.2000, 0.2000]])
        """
        if self.log_variance is not None:
            cast(Tensor, self.log_variance.bias).fill_(log_variances.exp().mean().log())

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
        >>> from skcausalpima.modules import ConvDecoder
        >>> decoder = ConvDecoder((4,), 1, torch.Generator().manual_seed(0))
        >>> decoder.repeat(2)  # one for each of two components
        >>> first, second = decoder(torch.ones(1, 1)).unbind(dim=1)
        >>> bool(torch.allclose(first, second)), first.shape
        (True, torch.Size([1, 4]))
        """
        self.shape = (n_copies, *self.shape)
        last = self._last
        layer = _one_like(last, n_copies * self.n_channels)
        layer.weight.copy_(torch.cat([last.weight] * n_copies, dim=1))
        cast(Tensor, layer.bias).copy_(cast(Tensor, last.bias).repeat(n_copies))
        self.convolutions[-1] = layer
        if self.linear is not None:
            self.linear = repeated(self.linear, n_copies)

    def forward(self, z: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        r"""Return the decoded means.

        Parameters
        ----------
        z : Tensor of shape (n_samples, latent_dim)
            Points of the latent space.

        Returns
        -------
        Tensor of shape (n_samples, \*shape)
            Means of the modality, channels last; a pair, these and log-variances, after
            :meth:`add_variances`.

        Examples
        --------
        >>> import torch
        >>> from skcausalpima.modules import ConvDecoder
        >>> decoder = ConvDecoder((4,), 1, torch.Generator().manual_seed(0))
        >>> decoder(torch.zeros(5, 1)).shape
        torch.Size([5, 4])
        """
        maps = torch.relu(self.first(z)).unflatten(1, self.start_shape)
        hidden = self.convolutions[:-1](maps)
        output = self._channels_last(self.convolutions[-1](hidden))
        if self.linear is not None:
            output = output + self.linear(z)
        output = output.unflatten(1, self.shape)
        if self.log_variance is None:
            return output
        log_variance = self._channels_last(self.log_variance(hidden))
        return output, log_variance.unflatten(1, self.shape)

    def _channels_last(self, maps: Tensor) -> Tensor:
        """Flatten maps with the channels of each copy last."""
        return maps.unflatten(1, (-1, self.n_channels)).movedim(2, -1).flatten(1)
