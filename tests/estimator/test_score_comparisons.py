"""Scores of different models compare: against a density that is known."""

import numpy as np
import pytest
from scipy import special, stats

from skcausalpima import CausalPIMA, Initialization, MissingValues

# Four Gaussians in a plane, seen through six and four elements. All elements of a modality have
# one spread and one noise, so that the model can describe them exactly in any ``scale``; latent
# axes are equally precise, so that its factorised posterior is the exact one.
MEANS = 4.0 * np.array(list(np.ndindex(2, 2))) - 2.0
NOISE = np.repeat([0.5, 1.0], [6, 4])
ANGLES = np.concatenate([np.pi * np.arange(6) / 6, np.pi * np.arange(4) / 4])
LOADINGS = 2.0 * np.stack([np.cos(ANGLES), np.sin(ANGLES)]) * NOISE


def draw(n_samples, random_state):
    rng = np.random.default_rng(random_state)
    points = MEANS[rng.integers(4, size=n_samples)] + rng.normal(size=(n_samples, 2))
    flat = points @ LOADINGS + NOISE * rng.normal(size=(n_samples, 10)) + 7.0
    return [flat[:, :6].reshape(-1, 3, 2), flat[:, 6:]]


def log_density(X):
    flat = np.hstack([array.reshape(len(array), -1) for array in X]) - 7.0
    covariance = LOADINGS.T @ LOADINGS + np.diag(NOISE**2)
    parts = [stats.multivariate_normal(mean @ LOADINGS, covariance).logpdf(flat) for mean in MEANS]
    return special.logsumexp(parts, axis=0) - np.log(4)


@pytest.fixture(scope="module")
def held_out():
    X = draw(4000, 1)
    return X, log_density(X)


@pytest.fixture(scope="module")
def shortfalls(held_out):
    """How far each model's bound of the held-out samples is below their log-density."""
    X, truth = held_out
    train, found = draw(400, 0), {}

    def shortfall(**parameters):
        key = str(sorted(parameters.items()))
        if key not in found:
            affine = {"hidden_layer_sizes": (), "modality_weights": "elements"}
            quick = {"structure": "gradient", "missing_values": MissingValues(subset_epochs=0)}
            quick["init"] = Initialization("linear", pretraining_epochs=5)
            steps = {"max_iter": 15, "training__batch_size": 50, "training__learning_rate": 1e-2}
            options = {"node_sizes": (4,), "latent_dim": 2, "random_state": 0}
            given = affine | quick | steps | options | parameters
            model = CausalPIMA().set_params(**given).fit(train)
            found[key] = truth - model.score_samples(X)
        return found[key]

    return shortfall


PARAMETERS = [
    {},
    {"latent_dim": 3},
    {"latent_dim": 5},
    {"node_sizes": (2,)},
    {"node_sizes": (6,)},
    {"node_sizes": (2, 2)},
    {"mixture": "diag"},
    {"mixture": "tied"},
    {"mixture": "spherical"},
    {"scale": "feature"},
    {"scale": None},
]
SOON = [{}, {"mixture": "tied"}]


@pytest.mark.slow
@pytest.mark.parametrize(
    "parameters",
    [pytest.param(of, marks=[] if of in SOON else pytest.mark.long) for of in PARAMETERS],
    ids=str,
)
def test_no_score_exceeds_the_true_density_and_none_is_far_below(shortfalls, parameters):
    """On average no density exceeds the true one: by four standard errors once in 30 000 data sets.

    A constant that is missing is 0.92 for each latent dimension or element, or log 4 for the cells.
    """
    shortfall = shortfalls(**parameters)
    error = shortfall.std() / np.sqrt(len(shortfall))
    assert shortfall.mean() > -4 * error
    assert shortfall.mean() < 0.8


@pytest.mark.slow
@pytest.mark.short_fits  # other numbers are alarmed
def test_the_true_number_of_outcomes_beats_a_smaller_one(shortfalls):
    gain = shortfalls(node_sizes=(2,)) - shortfalls()
    assert gain.mean() > 4 * gain.std() / np.sqrt(len(gain))
    more = shortfalls() - shortfalls(node_sizes=(6,))
    assert more.mean() < 0.1  # two more find nothing
