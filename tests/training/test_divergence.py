"""Divergence is noticed in whatever step it comes, and is told; other starts go on."""

import re
from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import torch
from same_fits import assert_same_fits
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from some_slow import each_once, some_slow
from torch import nn

from skcausalpima import Initialization, ScoreSearch
from skcausalpima._fit import restarts as _restarts
from skcausalpima._training import loop as _training
from skcausalpima._training.gradients import Adam
from skcausalpima.exceptions import DivergenceError
from skcausalpima.functional import update_mixture
from skcausalpima.modules import ExpertDecoder, line

X_POINTS = np.linspace(0.0, 1.0, 4)
ADVICE = r"\. Use a smaller training__learning_rate, clip gradients with .*max_grad_norm, .*scale="


@pytest.fixture
def spoil(monkeypatch):
    """Let the gradients of one part of a model be NaN in one step of a phase, counted from 0."""

    def install(part, phase, number):
        seen = {"model": None, "phase": None, "steps": 0}
        plain, guard = Adam.step, _training.ExpertGuard

        def noted(model, of_phase):
            seen.update(model=model, phase=of_phase, steps=0)
            return guard(model, of_phase)

        def step(optimizer, *arguments):
            if seen["phase"] == phase and seen["steps"] == number:
                for name, parameter in seen["model"].named_parameters():
                    if name.startswith(part) and parameter.grad is not None:
                        parameter.grad.fill_(torch.nan)
            seen["steps"] += 1
            return plain(optimizer, *arguments)

        monkeypatch.setattr(Adam, "step", step)
        monkeypatch.setattr(_training, "ExpertGuard", noted)

    return install


# 72 samples in batches of 128 are a step an epoch; those of the graph alone are more.
STEPS = {"pre-training": 2, "training": 3, "polishing": 5}


@pytest.mark.parametrize(("phase", "variance"), each_once(list(STEPS), ["learned", 0.5]))
@pytest.mark.parametrize(
    ("part", "told"),
    [
        ("decoders.0", r"decoders\['modality0'\]|squared errors of \['modality0'\]"),
        ("decoders.1", r"decoders\['modality1'\]|squared errors of \['modality1'\]"),
        ("encoders.1", r"encoders\['modality1'\]|squared errors|covariances"),
    ],
)
def test_the_last_step_of_each_phase(quick, pair, spoil, part, told, phase, variance):
    spoil(part, phase, STEPS[phase] - 1)
    model = quick(decoder_variance=variance, structure=ScoreSearch(polishing_epochs=5))
    where = f"in epoch {STEPS[phase]} of {phase}"
    match = f"Training diverged: .*({told}).* not finite, {where}{ADVICE}"
    with pytest.raises(DivergenceError, match=match):
        model.fit(pair)
    with pytest.raises(NotFittedError):
        model.predict(pair)


@pytest.mark.parametrize("structure", ["refined", "gradient"])
def test_the_last_step_of_the_graph(quick, pair, spoil, structure):
    """The graph is fixed in closed form after it, from counts that are no longer numbers."""
    spoil("prior", "training", 2)
    model = quick(structure=structure)
    with pytest.raises(ValueError, match=r"the prior are not finite, in epoch 3 of training"):
        model.fit(pair)


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({"decoders": "cluster_mlp"}, marks=pytest.mark.slow),
        {"decoder_variance": "predicted"},
        {"experts": [None, line]},
        {"encoders": [lambda shape, size: nn.Sequential(nn.Flatten(), nn.Linear(6, 2 * size))] * 2},
        pytest.param({"training__validation_fraction": 0.2}, marks=pytest.mark.slow),
    ],
    ids=["cluster decoders", "predicted", "expert", "factories", "held out"],
)
def test_the_last_step_of_all_kinds_of_models(quick, pair, spoil, options):
    if "encoders" in options:
        options = {"encoders": [options["encoders"][0], None]}
    spoil("encoders.0", "polishing", 2)
    with pytest.raises(DivergenceError, match="in epoch 3 of polishing"):
        quick(structure=ScoreSearch(polishing_epochs=3), **options).fit(pair)


def test_a_step_on_the_way_is_told_with_its_epoch(quick, pair, spoil):
    spoil("decoders.0", "training", 1)
    with pytest.raises(DivergenceError, match=rf"not finite, in epoch 3 of training{ADVICE}"):
        quick(max_iter=5).fit(pair)


def test_a_fit_that_is_continued_stays_as_it_was(pair, fitted_warm, spoil):
    model = deepcopy(fitted_warm)
    before = vars(model).copy()
    spoil("decoders.0", "training", 2)
    with pytest.raises(DivergenceError, match="in epoch 6 of training"):
        model.fit(pair)
    assert vars(model) == before
    assert_same_fits(model, fitted_warm, pair)


@pytest.mark.parametrize("warm_start", some_slow([False, True], [False]))
def test_the_best_state_of_held_out_data_is_kept(quick, pair, spoil, monkeypatch, warm_start):
    options = {"training__validation_fraction": 0.2, "warm_start": warm_start}
    spoil("decoders", "training", 2)
    model, stated = quick(**options), "cannot be continued" if warm_start else "is kept. Use"
    with pytest.warns(ConvergenceWarning, match=f"diverged in epoch 3, its last.*{stated}") as told:
        model.fit(pair)
    assert [warning.filename for warning in told] == [__file__]
    assert np.isfinite(model.lower_bound_)
    assert all(np.isfinite(array).all() for array in model._fitted.numbers.values())
    assert np.isnan(model.history_["objective"][-1])
    assert model.n_iter_ == 3
    if warm_start:
        monkeypatch.undo()
        assert model.fit(pair).n_iter_ == 3  # afresh: there is nothing to go on from


def test_buffers_of_your_own_modules_may_hold_what_they_like(quick, pair):
    class Masked(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(6, 4)
            self.register_buffer("mask", torch.tensor([0.0, -torch.inf, torch.nan]))

        def forward(self, x):
            return self.layer(x.flatten(1))

    assert np.isfinite(quick(encoders=[Masked(), None]).fit(pair).lower_bound_)


UNTRAINED = Initialization(pretraining_epochs=0)


def diverging(settings):
    """Return settings with steps that lead nowhere, the first of training among them."""
    steps = replace(settings.steps, learning_rate=1e200)
    return replace(settings, steps=steps, schedule=replace(settings.schedule, pretraining_epochs=0))


def only_some_diverge(monkeypatch, *numbers):
    """Let the starts of these numbers diverge, and note who has run."""
    plain, seen = _restarts.run, []

    def run(setup, data, start, seed, observer):
        seen.append(observer.run)
        if observer.run in numbers:
            setup = replace(setup, training=diverging(setup.training))
        return plain(setup, data, start, seed, observer)

    monkeypatch.setattr(_restarts, "run", run)
    return seen


SOME = [pytest.param(which, marks=pytest.mark.long) for which in [(1,), (2,), (3,)]]


@pytest.mark.slow
@pytest.mark.parametrize("which", [(1, 3), *SOME])
def test_starts_that_diverge_are_left_out(quick, pair, monkeypatch, which):
    model = quick(n_init=3, max_iter=2)
    runs, plain = {}, _restarts.run

    def noted(*arguments):
        number = arguments[-1].run
        runs[number] = plain(*arguments)
        return runs[number]

    with monkeypatch.context() as patch:
        patch.setattr(_restarts, "run", noted)
        clone(model).fit(pair)
    best = max((run for n, run in runs.items() if n not in which), key=lambda r: r.objective)
    only_some_diverge(monkeypatch, *which)
    with pytest.warns(ConvergenceWarning) as caught:
        model.fit(pair)
    assert [warning.filename for warning in caught] == [__file__] * len(which)
    for warning, number in zip(caught, which, strict=True):
        told = (
            f"n_init: start {number} of 3 is left out. Training diverged: .* in epoch 2 of training"
        )
        assert re.match(told + ADVICE, str(warning.message))
    np.testing.assert_array_equal(model._fitted.numbers["prior.means"], best.state["prior.means"])


@pytest.mark.parametrize("n_jobs", [1, pytest.param(2, marks=pytest.mark.long)])
def test_where_all_starts_diverge(quick, pair, n_jobs):
    model = quick(n_init=2, n_jobs=n_jobs, training__learning_rate=1e200, init=UNTRAINED)
    match = (
        rf"All 2 starts \(n_init\) diverged\. The last: Training diverged: .*epoch 2 of t.*{ADVICE}"
    )
    with (
        pytest.warns(ConvergenceWarning, match="start [12] of 2 is left out") as caught,
        pytest.raises(DivergenceError, match=match),
    ):
        model.fit(pair)
    assert len(caught) == 2


class BrokenByChance(nn.Module):
    """A decoder whose training diverges in about half of the starts."""

    def __init__(self, latent_dim):
        super().__init__()
        self.layer = nn.Linear(latent_dim, 4)
        self.register_buffer("factor", torch.ones(()))
        self.factor.fill_(torch.nan if torch.rand(()) < 0.5 else 1.0)

    def forward(self, x):
        return self.layer(x) * self.factor if self.training else self.layer(x)


def broken_by_chance(shape, latent_dim):
    return BrokenByChance(latent_dim)


def shapeless(shape, latent_dim):
    """Make a decoder that raises in training."""
    return nn.Sequential(nn.Linear(latent_dim, 4), OnlyInEvaluation())


class OnlyInEvaluation(nn.Module):
    def forward(self, x):
        if self.training:
            raise RuntimeError("shapes cannot be multiplied")
        return x


@pytest.mark.long
def test_workers_leave_out_the_same_starts(quick, pair):
    fits, told = [], []
    for n_jobs in (1, 2):
        model = quick(n_init=4, n_jobs=n_jobs, decoders=[None, broken_by_chance])
        with pytest.warns(ConvergenceWarning, match="of 4 is left out") as caught:
            fits.append(model.fit(pair))
        told.append([str(warning.message) for warning in caught])
    assert told[0] == told[1]
    assert 1 <= len(told[0]) <= 3
    assert_same_fits(*fits, pair)


@pytest.mark.parametrize("n_jobs", [1, pytest.param(2, marks=pytest.mark.long)])
def test_errors_of_your_own_modules_end_the_fit(quick, pair, n_jobs):
    model = quick(n_init=2, n_jobs=n_jobs, decoders=[None, shapeless])
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        model.fit(pair)


EPOCH, PART = r"epoch \d+ of (pre-training|training|polishing)", "initialization|selection"
PLACE = rf"in ({EPOCH}|the ({PART}|final model).*)"
WILD = [(100.0, np.float32, 2), (1e3, np.float64, 0), (1e30, np.float32, 0)]
OPTIONS = {
    "default": {},
    "one node": {"node_sizes": (4,)},
    "paper": {"init": "paper"},
    "gradient": {"structure": "gradient"},
    "tied": {"mixture": "tied"},
    "cluster": {"decoders": "cluster_mlp"},
    "predicted": {"decoder_variance": "predicted"},
    "given": {"decoder_variance": 0.3},
    "per sample": {"experts": [None, ExpertDecoder(line, X_POINTS, per="sample")]},
    "held out": {"training__validation_fraction": 0.2},
    "clipped": {"training__max_grad_norm": 1.0},
    "conv": {"encoders": "conv"},
}


FAST = ["default"]


@pytest.mark.slow
@pytest.mark.parametrize("name", some_slow(OPTIONS, FAST))
@pytest.mark.filterwarnings("ignore:The model function", "ignore:Training diverged")
@pytest.mark.filterwarnings("ignore:The encoders of samples that lack modalities diverged")
def test_wild_learning_rates_end_well_or_are_told(taught, pair, name):
    for rate, dtype, epochs in WILD:
        model = taught(**({"structure": ScoreSearch(polishing_epochs=3)} | OPTIONS[name]))
        model.set_params(training__learning_rate=rate, init__pretraining_epochs=epochs)
        try:
            model.fit([array.astype(dtype) for array in pair])
        except DivergenceError as error:
            told = str(error)
        else:
            told = ""
            assert np.isfinite(model.lower_bound_)
            assert all(np.isfinite(array).all() for array in model._fitted.numbers.values())
        assert not told or re.search(PLACE + ADVICE, told)


@pytest.fixture
def indefinite(monkeypatch):
    """Let updates return covariances such as rounding leaves at rates that are far too high."""

    def turned(*arguments):
        update = update_mixture(*arguments)
        return update._replace(covariances=-update.covariances)

    monkeypatch.setattr("skcausalpima._training.block_update.update_mixture", turned)


@pytest.mark.usefixtures("indefinite")
def test_matrices_that_are_not_positive_definite(quick, pair):
    with pytest.raises(DivergenceError, match=f"cannot be factorised .*{PLACE}{ADVICE}") as caught:
        quick(init=UNTRAINED).fit(pair)
    assert isinstance(caught.value.__cause__, torch.linalg.LinAlgError)


@pytest.mark.slow
@pytest.mark.usefixtures("indefinite")
def test_a_weight_beyond_all_others(quick, pair):
    weights = np.ones(72)
    weights[0] = 1e18
    match = rf"cannot be factorised .*{PLACE}{ADVICE}.*weights are over a million times others"
    with pytest.raises(DivergenceError, match=match):
        quick().fit(pair, sample_weight=weights)
