"""What the caller has set in NumPy and PyTorch changes no result."""

import itertools
import threading
import warnings
from contextlib import ExitStack, contextmanager
from functools import cache

import numpy as np
import pytest
import torch
from numpy.exceptions import ComplexWarning
from same_fits import assert_same, assert_same_fits
from sklearn.base import clone
from torch import nn

from skcausalpima import BackgroundKnowledge, CausalPIMA, GradientStructure, ScoreSearch
from skcausalpima.exceptions import InstabilityWarning
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
    with warnings.catch_warnings(action="error"):
        warnings.simplefilter("ignore", InstabilityWarning)  # of fits of few samples, rightly
        yield


# All that a caller may set, in two parts: none of a part undoes another.
SURROUNDINGS = {
    "double precision, inference mode, default device, errors of NumPy": [
        lambda: default_dtype(torch.float64),
        torch.inference_mode,
        lambda: default_device("meta"),
        lambda: np.errstate(all="raise"),
    ],
    "half and mixed precision, no gradients, device context, warnings": [
        lambda: default_dtype(torch.bfloat16),
        lambda: torch.autocast("cpu"),
        torch.no_grad,
        lambda: torch.device("meta"),
        warnings_as_errors,
    ],
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
    "defaults": {"modality_weights": "auto", "views": "auto"},
    "float32": {},
    "experts": {"experts": EXPERTS},
    "convolutions": {"encoders": "conv", "decoders": "cluster_conv", "warm_start": True},
    "variances": {"decoder_variance": "predicted", "modality_weights": [0.1, 1.7]},
    "weights": {"init": "linear", "mixture": "diag", "structure": ScoreSearch("bdeu")},
    "structure": {
        "structure": GradientStructure(temperature=0.7),
        "knowledge": BackgroundKnowledge(required=[("N1", "N2")]),
    },
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
    """Fit in the usual surroundings, when it is asked for and once."""
    return cache(lambda option: fit(quick, curves, option))


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


# One of the surroundings with one of the options; slow: the other one with another one.
FIRST, SECOND = SURROUNDINGS
MARKS = {("structure", FIRST): [], ("defaults", SECOND): pytest.mark.slow}
CASES = [
    pytest.param(*case, marks=MARKS.get(case, pytest.mark.long), id=" under ".join(case))
    for case in itertools.product(OPTIONS, SURROUNDINGS)
]


@pytest.mark.parametrize(("option", "surroundings"), CASES)
def test_fits_and_answers_do_not_depend_on_surroundings(
    fits, quick, curves, option, surroundings, tmp_path
):
    model, X = fits(option)
    with ExitStack() as stack:
        for surrounding in SURROUNDINGS[surroundings]:
            stack.enter_context(surrounding())
        other, _ = fit(quick, curves, option)
        answered = answers(other, X, tmp_path / "other")
    assert_same_fits(other, model, X)
    for name, expected in answers(model, X, tmp_path / "model").items():
        assert_same(answered[name], expected, name)


@pytest.mark.slow
def test_modules_of_the_user_are_trained_in_any_surroundings(quick, pair):
    """What they are made in is theirs; modes of the thread are not."""

    def fit_own():
        encoders = [nn.Sequential(nn.Flatten(), nn.Dropout(0.2), nn.Linear(6, 4)), "mlp"]
        return quick(encoders=encoders, latent_dim=2)

    torch.manual_seed(0)
    model = fit_own()
    usual = clone(model).fit(pair)
    for surroundings in (torch.inference_mode, lambda: torch.device("meta")):
        with surroundings():
            other = clone(model).fit(pair)
        assert_same_fits(other, usual, pair)


def draws_during(fit):
    """Return what this thread draws while another one fits, and the same from the seed alone."""
    torch.manual_seed(5)
    thread, drawn = threading.Thread(target=fit), []
    thread.start()
    while thread.is_alive():
        drawn.append(torch.rand(()).item())
    drawn += [torch.rand(()).item() for _ in range(10)]
    torch.manual_seed(5)
    return drawn, [torch.rand(()).item() for _ in drawn]


@pytest.mark.parametrize(
    "options",
    [{"warm_start": True}, pytest.param({"experts": [None, line]}, marks=pytest.mark.slow)],
)
def test_the_callers_draws_are_left_alone_while_a_thread_fits(brief, pair, options):
    model = brief(**options)

    def fit_twice():
        model.fit(pair)
        model.fit(pair)
        model.predict(pair)

    drawn, expected = draws_during(fit_twice)
    assert len(drawn) > 100
    assert drawn == expected


def filters_of_warnings():
    """Return them, without the one that `check_array` of scikit-learn may leave in threads."""
    return [each for each in warnings.filters if each[2] is not ComplexWarning]


def test_fits_in_threads_leave_the_filters_of_warnings_alone(brief, pair):
    before = filters_of_warnings()
    threads = [threading.Thread(target=brief().fit, args=(pair,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert filters_of_warnings() == before
