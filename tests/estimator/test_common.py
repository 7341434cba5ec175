"""scikit-learn's own checks, and those of its checks that check_estimator leaves out."""

import subprocess
import sys
import warnings
from unittest import SkipTest

import pytest
from sklearn.base import clone
from sklearn.exceptions import SkipTestWarning
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import parametrize_with_checks

from skcausalpima import (
    BackgroundKnowledge,
    CausalPIMA,
    GradientStructure,
    Initialization,
    MissingValues,
    ScoreSearch,
)

pytestmark = pytest.mark.short_fits

# What is fitted soonest; the defaults but for the length of training; and what differs from them:
# parameters that are objects, more cells than samples.
SOON = CausalPIMA(
    init=Initialization("paper", pretraining_epochs=1),
    missing_values=MissingValues(subset_epochs=1),
    hidden_layer_sizes=(8,),
    posterior="mean_field",
    structure="gradient",
    max_iter=1,
)
SHORT = CausalPIMA(
    structure=ScoreSearch(polishing_epochs=1),
    init=Initialization(pretraining_epochs=1),
    missing_values=MissingValues(subset_epochs=1),
    hidden_layer_sizes=(8,),
    modality_weights="balanced",
    views=None,
    max_iter=1,
)
OTHER = CausalPIMA(
    (2, 2, 2),
    latent_dim=3,
    structure=GradientStructure(temperature=0.7),
    knowledge=BackgroundKnowledge(required=[("N1", "N2")]),
    init=Initialization("linear", pretraining_epochs=2),
    max_iter=2,
)


@pytest.fixture(autouse=True)
def array_api(monkeypatch):
    """Ask for what a check of arrays asks for; where SciPy heeds it, everything takes longer."""
    monkeypatch.setenv("SCIPY_ARRAY_API", "1")


@parametrize_with_checks([SOON])
def test_scikit_learn_checks(estimator, check):
    if check.func is estimator_checks.check_clustering:  # which random networks do not pass
        estimator.set_params(init="linear")
    passes(check, estimator)


@pytest.mark.long
def test_the_checks_where_scipy_heeds_that_it_was_asked():
    """It does where it is asked before it is imported."""
    tests = f"{__file__}::{test_scikit_learn_checks.__name__}"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", tests]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.long
@parametrize_with_checks([SHORT, CausalPIMA(), OTHER])
def test_scikit_learn_checks_of_other_parameters(estimator, check):
    passes(check, estimator)


def passes(check, estimator):
    with warnings.catch_warnings(action="error", category=SkipTestWarning):
        try:
            check(estimator)
        except SkipTest as skipped:  # none may be skipped
            pytest.fail(str(skipped))


# These checks fit on a DataFrame and predict on an array, or the reverse: scikit-learn warns.
@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
@pytest.mark.filterwarnings("ignore:X has feature names")
@pytest.mark.parametrize(
    "check",
    [
        "check_param_validation",
        pytest.param("check_set_output_transform", marks=pytest.mark.slow),
        pytest.param("check_set_output_transform_pandas", marks=pytest.mark.long),
        pytest.param("check_global_output_transform_pandas", marks=pytest.mark.slow),
        "check_dataframe_column_names_consistency",
        "check_transformer_get_feature_names_out",
        "check_transformer_get_feature_names_out_pandas",
        "check_get_feature_names_out_error",
        "check_n_features_in_after_fitting",
        "check_non_transformer_estimators_n_iter",
        "check_inplace_ensure_writeable",
        "check_requires_y_none",
    ],
)
def test_further_scikit_learn_checks(check):
    getattr(estimator_checks, check)("CausalPIMA", clone(SOON))
