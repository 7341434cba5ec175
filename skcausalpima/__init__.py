"""Causal disentanglement of multimodal data as a scikit-learn estimator.

What a name needs is imported when the name is first asked for (PEP 562): most of the package needs
torch, but :mod:`skcausalpima.cluster`, which clusters in half a second, and the data sets do not.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from ._base.version import __version__ as __version__

if TYPE_CHECKING:
    from ._base.parameter_objects import (
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
    from ._causal_pima import CausalPIMA
    from ._data.modality_transformer import ModalityTransformer
    from ._data.multimodal_data import MultimodalData

__all__ = [
    "BackgroundKnowledge",
    "CausalPIMA",
    "Context",
    "Device",
    "GradientStructure",
    "Initialization",
    "MeanField",
    "MissingValues",
    "Mixture",
    "ModalityTransformer",
    "MultimodalData",
    "ScoreSearch",
    "Training",
]

#: Where names are that are not parameter objects.
_HOMES = {
    "CausalPIMA": "._causal_pima",
    "ModalityTransformer": "._data.modality_transformer",
    "MultimodalData": "._data.multimodal_data",
}

_PUBLIC_MODULES = [
    *("callback", "cluster", "datasets", "exceptions", "functional", "graph", "inspection"),
    *("metrics", "model_selection", "modules"),
]


def __getattr__(name: str) -> object:
    """Import a public name, or a public module, when it is first asked for."""
    if name in _PUBLIC_MODULES:
        return import_module(f".{name}", __name__)
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOMES.get(name, "._base.parameter_objects"), __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*__all__, *_PUBLIC_MODULES, *(name for name in globals() if "__" in name)})
