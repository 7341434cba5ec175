"""Values that a caller could pass by mistake: expressions, and changes to a right value.

Everything is drawn from a generator, and every value has a text from which it can be made again.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import networkx as nx
import numpy as np
import pandas as pd
import torch
from scipy import sparse

from skcausalpima import MultimodalData

NAMES = {"nx": nx, "np": np, "pd": pd, "torch": torch, "sparse": sparse, "M": MultimodalData}

#: Numbers; the last three are sizes that no machine has.
NUMBERS = (
    *("None", "True", "False", "-1", "0", "1", "2", "0.5", "-0.5", "1.0", "2.5", "1j"),
    *("float('nan')", "float('inf')", "-float('inf')", "1e308", "-1e308", "1e-320", "1e160"),
    *("np.float32(3e38)", "np.int8(-128)", "np.bool_(True)", "np.array(2)", "torch.tensor(2)"),
    *("np.datetime64('NaT')", "np.float64('nan')", "'1'", "'nan'", "2**64", "-2**64", "10**400"),
)
HUGE = ("2**64", "-2**64", "10**400")
WORDS = ("''", "'x'", "'auto'", "'N1'", "'\\0'", "b'x'", "'x' * 300", "'\\ud800'")
CONTAINERS = (
    *("[]", "()", "{}", "set()", "[None]", "[[]]", "[[], [1]]", "{'a': 1}", "{1: 2}", "[5]"),
    *("['a', 'b']", "[2, 2]", "(0, 2)", "[-2, 2]", "[2.5, 2]", "[2, 2**70]", "[10**400]"),
    *("[1e308, 1e308]", "[float('nan')] * 2", "['a', 'a']", "[None, None]", "[True, False]"),
    *("{'N1': 0}", "{'N1': 5}", "{'N1': None}", "{'N1': float('nan')}", "{'N1': [0.5, 0.6]}"),
    *("{'N9': 0}", "[('N1', 'N2')]", "[('N1', 'N1')]", "[('N1', 'N2'), ('N2', 'N1')]"),
    *("[['N1'], ['N2']]", "[['N1', 'N1']]", "{('N1', 'N2'): 1}", "[('N1',)]", "range(3)"),
    *("iter([1, 2])", "{'modality0': None}", "{'modality9': None}", "frozenset({1})"),
)
ARRAYS = (
    *("np.array([])", "np.zeros((0, 4))", "np.zeros((3, 0))", "np.zeros((1, 1))", "np.ones(5)"),
    *("np.full((32, 4), np.nan)", "np.full((32, 4), np.inf)", "np.array(['a', 'b'])"),
    *("np.zeros((32, 4), dtype=object)", "np.zeros((32, 4), dtype='U3')", "np.ones((32, 4)) * 1j"),
    *("np.zeros((32, 4), dtype='M8[s]')", "np.zeros(3, dtype=[('a', 'f8')])", "np.eye(4)"),
    *("np.ma.masked_all((32, 4))", "np.zeros((32, 2, 2, 2, 2))", "np.matrix(np.eye(4))"),
    *("np.ones((32, 4)) * 1e308", "np.ones((32, 4)) * 1e160", "-np.ones((32, 4))"),
    *("np.ones((32, 4), dtype=np.float16)", "np.ones((32, 4), dtype=np.int64)", "np.ones(32)"),
    *("np.ones((32, 4), dtype=np.longdouble)", "np.full(32, 1e308)", "np.zeros(32)"),
    *("np.ones((32, 4), dtype=bool)", "np.broadcast_to(1.0, (32, 4))", "np.arange(4)[::-1]"),
    *("torch.ones(32, 4)", "torch.ones(32, 4, requires_grad=True)", "torch.ones(32, 4).bfloat16()"),
    *("torch.ones(32, 4, device='meta')", "torch.ones(32, 4).to_sparse()", "torch.empty(0)"),
    *("sparse.csr_matrix(np.eye(4))", "sparse.coo_array(np.eye(4))", "pd.Series([1, 2])"),
    *("pd.DataFrame({'a': ['x'] * 32})", "pd.DataFrame({'a': [1.0] * 32, 'b': [None] * 32})"),
    *("pd.DataFrame(np.ones((32, 4))).iloc[::-1]", "pd.DataFrame()", "pd.NA", "pd.NaT"),
    *("pd.DataFrame(np.ones((32, 4)), columns=list('aabb'))", "pd.Categorical(['a', 'b'])"),
    *("M([np.ones((32, 3, 2))])", "M([np.ones((32, 4)), None])", "M([np.zeros((0, 4))])"),
)
OBJECTS = (
    *("object()", "object", "len", "(lambda: None)", "(lambda *a: None)", "(lambda *a: a)"),
    *("nx.DiGraph()", "nx.Graph([('N1', 'N2')])", "nx.MultiDiGraph([('N1', 'N2')])"),
    *(
        "nx.DiGraph([('N1', 'N2'), ('N2', 'N1')])",
        "nx.DiGraph([('N1', 'N1')])",
        "nx.DiGraph([(1, 2)])",
    ),
    *("torch.nn.Identity()", "torch.nn.Linear(3, 3)", "torch.nn.Flatten()", "Ellipsis", "slice(2)"),
    *("np.random.RandomState(0)", "np.random.default_rng(0)", "Exception('x')", "NotImplemented"),
)
ANYTHING = (NUMBERS, WORDS, CONTAINERS, ARRAYS, OBJECTS)
#: What one entry of a sequence or mapping may become.
ENTRIES = (*NUMBERS, *WORDS, "[]", "object()", "np.ones((32, 4))", "np.array(['a'])")
#: What one element of an array of numbers may become.
ELEMENTS = ("nan", "inf", "-inf", "1e308", "-1e308", "1e160", "1e20", "-1", "0", "0.5", "1e-320")


def evaluated(text: str) -> Any:
    """Return the value of an expression of ours."""
    return eval(text, dict(NAMES))


def hostile(rng: np.random.Generator, base: Any, huge: bool) -> tuple[str, Any]:
    """Return text and value of something to pass instead of ``base``.

    ``huge`` says whether whole numbers that no machine can reach are among it.
    """
    if rng.random() < 0.6:
        changed = _changed(rng, base, huge)
        if changed is not None:
            return changed
    return _expression(rng, ANYTHING[rng.integers(len(ANYTHING))], huge)


def _expression(rng: np.random.Generator, texts: tuple, huge: bool) -> tuple[str, Any]:
    texts = [text for text in texts if huge or text not in HUGE]
    text = texts[rng.integers(len(texts))]
    return text, evaluated(text)


def _changed(rng: np.random.Generator, base: Any, huge: bool) -> tuple[str, Any] | None:
    """Return text and value of a right value with one change, if there is a change for it."""
    if isinstance(base, np.ndarray) and base.dtype.kind in "fiub":
        return _changed_array(rng, base)
    if torch.is_tensor(base):
        return _changed_tensor(rng, base)
    if isinstance(base, Mapping) and base:
        return _changed_entry(rng, dict(base), list(base), huge)
    if isinstance(base, (list, tuple)) and base:
        text, changed = _changed_entry(rng, list(base), list(range(len(base))), huge)
        return text, tuple(changed) if type(base) is tuple else changed
    if isinstance(base, (int, float)):
        return _expression(rng, NUMBERS, huge)
    return None


def _changed_entry(rng, entries: Any, keys: list, huge: bool) -> tuple[str, Any]:
    """Change, drop or repeat one entry of a list or dict."""
    key = keys[rng.integers(len(keys))]
    way = rng.integers(6)
    if way == 0:
        del entries[key]
        return f"base without {key!r}", entries
    if way == 1 and isinstance(entries, list):
        return f"[*base, base[{key}]]", [*entries, entries[key]]
    if way == 2 and isinstance(entries, dict):
        return f"base with 'x' as {key!r}", {**entries, "x": entries[key]}
    text, entries[key] = hostile(rng, entries[key], huge)
    return f"base with [{key!r}] = {text}", entries


def _set_element(array: Any, position: int, number: float) -> Any:
    flat = array.reshape(-1)
    flat[position] = number
    return flat.reshape(array.shape)


def _changed_array(rng: np.random.Generator, base: np.ndarray) -> tuple[str, Any]:
    """Change values, shape or type of an array."""
    as_floats = np.array(base, dtype=float)
    position, number = int(rng.integers(max(base.size, 1))), ELEMENTS[rng.integers(len(ELEMENTS))]
    dtype = ("f4", "f2", "i8", "u1", "O", "U9", "c16", "?", "M8[s]", ">f8", "g")[rng.integers(11)]
    changes = {
        f"base with .flat[{position}] = {number}": lambda: _set_element(
            as_floats, position, float(number)
        ),
        f"base * {number}": lambda: as_floats * float(number),
        f"base with [0] = {number}": lambda: np.concatenate(
            [np.full_like(as_floats[:1], float(number)), as_floats[1:]]
        ),
        f"base.astype({dtype!r})": lambda: np.nan_to_num(base).astype(dtype),
        "base[:-1]": lambda: base[:-1],
        "base[:1]": lambda: base[:1],
        "base[:0]": lambda: base[:0],
        "base.T": lambda: base.T,
        "base[None]": lambda: base[None],
        "base.ravel()": lambda: base.ravel(),
        "base[..., :1]": lambda: base[..., :1],
        "base.tolist()": lambda: base.tolist(),
        "base[::-1, ...]": lambda: base[::-1, ...],
        "base with all elements as [0]": lambda: np.repeat(base[:1], len(base), axis=0),
        "sparse of base": lambda: sparse.csr_matrix(base.reshape(len(base), -1)),
        "torch of base": lambda: torch.tensor(np.array(base)),
        "frame of base": lambda: pd.DataFrame(base.reshape(len(base), -1)),
    }
    return _one_of(rng, changes, base)


def _changed_tensor(rng: np.random.Generator, base: torch.Tensor) -> tuple[str, Any]:
    """Change values, shape or type of a tensor."""
    position, number = (
        int(rng.integers(max(base.numel(), 1))),
        ELEMENTS[rng.integers(len(ELEMENTS))],
    )
    changes = {
        f"base with element {position} = {number}": lambda: _set_element(
            base.detach().clone().double(), position, float(number)
        ),
        f"base * {number}": lambda: base * float(number),
        "base.float()": lambda: base.float(),
        "base.long()": lambda: base.long(),
        "base.bfloat16()": lambda: base.bfloat16(),
        "base[:-1]": lambda: base[:-1],
        "base[:0]": lambda: base[:0],
        "base[None]": lambda: base[None],
        "base[..., :1]": lambda: base[..., :1],
        "base.mT": lambda: base.mT,
        "base on 'meta'": lambda: base.to("meta"),
        "base.numpy()": lambda: base.detach().numpy(),
    }
    return _one_of(rng, changes, base)


def _one_of(rng: np.random.Generator, changes: dict, base: Any) -> tuple[str, Any]:
    text = list(changes)[rng.integers(len(changes))]
    try:
        return text, changes[text]()
    except (ValueError, TypeError, RuntimeError, IndexError, OverflowError):
        return "base itself", copy.deepcopy(base)  # it has no rows, or one axis
