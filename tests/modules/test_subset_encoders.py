"""Potentials of the modalities that are there."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from linear_models import LinearMixture
from numpy.testing import assert_allclose, assert_array_equal
from random_models import make_data, make_model
from small_models import small_spec
from torch import nn

from skcausalpima._model.build import build_model
from skcausalpima.modules import Batch, Gap, SubsetEncoders, _subset_encoders


def precisions(rng, n):
    roots = rng.normal(size=(n, 2, 2))
    return torch.as_tensor(roots @ roots.swapaxes(1, 2) + 0.1 * np.eye(2))


@pytest.fixture
def encoders():
    model, rng = make_model(), np.random.default_rng(0)
    model.set_information(precisions(rng, 2))
    encoders = SubsetEncoders(model).eval()
    with torch.no_grad():
        encoders.widening.copy_(torch.as_tensor(rng.normal(size=(2, 2))))
        encoders.slopes.copy_(torch.as_tensor(rng.normal(size=(2, 2, 2))))
        encoders.offsets.copy_(torch.as_tensor(rng.normal(size=(2, 2))))
    return encoders


def by_hand(encoders, batch, m):
    """Linear part and precision A' D R' R D A of what one modality says, sample by sample."""
    shape = ((3, 2), (4,))[m]
    output = encoders.encoders[m](batch.arrays[m].unflatten(1, shape))
    location, log_var = (part.detach().numpy() for part in output.chunk(2, dim=1))
    root = encoders.information_roots[m].double().numpy()
    widening = encoders.widening[m].detach().numpy()
    slopes, offset = encoders.slopes[m].numpy(), encoders.offsets[m].numpy()
    linear, precision = [], []
    for y, v in zip(location, log_var, strict=True):
        scale = np.diag(np.exp(-0.5 * (v + widening)))
        inside = slopes.T @ scale @ root.T @ root @ scale
        precision.append(inside @ slopes)
        linear.append(inside @ (y - offset))
    return np.stack(linear), np.stack(precision)


@torch.no_grad()
def test_a_potential_is_the_product_of_what_is_observed(encoders):
    batch = make_data(missing=True).rows(slice(None))
    found, seen = encoders.potential(batch), batch.observed.double().numpy()
    parts = [by_hand(encoders, batch, m) for m in range(2)]
    linear = sum(s[:, None] * h for s, (h, _) in zip(seen, parts, strict=True))
    precision = sum(s[:, None, None] * p for s, (_, p) in zip(seen, parts, strict=True))
    assert not found.is_shared
    assert found.linear.dtype is found.precision.dtype is torch.float64
    assert_allclose(found.linear, linear, rtol=1e-9, atol=1e-12)
    assert_allclose(found.precision, precision, rtol=1e-9, atol=1e-12)
    for m in range(2):  # and of one alone
        alone = encoders.potential_of(batch, m)
        assert_allclose(alone.linear, seen[m][:, None] * parts[m][0], rtol=1e-9, atol=1e-12)
        assert_allclose(alone.precision, seen[m][:, None, None] * parts[m][1], rtol=1e-9)


@torch.no_grad()
def test_outputs_at_hand_are_those_asked_for(encoders):
    batch = make_data(missing=True).rows(slice(None))
    for one, other in zip(
        encoders.potential(batch), encoders.potential(batch, encoders.outputs(batch)), strict=True
    ):
        assert_array_equal(one, other)


@torch.no_grad()
def test_where_nothing_is_observed_nothing_is_said(encoders):
    arrays = make_data().rows(slice(3)).arrays
    found = encoders.potential(Batch(arrays, torch.zeros(2, 3, dtype=torch.bool)))
    assert_array_equal(found.linear, torch.zeros(3, 2))
    assert_array_equal(found.precision, torch.zeros(3, 2, 2))


@torch.no_grad()
def test_potentials_of_linear_decoders_are_exact():
    """x_S = W_S z + b_S + noise says W_S' R^-1 (x_S - b_S) and W_S' R^-1 W_S."""
    mixture = LinearMixture()
    _, encoders = mixture.model()
    _, x = mixture.sample(5)
    arrays = tuple(map(torch.as_tensor, x))
    for observed in ([0], [1, 2], [0, 1, 2]):
        seen = torch.zeros(3, 5, dtype=torch.bool)
        seen[observed] = True
        found = encoders.potential(Batch(arrays, seen))
        linear = sum(
            (x[m] - mixture.offsets[m]) @ mixture.maps[m] / mixture.noise[m] ** 2 for m in observed
        )
        assert_allclose(found.linear, linear, rtol=1e-9)
        precision = sum(mixture.information(m) for m in observed)
        assert_allclose(found.precision, np.tile(precision, (5, 1, 1)), rtol=1e-9, atol=1e-12)


@torch.no_grad()
def test_a_view_helps_to_locate_its_modality_alone():
    spec = small_spec(((16, 16), (5,)), views=("power_spectrum", None))
    model, generator = build_model(spec, torch.Generator().manual_seed(0)), torch.Generator()
    for name in ("slope", "offset", "mean", "components"):
        buffer = getattr(model.views["0"], name)
        buffer.copy_(torch.randn(buffer.shape, generator=generator))
    encoders = SubsetEncoders(model).eval()
    arrays = tuple(torch.randn(4, w, generator=generator).double() for w in (256, 5))
    seen = torch.tensor([[True] * 4, [False] * 4])
    found = encoders.potential(Batch(arrays, seen))
    view = encoders.views["0"]
    of_image, of_view = (
        out.chunk(2, dim=1)
        for out in (
            encoders.encoders[0](arrays[0].unflatten(1, (16, 16))),
            view.encoder(view(arrays[0])),
        )
    )
    weights = of_image[1].neg().exp(), of_view[1].neg().exp()
    location = (weights[0] * of_image[0] + weights[1] * of_view[0]) / sum(weights)
    # the information is I, and nothing is widened: the two are one expert
    precision = torch.diag_embed(sum(weights))
    assert_allclose(found.precision, precision, rtol=1e-9, atol=1e-12)
    assert_allclose(found.linear, (precision @ location[:, :, None])[:, :, 0], rtol=1e-9)


@torch.no_grad()
def test_what_is_left_of_a_modality_counts_beside_the_others(encoders):
    """Samples of which elements are missing have the potential of their gap in its place."""
    batch = make_data(missing=True).rows(slice(0, 40))
    rng, partial = np.random.default_rng(1), torch.zeros(40, dtype=torch.bool)
    partial[[2, 22, 35]] = True  # of these the first has no images at all
    known = precisions(rng, 40)
    linear, location = (torch.as_tensor(rng.normal(size=(40, 2))) for _ in range(2))
    gaps = {0: Gap(partial, known, linear, location, torch.zeros(40, 1).double())}
    found, plain = encoders.potential(replace(batch, gaps=gaps)), encoders.potential(batch)
    others = ~partial | ~batch.observed[0]
    assert_array_equal(found.linear[others], plain.linear[others])
    assert_array_equal(found.precision[others], plain.precision[others])
    curve, precision = map(torch.as_tensor, by_hand(encoders, batch, 1))
    for row in (22, 35):
        is_here = float(batch.observed[1, row])
        assert_allclose(found.linear[row], linear[row] + is_here * curve[row], rtol=1e-9)
        assert_allclose(found.precision[row], known[row] + is_here * precision[row], rtol=1e-9)


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
        for one, other in zip(encoders.potential(batch), encoders.potential(garbage), strict=True):
            assert_array_equal(one, other)


@torch.no_grad()
def test_they_are_copies():
    model = make_model()
    encoders = SubsetEncoders(model)
    before = [p.clone() for p in model.encoders.parameters()]
    for value in encoders.state_dict().values():
        value.zero_()
    assert all(map(torch.equal, before, model.encoders.parameters()))
    assert_array_equal(model.information_roots, torch.eye(2).expand(2, 2, 2))
    copied = [n for n in model.state_dict() if n.startswith("encoders.")]
    own = ["widening", "log_exponents", "information_roots", "slopes", "offsets"]
    assert list(encoders.state_dict()) == [*own, *copied]


@pytest.mark.parametrize("m", [0, 1])
@torch.no_grad()
def test_one_modality_is_taken_from_others(m):
    one, other = (SubsetEncoders(make_model()).eval() for _ in range(2))
    for number, of in enumerate((one, other)):
        for value in of.state_dict().values():
            value.normal_(generator=torch.Generator().manual_seed(number))
    other.log_exponents.copy_(one.log_exponents)
    batch = make_data().rows(slice(None))
    of_one, of_other = ([of.potential_of(batch, k) for k in range(2)] for of in (one, other))
    one.take(other, m)
    expected = [of_other[k] if k == m else of_one[k] for k in range(2)]
    for k in range(2):
        assert all(map(torch.equal, one.potential_of(batch, k), expected[k]))


def test_a_single_modality_needs_none():
    model = make_model()
    model.shapes, model.encoders = [(4,)], nn.ModuleList(model.encoders[1:])
    encoders = SubsetEncoders(model)
    assert not list(encoders.parameters())
    batch = Batch((torch.zeros(3, 4).double(),), torch.zeros(1, 3, dtype=torch.bool))
    found = encoders.potential(batch)
    assert_array_equal(found.linear, torch.zeros(3, 2))
    assert_array_equal(found.precision, torch.zeros(3, 2, 2))
    assert found.linear.dtype is torch.float64
    assert_array_equal(encoders.exponents(batch), torch.ones(3))


@torch.no_grad()
def test_exponents_are_geometric_means_of_what_is_observed(encoders):
    encoders.log_exponents.copy_(torch.tensor([0.5, 0.125]).log())
    observed = torch.tensor([[True, True, False, False], [True, False, True, False]])
    arrays = make_data().rows(slice(4)).arrays
    assert_allclose(encoders.exponents(Batch(arrays, observed)), [0.25, 0.5, 0.125, 1.0])
    assert_allclose(encoders.exponents(Batch(arrays, None)), 0.25)
    encoders.log_exponents.fill_(1.0)  # no part is surer than its own likelihood
    assert_allclose(encoders.exponents(Batch(arrays, None)), 1.0)


@torch.no_grad()
def test_outliers_say_nothing(encoders):
    """q is (1 - e) q of what is seen and e A; what nobody has located says what it says."""
    encoders.log_exponents.copy_(torch.tensor([0.5, 0.125]).log())
    observed = torch.tensor([[True, True, False, False], [True, False, True, False]])
    batch = Batch(make_data().rows(slice(4)).arrays, observed)
    log_weights = torch.tensor([0.5, 0.3, 0.2]).double().log()[:, None]
    said = torch.tensor([0.0, -1.0, -900.0]).double()[:, None].expand(3, 4)
    plain = (log_weights + encoders.exponents(batch) * said).softmax(dim=0)
    found = (log_weights + encoders.log_evidence(batch, said, log_weights)).softmax(dim=0)
    rate = _subset_encoders.CONTAMINATION / (1.0 + _subset_encoders.CONTAMINATION)
    expected = (1.0 - rate) * plain + rate * log_weights.exp()
    assert_allclose(found[:, :3], expected[:, :3], rtol=1e-9)
    assert_allclose(found[:, 3], plain[:, 3])


def test_which_samples_they_are_for(encoders):
    whole, gappy = make_data(), make_data(missing=True)
    assert encoders.incomplete(whole.rows(slice(None))) is None
    assert encoders.incomplete(gappy.rows(slice(60, 90))) is None
    lacking = encoders.incomplete(gappy.rows(slice(None)))
    assert_array_equal(lacking.nonzero()[:, 0], [*range(20), *range(30, 50)])
