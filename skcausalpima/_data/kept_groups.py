"""Groups of the rows of a fit: kept with it, and used again where rows are the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from .._base.types import Unchecked
from .groups import read_groups
from .sample_weight import row_digests
from .validation import Modalities


@dataclass(frozen=True, kw_only=True, eq=False)
class FitGroups:
    """Which rows of a fit belong together.

    Parameters
    ----------
    codes : ndarray of int of shape (n_rows,)
        Number of each row's group, from 0 without gaps.
    digests : ndarray of uint64 of shape (n_rows,) or None
        By which these rows are known again; None of rows on disk.
    """

    codes: np.ndarray
    digests: np.ndarray | None

    @classmethod
    def of(cls, modalities: Modalities) -> Self | None:
        """Return the groups of the samples of a fit, if they have any."""
        if modalities.groups is None:
            return None
        return cls(codes=modalities.groups, digests=row_digests(modalities))

    def of_same_rows(self, modalities: Modalities) -> np.ndarray:
        """Return the groups of samples that are those of the fit, in the same order.

        Raises
        ------
        ValueError
            If they are others, or are not known again.
        """
        before, now = self.digests, row_digests(modalities)
        if before is None or now is None or not np.array_equal(before, now):
            raise ValueError(
                "The estimator was fitted with groups=, and X is not the rows of the fit, in their "
                "order: pass groups= with the label of each of these rows (np.arange(len(X)), if "
                "each stands alone)."
            )
        return self.codes


def groups_of(
    labels: Unchecked, modalities: Modalities, kept: FitGroups | None = None
) -> np.ndarray | None:
    """Return the number of each sample's group, by labels, or as the fit has kept it.

    None where neither says that samples belong together.
    """
    if labels is None:
        return None if kept is None else kept.of_same_rows(modalities)
    codes = read_groups(labels, modalities.n_samples)
    return None if codes.max() + 1 == len(codes) else codes  # groups of one row are rows
