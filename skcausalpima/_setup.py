"""What parameters and data together determine, before anything is trained."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ._expert_setup import resolve_experts
from ._graph_knowledge import Interventions, add_known, check_interventions, graph_settings
from ._graph_learning import GraphSettings
from ._known_nodes import check_known_nodes
from ._modalities import Modalities
from ._parameters import (
    check_hidden_layer_sizes,
    check_node_names,
    check_node_sizes,
    per_modality,
    resolve_device,
    resolve_latent_dim,
    resolve_modality_weights,
    resolve_shrinkage,
    resolve_temperatures,
)
from ._scaling import ModalityScaler


class Setup(NamedTuple):
    """What parameters and data together determine."""

    node_sizes: tuple[int, ...]
    latent_dim: int
    names: tuple[str, ...]
    shapes: tuple[tuple[int, ...], ...]
    encoders: list
    decoders: list
    hidden_layer_sizes: tuple[int, ...]
    modality_weights: tuple[float, ...] | None
    temperatures: np.ndarray
    shrinkage: float
    dtype: np.dtype
    device: torch.device
    graph: GraphSettings
    node_names: tuple[str, ...]
    experts: list
    scaler: ModalityScaler
    known_nodes: np.ndarray | None = None  # (sample, node), -1 where unknown
    interventions: Interventions | None = None

    @property
    def units(self) -> list[tuple]:
        """Per modality what is taken from it and what it is divided by."""
        return list(zip(self.scaler.centre, self.scaler.factor, strict=True))

    @property
    def regimes(self) -> list[tuple[int, ...]]:
        """The different sets of nodes that were set from outside."""
        return [()] if self.interventions is None else self.interventions.regimes

    @property
    def regime_numbers(self) -> Tensor | None:
        """Number of each sample's regime, of shape (1, n_samples); None where no node was set."""
        if self.interventions is None:
            return None
        return torch.from_numpy(self.interventions.numbers)[None]


def set_up(
    params: Any,
    modalities: Modalities,
    known_nodes: Any,
    interventions: Any,
    scaler: ModalityScaler | None = None,
) -> Setup:
    """Resolve the estimator's parameters, attributes of ``params``, for this data.

    Without a ``scaler`` one is fitted to it.
    """
    node_sizes = check_node_sizes(params.node_sizes, params.max_components)
    latent_dim = resolve_latent_dim(params.latent_dim, node_sizes)
    n_samples = modalities.n_samples
    names = check_node_names(params.node_names, len(node_sizes))
    known = check_known_nodes(known_nodes, n_samples, node_sizes)
    interventions = check_interventions(interventions, n_samples, node_sizes, names)
    modules = {
        which: per_modality(getattr(params, which), modalities.names, which)
        for which in ("encoders", "decoders")
    }
    in_data = (modalities.names, modalities.shapes)
    experts = resolve_experts(params.experts, modules["decoders"], *in_data, node_sizes, names)
    return Setup(
        node_sizes=node_sizes,
        latent_dim=latent_dim,
        names=modalities.names,
        shapes=modalities.shapes,
        **modules,
        experts=experts,
        scaler=scaler or ModalityScaler.fit(modalities, params.scale),
        node_names=tuple(names),
        hidden_layer_sizes=check_hidden_layer_sizes(params.hidden_layer_sizes),
        modality_weights=resolve_modality_weights(params.modality_weights, modalities.widths),
        temperatures=resolve_temperatures(params.temperature, params.max_iter),
        shrinkage=resolve_shrinkage(params.covariance_shrinkage, n_samples, node_sizes, latent_dim),
        dtype=modalities.dtype,
        device=resolve_device(params.device),
        graph=graph_settings(params, names),
        known_nodes=add_known(known, interventions, names),
        interventions=interventions,
    )


def architecture(params: Any, setup: Setup) -> dict:
    """Return what :func:`build_model` needs to build the model, and to build it again."""
    return {
        "node_sizes": setup.node_sizes,
        "latent_dim": setup.latent_dim,
        "names": setup.names,
        "shapes": setup.shapes,
        "encoders": setup.encoders,
        "decoders": setup.decoders,
        "experts": setup.experts,
        "node_names": setup.node_names,
        "hidden_layer_sizes": setup.hidden_layer_sizes,
        "linear": params.init != "paper",
        "full_covariances": params.covariance_type in ("full", "tied"),
        "modality_weights": setup.modality_weights,
        "prior_expert": params.prior_expert,
        "sampled_responsibilities": params.responsibilities == "sample",
        "dtype": setup.dtype,
    }
