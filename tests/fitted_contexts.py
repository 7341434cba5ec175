"""Contexts of a fit, given counts of cells by labels."""

import numpy as np

from skcausalpima._contexts.fitted import FittedContexts


def fitted_contexts(cells, mix=True, **more):
    """Return contexts without offsets, given counts of cells by labels."""
    cells = np.asarray(cells, dtype=float)
    names = ["site", "day"][: cells.ndim - 1]
    labels = {name: np.arange(n) for name, n in zip(names, cells.shape, strict=False)}
    roles = dict.fromkeys(names, "measured")
    mixes = dict.fromkeys(names, mix)
    return FittedContexts(labels=labels, roles=roles, mixes=mixes, offsets={}, cells=cells, **more)
