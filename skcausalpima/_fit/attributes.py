"""What a run leaves behind, as attributes of the estimator: ``labels_``, ``dag_`` and so on."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace

import networkx as nx
import numpy as np
import torch

from .._data.known_nodes import OutcomeNames
from .._data.sample_weight import TrainingRows, weighted_mean
from .._data.samples import FitSamples
from .._data.validation import Modalities
from .._grid import NodeGrid
from .._inference.covariances import full_covariances, sklearn_covariances
from .._inference.expert_tables import cluster_tables
from .._inference.fitted_model import FittedModel, subset_encoders
from .._inference.outliers import reference_rows
from .._inference.posterior import sample_posterior
from .._inference.reports import (
    arrangement_report,
    choices_report,
    nodes_by_chance,
    separation_report,
    stability_report,
    warn_of_collapse,
)
from .._model.setup import Setup
from .._model.tensors import TensorData
from .._structure.digraphs import compel_nothing
from .._training.divergence import check_finite, told_divergence
from .._training.filling import filled
from .._training.graph_selection import HardGraph
from .._typing import Values
from ..modules import MultimodalVAE, SubsetEncoders
from .arrivals import Arrivals
from .checkpoint import fixed_settings
from .convergence import convergence_report
from .resume import trained_model
from .run import Run
from .stability import StartAgreement


def fitted_attributes(
    best: Run,
    setup: Setup,
    samples: FitSamples,
    data: TensorData,
    given: Modalities,
    states: np.ndarray | None = None,
    by_chance: bool = False,
) -> Values:
    """Return what the estimator keeps of a fit: NumPy and plain Python only.

    ``fit`` sets these by name and in one step: ``self.labels_ = found["labels_"]`` and so on.
    ``given`` is all of X, of which ``samples`` are the rows that were trained on. ``states`` of
    shape (n_components, n_nodes) are those of the components, where these have their numbers.
    ``by_chance`` says of a fit that goes on that its nodes were placed by chance.
    """
    spec = replace(setup.spec, predict_variances=best.predict_variances)
    found = _training_attributes(best) | {
        "convergence_": convergence_report(best, setup),
        "_architecture": spec.as_dict(),
        "_state": best.state,
        "_subset_state": best.subset_state,
        "_scaler": setup.scaler,
        "_node_names": list(spec.node_names),
        "_covariance_type": setup.training.mixture.covariance_type,
    }
    model = trained_model(spec, samples.knowledge, best.state, setup.device)
    encoders = subset_encoders(model, best.subset_state)
    data = filled(model, data)
    with told_divergence(model, spec.modality_names, "the final model", weights=data.weights):
        found |= cluster_attributes(model, encoders, best, setup, samples, data, states)
        if by_chance or (best.seen is not None and nodes_by_chance(setup, best.candidates)):
            compel_nothing(found["dag_"])
        fitted = FittedModel(
            model=model,
            encoders=encoders,
            scaler=setup.scaler,
            outcomes=found["cluster_states_"],
            means=found["cluster_means_"],
            covariances=found["cluster_covariances_"],
            covariance_type=found["_covariance_type"],
        )
        if samples.rows is not None:
            found["labels_"] = _labels_of_all(fitted, found["labels_"], given, samples.rows)
            found["node_labels_"] = fitted.outcomes[found["labels_"]]
        found["_tail_reference"] = _tail_reference(fitted, data, best.held_out)
        values = fitted.bounds(data, samples.modalities.observed).astype(np.float64)
        found["lower_bound_"] = _mean_bound(values, samples)
    if best.seen is None:
        return found
    warn_of_collapse(best.seen.labels, len(found["weights_"]))
    choices = choices_report(setup, samples.modalities)
    return found | _start_attributes(best, setup, best.seen) | {"choices_": choices}


def _mean_bound(values: np.ndarray, samples: FitSamples) -> float:
    """Return the mean bound of the samples of all ranks."""
    told, ranks = "bounds of the samples", samples.ranks
    if ranks.are_several:
        mean = ranks.mean(values, samples.weights)
        check_finite(torch.tensor(mean, dtype=torch.float64), told)
        return mean
    check_finite(torch.from_numpy(values), told)
    return weighted_mean(values, samples.weights)


def _start_attributes(best: Run, setup: Setup, seen: StartAgreement) -> Values:
    """Return the attributes that say how sure the start was; a fit that is continued keeps them."""
    return {
        "arrangement_": arrangement_report(setup, best.candidates),
        "stability_": stability_report(
            seen.with_fit, seen.among_starts, seen.short_runs, best.rand_indices
        ),
        "gaps_": None if seen.gaps is None else SimpleNamespace(**vars(seen.gaps)),
    }


def _tail_reference(
    fitted: FittedModel, data: TensorData, held_out: np.ndarray | None
) -> list[np.ndarray]:
    """Return what further samples are compared with: those that did not train, if there are any."""
    if held_out is not None:
        data = data.core()[0].subset(torch.as_tensor(held_out, device=data.device))
    weights = None if data.weights is None else data.weights[0].cpu().numpy()
    rows = reference_rows(data.n_samples, weights, data.n_samples / data.n_of_all)
    found = fitted.tail_reference(data.subset(torch.as_tensor(rows, device=data.device)))
    return [np.sort(data.ranks.gathered(values)) for values in found]


def _labels_of_all(
    fitted: FittedModel, labels: np.ndarray, given: Modalities, rows: TrainingRows
) -> np.ndarray:
    """Return the labels of all rows of X from those of the rows that were trained on."""
    found = labels[rows.places]
    left_out = np.flatnonzero(rows.places < 0)
    if len(left_out):
        found[left_out] = fitted.labels(given.take(left_out))
    return found


def _training_attributes(best: Run) -> Values:
    """Return the attributes of a fit that describe its training."""
    found = {
        "history_": _columns(best.history),
        "phase_history_": {name: _columns(rows) for name, rows in best.phase_history.items()},
        "n_iter_": len(best.history),
        "converged_": best.converged,
    }
    checkpoint = best.checkpoint
    return found if checkpoint is None else found | {"_checkpoint": checkpoint.as_dict()}


def _columns(history: list[dict[str, float]]) -> dict[str, np.ndarray]:
    """Return the terms of each epoch as an array of each term; NaN where an epoch lacks it."""
    return {key: np.array([terms.get(key, np.nan) for terms in history]) for key in history[0]}


def cluster_attributes(
    model: MultimodalVAE,
    encoders: SubsetEncoders | None,
    best: Run,
    setup: Setup,
    samples: FitSamples,
    data: TensorData,
    states: np.ndarray | None = None,
) -> Values:
    """Return the attributes of a fit that describe the components, the nodes and their graph.

    ``labels_`` and ``node_labels_`` are those of the rows that were trained on.
    """
    covariance_type = setup.training.mixture.covariance_type
    probabilities = sample_posterior(model, data, encoders).cells.cpu().numpy()
    grid, cells = NodeGrid(setup.spec.node_sizes), probabilities.argmax(axis=1)
    if states is None:
        occupied = data.ranks.gathered(np.unique(cells))
        states = numbered_components(occupied, setup.spec.node_sizes)
    labels = np.argsort(grid.cells(states))[cells]
    names = list(setup.spec.node_names)
    dag, cpts, joint = graph_and_tables(best.graph, names, samples.knowledge.outcome_names)
    labelled = dict(dag.nodes(data="states"))
    of_modalities = labelled, setup.spec.modality_names
    tables = cluster_tables(model, data, probabilities, states, *of_modalities)
    cells = grid.cells(states)
    means = best.state["prior.means"][cells]
    occupancy = data.ranks.sum(np.bincount(labels, samples.weights, len(means)))
    likeliest = _of_likeliest_outcomes(probabilities, grid)
    certainty = np.array([data.ranks.mean(column, samples.weights) for column in likeliest.T])
    covariances = sklearn_covariances(best.state["prior.covariances"][cells], covariance_type)
    full = full_covariances(covariances, covariance_type, *means.shape)
    return {
        "latent_dim_": setup.spec.latent_dim,
        "labels_": labels,
        "node_labels_": states[labels],
        "cluster_states_": states,
        "expert_params_": tables,
        "cluster_means_": means,
        "cluster_covariances_": covariances,
        "edge_weights_": best.graph.edge_weights,
        "edge_probabilities_": best.graph.probabilities,
        "node_scores_": best.graph.node_scores,
        "dag_": dag,
        "cpts_": cpts,
        "joint_": joint,
        "weights_": joint.ravel()[cells],
        "separation_": separation_report(means, full, occupancy, certainty),
        "_arrivals": _arrivals(probabilities, setup, samples, data).as_dict(),
    }


def _of_likeliest_outcomes(probabilities: np.ndarray, grid: NodeGrid) -> np.ndarray:
    """Return the probability of the likeliest outcome of each node, (n_samples, n_nodes)."""
    joint = probabilities.astype(np.float64).reshape(-1, *grid.sizes)
    nodes = range(1, joint.ndim)
    marginals = [joint.sum(axis=tuple(set(nodes) - {node})) for node in nodes]
    return np.stack([marginal.max(axis=1) for marginal in marginals], axis=1)


def _arrivals(
    probabilities: np.ndarray, setup: Setup, samples: FitSamples, data: TensorData
) -> Arrivals:
    """Return what is kept for further samples."""
    counts = data.ranks.sum(_weighted_sums(probabilities, samples.weights))
    return Arrivals(
        counts=np.ascontiguousarray(counts),
        n_elements=data.n_elements.double().cpu().numpy(),
        shrinkage=float(setup.training.mixture.shrinkage),
        reg_covar=float(setup.training.mixture.reg_covar),
        settings=fixed_settings(setup),
    )


def _weighted_sums(probabilities: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
    """Return for how many samples each column counts, in float64."""
    if weights is None:
        return probabilities.sum(axis=0, dtype=np.float64)
    return weights.astype(np.float64) @ probabilities.astype(np.float64)


def numbered_components(cells: np.ndarray, node_sizes: Sequence[int]) -> np.ndarray:
    """Number the components so that those that hold samples come first.

    Parameters
    ----------
    cells : ndarray of shape (n_samples,)
        The cell of each sample, in C order.
    node_sizes : sequence of int
        Shape of the grid.

    Returns
    -------
    ndarray of shape (n_components, n_nodes)
        Outcomes of the nodes in each component.
    """
    occupied, grid = np.unique(cells), NodeGrid(tuple(node_sizes))
    empty = np.setdiff1d(np.arange(grid.n_cells), occupied)
    return grid.outcomes(np.concatenate([occupied, empty]))


def graph_and_tables(
    graph: HardGraph, names: Sequence[str], outcome_names: OutcomeNames
) -> tuple[nx.DiGraph, dict[str, np.ndarray], np.ndarray]:
    """Return the graph, its tables and their product, the joint of the nodes."""
    joint = functools.reduce(np.multiply, graph.tables)
    dag = nx.DiGraph()
    of_outcomes = outcome_names or [None] * len(names)
    for name, size, labels in zip(names, joint.shape, of_outcomes, strict=True):
        dag.add_node(name, size=size, **({} if labels is None else {"states": labels}))
    for parent, child in np.argwhere(graph.adjacency):
        weight = float(graph.edge_weights[parent, child])
        compelled = bool(graph.compelled[parent, child])
        dag.add_edge(names[parent], names[child], weight=weight, compelled=compelled)
    tables = {
        name: _compact_table(table, node, graph.adjacency[:, node])
        for node, (name, table) in enumerate(zip(names, graph.tables, strict=True))
    }
    return dag, tables, joint


def _compact_table(table: np.ndarray, node: int, is_parent: np.ndarray) -> np.ndarray:
    """Drop the axes of nodes that are no parents and put the node's own axis last."""
    others = tuple(axis for axis in range(table.ndim) if axis != node and not is_parent[axis])
    axis = int(is_parent[:node].sum())
    return np.moveaxis(table.squeeze(others), axis, -1)
