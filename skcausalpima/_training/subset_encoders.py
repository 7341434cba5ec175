r"""What a complete sample says, taught to its parts: the encoders of incomplete samples.

The teacher is the posterior :math:`q(z | x) q(c | x)` of a sample, the pupil the posterior
:math:`q(c | x_S) q(z | c, x_S)` of a random subset S of its modalities, see
:class:`~skcausalpima.modules.SubsetEncoders`. What is minimised is

.. math:: KL(q(c, z | x) \,\|\, q(c, z | x_S)) + \lambda KL(q(c | x) \,\|\, q(c | x_S)).

With :math:`q(z | c, x_S) = N(z; m_c, S_c) l_S(z) / Z_c(x_S)`, this is, up to what the pupil cannot
change,

.. math:: \sum_c q(c | x) \log Z_c(x_S) - E_{q(z | x)} \log l_S(z)
    - (1 + \lambda) \sum_c q(c | x) \log q(c | x_S).

The last is small beside the others where the latent space says much about each sample;
:math:`\lambda` makes it count.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from .._model.settings import GradientSettings
from .._model.tensors import TensorData
from ..functional import (
    DiagonalGaussian,
    expected_log_potential,
    log_overlap,
    log_responsibilities,
    weight_columns,
)
from ..modules import Batch, MultimodalVAE, SubsetEncoders
from .acceleration import step_precision
from .adam import Adam
from .gradients import gradient_average
from .loop import gradient_step, half_cosine
from .observer import Observer

#: How much more the divergence of the components' probabilities counts.
COMPONENT_WEIGHT = 50.0

#: The learning rate, relative to that of training, falls from here to zero by half a cosine.
RATE_FACTOR = 4.0

#: Fewest steps, if training had as many: few samples need more epochs for them.
MIN_STEPS = 40

#: Where samples of the fit lack modalities, so many times the epochs and fewest steps.
IF_INCOMPLETE = 3

#: By so much the logarithms of variances begin above those of the encoders. A modality is surer
#: beside the others than alone, and a potential that is narrow in the wrong place is widened in all
#: directions at once, from where training may not come back.
WIDENING = 2.0

#: Norm at which gradients are clipped: narrow potentials that are off the mark pull hard.
MAX_GRAD_NORM = 3.0

#: The rate of the exponents, relative to that of the networks: numbers that stand alone need larger
#: steps.
EXPONENT_RATE = 4.0


@dataclass(frozen=True, kw_only=True)
class Lesson:
    """What is taught of every sample.

    Parameters
    ----------
    posterior : DiagonalGaussian
        Posterior q(z|x) of all that is observed.
    probabilities : Tensor of shape (n_components, n_samples)
        Of the components.
    evidence : dict of int to Tensor of shape (n_components, n_samples)
        What decoders that depend on the component say of their modality.
    """

    posterior: DiagonalGaussian
    probabilities: Tensor
    evidence: dict[int, Tensor]

    def rows(self, rows: Tensor) -> Lesson:
        """Return the lesson of some samples."""
        return Lesson(
            posterior=DiagonalGaussian(*(part[rows] for part in self.posterior)),
            probabilities=self.probabilities[:, rows],
            evidence={m: said[:, rows] for m, said in self.evidence.items()},
        )


@torch.no_grad()
def lesson(model: MultimodalVAE, data: TensorData) -> Lesson:
    """Return what the trained model says of all samples; what is known of nodes is left out."""
    model.eval()
    asked = model.cluster_dependent
    posteriors, probabilities, evidence = [], [], []
    for block in data.blocks():
        posterior = model.encode(block)
        own = model.own_likelihoods(block, posterior.mean, asked)
        said = {m: part.log_likelihoods for m, part in own.items()}
        total = sum(said.values(), start=model.log_density(posterior))
        posteriors.append(posterior)
        probabilities.append(log_responsibilities(model.prior.log_weights(), total).exp())
        evidence.append(said)
    return Lesson(
        posterior=DiagonalGaussian(*(torch.cat(part) for part in zip(*posteriors, strict=True))),
        probabilities=torch.cat(probabilities, dim=1),
        evidence={m: torch.cat([said[m] for said in evidence], dim=1) for m in evidence[0]},
    )


def teach(
    model: MultimodalVAE,
    data: TensorData,
    settings: GradientSettings,
    n_epochs: int,
    generator: torch.Generator,
    observer: Observer,
    known: SubsetEncoders | None = None,
) -> SubsetEncoders | None:
    """Return encoders for incomplete samples, taught by these samples; all else stays as it is.

    None if numbers do not stay finite. Where the observer says to stop, they are as they are then.
    Encoders that were taught before, ``known``, are taught further, at the rate of training.
    """
    pupil = SubsetEncoders(model) if known is None else known
    networks = [*pupil.encoders.parameters(), *pupil.views.parameters()]
    parameters = [p for p in networks if p.requires_grad]
    if not parameters or pupil.widening is None or pupil.log_exponents is None:
        return pupil.eval().requires_grad_(False)
    parameters.append(pupil.widening)
    if known is None:
        pupil.widening.data.fill_(WIDENING)
    taught, log_weights = lesson(model, data), model.prior.log_weights().detach()
    rate, size = settings.learning_rate, settings.batch_size
    rate *= RATE_FACTOR if known is None else 1.0
    rates = [rate, EXPONENT_RATE * rate]
    optimizer = Adam((parameters, rates[0]), ([pupil.log_exponents], rates[1]))
    n_steps = n_epochs * math.ceil(data.n_of_all / size)
    pupil.train()
    with step_precision(pupil.networks, settings):
        for step, (rows, batch) in enumerate(_batches(data, size, n_epochs, generator)):
            if observer.stopped:
                break
            optimizer.rates = [full * half_cosine(step / n_steps) for full in rates]
            parts, of_rows = _some_modalities(batch, generator), taught.rows(rows)
            loss = data.mean(divergences(model, pupil, parts, of_rows, log_weights), batch)
            average = gradient_average(data, batch)
            gradient_step(loss, optimizer, parameters, MAX_GRAD_NORM, average)
    finite = torch.stack([torch.isfinite(p).all() for p in pupil.parameters()]).all()
    return pupil.eval().requires_grad_(False) if finite else None


def _some_modalities(batch: Batch, generator: torch.Generator) -> Batch:
    """Return samples of which some modalities count as observed."""
    return replace(batch, observed=random_subsets(batch, generator))


def _batches(
    data: TensorData, size: int, n_epochs: int, generator: torch.Generator
) -> Iterator[tuple[Tensor, Batch]]:
    """Return batches and their rows, all samples in another order in each epoch."""
    for _ in range(n_epochs):
        yield from data.numbered(size, generator)


def teaching_epochs(
    n_epochs: int, steps_per_epoch: int, n_training_epochs: int, is_incomplete: bool
) -> int:
    """Return for how many epochs is taught.

    Parameters
    ----------
    n_epochs : int
        How many the user asks for.
    steps_per_epoch : int
        Batches of the samples.
    n_training_epochs : int
        For how many the model was trained at most: a quick fit is not to be taught for longer.
    is_incomplete : bool
        Whether samples of the fit lack modalities.

    Returns
    -------
    int
        At least as many.

    Examples
    --------
    >>> from skcausalpima._training.subset_encoders import teaching_epochs
    >>> teaching_epochs(10, 100, 50, False), teaching_epochs(10, 2, 50, False)
    (10, 20)
    >>> teaching_epochs(10, 2, 50, True), teaching_epochs(10, 2, 5, False)
    (60, 10)
    """
    least = min(math.ceil(MIN_STEPS / steps_per_epoch), n_training_epochs)
    return (IF_INCOMPLETE if is_incomplete else 1) * max(n_epochs, least)


def divergences(
    model: MultimodalVAE, pupil: SubsetEncoders, parts: Batch, taught: Lesson, log_weights: Tensor
) -> Tensor:
    """Return how far parts of samples are from what is taught of them, up to a constant.

    Parameters
    ----------
    model : MultimodalVAE
        Its mixture is the prior.
    pupil : SubsetEncoders
        To be taught.
    parts : Batch
        Samples, of which some modalities count as observed.
    taught : Lesson
        What the whole samples say.
    log_weights : Tensor of shape (n_components,)
        Logarithms of the components' probabilities.

    Returns
    -------
    Tensor of shape (n_samples,)
        In nats.
    """
    potential = pupil(parts)
    overlap = log_overlap(potential, model.prior.means, model.prior.covariances)
    joint = weight_columns(log_weights) + pupil.exponents(parts) * overlap
    for m, said in taught.evidence.items():
        joint = joint + (said if parts.observed is None else said * parts.observed[m])
    mean, variance = taught.posterior.mean, taught.posterior.log_var.exp()
    of_points = (taught.probabilities * overlap).sum(dim=0)
    of_points = of_points - expected_log_potential(potential, mean, variance)
    of_components = -(taught.probabilities * joint.log_softmax(dim=0)).sum(dim=0)
    return of_points + (1.0 + COMPONENT_WEIGHT) * of_components


def random_subsets(batch: Batch, generator: torch.Generator) -> Tensor:
    """Draw for every sample some of its modalities: at least one, and never all there are.

    Parameters
    ----------
    batch : Batch
        Samples.
    generator : torch.Generator
        On the CPU: the draws do not depend on the device.

    Returns
    -------
    Tensor of bool of shape (n_modalities, n_samples)
        What is to count as observed; nothing where nothing is.
    """
    shape = (len(batch.arrays), len(batch.arrays[0]))
    uniform = torch.rand(1 + shape[0], shape[1], generator=generator, dtype=torch.float32)
    sizes, draws = 1 + (uniform[0] * (shape[0] - 1)).long(), uniform[1:]
    if batch.observed is not None:
        draws = draws.masked_fill(~batch.observed.cpu(), torch.inf)
    ranks = draws.argsort(dim=0).argsort(dim=0)
    chosen = (ranks < sizes) & draws.isfinite()
    return chosen.to(batch.arrays[0].device)
