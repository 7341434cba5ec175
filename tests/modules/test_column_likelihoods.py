"""Likelihoods of columns, beside SciPy, automatic differentiation and their own draws."""

import numpy as np
import pytest
import torch
from scipy import stats

from skcausalpima._data import column_kinds
from skcausalpima._data.column_kinds import LIKELIHOODS
from skcausalpima.modules import Around, ColumnDecoder, MLPDecoder, masked_potential
from skcausalpima.modules._column_decoder import COLUMN_LIKELIHOODS
from skcausalpima.modules._column_likelihoods import ColumnLikelihood, Gaussian, ManyLevels
from skcausalpima.modules._count_likelihoods import NegativeBinomial

SIZES = {
    "gaussian": [1, 1],
    "bernoulli": [1, 1],
    "categorical": [3, 2],
    "ordinal": [3, 1],
    "poisson": [1, 1],
    "negative_binomial": [1, 1],
}
KINDS = list(SIZES)
N_DRAWS = 20_000


def test_each_word_has_a_likelihood():
    assert set(COLUMN_LIKELIHOODS) == set(LIKELIHOODS) == set(KINDS)


def likelihood(word, **options):
    """Return a likelihood of two columns, in float64."""
    made = COLUMN_LIKELIHOODS[word](SIZES[word], **options).double()
    for value in made.buffers():
        if value.numel() <= 2:
            value.copy_(torch.tensor([0.4, 1.5])[: value.numel()].reshape(value.shape))
    return made


def outputs(word, n_samples=1):
    """Return outputs of a decoder, the same for all samples."""
    generator = torch.Generator().manual_seed(3)
    eta = torch.randn(1, sum(SIZES[word]), generator=generator, dtype=torch.float64)
    return eta.expand(n_samples, -1)


def normal():
    """Return a source of standard normal draws."""
    generator = torch.Generator().manual_seed(0)
    return lambda *shape: torch.randn(*shape, generator=generator, dtype=torch.float64)


def probabilities(word, eta):
    """Return the probabilities of a column's outcomes, by the equations of the module's page."""
    if word == "bernoulli":
        return np.array([1.0, np.exp(eta[0])]) / (1.0 + np.exp(eta[0]))
    if word == "categorical":
        return np.exp(eta) / np.exp(eta).sum()
    above = 1.0 / (1.0 + np.exp(-eta))
    reached = np.append(1.0, np.cumprod(above))
    return reached * np.append(1.0 - above, 1.0)


def coded(word, outcome, size):
    """Return the elements of an outcome."""
    if word == "ordinal":
        return (outcome > np.arange(size)).astype(float)
    return np.array([outcome]) if word == "bernoulli" else np.eye(size)[outcome]


@pytest.mark.parametrize("word", ["bernoulli", "categorical", "ordinal"])
def test_probabilities_of_outcomes(word):
    eta, made = outputs(word), likelihood(word)
    start = 0
    for column, size in enumerate(SIZES[word]):
        expected = probabilities(word, eta[0, start : start + size].numpy())
        for outcome, share in enumerate(expected):
            x = torch.zeros_like(eta)
            x[0, start : start + size] = torch.as_tensor(coded(word, outcome, size))
            found = made.log_likelihoods(eta, x)[0, column]
            assert float(found) == pytest.approx(np.log(share), rel=1e-12)
        start += size


@pytest.mark.parametrize("depth", [None, 0.3])
@pytest.mark.parametrize("word", ["poisson", "negative_binomial"])
def test_probabilities_of_counts(word, depth):
    made, eta = likelihood(word, has_depth=depth is not None), outputs(word, 4)
    counts, scale = (
        torch.tensor([[0.0, 3.0], [1.0, 0.0], [12.0, 40.0], [5000.0, 2.0]]),
        depth or 1.0,
    )
    x = torch.log1p(counts.double() / scale)
    if depth is not None:
        last = torch.full((4, 1), np.log(depth), dtype=torch.float64)
        x, eta = torch.cat([x, last], dim=1), torch.cat([eta, last], dim=1)
    means = scale * eta[:, :2].exp().numpy()
    if word == "poisson":
        expected = stats.poisson.logpmf(counts.double().numpy(), means)
    else:
        r = made.log_dispersions.exp().numpy()
        expected = stats.nbinom.logpmf(counts.double().numpy(), r, r / (r + means))
    np.testing.assert_allclose(made.log_likelihoods(eta, x).numpy(), expected, rtol=1e-9)


def law_of(word, column, eta, made):
    """Return SciPy's law of a column's outcomes, and the outcomes that are asked."""
    if word == "gaussian":
        law = stats.norm(eta[column], float(made.log_variance.exp()) ** 0.5)
        return law, np.array([-2.0, 0.3, 5.0])
    if word in ("poisson", "negative_binomial"):
        mean, outcomes = np.exp(eta[column]), np.array([0.0, 1.0, 4.0, 30.0])
        if word == "poisson":
            return stats.poisson(mean), outcomes
        r = float(made.log_dispersions[column].exp())
        return stats.nbinom(r, r / (r + mean)), outcomes
    start = sum(SIZES[word][:column])
    shares = probabilities(word, eta[start : start + SIZES[word][column]])
    return stats.rv_discrete(values=(np.arange(len(shares)), shares)), np.arange(len(shares))


@pytest.mark.parametrize("word", KINDS)
def test_distributions_are_those_of_scipy(word):
    made, eta, sizes = likelihood(word), outputs(word), SIZES[word]
    means = made.means(eta).numpy()
    for column, size in enumerate(sizes):
        law, outcomes = law_of(word, column, eta[0].numpy(), made)
        start = sum(sizes[:column])
        x = np.zeros((len(outcomes), sum(sizes)))
        x[:, start : start + size] = (
            [coded(word, k, size) for k in outcomes]
            if word in ("bernoulli", "categorical", "ordinal")
            else (outcomes if word == "gaussian" else np.log1p(outcomes))[:, None]
        )
        low, high = made.distribution(np.repeat(means, len(x), axis=0), x)
        at = 0.0 if word == "gaussian" else law.pmf(outcomes)
        assert low.shape == high.shape == (len(x), len(sizes))
        np.testing.assert_allclose(high[:, column], law.cdf(outcomes), rtol=1e-9)
        np.testing.assert_allclose(low[:, column], law.cdf(outcomes) - at, rtol=1e-9, atol=1e-14)


@pytest.mark.parametrize("word", ["poisson", "negative_binomial"])
def test_distributions_of_counts_know_the_depth(word):
    made, eta = likelihood(word, has_depth=True), outputs(word).numpy()
    counts, depths = np.array([[0.0, 3.0], [12.0, 40.0]]), np.array([[0.3], [20.0]])
    x, means = np.log1p(counts / depths), depths * np.exp(eta)
    logs = np.log(depths)
    expected = np.hstack([np.log1p(np.exp(eta)).repeat(2, axis=0), logs])
    low, high = made.distribution(expected, np.hstack([x, logs]))
    law = stats.poisson(means)
    if word == "negative_binomial":
        r = made.log_dispersions.exp().numpy()
        law = stats.nbinom(r, r / (r + means))
    np.testing.assert_allclose(high, law.cdf(counts), rtol=1e-9)
    np.testing.assert_allclose(low, law.cdf(counts - 1.0), rtol=1e-9, atol=1e-14)


@pytest.mark.parametrize("word", KINDS)
def test_what_is_left_of_draws_is_standard_normal(word):
    """Kolmogorov's distance of 4000 scores: below p = .001 in one of a thousand seeds."""
    made, n = likelihood(word), 4000
    generator = torch.Generator().manual_seed(1)
    eta = torch.randn(n, sum(SIZES[word]), generator=generator, dtype=torch.float64)
    x, uniform = made.draw(eta, normal()).numpy(), np.random.default_rng(0).random((n, 2))
    left = made.residuals(made.means(eta).numpy(), x, uniform)
    if word == "gaussian":  # in the unit of the numbers
        np.testing.assert_array_equal(left, x - eta.numpy())
        left = left / made.deviations(eta).numpy()
    for column in left.T:
        assert stats.kstest(column, "norm").pvalue > 0.001


def test_what_is_not_likely_at_all_is_finite():
    made = COLUMN_LIKELIHOODS["poisson"]([1])
    left = made.residuals(np.zeros((1, 1)), np.log1p([[50.0]]), np.ones((1, 1)))
    assert 5.0 < left[0, 0] < 7.0


def test_a_likelihood_without_a_distribution_is_refused_as_a_class():
    with pytest.raises(TypeError, match="Weibull is a likelihood without the method distribution"):
        type("Weibull", (ColumnLikelihood,), {"means": lambda self, eta: eta})
    assert issubclass(type("Scaled", (Gaussian,), {}), Gaussian)  # has it


@pytest.mark.parametrize("word", KINDS)
def test_draws_have_the_stated_moments(word):
    made = likelihood(word)
    drawn = made.draw(outputs(word, N_DRAWS), normal())
    means, deviations = made.means(outputs(word))[0], made.deviations(outputs(word))[0]
    if word in ("poisson", "negative_binomial"):  # means are those of counts, on the same scale
        drawn, means = torch.expm1(drawn), torch.expm1(means)
        deviations = deviations * (1.0 + means)
    error = deviations / np.sqrt(N_DRAWS)
    assert ((drawn.mean(dim=0) - means).abs() <= 5.0 * error).all()
    np.testing.assert_allclose(drawn.std(dim=0).numpy(), deviations.numpy(), rtol=0.05)


@pytest.mark.parametrize("word", KINDS)
def test_information_is_the_mean_square_of_scores(word):
    made, eta = likelihood(word), outputs(word, N_DRAWS)
    x = made.draw(eta, normal())
    free = eta.clone().requires_grad_()
    (scores,) = torch.autograd.grad(made.log_likelihoods(free, x).sum(), free)
    slopes = torch.eye(eta.shape[1], dtype=torch.float64)[None]
    scaled, misfit = made.working(eta[:50], slopes.expand(50, -1, -1), x[:50])
    torch.testing.assert_close((scaled @ misfit[:, :, None])[:, :, 0], scores[:50])
    scaled, _ = made.working(eta[:1], slopes)
    found = scores.T @ scores / N_DRAWS
    expected = scaled[0] @ scaled[0].T
    assert (found - expected).abs().max() <= 0.06 * expected.abs().max()


@pytest.mark.parametrize("word", KINDS)
def test_gradients(word):
    made, eta = likelihood(word), outputs(word, 3).clone().requires_grad_()
    x = made.draw(eta.detach(), normal())
    assert torch.autograd.gradcheck(lambda of: made.log_likelihoods(of, x), (eta,))


def test_a_binary_column_weighs_the_same_under_both_words():
    yes = torch.tensor([[1.0], [0.0], [1.0], [1.0]], dtype=torch.float64)
    both = torch.cat([1.0 - yes, yes], dim=1)
    bernoulli, categorical = (COLUMN_LIKELIHOODS[of] for of in ("bernoulli", "categorical"))
    first, second = bernoulli([1]), categorical([2])
    assert float(first.null_deviance(yes)) == pytest.approx(float(second.null_deviance(both)))
    assert first.n_free == second.n_free == 1


@pytest.mark.parametrize("word", ["bernoulli", "categorical", "ordinal", "poisson"])
def test_null_deviance_is_what_the_margins_lose(word):
    made = likelihood(word)
    x = made.draw(outputs(word, 300), normal())
    if word == "poisson":  # a perfect fit has probabilities below 1
        counts = torch.expm1(x).numpy().round()
        lost = stats.poisson.logpmf(counts, np.maximum(counts, 1e-300)).sum(axis=1)
        margins = stats.poisson.logpmf(counts, counts.mean(axis=0)).sum(axis=1)
        expected = 2.0 * (lost - margins).mean()
    else:
        eta, _ = made.start(x, torch.zeros(x.shape[1], 1, dtype=torch.float64))
        expected = -2.0 * made.log_likelihoods(eta.expand(300, -1), x).sum(dim=1).mean()
    assert float(made.null_deviance(x)) == pytest.approx(float(expected), rel=1e-9)


def test_dispersions_are_those_of_greatest_likelihood():
    rng = np.random.default_rng(0)
    r, means = np.array([0.7, 6.0]), np.exp(rng.normal(1.0, 0.5, size=(4000, 2)))
    counts = rng.negative_binomial(r, r / (r + means))
    made = NegativeBinomial([1, 1]).double()
    eta, x = torch.as_tensor(np.log(means)), torch.as_tensor(np.log1p(counts))
    for _ in range(12):
        made.update_dispersions(eta, x, torch.ones(4000, 2))
    found = made.log_dispersions.exp().numpy()

    def total(of):
        return stats.nbinom.logpmf(counts, of, of / (of + means)).sum(axis=0)

    assert (total(found) >= np.maximum(total(1.01 * found), total(0.99 * found))).all()
    np.testing.assert_allclose(found, r, rtol=0.15)


def test_counts_that_are_poissons_have_the_largest_dispersion():
    rng = np.random.default_rng(1)
    counts = rng.poisson(3.0, size=(3000, 1)).astype(float)
    made = NegativeBinomial([1]).double()
    eta = torch.full((3000, 1), np.log(counts.mean()), dtype=torch.float64)
    for _ in range(30):
        made.update_dispersions(eta, torch.log1p(torch.as_tensor(counts)), torch.ones(3000, 1))
    assert float(made.log_dispersions.exp()) > 100.0


LAYOUT = [("gaussian", 1), ("categorical", 3), ("bernoulli", 1), ("ordinal", 2), ("poisson", 1)]


def decoder_of_all():
    """Return a decoder of columns of all kinds, and samples of it in its units."""
    generator = torch.Generator().manual_seed(0)
    network = MLPDecoder((8,), 2, (8,), generator)
    decoder = ColumnDecoder(network, (8,), LAYOUT).double()
    decoder.set_units(np.linspace(-0.5, 0.5, 8), np.linspace(0.5, 2.0, 8))
    z = torch.randn(60, 2, generator=generator, dtype=torch.float64)
    zeros = torch.zeros(60, dtype=torch.int64)
    return decoder, z, decoder.draw(z, zeros, torch.zeros(()), normal()).detach()


def test_missing_elements_say_nothing():
    decoder, z, x = decoder_of_all()
    seen = torch.ones(60, 8, dtype=torch.bool)
    whole = decoder.likelihood(x, z).log_likelihoods
    torch.testing.assert_close(decoder.likelihood(x, z, seen).log_likelihoods, whole)
    seen[:, 1:4] = False
    other = torch.where(seen, x, torch.randn(60, 8, dtype=torch.float64))
    part = decoder.likelihood(x, z, seen)
    same = decoder.likelihood(other, z, seen)
    torch.testing.assert_close(same.log_likelihoods, part.log_likelihoods)
    categories = decoder.likelihoods[2]
    lost = categories.log_likelihoods(decoder.predictors(z)[:, 1:4], decoder._raw(x, slice(1, 4)))
    torch.testing.assert_close(part.log_likelihoods[0], whole[0] - lost[:, 0])


def test_means_and_draws_are_in_the_units_of_the_data():
    decoder, z, _ = decoder_of_all()
    point, zeros = z[:1].expand(N_DRAWS, -1), torch.zeros(N_DRAWS, dtype=torch.int64)
    drawn = decoder.draw(point, zeros, torch.zeros(()), normal())[:, :7]  # but counts
    means = decoder.decode(z[:1], zeros[:1])[0, :7]
    spread = decoder.deviations(z[:1], zeros[:1], torch.zeros(()))[0, :7]
    assert ((drawn.mean(dim=0) - means).abs() <= 5.0 * spread / np.sqrt(N_DRAWS)).all()
    torch.testing.assert_close(drawn.std(dim=0), spread, rtol=0.05, atol=1e-3)


def test_it_begins_at_the_margins():
    decoder, z, x = decoder_of_all()
    none = torch.zeros(8, 2, dtype=torch.float64)
    decoder.begin(x, none, x.mean(dim=0), *torch.zeros(2, dtype=torch.float64))
    found, raw = decoder.decode(z, z[:, 0].long()), decoder._raw(x, slice(None))
    expected = x.mean(dim=0)
    rate = torch.expm1(raw[:, 7]).mean()  # counts by their mean, not that of their logarithm
    expected[7] = (torch.log1p(rate) - decoder.centre[7]) / decoder.factor[7]
    torch.testing.assert_close(found, expected.expand(60, -1), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("word", KINDS)
def test_rounds_settle_at_the_most_probable_points_from_far_off(word):
    layout = [(word, size) for size in 4 * SIZES[word]]
    width = sum(size for _, size in layout)
    generator = torch.Generator().manual_seed(0)
    network = torch.nn.Linear(2, width).double()
    with torch.no_grad():
        network.weight.copy_(2.0 * torch.randn(width, 2, generator=generator))
        network.bias.zero_()
    decoder = ColumnDecoder(network, (width,), layout).double()
    components, none = torch.zeros(30, dtype=torch.int64), torch.zeros(())
    truth = torch.tensor([[1.5, -1.0]], dtype=torch.float64).expand(30, -1)
    x, seen = decoder.draw(truth, components, none, normal()), torch.ones(30, width) > 0
    points, precision = -2.0 * truth, 0.01 * torch.eye(2, dtype=torch.float64)
    for _ in range(15):
        around = Around(points, torch.full_like(points, 0.1), components)
        linear, known, _ = masked_potential(decoder, around, none, x, seen)
        points = torch.linalg.solve(known + precision, linear[:, :, None])[:, :, 0].detach()
    points.requires_grad_()
    log_joint = decoder.likelihood(x, points).log_likelihoods.sum() - 0.005 * points.square().sum()
    (gradient,) = torch.autograd.grad(log_joint, points)
    assert gradient.abs().max() <= 1e-3


def test_layout_must_have_the_elements_of_a_sample():
    with pytest.raises(ValueError, match="layout has 8 elements"):
        ColumnDecoder(MLPDecoder((7,), 2, (8,), None), (7,), LAYOUT)


def test_layout_must_have_words_that_are_known():
    layout = [("weibull", 1), *LAYOUT[1:]]
    with pytest.raises(ValueError, match=r"layout has the words \['weibull'\]: expected some of"):
        ColumnDecoder(MLPDecoder((8,), 2, (8,), None), (8,), layout)


def test_columns_leave_what_their_likelihoods_say():
    decoder, z, x = decoder_of_all()
    raw, means = (decoder._raw(of, slice(None)).detach().numpy() for of in (x, decoder(z)))
    uniform = np.random.default_rng(0).random((60, len(LAYOUT)))
    left = decoder.residuals(raw, means, uniform)
    ends = np.cumsum([0, *(size for _, size in LAYOUT)])
    for k, (word, size) in enumerate(LAYOUT):
        own, here = COLUMN_LIKELIHOODS[word]([size]), slice(ends[k], ends[k + 1])
        expected = own.residuals(means[:, here], raw[:, here], uniform[:, [k]])
        np.testing.assert_array_equal(left[:, [k]], expected)


@pytest.fixture
def many(monkeypatch):
    """Look at each column of more than two categories by itself."""
    monkeypatch.setattr(column_kinds, "MANY_LEVELS", 2)


def test_columns_of_many_words_say_what_others_do(request):
    decoder, z, x = decoder_of_all()
    zeros, seen = torch.zeros(60, dtype=torch.int64), torch.arange(60)[:, None] % 3 > 0
    seen = seen | (torch.arange(8) < 1)  # as columns are, as a whole
    request.getfixturevalue("many")
    other = ColumnDecoder(decoder.network, (8,), LAYOUT).double()
    other.set_units(np.linspace(-0.5, 0.5, 8), np.linspace(0.5, 2.0, 8))
    for ours, theirs in zip(other.likelihoods[:-1], decoder.likelihoods, strict=False):
        ours.load_state_dict(theirs.state_dict(), strict=False)
    assert isinstance(other.likelihoods[-1], ManyLevels)
    around = Around(z, torch.full_like(z, 0.1), zeros)
    for ask in (
        lambda asked: asked.likelihood(x, z).log_likelihoods,
        lambda asked: asked.likelihood(x, z, seen).log_likelihoods,
        lambda asked: asked.likelihood(x, z[:1]).log_likelihoods,
        lambda asked: asked(z),
        lambda asked: asked.deviations(z, zeros, torch.zeros(())),
        lambda asked: asked.scaled_slopes(around, torch.zeros(()), x)[0],
        lambda asked: asked.scaled_slopes(around, torch.zeros(()), x)[1],
    ):
        torch.testing.assert_close(ask(other), ask(decoder))
    tables = [decoder._raw(of, slice(None)).detach().numpy() for of in (x, decoder(z))]
    left = [asked.residuals(*tables, np.full((60, 5), 0.3)) for asked in (decoder, other)]
    np.testing.assert_array_equal(*left)
    drawn = other.draw(z, zeros, torch.zeros(()), normal()) * other.factor + other.centre
    torch.testing.assert_close(drawn[:, 1:4].sum(dim=1), torch.ones(60, dtype=torch.float64))


@pytest.mark.parametrize("word", ["bernoulli", "categorical"])
def test_what_no_row_has_may_be_a_little_less_than_nothing(word):
    """Scaled and back, shares of words that the start did not see were negative by rounding."""
    x = torch.tensor([[0.0, 1.0, 0.0, 1.0, -1e-18]], dtype=torch.float64)[:, -sum(SIZES[word]) :]
    made = COLUMN_LIKELIHOODS[word](SIZES[word])
    assert float(made.null_deviance(x)) == pytest.approx(0.0, abs=1e-12)


def test_a_column_of_many_words_begins_as_frequent_as_it_is():
    made = ManyLevels([200])
    x = torch.eye(200, dtype=torch.float64)[torch.arange(1000) % 190]  # each about 5 times of 1000
    offset, _ = made.start(x, torch.zeros(200, 2, dtype=torch.float64))
    shares = offset.softmax(dim=0)
    assert shares[:190].sum() > 0.99
    torch.testing.assert_close(shares[0] / shares[189], x.mean(dim=0)[0] / x.mean(dim=0)[189])
