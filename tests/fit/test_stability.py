"""Whether a fit says that another seed would find other cells."""

import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_digits
from sklearn.metrics import adjusted_rand_score

from skcausalpima import CausalPIMA
from skcausalpima._fit import stability
from skcausalpima._fit.stability import rand_indices
from skcausalpima._inference.reports import stability_report
from skcausalpima.exceptions import InstabilityWarning


def groups(n_groups, n_samples=120, distance=6.0):
    rng = np.random.default_rng(0)
    label = np.arange(n_samples) % n_groups
    return distance * rng.normal(size=(n_groups, 5))[label] + rng.normal(size=(n_samples, 5))


@pytest.mark.parametrize("init", ["arranged", "linear"])
def test_clear_groups_are_stable(quick, init):
    with warnings.catch_warnings():
        warnings.simplefilter("error", InstabilityWarning)
        est = quick((3,), init=init, max_iter=20, latent_dim=2).fit(groups(3))
    assert est.stability_.agreement == pytest.approx(1)
    assert not est.stability_.unstable
    assert_array_equal(est.stability_.rand_indices, [[1.0]])


def test_too_few_cells_for_the_digits_are_unstable():
    X = load_digits().data[:400]
    with pytest.warns(
        InstabilityWarning, match=r"may depend on random_state: other starts"
    ) as told:
        est = CausalPIMA((2, 3), max_iter=5, random_state=0).fit(X)
    assert [warning.filename for warning in told if "starts" in str(warning.message)] == [__file__]
    assert est.stability_.unstable
    assert est.stability_.agreement < 0.78
    again = [CausalPIMA((2, 3), max_iter=5, random_state=seed).fit(X) for seed in (1, 2, 3)]
    assert np.median([adjusted_rand_score(est.labels_, other.labels_) for other in again]) < 0.8


def test_several_fits_say_how_far_they_agree(quick, pair):
    est = quick(n_init=3).fit(pair)
    indices = est.stability_.rand_indices
    assert indices.shape == (3, 3)
    assert_array_equal(indices, indices.T)
    assert_array_equal(np.diag(indices), 1)
    assert est.stability_.agreement == np.median(indices[np.triu_indices(3, 1)])


def test_a_fit_that_is_continued_keeps_what_its_start_said(quick, pair):
    est = quick(n_init=2, warm_start=True).fit(pair)
    before = est.stability_
    assert est.fit(pair).stability_ is before


def test_rows_beyond_a_thousand_are_not_looked_at(quick):
    est = quick((3,)).fit(groups(3, n_samples=1500))
    assert est.stability_.agreement > 0.9


def test_starts_that_differ_in_names_alone_are_followed_once(monkeypatch):
    followed = []
    monkeypatch.setattr(stability, "_end", lambda _, start, settings: followed.append(start))
    labels = np.array([0, 1, 2, 2, 0, 1])
    stability._ends(np.zeros((6, 1)), [labels, (labels + 1) % 3, labels % 2, 2 - labels], None)
    assert_array_equal(followed, [labels, labels % 2])


def test_rand_indices_are_those_of_all_pairs():
    labels = [np.array([0, 0, 1, 1]), np.array([1, 1, 0, 0]), np.array([0, 1, 0, 1])]
    expected = [[1, 1, -0.5], [1, 1, -0.5], [-0.5, -0.5, 1]]
    assert_allclose(rand_indices(labels), expected)
    rng = np.random.default_rng(0)
    labels = [rng.integers(k, size=200) // (1 + k // 7) for k in (1, 2, 3, 9, 300, 3000)]
    labels += [np.arange(200), labels[2][::-1].copy(), labels[3] + (labels[2] == 1)]
    expected = [[adjusted_rand_score(one, other) for other in labels] for one in labels]
    assert_array_equal(rand_indices(labels), expected)


@pytest.mark.parametrize(
    ("with_fit", "among", "indices", "unstable"),
    [
        (0.5, 0.6, None, True),
        (0.9, 0.6, None, False),
        (0.5, 0.9, None, True),  # the fit has left them: so may others, for other places
        (None, None, None, False),
        (0.5, 0.5, [[1, 0.9], [0.9, 1]], False),
        (0.9, 0.9, [[1, 0.7], [0.7, 1]], True),
        (0.9, 0.9, [[1, 0.7, 0.9], [0.7, 1, 0.9], [0.9, 0.9, 1]], False),
    ],
)
def test_several_fits_decide_where_there_are_some(with_fit, among, indices, unstable):
    indices = None if indices is None else np.array(indices)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        report = stability_report(with_fit, among, indices)
    assert report.unstable is unstable
    assert [warning.category for warning in caught] == [InstabilityWarning] * unstable
    if indices is not None and unstable:
        assert "the 2 fits (n_init) have found different ones" in str(caught[0].message)
