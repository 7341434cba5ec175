"""The estimator that pictures and figures are of: its check, and what is read of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NoReturn

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from .._base.grid import NodeGrid
from .._base.types import Unchecked
from .._judge.figures import speak_against_cells
from .._structure.digraphs import node_graph

#: What tells the estimator from others, which this room must not import: only it learns a graph.
OWN_METHOD = "to_graph"


def check_estimator(est: Unchecked, caller: str) -> None:
    """Check that it is a fitted estimator, and say what to pass instead of one that holds it.

    Parameters
    ----------
    est : object
        What was passed.
    caller : str
        What needs it, for messages.

    Raises
    ------
    TypeError
        If it is something else.
    NotFittedError
        If it is not fitted.

    Examples
    --------
    >>> from sklearn.cluster import KMeans
    >>> from skcausalpima.inspection._fitted_estimator import check_estimator
    >>> check_estimator(KMeans(), "associate_nodes")
    Traceback (most recent call last):
    TypeError: associate_nodes needs a fitted CausalPIMA as est, got KMeans.
    """
    if not (isinstance(est, BaseEstimator) and hasattr(est, OWN_METHOD)):
        refuse(est, f"{caller} needs a fitted CausalPIMA as est", _remedy(est))
    check_is_fitted(est)


def refuse(value: Unchecked, needed: str, remedy: str = "") -> NoReturn:
    """Raise a TypeError that says who needs what, and what came."""
    what = f"the class {value.__name__}" if isinstance(value, type) else type(value).__name__
    raise TypeError(f"{needed}, got {what}{remedy}.")


def _remedy(est: Unchecked) -> str:
    """Say what to pass in place of a pipeline or a search."""
    steps = getattr(est, "steps", None)
    if steps and hasattr(steps[-1][1], OWN_METHOD):
        return ": pass its last step, est[-1], and est[:-1].transform(X) where X is asked for"
    if hasattr(est, "best_estimator_"):
        return ": pass est.best_estimator_, or its last step if that is a pipeline"
    if hasattr(est, "param_grid") or hasattr(est, "param_distributions"):
        return ": fit it, and pass est.best_estimator_"
    return ""


def check_same_sizes(est: BaseEstimator) -> list[int]:
    """Return the sizes of nodes, which clones would have, too; a ValueError where they would not.

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima import CausalPIMA
    >>> from skcausalpima.inspection._fitted_estimator import check_same_sizes
    >>> X = np.random.default_rng(0).normal(size=(60, 2))
    >>> check_same_sizes(CausalPIMA((2, 2), max_iter=1, random_state=0).fit(X))
    [2, 2]
    """
    sizes = [est.cpts_[node].shape[-1] for node in node_graph(est.dag_)]
    is_named = isinstance(est.node_sizes, Mapping)
    stated = list(est.node_sizes.values() if is_named else np.atleast_1d(est.node_sizes).tolist())
    if stated != sizes:
        raise ValueError(
            f"est was fitted with node_sizes={tuple(sizes)}, but its node_sizes are "
            f"{tuple(stated)} now, so that its refits would have other nodes: fit it again."
        )
    return sizes


def outcome_names(est: BaseEstimator) -> list[list[str]]:
    """Return the names of the outcomes of each node, numbers where they have none."""
    nodes = node_graph(est.dag_).nodes.values()
    return [list(map(str, node.get("states") or range(node["size"]))) for node in nodes]


def cell_order(est: BaseEstimator) -> np.ndarray:
    """Return the components in the order of the grid's cells."""
    return np.argsort(NodeGrid(est.joint_.shape).cells(est.cluster_states_))


def is_empty(est: BaseEstimator) -> np.ndarray:
    """Return True for each component that holds no training samples."""
    return np.isin(np.arange(len(est.cluster_means_)), est.separation_.empty)


def are_in_doubt(est: BaseEstimator) -> bool:
    """Return whether cells, or which node they are of, may be wrong, by what the fit has found."""
    names = ("found_again_", "stability_", "arrangement_", "gaps_")
    return speak_against_cells(*(getattr(est, name, None) for name in names))
