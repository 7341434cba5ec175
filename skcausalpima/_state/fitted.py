"""The fitted state: every primary fact that a fit leaves, and the attributes that follow."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import networkx as nx
import numpy as np

from .._base.grid import NodeGrid
from .._base.reports.cells import (
    ArrangementReport,
    CellValuesReport,
    FoundAgainReport,
    GapsReport,
    SeparationReport,
    StabilityReport,
)
from .._base.reports.shown_table import Frame, ShownTable, TableText, pandas_for
from .._base.reports.training import ChoicesReport, ConvergenceReport
from .._base.types import Values
from .._contexts.fitted import NO_CONTEXTS, FittedContexts, links
from .._data.groups import GROUPS_ENTRY
from .._data.kept_groups import FitGroups
from .._data.known_nodes import OutcomeNames, labels_by_node
from .._data.scaling import ModalityScaler
from .._model.spec import ModelSpec
from .._structure.digraphs import ADJACENT, CONTEXT, KIND, TOLD, compel_nothing
from ..functional import COVARIANCE_TYPES, covariance_type_named
from .fields import Sizes, are_references, are_tables, are_values, array, declared
from .training import Arrivals, Numbers, TrainingState


def is_scaler(value: ModalityScaler, sizes: Sizes) -> bool:
    """Return True for one entry per modality of all that a scaler has."""
    entries = vars(value).values()
    return all(isinstance(entry, tuple) and len(entry) == sizes["modality"] for entry in entries)


def have_names(value: dict[str, ExpertTable], sizes: Sizes) -> bool:
    """Return True for tables whose columns and parameters have texts as names."""
    names = (name for table in value.values() for name in (*table, *table.parameters))
    return all(isinstance(name, str) for name in names)


class ExpertTable(ShownTable, Mapping[str, np.ndarray]):
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

    def to_frame(self) -> Frame:
        """Return the table as a pandas DataFrame; outcomes that have names are categories."""
        pd = pandas_for("to_frame")
        named = {
            name: pd.Categorical.from_codes(self[name].tolist(), list(labels))
            for name in self
            if (labels := self._labels(name)) is not None
        }
        return pd.DataFrame(self._columns | named)

    def _as_table(self) -> TableText:
        """Write a row for each outcome of nodes."""
        rows = zip(*(self._written(name) for name in self), strict=True)
        return TableText("", tuple(self), list(rows))

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
    separation : SeparationReport
        How well components are separated and filled.
    cell_values : CellValuesReport
        How many values components have.
    convergence : ConvergenceReport
        How training ended.
    arrangement : ArrangementReport or None
        How clusters were laid on the grid. It and the next four are None before the end of a fit.
    stability : StabilityReport or None
        Whether other seeds would find the same cells.
    found_again : FoundAgainReport or None
        Whether samples are enough for the cells.
    gaps : GapsReport or None
        Whether there are gaps between cells.
    choices : ChoicesReport or None
        What was left to the data.
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
    row_digests : ndarray of uint64 of shape (n_rows,) or None
        By which the samples of the fit are known again, in rising order; None where they are not.
    contexts : FittedContexts, default=NO_CONTEXTS
        Contexts and their offsets.
    groups : FitGroups or None
        Which rows of the fit belong together; None where each stands alone.
    """

    spec: ModelSpec
    numbers: Numbers
    subset_numbers: Numbers | None
    scaler: ModalityScaler = declared(is_scaler)
    covariance_type: str = declared(lambda value, sizes: value in COVARIANCE_TYPES)
    cells: np.ndarray = array("int64", "component", below="component")
    graph: HardGraph
    outcome_names: OutcomeNames | None
    by_chance: bool
    labels: np.ndarray = array("int64", "sample", below="component")
    expert_tables: dict[str, ExpertTable] = declared(have_names)
    tail_reference: list[np.ndarray] = declared(are_references)
    separation: SeparationReport
    cell_values: CellValuesReport = declared(are_values)
    convergence: ConvergenceReport
    arrangement: ArrangementReport | None
    stability: StabilityReport | None
    found_again: FoundAgainReport | None
    gaps: GapsReport | None
    choices: ChoicesReport | None
    history: Numbers
    phase_history: dict[str, Numbers]
    converged: bool
    lower_bound: float
    training: TrainingState | None
    arrivals: Arrivals
    row_digests: np.ndarray | None = array("uint64", "")
    contexts: FittedContexts = NO_CONTEXTS
    groups: FitGroups | None = None

    @property
    def outcomes(self) -> np.ndarray:
        """Outcomes of the nodes in each component, (n_components, n_nodes)."""
        return NodeGrid(self.spec.node_sizes).outcomes(self.cells)

    def all_numbers(self) -> list[Numbers]:
        """Return the numbers of the model: as fitted, and what training goes on from or back to."""
        return [self.numbers, *([] if self.training is None else self.training.all_numbers())]


#: What an estimator keeps of a fit: the state, how samples came, and what a user reads.
FITTED, INPUT = "_fitted", ("_input_form", "_modality_tables", GROUPS_ENTRY)


def fitted_attributes(state: FittedState) -> Values:
    """Return the attributes that a fit sets, by name: the state, and what follows from it."""
    return {FITTED: state} | public_attributes(state)


def is_of_fit(name: str) -> bool:
    """Return True for the name of an attribute that a fit sets."""
    return name in (FITTED, *INPUT) or (name.endswith("_") and not name.startswith("_"))


def public_attributes(state: FittedState) -> Values:
    """Return the attributes that users read, by name."""
    graph, outcomes = state.graph, state.outcomes
    causes = state.contexts.cause_shares
    is_parent = np.concatenate([graph.cause_edges, graph.adjacency])
    joint = functools.reduce(np.multiply, graph.tables)
    if causes:
        joint = np.broadcast_to(joint, (*map(len, causes.values()), *state.spec.node_sizes))
    for shares in causes.values():
        joint = np.tensordot(shares, joint, axes=1)
    covariances = state.numbers["prior.covariances"][state.cells]
    names = list(state.spec.node_names)
    tables = zip(names, graph.tables, strict=True)
    attributes = {
        "latent_dim_": state.spec.latent_dim,
        "labels_": state.labels,
        "node_labels_": outcomes[state.labels],
        "cluster_states_": outcomes,
        "cluster_means_": state.numbers["prior.means"][state.cells],
        "cluster_covariances_": sklearn_covariances(covariances, state.covariance_type),
        "weights_": joint.ravel()[state.cells],
        "joint_": joint,
        "dag_": _graph(state),
        "cpts_": {
            n: _compact(cpt, len(causes) + k, is_parent[:, k]) for k, (n, cpt) in enumerate(tables)
        }
        | causes,
        "edge_weights_": graph.edge_weights,
        "edge_probabilities_": graph.probabilities,
        "node_scores_": graph.node_scores,
        "expert_params_": state.expert_tables,
        "separation_": state.separation,
        "cell_values_": state.cell_values,
        "history_": state.history,
        "phase_history_": state.phase_history,
        "n_iter_": len(next(iter(state.history.values()))),
        "converged_": state.converged,
        "convergence_": state.convergence,
        "lower_bound_": state.lower_bound,
    }
    if state.contexts.labels:
        attributes |= {"contexts_": state.contexts.labels, "offsets_": state.contexts.offsets}
    if state.contexts.adapted:
        attributes["adapted_"] = state.contexts.adapted
    if state.stability is None:  # the fit goes on
        return attributes
    of_start = ("arrangement", "stability", "found_again", "gaps", "choices")
    return attributes | {f"{name}_": getattr(state, name) for name in of_start}


def _graph(state: FittedState) -> nx.DiGraph:
    """Return the graph with sizes, names of outcomes, weights, and which arrows are compelled."""
    graph, names, sizes = state.graph, state.spec.node_names, state.spec.node_sizes
    dag = nx.DiGraph()
    named = labels_by_node(names, state.outcome_names)
    for (name, labels), size in zip(named.items(), sizes, strict=True):
        dag.add_node(name, size=size, **({} if labels is None else {"states": labels}))
    _add_contexts(dag, state)
    for parent, child in np.argwhere(graph.adjacency):
        weights = graph.edge_weights[[parent, child], [child, parent]].tolist()
        compelled = bool(graph.compelled[parent, child])
        dag.add_edge(names[parent], names[child], compelled=compelled, **_at_edge(graph, *weights))
    if state.by_chance:
        compel_nothing(dag)
    elif state.arrangement is not None and state.arrangement.told is not None:
        by_node = dict(zip(names, state.arrangement.told.tolist(), strict=True))
        nx.set_node_attributes(dag, by_node, TOLD)
    return dag


def _add_contexts(dag: nx.DiGraph, state: FittedState) -> None:
    """Add contexts to the graph of the nodes, whose edges are still to come.

    Causes are parents. Others are linked to nodes, in no direction: as if they were children, so
    that they are no axes of tables.
    """
    contexts, graph, names = state.contexts, state.graph, list(dag)
    for name, labels in contexts.labels.items():
        states = tuple(map(str, labels.tolist()))
        dag.add_node(
            name, size=len(states), states=states, **{KIND: CONTEXT, "role": contexts.roles[name]}
        )
    causes = list(contexts.cause_shares)
    for cause, node in np.argwhere(graph.cause_edges):
        weight = float(graph.cause_weights[cause, node])
        dag.add_edge(causes[cause], names[node], compelled=True, **_at_edge(graph, weight))
    for name, linked in links(contexts, graph.adjacency, state.spec.node_sizes).items():
        for node, weight in zip(names, linked.tolist(), strict=True):
            if weight > 0.5 and contexts.roles[name] == "measured":
                dag.add_edge(node, name, compelled=False, **_at_edge(graph, weight))


def _at_edge(graph: HardGraph, weight: float, reverse: float = 0.0) -> Values:
    """Return the weight of an edge and, of probabilities, the sum of both directions."""
    is_sum = graph.probabilities is not None
    return {"weight": weight} | ({ADJACENT: min(weight + reverse, 1.0)} if is_sum else {})


def _compact(table: np.ndarray, node: int, is_parent: np.ndarray) -> np.ndarray:
    """Drop the axes of nodes that are no parents and put the node's own axis last."""
    others = tuple(axis for axis in range(table.ndim) if axis != node and not is_parent[axis])
    axis = int(is_parent[:node].sum())
    return np.moveaxis(table.squeeze(others), axis, -1)


def sklearn_covariances(covariances: np.ndarray, covariance_type: str) -> np.ndarray:
    """Return one covariance per component in scikit-learn's shape for the type."""
    kind = covariance_type_named(covariance_type)
    if kind.is_shared:
        return covariances[0]
    return covariances[:, 0] if kind.is_round else covariances


def full_covariances(
    covariances: np.ndarray, covariance_type: str, n_components: int, latent_dim: int
) -> np.ndarray:
    """Return whole matrices (n_components, latent_dim, latent_dim) from scikit-learn's shape."""
    kind = covariance_type_named(covariance_type)
    if kind.is_round:
        covariances = covariances[:, None]
    shape = (n_components, latent_dim, latent_dim)
    whole = np.broadcast_to(covariances, shape if kind.is_full else shape[:2])
    return whole if kind.is_full else whole[:, :, None] * np.eye(latent_dim)
