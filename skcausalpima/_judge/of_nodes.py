"""What speaks against nodes: which cluster is which cell, and whether a grid is one."""

from __future__ import annotations

import math
from collections.abc import Iterator

from .._clustering.arrangement_report import doubt_of
from .._clustering.margins import CHANGED_NODES, MOVED_SHARE
from .alarms import Alarm, are_alarmed
from .figures import Figures, is_asked, is_found, others_agree, percent, short, unseparated

#: How the sentence on nodes that are doubtful ends, and what to do about them, by code.
REMEDIES = {
    "nodes-by-chance": (
        ", so that tables and edges mean nothing.",
        "Try smaller node_sizes or more samples, or state some known_nodes. Labels of clusters may "
        "still be of use.",
    ),
    "labels-overlap": (
        ".",
        "Look at predict_proba; another modality, or known_nodes, may separate them.",
    ),
    "nodes-tied": (
        ".",
        "Try another random_state or n_init=10, state some known_nodes, or other node_sizes.",
    ),
}


def of_nodes(fit: Figures) -> Iterator[Alarm]:
    """Yield what was found of nodes."""
    if one_value := fit.choices.one_value:
        listed = "; ".join(f"{short(name)} is {what}" for name, what in one_value.items())
        yield Alarm(
            code="one-value",
            sentence=f"One value of one column alone gives a node: {listed}. No other column shows "
            "it.",
            remedy="If the value stands for something that was not measured, make it missing "
            "(NaN), or state the column's likelihood.",
        )
    arrangement, moved = fit.arrangement, fit.convergence.moved or 0.0
    n_cells, n_nodes = math.prod(fit.node_sizes), len(fit.node_sizes)
    doubt = None if arrangement is None else doubt_of(arrangement, n_cells)
    if doubt is not None:
        end, remedy = REMEDIES[doubt.code]
        yield Alarm(
            code=doubt.code, figure=doubt.figure, sentence=f"{doubt.sentence}{end}", remedy=remedy
        )
    elif (
        arrangement is not None
        and arrangement.certainty is not None
        and moved > 1.0 - (1.0 - CHANGED_NODES) ** n_nodes
    ):
        yield _moved("nodes-moved", "nodes may be others than those that were found", moved)
        return
    if moved > MOVED_SHARE and not is_found(fit) and not others_agree(fit):
        yield _moved("cells-moved", "cells may be others than those that were found", moved)


def _moved(code: str, what: str, moved: float) -> Alarm:
    """Return that training has moved samples."""
    return Alarm(
        code=code,
        figure=moved,
        sentence=f"Training has moved {percent(moved)} of the samples to other cells: {what}.",
        remedy="Look whether the cells make sense (prototypes of each node); compare another "
        "random_state, or fewer epochs (max_iter).",
    )


def not_separated(fit: Figures, found: list[Alarm]) -> Iterator[Alarm]:
    """Yield which nodes are not separated from plain clusters, where no alarm comes before it."""
    names = unseparated(fit)
    if not names or are_alarmed(found):
        return
    some = len(names) < len(fit.node_names)
    verb = "is" if len(names) == 1 else "are"
    sentence = f"{', '.join(map(short, names))} {verb} not separated from plain "
    sentence += "clusters: means of cells do not show a factor of its own" if some else "clusters"
    sentence += "." if is_asked(fit) else " (that is looked at where init is 'arranged')."
    yield Alarm(
        code="not-separated",
        sentence=sentence,
        remedy=f"The cautious reading is node_sizes={len(fit.shares)}, kinds without factors. "
        "Known outcomes (known_nodes) or another modality would decide.",
    )
