"""A fit that is continued ends where one long fit ends, bit by bit."""

import itertools
import pickle
from copy import deepcopy
from dataclasses import is_dataclass

import numpy as np
import pytest
import torch
from fits_in_parts import CONFIGURATIONS, X_POINTS
from numpy.testing import assert_array_equal
from same_fits import assert_same_fits
from sklearn.base import clone
from some_slow import some_slow

from skcausalpima import (
    CausalPIMA,
    GradientStructure,
    Initialization,
    MissingValues,
    MultimodalData,
)
from skcausalpima.exceptions import ExpertWarning
from skcausalpima.modules import ExpertDecoder, line

# What other starts and gaps say of the first fit, and how it laid clusters on the grid
OF_FIRST = ("stability_", "gaps_", "arrangement_")
MARKS = {"default": [], "paper": [], "tiers": pytest.mark.slow, "expert": pytest.mark.slow}


def in_two(model, X, first=2, second=3, **fit):
    """Fit in two parts, through a pickle in between."""
    model.set_params(warm_start=True, max_iter=first).fit(X, **fit)
    model = pickle.loads(pickle.dumps(model))
    return model.set_params(max_iter=second).fit(X, **fit)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=MARKS.get(name, pytest.mark.long)) for name in CONFIGURATIONS]
)
def test_two_and_three_epochs_are_five(quick, pair, name):
    whole = quick(**CONFIGURATIONS[name], max_iter=5).fit(pair)
    parts = in_two(clone(whole), pair)
    assert len(parts.history_["objective"]) == parts.n_iter_ == whole.n_iter_
    assert_same_fits(parts, whole, pair, OF_FIRST)


@pytest.mark.slow
def test_the_best_state_may_lie_in_the_first_part(quick, pair):
    options = {"structure": GradientStructure(temperature=0.5)}
    options |= {"training__validation_fraction": 0.3, "training__tol": 0}
    whole = quick(max_iter=5, training__learning_rate=0.3, **options).fit(pair)
    first = int(whole.history_["objective"].argmax()) + 1
    assert first < 5
    assert_same_fits(in_two(clone(whole), pair, first, 5 - first), whole, pair, OF_FIRST)


FORMS = ["float32", "missing", "elements", "mapping", "one"]


@pytest.mark.parametrize("form", some_slow(FORMS, []))
def test_forms_of_data(quick, pair, form):
    images, curves = pair
    data = {
        "float32": [array.astype(np.float32) for array in pair],
        "mapping": {"image": images, "curve": curves},
        "one": curves,
    }
    holes = [images.copy(), curves.copy()]
    holes[0][::7] = np.nan
    holes[1][3::7] = np.nan
    elements = [images, np.where(np.arange(288).reshape(72, 4) % 7, curves, np.nan)]
    X = (data | {"missing": MultimodalData(holes), "elements": elements})[form]
    missing = MissingValues(subset_epochs=5)  # as many as max_iter
    whole = quick(max_iter=5, training__validation_fraction=0.2, missing_values=missing).fit(X)
    assert_same_fits(in_two(clone(whole), X), whole, X, OF_FIRST)


KNOWN = itertools.product(["known", "set", "set to"], ["refined", "gradient"])


@pytest.mark.parametrize(("kind", "structure"), some_slow(KNOWN, []))
def test_what_is_known_of_samples_is_given_again(quick, pair, kind, structure):
    group = np.repeat(np.arange(4), 18)
    known = np.where(np.arange(72)[:, None] % 5 == 0, np.c_[group // 2, group % 2], -1)
    set_to = np.full((72, 2), -1)
    set_to[::4, 1] = (group % 2)[::4]
    fit = {
        "known": {"known_nodes": known},
        "set": {
            "known_nodes": known,
            "interventions": np.where(np.arange(72) % 4 == 0, "N2", None),
        },
        "set to": {"interventions": set_to},
    }[kind]
    whole = quick(max_iter=5, structure=structure).fit(pair, **fit)
    parts = in_two(quick(structure=structure), pair, **fit)
    assert_same_fits(parts, whole.set_params(max_iter=3, warm_start=True), pair, OF_FIRST)


@pytest.mark.slow
def test_three_parts_and_random_state_instances(quick, pair):
    whole = quick(max_iter=6, random_state=np.random.RandomState(3)).fit(pair)
    parts = quick(max_iter=1, random_state=np.random.RandomState(3), warm_start=True).fit(pair)
    parts.set_params(max_iter=2).fit(pair)
    assert parts.n_iter_ == 3
    parts.set_params(max_iter=3).fit(pair)
    assert_same_fits(parts, whole, pair, OF_FIRST)


@pytest.mark.slow
def test_several_starts_the_best_is_continued(quick, pair):
    whole = quick(n_init=2, max_iter=3, warm_start=True).fit(pair)
    before = whole.history_
    whole.fit(pair)
    for key, values in whole.history_.items():
        assert_array_equal(values[:3], before[key])
    assert whole.n_iter_ == 6


@pytest.mark.slow
def test_a_clone_and_a_cold_fit_start_afresh(quick, pair):
    cold = quick().fit(pair)
    warm = quick(warm_start=True).fit(pair)
    assert_same_fits(warm, cold, pair)
    copy = clone(warm)
    assert_same_fits(copy.fit(pair), cold, pair)
    warm.set_params(warm_start=False).fit(pair)
    assert warm._fitted.training is None
    assert cold._fitted.training is None
    assert_same_fits(warm, cold, pair)
    warm.set_params(warm_start=True).fit(pair)  # there is nothing to continue
    assert warm.n_iter_ == 3


def test_the_checkpoint_holds_arrays_and_plain_python(quick, pair):
    model = quick(warm_start=True, training__validation_fraction=0.2, experts=[None, line]).fit(
        pair
    )

    def check(value):
        if is_dataclass(value) or isinstance(value, dict):
            for entry in (value if isinstance(value, dict) else vars(value)).values():
                check(entry)
        elif isinstance(value, list):
            for entry in value:
                check(entry)
        else:
            plain = {np.ndarray, np.random.RandomState, int, float, str, bool, type(None)}
            assert type(value) in plain

    check(model._fitted.training)
    assert model._fitted.training.moments


def test_a_fit_that_has_stopped_stays_so_until_it_may_go_on(quick, pair):
    options = {"training__tol": 100.0, "structure": GradientStructure(temperature=0.5)}
    model = quick(warm_start=True, max_iter=50, training__n_iter_no_change=2, **options).fit(pair)
    stopped_at, bound, edges = model.n_iter_, model.lower_bound_, model.edge_weights_
    assert model.converged_
    assert stopped_at == 3
    assert model.fit(pair).n_iter_ == stopped_at
    assert model.lower_bound_ == bound
    assert_array_equal(model.edge_weights_, edges)
    assert model.set_params(max_iter=2, training__n_iter_no_change=3).fit(pair).n_iter_ == 4
    assert model.converged_
    assert model.set_params(training__tol=0).fit(pair).n_iter_ == 6
    assert not model.converged_


@pytest.mark.parametrize("validation_fraction", some_slow([0.25, 0.0], []))
def test_other_data_of_the_same_shapes(quick, pair, validation_fraction):
    """It is scaled as the first was, and early stopping forgets the bounds of the first."""
    rows = np.r_[0:12, 18:30, 36:48, 54:66]
    more = [1000.0 + 30.0 * array[rows] for array in pair]  # a far lower bound
    options = {
        "training__validation_fraction": validation_fraction,
        "structure": "gradient",
        "training__tol": 0,
    }
    model = quick(warm_start=True, **options).fit(pair)  # no polishing
    centre, before = (
        model._fitted.scaler.centre,
        model._fitted.numbers["encoders.0.network.0.weight"],
    )
    model.set_params(max_iter=5).fit(more)
    assert model.n_iter_ == 8
    assert model.labels_.shape == (48,)
    assert all((a == b).all() for a, b in zip(model._fitted.scaler.centre, centre, strict=True))
    assert model.lower_bound_ == pytest.approx(model.score(more))
    bounds = model.history_["lower_bound"]
    assert bounds[3] < bounds[2]
    assert (model._fitted.numbers["encoders.0.network.0.weight"] != before).any()


@pytest.mark.long
def test_another_held_out_part_is_drawn_anew(pair, fitted_warm):
    model = deepcopy(fitted_warm).set_params(training__validation_fraction=0.2)
    copy = pickle.loads(pickle.dumps(model)).fit(pair)
    order = model.fit(pair)._fitted.training.order
    assert_array_equal(np.sort(order), np.arange(72))
    assert_array_equal(order, copy._fitted.training.order)  # the run's generator goes on
    model.set_params(training__validation_fraction=0.0).fit(pair)
    assert model._fitted.training.order is None


@pytest.mark.long
def test_nothing_is_held_out_any_more(quick, pair, tmp_path):
    est = quick(
        max_iter=2, warm_start=True, training__validation_fraction=0.2, training__tol=0
    ).fit(pair)
    est.set_params(training__validation_fraction=0.0).fit(pair)
    assert est.n_iter_ == 4
    assert np.isnan(est.history_["held_out_bound"]).tolist() == [False, False, True, True]
    est.save(tmp_path / "model")
    loaded = CausalPIMA.load(tmp_path / "model")
    np.testing.assert_array_equal(loaded.predict_proba(pair), est.predict_proba(pair))


@pytest.mark.slow
def test_each_fit_runs_the_whole_schedule_of_temperatures(quick, pair):
    structure = GradientStructure(temperature=(1.0, 0.25))
    model = quick(warm_start=True, structure=structure).fit(pair).fit(pair)
    np.testing.assert_allclose(model.history_["temperature"], 2 * [1.0, 0.5, 0.25])


def test_other_data_is_refused(pair, fitted_warm):
    images, curves = pair
    model = deepcopy(fitted_warm)
    for X, message in (
        ([images], "list of one modality"),
        (images, "X is one array"),
        ([images, curves[:, :3]], r"samples of shape \(3,\), but CausalPIMA was fitted"),
        ([a.astype(np.float32) for a in pair], "the dtype of X is now .*float32.*not .*float64"),
        ([images[:1], curves[:1]], "minimum of 2 is required to fit"),
        ([images, None], "missing in all samples"),
    ):
        with pytest.raises(ValueError, match=message):
            model.fit(X)
    assert model.fit(pair).n_iter_ == 6


@pytest.mark.long
def test_a_fit_is_continued_where_the_caller_wants_no_gradients(quick, pair, fitted):
    model = quick(max_iter=1, warm_start=True).fit(pair).set_params(max_iter=2)
    with torch.no_grad():
        model.fit(pair)
    assert_same_fits(model, fitted, pair)


@pytest.mark.slow
def test_interventions_may_come_and_go(pair, fitted_warm):
    group = np.repeat(np.arange(4), 18)
    known = np.where(np.arange(72)[:, None] % 5 == 0, np.c_[group // 2, group % 2], -1)
    which = np.where(np.arange(72) % 4 == 0, "N2", None)
    model = deepcopy(fitted_warm)
    model.fit(pair, known_nodes=known, interventions=which)
    assert np.isfinite(model.history_["objective"]).all()
    model.fit(pair)
    assert model.n_iter_ == 9
    assert not model._fitted.numbers["prior.set_logs"].any()


@pytest.mark.slow
def test_an_expert_that_diverged_is_tried_again(quick, pair):
    expert = ExpertDecoder(lambda x, a: torch.exp(a * x), X_POINTS, refit=False)
    options = {"training__learning_rate": 1e9, "init": Initialization(pretraining_epochs=0)}
    options["missing_values"] = MissingValues(subset_epochs=0)
    model = quick(experts=[None, expert], warm_start=True, **options)
    with pytest.warns(ExpertWarning, match="diverged in epoch 1 of (training|polishing)"):
        model.fit(pair)
    model.set_params(training__learning_rate=1e-3).fit(pair)
    assert model.n_iter_ == 4
    assert np.isfinite(model.lower_bound_)


def test_another_number_of_nodes_is_told(pair, fitted_warm):
    est = deepcopy(fitted_warm).set_params(node_sizes=(2, 2, 2))
    with pytest.raises(ValueError, match=r"node_sizes is now \(2, 2, 2\), not \(2, 2\)"):
        est.fit(pair)
    with pytest.raises(ValueError, match=r"node_sizes is now \(2, 2, 2\), not \(2, 2\)"):
        est.partial_fit(pair)
