"""The estimator's parameter objects: taken apart for a fit, and their nested names checked."""

from __future__ import annotations

from numbers import Integral
from types import SimpleNamespace
from typing import TypeAlias

import networkx as nx
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import validate_parameter_constraints

from .._parameter_objects import (
    BackgroundKnowledge,
    Device,
    GradientStructure,
    Initialization,
    MissingValues,
    ScoreSearch,
)
from .._typing import Values
from .naming_estimator import PARTS, advice_on_names
from .parameters import PARAMETER_CONSTRAINTS

#: What a parameter with parts may be: an object, or what stands for one.
Structured: TypeAlias = BaseEstimator | nx.DiGraph | str | None

#: The parameters that may be objects with parts.
_WITH_PARTS = ("structure", "knowledge", "init", "missing_values", "device")

#: What a word stands for, with the word as its first part.
_OF_WORDS = {"init": Initialization, "missing_values": MissingValues, "device": Device}

#: What the parts of a structure are called beside other parameters.
_FLAT = {
    "score": "structure_score",
    "learning_rate": "graph_learning_rate",
    "n_steps": "n_graph_steps",
}


def flat_parameters(estimator: BaseEstimator) -> SimpleNamespace:
    """Return an estimator's parameters, objects replaced by their parts.

    Parameters
    ----------
    estimator : CausalPIMA
        Nothing of it is changed.

    Returns
    -------
    SimpleNamespace
        Has an attribute for each parameter and each part. ``structure`` is "refined", "gradient"
        or a graph, ``init`` and ``device`` are words, ``missing_elements`` that for single
        elements.

    Raises
    ------
    ValueError
        If a part is not what it may be; the message has its nested name.

    Examples
    --------
    >>> from skcausalpima import CausalPIMA
    >>> from skcausalpima._model.flat_parameters import flat_parameters
    >>> flat = flat_parameters(CausalPIMA(structure="gradient"))
    >>> flat.structure, flat.edge_threshold, flat.init, flat.pretraining_epochs
    ('gradient', 0.5, 'arranged', 'auto')
    """
    flat = {name: getattr(estimator, name) for name in PARAMETER_CONSTRAINTS}
    if isinstance(flat["node_sizes"], Integral):
        flat["node_sizes"] = (flat["node_sizes"],)
    given = {name: flat.pop(name) for name in _WITH_PARTS}
    objects = {name: _as_object(name, value) for name, value in given.items()}
    for name, parts in objects.items():
        _check_parts(type(estimator).__name__, name, parts)
    # What only one kind of structure has does not matter to the other.
    unused = GradientStructure().get_params() | ScoreSearch().get_params()
    structure = unused | objects["structure"].get_params()
    flat |= {_FLAT.get(part, part): value for part, value in structure.items()}
    refines = isinstance(objects["structure"], ScoreSearch)
    flat["structure"] = given["structure"]
    if not isinstance(given["structure"], nx.DiGraph):
        flat["structure"] = "refined" if refines else "gradient"
    knowledge, init = objects["knowledge"], objects["init"]
    missing, device = objects["missing_values"], objects["device"]
    flat |= {"required_edges": knowledge.required, "forbidden_edges": knowledge.forbidden}
    return SimpleNamespace(
        **flat,
        tiers=knowledge.tiers,
        init=init.method,
        n_mixture_init=init.n_mixture_init,
        pretraining=init.pretraining,
        pretraining_epochs=init.pretraining_epochs,
        missing_elements=missing.elements,
        subset_epochs=missing.subset_epochs,
        device=device.name,
        compiles=device.compile,
        autocast=device.autocast,
        distributed=device.distributed,
    )


def _as_object(parameter: str, value: Structured) -> BaseEstimator:
    """Return the object that a parameter is, or that its word stands for."""
    if value is None:
        return BackgroundKnowledge()
    if isinstance(value, nx.DiGraph):
        return GradientStructure()  # without edges to learn, nothing of it matters
    if not isinstance(value, str):
        return value
    if parameter in _OF_WORDS:
        return _OF_WORDS[parameter](value)
    return GradientStructure() if value == "gradient" else ScoreSearch()


def _check_parts(estimator: str, parameter: str, parts: BaseEstimator) -> None:
    """Raise where a part of a parameter object is not what it may be."""
    constraints = {f"{parameter}__{n}": c for n, c in parts._parameter_constraints.items()}
    values = {f"{parameter}__{n}": value for n, value in parts.get_params(deep=False).items()}
    validate_parameter_constraints(constraints, values, caller_name=estimator)


def check_nested_names(estimator: BaseEstimator, params: Values) -> None:
    """Raise where ``set_params`` would set what is no parameter, or a part of what has none.

    Raises
    ------
    ValueError
        Says which parameter is meant, or which object to pass.
    """
    own = estimator.get_params(deep=False)
    names = {key.partition("__")[0]: value for key, value in params.items()}
    if advice := advice_on_names(type(estimator), names):
        raise ValueError(advice)
    for key in params:
        name, _, part = key.partition("__")
        value = params.get(name, own.get(name))
        has_parts = hasattr(value, "set_params") and not isinstance(value, type)
        if not part or name not in own or has_parts:
            continue
        objects = _objects_with(name, part, value)
        if not objects:
            raise ValueError(f"{key} is no parameter: {name} has no part {part!r}.")
        raise ValueError(
            f"{key} is a part of an object, but {name} is {value!r}: pass {objects} to set its "
            "parts."
        )


def _objects_with(parameter: str, part: str, value: Structured) -> str:
    """Return which objects in place of a value have a part, in words."""
    kinds = [kind for kind in PARTS.get(parameter, ()) if part in kind._get_param_names()]
    word = ""
    if isinstance(value, str) and type(_as_object(parameter, value)) in kinds:
        kinds = [type(_as_object(parameter, value))]
        word = repr(value) if parameter in _OF_WORDS else ""
    return " or ".join(f"{kind.__name__}({word})" for kind in kinds)
