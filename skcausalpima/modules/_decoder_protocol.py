"""The interface of decoders, and that of plain networks."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from ._around import Around
from ._batch import Likelihood
from ._experts.expert_decoder import ExpertDecoder


class Decoder(nn.Module):
    r"""A decoder inside a model; the defaults are those of a mean with the modality's variance.

    Calling it maps latent points of shape (n_samples, latent_dim) to means of shape
    (n_samples, \*shape).

    Attributes
    ----------
    has_likelihood : bool
        Whether :meth:`likelihood` has an answer.
    depends_on_cluster : bool
        Whether it says something else under each component.
    depends_on_latent : bool
        Whether it is a function of the latent point.
    predicts_variances : bool
        Whether it is a network with a second output, the log-variances.
    keeps_variance : bool
        Whether the variance of its modality only balances modalities, and stays as it begins.
    has_dispersions : bool
        Whether :meth:`update_dispersions` has something to do.
    expert : ExpertDecoder or None
        What the user stated, for decoders that are a function of parameters.
    """

    has_likelihood = False
    depends_on_cluster = False
    depends_on_latent = True
    predicts_variances = False
    keeps_variance = False
    has_dispersions = False
    expert: ExpertDecoder | None = None

    @property
    def unwrapped(self) -> nn.Module:
        """The network as it was handed in."""
        return self

    @property
    def networks(self) -> list[nn.Module]:
        """Networks inside: what may be computed in fewer digits."""
        return [self]

    @property
    def has_own_variances(self) -> bool:
        """Whether its variances follow from its likelihood, which a pass over the data asks."""
        return self.has_likelihood and not self.keeps_variance

    @property
    def takes_gaps(self) -> bool:
        """Whether single elements of samples may be missing."""
        return not self.has_likelihood and self.expert is None

    @property
    def is_quick(self) -> bool:
        """Whether it costs little to ask it at many points."""
        return self.last_layer is not None

    def free_width(self, width: int) -> int:
        """Return how many of so many elements do not follow from others."""
        return width

    def likelihood(self, x: Tensor, z: Tensor, seen: Tensor | None = None) -> Likelihood | None:
        """Return what it says of scaled samples x at latent points z.

        None where it gives a mean alone, whose elements share the one variance of the modality.
        ``seen``, of shape (n_samples, width), says which elements are observed, where some are
        missing and it :attr:`takes_gaps`.
        """
        return None

    def decode(self, z: Tensor, components: Tensor) -> Tensor:
        """Return the mean of each latent point under its component, flattened."""
        return self(z).flatten(1)

    def deviations(self, z: Tensor, components: Tensor, log_variance: Tensor) -> Tensor:
        """Return the standard deviations of elements, which broadcast to (n_samples, width).

        ``log_variance``, of shape (), is the modality's.
        """
        return log_variance.mul(0.5).exp()

    def draw(
        self, z: Tensor, components: Tensor, log_variance: Tensor, normal: Callable[..., Tensor]
    ) -> Tensor:
        """Draw a scaled sample at each latent point, flattened.

        ``normal`` returns standard normal draws of a shape.
        """
        means = self.decode(z, components)
        return means + self.deviations(z, components, log_variance) * normal(*means.shape)

    def scaled_slopes(
        self, around: Around, log_variance: Tensor, x: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return slopes in units of the noise, and what samples x are off in these, in float64.

        The first are of shape (n_samples, latent_dim, width), the second, zeros without x, of
        shape (n_samples, width).
        """
        slopes = around.slopes(self.decode(*around.neighbours())).double()
        deviations = self.deviations(around.points, around.components, log_variance).double()
        slopes = slopes / (deviations if deviations.ndim == 0 else deviations[:, None])
        if x is None:
            return slopes, torch.zeros_like(slopes[:, 0])
        means = self.decode(around.points, around.components)
        return slopes, (x - means).double() / deviations

    def set_units(self, centre: np.ndarray, factor: np.ndarray | float) -> None:
        """State what was taken from data, and what they were divided by, where it matters."""

    def initialize_linear(
        self, weight: Tensor, bias: Tensor, log_variances: Tensor | None = None
    ) -> None:
        """Become a linear decoder, where it can; networks of the user's stay as they are."""

    def begin(
        self, x: Tensor, weight: Tensor, bias: Tensor, log_variances: Tensor, log_variance: Tensor
    ) -> Tensor:
        """Become a linear decoder of scaled samples x; return the modality's log-variance.

        ``log_variances``, (width,), and ``log_variance``, (), are those of what the linear map
        leaves, of each element and of all.
        """
        self.initialize_linear(weight, bias, log_variances)
        return log_variance

    def add_variances(self) -> None:
        """Add a second output, the log-variances; networks of the user's have it already."""

    @property
    def last_layer(self) -> Tensor | None:
        """Coefficients of :meth:`last_inputs` in what is decoded, (width, n_inputs).

        None where they are not all that a decoder is linear in, or do not train.
        """
        return None

    def last_inputs(self, z: Tensor) -> Tensor:
        """Return what its last layer sees at latent points, and ones, (n_samples, n_inputs)."""
        raise NotImplementedError

    def set_last_layer(self, coefficients: Tensor) -> None:
        """Set the coefficients that :attr:`last_layer` returns."""
        raise NotImplementedError

    def set_variances(self, variances: Tensor, known: Tensor) -> None:
        """Set its variance under each component, if it has one, where it is known."""

    def update_dispersions(
        self, x: Tensor, z: Tensor, weights: Tensor, seen: Tensor | None
    ) -> None:
        """Make a step towards the most probable dispersions of counts, if it has some.

        ``x``, ``z`` and ``seen`` are as in :meth:`likelihood`; ``weights``, of shape (n_samples,),
        say for how many samples each row counts.
        """


class PlainDecoder(Decoder):
    """A network of the user's.

    Parameters
    ----------
    network : torch.nn.Module
        From latent points to means.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    @property
    def unwrapped(self) -> nn.Module:
        """The network as it was handed in."""
        return self.network

    def forward(self, z: Tensor) -> Tensor:
        """Return what the network returns."""
        return self.network(z)


def as_decoder(network: nn.Module) -> Decoder:
    """Return a network as a decoder: itself, or wrapped."""
    return network if isinstance(network, Decoder) else PlainDecoder(network)
