"""One contest: which of several views of the samples is taken."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.metrics import adjusted_rand_score

from skcausalpima._clustering.candidates import CandidateReport, propose_candidates
from skcausalpima._clustering.contest import Contest, Trial, View
from skcausalpima._clustering.margins import BETTER_WEIGHTS
from skcausalpima._clustering.matching import agreements, largest_agreement

CONTEST = Contest(node_sizes=(2, 2), known=None, seed=0, n_candidates=4)


def trial(agreement, is_clear=True, known_share=None):
    """Return what is asked of a trial in which nothing was tried."""
    none = np.empty(0)
    report = CandidateReport(
        chosen=0,
        arrangements=[],
        agreement=none,
        misfit=none,
        gap=np.array([2.0 if is_clear else 1.0]),
        separation=none,
        overlap=none,
        smallest_share=none,
        qualified=none,
        known_agreement=None if known_share is None else np.array([known_share]),
    )
    view = View(scaled=none, placed=none)
    return Trial(
        view=view, node_sizes=(2, 2), candidates=[], agreement=agreement, error=0.1, report=report
    )


@pytest.mark.parametrize(
    ("first", "other", "margin", "wins"),
    [
        (trial(0.90), trial(0.90), 0.0, False),  # what agrees as well is not taken
        (trial(0.90), trial(0.92), 0.03, False),
        (trial(0.90), trial(0.94), 0.03, True),
        (trial(0.90), trial(0.70), 0.03, False),
        (trial(0.60), trial(0.45), -0.2, True),  # where first views say little
        (trial(0.60), trial(0.35), -0.2, False),
        (trial(0.75, is_clear=False), trial(0.74), 0.03, True),  # one place, and agrees alike
        (trial(0.75), trial(0.77, is_clear=False), 0.03, False),
        (trial(0.75, is_clear=False), trial(0.65), 0.03, False),
        (trial(0.75), trial(0.85, is_clear=False), 0.03, True),
        (trial(0.75, is_clear=False), trial(0.80, is_clear=False), 0.03, True),
    ],
)
def test_the_view_that_agrees_with_itself_is_taken(first, other, margin, wins):
    assert CONTEST.prefers(other, first, margin) is wins


@pytest.mark.parametrize(("known_share", "wins"), [(1.0, True), (0.5, False)])
def test_known_outcomes_come_before_agreement(known_share, wins):
    contest = replace(CONTEST, known=np.zeros((100, 2), dtype=int))
    first, other = trial(0.5, known_share=1.0), trial(0.9, known_share=known_share)
    assert contest.prefers(other, first, 0.0) is wins
    assert contest.prefers(first, other, 0.0) is not wins


@pytest.mark.parametrize(
    ("first", "is_open"),
    [
        (trial(0.95), True),
        (trial(0.98), False),
        (trial(1.0, is_clear=False), True),
        (trial(1.0, known_share=0.9), True),
        (trial(1.0, known_share=1.0), False),
    ],
)
def test_nothing_is_tried_that_could_not_be_taken(first, is_open):
    assert CONTEST.is_open(first, 0.03) is is_open
    if not is_open:
        known = replace(CONTEST, known=np.zeros((100, 2), dtype=int))
        contest = CONTEST if first.report.known_agreement is None else known
        for other in (trial(1.0), trial(1.0, is_clear=False)):
            assert not contest.prefers(other, first, 0.03)


def drawn(n_samples=300):
    rng = np.random.default_rng(0)
    nodes = rng.integers(2, size=(n_samples, 2))
    points = rng.normal(size=(n_samples, 5))
    points[:, :2] += 6.0 * nodes
    return points - points.mean(axis=0), nodes


def test_clear_clusters_are_found_by_every_second_clustering():
    points, _ = drawn(1500)
    contest = Contest(node_sizes=(2, 2), known=None, seed=0)
    every = propose_candidates(points, (2, 2), random_state=0).all()
    assert len(contest.ask(View(scaled=points, placed=points)).candidates) == (len(every) + 1) // 2
    noise = np.random.default_rng(0).normal(size=points.shape)
    every = propose_candidates(noise, (2, 2), random_state=0).all()
    trial = contest.ask(View(scaled=noise, placed=noise))
    assert len(trial.candidates) == len(every)
    for one, other in zip(trial.candidates, every, strict=True):
        assert_array_equal(one.labels, other.labels)


def test_views_show_what_is_hidden_where_clusters_agree_more_and_are_apart():
    points, _ = drawn()
    noise = np.random.default_rng(0).normal(size=points.shape)
    halves = np.random.default_rng(0).uniform(size=(300, 2)) - 0.5
    clear, hidden, cut, one = (
        CONTEST.ask(View(scaled=scores, placed=scores))
        for scores in (points, noise, halves, np.zeros((300, 2)))
    )
    assert clear.shows_what_is_hidden_from(hidden)
    assert not hidden.shows_what_is_hidden_from(clear)
    assert not clear.shows_what_is_hidden_from(clear)
    assert cut.cell_agreement > hidden.cell_agreement + BETTER_WEIGHTS
    assert not cut.shows_what_is_hidden_from(hidden)
    assert not one.shows_what_is_hidden_from(hidden)


def test_cells_agree_whatever_their_numbers_and_places_are():
    points, nodes = drawn()
    trial = CONTEST.ask(View(scaled=points, placed=points))
    turned = [
        replace(candidate, labels=(candidate.labels + k) % 4)
        for k, candidate in enumerate(trial.candidates)
    ]
    assert replace(trial, candidates=turned).cell_agreement == pytest.approx(trial.cell_agreement)
    alike = [replace(turned[0], labels=(nodes @ [2, 1] + k) % 4) for k in range(4)]
    assert replace(trial, candidates=alike).cell_agreement == pytest.approx(1.0)


def test_agreement_is_the_mean_of_adjusted_rand_indices_of_matched_nodes():
    rng = np.random.default_rng(0)
    sizes = (2, 3, 2)
    first = np.column_stack([rng.integers(size, size=200) for size in sizes])
    labellings = [first]
    for _ in range(3):
        other = first[:, [2, 1, 0]].copy()
        other[:, 1] = (other[:, 1] + 1) % 3
        wrong = rng.random(first.shape) < 0.2
        redrawn = np.column_stack([rng.integers(size, size=200) for size in sizes])
        labellings.append(np.where(wrong, redrawn, other))

    def agreement(one, other):
        orders = [order for order in itertools.permutations(range(3)) if order[1] == 1]
        return max(
            np.mean([adjusted_rand_score(one[:, i], other[:, j]) for i, j in enumerate(order)])
            for order in orders
        )

    expected = [[agreement(one, other) for other in labellings] for one in labellings]
    assert_allclose(agreements(labellings, sizes), expected)
    assert_array_equal(agreements([first], sizes), [[1.0]])


def test_the_error_of_an_agreement_is_that_of_the_jackknife():
    half = np.random.default_rng(0).random((6, 6))
    matrix = (half + half.T) / 2.0
    np.fill_diagonal(matrix, 1.0)

    def largest(rows):
        part = matrix[np.ix_(rows, rows)]
        return max((part.sum(axis=1) - 1.0) / (len(rows) - 1))

    everyone = list(range(6))
    without = [largest([k for k in everyone if k != left_out]) for left_out in everyone]
    agreement, error = largest_agreement(matrix)
    assert agreement == pytest.approx(largest(everyone))
    assert error == pytest.approx(np.sqrt(5.0) * np.std(without))
    assert largest_agreement(np.ones((4, 4))) == (1.0, 0.0)
    for few in (1, 2):
        agreement, error = largest_agreement(np.ones((few, few)))
        assert agreement == 1.0
        assert np.isnan(error)


@pytest.mark.slow
def test_errors_are_those_of_other_draws():
    """Of views of the same nodes with other noise, differences are as large as errors say."""
    ratios = []
    for draw in range(30):
        rng = np.random.RandomState(draw)
        nodes, trials = rng.randint(2, size=(200, 2)), []
        for _ in range(2):
            points = rng.normal(size=(200, 6))
            points[:, :2] += 3.5 * nodes
            points -= points.mean(axis=0)
            contest = Contest(node_sizes=(2, 2), known=None, seed=draw)
            trials.append(contest.ask(View(scaled=points, placed=points)))
        error = np.hypot(*(one.error for one in trials))
        ratios.append((trials[0].agreement - trials[1].agreement) / error)
    assert 0.5 < np.sqrt(np.mean(np.square(ratios))) < 1.6
