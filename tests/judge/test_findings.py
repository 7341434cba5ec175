"""What is found of a fit: each code has figures that raise it, a fit that is well raises none."""

import re
import warnings
from pathlib import Path

import numpy as np
import pytest
from made_reports import WELL, changed, curve, of_draws
from numpy.testing import assert_array_equal

from skcausalpima import CausalPIMA
from skcausalpima._judge.alarms import CODES, Alarm, as_text, warn_of
from skcausalpima._judge.exclusions import EXCLUDED, contradictions
from skcausalpima._judge.judge import warn_of_new
from skcausalpima._judge.missing import Lack
from skcausalpima.exceptions import InstabilityWarning
from skcausalpima.inspection import GapsReport, GoodnessOfFit

FEW = np.array([0.5, 0.3, 0.195, 0.005])
PAIR = np.array([[[0, 0], [1, 0]]])
ODD = np.array([True, True, True, False])
WORST = {"name": "tails", "where": "x", "cure": "Take logarithms."}

#: For each code figures that raise it alone.
RAISED = {
    "no-clusters": {"stability": {"gain": 0.1, "gain_error": 0.06}},
    "one-cell": {"separation": {"empty": np.array([1, 2, 3])}},
    "few-samples": {"found_again": of_draws(0.9, 0.3, 0.2)},
    "draws-missed": {"found_again": of_draws(0.9, 0.7, 0.6, sure=True)},
    "other-seeds": {"stability": {"unstable": True}},
    "other-starts": {"stability": {"with_starts": 0.5}},
    "no-gap": {"joined": PAIR},
    "cells-overlap": {"separation": {"certainty": np.array([0.99, 0.85])}},
    "cells-merged": {"merged": PAIR},
    "cell-hardly-filled": {"shares": FEW, "as_expected": ODD},
    "cells-moved": {"convergence": {"moved": 0.22}},
    "nodes-by-chance": {"arrangement": {"found": False}},
    "labels-overlap": {"arrangement": {"certainty": 0.9}},
    "nodes-tied": {"arrangement": {"node_agreement": np.array([1.0, 0.5])}},
    "nodes-moved": {"arrangement": {"certainty": 1.0}, "convergence": {"moved": 0.9}},
    "one-value": {"choices": {"one_value": {"N1": "whether column '4' is 0"}}},
    "zeros-and-ones": {"choices": {"zeros_and_ones": {"image": list("abcd")}}},
    "ended-early": {"convergence": {"ended": "too early"}},
    "bound-fell": {"convergence": {"ended": "fallen"}},
    "interrupted": {"convergence": {"ended": "interrupted"}},
    "contexts-confounded": {"doubts": ("labels 1 and 2 have hardly any cells in common",)},
    "empty-cells": {"separation": {"empty": np.array([3])}},
    "not-separated": {"arrangement": {"told": np.array([True, False])}},
    "rows-set-aside": {"separation": {"set_aside": np.arange(30)}},
    "rows-outlying": {"separation": {"outlying": np.arange(30)}},
    "rows-repeat": {"choices": {"repeats": (40, "3 consecutive rows each")}},
    "values-missing": {"lacking": (Lack(column="TI", where="2", n_missing=5, n_samples=6),)},
    "missing-with-node": {
        "lacking": (Lack(column="TI", node="shape", where="flat", n_missing=5, n_samples=6),)
    },
    "counts": {"choices": {"counts": {"image": list("abcd")}}},
    "surer-than-right": {"calibration": {"all": curve(1.0, 0.43)}},
    "alone-surer-than-right": {
        "calibration": {"all": curve(0.97, 0.96), "curves": curve(0.77, 0.59)}
    },
}


@pytest.mark.parametrize("code", RAISED)
def test_each_code_has_figures_that_raise_it(code):
    (found,) = changed(**RAISED[code]).alarms
    assert found.code == code
    assert found.sentence.endswith(".")
    assert found.remedy.endswith((".", "'."))
    assert changed().alarms == ()


@pytest.mark.parametrize(
    "figures",
    [
        {"stability": {"gain": 0.13, "gain_error": 0.06}},
        {"found_again": of_draws(0.9, 0.95)},
        {"stability": {"with_starts": 0.5}, "found_again": of_draws(0.9, 0.95)},
        {"convergence": {"moved": 0.2}},
        {"convergence": {"moved": None}},
        {"convergence": {"moved": 0.4}, "found_again": of_draws(0.9, 0.95)},
        {"shares": FEW},
        {"calibration": {"all": curve(0.97, 0.96)}},
        {"calibration": {"all": curve(0.97, 0.9, n_samples=50)}},  # an error of .04
    ],
)
def test_what_is_no_alarm(figures):
    report = changed(**figures)
    assert report.alarms == ()
    assert report.verdict == "told"


def test_a_model_that_does_not_hold_is_a_note(monkeypatch):
    goodness = GoodnessOfFit.__new__(GoodnessOfFit)
    worst = type("Worst", (), WORST)()
    monkeypatch.setattr(GoodnessOfFit, "worst", worst)
    object.__setattr__(goodness, "p_value", 0.01)
    (found,) = changed(goodness=goodness).alarms
    assert (found.code, found.severity) == ("model-does-not-hold", "note")
    assert "Take logarithms." in found.remedy


def test_every_code_is_raised_here():
    assert {*RAISED, "model-does-not-hold"} == set(CODES)


def test_every_code_is_explained():
    page = (Path(__file__).parents[2] / "doc" / "guide" / "warnings.rst").read_text()
    assert [code for code in CODES if f"``{code}``" not in page] == []


def test_verdicts_follow_from_alarms_alone():
    for code, figures in RAISED.items():
        report = changed(**figures)
        is_alarm = CODES[code].category is not None
        assert (report.verdict == "alarmed") == is_alarm, code
        assert report.alarms[0].severity == ("alarm" if is_alarm else "note")


@pytest.mark.parametrize("code", CODES)
def test_an_alarm_is_one_warning_that_its_code_silences(code):
    found = Alarm(code=code, sentence="It is so.", remedy="Do this.")
    category = CODES[code].category
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warn_of(found)
        warnings.filterwarnings("ignore", message=rf"\[{code}\]")
        warn_of(found)
    assert [warning.category for warning in caught] == ([] if category is None else [category])
    assert all(str(warning.message) == as_text(found) for warning in caught)
    assert re.match(r"\[[a-z-]+\] It is so\. Do this\.$", as_text(found))


def test_two_alarms_are_two_warnings():
    both = changed(joined=PAIR, separation={"certainty": np.array([0.9, 0.85])})
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warn_of_new(both, None)
        n_first = len(caught)
        warn_of_new(both, both)  # a fit that went on
        ended = changed(joined=PAIR, convergence={"ended": "too early"})
        warn_of_new(ended, ended)  # its training is new
    assert n_first == 2
    assert [str(warning.message).split()[0] for warning in caught] == [
        *("[no-gap]", "[cells-overlap]", "[ended-early]")
    ]


def test_fits_warn_and_reports_do_not(tmp_path):
    noise = np.random.default_rng(0).normal(size=(80, 4))
    with pytest.warns(InstabilityWarning, match=r"\[no-clusters\] No clusters: one component"):
        est = CausalPIMA(2, max_iter=2, random_state=0).fit(noise)
    est.save(tmp_path / "fit.zip")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        report, again = est.report(), CausalPIMA.load(tmp_path / "fit.zip").report()
    assert report.alarms == again.alarms
    assert str(report) == str(again)
    assert str(report).startswith("Fit of 80 samples: no clusters found; one warning")
    assert_array_equal([one.code for one in report.alarms], ["no-clusters"])


def test_no_report_contradicts_itself():
    figures = [*RAISED.values(), {}, {"gaps": {"cut": np.array([False, True])}}]
    for one in figures:
        for other in figures:
            full = str(changed(**(one | other), detail="full"))
            assert contradictions(full) == []
            assert len(str(changed(**(one | other))).splitlines()) <= 25


def test_contradictions_are_found():
    for one, other in EXCLUDED:
        assert (one, other) in contradictions(f"{one} .. \n .. {other}")
    assert contradictions(str(WELL)) == []


@pytest.mark.short_fits
@pytest.mark.parametrize("n_samples", [2, 9, 10])
def test_a_handful_of_samples_is_not_held_out(n_samples):
    X = (
        np.random.default_rng(0).normal(size=(n_samples, 2))
        + 9 * (np.arange(n_samples) % 2)[:, None]
    )
    est = CausalPIMA(2, max_iter=2, random_state=0).fit(X)
    assert (est.stability_.gain is None) == (n_samples < 10)
    assert str(est.report()).startswith(f"Fit of {n_samples} samples: ")


def test_what_is_left_out_of_a_report_is_counted():
    every = GapsReport(nodes=WELL.gaps.nodes, cut=np.array([True, True]), pairs=WELL.gaps.pairs)
    report = changed(gaps=vars(every), merged=PAIR, choices={"counts": {"image": ["a"]}})
    lines, full = str(report).splitlines(), str(changed(detail="full")).splitlines()
    assert len(lines) <= 25
    assert max(map(len, lines + full)) <= 79
    n_more = re.match(r'(\d+) more lines, all figures: report\(detail="full"\)', lines[-1])
    assert int(n_more[1]) > 0
