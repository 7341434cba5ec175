"""Evidence of modalities: influence, conflict, and which modality shows which node."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, cast

import numpy as np
import torch
from torch import Tensor

from .._base.reports.shown_table import Frame, ShownTable, TableText, pandas_for
from .._model.tensors import TensorData
from ..modules import Batch, MultimodalVAE, StructuredVAE, SubsetEncoders
from .posterior import answer, check_near, posterior_draws

#: Share of a node's entropy from which on a modality is said to show it. Evidence: in seven tables
#: whose nodes were right, modalities that show a node have .63 to 1, others at most .14.
SHOWS = 0.3

#: Fields that say something of nodes.
OF_NODES = ("alone", "without", "said")


@dataclass(frozen=True, kw_only=True, repr=False)
class ModalityEvidence(ShownTable):
    """How far modalities move answers and disagree, and which modality shows which node.

    Returned by :meth:`~skcausalpima.CausalPIMA.modality_evidence`, which has the equations.
    Printed, it is a table of what each modality says of each node.

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
    alone : ndarray of shape (n_modalities, n_nodes)
        Share of a node's entropy that the modality alone takes away, from 0 for nothing (a little
        below where it misleads) to 1 for all. Means over the samples that have the modality, NaN
        where none has, or where the node has one outcome only.
    without : ndarray of shape (n_modalities, n_nodes)
        The share that all the others take away, in the same samples.
    said : ndarray of shape (n_modalities, n_nodes)
        How sure the modality alone says it is: mean probability of the likeliest outcome.
    alone_se, without_se, said_se : ndarray of shape (n_modalities, n_nodes)
        Standard errors of these means; NaN of a single sample.
    node_names : tuple of str
        The nodes, in the order of ``list(dag_)``.

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
    >>> evidence.alone.shape, evidence.node_names
    ((2, 1), ('N1',))
    """

    influence: np.ndarray
    conflict: np.ndarray
    modality_names: tuple[str, ...]
    alone: np.ndarray
    without: np.ndarray
    said: np.ndarray
    alone_se: np.ndarray
    without_se: np.ndarray
    said_se: np.ndarray
    node_names: tuple[str, ...]

    @property
    def shows(self) -> np.ndarray:
        """Whether a modality alone takes away .3 of a node's entropy, (n_modalities, n_nodes).

        Examples
        --------
        >>> import numpy as np
        >>> from skcausalpima import CausalPIMA
        >>> X = np.repeat([[0.0, 1.0], [8.0, 9.0]], 30, axis=0)
        >>> X = X + np.random.default_rng(0).normal(size=X.shape)
        >>> model = CausalPIMA(2, max_iter=2, random_state=0).fit([X, -X])
        >>> model.modality_evidence([X, -X]).shows
        array([[ True],
               [ True]])
        """
        return self.alone >= SHOWS

    def to_frame(self) -> Frame:
        """Return what modalities say of nodes, one row per modality and node.

        Returns
        -------
        pandas.DataFrame
            Rows are labelled by ``modality`` and ``node``; columns are ``alone``, ``without`` and
            ``said``, and their standard errors ``alone_se``, ``without_se``, ``said_se``.

        Raises
        ------
        ImportError
            If pandas is not installed.

        See Also
        --------
        AssociationDisplay.from_evidence : The shares in a picture.

        Examples
        --------
        >>> import numpy as np
        >>> from skcausalpima import CausalPIMA
        >>> X = np.repeat([[0.0, 1.0], [8.0, 9.0]], 30, axis=0)
        >>> X = X + np.random.default_rng(0).normal(size=X.shape)
        >>> model = CausalPIMA(2, max_iter=2, random_state=0).fit({"a": X, "b": -X})
        >>> model.modality_evidence([X, -X]).to_frame()["alone"].round(1)
        modality  node
        a         N1      1.0
        b         N1      1.0
        Name: alone, dtype: float64
        """
        pd = pandas_for("to_frame")
        columns = [f"{name}{ending}" for ending in ("", "_se") for name in OF_NODES]
        pairs = [self.modality_names, self.node_names]
        return pd.DataFrame(
            {name: getattr(self, name).ravel() for name in columns},
            index=pd.MultiIndex.from_product(pairs, names=["modality", "node"]),
        )

    def _as_table(self) -> TableText:
        """Write what modalities say of nodes."""
        rows = [
            [modality, node, *(self._written(name, m, k) for name in OF_NODES)]
            for m, modality in enumerate(self.modality_names)
            for k, node in enumerate(self.node_names)
        ]
        hidden = [n for n, k in zip(self.node_names, self.shows.T, strict=True) if not k.any()]
        notes = [f"No modality alone shows {', '.join(hidden)}."] if hidden else []
        title = f"What modalities say of nodes ({len(self.influence)} samples)"
        return TableText(title, ("modality", "node", *OF_NODES), rows, notes)

    def _written(self, name: str, m: int, k: int) -> str:
        """Write a mean with its standard error."""
        return f"{getattr(self, name)[m, k]:.2f} ± {getattr(self, f'{name}_se')[m, k]:.2f}"


class Compared(NamedTuple):
    """What is found of samples when their modalities are asked alone and left out.

    Parameters
    ----------
    influence, conflict : Tensor of shape (n_samples, n_modalities)
        See :class:`ModalityEvidence`.
    alone, without : Tensor of shape (n_samples, n_modalities, n_nodes)
        Entropies of the nodes, in nats, given the modality alone and given all the others; NaN
        where it is missing.
    said : Tensor of shape (n_samples, n_modalities, n_nodes)
        Probabilities of the likeliest outcomes given the modality alone; NaN where it is missing.
    """

    influence: Tensor
    conflict: Tensor
    alone: Tensor
    without: Tensor
    said: Tensor


@torch.no_grad()
def compared_modalities(
    model: MultimodalVAE, data: TensorData, encoders: SubsetEncoders
) -> Compared:
    r"""Return how much each modality counts, how far it disagrees, and what it says of nodes.

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
    Compared
        The influence is :math:`KL(q(c | x_S) \,\|\, q(c | x_{S \setminus m}))`, 0 where m is
        missing; the conflict is the Jensen-Shannon divergence of :math:`q(c | x_m)` and
        :math:`q(c | x_{S \setminus m})`, NaN where one of these is nothing.
    """
    draws = posterior_draws(model)
    parts = [_of_block(model, block, encoders, draws) for block in data.blocks()]
    return Compared(*(torch.cat(part) for part in zip(*parts, strict=True)))


def evidence_of(
    model: MultimodalVAE,
    data: TensorData,
    encoders: SubsetEncoders,
    names: tuple[tuple[str, ...], tuple[str, ...]],
) -> ModalityEvidence:
    """Return which modality says what; ``names`` are those of modalities and of nodes."""
    compared, prior = compared_modalities(model, data, encoders), model.prior
    influence, conflict = (part.cpu().numpy() for part in compared[:2])
    check_near(influence, "probabilities")
    return ModalityEvidence(
        influence=influence,
        conflict=conflict,
        modality_names=names[0],
        node_names=names[1],
        **means_over_samples(compared, prior.log_weights(), prior.node_sizes),
    )


def _of_block(
    model: MultimodalVAE, block: Batch, encoders: SubsetEncoders, draws: Tensor
) -> Compared:
    """Return the same of some samples."""
    observed = block.present
    log_gammas: dict[bytes, Tensor] = {}

    def log_gamma_of(mask: Tensor) -> Tensor:
        """Return log-probabilities of components by what counts as observed, each found once."""
        key = mask.cpu().numpy().tobytes()
        if key not in log_gammas:
            parts = replace(block, observed=mask)
            log_gammas[key] = answer(cast(StructuredVAE, model), parts, draws, encoders).log_gamma
        return log_gammas[key].double()

    compared = []
    for m in range(len(observed)):
        is_m = torch.zeros_like(observed)
        is_m[m] = True
        alone, others = log_gamma_of(observed & is_m), log_gamma_of(observed & ~is_m)
        both = observed[m] & (observed & ~is_m).any(dim=0)
        entropies, sureness = entropies_of_nodes(alone, model.prior.node_sizes)
        left, _ = entropies_of_nodes(others, model.prior.node_sizes)
        compared.append(
            Compared(
                influence=divergence(log_gamma_of(observed), others),
                conflict=jensen_shannon(alone, others).masked_fill(~both, torch.nan),
                **{
                    name: part.masked_fill(~observed[m][:, None], torch.nan)
                    for name, part in (("alone", entropies), ("without", left), ("said", sureness))
                },
            )
        )
    return Compared(*(torch.stack(part, dim=1) for part in zip(*compared, strict=True)))


def entropies_of_nodes(log_gamma: Tensor, sizes: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Return the entropy of each node, in nats, and the probability of its likeliest outcome.

    ``log_gamma`` of shape (n_cells, n_samples) has the log-probabilities of the cells of a grid of
    such sizes; both results have the shape (n_samples, n_nodes).
    """
    grid = log_gamma.exp().unflatten(0, tuple(sizes))
    entropies, largest = [], []
    for axis in range(len(sizes)):
        others = [other for other in range(len(sizes)) if other != axis]
        marginal = grid.sum(dim=others) if others else grid
        entropies.append(torch.special.entr(marginal).sum(dim=0))
        largest.append(marginal.max(dim=0).values)
    return torch.stack(entropies, dim=1), torch.stack(largest, dim=1)


def means_over_samples(compared: Compared, log_weights: Tensor, sizes: Sequence[int]) -> dict:
    """Return the fields of :class:`ModalityEvidence` that say something of nodes.

    ``log_weights`` of shape (n_cells,) are those of the cells in all samples.
    """
    whole = entropies_of_nodes(log_weights.detach().double()[:, None], sizes)[0][0].cpu().numpy()
    whole = np.where(whole > 0, whole, np.nan)
    values = {name: getattr(compared, name).cpu().numpy() for name in OF_NODES}
    for name in ("alone", "without"):
        values[name] = 1.0 - values[name] / whole
    means = {}
    for name, array in values.items():
        known = ~np.isnan(array)
        number = known.sum(axis=0)
        with np.errstate(invalid="ignore", divide="ignore"):
            means[name] = mean = np.where(known, array, 0.0).sum(axis=0) / number
            squares = np.where(known, np.square(array - mean), 0.0).sum(axis=0)
            means[f"{name}_se"] = np.sqrt(squares / (number - 1) / number)
    return means


def divergence(log_p: Tensor, log_q: Tensor) -> Tensor:
    """Return KL(p || q) in nats, over the first axis; where p is 0 it has no term."""
    p = log_p.exp()
    terms = (p * (log_p - log_q)).masked_fill(p == 0, 0.0)
    return terms.sum(dim=0).clamp_min(0.0)


def jensen_shannon(log_p: Tensor, log_q: Tensor) -> Tensor:
    """Return the mean divergence of p and q from their average: from 0 to log(2)."""
    middle = torch.logaddexp(log_p, log_q) - torch.log(log_p.new_tensor(2.0))
    return 0.5 * (divergence(log_p, middle) + divergence(log_q, middle))
