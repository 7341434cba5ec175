"""What one phase of a fit hands on to the next."""

import pytest

from skcausalpima import CausalPIMA, Training
from skcausalpima._fit import short_runs
from skcausalpima._training import loop
from skcausalpima.datasets import make_circles_images


@pytest.mark.slow
@pytest.mark.short_fits
def test_the_optimizer_goes_on_from_phase_to_phase(monkeypatch):
    """Its step count rises by the steps of each, so that no phase begins without moments."""
    counts, step = {}, loop.gradient_step

    def noted(loss, optimizer, *others):
        step(loss, optimizer, *others)
        moments = optimizer.moments[optimizer.groups[0][0]]
        counts.setdefault(optimizer, []).append(int(moments["step"]))

    monkeypatch.setattr(loop, "gradient_step", noted)
    monkeypatch.setattr(short_runs, "MAX_SAMPLES", 0)  # none are made
    images = make_circles_images(200, random_state=0).images
    training = Training(batch_size=50)
    CausalPIMA((2, 2), max_iter=3, training=training, random_state=0, verbose=0).fit(images)
    pretraining, training, polishing = counts.values()
    assert pretraining == list(range(1, 1 + len(pretraining)))
    of_networks = sorted(set(training))  # steps of the graph do not count there
    assert of_networks == list(range(len(pretraining) + 1, len(pretraining) + 13))
    assert min(polishing) == of_networks[-1] + 1
