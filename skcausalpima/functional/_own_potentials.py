"""The posterior of samples whose potentials have a precision each."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import NamedTuple, Protocol, Self

import torch
from torch import Tensor

from ._gaussian import LOG_2PI
from ._kept import Kept
from ._mixture import MixtureStatistics, weight_columns
from ._potentials import LEAST_PRECISION, Evidence, Potential, log_det, whole_matrices

#: Numbers of the matrices of samples and components that are in memory at a time.
NUMBERS_AT_ONCE = 2**21


class OwnPosterior:
    """The posterior of samples each of which has a precision of its own.

    Parameters
    ----------
    means : Tensor of shape (n_components, latent_dim)
        Means of the components.
    covariances : Tensor of shape (n_components, latent_dim[, latent_dim])
        Their covariances.
    potential : Potential
        What the samples say.
    beyond : Tensor of shape (n_components or 1, n_samples), default=None
        Added to log-potentials in each component: of samples that no Gaussian says all of.
    """

    def __init__(
        self, means: Tensor, covariances: Tensor, potential: Potential, beyond: Tensor | None = None
    ) -> None:
        self.means, self.prior_covariances = means.double(), whole_matrices(covariances.double())
        linear, precision = potential
        least = LEAST_PRECISION * torch.eye(precision.shape[-1]).to(precision)
        self.potential = Potential(linear, precision + least)  # as samples that share theirs
        self.origin = self.means.mean(dim=0)
        beyond = linear.new_zeros(1, len(linear)) if beyond is None else beyond.double()
        self.beyond = beyond.expand(len(means), -1)

    def __len__(self) -> int:
        return len(self.potential.linear)

    def detached(self) -> OwnPosterior:
        """Return the same numbers, without what gradients need."""
        return self._of(Potential(*(part.detach() for part in self.potential)), self.beyond)

    def _of(self, potential: Potential, beyond: Tensor) -> OwnPosterior:
        """Return the posterior by other potentials of the same prior."""
        copied = copy.copy(self)
        copied.potential, copied.beyond = potential, beyond
        return copied

    @classmethod
    def joined(cls, parts: list[Self]) -> OwnPosterior:
        """Return the posteriors of several batches as one."""
        pairs = zip(*(part.potential for part in parts), strict=True)
        beyond = torch.cat([part.beyond for part in parts], dim=1)
        return parts[0]._of(Potential(*map(torch.cat, pairs)), beyond)

    def rows(self, rows: Tensor) -> OwnPosterior:
        """Return the posterior of some of the samples."""
        return self._of(Potential(*(part[rows] for part in self.potential)), self.beyond[:, rows])

    def expected_log_potentials(self, components: Tensor) -> Tensor:
        """Return E log l(z) in components, one each, of shape (n_samples,)."""
        expected = self._conditionals(slice(None), components).expected_log_potentials()
        return expected + self.beyond[components, torch.arange(len(self), device=expected.device)]

    def _blocks(self) -> Iterator[tuple[slice, _Conditionals]]:
        """Return the conditionals of some samples at a time."""
        size = max(1, NUMBERS_AT_ONCE // self.prior_covariances.numel())
        for start in range(0, max(1, len(self)), size):  # a rank may have no rows
            rows = slice(start, start + size)
            yield rows, self._conditionals(rows)

    def _conditionals(self, rows: slice, components: Tensor | None = None) -> _Conditionals:
        linear, precision = Potential(*(part[rows] for part in self.potential)).about(self.origin)
        means, covariances = self.means - self.origin, self.prior_covariances
        if components is None:
            return _conditionals(linear, precision, means[:, None], covariances[:, None])
        means, covariances = means[components[rows]], covariances[components[rows]]
        return _conditionals(linear, precision, means, covariances)

    def expected_at(self, mean: Tensor, second: Tensor) -> Tensor:
        """Return E log l(z) over latent points with these first and second moments.

        With the constants that :meth:`log_normalizers` has; gradients reach the potentials.
        """
        linear, precision = self.potential.about(self.origin)
        first = mean - self.origin
        cross = mean[:, :, None] * self.origin
        around = second - cross - cross.mT + self.origin[:, None] * self.origin
        return (linear * first).sum(dim=1) - 0.5 * (precision * around).sum(dim=(1, 2))

    def log_normalizers(self) -> Tensor:
        """Return log Z of every component, (n_components, n_samples), in float64.

        Constants of the potentials are left out. A gradient reaches their parameters.
        """
        potential, means = self.potential.about(self.origin), self.means - self.origin
        return self.beyond + _LogNormalizers.apply(*potential, means, self.prior_covariances)

    def evidence(self, log_weights: Tensor, allowed: Tensor | None = None) -> Evidence:
        """Return what the mixture says, given log A, of shape (n_components[, n_samples])."""
        normalizers, potentials = [], []
        for rows, block in self._blocks():  # of which a gradient reaches h alone
            normalizers.append(block.log_normalizers + self.beyond[:, rows])
            potentials.append(block.expected_log_potentials() + self.beyond[:, rows])
        log_joint = weight_columns(log_weights).double() + torch.cat(normalizers, dim=1)
        if allowed is not None:
            log_joint = log_joint.masked_fill(~allowed, -torch.inf)
        value = torch.logsumexp(log_joint, dim=0)
        log_gamma = (log_joint - value).detach()
        log_potential = (log_gamma.exp() * torch.cat(potentials, dim=1)).sum(dim=0)
        constant = log_potential.detach() + self._constants()
        return Evidence(value - log_potential, constant, log_gamma)

    @torch.no_grad()
    def _constants(self) -> Tensor:
        """Return what makes potentials densities of their locations, of shape (n_samples,)."""
        linear, precision = self.potential.about(self.origin)
        roots = torch.linalg.cholesky(precision)
        inside = torch.linalg.solve_triangular(roots, linear[:, :, None], upper=False)
        squares = inside.square().sum(dim=(1, 2))
        return 0.5 * (log_det(roots) - squares - linear.shape[1] * LOG_2PI)

    def points(self, components: Tensor, noise: Tensor) -> Tensor:
        """Return latent points in components, one each, that standard normal draws stand for."""
        conditionals = self._conditionals(slice(None), components)
        factors = torch.linalg.cholesky(conditionals.covariances)
        return conditionals.means + (factors @ noise.double()[:, :, None])[:, :, 0] + self.origin

    def centres(self, components: Tensor) -> Tensor:
        """Return the means of the latent points in components, one each."""
        return self._conditionals(slice(None), components).means + self.origin

    def covariances(self, components: Tensor) -> Tensor:
        """Return the covariances of the latent points in components, one each."""
        return self._conditionals(slice(None), components).covariances

    def mean(self, gamma: Tensor) -> Tensor:
        """Return the means of the latent points, given probabilities (n_components, n_samples)."""
        parts = [
            torch.einsum("cn,cnj->nj", gamma[:, rows].double(), block.means)
            for rows, block in self._blocks()
        ]
        return torch.cat([self.means[:0], *parts]) + self.origin

    def second_moments(self, gamma: Tensor) -> Tensor:
        """Return E[z z'] of the latent points, (n_samples, latent_dim, latent_dim)."""
        parts = []
        for rows, block in self._blocks():
            means, weights = block.means + self.origin, gamma[:, rows].double()
            outer = torch.einsum("cn,cni,cnj->nij", weights, means, means)
            parts.append(outer + torch.einsum("cn,cnij->nij", weights, block.covariances))
        return torch.cat([self.prior_covariances[:0], *parts])

    def statistics(self, gamma: Tensor) -> MixtureStatistics:
        """Return the sums that Eq. 17 needs, given responsibilities times the samples' weights."""
        counts, first = gamma.double().sum(dim=1), torch.zeros_like(self.means)
        second = torch.zeros_like(self.prior_covariances)
        for rows, block in self._blocks():
            weights = gamma[:, rows].double()
            first += torch.einsum("cn,cnj->cj", weights, block.means)
            second += torch.einsum("cn,cni,cnj->cij", weights, block.means, block.means)
            second += torch.einsum("cn,cnij->cij", weights, block.covariances)
        return MixtureStatistics(counts=counts, first=first, second=second, origin=self.origin)


class _Conditionals(NamedTuple):
    """Gaussians q(z | c, x), of shape (n_components, n_samples, ..) or (n_samples, ..)."""

    means: Tensor
    covariances: Tensor
    log_normalizers: Tensor
    linear: Tensor
    precision: Tensor

    def expected_log_potentials(self) -> Tensor:
        """Return E log l(z) up to a constant; a gradient reaches h alone."""
        second = self.covariances + self.means[..., :, None] * self.means[..., None, :]
        quadratic = (self.precision * second).sum(dim=(-2, -1))
        return (self.linear * self.means).sum(dim=-1) - 0.5 * quadratic


def _conditionals(
    linear: Tensor, precision: Tensor, means: Tensor, covariances: Tensor
) -> _Conditionals:
    """Multiply potentials and components, whose leading axes broadcast."""
    roots = torch.linalg.cholesky(covariances)
    inverses = torch.cholesky_inverse(roots)
    total = (inverses + precision.detach()).movedim((-2, -1), (0, 1)).contiguous()
    inside, log_det_total = invert_in_place(total)
    inside = inside.movedim((0, 1), (-2, -1))
    pulled = (inverses @ means[..., None])[..., 0]
    natural = pulled + linear
    points = (inside @ natural[..., None])[..., 0]
    constants = (pulled * means).sum(dim=-1) + log_det(roots) + log_det_total
    values = 0.5 * ((natural * points).sum(dim=-1) - constants)
    return _Conditionals(points, inside, values, linear, precision)


class KeptParts(Kept, Protocol):
    """What :class:`_LogNormalizers` keeps: means and covariances of some samples at a time."""

    parts: list[tuple[Tensor, Tensor]]


class _LogNormalizers(torch.autograd.Function):
    """Factorising many small matrices is cheap, but not its gradient: here it is moments."""

    @staticmethod
    def forward(
        ctx: KeptParts, linear: Tensor, precision: Tensor, means: Tensor, covariances: Tensor
    ) -> Tensor:
        size = max(1, NUMBERS_AT_ONCE // covariances.numel())
        parts = [
            _conditionals(h, precision_block, means[:, None], covariances[:, None])
            for h, precision_block in zip(linear.split(size), precision.split(size), strict=True)
        ]
        ctx.parts = [(part.means, part.covariances) for part in parts]
        return torch.cat([part.log_normalizers for part in parts], dim=1)

    @staticmethod
    def backward(ctx: KeptParts, *gradients: Tensor) -> tuple[Tensor, Tensor, None, None]:
        of_linear, of_precision, start = [], [], 0
        for means, covariances in ctx.parts:
            gradient = gradients[0][:, start : start + means.shape[1]]
            start += means.shape[1]
            weighted = gradient[..., None] * means
            of_linear.append(weighted.sum(dim=0))
            outer = weighted.permute(1, 2, 0) @ means.transpose(0, 1)
            spread = gradient.T[:, None] @ covariances.flatten(2).transpose(0, 1)
            of_precision.append(-0.5 * (outer + spread.unflatten(2, outer.shape[1:])[:, 0]))
        return torch.cat(of_linear), torch.cat(of_precision), None, None


def invert_in_place(matrices: Tensor) -> tuple[Tensor, Tensor]:
    """Invert many small symmetric positive definite matrices at once (Gauss and Jordan).

    Parameters
    ----------
    matrices : Tensor of shape (size, size, ...)
        The trailing axes number the matrices: each step is one operation on all of them, which is
        several times as fast as a factorisation of one after another. Overwritten.

    Returns
    -------
    inverses : Tensor of shape (size, size, ...)
        In the memory of ``matrices``.
    log_determinants : Tensor of shape (...)
        Of the matrices; not finite where one is not positive definite.

    Examples
    --------
    >>> import torch
    >>> from skcausalpima.functional._own_potentials import invert_in_place
    >>> inverses, log_determinants = invert_in_place(torch.full((1, 1, 1), 4.0))
    >>> inverses.item(), round(log_determinants.item(), 4)
    (0.25, 1.3863)
    """
    pivots = []
    for k in range(len(matrices)):
        pivot = matrices[k, k].clone()
        row, column = matrices[k] / pivot, matrices[:, k].clone()
        matrices.sub_(column[:, None] * row)
        matrices[k], matrices[:, k] = row, -column / pivot
        matrices[k, k] = pivot.reciprocal()
        pivots.append(pivot)
    return matrices, torch.stack(pivots).log().sum(dim=0)
