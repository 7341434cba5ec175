"""Leave out the tests that need something this machine does not have; data and models to share.

What is imported here is imported by the process that hands tests out, too, before any test begins:
it is neither PyTorch nor the package.
"""

import functools
import gc
import importlib
import os

import pytest

#: Fixtures that make fits of a few epochs: who takes one is marked ``short_fits``.
SHORT_FITS = {"quick", "brief", "random_start", "taught"}

#: Warnings of alarms begin with their code. Fits of a few epochs, or of minutes (marked ``long``),
#: may raise them, rightly, since they find little; but none of these where it is not expected.
ALARMS, OF_FEW = r"\[[a-z-]+\] ", (r"\[few-samples\] ", r"\[cells-in-doubt\] ")


def let_short_fits_alone_ignore(items):
    """Make errors of warnings of ours that examples of docstrings may ignore."""
    for item in items:
        if SHORT_FITS & set(getattr(item, "fixturenames", ())):
            item.add_marker("short_fits")
        if isinstance(item, pytest.DoctestItem) or item.get_closest_marker("long"):
            continue
        is_short = item.get_closest_marker("short_fits")
        for alarms in OF_FEW if is_short else (ALARMS,):
            item.add_marker(pytest.mark.filterwarnings(f"error:{alarms}"), append=False)


@pytest.hookimpl(tryfirst=True)  # marks decide what pytest deselects
def pytest_collection_modifyitems(config, items):
    import torch

    let_short_fits_alone_ignore(items)
    absent = set()
    if not os.environ.get("SKCAUSALPIMA_DATA"):
        absent.add("data")
    if not torch.cuda.is_available():
        absent.add("gpu")
    deselected = [item for item in items if absent & {mark.name for mark in item.iter_markers()}]
    if deselected:
        config.hook.pytest_deselected(items=deselected)
        items[:] = [item for item in items if item not in set(deselected)]
    if os.name != "posix":
        for item in items:
            if item.get_closest_marker("posix"):
                item.add_marker(pytest.mark.skip(reason="signals, pipes, links, permissions"))


def pytest_collection_finish():
    gc.freeze()  # modules and tests stay until the end: no pass of the collector looks at them


#: Short runs that follow an alarm are left out of all tests: of noise they take as long as two more
#: fits, and change nothing but what is said of stability.
NO_SHORT_RUNS = {"_fit.short_runs.MAX_SAMPLES": 0}

#: Nor does any fit but those of tests about it ask whether few samples are enough.
NOT_ASKED = {"_fit.few_samples.FEW_SAMPLES": 0}

#: Starts of the mixtures that a fit begins from, or compares itself with, of which fits of the
#: default suite have fewer than users' fits: little but their time depends on it.
FEW_STARTS = {
    "_contexts.alignment.LAID_KEPT": 2,
    "_contexts.alignment.MAX_LAID": 16,
    "_contexts.alignment.N_REFERENCES": 1,
    "_fit.stability.N_PLAIN": 3,
    "_initialization.initialize.N_CANDIDATES": 6,
    "_initialization.initialize.N_STARTS": 2,
    "_initialization.mixture.KMEANS_RUNS": 4,
    "_initialization.column_noise.N_STARTS": 1,
}


@pytest.fixture(autouse=True, scope="session")
def few_repetitions(request):
    """Repeat less in all tests; ``all_repetitions`` brings back what users' fits have."""
    is_default = "not slow" in request.config.option.markexpr
    numbers = NO_SHORT_RUNS | NOT_ASKED | (FEW_STARTS if is_default else {})
    of_users = {}
    for address in numbers:
        module, _, name = f"skcausalpima.{address}".rpartition(".")
        of_users[address] = getattr(importlib.import_module(module), name)
    with pytest.MonkeyPatch.context() as patch:
        for address, number in numbers.items():
            patch.setattr(f"skcausalpima.{address}", number)
        yield of_users


@pytest.fixture(autouse=True, scope="session")
def reports_do_not_contradict_themselves():
    """Look at the lines of every report that a test makes."""
    from skcausalpima._judge.exclusions import contradictions
    from skcausalpima.inspection import FitReport
    from skcausalpima.inspection._short_report import full_lines

    made = FitReport.of.__func__

    @functools.wraps(made)
    def checked(cls, *args, **options):
        report = made(cls, *args, **options)
        assert contradictions("\n".join(full_lines(report, report.alarms))) == []
        return report

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FitReport, "of", classmethod(checked))
        yield


@pytest.fixture
def all_repetitions(few_repetitions, monkeypatch):
    """Repeat all that users' fits repeat."""
    for address, number in few_repetitions.items():
        monkeypatch.setattr(f"skcausalpima.{address}", number)


@pytest.fixture(autouse=True)
def same_chance():
    """Let modules that a test makes begin alike, whichever tests ran before it."""
    import torch

    torch.default_generator.manual_seed(0)  # manual_seed remembers its callers, for other devices


@pytest.fixture
def no_outliers(monkeypatch):
    """Let no sample lie where encoders of modalities alone do not see it: Bayes' rule is exact."""
    monkeypatch.setattr("skcausalpima.modules._subset_encoders.CONTAMINATION", 1e-30)


@pytest.fixture(scope="session")
def pair():
    """Images (72, 3, 2) and curves (72, 4) of four groups; each shows one of two binary factors."""
    import numpy as np

    rng = np.random.default_rng(0)
    group = np.repeat(np.arange(4), 18)
    images = rng.normal(size=(72, 3, 2)) + 5.0 * (group // 2)[:, None, None]
    curves = 10.0 * rng.normal(size=(72, 4)) + 50.0 * (group % 2)[:, None]
    for array in (images, curves):
        array.flags.writeable = False
    return [images, curves]


@pytest.fixture(scope="session")
def quick():
    """Make an estimator that fits in a moment: few epochs, and nothing is tried that may be stated.

    It has no encoders of incomplete samples: what ``taught`` makes has.
    """
    import quick_fits

    return quick_fits.quick


@pytest.fixture(scope="session")
def brief():
    """Make what ``quick`` makes, by what takes a third of the time, for what does not depend on it.

    Random networks, no search for cells, a mean-field posterior, one epoch, no search for a graph.
    """
    import quick_fits

    return quick_fits.brief


@pytest.fixture(scope="session")
def random_start():
    """Make what ``brief`` makes, with the default posterior, which knows columns of any kind."""
    import quick_fits

    return quick_fits.random_start


@pytest.fixture(scope="session")
def taught():
    """Make what ``quick`` makes, but teach encoders of incomplete samples for an epoch."""
    import quick_fits

    return quick_fits.taught


@pytest.fixture(scope="session")
def fitted(quick, pair):
    """An estimator fitted to ``pair``; leave it as it is, or take a deep copy."""
    return quick().fit(pair)


@pytest.fixture(scope="session")
def fitted_warm(quick, pair):
    """What ``fitted`` is, with ``warm_start=True``; leave it as it is, or take a deep copy."""
    return quick(warm_start=True).fit(pair)


@pytest.fixture(scope="session")
def fitted_and_taught(taught, pair):
    """What ``taught`` makes, fitted to ``pair``; leave it as it is, or take a deep copy."""
    return taught().fit(pair)
