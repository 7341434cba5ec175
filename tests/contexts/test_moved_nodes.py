"""Contexts that change one node and nothing else."""

import numpy as np
import pytest
from fitted_contexts import fitted_contexts
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import chi2_contingency

from skcausalpima import CausalPIMA
from skcausalpima._contexts.fitted import NO_CONTEXTS
from skcausalpima._contexts.moved_nodes import _information, moved_alone, moved_by_contexts


def drawn(rng, mixes, n_samples, sizes):
    return np.array([rng.multinomial(n_samples, mix) for mix in mixes]).reshape(-1, *sizes) * 1.0


def test_what_labels_tell_is_the_likelihood_ratio_of_scipy():
    table = np.random.default_rng(0).integers(1, 30, size=(3, 6)).astype(float)
    expected = chi2_contingency(table, correction=False, lambda_="log-likelihood").statistic
    assert_allclose(_information(table), expected)
    assert_allclose(_information(np.vstack([table, np.zeros(6)])), expected)


@pytest.mark.parametrize("concentration", [None, 1.0, 5.0])
@pytest.mark.parametrize("sizes", [(2, 2), (2, 3), (2, 2, 2)])
def test_kinds_that_change_are_told_as_seldom_as_chance_has_it(sizes, concentration):
    """Any node in one of twenty sets: above .1 of 300 in one of 10 000 tests."""
    rng, n_cells, told = np.random.default_rng(0), int(np.prod(sizes)), []
    for _ in range(300):
        mix = rng.dirichlet(np.full(n_cells, 5.0))
        mixes = [mix, mix]
        if concentration is not None:
            mixes = rng.dirichlet(np.full(n_cells, concentration), size=2)
        told.append((moved_alone(drawn(rng, mixes, 300, sizes)) <= 0.05).any())
    assert np.mean(told) <= 0.1


def test_a_node_that_alone_changes_is_told_and_what_follows_it_is_not():
    rng = np.random.default_rng(0)
    given = np.array([[0.8, 0.2], [0.3, 0.7]])  # of the second node, by the first
    shares = np.array([[0.8, 0.2], [0.2, 0.8], [0.5, 0.5]])  # of the first node, by the label
    mixes = (shares[:, :, None] * given).reshape(3, 4)
    p_values = moved_alone(drawn(rng, mixes, 400, (2, 2)))
    assert p_values[0] <= 0.05
    assert p_values[1] > 0.2


def test_names_of_labels_nodes_and_outcomes_do_not_matter():
    counts = np.random.default_rng(0).integers(1, 30, size=(3, 2, 3)).astype(float)
    found = moved_alone(counts)
    assert_allclose(moved_alone(counts[[2, 0, 1]][:, ::-1]), found)
    assert_allclose(moved_alone(np.swapaxes(counts, 1, 2)), found[::-1])
    assert_allclose(moved_alone(np.concatenate([counts, np.zeros((1, 2, 3))])), found)


def test_what_tells_nothing_is_one():
    assert_array_equal(moved_alone(np.ones((3, 2, 2))), [1, 1])
    assert_array_equal(moved_alone(np.ones((1, 2, 2))), [1, 1])
    assert_array_equal(moved_alone(np.ones((3, 4))), [1])
    assert_array_equal(moved_alone(np.zeros((2, 2, 2))), [1, 1])


def test_several_contexts_are_asked_for_more():
    counts = np.array([[[90.0, 60], [30, 20]], [[16, 10], [105, 70]]]).reshape(2, 4)
    both = np.stack([counts, counts], axis=1) / 2  # the second context changes nothing
    one, two = fitted_contexts(counts), fitted_contexts(both)
    assert_allclose(moved_by_contexts(two, (2, 2)), 2 * moved_by_contexts(one, (2, 2)).clip(0, 0.5))
    assert moved_by_contexts(NO_CONTEXTS, (2, 2)) is None


@pytest.mark.slow
def test_a_fit_is_told_by_its_context():
    """Kinds lie anywhere; two sites differ in how frequent two pairs of them are."""
    rng = np.random.default_rng(2)
    site = np.repeat(["a", "b"], 300)
    first = rng.random(600) < np.where(site == "a", 0.2, 0.8)
    kind = 2 * first + rng.integers(2, size=600)
    means = 5 * rng.normal(size=(2, 4)).repeat(2, axis=0) + 5 * rng.normal(size=(4, 4))
    X = {"table": means[kind] + rng.normal(size=(600, 4)), "site": site}
    est = CausalPIMA((2, 2), contexts=["site"], random_state=0).fit(X)
    found = est.arrangement_.context_p_values
    assert found.shape == (2,)
    same = [np.mean(node == first) for node in est.node_labels_.T]
    agree = np.maximum(same, 1 - np.array(same)) > 0.95
    assert agree.any() == (found <= 0.05).any()
    assert_array_equal(est.arrangement_.told[found <= 0.05], True)
