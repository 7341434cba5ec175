"""What is changed in a file, and signed again, is refused, or ends in documented errors at most.

A checksum tells damage from what was saved, and nothing from what somebody wrote on purpose. Every
declared field is there, numbers are finite, and what PyTorch and NumPy take on trust is checked:
given moments of another shape, or a generator's state that points elsewhere, they read and write
memory that is not theirs.
"""

import copy
import warnings

import numpy as np
import pytest
from resigned_files import changed, changes, read_file, use, write_file

from skcausalpima import CausalPIMA
from skcausalpima.modules import ExpertDecoder, line

WIDTH = np.linspace(0.0, 1.0, 4)


KINDS = {
    "expert": {
        "experts": [None, ExpertDecoder(line, WIDTH, scatter=True)],
        "training__validation_fraction": 0.2,
    },
    "expert per sample": {
        "experts": [None, ExpertDecoder(line, WIDTH, per="sample")],
        "mixture": "spherical",
    },
    "paper": {
        "init": "paper",
        "structure": "gradient",
        "mixture": "diag",
        "modality_weights": "elements",
        "random_state": np.random.RandomState(3),
    },
    "convolutions": {
        "encoders": ["conv_paper", None],
        "decoders": ["cluster_mlp", None],
        "decoder_variance": "predicted",
        "mixture": "tied",
    },
}


@pytest.fixture(scope="module")
def saved(taught, pair, tmp_path_factory):
    """Documents and arrays of files of fits that may be continued."""
    made = {}

    def save(kind):
        if kind not in made:
            path = tmp_path_factory.mktemp("saved") / "model"
            taught(**KINDS[kind], warm_start=True).fit(pair).save(path)
            made[kind] = read_file(path)
        return made[kind]

    return save


@pytest.fixture
def load(tmp_path):
    """Write what is given with a checksum that is right, and load it."""

    def write_and_load(document, arrays):
        write_file(tmp_path / "model", document, arrays)
        return CausalPIMA.load(tmp_path / "model")

    return write_and_load


def raised(function, *arguments):
    """Return what a call returns, and the error if it raises one of those that are documented."""
    try:
        return function(*arguments), None
    except (ValueError, TypeError) as error:
        return None, error


def work_or_are_refused(load, pair, content, paths):
    """Return what becomes of changes: how many are refused, how many models work."""
    counts = {"refused": 0, "works": 0}
    for path, change in paths:
        other = changed(*content, path, change)
        if other is None:
            continue
        est, error = raised(load, *other)
        if est is None:
            assert type(error) is ValueError, (path, change)
            assert "/model cannot be loaded: " in str(error), (path, change)
            counts["refused"] += 1
            continue
        counts["works"] += 1
        _, error = raised(use, est, pair)
        assert error is None or str(error), (path, change)
    return counts


def drawn(content, kinds, seed, number):
    every = changes(*content, kinds)
    return [every[k] for k in np.random.default_rng(seed).permutation(len(every))[:number]]


@pytest.mark.long
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("kind", "seed"), [("expert", 0), ("convolutions", 1)])
def test_one_changed_value(saved, load, pair, kind, seed):
    content = saved(kind)
    counts = work_or_are_refused(load, pair, content, drawn(content, ["fit"], seed, 100))
    assert counts["refused"] > 40
    assert counts["works"] > 0


@pytest.mark.long
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", KINDS)
def test_many_changed_values(saved, load, pair, kind):
    content = saved(kind)
    places = drawn(content, ["fit", "parameters"], 2, 400)
    assert work_or_are_refused(load, pair, content, places)["refused"] > 160


@pytest.mark.long
def test_the_unchanged_file_loads_and_trains_on(saved, load, pair):
    for kind in KINDS:
        with warnings.catch_warnings(action="ignore"):  # of tables without a gap, in so short fits
            use(load(*saved(kind)), pair)


@pytest.mark.parametrize(
    "ending", [".exp_avg_sq", pytest.param(".exp_avg", marks=pytest.mark.long)]
)
def test_adam_is_not_given_moments_of_another_shape(saved, load, ending):
    document, arrays = saved("expert")
    short = {
        name: array.ravel()[:1].copy() if name.endswith(ending) else array
        for name, array in arrays.items()
    }
    with pytest.raises(ValueError, match=r"the moments of .* are not of its shape"):
        load(document, short)


def draws_of_modules(change):
    """Return an edit that adds a changed state of PyTorch's own generator."""
    name = f"{DRAWS}.modules.cpu"
    states = {"$": "dict", "keys": ["cpu"], "values": [{"$": "array", "name": name}]}
    put = within("training", "draws", "modules", states)

    def edit(document, arrays):
        put(document, arrays)
        arrays[name] = change(arrays[f"{DRAWS}.generator"].copy())

    return edit


def other_array(name, change):
    def edit(document, arrays):
        arrays[name] = change(arrays[name].copy())

    return edit


def first(value):
    """Return what sets the first number of an array."""

    def change(array):
        array.reshape(-1)[0] = value
        return array

    return change


def within(*way):
    """Return what sets a value of the document; keys of mappings in plain form are names."""
    *way, value = way

    def edit(document, arrays):
        plain = document["fit"]
        for name in way[:-1]:
            plain = inside(plain)[place(plain, name)]
        inside(plain)[place(plain, way[-1])] = value

    return edit


def inside(plain):
    return plain["values"] if isinstance(plain, dict) and plain.get("$") == "dict" else plain


def place(plain, name):
    return plain["keys"].index(name) if inside(plain) is not plain else name


def settings_with_more(document, arrays):
    document["fit"]["training"]["settings"]["more"] = 1


def columns_without_names(document, arrays):
    for table in document["fit"]["expert_tables"]["values"]:
        table["columns"]["keys"][0] = {"$": "tuple", "items": ["a"]}


def moments_of_a_buffer(document, arrays):
    moments = document["fit"]["training"]["moments"]
    moments["keys"].append("prior.means")
    fields = {"step": np.float32(1), "exp_avg": np.zeros((4, 2)), "exp_avg_sq": np.zeros((4, 2))}
    names = {field: f"training.moments.prior.means.{field}" for field in fields}
    arrays.update({names[field]: np.array(value) for field, value in fields.items()})
    values = [{"$": "array", "name": name} for name in names.values()]
    moments["values"].append({"$": "dict", "keys": list(fields), "values": values})


def counters(left, following):
    """Return what sets the counters in a state of PyTorch's generator."""

    def change(state):
        state[8:12], state[16:24] = (
            np.array([number], dtype).view(np.uint8)
            for number, dtype in ((left, np.int32), (following, np.uint64))
        )
        return state

    return change


MOMENTS, BEST = "training.moments.prior.scores", "training.stopper.best_state"
DRAWS = "training.draws"


@pytest.mark.parametrize(
    ("edit", "match"),
    [
        (other_array("cells", lambda a: a[:-1]), "cells is not"),
        (other_array("cells", lambda a: a + 7), "."),
        (other_array("labels", lambda a: a + 70), "."),
        (other_array("labels", lambda a: a.astype(float)), "labels is not"),
        (other_array("graph.tables.0", lambda a: a[0]), "graph.tables is not"),
        (other_array("graph.edge_weights", first(np.nan)), "graph.edge_weights is not"),
        (other_array("graph.node_scores", first(np.nan)), "graph.node_scores is not"),
        (other_array("graph.adjacency", lambda a: a.astype(int)), "graph.adjacency is not"),
        (other_array("numbers.prior.means", first(np.inf)), "prior.means holds NaN or infinity"),
        (other_array("numbers.prior.means", lambda a: a[:1]), "prior.means was float64 of shape"),
        (other_array(f"{BEST}.prior.means", lambda a: a[:1]), "prior.means was float64 of shape"),
        (other_array("training.model.prior.means", first(np.nan)), "prior.means holds NaN"),
        (other_array(f"{MOMENTS}.exp_avg", lambda a: a.astype("f4")), "the moments of"),
        (other_array(f"{MOMENTS}.step", lambda a: a - 4), "training.moments is not"),
        (other_array(f"{MOMENTS}.step", lambda a: a.astype(float)), "training.moments is not"),
        (moments_of_a_buffer, "prior.means is nothing that training changes"),
        (other_array(f"{DRAWS}.generator", lambda a: a[:-1]), "draws.generator is not"),
        (other_array(f"{DRAWS}.generator", counters(624, 600)), "draws.generator is not"),
        (draws_of_modules(counters(-1, 3)), "draws.modules is not"),
        (other_array(f"{DRAWS}.numpy.key", lambda a: a * 0), "random state that is none"),
        (other_array(f"{DRAWS}.numpy.key", lambda a: a[:-1]), "random state that is none"),
        (other_array("training.order", lambda a: a * 0), "training.order is not"),
        (other_array("training.order", lambda a: a + 1), "training.order is not"),
        (within("training", "draws", "numpy", "pos", 625), "random state that is none"),
        (within("training", "draws", "numpy", "pos", -1), "random state that is none"),
        (within("training", "data", None), "training.data is not"),
        (settings_with_more, "its FixedSettings has the fields"),
        (within("spec", "latent_dim", 10**30), "larger than the"),
        (within("spec", "linear_modalities", {"$": "tuple", "items": [7]}), "not of its own"),
        (within("spec", "modality_names", {"$": "tuple", "items": ["m"]}), "longer than"),
        (within("covariance_type", "none"), "covariance_type is not"),
        (within("scaler", "words", {"$": "tuple", "items": ["modality"]}), "scaler is not"),
        (columns_without_names, "expert_tables is not"),
    ],
)
def test_what_a_file_must_mean(saved, load, edit, match):
    document, arrays = changed_by(edit, *saved("expert"))
    with pytest.raises(ValueError, match=f"/model cannot be loaded: .*{match}"):
        load(document, arrays)


def changed_by(edit, document, arrays):
    document, arrays = copy.deepcopy(document), dict(arrays)
    edit(document, arrays)
    return document, {name: np.array(array, order="C") for name, array in arrays.items()}


@pytest.mark.parametrize("position", [-1, 625, 10**9])
def test_a_random_state_does_not_point_beyond_its_numbers(saved, load, position):
    def edit(document, arrays):
        assert document["parameters"]["random_state"]["$"] == "random_state"
        document["parameters"]["random_state"]["pos"] = position

    with pytest.raises(ValueError, match="/model cannot be loaded: it has a random state that is"):
        load(*changed_by(edit, *saved("paper")))


def test_metadata_that_no_method_asks_for(saved, load):
    asked = {"$": "dict", "keys": ["nothing"], "values": [True]}
    requests = {"$": "dict", "keys": ["fit"], "values": [asked]}

    def edit(document, arrays):
        document["input"]["_metadata_request"] = requests

    with pytest.raises(ValueError, match=r"/model cannot be loaded: .*nothing"):
        load(*changed_by(edit, *saved("expert")))


@pytest.mark.slow
def test_an_order_of_fewer_samples_is_drawn_anew(saved, load, pair):
    def edit(document, arrays):
        name = "training.order"
        arrays[name] = arrays[name][arrays[name] < 20]

    est = load(*changed_by(edit, *saved("expert"))).fit(pair)
    assert sorted(est._fitted.training.order) == list(range(72))
