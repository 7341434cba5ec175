r"""Gaussian potentials times a mixture: components and latent points together, in closed form.

What a sample says of its latent point is a potential
:math:`l(z) = \exp(h^T z - z^T \Lambda z / 2)`; those of several modalities multiply, so that their
:math:`h` and :math:`\Lambda` add, and nothing observed is :math:`\Lambda = 0`. With the mixture as
the prior the posterior is

.. math:: q(c | x) \propto A_c Z_c, \quad q(z | c, x) = N(P_c (S_c^{-1} m_c + h), P_c), \quad
    P_c = (S_c^{-1} + \Lambda)^{-1}, \quad Z_c = \int N(z; m_c, S_c)\, l(z)\, dz.

Constants of a potential cancel in the bound :math:`E_q \log p(x | z) + \log \sum_c A_c Z_c - E_q
\log l(z)`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import torch
from torch import Tensor

from ._gaussian import LOG_2PI
from ._mixture import MixtureStatistics, unpacked_statistics, weight_columns
from ._quadratic import location_statistics, pairs_above, quadratic_coefficients

#: Smallest precision of a potential whose location is asked for: no information, but a number.
LEAST_PRECISION = 1e-8


class Potential(NamedTuple):
    r"""What samples say of their latent points, :math:`\exp(h^T z - z^T \Lambda z / 2)`.

    Parameters
    ----------
    linear : Tensor of shape (n_samples, latent_dim)
        h, in float64.
    precision : Tensor of shape (latent_dim, latent_dim) or (n_samples, latent_dim, latent_dim)
        :math:`\\Lambda`, symmetric and positive semidefinite, in float64; one for all samples, or
        each sample's own.
    """

    linear: Tensor
    precision: Tensor

    @property
    def is_shared(self) -> bool:
        """Whether all samples have the same precision."""
        return self.precision.ndim == 2

    def about(self, origin: Tensor) -> Potential:
        """Return the same of points that are measured from an origin, up to a constant."""
        return Potential(self.linear - (self.precision @ origin[:, None])[:, :, 0], self.precision)

    def at(self, points: Tensor) -> Tensor:
        """Return log l at latent points, one each, of shape (n_samples,)."""
        moved = (self.precision @ points[:, :, None])[:, :, 0]
        return (points * (self.linear - 0.5 * moved)).sum(dim=1)


class Evidence(NamedTuple):
    r"""What the mixture says of samples.

    Parameters
    ----------
    surplus : Tensor of shape (n_samples,)
        :math:`\log Z(x) - E_q \log l(z)`: with the expected log-likelihood, the bound.
    log_potential : Tensor of shape (n_samples,)
        :math:`E_q \log l(z)`; no gradient reaches it.
    log_gamma : Tensor of shape (n_components, n_samples)
        Log-responsibilities; no gradient reaches them.
    """

    surplus: Tensor
    log_potential: Tensor
    log_gamma: Tensor

    @property
    def value(self) -> Tensor:
        r""":math:`\log Z(x)`; no gradient reaches it."""
        return self.surplus.detach() + self.log_potential


@dataclass(frozen=True, kw_only=True)
class PosteriorComponents:
    """The components, given potentials of one precision: all but the samples, in float64.

    Log-normalizers and expected log-potentials are quadratic in the potential's location
    :math:`y = \\Lambda^{-1} h`, and the conditional means linear in it.

    Parameters
    ----------
    origin : Tensor of shape (latent_dim,)
        From which latent points are measured.
    precision, root : Tensor of shape (latent_dim, latent_dim)
        :math:`\\Lambda`, and its Cholesky factor.
    normalizers, log_potentials : Tensor of shape (n_components, n_statistics)
        Coefficients of :func:`location_statistics`.
    gains : Tensor of shape (n_components, latent_dim, latent_dim)
        :math:`K_c = P_c \\Lambda`.
    shifts : Tensor of shape (n_components, latent_dim)
        :math:`P_c S_c^{-1} m_c`, from the origin.
    covariances : Tensor of shape (n_components, latent_dim, latent_dim)
        :math:`P_c`.
    moves : Tensor of shape (n_components, latent_dim, 2 * latent_dim)
        The gains and the Cholesky factors of the covariances, side by side.
    """

    origin: Tensor
    precision: Tensor
    root: Tensor
    normalizers: Tensor
    log_potentials: Tensor
    gains: Tensor
    shifts: Tensor
    covariances: Tensor
    moves: Tensor

    def given(self, linear: Tensor) -> SharedPosterior:
        """Return the posterior of samples, given h of shape (n_samples, latent_dim)."""
        located = linear.double() - self.origin @ self.precision
        return SharedPosterior(self, torch.cholesky_solve(located.T, self.root).T)

    def moments(self, sums: Tensor) -> MixtureStatistics:
        """Return what Eq. 17 needs, given sums of :func:`location_statistics` times gamma.

        These have the shape (n_statistics, n_components); found are whole matrices.
        """
        statistics = unpacked_statistics(sums, self.origin, full=True)
        counts, shifts = statistics.counts[:, None], self.shifts
        moved = (self.gains @ statistics.first[:, :, None])[:, :, 0]
        second = self.gains @ statistics.second @ self.gains.mT
        cross = moved[:, :, None] * shifts[:, None, :]
        per_sample = self.covariances + shifts[:, :, None] * shifts[:, None, :]
        return MixtureStatistics(
            counts=statistics.counts,
            first=moved + counts * shifts,
            second=second + cross + cross.mT + counts[:, :, None] * per_sample,
            origin=self.origin,
        )


class PreparedPrecision(NamedTuple):
    """A precision that potentials share, and what follows from it alone, in float64.

    Parameters
    ----------
    precision, root : Tensor of shape (latent_dim, latent_dim)
        The precision, in directions of no information ``LEAST_PRECISION``, and its Cholesky factor.
    log_det : Tensor of shape ()
        Its log-determinant.
    """

    precision: Tensor
    root: Tensor
    log_det: Tensor


def prepare_precision(precision: Tensor) -> PreparedPrecision:
    """Return what mixtures that are iterated under one precision share."""
    eye = torch.eye(precision.shape[0]).to(precision.device, torch.float64)
    precision = precision.double() + LEAST_PRECISION * eye
    return PreparedPrecision(precision, torch.linalg.cholesky(precision), torch.logdet(precision))


def prepare_posterior(
    means: Tensor,
    covariances: Tensor,
    precision: Tensor | PreparedPrecision,
    origin: Tensor | None = None,
) -> PosteriorComponents:
    r"""Factorise once what samples with potentials of one precision share.

    Parameters
    ----------
    means : Tensor of shape (n_components, latent_dim)
        Means of the components.
    covariances : Tensor of shape (n_components, latent_dim[, latent_dim])
        Variances (2-D) or whole matrices (3-D).
    precision : Tensor of shape (latent_dim, latent_dim) or PreparedPrecision
        :math:`\Lambda`; in directions of no information ``LEAST_PRECISION`` stands for zero.
    origin : Tensor of shape (latent_dim,), default=None
        From which latent points are measured, by default the mean of the means.

    Returns
    -------
    PosteriorComponents
        With the method ``given(linear)``.

    Raises
    ------
    torch.linalg.LinAlgError
        A covariance matrix is not positive definite.

    Examples
    --------
    >>> import torch
    >>> from skcausalpima.functional import prepare_posterior
    >>> mixture = prepare_posterior(torch.zeros(1, 1), torch.ones(1, 1), torch.ones(1, 1))
    >>> posterior = mixture.given(torch.full((1, 1), 2.0))  # y = 2, V = 1, and N(0, 1)
    >>> round(posterior.mean(torch.ones(1, 1)).item(), 4)
    1.0
    """
    means, covariances = means.double(), whole_matrices(covariances.double())
    if not isinstance(precision, PreparedPrecision):
        precision = prepare_precision(precision)
    precision, root, log_det_precision = precision
    origin = means.mean(dim=0) if origin is None else origin
    centred = means - origin
    roots = torch.linalg.cholesky(covariances)
    inverses = torch.cholesky_inverse(roots)
    inner = torch.linalg.cholesky(inverses + precision)
    inside = torch.cholesky_inverse(inner)  # P
    gains = inside @ precision
    pulled = inverses @ inside  # S^-1 P
    total = pulled @ precision  # (S + V)^-1
    shared = pulled @ precision @ pulled.mT  # (S + V)^-1 V (S + V)^-1
    log_det_total = log_det_precision - log_det(inner) - log_det(roots)
    spread = gains.diagonal(dim1=1, dim2=2).sum(dim=1)  # trace of Lambda P
    dimension = means.shape[1] * LOG_2PI
    return PosteriorComponents(
        origin=origin,
        precision=precision,
        root=root,
        normalizers=quadratic_coefficients(total, centred, dimension - log_det_total),
        log_potentials=quadratic_coefficients(
            shared, centred, dimension - log_det_precision + spread
        ),
        gains=gains,
        shifts=(pulled.mT @ centred[:, :, None])[:, :, 0],
        covariances=0.5 * (inside + inside.mT),
        moves=torch.cat([gains, torch.linalg.cholesky(inside)], dim=2),
    )


def whole_matrices(covariances: Tensor) -> Tensor:
    """Return covariance matrices, given these (3-D) or variances (2-D)."""
    return torch.diag_embed(covariances) if covariances.ndim == 2 else covariances


def log_det(factors: Tensor) -> Tensor:
    """Return the log-determinants of matrices from their Cholesky factors."""
    return 2.0 * factors.diagonal(dim1=-2, dim2=-1).log().sum(dim=-1)


class _SharedEvidence(torch.autograd.Function):
    r"""Evidence less expected log-potential, with the gradient that one draw leaves unbiased.

    That of :math:`\log Z` is exact. In the expected log-potential the responsibilities count as
    constants, as they do in the reconstruction of one draw: what they would add is the difference
    between log-likelihood and log-potential, which training makes small.
    """

    @staticmethod
    def forward(
        ctx: Any,
        locations: Tensor,
        log_weights: Tensor,
        mixture: PosteriorComponents,
        allowed: Tensor | None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        statistics = location_statistics(locations)
        log_gamma = log_weights.double() + mixture.normalizers @ statistics
        if allowed is not None:
            log_gamma.masked_fill_(~allowed, -torch.inf)
        value = torch.logsumexp(log_gamma, dim=0)
        log_gamma -= value
        gamma = log_gamma.exp()
        log_potential = ((mixture.log_potentials.T @ gamma) * statistics).sum(dim=0)
        ctx.mixture, ctx.like = mixture, log_weights
        ctx.save_for_backward(locations, gamma)
        ctx.mark_non_differentiable(log_potential, log_gamma)
        return value - log_potential, log_potential, log_gamma

    @staticmethod
    def backward(ctx: Any, gradient: Tensor, *_: Tensor) -> tuple[Tensor, Tensor, None, None]:
        locations, gamma = ctx.saved_tensors
        weighted, first = gamma * gradient, locations.T
        coefficients = ctx.mixture.normalizers - ctx.mixture.log_potentials
        dimension = len(first)
        _, of_first, of_second, of_above = (coefficients.T @ weighted).tensor_split(
            [1, 1 + dimension, 1 + 2 * dimension]
        )
        of_locations = torch.addcmul(of_first, of_second, first, value=2.0)
        rows, columns = pairs_above(first)
        of_locations.index_add_(0, rows, of_above * first.index_select(0, columns))
        of_locations.index_add_(0, columns, of_above * first.index_select(0, rows))
        if ctx.like.shape[1] == 1:
            weighted = weighted.sum(dim=1, keepdim=True)
        return of_locations.T, weighted.to(ctx.like), None, None


class SharedPosterior:
    """The posterior of samples whose potentials have one precision.

    Parameters
    ----------
    mixture : PosteriorComponents
        What the samples share.
    locations : Tensor of shape (n_samples, latent_dim)
        Locations y of their potentials, from the origin, in float64.
    """

    def __init__(self, mixture: PosteriorComponents, locations: Tensor) -> None:
        self.mixture, self.locations = mixture, locations
        self._statistics: Tensor | None = None

    def __len__(self) -> int:
        return len(self.locations)

    def _location_statistics(self) -> Tensor:
        """Return what log Z and the sums over samples are linear in, once if they are constant."""
        if self._statistics is None or self.locations.requires_grad:
            self._statistics = location_statistics(self.locations)
        return self._statistics

    @property
    def potential(self) -> Potential:
        """What the samples say of their latent points."""
        precision = self.mixture.precision
        return Potential((self.locations + self.mixture.origin) @ precision, precision)

    def detached(self) -> SharedPosterior:
        """Return the same numbers, without what gradients need."""
        return SharedPosterior(self.mixture, self.locations.detach())

    @classmethod
    def joined(cls, parts: list[Self]) -> SharedPosterior:
        """Return the posteriors of several batches as one."""
        return SharedPosterior(parts[0].mixture, torch.cat([part.locations for part in parts]))

    def rows(self, rows: Tensor) -> SharedPosterior:
        """Return the posterior of some of the samples."""
        return SharedPosterior(self.mixture, self.locations[rows])

    def expected_log_potentials(self, components: Tensor) -> Tensor:
        """Return E log l(z) in components, one each, of shape (n_samples,)."""
        coefficients = self.mixture.log_potentials.index_select(0, components)
        return (coefficients * location_statistics(self.locations).T).sum(dim=1)

    def log_normalizers(self) -> Tensor:
        """Return log Z of every component, (n_components, n_samples), in float64."""
        return self.mixture.normalizers @ self._location_statistics()

    def evidence(self, log_weights: Tensor, allowed: Tensor | None = None) -> Evidence:
        """Return what the mixture says, given log A, of shape (n_components[, n_samples])."""
        columns = weight_columns(log_weights)
        return Evidence(*_SharedEvidence.apply(self.locations, columns, self.mixture, allowed))

    def points(self, components: Tensor, noise: Tensor) -> Tensor:
        """Return latent points in components, one each, that standard normal draws stand for."""
        mixture = self.mixture
        together = torch.cat([self.locations, noise.double()], dim=1)[:, :, None]
        moved = (mixture.moves.index_select(0, components) @ together)[:, :, 0]
        return moved + (mixture.shifts + mixture.origin).index_select(0, components)

    def centres(self, components: Tensor) -> Tensor:
        """Return the means of the latent points in components, one each."""
        return self.points(components, torch.zeros_like(self.locations))

    def covariances(self, components: Tensor) -> Tensor:
        """Return the covariances of the latent points in components, one each."""
        return self.mixture.covariances.index_select(0, components)

    def mean(self, gamma: Tensor) -> Tensor:
        """Return the means of the latent points, given probabilities (n_components, n_samples)."""
        weights, mixture = gamma.T.double(), self.mixture
        gains = (weights @ mixture.gains.flatten(1)).unflatten(1, mixture.gains.shape[1:])
        moved = (gains @ self.locations[:, :, None])[:, :, 0]
        return moved + weights @ mixture.shifts + mixture.origin

    def second_moments(self, gamma: Tensor) -> Tensor:
        """Return E[z z'] of the latent points, (n_samples, latent_dim, latent_dim)."""
        weights, mixture = gamma.double(), self.mixture
        total = torch.tensordot(weights.T, mixture.covariances, dims=1)
        for c, weight in enumerate(weights):
            mean = self.locations @ mixture.gains[c].T + mixture.shifts[c] + mixture.origin
            total += (weight[:, None] * mean)[:, :, None] * mean[:, None, :]
        return total

    def statistics(self, gamma: Tensor) -> MixtureStatistics:
        r"""Return the sums that Eq. 17 needs, over the samples.

        They are linear in sums of gamma, gamma y and gamma y y': no moment of a single sample is
        needed.

        Parameters
        ----------
        gamma : Tensor of shape (n_components, n_samples)
            Responsibilities, times the samples' weights.

        Returns
        -------
        MixtureStatistics
            Of whole matrices.
        """
        sums = self._location_statistics() @ gamma.double().T
        return self.mixture.moments(sums)
