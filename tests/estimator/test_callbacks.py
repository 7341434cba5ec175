"""scikit-learn's callbacks, and a record of every epoch."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from same_fits import assert_same_fits
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from some_slow import each_once

from skcausalpima import CausalPIMA, MultimodalData, ScoreSearch
from skcausalpima._fit.callbacks import CallbackSupportMixin
from skcausalpima.callback import EpochRecord, OnEpoch
from skcausalpima.exceptions import InterruptionWarning

callback = pytest.importorskip("sklearn.callback", reason="scikit-learn 1.9")

PHASES = 2 * ["pre-training"] + 3 * ["training"] + ["polishing"]


class Noting:
    """A callback that notes what it is called with; of all tasks, searches' included."""

    max_propagation_depth = None

    def __init__(self):
        self.calls = []

    def setup(self, estimator, context):
        self.calls.append(("setup", context.task_name))

    def teardown(self, estimator, context):
        self.calls.append(("teardown", context.task_name))

    def on_fit_task_begin(self, estimator, context):
        self.calls.append(("begin", context.task_name, context.max_subtasks))

    def on_fit_task_end(self, estimator, context, *, X=None, metadata=None, fitted_estimator=None):
        record = getattr(context, "record", None)
        self.calls.append(("end", context.task_name, record, fitted_estimator, X, metadata))


@pytest.fixture(scope="module")
def noted(quick, pair):
    """A fit with a callback that looks at a fitted estimator after each epoch."""
    noting = Noting()
    model = quick().set_callbacks(noting)
    return model.fit(pair, sample_weight=np.ones(72)), noting.calls


def test_every_epoch_is_a_task(noted):
    model, calls = noted
    begins = [call[1:] for call in calls if call[0] == "begin"]
    assert begins == [("fit", 6), *((f"{phase} epoch", 0) for phase in PHASES)]
    ends = [call for call in calls if call[0] == "end"]
    assert [call[1] for call in ends] == [*(f"{phase} epoch" for phase in PHASES), "fit"]
    assert calls[0] == ("setup", "fit")
    assert calls[-1] == ("teardown", "fit")
    assert {name for name in vars(model) if "callback" in name} == {"_skl_callbacks"}


def test_records_say_where_the_fit_is(noted):
    model, calls = noted
    records = [call[2] for call in calls if call[0] == "end"][:-1]
    assert [record.phase for record in records] == PHASES
    assert [record.epoch for record in records] == [1, 2, 1, 2, 3, 1]
    assert [record.n_epochs for record in records] == [2, 2, 3, 3, 3, 1]
    assert [record.step for record in records] == [1, 2, 3, 4, 5, 6]
    assert records[0].lower_bound is None
    assert_array_equal([r.lower_bound for r in records[2:5]], model.history_["lower_bound"])
    assert_array_equal([r.objective for r in records[2:5]], model.history_["objective"])
    assert set(records[2].terms) == set(model.history_)
    assert (np.diff([record.seconds for record in records]) > 0).all()
    assert records[-1].seconds_left == 0
    with pytest.raises(AttributeError):
        records[0].epoch = 7


def test_the_fitted_estimator_of_an_epoch_predicts(noted, pair):
    model, calls = noted
    ends = [call for call in calls if call[0] == "end"]
    assert [call[3] is None for call in ends] == 2 * [True] + 5 * [False]
    for *_, estimator, X, metadata in ends[2:]:
        assert X is pair or len(X) == 2
        assert set(metadata) == {"sample_weight"}
        assert estimator is not model
        assert_allclose(estimator.score(pair), estimator.lower_bound_)
        assert_allclose(estimator.predict_proba(pair).sum(axis=1), 1.0, rtol=1e-5)
    # What follows in closed form from the last epoch is not swapped again where it is looked at.
    assert_allclose(ends[-2][3].transform(pair), model.transform(pair), rtol=1e-4)
    assert_array_equal(ends[-1][3].transform(pair), model.transform(pair))


@pytest.mark.slow
def test_who_looks_changes_nothing(noted, quick, pair):
    expected = quick().fit(pair, sample_weight=np.ones(72))
    assert_same_fits(noted[0], expected, pair)


def test_a_function_may_stop_the_run(quick, pair):
    model = quick(max_iter=20, training__tol=0.0)
    model.set_callbacks(OnEpoch(lambda record: record.phase == "training" and record.epoch == 2))
    with pytest.warns(InterruptionWarning, match="callback stopped the fit in epoch 2") as caught:
        model.fit(pair)
    assert [warning.filename for warning in caught] == [__file__]
    assert model.n_iter_ == 2
    assert_allclose(model.score(pair), model.lower_bound_)


def test_what_stops_pretraining_has_a_batch_of_training(quick, pair):
    model = quick(max_iter=20, training__tol=0.0, training__batch_size=10).set_callbacks(
        OnEpoch(lambda record: True)
    )
    with pytest.warns(InterruptionWarning, match="in epoch 1 of training"):
        model.fit(pair)
    assert model.n_iter_ == model.convergence_.n_steps == 1


@pytest.mark.slow
def test_each_run_is_stopped_on_its_own(quick, pair):
    seen = []

    def stop(record):
        seen.append((record.run, record.n_runs))
        return record.phase == "training" and record.run == 1

    model = quick(n_init=2).set_callbacks(OnEpoch(stop)).fit(pair)
    assert seen == 3 * [(1, 2)] + 6 * [(2, 2)]
    assert model.n_iter_ == 3  # the one that came to its end


def test_only_true_stops(quick, pair):
    model = quick().set_callbacks(OnEpoch(lambda record: "something"))
    assert model.fit(pair).n_iter_ == 3


@pytest.mark.parametrize(
    ("phase", "again"), each_once(["pre-training", "training", "polishing"], [False, True])
)
def test_what_a_callback_raises_comes_through(quick, pair, fitted, phase, again):
    def fail(record):
        if record.phase == phase:
            raise RuntimeError("no room on the disk")

    model = quick(random_state=1)
    if again:
        vars(model).update(vars(fitted))
    model.set_callbacks(OnEpoch(fail))
    before = dict(vars(model))
    with pytest.raises(RuntimeError, match="no room on the disk"):
        model.fit(pair)
    assert vars(model) == before
    assert hasattr(model, "lower_bound_") == again


@pytest.mark.slow
def test_a_continued_fit_counts_on(quick, pair):
    seen = []
    model = quick(warm_start=True, structure="gradient").fit(pair)
    model.set_callbacks(OnEpoch(seen.append)).fit(pair)
    assert [(r.phase, r.epoch, r.n_epochs) for r in seen] == [
        ("training", epoch, 6) for epoch in (4, 5, 6)
    ]


@pytest.mark.slow
def test_scores_are_monitored(quick, pair):
    monitor = callback.ScoringMonitor(scoring={"bound": lambda est, X, y: est.score(X)})
    model = quick().set_callbacks(monitor)
    model.fit(MultimodalData(pair), np.zeros(72))
    rows = [row for row in monitor.get_logs().data if "bound" in row]
    names = ["fit", *3 * ["training epoch"], "polishing epoch"]
    assert [row["task_name"] for row in rows] == names
    assert rows[0]["bound"] == model.score(MultimodalData(pair))
    assert_allclose(rows[-1]["bound"], rows[0]["bound"], rtol=1e-6)  # its tables are fitted again


@pytest.mark.slow
def test_searches_and_pipelines_propagate(quick, pair):
    X, noting = MultimodalData(pair), Noting()
    search = GridSearchCV(quick(init="linear"), {"max_iter": [1, 2]}, cv=2).set_callbacks(noting)
    search.fit(X)
    names = [call[1] for call in noting.calls if call[0] == "end"]
    assert names.count("training epoch") == 2 * (1 + 2) + search.best_params_["max_iter"]
    assert [call for call in noting.calls if call[0] in ("setup", "teardown")] == [
        ("setup", "fit"),
        ("teardown", "fit"),
    ]
    assert not [name for name in vars(search.best_estimator_) if "callback" in name]
    noting.calls.clear()
    make_pipeline(quick()).set_callbacks(noting).fit(X)
    names = [call[1] for call in noting.calls if call[0] == "end"]
    assert names.count("training epoch") == 3


def test_bars_are_drawn(quick, pair, capsys):
    pytest.importorskip("rich")
    quick().set_callbacks(callback.ProgressBar()).fit(pair)
    assert "CausalPIMA - fit" in capsys.readouterr().out


@pytest.mark.long
def test_workers_call_back(quick, pair):
    monitor = callback.ScoringMonitor(scoring={"bound": lambda est, X, y: est.score(X)})
    model = quick(n_init=2, n_jobs=2, structure=ScoreSearch()).set_callbacks(monitor)
    model.fit(MultimodalData(pair), np.zeros(72))
    ends = {row["task_id_path"]: row["bound"] for row in monitor.get_logs().data}
    last = max(path for path in ends if len(path) == 3)
    assert len(ends) == 1 + 2 * 8
    found = np.array([ends[0, k, last[-1]] for k in (0, 1)])
    kept = np.abs(found - model.lower_bound_).argmin()
    assert_allclose(model.lower_bound_, found[kept], rtol=1e-6)  # its tables are fitted again


def test_callbacks_go_with_clones_and_pickles_and_not_into_files(fitted, pair, tmp_path):
    model = clone(fitted)
    vars(model).update(vars(fitted))
    noting = Noting()
    model.set_callbacks(noting)
    assert clone(model)._skl_callbacks == [noting]
    copy = pickle.loads(pickle.dumps(model))
    assert isinstance(copy._skl_callbacks[0], Noting)
    model.save(tmp_path / "model")
    assert not hasattr(CausalPIMA.load(tmp_path / "model"), "_skl_callbacks")


def test_a_function_must_be_callable():
    with pytest.raises(TypeError, match="function must be callable with an EpochRecord, got 3"):
        OnEpoch(3)
    assert issubclass(CausalPIMA, CallbackSupportMixin)
    assert EpochRecord.__dataclass_params__.frozen
