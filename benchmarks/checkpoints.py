"""SIGKILL at random moments of fits, and full disks: whole checkpoints, and the same fits.

    python benchmarks/checkpoints.py --kills 20 --disks 5 --seed 0

A fit in a process of its own writes checkpoints. It is killed at a random moment, from when data
are read to the end, and another process resumes it; every second one of these is killed, too, and
resumed again. A case is right if the file that the resumed estimator saves is, byte by byte, that
of a fit without checkpoints, which nothing stopped. Of a full disk, which takes half of a file
after a random number of checkpoints, the fit that goes on and the one that is resumed must be so.
Last, two fits write to one file at the same time, which is read meanwhile.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

#: What is fitted, resumed and saved.
SCRIPT = """
import errno, sys, warnings
import numpy as np
from skcausalpima import CausalPIMA
from skcausalpima._state import file as model_files
from skcausalpima.callback import Checkpoint

way, path, saved, seed, n_whole = *sys.argv[1:4], int(sys.argv[4]), int(sys.argv[5])
rng = np.random.default_rng(0)
group = np.repeat([0, 1, 2, 3], 100)
images = rng.normal(size=(400, 8, 8)) + 2 * (group // 2)[:, None, None]
X = [images, 10 * rng.normal(size=(400, 20)) + 20 * (group % 2)[:, None]]


class FullDisk:
    def __init__(self, *arguments):
        self.stream = open(*arguments)

    def __enter__(self):
        self.stream.__enter__()
        return self

    def __exit__(self, *error):
        return self.stream.__exit__(*error)

    def write(self, data):
        self.stream.write(data[: len(data) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")


class UntilFull(Checkpoint):
    n_written = 0

    def on_fit_task_begin(self, estimator, context):  # writes all checkpoints
        self.n_written += hasattr(context, "checkpoint")
        if self.n_written > n_whole:
            model_files.open = FullDisk
        super().on_fit_task_begin(estimator, context)


print("begin", flush=True)
warnings.simplefilter("ignore")
if way == "resume":
    model = CausalPIMA.resume(path, X)
else:
    model = CausalPIMA((2, 2), random_state=seed, verbose=2)
    if way == "fit":
        model.set_callbacks(UntilFull(path) if n_whole else Checkpoint(path))
    model.fit(X)
if n_whole:
    del model_files.open  # the disk was full
model.save(saved)
"""
#: Reads a checkpoint as often as it can until nothing is left to wait for.
READER = """
import sys
from skcausalpima import CausalPIMA
from skcausalpima._state.stored import load_checkpoint
n_read, given = 0, dict.fromkeys(("experts", "encoders", "decoders"))
for line in sys.stdin:
    try:
        load_checkpoint(CausalPIMA, sys.argv[1], given)
    except FileNotFoundError:
        continue
    n_read += 1
print(n_read)
"""


#: Epochs of a fit, each of which prints a line.
N_LINES = 50


class Case:
    """Fits of one case, in a folder of its own."""

    def __init__(self, folder: Path, seed: int = 0) -> None:
        self.folder, self.seed = folder, seed
        folder.mkdir()
        self.checkpoint, self.saved = folder / "checkpoint", folder / "saved"

    def begin(self, way: str, n_whole: int = 0) -> subprocess.Popen:
        """Begin a fit; return when it has begun."""
        arguments = (way, self.checkpoint, self.saved, self.seed, n_whole)
        command = [sys.executable, "-c", SCRIPT, *map(str, arguments)]
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        process.stdout.readline()
        return process

    def end(self, way: str, n_whole: int = 0) -> bytes:
        """Fit to the end; return what was saved."""
        process = self.begin(way, n_whole)
        process.communicate()
        return self.saved.read_bytes() if process.returncode == 0 else b""

    def killed(self, way: str, rng: random.Random, seconds: float) -> str:
        """Kill a fit some time in its start, its epochs or what follows; return where it was."""
        process, part = self.begin(way), rng.randrange(3)
        lines = [process.stdout.readline() for _ in range(part and rng.randrange(N_LINES))]
        time.sleep(rng.random() * (0.1 if part == 1 else seconds / 4))
        process.kill()
        lines = [*filter(None, lines), *process.communicate()[0].splitlines()]
        if process.returncode == 0:
            return "the end"
        return lines[-1].partition("]")[2].partition(":")[0].strip() if lines else "the start"

    @property
    def way_on(self) -> str:
        """How to go on: from a checkpoint, or from the beginning where there is none yet."""
        return "resume" if self.checkpoint.exists() else "fit"


def kill(case: Case, whole: bytes, seconds: float, twice: bool, rng: random.Random) -> list:
    """Kill a fit, once or twice, and go on; return where that was, and whether all is right."""
    where: list[str] = []
    while len(where) < 1 + twice:
        where.append(case.killed(case.way_on, rng, seconds))
        if where[-1] == "the end":  # it was too late
            case.checkpoint.unlink()
            where.clear()
    right = case.end(case.way_on) == whole
    left = sorted(os.listdir(case.folder))
    return [", then ".join(where), right and left == ["checkpoint", "saved"]]


def fill(case: Case, whole: bytes, n_whole: int) -> list:
    """Fit where the disk is full after some checkpoints, then resume the last whole one."""
    went_on = case.end("fit", n_whole) == whole
    return [f"after {n_whole} checkpoints", went_on and case.end("resume") == whole]


def share(case: Case) -> list:
    """Let two fits write to one file, and read it until both have ended."""
    fits = [case.begin("fit"), Case(case.folder / "other", seed=1)]
    fits[1].checkpoint = case.checkpoint
    fits[1] = fits[1].begin("fit")
    command = [sys.executable, "-c", READER, str(case.checkpoint)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    reader = subprocess.Popen(command, **pipes)
    while any(process.poll() is None for process in fits):
        reader.stdin.write("again\n")
        reader.stdin.flush()
        time.sleep(0.01)
    n_read = reader.communicate()[0].strip()
    for process in fits:
        process.communicate()
    right = [process.returncode for process in (*fits, reader)] == [0, 0, 0]
    return [f"read {n_read} times", right]


def main() -> int:
    """Print a line for each case; return 1 if one is wrong."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--disks", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng, results = random.Random(options.seed), []
    print("| case | where | right |\n|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        whole = Case(Path(folder) / "whole").end("whole")
        kept = Case(Path(folder) / "kept")
        process, start = kept.begin("fit"), time.monotonic()
        process.communicate()
        seconds = time.monotonic() - start
        results.append(["not stopped", f"{seconds:.1f} s", kept.saved.read_bytes() == whole])
        print_row(results[-1])
        for number in range(options.kills):
            case = Case(Path(folder) / f"kill {number}")
            results.append(["killed", *kill(case, whole, seconds, number % 2 == 1, rng)])
            print_row(results[-1])
        for number in range(options.disks):
            case = Case(Path(folder) / f"disk {number}")
            results.append(["full disk", *fill(case, whole, 1 + rng.randrange(20))])
            print_row(results[-1])
        results.append(["two writers", *share(Case(Path(folder) / "shared"))])
        print_row(results[-1])
    return int(not all(right for *_, right in results))


def print_row(cells: list) -> None:
    """Print a row of the table."""
    print(f"| {' | '.join(map(str, cells[:-1]))} | {'yes' if cells[-1] else 'NO'} |", flush=True)


if __name__ == "__main__":
    sys.exit(main())
