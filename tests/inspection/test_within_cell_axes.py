"""Axes within cells."""

import datetime

import numpy as np
import pandas as pd
import pytest
from nodes_by_hand import global_state
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.cluster import KMeans
from sklearn.exceptions import NotFittedError

from skcausalpima import CausalPIMA
from skcausalpima.inspection import within_cell_axes
from skcausalpima.modules import ExpertDecoder, line

pytestmark = pytest.mark.short_fits
RNG = np.random.default_rng(0)
N = 160
KIND, HEAT = np.repeat([0, 1], N // 2), RNG.uniform(-2, 2, size=N)
TABLE = np.stack([9.0 * KIND, 4 * HEAT, 3 * HEAT, -9.0 * KIND], axis=1)
TABLE = TABLE + RNG.normal(size=TABLE.shape)
CURVES = 5 * HEAT[:, None] * np.linspace(0, 1, 8) + 9 * KIND[:, None]
CURVES = CURVES + RNG.normal(size=CURVES.shape)


@pytest.fixture(scope="module")
def heated(taught):
    """A fit of two modalities, which a node of two kinds and a factor without steps move."""
    return taught(2, max_iter=6).fit([TABLE, CURVES])


@pytest.fixture(scope="module")
def axes(heated):
    metadata = {"heat": HEAT, "kind": KIND, "noise": RNG.normal(size=N), "one": np.ones(N)}
    return within_cell_axes(heated, [TABLE, CURVES], n_axes=2, metadata=metadata)


def test_the_factor_is_the_first_axis(axes):
    for kind in (0, 1):
        found = np.corrcoef(axes.coordinates[kind == KIND, 0], HEAT[kind == KIND])[0, 1]
        assert abs(found) > 0.95
    assert axes.shares[0] > 0.8
    assert 0 < axes.shares.sum() <= 1 + 1e-9
    assert (np.diff(axes.shares) <= 0).all()


def test_what_is_said_of_metadata(axes):
    assert axes.held == ("held", "held", "not in the data", "not asked")
    cell, first, _, together, ridge = axes.r2[:, 0]
    assert cell < 0.1
    assert min(first, together, ridge) > 0.9
    assert axes.r2[0, 1] > 0.99
    assert np.isnan(axes.r2[:, 3]).all()


def test_a_second_factor_is_not_held_by_one_axis(taught):
    light = RNG.uniform(-2, 2, size=N)
    X = np.hstack([TABLE, 2.0 * light[:, None] + RNG.normal(size=(N, 3))])
    est = taught(2, max_iter=6).fit(X)
    held = [
        within_cell_axes(est, X, n_axes=n_axes, metadata={"heat": HEAT, "light": light}).held
        for n_axes in (1, 2)
    ]
    assert held == [("held", "not held"), ("held", "held")]


def test_coordinates_are_those_of_singular_vectors(heated, axes):
    """They are 0 in the mean of cells, orthogonal, and as long as the shares say."""
    for component in (0, 1):
        inside = axes.coordinates[axes.components == component]
        assert_allclose(inside.mean(axis=0), 0, atol=1e-4)
    squares = axes.coordinates.T @ axes.coordinates
    assert_allclose(squares[0, 1], 0, atol=1e-3 * squares[0, 0])
    assert_allclose(squares[1, 1] / squares[0, 0], axes.shares[1] / axes.shares[0], rtol=1e-3)
    few = within_cell_axes(heated, [TABLE, CURVES], n_axes=1)
    assert_allclose(few.coordinates, axes.coordinates[:, :1], atol=1e-3)
    assert few.r2.shape == (4, 0)


def test_axes_are_those_of_what_is_decoded(heated, axes):
    """From end to end of the first path, both modalities move as the factor does."""
    path = axes.paths[:, 0, [0, -1]]
    for component in (0, 1):
        table, curves = heated.inverse_transform(path[component])
        sign = np.sign(table[1, 1] - table[0, 1])
        moved = sign * (table[1] - table[0])
        assert moved[1] > 3 * max(abs(moved[0]), abs(moved[3]))
        assert 0.4 < moved[2] / moved[1] < 1.1
        assert sign * (curves[1, -1] - curves[0, -1]) > 3 * abs(curves[1, 0] - curves[0, 0])


def test_the_order_of_samples_does_not_matter(heated, axes):
    order = np.random.default_rng(1).permutation(N)
    found = within_cell_axes(heated, [TABLE[order], CURVES[order]], n_axes=2)
    assert_allclose(found.coordinates, axes.coordinates[order], atol=1e-3)


def test_missing_entries_are_left_out(heated, axes):
    few = np.where(np.arange(N) % 2, HEAT, np.nan)
    found = within_cell_axes(
        heated,
        [TABLE, CURVES],
        metadata=pd.DataFrame({"heat": few, "rare": np.where(np.arange(N) < 20, HEAT, np.nan)}),
    )
    assert found.held == ("held", "not asked")


def test_what_is_shown(axes):
    frame = axes.to_frame()
    assert list(frame.index) == ["cell", "axis 1", "axis 2", "all axes", "ridge"]
    assert_allclose(frame["heat"], axes.r2[:, 0])
    assert_allclose(frame.loc["all axes", "share"], axes.shares.sum())
    text, page = str(axes), axes._repr_html_()
    for part in ("axis 1", "R^2 of heat", "heat: held", "noise: a ridge", "one: not asked"):
        assert part in text
        assert part in page
    assert "N1: kinds" in text


def test_names_are_escaped(heated):
    page = within_cell_axes(heated, [TABLE, CURVES], metadata={"<b>": HEAT})._repr_html_()
    assert "&lt;b&gt;" in page
    assert "R^2 of <b>" not in page


@pytest.mark.slow
def test_outcomes_of_a_line_are_in_a_row_and_no_kinds(quick):
    along = np.random.default_rng(0).uniform(-1, 1, size=1200)
    X = 12 * along[:, None] * [0.6, 0.8] + np.random.default_rng(1).normal(size=(1200, 2))
    est = quick(3, max_iter=5).fit(X)
    found = within_cell_axes(est, X)
    assert found.steps != ("kinds",)
    assert found.in_a_row.all()
    means = [along[est.node_labels_[:, 0] == outcome].mean() for outcome in found.order[0]]
    assert (np.diff(means) > 0).all() or (np.diff(means) < 0).all()


@pytest.mark.slow
def test_files_keep_rows(quick, tmp_path):
    rng = np.random.default_rng(0)
    two, three = rng.integers(2, size=150), rng.integers(3, size=150)
    X = np.stack([8.0 * two, 7.0 * three, 7.0 * three], axis=1) + rng.normal(size=(150, 3))
    est = quick((2, 3)).fit(X)
    est.save(tmp_path / "model")
    loaded = CausalPIMA.load(tmp_path / "model").arrangement_
    assert_array_equal(est.arrangement_.in_a_row, [False, True])
    assert loaded == est.arrangement_
    assert_array_equal(within_cell_axes(est, X).order[1], est.arrangement_.order[1])


@pytest.mark.parametrize(
    ("metadata", "error", "words"),
    [
        ({"a": ["x"] * N}, TypeError, "'a' of metadata must hold numbers, got 'x'"),
        ({"a": ["1.5"] * N}, TypeError, "to_numeric"),
        ({"a": [datetime.date(2020, 1, 1)] * N}, ValueError, "dates"),
        ({"a": np.ones(3)}, ValueError, r"must have shape \(160,\).* got \(3,\)"),
        ({"a": np.append(np.inf, HEAT[1:])}, ValueError, "holds inf: expected finite"),
        ({}, ValueError, "no columns"),
        (HEAT, ValueError, r"reshape\(-1, 1\)"),
    ],
    ids=str,
)
def test_metadata_that_cannot_be_read(heated, metadata, error, words):
    with pytest.raises(error, match=words):
        within_cell_axes(heated, [TABLE, CURVES], metadata=metadata)


def test_other_bad_input(heated):
    with pytest.raises(ValueError, match="n_axes"):
        within_cell_axes(heated, [TABLE, CURVES], n_axes=0)
    with pytest.raises(ValueError, match="one sample: axes need two"):
        within_cell_axes(heated, [TABLE[:1], CURVES[:1]])
    with pytest.raises(TypeError, match="needs a fitted CausalPIMA as est, got KMeans"):
        within_cell_axes(KMeans(), TABLE)
    with pytest.raises(NotFittedError):
        within_cell_axes(CausalPIMA(2), TABLE)


def test_more_axes_than_directions_and_few_samples(heated):
    assert within_cell_axes(heated, [TABLE, CURVES], n_axes=500).shares.size <= 12
    few = within_cell_axes(heated, [TABLE[:5], CURVES[:5]], metadata={"heat": HEAT[:5]})
    assert few.held == ("not asked",)
    assert np.isnan(few.paths[1 - few.components[0]]).all()


def test_incomplete_samples(heated):
    table = TABLE.copy()
    table[::5] = np.nan
    found = within_cell_axes(heated, [table, CURVES], metadata={"heat": HEAT})
    assert found.held == ("held",)
    assert np.isfinite(found.coordinates).all()


def test_experts_per_cluster_have_no_axes(quick):
    x = np.arange(6.0)
    X = (1 + KIND)[:, None] * x + np.random.default_rng(0).normal(size=(N, 6))
    est = quick(2, experts=[ExpertDecoder(line, x)]).fit(X)
    with pytest.raises(ValueError, match="decoders make the same of all samples of a cell"):
        within_cell_axes(est, X)


def test_discrete_columns(quick):
    frame = pd.DataFrame({"a": TABLE[:, 1], "b": TABLE[:, 0], "word": np.where(KIND, "x", "y")})
    est = quick(2).fit(frame)
    found = within_cell_axes(est, frame, metadata={"heat": HEAT})
    assert np.isfinite(found.coordinates).all()
    assert found.held == ("held",)


def test_offsets_of_contexts_are_no_axis(quick):
    frame = pd.DataFrame(TABLE, columns=list("abcd"))
    frame["site"] = np.where(np.arange(N) % 2, "here", "there")
    frame.loc[frame["site"] == "here", ["b", "c"]] += 20.0
    found = within_cell_axes(quick(2, contexts="site").fit(frame), frame, metadata={"heat": HEAT})
    assert found.held == ("held",)
    there = np.arange(N) % 2
    assert abs(np.corrcoef(found.coordinates[:, 0], there)[0, 1]) < 0.3


def test_global_random_numbers_are_left_alone(heated):
    before = global_state()
    within_cell_axes(heated, [TABLE, CURVES], metadata={"heat": HEAT})
    assert_array_equal(global_state(), before)
