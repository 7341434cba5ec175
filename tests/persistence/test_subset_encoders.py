"""The encoders of incomplete samples in files: checked like the model, of which they are copies."""

from copy import deepcopy

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from resigned_files import ARRAY_CHANGES, NAN, read_file, write_file
from some_slow import each_once
from torch import nn

from skcausalpima import CausalPIMA, MissingValues


class Normed(nn.Module):
    """An encoder of images with batch normalization."""

    def __init__(self, width=6):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(6, width), nn.BatchNorm1d(width), nn.Linear(width, 4))

    def forward(self, x):
        return self.layers(x.flatten(1))


@pytest.fixture(scope="module")
def save(taught, pair, tmp_path_factory):
    """Return document and arrays of a file of a small fit, and the estimator."""

    def fit_and_save(X=pair, **options):
        est = taught(max_iter=1, **options).fit(X)
        path = tmp_path_factory.mktemp("saved") / "model"
        est.save(path)
        return (*read_file(path), est)

    return fit_and_save


@pytest.fixture(scope="module")
def saved(save):
    return save(encoders=["conv_paper", None], warm_start=True)


@pytest.fixture(scope="module")
def singles(save, pair):
    """A file of a fit in single precision."""
    return save([array.astype(np.float32) for array in pair])


@pytest.fixture
def refused(tmp_path):
    """Write a file with a checksum that is right, and see it refused."""

    def write_and_load(document, arrays, match, **code):
        write_file(tmp_path / "model", document, arrays)
        with pytest.raises(ValueError, match=match):
            CausalPIMA.load(tmp_path / "model", **code)

    return write_and_load


def entries(document):
    """Return names and values of the mapping, in plain form."""
    plain = document["fit"]["subset_numbers"]
    return plain["keys"], plain["values"]


def test_the_encoders_are_stored_and_loaded(saved, pair, tmp_path):
    document, arrays, est = saved
    write_file(tmp_path / "model", document, arrays)
    loaded = CausalPIMA.load(tmp_path / "model")
    assert list(loaded._fitted.subset_numbers) == list(est._fitted.subset_numbers)
    assert {".".join(name.split(".")[:2]) for name in est._fitted.subset_numbers} == {
        "encoders.0",
        "encoders.1",
        "information_roots",
        "log_exponents",
        "offsets",
        "slopes",
        "widening",
    }
    for X in ([pair[0], None], [None, pair[1]]):
        assert_array_equal(loaded.predict_proba(X), est.predict_proba(X))
        assert_array_equal(loaded.score_samples(X), est.score_samples(X))


@pytest.mark.parametrize(
    ("change", "name"),
    each_once(
        ["removed", "first entry", "twice", "further axis", "float64"],
        ["encoders.1.network.0.weight", "encoders.1.linear.weight"],
    ),
)
def test_numbers_of_other_shapes_and_types(singles, refused, name, change):
    document, arrays, _ = singles
    name = f"subset_numbers.{name}"
    changed = ARRAY_CHANGES[change](arrays[name])
    arrays = {n: a for n, a in arrays.items() if n != name}
    if changed is not None:
        arrays[name] = np.array(changed, order="C")
    refused(document, arrays, "no tensor" if changed is None else "subset_numbers")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_numbers_that_are_not_finite(saved, refused, value):
    document, arrays, _ = saved
    name = "subset_numbers.encoders.1.network.0.bias"
    changed = arrays | {name: np.full_like(arrays[name], value)}
    match = r"subset_numbers: network.0.bias of encoders\['modality1'\] holds NaN or infinity"
    refused(document, changed, match)


def test_an_entry_of_another_name(saved, refused):
    document, arrays, _ = saved
    names, _ = entries(document)
    k = names.index("encoders.1.linear.weight")
    names[k] = "encoders.2.linear.weight"
    refused(document, arrays, "subset_numbers")
    names[k] = "prior.means"
    refused(document, arrays, "subset_numbers")
    names[k] = "encoders.1.linear.weight"


def test_an_entry_too_few_and_one_too_many(saved, refused):
    document, arrays, _ = saved
    names, values = entries(document)
    name, value = names.pop(), values.pop()
    fewer = {n: a for n, a in arrays.items() if n != f"subset_numbers.{name}"}
    refused(document, fewer, "subset_numbers")
    names += [name, "more"]
    values += [value, {"$": "array", "name": "subset_numbers.more"}]
    more = arrays | {"subset_numbers.more": np.zeros(2)}
    refused(document, more, "subset_numbers")
    del names[-1], values[-1]


@pytest.mark.parametrize("value", [3, [], "x", True, NAN, {"$": "dict", "keys": [], "values": []}])
def test_what_is_no_mapping_of_numbers(saved, refused, value):
    document, arrays, _ = saved
    others = {n: a for n, a in arrays.items() if not n.startswith("subset_numbers")}
    changed = document | {"fit": document["fit"] | {"subset_numbers": value}}
    refused(changed, others, "subset_numbers")


def test_they_may_be_left_out(saved, pair, tmp_path):
    document, arrays, _ = saved
    others = {n: a for n, a in arrays.items() if not n.startswith("subset_numbers")}
    none = document | {"fit": document["fit"] | {"subset_numbers": None}}
    write_file(tmp_path / "model", none, others)
    loaded = CausalPIMA.load(tmp_path / "model")
    assert np.isfinite(loaded.predict_proba([pair[0], None])).all()


@pytest.mark.slow
def test_a_single_modality_has_none(save, pair, refused):
    document, arrays, est = save(pair[1])
    assert list(est._fitted.subset_numbers) == ["information_roots"]
    names, values = entries(document)
    assert names == ["information_roots"]
    names.append("encoders.0.linear.weight")
    values.append({"$": "array", "name": "subset_numbers.more"})
    more = arrays["numbers.encoders.0.linear.weight"]
    refused(document, arrays | {"subset_numbers.more": more}, "subset_numbers")


def test_a_mean_field_has_none(save, pair, tmp_path, refused):
    document, arrays, est = save(posterior="mean_field")
    assert est._fitted.subset_numbers is None
    write_file(tmp_path / "model", document, arrays)
    loaded = CausalPIMA.load(tmp_path / "model")
    for X in (pair, [pair[0], None]):
        assert_array_equal(loaded.predict_proba(X), est.predict_proba(X))
        assert_array_equal(loaded.score_samples(X), est.score_samples(X))
    empty = document["fit"] | {"subset_numbers": {"$": "dict", "keys": [], "values": []}}
    refused(document | {"fit": empty}, arrays, "subset_numbers")


@pytest.mark.parametrize("change", ["removed", "first entry", "float32"])
def test_how_sharp_potentials_are_is_checked(saved, refused, change):
    document, arrays, _ = saved
    for state in ("numbers", "subset_numbers"):
        name = f"{state}.information_roots"
        changed = ARRAY_CHANGES[change](arrays[name])
        others = {n: a for n, a in arrays.items() if n != name}
        if changed is not None:
            others[name] = np.array(changed, order="C")
        refused(document, others, "no tensor" if changed is None else "information_roots was")
    infinite = arrays | {name: np.full_like(arrays[name], np.inf)}
    refused(document, infinite, "subset_numbers: information_roots holds NaN or infinity")


@pytest.mark.slow
def test_encoders_of_the_users_own(save, pair, tmp_path, refused):
    code = {"encoders": [Normed(), None]}
    document, arrays, est = save(**code)
    write_file(tmp_path / "model", document, arrays)
    loaded = CausalPIMA.load(tmp_path / "model", **code)
    X = [pair[0], None]
    assert_array_equal(loaded.predict_proba(X), est.predict_proba(X))
    counts = "subset_numbers.encoders.0.layers.1.num_batches_tracked"
    refused(document, arrays | {counts: arrays[counts].astype(np.int32)}, "subset_numbers", **code)
    weight = "subset_numbers.encoders.0.layers.0.weight"
    refused(document, arrays | {weight: arrays[weight][:-1].copy()}, "subset_numbers", **code)
    # What a module of the user's may hold is the user's to say.
    variance = "subset_numbers.encoders.0.layers.1.running_var"
    write_file(tmp_path / "model", document, arrays | {variance: arrays[variance] + np.inf})
    CausalPIMA.load(tmp_path / "model", **code)


@pytest.mark.slow
def test_encoders_of_the_users_own_that_are_others(save, refused):
    document, arrays, _ = save(encoders=[Normed(), None])
    match = r"layers.0.weight of encoders\['modality0'\] was .* but this model has"
    refused(document, arrays, match, encoders=[Normed(width=5), None])


def test_none_are_saved_where_none_are_taught(save):
    document, _, est = save(missing_values=MissingValues(subset_epochs=0))
    assert est._fitted.subset_numbers is None
    assert document["fit"]["subset_numbers"] is None


def test_encoders_that_are_not_finite_are_not_saved(fitted_and_taught, tmp_path):
    est = deepcopy(fitted_and_taught)
    est._fitted.subset_numbers["encoders.0.linear.weight"][0] = np.nan
    match = r"cannot be saved: subset_numbers: linear.weight of encoders\['modality0'\] holds NaN"
    with pytest.raises(ValueError, match=match):
        est.save(tmp_path / "model")
