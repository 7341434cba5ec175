"""Least squares on probabilities of cells: oracles, bias and false alarms."""

import numpy as np
import pytest

from skcausalpima.inspection._column_effects import against_others, estimate

DIFFERENCE = np.array([[-1.0, 1.0]])


def test_of_known_cells_it_is_the_difference_of_means_with_the_errors_of_hc3():
    rng = np.random.default_rng(0)
    labels, x = np.repeat([0, 1], [30, 50]), rng.exponential(size=(80, 3))
    found = estimate(np.eye(2)[labels], x, DIFFERENCE)
    groups = x[labels == 0], x[labels == 1]
    np.testing.assert_allclose(found.effect[0], groups[1].mean(axis=0) - groups[0].mean(axis=0))
    # leverages are 1 / n: each mean has the variance of residuals over n, times (n / (n - 1))**2
    variances = [np.square(g - g.mean(axis=0)).sum(axis=0) / (len(g) - 1) ** 2 for g in groups]
    np.testing.assert_allclose(found.error[0], np.sqrt(sum(variances)))
    assert found.n_free == 78


def test_means_of_cells_are_without_bias_where_cells_are_in_doubt():
    """The mean of 200 estimates lies within three of its standard errors: 1 false alarm in 370."""
    rng, effects = np.random.default_rng(0), []
    for _ in range(200):
        labels = rng.integers(2, size=100)
        other = rng.normal(size=100) + 1.5 * labels
        share = 1.0 / (1.0 + np.exp(-1.5 * (other - 0.75)))  # what the other column says
        x = rng.normal(size=(100, 1)) + 2.0 * labels[:, None]
        effects.append(estimate(np.stack([1 - share, share], 1), x, DIFFERENCE).effect[0, 0])
    error = np.std(effects) / np.sqrt(len(effects))
    assert abs(np.mean(effects) - 2.0) < 3.0 * error


@pytest.mark.parametrize("noise", ["normal", "exponential", "outliers"])
def test_p_values_of_noise_are_not_too_small(noise):
    """Of 2000 columns at most 5 % + 4 standard errors are below .05: 1 false alarm in 30 000."""
    rng = np.random.default_rng(1)
    x = (
        rng.exponential(size=(100, 2000))
        if noise == "exponential"
        else rng.normal(size=(100, 2000))
    )
    x[:2] *= 1e3 if noise == "outliers" else 1.0
    share = rng.beta(0.5, 0.5, size=100)
    p_values = estimate(np.stack([share, 1 - share], axis=1), x, DIFFERENCE).p_value
    assert (p_values < 0.05).mean() < 0.05 + 4 * np.sqrt(0.05 * 0.95 / 2000)


def test_a_column_that_never_varies_has_no_p_value():
    found = estimate(np.eye(2)[[0, 1] * 10], np.ones((20, 1)), DIFFERENCE)
    assert np.isnan(found.p_value[0, 0])
    np.testing.assert_allclose(found.effect, 0.0, atol=1e-12)


def test_contrasts_average_over_what_other_nodes_have_in_common():
    joint = np.array([[0.1, 0.3, 0.1], [0.2, 0.3, 0.0]])
    contrasts = against_others(joint, joint > 0)
    np.testing.assert_allclose(contrasts[1, 1], [0.3 / 0.9, 0.6 / 0.9, 0.0])
    np.testing.assert_allclose(contrasts[0], -contrasts[1])


def test_an_outcome_that_is_nowhere_is_not_compared():
    joint = np.array([[0.5], [0.0], [0.5]])
    contrasts = against_others(joint, joint > 0)[..., 0]
    assert np.isnan(contrasts[1]).all()
    np.testing.assert_allclose(contrasts[2], [-1.0, 0.0, 1.0])
