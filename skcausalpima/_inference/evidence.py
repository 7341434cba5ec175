"""Evidence of single modalities for the components: influence and conflict."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import cast

import numpy as np
import torch
from torch import Tensor

from .._model.tensors import TensorData
from ..modules import Batch, MultimodalVAE, StructuredVAE, SubsetEncoders
from .posterior import answer, posterior_draws


@dataclass(frozen=True, kw_only=True)
class ModalityEvidence:
    """How far each modality moves the answer, and how far it disagrees with the others.

    Returned by :meth:`~skcausalpima.CausalPIMA.modality_evidence`, which has the equations.

    Parameters
    ----------
    influence : ndarray of shape (n_samples, n_modalities)
        Divergence, in nats, of the component probabilities from those without the modality; 0
        where it is missing.
    conflict : ndarray of shape (n_samples, n_modalities)
        From 0, the modality alone says what the others say, to log(2), it rules out what they say.
        NaN where it is missing or the only one.
    modality_names : tuple of str
        The modalities, in the order of the columns.

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima import CausalPIMA
    >>> X = np.repeat([[0.0, 1.0], [8.0, 9.0]], 30, axis=0)
    >>> X = X + np.random.default_rng(0).normal(size=X.shape)
    >>> model = CausalPIMA(2, max_iter=2, random_state=0).fit([X, -X])
    >>> evidence = model.modality_evidence([X[:5], None])
    >>> evidence.influence.shape, evidence.modality_names
    ((5, 2), ('modality0', 'modality1'))
    """

    influence: np.ndarray
    conflict: np.ndarray
    modality_names: tuple[str, ...]


@torch.no_grad()
def influence_and_conflict(
    model: MultimodalVAE, data: TensorData, encoders: SubsetEncoders
) -> tuple[Tensor, Tensor]:
    r"""Return how much each modality counts, and how far it disagrees with the others.

    Parameters
    ----------
    model : MultimodalVAE
        The model.
    data : TensorData
        Scaled samples.
    encoders : SubsetEncoders
        They are asked of every subset, the complete one included.

    Returns
    -------
    influence : Tensor of shape (n_samples, n_modalities)
        :math:`KL(q(c | x_S) \,\|\, q(c | x_{S \setminus m}))`; 0 where m is missing.
    conflict : Tensor of shape (n_samples, n_modalities)
        Jensen-Shannon divergence of :math:`q(c | x_m)` and :math:`q(c | x_{S \setminus m})`; NaN
        where one of these is nothing.
    """
    draws = posterior_draws(model)
    parts = [_of_block(model, block, encoders, draws) for block in data.blocks()]
    influence, conflict = (torch.cat(part) for part in zip(*parts, strict=True))
    return influence, conflict


def _of_block(
    model: MultimodalVAE, block: Batch, encoders: SubsetEncoders, draws: Tensor
) -> tuple[Tensor, Tensor]:
    """Return both of some samples."""
    observed = block.present
    found: dict[bytes, Tensor] = {}

    def said(mask: Tensor) -> Tensor:
        """Return log-probabilities of components by what counts as observed, each found once."""
        key = mask.cpu().numpy().tobytes()
        if key not in found:
            parts = replace(block, observed=mask)
            found[key] = answer(cast(StructuredVAE, model), parts, draws, encoders).log_gamma
        return found[key].double()

    influence, conflict = [], []
    for m in range(len(observed)):
        is_m = torch.zeros_like(observed)
        is_m[m] = True
        alone, others = observed & is_m, observed & ~is_m
        influence.append(divergence(said(observed), said(others)))
        both = observed[m] & others.any(dim=0)
        conflict.append(jensen_shannon(said(alone), said(others)).masked_fill(~both, torch.nan))
    return torch.stack(influence, dim=1), torch.stack(conflict, dim=1)


def divergence(log_p: Tensor, log_q: Tensor) -> Tensor:
    """Return KL(p || q) in nats, over the first axis; where p is 0 it has no term."""
    p = log_p.exp()
    terms = (p * (log_p - log_q)).masked_fill(p == 0, 0.0)
    return terms.sum(dim=0).clamp_min(0.0)


def jensen_shannon(log_p: Tensor, log_q: Tensor) -> Tensor:
    """Return the mean divergence of p and q from their average: from 0 to log(2)."""
    middle = torch.logaddexp(log_p, log_q) - torch.log(log_p.new_tensor(2.0))
    return 0.5 * (divergence(log_p, middle) + divergence(log_q, middle))
