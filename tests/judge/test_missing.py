"""Values that are missing in a cell, or with a node: by probabilities, and not by chance."""

import warnings

import numpy as np
import pandas as pd
import pytest

from skcausalpima import CausalPIMA
from skcausalpima._base.reports.cells import CellValuesReport
from skcausalpima._data.adapters import Table
from skcausalpima._data.containers import Form
from skcausalpima._judge.missing import lacks, of_missing

CODES = {"values-missing", "missing-with-node"}
GAPS = {"missing_values__elements": "marginalize"}
PAIRS = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
NODES = {"N1": ["0", "1"], "N2": ["flat", "round"]}


def found(n_samples, missing, cells=PAIRS, nodes=NODES, names=("TI", "mass")):
    """Return notes of one table, of how many samples cells have and how many lack each column."""
    n_samples = np.asarray(n_samples, float)
    counts = {"table": n_samples[:, None] - np.asarray(missing, float)}
    values = CellValuesReport(n_samples=n_samples, counts=counts, means={})
    form = Form("single", ("table",), (Table.of(np.zeros((2, len(names)))),), (tuple(names),))
    return {one.code: one for one in of_missing(lacks(values, form, cells, nodes))}


def table(rng, n=89):
    """Return three kinds of samples, of which the last, six, have one value of the last column."""
    kind = np.repeat([0, 1, 2], [41, n - 47, 6])
    X = rng.normal(size=(n, 3)) + 9.0 * np.eye(3)[kind]
    X[-6:-1, 2] = np.nan
    return pd.DataFrame(X, columns=["speed", "mass", "TI"]), kind


def two_modalities():
    """Return a table that is whole beside curves that five lack, and the kinds."""
    frame, kind = table(np.random.default_rng(0))
    X = {"table": frame.fillna(9.0), "curves": 3.0 * frame.fillna(9.0).to_numpy()}
    X["curves"][-6:-1] = np.nan
    return X, kind[:, None]


def test_values_that_are_missing_in_one_cell():
    notes = found([40, 6, 30, 13], [[0, 2], [5, 0], [0, 3], [0, 1]])
    assert set(notes) == {"values-missing"}
    text = "Values are missing: in cell 0 round TI is missing in 5 of 6 samples."
    assert notes["values-missing"].sentence == text.replace("0 round", "(0, round)")
    assert notes["values-missing"].figure == pytest.approx(5 / 6)


def test_values_that_are_missing_with_a_node():
    notes = found([40, 30, 30, 20], [[20, 2], [2, 2], [14, 2], [1, 1]])
    assert set(notes) == {"missing-with-node"}
    assert "where N2 is flat, TI is missing in 34 of 70 samples (6% elsewhere)" in (
        notes["missing-with-node"].sentence
    )


def test_what_one_cell_lacks_goes_with_no_node():
    assert set(found([40, 30, 30, 20], [[36, 0], [0, 0], [0, 0], [0, 0]])) == {"values-missing"}


def test_samples_count_with_their_probabilities():
    """Of samples that lie half in each cell, both cells lack half: that is no sign of a cell."""
    assert found([15.0, 15.0], [[6, 0], [6, 0]], PAIRS[:2, 1:], {"N": ["0", "1"]}) == {}
    sure = found([15.0, 15.0], [[12, 0], [0, 0]], PAIRS[:2, 1:], {"N": ["0", "1"]})
    assert set(sure) == {"values-missing"}


def test_a_column_of_hardly_any_value_is_named():
    (note,) = found([30, 20, 20, 20], [[29, 0], [20, 0], [20, 0], [20, 0]]).values()
    assert note.sentence == "Values are missing: TI is missing in 89 of 90 samples."


@pytest.mark.parametrize("n_samples", [[0, 0, 0, 20], [1e-9, 20, 20, 20], [4, 4, 4, 4]])
def test_cells_of_no_or_few_samples_say_nothing(n_samples):
    most = np.array(n_samples)[:, None] * [0.6, 0.0]
    assert found(n_samples, most) == {}


def test_a_whole_modality_has_its_name(quick):
    X, known = two_modalities()
    report = quick(3).fit(X, known_nodes=known).report()
    (note,) = [one for one in report.alarms if one.code == "values-missing"]
    assert "curves is missing in 5 of 6 samples" in note.sentence


def test_fits_and_files_have_the_note(quick, tmp_path):
    frame, _ = table(np.random.default_rng(0))
    est = quick(3, scale="modality", **GAPS).fit(frame)
    (note,) = [one for one in est.report().alarms if one.code in CODES]
    assert (note.code, note.severity) == ("values-missing", "note")
    assert "TI is missing in 5 of 6 samples" in note.sentence
    assert note.code in str(est.report())
    est.save(tmp_path / "model")
    assert note in CausalPIMA.load(tmp_path / "model").report().alarms
    whole = quick(3, **GAPS).fit(frame.fillna(0.0)).report()
    assert not CODES & {one.code for one in whole.alarms}


def test_what_is_filled_in_on_hardly_any_value_warns_once(quick, tmp_path):
    frame, kind = table(np.random.default_rng(0))
    est = quick(3, scale="modality", **GAPS).fit(frame)
    est.save(tmp_path / "model")
    for model in (est, CausalPIMA.load(tmp_path / "model")):
        with pytest.warns(UserWarning, match=r"^\[few-values\] .*: TI \(5 samples\)\.") as caught:
            filled = model.impute(frame)
        assert len(caught) == 1
        assert filled.notna().to_numpy().all()
        points = model.transform(frame.fillna(0.0))[kind < 2]
        means = model.cluster_means_[[model.predict(frame)[-1]]]
        with pytest.warns(UserWarning, match=r"^\[few-values\] .*: TI \(1 sample\)\.") as caught:
            model.inverse_transform(np.concatenate([points, means]))
        assert len(caught) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        est.impute(frame.iloc[:-6].mask(np.eye(83, 3, dtype=bool)))
        est.inverse_transform(points)


def test_samples_that_arrive_are_counted(quick):
    frame, _ = table(np.random.default_rng(0))
    est = quick(3, scale="modality", **GAPS).fit(frame)
    more = frame.iloc[[*range(83), *[88] * 6]]
    more.iloc[-6:, 2] += np.arange(6.0)
    est.partial_fit(more)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        est.impute(frame)


def test_words_and_whole_modalities_are_named_where_they_are_filled_in(quick):
    X, known = two_modalities()
    est = quick(3).fit(X, known_nodes=known)
    with pytest.warns(UserWarning, match=r"\[few-values\] .* curves \(5 samples\)"):
        est.impute(X)
    frame, _ = table(np.random.default_rng(0))
    words = np.tile(["a", "b", "c"], 30)[:89].astype(object)
    words[-5:] = None
    frame = frame.drop(columns="TI").assign(word=words)
    est = quick(3, **GAPS).fit(frame)
    with pytest.warns(UserWarning, match=r"\[few-values\] .* word \(5 samples\)"):
        est.impute(frame)
