"""Wide modalities that are linear in latent points: their networks take short steps."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from sklearn.linear_model import LinearRegression
from sklearn.metrics import adjusted_rand_score
from sklearn.preprocessing import PolynomialFeatures
from small_models import small_spec
from some_slow import some_slow

from skcausalpima import CausalPIMA, MultimodalData
from skcausalpima._clustering.margins import LEAST_RATIO
from skcausalpima._fit import whole
from skcausalpima._initialization.initial_sample import InitialSample
from skcausalpima._initialization.linear_parts import (
    NOISELESS,
    linear_modalities,
    noise_share,
    noiseless,
    quadratic_ratio,
)
from skcausalpima._initialization.principal_components import principal_scores
from skcausalpima._model.tensors import TensorData
from skcausalpima.datasets import make_circles_images, make_lattices
from skcausalpima.modules import Batch, ExpertDecoder, line


def wide_tables(seed, n_samples=300, widths=(200,), distance=5.0):
    """Return tables whose means are linear in two nodes, each column of which tells little."""
    rng = np.random.RandomState(seed)
    outcomes = rng.randint(2, size=(n_samples, 2))
    axes = np.linalg.qr(rng.normal(size=(sum(widths), 2)))[0].T
    x = distance * outcomes @ axes + rng.normal(size=(n_samples, sum(widths)))
    return np.split(x, np.cumsum(widths)[:-1], axis=1), outcomes @ [2, 1]


def test_ratio_is_that_of_two_regressions():
    rng = np.random.RandomState(0)
    z, x = rng.normal(size=(90, 2)), rng.normal(size=(90, 5))
    x += np.outer(z[:, 0] * z[:, 1], rng.normal(size=5))
    terms = PolynomialFeatures(2).fit_transform(z)
    assert terms.shape[1] == 6
    sums = [np.square(x - LinearRegression().fit(of, x).predict(of)).sum() for of in (z, terms)]
    expected = (sums[0] - sums[1]) / 3 / (sums[1] / (90 - 6))
    assert_allclose(quadratic_ratio(x, z), expected)
    assert_allclose(quadratic_ratio(x, np.column_stack([z, np.zeros(90)])), expected)


def test_squares_that_do_not_vary_are_none():
    """Of two scores with two values each the product alone is left."""
    rng = np.random.RandomState(0)
    z = 2.0 * rng.randint(2, size=(60, 2)) - 1.0
    x = np.outer(z[:, 0] * z[:, 1], rng.normal(size=4)) + rng.normal(size=(60, 4))
    terms = np.column_stack([z, z[:, 0] * z[:, 1]])
    sums = [np.square(x - LinearRegression().fit(of, x).predict(of)).sum() for of in (z, terms)]
    assert_allclose(quadratic_ratio(x, z), (sums[0] - sums[1]) / (sums[1] / (60 - 4)))


def test_one_degree_of_freedom_is_enough():
    rng = np.random.RandomState(0)
    assert np.isfinite(quadratic_ratio(rng.normal(size=(13, 70)), rng.normal(size=(13, 10))))
    assert quadratic_ratio(rng.normal(size=(12, 70)), rng.normal(size=(12, 10))) == np.inf


def test_ratio_of_noise_is_about_one():
    rng, ratios = np.random.RandomState(1), []
    for _ in range(50):
        z = rng.normal(size=(200, 3)) + 4.0 * rng.randint(2, size=(200, 3))
        ratios.append(quadratic_ratio(z @ rng.normal(size=(3, 80)) + rng.normal(size=(200, 80)), z))
    assert_allclose(np.mean(ratios), 1.0, atol=0.02)
    assert max(ratios) < LEAST_RATIO


@pytest.mark.parametrize("n_columns", [30, 100, 600])
def test_share_of_noise_is_about_one_however_unlike_columns_are(n_columns):
    rng, shares = np.random.RandomState(2), []
    for _ in range(10):
        noise = rng.normal(size=(150, n_columns)) * np.exp(rng.normal(size=n_columns))
        shares.append(noise_share(noise, rng.normal(size=(150, 3))))
    assert_allclose(shares, 1.0, atol=0.1)


def test_share_is_that_of_the_eigenvalues():
    rng = np.random.RandomState(3)
    z, x = rng.normal(size=(70, 2)), rng.normal(size=(70, 20)) @ rng.normal(size=(20, 90))
    rest = x - LinearRegression().fit(z, x).predict(z)
    values, spread = np.linalg.eigvalsh(rest.T @ rest), np.square(rest).sum(axis=0)
    expected = 1 / (1 / (70 - 3) + np.square(spread).sum() / spread.sum() ** 2)
    directions = values.sum() ** 2 / np.square(values).sum()
    assert_allclose(noise_share(x, z), directions / expected)


def beginning(*arrays, n_scores=2):
    """Return samples and their principal scores, with which a fit begins."""
    data = TensorData(Batch(tuple(map(torch.as_tensor, arrays)), None), torch.float64)
    scores = principal_scores(data, n_scores, seed=0)
    return InitialSample(knowledge=None, data=data, scores=scores, views={})


def spec_of(*arrays, **changes):
    return small_spec(tuple(array.shape[1:] for array in arrays), **changes)


def test_wide_noise_beside_scores_is_linear_from_a_width_on():
    rng = np.random.RandomState(0)
    z = rng.normal(size=(200, 2))
    x = 5.0 * z @ rng.normal(size=(2, 64)) + rng.normal(size=(200, 64))
    assert linear_modalities(spec_of(x), beginning(x)) == (0,)
    assert linear_modalities(spec_of(x[:, 1:]), beginning(x[:, 1:])) == ()
    both = x[:, :40], x
    assert linear_modalities(spec_of(*both), beginning(*both)) == (1,)
    curved = x + z[:, :1] ** 2
    assert linear_modalities(spec_of(curved), beginning(curved)) == ()
    smooth = 5.0 * z @ rng.normal(size=(2, 64)) + rng.normal(size=(200, 64)).cumsum(axis=1)
    assert linear_modalities(spec_of(smooth), beginning(smooth)) == ()
    before = replace(beginning(x), scores=None)
    assert linear_modalities(spec_of(x), before) == noiseless(spec_of(x), before) == ()


@pytest.mark.parametrize(
    "changes",
    [
        {"experts": [ExpertDecoder(line, np.arange(70.0))]},
        {"predict_variances": (True,)},
        {"layouts": ((("gaussian", 70),),)},
        {"encoders": [torch.nn.Linear(70, 4)]},
        {"decoders": ["cluster_mlp"]},
        {"encoders": ["conv"]},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_default_networks_of_numbers_alone_are_asked(changes):
    rng = np.random.RandomState(0)
    x = rng.normal(size=(200, 2)) @ rng.normal(size=(2, 70))
    noisy = 5.0 * x + rng.normal(size=x.shape)
    assert noiseless(spec_of(x), beginning(x)) == (0,)
    assert noiseless(spec_of(x, **changes), beginning(x)) == ()
    assert linear_modalities(spec_of(noisy), beginning(noisy)) == (0,)
    assert linear_modalities(spec_of(noisy, **changes), beginning(noisy)) == ()


def test_noise_is_what_scores_leave_of_the_median_sample_in_any_units_and_from_any_origin():
    """Less than a millionth of what varies is none, if scores and samples are fewer."""
    rng = np.random.RandomState(0)
    z, noise = rng.normal(size=(100, 2)), rng.normal(size=(100, 7))
    axes = rng.normal(size=(2, 7))
    x = z @ axes
    noise -= LinearRegression().fit(z, noise).predict(z) + noise @ np.linalg.pinv(axes) @ axes
    sizes = [np.median(np.square(of).sum(axis=1)) for of in (x - np.median(x, axis=0), noise)]
    unit = np.sqrt(NOISELESS * sizes[0] / sizes[1])
    for size, expected in ((0.0, (0,)), (0.9, (0,)), (1.1, ())):
        for scale, origin in ((1.0, 0.0), (1e4, 0.0), (1.0, 100.0)):
            moved = scale * (x + size * unit * noise) + origin
            assert noiseless(spec_of(moved), beginning(moved)) == expected
    few = beginning(x[:7]), beginning(x[:6])  # the mean and two scores, of 7 and of 6 samples
    assert [noiseless(spec_of(x[:7]), of) for of in few] == [(0,), ()]
    assert noiseless(spec_of(x, latent_dim=7), beginning(noise, n_scores=7)) == ()


@pytest.mark.slow
def test_images_are_not_noise_where_the_ratio_is_small(quick):
    """What these images leave has so few directions that the ratio is .94 by chance."""
    lattices = make_lattices(200, random_state=0)
    X = {"image": lattices.images, "stress": lattices.curves}
    est = quick(max_iter=1, views="auto", structure="gradient").fit(X)
    assert est.choices_.linear == []


@pytest.mark.parametrize(("n_samples", "n_scores"), [(3, 1), (9, 1), (40, 0), (12, 11)])
def test_too_little_to_know(n_samples, n_scores):
    rng = np.random.RandomState(2)
    z, x = rng.normal(size=(n_samples, n_scores)), rng.normal(size=(n_samples, 70))
    assert quadratic_ratio(x, z) == np.inf


@pytest.mark.long
def test_training_keeps_what_the_start_has():
    """Steps of one size have lost a tenth of the samples."""
    tables, cells = wide_tables(0, n_samples=2600, widths=(300, 20), distance=4.0)
    train, new = ([x[rows] for x in tables] for rows in (slice(600), slice(600, None)))
    est = CausalPIMA(random_state=0).fit(train)
    assert est.choices_.linear == ["modality0"]
    assert "trained in short steps" in str(est.report(detail="full"))
    cell_of = np.array([np.bincount(cells[:600][est.labels_ == k]).argmax() for k in range(4)])
    right = cell_of[est.predict(new)] == cells[600:]
    said = est.predict_proba(new).max(axis=1)
    assert right.mean() > 0.88
    assert abs(said.mean() - right.mean()) < 0.03


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({}, ["table"]),
        pytest.param({"init": "paper"}, [], marks=pytest.mark.slow),
        pytest.param({"decoder_variance": "predicted"}, [], marks=pytest.mark.slow),
        pytest.param({"encoders": {"table": "conv"}}, [], marks=pytest.mark.long),
    ],
)
def test_which_modalities_are_linear(quick, parameters, expected):
    [table, narrow], _ = wide_tables(1, n_samples=100, widths=(100, 10))
    images = make_circles_images(100, random_state=0).images
    X = MultimodalData({"table": table, "narrow": narrow, "images": images})

    est = quick(max_iter=1, structure="gradient", **parameters).fit(X)
    assert est.choices_.linear == expected


@pytest.mark.long
def test_missing_elements_do_not_matter(quick):
    [table], _ = wide_tables(2)
    table[np.random.RandomState(0).uniform(size=table.shape) < 0.2] = np.nan
    few = table[:, :3].copy()
    table[::7], few[::7] = np.nan, 0.0
    est = quick(max_iter=1, structure="gradient").fit([table, few])
    assert est.choices_.linear == ["modality0"]


@pytest.mark.long
def test_steps_are_a_tenth_as_long(quick, monkeypatch):
    [table], _ = wide_tables(3)

    def path(max_iter, is_linear):
        found = () if not is_linear else (0,)
        monkeypatch.setattr(whole, "linear_modalities", lambda *of: found)
        est = quick(max_iter=max_iter).fit(table)
        return est.reconstruct(table[:20])

    start = path(1, True)
    moved = [np.linalg.norm(path(15, is_linear) - start) for is_linear in (True, False)]
    assert moved[0] < 0.5 * moved[1]


@pytest.mark.slow
def test_continued_fits_and_files_remember(quick, tmp_path):
    [table], cells = wide_tables(4)
    est = quick(max_iter=1, structure="gradient", warm_start=True).fit(table)
    est.save(tmp_path / "fit.model")
    loaded = CausalPIMA.load(tmp_path / "fit.model")
    for of in (est, loaded):
        of.fit(table)
        assert of.choices_.linear == ["modality0"]
        of.partial_fit(table)
        assert of.choices_.linear == ["modality0"]
    assert torch.equal(torch.as_tensor(est.labels_), torch.as_tensor(loaded.labels_))
    assert adjusted_rand_score(cells, est.labels_) > 0.8


def flat_images(n, n_pixels, seed=0):
    """Return images of one grey each, with a gap between two kinds, and these."""
    kinds = np.arange(n) % 2
    greys = np.random.default_rng(seed).integers(0, 60, (n, 1, 1)) + 150 * kinds[:, None, None]
    return greys * np.ones((1, n_pixels, n_pixels)), kinds


@pytest.mark.parametrize(
    ("n", "n_pixels", "dtype"),
    some_slow(
        [(600, 100, float), (3000, 28, float), (600, 28, np.float32), (300, 3, float)],
        [(600, 28, np.float32)],
    ),
)
def test_what_has_no_noise_is_not_trained_away(n, n_pixels, dtype):
    """Such fits ended with all samples in one cell, or with matrices that had no factors."""
    images, kinds = flat_images(n, n_pixels)
    model = CausalPIMA((2,), random_state=0).fit(images.astype(dtype))
    assert adjusted_rand_score(kinds, model.labels_) == 1.0
    assert model._fitted.spec.noiseless == (0,)
    assert model.report().verdict == "told"
    assert np.isfinite(model.score_samples(images.astype(dtype))).all()


def test_noise_of_any_size_is_trained(quick):
    images, _ = flat_images(100, 4)
    noise = 0.2 * np.random.default_rng(1).normal(size=images.shape)
    assert quick((2,)).fit(images + noise)._fitted.spec.noiseless == ()
    table = np.random.default_rng(0).normal(size=(100, 2))  # scores say all of few columns
    assert quick((2,)).fit(table)._fitted.spec.noiseless == ()


def test_one_sample_that_is_far_off_is_not_all_the_variance(quick):
    table = np.random.default_rng(0).normal(size=(100, 6))
    table[0] = 1e6
    assert quick((2,)).fit(table)._fitted.spec.noiseless == ()
