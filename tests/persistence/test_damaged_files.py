"""What is damaged, or no file of ours, is refused as a whole and with the file's name."""

import json
import os
import pickle
from copy import deepcopy
from dataclasses import replace

import joblib
import numpy as np
import pytest
import safetensors.numpy
import torch
from resigned_files import read_file, write_file
from torch import nn

from skcausalpima import CausalPIMA
from skcausalpima._state.file import FORMAT, VERSION
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


@pytest.mark.parametrize("flip", [0xFF, pytest.param(0x01, marks=pytest.mark.long)])
def test_a_flipped_byte(content, tmp_path, flip):
    path = tmp_path / "model"
    for position in [*range(40), *range(40, len(content), 61)]:
        broken = bytearray(content)
        broken[position] ^= flip
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


@pytest.mark.parametrize(
    ("key", "value", "match"),
    [
        *(
            ("version", number, rf"the number {number!r}, .* {VERSION} alone: load it with the ver")
            for number in (VERSION - 1, VERSION + 1, 1, 0, 10**30, str(VERSION), True, None)
        ),
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
    metadata = {FORMAT: json.dumps(document | {"parameters": {}, "fit": {}, "input": {}})}
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


@pytest.mark.parametrize("part", ["parameters", "fit", "input"])
@pytest.mark.parametrize("value", [None, [], {}, "", {"training__tol": {"$": 1}}])
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
        {"$": "Initialization", "way": "linear"},
        {"$": "ScoreSearch", "score": {"$": "structure"}},
        {"$": "GradientStructure", "self": None},
        {"$": "GaussianMixture"},
    ],
)
def test_parameter_objects_that_are_none(forge, value):
    forge(lambda document, arrays: document["parameters"].update({"init": value}))


def setting(name, value):
    return lambda document, arrays: document["fit"]["spec"].update({name: value})


def in_tuple(*items):
    return {"$": "tuple", "items": list(items)}


@pytest.mark.parametrize(
    ("edit", "match"),
    [
        (setting("node_sizes", in_tuple(2**20, 2**20)), "cells is not what a fit of this size"),
        (setting("node_sizes", in_tuple(4, 1)), None),
        (setting("node_sizes", in_tuple()), "cells is not what"),
        (setting("node_sizes", 4), "spec.node_sizes is not what"),
        (setting("latent_dim", 10**9), "larger than the"),
        (setting("latent_dim", True), "spec.latent_dim is not what"),
        (setting("hidden_layer_sizes", in_tuple(10**9, 10**9)), "but this model has"),
        (setting("hidden_layer_sizes", in_tuple(*[16] * 200)), "but this model has"),
        (setting("hidden_layer_sizes", in_tuple(7)), "but this model has"),
        (setting("hidden_layer_sizes", in_tuple(-7)), "negative dimension"),
        (setting("shapes", in_tuple(in_tuple(10**6, 10**6), in_tuple(4))), "larger than the"),
        (setting("shapes", in_tuple(in_tuple(2, 4), in_tuple(4))), "but this model has"),
        (setting("dtype", "float32"), "but this model has"),
        (setting("dtype", "object"), "no attribute 'object'"),
        (setting("linear", False), "was|nothing"),
        (setting("encoders", [None, "os.system"]), "loaded: 'os.system'"),
        (setting("encoders", [None]), "longer than"),
        (setting("encoders", ["conv", None]), "but this model has"),
        (setting("decoders", ["conv_paper", None]), "but this model has"),
        (setting("experts", [None, None]), "belong nowhere"),
        (
            setting("experts", [None, {"$": "model_function", "name": "line", "parameters": []}]),
            "parameters",
        ),
        (
            setting("experts", [None, {"$": "model_function", "name": "os", "parameters": []}]),
            "model function 'os'",
        ),
        (setting("modality_weights", in_tuple("a")), "modality_weights"),
        (
            lambda document, arrays: document["fit"]["spec"].pop("linear") and None,
            "this version's has",
        ),
    ],
)
def test_another_architecture(forge, edit, match):
    forge(edit, match)


def remove(mapping, name):
    del mapping[name]


def field(name, plain):
    return lambda document, arrays: document["fit"].update({name: plain})


def of_input(name, plain):
    return lambda document, arrays: document["input"].update({name: plain})


@pytest.mark.parametrize(
    ("edit", "match"),
    [
        (field("more", 1), r"unknown fields \['more'\]"),
        (lambda document, arrays: document["fit"].pop("lower_bound") and None, "'lower_bound'"),
        (lambda document, arrays: document["parameters"].update(more=1), r"parameters \['more'\]"),
        (lambda document, arrays: document.update(more=1), "its JSON is not an object of"),
        (field("lower_bound", 7), "lower_bound is not"),
        (field("lower_bound", {"$": "float", "value": "1"}), "a number is '1'"),
        (field("converged", 0), "converged is not"),
        (field("covariance_type", "none"), "covariance_type is not"),
        (field("labels", 3), None),
        (field("labels", {"$": "array", "name": "nowhere"}), "no tensor 'nowhere'"),
        (field("cells", {"$": "array", "name": "labels"}), "uses it twice"),
        (field("gaps", {"$": "os.system", "items": "ls"}), "asks for a value of the kind"),
        (field("gaps", {"$": ["x"]}), "asks for a value of the kind"),
        (field("gaps", {"a": 1}), "asks for a value of the kind None"),
        (field("gaps", {"$": "tuple"}), None),
        (field("gaps", {"$": "tuple", "entries": []}), None),
        (field("gaps", {"$": "dict", "keys": [[]], "values": [1]}), "unhashable"),
        (field("gaps", {"$": "scalar", "type": "object", "value": 1}), "object"),
        (field("gaps", {"$": "code", "what": "x"}), None),
        (field("phase_history", {"$": "tuple", "items": []}), None),
        (field("graph", {"$": "tuple", "items": []}), None),
        (of_input("_input_form", "none"), "its input came in 'none'"),
        (of_input("more_", 1), r"its input has .*'more_'"),
        (lambda document, arrays: document["input"].pop("_input_form") and None, "'_input_form'"),
    ],
)
def test_other_fields(forge, edit, match):
    forge(edit, match)


def array_edit(name, change):
    def edit(document, arrays):
        arrays[name] = change(arrays[name])

    return edit


ARRAYS = ["labels", "cells", "numbers.prior.means", "graph.node_scores"]


@pytest.mark.parametrize("name", ARRAYS)
def test_tensors_of_other_names_shapes_and_types(forge, name):
    if name != "labels":  # of however many samples
        forge(array_edit(name, lambda array: array[:-1].copy()))
    forge(array_edit(name, lambda array: array[None].copy()))
    forge(array_edit(name, lambda array: array.astype(np.float16)))
    forge(array_edit(name, lambda array: array.astype(bool)))
    forge(array_edit(name, lambda array: np.full(array.shape, np.nan)))
    forge(lambda document, arrays: remove(arrays, name), "no tensor")
    forge(lambda document, arrays: arrays.update(more=np.zeros(2)), r"belong nowhere: \['more'\]")


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize(
    "name", ["numbers.prior.means", "numbers.encoders.0.network.0.weight", "graph.tables.0"]
)
def test_numbers_that_are_not_finite(forge, name, value):
    forge(
        array_edit(name, lambda array: np.full_like(array, value)), "NaN or infinity|tables is not"
    )


def test_covariances_that_are_none(forge):
    name = "numbers.prior.covariances"
    forge(array_edit(name, lambda array: -array), "not positive definite")
    forge(array_edit(name, np.zeros_like), "not positive definite")


def test_references_of_other_modalities(forge):
    def edit(document, arrays):
        document["fit"]["tail_reference"].pop()
        remove(arrays, "tail_reference.2")

    forge(edit, "tail_reference is not what")


def test_what_cannot_be_loaded_is_not_saved(fitted, tmp_path):
    est = deepcopy(fitted)
    est._fitted = replace(est._fitted, cells=est._fitted.cells[:-1])
    with pytest.raises(ValueError, match=r"cannot be saved: cells is not what a fit of this size"):
        est.save(tmp_path / "model")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("change", [-100, 100])
def test_labels_without_a_component(forge, change):
    forge(array_edit("labels", lambda labels: labels + change), "labels is not what")


def test_a_model_that_is_not_finite_is_not_saved(fitted, tmp_path):
    est = deepcopy(fitted)
    est._fitted.numbers["prior.scores"][0] = np.nan
    with pytest.raises(ValueError, match=r"cannot be saved: prior.scores holds NaN or infinity"):
        est.save(tmp_path / "model")


@pytest.mark.slow
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
