"""From parameters to a model."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import cast

import torch
from torch import nn

from ..modules import (
    CausalPrior,
    ClusterDecoder,
    ClusterExpert,
    ColumnDecoder,
    ConvDecoder,
    DerivedView,
    DerivedViews,
    MeanFieldVAE,
    MLPDecoder,
    MultimodalVAE,
    SampleExpert,
    StructuredVAE,
    VarianceDecoder,
)
from .networks import named_network
from .spec import ModelSpec, Network
from .state import own_draws, seeded_modules, with_own_draws


def build_model(
    spec: ModelSpec, generator: torch.Generator | None = None, stand_ins: bool = False
) -> MultimodalVAE:
    """Build the model with random start values; the user's modules are copied.

    With ``stand_ins`` networks take the places of experts and networks per cluster. Without a
    generator nothing is drawn: a state is to be loaded.
    """
    shapes = spec.shapes
    encoders, networks = (
        [
            _build(entry, which, name, shape, spec, generator)
            for entry, name, shape in zip(entries, spec.modality_names, shapes, strict=True)
        ]
        for which, entries in (("encoders", spec.encoders), ("decoders", spec.decoders))
    )
    for m, expert in enumerate(spec.experts):
        if expert is not None and expert.per == "sample":
            networks[m] = SampleExpert(expert, shapes[m], spec.latent_dim, generator)
        elif expert is not None and not stand_ins:
            networks[m] = ClusterExpert(expert, shapes[m], spec.node_sizes, spec.node_names)
        elif spec.predict_variances[m]:
            networks[m] = VarianceDecoder(networks[m])
    for m, layout in enumerate(spec.layouts):
        if layout is not None:
            networks[m] = ColumnDecoder(networks[m], shapes[m], layout)
    prior = CausalPrior(
        spec.node_sizes, spec.latent_dim, spec.full_covariances, spec.mix_sizes, spec.causes
    )
    # Equal scores have no edges and no gradient: start from random ones.
    if generator is not None:
        nn.init.uniform_(prior.scores, 0.0, 1.0, generator=generator)
    factors = spec.modality_weights
    weights = None if factors is None else torch.tensor(factors, dtype=torch.float32).double()
    parts = (encoders, networks, prior, shapes, weights)
    model: MultimodalVAE
    if spec.sampled_responsibilities:
        model = MeanFieldVAE(*parts)
        model.prior_expert = spec.prior_expert
    else:
        model = StructuredVAE(*parts)
    model.views = _build_views(spec, generator)
    model.linear_modalities = spec.linear_modalities
    model.name_modalities(spec.modality_names)
    model.to(spec.torch_dtype)
    return model if stand_ins else initialize_cluster_decoders(model, spec.decoders)


@torch.no_grad()
def initialize_cluster_decoders(model: MultimodalVAE, decoders: Sequence) -> MultimodalVAE:
    """Give every cell its own copy of a network that stood in for those of all cells.

    ``decoders`` are the estimator's, one per modality.
    """
    for m, entry in enumerate(decoders):
        kind = named_network(entry)
        if kind is not None and kind.per_cluster:
            network = cast(MLPDecoder | ConvDecoder, model.decoders[m])  # that words stand for
            cells = ClusterDecoder(network, len(model.prior.means))
            cells.to(model.prior.means).log_variances.fill_(model.log_variances[m])
            model.decoders[m] = cells
    return model


def _build_views(spec: ModelSpec, generator: torch.Generator | None) -> DerivedViews:
    """Return the derived views of the modalities that have one."""
    sizes = (spec.latent_dim, spec.hidden_layer_sizes, generator)
    kinds = zip(spec.views, spec.shapes, strict=True)
    views = {
        str(m): DerivedView(kind, shape, *sizes)
        for m, (kind, shape) in enumerate(kinds)
        if kind is not None
    }
    return DerivedViews(views)


def _build(
    entry: Network,
    which: str,
    name: str,
    shape: tuple[int, ...],
    spec: ModelSpec,
    generator: torch.Generator | None,
) -> nn.Module:
    """Return one encoder or decoder; a module of the user's is copied."""
    latent_dim, kind = spec.latent_dim, named_network(entry)
    if kind is not None:
        network = kind.decoder if which == "decoders" else kind.encoder
        layers = (spec.hidden_layer_sizes,) if kind.is_dense else ()
        return network(shape, latent_dim, *layers, generator, spec.linear)
    if isinstance(entry, nn.Module):
        return with_own_draws(copy.deepcopy(entry))
    what = f"{which}[{name!r}]"
    seed = 0 if generator is None else int(torch.randint(2**31, (), generator=generator))
    with seeded_modules(torch.device("cpu"), seed), own_draws():  # its draws are not the caller's
        try:
            module = cast(Callable, entry)(shape, latent_dim)
        except Exception as error:
            raise ValueError(
                f"{what}, a factory, raised {type(error).__name__} for shape {shape} and "
                f"latent_dim {latent_dim}: {error}"
            ) from error
    if not isinstance(module, nn.Module):
        raise TypeError(
            f"{what}, a factory, must return a torch.nn.Module for shape {shape} and latent_dim "
            f"{latent_dim}, got {type(module).__name__}."
        )
    return with_own_draws(module)
