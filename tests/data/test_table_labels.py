"""Names of rows and columns of frames: the same rows together, the columns of ``fit``."""

import re
import warnings

import numpy as np
import pandas as pd
import pytest
from gate import Gate, read
from numpy.testing import assert_array_equal

from skcausalpima import ModalityTransformer, MultimodalData
from skcausalpima._data.several import check_rows_with

ROWS = [f"s{row}" for row in range(12)]
RNG = np.random.default_rng(0)
IMAGE = RNG.normal(size=(12, 3, 2))
ONE = pd.DataFrame(IMAGE.reshape(12, 6), ROWS, [f"a{k}" for k in range(6)])
TWO = pd.DataFrame(RNG.normal(size=(12, 4)), ROWS, [f"b{k}" for k in range(4)])
SWAPPED = TWO[["b1", "b0", "b2", "b3"]]
MAKE = {
    "list": list,
    "mapping": lambda parts: dict(zip("ab", parts, strict=True)),
    "container": MultimodalData,
    "levels": lambda parts: pd.concat(dict(zip("ab", parts, strict=True)), axis=1),
}


def assert_read_alike(gate, X):
    """Without a warning, as what was fitted."""
    with warnings.catch_warnings(action="error"):
        arrays = gate.read(X).arrays
    for array, other in zip(arrays, gate.modalities_.arrays, strict=True):
        assert_array_equal(array, other)


# Columns ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", MAKE)
def test_columns_are_those_of_fit_in_their_order(form):
    gate, make = Gate().fit(MAKE[form]([ONE, TWO])), MAKE[form]
    with pytest.raises(ValueError, match=r"its columns in another order than in fit.*'b0'"):
        gate.read(make([ONE, SWAPPED]))
    with pytest.raises(ValueError, match=r"\['x'\].*lacks \['b2'\]"):
        gate.read(make([ONE, TWO.rename(columns={"b2": "x"})]))
    assert_read_alike(gate, make([ONE, TWO]))


def run_line(error, model, frame):
    """Run the line of code that an error on the order of columns has, for that frame."""
    line = re.search(r"(frame|X)\[.*\]", str(error.value))[0]
    return eval(line, {"frame": frame, "X": frame, "model": model})


NUMBERED = TWO.set_axis(range(4), axis=1)


@pytest.mark.parametrize(
    ("make", "fitted", "given", "match"),
    [
        (lambda frame: frame, TWO, TWO.iloc[:, ::-1], r"X\[model.feature_names_in_\]"),
        (
            lambda frame: frame,
            TWO,
            SWAPPED.assign(extra=0.0),
            r"(?s)The feature names should match those that were passed during fit"
            r".*in their order: X\[model.feature_names_in_\]",
        ),
        (lambda frame: [IMAGE, frame], TWO, SWAPPED, r"frame\[model.modality_feature_n"),
        (lambda frame: {"i": IMAGE, "t": frame}, TWO, SWAPPED, r"frame\[model.modality_feature_n"),
        (
            lambda frame: [IMAGE, frame],
            NUMBERED,
            NUMBERED[[2, 1, 0, 3]],
            r"frame\[list\(range\(4\)\)\]",
        ),
    ],
)
def test_the_line_of_code_puts_columns_in_order(make, fitted, given, match):
    gate = Gate().fit(make(fitted))
    with pytest.raises(ValueError, match=match) as error:
        gate.read(make(given))
    assert_read_alike(gate, make(run_line(error, gate, given)))


def test_columns_that_are_lacking():
    """No line of code brings them back."""
    with pytest.raises(ValueError, match=r"(?s)now missing:.*- b3") as error:
        Gate().fit(TWO).read(TWO[["b0", "b1", "b2"]])
    assert "feature_names_in_]" not in str(error.value)


def test_columns_are_kept_by_the_container():
    data = MultimodalData([ONE, TWO], ["a", "b"])
    gate = Gate().fit(data)
    swapped = MultimodalData([ONE.iloc[:, ::-1], TWO], ["a", "b"])
    for part in (
        swapped[:5],
        swapped[3],
        swapped[[1, 2]],
        swapped[:, ["b", "a"]],
        swapped[np.arange(12) < 9, :],
        MultimodalData.concatenate([swapped[:5], swapped[5:]]),
    ):
        with pytest.raises(ValueError, match="modality 'a' has its columns in another order"):
            gate.read(part)
    with pytest.raises(ValueError, match=r"modality 'a'.*other columns"):
        MultimodalData.concatenate([data, swapped])
    assert_read_alike(gate, MultimodalData.concatenate([data[:3], data[3:]]))
    with warnings.catch_warnings(action="error"):
        assert gate.read(data[:, ["b", "a"]][2:4]).n_samples == 2
        assert gate.read({"b": None, "a": ONE}).arrays[1] is None


@pytest.mark.parametrize("make", [lambda frame: [IMAGE, frame], lambda frame: frame])
def test_columns_without_names_are_numbered(make):
    gate = Gate().fit(make(NUMBERED))
    with pytest.raises(ValueError, match="another order"):
        gate.read(make(NUMBERED[[1, 0, 2, 3]]))
    assert_read_alike(gate, make(NUMBERED))
    assert_read_alike(gate, make(NUMBERED.to_numpy()))


def test_arrays_in_place_of_frames_warn():
    with pytest.warns(UserWarning, match="'modality0' has no names of columns, but in fit"):
        Gate().fit([ONE, TWO]).read([ONE.to_numpy(), TWO])
    arrays = [ONE.to_numpy(), TWO.to_numpy()]
    with pytest.warns(UserWarning, match="'modality1' has names of columns, but in fit"):
        Gate().fit(arrays).read([arrays[0], TWO])
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        Gate().fit(TWO).read(arrays[1])


def test_one_frame_and_a_container_of_one():
    alone, contained = Gate().fit(TWO), Gate().fit(MultimodalData([TWO]))
    with pytest.raises(ValueError, match="another order"):
        alone.read(MultimodalData([SWAPPED]))
    assert_read_alike(contained, TWO)
    with pytest.raises(ValueError, match="order"):
        contained.read(SWAPPED)


def test_columns_are_forgotten_by_the_next_fit():
    gate = Gate().fit([ONE, TWO]).fit([IMAGE, TWO.to_numpy()])
    assert_read_alike(gate, [IMAGE, TWO.to_numpy()])
    assert gate.modality_feature_names_in_ == {"modality0": None, "modality1": None}


def test_columns_of_a_transformer():
    model = ModalityTransformer({"a": "passthrough"}).fit({"a": ONE, "b": TWO})
    with pytest.raises(ValueError, match="another order"):
        model.transform({"a": ONE, "b": SWAPPED})


@pytest.mark.parametrize(
    "make",
    [
        lambda both: read([both, ONE]),
        lambda both: MultimodalData({"a": both}),
        lambda both: MultimodalData.from_flat(both, [(6,), (4,)]),
    ],
)
def test_two_levels_of_columns_are_modalities_and_no_modality(make):
    both = MAKE["levels"]([ONE, TWO])
    with pytest.raises(ValueError, match=r"2 levels of columns.*MultimodalData.from_frame"):
        make(both)
    gate = Gate().fit(both)
    assert_read_alike(gate, MultimodalData.from_frame(both))
    other = both.loc[:, [*both.columns[::-1][:4], *both.columns[:6]]]
    for later in (other, MultimodalData.from_frame(other)):
        with pytest.raises(ValueError, match="modality 'b' has its columns in another order"):
            gate.read(later)


# Rows -------------------------------------------------------------------------------------------

SHUFFLED = TWO.sample(frac=1, random_state=0)


@pytest.mark.parametrize(
    "call",
    [
        lambda: read([ONE, SHUFFLED]),
        lambda: Gate().fit([ONE, TWO]).read([ONE, SHUFFLED]),
        lambda: read({"a": ONE, "b": SHUFFLED}),
        lambda: MultimodalData([ONE, np.ones((12, 2)), SHUFFLED]),
    ],
)
def test_rows_of_frames_are_in_one_order(call):
    with pytest.raises(ValueError, match=r"rows .* in another order.*\.loc\["):
        call()


def test_rows_of_frames_are_the_same_rows():
    with pytest.raises(ValueError, match=r"other rows.*'t0'.*reset_index\(drop=True\)"):
        MultimodalData([ONE, TWO.rename(index={"s0": "t0"})])


TWICE = TWO.rename(index={"s5": "s4"})


@pytest.mark.parametrize(
    ("frames", "match"),
    [
        ([ONE, TWO[:9]], r"'b' lacks rows of 'a', such as 's9', and is shorter by 3 rows: .*align"),
        ([ONE[1:], TWO], r"'b' has other rows than 'a', such as 's0', and is longer by 1 row: "),
        ([ONE[1:], TWO[:-1]], r"'b' has other rows than 'a', such as 's0': .*align.*reset_index"),
        ([ONE[:5], TWO[5:]], r"'b' has other rows than 'a', such as 's5', and is longer by 2 rows"),
        ([ONE, TWICE], "sample 's4' stands more than once in modality 'b'"),
        ([TWICE, ONE], "sample 's4' stands more than once in 'a'"),
        ([TWICE, TWICE[::-1]], "sample 's4' stands more than once in modality 'b'"),
        ([ONE.set_axis(range(12)), TWO[:9].set_axis(range(9))], "'b' lacks .*numbers, not names"),
    ],
)
@pytest.mark.parametrize("use", [read, MultimodalData])
def test_what_is_to_be_done_about_unlike_rows(frames, match, use):
    with pytest.raises(ValueError, match=match):
        use(dict(zip("ab", frames, strict=True)))


def test_a_sample_may_stand_twice_in_all_frames_alike():
    assert len(MultimodalData([TWICE, TWICE])) == 12


@pytest.mark.parametrize(
    "X",
    [
        [ONE.reset_index(drop=True), TWO.set_axis(range(12), axis=0)],
        [ONE, ONE.to_numpy(), TWO],
        [ONE, TWO.to_numpy()],
    ],
)
def test_rows_that_agree(X):
    assert read(X).n_samples == len(MultimodalData(X)) == 12


KNOWN = pd.DataFrame({"N1": np.repeat([0, 1], 6)}, ROWS)
TURNED = KNOWN[::-1]


@pytest.mark.parametrize(
    ("X", "given", "match"),
    [
        ([ONE, TWO], {"known_nodes": TURNED}, r"^known.* rows of X in another .*loc\[X.index\]"),
        ({"a": ONE}, {"interventions": {"N1": TURNED["N1"]}}, r"^int.* rows of X in another .*"),
        (
            ONE,
            {"known_nodes": KNOWN.reset_index(drop=True)},
            r"known_nodes has other rows than X, such as 0: .* arrays",
        ),
        (ONE, {"known_nodes": KNOWN[:7]}, r"known_nodes lacks .*'s7', .* 5 rows: .*reindex\(X"),
        (MultimodalData([ONE]), {"known_nodes": TURNED}, "known_nodes has the rows of X in anoth"),
    ],
)
def test_what_is_known_of_samples_has_their_rows(X, given, match):
    with pytest.raises(ValueError, match=match):
        check_rows_with(X, **given)


@pytest.mark.parametrize("X", [ONE, [ONE.to_numpy(), TWO], [IMAGE, IMAGE]])
def test_rows_of_what_is_known_that_agree(X):
    assert check_rows_with(X, known_nodes=KNOWN, interventions=None) is None
