"""Samples that arrive in other units than those of the fit, and ordinary ones, which do not."""

import numpy as np
import pytest

from skcausalpima import CausalPIMA
from skcausalpima._data.other_units import FARTHEST, distance_of_half
from skcausalpima._data.scaling import ModalityScaler
from skcausalpima._data.validation import read_modalities

DRAWS = {
    "normal": lambda rng, size: rng.normal(size=size),
    "heavy tails": lambda rng, size: rng.standard_t(3, size=size),
    "skewed": lambda rng, size: np.exp(rng.normal(size=size)),
    "far from 0": lambda rng, size: 1000.0 + rng.normal(size=size),
    "unlike units": lambda rng, size: rng.normal(size=size) * 10.0 ** np.arange(size[1]),
}


def read(X):
    return read_modalities(CausalPIMA(), X, reset=True)


@pytest.fixture(params=DRAWS)
def rows(request):
    """A thousand rows of four cells, one of which is of a kind of its own; cells; further rows."""
    rng = np.random.default_rng(0)
    X = DRAWS[request.param](rng, (1100, 3))
    cells = rng.integers(4, size=1100)
    X += rng.normal(size=(4, 3))[cells] * 3.0 * X.std(axis=0)
    X[0] += 300.0 * X.std(axis=0)
    return X[:1000], cells[:1000], X[1000:]


@pytest.mark.filterwarnings("ignore:The column 2 of")  # scale="modality" is not for unlike units
@pytest.mark.parametrize("scale", ["auto", "modality", "feature"])
def test_ordinary_batches_are_near(rows, scale):
    X, cells, further = rows
    scaler = ModalityScaler.fit(read(X), scale)
    batches = [further[:50], X[cells == 0], X[np.argsort(X[:, 0])[-20:]], np.tile(X[0], (20, 1))]
    gaps = np.where(np.eye(100, 3) > 0, np.nan, further)
    assert max(distance_of_half(scaler, read(B), 0) for B in [*batches, gaps]) < 0.7 * FARTHEST


def test_rows_in_other_units_are_far(rows):
    X, cells, further = rows
    typical = X[1:]
    scaler = ModalityScaler.fit(read(typical), "auto")
    for B in (further, X[cells == 0], further[:2], np.where(np.eye(100, 3) > 0, np.nan, further)):
        assert distance_of_half(scaler, read(1000.0 * B), 0) > 1.5 * FARTHEST
