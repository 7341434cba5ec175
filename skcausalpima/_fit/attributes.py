"""The fitted state of a run: what it has learned, and what is found of its samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from .._base.grid import NodeGrid
from .._base.reports.cells import FoundAgainReport, SeparationReport
from .._base.types import Values
from .._clustering.arrangement_report import with_factors
from .._contexts.fitted import FittedContexts, doubts
from .._contexts.moved_nodes import moved_by_contexts
from .._data.kept_groups import FitGroups
from .._data.known_nodes import labels_by_node
from .._data.sample_weight import TrainingRows, row_digests
from .._data.samples import FitSamples
from .._data.validation import Modalities
from .._held_out.fits import is_one_of_many
from .._inference.evidence import (
    likelihood_terms,
    reference_rows,
    shortfalls,
    sorted_terms,
    spread_of_skewed,
    trusted,
)
from .._inference.fitted_model import FittedModel, subset_encoders
from .._inference.posterior import bounds, cells_of_samples
from .._inference.reports import (
    arrangement_report,
    choices_report,
    nodes_by_chance,
    separation_report,
    stability_report,
)
from .._judge.figures import Figures, collected
from .._judge.judge import warn_of_new
from .._judge.one_value import one_values, zeros_and_ones
from .._judge.repeats import repeats_of
from .._model.setup import Setup
from .._model.tensors import TensorData
from .._state.fitted import FittedState, fitted_attributes
from .._state.training import Arrivals
from .._training.ending import check_finite, told_divergence
from .._training.filling import filled
from ..modules import MultimodalVAE, SubsetEncoders
from .arrivals import DECAY
from .cell_values import cell_values
from .checkpoint import fixed_settings, trained_model
from .convergence import convergence_report
from .few_samples import found_again, with_certainty
from .known_factors import known_factors
from .run import Run


def fitted_state(
    best: Run,
    setup: Setup,
    samples: FitSamples,
    data: TensorData,
    given: Modalities,
    before: FittedState | None = None,
    arrivals: Arrivals | None = None,
) -> FittedState:
    """Return what a run leaves.

    ``given`` is all of X, of which ``samples`` are the rows that were trained on. ``before`` is the
    state of which the run went on; with ``arrivals`` components keep their numbers in it.
    """
    spec = replace(setup.spec, predict_variances=best.predict_variances)
    model = trained_model(spec, samples.knowledge, best.state, setup.device)
    encoders = subset_encoders(model, best.subset_state)
    data = filled(model, data, encoders)
    diverges = told_divergence(model, "the final model", weights=data.weights)
    with torch.no_grad(), diverges, model.frozen():
        of_scaled = bounds(model, data, encoders)
        reference = _tail_reference(model, encoders, data, best.held_out, of_scaled)
        earlier = None if arrivals is None else before  # of which the components go on
        doubted = None if _trusts_all(samples, earlier) else reference
        asked = trusted(model, data, encoders, doubted, of_scaled)
        probabilities = cells_of_samples(model, asked, encoders).cpu().numpy()
        cells = earlier.cells if earlier else _cells(probabilities, data, spec.node_sizes)
        contexts = _contexts(setup, samples, probabilities, arrivals)
        fitted = FittedModel(
            model=model,
            encoders=encoders,
            scaler=setup.scaler,
            cells=cells,
            covariance_type=setup.training.mixture.covariance_type,
            contexts=contexts,
            reference=doubted,
        )
        known = known_factors(fitted, samples, data)
        labels = np.argsort(cells)[probabilities.argmax(axis=1)]
        in_units = fitted.in_units(of_scaled, data, samples.modalities.observed).astype(np.float64)
        separation = _separation(fitted, probabilities, labels, in_units, samples, data)
        outcomes = labels_by_node(spec.node_names, samples.knowledge.outcome_names)
        tables = fitted.cluster_tables(data, probabilities, outcomes)
        digests = _digests(given, samples, data, earlier)
        is_whole = best.seen is not None and not best.stopped
        again = found_again(fitted, setup, samples, data, labels, digests) if is_whole else None
        again = with_certainty(again, separation.certainty)
        labels = _labels_of_all(fitted, labels, given, samples.rows)
        bound, of_core = _mean_bounds(in_units, data, samples)
    state = FittedState(
        spec=spec,
        numbers=best.state,
        subset_numbers=best.subset_state,
        scaler=setup.scaler,
        covariance_type=fitted.covariance_type,
        cells=cells,
        graph=best.graph,
        outcome_names=samples.knowledge.outcome_names,
        labels=labels,
        expert_tables=tables,
        tail_reference=reference,
        separation=separation,
        cell_values=cell_values(samples, data, probabilities[:, cells], earlier),
        lower_bound=bound,
        training=best.checkpoint,
        arrivals=arrivals or _arrivals(probabilities, setup, samples, data),
        row_digests=digests,
        contexts=contexts,
        groups=FitGroups.of(given),
        **_of_training(best, setup, of_core, before, arrivals is not None),
        **_of_start(best, setup, samples, known, contexts, again, before),
    )
    return _judged(state, given, before)


def _judged(state: FittedState, given: Modalities, before: FittedState | None) -> FittedState:
    """Return a fit that has come to its end with what its nodes are; raise its alarms."""
    if state.choices is not None and before is None and not is_one_of_many.get():
        names = state.spec.node_names
        one_value = one_values(given, state.outcomes[state.labels], names)
        numbers = {name: zeros_and_ones(given, m) for m, name in enumerate(given.names)}
        listed = {name: columns for name, columns in numbers.items() if columns}
        choices = replace(state.choices, one_value=one_value, zeros_and_ones=listed)
        state = replace(state, choices=choices)
    if state.stability is not None:
        kept = None if before is None or before.stability is None else before
        warn_of_new(_figures(state), None if kept is None else _figures(kept))
    return state


def _figures(state: FittedState) -> Figures:
    """Return what is judged of a fit."""
    return collected(Figures, fitted_attributes(state), doubts(state.contexts))


def _trusts_all(samples: FitSamples, before: FittedState | None) -> bool:
    """Return whether nothing was set aside, here or in the fit of before that has learned on."""
    return not len(samples.set_aside) and (before is None or before.separation.trusts_all)


def _contexts(
    setup: Setup, samples: FitSamples, probabilities: np.ndarray, arrivals: Arrivals | None
) -> FittedContexts:
    """Return contexts with what was found of their cells."""
    if not setup.contexts.labels:
        return setup.contexts
    before = 0.0 if arrivals is None else DECAY * setup.contexts.cells
    codes = samples.modalities.codes
    return setup.contexts.with_cells(codes, probabilities, samples.weights, before)


def _of_start(
    best: Run,
    setup: Setup,
    samples: FitSamples,
    known: np.ndarray,
    contexts: FittedContexts,
    again: FoundAgainReport | None,
    before: FittedState | None,
) -> Values:
    """Return what is known of the start of training; a fit that goes on keeps it."""
    agreement = best.seen
    if agreement is None:
        names = ("arrangement", "stability", "found_again", "gaps", "choices")
        kept = {name: getattr(before, name, None) for name in names}
        return kept | {"by_chance": before is not None and before.by_chance}
    arrangement = arrangement_report(setup, best.candidates)
    stability = stability_report(agreement, best.rand_indices, again)
    gain = agreement.gain
    is_doubtful = stability.unstable or (again is not None and again.are_few)
    is_doubtful |= gain is not None and not gain.is_better
    moved = moved_by_contexts(contexts, setup.spec.node_sizes)
    return {
        "arrangement": with_factors(
            arrangement, agreement.gaps, agreement.additivity, is_doubtful, known, moved
        ),
        "stability": stability,
        "found_again": again,
        "gaps": agreement.gaps,
        "choices": replace(choices_report(setup, samples.modalities), repeats=_repeats(samples)),
        "by_chance": nodes_by_chance(setup, best.candidates),
    }


def _of_training(
    best: Run, setup: Setup, bound: float, before: FittedState | None, arrived: bool
) -> Values:
    """Return what is known of training."""
    return {
        "convergence": convergence_report(best, setup, bound),
        "history": _columns(best.history),
        "phase_history": _phases(best, before, arrived),
        "converged": bool(best.converged),
    }


def _phases(
    best: Run, before: FittedState | None, arrived: bool
) -> dict[str, dict[str, np.ndarray]]:
    """Return the terms of the bound of other phases; a fit that goes on was pre-trained before."""
    phases = {name: _columns(rows) for name, rows in best.phase_history.items()}
    kept = {} if before is None else before.phase_history
    return {n: terms for n, terms in kept.items() if arrived or n == "pre-training"} | phases


def _cells(probabilities: np.ndarray, data: TensorData, node_sizes: Sequence[int]) -> np.ndarray:
    """Return the cell of each component: those that hold samples come first, in C order."""
    occupied = np.unique(data.rows_of_all(np.unique(probabilities.argmax(axis=1))))
    empty = np.setdiff1d(np.arange(NodeGrid(tuple(node_sizes)).n_cells), occupied)
    return np.concatenate([occupied, empty])


def _separation(
    fitted: FittedModel,
    probabilities: np.ndarray,
    labels: np.ndarray,
    in_units: np.ndarray,
    samples: FitSamples,
    data: TensorData,
) -> SeparationReport:
    """Report how components are separated and filled, how sure outcomes are, what is outlying."""
    counts = data.total_of(np.bincount(labels, samples.weights, len(fitted.means)))
    of_cells = probabilities.astype(np.float64)
    weights = np.ones(len(labels)) if samples.weights is None else samples.weights
    shares = data.total_of(weights @ of_cells)
    joint = of_cells.reshape(-1, *fitted.model.prior.node_sizes)
    nodes = range(1, joint.ndim)
    likeliest = [joint.sum(axis=tuple(set(nodes) - {node})).max(axis=1) for node in nodes]
    certainty = np.array([data.mean_of(column, samples.weights) for column in likeliest])
    return replace(
        separation_report(
            fitted.means, fitted.full_covariances(), counts, shares[fitted.cells], certainty
        ),
        outlying=_outlying(in_units, samples, data),
        set_aside=samples.set_aside,
        without_values=samples.without_values,
        trusts_all=fitted.reference is None,
    )


def _repeats(samples: FitSamples) -> tuple[int, str] | None:
    """Return of how many units rows look like repeats, where nobody has said what they are of."""
    return None if is_one_of_many.get() else repeats_of(samples.modalities)


def _outlying(in_units: np.ndarray, samples: FitSamples, data: TensorData) -> np.ndarray:
    """Return rows of X that are far less probable than others, of those that lack nothing."""
    whole = data.samples.present.all(dim=0).cpu().numpy()
    for mask in data.element_masks().values():
        whole = whole & mask.all(axis=1)
    numbers = np.flatnonzero(whole)
    values = in_units[numbers]
    is_far = shortfalls(values, values, spread_of_skewed(values)) > 0.0
    far_off = numbers[:0] if data.is_distributed else numbers[is_far]
    if samples.rows is None:
        return far_off
    return np.flatnonzero(np.isin(samples.rows.positions, far_off))


def _tail_reference(
    model: MultimodalVAE,
    encoders: SubsetEncoders | None,
    data: TensorData,
    held_out: np.ndarray | None,
    known_bounds: Tensor,
) -> list[np.ndarray]:
    """Return what further samples are compared with: those that did not train, if there are any.

    ``known_bounds`` of shape (n_samples,) are those of all samples.
    """
    if held_out is not None:
        data = data.core()[0].subset(torch.as_tensor(held_out, device=data.device))
    weights = None if data.weights is None else data.weights[0].cpu().numpy()
    rows = reference_rows(data.n_samples, weights, data.n_samples / data.n_of_all)
    numbers = torch.as_tensor(rows, device=data.device)
    known = known_bounds[numbers] if held_out is None else None
    terms = likelihood_terms(model, data.subset(numbers), encoders, known)
    return [np.sort(data.rows_of_all(values)) for values in sorted_terms(terms)]


def _digests(
    given: Modalities, samples: FitSamples, data: TensorData, before: FittedState | None
) -> np.ndarray | None:
    """Return by what the samples that were trained on are known again, those of before with them.

    None where those on disk were not read for it.
    """
    digests = row_digests(given)
    if digests is None or (before is not None and before.row_digests is None):
        return None
    if samples.rows is not None:
        digests = digests[samples.rows.positions >= 0]
    earlier = np.zeros(0, np.uint64) if before is None else before.row_digests
    return np.unique(np.concatenate([data.rows_of_all(digests), earlier]))


def _labels_of_all(
    fitted: FittedModel, labels: np.ndarray, given: Modalities, rows: TrainingRows | None
) -> np.ndarray:
    """Return the labels of all rows of X from those of the rows that were trained on."""
    if rows is None:
        return labels
    all_labels = labels[rows.positions]
    left_out = np.flatnonzero(rows.positions < 0)
    if len(left_out):
        all_labels[left_out] = fitted.labels(given.take(left_out))
    return all_labels


def _columns(history: list[dict[str, float]]) -> dict[str, np.ndarray]:
    """Return the terms of each epoch as an array of each term; NaN where an epoch lacks it."""
    keys = dict.fromkeys(key for terms in history for key in terms)  # in the order of the first
    return {key: np.array([terms.get(key, np.nan) for terms in history]) for key in keys}


def _arrivals(
    probabilities: np.ndarray, setup: Setup, samples: FitSamples, data: TensorData
) -> Arrivals:
    """Return what is kept for further samples."""
    weights, was_set = samples.weights, samples.knowledge.interventions
    regimes: list[tuple[int, ...]] = [()]
    chosen: list[np.ndarray | slice] = [slice(None)]
    if was_set is not None:
        regimes = sorted({(), *was_set.regimes})
        numbers = np.array([regimes.index(nodes) for nodes in was_set.regimes])[was_set.numbers]
        chosen = [numbers == k for k in range(len(regimes))]
    if weights is None:
        counts = [probabilities[rows].sum(axis=0, dtype=np.float64) for rows in chosen]
    else:
        of_rows = weights.astype(np.float64), probabilities.astype(np.float64)
        counts = [of_rows[0][rows] @ of_rows[1][rows] for rows in chosen]
    return Arrivals(
        regimes=regimes,
        counts=data.total_of(np.array(counts)),
        n_elements=data.n_elements.double().cpu().numpy(),
        shrinkage=float(setup.training.mixture.shrinkage),
        reg_covar=float(setup.training.mixture.reg_covar),
        settings=fixed_settings(setup),
        n_rows=samples.n_given,
        n_without_values=int(data.total_of(np.array(len(samples.without_values)))),
    )


def _mean_bounds(bounds: np.ndarray, data: TensorData, samples: FitSamples) -> tuple[float, float]:
    """Return the mean bound of all samples, and of those that the model is learned from."""
    core, weights = samples.core, samples.weights
    with np.errstate(invalid="ignore"):  # checked below
        of_all = of_core = data.mean_of(bounds, weights)
        if core is not None:
            of_core = data.mean_of(bounds[core], None if weights is None else weights[core])
    check_finite(torch.tensor(of_all, dtype=torch.float64), "bounds of the samples")
    return of_all, of_core
