"""SIGKILL of a process that saves: the file is the old one or the new one."""

from __future__ import annotations

import os
import pickle
import signal
import tempfile
import time
from functools import cache
from pathlib import Path

import numpy as np
from attack.calls import fitted_bytes
from attack.fits import Lines, moment
from attack.verdicts import Case, SilentError

from skcausalpima import CausalPIMA


@cache
def _two_models() -> tuple[CausalPIMA, CausalPIMA]:
    """Return the model that is there and the model that is saved."""
    return pickle.loads(fitted_bytes()), pickle.loads(fitted_bytes(True))


@cache
def _contents() -> tuple[bytes, bytes]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model")
        return tuple(_written(model, path) for model in _two_models())


def _written(model: CausalPIMA, path: Path) -> bytes:
    model.save(path)
    return path.read_bytes()


@cache
def _locations() -> list[tuple[str, int]]:
    """Return the lines that saving runs."""
    with tempfile.TemporaryDirectory() as folder, Lines() as lines:
        _two_models()[1].save(Path(folder, "model"))
    return lines.locations


def case(rng: np.random.Generator) -> Case:
    """Draw a moment: a line of ours, or a time, at which the kernel may be at work."""
    _contents()
    if rng.random() < 0.5:
        number, where = moment(rng, _locations(), _locations())
        return Case(f"killed at {where}", lambda: _killed(number, None))
    delay = float(rng.uniform(0.0, 0.03))
    return Case(f"killed after {delay:.5f} s", lambda: _killed(None, delay))


def _killed(number: int | None, delay: float | None) -> None:
    """Kill a process that saves; load the file, and save there again."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model")
        path.write_bytes(_contents()[0])
        child = os.fork()
        if child == 0:
            _save_and_die(path, number)
        if delay is not None:
            time.sleep(delay)
            os.kill(child, signal.SIGKILL)
        status = os.waitpid(child, 0)[1]
        if os.WTERMSIG(status) != signal.SIGKILL:
            raise RuntimeError(f"the process that saves ended with status {status}")
        if path.read_bytes() not in _contents():
            raise SilentError("the file is neither the old nor the new one")
        CausalPIMA.load(path)
        if _written(_two_models()[1], path) != _contents()[1]:
            raise SilentError("the file that is saved next is another")


def _save_and_die(path: Path, number: int | None) -> None:
    """Save one model after the other until the process is killed."""
    try:
        if number is not None:
            with Lines(number, lambda: os.kill(os.getpid(), signal.SIGKILL)):
                _two_models()[1].save(path)
        while number is None:
            for model in reversed(_two_models()):
                model.save(path)
    finally:
        os._exit(1)
