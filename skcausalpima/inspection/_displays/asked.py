"""What pictures ask of a fitted estimator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator

from ..._data.selection_keys import asked_modalities
from ..._grid import NodeGrid
from ..._typing import Unchecked
from .painter import kind_of


@dataclass(frozen=True)
class ShownModality:
    """One modality as it is drawn.

    Parameters
    ----------
    number : int
        Which.
    name : str
        Its name.
    x : ndarray or None
        Abscissa, of curves.
    columns : tuple of str or None
        Names of the elements, if they have some.
    centre, factor : ndarray or float
        Values are drawn as ``(value - centre) / factor``.
    unit : str
        What the values then are; "" for the units of the data.
    """

    number: int
    name: str
    x: np.ndarray | None
    columns: tuple[str, ...] | None
    centre: np.ndarray | float = 0.0
    factor: np.ndarray | float = 1.0
    unit: str = ""

    def shown(self, array: np.ndarray) -> np.ndarray:
        """Return values as they are drawn."""
        return (array - self.centre) / self.factor

    def shown_spread(self, array: np.ndarray) -> np.ndarray:
        """Return standard deviations as they are drawn."""
        return array / self.factor


def shown_modality(
    est: BaseEstimator, modality: Unchecked, x: ArrayLike | None = None
) -> ShownModality:
    """Return how a modality, by name or number, is drawn; the first one for None.

    Columns of a table that have a scale each are drawn in standard deviations from their means.
    """
    names = [str(name) for name in est.modality_names_in_]
    (m,) = [0] if modality is None else asked_modalities(modality, names)
    shape = tuple(est.modality_shapes_in_[m])
    columns = est.modality_feature_names_in_[names[m]]
    abscissa = _expert_abscissa(est, m, shape) if x is None else np.asarray(x)
    scaler = est._fitted.scaler
    if kind_of(shape, abscissa, columns) == "bars" and np.ndim(scaler.factor[m]) > 0:
        scale = (scaler.centre[m], scaler.factor[m], "standard deviations from the mean")
    else:
        scale = (0.0, 1.0, "")
    named = None if columns is None else tuple(map(str, columns))
    return ShownModality(m, names[m], abscissa, named, *scale)


def _expert_abscissa(est: BaseEstimator, m: int, shape: tuple[int, ...]) -> np.ndarray | None:
    """Return the points at which the expert of a modality is evaluated."""
    experts = dict(est._fitted_model().model.experts)
    if m not in experts:
        return None
    x = np.asarray(experts[m].expert.x)
    return x if x.shape == shape else None


def cell_order(est: BaseEstimator) -> np.ndarray:
    """Return the components in the order of the grid's cells."""
    return np.argsort(NodeGrid(node_sizes(est)).cells(est.cluster_states_))


def node_sizes(est: BaseEstimator) -> tuple[int, ...]:
    """Return the numbers of outcomes of the nodes."""
    return tuple(est.dag_.nodes[node]["size"] for node in est.dag_)


def outcome_names(est: BaseEstimator) -> list[list[str]]:
    """Return the names of the outcomes of each node, numbers where they have none."""
    nodes = est.dag_.nodes.values()
    return [list(map(str, node.get("states") or range(node["size"]))) for node in nodes]


def is_empty(est: BaseEstimator) -> np.ndarray:
    """Say of each component whether it holds no training samples."""
    empty = np.zeros(len(est.cluster_means_), dtype=bool)
    empty[np.asarray(est.separation_.empty, dtype=int)] = True
    return empty


def decoded_components(est: BaseEstimator, modality: ShownModality) -> np.ndarray:
    """Return what decodes from the mean of each component, of shape (n_components, \\*shape)."""
    components = np.arange(len(est.cluster_means_))
    decoded = est._fitted_model().decode(est.cluster_means_, components)
    return modality.shown(decoded[modality.number])


def check_word(value: Unchecked, name: str, words: Sequence[str]) -> str:
    """Check that a parameter is one of some words."""
    if not isinstance(value, str) or value not in words:
        listed = ", ".join(map(repr, words))
        raise ValueError(f"{name} is one of {listed}, got {value!r:.100}.")
    return value
