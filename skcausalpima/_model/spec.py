"""The specification of a model: everything that determines it, its values aside."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import torch
from torch import nn

from .._data.column_kinds import Layout
from .._data.units import is_table
from .._data.validation import Modalities
from ..modules import ExpertDecoder

#: An encoder or decoder, as the user may give it.
Network: TypeAlias = nn.Module | str | Callable | None
#: What the estimator takes for ``encoders`` and ``decoders``.
StatedNetworks: TypeAlias = str | Sequence[Network] | Mapping[str, Network] | None


def of_another_version(what: str) -> ValueError:
    """Return the error for a pickle of another version; ``what`` says how it is seen."""
    return ValueError(
        f"This estimator was pickled by another version of skcausalpima: {what}. Unpickle it with "
        "the version that wrote it, or fit again."
    )


#: Fields of :class:`ModelSpec` that the data decide; a fit that goes on keeps them.
OF_DATA = ("linear_modalities", "by_decoders", "noiseless")


@dataclass(frozen=True, kw_only=True)
class ModelSpec:
    """The specification of a model, from which :func:`~.build.build_model` builds it.

    Parameters
    ----------
    node_sizes : tuple of int
        Number of outcomes of each node.
    node_names : tuple of str
        Their names.
    latent_dim : int
        Dimension of the latent space.
    modality_names : tuple of str
        Names of the modalities.
    shapes : tuple of (tuple of int)
        Shape of one sample of each modality.
    encoders, decoders : list of Module, str, callable or None
        One entry per modality.
    experts : list of ExpertDecoder or None
        One entry per modality.
    hidden_layer_sizes : tuple of int
        Of dense networks.
    linear : bool
        Whether networks start linear.
    full_covariances : bool
        Whether components have covariance matrices, not variances only.
    modality_weights : tuple of float or None
        Factor of each modality's log-likelihood in training; None for balanced ones.
    prior_expert : bool
        Whether the unit Gaussian is one of the experts of the posterior.
    sampled_responsibilities : bool
        Whether responsibilities are taken at a draw of z, not in expectation.
    dtype : {"float32", "float64"}
        Of all numbers of the model.
    predict_variances : tuple of bool
        Which decoders predict variances of their own.
    views : tuple of (str or None)
        Kind of each modality's derived view.
    mix_sizes : tuple of int, default=()
        Numbers of labels of the contexts whose mix of cells may differ.
    causes : tuple of int, default=()
        Which of these contexts are causes of the nodes.
    layouts : tuple of (Layout or None), default=()
        Per modality of which kind its columns are; None where all are numbers, and nothing instead
        of the tuple where they are so in all modalities.
    linear_modalities : tuple of int, default=()
        Those whose networks have nothing but noise to learn, and take shorter steps.
    by_decoders : tuple of int, default=()
        Tables whose decoders say where samples lie: all of them, if noise of one differs between
        clusters.
    noiseless : tuple of int, default=()
        Modalities that are linear in the latent point, without noise: networks stay as they begin.
    """

    node_sizes: tuple[int, ...]
    node_names: tuple[str, ...]
    latent_dim: int
    modality_names: tuple[str, ...]
    shapes: tuple[tuple[int, ...], ...]
    encoders: list[Network]
    decoders: list[Network]
    experts: list[ExpertDecoder | None]
    hidden_layer_sizes: tuple[int, ...]
    linear: bool
    full_covariances: bool
    modality_weights: tuple[float, ...] | None
    prior_expert: bool
    sampled_responsibilities: bool
    dtype: str
    predict_variances: tuple[bool, ...]
    views: tuple[str | None, ...]
    mix_sizes: tuple[int, ...] = ()
    causes: tuple[int, ...] = ()
    layouts: tuple[Layout | None, ...] = ()
    linear_modalities: tuple[int, ...] = ()
    by_decoders: tuple[int, ...] = ()
    noiseless: tuple[int, ...] = ()

    def as_decided(self, before: ModelSpec) -> ModelSpec:
        """Return the specification with what the data decided before."""
        return replace(self, **{name: getattr(before, name) for name in OF_DATA})

    @property
    def torch_dtype(self) -> torch.dtype:
        """PyTorch's name of the dtype."""
        return getattr(torch, self.dtype)


def tables_of_numbers(spec: ModelSpec, modalities: Modalities) -> tuple[int, ...]:
    """Return the modalities that are tables of numbers, and have no expert."""
    layouts = spec.layouts or (None,) * len(spec.shapes)
    others = enumerate(zip(layouts, spec.experts, strict=True))
    plain = [m for m, (layout, expert) in others if layout is None and expert is None]
    return tuple(m for m in plain if is_table(modalities, m))


def are_tables_of_numbers(spec: ModelSpec, modalities: Modalities) -> bool:
    """Return whether all modalities are tables of numbers, and none has an expert."""
    return len(tables_of_numbers(spec, modalities)) == len(spec.shapes)
