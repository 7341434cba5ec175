"""Choosing the number of nodes and of their outcomes.

Candidates that the start speaks for are in ``_proposals``, what is kept of fits to folds and of
their starts in ``_folds``, which of them pass which tests in ``_verdicts``, and which are fitted in
``_judged``.
"""

from ._select_node_sizes import NodeSizeSelection, select_node_sizes

__all__ = ["NodeSizeSelection", "select_node_sizes"]
