"""Least squares of many curves at once, of which some may share parameters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

#: Largest damping: steps from a start next to a bound, where coordinates hardly move the curve,
#: are too long by that much.
MAX_DAMPING = 1e12


@dataclass(frozen=True, kw_only=True)
class CurveProblem:
    """Curves to be fitted by one model function, each with its own weight.

    Parameters
    ----------
    predict : callable
        Maps parameters of shape (n_curves, n_parameters) to curves of shape (n_curves, width);
        each row depends on its own parameters only.
    targets : Tensor of shape (n_curves, width)
        The curves.
    weights : Tensor of shape (n_curves,)
        Nonnegative weights of their squared errors.
    index : Tensor of int of shape (n_curves, n_parameters)
        Which entry of the vector of unknowns each parameter is; curves may share entries.
    block : Tensor of int of shape (n_curves,)
        Curves that share unknowns, directly or by way of others, have the same number, from 0.
    """

    predict: Callable[[Tensor], Tensor]
    targets: Tensor
    weights: Tensor
    index: Tensor
    block: Tensor

    @property
    def n_unknowns(self) -> int:
        """Number of unknowns of all curves."""
        return int(self.index.max()) + 1 if self.index.numel() else 0

    def per_unknown(self, values: Tensor) -> Tensor:
        """Return for each unknown the value of the curves it belongs to.

        Parameters
        ----------
        values : Tensor of shape (n_curves,)
            The same for all curves of a block.

        Returns
        -------
        Tensor of shape (n_unknowns,)
            In the order of the unknowns.
        """
        result = values.new_zeros(self.n_unknowns)
        result[self.index] = values[:, None].expand_as(self.index)
        return result


def curve_jacobian(predict: Callable[[Tensor], Tensor], parameters: Tensor) -> Tensor:
    """Return the derivatives of every curve by its own parameters.

    One sweep per parameter: the backward sweep is linear in the weights of the points, and its
    derivative by them is what a forward sweep would give. Where an operation of the model function
    cannot be differentiated twice, one backward sweep per point.

    Parameters
    ----------
    predict : callable
        See :class:`CurveProblem`.
    parameters : Tensor of shape (n_curves, n_parameters)
        Where.

    Returns
    -------
    Tensor of shape (n_curves, width, n_parameters)
        Derivatives.

    Examples
    --------
    >>> import torch
    >>> from skcausalpima.functional import curve_jacobian
    >>> x = torch.tensor([1.0, 2.0])
    >>> curve_jacobian(lambda p: p * x, torch.zeros(1, 1))
    tensor([[[1.],
             [2.]]])
    """
    with torch.enable_grad():
        leaf = parameters.detach().requires_grad_()
        curves = predict(leaf)
        weights = torch.ones_like(curves, requires_grad=True)
        grad = partial(torch.autograd.grad, create_graph=True, materialize_grads=True)
        try:
            (sums,) = grad(curves, leaf, weights)
            columns = [grad(column.sum(), weights)[0].detach() for column in sums.unbind(dim=1)]
            jacobian = torch.stack(columns, dim=2)
            if torch.allclose(jacobian.sum(dim=1), sums, equal_nan=True):
                return jacobian  # else an operation has no second derivative, and hides it
        except RuntimeError:
            pass
        grad = partial(torch.autograd.grad, retain_graph=True, materialize_grads=True)
        points = curves.unbind(dim=1)
        rows = [grad(point.sum(), leaf)[0] for point in points]
    return torch.stack(rows, dim=1)


@torch.no_grad()
def fit_curves(problem: CurveProblem, start: Tensor, max_iter: int = 50) -> Tensor:
    r"""Minimise weighted squared errors by the Levenberg-Marquardt method.

    A damped Gauss-Newton method [1]_, with its own damping for every block of curves that share
    unknowns. A step is taken only where it lowers the block's sum of squares, which therefore
    never rises, and where all that the model function returns is finite.

    Parameters
    ----------
    problem : CurveProblem
        What to fit.
    start : Tensor of shape (n_unknowns,)
        Where to start.
    max_iter : int, default=50
        Largest number of steps.

    Returns
    -------
    Tensor of shape (n_unknowns,)
        The unknowns at the best point.

    References
    ----------
    .. [1] D. Marquardt, "An algorithm for least-squares estimation of nonlinear parameters",
       SIAM Journal on Applied Mathematics 11, 1963.

    Examples
    --------
    >>> import torch
    >>> from skcausalpima.functional import CurveProblem, fit_curves
    >>> x, own = torch.tensor([1.0, 2.0]), torch.tensor([[0]])
    >>> problem = CurveProblem(predict=lambda p: p * x, targets=3 * x[None],
    ...                        weights=torch.ones(1), index=own, block=own[:, 0])
    >>> round(fit_curves(problem, torch.zeros(1)).item(), 4)
    3.0
    """
    unknowns, best = start.clone(), curve_losses(problem, start)
    damping, owner = torch.full_like(best, 1e-3), problem.per_unknown(problem.block)
    moved = torch.ones((), dtype=torch.bool)
    for _ in range(max_iter):
        if moved:
            equations = normal_equations(problem, unknowns)
        step, promised = _damped_step(problem, equations, damping)
        trial = unknowns + step
        losses = curve_losses(problem, trial)
        better = losses < best  # false for NaN
        moved = better.any()
        gain, little = torch.where(better, best - losses, 0.0), 1e-12 * best
        done = (gain <= little) & (better | (promised <= little) | (damping >= MAX_DAMPING))
        best = torch.where(better, losses, best)
        unknowns = torch.where(better[owner], trial, unknowns)
        damping = torch.where(better, damping * 0.1, damping * 10.0).clamp(1e-12, MAX_DAMPING)
        if done.all():
            break
    return unknowns


def curve_losses(problem: CurveProblem, unknowns: Tensor) -> Tensor:
    """Return the weighted sum of squared errors of every block of curves.

    Parameters
    ----------
    problem : CurveProblem
        What to fit.
    unknowns : Tensor of shape (n_unknowns,)
        Where.

    Returns
    -------
    Tensor of shape (n_blocks,)
        Infinite where a curve of positive weight is not finite.

    Examples
    --------
    >>> import torch
    >>> from skcausalpima.functional import CurveProblem, curve_losses
    >>> x, own = torch.tensor([1.0, 2.0]), torch.tensor([[0]])
    >>> problem = CurveProblem(predict=lambda p: p * x, targets=3 * x[None],
    ...                        weights=torch.ones(1), index=own, block=own[:, 0])
    >>> curve_losses(problem, torch.zeros(1))
    tensor([45.])
    """
    errors = (problem.targets - problem.predict(unknowns[problem.index])).square().sum(dim=1)
    errors = torch.where(problem.weights > 0, problem.weights * errors, 0.0)
    errors = torch.nan_to_num(errors, nan=torch.inf, posinf=torch.inf)
    n_blocks = int(problem.block.max()) + 1
    return errors.new_zeros(n_blocks).index_add_(0, problem.block, errors)


def normal_equations(problem: CurveProblem, unknowns: Tensor) -> tuple[Tensor, Tensor]:
    r"""Return the Gauss-Newton matrices and right-hand sides of the single curves.

    :math:`w J^T J` and :math:`w J^T r` with the Jacobian J, the residuals r and the weight w.

    Parameters
    ----------
    problem : CurveProblem
        What to fit.
    unknowns : Tensor of shape (n_unknowns,)
        Where.

    Returns
    -------
    matrices : Tensor of shape (n_curves, n_parameters, n_parameters)
        The curvature of half the weighted sum of squares, but for the residuals' own.
    right : Tensor of shape (n_curves, n_parameters)
        Minus the gradient of half the weighted sum of squares.

    Examples
    --------
    >>> import torch
    >>> from skcausalpima.functional._curve_fit import CurveProblem, normal_equations
    >>> x, own = torch.tensor([1.0, 2.0]), torch.tensor([[0]])
    >>> problem = CurveProblem(predict=lambda p: p * x, targets=3 * x[None],
    ...                        weights=torch.ones(1), index=own, block=own[:, 0])
    >>> matrices, right = normal_equations(problem, torch.zeros(1))
    >>> matrices.item(), right.item()
    (5.0, 15.0)
    """
    parameters = unknowns[problem.index]
    residuals = problem.targets - problem.predict(parameters)
    jacobian = curve_jacobian(problem.predict, parameters)
    used = (problem.weights > 0)[:, None, None]
    jacobian = torch.where(used, jacobian, 0.0)
    residuals = torch.where(used[:, :, 0], residuals, 0.0)
    weighted = problem.weights[:, None, None] * jacobian
    return weighted.mT @ jacobian, (weighted.mT @ residuals[:, :, None])[:, :, 0]


def assemble(problem: CurveProblem, matrices: Tensor) -> Tensor:
    """Return the matrix over all unknowns from those of the single curves.

    Parameters
    ----------
    problem : CurveProblem
        Whose ``index`` says where the entries belong.
    matrices : Tensor of shape (n_curves, n_parameters, n_parameters)
        From :func:`normal_equations`.

    Returns
    -------
    Tensor of shape (n_unknowns, n_unknowns)
        Their sum.

    Examples
    --------
    >>> import torch
    >>> from skcausalpima.functional import CurveProblem, assemble
    >>> shared = torch.tensor([[0], [0]])
    >>> problem = CurveProblem(predict=lambda p: p, targets=torch.zeros(2, 1),
    ...                        weights=torch.ones(2), index=shared, block=shared[:, 0])
    >>> assemble(problem, torch.ones(2, 1, 1))
    tensor([[2.]])
    """
    rows = problem.index[:, :, None].expand_as(matrices)
    columns = problem.index[:, None, :].expand_as(matrices)
    total = matrices.new_zeros(problem.n_unknowns, problem.n_unknowns)
    return total.index_put_((rows, columns), matrices, accumulate=True)


def _damped_step(
    problem: CurveProblem, equations: tuple[Tensor, Tensor], damping: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the step of all unknowns, zero where nothing is known of them.

    And what each block's sum of squares would fall by, at most, were the model function linear.
    """
    matrices, right = equations
    damping, index = damping[problem.block], problem.index
    n_unknowns = problem.n_unknowns
    if index.numel() == n_unknowns:  # nothing is shared: many small systems
        step = right.new_zeros(n_unknowns)
        step[index] = _solve(matrices, right, damping[:, None])
    else:
        total = right.new_zeros(n_unknowns).index_put_((index,), right, accumulate=True)
        step = _solve(assemble(problem, matrices), total, problem.per_unknown(damping))
    promised = 2.0 * torch.nan_to_num(right * step[index]).sum(dim=1)
    blocks = right.new_zeros(int(problem.block.max()) + 1)
    return step, blocks.index_add_(0, problem.block, promised)


def _solve(matrix: Tensor, right: Tensor, damping: Tensor) -> Tensor:
    """Solve with a diagonal that is raised relative to itself (Marquardt's scaling)."""
    finite = torch.isfinite(matrix).all(dim=-1) & torch.isfinite(right)
    right = torch.where(finite, right, 0.0)
    matrix = torch.where(finite[..., :, None] & finite[..., None, :], matrix, 0.0)
    diagonal = matrix.diagonal(dim1=-2, dim2=-1)
    scale = torch.where(diagonal > 0, diagonal, 1.0).rsqrt()  # units out: unit diagonal
    scaled = scale[..., :, None] * matrix * scale[..., None, :]
    ridge = torch.where(diagonal > 0, damping, 1.0)
    solution = torch.linalg.solve_ex(scaled + torch.diag_embed(ridge), scale * right).result
    return torch.nan_to_num(scale * solution, nan=0.0, posinf=0.0, neginf=0.0)
