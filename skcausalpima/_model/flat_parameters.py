"""The estimator's parameter objects: taken apart for a fit, and their nested names checked."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Integral
from types import SimpleNamespace

import networkx as nx
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import validate_parameter_constraints

from .._naming_estimator import advice_on_names
from .._parameter_objects import (
    OBJECTS,
    OF_WORDS,
    STANDS_FOR,
    GradientStructure,
    MeanField,
    ScoreSearch,
)
from .._typing import Unchecked, Values
from .parameters import PARAMETER_CONSTRAINTS

#: What parts are called beside other parameters.
_FLAT = {
    "structure": {
        "score": "structure_score",
        "learning_rate": "graph_learning_rate",
    },
    "knowledge": {"required": "required_edges", "forbidden": "forbidden_edges"},
    "init": {"method": "init"},
    "missing_values": {"elements": "missing_elements"},
    "device": {"name": "device", "compile": "compiles"},
    "mixture": {"shrinkage": "covariance_shrinkage"},
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
        or a graph; ``posterior``, ``init`` and ``device`` are words, ``missing_elements`` that for
        single elements. ``node_names`` are those that ``node_sizes`` has, or None.

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
    sizes = flat["node_sizes"]
    if isinstance(sizes, Integral):
        flat["node_sizes"] = (sizes,)
    flat["node_names"] = list(sizes) if isinstance(sizes, Mapping) else None
    given = {name: flat.pop(name) for name in OBJECTS}
    objects = {name: _as_object(name, value) for name, value in given.items()}
    # What only one kind of structure or posterior has does not matter to the other.
    for unused in (GradientStructure(), ScoreSearch()):
        flat |= _flat_parts("structure", unused)
    flat |= _flat_parts("posterior", MeanField())
    for name, parts in objects.items():
        if parts is not None:
            _check_parts(type(estimator).__name__, name, parts)
            flat |= _flat_parts(name, parts)
    flat["structure"] = given["structure"]
    if not isinstance(given["structure"], nx.DiGraph):
        is_searched = isinstance(objects["structure"], ScoreSearch)
        flat["structure"] = "refined" if is_searched else "gradient"
    flat["posterior"] = "structured" if objects["posterior"] is None else "mean_field"
    return SimpleNamespace(**flat)


def _flat_parts(parameter: str, parts: BaseEstimator) -> Values:
    """Return the parts of an object under what they are called beside other parameters."""
    names = _FLAT.get(parameter, {})
    return {names.get(part, part): value for part, value in parts.get_params(deep=False).items()}


def _as_object(parameter: str, value: Unchecked) -> BaseEstimator | None:
    """Return the object that a parameter is, or a fresh one that its word stands for, if any."""
    if hasattr(value, "set_params") and not isinstance(value, type):
        return value
    if not isinstance(value, str | None):
        return None
    if parameter in OF_WORDS and value is not None:
        return OF_WORDS[parameter](value)
    kind = STANDS_FOR.get(parameter, {}).get(value)
    return None if kind is None else kind()


def parts_of_words(params: Values) -> Values:
    """Return the parts, by nested names, of what words among the parameters stand for."""
    objects = {name: _as_object(name, value) for name, value in params.items()}
    return {
        f"{name}__{part}": of
        for name, parts in objects.items()
        if parts is not None and parts is not params[name]
        for part, of in parts.get_params().items()
    }


def _check_parts(estimator: str, parameter: str, parts: BaseEstimator) -> None:
    """Raise where a part of a parameter object is not what it may be."""
    constraints = {f"{parameter}__{n}": c for n, c in parts._parameter_constraints.items()}
    values = {f"{parameter}__{n}": value for n, value in parts.get_params(deep=False).items()}
    validate_parameter_constraints(constraints, values, caller_name=estimator)


def with_objects(estimator: BaseEstimator, params: Values) -> Values:
    """Return what ``set_params`` is to set: fresh objects in place of words whose parts are set.

    Raises
    ------
    ValueError
        If there is no such parameter or part. Says which parameter is meant, or which object to
        pass.
    """
    own = estimator.get_params(deep=False)
    fresh: Values = {}
    for key in params:
        name, _, part = key.partition("__")
        if not part or name not in own:
            continue
        value = params.get(name, own[name])
        parts = _as_object(name, value)
        if parts is value and value is not None:
            continue  # says itself what it lacks
        if parts is None or part not in parts.get_params():
            raise ValueError(_no_part(key, name, part, value))
        fresh.setdefault(name, parts)
    return params | fresh


def _no_part(key: str, name: str, part: str, value: Unchecked) -> str:
    """Say that a parameter has no such part, or which objects in its place have it."""
    kinds = OBJECTS.get(name, ())
    having = [kind.__name__ for kind in kinds if part in kind._get_param_names()]
    if not having:
        told = [f"{key} is no parameter: {name} has no part {part!r}."]
        told += [advice for kind in kinds if (advice := advice_on_names(kind, {part: None}))][:1]
        return " ".join(told)
    objects = " or ".join(f"{kind}()" for kind in having)
    return (
        f"{key} is a part of an object, but {name} is {value!r}: pass {objects} to set its parts."
    )
