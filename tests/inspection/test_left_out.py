"""What fits say without a fold of columns."""

import numpy as np
import pytest

from skcausalpima._inference.kept_models import samples_of
from skcausalpima.inspection._left_out import N_FOLDS, FoldsOfColumns, without_folds
from skcausalpima.inspection._unseen import UnseenPart

pytestmark = pytest.mark.short_fits


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    return rng.normal(size=(80, 9)) + 3.0 * rng.integers(2, size=(80, 1))


def part_of(est, X):
    n_samples, n_cells = samples_of(est, X).n_samples, len(est.cluster_states_)
    return UnseenPart(est=est, X=X, rows=np.arange(n_samples), components=np.arange(n_cells))


def folds(est, X):
    samples = samples_of(est, X)
    cells = np.zeros(samples.n_samples, dtype=int)
    return [FoldsOfColumns.of(samples, m, cells, True) for m in range(len(samples.names))]


def test_it_is_what_is_said_of_samples_that_lack_these_columns(quick, table):
    """Two ways to one answer: through the gate, as a user's gaps, and without it."""
    est = quick(2, missing_values="marginalize").fit(table)
    (of_columns,) = split = folds(est, table)
    for fold, probabilities in without_folds(part_of(est, table), split):
        gaps = np.where(of_columns.folds == fold, np.nan, table)
        np.testing.assert_allclose(probabilities, est.predict_proba(gaps), atol=1e-6)


def test_what_is_left_out_does_not_count(quick, table):
    """Also where the fit knows no gaps; samples that have some lack more."""
    est = quick(2).fit(table)
    (of_columns,) = split = folds(est, table)
    changed = np.where(of_columns.folds == 2, 99.0, table)
    before, after = (dict(without_folds(part_of(est, X), split)) for X in (table, changed))
    np.testing.assert_array_equal(before[2], after[2])
    assert not np.allclose(before[1], after[1])


def test_all_of_a_modality_is_missing_where_its_one_column_is_left_out(quick):
    rng = np.random.default_rng(0)
    nodes = rng.integers(2, size=(60, 1))
    X = [rng.normal(size=(60, 1)) + 9.0 * nodes, rng.normal(size=(60, 8)) + 9.0 * nodes]
    est = quick(2).fit(X)
    split = folds(est, X)
    asked = dict(without_folds(part_of(est, X), split))
    assert (asked[0].argmax(axis=1) == est.predict(X)).all()


def test_columns_of_tables_are_dealt_out_and_neighbours_stay_together(brief):
    rng = np.random.default_rng(0)
    curves, cells = rng.normal(size=(80, 26)), np.zeros(80, dtype=int)
    curves = curves[:, :-2] + curves[:, 1:-1] + curves[:, 2:]
    X = [rng.normal(size=(80, 9)), curves, rng.normal(size=(80, 6, 4))]
    samples = samples_of(brief(2).fit(X), X)
    table, stretches, patches = (FoldsOfColumns.of(samples, m, cells, True) for m in range(3))
    assert table.folds.tolist() == [0, 1, 2, 3, 4, 5, 0, 1, 2]
    assert stretches.folds.tolist() == np.repeat(np.arange(6), 4).tolist()
    assert patches.folds.reshape(6, 4)[:, [0, 3]].tolist() == [
        [k, k + 1] for k in (0, 0, 2, 2, 4, 4)
    ]
    assert set(FoldsOfColumns.of(samples, 0, cells, False).folds) == {N_FOLDS}


def test_what_borders_on_a_stretch_or_a_patch_is_left_out_with_it():
    stretch = FoldsOfColumns(folds=np.arange(48) * N_FOLDS // 48, shape=(48,))
    np.testing.assert_array_equal(np.flatnonzero(stretch.left_out(1)), np.arange(6, 18))
    patch = FoldsOfColumns(folds=np.kron(np.arange(6).reshape(3, 2), np.ones((4, 6))).ravel(),
                           shape=(12, 12))  # fmt: skip
    expected = np.zeros((12, 12), dtype=bool)
    expected[:5, :7] = True
    np.testing.assert_array_equal(patch.left_out(0).reshape(12, 12), expected)
    assert sum(patch.folds == fold for fold in range(6)).all()  # each column in one fold
