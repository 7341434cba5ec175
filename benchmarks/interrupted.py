"""Ctrl-C at random moments of fits in processes of their own: what is left, and who.

    python benchmarks/interrupted.py --cases 20 --seed 0

Each case is a fit with one or two workers, that gets SIGINT after a random number of the lines
that it prints (0: in the start) and a random time more. Half of the cases signal the process alone,
as notebooks do, half the whole group, as terminals do. A case is right if the estimator is fitted
and consistent, with a warning, or as before ``fit`` after a KeyboardInterrupt; and if no process of
the group is left soon after the end.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time

#: What is fitted; it ends with one line of JSON.
SCRIPT = """
import json, signal, sys, warnings
import numpy as np
from sklearn.base import clone
from skcausalpima import CausalPIMA
from skcausalpima.exceptions import InterruptionWarning

n_init, n_jobs = int(sys.argv[1]), int(sys.argv[2])
rng = np.random.default_rng(0)
group = np.repeat([0, 1, 2, 3], 250)
images = rng.normal(size=(1000, 8, 8)) + 2 * (group // 2)[:, None, None]
X = [images, 10 * rng.normal(size=(1000, 20)) + 20 * (group % 2)[:, None]]
model = CausalPIMA((2, 2), n_init=n_init, n_jobs=n_jobs, random_state=0, verbose=2)
print("begin", flush=True)
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    try:
        model.fit(X)
        ended = "fitted"
    except KeyboardInterrupt:
        ended = "KeyboardInterrupt"
told = [str(w.message) for w in caught if w.category is InterruptionWarning]
if ended == "fitted":
    right = abs(model.score(X) - model.lower_bound_) < 1e-6
    right &= len(model.history_["lower_bound"]) == model.n_iter_ and len(told) <= 1
    right &= model.transform([X[0], None]).shape == (1000, model.latent_dim_)
else:
    right = vars(model) == vars(clone(model)) and not told
right &= signal.getsignal(signal.SIGINT) is signal.default_int_handler
print(json.dumps([ended, bool(right), " ".join(told)]), flush=True)
"""
#: Seconds that processes have to end after the one that started them.
GRACE = 10.0


def fit(n_init: int, n_jobs: int) -> subprocess.Popen:
    """Begin a fit in a process that leads a group of its own."""
    command = [sys.executable, "-c", SCRIPT, str(n_init), str(n_jobs)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True}
    return subprocess.Popen(command, env=environment, process_group=0, **pipes)


def outcome(process: subprocess.Popen, n_lines: int, delay: float, to_group: bool) -> list:
    """Interrupt a fit; return how it ended, whether that is right, and where it was."""
    lines: list[str] = []
    timer = threading.Timer(0.0, print)

    def interrupt() -> None:
        (os.killpg if to_group else os.kill)(process.pid, signal.SIGINT)

    for line in process.stdout:
        lines.append(line.rstrip())
        if len(lines) == n_lines + 1:  # the first says that fit begins
            timer = threading.Timer(delay, interrupt)
            timer.start()
    process.wait()
    timer.cancel()
    ended, right, told = json.loads(lines[-1])
    where = lines[-2].partition(":")[0] if len(lines) > 2 else "the start"
    return [ended, right and not _is_left(process.pid), told, where]


def _is_left(group: int) -> bool:
    """Say whether a process of a group outlives its leader for long; end it."""
    deadline = time.monotonic() + GRACE
    while time.monotonic() < deadline:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return False
        time.sleep(0.1)
    os.killpg(group, signal.SIGKILL)
    return True


def main() -> int:
    """Print a line for each case; return 1 if one is wrong."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--cases", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng, wrong = random.Random(options.seed), 0
    print("| runs | workers | to | after lines | last line | ended | told | right |")
    print("|---" * 8 + "|")
    for case in range(options.cases):
        n_init, n_jobs = [(1, 1), (2, 1), (2, 2), (3, 2)][case % 4]
        n_lines = 0 if rng.random() < 0.2 else rng.randrange(55 * n_init)
        delay, to_group = rng.random() * (0.5 if n_lines else 3.0), rng.random() < 0.5
        found = outcome(fit(n_init, n_jobs), n_lines, delay, to_group)
        ended, right, told, where = found
        cells = [n_init, n_jobs, "group" if to_group else "process", n_lines, where, ended]
        cells += [told[:60], "yes" if right else "NO"]
        print(f"| {' | '.join(map(str, cells))} |", flush=True)
        wrong += not right
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
