"""A fitted model: all that it says about samples, points of the latent space and components."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .._data.scaling import ModalityScaler
from .._data.validation import Modalities
from .._grid import NodeGrid
from .._model.tensors import TensorData, scaled_data
from .._training.filling import filled
from ..modules import MultimodalVAE
from .covariances import full_covariances
from .expert_tables import ExpertTable, sample_tables
from .posterior import bounds, check_near, posterior_and_cells
from .sampling import decoded, drawn_data, drawn_points
from .transport import swap_states


@dataclass(frozen=True, kw_only=True)
class FittedModel:
    """A trained model, the units of its data, and its components in their order.

    Parameters
    ----------
    model : MultimodalVAE
        With the numbers of the fit.
    scaler : ModalityScaler
        Units of the data.
    outcomes : ndarray of shape (n_components, n_nodes)
        Outcomes of the nodes in each component.
    means : ndarray of shape (n_components, latent_dim)
        Means of the components.
    covariances : ndarray
        Their covariances in scikit-learn's shape for the type.
    covariance_type : {"full", "tied", "diag", "spherical"}
        That type.
    """

    model: MultimodalVAE
    scaler: ModalityScaler
    outcomes: np.ndarray
    means: np.ndarray
    covariances: np.ndarray
    covariance_type: str

    @property
    def cells(self) -> np.ndarray:
        """The cell of the grid, in C order, of each component."""
        return NodeGrid(self.model.prior.node_sizes).cells(self.outcomes)

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
        """Scale samples, put them where the model is, and fill in elements that are missing."""
        means = self.model.prior.means  # the dtype is that of the training data
        data = scaled_data(modalities, self.scaler, means.device, means.dtype)
        return filled(self.model, data)

    def labels(self, modalities: Modalities) -> np.ndarray:
        """Return the component of the most probable cell of each sample."""
        cells = posterior_and_cells(self.model, self.scaled(modalities))[1]
        return self.components_of(cells.cpu().numpy().argmax(axis=1))

    def posterior(self, modalities: Modalities) -> tuple[np.ndarray, np.ndarray]:
        """Return posterior means, and the probabilities of the components in their order."""
        means, cells = posterior_and_cells(self.model, self.scaled(modalities))
        probabilities = cells.cpu().numpy()[:, self.cells]
        check_near(probabilities, "probabilities")
        points = means.cpu().numpy()
        check_near(points, "latent coordinates")
        return points, probabilities

    def bounds(self, data: TensorData, observed: np.ndarray) -> np.ndarray:
        """Return the bound of every sample in the user's units.

        ``observed`` of shape (n_modalities, n_samples) is false where a modality is missing.
        """
        values = bounds(self.model, data).cpu().numpy()
        jacobian = self.scaler.log_jacobian(observed, data.element_masks())
        return values + jacobian.astype(values.dtype)

    def decode(
        self, points: np.ndarray, components: np.ndarray | None = None, which: str = "Sample"
    ) -> list[np.ndarray]:
        """Return decoded means in the user's units; ``which`` says what the points are.

        By default each point belongs to its most probable component.
        """
        cells = None if components is None else self.cells[components]
        return self._in_units(decoded(self.model, points, cells), which)

    def draw(self, components: np.ndarray, rng: np.random.RandomState) -> list[np.ndarray]:
        """Draw one sample from each component given, in the user's units."""
        points = drawn_points(self.means, self.full_covariances(), components, rng)
        return self._in_units(drawn_data(self.model, points, self.cells[components], rng))

    def move(self, points: np.ndarray, old: np.ndarray, new: np.ndarray) -> np.ndarray:
        """Move points from their components to others, each to the same place within."""
        return swap_states(points, old, new, self.means, self.full_covariances())

    def expert_tables(
        self, points: np.ndarray, components: np.ndarray, node_names: list[str]
    ) -> dict[str, ExpertTable]:
        """Return the parameters of the experts for samples, by name of the modality."""
        cells, nodes = self.cells[components], self.outcomes[components]
        names = [str(name) for name in self.model.names]
        tables = sample_tables(self.model, points, cells, nodes, node_names, names)
        for table in tables.values():
            check_near(np.stack([table[name] for name in table], axis=1), "parameters")
        return tables

    def _in_units(self, arrays: list[np.ndarray], which: str = "Sample") -> list[np.ndarray]:
        """Return decoded data in the user's units; values that are not finite raise."""
        arrays = self.scaler.inverse_transform(arrays)
        for array in arrays:
            check_near(array, "decoded values", which)
        return arrays
