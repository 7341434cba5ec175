"""A fit in a file keeps the axes of its data, and a file has none that do not fit."""

import pickle

import numpy as np
import pytest
from resigned_files import read_file, write_file

from skcausalpima import CausalPIMA, MultimodalData
from skcausalpima._state.plain import TAG

SHIFT = np.array([9.0, 7.5, 5.0, 1.0])
ROWS = ("depth / mm", np.array([0.0, 0.5, 1.0]))


@pytest.fixture(scope="module")
def fit(brief):
    """A fit whose modalities have axes; leave it as it is."""
    rng = np.random.default_rng(0)
    parts = {"raman": rng.normal(size=(30, 4)), "image": rng.normal(size=(30, 3, 2))}
    axes = {"raman": ("shift $_x$\n / cm-1", SHIFT), "image": [ROWS, None]}
    return brief((2, 2)).fit(MultimodalData(parts, axes=axes))


def by_file(est, path):
    est.save(path / "model")
    return CausalPIMA.load(path / "model")


@pytest.mark.parametrize("again", [by_file, lambda est, path: pickle.loads(pickle.dumps(est))])
def test_axes_come_back(fit, tmp_path, again):
    axes = again(fit, tmp_path).modality_axes_in_
    assert axes["raman"][0] == "shift $_x$ / cm-1"
    np.testing.assert_array_equal(axes["raman"][1], SHIFT)
    assert axes["image"][0][0] == "depth / mm"
    np.testing.assert_array_equal(axes["image"][0][1], ROWS[1])
    assert axes["image"][1] is None


def tables_of(document):
    """Return the plain data of both modalities, each a dict of lists of keys and values."""
    return document["input"]["_modality_tables"]


CHANGES = {
    "shorter": (lambda a: a[:-1].copy(), r"it has axes of \[3\] numbers for samples of shape \(4,"),
    "unordered": (lambda a: a[[0, 2, 1, 3]], "its axis is to rise or fall"),
    "nan": (lambda a: np.full_like(a, np.nan), "its axis is to have finite numbers"),
    "booleans": (lambda a: a > 3, "its axis has the dtype bool"),
    "table": (lambda a: a[:, None].copy(), "its axis is to have 4 numbers"),
}


@pytest.mark.parametrize(("change", "words"), CHANGES.values(), ids=CHANGES)
def test_axes_of_a_file_are_checked(fit, tmp_path, change, words):
    fit.save(tmp_path / "model")
    document, arrays = read_file(tmp_path / "model")
    (name,) = [name for name, a in arrays.items() if ".axes." in name and len(a) == 4]
    write_file(tmp_path / "model", document, arrays | {name: change(arrays[name])})
    with pytest.raises(ValueError, match=words):
        CausalPIMA.load(tmp_path / "model")


@pytest.mark.parametrize("value", [None, True, 3, "x", [3], [None, None], {TAG: "dict"}])
def test_something_in_place_of_axes(fit, tmp_path, value):
    fit.save(tmp_path / "model")
    document, arrays = read_file(tmp_path / "model")
    table = tables_of(document)[0]
    table["values"][table["keys"].index("axes")] = value
    kept = {n: a for n, a in arrays.items() if not (".axes." in n and len(a) == 4)}
    write_file(tmp_path / "model", document, kept)
    with pytest.raises(ValueError, match="cannot be loaded"):
        CausalPIMA.load(tmp_path / "model")
