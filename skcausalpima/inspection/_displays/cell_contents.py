"""What is shown of the cells of a fit beside what decodes: samples, and titles."""

from __future__ import annotations

import numpy as np
from sklearn.base import BaseEstimator

from ..._base.types import Samples
from ..._inference.kept_models import model_of, samples_of
from .._fitted_estimator import is_empty
from .shown_modality import ShownModality

NO_SAMPLES = "no samples"


def nearest_samples(est: BaseEstimator, X: Samples | None, shown: ShownModality) -> np.ndarray:
    """Return the sample of each component that is nearest to its mean; NaN where none is."""
    if X is None:
        raise ValueError('kind="nearest" shows samples: pass them as X, or take kind="decoded".')
    modalities = samples_of(est, X)
    posterior = model_of(est).posterior(modalities)
    labels = posterior.probabilities.argmax(axis=1)
    distances = np.linalg.norm(posterior.points - est.cluster_means_[labels], axis=1)
    distances[~modalities.observed[shown.number]] = np.inf
    components = np.unique(labels[np.isfinite(distances)])
    rows = [np.where(labels == component, distances, np.inf).argmin() for component in components]
    elements = shown.elements(modalities.take(np.array(rows, dtype=int)))
    values = shown.of_groups(elements)
    nearest = np.full((len(est.cluster_means_), *values.shape[1:]), np.nan)
    nearest[components] = values
    return nearest


def titles_of_cells(est: BaseEstimator, shown: ShownModality) -> list[str]:
    """Return the parameters of an expert in each component, or the share of its samples."""
    empty, table = is_empty(est), est.expert_params_.get(shown.name)
    if table is None:
        shares = np.round(100 * est.separation_.occupancy).astype(int)
        empty &= shares == 0  # those that are the likeliest of no sample may have a share
        titles = [f"{share} %" if share else "< 1 %" for share in shares]
    else:
        columns = [[f"{name} {value:.3g}" for value in table[name]] for name in table.parameters]
        titles = ["\n".join(lines) for lines in zip(*columns, strict=True)]
    return [NO_SAMPLES if no else title for no, title in zip(empty, titles, strict=True)]
