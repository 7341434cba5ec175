"""Expert decoders inside a model: one set of parameters per sample."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from .._decoders import MLPDecoder
from .base import ScaledExpert
from .expert_decoder import ExpertDecoder

#: Hidden layers of the network from the latent point to the parameters of an expert.
HEAD_LAYERS = (32, 32)


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

    @torch.no_grad()
    def set_units_of_parameters(self, origin: Tensor, step: Tensor) -> None:
        """Say what zero and one unit of the network's output are.

        Parameters
        ----------
        origin, step : Tensor of shape (n_free,)
            Coordinates of the typical sample, and how much they differ between samples.
        """
        self.origin.copy_(origin)
        self.step.copy_(step)

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

    def cell_coordinates(self, centres: Tensor) -> Tensor:
        """Return :meth:`coordinates` at the centres of the components.

        Parameters
        ----------
        centres : Tensor of shape (n_components, latent_dim)
            Points of the latent space.

        Returns
        -------
        Tensor of shape (n_components, n_free)
            Coordinates.
        """
        return self.coordinates(centres)

    def cell_values(self, centres: Tensor) -> Tensor:
        """Return the parameters at the centres of the components.

        Parameters
        ----------
        centres : Tensor of shape (n_components, latent_dim)
            Points of the latent space.

        Returns
        -------
        Tensor of shape (n_components, n_parameters)
            In the units of the data.
        """
        return self.values(self.coordinates(centres))

    def sample_values(self, z: Tensor, components: Tensor) -> Tensor:
        """Return the parameters at the latent points of samples.

        Parameters
        ----------
        z : Tensor of shape (n_samples, latent_dim)
            Points of the latent space.
        components : Tensor of int of shape (n_samples,)
            Components, which do not matter.

        Returns
        -------
        Tensor of shape (n_samples, n_parameters)
            In the units of the data.
        """
        return self.values(self.coordinates(z))

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
