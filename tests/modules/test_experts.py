"""Expert decoders: what is stated about an expert, the bijections, and both kinds of experts."""

import copy
import pickle

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats
from scipy.optimize import curve_fit

from skcausalpima.modules import (
    Batch,
    CausalPrior,
    ClusterExpert,
    ExpertDecoder,
    FunctionStart,
    SampleExpert,
    ScaledExpert,
    StructuredVAE,
    exponential_decay,
    line,
    piecewise_linear,
    shared_entries,
)
from skcausalpima.modules._experts.signature import ParameterSpace

X = np.linspace(0.0, 1.0, 12)
INF = np.inf
SPACES = {
    "unbounded": ParameterSpace((-INF,), (INF,)),
    "two bounds": ParameterSpace((-2.0,), (3.0,)),
    "below": ParameterSpace((1.0,), (INF,)),
    "above": ParameterSpace((-INF,), (-1.0,)),
    "ordered": ParameterSpace((0.0,) * 3, (4.0,) * 3, ((0, 1, 2),)),
    "mixed": ParameterSpace((-INF, 0.0, 0.0, 0.0), (INF, 4.0, 4.0, INF), ((1, 2),)),
}


@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
def test_bijections_invert_and_respect_bounds(space):
    free = (
        3 * torch.randn(50, len(space.lower), generator=torch.Generator().manual_seed(0)).double()
    )
    values = space.values(free)
    assert (values > torch.tensor(space.lower)).all()
    assert (values < torch.tensor(space.upper)).all()
    for group in space.ordered:
        assert (values[:, group].diff(dim=1) > 0).all()
    assert_allclose(space.coordinates(values), free, atol=1e-6)
    assert torch.autograd.gradcheck(space.values, free[:3].clone().requires_grad_())


def test_a_value_on_a_bound_is_moved_inside():
    space = ParameterSpace((0.0, 0.0, -INF), (1.0, INF, 2.0))
    free = space.coordinates(torch.tensor([[0.0, 0.0, 2.0], [1.0, 5.0, 0.0]]).double())
    assert torch.isfinite(free).all()
    assert_allclose(space.values(free), [[0, 0, 2], [1, 5, 0]], atol=1e-5)


def wave(x, amplitude, rate, phase):
    return amplitude * torch.sin(rate * x + phase)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, (1.0, 1.0, 1.0)),
        ({"p0": [2.0, 3.0, 4.0]}, (2.0, 3.0, 4.0)),
        ({"p0": {"rate": 3.0}}, (1.0, 3.0, 1.0)),
        ({"bounds": (0, [4, INF, 1])}, (2.0, 1.0, 0.5)),
        ({"bounds": {"rate": (-INF, 5.0)}}, (1.0, 4.0, 1.0)),
        ({"fixed": {"phase": 0.0}}, (1.0, 1.0, 0.0)),
    ],
)
def test_start_values_are_those_of_scipy(options, expected):
    expert = ExpertDecoder(wave, X, **options)
    assert tuple(expert.start_values.values()) == expected
    assert expert.names == ("amplitude", "rate", "phase")


def test_start_values_without_p0_agree_with_scipys_own():
    """SciPy tells where it starts by what it evaluates first."""
    seen = []

    def spy(x, a, b, c):
        seen.append((a, b, c))
        return a * x + b * x**2 + c

    bounds = ([0.0, -np.inf, -1.0], [4.0, 5.0, np.inf])
    curve_fit(spy, X, X, bounds=bounds)
    expert = ExpertDecoder(lambda x, a, b, c: a * x + b * x**2 + c, X, bounds=bounds)
    assert_allclose(list(expert.start_values.values()), seen[0])


def test_ready_made_model_functions():
    x = torch.linspace(0, 2, 9).double()
    column = torch.tensor([[1.5]]).double()
    assert_allclose(line(x, column, -column)[0], 1.5 * x - 1.5)
    assert_allclose(
        exponential_decay(x, column, column, column)[0], 1.5 * torch.exp(-1.5 * x) + 1.5
    )
    function = piecewise_linear(3)
    parameters = [torch.tensor([[v]]).double() for v in (1.0, -2.0, 4.0, 0.5, 1.2, 10.0)]
    edges = 10.0 + np.cumsum([0.0, 0.5 * 1.0, 0.7 * -2.0, 0.8 * 4.0])
    assert_allclose(function(x, *parameters)[0], np.interp(x, [0.0, 0.5, 1.2, 2.0], edges))


@pytest.mark.parametrize("intercept", [1, "no", torch.ones(2)])
def test_whether_there_is_an_intercept_is_a_bool(intercept):
    with pytest.raises(TypeError, match="intercept must be a bool"):
        piecewise_linear(intercept=intercept)


def test_knots_start_in_order_and_stay_in_range():
    expert = ExpertDecoder(piecewise_linear(3), np.linspace(2.0, 5.0, 30))
    assert expert.names == ("slope1", "slope2", "slope3", "knot1", "knot2", "intercept")
    assert (expert.start_values["knot1"], expert.start_values["knot2"]) == (3.0, 4.0)
    free = 5 * torch.randn(100, 6, generator=torch.Generator().manual_seed(0)).double()
    knots = expert.space.values(free)[:, 3:5]
    assert (knots[:, 0] <= knots[:, 1]).all()
    assert ((knots >= 2.0) & (knots <= 5.0)).all()
    single = ExpertDecoder(piecewise_linear(1, intercept=False), X)
    assert single.names == ("slope1",)


def test_an_expert_is_copied_and_pickled():
    expert = ExpertDecoder(piecewise_linear(2), X, fixed={"intercept": 0.0})
    for other in (copy.deepcopy(expert), pickle.loads(pickle.dumps(expert))):
        assert other.start_values == expert.start_values
        assert repr(other) == "ExpertDecoder(piecewise_linear(2), per='cluster')"


@pytest.mark.parametrize(
    ("f", "error", "match"),
    [
        (lambda x, a: 1 / 0, ValueError, "raised ZeroDivisionError for x of shape .12,. and a=1"),
        (lambda x, a: np.exp(a.numpy() * x.numpy()), ValueError, "torch operations"),
        (lambda x, a: (a * x).sum(), ValueError, r"returned shape \(\) .* expected \(2, 12\)"),
        (lambda x, a: a * x[:5], ValueError, r"returned shape \(2, 5\)"),
        (lambda x, a: (a * x).float(), TypeError, "returned torch.float32"),
        (lambda x, a: a * x * torch.nan, ValueError, "not finite"),
        (lambda x, a: (a * x).detach(), ValueError, "without gradient"),
        (lambda x, a: torch.sqrt(a - 1) * x, ValueError, "gradient is not finite"),
        (lambda x, a: 3.0, TypeError, "returned float"),
        (lambda x: x, ValueError, "at least one parameter"),
        (lambda x, *p: x, ValueError, "at least one parameter"),
        ("line", TypeError, "must be a function"),
    ],
)
def test_bad_functions(f, error, match):
    with pytest.raises(error, match=match):
        ExpertDecoder(f, X)


def test_the_functions_own_error_is_the_cause():
    with pytest.raises(ValueError, match="raised") as caught:
        ExpertDecoder(lambda x, a: 1 / 0, X)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"p0": [1.0]}, ValueError, "one value for each of"),
        ({"p0": {"speed": 1.0}}, ValueError, r"p0 names \['speed'\]"),
        ({"p0": {"rate": np.nan}}, ValueError, "p0 of rate must be a finite number"),
        ({"p0": {"rate": 9.0}, "bounds": (0, 5)}, ValueError, "p0 of rate is 9, outside"),
        ({"bounds": (5, 0)}, ValueError, "bounds of amplitude must rise"),
        ({"bounds": {"rate": (1, 1)}}, ValueError, "bounds of rate must rise"),
        ({"bounds": {"speed": (0, 1)}}, ValueError, "bounds names"),
        ({"bounds": {"rate": (0, 10**400)}}, ValueError, "bounds of rate must be a pair"),
        ({"p0": {"rate": 10**400}}, ValueError, "p0 of rate must be a finite number"),
        ({"bounds": (0, 1, 2)}, ValueError, "pair"),
        ({"bounds": ([0, 1], 2)}, ValueError, "one number, or one for each"),
        ({"fixed": {"speed": 1}}, ValueError, "fixed names"),
        ({"fixed": ["rate"]}, TypeError, "fixed must be a mapping"),
        ({"depends_on": {"speed": "N1"}}, ValueError, "depends_on names"),
        ({"depends_on": {"rate": "N1"}, "per": "sample"}, ValueError, "per='cluster'"),
        ({"per": "cell"}, ValueError, "per must be"),
        ({"per": "sample", "scatter": True}, ValueError, "scatter is for per='cluster'"),
        ({"variance": "own"}, ValueError, "variance must be"),
        (
            {"per": "sample", "fixed": dict.fromkeys(["amplitude", "rate", "phase"], 1.0)},
            ValueError,
            "not fixed",
        ),
    ],
)
def test_bad_statements(options, error, match):
    with pytest.raises(error, match=match):
        ExpertDecoder(wave, X, **options)


@pytest.mark.parametrize("x", [np.array(["a"]), 1.0, [], [0.0, np.inf]])
def test_bad_points(x):
    with pytest.raises((TypeError, ValueError), match="x of line"):
        ExpertDecoder(line, x)


def test_a_model_function_brings_its_own_start():
    def function(x, a, b):
        return a * x + b

    function.start = lambda x: FunctionStart({"a": 5.0}, {"b": (0.0, 8.0)})
    assert ExpertDecoder(function, X).start_values == {"a": 5.0, "b": 4.0}
    narrowed = ExpertDecoder(function, X, p0={"a": 2.0}, bounds={"b": (0.0, 2.0)})
    assert narrowed.start_values == {"a": 2.0, "b": 1.0}


def test_cells_share_what_depends_on_few_nodes():
    expert = ExpertDecoder(wave, X, depends_on={"amplitude": "B", "rate": ["B", "A"], "phase": []})
    index = shared_entries(expert, (2, 3), ["A", "B"])
    assert_array_equal(index[:, 0], [0, 1, 2, 0, 1, 2])
    assert_array_equal(index[:, 1], np.arange(6) + 3)
    assert_array_equal(index[:, 2], [9] * 6)
    module = ClusterExpert(expert, (12,), (2, 3), ["A", "B"])
    assert_array_equal(module.block, [0] * 6)
    own = ClusterExpert(ExpertDecoder(line, X), (12,), (2, 3), ["A", "B"])
    assert_array_equal(own.block, np.arange(6))
    with pytest.raises(ValueError, match=r"depends on \['C'\]"):
        shared_entries(ExpertDecoder(line, X, depends_on={"slope": "C"}), (2, 3), ["A", "B"])
    knots = ExpertDecoder(piecewise_linear(3), X, depends_on={"knot1": "A"})
    with pytest.raises(ValueError, match="rise together"):
        shared_entries(knots, (2, 3), ["A", "B"])


def scaled_expert(**options):
    """A line per cell, in units of which the modality is scaled."""
    module = ClusterExpert(ExpertDecoder(line, X, **options), (12,), (3,), ["N1"]).double()
    module.set_units(np.linspace(5, 6, 12), 2.0)
    with torch.no_grad():
        module.free.copy_(torch.tensor([1.0, 2.0, 3.0, 10.0, 20.0, 30.0]))
        module.log_variances.copy_(torch.tensor([-1.0, 0.0, 1.0]))
    return module


def test_cluster_experts_are_in_the_users_units():
    module = scaled_expert()
    raw = np.array([[slope] * X + intercept for slope, intercept in ((1, 10), (2, 20), (3, 30))])
    assert_allclose(module.means().detach(), (raw - np.linspace(5, 6, 12)) / 2.0)
    x = np.random.default_rng(0).normal(size=(5, 12))
    expected = [
        stats.norm.logpdf(x, mean, np.exp(log_variance / 2)).sum(axis=1)
        for mean, log_variance in zip(module.means().detach().numpy(), (-1, 0, 1), strict=True)
    ]
    assert_allclose(module.log_likelihoods(torch.as_tensor(x)).detach(), expected)


def test_missing_samples_say_nothing():
    arrays = (torch.zeros(4, 3).double(), torch.ones(4, 12).double())
    observed = torch.tensor([[True] * 4, [True, False, True, False]])
    decoders = [torch.nn.Identity(), scaled_expert()]
    model = StructuredVAE([], decoders, CausalPrior((3,), 3), [(3,), (12,)], None)
    parts = model.own_likelihoods(Batch(arrays, observed), arrays[0])
    assert list(parts) == [1]
    assert_array_equal((parts[1].log_likelihoods == 0).all(dim=0), [False, True, False, True])


@pytest.mark.parametrize("scatter", [False, True])
@torch.no_grad()
def test_deviations_are_those_of_draws(scatter):
    """Element by element, within five standard errors; the draws are seeded."""
    generator = torch.Generator().manual_seed(0)
    module = ClusterExpert(ExpertDecoder(line, X, scatter=scatter), (12,), (2,), ["N1"]).double()
    module.log_variances.copy_(torch.tensor([-1.0, 0.5]))
    if scatter:
        module.directions.copy_(torch.linalg.qr(torch.randn(2, 12, 2, generator=generator))[0])
        roots = torch.randn(2, 2, 2, generator=generator).double()
        module.scatter.copy_(roots @ roots.mT + torch.eye(2))

    def normal(*shape):
        return torch.randn(shape, generator=generator).double()

    z, cells = torch.zeros(20_000, 3), torch.ones(20_000, dtype=torch.int64)
    drawn = module.draw(z, cells, torch.tensor(9.0), normal).std(dim=0)
    said = module.deviations(z[:1], cells[:1], torch.tensor(9.0))[0]
    assert (drawn / said - 1).abs().max() < 5 / np.sqrt(40_000)


def test_fixed_parameters_stay():
    expert = ExpertDecoder(line, X, fixed={"intercept": 7.0})
    module = ClusterExpert(expert, (12,), (2,), ["N1"])
    assert module.free.numel() == 2
    assert_allclose(module.values(module.coordinates()).detach(), [[1, 7], [1, 7]])
    expert = ExpertDecoder(line, X, fixed={"slope": 1, "intercept": 7})
    known = ClusterExpert(expert, (12,), (2,), ["N1"])
    assert_allclose(known.means().detach(), np.tile(X + 7, (2, 1)), rtol=1e-6)


def test_modalities_with_several_axes():
    grid = np.stack(np.meshgrid(np.linspace(-1, 1, 5), np.linspace(-1, 1, 4)))  # (2, 4, 5)

    def bump(x, height, width):
        return height * torch.exp(-(x[0] ** 2 + x[1] ** 2) / width)

    expert = ExpertDecoder(bump, grid, p0=[2.0, 0.5], bounds={"width": (0, np.inf)})
    module = ClusterExpert(expert, (4, 5), (2,), ["N1"]).double()
    expected = 2.0 * np.exp(-(grid**2).sum(axis=0) / 0.5)
    assert_allclose(module.means().detach(), np.tile(expected.ravel(), (2, 1)))
    with pytest.raises(ValueError, match=r"experts\['map'\]: the function bump returned shape"):
        expert.check("experts['map']", (5, 4))


def test_sample_experts_start_at_the_start_values():
    expert = ExpertDecoder(exponential_decay, X, p0=[2.0, 3.0, 0.5], per="sample")
    module = SampleExpert(expert, (12,), 4, torch.Generator().manual_seed(0)).double()
    z = torch.randn(6, 4, generator=torch.Generator().manual_seed(0)).double()
    assert_allclose(module(z).detach(), np.tile(2.0 * np.exp(-3.0 * X) + 0.5, (6, 1)), rtol=1e-5)
    module(z).square().sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in module.head.parameters())


def test_scatter_needs_more_points_than_parameters():
    with pytest.raises(ValueError, match="scatter needs more points than the 3 parameters of wave"):
        ExpertDecoder(wave, X[:3], scatter=True)


def test_a_kind_of_expert_must_say_where_its_parameters_come_from():
    class Kind(ScaledExpert):
        def cell_coordinates(self, centres):
            return centres

    with pytest.raises(TypeError, match=r"abstract .*sample_coordinates"):
        Kind(ExpertDecoder(line, X), (12,))
