"""Are there enough samples? What a fit found, drawn anew from the fit, is looked for again."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

from .._base.grid import NodeGrid
from .._base.reports.cells import FoundAgainReport
from .._clustering.contest import LEAST_CANDIDATES, Contest
from .._clustering.enough_samples import ask_draws
from .._clustering.many_cells import has_many_cells
from .._clustering.margins import AGREEING_DRAWS, FEW_SAMPLES, SURE_CELLS
from .._data.column_kinds import LEVELLED
from .._data.sample_weight import may_coincide, row_digests
from .._data.samples import FitSamples
from .._held_out.fits import is_one_of_many
from .._held_out.matching import agreement_by_node
from .._inference.decoding import drawn_data, drawn_points
from .._inference.fitted_model import FittedModel
from .._initialization.begin import begin
from .._initialization.low_rank import filled_by_low_rank
from .._model.left_open import LeftOpen
from .._model.setup import Setup
from .._model.tensors import TensorData
from ..modules import ExpertError


def found_again(
    fitted: FittedModel,
    setup: Setup,
    samples: FitSamples,
    data: TensorData,
    labels: np.ndarray,
    digests: np.ndarray | None,
) -> FoundAgainReport | None:
    """Return whether the start finds the cells of a fit again in draws from the fit.

    The question of a parametric bootstrap: if the fit were the truth, would so many samples show
    it? Drawn are as many as there are distinct ones, or groups (of unlike weights fewer, Kish's
    effective number), each in the cell of a sample of the fit; a draw lacks what that sample lacks,
    and what is known of its nodes is known of the draw.

    Parameters
    ----------
    fitted : FittedModel
        What is drawn from.
    setup, samples, data
        As they were fitted.
    labels : ndarray of shape (n_samples,)
        Components of the samples.
    digests : ndarray of shape (n_distinct,) or None
        Those of the different rows that were ever learned from; None where they were not read.

    Returns
    -------
    FoundAgainReport or None
        As the attribute ``found_again_``. None where it is not asked: of many samples, which need
        no such question; of many cells, words and other starts, which look for clusters otherwise;
        of data on disk or of several processes; where all samples lie in one cell; within repeated
        fits, which show more; and of experts that cannot draw.
    """
    core = np.arange(data.n_samples) if samples.core is None else samples.core
    if digests is None or not _is_asked(setup, data):
        return None
    groups = samples.modalities.groups
    if (len(digests) if groups is None else groups.max() + 1) >= FEW_SAMPLES:
        return None
    if len(np.unique(labels[core])) == 1:
        return None
    of_rows = row_digests(samples.modalities)
    if of_rows is None:
        return None
    first, weights = _independent_samples(samples, of_rows, core)
    if groups is None and len(first) >= FEW_SAMPLES:
        return None
    source = Source(
        fitted=fitted,
        setup=replace(setup, left_open=LeftOpen()),
        samples=samples,
        data=data,
        labels=labels,
        rows=first,
        shares=weights / weights.sum(),
    )
    of_units = source.shares if groups is None else np.bincount(groups[first], source.shares)
    n_samples = round(1.0 / float(np.square(of_units).sum()))
    try:
        return ask_draws(source.agreement, n_samples)
    except (ValueError, ExpertError):  # what is drawn is not finite, or beyond an expert's range
        return None


def with_certainty(
    again: FoundAgainReport | None, certainty: np.ndarray
) -> FoundAgainReport | None:
    """Return the report that says whether a fit is sure of its cells, which are found again or not.

    ``certainty``, (n_nodes,), is how probable the likeliest outcome of each node is, in the mean.
    """
    if again is None:
        return None
    is_sure = certainty.min() >= SURE_CELLS and again.agreement.mean() >= AGREEING_DRAWS
    return replace(again, sure=bool(is_sure))


def _is_asked(setup: Setup, data: TensorData) -> bool:
    """Return whether a fit began with clusters that this start would find in draws.

    Words and levels are left out: training makes much of what starts find in such tables, and draws
    show the start alone (of two normal columns and two words 4 of 5 right fits to 200 samples were
    lost).
    """
    initialization, spec = setup.training.initialization, setup.spec
    kinds = {word for layout in spec.layouts if layout is not None for word, _ in layout}
    return (
        initialization.method == "arranged"
        and initialization.clusterer is None
        and not kinds & {*LEVELLED}
        and not has_many_cells(spec.node_sizes)
        and not is_one_of_many.get()
        and not (data.is_streamed or data.is_distributed)
    )


def _independent_samples(
    samples: FitSamples, digests: np.ndarray, core: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return numbers of samples that are no copies of each other, and the weight of each.

    Equal rows are copies, unless so few rows are possible that they come by chance: fewer than
    there are pairs of samples. Copies count once, but for those that weights have made.
    """
    weights = np.ones(len(core)) if samples.weights is None else samples.weights[core]
    if may_coincide(samples.modalities, len(core)):
        return core[weights > 0], weights[weights > 0]
    _, first, numbers = np.unique(digests[core], return_index=True, return_inverse=True)
    groups = np.full(len(digests), -1)
    groups[core] = numbers
    if samples.rows is not None:  # each row of X, which weights have made several of
        groups = groups[samples.rows.positions[samples.rows.positions >= 0]]
    return core[first], np.bincount(numbers, weights) / np.bincount(groups[groups >= 0])


@dataclass(frozen=True, kw_only=True)
class Source:
    """A fit, and samples like which others are drawn.

    Parameters
    ----------
    fitted, setup, samples, data, labels
        As :func:`found_again` has them; nothing in the setup is left open.
    rows : ndarray of int of shape (n_rows,)
        Distinct samples that the model was learned from.
    shares : ndarray of shape (n_rows,)
        How probable it is that a draw is like each of them.
    """

    fitted: FittedModel
    setup: Setup
    samples: FitSamples
    data: TensorData
    labels: np.ndarray
    rows: np.ndarray
    shares: np.ndarray

    def agreement(self, n_samples: int, seed: int) -> float:
        """Draw samples, look for their cells; return how far the node agrees that does so least."""
        rng, spec = np.random.RandomState(seed), self.setup.spec
        rows = rng.choice(self.rows, n_samples, p=self.shares)
        components, fitted = self.labels[rows], self.fitted
        points = drawn_points(fitted.means, fitted.full_covariances(), components, rng)
        arrays = drawn_data(fitted.model, points, fitted.cells[components], rng)
        if not all(np.isfinite(array).all() for array in arrays):
            raise ValueError("What is drawn is not finite.")
        data = self.data.subset(torch.as_tensor(rows, device=self.data.device)).unweighted()
        tables = tuple(
            torch.as_tensor(array).to(like) for array, like in zip(arrays, data.arrays, strict=True)
        )
        drawn = replace(data.samples, arrays=tables, views=None, gaps=None, trust=None)
        data = filled_by_low_rank(replace(data, samples=drawn), spec.latent_dim)
        like_these = FitSamples(
            modalities=self.samples.modalities.take(rows),
            knowledge=self.samples.knowledge.take(rows),
        )
        initial = begin(self.setup, like_these, data, seed).initial
        scores, known = initial.scores, initial.knowledge.known_nodes
        assert scores is not None, "the start is arranged"
        sizes = spec.node_sizes
        contest = Contest(node_sizes=sizes, known=known, seed=seed, n_candidates=LEAST_CANDIDATES)
        nodes = NodeGrid(sizes).outcomes(contest.ask(scores).cells)
        drawn_nodes = fitted.outcomes[components]
        if (drawn_nodes == drawn_nodes[0]).all(axis=0).any():
            return 0.0  # an outcome alone is found in anything
        return float(agreement_by_node(drawn_nodes, nodes, sizes).min())
