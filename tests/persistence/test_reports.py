"""Records of what a fit tells: frozen, and short to look at."""

import copy
import pickle
from dataclasses import FrozenInstanceError, fields, replace
from types import SimpleNamespace

import numpy as np
import pytest
from resigned_files import read_file, write_file
from same_fits import assert_same
from sklearn.base import clone

from skcausalpima import CausalPIMA
from skcausalpima._base.reports.report import LINE_LETTERS
from skcausalpima._state.fitted import FITTED, fitted_attributes
from skcausalpima._state.plain import REPORTS
from skcausalpima.inspection import ContextReport, FoundAgainReport

pytestmark = pytest.mark.short_fits

KINDS = [*REPORTS, ContextReport]
#: Attributes that hold one.
NAMES = (
    "separation",
    "cell_values",
    "convergence",
    "arrangement",
    "stability",
    "found_again",
    "gaps",
    "choices",
)


@pytest.fixture(scope="module")
def adapted():
    """Return a fit that tells everything: of several starts, of a label that was learned later."""
    rng = np.random.default_rng(0)
    factors, site = rng.integers(2, size=(240, 2)), rng.integers(3, size=240)
    parts = {
        name: 8.0 * np.repeat(factors[:, [k]], width, axis=1) + rng.normal(size=(240, width))
        for k, (name, width) in enumerate({"few": 2, "many": 20}.items())
    }
    parts["few"] += 5.0 * site[:, None] * [1.0, 0.0]
    old, new = (
        {name: of[rows] for name, of in (parts | {"site": site}).items()}
        for rows in (site < 2, site == 2)
    )
    est = CausalPIMA((2, 2), contexts="site", max_iter=3, random_state=0).fit(old).adapt(new)
    again = FoundAgainReport(
        found=True, agreement=np.ones(10), n_samples=160, enough_samples=160
    )  # which no test of this suite asks
    vars(est).update(fitted_attributes(replace(est._fitted, found_again=again)))
    return est


def told_by(est):
    """Return the records of a fit, of all kinds that there are."""
    of_fit = [getattr(est, f"{name}_") for name in NAMES]
    told = [*of_fit, *est.choices_.tried, *est.adapted_, *est.report().contexts.values()]
    assert {type(report) for report in told} == set(KINDS)
    return told


def test_records_do_not_change_and_editors_complete_them(adapted):
    for report in told_by(adapted):
        for of in fields(report):
            assert of.name in dir(report)
            with pytest.raises(FrozenInstanceError):
                setattr(report, of.name, None)
        with pytest.raises(FrozenInstanceError):
            report.another = 1


def test_records_are_short_to_look_at(adapted):
    for report in told_by(adapted):
        lines = repr(report).splitlines()
        assert len(lines) == len(fields(report)) + 2
        assert max(map(len, lines)) < LINE_LETTERS + 32
    many = copy.copy(adapted.gaps_)
    object.__setattr__(many, "pairs", np.zeros((900, 2), dtype=np.int64))
    assert "pairs=<int64 of shape (900, 2)>," in repr(many)


def test_records_of_the_same_figures_are_equal(adapted):
    for report in told_by(adapted):
        assert report == copy.deepcopy(report)
        assert report != SimpleNamespace(**vars(report))
    gaps = adapted.gaps_
    assert replace(gaps, nodes=gaps.nodes + np.nan) == replace(gaps, nodes=gaps.nodes * np.nan)
    assert replace(gaps, nodes=gaps.nodes + 1.0) != gaps
    tried = adapted.choices_.tried
    assert replace(adapted.choices_, tried=tried[:-1]) != adapted.choices_


def test_copies_and_pickles_have_the_same_records(adapted):
    copies = [copy.copy(adapted), copy.deepcopy(adapted), pickle.loads(pickle.dumps(adapted))]
    for other in copies:
        for name in (*NAMES, "adapted"):
            assert_same(getattr(adapted, f"{name}_"), getattr(other, f"{name}_"), name)
    assert not hasattr(clone(adapted), "choices_")
    for report in told_by(adapted):
        assert_same(report, pickle.loads(pickle.dumps(report)), type(report).__name__)


def test_files_whose_records_have_other_types_are_refused(adapted, tmp_path):
    adapted.save(tmp_path / "model")
    document, arrays = read_file(tmp_path / "model")
    document["fit"]["stability"]["unstable"] = "no"
    write_file(tmp_path / "other", document, arrays)
    with pytest.raises(ValueError, match=r"stability\.unstable is not what a fit of this size"):
        CausalPIMA.load(tmp_path / "other")


@pytest.mark.parametrize("name", NAMES)
def test_records_of_other_fields_are_refused(adapted, name):
    """Of files and of pickles; one with a default, too, must be there."""
    state = adapted.__getstate__()
    report = state[FITTED][name]
    lacking = dict(list(report.items())[:-1])
    match = f"another version of skcausalpima: its {report['$']} has the fields"
    for other in (lacking, report | {"another": 1}):
        with pytest.raises(ValueError, match=match):
            CausalPIMA().__setstate__(state | {FITTED: state[FITTED] | {name: other}})
