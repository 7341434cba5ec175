"""The number of the format rises where what files hold changes."""

import hashlib
import json
import pickle

import numpy as np
import pandas as pd
import pytest
from resigned_files import read_file

from skcausalpima import CausalPIMA
from skcausalpima._state.file import VERSION
from skcausalpima._state.plain import FORMS, TAG
from skcausalpima.modules import ExpertDecoder, line

#: The present version, and the first digits of what ``layout`` comes to in it.
WRITTEN = (26, "5b3cf2ba4700")


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
    """If this fails, raise ``VERSION``, and write both here: other files are then refused."""
    frames = {name: pd.DataFrame(X.reshape(72, -1)) for name, X in zip("ab", pair, strict=True)}
    expert = ExpertDecoder(line, np.linspace(0.0, 1.0, 4), scatter=True)
    model = taught(experts={"b": expert}, warm_start=True, training__validation_fraction=0.2)
    model.fit(pd.concat(frames, axis=1)).save(tmp_path / "model")
    assert (VERSION, layout(tmp_path / "model")) == WRITTEN


def test_pickled_small_convolutions_stay_what_they_are(brief, pair):
    fitted = brief((2, 2), encoders="conv", decoders=["conv", "conv_paper"]).fit(pair)
    again = pickle.loads(pickle.dumps(fitted))
    assert (again.encoders, again.decoders) == ("conv", ["conv", "conv_paper"])
    np.testing.assert_array_equal(again.transform(pair), fitted.transform(pair))


def test_a_pickle_of_an_estimator_with_other_parameters_is_refused(fitted):
    state = fitted.__getstate__()
    del state["training"]
    told = r"another version of skcausalpima: it lacks the parameters \['training'\]"
    with pytest.raises(ValueError, match=told):
        CausalPIMA().__setstate__(state | {"tol": 1e-3})
