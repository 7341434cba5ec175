"""What samples of a new label are compared with, whose offset is known in part."""

import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.stats import entropy

from skcausalpima._fit.adaptation import _directions
from skcausalpima._fit.new_label_draws import draws_of, estimated_offsets, tail_moves
from skcausalpima.exceptions import ContextWarning

WIDTH = 150


def offset_of(label):
    return np.random.default_rng(ord(label)).normal(size=WIDTH)


def samples(label, n, seed, share=0.5):
    """Return samples of one site, in many columns of which noise fills most."""
    rng = np.random.default_rng(seed)
    kind = (rng.random(n) < share).astype(int)
    x = rng.normal(size=(n, WIDTH)) + offset_of(label)
    x[:, :10] += 4.0 * kind[:, None]
    return {"x": x, "site": np.full(n, label)}


@pytest.fixture(scope="module")
def fitted(quick):
    parts = [samples(label, 250, seed) for seed, label in enumerate("AB")]
    X = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return quick(2, contexts="site").fit(X)


@pytest.fixture(scope="module")
def adapted(fitted):
    with warnings.catch_warnings(action="ignore", category=ContextWarning):  # few samples
        return [fitted.adapt(samples("C", 20, seed=10 + k)) for k in range(6)]


@pytest.fixture(scope="module")
def share_of_known(fitted):
    """Share of further samples of known labels that have p-values below .05."""
    return (fitted.tail_probability(samples("B", 2000, seed=3)) < 0.05).mean()


def without_moves(est, X):
    return est._fitted_model().tail_probabilities(est._read(X), est._fitted.tail_reference)


@pytest.mark.long
def test_few_samples_of_many_columns_are_known(fitted):
    """They differ from each other in directions of noise, which tell no cells apart."""
    (told,) = fitted.adapt(samples("C", 60, seed=10)).adapted_
    assert told.unknown < 0.08
    with pytest.warns(ContextWarning, match="20 samples tell little of an offset. Pass more"):
        few = fitted.adapt(samples("C", 20, seed=10))
    found = few.offsets_["x"]["site"][2] - few.offsets_["x"]["site"][:2].mean(axis=0)
    error = found - offset_of("C") + (offset_of("A") + offset_of("B")) / 2.0
    assert np.square(error).mean() < 1.5 * (1 / 20 + 1 / 500)


@pytest.mark.long
def test_further_samples_are_compared_with_such_whose_offset_is_off_as_far(adapted, share_of_known):
    """Of 20 samples an offset is off by a twentieth of the variance, in each of the columns."""
    further = samples("C", 1000, seed=5)
    naive = [(without_moves(est, further) < 0.05).mean() for est in adapted]
    found = [(est.tail_probability(further) < 0.05).mean() for est in adapted]
    assert np.mean(naive) > share_of_known + 0.06
    assert abs(np.mean(found) - share_of_known) < 0.03


def test_bounds_are_larger_where_samples_are_of_few_cells(fitted):
    """By the entropy of the cells, in the mean over labels that mirror each other."""
    before, moves, entropies = fitted._fitted_model(), [], []
    for share in (0.9, 0.1):
        est = fitted.adapt(samples("C", 200, seed=6, share=share))
        after = est._fitted_model()
        (of_bound,) = tail_moves(before, after, draws_of(before), {"site": "C"}, n_known=1e12)
        moves.append(of_bound.mean())
        entropies.append(entropy(est.weights_of(site="C")))
    expected = entropy(fitted.weights_of(site="A")) - np.mean(entropies)
    assert np.mean(moves) == pytest.approx(expected, abs=0.05)


@pytest.mark.slow
def test_samples_of_other_labels_are_compared_as_before(fitted, adapted):
    known = samples("B", 100, seed=8)
    expected = fitted.tail_probability(known)
    np.testing.assert_array_equal(adapted[0].tail_probability(known), expected)


def test_a_reference_of_the_user_is_not_moved(adapted):
    further, reference = samples("C", 50, seed=9), samples("C", 99, seed=4)
    est = adapted[0]
    scores = est.score_samples(reference)
    expected = (1 + (scores[:, None] <= est.score_samples(further)).sum(axis=0)) / 100
    np.testing.assert_allclose(est.tail_probability(further, reference), expected)


@pytest.mark.slow
def test_a_reference_that_is_renewed_is_moved_as_far(fitted):
    est = fitted.adapt(samples("C", 40, seed=10))
    est.partial_fit(samples("A", 60, seed=11))
    further = samples("C", 500, seed=12)
    assert (est.tail_probability(further) >= without_moves(est, further)).all()


def test_offsets_of_sets_of_samples(fitted):
    """Draws that are moved have seemed to be moved, as far as so many can tell."""
    model, rng = fitted._fitted_model(), np.random.default_rng(0)
    drawn = draws_of(model)
    (x,), (means,) = drawn.parts, drawn.means
    rows = rng.choice(len(x), size=(40, 50))
    move = 0.3 * rng.normal(size=WIDTH)
    moved = (x[rows] + move).astype(x.dtype)
    rest = moved - means[drawn.components][rows]
    (found,) = estimated_offsets(model, [moved], [rest])
    assert found.shape == (40, WIDTH)
    noise = (x - means[drawn.components]).var(axis=0)
    z_scores = (found - move) / np.sqrt(noise / 50)
    assert abs(z_scores.mean()) < 0.05
    assert z_scores.std() == pytest.approx(1.0, abs=0.1)
    assert estimated_offsets(model, [x[rows]], [None]) == [None]


@pytest.mark.parametrize("width", [1, 2, 3])
def test_directions_are_no_more_than_columns(width):
    """Beyond those that draws differ in there is rounding alone."""
    rng = np.random.RandomState(0)
    old, new = rng.normal(size=(2000, width)), 3.0 + 2.0 * rng.normal(size=(50, width))
    found = _directions(old, new, 2)
    assert_allclose(found @ found.T, np.eye(width), atol=1e-12)
