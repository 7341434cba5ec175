"""Workers end with the process that they work for, however it ends."""

import contextlib
import multiprocessing
import os
import signal
import subprocess
import sys
import threading

import pytest

from skcausalpima._fit.interrupts import ending_with

pytestmark = pytest.mark.posix

FIT = """
import numpy as np
from skcausalpima import CausalPIMA, Training
X = np.random.default_rng(0).normal(size=(300, 5))
never = {"max_iter": 10**5, "training": Training(tol=0)}
CausalPIMA((2,), n_init=2, n_jobs=2, verbose=2, random_state=0, **never).fit(X)
"""


@pytest.mark.long
@pytest.mark.parametrize("number", ["SIGTERM", "SIGKILL"])
def test_no_worker_outlives_a_killed_fit(number):
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True}
    with subprocess.Popen([sys.executable, "-c", FIT], start_new_session=True, **pipes) as process:
        try:
            training = set()
            while training != {"1", "2"}:
                line = process.stdout.readline()
                training.update(
                    start for start in ("1", "2") if f"start {start} of 2, training" in line
                )
                assert line
            process.send_signal(getattr(signal, number))
            process.wait(10)
            # Workers print to the same pipe, which ends with the last of them.
            rest = threading.Thread(target=process.stdout.read, daemon=True)
            rest.start()
            rest.join(10)
            assert not rest.is_alive()
        finally:
            with contextlib.suppress(ProcessLookupError):  # all have ended, as they should
                os.killpg(process.pid, signal.SIGKILL)


STARTING = """
import os, pickle, sys, threading, time
from joblib import Parallel, delayed
from skcausalpima._fit.interrupts import ending_with

class Killing:
    def __reduce__(self):
        return kill, (os.getpid(),)

def kill(process):  # while the call is unpickled: the worker has not begun with it
    os.kill(process, 9)
    while os.getppid() == process:
        time.sleep(0.01)

def work(process, killing):
    with ending_with(process):
        print("works on", flush=True)
        time.sleep(60)

if __name__ == "__main__":
    Parallel(n_jobs=2)(delayed(work)(os.getpid(), Killing()) for _ in range(2))
"""


@pytest.mark.long
def test_a_worker_that_starts_when_its_parent_is_killed_ends(tmp_path):
    script = tmp_path / "starting.py"
    script.write_text(STARTING)
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True}
    with subprocess.Popen([sys.executable, script], start_new_session=True, **pipes) as process:
        try:
            said = []
            reader = threading.Thread(target=lambda: said.append(process.stdout.read()))
            reader.daemon = True
            reader.start()
            assert process.wait(60) == -signal.SIGKILL
            reader.join(20)
            assert not reader.is_alive()
            assert said == [""]
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


@pytest.mark.parametrize("starter", ["the killed one", "another"])
def test_a_child_of_a_process_that_has_gone_ends_at_once(monkeypatch, starter):
    process, ended = 2**22 + 5, []
    pid = process if starter == "the killed one" else os.getppid()
    monkeypatch.setattr(multiprocessing.current_process(), "_parent_pid", pid)
    monkeypatch.setattr(os, "_exit", ended.append)
    with ending_with(process):
        pass
    assert ended == ([1] if starter == "the killed one" else [])


def test_a_worker_is_watched_while_it_works(monkeypatch):
    ended = threading.Event()
    monkeypatch.setattr("skcausalpima._fit.interrupts.INTERVAL", 0.01)
    monkeypatch.setattr(os, "_exit", lambda status: ended.set())
    n_threads = threading.active_count()
    with ending_with(os.getppid()):
        assert threading.active_count() == n_threads + 1
        assert not ended.wait(0.1)
        monkeypatch.setattr(os, "getppid", lambda: 1)
        assert ended.wait(10)
    assert threading.active_count() == n_threads


def test_a_process_that_is_no_child_of_the_caller_is_left_alone():
    n_threads = threading.active_count()
    with ending_with(os.getpid()):
        assert threading.active_count() == n_threads
