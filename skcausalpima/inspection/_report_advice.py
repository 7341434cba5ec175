"""What the figures of a fit ask for: a rule each, the most urgent first."""

from __future__ import annotations

from collections.abc import Callable

from .._clustering.rivals import AGREEING
from ._report_sections import Figures, are_placed, pairs_in_words

MOVED = 0.2  # by so much more other starts agree with each other than with the fit
N_COLUMNS = 3  # that are named

ALL_WELL = (
    "Nothing to worry about was found. skcausalpima.inspection has edge_confidence, which says how "
    "sure edges and nodes are, and table_intervals, which says how sure the tables are."
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
        "All samples lie in one cell: no clusters were found. Try latent_dim=6, scale='feature' "
        "where columns have unlike units, or fewer outcomes."
    )


def _unstable(report: Figures) -> str | None:
    if not report.stability.unstable:
        return None
    return (
        "Do not read a meaning into single cells yet: fits with another random_state may find "
        "other ones. Compare some, or set n_init=10; then try other node_sizes "
        "(skcausalpima.model_selection.select_node_sizes) and scale."
    )


def _moved(report: Figures) -> str | None:
    found = report.stability
    if found.with_starts is None:
        return None
    if found.among_starts - found.with_starts < MOVED:
        return None
    return (
        "Training has moved samples out of the clusters that other starts agree on. Look whether "
        "the cells make sense; compare another latent_dim, or fewer epochs (max_iter)."
    )


def _merged(report: Figures) -> str | None:
    if not len(report.merged):
        return None
    return (
        f"Do not tell these cells apart: {pairs_in_words(report)}. Fewer outcomes may do, or a "
        "larger latent_dim."
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
            "The bound was far better before training ended: use a smaller learning_rate, "
            "max_grad_norm, or fewer epochs (max_iter)."
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
    _merged,
    _empty,
    _ended_badly,
    _counts,
)
