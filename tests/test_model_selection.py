"""Choosing node sizes: what it finds, and what it refuses."""

import warnings
from functools import partial

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import KFold, ShuffleSplit

from skcausalpima import CausalPIMA, MissingValues, MultimodalData
from skcausalpima._base.progress_lines import ProgressLines
from skcausalpima._held_out.fits import completed, warnings_once
from skcausalpima.datasets import load_digits_with_curves, make_circles_images
from skcausalpima.exceptions import InstabilityWarning, NodeSizesWarning
from skcausalpima.model_selection import select_node_sizes


@pytest.fixture(scope="module")
def groups():
    """Three groups of images and curves, well apart."""
    rng = np.random.default_rng(0)
    group = rng.integers(3, size=120)
    images = rng.normal(size=(120, 3, 2)) + 6.0 * group[:, None, None]
    return [images, rng.normal(size=(120, 4)) + 6.0 * (group == 1)[:, None]]


@pytest.fixture(scope="module")
def grid():
    """Two binary factors, each of which moves both modalities."""
    rng = np.random.default_rng(1)
    factors = rng.integers(2, size=(200, 2))
    return [rng.normal(size=(200, 5)) + factors @ rng.normal(size=(2, 5)) * 6 for _ in range(2)]


# The whole -------------------------------------------------------------------------------------


def test_three_groups(quick, groups):
    selection = select_node_sizes(quick(max_iter=1), groups, [(2,), (3,), (2, 3)], cv=3)
    assert selection.best_node_sizes == (3,)
    assert selection.best_estimator.node_sizes == (3,)
    expected = quick((3,), max_iter=1).fit(MultimodalData(groups))
    assert_array_equal(selection.best_estimator.labels_, expected.labels_)
    results = selection.results
    assert results["node_sizes"] == [(2,), (3,), (2, 3)]
    assert all(len(values) == 3 for values in results.values())
    assert results["stability"][1] > 0.9
    assert results["separation"][1] > results["separation"][2]
    assert results["supported"].dtype == bool
    for name in ("gap", "node_agreement"):
        assert_array_equal(np.isnan(results[name]), [True, True, False])


def test_rows_without_any_value_are_a_tenth_of_the_whole_and_not_of_each_fold(quick, groups):
    images, curves = (array.copy() for array in groups)
    images[:12] = curves[:12] = np.nan
    folds = [np.arange(60), np.arange(60, 120)]  # of the first a fifth
    selection = select_node_sizes(quick(max_iter=1), [images, curves], [3], cv=[folds, folds[::-1]])
    assert_array_equal(selection.best_estimator.separation_.without_values, range(12))
    images[12] = curves[12] = np.nan
    for candidates in ([3], None):
        with pytest.raises(ValueError, match="13 of 120 rows have no value at all"):
            select_node_sizes(quick(), [images, curves], candidates)


@pytest.mark.long
def test_a_grid_rather_than_its_cells(quick, grid):
    selection = select_node_sizes(quick(), grid, [(4,), (2, 2), (2, 3)])
    assert selection.best_node_sizes == (2, 2)
    results = selection.results
    assert results["supported"].tolist() == [False, True, False]
    assert results["fitted"].tolist() == [False, True, False]
    assert results["failed"][0] == ("not fitted: (2, 2), which says more, is supported",)
    assert results["failed"][2][0].startswith("in the start, ")
    assert np.isnan(results["mean_bound"]).tolist() == [True, False, True]


@pytest.mark.long
def test_bounds_are_those_of_held_out_samples(quick, groups):
    X = MultimodalData(groups)
    cv = ShuffleSplit(2, test_size=0.3, random_state=0)
    selection = select_node_sizes(quick(), X, [(3,)], cv=cv)
    bounds = [quick((3,)).fit(X[a]).score(X[b]) for a, b in cv.split(X)]
    assert_allclose(selection.results["mean_bound"], [np.mean(bounds)], rtol=1e-12)
    assert_allclose(selection.results["std_bound"], [np.std(bounds)], rtol=1e-9)


@pytest.mark.long
@pytest.mark.filterwarnings("ignore::skcausalpima.exceptions.NodeSizesWarning")  # half of 120 rows
def test_forms_of_data_and_parallel_fits_agree(quick, groups):
    names = ["image", "curve"]
    flat = np.hstack([array.reshape(120, -1) for array in groups])
    forms = [
        (quick(), groups, None),
        (quick(), dict(zip(names, groups, strict=True)), 2),
        (quick(), MultimodalData.from_flat(flat, [(3, 2), (4,)]), None),
    ]
    stabilities = [
        select_node_sizes(estimator, X, [(2,), (3,)], cv=2, n_jobs=n_jobs).results["stability"]
        for estimator, X, n_jobs in forms
    ]
    for stability in stabilities[1:]:
        assert_array_equal(stability, stabilities[0])


@pytest.mark.filterwarnings("ignore::skcausalpima.exceptions.NodeSizesWarning")  # half of 120 rows
def test_nodes_keep_their_names(brief, groups):
    model = brief({"group": 2})
    selection = select_node_sizes(model, groups, [3], cv=2)
    assert selection.best_node_sizes == (3,)
    assert dict(selection.best_estimator.dag_.nodes(data="size")) == {"group": 3}
    with pytest.raises(ValueError, match=r"node_sizes names 1 nodes, \['group'\], but 2 sizes"):
        select_node_sizes(model, groups, [3, (2, 2)], cv=2)


@pytest.mark.parametrize("candidates", [[], [(2,), (3,), (2,)], [2, (2,)]])
def test_candidates_are_several(quick, groups, candidates):
    with pytest.raises(ValueError, match=r"at least one node_sizes.* and none twice"):
        select_node_sizes(quick(), groups, candidates)


def test_grids_larger_than_the_data_are_refused_before_anything_is_fitted(groups):
    never = CausalPIMA(max_iter=10**6)
    with pytest.raises(ValueError, match=r"\(4, 8, 4\), a grid of 128 cells.*has 96 samples"):
        select_node_sizes(never, groups, [2, (4, 8, 4)])


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::skcausalpima.exceptions.InstabilityWarning")
def test_outcomes_that_the_data_lack_are_named(quick):
    with pytest.warns(NodeSizesWarning, match="is taken: in the start, N1: an outcome"):
        selection = select_node_sizes(quick(), np.ones((40, 3)), [2], cv=2)
    (failed,) = selection.results["failed"]
    assert failed[0].startswith("the last fit is alarmed: [")
    assert failed[1] == "in the start, N1: an outcome has no samples in 2 of 2 folds"


@pytest.mark.long
def test_a_fold_without_a_cell_is_no_error(quick, groups):
    """One training set in five lacks a kind: the others' fits still agree."""
    X = MultimodalData(groups)
    kind = (groups[1].mean(axis=1) > 3).astype(int)
    rows = np.arange(len(kind))
    lacking = np.flatnonzero(kind == 0), np.flatnonzero(kind == 1)
    cv = [lacking, *((rows[rows % 4 != k], rows[rows % 4 == k]) for k in range(4))]
    selection = select_node_sizes(quick(), X, [2, 3], cv=cv)
    assert selection.best_node_sizes == (3,)
    assert selection.results["failed"][1] == ()


@pytest.mark.slow
def test_twenty_samples_are_answered_with_a_warning(quick):
    X = np.random.default_rng(0).normal(size=(20, 4))
    with pytest.warns(NodeSizesWarning, match=r"cell \(0,\) of \d+ samples: similarity"):
        selection = select_node_sizes(quick(max_iter=1), X, cv=2)
    assert len(selection.results["node_sizes"]) >= 1


def test_one_fold_has_nothing_to_compare_with(quick, groups):
    with pytest.raises(ValueError, match=r"at least two folds.* got one"):
        select_node_sizes(quick(), groups, [(2,)], cv=ShuffleSplit(1, random_state=0))


@pytest.mark.slow
def test_noise_is_told_without_a_fit_to_a_fold(quick, monkeypatch):
    def never(*arguments):
        raise AssertionError("what fails in the start is not fitted")

    monkeypatch.setattr("skcausalpima.model_selection._judged.fit_fold", never)
    noise = np.random.default_rng(0).normal(size=(200, 6))
    with pytest.warns(NodeSizesWarning, match="is taken: in the start, "):
        selection = select_node_sizes(quick(max_iter=1), noise, [2, 3, (2, 2)])
    assert not selection.results["fitted"].any()
    assert selection.best_estimator.node_sizes == selection.best_node_sizes


def test_where_no_start_is_known_all_are_fitted(brief, groups):
    with warnings.catch_warnings(action="ignore"):
        selection = select_node_sizes(brief(), groups, [2, 3], cv=2)
    assert selection.results["fitted"].all()
    assert np.isfinite(selection.results["mean_bound"]).all()


# Without candidates ------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore::skcausalpima.exceptions.NodeSizesWarning")
def test_what_is_proposed_is_told_before_anything_is_fitted(brief, groups, capsys, monkeypatch):
    stated = []

    def proposed(estimator, X, n_training, units):
        stated.append(n_training)
        return [(2,), (3,)]

    monkeypatch.setattr("skcausalpima.model_selection._select_node_sizes.proposed", proposed)
    selection = select_node_sizes(brief(), groups, cv=2, verbose=1)
    assert selection.results["node_sizes"] == [(2,), (3,)]
    first, second, *_ = capsys.readouterr().out.splitlines()
    assert first == "[select_node_sizes] candidates: (2,), (3,)"
    assert second.startswith("[select_node_sizes] (3,): 1 of 2 fits, ")
    assert stated == [60]


@pytest.mark.slow
def test_a_grid_is_found_without_candidates(quick, grid):
    assert select_node_sizes(quick(), grid).best_node_sizes == (2, 2)


# The claim: seeds on which the rule was not made --------------------------------------------------


def found(X, candidates, seed):
    bare = MissingValues(subset_epochs=0)
    model = CausalPIMA(max_iter=10, missing_values=bare, random_state=seed)
    return select_node_sizes(model, X, candidates, cv=3).best_node_sizes


@pytest.mark.long
@pytest.mark.filterwarnings("ignore::skcausalpima.exceptions.NodeSizesWarning")
def test_digits_are_ten():
    seed = 320
    data = load_digits_with_curves(random_state=seed)
    candidates = [(8,), (10,), (2, 5)]
    assert found([data.images, data.curves], candidates, seed) == (10,)


@pytest.mark.filterwarnings("ignore::skcausalpima.exceptions.NodeSizesWarning")
@pytest.mark.long
def test_ints_are_single_nodes_and_progress_is_printed(quick, groups, capsys):
    model = quick(max_iter=1)
    selection = select_node_sizes(model, groups, [2, (2, 2)], cv=2)
    assert capsys.readouterr() == ("", "")
    assert selection.results["node_sizes"] == [(2,), (2, 2)]
    again = select_node_sizes(model, groups, [(2,), (2, 2)], cv=2, verbose=2)
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) == 2
    assert printed[-1] == "[select_node_sizes] (2, 2): 2 of 2 fits, 0:00 left"
    assert_array_equal(again.results["mean_bound"], selection.results["mean_bound"])


@pytest.mark.long
def test_a_cell_of_28_samples_of_1500_discs():
    """Its similarity of 0.80 was less than the 0.85 that were asked of cells of any size."""
    data, seed = make_circles_images(3000, random_state=101), 101
    cell = np.ravel_multi_index(data.factors.T, (2, 2, 2))
    few, rng = np.bincount(cell).argmin(), np.random.RandomState(seed)
    rare = rng.permutation(np.flatnonzero(cell == few))[:28]
    rest = rng.permutation(np.flatnonzero(cell != few))[:1472]
    X = data.images[rng.permutation(np.concatenate([rare, rest]))]
    selection = select_node_sizes(CausalPIMA(random_state=seed), X, [(2, 2), (2, 2, 2)])
    assert selection.best_node_sizes == (2, 2, 2)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::skcausalpima.exceptions.NodeSizesWarning")
def test_two_levels_of_columns(brief):
    rng = np.random.default_rng(0)
    parts = {"a": rng.normal(size=(30, 2)), "b": rng.normal(size=(30, 3))}
    levels = pd.concat({name: pd.DataFrame(part) for name, part in parts.items()}, axis=1)
    found, expected = (select_node_sizes(brief(), X, [2], cv=2) for X in (levels, parts))
    assert found.best_node_sizes == expected.best_node_sizes
    assert_array_equal(found.results["stability"], expected.results["stability"])


@pytest.mark.slow
def test_kinds_are_no_grid():
    """Two of three sets of kinds are told by chance in one of a hundred cases, at a rate of .05."""
    chosen = []
    for seed in range(1, 4):
        rng = np.random.default_rng(seed)
        kind = rng.integers(4, size=400)
        X = rng.normal(0, 3, (4, 8))[kind] + rng.normal(size=(400, 8))
        found = select_node_sizes(CausalPIMA(max_iter=10, random_state=seed), X, [4, (2, 2)])
        chosen.append(found.best_node_sizes)
        assert all(found.results["told"][0])
        if found.best_node_sizes == (4,):
            assert found.results["failed"][1]
            assert not found.results["supported"][1]
    assert chosen.count((4,)) >= 2


@pytest.mark.parametrize(
    ("splits", "match"),
    [
        ([(np.arange(72), np.arange(72, 80))], "row 72.*72 samples"),
        ([(np.arange(-5, 20), np.arange(30, 40))], "row -5"),
        ([(np.arange(30), np.array([], int))], "no rows"),
        ([(np.arange(3.0), np.arange(4))], "integers"),
        ([(np.ones(71, bool), np.arange(4))], "mask"),
        ([5], "pairs"),
        ([(np.arange(5), None)], "integers"),
    ],
)
def test_splits_beyond_the_data(brief, pair, splits, match):
    good = (np.arange(30), np.arange(30, 72))
    with pytest.raises((TypeError, ValueError), match=f"cv.*{match}"):
        select_node_sizes(brief(), pair, [(2,)], cv=[good, *splits])


@pytest.mark.filterwarnings("ignore::skcausalpima.exceptions.NodeSizesWarning")
@pytest.mark.slow
def test_splits_by_masks(brief, pair):
    half = np.arange(72) % 2 == 0
    masks, rows = [(half, ~half), (~half, half)], [np.flatnonzero(m) for m in (half, ~half)]
    by_masks = select_node_sizes(brief(max_iter=1), pair, [(2,)], cv=masks)
    by_rows = select_node_sizes(brief(max_iter=1), pair, [(2,)], cv=[rows, rows[::-1]])
    assert_array_equal(by_masks.results["mean_bound"], by_rows.results["mean_bound"])


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"cv": True}, "cv"),
        ({"cv": "x"}, "cv|cross-validation"),
        ({"cv": 73}, "n_splits|cv"),
        ({"candidates": 5}, "candidates"),
        ({"candidates": ["x"]}, "candidates"),
        ({"candidates": [(2.5,)]}, "candidates"),
        ({"candidates": [(True, True)]}, "candidates"),
        ({"candidates": [(2, 1)]}, "candidates"),
        ({"candidates": [(2**64,)]}, "candidates"),
        ({"n_jobs": "x"}, "n_jobs"),
        ({"n_jobs": True}, "n_jobs"),
        ({"estimator": None}, "estimator"),
        ({"estimator": KFold()}, "estimator"),
    ],
)
def test_arguments_of_the_selection(brief, pair, arguments, match):
    given = {"estimator": brief(), "X": pair, "candidates": [(2,)], **arguments}
    with pytest.raises((TypeError, ValueError), match=match):
        select_node_sizes(**given)


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_warnings_of_fits_come_once(n_jobs):
    def fit(number):
        warnings.warn(f"[ended-early] {number}", ConvergenceWarning, stacklevel=1)
        if number:
            warnings.warn("[few-samples] of cells", InstabilityWarning, stacklevel=1)
            warnings.warn("constant", UserWarning, stacklevel=1)
        return number

    lines = ProgressLines(0, "[fits]")
    with warnings.catch_warnings(record=True) as caught, warnings_once():
        warnings.simplefilter("always")
        for _ in range(2):
            completed([partial(fit, number) for number in range(3)], n_jobs, lines)
    assert [str(one.message) for one in caught] == [
        "[ended-early] 0 (in 6 fits)",
        "constant (in 4 fits)",
    ]


def test_a_candidate_is_not_supported_beside_an_alarm(monkeypatch):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(120, 3)) + 8 * rng.integers(2, size=(120, 1))
    model = CausalPIMA(2, max_iter=2, random_state=0)
    well = select_node_sizes(model, X, [2, 3], cv=3)
    assert well.results["supported"].tolist() == [True, False]
    assert well.results["verdict"][0] == "supported"
    assert well.results["verdict"][1].startswith(("rejected", "not fitted"))
    address = "skcausalpima.model_selection._select_node_sizes.alarms_of"
    monkeypatch.setattr(address, lambda est: ("[few-samples]",))
    doubted = select_node_sizes(model, X, [3, 2], cv=3)
    assert doubted.best_node_sizes == (2,)
    assert not doubted.results["supported"].any()
    text = str(doubted)
    assert "supported" not in text
    assert text.splitlines()[2].lstrip().startswith("(2,)")  # the chosen one is the first
    assert max(map(len, text.splitlines())) <= 79
    (reason,) = doubted.results["failed"][1]
    assert reason == "the last fit is alarmed: [few-samples]"
    assert "found again in folds; the last fit is" in text


def test_what_folds_and_the_last_fit_raise_comes_once(groups, monkeypatch):
    plain = CausalPIMA.fit

    def fit(self, X, y=None, **known):
        warnings.warn("[ended-early] of this fit", ConvergenceWarning, stacklevel=2)
        return plain(self, X, y, **known)

    monkeypatch.setattr(CausalPIMA, "fit", fit)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        select_node_sizes(CausalPIMA(max_iter=2, random_state=0), groups, [3], cv=3)
    told = [str(one.message) for one in caught if "ended-early" in str(one.message)]
    assert told == ["[ended-early] of this fit (in 4 fits)"]
