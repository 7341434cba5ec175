"""Expert decoders through the estimator: parameters, gamma, units, missing data and bad input."""

import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from quick_fits import quick
from scipy import special, stats
from scipy.optimize import curve_fit
from sklearn.base import clone
from some_slow import some_slow

from skcausalpima import CausalPIMA, MissingValues, MultimodalData
from skcausalpima._inference.posterior import score_draws
from skcausalpima.exceptions import ExpertWarning
from skcausalpima.functional._potentials import LEAST_PRECISION
from skcausalpima.modules import ExpertDecoder, exponential_decay, line, piecewise_linear

pytestmark = pytest.mark.short_fits

X = np.linspace(0.0, 2.0, 15)
SLOPES = np.array([300.0, -100.0, 800.0])
OFFSETS = np.array([50.0, 20.0, 30.0])


def make_lines(n=40, noise=30.0, seed=0):
    """Images and lines of three groups; the lines in large units."""
    rng = np.random.default_rng(seed)
    group = np.repeat(np.arange(3), n)
    images = rng.normal(size=(3 * n, 4, 3)) + 2.0 * group[:, None, None]
    lines = (
        SLOPES[group, None] * X + OFFSETS[group, None] + noise * rng.normal(size=(3 * n, len(X)))
    )
    return [images, lines], group


def estimator(expert, sizes=(3,), **parameters):
    return quick(sizes, experts=[None, expert], **({"max_iter": 5} | parameters))


@pytest.fixture(scope="module")
def lines():
    return make_lines()[0]


@pytest.fixture(scope="module")
def fitted(lines):
    lessons = MissingValues(subset_epochs=1)
    return estimator(ExpertDecoder(line, X), missing_values=lessons).fit(lines)


def test_parameters_are_those_of_scipy_in_each_cluster(fitted, lines):
    """Every cluster here is clear, so that its samples alone determine its parameters."""
    table = fitted.expert_params_["modality1"]
    assert list(fitted.expert_params_) == ["modality1"]
    assert table.parameters == ("slope", "intercept")
    for component in range(3):
        curves = lines[1][fitted.labels_ == component]
        points = np.tile(X, len(curves))
        values, covariance = curve_fit(lambda x, a, b: a * x + b, points, curves.ravel())
        errors = np.sqrt(np.diag(covariance) * (len(points) - 2) / len(points))  # not n - 2
        assert_allclose(
            [table["slope"][component], table["intercept"][component]], values, rtol=1e-4
        )
        found = [table["slope_se"][component], table["intercept_se"][component]]
        assert_allclose(found, errors, rtol=2e-3)


def test_the_table_is_a_mapping_of_columns(fitted):
    table = fitted.expert_params_["modality1"]
    assert list(table) == ["N1", "slope", "intercept", "slope_se", "intercept_se"]
    assert_array_equal(table["N1"], fitted.cluster_states_[:, 0])
    frame = table.to_frame()
    assert isinstance(frame, pd.DataFrame)
    assert_array_equal(frame["slope"], table["slope"])
    assert repr(table).split()[:3] == ["N1", "slope", "intercept"]
    assert len(repr(table).splitlines()) == 4


def located(est, X):
    """Where encoders say that latent points are, and how sharply decoders say it."""
    model, scaler = est._fitted_model().model, est._fitted.scaler
    scaled = [(a - c) / f for a, c, f in zip(X, scaler.centre, scaler.factor, strict=True)]
    with torch.no_grad():
        outputs = [
            encoder(torch.as_tensor(array)).numpy()
            for encoder, array in zip(model.encoders, scaled, strict=True)
        ]
    weights = [np.exp(-output[:, est.latent_dim_ :]) for output in outputs]
    means = [output[:, : est.latent_dim_] for output in outputs]
    mean = sum(m * w for m, w in zip(means, weights, strict=True)) / sum(weights)
    roots = est._fitted.numbers["information_roots"]
    assert_array_equal(roots[1], 0.0)  # lines are no function of the latent point
    return mean, roots[0].T @ roots[0] + LEAST_PRECISION * np.eye(est.latent_dim_)


def brute_force(est, X):
    """The joint log-probability of each component and each sample, term by term."""
    mean, precision = located(est, X)
    spread = np.linalg.inv(precision)
    deviations = est._fitted_model().model.decoders[1].log_variances.numpy()
    table, joint = est.expert_params_["modality1"], []
    order = np.ravel_multi_index(est.cluster_states_.T, est.joint_.shape)
    for c, cell in enumerate(order):
        covariance = est.cluster_covariances_[c] + spread
        density = stats.multivariate_normal(est.cluster_means_[c], covariance).logpdf(mean)
        curve = table["slope"][c] * est_x(X) + table["intercept"][c]
        noise = est._fitted.scaler.factor[1] * np.exp(deviations[cell] / 2)
        likelihood = stats.norm.logpdf(X[1], curve, noise).sum(axis=1)
        joint.append(np.log(est.weights_[c]) + density + likelihood)
    return np.array(joint).T


def est_x(X):
    return np.linspace(0.0, 2.0, X[1].shape[1])


def test_gamma_and_score_carry_the_experts_likelihood(fitted, lines):
    """Against SciPy's densities; latent points are those of Gaussians that are conditioned."""
    rng = np.random.default_rng(1)
    near = [lines[0][::9], lines[1][::9] + 100 * rng.normal(size=(14, 1))]
    joint, (mean, precision) = brute_force(fitted, near), located(fitted, near)
    expected = np.exp(joint - special.logsumexp(joint, axis=1, keepdims=True))
    assert_allclose(fitted.predict_proba(near), expected, atol=1e-8)
    assert_array_equal(fitted.predict(near), expected.argmax(axis=1))
    model, scale = fitted._fitted_model().model, fitted._fitted.scaler.factor[0]
    noise = scale * np.exp(model.log_variances[0].item() / 2)
    draws, spread = score_draws(fitted.latent_dim_), np.linalg.inv(precision)
    # Where data are decoded, components that are ten thousand times less probable are left out.
    kept = np.where(expected < 1e-4 * expected.max(axis=1, keepdims=True), 0.0, expected)
    kept = kept / kept.sum(axis=1, keepdims=True)
    scores = (kept * joint - special.xlogy(kept, kept)).sum(axis=1)
    for c, probabilities in enumerate(kept.T):
        gain = fitted.cluster_covariances_[c] @ np.linalg.inv(
            fitted.cluster_covariances_[c] + spread
        )
        points = fitted.cluster_means_[c] + (mean - fitted.cluster_means_[c]) @ gain.T
        covariance = gain @ spread
        for draw in draws @ np.linalg.cholesky(covariance).T:
            images = fitted.inverse_transform(points + draw)[0]
            error = stats.norm.logpdf(near[0], images, noise).sum(axis=(1, 2))
            potential = stats.multivariate_normal(np.zeros(len(spread)), spread)
            error -= potential.logpdf(points + draw - mean)
            scores = scores + probabilities * error / len(draws)
    assert_allclose(fitted.score_samples(near), scores, rtol=1e-8)


def test_lower_bound_and_labels_agree_with_later_calls(fitted, lines):
    assert_allclose(fitted.lower_bound_, fitted.score(lines))
    assert_array_equal(fitted.labels_, fitted.predict(lines))


def test_a_sample_without_the_modality_has_no_such_term(fitted, lines):
    alone = fitted.predict_proba([lines[0], None])
    model = fitted._fitted_model().model
    missing = [lines[0], np.full_like(lines[1], np.nan)]
    assert_allclose(fitted.predict_proba(missing), alone)
    z = fitted.transform([lines[0], None])
    assert np.isfinite(fitted.score_samples(missing)).all()
    assert z.shape == (120, model.prior.means.shape[1])
    assert (alone.max(axis=1) < 1 - 1e-9).any()  # images alone are less sure


@pytest.mark.long
def test_missing_curves_in_fit(lines):
    curves = lines[1].copy()
    curves[::3] = np.nan
    est = estimator(ExpertDecoder(line, X)).fit([lines[0], curves])
    table = est.expert_params_["modality1"]
    for component in range(3):
        rows = curves[(est.labels_ == component) & ~np.isnan(curves[:, 0])]
        slope = np.polyfit(np.tile(X, len(rows)), rows.ravel(), 1)[0]
        # samples without a curve do not count
        assert_allclose(table["slope"][component], slope, rtol=1e-3)


def test_decoding_uses_the_expert_of_the_component(fitted, lines):
    table = fitted.expert_params_["modality1"]
    curves = table["slope"][:, None] * X + table["intercept"][:, None]
    decoded = fitted.inverse_transform(fitted.cluster_means_)[1]
    assert_allclose(decoded, curves, rtol=1e-6)
    other = clone(fitted).set_params(random_state=3).fit(lines)
    drawn, labels = other.sample(300)
    for component in range(3):
        rows, curve = drawn[1][labels == component], curves_of(other, labels, component)
        assert_allclose(rows.mean(axis=0), curve, atol=25)
        assert_allclose(rows.std(), np.std(curve), rtol=1.0)
    fixed, nodes = fitted.intervene({"N1": 1}, n_samples=200)
    component = np.flatnonzero(fitted.cluster_states_[:, 0] == 1)[0]
    # false alarms: 15 means of 200 draws of deviation 30, 5 of their deviations: 1e-5
    assert_allclose(fixed[1].mean(axis=0), curves[component], atol=5 * 30 / np.sqrt(200))
    assert_allclose((fixed[1] - curves[component]).std(), 30, rtol=0.1)
    assert_array_equal(nodes, np.ones((200, 1)))
    new, nodes = fitted.counterfactual(lines, {"N1": 1})
    assert_allclose(new[1], np.tile(curves[component], (120, 1)), rtol=1e-6)


def curves_of(est, labels, component):
    table = est.expert_params_["modality1"]
    return table["slope"][component] * X + table["intercept"][component]


def test_parameters_of_samples(fitted, lines):
    table = fitted.predict_expert_params(lines)["modality1"]
    labels = fitted.predict(lines)
    assert_allclose(table["slope"], fitted.expert_params_["modality1"]["slope"][labels])
    assert_array_equal(table["N1"], fitted.predict_nodes(lines)[:, 0])


def test_the_refit_is_the_optimum_of_the_weighted_sum(fitted, lines):
    """No nearby parameters raise the gamma-weighted log-likelihood of Eq. 26."""
    gamma = fitted.predict_proba(lines)
    table = fitted.expert_params_["modality1"]

    def loss(slope, intercept):
        curves = slope[:, None] * X + intercept[:, None]
        errors = ((lines[1][:, None] - curves) ** 2).sum(axis=2)
        return (gamma * errors).sum(axis=0)

    best = loss(table["slope"], table["intercept"])
    for name, by in (("slope", 5.0), ("slope", -5.0), ("intercept", 5.0), ("intercept", -5.0)):
        moved = {k: table[k] + by * (k == name) for k in ("slope", "intercept")}
        assert (loss(**moved) > best).all()


@pytest.mark.slow
def test_ties_fixed_values_and_a_shared_variance(lines):
    expert = ExpertDecoder(
        line, X, fixed={"intercept": 33.0}, depends_on={"slope": "N2"}, variance="shared"
    )
    est = estimator(expert, (2, 3)).fit(lines)
    table = est.expert_params_["modality1"]
    assert_array_equal(table["intercept"], 33.0)
    assert_array_equal(table["intercept_se"], 0.0)
    for outcome in range(3):
        assert len(np.unique(table["slope"][table["N2"] == outcome])) == 1
    variances = est._fitted_model().model.decoders[1].log_variances
    assert len(variances.unique()) == 1


@pytest.mark.slow
@pytest.mark.parametrize("scale", ["feature", None])
def test_other_scales_give_the_same_parameters(scale):
    X_small, _ = make_lines()
    X_small[1] = X_small[1] / 100.0
    est = estimator(ExpertDecoder(line, X), scale=scale).fit(X_small)
    assert_allclose(
        np.sort(est.expert_params_["modality1"]["slope"]), np.sort(SLOPES) / 100, atol=0.15
    )


@pytest.mark.slow
def test_float32_data_give_float32_and_the_same_parameters(lines):
    est = estimator(ExpertDecoder(line, X)).fit([a.astype(np.float32) for a in lines])
    assert est.inverse_transform(est.cluster_means_)[1].dtype == np.float32
    assert_allclose(np.sort(est.expert_params_["modality1"]["slope"]), np.sort(SLOPES), atol=15)


def bend(x, before, after, knot):
    return before * x + (after - before) * torch.relu(x - knot)


@pytest.mark.long
def test_one_modality_one_expert():
    rng = np.random.default_rng(0)
    group = np.repeat([0, 1], 60)
    knots = np.array([0.7, 1.4])[group, None]
    curves = np.where(knots > X, 5 * X, 5 * knots + 0.5 * (X - knots))
    curves = curves + 0.05 * rng.normal(size=curves.shape)
    pieces = piecewise_linear(2, intercept=False)
    est = CausalPIMA((2,), experts=[ExpertDecoder(pieces, X)], max_iter=3, random_state=0).fit(
        curves
    )
    table = est.expert_params_["modality0"]
    assert_allclose(np.sort(table["knot1"]), [0.7, 1.4], atol=0.03)
    assert_allclose(table["slope1"], 5.0, atol=0.1)
    assert_allclose(table["slope2"], 0.5, atol=0.1)
    scores = est.score_samples(curves)
    assert np.isfinite(scores).all()
    expert = ExpertDecoder(bend, X, bounds={"knot": (0, 2)})
    flat = CausalPIMA((2,), experts={"modality0": expert}, max_iter=3, random_state=0)
    flat.fit(MultimodalData.from_flat(curves, [(15,)]))
    assert_allclose(np.sort(flat.expert_params_["modality0"]["knot"]), [0.7, 1.4], atol=0.03)


def test_a_bare_function_is_sampled_from_zero_to_one(lines):
    est = estimator(lambda x, slope, intercept: slope * x + intercept).fit(lines)
    assert_allclose(np.sort(est.expert_params_["modality1"]["slope"]), np.sort(2 * SLOPES), atol=30)


@pytest.mark.long
def test_gradient_steps_alone(lines):
    steps = {
        "training__learning_rate": 0.01,
        "max_iter": 30,
        "training__batch_size": 32,
        "training__tol": 0.0,
    }
    est = estimator(ExpertDecoder(line, X, refit=False), **steps).fit(lines)
    assert_allclose(np.sort(est.expert_params_["modality1"]["slope"]), np.sort(SLOPES), atol=20)


@pytest.mark.slow
def test_experts_per_sample(lines):
    expert = ExpertDecoder(exponential_decay, X, per="sample")
    rng = np.random.default_rng(0)
    rate = rng.uniform(0.5, 3.0, size=200)
    curves = 4 * np.exp(-rate[:, None] * X) + 0.02 * rng.normal(size=(200, 15))
    est = CausalPIMA((2,), experts=[expert], max_iter=10, random_state=0).fit(curves)
    table = est.predict_expert_params(curves)["modality0"]
    assert stats.spearmanr(table["rate"], rate).statistic > 0.98
    decoded = est.inverse_transform(est.transform(curves))
    assert np.sqrt(np.mean((decoded - curves) ** 2)) < 0.1
    centres = est.expert_params_["modality0"]
    assert centres["rate"].shape == (2,)
    assert np.isnan(centres["rate_se"]).all()


@pytest.mark.long
def test_known_nodes_interventions_and_containers(lines):
    data = MultimodalData(lines, names=["image", "stress"])
    known = np.full((120, 1), -1)
    known[::10, 0] = np.repeat([2, 0, 1], 4)
    est = estimator(None).set_params(experts={"stress": ExpertDecoder(line, X)})
    est.fit(data, known_nodes=known)
    assert_array_equal(est.node_labels_[::10, 0], np.repeat([2, 0, 1], 4))
    table = est.expert_params_["stress"]
    assert_allclose(table["slope"][np.argsort(table["N1"])], SLOPES[[1, 2, 0]], atol=15)


@pytest.mark.parametrize(
    ("experts", "error", "match"),
    [
        (
            [None, lambda x, a: a * x[:3]],
            ValueError,
            r"experts\['modality1'\].*<lambda> returned shape",
        ),
        (
            [None, ExpertDecoder(line, X[:7])],
            ValueError,
            r"experts\['modality1'\].*expected \(2, 15\)",
        ),
        ([lambda x, a: a * x, None], ValueError, r"experts\['modality0'\] is a bare function"),
        (
            [None, 3],
            TypeError,
            r"experts\['modality1'\] must be one of ExpertDecoder, function or None",
        ),
        ([None], ValueError, "experts must have one entry per modality"),
        ({"stress": ExpertDecoder(line, X)}, ValueError, r"experts names the modalities"),
        (
            [None, ExpertDecoder(line, X, depends_on={"slope": "N7"})],
            ValueError,
            r"depends on \['N7'\], but the nodes are \['N1'\]",
        ),
    ],
)
def test_bad_experts(lines, experts, error, match):
    with pytest.raises(error, match=match):
        estimator(None).set_params(experts=experts).fit(lines)


def test_a_decoder_and_an_expert_are_one_too_many(lines):
    est = estimator(ExpertDecoder(line, X), decoders=[None, torch.nn.Linear(2, 15)])
    with pytest.raises(ValueError, match="'modality1' has both a decoder and an expert"):
        est.fit(lines)


@pytest.mark.slow
def test_an_expert_that_diverges_is_reported_and_the_last_good_state_kept(lines):
    """A function that is finite at the start only: any step up from there is not."""

    def fragile(x, a, b):
        return a * x + b + 0 * torch.log(400.0 - a)

    expert = ExpertDecoder(fragile, X, p0=[100.0, 30.0], refit=False)
    est = estimator(expert, training__learning_rate=5.0, sizes=(2,))
    half = [lines[0][:80], lines[1][:80]]
    with pytest.warns(
        ExpertWarning, match=r"fragile of modality 'modality1' diverged in epoch \d+ of "
    ):
        est.fit(half)
    assert np.isfinite(est.expert_params_["modality1"]["a"]).all()
    assert np.isfinite(est.score_samples(half)).all()
    with warnings.catch_warnings(action="error", category=ExpertWarning):
        estimator(ExpertDecoder(fragile, X, p0=[100.0, 30.0]), sizes=(2,)).fit(half)


@pytest.mark.slow
def test_scatter_of_the_parameters_between_samples():
    """Slopes scatter by 40 and 10; residuals from point to point by 5."""
    rng = np.random.default_rng(0)
    group = np.repeat([0, 1], 150)
    slope = np.array([300.0, -100.0])[group] + np.array([40.0, 10.0])[group] * rng.normal(size=300)
    curves = slope[:, None] * X + 20.0 + 5.0 * rng.normal(size=(300, 15))
    options = {"max_iter": 5, "random_state": 0}
    est, plain = (
        CausalPIMA((2,), experts=[ExpertDecoder(line, X, scatter=scatter)], **options).fit(curves)
        for scatter in (True, False)
    )
    table = est.expert_params_["modality0"]
    order = np.argsort(-table["slope"])
    # deviations of 150 draws: 6 % each, so 4 of their deviations
    assert_allclose(table["slope_sd"][order], [40.0, 10.0], rtol=0.24)
    assert_allclose(table["slope_se"][order], table["slope_sd"][order] / np.sqrt(150), rtol=0.1)
    assert_allclose(table["slope"][order], [300.0, -100.0], atol=4 * 40 / np.sqrt(150))
    assert (plain.expert_params_["modality0"]["slope_se"] < table["slope_se"]).all()
    assert est.score(curves) > plain.score(curves) + 5.0
    drawn, labels = est.sample(2000)
    spread = [np.polyfit(X, drawn[labels == c].T, 1)[0].std() for c in order]
    assert_allclose(spread, [40.0, 10.0], rtol=0.3)


SCATTER = [{"depends_on": {"intercept": []}}, {"refit": False}, {"variance": "shared"}]


@pytest.mark.slow
@pytest.mark.parametrize("options", some_slow(SCATTER, [{"refit": False}]), ids=str)
def test_scatter_with_ties_float32_and_gradient_steps(lines, options):
    steps = {
        "training__learning_rate": 0.01,
        "max_iter": 8,
        "training__batch_size": 32,
        "training__tol": 0.0,
    }
    est = estimator(ExpertDecoder(line, X, scatter=True, **options), **steps)
    est.fit([array.astype(np.float32) for array in lines])
    assert np.isfinite(est.score_samples(lines)).all()
    assert_allclose(np.sort(est.expert_params_["modality1"]["slope"]), np.sort(SLOPES), atol=30)
