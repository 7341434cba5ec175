"""Whether the noise of tables differs between clusters: when it is said, and when it is not."""

import warnings

import numpy as np
import pytest
from scipy.special import softmax
from some_slow import some_slow

from skcausalpima import CausalPIMA
from skcausalpima._initialization.noise_of_clusters import gains_of_clusters, skewness
from skcausalpima.inspection import table_intervals
from skcausalpima.metrics import node_recovery

STEP = 6.0 / np.sqrt(6)


def two_tables(n, seed, low=0.5, high=1.6, n_columns=6):
    """Return tables that show a node each, with noise that follows its outcome, and the cells."""
    rng = np.random.default_rng(seed)
    factors = rng.integers(2, size=(n, 2))
    spread = np.array([low, high])[factors]
    tables = [
        STEP * factors[:, [k]] + spread[:, [k]] * rng.normal(size=(n, n_columns)) for k in (0, 1)
    ]
    return tables, factors @ [2, 1]


def exact(tables, low=0.5, high=1.6):
    """Return the true probabilities of the four cells."""
    logs = np.zeros((len(tables[0]), 2, 2))
    for k, x in enumerate(tables):
        for outcome, spread in enumerate((low, high)):
            off = (x - STEP * outcome) / spread
            own = np.nansum(-0.5 * off**2 - np.where(np.isnan(off), 0.0, np.log(spread)), axis=1)
            logs[(slice(None), outcome) if k == 0 else (slice(None), slice(None), outcome)] += own[
                :, None
            ]
    return softmax(logs.reshape(-1, 4), axis=1)


@pytest.mark.parametrize("seed", some_slow(range(4), [0]))
@pytest.mark.parametrize("n", some_slow([80, 200, 1000], [200]))
def test_equal_noise_is_left_alone(n, seed):
    tables, _ = two_tables(n, seed, 1.0, 1.0)
    assert CausalPIMA((2, 2), max_iter=1, random_state=seed).fit(tables).choices_.predicted == []


@pytest.mark.parametrize("n", some_slow([80, 200, 1000], [200]))
def test_unlike_noise_is_told(n):
    tables, _ = two_tables(n, 0)
    model = CausalPIMA((2, 2), max_iter=1, random_state=0).fit(tables)
    assert model.choices_.predicted == ["modality0", "modality1"]
    assert "noise of modality0" in str(model.report(detail="full"))


@pytest.mark.short_fits
@pytest.mark.parametrize("seed", some_slow([4, 0, 1, 2, 3], [4]))
@pytest.mark.parametrize("is_unlike", [False, True])
def test_kinds_that_are_no_sum_have_more_directions(seed, is_unlike):
    """What two scores leave of four kinds is no noise: with seed 4 nothing was said of it."""
    rng = np.random.default_rng(seed)
    kind = rng.integers(4, size=400)
    means = 7.0 / np.sqrt(2.0) * np.linalg.qr(rng.normal(size=(14, 4)))[0].T
    spread = np.linspace(0.4, 1.6, 4)[kind][:, None] if is_unlike else 1.0
    x = means[kind] + spread * rng.normal(size=(400, 14))
    model = CausalPIMA((2, 2), max_iter=1, random_state=seed).fit([x[:, :8], x[:, 8:]])
    assert len(model.choices_.predicted) == 2 * is_unlike


@pytest.mark.parametrize(
    "options",
    some_slow(
        [
            {"decoder_variance": "learned"},
            {"decoder_variance": 1.0},
            {"init": "linear"},
            {"posterior": "mean_field"},
            {"decoders": "cluster_mlp"},
        ],
        [{"decoder_variance": "learned"}],
    ),
    ids=str,
)
def test_what_is_stated_is_not_asked(options):
    tables, _ = two_tables(200, 0)
    predicted = CausalPIMA((2, 2), max_iter=1, random_state=0, **options).fit(tables).choices_
    assert predicted.predicted == []


@pytest.mark.parametrize("other", ["image", "words"])
def test_decoders_say_where_samples_lie_where_there_is_nothing_else(other):
    """Encoders are trained beside each other: one alone claims what it does not know."""
    tables, cells = two_tables(300, 1)
    if other == "image":
        grey = cells // 2 + 0.1 * np.random.default_rng(1).normal(size=300)
        X = {"image": np.tile(grey[:, None, None], (1, 8, 8)), "table": tables[1]}
    else:
        pandas = pytest.importorskip("pandas")
        words = pandas.DataFrame({"word": np.where(cells // 2, "yes", "no")})
        X = {"words": words, "table": pandas.DataFrame(tables[1])}
    model = CausalPIMA((2, 2), random_state=0).fit(X)
    assert model.choices_.predicted == ["table"]
    assert model._fitted.spec.by_decoders == ()
    found = node_recovery(np.stack([cells // 2, cells % 2], axis=1), model.node_labels_)
    assert found.accuracies.min() > 0.98


def test_refits_of_the_mixture_say_why_they_cannot_be():
    tables, _ = two_tables(200, 0)
    model = CausalPIMA((2, 2), max_iter=2, random_state=0).fit(tables)
    with pytest.raises(ValueError, match="noise differs between clusters, and decoders say more"):
        table_intervals(model, tables, refit="mixture")
    assert model.modality_evidence(tables) is not None


@pytest.mark.slow
def test_answers_are_those_of_the_exact_posterior():
    """Training with one variance lost cells that the start had (.93), and was sure of wrong ones.

    Half of the elements missing, the log loss was .29 and more.
    """
    tables, cells = two_tables(600, 1)
    new, truth = two_tables(1000, 2)
    rng = np.random.default_rng(0)
    half = [np.where(rng.random(x.shape) < 0.5, np.nan, x) for x in new]
    model = CausalPIMA((2, 2), random_state=1).fit(tables)
    order = [np.bincount(cells[model.labels_ == c], minlength=4).argmax() for c in range(4)]
    assert sorted(order) == [0, 1, 2, 3]
    places = np.argsort(order)
    for of, close in ((new, 0.02), (half, 0.03)):
        told, best = model.predict_proba(of)[:, places], exact(of)
        losses = [-np.log(p[np.arange(1000), truth]).mean() for p in (told, best)]
        assert losses[0] < losses[1] + close
        right = [(p.argmax(axis=1) == truth).mean() for p in (told, best)]
        assert right[0] > right[1] - 0.01
        assert abs(told.max(axis=1).mean() - right[0]) < 0.03
    np.testing.assert_array_equal(model.labels_, model.predict(tables))


def test_what_fits_of_unlike_noise_leave(tmp_path):
    tables, _ = two_tables(200, 0)
    model = CausalPIMA((2, 2), max_iter=2, random_state=0, warm_start=True).fit(tables)
    told = model.predict_proba(tables)
    model.save(tmp_path / "model")
    loaded = CausalPIMA.load(tmp_path / "model")
    np.testing.assert_array_equal(loaded.predict_proba(tables), told)
    assert loaded.choices_.predicted == ["modality0", "modality1"]
    model.set_params(max_iter=1).fit(tables)  # goes on
    assert model.n_iter_ == 3
    model.partial_fit([x[:50] for x in tables])
    assert model.choices_.predicted == ["modality0", "modality1"]
    assert np.isfinite(model.predict_proba(tables)).all()
    one = [tables[0][:5], np.full((5, 6), np.nan)]
    np.testing.assert_allclose(model.predict_proba(one).sum(axis=1), 1.0)


@pytest.mark.parametrize("factor", [1.0, 1000.0])
def test_gains_do_not_depend_on_units(factor):
    rng = np.random.default_rng(0)
    cluster, seen = np.arange(300) // 2 % 2, rng.random((300, 5)) < 0.9
    x = (1.0 + cluster[:, None]) * rng.normal(size=(300, 5))
    points, indicators = 5.0 * cluster[:, None] + rng.normal(size=(300, 1)), np.eye(2)[cluster]
    unit = gains_of_clusters(x, seen, points, indicators)
    scaled = gains_of_clusters(factor * x + factor, seen, points, indicators)
    np.testing.assert_allclose(scaled, unit, rtol=1e-6, atol=1e-9)
    assert unit.mean() > 0.2
    np.testing.assert_allclose(
        skewness(factor * x, seen, points, indicators), skewness(x, seen, points, indicators)
    )


def test_noise_of_columns_alone_is_none_of_clusters():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 6)) * np.arange(1, 7)
    asked = np.ones((400, 6), bool), np.zeros((400, 1)), np.eye(2)[np.arange(400) // 2 % 2]
    assert gains_of_clusters(x, *asked).mean() < 0.0


def test_a_column_that_is_constant_says_nothing():
    x = np.zeros((40, 3))
    x[:, 0] = np.random.default_rng(0).normal(size=40)
    asked = np.ones((40, 3), bool), np.zeros((40, 1)), np.eye(2)[np.arange(40) // 2 % 2]
    assert np.isfinite(gains_of_clusters(x, *asked)).all()
    assert np.isfinite(skewness(x, *asked))


@pytest.mark.parametrize(
    ("rows", "is_whole"), [([], True), *(([*rows], False) for rows in ("", [0], [1], [4, 8]))]
)
def test_columns_that_say_nothing_do_not_count(rows, is_whole):
    """They are constant, or a half (which is every other row) lacks them."""
    rng, cluster = np.random.default_rng(0), np.arange(400) // 2 % 2
    x = (1.0 + cluster[:, None]) * rng.normal(size=(400, 5))
    seen, points, indicators = np.ones((400, 5), bool), np.zeros((400, 1)), np.eye(2)[cluster]
    without = gains_of_clusters(x[:, :4], seen[:, :4], points, indicators)
    x[:, 4] = np.isin(np.arange(400), rows) * x[:, 4]
    seen[:, 4] = is_whole or np.isin(np.arange(400), rows)
    gains = gains_of_clusters(x, seen, points, indicators)
    others = np.setdiff1d(np.arange(400), rows)
    np.testing.assert_allclose(gains[others], without[others], rtol=0.1, atol=0.02)
    assert np.isfinite(gains).all()


def test_a_column_that_varies_in_one_row_has_finite_gains():
    x = np.random.default_rng(0).normal(size=(40, 3))
    x[:, 2] = np.arange(40) == 6
    asked = np.ones((40, 3), bool), np.zeros((40, 1)), np.eye(2)[np.arange(40) // 2 % 2]
    assert np.isfinite(gains_of_clusters(x, *asked)).all()


def test_a_whole_image_does_not_place_the_noise_of_a_table():
    """Half of a table beside an image, whose encoder knows nothing of the table's node.

    The log loss was 1.21, and .43 where potentials of whole samples said where likelihoods of
    components are asked; half of the table alone has .06.
    """
    rng, axis = np.random.default_rng(0), np.linspace(-1.0, 1.0, 12)
    nodes = rng.integers(2, size=(900, 2))
    table = STEP * nodes[:, [1]] + np.array([0.5, 1.6])[nodes[:, [1]]] * rng.normal(size=(900, 6))
    left = 0.15 * rng.normal(size=(900, 1, 1)) + np.where(nodes[:, 0], 0.4, -0.4)[:, None, None]
    below = 0.2 * rng.normal(size=(900, 1, 1))
    image = np.exp(-10.0 * ((axis - left) ** 2 + (axis[:, None] - below) ** 2))
    image += 0.1 * rng.normal(size=image.shape)
    half = np.where(rng.random((600, 6)) < 0.5, np.nan, table[300:])
    model = CausalPIMA((2, 2), random_state=0).fit([image[:300], table[:300]])
    assert model.choices_.predicted == ["modality1"]
    truth, agree = nodes[300:, 1], (model.node_labels_ == nodes[:300, [1]]).mean(axis=0)
    k = int(np.argmax(np.abs(agree - 0.5)))
    said = model.predict_nodes([image[300:], half], probabilities=True)[list(model.dag_)[k]]
    told = said[np.arange(600), truth if agree[k] > 0.5 else 1 - truth]
    assert -np.log(told).mean() < 0.12


def test_weights_that_leave_one_row_leave_nothing_to_ask():
    """A mixture of copies of it has no covariance: fits failed."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(80, 6)) + np.hstack(
        [6.0 * rng.integers(2, size=(80, 2)), np.zeros((80, 4))]
    )
    weights = np.ones(80)
    weights[0] = 1e6
    with warnings.catch_warnings(action="ignore"):
        model = CausalPIMA((2, 2), max_iter=1, random_state=0).fit(x, sample_weight=weights)
    assert model.choices_.predicted == []
