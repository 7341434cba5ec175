"""Expert decoders inside a model: one set of parameters per cluster."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from torch import Tensor, nn

from ..._base.grid import NodeGrid
from ...functional import cluster_squared_errors, isotropic_log_likelihood, scattered_log_likelihood
from .._batch import Likelihood
from .expert_decoder import ExpertDecoder
from .scaled import ScaledExpert


def shared_entries(
    expert: ExpertDecoder, node_sizes: Sequence[int], node_names: Sequence[str]
) -> np.ndarray:
    """Say which cells share which parameters.

    Parameters
    ----------
    expert : ExpertDecoder
        Its ``depends_on`` decides.
    node_sizes : sequence of int
        Numbers of outcomes.
    node_names : sequence of str
        Names of the nodes.

    Returns
    -------
    ndarray of int of shape (n_components, n_free)
        Number of each cell's entry in the vector of all free parameters.

    Raises
    ------
    ValueError
        If ``depends_on`` names a node that is not there.

    Examples
    --------
    >>> from skcausalpima.modules import ExpertDecoder, line, shared_entries
    >>> expert = ExpertDecoder(line, [0.0, 1.0], depends_on={"slope": "N2"})
    >>> shared_entries(expert, (2, 2), ["N1", "N2"]).T
    array([[0, 1, 0, 1],
           [2, 3, 4, 5]])
    """
    states = NodeGrid(tuple(node_sizes)).outcomes()
    columns, used = [], 0
    for name in expert.free_names:
        nodes = expert.depends_on.get(name, node_names)
        unknown = [node for node in nodes if node not in node_names]
        if unknown:
            raise ValueError(
                f"depends_on of {expert.function_name}: {name} depends on {unknown}, but the nodes "
                f"are {list(node_names)}."
            )
        chosen = sorted(list(node_names).index(node) for node in set(nodes))
        family = NodeGrid(tuple(node_sizes[k] for k in chosen))
        column = np.zeros(len(states), dtype=int)
        if chosen:
            column = family.cells(states[:, chosen])
        columns.append(column + used)
        used += family.n_cells
    for group in expert.space.ordered:
        if any((columns[k] - columns[k].min() != columns[group[0]] - columns[group[0]].min()).any()
               for k in group):  # fmt: skip
            names = [expert.free_names[k] for k in group]
            raise ValueError(f"depends_on must be the same for {names}, which rise together.")
    return np.stack(columns, axis=1) if columns else np.zeros((len(states), 0), dtype=int)


def _blocks(index: np.ndarray) -> np.ndarray:
    """Number the groups of cells that share parameters, directly or by way of others."""
    n_cells, n_free = index.shape
    # SciPy below 1.12 reads no graph with 64-bit indices.
    index = index.astype(np.int32)
    cells = np.repeat(np.arange(n_cells, dtype=np.int32), n_free)
    size = n_cells + (int(index.max()) + 1 if index.size else 0)
    edges = coo_array((np.ones(index.size), (cells, n_cells + index.ravel())), (size, size))
    return np.unique(connected_components(edges)[1][:n_cells], return_inverse=True)[1]


class ClusterExpert(ScaledExpert):
    r"""One curve for each cell: :math:`p(x_m | c) = N(f(x; \theta_c), \hat\sigma^2_c I)`.

    Parameters
    ----------
    expert : ExpertDecoder
        The model function, and what is stated about it.
    shape : sequence of int
        Shape of one sample of the modality.
    node_sizes : sequence of int
        Numbers of outcomes of the nodes.
    node_names : sequence of str
        Names of the nodes.

    Examples
    --------
    >>> import torch
    >>> from skcausalpima.modules import ClusterExpert, ExpertDecoder, line
    >>> decoder = ClusterExpert(ExpertDecoder(line, [0.0, 1.0]), (2,), (3,), ["N1"])
    >>> decoder.means()
    tensor([[1., 2.],
            [1., 2.],
            [1., 2.]])
    >>> decoder.log_likelihoods(torch.tensor([[1.0, 2.0]])).shape
    torch.Size([3, 1])
    """

    has_likelihood = depends_on_cluster = True
    depends_on_latent = False
    index: Tensor
    block: Tensor
    step: Tensor
    log_variances: Tensor
    directions: Tensor
    scatter: Tensor

    def __init__(
        self,
        expert: ExpertDecoder,
        shape: Sequence[int],
        node_sizes: Sequence[int],
        node_names: Sequence[str],
    ) -> None:
        super().__init__(expert, shape)
        index = shared_entries(expert, node_sizes, node_names)
        self.register_buffer("index", torch.as_tensor(index), persistent=False)
        self.register_buffer("block", torch.as_tensor(_blocks(index)), persistent=False)
        start = torch.zeros(int(index.max()) + 1 if index.size else 0, dtype=torch.float32)
        start[self.index] = expert.start_coordinates().to(start).expand(index.shape)
        self.free = nn.Parameter(start, requires_grad=not expert.refit)
        self.register_buffer("step", torch.ones_like(start))
        self.register_buffer("log_variances", torch.zeros(len(index), dtype=torch.float32))
        n_directions = index.shape[1] if expert.scatter else 0
        width = math.prod(shape)
        eye = torch.eye(width, n_directions, dtype=torch.float32).repeat(len(index), 1, 1)
        self.register_buffer("directions", eye)
        inner = torch.eye(n_directions, dtype=torch.float32).repeat(len(index), 1, 1)
        self.register_buffer("scatter", inner)

    def coordinates(self) -> Tensor:
        """Return the unbounded coordinates of all cells' parameters.

        Returns
        -------
        Tensor of shape (n_components, n_free)
            Coordinates.
        """
        return (self.free * self.step)[self.index]

    def sample_coordinates(self, z: Tensor, components: Tensor) -> Tensor:
        """Return the coordinates of samples, those of their components, in double precision.

        Parameters
        ----------
        z : Tensor of shape (n_samples, latent_dim)
            Latent points, which do not matter.
        components : Tensor of int of shape (n_samples,)
            Components.

        Returns
        -------
        Tensor of shape (n_samples, n_free)
            Coordinates.
        """
        return self.coordinates().double()[components]

    @torch.no_grad()
    def set_coordinates(self, coordinates: Tensor, step: Tensor | None = None) -> None:
        """Set the coordinates of all parameters.

        Parameters
        ----------
        coordinates : Tensor of shape (n_unknowns,)
            Unbounded coordinates, each shared value once.
        step : Tensor of shape (n_unknowns,), default=None
            How much of each coordinate one unit of gradient descent is: experts are in the units of
            the data, learning rates are not.
        """
        if step is not None:
            self.step.copy_(step)
        self.free.copy_(coordinates / self.step)

    def means(self) -> Tensor:
        """Return the curve of every cell.

        Returns
        -------
        Tensor of shape (n_components, width)
            Scaled.
        """
        return self.scaled_curves(self.coordinates())

    def log_likelihoods(self, x: Tensor) -> Tensor:
        """Return the log-likelihood of every sample under every cell's curve (Eq. 26).

        Parameters
        ----------
        x : Tensor of shape (n_samples, width)
            Scaled samples.

        Returns
        -------
        Tensor of shape (n_components, n_samples)
            In nats.
        """
        means = self.means()
        errors = cluster_squared_errors(x, means)
        if not self.expert.scatter:
            return isotropic_log_likelihood(errors, x.shape[1], self.log_variances[:, None])
        projections = x @ self.directions - means[:, None] @ self.directions
        return scattered_log_likelihood(
            errors, projections, x.shape[1], self.log_variances, self.scatter
        )

    def likelihood(self, x: Tensor, z: Tensor, seen: Tensor | None = None) -> Likelihood:
        """Return :meth:`log_likelihoods`, whatever the latent points.

        Parameters
        ----------
        x : Tensor of shape (n_samples, width)
            Scaled samples.
        z : Tensor of shape (n_samples, latent_dim)
            Latent points.
        seen : Tensor, default=None
            Not asked: no elements are missing.

        Returns
        -------
        Likelihood
            Of shape (n_components, n_samples), without squared errors.
        """
        return Likelihood(self.log_likelihoods(x), None)

    def decode(self, z: Tensor, components: Tensor) -> Tensor:
        """Return the curves of components, whatever the latent points.

        Parameters
        ----------
        z : Tensor of shape (n_samples, latent_dim)
            Latent points.
        components : Tensor of int of shape (n_samples,)
            Components.

        Returns
        -------
        Tensor of shape (n_samples, width)
            Scaled.
        """
        return self.means()[components]

    def deviations(self, z: Tensor, components: Tensor, log_variance: Tensor) -> Tensor:
        """Return the standard deviation of each element around the curve of its component.

        Parameters
        ----------
        z : Tensor of shape (n_samples, latent_dim)
            Latent points, which do not matter.
        components : Tensor of int of shape (n_samples,)
            Components.
        log_variance : Tensor of shape ()
            That of the modality, which does not matter.

        Returns
        -------
        Tensor of shape (n_samples, width)
            Scaled.
        """
        variances = self.log_variances.exp()[:, None]
        inside = (self.directions @ torch.linalg.cholesky(self.scatter)).square().sum(dim=2)
        across = 1.0 - self.directions.square().sum(dim=2)
        return (inside + variances * across.clamp_min(0.0)).sqrt()[components]

    def draw(
        self, z: Tensor, components: Tensor, log_variance: Tensor, normal: Callable[..., Tensor]
    ) -> Tensor:
        """Draw samples around the curves of components.

        Parameters
        ----------
        z : Tensor of shape (n_samples, latent_dim)
            Latent points, which do not matter.
        components : Tensor of int of shape (n_samples,)
            Components.
        log_variance : Tensor of shape ()
            That of the modality, which does not matter.
        normal : callable
            Returns standard normal draws of a shape.

        Returns
        -------
        Tensor of shape (n_samples, width)
            Scaled.
        """
        means, directions = self.decode(z, components), self.directions[components]
        noise = normal(*means.shape) * (0.5 * self.log_variances[components, None]).exp()
        scattered = normal(len(z), directions.shape[2])[:, :, None]
        inside = torch.linalg.cholesky(self.scatter)[components] @ scattered
        across = noise[:, :, None] - directions @ (directions.mT @ noise[:, :, None])
        return means + (across + directions @ inside)[:, :, 0]
