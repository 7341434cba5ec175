"""The setup of a fit: what parameters and data determine together, before training."""

from __future__ import annotations

import math
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

import networkx as nx
import torch
from numpy.typing import ArrayLike

from .._base.parameter_objects import GradientStructure, MeanField, ScoreSearch
from .._base.types import Unchecked, Values
from .._clustering.node_sizes import check_enough_samples, check_node_names, check_node_sizes
from .._contexts.fitted import NO_CONTEXTS, FittedContexts
from .._contexts.offsets import find_contexts
from .._data.known_nodes import outcome_names
from .._data.samples import FitSamples, read_samples
from .._data.scaling import ModalityScaler, resolve_scale
from .._data.validation import Modalities
from .._structure.constraints import edge_constraints
from .._structure.settings import GraphSettings, graph_settings
from ..functional import covariance_type_named
from .build import named_network, warn_of_channels_first
from .experts import column_layouts, resolve_experts, resolve_views
from .left_open import LeftOpen, Side, TriedSide, tables_of_own_scale, what_is_left_open
from .parameters import (
    check_contexts,
    check_hidden_layer_sizes,
    check_same_contexts,
    check_steps,
    need_for_double,
    per_modality,
    resolve_device,
    resolve_latent_dim,
    resolve_modality_weights,
    resolve_shrinkage,
    resolve_temperatures,
)
from .settings import LastFit, MixtureSettings, Schedule, TrainingSettings, schedule
from .spec import ModelSpec, Network, tables_of_numbers
from .stated import Parameters
from .surroundings import seeded_modules


@dataclass(frozen=True, kw_only=True)
class Setup:
    """What parameters and data together determine, before anything is trained.

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
    left_open : LeftOpen
        What of the specification is to be decided by the data.
    contexts : FittedContexts, default=NO_CONTEXTS
        Contexts, whose offsets the samples are without.
    tables : tuple of int, default=()
        Modalities that are tables of numbers alone.
    tried : tuple of TriedSide, default=()
        By what it was decided.
    """

    spec: ModelSpec
    training: TrainingSettings
    graph: GraphSettings
    scaler: ModalityScaler
    scale: list[str | None]
    device: torch.device
    resumable: bool
    left_open: LeftOpen
    contexts: FittedContexts = NO_CONTEXTS
    tables: tuple[int, ...] = ()
    tried: tuple[TriedSide, ...] = ()

    @property
    def components(self) -> str:
        """What clusters were sought in (see :class:`TriedSide`)."""
        return next((trial.components for trial in self.tried if trial.is_taken), "principal")

    @property
    def side(self) -> Side:
        """From where clusters were found; tables of numbers may be trained by other weights."""
        spec = self.spec
        stated = Side(weights=spec.modality_weights, views=spec.views)
        return next((trial.side for trial in self.tried if trial.is_taken), stated)

    @property
    def module_device(self) -> torch.device | None:
        """Where user modules draw from PyTorch's own generators; None if there are none.

        The library's networks draw from none of them.
        """
        networks = (*self.spec.encoders, *self.spec.decoders)
        has_own = any(network is not None and not isinstance(network, str) for network in networks)
        return self.device if has_own else None

    def seeded(self, seed: int) -> AbstractContextManager[None]:
        """Return a context in which user modules draw from a seed of their own."""
        return seeded_modules(self.module_device, seed, self.training.device.compile)

    @property
    def units(self) -> list[tuple]:
        """Per modality what is taken from it and what it is divided by."""
        return list(zip(self.scaler.centre, self.scaler.factor, strict=True))


def set_up(
    params: Parameters,
    modalities: Modalities,
    known_nodes: Unchecked = None,
    interventions: Unchecked = None,
    sample_weight: ArrayLike | None = None,
    kept: LastFit | None = None,
) -> tuple[Setup, FitSamples]:
    """Resolve the estimator's parameters, from :func:`parameters_of`, for this data.

    Returns the samples, too, as they are to be trained on, without the offsets of their contexts.
    A fit that is continued keeps what was ``kept`` of the last one.
    """
    node_sizes = check_node_sizes(params.node_sizes)
    names = check_node_names(params.node_names, len(node_sizes))
    nodes = dict(zip(names, node_sizes, strict=True))
    is_of_these = kept is not None and len(kept.dag) == len(node_sizes)  # else told later
    labels = outcome_names(kept.dag) if kept is not None and is_of_these else None
    if params.contexts:
        check_contexts(params, modalities, nodes, interventions is not None)
    with modalities.ranks.together():
        known = (known_nodes, interventions, sample_weight, nodes, labels)
        samples = read_samples(modalities, *known, outliers=_outliers(params))
    modalities = samples.modalities
    modalities.ranks.agree(lambda: {"the labels": repr(samples.knowledge.outcome_names)})
    if kept is None:
        check_enough_samples(node_sizes, max(samples.n_rows, samples.total))
    n_features = sum(modalities.widths)
    latent_dim = resolve_latent_dim(params, node_sizes, n_features, samples.core_total)
    spec = _model_spec(params, modalities, node_sizes, latent_dim, names)
    spec = replace(spec, layouts=column_layouts(params, modalities, spec))
    with_experts = {m for m, expert in enumerate(spec.experts) if expert is not None}
    contexts = NO_CONTEXTS if kept is None else kept.contexts
    if kept is not None:
        check_same_contexts(params, contexts.stated)
    elif params.contexts:
        unshifted = with_experts | {
            m for m, layout in enumerate(spec.layouts) if layout is not None
        }
        given = (node_sizes, params.scale, unshifted)
        contexts = find_contexts(params.contexts, samples, *given)
    samples = contexts.removed_from(samples)
    modalities = samples.modalities
    spec = replace(spec, mix_sizes=contexts.sizes, causes=contexts.causes)
    adds_up = params.init.method != "paper" and len(node_sizes) > 1  # effects of several nodes
    views = resolve_views(params.views, modalities, spec.experts, adds_up)
    spec = replace(spec, views=modalities.ranks.first(views))  # those that suit depend on the rows
    device = resolve_device(params.device.name, need_for_double(spec.dtype, spec.experts))
    check_steps(params.device, device, spec.dtype)
    stated = resolve_scale(params.scale, modalities.names)
    tables: tuple[int, ...] = ()
    if kept is None:
        scaler = ModalityScaler.fit(modalities, params.scale, samples.weights, with_experts)
        tables = tables_of_own_scale(params, modalities, stated, with_experts)
    else:
        scaler = kept.scaler
        spec = spec.as_decided(kept.spec)
    pairs = zip(stated, scaler.words, strict=True)
    setup = Setup(
        spec=spec,
        scaler=scaler,
        scale=[taken if word == "auto" else word for word, taken in pairs],
        training=_training_settings(params, samples, node_sizes, latent_dim),
        device=device,
        graph=_graph_settings(params, names),
        resumable=bool(params.warm_start),
        contexts=contexts,
        left_open=what_is_left_open(params, modalities, spec, tables),
        tables=tables_of_numbers(spec, modalities),
    )
    return setup, samples


def as_built(params: Parameters, built: ModelSpec) -> Parameters:
    """Return parameters for a fit that goes on: what was left to the data stays as it came out."""
    kept: Values = {}
    if params.latent_dim is None:
        kept["latent_dim"] = built.latent_dim
    if isinstance(params.views, str) and params.init.method != "paper":
        kept["views"] = built.views
    if isinstance(params.modality_weights, str) and params.modality_weights == "auto":
        weights = built.modality_weights
        kept["modality_weights"] = "balanced" if weights is None else weights
    return replace(params, **kept)


def with_total(setup: Setup, shrinkage: float | str, n_samples: float) -> Setup:
    """Return a setup whose shrinkage, if it is left to the data, is that of so many samples."""
    spec, training = setup.spec, setup.training
    resolved = resolve_shrinkage(shrinkage, n_samples, spec.node_sizes, spec.latent_dim)
    mixture = replace(training.mixture, shrinkage=resolved)
    return replace(setup, training=replace(training, mixture=mixture))


def _model_spec(
    params: Parameters,
    modalities: Modalities,
    node_sizes: tuple[int, ...],
    latent_dim: int,
    node_names: list[str],
) -> ModelSpec:
    """Return what is to be built; which modules of the user's return variances shows later."""
    names, shapes = modalities.names, modalities.shapes
    encoders = per_modality(params.encoders, names, "encoders")
    decoders = per_modality(params.decoders, names, "decoders")
    warn_of_channels_first(names, shapes, encoders, decoders)
    predicted = params.decoder_variance == "predicted"
    mean_field = params.posterior if isinstance(params.posterior, MeanField) else None
    spec = ModelSpec(
        node_sizes=node_sizes,
        node_names=tuple(node_names),
        latent_dim=latent_dim,
        modality_names=names,
        shapes=shapes,
        encoders=encoders,
        decoders=decoders,
        experts=[None] * len(names),
        hidden_layer_sizes=check_hidden_layer_sizes(params.hidden_layer_sizes),
        linear=params.init.method != "paper",
        full_covariances=covariance_type_named(params.mixture.covariance_type).is_full,
        modality_weights=resolve_modality_weights(params.modality_weights, names),
        prior_expert=mean_field is None or bool(mean_field.prior_expert),
        sampled_responsibilities=mean_field is not None,
        dtype=modalities.dtype.name,
        predict_variances=(False,) * len(names),
        views=(None,) * len(names),
    )
    experts = resolve_experts(params.experts, spec)
    parts = zip(decoders, experts, modalities.columns, strict=True)
    pairs = tuple(
        predicted and expert is None and _predicts_variances(entry) and columns is None
        for entry, expert, columns in parts
    )
    return replace(spec, experts=experts, predict_variances=pairs)


def _predicts_variances(entry: Network) -> bool:
    """Return whether ``decoder_variance="predicted"`` concerns a decoder."""
    kind = named_network(entry)
    return kind is not None and not kind.per_cluster


def _training_settings(
    params: Parameters, samples: FitSamples, node_sizes: tuple[int, ...], latent_dim: int
) -> TrainingSettings:
    """Return how the model is trained on samples."""
    structure, mixture, plan = _structure(params), params.mixture, _schedule(params, samples)
    shrinkage = resolve_shrinkage(mixture.shrinkage, samples.core_total, node_sizes, latent_dim)
    return TrainingSettings(
        steps=params.training,
        mixture=MixtureSettings(mixture.covariance_type, mixture.reg_covar, shrinkage),
        initialization=params.init,
        missing_values=params.missing_values,
        device=params.device,
        schedule=plan,
        temperatures=resolve_temperatures(getattr(structure, "temperature", 1.0), plan.n_epochs),
        graph_learning_rate=structure.learning_rate,
        edge_penalty=float(structure.edge_penalty),
        decoder_variance=params.decoder_variance,
        verbose=params.verbose,
    )


def _outliers(params: Parameters) -> str:
    """Return what is done with samples that nothing else is like: the paper knows none."""
    return "keep" if params.init.method == "paper" else params.training.outliers


def _structure(params: Parameters) -> ScoreSearch | GradientStructure:
    """Return how the graph is learned; that of a given one does not matter."""
    stated = params.structure
    return stated if isinstance(stated, ScoreSearch | GradientStructure) else GradientStructure()


def _schedule(params: Parameters, samples: FitSamples) -> Schedule:
    """Return for how long these samples are to be trained on."""
    steps, n_rows = params.training, samples.n_core_rows
    n_training = n_rows - math.ceil(steps.validation_fraction * n_rows)
    sizes, method = check_node_sizes(params.node_sizes), params.init.method
    plan = schedule(
        params.max_iter,
        n_training,
        steps.batch_size,
        n_cells=math.prod(sizes),
        is_free=method != "arranged" or len(sizes) == 1,
        is_paper=method == "paper",
    )
    if params.init.pretraining_epochs != "auto":
        plan = replace(plan, pretraining_epochs=int(params.init.pretraining_epochs))
    return replace(plan, polishing_epochs=getattr(params.structure, "polishing_epochs", 0))


def _graph_settings(params: Parameters, names: list[str]) -> GraphSettings:
    """Return how the graph is selected, and what is known about it."""
    knowledge, structure = params.knowledge, _structure(params)
    edges = {"required_edges": knowledge.required, "forbidden_edges": knowledge.forbidden}
    constraints = edge_constraints(names, **edges, tiers=knowledge.tiers)
    if isinstance(structure, ScoreSearch):
        stated: str | nx.DiGraph = "refined"
        options: tuple[str, ...] = ("score", "equivalent_sample_size")
    else:
        stated = "gradient" if structure is params.structure else params.structure
        options = ("edge_threshold",)
    rule = {name: getattr(structure, name) for name in options}
    penalty = float(structure.edge_penalty)
    return graph_settings(
        names, stated, constraints, tiers=knowledge.tiers, edge_penalty=penalty, **rule
    )
