"""What cells say of contexts."""

import numpy as np
import pytest
from fitted_contexts import fitted_contexts

from skcausalpima._contexts.fitted import cell_shares, doubts, links, overlaps
from skcausalpima._contexts.offsets import _check_filled
from skcausalpima.exceptions import ContextWarning


def test_overlap_is_what_labels_have_in_common():
    found = fitted_contexts([[8000, 2000, 0], [1000, 1000, 0], [0, 0, 500]])
    np.testing.assert_allclose(cell_shares(found, "site")[1], [0.5, 0.5, 0.0])
    expected = [[1.0, 0.7, 0.0], [0.7, 1.0, 0.0], [0.0, 0.0, 1.0]]
    np.testing.assert_allclose(overlaps(found)["site"], expected, atol=0.01)
    np.testing.assert_array_equal(found.counts, [10000, 2000, 500])
    (told,) = doubts(found)
    assert "labels [0, 1] and [2] of the context 'site' have hardly any cells in common" in told
    assert "(overlap 0.01)" in told  # the largest between them, and not within


def test_a_node_is_linked_where_its_table_differs():
    """The second node depends on the first one alone: nothing is left for the site."""
    first = np.array([[0.8, 0.2], [0.2, 0.8]])  # by site
    second = np.array([[0.9, 0.1], [0.3, 0.7]])  # by the first node
    cells = 500 * first[:, :, None] * second
    found = fitted_contexts(cells.reshape(2, 4))
    with_edge = np.array([[False, True], [False, False]])
    linked = links(found, with_edge, (2, 2))["site"]
    assert linked[0] > 0.99
    assert linked[1] < 0.1
    assert links(found, np.zeros((2, 2), dtype=bool), (2, 2))["site"].min() > 0.99
    assert not links(fitted_contexts(cells.reshape(2, 4), mix=False), with_edge, (2, 2))[
        "site"
    ].any()


def test_contexts_that_do_not_cross_are_told():
    nested = [[[50, 50], [50, 50], [0, 0], [0, 0]], [[0, 0], [0, 0], [50, 50], [50, 50]]]
    (told,) = doubts(fitted_contexts(nested))
    assert "labels of the contexts 'site' and 'day' do not cross" in told
    nested[0][2] = [1, 1]
    assert doubts(fitted_contexts(nested)) == []


def test_rivals_are_told():
    found = fitted_contexts([[50, 50], [50, 50]], rivals=[{"site": "B"}])
    assert doubts(found) == [
        "another offset of site='B' explains these samples as well, with other cells"
    ]


@pytest.mark.parametrize("stated", [{}, {"site": 1}, {"site": 1, "day": 0}, {"day": 1}])
def test_weights_of_labels_are_averages_over_the_others(stated):
    rng = np.random.default_rng(0)
    found = fitted_contexts(rng.integers(1, 50, size=(3, 2, 4)))
    log_mixes = np.log(rng.dirichlet(np.ones(4), size=6))
    mixes, counts = np.exp(log_mixes).reshape(3, 2, 4), found.counts
    rows = [stated.get("site", slice(None)), stated.get("day", slice(None))]
    expected = (counts[..., None] * mixes)[tuple(rows)].reshape(-1, 4).sum(axis=0)
    expected /= expected.sum()
    codes, shares = found.combinations(stated)
    np.testing.assert_allclose(shares @ np.exp(log_mixes)[found.mix_index(codes)], expected)


def test_unknown_names_and_labels_are_told():
    found = fitted_contexts([[1, 1], [1, 1]])
    with pytest.raises(ValueError, match=r"'lab' is no context of the fit: it has \['site'\]"):
        found.coded({"lab": 0}, np.zeros((1, 3), dtype=int))
    with pytest.raises(ValueError, match=r"'site' has no label 7: the fit has seen \[0, 1\]"):
        found.coded({"site": 7}, np.zeros((1, 3), dtype=int))


def test_combinations_of_labels_have_their_shares():
    found = fitted_contexts([[[10, 10], [0, 0]], [[30, 30], [10, 10]]])
    codes, shares = found.combinations({"site": 1})
    assert shares @ codes[0] == 1.0
    assert shares @ codes[1] == pytest.approx(0.25)


def test_contexts_of_many_labels_are_asked_about():
    """200 labels of 600 samples took 86 s without a word."""
    labels, codes = {"site": np.arange(101)}, np.arange(101)[None]
    with pytest.warns(ContextWarning, match=r"'site' has 101 labels.*take minutes"):
        _check_filled(labels, codes)
