"""What is in cells where numbers are expected, and the lines of code that make numbers of it."""

import numpy as np
import pandas as pd
import pytest
from gate import Gate, read
from numpy.testing import assert_array_equal
from pandas.testing import assert_frame_equal

from skcausalpima import MultimodalData

MIXED = pd.DataFrame(
    {
        "x": np.linspace(0.0, 1.0, 24),
        "site": ["north", "south"] * 12,
        "kind": pd.Categorical(["p", "q", "r", "s"] * 6),
        "mass": [*map(float, range(0, 46, 2)), "n/a"],
        "day": pd.date_range("2026-01-01", periods=24),
        "width": np.arange(24) % 5 + 0.5,
    }
)
TEXTS = MIXED[["x", "site", "kind", "width"]]
CURVES = np.random.default_rng(0).normal(size=(24, 3))
REFUSED = {
    "text, dates and gaps": MIXED,
    "dates": MIXED[["x", "day"]],
    "gaps": MIXED[["x", "mass"]],
    "array of objects": TEXTS.to_numpy(),
    "array of texts": np.array([["1", "a"], ["2", "b"]] * 12),
    "lists": TEXTS.to_numpy().tolist(),
    "mapping, all": {"table": MIXED, "curve": CURVES},
    "mapping, dates": {"table": MIXED[["x", "day"]], "curve": CURVES},
    "mapping of arrays": {"table": TEXTS.to_numpy(), "curve": CURVES},
    "container, all": MultimodalData({"table": MIXED, "curve": CURVES}),
}
ACCEPTED = {
    "frame": TEXTS,
    "only texts": TEXTS[["site", "kind"]],
    "numbered columns": TEXTS.set_axis(range(4), axis=1),
    "mapping": {"table": TEXTS, "curve": CURVES},
    "mapping of a column": {"table": TEXTS["site"], "curve": CURVES},
    "mapping, numbered": {"table": TEXTS.set_axis(range(4), axis=1), "curve": CURVES},
    "list": [CURVES, TEXTS],
    "container": MultimodalData({"table": TEXTS, "curve": CURVES}),
    "two levels": pd.concat({"table": TEXTS, "curve": pd.DataFrame(CURVES)}, axis=1),
}


def advised(X):
    """Return what the lines of code that an error ends with make of X, and the first line."""
    with pytest.raises(TypeError, match="where numbers are expected") as error:
        read(X)
    said, *lines = str(error.value).splitlines()
    assert lines
    names = {"X": X}
    exec("\n".join(line.removeprefix("    ") for line in lines), names)
    return names["X"], said


@pytest.mark.parametrize("form", REFUSED)
def test_the_advice_on_texts_works_word_for_word(form):
    assert read(advised(REFUSED[form])[0]).n_samples == 24


@pytest.mark.parametrize("form", ACCEPTED)
def test_frames_with_texts_are_read(form):
    gate = Gate().fit(ACCEPTED[form])
    assert "categorical" in str(gate.likelihoods_)
    again = gate.read(ACCEPTED[form])
    for array, other in zip(again.arrays, gate.modalities_.arrays, strict=True):
        assert_array_equal(array, other)


def test_the_advice_on_texts_names_all_columns():
    X, said = advised(MIXED)
    assert "text ('n/a') among the numbers in column 'mass'" in said
    assert "dates in column 'day'" in said
    assert_frame_equal(X[list(TEXTS)], TEXTS)
    assert X["mass"].isna().tolist() == [False] * 23 + [True]
    assert X["day"][1] == 86400.0


def test_the_advice_on_texts_keeps_the_other_modalities():
    made, said = advised({"table": TEXTS.to_numpy(), "curve": CURVES})
    assert "modality 'table' holds text" in said
    assert made.names == ("table", "curve", "table words")
    assert_array_equal(made["curve"], CURVES)
    assert made["table"].shape == (24, 2)


WORDS = np.array([[0.0, "s"], [1.0, "g"]] * 3, dtype=object)
RAGGED = np.empty(5, dtype=object)
RAGGED[:] = [np.zeros((2, 2 + k)) for k in range(5)]
IMAGES = np.empty(9, dtype=object)
IMAGES[:] = list(np.random.default_rng(0).normal(size=(9, 4, 4)))
SEVERAL_SHAPES = r"several shapes, such as \(2, 2\) and \(2, 3\).*resize or pad.*np.stack"
ONE_SHAPE = r"arrays of shape \(4, 4\).*np.stack\(list\(array\)\)"


@pytest.mark.parametrize(
    ("X", "match"),
    [
        (WORDS, r"X holds text \('s'\) in column 1.*OneHotEncoder"),
        ({"t": WORDS}, r"modality 't' holds text .* column 1.*OneHotEncoder"),
        (pd.DataFrame({"image": list(np.zeros((5, 2)))}), "arrays in column 'image'.*from_frame"),
        (RAGGED, SEVERAL_SHAPES),
        ({"image": RAGGED}, SEVERAL_SHAPES),
        ([RAGGED, np.ones((5, 2))], SEVERAL_SHAPES),
        (IMAGES, ONE_SHAPE),
        ({"image": IMAGES}, ONE_SHAPE),
    ],
)
def test_words_and_arrays_in_cells_are_named(X, match):
    with pytest.raises(TypeError, match=f"(?s){match}"):
        read(X)
