"""Ctrl-C during a fit: from training on the first ends it with a fitted estimator."""

import os
import signal
import threading

import joblib
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from some_slow import some_slow

from skcausalpima import MultimodalData, ScoreSearch
from skcausalpima._fit import interrupts, restarts, whole
from skcausalpima._training import loop
from skcausalpima._training.observer import Interruption, Observer
from skcausalpima.exceptions import InterruptionWarning
from skcausalpima.inspection import edge_confidence
from skcausalpima.model_selection import select_node_sizes


@pytest.fixture(autouse=True)
def usual_handler():
    """What an interactive Python has, which must be there again in the end."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    after = signal.signal(signal.SIGINT, before)
    assert after is signal.default_int_handler


@pytest.fixture
def interrupt(monkeypatch):
    """Return a function that lets an interrupt come when an epoch begins, once for each number.

    Epochs count from 1 through all phases and runs.
    """
    plain, count = Observer.epoch_begins, [0]

    def install(*numbers):
        count[0] = 0

        def epoch_begins(self):
            count[0] += 1
            if count[0] in numbers:
                signal.raise_signal(signal.SIGINT)
            plain(self)

        monkeypatch.setattr(Observer, "epoch_begins", epoch_begins)

    return install


def is_as_new(model):
    return vars(model) == vars(clone(model))


def fit_told(model, X, match):
    with pytest.warns(InterruptionWarning, match=match) as caught:
        model.fit(X)
    assert [w.filename for w in caught if w.category is InterruptionWarning] == [__file__]
    assert_allclose(model.score(X), model.lower_bound_)
    assert len(model.history_["lower_bound"]) == model.n_iter_
    assert not model.converged_
    return model


@pytest.mark.parametrize("epoch", [1, 2])
def test_in_pretraining_nothing_is_left(quick, pair, interrupt, epoch):
    model = quick()
    interrupt(epoch)
    with pytest.raises(KeyboardInterrupt):
        model.fit(pair)
    assert is_as_new(model)


def test_in_the_start_nothing_is_left(quick, pair, monkeypatch):
    def interrupted(*arguments):
        signal.raise_signal(signal.SIGINT)

    model = quick()
    monkeypatch.setattr(whole, "begin", interrupted)
    with pytest.raises(KeyboardInterrupt):
        model.fit(pair)
    assert is_as_new(model)


@pytest.mark.parametrize(
    "options",
    some_slow([{}, {"training__validation_fraction": 0.25}, {"structure": "gradient"}], [{}]),
)
def test_in_training_the_estimator_is_fitted(quick, pair, interrupt, options):
    interrupt(2 + 4)
    model = fit_told(
        quick(max_iter=20, training__tol=0.0, **options), pair, "interrupted in epoch 4 of trai"
    )
    assert model.n_iter_ == 4
    assert_allclose(model.weights_.sum(), 1.0)
    assert model.transform([pair[0], None]).shape == (72, model.latent_dim_)
    assert "report" in dir(model)
    assert str(model.report())


@pytest.mark.slow
def test_while_it_is_polished(quick, pair, interrupt):
    interrupt(2 + 3 + 2)
    structure = ScoreSearch(polishing_epochs=50)
    model = fit_told(quick(structure=structure), pair, "in epoch 2 of polishing")
    assert model.n_iter_ == 3


@pytest.mark.slow
def test_when_nothing_is_left_to_do(quick, pair, fitted, monkeypatch):
    plain = whole.fitted_state

    def interrupted(*arguments):
        signal.raise_signal(signal.SIGINT)
        return plain(*arguments)

    monkeypatch.setattr(whole, "fitted_state", interrupted)
    model = fit_told(quick(), pair, "what it keeps is complete")
    assert model.lower_bound_ == fitted.lower_bound_


def test_the_second_ends_it(quick, pair, interrupt):
    model = quick(max_iter=20, training__tol=0.0)
    interrupt(4)
    plain = whole.fitted_state

    def again(*arguments):
        signal.raise_signal(signal.SIGINT)
        return plain(*arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(whole, "fitted_state", again)
        with pytest.warns(InterruptionWarning), pytest.raises(KeyboardInterrupt):
            model.fit(pair)
    assert is_as_new(model)


@pytest.mark.slow
def test_it_can_be_continued(quick, pair, interrupt):
    interrupt(2 + 2)
    model = quick(max_iter=20, training__tol=0.0, warm_start=True)
    fit_told(model, pair, "warm_start=True")
    interrupt()
    assert model.set_params(max_iter=3).fit(pair).n_iter_ == 2 + 3
    interrupt(2)
    model = fit_told(model, pair, "epoch 7 of training")
    assert model.n_iter_ == 7


def test_a_batch_ends_it(quick, pair, monkeypatch):
    """The epoch is cut short, and its closed-form updates still come."""
    steps, plain = [], loop.gradient_step

    def step(*arguments):
        plain(*arguments)
        steps.append(0)
        if len(steps) == 2 * 6 + 6 + 2:  # pre-training, one epoch, two batches of the next
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(loop, "gradient_step", step)
    model = quick(max_iter=4, training__tol=0.0, training__batch_size=12, structure="gradient")
    fit_told(model, pair, "in epoch 2 of training")
    assert model.n_iter_ == 2
    assert model.convergence_.n_steps == 6 + 2
    assert len(steps) == 20


LATER = [pytest.param(epoch, 3, marks=pytest.mark.long) for epoch in (8 + 1, 16 + 5)]


@pytest.mark.parametrize(
    ("epoch", "n_kept"), [(2 + 2, 2), pytest.param(8 + 4, 3, marks=pytest.mark.slow), *LATER]
)
def test_the_best_finished_run_is_kept(quick, pair, interrupt, monkeypatch, epoch, n_kept):
    """The interrupted one where there is none: 2 + 3 + 3 epochs each."""
    runs, plain = [], restarts.run

    def noted(*arguments):
        runs.append(plain(*arguments))
        return runs[-1]

    monkeypatch.setattr(restarts, "run", noted)
    interrupt(epoch)
    model = quick(n_init=3, training__tol=0.0, structure=ScoreSearch(polishing_epochs=3))
    with pytest.warns(InterruptionWarning, match="of training" if epoch < 8 else "complete"):
        model.fit(pair)
    assert model.n_iter_ == n_kept
    finished = [run for run in runs if not run.stopped] or runs
    best = max(finished, key=lambda run: run.objective)
    assert_array_equal(model._fitted.numbers["prior.means"], best.state["prior.means"])


def test_before_a_run_has_begun_to_train(quick, pair, interrupt):
    interrupt(1)
    model = quick(n_init=2)
    with pytest.raises(KeyboardInterrupt):
        model.fit(pair)
    assert is_as_new(model)


def test_a_handler_of_the_users_is_theirs(quick, pair, interrupt):
    got = []
    signal.signal(signal.SIGINT, lambda number, frame: got.append(number))
    interrupt(4)
    model = quick().fit(pair)
    assert got == [signal.SIGINT]
    assert model.n_iter_ == 3
    signal.signal(signal.SIGINT, signal.default_int_handler)


def test_in_another_thread_there_are_none(quick, pair):
    models = []
    thread = threading.Thread(target=lambda: models.append(quick().fit(pair)))
    thread.start()
    thread.join(60)
    assert models[0].n_iter_ == 3


@pytest.mark.long
def test_searches_end_as_a_whole(quick, pair, interrupt):
    search = GridSearchCV(quick(), {"max_iter": [2, 3]}, cv=2)
    for epoch in (4, 2 * 5 + 2 * 6 + 4):  # of the first fit, and of the last, outside of joblib
        interrupt(epoch)
        with pytest.raises(KeyboardInterrupt):
            clone(search).fit(MultimodalData(pair))
    interrupt(4)
    with pytest.raises(KeyboardInterrupt):
        make_pipeline(FunctionTransformer(), clone(search)).fit(MultimodalData(pair))


def test_a_pipeline_of_one_fit_is_fitted(quick, pair, interrupt):
    interrupt(4)
    pipeline = make_pipeline(FunctionTransformer(), quick(max_iter=20, training__tol=0.0))
    with pytest.warns(InterruptionWarning):
        pipeline.fit(MultimodalData(pair))
    assert pipeline[-1].n_iter_ == 2


@pytest.mark.long
def test_interrupted_refits_are_left_out(quick, pair, interrupt):
    est = quick().fit(pair)
    per_fit = 2 + 3 + 1
    interrupt(2 * per_fit + 4)
    with pytest.warns(InterruptionWarning, match="2 of 5 refits"):
        found = edge_confidence(est, pair, n_bootstraps=5, refit="all", random_state=0)
    whole = edge_confidence(est, pair, n_bootstraps=2, refit="all", random_state=0)
    assert_array_equal(found.rand_indices, whole.rand_indices)
    interrupt(4)
    with pytest.raises(KeyboardInterrupt):
        edge_confidence(est, pair, n_bootstraps=5, refit="all", random_state=0)


@pytest.mark.filterwarnings("ignore::skcausalpima.exceptions.NodeSizesWarning")
@pytest.mark.long
def test_interrupted_candidates_are_left_out(quick, pair, interrupt):
    """All are fitted, from the largest down: of this start nothing is known before."""
    model, X = quick(init="linear", max_iter=2), MultimodalData(pair)
    per_fit = 2 + 2 + 1
    interrupt(5 * per_fit + 2)
    with pytest.warns(InterruptionWarning, match="2 of 3 candidates"):
        found = select_node_sizes(model, X, [(2, 2), (2, 2, 2), (2, 4)], cv=2)
    assert found.results["node_sizes"] == [(2, 2, 2), (2, 4)]
    assert found.best_estimator is None
    interrupt(per_fit + 2)
    with pytest.raises(KeyboardInterrupt):
        select_node_sizes(model, X, [(2, 2), (2, 2, 2)], cv=2)


# Workers ----------------------------------------------------------------------------------------


def test_a_worker_hears_of_an_interrupt(tmp_path, monkeypatch):
    """It ignores what the terminal sends to all, and ends when the file is gone."""
    monkeypatch.setattr("skcausalpima._fit.interrupts.INTERVAL", 0.01)
    file = tmp_path / "runs"
    file.touch()
    with interrupts.working_for(os.getppid(), str(file)) as interruption:
        signal.raise_signal(signal.SIGINT)
        assert not interruption.requested
        file.unlink()
        for _ in range(500):
            if interruption.requested:
                break
            threading.Event().wait(0.01)
        assert interruption.requested
        with interruption.postponed(False):
            signal.raise_signal(signal.SIGINT)  # its parent ends it
    assert signal.signal(signal.SIGINT, signal.default_int_handler) is signal.SIG_IGN
    with interrupts.working_for(os.getppid(), str(file)) as interruption:
        assert interruption.requested  # a run that has not begun does not
    signal.signal(signal.SIGINT, signal.default_int_handler)


def test_workers_go_on_while_a_file_is_there():
    interruption = Interruption()
    with interrupts.telling_workers(interruption):
        file = interruption.file
        assert os.path.exists(file)
        assert interruption.is_postponed
    assert not os.path.exists(file)


def test_threads_end_too(quick, pair, interrupt):
    """Their interrupts come to the main thread, which waits for them."""
    interrupt(12)
    with joblib.parallel_config("threading", n_jobs=2), pytest.warns(InterruptionWarning):
        model = quick(n_init=2, max_iter=10**6, training__tol=0.0).fit(pair)
    assert_allclose(model.score(pair), model.lower_bound_)
    assert np.isfinite(model.history_["lower_bound"]).all()
