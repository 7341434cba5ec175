"""Pictures and tables say where elements lie, as the data or the user state it."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from drawn_texts import drawn_texts, overlapping_texts
from some_slow import some_slow

from skcausalpima import CausalPIMA, MultimodalData
from skcausalpima.inspection import (
    AxisDisplay,
    InterventionDisplay,
    NodeEffectDisplay,
    NodeEffects,
    PrototypeDisplay,
    ReconstructionDisplay,
    SummaryDisplay,
    node_effects,
)

NAME = "shift $_x$ <b> / cm-1"
SHIFT = np.linspace(1800, 600, 20)
ROWS = ("depth / mm", 0.5 * np.arange(6))


def curves_and_images(n=80, axes=True):
    """Return samples of four groups, whose axes are stated if asked for."""
    rng = np.random.default_rng(0)
    group = np.arange(n) % 4
    curves = rng.normal(scale=0.1, size=(n, 20)) + (group % 2)[:, None] * np.linspace(0, 1, 20)
    images = rng.normal(scale=0.1, size=(n, 6, 5)) + (group // 2)[:, None, None]
    table = rng.normal(scale=0.1, size=(n, 4)) + group[:, None]
    stated = {"curve": (NAME, SHIFT), "image": [ROWS, None], "short": ("time / s", [0, 1, 2, 3])}
    parts = {"curve": curves, "image": images, "short": table}
    return MultimodalData(parts, axes=stated if axes else None)


@pytest.fixture(scope="module")
def fit(brief):
    """A fit whose modalities have axes; leave it as it is."""
    return brief((2, 2)).fit(curves_and_images())


#: Each draws a modality of a fit, with an abscissa if one is given.
PICTURES = {
    "prototypes": lambda est, X, **asked: PrototypeDisplay.from_estimator(est, **asked),
    "nearest": lambda est, X, **asked: PrototypeDisplay.from_estimator(
        est, X, kind="nearest", **asked
    ),
    "effects": lambda est, X, **asked: NodeEffectDisplay.from_estimator(est, **asked),
    "intervention": lambda est, X, **asked: InterventionDisplay.from_estimator(
        est, {"N1": 1}, n_draws=3, **asked
    ),
    "reconstruction": lambda est, X, **asked: ReconstructionDisplay.from_estimator(
        est, X, rows=[0, 1], **asked
    ),
    "axes": lambda est, X, **asked: AxisDisplay.from_estimator(est, X, **asked),
    "summary": lambda est, X, **asked: SummaryDisplay.from_estimator(est, X, **asked),
}


def of_curves(figure):
    """Return the panels of a figure in which something has twenty points."""
    return [
        ax
        for ax in figure.axes
        if ax.lines and len(ax.lines[0].get_xdata()) == 20 and not ax.get_title().startswith("at")
    ]


@pytest.mark.parametrize("draw", PICTURES.values(), ids=PICTURES)
def test_curves_run_along_the_axis_of_the_data(draw, fit):
    """Its name is there once, as it was stated; samples without axes have those of the fit."""
    figure = draw(fit, curves_and_images(axes=False), modality="curve").figure_
    panels = of_curves(figure)
    assert panels
    for ax in panels:
        np.testing.assert_array_equal(ax.lines[0].get_xdata(), SHIFT)
        assert ax.xaxis_inverted()  # the first element is on the left
    texts = [text.replace(r"\$", "$").replace("\n", " ") for text, _ in drawn_texts(figure)]
    assert sum(NAME in text for text in texts) == 1
    plt.close(figure)


@pytest.mark.parametrize("which", some_slow(PICTURES, ["prototypes", "reconstruction"]))
def test_the_user_may_state_another_axis(which, fit):
    x = ("time / s", np.arange(20) / 10)
    figure = PICTURES[which](fit, curves_and_images(), modality="curve", x=x).figure_
    for ax in of_curves(figure):
        np.testing.assert_array_equal(ax.lines[0].get_xdata(), x[1])
        assert not ax.xaxis_inverted()
    assert sum("time / s" in text for text, _ in drawn_texts(figure)) == 1
    plt.close(figure)


@pytest.mark.parametrize("draw", PICTURES.values(), ids=PICTURES)
@pytest.mark.parametrize(
    ("x", "words"),
    [
        (np.arange(19), r"x of 'curve' is to have 20 numbers, got shape \(19,\)"),
        (np.r_[np.arange(19), np.nan], "finite numbers, got nan at position 19"),
        (np.r_[np.arange(19), 3], "rise or fall throughout, got 18 and then 3 at position 19"),
    ],
)
def test_an_abscissa_that_is_none(draw, fit, x, words):
    with pytest.raises(ValueError, match=words):
        draw(fit, curves_and_images(), modality="curve", x=x)
    with pytest.raises(ValueError, match=words):
        draw(fit, curves_and_images(), modality="curve", x=("time / s", x))


def test_a_summary_takes_abscissae_by_name(fit):
    X, x = curves_and_images(), np.arange(20.0)
    display = fit.plot_summary(X, modality="curve", x={"curve": x})
    np.testing.assert_array_equal(display.prototypes.x, x)
    assert display.further == []
    with pytest.raises(ValueError, match="say which one by modality"):
        fit.plot_summary(X, x=x)
    with pytest.raises(ValueError, match=r"x has \['sound'\]"):
        fit.plot_summary(X, x={"sound": x})


@pytest.mark.parametrize("draw", [PICTURES["prototypes"], PICTURES["effects"]])
def test_images_say_where_they_begin_and_end(draw, fit):
    """Once; the columns have no axis."""
    figure = draw(fit, None, modality="image").figure_
    ends = [text for text, _ in drawn_texts(figure) if text.endswith(" mm")]
    assert sorted(ends) == ["0 mm", "2.5 mm"]
    assert overlapping_texts(figure) == []
    plt.close(figure)


def test_a_few_points_with_an_axis_are_a_curve(fit):
    ax = NodeEffectDisplay.from_estimator(fit, modality="short").axes_[0, 0]
    assert ax.lines[0].get_xdata().tolist() == [0, 1, 2, 3]
    assert ax.get_xlabel() == "time / s"


def test_effects_are_named_by_where_columns_lie():
    X = curves_and_images(240)[np.isin(np.arange(240) % 4, [0, 3])][:, ["curve", "image"]]
    est = CausalPIMA(2, max_iter=2, random_state=0).fit(X[:40])
    effects = node_effects(est, X[40:], seen=False)
    assert {("curve", "600 cm-1"), ("image", "0.5 mm,3")} <= set(effects.columns)
    frame = effects.to_frame()
    curve = frame[frame["modality"] == "curve"]
    assert set(curve["position"]) == set(SHIFT)
    named = curve["column"].str.removesuffix(" cm-1").astype(float)
    assert (named - curve["position"]).abs().max() < 1
    assert frame.loc[frame["modality"] == "image", "position"].isna().all()
    assert " mm," in str(effects)
    display = NodeEffectDisplay.from_effects(effects, modality="curve")
    np.testing.assert_array_equal(display.axes_[0, 0].lines[0].get_xdata(), SHIFT)
    assert NodeEffectDisplay.from_effects(effects, modality="image").axes_[0, 0].images


def test_effects_on_columns_called_by_numbers_are_a_curve():
    """Those of a fit were, and those that were tested were bars."""
    names = [f"{900 - 5 * k:.1f}" for k in range(20)]
    lines = {"N1": np.zeros((2, 20))}
    effects = NodeEffects(
        **dict.fromkeys(("effect", "low", "high", "p_value", "false_discovery_rate"), lines),
        outcomes={"N1": ("0", "1")},
        columns=tuple(("X", name) for name in names),
        shapes={"X": (20,)},
        axes={"X": np.array(names, dtype=float)},
    )
    (panel,) = NodeEffectDisplay.from_effects(effects).axes_.flat
    assert panel.lines[0].get_xdata().tolist() == list(map(float, names))
    assert set(effects.to_frame()["position"]) == set(map(float, names))
    assert set(effects.to_frame()["column"]) == set(names)
