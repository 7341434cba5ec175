"""The linear case against SciPy's Gaussians, scikit-learn's factor analysis, and known kinds."""

import subprocess
import sys

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.special import logsumexp
from scipy.stats import multivariate_normal
from sklearn.decomposition import FactorAnalysis
from sklearn.metrics import adjusted_rand_score

from skcausalpima._start.linear import Budget, linear_maximum
from skcausalpima._start.linear.em import Trainer
from skcausalpima._start.linear.evidence import Family, strength_of
from skcausalpima._start.linear.model import Model, drawn, expected
from skcausalpima._start.linear.shapes import features
from skcausalpima._start.linear.table import FLOOR, Units

SHORT = Budget(n_starts=2, n_short=4, n_long=40)


def a_model(n_columns=5, q=2, n_kinds=3, seed=0):
    rng = np.random.default_rng(seed)
    roots = rng.normal(size=(n_kinds, q, q))
    return Model(
        loadings=rng.normal(size=(n_columns, q)),
        centre=rng.normal(size=n_columns),
        noise=rng.uniform(0.2, 1.0, n_columns),
        weights=rng.dirichlet(np.ones(n_kinds)),
        means=3 * rng.normal(size=(n_kinds, q)),
        covariances=roots @ roots.transpose(0, 2, 1) + 0.1 * np.eye(q),
        strength=5.0,
    )


def kinds_of(n, p, n_kinds, seed=0, distance=6.0):
    rng = np.random.default_rng(seed)
    kinds = rng.integers(n_kinds, size=n)
    return distance / np.sqrt(2) * rng.normal(size=(n_kinds, p))[kinds] + rng.normal(
        size=(n, p)
    ), kinds


def log_joint(model, row):
    """Return log weight plus log-density of what a row has, by SciPy."""
    there = ~np.isnan(row)
    W = model.loadings[there]
    logs = []
    for weight, m, S in zip(model.weights, model.means, model.covariances, strict=True):
        mean, cov = model.centre[there] + W @ m, W @ S @ W.T + np.diag(model.noise[there])
        value = multivariate_normal(mean, cov).logpdf(row[there]) if there.any() else 0.0
        logs.append(np.log(weight) + value)
    return np.array(logs)


@pytest.mark.parametrize("gaps", [0.0, 0.4])
def test_densities_and_posteriors_are_those_of_gaussians(gaps):
    model, rng = a_model(), np.random.default_rng(1)
    X = rng.normal(size=(12, 5)) * 2
    X[rng.random(X.shape) < gaps] = np.nan
    if gaps:
        X[0] = np.nan
    units = Units(
        largest=np.ones(5), centre=np.zeros(5), spread=np.ones(5), least=np.full(5, FLOOR)
    )
    moments = expected(model, units.table(X))
    assert_allclose(moments.logs, [log_joint(model, row) for row in X], rtol=1e-9)
    assert_allclose(moments.densities, logsumexp(moments.logs, axis=1))
    table = units.table(X)
    for i, row in enumerate(X):
        there = ~np.isnan(row)
        W, S, m = model.loadings[there], model.covariances[1], model.means[1]
        gain = S @ W.T @ np.linalg.inv(W @ S @ W.T + np.diag(model.noise[there]))
        left = row[there] - model.centre[there] - W @ m
        assert_allclose(moments.means[1, i], m + gain @ left, rtol=1e-8)
        assert_allclose(
            moments.covariances[table.which[i], 1], S - gain @ W @ S, rtol=1e-7, atol=1e-9
        )


@pytest.mark.parametrize("gaps", [0.0, 0.2])
@pytest.mark.parametrize(
    ("covariances", "is_whole"), [("pooled", False), ("own", False), ("pooled", True)]
)
def test_the_likelihood_rises_in_each_step(gaps, covariances, is_whole):
    """Where covariances are pooled exactly; own ones maximise a likelihood with their prior."""
    X, _ = kinds_of(150, 4, 2, distance=3.0)
    X[np.random.default_rng(2).random(X.shape) < gaps] = np.nan
    units = Units.of(X)
    table, family = units.table(X), Family(covariances, is_whole)
    q = 4 if is_whole else 2
    rng = np.random.default_rng(0)
    model = Model(
        loadings=np.eye(4) if is_whole else rng.normal(size=(4, q)),
        centre=np.zeros(4),
        noise=units.least if is_whole else np.ones(4),
        weights=np.array([0.5, 0.5]),
        means=rng.normal(size=(2, q)),
        covariances=np.repeat(np.eye(q)[None], 2, axis=0),
    )
    values = [run.value for run in Trainer(table, family, units.least).steps(model, 30, -np.inf)]
    least = -1e-3 if covariances == "pooled" else -0.5
    assert np.diff(values).min() > least
    assert values[-1] > values[0] + 10


def test_one_gaussian_is_factor_analysis():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(500, 3)) @ rng.normal(size=(3, 12)) + rng.normal(size=(500, 12))
    units = Units.of(X)
    budget = Budget(n_long=3000, tol=1e-8)
    best = linear_maximum(X, 1, budget=budget)
    assert best.model.n_dims == 3
    plain = FactorAnalysis(3, tol=1e-8, max_iter=5000).fit(units.table(X).filled)
    ours = best.score_samples(X) + units.log_volumes(units.table(X))
    assert_allclose(ours.mean(), plain.score(units.table(X).filled), atol=2e-3)


def test_strength_is_the_largest_evidence():
    """Kinds alike pool, kinds unlike do not."""
    rng = np.random.default_rng(0)
    counts = np.array([60.0, 60.0])
    alike = np.stack([x.T @ x for x in rng.normal(size=(2, 60, 3))])
    unlike = alike * np.array([0.1, 4.0])[:, None, None]
    for diagonal in (False, True):
        strengths = [strength_of(s, counts, s.sum(0) / 120, diagonal) for s in (alike, unlike)]
        assert strengths[0] > 60 > strengths[1]


@pytest.mark.parametrize("gaps", [0.0, 0.1])
def test_kinds_are_found(gaps):
    X, kinds = kinds_of(240, 8, 4)
    X[np.random.default_rng(1).random(X.shape) < gaps] = np.nan
    best = linear_maximum(X, 4)
    assert adjusted_rand_score(kinds, best.labels) > 0.97
    assert_allclose(best.predict_proba(X).sum(axis=1), 1.0)
    assert (best.predict_proba(X).argmax(axis=1) == best.labels).all()


def test_kinds_of_unlike_spread_are_found_and_shapes_place_them():
    rng = np.random.default_rng(0)
    nodes = rng.integers(2, size=(400, 2))
    sd = np.where(nodes == 1, 1.9, 0.4)[:, [0, 0, 0, 0, 0, 1, 1, 1, 1, 1]]
    X = sd * rng.normal(size=sd.shape)
    best = linear_maximum(X, 4)
    assert adjusted_rand_score(nodes @ [2, 1], best.labels) > 0.85
    shapes = features(best.model)
    of_cells = np.array([nodes[best.labels == k].mean(axis=0).round() for k in range(4)], dtype=int)
    order = np.lexsort(of_cells.T[::-1])
    a, b, c, d = shapes[order]
    crossed = np.square(a - b - c + d).sum()
    assert crossed < 0.3 * min(np.square(a - d).sum(), np.square(b - c).sum())


@pytest.mark.parametrize("n_kinds", [1, 2, 4])
def test_the_score_knows_the_number_of_kinds(n_kinds):
    X, _ = kinds_of(300, 8, n_kinds, seed=1)
    scores = [linear_maximum(X, k).score for k in range(1, 6)]
    assert int(np.argmax(scores)) + 1 == n_kinds


def test_the_score_knows_a_grid_from_kinds():
    rng = np.random.default_rng(0)
    design = np.array([[1.0, 0, 0], [1, 0, 1], [1, 1, 0], [1, 1, 1]])
    cells = rng.integers(4, size=300)
    noise = rng.normal(size=(300, 8))
    for means, is_grid in ((design @ rng.normal(size=(3, 8)), True), (rng.normal(size=(4, 8)), 0)):
        X = 4 * means[cells] + noise
        kinds = linear_maximum(X, 4, given=cells).score
        grid = linear_maximum(X, 4, design=design, given=cells).score
        assert (grid > kinds) == is_grid


def test_units_and_draws():
    X, _ = kinds_of(200, 4, 2)
    one, other = linear_maximum(X, 2), linear_maximum(1e150 * X + 1e150, 2)
    assert np.array_equal(one.labels, other.labels)
    volume = 4 * 150 * np.log(10)
    assert_allclose(one.score_samples(X), other.score_samples(1e150 * X + 1e150) + volume)
    drawn_rows, kinds = one.sample(4000, np.random.RandomState(0))
    assert_allclose(drawn_rows.mean(axis=0), X.mean(axis=0), atol=0.4)
    assert adjusted_rand_score(kinds, one.predict_proba(drawn_rows).argmax(axis=1)) > 0.97
    model = a_model()
    filled, kinds = drawn(model, 20_000, np.random.RandomState(0))
    W, S = model.loadings, model.covariances[0]
    covariance = W @ S @ W.T + np.diag(model.noise)
    assert_allclose(np.cov(filled[kinds == 0].T), covariance, rtol=0.2, atol=0.6)


def odd_tables():
    rng = np.random.default_rng(0)
    plain = rng.normal(size=(40, 5))
    outlier = plain.copy()
    outlier[0, 0] = 1e6
    gaps = plain.copy()
    gaps[rng.random(gaps.shape) < 0.5] = np.nan
    empty = plain.copy()
    empty[:, 2] = np.nan
    constant_in_kind = plain.copy()
    constant_in_kind[:20, 0] = 9.0
    return {
        "constants": np.ones((30, 4)),
        "one column": plain[:, :1],
        "two columns": plain[:, :2],
        "more columns than rows": rng.normal(size=(12, 40)),
        "duplicated columns": np.repeat(plain, 3, axis=1),
        "outlier": outlier,
        "patterns all different": gaps,
        "a column without values": empty,
        "a column that is constant in one kind": constant_in_kind,
        "zeros and ones": (plain > 0).astype(float),
        "few rows": plain[:4],
        "equal rows": np.repeat(plain[:2], 10, axis=0),
        "one row without values": np.vstack([plain, np.full((1, 5), np.nan)]),
    }


@pytest.mark.parametrize("name", odd_tables())
@pytest.mark.parametrize("n_kinds", [1, 3])
def test_odd_tables_have_an_answer(name, n_kinds):
    X = odd_tables()[name]
    best = linear_maximum(X, n_kinds, budget=SHORT)
    assert np.isfinite(best.score)
    assert best.labels.shape == (len(X),)
    assert np.isfinite(best.score_samples(X)).all()
    assert np.isfinite(features(best.model)).all()


def test_one_outlier_takes_no_cell():
    X, kinds = kinds_of(200, 6, 2)
    X[0, 0] += 60.0
    best = linear_maximum(X, 2)
    assert adjusted_rand_score(kinds[1:], best.labels[1:]) > 0.95


def test_rows_beyond_those_searched_are_labelled():
    X, kinds = kinds_of(3000, 6, 3)
    best = linear_maximum(X, 3, budget=Budget(n_starts=2, n_long=50, most_rows=300))
    assert adjusted_rand_score(kinds, best.labels) > 0.97


def test_rounding_is_the_least_noise():
    X = np.round(np.random.default_rng(0).normal(size=(200, 2)) * [1.0, 100.0])
    units = Units.of(X)
    assert_allclose(units.least[0], 1.0 / np.var(X[:, 0]) / 12.0)
    assert units.least[1] == FLOOR


def test_no_torch_is_imported():
    code = (
        "import sys; import skcausalpima._start.linear; "
        "print([m for m in ('torch', 'networkx', 'matplotlib') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
