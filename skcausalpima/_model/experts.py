"""The estimator's ``experts`` and ``views``, and kinds of columns, resolved for each modality."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from .._base.parameter_objects import MeanField
from .._data.column_kinds import DEPTH, Layout
from .._data.on_disk import OnDisk
from .._data.units import is_curve
from .._data.validation import Modalities
from ..modules import ExpertDecoder, shared_entries
from .build import named_network
from .parameters import per_modality
from .spec import ModelSpec
from .stated import Parameters, StatedExperts, Views


def resolve_experts(experts: StatedExperts, spec: ModelSpec) -> list[ExpertDecoder | None]:
    """Return one checked expert or None per modality of a model, whatever experts that has.

    A bare function decodes a modality with one axis, sampled evenly from 0 to 1.
    """
    names, shapes = spec.modality_names, spec.shapes
    resolved = per_modality(
        experts,
        names,
        "experts",
        "ExpertDecoder, function",
        lambda entry: isinstance(entry, ExpertDecoder) or callable(entry),
    )
    for m, (name, shape) in enumerate(zip(names, shapes, strict=True)):
        if resolved[m] is None:
            continue
        where = f"experts[{name!r}]"
        if spec.decoders[m] is not None:
            raise ValueError(
                f"modality {name!r} has both a decoder and an expert: leave one of them None (a "
                "word as decoders is for all modalities: pass a list or mapping instead)."
            )
        if not isinstance(resolved[m], ExpertDecoder):
            resolved[m] = _bare(resolved[m], where, shape)
        resolved[m].check(where, shape, spec.torch_dtype)
        try:
            shared_entries(resolved[m], spec.node_sizes, spec.node_names)
        except ValueError as error:
            raise ValueError(f"{where}: {error}") from error
        _check_columns(resolved[m], where, spec.node_names)
    return resolved


def _bare(f: Callable, where: str, shape: tuple[int, ...]) -> ExpertDecoder:
    """Make an expert of a function alone."""
    if len(shape) != 1:
        raise ValueError(
            f"{where} is a bare function, which is sampled at numpy.linspace(0, 1, width), but the "
            f"modality has shape {shape}: use ExpertDecoder(f, x) to say what x is."
        )
    try:
        return ExpertDecoder(f, np.linspace(0.0, 1.0, shape[0]))
    except (TypeError, ValueError) as error:
        raise type(error)(f"{where}: {error}") from error


def _check_columns(expert: ExpertDecoder, where: str, node_names: Sequence[str]) -> None:
    """Raise where two columns of the table of parameters would have one name."""
    endings = ("_se", "_sd") if expert.scatter else ("_se",)
    columns = [*node_names, *expert.names, *(n + end for n in expert.names for end in endings)]
    double = sorted({name for name in columns if columns.count(name) > 1})
    if double:
        raise ValueError(
            f"{where}: two columns of expert_params_ would have the name {double[0]!r}, which has "
            "one for each node, each parameter and its standard error: rename the parameter."
        )


#: Kinds of derived views, and the numbers of axes of the modalities that they are for.
VIEW_WORDS = {"scale_space": (1,), "power_spectrum": (2, 3)}

#: Rows or columns that an image has at least which has a view by default.
MIN_PIXELS = 16


def resolve_views(
    views: Views, modalities: Modalities, experts: Sequence[ExpertDecoder | None], by_default: bool
) -> tuple[str | None, ...]:
    """Return the kind of each modality's view, or None.

    Raises
    ------
    TypeError
        An entry is no word that is known.
    ValueError
        It does not suit the modality.
    """
    names, shapes = modalities.names, modalities.shapes
    if isinstance(views, str):  # "auto"
        suit = [by_default and expert is None for expert in experts]
        return tuple(_suits(modalities, m) if suit[m] else None for m in range(len(names)))
    kinds = per_modality(views, names, "views", None, lambda entry: False, VIEW_WORDS)
    for name, shape, kind in zip(names, shapes, kinds, strict=True):
        if kind is not None and len(shape) not in VIEW_WORDS[kind]:
            axes = " or ".join(map(str, VIEW_WORDS[kind]))
            raise ValueError(
                f"views[{name!r}] is {kind!r}, which is for samples with {axes} axes, but the "
                f"modality has shape {shape}."
            )
    return tuple(kinds)


def _suits(modalities: Modalities, m: int) -> str | None:
    """Return the view that suits a modality by its shape and values."""
    shape = modalities.shapes[m]
    if modalities.columns[m] is not None:
        return None
    if len(shape) in (2, 3) and sorted(shape)[-2] >= MIN_PIXELS:
        return "power_spectrum"
    return "scale_space" if is_curve(modalities, m) else None


def column_layouts(
    params: Parameters, modalities: Modalities, spec: ModelSpec
) -> tuple[Layout | None, ...]:
    """Return the layout of each modality; nothing where all columns are numbers.

    Raises
    ------
    ValueError
        If a parameter does not go with columns that are no numbers.
    """
    layouts = tuple(None if columns is None else columns.layout for columns in modalities.columns)
    for m, layout in enumerate(layouts):
        if layout is None:
            continue
        kind = named_network(spec.decoders[m])
        against = {
            "an expert": spec.experts[m] is not None,
            "a decoder per cluster": kind is not None and kind.per_cluster,
            "posterior='mean_field', the paper's, which knows numbers alone": (
                isinstance(params.posterior, MeanField)
            ),
            "data on disk: read them into memory": isinstance(modalities.arrays[m], OnDisk),
            "several processes": modalities.ranks.are_several,
        }
        for what, is_so in against.items():
            if is_so:
                words = sorted({word for word, _ in layout} - {"gaussian", DEPTH})
                raise ValueError(
                    f"modality {modalities.names[m]!r} has columns that are {' and '.join(words)}, "
                    f"which do not go with {what}. Encode them as numbers, or change that."
                )
    return () if all(layout is None for layout in layouts) else layouts
