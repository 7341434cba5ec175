"""The model of a loaded file: code that the caller passes again, and whether all of it fits."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path

import numpy as np
import torch
from torch import nn

from .._model.build import build_model
from .._model.experts import VIEW_WORDS, resolve_experts
from .._model.networks import DEFAULT_NETWORK, NETWORK_WORDS, check_modules, named_network
from .._model.parameters import per_modality
from .._model.spec import ModelSpec
from .._typing import Values
from ..modules import ExpertDecoder, StructuredVAE, SubsetEncoders, layer_sizes, spatial_shape
from .plain import Code, Loaded, StoredExpert, expert_settings, pack
from .training import Arrivals, TrainingState

#: The ending of the name of a number that counts batches.
COUNTED = "num_batches_tracked"

#: What may hold code, and so may be passed to ``load``.
HOLDS_CODE = ("experts", "encoders", "decoders")


def _are_sizes(value: Loaded) -> bool:
    return type(value) is tuple and all(type(size) is int and 0 < size < 2**31 for size in value)


def _is_tuple_of(*kinds: type) -> Callable[[Loaded], bool]:
    return lambda value: type(value) is tuple and all(type(entry) in kinds for entry in value)


#: What the fields of a specification must be, by what is declared of them.
DECLARED: dict[str, Callable[[Loaded], bool]] = {
    "int": lambda value: type(value) is int and 0 < value < 2**31,
    "bool": lambda value: type(value) is bool,
    "str": lambda value: value in ("float32", "float64"),
    "tuple[int, ...]": _are_sizes,
    "tuple[str, ...]": _is_tuple_of(str),
    "tuple[bool, ...]": _is_tuple_of(bool),
    "tuple[str | None, ...]": lambda value: (
        type(value) is tuple and {*value} <= {None, *VIEW_WORDS}
    ),
    "tuple[float, ...] | None": lambda value: value is None or _is_tuple_of(float)(value),
    "tuple[tuple[int, ...], ...]": lambda v: type(v) is tuple and all(map(_are_sizes, v)),
    "list[Network]": lambda value: type(value) is list,
    "list[ExpertDecoder | None]": lambda value: type(value) is list,
}
#: Fields of it that have one entry per modality.
PER_MODALITY = ("shapes", "encoders", "decoders", "experts", "predict_variances", "views")


def _check_spec(spec: ModelSpec) -> None:
    """Raise where a specification is not what it was declared to be."""
    for field in fields(spec):
        if not DECLARED[str(field.type)](getattr(spec, field.name)):
            raise ValueError(f"spec.{field.name} is no {field.type}")
    lengths = {len(getattr(spec, name)) for name in (*PER_MODALITY, "modality_names")}
    if len(lengths) > 1 or len(spec.node_names) != len(spec.node_sizes):
        raise ValueError(f"spec has fields of unlike lengths among {PER_MODALITY}")


def check_stored(spec: ModelSpec, state: Mapping[str, np.ndarray]) -> None:
    """Raise where a stored model is none, or needs more memory than the file has numbers for it.

    Raises
    ------
    ValueError
        Before anything is built.
    """
    _check_spec(spec)
    architecture = spec.as_dict()
    for which in HOLDS_CODE:
        for entry in architecture[which]:
            kinds = (ExpertDecoder, StoredExpert, Code) if which == "experts" else Code
            known = entry is None or isinstance(entry, kinds)
            if not known and entry not in NETWORK_WORDS.get(which, ()):
                raise ValueError(f"it asks for {entry!r} in {which}, which is not ours")
    held = sum(array.size for array in state.values())
    if _least_size(architecture) > held:
        raise ValueError(f"its model is larger than the {held} numbers that it holds for it")
    for name, shape, expert in _by_modality(architecture, "experts"):
        if isinstance(expert, ExpertDecoder):
            expert.check(f"experts[{name!r}]", shape, getattr(torch, architecture["dtype"]))


def _by_modality(architecture: Values, which: str) -> Sequence[tuple]:
    """Return name, shape and entry of every modality."""
    names, shapes = architecture["modality_names"], architecture["shapes"]
    return list(zip(names, shapes, architecture[which], strict=True))


def _least_size(architecture: Values) -> int:
    """Return how many numbers the prior, experts and the library's networks hold at least."""
    grid, latent = architecture["node_sizes"], architecture["latent_dim"]
    components, full = math.prod(grid), architecture["full_covariances"]
    total = components * (len(grid) + latent * (latent if full else 1))
    if not architecture["sampled_responsibilities"]:
        total += len(architecture["shapes"]) * latent * latent  # how sharp potentials are
    for _, shape, expert in _by_modality(architecture, "experts"):
        if isinstance(expert, ExpertDecoder) and expert.scatter:
            total += components * math.prod(shape) * len(expert.free_names)
    for which, n_outputs in (("encoders", 2 * latent), ("decoders", latent)):
        for (_, shape, entry), expert in zip(
            _by_modality(architecture, which), architecture["experts"], strict=True
        ):
            replaced = which == "decoders" and expert is not None
            total += 0 if replaced else _least_network(entry, shape, n_outputs, architecture)
    return total


def _least_network(entry: Loaded, shape: tuple, n_outputs: int, architecture: Values) -> int:
    """Return how many numbers a network of the library's own holds, or fewer; 0 for code."""
    kind = named_network(entry)
    if kind is None:
        return 0
    if kind.is_dense:
        sizes = layer_sizes(math.prod(shape), architecture["hidden_layer_sizes"])
        return sum(a * b for a, b in itertools.pairwise([math.prod(shape), *sizes, n_outputs]))
    # A convolutional one narrows its input to a part of it before the dense layer.
    return math.prod(spatial_shape(shape)[0]) * n_outputs // 128


def fill(
    which: str,
    given: Loaded,
    parameters: Values,
    architecture: Values,
    file: Path,
    door: str = "load",
) -> None:
    """Put what the caller of ``door`` passes where the file has no more than the place of code.

    Raises
    ------
    ValueError
        If it is needed and not given, or does not fit the file.
    TypeError
        If an entry is of another type than the constructor takes.
    """
    if given is None:
        code = [*_code_in(parameters.get(which)), *_code_in(architecture[which])]
        if code:
            raise ValueError(
                f"{file} needs {which}: the fit had {', '.join(dict.fromkeys(code))} there, which "
                f"is code, and a file holds none. Pass {door}(path, {which}=..) what the "
                "constructor got."
            )
        return
    names, shapes = architecture["modality_names"], architecture["shapes"]
    if which == "experts":
        nodes = (architecture["node_sizes"], architecture["node_names"])
        decoders, dtype = architecture["decoders"], getattr(torch, architecture["dtype"])
        resolved = resolve_experts(given, decoders, names, shapes, *nodes, dtype)
    else:
        resolved = per_modality(given, names, which)
    for name, new, stored in zip(names, resolved, architecture[which], strict=True):
        problem = _difference(new, stored)
        if problem:
            raise ValueError(f"{which}[{name!r}] does not fit {file}: {problem}.")
    parameters[which], architecture[which] = given, resolved


def _code_in(value: Loaded) -> list[str]:
    """Return what code was in a parameter."""
    if isinstance(value, Code):
        return [value.what]
    if isinstance(value, StoredExpert):
        return [f"an expert of the parameters {value.settings['parameters']}"]
    entries = value.values() if isinstance(value, dict) else value
    if not isinstance(value, (dict, list, tuple, np.ndarray)):
        return []
    return [what for entry in entries for what in _code_in(entry)]


def _difference(new: Loaded, stored: Loaded) -> str | None:
    """Say in what an entry differs from the one of the fit, as far as that can be seen."""
    if isinstance(stored, Code):
        fits = new is not None and not isinstance(new, str)
        return None if fits else f"expected {stored.what} or its like, got {new!r}"
    if not isinstance(stored, (ExpertDecoder, StoredExpert)):
        words = (new or DEFAULT_NETWORK, stored or DEFAULT_NETWORK)
        same = type(new) in (str, type(None)) and words[0] == words[1]
        return None if same else f"expected {stored!r}, got {new!r}"
    if not isinstance(new, ExpertDecoder):
        return f"expected an expert, got {new!r}"
    now = expert_settings(new)
    before = expert_settings(stored) if isinstance(stored, ExpertDecoder) else stored.settings
    for name in sorted(set(before) - {"p0", "refit"}):  # these matter in training alone
        if not np.array_equal(before[name], now[name]):
            return f"its {name} were {before[name]}, and are {now[name]}"
    if isinstance(stored, ExpertDecoder) and pack(stored.f, _as_code) != pack(new.f, _as_code):
        return f"its model function was {stored.function_name}, and is {new.function_name}"
    return None


def _as_code(value: Loaded) -> str:
    return "code"


def check_model(
    spec: ModelSpec,
    all_numbers: Iterable[Mapping[str, np.ndarray]],
    going_on: Iterable[TrainingState | Arrivals | None],
    subset_numbers: Mapping[str, np.ndarray] | None = None,
) -> None:
    """Build the model once and raise where stored numbers, or moments, are not its own.

    Raises
    ------
    ValueError
        Says which entry of the model has another name, shape or dtype.
    """
    architecture, model = spec.as_dict(), build_model(spec)
    built = _arrays(model)
    for numbers in all_numbers:
        _compare(built, numbers, architecture)
    if subset_numbers is not None and isinstance(model, StructuredVAE):
        of_subsets = _arrays(SubsetEncoders(model))
        _compare(of_subsets, subset_numbers, architecture, "subset_numbers: ")
    elif subset_numbers is not None:
        raise ValueError("subset_numbers are of encoders that this model does not have")
    parameters = dict(model.named_parameters())
    all_moments = (of.moments.items() for of in going_on if of is not None)
    for name, kept in itertools.chain.from_iterable(all_moments):
        if name not in parameters:
            raise ValueError(f"{_readable(name, architecture)} is nothing that training changes")
        if not all(is_alike(kept[of], built[name]) for of in ("exp_avg", "exp_avg_sq")):
            raise ValueError(f"the moments of {_readable(name, architecture)} are not of its shape")
    if _code_prefixes(architecture):
        _check_code(architecture)


def _arrays(module: nn.Module) -> dict[str, np.ndarray]:
    return {name: tensor.numpy() for name, tensor in module.state_dict().items()}


def is_alike(value: np.ndarray, other: np.ndarray) -> bool:
    """Return True for arrays of the same dtype and shape."""
    return value.dtype == other.dtype and value.shape == other.shape


def _compare(
    built: Mapping[str, np.ndarray],
    state: Mapping[str, np.ndarray],
    architecture: Values,
    where: str = "",
) -> None:
    """Raise where numbers differ from those of the model in name, dtype, shape or fixed value."""
    code = _code_prefixes(architecture)
    for name in [*built, *(set(state) - set(built))]:
        if name not in built or name not in state or not is_alike(state[name], built[name]):
            expected, found = (
                f"{values[name].dtype} of shape {values[name].shape}"
                if name in values
                else "nothing"
                for values in (built, state)
            )
            what = _readable(name, architecture)
            raise ValueError(f"{where}{what} was {found}, but this model has {expected}")
        fixed = built[name].dtype.kind in "iu" and not name.endswith(COUNTED)
        if fixed and not name.startswith(code) and not np.array_equal(state[name], built[name]):
            raise ValueError(f"{_readable(name, architecture)} is not what this model has there")


def _check_code(architecture: Values) -> None:
    """Raise where a module of the user's returns something else than that of the fit."""
    names, stored = architecture["modality_names"], architecture["predict_variances"]
    is_code = [not (e is None or isinstance(e, str)) for e in architecture["decoders"]]
    own = [pair and not code for pair, code in zip(stored, is_code, strict=True)]
    # Networks stand in for experts, which are no function of the latent point.
    tried = ModelSpec(**architecture | {"predict_variances": tuple(own)})
    model = build_model(tried, torch.Generator(), stand_ins=True)
    check_modules(model)
    for name, decoder, was_pair in zip(names, model.decoders, stored, strict=True):
        if decoder.predicts_variances != was_pair:
            outputs = ("a pair, means and log-variances", "one tensor, means alone")
            then, now = outputs if was_pair else outputs[::-1]
            raise ValueError(f"decoders[{name!r}] returned {then}, and now returns {now}")


def check_numbers(architecture: Values, state: Mapping[str, np.ndarray], where: str = "") -> None:
    """Raise where a number of the model, other than those of the user's modules, is not finite.

    Raises
    ------
    ValueError
        Says which.
    """
    code = _code_prefixes(architecture)
    for name, array in state.items():
        if not name.startswith(code) and not np.isfinite(array).all():
            raise ValueError(f"{where}{_readable(name, architecture)} holds NaN or infinity")


def _code_prefixes(architecture: Values) -> tuple[str, ...]:
    """Return how the names of all numbers of the user's own modules begin."""
    return tuple(
        f"{which}.{m}."
        for which in ("encoders", "decoders")
        for m, entry in enumerate(architecture[which])
        if not (entry is None or isinstance(entry, str))
    )


def _readable(name: str, architecture: Values) -> str:
    """Name an entry of the model as its user knows it."""
    which, _, rest = name.partition(".")
    if which not in ("encoders", "decoders"):
        return name
    number, _, rest = rest.partition(".")
    known = number.isdecimal() and int(number) < len(architecture["modality_names"])
    return f"{rest} of {which}[{architecture['modality_names'][int(number)]!r}]" if known else name
