"""Which samples are complete enough to learn the model from."""

from __future__ import annotations

import numpy as np

from .ranks import ALONE, Ranks

#: Smallest share of the samples that the model is learned from.
SMALLEST_SHARE = 0.2


def complete_enough(observed: np.ndarray, ranks: Ranks = ALONE) -> np.ndarray | None:
    """Return the samples that the model is learned from; the others learn from the model.

    These are the samples with the most modalities: the complete ones if they are at least a fifth
    of all, else also those that lack one, and so on until they are a fifth.

    Parameters
    ----------
    observed : ndarray of bool of shape (n_modalities, n_samples)
        True where a sample has the modality.
    ranks : Ranks, default=ALONE
        Who has further samples, of which these are counted as one set.

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
    n_all, *n_with = ranks.sum(np.array([observed.shape[1], *observed.sum(axis=1)])).tolist()
    for level in range(len(observed), -1, -1):
        rows = np.flatnonzero(counts >= level)
        n_rows, *n_left = ranks.sum(np.array([len(rows), *observed[:, rows].sum(axis=1)])).tolist()
        covered = all(left > 0 for left, n in zip(n_left, n_with, strict=True) if n > 0)
        if covered and n_rows >= SMALLEST_SHARE * n_all:
            break
    return None if n_rows == n_all else rows
