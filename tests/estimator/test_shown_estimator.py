"""What a notebook shows of an estimator: the verdict and the nodes, and a box of the usual size."""

import copy
import html
import pickle
import re
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import estimator_html_repr

from skcausalpima import CausalPIMA, MultimodalData

LONG = "<i>" + "temperature of the print bed & " * 9


def fit(est, X, method="fit", **known):
    """Fit whatever is said of the little that such fits find; being shown is to say nothing."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return getattr(est, method)(X, **known)


@pytest.fixture(scope="module")
def shown(quick, pair):
    return fit(quick(node_sizes={"lattice": 2, "state": 2}), dict(zip("ab", pair, strict=True)))


@pytest.fixture(scope="module")
def size_of_kmeans(pair):
    return len(KMeans(4, n_init=1).fit(pair[1])._repr_html_())


def both_forms(est):
    """Return what the two methods of a notebook give, which is the same but for ids."""
    pages = est._repr_html_(), est._repr_mimebundle_(include=None, exclude=None)["text/html"]
    first, second = (re.sub(r"sk-[\w-]+-\d+", "", page) for page in pages)
    assert first == second
    return pages[0]


def test_the_verdict_and_the_nodes_come_first(shown):
    page, report = html.unescape(both_forms(shown)), shown.report()
    words = [f"Verdict: {report.verdict}.", report.advice[0], "lattice", "0: 5", "state", "0: 5"]
    place = 0
    for word in [*words, "<details>", "random_state"]:  # parameters are folded
        place = page.index(word, place) + len(word)


def long_names(est, X):
    known = {f"{LONG}{node}": [f"{LONG}{i % 2}" for i in range(72)] for node in range(3)}
    est.set_params(node_sizes=dict.fromkeys(known, 2))
    return fit(est, {LONG: X[0], f"{LONG}b": X[1]}, known_nodes=known)


def reset(est, X):
    return fit(est, X).set_params(max_iter=-1, node_sizes="none", structure=None)


FITS = {
    "in parts": lambda est, X: fit(est, X, "partial_fit"),
    "and a part": lambda est, X: fit(fit(est, X), X, "partial_fit"),
    "as published": lambda est, X: fit(CausalPIMA.published((2, 2), max_iter=1), X),
    "of one cell": lambda est, X: fit(est, [np.ones_like(m) for m in X]),
    "of many outcomes": lambda est, X: fit(est.set_params(node_sizes=30), X),
    "of long names": long_names,
    "of other parameters": reset,
}


@pytest.mark.parametrize("name", FITS)
def test_any_fit_is_shown(brief, pair, size_of_kmeans, name):
    page = both_forms(FITS[name](brief(), pair))
    assert "Verdict: " in page
    assert len(page) < size_of_kmeans + 5000
    assert "<i>" not in page


def test_copies_are_shown_as_the_fit_is(shown, tmp_path):
    shown.save(tmp_path / "fit.safetensors")
    loaded = CausalPIMA.load(tmp_path / "fit.safetensors")
    for est in (loaded, pickle.loads(pickle.dumps(shown)), copy.deepcopy(shown)):
        first, then = (both_forms(each).partition("<style>")[0] for each in (est, shown))
        assert first == then


def test_the_largest_grid_has_room(shown, size_of_kmeans, monkeypatch):
    """As many nodes as there may be, in 4096 cells."""
    cells = np.indices((2,) * 12).reshape(12, -1).T
    report = SimpleNamespace(
        verdict="alarmed",
        advice=[LONG * 99],
        node_names=[LONG] * 12,
        outcome_names=[[LONG, LONG]] * 12,
        cells=cells,
        shares=np.full(4096, 1 / 4096),
    )
    est = copy.copy(shown)
    monkeypatch.setattr(CausalPIMA, "report", lambda self: report)
    monkeypatch.setattr(CausalPIMA, "table_", np.ones((2,) * 12), raising=False)
    assert est._repr_html_().count("50 %") == 24
    assert len(est._repr_html_()) < size_of_kmeans + 5000


def test_what_is_not_fitted_is_shown_as_by_scikit_learn(brief, shown):
    for est in (brief(), clone(shown)):
        assert re.sub(r"\d", "", both_forms(est)) == re.sub(r"\d", "", estimator_html_repr(est))


def test_text_is_shown_where_it_is_asked_for(shown):
    with config_context(display="text"):
        assert not hasattr(shown, "_repr_html_")
        assert shown._repr_mimebundle_() == {"text/plain": repr(shown)}


def test_pipelines_and_searches_show_a_fit(brief, pair):
    X = MultimodalData(dict(zip("ab", pair, strict=True)))
    search = GridSearchCV(brief(), {"node_sizes": [2, (2, 2)]}, cv=2)
    for est in (make_pipeline(FunctionTransformer(), brief()), search):
        page = fit(est, X)._repr_html_()
        assert "CausalPIMA" in page
        assert "<span>Fitted</span>" in page
