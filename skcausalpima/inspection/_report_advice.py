"""What the figures of a fit ask for: a sentence each."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .._base.reports.training import ChoicesReport
from .._clustering.enough_samples import draws_in_words
from .._clustering.margins import AGREEING, MOVED_SHARE, SURE_OF_OUTCOMES, SURER_THAN_RIGHT
from .._clustering.over_fitted import smallest_share
from ._calibration import CalibrationCurve
from ._goodness_report import HALVES
from ._report_lines import Figures, percent

FEW = 0.05  # of the samples
FEW_SAMPLES = 10  # of a cell: they may be a few unusual ones
N_COLUMNS, N_ROWS = 3, 8  # that are named
ALONE, COUNTED = "modality0", "negative_binomial"  # what is no mapping; the likelihood of counts


def advice(fit: Figures) -> tuple[str, ...]:
    """Return what to do next."""
    notes = (*_on_outlying(fit), *_on_factors(fit), *_on_single_modalities(fit))
    notes = (*notes, *_on_goodness(fit))
    return (*alarms(fit), *notes) or (
        "Nothing to worry about was found in these samples. What others like them would say, "
        "skcausalpima.inspection knows: edge_confidence of edges and nodes (20 further fits), "
        "table_intervals of tables.",
    )


def alarms(fit: Figures) -> tuple[str, ...]:
    """Return what speaks against cells, nodes, training or data."""
    return (*_on_starts(fit), *_on_cells(fit), *_on_training_and_data(fit))


def _on_goodness(fit: Figures) -> Iterator[str]:
    """Yield what to change where the model does not hold."""
    if fit.goodness is not None and (worst := fit.goodness.worst):
        yield f"The model does not hold in all ({worst.name}, {worst.where}). {worst.cure}"
        yield HALVES


def _on_factors(fit: Figures) -> Iterator[str]:
    """Yield what nodes ask for that are not told to be factors: no alarm, and after one no news."""
    if not fit._untold or alarms(fit):
        return
    names, asked = ", ".join(fit._untold), "Known outcomes (known_nodes) or another modality would"
    claim = f"node_sizes={len(fit.shares)}, kinds without factors, is the cautious reading"
    if not fit._is_asked:
        yield (
            "Whether cells are a grid of factors was not asked (that is done of init='arranged', "
            f"of large grids where all cells hold samples): {claim}. {asked} tell."
        )
    elif len(fit._untold) == len(fit.node_names):
        yield (
            f"Cells are fine; their means do not tell whether they are a grid of factors: {claim}. "
            f"{asked} tell."
        )
    else:
        yield (
            f"Cells are fine; nothing tells that {names}, too, would be a factor: {claim}. {asked} "
            "tell."
        )


def _on_outlying(fit: Figures) -> Iterator[str]:
    """Yield which samples are unlike all others: no alarm, they may be as they are."""
    if len(rows := fit.separation.set_aside):
        yield (
            f"{len(rows)} samples are like no other ones, and were set aside in training (rows "
            f"{_first(rows)} of X, separation_.set_aside): look at them. They have labels, but "
            "little can be said of them. Training(outliers='keep') would train on them."
        )
    if len(rows := fit.separation.outlying):
        yield (
            f"{len(rows)} samples are far less probable than the others (rows {_first(rows)} of X, "
            "separation_.outlying): look at them. If they are mistakes, fit without them: they "
            "widen the noise of all."
        )


def _first(rows: np.ndarray) -> str:
    """Return the first few rows, and how many more there are."""
    named, n_more = ", ".join(map(str, rows[:N_ROWS])), len(rows) - N_ROWS
    return named if n_more <= 0 else f"{named} and {n_more} more"


def _on_single_modalities(fit: Figures) -> Iterator[str]:
    """Yield what is to be known of samples that have one modality alone: no alarm about cells."""
    surer = {name: curve for name, curve in list(fit.calibration.items())[1:] if _is_surer(curve)}
    if surer and not alarms(fit):
        figures = [f"{n} {c.confidence:.2f}, right {c.accuracy:.2f}" for n, c in surer.items()]
        yield (
            "Do not take probabilities at their word where a sample has one of these alone (said, "
            f"and right, of own draws): {'; '.join(figures)}. Pass more modalities, or measure "
            "them on known outcomes (inspection.calibration_curves)."
        )


def _is_surer(curve: CalibrationCurve) -> bool:
    """Return whether a fit is clearly surer of its own draws than it is right."""
    confidence, right = curve.confidence, curve.accuracy
    error = np.sqrt(right * (1.0 - right) / max(curve.counts.sum(), 1.0))
    return bool(confidence - right > SURER_THAN_RIGHT + 2.0 * error)


def _on_starts(fit: Figures) -> Iterator[str]:
    """Yield what nodes, cells and labels that chance has made ask for."""
    stability, moved = fit.stability, fit.convergence.moved
    if not fit._are_placed:
        yield (
            "Do not read a meaning into nodes, tables or edges: nodes were placed by chance, since "
            "which cluster is which cell was not found. Try smaller node_sizes or more samples, or "
            "state some known_nodes."
        )
    if len(fit.shares) > 1 and _are_in_one_cell(fit):
        yield (
            "All samples lie in one cell: no clusters were found. Try latent_dim=6 or fewer "
            "outcomes; there may be none."
        )
    again = fit.found_again
    if fit._has_no_clusters:
        yield (
            "No clusters: groups that were held out are explained by one Gaussian as well as by "
            "cells. Rows of a group lie close together, and may be all that was found. Compare a "
            "single node, other columns, or more groups."
        )
    if again is not None and not again.found:
        yield (
            f"{again.n_samples} samples are few for these cells: as many that the fit draws do not "
            f"show them again {draws_in_words(again)} Cells may be wrong, and so may nodes, "
            "tables and edges. Compare fewer outcomes or another modality, or state some "
            "known_nodes."
        )
    if stability.unstable and (again is None or len(stability.rand_indices) > 1):
        yield (
            "Do not read a meaning into single cells yet: fits with another random_state may find "
            "other ones. Compare some, or set n_init=10 (ten fits); then try other node_sizes "
            "(skcausalpima.model_selection.select_node_sizes, six fits for each) and scale."
        )
    if fit._others_agree and moved is not None and moved < FEW:
        yield (
            "Other starts agree with each other on other cells than these, which training has left "
            "as it found them. Look whether the cells make sense; compare another random_state."
        )
    elif fit._others_agree:
        yield (
            "Training has moved samples out of the clusters that other starts agree on. Look "
            "whether the cells make sense; compare another latent_dim, or fewer epochs (max_iter)."
        )
    arrangement = fit.arrangement
    if arrangement is not None and fit._are_placed and arrangement.node_agreement.min() < AGREEING:
        yield (
            "Which cluster is which cell is nearly a tie, so that nodes may be mixed up. Try "
            "another random_state or n_init=10, or name nodes by some known_nodes; other "
            "node_sizes last."
        )


def _on_cells(fit: Figures) -> Iterator[str]:
    """Yield what cells ask for that are not apart, not sure, or not full."""
    certainty, one_cell = fit.separation.certainty, _are_in_one_cell(fit)
    if uncut := _without_gaps(fit):
        yield (
            f"{uncut}. What hangs together was cut: by more outcomes than there are, or because a "
            "factor has no steps. Compare smaller node_sizes (select_node_sizes), and look at the "
            "latent space (inspection.LatentDisplay)."
        )
    if certainty.mean() < SURE_OF_OUTCOMES and not one_cell:
        shares = fit._by_node(map(percent, certainty))
        yield (
            f"By the fit's own account its labels are right in {shares} of the samples: cells "
            "overlap, or are too many. Work with predict_proba in place of labels; compare smaller "
            "node_sizes."
        )
    whole = next(iter(fit.calibration.values()), None)
    if whole is not None and _is_surer(whole):
        yield (
            f"The fit is surer of cells than it is right, in samples of its own draws: it says "
            f"{whole.confidence:.2f} and is right in {whole.accuracy:.2f}. Do not take its "
            "probabilities at their word; compare fewer outcomes, or more samples."
        )
    if len(fit.merged):
        yield (
            f"Do not tell these cells apart: {fit._pairs(fit.merged)}. Fewer outcomes may do, or a "
            "larger latent_dim."
        )
    n_empty = len(fit.separation.empty)
    if n_empty and not one_cell:
        yield (
            f"{n_empty} of {len(fit.shares)} cells hold no samples: the grid may be too large, "
            "or a combination does not occur. Compare smaller node_sizes."
        )
    fullest_first = np.argsort(-fit.separation.occupancy, kind="stable")
    hold_samples = ~np.isin(fullest_first, fit.separation.empty)
    few = hardly_filled(fit.shares, hold_samples, fit.n_samples)
    is_doubted = few & ~fit.as_expected
    n_tiny = int(is_doubted.sum())
    if n_tiny and not one_cell:
        n_fewest = round(fit.n_samples * fit.shares[is_doubted].min())
        cells = "One cell holds" if n_tiny == 1 else f"{n_tiny} cells hold"
        yield (
            f"{cells} hardly any samples (the smallest {n_fewest}), and not where effects that "
            "add up would have them. Such a cell may be a few unusual samples: look at them, and "
            "compare smaller node_sizes."
        )


def _are_in_one_cell(fit: Figures) -> bool:
    """Return whether all other cells are the likeliest of no sample."""
    return len(fit.separation.empty) == len(fit.shares) - 1


def hardly_filled(shares: np.ndarray, hold_samples: np.ndarray, n_samples: int) -> np.ndarray:
    """Return which of the cells that hold samples hold hardly any."""
    n_filled = int(hold_samples.sum())
    few = min(FEW_SAMPLES, n_samples / (4 * n_filled)) / n_samples
    return hold_samples & (shares < max(few, smallest_share(n_filled)))


def _without_gaps(fit: Figures) -> str:
    """Write between which cells or outcomes there is no gap."""
    if fit.gaps is None:
        return ""
    if len(fit.joined):
        pairs = fit._pairs(fit.joined)
        return f"Between these cells there is no gap, samples lie there as in them: {pairs}"
    named = [name for name, cut in zip(fit.node_names, fit.gaps.cut, strict=True) if cut]
    return f"There is no gap between the outcomes of {', '.join(named)}" if named else ""


def _on_training_and_data(fit: Figures) -> Iterator[str]:
    """Yield what training that has not converged, contexts, and columns that are counts ask for."""
    for doubt in fit.doubts:
        yield f"Do not read a meaning into all differences between contexts: {doubt}."
    if fit.convergence.ended == "interrupted":
        yield (
            f"The fit was stopped after {fit.n_iter} epochs, by an interrupt or a callback: what "
            "there is was kept, without polishing and teaching. Before you rely on it, let a fit "
            "come to its end, or train this one further (warm_start=True, a Checkpoint)."
        )
    if fit.convergence.ended == "too early":
        yield "Training ended while the bound still rose or labels changed: raise max_iter."
    if fit.convergence.ended == "fallen":
        yield (
            "The bound was far better before training ended: use a smaller "
            "training__learning_rate, training__max_grad_norm, or fewer epochs (max_iter)."
        )
    moved = fit.convergence.moved or 0.0
    if moved > MOVED_SHARE and not fit._is_found and not fit._others_agree:
        yield (
            f"Training has moved {percent(moved)} of the samples out of the cells that it began "
            "with. Look whether the cells make sense; compare another random_state, or fewer "
            "epochs (max_iter)."
        )
    if fit.choices.counts:
        yield _on_counts(fit.choices)


def _on_counts(choices: ChoicesReport) -> str:
    """Write which columns look like counts, and how to state that they are."""
    listed, stated, is_array = [], dict[str, str](), False
    for name, columns in choices.counts.items():
        named, n_more = columns[:N_COLUMNS], len(columns) - N_COLUMNS
        more = f" and {n_more} more" if n_more > 0 else ""
        listed.append(f"{', '.join(named)}{more} of {name!r}")
        words = [f"{column!r}: {COUNTED!r}" for column in named] + ["..."] * (n_more > 0)
        is_whole = columns == list(map(str, range(choices.columns[name][1])))
        stated[name] = repr(COUNTED) if is_whole else f"{{{', '.join(words)}}}"
        is_array |= not is_whole and all(map(str.isdigit, columns))
    each = ", ".join(f"{name!r}: {words}" for name, words in stated.items())
    likelihoods = stated[ALONE] if list(choices.scale) == [ALONE] else f"{{{each}}}"
    return (
        f"These columns look like counts (integers, many zeros, a long tail): {'; '.join(listed)}. "
        f"If they are, fit with likelihoods={likelihoods}"
        f"{f', or {COUNTED!r} where all columns are counts' if is_array else ''}."
    )
