r"""The interface of decoders, and the Fisher information that their slopes say.

For a decoder with mean :math:`\mu(z)` and variances :math:`\sigma^2(z)` of its elements d,

.. math:: \Lambda(z) = \sum_d \frac{\nabla \mu_d \nabla \mu_d^T}{\sigma_d^2}
    + \frac{1}{2} \sum_d \nabla \log \sigma_d^2 \, (\nabla \log \sigma_d^2)^T,

which is :math:`W^T R^{-1} W` for a linear one. Slopes are those between points one posterior
standard deviation before and behind z along each axis: what the decoder does there on the whole,
not what it does at a point.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from ._batch import Likelihood
from ._experts.expert_decoder import ExpertDecoder


class Around(NamedTuple):
    """Where a decoder is asked.

    Parameters
    ----------
    points : Tensor of shape (n_samples, latent_dim)
        Latent points.
    steps : Tensor of shape (n_samples, latent_dim)
        How far to go along each axis.
    components : Tensor of int of shape (n_samples,)
        Their components.
    """

    points: Tensor
    steps: Tensor
    components: Tensor

    def neighbours(self) -> tuple[Tensor, Tensor]:
        """Return points behind and before along each axis, and their components, one after another.

        The points are of shape (2 * latent_dim * n_samples, latent_dim).
        """
        moves = torch.diag_embed(self.steps).movedim(1, 0)  # (axis, sample, latent)
        both = torch.cat([self.points + moves, self.points - moves])
        return both.flatten(0, 1), self.components.repeat(len(both))

    def slopes(self, values: Tensor) -> Tensor:
        """Return differences of values at neighbours, (n_samples, latent_dim, n_values)."""
        before, behind = values.unflatten(0, (2, self.steps.shape[1], -1))
        return ((before - behind) / (2.0 * self.steps.T[..., None])).movedim(0, 1)


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
    has_many_words : bool
        Whether it decodes a column of many words, of which encoders know each by few samples.
    expert : ExpertDecoder or None
        What the user stated, for decoders that are a function of parameters.
    """

    has_likelihood = False
    depends_on_cluster = False
    depends_on_latent = True
    predicts_variances = False
    keeps_variance = False
    has_dispersions = False
    has_many_words = False
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

    def residuals(self, x: np.ndarray, means: np.ndarray, uniform: np.ndarray) -> np.ndarray:
        """Return what is left of each column of samples, given what is decoded, in units of data.

        ``x`` and ``means`` are of shape (n_samples, width), ``uniform`` are draws between 0 and 1
        for each column, which matter where these are no numbers.
        """
        return x - means

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


@torch.no_grad()
def fisher_information(decoder: Decoder, around: Around, log_variance: Tensor) -> Tensor:
    """Return the Fisher information of a modality at latent points.

    Parameters
    ----------
    decoder : Decoder
        Of the modality.
    around : Around
        Where it is asked.
    log_variance : Tensor of shape ()
        Of the modality, for decoders that say none.

    Returns
    -------
    Tensor of shape (n_samples, latent_dim, latent_dim)
        In float64.
    """
    layer = decoder.last_layer
    if layer is not None and not decoder.has_likelihood:  # linear in few inputs
        slopes = around.slopes(decoder.last_inputs(around.neighbours()[0])).double()
        layer = layer.double()
        return slopes @ (layer.T @ layer / log_variance.double().exp()) @ slopes.mT
    slopes, _ = decoder.scaled_slopes(around, log_variance)
    information = slopes @ slopes.mT
    if decoder.predicts_variances:
        neighbours = around.neighbours()
        logs = 2.0 * decoder.deviations(*neighbours, log_variance).log()
        slopes = around.slopes(logs).double()
        information = information + 0.5 * slopes @ slopes.mT
    return information


@torch.no_grad()
def masked_potential(
    decoder: Decoder, around: Around, log_variance: Tensor, x: Tensor, mask: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    r"""Return the potential of the observed elements of samples, linearised around latent points.

    With :math:`r = x - \mu(z) + J z` the linear part is :math:`J_o^T R_o^{-1} r_o`, and the
    precision :math:`J_o^T R_o^{-1} J_o`.

    Parameters
    ----------
    decoder : Decoder
        Of the modality.
    around : Around
        Where it is linearised.
    log_variance : Tensor of shape ()
        Of the modality.
    x : Tensor of shape (n_samples, width)
        Observations.
    mask : Tensor of bool of shape (n_samples, width)
        Which of them are observed.

    Returns
    -------
    linear : Tensor of shape (n_samples, latent_dim)
        In float64.
    known, lost : Tensor of shape (n_samples, latent_dim, latent_dim)
        Precisions of what is observed, and of the rest.
    """
    slopes, misfit = decoder.scaled_slopes(around, log_variance, x)
    shown = torch.where(mask[:, None], slopes, 0.0)
    known = shown @ shown.mT
    linear = shown @ misfit[:, :, None] + known @ around.points.double()[:, :, None]
    return linear[:, :, 0], known, slopes @ slopes.mT - known
