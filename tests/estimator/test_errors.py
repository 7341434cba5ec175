"""Bad input: one clear error that says what was expected and what came."""

import itertools
from copy import deepcopy

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from same_fits import assert_same_fits
from sklearn.exceptions import NotFittedError
from some_slow import some_slow
from torch import nn

from skcausalpima import CausalPIMA, GradientStructure, Initialization, ScoreSearch
from skcausalpima.modules import ExpertDecoder, line

ONES = np.ones((5, 2))
RAMP = np.arange(20.0).reshape(5, 2, 2)


@pytest.mark.parametrize("method", ["predict", "transform", "score"])
def test_bad_data_at_predict(fitted, method):
    """What else is refused is asked of the gate."""
    with pytest.raises(
        ValueError, match=r"X is one array.*pass a list with one array per modality"
    ):
        getattr(fitted, method)(np.ones((5, 10)))


@pytest.mark.parametrize(
    ("parameters", "error", "match"),
    [
        ({"node_sizes": ()}, ValueError, "node_sizes is empty"),
        ({"node_sizes": (2, 1)}, ValueError, r"node_sizes\[1\] is 1, but a node needs at least 2"),
        ({"node_sizes": (2, 0)}, ValueError, r"node_sizes\[1\] is 0"),
        ({"node_sizes": (-2, 2)}, ValueError, r"node_sizes\[0\] is -2"),
        ({"node_sizes": (2, 2.0)}, TypeError, r"node_sizes\[1\] is 2.0 of type float"),
        ({"node_sizes": ("2", 2)}, TypeError, r"node_sizes\[0\] is '2' of type str"),
        ({"node_sizes": (True, 2)}, TypeError, r"node_sizes\[0\] is True of type bool"),
        ({"node_sizes": 4.0}, ValueError, "'node_sizes' parameter of CausalPIMA must be"),
        ({"node_sizes": 1}, ValueError, "needs at least 2 outcomes"),
        ({"modality_weights": {"modality0": 1}}, ValueError, "modality_weights names the modal"),
        ({"node_sizes": (2,) * 13}, ValueError, r"2 x 2 x .* = 8192 components, more than 4096"),
        ({"latent_dim": 0}, ValueError, "'latent_dim'"),
        ({"training__batch_size": 0}, ValueError, "'training__batch_size'"),
        ({"max_iter": 0}, ValueError, "'max_iter'"),
        ({"n_init": 0}, ValueError, "'n_init'"),
        ({"training__learning_rate": 0.0}, ValueError, "'training__learning_rate'"),
        ({"training__tol": -1.0}, ValueError, "'training__tol'"),
        ({"training__validation_fraction": 1.0}, ValueError, "'training__validation_fraction'"),
        (
            {"training__validation_fraction": 0.9},
            ValueError,
            "of 5 samples leaves none to train on",
        ),
        ({"mixture": "round"}, ValueError, "'mixture' parameter .*Mixture"),
        ({"mixture__shrinkage": -1}, ValueError, "'mixture__shrinkage'"),
        ({"posterior": "sample"}, ValueError, "'posterior' parameter .*MeanField"),
        ({"training": "slow"}, ValueError, "'training' parameter .*Training"),
        ({"decoder_variance": 0}, ValueError, "'decoder_variance'"),
        ({"init": "random"}, ValueError, "'init'"),
        ({"structure": "magic"}, ValueError, "'structure'"),
        ({"structure": GradientStructure(1.5)}, ValueError, "'structure__edge_threshold'"),
        *(
            (
                {"structure": GradientStructure(temperature=given)},
                ValueError,
                f"structure__temperature{said}",
            )
            for given, said in [
                (0.0, "' parameter"),
                ((1.0, -1.0), " must be a positive number, or"),
                ((1.0, 1.0, 1.0), " must be a positive number, or"),
                (("hot", "cold"), " must be a positive number, or"),
            ]
        ),
        ({"device": "gpu"}, ValueError, "device must be 'cpu', 'cuda'.*got 'gpu'"),
        ({"device": "meta"}, ValueError, "device must be 'cpu', 'cuda'.*got 'meta'"),
        ({"device": "cpu:1"}, ValueError, "device must be 'cpu', 'cuda'.*got 'cpu:1'"),
        ({"device": "cuda:63"}, ValueError, "device='cuda:63' is not available: PyTorch sees"),
        ({"device": 0}, ValueError, "'device'"),
        ({"node_sizes": {}}, ValueError, "node_sizes is empty"),
        ({"node_sizes": {"a": 2, 1: 2}}, TypeError, r"by strings, got \['a', 1\]"),
        ({"node_sizes": {"a": 2, "b": 1}}, ValueError, r"node_sizes\['b'\] is 1, but a node needs"),
        ({"node_sizes": {"a": "2"}}, TypeError, r"node_sizes\['a'\] is '2' of type str"),
        ({"hidden_layer_sizes": (8, 0)}, ValueError, "hidden_layer_sizes must hold positive int"),
        ({"hidden_layer_sizes": (8.0,)}, ValueError, "hidden_layer_sizes must hold positive int"),
        ({"modality_weights": [1.0]}, ValueError, "'balanced' or 2 positive numbers"),
        ({"modality_weights": [1.0, 0.0]}, ValueError, "'balanced' or 2 positive numbers"),
        ({"modality_weights": ["a", "b"]}, ValueError, "'balanced' or 2 positive numbers"),
        ({"modality_weights": "equal"}, ValueError, "'modality_weights'"),
        ({"scale": "standard"}, ValueError, "'scale'"),
        ({"scale": ["feature"]}, ValueError, "one entry per modality, 2, got 1"),
        ({"scale": ["feature", "x"]}, ValueError, "scale must be one of .* got 'x'"),
        ({"random_state": "seed"}, ValueError, "'random_state'"),
    ],
    ids=str,
)
def test_bad_parameters(brief, parameters, error, match):
    with pytest.raises(error, match=match):
        brief(**parameters).fit([RAMP, ONES])


@pytest.mark.parametrize(
    ("parameter", "name"),
    [
        ("structure", "networkx.DiGraph, an instance of skcausalpima.ScoreSearch"),
        ("knowledge", "skcausalpima.BackgroundKnowledge"),
        ("init", "skcausalpima.Initialization"),
        ("missing_values", "skcausalpima.MissingValues"),
        ("device", "skcausalpima.Device"),
        ("mixture", "skcausalpima.Mixture"),
        ("posterior", "skcausalpima.MeanField"),
        ("training", "skcausalpima.Training"),
    ],
)
@pytest.mark.parametrize("value", [3, "gpu", ScoreSearch])
def test_parameter_objects_have_their_public_names(brief, parameter, name, value):
    if parameter == "device" and value == "gpu":
        return
    with pytest.raises(ValueError, match=f"an instance of {name}") as error:
        CausalPIMA(**{parameter: value}).fit([RAMP, ONES])
    assert "._" not in str(error.value).partition(" Got ")[0]


class Pair(nn.Module):
    def forward(self, x):
        return x, x


@pytest.mark.parametrize(
    ("modules", "match"),
    [
        ([None], "encoders must have one entry per modality, 2, got 1"),
        ({"sound": None}, r"encoders names the modalities \['sound'\], but X has"),
        ([nn.Linear(4, 4), None], r"encoders\['modality0'\] raised RuntimeError on an input of"),
        (
            [nn.Flatten(), nn.Linear(2, 3)],
            r"map \(2, 2\) to a tensor of shape \(2, 4\), got \(2, 3",
        ),
        ([Pair(), None], "got tuple"),
        (["network", None], r"encoders\['modality0'\] must be one of 'mlp', 'conv', .*got .*str"),
        ([None, nn.Linear], r"encoders\['modality1'\], a factory, raised TypeError for shape"),
        ([None, 3], r"encoders\['modality1'\] must be one of .* got 3 of type int"),
        (
            [None, lambda shape, latent_dim: shape],
            r"encoders\['modality1'\], a factory, must return a torch.nn.Module .* got tuple",
        ),
    ],
)
def test_bad_modules(brief, modules, match):
    with pytest.raises((TypeError, ValueError), match=match):
        brief(encoders=modules).fit([RAMP, ONES])


LARGE = pytest.param((2,) * 5, 9, 8, marks=pytest.mark.slow)


@pytest.mark.parametrize(
    ("node_sizes", "latent_dim", "most"), [((2, 2), 500, 6), ((2, 2), 7, 6), (3, 7, 6), LARGE]
)
def test_more_dimensions_than_the_data_have(brief, node_sizes, latent_dim, most):
    told = f"latent_dim is {latent_dim}, .*2 elements .* at most {most}, or leave latent_dim at No"
    X = np.random.default_rng(0).normal(size=(40, 2))
    with pytest.raises(ValueError, match=told):
        brief(node_sizes, latent_dim=latent_dim).fit(X)
    assert brief(node_sizes, latent_dim=most).fit(X).latent_dim_ == most


def test_as_many_dimensions_as_elements(brief, pair):
    """Those of all modalities together."""
    assert brief(latent_dim=10).fit(pair).latent_dim_ == 10
    with pytest.raises(ValueError, match=r"latent_dim is 11, .* 10 elements"):
        brief(latent_dim=11).fit(pair)


def test_bad_latent_points(fitted):
    with pytest.raises(ValueError, match="X has 5 columns, but the latent space has 2"):
        fitted.inverse_transform(np.zeros((3, 5)))


@pytest.mark.parametrize(
    ("est", "method"),
    [
        *(("new", name) for name in ("fit", "fit_predict", "fit_transform", "partial_fit")),
        *(("fitted_warm", name) for name in ("fit", "partial_fit", "score")),
    ],
)
def test_a_second_modality_in_place_of_y(brief, pair, fitted_warm, est, method):
    model = brief() if est == "new" else deepcopy(fitted_warm)
    with pytest.raises(ValueError, match=r"(?s)y is .*ignored.*fit\(\[images, curves\]\)"):
        getattr(model, method)(pair, pair[1])


def test_one_label_for_each_sample_is_ignored(fitted, brief, pair):
    y = pd.Series([f"t{row}" for row in range(72)])
    assert fitted.score(pair, y) == fitted.score(pair)
    assert_array_equal(brief().fit(pair, y).labels_, brief().fit_predict(pair))


OF_SAMPLES = ["predict", "predict_proba", "predict_nodes", "transform", "score", "score_samples"]
OF_SAMPLES += ["reconstruct", "impute", "tail_probability", "modality_evidence"]
METHODS = dict.fromkeys([*OF_SAMPLES, "inverse_transform"], (ONES,)) | {"sample": (3,)}
METHODS |= {"to_graph": (), "intervene": ({"N1": 1},), "counterfactual": (ONES, {"N1": 1})}


def test_unfitted(brief):
    failed = brief(device="gpu")
    with pytest.raises(ValueError, match="device"):
        failed.fit([RAMP, ONES])
    for model, (method, arguments) in itertools.product((CausalPIMA(), failed), METHODS.items()):
        with pytest.raises(NotFittedError, match="not fitted yet"):
            getattr(model, method)(*arguments)


def test_a_refit_that_fails_leaves_the_last_fit_whole(pair, fitted):
    """Not the old model with the new scales."""
    model = deepcopy(fitted).set_params(training__learning_rate=1e200, max_iter=5)
    with pytest.raises(ValueError, match="Training diverged"):
        model.fit([3.0 * array for array in pair])
    assert_same_fits(model, fitted, pair)


@pytest.mark.parametrize("size", [1e20, 1e-20])
def test_sizes_that_nothing_scales(quick, pair, size):
    with pytest.raises(ValueError, match=r"scale=None leaves.*between 1e-06 and 1e\+06"):
        quick(scale=None).fit([pair[0] * size, pair[1]])


@pytest.fixture(scope="module")
def in_single_precision(quick, pair):
    expert = ExpertDecoder(line, np.linspace(0, 1, 4), per="sample")
    X = [array.astype(np.float32) for array in pair]
    return quick(experts=[None, expert]).fit(X)


@pytest.mark.parametrize(
    "method",
    [
        "predict",
        "predict_proba",
        "predict_nodes",
        "transform",
        "score_samples",
        "score",
        "predict_expert_params",
        "counterfactual",
    ],
)
def test_samples_beyond_all_bounds(fitted, in_single_precision, pair, method):
    arguments = [{"N1": 0}] if method == "counterfactual" else []
    for model, far, dtype in (fitted, 1e200, "float64"), (in_single_precision, 1e30, "float32"):
        if dtype == "float32" and method not in ("score", "score_samples"):
            continue  # posteriors are computed in double precision
        curves = pair[1].copy()
        curves[3] = far
        with pytest.raises(
            ValueError, match=f"Sample 3 is so far from the training data .* finite in {dtype}"
        ):
            getattr(model, method)([pair[0], curves], *arguments)


def test_posteriors_of_single_precision_are_those_of_the_direction_however_far(
    in_single_precision, pair
):
    curves = [pair[1].copy() for _ in range(2)]
    curves[0][3], curves[1][3] = 1e15, 1e30
    near, far = (in_single_precision.predict_proba([pair[0], array]) for array in curves)
    assert_array_equal(near, far)
    assert far[3].max() == 1.0
    points = [in_single_precision.transform([pair[0], array])[3] for array in curves]
    assert_allclose(1e15 * points[0], points[1], rtol=1e-4)


def test_bounds_that_are_finite_although_their_sum_is_not(fitted, pair):
    X = [np.repeat(array[:1], 72, axis=0) * 3e153 for array in pair]
    values = fitted.score_samples(X)
    assert np.isfinite(values).all()
    total = sum(map(int, values))
    assert total < -int(np.finfo(float).max)
    assert fitted.score(X) == pytest.approx(float(total // len(values)), rel=1e-12)


def test_points_beyond_all_bounds(fitted, in_single_precision):
    for model, dtype in (fitted, "float64"), (in_single_precision, "float32"):
        points = np.zeros((3, model.latent_dim_))
        points[1, 0] = 1.7e308
        with pytest.raises(
            ValueError, match=f"Point 1 is so far from the training data .* in {dtype}"
        ):
            model.inverse_transform(points)


@pytest.mark.parametrize("size", some_slow([1e160, 9e304], [9e304]))
def test_data_near_the_largest_numbers(quick, pair, fitted, size):
    X = [array * size for array in pair]
    model = quick().fit(X)
    assert np.isfinite([model.lower_bound_, model.score(X)]).all()
    assert all(np.isfinite(array).all() for array in model.sample(5)[0])
    np.testing.assert_array_equal(model.labels_, fitted.labels_)


def test_data_beyond_the_largest_numbers(quick, pair):
    largest = np.finfo(np.float64).max
    for values in [-largest, *[largest] * 71], [0, *[largest] * 35, *[-largest] * 36]:
        with pytest.raises(ValueError, match="too large for float64 arithmetic: rescale it"):
            quick().fit([pair[0], np.repeat([values], 4, axis=0).T])


@pytest.mark.parametrize("pretraining_epochs", [0, 3])
def test_divergence(quick, pair, pretraining_epochs):
    init = Initialization(pretraining_epochs=pretraining_epochs)
    model = quick(training__learning_rate=1e200, max_iter=5, init=init)
    with pytest.raises(ValueError, match=r"Training diverged: .* not finite.*learning_rate"):
        model.fit(pair)
