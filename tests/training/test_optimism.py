"""What a modality says of a node, and how much of that is chance."""

from __future__ import annotations

import itertools
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from random_models import make_data, make_model
from scipy.special import log_softmax, logsumexp
from scipy.stats import multivariate_normal

from skcausalpima import CausalPIMA
from skcausalpima._model.tensors import TensorData
from skcausalpima._training.optimism import Known, Sums, _gains, _optimism, _sums, _with_ones
from skcausalpima.modules import Batch, SubsetEncoders

SIZES = (2, 3)


def prior_of(means: np.ndarray, spread: float, sizes: tuple[int, ...]) -> SimpleNamespace:
    """Return what is asked of a prior: equal weights, spherical components."""
    n_cells, width = means.shape
    covariances = torch.eye(width, dtype=torch.float64).repeat(n_cells, 1, 1) * spread
    weights = torch.full((n_cells,), -np.log(n_cells), dtype=torch.float64)
    return SimpleNamespace(
        means=torch.as_tensor(means),
        covariances=covariances,
        node_sizes=sizes,
        log_weights=lambda: weights,
    )


def summed(x: torch.Tensor, z: torch.Tensor, counts: torch.Tensor) -> Sums:
    points, moments = _with_ones(z, z[:, :, None] * z[:, None, :])
    return _sums(x, points, moments, counts)


def test_a_decoder_is_least_squares_and_says_what_gaussians_do() -> None:
    rng = np.random.default_rng(0)
    z, counts = rng.normal(size=(60, 2)), rng.random(60)
    x = z @ rng.normal(size=(2, 5)) + 1.0 + 0.5 * rng.normal(size=(60, 5))
    prior = prior_of(rng.normal(size=(6, 2)), 0.3, SIZES)
    found = summed(*map(torch.as_tensor, (x, z, counts))).evidence(torch.as_tensor(x), prior)

    root = np.sqrt(counts)[:, None]
    basis = np.column_stack([np.ones(60), z])
    slopes = np.linalg.lstsq(root * basis, root * x, rcond=None)[0]
    variance = (counts[:, None] * (x - basis @ slopes) ** 2).sum() / (5 * counts.sum())
    spread = slopes[1:].T @ (0.3 * np.eye(2)) @ slopes[1:] + variance * np.eye(5)
    expected = [
        multivariate_normal(slopes[0] + mean @ slopes[1:], spread).logpdf(x)
        for mean in prior.means.numpy()
    ]
    assert_allclose(
        log_softmax(found.numpy(), axis=0), log_softmax(np.stack(expected), axis=0), atol=1e-6
    )


def test_gains_are_nats_over_shares() -> None:
    rng = np.random.default_rng(0)
    said, cells = rng.normal(size=(6, 7)), rng.dirichlet(np.ones(6), size=7).T
    cells[2] = 0.0
    counts, prior = rng.random(7), prior_of(np.zeros((6, 1)), 1.0, SIZES)
    found = _gains(
        torch.as_tensor(said), torch.as_tensor(counts), torch.as_tensor(cells).log(), prior
    )
    alone = np.exp(log_softmax(said, axis=0)).reshape(*SIZES, 7)
    grid = cells.reshape(*SIZES, 7)
    for k, size in enumerate(SIZES):
        told, truth = alone.sum(axis=1 - k), grid.sum(axis=1 - k)
        nats = (truth * np.log(told * size)).sum(axis=0)
        assert_allclose(found[k], (counts * nats).sum())


@pytest.mark.parametrize("width", [4, 20])
def test_noise_is_as_optimistic_as_it_has_slopes(width: int) -> None:
    """Each of d slopes is learned from noise: E[LR] is d, and as much is lost in other samples.

    The mean of 60 draws has a standard error of 2 % (20 columns) to 5 %.
    """
    rng, prior = np.random.default_rng(0), prior_of(np.array([[-1.0], [1.0]]), 1e-4, (2,))
    found = []
    for _ in range(60):
        kind = rng.integers(2, size=400)
        z, x = (2.0 * kind - 1.0)[:, None], rng.normal(size=(400, width))
        cells = torch.as_tensor(np.stack([1 - kind, kind])).double().log()
        second = z[:, :, None] ** 2
        known = Known(torch.as_tensor(z), torch.as_tensor(second), cells, {}, prior)
        batch = Batch((torch.as_tensor(x),), None)
        found.append(_optimism(TensorData(batch, torch.float64), batch, 0, known).item())
    assert_allclose(np.mean(found), width, rtol=0.12)


@pytest.fixture
def encoders() -> SubsetEncoders:
    """Encoders of two modalities of one node with three outcomes."""
    return SubsetEncoders(make_model()).eval()


@torch.no_grad()
def test_what_is_all_chance_is_averaged_over(encoders: SubsetEncoders) -> None:
    rng = np.random.default_rng(0)
    encoders.node_sizes = SIZES
    encoders.gains = torch.tensor([[5.0, 80.0], [60.0, 2.0]]).double()
    encoders.optimism = torch.tensor([[10.0, 0.0], [0.0, 9.0]]).double()
    batch = make_data().rows(slice(4))
    said, weights = rng.normal(size=(6, 4)), np.log(rng.dirichlet(np.ones(6)))[:, None]
    for m, unknown in enumerate((0, 1)):
        observed = torch.zeros(2, 4, dtype=torch.bool)
        observed[m] = True
        alone = Batch(batch.arrays, observed)
        found = encoders.without_chance(alone, torch.as_tensor(said), torch.as_tensor(weights))
        told = np.exp(log_softmax(found.numpy() + weights, axis=0)).reshape(*SIZES, 4)
        plain = np.exp(log_softmax(said + weights, axis=0)).reshape(*SIZES, 4)
        shares = np.exp(weights).reshape(*SIZES, 1)
        # of the other node it says what it said; given that, the unknown one has its shares
        assert_allclose(told.sum(axis=unknown), plain.sum(axis=unknown))
        given = told / told.sum(axis=unknown, keepdims=True)
        assert_allclose(
            given, np.broadcast_to(shares / shares.sum(unknown, keepdims=True), given.shape)
        )


@torch.no_grad()
def test_part_of_what_is_chance_in_part(encoders: SubsetEncoders) -> None:
    encoders.node_sizes = (3,)
    encoders.gains = torch.tensor([[10.0], [2.0]]).double()
    encoders.optimism = torch.tensor([[4.0], [-1.0]]).double()
    observed = torch.tensor([[True], [False]]).expand(2, 4)
    batch = Batch(make_data().rows(slice(4)).arrays, observed)
    said = torch.as_tensor(np.random.default_rng(0).normal(size=(3, 4)))
    weights = torch.tensor([[0.5], [0.3], [0.2]]).double().log()
    found = encoders.without_chance(batch, said, weights)
    # p / LR = 4 / 2 * 10, of what no component could change
    assert_allclose(found - found[:1], 0.8 * (said - said[:1]))
    # together modalities may know what none of them does, and less than nothing is no chance
    for of in (Batch(batch.arrays, None), Batch(batch.arrays, ~observed)):
        assert_allclose(encoders.without_chance(of, said, weights), said)


@torch.no_grad()
def test_nothing_changes_where_nothing_is_known_of_it(encoders: SubsetEncoders) -> None:
    batch, said = make_data().rows(slice(4)), torch.zeros(3, 4).double()
    assert encoders.without_chance(batch, said, torch.zeros(3, 1).double()) is said


@torch.no_grad()
def test_cells_that_cannot_be(encoders: SubsetEncoders) -> None:
    encoders.node_sizes = (3,)
    encoders.gains, encoders.optimism = torch.ones(2, 1).double(), torch.ones(2, 1).double()
    said = torch.tensor([[1.0], [2.0], [3.0]]).double().expand(3, 4)
    for weights in ([0.5, 0.5, 0.0], [1.0, 0.0, 0.0]):
        logs = torch.tensor(weights).double().log()[:, None]
        found = encoders.without_chance(make_data().rows(slice(4)), said, logs)
        assert torch.isfinite(found).all()


def tables(n: int, width: int, seed: int) -> tuple[list[np.ndarray], np.ndarray]:
    """Return two tables that show a binary node each, four standard deviations apart."""
    rng = np.random.default_rng(seed)
    nodes = rng.integers(2, size=(n, 2))
    step = 4.0 / np.sqrt(width)
    return [step * nodes[:, [k]] + rng.normal(size=(n, width)) for k in (0, 1)], nodes


def log_losses(width: int, seed: int) -> np.ndarray:
    """Return the log loss of each node from each table alone, (table, node), by true nodes."""
    X, nodes = tables(300, width, seed)
    new, truth = tables(2000, width, 100 + seed)
    est = CausalPIMA((2, 2), random_state=seed).fit(X)
    found = np.empty((2, 2))
    for m, j in itertools.product((0, 1), repeat=2):
        agree = [np.mean(node == nodes[:, j]) for node in est.node_labels_.T]
        k = int(np.argmax(np.abs(np.array(agree) - 0.5)))
        outcome = truth[:, j] if agree[k] > 0.5 else 1 - truth[:, j]
        alone = [of if q == m else None for q, of in enumerate(new)]
        said = est.predict_nodes(alone, probabilities=True)[list(est.dag_)[k]]
        found[m, j] = -np.log(said[np.arange(2000), outcome]).mean()
    return found


def test_a_table_that_knows_nothing_of_a_node_says_its_shares() -> None:
    """Before, it lost .035 nats to its shares, log(2)."""
    losses = np.mean([log_losses(20, seed) for seed in range(2)], axis=0)
    assert losses[0, 1] < np.log(2.0) + 0.012
    assert losses[1, 0] < np.log(2.0) + 0.012
    assert np.diag(losses).max() < 0.12


def test_logsumexp_of_scipy_is_that_of_a_node() -> None:
    """Outcomes of a node that others are summed over."""
    rng = np.random.default_rng(0)
    said = rng.normal(size=(12, 5))
    prior = prior_of(np.zeros((12, 1)), 1.0, (2, 3, 2))
    cells = log_softmax(said, axis=0)
    gains = _gains(torch.as_tensor(said), torch.ones(5).double(), torch.as_tensor(cells), prior)
    middle = logsumexp(cells.reshape(2, 3, 2, 5), axis=(0, 2))
    assert_allclose(gains[1], (np.exp(middle) * (middle + np.log(3.0))).sum())


def test_samples_that_arrive_later_leave_what_is_chance() -> None:
    """It was asked of the arrivals alone, whose few samples gain little."""
    model = CausalPIMA((2, 2), max_iter=5, random_state=0).fit(tables(300, 20, 0)[0])
    before = {name: model._fitted.subset_numbers[name].copy() for name in ("gains", "optimism")}
    model.partial_fit(tables(20, 20, 1)[0])
    for name, numbers in before.items():
        assert_allclose(model._fitted.subset_numbers[name], numbers)
