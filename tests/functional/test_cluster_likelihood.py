"""Curves per cluster and least squares of many curves, against brute force and SciPy."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from scipy.optimize import curve_fit, least_squares
from scipy.stats import multivariate_normal

from skcausalpima.functional import (
    CurveProblem,
    assemble,
    cluster_squared_errors,
    curve_jacobian,
    curve_losses,
    curve_squared_errors,
    curve_statistics,
    fit_curves,
    projected_squared_errors,
    scattered_log_likelihood,
)
from skcausalpima.functional._curve_fit import normal_equations

X = torch.linspace(0.0, 3.0, 25).double()


def decay(parameters):
    return parameters[:, :1] * torch.exp(-parameters[:, 1:] * X)


def problem_of(targets, weights=None, index=None, predict=decay):
    targets = torch.as_tensor(targets)
    n = len(targets)
    own = torch.arange(2 * n).reshape(n, 2) if index is None else torch.as_tensor(index)
    block = torch.arange(n) if index is None else torch.zeros(n, dtype=torch.long)
    weights = torch.ones(n).double() if weights is None else torch.as_tensor(weights)
    return CurveProblem(predict=predict, targets=targets, weights=weights, index=own, block=block)


def noisy_curves(n=5):
    rng = np.random.default_rng(0)
    truth = np.column_stack([rng.uniform(1, 4, n), rng.uniform(0.5, 2, n)])
    curves = truth[:, :1] * np.exp(-truth[:, 1:] * X.numpy()) + 0.05 * rng.normal(size=(n, len(X)))
    return truth, curves


def test_errors_and_statistics_match_the_double_sum():
    rng = np.random.default_rng(1)
    x, gamma, means = rng.normal(size=(9, 4)), rng.uniform(size=(3, 9)), rng.normal(size=(3, 4))
    brute = np.array([[((row - mean) ** 2).sum() for row in x] for mean in means])
    tensors = [torch.as_tensor(array) for array in (x, gamma, means)]
    assert_allclose(cluster_squared_errors(tensors[0], tensors[2]), brute)
    halves = [
        curve_statistics(tensors[0][rows], tensors[1][:, rows]) for rows in (slice(4), slice(4, 9))
    ]
    statistics = halves[0] + halves[1]
    assert_allclose(statistics.means, gamma @ x / gamma.sum(axis=1, keepdims=True))
    assert_allclose(curve_squared_errors(statistics, tensors[2]), (gamma * brute).sum(axis=1))


def test_errors_keep_their_digits_far_from_zero():
    x = torch.full((1, 3), 1000.0)
    error = cluster_squared_errors(x, x + torch.tensor(0.5)).item()
    assert error == 0.75


def test_errors_have_the_right_gradient():
    rng = np.random.default_rng(0)
    x = torch.as_tensor(rng.normal(size=(4, 3)))
    means = torch.as_tensor(rng.normal(size=(2, 3))).requires_grad_()
    assert torch.autograd.gradcheck(lambda m: cluster_squared_errors(x, m), means)
    at_zero = torch.zeros(1, 3, dtype=torch.float64, requires_grad=True)
    cluster_squared_errors(torch.zeros(1, 3).double(), at_zero).sum().backward()
    assert_allclose(at_zero.grad, 0.0)


@pytest.mark.parametrize("start", [[1.0, 1.0], [3.0, 0.1]])
def test_single_curves_are_those_of_scipy(start):
    _, curves = noisy_curves()
    fitted = fit_curves(problem_of(curves), torch.tensor(start).double().repeat(5)).reshape(5, 2)
    for curve, found in zip(curves, fitted, strict=True):
        expected, _ = curve_fit(lambda x, a, b: a * np.exp(-b * x), X.numpy(), curve, p0=start)
        assert_allclose(found, expected, rtol=1e-5)


def test_shared_parameters_are_those_of_one_joint_fit():
    _, curves = noisy_curves(3)
    weights = np.array([1.0, 4.0, 0.25])
    index = np.array([[0, 3], [1, 3], [2, 3]])  # one rate for all
    fitted = fit_curves(problem_of(curves, weights, index), torch.ones(4).double())

    def residuals(p):
        return (
            np.sqrt(weights)[:, None] * (curves - p[:3, None] * np.exp(-p[3] * X.numpy()))
        ).ravel()

    expected = least_squares(residuals, np.ones(4), xtol=1e-12, ftol=1e-12)
    assert_allclose(fitted, expected.x, rtol=1e-5)
    problem = problem_of(curves, weights, index)
    assert_allclose(curve_losses(problem, fitted), 2 * expected.cost, rtol=1e-9)
    matrices, _ = normal_equations(problem, torch.as_tensor(expected.x))
    assert_allclose(assemble(problem, matrices), expected.jac.T @ expected.jac, rtol=1e-5)


def test_a_fit_never_rises_and_leaves_what_it_does_not_know():
    _, curves = noisy_curves(3)
    start = torch.tensor([5.0, 5.0] * 3).double()
    problem = problem_of(curves, [1.0, 0.0, 1.0])
    losses = [curve_losses(problem, fit_curves(problem, start, max_iter=n)) for n in range(6)]
    assert all((after <= before).all() for before, after in itertools.pairwise(losses))
    fitted = fit_curves(problem, start)
    assert_allclose(fitted[2:4], start[2:4])


def test_steps_to_where_the_model_function_is_not_finite_are_not_taken():
    def root(parameters):
        return torch.sqrt(parameters[:, :1]) * X + parameters[:, 1:]

    targets = torch.zeros(1, len(X)).double()  # the best root is that of 0, the edge
    problem = problem_of(targets, predict=root)
    fitted = fit_curves(problem, torch.tensor([4.0, 1.0]).double())
    assert torch.isfinite(fitted).all()
    assert curve_losses(problem, fitted).item() < 0.1


class _NoSecondDerivative(torch.autograd.Function):
    @staticmethod
    def forward(ctx, a):
        ctx.save_for_backward(a)
        return a**3

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, gradient):
        (a,) = ctx.saved_tensors
        return gradient * 3 * a**2


@pytest.mark.parametrize("cube", [lambda a: a**3, _NoSecondDerivative.apply])
def test_jacobians_are_those_of_differences(cube):
    def function(p):
        return cube(p[:, :1]) * X + torch.sin(p[:, 1:] * X)

    parameters = torch.tensor([[0.5, 1.0], [2.0, -1.0]]).double()
    jacobian = curve_jacobian(function, parameters)
    for k in range(2):
        step = torch.zeros(2).double()
        step[k] = 1e-6
        expected = (function(parameters + step) - function(parameters - step)) / 2e-6
        assert_allclose(jacobian[:, :, k], expected, atol=1e-6)


def test_scattered_likelihoods_are_those_of_the_whole_covariance():
    rng = np.random.default_rng(0)
    x, means = rng.normal(size=(6, 5)), rng.normal(size=(2, 5))
    directions = np.linalg.qr(rng.normal(size=(2, 5, 2)))[0]
    roots = rng.normal(size=(2, 2, 2))
    inner = roots @ roots.swapaxes(1, 2) + 0.1 * np.eye(2)
    log_var = np.array([-1.0, 0.5])
    tensors = [torch.as_tensor(array) for array in (x, means, directions, inner, log_var)]
    errors = cluster_squared_errors(tensors[0], tensors[1])
    projections = tensors[0] @ tensors[2] - tensors[1][:, None] @ tensors[2]
    values = scattered_log_likelihood(errors, projections, 5, tensors[4], tensors[3])
    for c in range(2):
        Q = directions[c]
        covariance = Q @ inner[c] @ Q.T + np.exp(log_var[c]) * (np.eye(5) - Q @ Q.T)
        expected = multivariate_normal(means[c], covariance).logpdf(x)
        assert_allclose(values[c], expected)
    gamma = torch.as_tensor(rng.uniform(size=(2, 6)))
    statistics = curve_statistics(tensors[0], gamma, tensors[2])
    residuals = (x[None] - means[:, None]) @ directions
    brute = np.einsum("cn,cnp,cnq->cpq", gamma, residuals, residuals)
    assert_allclose(projected_squared_errors(statistics, tensors[1], tensors[2]), brute)


def test_scattered_likelihood_of_a_residual_within_the_directions():
    """Nothing is left across them: the density is that of the inner covariance alone, at zero."""
    rng = np.random.default_rng(0)
    direction = np.linalg.qr(rng.normal(size=(3, 1)))[0][None]
    residual, inner, log_var = 0.01 * direction[0, :, 0], 0.0004, -2.0
    value = scattered_log_likelihood(
        torch.full((1, 1), 0.01**2, dtype=torch.float64),
        torch.full((1, 1, 1), 0.01, dtype=torch.float64),
        3,
        torch.full((1,), log_var, dtype=torch.float64),
        torch.full((1, 1, 1), inner, dtype=torch.float64),
    )
    Q = direction[0]
    covariance = inner * Q @ Q.T + np.exp(log_var) * (np.eye(3) - Q @ Q.T)
    expected = multivariate_normal(np.zeros(3), covariance).logpdf(residual)
    assert value.item() == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("scale", [1e-6, 1e-2])
def test_means_of_few_samples_are_weighted_means(scale):
    """Sums of responsibilities below one are no special case, and zero gives zero."""
    rng = np.random.default_rng(0)
    x, gamma = torch.as_tensor(rng.normal(size=(5, 3))), torch.as_tensor(rng.uniform(size=(2, 5)))
    gamma[1] = 0.0
    statistics = curve_statistics(x, scale * gamma)
    assert_allclose(statistics.means[0], np.average(x, axis=0, weights=gamma[0]))
    assert_allclose(statistics.means[1], 0.0)
    assert statistics.projected.shape == (2, 0, 0)  # as documented, without directions
    errors = curve_squared_errors(statistics, torch.zeros(2, 3))
    assert_allclose(errors, [scale * (gamma[0] @ x.square().sum(dim=1)).item(), 0.0])


def counted(predict):
    """A function that counts its calls."""

    def function(parameters):
        function.calls += 1
        return predict(parameters)

    function.calls = 0
    return function


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("scale", [1e-8, 1.0, 1e8])
def test_a_linear_model_function_is_solved_in_few_steps_in_any_unit(shared, scale):
    """A Gauss-Newton step solves it, and a fit that has arrived ends."""

    def line(parameters):
        return parameters[:, :1] * X + scale * parameters[:, 1:]

    rng = np.random.default_rng(0)
    targets = scale * rng.normal(size=(3, len(X)))
    index = np.array([[0, 3], [1, 3], [2, 3]]) if shared else None
    function = counted(line)
    problem = problem_of(targets, index=index, predict=function)
    fitted = fit_curves(problem, torch.zeros(4 if shared else 6).double())
    assert function.calls < 30
    design = np.zeros((3, len(X), 4 if shared else 6))
    for curve, (slope, base) in enumerate(problem.index.tolist()):
        design[curve, :, slope], design[curve, :, base] = X, scale
    expected = np.linalg.lstsq(design.reshape(3 * len(X), -1), targets.ravel(), rcond=None)[0]
    assert_allclose(fitted / scale, expected / scale, rtol=1e-6, atol=1e-6 * abs(expected).max())


def test_a_fit_that_starts_at_its_end_stops_at_once():
    function = counted(decay)
    targets = decay(torch.tensor([[2.0, 1.0], [3.0, 0.5]]).double())
    problem = problem_of(targets, predict=function)
    start = torch.tensor([2.0, 1.0, 3.0, 0.5]).double()
    assert_allclose(fit_curves(problem, start), start)
    assert function.calls < 8


def test_each_block_goes_on_until_it_has_arrived():
    """One curve is there from the start; the other is not left half-way."""
    truth = torch.tensor([[2.0, 1.0], [3.0, 0.5]]).double()
    start = torch.tensor([2.0, 1.0, 0.5, 3.0]).double()
    fitted = fit_curves(problem_of(decay(truth)), start)
    assert_allclose(fitted.reshape(2, 2), truth, rtol=1e-6)


def test_a_curve_without_weight_may_be_anything():
    """Its parameters may make the function infinite: no loss, no equation, no step."""

    def root(parameters):
        return torch.sqrt(parameters[:, :1]) * X + parameters[:, 1:]

    targets = torch.stack([2.0 * X + 1.0, X])
    problem = problem_of(targets, [2.0, 0.0], predict=root)
    start = torch.tensor([1.0, 0.0, -1.0, 0.0]).double()
    expected = 2.0 * (X + 1.0).square().sum()
    assert_allclose(curve_losses(problem, start), [expected, 0.0])
    matrices, right = normal_equations(problem, start)
    assert_allclose(matrices[1], 0.0)
    assert_allclose(right[1], 0.0)
    jacobian = torch.stack([0.5 * X, torch.ones_like(X)], dim=1)
    assert_allclose(matrices[0], 2.0 * jacobian.mT @ jacobian)
    assert_allclose(right[0], 2.0 * jacobian.mT @ (X + 1.0))
    fitted = fit_curves(problem, start)
    assert_allclose(fitted, [4.0, 1.0, -1.0, 0.0], atol=1e-6)


def test_an_infinite_curve_of_positive_weight_has_infinite_loss():
    problem = problem_of(torch.zeros(2, len(X)), predict=lambda p: p[:, :1] / p[:, 1:] + X)
    losses = curve_losses(problem, torch.tensor([1.0, 0.0, 0.0, 0.0]).double())
    assert torch.isinf(losses).all()


def test_values_per_unknown_are_those_of_their_block():
    index = torch.tensor([[0, 3], [1, 3], [2, 4]])
    problem = problem_of(torch.zeros(3, len(X)), index=index)
    problem = replace(problem, block=torch.tensor([0, 0, 1]))
    assert_allclose(problem.per_unknown(torch.tensor([5.0, 5.0, 7.0])), [5, 5, 7, 5, 7])
    nothing = replace(problem, index=torch.zeros(3, 0, dtype=torch.long))
    assert nothing.per_unknown(torch.ones(3)).shape == (0,)


def test_a_fit_that_no_step_helps_ends():
    """The function hides that its derivative is wrong: steps get shorter, up to a limit."""

    class Reversed(torch.autograd.Function):
        @staticmethod
        def forward(ctx, a):
            return a.clone()

        @staticmethod
        def backward(ctx, gradient):
            return -gradient

    function = counted(lambda p: Reversed.apply(p[:, :1]) * X + 0.0 * p[:, 1:])
    problem = problem_of(torch.ones(1, len(X)).double(), predict=function)
    start = torch.tensor([2.0, 0.0]).double()
    assert_allclose(fit_curves(problem, start), start)
    assert function.calls < 30


def test_a_fit_from_afar_is_as_exact_as_one_from_nearby():
    """It does not stop while steps still tell."""
    _, curves = noisy_curves(4)
    near, far = (
        fit_curves(problem_of(curves), torch.tensor(start * 4).double(), max_iter=200)
        for start in ([2.0, 1.0], [0.01, 5.0])
    )
    assert_allclose(near, far, rtol=1e-6)


def test_where_a_derivative_is_infinite_the_rest_goes_on():
    """By hand: the root at zero, and what shares an equation with it, stay where they are."""

    def root(parameters):
        return torch.sqrt(parameters[:, :1]) * (1.0 + X) + parameters[:, 1:]

    targets = torch.stack([X, 3.0 * (1.0 + X) + 0.5])
    problem = problem_of(targets, index=[[0, 2], [1, 2]], predict=root)
    fitted = fit_curves(problem, torch.tensor([0.0, 1.0, 0.5]).double())
    assert_allclose(fitted, [0.0, 9.0, 0.5], rtol=1e-6)


def test_a_jacobian_takes_one_sweep_per_parameter(monkeypatch):
    """However many points a curve has."""
    gradients, calls = torch.autograd.grad, []

    def grad(*args, **options):
        calls.append(args)
        return gradients(*args, **options)

    monkeypatch.setattr(torch.autograd, "grad", grad)
    curve_jacobian(decay, torch.tensor([[0.5, 1.0], [2.0, -1.0], [1.0, 1.0]]).double())
    assert len(calls) == 3
