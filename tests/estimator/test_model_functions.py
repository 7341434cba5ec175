"""Model functions in the estimator: starts at bounds, errors, scatter, functions that fail."""

import warnings

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from quick_fits import quick
from some_slow import some_slow

from skcausalpima import CausalPIMA
from skcausalpima._training.decoder_updates import scattered_problem
from skcausalpima.exceptions import ExpertWarning
from skcausalpima.functional import curve_statistics, fit_curves
from skcausalpima.modules import ClusterExpert, ExpertDecoder, line

pytestmark = pytest.mark.short_fits

X = np.linspace(0.0, 2.0, 15)


def make_lines(slopes=(1.0, 5.0), n=40, noise=0.3, seed=0):
    rng = np.random.default_rng(seed)
    group = np.repeat(np.arange(len(slopes)), n)
    images = rng.normal(size=(len(group), 6)) + 3 * group[:, None]
    lines = np.asarray(slopes)[group, None] * X + 0.5
    return [images, lines + noise * rng.normal(size=lines.shape)]


def estimator(expert, sizes=(2,), **parameters):
    return quick(sizes, experts=[None, expert], **({"max_iter": 4} | parameters))


@pytest.fixture(scope="module")
def lines():
    return make_lines()


@pytest.mark.parametrize(
    ("start", "bounds"),
    some_slow(
        [(0.0, (0, np.inf)), (1e-9, (0, np.inf)), (10.0, (-np.inf, 10)), (1.0, (0, 1e9))],
        [(0.0, (0, np.inf))],
    ),
)
def test_a_start_at_a_bound_is_left(lines, start, bounds):
    expert = ExpertDecoder(line, X, p0={"slope": start}, bounds={"slope": bounds})
    table = estimator(expert).fit(lines).expert_params_["modality1"]
    assert_allclose(np.sort(table["slope"]), [1.0, 5.0], atol=0.1)


@pytest.mark.slow
def test_standard_errors_of_what_the_data_do_not_tell_are_infinite(lines):
    """Only a + b is in the curve; c is told apart from them."""
    expert = ExpertDecoder(lambda x, a, b, c: (a + b) * x + c, X)
    table = estimator(expert).fit(lines).expert_params_["modality1"]
    assert np.isinf(table["a_se"]).all()
    assert np.isinf(table["b_se"]).all()
    plain = estimator(ExpertDecoder(line, X)).fit(lines).expert_params_["modality1"]
    assert_allclose(table["c_se"], plain["intercept_se"], rtol=1e-3)


def test_deviations_and_errors_of_few_samples_are_theirs():
    """With next to no noise each sample tells its own line: an oracle for both columns."""
    data = make_lines(noise=0.0, n=8)
    rng = np.random.default_rng(3)
    spread = rng.multivariate_normal([0, 0], [[0.3, 0.1], [0.1, 0.1]], size=16)
    data[1] = data[1] + spread[:, :1] * X + spread[:, 1:] + 1e-3 * rng.normal(size=(16, 15))
    est = estimator(ExpertDecoder(line, X, scatter=True)).fit(data)
    table = est.expert_params_["modality1"]
    for component in range(2):
        own = np.polyfit(X, data[1][est.labels_ == component].T, 1)
        assert own.shape == (2, 8)
        found = [table[f"{name}_sd"][component] for name in ("slope", "intercept")]
        assert_allclose(found, own.std(axis=1, ddof=1), rtol=0.02)
        errors = [table[f"{name}_se"][component] for name in ("slope", "intercept")]
        assert_allclose(errors, own.std(axis=1, ddof=1) / np.sqrt(8), rtol=0.02)


def test_shared_parameters_are_weighed_by_the_scatter():
    """Against generalised least squares with the covariance of each cell."""
    rng = np.random.default_rng(0)
    expert = ExpertDecoder(line, X, depends_on={"slope": []}, scatter=True)
    module = ClusterExpert(expert, (15,), (2,), ["N1"]).double()
    design = np.column_stack([X, np.ones(15)])
    directions = np.linalg.qr(design)[0]
    inner = np.array([[[9.0, 1.0], [1.0, 4.0]], [[0.5, 0.2], [0.2, 0.4]]])
    variances, counts = np.array([0.2, 0.3]), np.array([7, 5])
    module.directions.copy_(torch.as_tensor(directions).expand(2, 15, 2))
    module.scatter.copy_(torch.as_tensor(inner))
    module.log_variances.copy_(torch.as_tensor(np.log(variances)))
    x = rng.normal(size=(12, 15)) + 3 * X
    gamma = np.repeat(np.eye(2), counts, axis=1)
    sums = curve_statistics(torch.as_tensor(x), torch.as_tensor(gamma))
    problem = scattered_problem(module, sums)
    found = fit_curves(problem, module.free.detach().double())

    matrix, right = np.zeros((3, 3)), np.zeros(3)
    for c in range(2):
        across = np.eye(15) - directions @ directions.T
        covariance = directions @ inner[c] @ directions.T + variances[c] * across
        own = np.zeros((15, 3))  # the common slope, then the intercepts
        own[:, 0], own[:, 1 + c] = X, 1.0
        precision = counts[c] * np.linalg.inv(covariance)
        matrix += own.T @ precision @ own
        right += own.T @ precision @ x[gamma[c] == 1].mean(axis=0)
    assert_allclose(found, np.linalg.solve(matrix, right), rtol=1e-6)


@pytest.mark.slow
def test_shared_parameters_lean_on_the_cells_that_scatter_less():
    """Slopes scatter by 3 in one cell and by 0.05 in the other; the mean slope is the same."""
    rng = np.random.default_rng(1)
    group = np.repeat([0, 1], 60)
    slope = 2.0 + np.array([3.0, 0.05])[group] * rng.normal(size=120)
    slope[:60] += 1.0  # the cell that scatters says so little that this must not matter
    curves = slope[:, None] * X + 10.0 * group[:, None] + 0.1 * rng.normal(size=(120, 15))
    images = rng.normal(size=(120, 6)) + 5 * group[:, None]
    expert = ExpertDecoder(line, X, depends_on={"slope": []}, scatter=True)
    table = estimator(expert).fit([images, curves]).expert_params_["modality1"]
    assert_allclose(table["slope"], 2.0, atol=0.05)


def fragile(x, a, b):
    if (a < 0.5).any():
        raise RuntimeError("negative stiffness")
    return a * x + b


@pytest.mark.long
def test_a_model_function_that_raises_at_trial_parameters_is_fitted_where_it_does_not():
    """The slope of one group is out of reach; the other group's fit must not suffer."""
    data = make_lines(slopes=(-2.0, 3.0))
    table = estimator(ExpertDecoder(fragile, X)).fit(data).expert_params_["modality1"]
    assert (table["a"] >= 0.5).all()
    assert_allclose(table["a"].max(), 3.0, atol=0.1)


@pytest.mark.slow
def test_a_model_function_that_raises_in_gradient_steps_is_told_like_one_that_diverges():
    data = make_lines(slopes=(-2.0, 3.0))
    est = estimator(ExpertDecoder(fragile, X, refit=False), training__learning_rate=1.0)
    match = r"fragile of modality 'modality1' diverged in epoch \d+ of [\s\S]*negative stiffness"
    with pytest.warns(ExpertWarning, match=match):
        est.fit(data)
    assert (est.expert_params_["modality1"]["a"] >= 0.5).all()
    assert np.isfinite(est.score_samples(data)).all()


@pytest.mark.slow
def test_an_expert_per_sample_that_raises_names_modality_parameters_and_cause():
    data = make_lines(slopes=(-2.0, 3.0))
    match = r"fragile of modality 'modality1' failed at a from .*: it raised RuntimeError: negative"
    with pytest.raises(ValueError, match=match) as caught:
        estimator(ExpertDecoder(fragile, X, per="sample")).fit(data)
    assert isinstance(caught.value.__cause__, RuntimeError)


def test_the_epoch_is_named_where_there_is_no_state_to_go_back_to(lines):
    """A function that fails in gradient steps alone, though no gradient moves it."""

    def moody(x, a, b):
        if torch.is_grad_enabled() and not a.requires_grad and len(a) == 2:
            raise RuntimeError("not now")
        return a * x + b

    with pytest.raises(ValueError, match=r"RuntimeError: not now.*epoch 1 of training") as caught:
        estimator(ExpertDecoder(moody, X)).fit(lines)
    assert isinstance(caught.value.__cause__, RuntimeError)


@pytest.mark.parametrize(
    ("function", "scatter", "match"),
    [
        (lambda x, N1, b: N1 * x + b, False, "name 'N1'"),
        (lambda x, a, a_se: a * x + a_se, False, "name 'a_se'"),
        (lambda x, a, a_sd: a * x + a_sd, True, "name 'a_sd'"),
    ],
)
def test_columns_of_one_name(lines, function, scatter, match):
    with pytest.raises(ValueError, match=rf"experts\['modality1'\].*{match}"):
        estimator(ExpertDecoder(function, X, scatter=scatter)).fit(lines)


class Decoder(torch.nn.Module):
    """A decoder that does one thing wrong."""

    def __init__(self, wrong):
        super().__init__()
        self.linear, self.wrong = torch.nn.Linear(2, 15), wrong

    def forward(self, z):
        return self.wrong(self.linear(z))


@pytest.mark.parametrize(
    ("wrong", "error", "match"),
    [
        (lambda y: y.long(), TypeError, "Decoder, returned torch.int64 .* expected torch.float64"),
        (lambda y: y.detach(), ValueError, "Decoder, returned values without gradient"),
        (lambda y: y * torch.nan, ValueError, "Decoder, returned values that are not finite"),
        (lambda y: y.detach().numpy(), ValueError, "must map .* got ndarray"),
        (lambda y: y.sum(), ValueError, r"must map .* got \(\)"),
    ],
)
def test_decoders_with_a_wrong_output(lines, wrong, error, match):
    est = estimator(None, decoders=[None, Decoder(wrong)], latent_dim=2)
    with pytest.raises(error, match=rf"decoders\['modality1'\].*{match}"):
        est.fit(lines)


@pytest.mark.slow
def test_batch_normalization_sees_observed_rows_alone(lines):
    """Only three in twenty samples have the first modality, whose entries are far from zero."""
    images = lines[0] + 100.0
    images[np.arange(80) % 20 >= 3] = np.nan

    def encoder(shape, latent_dim):
        return torch.nn.Sequential(
            torch.nn.BatchNorm1d(6, momentum=None), torch.nn.Linear(6, 2 * latent_dim)
        )

    est = estimator(None, encoders=[encoder, None], scale=None, training__batch_size=16)
    est.fit([images, lines[1]])
    seen = ~np.isnan(images[:, 0])
    centred = images[seen]
    mean = est._fitted.numbers["encoders.0.0.running_mean"]
    variance = est._fitted.numbers["encoders.0.0.running_var"]
    # averages over batches of one to six rows
    assert_allclose(mean, centred.mean(axis=0), atol=1.0)
    assert (variance < 3 * centred.var(axis=0) + 1).all()
    assert np.isfinite(est.score_samples([images, lines[1]])).all()


@pytest.mark.parametrize("n_observed", some_slow([1, 2, 3], []))
def test_convolutions_with_few_observed_rows(lines, n_observed):
    images = np.full((80, 4, 4), np.nan)
    images[:n_observed] = np.random.default_rng(0).normal(size=(n_observed, 4, 4))
    est = estimator(None, encoders=["conv_paper", None], training__batch_size=16)
    with warnings.catch_warnings(action="error"):
        est.fit([images, lines[1]])
    assert np.isfinite(est.score_samples([images, lines[1]])).all()


def test_a_row_of_a_batch_is_encoded_as_if_missing_rows_were_not_there():
    from skcausalpima.modules._encoders import encode_observed

    encoder = torch.nn.Sequential(torch.nn.BatchNorm1d(3), torch.nn.Linear(3, 4)).double()
    x = torch.randn(6, 3, dtype=torch.float64)
    observed = torch.tensor([True, False, True, True, False, False])
    x[~observed] = 0.0
    outputs = encode_observed(encoder, x, observed, 4)
    assert_array_equal(outputs[~observed].detach(), 0.0)
    assert_allclose(outputs[observed].detach(), encoder(x[observed]).detach(), rtol=1e-6)
    single = torch.tensor([False] * 5 + [True])
    output = encode_observed(encoder, x + 1, single, 4)
    assert encoder.training
    assert encoder[0].training
    expected = encoder.eval()(x + 1)[5]
    assert_allclose(output[5].detach(), expected.detach(), rtol=1e-6)


@pytest.mark.parametrize("value", [1e39, 1e308])
def test_fixed_values_beyond_single_precision_are_told(value):
    curves = np.random.default_rng(0).normal(size=(30, 5)).astype(np.float32)
    expert = ExpertDecoder(line, np.linspace(0, 1, 5), fixed={"intercept": value})
    with pytest.raises(ValueError, match=r"not finite for x .* intercept=inf"):
        CausalPIMA((2,), experts=[expert], max_iter=2).fit(curves)
