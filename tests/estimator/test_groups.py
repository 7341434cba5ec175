"""Samples that belong together: how labels reach a fit, and what it makes of them."""

import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_array_equal
from sklearn import config_context
from sklearn.metrics import adjusted_rand_score
from sklearn.model_selection import GridSearchCV, GroupKFold

from skcausalpima import CausalPIMA, MultimodalData
from skcausalpima._fit import run
from skcausalpima._fit.mixture_refits import mixture_refits
from skcausalpima._held_out.units import Units
from skcausalpima._judge.figures import has_no_clusters
from skcausalpima._training.ending import n_held_out
from skcausalpima.inspection import associate_nodes, edge_confidence, table_intervals
from skcausalpima.model_selection import select_node_sizes

# rows that are taken for independent make heaps of their own, and other starts find others
pytestmark = pytest.mark.short_fits


@pytest.fixture(scope="module")
def rows():
    """Return 40 specimens of three rows, of two kinds, and the specimen of each row."""
    rng = np.random.default_rng(0)
    specimens = rng.normal(size=(40, 5)) + 9 * (np.arange(40) % 2)[:, None]
    group = np.repeat(np.arange(40), 3)
    return specimens[group] + rng.normal(size=(120, 5)), group


@pytest.fixture(scope="module")
def fitted(rows):
    X, group = rows
    return quick().fit(X, groups=group)


def quick(**parameters):
    return CausalPIMA(2, max_iter=2, random_state=0).set_params(**parameters)


def same_fits(first, second):
    assert_array_equal(first.labels_, second.labels_)
    assert_array_equal(first.cluster_means_, second.cluster_means_)
    assert_array_equal(first.edge_weights_, second.edge_weights_)


def test_groups_of_one_row_are_rows(rows):
    X, _ = rows
    one = quick().fit(X, groups=np.arange(120)[::-1])
    same_fits(one, quick().fit(X))
    assert one._fitted.groups is None


def test_a_group_counts_for_one_sample(rows, fitted):
    X, group = rows
    same_fits(fitted, quick().fit(X, groups=[f"mouse {g}" for g in group]))
    assert fitted._fitted.arrivals.counts.sum() == pytest.approx(40)
    weight = np.where(group < 3, 3.0, 1.0)  # of whole groups: these count for one still
    same_fits(fitted, quick().fit(X, sample_weight=weight, groups=group))
    doubled = np.r_[np.arange(120), np.flatnonzero(group == 0)[:1]]  # as a weight of 2
    heavy = quick().fit(X, sample_weight=1.0 + (np.arange(120) == 0), groups=group)
    twice = quick().fit(X[doubled], groups=group[doubled])
    assert_array_equal(heavy.cluster_means_, twice.cluster_means_)


@pytest.mark.parametrize("form", ["mapping", "container", "levels", "frame"])
def test_an_entry_of_x_is_no_modality(rows, form):
    X, group = rows
    names = np.array([f"mouse {g}" for g in group])
    with_entry = {"x": X, "mouse": names}
    without = {"x": X}
    if form == "container":
        with_entry, without = MultimodalData(with_entry), MultimodalData(without)
    elif form == "levels":
        without = pd.concat({"x": pd.DataFrame(X)}, axis=1)
        with_entry = without.copy()
        with_entry["mouse", ""] = names
    elif form == "frame":
        without = pd.DataFrame(X, columns=list("abcde"))
        with_entry = without.assign(mouse=names)
    est = quick().fit(with_entry, groups="mouse")
    assert_array_equal(est.labels_, quick().fit(without, groups=group).labels_)
    assert "mouse" not in est.modality_names_in_
    assert_array_equal(est.predict(without), est.predict(with_entry))
    about = {"age": group % 7}
    for samples in (with_entry, without):
        found = associate_nodes(est, samples, about, n_permutations=9, random_state=0)
        assert found.p_value.shape == (1, 1)


def test_stored_groups_are_used_for_the_rows_of_the_fit_alone(rows, fitted, tmp_path):
    X, group = rows
    about = {"age": (group % 5).astype(float) + group / 100}
    ask = {"metadata": about, "n_permutations": 99, "random_state": 0}
    kept = associate_nodes(fitted, X, **ask)
    stated = associate_nodes(quick().fit(X, groups=group), X, **ask, groups=group)
    assert_array_equal(kept.p_value, stated.p_value)
    alone = associate_nodes(fitted, X, **ask, groups=np.arange(120))
    assert alone.p_value[0, 0] != kept.p_value[0, 0]
    fitted.save(tmp_path / "model")
    loaded = CausalPIMA.load(tmp_path / "model")
    assert_array_equal(associate_nodes(loaded, X, **ask).p_value, kept.p_value)
    with pytest.raises(ValueError, match="fitted with groups=, and X is not the rows of the fit"):
        associate_nodes(fitted, X[::-1], **ask)
    assert associate_nodes(fitted, X[::-1], **ask, groups=group[::-1]).p_value.shape == (1, 1)


def test_no_group_is_on_both_sides_of_a_validation_set(rows):
    X, group = rows
    est = quick(training__validation_fraction=0.2).fit(X, groups=group)
    with pytest.MonkeyPatch.context() as patch:
        seen = {}

        def noted(data, order, fraction):
            first = n_held_out(data, order, fraction)
            units = data.samples.units[0][torch.as_tensor(order)].tolist()
            seen["sides"] = set(units[:first]), set(units[first:])
            return first

        patch.setattr(run, "n_held_out", noted)
        same_fits(est, quick(training__validation_fraction=0.2).fit(X, groups=group))
    held, training = seen["sides"]
    assert len(held) == 8
    assert not held & training


def test_repeats_alone_are_no_clusters():
    rng = np.random.default_rng(0)
    group = np.repeat(np.arange(60), 5)
    X = rng.normal(size=(60, 10))[group] + 0.3 * rng.normal(size=(300, 10))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        report = quick(random_state=1).fit(X, groups=group).report(detail="full")
    assert report.verdict == "alarmed"
    assert "no-clusters" in {one.code for one in report.alarms}
    assert "gain of cells on held-out samples" in str(report)


def test_kinds_of_groups_are_clusters(fitted):
    report = fitted.report()
    assert not has_no_clusters(report)
    assert "no-clusters" not in {one.code for one in report.alarms}


def test_groups_that_are_stated_come_before_those_of_the_fit(rows, fitted):
    """One sample of each group is looked at; all of them where each is said to stand alone."""
    X, _ = rows
    assert fitted.report(X, check=True).goodness.n_samples == 40
    assert fitted.report(X, check=True, groups=np.arange(120)).goodness.n_samples == 120


def test_repeats_that_nobody_has_named_are_a_line(rows):
    X, group = rows
    alone = quick().fit(X)
    assert alone.choices_.repeats == (40, "3 consecutive rows each")
    (note,) = (one for one in alone.report().alarms if one.code == "rows-repeat")
    assert "of 40 units (3 consecutive rows each)" in note.sentence
    assert "pass groups=" in note.remedy
    assert quick().fit(X, groups=group).choices_.repeats is None


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        (np.zeros(120), "groups has one label"),
        (np.arange(7), "groups has 7 labels for 120 samples"),
        (np.r_[np.nan, np.arange(119)], "groups lacks the label of sample 0"),
        (np.zeros((120, 2)), r"expected a label of each sample, shape \(120,\)"),
        ("mouse", "groups='mouse' names an entry of X, which has parts without names"),
        (5, "expected a label of each sample"),
    ],
)
def test_labels_that_are_refused(rows, groups, message):
    with pytest.raises(ValueError, match=message):
        quick().fit(rows[0], groups=groups)


def test_entries_that_are_refused(rows):
    X, group = rows
    with pytest.raises(ValueError, match=r"which has the entries \['x', 'mouse'\]"):
        quick().fit({"x": X, "mouse": group}, groups="rat")
    with pytest.raises(ValueError, match="X has nothing besides the groups 'mouse'"):
        quick().fit({"mouse": group}, groups="mouse")
    with pytest.raises(TypeError, match="labels must be hashable"):
        quick().fit(X, groups=[[g] for g in group])


def test_partial_fit_takes_groups(rows, fitted):
    X, group = rows
    est = quick().partial_fit(X[:60], groups=group[:60])
    with pytest.raises(ValueError, match="pass groups="):
        est.partial_fit(X[60:])
    est.partial_fit(X[60:], groups=group[60:])
    assert est._fitted.arrivals.counts.sum() == pytest.approx(0.9 * 20 + 20)


def test_refits_keep_groups_together(rows, fitted):
    X, _ = rows
    for refit in ("mixture", "all"):
        found = edge_confidence(fitted, X, n_bootstraps=2, refit=refit, random_state=0)
        assert found.node_stability.shape == (1,)
    narrow = table_intervals(quick().fit(X), X, random_state=0)
    wide = table_intervals(fitted, X, random_state=0)
    widths = [(found.high["N1"] - found.low["N1"])[0] for found in (narrow, wide)]
    assert widths[1] > 1.4 * widths[0]  # sqrt(3)


def test_refits_take_groups_that_are_stated_before_those_of_the_fit(rows, fitted):
    X, group = rows
    alone = mixture_refits(fitted, X, units=Units(120))
    assert_array_equal(alone.weights, np.ones(120))
    assert alone.units.n == 120
    assert_array_equal(mixture_refits(fitted, X).weights, np.full(120, 1 / 3))
    unnamed = mixture_refits(quick().fit(X), X, units=Units.of(group))
    assert_array_equal(unnamed.weights, np.full(120, 1 / 3))


def test_a_group_without_weight_counts_for_none(rows):
    X, group = rows
    est = quick().fit(X, groups=group, sample_weight=(group != 7).astype(float))
    assert est._fitted.arrivals.counts.sum() == pytest.approx(39)
    same_labels = quick().fit(X[group != 7], groups=group[group != 7])
    assert adjusted_rand_score(est.labels_[group != 7], same_labels.labels_) == 1.0
    weighted = {"sample_weight": (group != 7).astype(float)}
    found = table_intervals(est, X, params=weighted, random_state=0)
    assert np.isfinite(found.low["N1"]).all()


def test_searches_pass_groups_on(rows):
    X, group = rows
    search = GridSearchCV(quick(), {"max_iter": [1]}, cv=GroupKFold(2)).fit(X, groups=group)
    assert search.best_estimator_._fitted.groups is None  # the splitter alone has them
    with config_context(enable_metadata_routing=True):
        routed = quick().set_fit_request(groups=True)
        search = GridSearchCV(routed, {"max_iter": [1]}, cv=GroupKFold(2)).fit(X, groups=group)
    assert len(search.best_estimator_._fitted.groups.codes) == 120
    with pytest.raises(ValueError, match="cv=50 folds need as many groups, got 40"):
        select_node_sizes(quick(), X, [2], cv=50, groups=group)


@pytest.mark.slow
def test_the_fit_to_the_chosen_sizes_has_the_groups(rows):
    X, group = rows
    chosen = select_node_sizes(quick(), X, [2], cv=2, groups=group)
    assert chosen.best_estimator._fitted.groups is not None
