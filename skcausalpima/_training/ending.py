"""How training ends: early stopping, divergence, and the states that it then goes back to."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from .._base.warn import warn_caller
from .._model.tensors import TensorData
from ..exceptions import DivergenceError, ExpertWarning
from ..modules import ExpertError, MultimodalVAE, ScaledExpert

ADVICE = (
    "Use a smaller training__learning_rate, clip gradients with training__max_grad_norm, or bring "
    'the data to one scale (scale="modality" or "feature").'
)

#: What matrices that are not positive definite, or not finite, raise.
MATRIX_ERRORS = (torch.linalg.LinAlgError, np.linalg.LinAlgError)


class KeptState:
    """A state of a model to go back to: the last good one, or the best so far."""

    def __init__(self) -> None:
        self.best_state: dict[str, Tensor] | None = None
        self.best_temperature: float | None = None

    def keep(self, model: MultimodalVAE) -> None:
        """Keep the state of now."""
        self.best_state = copy.deepcopy(model.state_dict())
        self.best_temperature = model.prior.temperature

    def restore(self, model: MultimodalVAE) -> None:
        """Go back to the kept state, if there is one."""
        if self.best_state is not None and self.best_temperature is not None:
            model.load_state_dict(self.best_state)
            model.prior.temperature = self.best_temperature


class Stopper(KeptState):
    """Early stopping: has the objective stopped rising?

    Parameters
    ----------
    tol : float
        Least rise of an epoch; 0 never stops.
    n_iter_no_change : int
        Epochs without such a rise after which training ends.
    is_relative : bool, default=False
        Whether ``tol`` is relative to the spread of the objective between samples: more elements
        raise both alike.
    """

    def __init__(self, tol: float, n_iter_no_change: int, is_relative: bool = False) -> None:
        super().__init__()
        self.tol, self.n_iter_no_change, self.is_relative = tol, n_iter_no_change, is_relative
        self.best, self.waited = -math.inf, 0

    @property
    def converged(self) -> bool:
        """Whether training is to end."""
        return self.tol > 0 and self.waited >= self.n_iter_no_change

    def forget(self) -> None:
        """Begin anew, as where the objective is of other samples from now on."""
        self.best, self.waited, self.best_state = -math.inf, 0, None

    def stop(self, objective: float, model: MultimodalVAE | None, spread: float = 1.0) -> bool:
        """Take note of one epoch; with a model, keep its state where it is the best so far."""
        least = self.tol * spread if self.is_relative else self.tol
        self.waited = 0 if objective > self.best + least else self.waited + 1
        if model is not None and objective > self.best:
            self.keep(model)
        self.best = max(self.best, objective)
        return self.converged


def interquartile_range(values: Tensor) -> float:
    """Return by how much the third quartile lies above the first.

    Examples
    --------
    >>> import torch
    >>> from skcausalpima._training.ending import interquartile_range
    >>> interquartile_range(torch.tensor([0.0, 1.0, 2.0, 3.0, 1e9]))
    2.0
    """
    ordered, last = values.sort().values, len(values) - 1
    return float(ordered[round(0.75 * last)] - ordered[round(0.25 * last)])


@dataclass(frozen=True, kw_only=True)
class Convergence:
    """What was seen of training.

    Parameters
    ----------
    n_steps : int
        Gradient steps.
    spread : float
        Interquartile range of the objective over the samples in the last epoch, in nats.
    rise : float
        By how much the objective rose per epoch at last, relative to the spread; NaN in a fit of
        too few epochs to tell.
    fall : float
        How far the objective ended below its best epoch, relative to the spread.
    label_changes : float
        Share of the samples whose component changed per epoch, at last; NaN as above.
    share_of_samples : float
        Which part of the samples an epoch saw.
    """

    n_steps: int
    spread: float
    rise: float
    fall: float
    label_changes: float
    share_of_samples: float


def rise_and_fall(objectives: Sequence[float], n_epochs: int) -> tuple[float, float]:
    """Return by how much the objective rose per epoch at last, and how far it is below its best.

    Parameters
    ----------
    objectives : sequence of float
        After every epoch.
    n_epochs : int
        The means of the last so many epochs, and of as many before, are compared.

    Returns
    -------
    rise, fall : float
        The first is NaN where there are too few epochs.

    Examples
    --------
    >>> from skcausalpima._training.ending import rise_and_fall
    >>> rise_and_fall([0.0, 1.0, 2.0, 3.0, 4.0, 5.0], 2)
    (1.0, 0.0)
    >>> rise_and_fall([0.0, 9.0, 2.0], 2)
    (nan, 7.0)
    """
    values: np.ndarray = np.asarray(objectives, dtype=np.float64)
    rise = math.nan
    if len(values) >= 2 * n_epochs:
        before, after = values[-2 * n_epochs : -n_epochs], values[-n_epochs:]
        rise = float(after.mean() - before.mean()) / n_epochs
    finite = values[np.isfinite(values)]
    return rise, float(finite.max() - finite[-1]) if len(finite) else 0.0


def held_out_first(
    data: TensorData, fraction: float, rng: np.random.RandomState
) -> np.ndarray | None:
    """Return a random order of the samples, the first of which are set aside; None if none are."""
    if fraction == 0:
        return None
    n_samples = data.n_samples
    if not data.anywhere(int(np.ceil(fraction * n_samples)) < n_samples):
        raise ValueError(
            f"training__validation_fraction={fraction} of {n_samples} samples leaves none to "
            "train on."
        )
    groups = data.samples.groups
    if groups is None:
        return rng.permutation(n_samples)
    return np.argsort(rng.permutation(groups.max() + 1)[groups], kind="stable")


def n_held_out(data: TensorData, order: np.ndarray, fraction: float) -> int:
    """Return how many samples, the first of an order, are set aside: whole groups of them."""
    wanted, groups = int(np.ceil(fraction * data.n_samples)), data.samples.groups
    if groups is None:
        return wanted
    ends = np.flatnonzero(np.diff(groups[order])) + 1
    return int(ends[np.abs(ends - wanted).argmin()])


class NotFiniteError(ValueError):
    """Numbers of a fit are not finite; :func:`told_divergence` says where that was."""


def check_finite(values: Tensor, what: str) -> None:
    """Raise where numbers are not finite."""
    if not torch.isfinite(values).all():
        raise NotFiniteError(f"the {what} are not finite")


def check_model(model: MultimodalVAE) -> None:
    """Raise where a number of the model that a fit has made is not finite."""
    parts = broken_parts(model)
    if parts:
        raise NotFiniteError(f"numbers in {', '.join(parts)} are not finite")


def broken_parts(model: MultimodalVAE) -> list[str]:
    """Return the parts of the model with trained numbers that are not finite, as users know them.

    Buffers and frozen parameters of the user's own modules may hold what they like, such as masks.
    """
    tensors = dict(_made_by_fits(model))
    flags = [torch.isfinite(tensor).all() for tensor in tensors.values()]
    if torch.stack(flags).all():  # the device is waited for once
        return []
    broken = [name for name, fine in zip(tensors, flags, strict=True) if not fine]
    return list(dict.fromkeys(_readable(name, model.names) for name in broken))


def _made_by_fits(model: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Return, by name, what is trained, and all numbers of modules of this package."""
    package = __name__.partition(".")[0]
    for prefix, module in model.named_modules():
        is_own = type(module).__module__.partition(".")[0] == package
        for name, parameter in module.named_parameters(prefix, recurse=False):
            if is_own or parameter.requires_grad:
                yield name, parameter.detach()
        if is_own:
            yield from module.named_buffers(prefix, recurse=False)


def _readable(name: str, names: Sequence[str]) -> str:
    """Name the part of the model that a number belongs to."""
    which, _, rest = name.partition(".")
    if which not in ("encoders", "decoders"):
        return {"prior": "the prior"}.get(which, "the decoder variances")
    return f"{which}[{names[int(rest.partition('.')[0])]!r}]"


@contextmanager
def told_divergence(
    model: MultimodalVAE, phase: str, epoch: int | None = None, weights: Tensor | None = None
) -> Iterator[None]:
    """Say where a fit has diverged, or a model function has raised.

    Matrices that cannot be factorised count as divergence, and so does whatever is raised while
    numbers of the model are not finite. Everything else is raised as it is.
    """
    where = phase if epoch is None else f"epoch {epoch + 1} of {phase}"
    try:
        yield
    except DivergenceError:
        raise  # and has said where
    except ExpertError as error:
        raise ExpertError(f"{error} This was in {where}.", error.modality) from error.__cause__
    except NotFiniteError as error:
        raise divergence(str(error), where, weights) from error
    except MATRIX_ERRORS as error:
        reason = f"a matrix cannot be factorised ({str(error).rstrip('.')})"
        raise divergence(reason, where, weights) from error
    except Exception as error:
        parts = broken_parts(model)
        if not parts:
            raise
        reason = f"numbers in {', '.join(parts)} are not finite ({type(error).__name__}: {error})"
        raise divergence(reason, where, weights) from error


def divergence(reason: str, where: str, weights: Tensor | None = None) -> DivergenceError:
    """Return the error that says what happened, where, and what to do."""
    message = f"Training diverged: {reason}, in {where}. {ADVICE}"
    if weights is not None and weights.max() > 1e6 * weights.min():
        message += (
            " Some sample weights are over a million times others, which vanish beside them: give "
            "weights of more similar size."
        )
    return DivergenceError(message)


class ExpertGuard(KeptState):
    """Keeps the last state in which all experts that gradients train were finite."""

    def __init__(self, model: MultimodalVAE, phase: str) -> None:
        super().__init__()
        self.model, self.phase = model, phase
        self.error: ExpertError | None = None
        self.experts = [
            (m, expert)
            for m, expert in model.experts
            if any(parameter.requires_grad for parameter in expert.parameters())
        ]

    def keep(self, model: MultimodalVAE) -> None:
        """Keep the state of now, which is a good one."""
        if self.experts:
            super().keep(model)

    @contextmanager
    def watched(self, epoch: int, weights: Tensor | None) -> Iterator[None]:
        """Watch gradient steps: an expert that raises there has diverged; see `restored`."""
        self.error = None
        try:
            with told_divergence(self.model, self.phase, epoch, weights):
                yield
        except ExpertError as error:
            self.error = error
            if error.modality not in [expert.modality for _, expert in self.experts]:
                raise  # no gradient moves this expert: going back would not help

    def restored(self, epoch: int) -> bool:
        """Return whether an expert has diverged; if so, warn and bring back the last good state."""
        for m, expert in self.experts:
            failure = self._failure(expert)
            if failure is None:
                continue
            self.restore(self.model)
            values = expert.values(self._coordinates(expert)).detach().cpu().numpy()
            table = {n: values[:, k].tolist() for k, n in enumerate(expert.expert.names)}
            name = self.model.names[m]
            warn_caller(
                f"The model function {expert.expert.function_name} of modality {name!r} "
                f"diverged in epoch {epoch + 1} of {self.phase}, which ends here. The state "
                f"before that epoch is kept; its parameters, by component of the grid, are "
                f"{table}. Use a smaller training__learning_rate, training__max_grad_norm, or "
                f"bounds.{failure}",
                ExpertWarning,
            )
            return True
        return False

    @torch.no_grad()
    def _coordinates(self, expert: ScaledExpert) -> Tensor:
        """Return the unbounded coordinates of all cells, or at their centres."""
        means = self.model.prior.means
        return expert.cell_coordinates(means).to(means)

    def _failure(self, expert: ScaledExpert) -> str | None:
        """Return what a model function raised, nothing if it is not finite, None if all is well."""
        if self.error is not None and self.error.modality == expert.modality:
            return f" {self.error}"
        coordinates = self._coordinates(expert)
        try:
            curves = expert.scaled_curves(coordinates)
        except ExpertError as error:
            return f" {error}"
        finite = torch.isfinite(coordinates).all() and torch.isfinite(curves).all()
        return None if finite else ""
