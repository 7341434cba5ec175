"""Leave out the tests that need something this machine does not have; data and models to share."""

import gc
import os
from functools import partial

import numpy as np
import pytest
import torch

from skcausalpima import CausalPIMA, Initialization, MissingValues, ScoreSearch
from skcausalpima._fit import restarts

MAX_SAMPLES = restarts.MAX_SAMPLES


@pytest.hookimpl(tryfirst=True)  # marks decide what pytest deselects
def pytest_collection_modifyitems(config, items):
    absent = set()
    if not os.environ.get("SKCAUSALPIMA_DATA"):
        absent.add("data")
    if not torch.cuda.is_available():
        absent.add("gpu")
    deselected = [item for item in items if absent & {mark.name for mark in item.iter_markers()}]
    if deselected:
        config.hook.pytest_deselected(items=deselected)
        items[:] = [item for item in items if item not in set(deselected)]
    if os.name != "posix":
        for item in items:
            if item.get_closest_marker("posix"):
                item.add_marker(pytest.mark.skip(reason="signals, pipes, links, permissions"))


def pytest_collection_finish():
    gc.freeze()  # modules and tests stay until the end: no pass of the collector looks at them


@pytest.fixture(autouse=True, scope="session")
def no_short_runs():
    """Leave out the short runs that follow an alarm: of noise they take as long as two more fits.

    They change nothing but what is said of stability. ``short_runs`` brings them back.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(restarts, "MAX_SAMPLES", 0)
        yield


@pytest.fixture
def short_runs(monkeypatch):
    """Let short runs follow an alarm, as they do for users."""
    monkeypatch.setattr(restarts, "MAX_SAMPLES", MAX_SAMPLES)


@pytest.fixture(autouse=True)
def same_chance():
    """Let modules that a test makes begin alike, whichever tests ran before it."""
    torch.default_generator.manual_seed(0)  # manual_seed remembers its callers, for other devices


@pytest.fixture
def no_outliers(monkeypatch):
    """Let no sample lie where encoders of modalities alone do not see it: Bayes' rule is exact."""
    monkeypatch.setattr("skcausalpima.modules._subset_encoders.CONTAMINATION", 1e-30)


@pytest.fixture(scope="session")
def pair():
    """Images (72, 3, 2) and curves (72, 4) of four groups; each shows one of two binary factors."""
    rng = np.random.default_rng(0)
    group = np.repeat(np.arange(4), 18)
    images = rng.normal(size=(72, 3, 2)) + 5.0 * (group // 2)[:, None, None]
    curves = 10.0 * rng.normal(size=(72, 4)) + 50.0 * (group % 2)[:, None]
    for array in (images, curves):
        array.flags.writeable = False
    return [images, curves]


def make(node_sizes=(2, 2), init="arranged", **parameters):
    """Make an estimator that fits in a moment; parts of parameters come by nested names."""
    if init in ("arranged", "linear", "paper"):
        init = Initialization(init, pretraining_epochs=2)
    defaults = {"hidden_layer_sizes": (8,), "max_iter": 3, "random_state": 0}
    defaults |= {"modality_weights": "balanced", "views": None}
    defaults["structure"] = ScoreSearch(polishing_epochs=1)
    defaults["missing_values"] = MissingValues(subset_epochs=0)
    return CausalPIMA(node_sizes, init=init).set_params(**(defaults | parameters))


@pytest.fixture(scope="session")
def quick():
    """Make an estimator that fits in a moment: few epochs, and nothing is tried that may be stated.

    It has no encoders of incomplete samples: what ``taught`` makes has.
    """
    return make


@pytest.fixture(scope="session")
def brief():
    """Make what ``quick`` makes, by what takes a third of the time, for what does not depend on it.

    Random networks, no search for cells, a mean-field posterior, one epoch, no search for a graph.
    """
    simple = {"init": "paper", "posterior": "mean_field", "structure": "gradient"}
    return partial(make, max_iter=1, **simple)


@pytest.fixture(scope="session")
def random_start():
    """Make what ``brief`` makes, with the default posterior, which knows columns of any kind."""
    return partial(make, max_iter=1, init="paper", structure="gradient")


@pytest.fixture(scope="session")
def taught():
    """Make what ``quick`` makes, but teach encoders of incomplete samples for an epoch."""
    return partial(make, missing_values=MissingValues(subset_epochs=1))


@pytest.fixture(scope="session")
def fitted(quick, pair):
    """An estimator fitted to ``pair``; leave it as it is, or take a deep copy."""
    return quick().fit(pair)


@pytest.fixture(scope="session")
def fitted_warm(quick, pair):
    """What ``fitted`` is, with ``warm_start=True``; leave it as it is, or take a deep copy."""
    return quick(warm_start=True).fit(pair)


@pytest.fixture(scope="session")
def fitted_and_taught(taught, pair):
    """What ``taught`` makes, fitted to ``pair``; leave it as it is, or take a deep copy."""
    return taught().fit(pair)
