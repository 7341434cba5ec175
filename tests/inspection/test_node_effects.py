"""What differs between outcomes, in samples that the fit has not seen."""

import numpy as np
import pandas as pd
import pytest

from skcausalpima import CausalPIMA
from skcausalpima.inspection import (
    NodeEffectDisplay,
    NodeEffects,
    _halves_of_one_heap,
    node_effects,
)

pytestmark = pytest.mark.short_fits


@pytest.fixture(scope="module", autouse=True)
def fewer_draws():
    """Half of the draws of one cluster; of these none may agree as much, as of 40 one may."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_halves_of_one_heap, "N_DRAWS", 20)
        yield


def drawn(seed, n_samples=120):
    """Draw eight columns, the first four of which tell two cells apart by four deviations."""
    rng = np.random.default_rng(seed)
    cells = rng.integers(2, size=n_samples)
    return rng.normal(size=(n_samples, 8)) + 4.0 * cells[:, None] * (np.arange(8) < 4), cells


@pytest.fixture(scope="module")
def est(quick):
    return quick(2).fit(drawn(0)[0])


@pytest.fixture(scope="module")
def effects(est):
    return node_effects(est, drawn(1)[0], seen=False)


def test_effects_are_differences_of_means_where_cells_are_clear(est, effects):
    X = drawn(1)[0]
    labels = est.predict(X)
    expected = X[labels == 1].mean(axis=0) - X[labels == 0].mean(axis=0)
    np.testing.assert_allclose(effects.effect["N1"][1], expected, atol=0.02)
    np.testing.assert_allclose(effects.effect["N1"][0], -effects.effect["N1"][1])
    assert effects.discovered["N1"][:, :4].all()
    assert (effects.low["N1"] <= effects.effect["N1"]).all()
    assert (effects.effect["N1"] <= effects.high["N1"]).all()


def test_rates_are_those_of_benjamini_and_hochberg(effects):
    p_values, rates = effects.p_value["N1"].ravel(), effects.false_discovery_rate["N1"].ravel()
    order = np.argsort(p_values)
    by_hand = p_values[order] * len(p_values) / np.arange(1, len(p_values) + 1)
    np.testing.assert_allclose(rates[order], np.minimum.accumulate(by_hand[::-1])[::-1])


@pytest.mark.slow
def test_halves_are_asked_about_each_other(quick):
    """Own samples: what differs is found, and a second call makes no further fits."""
    X = drawn(0)[0]
    own = quick(2).fit(X)
    first, second = node_effects(own, X), node_effects(own, X)
    assert first.discovered["N1"][1, :4].all()
    np.testing.assert_array_equal(first.p_value["N1"], second.p_value["N1"])


def test_one_cluster_is_not_tested(quick, monkeypatch):
    monkeypatch.setattr(_halves_of_one_heap, "N_DRAWS", 40)
    X = np.random.default_rng(0).normal(size=(240, 8))
    found = node_effects(quick(2).fit(X[:120]), X[120:], seen=False)
    assert "not tested" in found.untested["N1"]
    assert np.isnan(found.effect["N1"]).all()
    assert " ".join(str(found).split()) == found.untested["N1"]
    with pytest.raises(ValueError, match="Nothing was tested"):
        NodeEffectDisplay.from_effects(found)


def test_samples_of_the_fit_are_refused_as_new_ones(est):
    with pytest.raises(ValueError, match="are among those that est was fitted to"):
        node_effects(est, drawn(0)[0], seen=False)


def test_too_few_samples_are_refused(est):
    with pytest.raises(ValueError, match="needs at least 40 samples for 2 cells"):
        node_effects(est, drawn(1)[0][:30], seen=False)


def test_what_is_no_estimator_is_refused():
    with pytest.raises(TypeError, match="node_effects needs a fitted CausalPIMA as est"):
        node_effects(object(), drawn(1)[0])


def test_gaps_and_columns_that_never_vary_are_answers_with_limits(quick):
    (X, _), (new, _) = drawn(0), drawn(1)
    new[:40, 0], new[:, 7] = np.nan, X[0, 7]
    found = node_effects(quick(2, missing_values="marginalize").fit(X), new, seen=False)
    assert found.discovered["N1"][1, :4].all()
    assert np.isnan(found.p_value["N1"][1, 7])
    assert not found.discovered["N1"][1, 7]
    is_known = ~np.isnan(new[:, 0])
    widths = found.high["N1"][1] - found.low["N1"][1]
    assert widths[0] > widths[1] * np.sqrt(0.9 * len(new) / is_known.sum())


def test_words_and_booleans_are_tested_by_their_levels(quick):
    def frame(seed):
        X, cells = drawn(seed, 200)
        words = np.where(np.random.default_rng(seed + 9).random(200) < 0.8, cells, 1 - cells)
        return pd.DataFrame(
            {f"x{j}": X[:, j] for j in range(8)}
            | {"word": np.array(["a", "b", "c"])[words + (np.arange(200) % 3 == 0)]}
            | {"flag": words == 1}
        )

    est = quick(2).fit(frame(0))
    found = node_effects(est, frame(1), seen=False)
    names = [name for _, name in found.columns]
    assert names[8:] == ["word=a", "word=b", "word=c", "flag=True"]
    labels = est.predict(frame(1))
    flags = frame(1)["flag"].to_numpy()
    expected = flags[labels == 1].mean() - flags[labels == 0].mean()
    assert found.effect["N1"][1, names.index("flag=True")] == pytest.approx(expected, abs=0.05)
    assert found.discovered["N1"][1, names.index("flag=True")]


def test_a_node_that_one_column_alone_shows_is_not_tested(quick):
    """Without the column nothing tells the outcomes apart; the other columns are noise."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 3))
    X[:, 0] += 12.0 * rng.integers(2, size=400)
    found = node_effects(quick(2).fit(X[:200]), X[200:], seen=False)
    assert np.isnan(found.effect["N1"][1, 0])


def test_groups_are_compared_within_kinds(est):
    X, _ = drawn(1, 200)
    group = np.arange(200) % 2
    X[:, 6] += 3.0 * group
    found = node_effects(est, X, by=np.array(["old", "new"])[group], seen=False)
    assert list(found.outcomes) == ["N1=0", "N1=1"]
    assert found.outcomes["N1=0"] == ("old", "new")
    for kind in found.outcomes:
        assert found.effect[kind][1, 6] == pytest.approx(3.0, abs=1.0)
        assert found.discovered[kind][1, 6]
        assert np.abs(found.effect[kind][1, :4]).max() < 1.2  # kinds are not groups


def test_samples_of_unknown_groups_are_left_out(est):
    X = drawn(1)[0]
    by = np.array(["a", "b"] * 60, dtype=object)
    by[:10], by[10:20] = None, np.nan
    found = node_effects(est, X, by=by, seen=False)
    lacking = X.copy()
    lacking[:20, 0] = 1e6
    changed = node_effects(est, np.where(np.arange(8) == 0, X, lacking), by=by, seen=False)
    np.testing.assert_allclose(found.effect["N1=0"], changed.effect["N1=0"])


def test_by_that_is_the_node_itself_leaves_nothing_to_compare(est):
    X = drawn(1)[0]
    found = node_effects(est, X, by=est.predict(X), seen=False)
    assert all("Fewer than two groups of N1=" in why for why in found.untested.values())
    assert set(found.untested) == {"N1=0", "N1=1"}


def test_a_group_of_two_samples_is_not_compared(est):
    by = np.array(["a", "b", "c"])[[2, 2, *[0, 1] * 59]]
    found = node_effects(est, drawn(1)[0], by=by, seen=False)
    c = found.outcomes["N1=0"].index("c")
    assert np.isnan(found.effect["N1=0"][c]).all()
    assert np.isfinite(np.delete(found.effect["N1=0"], c, axis=0)).all()


@pytest.mark.parametrize(
    ("by", "message"),
    [
        (np.arange(120) / 7.0, "by holds 120 different numbers or words: expected at most 64"),
        ("N1", "by='N1' is a node of the fit.*expected the group of each sample"),
        (np.zeros(120, dtype=int), r"by has 1 group\(s\): expected two or more"),
        (np.full(120, None), r"by has 0 group\(s\)"),
        (np.zeros(7, dtype=int), r"by must have shape \(120,\)"),
    ],
)
def test_what_makes_no_groups_is_refused(est, by, message):
    with pytest.raises(ValueError, match=message):
        node_effects(est, drawn(1)[0], by=by, seen=False)


def test_a_table_has_a_row_for_each_effect(effects):
    frame = effects.to_frame()
    assert len(frame) == 16
    row = frame[(frame["outcome"] == "1") & (frame["column"] == "2")].iloc[0]
    assert row["effect"] == effects.effect["N1"][1, 2]
    assert row["discovered"] == effects.discovered["N1"][1, 2]


def test_texts_name_what_differs_and_are_escaped(effects):
    assert str(effects).endswith("N1=1 beside 0: 4 of 8 columns differ.")
    assert len(str(effects).splitlines()) == 2 + 4 + 1, "a title, a head, and what differs"
    one = {"<b>": np.array([[0.01], [0.01]])}
    found = NodeEffects(
        effect=one, low=one, high=one, p_value=one, false_discovery_rate=one,
        outcomes={"<b>": ("0", "1")}, columns=(("X", "a"),), shapes={"X": (1,)},
    )  # fmt: skip
    assert "&lt;b&gt;=1" in found._repr_html_()


def test_the_display_has_stars_only_where_something_was_discovered(effects):
    display = NodeEffectDisplay.from_effects(effects)
    panel = display.axes_[0, 0]
    stars = [line for line in panel.get_lines() if line.get_marker() == "*"]
    for star, is_found in zip(stars, effects.discovered["N1"], strict=True):
        np.testing.assert_array_equal(np.round(star.get_ydata()), np.flatnonzero(is_found))
    with pytest.raises(ValueError, match="modality is one of"):
        NodeEffectDisplay.from_effects(effects, modality="no")


@pytest.mark.parametrize("unit", [1.0, 1000.0])
def test_columns_of_unlike_units_are_drawn_each_in_its_own(unit):
    """Alike they share the unit of the data; else 1 is the largest end of an interval."""
    units, middle = np.array([1.0, unit]), np.array([[-2.0, 3.0], [2.0, -3.0]])
    effect, low, high = ({"N1": (middle + k) * units} for k in (0.0, -0.5, 0.5))
    found = NodeEffects(
        effect=effect, low=low, high=high, p_value=effect, false_discovery_rate=effect,
        outcomes={"N1": ("0", "1")}, columns=(("X", "bill"), ("X", "mass")), shapes={"X": (2,)},
    )  # fmt: skip
    display = NodeEffectDisplay.from_effects(found)
    largest = np.array([1.0, 1.0] if unit == 1.0 else [2.5, 3.5])
    np.testing.assert_allclose(display.effects[0], middle / largest)
    assert list(display.columns) == (
        ["bill", "mass"] if unit == 1.0 else ["bill (2.5)", "mass (3500)"]
    )


def test_images_and_curves_are_drawn_with_their_stars(quick):
    rng = np.random.default_rng(0)
    cells = rng.integers(2, size=200)
    images = rng.normal(size=(200, 6, 4)) + 4.0 * cells[:, None, None]
    curves = rng.normal(size=(200, 30)) + 4.0 * cells[:, None] * (np.arange(30) < 10)
    est = quick(2).fit([images[:100], curves[:100]])
    found = node_effects(est, [images[100:], curves[100:]], seen=False)
    assert found.shapes == {"modality0": (6, 4), "modality1": (30,)}
    row = NodeEffectDisplay.from_effects(found).axes_[0]
    stars = [line for line in row[1].get_lines() if line.get_marker() == "*"]
    assert len(stars[0].get_xdata()) == 24
    panel = NodeEffectDisplay.from_effects(found, modality="modality1").axes_[0, 0]
    assert len(panel.collections) == 2  # a band for each outcome


@pytest.mark.slow
def test_noise_is_rarely_discovered():
    """At most 4 of 24 default fits to skewed or correlated noise: .08 each makes more 1 in 60."""
    n_alarms = 0
    for seed in range(24):
        rng = np.random.default_rng(seed)
        X = rng.exponential(size=(200, 10))
        if seed % 2:
            X = rng.normal(size=(200, 10)) + 0.65 * rng.normal(size=(200, 1))
        est = CausalPIMA(2, random_state=seed, max_iter=20).fit(X[:100])
        found = node_effects(est, X[100:], seen=False)
        n_alarms += bool(found.discovered["N1"].any())
    assert n_alarms <= 4
