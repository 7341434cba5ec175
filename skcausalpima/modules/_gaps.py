"""Potentials of samples that lack modalities, or single elements of them."""

from __future__ import annotations

import torch
from torch import Tensor

from ..functional import Potential
from ._batch import Batch


def has_gaps(batch: Batch) -> bool:
    """Return True if single elements of some samples are missing."""
    return any(bool(gap.partial.any()) for gap in (batch.gaps or {}).values())


def whole_modalities(batch: Batch) -> Tensor:
    """Return which modalities samples have as a whole, of shape (n_modalities, n_samples)."""
    like = batch.arrays[0]
    whole = torch.ones(len(batch.arrays), len(like), dtype=torch.bool, device=like.device)
    if batch.observed is not None:
        whole = batch.observed.clone()
    for m, gap in (batch.gaps or {}).items():
        whole[m] &= ~gap.partial
    return whole


def with_gaps(batch: Batch, potential: Potential, locations: Tensor | None) -> Potential:
    r"""Multiply potentials by those of modalities in which single elements are missing.

    What is observed says :math:`h_o = J_o^T R_o^{-1} (x_o - \mu_o + J_o z)`. In training encoders
    are to learn from such samples, too. They see what was filled in at :math:`z_u`, which has the
    precision :math:`\Lambda_u`, and should locate the row at
    :math:`y_f = (\Lambda_o + \Lambda_u)^{-1} (h_o + \Lambda_u z_u)`; where they locate it at
    :math:`y_m` instead, :math:`h_o + \Lambda_o (y_m - y_f)` is what counts. (Dividing the filled
    part out of :math:`y_m` would multiply its error by :math:`\Lambda_u`, in directions that
    nothing observed holds.)

    Parameters
    ----------
    batch : Batch
        Samples.
    potential : Potential
        Of the modalities that are whole, with a precision for each sample.
    locations : Tensor of shape (n_modalities or more, n_samples, latent_dim) or None
        From the encoders, which are to learn; None if they are not.

    Returns
    -------
    Potential
        Of all that is observed.
    """
    linear, precision = potential
    for m, gap in (batch.gaps or {}).items():
        counts, here = _is_here(batch, m).double()[:, None], gap.linear
        if locations is not None:
            off = locations[m].double() - gap.location
            here = here + (gap.known @ off[:, :, None])[:, :, 0]
        linear = linear + counts * here
        precision = precision + counts[..., None] * gap.known
    return Potential(linear, precision)


def beyond_potentials(batch: Batch) -> Tensor | None:
    """Return what decoders say of components beyond the potentials of :func:`with_gaps`.

    Of shape (n_components or 1, n_samples); None where no element is missing.
    """
    parts = [_is_here(batch, m) * gap.beyond.T for m, gap in (batch.gaps or {}).items()]
    return sum(parts[1:], start=parts[0]) if parts else None


def _is_here(batch: Batch, m: int) -> Tensor:
    """Return which samples have some elements of a modality, and lack others."""
    partial = (batch.gaps or {})[m].partial
    return partial if batch.observed is None else partial & batch.observed[m]
