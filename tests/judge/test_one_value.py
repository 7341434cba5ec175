"""Nodes that are one value of one column, and columns of zeros and ones."""

import numpy as np
import pandas as pd
import pytest

from skcausalpima import CausalPIMA
from skcausalpima._data.validation import read_modalities
from skcausalpima._judge.one_value import one_values, zeros_and_ones


def read(X, **parameters):
    return read_modalities(CausalPIMA(**parameters), X, reset=True)


@pytest.fixture
def spiked():
    """Return six independent columns, each value 0 with probability .4."""
    rng = np.random.default_rng(0)
    X = 3.0 + rng.normal(size=(200, 6))
    return np.where(rng.random(X.shape) < 0.4, 0.0, X)


def test_a_node_that_is_a_value_of_a_column_is_named(spiked):
    labels = (spiked[:, 4] == 0).astype(int)[:, None]
    assert one_values(read(spiked), labels, ["N1"]) == {"N1": "whether column '4' is 0"}
    assert one_values(read(spiked), 1 - labels, ["N1"]) != {}
    both = [spiked, np.random.default_rng(1).normal(size=(200, 2, 2))]
    said = one_values(read(both), labels, ["N1"])
    assert said == {"N1": "whether column '4' of 'modality0' is 0"}
    shown = spiked.copy()
    shown[:, 0] += 3.0 * labels[:, 0]  # another column shows the node, too
    assert one_values(read(shown), labels, ["N1"]) == {}
    assert one_values(read(spiked), np.zeros_like(labels), ["N1"]) == {}  # one outcome is none
    other = np.arange(200)[:, None] % 2
    assert one_values(read(spiked), other, ["N1"]) == {}


def test_what_is_stated_is_no_artefact(spiked):
    labels = (spiked[:, 4] == 0).astype(int)[:, None]
    frame = pd.DataFrame(spiked[:, :4]).rename(columns=str).assign(flag=labels[:, 0] == 1)
    assert one_values(read(frame), labels, ["N1"]) == {}
    gaps = np.where(spiked == 0, np.nan, spiked)
    assert one_values(read(gaps), labels, ["N1"]) == {}  # what is missing has no value
    images = np.repeat(spiked[:, :, None], 2, axis=2)
    assert one_values(read(images), labels, ["N1"]) == {}


def test_the_fit_says_so():
    rng = np.random.default_rng(0)
    X = 4.0 + rng.normal(size=(200, 4))
    X[rng.random(200) < 0.4, 2] = 0.0
    with pytest.warns(UserWarning, match=r"\[one-value\] .* N1 is whether column '2' is 0\."):
        est = CausalPIMA(2, max_iter=3, random_state=0).fit(X)
    assert est.choices_.one_value == {"N1": "whether column '2' is 0"}
    assert est.report().verdict == "alarmed"


def test_columns_of_zeros_and_ones_are_named():
    rng = np.random.default_rng(0)
    flags = rng.integers(2, size=(50, 3)).astype(float)
    one_hot = np.eye(3)[rng.integers(3, size=50)]
    X = np.column_stack([rng.normal(size=50), flags, one_hot, np.ones(50)])
    assert zeros_and_ones(read(X), 0) == ["1", "2", "3"]
    gaps = X.copy()
    gaps[0, 1] = np.nan
    assert zeros_and_ones(read(gaps), 0) == ["2", "3"]  # its mean is no 0 or 1
    assert zeros_and_ones(read(one_hot), 0) == []
    frame = pd.DataFrame({"a": flags[:, 0] > 0, "b": X[:, 0]})
    assert zeros_and_ones(read(frame), 0) == []
