"""The tables of forms: one more entry is all that one more form takes."""

import numpy as np
import pandas as pd
import pytest
from gate import Gate, read
from numpy.testing import assert_array_equal
from scipy import sparse

from skcausalpima import MultimodalData
from skcausalpima._data import adapters, containers, several
from skcausalpima._data.adapters import ADAPTERS, Adapter, Table, adapter_of, as_points
from skcausalpima._data.containers import CONTAINERS, Container

TABLE = np.arange(6.0).reshape(3, 2)


class Spectra:
    """An array of another library, which NumPy cannot read."""

    def __init__(self, counts, unit):
        self.counts, self.unit = counts, unit


class Bag:
    """A container of another library."""

    def __init__(self, **parts):
        self.parts = parts

    def __getitem__(self, name):
        return self.parts[name]


@pytest.fixture
def more_forms(monkeypatch):
    spectra = Adapter(
        words="Spectra",
        recognize=lambda value: isinstance(value, Spectra),
        read=lambda value, what: value.counts,
        note=lambda value: {"labels": {"unit": np.array([value.unit])}},
        write=lambda array, table: Spectra(array, table.labels["unit"][0]),
    )
    bag = Container(
        words="a Bag",
        recognize=lambda X: isinstance(X, Bag),
        read=lambda X: X.parts,
        write=lambda named, form: Bag(**named),
        entries=lambda X: list(X.parts),
        without=lambda X, names: Bag(**{n: X.parts[n] for n in X.parts if n not in names}),
        beside=lambda made, labels: Bag(**made.parts, **labels),
    )
    monkeypatch.setattr(adapters, "ADAPTERS", {"spectra": spectra, **ADAPTERS})
    for module in (containers, several):
        monkeypatch.setattr(module, "CONTAINERS", {"bag": bag, **CONTAINERS})


def test_another_form_is_one_entry(pair, more_forms):
    X = Bag(image=pair[0], curve=Spectra(pair[1], "nm"))
    gate = Gate().fit(X)
    for back in (gate.written(X), gate.written()):
        assert isinstance(back, Bag)
        assert_array_equal(back.parts["image"], pair[0])
        assert back.parts["curve"].unit == "nm"
        assert_array_equal(back.parts["curve"].counts, pair[1])
    assert isinstance(Gate().fit(X.parts["curve"]).written(), Spectra)
    assert isinstance(MultimodalData({"curve": Spectra(pair[1], "nm")})["curve"], np.ndarray)


@pytest.mark.slow
def test_labels_of_contexts_are_entries_of_another_form(quick, pair, more_forms):
    site = np.array(["A", "B"])[np.arange(len(pair[0])) % 2]
    X = Bag(image=pair[0], curve=pair[1], site=site)
    moved = quick(contexts="site", max_iter=1).fit(X).harmonize(X, to={"site": "A"})
    assert isinstance(moved, Bag)
    assert list(moved.parts) == ["image", "curve", "site"]
    assert set(moved["site"]) == {"A"}


def test_what_has_no_form_is_told_which_there_are(more_forms):
    with pytest.raises(TypeError, match=r"X is a object: expected a list .*, a Bag, or one .*Spec"):
        read(object())
    with pytest.raises(TypeError, match=r"modality 'a' is a object: expected a NumPy .*Spectra"):
        read({"a": object()})


@pytest.mark.parametrize(
    ("value", "kind", "columns"),
    [
        (TABLE, "array", None),
        (TABLE[:, 0], "vector", None),
        (TABLE.tolist(), "array", None),
        ([1.0, 2.0, 3.0], "vector", None),
        ([], "array", None),
        (sparse.csr_array(TABLE), "array", None),
        (pd.DataFrame(TABLE), "frame", None),
        (pd.DataFrame(TABLE, columns=["a", "b"]), "frame", ("a", "b")),
        (pd.Series([1.0, 2.0, 3.0]), "series", None),
        (pd.Series([1.0, 2.0, 3.0], name="v"), "series", ("v",)),
        (None, "array", None),
        (np.ndarray, "array", None),
    ],
)
def test_what_a_modality_was(value, kind, columns):
    table = Table.of(value)
    assert (table.kind, table.columns) == (kind, columns)
    assert Table.from_dict(table.as_dict()).kind == kind


def test_recipes_come_before_forms():
    """A library's container may have what NumPy asks for, and be no array of samples."""

    class Table:
        __module__ = "pyarrow.lib"

        def __array__(self, dtype=None, copy=None):
            raise AssertionError("must not be read")

    with pytest.raises(TypeError, match=r"X is a Table.*to_pandas\(\)"):
        adapter_of(Table(), "X")


def test_points_with_infinities_of_both_signs_are_refused():
    with pytest.raises(ValueError, match="table of finite numbers: Input X contains infinity"):
        as_points([[np.inf, -np.inf]], "X", 2)
