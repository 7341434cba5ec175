import itertools
import re
import warnings
from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score
from some_slow import some_slow

from skcausalpima._clustering import over_fitted
from skcausalpima._clustering.candidates import (
    _fits_as_well,
    choose_candidate,
    propose_candidates,
)
from skcausalpima._clustering.clusters import Finder
from skcausalpima._clustering.over_fitted import merge_components, merged_to_all
from skcausalpima.metrics import node_recovery


def finder(number=0, rows=None):
    return Finder(np.random.RandomState(number), rows)


def made(proposals):
    """Return the clusterings that are proposed."""
    return [propose() for propose in proposals]


def _blobs(rng, centres, n=100, scale=1.0):
    labels = np.repeat(np.arange(len(centres)), n)
    return np.asarray(centres, float)[labels] + scale * rng.normal(size=(len(labels), 2)), labels


def _moons(rng, n):
    """Two interleaved arcs: curved clusters whose means lie close together."""
    angle = rng.uniform(0, np.pi, size=2 * n)
    labels = np.repeat([0, 1], n)
    x = np.where(labels, 1 - np.cos(angle), np.cos(angle))
    y = np.where(labels, 0.5 - np.sin(angle), np.sin(angle))
    return np.column_stack([x, y]) + 0.06 * rng.normal(size=(2 * n, 2)), labels


def _cube(rng, n=1500, scale=0.12, n_features=6):
    """Three binary nodes whose effects add up."""
    nodes = rng.integers(0, 2, size=(n, 3))
    directions = np.linalg.qr(rng.normal(size=(n_features, 3)))[0].T * [[1.5], [1.2], [1.0]]
    return nodes @ directions + scale * rng.normal(size=(n, n_features)), nodes


def test_separated_blobs_are_found():
    rng = np.random.default_rng(0)
    points, labels = _blobs(rng, [(0, 0), (12, 0), (0, 12), (12, 12)])
    for clustering in made(finder().mixtures(points, 4, 3)):
        assert adjusted_rand_score(labels, clustering.labels) == 1.0
        np.testing.assert_allclose(clustering.occupancy, 0.25, atol=1e-3)
        np.testing.assert_allclose(clustering.responsibilities.sum(axis=1), 1.0)
        assert clustering.overlap < 1e-3
        assert clustering.source == "mixture of 24 in 2 dimensions"
        # unit variances, centres 12 apart: 12^2 / 2, less sampling error
        assert clustering.separation == pytest.approx(72, rel=0.25)


# All of 20 starts had an adjusted Rand index of 1.
def test_curved_clusters_are_chains_of_components():
    points, labels = _moons(np.random.default_rng(0), 600)
    for clustering in made(finder().mixtures(points, 2, 3)):
        assert adjusted_rand_score(labels, clustering.labels) > 0.98


def _merge_by_definition(responsibilities, n_clusters, min_share):
    """Merge columns and recompute every lift from the samples."""
    groups = [[k] for k in range(responsibilities.shape[1])]
    columns = list(responsibilities.T)
    while len(groups) > n_clusters:
        shares = np.array([column.mean() for column in columns])
        candidates = {}
        for i, j in itertools.permutations(range(len(groups)), 2):
            if shares[i] < min_share or (shares >= min_share).all():
                candidates[i, j] = (columns[i] * columns[j]).mean() / (shares[i] * shares[j])
        i, j = max(candidates, key=candidates.get)
        groups[i], columns[i] = groups[i] + groups[j], columns[i] + columns[j]
        del groups[j], columns[j]
    return {frozenset(group) for group in groups}


@pytest.mark.parametrize("min_share", [0.0, 0.05])
@pytest.mark.parametrize("seed", range(5))
def test_merging_equals_its_definition(seed, min_share, monkeypatch):
    monkeypatch.setattr(over_fitted, "smallest_share", lambda n_clusters: min_share)
    rng = np.random.default_rng(seed)
    responsibilities = rng.dirichlet(rng.uniform(0.02, 0.2, size=12), size=200)
    merged = merge_components(responsibilities, 4)
    groups = {frozenset(np.flatnonzero(merged == k).tolist()) for k in range(4)}
    assert groups == _merge_by_definition(responsibilities, 4, min_share)
    assert merged[0] == 0


@pytest.mark.parametrize("seed", range(4))
def test_all_numbers_of_clusters_are_on_one_way_down(seed):
    """Also where merging on ends in clusters that do not overlap."""
    rng = np.random.default_rng(seed)
    kinds = np.repeat(np.eye(3), 4, axis=1)[rng.integers(3, size=300)]
    weights = rng.dirichlet(np.full(12, 0.3), size=300) * (kinds + 0.01 * (seed % 2)) + 1e-6
    responsibilities = weights / weights.sum(axis=1, keepdims=True)
    found = merged_to_all(responsibilities, 12, min_isolated=5)
    assert list(found) == list(range(12, 1, -1))
    for number, merged in found.items():
        alone = merge_components(responsibilities, number, min_isolated=5)
        np.testing.assert_array_equal(merged, alone)


@pytest.mark.parametrize("kind", ["mixtures", "kmeans"])
def test_clusters_of_a_part_are_those_of_all_samples(kind):
    rng = np.random.default_rng(0)
    kinds = rng.integers(3, size=300)
    points = 9 * np.eye(3)[kinds] + rng.normal(size=(300, 3))
    rows = np.flatnonzero((kinds < 2) | (np.arange(300) % 2 == 0))
    (found,) = made(getattr(finder(0, rows), kind)(points, 3))
    assert found.responsibilities.shape == (300, 3)
    assert adjusted_rand_score(kinds, found.labels) > 0.98
    (lacking,) = made(getattr(finder(0, np.flatnonzero(kinds < 2)), kind)(points, 2))
    assert adjusted_rand_score(kinds[kinds < 2], lacking.labels[kinds < 2]) > 0.98
    assert lacking.labels.shape == (300,)


def test_small_components_go_first():
    responsibilities = np.eye(3)[[0] * 500 + [1] * 499 + [2]]
    responsibilities[-1] = [0.0, 0.4, 0.6]
    np.testing.assert_array_equal(merge_components(responsibilities, 2), [0, 1, 1])


def test_units_of_the_columns_do_not_matter():
    rng = np.random.default_rng(0)
    points, _ = _blobs(rng, [(0, 0), (6, 0), (0, 6)])
    first = made(finder().mixtures(points, 3))[0]
    again = made(finder().mixtures(points * [1e-6, 1e6] + [5, -3], 3))[0]
    np.testing.assert_array_equal(first.labels, again.labels)
    assert again.separation == pytest.approx(first.separation, rel=1e-3)


def test_same_seed_same_clusters_and_global_state_untouched():
    points, _ = _blobs(np.random.default_rng(0), [(0, 0), (4, 0)])
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    first, second = (made(finder(3).mixtures(points, 2, 2)) for _ in range(2))
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a.responsibilities, b.responsibilities)
    np.testing.assert_array_equal(state, np.random.get_state()[1])  # noqa: NPY002


@pytest.mark.parametrize(
    "points",
    [
        np.full((30, 2), 1e6 / 3),
        np.repeat(np.eye(2), 15, axis=0),
        np.eye(3)[:, :2],
        np.ones((1, 2)),
    ],
    ids=["identical", "two points", "fewer samples than clusters", "one sample"],
)
def test_degenerate_points_give_no_nan_and_no_warning(points):
    with warnings.catch_warnings(action="error"):
        candidates = made(finder().mixtures(points, 4))
        candidates += made(finder().kmeans(points, 4))
        chosen, report = choose_candidate(candidates, points, (2, 2), random_state=0)
    for clustering in candidates:
        assert len(clustering.occupancy) <= len(np.unique(points, axis=0))
        assert np.isfinite(clustering.responsibilities).all()
        assert not np.isnan([clustering.separation, clustering.overlap]).any()
    assert chosen is candidates[report.chosen]
    # Fewer clusters than cells are trusted where they do not overlap.
    assert report.qualified.any() == (len(np.unique(points, axis=0)) > 1)
    assert np.isfinite(report.agreement).all()


# All of 20 seeds had an agreement above 0.997.
@pytest.mark.parametrize("seed", some_slow(range(3), [0]))
def test_start_recovers_the_nodes_of_a_cube(seed):
    points, nodes = _cube(np.random.default_rng(seed))
    candidates = propose_candidates(points, (2, 2, 2), random_state=seed, n_candidates=4).all()
    chosen, report = choose_candidate(candidates, points, (2, 2, 2), random_state=seed)
    cells = report.arrangements[report.chosen].cells[chosen.labels]
    found = np.column_stack(np.unravel_index(cells, (2, 2, 2)))
    assert node_recovery(nodes, found).accuracies.mean() > 0.99
    assert report.qualified[report.chosen]


def test_the_majority_wins_whatever_its_gap():
    rng = np.random.default_rng(0)
    points, labels = _blobs(rng, [(0, 0), (3, 0), (0, 3), (3, 3)], scale=0.3)
    good = made(finder().kmeans(points, 4, 1))[0]
    shuffled = [replace(good, labels=rng.integers(0, 4, size=len(labels))) for _ in range(3)]
    candidates = [shuffled[0], good, *shuffled[1:], good]
    chosen, report = choose_candidate(candidates, points, (2, 2))
    assert chosen is good
    assert report.agreement[1] == report.agreement[4] > report.agreement[[0, 2, 3]].max()


def test_a_start_without_a_small_cell_is_preferred():
    rng = np.random.default_rng(0)
    points, _ = _blobs(rng, [(0, 0), (3, 0), (0, 3), (3, 3)], scale=0.3)
    good = made(finder().kmeans(points, 4))[0]
    bad = replace(good, occupancy=np.array([0.4, 0.3, 0.299, 0.001]))
    _, report = choose_candidate([bad, bad, good], points, (2, 2))
    assert report.chosen == 2
    np.testing.assert_array_equal(report.qualified, [False, False, True])
    _, report = choose_candidate([bad, bad], points, (2, 2))
    assert report.chosen == 0


def _crossed(rng, sizes, n=150, n_features=4, spread=3.0):
    """Points where the effects of nodes add up, as principal scores, and their cells."""
    nodes = [rng.integers(0, size, size=n) for size in sizes]
    effects = [rng.normal(size=(size, n_features)) * spread for size in sizes]
    points = rng.normal(size=(n, n_features))
    points += sum(effect[node] for effect, node in zip(effects, nodes, strict=True))
    centred = points - points.mean(axis=0)
    scores = centred @ np.linalg.svd(centred, full_matrices=False)[2].T
    return scores, np.ravel_multi_index(nodes, sizes)


@pytest.mark.parametrize(
    ("sizes", "n", "n_features", "families"),
    [
        ((3, 2), 600, 4, {"over-fitted"}),
        ((3, 2), 480, 12, {"over-fitted", "plain"}),
        ((3, 2), 150, 4, {"over-fitted", "k-means"}),
        ((2, 2), 20, 4, {"k-means"}),
        ((5,), 600, 4, {"over-fitted", "k-means"}),
    ],
)
def test_families_propose_where_there_are_samples_enough(sizes, n, n_features, families):
    points, cells = _crossed(np.random.default_rng(0), sizes, n, n_features, spread=9.0)
    candidates = propose_candidates(points, sizes, random_state=0).all()
    sources = {candidate.source for candidate in candidates}
    names = {
        "plain": "from k-means",
        "k-means": "^k-means",
        "over-fitted": r"mixture .* \d+ dim\w*$",
    }
    found = {name for name, said in names.items() if any(re.search(said, of) for of in sources)}
    assert found == families
    chosen, _ = choose_candidate(candidates, points, sizes)
    assert adjusted_rand_score(cells, chosen.labels) > 0.95


@pytest.mark.slow
@pytest.mark.parametrize(
    ("n", "n_features", "spread", "joined"),
    [(150, 4, 3.0, "k-means"), pytest.param(480, 12, 1.2, "from k-means", marks=pytest.mark.long)],
)
def test_families_that_join_help_where_samples_are_few(n, n_features, spread, joined):
    """Over-fitted mixtures of six cells are too coarse, or differ from each other."""
    found = []
    for seed in range(8):
        points, cells = _crossed(np.random.default_rng(seed), (3, 2), n, n_features, spread)
        candidates = propose_candidates(points, (3, 2), random_state=0).all()
        others = [one for one in candidates if not one.source.endswith(joined)]
        assert 0 < len(others) < len(candidates)
        chosen = [choose_candidate(some, points, (3, 2))[0] for some in (others, candidates)]
        found.append([adjusted_rand_score(cells, one.labels) for one in chosen])
    without, with_them = np.mean(found, axis=0)
    assert with_them > without + 0.02


@pytest.mark.parametrize("n_candidates", some_slow([4, 5, 6, 12], [4, 5]))
def test_as_many_mixtures_are_found_as_asked_for(n_candidates):
    points, _ = _crossed(np.random.default_rng(0), (3, 2), n=600)
    candidates = propose_candidates(points, (3, 2), random_state=0, n_candidates=n_candidates).all()
    assert len(candidates) == n_candidates


#: The first two agree alike: such small differences say nothing, but in misfit and gap they do.
@pytest.mark.parametrize(
    ("agreement", "misfit", "gap", "fits"),
    [
        ([0.850, 0.851, 0.700], [0.05, 0.16, 0.01], [1.5, 1.5, 1.5], [True, False, True]),
        ([0.000, 0.851, 0.700], [0.05, 0.16, 0.01], [1.5, 1.5, 1.5], [True, True, True]),
        ([0.850, 0.851, 0.700], [np.nan] * 3, [1.5, 1.5, 1.5], [True, True, True]),
        ([0.785, 0.798, 0.700], [0.09, 0.08, 0.09], [1.6, 1.1, 9.0], [True, False, True]),
        ([0.785, 0.798, 0.700], [0.09, 0.08, 0.09], [1.6, 1.4, 9.0], [True, True, True]),
        ([0.785, 0.798, 0.700], [0.09, 0.08, 0.09], [1.03, 1.0, 9.0], [True, True, True]),
        ([0.785, 0.798, 0.700], [0.09, 0.08, 0.09], [np.inf, 2.1, 9.0], [True, True, True]),
        ([0.785, 0.798, 0.700], [0.09, 0.08, 0.09], [np.nan] * 3, [True, True, True]),
        ([0.785, 0.798, 0.700], [0.30, 0.08, 0.09], [1.6, 1.1, 9.0], [False, True, True]),
    ],
)
def test_of_those_agreed_with_alike_none_that_fits_much_worse_or_nearly_ties(
    agreement, misfit, gap, fits
):
    eligible = np.array(agreement) > 0
    found = _fits_as_well(*map(np.array, (agreement, misfit, gap)), eligible)
    assert found.tolist() == fits


def test_plain_mixtures_tell_what_all_points_are_from_those_that_are_seen():
    points, labels = _blobs(np.random.default_rng(0), [(0, 0), (9, 0), (0, 9)])
    rows = np.arange(0, 300, 2)
    found = finder(0, rows).plain(points, 3)()
    assert adjusted_rand_score(labels, found.labels) == 1.0
    alone = finder().plain(points[rows], 3)()
    np.testing.assert_allclose(found.responsibilities[rows], alone.responsibilities, atol=1e-3)


def test_plain_mixtures_have_fewer_clusters_where_points_repeat():
    points = np.repeat([[0.0, 0.0], [1.0, 0.0]], 20, axis=0)
    assert finder().plain(points, 3)().occupancy.tolist() == [0.5, 0.5]


# Cells without samples, or with few ------------------------------------------------------------


@pytest.mark.parametrize("sizes", [[400, 300, 300], [700, 400, 25, 12]])
@pytest.mark.parametrize("seed", range(3))
def test_separated_clusters_are_neither_split_nor_swallowed(sizes, seed):
    """Fewer clusters than asked for come back, however small some are."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(sizes)), sizes)
    points = 12.0 * np.array([(0, 0), (1, 0), (0, 1), (1, 1)])[labels]
    clustering = made(finder(seed).mixtures(points + rng.normal(size=points.shape), 6))[0]
    assert adjusted_rand_score(labels, clustering.labels) == 1.0
    assert len(clustering.occupancy) == len(sizes)


def test_one_cluster_is_split_into_as_many_as_asked_for():
    points = np.random.default_rng(0).normal(size=(400, 2))
    assert len(made(finder().mixtures(points, 4))[0].occupancy) == 4


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, *(pytest.param(k, marks=pytest.mark.long) for k in (1, 2))])
def test_rare_cells_of_a_grid_keep_their_place(seed):
    """Nine in ten samples lie in two of the eight cells; one cell has none."""
    rng = np.random.default_rng(seed)
    share = np.array([0.5, 0.01, 0.03, 0.4, 0.02, 0.02, 0.02, 0.0])
    nodes = np.stack(np.unravel_index(rng.choice(8, size=1500, p=share), (2, 2, 2)), axis=1)
    points = nodes @ (4.0 * np.linalg.qr(rng.normal(size=(6, 3)))[0].T)
    points += 0.3 * rng.normal(size=points.shape)
    candidates = propose_candidates(points, (2, 2, 2), random_state=seed).all()
    chosen, report = choose_candidate(candidates, points, (2, 2, 2), random_state=seed)
    cells = report.arrangements[report.chosen].cells[chosen.labels]
    found = np.stack(np.unravel_index(cells, (2, 2, 2)), axis=1)
    # A cell of a handful of samples may join another; training gives it back.
    assert node_recovery(nodes, found).accuracies.min() > 0.99
    assert report.arrangements[report.chosen].gap > 10
