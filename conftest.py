"""What holds for all tests and examples of docstrings."""

import sys

import pytest


@pytest.fixture(autouse=True)
def closed_figures():
    """Close the figures that a test or an example has opened."""
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")
