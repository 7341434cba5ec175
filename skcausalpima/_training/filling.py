"""Inputs of encoders: missing elements as the model expects them, and derived views."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import torch
from torch import Tensor

from .._model.build import named_network
from .._model.spec import Network
from .._model.tensors import TensorData
from ..functional import Potential
from ..modules import (
    Around,
    Batch,
    Gap,
    Likelihood,
    MeanFieldVAE,
    MultimodalVAE,
    StructuredVAE,
    SubsetEncoders,
    masked_potential,
    whole_modalities,
)
from .potentials import at_likely_points

#: Rounds of encoding, decoding and filling in; and of samples that lack nothing, which begin where
#: encoders locate them (with five the log loss of ``benchmarks/unlike_noise.py`` is the same).
N_ROUNDS, N_ROUNDS_OF_WHOLE = 5, 2

#: Of more components than these potentials alone say how probable they are.
MOST_ASKED = 64

#: Added to precisions, relative to their mean, so that they can be inverted.
RIDGE = 1e-9


def check_decoders(
    model: MultimodalVAE, data: TensorData, decoders: Sequence[Network] | None = None
) -> None:
    """Raise where elements are missing in a modality that no plain network decodes.

    Parameters
    ----------
    model : MultimodalVAE
        The model.
    data : TensorData
        The samples.
    decoders : sequence, default=None
        What the user stated; networks per cluster get their places in the model late.

    Raises
    ------
    ValueError
        Names the modality.
    """
    for m in data.elements:
        stated = None if decoders is None else named_network(decoders[m])
        per_cluster = stated is not None and stated.per_cluster
        if per_cluster or not model.decoders[m].takes_gaps:
            raise ValueError(
                f"modality {model.names[m]!r} has samples that are NaN in a part of their "
                "elements, which only a plain network as its decoder can marginalize, not an "
                "expert or a decoder per cluster: fill these values in, set the whole samples of "
                "this modality to NaN, or change its decoder."
            )


@torch.no_grad()
def filled(
    model: MultimodalVAE,
    data: TensorData,
    encoders: SubsetEncoders | None = None,
    *,
    is_trained: bool = True,
) -> TensorData:
    """Return data with their derived views, missing elements as the model expects them.

    The mean of the data under the model is filled in first, then some rounds of what is decoded
    at the posterior mean. Only the model and what is observed decide.

    Parameters
    ----------
    model : MultimodalVAE
        It is in evaluation mode afterwards, if anything was missing.
    data : TensorData
        The samples; the data themselves are returned where there is nothing to do.
    encoders : SubsetEncoders, default=None
        Of samples that lack modalities. Where they are known, likelihoods of components are asked
        where they locate samples: those of whole samples, made sharper, claim more than they know.
    is_trained : bool, default=True
        Whether the model's decoders say where samples lie that are to (``by_decoders``), where
        noise is not the same everywhere. Potentials of encoders, by which training goes, are as
        sharp as decoders are in the mean; those of decoders follow a decoder that is still on its
        way too closely.

    Returns
    -------
    TensorData
        Arrays with missing elements are new.
    """
    elements = _told_by_decoders(model, data) if is_trained else data.elements
    if not elements:
        return viewed(model, data)
    check_decoders(model, data)
    model.eval()
    gaps = list(elements)
    partly = [_by_decoder(model, m, mask, is_trained) for m, mask in elements.items()]
    rows = torch.stack(partly).any(dim=0).nonzero().flatten()
    if len(rows) == 0:
        return viewed(model, data)
    part = replace(data, samples=replace(data.samples, elements=elements)).subset(rows)
    likely = model.prior.log_weights().exp().to(model.prior.means)
    decoded = [model.decoders[m](model.prior.means).flatten(1) for m in gaps]
    part = _with(part, [(likely @ means).expand(len(rows), -1) for means in decoded])
    linearised: dict[int, Gap] = {}
    for _ in range(N_ROUNDS if data.elements else N_ROUNDS_OF_WHOLE):
        z, linearised = _expected_points(model, part, gaps, is_trained)
        part = _with(part, [model.decoders[m](z).flatten(1) for m in gaps], linearised)
    for m in linearised if len(model.prior.means) <= MOST_ASKED else ():
        if model.decoders[m].has_likelihood:
            blocks, trained = part.blocks(), cast(StructuredVAE, model)
            beyond = [_beyond(trained, encoders, block, m) for block in blocks]
            linearised[m] = linearised[m]._replace(beyond=torch.cat(beyond))
    arrays = list(data.arrays)
    for m in data.elements:
        arrays[m] = arrays[m].index_copy(0, rows, part.arrays[m])
    n_samples = data.n_samples
    of_all = {
        m: Gap(
            *(
                values.new_zeros(n_samples, *values.shape[1:]).index_copy(0, rows, values)
                for values in gap
            )
        )
        for m, gap in linearised.items()
    }
    samples = replace(data.samples, arrays=tuple(arrays), views=None, gaps=of_all or None)
    return viewed(model, replace(data, samples=samples))


def _expected_points(
    model: MultimodalVAE, part: TensorData, gaps: Sequence[int], is_trained: bool
) -> tuple[Tensor, dict[int, Gap]]:
    """Return latent points of samples, and what observed elements say, linearised around them."""
    if isinstance(model, MeanFieldVAE):
        return torch.cat([model.encode(block).mean for block in part.blocks()]), {}
    points: list[Tensor] = []
    linearised: dict[int, list[Gap]] = {m: [] for m in gaps}
    for block in part.blocks():
        around = _linearised_at(cast(StructuredVAE, model), block, gaps)
        points.append(around.points)
        for m in gaps:
            mask = block.elements[m]
            partial = _by_decoder(model, m, mask, is_trained)
            linear, known, lost = masked_potential(
                model.decoders[m], around, model.log_variances[m], block.arrays[m], mask
            )
            location = _location(linear, known, lost, around.points.double())
            beyond = torch.zeros_like(linear[:, :1])
            linearised[m].append(Gap(partial, known, linear, location, beyond))
    joined = {m: Gap(*map(torch.cat, zip(*parts, strict=True))) for m, parts in linearised.items()}
    return torch.cat(points), joined


def _told_by_decoders(model: MultimodalVAE, data: TensorData) -> dict[int, Tensor]:
    """Return observed elements of modalities of which decoders say where samples lie.

    That is where elements are missing, and where decoders are to say it.
    """
    elements = dict(data.elements)
    for m in model.by_decoders:
        if m not in elements:
            elements[m] = data.samples.present[m][:, None].expand_as(data.arrays[m])
    return elements


def _by_decoder(model: MultimodalVAE, m: int, mask: Tensor, is_trained: bool) -> Tensor:
    """Return of which samples the decoder of a modality says where they lie."""
    is_asked = is_trained and m in model.by_decoders
    return mask.any(dim=1) if is_asked else _in_part(mask)


def _in_part(mask: Tensor) -> Tensor:
    """Return which samples have some elements of a modality, and lack others."""
    return mask.any(dim=1) & ~mask.all(dim=1)


def _linearised_at(model: StructuredVAE, block: Batch, gaps: Sequence[int]) -> Around:
    """Return where decoders are made linear.

    Encoders say it of samples some modality of which is whole. Others they would see with much
    that is filled in: these lie where what decoders said before places them, and at first in the
    component at whose mean the observed elements are most probable. So do those of which elements
    have noise of their own, whatever else is whole: noise tells components apart, and encoders of
    other modalities claim to.
    """
    means, whole = model.prior.means, whole_modalities(block)
    evidence = means.new_zeros(len(means), whole.shape[1]).double()
    is_told, is_first = torch.zeros_like(whole[0]), block.gaps is None
    for m in gaps:
        mask = block.elements[m]
        partial = _in_part(mask)
        if model.decoders[m].predicts_variances:
            is_told |= partial
        if is_first:
            whole[m] &= ~partial
            evidence += partial * _log_likelihoods_at(model, m, means, block.arrays[m], mask)
    around = at_likely_points(model, replace(block, gaps=None))
    rows = (~whole.any(dim=0) | is_told).nonzero()[:, 0]
    if not len(rows):
        return around
    part = block.take(rows)
    if is_first:
        part = replace(part, observed=(whole & ~is_told)[:, rows])
    others = at_likely_points(model, part, evidence=evidence[:, rows])
    pairs = zip(around, others, strict=True)
    return Around(*(values.index_copy(0, rows, replacement) for values, replacement in pairs))


def _beyond(model: StructuredVAE, encoders: SubsetEncoders | None, block: Batch, m: int) -> Tensor:
    """Return what a decoder says of components beyond its potentials, (n_samples, n_components).

    A potential is exact near the point that it was made at, which is in one component.
    """
    x, gap = block.arrays[m], cast("dict[int, Gap]", block.gaps)[m]
    posterior = (
        model.posterior(block) if encoders is None else encoders.posterior(block, model.prior)
    )
    unexplained = list[Tensor]()
    for c in range(len(model.prior.means)):
        z = posterior.centres(torch.full((len(posterior),), c, device=x.device))
        likelihood = cast(Likelihood, model.decoders[m].likelihood(x, z.to(x), block.elements[m]))
        unexplained.append(
            likelihood.log_likelihoods[0].double() - Potential(gap.linear, gap.known).at(z)
        )
    beyond = torch.stack(unexplained, dim=1)
    return beyond - beyond.mean(dim=1, keepdim=True)


def _log_likelihoods_at(
    model: StructuredVAE, m: int, points: Tensor, x: Tensor, mask: Tensor
) -> Tensor:
    """Return what observed elements of a modality say of a few points, up to a constant.

    Of shape (n_points, n_samples), in float64.
    """
    decoder = model.decoders[m]
    if decoder.has_likelihood:
        likelihoods = (cast(Likelihood, decoder.likelihood(x, z[None], mask)) for z in points)
        return torch.stack([likelihood.log_likelihoods[0] for likelihood in likelihoods]).double()
    decoded, shown = decoder(points).flatten(1).double(), mask.double()
    errors = decoded.square() @ shown.T - 2.0 * decoded @ (shown * x).T
    return -0.5 * errors / model.log_variances[m].double().exp()


def _location(linear: Tensor, known: Tensor, lost: Tensor, points: Tensor) -> Tensor:
    """Return where rows lie whose missing elements are filled in at latent points."""
    whole = known + lost
    least = torch.finfo(whole.dtype).tiny / RIDGE  # where the decoder says nothing at all
    scale = whole.diagonal(dim1=1, dim2=2).mean(dim=1).clamp_min(least)
    ridge = RIDGE * scale[:, None, None] * torch.eye(whole.shape[1]).to(whole)
    # in directions that nothing holds, the row stays where it was filled in
    right_side = linear[:, :, None] + (lost + ridge) @ points[:, :, None]
    return torch.linalg.solve(whole + ridge, right_side)[:, :, 0]


@torch.no_grad()
def viewed(model: MultimodalVAE, data: TensorData) -> TensorData:
    """Return data with their derived views, so that epochs need not compute them.

    Parameters
    ----------
    model : MultimodalVAE
        Has the views.
    data : TensorData
        The samples; the data themselves are returned where they have their views already.

    Returns
    -------
    TensorData
        Of the same samples.
    """
    if len(model.views) == 0 or data.samples.views is not None:
        return data
    views = {
        m: torch.cat([view(block.arrays[m]) for block in data.blocks()])
        for m, view in model.views.by_modality()
    }
    return replace(data, samples=replace(data.samples, views=views))


def _with(
    data: TensorData, values: Sequence[Tensor], gaps: dict[int, Gap] | None = None
) -> TensorData:
    """Return data with values in the place of missing elements, of each modality that has some."""
    arrays = list(data.arrays)
    for (m, mask), value in zip(data.elements.items(), values, strict=True):
        arrays[m] = torch.where(mask, arrays[m], value.to(arrays[m]))
    samples = replace(data.samples, arrays=tuple(arrays), views=None, gaps=gaps or None)
    return replace(data, samples=samples)
