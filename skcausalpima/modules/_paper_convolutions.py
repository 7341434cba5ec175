"""The convolutional networks of the paper (Appendix B.2), for curves and images of any size."""

from __future__ import annotations

from typing import ClassVar

from ._convolutions import ByAxes, ConvDecoder, ConvEncoder


class PaperConvEncoder(ConvEncoder):
    r"""The encoder of Appendix B.2: more channels than :class:`ConvEncoder`, and normalized.

    Batches matter in training only: in evaluation mode, in which the estimator predicts, running
    averages take the place of the statistics of the batch.

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
    >>> from skcausalpima.modules import PaperConvEncoder
    >>> PaperConvEncoder((28, 28), 2, torch.Generator()).convolutions[3].out_channels
    64
    """

    channels: ClassVar[ByAxes] = {1: (8, 16), 2: (32, 64)}
    normalized = True


class PaperConvDecoder(ConvDecoder):
    r"""The decoder of Appendix B.2: three layers, the last one at the whole resolution.

    Kernels of size 3. The first two layers double the resolution (the paper prints a stride of 3,
    which does not lead back to the shape of its images); the last one keeps it.

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
    >>> from skcausalpima.modules import PaperConvDecoder
    >>> PaperConvDecoder((28, 28), 2, torch.Generator()).start_shape
    (32, 7, 7)
    """

    channels: ClassVar[ByAxes] = {1: (8, 16, 8), 2: (32, 64, 32)}
    kernel_size = 3
    strides = (2, 2, 1)
