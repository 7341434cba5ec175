"""A line, or heaps."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy.stats import norm

from skcausalpima._inference.kept_models import samples_of
from skcausalpima.inspection import GapsReport
from skcausalpima.inspection._line_or_heaps import cut_nodes, log_ratio_of_line


def drawn(seed, is_line, distance, n_samples=300):
    rng = np.random.default_rng(seed)
    along = rng.uniform(-0.5, 1.5, size=n_samples) if is_line else rng.integers(2, size=n_samples)
    return distance * along + rng.normal(size=n_samples)


@pytest.mark.parametrize("seed", range(3))
def test_the_true_form_is_told(seed):
    """The bounds hold but in one draw of a thousand of the true densities."""
    centres = np.array([0.0, 6.0])
    assert log_ratio_of_line(drawn(seed, False, 6.0), centres) < -20
    assert log_ratio_of_line(drawn(seed, True, 6.0), centres) > 0


def test_both_are_fitted_by_maximum_likelihood():
    """Of the two true densities the ratio is no further from what is fitted than chance allows.

    Each fit gains half a chi-squared of its parameters, three and four: below 10 but by chance.
    """
    numbers, centres = drawn(0, True, 6.0), np.array([0.0, 6.0])
    line = np.log((norm.cdf(numbers + 3) - norm.cdf(numbers - 9)) / 12).sum()
    of_heaps = line - log_ratio_of_line(numbers, centres)
    best = max(
        np.log(norm.pdf(numbers, 3 - half, s) / 2 + norm.pdf(numbers, 3 + half, s) / 2).sum()
        for half in np.linspace(1, 5, 30)
        for s in np.linspace(0.5, 3, 20)
    )
    assert best - 10 < of_heaps < best + 10


def test_units_do_not_matter():
    numbers, centres = drawn(1, True, 5.0), np.array([0.0, 5.0])
    one, other = (
        log_ratio_of_line(numbers, centres),
        log_ratio_of_line(1e3 * numbers - 7, 1e3 * centres - 7),
    )
    assert other == pytest.approx(one, abs=0.01)


def without_a_gap(X, quick, **parameters):
    """Return a fit that finds no gap, for all that its samples show, and these."""
    est = quick(2, **parameters).fit(X)
    est.gaps_ = GapsReport(nodes=np.ones(1), cut=np.array([True]), pairs=np.array([[0, 1]]))
    return est, samples_of(est, X)


@pytest.mark.parametrize("is_line", [False, True])
def test_a_node_is_cut_if_a_line_explains_samples_as_well(quick, is_line):
    rng = np.random.default_rng(0)
    X = np.column_stack([drawn(0, is_line, 9.0), rng.normal(size=(300, 2))])
    assert_array_equal(cut_nodes(*without_a_gap(X, quick)), [is_line])


def test_gaps_alone_tell_where_no_sample_is_complete(quick):
    rng = np.random.default_rng(0)
    heaps = np.column_stack([drawn(0, False, 9.0) for _ in range(3)] + [rng.normal(size=300)])
    heaps[np.arange(300), rng.integers(4, size=300)] = np.nan
    est, samples = without_a_gap(heaps, quick, missing_values="marginalize")
    assert_array_equal(cut_nodes(est, samples), [True])
