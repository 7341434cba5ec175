"""What a file, a signal, a wrong argument or a large number can break: a seeded attack.

    python benchmarks/faults.py --cases 10000 --seed 0
    python benchmarks/faults.py --kinds calls texts --list

Kinds of cases, each of which runs in a watched process of its own (see ``attack/workers.py``):

- ``calls``: a public callable, one or two of whose right arguments are replaced;
- ``tensors``: the same for ``functional`` and ``modules``, which take tensors as they are: only a
  hang or a crash counts;
- ``files``: model files with other bytes, or with other content under a right checksum, that are
  loaded and, if accepted, predict and are trained further;
- ``texts``: malformed BIF, JSON and GraphML of graphs;
- ``gradients``: NaN in the gradient of one parameter in one step of a fit;
- ``interrupts``: KeyboardInterrupt at one line of a fit, or of a continued one;
- ``kills``: SIGKILL of a process that saves.

An outcome is a fault if a result is wrong without a word (silent: not finite where it could be, or
neither the old fit nor the new), if an error is not of the documented types or has no message
(undocumented), if it takes ``--limit`` seconds of processor time (hang), or ends the process
(crash); faults are told on standard error as they are found.
``blunt`` counts errors of the documented types in the words of Python or NumPy. Each case follows
from seed, kind and number alone; ``--case`` runs one of them here.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import time
from collections import Counter
from collections.abc import Iterator

from attack.verdicts import judged
from attack.workers import Outcome, generator, outcomes, work

#: Kinds: the module that makes their cases, and their part of all.
KINDS = {
    "calls": ("attack.calls", 0.65),
    "tensors": ("attack.tensors", 0.1),
    "files": ("attack.files", 0.11),
    "texts": ("attack.texts", 0.1),
    "gradients": ("attack.gradients", 0.01),
    "interrupts": ("attack.interrupts", 0.015),
    "kills": ("attack.kills", 0.015),
}
FAULTS = ("silent", "undocumented", "hang", "crash")
COLUMNS = ("result", "error", "blunt", *FAULTS)


def maker(kind: str):
    """Return what makes cases of a kind."""
    return importlib.import_module(KINDS[kind][0]).case


def attack(kind: str, options: argparse.Namespace) -> Iterator[Outcome]:
    """Run all cases of a kind; yield their outcomes, and tell those that are faults."""
    listed = (*FAULTS, "blunt") if options.list else FAULTS
    cases = range(max(1, round(options.cases * KINDS[kind][1])))
    for outcome in outcomes(kind, options.seed, cases, options.limit):
        if outcome.outcome in listed:
            print(told(outcome), file=sys.stderr, flush=True)
        yield outcome


def row(kind: str, found: list[Outcome], seconds: float) -> str:
    """Return one line of the table."""
    counts = Counter(outcome.outcome for outcome in found)
    cells = [kind, len(found), *(counts[column] for column in COLUMNS), f"{seconds:.0f}"]
    return f"| {' | '.join(map(str, cells))} |"


def told(outcome: Outcome) -> str:
    """Return one line about a case."""
    return f"- {outcome.outcome}: {outcome.kind} {outcome.case}: {outcome.label}: {outcome.detail}"


def main(arguments: list[str] | None = None) -> int:
    """Print the table; return 1 if there are any."""
    options = _options(arguments)
    if options.worker:
        kind, start, stop = options.worker
        work(maker(kind), kind, options.seed, range(int(start), int(stop)), options.limit)
        return 0
    if options.case is not None:
        return _one(options.kinds[0], options.seed, options.case)
    print("| kind | cases |", " | ".join(COLUMNS), "| seconds |")
    print("|---" * (len(COLUMNS) + 3) + "|")
    sound = True
    for kind in options.kinds:
        start = time.perf_counter()
        found = list(attack(kind, options))
        print(row(kind, found, time.perf_counter() - start), flush=True)
        sound &= not any(outcome.outcome in FAULTS for outcome in found)
    return 0 if sound else 1


def _one(kind: str, seed: int, number: int) -> int:
    case = maker(kind)(generator(seed, kind, number))
    print(case.label)
    print(*judged(case))
    return 0


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--cases", type=int, default=10000, help="how many, of all kinds")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--limit", type=float, default=20.0, help="seconds for one case")
    parser.add_argument("--list", action="store_true", help="tell the blunt errors, too")
    parser.add_argument("--case", type=int, help="run this case of the first kind, unwatched")
    parser.add_argument("--worker", nargs=3, help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
