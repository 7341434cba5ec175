"""Experts inside a model, in the units of the scaled modality: what both kinds share, and the kind
per sample.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from .._decoder_protocol import Decoder
from .._decoders import MLPDecoder
from .checks import ExpertError, ranges
from .expert_decoder import ExpertDecoder

#: Hidden layers of the network from the latent point to the parameters of an expert.
HEAD_LAYERS = (32, 32)


class ScaledExpert(Decoder, ABC):
    """What both kinds of experts share: the model function, and the units of the modality.

    A kind says by one abstract method where its parameters come from.

    Parameters
    ----------
    expert : ExpertDecoder
        The model function, and what is stated about it.
    shape : sequence of int
        Shape of one sample of the modality.

    Examples
    --------
    >>> import torch
    >>> from skcausalpima.modules import ExpertDecoder, SampleExpert, line
    >>> stated = ExpertDecoder(line, [0.0, 1.0], per="sample")
    >>> expert = SampleExpert(stated, (2,), 3, torch.Generator())
    >>> expert.set_units([1.0, 1.0], 2.0)
    >>> expert.scaled_curves(torch.tensor([[4.0, 3.0]]))
    tensor([[1., 3.]])
    """

    expert: ExpertDecoder
    x: Tensor
    centre: Tensor
    factor: Tensor

    def __init__(self, expert: ExpertDecoder, shape: Sequence[int]) -> None:
        super().__init__()
        self.expert, self.shape = expert, tuple(shape)
        self.modality: str | None = None  # its name, for messages
        self.register_buffer("x", torch.as_tensor(expert.x))
        self.register_buffer("centre", torch.zeros(math.prod(shape), dtype=torch.float32))
        self.register_buffer("factor", torch.ones(math.prod(shape), dtype=torch.float32))

    @property
    def networks(self) -> list[nn.Module]:
        """None: model functions are computed in the dtype of the model."""
        return []

    @torch.no_grad()
    def set_units(self, centre: np.ndarray, factor: np.ndarray | float) -> None:
        """Say how the modality is scaled.

        Parameters
        ----------
        centre : ndarray of shape shape
            Taken from each element.
        factor : ndarray of shape shape, or float
            Divisor.
        """
        self.centre.copy_(torch.as_tensor(np.ravel(centre)))
        self.factor.copy_(torch.as_tensor(np.ravel(factor)))

    def scaled_curves(self, free: Tensor) -> Tensor:
        """Return scaled curves, computed in the dtype of the coordinates.

        Parameters
        ----------
        free : Tensor of shape (n, n_free)
            Unbounded coordinates of the parameters.

        Returns
        -------
        Tensor of shape (n, width)
            Scaled.

        Raises
        ------
        ExpertError
            If the model function raises, or returns another shape.
        """
        x, centre, factor = (part.to(free.dtype) for part in (self.x, self.centre, self.factor))
        values = self.expert.space.values(free)
        try:
            curves = self.expert.curves(values, x, len(self.shape))
        except Exception as error:
            raise self._error(values, f"it raised {type(error).__name__}: {error}") from error
        if tuple(curves.shape) != (len(free), *self.shape):
            raise self._error(values, f"it returned shape {tuple(curves.shape)}")
        return (curves.flatten(1) - centre) / factor

    def trial_curves(self, free: Tensor) -> Tensor:
        """Return scaled curves, NaN for parameters at which the model function raises.

        Parameters
        ----------
        free : Tensor of shape (n, n_free)
            Unbounded coordinates of the parameters.

        Returns
        -------
        Tensor of shape (n, width)
            Scaled.
        """
        try:
            return self.scaled_curves(free)
        except ExpertError:
            if len(free) == 1:  # a sum, so that there is a gradient
                return (torch.nan * free.sum(dim=1, keepdim=True)).expand(1, len(self.centre))
            half = len(free) // 2  # one set of parameters must not spoil the others
            return torch.cat([self.trial_curves(free[:half]), self.trial_curves(free[half:])])

    def _error(self, values: Tensor, what: str) -> ExpertError:
        at = ranges(self.expert.names, self.expert.all_values(values))
        message = (
            f"The model function {self.expert.function_name} of modality {self.modality!r} "
            f"failed at {at}: {what}. State bounds that keep such values out, or return "
            "NaN for them."
        )
        return ExpertError(message, self.modality)

    def values(self, free: Tensor) -> Tensor:
        """Return the parameters, fixed ones included, in the units of the data.

        Parameters
        ----------
        free : Tensor of shape (n, n_free)
            Unbounded coordinates.

        Returns
        -------
        Tensor of shape (n, n_parameters)
            In the order of ``expert.names``.
        """
        return self.expert.all_values(self.expert.space.values(free))

    @abstractmethod
    def sample_coordinates(self, z: Tensor, components: Tensor) -> Tensor:
        """Return the coordinates of samples' parameters, of shape (n_samples, n_free).

        Parameters
        ----------
        z : Tensor of shape (n_samples, latent_dim)
            Their latent points.
        components : Tensor of int of shape (n_samples,)
            Their components.
        """

    def cell_coordinates(self, centres: Tensor) -> Tensor:
        """Return the coordinates of every cell's parameters, of shape (n_components, n_free).

        Parameters
        ----------
        centres : Tensor of shape (n_components, latent_dim)
            Where those of single samples are shown for a cell.
        """
        return self.sample_coordinates(centres, torch.arange(len(centres), device=centres.device))


class SampleExpert(ScaledExpert):
    """A model function whose parameters a small network takes from the latent point.

    Parameters
    ----------
    expert : ExpertDecoder
        The model function, and what is stated about it.
    shape : sequence of int
        Shape of one sample of the modality.
    latent_dim : int
        Dimension of the latent space.
    generator : torch.Generator or None
        Source of the network's start values; with None they are not set, to be loaded.

    Examples
    --------
    >>> import torch
    >>> from skcausalpima.modules import ExpertDecoder, SampleExpert, line
    >>> expert = ExpertDecoder(line, [0.0, 1.0], per="sample")
    >>> decoder = SampleExpert(expert, (2,), 3, torch.Generator())
    >>> decoder(torch.zeros(5, 3)).shape
    torch.Size([5, 2])
    """

    origin: Tensor
    step: Tensor

    def __init__(
        self,
        expert: ExpertDecoder,
        shape: Sequence[int],
        latent_dim: int,
        generator: torch.Generator | None,
    ) -> None:
        super().__init__(expert, shape)
        n_free = len(expert.free_names)
        self.head = MLPDecoder((n_free,), latent_dim, HEAD_LAYERS, generator)
        self.head.initialize_linear(torch.zeros(n_free, latent_dim), torch.zeros(n_free))
        self.register_buffer("origin", expert.start_coordinates().float())
        self.register_buffer("step", torch.ones(n_free, dtype=torch.float32))

    def coordinates(self, z: Tensor) -> Tensor:
        """Return the unbounded coordinates of the parameters at latent points.

        Parameters
        ----------
        z : Tensor of shape (n_samples, latent_dim)
            Points of the latent space.

        Returns
        -------
        Tensor of shape (n_samples, n_free)
            Coordinates.
        """
        return self.origin + self.step * self.head(z)

    def sample_coordinates(self, z: Tensor, components: Tensor) -> Tensor:
        """Return :meth:`coordinates`, whatever the components.

        Parameters
        ----------
        z : Tensor of shape (n_samples, latent_dim)
            Points of the latent space.
        components : Tensor of int of shape (n_samples,)
            Components, which do not matter.

        Returns
        -------
        Tensor of shape (n_samples, n_free)
            Coordinates.
        """
        return self.coordinates(z)

    def forward(self, z: Tensor) -> Tensor:
        """Return the decoded means.

        Parameters
        ----------
        z : Tensor of shape (n_samples, latent_dim)
            Points of the latent space.

        Returns
        -------
        Tensor of shape (n_samples, *shape)
            Scaled.
        """
        return self.scaled_curves(self.coordinates(z)).unflatten(1, self.shape)
