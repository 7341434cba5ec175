"""Draws of the data."""

import numpy as np
import torch
from random_models import own_model

from skcausalpima._inference.decoding import drawn_data


@torch.no_grad()
def test_draws_have_the_variances_of_the_decoders():
    """At one latent point, within five standard errors; the draws are seeded."""
    model, point = own_model(), np.array([[0.4, -0.7]])
    z, cells = np.repeat(point, 20_000, axis=0), np.full(20_000, 2)
    arrays = drawn_data(model, z, cells, np.random.RandomState(0))
    z = torch.as_tensor(point)
    mean, log_variance = model.decoders[1].moments(z)
    expected = [
        (model.decoders[0](z)[0, 2].flatten(), model.decoders[0].log_variances[2].expand(6)),
        (mean[0], log_variance[0]),
    ]
    for array, (mean, log_variance) in zip(arrays, expected, strict=True):
        deviation = log_variance.mul(0.5).exp().numpy()
        errors = (array.mean(axis=0) - mean.numpy()) / deviation
        assert np.abs(errors).max() < 5 / np.sqrt(20_000)
        assert np.abs(array.std(axis=0) / deviation - 1).max() < 5 / np.sqrt(40_000)
