"""What parameters and data together determine, before anything is trained."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from .._data.interventions import Interventions, add_known, check_interventions
from .._data.known_nodes import check_known_nodes
from .._data.sample_weight import TrainingRows, training_rows
from .._data.scaling import ModalityScaler
from .._data.table_labels import check_node_columns
from .._data.validation import Modalities
from .._structure.settings import GraphSettings, graph_settings
from .experts import resolve_experts
from .parameters import (
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
from .spec import ModelSpec


class Setup(NamedTuple):
    """What parameters and data together determine; samples are the rows trained on."""

    spec: ModelSpec
    temperatures: np.ndarray
    shrinkage: float
    device: torch.device
    graph: GraphSettings
    scaler: ModalityScaler
    known_nodes: np.ndarray | None = None  # (sample, node), -1 where unknown
    interventions: Interventions | None = None
    rows: TrainingRows | None = None  # None where all rows of X are trained on as they are

    @property
    def module_device(self) -> torch.device | None:
        """Where user modules draw from PyTorch's own generators; None if there are none.

        The library's networks draw from none of them.
        """
        return self.device if self.spec.has_own_modules else None

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

    @property
    def weights(self) -> np.ndarray | None:
        """For how many samples each row counts; None where all count for one."""
        return None if self.rows is None else self.rows.weights

    def take(self, rows: np.ndarray) -> Setup:
        """Return what is known of the samples with the given numbers, all else as it is."""
        interventions = self.interventions
        return self._replace(
            known_nodes=_known_of(self.known_nodes, rows),
            interventions=None if interventions is None else interventions.take(rows),
        )


def set_up(
    params: Any,
    modalities: Modalities,
    known_nodes: Any,
    interventions: Any,
    sample_weight: Any = None,
    scaler: ModalityScaler | None = None,
) -> tuple[Setup, Modalities]:
    """Resolve the estimator's parameters, from :func:`flat_parameters`, for this data.

    Returns the data, too, as it is to be trained on. Without a ``scaler`` one is fitted to it.
    """
    node_sizes = check_node_sizes(params.node_sizes)
    latent_dim = resolve_latent_dim(params.latent_dim, node_sizes)
    names = check_node_names(params.node_names, len(node_sizes))
    n_samples = modalities.n_samples
    check_node_columns(known_nodes, names, "known_nodes")
    known = check_known_nodes(known_nodes, n_samples, node_sizes)
    interventions = check_interventions(interventions, n_samples, node_sizes, names)
    known = add_known(known, interventions, names)
    rows, modalities, known, interventions = _counted(
        modalities, known, interventions, sample_weight
    )
    weights = None if rows is None else rows.weights
    n_samples = n_samples if rows is None else rows.total
    setup = Setup(
        spec=_model_spec(params, modalities, node_sizes, latent_dim, names),
        scaler=scaler or ModalityScaler.fit(modalities, params.scale, weights),
        temperatures=resolve_temperatures(params.temperature, params.max_iter),
        shrinkage=resolve_shrinkage(params.covariance_shrinkage, n_samples, node_sizes, latent_dim),
        device=resolve_device(params.device),
        graph=graph_settings(params, names),
        known_nodes=known,
        interventions=interventions,
        rows=rows,
    )
    return setup, modalities


def _model_spec(
    params: Any,
    modalities: Modalities,
    node_sizes: tuple[int, ...],
    latent_dim: int,
    node_names: list[str],
) -> ModelSpec:
    """Return what is to be built; which modules of the user's return variances shows later."""
    names, shapes = modalities.names, modalities.shapes
    encoders = per_modality(params.encoders, names, "encoders")
    decoders = per_modality(params.decoders, names, "decoders")
    dtype = getattr(torch, modalities.dtype.name)
    experts = resolve_experts(
        params.experts, decoders, names, shapes, node_sizes, node_names, dtype
    )
    predicted = params.decoder_variance == "predicted"
    return ModelSpec(
        node_sizes=node_sizes,
        node_names=tuple(node_names),
        latent_dim=latent_dim,
        modality_names=names,
        shapes=shapes,
        encoders=encoders,
        decoders=decoders,
        experts=experts,
        hidden_layer_sizes=check_hidden_layer_sizes(params.hidden_layer_sizes),
        linear=params.init != "paper",
        full_covariances=params.covariance_type in ("full", "tied"),
        modality_weights=resolve_modality_weights(params.modality_weights, modalities.widths),
        prior_expert=bool(params.prior_expert),
        sampled_responsibilities=params.responsibilities == "sample",
        dtype=modalities.dtype.name,
        predict_variances=tuple(
            predicted and expert is None and entry in (None, "mlp", "conv")
            for entry, expert in zip(decoders, experts, strict=True)
        ),
    )


def _counted(
    modalities: Modalities,
    known: np.ndarray | None,
    interventions: Interventions | None,
    sample_weight: Any,
) -> tuple[TrainingRows | None, Modalities, np.ndarray | None, Interventions | None]:
    """Return which rows are trained on, and these rows of everything."""
    tables = [] if known is None else [known]
    if interventions is not None:
        tables.append(interventions.is_set)
    rows = training_rows(modalities, sample_weight, tables)
    if rows is None:
        return None, modalities, known, interventions
    modalities = modalities.take(rows.rows)
    for name, present in zip(modalities.names, modalities.observed, strict=True):
        if not present.any():
            raise ValueError(
                f"modality {name!r} is missing (NaN) in all samples of positive weight: leave it "
                "out of fit."
            )
    if interventions is not None:
        interventions = interventions.take(rows.rows).without_unused()
    return rows, modalities, _known_of(known, rows.rows), interventions


def _known_of(known: np.ndarray | None, rows: np.ndarray) -> np.ndarray | None:
    """Return the known outcomes of some samples; None where nothing is known."""
    return None if known is None or not (known[rows] >= 0).any() else known[rows]
