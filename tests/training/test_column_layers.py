"""The last layers of decoders of columns: generalised linear models."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from random_models import make_data, make_model, own_model, seed
from scipy.optimize import minimize
from scipy.special import expit, log_softmax

from skcausalpima._model.tensors import TensorData
from skcausalpima._training.column_layers import N_DRAWS, PRIOR_SAMPLES, fit_column_layers
from skcausalpima.modules import ColumnDecoder, MLPDecoder

LAYOUT = (("bernoulli", 1), ("categorical", 3))


def columns(weights=None, elements=None):
    """Data whose second modality is yes or no beside one of three words; a model of them."""
    rng, data = np.random.default_rng(3), make_data()
    yes = rng.random(90) < expit(data.arrays[1][:, 0].numpy())
    words = np.eye(3)[rng.integers(3, size=90)]
    x = torch.as_tensor(np.column_stack([yes, words]))
    samples = replace(data.samples, arrays=(data.arrays[0], x))
    if weights is not None:
        samples = replace(samples, weights=torch.as_tensor(weights)[None])
    if elements is not None:
        samples = replace(samples, elements={1: torch.as_tensor(elements)})
    model = make_model()
    network = MLPDecoder((4,), 2, (8,), seed(1)).double()
    model.decoders[1] = ColumnDecoder(network, (4,), LAYOUT).double()
    return model, TensorData(samples, data.dtype)


def inputs_of(model, data, number):
    """Return what the last layer sees at draws of z, one after the other."""
    model.eval()
    generator, found = seed(number), []
    with torch.no_grad():
        batch = data.subset(torch.arange(data.n_samples)).loaded().rows(slice(None))
        for _ in range(N_DRAWS):
            noise = data.normal(data.n_samples, model.n_draws, generator)
            z = model.assign(batch, noise, model.prior.log_weights()).z
            found.append(model.decoders[1].network.last_inputs(z).numpy())
    return np.concatenate(found)


@pytest.mark.parametrize("is_partial", [False, True])
def test_that_columns_are_most_probable_near_the_trained_layer(is_partial):
    """SciPy minimises the same sum, written out in NumPy."""
    rng = np.random.default_rng(7)
    weights = rng.integers(1, 4, size=90).astype(float)
    seen = rng.random((90, 2)) < 0.8 if is_partial else np.ones((90, 2), dtype=bool)
    elements = seen[:, [0, 1, 1, 1]] if is_partial else None
    model, data = columns(weights, elements)
    trained = model.decoders[1].network.last_layer.detach().numpy()
    h, x = inputs_of(model, data, 4), np.tile(data.arrays[1].numpy(), (N_DRAWS, 1))
    seen, weights = np.tile(seen, (N_DRAWS, 1)), np.tile(weights, N_DRAWS) / N_DRAWS
    squares = weights @ np.square(h)
    prior = PRIOR_SAMPLES * np.maximum(squares, 0.01 * squares.mean()) / weights.sum()

    def loss(flat):
        layer = flat.reshape(trained.shape)
        eta = h @ layer.T
        yes = np.where(x[:, 0] == 1, np.log(expit(eta[:, 0])), np.log(expit(-eta[:, 0])))
        word = (x[:, 1:] * log_softmax(eta[:, 1:], axis=1)).sum(axis=1)
        told = weights @ (seen[:, 0] * yes + seen[:, 1] * word)
        return (0.5 * (prior * np.square(layer - trained)).sum() - told) / weights.sum()

    expected = minimize(loss, trained.ravel(), method="L-BFGS-B", options={"maxiter": 2000}).fun
    assert fit_column_layers(model, data, seed(4))
    found = loss(model.decoders[1].network.last_layer.detach().numpy().ravel())
    assert expected < loss(trained.ravel()) - 0.03
    assert_allclose(found, expected, rtol=1e-3)


def test_that_others_stay_as_they_are():
    data = make_data()
    for model in (make_model(), own_model()):
        before = {name: value.clone() for name, value in model.state_dict().items()}
        assert not fit_column_layers(model, data, seed())
        for name, value in model.state_dict().items():
            assert torch.equal(value, before[name]), name
    model, data = columns()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    fit_column_layers(model, data, seed())
    changed = {n for n, value in model.state_dict().items() if not torch.equal(value, before[n])}
    assert changed
    assert all(name.startswith("decoders.1.network.") for name in changed)


def test_that_networks_of_the_users_stay_as_they_are():
    model, data = columns()
    network = torch.nn.Linear(2, 4).double()
    model.decoders[1] = ColumnDecoder(network, (4,), LAYOUT)
    before = network.weight.detach().clone()
    assert not fit_column_layers(model, data, seed())
    assert torch.equal(network.weight, before)


def test_that_what_is_no_number_changes_nothing():
    model, data = columns()
    layer = model.decoders[1].network.last_layer.detach().clone()
    x = data.arrays[1].clone()
    x[3, 0] = torch.nan
    broken = TensorData(replace(data.samples, arrays=(data.arrays[0], x)), data.dtype)
    fit_column_layers(model, broken, seed())
    assert torch.equal(model.decoders[1].network.last_layer, layer)
