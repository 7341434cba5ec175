"""Estimators in files: what is saved, and what loading checks.

No code runs on loading: what a file says is compared with tables of ours, and what only code can
make (modules, functions) is passed to ``load`` again. Every field must be there with its dtype and
axes, numbers are finite and fit the model, which is built without memory before that is asked for,
and what PyTorch and NumPy take on trust is checked, so that no file reads or writes beyond its
memory. That the facts of a file that a stranger has signed anew go together is no promise: what
follows from others is not stored.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from sklearn import config_context
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted
from torch import nn

from .._base.parameter_objects import CLUSTERER
from .._base.types import Values
from .._base.version import __version__
from .._data.containers import CONTAINERS
from .._data.validation import form_of, input_attributes
from .._model.build import DEFAULT_NETWORK
from .._model.experts import resolve_experts
from .._model.parameters import PARAMETER_CONSTRAINTS, per_modality
from .._model.spec import ModelSpec
from ..callback import CALLBACKS, Checkpoint
from ..modules import ExpertDecoder
from .fields import check_fields
from .file import UNDAMAGED, file_to_read, file_to_write, read, write
from .fitted import FITTED, INPUT, FittedState, fitted_attributes
from .plain import TAG, Code, Loaded, Plain, expert_settings, pack, unpack
from .stored_model import check_finite, check_model
from .training import BEGUN, BegunFit, Numbers

#: What may hold code, and so may be passed to ``load``.
HOLDS_CODE = ("experts", "encoders", "decoders")
#: Where scikit-learn keeps what methods ask for in metadata routing, as objects of its own.
REQUESTS = "_metadata_request"
#: Methods whose metadata can be routed.
ROUTED = ("fit", "score")
#: Attributes that say how the input came, and what users have asked for; the last may be missing.
NEEDED = (*INPUT, "modality_feature_names_in_")
ASKED = ("_sklearn_output_config", REQUESTS)
STORED = (*NEEDED, "feature_names_in_", *ASKED)

#: What the content of a file can cause where no check of ours comes first.
BROKEN = (
    *(SafetensorError, ValueError, TypeError, KeyError, IndexError, AttributeError),
    *(ArithmeticError, RuntimeError),
)
WHOLE = "a whole checkpoint of a fit"


def save_estimator(estimator: BaseEstimator, path: str | os.PathLike) -> None:
    """Write a fitted estimator to a file; see :meth:`CausalPIMA.save`."""
    check_is_fitted(estimator)
    state = vars(estimator)[FITTED]
    try:
        check_fields(state, _sizes(state.spec))
        check_finite(state)
    except BROKEN as error:
        raise ValueError(f"This estimator cannot be saved: {error}.") from error
    parameters = _parameters(estimator)
    read_of_it = _input_attributes(state.spec, vars(estimator))
    follows = {*fitted_attributes(state), *read_of_it, *parameters, CALLBACKS}
    read_of_input = {n: v for n, v in vars(estimator).items() if n not in follows}
    unknown = sorted(set(read_of_input) - set(STORED))
    if unknown:
        raise ValueError(
            f"The format has no place for the attributes {unknown} of this estimator: delete "
            "them, or use pickle or joblib."
        )
    _save(path, estimator, {"parameters": parameters, "fit": vars(state), "input": read_of_input})


def save_checkpoint(estimator: BaseEstimator, path: str | os.PathLike, state: BegunFit) -> None:
    """Write a fit that has begun to a file; see :class:`.callback.Checkpoint`."""
    asked = {name: value for name, value in vars(estimator).items() if name in ASKED}
    parts = {"parameters": _parameters(estimator), "begun": vars(state), "input": asked}
    _save(path, estimator, parts)


def load_checkpoint(
    cls: type[BaseEstimator], path: str | os.PathLike, given: Values
) -> BaseEstimator:
    """Read an estimator whose fit goes on with a checkpoint; see :meth:`CausalPIMA.resume`.

    ``given`` has an entry for each of ``HOLDS_CODE``.
    """
    file = file_to_read(path, WHOLE)
    with _explained(file, WHOLE):
        library, parameters, state, asked = _read(file, cls, "begun", BegunFit)
        if library != __version__:
            raise ValueError(
                f"it is of version {library!s:.50} of skcausalpima, and fits of version "
                f"{__version__} may go on otherwise: resume it with the version of before"
            )
    spec = with_code(state.spec, parameters, given, file, "resume")
    if state.run is not None:
        training, pairs = state.run.training, state.run.predict_variances
        with _explained(file, WHOLE):
            check_model(replace(spec, predict_variances=pairs), training.all_numbers(), [training])
    estimator = _made(cls, parameters, asked, file)
    vars(estimator).update({BEGUN: state, CALLBACKS: [Checkpoint(path, every=state.every)]})
    return estimator


def load_estimator(
    cls: type[BaseEstimator], path: str | os.PathLike, given: Values
) -> BaseEstimator:
    """Read an estimator from a file; see :meth:`CausalPIMA.load`.

    ``given`` has an entry for each of ``HOLDS_CODE``.
    """
    file = file_to_read(path)
    with _explained(file):
        _, parameters, state, of_input = _read(file, cls, "fit", FittedState)
        if not set(NEEDED) <= set(of_input) <= set(STORED):
            raise ValueError(f"its input has {sorted(of_input)!s:.200}, not {sorted(STORED)}")
        if of_input["_input_form"] not in CONTAINERS:
            raise ValueError(f"its input came in {of_input['_input_form']!r:.100}")
        check_finite(state)
    state = replace(state, spec=with_code(state.spec, parameters, given, file))
    passed = [which for which in HOLDS_CODE if given[which] is not None]
    with _explained(file, f"the {' and '.join(passed)} of the fit" if passed else UNDAMAGED):
        going_on = (state.training, state.arrivals)
        check_model(state.spec, state.all_numbers(), going_on, state.subset_numbers)
        attributes = fitted_attributes(state) | _input_attributes(state.spec, of_input)
    estimator = _made(cls, parameters, of_input, file)
    vars(estimator).update(attributes)
    return estimator


def _input_attributes(spec: ModelSpec, of_input: Values) -> Values:
    """Return the attributes that say which modalities there are, as the gate sets them."""
    form = form_of(spec.modality_names, of_input)
    for shape, table in zip(spec.shapes, form.tables, strict=True):
        coding = table.coding
        if coding is not None and coding.element_shape != tuple(shape):
            raise ValueError(f"it has columns of {coding.n_elements} elements for {tuple(shape)}")
    return input_attributes(form, spec.shapes)


def _made(cls: type[BaseEstimator], parameters: Values, read: Values, file: Path) -> BaseEstimator:
    """Return an estimator of these parameters, which knows how its input came."""
    arguments = {
        name: parameters.pop(name) for name in cls._get_param_names() if name in parameters
    }
    estimator = cls(**arguments)
    requests = read.pop(REQUESTS, {})
    vars(estimator).update(parameters | read)
    with _explained(file), config_context(enable_metadata_routing=True):
        for method, asked in requests.items():
            if method not in ROUTED:
                raise ValueError(f"its requests are not for {ROUTED}")
            getattr(estimator, f"set_{method}_request")(**asked)
    return estimator


def _parameters(estimator: BaseEstimator) -> Values:
    """Return the parameters of an estimator; a subclass may set some that it does not take."""
    set_by_it = {n: v for n, v in vars(estimator).items() if n in PARAMETER_CONSTRAINTS}
    return set_by_it | estimator.get_params(deep=False)


def _save(path: str | os.PathLike, estimator: BaseEstimator, parts: dict[str, Values]) -> None:
    """Write the parts of a file."""
    arrays: Numbers = {}
    if REQUESTS in parts["input"]:
        routing = estimator.get_metadata_routing()
        parts["input"][REQUESTS] = {
            method: {n: v for n, v in getattr(routing, method).requests.items() if v is not None}
            for method in ROUTED
        }
    document: Values = {"class": type(estimator).__name__, "library": __version__}
    for part, values in parts.items():
        document[part] = {
            name: _detached(pack(value, _stand_in(name)), name, arrays)
            for name, value in values.items()
        }
    write(file_to_write(path), document, arrays)


def _stand_in(name: str) -> Callable[[Loaded], Plain]:
    """Return what takes the place of values without a plain form in one parameter or attribute."""

    def stand_in(value: Loaded) -> Plain:
        is_code = isinstance(value, (nn.Module, ExpertDecoder)) or callable(value)
        if is_code and name in (*HOLDS_CODE, "spec"):
            what = getattr(value, "__name__", type(value).__name__)
            return pack(Code(str(what)), stand_in)
        if name == "init" and CLUSTERER.is_satisfied_by(value):
            raise TypeError(
                f"init holds {value!r}, an estimator of another library, for which the format has "
                "no place. A fitted model needs it no more: set_params(init='arranged') before you "
                "save it, or use pickle or joblib."
            )
        raise TypeError(
            f"{name} holds {value!r} of type {type(value).__name__}, for which the format has no "
            "place: use plain Python and NumPy values, or pickle or joblib."
        )

    return stand_in


def _detached(plain: Loaded, name: str, arrays: Numbers) -> Plain:
    """Move the arrays out of plain data; their names tell where they were."""
    if isinstance(plain, np.ndarray):
        while name in arrays:
            name += "'"
        # In native byte order and C order, whatever it was.
        arrays[name] = np.array(plain, dtype=plain.dtype.newbyteorder("="), order="C")
        return {TAG: "array", "name": name}
    if isinstance(plain, list):
        return [_detached(entry, f"{name}.{k}", arrays) for k, entry in enumerate(plain)]
    if not isinstance(plain, dict):
        return plain
    if plain[TAG] != "dict":
        return {key: _detached(value, f"{name}.{key}", arrays) for key, value in plain.items()}
    keys, values = plain["keys"], []
    for k, (key, value) in enumerate(zip(keys, plain["values"], strict=True)):
        is_name = isinstance(key, str) and key.isascii() and key.isprintable()
        values.append(_detached(value, f"{name}.{key if is_name else k}", arrays))
    return {TAG: "dict", "keys": _detached(keys, name, arrays), "values": values}


@contextmanager
def _explained(file: Path, expected: str = UNDAMAGED) -> Iterator[None]:
    """Turn whatever a file's content can cause into a ValueError that names the file."""
    try:
        yield
    except BROKEN as error:
        problem = str(error).rstrip(".") or type(error).__name__
        raise ValueError(f"{file} cannot be loaded: {problem}. Expected {expected}.") from error


def _read(
    file: Path, cls: type[BaseEstimator], kind: str, make: type
) -> tuple[str, Values, Loaded, Values]:
    """Return version, parameters, the state, and how its input came; each array is used once."""
    document, arrays = read(file, cls.__name__, kind)

    def stored(name: str) -> np.ndarray:
        if name not in arrays:
            raise ValueError(f"it has no tensor {name!r}, or uses it twice")
        return arrays.pop(name)

    parameters, fit, of_input = (
        {name: unpack(plain, stored) for name, plain in document[part].items()}
        for part in ("parameters", kind, "input")
    )
    if arrays:
        raise ValueError(f"it has tensors that belong nowhere: {sorted(arrays)!s:.200}")
    unknown = sorted({*parameters} - {*cls._get_param_names(), *PARAMETER_CONSTRAINTS})
    if unknown:
        raise ValueError(
            f"it has the parameters {unknown}, which this class does not know (it was saved by "
            f"version {document['library']})"
        )
    names = {field.name for field in fields(make)}
    if set(fit) != names:
        lacking, others = sorted(names - set(fit)), sorted(set(fit) - names)
        raise ValueError(f"its fit lacks {lacking}, or has unknown fields {others}")
    state = make(**fit)
    check_fields(state.spec, {}, "spec.")
    check_fields(state, _sizes(state.spec))
    return document["library"], parameters, state, of_input


def _sizes(spec: ModelSpec) -> dict[str, int]:
    """Return the lengths of axes that follow from what was built."""
    sizes = {"node": len(spec.node_sizes), "modality": len(spec.shapes)}
    return sizes | {"component": math.prod(spec.node_sizes)}


def with_code(
    spec: ModelSpec, parameters: Values, given: Values, file: Path, door: str = "load"
) -> ModelSpec:
    """Return a specification with what the caller of ``door`` passes where the file has no code.

    It also takes its place in ``parameters``.

    Raises
    ------
    ValueError
        If it is needed and not given, or does not fit the file.
    TypeError
        If an entry is of another type than the constructor takes.
    """
    names = spec.modality_names
    for which in HOLDS_CODE:
        stated, stored = given[which], getattr(spec, which)
        if stated is None:
            code = [*_code_in(parameters.get(which)), *_code_in(stored)]
            if code:
                raise ValueError(
                    f"{file} needs {which}: the fit had {', '.join(dict.fromkeys(code))} there, "
                    f"which is code, and a file holds none. Pass {door}(path, {which}=..) what the "
                    "constructor got."
                )
            continue
        is_expert = which == "experts"
        entries = resolve_experts(stated, spec) if is_expert else per_modality(stated, names, which)
        changes: Values = {which: entries}
        for name, new, old in zip(names, entries, stored, strict=True):
            problem = _difference(new, old)
            if problem:
                raise ValueError(f"{which}[{name!r}] does not fit {file}: {problem}.")
        parameters[which] = stated
        spec = replace(spec, **changes)
    return spec


def _code_in(value: Loaded) -> list[str]:
    """Return what code was in a parameter."""
    if isinstance(value, Code):
        return [value.what]
    entries = value.values() if isinstance(value, dict) else value
    if not isinstance(value, (dict, list, tuple, np.ndarray)):
        return []
    return [what for entry in entries for what in _code_in(entry)]


def _difference(new: Loaded, stored: Loaded) -> str | None:
    """Say in what an entry differs from the one of the fit, as far as that can be seen."""
    if isinstance(stored, ExpertDecoder):
        before = expert_settings(stored)
    elif isinstance(stored, Code) and stored.settings is not None:
        before = stored.settings
    elif isinstance(stored, Code):
        fits = new is not None and not isinstance(new, str)
        return None if fits else f"expected {stored.what} or its like, got {new!r}"
    else:
        words = (new or DEFAULT_NETWORK, stored or DEFAULT_NETWORK)
        same = type(new) in (str, type(None)) and words[0] == words[1]
        return None if same else f"expected {stored!r}, got {new!r}"
    if not isinstance(new, ExpertDecoder):
        return f"expected an expert, got {new!r}"
    now, as_code = expert_settings(new), lambda value: "code"
    for name in sorted(set(before) - {"p0", "refit"}):  # these matter in training alone
        if not np.array_equal(before[name], now[name]):
            return f"its {name} were {before[name]}, and are {now[name]}"
    if isinstance(stored, ExpertDecoder) and pack(stored.f, as_code) != pack(new.f, as_code):
        return f"its model function was {stored.function_name}, and is {new.function_name}"
    return None
