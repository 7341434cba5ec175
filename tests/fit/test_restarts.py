"""Restarts in parallel: the same bits, warnings and printed lines as one after another."""

import io
import itertools
import pickle
import threading
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import joblib
import numpy as np
import pytest
import torch
from joblib.externals.loky import get_reusable_executor
from numpy.testing import assert_allclose, assert_array_equal
from same_fits import assert_same_fits
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import adjusted_rand_score
from torch import nn

import skcausalpima
from skcausalpima import CausalPIMA, Initialization, MissingValues
from skcausalpima._fit import restarts as starts_file
from skcausalpima._fit.restarts import best_run
from skcausalpima._fit.run import Run, run
from skcausalpima._inference.reports import StartAgreement
from skcausalpima._initialization.initial_sample import InitialSample
from skcausalpima._model.scaled_samples import as_arrays, from_arrays
from skcausalpima._model.surroundings import module_draws, seeded_modules, with_own_draws
from skcausalpima._model.tensors import TensorData
from skcausalpima._training.ending import divergence
from skcausalpima._training.observer import Interruption, Observer
from skcausalpima.exceptions import DivergenceError, ExpertWarning
from skcausalpima.modules import Batch, ExpertDecoder, line

X_POINTS = np.linspace(0.0, 1.0, 4)


def dropout():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(6, 4))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("mapped")


@pytest.fixture(autouse=True)
def workers(folder):
    """Map everything into the workers' memory; one pool serves all tests."""
    with joblib.parallel_config("loky", max_nbytes=1, temp_folder=folder):
        yield


@pytest.fixture(scope="module")
def restarts(taught, pair):
    """Fit three starts that draw from all generators, by default in sequence."""
    images, curves = (array.copy() for array in pair)
    images[::7] = np.nan
    set_to = np.full((72, 2), -1)
    set_to[::4, 1] = (np.repeat(np.arange(4), 18) % 2)[::4]
    modules = {"encoders": [dropout(), "conv"], "experts": [None, line]}

    def fit(**parameters):
        options = {"n_init": 3, "warm_start": True, "random_state": 2}
        model = taught(**(options | modules | parameters))
        return model.fit([images, curves], interventions=set_to)

    return fit, [images, curves], fit()


@pytest.mark.slow
def test_workers_find_the_same_bits_and_print(restarts, capfd):
    fit, X, expected = restarts
    get_reusable_executor().shutdown(wait=True)  # new workers print to where this test listens
    threads = torch.get_num_threads()
    model = fit(n_jobs=2, verbose=2)
    assert_same_fits(model, expected, X)
    assert torch.get_num_threads() == threads
    assert model.set_params(max_iter=1).fit(X).n_iter_ == 4  # it can be continued here
    lines = [line for line in capfd.readouterr().out.splitlines() if "teaching" not in line]
    for start in (1, 2, 3):
        assert (
            sum(line.startswith(f"[CausalPIMA] start {start} of 3, ") for line in lines)
            == 2 + 3 + 1
        )
    assert sum(line.startswith("[CausalPIMA] continued, ") for line in lines) == 1 + 1


def ended(objective, labels=(0, 0, 1, 1), stopped=""):
    """Return a run that ended so, of which nothing was trained."""
    return Run(
        state={"labels": labels},
        graph=None,
        history=[],
        converged=True,
        objective=objective,
        convergence=None,
        predict_variances=(),
        stopped=stopped,
        seen=StartAgreement(labels=np.array(labels)),
    )


@pytest.fixture
def best_of(monkeypatch):
    """Return a function that keeps the best of starts that end as they are said to."""

    def best(*ends, interruption=None):
        asked, interruption = [], interruption or Interruption()

        def stated(setup, data, initial, seed, observer):
            asked.append((seed, observer.run))
            end = ends[observer.run - 1]
            if isinstance(end, BaseException):
                raise end
            return end() if callable(end) else end

        monkeypatch.setattr(starts_file, "run", stated)
        data = TensorData(Batch((torch.zeros(4, 1),), None), torch.float32)
        initial = InitialSample(knowledge=None, data=data, scores=None, views={})
        watch = SimpleNamespace(
            interruption=interruption,
            observer=lambda number: Observer(interruption=interruption, run=number),
        )
        setup, seeds = SimpleNamespace(device=torch.device("cpu")), range(11, 11 + len(ends))
        found = best_run(setup, data, initial, seeds, watch)
        assert asked == [(10 + k, k) for k in range(1, 1 + len(asked))]
        return found

    return best


def test_the_best_start_is_kept_whichever_comes_first(best_of):
    runs = [ended(value, (0, 1, 2, number)) for number, value in enumerate([-3.0, 2.0, 1.0])]
    for order in itertools.permutations(runs):
        assert best_of(*order).state is runs[1].state
    equal = ended(2.0), ended(2.0)
    assert best_of(*equal).state is equal[0].state


@pytest.mark.parametrize("which", range(3))
@pytest.mark.parametrize("is_error", [False, True])
def test_a_start_that_diverges_is_left_out_by_its_number(best_of, which, is_error):
    runs = [ended(value) for value in (3.0, 2.0, 1.0)]
    best = runs[0 if which else 1]
    runs[which] = divergence("a reason", "a place") if is_error else ended(np.nan)
    told = f"n_init: start {which + 1} of 3 is left out. Training diverged: "
    with pytest.warns(ConvergenceWarning, match=told) as caught:
        found = best_of(*runs)
    assert found.state is best.state
    assert len(caught) == 1
    assert found.rand_indices.shape == (2, 2)
    with (
        pytest.warns(ConvergenceWarning, match="left out"),
        pytest.raises(DivergenceError, match=r"All 2 starts .* The last: Training diverged"),
    ):
        best_of(runs[which], runs[which])


def test_starts_that_came_to_their_end_go_before_those_that_were_cut_short(best_of):
    short, whole, other = ended(9.0, stopped="epoch 2"), ended(1.0), ended(2.0, (0, 1, 1, 1))
    found = best_of(short, whole, other)
    assert found.state is other.state
    expected = adjusted_rand_score(whole.state["labels"], other.state["labels"])
    assert_allclose(found.rand_indices, [[1.0, expected], [expected, 1.0]])
    shorter = ended(8.0, stopped="epoch 1")
    assert best_of(shorter, short).state is short.state


def test_an_interrupt_ends_the_starts_that_are_left(best_of):
    """It is an error where none has begun to train, where it insists, and if it is not ours."""
    interruption = Interruption()

    def interrupted():
        interruption.requested = True
        raise KeyboardInterrupt

    kept, never = ended(1.0), ended(2.0)
    assert best_of(kept, interrupted, never, interruption=interruption).state is kept.state
    interruption.requested = False
    with pytest.raises(KeyboardInterrupt):
        best_of(interrupted, never, interruption=interruption)
    interruption.requested, interruption.insists = False, True
    with pytest.raises(KeyboardInterrupt):
        best_of(kept, interrupted, interruption=interruption)
    with pytest.raises(KeyboardInterrupt):
        best_of(kept, KeyboardInterrupt())

    later = Interruption()

    def broken_off():
        later.requested = True
        raise RuntimeError("a worker is gone")

    with pytest.raises(KeyboardInterrupt):
        best_of(kept, broken_off, interruption=later)
    with pytest.raises(RuntimeError, match="a worker is gone"):
        best_of(kept, RuntimeError("a worker is gone"))


@pytest.mark.slow
def test_a_start_whose_objective_is_no_number_is_left_out(monkeypatch, brief, pair):
    """Comparisons with NaN are false: the largest of some numbers is the first one, if that is."""

    def without(*numbers):
        starts = iter(range(3))

        def broken(*args):
            found = run(*args)
            return replace(found, objective=np.nan) if next(starts) in numbers else found

        monkeypatch.setattr("skcausalpima._fit.restarts.run", broken)
        return brief(n_init=3).fit(pair)

    with pytest.warns(ConvergenceWarning, match="start 1 of 3 is left out. Training diverged"):
        found = without(0)
    with pytest.warns(ConvergenceWarning, match="start . of 3 is left out"):
        ends = [without(0, number).lower_bound_ for number in (1, 2)]
    with (
        pytest.warns(ConvergenceWarning, match="start . of 3 is left out"),
        pytest.raises(DivergenceError, match="All 3 starts"),
    ):
        without(0, 1, 2)
    assert found.lower_bound_ in ends


@pytest.mark.slow
def test_threads_take_turns(restarts):
    fit, X, expected = restarts
    before = torch.get_rng_state()
    with joblib.parallel_config("threading", n_jobs=3):
        model = fit()
    assert_array_equal(torch.get_rng_state(), before)
    assert_same_fits(model, expected, X)


def in_two_threads(draw):
    """Return what a function returns in two threads at once, seeded with their numbers."""
    found, barrier = {}, threading.Barrier(2)

    def seeded(number):
        with seeded_modules(torch.device("cpu"), number):
            barrier.wait(10)
            found[number] = draw()

    threads = [threading.Thread(target=seeded, args=(number,)) for number in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return found


def test_modules_of_a_thread_draw_from_a_generator_of_their_own():
    """As much as from PyTorch's own with this seed; nobody else meets it."""
    x, module = torch.ones(40, 8), nn.Sequential(nn.Dropout(0.5), Drawing(), nn.RReLU())
    torch.manual_seed(1)
    expected, state = module(x), torch.get_rng_state()
    torch.manual_seed(2)
    others = torch.rand(1).item()
    torch.manual_seed(2)
    with_own_draws(module)
    found = in_two_threads(lambda: (module(x), module_draws(torch.device("cpu"))["cpu"]))
    assert torch.rand(1).item() == others
    assert_array_equal(found[1][0], expected)
    assert_array_equal(found[1][1], state)
    assert (found[2][0] != expected).any()


def test_draws_of_threads_that_borrow_the_generator_of_all_take_turns():
    """What takes no generator, as `native_dropout`, draws from PyTorch's own for a moment."""
    x, n_draws = torch.ones(8), 300
    module = with_own_draws(Borrowing())
    torch.manual_seed(2)
    others = torch.get_rng_state()
    found = in_two_threads(lambda: torch.stack([module(x) for _ in range(n_draws)]))
    assert_array_equal(torch.get_rng_state(), others)
    for number in (1, 2):
        torch.manual_seed(number)
        assert_array_equal(found[number], torch.stack([Borrowing()(x) for _ in range(n_draws)]))


class Borrowing(nn.Module):
    """Draws in a way that takes no generator."""

    def forward(self, x):
        return torch.native_dropout(x, 0.5, True)[0]


class Drawing(nn.Module):
    """Draws in some of the ways that there are."""

    def forward(self, x):
        order = torch.randperm(len(x))
        noise = torch.randn(x.shape) + torch.randint(3, x.shape) + torch.empty(x.shape).normal_()
        return x[order] + noise + torch.rand_like(x) + torch.randn_like(x)


@pytest.mark.long
def test_warnings_of_workers_reach_the_user(quick, pair):
    expert = ExpertDecoder(lambda x, a: torch.exp(a * x), X_POINTS, refit=False)
    options = {"n_init": 2, "init": Initialization(pretraining_epochs=0)}
    told = []
    for n_jobs in (1, 2):
        model = quick(experts=[None, expert], training__learning_rate=1e9, n_jobs=n_jobs, **options)
        model.set_params(missing_values=MissingValues(subset_epochs=0))
        with pytest.warns(
            ExpertWarning, match="diverged in epoch 1 of (training|polishing)"
        ) as caught:
            model.fit(pair)
        told.append([str(warning.message) for warning in caught])
    assert told[0] == told[1]
    assert {warning.filename for warning in caught} == {__file__}


def describe(sent, folder):
    """Return what a worker sees, and overwrite it."""
    data = from_arrays(sent, "cpu")
    first, second = data.arrays
    seen = first.numpy().copy(), second.numpy().copy(), data.observed.numpy()
    first.zero_()  # private to this process
    return seen, str(data.dtype), len(list(folder.rglob("*.pkl")))


@pytest.mark.long
def test_data_are_mapped_into_the_workers_once_and_copy_on_write(folder):
    get_reusable_executor().shutdown()  # one of another test maps into another folder
    arrays = tuple(torch.ones(3000, width, dtype=torch.float64) for width in (50, 60))
    data = TensorData(Batch(arrays, torch.ones(2, 3000, dtype=torch.bool)), torch.float32)
    parallel = joblib.Parallel(n_jobs=2, mmap_mode="c")  # as in fit
    sent = as_arrays(data)
    for seen, dtype, n_files in parallel(joblib.delayed(describe)(sent, folder) for _ in "abc"):
        for array, tensor in zip(seen, (*data.arrays, data.observed), strict=True):
            assert_array_equal(array, tensor)
        assert dtype == "torch.float32"
        assert n_files == 3  # two modalities and what is observed, however many calls
    assert (arrays[0] == 1).all()


@pytest.mark.parametrize("weigh", [pytest.param(False, marks=pytest.mark.slow), True])
def test_a_fit_writes_its_data_once(random_start, pair, monkeypatch, weigh):
    """And what it starts from, if weights make that another sample; to be copied on write."""
    arrays = {}  # they stay alive, and so are told apart by their identity

    class Noting(pickle.Pickler):
        def reducer_override(self, value):
            if isinstance(value, np.ndarray):
                arrays[id(value)] = value
            return NotImplemented

    def parallel(mmap_mode, **_):
        assert mmap_mode == "c"

        def run(calls):
            for function, arguments, _ in calls:
                Noting(io.BytesIO()).dump(arguments)
                yield function(*arguments)

        return run

    monkeypatch.setattr("skcausalpima._fit.restarts.Parallel", parallel)
    weights = np.linspace(0.5, 1.5, 72) if weigh else None
    random_start(n_init=3).fit(pair, sample_weight=weights)
    n_images = sum(array.ndim == 2 and array.shape[1] == 6 for array in arrays.values())
    assert n_images == 1 + weigh


class Small(CausalPIMA):
    """Its constructor takes some parameters, and sets the others."""

    def __init__(self, n_init=2, n_jobs=None):
        options = {"hidden_layer_sizes": (8,), "max_iter": 1, "views": None}
        super().__init__(**options, n_init=n_init, n_jobs=n_jobs)
        self.random_state = 0


@pytest.mark.long
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_constructor_of_your_own(pair, n_jobs):
    options = {"hidden_layer_sizes": (8,), "max_iter": 1, "views": None, "random_state": 0}
    expected = CausalPIMA(**options, n_init=2).fit(pair)
    assert_same_fits(Small(n_jobs=n_jobs).fit(pair), expected, pair)


@pytest.mark.slow
@pytest.mark.parametrize("n_jobs", [1, pytest.param(2, marks=pytest.mark.long)])
def test_a_fit_trains_where_the_caller_wants_no_gradients(quick, pair, n_jobs):
    options = {"n_init": 2, "experts": [None, ExpertDecoder(line, X_POINTS, scatter=True)]}
    expected = quick(**options).fit(pair)
    with torch.no_grad():
        model = quick(**options, n_jobs=n_jobs).fit(pair)
        assert not torch.is_grad_enabled()
    assert_same_fits(model, expected, pair)


@pytest.mark.long
def test_workers_have_the_default_dtype_of_the_caller(quick, pair):
    """In it modules and start values are made."""
    try:
        torch.set_default_dtype(torch.float64)
        expected = quick(n_init=2, encoders=[dropout(), None]).fit(pair)
        model = quick(n_init=2, encoders=[dropout(), None], n_jobs=2).fit(pair)
    finally:
        torch.set_default_dtype(torch.float32)
    assert_same_fits(model, expected, pair)
    assert_same_fits(quick(n_init=2, n_jobs=2).fit(pair), quick(n_init=2).fit(pair), pair)


def test_one_start_needs_no_workers(quick, pair, fitted, monkeypatch):
    monkeypatch.setattr("skcausalpima._fit.restarts.Parallel", None)
    assert quick(n_jobs=2).fit(pair).lower_bound_ == fitted.lower_bound_


def test_thread_counts_are_left_alone():
    files = Path(skcausalpima.__file__).parent.rglob("*.py")
    assert not [path for path in files if "set_num_threads" in path.read_text()]


@pytest.mark.slow
def test_a_run_on_another_machine_looks_for_no_file_of_this_one(monkeypatch, random_start, pair):
    names, files = iter(["here"]), []

    @contextmanager
    def working_for(process, file):
        files.append(file)
        yield Interruption()

    node = SimpleNamespace(node=lambda: next(names, "elsewhere"))
    monkeypatch.setattr("skcausalpima._fit.restarts.platform", node)
    monkeypatch.setattr("skcausalpima._fit.restarts.working_for", working_for)
    found = random_start(n_init=2).fit(pair)
    assert files == [None, None]
    monkeypatch.undo()
    assert found.lower_bound_ == random_start(n_init=2).fit(pair).lower_bound_
