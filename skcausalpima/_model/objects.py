"""Words among the estimator's parameters, the objects that they stand for, and nested names."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from .._base.naming_estimator import advice_on_names
from .._base.parameter_objects import (
    CLUSTERER,
    OBJECTS,
    OF_WORDS,
    STANDS_FOR,
    Context,
    Initialization,
)
from .._base.scalar_checks import pythonic
from .._base.scikit_learn import validate_parameter_constraints
from .._base.types import Unchecked, Values
from .parameters import PARAMETER_CONSTRAINTS
from .stated import Parameters


def parameters_of(estimator: BaseEstimator) -> Parameters:
    """Return an estimator's parameters, with objects in place of the words for them, and of None.

    Parameters
    ----------
    estimator : CausalPIMA
        Nothing of it is changed.

    Returns
    -------
    Parameters
        A new one.

    Raises
    ------
    ValueError
        If a part is not what it may be; the message has its nested name.
    TypeError
        If an entry of ``contexts`` is neither a name nor a context.

    Examples
    --------
    >>> from skcausalpima import CausalPIMA
    >>> from skcausalpima._model.objects import parameters_of
    >>> params = parameters_of(CausalPIMA(structure="gradient"))
    >>> params.structure, params.init.pretraining_epochs
    (GradientStructure(), 'auto')
    """
    params: Values = {name: pythonic(getattr(estimator, name)) for name in PARAMETER_CONSTRAINTS}
    sizes = params["node_sizes"]
    params["node_names"] = list(sizes) if isinstance(sizes, Mapping) else None
    if isinstance(sizes, Integral):
        params["node_sizes"] = (sizes,)
    caller = type(estimator).__name__
    if CLUSTERER.is_satisfied_by(params["init"]):
        params["init"] = Initialization(clusterer=params["init"])
    for name in OBJECTS:
        parts = _as_object(name, params[name])
        if parts is not None:
            _check_parts(parts, name, caller)
            params[name] = _with_pythonic_parts(parts)
    params["contexts"] = _contexts(params["contexts"], caller)
    _check_clusterer(params["init"])
    return Parameters(**params)


def _with_pythonic_parts(parts: BaseEstimator) -> BaseEstimator:
    """Return an object whose parts are no numbers of NumPy's; the same one where none is."""
    numbers = {n: pythonic(v) for n, v in vars(parts).items() if isinstance(v, np.generic)}
    if not numbers:
        return parts
    parts = copy.copy(parts)
    vars(parts).update(numbers)
    return parts


def _check_parts(parts: BaseEstimator, name: str, caller: str) -> None:
    """Check the parts of an object that is a parameter, by their nested names."""
    constraints = {f"{name}__{n}": allowed for n, allowed in parts._parameter_constraints.items()}
    values = {f"{name}__{n}": value for n, value in parts.get_params(deep=False).items()}
    validate_parameter_constraints(constraints, values, caller_name=caller)


def _check_clusterer(init: Initialization) -> None:
    """Raise where an estimator is to find clusters, but the method finds none or its own."""
    if init.clusterer is not None and init.method != "arranged":
        raise ValueError(
            f"init__method={init.method!r} makes clusters of its own, but init__clusterer is "
            f"{init.clusterer!r}: leave one of them out."
        )


def _contexts(stated: Any, caller: str) -> tuple[Context, ...]:
    """Return the contexts that are stated, each as an object."""
    entries = [stated] if isinstance(stated, Context) else () if stated is None else stated
    contexts = [Context(str(entry)) if isinstance(entry, str) else entry for entry in entries]
    for context in contexts:
        if not isinstance(context, Context):
            raise TypeError(
                f"contexts holds {context!r}: expected names of entries of X, or Context(name, ..)."
            )
        _check_parts(context, "contexts", caller)
    names = [context.name for context in contexts]
    if double := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"contexts names {double[0]!r} twice: name each entry of X once.")
    return tuple(contexts)


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
        f"{name}__{part}": value
        for name, parts in objects.items()
        if parts is not None and parts is not params[name]
        for part, value in parts.get_params().items()
    }


def with_objects(estimator: BaseEstimator, params: Values) -> Values:
    """Return what ``set_params`` is to set: fresh objects in place of words whose parts are set.

    Raises
    ------
    ValueError
        If there is no such part. Says which object to pass.
    """
    current = estimator.get_params(deep=False)
    fresh: Values = {}
    for key in params:
        name, _, part = key.partition("__")
        if not part or name not in current:
            continue
        value = params.get(name, current[name])
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
        lines = [f"{key} is no parameter: {name} has no part {part!r}."]
        lines += [advice for kind in kinds if (advice := advice_on_names(kind, {part: None}))][:1]
        return " ".join(lines)
    objects = " or ".join(f"{kind}()" for kind in having)
    return (
        f"{key} is a part of an object, but {name} is {value!r}: pass {objects} to set its parts."
    )
