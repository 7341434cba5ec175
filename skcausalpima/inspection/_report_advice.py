"""What the figures of a fit ask for: a rule each, the most urgent first."""

from __future__ import annotations

from collections.abc import Callable

from .._clustering.clusters import smallest_share
from .._clustering.rivals import AGREEING
from ._report_layout import percent
from ._report_sections import Figures, are_placed, pairs_in_words

MOVED = 0.2  # by so much more other starts agree with each other than with the fit
FEW = 0.05  # of the samples
FEW_SAMPLES = 10  # of a cell: they may be a few unusual ones
SURE = 0.95  # outcomes that are less certain, in the mean, are in doubt
N_COLUMNS = 3  # that are named

ALL_WELL = (
    "Nothing to worry about was found in these samples. What others like them would say, "
    "skcausalpima.inspection knows: edge_confidence of edges and nodes (20 further fits), "
    "table_intervals of tables."
)


def _by_chance(report: Figures) -> str | None:
    if are_placed(report):
        return None
    return (
        "Do not read a meaning into nodes, tables or edges: nodes were placed by chance, since "
        "which cluster is which cell was not found. Try smaller node_sizes or more samples, or "
        "state some known_nodes."
    )


def _one_cell(report: Figures) -> str | None:
    if report.shares.max() < 1 or len(report.shares) == 1:
        return None
    return (
        "All samples lie in one cell: no clusters were found. Try latent_dim=6 or fewer outcomes; "
        "there may be none."
    )


def _unstable(report: Figures) -> str | None:
    if not report.stability.unstable:
        return None
    return (
        "Do not read a meaning into single cells yet: fits with another random_state may find "
        "other ones. Compare some, or set n_init=10 (ten fits); then try other node_sizes "
        "(skcausalpima.model_selection.select_node_sizes, six fits for each) and scale."
    )


def _moved(report: Figures) -> str | None:
    found = report.stability
    if found.with_starts is None:
        return None
    if found.among_starts - found.with_starts < MOVED:
        return None
    moved = report.convergence.moved
    if moved is not None and moved < FEW:
        return (
            "Other starts agree with each other on other cells than these, which training has left "
            "as it found them. Look whether the cells make sense; compare another random_state."
        )
    return (
        "Training has moved samples out of the clusters that other starts agree on. Look whether "
        "the cells make sense; compare another latent_dim, or fewer epochs (max_iter)."
    )


def _merged(report: Figures) -> str | None:
    if not len(report.merged):
        return None
    return (
        f"Do not tell these cells apart: {pairs_in_words(report, report.merged)}. Fewer outcomes "
        "may do, or a larger latent_dim."
    )


def _no_gap(report: Figures) -> str | None:
    if report.gaps is None:
        return None
    named = [name for name, cut in zip(report.node_names, report.gaps.cut, strict=True) if cut]
    if len(report.joined):
        cells = pairs_in_words(report, report.joined)
        told = f"Between these cells there is no gap, samples lie there as in them: {cells}"
    elif named:
        told = f"There is no gap between the outcomes of {', '.join(named)}"
    else:
        return None
    return (
        f"{told}. What hangs together was cut: by more outcomes than there are, or because a "
        "factor has no steps. Compare smaller node_sizes (select_node_sizes), and look at the "
        "latent space (inspection.LatentDisplay)."
    )


def _in_doubt(report: Figures) -> str | None:
    certainty = report.separation.certainty
    if certainty.mean() >= SURE or report.shares.max() == 1:
        return None
    told = ", ".join(
        f"{name} {percent(of)}" for name, of in zip(report.node_names, certainty, strict=True)
    )
    return (
        f"By the fit's own account its labels are right in {told} of the samples: cells overlap, "
        "or are too many. Work with predict_proba in place of labels; compare smaller node_sizes."
    )


def _tiny(report: Figures) -> str | None:
    filled = report.shares[report.shares > 0]
    few = min(FEW_SAMPLES, report.n_samples / (4 * len(filled))) / report.n_samples
    n_tiny = int((filled < max(few, smallest_share(len(filled)))).sum())
    if not n_tiny or len(filled) == 1:
        return None
    n_samples = round(report.n_samples * filled.min())
    cells = "One cell holds" if n_tiny == 1 else f"{n_tiny} cells hold"
    return (
        f"{cells} hardly any samples (the smallest {n_samples}). Such a cell may be a few unusual "
        "samples: look at them, and compare smaller node_sizes."
    )


def _empty(report: Figures) -> str | None:
    n_empty = len(report.separation.empty)
    if not n_empty or report.shares.max() == 1:
        return None
    return (
        f"{n_empty} of {len(report.shares)} cells hold no samples: the grid may be too large, "
        "or a combination does not occur. Compare smaller node_sizes."
    )


def _near_tie(report: Figures) -> str | None:
    found = report.arrangement
    if found is None or not are_placed(report) or found.node_agreement.min() >= AGREEING:
        return None
    return (
        "Which cluster is which cell is nearly a tie, so that nodes may be mixed up. Try another "
        "random_state or n_init=10, or name nodes by some known_nodes; other node_sizes last."
    )


def _ended_badly(report: Figures) -> str | None:
    if report.convergence.ended == "too early":
        return "Training ended while the bound still rose or labels changed: raise max_iter."
    if report.convergence.ended == "fallen":
        return (
            "The bound was far better before training ended: use a smaller "
            "training__learning_rate, training__max_grad_norm, or fewer epochs (max_iter)."
        )
    return None


def _counts(report: Figures) -> str | None:
    counts = report.choices.counts
    if not counts:
        return None
    told = []
    for name, columns in counts.items():
        n_more = len(columns) - N_COLUMNS
        words = ", ".join(columns[:N_COLUMNS]) + (f" and {n_more} more" if n_more > 0 else "")
        told.append(f"{words} of {name!r}")
    return (
        f"These columns look like counts (integers, many zeros, a long tail): {'; '.join(told)}. "
        "Fit np.log1p of them, divided by the sample's depth first if depths differ."
    )


ADVICE: tuple[Callable[[Figures], str | None], ...] = (
    _by_chance,
    _one_cell,
    _unstable,
    _moved,
    _near_tie,
    _no_gap,
    _in_doubt,
    _merged,
    _empty,
    _tiny,
    _ended_badly,
    _counts,
)
