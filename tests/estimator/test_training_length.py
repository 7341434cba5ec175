"""How long fits train, what ends them, and what is said of it."""

import itertools
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
from made_reports import changed
from numpy.testing import assert_array_equal
from sklearn.exceptions import ConvergenceWarning
from some_slow import some_slow

from skcausalpima import CausalPIMA, Training
from skcausalpima._fit.convergence import convergence_report
from skcausalpima._judge.alarms import as_text
from skcausalpima.datasets import make_lattices


@pytest.mark.long
def test_the_plan_is_made_from_the_rows_that_train(quick, pair):
    """2 * 72 ** (3 / 4) of one step each; of 54 where a quarter is held out, of three."""
    assert quick(max_iter="auto", training__tol=0).fit(pair).n_iter_ == 50
    assert quick((4,), max_iter="auto", training__tol=0).fit(pair).n_iter_ == 50  # no start is held
    model = quick(
        max_iter="auto",
        training__tol=0,
        training__batch_size=18,
        training__validation_fraction=0.25,
    ).fit(pair)
    assert model.n_iter_ == 14
    assert model.convergence_.n_steps == 14 * 3
    missing = [pair[0].copy(), pair[1].copy()]
    missing[0][:11] = np.nan  # the model is learned from the other 61
    assert quick(max_iter="auto", training__tol=0).fit(missing).n_iter_ == 44


@pytest.mark.slow
def test_default_fits_of_ordinary_data_do_not_warn(quick, pair):
    with warnings.catch_warnings(action="error"):
        model = quick(max_iter="auto").fit(pair)
    seen = model.convergence_
    assert seen.moved == 0.0
    assert seen.label_changes == 0.0
    assert seen.rise < 0.05
    assert seen.fall < 1.0
    assert seen.spread > 0


@pytest.mark.long
def test_polishing_does_not_throw_a_model_back():
    """With an optimizer that began anew, the bound of these curves fell from 60 to -32 nats."""
    model = CausalPIMA((2, 2), random_state=0).fit(make_lattices(100, random_state=0).curves)
    polishing = model.phase_history_["polishing"]["lower_bound"]
    assert polishing.min() > model.history_["lower_bound"][-1] - 1.0
    assert model.lower_bound_ > model.history_["lower_bound"][-1]


@pytest.mark.long
def test_the_papers_start_has_the_papers_length(quick, pair):
    assert quick(max_iter="auto", init="paper", training__tol=0).fit(pair).n_iter_ == 50
    one, other = (
        quick(init="paper", max_iter=max_iter, training__tol=tol).fit(pair)
        for max_iter, tol in (("auto", "auto"), (50, 1e-3))
    )
    assert one.lower_bound_ == other.lower_bound_
    assert_array_equal(one.predict_proba(pair), other.predict_proba(pair))


RISING = {
    "max_iter": 10,
    "training__n_iter_no_change": 3,
    "training__learning_rate": 0.001,
    "training__batch_size": 12,
}


def test_a_fit_that_ends_too_early_is_told(quick, pair):
    message = (
        r"\[ended-early\] Training ended at max_iter=10 epochs, but the bound still rises by .* "
        r'nats, and 0.0% of the labels change, in each. Use max_iter="auto" or 20, or train '
        r"further \(warm_start=True\)."
    )
    with pytest.warns(ConvergenceWarning, match=message):
        model = quick(**RISING).fit(pair)
    assert model.convergence_.rise > 0.05
    assert model.convergence_.ended == "too early"


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    some_slow([{"warm_start": True}, {"training__tol": 0}, {"training__n_iter_no_change": 6}], []),
)
def test_a_fit_that_is_not_to_be_judged_is_not(quick, pair, changes):
    """Warnings are errors here: so many epochs are asked for, or too few to tell."""
    quick(**(RISING | changes)).fit(pair)


@pytest.mark.long
def test_a_held_out_bound_that_has_turned_is_told():
    X = np.random.default_rng(4).normal(size=(40, 20))  # noise, which 20 samples say little of
    est = CausalPIMA(
        2, max_iter=150, training=Training(tol=0, learning_rate=0.03, validation_fraction=0.5)
    )
    message = (
        r"\[bound-fell\] In training the bound fell: it was .* nats per sample in epoch [0-9]+, "
        "and .* in the last, 150. It is that of samples held out, and the state of epoch [0-9]+ is "
        "kept. max_iter=[0-9]+ trains on all samples for as long."
    )
    with pytest.warns(ConvergenceWarning, match=message):
        est.set_params(random_state=0).fit(X)
    assert est.convergence_.fall > 1.0
    assert est.convergence_.ended == "fallen"


def ended(objectives, spread, held_out=None, converged=True, is_stated=True, **seen):
    """Return what a run leaves behind, and its set-up, as far as the report asks."""
    last = SimpleNamespace(
        n_steps=100, spread=spread, rise=0.0, fall=(max(objectives) - objectives[-1]) / spread,
        label_changes=0.0,
    )  # fmt: skip
    vars(last).update(seen)
    history = [{"objective": value} for value in objectives]
    best = SimpleNamespace(
        convergence=last,
        history=history,
        held_out=held_out,
        converged=converged,
        moved=0.25,
        stopped="",
    )
    steps = SimpleNamespace(tol=1e-3, n_iter_no_change=3)
    training = SimpleNamespace(steps=steps, schedule=SimpleNamespace(is_stated=is_stated))
    return best, SimpleNamespace(training=training, resumable=False), objectives[-1]


def test_a_bound_that_has_collapsed_is_told():
    objectives = [500.0, 700.0, 300.0, 140.0, 130.0]
    report = convergence_report(*ended(objectives, 100.0))
    (found,) = changed(convergence={"ended": report.ended}, objectives=np.array(objectives)).alarms
    assert as_text(found) == (
        "[bound-fell] In training the bound fell: it was 700 nats per sample in epoch 2, and 130 "
        "in the last, 5. Use a smaller training__learning_rate, clip gradients with "
        "training__max_grad_norm, or end with max_iter=2."
    )
    assert report.fall == pytest.approx(5.7)
    assert report.moved == 0.25
    report = convergence_report(*ended([500.0, 700.0, 690.0, 640.0, 650.0], 100.0))
    assert report.ended == "converged"  # noise is no fall


def test_a_single_low_epoch_is_no_fall():
    """Few samples at one draw of their latent points: the bound goes up and down."""
    report = convergence_report(*ended([-0.6, -0.1, -0.7, -0.3, -0.5, -1.1], 0.5))
    assert report.fall == pytest.approx(2.0)


TOLD = [4, 8, 10, 13, 18]  # seeds whose fits were told of a fall


@pytest.mark.slow
@pytest.mark.parametrize(
    ("node_sizes", "seed"),
    some_slow(itertools.product([(2, 2), (2, 2, 2)], TOLD), []),
)
@pytest.mark.short_fits
def test_twelve_samples_are_told_of_no_fall(node_sizes, seed):
    """Warnings are errors here."""
    X = np.array(list(itertools.product([1.0, 2.0, 3.0], [1.0, 2.0, 3.0, 4.0])))
    CausalPIMA(node_sizes, random_state=seed).fit(X)


def test_a_fit_of_default_length_is_told_of_labels_alone():
    """Its bound may rise on, as that of thousands of samples does; its rate falls to zero."""
    end = {"converged": False, "is_stated": False, "rise": 0.5}
    assert convergence_report(*ended([1.0, 2.0, 3.0, 4.0, 5.0], 1.0, **end)).ended == "max_iter"
    report = convergence_report(*ended([1.0, 2.0, 3.0, 4.0, 5.0], 1.0, label_changes=0.2, **end))
    assert report.ended == "too early"


@pytest.mark.slow
@pytest.mark.parametrize("factor", [2.0**-20, pytest.param(2.0**20, marks=pytest.mark.long)])
def test_auto_tol_knows_no_units(quick, pair, factor):
    options = {"max_iter": 200, "training__n_iter_no_change": 5}
    model = quick(**options).fit(pair)
    assert model.converged_
    assert quick(**options).fit([factor * array for array in pair]).n_iter_ == model.n_iter_


@pytest.mark.slow
def test_auto_tol_ends_fits_of_few_and_many_elements(quick):
    """1e-3 nats per sample is nothing beside the bound of a thousand elements."""
    rng = np.random.default_rng(0)
    group = rng.integers(2, size=72)[:, None]
    lengths = []
    for n_elements in (4, 1000):
        X = rng.normal(size=(72, n_elements)) + 4.0 * group
        model = quick(
            (2,), max_iter=300, training__n_iter_no_change=5, training__learning_rate=1e-4
        ).fit(X)
        assert model.converged_
        lengths.append(model.n_iter_)
    assert max(lengths) < 5 * min(lengths)


@pytest.mark.long
def test_held_samples_keep_their_component(quick, pair):
    """A rate that leads away from everything moves none of them in training."""
    free = quick(max_iter=100, training__tol=0, training__learning_rate=0.05).fit(pair)
    held = quick(max_iter="auto", training__tol=0, training__learning_rate=0.025).fit(pair)
    assert held.arrangement_.agreement >= 0.95
    assert held.convergence_.moved <= free.convergence_.moved
    assert len(np.unique(held.labels_)) == 4


@pytest.mark.slow
def test_held_samples_stay_held_in_a_fit_that_is_continued(quick, pair, tmp_path):
    est = quick(max_iter="auto", warm_start=True).fit(pair)
    start = est._fitted.training.start
    assert start.held.all()
    assert est.fit(pair)._fitted.training.start.held.all()
    est.save(tmp_path / "fit")
    loaded = CausalPIMA.load(tmp_path / "fit")
    assert_array_equal(loaded._fitted.training.start.cells, start.cells)
    assert loaded.convergence_ == est.convergence_
    rows = np.r_[0:12, 18:30, 36:48, 54:66]
    assert est.fit([array[rows] for array in pair])._fitted.training.start is None
    assert est.convergence_.moved is None
