"""The independent units of samples: as they are stated, or as a fit has kept them."""

from __future__ import annotations

from sklearn.base import BaseEstimator

from .._base.scikit_learn import num_samples
from .._base.types import Groups, Samples
from .._data.groups import GROUPS_ENTRY, read_groups, take_groups
from .._data.several import check_rows_with
from .._data.validation import as_container, read_modalities
from .units import Units


def units_of(est: BaseEstimator, X: Samples, groups: Groups) -> tuple[Samples, Units]:
    """Return samples without their entry of groups, and the units that they belong to.

    Without groups, neither here nor in the fit, each sample is a unit of its own.

    Parameters
    ----------
    est : CausalPIMA
        A fitted estimator.
    X : sequence, mapping, MultimodalData, array-like or DataFrame
        Samples.
    groups : array-like of shape (n_samples,), str or None
        A label of each sample, or the name of the entry of X with them.

    Raises
    ------
    ValueError
        If groups are not as :func:`read_groups` expects them, or the fit has groups and these are
        other rows.
    """
    X, labels = take_groups(X, groups, getattr(est, GROUPS_ENTRY, None))
    fitted = getattr(est, "_fitted", None)
    if labels is None and fitted is not None and fitted.groups is not None:
        return X, Units.of(fitted.groups.of_same_rows(read_modalities(est, X, reset=False)))
    check_rows_with(X, groups=labels)
    n_samples = num_samples(as_container(X, None if fitted is None else est))
    return X, Units.of(None if labels is None else read_groups(labels, n_samples), n_samples)
