"""Samples that arrive later (``partial_fit``): a fitted model learns from them, and remembers."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import torch

from .._data.interventions import Interventions
from .._data.samples import FitSamples
from .._inference.fitted_model import subset_encoders
from .._model.setup import Setup
from .._model.state import export_state
from .._model.tensors import TensorData
from .._state.fitted import FittedState
from .._state.training import Arrivals
from .._training.block_update import (
    BlockUpdate,
    Past,
    block_update,
    data_pass,
    remembered,
    with_past,
)
from .._training.divergence import check_model, told_divergence
from .._training.filling import filled, viewed
from .._training.graph_selection import select_graph
from .._training.loop import Phase, epochs, settle
from .._training.observer import Observer
from .._training.subset_encoders import teach
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
    """Train on samples that have arrived; update the mixture, the graph, and the lessons.

    The networks see these samples alone. What has a closed form (mixture, tables, variances) and
    the choice of the graph go by the samples of before, too, as the model remembers them.
    """
    generator, names = torch.Generator().manual_seed(seed), setup.spec.modality_names
    before = fitted.arrivals
    with torch.enable_grad(), setup.seeded(seed), observer:
        model = trained_model(fitted.spec, samples.knowledge, fitted.numbers, setup.device)
        model.prior.requires_grad_(False)
        _check_has_memory(model)
        data = viewed(model, data)
        past = _remembered(model, fitted)
        update = replace(
            block_update(setup, data), adjacency=torch.tensor(fitted.graph.adjacency), past=past
        )
        progress = _trained(setup, model, data, before, update, generator, observer)
        data = filled(model, data)
        with told_divergence(model, names, "the selection of the graph", weights=data.weights):
            counts = with_past(data_pass(model, data, generator, names), past).counts
            graph = select_graph(model.prior, counts, setup.graph, np.random.RandomState(seed))
            end = data_pass(model, data, generator, names)
            check_model(model, names)
        encoders = subset_encoders(model, fitted.subset_numbers)
        if encoders is not None and isinstance(model, StructuredVAE):
            encoders = teach(model, data, setup.training, 1, generator, observer, known=encoders)
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
        moments=moments_of(model, progress.optimizer),
    )


def _remembered(model: MultimodalVAE, fitted: FittedState) -> Past:
    """Return what is left of the samples of before."""
    before = fitted.arrivals
    numbers = torch.tensor(before.counts), torch.tensor(before.n_elements)
    past = remembered(model, *numbers, before.shrinkage, before.reg_covar, DECAY)
    if not fitted.spec.mix_sizes:
        return past
    counts = fitted.contexts.mix_cells.reshape(-1, before.counts.shape[1])
    return replace(past, counts=DECAY * torch.from_numpy(counts).to(past.counts))


def _check_has_memory(model: MultimodalVAE) -> None:
    """Raise where parts of the model would forget all samples but the last ones."""
    if model.experts or model.cluster_dependent:
        raise ValueError(
            "partial_fit cannot train decoders that depend on the cluster, or experts: their "
            "parameters would be those of the last samples alone. Use fit on all samples, or "
            "warm_start=True."
        )


def _trained(
    setup: Setup,
    model: MultimodalVAE,
    data: TensorData,
    before: Arrivals,
    update: BlockUpdate,
    generator: torch.Generator,
    observer: Observer,
) -> Phase:
    """Train some epochs; the first one of all is preceded by one that only fills the moments."""
    steps_per_epoch = math.ceil(data.n_samples / setup.training.steps.batch_size)
    most = len(setup.training.temperatures)
    n_epochs = min(math.ceil(MIN_STEPS / steps_per_epoch), most)
    progress = Phase(model, setup.training, observer, np.ones(n_epochs))
    if before.moments:
        resume_moments(before.moments, model, progress.optimizer)
    else:
        still = Phase(model, setup.training, Observer(), np.ones(n_epochs), rate_factor=0.0)
        epochs(still, data, update, generator)
        progress.follow(still.optimizer)
    epochs(progress, data, update, generator)
    settle(model, data, update, generator)
    return progress
