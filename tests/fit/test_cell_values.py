"""How many values components have of each column, by counts of NumPy."""

import numpy as np
import pandas as pd
import pytest

from skcausalpima import CausalPIMA
from skcausalpima._base.reports.cells import CellValuesReport
from skcausalpima._fit.arrivals import DECAY
from skcausalpima._fit.cell_values import _joined

GAPS = {"missing_values__elements": "marginalize"}


@pytest.fixture(scope="module")
def table():
    """60 rows of two kinds; the second kind has one value of the first column, the rest gaps."""
    rng = np.random.default_rng(0)
    X = np.repeat([[0.0, 1.0, 5.0], [80.0, 90.0, 7.0]], 30, axis=0) + rng.normal(size=(60, 3))
    X[:29, 0] = np.nan
    X[rng.random(60) < 0.3, 2] = np.nan
    X[:, 1] = X[:, 1] > 45.0
    return X


def by_hand(est, X, weights=None):
    """Return counts and means of a table by the probabilities of its rows."""
    shares = est.predict_proba(X) * (1.0 if weights is None else np.asarray(weights)[:, None])
    counts = shares.T @ ~np.isnan(X)
    return shares.sum(axis=0), counts, shares.T @ np.nan_to_num(X) / counts


def check(est, X, name="modality0", weights=None):
    found, (n, counts, means) = est.cell_values_, by_hand(est, X, weights)
    np.testing.assert_allclose(found.n_samples, n, rtol=1e-4)
    np.testing.assert_allclose(found.counts[name], counts, rtol=1e-4)
    np.testing.assert_allclose(found.means[name], means, rtol=1e-4, atol=1e-6)


def test_values_count_with_the_probabilities_of_components(quick, table):
    est = quick(2, **GAPS).fit(table)
    check(est, table)
    plain = (~np.isnan(table)).sum(axis=0)
    np.testing.assert_allclose(est.cell_values_.counts["modality0"].sum(axis=0), plain, rtol=1e-5)
    shares = est.cell_values_.means["modality0"][:, 1]
    assert (shares >= 0.0).all()
    assert (shares <= 1.0 + 1e-12).all()
    component = est.predict(table)[0]
    assert est.cell_values_.are_few("modality0")[component].tolist() == [True, False, False]


def test_weights_and_groups_say_for_how_many_samples_a_row_counts(quick, table):
    weights = np.random.default_rng(1).choice([0.0, 0.5, 1.0, 3.0], size=60)
    weights[29] = 1.0
    est = quick(2, **GAPS).fit(table, sample_weight=weights)
    check(est, table, weights=weights)
    est = quick(2, **GAPS).fit(table, groups=np.repeat(np.arange(20), 3))
    check(est, table, weights=np.full(60, 1 / 3))


def test_a_modality_without_gaps_has_one_count(quick, pair):
    images, curves = (np.array(part) for part in pair)
    curves[:20] = np.nan
    est = quick().fit([images, curves])
    found, shares = est.cell_values_, est.predict_proba([images, curves])
    assert list(found.means) == ["modality1"]
    np.testing.assert_allclose(found.counts["modality0"][:, 0], shares.sum(axis=0), rtol=1e-4)
    observed = shares[20:].sum(axis=0)
    np.testing.assert_allclose(found.counts["modality1"][:, 0], observed, rtol=1e-4)
    means = shares[20:].T @ curves[20:] / observed[:, None]
    np.testing.assert_allclose(found.means["modality1"], means, rtol=1e-4)


def test_what_no_sample_of_a_cell_has_is_nan(quick, table):
    X = table.copy()
    X[29, 0] = np.nan
    est = quick(2, **GAPS).fit(X)
    component = est.predict(X)[0]
    assert est.predict_proba(X)[30:, component].max() == 0.0
    assert est.cell_values_.counts["modality0"][component, 0] == 0.0
    assert np.isnan(est.cell_values_.means["modality0"][component, 0])


def test_a_column_of_one_value_has_it_as_its_mean(quick, table):
    X = np.column_stack([table, np.full(60, np.nan)])
    X[3, 3] = 4.5
    found = quick(2, **GAPS).fit(X).cell_values_
    assert found.counts["modality0"][:, 3].sum() == pytest.approx(1.0)
    assert np.nanmax(found.means["modality0"][:, 3]) == pytest.approx(4.5, abs=1e-12)


def test_words_count_where_they_are_known(quick, table):
    words = np.where(np.arange(60) % 3 > 0, "b", "a").astype(object)
    words[:25] = None
    frame = pd.DataFrame({"size": table[:, 1] + 1.5, "kind": words})
    est = quick(2, **GAPS).fit(frame)
    shares, known = est.predict_proba(frame), frame["kind"].notna().to_numpy()
    counts = est.cell_values_.counts["modality0"]
    np.testing.assert_allclose(counts[:, 0], shares.sum(axis=0), rtol=1e-4)
    np.testing.assert_allclose(counts[:, 1], shares[known].sum(axis=0), rtol=1e-4)
    np.testing.assert_array_equal(counts[:, 1], counts[:, 2])
    of_a = (shares[known] * (words == "a")[known, None]).sum(axis=0) / counts[:, 1]
    np.testing.assert_allclose(est.cell_values_.means["modality0"][:, 1], of_a, rtol=1e-4)


def test_offsets_of_contexts_are_no_part_of_means(quick, table):
    site = np.tile([0, 1], 30)
    X = {"table": np.nan_to_num(table[:, 1:2]) * 9 + 50.0 * site[:, None], "site": site}
    est = quick(2, contexts="site").fit(X)
    bare = X["table"] - est.offsets_["table"]["site"][site]
    shares = est.predict_proba(X)
    means = shares.T @ bare / shares.sum(axis=0)[:, None]
    np.testing.assert_allclose(est.cell_values_.means["table"], means, rtol=1e-4)


def test_samples_that_arrive_are_added_to_what_is_remembered(quick, table):
    first, later = table[::2], table[1::2]
    est = quick(2, **GAPS).fit(first)
    before = est.cell_values_
    est.partial_fit(later)
    n, counts, means = by_hand(est, later)
    old = DECAY * before.counts["modality0"]
    both = (old * np.nan_to_num(before.means["modality0"]) + counts * means) / (old + counts)
    found = est.cell_values_
    np.testing.assert_allclose(found.n_samples, DECAY * before.n_samples + n, rtol=1e-4)
    np.testing.assert_allclose(found.counts["modality0"], old + counts, rtol=1e-4)
    np.testing.assert_allclose(found.means["modality0"], both, rtol=1e-4)


def test_means_that_were_unknown_are_those_of_what_arrived():
    def report(count, mean):
        counts, means = ({"a": np.array([[figure]])} for figure in (count, mean))
        return CellValuesReport(n_samples=np.array([9.0]), counts=counts, means=means)

    joined = [
        _joined(report(*one), report(*other)).means["a"].item()
        for one, other in [((0.0, np.nan), (2.0, 7.0)), ((2.0, 7.0), (0.0, np.nan))]
    ]
    assert joined == [7.0, 7.0]
    assert np.isnan(_joined(report(0.0, np.nan), report(0.0, np.nan)).means["a"]).all()


def test_fits_that_go_on_count_anew_and_files_keep_counts(quick, table, tmp_path):
    est = quick(2, warm_start=True, **GAPS).fit(table).fit(table)
    check(est, table)
    est.save(tmp_path / "model")
    assert CausalPIMA.load(tmp_path / "model").cell_values_ == est.cell_values_
