"""What is saved comes back equal, and what is damaged does not come back at all."""

import copy
import json
import os
import pickle
import subprocess
import sys
import warnings
from datetime import date, datetime, timedelta, timezone

import joblib
import networkx as nx
import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_array_equal
from sklearn import config_context
from sklearn.exceptions import NotFittedError
from some_slow import some_slow
from torch import nn

from skcausalpima import (
    BackgroundKnowledge,
    CausalPIMA,
    GradientStructure,
    MeanField,
    MultimodalData,
    ScoreSearch,
)
from skcausalpima._state.file import FILE_NAME
from skcausalpima._state.fitted import ExpertTable
from skcausalpima._state.plain import BY_FIELDS, pack, unpack
from skcausalpima.callback import Checkpoint
from skcausalpima.modules import ExpertDecoder, exponential_decay, line, piecewise_linear
from skcausalpima.modules._experts.signature import ParameterSpace

WIDTH = np.linspace(0.0, 1.0, 4)


# What values of these types consist of.
PARTS = {
    ExpertTable: lambda table: (dict(table), table.parameters, table.outcome_names),
    nx.DiGraph: lambda graph: (
        graph.graph,
        list(graph.nodes(data=True)),
        list(graph.edges(data=True)),
        [list(graph.predecessors(node)) for node in graph],
    ),
    np.random.RandomState: np.random.RandomState.get_state,
    **dict.fromkeys(BY_FIELDS, vars),
    ExpertDecoder: vars,
    ParameterSpace: lambda space: [*vars(space).values()],
    type(piecewise_linear()): lambda f: {**vars(f), "__signature__": None},
    pd.DataFrame: lambda table: {
        "columns": table.columns.tolist(),
        "values": table.to_numpy(copy=True),
    },
}


def assert_same(one, other, where="value"):
    """Compare types and contents, floats bit by bit."""
    assert type(one) is type(other), where
    if type(one) in PARTS:
        assert_same(PARTS[type(one)](one), PARTS[type(other)](other), where)
    elif isinstance(one, np.ndarray) and one.dtype != object:
        assert (one.dtype, one.shape) == (other.dtype, other.shape), where
        assert one.tobytes() == other.tobytes(), where
        assert other.flags.writeable, where
    elif isinstance(one, (dict, list, tuple, np.ndarray)):
        assert len(one) == len(other), where
        keys = list(one) if isinstance(one, dict) else range(len(one))
        assert keys == (list(other) if isinstance(other, dict) else keys), where
        for key in keys:
            assert_same(one[key], other[key], f"{where}[{key!r}]")
    else:
        assert one is other or one == other or str(one) == str(other) == "nan", where


def outputs(est, X):
    """Return what every method says of samples."""
    first = next(iter(est.to_graph().nodes))
    values = {
        name: getattr(est, name)(X)
        for name in ("predict", "predict_proba", "predict_nodes", "transform", "score_samples")
    }
    values["inverse_transform"] = est.inverse_transform(est.cluster_means_)
    for name, arguments in {
        "sample": (7,),
        "intervene": ({first: 1}, 7),
        "counterfactual": (X, {first: 1}),
        "predict_expert_params": (X,),
        "get_feature_names_out": (),
    }.items():
        # A RandomState is used up by each call: every estimator starts from its own.
        values[name] = getattr(copy.deepcopy(est), name)(*arguments)
    return values


def assert_equal_estimators(one, other, X):
    assert type(one) is type(other)
    assert set(vars(one)) == set(vars(other))
    assert_same(one.get_params(), other.get_params(), "parameter")
    for name in vars(one):
        assert_same(vars(one)[name], vars(other)[name], name)
    assert_same(outputs(one, X), outputs(other, X))


def given_graph():
    graph = nx.DiGraph(note="ours")
    graph.add_nodes_from(["a", "b"])
    graph.add_edge("b", "a", why=("known", None))
    graph.edges["b", "a"]["u_of_edge"] = 3.5
    return graph


def gaps(pair, dtype=np.float64):
    arrays = [np.array(array, dtype=dtype) for array in pair]
    arrays[0][::7] = np.nan
    arrays[1][3::7] = np.nan
    return arrays


# name -> (parameters, X of the pair, arguments of fit)
KINDS = {
    "plain": ({}, list, {}),
    "float32 with gaps": ({}, lambda pair: gaps(pair, np.float32), {}),
    "container": (
        {"scale": {"b": "feature", "a": None}},
        lambda p: MultimodalData(p, ["b", "a"]),
        {},
    ),
    "single": ({"encoders": ["conv"], "decoders": "conv"}, lambda pair: pair[0], {}),
    "one node": ({"node_sizes": [3], "modality_weights": np.array([1.0, 2.0])}, list, {}),
    "a generator": ({"random_state": np.random.RandomState(3)}, list, {}),
    "frame": ({}, lambda pair: pd.DataFrame(pair[1], columns=list("wxyz")), {}),
    "paper": (
        {
            "init": "paper",
            "structure": GradientStructure(temperature=(1.0, np.float32(0.5))),
            "mixture": "diag",
            "posterior": "mean_field",
            "posterior__prior_expert": False,
            "training__max_grad_norm": np.float64(3.0),
            "decoder_variance": 0.5,
        },
        list,
        {},
    ),
    "tied": ({"mixture": "tied", "structure": ScoreSearch(polishing_epochs=np.int64(1))}, list, {}),
    "spherical": (
        {"mixture": "spherical", "posterior": MeanField(prior_expert=np.True_)},
        list,
        {},
    ),
    "stated": (
        {
            "node_sizes": {"a": 2, np.str_("ß\ud800"): np.int64(2)},
            "knowledge": BackgroundKnowledge(
                required={("a", "ß\ud800")}, tiers=[["a"], ("ß\ud800",)]
            ),
        },
        list,
        {"known_nodes": np.tile([[0, -1], [-1, -1], [1, 1]], (24, 1))},
    ),
    "graph": (
        {"node_sizes": {"a": 2, "b": 2}, "structure": given_graph()},
        list,
        {"interventions": np.array([None, "a", "b"] * 24), "known_nodes": np.full((72, 2), -1)},
    ),
    "conv": ({"encoders": {"modality0": "conv"}, "decoders": ["mlp", "conv"]}, list, {}),
    "cluster decoders": ({"decoders": ["cluster_mlp", "cluster_conv"]}, gaps, {}),
    "predicted variances": ({"decoder_variance": "predicted"}, gaps, {}),
    "decay": (
        {"experts": {"modality1": ExpertDecoder(exponential_decay, WIDTH, fixed={"rate": 1.0})}},
        list,
        {},
    ),
    "scatter": (
        {"experts": [None, ExpertDecoder(line, WIDTH, scatter=True, depends_on={"slope": "N2"})]},
        gaps,
        {},
    ),
    "pieces": ({"experts": (None, piecewise_linear(2, intercept=False))}, list, {}),
    "per sample": ({"experts": [None, ExpertDecoder(line, WIDTH, [1, 2], per="sample")]}, list, {}),
}


@pytest.fixture(scope="module")
def fits(taught, pair):
    """Every kind of fit: (estimator, X); all but the plain one begin at random."""
    made = {}

    def fit(kind):
        if kind not in made:
            parameters, form, arguments = KINDS[kind]
            X = form(pair)
            soon = {"init": "arranged" if kind == "plain" else "paper", "max_iter": 1}
            # known_nodes do not say what was set
            with warnings.catch_warnings(action="ignore"):
                made[kind] = taught(**(soon | parameters)).fit(X, **arguments), X
        return made[kind]

    return fit


FAST = ["stated", "frame"]


@pytest.mark.parametrize("kind", some_slow(KINDS, FAST))
def test_a_file_gives_back_the_estimator(fits, kind, tmp_path):
    est, X = fits(kind)
    est.save(tmp_path / "model")
    assert os.listdir(tmp_path) == ["model"]
    loaded = CausalPIMA.load(tmp_path / "model")
    assert_equal_estimators(est, loaded, X)
    loaded.save(tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == (tmp_path / "model").read_bytes()


@pytest.mark.parametrize("kind", some_slow(KINDS, FAST))
def test_pickles_and_skops_files_need_no_trust_but_in_our_types(fits, kind):
    skops = pytest.importorskip("skops.io")
    est, X = fits(kind)
    for copied in (pickle.loads(pickle.dumps(est)), copy.deepcopy(est), copy.copy(est)):
        assert_same(vars(est), vars(copied))
    data = skops.dumps(est)
    types = skops.get_untrusted_types(data=data)
    if est.experts is None:
        assert types == ["skcausalpima._causal_pima.CausalPIMA"]
    assert all(name.startswith("skcausalpima.") for name in types)
    assert_equal_estimators(est, skops.loads(data, trusted=types), X)


def flat_encoder(shape, latent_dim):
    """Make a linear encoder; a factory that can be found by its name."""
    return nn.Sequential(nn.Flatten(), nn.Linear(int(np.prod(shape)), 2 * latent_dim).double())


@pytest.mark.slow
def test_user_code_in_skops_files_is_a_further_type(quick, pair):
    skops = pytest.importorskip("skops.io")
    est = quick(encoders=[flat_encoder, None]).fit(pair)
    data = skops.dumps(est)
    ours, theirs = "skcausalpima._causal_pima.CausalPIMA", f"{__name__}.flat_encoder"
    assert skops.get_untrusted_types(data=data) == sorted([ours, theirs])
    with pytest.raises(TypeError, match="flat_encoder"):
        skops.loads(data, trusted=[ours])
    assert_same(outputs(est, pair), outputs(skops.loads(data, trusted=[ours, theirs]), pair))


FRESH_PROCESS = """
import pickle, sys
import numpy as np
from skcausalpima import CausalPIMA
folder, kinds = sys.argv[1], sys.argv[2:]
CausalPIMA.load(f"{folder}/{kinds[0]}")  # what PyTorch imports at first use is not the file's
events, values = [], {}
sys.addaudithook(lambda event, args: events.append(event))
for kind in kinds:
    events.clear()
    est = CausalPIMA.load(f"{folder}/{kind}")
    code = {"pickle.find_class", "exec", "compile", "import", "os.system", "subprocess.Popen"}
    assert not code & set(events), events
    X = pickle.load(open(f"{folder}/{kind} X", "rb"))
    methods = ("predict", "predict_proba", "transform", "score_samples")
    values[kind] = [getattr(est, name)(X) for name in methods]
pickle.dump(values, open(f"{folder}/values", "wb"))
"""


@pytest.mark.slow
def test_a_fresh_process_predicts_the_same_and_runs_no_code_on_loading(fits, tmp_path):
    kinds, expected = ["float32 with gaps", "scatter", "graph", "single"], {}
    for kind in kinds:
        est, X = fits(kind)
        est.save(tmp_path / kind)
        (tmp_path / f"{kind} X").write_bytes(pickle.dumps(X))
        names = ("predict", "predict_proba", "transform", "score_samples")
        expected[kind] = [getattr(est, name)(X) for name in names]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", FRESH_PROCESS, str(tmp_path), *kinds]
    subprocess.run(command, env=environment, check=True)
    assert_same(expected, pickle.loads((tmp_path / "values").read_bytes()))


def test_joblib_and_files_of_what_came_from_a_memory_map(fitted, pair, tmp_path):
    joblib.dump(fitted, tmp_path / "dumped")
    mapped = joblib.load(tmp_path / "dumped", mmap_mode="r")
    mapped.save(tmp_path / "saved")
    assert_equal_estimators(fitted, CausalPIMA.load(tmp_path / "saved"), pair)


def test_an_attribute_without_a_place_is_an_error(fitted, tmp_path):
    est = copy.deepcopy(fitted)
    est.note_ = "mine"
    with pytest.raises(ValueError, match=r"no place for the attributes \['note_'\]"):
        est.save(tmp_path / "model")
    assert os.listdir(tmp_path) == []


def test_output_settings_are_kept(fitted, pair, tmp_path):
    est = copy.deepcopy(fitted).set_output(transform="pandas")
    est.save(tmp_path / "model")
    loaded = CausalPIMA.load(tmp_path / "model")
    pd.testing.assert_frame_equal(loaded.transform(pair), est.transform(pair))


@pytest.mark.parametrize(
    ("parameter", "value", "match"),
    [
        ("training__max_grad_norm", 3 + 4j, "training holds"),
        ("structure", nx.MultiDiGraph(), "structure holds"),
        ("random_state", np.random.RandomState(np.random.PCG64()), "random_state holds"),
        (
            "knowledge",
            BackgroundKnowledge(tiers=[[len]]),
            "knowledge holds <built-in function len>",
        ),
        ("init__method", 3 + 4j, r"init holds \(3\+4j\)"),
        ("scale", [np.longdouble(1)], "scale holds"),
    ],
)
def test_a_parameter_without_a_place_is_an_error(fitted, tmp_path, parameter, value, match):
    est = copy.deepcopy(fitted).set_params(**{parameter: value})
    with pytest.raises(TypeError, match=match):
        est.save(tmp_path / "model")
    assert os.listdir(tmp_path) == []


def test_unfitted_estimators_are_not_saved(quick, tmp_path):
    with pytest.raises(NotFittedError):
        quick().save(f"{tmp_path / 'model'}{os.sep}")
    assert os.listdir(tmp_path) == []


def test_plain_form_of_values():
    values = [
        *(None, True, 3, 10**30, -0.0, np.inf, -np.inf, np.nan, "ß\ud800", (), [(1, [2.5])]),
        *({"$": "tuple", 3: {"a": None}}, {("a", "b")}, frozenset({1}), np.int8(-3), np.bool_(1)),
        *(np.float32(0.1), np.float16(0.1), np.str_("a"), np.float64("nan"), np.array(2.0)),
        *(np.array([["a", "bc"]]), np.array([None, "x"], dtype=object), np.zeros((0, 2), "U1")),
        *(np.arange(6, dtype=">i4").reshape(2, 3), np.array([True]), np.random.RandomState(7)),
        *(given_graph(), piecewise_linear(3), line),
        *(date(2024, 2, 29), datetime(2024, 2, 29, 1, fold=1), b"\x00\xff"),
        datetime(2024, 2, 29, 23, 59, 59, 999, timezone(timedelta(hours=-3))),
    ]
    plain = pack(values, pytest.fail)
    texts = json.dumps(plain, default=lambda array: None, allow_nan=False)
    assert "NaN" not in texts
    assert_same(values, unpack(plain))


def test_graphs_keep_the_order_of_parents_and_children():
    rng = np.random.default_rng(0)
    for _ in range(50):
        graph = nx.DiGraph()
        graph.add_nodes_from(rng.permutation(6).tolist())
        graph.add_edges_from(rng.integers(6, size=(12, 2)).tolist())
        graph.remove_edges_from(list(graph.edges)[::3])
        graph.add_edges_from(rng.integers(6, size=(3, 2)).tolist())
        assert_same(graph, unpack(pack(graph, pytest.fail)))


# Code that the caller passes again.


def bend(x, height, width):
    return height * torch.tanh(x / width)


def custom(f=bend, x=WIDTH, **settings):
    return ExpertDecoder(f, x, bounds={"width": (0.1, 5.0)}, **settings)


@pytest.fixture(scope="module")
def with_code(random_start, pair, tmp_path_factory):
    """An estimator with all kinds of code, and its file."""
    decoder = nn.Sequential(nn.Linear(2, 6), nn.Unflatten(1, (3, 2)))
    parameters = {"experts": [None, custom()], "encoders": {"modality0": flat_encoder}}
    est = random_start(**parameters, decoders=[decoder, None]).fit(pair)
    path = tmp_path_factory.mktemp("code") / "model"
    est.save(path)
    return est, path


def code_of(est):
    return {which: getattr(est, which) for which in ("experts", "encoders", "decoders")}


@pytest.mark.slow
def test_code_is_passed_again(with_code, pair):
    est, path = with_code
    untrained = nn.Sequential(nn.Linear(2, 6), nn.Unflatten(1, (3, 2)))
    given = {
        "experts": {"modality1": custom()},
        "encoders": [flat_encoder, "mlp"],
        "decoders": [untrained, None],
    }
    before = copy.deepcopy(untrained.state_dict())
    loaded = CausalPIMA.load(path, **given)
    assert_same(outputs(est, pair), outputs(loaded, pair))
    assert_same(est.expert_params_, loaded.expert_params_)
    for which, value in given.items():
        assert getattr(loaded, which) is value
    assert all(torch.equal(before[name], value) for name, value in untrained.state_dict().items())
    again = path.with_name("again")
    loaded.save(again)
    assert_same(outputs(est, pair), outputs(CausalPIMA.load(again, **given), pair))


@pytest.mark.parametrize(
    ("which", "match"),
    [
        (
            "experts",
            r"needs experts: the fit had an expert of the parameters \['height', 'width'\]",
        ),
        ("encoders", r"needs encoders: the fit had flat_encoder there.*Pass load\(path, encoders="),
        ("decoders", "needs decoders: the fit had Sequential there"),
    ],
)
def test_code_that_is_missing(with_code, which, match):
    est, path = with_code
    with pytest.raises(ValueError, match=match):
        CausalPIMA.load(path, **(code_of(est) | {which: None}))


def wider(x, height, breadth):
    return bend(x, height, breadth)


@pytest.mark.parametrize(
    ("given", "error", "match"),
    [
        (
            {"experts": [None, None]},
            ValueError,
            r"experts\['modality1'\] does not fit .*expected an",
        ),
        ({"experts": [None]}, ValueError, "experts must have one entry per modality, 2, got 1"),
        ({"experts": {"curve": custom()}}, ValueError, "experts names the modalities"),
        ({"experts": [None, 3]}, TypeError, "must be one of ExpertDecoder, function"),
        ({"experts": [None, bend]}, ValueError, "its bounds were"),
        (
            {"experts": [None, ExpertDecoder(wider, WIDTH)]},
            ValueError,
            "its (bounds|parameters) were",
        ),
        ({"experts": [None, custom(x=WIDTH + 1)]}, ValueError, "its x were"),
        ({"experts": [None, custom(x=WIDTH[:3])]}, ValueError, "returned shape"),
        ({"experts": [None, custom(per="sample")]}, ValueError, "its per were cluster, and are s"),
        ({"experts": [None, custom(fixed={"height": 1})]}, ValueError, "its (bounds|fixed) were"),
        ({"experts": [None, custom(depends_on={"height": "N1"})]}, ValueError, "its depends_on"),
        ({"experts": [line, custom()]}, ValueError, "both a decoder and an expert"),
        ({"encoders": [None, None]}, ValueError, r"encoders\['modality0'\] does not fit.*got None"),
        ({"encoders": [flat_encoder, "conv"]}, ValueError, "expected None, got 'conv'"),
        ({"encoders": [flat_encoder, flat_encoder]}, ValueError, "expected None, got <function"),
        (
            {"encoders": [nn.Sequential(nn.Flatten(), nn.Linear(6, 5).double()), None]},
            ValueError,
            r"1.weight of encoders\['modality0'\] was float64 of shape \(4, 6\), but this model "
            r"has float64 of shape \(5, 6\). Expected the experts and encoders and "
            "decoders of the fit",
        ),
        ({"encoders": [nn.Identity(), None]}, ValueError, "but this model has nothing"),
        (
            {"encoders": [lambda shape, latent_dim: 3, None]},
            ValueError,
            "must return a torch.nn.Module",
        ),
        (
            {"decoders": [nn.Linear(2, 6), None]},
            ValueError,
            r"0.weight of decoders|weight of decoders",
        ),
        (
            {"decoders": [nn.Sequential(nn.Linear(2, 6)), None]},
            ValueError,
            r"decoders\['modality0'\] must map \(2, 2\) to a tensor of shape \(2, 3, 2\)",
        ),
    ],
)
def test_code_that_does_not_fit(with_code, given, error, match):
    est, path = with_code
    with pytest.raises(error, match=match):
        CausalPIMA.load(path, **(code_of(est) | given))


class MeanOrPair(nn.Linear):
    """A decoder of the second modality, with a log-variance of 0 or without one."""

    def __init__(self, is_pair):
        with torch.random.fork_rng():
            torch.manual_seed(0)
            super().__init__(2, 4)
        self.is_pair = is_pair

    def forward(self, z):
        mean = super().forward(z)
        return (mean, torch.zeros_like(mean)) if self.is_pair else mean


RETURNED = {
    True: r"decoders\['modality1'\] returned a pair, means.* returns one tensor, means alone",
    False: r"decoders\['modality1'\] returned one tensor.*, and now returns a pair, means",
}
STATED = [(True, "learned"), (False, "predicted"), (True, "predicted"), (False, "learned")]


@pytest.mark.parametrize(("was_pair", "stated"), some_slow(STATED, STATED[1:2]))
def test_decoders_that_return_a_pair_or_do_not(random_start, pair, tmp_path, stated, was_pair):
    decoders = [None, MeanOrPair(was_pair)]
    est = random_start(decoders=decoders, decoder_variance=stated).fit(pair)
    est.save(tmp_path / "model")
    same = CausalPIMA.load(tmp_path / "model", decoders=[None, MeanOrPair(was_pair)])
    assert_same(outputs(est, pair), outputs(same, pair))
    with pytest.raises(ValueError, match=RETURNED[was_pair]):
        CausalPIMA.load(tmp_path / "model", decoders=[None, MeanOrPair(not was_pair)])


@pytest.mark.slow
def test_the_librarys_own_model_functions_may_be_passed_too(fits, tmp_path):
    est, X = fits("decay")
    est.save(tmp_path / "model")
    loaded = CausalPIMA.load(tmp_path / "model", experts=est.experts)
    assert_same(outputs(est, X), outputs(loaded, X))
    other = ExpertDecoder(
        lambda x, amplitude, rate, offset: amplitude * x, WIDTH, fixed={"rate": 1}
    )
    with pytest.raises(
        ValueError, match=r"its model function was exponential_decay, and is <lambda>"
    ):
        CausalPIMA.load(tmp_path / "model", experts={"modality1": other})


def test_a_parameter_that_was_changed_after_the_fit(fitted, pair, tmp_path):
    est = copy.deepcopy(fitted).set_params(encoders="conv", max_iter=7)
    est.save(tmp_path / "model")
    loaded = CausalPIMA.load(tmp_path / "model")
    assert loaded.get_params() == est.get_params()
    assert_array_equal(loaded.transform(pair), est.transform(pair))


# Where it is saved.


def test_a_file_is_replaced_and_a_folder_filled(fitted, pair, tmp_path):
    path = tmp_path / "any.name.txt"
    path.write_text("old")
    fitted.save(str(path))
    folder = tmp_path / "folder"
    fitted.save(f"{folder}{os.sep}")
    fitted.save(folder)
    assert sorted(os.listdir(tmp_path)) == ["any.name.txt", "folder"]
    assert os.listdir(folder) == [FILE_NAME]
    assert path.read_bytes() == (folder / FILE_NAME).read_bytes()
    for place in (path, str(path), folder, f"{folder}{os.sep}", folder / FILE_NAME):
        assert_array_equal(CausalPIMA.load(place).transform(pair), fitted.transform(pair))


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_failure_while_saving_leaves_the_old_file(fitted, tmp_path, monkeypatch, step):
    def fail(*arguments):
        raise OSError("no space left")

    path = tmp_path / "model"
    path.write_text("old")
    monkeypatch.setattr(os, step, fail)
    with pytest.raises(OSError, match="no space left"):
        fitted.save(path)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["model"]


def test_where_there_is_nothing(fitted, tmp_path):
    for path in (tmp_path / "absent", tmp_path / "absent" / "model"):
        with pytest.raises(FileNotFoundError, match="absent"):
            CausalPIMA.load(path)
    with pytest.raises(FileNotFoundError, match="absent"):
        fitted.save(tmp_path / "absent" / "model")
    with pytest.raises(ValueError, match=r"folder .* holds no model.safetensors"):
        CausalPIMA.load(tmp_path)


def test_a_fit_on_a_gpu_loads_where_there_is_none(fitted, pair, tmp_path):
    est = copy.deepcopy(fitted).set_params(device="cuda")
    est.save(tmp_path / "model")
    loaded = CausalPIMA.load(tmp_path / "model")
    assert loaded.device == "cuda"
    if not torch.cuda.is_available():
        assert_equal_estimators(est, loaded, pair)


@pytest.mark.gpu
def test_a_file_from_a_gpu(quick, pair, tmp_path, monkeypatch):
    est = quick(device="cuda").fit(pair)
    est.save(tmp_path / "model")
    assert_same(outputs(est, pair), outputs(CausalPIMA.load(tmp_path / "model"), pair))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    on_cpu = CausalPIMA.load(tmp_path / "model").score_samples(pair)
    np.testing.assert_allclose(on_cpu, est.score_samples(pair), atol=1e-6)


class Special(CausalPIMA):
    """A class of a user's."""

    def __init__(self, node_sizes=(2, 2), *, max_iter=1, extra="x"):
        super().__init__(node_sizes, max_iter=max_iter, hidden_layer_sizes=(8,), random_state=0)
        self.extra = extra


@pytest.mark.slow
def test_subclasses(pair, fitted, tmp_path):
    est = Special(extra={"y": 1}).fit(pair)
    est.save(tmp_path / "special")
    assert_equal_estimators(est, Special.load(tmp_path / "special"), pair)
    with pytest.raises(ValueError, match="an estimator of the class 'Special', not CausalPIMA"):
        CausalPIMA.load(tmp_path / "special")
    fitted.save(tmp_path / "plain")
    with pytest.raises(ValueError, match="an estimator of the class 'CausalPIMA', not Special"):
        Special.load(tmp_path / "plain")


def test_metadata_requests_are_kept(brief, pair, tmp_path):
    with config_context(enable_metadata_routing=True):
        est = brief().set_fit_request(sample_weight=True, known_nodes="known", interventions=False)
        est = est.set_score_request(sample_weight="w").fit(pair)
        est.save(tmp_path / "model")
        loaded = CausalPIMA.load(tmp_path / "model")
        assert str(loaded.get_metadata_routing()) == str(est.get_metadata_routing())
        assert "known" in str(loaded.get_metadata_routing())
    assert_same(loaded.predict_proba(pair), est.predict_proba(pair))


@pytest.mark.parametrize(
    "form", ["file", *(pytest.param(form, marks=pytest.mark.slow) for form in ("pickle", "skops"))]
)
def test_a_loaded_fit_goes_on_where_it_stood(random_start, pair, tmp_path, form):
    def part(max_iter):
        return random_start(
            max_iter=max_iter, warm_start=True, training__validation_fraction=0.2, training__tol=0
        )

    whole, first = part(5).fit(pair), part(2).fit(pair)
    if form == "file":
        first.save(tmp_path / "model")
        copy = CausalPIMA.load(tmp_path / "model")
    elif form == "pickle":
        copy = pickle.loads(pickle.dumps(first))
    else:
        skops_io = pytest.importorskip("skops.io")
        dumped = skops_io.dumps(first)
        trusted = skops_io.get_untrusted_types(data=dumped)
        assert trusted == ["skcausalpima._causal_pima.CausalPIMA"]
        copy = skops_io.loads(dumped, trusted=trusted)
    copy.set_params(max_iter=3).fit(pair)
    assert copy.n_iter_ == 5
    assert_same(copy.transform(pair), whole.transform(pair))
    assert_same(copy.lower_bound_, whole.lower_bound_)


@pytest.mark.slow
@pytest.mark.parametrize("expert", [piecewise_linear(2), ExpertDecoder(piecewise_linear(2), WIDTH)])
def test_a_loaded_expert_is_the_expert_of_the_fit(random_start, pair, tmp_path, expert):
    est = random_start(experts=[None, expert], warm_start=True).fit(pair)
    est.save(tmp_path / "model")
    loaded = CausalPIMA.load(tmp_path / "model").fit(pair)
    assert loaded.n_iter_ == 2
    assert_same(outputs(est.fit(pair), pair), outputs(loaded, pair))
    with pytest.raises(ValueError, match="experts is now"):
        loaded.set_params(experts=[None, piecewise_linear(3)]).fit(pair)


@pytest.mark.parametrize("path", [3, None, ["model"]])
def test_what_is_no_path_is_told(fitted, path):
    told = r"path is .*: expected the name of a file or of a folder, a str or a pathlib\.Path"
    with pytest.raises(TypeError, match=told):
        fitted.save(path)
    with pytest.raises(TypeError, match=told):
        type(fitted).load(path)
    with pytest.raises(TypeError, match=told):
        Checkpoint(path)
