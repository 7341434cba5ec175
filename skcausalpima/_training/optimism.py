r"""How much of what a modality says of a node is chance.

A decoder has learned from noise, too: asked alone, a modality that knows nothing of a node says
something of it. In the samples of a fit its evidence gains LR / 2 nats over the shares of the
outcomes; in others it gains p nats less, its *optimism* [1]_. Evidence is to be raised to the power
1 - p / LR then, the heuristic shrinkage factor [2]_, or is none.

LR is asked of the encoders as they are. The optimism is that of a linear twin of the decoder,
x = W z + b + noise, learned from what whole samples say of their latent points: from all of them,
and from four fifths, which tell the other fifth.

References
----------
.. [1] B. Efron, "Estimating the error rate of a prediction rule", Journal of the American
   Statistical Association 78, 1983.
.. [2] J. C. van Houwelingen and S. le Cessie, "Predictive value of statistical models", Statistics
   in Medicine 9, 1990.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from .._model.tensors import TensorData
from ..functional import OwnPosterior, prepare_posterior
from ..modules import Batch, CausalPrior, SubsetEncoders, beyond_potentials

#: Parts of the samples, each of which is told by the others (the usual number).
N_FOLDS = 5

#: Times the optimism of all samples: slopes of four fifths are 5 / 4 times as far off, and what is
#: gained and lost by noise are halves of the optimism.
EXCESS = 0.5 * (1.0 + N_FOLDS / (N_FOLDS - 1))

#: Samples that are looked at (arbitrary).
MAX_ROWS = 2000

#: Added to moments of latent points, relative to their diagonals, and least variance of noise.
RIDGE, LEAST_VARIANCE = 1e-9, 1e-12


class Known(NamedTuple):
    """What the model says of whole samples.

    Parameters
    ----------
    mean : Tensor of shape (n_samples, latent_dim)
        Of the latent point.
    second : Tensor of shape (n_samples, latent_dim, latent_dim)
        Its second moments.
    log_cells : Tensor of shape (n_components, n_samples)
        Log-probabilities of the components.
    beyond : dict of int to Tensor of shape (n_components, n_samples)
        By modality what decoders that depend on the component say beyond potentials.
    prior : CausalPrior
        With the mixture.
    """

    mean: Tensor
    second: Tensor
    log_cells: Tensor
    beyond: dict[int, Tensor]
    prior: CausalPrior

    def rows(self, rows: Tensor) -> Known:
        """Return what is said of some samples."""
        beyond = {m: said[:, rows] for m, said in self.beyond.items()}
        kept = self.mean[rows], self.second[rows], self.log_cells[:, rows]
        return Known(*kept, beyond, self.prior)


class Sums(NamedTuple):
    """Sums over samples from which a linear decoder follows: fold by fold, or over some folds.

    Parameters
    ----------
    products : Tensor of shape (..., width, 1 + latent_dim)
        Elements times latent points, a one before these.
    moments : Tensor of shape (..., 1 + latent_dim, 1 + latent_dim)
        Second moments of the latter.
    squares, counts : Tensor of shape (...)
        Squares of elements, and how many there are.
    """

    products: Tensor
    moments: Tensor
    squares: Tensor
    counts: Tensor

    def over(self, folds: list[int]) -> Sums:
        """Return the sums over some folds."""
        return Sums(*(of[folds].sum(dim=0) for of in self))

    def evidence(self, x: Tensor, prior: CausalPrior) -> Tensor:
        """Return what samples say of components by the decoder, (n_components, n_samples)."""
        ridge = torch.diag(RIDGE * self.moments.diagonal())
        slopes = torch.linalg.solve(self.moments + ridge, self.products.T).T
        left = self.squares - (slopes * self.products).sum()
        inward = slopes[:, 1:] / (left / self.counts).clamp_min(LEAST_VARIANCE)
        mixture = prepare_posterior(prior.means, prior.covariances, inward.T @ slopes[:, 1:])
        return mixture.given((x - slopes[:, 0]) @ inward).log_normalizers()


@torch.no_grad()
def set_chance(
    pupil: SubsetEncoders, data: TensorData, known: Known, by_decoders: tuple[int, ...] = ()
) -> None:
    """Let encoders know what each modality alone gains of each node, and what of it is chance.

    Parameters
    ----------
    pupil : SubsetEncoders
        As taught; gains and optimism are in nats over all samples.
    data : TensorData
        Samples of the fit.
    known : Known
        What the model says of these samples.
    by_decoders : tuple of int, default=()
        Modalities of which decoders say where samples lie: by noise, too, and encoders are not
        asked.
    """
    rows = data.evenly_spaced(MAX_ROWS)
    batch, part = data.subset(rows).loaded().rows(slice(None)), known.rows(rows)
    share = float(data.total_of(np.array(len(rows)))) / data.n_of_all
    modalities = range(len(batch.arrays))
    gains = torch.stack([data.total_of(_gains_alone(pupil, batch, m, part)) for m in modalities])
    nothing = torch.zeros_like(gains[0])  # experts have learned few numbers
    unasked = {*part.beyond, *by_decoders}
    chance = [nothing if m in unasked else _optimism(data, batch, m, part) for m in modalities]
    pupil.gains, pupil.optimism = (gains / share).to(pupil.gains), torch.stack(chance).to(gains)


def _gains_alone(pupil: SubsetEncoders, batch: Batch, m: int, known: Known) -> Tensor:
    """Return what a modality alone gains of each node in some samples, (n_nodes,)."""
    seen, prior = torch.zeros_like(batch.present), known.prior
    seen[m] = batch.present[m]
    alone = replace(batch, observed=seen)
    potential, beyond = pupil.potential(alone), beyond_potentials(alone)
    said = OwnPosterior(prior.means, prior.covariances, potential, beyond).log_normalizers()
    said = said + known.beyond.get(m, 0.0)
    return _gains(said, batch.weighted(seen[m].double()), known.log_cells, prior)


def _optimism(data: TensorData, batch: Batch, m: int, known: Known) -> Tensor:
    """Return how much less a linear twin of a decoder gains in samples that it has not seen."""
    x, elements, prior = batch.arrays[m].double(), batch.elements.get(m), known.prior
    is_whole = batch.present[m] if elements is None else elements.all(dim=1)
    counts = batch.weighted(is_whole.double())
    points, moments = _with_ones(known.mean.double(), known.second.double())
    folds = [torch.arange(len(x), device=x.device)[k::N_FOLDS] for k in range(N_FOLDS)]
    parts = [_sums(x[of], points[of], moments[of], counts[of]) for of in folds]
    sums = Sums(*(data.total_of(torch.stack(of)) for of in zip(*parts, strict=True)))
    if not bool((sums.counts > 0).all()):  # there are too few to ask
        return sums.counts.new_zeros(len(prior.node_sizes))
    inside = sums.over(list(range(N_FOLDS))).evidence(x, prior)
    apart = torch.empty_like(inside)
    for k, held in enumerate(folds):
        others = sums.over([fold for fold in range(N_FOLDS) if fold != k])
        apart[:, held] = others.evidence(x[held], prior)
    gains = [_gains(said, counts, known.log_cells, prior) for said in (inside, apart)]
    return data.total_of(gains[0] - gains[1]) / EXCESS


def _with_ones(mean: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """Return means and second moments of latent points with a one before each."""
    points = torch.cat([torch.ones_like(mean[:, :1]), mean], dim=1)
    lower = torch.cat([mean[:, :, None], second], dim=2)
    return points, torch.cat([points[:, None, :], lower], dim=1)


def _sums(x: Tensor, points: Tensor, moments: Tensor, counts: Tensor) -> Sums:
    """Return the sums of some samples, which count for so many each."""
    weighted = counts[:, None] * x
    return Sums(
        products=weighted.T @ points,
        moments=torch.tensordot(counts, moments, dims=1),
        squares=(weighted * x).sum(),
        counts=counts.sum() * x.shape[1],
    )


def _gains(said: Tensor, counts: Tensor, log_cells: Tensor, prior: CausalPrior) -> Tensor:
    """Return by how much evidence of components says outcomes better than shares do, (n_nodes,)."""
    weights, sizes, gains = prior.log_weights().double()[:, None], prior.node_sizes, []
    alone = (weights + said).log_softmax(dim=0)
    for k in range(len(sizes)):
        told, shares, whole = (_of_node(of, k, sizes) for of in (alone, weights, log_cells))
        better = torch.where(whole.isfinite(), whole.exp() * (told - shares), 0.0)
        gains.append((better.sum(dim=0) * counts).sum())
    return torch.stack(gains)


def _of_node(log_cells: Tensor, node: int, node_sizes: tuple[int, ...]) -> Tensor:
    """Return log-probabilities of the outcomes of a node, (n_outcomes, n_samples)."""
    others = tuple(k for k in range(len(node_sizes)) if k != node)
    grid = log_cells.reshape(*node_sizes, -1)
    return grid.logsumexp(dim=others) if others else grid
