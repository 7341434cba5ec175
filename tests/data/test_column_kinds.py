"""Columns of all kinds as elements, and back; what is wrong with columns, told at once."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from gate import Gate

from skcausalpima import MissingValues, MultimodalData
from skcausalpima._data import arrays
from skcausalpima._data.column_dtypes import declared
from skcausalpima._data.column_kinds import ColumnTable
from skcausalpima._data.containers import Form, container_of
from skcausalpima._data.several import read_several
from skcausalpima._data.stated_likelihoods import coded_form

N = 24


def coded(X, likelihoods="auto"):
    """Return the modalities, and how they came, as in a fit."""
    container = container_of(X)
    if container == "single":
        X = {"X": X}
    data, tables = read_several(X, "mapping" if container == "single" else container)
    return data, coded_form(likelihoods, data, Form(container, data.names, tables, data._columns))


def table_of(X, likelihoods="auto"):
    """Return the table of columns of one modality."""
    return coded(X, likelihoods)[1].tables[0].coding


def written(form, elements, what="values"):
    """Return elements of other rows than those that came as what the one modality was."""
    return replace(form.tables[0], rows=None).write(np.asarray(elements), what)


def cells(*values):
    """Return as many cells as a table has rows, these by turns."""
    return [values[k % len(values)] for k in range(N)]


def categories(values, names, ordered=False):
    return pd.Categorical(values, categories=names, ordered=ordered)


#: A column, the likelihood that its dtype tells, and its number of elements.
COLUMNS = {
    "bool": (pd.array(cells(True, False)), "bernoulli", 1),
    "boolean": (pd.array(cells(True, None, False), dtype="boolean"), "bernoulli", 1),
    "object of booleans": (pd.Series(cells(True, None, False), dtype=object), "bernoulli", 1),
    "category": (categories(cells("b", "a", None), ["b", "z", "a"]), "categorical", 2),
    "category of numbers": (categories(cells(3, 1, 2), [3, 2, 1]), "categorical", 3),
    "ordered": (categories(cells("s", "l", None), ["s", "m", "l"], True), "ordinal", 1),
    "intervals": (pd.cut(pd.Series(np.arange(N)), 3), "ordinal", 2),
    "text": (pd.array(cells("u", "v", None), dtype=pd.StringDtype("python")), "categorical", 2),
    "str": (pd.Series(cells("u", "v", "w")), "categorical", 3),
    "object of text": (pd.Series(cells("u", None, "v"), dtype=object), "categorical", 2),
    "digits": (pd.Series(cells("01", "1")), "categorical", 2),
    "int64": (pd.Series(cells(4, 2, 0)), "gaussian", 1),
    "Int64": (pd.array(cells(4, None, 0), dtype="Int64"), "gaussian", 1),
    "Float64": (pd.array(cells(0.5, None, 2.5), dtype="Float64"), "gaussian", 1),
    "float32": (pd.Series(cells(0.5, np.nan, 2.5), dtype="float32"), "gaussian", 1),
    "zero and one": (pd.Series(cells(0.0, 1.0)), "gaussian", 1),
}
WORDS = pd.Series(cells("p", "q"))


@pytest.mark.parametrize("kind", COLUMNS)
def test_a_column_comes_back_as_it_went_in(kind):
    column, word, n_elements = COLUMNS[kind]
    frame = pd.DataFrame({"x": column, "words": WORDS})
    data, form = coded(frame)
    (table,) = form.tables
    assert table.coding.words == {"x": word, "words": "categorical"}
    assert table.coding.layout == ((word, n_elements), ("categorical", 2))
    elements = table.coding.encode(data.arrays[0], "X")
    assert elements.shape == (N, n_elements + 2)
    missing = np.isnan(elements[:, :n_elements])
    assert (missing == frame["x"].isna().to_numpy()[:, None]).all()
    back = form.write([elements])
    expected = frame.copy()
    if kind in ("int64", "Int64"):  # numbers are floats, as ever
        expected["x"] = frame["x"].astype(float)
    if kind == "intervals":  # which are their texts
        expected["x"] = frame["x"].cat.rename_categories(str)
    pd.testing.assert_frame_equal(back, expected, check_categorical=True)


@pytest.mark.parametrize("word", ["poisson", "negative_binomial"])
@pytest.mark.parametrize("dtype", ["int64", "uint8", "Int64", "float64", "object"])
def test_counts_come_back_as_whole_numbers_of_their_dtype(word, dtype):
    frame = pd.DataFrame({"n": pd.Series(cells(0, 7, 255), dtype=dtype), "words": WORDS})
    data, form = coded(frame, {"n": word})
    elements = form.tables[0].coding.encode(data.arrays[0], "X")
    np.testing.assert_allclose(elements[:3, 0], np.log1p([0, 7, 255]))
    pd.testing.assert_frame_equal(form.write([elements]), frame)
    expected, names = form.tables[0].coding.probabilities(elements + np.array([0.01, 0, 0]))
    assert names == ("n", "words=p", "words=q")
    np.testing.assert_allclose(expected[:3, 0], np.exp(0.01) * np.array([1, 8, 256]) - 1)


def test_a_drawn_count_stays_within_its_dtype():
    frame = pd.DataFrame({"n": pd.Series(cells(0, 7, 255), dtype="uint8")})
    form = coded(frame, {"n": "poisson"})[1]
    assert written(form, np.log1p([[1000.0], [-0.5]]))["n"].tolist() == [255, 0]


def test_rows_without_counts_are_told_where_there_is_nothing_else():
    frame = pd.DataFrame({"a": cells(0, 3), "b": cells(0, 1)})
    with pytest.raises(ValueError, match=r"X has no counts at all in the rows \[0, 2, 4,"):
        coded(frame, "poisson")
    assert table_of({"a": frame, "b": frame + 1}, "poisson").reference == 4
    with pytest.raises(ValueError, match="modality 'a' has no counts at all"):
        coded({"a": frame * 0, "b": frame}, "poisson")


@pytest.mark.parametrize("likelihoods", ["poisson", {"a": "poisson", "b": "poisson"}])
def test_counts_of_one_word_are_divided_by_the_depth_of_their_row(likelihoods):
    counts = np.random.default_rng(0).poisson(5.0, (N, 2))
    counts[0], counts[1] = 0, [3, 0]
    frame = pd.DataFrame(counts, columns=["a", "b"])
    data, form = coded({"n": frame, "other": np.ones((N, 1))}, [likelihoods, "auto"])
    table = form.tables[0].coding
    elements = table.encode(data.arrays[0], "X")
    if likelihoods != "poisson":
        assert not table.has_depth
        assert np.array_equal(elements, np.log1p(counts))
        return
    assert table.layout == (("poisson", 1), ("poisson", 1), ("depth", 1))
    depths = counts.sum(axis=1) / counts.sum(axis=1)[1:].mean()
    assert np.isnan(elements[0]).all()  # which has none
    np.testing.assert_allclose(elements[1:, -1], np.log(depths[1:]))
    np.testing.assert_allclose(elements[1:, :2], np.log1p(counts / depths[:, None].clip(1e-9))[1:])
    pd.testing.assert_frame_equal(written(form, elements[1:]), frame[1:].reset_index(drop=True))


def test_decoding_takes_the_likeliest_and_the_median_category():
    frame = pd.DataFrame(
        {
            "kind": cells("a", "b", "c"),
            "size": categories(cells("s", "m", "l"), ["s", "m", "l"], True),
            "yes": cells(True, False),
        }
    )
    form = coded(frame)[1]
    elements = np.array([[0.2, 0.5, 0.3, 0.7, 0.2, 0.4]])
    assert written(form, elements).iloc[0].tolist() == ["b", "m", False]
    table, names = form.tables[0].coding.probabilities(elements)
    assert names == ("kind=a", "kind=b", "kind=c", "size=s", "size=m", "size=l", "yes=True")
    np.testing.assert_allclose(table, [[0.2, 0.5, 0.3, 0.3, 0.5, 0.2, 0.4]])
    labels = ("kind=a", "kind=b", "kind=c", "size>s", "size>m", "yes")
    assert form.tables[0].coding.element_names == labels
    assert tuple(written(form, elements, "elements").columns) == labels
    assert tuple(written(form, elements, "probabilities").columns) == names


@pytest.mark.parametrize(
    ("array", "word", "n_elements"),
    [
        (np.arange(N * 6).reshape(N, 2, 3) % 2, "bernoulli", 6),
        (np.arange(N * 2).reshape(N, 2) % 2 + 1.5, "bernoulli", 2),
        (np.array(cells("no", "yes"))[:, None], "bernoulli", 1),
        (np.array(cells(False, True)), "bernoulli", 1),
        (np.arange(N * 6).reshape(N, 2, 3) % 5, "poisson", 6),
        (np.arange(N * 2).reshape(N, 2) % 5, "poisson", 3),
        (np.arange(N * 2, dtype=np.float32).reshape(N, 2) % 5, "negative_binomial", 3),
        (np.arange(N * 2).reshape(N, 2) % 4, "categorical", 4),
        (np.arange(N) % 4, "ordinal", 3),
        (np.array(cells("a", "b", "cc")), "categorical", 3),
    ],
)
def test_arrays_may_be_stated(array, word, n_elements):
    data, form = coded({"x": array}, [word])
    table = form.tables[0].coding
    elements = table.encode(data.arrays[0], "X")
    assert math.prod(elements.shape[1:]) == n_elements
    assert table.words == word
    back = form.write([elements])["x"]
    assert back.dtype == array.dtype
    assert np.array_equal(back, array)
    assert array.ndim < 3 or elements.shape == array.shape


def test_what_is_gaussian_goes_the_way_of_before():
    frame = pd.DataFrame({"a": 2 * np.arange(N), "b": np.linspace(0, 1, N)})
    assert declared(frame) is None
    for likelihoods in ("auto", "gaussian", {"x": {"a": "gaussian"}}, ["gaussian"]):
        assert table_of({"x": frame}, likelihoods) is None
    yes = pd.DataFrame({"yes": cells(True, False), "kind": categories(cells(1, 2), [1, 2])})
    assert table_of(yes, {"yes": "gaussian", "kind": "gaussian"}) is None


def test_a_table_goes_through_plain_data():
    frame = pd.DataFrame({name: column for name, (column, *_) in COLUMNS.items()})
    table = table_of(frame, {"int64": "poisson"})
    assert ColumnTable.from_dict(table.as_dict()) == table
    assert table_of(frame[["int64"]].assign(n=cells(1, 5)), "poisson").has_depth


@pytest.mark.parametrize(
    "change",
    [
        {"shape": [3]},
        {"reference": -1.0},
        {"is_named": 1},
        {"columns": [["x", "gauss", None, "float64", None, False]]},
        {"columns": [["x", "ordinal", ["a"], "str", None, False]]},
        {"columns": [["x", "categorical", None, "str", None, False]]},
        {"columns": [["x", "gaussian", ["a", "b"], "str", None, False]]},
        {"columns": [["x", "bernoulli", [0, [1]], "int64", None, False]]},
        {"columns": [["x", "gaussian", None, 3, None, False]]},
    ],
)
def test_damaged_plain_data_are_refused(change):
    plain = {"columns": [["x", "gaussian", None, "float64", None, False]], "shape": [1]}
    plain |= {"is_named": True, "reference": None}
    assert ColumnTable.from_dict(plain).n_elements == 1
    with pytest.raises((ValueError, TypeError)):
        ColumnTable.from_dict(plain | change)


GOOD = {"x": np.linspace(0, 1, N), "w": cells("a", "b")}
IDS = [f"r{k}" for k in range(N)]
DATES = pd.date_range("2020", periods=N)


@pytest.mark.parametrize(
    ("wrong", "likelihoods", "error", "match"),
    [
        (
            {"id": [f"r{k}" for k in range(N)]},
            "auto",
            ValueError,
            r"(?s)rows in column 'id'.*\['id'\]",
        ),
        ({"id": [f"r{k % 22}" for k in range(N)]}, "auto", ValueError, "about as many .* 'id'"),
        ({"k": categories(cells(None), ["a"])}, "auto", ValueError, "no value at all in .* 'k'"),
        ({"d": DATES}, "auto", TypeError, r"(?s)dates in column 'd'.*total_seconds\(\)"),
        ({"m": cells(1, 2, "u")}, "auto", TypeError, r"text \('u'\) among the numbers in .* 'm'"),
        ({"n": cells(-1, 2)}, {"n": "poisson"}, ValueError, "negative or fractional .* 'n'"),
        ({"n": cells(0.5, 2)}, {"n": "negative_binomial"}, ValueError, "negative or fraction"),
        ({"n": cells(0, 1, 2)}, {"n": "bernoulli"}, ValueError, "other than two values .* 'n'"),
        ({"n": cells(5)}, {"n": "bernoulli"}, ValueError, "other than two values .* 'n'"),
        ({}, {"w": "gaussian"}, ValueError, "words in column 'w'"),
        ({}, {"w": "poisson"}, ValueError, "words in column 'w'"),
        ({}, {"w": "ordinal"}, ValueError, r"(?s)words in column 'w'.*order.*Categorical\("),
        (
            {"k": categories(cells("a", "b", "c"), ["b", "a", "c"])},
            {"k": "ordinal"},
            ValueError,
            "words in column 'k', which likelihoods states as 'ordinal', without their order",
        ),
        ({"m": cells("a", 1)}, {"m": "categorical"}, ValueError, "several types in column 'm'"),
        ({}, {"ww": "gaussian"}, ValueError, r"names the columns \['ww'\] of X.*mean 'w'\?"),
        ({}, {"w": "categorial"}, ValueError, r"likelihoods\['w'\] is 'categorial'.*mean 'cat"),
        ({}, ["auto", "auto"], ValueError, "one entry per modality, 1, got 2"),
    ],
)
def test_what_is_wrong_is_told_with_the_line_to_write(wrong, likelihoods, error, match):
    with pytest.raises(error, match=match):
        coded(pd.DataFrame(GOOD | wrong), likelihoods)


def test_names_of_rows_of_which_some_repeat_may_be_stated_to_be_categories():
    names = pd.DataFrame(GOOD | {"id": [f"r{k % 22}" for k in range(N)]})
    assert len(table_of(names, {"id": "categorical"}).columns[-1].levels) == 22
    with pytest.raises(ValueError, match="about as many categories as rows in column 'id'"):
        table_of(pd.DataFrame(GOOD | {"id": IDS}), {"id": "categorical"})
    some = pd.DataFrame(GOOD | {"id": [f"r{k % 20}" for k in range(N)]})
    assert table_of(some).words["id"] == "categorical"


@pytest.mark.parametrize("given", [cells("s"), categories(cells("s"), ["s", "m"], ordered=True)])
def test_a_column_of_one_category_is_one_if_there_are_others(given):
    """As in a part of the samples, to which a search fits."""
    frame = pd.DataFrame(GOOD | {"k": given})
    table = table_of(frame)
    assert table.words["k"] == "categorical"
    assert table.columns[-1].levels == ("s",)
    assert ColumnTable.from_dict(table.as_dict()) == table
    elements = table.encode(np.array([[0.5, "a", "s"], [0.5, "a", "m"]], object), "X", lenient=True)
    assert elements[0, -1] == 1.0
    assert np.isnan(elements[1, -1])
    with pytest.raises(ValueError, match=r"one category only in column 'k'.*(?s:.)*\['k'\]"):
        table_of(frame[["k"]])


def test_all_columns_that_are_wrong_are_told_at_once():
    other = {"n": cells(1.5)}
    frame = pd.DataFrame(GOOD | {"id": IDS, "k": cells(None), "d": DATES, "m": cells(1, 2, "u")})
    given = {"t": frame, "u": pd.DataFrame(GOOD | other)}
    with pytest.raises(ValueError, match="modality 't' has about as many") as told:
        coded(given, {"u": {"n": "poisson", "nn": "poisson"}})
    said = str(told.value)
    for column in ("'id'", "'k'", "'d'", "'m'", "'n'", "['nn']"):
        assert column in said, said
    lines = [line.strip() for line in said.splitlines()]
    assert "X['t'] = X['t'].drop(columns=['id', 'k'])" in lines


def test_the_lines_to_write_lead_to_a_table():
    X = pd.DataFrame(GOOD | {"id": IDS, "k": cells(None), "d": DATES, "m": cells(1, 2, "u")})
    with pytest.raises(ValueError, match="What to do") as told:
        coded(X)
    lines = [of.removeprefix("    ") for of in str(told.value).splitlines() if of.startswith("  ")]
    namespace = {"X": X}
    exec("\n".join(lines), namespace)
    assert table_of(namespace["X"]).words == {
        "x": "gaussian",
        "w": "categorical",
        "d": "gaussian",
        "m": "gaussian",
    }


def test_entries_with_other_shapes_or_other_modalities_are_refused():
    images = np.arange(N * 4).reshape(N, 2, 2) % 2
    with pytest.raises(ValueError, match=r"samples of shape .*'categorical'"):
        coded({"a": images}, "categorical")
    with pytest.raises(ValueError, match=r"samples of shape .*'0': 'bernoulli'"):
        coded({"a": images}, {"a": {"0": "bernoulli"}})
    with pytest.raises(ValueError, match=r"modalities \['image'\].*mean 'images'\?"):
        coded({"images": images}, {"image": "bernoulli"})


@pytest.mark.parametrize("value", ["c", 1.5, True])
def test_a_category_that_is_new_is_an_error_or_missing(value):
    table = table_of(pd.DataFrame(GOOD))
    cells = np.array([[0.5, "a"], [0.5, value]], dtype=object)
    with pytest.raises(ValueError, match=rf"X does not fit: column 'w' has {value!r}, but .*'b'\]"):
        table.encode(cells, "X")
    elements = table.encode(cells, "X", lenient=True)
    assert np.isnan(elements).tolist() == [[False] * 3, [False, True, True]]


def test_what_a_mask_calls_missing_is_never_looked_at():
    frame = pd.DataFrame(GOOD)
    frame.loc[0, "w"] = "strange"
    observed = np.arange(N)[:, None] > 0
    data = MultimodalData({"t": frame, "u": np.ones((N, 1))}, observed=observed | [[False, True]])
    tables = [coded(data)[1].tables[0].coding]
    assert tables[0].columns[1].levels == ("a", "b")
    elements = tables[0].encode(data.arrays[0], "X", ~data._stated(0))
    assert np.isnan(elements[0]).all()
    assert not np.isnan(elements[1:]).any()


def test_a_container_keeps_dtypes_of_samples_of_parts_and_together():
    frame = pd.DataFrame({"kind": categories(cells("a", "b"), ["a", "b", "z"])} | GOOD)
    whole = MultimodalData({"t": frame, "u": np.ones((N, 2))})
    dtypes = declared(frame)
    parts = [whole[:10], whole[10:], whole[:, ["t", "u"]][[3, 4]]]
    for part in [*parts, MultimodalData.concatenate(parts)]:
        assert part._frame_dtypes == (dtypes, None)
        assert part["t"].dtype == object
    assert coded(whole)[1].tables[0].coding == table_of(frame)
    none = MultimodalData([None, np.ones((2, 2))], names=["t", "u"])
    together = MultimodalData.concatenate([whole, none])
    assert together._frame_dtypes == (dtypes, None)
    assert together["t"][-1].tolist() == [None] * 3
    other = MultimodalData({"t": frame.astype({"kind": str}), "u": np.ones((N, 2))})
    with pytest.raises(ValueError, match="'t' has columns of other dtypes, or other categories"):
        MultimodalData.concatenate([whole, other])


def test_polars_frames_come_back_as_they_went_in():
    polars = pytest.importorskip("polars")
    frame = polars.DataFrame(
        {
            "text": cells("a", None, "b"),
            "yes": cells(True, None, False),
            "kind": polars.Series(cells("u", "v"), dtype=polars.Categorical),
            "size": polars.Series(cells("s", "m"), dtype=polars.Enum(["s", "m", "l"])),
            "x": polars.Series(cells(0.5, 2.0), dtype=polars.Float32),
            "n": polars.Series(cells(5, 2), dtype=polars.UInt8),
        }
    )
    data, form = coded(frame, {"size": "ordinal", "n": "poisson"})
    table = form.tables[0].coding
    words = ["categorical", "bernoulli", "categorical", "ordinal", "gaussian", "poisson"]
    assert list(table.words.values()) == words
    elements = table.encode(data.arrays[0], "X")
    assert form.write([elements]).equals(frame)
    assert written(form, elements[2:4]).equals(frame[2:4])
    sure = written(form, elements, "probabilities")
    assert type(sure) is polars.DataFrame
    assert {"text=a", "yes=True", "kind=u", "size=m", "x", "n"} <= set(sure.columns)


@pytest.mark.parametrize("kind", ["string", "large_string", "bool", "double", "dictionary"])
def test_columns_of_arrow_come_back_as_they_went_in(kind):
    arrow = pytest.importorskip("pyarrow")
    values = {"bool": cells(True, None, False), "double": cells(0.5, None)}
    types = {"dictionary": arrow.dictionary(arrow.int32(), arrow.string())}
    dtype = pd.ArrowDtype(types.get(kind) or arrow.type_for_alias(kind))
    frame = pd.DataFrame({"x": pd.array(values.get(kind, cells("a", None, "b")), dtype=dtype)})
    data, form = coded(frame.assign(w=WORDS))
    elements = form.tables[0].coding.encode(data.arrays[0], "X")
    pd.testing.assert_frame_equal(form.write([elements])[["x"]], frame)
    assert written(form, np.nan_to_num(elements[:3]))["x"].dtype == dtype


# Through the gate --------------------------------------------------------------------------------

TABLE = pd.DataFrame(GOOD | {"yes": cells(True, None, False), "n": cells(4, 2, 0)})


def test_columns_are_counted_and_those_of_fit():
    gate = Gate(likelihoods={"n": "poisson"}).fit(TABLE)
    assert (gate.n_features_in_, gate.modality_shapes_in_) == (4, [(4,)])
    words = {"x": "gaussian", "w": "categorical", "yes": "bernoulli", "n": "poisson"}
    assert list(gate.likelihoods_.values()) == [words]
    for other, told in (
        (TABLE.iloc[:, ::-1], r"(?s)in the same order.*X\[model.feature_names_in_\]"),
        (TABLE.drop(columns="w"), r"(?s)now missing:.*- w"),
        (TABLE.assign(w="new"), "column 'w' has 'new', but fit has seen"),
        (TABLE.assign(n=-1), "column 'n' has negative or fractional counts"),
        (TABLE.assign(x="long"), r"column 'x' holds what is no number \(str\): make numbers"),
    ):
        with pytest.raises(ValueError, match=told):
            gate.read(other)
    months = pd.period_range("2020-01", periods=N, freq="M")
    with pytest.raises(ValueError, match=r"no number \(Period\): .* words by .astype\(str\)"):
        Gate().fit(TABLE.assign(x=months))


def test_new_categories_are_missing_if_that_is_asked():
    gate = Gate(missing_values=MissingValues(unknown="missing")).fit(TABLE)
    new, none = (gate.read(TABLE.assign(w=word)) for word in ("new", None))
    assert np.array_equal(new.elements[0], none.elements[0])
    assert not new.missing_elements(0)[:, 0].any()
    assert new.missing_elements(0)[:, 1:3].all()


@pytest.mark.parametrize("wrap", [lambda table: table, lambda table: {"t": table}])
def test_numbers_may_have_other_dtypes_later_and_be_no_words(wrap):
    X = pd.DataFrame({"a": np.arange(N) % 5, "b": np.linspace(0, 1, N)})
    gate = Gate().fit(wrap(X))
    later = gate.read(wrap(X.astype({"a": "category"})))
    assert np.array_equal(later.arrays[0], gate.modalities_.arrays[0])
    with pytest.raises(TypeError, match=r"text \('u'\) in column 'a'"):
        gate.read(wrap(X.assign(a="u")))


@pytest.mark.filterwarnings("ignore:Some columns may be no measurements")
def test_so_many_words_that_elements_do_not_fit_are_told(monkeypatch):
    frame = pd.DataFrame({"x": np.arange(600.0) % 7, "batch": [f"b{k % 200}" for k in range(600)]})
    monkeypatch.setattr(arrays, "MAX_DENSE_BYTES", 8 * 600 * 200)
    table = table_of(frame)
    assert table.encode(frame.to_numpy(), "X").shape == (600, 201)
    monkeypatch.setattr(arrays, "MAX_DENSE_BYTES", 8 * 600 * 200 - 1)
    with pytest.raises(ValueError, match=r"X has 200 words in column 'batch': .*'other'"):
        table.encode(frame.to_numpy(), "X")
