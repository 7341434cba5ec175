"""The estimator's parameters: what each may be, and what the words among them stand for."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

import networkx as nx
import numpy as np
import torch

from .._base.grid import n_effects
from .._base.parameter_objects import (
    CLUSTERER,
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
from .._base.scalar_checks import JOBS, POSITIVE, SEQUENCE, InstanceOf, count
from .._base.scikit_learn import StrOptions
from .._base.types import Unchecked
from .._data.column_kinds import LIKELIHOODS
from .._data.on_disk import OnDisk
from .._data.selection_keys import entries_of
from .._data.validation import Modalities
from ..functional import COVARIANCE_TYPES
from .build import NETWORK_WORDS
from .stated import Parameters
from .surroundings import SINGLE_ONLY

#: Contexts and nodes together: the graph of both is searched.
MAX_WITH_CONTEXTS = 12

#: Latent dimensions of one node, and those of a grid for what is no factor.
ONE_NODE_DIM, SPARE_DIMENSIONS = 6, 3

#: Samples for each dimension that these ask for.
SAMPLES_OF_ONE_NODE, SAMPLES_OF_GRID = 20, 250


PARAMETER_CONSTRAINTS: dict[str, list] = {
    "node_sizes": [*SEQUENCE, dict, count(1)],
    "latent_dim": [count(1), None],
    "experts": [*SEQUENCE, dict, None],
    "encoders": [StrOptions(set(NETWORK_WORDS["encoders"])), *SEQUENCE, dict, None],
    "decoders": [StrOptions(set(NETWORK_WORDS["decoders"])), *SEQUENCE, dict, None],
    "hidden_layer_sizes": SEQUENCE,
    "mixture": [StrOptions(set(COVARIANCE_TYPES)), InstanceOf(Mixture)],
    "posterior": [StrOptions({"structured", "mean_field"}), InstanceOf(MeanField)],
    "decoder_variance": [StrOptions({"auto", "learned", "predicted"}), POSITIVE],
    "likelihoods": [StrOptions({"auto", *LIKELIHOODS}), *SEQUENCE, dict],
    "scale": [StrOptions({"auto", "modality", "feature"}), *SEQUENCE, dict, None],
    "modality_weights": [StrOptions({"auto", "elements", "balanced"}), *SEQUENCE, dict],
    "views": [StrOptions({"auto"}), *SEQUENCE, dict, None],
    "missing_values": [StrOptions({"marginalize", "error"}), InstanceOf(MissingValues)],
    "init": [
        StrOptions({"arranged", "linear", "paper"}),
        InstanceOf(Initialization),
        CLUSTERER,
    ],
    "training": [InstanceOf(Training), None],
    "max_iter": [StrOptions({"auto"}), count(1)],
    "structure": [
        StrOptions({"refined", "gradient"}),
        InstanceOf(nx.DiGraph, "networkx"),
        InstanceOf(ScoreSearch),
        InstanceOf(GradientStructure),
    ],
    "knowledge": [InstanceOf(BackgroundKnowledge), None],
    "contexts": [str, InstanceOf(Context), *SEQUENCE, None],
    "n_init": [count(1)],
    "n_jobs": [JOBS, None],
    "warm_start": ["boolean"],
    "device": [str, InstanceOf(Device)],
    "random_state": ["random_state"],
    "verbose": ["verbose"],
}


def check_contexts(
    params: Parameters, modalities: Modalities, nodes: Mapping[str, int], has_sets: bool
) -> None:
    """Check that a fit can have contexts, given the other parameters."""
    names = [context.name for context in params.contexts]
    for name in names:
        if name in nodes:
            raise ValueError(f"{name!r} is a context and a node: give one of them another name.")
    together = len(names) + len(nodes)
    if together > MAX_WITH_CONTEXTS:
        raise ValueError(
            f"{len(names)} contexts and {len(nodes)} nodes are {together} together, more than "
            f"{MAX_WITH_CONTEXTS}: leave some out."
        )
    stated: dict[str, bool] = {
        "modalities on disk: read them, as by numpy.array, or reduce them first": any(
            isinstance(array, OnDisk) for array in modalities.arrays
        ),
        "interventions, unless all have mix=False (labels were given at random); else make the "
        "nodes that were set in a sample a label of Context(.., role='cause', shift=[])": has_sets
        and any(context.mix for context in params.contexts),
        "posterior='mean_field', whose cells have the same weights in all samples: leave posterior "
        "as it is (published() sets it)": isinstance(params.posterior, MeanField),
        "structure='gradient', which learns the graph through weights that all samples share: use "
        "structure='refined'": isinstance(params.structure, GradientStructure),
    }
    causes = [context for context in params.contexts if context.role == "cause"]
    for what, is_stated in stated.items():
        if is_stated:
            raise ValueError(f"contexts do not go with {what}.")
    if any(not context.mix for context in causes):
        raise ValueError(
            f"the context {causes[0].name!r} has role='cause' and mix=False, but a cause changes "
            "how frequent cells are: leave one of them out."
        )
    if causes and isinstance(params.structure, nx.DiGraph):
        raise ValueError(
            f"the context {causes[0].name!r} has role='cause', so that its edges are searched, but "
            "structure is a graph of the nodes: use structure='refined', and knowledge= for edges "
            "that are known."
        )


def check_same_contexts(params: Parameters, before: Mapping[str, tuple[str, bool]]) -> None:
    """Check that a fit that goes on has the contexts of before, of the same roles and mixes."""
    stated = {context.name: (context.role, bool(context.mix)) for context in params.contexts}
    if stated != dict(before):
        raise ValueError(
            f"a fit that goes on keeps its contexts, which were {dict(before)} (role, mix), but "
            f"contexts states {stated}: leave them as they were, or start afresh."
        )


def check_hidden_layer_sizes(hidden_layer_sizes: Sequence[int]) -> tuple[int, ...]:
    """Return the hidden layer sizes as positive integers."""
    sizes = list(hidden_layer_sizes)
    if not all(map(count(1).is_satisfied_by, sizes)):
        raise ValueError(f"hidden_layer_sizes must hold positive integers, got {sizes}.")
    return tuple(int(size) for size in sizes)


def resolve_latent_dim(
    params: Parameters, node_sizes: Sequence[int], n_features: int, n_samples: float
) -> int:
    """Return the dimension of the latent space.

    The cells of a grid differ along the effects of the nodes. Where there are samples enough, it
    has some more dimensions: what is no factor must not take the place of one. The clusters of one
    node may differ in directions of little variance, which the first principal components do not
    show. More than any of these ask for are refused if samples do not have as many elements.
    """
    least = n_effects(node_sizes)
    if params.latent_dim is not None:
        most = max(n_features, least + SPARE_DIMENSIONS, ONE_NODE_DIM)
        if params.latent_dim > most:
            raise ValueError(
                f"latent_dim is {params.latent_dim}, but a sample has {n_features} elements in all "
                f"modalities together, and the nodes ask for {least} dimensions: more hold nothing "
                f"and only take time. Use at most {most}, or leave latent_dim at None."
            )
        return int(params.latent_dim)
    if params.init.method == "paper":
        return least
    if len(node_sizes) > 1:
        wanted = least + SPARE_DIMENSIONS
        room = wanted if n_samples >= SAMPLES_OF_GRID * wanted else least
    else:
        wanted, room = ONE_NODE_DIM, int(n_samples // SAMPLES_OF_ONE_NODE)
    return max(least, min(wanted, room, n_features))


def resolve_shrinkage(
    shrinkage: float | str, n_samples: float, node_sizes: Sequence[int], latent_dim: int
) -> float:
    """Return how many samples the pooled covariance counts for in each component's own.

    The clusters of a single node lie in as many dimensions as there are differences between them
    and are taken to scatter alike, as in linear discriminant analysis: one average cluster. The
    cells of a grid lie in fewer, in a latent space that bends, and differ in shape: there only two
    samples per free entry of a matrix, which keeps small clusters well conditioned.
    """
    if shrinkage != "auto":
        return float(shrinkage)
    if len(node_sizes) == 1:
        return n_samples / node_sizes[0]
    return float(latent_dim * (latent_dim + 1))


def resolve_temperatures(temperature: float | Sequence[float], max_iter: int) -> np.ndarray:
    """Return the temperature of every epoch; a pair is annealed geometrically."""
    ends = np.atleast_1d(_as_floats(temperature))
    if ends.shape not in ((1,), (2,)) or not (np.isfinite(ends) & (ends > 0)).all():
        raise ValueError(
            "structure__temperature must be a positive number, or a pair (first, last) of positive "
            f"numbers, got {temperature!r}."
        )
    return np.geomspace(ends[0], ends[-1], max_iter)


def resolve_device(device: str, needs_double: str = "") -> torch.device:
    """Return the device that a word stands for; it must be there.

    ``needs_double`` says in words why a fit needs double precision, if it does.
    """
    if device == "auto":
        kind = "mps" if torch.backends.mps.is_available() and not needs_double else "cpu"
        return torch.device("cuda" if torch.cuda.is_available() else kind)
    try:
        resolved = torch.device(device)
    except RuntimeError:
        resolved = None
    if resolved is None or (resolved.type not in ("cuda", "mps") and device != "cpu"):
        raise ValueError(
            f"device must be 'cpu', 'cuda', 'cuda:N', 'mps' or 'auto', got {device!r}."
        ) from None
    n_there = {"cpu": 1, "mps": int(torch.backends.mps.is_available())}.get(resolved.type)
    n_there = torch.cuda.device_count() if n_there is None else n_there
    if (resolved.index or 0) >= n_there:
        raise ValueError(
            f"device={device!r} is not available: PyTorch sees {n_there} {resolved.type.upper()} "
            "devices here. Use device='cpu', or 'auto' to take what is there."
        )
    if resolved.type in SINGLE_ONLY and needs_double:
        raise ValueError(
            f"device={device!r} has single precision only, but {needs_double}, or use device='cpu'."
        )
    return resolved


def check_steps(stated: Device, device: torch.device, dtype: str) -> None:
    """Raise where gradient steps cannot be computed as a :class:`Device` asks for."""
    if device.type in SINGLE_ONLY and (stated.compile or stated.autocast):
        raise ValueError(
            f"device__compile and device__autocast are for 'cpu' and 'cuda', not for "
            f"{device.type!r}: leave them out."
        )
    if stated.autocast and dtype != "float32":
        raise ValueError(
            f"device__autocast=True is for float32 data, but X is {dtype}: pass float32 arrays, "
            "such as X.astype(numpy.float32), or leave autocast out."
        )


def need_for_double(dtype: str, experts: Sequence[Unchecked]) -> str:
    """Say in words why a fit needs double precision, and what to do; nothing if it does not."""
    if dtype != "float32":
        return f"X is {dtype}: pass float32 arrays, such as X.astype(numpy.float32)"
    if any(expert is not None for expert in experts):
        return "the parameters of experts are fitted in double precision: leave experts out"
    return ""


def prediction_device(device: str | Device) -> torch.device:
    """Return where a fitted model predicts: on the CPU where its device is not, or is single."""
    name = device.name if isinstance(device, Device) else device
    if str(name).startswith("mps"):
        return torch.device("cpu")
    return resolve_device(name if torch.cuda.is_available() else "cpu", "to predict")


def resolve_modality_weights(
    modality_weights: str | Sequence[float] | Mapping[str, float], names: Sequence[str]
) -> tuple[float, ...] | None:
    """Return the factor of every modality's log-likelihood in training, None for balanced ones."""
    if isinstance(modality_weights, str):
        return (1.0,) * len(names) if modality_weights == "elements" else None
    if isinstance(modality_weights, Mapping):
        if set(modality_weights) != set(names):
            raise ValueError(
                f"modality_weights names the modalities {list(modality_weights)}, but X has "
                f"{list(names)}: name each of them, and no other."
            )
        modality_weights = [modality_weights[name] for name in names]
    weights = _as_floats(modality_weights)
    if weights.shape != (len(names),) or not (np.isfinite(weights) & (weights > 0)).all():
        raise ValueError(
            f"modality_weights must be 'auto', 'elements', 'balanced' or {len(names)} positive "
            f"numbers, one per modality, got {modality_weights!r}."
        )
    return tuple(weights.tolist())


def _as_floats(values: float | Sequence[float]) -> np.ndarray:
    """Return numbers as an array; NaN, which no check lets pass, where they are not numbers."""
    try:
        given = np.asarray(values)
        return given.astype(float) if given.dtype.kind in "iufO" else np.array(np.nan)
    except (TypeError, ValueError, OverflowError):
        return np.array(np.nan)


def per_modality(
    value: Sequence | Mapping | None,
    names: Sequence[str],
    parameter: str,
    kind: str | None = "torch.nn.Module, function (shape, latent_dim) -> Module",
    accepts: Callable[[Unchecked], bool] = callable,
    words: Collection[str] | None = None,
) -> list:
    """Return one entry or None per modality from a sequence, a mapping by name, or None."""
    entries = entries_of(value, names, parameter)
    words = NETWORK_WORDS.get(parameter, ()) if words is None else words
    for name, entry in zip(names, entries, strict=True):
        known = entry in words if isinstance(entry, str) else accepts(entry)
        if not (entry is None or known):
            listed = ", ".join([*map(repr, words), *([kind] if kind else [])])
            raise TypeError(
                f"{parameter}[{name!r}] must be one of {listed} or None, got {entry!r} of type "
                f"{type(entry).__name__}."
            )
    return entries
