"""Gradient steps with a compiled bound, and with networks in bfloat16."""

import copy
import pickle
from functools import partial
from typing import ClassVar

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from torch import nn

from skcausalpima import CausalPIMA, Device, Initialization, MissingValues, ScoreSearch
from skcausalpima._training.gradients import in_bfloat16
from skcausalpima.datasets import make_circles_images
from skcausalpima.metrics import node_recovery
from skcausalpima.modules import line


@pytest.fixture(scope="module")
def singles(pair):
    """The same data in single precision."""
    return [array.astype("float32") for array in pair]


class Spy(nn.Linear):
    """Takes note of the dtype that it computes in."""

    seen: ClassVar[set] = set()

    def forward(self, x):
        output = super().forward(x.flatten(1))
        Spy.seen.add((self.training, output.dtype))
        return output


# Networks in bfloat16 ----------------------------------------------------------------------------


@pytest.mark.slow
def test_networks_are_in_bfloat16_while_they_train(quick, singles):
    Spy.seen.clear()
    torch.manual_seed(0)  # equal bounds are rare, but not impossible
    encoders = [Spy(6, 4), Spy(4, 4)]
    options = {"encoders": encoders, "latent_dim": 2, "max_iter": 4}
    precise = quick(**options).fit(singles)
    assert Spy.seen == {(True, torch.float32), (False, torch.float32)}
    Spy.seen.clear()
    model = quick(device=Device(autocast=True), **options).fit(singles)
    assert Spy.seen == {(True, torch.bfloat16), (False, torch.float32)}
    assert model.lower_bound_ != precise.lower_bound_
    assert_allclose(model.lower_bound_, precise.lower_bound_, rtol=0.01)
    assert_array_equal(model.labels_, precise.labels_)
    assert {array.dtype.name for array in model._fitted.numbers.values()} <= {"float32", "float64"}


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({"decoders": "cluster_mlp"}, marks=pytest.mark.slow),
        pytest.param({"decoder_variance": "predicted"}, marks=pytest.mark.long),
        pytest.param({"experts": [None, line]}, marks=pytest.mark.slow),
        {"missing_values": MissingValues(subset_epochs=2)},
    ],
)
def test_every_kind_of_decoder_trains_in_bfloat16(quick, singles, options):
    precise = quick(**options).fit(singles)
    model = quick(device=Device(autocast=True), **options).fit(singles)
    assert_allclose(model.lower_bound_, precise.lower_bound_, rtol=0.02)
    assert model.lower_bound_ != precise.lower_bound_


def test_networks_are_as_before_after_the_block():
    network = nn.Linear(3, 2)
    x = torch.rand(4, 3)
    before, names = network(x), set(vars(network))
    with in_bfloat16([network]):
        inside = network(x)
        with pytest.raises(RuntimeError, match="cannot be multiplied"):
            network(x.T)
    assert set(vars(network)) == names
    assert inside.dtype == before.dtype == torch.float32
    assert 0 < (inside - before).abs().max() < 0.02
    assert_array_equal(network(x).detach(), before.detach())


@pytest.mark.filterwarnings("ignore:.*torch.jit")  # of two categories
def test_networks_with_a_forward_of_their_own_stay_precise():
    own, scripted = nn.Linear(3, 2), torch.jit.script(nn.Linear(3, 2))
    own.forward = forward = lambda x: x + 1
    x = torch.rand(4, 3)
    before = own(x), scripted(x)
    with in_bfloat16([own, scripted]):
        inside = own(x), scripted(x)
    assert all(map(torch.equal, before, inside))
    assert own.forward is forward


def test_bfloat16_is_for_single_precision(quick, pair):
    match = "device__autocast=True is for float32 data, but X is float64: pass float32"
    with pytest.raises(ValueError, match=match):
        quick(device=Device(autocast=True)).fit(pair)


@pytest.mark.parametrize("option", ["compile", "autocast"])
def test_not_on_the_gpu_of_a_mac(quick, singles, monkeypatch, option):
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    with pytest.raises(ValueError, match="are for 'cpu' and 'cuda', not for 'mps'"):
        quick(device=Device("mps", **{option: True})).fit(singles)


DEVICES = ["cpu", Device(autocast=True)]


@pytest.mark.long
def test_nodes_of_discs_are_as_good_in_bfloat16():
    discs = make_circles_images(200, random_state=0)
    X = discs.images.astype("float32")
    fits = [CausalPIMA((2, 2, 2), random_state=0, device=device) for device in DEVICES]
    found = [node_recovery(discs.factors, fit.fit(X).predict_nodes(X)) for fit in fits]
    precise, rounded = (of.accuracies.mean() for of in found)
    assert rounded > precise - 0.02
    assert_allclose(fits[1].lower_bound_, fits[0].lower_bound_, rtol=0.03)


# Compiled bounds ---------------------------------------------------------------------------------


class NoCompilerError(RuntimeError):
    """As PyTorch says it."""


NoCompilerError.__module__ = "torch._inductor.exc"


def test_the_bound_is_compiled_for_batches_of_all_sizes(quick, pair, monkeypatch):
    asked = []

    def pretended(function, dynamic):
        asked.append((function.__name__, dynamic))
        return function

    monkeypatch.setattr(torch, "compile", pretended)
    expected = quick().fit(pair)
    assert not asked
    model = quick(device=Device(compile=True)).fit(pair)
    assert asked == [("unit_elbo", True), ("elbo", True), ("elbo", True)]
    assert model.lower_bound_ == expected.lower_bound_


def test_a_compiler_that_is_not_there(quick, pair, monkeypatch):
    def unsupported(function, dynamic):
        raise RuntimeError("torch.compile is not supported on Python 3.99")

    def without_compiler(function, dynamic):
        def call(*args):
            raise NoCompilerError

        return call

    for compiles in (unsupported, without_compiler):
        monkeypatch.setattr(torch, "compile", compiles)
        with pytest.raises(RuntimeError, match=r"needs torch.compile.*needs a C\+\+ compiler"):
            quick(device=Device(compile=True)).fit(pair)


def test_errors_of_networks_are_their_own(quick, pair, monkeypatch):
    def failing(function, dynamic):
        def call(*args):
            raise RuntimeError("of a network")

        return call

    monkeypatch.setattr(torch, "compile", failing)
    with pytest.raises(RuntimeError, match="of a network"):
        quick(device=Device(compile=True)).fit(pair)


@pytest.fixture
def traced(monkeypatch):
    """Let PyTorch trace what is to be compiled, which is quick, and run it as it is."""
    compiled = partial(torch.compile, backend="eager")
    monkeypatch.setattr(torch, "compile", compiled)
    torch._dynamo.reset()
    counters = torch._dynamo.utils.counters
    counters.clear()
    return counters["stats"]


@pytest.mark.parametrize(
    ("autocast", "rtol"),
    [
        pytest.param(False, 1e-6, marks=pytest.mark.slow),
        pytest.param(True, 0.01, marks=pytest.mark.long),
    ],
)
def test_no_fit_is_compiled_anew(quick, singles, traced, autocast, rtol):
    """Not for short batches, not for another fit."""
    options = {"training__batch_size": 20, "structure": ScoreSearch(polishing_epochs=2)}
    expected = quick(**options).fit(singles)
    options["device"] = Device(compile=True, autocast=autocast)
    model = quick(**options).fit(singles)
    # of pre-training, of training, and of that with the graph fixed
    assert traced["unique_graphs"] == 3
    assert_allclose(model.lower_bound_, expected.lower_bound_, rtol=rtol)
    quick(random_state=1, **options).fit(singles)
    assert traced["unique_graphs"] == 3


@pytest.mark.long
def test_missing_modalities(quick, singles, traced):
    gappy = [array.copy() for array in singles]
    gappy[0][::5] = np.nan
    gappy[1][1::5] = np.nan
    expected = quick(training__batch_size=20).fit(gappy)
    model = quick(training__batch_size=20, device=Device(compile=True)).fit(gappy)
    assert_allclose(model.lower_bound_, expected.lower_bound_, rtol=1e-6)
    n_graphs = traced["unique_graphs"]
    quick(training__batch_size=20, device=Device(compile=True), max_iter=20, training__tol=0).fit(
        gappy
    )
    assert traced["unique_graphs"] == n_graphs


@pytest.mark.long
def test_a_compiled_fit(quick, singles, tmp_path):
    """It is like any other, and so are its files, pickles and copies."""
    init = Initialization("linear", pretraining_epochs=0)
    options = {
        "init": init,
        "structure": "gradient",
        "training__batch_size": 20,
        "warm_start": True,
    }
    expected = quick(**options).fit(singles)
    model = quick(device=Device(compile=True), **options).fit(singles)
    assert_allclose(model.lower_bound_, expected.lower_bound_, rtol=1e-4)
    assert list(model._fitted.numbers) == list(expected._fitted.numbers)
    model.save(tmp_path / "model")
    for other in (
        CausalPIMA.load(tmp_path / "model"),
        pickle.loads(pickle.dumps(model)),
        copy.deepcopy(model),
    ):
        assert other.device == Device(compile=True)
        assert_array_equal(other.score_samples(singles), model.score_samples(singles))
