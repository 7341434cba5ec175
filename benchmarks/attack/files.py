"""Model files with other bytes, or with other content under a right checksum."""

from __future__ import annotations

import json
import tempfile
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy
from attack.calls import pair
from attack.fits import made
from attack.values import hostile
from attack.verdicts import Case, require_finite
from safetensors import safe_open

from skcausalpima import CausalPIMA
from skcausalpima._state.file import FORMAT, _digest

KINDS = ("default", "paper", "expert", "clusters", "held out")
#: What a number, word or list in the JSON may become.
OTHERS = (
    *(None, True, False, 0, 1, -1, 2, 3, 0.5, -0.5, 1e308, 2**31, 2**63, 2**64, 10**30, 10**400),
    *("", "x", "nan", "N1", "float32", "float64", "full", "diag", "[", [], {}, [[]], [None], [0]),
    *({"$": "array", "name": "weights_"}, {"$": "tuple", "items": []}, {"$": "x"}, {"a": 1}),
    *({"$": "float", "value": "nan"}, {"$": "float", "value": "inf"}, {"$": "dict"}),
)
#: Parameters that only say how long to train.
BRIEF = {
    "max_iter": 1,
    "n_init": 1,
    "structure__polishing_epochs": 1,
    "n_jobs": None,
    "warm_start": True,
}


@cache
def _content(kind: str) -> bytes:
    """Return a file of a fit that may be continued."""
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = Path(folder, "model")
        made(kind, warm_start=True).fit(pair()).save(path)
        return path.read_bytes()


@cache
def _read(kind: str) -> tuple[str, dict[str, np.ndarray]]:
    """Return the JSON and the arrays of a file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model")
        path.write_bytes(_content(kind))
        with safe_open(str(path), framework="numpy") as file:
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            return file.metadata()[FORMAT], arrays


def case(rng: np.random.Generator) -> Case:
    """Damage the bytes of a file, or change what it says and sign it anew."""
    kind = KINDS[rng.integers(len(KINDS))]
    if rng.random() < 0.35:
        text, content = _damaged(rng, bytearray(_content(kind)))
    else:
        text, content = _forged(rng, kind)
    return Case(f"{kind}: {text}", lambda: _used(content))


def _damaged(rng: np.random.Generator, content: bytearray) -> tuple[str, bytes]:
    """Cut a file off, change a byte, or exchange two parts of it."""
    header = 8 + int.from_bytes(content[:8], "little")
    position = int(rng.integers(header if rng.random() < 0.5 else len(content)))
    way = rng.integers(4)
    if way == 0:
        return f"cut at byte {position}", bytes(content[:position])
    if way == 1:
        return f"byte {position} again", bytes(content[: position + 1] + content[position:])
    if way == 2:
        content[position : position + 64] = bytes(len(content[position : position + 64]))
        return f"64 bytes at {position} are zero", bytes(content)
    bit = 1 << int(rng.integers(8))
    content[position] ^= bit
    return f"byte {position} ^ {bit}", bytes(content)


def _forged(rng: np.random.Generator, kind: str) -> tuple[str, bytes]:
    """Change one or two values or arrays, with a checksum that is right."""
    text, stored = _read(kind)
    document, arrays = json.loads(text), dict(stored)
    changes = [_edit_arrays, _edit_document]
    texts = [changes[rng.integers(2)](rng, document, arrays) for _ in range(rng.integers(1, 3))]
    document["sha256"] = _digest(document, arrays)
    content = safetensors.numpy.save(arrays, {FORMAT: json.dumps(document)})
    return "; ".join(texts), content


def _edit_arrays(rng: np.random.Generator, document: dict, arrays: dict[str, np.ndarray]) -> str:
    """Change one array, or give it the values of another."""
    names = sorted(arrays)
    if rng.random() < 0.5:  # what only training reads
        names = [name for name in names if name.startswith("training")] or names
    name = names[rng.integers(len(names))]
    old = arrays[name]
    if rng.random() < 0.2:
        other = names[rng.integers(len(names))]
        arrays[name] = arrays[other].copy()
        return f"{name} has the values of {other}"
    text, new = hostile(rng, old, huge=False)
    new = np.asarray(new) if isinstance(new, (np.ndarray, float, int, list)) else old.ravel()[:1]
    if new.dtype.kind not in "fiub" or new.dtype.itemsize > 8:
        new, text = old.ravel()[:1], "base.ravel()[:1]"
    with np.errstate(all="ignore"):
        keeps = rng.random() < 0.8 and new.dtype.kind in "fiu"
        new = new.astype(old.dtype) if keeps else new.astype(new.dtype.newbyteorder("="))
    arrays[name] = np.ascontiguousarray(new).reshape(new.shape)
    return f"{name}: {text}"


def _paths(value: Any, path: tuple = ()) -> list[tuple]:
    """Return the paths to all values of a document."""
    found = [path] if path else []
    if isinstance(value, dict):
        parts: Any = value.items()
    else:
        parts = enumerate(value) if isinstance(value, list) else ()
    for key, part in parts:
        found += _paths(part, (*path, key))
    return found


def _edit_document(rng: np.random.Generator, document: dict, arrays: dict) -> str:
    """Replace, drop or repeat one value of the JSON."""
    paths = [p for p in _paths(document) if p[0] in ("fit", "parameters")]
    path = paths[rng.integers(len(paths))]
    parent = document
    for key in path[:-1]:
        parent = parent[key]
    if rng.random() < 0.1:
        del parent[path[-1]]
        return f"without {path}"
    if rng.random() < 0.1 and isinstance(parent, list):
        parent.append(parent[path[-1]])
        return f"{path} twice"
    other = OTHERS[rng.integers(len(OTHERS))]
    parent[path[-1]] = other
    return f"{path} = {other!r:.30}"


def _used(content: bytes) -> None:
    """Load a file; if it is accepted, predict, draw and train further."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model")
        path.write_bytes(content)
        model = _loaded(path)
    X = pair()
    uses: tuple[Callable[[], Any], ...] = (
        lambda: model.predict_proba(X),
        lambda: model.score_samples(X),
        lambda: model.inverse_transform(model.transform(X)),
        lambda: model.to_graph().joint(),
        lambda: model.set_params(random_state=0).sample(2),
        lambda: _brief(model).fit(X),
    )
    errors = []
    for use in uses:
        try:
            require_finite(use())
        except (ValueError, TypeError) as error:
            errors.append(error)
    if errors:
        raise errors[0]


def _brief(model: CausalPIMA) -> CausalPIMA:
    """Let an estimator train briefly; a graph has no parts to set."""
    names = model.get_params()
    return model.set_params(**{name: value for name, value in BRIEF.items() if name in names})


def _loaded(path: Path) -> CausalPIMA:
    """Load a file; its error names it."""
    try:
        return CausalPIMA.load(path)
    except ValueError as error:
        if str(path) not in str(error):
            raise RuntimeError(f"an error that does not name the file: {error}") from error
        raise
    except TypeError as error:
        raise RuntimeError(f"load raises {error!r}") from error
