"""A fit that was stopped goes on from its last checkpoint as if nothing had happened."""

import errno
import os
import pickle
import signal
import subprocess
import sys
from contextlib import contextmanager
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
from fits_in_parts import CONFIGURATIONS
from numpy.testing import assert_array_equal
from resigned_files import read_file, write_file
from same_fits import assert_same, assert_same_fits
from some_slow import each_once, some_slow

from skcausalpima import CausalPIMA, MissingValues, MultimodalData
from skcausalpima._state import file, stored
from skcausalpima.callback import Checkpoint, OnEpoch
from skcausalpima.exceptions import InterruptionWarning

pytest.importorskip("sklearn.callback", reason="scikit-learn 1.9")

CODE = ("experts", "encoders", "decoders")


class StopError(Exception):
    """What ends a fit as a crash does: nothing is kept but the file."""


def stopping(phase, epoch):
    """A callback that ends a fit after an epoch."""

    def stop(record):
        if (record.phase, record.epoch) == (phase, epoch):
            raise StopError

    return OnEpoch(stop)


def stopped(model, path, X, phase="training", epoch=2, every=1, **fit):
    """Fit until after an epoch."""
    model.set_callbacks(Checkpoint(path, every=every), stopping(phase, epoch))
    with pytest.raises(StopError):
        model.fit(X, **fit)
    return path


@pytest.fixture(scope="module")
def short(brief):
    """Make what ``brief`` makes, of as many epochs as ``fitted`` has, for what files do."""
    return partial(brief, max_iter=3)


@pytest.fixture(scope="module")
def whole(short, pair):
    """What ``short`` makes, fitted without a stop; leave it as it is."""
    return short().fit(pair)


@pytest.fixture(scope="module")
def checkpoint(quick, pair, tmp_path_factory):
    """The checkpoint of ``fitted`` after the second of three epochs; leave it as it is."""
    return stopped(quick(), tmp_path_factory.mktemp("stopped") / "fit", pair)


@pytest.mark.parametrize(
    ("phase", "epoch", "every"),
    [
        pytest.param("pre-training", 1, 1, marks=pytest.mark.slow),
        pytest.param("training", 1, 1, marks=pytest.mark.long),
        ("training", 2, 2),
        pytest.param("training", 3, 2, marks=pytest.mark.long),
        pytest.param("polishing", 1, 5, marks=pytest.mark.slow),
    ],
)
def test_stopped_in_any_phase(quick, pair, fitted, tmp_path, phase, epoch, every):
    path = stopped(quick(), tmp_path / "fit", pair, phase, epoch, every)
    assert_same_fits(CausalPIMA.resume(path, pair), fitted, pair)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[] if name in ("early stopping", "scatter") else pytest.mark.long)
        for name in CONFIGURATIONS
    ],
)
def test_fits_of_all_kinds_are_those_that_nothing_stopped(quick, pair, tmp_path, name):
    options = {"warm_start": True} | CONFIGURATIONS[name] | {"n_init": 1}
    whole = quick(**options).fit(pair)
    path = stopped(quick(**options), tmp_path / "fit", pair)
    code = {which: options[which] for which in CODE if which in options}
    resumed = CausalPIMA.resume(path, pair, **code)
    assert_same_fits(resumed, whole, pair)
    assert_same(resumed._fitted.training, whole._fitted.training, "training")


@pytest.mark.long
def test_what_is_known_of_samples_and_what_is_missing(quick, pair, tmp_path):
    images, curves = (array.copy() for array in pair)
    images[::7] = np.nan
    curves[1::5, 2] = np.nan
    X, group = MultimodalData([images, curves]), np.repeat(np.arange(4), 18)
    fit = {
        "known_nodes": np.where(np.arange(72)[:, None] % 5 == 0, np.c_[group // 2, group % 2], -1),
        "interventions": np.where(np.arange(72) % 4 == 0, "N2", None),
        "sample_weight": np.tile([0.0, 0.5, 2.0], 24),
    }
    options = {
        "missing_values": MissingValues(subset_epochs=3),
        "training__validation_fraction": 0.2,
    }
    whole = quick(**options).fit(X, **fit)
    path = stopped(quick(**options), tmp_path / "fit", X, **fit)
    with pytest.raises(ValueError, match="of a fit to other data: pass X, sample_weight"):
        CausalPIMA.resume(path, X, **(fit | {"sample_weight": None}))
    assert_same_fits(CausalPIMA.resume(path, X, **fit), whole, X)


def test_draws_that_nothing_seeds_are_kept(short, pair, tmp_path):
    """A fit with random_state=None is resumed with the seeds that it drew."""
    seen, path = [], tmp_path / "fit"
    note = OnEpoch(lambda record: seen.append(dict(record.terms)))
    model = short(random_state=None)
    model.set_callbacks(note, stopping("training", 3), Checkpoint(path))
    with pytest.raises(StopError):
        model.fit(pair)
    resumed = CausalPIMA.resume(path, pair)
    told = [terms["objective"] for terms in seen if "lower_bound" in terms]
    assert_array_equal(resumed.history_["objective"], told)


@pytest.mark.parametrize(("phase", "order"), each_once(["pre-training", "training"], [1, -1]))
def test_after_a_stop_with_a_fitted_estimator(short, pair, whole, tmp_path, phase, order):
    """The epoch that a request cuts short is none of the fit that goes on."""
    stop = OnEpoch(lambda record: (record.phase, record.epoch) == (phase, 1))
    model = short().set_callbacks(*[Checkpoint(tmp_path / "fit"), stop][::order])
    with pytest.warns(InterruptionWarning):
        model.fit(pair)
    assert model.n_iter_ == 1
    assert_same_fits(CausalPIMA.resume(tmp_path / "fit", pair), whole, pair)


class StoppingCheckpoint(Checkpoint):
    """It stops the fit after its last epoch of training, and keeps the record of that."""

    def on_fit_task_end(self, estimator, context):
        super().on_fit_task_end(estimator, context)
        if context.record.epoch == 3:
            self.record = context.record
            raise StopError


@pytest.mark.slow
def test_a_resumed_fit_writes_further_checkpoints(quick, pair, fitted, checkpoint, tmp_path):
    """Stopped again, it goes on from there; what is told of it is what a whole fit tells."""
    path = tmp_path / "fit"
    path.write_bytes(checkpoint.read_bytes())
    made = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            stored,
            "Checkpoint",
            lambda *args, **options: made.append(StoppingCheckpoint(*args, **options)) or made[-1],
        )
        with pytest.raises(StopError):
            CausalPIMA.resume(path, pair)
    record = made[0].record
    assert (record.phase, record.epoch, record.n_epochs, record.step) == ("training", 3, 3, 5)
    assert 0.0 <= record.seconds_left < 60.0
    assert len(read_file(path)[0]["begun"]["run"]["history"]) == 3
    assert_same_fits(CausalPIMA.resume(path, pair), fitted, pair)


@pytest.mark.slow
def test_a_full_disk_leaves_the_last_checkpoint(short, pair, whole, tmp_path, monkeypatch):
    """The fit goes on with a warning; what is there is whole, and the same fit goes on from it."""
    path, kept = tmp_path / "fit", []

    def fill(record):
        if (record.phase, record.epoch) == ("training", 2):
            kept.append(path.read_bytes())
            monkeypatch.setattr(file, "open", full, raising=False)

    @contextmanager
    def full(name, mode):
        with open(name, mode) as stream:
            half = SimpleNamespace(write=lambda data: write_half(stream, data))
            yield half if mode == "wb" else stream

    def write_half(stream, data):
        stream.write(data[: len(data) // 2])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    model = short().set_callbacks(Checkpoint(path), OnEpoch(fill))
    with pytest.warns(RuntimeWarning, match="the last one stays: .*No space left"):
        model.fit(pair)
    assert_same_fits(model, whole, pair)
    assert [path.read_bytes()] == kept
    assert os.listdir(tmp_path) == ["fit"]
    with pytest.raises(OSError, match="No space left"):
        CausalPIMA.resume(path, pair)
    monkeypatch.undo()
    assert_same_fits(CausalPIMA.resume(path, pair), whole, pair)


@pytest.mark.slow
def test_of_two_fits_with_one_file_the_last_checkpoint_is_there(short, pair, whole, tmp_path):
    path, others = tmp_path / "fit", []

    def other(record):
        if (record.phase, record.epoch) == ("training", 1):
            others.append(stopped(short(random_state=1), path, pair))

    model = short().set_callbacks(Checkpoint(path), OnEpoch(other), stopping("training", 2))
    with pytest.raises(StopError):
        model.fit(pair)
    assert others == [path]
    assert_same_fits(CausalPIMA.resume(path, pair), whole, pair)


def test_modalities_by_name_go_on_in_any_order(quick, pair, tmp_path):
    X = dict(zip(["images", "curves"], pair, strict=True))
    path = stopped(quick(), tmp_path / "fit", X)
    others = {"images": pair[0], "curves": pair[1], "further": pair[1]}
    told = r"other data, of the modalities \['images', 'curves'\], not \['images', 'curves', 'f"
    with pytest.raises(ValueError, match=told):
        CausalPIMA.resume(path, others)
    resumed = CausalPIMA.resume(path, {"curves": X["curves"], "images": X["images"]})
    assert_same_fits(resumed, quick().fit(X), X)


class Other(CausalPIMA):
    """Another class."""


def test_what_is_no_checkpoint_to_go_on_from(pair, fitted, checkpoint, tmp_path):
    fitted.save(tmp_path / "model")
    with pytest.raises(ValueError, match="it holds a fitted estimator, which load reads"):
        CausalPIMA.resume(tmp_path / "model", pair)
    with pytest.raises(ValueError, match="it is a checkpoint of a fit, with which resume goes on"):
        CausalPIMA.load(checkpoint)
    with pytest.raises(FileNotFoundError):
        CausalPIMA.resume(tmp_path / "none", pair)
    with pytest.raises(ValueError, match=r"holds no model.*Expected a whole checkpoint of a fit"):
        CausalPIMA.resume(tmp_path, pair)
    with pytest.raises(ValueError, match="of the class 'CausalPIMA', not Other"):
        Other.resume(checkpoint, pair)
    with pytest.raises(ValueError, match="of a fit to other data"):
        CausalPIMA.resume(checkpoint, [pair[0], 2.0 * pair[1]])  # other units alone
    with pytest.raises(ValueError, match="of a fit to other data"):
        CausalPIMA.resume(checkpoint, [array[::-1] for array in pair])
    whole = checkpoint.read_bytes()
    for length in (0, 100, len(whole) // 2, len(whole) - 1):
        (tmp_path / "part").write_bytes(whole[:length])
        with pytest.raises(ValueError, match=r"cannot be loaded: .* Expected a whole checkpoint"):
            CausalPIMA.resume(tmp_path / "part", pair)


def test_a_checkpoint_of_another_version(pair, checkpoint, tmp_path):
    document, arrays = read_file(checkpoint)
    path = tmp_path / "fit"
    write_file(path, document | {"library": "0.0.9"}, arrays)
    with pytest.raises(ValueError, match=r"it is of version 0\.0\.9 of skcausalpima"):
        CausalPIMA.resume(path, pair)


@pytest.mark.parametrize("every", some_slow([1, 4], [1]))
def test_a_fit_that_had_ended(short, pair, whole, tmp_path, every):
    """A process may be killed before it has saved what it whole: nothing is lost."""
    path = tmp_path / "fit"
    short().set_callbacks(Checkpoint(path, every=every)).fit(pair)
    with pytest.warns(UserWarning, match="had come to its end. .* the estimator is the same"):
        resumed = CausalPIMA.resume(path, pair)
    assert_same_fits(resumed, whole, pair)


@pytest.mark.slow
def test_code_is_passed_again(quick, pair, tmp_path):
    options = CONFIGURATIONS["factory"] | {"max_iter": 2}
    path = stopped(quick(**options), tmp_path / "fit", pair, epoch=1)
    with pytest.raises(ValueError, match=r"needs encoders: .* Pass resume\(path, encoders=\.\.\)"):
        CausalPIMA.resume(path, pair)


def test_fits_without_checkpoints_say_so(short, pair, whole, tmp_path):
    several = short(n_init=2).set_callbacks(Checkpoint(tmp_path / "fit"))
    with pytest.raises(ValueError, match="one run in one process, and not n_init=2 runs"):
        several.fit(pair)
    for method in ("fit", "partial_fit"):
        model = short(warm_start=True, max_iter=1).fit(pair)
        model.set_callbacks(Checkpoint(tmp_path / "fit"))
        with pytest.raises(ValueError, match="not one that goes on with a fitted estimator"):
            getattr(model, method)(pair)
    with pytest.raises(FileNotFoundError):
        short().set_callbacks(Checkpoint(tmp_path / "no folder" / "fit")).fit(pair)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("every", [0, -1])
def test_every_must_be_positive(every):
    with pytest.raises(ValueError, match="every == "):
        Checkpoint("fit", every=every)


@pytest.mark.parametrize("every", [1.5, True, "2", None])
def test_every_must_be_an_integer(every):
    with pytest.raises(TypeError, match="every"):
        Checkpoint("fit", every=every)


def test_a_checkpoint_that_claims_more_than_it_holds(short, pair, tmp_path):
    path = stopped(short(), tmp_path / "fit", pair)
    document, arrays = read_file(path)
    document["begun"]["spec"]["latent_dim"] = 10**9
    write_file(path, document, arrays)
    with pytest.raises(ValueError, match=r"larger than the \d+ numbers that it holds"):
        CausalPIMA.resume(path, pair)


def test_asked_for_output_is_kept(short, pair, checkpoint, tmp_path):
    model = short().set_output(transform="pandas")
    path = stopped(model, tmp_path / "fit", pair)
    assert list(CausalPIMA.resume(path, pair).transform(pair)) == ["causalpima0", "causalpima1"]


KILLED = """
import pickle, sys
import numpy as np
from skcausalpima.callback import Checkpoint, OnEpoch
pair = [np.load(path) for path in sys.argv[2:]]
tell = OnEpoch(lambda record: print(record.step, flush=True))
est = pickle.load(open(f"{sys.argv[1]} estimator", "rb"))
est.set_callbacks(Checkpoint(sys.argv[1]), tell).fit(pair)
"""


@pytest.mark.long
@pytest.mark.posix
@pytest.mark.parametrize("step", [1, 40, 150])
def test_a_process_that_is_killed(quick, pair, tmp_path, step):
    for name, array in zip("ab", pair, strict=True):
        np.save(tmp_path / f"{name}.npy", array)
    path, est = tmp_path / "fit", quick(max_iter=200, training__tol=0)
    (tmp_path / "fit estimator").write_bytes(pickle.dumps(est))
    command = [sys.executable, "-c", KILLED, path, tmp_path / "a.npy", tmp_path / "b.npy"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    pipes = {"stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env=environment, **pipes) as process:
        for line in process.stdout:
            if int(line) == step:
                process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert_same_fits(CausalPIMA.resume(path, pair), est.fit(pair), pair)
