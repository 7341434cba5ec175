"""Divergence: how it is noticed and told, and the last good state that returns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn

from .._warnings import warn_caller
from ..exceptions import DivergenceError, ExpertWarning
from ..modules import ExpertError, MultimodalVAE, ScaledExpert
from .early_stopping import KeptState

ADVICE = (
    "Use a smaller training__learning_rate, clip gradients with training__max_grad_norm, or bring "
    'the data to one scale (scale="modality" or "feature").'
)

#: What matrices that are not positive definite, or not finite, raise.
MATRIX_ERRORS = (torch.linalg.LinAlgError, np.linalg.LinAlgError)


class NotFiniteError(ValueError):
    """Numbers of a fit are not finite; :func:`told_divergence` says where that was."""


def check_finite(values: Tensor, what: str) -> None:
    """Raise where numbers are not finite."""
    if not torch.isfinite(values).all():
        raise NotFiniteError(f"the {what} are not finite")


def check_model(model: MultimodalVAE, names: Sequence[str]) -> None:
    """Raise where a number of the model that a fit has made is not finite."""
    parts = broken_parts(model, names)
    if parts:
        raise NotFiniteError(f"numbers in {', '.join(parts)} are not finite")


def broken_parts(model: MultimodalVAE, names: Sequence[str]) -> list[str]:
    """Return the parts of the model with trained numbers that are not finite, as users know them.

    Buffers and frozen parameters of the user's own modules may hold what they like, such as masks.
    """
    tensors = dict(_made_by_fits(model))
    flags = [torch.isfinite(tensor).all() for tensor in tensors.values()]
    if torch.stack(flags).all():  # the device is waited for once
        return []
    broken = [name for name, fine in zip(tensors, flags, strict=True) if not fine]
    return list(dict.fromkeys(_readable(name, names) for name in broken))


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
    model: MultimodalVAE,
    names: Sequence[str],
    phase: str,
    epoch: int | None = None,
    weights: Tensor | None = None,
) -> Iterator[None]:
    """Say where a fit has diverged, or a model function has raised.

    Matrices that cannot be factorised count as divergence, and so does whatever is raised while
    numbers of the model are not finite. Everything else is raised as it is.
    """
    place = phase if epoch is None else f"epoch {epoch + 1} of {phase}"
    try:
        yield
    except DivergenceError:
        raise  # and has said where
    except ExpertError as error:
        raise ExpertError(f"{error} This was in {place}.", error.modality) from error.__cause__
    except NotFiniteError as error:
        raise divergence(str(error), place, weights) from error
    except MATRIX_ERRORS as error:
        reason = f"a matrix cannot be factorised ({str(error).rstrip('.')})"
        raise divergence(reason, place, weights) from error
    except Exception as error:
        parts = broken_parts(model, names)
        if not parts:
            raise
        reason = f"numbers in {', '.join(parts)} are not finite ({type(error).__name__}: {error})"
        raise divergence(reason, place, weights) from error


def divergence(reason: str, place: str, weights: Tensor | None = None) -> DivergenceError:
    """Return the error that says what happened, where, and what to do."""
    told = f"Training diverged: {reason}, in {place}. {ADVICE}"
    if weights is not None and weights.max() > 1e6 * weights.min():
        told += (
            " Some sample weights are over a million times others, which vanish beside them: give "
            "weights of more similar size."
        )
    return DivergenceError(told)


class ExpertGuard(KeptState):
    """Keeps the last state in which all experts that gradients train were finite."""

    def __init__(self, model: MultimodalVAE, names: Sequence[str], phase: str) -> None:
        super().__init__()
        self.model, self.names, self.phase = model, names, phase
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
            with told_divergence(self.model, self.names, self.phase, epoch, weights):
                yield
        except ExpertError as error:
            self.error = error
            if error.modality not in [expert.modality for _, expert in self.experts]:
                raise  # no gradient moves this expert: going back would not help

    def restored(self, epoch: int) -> bool:
        """Return whether an expert has diverged; if so, warn and bring back the last good state."""
        for m, expert in self.experts:
            told = self._failure(expert)
            if told is None:
                continue
            self.restore(self.model)
            values = expert.values(self._coordinates(expert)).detach().cpu().numpy()
            table = {n: values[:, k].tolist() for k, n in enumerate(expert.expert.names)}
            warn_caller(
                f"The model function {expert.expert.function_name} of modality {self.names[m]!r} "
                f"diverged in epoch {epoch + 1} of {self.phase}, which ends here. The state "
                f"before that epoch is kept; its parameters, by component of the grid, are "
                f"{table}. Use a smaller training__learning_rate, training__max_grad_norm, or "
                f"bounds.{told}",
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
