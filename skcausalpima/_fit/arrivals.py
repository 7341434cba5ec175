"""Samples that arrive later (``partial_fit``): a fitted model learns from them, and remembers."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import torch

from .._data.known_nodes import Interventions
from .._data.samples import FitSamples
from .._inference.fitted_model import subset_encoders
from .._model.build import export_state
from .._model.setup import Setup
from .._model.tensors import TensorData
from .._state.fitted import FittedState
from .._state.training import Arrivals
from .._training.block_update import Past, block_update, data_pass, with_past
from .._training.distillation import distil
from .._training.ending import check_model, told_divergence
from .._training.filling import filled, viewed
from .._training.graph_selection import select_graph
from .._training.loop import Phase, epochs, settle
from .._training.observer import Observer
from ..functional import remembered_statistics
from ..modules import MultimodalVAE, StructuredVAE
from .checkpoint import moments_of, resume_moments, terms_by_epoch, trained_model
from .run import Run, what_was_learned

#: With every call, what was seen before counts so much of what it did.
DECAY = 0.9

#: Fewest gradient steps of a call, if a fit has as many epochs: few samples need more than one.
MIN_STEPS = 20


def beside_those_of_before(samples: FitSamples, before: Arrivals) -> FitSamples:
    """Return samples that have arrived, knowing which nodes were set in samples of before."""
    if len(before.regimes) == 1:
        return samples
    numbers = np.zeros(samples.modalities.n_samples, dtype=np.int64)  # in these, none
    outcomes = np.full((len(numbers), 1), -1)
    none = Interventions(regimes=before.regimes, numbers=numbers, outcomes=outcomes)
    return replace(samples, knowledge=replace(samples.knowledge, interventions=none))


def learn(
    setup: Setup,
    samples: FitSamples,
    data: TensorData,
    fitted: FittedState,
    seed: int,
    observer: Observer,
) -> tuple[Run, Arrivals]:
    """Train on samples that have arrived; update the mixture, the graph, and the encoders of parts.

    The networks see these samples alone. What has a closed form (mixture, tables, variances) and
    the choice of the graph go by the samples of before, too, as the model remembers them.
    """
    generator, before = torch.Generator().manual_seed(seed), fitted.arrivals
    settings = replace(setup.training, schedule=replace(setup.training.schedule, n_rows=None))
    with torch.enable_grad(), setup.seeded(seed), observer:
        model = trained_model(fitted.spec, samples.knowledge, fitted.numbers, setup.device)
        model.prior.requires_grad_(False)
        _check_has_memory(model)
        data = viewed(model, data)
        past = _remembered(model, fitted)
        update = replace(
            block_update(setup, data, generator),
            adjacency=torch.tensor(fitted.graph.adjacency),
            past=past,
        )
        steps_per_epoch = math.ceil(data.n_samples / setup.training.steps.batch_size)
        most = len(setup.training.temperatures)
        plan = np.ones(min(math.ceil(MIN_STEPS / steps_per_epoch), most))
        progress = Phase(model, settings, observer, plan)
        if before.moments:
            resume_moments(before.moments, model, progress.optimizer)
        else:  # the first one of all is preceded by one that only fills the moments
            still = Phase(model, settings, Observer(), plan, rate_factor=0.0)
            epochs(still, data, update)
            progress.follow(still.optimizer)
        epochs(progress, data, update)
        settle(model, data, update)
        data = filled(model, data)
        with told_divergence(model, "the selection of the graph", weights=data.weights):
            counts = with_past(data_pass(model, data, generator), past).counts
            graph = select_graph(model.prior, counts, setup.graph, np.random.RandomState(seed))
            end = data_pass(model, data, generator)
            check_model(model)
        encoders = subset_encoders(model, fitted.subset_numbers)
        if encoders is not None and isinstance(model, StructuredVAE):
            encoders = distil(model, data, setup.training, 1, generator, observer, before=encoders)
        run = what_was_learned(setup, model, progress, graph, end)
    run = replace(
        run,
        subset_state=fitted.subset_numbers if encoders is None else export_state(encoders),
        history=terms_by_epoch(fitted.history) + run.history,
    )
    return run, Arrivals(
        regimes=before.regimes,
        counts=(counts.sum(dim=0)[None] if setup.spec.mix_sizes else counts).cpu().numpy(),
        n_elements=(past.n_elements + data.n_elements).double().cpu().numpy(),
        shrinkage=setup.training.mixture.shrinkage,
        reg_covar=setup.training.mixture.reg_covar,
        settings=before.settings,
        n_calls=before.n_calls + 1,
        n_rows=before.n_rows + samples.n_given,
        n_without_values=before.n_without_values + len(samples.without_values),
        moments=moments_of(model, progress.optimizer),
    )


@torch.no_grad()
def _remembered(model: MultimodalVAE, fitted: FittedState) -> Past:
    """Return what a model remembers of the samples of before, each of which counts ``DECAY``.

    The mixture and the variances of the decoders are all that is left of them, besides the numbers
    of samples of each regime and component, and of elements of each modality. The graph is no part
    of it: what it leaves out is not to be forgotten.
    """
    before, prior, device = fitted.arrivals, model.prior, model.prior.means.device
    counts = torch.tensor(before.counts, device=device)
    n_elements = DECAY * torch.tensor(before.n_elements, device=device)
    rule = before.reg_covar, before.shrinkage  # that the mixture was made with
    components = prior.means, prior.covariances
    statistics = remembered_statistics(counts.sum(dim=0), *components, *rule)
    if fitted.spec.mix_sizes:
        cells = fitted.contexts.mix_cells.reshape(-1, counts.shape[1])
        counts = torch.from_numpy(cells).to(counts)
    return Past(
        statistics=statistics * DECAY,
        counts=DECAY * counts,
        squared_errors=n_elements * model.log_variances.double().exp(),
        n_elements=n_elements,
    )


def _check_has_memory(model: MultimodalVAE) -> None:
    """Raise where parts of the model would forget all samples but the last ones."""
    if model.experts or model.cluster_dependent:
        raise ValueError(
            "partial_fit cannot train decoders that depend on the cluster, or experts: their "
            "parameters would be those of the last samples alone. Use fit on all samples, or "
            "warm_start=True."
        )
