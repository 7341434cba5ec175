"""The fitted state: every primary fact that a fit leaves; what follows from them is in derived."""

from __future__ import annotations

import math
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np

from .._data.known_nodes import OutcomeNames
from .._data.scaling import ModalityScaler
from .._grid import NodeGrid
from .._model.spec import ModelSpec
from .._typing import Unchecked
from ..functional import COVARIANCE_TYPES
from .expert_table import ExpertTable
from .fields import (
    Sizes,
    a,
    array,
    check_fields,
    declared,
    has,
    is_array,
    is_row,
    named_arrays,
    one_of,
)
from .training import Arrivals, TrainingState


def sizes_of(spec: ModelSpec) -> Sizes:
    """Return the lengths of axes that follow from what was built."""
    return {
        "component": math.prod(spec.node_sizes),
        "node": len(spec.node_sizes),
        "modality": len(spec.shapes),
    }


def are_tables(value: Unchecked, sizes: Sizes) -> bool:
    """Return True for one table per node, which broadcast over the grid."""
    if not isinstance(value, list) or len(value) != sizes["node"]:
        return False
    return all(
        is_array(of, "float64", ("",) * len(value), {}) and bool(np.isfinite(of).all())
        for of in value
    )


def are_references(value: Unchecked, sizes: Sizes) -> bool:
    """Return True for one row of numbers per modality, and one for all of several."""
    if not isinstance(value, list) or len(value) != sizes["modality"] + (sizes["modality"] > 1):
        return False
    return all(is_row(of, "float64") and bool(np.isfinite(of).all()) for of in value)


@dataclass(frozen=True, kw_only=True, eq=False)
class HardGraph:
    """The graph at the end of training.

    Parameters
    ----------
    adjacency : ndarray of bool of shape (n_nodes, n_nodes)
        True where i -> j.
    compelled : ndarray of bool of shape (n_nodes, n_nodes)
        The edges whose direction is identified.
    edge_weights : ndarray of shape (n_nodes, n_nodes)
        Probabilities, relaxed edges, or the adjacency, as ``edge_weights_`` says.
    probabilities : ndarray of shape (n_nodes, n_nodes) or None
        Of the edges, over all graphs.
    node_scores : ndarray of shape (n_nodes,)
        Parents have smaller ones.
    tables : list of ndarray
        Of each node, broadcasting over the grid.
    """

    adjacency: np.ndarray = array("bool", "node", "node")
    compelled: np.ndarray = array("bool", "node", "node")
    edge_weights: np.ndarray = array("float64", "node", "node")
    probabilities: np.ndarray | None = array("float64", "node", "node", optional=True)
    node_scores: np.ndarray = array("float64", "node")
    tables: list[np.ndarray] = declared(are_tables)


@dataclass(frozen=True, kw_only=True, eq=False)
class FittedState:
    """What a fit leaves.

    Parameters
    ----------
    spec : ModelSpec
        What was built.
    numbers : dict of str to ndarray
        Parameters and buffers of the model.
    subset_numbers : dict of str to ndarray or None
        Those of the encoders of incomplete samples.
    scaler : ModalityScaler
        Units of the data.
    covariance_type : {"full", "tied", "diag", "spherical"}
        Of the components.
    cells : ndarray of int64 of shape (n_components,)
        The cell of the grid, in C order, of each component.
    graph : HardGraph
        The graph of the nodes and its tables.
    outcome_names : list of (tuple of str or None) or None
        Names of the outcomes of each node.
    by_chance : bool
        Whether the nodes were placed by chance, so that no arrow is compelled.
    labels : ndarray of int64 of shape (n_samples,)
        Components of the training samples.
    expert_tables : dict of str to ExpertTable
        What experts have learned, by modality.
    tail_reference : list of ndarray
        What ``tail_probability`` compares samples with, in rising order.
    separation, convergence : SimpleNamespace
        Reports.
    arrangement, stability, gaps, choices : SimpleNamespace or None
        Reports on the start of training; None before its end.
    history : dict of str to ndarray
        Terms of the bound after every epoch.
    phase_history : dict of str to dict
        The same of the other phases.
    converged : bool
        Whether training came to its end by itself.
    lower_bound : float
        Mean bound of the training samples.
    training : TrainingState or None
        Where training stood, for ``warm_start``.
    arrivals : Arrivals
        What ``partial_fit`` goes on from.
    """

    spec: ModelSpec = a(ModelSpec)
    numbers: dict[str, np.ndarray] = named_arrays()
    subset_numbers: dict[str, np.ndarray] | None = named_arrays(optional=True)
    scaler: ModalityScaler = a(ModalityScaler)
    covariance_type: str = one_of(*COVARIANCE_TYPES)
    cells: np.ndarray = array("int64", "component")
    graph: HardGraph = a(HardGraph)
    outcome_names: OutcomeNames | None = a(list, tuple, optional=True)
    by_chance: bool = a(bool)
    labels: np.ndarray = array("int64", "sample")
    expert_tables: dict[str, ExpertTable] = a(dict)
    tail_reference: list[np.ndarray] = declared(are_references)
    separation: SimpleNamespace = has("smallest", "occupancy", "empty", "merged", "certainty")
    convergence: SimpleNamespace = has(
        *("ended", "n_steps", "spread", "rise", "fall", "label_changes", "moved")
    )
    arrangement: SimpleNamespace | None = has(
        *("misfit", "gap", "ties", "node_shares", "node_agreement", "agreement"),
        *("smallest_share", "found", "certainty"),
        optional=True,
    )
    stability: SimpleNamespace | None = has(
        *("agreement", "unstable", "with_starts", "among_starts", "short_runs", "rand_indices"),
        optional=True,
    )
    gaps: SimpleNamespace | None = has("nodes", "cut", "pairs", optional=True)
    choices: SimpleNamespace | None = has(
        *("scale", "columns", "modality_weights", "views", "tried", "counts"), optional=True
    )
    history: dict[str, np.ndarray] = named_arrays()
    phase_history: dict[str, dict[str, np.ndarray]] = a(dict)
    converged: bool = a(bool)
    lower_bound: float = a(float)
    training: TrainingState | None = a(TrainingState, optional=True)
    arrivals: Arrivals = a(Arrivals)

    @property
    def outcomes(self) -> np.ndarray:
        """Outcomes of the nodes in each component, (n_components, n_nodes)."""
        return NodeGrid(self.spec.node_sizes).outcomes(self.cells)

    def all_numbers(self) -> list[dict[str, np.ndarray]]:
        """Return the numbers of the model: as fitted, and what training goes on from or back to."""
        return [self.numbers, *([] if self.training is None else self.training.all_numbers())]

    def check(self) -> None:
        """Raise where a field is not what it was declared to be.

        Raises
        ------
        ValueError
            Names the field.
        """
        check_fields(self, sizes_of(self.spec))
