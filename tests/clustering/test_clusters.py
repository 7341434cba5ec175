import itertools
import warnings
from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score
from some_slow import some_slow

from skcausalpima._clustering import over_fitted
from skcausalpima._clustering.candidates import (
    _fits_as_well,
    _mean_agreement,
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
    assert _mean_agreement([found, nodes], (2, 2, 2))[0] > 0.99
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


def test_of_those_agreed_with_alike_none_that_fits_much_worse():
    """An agreement of .851 beside .850 says nothing, a misfit of .16 beside .05 does."""
    agreement, misfit = np.array([0.850, 0.851, 0.700]), np.array([0.05, 0.16, 0.01])
    everything, gap = np.ones(3, dtype=bool), np.full(3, 1.5)
    assert _fits_as_well(agreement, misfit, gap, everything).tolist() == [True, False, True]
    without_first = np.array([False, True, True])
    assert _fits_as_well(agreement, misfit, gap, without_first).tolist() == [True, True, True]
    assert _fits_as_well(agreement, np.full(3, np.nan), gap, everything).all()


def test_of_those_agreed_with_alike_none_that_is_nearly_tied():
    """A next arrangement that fits 1.1 times worse says less than one that fits 1.6 times worse."""
    agreement, misfit = np.array([0.785, 0.798, 0.700]), np.array([0.09, 0.08, 0.09])
    everything = np.ones(3, dtype=bool)
    assert _fits_as_well(agreement, misfit, np.array([1.6, 1.1, 9.0]), everything).tolist() == [
        *(True, False, True)
    ]
    for gap in ([1.6, 1.4, 9.0], [1.03, 1.0, 9.0], [np.inf, 2.1, 9.0], [np.nan] * 3):
        assert _fits_as_well(agreement, misfit, np.array(gap), everything).all()
    much_worse = np.array([0.30, 0.08, 0.09])  # though it is the clearer one
    gap = np.array([1.6, 1.1, 9.0])
    assert _fits_as_well(agreement, much_worse, gap, everything).tolist() == [False, True, True]


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


def test_agreement_ignores_names_of_outcomes_and_of_equal_sized_nodes():
    rng = np.random.default_rng(0)
    nodes = np.column_stack([rng.integers(0, size, size=500) for size in (2, 3, 2)])
    renamed = np.column_stack([1 - nodes[:, 2], (nodes[:, 1] + 1) % 3, nodes[:, 0]])
    assert _mean_agreement([nodes, renamed], (2, 3, 2))[0] == 1.0
    flipped = renamed.copy()
    flipped[:50, 0] = 1 - flipped[:50, 0]  # 50 of 500 labels of one of three nodes
    assert _mean_agreement([nodes, flipped], (2, 3, 2))[0] == pytest.approx(1 - 50 / 500 / 3)


def test_one_node_gets_kmeans_candidates_too():
    points, labels = _blobs(np.random.default_rng(0), [(0, 0), (9, 0), (0, 9), (9, 9), (5, 20)])
    candidates = propose_candidates(points, (5,), random_state=0, n_candidates=4).all()
    assert any(candidate.source == "k-means" for candidate in candidates)
    chosen, report = choose_candidate(candidates, points, (5,))
    assert adjusted_rand_score(labels, chosen.labels) == 1.0
    assert np.isinf(report.gap).all()


def _crossed(rng, sizes, n=150, n_features=4, spread=3.0):
    """Points where the effects of nodes add up, as principal scores, and their cells."""
    nodes = [rng.integers(0, size, size=n) for size in sizes]
    effects = [rng.normal(size=(size, n_features)) * spread for size in sizes]
    points = rng.normal(size=(n, n_features))
    points += sum(effect[node] for effect, node in zip(effects, nodes, strict=True))
    centred = points - points.mean(axis=0)
    scores = centred @ np.linalg.svd(centred, full_matrices=False)[2].T
    return scores, np.ravel_multi_index(nodes, sizes)


@pytest.mark.slow
def test_kmeans_joins_where_a_grid_has_few_samples():
    """Over-fitted mixtures of 150 points of six cells are too coarse to be right."""
    found = []
    for seed in range(8):
        points, cells = _crossed(np.random.default_rng(seed), (3, 2))
        candidates = propose_candidates(points, (3, 2), random_state=0).all()
        mixtures = [c for c in candidates if c.source != "k-means"]
        assert 0 < len(mixtures) < len(candidates)
        chosen = [choose_candidate(c, points, (3, 2))[0] for c in (mixtures, candidates)]
        found.append([adjusted_rand_score(cells, c.labels) for c in chosen])
    without, with_kmeans = np.mean(found, axis=0)
    assert with_kmeans > without + 0.02


@pytest.mark.long
def test_plain_mixtures_join_where_samples_are_few_for_the_largest_number_of_scores():
    """Over-fitted mixtures of 480 points differ from each other in five and six scores."""
    found = []
    for seed in range(8):
        rng = np.random.default_rng(seed)
        points, cells = _crossed(rng, (3, 2), n=480, n_features=12, spread=1.2)
        candidates = propose_candidates(points, (3, 2), random_state=0).all()
        others = [c for c in candidates if not c.source.endswith("from k-means")]
        assert len(candidates) == len(others) + 4
        chosen = [choose_candidate(c, points, (3, 2))[0] for c in (others, candidates)]
        found.append([adjusted_rand_score(cells, c.labels) for c in chosen])
    without, with_plain = np.mean(found, axis=0)
    assert with_plain > without + 0.02


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


def test_only_over_fitted_mixtures_are_found_where_a_grid_has_enough_samples():
    points, _ = _crossed(np.random.default_rng(0), (3, 2), n=600)
    candidates = propose_candidates(points, (3, 2), random_state=0, n_candidates=4).all()
    assert not any(candidate.source.endswith("k-means") for candidate in candidates)


@pytest.mark.parametrize("n_candidates", some_slow([4, 5, 6, 12], [4, 5]))
def test_as_many_mixtures_are_found_as_asked_for(n_candidates):
    points, _ = _crossed(np.random.default_rng(0), (3, 2), n=600)
    candidates = propose_candidates(points, (3, 2), random_state=0, n_candidates=n_candidates).all()
    assert len(candidates) == n_candidates


def test_few_samples_get_kmeans_only():
    points, labels = _blobs(np.random.default_rng(0), [(0, 0), (9, 0), (0, 9), (9, 9)], n=10)
    candidates = propose_candidates(points, (2, 2), random_state=0, n_candidates=4).all()
    assert {candidate.source for candidate in candidates} == {"k-means"}
    chosen, report = choose_candidate(candidates, points, (2, 2))
    assert adjusted_rand_score(labels, chosen.labels) == 1.0
    cells = report.arrangements[report.chosen].cells[chosen.labels]
    nodes = np.column_stack(np.unravel_index(cells, (2, 2)))
    assert _mean_agreement([nodes, np.column_stack([labels % 2, labels // 2])], (2, 2))[0] == 1.0


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
