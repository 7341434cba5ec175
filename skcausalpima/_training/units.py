"""The bound of scaled data in the units of the data themselves."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .._data.scaling import ModalityScaler
from .._model.tensors import TensorData


def unit_shifts(scaler: ModalityScaler, names: Sequence[str], data: TensorData) -> dict[str, float]:
    """Return what is to be added to terms of the bound of scaled samples, by their names.

    A density of scaled data is one of the data times a factor, that of the scales; the terms are
    means over the samples, by weight.
    """
    observed = np.ones((len(names), data.n_samples), dtype=bool)
    if data.observed is not None:
        observed = data.observed.cpu().numpy()
    weights = None if data.weights is None else data.weights[0].cpu().numpy()
    masks = data.element_masks() or (None,) * len(names)
    shifts = {}
    for m, name in enumerate(names):
        jacobian = scaler.take([m]).log_jacobian(observed[m : m + 1], masks[m : m + 1])
        shifts[f"reconstruction_{name}"] = data.ranks.mean(jacobian, weights)
    total = sum(shifts.values())
    return shifts | {"lower_bound": total, "objective": total}
