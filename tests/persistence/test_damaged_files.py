"""What is damaged, or no file of ours, is refused as a whole and with the file's name."""

import json
import os
import pickle

import joblib
import numpy as np
import pytest
import safetensors.numpy
import torch
from resigned_files import read_file, write_file
from torch import nn

from skcausalpima import CausalPIMA
from skcausalpima._persistence.file import FORMAT, VERSION
from skcausalpima.modules import ExpertDecoder, line


@pytest.fixture(scope="module")
def content(taught, pair, tmp_path_factory):
    """The bytes of a small file with an expert and networks."""
    path = tmp_path_factory.mktemp("content") / "model"
    expert = ExpertDecoder(line, np.linspace(0.0, 1.0, 4), scatter=True)
    taught(experts=[None, expert]).fit(pair).save(path)
    return path.read_bytes()


def refuse(path, match=None):
    """Loading raises a ValueError that names the file."""
    with pytest.raises(ValueError, match=match) as caught:
        CausalPIMA.load(path)
    assert str(path) in str(caught.value)


def test_a_truncated_file(content, tmp_path):
    path = tmp_path / "model"
    header = 8 + int.from_bytes(content[:8], "little")
    cuts = {*range(0, 64), *range(0, len(content), 97), header - 1, header, header + 1}
    for cut in sorted({*cuts, len(content) - 1}):
        path.write_bytes(content[:cut])
        refuse(path)
    path.write_bytes(content + b"x")
    refuse(path)


@pytest.mark.parametrize("flip", [0xFF, 0x01])
def test_a_flipped_byte(content, tmp_path, flip):
    path = tmp_path / "model"
    for place in [*range(40), *range(40, len(content), 61)]:
        broken = bytearray(content)
        broken[place] ^= flip
        path.write_bytes(broken)
        refuse(path)


@pytest.fixture
def forge(content, tmp_path):
    """Change JSON and arrays of a file, write it with a checksum that is right, and refuse it."""

    def change(edit, match=None):
        path = tmp_path / "model"
        path.write_bytes(content)
        document, arrays = read_file(path)
        edited = edit(document, arrays)
        write_file(path, document if edited is None else edited, arrays)
        refuse(path, match)

    return change


def test_the_unchanged_forgery_loads(content, tmp_path):
    path = tmp_path / "model"
    path.write_bytes(content)
    write_file(path, *read_file(path))
    CausalPIMA.load(path)


@pytest.mark.parametrize(
    ("key", "value", "match"),
    [
        ("version", VERSION + 1, r"version 6 of the format.*reads version 5: update skcausalpima"),
        ("version", 1, r"version 1 of the format, an older one.*reads version 5.*fit again"),
        ("version", VERSION - 1, r"an older one.*load it with the version that saved it, or fit"),
        ("version", 10**30, "update skcausalpima"),
        ("version", 0, "the version 0, not a number from 1"),
        ("version", "1", "the version '1'"),
        ("version", True, "the version True"),
        ("version", None, "the version None"),
        ("sha256", "0" * 64, "checksum"),
        ("sha256", None, "checksum"),
        ("more", "", "its JSON is not an object of"),
    ],
)
def test_another_version_or_checksum(content, tmp_path, key, value, match):
    path = tmp_path / "model"
    path.write_bytes(content)
    document, arrays = read_file(path)
    write_file(path, document | {key: value}, arrays, digest=False)
    refuse(path, match)
    del document[key if key in document else "library"]
    write_file(path, document, arrays, digest=False)
    refuse(path)


def test_json_with_other_spaces(content, tmp_path):
    path = tmp_path / "model"
    path.write_bytes(content)
    document, arrays = read_file(path)
    write_file(path, json.dumps(document, indent=1), arrays)
    refuse(path, "checksum")


def test_other_files(fitted, tmp_path):
    path = tmp_path / "model"
    for metadata in (None, {"format": "pt"}, {FORMAT: "", "format": "pt"}):
        path.write_bytes(safetensors.numpy.save({"weight": np.zeros(3)}, metadata))
        refuse(path, r"its header has \[.*, not \['skcausalpima'\]")
    for data in (b"", b"{}", pickle.dumps(fitted), json.dumps({"class": "CausalPIMA"}).encode()):
        path.write_bytes(data)
        refuse(path)
    joblib.dump(fitted, path)
    refuse(path)


@pytest.mark.parametrize(
    "claim",
    [
        {"dtype": "F64", "shape": [10**15], "data_offsets": [0, 8 * 10**15]},
        {"dtype": "F64", "shape": [2**40, 2**40], "data_offsets": [0, 8]},
        {"dtype": "BF16", "shape": [4], "data_offsets": [0, 8]},
        {"dtype": "F8_E4M3", "shape": [8], "data_offsets": [0, 8]},
    ],
)
def test_tensors_of_sizes_and_types_that_cannot_be(tmp_path, claim):
    path = tmp_path / "model"
    document = {"version": VERSION, "class": "CausalPIMA", "library": "0", "sha256": ""}
    metadata = {FORMAT: json.dumps(document | {"parameters": {}, "attributes": {}})}
    header = json.dumps({"__metadata__": metadata, "a": claim}).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(8))
    refuse(path)
    path.write_bytes((2**62).to_bytes(8, "little") + header)
    refuse(path)


@pytest.mark.parametrize(
    "text",
    [
        *("", "null", "[]", "3", "{", '{"version": 2}', "[" * 100_000, "9" * 10_000),
        '{"version": 2, "class": "CausalPIMA", "parameters": {"tol": NaN}}',
    ],
)
def test_json_of_another_shape(forge, text):
    forge(lambda document, arrays: text)


@pytest.mark.parametrize("part", ["parameters", "attributes"])
@pytest.mark.parametrize("value", [None, [], {}, "", {"tol": {"$": 1}}])
def test_parts_of_another_shape(forge, part, value):
    forge(lambda document, arrays: document.update({part: value}))


@pytest.mark.parametrize(
    "name", ["os.system", "sklearn.svm.SVC", "GaussianMixture", ["CausalPIMA"], None]
)
def test_a_class_that_is_not_ours(forge, name):
    forge(lambda document, arrays: document.update({"class": name}), "class .*, not CausalPIMA")


@pytest.mark.parametrize(
    "value",
    [
        {"$": "initialization", "way": "linear"},
        {"$": "score_search", "score": {"$": "structure"}},
        {"$": "gradient_structure", "self": None},
        {"$": "ScoreSearch"},
    ],
)
def test_parameter_objects_that_are_none(forge, value):
    forge(lambda document, arrays: document["parameters"].update({"init": value}))


def architecture(document):
    """Return a view of the architecture in plain form, by name."""
    plain = document["attributes"]["_architecture"]
    return plain["keys"], plain["values"]


def setting(name, value):
    def edit(document, arrays):
        keys, values = architecture(document)
        values[keys.index(name)] = value

    return edit


def in_tuple(*items):
    return {"$": "tuple", "items": list(items)}


@pytest.mark.parametrize(
    ("edit", "match"),
    [
        (setting("node_sizes", in_tuple(2**20, 2**20)), "is not what a fit of this size sets"),
        (setting("node_sizes", in_tuple(4, 1)), None),
        (setting("node_sizes", in_tuple()), None),
        (setting("node_sizes", 4), "node_sizes is not"),
        (setting("latent_dim", 10**9), None),
        (setting("latent_dim", True), None),
        (setting("hidden_layer_sizes", in_tuple(10**9, 10**9)), "_state|model|nothing|was"),
        (setting("hidden_layer_sizes", in_tuple(*[16] * 1000)), "larger than the"),
        (setting("hidden_layer_sizes", in_tuple(7)), "but this model has"),
        (setting("hidden_layer_sizes", in_tuple(-7)), "hidden_layer_sizes is not"),
        (setting("shapes", in_tuple(in_tuple(10**6, 10**6), in_tuple(4))), None),
        (setting("shapes", in_tuple(in_tuple(2, 3), in_tuple(4))), "shapes contradict"),
        (setting("dtype", "float32"), "cluster_means_ is not"),
        (setting("dtype", "object"), "dtype is not"),
        (setting("linear", False), "was|nothing"),
        (setting("encoders", [None, "os.system"]), "asks for 'os.system' in encoders"),
        (setting("encoders", [None]), "encoders, decoders, experts, predict_variances contradict"),
        (setting("encoders", ["conv", None]), "but this model has"),
        (setting("experts", [None, None]), "belong nowhere"),
        (
            setting("experts", [None, {"$": "model_function", "name": "line", "parameters": []}]),
            "parameters",
        ),
        (
            setting("experts", [None, {"$": "model_function", "name": "os", "parameters": []}]),
            "model function 'os'",
        ),
        (setting("modality_names", in_tuple("a", "b")), "names of modalities contradict"),
        (setting("node_names", in_tuple("a", "b")), "names of nodes contradict"),
        (setting("modality_weights", in_tuple(1.0)), "modality_weights"),
    ],
)
def test_another_architecture(forge, edit, match):
    forge(edit, match)


def remove(mapping, name):
    del mapping[name]


def attribute(name, plain):
    return lambda document, arrays: document["attributes"].update({name: plain})


@pytest.mark.parametrize(
    ("edit", "match"),
    [
        (attribute("more_", 1), r"unknown \['more_'\]"),
        (
            lambda document, arrays: document["attributes"].pop("dag_") and None,
            r"missing \['dag_'\]",
        ),
        (lambda document, arrays: document["parameters"].update(more=1), r"parameters \['more'\]"),
        (lambda document, arrays: document.update(more=1), "its JSON is not an object of"),
        (attribute("n_iter_", 7), "n_iter_|history_"),
        (attribute("n_iter_", "3"), "n_iter_|history_"),
        (attribute("lower_bound_", {"$": "float", "value": "nan"}), "lower_bound_"),
        (attribute("lower_bound_", {"$": "float", "value": "1"}), "a number is '1'"),
        (attribute("converged_", 0), "converged_"),
        (attribute("_covariance_type", "none"), None),
        (attribute("_input_form", "none"), "_input_form"),
        (attribute("labels_", 3), None),
        (attribute("labels_", {"$": "array", "name": "nowhere"}), "no tensor 'nowhere'"),
        (attribute("weights_", {"$": "array", "name": "labels_"}), "uses it twice"),
        (attribute("weights_", {"$": "os.system", "items": "ls"}), "asks for a value of the kind"),
        (attribute("weights_", {"$": ["x"]}), "asks for a value of the kind"),
        (attribute("weights_", {"a": 1}), "asks for a value of the kind None"),
        (attribute("weights_", {"$": "tuple"}), None),
        (attribute("weights_", {"$": "tuple", "entries": []}), None),
        (attribute("weights_", {"$": "dict", "keys": [[]], "values": [1]}), "unhashable"),
        (attribute("weights_", {"$": "scalar", "type": "object", "value": 1}), "object"),
        (attribute("n_iter_", {"$": "code", "what": "x"}), "n_iter_|history_"),
        (attribute("dag_", {"$": "graph", "attributes": {}, "nodes": [], "edges": []}), None),
        (attribute("expert_params_", {"$": "tuple", "items": []}), "expert_params_"),
        (attribute("modality_names_in_", ["modality0", "modality1"]), "modality_names_in_"),
    ],
)
def test_other_attributes(forge, edit, match):
    forge(edit, match)


def test_graphs_that_do_not_fit(forge):
    def with_edges(*edges):
        empty = {"$": "dict", "keys": [], "values": []}
        size = {"$": "dict", "keys": ["size"], "values": [2]}
        nodes = [["N1", size], ["N2", size]]
        edges = [[*edge, empty] for edge in edges]
        return attribute(
            "dag_", {"$": "graph", "attributes": empty, "nodes": nodes, "edges": edges}
        )

    forge(with_edges(("N1", "N2"), ("N2", "N1")), "dag_ is not what")
    forge(with_edges(("N1", "N3")), "an edge 'N1' -> 'N3' between other nodes")
    forge(with_edges(("N1", "N1")), "dag_ is not what")


def array_edit(name, change):
    def edit(document, arrays):
        arrays[name] = change(arrays[name])

    return edit


ARRAYS = [
    "labels_",
    "weights_",
    "cluster_states_",
    "_state.prior.means",
    "_scaler.centre.items.0",
    "cpts_.N1",
]


@pytest.mark.parametrize("name", ARRAYS)
def test_tensors_of_other_names_shapes_and_types(forge, name):
    forge(array_edit(name, lambda array: array[:-1].copy()))
    forge(array_edit(name, lambda array: array[None].copy()))
    forge(array_edit(name, lambda array: array.astype(np.float16)))
    forge(array_edit(name, lambda array: array.astype(bool)))
    forge(array_edit(name, lambda array: np.full(array.shape, np.nan)))
    forge(array_edit(name, lambda array: array - 100), None) if name == "labels_" else None
    forge(lambda document, arrays: remove(arrays, name), "no tensor")
    forge(lambda document, arrays: arrays.update(more=np.zeros(2)), r"belong nowhere: \['more'\]")


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize(
    "name", ["_state.prior.means", "_state.encoders.0.network.0.weight", "joint_"]
)
def test_numbers_that_are_not_finite(forge, name, value):
    forge(
        array_edit(name, lambda array: np.full_like(array, value)), "NaN or infinity|joint_ is not"
    )


@pytest.mark.parametrize(
    "change",
    [
        lambda array: array[::-1].copy(),
        lambda array: array[None].copy(),
        lambda array: array.astype(np.float32),
        lambda array: np.full_like(array, np.nan),
    ],
)
def test_references_that_do_not_rise(forge, change):
    forge(array_edit("_tail_reference.1", change), "_tail_reference is not what")


def test_references_of_other_modalities(forge):
    def edit(document, arrays):
        document["attributes"]["_tail_reference"].pop()
        remove(arrays, "_tail_reference.2")

    forge(edit, "_tail_reference is not what")


def test_what_cannot_be_loaded_is_not_saved(quick, pair, tmp_path):
    est = quick().fit(pair)
    est.weights_ = est.weights_[:-1]
    with pytest.raises(
        ValueError, match=r"cannot be saved: weights_ is not what a fit of this size"
    ):
        est.save(tmp_path / "model")
    assert os.listdir(tmp_path) == []


def test_a_scale_of_zero(forge):
    def edit(document, arrays):
        factors = document["attributes"]["_scaler"]["factor"]["items"]
        assert isinstance(factors[0], float)
        factors[0] = 0.0

    forge(edit, "_scaler is not")


@pytest.mark.parametrize("change", [-100, 100])
def test_labels_without_a_component(forge, change):
    forge(array_edit("labels_", lambda labels: labels + change), "labels_ contradict")


def test_a_model_that_is_not_finite_is_not_saved(quick, pair, tmp_path):
    est = quick().fit(pair)
    est._state["prior.scores"][0] = np.nan
    with pytest.raises(ValueError, match=r"cannot be saved: prior.scores holds NaN or infinity"):
        est.save(tmp_path / "model")


def test_infinity_in_a_users_module_is_the_users(quick, pair, tmp_path):
    class Masked(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(6, 4)
            self.register_buffer("mask", torch.full((6,), torch.inf))

        def forward(self, x):
            return self.linear(torch.minimum(x.flatten(1), self.mask))

    est = quick(encoders=[Masked(), None]).fit(pair)
    est.save(tmp_path / "model")
    loaded = CausalPIMA.load(tmp_path / "model", encoders=[Masked(), None])
    np.testing.assert_array_equal(loaded.transform(pair), est.transform(pair))
