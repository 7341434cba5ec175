"""A fitted estimator as one file: arrays in safetensors, everything else as JSON in its header.

No code runs on loading: what the file says is compared with tables of ours, and what only code can
make (modules, functions) is passed to ``load`` again. The header's metadata have one entry,
``"skcausalpima"``, so that equal estimators are equal files; it is JSON, an object with

- ``version``: the number of the format;
- ``class`` of the estimator, and ``library``: the version that saved it;
- ``parameters`` and ``attributes`` in the plain form of :mod:`plain_data`, in which
  ``{"$": "array", "name": name}`` stands for a tensor of the file;
- ``sha256`` of all of this and of the tensors. It finds damage, and is no signature.

skops is not the container, since it imports what a file names if that is on its list of trusted
types, and lets pass some flipped bytes, what is appended, and attributes that are missing or of
another type. Its files of equal estimators differ (times, addresses), and it cannot store modules.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import safetensors.numpy
from safetensors import SafetensorError, safe_open
from sklearn import config_context
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted
from torch import nn

from .._fit.callbacks import CALLBACKS
from .._model.parameters import PARAMETER_CONSTRAINTS
from .._typing import Values
from .._version import __version__
from ..modules import ExpertDecoder
from .model_files import file_to_read, file_to_write, replace_file
from .plain_data import TAG, Code, Plain, pack, unpack
from .schema import FITTED, ROUTED, check_attributes, states_of
from .stored_model import HOLDS_CODE, check_model, check_stored, fill
from .value_checks import Loaded

FORMAT = "skcausalpima"
VERSION = 5
#: Where scikit-learn keeps what methods ask for in metadata routing, as objects of its own.
REQUESTS = "_metadata_request"
PARTS = {"version", "class", "library", "parameters", "attributes", "sha256"}


def save_estimator(estimator: BaseEstimator, path: str | os.PathLike) -> None:
    """Write a fitted estimator to a file; see :meth:`CausalPIMA.save`."""
    check_is_fitted(estimator)
    arrays: dict[str, np.ndarray] = {}
    document = {"version": VERSION} | _document(estimator, arrays)
    text = json.dumps(document | {"sha256": _digest(document, arrays)}, allow_nan=False)
    replace_file(file_to_write(path), safetensors.numpy.save(arrays, {FORMAT: text}))


def load_estimator(
    cls: type[BaseEstimator], path: str | os.PathLike, given: Values
) -> BaseEstimator:
    """Read an estimator from a file; see :meth:`CausalPIMA.load`.

    ``given`` has an entry for each of ``HOLDS_CODE``.
    """
    file = file_to_read(path)
    with _explained(file):
        document, arrays = _read(file, cls.__name__)
        known = {*cls._get_param_names(), *PARAMETER_CONSTRAINTS}
        parameters, attributes = _decoded(document, arrays, known)
        check_attributes(attributes)
        architecture, states = attributes["_architecture"], states_of(attributes)
        check_stored(architecture, states[0])
    for which in HOLDS_CODE:
        fill(which, given[which], parameters, architecture, file)
    passed = [which for which in HOLDS_CODE if given[which] is not None]
    with _explained(file, f"the {' and '.join(passed)} of the fit" if passed else UNDAMAGED):
        check_model(architecture, states, attributes.get("_checkpoint", {}).get("moments", ()))
    own = {name: parameters.pop(name) for name in cls._get_param_names() if name in parameters}
    estimator = cls(**own)
    requests = attributes.pop(REQUESTS, {})
    vars(estimator).update(parameters | attributes)
    with _explained(file), config_context(enable_metadata_routing=True):
        for method, asked in requests.items():
            getattr(estimator, f"set_{method}_request")(**asked)
    return estimator


def _document(estimator: BaseEstimator, arrays: dict[str, np.ndarray]) -> dict:
    """Return what the JSON holds; arrays go to ``arrays``."""
    # The constructor of a subclass may set parameters that it does not take.
    set_by_it = {n: v for n, v in vars(estimator).items() if n in PARAMETER_CONSTRAINTS}
    parameters = set_by_it | estimator.get_params(deep=False)
    attributes = {n: v for n, v in vars(estimator).items() if n not in parameters}
    attributes.pop(CALLBACKS, None)  # the user's code
    if REQUESTS in attributes:
        attributes[REQUESTS] = _requests(estimator)
    unknown = sorted(set(attributes) - set(FITTED))
    if unknown:
        raise ValueError(
            f"The format has no place for the attributes {unknown} of this estimator: delete "
            "them, or use pickle or joblib."
        )
    try:
        check_attributes(attributes)
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise ValueError(f"This estimator cannot be saved: {error}.") from error
    packed = {
        kind: {
            name: _detached(pack(value, _stand_in(name)), name, arrays)
            for name, value in values.items()
        }
        for kind, values in (("parameters", parameters), ("attributes", attributes))
    }
    return {"class": type(estimator).__name__, "library": __version__} | packed


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
        if is_code and name in (*HOLDS_CODE, "_architecture"):
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


@contextmanager
def _explained(file: Path, expected: str = UNDAMAGED) -> Iterator[None]:
    """Turn whatever a file's content can cause into a ValueError that names the file."""
    try:
        yield
    except BROKEN as error:
        said = str(error).rstrip(".") or type(error).__name__
        raise ValueError(f"{file} cannot be loaded: {said}. Expected {expected}.") from error


def _read(file: Path, name: str) -> tuple[dict, dict[str, np.ndarray]]:
    """Return the JSON and the tensors of a file that holds an estimator of this name."""
    with safe_open(str(file), framework="numpy") as content:
        metadata = content.metadata() or {}
        if set(metadata) != {FORMAT}:
            raise ValueError(f"its header has {sorted(metadata)!s:.100}, not [{FORMAT!r}]")
        document = json.loads(metadata[FORMAT], parse_constant=_no_constant)
        _check_version(document)
        if set(document) != PARTS:
            raise ValueError(f"its JSON is not an object of {sorted(PARTS)}")
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
    document: dict, arrays: dict[str, np.ndarray], known: set[str]
) -> tuple[Values, Values]:
    """Return parameters and attributes; each array is used once."""

    def stored(name: str) -> np.ndarray:
        if name not in arrays:
            raise ValueError(f"it has no tensor {name!r}, or uses it twice")
        return arrays.pop(name)

    decoded = {
        kind: {name: unpack(plain, stored) for name, plain in document[kind].items()}
        for kind in ("parameters", "attributes")
    }
    if arrays:
        raise ValueError(f"it has tensors that belong nowhere: {sorted(arrays)!s:.200}")
    unknown = sorted(set(decoded["parameters"]) - known)
    if unknown:
        raise ValueError(
            f"it has the parameters {unknown}, which this class does not know (it was saved by "
            f"version {document['library']})"
        )
    return decoded["parameters"], decoded["attributes"]
