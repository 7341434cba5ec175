"""What is no X and no y: it is called by its name, and told what to pass in its place."""

import numpy as np
import pandas as pd
import pytest
import torch
from gate import read
from scipy import sparse
from torch.utils.data import DataLoader, TensorDataset

from skcausalpima import MultimodalData
from skcausalpima._data.recipes import check_target


def other_library(module, name, *bases):
    """Return an object of a library that is not there; whoever asks for its entries never ends."""
    members = {"__len__": lambda self: 9, "__getitem__": lambda self, key: key}
    return type(name, bases, {"__module__": module, **members})()


TENSORS = TensorDataset(torch.zeros(5, 2), torch.zeros(5, 3))
STRUCTURED = np.zeros(5, dtype=[("image", float, (2, 2)), ("speed", float)])
MUDATA = other_library("mudata._core.mudata", "MuData", dict)
ANNDATA = other_library("anndata._core.anndata", "AnnData")


@pytest.mark.parametrize(
    ("X", "match"),
    [
        (MUDATA, r"X is a MuData.*part.to_df\(\)"),
        (ANNDATA, r"X is a AnnData.*X.to_df\(\)"),
        ([np.ones((9, 2)), ANNDATA], r"modality 'modality1' is a AnnData.*to_df\(\)"),
        ({"a": MUDATA}, r"modality 'a' is a MuData"),
        (other_library("zarr.core.group", "Group"), r"X is a Group.*X\[name\] for"),
        (other_library("pyarrow.lib", "Table"), r"X is a Table.*X.to_pandas\(\)"),
        (other_library("polars.lazyframe.frame", "LazyFrame"), r"X is a LazyFrame.*X.collect\(\)"),
        (
            other_library("somewhere", "Thing"),
            "X is a Thing: expected .*a mapping from names to arrays.*a torch tensor.*one array",
        ),
        (TENSORS, r"X is a TensorDataset.*list\(X.tensors\)"),
        (DataLoader(TENSORS), r"X is a DataLoader.*X.dataset"),
        ((row for row in np.zeros((5, 2))), r"X is a generator.*np.stack\(list\(X\)\)"),
        ({}.items(), r"dict\(X\)"),
        ({}.keys(), "the mapping itself"),
        ("data.npy", r"X is 'data.npy': expected .*a MultimodalData.*np.load"),
        ({1.0, 2.0}, "X is a set"),
        (MultimodalData, "X is the class MultimodalData"),
        (STRUCTURED, r"fields, \('image', 'speed'\).*X.dtype.names"),
        ({"a": {"b": np.zeros((5, 2))}}, "modality 'a' is a dict.*one array"),
        ([{"a": 1.0}] * 5, r"list of 5 mappings.*pandas.DataFrame\(X\)"),
        (torch.ones(5, 2).bfloat16(), r"X.*torch.bfloat16.*\.float\(\)"),
        ([torch.ones(5, 2).bfloat16()] * 2, r"modality0.*torch.bfloat16.*\.float\(\)"),
    ],
)
def test_what_is_no_array_is_named(X, match):
    with pytest.raises(TypeError, match=f"(?s){match}"):
        read(X)


ONES = np.ones((5, 2))
OBJECTS = np.empty(5, dtype=object)
OBJECTS[:] = [np.ones(k + 1) for k in range(5)]


@pytest.mark.parametrize(
    "y",
    [
        np.ones((5, 2, 2)),
        ONES,
        ONES[:, :1],
        pd.DataFrame(ONES),
        torch.ones(5, 2),
        sparse.csr_array(ONES),
        ONES.tolist(),
        list(ONES),
        OBJECTS,
        [np.ones((5, 2, 2)), ONES],
        {"curve": ONES},
        MultimodalData([np.ones((5, 2, 2)), ONES]),
    ],
)
def test_a_second_modality_is_no_target(y):
    told = r"y is .*ignored.*pass all modalities as one argument.*fit\(\[images, curves\]\)"
    with pytest.raises(ValueError, match=f"(?s){told}.*known_nodes"):
        check_target(y)


@pytest.mark.parametrize(
    "y",
    [
        None,
        np.arange(5),
        ["a", "b", "a", "b", "a"],
        range(5),
        pd.Series(list("ababa")),
        torch.arange(5),
        [10**400] * 5,
    ],
    ids=repr,
)
def test_one_label_for_each_sample_is_a_target(y):
    assert check_target(y) is None
