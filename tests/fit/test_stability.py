"""Whether a fit says that another seed would find other cells."""

import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_digits
from sklearn.metrics import adjusted_rand_score
from some_slow import some_slow

from skcausalpima import CausalPIMA
from skcausalpima._base.progress_lines import ProgressLines
from skcausalpima._fit import short_runs, stability
from skcausalpima._held_out.fits import completed
from skcausalpima._held_out.matching import rand_indices
from skcausalpima._inference.reports import StartAgreement, stability_report
from skcausalpima._training import loop
from skcausalpima.exceptions import DivergenceError, InstabilityWarning, InterruptionWarning
from skcausalpima.inspection import FoundAgainReport

pytestmark = pytest.mark.usefixtures("all_repetitions")


def groups(n_groups, n_samples=120, distance=6.0):
    rng = np.random.default_rng(0)
    label = np.arange(n_samples) % n_groups
    return distance * rng.normal(size=(n_groups, 5))[label] + rng.normal(size=(n_samples, 5))


@pytest.mark.parametrize("init", some_slow(["arranged", "linear"], ["linear"]))
def test_clear_groups_are_stable(quick, init):
    with warnings.catch_warnings(action="error", category=InstabilityWarning):
        est = quick((3,), init=init, max_iter=8, latent_dim=2).fit(groups(3))
    assert est.stability_.agreement == pytest.approx(1)
    assert not est.stability_.unstable
    assert_array_equal(est.stability_.rand_indices, [[1.0]])


@pytest.mark.long
def test_too_few_cells_for_the_digits_are_unstable():
    X = load_digits().data[:400]
    with pytest.warns(
        InstabilityWarning, match=r"\[other-seeds\] .*: short runs from other seeds"
    ) as told:
        est = CausalPIMA((2, 3), max_iter=5, random_state=0).fit(X)
    assert [warning.filename for warning in told if "short runs" in str(warning.message)] == [
        __file__
    ]
    assert est.stability_.unstable
    assert est.stability_.agreement < 0.78
    other = CausalPIMA((2, 3), max_iter=5, random_state=1).fit(X)
    assert adjusted_rand_score(est.labels_, other.labels_) < 0.8


@pytest.fixture
def alarmed(monkeypatch):
    """Let other starts raise an alarm in every fit."""
    monkeypatch.setattr(short_runs, "LEAST_OF_STARTS", 1.1)


@pytest.mark.slow
def test_short_runs_withdraw_a_false_alarm(quick, alarmed, monkeypatch):
    seeds = []
    initialize = short_runs.initialize_run
    monkeypatch.setattr(
        short_runs, "initialize_run", lambda *of: seeds.append(of[3]) or initialize(*of)
    )
    settings = {"max_iter": 8, "latent_dim": 2, "random_state": 0}
    with warnings.catch_warnings(action="error", category=InstabilityWarning):
        est = quick((3,), **settings).fit(groups(3))
    assert len(set(seeds)) == 2
    assert est.stability_.short_runs == est.stability_.agreement == pytest.approx(1)
    monkeypatch.undo()
    alone = quick((3,), **settings).fit(groups(3))
    assert alone.stability_.short_runs is None
    for name, values in alone._fitted.numbers.items():
        assert_array_equal(est._fitted.numbers[name], values)
    assert_array_equal(est.predict_proba(groups(3)), alone.predict_proba(groups(3)))


@pytest.mark.slow
def test_of_several_fits_no_short_runs_are_made(quick, pair, alarmed):
    assert quick(n_init=2).fit(pair).stability_.short_runs is None


@pytest.mark.long
def test_fits_of_a_selection_make_no_short_runs(quick, alarmed):
    def agreement():
        return quick((3,)).fit(groups(3)).stability_.short_runs

    found = completed([agreement, agreement], None, ProgressLines(0, "[fits]"))
    assert found.results == {0: None, 1: None}
    assert agreement() is not None


@pytest.mark.parametrize(
    "limit", ["MAX_SAMPLES", pytest.param("MAX_CELLS", marks=pytest.mark.slow)]
)
def test_short_runs_of_much_are_left_out(quick, alarmed, monkeypatch, limit):
    monkeypatch.setattr(short_runs, limit, 2)
    est = quick((3,)).fit(groups(3))
    assert est.stability_.short_runs is None
    assert est.stability_.agreement == est.stability_.with_starts


@pytest.mark.parametrize("is_interrupt", [pytest.param(False, marks=pytest.mark.slow), True])
def test_short_runs_that_fail_leave_the_alarm(quick, alarmed, monkeypatch, is_interrupt):
    def fail(setup, data, initial, seed, observer):
        if not is_interrupt:
            raise DivergenceError("numbers are not finite")
        observer.interruption.interrupt()
        observer.interruption.check()

    monkeypatch.setattr(short_runs, "initialize_run", fail)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        est = quick((3,)).fit(groups(3))
    assert est.stability_.short_runs is None
    told = [warning.category for warning in caught]
    assert (InterruptionWarning in told) is is_interrupt
    assert est.report().stability is est.stability_


def test_an_interrupt_while_short_runs_train_keeps_the_fit(quick, alarmed, monkeypatch):
    step, labels, running = loop.gradient_step, short_runs._labels_of_short_run, []

    def of_short_run(setup, initial, seed, interruption):
        running.append(interruption)
        return labels(setup, initial, seed, interruption)

    monkeypatch.setattr(short_runs, "_labels_of_short_run", of_short_run)
    monkeypatch.setattr(loop, "gradient_step", lambda *a: step(*a) if not running else once(*a))

    def once(*arguments):
        interruption = running.pop()
        step(*arguments)
        interruption.interrupt()

    with pytest.warns(InterruptionWarning, match="what it keeps is complete"):
        est = quick((3,)).fit(groups(3))
    assert est.stability_.short_runs is None
    assert est.n_iter_ > 0


@pytest.mark.slow
def test_several_fits_say_how_far_they_agree(quick, pair):
    est = quick(n_init=3).fit(pair)
    indices = est.stability_.rand_indices
    assert indices.shape == (3, 3)
    assert_array_equal(indices, indices.T)
    assert_array_equal(np.diag(indices), 1)
    assert est.stability_.agreement == np.median(indices[np.triu_indices(3, 1)])


@pytest.mark.long
def test_a_fit_that_is_continued_keeps_what_its_start_said(quick, pair):
    est = quick(n_init=2, warm_start=True).fit(pair)
    before = est.stability_
    assert est.fit(pair).stability_ is before


@pytest.mark.long
def test_rows_beyond_a_thousand_are_not_looked_at(quick):
    est = quick((3,)).fit(groups(3, n_samples=1500))
    assert est.stability_.agreement > 0.9


def test_starts_that_differ_in_names_alone_are_followed_once(monkeypatch):
    followed = []

    def iterate(posterior, gamma, settings, max_iter):
        followed.append(gamma.argmax(dim=0).numpy())

    monkeypatch.setattr(stability, "iterate_mixture", iterate)
    labels = np.array([0, 1, 2, 2, 0, 1])
    stability._ends(np.zeros((6, 1)), [labels, (labels + 1) % 3, labels % 2, 2 - labels], None)
    assert_array_equal(followed, [labels, labels % 2])


def test_rand_indices_are_those_of_all_pairs():
    labels = [np.array([0, 0, 1, 1]), np.array([1, 1, 0, 0]), np.array([0, 1, 0, 1])]
    expected = [[1, 1, -0.5], [1, 1, -0.5], [-0.5, -0.5, 1]]
    assert_allclose(rand_indices(labels), expected)
    rng = np.random.default_rng(0)
    labels = [rng.integers(k, size=200) // (1 + k // 7) for k in (1, 2, 3, 9, 300, 3000)]
    labels += [np.arange(200), labels[2][::-1].copy(), labels[3] + (labels[2] == 1)]
    expected = [[adjusted_rand_score(one, other) for other in labels] for one in labels]
    assert_array_equal(rand_indices(labels), expected)


@pytest.mark.parametrize(
    ("with_fit", "among", "short", "indices", "unstable"),
    [
        (0.5, 0.6, None, None, True),
        (0.9, 0.6, None, None, False),
        (0.5, 0.9, None, None, True),  # the fit has left them: so may others, for other places
        (0.5, 0.9, 0.77, None, True),
        (0.5, 0.6, 0.79, None, False),
        (None, None, None, None, False),
        (0.5, 0.5, None, [[1, 0.9], [0.9, 1]], False),
        (0.9, 0.9, None, [[1, 0.7], [0.7, 1]], True),
        (0.9, 0.9, None, [[1, 0.7, 0.9], [0.7, 1, 0.9], [0.9, 0.9, 1]], False),
    ],
)
def test_several_fits_decide_where_there_are_some(with_fit, among, short, indices, unstable):
    indices = None if indices is None else np.array(indices)
    parts = {"with_fit": with_fit, "among_starts": among, "short_runs": short}
    report = stability_report(StartAgreement(labels=np.zeros(1), **parts), indices)
    assert report.unstable is unstable


@pytest.mark.parametrize("is_found", [True, False])
def test_starts_say_nothing_against_a_fit_whose_draws_are_found_again(is_found):
    again = FoundAgainReport(
        found=is_found, agreement=np.ones(10), n_samples=60, enough_samples=None
    )
    seen = StartAgreement(labels=np.zeros(1), with_fit=0.5, among_starts=0.6)
    with warnings.catch_warnings(action="error"):  # few samples have a warning of their own
        assert stability_report(seen, None, again).unstable is not is_found


def test_gaps_are_asked_of_the_data(random_start, pair, fitted):
    assert (fitted.gaps_.nodes < 0.3).all()
    assert fitted.gaps_.pairs.shape == (0, 2)
    assert (fitted.separation_.certainty > 0.95).all()
    assert random_start().fit(pair).gaps_ is None


@pytest.mark.slow
@pytest.mark.filterwarnings(r"ignore:\[few-samples\]")
def test_what_was_cut_has_no_gap_and_is_not_called_fine(quick):
    rng = np.random.default_rng(0)
    table = rng.normal(size=(200, 4))
    table[:, 0] += rng.uniform(0, 14, size=200)
    found = quick(2).fit(table)
    assert found.gaps_.nodes[0] > 0.7
    assert found.report().verdict == "alarmed"
