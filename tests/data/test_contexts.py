"""Contexts are entries of X by name, in all of its forms that have names."""

import datetime

import numpy as np
import pandas as pd
import pytest
from gate import read

from skcausalpima import MultimodalData
from skcausalpima._base.parameter_objects import Context
from skcausalpima._data.containers import without_contexts
from skcausalpima._data.contexts import context_names, read_contexts

LABELS = ["b", "a", "b", "a", "b", "a"]
IMAGES = np.zeros((6, 2, 2))


def forms():
    frame = pd.DataFrame(np.zeros((6, 2)), columns=["x", "y"])
    levels = pd.concat({"table": frame, "site": pd.DataFrame({"label": LABELS})}, axis=1)
    return {
        "mapping": {"image": IMAGES, "site": LABELS},
        "container": MultimodalData({"image": IMAGES, "site": np.array(LABELS)}),
        "frame": frame.assign(site=LABELS),
        "categorical": frame.assign(site=pd.Categorical(LABELS)),
        "levels": levels,
    }


@pytest.mark.parametrize("form", forms())
def test_contexts_are_taken_out_of_all_forms(form):
    rest, taken = without_contexts(forms()[form], ["site"])
    found = read_contexts(taken, 6)
    assert found.labels["site"].tolist() == ["a", "b"]
    np.testing.assert_array_equal(found.codes, [[1, 0, 1, 0, 1, 0]])
    assert "site" not in rest


def test_contexts_are_taken_out_of_a_dataset():
    xarray = pytest.importorskip("xarray")
    image = xarray.DataArray(IMAGES, dims=("sample", "i", "j"))
    data = xarray.Dataset({"image": image, "site": ("sample", LABELS)})
    for given in (data, data.set_coords("site")):
        rest, taken = without_contexts(given, ["site"])
        assert read_contexts(taken, 6).codes.tolist() == [[1, 0, 1, 0, 1, 0]]
        assert list(rest) == ["image"]


@pytest.mark.parametrize(
    "labels",
    [
        [3, 1, 3, 1, 1, 3],
        [True, False] * 3,
        [("lab", 1), ("lab", 2)] * 3,
        [datetime.date(2026, 1, day) for day in (2, 1, 2, 1, 2, 1)],
        np.array(["2026-01-02", "2026-01-01"] * 3, dtype="datetime64[D]"),
        np.array([[1], [2]] * 3),
        pd.Series(LABELS),
    ],
)
def test_labels_may_be_of_any_hashable_kind(labels):
    found = read_contexts({"site": labels}, 6)
    assert len(found.labels["site"]) == 2
    assert sorted(found.labels["site"].tolist()) == found.labels["site"].tolist()
    again = read_contexts({"site": labels}, 6, found.labels)
    np.testing.assert_array_equal(again.codes, found.codes)


@pytest.mark.parametrize(
    "labels",
    [
        np.array([True, False] * 3),
        np.array([1, 2] * 3, dtype=np.int8),
        np.array(["2026-01-02", "2026-01-01"] * 3, dtype="datetime64[D]"),
    ],
)
def test_labels_of_numpy_in_a_list_are_those_of_its_arrays(labels):
    found = read_contexts({"site": labels}, 6)
    in_list = read_contexts({"site": list(labels)}, 6)
    assert in_list.labels["site"].dtype == found.labels["site"].dtype
    assert list(map(type, in_list.labels["site"])) == list(map(type, found.labels["site"]))
    again = read_contexts({"site": list(labels[:2])}, 2, found.labels)
    np.testing.assert_array_equal(again.codes, found.codes[:, :2])


def test_labels_may_be_missing_after_fit():
    known = {"site": np.array(["a", "b"])}
    found = read_contexts({"site": ["b", None, np.nan, "a"]}, 4, known)
    assert found.codes.tolist() == [[1, -1, -1, 0]]
    assert read_contexts({"site": None}, 2, known).codes.tolist() == [[-1, -1]]
    with pytest.raises(ValueError, match="sample 1 has no label of the context 'site'"):
        found.check_complete()


@pytest.mark.parametrize(
    ("labels", "told"),
    [
        (["a", None] * 3, "sample 1 has no label of the context 'site': give such samples a label"),
        (["a", np.nan, "nan", "a", "a", "a"], "sample 1 has no label"),
        (["a", "nan"] * 3, "'nan', which NumPy makes of a label that is missing"),
        (["a"] * 6, "all samples have the label 'a' of the context 'site'"),
        (list("abcdef"), "has 6 labels for 6 samples"),
        ([1, "1"] * 3, "mixed types, numbers and strings"),
        ([1, True] * 3, "mixed types|all samples have the label"),
        (LABELS[:3], "has 3 labels for 6 samples"),
        (IMAGES, "expected a vector with the label of each sample"),
        ("a", "expected a vector with the label of each sample"),
    ],
)
def test_labels_that_say_nothing_are_refused(labels, told):
    with pytest.raises(ValueError, match=told):
        read_contexts({"site": labels}, 6)


def test_labels_must_be_hashable():
    with pytest.raises(TypeError, match="labels must be hashable"):
        read_contexts({"site": [["a"], ["b"]] * 3}, 6)


def test_an_unknown_label_is_told_what_to_do():
    with pytest.raises(ValueError, match=r"fit has seen \['a', 'b'\]: est.adapt\(X_new\)"):
        read_contexts({"site": ["c"]}, 1, {"site": np.array(["a", "b"])})


def test_types_of_labels_are_named():
    told = "which is among bytes, but those that fit has seen are strings"
    with pytest.raises(ValueError, match=told):
        read_contexts({"site": [b"a"]}, 1, {"site": np.array(["a", "b"])})


def test_contexts_that_determine_each_other_are_named():
    told = "contexts 'site' and 'day' determine each other"
    with pytest.raises(ValueError, match=told):
        read_contexts({"site": LABELS, "day": [2, 1] * 3}, 6)
    read_contexts({"site": LABELS, "day": [1, 1, 2, 2, 3, 3]}, 6)


@pytest.mark.parametrize(
    ("X", "told"),
    [
        ([IMAGES, IMAGES], "whose parts have no names"),
        (IMAGES, "whose parts have no names"),
        ({"image": IMAGES}, r"contexts names 'site', but X has the entries \['image'\]"),
        ({"site": LABELS}, "X has nothing besides the contexts"),
    ],
)
def test_forms_without_the_name_are_refused(X, told):
    with pytest.raises(ValueError, match=told):
        without_contexts(X, ["site"])


def test_names_are_those_of_words_and_objects():
    assert context_names(None) == []
    assert context_names("site") == context_names(Context("site")) == ["site"]
    assert context_names(["site", Context("day")]) == ["site", "day"]
    assert context_names(np.array(["site", "day"])) == ["site", "day"]


def test_labels_that_no_context_names_are_told_of():
    X = {"image": IMAGES, "instrument": np.array(LABELS)}
    with pytest.raises(TypeError, match=r"Labels of instruments.*: contexts='instrument'"):
        read(X)
    with pytest.raises(ValueError, match=r"the context 'image' is .*expected a vector"):
        read(X | {"image": IMAGES}, contexts="image")
    assert read(X, contexts="instrument").names == ("image",)
