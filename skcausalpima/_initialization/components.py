"""Principal scores as components of another kind, in which clusters are sought."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from .._base.grid import n_effects
from .._clustering.independent_components import independent_components
from .latent_space import evidence_of_clusters, in_units_of_classes
from .principal_components import PrincipalScores


def in_components(
    scores: PrincipalScores, components: str, node_sizes: tuple[int, ...], seed: int
) -> PrincipalScores:
    """Return principal scores as components of another kind, where there are samples enough."""
    if components == "independent":
        return with_independent_components(scores, n_effects(node_sizes), seed) or scores
    if components == "classes" and scores.columns is not None:
        return in_units_of_classes(scores, math.prod(node_sizes), seed)
    if components == "discriminant":
        points = scores.scaled[:, scores.whitened.any(axis=0)]
        _, labels = evidence_of_clusters(points, math.prod(node_sizes), seed)
        numbers = np.unique(labels, return_inverse=True)[1]
        return scores.in_units_of_clusters(np.arange(len(points)), numbers)
    return scores


def with_independent_components(
    scores: PrincipalScores, n_effects: int, seed: int
) -> PrincipalScores | None:
    """Return scores of which independent components of least kurtosis are the first.

    Clusters are sought in the first components, and the latent space begins as those of as many as
    there are effects, and principal directions of what these leave.

    Parameters
    ----------
    scores : PrincipalScores
        Of the samples.
    n_effects : int
        Number of main effects.
    seed : int
        Of directions, and rows.

    Returns
    -------
    PrincipalScores or None
        None where samples are too few (see :func:`independent_components`).
    """
    principal = scores.scaled[:, scores.whitened.any(axis=0)]
    independent = independent_components(principal, n_effects, seed)
    if independent is None:
        return None
    components = independent.of(principal)
    n_scores, n_components = independent.directions.shape
    first = components[:, :n_effects]
    rest = principal[:, :n_scores] - independent.centre
    rest = rest - first @ (first.T @ rest / len(rest))
    left = np.linalg.svd(rest, full_matrices=False)[0][:, : n_components - n_effects]
    whitened = np.zeros_like(scores.whitened)
    whitened[:, :n_components] = np.hstack([first, left * np.sqrt(len(left))])
    sought = components[:, : 2 * n_effects]
    return replace(scores, whitened=whitened, scaled=sought, placed=sought)
