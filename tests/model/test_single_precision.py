"""GPUs without double precision: which device a word stands for, and a fit on one."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from pretend_gpu import pretended_gpu

from skcausalpima import CausalPIMA
from skcausalpima._model.parameters import need_for_double, prediction_device, resolve_device
from skcausalpima._model.surroundings import SinglePrecision, precision_of
from skcausalpima.modules import line


@pytest.fixture
def a_mac(monkeypatch):
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


@pytest.mark.usefixtures("a_mac")
def test_a_macs_gpu_is_a_device():
    assert resolve_device("mps").type == "mps"
    assert resolve_device("mps:0").type == "mps"
    with pytest.raises(ValueError, match=r"device='mps:1' is not available: PyTorch sees 1 MPS"):
        resolve_device("mps:1")
    match = r"device='mps' has single precision only, but X is float64: .*numpy.float32"
    with pytest.raises(ValueError, match=match):
        resolve_device("mps", need_for_double("float64", []))


@pytest.mark.usefixtures("a_mac")
def test_auto_takes_what_suits_the_data(monkeypatch):
    assert resolve_device("auto").type == "mps"
    assert resolve_device("auto", need_for_double("float64", [])).type == "cpu"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert resolve_device("auto").type == "cuda"


def test_elsewhere_it_is_an_error(monkeypatch, quick, pair):
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match="device='mps' is not available: PyTorch sees 0 MPS dev"):
        quick(device="mps").fit(pair)
    assert resolve_device("auto").type == "cpu"


@pytest.mark.usefixtures("a_mac")
def test_the_estimator_says_so(quick, pair):
    with pytest.raises(ValueError, match="X is float64"):
        quick(device="mps").fit(pair)
    curves = [array.astype("float32") for array in pair]
    with pytest.raises(ValueError, match="experts are fitted in double precision"):
        quick(device="mps", experts=[None, line]).fit(curves)
    assert quick(device="auto", experts=[None, line], max_iter=1).fit(curves).n_iter_ == 1


@pytest.mark.parametrize("device", ["mps", "mps:0", "cuda", "auto", "cpu"])
def test_predictions_need_no_gpu(monkeypatch, device, fitted, pair):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert prediction_device(device).type == "cpu"
    model = CausalPIMA()
    vars(model).update(vars(fitted) | {"device": device})
    assert_array_equal(model.predict(pair), fitted.predict(pair))


def test_only_devices_without_it_do_without_double_precision():
    assert isinstance(precision_of(torch.device("mps")), SinglePrecision)
    with precision_of(torch.device("cpu")):
        assert torch.zeros(2).double().dtype == torch.float64


def test_what_asks_for_double_precision_gets_single():
    x, doubles = torch.zeros(2), np.zeros(2)
    there = torch.zeros(2, dtype=torch.float64)
    with SinglePrecision("cpu"):
        found = [
            x.double(),
            x.to(torch.float64),
            x.new_zeros(2, dtype=torch.float64),
            there.to("cpu"),
            torch.zeros(2, dtype=torch.float64, device="cpu"),
            torch.tensor([0.0], dtype=torch.float64, device="cpu"),
            torch.as_tensor(doubles, device=torch.device("cpu")),
            x.sum(dtype=torch.float64),
        ]
    assert {tensor.dtype for tensor in found} == {torch.float32}
    with SinglePrecision("mps"):
        assert x.double().dtype == torch.float64
        assert torch.as_tensor(doubles).dtype == torch.float64


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:for .*copying from a non-meta parameter")  # it is pretended
@pytest.mark.parametrize(
    "options",
    [
        pytest.param({}, marks=pytest.mark.long),
        {"training__validation_fraction": 0.25, "training__max_grad_norm": 1.0},
    ],
)
def test_a_fit_needs_no_double_precision_on_its_device(quick, pair, monkeypatch, options):
    """On a pretended device, which refuses it: all sums are in single precision."""
    X = [array.astype("float32") for array in pair]
    expected = quick(**options).fit(X)
    with pretended_gpu(monkeypatch):
        model = quick(**options).fit(X)
    assert_array_equal(model.labels_, expected.labels_)
    assert_allclose(model.history_["objective"], expected.history_["objective"], rtol=1e-4)
    assert_allclose(model.lower_bound_, expected.lower_bound_, rtol=1e-4)
