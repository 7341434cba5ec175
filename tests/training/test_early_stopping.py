"""When training stops, and which state is kept."""

import numpy as np
import pytest
import torch
from random_models import REGIMES, intervene, make_data, make_model

from skcausalpima._training.ending import Stopper, interquartile_range


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


@pytest.mark.parametrize("factor", [1e-6, 1.0, 1e6])
def test_a_relative_tolerance_has_no_unit(factor):
    stopper = Stopper(0.1, n_iter_no_change=2, is_relative=True)
    stops = [stopper.stop(factor * v, None, factor * 10.0) for v in (0.0, 2.0, 2.5, 2.9)]
    assert stops == [False, False, False, True]


def test_the_spread_is_that_of_numpy_and_not_of_outliers():
    values = torch.from_numpy(np.random.default_rng(0).normal(size=401))
    quartiles = np.quantile(values.numpy(), [0.25, 0.75])
    assert interquartile_range(values) == pytest.approx(quartiles[1] - quartiles[0])
    values[3] = 1e12
    assert interquartile_range(values) < 2.0


def test_the_best_state_has_how_nodes_were_set():
    model = make_model()
    intervene(make_data(), model, known=False)
    stopper, best = Stopper(0.0, 10), model.prior.set_logs.clone()
    stopper.stop(1.0, model)
    model.prior.set_interventions(REGIMES, torch.ones(3, 4, dtype=torch.float64))
    stopper.stop(0.0, model)
    stopper.restore(model)
    assert torch.equal(model.prior.set_logs, best)
