"""Responsibilities and the mixture's update against scikit-learn, SciPy and direct maximisation."""

import numpy as np
import pytest
import torch
from scipy import optimize, stats
from sklearn.mixture._gaussian_mixture import _estimate_gaussian_parameters
from torch.autograd import gradcheck

from skcausalpima.functional import (
    COVARIANCE_TYPES,
    DiagonalGaussian,
    MixtureStatistics,
    log_responsibilities,
    mixture_statistics,
    remembered_statistics,
    update_mixture,
)

N_SAMPLES, N_COMPONENTS, LATENT_DIM = 60, 3, 2
by_type = pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)


def random_batch(seed=0, offset=0.0, variance=True):
    """Means, variances and responsibilities (component, sample) as arrays."""
    rng = np.random.default_rng(seed)
    mean = offset + rng.standard_normal((N_SAMPLES, LATENT_DIM)) @ [[1.0, 0.6], [0.0, 0.5]]
    sigma2 = rng.uniform(0.1, 1.0, mean.shape) if variance else np.zeros_like(mean)
    gamma = rng.dirichlet(np.ones(N_COMPONENTS), N_SAMPLES).T
    return mean, sigma2, gamma


def statistics_of(mean, sigma2, gamma, full, origin=None):
    with np.errstate(divide="ignore"):
        posterior = DiagonalGaussian(torch.tensor(mean), torch.tensor(np.log(sigma2)))
    origin = torch.zeros(LATENT_DIM) if origin is None else torch.tensor(origin)
    return mixture_statistics(posterior, torch.tensor(gamma), origin, full)


def present(covariance_type, dtype=torch.float64):
    """Parameters before the update, distinct from anything that data would give."""
    means = torch.full((N_COMPONENTS, LATENT_DIM), 77.0, dtype=dtype)
    variances = torch.full_like(means, 55.0)
    is_full = COVARIANCE_TYPES[covariance_type].is_full
    return means, torch.diag_embed(variances) if is_full else variances


def update(batch, covariance_type, origin=None, dtype=torch.float64, **options):
    full = COVARIANCE_TYPES[covariance_type].is_full
    statistics = statistics_of(*batch, full, origin)
    return update_mixture(statistics, *present(covariance_type, dtype), covariance_type, **options)


def matrices(covariances):
    covariances = np.asarray(covariances)
    return covariances if covariances.ndim == 3 else np.stack([np.diag(v) for v in covariances])


def expected_bound(batch, means, covariances):
    """Sum over samples and components of gamma times Lemma E.2, as printed."""
    total = 0.0
    for component, (m, s) in enumerate(zip(means, covariances, strict=True)):
        point_mass = stats.multivariate_normal(m, s).logpdf(batch[0])
        trace = batch[1] @ np.diag(np.linalg.inv(s))
        total += batch[2][component] @ (point_mass - trace / 2)
    return total


def direct_update(batch, shrinkage=0.0):
    """Eq. 17 with full covariances by plain loops; the pooled covariance as well."""
    mean, sigma2, gamma = batch
    counts = gamma.sum(axis=1)
    means = np.stack([np.average(mean, axis=0, weights=weights) for weights in gamma])
    scatters = []
    for m, weights in zip(means, gamma, strict=True):
        terms = [
            w * (np.outer(x - m, x - m) + np.diag(v))
            for w, x, v in zip(weights, mean, sigma2, strict=True)
        ]
        scatters.append(sum(terms))
    pooled = sum(scatters) / counts.sum()
    shrunk = [
        (scatter + shrinkage * pooled) / (count + shrinkage)
        for scatter, count in zip(scatters, counts, strict=True)
    ]
    return means, np.stack(shrunk), pooled


# responsibilities ----------------------------------------------------------------------------


def test_responsibilities_equal_bayes_rule():
    rng = np.random.default_rng(0)
    weights, log_density = rng.dirichlet(np.ones(4)), rng.standard_normal((4, 6))
    unnormalised = weights[:, None] * np.exp(log_density)
    result = log_responsibilities(torch.tensor(np.log(weights)), torch.tensor(log_density)).exp()
    np.testing.assert_allclose(result, unnormalised / unnormalised.sum(axis=0), rtol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("level", [-1e4, 0.0, 1e4])
def test_responsibilities_do_not_depend_on_the_level(dtype, level):
    log_density = level + torch.tensor([[0.0], [1.0]], dtype=dtype)
    result = log_responsibilities(torch.tensor([0.25, 0.75], dtype=dtype).log(), log_density)
    expected = 1 / (1 + 3 * np.e)
    assert result[0].exp().item() == pytest.approx(
        expected, rel=1e-3 if dtype.itemsize < 8 else 1e-9
    )


def test_responsibilities_at_differences_of_ten_thousand_and_impossible_cells():
    log_weights = torch.tensor([0.5, 0.5, 0.0]).log()
    log_density = torch.tensor([[-2e4, 0.0], [-1e4, -1e4], [1e4, 1e4]])
    result = log_responsibilities(log_weights, log_density)
    assert result.tolist() == [[-1e4, 0.0], [0.0, -1e4], [-np.inf, -np.inf]]


def test_responsibilities_gradient():
    generator = torch.Generator().manual_seed(0)
    log_weights = torch.randn(3, generator=generator, dtype=torch.float64, requires_grad=True)
    log_density = torch.randn(3, 4, generator=generator, dtype=torch.float64, requires_grad=True)
    assert gradcheck(log_responsibilities, (log_weights, log_density))


# sufficient statistics -----------------------------------------------------------------------


@pytest.mark.parametrize("full", [True, False])
def test_statistics_equal_plain_sums(full):
    mean, sigma2, gamma = batch = random_batch()
    origin = np.array([0.3, -0.2])
    result = statistics_of(*batch, full, origin)
    moments = [
        np.outer(x - origin, x - origin) + np.diag(v) for x, v in zip(mean, sigma2, strict=True)
    ]
    second = np.einsum("cn,nij->cij", gamma, moments)
    np.testing.assert_allclose(result.counts, gamma.sum(axis=1), rtol=1e-12)
    np.testing.assert_allclose(result.first, gamma @ (mean - origin), rtol=1e-10)
    expected = second if full else np.diagonal(second, axis1=1, axis2=2)
    np.testing.assert_allclose(result.second, expected, rtol=1e-10)


@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize("cuts", [(1,), (20, 21), (10, 30, 59)])
def test_statistics_are_additive_over_batches(full, cuts):
    mean, sigma2, gamma = batch = random_batch()
    whole = statistics_of(*batch, full)
    pooled, *others = [
        statistics_of(mean[part], sigma2[part], gamma[:, part], full)
        for part in np.split(np.arange(N_SAMPLES), cuts)
    ]
    for other in others:
        pooled = pooled + other
    assert isinstance(pooled, MixtureStatistics)
    torch.testing.assert_close(vars(pooled), vars(whole), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("full", [True, False])
def test_statistics_accumulate_float32_in_float64(full):
    """The sums of float32 inputs lose nothing beyond the inputs' own rounding."""
    posterior = DiagonalGaussian(torch.full((10_000, 1), 0.1), torch.zeros(10_000, 1))
    result = mixture_statistics(posterior, torch.ones(1, 10_000), torch.zeros(1), full)
    assert result.first.item() == pytest.approx(10_000 * float(np.float32(0.1)), rel=1e-12)


# the update ----------------------------------------------------------------------------------


@by_type
@pytest.mark.parametrize("reg_covar", [0.0, 1e-2])
def test_update_without_posterior_variance_is_sklearns_m_step(covariance_type, reg_covar):
    batch = mean, _, gamma = random_batch(variance=False)
    result = update(batch, covariance_type, reg_covar=reg_covar)
    _, means, covariances = _estimate_gaussian_parameters(
        mean, gamma.T.copy(), reg_covar, covariance_type
    )
    if covariance_type == "tied":
        covariances = np.broadcast_to(covariances, result.covariances.shape)
    if covariance_type == "spherical":
        covariances = np.broadcast_to(covariances[:, None], result.covariances.shape)
    np.testing.assert_allclose(result.means, means, rtol=1e-10)
    np.testing.assert_allclose(result.covariances, covariances, rtol=1e-10, atol=1e-12)
    assert not result.empty.any()


def directions(covariance_type, rng):
    """A random direction in the family of covariances, one matrix per component."""
    shape = (N_COMPONENTS, LATENT_DIM, LATENT_DIM)
    if covariance_type == "spherical":
        return rng.standard_normal((N_COMPONENTS, 1, 1)) * np.eye(LATENT_DIM)
    if covariance_type == "diag":
        return rng.standard_normal((N_COMPONENTS, 1, LATENT_DIM)) * np.eye(LATENT_DIM)
    raw = rng.standard_normal(shape[1:] if covariance_type == "tied" else shape)
    return np.broadcast_to(raw + np.swapaxes(raw, -1, -2), shape)


@by_type
@pytest.mark.parametrize("seed", range(4))
def test_update_maximises_the_expected_bound(covariance_type, seed):
    """Along any line in the family the bound is stationary and bends down at the update."""
    batch = random_batch()
    rng = np.random.default_rng(seed)
    result = update(batch, covariance_type, reg_covar=0.0)
    means, covariances = result.means.numpy(), matrices(result.covariances)
    towards = rng.standard_normal(means.shape), directions(covariance_type, rng)
    step = 1e-3
    values = [
        expected_bound(batch, means + t * towards[0], covariances + t * towards[1])
        for t in (-step, 0.0, step)
    ]
    slope, bend = (values[2] - values[0]) / (2 * step), np.diff(values, 2).item() / step**2
    assert bend < -1.0
    assert abs(slope / bend) < 1e-4  # distance to the maximum along the line


@pytest.mark.parametrize("shrinkage", [0.0, 5.0, 300.0])
@pytest.mark.parametrize("covariance_type", ["full", "diag", "spherical"])
def test_shrinkage_equals_direct_formula(covariance_type, shrinkage):
    batch = random_batch()
    result = update(batch, covariance_type, shrinkage=shrinkage, reg_covar=0.0)
    means, covariances, _ = direct_update(batch, shrinkage)
    if covariance_type != "full":
        covariances = np.diagonal(covariances, axis1=1, axis2=2)
    if covariance_type == "spherical":
        covariances = np.repeat(covariances.mean(axis=1, keepdims=True), LATENT_DIM, axis=1)
    np.testing.assert_allclose(result.means, means, rtol=1e-10)
    np.testing.assert_allclose(result.covariances, covariances, rtol=1e-10)


@pytest.mark.parametrize("shrinkage", [6.0, 40.0])
@pytest.mark.parametrize("covariance_type", ["full", "diag", "spherical"])
def test_shrinkage_is_the_mode_under_an_inverse_wishart_prior(covariance_type, shrinkage):
    """A numerical search over one component's covariance ends where the closed form says."""
    batch = random_batch()
    result = update(batch, covariance_type, shrinkage=shrinkage, reg_covar=0.0)
    means, _, pooled = direct_update(batch)
    prior = stats.invwishart(df=shrinkage - LATENT_DIM - 1, scale=shrinkage * pooled)

    def unpack(theta):
        if covariance_type == "spherical":
            return np.exp(theta[0]) * np.eye(LATENT_DIM)
        factor = np.diag(np.exp(theta[:2]))
        if covariance_type == "full":
            factor[1, 0] = theta[2]
        return factor @ factor.T

    def loss(theta):
        covariance = unpack(theta)
        own = batch[0], batch[1], batch[2][:1]
        return -expected_bound(own, means[:1], [covariance]) - prior.logpdf(covariance)

    n_parameters = {"full": 3, "diag": 2, "spherical": 1}[covariance_type]
    found = optimize.minimize(loss, np.zeros(n_parameters), method="BFGS", options={"gtol": 1e-3})
    np.testing.assert_allclose(
        matrices(result.covariances)[0], unpack(found.x), rtol=1e-3, atol=1e-4
    )


@by_type
@pytest.mark.parametrize("shrinkage", [0.0, 10.0])
@pytest.mark.parametrize("count", [0.0, 1e-320, 1e-5])
def test_empty_component_keeps_its_parameters(covariance_type, shrinkage, count):
    mean, sigma2, gamma = random_batch()
    gamma[1] = count / N_SAMPLES
    result = update((mean, sigma2, gamma), covariance_type, shrinkage=shrinkage)
    means, covariances = present(covariance_type)
    assert result.empty.tolist() == [False, True, False]
    assert torch.equal(result.means[1], means[1])
    if covariance_type == "tied":  # one matrix for all, also for the empty component
        assert torch.equal(result.covariances[1], result.covariances[0])
    else:
        assert torch.equal(result.covariances[1], covariances[1])
    without = mean, sigma2, gamma[[0, 0, 2]] * np.array([[0.5], [0.5], [1.0]])
    other = update(without, covariance_type, shrinkage=shrinkage)
    for new, reference in zip(result[:2], other[:2], strict=True):
        assert torch.isfinite(new).all()
        torch.testing.assert_close(new[2], reference[2], rtol=1e-5, atol=1e-5)


@by_type
def test_no_samples_at_all_changes_nothing(covariance_type):
    mean, sigma2, gamma = random_batch()
    result = update((mean, sigma2, 0.0 * gamma), covariance_type, shrinkage=3.0)
    means, covariances = present(covariance_type)
    assert result.empty.all()
    assert torch.equal(result.means, means)
    assert torch.equal(result.covariances, covariances)


@by_type
@pytest.mark.parametrize("last_count", [1e-4, 1.0])
@pytest.mark.parametrize("shrinkage", [0.0, 10.0])
def test_update_moves_with_the_data(covariance_type, last_count, shrinkage):
    """The origin is a device for precision: the result does not depend on it."""
    mean, sigma2, gamma = random_batch()
    gamma[2] *= last_count / gamma[2].sum()
    near = update((mean, sigma2, gamma), covariance_type, shrinkage=shrinkage)
    far = update((mean, sigma2, gamma), covariance_type, np.array([1e3, -1e3]), shrinkage=shrinkage)
    torch.testing.assert_close(far, near, rtol=1e-6, atol=1e-6)


@by_type
def test_update_is_precise_at_an_offset_of_a_million(covariance_type):
    """An origin at the data's rough centre keeps the covariance to ten digits."""
    shift = 2.0**20
    mean, sigma2, gamma = random_batch()
    mean = np.round(mean * 2**20) / 2**20  # so that adding the shift is exact
    near = update((mean, sigma2, gamma), covariance_type)
    far = update((mean + shift, sigma2, gamma), covariance_type, np.full(LATENT_DIM, shift + 1.0))
    torch.testing.assert_close(far.covariances, near.covariances, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(far.means - shift, near.means, rtol=0, atol=1e-9)


@by_type
def test_update_keeps_variances_positive_where_points_coincide(covariance_type):
    _, _, gamma = random_batch()
    mean = np.full((N_SAMPLES, LATENT_DIM), 1e4 + 0.1)
    result = update((mean, np.zeros_like(mean), gamma), covariance_type, reg_covar=1e-6)
    variances = np.diagonal(matrices(result.covariances), axis1=1, axis2=2)
    assert (variances >= 1e-6).all()


@by_type
def test_update_returns_the_dtype_of_the_means(covariance_type):
    result = update(random_batch(), covariance_type, dtype=torch.float32)
    exact = update(random_batch(), covariance_type)
    assert result.means.dtype == result.covariances.dtype == torch.float32
    torch.testing.assert_close(result.covariances, exact.covariances.float())


@by_type
@pytest.mark.parametrize("count", [0.3, 1.0])
def test_a_component_is_empty_below_the_smallest_count_only(covariance_type, count):
    """At that count it moves; and a sum of responsibilities below one is no special case."""
    mean, sigma2, gamma = random_batch()
    gamma[1] = 0.0
    gamma[1, 0] = count
    batch = mean, sigma2, gamma
    result = update(batch, covariance_type, min_count=count)
    assert result.empty.tolist() == [False, False, False]
    torch.testing.assert_close(result.means[1], torch.as_tensor(mean[0]))
    if covariance_type in ("full", "diag"):
        expected = np.diag(sigma2[0]) + 1e-6 * np.eye(LATENT_DIM)
        np.testing.assert_allclose(matrices(result.covariances)[1], expected, rtol=1e-10)
    assert update(batch, covariance_type, min_count=1.01 * count).empty[1]


@pytest.mark.parametrize(("count", "empty"), [(1.5e-3, False), (0.5e-3, True)])
def test_a_thousandth_of_a_sample_is_the_smallest_count_by_default(count, empty):
    mean, sigma2, gamma = random_batch()
    gamma[1] = count / N_SAMPLES
    assert update((mean, sigma2, gamma), "full").empty.tolist() == [False, empty, False]


def test_a_covariance_type_that_is_not_in_the_table_raises():
    """Rather than being updated as another one."""
    with pytest.raises(ValueError, match=r"covariance_type must be one of \['full', .*'lowrank'"):
        update_mixture(statistics_of(*random_batch(), True), *present("full"), "lowrank")


@by_type
def test_remembered_statistics_turn_the_update_round(covariance_type):
    full = COVARIANCE_TYPES[covariance_type].is_full
    origin = np.array([1.0, -2.0])
    sums = statistics_of(*random_batch(), full, origin)
    old = present(covariance_type)
    new = update_mixture(sums, *old, covariance_type, 1e-3, 7.0)
    found = remembered_statistics(sums.counts, new.means, new.covariances, 1e-3, 7.0)
    again = update_mixture(found, *old, covariance_type, 1e-3, 7.0)
    torch.testing.assert_close(again.means, new.means)
    torch.testing.assert_close(again.covariances, new.covariances)
    if covariance_type in ("full", "diag"):  # the others tell less than the sums
        moved = found.measured_from(torch.tensor(origin))
        torch.testing.assert_close(moved.first, sums.first)
        torch.testing.assert_close(moved.second, sums.second)


@pytest.mark.parametrize("full", [True, False])
def test_multiples_are_repetitions(full):
    mean, sigma2, gamma = random_batch()
    origin = np.array([1.0, -2.0])
    thrice = [np.tile(of, repeats) for of, repeats in ((mean, (3, 1)), (sigma2, (3, 1)))]
    expected = statistics_of(*thrice, np.tile(gamma, 3), full, origin)
    found = statistics_of(mean, sigma2, gamma, full, origin) * 3.0
    for name in ("counts", "first", "second", "origin"):
        torch.testing.assert_close(getattr(found, name), getattr(expected, name))
