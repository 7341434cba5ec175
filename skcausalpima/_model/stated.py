"""What a user states: the estimator's parameters, with objects in the places of words."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import networkx as nx

from .._base.parameter_objects import (
    BackgroundKnowledge,
    Context,
    Device,
    GradientStructure,
    Initialization,
    MeanField,
    MissingValues,
    Mixture,
    ScoreSearch,
    Training,
)
from .._base.types import Seed
from .._data.scaling import Scale
from ..modules import ExpertDecoder
from .spec import StatedNetworks

#: One entry of the estimator's ``experts``.
Stated: TypeAlias = ExpertDecoder | Callable | None
#: What the estimator takes for ``experts``.
StatedExperts: TypeAlias = Sequence[Stated] | Mapping[str, Stated] | None
#: What the estimator takes for ``views``.
Views: TypeAlias = str | Sequence[str | None] | Mapping[str, str | None] | None


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """The parameters of :class:`~skcausalpima.CausalPIMA`, from :func:`.objects.parameters_of`.

    They have the estimator's names. ``structure`` is an object or a graph, ``posterior`` an object
    or "structured"; a single size is a tuple of it. ``node_names`` are those that ``node_sizes``
    has, or None; ``contexts`` is a tuple of objects. NumPy's numbers, of which torch takes some and
    refuses others, are Python's.
    """

    node_sizes: Sequence[int] | Mapping[str, int]
    node_names: list[str] | None
    latent_dim: int | None
    experts: StatedExperts
    knowledge: BackgroundKnowledge
    contexts: tuple[Context, ...]
    max_iter: int | str
    n_init: int
    random_state: Seed
    structure: nx.DiGraph | ScoreSearch | GradientStructure
    encoders: StatedNetworks
    decoders: StatedNetworks
    hidden_layer_sizes: Sequence[int]
    decoder_variance: float | str
    mixture: Mixture
    posterior: str | MeanField
    likelihoods: str | Sequence | Mapping
    scale: Scale
    modality_weights: str | Sequence[float] | Mapping[str, float]
    views: Views
    missing_values: MissingValues
    init: Initialization
    training: Training
    n_jobs: int | None
    warm_start: bool
    device: Device
    verbose: int
