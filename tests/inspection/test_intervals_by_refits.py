"""Intervals of tables by refits of the mixture: beside exact integrals and Beta quantiles."""

import os
import warnings
from functools import partial

import joblib
import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import beta, multivariate_normal
from some_slow import some_slow

from skcausalpima._base.progress_lines import ProgressLines
from skcausalpima._fit.mixture_refits import mixture_refits
from skcausalpima._held_out.fits import Completed, completed
from skcausalpima.exceptions import InterruptionWarning
from skcausalpima.inspection import table_intervals
from skcausalpima.modules import ExpertDecoder, exponential_decay


def groups(distance, n=150, seed=0):
    """Return rows (n, 4) of two groups of unequal size."""
    rng = np.random.default_rng(seed)
    return distance / 2 * (rng.random((n, 1)) < 0.35) + rng.normal(size=(n, 4))


def factors(distance, n=200, seed=0):
    """Return rows (n, 6); each half shows one of two dependent factors."""
    rng = np.random.default_rng(seed)
    first = rng.integers(2, size=n)
    second = np.where(rng.random(n) < 0.8, first, 1 - first)
    shown = np.repeat(np.stack([first, second], axis=1), 3, axis=1)
    return distance / np.sqrt(3) * shown + rng.normal(size=(n, 6))


@pytest.fixture(scope="module")
def doubtful(quick):
    X = groups(3.0)
    return quick(2).fit(X), X


@pytest.fixture(scope="module")
def clear(quick):
    X = factors(9.0)
    return quick().fit(X), X


@pytest.fixture
def few_refits(monkeypatch):
    """Let 24 refits share the draws of tables, of which eight are iterated together."""
    monkeypatch.setattr("skcausalpima.inspection._table_draws.N_REFITS", 24)
    monkeypatch.setattr("skcausalpima._fit.mixture_refits.MAX_AT_ONCE", 8)


def refitted(est, X, **options):
    return table_intervals(est, X, refit="mixture", random_state=0, **options)


def densities(kept, mixture):
    """Return the density of each sample's noisy point in each component, (n_components, n)."""
    linear, precision = (part.numpy() for part in kept.samples.potential)
    noise = np.linalg.inv(precision)
    components = zip(mixture.means.numpy(), mixture.covariances.numpy(), strict=True)
    return np.stack([multivariate_normal(m, S + noise).pdf(linear @ noise) for m, S in components])


def drawn(n, seed):
    return np.random.RandomState(seed).multinomial(n, np.full(n, 1 / n))


def test_likelihoods_are_densities_of_noisy_points(doubtful):
    est, X = doubtful
    kept = mixture_refits(est, X)
    (mixture,) = kept._mixtures(torch.from_numpy(drawn(len(X), 3)[None]).double())
    expected = densities(kept, mixture)
    found = next(kept.replicates([3], arranges=False)).likelihoods
    assert_allclose(found[:, 1] / found[:, 0], expected[1] / expected[0], rtol=1e-4)


@pytest.mark.slow
def test_refits_are_maxima(quick, monkeypatch):
    """Expectation maximization of clusters that overlap must not end where it began.

    Ends at a mean rise of 1e-4 were .7 to 2 nats below, and intervals too narrow.
    """
    X = factors(3.5)
    kept = mixture_refits(quick(max_iter=8).fit(X), X)
    counts = np.stack([drawn(len(X), seed) for seed in range(10)])
    reached = []
    for options in ({}, {"MAX_ITER": 5000, "TOL": 1e-7}):
        for name, value in options.items():
            monkeypatch.setattr(f"skcausalpima._fit.several_mixtures.{name}", value)
        mixtures = kept._mixtures(torch.from_numpy(counts).double())
        logs = [np.log(m.weights.numpy() @ densities(kept, m)) for m in mixtures]
        reached.append((counts * logs).sum(axis=1))
    assert (reached[1] - reached[0] < 0.5).all()


@pytest.mark.slow
@pytest.mark.usefixtures("few_refits")
def test_of_one_node_intervals_are_those_of_exact_integrals(doubtful):
    """The posterior of a share is a polynomial of it, for each refit."""
    est, X = doubtful
    found = refitted(est, X, n_draws=4000)
    seeds = np.random.RandomState(0).randint(2**31 - 1, size=24)
    shares = np.linspace(0, 1, 1001)[1:-1]
    log_posterior = [
        np.log(shares[:, None] * (L[:, 0] - L[:, 1]) + L[:, 1]).sum(axis=1)
        for _, _, L in mixture_refits(est, X).replicates(seeds, arranges=False)
    ] - 0.5 * np.log(shares * (1 - shares))
    posterior = np.exp(log_posterior - log_posterior.max(axis=1, keepdims=True))
    mixture = (posterior / posterior.sum(axis=1, keepdims=True)).mean(axis=0)
    expected = np.interp([0.05, 0.95], np.cumsum(mixture), shares)
    assert_allclose([found.low["N1"][0], found.high["N1"][0]], expected, atol=0.015)
    known = table_intervals(est, X, random_state=0)
    assert np.ptp(expected) > 1.1 * (known.high["N1"][0] - known.low["N1"][0])


@pytest.mark.usefixtures("few_refits")
def test_of_clear_clusters_intervals_are_quantiles_of_counts(clear):
    est, X = clear
    found, known = refitted(est, X), table_intervals(est, X, random_state=0)
    counts = np.bincount(est.node_labels_ @ [2, 1], minlength=4).reshape(2, 2) + 0.5
    assert list(est.dag_.edges) == [("N1", "N2")]
    ends = np.array([0.05, 0.95])[:, None]
    expected = beta(counts, counts.sum(axis=1, keepdims=True) - counts).ppf(ends[..., None])
    assert_allclose([found.low["N2"], found.high["N2"]], expected, atol=0.015)
    for node in est.cpts_:
        assert found.draws[node].shape == (1000, *est.cpts_[node].shape)
        assert_allclose(found.low[node], known.low[node], atol=0.015)
        assert_allclose(found.high[node], known.high[node], atol=0.015)


@pytest.mark.slow
@pytest.mark.usefixtures("few_refits")
def test_workers_threads_and_seeds(doubtful):
    est, X = doubtful
    one = refitted(est, X, n_draws=20).draws["N1"]
    assert one.shape == (20, 2)
    with joblib.parallel_config("threading"):
        assert_array_equal(refitted(est, X, n_draws=20, n_jobs=2).draws["N1"], one)
    other = table_intervals(est, X, refit="mixture", n_draws=20, random_state=1)
    assert (other.draws["N1"] != one).any()


@pytest.mark.long
def test_workers_map_the_samples(doubtful, tmp_path):
    est, X = doubtful
    one = refitted(est, X, n_draws=120).draws["N1"]
    with joblib.parallel_config("loky", max_nbytes=1, temp_folder=tmp_path):
        assert_array_equal(refitted(est, X, n_draws=120, n_jobs=2).draws["N1"], one)


@pytest.mark.long
def test_a_worker_that_dies_is_told():
    with pytest.raises(RuntimeError, match=r"A worker of fits died; . of 3 fits were complete"):
        completed([partial(os._exit, 1)] * 3, 2, ProgressLines(0, "[fits]"))


@pytest.mark.slow
@pytest.mark.usefixtures("few_refits")
def test_progress_and_interrupts(doubtful, monkeypatch, capsys):
    est, X = doubtful
    refitted(est, X, n_draws=20, verbose=2)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("[table_intervals] 20 refits of the mixture, about 0:0")
    assert lines[1].startswith("[table_intervals] 1 of 3 parts of 8 refits, ")
    assert lines[-1] == "[table_intervals] 3 of 3 parts of 8 refits, 0:00 left"

    def some(calls, *_, **__):
        return Completed({1: calls[1]()}, interrupted=True)

    whole = refitted(est, X, n_draws=48)
    monkeypatch.setattr("skcausalpima._held_out.fits.completed", some)
    with pytest.warns(InterruptionWarning, match="the intervals are from 8 of 24 refits"):
        part = refitted(est, X, n_draws=48)
    assert_array_equal(part.draws["N1"], whole.draws["N1"][16:32])


@pytest.mark.parametrize(
    "case",
    [
        pytest.param("incomplete", marks=pytest.mark.long),
        pytest.param("gaps", marks=pytest.mark.long),
        pytest.param("weights", marks=pytest.mark.slow),
        pytest.param("known", marks=pytest.mark.slow),
        pytest.param("interventions", marks=pytest.mark.long),
    ],
)
def test_what_is_known_of_samples_counts(quick, taught, case, monkeypatch):
    monkeypatch.setattr("skcausalpima.inspection._table_draws.N_REFITS", 8)
    X, params = factors(8.0), {}
    rng = np.random.default_rng(1)
    a, b = X[:, :3].copy(), X[:, 3:]
    nodes = (X[:, [0, 3]] > 2.3).astype(int)
    if case == "incomplete":
        a[rng.random(200) < 0.1] = np.nan
    elif case == "gaps":
        a[rng.random((200, 3)) < 0.1] = np.nan
    elif case == "weights":
        params["sample_weight"] = rng.uniform(0.5, 3.0, size=200)
    elif case == "known":
        params["known_nodes"] = np.where(rng.random((200, 2)) < 0.2, nodes, -1)
    else:
        params["interventions"] = np.where([True, False] & (rng.random((200, 1)) < 0.4), nodes, -1)
    make = taught if case == "incomplete" else quick
    est = make(max_iter=8).fit([a, b], **params)
    ways = [
        table_intervals(est, [a, b], refit=refit, n_draws=100, params=params, random_state=0)
        for refit in (None, "mixture")
    ]
    for node in est.cpts_:
        assert_allclose(ways[1].low[node], ways[0].low[node], atol=0.08)
        assert_allclose(ways[1].high[node], ways[0].high[node], atol=0.08)


@pytest.mark.slow
@pytest.mark.usefixtures("few_refits")
@pytest.mark.parametrize("n", some_slow([5, 12], [5]))
def test_a_handful_of_samples(quick, n):
    """Refits in which cells are empty leave these as they were."""
    X = factors(9.0, n=n, seed=2)
    with warnings.catch_warnings(action="ignore"):
        est = quick(max_iter=8).fit(X)
    found = refitted(est, X, n_draws=48)
    for node, table in est.cpts_.items():
        assert np.isfinite(found.draws[node]).all()
        assert_allclose(found.draws[node].sum(axis=-1), 1)
        assert (found.low[node] <= table + 0.1).all()
        assert (table - 0.1 <= found.high[node]).all()


def test_what_is_refused(doubtful, random_start):
    est, X = doubtful
    for word in ("all", "clusters"):
        with pytest.raises(ValueError, match="'refit' parameter of table_intervals"):
            table_intervals(est, X, refit=word)
    with pytest.raises(ValueError, match=r"params has \['weights'\], but fit takes"):
        refitted(est, X, params={"weights": np.ones(150)})
    curves = np.exp(-np.abs(X))
    expert = random_start(2, experts=[ExpertDecoder(exponential_decay, np.arange(4.0))]).fit(curves)
    with pytest.raises(ValueError, match=r"know more of a .*: use refit='all' of edge_confidence"):
        refitted(expert, curves)
