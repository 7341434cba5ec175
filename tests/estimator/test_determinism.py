"""Same seed, same result; nothing global is touched; fitted state is NumPy and plain Python."""

import copy
import io
import pickle

import joblib
import networkx as nx
import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from some_slow import some_slow
from torch import nn

from skcausalpima import ScoreSearch

METHODS = ["transform", "predict", "predict_proba", "predict_nodes", "score_samples"]


def assert_same_predictions(one, other, X):
    for method in METHODS:
        assert_array_equal(getattr(one, method)(X), getattr(other, method)(X))
    assert one.lower_bound_ == other.lower_bound_
    assert nx.utils.graphs_equal(one.dag_, other.dag_)
    assert_array_equal(one.weights_, other.weights_)
    for a, b in zip(one.sample(3)[0], other.sample(3)[0], strict=True):
        assert_array_equal(a, b)


@pytest.mark.parametrize(
    "parameters",
    [
        pytest.param({}, marks=pytest.mark.slow),
        {"init": "paper", "posterior": "mean_field", "mixture": "diag"},
        pytest.param(
            {"n_init": 2, "training__validation_fraction": 0.2, "structure": ScoreSearch("bdeu")},
            marks=pytest.mark.slow,
        ),
    ],
)
def test_same_random_state_same_bits(quick, pair, fitted, parameters):
    one = quick(**parameters).fit(pair) if parameters else fitted
    other = quick(**parameters).fit(pair)
    assert_same_predictions(one, other, pair)
    for key, values in one.history_.items():
        assert_array_equal(values, other.history_[key])
    different = quick(**parameters, random_state=1).fit(pair)
    assert different.lower_bound_ != one.lower_bound_


@pytest.mark.long
def test_random_state_instance(quick, pair, fitted):
    one, other = (quick(random_state=np.random.RandomState(0)).fit(pair) for _ in range(2))
    assert_same_predictions(one, other, pair)
    assert one.lower_bound_ == fitted.lower_bound_


@pytest.fixture
def global_state():
    """Assert that the test leaves the global state alone."""

    def state():
        numpy_state = np.random.get_state()  # noqa: NPY002
        return numpy_state[1].copy(), numpy_state[2], torch.get_rng_state(), torch.get_num_threads()

    before = state()
    yield
    for one, other in zip(before, state(), strict=True):
        assert_array_equal(one, other)


@pytest.mark.usefixtures("global_state")
@pytest.mark.parametrize("parameters", some_slow([{}, {"init": "paper", "n_init": 2}], [{}]))
def test_global_state_is_untouched(quick, pair, parameters):
    model = quick(**parameters).fit(pair)
    for method in METHODS:
        getattr(model, method)(pair)
    model.inverse_transform(model.transform(pair))
    model.sample(3)
    model.intervene({"N1": 1}, 3)
    model.counterfactual(pair, {"N1": 1})


def dropout_encoder():
    return nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(6, 4))


@pytest.mark.slow
@pytest.mark.usefixtures("global_state")
def test_random_user_modules_are_seeded(quick, pair):
    """Dropout draws from PyTorch's global generator."""
    with torch.random.fork_rng():
        encoders = [dropout_encoder(), None]
    one, other = (quick(encoders=encoders).fit(pair) for _ in range(2))
    assert_same_predictions(one, other, pair)
    assert_array_equal(one.transform(pair), one.transform(pair))


class Recorder(pickle.Unpickler):
    """Note which modules a pickle refers to."""

    def __init__(self, file):
        super().__init__(file)
        self.packages = set()

    def find_class(self, module, name):
        self.packages.add(module.partition(".")[0])
        return super().find_class(module, name)


@pytest.mark.parametrize("protocol", [0, pickle.HIGHEST_PROTOCOL])
def test_pickles_hold_no_tensors(fitted, pair, protocol):
    recorder = Recorder(io.BytesIO(pickle.dumps(fitted, protocol)))
    assert_same_predictions(recorder.load(), fitted, pair)
    plain = {"builtins", "__builtin__", "copyreg", "copy_reg", "_codecs", "collections", "types"}
    assert recorder.packages <= plain | {"numpy", "networkx", "skcausalpima"}


@pytest.mark.parametrize("mmap_mode", [None, "r"])
def test_joblib(fitted, pair, tmp_path, mmap_mode):
    joblib.dump(fitted, tmp_path / "model")
    loaded = joblib.load(tmp_path / "model", mmap_mode=mmap_mode)
    if mmap_mode:
        assert isinstance(loaded._fitted.numbers["prior.means"], np.memmap)
    assert_same_predictions(loaded, fitted, pair)


def test_a_shallow_copy_shares_what_was_fitted(fitted):
    other = copy.copy(fitted)
    assert vars(other) is not vars(fitted)
    assert all(value is vars(fitted)[name] for name, value in vars(other).items())


def test_predicting_changes_nothing(fitted, pair):
    model = copy.deepcopy(fitted)
    model.to_graph()  # whoever looks at a networkx graph makes it keep the view
    before = pickle.dumps(model)
    for method in METHODS:
        getattr(model, method)([pair[0], None])
    model.sample(2)
    model.intervene({"N1": 1}, 2)
    model.counterfactual([pair[0], None], {"N1": 1})
    model.to_graph()
    model.inverse_transform(np.zeros((1, 2)))
    assert pickle.dumps(model) == before


@pytest.mark.gpu
def test_gpu_models_predict_on_the_cpu(quick, pair):
    model = quick(device="cuda").fit(pair)
    on_cpu = pickle.loads(pickle.dumps(model)).set_params(device="cpu")
    np.testing.assert_allclose(on_cpu.score_samples(pair), model.score_samples(pair), atol=1e-6)
