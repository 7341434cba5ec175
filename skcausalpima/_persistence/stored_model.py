"""The model of a loaded file: code that the caller passes again, and whether all of it fits."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from .._model.build import build_model
from .._model.experts import resolve_experts
from .._model.module_checks import check_modules
from .._model.networks import DEFAULT_NETWORK, NETWORK_WORDS, named_network
from .._model.parameters import per_modality
from .._model.spec import ModelSpec
from .._typing import Values
from ..modules import ExpertDecoder, layer_sizes, spatial_shape
from .plain_data import Code, StoredExpert, expert_settings, pack
from .value_checks import Loaded, are_covariances, is_alike

#: The ending of the name of a number that counts batches.
COUNTED = "num_batches_tracked"
#: What numbers of the model must be, by the ending of their names.
MEANINGS: dict[str, tuple[Callable[[np.ndarray], bool], str]] = {
    "prior.covariances": (are_covariances, "symmetric and positive definite"),
    ".scatter": (are_covariances, "symmetric and positive definite"),
    ".factor": (lambda array: bool((array > 0).all()), "positive"),
    ".step": (lambda array: bool((array > 0).all()), "positive"),
    ".running_var": (lambda array: bool((array >= 0).all()), "nonnegative"),
    COUNTED: (lambda array: bool((array >= 0).all()), "nonnegative"),
}

#: What may hold code, and so may be passed to ``load``.
HOLDS_CODE = ("experts", "encoders", "decoders")


def check_stored(architecture: Values, state: Mapping[str, np.ndarray]) -> None:
    """Raise where a stored model is none, or needs more memory than the file has numbers for it.

    Raises
    ------
    ValueError
        Before anything is built.
    """
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


def fill(which: str, given: Loaded, parameters: Values, architecture: Values, file: Path) -> None:
    """Put what the caller passes where the file has no more than the place of code.

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
                f"is code, and a file holds none. Pass load(path, {which}=..) what the "
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
    architecture: Values,
    states: Sequence[Mapping[str, np.ndarray]],
    moments: Collection[str] = (),
) -> None:
    """Build the model once and raise where the stored numbers are not its own.

    ``states`` are numbers of the model, ``moments`` names of parameters that were trained.

    Raises
    ------
    ValueError
        Says which entry of the model has another name, shape or dtype.
    """
    model = build_model(ModelSpec.from_dict(architecture))
    built = {name: tensor.numpy() for name, tensor in model.state_dict().items()}
    for state in states:
        _compare(built, state, architecture)
    frozen = sorted(set(moments) - dict(model.named_parameters()).keys())
    if frozen:
        raise ValueError(f"{_readable(frozen[0], architecture)} is nothing that training changes")
    if _code_prefixes(architecture):
        _check_code(architecture)


def _compare(
    built: Mapping[str, np.ndarray], state: Mapping[str, np.ndarray], architecture: Values
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
            raise ValueError(f"{what} was {found}, but this model has {expected}")
        fixed = built[name].dtype.kind in "iu" and not name.endswith(COUNTED)
        if fixed and not name.startswith(code) and not np.array_equal(state[name], built[name]):
            raise ValueError(f"{_readable(name, architecture)} is not what this model has there")


def _check_code(architecture: Values) -> None:
    """Raise where a module of the user's returns something else than that of the fit."""
    names, stored = architecture["modality_names"], architecture["predict_variances"]
    is_code = [not (e is None or isinstance(e, str)) for e in architecture["decoders"]]
    own = [pair and not code for pair, code in zip(stored, is_code, strict=True)]
    # Networks stand in for experts, which are no function of the latent point.
    tried = ModelSpec.from_dict(architecture | {"predict_variances": tuple(own)})
    model = build_model(tried, torch.Generator(), stand_ins=True)
    check_modules(model)
    for name, decoder, was_pair in zip(names, model.decoders, stored, strict=True):
        if decoder.predicts_variances != was_pair:
            outputs = ("a pair, means and log-variances", "one tensor, means alone")
            then, now = outputs if was_pair else outputs[::-1]
            raise ValueError(f"decoders[{name!r}] returned {then}, and now returns {now}")


def check_numbers(architecture: Values, state: Mapping[str, np.ndarray], where: str = "") -> None:
    """Raise where a number of the model, other than those of the user's modules, cannot be one.

    Raises
    ------
    ValueError
        Says which is not finite, or what it must be.
    """
    code = _code_prefixes(architecture)
    for name, array in state.items():
        if name.startswith(code):
            continue
        if not np.isfinite(array).all():
            raise ValueError(f"{where}{_readable(name, architecture)} holds NaN or infinity")
        for ending, (holds, meaning) in MEANINGS.items():
            if name.endswith(ending) and not holds(array):
                raise ValueError(f"{where}{_readable(name, architecture)} is not {meaning}")


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
