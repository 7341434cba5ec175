"""What a report reads of a fit, besides its attributes: contexts, and its own draws."""

from __future__ import annotations

import networkx as nx
import numpy as np
from sklearn.base import BaseEstimator

from .._base.reports.contexts import ContextReport
from .._base.types import Samples
from .._contexts.fitted import cell_shares, overlaps
from .._inference.kept_models import samples_of
from ._calibration import CalibrationCurve, curves_of_draws

N_DRAWS = 300  # that the model is asked about: shares are exact to 0.03
MOST_CELLS, MOST_MODALITIES = 32, 4  # are asked about modalities alone: more take a second
MOST_ELEMENTS = 500  # of a sample, for networks such as convolutions: larger ones take seconds


def check_samples(est: BaseEstimator, X: Samples | None, check: bool) -> None:
    """Raise where samples are not those of a fit, as far as their form and number say."""
    if X is None:
        if check:
            raise ValueError(
                "check=True compares two halves of the samples: pass them, report(X, check=True)."
            )
        return
    n_samples, n_of_fit = samples_of(est, X).n_samples, len(est.labels_)
    if n_samples not in (n_of_fit, est._fitted.arrivals.n_rows):
        raise ValueError(
            f"X has {n_samples} sample(s), and the estimator was fitted to {n_of_fit}: report(X) "
            "takes those of the fit. Of others, inspection.goodness_of_fit(est, X, seen=False) "
            "says where the model does not hold, and plot_summary(X) draws them."
        )


def reported_contexts(est: BaseEstimator) -> dict[str, ContextReport]:
    """Return what was found of the contexts of a fit."""
    if not hasattr(est, "contexts_"):
        return {}
    contexts, reports = est._fitted.contexts, {}
    sizes, least = est.joint_.shape, overlaps(contexts)
    units = dict(zip(est.modality_names_in_, est._fitted.scaler.factor, strict=True))
    for name in contexts.labels:
        grid = cell_shares(contexts, name).reshape(-1, *sizes)
        axes = range(1, grid.ndim)
        of_nodes = [grid.sum(axis=tuple(a for a in axes if a != node)) for node in axes]
        moves = {
            m: offsets[name] / units[m]
            for m, offsets in contexts.offsets.items()
            if offsets[name].any()
        }
        reports[name] = ContextReport(
            role=contexts.roles[name],
            labels=contexts.labels[name].tolist(),
            counts=contexts.by_label(name, contexts.counts),
            shares=list(zip(*of_nodes, strict=True)),
            links=sorted(map(str, nx.all_neighbors(est.dag_, name))),
            overlap=float(least[name].min()),
            moves={m: float(np.sqrt(np.square(move).mean())) for m, move in moves.items()},
        )
    return reports


def curves_of_own_draws(est: BaseEstimator) -> dict[str, CalibrationCurve]:
    """Return how sure an estimator is of the cells of samples that it draws, by what is seen."""
    own_networks = est.encoders is not None or est.decoders is not None
    if own_networks and est.n_features_in_ > MOST_ELEMENTS:
        return {}
    n_modalities = len(est.modality_names_in_)
    few = n_modalities <= MOST_MODALITIES and n_modalities * len(est.weights_) <= MOST_CELLS
    try:
        return curves_of_draws(est, N_DRAWS, random_state=0, alone=few)
    except ValueError:  # it draws what is not finite, or beyond the range of an expert
        return {}
