"""What the parameters of training and of the networks do."""

import copy
import itertools
from contextlib import nullcontext

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from some_slow import some_slow
from torch import nn

from skcausalpima import CausalPIMA, GradientStructure, Initialization, MissingValues
from skcausalpima._fit import restarts as _restarts
from skcausalpima.exceptions import InstabilityWarning

TERMS = ["evidence", "potential"]


def finds_nothing():
    """Expect to be told: in so few epochs random networks find no clusters."""
    return pytest.warns(InstabilityWarning, match=r"\[one-cell\]")


def test_history_holds_the_terms_of_the_bound(fitted):
    history = fitted.history_
    assert {len(values) for values in history.values()} == {fitted.n_iter_} == {3}
    total = sum(history[key] for key in history if key in TERMS or key.startswith("reconstruc"))
    assert_allclose(total, history["lower_bound"], rtol=1e-12)
    assert (history["temperature"] == 1.0).all()
    assert all(isinstance(values, np.ndarray) for values in history.values())


def test_objective_weighs_the_modalities(quick, pair):
    model = quick(modality_weights=[3.0, 1.0]).fit(pair)
    history, n_elements = model.history_, pair[0][0].size
    in_units = -n_elements * np.log(model._fitted.scaler.factor[0])  # weights are of scaled data
    extra = 2.0 * (history["reconstruction_modality0"] - in_units)
    assert_allclose(history["objective"], history["lower_bound"] + extra, rtol=1e-12)


@pytest.mark.slow
def test_weights_words_and_numbers(quick, pair, fitted):
    """Elements are the plain bound; what training weighs is in tests/modules."""
    elements = quick(modality_weights="elements").fit(pair)
    assert_allclose(elements.history_["objective"], elements.history_["lower_bound"], rtol=1e-12)
    assert elements.lower_bound_ == quick(modality_weights=[1, 1]).fit(pair).lower_bound_
    assert elements.lower_bound_ != fitted.lower_bound_


# Stopping --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tol", "n_iter_no_change", "n_iter"),
    some_slow([(0.0, 1, 12), (1e6, 2, 3), (1e6, 5, 6)], [(1e6, 2, 3)]),
)
def test_early_stopping(quick, pair, tol, n_iter_no_change, n_iter):
    """The first epoch always counts as a rise."""
    model = quick(max_iter=12, training__tol=tol, training__n_iter_no_change=n_iter_no_change).fit(
        pair
    )
    assert model.n_iter_ == n_iter
    assert model.converged_ == (tol > 0)
    assert {len(values) for values in model.history_.values()} == {n_iter}


def test_validation_samples_do_not_train(quick, pair):
    model = quick(training__validation_fraction=0.25, max_iter=8, training__tol=0.0).fit(pair)
    assert model.history_["held_out_bound"].shape == (8,)
    assert model.labels_.shape == (72,)
    assert_allclose(model.score(pair), model.lower_bound_)
    best = model.history_["held_out_bound"].max()
    assert np.isfinite(best)


def test_the_best_start_is_kept(quick, pair, monkeypatch):
    runs = []

    def record(*arguments):
        runs.append(run(*arguments))
        return runs[-1]

    run = _restarts.run
    monkeypatch.setattr(_restarts, "run", record)
    model = quick(n_init=3).fit(pair)
    assert len(runs) == 3
    best = max(runs, key=lambda candidate: candidate.objective)
    assert len({candidate.objective for candidate in runs}) == 3
    for name, array in best.state.items():
        assert_array_equal(model._fitted.numbers[name], array)
    assert model.n_iter_ == len(best.history)


@pytest.mark.slow
@pytest.mark.parametrize(
    "temperature", [(5.0, 0.05), pytest.param((0.05, 5.0), marks=pytest.mark.long)]
)
def test_the_best_state_has_its_own_temperature(quick, pair, temperature):
    """Edges and held-out bound belong together, whatever came later."""
    options = {
        "training__validation_fraction": 0.3,
        "training__learning_rate": 0.2,
        "training__tol": 0.0,
        "random_state": 0,
    }
    long = quick(max_iter=30, structure=GradientStructure(temperature=temperature), **options)
    long.fit(pair)
    best = int(long.history_["objective"].argmax())
    assert best < 29
    schedule = np.geomspace(*temperature, 30)[: best + 1]
    structure = GradientStructure(temperature=(temperature[0], schedule[-1]))
    short = quick(max_iter=best + 1, structure=structure, **options)
    assert_allclose(long.edge_weights_, short.fit(pair).edge_weights_, rtol=1e-6)


# Schedules and steps ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("temperature", "expected"),
    some_slow(
        [(2.0, [2, 2, 2]), ((4.0, 1.0), [4, 2, 1]), ([1, 1], [1, 1, 1])], [((4.0, 1.0), [4, 2, 1])]
    ),
)
def test_temperature(quick, pair, temperature, expected):
    model = quick(structure=GradientStructure(temperature=temperature)).fit(pair)
    assert_allclose(model.history_["temperature"], expected)


SOONEST = {"max_iter": 1, "init": "paper", "posterior": "mean_field"}


@pytest.fixture(scope="module")
def once(quick, pair):
    """A fit of one epoch."""
    return quick(**SOONEST).fit(pair)


@pytest.mark.parametrize(
    "parameters",
    [
        {"init": Initialization("paper", pretraining_epochs=0)},
        *(
            pytest.param(parameters, marks=pytest.mark.slow)  # other tests would notice, too
            for parameters in (
                {"posterior": "structured"},
                {"structure": "gradient"},
                {"init": "arranged"},
                {"init": "linear"},
                {"hidden_layer_sizes": ()},
            )
        ),
        {"structure__polishing_epochs": 0},
        {"structure__edge_penalty": 1.0},
        pytest.param({"structure__learning_rate": 0.5}, marks=pytest.mark.slow),
        {"training__max_grad_norm": 1e-3},
        {"mixture__shrinkage": 0},
        pytest.param({"mixture__shrinkage": 1000.0}, marks=pytest.mark.slow),
        {"training__batch_size": 7},
        pytest.param({"training__batch_size": 1000}, marks=pytest.mark.slow),
        {"training__learning_rate": 0.1},
        {"decoder_variance": 0.3},
        {"mixture__reg_covar": 0.1},
    ],
    ids=str,
)
def test_options_have_an_effect(quick, pair, once, parameters):
    model = quick(**(SOONEST | parameters)).fit(pair)
    assert np.isfinite(model.lower_bound_)
    assert_array_equal(model.predict(pair), model.labels_)
    changed = not np.array_equal(model.transform(pair), once.transform(pair))
    changed |= not np.array_equal(model.edge_weights_, once.edge_weights_)
    changed |= not np.array_equal(model.cluster_covariances_, once.cluster_covariances_)
    assert changed == (
        parameters != {"training__batch_size": 1000}
    )  # 72 samples are one batch anyway


def test_decoder_variance_is_fixed_or_learned(quick, pair, fitted):
    assert_allclose(
        np.exp(quick(decoder_variance=0.3).fit(pair)._fitted.numbers["log_variances"]), 0.3
    )
    assert (np.exp(fitted._fitted.numbers["log_variances"]) < 1.0).all()


def test_published_algorithm(quick, pair):
    model = CausalPIMA.published((2, 2), max_iter=3, hidden_layer_sizes=(8,), random_state=0)
    assert model.init == "paper"
    assert model.structure == "gradient"
    assert model.latent_dim == 2
    assert model.missing_values == MissingValues("error", subset_epochs=0)
    assert CausalPIMA.published(latent_dim=3).latent_dim == 3  # what is stated goes first
    with pytest.raises(TypeError, match="no parameter latent_dimension: did you mean latent_dim"):
        CausalPIMA.published(latent_dimension=3)
    with finds_nothing():
        model.fit(pair)
    assert_array_equal(model.predict(pair), model.labels_)
    assert_allclose(model.score(pair), model.lower_bound_)


# Your own networks -----------------------------------------------------------------------------


def seeded(make):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return make()


def encoder(*middle):
    return seeded(lambda: nn.Sequential(nn.Flatten(), nn.Linear(6, 8), *middle, nn.Linear(8, 4)))


def decoder():
    return seeded(lambda: nn.Sequential(nn.Linear(2, 6), nn.Unflatten(1, (3, 2))))


@pytest.mark.parametrize(
    ("form", "init"),
    some_slow(itertools.product([list, dict], ["linear", "paper"]), [(dict, "paper")]),
)
def test_user_modules_are_copied_and_trained(quick, pair, form, init):
    encoders, decoders = [encoder(nn.ReLU()), None], [decoder(), None]
    if form is dict:
        encoders, decoders = {"modality0": encoders[0]}, {"modality0": decoders[0]}
    before = copy.deepcopy([encoders, decoders])

    def told():
        return finds_nothing() if init == "paper" else nullcontext()

    with told():
        model = quick(encoders=encoders, decoders=decoders, init=init, max_iter=1).fit(pair)
    assert_array_equal(model.predict(pair), model.labels_)
    for modules, originals in zip([encoders, decoders], before, strict=True):
        key = "modality0" if form is dict else 0
        assert modules[key].training
        for name, tensor in originals[key].state_dict().items():
            assert torch.equal(modules[key].state_dict()[name], tensor)
            assert modules[key].state_dict()[name].grad is None
    trained, start = model._fitted.numbers["decoders.0.network.0.weight"], before[1][key][0].weight
    assert not np.allclose(trained, start.detach().numpy())
    with told():
        assert_array_equal(clone(model).fit(pair).labels_, model.labels_)


def test_the_users_modules_may_change_after_the_fit(brief, pair):
    own = encoder(nn.ReLU())
    model = brief(encoders=[own, None]).fit(pair)
    expected = model.transform(pair)
    with torch.no_grad():
        own[1].weight.zero_()
    assert_array_equal(model.transform(pair), expected)


def test_a_fitted_model_keeps_its_networks(brief, pair):
    """Parameters set afterwards are for the next fit."""
    for one, other in [([encoder(), None], None), (None, [encoder(), None])]:
        model = brief(encoders=one).fit(pair)
        expected = model.transform(pair)
        assert_array_equal(model.set_params(encoders=other).transform(pair), expected)


@pytest.mark.parametrize("batch_size", some_slow([7, 71, 128], [71]))
def test_batch_norm(random_start, pair, batch_size):
    """Predictions do not depend on the batch, and no batch is too small to train on."""
    model = random_start(
        encoders=[encoder(nn.BatchNorm1d(8)), None], training__batch_size=batch_size
    ).fit(pair)
    rows = range(0, 72, 6)
    alone = np.concatenate([model.transform([a[k : k + 1] for a in pair]) for k in rows])
    assert_allclose(model.transform(pair)[rows], alone, atol=1e-9)


def test_frozen_modules(random_start, pair):
    """Nothing to train in the networks: the mixture and the graph are still learned."""
    encoders = [encoder().requires_grad_(False), seeded(lambda: nn.Linear(4, 4))]
    encoders[1].requires_grad_(False)
    decoders = [decoder().requires_grad_(False), seeded(lambda: nn.Linear(2, 4))]
    decoders[1].requires_grad_(False)
    model = random_start(encoders=encoders, decoders=decoders, decoder_variance=1.0).fit(pair)
    assert np.isfinite(model.lower_bound_)
    assert_array_equal(
        model._fitted.numbers["encoders.1.weight"], encoders[1].weight.double().numpy()
    )


class Slopes(nn.Module):
    """A module without parameters: the first columns."""

    def __init__(self, *shape):
        super().__init__()
        self.shape = shape

    def forward(self, x):
        return x.flatten(1)[:, :1].expand(-1, int(np.prod(self.shape))).unflatten(1, self.shape)


def test_modules_without_parameters(random_start, pair):
    modules = {"encoders": [Slopes(4)] * 2, "decoders": [Slopes(3, 2), Slopes(4)]}
    assert np.isfinite(random_start(**modules).fit(pair).lower_bound_)


def numbers_among(params):
    """Yield names and values that are numbers, of all parameters and their parts."""
    for name, value in sorted(params.items()):
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            yield name, value


@pytest.mark.short_fits
@pytest.mark.parametrize(
    ("name", "value"),
    [
        pytest.param(*pair, id=pair[0])
        for pair in numbers_among(
            CausalPIMA(2, latent_dim=2, max_iter=1, n_init=1, n_jobs=1, random_state=0).get_params()
        )
    ],
)
def test_numbers_of_numpy_are_numbers(name, value):
    """As of ``2 ** np.arange(5, 8)``, which a search tries; the estimator keeps what is given."""
    kind = np.int64 if isinstance(value, int) else np.float64
    X = np.random.default_rng(0).normal(size=(24, 3)) + 5 * (np.arange(24) % 2)[:, None]
    given = CausalPIMA(2, latent_dim=2, max_iter=1, n_init=1, n_jobs=1, random_state=0)
    other = CausalPIMA(2, latent_dim=2, max_iter=1, n_init=1, n_jobs=1, random_state=0)
    other.set_params(**{name: kind(value)})
    assert_array_equal(other.fit(X).cluster_means_, given.fit(X).cluster_means_)
    assert type(other.get_params()[name]) is kind
