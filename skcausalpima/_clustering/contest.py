"""One contest: of several views of the samples, that whose clusterings agree with each other.

The same number of clusterings is found in each view, and laid on the grid. Wrong ones differ from
each other, right ones agree. The first view stays unless another agrees clearly more.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .._base.grid import NodeGrid, n_effects
from .arrangement_report import MOST_ROWS, looked_at
from .candidates import (
    N_CANDIDATES,
    CandidateReport,
    choose_candidate,
    node_labels,
    propose_candidates,
)
from .clusters import Clustering
from .gaps import find_gaps
from .latent_classes import TableColumns
from .margins import BETTER_WEIGHTS, NEAR_TIE, SAME_AGREEMENT, SURE_WITHOUT_VIEWS
from .matching import agreements, largest_agreement, tolerated_share

#: Fewest clusterings of a view (arbitrary).
LEAST_CANDIDATES = 4


@dataclass(frozen=True, kw_only=True)
class View:
    """What the samples look like.

    Parameters
    ----------
    scaled : ndarray of shape (n_samples, n_scores)
        Where clusters are sought; scores that tell more come first.
    placed : ndarray of shape (n_samples, n_features)
        Where effects of the nodes add up.
    columns : TableColumns, default=None
        Those of tables, where some have levels.
    """

    scaled: np.ndarray
    placed: np.ndarray
    columns: TableColumns | None = None


@dataclass(frozen=True, kw_only=True)
class Trial:
    """The clusterings that were found in a view.

    Parameters
    ----------
    view : View
        What the samples look like.
    node_sizes : tuple of int
        Number of outcomes of each node.
    candidates : list of Clustering
        Clusterings of the samples.
    agreement : float
        How far the one that the others agree with most does so: the mean adjusted Rand index of
        nodes, or of many cells, of which there is one, what :func:`choose_candidate` says of it.
    error : float
        Standard error of the agreement; NaN where nothing is known of it.
    report : CandidateReport
        Which of them is the best, and how it is laid on the grid.
    """

    view: View
    node_sizes: tuple[int, ...]
    candidates: list[Clustering]
    agreement: float
    error: float
    report: CandidateReport

    @property
    def chosen(self) -> Clustering:
        """The best clustering."""
        return self.candidates[self.report.chosen]

    @property
    def cells(self) -> np.ndarray:
        """Cell of each sample, (n_samples,)."""
        return self.report.arrangements[self.report.chosen].cells[self.chosen.labels]

    @property
    def is_clear(self) -> bool:
        """Whether the best clustering has one place on the grid."""
        return bool(self.report.gap[self.report.chosen] >= NEAR_TIE)

    @property
    def known_share(self) -> float:
        """Share of the known outcomes that the best clustering has; 1 where none is known."""
        shares = self.report.known_agreement
        return 1.0 if shares is None else float(shares[self.report.chosen])

    @property
    def has_nodes(self) -> bool:
        """Whether nodes were found before cells were, so that nothing else is to be tried."""
        place = self.candidates[0].place
        return place is not None and place.found

    @cached_property
    def cell_agreement(self) -> float:
        """How far clusterings agree on the cells alone, as nodes of kinds on a grid do not."""
        labels = [candidate.labels[:, None] for candidate in self.candidates]
        n_clusters = max(int(one.max()) for one in labels) + 1
        return largest_agreement(agreements(labels, (n_clusters,)))[0]

    @property
    def may_hide_clusters(self) -> bool:
        """Whether clusterings agree so little on cells that other components may show more."""
        return self.cell_agreement < SURE_WITHOUT_VIEWS

    def shows_what_is_hidden_from(self, first: Trial) -> bool:
        """Return whether clusters agree clearly more than those of a first view, and are apart.

        The first view must leave room for that. There must be gaps between the outcomes of all
        nodes (see :func:`find_gaps`): halves of any one heap agree, too.
        """
        if not first.may_hide_clusters or len(np.unique(self.cells)) == 1:
            return False
        if self.cell_agreement <= first.cell_agreement + BETTER_WEIGHTS:
            return False
        rows = looked_at(len(self.cells), MOST_ROWS)  # distances are between all of them
        points = self.view.scaled[rows, : 2 * n_effects(self.node_sizes)]
        gaps = find_gaps(points, self.cells[rows], NodeGrid(self.node_sizes).outcomes())
        return not gaps.cut.any()


@dataclass(frozen=True, kw_only=True)
class Contest:
    """What all views are asked alike.

    Parameters
    ----------
    node_sizes : tuple of int
        Number of outcomes of each node.
    known : ndarray of shape (n_samples, n_nodes) or None
        Known outcomes, -1 where unknown.
    seed : int
        Of all clusterings.
    n_candidates : int, default=12
        Clusterings of each view (see :func:`propose_candidates`).

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima._clustering.contest import Contest, View
    >>> rng = np.random.RandomState(0)
    >>> nodes = rng.randint(2, size=(200, 2))
    >>> clear = 8.0 * nodes + rng.normal(size=(200, 2))
    >>> noise = rng.normal(size=(200, 2))
    >>> contest = Contest(node_sizes=(2, 2), known=None, seed=0, n_candidates=4)
    >>> first, second = (contest.ask(View(scaled=x, placed=x)) for x in (noise, clear))
    >>> contest.prefers(second, first, 0.1), contest.prefers(first, second, 0.1)
    (True, False)
    """

    node_sizes: tuple[int, ...]
    known: np.ndarray | None
    seed: int
    n_candidates: int = N_CANDIDATES

    def ask(self, view: View) -> Trial:
        """Find clusterings in a view, and how far they agree.

        Where every second one of them agrees, as they do of clear clusters, the rest tell no more.
        """
        proposals = propose_candidates(
            view.scaled,
            self.node_sizes,
            known=self.known,
            random_state=self.seed,
            n_candidates=self.n_candidates,
            columns=view.columns,
        )
        halves = proposals.starts[::2], proposals.starts[1::2]
        first = [propose() for propose in halves[0]]
        if len(halves[1]) >= LEAST_CANDIDATES and view.columns is None:
            trial = self._trial(view, first)
            if trial.agreement >= 1.0 - SAME_AGREEMENT:
                return trial
        second = [propose() for propose in halves[1]]
        both = itertools.chain(*itertools.zip_longest(first, second))
        return self._trial(view, [one for one in both if one is not None] + proposals.classes())

    def _trial(self, view: View, candidates: list[Clustering]) -> Trial:
        """Lay clusterings on the grid, and compare them."""
        _, report = choose_candidate(
            candidates, view.placed, self.node_sizes, known=self.known, random_state=self.seed
        )
        nodes = node_labels(candidates, report.arrangements, self.node_sizes)
        agreement, error = largest_agreement(agreements(nodes, self.node_sizes))
        if candidates[0].place is not None:  # alone: its starts were compared
            agreement = float(report.agreement.max())
        return Trial(
            view=view,
            node_sizes=self.node_sizes,
            candidates=candidates,
            agreement=agreement,
            error=error,
            report=report,
        )

    def is_open(self, first: Trial, margin: float) -> bool:
        """Return whether another view could still be taken in the place of the first.

        Without a margin it is asked in any case.
        """
        is_perfect = first.is_clear and first.known_share == 1.0
        return not is_perfect or first.agreement + margin <= 1.0

    def prefers(self, other: Trial, first: Trial, margin: float) -> bool:
        """Return whether another view is taken in the place of the first.

        What is known outvotes what agrees. A difference below the margin, or below minus a negative
        one, may be chance: then that which has one place on the grid is taken.
        """
        if self.known is not None:
            n_known = int((self.known >= 0).sum())
            shares = first.known_share, other.known_share
            if min(shares) < tolerated_share(max(shares), n_known):
                return other.known_share >= first.known_share
        gain = other.agreement - first.agreement
        if first.is_clear != other.is_clear and abs(gain) < abs(margin):
            return other.is_clear
        return gain > margin
