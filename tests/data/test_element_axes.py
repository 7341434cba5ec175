"""Where elements lie: what is read, what goes with the data, and what is refused."""

import numpy as np
import pandas as pd
import pytest
from gate import Gate, read
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from skcausalpima import ModalityTransformer, MultimodalData
from skcausalpima._data.element_axes import ElementAxis, words_of_elements
from skcausalpima._data.units import column_labels, column_names

SHIFT = np.array([1800.0, 1200.0, 1001.0, 700.0])
NAMED = ("shift / cm-1", SHIFT)
RNG = np.random.default_rng(0)
PARTS = {"image": RNG.normal(size=(6, 3, 2)), "raman": RNG.normal(size=(6, 4))}
ROWS = [("depth / mm", [0.0, 0.5, 1.0]), None]
#: What is said of an axis that is none, the axis, and the type of the error.
WRONG = {
    "short": (SHIFT[:3], ValueError, r"of modality 'raman' is to have 4 numbers, got shape \(3,\)"),
    "table": (SHIFT[:, None], ValueError, r"4 numbers, got shape \(4, 1\): pass one number for"),
    "nan": ([1, np.nan, 3, 4], ValueError, "got nan at position 1: give that element its number"),
    "infinite": ([1, 2, 3, -np.inf], ValueError, "finite numbers, got -inf at position 3"),
    "bent": (
        [1, 2, 5, 4],
        ValueError,
        "to rise or fall throughout, got 5 and then 4 at position 3",
    ),
    "bent down": ([4, 3, 3, 1], ValueError, "got 3 and then 3 at position 2: sort both"),
    "level": ([4, 4, 3, 1], ValueError, "got 4 and then 4 at position 1"),
    "words": (list("abcd"), TypeError, "has the dtype <U1: expected numbers along one axis"),
    "booleans": ([True, False] * 2, TypeError, "has the dtype bool"),
    "ragged": ([[1, 2], [3]], TypeError, r"is a list.*: expected numbers along one axis"),
    "nothing": (None, TypeError, "has the dtype object: expected numbers"),
    "a name alone": ("shift / cm-1", TypeError, "expected numbers along one axis, or a name and"),
    "times": (
        np.arange(4).astype("datetime64[s]"),
        TypeError,
        r"datetime64\[s\].* of times the seconds since the first",
    ),
}


def stated(**axes):
    """Return samples of two modalities with axes."""
    return MultimodalData(PARTS, axes=axes)


@pytest.mark.parametrize(("axis", "error", "words"), WRONG.values(), ids=WRONG)
def test_an_axis_that_is_none(axis, error, words):
    with pytest.raises(error, match=words):
        stated(raman=axis)
    if axis is not None and not isinstance(axis, str):
        with pytest.raises(error, match=words):
            stated(raman=("shift / cm-1", axis))


@pytest.mark.parametrize(
    ("axes", "error", "words"),
    [
        ([NAMED], TypeError, r"axes is a list.*such as \{'raman': \('shift / cm-1', shift\)\}"),
        ({"nmr": NAMED}, ValueError, r"modality 'nmr', but there are \['image', 'raman'\]: name"),
        ({"image": SHIFT}, ValueError, r"as if there were one.*\(3, 2\): pass a list of 2 entries"),
        ({"image": [ROWS[0]]}, ValueError, "pass a list of 2 entries, each a name and numbers"),
        ({"image": [ROWS[0], [1, 2, 3]]}, ValueError, r"\(entry 1\) is to have 2 numbers, got"),
        ({"image": [[0, 2, 1], None]}, ValueError, "'image' is to rise or fall throughout"),
    ],
)
def test_axes_of_other_data(axes, error, words):
    with pytest.raises(error, match=words):
        MultimodalData(PARTS, axes=axes)


def test_a_modality_that_is_missing_has_no_axis():
    with pytest.raises(ValueError, match="'b', which is None, so nothing says what lies along"):
        MultimodalData({"a": SHIFT, "b": None}, axes={"b": SHIFT})


def test_axes_go_with_what_is_chosen_of_the_data():
    X = stated(raman=NAMED, image=ROWS)
    name, values = X[np.array([0, 2])][:, ["raman"]].axes["raman"]
    assert name == "shift / cm-1"
    assert values.tolist() == SHIFT.tolist()
    assert X[1].axes["image"][0][1].tolist() == [0, 0.5, 1]
    assert X[1].axes["image"][1] is None
    train, test = train_test_split(X, random_state=0)
    assert train.axes["raman"][0] == test.axes["raman"][0] == "shift / cm-1"
    together = MultimodalData.concatenate([train, MultimodalData(PARTS), test])
    assert together.axes["raman"][1].tolist() == SHIFT.tolist()
    assert "along shift / cm-1" in repr(X)
    assert MultimodalData(PARTS).axes == {"image": None, "raman": None}
    with pytest.raises(ValueError, match="modality 'raman' has another axis in some parts"):
        MultimodalData.concatenate([X, stated(raman=SHIFT + 5)])


def test_frames_say_their_axis_by_names_that_are_numbers():
    frame = pd.DataFrame(PARTS["raman"], columns=pd.Index(SHIFT, name="shift /\n cm-1"))
    assert MultimodalData([frame]).axes["modality0"][0] == "shift / cm-1"
    levels = pd.concat({"raman": frame}, axis=1, names=["modality", "shift / cm-1"])
    gate = Gate().fit(levels)
    assert gate.modality_axes_in_["raman"][0] == "shift / cm-1"
    texts = frame.rename(columns=str)
    assert Gate().fit({"a": texts}).modality_axes_in_["a"][1].tolist() == SHIFT.tolist()
    many = [f"{k / 2:.1f}" for k in range(40)]
    wide = pd.DataFrame(RNG.normal(size=(6, 40)), columns=many)
    unnamed = read(wide)
    assert unnamed.form.tables[0].axes[0].values[3] == 1.5
    assert list(column_names(unnamed, 0)) == many  # as the frame has them
    assert MultimodalData([wide.set_axis(range(40), axis=1)]).axes == {"modality0": None}
    assert MultimodalData([frame.rename_axis(columns=None)]).axes == {"modality0": None}  # bars
    for columns in (list("abcd"), [1, 3, 2, 4], [1, 2, 3, np.nan]):
        other = frame.set_axis(pd.Index(columns, name="gene"), axis=1)
        assert MultimodalData([other]).axes == {"modality0": None}


def test_data_arrays_say_their_axes_by_coordinates():
    xr = pytest.importorskip("xarray")
    coords = {
        "shift": ("shift", SHIFT, {"units": "cm-1", "long_name": "Raman shift"}),
        "sample": list("uvwxyz"),
    }
    raman = xr.DataArray(PARTS["raman"], dims=["sample", "shift"], coords=coords)
    image = xr.DataArray(
        PARTS["image"], dims=["sample", "y", "x"], coords={"y": [3, 2, 1], "x": ["a", "b"]}
    )
    (alone,) = Gate().fit(raman).modality_axes_in_.values()
    assert alone[0] == "Raman shift / cm-1"
    gate = Gate().fit(xr.Dataset({"image": image, "raman": raman}))
    assert gate.modality_axes_in_["image"][0][0] == "y"
    assert gate.modality_axes_in_["image"][1] is None
    assert gate.modality_axes_in_["raman"][1].tolist() == SHIFT.tolist()


def test_later_samples_have_the_axes_of_fit():
    gate = Gate().fit(stated(raman=NAMED, image=ROWS))
    assert gate.written(MultimodalData(PARTS)).axes["raman"][0] == "shift / cm-1"
    assert gate.written().axes["image"][0][0] == "depth / mm"
    assert "raman" in gate.written(PARTS)  # a mapping has no place for axes
    gate.read(stated(raman=(NAMED[0], SHIFT.astype(np.float32) + 0.01)))  # rounded
    with pytest.raises(ValueError, match=r"'705 cm-1' at position 3, where fit had '700 cm-1'"):
        gate.read(stated(raman=("shift / cm-1", SHIFT + 5 * (SHIFT == 700))))
    with pytest.raises(ValueError, match=r"modality 'image' has another axis than in fit"):
        gate.read(stated(image=[[1, 2, 3], None]))
    gate.read(MultimodalData({"image": None, "raman": PARTS["raman"]}))


@pytest.mark.parametrize(
    ("transformer", "is_kept"),
    [
        (StandardScaler(), True),
        ("passthrough", True),
        (FunctionTransformer(np.tanh), True),
        (FunctionTransformer(lambda X: X[:, :3]), False),
        (PCA(4), False),
    ],
)
def test_transformers_keep_the_axis_of_the_same_elements(transformer, is_kept):
    X = stated(raman=NAMED)
    prep = ModalityTransformer({"raman": transformer}).fit(X)
    assert (prep.transform(X).axes["raman"] is not None) == is_kept
    if hasattr(transformer, "inverse_transform") and not isinstance(
        transformer, FunctionTransformer
    ):
        assert prep.inverse_transform(prep.transform(X)).axes["raman"][0] == "shift / cm-1"


class Asked(Gate):
    """An estimator that scores its samples alike."""

    def score(self, X, y=None):
        """Return whether the samples have the axis of fit."""
        return float(X.axes["raman"][0] == self.modality_axes_in_["raman"][0])


def test_searches_and_clones_pass_axes_on():
    search = GridSearchCV(Asked(), {"likelihoods": ["auto", "gaussian"]}, cv=3)
    search.fit(stated(raman=NAMED))
    assert search.best_score_ == 1.0
    assert search.best_estimator_.modality_axes_in_["raman"][0] == "shift / cm-1"
    assert not hasattr(clone(search.best_estimator_), "modality_axes_in_")


def test_columns_are_called_by_where_they_lie():
    """Warnings and the goodness of fit name them so."""
    frame = pd.DataFrame(PARTS["raman"], columns=list("abcd"))
    samples = read(MultimodalData({"a": frame, "b": frame}, axes={"b": NAMED}))
    assert list(column_names(samples, 0)) == list("abcd")
    assert column_labels(samples, 1, np.array([3, 0])) == ["700 cm-1", "1800 cm-1"]
    assert column_names(read(PARTS), 0) is None


def test_positions_in_words():
    close = ElementAxis(name="", values=np.array([100000.1, 100000.2]))
    assert close.positions == ["100000.1", "100000.2"]
    speed = ElementAxis(name="speed / m s-1", values=np.array([-1.5, 0.0]))
    assert speed.positions == ["-1.5 m s-1", "0 m s-1"]
    assert words_of_elements((speed, close), (2, 2))[2] == "0 m s-1,100000.1"
    assert words_of_elements((speed,), (3,)) is None
    assert words_of_elements((), (2,)) is None
