"""Influence and conflict of modalities, where Bayes' rule gives the probabilities."""

import numpy as np
import pytest
import torch
from linear_models import LinearMixture
from numpy.testing import assert_allclose, assert_array_equal
from random_models import make_data, own_model
from scipy.spatial.distance import jensenshannon
from scipy.stats import entropy, sem

from skcausalpima._inference.modality_evidence import (
    Compared,
    compared_modalities,
    divergence,
    jensen_shannon,
    means_over_samples,
)
from skcausalpima._model.tensors import TensorData
from skcausalpima.modules import Batch, SubsetEncoders


@pytest.mark.usefixtures("no_outliers")
def test_they_are_divergences_of_the_probabilities_by_bayes_rule():
    mixture = LinearMixture()
    model, encoders = mixture.model()
    _, x = mixture.sample(40)
    data = TensorData(Batch(tuple(map(torch.as_tensor, x)), None), torch.float64)
    influence, conflict = compared_modalities(model, data, encoders)[:2]
    everything = mixture.probabilities(x, [0, 1, 2])
    for m, others in enumerate([[1, 2], [0, 2], [0, 1]]):
        rest = mixture.probabilities(x, others)
        assert_allclose(influence[:, m], entropy(everything, rest), atol=1e-9)
        alone = mixture.probabilities(x, [m])
        assert_allclose(conflict[:, m], np.square(jensenshannon(alone, rest)), atol=1e-9)


@pytest.mark.usefixtures("no_outliers")
def test_samples_that_lack_modalities_are_compared_by_what_they_have():
    mixture = LinearMixture()
    model, encoders = mixture.model()
    _, x = mixture.sample(4)
    observed = np.array([[1, 1, 0, 0], [1, 1, 1, 0], [1, 0, 0, 0]], dtype=bool)
    arrays = [array * seen[:, None] for array, seen in zip(x, observed, strict=True)]
    batch = Batch(tuple(map(torch.as_tensor, arrays)), torch.as_tensor(observed))
    found = compared_modalities(model, TensorData(batch, torch.float64), encoders)
    influence, conflict = (part.numpy() for part in found[:2])
    assert_array_equal(np.isnan(conflict), [[0, 0, 0], [0, 0, 1], [1, 1, 1], [1, 1, 1]])
    assert_array_equal(influence[~observed.T], 0.0)
    first, second = (mixture.probabilities([array[1:2] for array in x], [m]) for m in (0, 1))
    assert_allclose(conflict[1, :2], np.repeat(jensenshannon(first, second) ** 2, 2), atol=1e-9)
    # The only modality is compared with the prior.
    alone = mixture.probabilities([array[2:3] for array in x], [1])[:, 0]
    assert_allclose(influence[2, 1], entropy(alone, mixture.weights), rtol=1e-4)


@pytest.mark.usefixtures("no_outliers")
def test_shares_of_entropy_are_those_by_bayes_rule():
    """Of both nodes of a 2 x 2 grid, each from its marginal; samples that lack m have no part."""
    mixture = LinearMixture()
    model, encoders = mixture.model()
    _, x = mixture.sample(40)
    observed = np.ones((3, 40), dtype=bool)
    observed[1, ::2] = False
    arrays = [array * seen[:, None] for array, seen in zip(x, observed, strict=True)]
    batch = Batch(tuple(map(torch.as_tensor, arrays)), torch.as_tensor(observed))
    compared = compared_modalities(model, TensorData(batch, torch.float64), encoders)
    found = means_over_samples(compared, model.prior.log_weights(), (2, 2))

    def expected(rows, modalities, name):
        cells = mixture.probabilities([array[rows] for array in x], modalities)
        marginals = [cells.reshape(2, 2, -1).sum(axis=axis) for axis in (1, 0)]
        if name == "said":
            return np.stack([part.max(axis=0) for part in marginals])
        grid = mixture.weights.reshape(2, 2)
        whole = [entropy(grid.sum(axis=axis)) for axis in (1, 0)]
        return 1 - np.stack([entropy(part) for part in marginals]) / np.array(whole)[:, None]

    for m, rows in enumerate([slice(None), slice(1, None, 2), slice(None)]):
        for name in ("alone", "said"):
            of_samples = expected(rows, [m], name)
            assert_allclose(found[name][m], of_samples.mean(axis=1), atol=1e-8)
            assert_allclose(found[f"{name}_se"][m], sem(of_samples, axis=1), atol=1e-8)
    others = expected(slice(1, None, 2), [0, 2], "without").mean(axis=1)
    assert_allclose(found["without"][1], others, atol=1e-8)


def test_a_node_of_one_outcome_has_no_entropy_to_take_away():
    weights = torch.tensor([0.4, 0.6]).double().log()
    one_sample = [torch.zeros(1, 2, 2).double(), torch.full((1, 2, 2), 0.9).double()]
    compared = Compared(*one_sample[:1] * 4, one_sample[1])
    found = means_over_samples(compared, weights, (1, 2))
    assert_array_equal(found["alone"], [[np.nan, 1.0], [np.nan, 1.0]])
    assert np.isnan(found["said_se"]).all()  # of one sample


def test_decoders_per_cluster_count():
    """Networks per cluster say something of the components by themselves."""
    model, data = own_model(), make_data(missing=True)
    encoders = SubsetEncoders(model).eval()
    influence, conflict = compared_modalities(model, data, encoders)[:2]
    both = data.observed.all(dim=0)
    assert (influence[both] > 0).any()
    assert torch.isfinite(influence).all()
    assert_array_equal(torch.isnan(conflict).any(dim=1), ~both)


def test_divergences_of_what_is_impossible():
    """Components of probability zero have no term; all there is to disagree about is log 2."""
    p = torch.tensor([[1.0, 0.5], [0.0, 0.5], [0.0, 0.0]]).double().log()
    q = torch.tensor([[0.0, 0.5], [1.0, 0.5], [0.0, 0.0]]).double().log()
    assert_allclose(jensen_shannon(p, q), [np.log(2), 0.0], atol=1e-15)
    assert_allclose(divergence(p[:, 1], q[:, 1]), 0.0)
