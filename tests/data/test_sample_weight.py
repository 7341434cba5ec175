"""Sample weights: repetition, removal, order, statistics by hand, and target populations."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context
from sklearn.base import clone
from sklearn.metrics import adjusted_rand_score
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from small_models import small_settings
from some_slow import some_slow

from skcausalpima import CausalPIMA, MultimodalData, ScoreSearch
from skcausalpima._data.sample_weight import (
    TrainingRows,
    initial_rows,
    resampled_rows,
    training_rows,
)
from skcausalpima._data.validation import read_modalities
from skcausalpima._model.build import build_model, load_state
from skcausalpima._model.objects import parameters_of
from skcausalpima._model.setup import set_up
from skcausalpima._model.tensors import TensorData
from skcausalpima._training import loop as _training
from skcausalpima._training.block_update import BlockUpdate, data_pass, variance_floors
from skcausalpima._training.loop import Phase, epochs, pretrain
from skcausalpima._training.observer import Observer
from skcausalpima.datasets import make_circles_images
from skcausalpima.inspection import edge_confidence
from skcausalpima.metrics import node_recovery
from skcausalpima.modules import Batch, ExpertDecoder, line
from skcausalpima.modules._structured import drawn_components

POINTS = np.linspace(0.0, 1.0, 4)
GROUP = np.repeat(np.arange(4), 18)
NODES = np.stack([GROUP // 2, GROUP % 2], axis=1)
WEIGHTS = np.random.default_rng(3).integers(0, 4, size=72)  # the modality, or what is known of
WEIGHTS[:20] = np.maximum(WEIGHTS[:20], 1)  # nodes, must not vanish with rows of weight zero


def some_missing(pair):
    curves = pair[1].copy()
    curves[::7] = np.nan
    return [pair[0], curves]


def rows_of(X, rows):
    return [array[rows] for array in X]


def assert_equal_fits(one, other, X):
    """To the last bit, but for what is said row by row."""
    for method in ("transform", "predict_proba", "score_samples"):
        assert_array_equal(getattr(one, method)(X), getattr(other, method)(X))
    for name in ("joint_", "cluster_states_", "cluster_covariances_", "node_scores_"):
        assert_array_equal(getattr(one, name), getattr(other, name))
    assert_array_equal(one.separation_.occupancy, other.separation_.occupancy)
    assert one.lower_bound_ == other.lower_bound_
    for key, values in one.history_.items():
        assert_array_equal(values, other.history_[key])


WAS_SET = np.full((72, 2), -1)
WAS_SET[::4, 1] = NODES[::4, 1]
CASES = {
    "plain": ({}, {}),
    "missing, held out, two starts": ({"training__validation_fraction": 0.2, "n_init": 2}, {}),
    "expert per cluster, nodes set": (
        {"experts": [None, ExpertDecoder(line, POINTS)]},
        {"interventions": WAS_SET},
    ),
    "expert per sample": ({"experts": [None, ExpertDecoder(line, POINTS, per="sample")]}, {}),
    "the paper's, known outcomes": (
        {"init": "paper", "posterior": "mean_field"},
        {
            "known_nodes": np.where(np.arange(72)[:, None] % 3 == 0, NODES, -1),
            "interventions": np.where(np.arange(72) % 4 == 0, "N2", None),
        },
    ),
}


NAMES = list(CASES)


@pytest.mark.parametrize("case", some_slow(CASES, NAMES[:1]))
def test_integer_weights_are_repetition_whatever_the_order(quick, pair, case):
    parameters, known = CASES[case]
    X = some_missing(pair) if "missing" in case else pair
    shuffled = np.random.default_rng(0).permutation(72)
    repeated = np.repeat(np.arange(72), WEIGHTS)
    weighted, plain = (
        quick(**parameters).fit(
            rows_of(X, rows), sample_weight=w, **{key: value[rows] for key, value in known.items()}
        )
        for rows, w in ((shuffled, WEIGHTS[shuffled]), (repeated, None))
    )
    assert_equal_fits(weighted, plain, X)
    seen = np.repeat(np.arange(72), WEIGHTS[shuffled])
    back = np.argsort(shuffled[seen], kind="stable")
    assert_array_equal(weighted.labels_[seen][back], plain.labels_)
    assert_array_equal(weighted.node_labels_[seen][back], plain.node_labels_)


@pytest.mark.parametrize("case", some_slow(CASES, []))
def test_weights_of_zero_are_removal(quick, pair, case):
    """Also where only removed rows lack a modality, were known, or had nodes set."""
    parameters, known = CASES[case]
    X = some_missing(pair) if "missing" in case else pair
    weights = np.ones(72)
    if "nodes set" in case:
        weights[::4] = 0.0
    elif "missing" in case:
        weights[::7] = 0.0
    else:
        weights[[3, 31, 71]] = 0.0
    kept = np.flatnonzero(weights)
    weighted = quick(**parameters).fit(X, sample_weight=weights, **known)
    removed = quick(**parameters).fit(
        rows_of(X, kept), **{key: value[kept] for key, value in known.items()}
    )
    assert_equal_fits(weighted, removed, X)
    assert_array_equal(weighted.labels_[kept], removed.labels_)
    others = np.flatnonzero(weights == 0)
    assert_array_equal(weighted.labels_[others], weighted.predict(rows_of(X, others)))
    assert_array_equal(weighted.node_labels_, weighted.cluster_states_[weighted.labels_])


@pytest.mark.long
def test_shares_of_a_weight_on_equal_rows_add_up(quick, pair, fitted):
    halves = np.repeat(np.arange(72), 2)
    assert_equal_fits(quick().fit(rows_of(pair, halves), sample_weight=0.5), fitted, pair)
    thirds = np.tile(np.arange(72), 3)
    model = quick().fit(rows_of(pair, thirds), sample_weight=np.full(216, 1 / 3))
    assert_equal_fits(model, fitted, pair)
    assert_array_equal(model.labels_, np.tile(fitted.labels_, 3))


@pytest.mark.parametrize("case", some_slow(CASES, []))
def test_fractional_weights_do_not_depend_on_the_order(quick, pair, case):
    parameters, known = CASES[case]
    X = some_missing(pair) if "missing" in case else pair
    weights = np.random.default_rng(0).uniform(0.1, 2.5, size=72)
    order = np.random.default_rng(1).permutation(72)
    one, other = (
        quick(**parameters).fit(
            rows_of(X, rows),
            sample_weight=weights[rows],
            **{key: value[rows] for key, value in known.items()},
        )
        for rows in (np.arange(72), order)
    )
    assert_equal_fits(one, other, X)
    if parameters.get("init") != "paper":  # which rarely finds clusters
        # Incomplete rows do not train, and cannot know the factor of the block that they lack.
        complete = np.isfinite(X[1]).all(axis=1)
        least = 0.6 if complete.all() else 0.5
        assert adjusted_rand_score(one.labels_[complete], GROUP[complete]) > least
    assert_array_equal(one.labels_[order], other.labels_)


def modalities_of(*arrays, observed=None):
    n = len(arrays[0])
    observed = np.ones((len(arrays), n), dtype=bool) if observed is None else observed
    return SimpleNamespace(
        arrays=arrays, observed=observed, n_samples=n, elements=None, groups=None
    )


def test_rows_that_are_trained_on():
    x = np.random.default_rng(0).normal(size=(50, 3))
    weights = np.random.default_rng(1).choice([0.0, 0.4, 1.0, 2.5, 3.0], size=50)
    found = training_rows(modalities_of(x), weights)
    assert_allclose(np.bincount(found.rows, found.weights, 50), weights)
    assert found.weights.max() <= 1.0
    assert len(found.rows) == np.ceil(weights).sum()
    assert found.total == pytest.approx(weights.sum())
    assert_array_equal(found.positions < 0, weights == 0)
    kept = weights > 0
    assert_array_equal(found.rows[found.positions[kept]], np.flatnonzero(kept))


def test_data_without_equal_rows_are_left_alone(quick, pair):
    x = np.arange(6.0).reshape(3, 2)
    for weights in (None, np.ones(3), 1):
        assert training_rows(modalities_of(x), weights) is None
    model = quick()
    modalities = read_modalities(model, pair, reset=True)
    assert set_up(parameters_of(model), modalities)[1].modalities is modalities  # no copy


def test_what_makes_rows_equal():
    x = np.ones((3, 2))
    assert len(training_rows(modalities_of(x), None).rows) == 3
    known = np.array([[0], [1], [0]])
    positions = training_rows(modalities_of(x), None, [known]).positions
    assert positions[0] == positions[2] != positions[1]
    observed = np.array([[True, True, True], [True, False, False]])
    found = training_rows(modalities_of(x, 0 * x, observed=observed), None)
    assert len(set(found.positions[:2])) == 2
    assert found.positions[1] == found.positions[2]
    # What is the same in all rows makes no difference to their order.
    x = np.arange(20.0)[:, None] // 2
    plain, same = (training_rows(modalities_of(x), None, t) for t in ([], [np.ones((20, 1))]))
    assert_array_equal(plain.rows, same.rows)


def test_equal_rows_of_which_other_things_are_known_stay_apart(quick):
    X = np.random.default_rng(0).normal(size=(10, 3)).repeat(4, axis=0)
    known, same = np.tile([[0, -1], [1, -1]], (20, 1)), np.tile([[-1, 0]], (40, 1))
    was_set = np.tile([-1, 1], 20)
    for known_nodes, interventions in ((known, None), (same, was_set)):
        model = quick()
        modalities = read_modalities(model, X, reset=True)
        parameters = parameters_of(model)
        samples = set_up(parameters, modalities, known_nodes, interventions)[1]
        back = samples.rows.positions  # where each row of X is trained on
        knowledge = samples.knowledge
        assert_array_equal(samples.modalities.arrays[0][back], X)
        assert_array_equal(knowledge.known_nodes[back], known_nodes)
        if interventions is not None:
            assert_array_equal(knowledge.interventions.is_set[back, 1], was_set >= 0)


def test_sums_of_weights_do_not_depend_on_the_order():
    rng = np.random.default_rng(0)
    x, weights = np.ones((40, 1)), rng.uniform(size=40)
    found = {training_rows(modalities_of(x), rng.permutation(weights)).weights[0]
             for _ in range(20)}  # fmt: skip
    assert len(found) == 1


def test_rows_of_weight_zero_have_the_labels_of_predict(quick, pair):
    """Also where the cells of the others do not come first on the grid."""
    weights = GROUP >= 2  # their first node is known to be 1
    model = quick().fit(pair, sample_weight=weights, known_nodes=NODES)
    assert_array_equal(model.cluster_states_[:2], [[1, 0], [1, 1]])
    assert_array_equal(model.labels_[~weights], model.predict(rows_of(pair, ~weights)))
    assert_array_equal(model.node_labels_[weights], NODES[weights])


def test_huge_weights_make_few_copies():
    x = np.arange(30.0)[:, None]
    weights = np.random.default_rng(0).uniform(1e8, 3e9, size=30)
    found = training_rows(modalities_of(x), weights)
    assert 9_000 < len(found.rows) <= 10_000
    assert_allclose(np.bincount(found.rows, found.weights), weights)
    assert found.weights.max() / found.weights.min() < 1.1


def test_a_resample_has_rows_in_proportion_to_their_weights():
    rng = np.random.default_rng(0)
    for _ in range(20):
        weights = rng.uniform(size=rng.integers(2, 300)) ** rng.integers(0, 6)
        rows = resampled_rows(weights)
        expected = len(rows) * weights / weights.sum()
        drawn = np.bincount(rows, minlength=len(weights))
        assert (np.abs(drawn - expected) < 1 + 1e-9).all()
        worth = weights.sum() ** 2 / np.square(weights).sum()
        assert abs(len(rows) - worth) <= 0.5 or len(rows) == 2
    assert_array_equal(resampled_rows(np.full(7, 0.2)), np.arange(7))


def weighted(data, weights):
    return replace(data, samples=replace(data.samples, weights=weights))


def model_and_data(quick, pair, missing=False, **parameters):
    """A fitted model, its data with weights, and the same with weights as repetition."""
    X = some_missing(pair) if missing else pair
    est = quick(**parameters).fit(X)
    model = build_model(est._fitted.spec)  # that of the estimator is not to be trained
    load_state(model, est._fitted.numbers)
    data = est._fitted_model().scaled(read_modalities(est, X, reset=False))
    numbers = torch.as_tensor(np.random.default_rng(5).integers(1, 5, size=72))
    repeated = data.subset(torch.arange(72).repeat_interleave(numbers))
    return est, model, weighted(data, (0.25 * numbers)[None].to(data.dtype)), repeated


@pytest.mark.parametrize("missing", [False, True])
def test_statistics_of_a_pass_are_those_of_repetition(random_start, pair, missing):
    _, model, data, repeated = model_and_data(random_start, pair, missing)
    one, many = (data_pass(model, d, torch.Generator().manual_seed(0))
                 for d in (data, repeated))  # fmt: skip
    for name in ("counts", "first", "second"):
        part, other = getattr(one.statistics, name), getattr(many.statistics, name)
        assert_allclose(4.0 * part, other, rtol=1e-5, atol=1e-3)
    assert_allclose(4.0 * one.counts, many.counts, rtol=1e-5)
    for key in ("evidence", "potential"):
        assert_allclose(one.terms[key], many.terms[key], rtol=1e-5, atol=1e-6)
    assert_allclose(data.total, repeated.total / 4)
    assert_allclose(4.0 * data.n_elements, repeated.n_elements)
    assert_allclose(variance_floors(data), variance_floors(repeated), rtol=1e-6)


def block_update(floors, number):
    mixture = small_settings(reg_covar=1e-6, shrinkage=3.0).mixture
    generator = torch.Generator().manual_seed(number)
    return BlockUpdate(mixture=mixture, generator=generator, variance_floors=floors)


def one_epoch(**rates):
    """Settings of one step on all samples."""
    return small_settings(batch_size=72, temperatures=np.ones(1), pretraining_epochs=1, **rates)


@pytest.mark.parametrize("missing", [False, True])
def test_terms_of_a_pass_are_weighted_means_of_the_bound(random_start, pair, missing):
    _, model, data, _ = model_and_data(random_start, pair, missing)
    terms = data_pass(model, data, torch.Generator().manual_seed(7)).terms
    noise = data.normal(72, model.n_draws, torch.Generator().manual_seed(7))
    with torch.no_grad():
        values = model.elbo(data.rows(slice(None)), noise).values.numpy()
    expected = np.average(values, weights=data.weights[0].numpy())
    assert terms["objective"] == pytest.approx(expected, rel=1e-5)


def test_decoder_variances_are_weighted_mean_squared_errors(quick, pair):
    """From a pass of their own, and from the steps of an epoch that moves next to nothing."""
    _, model, data, _ = model_and_data(quick, pair, missing=True)
    update = block_update(variance_floors(data), 1)
    weights = data.weights[0]

    def points_of_steps(batch, noise):
        posterior = model.posterior(batch)
        log_gamma = posterior.evidence(model.log_weights(None)).log_gamma
        return posterior.points(drawn_components(log_gamma, noise[:, -1]), noise[:, :-1])

    def expected(order, noise, points):
        batch = data.rows(order)
        with torch.no_grad():
            decoded = model.decode(points(batch, noise).to(noise))
        result = []
        for array, mean, seen in zip(batch.arrays, decoded, batch.observed, strict=True):
            errors = (array - mean).square().mean(dim=1)[seen]
            result.append(np.average(errors, weights=weights[order][seen]))
        return result

    noise = data.normal(72, model.n_draws, torch.Generator().manual_seed(1))
    by_hand = expected(torch.arange(72), noise, model.unit_points)
    update.decoder_variances(model, data)
    assert_allclose(model.log_variances.exp(), by_hand, rtol=1e-5)
    generator = torch.Generator().manual_seed(2)
    order = torch.randperm(72, generator=generator)
    by_hand = expected(order, data.normal(72, model.n_draws, generator), points_of_steps)
    settings = one_epoch(learning_rate=1e-12, graph_learning_rate=1e-12)
    phase = Phase(model, settings, Observer(), settings.temperatures)
    epochs(phase, data, block_update(variance_floors(data), 2))
    assert_allclose(model.log_variances.exp(), by_hand, rtol=1e-5)


def test_steps_are_taken_on_the_weighted_mean(quick, pair, monkeypatch):
    """In pre-training and in training; one batch, no penalty."""
    _, model, data, _ = model_and_data(quick, pair)
    losses = []
    monkeypatch.setattr(_training, "gradient_step", lambda loss, *_: losses.append(loss.item()))
    update = block_update(None, 2)
    settings, expected = one_epoch(learning_rate=1e-3, graph_learning_rate=1e-3), []
    update.set_information(model, data, has_cells=False)  # as pre-training begins
    for elbo in (model.unit_elbo, model.elbo):
        generator = torch.Generator().manual_seed(2)
        order = torch.randperm(72, generator=generator)
        noise = data.normal(72, model.n_draws, generator)
        with torch.no_grad():
            values = elbo(data.rows(order), noise).values
        expected.append(-np.average(values, weights=data.weights[0, order]))
    pretrain(model, data, settings, update, Observer())
    phase = Phase(model, settings, Observer(), settings.temperatures)
    epochs(phase, data, block_update(None, 2))
    assert_allclose(losses, expected, rtol=1e-5)


def test_steps_of_an_epoch_have_the_weighted_mean_for_their_mean():
    rng = np.random.default_rng(0)
    values = torch.as_tensor(rng.normal(size=72))
    weights = torch.as_tensor(rng.uniform(size=(1, 72)))
    data = TensorData(Batch((values[:, None],), None, weights=weights), torch.float64)
    batches = data.numbered(18, torch.Generator().manual_seed(0))
    means = [data.mean(batch.arrays[0][:, 0], batch).item() for _, batch in batches]
    assert np.mean(means) == pytest.approx(np.average(values, weights=weights[0]))
    plain = data.unweighted()
    batch = plain.rows(slice(0, 18))
    assert plain.mean(values[:18], batch) == values[:18].mean()
    # A row that hardly counts does not count in full in a batch of its likes.
    light = weighted(data, torch.tensor([[1e-9] * 18 + [1.0] * 54]).double())
    assert abs(light.mean(values[:18], light.rows(slice(0, 18)))) < 1e-8


@pytest.mark.long
def test_scores_with_the_same_weights_are_the_lower_bound(quick, pair):
    weights = np.random.default_rng(0).uniform(0, 2.5, size=72)
    weights[:5] = 0.0
    X = some_missing(pair)
    for experts in (None, [None, ExpertDecoder(line, POINTS)]):
        model = quick(experts=experts).fit(X, sample_weight=weights)
        assert model.lower_bound_ == pytest.approx(model.score(X, sample_weight=weights), rel=1e-9)
        shares = weights @ model.predict_proba(X) / weights.sum()
        assert_allclose(model.separation_.occupancy, shares)


@pytest.mark.slow
def test_an_outlier_of_next_to_no_weight_does_not_matter(quick, pair, fitted):
    X = rows_of(pair, np.append(np.arange(72), 0))
    X = [array.copy() for array in X]
    X[0][72] += 30.0
    keep = {"training__outliers": "keep"}  # it would be set aside
    long = quick(structure=ScoreSearch(), **keep)  # so that no latent point lies near 0 by chance
    light, lighter = (
        clone(long).fit(X, sample_weight=np.append(np.ones(72), weight)) for weight in (1e-9, 1e-30)
    )
    assert adjusted_rand_score(light.labels_[:72], GROUP) > 0.9
    for method in ("transform", "predict_proba", "score_samples"):
        assert_allclose(getattr(light, method)(pair), getattr(lighter, method)(pair), rtol=1e-4)
    assert_allclose(light.joint_, lighter.joint_, atol=1e-6)
    assert_allclose(light._fitted.scaler.centre[0], fitted._fitted.scaler.centre[0], atol=1e-6)
    heavy = quick(**keep).fit(X)
    assert np.abs(heavy._fitted.scaler.centre[0] - fitted._fitted.scaler.centre[0]).max() > 0.1


@pytest.mark.slow
def test_standard_errors_go_by_the_weights(quick, pair):
    """Four times the weight, half the error."""
    experts = [None, ExpertDecoder(line, POINTS)]
    one, quarter = (
        quick(experts=experts).fit(pair, sample_weight=w).expert_params_["modality1"]
        for w in (np.ones(72), np.full(72, 0.25))
    )
    order, other = np.argsort(one["slope"]), np.argsort(quarter["slope"])
    moved = np.abs(quarter["slope"][other] - one["slope"][order])
    assert (moved < 0.1 * one["slope_se"][order]).all()
    assert_allclose(np.sort(quarter["slope_se"]), 2.0 * np.sort(one["slope_se"]), rtol=0.1)


def test_a_single_node_shrinks_by_the_total_weight(quick, pair):
    """nu = n / C of the pooled covariance, n being what the rows count for."""
    setups = []
    for weights in (np.full(72, 0.5), np.full(72, 2.0)):
        model = quick((4,))
        modalities = read_modalities(model, pair, reset=True)
        setups.append(set_up(parameters_of(model), modalities, None, None, weights)[0])
    assert [setup.training.mixture.shrinkage for setup in setups] == [9.0, 36.0]


def test_a_modality_that_only_removed_rows_have(quick, pair):
    X = [pair[0], pair[1].copy()]
    X[1][10:] = np.nan
    weights = np.arange(72) >= 10
    with pytest.raises(ValueError, match=r"'modality1' is missing .* samples of positive weight"):
        quick().fit(X, sample_weight=weights)


@pytest.mark.slow
def test_weights_go_along_with_bootstrap_samples(quick, pair, fitted):
    weights = np.where(GROUP < 2, 0.0, 1.0)
    params = {"sample_weight": weights}
    found = edge_confidence(fitted, pair, n_bootstraps=2, params=params, random_state=0)
    plain = edge_confidence(fitted, pair, n_bootstraps=2, random_state=0)
    assert found.failures == {}
    assert plain.node_stability.min() > 0.8
    assert found.node_stability.min() < 0.5  # of the images' node the refits see one outcome


def test_a_start_sees_each_row_once_unless_most_are_copies():
    def starts(*rows):
        return initial_rows(TrainingRows(rows=np.array(rows), weights=None, positions=np.empty(0)))

    assert_array_equal(starts(3, 3, 4, 9), [0, 2, 3])
    assert starts(1, 2, 3) is None
    assert starts(3, 3, 4, 4) is None
    assert starts(3, 3) is None
    weighted = TrainingRows(
        rows=np.array([3, 3, 4]), weights=np.array([1.0, 1.0, 0.5]), positions=np.empty(0)
    )
    assert_array_equal(initial_rows(weighted), resampled_rows(weighted.weights))


@pytest.mark.long
@pytest.mark.parametrize("seed", [411, 416, 419])
def test_rows_that_were_drawn_twice_do_not_spoil_the_start(seed):
    """Bootstrap samples of discs, whose copies the starting mixtures locked onto (0.88 to 0.93)."""
    circles = make_circles_images(1000, random_state=seed)
    drawn = np.random.default_rng(seed).integers(1000, size=1000)
    weights = np.bincount(drawn, minlength=1000)
    model = CausalPIMA((2, 2, 2), max_iter=8, random_state=seed)
    model.fit(circles.images, sample_weight=weights)
    assert node_recovery(circles.factors, model.node_labels_).accuracies.mean() > 0.97


@pytest.mark.long
@pytest.mark.parametrize("seed", range(4))
def test_importance_weights_recover_the_target(quick, seed):
    """Independent nodes in the sample, dependent ones in the population that weights stand for.

    The bound on the joint is 5 standard errors of a share among so many samples as the weighted
    ones are worth: it fails once in about 10 ** 5 seeds if the clusters are right.
    """
    rng = np.random.default_rng(seed)
    group = rng.integers(4, size=400)
    X = [rng.normal(size=(400, 5)) + 8.0 * (group // 2)[:, None],
         rng.normal(size=(400, 4)) + 8.0 * (group % 2)[:, None]]  # fmt: skip
    target = np.array([0.4, 0.1, 0.1, 0.4])
    weights = target[group] / 0.25
    weights *= weights.sum() / np.square(weights).sum()  # sums up to what they are worth
    model = quick(random_state=seed, max_iter=20).fit(X, sample_weight=weights)
    assert adjusted_rand_score(model.labels_, group) == 1.0
    components = [np.bincount(model.labels_[group == k]).argmax() for k in range(4)]
    error = 5.0 * np.sqrt(target * (1 - target) / weights.sum())
    assert (np.abs(model.weights_[components] - target) < error).all()
    assert len(model.dag_.edges) == 1
    shares = np.bincount(group, weights) / weights.sum()  # what the data say
    assert_allclose(model.weights_[components], shares, atol=1.0 / weights.sum())
    plain = quick(random_state=seed).fit(X)
    assert (np.abs(plain.weights_ - 0.25) < 5.0 * np.sqrt(0.25 * 0.75 / 400)).all()
    assert len(plain.dag_.edges) == 0


@pytest.mark.slow
def test_weights_are_routed(quick, pair):
    flat = np.concatenate([pair[0].reshape(72, -1), pair[1]], axis=1)
    weights = np.random.default_rng(0).integers(1, 3, size=72).astype(float)
    direct = quick().fit(StandardScaler().fit_transform(flat), sample_weight=weights)
    with config_context(enable_metadata_routing=True):
        model = quick().set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        scaler = StandardScaler().set_fit_request(sample_weight=False)
        routed = make_pipeline(scaler, model).fit(flat, sample_weight=weights)
        assert_equal_fits(routed[-1], direct, StandardScaler().fit_transform(flat))
        X = MultimodalData(pair)
        search = GridSearchCV(model, {"latent_dim": [2, 3]}, cv=2).fit(X, sample_weight=weights)
    train_rows, test_rows = next(iter(KFold(2).split(X)))
    fold = quick(latent_dim=3).fit(X[train_rows], sample_weight=weights[train_rows])
    expected = fold.score(X[test_rows], sample_weight=weights[test_rows])
    assert search.cv_results_["split0_test_score"][1] == pytest.approx(expected, rel=1e-9)
