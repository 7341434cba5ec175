"""What holds without extras: modules, a fit, its report, its file; what needs one names it.

It needs nothing but what the package itself asks for. Where extras are installed, they are hidden.
"""

import importlib
import importlib.util
import pkgutil
import sys
import tempfile
import warnings
from pathlib import Path

#: Libraries that are optional, and what brings the first two.
OPTIONAL = ("matplotlib", "pandas", "polars", "xarray", "tqdm")
PLOT, PANDAS = "pip install 'skcausalpima[plot]'", "pip install 'skcausalpima[pandas]'"

#: What draws may be imported where something is drawn only.
DRAWING = {"skcausalpima.inspection._displays.scaled_text"}


class Hiding:
    """A finder of modules that finds no optional one."""

    def __init__(self, finder):
        self.finder = finder

    def __getattr__(self, name):
        return getattr(self.finder, name)

    def find_spec(self, name, *where):
        hidden = name.partition(".")[0] in OPTIONAL
        return None if hidden else self.finder.find_spec(name, *where)


def modules_import():
    """Import each module, and return how many there are."""
    import skcausalpima

    found = pkgutil.walk_packages(skcausalpima.__path__, "skcausalpima.")
    names = {module.name for module in found} - DRAWING
    for name in names:
        importlib.import_module(name)
    return len(names)


def a_fit_works(folder):
    """Return a fit to two modalities, and the samples, once it has answered and been in a file."""
    import numpy as np

    from skcausalpima import CausalPIMA, Initialization

    group = np.repeat([0, 1], 20)
    numbers = np.random.default_rng(0).normal(size=(40, 3)) + 6 * group[:, None]
    X = {"numbers": numbers, "count": group * 6.0}
    init = Initialization(pretraining_epochs=1)
    est = CausalPIMA(2, init=init, max_iter=1, random_state=0).fit(X)
    est.save(folder / "fit")
    assert np.array_equal(CausalPIMA.load(folder / "fit").predict(X), est.predict(X))
    assert est.impute({**X, "count": None})["count"].shape == (40,)
    report = est.report(X)
    report.save(folder / "fit.html")
    assert PLOT in (folder / "fit.html").read_text(encoding="utf-8").replace("&#x27;", "'")
    assert "N1" in str(report)
    assert "N1" in est._repr_html_()
    return est, X


def import_error(call):
    """Return what the call raises, in words."""
    try:
        call()
    except ImportError as error:
        return str(error)
    return "nothing"


def errors_name_the_extra(est, X):
    """Call what needs one."""
    from skcausalpima.inspection import GraphDisplay

    for extra, call in [
        (PLOT, lambda: est.plot_summary(X)),
        (PLOT, lambda: GraphDisplay.from_estimator(est)),
        (PANDAS, lambda: est.to_frame(X)),
        (PANDAS, lambda: est.report(X).to_frame()),
        (PANDAS, lambda: est.separation_.to_frame()),
        (PANDAS, lambda: est.to_graph().table("N1")),
    ]:
        assert extra in import_error(call)


if __name__ == "__main__":
    installed = [name for name in OPTIONAL if importlib.util.find_spec(name)]
    sys.meta_path[:] = map(Hiding, sys.meta_path)
    warnings.simplefilter("ignore")  # of so few samples and epochs
    with tempfile.TemporaryDirectory() as folder:
        n_modules = modules_import()
        errors_name_the_extra(*a_fit_works(Path(folder)))
    print(f"{n_modules} modules, a fit and its file work without extras.", end=" ")
    print(f"Hidden were: {', '.join(installed) or 'none, since none is installed'}.")
