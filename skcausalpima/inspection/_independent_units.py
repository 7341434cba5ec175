"""The independent units of samples: what the fit, or whoever asks, says of groups."""

from __future__ import annotations

import numpy as np
from sklearn.base import BaseEstimator

from .._base.types import Groups, Samples
from .._data.containers import CONTAINERS, container_of
from .._data.groups import entry_of_groups, read_groups
from .._data.sample_weight import row_digests
from .._data.several import check_rows_with
from .._data.validation import Modalities
from .._held_out.units import Units


def units_of(est: BaseEstimator, X: Samples, samples: Modalities, groups: Groups) -> Units:
    """Return what samples belong to.

    Parameters
    ----------
    est : CausalPIMA
        A fitted estimator.
    X : sequence, mapping, MultimodalData, array-like or DataFrame
        Samples, in any form that it accepts.
    samples : Modalities
        The same, checked.
    groups : array-like of shape (n_samples,), str or None
        A label of each sample, or the name of an entry of X. None for the groups of the fit, where
        X is what it was fitted to or has the entry that the fit named, and for none where the fit
        had none.

    Raises
    ------
    ValueError
        If groups are not as :func:`read_groups` expects them, or if the fit had groups and X is
        none of what it was fitted to.
    """
    known = getattr(est._fitted, "groups", None)
    entry = getattr(est._fitted, "group_entry", None)
    if (
        groups is None
        and entry is not None
        and entry in (CONTAINERS[container_of(X)].entries(X) or ())
    ):
        groups = entry
    if isinstance(groups, str):
        groups = entry_of_groups(X, groups)
    if groups is not None:
        check_rows_with(X, groups=groups)
        return Units.of(read_groups(groups, samples.n_samples))
    if known is None:
        return Units(samples.n_samples)
    digests = row_digests(samples)
    if digests is None or not np.array_equal(digests, est._fitted.group_rows):
        raise ValueError(
            "est was fitted with groups, and X is not what it was fitted to: pass groups=, a label "
            "of each sample by which samples belong together (range(len(X)) if none do)."
        )
    return Units.of(known)
