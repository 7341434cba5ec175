"""In which forms data may come, and that results come back as data came."""

import numpy as np
import pandas as pd
import pytest
import torch
from gate import Gate, read
from numpy.testing import assert_array_equal
from pandas.testing import assert_frame_equal
from scipy import sparse

from skcausalpima import MultimodalData
from skcausalpima._data.validation import fitted_form

ROWS = [f"s{row}" for row in range(12)]
RNG = np.random.default_rng(0)
IMAGE, CURVE = RNG.normal(size=(12, 3, 2)), RNG.normal(size=(12, 4))
FRAMES = {
    "image": pd.DataFrame(IMAGE.reshape(12, 6), ROWS, list("uvwxyz")),
    "curve": pd.DataFrame(CURVE, ROWS, list("abcd")),
}
LEVELS = pd.concat(FRAMES, axis=1)
TURNS = LEVELS.iloc[:, np.random.default_rng(0).permutation(10)]
VECTOR = pd.Series(CURVE[:, 0], ROWS, name="v")
FORMS = {
    "tables by name": FRAMES,
    "tables in a list": list(FRAMES.values()),
    "two levels": LEVELS,
    "named levels": LEVELS.rename_axis(columns=["modality", "element"]),
    "levels by turns": TURNS,
    "table": FRAMES["curve"],
    "wavelengths": FRAMES["curve"].set_axis([400.0, 401.5, 403.0, 404.5], axis=1),
    "column": VECTOR,
    "column by name": {"image": IMAGE, "speed": VECTOR},
}


def parts_of(X):
    """Return the modalities of a list, a mapping or one array by name."""
    if isinstance(X, (list, tuple)):
        return dict(enumerate(X))
    return X if isinstance(X, dict) else {"": X}


@pytest.mark.parametrize("form", FORMS)
def test_tables_come_back(form):
    X = FORMS[form]
    gate = Gate().fit(X)
    drawn = fitted_form(gate).write([array[:5] for array in gate.modalities_.arrays])
    for back, n, has_rows in ((gate.written(X), 12, True), (drawn, 5, False)):
        assert type(back) is type(X)
        for name, table in parts_of(X).items():
            found = parts_of(back)[name]
            if not hasattr(table, "iloc"):
                assert_array_equal(found, table[:n])
                continue
            expected = table[:n] if has_rows else table[:n].reset_index(drop=True)
            assert found.equals(expected)
            names = "name" if isinstance(table, pd.Series) else "columns"
            assert str(getattr(found, names)) == str(getattr(table, names))


def test_columns_of_two_levels_may_take_other_turns_later():
    of_image, of_curve = (list(TURNS.columns[TURNS.columns.get_loc(k)]) for k in FRAMES)
    other = TURNS[[c for k in zip(of_curve, of_image, strict=False) for c in k] + of_image[4:]]
    assert sorted(other) == sorted(TURNS)
    assert_frame_equal(Gate().fit(TURNS).written(other), other)


def test_a_container_comes_back_with_its_columns():
    X = MultimodalData(FRAMES)
    gate = Gate().fit(X)
    for back in (gate.written(X), gate.written()):
        assert back == X
        assert_array_equal(gate.read(back[:, ["curve", "image"]]).arrays[0], X["image"])
    with pytest.raises(ValueError, match="'curve' has its columns in another order"):
        gate.read({**FRAMES, "curve": FRAMES["curve"].iloc[:, ::-1]})


def test_a_flat_table_comes_back():
    flat = LEVELS.droplevel(0, axis=1)
    data = MultimodalData.from_flat(flat, [(6,), (4,)])
    gate = Gate().fit(data)
    for back in (gate.written(data), gate.written()):
        assert np.concatenate([*back._columns]).tolist() == flat.columns.tolist()
    with pytest.raises(
        ValueError, match=r"fitted on 2 .*from_flat\(X, shapes, names\) cuts a flat"
    ):
        gate.read(flat)


def test_the_form_is_that_of_what_the_method_was_given():
    gate, named = Gate().fit([IMAGE, CURVE]), {"modality0": IMAGE, "modality1": CURVE}
    for X in ([IMAGE, CURVE], named, MultimodalData(named)):
        assert type(gate.written(X)) is type(X)
    with pytest.warns(UserWarning, match="names of columns"):
        back = gate.written([IMAGE, FRAMES["curve"]])
    assert_frame_equal(back[1], FRAMES["curve"])


def test_a_missing_modality_comes_back_as_in_fit():
    form = Gate().fit(FRAMES).read({"image": FRAMES["image"], "curve": None}).form
    back = form.write([FRAMES["image"].to_numpy(), CURVE])
    assert_frame_equal(back["curve"], FRAMES["curve"])


@pytest.mark.parametrize("of", [np.asarray, list, torch.tensor, lambda column: VECTOR])
def test_numbers_along_one_axis_are_a_column(of):
    X = {"image": IMAGE, "speed": of(CURVE[:, 0])}
    gate = Gate().fit(X)
    assert gate.modality_shapes_in_ == [(3, 2), (1,)]
    assert_array_equal(gate.written(X)["speed"], CURVE[:, 0])


def test_a_series_alone_has_the_name_of_its_column():
    assert Gate().fit(VECTOR).feature_names_in_.tolist() == ["v"]


@pytest.mark.parametrize("kind", [sparse.csr_matrix, sparse.coo_array, sparse.dok_array])
def test_sparse_modalities_are_made_dense(kind):
    gate = Gate().fit([IMAGE, CURVE])
    for found in (read([IMAGE, kind(CURVE)]), gate.read([IMAGE, kind(CURVE)])):
        assert_array_equal(found.arrays[1], CURVE)


def test_data_arrays_come_back_and_have_their_axes():
    xarray = pytest.importorskip("xarray")
    image = xarray.DataArray(IMAGE, dims=("n", "y", "x"), coords={"n": ROWS})
    curve = xarray.DataArray(
        CURVE, dims=("n", "time"), coords={"n": ROWS, "time": [0.0, 0.5, 1.0, 1.5]}
    )
    data = xarray.Dataset({"image": image, "curve": curve})
    gate = Gate().fit(data)
    assert gate.written(data).equals(data)
    assert gate.written()["curve"].coords["time"].equals(curve.coords["time"])
    for X, match in [
        ([image, curve.transpose()], r"begins with the axis 'time'.*transpose\('n', ...\)"),
        ([image, curve.assign_coords(n=ROWS[::-1])], "other labels along 'n'"),
        ([image.transpose("n", "x", "y"), curve], r"axes .*transpose\('n', 'y', 'x'\)"),
        ([image, curve.assign_coords(time=[1.0, 2.0, 3.0, 4.0])], "labels along 'time' than in"),
    ]:
        with pytest.raises(ValueError, match=match):
            gate.read(X)
