"""Which samples are complete enough to learn the model from."""

from __future__ import annotations

import numpy as np

#: Smallest share of the samples that the model is learned from.
SMALLEST_SHARE = 0.2


def complete_enough(observed: np.ndarray) -> np.ndarray | None:
    """Return the samples that the model is learned from; the others learn from the model.

    These are the samples with the most modalities: the complete ones if they are at least a fifth
    of all, else also those that lack one, and so on until they are a fifth.

    Parameters
    ----------
    observed : ndarray of bool of shape (n_modalities, n_samples)
        True where a sample has the modality.

    Returns
    -------
    ndarray of int of shape (n_chosen,) or None
        In rising order; None for all.

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima._data.completeness import complete_enough
    >>> complete_enough(np.array([[True, True, False], [True, True, True]]))
    array([0, 1])
    >>> complete_enough(np.ones((2, 3), dtype=bool))
    """
    counts = observed.sum(axis=0)
    levels = np.unique(counts)[::-1]
    for level in levels:
        rows = np.flatnonzero(counts >= level)
        covered = observed[:, rows].any(axis=1).sum() == observed.any(axis=1).sum()
        if covered and len(rows) >= SMALLEST_SHARE * observed.shape[1]:
            break
    return None if len(rows) == observed.shape[1] else rows
