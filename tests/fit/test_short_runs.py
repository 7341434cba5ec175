"""When short runs are made, how short they are, and what is made of them."""

import itertools
import warnings
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.metrics import adjusted_rand_score

from skcausalpima import Initialization, Training
from skcausalpima._clustering.margins import LEAST_OF_STARTS
from skcausalpima._fit import restarts, short_runs
from skcausalpima._fit.short_runs import with_short_runs
from skcausalpima._held_out.fits import is_one_of_many
from skcausalpima._training.observer import Interruption
from skcausalpima.exceptions import DivergenceError
from skcausalpima.modules import ExpertError

pytestmark = pytest.mark.usefixtures("all_repetitions")


@pytest.fixture(scope="module")
def asked(quick):
    """What a fit asks by: an alarmed run, the setup, samples, a start, a seed, an interruption."""
    kept, rng = [], np.random.default_rng(0)
    x = rng.normal(size=(60, 5)) + 4.0 * (np.arange(60) % 3)[:, None]
    init = Initialization(pretraining_epochs=4)
    training = Training(batch_size=20, tol=1e-4, validation_fraction=0.2)
    est = quick((3,), init=init, max_iter=4, training=training)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(restarts, "with_short_runs", lambda *of: kept.append(of) or of[0])
        est.fit(x)
    return alarmed(kept[0][0]), *kept[0][1:]


def alarmed(found, **seen):
    return replace(found, seen=replace(found.seen, **({"with_fit": 0.5} | seen)))


@pytest.fixture
def labels(monkeypatch):
    """Labels of two short runs that need no training, and the seeds of those that were made."""
    rng, seeds = np.random.default_rng(1), []
    given = [rng.integers(3, size=60), rng.integers(2, size=60)]

    def of_run(setup, initial, seed, interruption):
        seeds.append(seed)
        return given[len(seeds) - 1]

    monkeypatch.setattr(short_runs, "_labels_of_short_run", of_run)
    return given, seeds


def test_their_agreement_is_the_median_over_all_pairs(asked, labels):
    given, seeds = labels
    found, *others = asked
    found = alarmed(found, labels=np.where(np.arange(60) < 15, *given))
    indices = [
        adjusted_rand_score(*pair)
        for pair in itertools.combinations([found.seen.labels, *given], 2)
    ]
    result = with_short_runs(found, *others)
    assert indices[2] < indices[0] < indices[1]
    assert result.seen.short_runs == indices[0]
    assert len(set(seeds)) == 2
    assert result.seen.with_fit == 0.5
    assert result.state is found.state


@pytest.fixture
def grid(asked):
    """The same of a fit of two nodes."""
    found, setup, *others = asked
    return found, replace(setup, spec=replace(setup.spec, node_sizes=(2, 2))), *others


@pytest.fixture
def whole(asked, monkeypatch):
    """Seeds of whole runs that are asked for, and the function that says what comes of them."""
    seeds = []

    def ending_in(labels, **changes):
        def run(setup, data, initial, seed, observer):
            assert data is asked[2]
            assert initial.trial is None  # clusterings of its own
            seeds.append(seed)
            seen = replace(asked[0].seen, labels=labels, with_fit=0.6)
            return replace(asked[0], seen=seen, state={"it": seed}, **changes)

        monkeypatch.setattr(short_runs, "run", run)

    return seeds, ending_in


THREE, OTHER = np.arange(60) % 3, np.arange(60) % 4 // 2


@pytest.fixture
def agreeing(monkeypatch):
    """Short runs that find the same three cells but for a sample, and their seeds."""
    seeds = []

    def of_run(setup, initial, seed, interruption):
        seeds.append(seed)
        return np.where(np.arange(60) < len(seeds) - 1, 2, THREE)

    monkeypatch.setattr(short_runs, "_labels_of_short_run", of_run)
    return seeds


def test_a_run_that_alone_differs_is_replaced_by_one_that_agrees(grid, agreeing, whole):
    made, ending_in = whole
    ending_in(THREE)
    result = with_short_runs(alarmed(grid[0], labels=OTHER), *grid[1:])
    assert made == agreeing[:1]
    assert result.state == {"it": made[0]}
    assert result.seen.replaced
    assert result.seen.with_fit == 0.6
    first = [adjusted_rand_score(OTHER, np.where(np.arange(60) < k, 2, THREE)) for k in (0, 1)]
    assert result.seen.short_runs == max(first) < 0.1


@pytest.mark.parametrize(
    ("labels", "changes"),
    [(OTHER, {}), (np.arange(60) // 20, {}), (THREE, {"stopped": "epoch 2 of training"})],
)
def test_a_run_stays_where_the_next_does_not_agree_or_was_stopped(
    grid, agreeing, whole, labels, changes
):
    made, ending_in = whole
    ending_in(labels, **changes)
    found = alarmed(grid[0], labels=OTHER)
    result = with_short_runs(found, *grid[1:])
    assert len(made) == 1
    assert result.state is found.state
    assert not result.seen.replaced
    assert result.seen.short_runs < 0.1


SHUFFLED = np.random.default_rng(1).integers(3, size=(2, 60))


@pytest.mark.parametrize(
    ("of_runs", "is_grid"),
    [
        (SHUFFLED, True),  # which differ as much
        (np.zeros((2, 60), dtype=int), True),
        ([THREE, np.where(np.arange(60) < 4, (THREE + 1) % 3, THREE)], True),  # agree in part
        ([THREE, THREE], False),  # there is no grid that right clusters alone fit
    ],
)
def test_a_run_is_not_the_odd_one(asked, grid, whole, monkeypatch, of_runs, is_grid):
    made, ending_in = whole
    ending_in(THREE)
    runs = iter(of_runs)
    monkeypatch.setattr(short_runs, "_labels_of_short_run", lambda *of: next(runs))
    found, *others = grid if is_grid else asked
    result = with_short_runs(alarmed(found, labels=OTHER), *others)
    assert made == []
    assert result.state is found.state
    assert result.seen.short_runs < 0.1


@pytest.mark.parametrize("error", [DivergenceError, ExpertError])
def test_a_next_run_that_fails_leaves_the_first(grid, agreeing, monkeypatch, error):
    def fail(*of):
        raise error("numbers are not finite")

    monkeypatch.setattr(short_runs, "run", fail)
    found = alarmed(grid[0], labels=OTHER)
    assert with_short_runs(found, *grid[1:]) is found


def test_a_run_in_the_place_of_another_has_its_figures_in_units_of_the_data(quick, monkeypatch):
    """And warns of what it meets; only short runs are silent."""
    rng = np.random.default_rng(0)
    nodes = np.column_stack([np.arange(60) % 2, np.arange(60) % 4 // 2])
    x = 100.0 * (rng.normal(size=(60, 6)) + 6.0 * np.repeat(nodes, 3, axis=1))
    plain = short_runs.run

    def warned(*of):
        warnings.warn("of the run that is kept", stacklevel=1)
        return plain(*of)

    monkeypatch.setattr(short_runs, "run", warned)
    right = nodes @ (2, 1)
    monkeypatch.setattr(short_runs, "_labels_of_short_run", lambda *of: right)
    asked_of = restarts.with_short_runs
    monkeypatch.setattr(
        restarts,
        "with_short_runs",
        lambda found, *of: asked_of(alarmed(found, labels=THREE), *of),
    )
    with pytest.warns(UserWarning, match="of the run that is kept"):
        est = quick((2, 2), max_iter=8, latent_dim=2).fit(x)
    assert est.stability_.replaced
    assert_allclose(est.history_["lower_bound"][-1], est.lower_bound_, atol=1.0)


def test_an_interrupt_of_the_next_run_keeps_the_first(grid, agreeing, monkeypatch):
    def interrupted(setup, data, initial, seed, observer):
        observer.interruption.requested = True
        raise KeyboardInterrupt

    monkeypatch.setattr(short_runs, "run", interrupted)
    found = alarmed(grid[0], labels=OTHER)
    assert with_short_runs(found, *grid[1:5], Interruption()) is found


def test_none_are_made_without_an_alarm(asked, labels):
    found, *others = asked
    for seen in (None, alarmed(found, with_fit=None).seen):
        assert with_short_runs(replace(found, seen=seen), *others).seen is seen
    for agreement, n_runs in ((LEAST_OF_STARTS, 0), (np.nextafter(LEAST_OF_STARTS, 0), 2)):
        with_short_runs(alarmed(found, with_fit=agreement), *others)
        assert len(labels[1]) == n_runs


@pytest.mark.parametrize(("limit", "most"), [("MAX_SAMPLES", "n_samples"), ("MAX_CELLS", 3)])
def test_none_are_made_beyond_what_is_allowed(asked, labels, monkeypatch, limit, most):
    if most == "n_samples":
        most = asked[3].data.n_samples
    monkeypatch.setattr(short_runs, limit, most - 1)
    assert with_short_runs(*asked) is asked[0]
    monkeypatch.setattr(short_runs, limit, most)
    assert with_short_runs(*asked).seen.short_runs is not None


def test_none_are_made_of_what_was_stopped_or_is_one_of_many(asked, labels):
    found, setup, data, initial, seed, _ = asked
    stopped, requested = Interruption(), replace(found, stopped="epoch 2")
    stopped.requested = True
    assert with_short_runs(found, setup, data, initial, seed, stopped) is found
    assert with_short_runs(requested, setup, data, initial, seed, Interruption()) is requested
    token = is_one_of_many.set(True)
    assert with_short_runs(*asked) is found
    is_one_of_many.reset(token)
    assert labels[1] == []


@pytest.mark.parametrize(("requested", "insists"), [(False, False), (True, True), (True, False)])
def test_an_interrupt_ends_them_and_the_second_one_the_fit(asked, monkeypatch, requested, insists):
    interruption = Interruption()

    def interrupted(*_):
        interruption.requested, interruption.insists = requested, insists
        raise KeyboardInterrupt

    monkeypatch.setattr(short_runs, "_labels_of_short_run", interrupted)
    if requested and not insists:
        assert with_short_runs(*asked[:5], interruption) is asked[0]
    else:
        with pytest.raises(KeyboardInterrupt):
            with_short_runs(*asked[:5], interruption)


def test_what_they_warn_of_is_not_told(asked, monkeypatch):
    def warned(*_):
        warnings.warn("of a short run", stacklevel=1)
        return np.arange(60)

    monkeypatch.setattr(short_runs, "_labels_of_short_run", warned)
    with warnings.catch_warnings(action="error"):
        assert with_short_runs(*asked).seen.short_runs is not None


@pytest.fixture
def steps(monkeypatch):
    """What short runs do, in order, with the settings that they do it by."""
    taken = []

    def note(name):
        function = getattr(short_runs, name)

        def noted(*given):
            taken.append((name, given))
            return function(*given)

        monkeypatch.setattr(short_runs, name, noted)

    for name in ("initialize_run", "epochs", "settle"):
        note(name)
    return taken


@pytest.mark.slow
def test_they_are_the_first_epochs_of_a_fit_on_all_samples(asked, steps):
    found, setup, _, initial, _, interruption = asked
    of_fit = setup.training
    cells = short_runs._labels_of_short_run(setup, initial, 5, interruption)
    assert_array_equal(cells, short_runs._labels_of_short_run(setup, initial, 5, interruption))
    assert len(cells) == len(found.seen.labels)
    assert [name for name, _ in steps[:3]] == ["initialize_run", "epochs", "settle"]
    (_, (begun, data, _, number, _)), (_, trained) = steps[:2]
    assert (data, number) == (initial.data, 5)
    phase, samples, *others = trained
    assert samples.n_samples == initial.data.n_samples
    assert len(others) == 1  # nothing is held out
    for training in (begun.training, phase.settings):
        assert training.schedule.pretraining_epochs == 3
        assert_array_equal(training.temperatures, of_fit.temperatures[:3])
        assert (training.steps.tol, training.steps.validation_fraction) == (0.0, 0.0)
    assert len(phase.history) == 3


def test_they_are_no_longer_than_the_fit(asked, steps):
    _, setup, _, *others = asked
    brief = replace(setup.training.schedule, pretraining_epochs=1)
    short_runs._labels_of_short_run(
        replace(setup, training=replace(setup.training, schedule=brief)), *others
    )
    assert steps[0][1][0].training.schedule.pretraining_epochs == 1


def test_what_was_cut_short_has_no_cells(asked, monkeypatch):
    *given, _ = asked
    interruption, plain = Interruption(), short_runs.epochs

    def interrupted(*of):
        interruption.interrupt()
        plain(*of)

    monkeypatch.setattr(short_runs, "epochs", interrupted)
    with interruption.postponed(), pytest.raises(KeyboardInterrupt):
        short_runs._labels_of_short_run(given[1], *given[3:], interruption)
