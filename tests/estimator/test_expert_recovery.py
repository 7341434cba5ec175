"""What experts must recover: lattices and their curves, digits with a line, oscillators."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

from skcausalpima import CausalPIMA
from skcausalpima.datasets import load_digits_with_curves, make_lattices
from skcausalpima.metrics import matched_accuracy, node_recovery
from skcausalpima.modules import ExpertDecoder, line, piecewise_linear


@pytest.mark.long
def test_lattices_and_their_curves():
    data = make_lattices(random_state=100)
    images = data.images - data.images.mean(axis=(1, 2), keepdims=True)
    images /= images.std(axis=(1, 2), keepdims=True)
    flips = [images, images[:, ::-1], images[:, :, ::-1], images[:, ::-1, ::-1]]
    X = [np.concatenate(flips), np.tile(data.curves, (4, 1))]
    expert = ExpertDecoder(piecewise_linear(2, intercept=False), data.curve_points, scatter=True)
    est = CausalPIMA((2, 2), experts=[None, expert], random_state=100).fit(X)
    recovery = node_recovery(np.tile(data.factors, (4, 1)), est.node_labels_)
    assert recovery.accuracies[0] >= 0.947
    truth, table = np.tile(data.curve_parameters, (4, 1)), est.expert_params_["modality1"]
    for component in np.unique(est.labels_):
        mean = truth[est.labels_ == component].mean(axis=0)
        found = [table[name][component] for name in data.curve_parameter_names]
        assert (np.abs(found / mean - 1) < 0.1).all()


@pytest.mark.long
def test_digits_with_a_line_per_cluster():
    data = load_digits_with_curves(random_state=100)
    expert = ExpertDecoder(line, data.curve_points)
    est = CausalPIMA((10,), experts=[None, expert], random_state=100)
    est.fit([data.images, data.curves])
    assert matched_accuracy(data.target, est.labels_) >= 0.99
    slopes = np.sort(est.expert_params_["modality1"]["slope"])
    assert np.abs(slopes - np.arange(10)).max() < 0.15


@pytest.mark.data
@pytest.mark.long
def test_mnist_with_a_line_per_cluster():
    with np.load(Path(os.environ["SKCAUSALPIMA_DATA"]) / "mnist5k.npz") as file:
        images, digit = file["images"].astype(np.float32), file["digit"].astype(int)
    x, rng = np.linspace(0, 1, 20), np.random.RandomState(100)
    curves = digit[:, None] * x + rng.normal(scale=np.sqrt(0.5), size=(len(digit), 20))
    est = CausalPIMA((10,), experts=[None, ExpertDecoder(line, x)], random_state=100)
    est.fit([images, curves.astype(np.float32)])
    assert matched_accuracy(digit, est.labels_) >= 0.985
    slopes = np.sort(est.expert_params_["modality1"]["slope"])
    assert np.abs(slopes - np.arange(10)).max() < 0.15


def swing(x, amplitude, damping, frequency):
    return amplitude * torch.exp(-damping * x) * torch.cos(frequency * x)


@pytest.mark.long
def test_oscillators_per_sample():
    rng, x = np.random.RandomState(100), np.linspace(0, 1, 60)
    truth = rng.uniform([1.0, 0.5, 6.0], [3.0, 3.0, 14.0], size=(600, 3))
    a, d, f = truth.T[:, :, None]
    curves = a * np.exp(-d * x) * np.cos(f * x) + rng.normal(scale=0.1, size=(600, 60))
    bounds = {"amplitude": (0, 10), "damping": (0, 10), "frequency": (2, 30)}
    expert = ExpertDecoder(swing, x, [1, 1, 10], bounds, per="sample")
    est = CausalPIMA((2,), latent_dim=3, experts=[expert], max_iter=100, random_state=100)
    est.fit(curves)
    table = est.predict_expert_params(curves)["modality0"]
    for k, name in enumerate(bounds):
        assert spearmanr(table[name], truth[:, k]).statistic >= 0.95
