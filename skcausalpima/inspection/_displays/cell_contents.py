"""What is shown of the cells of a fit beside what decodes: samples, and titles."""

from __future__ import annotations

import numpy as np
from sklearn.base import BaseEstimator

from ..._base.types import Samples
from ..._data.arrays import flat_rows
from ..._data.column_kinds import COUNTS, DEPTH, slices_of
from ..._inference.kept_models import model_of, samples_of
from .._fitted_estimator import is_empty
from .painter import drawn_as
from .shown_modality import CodedModality, ShownModality, decoded_components, decoded_elements

NO_SAMPLES = "no samples"


def contents_of_cells(
    est: BaseEstimator, shown: ShownModality, kind: str, X: Samples | None
) -> tuple[np.ndarray, np.ndarray | None]:
    """Return what is drawn of components, and how many values bars rest on.

    ``kind`` and ``X`` are as in :meth:`PrototypeDisplay.from_estimator`.
    """
    if kind == "nearest":
        return _nearest_samples(est, X, shown), None
    decoded = decoded_components(est, shown)
    if shown.parts is None and drawn_as(decoded.shape[1:], shown.x, shown.columns) != "bars":
        return decoded, None
    means, counts = _means(est, shown)
    return means if kind == "mean" else decoded, counts


def _means(est: BaseEstimator, shown: ShownModality) -> tuple[np.ndarray, np.ndarray]:
    """Return means of what was observed in components, and how many values each rests on.

    Counts, and what hardly a sample has, are what decodes. Of a table of several kinds of columns
    there is one number for each column.
    """
    decoded, values = decoded_elements(est, shown), est.cell_values_
    counts = np.broadcast_to(values.counts[shown.name], flat_rows(decoded).shape)
    means = values.means.get(shown.name, flat_rows(decoded))
    is_known, firsts = np.round(counts) > 0, np.arange(counts.shape[1])
    if isinstance(shown, CodedModality):
        layout = shown.coding.layout
        words = np.repeat([word for word, _ in layout], [n for _, n in layout])
        is_known = is_known & ~np.isin(words, (*COUNTS, DEPTH))
        firsts = np.array([part.start for part in slices_of(layout)])[: len(shown.coding.columns)]
    elements = np.where(is_known, means, flat_rows(decoded))
    return shown.of_groups(elements.reshape(decoded.shape)), counts[:, firsts]


def _nearest_samples(est: BaseEstimator, X: Samples | None, shown: ShownModality) -> np.ndarray:
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
