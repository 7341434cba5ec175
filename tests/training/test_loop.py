"""Steps of training, and epochs of them."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from random_models import block_update, make_data, make_model, objective, own_model, seed
from small_models import small_settings

from skcausalpima._training.block_update import data_pass, variance_floors
from skcausalpima._training.ending import Stopper
from skcausalpima._training.gradients import Adam
from skcausalpima._training.loop import Phase, Polishing, epochs, pretrain
from skcausalpima._training.observer import Observer


def test_pretraining_raises_the_bound():
    model, data = make_model(), make_data()
    noise = data.normal(90, model.n_draws, seed(7))

    def bound():
        with torch.no_grad():
            return model.unit_elbo(data.rows(slice(None)), noise).values.mean().item()

    before, prior = bound(), {k: v.clone() for k, v in model.prior.state_dict().items()}
    seen = []
    observer = calling(seen.append)
    optimizer = pretrain(model, data, small_settings(), block_update(None), observer)
    assert bound() > before + 0.5
    assert [record.epoch for record in seen] == [1, 2, 3, 4, 5]
    assert set(optimizer.moments) == {*model.encoders.parameters(), *model.decoders.parameters()}
    assert seen[-1].objective > seen[0].objective + 0.5
    for name, tensor in model.prior.state_dict().items():
        assert torch.equal(tensor, prior[name])


def calling(note):
    """Return an observer that calls a function with the record of each epoch."""
    listener = SimpleNamespace(
        epoch_begins=lambda phase: None, epoch_ended=lambda record, *rest: note(record)
    )
    return Observer([listener])


def run_training(model, data, held_out=None, observer=None, **options):
    settings = small_settings(**({"reg_covar": 1e-6, "shrinkage": 10.0} | options))
    update = block_update(variance_floors(data), reg_covar=1e-6, shrinkage=10.0)
    stopper = Stopper(0.0, n_iter_no_change=2)
    phase = Phase(model, settings, observer or Observer(), settings.temperatures, stopper=stopper)
    epochs(phase, data, update, held_out)
    phase.stopper.restore(model)
    return phase


def test_training_raises_the_bound():
    model, data = make_model(), make_data()
    before = objective(model, data)
    seen = []
    result = run_training(model, data, observer=calling(seen.append))
    assert objective(model, data) > before + 1.0
    assert [record.epoch for record in seen] == [1, 2, 3, 4]
    assert [record.terms for record in seen] == result.history
    assert not result.stopper.converged


def test_a_later_phase_begins_with_the_moments_of_the_earlier():
    model, data = make_model(), make_data()
    earlier = run_training(model, data)
    later = Polishing(model, small_settings(), Observer())
    later.follow(earlier.optimizer)
    assert set(later.optimizer.moments) == set(later.networks) < set(earlier.optimizer.moments)
    for parameter, moments in later.optimizer.moments.items():
        for name, value in moments.items():
            known = earlier.optimizer.moments[parameter][name]
            assert torch.equal(value, known)
            assert value is not known
    fresh = Polishing(model, small_settings(), Observer())
    fresh.follow(None)
    assert not fresh.optimizer.moments


def test_errors_of_the_epoch_are_those_of_its_steps():
    """At a learning rate of nearly nothing they are the mean squared errors of the model."""
    model, data = make_model(), make_data(missing=True)
    run_training(model, data, learning_rate=1e-12, temperatures=np.ones(1), batch_size=90)
    generator = seed()
    order = torch.randperm(90, generator=generator)
    noise = data.normal(90, model.n_draws, generator)
    batch = data.rows(order)
    fresh = make_model()  # as the steps met it
    with torch.no_grad():
        z = fresh.assign(batch, noise, fresh.prior.log_weights()).z
        errors = fresh.squared_errors(batch, z).sum(dim=1)
    assert_allclose(model.log_variances.exp(), errors / data.n_elements, rtol=1e-6)


@pytest.mark.slow
def test_steps_fit_the_tables_to_the_counts():
    """Many of them bring A to the shares of the clusters under a complete graph."""
    model, data = make_model(), make_data()
    model.prior.scores.data = torch.tensor([0.0, 50.0], dtype=torch.float64)
    options = {"temperatures": np.ones(50), "graph_learning_rate": 0.2}
    run_training(model, data, learning_rate=1e-12, **options)
    counts = data_pass(model, data, seed()).statistics.counts
    assert_allclose(model.prior.log_weights().exp().detach(), counts / counts.sum(), atol=0.05)


def test_gradient_clipping(monkeypatch):
    norms = []
    step = Adam.step

    def record(self):
        gradients = [p.grad for group in self.groups for p in group]
        gradients = [gradient.flatten() for gradient in gradients if gradient is not None]
        norms.append(torch.cat(gradients).norm().item())
        step(self)

    monkeypatch.setattr(Adam, "step", record)
    run_training(make_model(), make_data(), max_grad_norm=0.5, temperatures=np.ones(1))
    assert max(norms) <= 0.5 + 1e-6


def test_held_out_data_decide_and_the_best_state_is_kept():
    model, data = make_model(), make_data()
    training, held_out = data.subset(slice(0, 20)), data.subset(slice(60, 90))
    states = []

    def note(record):
        states.append((record.objective, {k: v.clone() for k, v in model.state_dict().items()}))

    options = {"learning_rate": 0.03, "temperatures": np.ones(60), "observer": calling(note)}
    result = run_training(model, training, held_out, **options)  # overfits
    assert all("held_out_bound" in terms for terms in result.history)
    best = max(states, key=lambda state: state[0])[1]
    assert best is not states[-1][1]
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, best[name])


@pytest.mark.slow
@pytest.mark.parametrize(
    "word", ["cluster_mlp", pytest.param("cluster_conv", marks=pytest.mark.long)]
)
def test_steps_and_updates_raise_the_bound_of_own_likelihoods(word):
    model, data = own_model(decoders=[word, None]), make_data()
    before = objective(model, data)
    run_training(model, data, temperatures=np.ones(30))
    assert objective(model, data) > before + 1.0
