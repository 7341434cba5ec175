"""From parameters to a model."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import nn

from ..modules import (
    CausalPrior,
    ClusterDecoder,
    ClusterExpert,
    ConvDecoder,
    ConvEncoder,
    ExpertDecoder,
    MLPDecoder,
    MLPEncoder,
    MultimodalVAE,
    SampleExpert,
    VarianceDecoder,
)
from .state import seeded_modules


def build_model(
    *,
    node_sizes: tuple[int, ...],
    latent_dim: int,
    shapes: Sequence[tuple[int, ...]],
    encoders: Sequence[nn.Module | str | Callable | None],
    decoders: Sequence[nn.Module | str | Callable | None],
    hidden_layer_sizes: tuple[int, ...],
    linear: bool,
    full_covariances: bool,
    modality_weights: Sequence[float] | None,
    prior_expert: bool,
    sampled_responsibilities: bool,
    dtype: np.dtype,
    generator: torch.Generator | None,
    experts: Sequence[ExpertDecoder | None] | None = None,
    node_names: Sequence[str] = (),
    stand_ins: bool = False,
    names: Sequence[str] | None = None,
    predict_variances: Sequence[bool] | None = None,
) -> MultimodalVAE:
    """Build the model with random start values; the user's modules are copied.

    With ``stand_ins`` networks take the places of experts and networks per cluster.
    ``predict_variances`` says whose decoders have variances of their own. Without a generator
    nothing is drawn: a state is to be loaded.
    """
    experts = [None] * len(shapes) if experts is None else experts
    names = range(len(shapes)) if names is None else names
    settings = (latent_dim, hidden_layer_sizes, linear, generator)
    encoders, networks = (
        [
            _build(entry, f"{which}[{name!r}]", shape, *settings)
            for entry, name, shape in zip(entries, names, shapes, strict=True)
        ]
        for which, entries in (("encoders", encoders), ("decoders", decoders))
    )
    for m, expert in enumerate(experts):
        if expert is not None and expert.per == "sample":
            networks[m] = SampleExpert(expert, shapes[m], latent_dim, generator)
        elif expert is not None and not stand_ins:
            networks[m] = ClusterExpert(expert, shapes[m], node_sizes, node_names)
        elif predict_variances is not None and predict_variances[m]:
            networks[m] = VarianceDecoder(networks[m])
    prior = CausalPrior(node_sizes, latent_dim, full_covariances)
    # Equal scores have no edges and no gradient: start from random ones.
    if generator is not None:
        nn.init.uniform_(prior.scores, 0.0, 1.0, generator=generator)
    weights = modality_weights and torch.tensor(modality_weights, dtype=torch.float32).double()
    model = MultimodalVAE(
        encoders,
        networks,
        prior,
        shapes,
        weights,
        prior_expert,
        sampled_responsibilities,
    )
    model.name_modalities(names)
    model.to(getattr(torch, np.dtype(dtype).name))
    return model if stand_ins else start_cluster_decoders(model, decoders)


@torch.no_grad()
def start_cluster_decoders(model: MultimodalVAE, decoders: Sequence) -> MultimodalVAE:
    """Give every cell its own copy of a network that stood in for those of all cells.

    ``decoders`` are the estimator's, one per modality.
    """
    for m, entry in enumerate(decoders):
        if isinstance(entry, str) and entry.startswith("cluster_"):
            cells = ClusterDecoder(model.decoders[m], len(model.prior.means))
            cells.to(model.prior.means).log_variances.fill_(model.log_variances[m])
            model.decoders[m] = cells
    return model


def _build(
    entry: nn.Module | str | Callable | None,
    what: str,
    shape: tuple[int, ...],
    latent_dim: int,
    hidden_layer_sizes: tuple[int, ...],
    linear: bool,
    generator: torch.Generator | None,
) -> nn.Module:
    """Return one encoder or decoder; a module of the user's is copied."""
    decodes = what.startswith("decoders")
    if entry is None or (isinstance(entry, str) and entry.endswith("mlp")):
        mlp = MLPDecoder if decodes else MLPEncoder
        return mlp(shape, latent_dim, hidden_layer_sizes, generator, linear)
    if isinstance(entry, str):
        return (ConvDecoder if decodes else ConvEncoder)(shape, latent_dim, generator, linear)
    if isinstance(entry, nn.Module):
        return copy.deepcopy(entry)
    seed = 0 if generator is None else int(torch.randint(2**31, (), generator=generator))
    with seeded_modules(torch.device("cpu"), seed):  # its draws are not the caller's
        try:
            module = entry(shape, latent_dim)
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
    return module
