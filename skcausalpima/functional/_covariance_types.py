"""The covariance types of the components, one entry each: their M steps, shapes and starts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

#: From the scatter :math:`N_c S_c` of every component, what it is pooled to, the counts and the
#: weight of the pooled covariance: the new covariances, one per component.
MStep = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]


def _tied(scatter: Tensor, pooled: Tensor, counts: Tensor, weight: Tensor) -> Tensor:
    """Give every component the pooled covariance."""
    return pooled.expand_as(scatter).clone()


def _shrunk(scatter: Tensor, pooled: Tensor, counts: Tensor, weight: Tensor) -> Tensor:
    """Draw each component's own covariance to the pooled one."""
    total = (counts + weight).reshape(-1, *[1] * (scatter.ndim - 1))
    return (scatter + weight * pooled) * (1.0 / total)


def _spherical(scatter: Tensor, pooled: Tensor, counts: Tensor, weight: Tensor) -> Tensor:
    """Average each component's variances."""
    new = _shrunk(scatter, pooled, counts, weight)
    return new.mean(dim=1, keepdim=True).expand_as(new).clone()


@dataclass(frozen=True, kw_only=True)
class CovarianceType:
    """What the covariances of one type look like.

    Parameters
    ----------
    is_full : bool
        Whether the model holds whole matrices rather than variances.
    axes : str
        Axes of the fitted attribute: C is the components, J the latent space. A tied covariance
        has no C, a spherical one no J.
    m_step : callable
        The closed form of Eq. 17.
    """

    is_full: bool
    axes: str
    m_step: MStep

    @property
    def is_shared(self) -> bool:
        """Whether all components have the same covariance."""
        return "C" not in self.axes

    @property
    def is_round(self) -> bool:
        """Whether all directions have the same variance."""
        return "J" not in self.axes

    @property
    def of_scatter(self) -> str:
        """The word of the type that whole matrices of scatter have before they become these."""
        return "tied" if self.is_shared else "full"

    def shape(self, n_components: int, latent_dim: int) -> tuple[int, ...]:
        """Return the shape of the fitted attribute.

        Parameters
        ----------
        n_components : int
            Number of components.
        latent_dim : int
            Dimension of the latent space.

        Returns
        -------
        tuple of int
            In scikit-learn's form.

        Examples
        --------
        >>> from skcausalpima.functional._covariance_types import COVARIANCE_TYPES
        >>> COVARIANCE_TYPES["diag"].shape(4, 2)
        (4, 2)
        """
        lengths = {"C": n_components, "J": latent_dim}
        return tuple(lengths[axis] for axis in self.axes)


#: By the word for ``covariance_type``. A new type is an entry here, and a word of ``Mixture``: the
#: model, its start, the M step, the fitted attribute and files read this table.
COVARIANCE_TYPES = {
    "full": CovarianceType(is_full=True, axes="CJJ", m_step=_shrunk),
    "tied": CovarianceType(is_full=True, axes="JJ", m_step=_tied),
    "diag": CovarianceType(is_full=False, axes="CJ", m_step=_shrunk),
    "spherical": CovarianceType(is_full=False, axes="C", m_step=_spherical),
}


def covariance_type_named(word: str) -> CovarianceType:
    """Return the covariance type that a word stands for.

    Parameters
    ----------
    word : str
        A key of the table.

    Returns
    -------
    CovarianceType
        Its entry.

    Raises
    ------
    ValueError
        If there is no such type.

    Examples
    --------
    >>> from skcausalpima.functional._covariance_types import covariance_type_named
    >>> covariance_type_named("tied").is_shared
    True
    """
    if word not in COVARIANCE_TYPES:
        raise ValueError(f"covariance_type must be one of {list(COVARIANCE_TYPES)}, got {word!r}")
    return COVARIANCE_TYPES[word]


def less_potentials(
    scatter: Tensor, width: Tensor, least_kept: float, covariance_type: str
) -> Tensor:
    r"""Return the covariances of components, given the scatter of the locations of samples.

    Locations have the covariance :math:`S_c + V`: what potentials are wide is taken off.

    Parameters
    ----------
    scatter : Tensor of shape (n_components, latent_dim, latent_dim)
        Covariances of locations in the components.
    width : Tensor of shape (latent_dim, latent_dim) or (1, latent_dim, latent_dim)
        Covariance of the potentials.
    least_kept : float
        Part of the scatter that is kept in every direction.
    covariance_type : str
        Of the components.

    Returns
    -------
    Tensor of shape (n_components, latent_dim[, latent_dim])
        Covariances of the components.

    Examples
    --------
    >>> import torch
    >>> from skcausalpima.functional._covariance_types import less_potentials
    >>> scatter, width = 4.0 * torch.eye(2)[None], torch.diag(torch.tensor([1.0, 5.0]))
    >>> less_potentials(scatter, width, 0.1, "diag")
    tensor([[3.0000, 0.4000]])
    """
    roots = torch.linalg.cholesky(scatter)
    inside = torch.linalg.solve_triangular(roots, width, upper=False)
    inside = torch.linalg.solve_triangular(roots, inside.mT, upper=False)
    values, vectors = torch.linalg.eigh(0.5 * (inside + inside.mT))
    kept = (1.0 - values).clamp_min(least_kept)
    halves = roots @ (vectors * kept.sqrt()[:, None])
    covariances = halves @ halves.mT
    kind = covariance_type_named(covariance_type)
    if not kind.is_full:
        covariances = covariances.diagonal(dim1=1, dim2=2)
        if kind.is_round:
            covariances = covariances.mean(dim=1, keepdim=True).expand_as(covariances)
    return covariances.clone()
