"""Fitted models: all that they say about samples and latent points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, cast

import numpy as np
import torch
from torch import Tensor

from .._base.grid import NodeGrid
from .._base.reports.contexts import AdaptedLabel
from .._base.types import Labels
from .._data.arrays import flat_rows
from .._data.contexts import ContextLabels
from .._data.scaling import ModalityScaler
from .._data.validation import Modalities
from .._model.build import load_state
from .._model.scaled_samples import scaled_data
from .._model.tensors import TensorData
from .._state.fitted import ExpertTable, full_covariances, sklearn_covariances
from .._training.filling import filled
from ..modules import ClusterExpert, MultimodalVAE, StructuredVAE, SubsetEncoders
from .contexts import ContextModel
from .decoding import (
    decoded,
    drawn_data,
    drawn_points,
    noise_at,
    reconstruction,
    swap_states,
)
from .evidence import (
    likelihood_terms,
    moved_reference,
    sorted_terms,
    tail_probabilities,
    trusted,
)
from .expert_tables import Nodes, expert_table, standard_errors, statistics_of
from .modality_evidence import ModalityEvidence, evidence_of
from .posterior import bounds, cells_of_samples, check_near, sample_posterior


class FoundOfSamples(NamedTuple):
    """What is found of samples, as NumPy arrays."""

    points: np.ndarray  # (sample, latent): posterior means
    probabilities: np.ndarray  # (sample, component), components in their order
    centres: np.ndarray  # (sample, latent): posterior means within the most probable component


@dataclass(frozen=True, kw_only=True)
class FittedModel(ContextModel):
    """A trained model, the units of its data, and its components in their order.

    Parameters
    ----------
    model, cells, contexts
        As of :class:`ContextModel`.
    encoders : SubsetEncoders or None
        Of samples that lack modalities.
    scaler : ModalityScaler
        Units of the data.
    covariance_type : {"full", "tied", "diag", "spherical"}
        Of the components.
    reference : sequence of ndarray or None, default=None
        How probable modalities are, of fits that set samples aside: others that are like these
        are trusted less, see :func:`.evidence.trusted`.
    """

    encoders: SubsetEncoders | None
    scaler: ModalityScaler
    covariance_type: str
    reference: Sequence[np.ndarray] | None = None

    @cached_property
    def outcomes(self) -> np.ndarray:
        """Outcomes of the nodes in each component, (n_components, n_nodes)."""
        return NodeGrid(self.model.prior.node_sizes).outcomes(self.cells)

    @cached_property
    def means(self) -> np.ndarray:
        """Means of the components, (n_components, latent_dim)."""
        return self.model.prior.means.cpu().numpy()[self.cells]

    @cached_property
    def covariances(self) -> np.ndarray:
        """Covariances of the components in scikit-learn's shape for their type."""
        covariances = self.model.prior.covariances.cpu().numpy()[self.cells]
        return sklearn_covariances(covariances, self.covariance_type)

    def components(self, outcomes: np.ndarray) -> np.ndarray:
        """Return the component that stands for each row of outcomes."""
        return self.components_of(NodeGrid(self.model.prior.node_sizes).cells(outcomes))

    def components_of(self, cells: np.ndarray) -> np.ndarray:
        """Return the component of each cell."""
        return np.argsort(self.cells)[cells]

    def full_covariances(self) -> np.ndarray:
        """Return one covariance matrix per component, whatever the type."""
        return full_covariances(self.covariances, self.covariance_type, *self.means.shape)

    def scaled(self, modalities: Modalities) -> TensorData:
        """Scale samples, put them where the model is, and fill in elements that are missing.

        They are without the offsets of their contexts, and have the cell weights of these.
        """
        means = self.model.prior.means  # the dtype is that of the training data
        modalities = self.contexts.removed(modalities)
        data = scaled_data(modalities, self.scaler, means.device, means.dtype)
        return filled(self.model, self.under(data, modalities.codes), self.encoders)

    def asked(self, modalities: Modalities) -> TensorData:
        """Return scaled samples, and how far each of their modalities is to be trusted."""
        return trusted(self.model, self.scaled(modalities), self.encoders, self.reference)

    def labels(self, modalities: Modalities) -> np.ndarray:
        """Return the component of the most probable cell of each sample."""
        cells = cells_of_samples(self.model, self.asked(modalities), self.encoders)
        return self.of_components(cells, modalities).argmax(axis=1)

    def probabilities(self, modalities: Modalities) -> np.ndarray:
        """Return the probabilities of :meth:`posterior` alone, in less time."""
        return np.concatenate([self._probabilities(block) for block in self.blocks(modalities)])

    def posterior(self, modalities: Modalities) -> FoundOfSamples:
        """Return what is found of samples, components in their order.

        What labels of contexts are not known is averaged over.
        """
        parts = [self._posterior(block) for block in self.blocks(modalities)]
        return FoundOfSamples(*(np.concatenate(part) for part in zip(*parts, strict=True)))

    def score_samples(self, modalities: Modalities) -> np.ndarray:
        """Return the bound of every sample in the user's units."""
        values = np.concatenate([self.scores(block) for block in self.blocks(modalities)])
        check_near(values, "terms of the bound")
        return values

    def scores(self, block: Modalities) -> np.ndarray:
        """Return the bound of samples that are scaled all at once."""
        if (block.codes < 0).any():
            return self.completed(block).log_sums.astype(block.dtype)
        data = self.scaled(block)
        return self.in_units(bounds(self.model, data, self.encoders), data, block.observed)

    def _posterior(self, block: Modalities) -> FoundOfSamples:
        """Return what is found of samples that are scaled all at once."""
        if (block.codes < 0).any():
            completed = self.completed(block)
            return FoundOfSamples(*completed.averaged(self._posterior(completed.samples)))
        posterior = sample_posterior(self.model, self.asked(block), self.encoders)
        probabilities = self._in_order(posterior.cells, block)
        points = posterior.means.cpu().numpy()
        check_near(points, "latent coordinates")
        return FoundOfSamples(points, probabilities, posterior.centres.cpu().numpy())

    def _probabilities(self, block: Modalities) -> np.ndarray:
        """Return the probabilities of samples that are scaled all at once."""
        if (block.codes < 0).any():
            return self._posterior(block).probabilities
        return self._in_order(cells_of_samples(self.model, self.asked(block), self.encoders), block)

    def _in_order(self, cells: Tensor, block: Modalities) -> np.ndarray:
        """Return probabilities of cells as those of components, all of them finite."""
        probabilities = self.of_components(cells, block)
        check_near(probabilities, "probabilities")
        return probabilities

    def in_units(self, of_scaled: Tensor, data: TensorData, observed: np.ndarray) -> np.ndarray:
        """Return the bound of every sample in the user's units, from those of scaled samples.

        ``observed``, (n_modalities, n_samples), is false where one is missing: 0 where all are.
        """
        values = of_scaled.cpu().numpy()
        jacobian = self.scaler.log_jacobian(observed, data.element_masks())
        return np.where(observed.any(axis=0), values + jacobian.astype(values.dtype), 0.0)

    def reconstruct(
        self,
        modalities: Modalities,
        chosen: Sequence[int],
        include_noise: bool = False,
        context: Labels = None,
    ) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Return means and standard deviations of the chosen modalities in the user's units.

        They are as under the labels that ``context`` states, else under the samples' own.
        """
        modalities = self.labelled(modalities)
        seen_as = self.contexts.coded(context, modalities.codes)
        reconstructed = self._reconstruct(modalities, chosen, seen_as, include_noise)
        for array in (*reconstructed[0], *reconstructed[1]):
            check_near(array, "decoded values")
        return reconstructed

    def impute(self, modalities: Modalities) -> list[np.ndarray]:
        """Return all modalities; what is missing is what :meth:`reconstruct` says.

        All else is as it came, bit for bit; arrays are new memory.
        """
        filled, gaps, modalities = [], {}, self.labelled(modalities)
        for k, array in enumerate(modalities.arrays):
            gap = modalities.missing_elements(k)
            if gap.any():
                gaps[k] = gap
            empty = array is None
            filled.append(np.zeros(gap.shape, modalities.dtype) if empty else np.array(array))
        if gaps:
            lacking = [flat_rows(gap).any(axis=1) for gap in gaps.values()]
            rows = np.flatnonzero(np.any(lacking, axis=0))
            part = modalities.take(rows)
            means, _ = self._reconstruct(part, list(gaps), part.codes)
            for (k, gap), mean in zip(gaps.items(), means, strict=True):
                filled[k][gap] = mean[gap[rows]]
                check_near(filled[k], "decoded values")
        return filled

    def _reconstruct(
        self,
        modalities: Modalities,
        chosen: Sequence[int],
        codes: np.ndarray,
        include_noise: bool = False,
    ) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Return what :meth:`reconstruct` does, unchecked, under labels of these numbers."""
        data = self.asked(modalities)
        moments = reconstruction(self.model, data, self.encoders, chosen, include_noise)
        means, variances = ([part.cpu().numpy() for part in parts] for parts in moments)
        scaler = self.scaler.take(chosen)
        deviations = [np.sqrt(part) for part in variances]
        means, names = scaler.inverse_transform(means), [modalities.names[m] for m in chosen]
        for mean, m in zip(means, chosen, strict=True):
            coding, given = modalities.columns[m], modalities.arrays[m]
            if coding is not None and coding.has_depth and isinstance(given, np.ndarray):
                mean[:, -1] = np.where(modalities.observed[m], given[:, -1], mean[:, -1])
        return self.contexts.added(means, names, codes), scaler.inverse_spread(deviations)

    def evidence(self, modalities: Modalities, node_names: tuple[str, ...]) -> ModalityEvidence:
        """Return which modality says what; nodes have these names."""
        if len(modalities.names) == 1:
            only = f"there is only one modality, {modalities.names[0]!r}"
            raise ValueError(f"{only}: expected a model of two or more to compare evidence of.")
        if self.encoders is None:
            raise ValueError(
                "the model has no encoders for single modalities: fit it with "
                "missing_values=MissingValues(subset_epochs=10), or any other number above 0."
            )
        scaled = self.scaled(self.labelled(modalities))
        return evidence_of(self.model, scaled, self.encoders, (modalities.names, node_names))

    def tail_reference(
        self, data: TensorData | Modalities, known_bounds: Tensor | None = None
    ) -> list[np.ndarray]:
        """Return what the numbers of further samples are compared with, those of these samples."""
        return sorted_terms(self.terms(data, known_bounds))

    def tail_probabilities(
        self,
        modalities: Modalities,
        reference: Sequence[np.ndarray],
        adapted: Sequence[AdaptedLabel] = (),
    ) -> np.ndarray:
        """Return the tail probabilities of samples, by labels; see :mod:`.evidence`."""
        modalities = self.labelled(modalities)
        scaled = self.scaled(modalities)
        terms, rounding = self.terms(scaled), torch.finfo(scaled.dtype).eps
        tails = tail_probabilities(terms, reference, rounding)
        for report in adapted:
            rows = self.contexts.has_label(report.context, report.label, modalities.codes)
            moved = moved_reference(reference, report.tail_moves)
            tails[rows] = tail_probabilities(terms[rows], moved, rounding)
        return tails

    def terms(
        self, data: TensorData | Modalities, known_bounds: Tensor | None = None
    ) -> np.ndarray:
        """Return what tells how unlike others samples are; those of a fit are scaled already."""
        scaled = self.scaled(self.labelled(data)) if isinstance(data, Modalities) else data
        return likelihood_terms(self.model, scaled, self.encoders, known_bounds)

    def decode(
        self, points: np.ndarray, components: np.ndarray | None = None, which: str = "Sample"
    ) -> list[np.ndarray]:
        """Return decoded means in the user's units; ``which`` says what the points are.

        By default each point belongs to its most probable component.
        """
        cells = None if components is None else self.cells[components]
        return self._in_units(decoded(self.model, points, cells), which)

    def in_noise_units(
        self, modalities: Modalities, points: np.ndarray, components: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return samples, what their points decode to, and what the means of all components do.

        Elements of all modalities stand side by side, each in units of its noise around the points,
        without the offsets of contexts; what samples lack is filled in.
        """
        cells, samples = self.cells[components], self.scaled(self.labelled(modalities)).arrays
        noise = np.concatenate(noise_at(self.model, points, cells)).astype(np.float64)
        tables = (
            [array.cpu().numpy() for array in samples],
            decoded(self.model, points, cells),
            decoded(self.model, self.means, self.cells),
        )
        unit = np.where(noise > 0, noise, 1.0)
        raw, there, of_means = (np.concatenate(parts, axis=1) / unit for parts in tables)
        check_near(there, "decoded values")
        return raw, there, of_means

    def draw(
        self,
        components: np.ndarray,
        rng: np.random.RandomState,
        contexts: ContextLabels | None = None,
    ) -> list[np.ndarray]:
        """Draw one sample from each component given, in the user's units, under these labels."""
        points = drawn_points(self.means, self.full_covariances(), components, rng)
        arrays = self.drawn_at(points, self.cells[components], rng)
        return arrays if contexts is None else self.with_offsets(arrays, contexts)

    def drawn_at(
        self, points: np.ndarray, cells: np.ndarray, rng: np.random.RandomState
    ) -> list[np.ndarray]:
        """Draw what is measured at latent points in cells of the grid, without offsets."""
        return self._in_units(drawn_data(self.model, points, cells, rng))

    def move(self, points: np.ndarray, old: np.ndarray, new: np.ndarray) -> np.ndarray:
        """Move points from their components to others, each to the same place within."""
        return swap_states(points, old, new, self.means, self.full_covariances())

    @torch.no_grad()
    def cluster_tables(
        self, data: TensorData, probabilities: np.ndarray, nodes: Nodes
    ) -> dict[str, ExpertTable]:
        """Return the parameters of every component, by name of the modality.

        ``probabilities`` of shape (n_samples, n_cells) are those of the training data, ``nodes``
        the names of outcomes by node. Experts per sample show their parameters at the centres of
        the components, without standard errors.
        """
        model, tables = self.model, {}
        gamma = data.samples.weighted(torch.as_tensor(probabilities.T.copy(), device=data.device))
        for m, expert in model.experts:
            values = expert.values(expert.cell_coordinates(model.prior.means))
            errors = spread = np.full(values.shape, np.nan)
            if expert.depends_on_cluster:
                weights = gamma if data.observed is None else gamma * data.observed[m]
                cluster_expert = cast(ClusterExpert, expert)
                statistics = statistics_of(data, m, weights, cluster_expert.directions)
                errors, spread = (
                    part.numpy() for part in standard_errors(cluster_expert, statistics)
                )
            parts = {"": values.cpu().numpy(), "_se": errors}
            if expert.expert.scatter:
                parts["_sd"] = spread
            parts = {ending: part[self.cells] for ending, part in parts.items()}
            table = expert_table(expert.expert.names, parts, self.outcomes, nodes)
            tables[model.names[m]] = table
        return tables

    @torch.no_grad()
    def expert_tables(
        self, points: np.ndarray, components: np.ndarray, nodes: Nodes
    ) -> dict[str, ExpertTable]:
        """Return the parameters of the experts for samples, by name of the modality."""
        z, tables = torch.tensor(points).to(self.model.prior.means), {}
        cells = torch.as_tensor(self.cells[components], device=z.device)
        for m, expert in self.model.experts:
            values = expert.values(expert.sample_coordinates(z, cells)).cpu().numpy()
            parts, names = {"": values}, expert.expert.names
            table = expert_table(names, parts, self.outcomes[components], nodes)
            check_near(np.stack([table[name] for name in table], axis=1), "parameters")
            tables[self.model.names[m]] = table
        return tables

    def _in_units(self, arrays: list[np.ndarray], which: str = "Sample") -> list[np.ndarray]:
        """Return decoded data in the user's units; values that are not finite raise."""
        arrays = self.scaler.inverse_transform(arrays)
        for array in arrays:
            check_near(array, "decoded values", which)
        return arrays


def subset_encoders(
    model: MultimodalVAE, state: dict[str, np.ndarray] | None
) -> SubsetEncoders | None:
    """Return the encoders of samples that lack modalities, with the numbers of a fit."""
    if state is None or not isinstance(model, StructuredVAE):
        return None
    encoders = SubsetEncoders(model)
    load_state(encoders, state)
    return encoders.to(model.prior.means.device).eval()
