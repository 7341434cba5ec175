"""Precisions of the modalities' potentials: the mean Fisher information of the decoders."""

from __future__ import annotations

import torch
from torch import Tensor

from .._model.tensors import TensorData
from ..functional import Potential, weight_columns
from ..modules import Around, Batch, ColumnDecoder, StructuredVAE, fisher_information

#: Samples at whose latent points decoders are asked.
N_ROWS = 128

#: Of decoders that are not linear in a few inputs, one in so many of these is asked.
STRIDE = 4


@torch.no_grad()
def mean_information(model: StructuredVAE, data: TensorData, has_cells: bool = True) -> Tensor:
    """Return the mean Fisher information of each modality, over samples that have it.

    Parameters
    ----------
    model : StructuredVAE
        The model.
    data : TensorData
        Samples, of which some that lie evenly spaced are asked, the same ones on however many
        ranks.
    has_cells : bool, default=True
        Whether the mixture is the prior; else it is N(0, I).

    Returns
    -------
    Tensor of shape (n_modalities, latent_dim, latent_dim)
        In float64; what it was of a modality that none of them has, or whose numbers are not
        finite, which is for others to tell.
    """
    rows = data.evenly_spaced(N_ROWS)
    before = model.information
    sums, counts = torch.zeros_like(before), before.new_zeros(len(before))
    if len(rows):
        batch = data.subset(rows).loaded().rows(slice(None))
        around = at_likely_points(model, batch, has_cells)
        for m, decoder in enumerate(model.decoders):
            if not decoder.depends_on_latent:
                counts[m] += 1.0  # it says nothing of the latent point
                continue
            # every row of a multilayer perceptron, a few of what has to be decoded as a whole
            is_quick = decoder.last_layer is not None or isinstance(decoder, ColumnDecoder)
            some = slice(None, None, 1 if is_quick else STRIDE)
            found = fisher_information(
                decoder, Around(*(part[some] for part in around)), model.log_variances[m]
            )
            weights = batch.weighted(torch.ones_like(batch.arrays[m][:, 0]).double())[some]
            if batch.observed is not None:
                weights = weights * batch.observed[m, some]
            sums[m] = torch.tensordot(weights, found, dims=1)
            counts[m] = weights.sum()
    sums, counts = data.total_of(sums), data.total_of(counts)
    means = sums / torch.where(counts > 0, counts, 1.0)[:, None, None]
    known = (counts > 0) & means.isfinite().all(dim=(1, 2))
    return torch.where(known[:, None, None], means, before)


@torch.no_grad()
def all_potentials(model: StructuredVAE, data: TensorData) -> tuple[Potential, Tensor]:
    """Return what samples say of their latent points, on the CPU, and where that is.

    Places are those with the prior N(0, I), of shape (n_samples, latent_dim).
    """
    parts, points, is_shared = [], [], True
    for block in data.blocks():
        posterior = model.posterior(block, has_cells=False)
        parts.append(posterior.potential)
        points.append(posterior.mean(torch.ones_like(block.arrays[0][:, :1].T)))
        is_shared &= parts[-1].is_shared
    linear = torch.cat([part.linear for part in parts]).cpu()
    precision = parts[0].precision.cpu()
    if not is_shared:
        own = [part.precision.expand(len(part.linear), -1, -1) for part in parts]
        precision = torch.cat(own).cpu()
    return Potential(linear, precision), torch.cat(points).to(data.dtype).cpu()


def at_likely_points(model: StructuredVAE, batch: Batch, has_cells: bool = True) -> Around:
    """Return the mean of each latent point in its most probable component, and its deviations."""
    posterior = model.posterior(batch, has_cells)
    zeros = batch.arrays[0].new_zeros(len(batch.arrays[0]), model.latent_dim)
    components = torch.zeros(len(zeros), dtype=torch.int64, device=zeros.device)
    if has_cells:
        said = model.component_evidence(batch, posterior, zeros)
        log_joint = weight_columns(model.log_weights(batch.regime_index)) + said.total
        components = posterior.evidence(log_joint, batch.allowed).log_gamma.argmax(dim=0)
    points = posterior.centres(components)
    steps = posterior.covariances(components).diagonal(dim1=1, dim2=2).sqrt()
    return Around(points.to(zeros), steps.to(zeros), components)
