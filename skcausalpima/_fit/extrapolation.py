"""Where further steps of expectation maximization would lead, from two of them."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

#: Steps that a leap may be worth, at most.
LONGEST = 64.0


class Components(NamedTuple):
    """Mixtures, of which there are several: weights, means and covariances, the first axis theirs.

    Parameters
    ----------
    weights : Tensor of shape (n_mixtures, n_components)
        Positive, of sum one.
    means : Tensor of shape (n_mixtures, n_components, latent_dim)
        Means.
    covariances : Tensor of shape (n_mixtures, n_components, latent_dim[, latent_dim])
        Variances, or covariance matrices.
    """

    weights: Tensor
    means: Tensor
    covariances: Tensor

    def where(self, chosen: Tensor, others: Components) -> Components:
        """Return the chosen mixtures, others in the places of the rest."""
        pairs = zip(self, others, strict=True)
        return Components(
            *(torch.where(chosen.reshape(-1, *[1] * (a.ndim - 1)), a, b) for a, b in pairs)
        )

    def take(self, rows: Tensor) -> Components:
        """Return some of the mixtures."""
        return Components(*(part[rows] for part in self))


def leap(first: Components, second: Components, third: Components) -> Components:
    r"""Return where mixtures would be after many steps like those from the first to the third.

    With :math:`r = \theta_1 - \theta_0` and :math:`v = \theta_2 - 2 \theta_1 + \theta_0` that is
    :math:`\theta_0 + 2 a r + a^2 v`, :math:`a = |r| / |v|` (SQUAREM, scheme S3 [1]_), which is
    exact where one direction alone is left, whose error shrinks by a constant factor per step.
    Mixtures that would be none there stay at the third.

    .. [1] R. Varadhan and C. Roland, "Simple and globally convergent methods for accelerating the
       convergence of any EM algorithm", Scandinavian Journal of Statistics 35, 2008.

    Parameters
    ----------
    first, second, third : Components
        The mixtures before, between and after two steps.

    Returns
    -------
    Components
        To be compared with the third: nothing says that they are more probable.

    Examples
    --------
    >>> import torch
    >>> from skcausalpima._fit.extrapolation import Components, leap
    >>> one, shape = torch.ones(1, 1), torch.ones(1, 1, 1)
    >>> steps = [Components(one, of * shape, shape) for of in (8.0, 4.0, 2.0)]  # to 0, by halves
    >>> leap(*steps).means.item()
    0.0
    """
    flat = [torch.cat([part.flatten(1) for part in of], dim=1) for of in (first, second, third)]
    step, bend = flat[1] - flat[0], flat[2] - 2.0 * flat[1] + flat[0]
    length = step.norm(dim=1) / bend.norm(dim=1).clamp_min(1e-300)
    length = length.clamp(1.0, LONGEST)[:, None]
    reached = flat[0] + 2.0 * length * step + length.square() * bend
    widths = [part[0].numel() for part in first]
    parts = reached.split(widths, dim=1)
    found = Components(*(part.view_as(of) for part, of in zip(parts, first, strict=True)))
    return found.where(_are_mixtures(found), third)


def _are_mixtures(found: Components) -> Tensor:
    """Return which of them have positive weights and covariances, of shape (n_mixtures,)."""
    if found.covariances.ndim == 3:
        positive = found.covariances.flatten(1) > 0
    else:
        positive = torch.linalg.cholesky_ex(found.covariances).info == 0
    return (found.weights > 0).all(dim=1) & positive.all(dim=1)
