"""The evidence of the mixture in one step is that of its parts, and so is its gradient."""

import pytest
import torch
from torch.autograd import gradcheck

from skcausalpima.functional import (
    DiagonalGaussian,
    mixture_evidence,
    mixture_log_evidence,
    prepare_components,
)

N, C, J = 6, 5, 3


@pytest.fixture
def draw():
    generator = torch.Generator().manual_seed(0)
    return lambda *shape: torch.randn(*shape, generator=generator, dtype=torch.float64)


def components(draw, full):
    factors = draw(C, J, J)
    covariances = factors @ factors.mT + torch.eye(J, dtype=torch.float64)
    return prepare_components(draw(C, J), covariances if full else covariances.diagonal(0, 1, 2))


def masks(known):
    """Per sample the cells that it may belong to, at least one."""
    return (torch.arange(C)[:, None] + torch.arange(N)) % 3 < 2 if known else None


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize("regimes", [False, True])
@pytest.mark.parametrize("full", [False, True])
def test_mixture_evidence(draw, full, regimes, known):
    prepared, allowed = components(draw, full), masks(known)
    inputs = (draw(N, J), draw(N, J), draw(C, N) if regimes else draw(C))
    inputs = tuple(tensor.requires_grad_() for tensor in inputs)

    def in_one(mean, log_var, log_weights):
        posterior = DiagonalGaussian(mean, log_var)
        return mixture_evidence(posterior, log_weights, prepared, allowed)

    def in_parts(mean, log_var, log_weights):
        log_density = prepared.expected_log_density(DiagonalGaussian(mean, log_var))
        if known:
            log_density = log_density.masked_fill(~allowed, -torch.inf)
        return mixture_log_evidence(log_weights, log_density), log_density

    (evidence, log_density), (expected, parts) = in_one(*inputs), in_parts(*inputs)
    torch.testing.assert_close(evidence, expected)
    torch.testing.assert_close(log_density, parts.detach())
    assert not log_density.requires_grad
    assert gradcheck(lambda *tensors: in_one(*tensors)[0], inputs)
    weights = draw(N)
    for one, other in zip(
        torch.autograd.grad((evidence * weights).sum(), inputs),
        torch.autograd.grad((expected * weights).sum(), inputs),
        strict=True,
    ):
        torch.testing.assert_close(one, other)


def test_densities_far_from_all_components(draw):
    """Single precision, where every density underflows."""
    prepared = components(draw, full=True)
    mean = torch.full((2, J), 1e3, requires_grad=True)
    posterior = DiagonalGaussian(mean, torch.zeros(2, J))
    evidence, _ = mixture_evidence(posterior, torch.zeros(C), prepared)
    evidence.sum().backward()
    assert evidence.isfinite().all()
    assert (evidence < -1e3).all()
    assert mean.grad.isfinite().all()
    assert (mean.grad != 0).any()
