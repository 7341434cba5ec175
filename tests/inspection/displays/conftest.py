"""What the tests of pictures share."""

import matplotlib as mpl

mpl.use("Agg")

import numpy as np
import pandas as pd
import pytest

from skcausalpima.modules import ExpertDecoder, line

LONG_NAMES = [
    "temperature_of_the_print_bed_C",
    "hue",
    "radius of the inner circle (mm)",
    "cost ($) and price ($)",
    "speed_of_the_nozzle_during_run",
    "layer",
]


@pytest.fixture(scope="session")
def long_names():
    """Names of up to six nodes."""
    return LONG_NAMES


@pytest.fixture(scope="session")
def shown_data():
    """Images, curves, a table and lines of 80 samples of four groups."""
    rng = np.random.default_rng(0)
    group = np.repeat(np.arange(4), 20)
    images = rng.normal(scale=0.1, size=(80, 6, 5)) + (group // 2)[:, None, None]
    curves = rng.normal(scale=0.1, size=(80, 20)) + (group % 2)[:, None] * np.linspace(0, 1, 20)
    table = rng.normal(size=(80, 3)) * [1, 10, 100] + 5 * group[:, None]
    lines = (1 + group % 2)[:, None] * np.linspace(0, 2, 12) + rng.normal(scale=0.1, size=(80, 12))
    return {
        "image": images,
        "curve": curves,
        "table": pd.DataFrame(table, columns=["mass of the whole thing in grams", "b", "c"]),
        "line": lines,
    }


@pytest.fixture(scope="session")
def shown_fit(quick, shown_data):
    """An estimator fitted to ``shown_data``; leave it as it is."""
    experts = {"image": None, "curve": None, "table": None}
    experts["line"] = ExpertDecoder(line, np.linspace(0, 2, 12))
    scale = {"image": "modality", "curve": "modality", "table": "feature", "line": "modality"}
    sizes = dict.fromkeys(LONG_NAMES[:2], 2)
    return quick(sizes, experts=experts, scale=scale).fit(shown_data)
