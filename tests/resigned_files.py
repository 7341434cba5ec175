"""Model files with one value changed and a checksum that is right, and what becomes of them."""

import copy
import json
import warnings

import numpy as np
import safetensors.numpy
from safetensors import safe_open

from skcausalpima._state.file import FORMAT, _digest

NAN = {"$": "float", "value": "nan"}

#: What becomes of an array; None removes it.
ARRAY_CHANGES = {
    "removed": lambda a: None,
    "first element": lambda a: a.ravel()[:1].copy(),
    "first entry": lambda a: a[:1].copy() if a.ndim else a.reshape(1),
    "twice": lambda a: np.concatenate([np.atleast_1d(a)] * 2),
    "transposed": lambda a: np.array(a.T, order="C"),
    "further axis": lambda a: a[None].copy(),
    "nothing": lambda a: np.empty(0, a.dtype),
    "reversed": lambda a: np.flip(a).copy(),
    "float16": lambda a: a.astype(np.float16),
    "float32": lambda a: a.astype(np.float32),
    "float64": lambda a: a.astype(np.float64),
    "int64": lambda a: a.astype(np.int64),
    "bool": lambda a: a.astype(bool),
    "nan": lambda a: np.full_like(a, np.nan) if a.dtype.kind == "f" else np.flip(a) + 1,
    "infinite": lambda a: np.full_like(a, np.inf) if a.dtype.kind == "f" else a * 0,
    "negative": lambda a: -a - 1 if a.dtype.kind != "u" else a // 2,
    "zero": np.zeros_like,
    "large": lambda a: np.full_like(a, 1e30 if a.dtype.kind == "f" else np.iinfo(a.dtype).max),
    "one number": lambda a: changed_once(a),
}
#: What takes the place of a value that is no array.
VALUES = {
    "none": None,
    "true": True,
    "minus one": -1,
    "zero": 0,
    "large": 10**30,
    "half": 0.5,
    "nan": NAN,
    "text": "x",
    "list": [],
    "tuple": {"$": "tuple", "items": []},
    "mapping": {"$": "dict", "keys": [], "values": []},
}


def changed_once(array):
    """Return the array with its middle number changed."""
    out = array.copy()
    flat = out.reshape(-1)
    if flat.size:
        flat[flat.size // 2] = 1 - flat[flat.size // 2]
    return out


def read_file(path):
    with safe_open(str(path), framework="numpy") as file:
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        return json.loads(file.metadata()[FORMAT]), arrays


def write_file(path, document, arrays, digest=True):
    """Write a file whose checksum is right, whatever it holds."""
    if digest and isinstance(document, dict):
        document = document | {"sha256": _digest(document, arrays)}
    text = document if isinstance(document, str) else json.dumps(document)
    path.write_bytes(safetensors.numpy.save(arrays, {FORMAT: text}))


def entries(plain, path=()):
    """Return the path of every value below one in plain form."""
    pairs = plain.items() if isinstance(plain, dict) else enumerate(plain)
    for key, value in pairs:
        if key == "$":
            continue
        yield (*path, key)
        if isinstance(value, (dict, list)) and not (value and "array" in str(value)[:14]):
            yield from entries(value, (*path, key))


def changes(document, arrays, kinds=("fit",)):
    """Return all changes: (path, name of the change)."""
    paths = [path for kind in kinds for path in entries(document[kind], (kind,))]
    return [
        *((name, change) for name in sorted(arrays) for change in ARRAY_CHANGES),
        *((path, change) for path in paths for change in (*VALUES, "removed", "doubled")),
    ]


def changed(document, arrays, path, change):
    """Return document and arrays with one change; None where it changes nothing."""
    if isinstance(path, str):
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            array = ARRAY_CHANGES[change](arrays[path])
        same = array is not None and array.dtype == arrays[path].dtype
        if same and array.shape == arrays[path].shape and (array == arrays[path]).all():
            return None
        others = {name: a for name, a in arrays.items() if name != path}
        return document, others | ({} if array is None else {path: np.array(array, order="C")})
    document = copy.deepcopy(document)
    *way, last = path
    parent = document
    for key in way:
        parent = parent[key]
    before = json.dumps(document)
    if change == "removed":
        del parent[last]
    elif change == "doubled" and isinstance(parent, list):
        parent.insert(last, parent[last])
    elif change == "doubled":
        parent["more"] = parent[last]
    else:
        parent[last] = VALUES[change]
    return None if json.dumps(document) == before else (document, arrays)


def use(est, X):
    """Call every method of a fitted estimator, then train it further."""
    first = str(next(iter(est.dag_)))
    for name in ("predict_proba", "predict_nodes", "transform", "score_samples"):
        getattr(est, name)(X)
    est.inverse_transform(est.cluster_means_)
    est.sample(3)
    est.intervene({first: 1}, 3)
    est.counterfactual(X, {first: 1})
    repr(est.predict_expert_params(X)), repr(est.expert_params_)
    est.get_feature_names_out()
    est.set_params(max_iter=1).fit(X)
