"""Warnings of clusters on a grid, each with its code in front, as those of a fit of CausalPIMA."""

from __future__ import annotations

from .._base.reports.cells import ArrangementReport
from .._base.warn import warn_caller
from .._clustering.arrangement_report import doubt_of
from .._clustering.margins import SURE_OF_OUTCOMES
from ..exceptions import ArrangementWarning, InstabilityWarning

#: What to do about nodes that are doubtful, by code.
REMEDIES = {
    "nodes-by-chance": "Try smaller node_sizes, more samples, or another random_state. Clusters "
    "themselves (labels_) may still be of use.",
    "labels-overlap": "Compare another random_state before you count on single labels; CausalPIMA, "
    "which takes further modalities and known_nodes, may separate them.",
    "nodes-tied": "Try other node_sizes, or CausalPIMA with some known_nodes.",
}


def warn_of_nodes(arrangement: ArrangementReport, n_cells: int) -> None:
    """Warn where nodes were not found, where they overlap, or where others fit nearly as well."""
    if (doubt := doubt_of(arrangement, n_cells)) is not None:
        text = f"[{doubt.code}] {doubt.sentence}. {REMEDIES[doubt.code]} See arrangement_."
        warn_caller(text, ArrangementWarning)


def warn_of_other_seeds(agreement: float) -> None:
    """Warn where the clusterings that came next have other cells."""
    warn_caller(
        "[other-seeds] The cells may depend on random_state: the clusterings that came next have "
        f"other ones (adjusted Rand index {agreement:.2f}). Compare other seeds before you read a "
        "meaning into them; more samples, other node_sizes, or embeddings in which clusters lie "
        "apart may help.",
        InstabilityWarning,
    )


def warn_of_overlap(certainty: float) -> None:
    """Warn where cells overlap."""
    if certainty < SURE_OF_OUTCOMES:
        warn_caller(
            "[cells-overlap] Cells overlap, or are too many: if the linear case holds, labels are "
            f"right in {certainty:.1%} of the samples. Work with predict_proba in place of labels; "
            "compare smaller node_sizes.",
            InstabilityWarning,
        )


def warn_of_few_rows(n_different: int, n_cells: int) -> None:
    """Warn where too few rows differ for so many cells."""
    warn_caller(
        f"[few-rows] X has {n_different} different rows for {n_cells} cells, so that some stay "
        "empty. Use fewer or smaller nodes, or leave out copies of samples.",
        InstabilityWarning,
    )


def warn_of_one_cell(n_cells: int) -> None:
    """Warn where all samples lie in one cell."""
    warn_caller(
        f"[one-cell] All samples lie in one of {n_cells} cells: no clusters were found, so that "
        "nodes mean nothing. Are columns in several units? Then put a StandardScaler first.",
        InstabilityWarning,
    )
