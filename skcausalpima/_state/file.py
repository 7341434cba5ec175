"""An estimator, fitted or on its way, as one file: arrays in safetensors, all else as JSON.

No code runs on loading: what the file says is compared with tables of ours, and what only code can
make (modules, functions) is passed to ``load`` again. The header's metadata have one entry,
``"skcausalpima"``, so that equal estimators are equal files; it is JSON, an object with

- ``version``: the number of the format;
- ``class`` of the estimator, and ``library``: the version that saved it;
- ``parameters``, the ``fit`` (the fields of :class:`FittedState`; in a checkpoint it is ``begun``,
  with those of :class:`BegunFit`) and how its ``input`` came, in the plain form of :mod:`plain`, in
  which ``{"$": "array", "name": name}`` stands for a tensor of the file;
- ``sha256`` of all of this and of the tensors. It finds damage, and is no signature.

Every field must be there with its dtype and axes, numbers are finite, and what PyTorch and NumPy
take on trust is checked, so that no file reads or writes beyond its memory. That the facts of a
file that a stranger has signed anew go together is no promise: what follows from others is not
stored.

skops is not the container, since it imports what a file names if that is on its list of trusted
types, and lets pass some flipped bytes, what is appended, and attributes that are missing or of
another type. Its files of equal estimators differ (times, addresses), and it cannot store modules.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import safetensors.numpy
from safetensors import SafetensorError, safe_open
from sklearn import config_context
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted
from torch import nn

from .._data.form import CONTAINERS
from .._data.validation import write_modalities
from .._model.parameters import PARAMETER_CONSTRAINTS
from .._model.spec import ModelSpec
from .._typing import Values
from .._version import __version__
from ..callback import CALLBACKS, Checkpoint
from ..modules import ExpertDecoder
from .begun import BEGUN, BegunFit, BegunRun
from .derived import FITTED, INPUT, fitted_attributes, input_attributes
from .fitted import FittedState
from .model_files import file_to_read, file_to_write, replace_file
from .plain import TAG, Code, Loaded, Plain, pack, unpack
from .stored_model import HOLDS_CODE, check_model, check_numbers, check_stored, fill

FORMAT = "skcausalpima"
VERSION = 8
#: Where scikit-learn keeps what methods ask for in metadata routing, as objects of its own.
REQUESTS = "_metadata_request"
PARTS = {"version", "class", "library", "parameters", "input", "sha256"}
#: What else is in a file, and what is said where it is in one that is to have another.
KINDS = {
    "fit": (FittedState, "it holds a fitted estimator, which load reads"),
    "begun": (BegunFit, "it is a checkpoint of a fit, with which resume goes on"),
}
#: Attributes that say how the input came, and what users have asked for; the last may be missing.
NEEDED = (*INPUT, "modality_feature_names_in_")
ASKED = ("_sklearn_output_config", REQUESTS)
STORED = (*NEEDED, "feature_names_in_", *ASKED)
#: Methods whose metadata can be routed.
ROUTED = ("fit", "score")


def save_estimator(estimator: BaseEstimator, path: str | os.PathLike) -> None:
    """Write a fitted estimator to a file; see :meth:`CausalPIMA.save`."""
    check_is_fitted(estimator)
    state = vars(estimator)[FITTED]
    try:
        _check_state(state)
    except BROKEN as error:
        raise ValueError(f"This estimator cannot be saved: {error}.") from error
    parameters = _parameters(estimator)
    follows = {*fitted_attributes(state), *input_attributes(state.spec), *parameters, CALLBACKS}
    read = {n: v for n, v in vars(estimator).items() if n not in follows}
    unknown = sorted(set(read) - set(STORED))
    if unknown:
        raise ValueError(
            f"The format has no place for the attributes {unknown} of this estimator: delete "
            "them, or use pickle or joblib."
        )
    _save(path, estimator, {"parameters": parameters, "fit": _fields(state), "input": read})


def save_checkpoint(estimator: BaseEstimator, path: str | os.PathLike, state: BegunFit) -> None:
    """Write a fit that has begun to a file; see :class:`.callback.Checkpoint`."""
    read = {name: value for name, value in vars(estimator).items() if name in ASKED}
    parts = {"parameters": _parameters(estimator), "begun": _fields(state), "input": read}
    _save(path, estimator, parts)


def load_checkpoint(
    cls: type[BaseEstimator], path: str | os.PathLike, given: Values
) -> BaseEstimator:
    """Read an estimator whose fit goes on with a checkpoint; see :meth:`CausalPIMA.resume`.

    ``given`` has an entry for each of ``HOLDS_CODE``.
    """
    file = file_to_read(path)
    with _explained(file, WHOLE):
        document, arrays = _read(file, cls.__name__, "begun")
        if document["library"] != __version__:
            raise ValueError(
                f"it is of version {document['library']!s:.50} of skcausalpima, and fits of "
                f"version {__version__} may go on otherwise: resume it with the version of before"
            )
        parameters, state, read = _decoded(document, arrays, _known(cls), "begun")
        if type(state.run) is BegunRun:
            check_stored(state.spec, state.run.training.model)
        state.check()
        _check_requests(read)
    architecture = state.spec.as_dict()
    for which in HOLDS_CODE:
        fill(which, given[which], parameters, architecture, file, "resume")
    if state.run is not None:
        architecture["predict_variances"] = state.run.predict_variances
        training = state.run.training
        with _explained(file, WHOLE):
            check_model(ModelSpec(**architecture), training.all_numbers(), [training])
    estimator = _made(cls, parameters, read, file)
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
        document, arrays = _read(file, cls.__name__, "fit")
        parameters, state, read = _decoded(document, arrays, _known(cls), "fit")
        if type(state.spec) is not ModelSpec:
            raise ValueError("its spec is none")
        check_stored(state.spec, state.numbers)
        _check_state(state)
        _check_input(read)
    architecture = state.spec.as_dict()
    for which in HOLDS_CODE:
        fill(which, given[which], parameters, architecture, file)
    state = replace(state, spec=ModelSpec(**architecture))
    passed = [which for which in HOLDS_CODE if given[which] is not None]
    with _explained(file, f"the {' and '.join(passed)} of the fit" if passed else UNDAMAGED):
        going_on = (state.training, state.arrivals)
        check_model(state.spec, state.all_numbers(), going_on, state.subset_numbers)
        attributes = fitted_attributes(state) | input_attributes(state.spec)
    estimator = _made(cls, parameters, read, file)
    vars(estimator).update(attributes)
    with _explained(file), suppress(ImportError):
        write_modalities(estimator, [np.zeros((1, *shape)) for shape in state.spec.shapes])
    return estimator


def _made(cls: type[BaseEstimator], parameters: Values, read: Values, file: Path) -> BaseEstimator:
    """Return an estimator of these parameters, which knows how its input came."""
    own = {name: parameters.pop(name) for name in cls._get_param_names() if name in parameters}
    estimator = cls(**own)
    requests = read.pop(REQUESTS, {})
    vars(estimator).update(parameters | read)
    with _explained(file), config_context(enable_metadata_routing=True):
        for method, asked in requests.items():
            getattr(estimator, f"set_{method}_request")(**asked)
    return estimator


def _known(cls: type[BaseEstimator]) -> set[str]:
    """Return the names of all parameters that a class may have."""
    return {*cls._get_param_names(), *PARAMETER_CONSTRAINTS}


def _check_state(state: FittedState) -> None:
    """Raise where a field is not what it was declared to be, or a number is not finite."""
    state.check()
    architecture = state.spec.as_dict()
    for numbers in state.all_numbers():
        check_numbers(architecture, numbers)
    check_numbers(architecture, state.subset_numbers or {}, "subset_numbers: ")


def _check_input(read: Values) -> None:
    """Raise where it does not say how the input came."""
    missing, unknown = set(NEEDED) - set(read), set(read) - set(STORED)
    if missing or unknown:
        raise ValueError(f"its input lacks {sorted(missing)}, or has unknown {sorted(unknown)}")
    if read["_input_form"] not in CONTAINERS:
        raise ValueError(f"its input came in {read['_input_form']!r:.100}")
    _check_requests(read)


def _check_requests(read: Values) -> None:
    """Raise where metadata are asked for by other methods than have any."""
    requests = read.get(REQUESTS, {})
    if type(requests) is not dict or not set(requests) <= set(ROUTED):
        raise ValueError(f"its requests are not for {ROUTED}")


def _parameters(estimator: BaseEstimator) -> Values:
    """Return the parameters of an estimator; a subclass may set some that it does not take."""
    set_by_it = {n: v for n, v in vars(estimator).items() if n in PARAMETER_CONSTRAINTS}
    return set_by_it | estimator.get_params(deep=False)


def _save(path: str | os.PathLike, estimator: BaseEstimator, parts: dict[str, Values]) -> None:
    """Write the parts of a file."""
    arrays: dict[str, np.ndarray] = {}
    if REQUESTS in parts["input"]:
        parts["input"][REQUESTS] = _requests(estimator)
    packed = {
        part: {
            name: _detached(pack(value, _stand_in(name)), name, arrays)
            for name, value in values.items()
        }
        for part, values in parts.items()
    }
    about = {"version": VERSION, "class": type(estimator).__name__, "library": __version__}
    document = about | packed
    text = json.dumps(document | {"sha256": _digest(document, arrays)}, allow_nan=False)
    replace_file(file_to_write(path), safetensors.numpy.save(arrays, {FORMAT: text}))


def _fields(state: FittedState | BegunFit) -> Values:
    """Return the fields of a state by name."""
    return {field.name: getattr(state, field.name) for field in fields(state)}


def _requests(estimator: BaseEstimator) -> dict[str, dict]:
    """Return what was asked for by ``set_fit_request`` and its like."""
    routing = estimator.get_metadata_routing()
    return {
        method: {n: v for n, v in getattr(routing, method).requests.items() if v is not None}
        for method in ROUTED
    }


def _stand_in(name: str) -> Callable[[Loaded], Plain]:
    """Return what takes the place of values without a plain form in one parameter or attribute."""

    def stand_in(value: Loaded) -> Plain:
        is_code = isinstance(value, (nn.Module, ExpertDecoder)) or callable(value)
        if is_code and name in (*HOLDS_CODE, "spec"):
            what = getattr(value, "__name__", type(value).__name__)
            return pack(Code(str(what)), stand_in)
        raise TypeError(
            f"{name} holds {value!r} of type {type(value).__name__}, for which the format has no "
            "place: use plain Python and NumPy values, or pickle or joblib."
        )

    return stand_in


def _detached(plain: Loaded, name: str, arrays: dict[str, np.ndarray]) -> Plain:
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
    if plain[TAG] == "dict":
        keys = [_name_part(key, k) for k, key in enumerate(plain["keys"])]
        pairs = zip(keys, plain["values"], strict=True)
        values = [_detached(value, f"{name}.{key}", arrays) for key, value in pairs]
        return {TAG: "dict", "keys": _detached(plain["keys"], name, arrays), "values": values}
    return {key: _detached(value, f"{name}.{key}", arrays) for key, value in plain.items()}


def _name_part(key: Loaded, position: int) -> str:
    """Return a key of a mapping if it can be part of a tensor's name, else its position."""
    plain = isinstance(key, str) and key.isascii() and key.isprintable()
    return key if plain else str(position)


def _digest(document: Values, arrays: Mapping[str, np.ndarray]) -> str:
    """Return the SHA-256 of a file's content."""
    about = [[name, a.dtype.str, list(a.shape)] for name, a in sorted(arrays.items())]
    own = {part: value for part, value in document.items() if part != "sha256"}
    digest = hashlib.sha256(json.dumps([own, about]).encode())
    for name in sorted(arrays):
        digest.update(arrays[name].tobytes())
    return digest.hexdigest()


#: What the content of a file can cause where no check of ours comes first.
BROKEN = (
    *(SafetensorError, ValueError, TypeError, KeyError, IndexError, AttributeError),
    *(ArithmeticError, RuntimeError),
)
UNDAMAGED = "an undamaged file from CausalPIMA.save"
WHOLE = "a whole checkpoint of a fit"


@contextmanager
def _explained(file: Path, expected: str = UNDAMAGED) -> Iterator[None]:
    """Turn whatever a file's content can cause into a ValueError that names the file."""
    try:
        yield
    except BROKEN as error:
        said = str(error).rstrip(".") or type(error).__name__
        raise ValueError(f"{file} cannot be loaded: {said}. Expected {expected}.") from error


def _read(file: Path, name: str, kind: str) -> tuple[dict, dict[str, np.ndarray]]:
    """Return the JSON and the tensors of a file of this kind for an estimator of this name."""
    with safe_open(str(file), framework="numpy") as content:
        metadata = content.metadata() or {}
        if set(metadata) != {FORMAT}:
            raise ValueError(f"its header has {sorted(metadata)!s:.100}, not [{FORMAT!r}]")
        document = json.loads(metadata[FORMAT], parse_constant=_no_constant)
        _check_version(document)
        for other, (_, told) in KINDS.items():
            if other != kind and set(document) == {*PARTS, other}:
                raise ValueError(told)
        if set(document) != {*PARTS, kind}:
            raise ValueError(f"its JSON is not an object of {sorted({*PARTS, kind})}")
        if document["class"] != name:
            raise ValueError(
                f"it holds an estimator of the class {str(document['class'])!r:.100}, not {name}; "
                "load it with the class that saved it"
            )
        arrays = {key: np.array(content.get_tensor(key)) for key in content.keys()}  # noqa: SIM118
    whole = json.dumps(document) == metadata[FORMAT]
    if not whole or document["sha256"] != _digest(document, arrays):
        raise ValueError("it is damaged: its checksum does not match its content")
    return document, arrays


def _check_version(document: Loaded) -> None:
    """Raise where the JSON is of another version of the format, or of none."""
    version = document.get("version") if type(document) is dict else None
    if type(version) is not int or version < 1:
        raise ValueError(f"its format has the version {version!r:.50}, not a number from 1")
    if version > VERSION:
        raise ValueError(
            f"it has version {version} of the format, but this version of skcausalpima reads "
            f"version {VERSION}: update skcausalpima"
        )
    if version < VERSION:
        raise ValueError(
            f"it has version {version} of the format, an older one, whose fits are made "
            f"otherwise, but this version of skcausalpima reads version {VERSION}: load it with "
            "the version that saved it, or fit again"
        )


def _no_constant(word: str) -> None:
    raise ValueError(f"its JSON holds {word}")


def _decoded(
    document: dict, arrays: dict[str, np.ndarray], known: set[str], kind: str
) -> tuple[Values, Loaded, Values]:
    """Return parameters, the state, and how its input came; each array is used once."""

    def stored(name: str) -> np.ndarray:
        if name not in arrays:
            raise ValueError(f"it has no tensor {name!r}, or uses it twice")
        return arrays.pop(name)

    parameters, fit, read = (
        {name: unpack(plain, stored) for name, plain in document[part].items()}
        for part in ("parameters", kind, "input")
    )
    if arrays:
        raise ValueError(f"it has tensors that belong nowhere: {sorted(arrays)!s:.200}")
    unknown = sorted(set(parameters) - known)
    if unknown:
        raise ValueError(
            f"it has the parameters {unknown}, which this class does not know (it was saved by "
            f"version {document['library']})"
        )
    make: Loaded = KINDS[kind][0]
    names = {field.name for field in fields(make)}
    if set(fit) != names:
        lacking, others = sorted(names - set(fit)), sorted(set(fit) - names)
        raise ValueError(f"its fit lacks {lacking}, or has unknown fields {others}")
    return parameters, make(**fit), read
