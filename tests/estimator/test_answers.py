"""What a fit says of samples, as a table in the user's words."""

import builtins

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skcausalpima import CausalPIMA

pytestmark = pytest.mark.short_fits


@pytest.fixture(scope="module")
def frame():
    rng = np.random.default_rng(0)
    factors = rng.integers(2, size=(120, 2))
    X = pd.DataFrame(
        rng.normal(size=(120, 4)) + 7 * factors @ np.array([[1, 1, 0, 0], [0, 0, 1, 1]]),
        columns=list("abcd"),
        index=[f"s{k}" for k in range(120)],
    )
    words = np.array(["gyroid", "octet"])[factors[:, 0]].astype(object)
    words[30:] = None
    return X, {"lattice": words.tolist()}


@pytest.fixture(scope="module")
def est(frame):
    X, known = frame
    sizes = {"lattice": 2, "state": 2}
    return CausalPIMA(sizes, max_iter=5, random_state=0).fit(
        X.iloc[:100], known_nodes={"lattice": known["lattice"][:100]}
    )


def test_a_row_has_the_answers_of_the_arrays(est, frame):
    X, _ = frame
    found = est.to_frame(X)
    assert found.index.equals(X.index)
    nodes, probabilities = est.predict_nodes(X), est.predict_proba(X)
    assert_array_equal(found["lattice"], np.array(["gyroid", "octet"])[nodes[:, 0]])
    assert_array_equal(found["state"], nodes[:, 1])
    assert_allclose(found["cell_probability"], probabilities.max(axis=1))
    first = probabilities @ (est.cluster_states_[:, 0] == 0)
    assert_allclose(found["lattice", "gyroid"], first)
    assert_allclose(found["lattice", "octet"], 1 - first, atol=1e-12)
    assert_allclose(found["log_density"], est.score_samples(X))
    of_nodes = est.predict_nodes(X, probabilities=True)
    assert [(name, of.shape) for name, of in of_nodes.items()] == [
        ("lattice", (len(X), 2)),
        ("state", (len(X), 2)),
    ]
    assert_allclose(of_nodes["lattice"][:, 0], first)
    for of in of_nodes.values():
        assert_allclose(of.sum(axis=1), 1.0)


def test_samples_of_the_fit_have_no_tail_probability(est, frame):
    X, _ = frame
    tails = est.to_frame(X)["tail_probability"]
    assert tails.iloc[:100].isna().all()
    assert_allclose(tails.iloc[100:], est.tail_probability(X)[100:])
    alone = est.to_frame(X.iloc[[105, 3]])["tail_probability"]  # in whatever company
    assert alone.isna().tolist() == [False, True]


def test_files_and_further_samples_know_them_too(est, frame, tmp_path):
    X, _ = frame
    est.save(tmp_path / "model")
    loaded = CausalPIMA.load(tmp_path / "model")
    pd.testing.assert_frame_equal(loaded.to_frame(X), est.to_frame(X))
    loaded.partial_fit(X.iloc[100:110])
    tails = loaded.to_frame(X)["tail_probability"]
    assert tails.iloc[:110].isna().all()
    assert tails.iloc[110:].notna().all()


def test_rows_of_weight_zero_are_none_of_the_fit(frame):
    X, _ = frame
    weights = np.r_[np.zeros(20), np.ones(100)]
    est = CausalPIMA(2, max_iter=1, random_state=0).fit(X, sample_weight=weights)
    assert_array_equal(est.to_frame(X)["tail_probability"].isna(), weights > 0)


def test_lists_incomplete_samples_and_many_nodes(quick, pair):
    est = quick((2,) * 3).fit(pair)
    whole = est.to_frame(pair)
    assert list(whole.columns[:5]) == ["N1", "N2", "N3", ("N1", 0), ("N1", 1)]
    assert list(whole.index) == list(range(len(pair[0])))
    lacking = est.to_frame([pair[0], None])
    assert lacking["cell_probability"].between(0, 1).all()
    assert lacking["tail_probability"].notna().all()


def test_names_that_are_taken_and_pandas_that_lacks_are_told(frame, monkeypatch):
    X, _ = frame
    est = CausalPIMA({"log_density": 2}, max_iter=1, random_state=0).fit(X)
    with pytest.raises(ValueError, match="node 'log_density' has the name of another column"):
        est.to_frame(X)
    real = builtins.__import__

    def without(name, *of):
        if name == "pandas":
            raise ImportError(name)
        return real(name, *of)

    array = X.to_numpy()
    other = CausalPIMA(2, max_iter=1, random_state=0).fit(array)
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match=r"to_frame needs pandas; .* predict_proba"):
        other.to_frame(array)
