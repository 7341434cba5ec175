"""What the start of a fit finds in each fold, and which candidates it leaves to fits."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skcausalpima import CausalPIMA
from skcausalpima._held_out.held_out import HeldOut
from skcausalpima._held_out.units import Units
from skcausalpima.metrics import node_recovery
from skcausalpima.model_selection._folds import start_folds
from skcausalpima.model_selection._verdicts import failures_of_starts


@pytest.fixture(scope="module")
def square():
    """Return samples of a grid of two binary factors, factors, and five folds."""
    rng = np.random.default_rng(0)
    factors = rng.integers(2, size=(400, 2))
    effects = 8 * np.linalg.qr(rng.normal(size=(6, 2)))[0].T
    X = rng.normal(size=(400, 6)) + factors @ effects
    rows = np.arange(400)
    pairs = [(rows[rows % 5 != k], rows[rows % 5 == k]) for k in range(5)]
    return X, factors, HeldOut.splits(Units(400), pairs).parts


def started(sizes, X, splits, **parameters):
    model = CausalPIMA(sizes, random_state=0, **parameters)
    return start_folds(model, X, splits)


def test_cells_of_all_samples_are_found_in_each_training_set(square):
    X, factors, splits = square
    folds = started((2, 2), X, splits)
    assert len(folds) == 5
    for fold in folds:
        assert node_recovery(factors, fold.cells).accuracies.min() > 0.99
        assert fold.overlap < 0.1
        assert fold.names == ("N1", "N2")
        assert not fold.cut.any()
    assert failures_of_starts(folds, (2, 2)) == ()
    (again,) = started((2, 2), X, splits[3:4])
    assert_array_equal(again.cells, folds[3].cells)


def test_training_sets_differ(square):
    """A training set that lacks an outcome does not know it."""
    X, factors, splits = square
    lacking = np.flatnonzero(factors[:, 0] == 0), np.flatnonzero(factors[:, 0] == 1)
    (part,) = HeldOut.splits(Units(400), [lacking]).parts
    first, other = started((2,), X, [part, splits[0]])
    assert node_recovery(factors[:, :1], first.cells).accuracies[0] < 0.8
    assert other.cells.shape == first.cells.shape == (400, 1)


@pytest.mark.slow
def test_finer_grids_and_noise_fail_in_the_start(square):
    X, _, splits = square
    assert failures_of_starts(started((3, 3), X, splits), (3, 3))
    noise = np.random.default_rng(1).normal(size=X.shape)
    for sizes in [(2,), (2, 2)]:
        assert failures_of_starts(started(sizes, noise, splits), sizes)


def test_other_starts_and_many_cells_are_not_looked_at(square):
    X, _, splits = square
    assert started((2, 2), X, splits, init="linear") is None
    assert started((2,) * 8, X, splits) is None


def test_what_the_estimator_says_stays(square):
    X, _, splits = square
    model = CausalPIMA({"a": 2, "b": 2}, random_state=np.random.RandomState(0))
    state = model.random_state.get_state()[1].copy()
    (fold,) = start_folds(model, X, splits[:1])
    assert fold.names == ("a", "b")
    assert_array_equal(model.random_state.get_state()[1], state)
    assert not hasattr(model, "n_features_in_")
