"""Tables of words, booleans, ordered categories, counts and numbers in pictures."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from drawn_texts import assert_readable, drawn_texts
from some_slow import some_slow

from skcausalpima.inspection import (
    InterventionDisplay,
    LatentDisplay,
    NodeEffectDisplay,
    PrototypeDisplay,
    ReconstructionDisplay,
)
from skcausalpima.inspection._displays import column_panels
from skcausalpima.inspection._displays.shown_modality import ShownColumn, shown_modality

N = 48
TOWNS = [f"the town number {k} of the land" for k in range(1, 4)]


@pytest.fixture(scope="module")
def frame():
    rng = np.random.default_rng(0)
    sizes = pd.Categorical(
        np.array(["s", "m", "l"])[rng.integers(3, size=N)], categories=["s", "m", "l"], ordered=True
    )
    columns = {
        "town": np.array(TOWNS)[rng.integers(3, size=N)],
        "paid ($)": rng.random(N) < 0.5,
        "size": sizes,
        "mass": rng.normal(300, 30, size=N),
        "n": rng.poisson(6, size=N),
    }
    return pd.DataFrame(columns)


@pytest.fixture(scope="module")
def counts():
    return np.random.default_rng(1).poisson(5.0, (N, 5))


@pytest.mark.short_fits
@pytest.mark.parametrize(
    "others",
    [
        ["town"],
        ["constant", "town"],
        ["constant", "paid ($)"],
        ["constant", "size", "same"],
        ["n", "town"],
        ["constant", "n", "size", "yes"],
    ],
)
@pytest.mark.parametrize("numbers", [[], ["mass", "wide"]])
def test_numbers_are_in_their_standard_deviations_whatever_is_beside_them(
    quick, frame, others, numbers
):
    more = {"constant": 3.0, "same": "x", "yes": True, "wide": 1e5 * frame["mass"] ** 3}
    table = frame.assign(**more)[numbers + others]
    words = {"n": "poisson"} if "n" in others else "auto"
    shown = shown_modality(
        quick((2,), max_iter=1, init="paper", likelihoods=words).fit(table), None
    )
    found = {column.name: column.factor for column in shown.parts if not column.levels}
    expected = table[numbers].std(ddof=0).to_dict()
    assert {name: found[name] for name in numbers} == pytest.approx(expected)
    assert found.get("constant", 1.0) == pytest.approx(1.0)


@pytest.fixture(scope="module")
def model(quick, frame, counts):
    words = {"table": {"n": "poisson"}, "counts": "negative_binomial"}
    simple = {"max_iter": 1, "init": "paper", "structure": "gradient"}
    return quick((2, 2), likelihoods=words, **simple).fit({"table": frame, "counts": counts})


@pytest.fixture(scope="module")
def samples(frame, counts):
    return {"table": frame, "counts": counts}


def titles(display):
    return [panel.get_title() for panel in display.axes_.flat if panel.axison]


def test_cells_have_the_probabilities_that_decode(model, frame):
    display = PrototypeDisplay.from_estimator(model, kind="decoded")
    names = [
        "town",
        "paid (\\$)\nprobability of True",
        "size",
        "mass",
        "n\ncount",
    ]
    assert titles(display) == names
    assert_readable(display.figure_)
    order = np.lexsort(model.cluster_states_.T[::-1])
    expected = model.inverse_transform(model.cluster_means_[order])["table"]
    drawn = display.prototypes
    assert expected["town"].tolist() == np.array(TOWNS)[drawn[:, :3].argmax(axis=1)].tolist()
    np.testing.assert_array_equal(expected["paid ($)"], drawn[:, 3] >= 0.5)
    np.testing.assert_array_equal(expected["n"], np.round(drawn[:, 8]))
    mass = frame["mass"].mean() + frame["mass"].std(ddof=0) * drawn[:, 7]
    np.testing.assert_allclose(mass, expected["mass"], rtol=1e-6)
    town, paid, size, mass, _ = display.artists_
    assert [len(bars) for bars in (town, paid, size, mass)] == [3, 1, 3, 1]
    ticks = display.axes_.flat[3].get_xticklabels()
    positions = [tick.get_position()[0] for tick in ticks]
    values = [float(tick.get_text()) for tick in ticks]
    known = frame["mass"].mean() + frame["mass"].std(ddof=0) * np.array(positions)
    np.testing.assert_allclose(values, known, rtol=1e-3)  # in the column's own unit
    ends = town[-1][0].get_x() + town[-1][0].get_width()
    assert ends == pytest.approx(1.0)


def test_levels_can_be_told_apart(model):
    display = PrototypeDisplay.from_estimator(model)
    texts = [text.get_text() for text in display.axes_.flat[0].get_legend().get_texts()]
    assert texts == ["…1…", "…2…", "…3…"]


@pytest.mark.parametrize("kind", some_slow(["difference", "mean"], ["difference"]))
def test_effects_on_numbers_alone_are_differences(model, kind):
    display = NodeEffectDisplay.from_estimator(model, kind=kind)
    assert_readable(display.figure_)
    overall = np.tensordot(model.joint_.sum(axis=1), display.effects[0], 1)
    np.testing.assert_allclose([overall[:3].sum(), overall[4:7].sum()], 1.0)
    assert (abs(overall[7]) < 1e-9) == (kind == "difference")
    assert (display.effects[0][:, 8] > 0).all()


@pytest.mark.slow
def test_samples_are_drawn_level_by_level(model, samples):
    display = ReconstructionDisplay.from_estimator(model, samples, rows=[0, 1])
    assert display.observed[0].shape == (2, 9)
    np.testing.assert_allclose(display.expected[0][:, :3].sum(axis=1), 1.0)
    levels = display.columns[0]
    assert levels[display.observed[0][0, :3].argmax()][5:] == f"…{samples['table']['town'][0][16]}…"
    np.testing.assert_array_equal(np.isnan(display.std[0][0]), [True] * 7 + [False] * 2)
    assert display.observed[1].shape == (2, 5)  # without the logarithm of the depth
    assert not any("depth" in text for text in display.columns[0])
    assert_readable(display.figure_)


@pytest.mark.parametrize("modality", some_slow(["table", "counts"], []))
def test_other_pictures_can_be_read(model, samples, modality):
    drawn = InterventionDisplay.from_estimator(model, {"N1": 0}, n_draws=2, modality=modality)
    nearest = PrototypeDisplay.from_estimator(model, samples, kind="nearest", modality=modality)
    effects = NodeEffectDisplay.from_estimator(model, modality=modality)
    for display in (drawn, nearest, effects):
        assert_readable(display.figure_)


def test_counts_are_those_at_the_mean_depth(model):
    display = PrototypeDisplay.from_estimator(model, modality="counts")
    assert display.value_name == "counts: expected count"
    order = np.lexsort(model.cluster_states_.T[::-1])
    expected = model.inverse_transform(model.cluster_means_[order])["counts"]
    np.testing.assert_array_equal(np.round(display.prototypes), expected)


def test_points_are_coloured_by_words(model, samples, frame):
    display = LatentDisplay.from_estimator(model, samples, c=frame["size"])
    legend = display.ax_.get_legend()
    assert [text.get_text() for text in legend.get_texts()] == ["l", "m", "s"]


def test_levels_are_seen_on_a_dark_ground():
    parts, values = parts_and_values(2, 3, 3)
    with plt.style.context("dark_background"):
        display = PrototypeDisplay(values, (3,), ["a"], parts=parts).plot()
        colours = {bar.get_facecolor()[:3] for bars in display.artists_[1] for bar in bars}
    assert (0.0, 0.0, 0.0) not in colours
    plt.close("all")


def test_bars_of_few_groups_are_thin():
    parts, values = parts_and_values(2, 12, 2)
    display = PrototypeDisplay(values, (2,), ["a"], parts=parts).plot()
    panel, bar = display.axes_.flat[0], display.artists_[0][0][0]
    display.figure_.draw_without_rendering()
    height = bar.get_window_extent().height / display.figure_.dpi
    assert 0.1 < height < 1.2 * column_panels.THICKEST
    assert panel.get_window_extent().height / display.figure_.dpi > 3 * height


def parts_and_values(n_columns, n_levels, n_groups):
    rng = np.random.default_rng(0)
    levels = [f"level {k} of the column" for k in range(n_levels)]
    words = [("ordinal", "categorical")[k % 2] for k in range(n_columns)]
    parts = [(f"question number {k} of all", word, levels) for k, word in enumerate(words)]
    values = rng.dirichlet(np.ones(n_levels), (n_groups, n_columns))
    values[:, 0] = values[0, 0]
    return parts, values.reshape(n_groups, -1)


@pytest.mark.slow
def test_the_columns_that_differ_most_are_drawn(monkeypatch):
    monkeypatch.setattr(column_panels, "MOST", 4)
    parts, values = parts_and_values(5, 3, 4)
    values[1] = np.nan
    display = PrototypeDisplay(values, (2, 2), ["a", "b"], parts=parts).plot()
    assert sorted(name for name, *_ in parts[1:]) == sorted(titles(display))
    texts = [text.replace("\n", " ") for text, _ in drawn_texts(display.figure_)]
    assert "4 of 5 columns, those that differ most" in " ".join(texts)
    assert titles(display.plot(ax=display.axes_)) == titles(display)
    ax = plt.subplots(figsize=(3, 2), layout="constrained")[1]
    assert 1 <= len(titles(display.plot(ax=ax))) < 4


@pytest.mark.slow
def test_rare_levels_of_many_are_one():
    parts, values = parts_and_values(2, 30, 3)
    display = NodeEffectDisplay([values], ["a"], parts=parts).plot()
    ordered, words = display.artists_
    assert (len(ordered), len(words)) == (30, 12)
    for panel in display.axes_.flat:
        assert len(panel.get_legend().get_texts()) == 12
    assert_readable(display.figure_)


def test_values_must_go_with_parts():
    parts, values = parts_and_values(2, 3, 2)
    with pytest.raises(ValueError, match=r"parts have 6 levels and numbers.* \(5,\)"):
        PrototypeDisplay(values[:, :5], (2,), ["a"], parts=parts).plot()


@pytest.mark.parametrize("offset", [0.0, 1234567.0, -1e-6])
def test_ticks_in_the_unit_of_a_column_tell_neighbours_apart(offset):
    part = ShownColumn("mass", "gaussian", (), offset, 1e-3 if offset < 0 else 2.0)
    values = np.array([[-1.0], [1.0]])
    display = PrototypeDisplay(values, (2,), ["kind"], parts=[part]).plot()
    ticks = display.axes_.flat[0].get_xticklabels()
    told = [tick.get_text() for tick in ticks]
    assert len(set(told)) == len(told) > 1
    positions = np.array([tick.get_position()[0] for tick in ticks])
    np.testing.assert_allclose(
        [float(of) for of in told], offset + part.factor * positions, rtol=1e-3
    )
    plt.close("all")
