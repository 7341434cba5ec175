"""The likelihood of observed elements alone."""

import torch
from torch import nn
from torch.distributions import Normal
from torch.testing import assert_close

from skcausalpima.modules import Batch
from skcausalpima.modules._observation_model import ObservationModel


def test_the_likelihood_is_that_of_the_observed_elements():
    generator = torch.Generator().manual_seed(0)

    def draw(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    decoders = [nn.Linear(2, width, dtype=torch.float64) for width in (6, 4)]
    model = ObservationModel(decoders, [(6,), (4,)], torch.tensor([1.0, 2.0])).double()
    model.log_variances.copy_(torch.tensor([-1.0, 0.5]))
    x, z = (draw(7, 6), draw(7, 4)), draw(7, 2)
    seen = (torch.rand(7, 6, generator=generator) > 0.3, None)
    seen[0][0] = False
    observed = torch.ones(2, 7, dtype=torch.bool)
    observed[0, 0] = observed[1, 3] = False
    results = []
    for filler in (0.0, 1e3):
        arrays = (torch.where(seen[0], x[0], filler), x[1])
        batch = Batch(arrays, observed, elements={0: seen[0]})
        errors = model.squared_errors(batch, z)
        results.append(model.log_likelihoods(errors, batch.shares))
        weighted = model.training_log_likelihood(errors, batch.shares)
        assert_close(weighted, results[-1][0] + 2 * results[-1][1])
    scales = model.log_variances.mul(0.5).exp()
    each = [Normal(d(z), s).log_prob(a) for d, s, a in zip(decoders, scales, x, strict=True)]
    expected = torch.stack([(each[0] * seen[0]).sum(1), each[1].sum(1) * observed[1]])
    assert_close(results[0], expected)
    assert_close(results[1], results[0], rtol=0, atol=0)


def test_balanced_modalities_count_their_observed_elements():
    model = ObservationModel([nn.Linear(1, 4), nn.Linear(1, 2)], [(4,), (2,)], None)
    seen = {0: torch.tensor([[True, True, False, False]])}
    batch = Batch((torch.zeros(1, 4), torch.zeros(1, 2)), None, elements=seen)
    assert_close(batch.shares, torch.tensor([[0.5], [1.0]]))
    nothing = model.training_log_likelihood(torch.zeros(2, 1), batch.shares)
    whole = model.training_log_likelihood(torch.zeros(2, 1))
    assert_close(nothing, 0.75 * whole)
