"""Probabilistic PCA of samples that lack modalities, sample by sample and by its likelihood."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats
from sklearn.decomposition import PCA

from skcausalpima._initialization import principal_components as module
from skcausalpima._initialization.principal_components import LatentScores, incomplete_scores

N, WIDTHS, K = 40, (3, 2, 4), 2
PARTS = np.split(np.arange(sum(WIDTHS)), np.cumsum(WIDTHS)[:-1])


def example(complete=False):
    """Blocks with zeros where they are missing, which are there, and where loadings begin."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(N, K)) @ rng.normal(size=(K, sum(WIDTHS)))
    x += 0.4 * rng.normal(size=x.shape) + rng.normal(size=x.shape[1])
    observed = np.ones((3, N), dtype=bool)
    if not complete:
        observed = rng.random((3, N)) < 0.6
        observed[:, 0] = False  # of this sample there is nothing
    blocks = [x[:, part] * seen[:, None] for part, seen in zip(PARTS, observed, strict=True)]
    return blocks, observed, [rng.normal(size=(width, K)) for width in WIDTHS]


def after(monkeypatch, n_iter, *given):
    monkeypatch.setattr(module, "N_ITER", n_iter)
    return incomplete_scores(*given)


def elements(observed):
    return np.repeat(observed, WIDTHS, axis=0).T


def posterior(row, seen, loadings, offsets, variance):
    """Moments of z given the observed elements, from the covariance of these and z."""
    w = loadings[seen]
    gain = np.linalg.solve(w @ w.T + variance * np.eye(len(w)), w).T
    return gain @ (row - offsets)[seen], np.eye(K) - gain @ w


def by_sample(blocks, observed, loadings, n_iter):
    """EM in which four points stand for z of a sample: a regression of elements on points."""
    x, seen = np.concatenate(blocks, axis=1), elements(observed)
    w, b = np.concatenate(loadings), np.zeros(x.shape[1])
    variance = 0.1 * np.square(x[seen]).mean()
    for _ in range(n_iter):
        found = [posterior(*of, w, b, variance) for of in zip(x, seen, strict=True)]
        means = np.stack([mean for mean, _ in found])
        roots = np.stack([np.sqrt(K) * np.linalg.cholesky(spread).T for _, spread in found])
        points = means[:, None] + np.concatenate([roots, -roots], axis=1)
        w, squares = np.empty_like(w), []
        for j, of in enumerate(seen.T):
            z = points[of].reshape(-1, K)
            design, target = np.column_stack([z, np.ones(len(z))]), np.repeat(x[of, j], 2 * K)
            solution = np.linalg.lstsq(design, target, rcond=None)[0]
            w[j], b[j] = solution[:K], solution[K]
            squares.extend(np.square(target - design @ solution))
        variance = np.mean(squares)
    return means, w, b, variance


def log_likelihood(blocks, observed, found):
    """Of the observed elements, by SciPy."""
    w = np.concatenate(found.loadings)
    total = w[:, :-1] @ w[:, :-1].T + found.variance * np.eye(len(w))
    rows = zip(np.concatenate(blocks, axis=1), elements(observed), strict=True)
    return sum(
        stats.multivariate_normal(w[seen, -1], total[np.ix_(seen, seen)]).logpdf(row[seen])
        for row, seen in rows
        if seen.any()
    )


@pytest.mark.parametrize("complete", [False, True])
@pytest.mark.parametrize("n_iter", [1, 2, 3])
def test_iterations_are_those_of_em_sample_by_sample(monkeypatch, n_iter, complete):
    found = after(monkeypatch, n_iter, *example(complete))
    means, w, b, variance = by_sample(*example(complete), n_iter)
    assert_allclose(found.means, means, rtol=1e-9, atol=1e-9)
    assert_allclose(np.concatenate(found.loadings), np.column_stack([w, b]), atol=1e-9)
    assert found.variance == pytest.approx(variance, rel=1e-9)


def test_the_likelihood_of_what_is_observed_never_falls(monkeypatch):
    given = example()
    values = [
        log_likelihood(*given[:2], after(monkeypatch, n, *given)) for n in (*range(1, 9), 20, 50)
    ]
    assert (np.diff(values) > 0).all()


def test_of_complete_samples_it_is_probabilistic_pca(monkeypatch):
    blocks, observed, loadings = example(complete=True)
    blocks = [block - block.mean(axis=0) for block in blocks]
    found, x = after(monkeypatch, 400, blocks, observed, loadings), np.concatenate(blocks, axis=1)
    pca = PCA(K).fit(x)
    variances = np.square(pca.singular_values_) / N
    noise = (np.var(x, axis=0).sum() - variances.sum()) / (x.shape[1] - K)
    assert found.variance == pytest.approx(noise, rel=1e-6)
    expected = pca.transform(x) * (1 - noise / variances)
    assert_allclose(np.abs(found.principal), np.abs(expected), atol=1e-5)


def test_principal_scores_are_coordinates_of_what_is_reconstructed():
    rng = np.random.default_rng(1)
    loadings = [rng.normal(size=(width, K + 1)) for width in WIDTHS]
    found = LatentScores(means=rng.normal(size=(5, K)), loadings=loadings, variance=1.0)
    w = np.concatenate(loadings)[:, :K]
    axes = np.linalg.eigh(w @ w.T)[1][:, : -K - 1 : -1]  # the longest comes first
    assert_allclose(np.abs(found.principal), np.abs(found.means @ w.T @ axes), atol=1e-12)
    distances = found.principal @ found.principal.T
    assert_allclose(distances, found.means @ w.T @ w @ found.means.T, atol=1e-12)


def test_samples_of_which_there_is_nothing_change_nothing():
    """Of one modality: the scores are those of the samples that have it, and zero."""
    (block, *_), _, (loading, *_) = example(complete=True)
    seen = np.arange(N) % 3 > 0
    found = incomplete_scores([block * seen[:, None]], seen[None], [loading])
    alone = incomplete_scores([block[seen]], np.ones((1, seen.sum()), dtype=bool), [loading])
    assert_allclose(found.means[seen], alone.means, atol=1e-10)
    assert_allclose(found.means[~seen], 0.0, atol=1e-12)
    assert found.variance == pytest.approx(alone.variance)


@pytest.mark.parametrize("value", [0.0, 3.0])
def test_of_what_does_not_vary_every_score_is_zero(value):
    blocks = [np.full((6, width), value) for width in WIDTHS]
    loadings = [np.zeros((width, K)) for width in WIDTHS]
    found = incomplete_scores(blocks, np.ones((3, 6), dtype=bool), loadings)
    assert_allclose(found.principal, 0.0, atol=1e-12)
    for block in found.loadings:
        assert_allclose(block[:, -1], value)
    assert 0 < found.variance < 1e-20
