r"""Distillation of the joint posterior into the encoders of incomplete samples.

The teacher is the posterior :math:`q(c | x) q(z | c, x)` of a sample, the student the posterior
:math:`q(c | x_S) q(z | c, x_S)` of a random subset S of its modalities, see
:class:`~skcausalpima.modules.SubsetEncoders`. What is minimised is

.. math:: KL(q(c, z | x) \,\|\, q(c, z | x_S)) + \lambda KL(q(c | x) \,\|\, q(c | x_S)).

With :math:`q(z | c, x_S) = N(z; m_c, S_c) l_S(z) / Z_c(x_S)`, this is, up to what the student
cannot change,

.. math:: \sum_c q(c | x) \log Z_c(x_S) - E_{q(z | x)} \log l_S(z)
    - (1 + \lambda) \sum_c q(c | x) \log q(c | x_S).

The last is small beside the others where the latent space says much about each sample;
:math:`\lambda` makes it count. Copies begin with the likelihoods of what they say. Of a modality
what was taught is kept where it is nearer to the teacher on samples that the copies have not seen;
these say, too, how sure of the component a part of a sample is.
"""

from __future__ import annotations

import copy
import math
import time
from dataclasses import dataclass, replace
from typing import cast

import torch
from torch import Tensor, nn

from .._model.settings import TrainingSettings
from .._model.tensors import TensorData
from ..functional import OwnPosterior, weight_columns
from ..modules import Batch, CausalPrior, StructuredVAE, SubsetEncoders
from .gradients import Adam, gradient_step, half_cosine, in_bfloat16
from .linear_locations import become_linear, fit_likelihoods, shrink_slopes
from .observer import Observer

#: How much more the divergence of the components' probabilities counts.
COMPONENT_WEIGHT = 50.0

#: The learning rate, relative to that of training, falls from here to zero by half a cosine.
RATE_FACTOR = 4.0

#: Fewest steps, if training had as many: few samples need more epochs for them.
MIN_STEPS = 40

#: Where samples of the fit lack modalities, so many times the epochs and fewest steps.
IF_INCOMPLETE = 3

#: Norm at which gradients are clipped: narrow potentials that are off the mark pull hard.
MAX_GRAD_NORM = 3.0

#: Share of the samples that copies do not see, and most samples for that.
CALIBRATION_SHARE, MAX_CALIBRATION = 0.2, 300

#: Standard deviation of the logarithms of exponents before anything is seen.
EXPONENT_SCALE = 1.0

#: Fewer samples are not parted.
MIN_SAMPLES = 10

#: Steps in which they are set, and the learning rate at first.
CALIBRATION_STEPS, CALIBRATION_RATE = 30, 0.15


@dataclass(frozen=True, kw_only=True)
class Targets:
    """What is taught of every sample.

    Parameters
    ----------
    mean : Tensor of shape (n_samples, latent_dim)
        Mean of the latent point, given all that is observed.
    second : Tensor of shape (n_samples, latent_dim, latent_dim)
        Its second moments.
    probabilities : Tensor of shape (n_components, n_samples)
        Of the components.
    evidence : dict of int to Tensor of shape (n_components, n_samples)
        What decoders that depend on the component say beyond the potential of their modality.
    prior : CausalPrior
        Whose mixture is that of all samples.
    log_weights : Tensor of shape (n_components,)
        Logarithms of its components' probabilities.
    """

    mean: Tensor
    second: Tensor
    probabilities: Tensor
    evidence: dict[int, Tensor]
    prior: CausalPrior
    log_weights: Tensor

    def rows(self, rows: Tensor) -> Targets:
        """Return the targets of some samples."""
        return replace(
            self,
            mean=self.mean[rows],
            second=self.second[rows],
            probabilities=self.probabilities[:, rows],
            evidence={m: evidence[:, rows] for m, evidence in self.evidence.items()},
        )


@torch.no_grad()
def targets_of(model: StructuredVAE, data: TensorData) -> Targets:
    """Return what the trained model says of all samples; what is known of nodes is left out."""
    model.eval()
    log_weights = model.prior.log_weights()
    means, seconds, probabilities, evidence = [], [], [], []
    for block in data.blocks():
        zeros = block.arrays[0].new_zeros(len(block.arrays[0]), model.latent_dim)
        joint = model.joint(block, zeros, log_weights=log_weights, is_known=False)
        posterior, gamma = joint.posterior, joint.evidence().log_gamma.exp()
        means.append(posterior.mean(gamma))
        seconds.append(posterior.second_moments(gamma))
        probabilities.append(gamma)
        evidence.append(joint.of_decoders.beyond)
    return Targets(
        mean=torch.cat(means),
        second=torch.cat(seconds),
        probabilities=torch.cat(probabilities, dim=1),
        evidence={m: torch.cat([part[m] for part in evidence], dim=1) for m in evidence[0]},
        prior=model.prior,
        log_weights=log_weights,
    )


def distil(
    model: StructuredVAE,
    data: TensorData,
    settings: TrainingSettings,
    n_epochs: int,
    generator: torch.Generator,
    observer: Observer,
    before: SubsetEncoders | None = None,
) -> SubsetEncoders | None:
    """Return encoders for incomplete samples, taught by these samples; all else stays as it is.

    None if numbers do not stay finite. Where the observer says to stop, they are as they are then.
    Encoders that were taught ``before`` are taught further, at the rate of training.
    """
    student = SubsetEncoders(model) if before is None else before
    if student.widening is None:  # of a single modality
        return student.eval().requires_grad_(False)
    targets = targets_of(model, data)
    rows, others = _calibration_rows(data, generator)
    part = data.subset(others), targets.rows(others)
    held = data.subset(rows), targets.rows(rows)
    rate = settings.steps.learning_rate
    if before is None:
        rate *= RATE_FACTOR
        linear = copy.deepcopy(student)
        become_linear(linear, part[0], part[1].mean)
        for start in (student, linear):
            fit_likelihoods(start, part[0], part[1].mean, part[1].second)
        _keep_better(student, linear, *held)
        start = copy.deepcopy(student)
    _take_steps(student, part, settings, rate, n_epochs, generator, observer)
    if before is None:
        _keep_better(student, start, *held)
        if not observer.stopped and _is_finite(student):  # samples that come later are too few
            shrink_slopes(student, model, data, targets.mean, targets.second)
    if not observer.stopped:
        _calibrate(student, *held, generator)
    return student.requires_grad_(False) if _is_finite(student) else None


def _take_steps(
    student: SubsetEncoders,
    part: tuple[TensorData, Targets],
    settings: TrainingSettings,
    rate: float,
    n_epochs: int,
    generator: torch.Generator,
    observer: Observer,
) -> None:
    """Bring random parts of samples nearer to what the whole ones say, by gradient steps."""
    (data, targets), networks = part, [*student.encoders.parameters(), *student.views.parameters()]
    parameters, size = [p for p in networks if p.requires_grad], settings.steps.batch_size
    per_epoch, begin = math.ceil(data.n_of_all / size), time.monotonic()
    n_epochs = n_epochs if parameters else 0
    optimizer = Adam((parameters, rate)) if parameters else None
    student.train()
    with in_bfloat16(student.networks, settings.device.autocast):
        batches = (batch for _ in range(n_epochs) for batch in data.numbered(size, generator))
        for step, (numbers, batch) in enumerate(batches):
            if observer.stopped or optimizer is None:
                break
            optimizer.rates = [rate * half_cosine(step / (n_epochs * per_epoch))]
            parts = replace(batch, observed=random_subsets(batch, generator))
            loss = data.mean(divergences(student, parts, targets.rows(numbers)), batch)
            gradient_step(loss, optimizer, parameters, MAX_GRAD_NORM, data, batch)
            n_done, rest = divmod(step + 1, per_epoch)
            if rest == 0:
                observer.taught(n_done, n_epochs, time.monotonic() - begin)
    student.eval()


def _is_finite(student: SubsetEncoders) -> bool:
    return all(bool(torch.isfinite(p).all()) for p in student.parameters())


@torch.no_grad()
def _keep_better(
    student: SubsetEncoders, other: SubsetEncoders, data: TensorData, targets: Targets
) -> None:
    """Take the other encoders of each modality that alone is nearer to what is taught with them."""
    batch = data.loaded().rows(slice(None))
    outputs = [encoders.eval().outputs(batch) for encoders in (student, other)]
    for m in range(len(student.encoders)):
        observed = torch.zeros_like(batch.present)
        observed[m] = batch.present[m]
        alone, pairs = (
            replace(batch, observed=observed),
            zip((student, other), outputs, strict=True),
        )
        distances = [
            batch.weighted(divergences(encoders, alone, targets, output))
            for encoders, output in pairs
        ]
        sums = data.total_of(
            torch.stack([distance @ observed[m].double() for distance in distances])
        )
        if sums[1] < sums[0]:
            student.take(other, m)


def _calibration_rows(data: TensorData, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return the numbers of the samples that copies do not see, and of all others."""
    order = torch.randperm(data.n_samples, generator=generator).to(data.device)
    n_rows = min(math.ceil(CALIBRATION_SHARE * len(order)), MAX_CALIBRATION)
    if len(order) < MIN_SAMPLES:
        return order, order  # they do for both
    return order[:n_rows].sort().values, order[n_rows:].sort().values


def _calibrate(
    student: SubsetEncoders, data: TensorData, targets: Targets, generator: torch.Generator
) -> None:
    """Set exponents by what the encoders say of samples that they have not seen."""
    batch = data.loaded().rows(slice(None))
    with torch.no_grad():
        outputs = student.outputs(batch)
    exponents = cast(nn.Parameter, student.log_exponents)
    optimizer = Adam(([exponents], CALIBRATION_RATE))
    for step in range(CALIBRATION_STEPS):
        optimizer.rates = [CALIBRATION_RATE * half_cosine(step / CALIBRATION_STEPS)]
        parts = replace(batch, observed=random_subsets(batch, generator))
        # few samples say little of them: what exponents other than 1 cost
        shrinkage = 0.5 * (1.0 + COMPONENT_WEIGHT) * exponents.square().sum() / EXPONENT_SCALE**2
        loss = data.mean(divergences(student, parts, targets, outputs), batch)
        loss = loss + shrinkage / data.n_of_all
        gradient_step(loss, optimizer, [exponents], MAX_GRAD_NORM, data, batch)


def distillation_epochs(
    n_epochs: int, steps_per_epoch: int, n_training_epochs: int, is_incomplete: bool
) -> int:
    """Return for how many epochs is targets.

    Parameters
    ----------
    n_epochs : int
        How many the user asks for.
    steps_per_epoch : int
        Batches of the samples.
    n_training_epochs : int
        For how many the model was trained: a quick fit is not to be taught for longer.
    is_incomplete : bool
        Whether samples of the fit lack modalities.

    Returns
    -------
    int
        At least as many.

    Examples
    --------
    >>> from skcausalpima._training.distillation import distillation_epochs
    >>> distillation_epochs(10, 100, 50, False), distillation_epochs(10, 2, 50, False)
    (10, 20)
    >>> distillation_epochs(10, 2, 50, True), distillation_epochs(10, 2, 5, False)
    (60, 10)
    """
    least = min(math.ceil(MIN_STEPS / steps_per_epoch), n_training_epochs)
    return (IF_INCOMPLETE if is_incomplete else 1) * max(n_epochs, least)


def divergences(
    student: SubsetEncoders,
    parts: Batch,
    targets: Targets,
    outputs: tuple[Tensor, Tensor] | None = None,
) -> Tensor:
    """Return how far parts of samples are from what is taught of them, up to a constant.

    Parameters
    ----------
    student : SubsetEncoders
        To be targets.
    parts : Batch
        Samples, of which some modalities count as observed.
    taught : Targets
        What the whole samples say.
    outputs : pair of Tensor, default=None
        Of the encoders; None asks them.

    Returns
    -------
    Tensor of shape (n_samples,)
        In nats.
    """
    potential = student.potential(parts, outputs)
    posterior = OwnPosterior(targets.prior.means, targets.prior.covariances, potential)
    overlap = posterior.log_normalizers()
    weights = weight_columns(targets.log_weights)
    joint = weights + student.log_evidence(parts, overlap, weights)
    for m, evidence in targets.evidence.items():
        joint = joint + (evidence if parts.observed is None else evidence * parts.observed[m])
    of_points = (targets.probabilities * overlap).sum(dim=0)
    of_points = of_points - posterior.expected_at(targets.mean, targets.second)
    of_components = -(targets.probabilities * joint.log_softmax(dim=0)).sum(dim=0)
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
    positions = draws.argsort(dim=0).argsort(dim=0)
    chosen = (positions < sizes) & draws.isfinite()
    return chosen.to(batch.arrays[0].device)
