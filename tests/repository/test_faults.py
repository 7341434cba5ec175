"""The package's own attack, ``benchmarks/faults.py``, in reduced form: not one fault."""

import re
import sys
from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
#: How many cases of each kind, of which a fortieth is slow and all are long. Other tests interrupt.
CASES = {
    "calls": 1390,
    "tensors": 200,
    "files": 180,
    "texts": 180,
    "gradients": 10,
    "interrupts": 8,
    "kills": 8,
}
FAULTS = ["silent", "undocumented", "hang", "crash"]


pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the attack limits memory")


@pytest.fixture
def attack(monkeypatch):
    """The modules of the attack."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    import faults
    from attack import verdicts, workers

    return faults, verdicts, workers


@pytest.mark.parametrize(
    ("kind", "number"),
    [
        *(
            pytest.param(kind, 1 + n // 40, marks=pytest.mark.slow)
            for kind, n in CASES.items()
            if kind != "interrupts"
        ),
        *(pytest.param(kind, n, marks=pytest.mark.long) for kind, n in CASES.items()),
    ],
)
def test_nothing_is_silently_wrong_or_breaks(attack, kind, number):
    _, _, workers = attack
    found = list(workers.outcomes(kind, 1, range(number), limit=20.0))
    assert [outcome for outcome in found if outcome.outcome in FAULTS] == []
    assert len(found) == number


def test_what_counts_as_a_fault(attack):
    _, verdicts, _ = attack

    def raising(error):
        def run():
            raise error

        return run

    def outcome(run, *allowed):
        return verdicts.judged(verdicts.Case("", run, allowed))[0]

    assert outcome(lambda: verdicts.require_finite([{"a": np.ones(2)}, 1.0, None])) == "result"
    assert outcome(lambda: verdicts.require_finite([{"a": np.array([1, np.nan])}])) == "silent"
    assert outcome(raising(ValueError("expected this, got that"))) == "error"
    assert outcome(raising(TypeError("'int' object is not iterable"))) == "blunt"
    assert outcome(raising(ValueError(""))) == "undocumented"
    assert outcome(raising(KeyError("a"))) == "undocumented"
    assert outcome(raising(KeyError("a")), KeyError) == "error"
    assert outcome(raising(SystemExit(0))) == "undocumented"


@pytest.mark.slow
def test_what_is_the_same(attack, fitted, quick, pair):
    _, verdicts, _ = attack
    parts = verdicts.fitted_part(fitted)
    assert verdicts.same(parts, verdicts.fitted_part(quick().fit(pair)))
    other = verdicts.fitted_part(quick(random_state=1).fit(pair))
    assert not verdicts.same(parts["_fitted"].numbers, other["_fitted"].numbers)
    assert not verdicts.same(parts["history_"], other["history_"])


SCRIPT = """
import os, signal, sys, time
sys.path.insert(0, {folder!r})
from attack.verdicts import Case
from attack.workers import work

def spin():
    while True:
        pass

RUNS = [lambda: None, spin, lambda: os.kill(os.getpid(), signal.SIGSEGV), len]
start, stop = map(int, sys.argv[3:5])
numbers = iter(range(start, stop))
work(lambda rng: Case("a case", RUNS[next(numbers)]), sys.argv[2], 0, range(start, stop), 1.0)
"""


@pytest.mark.long
def test_hangs_and_crashes_are_one_cases_outcome(attack, monkeypatch, tmp_path):
    _, _, workers = attack
    path = tmp_path / "script.py"
    path.write_text(SCRIPT.format(folder=str(BENCHMARKS)))
    monkeypatch.setattr(workers, "SCRIPT", path)
    found = list(workers.outcomes("kind", 0, range(4), limit=1.0))
    assert [outcome.outcome for outcome in found] == ["result", "hang", "crash", "error"]
    assert [outcome.case for outcome in found] == [0, 1, 2, 3]
    assert "in spin" in found[1].detail


def test_the_table(attack, capsys):
    faults, _, workers = attack
    found = [
        workers.Outcome("texts", k, "a text", word, "") for k, word in enumerate(faults.FAULTS)
    ]
    assert faults.row("texts", found, 1.4) == "| texts | 4 | 0 | 0 | 0 | 1 | 1 | 1 | 1 | 1 |"
    assert faults.told(found[0]) == "- silent: texts 0: a text: "
    assert sum(share for _, share in faults.KINDS.values()) == pytest.approx(1.0)
    assert faults.main(["--kinds", "texts", "--case", "3"]) == 0
    assert re.match(r"from_(bif|json): ", capsys.readouterr().out)
