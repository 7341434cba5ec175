"""What a fit says of samples, as a table in the user's words."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from .._data.known_nodes import labels_by_node
from .._data.sample_weight import row_digests
from .._data.validation import Modalities
from .._state.fitted import FittedState
from .fitted_model import FittedModel

if TYPE_CHECKING:
    import pandas as pd

#: A table of pandas, which is optional.
Answers: TypeAlias = "pd.DataFrame"
#: The outcomes of nodes, or the probabilities of these by node.
OfNodes: TypeAlias = np.ndarray | dict[str, np.ndarray]

#: Columns beside those of the nodes.
OTHERS = ("cell_probability", "log_density", "tail_probability")


def node_probabilities(
    fitted: FittedModel, state: FittedState, probabilities: np.ndarray
) -> dict[str, np.ndarray]:
    """Return those of the outcomes of each node, of rows of those of the components."""
    nodes = zip(state.spec.node_names, state.spec.node_sizes, fitted.outcomes.T, strict=True)
    return {name: probabilities @ np.eye(size)[outcomes] for name, size, outcomes in nodes}


def answers(fitted: FittedModel, state: FittedState, samples: Modalities) -> Answers:
    """Return a row of answers for each sample; see :meth:`CausalPIMA.to_frame`."""
    try:
        import pandas as pd
    except ImportError as error:
        raise ImportError(
            "to_frame needs pandas; install it with `pip install 'skcausalpima[pandas]'`, or take "
            "the arrays that predict_nodes and predict_proba return."
        ) from error
    names, sizes = state.spec.node_names, state.spec.node_sizes
    if taken := [name for name in names if name in OTHERS]:
        raise ValueError(
            f"The node {taken[0]!r} has the name of another column of the table: name it otherwise "
            "in node_sizes, or take the arrays that predict_nodes and predict_proba return."
        )
    probabilities = fitted.probabilities(samples)
    likeliest = fitted.outcomes[probabilities.argmax(axis=1)]
    columns: dict[str | tuple, object] = {}
    shares: dict[str | tuple, object] = {}
    named = labels_by_node(names, state.outcome_names)
    of_nodes = node_probabilities(fitted, state, probabilities)
    for node, (name, size) in enumerate(zip(names, sizes, strict=True)):
        labels = named[name]
        words = list(labels or range(size))
        columns[name] = likeliest[:, node]
        if labels:
            columns[name] = pd.Categorical.from_codes(likeliest[:, node].tolist(), words)
        shares |= {(name, word): of_nodes[name][:, k] for k, word in enumerate(words)}
    tails = fitted.tail_probabilities(samples, state.tail_reference, state.contexts.adapted)
    others = (probabilities.max(axis=1), fitted.score_samples(samples), tails)
    columns |= shares | dict(zip(OTHERS, others, strict=True))
    table = pd.DataFrame(dict(enumerate(columns.values())), index=samples.form.rows)
    table.columns = pd.Index(list(columns), tupleize_cols=False)
    digests = row_digests(samples)
    if digests is not None and state.row_digests is not None:
        table.loc[np.isin(digests, state.row_digests), "tail_probability"] = np.nan
    return table
