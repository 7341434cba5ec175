"""Checks of a stored model: names, shapes and types of its numbers, finite values, and code."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor, nn

from .._base.types import Unchecked
from .._model.build import build_model, check_modules, named_network
from .._model.spec import OF_DATA, ModelSpec
from ..modules import MultimodalVAE, StructuredVAE, SubsetEncoders
from .fitted import FittedState
from .training import Arrivals, Numbers, TrainingState

#: How entries of the encoders of incomplete samples are told from those of the model.
SUBSETS = "subset_numbers: "
#: A network has at least this part as many numbers as a sample of its modality has elements.
LEAST_PART = 128

#: Numbers of the model, as fitted and otherwise, Adam's moments, and numbers of subset encoders.
Stored: TypeAlias = tuple[Sequence[Numbers], list[dict[str, Numbers]], Numbers | None]


def check_finite(state: FittedState) -> None:
    """Raise where numbers of a model, other than those of the user's modules, cannot be such."""
    code = _code_prefixes(state.spec)
    named = [
        *(("", fit_numbers) for fit_numbers in state.all_numbers()),
        (SUBSETS, state.subset_numbers or {}),
    ]
    for where, numbers in named:
        for name, array in numbers.items():
            if not name.startswith(code) and not np.isfinite(array).all():
                raise ValueError(f"{where}{_readable(name, state.spec)} holds NaN or infinity")
    for numbers in state.all_numbers():
        _check_covariances(numbers["prior.covariances"].astype(np.float64))


def _check_covariances(covariances: np.ndarray) -> None:
    """Raise where variances, or matrices, of components are not positive (definite)."""
    try:
        is_positive = covariances.ndim == 3 or bool((covariances > 0).all())
        np.linalg.cholesky(covariances if covariances.ndim == 3 else np.eye(1))
    except np.linalg.LinAlgError:
        is_positive = False
    if not is_positive:
        raise ValueError("covariances of its components are not positive definite")


def check_model(
    spec: ModelSpec,
    all_numbers: Sequence[Numbers],
    going_on: Iterable[TrainingState | Arrivals | None],
    subset_numbers: Numbers | None = None,
) -> None:
    """Raise where stored numbers, or moments of Adam, are not those of the model.

    Raises
    ------
    ValueError
        Says which entry of the model has another name, shape or dtype.
    """
    held = sum(array.size for array in all_numbers[0].values())
    least = [math.prod(max(n, 1) for n in shape) // LEAST_PART for shape in spec.shapes]
    if max(math.prod(spec.node_sizes) * spec.latent_dim, *least) > held:
        raise ValueError(f"its model is larger than the {held} numbers that it holds for it")
    for name, shape, expert in zip(spec.modality_names, spec.shapes, spec.experts, strict=True):
        if expert is not None:
            expert.check(f"experts[{name!r}]", shape, spec.torch_dtype)
    for name in OF_DATA:
        numbers = getattr(spec, name)
        if not set(numbers) <= set(range(len(spec.shapes))):
            raise ValueError(f"{name}, {numbers!s:.99}, are not of its own")
    if not all(named_network(spec.decoders[m]) is not None for m in spec.by_decoders):
        raise ValueError("by_decoders has modalities of which modules of the user's may say more")
    code, moments = _code_prefixes(spec), [state.moments for state in going_on if state is not None]
    stored: Stored = (all_numbers, moments, subset_numbers)
    encoders, decoders = (
        [None if _is_code(entry) else entry for entry in entries]
        for entries in (spec.encoders, spec.decoders)
    )
    with torch.device("meta"):  # no memory is taken
        ours = build_model(replace(spec, encoders=encoders, decoders=decoders))
        _compare(ours, spec, stored, skipped=code)
    if code:
        _compare(build_model(spec), spec, stored)
        _check_code(spec)


def _compare(
    model: MultimodalVAE, spec: ModelSpec, stored: Stored, skipped: tuple[str, ...] = ()
) -> None:
    """Raise where numbers are not those of a model; some names may be skipped."""
    all_numbers, all_moments, subset_numbers = stored
    named: list[tuple[str, nn.Module, Numbers]] = [
        ("", model, fit_numbers) for fit_numbers in all_numbers
    ]
    if subset_numbers is not None:
        if not isinstance(model, StructuredVAE):
            raise ValueError("subset_numbers are of encoders that this model does not have")
        named.append((SUBSETS, SubsetEncoders(model), subset_numbers))
    for where, module, numbers in named:
        built = module.state_dict()
        for name in [*built, *(set(numbers) - set(built))]:
            saved, expected = _described(numbers.get(name)), _described(built.get(name))
            if saved != expected and not name.startswith(skipped):
                what = f"{where}{_readable(name, spec)}"
                raise ValueError(f"{what} was {saved}, but this model has {expected}")
    parameters = dict(model.named_parameters())
    for name, kept in [pair for moments in all_moments for pair in moments.items()]:
        if name.startswith(skipped):
            continue
        if name not in parameters:
            raise ValueError(f"{_readable(name, spec)} is nothing that training changes")
        shapes = {_described(kept[moment]) for moment in ("exp_avg", "exp_avg_sq")}
        if shapes != {_described(parameters[name])}:
            raise ValueError(f"the moments of {_readable(name, spec)} are not of its shape")


def _described(array: np.ndarray | Tensor | None) -> str:
    """Return dtype and shape in words."""
    if array is None:
        return "nothing"
    return f"{str(array.dtype).removeprefix('torch.')} of shape {tuple(array.shape)}"


def _check_code(spec: ModelSpec) -> None:
    """Raise where a module of the user's returns something else than that of the fit."""
    pairs = zip(spec.predict_variances, spec.decoders, strict=True)
    of_networks = tuple(pair and not _is_code(decoder) for pair, decoder in pairs)
    # Networks stand in for experts, which are no function of the latent point.
    model = build_model(
        replace(spec, predict_variances=of_networks), torch.Generator(), stand_ins=True
    )
    check_modules(model)
    stored = zip(spec.modality_names, model.decoders, spec.predict_variances, strict=True)
    for name, decoder, was_pair in stored:
        if decoder.predicts_variances != was_pair:
            outputs = ("a pair, means and log-variances", "one tensor, means alone")
            then, now = outputs if was_pair else outputs[::-1]
            raise ValueError(f"decoders[{name!r}] returned {then}, and now returns {now}")


def _is_code(entry: Unchecked) -> bool:
    """Return True for an encoder or decoder of the user's."""
    return entry is not None and not isinstance(entry, str)


def _code_prefixes(spec: ModelSpec) -> tuple[str, ...]:
    """Return how the names of all numbers of the user's own modules begin."""
    return tuple(
        f"{which}.{m}."
        for which in ("encoders", "decoders")
        for m, entry in enumerate(getattr(spec, which))
        if _is_code(entry)
    )


def _readable(name: str, spec: ModelSpec) -> str:
    """Name an entry of the model as its user knows it."""
    which, _, rest = name.partition(".")
    number, _, rest = rest.partition(".")
    if which not in ("encoders", "decoders") or not number.isdecimal():
        return name
    names = spec.modality_names[int(number) :]
    return f"{rest} of {which}[{names[0]!r}]" if names else name
