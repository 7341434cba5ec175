"""What holds for all tests and examples of docstrings."""

import os
import sys

# Before NumPy and PyTorch are imported: on arrays as small as those of the tests more threads only
# wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest


@pytest.fixture(autouse=True)
def closed_figures():
    """Close the figures that a test or an example has opened."""
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")
