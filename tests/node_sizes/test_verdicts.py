"""Which candidate passes which test, and which of them is taken."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skcausalpima._held_out.held_out import HeldOut
from skcausalpima._held_out.units import Units
from skcausalpima.exceptions import NodeSizesWarning
from skcausalpima.model_selection._choice import choose
from skcausalpima.model_selection._folds import Fold, fit_fold
from skcausalpima.model_selection._verdicts import (
    FoundAgain,
    failures,
    failures_of_starts,
    in_one_order,
    is_settled,
    least_settled,
    least_similarity,
    measure,
    untold,
)


def fold(cells, **changed):
    """Return a fit to a part of the data whose cells are those, and else faultless."""
    n_nodes = cells.shape[1]
    perfect = {
        "names": tuple(f"N{node + 1}" for node in range(n_nodes)),
        "cells": cells,
        "bounds": np.zeros(1),
        "overlap": 0.0,
        "shared": 0.0,
        "pairs": dict.fromkeys(["overlap", "shared"], np.zeros((2, n_nodes), dtype=int)),
        "separation": 9.0,
        "smallest_share": 0.1,
        "agreement": 1.0,
        "gap": 2.0,
        "node_agreements": np.ones(n_nodes),
        "cut": np.zeros(n_nodes, dtype=bool),
        "has_cut_pair": False,
        "told": np.ones(n_nodes, dtype=bool),
    }
    return Fold(**(perfect | changed))


def similarity(first, second, sizes):
    return FoundAgain([fold(first), fold(second)], tuple(sizes)).stability


def test_similarity_of_one_node_is_the_smallest_jaccard():
    rng = np.random.default_rng(0)
    first = rng.integers(3, size=60)
    second = np.where(rng.random(60) < 0.2, rng.integers(3, size=60), np.array([2, 0, 1])[first])
    jaccard = np.array(
        [
            [((first == i) & (second == j)).sum() / ((first == i) | (second == j)).sum()]
            for i, j in enumerate([2, 0, 1])
        ]
    )
    found = similarity(first[:, None], second[:, None], (3,))
    assert_allclose(found, jaccard.min())
    assert 0 < found < 1


@pytest.mark.parametrize("sizes", [(4,), (2, 2), (2, 3), (2, 3, 2)])
def test_similarity_does_not_see_names(sizes):
    rng = np.random.default_rng(1)
    nodes = np.stack([rng.integers(size, size=200) for size in sizes], axis=1)
    renamed = np.stack([rng.permutation(s)[c] for s, c in zip(sizes, nodes.T, strict=True)], axis=1)
    if sizes[0] == sizes[-1]:
        renamed = renamed[:, ::-1]
    assert similarity(nodes, renamed, sizes) == 1.0
    assert similarity(nodes, rng.permutation(nodes), sizes) < 0.5


def test_similarity_sees_the_arrangement():
    """The same four cells; the first of the other nodes is the exclusive or of both."""
    nodes = np.array(list(np.ndindex(2, 2)) * 10)
    other = np.stack([nodes[:, 0] ^ nodes[:, 1], nodes[:, 1]], axis=1)
    cells = [np.ravel_multi_index(n.T, (2, 2))[:, None] for n in (nodes, other)]
    assert similarity(*cells, (4,)) == 1.0
    assert similarity(nodes, other, (2, 2)) < 0.5


def test_cells_that_never_occur_are_no_matter_but_outcomes_are():
    nodes = np.array([[0, 0], [0, 1], [1, 1]] * 5)
    assert similarity(nodes, nodes, (2, 2)) == 1.0
    assert similarity(nodes, nodes, (2, 3)) == 0.0
    assert similarity(nodes[:, :1], nodes[:, :1], (3,)) == 0.0


def choice(node_sizes, bounds=None, supported=None, stability=None, fitted=None, sound=None):
    n = len(node_sizes)
    results = {
        "node_sizes": node_sizes,
        "mean_bound": np.zeros(n) if bounds is None else np.array(bounds),
        "supported": np.ones(n, dtype=bool) if supported is None else np.array(supported),
        "stability": np.ones(n) if stability is None else np.array(stability),
        "fitted": np.ones(n, dtype=bool) if fitted is None else np.array(fitted),
        "failed": [("cell (1,) of 9 samples", *"abc")] * n,
    }
    return node_sizes[choose(results, results["supported"] if sound is None else np.array(sound))]


def test_the_largest_supported_grid_wins_whatever_the_bounds():
    assert choice([(2,), (3,), (4,)], [3.0, 2.0, 1.0]) == (4,)
    assert choice([(4,), (3,), (2,)], [3.0, 2.0, 1.0], [False, True, True]) == (3,)


def test_of_equally_many_cells_most_nodes_and_of_these_the_best_bound():
    candidates, bounds = [(8,), (2, 4), (2, 2, 2), (4, 2)], [5.0, 3.0, 0.0, 4.0]
    assert choice(candidates, bounds) == (2, 2, 2)
    assert choice(candidates, bounds, [True, True, False, True]) == (4, 2)
    assert choice(candidates, bounds, [True, False, False, False]) == (8,)


def test_what_was_not_fitted_is_not_chosen_before_what_was():
    assert choice([(2,), (3,), (4,)], fitted=[True, True, False]) == (3,)


def test_a_grid_that_is_not_told_makes_way_for_as_many_kinds_and_for_no_fewer():
    candidates = [(2, 2), (8,), (2, 2, 2)]
    of_grids = {"sound": [True, True, True], "supported": [True, True, False]}
    assert choice(candidates, **of_grids) == (8,)
    assert choice(candidates, sound=[True, False, True], supported=[True, False, False]) == (
        2,
        2,
        2,
    )
    assert choice(candidates, sound=[True, False, False], supported=[True, False, False]) == (2, 2)


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ([[1, 1]] * 5, ""),
        ([[1, 0], [1, 0], [1, 0], [1, 1], [1, 1]], "N2 in 3 of 5 folds ((4,) claims less"),
        ([[1, 1, 0]] * 5, ""),  # two of three nodes tell
        ([[1, 0, 0]] * 5, "N2 in 5 of 5 folds, N3 in 5 of 5 folds ((8,) claims less"),
    ],
)
def test_grids_are_asked_for_nodes_that_are_told(told, said):
    sizes = (2,) * len(told[0])
    nodes = np.array(list(np.ndindex(*sizes)) * 8)
    folds = [fold(nodes, told=np.array(of, dtype=bool)) for of in told]
    found = untold(folds, sizes)
    assert (found == ()) if not said else (said in found[0])
    assert failures(folds, sizes) == ()


def test_nodes_that_change_places_take_along_what_is_known_of_them():
    nodes = np.array(list(np.ndindex(2, 2)) * 8)
    known = {"told": [True, False], "cut": [False, True], "node_agreements": [1.0, 0.5]}
    known = {name: np.array(of) for name, of in known.items()}
    swapped = fold(1 - nodes[:, ::-1], **{name: of[::-1] for name, of in known.items()})
    first, second = in_one_order([fold(nodes, **known), swapped], (2, 2))
    for name, of in known.items():
        assert_array_equal(getattr(first, name), of)
        assert_array_equal(getattr(second, name), of)
    assert_array_equal(second.cells, nodes)


def test_folds_that_are_to_come_may_still_tell():
    nodes = np.array(list(np.ndindex(2, 2)) * 8)
    told = [fold(nodes, told=np.array(of)) for of in ([True, True], [True, False])]
    assert is_settled([told[0]] * 4, (2, 2), 5)
    assert not is_settled([told[0], told[1]] * 2, (2, 2), 5)
    assert is_settled([told[1]] * 3 + [told[0]], (2, 2), 5)


def test_one_poor_fit_of_five_does_not_decide():
    good, poor = np.arange(60)[:, None] % 3, np.arange(60)[:, None] // 20
    folds = [[fold(good)] * 4 + [fold(poor)], [fold(good)] * 3 + [fold(poor)] * 2]
    found = measure([(3,), (3,)], folds, [failures(of, (3,)) for of in folds])
    assert found["stability"][0] == 1.0
    assert found["stability"][1] < 0.5
    assert_array_equal(found["supported"], [True, False])


def test_no_support_is_said():
    with pytest.warns(NodeSizesWarning, match=r"one, \(3,\), is taken: cell \(1,\) of 9"):
        assert choice([(2,), (3,)], None, [False, False], [0.1, 0.2]) == (3,)


def two_fits(n_small, n_moved):
    """Return fits to a small cell and three of 2000, some of whose samples one fit puts there."""
    first = np.repeat([0, 1, 2, 3], [2000, 2000, 2000, n_small])[:, None]
    second = first.copy()
    second[:n_moved] = 3
    return [fold(first), fold(second)]


@pytest.mark.parametrize(
    ("n_small", "n_moved", "found"),
    [(28, 7, True), (28, 10, False), (6, 2, True), (190, 43, True), (190, 60, False)],
)
def test_what_is_asked_of_a_cell_knows_how_many_samples_it_has(n_small, n_moved, found):
    """28 samples beside 7 others are 0.80, which is less than 0.85 by chance."""
    again = FoundAgain(two_fits(n_small, n_moved), (4,))
    assert_allclose(again.stability, n_small / (n_small + n_moved))
    assert (again.failures() == []) == found


def test_large_cells_are_asked_for_the_whole():
    assert 0.843 < least_similarity(np.array([10_000])) < 0.85


def grids(n_moved):
    """Return fits to a grid of 100 samples in one cell, 300 in the others, some of which move."""
    first = np.repeat(np.array(list(np.ndindex(2, 2, 2))), [100, *[300] * 7], axis=0)
    second = first.copy()
    second[100 : 100 + n_moved] = 0  # from the next cell, which differs in the last node
    return [fold(first), fold(second)]


def test_a_cell_of_a_grid_is_asked_for_less_than_outcomes():
    """What is wrong in any of its nodes is wrong in the cell."""
    assert FoundAgain(grids(60), (2, 2, 2)).failures() == []
    assert FoundAgain(grids(100), (2, 2, 2)).failures() == [
        "cell (0, 0, 0) of 150 samples: similarity 0.50, asked 0.56"
    ]


def test_an_outcome_of_a_grid_is_asked_for_the_whole():
    """A fifth of an outcome goes elsewhere, of each of its cells alike."""
    first = np.repeat(np.array(list(np.ndindex(2, 2))), [100, 100, 1000, 1000], axis=0)
    second = first.copy()
    second[200:1200][:25], second[1200:][:25] = [0, 0], [0, 1]
    reasons = FoundAgain([fold(first), fold(second)], (2, 2)).failures()
    assert reasons == ["N1 = 0 of 225 samples: similarity 0.80, asked 0.81"]


def test_the_table_says_which_cell_fails_which_test():
    (reason,) = FoundAgain(two_fits(28, 12), (4,)).failures()
    assert reason == "cell (3,) of 34 samples: similarity 0.70, asked 0.76"
    good = np.array(list(np.ndindex(2, 2)) * 10)
    pairs = {"overlap": np.array([[0, 1], [1, 1]]), "shared": np.array([[1, 0], [0, 0]])}
    apart = {"overlap": 1.7, "shared": 0.3, "pairs": pairs}
    ties = {"node_agreements": np.array([1.0, 0.25])}
    assert failures([fold(good, **apart, **ties)] * 3, (2, 2)) == (
        "cells (0, 1) and (1, 1): overlap 1.70, below 1.0 asked",
        "cells (1, 0) and (0, 0): shared 0.30, below 0.2 asked",
        "N2: near tie, adjusted Rand index 0.25",
    )


def test_another_cell_in_each_pair_of_fits_is_no_failure():
    first = np.arange(800)[:, None] % 8
    fits = [fold(first)]
    for cell in range(4):  # three tenths of it go elsewhere
        cells = first.copy()
        cells[np.flatnonzero(first[:, 0] == cell)[:30]] = 7 - cell
        fits.append(fold(cells))
    found = FoundAgain(fits, (8,))
    assert found.stability < 0.75
    assert found.failures() == []


def test_what_a_fit_is_asked_for(quick):
    """Two cells beside each other, in the probabilities of all samples."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(90, 2)) + 12 * np.eye(2)[rng.integers(2, size=90)]
    (part,) = HeldOut.splits(Units(90), [(np.arange(60), np.arange(60, 90))]).parts
    found = fit_fold(quick((2,)), X, part)
    assert found.cells.shape == (90, 1)
    assert found.bounds.shape == (30,)
    assert found.shared < 0.01
    cells = [pair[:, 0].tolist() for pair in found.pairs.values()]
    assert all(sorted(pair) == [0, 1] for pair in cells)
    assert np.isnan(found.node_agreement)


def test_an_outcome_without_samples_is_told():
    none = np.array([[0, 0], [1, 0]] * 20)
    (reason,) = FoundAgain([fold(none)] * 3, (2, 2)).failures()
    assert reason == "N2: an outcome has no samples in 3 of 3 folds"


def test_a_node_without_gaps_in_most_fits_is_not_supported():
    cells = np.arange(60)[:, None] // 30
    has, has_not = fold(cells), fold(cells, cut=np.array([True]))
    assert failures([has, has, has_not], (2,)) == ()
    said = "N1: no gap between its outcomes in 2 of 3 folds"
    assert failures([has, has_not, has_not], (2,)) == (said,)
    assert failures_of_starts([has, has_not, has_not], (2,)) == (f"in the start, {said}",)


def test_two_cells_without_a_gap_in_most_fits_are_not_supported():
    """Of a ring in three pieces some two have none, though all together do not tell."""
    has, has_not = (fold(np.arange(60)[:, None] % 3, has_cut_pair=of) for of in (False, True))
    assert failures([has, has, has_not], (3,)) == ()
    assert failures([has, has_not, has_not], (3,)) == ("no gap between two cells in 2 of 3 folds",)
    assert failures_of_starts([has_not] * 3, (3,)) == ()  # training may mend it


def test_the_start_is_asked_for_less():
    """Training mends what is found again in part, and small cells."""
    first = np.repeat(np.array(list(np.ndindex(2, 2))), [20, 180, 200, 200], axis=0)
    part, none, few = first.copy(), first.copy(), first.copy()
    part[:60, 0], none[:160, 0] = 1, 1  # of 200
    few[:20] = [0, 1]
    for other, in_the_start in [(part, False), (none, True), (few, False)]:
        folds = [fold(first), fold(other)]
        assert failures(folds, (2, 2))
        assert bool(failures_of_starts(folds, (2, 2))) == in_the_start


@pytest.mark.slow
def test_what_is_settled_stays_whatever_comes():
    rng, settled = np.random.default_rng(0), []
    right = np.arange(120)[:, None] % 2
    for _ in range(300):
        folds = []
        for _ in range(5):
            wrong = rng.random((120, 1)) < rng.choice([0.0, 0.05, 0.3])
            odd = dict.fromkeys(["overlap", "shared"], 2.0) if rng.random() < 0.2 else {}
            cut = rng.random(1) < 0.3
            folds.append(fold(np.where(wrong, 1 - right, right), cut=cut, **odd))
        if is_settled(folds[:4], (2,), 5):
            passes = [not failures(of, (2,)) for of in (folds[:4], folds)]
            assert passes[0] == passes[1]
            settled.append(passes[0])
        assert not is_settled(folds[:2], (2,), 5)
    assert 20 < sum(settled) < len(settled) - 20


@pytest.mark.parametrize("n_folds", range(2, 12))
def test_faultless_fits_settle_as_early_as_can_be(n_folds):
    whole = fold(np.arange(60)[:, None] % 3)
    numbers = [k for k in range(2, n_folds + 1) if is_settled([whole] * k, (3,), n_folds)]
    assert numbers == list(range(least_settled(n_folds), n_folds + 1))
