r"""Derived views: what is computed from an image or curve, and trains beside it.

Effects of nodes add up in the values of a curve or image only while objects overlap. In other views
of the same data they do so more often: in coarse copies, an object's place; in the logarithm of the
power spectrum, what it is, wherever it is. A view has an encoder and a decoder of its own, so
that the latent space holds what the view shows. It is a function of its modality: its likelihood is
no part of the bound, only of what networks are trained on.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import torch
from torch import Tensor, nn

from ..functional import squared_errors
from ._batch import Batch
from ._decoders import MLPDecoder
from ._encoders import MLPEncoder, means_and_log_vars

#: Principal components of a view that are kept.
N_COMPONENTS = 20

#: The part of the frequencies, from the lowest, whose power a view shows.
FREQUENCIES = 0.375

#: How much the squared error of a view counts in training, relative to that of its modality, where
#: both have the same variance in all.
VIEW_WEIGHT = 0.3


def spatial_axes(shape: Sequence[int]) -> tuple[int, int]:
    """Return the two axes of an image that are not channels: the longest ones.

    Examples
    --------
    >>> from skcausalpima.modules._derived_view import spatial_axes
    >>> spatial_axes((28, 32)), spatial_axes((28, 28, 3)), spatial_axes((1, 28, 28))
    ((0, 1), (0, 1), (1, 2))
    """
    longest = sorted(range(len(shape)), key=lambda axis: -shape[axis])[:2]
    first, second = sorted(longest)
    return first, second


def log_power_spectrum(images: Tensor) -> Tensor:
    r"""Return :math:`\log(1 + |F|)` of the low frequencies of a discrete Fourier transform.

    It does not change where the image is shifted around its edges.

    Parameters
    ----------
    images : Tensor of shape (n_samples, height, width), or with one more axis of channels
        In units of about their standard deviation.

    Returns
    -------
    Tensor of shape (n_samples, n_features)
        Frequencies below 3/8 of the length of each axis.

    Examples
    --------
    >>> import torch
    >>> from skcausalpima.modules._derived_view import log_power_spectrum
    >>> image = torch.zeros(1, 8, 8)
    >>> image[0, 1:3, 1:4] = 1.0
    >>> spectrum = log_power_spectrum(image)
    >>> torch.allclose(spectrum, log_power_spectrum(image.roll((2, 3), dims=(1, 2))), atol=1e-6)
    True
    """
    first, second = (axis + 1 for axis in spatial_axes(images.shape[1:]))
    down, across = images.shape[first], images.shape[second]
    transform = torch.fft.rfft2(images, dim=(first, second)).abs()
    n_down, n_across = (math.ceil(FREQUENCIES * length) for length in (down, across))
    rows = [*range(n_down), *range(down - n_down + 1, down)]
    transform = transform.index_select(first, torch.tensor(rows, device=images.device))
    return torch.log1p(transform.narrow(second, 0, n_across).flatten(1))


class DerivedView(nn.Module):
    r"""The principal components of features of a modality, their encoder and their decoder.

    Parameters
    ----------
    kind : {"scale_space", "power_spectrum"}
        Coarse copies of a curve, which are linear in it, or the logarithm of an image's power
        spectrum.
    shape : sequence of int
        Shape of one sample of the modality.
    latent_dim : int
        Dimension of the latent space.
    hidden_layer_sizes : sequence of int
        Of encoder and decoder.
    generator : torch.Generator or None
        Source of their start values; with None they are not set, to be loaded.

    Examples
    --------
    >>> import torch
    >>> from skcausalpima.modules._derived_view import DerivedView
    >>> view = DerivedView("power_spectrum", (16, 16), 2, (8,), torch.Generator())
    >>> view(torch.zeros(3, 256)).shape
    torch.Size([3, 20])
    """

    slope: Tensor
    offset: Tensor
    mean: Tensor
    components: Tensor

    def __init__(
        self,
        kind: str,
        shape: Sequence[int],
        latent_dim: int,
        hidden_layer_sizes: Sequence[int],
        generator: torch.Generator | None,
    ) -> None:
        super().__init__()
        self.kind, self.shape = kind, tuple(shape)
        width = math.prod(shape)
        n_features = self.features(torch.zeros(1, width)).shape[1]
        self.register_buffer("slope", torch.ones(width))
        self.register_buffer("offset", torch.zeros(width))
        self.register_buffer("mean", torch.zeros(n_features))
        self.register_buffer("components", torch.zeros(n_features, N_COMPONENTS))
        sizes = (latent_dim, hidden_layer_sizes, generator)
        self.encoder = MLPEncoder((N_COMPONENTS,), *sizes, narrowed=False)
        self.decoder = MLPDecoder((N_COMPONENTS,), *sizes, narrowed=False)

    def features(self, values: Tensor) -> Tensor:
        """Return what the components are taken of.

        Parameters
        ----------
        values : Tensor of shape (n_samples, width)
            The modality in units of its standard deviation, not centred by element.

        Returns
        -------
        Tensor of shape (n_samples, n_features)
            The values themselves for what is linear in them.
        """
        if self.kind == "scale_space":
            return values
        return log_power_spectrum(values.unflatten(1, self.shape))

    def forward(self, x: Tensor) -> Tensor:
        """Return the view of samples.

        Parameters
        ----------
        x : Tensor of shape (n_samples, width)
            The modality, scaled as for the networks.

        Returns
        -------
        Tensor of shape (n_samples, n_components)
            Principal scores of the features.
        """
        features = self.features(x * self.slope + self.offset)
        return (features - self.mean) @ self.components

    def error_weight(self, of_modality: Tensor) -> Tensor:
        """Return the factor of half the squared error of the view in training.

        Parameters
        ----------
        of_modality : Tensor of shape ()
            That of the modality.

        Returns
        -------
        Tensor of shape ()
            ``VIEW_WEIGHT`` times as large, for the same variance in all.
        """
        return VIEW_WEIGHT * len(self.slope) * of_modality


class DerivedViews(nn.ModuleDict):
    """Derived views of some modalities, by the number of the modality as text.

    Parameters
    ----------
    views : dict of str to DerivedView
        None for models without views.
    """

    @property
    def networks(self) -> list[nn.Module]:
        """Encoders and decoders of all views."""
        return [part for _, view in self.by_modality() for part in (view.encoder, view.decoder)]

    def by_modality(self) -> list[tuple[int, DerivedView]]:
        """Return each view with the number of its modality."""
        return [(int(m), cast(DerivedView, view)) for m, view in self.items()]

    def computed(self, batch: Batch) -> Batch:
        """Return samples together with their views.

        Parameters
        ----------
        batch : Batch
            Samples.

        Returns
        -------
        Batch
            The same samples where they have their views already.
        """
        if len(self) == 0 or batch.views is not None:
            return batch
        with torch.no_grad():
            views = {m: view(batch.arrays[m]) for m, view in self.by_modality()}
        return replace(batch, views=views)

    def encode(
        self, batch: Batch, means: Tensor, log_vars: Tensor
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """Add the Gaussians that views say to those of the encoders of modalities.

        Parameters
        ----------
        batch : Batch
            Samples.
        means, log_vars : Tensor of shape (n_modalities, n_samples, latent_dim)
            From the encoders of the modalities.

        Returns
        -------
        means, log_vars : Tensor of shape (n_modalities + n_views, n_samples, latent_dim)
            All of them.
        observed : Tensor of bool of shape (n_modalities + n_views, n_samples) or None
            A view is there where its modality is.
        """
        if len(self) == 0:
            return means, log_vars, batch.observed
        views = cast(dict[int, Tensor], self.computed(batch).views)
        outputs = [view.encoder(views[m]) for m, view in self.by_modality()]
        view_means, view_log_vars = means_and_log_vars(outputs)
        observed = batch.observed
        if observed is not None:
            observed = torch.cat([observed, observed[[m for m, _ in self.by_modality()]]])
        return torch.cat([means, view_means]), torch.cat([log_vars, view_log_vars]), observed

    def weighted_errors(self, batch: Batch, z: Tensor, error_weights: Tensor) -> Tensor | float:
        r"""Return what views add to the loss, :math:`\sum_v w_v \|v - d_v(z)\|^2 / 2`.

        Parameters
        ----------
        batch : Batch
            Samples with their views.
        z : Tensor of shape (n_samples, latent_dim)
            Latent points.
        error_weights : Tensor of shape (n_modalities,)
            Of half the squared errors of modalities.

        Returns
        -------
        Tensor of shape (n_samples,), or 0.0 if there are no views
            Zero where the modality is missing.
        """
        total: Tensor | float = 0.0
        for m, view in self.by_modality():
            factor = 0.5 * view.error_weight(error_weights[m])
            # relative to the variance of one level of the view in all
            values = cast(dict[int, Tensor], batch.views)[m]
            errors = factor * squared_errors(view.decoder(z), values)
            total = total + (errors if batch.observed is None else errors * batch.observed[m])
        return total
