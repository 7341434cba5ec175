"""The picture of a training: the bound in the data's units, its terms, and the phases."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from drawn_texts import assert_readable
from numpy.testing import assert_allclose
from some_slow import some_slow

from skcausalpima.inspection import TrainingDisplay

PHASES = ("pre-training", "polishing")


def lines(ax):
    """Return the lines of axes by their labels."""
    return {line.get_label(): line for line in ax.get_lines()}


def history(n_epochs=6, names=("image", "curve")):
    rng = np.random.default_rng(0)
    terms = {f"reconstruction_{name}": rng.normal(size=n_epochs).cumsum() - 9 for name in names}
    terms |= {"evidence": rng.normal(size=n_epochs), "potential": np.ones(n_epochs)}
    return terms | {"lower_bound": sum(terms.values())}


@pytest.mark.slow
def test_the_bound_is_in_the_units_of_the_data(quick, pair):
    images, curves = pair
    est = quick(max_iter=5).fit([1000 * images, curves])
    display = TrainingDisplay.from_estimator(est)
    bound = lines(display.axes_[0])["bound"]
    assert len(bound.get_xdata()) >= 5
    # The scale of a thousand alone is log(1000) nats for each of six elements.
    assert abs(bound.get_ydata()[4] - est.lower_bound_) < 6
    above = lines(display.axes_[0])
    assert above["final model"].get_ydata()[0] == est.lower_bound_
    n_pretraining, n_polishing = (len(est.phase_history_[name]["objective"]) for name in PHASES)
    assert above["objective of pre-training"].get_xdata().tolist() == [*range(1 - n_pretraining, 1)]
    assert len(bound.get_xdata()) == 5 + n_polishing > 5
    assert_readable(display.figure_)


def test_terms_add_up_to_what_the_bound_gains():
    terms = history()
    display = TrainingDisplay(terms).plot()
    drawn = lines(display.axes_[1])
    gains = [line.get_ydata() for label, line in drawn.items() if not label.startswith("_")]
    bound = lines(display.axes_[0])["bound"].get_ydata()
    np.testing.assert_allclose(np.sum(gains, axis=0), bound - bound[0], atol=1e-12)
    assert "reconstruction of image" in drawn


def test_each_phase_has_its_epochs():
    polishing = {name: values[:2] for name, values in history().items()}
    display = TrainingDisplay(
        history(), pretraining=[-20.0, -15.0, -12.0], polishing=polishing, converged=True
    ).plot()
    above = lines(display.axes_[0])
    assert above["objective of pre-training"].get_xdata().tolist() == [-2, -1, 0]
    assert above["bound"].get_xdata().tolist() == [1, 2, 3, 4, 5, 6, 7, 8]
    assert above["end, stopped by itself: 6"].get_xdata() == [6, 6]
    assert {text.get_text() for text in display.axes_[0].texts} == {"pre-training", "polishing"}
    assert_readable(display.figure_)
    planned = TrainingDisplay(history(), converged=False).plot()
    assert "end, all planned epochs: 6" in lines(planned.axes_[0])


def test_of_held_out_samples_the_kept_state_is_marked():
    held_out = [-9.0, -5.0, -6.0, np.nan, -7.0, -8.0]
    display = TrainingDisplay(history() | {"held_out_bound": held_out}).plot()
    kept = lines(display.axes_[0])["kept state"]
    assert (kept.get_xdata()[0], kept.get_ydata()[0]) == (2, -5.0)


BEDS = [f"temperature_of_bed_{k:011d}" for k in range(6)]


@pytest.mark.parametrize("names", some_slow([["x" * 30], BEDS], [["x" * 30]]))
def test_long_names_and_single_epochs_can_be_read(names):
    figure, axes = plt.subplots(1, 2, figsize=(12, 6), layout="constrained")
    display = TrainingDisplay(history(1, names), final=-3.0).plot(axes[0])
    assert display.axes_.shape == (2,)
    assert display.figure_ is figure
    again = TrainingDisplay(history(3, names)).plot(display.axes_)
    assert again.axes_[0] is display.axes_[0]
    assert_readable(TrainingDisplay(history(9, names)).plot(axes[1]).figure_)


def test_the_mark_at_the_end_is_of_the_samples_of_the_curve(brief, pair):
    """Samples that lack curves, whose bounds are others, teach no model: the curve has none."""
    images, curves = pair
    lacking = np.arange(len(images)) % 5 == 0
    X = {"images": images, "curves": np.where(lacking[:, None], np.nan, curves)}
    weights = 1.0 + np.arange(len(images)) % 3
    est = brief(max_iter=2).fit(X, sample_weight=weights)
    whole = {name: array[~lacking] for name, array in X.items()}
    of_these = est.score(whole, sample_weight=weights[~lacking])
    assert_allclose(est.convergence_.bound, of_these, rtol=1e-4)
    assert est.lower_bound_ > of_these + 1.0
    display = TrainingDisplay.from_estimator(est)
    assert_allclose(lines(display.axes_[0])["final model"].get_ydata(), of_these, rtol=1e-4)
    complete = brief(max_iter=2).fit([images, curves])
    assert complete.convergence_.bound == complete.lower_bound_
