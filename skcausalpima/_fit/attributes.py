"""What a run leaves behind, as attributes of the estimator."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._data.samples import FitSamples
from .._grid import NodeGrid
from .._inference.attributes import (
    full_covariances,
    graph_and_tables,
    number_components,
    sklearn_covariances,
)
from .._inference.expert_tables import cluster_tables
from .._inference.posterior import posterior_and_cells
from .._inference.reports import separation_report
from .._model.setup import Setup
from .._model.tensors import TensorData
from ..modules import MultimodalVAE
from .run import Run


def training_attributes(best: Run) -> dict[str, Any]:
    """Return the attributes of a fit that describe its training."""
    history = {
        key: np.array([terms.get(key, np.nan) for terms in best.history]) for key in best.history[0]
    }
    return {"history_": history, "n_iter_": len(best.history), "converged_": best.converged}


def cluster_attributes(
    model: MultimodalVAE, best: Run, setup: Setup, samples: FitSamples, data: TensorData
) -> dict[str, Any]:
    """Return the attributes of a fit that describe the components, the nodes and their graph.

    ``labels_`` and ``node_labels_`` are those of the rows that were trained on.
    """
    covariance_type = setup.training.mixture.covariance_type
    probabilities = posterior_and_cells(model, data)[1].cpu().numpy()
    labels, states = number_components(probabilities, setup.spec.node_sizes)
    names = list(setup.spec.node_names)
    tables = cluster_tables(model, data, probabilities, states, names, setup.spec.modality_names)
    cells = NodeGrid(setup.spec.node_sizes).cells(states)
    means = best.state["prior.means"][cells]
    covariances = sklearn_covariances(best.state["prior.covariances"][cells], covariance_type)
    full = full_covariances(covariances, covariance_type, *means.shape)
    dag, cpts, joint = graph_and_tables(best.graph, names)
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
        "separation_": separation_report(means, full, labels, samples.weights),
    }
