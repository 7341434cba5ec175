"""What stands in for missing elements, and what they count for."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from linear_models import LinearMixture
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import logsumexp
from scipy.stats import multivariate_normal
from small_models import small_spec
from torch import nn
from torch.testing import assert_close

from skcausalpima._model.build import build_model
from skcausalpima._model.scaled_samples import as_arrays, from_arrays
from skcausalpima._model.tensors import TensorData
from skcausalpima._training import filling
from skcausalpima._training.block_update import variance_floors
from skcausalpima._training.filling import (
    _linearised_at,
    _location,
    _log_likelihoods_at,
    check_decoders,
    filled,
)
from skcausalpima._training.potentials import at_likely_points
from skcausalpima.modules import Batch, ColumnDecoder, ExpertDecoder, line
from skcausalpima.modules._decoder_protocol import as_decoder

SHAPES = ((3, 2), (4,))


def example(**changes):
    generator = torch.Generator().manual_seed(0)
    model = build_model(small_spec(SHAPES, hidden_layer_sizes=(8,), **changes), generator)
    arrays = tuple(
        torch.randn(9, width, generator=generator, dtype=torch.float64) for width in (6, 4)
    )
    seen = torch.ones(9, 4, dtype=torch.bool)
    seen[2, 1] = seen[5, 0] = seen[5, 3] = False
    return model, TensorData(Batch(arrays, None, elements={1: seen}), torch.float64)


@pytest.mark.parametrize("sampled", [False, True])
def test_gaps_alone_are_filled_and_what_stood_there_does_not_matter(sampled):
    model, data = example(sampled_responsibilities=sampled)
    seen = data.elements[1]
    result = filled(model, data)
    assert result.arrays[0] is data.arrays[0]
    assert_close(result.arrays[1][seen], data.arrays[1][seen], rtol=0, atol=0)
    other = (data.arrays[0], torch.where(seen, data.arrays[1], 77.0))
    again = filled(model, replace(data, samples=replace(data.samples, arrays=other)))
    assert_close(again.arrays[1], result.arrays[1], rtol=0, atol=0)
    for part in model.decoders:
        for parameter in part.parameters():
            parameter.data.zero_()
    assert_close(filled(model, data).arrays[1][~seen], torch.zeros(3, dtype=torch.float64))


def test_without_gaps_data_and_model_stay_as_they_are():
    model, data = example()
    model.train()
    complete = replace(data, samples=replace(data.samples, elements={}))
    assert filled(model, complete) is complete
    assert model.training
    rows = data.subset(torch.tensor([0, 1]))  # no gap among these
    assert filled(model, rows) is rows


GAUSSIAN = {"experts": [None, ExpertDecoder(line, np.arange(4.0))]}
PER_SAMPLE = {"experts": [None, ExpertDecoder(line, np.arange(4.0), per="sample")]}


@pytest.mark.parametrize(
    ("changes", "stated"),
    [
        (GAUSSIAN, None),
        (PER_SAMPLE, None),
        ({}, [None, "cluster_mlp"]),
    ],
    ids=["expert", "expert per sample", "networks per cluster"],
)
def test_only_plain_networks_fill_in(changes, stated):
    """Nothing is asked of modalities without gaps, nor of plain networks and modules."""
    model, data = example(**changes)
    with pytest.raises(ValueError, match="modality 'modality1' has samples that are NaN in a part"):
        check_decoders(model, data, stated)
    if stated is None:
        with pytest.raises(ValueError, match="fill these values in"):
            filled(model, data)
    whole = replace(data.samples, elements={0: torch.ones(9, 6, dtype=torch.bool)})
    check_decoders(model, replace(data, samples=whole), stated)
    check_decoders(model, replace(data, samples=replace(whole, elements={})), stated)
    for plain in ([None, "mlp"], ["cluster_mlp", "conv"], [None, torch.nn.Linear(2, 4)]):
        check_decoders(example()[0], data, plain)


@torch.no_grad()
def test_rounds_begin_with_the_mean_of_the_data_under_the_model(monkeypatch):
    monkeypatch.setattr(filling, "N_ROUNDS", 0)
    model, data = example()
    model.prior.means.normal_(generator=torch.Generator().manual_seed(1))
    model.prior.table_logits.normal_(generator=torch.Generator().manual_seed(2))
    weights = model.prior.log_weights().exp()
    decoded = [model.decoders[1](mean[None])[0] for mean in model.prior.means]
    expected = sum(weight * of for weight, of in zip(weights, decoded, strict=True))
    gaps = ~data.elements[1]
    assert_close(filled(model, data).arrays[1][gaps], expected.expand(9, 4)[gaps])


def test_gaps_are_filled_by_networks_that_evaluate():
    model, data = example()
    model.train()
    filled(model, data)
    assert not model.training


def test_elements_are_counted():
    _, data = example()
    assert data.n_elements.tolist() == [54, 33]
    weights = torch.arange(1.0, 10.0, dtype=torch.float64)[None]
    observed = torch.ones(2, 9, dtype=torch.bool)
    observed[0, 8] = False
    batch = replace(data.samples, weights=weights, observed=observed)
    weighted = TensorData(batch, torch.float64)
    assert weighted.n_elements.tolist() == [6 * 36, 4 * 45 - 3 - 2 * 6]
    assert_close(weighted.mean_shares.flatten(), weighted.n_elements / torch.tensor([270, 180]))
    floors = variance_floors(data, relative=1.0)
    squares = (data.arrays[1] * data.elements[1]).square().sum() / 33
    assert_close(floors[1], squares)
    arrays = from_arrays(as_arrays(weighted), weighted.device)
    assert torch.equal(arrays.elements[1], weighted.elements[1])


def linear_example(n=12):
    """A linear model, and samples of which elements and modalities are missing."""
    mixture, rng = LinearMixture(), np.random.default_rng(3)
    model, _ = mixture.model()
    _, x = mixture.sample(n)
    seen = [rng.random(array.shape) < 0.6 for array in x]
    seen[0][:3], seen[1][2:6], seen[2][:] = True, True, True
    seen[0][3, :5], seen[0][3, 5] = False, True  # one element is left
    observed = np.ones((3, n), dtype=bool)
    observed[0, 4] = observed[1, 7] = False
    seen[0][4], seen[1][7] = False, False
    arrays = [np.where(s, array, 0.0) for s, array in zip(seen, x, strict=True)]
    elements = {m: torch.as_tensor(seen[m]) for m in (0, 1)}
    batch = Batch(tuple(map(torch.as_tensor, arrays)), torch.as_tensor(observed), elements=elements)
    return mixture, model, x, seen, observed, TensorData(batch, torch.float64)


@torch.no_grad()
def test_gaps_say_what_the_observed_elements_say():
    """Of a linear decoder exactly: W_o' R^-1 (x_o - b_o) and W_o' R^-1 W_o, of each sample."""
    mixture, model, x, seen, observed, data = linear_example()
    result = filled(model, data)
    gaps = result.samples.gaps
    assert list(gaps) == [0, 1]
    for m, gap in gaps.items():
        partial = seen[m].any(axis=1) & ~seen[m].all(axis=1)
        assert_array_equal(gap.partial, partial)
        slope, variance = mixture.maps[m], mixture.noise[m] ** 2
        for n in np.flatnonzero(partial):
            shown = slope[seen[m][n]]
            rest = (x[m][n] - mixture.offsets[m])[seen[m][n]]
            assert_allclose(gap.linear[n], shown.T @ rest / variance, rtol=1e-8, atol=1e-9)
            assert_allclose(gap.known[n], shown.T @ shown / variance, rtol=1e-8, atol=1e-9)
            assert_array_equal(result.arrays[m][n][seen[m][n]], x[m][n][seen[m][n]])
            row = result.arrays[m][n].numpy() - mixture.offsets[m]
            located = slope.T @ slope @ gap.location[n].numpy()
            assert_allclose(located, slope.T @ row, rtol=1e-6, atol=1e-7)
    for n in range(12):  # all that is known of a sample, in evaluation and in training
        shown = [np.diag(np.where(seen[m][n] & observed[m, n], 1.0, 0.0)) for m in range(3)]
        linear, precision = 0.0, 0.0
        for m in range(3):
            weighted = mixture.maps[m].T @ shown[m] / mixture.noise[m] ** 2
            linear = linear + weighted @ (x[m][n] - mixture.offsets[m])
            precision = precision + weighted @ mixture.maps[m]
        for training in (False, True):
            found = model.train(training).posterior(result.rows(slice(None))).potential
            assert_allclose(found.linear[n], linear, rtol=1e-7, atol=1e-8)
            assert_allclose(found.precision[n], precision, rtol=1e-7, atol=1e-8)


def test_what_is_filled_in_is_decoded_where_the_sample_is_expected():
    """The last round decodes the mean of the most probable component, by Bayes' rule."""
    mixture, model, x, seen, observed, data = linear_example()
    result = filled(model, data)
    for n in np.flatnonzero(result.samples.gaps[0].partial):
        blocks = [np.flatnonzero(seen[m][n] & observed[m, n]) for m in range(3)]
        maps = np.concatenate([mixture.maps[m][of] for m, of in enumerate(blocks)])
        rest = np.concatenate([(x[m][n] - mixture.offsets[m])[of] for m, of in enumerate(blocks)])
        noise = np.concatenate([np.full(len(of), mixture.noise[m]) for m, of in enumerate(blocks)])
        logs, means = [], []
        for weight, mean, spread in zip(
            mixture.weights, mixture.means, mixture.covariances, strict=True
        ):
            total = maps @ spread @ maps.T + np.diag(noise**2)
            gap = rest - maps @ mean
            logs.append(np.log(weight) - 0.5 * np.linalg.slogdet(total)[1])
            logs[-1] -= 0.5 * gap @ np.linalg.solve(total, gap)
            means.append(mean + spread @ maps.T @ np.linalg.solve(total, gap))
        # some rounds of filling in come so near
        decoded = mixture.maps[0] @ means[np.argmax(logs)] + mixture.offsets[0]
        expected = np.where(seen[0][n], x[0][n], decoded)
        assert_allclose(result.arrays[0][n], expected, atol=1e-2)


class Bent(nn.Module):
    """A decoder whose slopes differ from place to place, as those of the networks of a fit do."""

    def __init__(self, slope, offset):
        super().__init__()
        self.slope, self.offset = torch.as_tensor(slope), torch.as_tensor(offset)

    def forward(self, z):
        return (z + 0.15 * z * z.abs()) @ self.slope.T + self.offset


def bent_example(n=40):
    """A model whose first decoder bends, and samples of which half of that modality is left."""
    mixture, rng = LinearMixture(), np.random.default_rng(8)
    mixture.means *= 2.0
    model, _ = mixture.model()
    model.decoders[0] = as_decoder(Bent(mixture.maps[0], mixture.offsets[0]))
    cells = rng.choice(4, n, p=mixture.weights)
    parts = ((mixture.means[c], mixture.covariances[c]) for c in cells)
    z = np.stack([rng.multivariate_normal(*part) for part in parts])
    arrays = [torch.zeros(n, width, dtype=torch.float64) for width in mixture.widths]
    with torch.no_grad():
        arrays[0] = model.decoders[0](torch.as_tensor(z)).flatten(1)
    arrays[0] = arrays[0] + torch.as_tensor(mixture.noise[0] * rng.normal(size=(n, 6)))
    seen = torch.tensor([True, True, True, False, False, False]).expand(n, 6)
    observed = torch.tensor([True, False, False])[:, None].expand(3, n)
    batch = Batch(tuple(arrays), observed, elements={0: seen})
    return mixture, model, TensorData(batch, torch.float64)


@torch.no_grad()
def test_bent_decoders_are_made_linear_where_samples_lie():
    """Latent points of samples of which a half is left, beside sums over a grid."""
    mixture, model, data = bent_example()
    axis = np.linspace(-9.0, 9.0, 181)
    grid = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)
    parts = zip(mixture.weights, mixture.means, mixture.covariances, strict=True)
    prior = np.log([w * multivariate_normal(m, s).pdf(grid) + 1e-300 for w, m, s in parts])
    decoded = model.decoders[0](torch.as_tensor(grid)).numpy()[:, None, :3]
    errors = np.square(data.arrays[0].numpy()[:, :3] - decoded).sum(axis=2)
    said = logsumexp(prior, axis=0)[:, None] - 0.5 * errors / mixture.noise[0] ** 2
    exact = np.exp(said - logsumexp(said, axis=0)).T  # (sample, point)
    expected = exact @ grid
    spread = np.sqrt(exact @ np.square(grid) - np.square(expected))
    batch = filled(model, data).rows(slice(None))
    posterior = model.posterior(batch)
    gamma = posterior.evidence(model.prior.log_weights()).log_gamma.exp()
    off = np.abs(posterior.mean(gamma).numpy() - expected) / spread
    assert np.median(off) < 0.2
    assert np.quantile(off, 0.9) < 0.5


@torch.no_grad()
def test_cells_of_yes_and_no_in_part_are_as_probable_as_sums_over_a_grid_say():
    mixture, model, _ = bent_example(1)
    rng, n, width = np.random.default_rng(5), 60, 6
    network = nn.Linear(2, width).double()
    network.weight.copy_(torch.as_tensor(rng.normal(scale=2.0, size=(width, 2))))
    network.bias.zero_()
    model.decoders[0] = ColumnDecoder(network, (3, 2), [("bernoulli", 1)] * width)
    cells = rng.choice(4, n, p=mixture.weights)
    parts = ((mixture.means[c], mixture.covariances[c]) for c in cells)
    z = torch.as_tensor(np.stack([rng.multivariate_normal(*part) for part in parts]))
    x = (torch.as_tensor(rng.random((n, width))) < network(z).sigmoid()).double()
    arrays = [x, *(torch.zeros(n, of, dtype=torch.float64) for of in mixture.widths[1:])]
    seen = torch.as_tensor(rng.random((n, width)) < 0.6)
    observed = torch.tensor([True, False, False])[:, None].expand(3, n)
    data = TensorData(Batch(tuple(arrays), observed, elements={0: seen}), torch.float64)
    axis = torch.linspace(-12.0, 12.0, 121, dtype=torch.float64)
    grid = torch.cartesian_prod(axis, axis)
    said = (network(grid)[:, None] * (2.0 * x - 1.0)).sigmoid().log() * seen  # (point, sample, ..)
    parts = zip(mixture.weights, mixture.means, mixture.covariances, strict=True)
    prior = np.log([w * multivariate_normal(m, s).pdf(grid.numpy()) + 1e-300 for w, m, s in parts])
    exact = (torch.as_tensor(prior)[..., None] + said.sum(dim=2)).logsumexp(dim=1).softmax(dim=0)
    batch = filled(model, data).rows(slice(None))
    found = model.posterior(batch).evidence(model.prior.log_weights()).log_gamma.exp()
    off = (found - exact)[:, batch.gaps[0].partial].abs()
    assert off.mean() <= 0.06  # of potentials alone .10
    assert batch.gaps[0].beyond.abs().max() > 0.1  # tells components apart, and samples in nothing
    assert_allclose(batch.gaps[0].beyond.mean(dim=1), 0.0, atol=1e-9)


@torch.no_grad()
def test_encoders_place_samples_some_modality_of_which_is_whole():
    _, model, data = bent_example()
    block = data.rows(slice(None))
    observed = block.observed.clone()
    observed[1, :5] = True
    block = replace(block, observed=observed)
    found = _linearised_at(model, block, [0])
    by_encoders = at_likely_points(model, block)
    for one, other in zip(found, by_encoders, strict=True):
        assert_array_equal(one[:5], other[:5])
    assert not torch.isclose(found.points[5:], by_encoders.points[5:]).all(dim=1).any()


@torch.no_grad()
def test_other_samples_begin_in_the_component_at_whose_mean_they_are_most_probable():
    _, model, data = bent_example()
    block = data.rows(slice(None))
    said = _log_likelihoods_at(model, 0, model.prior.means, block.arrays[0], block.elements[0])
    expected = (model.prior.log_weights()[:, None] + said).argmax(dim=0)
    assert_array_equal(_linearised_at(model, block, [0]).components, expected)
    assert len(expected.unique()) > 2


@torch.no_grad()
def test_few_points_are_as_probable_as_decoders_say():
    """Up to what is the same at all points."""
    _, model, data = bent_example()
    x, seen, points = data.arrays[0], data.elements[0], model.prior.means
    found = _log_likelihoods_at(model, 0, points, x, seen)
    batch = data.rows(slice(None))
    rows = [model.squared_errors(batch, z.expand(len(x), -1)) for z in points]
    exact = torch.stack([model.log_likelihoods(errors, batch.shares)[0] for errors in rows])
    assert_close(found - found[0], exact - exact[0])
    layout = (("gaussian", 1), ("bernoulli", 1), ("categorical", 2))
    columns = ColumnDecoder(nn.Linear(2, 4), (4,), layout)
    model.decoders[0] = columns.double()
    x = torch.tensor([[0.3, 1.0, 0.0, 1.0], [-1.0, 0.0, 1.0, 0.0]]).double()
    seen = torch.tensor([[True, False, True, True], [False, True, True, True]])
    found = _log_likelihoods_at(model, 0, points, x, seen)
    for row, z in zip(found, points, strict=True):
        assert_close(row, columns.likelihood(x, z.expand(2, -1), seen).log_likelihoods[0])


@pytest.mark.parametrize("scale", [0.0, 1e-12, 1.0, 1e12])
def test_rows_stay_where_they_were_filled_in_if_nothing_holds_them(scale):
    """By the pseudoinverse: matrices have rank one of three, and some may be zero."""
    rng = np.random.default_rng(4)
    slopes = rng.normal(size=(5, 3, 1)) * np.sqrt(scale)
    shares = rng.uniform(size=(5, 1, 1))
    whole, points = slopes @ slopes.swapaxes(1, 2), rng.normal(size=(5, 3))
    linear = (whole @ rng.normal(size=(5, 3, 1)))[:, :, 0]
    known = shares * whole
    found = _location(*map(torch.as_tensor, (linear, known, whole - known, points)))
    surplus = linear - (known @ points[:, :, None])[:, :, 0]
    moved = np.linalg.pinv(whole, rcond=1e-6) @ surplus[:, :, None]
    assert_allclose(found, points + moved[:, :, 0], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_however_little_holds_them_rows_lie_between(share):
    """Between where the potential lies and where they were filled in, in every direction."""
    whole = np.array([[1.0, 3e-9, 3e-10, 3e-11], [1.0, 1.0, 0.0, 1e-20]])
    located, points = np.full((2, 4), 3.0), np.full((2, 4), -1.0)
    given = (1 - share) * whole * located, (1 - share) * np.stack([*map(np.diag, whole)])
    lost = share * np.stack([*map(np.diag, whole)])
    found = _location(*map(torch.as_tensor, (*given, lost, points)))
    assert ((found > -1.0 - 1e-9) & (found < 3.0 + 1e-9)).all()
    expected = (1 - share) * located + share * points
    assert_allclose(found[whole == 1.0], expected[whole == 1.0], rtol=1e-8)
    assert (found[0, 1:] < found[0, :-1]).all()  # the less, the nearer to where they were


def test_gaps_are_taken_with_their_samples():
    *_, data = linear_example()
    _, model, *_ = linear_example()
    result = filled(model, data)
    rows = torch.tensor([7, 3, 5])
    part = result.rows(slice(None)).take(rows)
    for m, gap in part.gaps.items():
        for one, other in zip(gap, result.samples.gaps[m], strict=True):
            assert_array_equal(one, other[rows])


def test_the_published_posterior_knows_no_gaps():
    model, data = example(sampled_responsibilities=True)
    assert filled(model, data).samples.gaps is None
