"""Records of what a fit tells: documented, frozen, short to look at, and read from older files."""

import copy
import pickle
from dataclasses import MISSING, FrozenInstanceError, fields, replace
from types import SimpleNamespace

import numpy as np
import pytest
from numpydoc.docscrape import NumpyDocString
from resigned_files import as_of_version_19, namespaces, read_file, write_file
from same_fits import assert_same
from sklearn.base import clone

from skcausalpima import CausalPIMA
from skcausalpima._base.reports.report import LINE_LETTERS
from skcausalpima._state.fitted import FITTED, fitted_attributes
from skcausalpima._state.older import LISTS, REPORTS, with_reports
from skcausalpima.inspection import ContextReport, FoundAgainReport

pytestmark = pytest.mark.short_fits

KINDS = [*REPORTS.values(), *LISTS.values(), ContextReport]


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
    of_fit = [getattr(est, f"{name}_") for name in REPORTS]
    told = [*of_fit, *est.choices_.tried, *est.adapted_, *est.report().contexts.values()]
    assert {type(report) for report in told} == set(KINDS)
    return told


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_field_is_documented(kind):
    documented = {entry.name: entry for entry in NumpyDocString(kind.__doc__)["Parameters"]}
    assert list(documented) == [of.name for of in fields(kind)]
    for of in fields(kind):
        entry = documented[of.name]
        assert entry.type
        assert "".join(entry.desc).strip()
        has_default = (of.default, of.default_factory) != (MISSING, MISSING)
        assert has_default == ("default=" in entry.type), of.name
        if "np.ndarray" in of.type and "dict" not in of.type:
            assert "shape" in entry.type, of.name


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
        for name in (*REPORTS, "adapted"):
            assert_same(getattr(adapted, f"{name}_"), getattr(other, f"{name}_"), name)
    assert not hasattr(clone(adapted), "choices_")
    for report in told_by(adapted):
        assert_same(report, pickle.loads(pickle.dumps(report)), type(report).__name__)


@pytest.fixture(scope="module")
def of_version_19(adapted, tmp_path_factory):
    """Return the content of a file as it was when reports were namespaces."""
    file = tmp_path_factory.mktemp("older") / "model"
    adapted.save(file)
    return as_of_version_19(*read_file(file))


def test_files_of_before_have_the_same_records(adapted, of_version_19, tmp_path):
    write_file(tmp_path / "old", *of_version_19)
    assert "namespace" in str(of_version_19[0])
    assert "Report" not in str(of_version_19[0])
    loaded = CausalPIMA.load(tmp_path / "old")
    for name in (*REPORTS, "adapted"):
        assert_same(getattr(adapted, f"{name}_"), getattr(loaded, f"{name}_"), name)
    assert str(loaded.report()) == str(adapted.report())
    loaded.save(tmp_path / "new")
    assert_same(adapted.choices_, CausalPIMA.load(tmp_path / "new").choices_, "choices")


def test_pickles_of_before_have_the_same_records(adapted):
    state = adapted.__getstate__()
    before = CausalPIMA()
    before.__setstate__(state | {FITTED: namespaces(state[FITTED])})
    for name in (*REPORTS, "adapted"):
        assert_same(getattr(adapted, f"{name}_"), getattr(before, f"{name}_"), name)


def optional(kind):
    """Return the fields that a record of before may lack."""
    return [of for of in fields(kind) if (of.default, of.default_factory) != (MISSING, MISSING)]


@pytest.mark.parametrize("name", REPORTS)
def test_what_a_record_of_before_lacks_was_not_asked_then(adapted, name):
    report, may_lack = getattr(adapted, f"{name}_"), optional(REPORTS[name])
    kept = vars(report).keys() - {of.name for of in may_lack}
    older = SimpleNamespace(**{field: vars(report)[field] for field in kept})
    found = with_reports({name: older})[name]
    assert type(found) is REPORTS[name]
    for of in may_lack:
        default = of.default_factory() if of.default is MISSING else of.default
        assert_same(default, getattr(found, of.name), of.name)
    for field in kept:
        assert_same(getattr(found, field), getattr(report, field), field)


@pytest.mark.parametrize("name", REPORTS)
def test_records_of_other_fields_are_refused(adapted, name):
    report, kind = vars(getattr(adapted, f"{name}_")), REPORTS[name]
    needed = next(of.name for of in fields(kind) if of not in optional(kind))
    lacking = {field: value for field, value in report.items() if field != needed}
    match = f"another version of skcausalpima: its {kind.__name__} has the fields"
    for other in (lacking, report | {"another": 1}):
        with pytest.raises(ValueError, match=match):
            with_reports({name: SimpleNamespace(**other)})


def test_files_whose_records_have_other_types_are_refused(adapted, tmp_path):
    adapted.save(tmp_path / "model")
    document, arrays = read_file(tmp_path / "model")
    document["fit"]["stability"]["unstable"] = "no"
    write_file(tmp_path / "other", document, arrays)
    with pytest.raises(ValueError, match=r"stability\.unstable is not what a fit of this size"):
        CausalPIMA.load(tmp_path / "other")


def test_files_may_lack_figures_that_came_later(adapted, tmp_path):
    """A field of a record with a default is all that a new figure needs, in files of now, too."""
    adapted.save(tmp_path / "model")
    document, arrays = read_file(tmp_path / "model")
    del document["fit"]["arrangement"]["p_value"]
    write_file(tmp_path / "other", document, arrays)
    loaded = CausalPIMA.load(tmp_path / "other").arrangement_
    assert loaded.p_value is None
    assert loaded.misfit == adapted.arrangement_.misfit
