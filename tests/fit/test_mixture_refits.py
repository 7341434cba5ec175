"""Mixture and graph learned anew from bootstrap samples, beside oracles."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import multivariate_normal
from some_slow import some_slow

from skcausalpima import CausalPIMA
from skcausalpima._fit import several_mixtures
from skcausalpima._fit.mixture_refits import mixture_refits
from skcausalpima._fit.several_mixtures import Components, SeveralMixtures, leap
from skcausalpima._model.settings import MixtureSettings
from skcausalpima._structure.search import search_dag
from skcausalpima.functional import Potential
from skcausalpima.inspection import edge_confidence
from skcausalpima.modules import ExpertDecoder, exponential_decay

SIZES = (2, 2)


def curves(distance, n=300, seed=0):
    """Return curves (n, 6) of one unit; each half shows one of two dependent factors."""
    rng = np.random.default_rng(seed)
    first = rng.integers(2, size=n)
    second = np.where(rng.random(n) < 0.8, first, 1 - first)
    factors = np.stack([first, second], axis=1)
    return distance / np.sqrt(3) * np.repeat(factors, 3, axis=1) + rng.normal(size=(n, 6))


@pytest.fixture(scope="module")
def overlapping(quick):
    X = curves(3.0)
    return quick().fit(X), X


@pytest.fixture(scope="module")
def clear(quick):
    X = curves(9.0)
    return quick().fit(X), X


def noisy_mixture_em(y, noise, counts, weights, means, covariances, n_iter):
    """Extreme deconvolution (Bovy et al., 2011, Eq. 16), sample by sample, without shrinkage."""
    for _ in range(n_iter):
        densities = [
            w * multivariate_normal(m, S + noise).pdf(y)
            for w, m, S in zip(weights, means, covariances, strict=True)
        ]
        gamma = np.stack(densities) / np.sum(densities, axis=0) * counts
        weights, centres, shapes = gamma.sum(axis=1) / counts.sum(), [], []
        for g, m, S in zip(gamma, means, covariances, strict=True):
            gain = S @ np.linalg.inv(S + noise)
            b, B = m + (y - m) @ gain.T, S - gain @ S
            centres.append(g @ b / g.sum())
            d = b - centres[-1]
            shapes.append((g[:, None] * d).T @ d / g.sum() + B)
        means, covariances = np.array(centres), np.array(shapes)
    return means, covariances


def test_a_mixture_is_that_of_extreme_deconvolution(overlapping, monkeypatch):
    est, X = overlapping
    kept = mixture_refits(est, X)
    kept.mixture = replace(kept.mixture, shrinkage=0.0, reg_covar=0.0)
    for name, value in {"MAX_ITER": 5, "TOL": -np.inf, "FIRST_LEAP": 10}.items():
        monkeypatch.setattr(several_mixtures, name, value)
    counts = np.random.default_rng(0).multinomial(len(X), np.ones(len(X)) / len(X), size=3)
    found = kept._mixtures(torch.as_tensor(counts, dtype=torch.float64))
    linear, precision = (part.numpy() for part in kept.samples.potential)
    noise = np.linalg.inv(precision)
    start = kept.prior.means.double().numpy(), kept.prior.covariances.double().numpy()
    for own, mixture in zip(counts, found, strict=True):
        weights = kept.gamma @ own / own.sum()
        expected = noisy_mixture_em(linear @ noise, noise, own, weights, *start, 5)
        assert_allclose(mixture.means.numpy(), expected[0], atol=2e-4)
        assert_allclose(mixture.covariances.numpy(), expected[1], atol=2e-4)


@pytest.mark.long
def test_leaps_come_to_what_steps_come_to(overlapping, monkeypatch):
    """In fewer steps, and to mixtures that are as probable or more."""
    reached, made, step = [], [], SeveralMixtures.step

    def counted(self, drawn, here):
        made[-1] += 1
        bounds, after = step(self, drawn, here)
        reached[-1].append(float(bounds.max()))
        return bounds, after

    refits = mixture_refits(*overlapping)
    monkeypatch.setattr(SeveralMixtures, "step", counted)
    monkeypatch.setattr(several_mixtures, "TOL", 1e-4)
    monkeypatch.setattr(several_mixtures, "MAX_ITER", 400)
    for first_leap in (6, 10**6):
        monkeypatch.setattr(several_mixtures, "FIRST_LEAP", first_leap)
        made.append(0)
        reached.append([])
        list(refits.replicates([0], arranges=False))
    assert made[0] < 0.5 * made[1]
    assert max(reached[0]) > max(reached[1]) - 1e-3


def two_clusters(shrinkage):
    """Return what two clusters of unlike width are learned from, and where to begin."""
    rng = np.random.default_rng(0)
    points = np.concatenate([rng.normal(0.0, 1.0, 200), rng.normal(1.5, 0.3, 200)])[:, None]
    potential = Potential(25.0 * torch.from_numpy(points), 25.0 * torch.eye(1).double())
    settings = MixtureSettings(covariance_type="full", reg_covar=0.0, shrinkage=shrinkage)
    learner = SeveralMixtures(potential, torch.ones(400).double(), None, settings)
    weights, means, variances = [[0.5, 0.5]], [[[0.0], [1.5]]], [[[[1.0]], [[0.09]]]]
    return learner, Components(*map(torch.DoubleTensor, (weights, means, variances)))


@pytest.mark.slow
def test_a_fall_of_the_log_likelihood_is_no_end(monkeypatch):
    """It falls in the first steps, as covariances are drawn to each other."""
    learner, start = two_clusters(shrinkage=50.0)
    counts = torch.ones(1, 400).double()
    (found,) = learner.iterated(counts, start)
    for name, value in {"MAX_ITER": 500, "TOL": -np.inf, "FIRST_LEAP": 1000}.items():
        monkeypatch.setattr(several_mixtures, name, value)
    (plain,) = learner.iterated(counts, start)
    assert abs(plain.weights[0] - start.weights[0, 0]) > 0.1
    assert_allclose(found.weights, plain.weights, atol=0.005)


@pytest.mark.parametrize("restricted", [False, True])
def test_one_precision_is_the_precision_of_each(restricted, monkeypatch):
    """Also where mixtures have drawn unlike numbers of samples, some not at all."""
    monkeypatch.setattr(several_mixtures, "MAX_ITER", 10)
    learner, start = two_clusters(shrinkage=5.0)
    rng = np.random.default_rng(1)
    counts = torch.from_numpy(rng.poisson([[0.3], [2.0]], size=(2, 400))).double()
    both = Components(*(part.expand(2, *part.shape[1:]) for part in start))
    if restricted:
        allowed = torch.from_numpy(rng.random((2, 400)) < 0.9)
        learner = replace(learner, allowed=allowed | ~allowed.any(dim=0))
    linear, precision = learner.potential
    own = Potential(linear, precision.expand(400, 1, 1))
    pairs = (of.iterated(counts, both) for of in (learner, replace(learner, potential=own)))
    for one, each in zip(*pairs, strict=True):
        for part, expected in zip(one, each, strict=True):
            assert_allclose(part, expected, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("factor", [0.5, 0.9, 0.98])
def test_a_leap_ends_where_steps_of_one_direction_would(factor):
    rng = np.random.default_rng(0)
    goal, error = (torch.from_numpy(rng.normal(size=(1, 3, 2))) for _ in range(2))
    weights, shapes = torch.full((1, 3), 1 / 3), torch.eye(2).double().expand(1, 3, 2, 2)
    means = [goal + error * factor**k for k in range(3)]
    steps = [Components(weights.double(), of, shapes) for of in means]
    reached = leap(*steps, torch.ones_like(steps[0].flat()))
    assert_allclose(reached.means, goal, atol=1e-12)


def test_a_leap_beyond_mixtures_is_not_made():
    weights, means = torch.tensor([[0.5, 0.5]]).double(), torch.zeros(1, 2, 1).double()
    shapes = [torch.full((1, 2, 1), of).double() for of in (3.0, 2.0, 1.1)]
    steps = [Components(weights, means, of) for of in shapes]
    errors = torch.ones_like(steps[0].flat())
    assert torch.equal(leap(*steps, errors).covariances, shapes[2])
    whole = [of._replace(covariances=of.covariances[..., None]) for of in steps]
    assert torch.equal(leap(*whole, errors).covariances, whole[2].covariances)


@pytest.mark.long
def test_replicates_do_not_depend_on_company(overlapping):
    kept = mixture_refits(*overlapping)
    together = list(kept.replicates(range(3)))
    for seed, (cells, graph, likelihoods) in enumerate(together):
        alone = next(kept.replicates([seed]))
        assert_array_equal(alone.cells, cells)
        assert_array_equal(alone.graph.adjacency, graph.adjacency)
        assert_allclose(alone.likelihoods, likelihoods)


def test_of_clear_clusters_graphs_are_those_of_bootstrapped_counts(clear):
    est, X = clear
    kept = mixture_refits(est, X)
    assert_array_equal(kept.cells, est.predict_nodes(X) @ [2, 1])
    for seed, (cells, graph, _) in enumerate(kept.replicates(range(15))):
        drawn = np.random.RandomState(seed).multinomial(len(X), np.full(len(X), 1 / len(X)))
        assert len(np.unique(kept.cells * 4 + cells)) == 4  # renamed at most
        joint = np.bincount(cells, weights=drawn, minlength=4).reshape(SIZES)
        assert_array_equal(graph.adjacency, search_dag(joint).adjacency)


@pytest.mark.long
def test_shares_are_between_those_of_independent_and_of_dependent_nodes(quick, clear):
    est, X = clear
    options = {"refit": "mixture", "n_bootstraps": 30, "random_state": 0}
    found = edge_confidence(est, X, **options)
    assert found.edges.shape == (30, 2, 2)
    assert found.adjacency[0, 1] > 0.99
    assert found.node_stability.min() > 0.99
    rng = np.random.default_rng(5)
    factors = rng.integers(2, size=(len(X), 2))
    X = 6 * np.repeat(factors, 3, axis=1) + rng.normal(size=X.shape)
    found = edge_confidence(quick(max_iter=8).fit(X), X, **options)
    assert found.adjacency[0, 1] < 0.5


@pytest.mark.slow
def test_they_are_the_default_where_starts_agree(quick, clear, monkeypatch):
    est, X = clear
    assert est.arrangement_.agreement > 0.95
    found = edge_confidence(est, X, n_bootstraps=2, random_state=0)
    asked = edge_confidence(est, X, refit="mixture", n_bootstraps=2, random_state=0)
    assert found.refit == asked.refit == "mixture"
    assert_array_equal(found.rand_indices, asked.rand_indices)
    est = quick(max_iter=1).fit(X)
    same = edge_confidence(est, X, n_bootstraps=1, resample=False, random_state=0)
    assert same.refit == "all"
    changed = copy.deepcopy(clear[0]).set_params(latent_dim=3, max_iter=1)
    assert edge_confidence(changed, X, n_bootstraps=1, random_state=0).refit == "all"
    with pytest.raises(ValueError, match=r"latent_dim is now 3, not 2.*use refit='all'"):
        edge_confidence(changed, X, refit="mixture", n_bootstraps=1)
    told = {"params": {"y": None}, "n_bootstraps": 1, "random_state": 0}
    assert edge_confidence(est, X, **told).refit == "all"
    monkeypatch.setattr("skcausalpima.inspection._edge_confidence.AGREED", 1.1)
    assert edge_confidence(est, X, n_bootstraps=1, random_state=0).refit == "all"
    monkeypatch.setattr("skcausalpima.inspection._edge_confidence.AGREED", 0.0)
    gradient = quick(structure="gradient", max_iter=1).fit(X)  # its graph has no refits
    assert edge_confidence(gradient, X, n_bootstraps=1, random_state=0).refit == "all"


@pytest.mark.long
def test_workers_and_seeds(overlapping):
    est, X = overlapping
    one = edge_confidence(est, X, refit="mixture", n_bootstraps=4, random_state=3)
    two = edge_confidence(est, X, refit="mixture", n_bootstraps=4, random_state=3, n_jobs=2)
    other = edge_confidence(est, X, refit="mixture", n_bootstraps=4, random_state=4)
    assert_array_equal(one.edges, two.edges)
    assert_array_equal(one.rand_indices, two.rand_indices)
    assert not np.array_equal(one.rand_indices, other.rand_indices)


CASES = ["incomplete", "gaps", "weights", "known", "interventions"]


@pytest.mark.parametrize("case", some_slow(CASES, []))
def test_cells_of_a_fit_are_its_own(quick, taught, case):
    X, params = curves(8.0, n=200), {}
    rng = np.random.default_rng(1)
    a, b = X[:, :3].copy(), X[:, 3:]
    nodes = (X[:, [0, 3]] > 2.3).astype(int)
    if case == "incomplete":
        a[rng.random(200) < 0.3] = np.nan
    elif case == "gaps":
        a[rng.random((200, 3)) < 0.1] = np.nan
    elif case == "weights":
        params["sample_weight"] = rng.integers(1, 4, size=200)
    elif case == "known":
        params["known_nodes"] = np.where(rng.random((200, 2)) < 0.2, nodes, -1)
    else:
        params["interventions"] = np.where([True, False] & (rng.random((200, 1)) < 0.4), nodes, -1)
    make = taught if case == "incomplete" else quick
    est = make().fit([a, b], **params)
    kept = mixture_refits(est, [a, b], **params)
    labels = est.node_labels_ @ [2, 1]
    if case == "weights":  # whole numbers are repeats, in an order of their own
        shares = np.bincount(labels, weights=params["sample_weight"], minlength=4)
        assert_allclose(np.bincount(kept.cells, weights=kept.weights, minlength=4), shares, atol=4)
    else:
        assert np.mean(kept.cells == labels) > 0.98
    found = edge_confidence(
        est, [a, b], refit="mixture", n_bootstraps=3, params=params, random_state=0
    )
    assert not found.failures
    assert found.node_stability.min() > 0.7


def test_fits_whose_networks_decide_more_are_refused(random_start, overlapping):
    est, X = overlapping
    with pytest.raises(ValueError, match="refit='mixture' has no seeds of its own"):
        edge_confidence(est, X, refit="mixture", resample=False)
    with pytest.raises(ValueError, match="'refit' parameter of edge_confidence"):
        edge_confidence(est, X, refit="clusters")
    published = CausalPIMA.published(SIZES, max_iter=1, random_state=0).fit(X)
    with pytest.raises(ValueError, match=r"no potentials: use refit='all'"):
        edge_confidence(published, X, refit="mixture")
    expert = random_start(experts=[ExpertDecoder(exponential_decay, np.arange(6.0))])
    with pytest.raises(ValueError, match=r"experts and decoders per cluster.*use refit='all'"):
        edge_confidence(expert.fit(np.exp(-np.abs(X))), X, refit="mixture")
    learned = random_start().fit(X)
    with pytest.raises(ValueError, match=r"learned by gradient.*use refit='all'"):
        edge_confidence(learned, X, refit="mixture")
