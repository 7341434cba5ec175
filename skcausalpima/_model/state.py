"""From a model to arrays and back; PyTorch's own generators."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import nn

#: Held by whoever has seeded PyTorch's generators, which all threads of a process share.
_SEEDING = threading.RLock()


@contextmanager
def seeded_modules(device: torch.device | None, seed: int) -> Iterator[None]:
    """Seed PyTorch's own generators, from which user modules (dropout) draw; restore them after.

    Other threads that want to do the same wait; those that only draw meet the seed. With None, for
    the library's networks, which draw from none of them, they are left alone.
    """
    if device is None:
        yield
        return
    devices = [device] if device.type == "cuda" else []
    with _SEEDING, torch.random.fork_rng(devices), _forked_mps(device):
        torch.default_generator.manual_seed(seed)
        if devices:
            with torch.cuda.device(device):
                torch.cuda.manual_seed(seed)
        elif device.type == "mps":
            torch.mps.manual_seed(seed)
        yield


@contextmanager
def _forked_mps(device: torch.device) -> Iterator[None]:
    """Leave the generator of a Mac's GPU as it was."""
    if device.type != "mps":
        yield
        return
    before = torch.mps.get_rng_state()
    try:
        yield
    finally:
        torch.mps.set_rng_state(before)


def module_draws(device: torch.device | None) -> dict[str, np.ndarray]:
    """Return the states of PyTorch's own generators, those that `seeded_modules` seeds."""
    if device is None:
        return {}
    states = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(device)
    elif device.type == "mps":
        states["mps"] = torch.mps.get_rng_state()
    return {kind: state.numpy().copy() for kind, state in states.items()}


def resume_module_draws(device: torch.device | None, states: dict[str, np.ndarray]) -> None:
    """Let PyTorch's own generators go on from states of :func:`module_draws`, if it noted any."""
    if device is None or not states:
        return
    torch.set_rng_state(torch.from_numpy(states["cpu"].copy()))
    if device.type == "cuda" and "cuda" in states:
        torch.cuda.set_rng_state(torch.from_numpy(states["cuda"].copy()), device)
    if device.type == "mps" and "mps" in states:
        torch.mps.set_rng_state(torch.from_numpy(states["mps"].copy()))


def export_state(model: nn.Module) -> dict[str, np.ndarray]:
    """Return parameters and buffers as NumPy arrays that share nothing with the model."""
    return {
        name: tensor.detach().cpu().numpy().copy() for name, tensor in model.state_dict().items()
    }


def load_state(model: nn.Module, state: dict[str, np.ndarray]) -> None:
    """Put arrays from :func:`export_state` into a model of the same make."""
    # np.array copies: a memory-mapped, read-only array must not reach torch.
    model.load_state_dict(
        {name: torch.from_numpy(np.array(array)) for name, array in state.items()}
    )
