"""What it means that two fits are equal, bit by bit."""

from dataclasses import is_dataclass
from types import SimpleNamespace

import networkx as nx
import numpy as np

METHODS = ["transform", "predict", "predict_proba", "predict_nodes", "score_samples"]


def assert_same(one, other, where):
    """Compare two values of any kind that fitted attributes have."""
    assert type(one) is type(other), where
    if isinstance(one, np.ndarray):
        np.testing.assert_array_equal(one, other, err_msg=where)
        assert one.dtype == other.dtype, where
    elif isinstance(one, nx.DiGraph):
        assert nx.utils.graphs_equal(one, other), where
    elif isinstance(one, np.random.RandomState):
        assert_same(one.get_state(legacy=False), other.get_state(legacy=False), where)
    elif isinstance(one, SimpleNamespace) or is_dataclass(one):
        assert_same(vars(one), vars(other), where)
    elif isinstance(one, list | tuple):
        assert len(one) == len(other), where
        for position, (first, second) in enumerate(zip(one, other, strict=True)):
            assert_same(first, second, f"{where}[{position}]")
    elif isinstance(one, dict) or hasattr(one, "keys"):
        assert list(one) == list(other), where
        for key in one:
            assert_same(one[key], other[key], f"{where}[{key!r}]")
    else:
        assert one == other, where


def assert_same_fits(one, other, X, of_first=()):
    """Compare all fitted attributes, and what the methods say of data.

    ``of_first`` names attributes that a continued fit keeps from its first one.
    """
    attributes = [name for name in vars(other) if name.endswith("_") and not name.startswith("_")]
    assert set(attributes) == {n for n in vars(one) if n.endswith("_") and not n.startswith("_")}
    assert len(attributes) > 20
    for name in set(attributes) - set(of_first):
        assert_same(getattr(one, name), getattr(other, name), name)
    for method in METHODS:
        assert_same(getattr(one, method)(X), getattr(other, method)(X), method)
