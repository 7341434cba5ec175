"""Frames of unlike rows: which samples are kept, what columns stay, and what is no such frame."""

import numpy as np
import pandas as pd
import pytest
from gate import Gate
from numpy.testing import assert_array_equal
from pandas.testing import assert_frame_equal, assert_index_equal

from skcausalpima import MultimodalData
from skcausalpima.inspection import associate_nodes

RNG = np.random.default_rng(0)
align = MultimodalData.align


def numbers(labels, prefix="x", width=2):
    """Return a frame of random numbers, with a row for each label."""
    columns = [f"{prefix}{k}" for k in range(width)]
    return pd.DataFrame(RNG.normal(size=(len(labels), width)), list(labels), columns)


def of_all_kinds(labels):
    """Return a frame that has a column of every kind that is no number of dtype float."""
    n = len(labels)
    sizes = pd.Categorical(["small", "large"] * (n // 2), ["small", "middle", "large"], True)
    return pd.DataFrame(
        {
            "word": ["oak", "elm", "ash"] * (n // 3),
            "object": pd.Series(["u", "v"] * (n // 2), dtype=object).to_numpy(),
            "kind": pd.Categorical([3, 1] * (n // 2)),
            "size": sizes,
            "is_wet": [True, False] * (n // 2),
            "is_known": pd.array([True, None] + [False] * (n - 2), dtype="boolean"),
            "count": np.arange(n) % 5,
            "nullable": pd.array([1, None] + [2, 7] * (n // 2 - 1), dtype="Int64"),
            "mass": np.linspace(0, 1, n, dtype=np.float32),
        },
        index=labels,
    )


ONE, TWO = numbers("abcd"), numbers("dcxa", "y", 3)


# Which samples ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("how", "samples"), [("inner", "acd"), ("outer", "abcdx")])
def test_samples_and_their_order(how, samples):
    X = align({"one": ONE, "two": TWO}, how=how)
    assert "".join(X.index) == samples
    for name, frame in (("one", ONE), ("two", TWO)):
        assert_array_equal(X[name], frame.reindex(list(samples)))
    assert_array_equal(X.observed, [[s in "abcd", s in "dcxa"] for s in samples])


def test_inner_is_the_default_and_a_series_is_one_column():
    X = align({"one": ONE, "two": TWO["y1"]})
    assert_array_equal(X["two"][:, 0], TWO["y1"][["a", "c", "d"]])


def test_three_frames_of_which_two_have_no_sample_in_common():
    frames = {"a": numbers("pq"), "b": numbers("qr"), "c": numbers("rs")}
    assert "".join(align(frames, how="outer").index) == "pqrs"
    with pytest.raises(ValueError, match="'a' and 'c' have no sample in common"):
        align(frames)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ([3, 1, 2], [2.0, 3.0, 4.0]),
        (pd.date_range("2024-01-01", periods=3), pd.date_range("2024-01-02", periods=3)),
        (pd.CategoricalIndex(list("abc")), list("bcd")),
        (pd.Index([1, "1", 2], dtype=object), [1, 2, 5]),
    ],
)
def test_names_of_samples_of_any_kind(first, second):
    one, two = pd.DataFrame({"u": [1.0, 2, 3]}, first), pd.DataFrame({"v": [4.0, 5, 6]}, second)
    assert len(align({"one": one, "two": two})) == 2
    X = align({"one": one, "two": two}, how="outer")
    assert len(X) == 4
    assert_array_equal(X.to_flat(), pd.concat([one, two], axis=1).loc[X.index])


@pytest.mark.parametrize("how", ["inner", "outer"])
def test_nothing_is_written_to_the_frames(how):
    frames = {"one": ONE.copy(), "two": TWO.copy(), "same": ONE.copy()}
    X = align(frames, how=how)
    for array in X.arrays:
        array[:] = 7.0
    for frame, before in zip(frames.values(), (ONE, TWO, ONE), strict=True):
        assert_frame_equal(frame, before)


# What stays -------------------------------------------------------------------------------------


def test_columns_are_read_as_those_of_the_whole_frame():
    """Words, categories in their order, booleans and counts, with rows missing and without."""
    rows = [f"s{k}" for k in range(12)]
    table, extra = of_all_kinds(rows), [f"t{k}" for k in range(5)]
    curve = numbers([*extra, *rows[::-1]])
    words = {"table": {"count": "poisson", "nullable": "negative_binomial"}}
    X = align({"table": table, "curve": curve}, how="outer")
    aligned, whole = Gate(likelihoods=words), Gate(likelihoods=words)
    aligned.fit(X)
    whole.fit({"table": table, "curve": curve.loc[rows]})
    ours, theirs = (gate.modalities_.form.tables[0].coding for gate in (aligned, whole))
    assert ours == theirs
    assert [column.word for column in ours.columns] == [
        *["categorical"] * 3,
        "ordinal",
        *["bernoulli"] * 2,
        "poisson",
        "negative_binomial",
        "gaussian",
    ]
    assert_array_equal(aligned.modalities_.arrays[0][:12], whole.modalities_.arrays[0])
    assert_array_equal(aligned.modalities_.observed[0], [True] * 12 + [False] * 5)


@pytest.mark.parametrize("name", list(of_all_kinds(range(6)).columns))
@pytest.mark.parametrize("as_series", [False, True])
def test_a_column_of_each_kind_alone(name, as_series):
    """An array of one kind of column has another dtype than one of several."""
    column = of_all_kinds(range(6))[name if as_series else [name]]
    beside = numbers(range(1, 9))
    with pytest.warns(UserWarning, match="numbers, not names"):
        X = align({"column": column, "beside": beside}, how="outer")
    aligned, whole = (
        Gate().fit(X),
        Gate().fit({"column": column, "beside": beside[:6].set_axis(range(6))}),
    )
    ours, theirs = (gate.modalities_ for gate in (aligned, whole))
    assert ours.form.tables[0].coding == theirs.form.tables[0].coding
    assert_array_equal(ours.arrays[0][:6], theirs.arrays[0])
    assert not ours.observed[0][6:].any()


def test_names_of_columns_may_be_the_same_and_axes_stay():
    spectrum = numbers("abc").set_axis(pd.Index([400.0, 500.0], name="wavelength / nm"), axis=1)
    X = align({"one": spectrum, "two": numbers("cab")})
    assert X.axes["one"][0] == "wavelength / nm"
    same = align({"one": numbers("abc"), "two": numbers("cab")})
    assert same._columns == (("x0", "x1"), ("x0", "x1"))


def test_labels_of_contexts_are_aligned():
    rows = [f"s{k}" for k in range(8)]
    instrument = pd.Series(["A", "B"] * 4, rows[::-1])
    date = pd.Series(pd.to_datetime(["2024-01-02", "2024-01-01", "2024-01-01"] * 2), rows[:6])
    frames = {"one": numbers(rows[1:]), "instrument": instrument, "date": date}
    gate = Gate(contexts=["instrument", "date"]).fit(align(frames))
    assert_array_equal(gate.modalities_.codes[0], [0, 1, 0, 1, 0])
    later = align({**frames, "date": date[1:]}, how="outer")
    codes = gate.read(later).codes
    assert_array_equal(codes[:, -1], [1, -1])  # s0 stands last and has no date
    assert_array_equal(codes[1], [0, 0, 1, 0, 0, -1, -1, -1])


def test_a_fit_of_all_samples(quick):
    """What each sample has says where it is, and answers have the names of samples."""
    rows = [f"s{k}" for k in range(60)]
    table = of_all_kinds(rows).drop(columns=["is_known", "nullable"])
    frames = {"table": table[:50], "curve": numbers(rows[20:])}
    X = align(frames, how="outer")
    model = quick().fit(X)
    assert_index_equal(model.to_frame(X).index, pd.Index(rows))
    labels = pd.DataFrame({"is_early": np.repeat(["yes", "no"], 30)}, rows)
    with pytest.raises(ValueError, match="metadata has the rows of X in another order"):
        associate_nodes(model, X, labels[::-1])
    with pytest.raises(ValueError, match="known_nodes lacks rows of X, such as 's59'"):
        model.fit(X, known_nodes=pd.DataFrame({"N1": 0}, rows[:-1]))
    filled = model.impute(X)["table"]
    assert_array_equal(filled[:50], X["table"][:50])
    assert set(filled[50:, 0]) <= {"oak", "elm", "ash"}


# Names of samples in the container --------------------------------------------------------------


def test_the_container_keeps_the_names_of_samples():
    X, names = MultimodalData({"one": ONE, "image": np.zeros((4, 2, 2))}), list("abcd")
    assert list(X.index) == names
    for key in (slice(1, 3), [2, 0], np.array([True, False, True, True]), -1):
        assert list(X[key].index) == list(np.atleast_1d(np.array(names)[key]))
    assert list(X[:, ["image"]].index) == names
    both = MultimodalData.concatenate([X[:1], X[2:]])
    assert list(both.index) == list("acd")
    plain = MultimodalData({"one": ONE.to_numpy(), "image": np.zeros((4, 2, 2))})
    assert plain.index is None
    assert MultimodalData.concatenate([X, plain]).index is None
    assert list(MultimodalData.from_flat(ONE, [1, 1]).index) == names
    cells = pd.DataFrame({"image": list(np.zeros((2, 3)))}, ["p", "q"])
    assert list(MultimodalData.from_frame(cells).index) == ["p", "q"]
    assert list(Gate().fit(X).written(X).index) == names


# What is no such frame --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("frames", "error", "match"),
    [
        ({}, ValueError, r"entries \[\]: expected two or more"),
        ({"a": ONE}, ValueError, r"\['a'\]: expected two or more.*MultimodalData\(frames\)"),
        ([ONE, TWO], TypeError, "frames is a list: expected a mapping"),
        (ONE, TypeError, r"frames is a DataFrame of shape \(4, 2\): expected a mapping"),
        ({0: ONE, 1: TWO}, TypeError, "names of modalities must be strings"),
        ({"a": ONE, "b": None}, TypeError, r"frames\['b'\] is None.*leave it out"),
        ({"a": ONE, "b": [[1], [2]]}, TypeError, r"frames\['b'\] is a list, without an index"),
        (
            {"a": ONE, "b": np.ones((4, 2, 2))},
            TypeError,
            r"frames\['b'\] is a ndarray of shape \(4, 2, 2\), without an index .*index=names",
        ),
        ({"a": ONE, "b": ONE[:0]}, ValueError, r"frames\['b'\] has no rows"),
        (
            {"a": ONE, "b": numbers(["a", None, "b"])},
            ValueError,
            r"frames\['b'\] has no name for the sample in row 1",
        ),
        (
            {"a": numbers("abcbc"), "b": ONE},
            ValueError,
            r"sample 'b' \(and 1 more\) stands more than once in frames\['a'\].*duplicated\(\)",
        ),
        (
            {"a": ONE, "b": pd.concat({"u": ONE})},
            ValueError,
            r"frames\['b'\] has an index of 2 levels.*frame.index.map\(str\)",
        ),
        ({"a": ONE, "b": pd.concat({"u": ONE}, axis=1)}, ValueError, "2 levels of columns"),
        (
            {"a": ONE, "b": numbers("xyz")},
            ValueError,
            r"'a' and 'b' have no sample in common: .*'a' \(str\), .*'x' \(str\).*set_index",
        ),
        (
            {"a": numbers([1, 2, 3]), "b": numbers(["1", "2", "7"])},
            ValueError,
            r"has 1 \(int\), that of 'b' '1' \(str\). As texts they share 2, such as '1'",
        ),
        (
            {"a": numbers(["S1", "S2"]), "b": numbers(["s1 ", "s9"])},
            ValueError,
            r"small letters and without blanks around them they share 1, such as 's1': use .*lower",
        ),
    ],
)
@pytest.mark.parametrize("how", ["inner", "outer"])
def test_what_cannot_be_aligned(frames, error, match, how):
    with pytest.raises(error, match=match):
        align(frames, how=how)


def test_each_two_frames_have_a_sample_in_common_but_not_all():
    frames = {"a": numbers("pq"), "b": numbers("qr"), "c": numbers("rp")}
    with pytest.raises(ValueError, match=r"no sample is in all of \['a', 'b', 'c'\].*'outer'"):
        align(frames)
    assert len(align(frames, how="outer")) == 3


def test_an_island_is_named():
    frames = {"a": ONE, "b": TWO, "c": numbers("yz")}
    with pytest.raises(ValueError, match="'a' and 'c' have no sample in common"):
        align(frames, how="outer")


@pytest.mark.parametrize("how", ["left", None, ["inner"], "Inner"])
def test_ways_that_there_are_not(how):
    with pytest.raises(ValueError, match=r"how is .*expected 'inner'.*'outer'"):
        align({"a": ONE, "b": TWO}, how=how)


def test_rows_without_names_are_asked_about():
    one, two = (pd.DataFrame({"x": np.arange(n, dtype=float)}) for n in (3, 5))
    with pytest.warns(UserWarning, match=r"rows of 'a', 'b' have numbers, not names.*set_index"):
        align({"a": one, "b": two})
    assert len(align({"a": one, "b": two[:3]})) == 3
