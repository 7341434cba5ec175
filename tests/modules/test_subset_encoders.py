"""Potentials of the modalities that are there."""

import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from random_models import make_data, make_model
from torch import nn

from skcausalpima.modules import Batch, SubsetEncoders


@pytest.fixture
def encoders():
    return SubsetEncoders(make_model()).eval()


@torch.no_grad()
def test_a_potential_is_the_product_of_what_is_observed(encoders):
    batch = make_data(missing=True).rows(slice(None))
    found = encoders(batch)
    precisions, pulls = torch.zeros(90, 2).double(), torch.zeros(90, 2).double()
    for m, shape in enumerate(((3, 2), (4,))):
        mean, log_var = encoders.encoders[m](batch.arrays[m].unflatten(1, shape)).chunk(2, dim=1)
        precision = torch.exp(-log_var) * batch.observed[m][:, None]
        precisions += precision
        pulls += precision * mean
    assert_allclose(found.mean, pulls / precisions)
    assert_allclose(found.log_var, -precisions.log(), atol=1e-12)


@torch.no_grad()
def test_where_nothing_is_observed_a_potential_is_as_wide_as_can_be(encoders):
    arrays = make_data().rows(slice(3)).arrays
    found = encoders(Batch(arrays, torch.zeros(2, 3, dtype=torch.bool)))
    assert_array_equal(found.mean, torch.zeros(3, 2))
    assert_array_equal(found.log_var, torch.full((3, 2), 15.0))


@torch.no_grad()
def test_what_stands_in_absent_blocks_is_not_read(encoders):
    batch = make_data(missing=True).rows(slice(None))
    garbage = Batch(
        tuple(
            torch.where(seen[:, None], array, torch.full_like(array, 1e3))
            for array, seen in zip(batch.arrays, batch.observed, strict=True)
        ),
        batch.observed,
    )
    for training in (False, True):
        encoders.train(training)
        for one, other in zip(encoders(batch), encoders(garbage), strict=True):
            assert_array_equal(one, other)


@torch.no_grad()
def test_they_are_copies():
    model = make_model()
    encoders = SubsetEncoders(model)
    before = [p.clone() for p in model.encoders.parameters()]
    for parameter in encoders.parameters():
        parameter.zero_()
    assert all(map(torch.equal, before, model.encoders.parameters()))
    copied = [n for n in model.state_dict() if n.startswith("encoders.")]
    assert list(encoders.state_dict()) == ["widening", "log_exponents", *copied]


def test_a_single_modality_needs_none():
    model = make_model()
    model.shapes, model.encoders = [(4,)], nn.ModuleList(model.encoders[1:])
    encoders = SubsetEncoders(model)
    assert not encoders.state_dict()
    batch = Batch((torch.zeros(3, 4).double(),), torch.zeros(1, 3, dtype=torch.bool))
    found = encoders(batch)
    assert found.mean.shape == found.log_var.shape == (3, 2)
    assert found.mean.dtype is torch.float64
    assert_array_equal(found.log_var, torch.full((3, 2), 15.0))


@torch.no_grad()
def test_exponents_are_geometric_means_of_what_is_observed(encoders):
    encoders.log_exponents.copy_(torch.tensor([2.0, 8.0]).log())
    observed = torch.tensor([[True, True, False, False], [True, False, True, False]])
    arrays = make_data().rows(slice(4)).arrays
    assert_allclose(encoders.exponents(Batch(arrays, observed)), [4.0, 2.0, 8.0, 1.0])
    assert_allclose(encoders.exponents(Batch(arrays, None)), 4.0)


def test_which_samples_they_are_for(encoders):
    whole, gappy = make_data(), make_data(missing=True)
    assert encoders.incomplete(whole.rows(slice(None))) is None
    assert encoders.incomplete(gappy.rows(slice(60, 90))) is None
    lacking = encoders.incomplete(gappy.rows(slice(None)))
    assert_array_equal(lacking.nonzero()[:, 0], [*range(20), *range(30, 50)])
