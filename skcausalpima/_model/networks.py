"""The words for networks, what each stands for, and what any network must return."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from .._typing import Unchecked
from .._warnings import warn_caller
from ..modules import ConvDecoder, ConvEncoder, MLPDecoder, MLPEncoder, MultimodalVAE


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
}
NETWORKS |= {f"cluster_{word}": replace(of, per_cluster=True) for word, of in NETWORKS.items()}
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
    >>> from skcausalpima._model.networks import named_network
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
