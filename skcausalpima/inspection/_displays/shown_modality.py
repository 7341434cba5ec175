"""A modality of a fitted estimator as it is drawn: abscissa, names, and units."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator

from ..._data.selection_keys import asked_modalities
from ..._data.validation import Modalities
from ..._inference.fitted_model import FittedModel
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

    def values(self, modalities: Modalities) -> np.ndarray:
        """Return the values of samples as they are drawn, NaN where they are missing."""
        array, missing = modalities.arrays[self.number], modalities.missing_elements(self.number)
        present = np.zeros(missing.shape) if array is None else np.asarray(array, dtype=float)
        return self.shown(np.where(missing, np.nan, present))

    def shown(self, array: np.ndarray) -> np.ndarray:
        """Return values as they are drawn."""
        return (array - self.centre) / self.factor

    def shown_spread(self, array: np.ndarray) -> np.ndarray:
        """Return standard deviations as they are drawn."""
        return array / self.factor


def shown_modality(
    est: BaseEstimator, model: FittedModel, modality: Unchecked, x: ArrayLike | None = None
) -> ShownModality:
    """Return how a modality, by name or number, is drawn; the first one for None.

    Curves of an expert have its abscissa. Columns of a table that have a scale each are drawn in
    standard deviations from their means.
    """
    names = [str(name) for name in est.modality_names_in_]
    (m,) = [0] if modality is None else asked_modalities(modality, names)
    shape, columns = est.modality_shapes_in_[m], est.modality_feature_names_in_[names[m]]
    abscissa, experts = None if x is None else np.asarray(x), dict(model.model.experts)
    if abscissa is None and m in experts:
        of_expert = np.asarray(experts[m].expert.x)
        abscissa = of_expert if of_expert.shape == tuple(shape) else None
    named = None if columns is None else tuple(map(str, columns))
    centre, factor = model.scaler.centre[m], model.scaler.factor[m]
    if kind_of(shape, abscissa, columns) == "bars" and np.ndim(factor) > 0:
        unit = "standard deviations from the mean"
        return ShownModality(m, names[m], abscissa, named, centre, factor, unit)
    return ShownModality(m, names[m], abscissa, named)


def decoded_components(
    est: BaseEstimator, model: FittedModel, modality: ShownModality
) -> np.ndarray:
    """Return what decodes from the mean of each component, of shape (n_components, \\*shape)."""
    components = np.arange(len(est.cluster_means_))
    decoded = model.decode(est.cluster_means_, components)
    return modality.shown(decoded[modality.number])
