"""What user modules draw from, in the thread of a fit."""

import numpy as np
import pytest
import torch

from skcausalpima._model.surroundings import (
    module_draws,
    own_draws,
    resume_module_draws,
    seeded_modules,
)

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    "draw",
    [
        lambda: torch.randn(3),
        lambda: torch.rand_like(torch.ones(3)),
        lambda: torch.native_dropout(torch.ones(9), 0.5, True)[0],  # which takes no generator
    ],
    ids=["randn", "rand_like", "dropout"],
)
def test_draws_are_of_the_seed_and_go_on_from_a_state_that_was_noted(draw):
    torch.manual_seed(7)
    before = torch.get_rng_state()
    with seeded_modules(CPU, 3), own_draws():
        first, noted = draw(), module_draws(CPU)
        then = draw()
    with seeded_modules(CPU, 3), own_draws():
        assert torch.equal(draw(), first)
    with seeded_modules(CPU, 4), own_draws():
        torch.randn(9)
        resume_module_draws(CPU, noted)
        assert torch.equal(draw(), then)
    assert torch.equal(torch.get_rng_state(), before)


def test_librarys_networks_draw_nothing():
    assert module_draws(None) == {}
    resume_module_draws(None, {"cpu": np.zeros(1)})
    with seeded_modules(None, 0):
        assert module_draws(CPU)["cpu"].tolist() == torch.get_rng_state().tolist()
