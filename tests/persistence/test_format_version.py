"""The number of the format rises where what files hold changes."""

import dataclasses
import hashlib
import json
import pickle

import numpy as np
import pandas as pd
import pytest
from resigned_files import read_file, write_file

from skcausalpima import CausalPIMA
from skcausalpima._state.file import VERSION
from skcausalpima._state.fitted import FITTED
from skcausalpima._state.older import PAPER_WORDS_UNTIL
from skcausalpima._state.plain import FORMS, TAG
from skcausalpima.modules import ExpertDecoder, line

#: The present version, and the first digits of what ``layout`` comes to in it.
WRITTEN = (23, "2ad9d8ab79fa")


def outline(plain, arrays):
    """Return plain data without values: names, kinds, and the axes of arrays."""
    if isinstance(plain, list):
        return sorted({json.dumps(outline(entry, arrays)) for entry in plain})
    if not isinstance(plain, dict):
        return "number" if isinstance(plain, (int, float)) else type(plain).__name__
    if plain.get(TAG) == "array":
        array = arrays[plain["name"]]
        return [plain["name"], array.dtype.str, array.ndim]
    if plain.get(TAG) == "float":
        return "number"
    entries = {key: outline(value, arrays) for key, value in plain.items() if key != "keys"}
    return entries | {TAG: plain.get(TAG), "keys": plain.get("keys")}


def layout(path):
    """Return what kinds of things a file holds, in few letters."""
    document, arrays = read_file(path)
    held = [outline(document[part], arrays) for part in ("fit", "input")]
    told = json.dumps([sorted(document), sorted(FORMS), held], sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()[:12]


def test_the_version_rises_with_the_format(taught, pair, tmp_path):
    """If this fails, raise ``VERSION``, and write both here: older files then say that they are."""
    frames = {name: pd.DataFrame(X.reshape(72, -1)) for name, X in zip("ab", pair, strict=True)}
    expert = ExpertDecoder(line, np.linspace(0.0, 1.0, 4), scatter=True)
    model = taught(experts={"b": expert}, warm_start=True, training__validation_fraction=0.2)
    model.fit(pd.concat(frames, axis=1)).save(tmp_path / "model")
    assert (VERSION, layout(tmp_path / "model")) == WRITTEN


def test_a_fit_of_the_version_before_was_not_asked_whether_samples_are_enough(fitted, tmp_path):
    fitted.save(tmp_path / "model")
    document, arrays = read_file(tmp_path / "model")
    del document["fit"]["found_again"]
    write_file(tmp_path / "model", document | {"version": 18}, arrays)
    assert CausalPIMA.load(tmp_path / "model").found_again_ is None


#: What was stated up to version 21, and the words that have meant it since.
CONVOLUTIONS = [
    (
        {"encoders": "conv", "decoders": "conv"},
        {"encoders": "conv_paper", "decoders": "conv_paper"},
    ),
    ({"encoders": ["conv", None]}, {"encoders": ["conv_paper", None]}),
    ({"decoders": ("mlp", "conv")}, {"decoders": ("mlp", "conv_paper")}),
    (
        {"decoders": {"modality0": "cluster_conv"}},
        {"decoders": {"modality0": "cluster_conv_paper"}},
    ),
]


def in_words_of_before(plain):
    """Return anything with the words for the paper's convolutions that it had up to version 21."""
    return json.loads(json.dumps(plain).replace("conv_paper", "conv"))


@pytest.mark.parametrize("meant", [meant for _, meant in CONVOLUTIONS], ids=str)
def test_convolutions_of_before_are_the_papers(brief, pair, tmp_path, meant):
    fitted = brief((2, 2), **meant).fit(pair)
    fitted.save(tmp_path / "model")
    document, arrays = read_file(tmp_path / "model")
    write_file(
        tmp_path / "model", in_words_of_before(document) | {"version": PAPER_WORDS_UNTIL}, arrays
    )
    loaded = CausalPIMA.load(tmp_path / "model")
    np.testing.assert_array_equal(loaded.transform(pair), fitted.transform(pair))
    assert {name: getattr(loaded, name) for name in meant} == meant
    write_file(tmp_path / "new", in_words_of_before(document), arrays)
    with pytest.raises(ValueError, match="but this model has"):
        CausalPIMA.load(tmp_path / "new")


@pytest.mark.parametrize(("stated", "meant"), CONVOLUTIONS, ids=str)
def test_pickled_convolutions_of_before_are_the_papers(brief, pair, stated, meant):
    """A pickle has no version: its arrays tell."""
    fitted = brief((2, 2), **meant).fit(pair)
    state = vars(fitted)[FITTED]
    words = {n: in_words_of_before(list(getattr(state.spec, n))) for n in ("encoders", "decoders")}
    older = vars(fitted) | stated
    older[FITTED] = dataclasses.replace(state, spec=dataclasses.replace(state.spec, **words))
    before = CausalPIMA()
    vars(before).update(older)
    again = pickle.loads(pickle.dumps(before))
    np.testing.assert_array_equal(again.transform(pair), fitted.transform(pair))
    assert {name: getattr(again, name) for name in meant} == meant


def test_pickled_small_convolutions_stay_what_they_are(brief, pair):
    fitted = brief((2, 2), encoders="conv", decoders=["conv", "conv_paper"]).fit(pair)
    again = pickle.loads(pickle.dumps(fitted))
    assert (again.encoders, again.decoders) == ("conv", ["conv", "conv_paper"])
    np.testing.assert_array_equal(again.transform(pair), fitted.transform(pair))


def test_a_fit_of_the_version_before_saw_all_samples_in_each_epoch(fitted, tmp_path):
    fitted.save(tmp_path / "model")
    document, arrays = read_file(tmp_path / "model")
    assert document["fit"]["convergence"].pop("share_of_samples", None) is not None
    write_file(tmp_path / "model", document | {"version": PAPER_WORDS_UNTIL}, arrays)
    assert CausalPIMA.load(tmp_path / "model").convergence_.share_of_samples == 1.0


def test_a_pickle_of_an_estimator_with_other_parameters_is_refused(fitted):
    state = fitted.__getstate__()
    del state["training"]
    told = r"another version of skcausalpima: it lacks the parameters \['training'\]"
    with pytest.raises(ValueError, match=told):
        CausalPIMA().__setstate__(state | {"tol": 1e-3})
