"""Leave out the tests that need something this machine does not have; data and models to share."""

import os
from functools import partial

# Before NumPy, SciPy and PyTorch are imported: one of scikit-learn's checks asks for the first;
# on arrays as small as those of the tests more threads only wait for each other.
os.environ["SCIPY_ARRAY_API"] = "1"
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pytest
import torch

from skcausalpima import CausalPIMA, Initialization, MissingValues, ScoreSearch

#: Examples in docstrings that make many fits.
SLOW_EXAMPLES = {
    "skcausalpima._causal_pima.CausalPIMA.report",
    "skcausalpima.inspection._displays.confidence.EdgeConfidenceDisplay.from_confidence",
    "skcausalpima.inspection._edge_confidence.EdgeConfidence",
    "skcausalpima.inspection._edge_confidence.edge_confidence",
    "skcausalpima.model_selection.NodeSizeSelection",
    "skcausalpima.model_selection.select_node_sizes",
}


@pytest.hookimpl(tryfirst=True)  # marks decide what pytest deselects
def pytest_collection_modifyitems(config, items):
    for item in items:
        if item.name in SLOW_EXAMPLES:
            item.add_marker(pytest.mark.slow)
    absent = set()
    if not os.environ.get("SKCAUSALPIMA_DATA"):
        absent.add("data")
    if not torch.cuda.is_available():
        absent.add("gpu")
    deselected = [item for item in items if absent & {mark.name for mark in item.iter_markers()}]
    if deselected:
        config.hook.pytest_deselected(items=deselected)
        items[:] = [item for item in items if item not in set(deselected)]


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
def taught():
    """Make what ``quick`` makes, but teach encoders of incomplete samples for an epoch."""
    return partial(make, missing_values=MissingValues(subset_epochs=1))


@pytest.fixture(scope="session")
def fitted(quick, pair):
    """An estimator fitted to ``pair``; leave it as it is."""
    return quick().fit(pair)
