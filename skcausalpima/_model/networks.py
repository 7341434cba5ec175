"""The words for networks, as the estimator takes them, and what each stands for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from torch import nn

from .._typing import Unchecked
from .._warnings import warn_caller
from ..modules import ConvDecoder, ConvEncoder, MLPDecoder, MLPEncoder


@dataclass(frozen=True, kw_only=True)
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


_MLP = NamedNetwork(encoder=MLPEncoder, decoder=MLPDecoder, is_dense=True)
_CONV = NamedNetwork(encoder=ConvEncoder, decoder=ConvDecoder, is_dense=False)
#: All words: a new one is one more entry.
NETWORKS = {
    "mlp": _MLP,
    "conv": _CONV,
    "cluster_mlp": replace(_MLP, per_cluster=True),
    "cluster_conv": replace(_CONV, per_cluster=True),
}
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
