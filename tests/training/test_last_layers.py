"""The last layers of decoders in closed form."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from random_models import make_data, make_model, own_model, seed

from skcausalpima._model.tensors import TensorData
from skcausalpima._training.decoder_updates import (
    LEAST_SQUARES,
    N_FOLDS,
    PRIOR_SHARES,
    Regressions,
    fit_last_layers,
)


def errors(model, data, number):
    """Return the squared errors of the modalities at draws of z."""
    model.eval()
    with torch.no_grad():
        batch = data.rows(slice(None))
        noise = data.normal(data.n_samples, model.n_draws, seed(number))
        z = model.assign(batch, noise, model.prior.log_weights()).z
        return model.squared_errors(batch, z).sum(dim=1), z


@pytest.mark.parametrize("linear", [True, False])
def test_that_it_is_a_regression(linear):
    model, data = make_model(linear=linear), make_data()
    data = data.subset(torch.arange(data.n_samples).repeat(20))  # folds that are left out are alike
    with torch.no_grad():
        for decoder in model.decoders:
            decoder.network[-1].weight.zero_()
    fit_last_layers(model, data, seed(4))
    found, z = errors(model, data, 4)
    for decoder, array, squares in zip(model.decoders, data.arrays, found, strict=True):
        inputs = decoder.last_inputs(z).detach().numpy()
        least = np.linalg.lstsq(inputs, array.numpy(), rcond=None)[0]
        expected = np.square(inputs @ least - array.numpy()).sum()
        assert_allclose(squares, expected, rtol=0.02)  # it is drawn to where it was a bit
        with torch.no_grad():
            assert_allclose(decoder.last_inputs(z) @ decoder.last_layer.T, decoder(z).flatten(1))


def regression_of(inputs, explained, trained):
    """Return the coefficients that sums over folds lead to."""
    regression = Regressions.empty(torch.as_tensor(trained))
    inputs, explained = map(torch.as_tensor, (inputs, explained))
    for rows in torch.arange(len(inputs)).split(2 * N_FOLDS):  # blocks of samples
        regression.add(inputs[rows].T, inputs[rows], explained[rows])
    return regression.best(torch.as_tensor(trained)).numpy()


@pytest.mark.parametrize("noise", [0.1, 1.0, 3.0, 10.0])
def test_that_folds_that_are_left_out_say_how_much_it_is_drawn_to_the_trained_layer(noise):
    rng = np.random.default_rng(0)
    inputs, right = rng.normal(size=(40, 12)), rng.normal(size=(5, 12))
    explained = inputs @ right.T + noise * rng.normal(size=(40, 5))
    trained = right + 0.5 * rng.normal(size=right.shape)

    def solved(rows, share):  # a ridge regression of what the trained layer leaves, as it is stated
        scale = np.square(inputs[rows]).sum(axis=0)
        root = np.sqrt(share * np.maximum(scale, LEAST_SQUARES * scale.mean()))
        rest = explained[rows] - inputs[rows] @ trained.T
        stacked = np.vstack([inputs[rows], np.diag(root)])
        answer = np.vstack([rest, np.zeros((12, 5))])
        return trained + np.linalg.lstsq(stacked, answer, rcond=None)[0].T

    def error(coefficients, rows):
        return np.square(explained[rows] - inputs[rows] @ coefficients.T).sum()

    everyone, fold_of = np.arange(40), np.arange(40) % N_FOLDS
    errors = [error(trained, everyone)]
    for share in PRIOR_SHARES:
        folds = [(everyone[fold_of != k], everyone[fold_of == k]) for k in range(N_FOLDS)]
        errors.append(sum(error(solved(others, share), fold) for others, fold in folds))
    best = np.argmin(errors)
    expected = trained if best == 0 else solved(everyone, PRIOR_SHARES[best - 1])
    assert_allclose(regression_of(inputs, explained, trained), expected)


def test_that_few_samples_leave_a_trained_layer_as_it_is():
    rng = np.random.default_rng(0)
    right, inputs = rng.normal(size=(5, 30)), rng.normal(size=(20, 30))
    explained = inputs @ right.T + rng.normal(size=(20, 5))
    assert_allclose(regression_of(inputs, explained, right), right)


def test_that_further_draws_are_decoded_better():
    model, data = make_model(), make_data()
    before, _ = errors(model, data, 8)
    fit_last_layers(model, data, seed(4))
    assert (errors(model, data, 8)[0] < before).all()


def test_that_weights_are_repetitions():
    data = make_data()
    times = torch.arange(data.n_samples) % 3
    repeated = data.subset(torch.arange(data.n_samples).repeat_interleave(times))
    weighted = TensorData(replace(data.samples, weights=times[None].double()), data.dtype)
    decoded, draws = [], torch.randn(20, 2, generator=seed(5), dtype=torch.float64)
    for samples in (repeated, weighted):
        model = make_model()
        model.set_information(1e10 * model.information)  # so surely that draws are alike
        fit_last_layers(model, samples, seed())
        decoded.append(model.decoders[0](draws).detach())
    assert_allclose(*decoded, atol=0.2)


def test_that_missing_modalities_do_not_count():
    model, other, data = make_model(), make_model(), make_data(missing=True)
    pairs = zip(data.arrays, data.observed, strict=True)
    arrays = tuple(array + 1e3 * ~seen[:, None] for array, seen in pairs)
    spoilt = TensorData(replace(data.samples, arrays=arrays), data.dtype)
    fit_last_layers(model, data, seed())
    fit_last_layers(other, spoilt, seed())
    assert torch.equal(model.decoders[0].last_layer, other.decoders[0].last_layer)


def test_that_others_stay_as_they_are():
    frozen, data = make_model(), make_data()
    frozen.decoders.requires_grad_(False)
    for model in (frozen, own_model()):
        before = {name: value.clone() for name, value in model.state_dict().items()}
        fit_last_layers(model, data, seed())
        for name, value in model.state_dict().items():
            assert torch.equal(value, before[name]), name
    gaps = torch.ones_like(data.arrays[0], dtype=torch.bool)
    partly = TensorData(replace(data.samples, elements={0: gaps}), data.dtype)
    model = make_model()
    before = model.decoders[0].last_layer.detach().clone()
    fit_last_layers(model, partly, seed())
    assert torch.equal(model.decoders[0].last_layer, before)


def test_that_a_seldom_input_does_not_explode():
    """A hidden unit that one draw hardly reaches was to explain that sample's whole residual."""
    model, data = make_model(), make_data()
    decoder, hidden = model.decoders[0], model.decoders[0].last_inputs

    def seldom(z):
        inputs = hidden(z).clone()
        inputs[:, 0] = 1e-4 * (torch.arange(len(z)) == 3)
        return inputs

    decoder.last_inputs = seldom
    fit_last_layers(model, data, seed())
    largest = data.arrays[0].abs().max()
    assert decoder.last_layer[:, 0].abs().max() < 5.0 * largest


def test_that_decoders_without_curves_stay_as_they_are():
    model, data = make_model(), make_data()
    model.linear_modalities = (0,)
    before = [decoder.last_layer.detach().clone() for decoder in model.decoders]
    fit_last_layers(model, data, seed())
    same = [torch.equal(of.last_layer, was) for of, was in zip(model.decoders, before, strict=True)]
    assert same == [True] + [False] * (len(same) - 1)
