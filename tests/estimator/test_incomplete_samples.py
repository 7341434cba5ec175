"""Fits of data in which samples lack modalities, and what is said of such samples afterwards."""

import itertools
import pickle
import warnings
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from same_fits import assert_same_fits
from scipy import special
from sklearn.metrics import adjusted_rand_score
from some_slow import some_slow

from skcausalpima import CausalPIMA, MeanField, MissingValues, MultimodalData
from skcausalpima._fit import whole
from skcausalpima._model.tensors import TensorData
from skcausalpima.modules import ExpertDecoder, line

N_SAMPLES = 160
POINTS = np.linspace(0.0, 1.0, 4)
EXPERT = ExpertDecoder(line, POINTS)
PER_SAMPLE = ExpertDecoder(line, POINTS, per="sample")
#: Kinds of decoders of the second modality.
DECODERS = {
    "networks": {},
    "expert per cluster": {"experts": [None, EXPERT]},
    "expert per sample": {"experts": [None, PER_SAMPLE]},
    "network per cluster": {"decoders": [None, "cluster_mlp"]},
    "predicted variances": {"decoder_variance": "predicted"},
}


def grouped(n_samples=N_SAMPLES):
    """Images and curves of four groups, and the groups."""
    rng = np.random.default_rng(0)
    group = np.arange(n_samples) % 4
    images = rng.normal(size=(n_samples, 3, 2)) + 5.0 * (group // 2)[:, None, None]
    curves = 10.0 * rng.normal(size=(n_samples, 4)) + 50.0 * (group % 2)[:, None]
    return [images, curves], group


def without(X, observed):
    """Put NaN where samples are not observed."""
    X = [array.copy() for array in X]
    for array, seen in zip(X, observed, strict=True):
        array[~seen] = np.nan
    return X


def pattern(n_samples=N_SAMPLES, share=0.25, n_modalities=2):
    """Which blocks are there: each is absent with a probability, and no row loses all."""
    rng = np.random.default_rng(1)
    observed = rng.uniform(size=(n_modalities, n_samples)) >= share
    kept = rng.integers(n_modalities, size=n_samples)
    observed[kept, np.arange(n_samples)] |= ~observed.any(axis=0)
    return observed


@pytest.fixture(scope="module")
def quick(taught):
    """Here encoders of incomplete samples are taught."""
    return taught


@pytest.fixture(scope="module")
def gappy():
    """Data of which a quarter of each modality is absent, and the groups."""
    X, group = grouped()
    return without(X, pattern()), group


@pytest.fixture(scope="module")
def model(quick, gappy):
    return quick(max_iter=10).fit(gappy[0])


@pytest.fixture(scope="module")
def of_kind(quick, gappy):
    """Return a fit with one kind of decoder; each is fitted once."""
    return cache(lambda kind: quick(init="paper", max_iter=1, **DECODERS[kind]).fit(gappy[0]))


def is_complete(X):
    return ~np.any([np.isnan(x.reshape(len(x), -1)).all(axis=1) for x in X], axis=0)


def check(model, X, n_modalities=2):
    """What every fit must give, whatever was absent."""
    probabilities = model.predict_proba(X)
    assert_allclose(probabilities.sum(axis=1), 1.0, rtol=1e-5)
    assert_array_equal(model.labels_, model.predict(X))
    assert_array_equal(model.node_labels_, model.predict_nodes(X))
    assert_allclose(model.lower_bound_, model.score(X), rtol=1e-6)
    assert np.isfinite(model.transform(X)).all()
    joint = np.ones(model.joint_.shape)
    for node, table in model.cpts_.items():
        names = [*model.dag_.predecessors(node), node]
        axes = [list(model.dag_).index(name) for name in names]
        joint = np.einsum(joint, range(joint.ndim), table, axes, range(joint.ndim))
    assert_allclose(joint, model.joint_, atol=1e-12)
    new, _ = model.counterfactual(X, {"N1": 0})
    assert len(new) == n_modalities
    assert all(np.isfinite(array).all() for array in new)


def test_the_groups_are_found_in_all_rows(model, gappy):
    X, group = gappy
    complete = is_complete(X)
    assert 0.2 < complete.mean() < 0.8
    assert adjusted_rand_score(group[complete], model.labels_[complete]) == 1.0
    # A single image shows one factor of two: at best half of the incomplete rows are right.
    check(model, X)


@pytest.mark.slow
def test_a_part_says_what_it_shows_and_no_more(quick, gappy):
    """Images tell one factor, curves the other; of the rest the tables speak."""
    X, group = grouped()
    model = quick(max_iter=10, missing_values=MissingValues(subset_epochs=100)).fit(gappy[0])
    nodes, both = model.predict_nodes(X), model.predict_proba(X)
    parts = [model.predict_proba([X[0], None]), model.predict_proba([None, X[1]])]
    for part, factor in zip(parts, (group // 2, group % 2), strict=True):
        alike = [abs(np.corrcoef(nodes[:, node], factor)[0, 1]) for node in (0, 1)]
        shown = int(np.argmax(alike))
        assert alike[shown] > 0.95
        told, open_ = (model.cluster_states_[:, node] == 1 for node in (shown, 1 - shown))
        assert (np.abs(part @ told - both @ told) < 0.1).mean() > 0.95
        assert ((part @ open_ > 0.05) & (part @ open_ < 0.95)).mean() > 0.9


PLAIN = ["networks", "expert per sample", "predicted variances"]
SLOW = [
    pytest.param(kind, marks=pytest.mark.slow if kind == PLAIN[1] else pytest.mark.long)
    for kind in DECODERS
]


@pytest.mark.parametrize("kind", SLOW)
def test_every_kind_of_decoder(quick, gappy, kind):
    X, group = gappy
    model = quick(**DECODERS[kind], max_iter=8).fit(X)
    check(model, X)
    complete = is_complete(X)
    assert adjusted_rand_score(group[complete], model.labels_[complete]) > 0.9


@pytest.mark.parametrize("kind", some_slow(DECODERS, PLAIN[:1]))
def test_garbage_in_absent_blocks_changes_nothing(quick, gappy, of_kind, kind, monkeypatch):
    X, _ = gappy
    model = of_kind(kind)
    clean = whole.fit_data

    def with_garbage(samples, setup):
        data = clean(samples, setup)
        rng = np.random.default_rng(7)
        arrays = []
        for array, seen in zip(data.arrays, data.observed, strict=True):
            garbage = torch.as_tensor(100.0 * rng.normal(size=array.shape), dtype=array.dtype)
            arrays.append(torch.where(seen[:, None], array, garbage))
        return TensorData(replace(data.samples, arrays=tuple(arrays)), data.dtype)

    monkeypatch.setattr(whole, "fit_data", with_garbage)
    other = quick(init="paper", max_iter=1, **DECODERS[kind]).fit(X)
    monkeypatch.undo()
    assert_same_fits(other, model, X)


@pytest.mark.parametrize("kind", some_slow(DECODERS, PLAIN[:1]))
def test_a_sample_of_which_nothing_is_observed_has_the_prior(of_kind, kind):
    model = of_kind(kind)
    nothing = [np.full((2, 3, 2), np.nan), np.full((2, 4), np.nan)]
    assert_allclose(model.predict_proba(nothing), np.tile(model.weights_, (2, 1)), rtol=1e-5)
    mean = model.weights_ @ model.cluster_means_
    assert_allclose(model.transform(nothing), np.tile(mean, (2, 1)), rtol=1e-4, atol=1e-5)
    assert_allclose(model.score_samples(nothing), 0.0, atol=1e-4)


def test_a_sample_with_nothing_is_an_error_in_a_mean_field_without_the_prior_expert(quick, gappy):
    nothing = [np.full((1, 3, 2), np.nan), np.full((1, 4), np.nan)]
    model = quick(posterior__prior_expert=False, posterior="mean_field").fit(gappy[0])
    check(model, gappy[0])
    with pytest.raises(ValueError, match="Sample 0 has no observed modality"):
        model.predict_proba(nothing)


@pytest.mark.slow
def test_without_epochs_for_subsets_a_part_has_the_encoders_of_all_samples(quick, gappy):
    X, _ = gappy
    model = quick(missing_values=MissingValues(subset_epochs=0)).fit(X)
    assert model._fitted.subset_numbers is None
    check(model, X)
    rows = np.flatnonzero(np.isnan(X[1]).all(axis=1))
    encoder = model._fitted_model().model.encoders[0]
    scaled = (X[0][rows] - model._fitted.scaler.centre[0]) / model._fitted.scaler.factor[0]
    with torch.no_grad():
        locations = encoder(torch.as_tensor(scaled)).numpy()[:, : model.latent_dim_]
    root = model._fitted.numbers["information_roots"][0]
    precision, log_joint, means = root.T @ root, [], []
    for weight, mean, covariance in zip(
        model.weights_, model.cluster_means_, model.cluster_covariances_, strict=True
    ):
        inverse = np.linalg.inv(covariance)
        natural = inverse @ mean + locations @ precision
        means.append(natural @ np.linalg.inv(inverse + precision))
        log_det = np.linalg.slogdet(np.eye(len(mean)) + covariance @ precision)[1]
        quadratic = (natural * means[-1]).sum(axis=1) - mean @ inverse @ mean
        log_joint.append(np.log(weight) + 0.5 * (quadratic - log_det))
    gamma = special.softmax(np.array(log_joint), axis=0).T
    part = [array[rows] for array in X]
    assert_allclose(model.predict_proba(part), gamma, atol=1e-6)
    expected = np.einsum("nc,cnj->nj", gamma, means)
    assert_allclose(model.transform(part), expected, atol=1e-6)


@pytest.mark.long
def test_complete_fits_do_not_depend_on_the_epochs_for_subsets(quick):
    X, _ = grouped()
    fits = [
        quick(missing_values=MissingValues(subset_epochs=epochs)).fit(X) for epochs in (0, 2, 100)
    ]
    assert_same_fits(fits[1], fits[0], X)
    assert_same_fits(fits[2], fits[0], X)
    # what was taught is kept where it is better, so more epochs may change nothing
    assert not np.array_equal(*(fit.predict_proba([X[0], None]) for fit in fits[:2]))


@pytest.mark.parametrize("kind", SLOW)
def test_the_model_is_learned_from_the_complete_rows(quick, gappy, kind):
    """Bit by bit as if they were alone, in fixed units; the others count for the tables."""
    X, _ = gappy
    complete = is_complete(X)
    model, alone = (
        quick(init="paper", max_iter=1, scale=None, **DECODERS[kind]).fit(data)
        for data in (X, [x[complete] for x in X])
    )
    tables = ("prior.table", "prior.scores")
    names = [name for name in alone._fitted.numbers if not name.startswith(tables)]
    assert len(names) > 10
    for name in names:
        assert_array_equal(model._fitted.numbers[name], alone._fitted.numbers[name], err_msg=name)
    assert not np.array_equal(model.joint_, alone.joint_)


@pytest.mark.slow
def test_known_nodes(quick, gappy):
    X, group = gappy
    known = np.full((N_SAMPLES, 2), -1)
    incomplete = np.flatnonzero(~is_complete(X))
    known[incomplete[:20], 0] = group[incomplete[:20]] // 2
    known[:40, 0] = group[:40] // 2
    model = quick(max_iter=8).fit(X, known_nodes=known)
    stated = known[:, 0] >= 0
    assert_array_equal(model.node_labels_[stated, 0], known[stated, 0])
    assert_array_equal(model.labels_[~stated], model.predict(X)[~stated])
    assert_allclose(model.lower_bound_, model.score(X), rtol=1e-6)
    rows = is_complete(X)
    assert (model.node_labels_[rows, 0] == group[rows] // 2).mean() > 0.95


@pytest.mark.long
def test_nodes_known_of_incomplete_rows_alone(quick, gappy):
    X, group = gappy
    incomplete = ~is_complete(X)
    known = np.full((N_SAMPLES, 2), -1)
    known[incomplete, 1] = group[incomplete] % 2
    model = quick(init="paper", max_iter=1).fit(X, known_nodes=known)
    assert_array_equal(model.node_labels_[incomplete, 1], known[incomplete, 1])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("form", "where"),
    some_slow(
        itertools.product(["names", "outcomes"], ["everywhere", "incomplete rows"]),
        [("names", "everywhere")],
    ),
)
def test_interventions(quick, gappy, form, where):
    X, group = gappy
    was_set = np.arange(N_SAMPLES) % 3 == 0
    if where == "incomplete rows":
        was_set = ~is_complete(X)
    if form == "names":
        given = np.where(was_set, "N2", None).astype(object)
    else:
        given = np.full((N_SAMPLES, 2), -1)
        given[was_set, 1] = group[was_set] % 2
    with warnings.catch_warnings(action="ignore"):  # which node it is may not be told apart
        model = quick(init="paper", max_iter=1).fit(X, interventions=given)
    if form == "outcomes":
        assert_array_equal(model.node_labels_[was_set, 1], given[was_set, 1])
    assert_allclose(model.lower_bound_, model.score(X), rtol=1e-6)
    assert_allclose(model.joint_.sum(), 1.0)


@pytest.mark.long
def test_a_weight_of_two_is_repetition_and_of_zero_absence(quick, gappy):
    X, _ = gappy
    weights = np.array([2.0, 1.0, 1.0, 0.0] * (N_SAMPLES // 4))
    repeated = np.repeat(np.arange(N_SAMPLES), weights.astype(int))
    weighted = quick().fit(X, sample_weight=weights)
    plain = quick().fit([x[repeated] for x in X], sample_weight=np.ones(len(repeated)))
    assert_array_equal(plain.labels_, weighted.labels_[repeated])
    for name in ("cluster_means_", "joint_", "lower_bound_"):
        assert_array_equal(getattr(plain, name), getattr(weighted, name))
    assert_array_equal(plain.predict_proba(X), weighted.predict_proba(X))
    assert_array_equal(weighted.labels_, weighted.predict(X))


@pytest.mark.long
@pytest.mark.parametrize("options", [{"training__validation_fraction": 0.25}, {"init": "linear"}])
def test_other_ways_to_train(quick, gappy, options):
    check(quick(**options).fit(gappy[0]), gappy[0])


@pytest.mark.short_fits
def test_the_published_algorithm(gappy):
    X, _ = gappy
    model = CausalPIMA.published(max_iter=3, hidden_layer_sizes=(8,), random_state=0).fit(X)
    assert model._fitted.subset_numbers is None
    check(model, X)


@pytest.mark.parametrize("form", ["pickle", "file"])
def test_copies_say_the_same(model, gappy, form, tmp_path):
    if form == "pickle":
        copy = pickle.loads(pickle.dumps(model))
    else:
        model.save(tmp_path / "model")
        copy = CausalPIMA.load(tmp_path / "model")
    assert_same_fits(copy, model, gappy[0])


CONTINUED = [{}, {"training__validation_fraction": 0.2}, {"structure": "gradient"}]


@pytest.mark.parametrize("options", some_slow(CONTINUED, []))
def test_a_fit_that_is_continued(quick, gappy, options):
    X, _ = gappy
    options = options | {"init": "paper", "warm_start": True, "training__tol": 0}
    options["missing_values"] = MissingValues(subset_epochs=3)  # not fewer than max_iter
    with warnings.catch_warnings(action="ignore"):
        whole = quick(max_iter=3, **options).fit(X)
        parts = quick(max_iter=1, **options).fit(X)
        parts.set_params(max_iter=2).fit(X)
    assert parts.n_iter_ == whole.n_iter_ == 3
    for name in ("cluster_means_", "joint_", "labels_", "lower_bound_", "edge_weights_"):
        assert_array_equal(getattr(parts, name), getattr(whole, name))
    assert_array_equal(parts.predict_proba(X), whole.predict_proba(X))


@pytest.mark.parametrize("options", [{}, {"posterior": "mean_field"}], ids=str)
def test_rows_without_any_value_leave_no_trace(quick, options):
    """They have the shares for probabilities, and nothing to say: a join left them."""
    curves, empty = grouped()[0][1], [3, 7, 80]
    gaps = curves.copy()
    gaps[empty] = np.nan
    weights = np.where(np.arange(N_SAMPLES) == 7, 9.0, 1.0)
    model = quick((2,), **options).fit(gaps, sample_weight=weights)
    others = quick((2,), **options).fit(np.delete(curves, empty, axis=0))
    of_rows = ("labels_", "node_labels_", "separation_")
    assert_same_fits(model, others, gaps, of_rows)
    assert_array_equal(model.separation_.without_values, empty)
    assert_array_equal(model.separation_.occupancy, others.separation_.occupancy)
    assert_array_equal(model.labels_, model.predict(gaps))
    assert_allclose(model.predict_proba(gaps)[empty], np.tile(model.weights_, (3, 1)), rtol=1e-6)
    assert_array_equal(model.score_samples(gaps)[empty], 0.0)
    report = model.report(detail="full")
    assert report.n_samples == N_SAMPLES - 3
    assert "rows without any value            3, not trained on" in str(report)


def test_many_rows_without_any_value_are_a_join_that_failed(quick, tmp_path):
    """A tenth is that of all rows that were seen, and of later ones with those of before."""
    X, _ = grouped()
    gaps = without(X, np.arange(N_SAMPLES) >= np.full((2, 1), 17))
    with pytest.raises(ValueError, match=r"in 17 sample\(s\), .*: 17 of 160 rows"):
        quick().fit(gaps)
    quick().fit(without(X, np.arange(N_SAMPLES) >= np.full((2, 1), 16))).save(tmp_path / "model")
    model = CausalPIMA.load(tmp_path / "model")
    model.partial_fit([array[:40] for array in X])
    model.partial_fit([array[13:23] for array in gaps])  # 20 of 210
    assert_array_equal(model.separation_.without_values, range(4))
    with pytest.raises(ValueError, match=r"22 of 215 rows seen so far have no value at all"):
        model.partial_fit([array[15:20] for array in gaps])
    with pytest.raises(ValueError, match="Found 1 sample"):
        model.partial_fit([array[16:18] for array in gaps])


def test_the_published_posterior_needs_values(quick):
    X, _ = grouped()
    gaps = without(X, np.arange(N_SAMPLES) >= np.full((2, 1), 1))
    with pytest.raises(ValueError, match=r"1 sample\(s\), row\(s\) 0: every sample needs at least"):
        quick(posterior=MeanField(prior_expert=False)).fit(gaps)
    with pytest.raises(ValueError, match=r"1 sample\(s\), row\(s\) 0: every sample needs at least"):
        CausalPIMA.published((2, 2), max_iter=1).fit(gaps)


@pytest.mark.slow
def test_one_modality(quick):
    """Rows without it are no part of a fit; afterwards they have the prior."""
    curves = grouped()[0][1]
    gaps = curves.copy()
    gaps[::5] = np.nan
    with pytest.raises(ValueError, match=r"no modality is observed in 32 sample\(s\)"):
        quick((2,)).fit(MultimodalData([gaps]))  # more than a tenth
    model = quick((2,)).fit(MultimodalData([curves]))
    found = model.predict_proba(MultimodalData([gaps]))
    assert_allclose(found[::5], np.tile(model.weights_, (32, 1)), rtol=1e-5)
    rows = np.arange(N_SAMPLES) % 5 > 0
    assert_allclose(
        found[rows], model.predict_proba(MultimodalData([curves]))[rows], rtol=1e-5, atol=1e-7
    )
    means = np.tile(model.weights_ @ model.cluster_means_, (32, 1))
    assert_allclose(model.transform(MultimodalData([gaps]))[::5], means, rtol=1e-4, atol=1e-5)
    assert_allclose(model.score_samples(MultimodalData([gaps]))[::5], 0.0, atol=1e-4)


@pytest.mark.long
def test_a_modality_observed_in_a_handful_of_rows(quick):
    X, _ = grouped()
    seen = np.ones((2, N_SAMPLES), dtype=bool)
    seen[1] = False
    seen[1, :5] = True
    X = without(X, seen)
    model = quick().fit(X)
    check(model, X)


@pytest.mark.slow
def test_a_cell_whose_rows_all_lack_a_modality(quick):
    """The model is learned from complete rows: such a cell has none, and its rows lie elsewhere."""
    X, group = grouped()
    seen = np.ones((2, N_SAMPLES), dtype=bool)
    seen[1] = group != 3
    X = without(X, seen)
    model = quick(max_iter=8).fit(X)
    check(model, X)
    assert adjusted_rand_score(group[group < 3], model.labels_[group < 3]) > 0.5
    # Their images are those of group 2, whose component they are mostly in.
    images = model.node_labels_[group == 3]
    assert len(np.unique(images, axis=0)) <= 2


@pytest.mark.slow
def test_no_complete_row(quick):
    X, _ = grouped()
    seen = np.stack([np.arange(N_SAMPLES) % 2 == 0, np.arange(N_SAMPLES) % 2 == 1])
    X = without(X, seen)
    model = quick().fit(X)
    check(model, X)


SEEN = [[[1, 1], [1, 1]], [[1, 1], [1, 0]], [[1, 0], [0, 1]]]


@pytest.mark.parametrize("seen", some_slow(SEEN, []))
def test_two_rows(quick, seen):
    X, _ = grouped()
    X = without([x[1:3] for x in X], np.array(seen, dtype=bool))
    with warnings.catch_warnings(action="ignore"):
        model = quick((2,), max_iter=2).fit(X)
    assert np.isfinite(model.predict_proba(X)).all()


@pytest.mark.slow
def test_three_modalities(quick):
    X, group = grouped()
    rng = np.random.default_rng(3)
    X.append(rng.normal(size=(N_SAMPLES, 3)) + 4.0 * (group[:, None] == np.arange(1, 4)))
    X = without(X, pattern(share=0.5, n_modalities=3))
    model = quick(max_iter=8).fit(X)
    check(model, X, n_modalities=3)


def test_a_sample_far_from_all_others_has_an_answer(model, gappy):
    """A potential may be as narrow as a network can say."""
    far = np.array([1e2, 1e4, 1e6])[:, None, None] * np.ones((3, 3, 2))
    X = [far, np.full((3, 4), np.nan)]
    assert_allclose(model.predict_proba(X).sum(axis=1), 1.0, rtol=1e-5)
    assert np.isfinite(model.transform(X)).all()
    assert np.isfinite(model.score_samples(X)).all()


@pytest.mark.parametrize(("far", "dtype"), some_slow([(1e38, np.float32), (1e200, np.float64)], []))
def test_a_sample_so_far_that_nothing_is_finite_is_named(quick, gappy, far, dtype):
    """Posteriors are computed in double precision, whatever the dtype of the data."""
    model = quick(init="paper", max_iter=1).fit([array.astype(dtype) for array in gappy[0]])
    images = np.zeros((4, 3, 2), dtype=dtype)
    images[2] = far
    for method in ("predict_proba", "transform", "score_samples"):
        if dtype == np.float32 and method != "score_samples":
            assert np.isfinite(getattr(model, method)([images, None])).all()
            continue
        with pytest.raises(ValueError, match=r"Sample 2 is so far from the training data"):
            getattr(model, method)([images, None])


@pytest.mark.long
def test_global_generators_are_left_alone(quick, gappy):
    before = torch.get_rng_state()
    quick(max_iter=1).fit(gappy[0]).predict_proba(gappy[0])
    assert torch.equal(torch.get_rng_state(), before)
