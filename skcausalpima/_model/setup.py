"""What parameters and data together determine, before anything is trained."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .._data.interventions import Interventions, add_known, check_interventions
from .._data.known_nodes import check_known_nodes
from .._data.sample_weight import TrainingRows, training_rows
from .._data.scaling import ModalityScaler, resolve_scale
from .._data.table_labels import check_node_columns
from .._data.validation import Modalities
from .._structure.constraints import edge_constraints
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
from .settings import (
    GradientSettings,
    GraphTrainingSettings,
    InitializationSettings,
    MixtureSettings,
    StoppingSettings,
    TrainingSettings,
)
from .spec import ModelSpec


@dataclass(frozen=True, kw_only=True)
class Setup:
    """What parameters and data together determine; samples are the rows trained on.

    Parameters
    ----------
    spec : ModelSpec
        What is built.
    training : TrainingSettings
        How it is trained.
    graph : GraphSettings
        How the graph is selected.
    scaler : ModalityScaler
        Units of the data.
    scale : list of str or None
        What these are, by modality.
    device : torch.device
        Where it is trained.
    resumable : bool
        Whether a later fit may go on from where this one stands.
    known_nodes : ndarray of shape (n_samples, n_nodes), default=None
        Known outcomes, -1 where unknown.
    interventions : Interventions, default=None
        Nodes that were set.
    rows : TrainingRows, default=None
        None where all rows of X are trained on as they are.
    """

    spec: ModelSpec
    training: TrainingSettings
    graph: GraphSettings
    scaler: ModalityScaler
    scale: list[str | None]
    device: torch.device
    resumable: bool
    known_nodes: np.ndarray | None = None
    interventions: Interventions | None = None
    rows: TrainingRows | None = None

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
        return replace(
            self,
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
        scale=resolve_scale(params.scale, modalities.names),
        training=_training_settings(params, n_samples, node_sizes, latent_dim),
        device=resolve_device(params.device),
        graph=_graph_settings(params, names),
        resumable=bool(params.warm_start),
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


def _training_settings(
    params: Any, n_samples: float, node_sizes: tuple[int, ...], latent_dim: int
) -> TrainingSettings:
    """Return how the model is trained; ``n_samples`` is what the rows count for."""
    shrinkage = params.covariance_shrinkage
    return TrainingSettings(
        gradient=GradientSettings(
            batch_size=params.batch_size,
            learning_rate=params.learning_rate,
            graph_learning_rate=params.graph_learning_rate,
            max_grad_norm=params.max_grad_norm,
        ),
        mixture=MixtureSettings(
            covariance_type=params.covariance_type,
            reg_covar=params.reg_covar,
            shrinkage=resolve_shrinkage(shrinkage, n_samples, node_sizes, latent_dim),
            n_updates=params.n_mixture_updates,
        ),
        graph=GraphTrainingSettings(
            temperatures=resolve_temperatures(params.temperature, params.max_iter),
            score_noise=params.score_noise,
            n_steps=params.n_graph_steps,
            edge_penalty=float(params.edge_penalty),
        ),
        stopping=StoppingSettings(
            tol=params.tol,
            n_iter_no_change=params.n_iter_no_change,
            validation_fraction=params.validation_fraction,
        ),
        initialization=InitializationSettings(
            init=params.init,
            n_mixture_init=params.n_mixture_init,
            pretraining_epochs=params.pretraining_epochs,
            kl_weight=1.0 if params.pretraining == "vae" else 0.0,
        ),
        decoder_variance=params.decoder_variance,
        polishing_epochs=params.polishing_epochs,
        verbose=params.verbose,
    )


def _graph_settings(params: Any, names: list[str]) -> GraphSettings:
    """Return how the graph is selected, and what is known about it."""
    constraints = edge_constraints(
        names,
        required_edges=params.required_edges,
        forbidden_edges=params.forbidden_edges,
        tiers=params.tiers,
    )
    return graph_settings(
        names,
        params.structure,
        constraints,
        tiers=params.tiers,
        score=params.structure_score,
        edge_penalty=params.edge_penalty,
        edge_threshold=params.edge_threshold,
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
