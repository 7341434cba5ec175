"""Values missing within a modality: the likelihood is that of what is observed."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from same_fits import assert_same_fits
from scipy.special import logsumexp
from scipy.stats import multivariate_normal
from sklearn.datasets import load_iris
from sklearn.impute import KNNImputer
from sklearn.preprocessing import StandardScaler
from some_slow import some_slow
from torch import nn

from skcausalpima import CausalPIMA, MultimodalData
from skcausalpima.datasets import make_lattices
from skcausalpima.modules import line

ERROR = {"missing_values": "error"}


def with_gaps(arrays, share=0.15, seed=0):
    """Return arrays with elements missing at random; no sample loses a modality."""
    rng, result = np.random.default_rng(seed), []
    for array in arrays:
        gaps = rng.random(array.shape) < share
        gaps.reshape(len(gaps), -1)[:, 0] = False
        result.append(np.where(gaps, np.nan, array))
    return result


@pytest.fixture(scope="module")
def gappy(pair):
    return with_gaps(pair)


@pytest.fixture(scope="module")
def model(quick, gappy):
    return quick().fit(gappy)


def test_labels_and_bound_are_those_of_predict_and_score(model, gappy):
    assert_array_equal(model.predict(gappy), model.labels_)
    assert_allclose(model.score(gappy), model.lower_bound_, rtol=1e-12)
    assert np.isfinite(model.transform(gappy)).all()
    assert all(
        np.isfinite(array).all() for array in model.inverse_transform(model.transform(gappy))
    )


def test_samples_do_not_depend_on_each_other(model, gappy):
    together = model.transform(gappy)
    order = np.random.default_rng(0).permutation(72)
    shuffled = model.transform([array[order] for array in gappy])
    assert_allclose(shuffled, together[order], rtol=1e-9, atol=1e-9)
    alone = model.transform([array[7:8] for array in gappy])
    assert_allclose(alone, together[7:8], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("parameters", some_slow([{}, ERROR], [{}]))
def test_complete_data_do_not_ask_what_is_done_about_gaps(quick, pair, fitted, parameters):
    assert_same_fits(quick(**parameters).fit(pair), fitted, pair)


@pytest.mark.long
def test_nobody_looks_at_what_nan_holds(quick, pair, gappy, model):
    other = [array.copy() for array in gappy]
    for array in other:
        payload = np.array([0x7FF8DEADBEEF0001, 0xFFF8000000000123], dtype=np.uint64).view(float)
        array[np.isnan(array)] = np.resize(payload, np.isnan(array).sum())
    assert_same_fits(quick().fit(other), model, gappy)


@pytest.mark.long
def test_elements_and_blocks_are_missing_together(taught, pair):
    gappy = with_gaps(pair)
    gappy[0][::5], gappy[1][1::5] = np.nan, np.nan
    one = taught().fit(gappy)
    assert_array_equal(one.predict(gappy), one.labels_)
    assert_allclose(one.score(gappy), one.lower_bound_, rtol=1e-12)
    held = gappy[0].copy()
    held[::5] = np.inf
    seen = np.ones((72, 2), dtype=bool)
    seen[::5, 0] = False
    masked = MultimodalData([held, gappy[1]], observed=seen)
    assert_same_fits(taught().fit(masked), one, masked)


def test_gaps_in_new_samples_alone(fitted, pair):
    gappy = with_gaps(pair)
    assert np.mean(fitted.predict(gappy) == fitted.labels_) > 0.95
    gone = [array.copy() for array in pair]
    gone[0][:, 1:] = np.nan
    assert np.isfinite(fitted.score_samples(gone)).all()
    assert_array_equal(fitted.predict([gone[0], None]).shape, (72,))


@pytest.mark.parametrize(
    "options",
    [
        {"init": "paper", "structure": "gradient", "posterior": "mean_field"},
        pytest.param({"scale": "feature", "modality_weights": "elements"}, marks=pytest.mark.slow),
        pytest.param({"scale": None, "decoder_variance": 0.5}, marks=pytest.mark.long),
        pytest.param(
            {"init": "linear", "encoders": ["conv", "mlp"], "decoders": ["conv", "mlp"]},
            marks=pytest.mark.long,
        ),
        pytest.param({"training__validation_fraction": 0.2}, marks=pytest.mark.long),
        pytest.param({"n_init": 2}, marks=pytest.mark.long),
    ],
)
def test_options(quick, gappy, options):
    one = quick(**options).fit(gappy)
    # In so few epochs random networks find no clusters.
    assert options.get("init") == "paper" or len(np.unique(one.labels_)) > 1
    assert_array_equal(one.predict(gappy), one.labels_)
    assert_allclose(one.score(gappy), one.lower_bound_, rtol=1e-10)
    assert np.isfinite(one.history_["lower_bound"]).all()


@pytest.mark.long
def test_float32_and_what_is_known_of_nodes(quick, gappy):
    single = [array.astype(np.float32) for array in gappy]
    one = quick().fit(single)
    assert one.transform(single).dtype == np.float32
    assert_allclose(one.score(single), one.lower_bound_, rtol=1e-6)
    known, was_set = np.full((72, 2), -1), np.full(72, -1)
    known[:10, 0], known[-10:, 0], was_set[20:30], known[20:30, 1] = 0, 1, 1, 1
    one = quick().fit(gappy, known_nodes=known, interventions=was_set)
    assert_array_equal(one.node_labels_[:10, 0], 0)
    assert np.isfinite(one.score(gappy))


@pytest.mark.long
def test_starts_do_not_see_each_other(quick, gappy):
    options = {"n_init": 2, "random_state": 3}
    one, other = (quick(n_jobs=jobs, **options).fit(gappy) for jobs in (1, 2))
    assert_same_fits(one, other, gappy)


@pytest.mark.long
def test_weights_are_repeated_rows(quick, gappy):
    weights = np.tile([1, 2, 3], 24)
    repeated = [np.repeat(array, weights, axis=0) for array in gappy]
    one, other = quick().fit(gappy, sample_weight=weights), quick().fit(repeated)
    assert_array_equal(one.cluster_means_, other.cluster_means_)
    assert_array_equal(np.repeat(one.labels_, weights), other.labels_)
    # A gap is no zero: rows that differ in nothing else are two rows.
    zeros = [np.nan_to_num(array) for array in gappy]
    both = [np.concatenate(rows) for rows in zip(gappy, zeros, strict=True)]
    assert quick().fit(both, sample_weight=np.ones(144)).labels_.shape == (144,)


@pytest.mark.slow
def test_the_bound_is_below_the_likelihood_of_what_is_observed(quick, pair):
    """Of a linear model with Gaussian noise that has a closed form, in the user's units."""

    def linear(n_in, n_out, *shape):
        with torch.random.fork_rng():
            torch.manual_seed(n_in)
            return nn.Sequential(nn.Flatten(), nn.Linear(n_in, n_out), nn.Unflatten(1, shape))

    networks = {
        "encoders": [linear(6, 4, 4), linear(4, 4, 4)],
        "decoders": [linear(2, 6, 3, 2), linear(2, 4, 4)],
    }
    options = {"training__learning_rate": 1e-2, "max_iter": 60, "training__tol": 0.0}
    one = quick(**networks, **options).fit(pair)
    gappy, state, scaler = with_gaps(pair, 0.3), one._fitted.numbers, one._fitted.scaler
    flat = np.concatenate([array.reshape(72, -1) for array in gappy], axis=1)
    maps = [state[f"decoders.{m}.network.1.weight"] for m in range(2)]
    offsets = [state[f"decoders.{m}.network.1.bias"] for m in range(2)]
    factors = np.repeat([float(factor) for factor in scaler.factor], [6, 4])
    centre = np.concatenate([np.ravel(part) for part in scaler.centre])
    weights = factors[:, None] * np.concatenate(maps)
    offset = centre + factors * np.concatenate(offsets)
    noise = factors**2 * np.repeat(np.exp(state["log_variances"]), [6, 4])
    evidence = np.empty((72, 4))
    for row, sample in enumerate(flat):
        seen = ~np.isnan(sample)
        for c, (mean, cov) in enumerate(
            zip(one.cluster_means_, one.cluster_covariances_, strict=True)
        ):
            spread = (weights @ cov @ weights.T + np.diag(noise))[np.ix_(seen, seen)]
            expected = (weights @ mean + offset)[seen]
            evidence[row, c] = multivariate_normal(expected, spread).logpdf(sample[seen])
    evidence = logsumexp(evidence + np.log(one.weights_), axis=1)
    gap = evidence - one.score_samples(gappy)
    assert (gap > -1e-9).all()
    assert np.median(gap) < 3.0  # nats; counting missing elements would make it far more


# Bad input ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    some_slow(
        [
            {"experts": [None, line]},
            {"decoders": [None, "cluster_mlp"]},
            {"decoders": "cluster_mlp"},
        ],
        [],
    ),
)
def test_only_plain_networks_marginalize(quick, pair, gappy, options):
    partly = [pair[0], gappy[1]]
    said = "'modality1' has samples that are NaN in a part of .* only a plain network"
    with pytest.raises(ValueError, match=said):
        quick(**options).fit(partly)
    one = quick(**options, warm_start=True).fit(pair)
    with pytest.raises(ValueError, match=said):
        one.predict(partly)
    with pytest.raises(ValueError, match=said):
        one.fit(partly)
    if options.get("decoders") != "cluster_mlp":
        mixed = [gappy[0], pair[1]]
        fit = quick(**options).fit(mixed)
        assert_array_equal(fit.predict(mixed), fit.labels_)


def test_an_element_that_no_sample_of_positive_weight_has(quick, pair):
    partly = [pair[0], pair[1].copy()]
    partly[1][:50, 2] = np.nan
    weights = np.repeat([1, 0], [50, 22])
    with pytest.raises(ValueError, match=r"element \[2\] .* in all samples of positive weight"):
        quick().fit(partly, sample_weight=weights)


@pytest.mark.slow
def test_gaps_in_a_modality_that_does_not_vary(quick, pair):
    """Its decoder says nothing of the latent point: where such a row lies is no question to it."""
    constant = np.full((72, 3), 7.0)
    constant[3, 1] = np.nan
    model = quick().fit([pair[0], constant])
    assert np.isfinite(model.score([pair[0], constant]))
    assert_allclose(model.inverse_transform(model.transform([pair[0], constant]))[1], 7.0)


def test_nothing_at_all(random_start, gappy):
    """Only after a fit."""
    partly = gappy[0].copy()
    partly[3] = np.nan
    assert np.isfinite(random_start((2,)).fit(gappy[0]).predict_proba(partly)).all()


# Of seeds 0 to 4, errors were .31 to .43 where neighbours have .43 to .56.
@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, *(pytest.param(k, marks=pytest.mark.long) for k in (1, 2))])
def test_gaps_of_a_narrow_table_are_filled_well(seed):
    """As many latent dimensions as columns: noise is small, and what is filled in must not run."""
    X = load_iris().data
    missing = np.random.default_rng(seed).random(X.shape) < 0.1
    holed = np.where(missing, np.nan, X)
    filled = CausalPIMA(3, random_state=seed).fit(holed).impute(holed)
    scaler = StandardScaler().fit(holed)
    near = scaler.inverse_transform(KNNImputer().fit_transform(scaler.transform(holed)))

    def error(values):
        return np.sqrt(np.mean(np.square(((values - X) / X.std(axis=0))[missing])))

    assert error(filled) < error(near)


@pytest.mark.long
def test_bands_hold_the_rest_of_a_curve():
    """Where nothing but the first half of the curve is left."""
    data = make_lattices(1000, random_state=100)
    images, curves = data.images[:, ::2, ::2], data.curves
    one = CausalPIMA((2, 2), random_state=100).fit([images[:300], curves[:300]])
    half = curves[300:].copy()
    half[:, 50:] = np.nan
    means, stds = one.reconstruct([None, half], return_std=True, include_noise=True)
    inside = np.abs(curves[300:] - means[1]) < 1.6449 * stds[1]
    assert 0.86 < inside[:, 50:].mean() < 0.94
