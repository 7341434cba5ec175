"""Quadratic functions of vectors as linear functions of their squares and products."""

from __future__ import annotations

import torch
from torch import Tensor


def pairs_above(first: Tensor) -> tuple[Tensor, Tensor]:
    """Return the rows and the columns of the entries above the diagonal, by the length of axis 0.

    Examples
    --------
    >>> import torch
    >>> from skcausalpima.functional._quadratic import pairs_above
    >>> pairs_above(torch.zeros(3))
    (tensor([0, 0, 1]), tensor([1, 2, 2]))
    """
    n = first.shape[0]
    rows, columns = torch.triu_indices(n, n, offset=1, device=first.device).unbind()
    return rows, columns


def location_statistics(locations: Tensor) -> Tensor:
    """Return 1, y, the squares of y and the products of its coordinates, (n_statistics, n_samples).

    Examples
    --------
    >>> import torch
    >>> from skcausalpima.functional._quadratic import location_statistics
    >>> location_statistics(torch.tensor([[2.0, 3.0]])).T
    tensor([[1., 2., 3., 4., 9., 6.]])
    """
    first = locations.T
    rows, columns = pairs_above(first)
    above = first.index_select(0, rows) * first.index_select(0, columns)
    return torch.cat([first.new_ones(1, first.shape[1]), first, first.square(), above])


def quadratic_coefficients(precisions: Tensor, means: Tensor, constants: Tensor) -> Tensor:
    r"""Return :math:`-[k_c + (y - m_c)^T A_c (y - m_c)] / 2` as a linear function.

    Parameters
    ----------
    precisions : Tensor of shape (n_components, latent_dim[, latent_dim])
        A; its diagonals (2-D) or symmetric matrices (3-D).
    means : Tensor of shape (n_components, latent_dim)
        m.
    constants : Tensor of shape (n_components,)
        k.

    Returns
    -------
    Tensor of shape (n_components, n_statistics)
        Of 1, y, its squares and, where A are matrices, the products of its coordinates.

    Examples
    --------
    >>> import torch
    >>> from skcausalpima.functional._quadratic import quadratic_coefficients
    >>> quadratic_coefficients(torch.full((1, 1), 2.0), torch.full((1, 1), 3.0), torch.zeros(1))
    tensor([[-9.,  6., -1.]])
    """
    if precisions.ndim == 2:
        linear, quadratic = means * precisions, [-0.5 * precisions]
    else:
        linear = (precisions @ means[:, :, None])[:, :, 0]
        rows, columns = pairs_above(means[0])
        quadratic = [-0.5 * precisions.diagonal(dim1=1, dim2=2), -precisions[:, rows, columns]]
    constants = -0.5 * (constants + (linear * means).sum(dim=1))
    return torch.cat([constants[:, None], linear, *quadratic], dim=1)
