"""Bars are means of what was observed; those on fewer than five values are hollow."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from drawn_texts import assert_readable, drawn_texts

from skcausalpima.inspection import PrototypeDisplay
from skcausalpima.inspection._displays.painter import HOLLOW

GAPS = {"missing_values__elements": "marginalize"}
#: How matplotlib writes that a bar is not filled.
NONE = (0.0, 0.0, 0.0, 0.0)


@pytest.fixture(scope="module")
def frame():
    """Two kinds of 30 rows: heights, of which the second kind has one, and a column of 0 and 1."""
    rng, kind = np.random.default_rng(0), np.repeat([0, 1], 30)
    height = np.where(np.arange(60) < 59, np.where(kind, np.nan, rng.normal(size=60)), 3.0)
    columns = {"mass": 30.0 * kind + rng.normal(size=60), "height": height}
    return pd.DataFrame(columns | {"mutated": kind * (rng.random(60) < 0.7).astype(float)})


def fitted_to(quick, frame):
    return quick(2, scale=None, **GAPS).fit(frame)


def are_hollow(bars):
    return [tuple(bar.get_facecolor()) == NONE for bar in bars]


def texts_of(display):
    return " ".join(text for text, _ in drawn_texts(display.figure_)).replace("\n", " ")


def test_bars_are_means_of_what_was_observed(quick, frame):
    est = fitted_to(quick, frame)
    display = PrototypeDisplay.from_estimator(est)
    expected = np.array([frame[:30].mean(), frame[30:].mean()])
    first = est.predict(frame)[0]
    order = [first, 1 - first] if est.cluster_states_[0, 0] == 0 else [1 - first, first]
    np.testing.assert_allclose(display.prototypes[order], expected, rtol=1e-4, atol=1e-9)
    assert display.prototypes[:, 2].min() == pytest.approx(0.0, abs=1e-12)
    decoded = PrototypeDisplay.from_estimator(est, kind="decoded").prototypes
    of_means = est.inverse_transform(est.cluster_means_)
    np.testing.assert_allclose(np.sort(decoded, axis=0), np.sort(of_means, axis=0), rtol=1e-5)


def test_bars_on_few_values_are_hollow_and_the_caption_says_so(quick, frame):
    display = PrototypeDisplay.from_estimator(fitted_to(quick, frame))
    hollow = [are_hollow(bars) for bars in display.artists_]
    assert sorted(map(tuple, hollow)) == [(False, False, False), (False, True, False)]
    assert HOLLOW in texts_of(display)
    assert_readable(display.figure_)
    whole = PrototypeDisplay.from_estimator(fitted_to(quick, frame.fillna(0.0)))
    assert not any(any(are_hollow(bars)) for bars in whole.artists_)
    assert "hollow" not in texts_of(whole)


def test_columns_with_a_panel_each_have_hollow_bars_too(quick, frame):
    words = np.tile(["a", "b", "c"], 20).astype(object)
    words[2:30] = None
    est = fitted_to(quick, frame.assign(word=words))
    display = PrototypeDisplay.from_estimator(est)
    assert HOLLOW in texts_of(display)
    few = {
        name: [are_hollow(level) for level in levels]
        for (name, *_), levels in zip(display.parts, display.artists_, strict=True)
    }
    assert not np.any(few["mass"])
    assert not np.any(few["mutated"])
    assert np.sum(few["height"]) == 1
    assert np.sum(few["word"], axis=1).tolist() == [1, 1, 1]
    assert len({tuple(level) for level in few["word"]}) == 1
    shares = display.prototypes[:, 3:]
    np.testing.assert_allclose(shares.sum(axis=1), 1.0, rtol=1e-5)
    numbers = display.prototypes[:, 2] * display.parts[2].factor + display.parts[2].centre
    probabilities = est.predict_proba(frame.assign(word=words))
    means = probabilities.T @ frame["mutated"] / probabilities.sum(axis=0)
    np.testing.assert_allclose(np.sort(numbers), np.sort(means), rtol=1e-4, atol=1e-6)


def test_the_summary_has_hollow_bars(quick, frame):
    display = fitted_to(quick, frame).plot_summary(frame)
    assert HOLLOW in texts_of(display)
    assert sum(map(sum, (are_hollow(bars) for bars in display.prototypes.artists_))) == 1


def test_numbers_of_values_may_be_given():
    few = PrototypeDisplay(np.ones((2, 3)), (2,), ["N"], n_values=[[4, 5, 0], [9, 4.6, 4.4]])
    hollow = [are_hollow(bars) for bars in few.plot().artists_]
    assert hollow == [[True, False, True], [False, False, True]]
    images = PrototypeDisplay(np.ones((2, 6, 6)), (2,), ["N"], n_values=np.zeros((2, 36))).plot()
    assert "hollow" not in texts_of(images)
    plt.close("all")
