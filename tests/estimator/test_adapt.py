"""A new label of a context, from some samples of it."""

import pickle

import numpy as np
import pandas as pd
import pytest
from some_slow import some_slow

from skcausalpima import CausalPIMA
from skcausalpima.exceptions import ContextWarning

OFFSETS = {"A": [0.0, 0.0, 0.0, 0.0], "B": [3.0, 0.0, 2.0, 0.0], "C": [-4.0, 5.0, 0.0, 6.0]}


def measured(label, n, share=0.5, seed=0, unknown=0):
    """Return samples of one instrument, and the outcomes of both nodes."""
    rng = np.random.default_rng(seed)
    nodes = (rng.random((n, 2)) < [share, 0.5]).astype(int)
    table = rng.normal(size=(n, 4)) + 6.0 * np.pad(nodes, ((0, 0), (0, 2))) + OFFSETS[label]
    table[:unknown] += [0.0, 0.0, 15.0, -15.0]
    image = rng.normal(size=(n, 3, 3)) + 2.0 * nodes[:, 0, None, None]
    return {"table": table, "image": image, "instrument": np.full(n, label)}, nodes


@pytest.fixture(scope="module")
def fitted(quick):
    parts = [measured(label, 300, seed=k)[0] for k, label in enumerate("AB")]
    X = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    nodes = np.concatenate([measured(label, 300, seed=k)[1] for k, label in enumerate("AB")])
    nodes[20:] = -1
    est = quick({"a": 2, "b": 2}, contexts="instrument")
    return est.fit(X, known_nodes=nodes), X


def test_sixty_samples_tell_offset_and_mix(fitted):
    est, _ = fitted
    new, _ = measured("C", 60, share=0.9, seed=5)
    later = est.adapt(new)
    assert later.contexts_["instrument"].tolist() == ["A", "B", "C"]
    moves = later.offsets_["table"]["instrument"]
    np.testing.assert_allclose(moves[2] - moves[0], OFFSETS["C"], atol=0.5)
    further, nodes = measured("C", 1000, share=0.9, seed=6)
    assert (later.predict_nodes(further) == nodes).mean(axis=0).min() > 0.99
    weights = later.weights_of(instrument="C")
    assert weights @ (later.cluster_states_[:, 0] == 1) == pytest.approx(0.9, abs=0.1)
    assert 0.01 < (later.tail_probability(further) < 0.05).mean() < 0.1
    (told,) = later.adapted_
    assert (told.context, told.label, told.n_samples) == ("instrument", "C", 60)
    assert 0.0 == told.interval[0] <= told.unknown <= told.interval[1] < 0.15  # none is
    errors = told.standard_errors["table"]
    np.testing.assert_allclose(errors, 1.0 / np.sqrt(60), rtol=0.4)


def test_a_new_label_may_be_far_off(fitted):
    est, _ = fitted
    new, nodes = measured("C", 60, share=0.9, seed=5)
    new["table"] += 5000.0
    assert (est.adapt(new).predict_nodes(new) == nodes).mean() > 0.97


def test_all_else_stays(fitted):
    est, X = fitted
    later = est.adapt(measured("C", 60, seed=5)[0])
    np.testing.assert_array_equal(later.predict_proba(X), est.predict_proba(X))
    np.testing.assert_array_equal(later.weights_, est.weights_)
    np.testing.assert_array_equal(later.weights_of(instrument="A"), est.weights_of(instrument="A"))
    assert est.contexts_["instrument"].tolist() == ["A", "B"]
    assert not hasattr(est, "adapted_")


def test_samples_of_no_known_cell_are_counted(fitted):
    est, _ = fitted
    new, _ = measured("C", 100, seed=7, unknown=15)
    later = est.adapt(new)
    (told,) = later.adapted_
    assert told.interval[0] < 0.15 < told.interval[1]
    assert told.unknown == pytest.approx(0.15, abs=0.05)
    p_values = later.tail_probability(new)
    assert (p_values[:15] < 0.05).all()
    assert (p_values[15:] < 0.05).mean() < 0.15


def test_an_adapted_estimator_is_kept_in_files(fitted, tmp_path):
    est, _ = fitted
    new, _ = measured("C", 60, seed=5)
    later = est.adapt(new)
    later.save(tmp_path / "model")
    for other in (CausalPIMA.load(tmp_path / "model"), pickle.loads(pickle.dumps(later))):
        np.testing.assert_array_equal(other.predict_proba(new), later.predict_proba(new))
        assert other.adapted_[0].label == "C"


@pytest.mark.long
def test_labels_are_learned_one_after_another(fitted):
    est, _ = fitted
    later = est.adapt(measured("C", 60, seed=5)[0])
    other, nodes = measured("B", 80, seed=8)
    last = later.adapt(other | {"instrument": np.full(80, "D")})
    assert last.contexts_["instrument"].tolist() == ["A", "B", "C", "D"]
    assert (last.predict_nodes(other | {"instrument": np.full(80, "D")}) == nodes).mean() > 0.98
    moved = last.harmonize(other, to={"instrument": "D"})
    np.testing.assert_allclose(moved["table"], other["table"], atol=0.6)


def test_a_few_samples_warn(fitted):
    est, _ = fitted
    with pytest.warns(ContextWarning, match="12 samples tell little of an offset"):
        est.adapt(measured("C", 12, seed=5)[0])


@pytest.mark.parametrize("n_samples", some_slow([60, 400], [60]))
def test_samples_that_lack_an_outcome_may_be_of_the_other_one(fitted, n_samples):
    """A label under which all samples are of one kind has as many offsets as there are kinds."""
    est, _ = fitted
    new, _ = measured("C", n_samples, share=1.0, seed=9)
    with pytest.warns(ContextWarning, match="another offset explains them as well"):
        est.adapt(new)


def test_another_unit_is_asked_for(fitted):
    est, _ = fitted
    new, _ = measured("C", 60, seed=9)
    with pytest.warns(ContextWarning, match="100 % of them are in no known cell .*another unit"):
        est.adapt(new | {"table": 100.0 * new["table"]})


@pytest.mark.long
def test_words_beside_numbers_do_not_hinder(quick):
    """Elements of words depend on each other: they say nothing in some directions."""
    rng = np.random.default_rng(0)
    kind, site = rng.integers(2, size=300), rng.integers(2, size=300)
    table = rng.normal(size=(300, 4)) + 6.0 * kind[:, None] + 4.0 * site[:, None] * [1, 0, 0, 0]
    colour = np.where(rng.random(300) < 0.2 + 0.6 * kind, "red", "blue")
    X = {"table": table, "words": pd.DataFrame({"colour": colour}), "site": site}
    old, new = ({name: of[part] for name, of in X.items()} for part in (site < 1, site == 1))
    old["site"] = np.arange(len(old["table"])) % 2
    est = quick(2, contexts="site", max_iter=5).fit(old)
    later = est.adapt(new | {"site": [2] * len(new["table"])})
    moves = later.offsets_["table"]["site"]
    np.testing.assert_allclose(moves[2] - moves[:2].mean(axis=0), [4, 0, 0, 0], atol=0.5)


def test_a_new_label_is_of_the_type_of_the_others(fitted):
    est, X = fitted
    with pytest.raises(ValueError, match="of mixed types, numbers and strings"):
        est.adapt(measured("C", 60)[0] | {"instrument": [3] * 60})
    few = {name: of[:3] for name, of in X.items()}
    with pytest.raises(ValueError, match="among numbers, but those that fit has seen are strings"):
        est.predict(few | {"instrument": [3, 3, 3]})


def test_what_cannot_be_learned_is_told(quick, fitted):
    est, X = fitted
    new, _ = measured("C", 60, seed=5)
    with pytest.raises(ValueError, match="the fit has seen all of them"):
        est.adapt(X)
    mixed = {name: np.concatenate([X[name][:3], new[name]]) for name in X}
    with pytest.raises(ValueError, match="sample 0 has a label of the context 'instrument' that"):
        est.adapt(mixed)
    with pytest.raises(ValueError, match="sample 2 has no label"):
        est.adapt(new | {"instrument": ["C", "C", None, *["C"] * 57]})
    with pytest.raises(ValueError, match="the fit has no contexts"):
        quick(2).fit({"x": X["table"]}).adapt({"x": X["table"]})
