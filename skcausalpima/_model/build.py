"""From words and parameters to a model: what words for networks stand for, and what any returns."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from .._base.types import Unchecked
from .._base.warn import warn_caller
from ..modules import (
    CausalPrior,
    ClusterDecoder,
    ClusterExpert,
    ColumnDecoder,
    ConvDecoder,
    ConvEncoder,
    DerivedView,
    DerivedViews,
    MeanFieldVAE,
    MLPDecoder,
    MLPEncoder,
    MultimodalVAE,
    PaperConvDecoder,
    PaperConvEncoder,
    SampleExpert,
    StructuredVAE,
    VarianceDecoder,
)
from .spec import ModelSpec, Network
from .surroundings import own_draws, seeded_modules, with_own_draws


@dataclass(frozen=True)
class NamedNetwork:
    """What a word for a network stands for.

    Parameters
    ----------
    encoder, decoder : type
        Classes of the networks.
    is_dense : bool
        Whether they have the hidden layers that ``hidden_layer_sizes`` says.
    per_cluster : bool, default=False
        Whether each component has a last layer and a variance of its own: decoders alone.
    """

    encoder: Callable[..., nn.Module]
    decoder: Callable[..., nn.Module]
    is_dense: bool
    per_cluster: bool = False


#: All words: a new one is one more entry.
NETWORKS = {
    "mlp": NamedNetwork(MLPEncoder, MLPDecoder, is_dense=True),
    "conv": NamedNetwork(ConvEncoder, ConvDecoder, is_dense=False),
    "conv_paper": NamedNetwork(PaperConvEncoder, PaperConvDecoder, is_dense=False),
}
NETWORKS |= {f"cluster_{word}": replace(kind, per_cluster=True) for word, kind in NETWORKS.items()}
#: Numbers of channels that images usually have.
CHANNELS = (1, 2, 3, 4)
#: What None stands for.
DEFAULT_NETWORK = "mlp"
#: The words that each parameter takes.
NETWORK_WORDS = {
    "encoders": tuple(word for word, kind in NETWORKS.items() if not kind.per_cluster),
    "decoders": tuple(NETWORKS),
}


def warn_of_channels_first(
    names: Sequence[str],
    shapes: Sequence[tuple[int, ...]],
    encoders: Sequence[Unchecked],
    decoders: Sequence[Unchecked],
) -> None:
    """Warn where images that are to be convolved seem to have their channels first."""
    for name, shape, *entries in zip(names, shapes, encoders, decoders, strict=True):
        kinds = [named_network(entry) for entry in entries]
        if not any(kind is not None and not kind.is_dense for kind in kinds):
            continue
        if len(shape) == 3 and shape[0] in CHANNELS and shape[0] < min(shape[1:]):
            warn_caller(
                f"modality {name!r} has samples of shape {shape}, which 'conv' takes for "
                f"{shape[0]} x {shape[1]} pixels with {shape[2]} channels each: if the channels "
                "come first, move them, by np.moveaxis(array, 1, -1)."
            )


def named_network(entry: Unchecked) -> NamedNetwork | None:
    """Return what an entry of ``encoders`` or ``decoders`` stands for; None for code of the user's.

    Examples
    --------
    >>> from skcausalpima._model.build import named_network
    >>> named_network(None).decoder.__name__, named_network("cluster_conv").per_cluster
    ('MLPDecoder', True)
    """
    word = DEFAULT_NETWORK if entry is None else entry
    return NETWORKS[word] if isinstance(word, str) else None


def check_modules(model: MultimodalVAE) -> None:
    """Raise where an encoder or decoder returns something else than it must.

    A decoder that returns a pair, means and log-variances, predicts variances from then on.
    """
    dtype, latent_dim = model.prior.means.dtype, model.prior.means.shape[1]
    model.eval()
    for m, (name, shape) in enumerate(zip(model.names, model.shapes, strict=True)):
        images = torch.zeros(2, *shape, dtype=dtype)  # what stands in the places of missing samples
        trial = _Trial(model.encoders[m], f"encoders[{name!r}]", images)
        trial.check_shapes((trial.output,), (2, 2 * latent_dim))
        # A decoder need not work at 0.
        points = torch.linspace(-1.0, 1.0, 2 * latent_dim, dtype=dtype).reshape(2, latent_dim)
        network = model.decoders[m].unwrapped
        trial = _Trial(network, f"decoders[{name!r}]", points.requires_grad_())
        is_pair = isinstance(trial.output, tuple) and len(trial.output) == 2
        parts = trial.output if is_pair else (trial.output,)
        also = ", or a pair of such tensors, means and log-variances"
        trial.check_shapes(parts, (2, *shape), also)
        trial.check_values(parts)
        if is_pair and model.decoders[m].keeps_variance:
            raise ValueError(
                f"decoders[{name!r}] returns a pair, means and log-variances, but columns of this "
                "modality are no numbers: return one tensor."
            )
        if is_pair:
            model.predict_variances(m)


class _Trial:
    """One module on two samples."""

    def __init__(self, module: nn.Module, what: str, entries: Tensor) -> None:
        self.module, self.what, self.entries = module, what, entries
        self.returned = f"{what}, {type(module).__name__}, returned"
        try:
            with torch.set_grad_enabled(entries.requires_grad):
                self.output = module(entries)
        except Exception as error:
            raise ValueError(
                f"{what} raised {type(error).__name__} on an input of shape "
                f"{tuple(entries.shape)}: {error}"
            ) from error

    def check_shapes(self, parts: tuple, shape: tuple[int, ...], also: str = "") -> None:
        """Raise where a part is no floating tensor of the shape."""
        if not all(isinstance(p, Tensor) and tuple(p.shape) == shape for p in parts):
            raise ValueError(
                f"{self.what} must map {tuple(self.entries.shape)} to a tensor of shape "
                f"{shape}{also}, got {_described(self.output)} from {type(self.module).__name__}."
            )
        for part in parts:
            if not part.is_floating_point():
                dtype = self.entries.dtype
                raise TypeError(
                    f"{self.returned} {part.dtype} for an input of {dtype}: expected {dtype}."
                )

    def check_values(self, parts: tuple[Tensor, ...]) -> None:
        """Raise where values are not finite, or have no gradient."""
        if not all(torch.isfinite(part).all() for part in parts):
            raise ValueError(
                f"{self.returned} values that are not finite for latent points between -1 and 1: "
                "start it where its output is finite."
            )
        if not parts[0].requires_grad:
            raise ValueError(
                f"{self.returned} values without gradient: compute them by torch operations "
                "alone, without detach, item or NumPy."
            )


def _described(output: Unchecked) -> str:
    """Say in words what came out of a module."""
    if isinstance(output, Tensor):
        return str(tuple(output.shape))
    if isinstance(output, tuple):
        return f"tuple of {len(output)}: {', '.join(map(_described, output))}"
    return type(output).__name__


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
    sizes = (spec.latent_dim, spec.hidden_layer_sizes, generator)
    kinds = enumerate(zip(spec.views, shapes, strict=True))
    model.views = DerivedViews(
        {str(m): DerivedView(kind, shape, *sizes) for m, (kind, shape) in kinds if kind is not None}
    )
    model.linear_modalities, model.by_decoders = spec.linear_modalities, spec.by_decoders
    model.noiseless = spec.noiseless
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


def export_state(model: nn.Module) -> dict[str, np.ndarray]:
    """Return parameters and buffers as NumPy arrays that share nothing with the model."""
    return {
        name: tensor.detach().cpu().numpy().copy() for name, tensor in model.state_dict().items()
    }


def load_state(model: nn.Module, state: dict[str, np.ndarray]) -> None:
    """Put arrays from :func:`export_state` into a model of the same make."""
    # np.array copies: a memory-mapped, read-only array must not reach torch.
    model.load_state_dict(
        {name: torch.from_numpy(np.array(array)) for name, array in state.items()}
    )
