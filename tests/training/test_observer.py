"""What is told of training: in the data's units, in lines that are not torn."""

import itertools
import os
from contextlib import redirect_stdout
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_allclose
from some_slow import some_slow

from skcausalpima import MultimodalData
from skcausalpima._base.progress_lines import ProgressLines
from skcausalpima._base.warn import warn_caller
from skcausalpima._training.observer import Observer


@pytest.fixture(scope="module")
def gaps(pair):
    """Some images are missing, and some elements of curves."""
    images, curves = (array.copy() for array in pair)
    images[::7] = np.nan
    curves[::5, 2] = np.nan
    return [images, curves]


@pytest.mark.parametrize(
    ("which", "scale"),
    some_slow(
        itertools.product(["whole", "gaps", "weights"], ["modality", "feature", None]),
        [("whole", "modality"), ("weights", "feature")],
    ),
)
def test_the_history_is_in_the_units_of_the_score(quick, pair, gaps, scale, which):
    """At steps of nearly nothing, the bound of the last epoch is the score, up to its draws."""
    X = gaps if which == "gaps" else [pair[0], 100.0 * pair[1]]
    weights = np.tile([0.5, 2.0], 36) if which == "weights" else None
    options = {
        "training__learning_rate": 1e-9,
        "structure": "gradient",
        "max_iter": 5,
        "training__tol": 0.0,
    }
    model = quick(scale=scale, **options).fit(X, sample_weight=weights)
    told = model.history_["lower_bound"]
    trains = ~np.isnan(X[0][:, 0, 0])  # whole samples, if there are enough
    weights = None if weights is None else weights[trains]
    scores = model.score_samples([array[trains] for array in X])
    # potentials follow their decoders over the epochs, and are exact in the end alone
    assert_allclose(told[-2:].mean(), np.average(scores, weights=weights), atol=1.0, rtol=5e-3)
    terms = [n for n in model.history_ if n.startswith(("recon", "evid", "potential"))]
    assert_allclose(sum(model.history_[term] for term in terms), told, rtol=1e-6)


@pytest.mark.slow
def test_scaled_data_tell_the_same(quick, pair):
    """Data in other units shift the bound by the logarithm of the unit for each element."""
    options = {"max_iter": 4, "training__validation_fraction": 0.25}
    one, other = quick(**options).fit(pair), quick(**options).fit([pair[0], 8.0 * pair[1]])
    for name in ("lower_bound", "objective", "held_out_bound", "reconstruction_modality1"):
        assert_allclose(other.history_[name], one.history_[name] - 4 * np.log(8.0), rtol=1e-5)
    for name in ("evidence", "potential"):
        assert_allclose(other.history_[name], one.history_[name], rtol=1e-4)


class Terminal:
    """Standard output of someone who looks."""

    def __init__(self):
        self.written = []

    def isatty(self):
        return True

    def write(self, text):
        self.written.append(text)

    def flush(self):
        pass


def test_one_line_is_rewritten(quick, pair):
    with redirect_stdout(Terminal()) as terminal:
        quick(verbose=1).fit(pair)
    text = "".join(terminal.written)
    first, rest = text.split("\n", 1)  # a line of its own
    assert first == "\r[CausalPIMA] looking for clusters"
    assert rest.count("\n") == 1
    assert rest.endswith("left\n")
    lines = rest.strip().split("\r")
    assert len(lines) == 2 + 3 + 1
    assert "pre-training, epoch 1 of 2: objective" in lines[0]


def test_nothing_of_a_longer_line_stays():
    with redirect_stdout(Terminal()) as terminal:
        lines = ProgressLines(1, "[fits]")
        lines.show("a long text", 1, 2)
        lines.show("short", 2, 2)
        lines.close()
        lines.close()
    assert terminal.written == ["\r[fits] a long text", "\r[fits] short      ", "\n"]


def test_a_line_that_is_rewritten_is_left_where_the_fit_fails(quick, pair):
    with redirect_stdout(Terminal()) as terminal, pytest.raises(ValueError, match="diverged"):
        quick(verbose=1, training__learning_rate=1e200).fit(pair)
    assert terminal.written[-1] == "\n"


@pytest.mark.slow
def test_each_line_is_one_piece(quick, pair):
    with redirect_stdout(Terminal()) as terminal:
        quick(verbose=2, n_init=2).fit(MultimodalData(pair))
    first, *others = terminal.written
    assert first == "[CausalPIMA] looking for clusters\n"
    assert len(others) == 2 * (2 + 3 + 1)
    assert all(text.endswith("left\n") for text in others)


def test_teaching_is_told_and_counted(taught, pair):
    """It takes a quarter of a fit, which once passed after "0:00 left"."""
    records, told = [], []

    class Listener:
        def epoch_begins(self, phase):
            pass

        def epoch_ended(self, record, snapshot, standing):
            records.append(record)
            return False

        def taught(self, n_done, n_epochs, seconds_left):
            told.append((n_done, n_epochs, seconds_left))

        def close(self, is_complete):
            pass

    observer = Observer(listeners=[Listener()], plan={"training": 2, "teaching": 8})
    observer.begin("training", 2, ["a"], None)
    data = SimpleNamespace(anywhere=lambda told: told)
    observer.epoch_ended({"objective": 0.0}, data)
    assert_allclose(records[-1].seconds_left, 9 * records[-1].seconds, rtol=0.5)
    observer.taught(2, 8, 1.0)
    assert told == [(2, 8, 3.0)]
    model = taught(verbose=2)
    with redirect_stdout(Terminal()) as terminal:
        model.fit(pair)
    lines = [text for text in terminal.written if "teaching" in text]
    n_epochs = int(lines[0].split(":")[0].split()[-1])
    assert len(lines) == n_epochs > 0
    assert lines[0].startswith(f"[CausalPIMA] teaching, epoch 1 of {n_epochs}: 0:0")
    assert lines[-1] == f"[CausalPIMA] teaching, epoch {n_epochs} of {n_epochs}: 0:00 left\n"


class Notebook(Terminal):
    """What standard output is in a notebook, which is told by where its class comes from."""

    __module__ = "ipykernel.iostream"

    def isatty(self):
        return False


def test_a_notebook_has_one_line_that_is_not_rewritten_all_the_time(monkeypatch):
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    with redirect_stdout(Notebook()) as notebook:
        lines = ProgressLines(1, "[fits]")
        for done in range(1, 11):
            lines.show(f"{done} of 10", done, 10)
            now[0] += 0.04
        lines.close()
    shown = "".join(notebook.written)
    assert shown == "\r[fits] 1 of 10\r[fits] 4 of 10\r[fits] 7 of 10\r[fits] 10 of 10\n"


def test_whole_lines_of_a_notebook_are_for_each_step():
    with redirect_stdout(Notebook()) as notebook:
        lines = ProgressLines(2, "[fits]")
        for done in range(1, 4):
            lines.show(f"{done} of 3", done, 3)
    assert notebook.written == [f"[fits] {done} of 3\n" for done in range(1, 4)]


def test_what_was_not_asked_to_be_silent_is_so_for_ten_seconds(monkeypatch):
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    with redirect_stdout(Terminal()) as terminal:
        lines = ProgressLines(None, "[fits]")
        lines.announce("3 fits, about 0:09", 9.0)
        lines.show("1 of 3", 1, 3)
        now[0] = 11.0
        lines.show("2 of 3", 2, 3)
        ProgressLines(None, "[fits]").announce("3 fits, about 0:12", 12.0)
    assert "".join(terminal.written) == "\r[fits] 2 of 3[fits] 3 fits, about 0:12\n"


def test_nobody_looks_at_a_file(capsys, monkeypatch):
    lines = ProgressLines(None, "[fits]")
    lines.announce("3 fits, about 9:00", 540.0)
    monkeypatch.setattr("time.monotonic", lambda: 1e9)
    lines.show("1 of 3", 1, 3)
    assert capsys.readouterr().out == ""


@pytest.mark.long
def test_lines_are_sparse_where_they_cannot_be_rewritten(quick, pair, capsys):
    quick(verbose=1, max_iter=40, training__tol=0.0).fit(pair)
    lines = capsys.readouterr().out.splitlines()
    told = [line.partition(":")[0].split()[-3] for line in lines if "] training" in line]
    assert told == ["8", "16", "24", "32", "40"]


@pytest.mark.parametrize("columns", [80, 40])
def test_a_line_never_reaches_the_end_of_a_terminal(columns):
    pty, termios = pytest.importorskip("pty"), pytest.importorskip("termios")
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "rb"), os.fdopen(theirs, "w") as terminal:
        termios.tcsetwinsize(theirs, (24, columns))
        with redirect_stdout(terminal):
            lines = ProgressLines(1, "[CausalPIMA]")
            lines.show("polishing, epoch 5 of 5: bound " + "9" * 80, 1, 3)
            lines.show("training, epoch 5 of 5: bound 9", 2, 3)
            with pytest.warns(UserWarning, match="in the middle"):
                warn_caller("in the middle")
            lines.show("short", 3, 3)
            lines.close()
        text = b""
        while not text.endswith(b"\n"):
            text += os.read(ours, 4096)
        pieces = text.decode().split("\r")[1:]
    assert max(map(len, pieces)) == columns - 1
    assert "bound 9" in pieces[0]
    assert pieces[1].strip().endswith("training, epoch 5 of 5: bound 9")
    assert set(pieces[2]) == {" "}  # erased for the warning
    assert len(pieces[2]) >= len(pieces[1].rstrip())
    assert pieces[4:] == ["[CausalPIMA] short", "\n"]
