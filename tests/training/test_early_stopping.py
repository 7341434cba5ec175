"""When training stops, and which state is kept."""

import numpy as np
import pytest
import torch
from random_models import (
    REGIMES,
    intervene,
    make_data,
    make_model,
)

from skcausalpima._training.early_stopping import Stopper


@pytest.mark.parametrize(
    ("tol", "objectives", "stopped_at"),
    [
        (1.0, [0.0, 2.0, 2.5, 2.9], 3),  # rises of less than tol do not count
        (1.0, [0.0, 2.0, 0.0, 3.5, 0.0, 0.0], 5),
        (0.0, [0.0, -1.0, -2.0, -3.0, -4.0], None),
        (1.0, [np.nan, np.nan, np.nan], 1),
    ],
)
def test_stopper(tol, objectives, stopped_at):
    stopper = Stopper(tol, n_iter_no_change=2)
    stops = [stopper.stop(value, None) for value in objectives]
    assert (stops.index(True) if True in stops else None) == stopped_at


def test_the_best_state_has_how_nodes_were_set():
    model = make_model()
    intervene(make_data(), model, known=False)
    stopper, best = Stopper(0.0, 10), model.prior.set_logs.clone()
    stopper.stop(1.0, model)
    model.prior.set_interventions(REGIMES, torch.ones(3, 4, dtype=torch.float64))
    stopper.stop(0.0, model)
    stopper.restore(model)
    assert torch.equal(model.prior.set_logs, best)
