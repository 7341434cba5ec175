"""Fits and predictions on a device: no tensor of theirs is on another one."""

import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from pretend_gpu import pretended_gpu
from torch import nn

from skcausalpima import CausalPIMA, Device, GradientStructure, Initialization, MissingValues
from skcausalpima._data import on_disk
from skcausalpima._model import scaled_rows, scaled_samples, settings, tensors
from skcausalpima.modules import ExpertDecoder, line

GPU = "cuda"
GROUP = np.repeat(np.arange(4), 18)
SOME = np.where(np.arange(72) % 3 == 0, GROUP % 2, -1)


class Encoder(nn.Sequential):
    """A network of a user's."""

    def __init__(self, shape, latent_dim):
        width = int(np.prod(shape))
        layers = nn.Linear(width, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 2 * latent_dim)
        super().__init__(nn.Flatten(), *layers)


PER_SAMPLE = ExpertDecoder(line, np.linspace(0, 1, 4), per="sample")
LINEAR = Initialization("linear", pretraining_epochs=1)
KINDS = dict(
    zip("abcd", ("gaussian", "bernoulli", "categorical", "negative_binomial"), strict=True)
)
#: Parameters, what else ``fit`` gets, and what is done to the data.
CASES = {
    "defaults": {"modality_weights": "auto", "views": "auto"},
    "knowledge": {
        "known": {
            "sample_weight": np.linspace(0.5, 2, 72),
            "interventions": {"N1": SOME},
            "known_nodes": {"N2": SOME},
        },
        "training__validation_fraction": 0.25,
        "training__max_grad_norm": 1.0,
    },
    "layers per cluster": {"encoders": "conv", "decoders": ["conv", "cluster_mlp"]},
    "experts": {"experts": [None, line], "decoder_variance": "predicted"},
    "experts per sample": {"experts": [None, PER_SAMPLE], "decoders": ["cluster_mlp", None]},
    "gradient": {"structure": GradientStructure(), "init": LINEAR, "mixture": "tied"},
    "paper": {"init": "paper", "posterior": "mean_field", "mixture": "diag"},
    "modules": {"encoders": [Encoder, Encoder], "n_init": 2},
    "plan of many": {"max_iter": "auto"},
    "continued": {"warm_start": True},
    "lacking": {"data": "lacking", "missing_values": MissingValues(subset_epochs=1)},
    "holes": {"data": "holes"},
    "views": {"data": "curves", "views": {"modality0": "scale_space"}},
    "on disk": {"data": "on disk"},
    "columns": {"data": "columns", "likelihoods": {"modality1": KINDS}},
    "columns with holes": {"data": "columns with holes", "likelihoods": {"modality1": KINDS}},
}


def changed(pair, how, folder):
    """Return the data of a case."""
    images, curves = (array.copy() for array in pair)
    if how == "lacking":
        images[::5], curves[1::5] = np.nan, np.nan
    elif how == "holes":
        images[::5, 1], curves[1::5, 1] = np.nan, np.nan
    elif (how or "").startswith("columns"):
        kinds = [curves[:, 0], GROUP % 2, np.arange(72) % 3, np.arange(72) % 7]
        curves = pd.DataFrame(dict(zip("abcd", kinds, strict=True)), dtype=np.float64)
        if how == "columns with holes":
            curves.iloc[::5, 1] = curves.iloc[1::5, 2] = curves.iloc[2::5, 3] = np.nan
    elif how == "curves":
        return np.repeat(curves, 8, axis=1)
    elif how == "on disk":
        np.save(folder / "images.npy", images)
        return [np.load(folder / "images.npy", mmap_mode="r"), curves]
    return [images, curves]


def asked_of(model, X):
    """Return all that is asked of samples."""
    asked = [model.predict_proba(X), model.transform(X), model.score_samples(X)]
    reconstructed = [np.asarray(of, dtype=float) for of in model.reconstruct(X)]
    return [*asked, model.tail_probability(X), *reconstructed]


def answers(quick, X, data=None, known=None, **parameters):
    """Return the components of a fit, its bound, and what is asked of samples."""
    model = quick(**({"max_iter": 1} | parameters)).fit(X, **(known or {}))
    if model.warm_start:
        model.fit(X).partial_fit(X)
    return model.labels_, [model.lower_bound_, *asked_of(model, X)]


def prepared(pair, monkeypatch, folder, name):
    """Return the data of a case, and let its few samples be many, and on disk."""
    if name == "on disk":
        monkeypatch.setattr(on_disk, "MAX_READ_BYTES", 0)
    monkeypatch.setattr(settings, "MANY", 70)
    monkeypatch.setattr(settings, "STEPS_OF_MANY", 4)
    return changed(pair, CASES[name].get("data"), folder)


def check(quick, pair, monkeypatch, folder, name):
    X = prepared(pair, monkeypatch, folder, name)
    labels, expected = answers(quick, X, **CASES[name])
    with pretended_gpu(monkeypatch, has_double=True):
        labels_there, found = answers(quick, X, **CASES[name])
    assert_array_equal(labels_there, labels)
    for one, other in zip(found, expected, strict=True):
        assert_allclose(one, other, rtol=1e-6)


pretended = pytest.mark.filterwarnings("ignore:for .*copying from a non-meta parameter")


@pretended
def test_no_tensor_is_on_another_device(quick, pair, monkeypatch, tmp_path):
    check(quick, pair, monkeypatch, tmp_path, "paper")


SLOW = {"knowledge", "columns"}


@pretended
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.slow if name in SLOW else pytest.mark.long)
        for name in sorted(CASES.keys() - {"paper"})
    ],
)
def test_nor_with_other_parameters_and_data(quick, pair, monkeypatch, tmp_path, name):
    check(quick, pair, monkeypatch, tmp_path, name)


@pretended
@pytest.mark.long
def test_data_that_do_not_fit_come_batch_by_batch(quick, pair, monkeypatch):
    """They stay in memory, and the fit is as good; where there is no memory, so much is sent."""
    gappy = changed(pair, "lacking", None)
    expected = quick(max_iter=1).fit(gappy)
    asked, moved = [], []
    monkeypatch.setattr(scaled_samples, "fits", lambda n_bytes, device: asked.append(n_bytes))
    monkeypatch.setattr(tensors, "BUFFER_BYTES", 64 * 8 * 10)  # one run of 64 samples
    real = scaled_rows.sent
    monkeypatch.setattr(scaled_rows, "sent", lambda of, to: moved.append(len(of)) or real(of, to))
    with pretended_gpu(monkeypatch, has_double=True):
        model = quick(max_iter=1).fit(gappy)
        found = asked_of(model, gappy)
    assert set(asked) == {72 * 8 * 10}  # two modalities of 6 and 4 elements
    assert set(moved) >= {64, 8}
    assert_array_equal(model.labels_, expected.labels_)
    assert_allclose(model.lower_bound_, expected.lower_bound_, rtol=0.01)
    for one, other in zip(found, asked_of(model, gappy), strict=True):
        assert_allclose(one, other, rtol=1e-6)


def test_a_gpu_is_asked_for_its_free_memory(monkeypatch):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (1000, 4000))
    gpu = torch.device("cuda", 0)
    assert scaled_rows.fits(500, gpu)
    assert not scaled_rows.fits(501, gpu)
    assert scaled_rows.fits(10**18, torch.device("cpu"))


# Where there is a GPU -----------------------------------------------------------------------------


@pytest.mark.gpu
@pytest.mark.parametrize("name", CASES)
def test_a_gpu_finds_what_the_cpu_finds(quick, pair, monkeypatch, tmp_path, name):
    X = prepared(pair, monkeypatch, tmp_path, name)
    labels, expected = answers(quick, X, **CASES[name])
    labels_there, found = answers(quick, X, device=GPU, **CASES[name])
    assert_array_equal(labels_there, labels)
    for one, other in zip(found, expected, strict=True):
        assert_allclose(one, other, rtol=1e-4, atol=1e-6)
    again = answers(quick, X, device=GPU, **CASES[name])[1]
    for one, other in zip(found, again, strict=True):
        assert_allclose(one, other, rtol=1e-10)


@pytest.mark.gpu
@pytest.mark.parametrize("options", [{"compile": True}, {"autocast": True}])
def test_a_gpu_compiles_and_computes_in_bfloat16(quick, pair, options):
    X = [array.astype("float32") for array in pair]
    expected = quick().fit(X)
    model = quick(device=Device(GPU, **options)).fit(X)
    assert_array_equal(model.labels_, expected.labels_)
    assert_allclose(model.lower_bound_, expected.lower_bound_, rtol=0.02)
    assert_allclose(model.predict_proba(X), expected.predict_proba(X), atol=0.05)


@pytest.mark.gpu
def test_a_gpu_trains_on_data_that_do_not_fit(quick, pair, monkeypatch):
    expected = quick(device=GPU).fit(pair)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (0, 0))
    monkeypatch.setattr(tensors, "BUFFER_BYTES", 64 * 8 * 10)
    model = quick(device=GPU).fit(pair)
    assert_array_equal(model.predict(pair), expected.labels_)
    assert_allclose(model.lower_bound_, expected.lower_bound_, rtol=0.01)


@pytest.mark.gpu
@pytest.mark.parametrize("stores", ["pickle", "file"])
def test_a_fit_on_a_gpu_goes_on_where_there_is_none(quick, pair, monkeypatch, tmp_path, stores):
    model = quick(device=Device(GPU), warm_start=True).fit(pair)
    if stores == "file":
        model.save(tmp_path / "model")
    stored = pickle.dumps(model)
    expected = model.score_samples(pair)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    copy = pickle.loads(stored) if stores == "pickle" else CausalPIMA.load(tmp_path / "model")
    assert_allclose(copy.score_samples(pair), expected, rtol=1e-6)
    assert copy.set_params(device__name="cpu").fit(pair).n_iter_ == 6
