"""Tests of the optimizer: it takes the steps of PyTorch's."""

import subprocess
import sys

import pytest
import torch

from skcausalpima._training.gradients import Adam


def parameters():
    generator, shapes = torch.Generator().manual_seed(0), ((3, 4), (4,), (2,))
    return [torch.nn.Parameter(torch.randn(shape, generator=generator)) for shape in shapes]


def give_gradients(trained, step):
    for k, parameter in enumerate(trained):
        parameter.grad = parameter.detach() * (k + 1) + step


def steps(optimizer, trained, numbers):
    for number in numbers:
        optimizer.zero_grad()
        give_gradients(trained, number)
        optimizer.step()


def test_that_steps_are_those_of_pytorch():
    expected, found = parameters(), parameters()
    groups = [{"params": expected[:2]}, {"params": expected[2:], "lr": 0.1}]
    steps(torch.optim.Adam(groups, lr=0.01, fused=True), expected, range(5))
    steps(Adam((found[:2], 0.01), (found[2:], 0.1)), found, range(5))
    for one, other in zip(expected, found, strict=True):
        assert torch.equal(one, other)


def test_that_what_has_no_gradient_stays():
    trained, rest = parameters()[:2]
    optimizer = Adam(([trained, rest], 0.01), ([], 1.0))
    before = rest.detach().clone()
    steps(optimizer, [trained], range(2))
    assert torch.equal(rest, before)
    assert set(optimizer.moments) == {trained}
    optimizer.zero_grad()
    assert trained.grad is None


def test_that_moments_are_taken_up_again():
    expected, found = parameters(), parameters()
    steps(Adam((expected, 0.01)), expected, range(4))
    first = Adam((found, 0.01))
    steps(first, found, range(2))
    second = Adam((found, 0.01))
    for parameter, moments in first.moments.items():
        second.resume(parameter, moments)
    steps(second, found, range(2, 4))
    for one, other in zip(expected, found, strict=True):
        assert torch.equal(one, other)


@pytest.mark.slow
def test_that_the_compiler_is_not_loaded():
    code = (
        "import sys, numpy as np\nfrom skcausalpima import CausalPIMA\n"
        "CausalPIMA((2,), max_iter=1).fit(np.random.rand(40, 3))\n"
        "sys.exit('torch._dynamo' in sys.modules)"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True)
