"""The fitted state: every primary fact that a fit leaves; what follows from them is in derived."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np

from .._contexts.fitted import NO_CONTEXTS, FittedContexts
from .._data.known_nodes import OutcomeNames
from .._data.scaling import ModalityScaler
from .._grid import NodeGrid
from .._model.spec import ModelSpec
from ..functional import COVARIANCE_TYPES
from .fields import Sizes, array, declared, has, is_array, one_of
from .training import Arrivals, Numbers, TrainingState

if TYPE_CHECKING:
    import pandas as pd


def are_tables(value: list[np.ndarray], sizes: Sizes) -> bool:
    """Return True for one table per node, which broadcast over causes and the grid."""
    n_axes = max((of.ndim for of in value), default=0)
    return len(value) == sizes["node"] <= n_axes and all(
        is_array(of, "float64", ("",) * n_axes, {}) and bool(np.isfinite(of).all()) for of in value
    )


def are_references(value: list[np.ndarray], sizes: Sizes) -> bool:
    """Return True for one row of numbers per modality, and one for all of several."""
    return len(value) == sizes["modality"] + (sizes["modality"] > 1) and all(
        is_array(of, "float64", ("",), {}) and bool(np.isfinite(of).all()) for of in value
    )


class ExpertTable(Mapping[str, np.ndarray]):
    """Columns by name: outcomes of nodes, parameters, and standard errors of these.

    Parameters
    ----------
    columns : mapping of str to ndarray of shape (n_rows,)
        One column per node, per parameter, and one ``"<parameter>_se"`` for its standard error;
        ``"<parameter>_sd"`` is how much it scatters between samples, if it may.
    parameters : sequence of str
        Which of the columns are parameters.
    outcome_names : mapping of str to tuple of str, default=None
        Names of the outcomes of nodes that have some; the columns themselves are numbers.
    """

    def __init__(
        self,
        columns: Mapping[str, np.ndarray],
        parameters: Sequence[str],
        outcome_names: Mapping[str, tuple[str, ...]] | None = None,
    ) -> None:
        self._columns = dict(columns)
        self.parameters = tuple(parameters)
        self.outcome_names = dict(outcome_names or {})

    def __getitem__(self, name: str) -> np.ndarray:
        """Return a column."""
        return self._columns[name]

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names of the columns."""
        return iter(self._columns)

    def __len__(self) -> int:
        """Return the number of columns."""
        return len(self._columns)

    def __repr__(self) -> str:
        """Show the table."""
        rows = zip(*(self._written(name) for name in self), strict=True)
        lines = [list(self), *rows]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        return "\n".join(
            "  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True))
            for line in lines
        )

    def to_frame(self) -> pd.DataFrame:
        """Return the table as a pandas DataFrame; outcomes that have names are categories."""
        import pandas as pd  # an optional dependency

        named = {
            name: pd.Categorical.from_codes(self[name].tolist(), list(labels))
            for name in self
            if (labels := self._labels(name)) is not None
        }
        return pd.DataFrame(self._columns | named)

    def _labels(self, name: str) -> tuple[str, ...] | None:
        """Return the names of what is in a column; None where it is numbers."""
        return None if name in self.parameters else self.outcome_names.get(name)

    def _written(self, name: str) -> list[str]:
        """Return a column as texts."""
        labels, values = self._labels(name), self[name]
        if labels is not None:
            return [labels[k] for k in values]
        return [str(v) if isinstance(v, np.integer) else f"{v:.4g}" for v in values]


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
        Of each node, broadcasting over the labels of causes and the grid.
    cause_edges : ndarray of bool of shape (n_causes, n_nodes)
        Edges from contexts that are causes.
    cause_weights : ndarray of shape (n_causes, n_nodes)
        Their probabilities.
    """

    adjacency: np.ndarray = array("bool", "node", "node")
    compelled: np.ndarray = array("bool", "node", "node")
    edge_weights: np.ndarray = array("float64", "node", "node")
    probabilities: np.ndarray | None = array("float64", "node", "node")
    node_scores: np.ndarray = array("float64", "node")
    tables: list[np.ndarray] = declared(are_tables)
    cause_edges: np.ndarray = array("bool", "", "node")
    cause_weights: np.ndarray = array("float64", "", "node")


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
    contexts : FittedContexts, default=NO_CONTEXTS
        Contexts and their offsets.
    """

    spec: ModelSpec
    numbers: Numbers
    subset_numbers: Numbers | None
    scaler: ModalityScaler
    covariance_type: str = one_of(*COVARIANCE_TYPES)
    cells: np.ndarray = array("int64", "component", below="component")
    graph: HardGraph
    outcome_names: OutcomeNames | None
    by_chance: bool
    labels: np.ndarray = array("int64", "sample", below="component")
    expert_tables: dict[str, ExpertTable]
    tail_reference: list[np.ndarray] = declared(are_references)
    separation: SimpleNamespace = has("smallest occupancy empty merged certainty")
    convergence: SimpleNamespace = has("ended n_steps spread rise fall label_changes moved")
    arrangement: SimpleNamespace | None = has(
        "misfit gap ties node_shares node_agreement agreement smallest_share found certainty"
    )
    stability: SimpleNamespace | None = has(
        "agreement unstable with_starts among_starts short_runs rand_indices"
    )
    gaps: SimpleNamespace | None = has("nodes cut pairs")
    choices: SimpleNamespace | None = has(
        "scale columns modality_weights views linear tried counts"
    )
    history: Numbers
    phase_history: dict[str, Numbers]
    converged: bool
    lower_bound: float
    training: TrainingState | None
    arrivals: Arrivals
    contexts: FittedContexts = NO_CONTEXTS

    @property
    def outcomes(self) -> np.ndarray:
        """Outcomes of the nodes in each component, (n_components, n_nodes)."""
        return NodeGrid(self.spec.node_sizes).outcomes(self.cells)

    def all_numbers(self) -> list[Numbers]:
        """Return the numbers of the model: as fitted, and what training goes on from or back to."""
        return [self.numbers, *([] if self.training is None else self.training.all_numbers())]
