"""Bootstrap replicates of what follows from the potentials: mixture, arrangement, tables, graph.

Networks stay as they were trained. What encoders say of each sample's latent point, a potential of
location y and precision V, is data from which mixture, graph and tables are learned anew: by
expectation maximization of a mixture that is seen through noise of covariance V^-1 [1]_. Points
drawn from the posterior instead would confirm the cells that they were drawn in.

.. [1] J. Bovy, D. W. Hogg and S. T. Roweis, "Extreme deconvolution", Annals of Applied Statistics
   5, 2011.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from torch import Tensor

from .._base.types import KnownNodes, Samples
from .._clustering.arrangement import arrange_again, means_of_labels
from .._clustering.many_cells import has_many_cells, is_arranged
from .._held_out.units import Units
from .._inference.fitted_model import subset_encoders
from .._initialization.initial_sample import InitialSample, initial_sample
from .._initialization.mixture import in_components, smoothed
from .._model.objects import parameters_of
from .._model.scaled_samples import fit_data
from .._model.setup import Setup
from .._model.surroundings import precision_of
from .._model.tensors import TensorData
from .._state.fitted import HardGraph
from .._training.filling import filled
from .._training.graph_selection import select_graph
from .._training.potentials import all_potentials
from .._training.sums import regime_counts
from ..functional import Potential, log_responsibilities
from ..modules import (
    CausalPrior,
    MultimodalVAE,
    StructuredVAE,
    SubsetEncoders,
    weights_of_regimes,
    whole_modalities,
)
from .checkpoint import check_unchanged, fixed_settings, trained_model
from .several_mixtures import Components, FoundMixture, SeveralMixtures
from .whole import FitCall, set_up_further

#: Responsibilities of the replicates that are iterated together, of which there are not more: what
#: is complete is told, shared by workers, and left by an interrupt.
MAX_RESPONSIBILITIES, MAX_AT_ONCE = 2**20, 50


class Replicate(NamedTuple):
    """What one bootstrap sample makes of mixture and graph.

    Parameters
    ----------
    cells : ndarray of shape (n_samples,)
        The most probable cell of each sample, also of those that were not drawn.
    graph : HardGraph
        Its graph and tables.
    likelihoods : ndarray of shape (n_samples, n_cells)
        How well each cell explains each sample, up to a factor of the sample.
    """

    cells: np.ndarray
    graph: HardGraph
    likelihoods: np.ndarray


class _Samples(NamedTuple):
    """What samples say of their latent points, and what is known of their nodes."""

    linear: Tensor
    precision: Tensor
    exponents: Tensor  # (n_samples,)
    allowed: Tensor | None
    regime_index: Tensor | None

    @property
    def potential(self) -> Potential:
        """What they say."""
        return Potential(self.linear, self.precision)

    def responsibilities(self, prior: CausalPrior) -> Tensor:
        """Return how probable each component is, (n_components, n_samples)."""
        normalizers = in_components(
            self.potential, prior.means, prior.covariances
        ).log_normalizers()
        if self.allowed is not None:
            normalizers = normalizers.masked_fill(~self.allowed, -torch.inf)
        log_weights = weights_of_regimes(prior.regime_log_weights(), self.regime_index)
        return log_responsibilities(log_weights.to(normalizers), self.exponents * normalizers).exp()


def mixture_refits(
    estimator: BaseEstimator,
    X: Samples,
    *,
    units: Units | None = None,
    sample_weight: ArrayLike | None = None,
    known_nodes: KnownNodes = None,
    interventions: KnownNodes = None,
) -> MixtureRefits:
    """Return what the mixture of a fitted estimator, which stays as it is, is learned anew from.

    Parameters
    ----------
    estimator : CausalPIMA
        A fitted one.
    X : sequence, mapping, MultimodalData, array-like or DataFrame
        The data that it was fitted to.
    units : Units, default=None
        What samples belong to, whatever groups the fit has; None for these.
    sample_weight, known_nodes, interventions
        As ``fit`` was given them.

    Returns
    -------
    MixtureRefits
        With the method ``replicates``.

    Raises
    ------
    ValueError
        Potentials do not say all that mixture and graph follow from, or parameters of the estimator
        have changed since its fit.
    """
    estimator, state = copy.copy(estimator), estimator._fitted
    asked = parameters_of(estimator)
    groups = None if units is None else units.numbers
    call = FitCall(X, None, sample_weight, known_nodes, interventions, groups)
    setup, samples, _ = set_up_further(estimator, state, asked, call)
    kept = fixed_settings(setup) if state.training is None else state.training.settings
    statement, else_ = "refit='mixture' keeps networks", "use refit='all' of edge_confidence"
    check_unchanged(setup, state.spec, kept, statement, else_)
    with precision_of(setup.device):
        model = trained_model(state.spec, samples.knowledge, state.numbers, setup.device)
        reason = _reason_against(setup, model)
        if reason:
            message = f"refit='mixture' keeps networks, {reason}"
            raise ValueError(f"{message}: use refit='all' of edge_confidence.")
        data = fit_data(samples, setup)
        initial = initial_sample(setup, samples, data, 0)
        encoders = subset_encoders(model, state.subset_numbers)
        rows = np.arange(data.n_samples)
        for chosen in (samples.core, initial.rows):
            rows = rows if chosen is None else rows[chosen]
        units = Units.of(samples.modalities.groups, samples.modalities.n_samples)
        parts = cast(StructuredVAE, model), encoders, data, initial, rows
        return MixtureRefits(setup, *parts, units)


def _reason_against(setup: Setup, model: MultimodalVAE) -> str:
    """Say why mixture and graph do not follow from potentials; an empty text if they do."""
    if not isinstance(model, StructuredVAE):
        return "but the posterior of this fit has no potentials"
    if model.by_decoders:
        return "but noise differs between clusters, and decoders say more of a sample than these"
    if model.experts or any(decoder.has_own_variances for decoder in model.decoders):
        return "but experts and decoders per cluster know more of a sample's cell than these say"
    if setup.graph.structure == "gradient":
        return "but the graph of this fit was learned by gradient steps, as they are"
    return ""


class MixtureRefits:
    """Mixture, arrangement, tables and graph of a fit, to be learned anew from bootstrap samples.

    Parameters
    ----------
    setup : Setup
        Of the fit; nothing in it is left open.
    model : StructuredVAE
        As it was trained.
    encoders : SubsetEncoders or None
        Of samples that lack modalities.
    data : TensorData
        The samples of the fit.
    initial : InitialSample
        Those of its start.
    rows : ndarray of int
        Which of the samples these are.
    units : Units
        What samples belong to.

    Attributes
    ----------
    cells : ndarray of shape (n_samples,)
        The most probable cell of each sample in the fit.
    """

    @torch.no_grad()
    def __init__(
        self,
        setup: Setup,
        model: StructuredVAE,
        encoders: SubsetEncoders | None,
        data: TensorData,
        initial: InitialSample,
        rows: np.ndarray,
        units: Units,
    ) -> None:
        self.graph, self.mixture = setup.graph, setup.training.mixture
        self.prior = copy.deepcopy(model.prior).cpu()
        samples = _asked(model, data, encoders)
        # arrays: joblib maps them into the memory of its workers
        self._arrays = tuple(None if tensor is None else tensor.numpy() for tensor in samples)
        ones = torch.ones(data.n_samples, dtype=torch.float64, device=data.device)
        self.weights = units.weights(data.samples.weighted(ones).cpu().numpy())
        self.gamma = samples.responsibilities(self.prior).numpy()
        self.cells = self.gamma.argmax(axis=0)
        self.rows, self.units = rows, units
        placed = None if initial.scores is None else initial.scores.placed
        self.scores = placed if _is_arranged_anew(setup, initial) else None

    @property
    def samples(self) -> _Samples:
        """What the encoders say."""
        tensors: Any = (None if array is None else torch.as_tensor(array) for array in self._arrays)
        return _Samples(*tensors)

    @property
    def regimes(self) -> list[tuple[int, ...]]:
        """Which nodes were set together, by the numbers in ``regime_index``."""
        return self.prior.regimes

    @property
    def regime_index(self) -> np.ndarray:
        """Number of the regime of each sample, (n_samples,)."""
        numbers = self.samples.regime_index
        return (
            np.zeros(len(self.weights), dtype=np.int64) if numbers is None else numbers[0].numpy()
        )

    @property
    def at_once(self) -> int:
        """How many replicates are best made together: each has a copy of the samples it draws."""
        n_cells, squares = len(self.gamma), self.samples.linear.shape[1] ** 2
        is_shared = self.samples.potential.is_shared
        of_sample = max(n_cells, squares // 8) if is_shared else n_cells * squares
        return min(MAX_AT_ONCE, max(1, MAX_RESPONSIBILITIES // (of_sample * self.gamma.shape[1])))

    @torch.no_grad()
    def replicates(self, seeds: Sequence[int], arranges: bool = True) -> Iterator[Replicate]:
        """Yield what the bootstrap sample of each seed makes of the fit; all are made together.

        ``arranges`` says whether clusters are laid on the grid anew, or stay on their cells.
        """
        rngs = [np.random.RandomState(seed) for seed in seeds]
        drawn = np.stack([self.units.counts(rng, self.weights) for rng in rngs])
        counts = torch.from_numpy(drawn).double()
        for row, rng, mixture in zip(counts, rngs, self._mixtures(counts), strict=True):
            yield self._replicate(row, rng, mixture, arranges)

    def _mixtures(self, counts: Tensor) -> list[FoundMixture]:
        """Learn mixtures from samples that count so often each, (n_replicates, n_samples)."""
        n, prior, samples = len(counts), self.prior, self.samples
        weights = smoothed(counts @ torch.from_numpy(self.gamma).T)
        means, covariances = prior.means.double(), prior.covariances.double()
        start = Components(
            weights, *(values.expand(n, *values.shape) for values in (means, covariances))
        )
        learner = SeveralMixtures(
            samples.potential, samples.exponents, samples.allowed, self.mixture
        )
        return learner.iterated(counts, start)

    def _replicate(
        self, counts: Tensor, rng: np.random.RandomState, mixture: FoundMixture, arranges: bool
    ) -> Replicate:
        """Lay a mixture on the grid and find its graph."""
        prior, gamma = copy.deepcopy(self.prior), mixture.gamma
        labels, cells = gamma.numpy().argmax(axis=0), np.arange(len(gamma))
        if arranges and self.scores is not None:
            drawn = np.repeat(np.arange(len(self.scores)), counts.numpy()[self.rows].astype(int))
            drawn_labels = labels[self.rows][drawn]
            means, totals = means_of_labels(drawn_labels, self.scores[drawn], len(gamma))
            cells = arrange_again(means, totals, prior.node_sizes)
        prior.means[cells] = mixture.means.to(prior.means)
        prior.covariances[cells] = mixture.covariances.to(prior.covariances)
        order = np.argsort(cells)
        gamma, weights = gamma[order], mixture.weights[order]
        scaled = gamma * counts * (self.weights.sum() / self.units.n)  # of the draw of a unit
        if not self.units.are_rows:
            scaled *= torch.from_numpy(self.weights)  # which its rows share
        regime_index = self.samples.regime_index
        expected = regime_counts(scaled, regime_index, len(prior.regimes))
        graph = select_graph(prior, expected, self.graph, rng, averages=False)
        likelihoods = gamma / weights[:, None]
        if prior.mix_sizes:  # of which cells are more frequent under some labels
            change = self.prior.regime_log_weights() - self.prior.log_weights()
            likelihoods *= weights_of_regimes(change.exp(), regime_index)
        return Replicate(cells[labels], graph, likelihoods.T.numpy())


def _is_arranged_anew(setup: Setup, initial: InitialSample) -> bool:
    """Return True where clusters were laid on the grid, and nothing ties them to their cells."""
    sizes, knowledge = setup.spec.node_sizes, initial.knowledge
    return (
        is_arranged(setup.training.initialization.method, sizes)
        and not has_many_cells(sizes)
        and knowledge.known_nodes is None
        and knowledge.interventions is None
    )


@torch.no_grad()
def _asked(model: StructuredVAE, data: TensorData, encoders: SubsetEncoders | None) -> _Samples:
    """Ask the encoders once what samples say."""
    data = filled(model, data, encoders)
    potential, exponents = all_potentials(model, data)[0], torch.ones(data.n_samples)
    if encoders is not None and not potential.is_shared:
        parts = []
        for block in data.blocks():
            is_whole = whole_modalities(block).all(dim=0)
            parts.append((is_whole, *encoders.potential(block), encoders.exponents(block)))
        is_whole, *of_encoders = (torch.cat(part).cpu() for part in zip(*parts, strict=True))
        present = potential.linear, potential.precision, exponents
        for of_parts, of_whole in zip(of_encoders, present, strict=True):
            of_whole[~is_whole] = of_parts[~is_whole].to(of_whole)
    nodes = data.samples.allowed, data.samples.regime_index
    return _Samples(
        *potential, exponents, *(None if tensor is None else tensor.cpu() for tensor in nodes)
    )
