"""Kinds of the columns of each table, and the error where a model cannot have them."""

from __future__ import annotations

from types import SimpleNamespace

from .._data.column_kinds import DEPTH, Layout
from .._data.on_disk import OnDisk
from .._data.validation import Modalities
from .._parameter_objects import MeanField
from .networks import named_network
from .spec import ModelSpec


def column_layouts(
    params: SimpleNamespace, modalities: Modalities, spec: ModelSpec
) -> tuple[Layout | None, ...]:
    """Return the layout of each modality; nothing where all columns are numbers.

    Raises
    ------
    ValueError
        If a parameter does not go with columns that are no numbers.
    """
    layouts = tuple(None if of is None else of.layout for of in modalities.columns)
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
