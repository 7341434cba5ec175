"""Clones, nested parameters, tags, how estimators show themselves, and what a fit prints."""

import copy
import inspect
import pickle
import re

import networkx as nx
import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from same_fits import assert_same_fits
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import get_tags
from some_slow import some_slow
from torch import nn

from skcausalpima import (
    BackgroundKnowledge,
    CausalPIMA,
    GradientStructure,
    Initialization,
    ScoreSearch,
)
from skcausalpima.modules import ExpertDecoder, line, piecewise_linear

X_POINTS = np.linspace(0.0, 1.0, 4)


def make_decoder(shape, latent_dim):
    return nn.Sequential(nn.Linear(latent_dim, 6), nn.Unflatten(1, shape))


def make_encoder():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.Flatten(), nn.BatchNorm1d(6), nn.Dropout(0.2), nn.Linear(6, 4))


RICH = {
    "words": {
        "encoders": "conv",
        "decoders": ["mlp", "conv"],
        "scale": {"modality0": "feature", "modality1": None},
        "modality_weights": np.array([1.0, 2.0]),
        "hidden_layer_sizes": np.array([6]),
        "structure": GradientStructure(temperature=(1.0, 0.5)),
    },
    "modules": {
        "node_sizes": {"shape": 2, "size": 2},
        "encoders": {"modality0": make_encoder()},
        "decoders": [make_decoder, None],
        "training__validation_fraction": 0.2,
        "random_state": np.random.RandomState(5),
    },
    "experts": {
        "experts": {
            "modality1": ExpertDecoder(
                line,
                X_POINTS,
                p0={"slope": 2.0},
                bounds={"intercept": (-100.0, 100.0)},
                depends_on={"slope": "N2"},
                scatter=True,
            )
        },
        "knowledge": BackgroundKnowledge(required={("N1", "N2")}),
        "training__max_grad_norm": 5.0,
    },
    "experts per sample": {
        "experts": [None, ExpertDecoder(piecewise_linear(2), X_POINTS, per="sample")],
        "knowledge": BackgroundKnowledge(tiers=[["N2"], ["N1"]]),
        "init": Initialization("linear", pretraining_epochs=2),
        "decoder_variance": 0.5,
        "n_init": 2,
        "n_jobs": 1,
    },
    "a graph": {
        "structure": nx.DiGraph([("N2", "N1")]),
        "mixture": "tied",
        "mixture__shrinkage": 3.0,
        "warm_start": True,
        "random_state": np.random.RandomState(6),
    },
    "a bare function": {
        "node_sizes": np.array([2, 3]),
        "experts": [None, line],
        "knowledge": BackgroundKnowledge(forbidden=[("N1", "N2")]),
        "structure": GradientStructure(0.4, temperature=np.array([1.0, 0.5])),
    },
}


def told(value):
    """Return what parameters can be compared by."""
    if isinstance(value, nn.Module):
        return repr(value), {k: v.tolist() for k, v in value.state_dict().items()}
    if isinstance(value, ExpertDecoder | type(piecewise_linear(2))):
        return {k: told(v) for k, v in vars(value).items()}
    if isinstance(value, nx.DiGraph):
        return list(value.nodes(data=True)), list(value.edges(data=True))
    if isinstance(value, np.random.RandomState):
        return value.get_state(legacy=False)["state"]["key"].tolist()
    if isinstance(value, np.ndarray):
        return value.dtype, value.tolist()
    if isinstance(value, dict):
        return {k: told(v) for k, v in value.items()}
    return [told(v) for v in value] if isinstance(value, list) else value


@pytest.mark.parametrize("name", some_slow(RICH, ["words", "modules"]))
def test_clones_of_every_kind(brief, pair, name):
    model = brief(**RICH[name], max_iter=1)
    copy, unpickled = clone(model), pickle.loads(pickle.dumps(clone(model)))
    parameters = model.get_params(deep=False)
    for other in (copy, unpickled):
        assert told(other.get_params(deep=False)) == told(parameters)
    modules = [v for v in told_modules(parameters) if isinstance(v, nn.Module)]
    before = [told(module) for module in modules]
    copy.fit(pair)
    assert [told(module) for module in modules] == before  # clones share nothing
    unpickled.fit(pair)
    assert_same_fits(unpickled, copy, pair)
    again = clone(copy)
    assert not [name for name in vars(again) if name not in parameters]
    if not isinstance(model.random_state, np.random.RandomState):  # whose state has moved on
        assert told(again.get_params(deep=False)) == told(parameters)


def told_modules(parameters):
    for value in parameters.values():
        if isinstance(value, dict | list):
            yield from value.values() if isinstance(value, dict) else value


def test_every_parameter_is_documented_constrained_and_set():
    names = list(inspect.signature(CausalPIMA).parameters)
    assert sorted(CausalPIMA().get_params(deep=False)) == sorted(names)
    assert set(CausalPIMA._parameter_constraints) == set(names)
    section = CausalPIMA.__doc__.split("Attributes\n")[0]
    headings = re.findall(r"(?m)^    ([a-z_, ]+) : ", section)
    assert [name for heading in headings for name in heading.split(", ")] == names


def test_tags(brief):
    tags = get_tags(brief())
    assert tags.estimator_type == "clusterer"
    assert tags.transformer_tags.preserves_dtype == ["float64", "float32"]
    assert tags.target_tags.required is False
    assert tags.input_tags.two_d_array
    assert tags.input_tags.allow_nan
    assert not get_tags(brief(missing_values="error")).input_tags.allow_nan
    assert not tags.input_tags.sparse
    assert not tags.non_deterministic
    assert not tags.no_validation
    assert get_tags(make_pipeline(FunctionTransformer(), brief())).estimator_type == "clusterer"


def test_the_repr_shows_what_was_changed(fitted):
    assert repr(CausalPIMA()) == "CausalPIMA()"
    assert repr(CausalPIMA((3, 2), max_iter=7)) == "CausalPIMA(max_iter=7, node_sizes=(3, 2))"
    assert repr(CausalPIMA(latent_dim=None, n_init=1)) == "CausalPIMA()"
    rich = repr(CausalPIMA().set_params(**RICH["experts"]))
    assert "ExpertDecoder(line, per='cluster')" in rich
    assert "tiers" not in rich
    assert repr(fitted) == repr(clone(fitted))


@pytest.mark.parametrize("name", RICH)
def test_diagrams(brief, name):
    model = brief(**RICH[name])
    html = model._repr_html_()
    assert "CausalPIMA" in html
    assert "Not fitted" in html
    assert "CausalPIMA" in make_pipeline(FunctionTransformer(), model)._repr_html_()


def test_diagrams_say_what_is_fitted(fitted):
    html = fitted._repr_html_()
    assert "<span>Fitted</span>" in html
    assert "Not fitted" not in html


def lines_of(model, X, capsys):
    model.fit(X)
    return capsys.readouterr().out.splitlines()


@pytest.mark.slow
def test_what_a_fit_prints(quick, pair, capsys):
    options = {"max_iter": 3, "structure": ScoreSearch(polishing_epochs=1), "n_init": 2}
    model = quick(verbose=2, **options)
    lines = lines_of(model, pair, capsys)
    number = r"-?\d+\.\d{4} nats, \d+:\d\d left"
    expected = [
        *(f"pre-training, epoch {k} of 2: objective" for k in (1, 2)),
        *(f"training, epoch {k} of 3: bound" for k in (1, 2, 3)),
        "polishing, epoch 1 of 1: bound",
    ]
    expected = [f"start {start} of 2, {words}" for start in (1, 2) for words in expected]
    assert lines.pop(0) == "[CausalPIMA] looking for clusters"
    assert len(lines) == len(expected)
    for printed, words in zip(lines, expected, strict=True):
        assert re.fullmatch(rf"\[CausalPIMA\] {words} {number}", printed)
    kept = [f"{bound:.4f}" for bound in model.history_["lower_bound"]]
    starts = [
        [line.split()[-4] for line in lines if f"start {k} of 2, training" in line] for k in (1, 2)
    ]
    assert kept in starts
    assert lines_of(quick(**options), pair, capsys) == []


@pytest.mark.parametrize(
    "structure", some_slow(["gradient", nx.DiGraph([("N1", "N2")])], ["gradient"])
)
def test_only_a_refined_graph_is_polished(quick, pair, capsys, structure):
    lines = lines_of(quick(verbose=True, structure=structure), pair, capsys)
    assert len(lines) == 1 + 2 + 3
    assert not any("polishing" in line for line in lines)


def test_a_continued_fit_counts_on(quick, pair, capsys):
    model = quick(verbose=2, warm_start=True, structure="gradient").fit(pair)
    capsys.readouterr()
    lines = lines_of(model.set_params(max_iter=2), pair, capsys)
    assert [line.split(":")[0] for line in lines] == [
        "[CausalPIMA] continued, training, epoch 4 of 5",
        "[CausalPIMA] continued, training, epoch 5 of 5",
    ]


def test_a_pickle_of_another_version_says_so(fitted):
    state = copy.deepcopy(fitted).__getstate__()
    spec = state["_fitted"]["spec"]
    spec["names"] = spec.pop("modality_names")
    with pytest.raises(ValueError, match=r"pickled by another version .* or fit again"):
        CausalPIMA().__setstate__(state)


def test_a_pickle_holds_each_fact_once(fitted):
    """What follows from the fitted state is made again."""
    state = fitted.__getstate__()
    assert not {"dag_", "joint_", "weights_", "labels_", "cluster_means_"} & set(state)
    again = pickle.loads(pickle.dumps(fitted))
    assert_array_equal(again.joint_, fitted.joint_)
    assert list(again.dag_.edges(data=True)) == list(fitted.dag_.edges(data=True))
