"""Cases in processes of their own, which are watched: a hang or a crash is one case's outcome.

A worker says on a pipe which case it begins and how it ended. A timer ends one whose case takes
too much processor time (so that a busy machine is no hang), and one that says nothing for ten times
as long is killed. One that is gone for any other reason has crashed. Another goes on.
"""

from __future__ import annotations

import faulthandler
import json
import os
import resource
import select
import signal
import subprocess
import sys
import tempfile
import warnings
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from attack.verdicts import Case, judged

SCRIPT = Path(__file__).parents[1] / "faults.py"
#: Of address space: what asks for more is told so, instead of stopping the machine.
MEMORY = 6 << 30


class Outcome(NamedTuple):
    """How one case ended."""

    kind: str
    case: int
    label: str
    outcome: str  # result, error, blunt, silent, undocumented, hang or crash
    detail: str


def generator(seed: int, kind: str, number: int) -> np.random.Generator:
    """Return the generator from which one case is drawn."""
    return np.random.default_rng([seed, zlib.crc32(kind.encode()), number])


def work(
    make: Callable[[np.random.Generator], Case], kind: str, seed: int, cases: range, limit: float
) -> None:
    """Run cases and say so on what standard output was; what they print goes nowhere."""
    channel = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    faulthandler.register(signal.SIGPROF, chain=True)  # says where it hangs, then ends the process
    warnings.simplefilter("ignore")

    def say(*words: Any) -> None:
        channel.write(json.dumps(words) + "\n")
        channel.flush()

    say("ready")
    for number in cases:
        case = make(generator(seed, kind, number))
        say("begin", number, case.label[:500])
        signal.setitimer(signal.ITIMER_PROF, limit)
        verdict = judged(case)
        signal.setitimer(signal.ITIMER_PROF, 0.0)
        say("end", number, *verdict)


class _Worker:
    """A process that runs the cases from one number on."""

    def __init__(self, kind: str, seed: int, cases: range, limit: float) -> None:
        options = ["--seed", str(seed), "--limit", str(limit)]
        span = [str(cases.start), str(cases.stop)]
        command = [sys.executable, str(SCRIPT), "--worker", kind, *span, *options]
        environment = os.environ | {"OMP_NUM_THREADS": "1", "SCIPY_ARRAY_API": "1"}
        self.errors = tempfile.TemporaryFile()  # noqa: SIM115 (closed by end)
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=self.errors, env=environment
        )
        self.rest = b""

    def line(self, limit: float) -> list | None:
        """Return what the worker says next; None where it has ended, [] where it is silent."""
        stream = self.process.stdout
        while b"\n" not in self.rest:
            if not select.select([stream], [], [], limit)[0]:
                return []
            block = os.read(stream.fileno(), 65536)
            if not block:
                return None
            self.rest += block
        text, _, self.rest = self.rest.partition(b"\n")
        return json.loads(text)

    def end(self) -> str:
        """End the process; return how it ended."""
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        with self.errors as stream:
            stream.seek(0)
            errors = " ".join(stream.read().decode(errors="replace").split())
        return f"exit status {self.process.returncode} {errors[-300:]}"


def outcomes(kind: str, seed: int, cases: range, limit: float) -> Iterator[Outcome]:
    """Run cases in workers; yield how each ended."""
    while len(cases):
        worker = _Worker(kind, seed, cases, limit)
        last = None
        for outcome in _said(worker, kind, limit):
            last = outcome.case
            yield outcome
        cases = range(cases.start if last is None else last + 1, cases.stop)


def _said(worker: _Worker, kind: str, limit: float) -> Iterator[Outcome]:
    """Yield the outcomes of one worker, until it ends or is silent for too long."""
    if worker.line(300.0) != ["ready"]:
        raise RuntimeError(f"a worker for {kind} does not start: {worker.end()}")
    begun, runs = None, False
    while said := worker.line(10.0 * limit):
        runs = said[0] == "begin"
        if runs:
            begun = said[1:]
        else:
            yield Outcome(kind, *begun, *said[2:])
    ended = None if said == [] else worker.process.wait()
    how = worker.end()
    if not runs and ended == 0:
        return
    if begun is None:
        raise RuntimeError(f"a worker for {kind} makes no case: {how}")
    hangs = ended in (None, -signal.SIGPROF)
    after = "" if runs else "after it, "  # memory that it damaged
    yield Outcome(kind, *begun, "hang" if hangs else "crash", after + how)
