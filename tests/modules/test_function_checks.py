"""What is stated about an expert, as hostile as it comes: each mistake has its own sentence."""

import functools

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import Bounds

from skcausalpima.modules import (
    ClusterExpert,
    ExpertDecoder,
    ExpertError,
    exponential_decay,
    line,
    piecewise_linear,
)
from skcausalpima.modules._experts.signature import ParameterSpace

X = np.linspace(0.0, 1.0, 12)
INF = np.inf


def power(x, a, b, *, exponent=2.0):
    return a * x**exponent + b


def rate_function(x, a, b):
    return a * x + b


@pytest.mark.parametrize(
    ("f", "names", "curve"),
    [
        (power, ("a", "b"), 2 * X**2 + 3),
        (functools.partial(power, exponent=3.0), ("a", "b"), 2 * X**3 + 3),
        (functools.partial(rate_function, b=5.0), ("a",), 2 * X + 5),
    ],
)
def test_keyword_arguments_with_a_default_are_constants(f, names, curve):
    """As in SciPy's curve_fit, which passes parameters by position."""
    expert = ExpertDecoder(f, X)
    assert expert.names == names
    values = torch.tensor([[2.0, 3.0][: len(names)]]).double()
    assert_allclose(expert.curves(values, torch.as_tensor(X))[0], curve)
    assert expert.function_name in ("power", "rate_function")


def test_scipys_bounds_are_bounds():
    expert = ExpertDecoder(line, X, bounds=Bounds([0, -INF], [4, 5]))
    assert (expert.space.lower, expert.space.upper) == ((0.0, -INF), (4.0, 5.0))
    assert expert.start_values == {"slope": 2.0, "intercept": 4.0}


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"p0": "ab"}, ValueError, "p0 must be a sequence of numbers, one for each of"),
        ({"p0": {1, 2}}, ValueError, "p0 must be a sequence of numbers"),
        ({"bounds": 5}, ValueError, r"bounds must be a pair .* got 5"),
        ({"bounds": {"slope": 3}}, ValueError, "bounds of slope must be a pair .* got 3"),
        ({"bounds": {"slope": (None, 1)}}, ValueError, "numpy.inf for none"),
        ({"bounds": {"slope": (0, 1, 2)}}, ValueError, "bounds of slope must be a pair"),
        ({"bounds": {"slope": (2, 1)}}, ValueError, r"Use fixed=\{'slope': ..\} for"),
        ({"fixed": {"slope": "x"}}, ValueError, "fixed value of slope must be a finite number"),
        ({"fixed": {"slope": [1, 2]}}, ValueError, "fixed value of slope must be a finite number"),
        ({"fixed": {"slope": 5}, "bounds": (0, 1)}, ValueError, "fixed value of slope is 5, outs"),
        ({"depends_on": {"slope": 0}}, TypeError, "depends_on of slope must be the name of a node"),
        ({"depends_on": {"slope": None}}, TypeError, "empty list for a parameter that all cells"),
        ({"fixed": {"slope": 1, "intercept": 0}, "scatter": True}, ValueError, "not fixed"),
    ],
)
def test_bad_statements(options, error, match):
    with pytest.raises(error, match=match):
        ExpertDecoder(line, X, **options)


def test_points_of_other_kinds():
    assert_array_equal(ExpertDecoder(line, torch.arange(3.0, requires_grad=True)).x, [0, 1, 2])
    assert ExpertDecoder(line, np.arange(3)).x.dtype == np.float64
    for x in (np.ones(3) * 1j, np.arange(3).astype("datetime64[s]")):
        with pytest.raises(TypeError, match="x of line must be an array of numbers"):
            ExpertDecoder(line, x)


def test_a_module_is_told_where_it_belongs():
    with pytest.raises(TypeError, match=r"Linear is a torch.nn.Module: .* belongs into decoders"):
        ExpertDecoder(torch.nn.Linear(2, 12), X)


@pytest.mark.parametrize("start", [3, lambda x: {"a": 2.0}])
def test_a_start_that_is_something_else(start):
    def function(x, a):
        return a * x

    function.start = start
    with pytest.raises(
        TypeError, match="start of function must be a function of x that returns a F"
    ):
        ExpertDecoder(function, X)


def changes_x(x, a):
    x += 1.0
    return a * x


@pytest.mark.parametrize(
    ("f", "match"),
    [
        (lambda x, a: (a - a.mean(dim=0)) * x, "beside them"),
        (lambda x, a: a.mean() * x.expand(len(a), 12) + 0 * a, "beside them"),
        (lambda x, a, b: a * x + b[0].item(), "beside them"),
        (lambda x, a: a * x + torch.randn(12, dtype=a.dtype), "without chance"),
        (lambda x, a: torch.outer(a.squeeze(), x), r"raised RuntimeError .* \(1, 1\)"),
        (lambda x, a: a[:2] * x + 0 * a[:1], r"shape \(2, 12\) .* expected \(3, 12\)"),
        (lambda x, a, b: a * x + b.detach(), "depend on b, but without gradient"),
        (changes_x, "changed x"),
    ],
)
def test_model_functions_that_would_work_for_one_cluster_or_once(f, match):
    with pytest.raises(ValueError, match=match):
        ExpertDecoder(f, X)


def test_a_parameter_without_influence_at_the_start_is_no_mistake():
    for function in (
        lambda x, a, phase: a * torch.sin(x + phase),  # a = 0: the phase does nothing
        lambda x, a, knot: a * torch.relu(x - knot),  # the knot lies beyond x
        lambda x, a, unused: a * x,
    ):
        ExpertDecoder(function, X, p0=[0.0, 1.0])


def planck(frequency, temperature):
    h, k, c = 6.626e-34, 1.381e-23, 2.998e8
    bend = torch.expm1(h * frequency / (k * temperature))
    return 2 * h * frequency**3 / c**2 / bend


def test_what_overflows_in_float32_alone_is_right_for_float64():
    expert = ExpertDecoder(planck, np.linspace(1e13, 1e15, 12), p0=[5000.0])
    expert.check("experts['light']", (12,))
    with pytest.raises(ValueError, match=r"experts\['light'\].* not finite .*torch.float32"):
        expert.check("experts['light']", (12,), torch.float32)


def test_fixed_knots_divide_the_others():
    function = piecewise_linear(4)
    expert = ExpertDecoder(function, X, fixed={"knot2": 0.3})
    free = 5 * torch.randn(200, 7, generator=torch.Generator().manual_seed(0)).double()
    values = expert.all_values(expert.space.values(free))
    knots = values[:, 4:7]
    assert (knots.diff(dim=1) >= 0).all()
    assert ((knots >= 0) & (knots <= 1)).all()
    starts = [expert.start_values[f"knot{k}"] for k in (1, 2, 3)]
    assert starts == [0.25, 0.3, 0.75]
    moved = ExpertDecoder(function, X, fixed={"knot1": 0.9})
    assert 0.9 < moved.start_values["knot2"] < moved.start_values["knot3"] < 1.0


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"bounds": {"knot1": (0.1, 0.5)}}, r"bounds of \['knot1', 'knot2'\], which rise together"),
        ({"bounds": (0, INF)}, "must be finite and the same"),
        ({"p0": {"knot1": 0.8, "knot2": 0.2}}, r"\['knot1', 'knot2'\] must rise between 0 and 1"),
        ({"fixed": {"knot1": 0.8, "knot2": 0.2}}, r"fixed values of .* must rise"),
        ({"fixed": {"knot1": 0.8}, "p0": {"knot2": 0.2}}, "must rise between 0.8 and 1"),
    ],
)
def test_knots_that_do_not_rise(options, match):
    with pytest.raises(ValueError, match=match):
        ExpertDecoder(piecewise_linear(3), X, **options)


def test_values_next_to_a_bound_stay_what_they_are():
    """Units may be tiny beside the bounds: a picofarad is not a microfarad."""
    space = ParameterSpace((0.0, 0.0, -INF), (1e9, INF, 0.0))
    values = torch.tensor([[1.0, 1e-13, -1e-13]]).double()
    assert_allclose(space.values(space.coordinates(values)), values, rtol=1e-6)


def test_a_model_function_that_raises_says_where():
    def fragile(x, a):
        if (a > 2.0).any():
            raise RuntimeError("too stiff")
        return a * x

    module = ClusterExpert(ExpertDecoder(fragile, X), (12,), (3,), ["N1"]).double()
    module.modality = "stress"
    free = torch.tensor([[1.0], [3.0], [2.0]]).double()
    match = r"fragile of modality 'stress' failed at a from 1 to 3: it raised RuntimeError: too sti"
    with pytest.raises(ExpertError, match=match) as caught:
        module.scaled_curves(free)
    assert isinstance(caught.value.__cause__, RuntimeError)
    trial = module.trial_curves(free)
    assert_allclose(trial[[0, 2]], np.array([[1.0], [2.0]]) * X)
    assert torch.isnan(trial[1]).all()


def test_decays_start_on_their_bound():
    expert = ExpertDecoder(exponential_decay, X, p0={"rate": 0.0})
    assert expert.start_values["rate"] == 0.0
    assert 0 < expert.space.values(expert.start_coordinates()[None])[0, 1] < 1e-5
