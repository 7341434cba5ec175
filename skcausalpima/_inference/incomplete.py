r"""The posterior of samples that lack modalities, a mixture over the components.

Encoders of subsets give a Gaussian potential :math:`l_S(z)`; the mixture is the prior:
:math:`q(c | x_S) \propto A_c Z_c^{t_S} L_c` and
:math:`q(z | c, x_S) \propto N(z; m_c, S_c) l_S(z)`, with
:math:`Z_c = \int N(z; m_c, S_c) l_S(z) dz`, an exponent that is taught, and :math:`L_c` what
decoders that depend on the component say of the data. Its bound is

.. math:: \sum_c q(c) \left[\log \frac{A_c Z_c}{q(c)} - E_{q(z | c)} \log l_S(z)
    + \sum_{m \in S} E_{q(z | c)} \log p(x_m | z, c)\right] \le \log p(x_S).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Collection
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ..functional import (
    Conditionals,
    DiagonalGaussian,
    conditional_posteriors,
    expected_log_potential,
    log_overlap,
    log_responsibilities,
    weight_columns,
)
from ..modules import Batch, CausalPrior, MultimodalVAE, SubsetEncoders

#: Components that are less probable than this, relative to the most probable one, are left out
#: where data are decoded: what remains is a posterior as well, and its bound a bound.
NEGLIGIBLE = 1e-4


def likely(log_gamma: Tensor) -> Tensor:
    """Return the probabilities of all but negligible components, which add up to 1.

    ``log_gamma`` of shape (n_components, n_samples) has the logarithms of all.
    """
    kept = log_gamma >= log_gamma.max(dim=0).values + math.log(NEGLIGIBLE)
    return torch.softmax(log_gamma.masked_fill(~kept, -torch.inf), dim=0)


@dataclass(frozen=True, kw_only=True)
class IncompletePosterior:
    """The posterior of samples that lack modalities.

    Parameters
    ----------
    prior : CausalPrior
        Its mixture.
    potential : DiagonalGaussian
        Mean and log-variance of shape (n_samples, latent_dim).
    log_joint : Tensor of shape (n_components, n_samples)
        :math:`\\log A_c Z_c`.
    log_gamma : Tensor of shape (n_components, n_samples)
        Log-probabilities of the components.
    """

    prior: CausalPrior
    potential: DiagonalGaussian
    log_joint: Tensor
    log_gamma: Tensor

    @functools.cached_property
    def conditionals(self) -> Conditionals:
        """The latent point in each component; found when it is first asked for."""
        return conditional_posteriors(self.potential, self.prior.means, self.prior.covariances)

    @property
    def mean(self) -> Tensor:
        """Mean of the latent point, of shape (n_samples, latent_dim)."""
        return torch.einsum("cn,ncj->nj", self.log_gamma.exp(), self.conditionals.means)

    @property
    def place(self) -> Tensor:
        """Mean of the latent point in the most probable component, of the same shape."""
        rows = torch.arange(self.log_gamma.shape[1], device=self.log_gamma.device)
        return self.conditionals.means[rows, self.log_gamma.argmax(dim=0)]

    def likely(self) -> Tensor:
        """Return the probabilities of all but negligible components, which add up to 1."""
        return likely(self.log_gamma)

    def points(self, component: int, rows: Tensor | slice, draw: Tensor) -> Tensor:
        """Return the point of each row in a component that a standard normal draw stands for."""
        factors = self.conditionals.factors[rows, component]
        return self.conditionals.means[rows, component] + factors @ draw


def incomplete_posterior(
    model: MultimodalVAE, encoders: SubsetEncoders, batch: Batch, draws: Tensor
) -> IncompletePosterior:
    """Return the posterior of samples that lack modalities; see the module's equation.

    ``draws`` of shape (n_draws, latent_dim) stand for z where expectations are taken.
    """
    prior, potential = model.prior, encoders(batch)
    overlap = log_overlap(potential, prior.means, prior.covariances)
    if batch.allowed is not None:
        overlap = overlap.masked_fill(~batch.allowed, -torch.inf)
    log_weights = model.log_weights(batch.regime_index)
    said = encoders.exponents(batch) * overlap
    found = IncompletePosterior(
        prior=prior,
        potential=potential,
        log_joint=weight_columns(log_weights) + overlap,
        log_gamma=log_responsibilities(log_weights, said),
    )
    if not model.cluster_dependent:
        return found
    said = said + _evidence(model, batch, found, draws)
    return replace(found, log_gamma=log_responsibilities(log_weights, said))


def _evidence(
    model: MultimodalVAE, batch: Batch, found: IncompletePosterior, draws: Tensor
) -> Tensor | float:
    """Return what decoders that depend on the component say, in expectation over z in it."""
    asked = model.cluster_dependent
    if not any(model.decoders[m].depends_on_latent for m in asked):
        own = model.own_likelihoods(batch, found.potential.mean, asked)
        return sum((part.log_likelihoods for part in own.values()), start=0.0)
    rows = [
        _own(model, batch, found, slice(None), component, draws, asked)
        for component in range(len(found.log_gamma))
    ]
    return torch.stack(rows)


def _own(
    model: MultimodalVAE,
    batch: Batch,
    found: IncompletePosterior,
    rows: Tensor | slice,
    component: int,
    draws: Tensor,
    asked: Collection[int],
) -> Tensor:
    """Return what decoders with likelihoods of their own say of samples in a component."""
    total = torch.zeros_like(found.log_gamma[component, rows])
    for draw in draws:
        own = model.own_likelihoods(batch, found.points(component, rows, draw), asked)
        for part in own.values():
            said = part.log_likelihoods
            total = total + said[component if len(said) > 1 else 0]
    return total / len(draws)


def incomplete_bounds(
    model: MultimodalVAE, batch: Batch, found: IncompletePosterior, draws: Tensor
) -> Tensor:
    """Return the bound of samples that lack modalities, of shape (n_samples,), in nats."""
    gamma, everything = found.likely(), range(len(model.decoders))
    total = torch.zeros_like(gamma[0])
    for component, probabilities in enumerate(gamma):
        rows = probabilities.nonzero()[:, 0]
        if not len(rows):
            continue
        part, q = batch.take(rows), probabilities[rows]
        points = [found.points(component, rows, draw) for draw in draws]
        errors = torch.stack([model.squared_errors(part, z) for z in points]).mean(dim=0)
        reconstruction = model.log_likelihoods(errors, part.shares).sum(dim=0)
        own = _own(model, part, found, rows, component, draws, everything)
        potential = DiagonalGaussian(*(of[rows] for of in found.potential))
        means = found.conditionals.means[rows, component]
        variances = found.conditionals.factors[rows, component].square().sum(dim=-1)
        said = reconstruction + own - expected_log_potential(potential, means, variances)
        terms = q * (found.log_joint[component, rows] - q.log() + said)
        total = total.index_add(0, rows, terms)
    return total
