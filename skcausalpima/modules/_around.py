"""Where a decoder is asked for slopes: points, and how far around them."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


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
