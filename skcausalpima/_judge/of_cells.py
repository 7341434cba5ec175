"""What speaks against cells: chance, too few samples, no gap, overlap, hardly a sample."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .._clustering.margins import FOUND_AGAIN, MOST_TIMES, SURE_OF_OUTCOMES
from .alarms import Alarm
from .figures import (
    Figures,
    by_node,
    has_no_clusters,
    hold_few,
    is_one_cell,
    others_agree,
    pairs_of,
    percent,
    short,
)


def of_cells(fit: Figures) -> Iterator[Alarm]:
    """Yield what was found of cells."""
    if is_one_cell(fit):
        yield Alarm(
            code="one-cell",
            sentence=f"All samples are likeliest in one of {len(fit.shares)} cells: no clusters "
            "were found.",
            remedy="There may be none. If another method finds some, try scale='feature' or state "
            "some known_nodes.",
        )
        return
    if has_no_clusters(fit):  # what else was found of cells follows
        gain, error = fit.stability.gain, fit.stability.gain_error
        yield Alarm(
            code="no-clusters",
            figure=gain,
            sentence="No clusters: one component explains samples that were held out as well as "
            f"these cells do ({gain:+.2f} +- {error:.2f} nats per sample for cells).",
            remedy="Compare other columns, another modality, or more samples.",
        )
        return
    yield from _by_chance(fit)
    yield from _of_gaps(fit)
    certainty = fit.separation.certainty
    if certainty.mean() < SURE_OF_OUTCOMES:
        yield Alarm(
            code="cells-overlap",
            figure=float(certainty.mean()),
            sentence="Cells overlap, or are too many: if the model holds, labels are right in "
            f"{by_node(fit, map(percent, certainty))} of the samples.",
            remedy="Work with predict_proba in place of labels; compare smaller node_sizes.",
        )
    if len(fit.merged):
        yield Alarm(
            code="cells-merged",
            figure=fit.separation.smallest,
            sentence=f"These cells have merged: {pairs_of(fit, fit.merged)}.",
            remedy="Do not tell them apart. Compare fewer outcomes, or a larger latent_dim.",
        )
    yield from _of_filling(fit)


def _by_chance(fit: Figures) -> Iterator[Alarm]:
    """Yield what other samples, seeds and starts say against cells."""
    stability, again = fit.stability, fit.found_again
    n_found = 0 if again is None else int((again.agreement >= FOUND_AGAIN).sum())
    if again is not None and again.are_few:
        more = f"Measure about {again.enough_samples}, or compare"
        if again.enough_samples is None:
            more = f"{MOST_TIMES:g} times as many would not help: compare"
        yield Alarm(
            code="few-samples",
            figure=float(again.agreement.min()),
            sentence=f"{again.n_samples} samples are few for these cells: in as many that the fit "
            f"draws they are found again in {n_found} of {len(again.agreement)} draws.",
            remedy=f"{more} fewer outcomes or another modality, or state some known_nodes.",
        )
    elif again is not None and not again.found:
        yield Alarm(
            code="draws-missed",
            figure=float(again.agreement.mean()),
            sentence=f"Of {again.n_samples} samples that the fit draws, {n_found} of "
            f"{len(again.agreement)} draws show its cells again; it is sure of them all the same.",
            remedy="More samples would confirm them.",
        )
    n_fits = len(stability.rand_indices)
    if stability.unstable and (again is None or n_fits > 1):
        reason = "other starts on these data end in other ones"
        if n_fits > 1:
            reason = f"the {n_fits} fits (n_init) have found different ones"
        elif stability.short_runs is not None:
            reason = "short runs from other seeds have found other ones"
        yield Alarm(
            code="other-seeds",
            figure=stability.agreement,
            sentence=f"The cells may depend on random_state: {reason} (adjusted Rand index "
            f"{stability.agreement:.2f}).",
            remedy="Compare other seeds, or set n_init=10, before you read a meaning into them.",
        )
    if others_agree(fit):
        yield Alarm(
            code="other-starts",
            figure=stability.with_starts,
            sentence=f"Other starts agree with each other ({stability.among_starts:.2f}), and less "
            f"with these cells ({stability.with_starts:.2f}).",
            remedy="Look whether the cells make sense; compare another random_state or latent_dim.",
        )


def _of_gaps(fit: Figures) -> Iterator[Alarm]:
    """Yield between which cells or outcomes there is no gap."""
    if fit.gaps is None:
        return
    named = [name for name, cut in zip(fit.node_names, fit.gaps.cut, strict=True) if cut]
    if not named and not len(fit.joined):
        return
    where = f"the outcomes of {', '.join(map(short, named))}"
    if len(fit.joined):
        where = f"cells {pairs_of(fit, fit.joined)}"
    yield Alarm(
        code="no-gap",
        figure=float(np.max(fit.gaps.nodes, where=~np.isnan(fit.gaps.nodes), initial=0.0)),
        sentence=f"There is no gap between {where}: what hangs together was cut.",
        remedy="Compare smaller node_sizes (select_node_sizes); look at the latent space "
        "(LatentDisplay).",
    )


def _of_filling(fit: Figures) -> Iterator[Alarm]:
    """Yield which cells are empty, or nearly so."""
    if n_empty := len(fit.separation.empty):
        yield Alarm(
            code="empty-cells",
            figure=float(n_empty),
            sentence=f"{n_empty} of {len(fit.shares)} cells hold no samples: the grid may be too "
            "large, or a combination does not occur.",
            remedy="Compare smaller node_sizes.",
        )
    few = hold_few(fit)
    if n_few := int(few.sum()):
        n_fewest = round(fit.n_samples * fit.shares[few].min())
        cells = "One cell holds" if n_few == 1 else f"{n_few} cells hold"
        yield Alarm(
            code="cell-hardly-filled",
            figure=float(n_fewest),
            sentence=f"{cells} hardly any samples (the smallest {n_fewest}), and not where effects "
            "that add up would have them.",
            remedy="They may be a few unusual samples: look at them; compare smaller node_sizes.",
        )
