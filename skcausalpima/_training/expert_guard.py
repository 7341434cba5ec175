"""An expert that diverges ends the training; the last good state returns."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch

from .._warnings import warn_caller
from ..exceptions import ExpertWarning
from ..modules import ExpertError, MultimodalVAE, ScaledExpert
from .divergence import told_divergence


class ExpertGuard:
    """Keeps the last state in which all experts that gradients train were finite."""

    def __init__(self, model: MultimodalVAE, names: Sequence[str], phase: str) -> None:
        self.model, self.names, self.phase = model, names, phase
        self.state: dict[str, torch.Tensor] = {}
        self.error: ExpertError | None = None
        self.experts = [
            (m, expert)
            for m, expert in model.experts
            if any(parameter.requires_grad for parameter in expert.parameters())
        ]

    def keep(self) -> None:
        """Take note of a good state."""
        if self.experts:
            self.state = copy.deepcopy(self.model.state_dict())

    @contextmanager
    def watched(self, epoch: int, weights: torch.Tensor | None) -> Iterator[None]:
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
        """Say whether an expert has diverged; if so, warn and bring back the last good state."""
        for m, expert in self.experts:
            told = self._failure(expert)
            if told is None:
                continue
            self.model.load_state_dict(self.state)
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
    def _coordinates(self, expert: ScaledExpert) -> torch.Tensor:
        """Return the unbounded coordinates of all cells, or at their centres."""
        return expert.cell_coordinates(self.model.prior.means)

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
