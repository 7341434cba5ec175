"""Warnings point at the line of the user who called us."""

import inspect
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from some_slow import some_slow

import skcausalpima
from skcausalpima import Initialization
from skcausalpima._base.warn import warn_caller
from skcausalpima.exceptions import ExpertWarning
from skcausalpima.inspection import edge_confidence
from skcausalpima.modules import ExpertDecoder

X_POINTS = np.linspace(0.0, 1.0, 4)
UNTRAINED = Initialization(pretraining_epochs=0)


@pytest.fixture
def diverging(quick, pair):
    """An estimator whose expert diverges, and data; the warning comes from deep inside."""
    expert = ExpertDecoder(lambda x, a: torch.exp(a * x), X_POINTS, refit=False)
    return quick((2, 2), experts=[expert], training__learning_rate=1e9, init=UNTRAINED), pair[1]


def assert_here(record, n_lines_above=1):
    """Check that warnings point at the line above the call of this function."""
    caller = inspect.currentframe().f_back
    expected = (__file__, caller.f_lineno - n_lines_above)
    assert {(warning.filename, warning.lineno) for warning in record} == {expected}


def test_from_a_fit(diverging):
    est, X = diverging
    with pytest.warns(ExpertWarning, match="diverged") as record:
        est.fit(X)
    assert_here(record)


@pytest.mark.parametrize("method", some_slow(["fit", "fit_transform"], ["fit"]))
def test_from_a_fit_in_a_pipeline(diverging, method):
    est, X = diverging
    pipeline = make_pipeline(FunctionTransformer(), est)
    with pytest.warns(ExpertWarning, match="diverged") as record:
        getattr(pipeline, method)(X)
    assert_here(record)


@pytest.mark.slow
def test_from_refits(quick, diverging):
    est, X = diverging
    good = quick((2, 2)).fit(X)
    good.set_params(**est.get_params(deep=False))
    with pytest.warns(ExpertWarning, match="diverged") as record:
        edge_confidence(good, X, n_bootstraps=2, random_state=0)
    assert_here(record)


def test_a_message_may_be_a_warning_of_a_worker():
    with pytest.warns(ExpertWarning, match="told there") as record:
        warn_caller(ExpertWarning("told there"))
    assert_here(record)


def test_no_frames_are_counted_by_hand():
    files = Path(skcausalpima.__file__).parent.rglob("*.py")
    counting = [path.name for path in files if "stacklevel" in path.read_text()]
    assert counting == ["warn.py"]
