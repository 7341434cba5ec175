"""Grids of many cells: memory grows no faster than their number."""

import tracemalloc

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from skcausalpima._inference.decoding import drawn_points, swap_states
from skcausalpima._inference.reports import separation_report
from skcausalpima._initialization import initial_sample, initialize
from skcausalpima.functional import DiagonalGaussian, prepare_components

N_COMPONENTS, DIM = 1024, 8


@pytest.fixture(scope="module")
def mixture():
    rng = np.random.default_rng(0)
    factors = rng.normal(size=(N_COMPONENTS, DIM, 2 * DIM))
    return 10 * rng.normal(size=(N_COMPONENTS, DIM)), factors @ factors.swapaxes(1, 2)


def peak_bytes(function, *arguments):
    tracemalloc.start()
    try:
        function(*arguments)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_separation_holds_no_matrix_per_pair(mixture):
    labels = np.arange(N_COMPONENTS)
    assert (
        peak_bytes(separation_report, *mixture, labels, labels, np.ones(2)) < 8 * mixture[1].nbytes
    )


def test_separation_of_pairs_is_what_it_is_of_all(mixture):
    means, covariances = (array[:30] for array in mixture)
    labels = np.delete(np.arange(30), 7)
    counts = np.bincount(labels, minlength=len(means))
    report = separation_report(means, 20 * covariances, counts, counts, np.ones(2))
    first, second = np.triu_indices(30, k=1)
    differences = means[first] - means[second]
    solved = np.linalg.solve(
        20 * (covariances[first] + covariances[second]), differences[..., None]
    )
    ratios = (differences * solved[..., 0]).sum(axis=1)
    filled = (first != 7) & (second != 7)
    assert report.smallest == pytest.approx(ratios[filled].min(), rel=1e-12)
    merged = filled & (ratios < 1)
    assert 0 < merged.sum() < filled.sum()
    np.testing.assert_array_equal(report.merged, np.stack([first, second], axis=1)[merged])
    assert report.empty == [7]


def test_points_are_drawn_and_moved_without_a_matrix_for_each(mixture):
    means, covariances = (array[:4] for array in mixture)
    n = 50_000
    labels = np.arange(n) % 4
    points = means[labels]
    rng = np.random.RandomState(0)
    matrices = 8 * n * DIM**2
    assert peak_bytes(drawn_points, means, covariances, labels, rng) < matrices
    moved = (points, labels, labels[::-1], means, covariances)
    assert peak_bytes(swap_states, *moved) < matrices


class LargestResult(TorchDispatchMode):
    """Note the size of the largest tensor that an operation returns."""

    n_elements = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        if isinstance(result, torch.Tensor):
            self.n_elements = max(self.n_elements, result.numel())
        return result


def test_densities_of_a_large_grid_need_no_array_with_the_latent_axis(mixture):
    means, covariances = (torch.from_numpy(array) for array in mixture)
    prepared = prepare_components(means, covariances)
    points = torch.randn(100, DIM, generator=torch.Generator().manual_seed(0)).double()
    with LargestResult() as largest:
        prepared.expected_log_density(DiagonalGaussian(points, points - 1.0))
    assert largest.n_elements == N_COMPONENTS * len(points)  # not times DIM


@pytest.mark.long
def test_the_start_of_a_large_grid_sees_some_samples(quick, monkeypatch):
    seen = []
    find = initialize.initialize_clusters

    def noted(setup, initial, model, rng):
        seen.append(initial.data.n_samples)
        return find(setup, initial, model, rng)

    monkeypatch.setattr(initialize, "initialize_clusters", noted)
    X = np.random.default_rng(0).normal(size=(300, 3))
    quick((2, 2)).fit(X)
    monkeypatch.setattr(initial_sample, "MAX_RESPONSIBILITIES", 400)
    for sizes in ((2, 2), (2,)):
        est = quick(sizes).fit(X)
        assert est.labels_.shape == (300,)
    monkeypatch.setattr(initial_sample, "MAX_RESPONSIBILITIES", 4)
    quick((2, 2)).fit(X)
    monkeypatch.undo()
    monkeypatch.setattr(initialize, "initialize_clusters", noted)
    monkeypatch.setattr(initial_sample, "MAX_START_ROWS", 250)
    assert quick((2, 2)).fit(X).labels_.shape == (300,)
    assert list(dict.fromkeys(seen)) == [300, 100, 200, 16, 250]  # short runs see what the fit sees
