"""What the caller has set in NumPy and PyTorch changes no result."""

import threading
import warnings
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from same_fits import assert_same, assert_same_fits
from torch import nn

from skcausalpima import CausalPIMA
from skcausalpima.modules import ExpertDecoder, exponential_decay, line


@contextmanager
def default_dtype(dtype):
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


@contextmanager
def default_device(device):
    torch.set_default_device(device)
    try:
        yield
    finally:
        torch.set_default_device(None)


@contextmanager
def warnings_as_errors():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


SURROUNDINGS = {
    "double precision": lambda: default_dtype(torch.float64),
    "half precision": lambda: default_dtype(torch.bfloat16),
    "mixed precision": lambda: torch.autocast("cpu"),
    "no gradients": torch.no_grad,
    "inference mode": torch.inference_mode,
    "default device": lambda: default_device("meta"),
    "device context": lambda: torch.device("meta"),
    "errors of NumPy": lambda: np.errstate(all="raise"),
    "warnings": warnings_as_errors,
}

EXPERTS = [
    ExpertDecoder(line, np.linspace(0, 1, 12), p0={"slope": 0.1}, scatter=True),
    ExpertDecoder(
        exponential_decay,
        np.linspace(0, 1, 10),
        p0={"rate": 0.3},
        bounds={"rate": (0.1, 7.0)},
        per="sample",
    ),
]
OPTIONS = {
    "defaults": {},
    "float32": {},
    "laws": {"experts": EXPERTS},
    "convolutions": {"encoders": "conv", "decoders": "cluster_conv", "warm_start": True},
    "variances": {"decoder_variance": "predicted", "modality_weights": [0.1, 1.7]},
    "weights": {"init": "linear", "covariance_type": "diag", "n_graph_steps": 2},
    "structure": {"structure": "gradient", "score_noise": 0.1, "required_edges": [("N1", "N2")]},
}


@pytest.fixture(scope="module")
def curves():
    rng = np.random.default_rng(0)
    group = np.repeat(np.arange(4), 15)
    t, u = np.linspace(0, 1, 12), np.linspace(0, 1, 10)
    lines = (group // 2)[:, None] * 3.0 * t + 0.1 * rng.normal(size=(60, 12))
    decays = 5 * np.exp(-(0.5 + 3.0 * (group % 2))[:, None] * u) + 0.1 * rng.normal(size=(60, 10))
    return [lines, decays]


def fit(quick, curves, option):
    X = [curve.astype(np.float32) for curve in curves] if option == "float32" else curves
    weight = np.linspace(0.1, 2.1, 60) if option == "weights" else None
    return quick(max_iter=2, **OPTIONS[option]).fit(X, sample_weight=weight), X


@pytest.fixture(scope="module")
def fits(quick, curves):
    return {option: fit(quick, curves, option) for option in OPTIONS}


def answers(model, X, path):
    """Return what all methods say."""
    model.save(path)
    loaded = CausalPIMA.load(path, experts=model.experts)
    new, labels = model.sample(7)
    intervened, nodes = model.intervene({"N1": 1}, 5)
    imagined, outcomes = model.counterfactual(X, {"N1": 0})
    points = model.transform(X)
    return {
        "points": points,
        "probabilities": loaded.predict_proba(X),
        "labels": model.predict(X),
        "nodes": model.predict_nodes(X),
        "bounds": loaded.score_samples(X),
        "score": model.score(X, sample_weight=np.arange(60)),
        "decoded": dict(enumerate(model.inverse_transform(points))),
        "parameters": model.predict_expert_params(X),
        "sample": dict(enumerate([*new, labels, *intervened, nodes, *imagined, outcomes])),
        "graph": model.to_graph().marginal(["N1", "N2"]),
        "missing": model.predict_proba([X[0], None]),
    }


@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("surroundings", SURROUNDINGS)
def test_fits_and_answers_do_not_depend_on_surroundings(
    fits, quick, curves, option, surroundings, tmp_path
):
    model, X = fits[option]
    with SURROUNDINGS[surroundings]():
        other, _ = fit(quick, curves, option)
        answered = answers(other, X, tmp_path / "other")
    assert_same_fits(other, model, X)
    for name, expected in answers(model, X, tmp_path / "model").items():
        assert_same(answered[name], expected, name)
