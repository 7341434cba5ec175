"""Do halves of the samples agree on nodes, more than halves of one heap would?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from sklearn.decomposition import PCA
from sklearn.mixture import GaussianMixture

from .._base.grid import NodeGrid, n_effects
from .._clustering.arrangement import arrange_labels
from .._data.validation import Modalities
from .._held_out.matching import match, node_agreements
from .._held_out.units import Units
from .._inference.fitted_model import FittedModel

#: Draws of one heap, and how many of them may agree as much as the samples: that is 5 %.
N_DRAWS, LEVEL = 40, 0.05
#: Samples that are looked at, so that it takes seconds (arbitrary).
MOST_ROWS = 1000


@dataclass(frozen=True, kw_only=True)
class HalvesOfOneHeap:
    """Agreement of halves, beside that of halves of draws from one normal cluster.

    Parameters
    ----------
    agreement : ndarray of shape (n_nodes,)
        Adjusted Rand index of what mixtures of two halves say of all samples.
    drawn : ndarray of shape (n_draws, n_nodes)
        The same of draws, those of one size by falling agreement, as the nodes' own are.
    limits : ndarray of shape (n_nodes,)
        What 95 % of the draws do not exceed.
    """

    agreement: np.ndarray
    drawn: np.ndarray
    limits: np.ndarray

    @classmethod
    def of(
        cls,
        model: FittedModel,
        samples: Modalities,
        nodes: np.ndarray,
        sizes: Sequence[int],
        units: Units | None = None,
    ) -> Self:
        """Compare samples whose nodes are known with draws of the same covariance."""
        scores = principal_scores(model, samples, 2 * n_effects(sizes))
        return cls.of_scores(scores, nodes, sizes, units)

    @classmethod
    def of_scores(
        cls,
        scores: np.ndarray,
        nodes: np.ndarray,
        sizes: Sequence[int],
        units: Units | None = None,
    ) -> Self:
        """Compare uncorrelated scores of samples, (n_samples, n_scores), with such draws.

        Halves keep groups together, and rows of a drawn group are as alike as those of the samples.

        Examples
        --------
        >>> import numpy as np
        >>> from skcausalpima.inspection._halves_of_one_heap import HalvesOfOneHeap
        >>> rng = np.random.default_rng(0)
        >>> nodes = rng.integers(2, size=(200, 1))
        >>> scores = rng.normal(size=(200, 2)) + [8.0, 0.0] * nodes
        >>> gate = HalvesOfOneHeap.of_scores(scores, nodes, (2,))
        >>> gate.agreement > gate.limits
        array([ True])
        """
        rng, sizes = np.random.RandomState(0), tuple(sizes)
        units = Units(len(scores)) if units is None else units
        order = rng.permutation(units.n)
        order = order[: max(2, np.searchsorted(units.sizes[order].cumsum(), MOST_ROWS, "right"))]
        rows = units.rows_of(order)
        numbers = np.repeat(np.arange(len(order)), units.sizes[order])
        agreement = _agreement(scores[rows], sizes, rng, numbers % 2, nodes[rows])
        spread, ranks = scores[rows].std(axis=0), _ranks(agreement, sizes)
        drawn = np.empty((N_DRAWS, len(sizes)))
        for draw in drawn:
            heap = spread * Units.of(numbers).drawn_alike(rng, scores[rows])
            of_nodes = _agreement(heap, sizes, rng, numbers % 2)
            draw[ranks] = of_nodes[_ranks(of_nodes, sizes)]
        limits = np.sort(drawn, axis=0)[-int(LEVEL * (N_DRAWS + 1))]
        return cls(agreement=agreement, drawn=drawn, limits=limits)


def _ranks(agreement: np.ndarray, sizes: tuple[int, ...]) -> np.ndarray:
    """Return the nodes by size, those of one size by falling agreement."""
    return np.lexsort((-agreement, np.array(sizes)))


def principal_scores(model: FittedModel, samples: Modalities, n_scores: int) -> np.ndarray:
    """Return leading principal scores of all modalities, each in units of its first one [1]_.

    References
    ----------
    .. [1] J. Pages, "Multiple Factor Analysis by Example Using R", 2014.
    """
    blocks = []
    for array in model.scaled(samples).arrays:
        table = array[:].cpu().numpy().astype(np.float64)
        n_there = min(n_scores, *table.shape)
        part = PCA(n_there, random_state=0).fit_transform(table)
        blocks.append(part / (part[:, 0].std() or 1.0))
    together = np.concatenate(blocks, axis=1)
    scores = PCA(min(n_scores, *together.shape), random_state=0).fit_transform(together)
    spread = scores.std(axis=0)
    return scores[:, spread > 1e-9 * spread[0]] if spread[0] > 0 else scores[:, :1]


def _agreement(
    points: np.ndarray,
    sizes: tuple[int, ...],
    rng: np.random.RandomState,
    sides: np.ndarray,
    nodes: np.ndarray | None = None,
) -> np.ndarray:
    """Return how far mixtures of two halves agree on each node, laid on the grid as ``nodes``.

    Without these both are laid as the first one is. ``sides`` has 0 or 1 for each row.
    """
    of_halves = []
    for side in (0, 1):
        n_cells = int(np.prod(sizes))
        mixture = GaussianMixture(
            n_cells, covariance_type="tied", reg_covar=1e-6 * points.var(), random_state=rng
        )
        labels = mixture.fit(points[sides == side]).predict(points)
        cells = arrange_labels(labels, points, sizes, None, rng, n_clusters=n_cells).cells
        outcomes = NodeGrid(sizes).outcomes(cells)
        if nodes is None:
            nodes = outcomes[labels]
        of_halves.append(match(outcomes, labels, nodes, sizes).outcomes[labels])
    return node_agreements(of_halves[0], of_halves[1], sizes)
