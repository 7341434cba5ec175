"""What is changed in a file, and signed again, is refused, or is a model whose methods work.

A checksum tells damage from what was saved, and nothing from what somebody wrote on purpose: every
value is checked by itself and against the others. PyTorch and NumPy, given moments of another shape
or a generator's state that points elsewhere, read and write memory that is not theirs.
"""

import copy
import re
import warnings
from dataclasses import fields

import numpy as np
import pandas as pd
import pytest
from resigned_files import changed, changes, read_file, use, write_file

from skcausalpima import CausalPIMA
from skcausalpima._fit.checkpoint import Checkpoint
from skcausalpima._persistence.checkpoint_checks import CHECKPOINT
from skcausalpima.modules import ExpertDecoder, line

WIDTH = np.linspace(0.0, 1.0, 4)


def tables(field, value):
    """Change what is said of the first modality beside its numbers."""

    def edit(document, arrays):
        table = document["attributes"]["_modality_tables"][0]
        table["values"][table["keys"].index(field)] = value

    return edit


KINDS = {
    "expert": {
        "experts": [None, ExpertDecoder(line, WIDTH, scatter=True)],
        "validation_fraction": 0.2,
    },
    "expert per sample": {
        "experts": [None, ExpertDecoder(line, WIDTH, per="sample")],
        "covariance_type": "spherical",
    },
    "paper": {
        "init": "paper",
        "structure": "gradient",
        "covariance_type": "diag",
        "modality_weights": "elements",
        "random_state": np.random.RandomState(3),
    },
    "convolutions": {
        "encoders": ["conv", None],
        "decoders": ["cluster_mlp", None],
        "decoder_variance": "predicted",
        "covariance_type": "tied",
    },
}
#: What fit and other methods say where parameters are not those of the model, or its numbers huge.
TOLD = "warm_start=True continues the last fit, but|diverged|not finite|so far from the training"


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


def work_or_are_refused(load, pair, content, places):
    """Return what becomes of changes: how many are refused, how many models work."""
    counts = {"refused": 0, "works": 0}
    for place, change in places:
        other = changed(*content, place, change)
        if other is None:
            continue
        est, error = raised(load, *other)
        if est is None:
            assert type(error) is ValueError, (place, change)
            assert "/model cannot be loaded: " in str(error), (place, change)
            counts["refused"] += 1
            continue
        counts["works"] += 1
        _, error = raised(use, est, pair)
        is_parameter = place[0] == "parameters"  # which set_params may set to whatever, too
        assert error is None or is_parameter or re.search(TOLD, str(error)), (place, change)
    return counts


def drawn(content, kinds, seed, number):
    every = changes(*content, kinds)
    return [every[k] for k in np.random.default_rng(seed).permutation(len(every))[:number]]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("kind", "seed"),
    [
        pytest.param("expert", 0, marks=pytest.mark.slow),
        pytest.param("convolutions", 1, marks=pytest.mark.long),
    ],
)
def test_one_changed_value(saved, load, pair, kind, seed):
    content = saved(kind)
    counts = work_or_are_refused(load, pair, content, drawn(content, ["attributes"], seed, 100))
    assert counts["refused"] > 60
    assert counts["works"] > 0


@pytest.mark.long
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", KINDS)
def test_many_changed_values(saved, load, pair, kind):
    content = saved(kind)
    places = drawn(content, ["attributes", "parameters"], 2, 400)
    assert work_or_are_refused(load, pair, content, places)["refused"] > 240


def test_the_unchanged_file_loads_and_trains_on(saved, load, pair):
    for kind in KINDS:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of tables without a gap, in so short fits
            use(load(*saved(kind)), pair)


@pytest.mark.parametrize("ending", [".exp_avg", ".exp_avg_sq"])
def test_adam_is_not_given_moments_of_another_shape(saved, load, ending):
    document, arrays = saved("expert")
    short = {
        name: array.ravel()[:1].copy() if name.endswith(ending) else array
        for name, array in arrays.items()
    }
    with pytest.raises(ValueError, match=r"_checkpoint.moments is not what a fit of this size"):
        load(document, short)


def draws_of_modules(change):
    """Return an edit that adds a changed state of PyTorch's own generator."""
    name = f"{DRAWS}.modules.cpu"
    states = {"$": "dict", "keys": ["cpu"], "values": [{"$": "array", "name": name}]}
    put = within("_checkpoint", "draws", "modules", states)

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
        plain = document["attributes"]
        for name in way[:-1]:
            plain = inside(plain)[place(plain, name)]
        inside(plain)[place(plain, way[-1])] = value

    return edit


def without(*way):
    """Return what removes an entry of a mapping of the document, and an array there."""

    def edit(document, arrays):
        plain = document["attributes"][way[0]]
        k = plain["keys"].index(way[1])
        del plain["keys"][k], plain["values"][k], arrays[".".join(way)]

    return edit


def inside(plain):
    return plain["values"] if isinstance(plain, dict) and plain.get("$") == "dict" else plain


def place(plain, name):
    return plain["keys"].index(name) if inside(plain) is not plain else name


def settings_with_more(document, arrays):
    checkpoint = document["attributes"]["_checkpoint"]
    settings = checkpoint["values"][checkpoint["keys"].index("settings")]
    settings["keys"].append("more")
    settings["values"].append(1)


def moments_of_a_buffer(document, arrays):
    checkpoint = document["attributes"]["_checkpoint"]
    moments = checkpoint["values"][checkpoint["keys"].index("moments")]
    moments["keys"].append("prior.means")
    fields = {"step": np.float32(1), "exp_avg": np.zeros((4, 2)), "exp_avg_sq": np.zeros((4, 2))}
    names = {field: f"_checkpoint.moments.prior.means.{field}" for field in fields}
    arrays.update({names[field]: np.array(value) for field, value in fields.items()})
    values = [{"$": "array", "name": name} for name in names.values()]
    moments["values"].append({"$": "dict", "keys": list(fields), "values": values})


def swapped(array):
    return np.roll(array, 1, axis=0).copy()


def counters(left, following):
    """Return what sets the counters in a state of PyTorch's generator."""

    def change(state):
        state[8:12], state[16:24] = (
            np.array([number], dtype).view(np.uint8)
            for number, dtype in ((left, np.int32), (following, np.uint64))
        )
        return state

    return change


NEGATIVE, HALVED = (lambda array: -array), (lambda array: array / 2)
MOMENTS, BEST = "_checkpoint.moments.prior.scores", "_checkpoint.stopper.best_state"
DRAWS, TABLE = "_checkpoint.draws", "expert_params_.modality1.columns"


@pytest.mark.parametrize(
    ("edit", "match"),
    [
        (other_array("weights_", first(-0.1)), "weights_ is not"),
        (other_array("weights_", swapped), "its weights_ contradict"),
        (other_array("joint_", HALVED), "its cpts_ and joint_ contradict"),
        (other_array("joint_", first(-0.1)), "joint_ is not"),
        (other_array("cpts_.N1", HALVED), "cpts_ is not"),
        (other_array("cpts_.N1", first(-1.0)), "cpts_ is not"),
        (other_array("cpts_.N1", lambda a: a * 0 + [0.9, 0.1]), "its cpts_ and joint_ contradict"),
        (other_array("cluster_means_", swapped), "its cluster_means_ contradict"),
        (other_array("cluster_covariances_", swapped), "its cluster_covariances_ contradict"),
        (other_array("edge_weights_", first(0.5)), "its edges contradict"),
        (other_array("edge_weights_", NEGATIVE), "edge_weights_ is not"),
        (other_array("edge_probabilities_", lambda a: a + 2), "edge_probabilities_ is not"),
        (other_array("node_scores_", first(np.nan)), "node_scores_ is not"),
        (other_array("history_.objective", swapped), "_checkpoint.history and history_ contra"),
        (other_array("separation_.fields.occupancy", HALVED), "its separation_ contradict"),
        (
            other_array(f"{TABLE}.slope", first(np.inf)),
            "its expert_params_ con",
        ),
        (
            other_array(f"{TABLE}.N1", lambda a: a + 7),
            "its expert_params_ con",
        ),
        (other_array("_scaler.centre.items.0", first(np.nan)), "_scaler is not"),
        (other_array("_state.prior.covariances", NEGATIVE), "covariances is not symmetric and po"),
        (other_array("_state.prior.covariances", lambda a: a[:, ::-1]), "is not symmetric and po"),
        (other_array("_state.decoders.1.scatter", NEGATIVE), r"scatter of decoders\['modality1'\]"),
        (other_array("_state.decoders.1.factor", first(0.0)), r"factor of .* is not positive"),
        (other_array("_state.decoders.1.index", first(99)), "index of .* is not what this model"),
        (other_array(f"{BEST}.decoders.1.index", first(-99)), "index of .* is not what this mod"),
        (other_array(f"{BEST}.prior.covariances", NEGATIVE), "_checkpoint: prior.covariances is"),
        (other_array(f"{BEST}.prior.means", lambda a: a[:1]), "_checkpoint.stopper is not"),
        (other_array("_checkpoint.model.prior.means", first(np.nan)), "_checkpoint: prior.means"),
        (other_array("_checkpoint.model.prior.means", lambda a: a[:1]), "_checkpoint.model is not"),
        (other_array(f"{MOMENTS}.exp_avg", lambda a: a.astype("f4")), "_checkpoint.moments is not"),
        (other_array(f"{MOMENTS}.exp_avg", first(np.nan)), "_checkpoint.moments is not"),
        (other_array(f"{MOMENTS}.exp_avg_sq", first(-1.0)), "_checkpoint.moments is not"),
        (other_array(f"{MOMENTS}.step", lambda a: a - 4), "_checkpoint.moments is not"),
        (other_array(f"{MOMENTS}.step", lambda a: a + 0.5), "_checkpoint.moments is not"),
        (other_array(f"{MOMENTS}.step", lambda a: a.astype(float)), "_checkpoint.moments is not"),
        (moments_of_a_buffer, "prior.means is nothing that training changes"),
        (other_array(f"{DRAWS}.generator", lambda a: a[:-1]), "_checkpoint.draws is not"),
        (other_array(f"{DRAWS}.generator", counters(624, 600)), "_checkpoint.draws is not"),
        (draws_of_modules(counters(-1, 3)), "_checkpoint.draws is not"),
        (other_array(f"{DRAWS}.numpy.state.key", lambda a: a * 0), "_checkpoint.draws is not"),
        (other_array(f"{DRAWS}.numpy.state.key", lambda a: a[:-1]), "_checkpoint.draws is not"),
        (other_array("_checkpoint.order", lambda a: a * 0), "_checkpoint.order is not"),
        (other_array("_checkpoint.order", lambda a: a + 1), "_checkpoint.order is not"),
        (within("_checkpoint", "draws", "numpy", "state", "pos", 625), "_checkpoint.draws is not"),
        (within("_checkpoint", "draws", "numpy", "state", "pos", -1), "_checkpoint.draws is not"),
        (within("_checkpoint", "temperature", 0.0), "_checkpoint.temperature is not"),
        (within("_checkpoint", "stopper", "waited", -1), "_checkpoint.stopper is not"),
        (within("_checkpoint", "stopper", "best_temperature", None), "_checkpoint.stopper is not"),
        (within("_checkpoint", "settings", "scale", ["x", None]), "_checkpoint.settings is not"),
        (within("_checkpoint", "history", []), "_checkpoint.history is not"),
        (within("_checkpoint", "data", None), "_checkpoint.data is not"),
        (settings_with_more, "_checkpoint.settings is not"),
        (without("_checkpoint", "order"), r"_checkpoint is not \['model', 'temperature'"),
        (
            within("_architecture", "modality_names", {"$": "tuple", "items": ["m", "m"]}),
            "names of modal",
        ),
        (within("_input_form", "single"), "_input_form contradict"),
        (within("_input_form", "levels"), "_modality_tables contradict"),
        (within("_input_form", "dataset"), "_modality_tables contradict"),
        (within("_input_form", "flat"), "_modality_tables contradict"),
        (within("_modality_tables", []), "_modality_tables is not"),
        (tables("kind", "none"), "_modality_tables is not"),
        (tables("kind", "vector"), "_modality_tables contradict"),
        (tables("kind", "xarray"), "_modality_tables contradict"),
        (tables("dims", ["a", "b", "b"]), "_modality_tables contradict"),
        (
            within("modality_feature_names_in_", {"$": "dict", "keys": ["x"], "values": [None]}),
            "modality_feature_names_in_ is not",
        ),
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
        document["attributes"]["_metadata_request"] = requests

    with pytest.raises(ValueError, match=r"/model cannot be loaded: .*nothing"):
        load(*changed_by(edit, *saved("expert")))


def test_an_order_of_fewer_samples_is_drawn_anew(saved, load, pair):
    def edit(document, arrays):
        name = "_checkpoint.order"
        arrays[name] = arrays[name][arrays[name] < 20]

    est = load(*changed_by(edit, *saved("expert"))).fit(pair)
    assert sorted(est._checkpoint["order"]) == list(range(72))


def test_the_table_is_that_of_a_checkpoint():
    assert list(CHECKPOINT) == [field.name for field in fields(Checkpoint)]


@pytest.mark.parametrize(
    "change", [np.zeros_like, lambda a: a[:-1], lambda a: a + 0.5, lambda a: a[None]]
)
def test_places_of_columns_are_an_order(quick, pair, tmp_path, change):
    frames = {name: pd.DataFrame(X.reshape(72, -1)) for name, X in zip("ab", pair, strict=True)}
    path = tmp_path / "model"
    quick(max_iter=1).fit(pd.concat(frames, axis=1)).save(path)
    document, arrays = read_file(path)
    arrays["_modality_tables.0.labels.places"] = change(arrays["_modality_tables.0.labels.places"])
    write_file(path, document, arrays)
    with pytest.raises(ValueError, match=r"cannot be loaded: "):
        CausalPIMA.load(path)
