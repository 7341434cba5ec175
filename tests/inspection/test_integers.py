"""NumPy's integers, which may overflow, are as good as Python's in all public functions."""

import inspect
import pickle

import numpy as np
import pytest

from skcausalpima import CausalPIMA, Training, inspection, model_selection

rng = np.random.default_rng(0)
ROWS = rng.normal(size=(40, 3)) + 9 * (np.arange(40) % 4)[:, None]
X = {"wide": ROWS, "narrow": ROWS[:, :2]}
LACKING = {"wide": ROWS, "narrow": np.where(np.arange(40)[:, None] < 4, np.nan, ROWS[:, :2])}
#: What the functions are called with: ``i`` makes an integer of the kind.
CALLS = {
    "associate_nodes": lambda f, est, i: f(
        est, X, {"word": np.arange(40) % 3}, n_permutations=i(200), random_state=i(3)
    ),
    "calibration_curves": lambda f, est, i: f(
        est, n_bins=i(5), n_samples=i(200), random_state=i(3)
    ),
    "edge_confidence": lambda f, est, i: f(
        est, X, n_bootstraps=i(2), n_jobs=i(1), verbose=i(0), random_state=i(3)
    ),
    "goodness_of_fit": lambda f, est, i: f(est, X, n_replicates=i(200)),
    "information_gain": lambda f, est, i: f(est, LACKING, n_draws=i(20), random_state=i(3)),
    "intervention_gain": lambda f, est, i: f(
        est, n_samples=i(200), n_draws=i(3), random_state=i(3)
    ),
    "table_intervals": lambda f, est, i: f(
        est, X, n_draws=i(200), n_jobs=i(1), verbose=i(0), random_state=i(3)
    ),
    "within_cell_axes": lambda f, est, i: f(est, X, n_axes=i(1)),
    "select_node_sizes": lambda f, est, i: selected(
        f(est, X, candidates=[i(2)], cv=i(2), n_jobs=i(1), verbose=i(0))
    ),
}
METHODS = {
    "counterfactual": lambda est, i: est.counterfactual(X, {"N1": i(1)}),
    "intervene": lambda est, i: est.intervene({"N1": i(1)}, n_samples=i(200)),
    "reconstruct": lambda est, i: est.reconstruct(X, modality=i(1)),
    "sample": lambda est, i: est.sample(n_samples=i(200)),
}


def selected(selection):
    return selection.best_node_sizes, selection.results


def with_integers(module):
    """Return the names of functions that take integers."""
    for name in module.__all__:
        function = getattr(module, name)
        if inspect.isfunction(function):
            notes = [str(p.annotation) for p in inspect.signature(function).parameters.values()]
            if any(note.startswith("int") for note in notes):
                yield name, function


FUNCTIONS = dict([*with_integers(inspection), *with_integers(model_selection)])


@pytest.fixture(scope="module")
def est():
    return CausalPIMA(max_iter=1, random_state=0).fit(X)


def test_all_functions_are_called():
    assert set(FUNCTIONS) <= set(CALLS)


def same(call):
    """Call with each kind of integer, and compare all bits; attributes must be Python's, too."""
    expected = pickle.dumps(call(int))
    return [pickle.dumps(call(kind)) == expected for kind in (np.uint8, np.int64)]


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=[pytest.mark.long] * (n == "select_node_sizes")) for n in FUNCTIONS],
)
def test_functions(est, name):
    assert same(lambda i: CALLS[name](FUNCTIONS[name], est, i)) == [True, True]


@pytest.mark.parametrize("name", METHODS)
def test_methods(est, name):
    assert same(lambda i: METHODS[name](est, i)) == [True, True]


def test_parameters():
    def fitted(i):
        sizes = {"node_sizes": (i(2), i(2)), "latent_dim": i(2), "hidden_layer_sizes": [i(200)]}
        training = Training(batch_size=i(16), n_iter_no_change=i(2))
        est = CausalPIMA(**sizes, max_iter=i(1), n_init=i(1), training=training, random_state=i(3))
        est.fit(ROWS)
        return est.labels_, est.history_, est.weights_, est.n_iter_

    assert same(fitted) == [True, True]
