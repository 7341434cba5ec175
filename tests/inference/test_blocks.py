"""What is asked of many samples is asked some at a time."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skcausalpima._inference import contexts, posterior
from skcausalpima._inference.fitted_model import FittedModel
from skcausalpima._model import tensors


@pytest.fixture(scope="module")
def fitted(taught):
    rng = np.random.default_rng(0)
    X = [rng.normal(size=(50, 4)), rng.normal(size=(50, 3))]
    X[0][:5], X[1][10:12], X[1][20, 1] = np.nan, np.nan, np.nan
    return taught(init="linear", max_iter=1).fit(X), X


@pytest.mark.parametrize("method", ["predict", "predict_proba", "transform", "score_samples"])
def test_that_blocks_change_nothing(fitted, method, monkeypatch):
    model, X = fitted
    for module in (contexts, tensors, posterior):
        monkeypatch.setattr(module, "BLOCK_ROWS", 8)
    monkeypatch.setattr(posterior, "MOST_ROWS", 8)
    expected = getattr(model, method)(X)
    sizes, scaled = [], FittedModel.scaled

    def counted(self, modalities):
        sizes.append(modalities.n_samples)
        return scaled(self, modalities)

    monkeypatch.setattr(contexts, "ELEMENTS_AT_ONCE", 2 * 8 * 7)
    monkeypatch.setattr(FittedModel, "scaled", counted)
    assert_array_equal(getattr(model, method)(X), expected)
    assert sizes == [16, 16, 16, 2]
